/* Shell commands and settings of scripts, each by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lab/drill/commands.h"
#include "lab/drill/settings.h"
#include "lab/drill/shell.h"

/* ---- words -------------------------------------------------------------------------------- */

static void commands_are_parted(void **state)
{
    (void)state;
    const char *text = "a 'b c' \"d\" \\\n  e; f|g && h # words\n\n i";
    struct hf_shell_command c;
    assert_true(hf_shell_next(&text, &c));
    assert_int_equal(c.word_count, 4);
    assert_string_equal(c.words[1], "b c");
    assert_string_equal(c.words[2], "d");
    assert_string_equal(c.words[3], "e");
    assert_true(hf_shell_next(&text, &c));
    assert_int_equal(c.word_count, 3);
    assert_string_equal(c.words[1], "|");
    assert_true(hf_shell_next(&text, &c));
    assert_int_equal(c.word_count, 1);
    assert_true(hf_shell_next(&text, &c));
    assert_string_equal(c.words[0], "i");
    assert_false(c.is_beyond);
    assert_false(hf_shell_next(&text, &c));
}

static void what_a_shell_would_be_needed_for_is_told(void **state)
{
    (void)state;
    static const char *const texts[] = {"a > b", "a `b`", "a $(b)", "a 'b", "a &"};
    struct hf_shell_command c;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *text = texts[i];
        assert_true(hf_shell_next(&text, &c));
        assert_true(c.is_beyond);
    }
}

static void a_command_has_bounds(void **state)
{
    (void)state;
    char text[4096];
    struct hf_shell_command c;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    const char *p = text;
    assert_true(hf_shell_next(&p, &c));
    assert_true(c.is_beyond);
    for (size_t i = 1; i < sizeof text - 1; i += 2)
        text[i] = ' ';
    p = text;
    assert_true(hf_shell_next(&p, &c));
    assert_true(c.is_beyond);
    assert_int_equal(c.word_count, HF_SHELL_WORDS);
}

/* ---- settings ----------------------------------------------------------------------------- */

/** Every row names a setting that there is, and a value in its range. */
static void every_row_can_be_made(void **state)
{
    (void)state;
    const struct hf_setting_row *row;
    for (size_t i = 0; (row = hf_setting_row_at(i)) != NULL; i++) {
        struct hf_config config;
        int64_t value;
        hf_config_init(&config, sizeof config);
        if (row->kind == HF_SETTING_DEFAULT)
            continue;
        assert_int_equal(hf_config_get(&config, row->ours, &value), HF_OK);
        if (row->kind == HF_SETTING_FIXED)
            assert_int_equal(hf_config_set(&config, row->ours, row->number), HF_OK);
        else if (row->kind == HF_SETTING_SCALED)
            assert_true(row->number > 0);
    }
}

static int apply(struct hf_config *config, const char *name, const char *value)
{
    char words[HF_SETTING_WORDS_BYTES];
    hf_config_init(config, sizeof *config);
    return hf_setting_apply(config, name, value, words);
}

static void settings_are_scaled_and_fixed(void **state)
{
    (void)state;
    struct hf_config config;
    assert_int_equal(apply(&config, "net.inet.tcp.msl", "2500"), HF_OK);
    assert_int_equal(config.msl_ns, HF_MS(2500));
    assert_int_equal(apply(&config, "/proc/sys/net/ipv4/tcp_timestamps", "0"), HF_OK);
    assert_int_equal(config.timestamps, 0);
    assert_int_equal(apply(&config, "net.ipv4.tcp_retries2", "3"), HF_OK);
    assert_int_equal(config.r2_retries, 3);
    assert_int_equal(apply(&config, "net.inet.tcp.rfc1323", "0"), HF_OK);
    assert_int_equal(config.window_scale, -1);
    assert_int_equal(apply(&config, "net.ipv4.tcp_slow_start_after_idle", "0"), HF_OK);
    assert_int_equal(config.idle_restart, 0);
    assert_int_equal(apply(&config, "net.ipv4.tcp_slow_start_after_idle", "1"), HF_OK);
    assert_int_equal(config.idle_restart, 1);
    assert_int_equal(apply(&config, "net.inet.tcp.abc_l_var", "44"), HF_OK);
    assert_int_equal(config.slow_start_segs, 44);
    assert_int_equal(apply(&config, "net.ipv4.tcp_wmem", "4096 16384 4194304"), HF_OK);
}

/** As Linux reckons it from the largest buffer. */
static void window_scale_follows_from_the_buffer(void **state)
{
    (void)state;
    static const struct {
        const char *rmem;
        int shift;
    } all[] = {
        {"4096 131072 6291456", 7},
        {"4096\t540000  15728640", 8},
        {"4096 65535 65535", 0},
        {"4096 65536 65536", 1},
        {"1 1 0", 0},
        {"1 1 9223372036854775807", 14},
    };
    struct hf_config config;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        assert_int_equal(apply(&config, "net.ipv4.tcp_rmem", all[i].rmem), HF_OK);
        assert_int_equal(config.window_scale, all[i].shift);
    }
    static const char *const wrong[] = {"", "4096", "1 2", "1 2 x", "1 2 3 4", "1 2 -3"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(apply(&config, "net.ipv4.tcp_rmem", wrong[i]), HF_E_INVALID);
}

static void settings_that_can_not_be_had_are_refused(void **state)
{
    (void)state;
    struct hf_config config;
    assert_int_equal(apply(&config, "net.inet.tcp.drop_synfin", "1"), HF_E_INVALID);
    assert_int_equal(apply(&config, "net.inet.tcp.msl", "-1"), HF_E_INVALID);
    assert_int_equal(apply(&config, "net.inet.tcp.msl", ""), HF_E_INVALID);
    assert_int_equal(apply(&config, "net.inet.tcp.msl", "99999999999999999999"), HF_E_INVALID);
    assert_int_equal(apply(&config, "net.inet.tcp.msl", "9223372036854775807"), HF_E_INVALID);
    assert_int_equal(apply(&config, "", ""), HF_E_INVALID);
}

/** A name of a script is no setting. */
static void what_defaults_sh_sets(void **state)
{
    (void)state;
    struct hf_config config;
    char words[HF_COMMAND_WORDS_BYTES];
    struct hf_commands commands = {.config = &config, .is_ahead = true};
    hf_config_profile(&config, sizeof config, HF_PROFILE_LINUX);
    assert_int_equal(config.window_scale, 7);
    assert_int_equal(hf_commands_run(&commands, "../common/defaults.sh", words), HF_COMMAND_DONE);
    assert_int_equal(config.window_scale, 8);
    assert_int_equal(config.idle_restart, 0);
    assert_int_equal(apply(&config, "defaults.sh", ""), HF_E_INVALID);
}

/* ---- commands ----------------------------------------------------------------------------- */

static enum hf_command_outcome run(const char *text, char words[HF_COMMAND_WORDS_BYTES])
{
    struct hf_config config;
    struct hf_commands commands = {.config = &config, .is_ahead = true};
    hf_config_init(&config, sizeof config);
    return hf_commands_run(&commands, text, words);
}

static void known_commands(void **state)
{
    (void)state;
    static const char *const done[] = {
        "",
        "true",
        "/tmp/sysctl_restore_${PPID}.sh",
        "ip tcp_metrics flush all",
        "../common/defaults.sh",
        "sysctl -q net.ipv4.tcp_sack=1",
        "ethtool -K tun0 tso off gso off",
        "sockstat -4 | grep -c TIME_WAIT | grep 1",
    };
    static const char *const beyond[] = {
        "rm -r /",        "sysctl net.ipv4.tcp_sack",
        "ip route add x", "ethtool -K tun0 tso on",
        "sockstat -4",    "sockstat -4 | grep -c NO_STATE | grep 1",
        "tcpdrop -a",     "a > b",
        "true; false",
    };
    char words[HF_COMMAND_WORDS_BYTES];
    for (size_t i = 0; i < sizeof done / sizeof done[0]; i++)
        assert_int_equal(run(done[i], words), HF_COMMAND_DONE);
    for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
        words[0] = '\0';
        assert_int_equal(run(beyond[i], words), HF_COMMAND_BEYOND);
        assert_true(words[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_parted),
        cmocka_unit_test(what_a_shell_would_be_needed_for_is_told),
        cmocka_unit_test(a_command_has_bounds),
        cmocka_unit_test(every_row_can_be_made),
        cmocka_unit_test(settings_are_scaled_and_fixed),
        cmocka_unit_test(window_scale_follows_from_the_buffer),
        cmocka_unit_test(what_defaults_sh_sets),
        cmocka_unit_test(settings_that_can_not_be_had_are_refused),
        cmocka_unit_test(known_commands),
    };
    return cmocka_run_group_tests_name("drill settings", tests, NULL, NULL);
}
