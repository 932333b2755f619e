/* Proportional rate reduction by numbers, RFC 9937: what each ACK of a recovery lets out. */
#include "recovery.h"

static struct hf_config config;

static int reset_config(void **state)
{
    (void)state;
    recovery_config(&config);
    return 0;
}

/* covers: CO-9937-01, CO-9937-05, CO-9937-07, CO-9937-08, CO-9937-09: twenty segments, the first
 * is lost; ssthresh 10. RecoverFS is 20 less the two that had arrived before the third block, and
 * two new ones had left: 20. The share of n delivered is n/2; the first goes to the
 * retransmission at once */
static void half_a_segment_for_each(void **state)
{
    (void)state;
    struct wire w;
    recovery_open_twenty(&w, &config, WITH_SACK);
    send_segs(&w, 60, 20);
    wait_rtt(&w);
    tell(&w, 0, "1000:2000");
    tell(&w, 0, "1000:3000");
    assert_int_equal(hf_peer_skip(&w.peer), 2);
    uint32_t sent = 0, next = 22000;
    for (uint32_t delivered = 1; delivered <= 17; delivered++) {
        char text[64];
        snprintf(text, sizeof text, "1000:%u", 3000 + delivered * SEG);
        tell(&w, 0, text);
        if (delivered == 1) {
            EXPECT_BYTES(&w, 0, 1000);
            sent++;
        }
        uint32_t pipe = 22 - 2 - delivered - 1 + sent; /* in segments */
        uint32_t due = 0;
        if (delivered > 1 && pipe > 10)
            due = delivered / 2 > sent ? delivered / 2 - sent : 0;
        else if (delivered > 1) /* slower than the share by what the rounding left: caught up */
            due = 10 - pipe;
        for (uint32_t n = 0; n < due; n++, next += SEG)
            EXPECT_BYTES(&w, next, next + SEG);
        sent += due;
        WIRE_QUIET(&w);
        assert_int_equal(wire_info(&w).ssthresh_bytes, 10 * SEG);
    }
    assert_in_range(sent, 8, 9); /* half of 17 */
    wait_rtt(&w);
    tell(&w, 22000, NULL);
    check_windows(&w, 10 * SEG, 10 * SEG);
    wire_close(&w);
}

/* [RFC9937#6.2] The share is rounded up, and where nothing is left over it is what it is: four of
 * twenty arrived, and half of that may leave. */
static void a_whole_share_is_not_rounded(void **state)
{
    (void)state;
    struct wire w;
    recovery_open_twenty(&w, &config, WITH_SACK);
    send_segs(&w, 20, 20);
    wait_rtt(&w);
    tell(&w, 0, "1000:5000");
    EXPECT_BYTES(&w, 0, 1000);
    WIRE_QUIET(&w);
    assert_int_equal(wire_info(&w).pipe_bytes, 16 * SEG);
    check_windows(&w, 17 * SEG, 10 * SEG);
    wire_close(&w);
}

/* covers: CO-9937-06: below ssthresh as many leave as arrive */
static void one_for_one_where_much_was_lost(void **state)
{
    (void)state;
    struct wire w;
    recovery_open_twenty(&w, &config, WITH_SACK);
    send_segs(&w, 60, 20);
    wait_rtt(&w);
    /* Fourteen are lost, six arrive: of the pipe six, less than ssthresh, nothing is left. */
    tell(&w, 0, "14000:15000");
    tell(&w, 0, "14000:16000");
    assert_int_equal(hf_peer_skip(&w.peer), 2); /* 20000:22000 */
    tell(&w, 0, "14000:17000");
    EXPECT_BYTES(&w, 0, 1000);
    WIRE_QUIET(&w);
    for (uint32_t n = 1; n <= 3; n++) {
        char text[64];
        snprintf(text, sizeof text, "14000:%u", 17000 + n * SEG);
        tell(&w, 0, text);
        EXPECT_BYTES(&w, n * SEG, n * SEG + SEG);
        WIRE_QUIET(&w);
    }
    wire_close(&w);
}

/* The same after slow start, which a loss in a window of forty has ended: what is lost then says
 * nothing of the path (DEVIATION D-42). */
static void open_twenty_in_avoidance(struct wire *w)
{
    recovery_open_twenty(w, &config, WITH_SACK);
    send_segs(w, 20, 20);
    wait_rtt(w);
    for (uint32_t n = 1; n <= 20; n++)
        tell(w, n * SEG, NULL);
    wire_rebase(w);
    send_segs(w, 40, 40);
    wait_rtt(w);
    tell(w, 0, "1000:40000");
    assert_int_equal(hf_peer_skip(&w->peer), 1);
    wait_rtt(w);
    tell(w, 40000, NULL);
    check_windows(w, 20 * SEG, 20 * SEG);
    wire_rebase(w);
}

/* covers: CO-9937-04, CO-9937-06: an ACK that moves SND.UNA and shows no new loss lets one more
 * out; one that shows a loss does not */
static void progress_lets_one_more_out(void **state)
{
    (void)state;
    for (int loss = 0; loss < 2; loss++) {
        struct wire w;
        open_twenty_in_avoidance(&w);
        send_segs(&w, 60, 20);
        wait_rtt(&w);
        const char *arrived =
            loss ? "14000:17000" : "14000:20000"; /* the last three late, or not */
        uint32_t out = loss ? 3 : 6;
        tell(&w, 0, arrived);
        assert_int_equal(hf_peer_skip(&w.peer), out);
        wait_rtt(&w);
        tell(&w, 1000, arrived); /* and the first retransmission: what left before is lost */
        EXPECT_BYTES(&w, out * SEG, out * SEG + SEG);
        if (!loss)
            EXPECT_BYTES(&w, out * SEG + SEG, out * SEG + 2 * SEG);
        WIRE_QUIET(&w);
        wire_close(&w);
    }
}

/* covers: CO-9937-07: an ACK that delivers nothing lets nothing out */
static void nothing_for_nothing(void **state)
{
    (void)state;
    struct wire w;
    open_twenty_in_avoidance(&w);
    send_segs(&w, 60, 20);
    wait_rtt(&w);
    tell(&w, 0, "14000:17000");
    assert_int_equal(hf_peer_skip(&w.peer), 3);
    uint32_t cwnd = wire_info(&w).cwnd_bytes;
    for (int n = 0; n < 20; n++)
        tell(&w, 0, "14000:17000");
    WIRE_QUIET(&w);
    assert_int_equal(wire_info(&w).cwnd_bytes, cwnd);
    wire_close(&w);
}

/* covers: CO-9937-06: never more than up to ssthresh, however much one ACK delivers */
static void ssthresh_bounds_it(void **state)
{
    (void)state;
    struct wire w;
    recovery_open_twenty(&w, &config, WITH_SACK);
    send_segs(&w, 60, 20);
    wait_rtt(&w);
    tell(&w, 0, "1000:20000"); /* nineteen */
    assert_int_equal(hf_peer_skip(&w.peer), 10);
    assert_int_equal(wire_info(&w).cwnd_bytes, 10 * SEG);
    wire_close(&w);
}

/* covers: CO-9937-01: with CUBIC ssthresh is seven tenths, and so is the share */
static void the_share_is_the_algorithms(void **state)
{
    (void)state;
    struct wire w;
    config.congestion_control = 2;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 40, 10);
    wait_rtt(&w);
    tell(&w, 0, "1000:4000"); /* six are in flight: one may leave, up to seven */
    EXPECT_BYTES(&w, 0, 1000);
    WIRE_QUIET(&w);
    assert_int_equal(wire_info(&w).ssthresh_bytes, 7 * SEG);
    wait_rtt(&w);
    tell(&w, 10000, NULL);
    check_windows(&w, 7 * SEG, 7 * SEG);
    wire_close(&w);
}

int main(void)
{
#define PRR_TEST(f) cmocka_unit_test_setup(f, reset_config)
    const struct CMUnitTest tests[] = {
        PRR_TEST(a_whole_share_is_not_rounded),
        PRR_TEST(half_a_segment_for_each),
        PRR_TEST(one_for_one_where_much_was_lost),
        PRR_TEST(progress_lets_one_more_out),
        PRR_TEST(nothing_for_nothing),
        PRR_TEST(ssthresh_bounds_it),
        PRR_TEST(the_share_is_the_algorithms),
    };
    return cmocka_run_group_tests_name("recovery_prr", tests, NULL, NULL);
}
