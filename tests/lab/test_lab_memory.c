/*
 * What a connection costs while nothing happens, as the allocator sees it: all that a stack took
 * more than with none, its table included, divided by their number. The budgets:
 * 80 bytes half-open, 336 established, 80 in TIME-WAIT. And all of it comes back.
 * covers: CO-4987-03
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/account.h"
#include "lab/pattern.h"
#include "lab/runs.h"

enum {
    MANY = 100000,
    FEWER = 10000, /* under a sanitizer */
    SAMPLES = 10,  /* of them carry data */
    SAMPLE_BYTES = 1 << 20,
    PORTS = 50000,
    BATCH = 16,
    PACKET_BYTES = 66000,
};

struct end {
    struct hf_stack *stack;
    struct hf_account account;
    uint64_t base_bytes;
    uint64_t accepted, connected, closed;
};

/* A server and a client, and a wire between them that takes no time. */
struct lab {
    struct end client, server;
    hf_ns now_ns;
    uint32_t n;
    hf_handle listener;
    hf_handle *handles;        /**< of the client's connections */
    hf_handle *server_handles; /**< in the order they were accepted */
    bool deaf;                 /**< what the server sends is lost */
};

static uint32_t how_many(void)
{
    return HF_TEST_SANITIZED && !runs_are_long() ? FEWER : MANY;
}

static struct hf_addr address(uint8_t last)
{
    return (struct hf_addr){{0xFD, [15] = last}};
}

static uint64_t held(struct end *e)
{
    hf_stack_trim(e->stack);
    return e->account.held_bytes;
}

static void open_end(struct end *e, uint32_t n, uint8_t first, uint8_t addresses)
{
    struct hf_config config;
    hf_config_init(&config, sizeof config);
    config.max_half_open = config.max_time_wait = n;
    config.max_connections = n;
    *e = (struct end){0};
    struct hf_env env = {.realloc = hf_account_realloc, .realloc_ctx = &e->account};
    env.seed[0] = first;
    assert_int_equal(hf_stack_new(&e->stack, &config, &env, 0), HF_OK);
    for (uint8_t i = 0; i < addresses; i++) {
        struct hf_addr a = address((uint8_t)(first + i));
        assert_int_equal(hf_stack_add_address(e->stack, &a, 128), HF_OK);
    }
}

static void open_lab(struct lab *l)
{
    *l = (struct lab){.n = how_many()};
    l->handles = calloc(l->n, sizeof *l->handles);
    l->server_handles = calloc(l->n, sizeof *l->server_handles);
    assert_non_null(l->handles);
    assert_non_null(l->server_handles);
    open_end(&l->server, l->n, 1, 1);
    open_end(&l->client, l->n, 2, 4);
    struct hf_listen what = {.port = 80, .backlog = l->n};
    assert_int_equal(hf_listen(l->server.stack, &what, &l->listener, 0), HF_OK);
    l->server.base_bytes = held(&l->server);
    l->client.base_bytes = held(&l->client);
}

static void close_lab(struct lab *l)
{
    hf_stack_free(l->client.stack);
    hf_stack_free(l->server.stack);
    assert_int_equal(l->client.account.held_bytes, 0);
    assert_int_equal(l->server.account.held_bytes, 0);
    assert_false(l->client.account.wrong_size || l->server.account.wrong_size);
    free(l->handles);
    free(l->server_handles);
}

/* ---- the wire ---- */

static bool carry(struct lab *l, struct end *from, struct end *to, bool lose)
{
    static uint8_t bytes[PACKET_BYTES];
    struct hf_out_packet out[BATCH];
    size_t n = hf_stack_output(from->stack, out, BATCH, l->now_ns);
    for (size_t i = 0; i < n && !lose; i++) {
        uint32_t length = out[i].header_bytes;
        memcpy(bytes, out[i].header, length);
        for (size_t k = 0; k < out[i].slice_count; k++) {
            memcpy(bytes + length, out[i].slices[k].bytes, out[i].slices[k].length_bytes);
            length += (uint32_t)out[i].slices[k].length_bytes;
        }
        struct hf_packet p = {.bytes = bytes, .length_bytes = length, .flags = out[i].flags};
        hf_stack_input(to->stack, &p, 1, l->now_ns);
    }
    return n > 0;
}

/* Until both have said all. */
static void settle(struct lab *l)
{
    bool busy = true;
    while (busy) {
        busy = carry(l, &l->client, &l->server, false);
        busy |= carry(l, &l->server, &l->client, l->deaf);
    }
}

static void take_events(struct lab *l, struct end *e)
{
    struct hf_event event;
    while (hf_stack_event(e->stack, &event)) {
        if (event.bits & HF_EV_ACCEPTED)
            l->server_handles[e->accepted++] = event.handle;
        e->connected += (event.bits & HF_EV_CONNECTED) != 0;
        e->closed += (event.bits & HF_EV_CLOSED) != 0;
    }
}

static void pass_time(struct lab *l, hf_ns span_ns)
{
    struct end *ends[2] = {&l->client, &l->server};
    hf_ns until_ns = l->now_ns + span_ns;
    for (;;) {
        hf_ns next_ns = hf_stack_deadline(l->client.stack);
        hf_ns other_ns = hf_stack_deadline(l->server.stack);
        next_ns = other_ns < next_ns ? other_ns : next_ns;
        if (next_ns > until_ns)
            break;
        l->now_ns = next_ns > l->now_ns ? next_ns : l->now_ns;
        for (size_t i = 0; i < 2; i++)
            while (hf_stack_expire(ends[i]->stack, l->now_ns, 256))
                settle(l);
        settle(l);
    }
    l->now_ns = until_ns;
}

static void connect_all(struct lab *l)
{
    for (uint32_t i = 0; i < l->n; i++) {
        struct hf_connect what = {
            .local = {address((uint8_t)(2 + i / PORTS)), (uint16_t)(10000 + i % PORTS)},
            .remote = {address(1), 80},
        };
        assert_int_equal(hf_connect(l->client.stack, &what, &l->handles[i], l->now_ns), HF_OK);
        if (i % BATCH == 0)
            settle(l);
    }
    settle(l);
    take_events(l, &l->client);
    take_events(l, &l->server);
}

/* ---- measuring ---- */

/* What each of the entries costs, at most. A few make no fair sample: there the last chunk of each
 * store, mostly empty, is let through. */
static bool cost_is_within(struct lab *l, struct end *e, const char *what, uint64_t budget_bytes)
{
    uint64_t untrimmed = e->account.held_bytes - e->base_bytes;
    uint64_t bytes = held(e) - e->base_bytes;
    uint64_t slack_bytes = l->n == MANY ? 0 : 64 << 10;
    printf("%-20s %7u: %6.2f bytes each (%.2f before trimming), budget %u\n", what, l->n,
           (double)bytes / l->n, (double)untrimmed / l->n, (unsigned)budget_bytes);
    fflush(stdout);
    return bytes <= budget_bytes * l->n + slack_bytes;
}

static void assert_all_came_back(struct lab *l)
{
    assert_int_equal(held(&l->client), l->client.base_bytes);
    assert_int_equal(held(&l->server), l->server.base_bytes);
    struct hf_stack_info info;
    hf_stack_info(l->server.stack, &info);
    assert_int_equal(info.connections + info.half_open + info.time_wait, 0);
}

static void half_open_entries_cost_80_bytes(void **state)
{
    (void)state;
    struct lab l;
    open_lab(&l);
    l.deaf = true;
    connect_all(&l);
    struct hf_stack_info info;
    hf_stack_info(l.server.stack, &info);
    assert_int_equal(info.half_open, l.n);
    assert_int_equal(info.connections, 0);
    assert_true(cost_is_within(&l, &l.server, "half-open", 80));
    pass_time(&l, HF_SEC(3600));
    take_events(&l, &l.client);
    assert_int_equal(l.client.closed, l.n);
    for (uint32_t i = 0; i < l.n; i++)
        assert_int_equal(hf_close(l.client.stack, l.handles[i], l.now_ns), HF_OK);
    assert_all_came_back(&l);
    close_lab(&l);
}

/* One megabyte from one stack to the other, checked. */
static void send_some(struct lab *l, struct end *from, hf_handle c, struct end *to, hf_handle d)
{
    static uint8_t bytes[32768];
    uint32_t sent = 0, received = 0;
    while (received < SAMPLE_BYTES) {
        uint32_t want = SAMPLE_BYTES - sent < sizeof bytes ? SAMPLE_BYTES - sent : sizeof bytes;
        hf_pattern_fill(1, sent, bytes, want);
        int64_t n = want > 0 ? hf_send(from->stack, c, bytes, want, 0, l->now_ns) : HF_E_AGAIN;
        assert_true(n > 0 || n == HF_E_AGAIN);
        sent += n > 0 ? (uint32_t)n : 0;
        settle(l);
        while ((n = hf_receive(to->stack, d, bytes, sizeof bytes, l->now_ns)) > 0) {
            assert_int_equal(hf_pattern_check(1, received, bytes, (size_t)n), n);
            received += (uint32_t)n;
        }
        assert_int_equal(n, HF_E_AGAIN);
        pass_time(l, HF_MS(1));
    }
}

/* The server's end of a client's connection. */
static hf_handle partner(const struct lab *l, uint32_t i)
{
    struct hf_info mine, theirs;
    assert_int_equal(hf_info(l->client.stack, l->handles[i], &mine), HF_OK);
    for (uint32_t k = 0; k < l->n; k++) {
        assert_int_equal(hf_info(l->server.stack, l->server_handles[k], &theirs), HF_OK);
        if (theirs.remote.port == mine.local.port &&
            hf_addr_equal(&theirs.remote.addr, &mine.local.addr))
            return l->server_handles[k];
    }
    return 0;
}

static void use_samples(struct lab *l)
{
    for (uint32_t i = 0; i < l->n; i += l->n / SAMPLES) {
        hf_handle there = partner(l, i);
        assert_true(there != 0);
        send_some(l, &l->client, l->handles[i], &l->server, there);
        send_some(l, &l->server, there, &l->client, l->handles[i]);
    }
    pass_time(l, HF_SEC(10));
    take_events(l, &l->client);
    take_events(l, &l->server);
}

static void assert_all_options(struct lab *l)
{
    struct hf_info info;
    for (uint32_t i = 0; i < l->n; i++) {
        assert_int_equal(hf_info(l->client.stack, l->handles[i], &info), HF_OK);
        assert_true(info.state == HF_ESTABLISHED && info.timestamps && info.sack &&
                    info.window_scale);
    }
}

/* The client closes first and keeps the TIME-WAITs. */
static void close_all(struct lab *l)
{
    for (uint32_t i = 0; i < l->n; i++) {
        assert_int_equal(hf_close(l->client.stack, l->handles[i], l->now_ns), HF_OK);
        if (i % BATCH == 0)
            settle(l);
    }
    settle(l);
    for (uint32_t i = 0; i < l->n; i++) {
        assert_int_equal(hf_close(l->server.stack, l->server_handles[i], l->now_ns), HF_OK);
        if (i % BATCH == 0)
            settle(l);
    }
    settle(l);
    take_events(l, &l->client);
    take_events(l, &l->server);
}

static void established_cost_336_bytes_and_time_waits_80(void **state)
{
    (void)state;
    struct lab l;
    open_lab(&l);
    connect_all(&l);
    assert_int_equal(l.client.connected, l.n);
    assert_int_equal(l.server.accepted, l.n);
    assert_all_options(&l);
    use_samples(&l);
    assert_true(cost_is_within(&l, &l.client, "established, client", 336));
    assert_true(cost_is_within(&l, &l.server, "established, server", 336));

    close_all(&l);
    assert_int_equal(l.client.closed, l.n);
    assert_int_equal(l.server.closed, l.n);
    struct hf_stack_info info;
    hf_stack_info(l.client.stack, &info);
    assert_int_equal(info.time_wait, l.n);
    assert_int_equal(info.connections, 0);
    assert_true(cost_is_within(&l, &l.client, "time-wait", 80));
    pass_time(&l, HF_SEC(300));
    assert_all_came_back(&l);
    close_lab(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_open_entries_cost_80_bytes),
        cmocka_unit_test(established_cost_336_bytes_and_time_waits_80),
    };
    return cmocka_run_group_tests_name("lab_memory", tests, NULL, NULL);
}
