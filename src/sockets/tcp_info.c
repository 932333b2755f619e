/**
 * TCP_INFO: what the core tells of a connection, in Linux's structure, and the segment size.
 */
#include "socket.h"

#include <errno.h>
#include <linux/tcp.h>
#include <string.h>

enum {
    MSS_DEFAULT_BYTES = 536,
    TIMESTAMP_BYTES = 12,
    TCP_HEADER_BYTES = 20,
    IPV4_HEADER_BYTES = 20,
    IPV6_HEADER_BYTES = 40,
};

/** Linux's numbers for the states; its header names them for the kernel only. */
static uint8_t state_of(enum hf_state state)
{
    switch (state) {
    case HF_ESTABLISHED: return 1;
    case HF_SYN_SENT: return 2;
    case HF_SYN_RCVD: return 3;
    case HF_FIN_WAIT_1: return 4;
    case HF_FIN_WAIT_2: return 5;
    case HF_TIME_WAIT: return 6;
    case HF_CLOSED: return 7;
    case HF_CLOSE_WAIT: return 8;
    case HF_LAST_ACK: return 9;
    case HF_LISTEN: return 10;
    case HF_CLOSING: return 11;
    }
    return 0;
}

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/** The MSS that is offered: the path's and what TCP_MAXSEG says. */
static uint32_t offered_mss(const struct hf_sockets *s, const struct hf_socket *socket,
                            const struct hf_info *info)
{
    uint32_t ip = hf_addr_is_v4(&info->remote.addr) ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
    uint32_t path = info->path_mtu_bytes - ip - TCP_HEADER_BYTES;
    uint32_t asked = (uint32_t)hf_socket_core_option(s, socket, HF_OPT_MSS_BYTES);
    return asked > 0 ? min_u32(asked, path) : path;
}

static uint32_t sent_mss(const struct hf_sockets *s, const struct hf_socket *socket,
                         const struct hf_info *info)
{
    uint32_t mss = min_u32(info->snd_mss_bytes, offered_mss(s, socket, info));
    return mss - (info->timestamps ? TIMESTAMP_BYTES : 0);
}

uint32_t hf_socket_mss(const struct hf_sockets *s, const struct hf_socket *socket)
{
    struct hf_info info = hf_socket_info(s, socket);
    if (info.path_mtu_bytes > 0 && info.state != HF_CLOSED)
        return sent_mss(s, socket, &info);
    uint32_t asked = (uint32_t)hf_socket_core_option(s, socket, HF_OPT_MSS_BYTES);
    return asked > 0 ? asked : MSS_DEFAULT_BYTES;
}

static uint32_t microseconds(hf_ns ns)
{
    return (uint32_t)(ns / HF_US(1));
}

static void fill_options(struct tcp_info *to, const struct hf_info *info)
{
    if (info->timestamps)
        to->tcpi_options |= TCPI_OPT_TIMESTAMPS;
    if (info->sack)
        to->tcpi_options |= TCPI_OPT_SACK;
    if (info->window_scale)
        to->tcpi_options |= TCPI_OPT_WSCALE;
    to->tcpi_snd_wscale = info->snd_shift & 15u;
    to->tcpi_rcv_wscale = info->rcv_shift & 15u;
}

static void fill_window(struct tcp_info *to, const struct hf_info *info, uint32_t mss)
{
    enum { INFINITE = 0x7fffffff };
    uint32_t ssthresh = info->ssthresh_bytes / mss;
    to->tcpi_snd_cwnd = info->cwnd_bytes / mss;
    to->tcpi_snd_ssthresh = info->ssthresh_bytes >= INFINITE ? INFINITE : ssthresh;
    to->tcpi_unacked = (info->in_flight_bytes + mss - 1) / mss;
    to->tcpi_notsent_bytes = info->send_queue_bytes > info->in_flight_bytes
                                 ? info->send_queue_bytes - info->in_flight_bytes
                                 : 0;
    to->tcpi_rcv_space = info->rcv_wnd_bytes;
    to->tcpi_rcv_ssthresh = info->rcv_wnd_bytes;
    to->tcpi_snd_wnd = info->snd_wnd_bytes;
}

/** Linux's states of congestion control, which its header has for the kernel only. */
static uint8_t ca_state(const struct hf_info *info)
{
    enum { CA_OPEN = 0, CA_DISORDER = 1, CA_RECOVERY = 3, CA_LOSS = 4 };
    switch (info->loss_state) {
    case HF_LOSS_NONE: return info->sacked_bytes > 0 ? CA_DISORDER : CA_OPEN;
    case HF_LOSS_RECOVERY: return CA_RECOVERY;
    case HF_LOSS_TIMEOUT: return CA_LOSS;
    }
    return CA_OPEN;
}

static void fill_loss(struct tcp_info *to, const struct hf_info *info, uint32_t mss)
{
    to->tcpi_ca_state = ca_state(info);
    to->tcpi_sacked = (info->sacked_bytes + mss - 1) / mss;
    to->tcpi_lost = (info->lost_bytes + mss - 1) / mss;
    to->tcpi_retrans = (info->resent_bytes + mss - 1) / mss;
}

static void fill(const struct hf_sockets *s, const struct hf_socket *socket,
                 const struct hf_info *info, struct tcp_info *to)
{
    uint32_t mss = sent_mss(s, socket, info);
    fill_options(to, info);
    fill_window(to, info, mss);
    fill_loss(to, info, mss);
    to->tcpi_snd_mss = mss;
    to->tcpi_rcv_mss = info->rcv_mss_bytes;
    to->tcpi_advmss = offered_mss(s, socket, info);
    to->tcpi_pmtu = info->path_mtu_bytes;
    to->tcpi_retransmits = info->retransmit_count;
    to->tcpi_backoff = info->retransmit_count;
    to->tcpi_probes = info->probe_count;
    to->tcpi_total_retrans = info->segments_retransmitted;
    to->tcpi_rto = microseconds(info->rto_ns);
    to->tcpi_rtt = microseconds(info->srtt_ns);
    to->tcpi_rttvar = microseconds(info->rttvar_ns);
    to->tcpi_bytes_acked = info->bytes_sent;
    to->tcpi_bytes_received = info->bytes_received;
}

bool hf_sockets_tell(const char *field)
{
    static const char *const told[] = {
        "tcpi_state",          "tcpi_retransmits",   "tcpi_probes",
        "tcpi_backoff",        "tcpi_options",       "tcpi_snd_wscale",
        "tcpi_rcv_wscale",     "tcpi_rto",           "tcpi_snd_mss",
        "tcpi_rcv_mss",        "tcpi_unacked",       "tcpi_pmtu",
        "tcpi_rcv_ssthresh",   "tcpi_rtt",           "tcpi_rttvar",
        "tcpi_snd_ssthresh",   "tcpi_snd_cwnd",      "tcpi_advmss",
        "tcpi_rcv_space",      "tcpi_total_retrans", "tcpi_bytes_acked",
        "tcpi_bytes_received", "tcpi_notsent_bytes", "tcpi_snd_wnd",
        "tcpi_ca_state",       "tcpi_sacked",        "tcpi_lost",
        "tcpi_retrans",
    };
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
        if (strcmp(told[i], field) == 0)
            return true;
    return false;
}

int hf_socket_tcp_info(const struct hf_sockets *s, const struct hf_socket *socket, void *value,
                       socklen_t *length)
{
    struct tcp_info to;
    struct hf_info info = hf_socket_info(s, socket);
    memset(&to, 0, sizeof to);
    if (*length > INT32_MAX)
        return -EINVAL;
    if (socket->phase == HF_SOCKET_LISTENING) {
        info.state = HF_LISTEN;
        to.tcpi_unacked = socket->queue_length; /* as Linux: what waits, and how much may */
        to.tcpi_sacked = socket->backlog;
    }
    to.tcpi_state = state_of(info.state);
    if (info.path_mtu_bytes > 0)
        fill(s, socket, &info, &to);
    if (*length > sizeof to)
        *length = sizeof to;
    memcpy(value, &to, *length);
    return 0;
}
