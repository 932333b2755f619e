/* `handfast wire`: what is wrong on the command line is said before anything is opened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab/path_text.h"
#include "support/command.h"

enum { PATIENCE_MS = 20000 };

/* Runs it with up to four words behind two good names, or without them. */
static int run(bool named, bool as_nobody, const char *const more[4], char said[COMMAND_SAID_BYTES])
{
    const char *argv[COMMAND_ARGS_MAX] = {NULL, "wire"};
    size_t n = 2;
    if (named) {
        static const char *const good[] = {"--left", "hfl", "--right", "hfr"};
        memcpy(argv + n, good, sizeof good);
        n += 4;
    }
    for (size_t i = 0; i < 4 && more[i] != NULL; i++)
        argv[n++] = more[i];
    const struct command_start how = {
        .argv = argv, .in_fd = -1, .out_fd = -1, .as_nobody = as_nobody};
    return command_run(&how, PATIENCE_MS, said);
}

static void wrong_words_are_refused(void **state)
{
    static const struct {
        bool named;
        const char *more[4];
        const char *text;
    } rows[] = {
        {false, {NULL}, "--left and --right are required"},
        {false, {"--left", "hfl"}, "--left and --right are required"},
        {false, {"--left", "hfl", "--right", "hfl"}, "a wire has two ends"},
        {false, {"--left", "hfl", "--right", "a/b"}, "--right 'a/b': a name has 1 to 15 bytes"},
        {false, {"--left", "sixteen-bytes-no", "--right", "b"}, "a name has 1 to 15 bytes"},
        {false, {"--left", "hf%d", "--right", "b"}, "a name has 1 to 15 bytes"},
        {false, {"--left", ""}, "--left is empty"},
        {true, {"--left", "hfl"}, "--left is given twice"},
        {true, {"--path", "speed=1"}, "--path: \"speed=1\""},
        {true, {"--path", "rate=fast"}, "--path: \"rate=fast\": expected a rate"},
        {true, {"--left-to-right", "delay=1"}, "--left-to-right: \"delay=1\": expected a time"},
        {true, {"--right-to-left", "loss=101%"}, "--right-to-left: \"loss=101%\""},
        {true, {"--rate", "10x"}, "--rate: \"rate=10x\": expected a rate"},
        {true, {"--left-to-right-loss", "x"}, "--left-to-right-loss: \"loss=x\""},
        {true, {"--right-to-left-delay", "x"}, "--right-to-left-delay: \"delay=x\""},
        {true, {"--delay", ""}, "--delay: \"delay=\""},
        {true, {"--reorder", "1%:10-3"}, "reorder"},
        /* What a word needs may come behind it; whether it did is checked in the end. */
        {true, {"--path", "queue=50p", "--seed", "x"}, "--seed wants 0 to"},
        {true, {"--path", "queue=50p"}, "left to right: a queue needs a rate or a shaper"},
        {true, {"--right-to-left", "queue=50p"}, "right to left: a queue needs a rate"},
        {true, {"--seed", "-1"}, "--seed wants 0 to 4294967295, not '-1'"},
        {true, {"--seed", "1", "--seed", "1"}, "--seed is given twice"},
        {true, {"--duration", "5"}, "--duration takes a time"},
        {true, {"--duration", "0s"}, "--duration takes a time"},
        {true, {"--duration", "-1s"}, "--duration takes a time"},
        {true, {"--record", "a", "--record", "b"}, "--record is given twice"},
        {true, {"--speed", "1"}, "unrecognized option '--speed'"},
        {true, {"word"}, "Too many arguments"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char said[COMMAND_SAID_BYTES];
        int code = run(rows[i].named, false, rows[i].more, said);
        if (code != 2 || strstr(said, rows[i].text) == NULL)
            fail_msg("row %zu: exit code %d, \"%s\" expected in: %s", i, code, rows[i].text, said);
    }
}

/* What a path's text can say, the command line can say in three forms. */
static void each_word_is_an_option(void **state)
{
    static const char *const prefixes[] = {"", "left-to-right-", "right-to-left-"};
    const char *help;
    unsigned words = 0;
    (void)state;
    for (; (help = hf_path_help(words)) != NULL; words++)
        for (size_t i = 0; i < 3; i++) {
            char option[64], said[COMMAND_SAID_BYTES], expected[96];
            snprintf(option, sizeof option, "--%s%.*s", prefixes[i], (int)strcspn(help, "="), help);
            assert_int_equal(2, run(true, false, (const char *const[4]){option, "wrong"}, said));
            snprintf(expected, sizeof expected, "%s: \"%.*swrong\"", option,
                     (int)strcspn(help, "=") + 1, help);
            if (strstr(said, expected) == NULL)
                fail_msg("\"%s\" expected in: %s", expected, said);
        }
    assert_true(words > 10);
}

/* Who may not make devices is told what is needed. */
static void privilege_is_asked_for(void **state)
{
    char said[COMMAND_SAID_BYTES];
    (void)state;
    bool is_root = geteuid() == 0;
    int code = run(true, is_root, (const char *const[4]){"--duration", "1ms"}, said);
    if (!is_root && code == 0)
        skip(); /* this user may */
    assert_int_equal(1, code);
    bool no_device = strstr(said, "open /dev/net/tun: ") != NULL;
    assert_true(no_device || strstr(said, "create hfl: ") != NULL);
    assert_true(strstr(said, "run as root") != NULL || strstr(said, "modprobe") != NULL);
    assert_null(strstr(said, "ready"));
}

int main(void)
{
    if (getenv("HF_COMMAND") == NULL) {
        puts("skipped: HF_COMMAND does not tell where the command is");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_words_are_refused),
        cmocka_unit_test(each_word_is_an_option),
        cmocka_unit_test(privilege_is_asked_for),
    };
    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
