/* What somebody gets who has read handfast.h in a hurry: wrong calls are answered by an error,
 * never by something that looks like success. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <handfast/handfast.h>

static void *take_memory(void *ctx, void *piece, size_t old_bytes, size_t new_bytes)
{
    (void)ctx;
    (void)old_bytes;
    if (new_bytes > 0)
        return realloc(piece, new_bytes);
    free(piece);
    return NULL;
}

/* A stack with one connection in SYN-SENT, in slot 0. */
static struct hf_stack *open_one(hf_handle *c)
{
    struct hf_config config;
    hf_config_init(&config, sizeof config);
    struct hf_env env = {.realloc = take_memory, .seed = {1}};
    struct hf_stack *s = NULL;
    assert_int_equal(hf_stack_new(&s, &config, &env, 0), HF_OK);
    struct hf_addr here = hf_addr_v4(192, 0, 2, 1);
    assert_int_equal(hf_stack_add_address(s, &here, 24), HF_OK);
    struct hf_connect to = {.remote = {hf_addr_v4(192, 0, 2, 2), 7}};
    assert_int_equal(hf_connect(s, &to, c, 0), HF_OK);
    return s;
}

/* Else whatever stands in the block would go to the peer. */
static void nothing_is_committed_that_was_not_reserved(void **state)
{
    (void)state;
    hf_handle c;
    struct hf_stack *s = open_one(&c);
    assert_int_equal(hf_send(s, c, "a", 1, 0, 0), 1);
    assert_int_equal(hf_send_commit(s, c, 1, 0, 0), HF_E_STATE);
    hf_stack_free(s);
}

static void a_reservation_is_committed_once(void **state)
{
    (void)state;
    hf_handle c;
    void *room;
    struct hf_stack *s = open_one(&c);
    assert_true(hf_send_reserve(s, c, &room, 0) > 4);
    memcpy(room, "ab", 2);
    assert_int_equal(hf_send_commit(s, c, 2, 0, 0), HF_OK);
    assert_int_equal(hf_send_commit(s, c, 2, 0, 0), HF_E_STATE);
    struct hf_info info;
    assert_int_equal(hf_info(s, c, &info), HF_OK);
    assert_int_equal(info.send_queue_bytes, 2);
    hf_stack_free(s);
}

/* Valid until the next call on the stack, in a block of its own or at the end of one in use. */
static void a_reservation_ends_with_the_next_call(void **state)
{
    (void)state;
    for (int in_use = 0; in_use < 2; in_use++) {
        hf_handle c;
        void *room;
        struct hf_stack *s = open_one(&c);
        if (in_use)
            assert_int_equal(hf_send(s, c, "a", 1, 0, 0), 1);
        assert_true(hf_send_reserve(s, c, &room, 0) > 4);
        assert_int_equal(hf_send(s, c, "b", 1, 0, 0), 1);
        assert_int_equal(hf_send_commit(s, c, 1, 0, 0), HF_E_STATE);
        struct hf_info info;
        assert_int_equal(hf_info(s, c, &info), HF_OK);
        assert_int_equal(info.send_queue_bytes, 1 + in_use);
        hf_stack_free(s);
    }
}

static void a_handle_is_gone_after_closed_and_close(void **state)
{
    (void)state;
    hf_handle c;
    char byte;
    struct hf_event e;
    struct hf_info info;
    struct hf_stack *s = open_one(&c);
    assert_int_equal(hf_close(s, c, 0), HF_OK);
    assert_int_equal(hf_close(s, c, 0), HF_E_CLOSING);
    assert_true(hf_stack_event(s, &e));
    assert_true(e.handle == c && e.bits == HF_EV_CLOSED && e.how == HF_CLOSED_ABORTED);
    assert_false(hf_stack_event(s, &e));
    assert_int_equal(hf_close(s, c, 0), HF_E_HANDLE);
    assert_int_equal(hf_abort(s, c, 0), HF_E_HANDLE);
    assert_int_equal(hf_shutdown(s, c, 0), HF_E_HANDLE);
    assert_int_equal(hf_send(s, c, "a", 1, 0, 0), HF_E_HANDLE);
    assert_int_equal(hf_receive(s, c, &byte, 1, 0), HF_E_HANDLE);
    assert_int_equal(hf_info(s, c, &info), HF_E_HANDLE);
    hf_stack_free(s);
}

static void what_a_connection_can_and_a_listener_can_not(void **state)
{
    (void)state;
    hf_handle c, listener, again;
    struct hf_info info;
    struct hf_stack *s = open_one(&c);
    struct hf_listen what = {.port = 80};
    assert_int_equal(hf_listen(s, &what, &listener, 0), HF_OK);
    assert_int_equal(hf_listen(s, &what, &again, 0), HF_E_EXISTS);
    assert_int_equal(hf_send(s, listener, "a", 1, 0, 0), HF_E_HANDLE);
    assert_int_equal(hf_shutdown(s, listener, 0), HF_E_HANDLE);
    assert_int_equal(hf_info(s, listener, &info), HF_E_HANDLE);
    assert_int_equal(hf_admit(s, c, 0), HF_E_STATE);
    assert_int_equal(hf_refuse(s, c, HF_REFUSE_RESET, 0), HF_E_STATE);
    assert_int_equal(hf_close(s, listener, 0), HF_OK);
    assert_int_equal(hf_close(s, listener, 0), HF_E_HANDLE);
    hf_stack_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_committed_that_was_not_reserved),
        cmocka_unit_test(a_reservation_is_committed_once),
        cmocka_unit_test(a_reservation_ends_with_the_next_call),
        cmocka_unit_test(a_handle_is_gone_after_closed_and_close),
        cmocka_unit_test(what_a_connection_can_and_a_listener_can_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
