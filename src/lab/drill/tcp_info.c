/**
 * Where each field of the host's struct tcp_info lies. Bit fields have no address: they are read
 * from the structure itself.
 */
#include "tcp_info.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include "core/base.h"

_Static_assert(sizeof(struct tcp_info) <= HF_TCP_INFO_BYTES, "the structure fits");

#define FIELD(name)                                                                                \
    {                                                                                              \
#name, offsetof(struct tcp_info, name), sizeof(((struct tcp_info *)0)->name)               \
    }

static const struct {
    const char *name;
    size_t offset, size_bytes;
} fields[] = {
    FIELD(tcpi_state),
    FIELD(tcpi_ca_state),
    FIELD(tcpi_retransmits),
    FIELD(tcpi_probes),
    FIELD(tcpi_backoff),
    FIELD(tcpi_options),
    FIELD(tcpi_rto),
    FIELD(tcpi_ato),
    FIELD(tcpi_snd_mss),
    FIELD(tcpi_rcv_mss),
    FIELD(tcpi_unacked),
    FIELD(tcpi_sacked),
    FIELD(tcpi_lost),
    FIELD(tcpi_retrans),
    FIELD(tcpi_fackets),
    FIELD(tcpi_last_data_sent),
    FIELD(tcpi_last_ack_sent),
    FIELD(tcpi_last_data_recv),
    FIELD(tcpi_last_ack_recv),
    FIELD(tcpi_pmtu),
    FIELD(tcpi_rcv_ssthresh),
    FIELD(tcpi_rtt),
    FIELD(tcpi_rttvar),
    FIELD(tcpi_snd_ssthresh),
    FIELD(tcpi_snd_cwnd),
    FIELD(tcpi_advmss),
    FIELD(tcpi_reordering),
    FIELD(tcpi_rcv_rtt),
    FIELD(tcpi_rcv_space),
    FIELD(tcpi_total_retrans),
    FIELD(tcpi_pacing_rate),
    FIELD(tcpi_max_pacing_rate),
    FIELD(tcpi_bytes_acked),
    FIELD(tcpi_bytes_received),
    FIELD(tcpi_segs_out),
    FIELD(tcpi_segs_in),
    FIELD(tcpi_notsent_bytes),
    FIELD(tcpi_min_rtt),
    FIELD(tcpi_data_segs_in),
    FIELD(tcpi_data_segs_out),
    FIELD(tcpi_delivery_rate),
    FIELD(tcpi_busy_time),
    FIELD(tcpi_rwnd_limited),
    FIELD(tcpi_sndbuf_limited),
    FIELD(tcpi_delivered),
    FIELD(tcpi_delivered_ce),
    FIELD(tcpi_bytes_sent),
    FIELD(tcpi_bytes_retrans),
    FIELD(tcpi_dsack_dups),
    FIELD(tcpi_reord_seen),
    FIELD(tcpi_rcv_ooopack),
    FIELD(tcpi_snd_wnd),
    /* Bit fields: size 0. */
    {"tcpi_snd_wscale", 0, 0},
    {"tcpi_rcv_wscale", 1, 0},
    {"tcpi_delivery_rate_app_limited", 2, 0},
};

int hf_tcp_info_read(struct hf_tcp_info *info, const struct hf_posix *posix, int fd)
{
    *info = (struct hf_tcp_info){.length = HF_TCP_INFO_BYTES};
    return posix->calls->getsockopt(posix->self, fd, IPPROTO_TCP, TCP_INFO, info->bytes,
                                    &info->length);
}

static int64_t bit_field(const struct hf_tcp_info *info, size_t which)
{
    struct tcp_info all;
    memcpy(&all, info->bytes, sizeof all);
    if (which == 0)
        return all.tcpi_snd_wscale;
    return which == 1 ? all.tcpi_rcv_wscale : all.tcpi_delivery_rate_app_limited;
}

static int64_t plain_field(const uint8_t *at, size_t size_bytes)
{
    uint8_t narrow;
    uint32_t word;
    uint64_t wide;
    if (size_bytes == sizeof narrow)
        return *at;
    if (size_bytes == sizeof word) {
        memcpy(&word, at, sizeof word);
        return word;
    }
    memcpy(&wide, at, sizeof wide);
    return (int64_t)wide;
}

bool hf_tcp_info_value(const struct hf_tcp_info *info, const char *name, int64_t *value)
{
    for (size_t i = 0; i < HF_COUNT_OF(fields); i++) {
        if (strcmp(fields[i].name, name) != 0)
            continue;
        *value = fields[i].size_bytes == 0
                     ? bit_field(info, fields[i].offset)
                     : plain_field(info->bytes + fields[i].offset, fields[i].size_bytes);
        return true;
    }
    return false;
}

const char *hf_tcp_info_name(size_t i)
{
    return i < HF_COUNT_OF(fields) ? fields[i].name : NULL;
}
