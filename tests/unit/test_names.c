/**
 * Names and texts: each value of each list has its own, and what is none of a list is "unknown".
 */
#include "core/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void errors(void **state)
{
    (void)state;
    assert_string_equal(hf_err_name(HF_OK), "HF_OK");
    assert_string_equal(hf_err_name(HF_E_AGAIN), "HF_E_AGAIN");
    assert_string_equal(hf_err_name(HF_E_DEVICE), "HF_E_DEVICE");
    assert_string_equal(hf_err_text(HF_OK), "done");
    assert_string_equal(hf_err_text(HF_E_RESET), "the connection was reset");
    assert_string_equal(hf_err_name(1), "unknown");
    assert_string_equal(hf_err_text(1), "unknown");
    assert_string_equal(hf_err_name(-1000), "unknown");
    assert_string_equal(hf_err_text(-1000), "unknown");
#define CHECK_ERR(name, value, text)                                                               \
    assert_string_equal(hf_err_name(value), "HF_" #name);                                          \
    assert_string_equal(hf_err_text(value), text);
    HF_ERR_LIST(CHECK_ERR)
}

static void states(void **state)
{
    (void)state;
    assert_string_equal(hf_state_name(HF_CLOSED), "CLOSED");
    assert_string_equal(hf_state_name(HF_SYN_RCVD), "SYN-RECEIVED");
    assert_string_equal(hf_state_name(HF_TIME_WAIT), "TIME-WAIT");
    assert_string_equal(hf_state_name(HF_STATE_COUNT), "unknown");
    assert_string_equal(hf_state_name((enum hf_state)12345), "unknown");
    assert_string_equal(hf_state_name((enum hf_state) - 1), "unknown");
}

static void endings(void **state)
{
    (void)state;
    assert_string_equal(hf_closed_text(HF_CLOSED_NOT), "still open");
    assert_string_equal(hf_closed_text(HF_CLOSED_WITHDRAWN), "held open request: the peer gave up");
    assert_string_equal(hf_closed_text(HF_CLOSED_COUNT), "unknown");
}

static void trace_events(void **state)
{
    (void)state;
    assert_string_equal(hf_trace_name(HF_TRACE_STATE), "state");
    assert_string_equal(hf_trace_name(HF_TRACE_SEGMENT_IN), "segment_in");
    assert_string_equal(hf_trace_name(HF_TRACE_CLOSED), "closed");
    assert_string_equal(hf_trace_name(HF_TRACE_COUNT), "unknown");
}

static void reasons(void **state)
{
    (void)state;
    assert_string_equal(hf_reason_name(HF_NONE), "NONE");
    assert_string_equal(hf_reason_name(HF_DROP_PAWS), "DROP_PAWS");
    assert_string_equal(hf_reason_text(HF_DROP_PAWS), "an old duplicate by its timestamp");
    assert_string_equal(hf_reason_name(HF_CLOCK_BACK), "CLOCK_BACK");
    assert_string_equal(hf_reason_text(HF_CLOCK_BACK), "the clock went back and was held");
    assert_string_equal(hf_reason_name(HF_REASON_COUNT), "unknown");
    assert_string_equal(hf_reason_text(HF_REASON_COUNT), "unknown");
    for (int i = 0; i < HF_REASON_COUNT; i++) {
        const char *name = hf_reason_name((enum hf_reason)i);
        assert_true(strlen(hf_reason_text((enum hf_reason)i)) > 2);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(name, hf_reason_name((enum hf_reason)j));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors),       cmocka_unit_test(states),  cmocka_unit_test(endings),
        cmocka_unit_test(trace_events), cmocka_unit_test(reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
