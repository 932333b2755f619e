/**
 * The settings table: complete, consistent, with the values the profiles promise; filling by size,
 * checking, setting by name.
 */
#include "core/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct hf_config profile(enum hf_profile p)
{
    struct hf_config cfg;
    hf_config_profile(&cfg, sizeof cfg, p);
    return cfg;
}

static void table_is_complete(void **state)
{
    (void)state;
    const size_t rows = sizeof(struct hf_config) / sizeof(int64_t) - 1; /* but config_bytes */
    assert_null(hf_setting_at(rows));
    for (size_t i = 0; i < rows; i++) {
        const struct hf_setting *s = hf_setting_at(i);
        assert_non_null(s);
        assert_non_null(s->name);
        assert_true(strlen(s->unit) > 0 && strlen(s->text) > 0 && strlen(s->text) <= 80);
        assert_true(s->min <= s->max);
        for (int p = 0; p < HF_PROFILE_COUNT; p++) {
            assert_true(s->value[p] >= s->min);
            assert_true(s->value[p] <= s->max);
        }
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(hf_setting_at(j)->name, s->name);
    }
}

static void units_are_of_the_names(void **state)
{
    (void)state;
    static const char *const units[] = {"ns",   "bytes",  "segs",      "count",
                                        "flag", "choice", "per second"};
    for (size_t i = 0; hf_setting_at(i) != NULL; i++) {
        const struct hf_setting *s = hf_setting_at(i);
        size_t known = 0, n = strlen(s->name);
        for (size_t u = 0; u < HF_COUNT_OF(units); u++)
            known += strcmp(s->unit, units[u]) == 0;
        assert_int_equal(known, 1);
        assert_int_equal(n > 3 && strcmp(s->name + n - 3, "_ns") == 0, strcmp(s->unit, "ns") == 0);
        assert_int_equal(n > 6 && strcmp(s->name + n - 6, "_bytes") == 0,
                         strcmp(s->unit, "bytes") == 0);
        if (strcmp(s->unit, "flag") == 0) {
            assert_int_equal(s->min, 0);
            assert_int_equal(s->max, 1);
        }
    }
}

static void profiles_pass_the_check(void **state)
{
    (void)state;
    static const char *const names[] = {"rfc", "default", "linux", "freebsd"};
    for (int p = 0; p < HF_PROFILE_COUNT; p++) {
        struct hf_config cfg = profile((enum hf_profile)p);
        assert_int_equal(hf_config_check(&cfg, NULL), HF_OK);
        assert_string_equal(hf_profile_name((enum hf_profile)p), names[p]);
    }
    assert_string_equal(hf_profile_name((enum hf_profile)HF_PROFILE_COUNT), "unknown");
}

/** How long n retransmissions and the wait after the last take. */
static hf_ns give_up_ns(const struct hf_config *cfg, int64_t retries)
{
    hf_ns sum = 0, rto = cfg->rto_initial_ns;
    for (int64_t i = 0; i <= retries; i++) {
        sum += rto;
        rto = hf_min_ns(2 * rto, cfg->rto_max_ns);
    }
    return sum;
}

static void rfc_profile_is_as_the_rfcs_say(void **state)
{
    (void)state;
    struct hf_config cfg = profile(HF_PROFILE_RFC);
    assert_int_equal(cfg.msl_ns, HF_SEC(120));                     /* [RFC9293#3.4.2] */
    assert_int_equal(cfg.rto_initial_ns, HF_SEC(1));               /* [RFC6298#2.1] */
    assert_int_equal(cfg.rto_min_ns, HF_SEC(1));                   /* [RFC6298#2.4] */
    assert_true(cfg.rto_max_ns >= HF_SEC(60));                     /* [RFC6298#2.5] */
    assert_true(give_up_ns(&cfg, cfg.syn_retries) >= HF_SEC(180)); /* [RFC9293#3.8.3] MUST-23 */
    assert_true(give_up_ns(&cfg, cfg.synack_retries) >= HF_SEC(180));
    assert_true(give_up_ns(&cfg, cfg.r2_retries) >= HF_SEC(100)); /* SHLD-11 */
    assert_true(cfg.r1_retries >= 3);                             /* SHLD-10 */
    assert_true(cfg.delayed_ack_ns < HF_MS(500));                 /* [RFC9293#3.8.6.3] MUST-58 */
    assert_int_equal(cfg.delayed_ack_segs, 2);                    /* SHLD-19 */
    assert_true(cfg.keepalive_idle_ns >= HF_SEC(7200));           /* [RFC9293#3.8.4] MUST-28 */
    assert_int_equal(cfg.keepalive, 0);                           /* MUST-25 */
    assert_int_equal(cfg.time_wait_ns, 0);
    assert_int_equal(cfg.initial_window_segs, 4);
}

static void defaults_are_as_documented(void **state)
{
    (void)state;
    struct hf_config cfg;
    hf_config_init(&cfg, sizeof cfg);
    struct hf_config same = profile(HF_PROFILE_DEFAULT);
    assert_memory_equal(&cfg, &same, sizeof cfg);
    assert_int_equal(cfg.msl_ns, HF_SEC(30));
    assert_int_equal(cfg.rto_min_ns, HF_MS(200));
    assert_int_equal(cfg.rto_max_ns, HF_SEC(120));
    assert_int_equal(cfg.syn_retries, 6);
    assert_int_equal(cfg.delayed_ack_ns, HF_MS(40));
    assert_int_equal(cfg.initial_window_segs, 10);
    assert_int_equal(cfg.syn_cookies, 1);
    assert_int_equal(cfg.mtu_bytes, 1500);
    assert_int_equal(cfg.block_bytes, 4096);
    assert_int_equal(cfg.offload_super_bytes, 0);
}

static void systems_have_their_layouts(void **state)
{
    (void)state;
    struct hf_config linux_cfg = profile(HF_PROFILE_LINUX);
    struct hf_config freebsd_cfg = profile(HF_PROFILE_FREEBSD);
    assert_int_equal(linux_cfg.option_layout, 1);
    assert_int_equal(linux_cfg.window_scale, 7);
    assert_int_equal(linux_cfg.fin_wait_2_ns, HF_SEC(60));
    assert_int_equal(linux_cfg.time_wait_rst, 1);
    assert_int_equal(freebsd_cfg.option_layout, 2);
    assert_int_equal(freebsd_cfg.window_scale, 6);
    assert_int_equal(freebsd_cfg.rto_min_ns, HF_MS(230));
    assert_int_equal(freebsd_cfg.keepalive_probes, 8);
}

/* A program built against an older, shorter struct gets that much and no byte beyond. */
static void fills_only_what_is_given(void **state)
{
    (void)state;
    struct hf_config whole = profile(HF_PROFILE_LINUX);
    for (size_t bytes = sizeof(int64_t); bytes <= sizeof(struct hf_config); bytes++) {
        uint8_t raw[sizeof(struct hf_config)];
        memset(raw, 0xa5, sizeof raw);
        struct hf_config cfg;
        memcpy(&cfg, raw, sizeof cfg);
        hf_config_profile(&cfg, bytes, HF_PROFILE_LINUX);
        size_t filled = bytes - bytes % 8;
        assert_int_equal(cfg.config_bytes, bytes);
        cfg.config_bytes = whole.config_bytes;
        assert_memory_equal(&cfg, &whole, filled);
        assert_memory_equal((uint8_t *)&cfg + filled, raw + filled, sizeof raw - filled);
    }
    struct {
        struct hf_config cfg;
        int64_t unknown[2], beyond;
    } newer = {.unknown = {7, 7}, .beyond = 7};
    hf_config_profile(&newer.cfg, sizeof newer.cfg + sizeof newer.unknown, HF_PROFILE_LINUX);
    assert_int_equal(newer.cfg.config_bytes, sizeof newer.cfg + sizeof newer.unknown);
    assert_int_equal(hf_config_check(&newer.cfg, NULL), HF_OK);
    newer.cfg.config_bytes = whole.config_bytes;
    assert_memory_equal(&newer.cfg, &whole, sizeof whole);
    assert_int_equal(newer.unknown[0], 0);
    assert_int_equal(newer.unknown[1], 0);
    assert_int_equal(newer.beyond, 7);
}

static void set_and_get_by_name(void **state)
{
    (void)state;
    struct hf_config cfg = profile(HF_PROFILE_DEFAULT);
    int64_t value = 0;
    assert_int_equal(hf_config_set(&cfg, "msl_ns", HF_SEC(5)), HF_OK);
    assert_int_equal(cfg.msl_ns, HF_SEC(5));
    assert_int_equal(hf_config_set(&cfg, "offload_super_bytes", 65535), HF_OK);
    assert_int_equal(cfg.offload_super_bytes, 65535);
    assert_int_equal(hf_config_get(&cfg, "offload_super_bytes", &value), HF_OK);
    assert_int_equal(value, 65535);
    assert_int_equal(hf_config_set(&cfg, "ttl", 0), HF_E_INVALID);
    assert_int_equal(hf_config_set(&cfg, "ttl", 256), HF_E_INVALID);
    assert_int_equal(cfg.ttl, 64);
    static const char *const wrong[] = {"", "tt", "ttls", "TTL", "msl", "no_such_setting"};
    for (size_t i = 0; i < HF_COUNT_OF(wrong); i++) {
        assert_int_equal(hf_config_set(&cfg, wrong[i], 1), HF_E_INVALID);
        assert_int_equal(hf_config_get(&cfg, wrong[i], &value), HF_E_INVALID);
    }
    for (size_t i = 0; hf_setting_at(i) != NULL; i++) {
        const struct hf_setting *s = hf_setting_at(i);
        assert_int_equal(hf_config_set(&cfg, s->name, s->max), HF_OK);
        assert_int_equal(hf_config_set(&cfg, s->name, s->min), HF_OK);
        assert_int_equal(hf_config_get(&cfg, s->name, &value), HF_OK);
        assert_int_equal(value, s->min);
        assert_int_equal(hf_config_set(&cfg, s->name, s->max + 1), HF_E_INVALID);
        assert_int_equal(hf_config_set(&cfg, s->name, s->min - 1), HF_E_INVALID);
    }
}

static void check_names_what_is_out_of_range(void **state)
{
    (void)state;
    for (size_t i = 0; hf_setting_at(i) != NULL; i++) {
        const struct hf_setting *s = hf_setting_at(i);
        for (int side = 0; side < 2; side++) {
            struct hf_config cfg = profile(HF_PROFILE_DEFAULT);
            int64_t wrong = side == 0 ? s->min - 1 : s->max + 1;
            memcpy((uint8_t *)&cfg + (i + 1) * 8, &wrong, 8);
            const char *culprit = NULL;
            assert_int_equal(hf_config_check(&cfg, &culprit), HF_E_INVALID);
            assert_string_equal(culprit, s->name);
        }
    }
}

static void check_names_what_does_not_fit(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t value;
        const char *culprit;
    } cases[] = {
        {"rto_min_ns", HF_SEC(2), "rto_min_ns"},
        {"rto_initial_ns", HF_SEC(300), "rto_max_ns"},
        {"r2_retries", 2, "r2_retries"},
        {"port_min", 65535, NULL},
        {"port_max", 1023, "port_max"},
        {"block_bytes", 5000, "block_bytes"},
        {"block_bytes", 65536, NULL},
        {"pool_bytes", 65535, "pool_bytes"},
        {"pool_bytes", 65536, NULL},
        {"memory_bytes", 32 * 4096 - 1, "memory_bytes"},
        {"memory_bytes", 32 * 4096, NULL},
        {"reply_ring", 100, "reply_ring"},
        {"offload_super_bytes", 1499, "offload_super_bytes"},
        {"offload_super_bytes", 1500, NULL},
        {"r2_retries", 0, NULL},
        {"window_scale", -1, NULL},
    };
    for (size_t i = 0; i < HF_COUNT_OF(cases); i++) {
        struct hf_config cfg = profile(HF_PROFILE_DEFAULT);
        const char *culprit = NULL;
        /* out of range is refused by set already; the check says the same */
        if (hf_config_set(&cfg, cases[i].name, cases[i].value) != HF_OK)
            cfg.pool_bytes = cases[i].value;
        if (cases[i].culprit == NULL) {
            assert_int_equal(hf_config_check(&cfg, &culprit), HF_OK);
            assert_null(culprit);
        } else {
            assert_int_equal(hf_config_check(&cfg, &culprit), HF_E_INVALID);
            assert_string_equal(culprit, cases[i].culprit);
        }
    }
    struct hf_config cfg = profile(HF_PROFILE_DEFAULT);
    cfg.block_bytes = 65536;
    cfg.pool_bytes = 16 * 65536 - 1;
    const char *culprit = NULL;
    assert_int_equal(hf_config_check(&cfg, &culprit), HF_E_INVALID);
    assert_string_equal(culprit, "pool_bytes");
}

static void explain_names_rule_and_other(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t value;
        struct hf_config_fault fault;
    } cases[] = {
        {"rto_min_ns", HF_SEC(2), {"rto_min_ns", "must not be above", "rto_initial_ns"}},
        {"rto_initial_ns", HF_SEC(300), {"rto_max_ns", "must not be below", "rto_initial_ns"}},
        {"r2_retries", 2, {"r2_retries", "must not be below", "r1_retries"}},
        {"port_max", 1023, {"port_max", "must not be below", "port_min"}},
        {"block_bytes", 5000, {"block_bytes", "must be a power of two", NULL}},
        {"pool_bytes", 65535, {"pool_bytes", "is out of its range", NULL}},
        {"reply_ring", 100, {"reply_ring", "must be a power of two", NULL}},
        {"offload_super_bytes", 9, {"offload_super_bytes", "must not be below", "mtu_bytes"}},
    };
    for (size_t i = 0; i < HF_COUNT_OF(cases); i++) {
        struct hf_config cfg = profile(HF_PROFILE_DEFAULT);
        struct hf_config_fault fault = {0};
        if (hf_config_set(&cfg, cases[i].name, cases[i].value) != HF_OK)
            cfg.pool_bytes = cases[i].value;
        assert_int_equal(hf_config_explain(&cfg, &fault), HF_E_INVALID);
        assert_string_equal(fault.name, cases[i].fault.name);
        assert_string_equal(fault.rule, cases[i].fault.rule);
        if (cases[i].fault.other == NULL)
            assert_null(fault.other);
        else
            assert_string_equal(fault.other, cases[i].fault.other);
    }
    struct hf_config zeroed = {0};
    struct hf_config_fault fault;
    assert_int_equal(hf_config_explain(&zeroed, &fault), HF_E_INVALID);
    assert_string_equal(fault.name, "config_bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_complete),
        cmocka_unit_test(units_are_of_the_names),
        cmocka_unit_test(profiles_pass_the_check),
        cmocka_unit_test(rfc_profile_is_as_the_rfcs_say),
        cmocka_unit_test(defaults_are_as_documented),
        cmocka_unit_test(systems_have_their_layouts),
        cmocka_unit_test(fills_only_what_is_given),
        cmocka_unit_test(set_and_get_by_name),
        cmocka_unit_test(check_names_what_is_out_of_range),
        cmocka_unit_test(check_names_what_does_not_fit),
        cmocka_unit_test(explain_names_rule_and_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
