/* Scripts that pass: every kind of event, every call, both families, both sides of opening. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "scripts.h"

static void a_half_close(void **state)
{
    (void)state;
    assert_true(passes(ACCEPTED "+0 shutdown(4, SHUT_WR) = 0\n"
                                "+0 > F. 1:1(0) ack 1\n"
                                "+.1 < P. 1:1001(1000) ack 2 win 65535\n"
                                "* > . 2:2(0) ack 1001\n"
                                "+0 read(4, ..., 2000) = 1000\n"
                                "+0 < F. 1001:1001(0) ack 2 win 65535\n"
                                "* > . 2:2(0) ack 1002\n"
                                "+0 read(4, ..., 2000) = 0\n"
                                "+0 close(4) = 0\n"
                                "+.1 `sockstat -P tcp | grep -c TIME_WAIT | grep 1`\n"));
}

/* What the manual shows first is a script that passes. */
static void the_script_of_the_manual(void **state)
{
    (void)state;
    static char page[65536];
    FILE *file = fopen(HF_SOURCE_DIR "/docs/DRILL.md", "r");
    assert_non_null(file);
    page[fread(page, 1, sizeof page - 1, file)] = '\0';
    (void)fclose(file);
    char *begin = strstr(page, "```packetdrill\n");
    assert_non_null(begin);
    begin += strlen("```packetdrill\n");
    char *end = strstr(begin, "```");
    assert_non_null(end);
    *end = '\0';
    assert_true(passes(begin));
}

static void an_active_open(void **state)
{
    (void)state;
    assert_true(passes("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
                       "+0...0.1 connect(3, ..., ...) = 0\n"
                       "+0 > S 0:0(0) <...>\n"
                       "+.1 < S. 1000:1000(0) ack 1 win 65535 <mss 1000>\n"
                       "+0 > . 1:1(0) ack 1\n"
                       "+0 write(3, ..., 3000) = 3000\n"
                       "+0 > P. 1:3001(3000) ack 1\n"
                       "+0 < . 1:1(0) ack 3001 win 65535\n"));
}

static void ipv6_and_mapped_addresses(void **state)
{
    (void)state;
    assert_true(passes("--ip_version=ipv6\n" ACCEPTED "+0 close(4) = 0\n"
                       "+0 > F. 1:1(0) ack 1\n"));
    assert_true(passes("--ip_version=ipv4-mapped-ipv6\n" ACCEPTED "+0 close(4) = 0\n"
                       "+0 > F. 1:1(0) ack 1\n"));
}

static void nonblocking_open_refused(void **state)
{
    (void)state;
    assert_true(passes("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
                       "+0 fcntl(3, F_GETFL) = 0x02 (flags O_RDWR)\n"
                       "+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"
                       "+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)\n"
                       "+0 > S 0:0(0) <...>\n"
                       "+.1 < R. 0:0(0) ack 1 win 0\n"
                       "+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0\n"
                       "+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0\n"));
}

static void the_second_open_is_another_flow(void **state)
{
    (void)state;
    assert_true(passes("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
                       "+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"
                       "+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)\n"
                       "+0 > S 0:0(0) <...>\n"
                       "+.1 < R. 0:0(0) ack 1 win 0\n"
                       "+0 close(3) = 0\n"
                       "+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
                       "+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"
                       "+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)\n"
                       "+0 > S 0:0(0) <...>\n"
                       "+.1 < S. 0:0(0) ack 1 win 65535 <mss 1460>\n"
                       "+0 > . 1:1(0) ack 1\n"));
}

static void a_closed_port_resets(void **state)
{
    (void)state;
    assert_true(passes("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
                       "+0 < S 5:5(0) win 1000 <mss 1460>\n"
                       "+0 > R. 0:0(0) ack 1\n"
                       "+0 < . 17:17(0) ack 34 win 1000\n"
                       "+0 > R 34:34(0)\n"));
}

static void waiting_calls(void **state)
{
    (void)state;
    assert_true(passes(LISTENER
                       "+0...0.1 accept(3, ..., ...) = 4\n"
                       "+0 < S 0:0(0) win 65535 <mss 1460>\n"
                       "+0 > S. 0:0(0) ack 1 <...>\n"
                       "+.1 < . 1:1(0) ack 1 win 65535\n"
                       "+0...0.2 read(4, ..., 100) = 10\n"
                       "+.2 < P. 1:11(10) ack 1 win 65535\n"
                       "* > . 1:1(0) ack 11\n"
                       "+0...0.25 poll([{fd=4, events=POLLIN}], 1, 250) = 0\n"
                       "+1 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}], 1, 0) = 1\n"
                       "+0 poll([{fd=4, events=POLLIN}], 1, 1500) = 0\n"));
}

static void calls_that_wait_no_longer_than_their_socket_says(void **state)
{
    (void)state;
    assert_true(passes(
        ACCEPTED "+0 setsockopt(4, SOL_SOCKET, SO_RCVTIMEO, {tv_sec=0, tv_usec=200000}, 16) = 0\n"
                 "+0 getsockopt(4, SOL_SOCKET, SO_RCVTIMEO, {tv_sec=0, tv_usec=200000}, [16]) = 0\n"
                 "+0...0.2 read(4, ..., 100) = -1 EAGAIN (Resource temporarily unavailable)\n"
                 "+1 write(4, ..., 100) = 100\n"
                 "+0 > P. 1:101(100) ack 1\n"
                 "+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=2}, 8) = 0\n"
                 "+0...0.1 close(4) = 0\n"
                 "+0 > F. 101:101(0) ack 1\n"
                 "+.1 < . 1:1(0) ack 102 win 65535\n"));
}

/* Its time is over long before the next retransmission would look at it. */
static void a_close_lingers_as_long_as_it_was_told(void **state)
{
    (void)state;
    assert_true(passes(ACCEPTED
                       "+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=3}, 8) = 0\n"
                       "+0...3 close(4) = 0\n"
                       "+0 > F. 1:1(0) ack 1\n"));
    assert_true(passes(ACCEPTED
                       "+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=3}, 8) = 0\n"
                       "+0 close(4) = 0\n"));
}

static void times(void **state)
{
    (void)state;
    /* Absolute, relative, ranges, within the tolerance, any. */
    assert_true(passes("--tolerance_usecs=20000\n" LISTENER "0.5 < S 0:0(0) win 65535 <mss 1460>\n"
                       "+.01 > S. 0:0(0) ack 1 <...>\n"
                       "+.9~+1.1 > S. 0:0(0) ack 1 <...>\n"
                       "* > S. 0:0(0) ack 1 <...>\n"
                       "3.6 < . 1:1(0) ack 1 win 65535\n"
                       "+0 accept(3, ..., ...) = 4\n"));
    /* Two packets that come in: the second counts from when the first was due. */
    assert_true(passes(ACCEPTED "+.1 < P. 1:11(10) ack 1 win 65535\n"
                                "+.1 < P. 11:21(10) ack 1 win 65535\n"
                                "+0 read(4, ..., 100) = 20\n"));
}

static void calls_of_every_kind(void **state)
{
    (void)state;
    assert_true(passes(
        ACCEPTED "+0 writev(4, [{..., 100}, {..., 200}], 2) = 300\n"
                 "* > P. 1:301(300) ack 1\n"
                 "+0 < . 1:1(0) ack 301 win 65535\n"
                 "+0 send(4, ..., 50, MSG_NOSIGNAL) = 50\n"
                 "+0 sendto(4, ..., 50, 0, NULL, 0) = 50\n"
                 "+0 sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 40}], msg_flags=0}, 0) = 40\n"
                 "+0 < P. 1:101(100) ack 301 win 65535\n"
                 "+0 recv(4, ..., 10, MSG_PEEK) = 10\n"
                 "+0 recvfrom(4, ..., 10, 0, ..., ...) = 10\n"
                 "+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 40}], msg_flags=0}, 0) = 40\n"
                 "+0 readv(4, [{..., 10}, {..., 20}], 2) = 30\n"
                 "+0 ioctl(4, SIOCINQ, [20]) = 0\n"
                 "+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0\n"
                 "+0 getsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, [8]) = 0\n"
                 "+0 close(4) = 0\n"
                 "+0 close(4) = -1 EBADF (Bad file descriptor)\n"));
}

static void epoll(void **state)
{
    (void)state;
    assert_true(passes(ACCEPTED "+0 epoll_create(1) = 5\n"
                                "+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, fd=4}) = 0\n"
                                "+0 epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0\n"
                                "+0...0.1 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, -1) = 1\n"
                                "+.1 < P. 1:11(10) ack 1 win 65535\n"
                                "* > . 1:1(0) ack 11\n"));
    /* What stands beyond the events that came is not compared. */
    assert_true(passes(ACCEPTED "+0 epoll_create(1) = 5\n"
                                "+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, fd=4}) = 0\n"
                                "+0 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 0\n"
                                "+0 < P. 1:11(10) ack 1 win 65535\n"
                                "+0 epoll_wait(5, [{events=EPOLLIN, fd=4},\n"
                                "                  {events=EPOLLOUT, fd=3}], 2, 0) = 1\n"));
}

static void assertions_keep_their_variables(void **state)
{
    (void)state;
    assert_true(passes(ACCEPTED "+0 %{ before = tcpi_snd_cwnd }%\n"
                                "+0 %{ assert tcpi_snd_cwnd == before and tcpi_state == "
                                "TCP_ESTABLISHED }%\n"));
}

static void settings_reach_the_stack(void **state)
{
    (void)state;
    assert_true(passes("0 `sysctl -w net.inet.tcp.sack.enable=0\n"
                       "sysctl -w net.inet.tcp.rfc1323=0`\n"
                       "+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
                       "+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"
                       "+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)\n"
                       "+0 > S 0:0(0) <mss 1460>\n"
                       "+0 close(3) = 0\n"
                       "+0 `sysctl -w net.inet.tcp.rfc1323=1`\n"));
    assert_true(
        passes("--mtu=9000\n"
               "`../common/set_sysctls.py /proc/sys/net/ipv4/tcp_timestamps=0 \\\n"
               "    /proc/sys/net/ipv4/tcp_sack=0 /proc/sys/net/ipv4/tcp_window_scaling=0`\n"
               "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
               "+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"
               "+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)\n"
               "+0 > S 0:0(0) <mss 8960>\n"));
}

static void a_setting_made_twice_ahead(void **state)
{
    (void)state;
    assert_true(passes("0 `sysctl -w net.inet.tcp.sack.enable=1`\n"
                       "+0 `sysctl -w net.inet.tcp.sack.enable=0`\n" ACCEPTED));
}

static void segments_together_meet_a_line(void **state)
{
    (void)state;
    assert_true(passes(ACCEPTED "+0 write(4, ..., 14600) = 14600\n"
                                "+0 > P. 1:14601(14600) ack 1\n"));
    assert_true(ends("--strict_segments\n" ACCEPTED "+0 write(4, ..., 14600) = 14600\n"
                     "+0 > P. 1:14601(14600) ack 1\n",
                     HF_DRILL_FAILED, ACCEPTED_LINES + 3, "14600", "1460"));
}

static void icmp_comes_in(void **state)
{
    (void)state;
    assert_true(passes("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
                       "+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"
                       "+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)\n"
                       "+0 > S 0:0(0) <...>\n"
                       "+.1 < icmp unreachable port_unreachable [0:0(0)]\n"
                       "+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0\n"));
}

/* One text, one outcome, to the nanosecond: nothing here depends on the machine's clock. */
static void a_run_repeats_itself(void **state)
{
    (void)state;
    struct hf_drill_result a, b;
    static const char text[] = LISTENER "+0 < S 0:0(0) win 65535 <mss 1460>\n"
                                        "+0 > S. 0:0(0) ack 1 <...>\n"
                                        "* > S. 0:0(0) ack 1 <...>\n";
    run_script(&a, text);
    run_script(&b, text);
    assert_int_equal(a.outcome, HF_DRILL_PASSED);
    assert_int_equal(a.log.count, b.log.count);
    for (size_t i = 0; i < a.log.count; i++) {
        assert_int_equal(a.log.packets[i].at_ns, b.log.packets[i].at_ns);
        assert_int_equal(a.log.packets[i].length_bytes, b.log.packets[i].length_bytes);
        assert_memory_equal(a.log.packets[i].bytes, b.log.packets[i].bytes,
                            a.log.packets[i].length_bytes);
    }
    hf_drill_result_free(&a);
    hf_drill_result_free(&b);
}

static void python_runs_the_blocks(void **state)
{
    (void)state;
    static const char good[] =
        ACCEPTED "+0 %{\n    import math\n    x = math.sqrt(4)\n}%\n"
                 "+0 %{ assert x == 2 and tcpi_state == TCP_ESTABLISHED }%\n";
    static const char bad[] = ACCEPTED "+0 %{ x = 2 }%\n"
                                       "+0 %{ assert x == 3, 'two is %d' % x }%\n";
    const struct hf_drill_config config = {.profile = HF_PROFILE_DEFAULT, .use_python = true};
    struct hf_drill_result result;
    if (system("python3 -c '' >/dev/null 2>&1") != 0)
        skip();
    hf_drill_text(&result, good, sizeof good - 1, &config);
    assert_int_equal(result.outcome, HF_DRILL_PASSED);
    hf_drill_result_free(&result);
    hf_drill_text(&result, bad, sizeof bad - 1, &config);
    assert_int_equal(result.outcome, HF_DRILL_FAILED);
    assert_int_equal(result.place.line, ACCEPTED_LINES + 2);
    assert_non_null(strstr(result.got, "two is 2"));
    hf_drill_result_free(&result);
}

static void run_python(struct hf_drill_result *result, const char *text)
{
    const struct hf_drill_config config = {.profile = HF_PROFILE_DEFAULT, .use_python = true};
    hf_drill_text(result, text, strlen(text), &config);
}

static void python_is_told_of_apart_from_what_it_runs(void **state)
{
    (void)state;
    struct hf_drill_result result;
    if (system("python3 -c '' >/dev/null 2>&1") != 0)
        skip();
    run_python(&result, ACCEPTED "+0 %{\nimport sys\nsys.exit(127)\n}%\n");
    assert_int_equal(result.outcome, HF_DRILL_FAILED);
    hf_drill_result_free(&result);
    run_python(&result, ACCEPTED "+0 %{ assert tcpi_segs_in == 0 }%\n");
    assert_int_equal(result.outcome, HF_DRILL_SKIPPED);
    assert_non_null(strstr(result.got, "TCP_INFO tells no tcpi_segs_in"));
    hf_drill_result_free(&result);
}

/** A variable of the environment, for as long as a test asks for it. */
static void with_variable(const char *name, const char *value, struct hf_drill_result *result)
{
    const char *before = getenv(name);
    char *kept = before != NULL ? strdup(before) : NULL;
    setenv(name, value, 1);
    run_python(result, ACCEPTED "+0 %{ assert 1 }%\n");
    if (kept != NULL)
        setenv(name, kept, 1);
    else
        unsetenv(name);
    free(kept);
}

static void what_python_needs_and_is_not_there(void **state)
{
    (void)state;
    struct hf_drill_result result;
    with_variable("PATH", "/nowhere", &result);
    assert_int_equal(result.outcome, HF_DRILL_SKIPPED);
    assert_string_equal(result.got, "python3 can't be run");
    hf_drill_result_free(&result);
    with_variable("TMPDIR", "/nowhere", &result);
    assert_int_equal(result.outcome, HF_DRILL_SKIPPED);
    assert_string_equal(result.got, "no temporary file for Python");
    hf_drill_result_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_half_close),
        cmocka_unit_test(the_script_of_the_manual),
        cmocka_unit_test(an_active_open),
        cmocka_unit_test(ipv6_and_mapped_addresses),
        cmocka_unit_test(nonblocking_open_refused),
        cmocka_unit_test(the_second_open_is_another_flow),
        cmocka_unit_test(a_closed_port_resets),
        cmocka_unit_test(waiting_calls),
        cmocka_unit_test(calls_that_wait_no_longer_than_their_socket_says),
        cmocka_unit_test(a_close_lingers_as_long_as_it_was_told),
        cmocka_unit_test(times),
        cmocka_unit_test(calls_of_every_kind),
        cmocka_unit_test(epoll),
        cmocka_unit_test(assertions_keep_their_variables),
        cmocka_unit_test(settings_reach_the_stack),
        cmocka_unit_test(a_setting_made_twice_ahead),
        cmocka_unit_test(segments_together_meet_a_line),
        cmocka_unit_test(icmp_comes_in),
        cmocka_unit_test(a_run_repeats_itself),
        cmocka_unit_test(python_runs_the_blocks),
        cmocka_unit_test(python_is_told_of_apart_from_what_it_runs),
        cmocka_unit_test(what_python_needs_and_is_not_there),
    };
    return cmocka_run_group_tests_name("drill passes", tests, NULL, NULL);
}
