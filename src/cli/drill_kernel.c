/**
 * The kernel as a target. Packets go in through the TUN. They are not taken from there, but from a
 * packet socket on it, which has the kernel's own time of sending: how late this process gets to
 * run then matters for what it does, not for what it sees.
 */
#include "drill_kernel.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base.h"
#include "core/wire/ip.h"
#include "gateway/interface.h"
#include "gateway/network.h"
#include "host/kernel_sockets.h"
#include "host/why.h"
#include "kernel_settings.h"

/** A socket may get ready without any packet that would tell of it: it is asked this often. */
#define GLANCE_NS HF_MS(1)
/** What comes in is the kernel's to do when it gets to it. */
#define PATIENCE_NS HF_SEC(1)

enum { MTU_BYTES = 1500, WATCH_BUFFER_BYTES = 4 << 20, TIMER_SLACK_NS = 1000 };

static const char interface[] = "tun0";

/* ---- time --------------------------------------------------------------------------------- */

static hf_ns target_now(void *self)
{
    (void)self;
    return hf_host_now();
}

/** Packets left in the TUN would in the end hold the kernel up. */
static void empty_tun(struct hf_drill_kernel *k)
{
    struct hf_packet packet;
    while (hf_link_receive(k->link, &packet, 1) > 0)
        continue;
}

static void target_run(void *self, hf_ns until_ns)
{
    struct hf_drill_kernel *k = self;
    struct pollfd watch = {.fd = k->watch_fd, .events = POLLIN};
    hf_ns span_ns = hf_min_ns(hf_max_ns(until_ns - hf_host_now(), 0), GLANCE_NS);
    struct timespec span = {.tv_nsec = (long)span_ns};
    empty_tun(k);
    (void)ppoll(&watch, 1, &span, NULL);
}

/* ---- the wire ----------------------------------------------------------------------------- */

static void target_inject(void *self, const uint8_t *bytes, uint32_t length_bytes)
{
    struct hf_drill_kernel *k = self;
    const struct hf_out_packet packet = {
        .header = bytes, .header_bytes = (uint16_t)length_bytes, .length_bytes = length_bytes};
    if (length_bytes <= UINT16_MAX)
        (void)!hf_link_send(k->link, &packet, 1);
}

/** The kernel's stamp is of the clock that people set: it is moved to the one that scripts use. */
static hf_ns read_stamp(struct msghdr *message)
{
    struct timespec stamp, real;
    hf_ns now_ns = hf_host_now();
    clock_gettime(CLOCK_REALTIME, &real);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_TIMESTAMPNS)
            continue;
        memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
        hf_ns age_ns = HF_SEC((hf_ns)(real.tv_sec - stamp.tv_sec)) + real.tv_nsec - stamp.tv_nsec;
        return now_ns - hf_max_ns(age_ns, 0);
    }
    return now_ns;
}

/** Of what goes out, only what goes to the script: the kernel talks to routers and neighbours. */
static bool is_for_script(const struct hf_drill_kernel *k, size_t length_bytes)
{
    struct hf_ip ip;
    return hf_ip_parse(k->packet, length_bytes, &ip) == HF_NONE &&
           hf_addr_equal(&ip.destination, &k->remote);
}

static bool target_take(void *self, struct hf_drill_packet *packet)
{
    struct hf_drill_kernel *k = self;
    for (;;) {
        union {
            struct cmsghdr header;
            char room[CMSG_SPACE(sizeof(struct timespec))];
        } control;
        struct sockaddr_ll from;
        struct iovec part = {k->packet, sizeof k->packet};
        struct msghdr message = {.msg_name = &from,
                                 .msg_namelen = sizeof from,
                                 .msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control.room,
                                 .msg_controllen = sizeof control.room};
        ssize_t n = recvmsg(k->watch_fd, &message, MSG_DONTWAIT);
        if (n < 0)
            return false;
        if (from.sll_pkttype != PACKET_OUTGOING || !is_for_script(k, (size_t)n))
            continue;
        *packet = (struct hf_drill_packet){read_stamp(&message), k->packet, (uint32_t)n};
        return true;
    }
}

/* ---- questions ---------------------------------------------------------------------------- */

/** States as the kernel numbers them in /proc/net/tcp; half-open requests are 3 there. */
static enum hf_state state_of(unsigned number)
{
    static const enum hf_state states[] = {
        HF_CLOSED,     HF_ESTABLISHED, HF_SYN_SENT, HF_SYN_RCVD,   HF_FIN_WAIT_1,
        HF_FIN_WAIT_2, HF_TIME_WAIT,   HF_CLOSED,   HF_CLOSE_WAIT, HF_LAST_ACK,
        HF_LISTEN,     HF_CLOSING,     HF_SYN_RCVD,
    };
    return number < sizeof states / sizeof states[0] ? states[number] : HF_CLOSED;
}

/** -1 if the file can't be read. */
static int count_in(const char *path, enum hf_state state)
{
    char line[512];
    unsigned number;
    int count = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -1;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "%*s %*s %*s %x", &number) == 1 && state_of(number) == state)
            count++;
    (void)fclose(file);
    return count;
}

static int target_count(void *self, enum hf_state state)
{
    (void)self;
    int v4 = count_in("/proc/self/net/tcp", state), v6 = count_in("/proc/self/net/tcp6", state);
    if (v4 < 0)
        return -1;
    return v4 + (v6 > 0 ? v6 : 0);
}

static const char *target_fault(void *self)
{
    (void)self;
    return NULL;
}

static int target_set(void *self, const char *name, const char *value,
                      char words[HF_DRILL_TARGET_WORDS_BYTES])
{
    struct hf_drill_kernel *k = self;
    return hf_kernel_setting_make(&k->settings, name, value, words);
}

static int socket_with_settings(void *self, int domain, int type, int protocol)
{
    const struct hf_drill_kernel *k = self;
    struct hf_posix kernel = hf_kernel_sockets();
    int fd = kernel.calls->socket(kernel.self, domain, type, protocol);
    if (fd >= 0)
        hf_kernel_setting_apply(&k->settings, fd);
    return fd;
}

/* ---- life --------------------------------------------------------------------------------- */

static int open_watch(int *out, struct hf_why *why)
{
    const int on = 1, room_bytes = WATCH_BUFFER_BYTES;
    struct sockaddr_ll all = {.sll_family = AF_PACKET,
                              .sll_protocol = htons(ETH_P_ALL),
                              .sll_ifindex = (int)if_nametoindex(interface)};
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return hf_why_set(why, hf_why_class(errno), errno,
                          "open a packet socket: %s (CAP_NET_RAW, or a kernel without "
                          "CONFIG_PACKET?)",
                          strerror(errno));
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room_bytes, sizeof room_bytes) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room_bytes, sizeof room_bytes);
    if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&all, sizeof all) < 0) {
        int err =
            hf_why_set(why, hf_why_class(errno), errno, "watch %s: %s", interface, strerror(errno));
        close(fd);
        return err;
    }
    *out = fd;
    return HF_OK;
}

/** The TUN with the kernel's address on it, and a default route over it. */
static int open_tun(struct hf_drill_kernel *k, const struct hf_drill_options *options,
                    struct hf_why *why)
{
    bool is_v4 = hf_addr_is_v4(&options->local);
    const struct hf_namespace_config place = {
        .interface = interface,
        .addr_v4 = is_v4 ? options->local : HF_ADDR_ANY,
        .addr_v6 = is_v4 ? HF_ADDR_ANY : options->local,
        .prefix_v4_bits = 32,
        .prefix_v6_bits = 128,
        .mtu_bytes = options->mtu_bytes > 0 ? options->mtu_bytes : MTU_BYTES,
    };
    const struct hf_tun_config plain = {.batch_packets = 4, .plain = true};
    int fd = -1, v6_errno = 0;
    int err = hf_interface_make(&place, &fd, &v6_errno, why);
    if (err == HF_E_PRIVILEGE)
        hf_network_explain(why);
    if (err != HF_OK)
        return err;
    if (v6_errno != 0)
        err = hf_why_set(why, HF_E_SYSTEM, v6_errno, "IPv6 in the kernel: %s", strerror(v6_errno));
    if (err == HF_OK)
        err = hf_link_tun_from_fd(&k->link, fd, &plain, why);
    if (err != HF_OK)
        close(fd);
    return err;
}

/** To wake up in time: little slack of timers, ahead of ordinary processes. A wish. */
static void set_pace(bool is_real_time)
{
    const struct sched_param none = {.sched_priority = 0}, some = {.sched_priority = 1};
    (void)prctl(PR_SET_TIMERSLACK, is_real_time ? (unsigned long)TIMER_SLACK_NS : 0, 0, 0, 0);
    if (is_real_time)
        (void)sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &some);
    else if (sched_getscheduler(0) == (SCHED_FIFO | SCHED_RESET_ON_FORK))
        (void)sched_setscheduler(0, SCHED_OTHER, &none);
}

static int open_place(struct hf_drill_kernel *k, const struct hf_drill_options *options,
                      struct hf_why *why)
{
    int err = hf_network_enter(false, why);
    if (err == HF_OK)
        err = open_tun(k, options, why);
    if (err != HF_OK)
        return err;
    /* The machine's own choice would be inherited, and what scripts see would hang on it; Reno is
     * allowed to everyone. */
    k->settings = (struct hf_kernel_settings){"reno"};
    err = open_watch(&k->watch_fd, why);
    if (err != HF_OK) {
        hf_link_close(k->link);
        return err;
    }
    k->remote = options->remote;
    set_pace(true);
    return HF_OK;
}

static void ground_close(void *self)
{
    struct hf_drill_kernel *k = self;
    set_pace(false);
    close(k->watch_fd);
    hf_link_close(k->link);
}

static int ground_open(void *self, const struct hf_drill_options *options,
                       struct hf_drill_target *target, char words[HF_DRILL_TARGET_WORDS_BYTES])
{
    static const struct hf_drill_target_calls calls = {
        .now = target_now,
        .run = target_run,
        .inject = target_inject,
        .take = target_take,
        .count = target_count,
        .fault = target_fault,
        .set = target_set,
    };
    struct hf_drill_kernel *k = self;
    struct hf_why why = {.text = ""};
    int err = open_place(k, options, &why);
    if (err != HF_OK) {
        snprintf(words, HF_DRILL_TARGET_WORDS_BYTES, "%s", why.text);
        return err;
    }
    /* The kernel's calls need no self: with this one, socket() finds its settings. */
    k->calls = *hf_kernel_sockets().calls;
    k->calls.socket = socket_with_settings;
    *target = (struct hf_drill_target){
        .self = k, .calls = &calls, .posix = {k, &k->calls}, .patience_ns = PATIENCE_NS};
    return HF_OK;
}

void hf_drill_kernel_ground(struct hf_drill_kernel *k, struct hf_drill_ground *ground)
{
    *ground = (struct hf_drill_ground){k, "linux", ground_open, ground_close};
}

int hf_drill_kernel_try(struct hf_drill_kernel *k, struct hf_why *why)
{
    const struct hf_drill_options options = {.local = hf_addr_v4(192, 0, 2, 1),
                                             .remote = hf_addr_v4(192, 0, 2, 2)};
    int err = open_place(k, &options, why);
    if (err == HF_OK)
        ground_close(k);
    return err;
}
