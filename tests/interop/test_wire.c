/**
 * `handfast wire` between two kernels: data arrives whole over a bad path, and rate, delay and loss
 * are what was asked for. Rates are taken from the kernel's own time stamps, all times are medians.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <handfast/host.h>

#include "lab/pattern.h"
#include "support/sanitized.h"
#include "support/wired.h"

enum {
    PORT = 7000,
    TRANSFER_BYTES = 1000 * 1000,
    UDP_BYTES = 1472, /* with its headers, a packet of 1500 */
    PACKET_BYTES = 1500,
    RATE_PACKETS = 40, /* in a row, that a rate is taken from */
    RATES_MAX = 400,
    PROBES = 40,
    NUMBERED = 4000,
    PIECE_BYTES = 65536,
    RECORD_MAX_BYTES = 100 * 1000,
    ROOM_BYTES = 4 << 20, /* less than NUMBERED packets take */
};

static char record_path[64];

static int tear_down(void **state)
{
    (void)state;
    wired_drop();
    if (record_path[0] != '\0')
        (void)unlink(record_path);
    record_path[0] = '\0';
    return 0;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, compare);
    return values[n / 2];
}

static void wait_readable(int a, int b, int ms)
{
    struct pollfd fds[2] = {{a, POLLIN, 0}, {b, POLLIN, 0}};
    (void)poll(fds, 2, ms);
}

/* ---- whole data ----------------------------------------------------------------------------- */

struct end {
    int fd;
    uint64_t key; /* of what it sends; the other sends key ^ 1 */
    uint64_t sent, received;
    bool shut, at_end;
};

static void pump(struct end *e)
{
    static uint8_t piece[PIECE_BYTES];
    ssize_t n = 0;
    while (e->sent < TRANSFER_BYTES && n >= 0) {
        size_t want = TRANSFER_BYTES - e->sent < sizeof piece ? (size_t)(TRANSFER_BYTES - e->sent)
                                                              : sizeof piece;
        hf_pattern_fill(e->key, e->sent, piece, want);
        n = send(e->fd, piece, want, MSG_NOSIGNAL);
        assert_true(n >= 0 || errno == EAGAIN);
        e->sent += n > 0 ? (uint64_t)n : 0;
    }
    if (e->sent == TRANSFER_BYTES && !e->shut)
        e->shut = shutdown(e->fd, SHUT_WR) == 0;
    while ((n = recv(e->fd, piece, sizeof piece, 0)) > 0) {
        assert_int_equal(n, hf_pattern_check(e->key ^ 1, e->received, piece, (size_t)n));
        e->received += (uint64_t)n;
    }
    assert_true(n == 0 || errno == EAGAIN);
    e->at_end = e->at_end || n == 0;
}

static void pump_both(struct end *ends)
{
    hf_ns until = hf_host_now() + HF_MS(WIRED_PATIENCE_MS);
    while (!ends[0].at_end || !ends[1].at_end) {
        struct pollfd fds[2];
        for (int i = 0; i < 2; i++) {
            pump(&ends[i]);
            short out = ends[i].sent < TRANSFER_BYTES ? POLLOUT : 0;
            fds[i] = (struct pollfd){ends[i].at_end ? -1 : ends[i].fd, (short)(POLLIN | out), 0};
        }
        (void)poll(fds, 2, 100);
        if (hf_host_now() > until)
            fail_msg("stalled: %ju and %ju bytes came", (uintmax_t)ends[0].received,
                     (uintmax_t)ends[1].received);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(TRANSFER_BYTES, ends[i].received);
        (void)close(ends[i].fd);
    }
}

/* Both ways at once over TCP; so the kernel hands super-packets to the wire. */
static void transfer(bool v6)
{
    struct sockaddr_storage sa;
    socklen_t n = wired_address(WIRED_RIGHT, v6, PORT, &sa);
    struct end ends[2] = {{.key = 8}, {.key = 9}};
    int listener = wired_socket(WIRED_RIGHT, v6, SOCK_STREAM, PORT);
    assert_int_equal(0, listen(listener, 1));
    ends[0].fd = wired_socket(WIRED_LEFT, v6, SOCK_STREAM, 0);
    assert_int_equal(-1, connect(ends[0].fd, (struct sockaddr *)&sa, n));
    assert_int_equal(EINPROGRESS, errno);
    wait_readable(listener, -1, WIRED_PATIENCE_MS);
    ends[1].fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(ends[1].fd >= 0);
    (void)close(listener);
    pump_both(ends);
}

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* Packet blocks of a recording. */
static unsigned count_recorded(const char *path)
{
    enum { BLOCK_PACKET = 6, BLOCK_MIN_BYTES = 12 };
    unsigned count = 0;
    uint8_t head[8];
    FILE *f = fopen(path, "rbe");
    assert_non_null(f);
    while (fread(head, 1, sizeof head, f) == sizeof head) {
        assert_true(le32(head + 4) >= BLOCK_MIN_BYTES);
        count += le32(head) == BLOCK_PACKET;
        assert_int_equal(0, fseek(f, (long)(le32(head + 4) - sizeof head), SEEK_CUR));
    }
    (void)fclose(f);
    return count;
}

static void data_arrives_whole(bool v6)
{
    static const char words[] =
        "rate=200mbit delay=2ms jitter=500us loss=0.5% reorder=1%:3-10 corrupt=0.3%";
    (void)snprintf(record_path, sizeof record_path, "/tmp/hf-wire-%d.pcapng", (int)getpid());
    wired_start((const char *const[]){"--path", words, "--record", record_path, NULL});
    transfer(v6);
    wired_stop();
    double arrived = 0;
    for (int from = 0; from < WIRED_SIDES; from++) {
        arrived += wired_number(from, "arrived_packets");
        assert_true(wired_number(from, "packets") == wired_number(from, "arrived_packets") +
                                                         wired_number(from, "lost_packets") +
                                                         wired_number(from, "on_the_way"));
        assert_true(wired_number(from, "random") > 0);
        assert_true(wired_number(from, "reordered") > 0);
        assert_true(wired_number(from, "corrupted") > 0);
        assert_true(wired_number(from, "duplicated") == 0);
        assert_true(wired_number(from, "bytes") > TRANSFER_BYTES);
        /* Cut before anything was lost or queued. */
        assert_true(wired_number(from, "bytes") / wired_number(from, "packets") <= PACKET_BYTES);
    }
    assert_int_equal(arrived, count_recorded(record_path));
}

static void data_arrives_whole_over_v4(void **state)
{
    (void)state;
    data_arrives_whole(false);
}

static void data_arrives_whole_over_v6(void **state)
{
    (void)state;
    if (!wired_has_v6())
        skip();
    data_arrives_whole(true);
}

/* ---- rate ----------------------------------------------------------------------------------- */

/* Both ends of a UDP conversation, connected to each other. */
static void open_udp(int fds[WIRED_SIDES])
{
    struct sockaddr_storage sa;
    const int on = 1, room = 8 * 1024 * 1024;
    for (int side = 0; side < WIRED_SIDES; side++) {
        fds[side] = wired_socket(side, false, SOCK_DGRAM, PORT);
        (void)setsockopt(fds[side], SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
        (void)setsockopt(fds[side], SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
        assert_int_equal(0, setsockopt(fds[side], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on));
        socklen_t n = wired_address(1 - side, false, PORT, &sa);
        assert_int_equal(0, connect(fds[side], (struct sockaddr *)&sa, n));
    }
}

static void close_udp(const int fds[WIRED_SIDES])
{
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* Takes one datagram, and when the kernel got it; false: none there. */
static bool take_datagram(int fd, void *bytes, size_t room, hf_ns *at_ns)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(struct timespec))];
    } control;
    struct iovec iov = {bytes, room};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof control};
    struct timespec t;
    if (recvmsg(fd, &m, 0) <= 0)
        return false;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    assert_non_null(c);
    memcpy(&t, CMSG_DATA(c), sizeof t);
    *at_ns = HF_SEC(t.tv_sec) + t.tv_nsec;
    return true;
}

/* Arrivals of packets, and from them the rates of some in a row. */
struct rates {
    double bps[RATES_MAX];
    size_t count, packets;
    hf_ns from_ns;
};

static void take_arrivals(int fd, struct rates *r)
{
    static uint8_t bytes[UDP_BYTES];
    hf_ns at;
    while (take_datagram(fd, bytes, sizeof bytes, &at)) {
        if (r->packets++ % RATE_PACKETS != 0)
            continue;
        if (r->packets > 1 && r->count < RATES_MAX)
            r->bps[r->count++] = RATE_PACKETS * PACKET_BYTES * 8e9 / (double)(at - r->from_ns);
        r->from_ns = at;
    }
}

/* Sends half as much again as the rate. Should this process be kept from sending for longer than
 * the queue lasts, then some rates are lower, but not their median. */
static double measure_rate(const int fds[WIRED_SIDES], double bps, hf_ns span_ns)
{
    static const uint8_t bytes[UDP_BYTES];
    static struct rates r;
    hf_ns start = hf_host_now(), now = start;
    double sent = 0, per_ns = 1.5 * bps / 8 / PACKET_BYTES / 1e9;
    r = (struct rates){.count = 0};
    while (now < start + span_ns) {
        for (; sent < per_ns * (double)(now - start); sent++)
            (void)!send(fds[WIRED_LEFT], bytes, sizeof bytes, 0);
        take_arrivals(fds[WIRED_RIGHT], &r);
        wait_readable(fds[WIRED_RIGHT], -1, 1);
        now = hf_host_now();
    }
    assert_true(r.count > 4);
    return median(r.bps, r.count);
}

static void rate_is_right(const char *rate, double bps)
{
    int fds[WIRED_SIDES];
    wired_start((const char *const[]){"--delay", "1ms", "--left-to-right-rate", rate,
                                      "--left-to-right-queue", "100p", NULL});
    open_udp(fds);
    double ratio = measure_rate(fds, bps, HF_SEC(1)) / bps;
    close_udp(fds);
    wired_stop();
    assert_true(wired_number(WIRED_LEFT, "queue") > 0);
    assert_true(wired_number(WIRED_LEFT, "queue_peak_packets") == 100);
    print_message("rate=%s: %.4f of it\n", rate, ratio);
    if (wired_kept_up() && (ratio < 0.98 || ratio > 1.02))
        fail_msg("rate=%s gave %.4f of it", rate, ratio);
}

static void rates_are_right(void **state)
{
    (void)state;
    rate_is_right("10mbit", 10e6);
    rate_is_right("100mbit", 100e6);
}

/* ---- delay ---------------------------------------------------------------------------------- */

/* Each side sends probes to the other; how long they took. */
struct probes {
    hf_ns sent_ns[PROBES];
    double took_us[PROBES];
    size_t sent, came;
};

static void send_probe(int fd, struct probes *p)
{
    uint8_t number = (uint8_t)p->sent;
    p->sent_ns[p->sent++] = hf_host_wall_clock();
    assert_int_equal(1, send(fd, &number, 1, 0));
}

static void take_probes(int fd, struct probes *p)
{
    uint8_t number;
    hf_ns at;
    while (take_datagram(fd, &number, 1, &at)) {
        assert_true(number < p->sent && p->came < PROBES);
        p->took_us[p->came++] = (double)(at - p->sent_ns[number]) / 1e3;
    }
}

/* A trip there and back, as the sum of both ways: so it does not depend on how soon this process
 * gets to answer. */
static void delays_are_right(void **state)
{
    int fds[WIRED_SIDES];
    struct probes p[WIRED_SIDES] = {{.sent = 0}, {.sent = 0}};
    (void)state;
    wired_start((const char *const[]){"--path", "delay=20ms", NULL});
    open_udp(fds);
    hf_ns start = hf_host_now();
    while (p[0].came < PROBES || p[1].came < PROBES) {
        for (int side = 0; side < WIRED_SIDES; side++) {
            if (p[side].sent < PROBES && hf_host_now() >= start + (hf_ns)p[side].sent * HF_MS(5))
                send_probe(fds[side], &p[side]);
            take_probes(fds[1 - side], &p[side]);
        }
        wait_readable(fds[0], fds[1], 1);
        assert_true(hf_host_now() < start + HF_MS(WIRED_PATIENCE_MS));
    }
    close_udp(fds);
    wired_stop();
    double there_us = median(p[0].took_us, PROBES), back_us = median(p[1].took_us, PROBES);
    print_message("20 ms each way: %.0f us there, %.0f us back\n", there_us, back_us);
    assert_true(there_us >= 20000 && back_us >= 20000); /* no packet comes early */
    if (wired_kept_up() && there_us + back_us > 40000 * 1.02 + 100)
        fail_msg("20 ms each way: %.0f us there, %.0f us back", there_us, back_us);
}

/* ---- loss, copies, order -------------------------------------------------------------------- */

struct seen {
    unsigned count, copies, overtaken;
    bool number[NUMBERED];
};

static void look(int fd, struct seen *s, int *largest)
{
    uint8_t bytes[100];
    int number;
    hf_ns at;
    while (take_datagram(fd, bytes, sizeof bytes, &at)) {
        memcpy(&number, bytes, sizeof number);
        assert_in_range(number, 0, NUMBERED - 1);
        assert_int_equal(sizeof bytes - sizeof number,
                         hf_pattern_check(3, (uint64_t)number, bytes + sizeof number,
                                          sizeof bytes - sizeof number));
        s->copies += s->number[number];
        s->count += !s->number[number];
        s->overtaken += number < *largest && !s->number[number];
        s->number[number] = true;
        *largest = number > *largest ? number : *largest;
    }
}

/* NUMBERED datagrams from one side to the other, 20 a millisecond. */
static void send_numbered(const int fds[WIRED_SIDES], int from, struct seen *s)
{
    uint8_t bytes[100];
    int largest = -1;
    *s = (struct seen){0};
    for (int i = 0; i < NUMBERED; i++) {
        memcpy(bytes, &i, sizeof i);
        hf_pattern_fill(3, (uint64_t)i, bytes + sizeof i, sizeof bytes - sizeof i);
        assert_int_equal(sizeof bytes, send(fds[from], bytes, sizeof bytes, 0));
        if (i % 20 == 0)
            wait_readable(-1, -1, 1);
        look(fds[1 - from], s, &largest);
    }
    /* The last ones are on their way, or held back for up to 100 ms. */
    for (hf_ns until = hf_host_now() + HF_MS(150); hf_host_now() < until;) {
        wait_readable(fds[1 - from], -1, 10);
        look(fds[1 - from], s, &largest);
    }
}

/* The seed is fixed; the bounds are five standard deviations and what the kernels say besides. */
static void chance_is_right(void **state)
{
    static struct seen there, back;
    int fds[WIRED_SIDES];
    (void)state;
    wired_start((const char *const[]){"--left-to-right", "loss=10% duplicate=5% reorder=5%:3-10",
                                      "--delay", "1ms", "--seed", "4", NULL});
    open_udp(fds);
    send_numbered(fds, WIRED_LEFT, &there);
    send_numbered(fds, WIRED_RIGHT, &back);
    close_udp(fds);
    wired_stop();
    assert_in_range(NUMBERED - there.count, NUMBERED / 10 - 95, NUMBERED / 10 + 95);
    assert_in_range(there.copies, NUMBERED / 20 - 75, NUMBERED / 20 + 75);
    assert_in_range(there.overtaken, NUMBERED / 20 - 75, NUMBERED / 20 + 75);
    double lost = wired_number(WIRED_LEFT, "random");
    assert_true(lost >= NUMBERED - there.count && lost <= NUMBERED - there.count + 10);
    double copied = wired_number(WIRED_LEFT, "duplicated");
    assert_true(copied >= there.copies && copied <= there.copies + 10);
    assert_int_equal(NUMBERED, back.count);
    assert_int_equal(0, back.copies);
    assert_int_equal(0, back.overtaken);
    assert_true(wired_number(WIRED_RIGHT, "lost_packets") == 0);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void it_ends_by_itself(void **state)
{
    char said[COMMAND_SAID_BYTES];
    (void)state;
    hf_ns start = hf_host_now();
    const char *argv[] = {NULL,  "wire",       "--left", "hfl", "--right",
                          "hfr", "--duration", "200ms",  NULL};
    const struct command_start how = {.argv = argv, .in_fd = -1, .out_fd = -1};
    assert_int_equal(0, command_run(&how, WIRED_PATIENCE_MS, said));
    assert_true(hf_host_now() - start >= HF_MS(200));
    assert_non_null(strstr(said, "left to right: 0 packets"));
    assert_non_null(strstr(said, "right to left: 0 packets"));
}

static void a_device_that_is_taken_away_is_a_failure(void **state)
{
    char said[COMMAND_SAID_BYTES];
    (void)state;
    wired_start((const char *const[]){NULL});
    wired_remove_right();
    assert_int_equal(1, command_end(wired_command(), WIRED_PATIENCE_MS));
    command_said(wired_command(), said);
    assert_non_null(strstr(said, "hfr"));
}

/* What passes is no concern of the recording's; that not all is in it is a failure. */
static void a_recording_that_ends_early_is_a_failure(void **state)
{
    char said[COMMAND_SAID_BYTES];
    (void)state;
    (void)snprintf(record_path, sizeof record_path, "/tmp/hf-wire-%d.pcapng", (int)getpid());
    wired_start((const char *const[]){"--record", record_path, NULL});
    command_limit(wired_command(), RLIMIT_FSIZE, RECORD_MAX_BYTES);
    transfer(false);
    command_signal(wired_command(), SIGINT);
    assert_int_equal(1, command_end(wired_command(), WIRED_PATIENCE_MS));
    command_said(wired_command(), said);
    assert_non_null(strstr(said, "handfast wire: record /tmp/"));
    assert_non_null(strstr(said, "packets could not be written"));
}

/* What it has mapped, in bytes. */
static uint64_t mapped_bytes(pid_t pid)
{
    char path[64];
    uint64_t pages = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    assert_int_equal(1, fscanf(f, "%" SCNu64, &pages));
    (void)fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Packets for which there is no memory are lost, as those beyond the bound of what it may hold. */
static void without_memory_packets_are_lost(void **state)
{
    static struct seen seen;
    int fds[WIRED_SIDES];
    (void)state;
    if (HF_TEST_SANITIZED)
        skip();
    wired_start((const char *const[]){"--left-to-right-delay", "60s", NULL});
    command_limit(wired_command(), RLIMIT_AS, mapped_bytes(wired_command()->pid) + ROOM_BYTES);
    open_udp(fds);
    send_numbered(fds, WIRED_LEFT, &seen);
    send_numbered(fds, WIRED_RIGHT, &seen);
    close_udp(fds);
    wired_stop();
    assert_true(wired_number(WIRED_LEFT, "on_the_way") > 0);
    assert_true(wired_number(WIRED_LEFT, "no_memory") > 0);
    assert_true(wired_number(WIRED_LEFT, "on_the_way") + wired_number(WIRED_LEFT, "lost_packets") >=
                NUMBERED);
}

static void names_in_use_are_refused(void **state)
{
    char said[COMMAND_SAID_BYTES];
    (void)state;
    const char *argv[] = {NULL, "wire", "--left", "hfl", "--right", "lo", NULL};
    const struct command_start how = {.argv = argv, .in_fd = -1, .out_fd = -1};
    assert_int_equal(1, command_run(&how, WIRED_PATIENCE_MS, said));
    assert_non_null(strstr(said, "create lo: the name is in use"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(data_arrives_whole_over_v4, tear_down),
        cmocka_unit_test_teardown(data_arrives_whole_over_v6, tear_down),
        cmocka_unit_test_teardown(rates_are_right, tear_down),
        cmocka_unit_test_teardown(delays_are_right, tear_down),
        cmocka_unit_test_teardown(chance_is_right, tear_down),
        cmocka_unit_test_teardown(it_ends_by_itself, tear_down),
        cmocka_unit_test_teardown(a_device_that_is_taken_away_is_a_failure, tear_down),
        cmocka_unit_test_teardown(a_recording_that_ends_early_is_a_failure, tear_down),
        cmocka_unit_test_teardown(without_memory_packets_are_lost, tear_down),
        cmocka_unit_test_teardown(names_in_use_are_refused, tear_down),
    };
    const char *what = wired_missing();
    if (*what) {
        (void)fprintf(stderr, "skipped: %s\n", what);
        return WIRED_SKIP;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
