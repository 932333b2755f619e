/* Trace events as text and as JSON: exact lines for some, well-formedness for all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "show/event_json.h"
#include "show/event_text.h"
#include "show/segment_text.h"

static struct hf_trace_event event_of(enum hf_trace type, enum hf_reason reason)
{
    return (struct hf_trace_event){
        .now_ns = HF_MS(1012) + 345678,
        .handle = 0xAB,
        .type = type,
        .reason = reason,
        .from = HF_SYN_SENT,
        .to = HF_ESTABLISHED,
        .local = {hf_addr_v4(10, 0, 0, 1), 40000},
        .remote = {hf_addr_v4(10, 0, 0, 2), 80},
    };
}

static void events_read_as_lines(void **state)
{
    (void)state;
    char text[HF_EVENT_TEXT_BYTES];
    struct hf_trace_event e = event_of(HF_TRACE_STATE, HF_WHY_SYNACK);
    hf_event_text(&e, HF_SEC(1), text, sizeof text);
    assert_string_equal(text, "0.012345 10.0.0.1:40000 > 10.0.0.2:80 state SYN-SENT -> ESTABLISHED"
                              ": our SYN is acknowledged by a SYN,ACK");
    e = event_of(HF_TRACE_RETRANSMIT, HF_RETRANSMIT_RTO);
    e.a = 101;
    e.b = 2;
    hf_event_text(&e, 0, text, sizeof text);
    assert_string_equal(text, "1.012345 10.0.0.1:40000 > 10.0.0.2:80 retransmit in ESTABLISHED "
                              "seq 101 count 2: the first unacknowledged segment again, after the "
                              "RTO");
    struct hf_segment seg = {.flags = HF_ACK, .seq = 5, .ack = 6, .window = 7, .payload_bytes = 8};
    e = event_of(HF_TRACE_DROP, HF_DROP_PAWS);
    e.segment = &seg;
    hf_event_text(&e, HF_SEC(2), text, sizeof text);
    assert_string_equal(text, "-0.987654 10.0.0.1:40000 > 10.0.0.2:80 drop in ESTABLISHED "
                              "[. seq 5:13(8) ack 6 win 7]: an old duplicate by its timestamp");
    e = event_of(HF_TRACE_CLOSED, HF_WHY_R2);
    e.a = HF_CLOSED_TIMED_OUT;
    hf_event_text(&e, 0, text, sizeof text);
    assert_non_null(strstr(text, "closed in ESTABLISHED how 6: retransmissions went unanswered"));
}

static void events_become_json(void **state)
{
    (void)state;
    char text[HF_EVENT_JSON_BYTES];
    struct hf_trace_event e = event_of(HF_TRACE_STATE, HF_WHY_SYNACK);
    hf_event_json(&e, HF_SEC(1), text, sizeof text);
    assert_string_equal(text, "{\"time\":12.345678,\"name\":\"tcp:state\",\"data\":{"
                              "\"handle\":\"00000000000000ab\",\"local\":\"10.0.0.1:40000\","
                              "\"remote\":\"10.0.0.2:80\",\"old\":\"SYN-SENT\","
                              "\"new\":\"ESTABLISHED\",\"reason\":\"WHY_SYNACK\"}}");
    struct hf_segment seg = {.flags = HF_SYN | HF_ACK,
                             .seq = 5,
                             .ack = 6,
                             .window = 7,
                             .has_mss = true,
                             .mss_bytes = 1460,
                             .sack_count = 2,
                             .sack = {{1, 2}, {3, 4}}};
    e = event_of(HF_TRACE_LIMIT, HF_LIMIT_POOL);
    e.a = -1;
    e.b = 9;
    e.segment = &seg;
    hf_event_json(&e, 0, text, sizeof text);
    assert_non_null(strstr(text, "\"reason\":\"LIMIT_POOL\",\"have\":-1,\"limit\":9,"
                                 "\"segment\":{\"flags\":\"S.\",\"seq\":5,\"ack\":6,\"window\":7,"
                                 "\"payload_bytes\":0,\"mss\":1460,\"sack\":[[1,2],[3,4]]}}}"));
}

/* Objects, arrays, strings without escapes, numbers, true: all that is used. NULL if malformed. */
static const char *json_value(const char *s);

static const char *json_string(const char *s)
{
    if (s == NULL || *s != '"')
        return NULL;
    for (s++; *s != '"'; s++)
        if (*s < ' ' || *s == '\\')
            return NULL;
    return s + 1;
}

static const char *json_list(const char *s, bool object)
{
    char end = object ? '}' : ']';
    do {
        s++;
        if (object) {
            s = json_string(s);
            if (s == NULL || *s++ != ':')
                return NULL;
        }
        s = json_value(s);
    } while (s != NULL && *s == ',');
    return s != NULL && *s == end ? s + 1 : NULL;
}

static const char *json_value(const char *s)
{
    if (*s == '{' || *s == '[')
        return json_list(s, *s == '{');
    if (*s == '"')
        return json_string(s);
    if (strncmp(s, "true", 4) == 0)
        return s + 4;
    char *end;
    strtod(s, &end);
    return end == s ? NULL : end;
}

static void every_event_fits_and_is_well_formed(void **state)
{
    (void)state;
    struct hf_segment seg = {.flags = 0x1FF,
                             .seq = UINT32_MAX,
                             .ack = UINT32_MAX,
                             .window = UINT16_MAX,
                             .urgent_pointer = UINT16_MAX,
                             .has_mss = true,
                             .mss_bytes = UINT16_MAX,
                             .has_wscale = true,
                             .wscale = 255,
                             .has_sack_permitted = true,
                             .has_timestamps = true,
                             .ts_value = UINT32_MAX,
                             .ts_echo = UINT32_MAX,
                             .sack_count = 4,
                             .payload_bytes = UINT32_MAX};
    for (int i = 0; i < 4; i++)
        seg.sack[i].left = seg.sack[i].right = UINT32_MAX - 1;
    for (int type = 0; type < HF_TRACE_COUNT; type++)
        for (int reason = 0; reason < HF_REASON_COUNT; reason++) {
            struct hf_trace_event e = event_of((enum hf_trace)type, (enum hf_reason)reason);
            e.now_ns = INT64_MAX;
            e.a = type == HF_TRACE_CLOSED ? reason % HF_CLOSED_COUNT : INT64_MIN;
            e.b = INT64_MIN;
            e.from = e.to = HF_SYN_RCVD;
            memset(&e.local.addr, 0xEE, sizeof e.local.addr);
            memset(&e.remote.addr, 0xEE, sizeof e.remote.addr);
            e.segment = &seg;
            char text[HF_EVENT_TEXT_BYTES], json[HF_EVENT_JSON_BYTES];
            size_t n = hf_event_text(&e, 0, text, sizeof text);
            assert_true(n < sizeof text);
            assert_int_equal(n, strlen(text));
            assert_null(strchr(text, '\n'));
            n = hf_event_json(&e, 0, json, sizeof json);
            assert_true(n < sizeof json);
            const char *end = json_value(json);
            if (end == NULL || *end != '\0')
                fail_msg("malformed: %s", json);
        }
}

static void too_little_room_cuts_and_tells(void **state)
{
    (void)state;
    char text[HF_EVENT_JSON_BYTES], cut[20];
    struct hf_trace_event e = event_of(HF_TRACE_STATE, HF_WHY_SYNACK);
    size_t n = hf_event_json(&e, 0, text, sizeof text);
    assert_int_equal(hf_event_json(&e, 0, cut, sizeof cut), n);
    assert_int_equal(strlen(cut), sizeof cut - 1);
    assert_memory_equal(cut, text, sizeof cut - 1);
}

static void numbers_before_the_base_are_negative(void **state)
{
    (void)state;
    assert_int_equal(hf_relative(105, 100), 5);
    assert_int_equal(hf_relative(99, 100), -1);
    assert_int_equal(hf_relative(5, UINT32_MAX), 6);
    assert_true(hf_relative(0x80000000u, 0) == 0x80000000ll);
    char flags[HF_FLAGS_TEXT_BYTES];
    assert_int_equal(hf_flags_text(0x1FF, flags), 9);
    assert_string_equal(flags, "SFRPUEWA.");
    hf_flags_text(0, flags);
    assert_string_equal(flags, "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_read_as_lines),
        cmocka_unit_test(events_become_json),
        cmocka_unit_test(every_event_fits_and_is_well_formed),
        cmocka_unit_test(too_little_room_cuts_and_tells),
        cmocka_unit_test(numbers_before_the_base_are_negative),
    };
    return cmocka_run_group_tests_name("event_forms", tests, NULL, NULL);
}
