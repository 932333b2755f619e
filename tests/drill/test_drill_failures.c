/* For each way in which a script can fail or be skipped, a script that must, with the right words
 * at the right line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scripts.h"

#define FAILS(text, line, expected, got)                                                           \
    assert_true(ends(text, HF_DRILL_FAILED, line, expected, got))
#define IS_SKIPPED(text, line, got) assert_true(ends(text, HF_DRILL_SKIPPED, line, "", got))

static void a_wrong_ack(void **state)
{
    (void)state;
    FAILS(ACCEPTED "+0 close(4) = 0\n"
                   "+0 > F. 1:1(0) ack 2\n",
          ACCEPTED_LINES + 2, "ack 2", "ack 1");
}

static void wrong_flags(void **state)
{
    (void)state;
    FAILS(ACCEPTED "+0 close(4) = 0\n"
                   "+0 > . 1:1(0) ack 1\n",
          ACCEPTED_LINES + 2, "> . 1:1(0)", "> F. 1:1(0)");
}

static void too_early(void **state)
{
    (void)state;
    FAILS(ACCEPTED "+0 close(4) = 0\n"
                   "+.5 > F. 1:1(0) ack 1\n",
          ACCEPTED_LINES + 2, "at 0.600000 s", "500.000 ms too early");
}

static void too_late(void **state)
{
    (void)state;
    /* The SYN,ACK comes again after a second. */
    FAILS(LISTENER "+0 < S 0:0(0) win 65535 <mss 1460>\n"
                   "+0 > S. 0:0(0) ack 1 <...>\n"
                   "+.5 > S. 0:0(0) ack 1 <...>\n",
          LISTENER_LINES + 3, "at 0.500000 s", "500.010 ms too late");
}

static void outside_of_a_range(void **state)
{
    (void)state;
    FAILS(LISTENER "+0 < S 0:0(0) win 65535 <mss 1460>\n"
                   "+0 > S. 0:0(0) ack 1 <...>\n"
                   "+1.3~+1.5 > S. 0:0(0) ack 1 <...>\n",
          LISTENER_LINES + 3, "at 1.300000 s", "299.990 ms too early");
}

static void a_missing_packet(void **state)
{
    (void)state;
    FAILS(ACCEPTED "+.3 > . 1:1(0) ack 1\n", ACCEPTED_LINES + 1, "> . 1:1(0) ack 1",
          "nothing until 2.400000 s");
}

static void an_extra_packet(void **state)
{
    (void)state;
    /* The FIN stands in the place of the answer to the data. */
    FAILS(ACCEPTED "+0 shutdown(4, SHUT_WR) = 0\n"
                   "+.1 < . 1:11(10) ack 1 win 65535\n"
                   "+0 > . 2:2(0) ack 11\n",
          ACCEPTED_LINES + 3, "> . 2:2(0) ack 11", "> F. 1:1(0) ack 1");
}

static void a_wrong_result(void **state)
{
    (void)state;
    FAILS(ACCEPTED "+0 write(4, ..., 100) = 99\n", ACCEPTED_LINES + 1, "write() = 99",
          "write() = 100");
}

static void a_wrong_errno(void **state)
{
    (void)state;
    FAILS(ACCEPTED "+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"
                   "+0 read(4, ..., 100) = -1 ECONNRESET (Connection reset by peer)\n",
          ACCEPTED_LINES + 2, "-1 ECONNRESET", "-1 EAGAIN");
}

static void an_error_that_does_not_come(void **state)
{
    (void)state;
    FAILS(ACCEPTED "+0 write(4, ..., 10) = -1 EPIPE (Broken pipe)\n", ACCEPTED_LINES + 1,
          "-1 EPIPE", "write() = 10");
}

static void a_wrong_value_that_comes_out(void **state)
{
    (void)state;
    FAILS(ACCEPTED "+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0\n",
          ACCEPTED_LINES + 1, "value 111", "value 0");
    FAILS(ACCEPTED "+0 < P. 1:11(10) ack 1 win 65535\n"
                   "+0 ioctl(4, SIOCINQ, [11]) = 0\n",
          ACCEPTED_LINES + 2, "value 11", "value 10");
    FAILS(ACCEPTED "+0 poll([{fd=4, events=POLLIN, revents=POLLIN}], 1, 0) = 0\n",
          ACCEPTED_LINES + 1, "revents 1", "revents 0");
}

static void a_failed_assertion(void **state)
{
    (void)state;
    FAILS(ACCEPTED "+0 %{ assert tcpi_state == TCP_CLOSE_WAIT, tcpi_state }%\n", ACCEPTED_LINES + 1,
          "tcpi_state == TCP_CLOSE_WAIT", "1");
}

static void a_call_that_returns_at_the_wrong_time(void **state)
{
    (void)state;
    FAILS(ACCEPTED "+0...0.5 read(4, ..., 100) = 10\n"
                   "+.1 < P. 1:11(10) ack 1 win 65535\n"
                   "+0 > . 1:1(0) ack 11\n",
          ACCEPTED_LINES + 1, "read() returns at 0.600000 s", "400.000 ms too early");
}

static void a_call_that_does_not_return(void **state)
{
    (void)state;
    FAILS(ACCEPTED "+0...0.5 read(4, ..., 100) = 10\n", ACCEPTED_LINES + 1, "read() returns",
          "still waits");
    FAILS(ACCEPTED "+0 read(4, ..., 100) = 10\n", ACCEPTED_LINES + 1, "read() returns",
          "still waits");
}

/* In virtual time nothing more happens at an instant: what waits then, waits for good. */
static void a_call_that_waits_for_no_packet(void **state)
{
    (void)state;
    FAILS(ACCEPTED "+0 read(4, ..., 100) = 10\n"
                   "+.1 < P. 1:11(10) ack 1 win 65535\n",
          ACCEPTED_LINES + 1, "read() returns", "it still waits at 0.100000 s");
    FAILS(LISTENER "+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4\n"
                   "+0 connect(4, ..., ...) = 0\n"
                   "+0 > S 0:0(0) <...>\n"
                   "+.1 < S. 0:0(0) ack 1 win 65535 <mss 1460>\n",
          LISTENER_LINES + 2, "connect() returns", "it still waits at 0.000000 s");
}

static void a_linger_that_ends_late(void **state)
{
    (void)state;
    FAILS(ACCEPTED "+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=3}, 8) = 0\n"
                   "+0...2 close(4) = 0\n",
          ACCEPTED_LINES + 2, "close() returns at 2.100000 s", "at 3.100000 s, 1000.000 ms too");
}

static void more_packets_than_can_be_kept(void **state)
{
    (void)state;
    enum {
        BYTES = 65400,
        KEPT = HF_LOG_MAX_BYTES / (BYTES + 40),
        PACKETS = KEPT + 2,
        LINE_BYTES = 64
    };
    static char text[sizeof LISTENER + PACKETS * LINE_BYTES];
    size_t used = (size_t)snprintf(text, sizeof text, "%s", LISTENER);
    for (int i = 0; i < PACKETS; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "+0 < R 1:65401(%d) win 65535\n",
                                 BYTES);
    FAILS(text, LISTENER_LINES + KEPT + 1, "< R 1:65401(65400)", "too many packets to keep");
}

static void a_script_without_events(void **state)
{
    (void)state;
    FAILS("", 1, "a script", "no event");
    FAILS("// nothing\n/* at all */\n", 1, "a script", "no event");
    FAILS("--mtu=1500\n`true`\n", 1, "a script", "no event");
}

static void a_count_that_differs(void **state)
{
    (void)state;
    FAILS(ACCEPTED "+0 `sockstat -4 -P tcp | grep -c TIME_WAIT | grep 1`\n"
                   "+0 < . 1:2(1) ack 1 win 65535\n",
          ACCEPTED_LINES + 1, "sockstat", "0 in TIME-WAIT, expected 1");
}

static void an_echo_of_a_timestamp_never_sent(void **state)
{
    (void)state;
    FAILS(LISTENER "+0 < S 0:0(0) win 65535 <mss 1460,sackOK,TS val 1 ecr 0>\n"
                   "+0 > S. 0:0(0) ack 1 <...>\n"
                   "+0 < . 1:1(0) ack 1 win 65535 <nop,nop,TS val 1 ecr 77>\n",
          LISTENER_LINES + 3, "< . 1:1(0)", "77");
}

static void a_syntax_error(void **state)
{
    (void)state;
    FAILS(LISTENER "+0 < S 0:0(1 win 65535\n", LISTENER_LINES + 1, "a script", "expected ')'");
}

static void an_option_that_is_wrong(void **state)
{
    (void)state;
    FAILS("--mtu=x\n" LISTENER, 1, "an option", "--mtu=x: wrong value");
    FAILS("--no_such_thing\n" LISTENER, 1, "an option", "no such option");
    FAILS("--strict_segments=0\n" LISTENER, 1, "an option", "takes no value");
    FAILS("--verbose=1\n" LISTENER, 1, "an option", "takes no value");
    FAILS("--ip_version=ipv6\n--local_ip=192.0.2.7\n" LISTENER, 1, "an option", "family");
}

/* A slip of the pen is told before anything runs, wherever it stands. */
static void a_name_that_nobody_knows(void **state)
{
    (void)state;
    FAILS(LISTENER "+0 foo(3) = 0\n", LISTENER_LINES + 1, "names that are known",
          "no such call: foo");
    FAILS("0 `ifconfig lo0 down`\n" LISTENER "+0 lisen(3, 1) = 0\n", LISTENER_LINES + 2, "",
          "no such call: lisen: did you mean listen?");
    FAILS(LISTENER "+0 listen(3, NO_SUCH_NAME) = 0\n", LISTENER_LINES + 1, "",
          "unknown symbol NO_SUCH_NAME");
    FAILS(LISTENER "+0 setsockopt(3, SOL_SOCKET, SO_KEEPALVIE, [1], 4) = 0\n", LISTENER_LINES + 1,
          "", "unknown symbol SO_KEEPALVIE: did you mean SO_KEEPALIVE?");
    FAILS(LISTENER "+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCKS) = 0\n", LISTENER_LINES + 1, "",
          "unknown symbol O_NONBLOCKS: did you mean O_NONBLOCK?");
    FAILS(LISTENER "+0 close(9) = -1 EBADFD_ (Bad)\n", LISTENER_LINES + 1, "",
          "unknown error EBADFD_: did you mean EBADF?");
    FAILS(LISTENER "+0 poll([{fd=3, events=POLLIN, revent=POLLIN}], 1, 0) = 0\n",
          LISTENER_LINES + 1, "", "no such field: revent: did you mean revents?");
}

static void the_place_of_a_name_that_nobody_knows(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned column;
    } all[] = {
        {"0 foo(3) = 0\n", 3},
        {"0 close(THREE) = 0\n", 9},
        {"0 poll([{fd=3, events=POLLIN|POLLON}], 1, 0) = 0\n", 30},
        {"0 poll([{fd=3, evnts=POLLIN}], 1, 0) = 0\n", 16},
        {"0 close(3) = -1 EWRONG\n", 17},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct hf_drill_result result;
        run_script(&result, all[i].text);
        assert_int_equal(result.outcome, HF_DRILL_FAILED);
        assert_int_equal(result.place.line, 1);
        assert_int_equal(result.place.column, all[i].column);
        hf_drill_result_free(&result);
    }
}

/* ---- skipped ------------------------------------------------------------------------------ */

static void what_is_not_there_is_skipped(void **state)
{
    (void)state;
    IS_SKIPPED("--udp_encapsulation=9899:9899\n" LISTENER, 1, "not supported");
    IS_SKIPPED(LISTENER "+0 pipe([5, 6]) = 0\n", LISTENER_LINES + 1, "pipe() is not supported");
    /* Names that packetdrill has on other systems. */
    IS_SKIPPED(LISTENER "+0 setsockopt(3, IPPROTO_TCP, TCP_NOPUSH, [1], 4) = 0\n",
               LISTENER_LINES + 1, "this system has no TCP_NOPUSH");
    IS_SKIPPED(LISTENER "+0 close(9) = -1 ECAPMODE (Not permitted)\n", LISTENER_LINES + 1,
               "this system has no ECAPMODE");
    IS_SKIPPED(LISTENER "+0 `ifconfig lo0 down`\n" ACCEPTED, LISTENER_LINES + 1,
               "shell command not supported: ifconfig");
}

static void settings_that_are_not_there_are_skipped(void **state)
{
    (void)state;
    IS_SKIPPED("0 `sysctl -w net.inet.tcp.insecure_rst=1`\n" LISTENER, 1,
               "this value is not supported");
    IS_SKIPPED("0 `sysctl -w net.inet.tcp.no_such_thing=1`\n" LISTENER, 1, "no such setting");
    IS_SKIPPED("0 `sysctl -w net.inet.tcp.msl=soon`\n" LISTENER, 1, "not a number");
    IS_SKIPPED(LISTENER "+0 `sysctl -w net.inet.tcp.sack.enable=0`\n"
                        "+0 < S 0:0(0) win 65535 <mss 1460>\n",
               LISTENER_LINES + 1, "a setting can't change while the stack runs");
    /* A call shows what a setting does as well as a packet. */
    IS_SKIPPED(LISTENER "+0 `sysctl -w net.inet.tcp.sack.enable=0`\n"
                        "+0 close(3) = 0\n",
               LISTENER_LINES + 1, "a setting can't change while the stack runs");
}

static void fields_that_nobody_tells_are_skipped(void **state)
{
    (void)state;
    IS_SKIPPED(ACCEPTED "+0 %{ assert tcpi_segs_in == 0 }%\n", ACCEPTED_LINES + 1,
               "TCP_INFO tells no tcpi_segs_in");
    IS_SKIPPED(ACCEPTED "+0 %{ assert tcpi_reordering == 3 }%\n", ACCEPTED_LINES + 1,
               "TCP_INFO tells no tcpi_reordering");
}

static void python_beyond_the_evaluator_is_skipped(void **state)
{
    (void)state;
    IS_SKIPPED(ACCEPTED "+0 %{ import os }%\n", ACCEPTED_LINES + 1, "needs Python");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_ack),
        cmocka_unit_test(wrong_flags),
        cmocka_unit_test(too_early),
        cmocka_unit_test(too_late),
        cmocka_unit_test(outside_of_a_range),
        cmocka_unit_test(a_missing_packet),
        cmocka_unit_test(an_extra_packet),
        cmocka_unit_test(a_wrong_result),
        cmocka_unit_test(a_wrong_errno),
        cmocka_unit_test(an_error_that_does_not_come),
        cmocka_unit_test(a_wrong_value_that_comes_out),
        cmocka_unit_test(a_failed_assertion),
        cmocka_unit_test(a_call_that_returns_at_the_wrong_time),
        cmocka_unit_test(a_call_that_does_not_return),
        cmocka_unit_test(a_call_that_waits_for_no_packet),
        cmocka_unit_test(a_linger_that_ends_late),
        cmocka_unit_test(more_packets_than_can_be_kept),
        cmocka_unit_test(a_script_without_events),
        cmocka_unit_test(a_count_that_differs),
        cmocka_unit_test(an_echo_of_a_timestamp_never_sent),
        cmocka_unit_test(a_syntax_error),
        cmocka_unit_test(an_option_that_is_wrong),
        cmocka_unit_test(a_name_that_nobody_knows),
        cmocka_unit_test(the_place_of_a_name_that_nobody_knows),
        cmocka_unit_test(what_is_not_there_is_skipped),
        cmocka_unit_test(settings_that_are_not_there_are_skipped),
        cmocka_unit_test(fields_that_nobody_tells_are_skipped),
        cmocka_unit_test(python_beyond_the_evaluator_is_skipped),
    };
    return cmocka_run_group_tests_name("drill failures", tests, NULL, NULL);
}
