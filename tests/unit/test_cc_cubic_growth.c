/**
 * CUBIC's growth in congestion avoidance, beside a model in floating point.
 */
#include "cubic_flow.h"

static const uint32_t windows_segs[] = {4,     7,      10,     40,      100,       1000,
                                        20000, 100000, 700000, 6000000, 1000000000};
static const hf_ns rtts_ns[] = {HF_US(1),   HF_US(30),  HF_MS(1),  HF_MS(20),
                                HF_MS(100), HF_MS(600), HF_SEC(5), HF_SEC(60)};

/** Calls `check` for all of the above that make a window there can be. */
static void for_all_paths(void (*check)(uint32_t mss_bytes, uint32_t segs, hf_ns rtt_ns))
{
    for (size_t i = 0; i < HF_COUNT_OF(sizes_bytes); i++)
        for (size_t j = 0; j < HF_COUNT_OF(windows_segs); j++)
            for (size_t k = 0; k < HF_COUNT_OF(rtts_ns); k++)
                if ((uint64_t)sizes_bytes[i] * windows_segs[j] <= HF_CWND_MAX_BYTES)
                    check(sizes_bytes[i], windows_segs[j], rtts_ns[k]);
}

static void check_curve(uint32_t mss_bytes, uint32_t segs, hf_ns rtt_ns)
{
    struct flow f = reduced(mss_bytes, segs);
    f.e.srtt_ns = rtt_ns;
    ack(&f, 0); /* the stage begins */
    struct model m = model_begin(&f, (double)segs * mss_bytes, (double)segs * mss_bytes);
    struct flow begun = f;
    for (double part = 0; part < 4; part += 0.125) {
        f = begun;
        f.e.now_ns += (hf_ns)(part * m.k * 1e9);
        double t_s = (double)(f.e.now_ns - begun.e.now_ns) / 1e9;
        double ought = least(most(model_curve(&m, t_s + m.rtt_s), m.cwnd), 1.5 * m.cwnd);
        uint32_t acked = f.cc.cwnd_bytes;
        ack(&f, acked);
        /* Where Reno would have more the curve does not show. */
        double w_est = m.w_est + 9.0 / 17.0;
        if (distance(model_curve(&m, t_s), w_est) < 0.01 * w_est + 2.0 / mss_bytes)
            continue;
        if (model_curve(&m, t_s) < w_est)
            ought = w_est;
        ought = least(ought * mss_bytes, HF_CWND_MAX_BYTES);
        assert_near(f.cc.cwnd_bytes, ought, 0.001, 2 + 0.01 * mss_bytes);
    }
}

/* [RFC9438#4.2] One ACK for a whole window takes it to W_cubic(t + RTT), within a thousandth and a
 * hundredth of a segment; C = 0.4. covers: CO-9438-01, CO-9438-02, CO-9438-04, CO-9438-06 */
static void follows_the_curve(void **state)
{
    (void)state;
    for_all_paths(check_curve);
}

/** 4000 ACKs for `pieces`-ths of a window, so far apart that they take a round trip for all of it,
 *  and three times K. */
static void check_growth(uint32_t mss_bytes, uint32_t segs, hf_ns rtt_ns, uint32_t pieces,
                         bool sooner)
{
    if (mss_bytes == 1 || segs * mss_bytes < 1000) /* there a byte is no small share */
        return;
    struct flow f = opened(mss_bytes, segs * mss_bytes);
    double w_max_bytes = f.cc.cwnd_bytes;
    if (sooner) {
        f.cc.w_max_bytes = f.cc.cwnd_bytes + 1;
        w_max_bytes *= 0.85;
    }
    double prior_bytes = f.cc.cwnd_bytes;
    f.e.srtt_ns = rtt_ns;
    lose(&f, f.cc.cwnd_bytes);
    recover(&f);
    ack(&f, 0);
    struct model m = model_begin(&f, w_max_bytes, prior_bytes);
    hf_ns apart_ns = hf_max_ns((hf_ns)(m.k * 1e9 * 3 / 4000), rtt_ns / pieces);
    for (int i = 0; i < 4000; i++) {
        f.e.now_ns += apart_ns;
        uint32_t acked = f.cc.cwnd_bytes / pieces + 1;
        model_ack(&m, &f, least(acked / (double)mss_bytes, m.cwnd));
        ack(&f, acked);
        double ought = m.cwnd * mss_bytes;
        /* Where the curve falls under what Reno would have, the window leaps to that; a byte more
         * or less of either decides when. */
        double t_s = (double)f.e.now_ns / 1e9 - m.began_s;
        if (distance(model_curve(&m, t_s), m.w_est) < 0.002 * m.w_est + 4.0 / mss_bytes)
            continue;
        if (distance(f.cc.cwnd_bytes, ought) > 0.01 * ought + 2)
            fail_msg("mss %u segs %u rtt %lld ns pieces %u ack %d: %u instead of %.1f", mss_bytes,
                     segs, (long long)rtt_ns, pieces, i, f.cc.cwnd_bytes, ought);
    }
}

static void check_growth_in_pieces(uint32_t mss_bytes, uint32_t segs, hf_ns rtt_ns)
{
    check_growth(mss_bytes, segs, rtt_ns, 1, false);
    check_growth(mss_bytes, segs, rtt_ns, 3, true);
    check_growth(mss_bytes, segs, rtt_ns, 10, false);
    check_growth(mss_bytes, segs, rtt_ns, 250, true);
}

/* Concave, convex and Reno-friendly region as they come, within 1 % of the model.
 * covers: CO-9438-01, CO-9438-02, CO-9438-04, CO-9438-05, CO-9438-06, CO-9438-08, CO-9438-13 */
static void grows_like_the_model(void **state)
{
    (void)state;
    for_all_paths(check_growth_in_pieces);
}

/* [RFC9438#4.3] Where round trips are short, the window is what Reno's would be: alpha = 9/17 of a
 * segment a window until the window before the loss is reached, then one.
 * covers: CO-9438-05 */
static void is_friendly_to_reno(void **state)
{
    (void)state;
    struct flow f = reduced(1700, 100);
    f.e.srtt_ns = HF_US(10);
    assert_int_equal(f.cc.cwnd_bytes, 70 * 1700);
    for (uint32_t i = 1; f.cc.cwnd_bytes < 100 * 1700; i++) {
        if (i == 20) /* the window before the loss is known nevertheless, by w_max_bytes */
            f.run = (struct hf_cc_run){0};
        ack_window_after(&f, HF_US(10));
        assert_in_range(f.cc.cwnd_bytes, 70 * 1700 + i * 900 - 2, 70 * 1700 + i * 900);
    }
    uint32_t reached_bytes = f.cc.cwnd_bytes;
    for (uint32_t i = 1; i < 50; i++) {
        ack_window_after(&f, HF_US(10));
        assert_in_range(f.cc.cwnd_bytes, reached_bytes + i * 1700 - 1, reached_bytes + i * 1700);
    }
}

/* [RFC9438#4.2] Not above 1.5 windows, not below one. covers: CO-9438-04 */
static void target_is_clamped(void **state)
{
    (void)state;
    struct flow f = reduced(MSS, 100);
    ack(&f, 0);
    ack_window_after(&f, HF_SEC(1000));
    assert_int_equal(f.cc.cwnd_bytes, 105 * MSS);
    ack(&f, 1000 * MSS); /* an ACK for more than was in flight does no more */
    assert_int_equal(f.cc.cwnd_bytes, 105 * MSS + 105 * MSS / 2);
    f = reduced(MSS, 10000);
    ack(&f, 0);
    f.cc.cwnd_bytes = 9990 * MSS; /* ahead of the curve: it waits */
    for (int i = 0; i < 10; i++)
        ack_window_after(&f, HF_MS(10));
    assert_int_equal(f.cc.cwnd_bytes, 9990 * MSS);
}

/* [RFC9438#4.2] However long the window was not used, it goes on as if it had been for that time
 * not there. covers: CO-9438-03 */
static void unused_time_does_not_count(void **state)
{
    (void)state;
    struct flow f = reduced(MSS, 1000);
    for (int i = 0; i < 20; i++)
        ack_window_after(&f, HF_MS(100));
    struct flow paused = f;
    uint32_t before_bytes = f.cc.cwnd_bytes;
    paused.unused = true;
    for (int i = 0; i < 3000; i++)
        ack_window_after(&paused, HF_MS(100));
    assert_int_equal(paused.cc.cwnd_bytes, before_bytes);
    paused.unused = false;
    for (int i = 0; i < 100; i++) {
        ack_window_after(&f, HF_MS(100));
        ack_window_after(&paused, HF_MS(100));
        assert_int_equal(paused.cc.cwnd_bytes, f.cc.cwnd_bytes);
    }
    assert_true(f.cc.cwnd_bytes > before_bytes);

    /* Before a stage has begun there is nothing to pause. */
    struct flow late = reduced(MSS, 1000), early = late;
    late.unused = true;
    ack_window_after(&late, HF_SEC(500));
    late.unused = false;
    ack_window_after(&late, HF_MS(1));
    ack_window_after(&early, HF_MS(1));
    ack_window_after(&late, HF_SEC(3));
    ack_window_after(&early, HF_SEC(3));
    assert_int_equal(late.cc.cwnd_bytes, early.cc.cwnd_bytes);
}

/* A stage that is lost with the run goes on where it was, below the plateau; above it is slower. */
static void losing_the_run_does_no_harm(void **state)
{
    (void)state;
    struct flow steady = reduced(1460, 5000), torn = steady;
    for (int i = 0; i < 400; i++) {
        ack_window_after(&steady, HF_MS(100));
        if (i % 7 == 6)
            torn.run = (struct hf_cc_run){0};
        ack_window_after(&torn, HF_MS(100));
        if (torn.cc.cwnd_bytes < 4900 * 1460)
            assert_near(torn.cc.cwnd_bytes, steady.cc.cwnd_bytes, 0.05, 0);
        assert_true(torn.cc.cwnd_bytes <= 1.02 * steady.cc.cwnd_bytes);
    }
    assert_true(torn.cc.cwnd_bytes >= 5000 * 1460);
}

/* A stage that begins above the last plateau has its own. covers: CO-9438-02 */
static void above_the_plateau_there_is_another(void **state)
{
    (void)state;
    struct flow f = reduced(MSS, 1000);
    f.run = (struct hf_cc_run){0};
    f.cc.cwnd_bytes = 1500 * MSS;
    f.e.srtt_ns = HF_MS(500);
    ack(&f, 0);
    struct model m = model_begin(&f, 1500 * MSS, 1000 * MSS);
    for (int i = 0; i < 40; i++) {
        f.e.now_ns += HF_MS(500);
        model_ack(&m, &f, f.cc.cwnd_bytes / (double)MSS);
        ack(&f, f.cc.cwnd_bytes);
        assert_near(f.cc.cwnd_bytes, m.cwnd * MSS, 0.001, 2);
    }
    assert_int_equal(f.cc.w_max_bytes, 1000 * MSS); /* the next loss compares with the last */
}

/* Smaller segments: as many, and a curve that is counted in them.
 * covers: CO-5681-03 */
static void smaller_segments_keep_their_number(void **state)
{
    (void)state;
    struct flow f = reduced(1460, 1000);
    for (int i = 0; i < 10; i++)
        ack_window_after(&f, HF_MS(100));
    uint32_t before_bytes = f.cc.cwnd_bytes;
    f.e.mss_bytes = 730;
    cubic->on_smaller_mss(&f.cc, &f.e, 1460);
    assert_int_equal(f.cc.cwnd_bytes, before_bytes / 2);
    while (f.cc.cwnd_bytes < f.cc.ssthresh_bytes)
        ack(&f, 730);
    assert_int_equal(f.cc.cwnd_bytes, 700 * 1460); /* ssthresh is what it was, in bytes */
    struct model m = model_begin(&f, 1000 * 1460, 1000 * 1460);
    ack(&f, 0);
    assert_int_equal(f.cc.cwnd_bytes, 700 * 1460);
    for (int i = 0; i < 200; i++) {
        f.e.now_ns += HF_MS(100);
        model_ack(&m, &f, f.cc.cwnd_bytes / 730.0);
        ack(&f, f.cc.cwnd_bytes);
        assert_near(f.cc.cwnd_bytes, m.cwnd * 730, 0.01, 2);
    }
    f.e.mss_bytes = 1460; /* not smaller: nothing changes at once */
    before_bytes = f.cc.cwnd_bytes;
    cubic->on_smaller_mss(&f.cc, &f.e, 730);
    assert_int_equal(f.cc.cwnd_bytes, before_bytes);
}

/* Only what is acknowledged makes the window grow. covers: CO-9438-14 */
static void only_new_data_grows(void **state)
{
    (void)state;
    struct flow f = reduced(MSS, 1000);
    for (int i = 0; i < 100; i++) {
        f.e.now_ns += HF_SEC(1);
        ack(&f, 0);
        cubic->on_recovered(&f.cc, &f.run, &f.e);
    }
    assert_int_equal(f.cc.cwnd_bytes, 700 * MSS);
}

static void check_division(uint32_t mss_bytes, uint32_t segs, hf_ns rtt_ns)
{
    struct flow begun = reduced(mss_bytes, segs);
    begun.e.srtt_ns = rtt_ns;
    ack(&begun, 0);
    struct model m = model_begin(&begun, (double)segs * mss_bytes, (double)segs * mss_bytes);
    for (double part = 0; part < 3; part += 0.3) {
        struct flow whole = begun, divided = begun;
        uint32_t acked = hf_min_u32(begun.cc.cwnd_bytes / 3 + 1, 20000);
        hf_ns later_ns = (hf_ns)(part * m.k * 1e9) + rtt_ns;
        /* Not where the curve and what Reno would have cross: there the greater is taken. */
        double curve = model_curve(&m, (double)later_ns / 1e9);
        double next = model_curve(&m, (double)(later_ns + rtt_ns) / 1e9);
        if (curve < m.w_est + 1.1 && next > m.w_est)
            continue;
        whole.e.now_ns += later_ns;
        divided.e.now_ns += later_ns;
        ack(&whole, acked);
        for (uint32_t i = 0; i < acked; i++)
            ack(&divided, 1);
        if (divided.cc.cwnd_bytes > whole.cc.cwnd_bytes + 1)
            fail_msg("mss %u segs %u rtt %lld ns at %f K: %u, at once %u", mss_bytes, segs,
                     (long long)rtt_ns, part, divided.cc.cwnd_bytes, whole.cc.cwnd_bytes);
        assert_near(divided.cc.cwnd_bytes, whole.cc.cwnd_bytes, 0.1, mss_bytes);
    }
}

/* [RFC9438#4.1.2] An ACK for each byte makes the window grow as one for all, or less: what is added
 * counts from a window that has grown. covers: CO-9438-13, CO-5681-05 */
static void divided_acks_gain_nothing(void **state)
{
    (void)state;
    for_all_paths(check_division);
}

/* What was undone grows on as if nothing had been. */
static void growth_goes_on_after_undo(void **state)
{
    (void)state;
    struct flow f = reduced(MSS, 1000);
    for (int i = 0; i < 30; i++)
        ack_window_after(&f, HF_MS(100));
    struct flow undone = f;
    lose(&undone, undone.cc.cwnd_bytes);
    recover(&undone);
    undone.e.now_ns += HF_MS(100);
    f.e.now_ns += HF_MS(100);
    undo(&undone);
    for (int i = 0; i < 100; i++) {
        ack_window_after(&f, HF_MS(100));
        ack_window_after(&undone, HF_MS(100));
        assert_int_equal(undone.cc.cwnd_bytes, f.cc.cwnd_bytes);
    }
}

/* A clock that goes back stands still. */
static void time_does_not_go_back(void **state)
{
    (void)state;
    struct flow f = reduced(MSS, 1000);
    ack(&f, 0);
    struct flow back = f;
    back.e.now_ns = -HF_SEC(1000000);
    for (int i = 0; i < 10; i++) {
        ack_window_after(&f, 0);
        ack_window_after(&back, 0);
        assert_int_equal(back.cc.cwnd_bytes, f.cc.cwnd_bytes);
    }
}

/* Days in one stage, as in a flow that never loses. */
static void days_do_no_harm(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(sizes_bytes); i++) {
        struct flow f = reduced(sizes_bytes[i], 100);
        for (int j = 0; j < 1000; j++)
            ack_window_after(&f, HF_SEC(600));
        assert_int_equal(f.cc.cwnd_bytes, HF_CWND_MAX_BYTES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_curve),
        cmocka_unit_test(grows_like_the_model),
        cmocka_unit_test(is_friendly_to_reno),
        cmocka_unit_test(target_is_clamped),
        cmocka_unit_test(unused_time_does_not_count),
        cmocka_unit_test(losing_the_run_does_no_harm),
        cmocka_unit_test(above_the_plateau_there_is_another),
        cmocka_unit_test(smaller_segments_keep_their_number),
        cmocka_unit_test(only_new_data_grows),
        cmocka_unit_test(divided_acks_gain_nothing),
        cmocka_unit_test(growth_goes_on_after_undo),
        cmocka_unit_test(time_does_not_go_back),
        cmocka_unit_test(days_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
