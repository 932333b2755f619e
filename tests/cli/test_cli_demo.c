/**
 * `handfast demo`: what it shows is one connection from CLOSED to CLOSED, with the states of both
 * sides in every row; and it fits the terminal, or the pipe, that it is shown on.
 */
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/gateway_run.h"
#include "support/user_namespace.h"

enum { SHOWN_BYTES = 32768, COLUMNS = 80 };

struct shown {
    char text[SHOWN_BYTES];
    int exit_code;
};

/** What is different from here where the demo runs. */
struct place {
    bool terminal;
    const char *variable, *value;
    int (*prepare)(void);
};

static _Noreturn void become_demo(const struct place *p, const char *option)
{
    char *args[] = {getenv("HF_COMMAND"), "demo", (char *)(uintptr_t)option, NULL};
    (void)unsetenv("NO_COLOR");
    (void)unsetenv("LC_ALL");
    (void)unsetenv("LC_CTYPE");
    (void)setenv("LANG", "C.UTF-8", 1);
    (void)setenv("TERM", "xterm", 1);
    if (p->variable)
        (void)setenv(p->variable, p->value, 1);
    if (p->prepare && p->prepare() != 0)
        _exit(99);
    (void)execv(args[0], args);
    _exit(98);
}

/** Runs the demo and keeps what it shows. */
static void show(struct shown *s, const struct place *p, const char *option)
{
    struct winsize size = {.ws_row = 24, .ws_col = COLUMNS};
    int ends[2] = {-1, -1};
    (void)fflush(NULL);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = p->terminal ? forkpty(&ends[0], NULL, NULL, &size) : fork();
    if (pid == 0) {
        if (!p->terminal)
            (void)dup2(ends[1], STDOUT_FILENO);
        become_demo(p, option);
    }
    (void)close(ends[1]);
    size_t length = 0;
    ssize_t n;
    while ((n = read(ends[0], s->text + length, sizeof s->text - 1 - length)) > 0)
        length += (size_t)n;
    s->text[length] = '\0';
    (void)close(ends[0]);
    int status = 0;
    (void)waitpid(pid, &status, 0);
    s->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/** Each of the texts, one after the other. */
static void assert_in_order(const char *text, const char *const *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *at = strstr(text, wanted[i]);
        if (!at)
            fail_msg("\"%s\" does not follow in:\n%s", wanted[i], text);
        text = at + strlen(wanted[i]);
    }
}

/** No line is wider than this many characters; bytes that go on with one don't count, nor do escape
 *  sequences. */
static void assert_fits(const char *text, unsigned columns)
{
    unsigned used = 0;
    bool escape = false;
    for (; *text; text++) {
        bool begins = *text == '\x1b';
        if (*text == '\n')
            used = 0;
        else if (!escape && !begins && *text != '\r' && ((unsigned char)*text & 0xC0) != 0x80)
            used++;
        assert_in_range(used, 0, columns);
        escape = begins || (escape && *text != 'm');
    }
}

/** The rows of a connection in which the client connects and the server closes first. */
static void assert_whole_connection(const struct shown *s)
{
    static const char *const rows[] = {
        "MSL) is shortened to 2.5 s",
        "SYN-SENT",
        "SYN seq 0 win ",
        "SYN-RECEIVED\n",
        "<mss 1460",
        "holds",
        "ESTABLISHED",
        "SYN ACK seq 0 ack 1 win ",
        "SYN-RECEIVED\n",
        "three",
        "ESTABLISHED",
        "ACK 1 win ",
        "ESTABLISHED\n",
        "ESTABLISHED",
        "data 1..1449 (1448) win ",
        "ESTABLISHED\n",
        "CLOSE-WAIT",
        "FIN seq 4001 ack 1 win ",
        "FIN-WAIT-1\n",
        "CLOSE-WAIT",
        "ACK 4002 win ",
        "FIN-WAIT-2\n",
        "four",
        "CLOSE-WAIT",
        "data 1..",
        "FIN-WAIT-2\n",
        "LAST-ACK",
        "FIN seq 3001 ack 4002 win ",
        "TIME-WAIT\n",
        "CLOSED",
        "ACK 3002 win ",
        "TIME-WAIT\n",
        "lifetime",
        "TIME-WAIT: 5 s left",
        "TIME-WAIT: 4 s left",
        "TIME-WAIT: 3 s left",
        "TIME-WAIT: 2 s left",
        "TIME-WAIT: 1 s left",
        "CLOSED",
        "CLOSED\n",
        "both files intact",
    };
    assert_int_equal(s->exit_code, 0);
    assert_in_order(s->text, rows, sizeof rows / sizeof rows[0]);
    assert_fits(s->text, COLUMNS);
}

static void over_tun_it_shows_a_whole_connection(void **state)
{
    (void)state;
    struct shown s;
    double start = gateway_seconds();
    show(&s, &(struct place){.terminal = false}, NULL);
    assert_whole_connection(&s);
    assert_non_null(strstr(s.text, "Linux client"));
    assert_null(strchr(s.text, '\x1b'));
    assert_true(gateway_seconds() - start >= 5); /* it really waits */
    assert_true(gateway_left_nothing());
}

static void over_a_virtual_wire_it_shows_the_same_at_once(void **state)
{
    (void)state;
    struct shown s, again;
    double start = gateway_seconds();
    show(&s, &(struct place){.terminal = false}, "--no-tun");
    assert_whole_connection(&s);
    assert_true(gateway_seconds() - start < 4);
    show(&again, &(struct place){.terminal = false}, "--no-tun");
    assert_string_equal(s.text, again.text);
}

static void without_the_device_it_falls_back(void **state)
{
    (void)state;
    static int (*const places[])(void) = {gateway_without_tun, gateway_as_nobody_without_tun};
    for (size_t i = 0; i < 2; i++) {
        struct shown s;
        if (places[i] == gateway_as_nobody_without_tun)
            user_namespace_needed(true);
        show(&s, &(struct place){.prepare = places[i]}, NULL);
        if (s.exit_code == 99)
            skip();
        const char *const head[] = {"No TUN here, so over a virtual wire: open /dev/net/tun: ",
                                    "\n\nOne TCP connection"};
        assert_memory_equal(s.text, head[0], strlen(head[0]));
        assert_in_order(s.text, head, 2);
        const char *body = strchr(s.text, '\n');
        memmove(s.text, body, strlen(body) + 1);
        assert_whole_connection(&s);
    }
}

static bool is_ascii(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

static void the_characters_are_those_of_the_locale(void **state)
{
    (void)state;
    struct shown s;
    show(&s, &(struct place){.variable = "LANG", .value = "C"}, "--no-tun");
    assert_whole_connection(&s);
    assert_true(is_ascii(s.text));
    show(&s, &(struct place){.variable = "LANG", .value = "C.UTF-8"}, "--no-tun");
    assert_non_null(strstr(s.text, "▶│ SYN-RECEIVED\n"));
    show(&s, &(struct place){.variable = "TERM", .value = "xterm"}, "--ascii");
    assert_whole_connection(&s);
    assert_true(is_ascii(s.text));
}

static void colour_is_for_terminals_that_want_it(void **state)
{
    (void)state;
    struct shown s;
    show(&s, &(struct place){.terminal = true}, "--no-tun");
    assert_int_equal(s.exit_code, 0);
    assert_non_null(strstr(s.text, "\x1b["));
    assert_fits(s.text, COLUMNS);
    show(&s, &(struct place){true, "NO_COLOR", "1", NULL}, "--no-tun");
    assert_null(strchr(s.text, '\x1b'));
    show(&s, &(struct place){true, "TERM", "dumb", NULL}, "--no-tun");
    assert_null(strchr(s.text, '\x1b'));
    show(&s, &(struct place){true, "NO_COLOR", "", NULL}, "--no-tun");
    assert_non_null(strstr(s.text, "\x1b["));
}

int main(void)
{
    if (!gateway_can())
        return GATEWAY_SKIP;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_tun_it_shows_a_whole_connection),
        cmocka_unit_test(over_a_virtual_wire_it_shows_the_same_at_once),
        cmocka_unit_test(without_the_device_it_falls_back),
        cmocka_unit_test(the_characters_are_those_of_the_locale),
        cmocka_unit_test(colour_is_for_terminals_that_want_it),
    };
    return user_namespace_result(cmocka_run_group_tests(tests, NULL, NULL));
}
