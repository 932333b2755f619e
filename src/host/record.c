/**
 * A wrapper that writes what passes to a pcapng file. Owns the file; the bytes of the format are
 * made in show/pcapng.c.
 *
 * A batch of packets is gathered and written in one go, before the call that brought it returns: a
 * killed process loses nothing. When writing fails the file is cut back to its last whole packet,
 * one warning is given, and packets are only counted from then on.
 */
#include "output.h"
#include "why.h"

#include "show/pcapng.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    /* At least one packet of any size fits; ordinary ones go by the hundred. */
    GATHER_BYTES = 256 * 1024,
    SLICES_MAX = 64,
};

struct record {
    struct hf_link link;
    struct hf_record_config cfg;
    struct hf_record_stats stats;
    char *path;
    int fd;            /* -1: given up */
    off_t whole_bytes; /* of the file, up to the last block that was written */
    size_t gathered_bytes, gathered_packets;
    uint8_t gather[GATHER_BYTES];
    uint8_t flat[65536]; /* a packet of more slices than SLICES_MAX */
};

static struct record *of(struct hf_link *l)
{
    return (struct record *)l;
}

static hf_ns wall_now(const struct record *r)
{
    return r->cfg.wall_clock ? r->cfg.wall_clock(r->cfg.ctx) : hf_host_wall_clock();
}

static void warn(const struct record *r, const char *line)
{
    if (r->cfg.warn)
        r->cfg.warn(r->cfg.ctx, line);
    else
        fprintf(stderr, "%s\n", line);
}

static int write_all(int fd, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, bytes, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -1;
        bytes += done;
        n -= (size_t)done;
    }
    return 0;
}

static void give_up(struct record *r)
{
    char line[HF_WHY_TEXT_BYTES];
    snprintf(line, sizeof line,
             "record %.120s: %s (recording ends after %llu packets, the traffic goes on)", r->path,
             strerror(errno), (unsigned long long)r->stats.written);
    /* Half a block would make readers complain. What is no file can't be cut, and needn't be. */
    if (ftruncate(r->fd, r->whole_bytes) < 0)
        errno = 0;
    close(r->fd);
    r->fd = -1;
    r->stats.unwritten += r->gathered_packets;
    warn(r, line);
}

static void flush(struct record *r)
{
    if (r->fd < 0 || r->gathered_bytes == 0)
        return;
    if (write_all(r->fd, r->gather, r->gathered_bytes) < 0) {
        give_up(r);
    } else {
        r->whole_bytes += (off_t)r->gathered_bytes;
        r->stats.written += r->gathered_packets;
    }
    r->gathered_bytes = 0;
    r->gathered_packets = 0;
}

static void write_packet(struct record *r, hf_ns now, enum hf_pcapng_direction direction,
                         const struct hf_slice *slices, size_t count)
{
    const struct hf_pcapng_packet p = {
        .time_ns = now, .direction = direction, .slices = slices, .slice_count = count};
    for (int attempt = 0; attempt < 2 && r->fd >= 0; attempt++) {
        size_t n =
            hf_pcapng_packet(r->gather + r->gathered_bytes, GATHER_BYTES - r->gathered_bytes, &p);
        r->gathered_bytes += n;
        r->gathered_packets += n > 0;
        if (n > 0)
            return;
        flush(r); /* full: with an empty buffer it will fit */
    }
    r->stats.unwritten++;
}

static int record_receive(struct hf_link *l, struct hf_packet *packets, size_t max)
{
    struct record *r = of(l);
    int n = hf_link_receive(l->inner, packets, max);
    if (n <= 0)
        return n;
    hf_ns now = wall_now(r);
    for (int i = 0; i < n; i++) {
        const struct hf_slice whole = {packets[i].bytes, packets[i].length_bytes};
        write_packet(r, now, HF_PCAPNG_IN, &whole, 1);
    }
    flush(r);
    return n;
}

static void write_out_packet(struct record *r, hf_ns now, const struct hf_out_packet *p)
{
    struct hf_slice slices[1 + SLICES_MAX] = {{p->header, p->header_bytes}};
    size_t count = 1;
    if (p->slice_count <= SLICES_MAX) {
        for (size_t i = 0; i < p->slice_count; i++)
            slices[count++] = p->slices[i];
    } else {
        size_t n = 0;
        for (size_t i = 0; i < p->slice_count; i++) {
            size_t room = sizeof r->flat - n;
            size_t take = p->slices[i].length_bytes < room ? p->slices[i].length_bytes : room;
            memcpy(r->flat + n, p->slices[i].bytes, take);
            n += take;
        }
        slices[count++] = (struct hf_slice){r->flat, n};
    }
    write_packet(r, now, HF_PCAPNG_OUT, slices, count);
}

static int record_send(struct hf_link *l, const struct hf_out_packet *packets, size_t n)
{
    struct record *r = of(l);
    int taken = hf_link_send(l->inner, packets, n);
    if (taken <= 0)
        return taken;
    hf_ns now = wall_now(r);
    for (int i = 0; i < taken; i++)
        write_out_packet(r, now, &packets[i]);
    flush(r);
    return taken;
}

static void record_close(struct hf_link *l)
{
    struct record *r = of(l);
    if (r->fd >= 0)
        close(r->fd);
    free(r->path);
    free(r);
}

static const struct hf_link_ops record_ops = {
    .receive = record_receive,
    .send = record_send,
    .close = record_close,
};

/* The blocks before the first packet. They are written at once: an empty recording is a valid file,
 * and a disk that is full already is told now. */
static int write_head(struct record *r, struct hf_why *why)
{
    size_t n =
        hf_pcapng_section(r->gather, GATHER_BYTES, "handfast " HF_VERSION_TEXT, r->cfg.comment);
    size_t m = n == 0 ? 0
                      : hf_pcapng_interface(r->gather + n, GATHER_BYTES - n, HF_PCAPNG_LINKTYPE_RAW,
                                            r->cfg.interface_name);
    if (m == 0)
        return hf_why_set(why, HF_E_INVALID, 0, "record %.120s: the comment is too long", r->path);
    if (write_all(r->fd, r->gather, n + m) < 0)
        return hf_why_set(why, hf_why_class(errno), errno,
                          "record %.120s: %s (choose another place for the file)", r->path,
                          strerror(errno));
    r->whole_bytes = (off_t)(n + m);
    return HF_OK;
}

static int refuse(const char *path, int e, struct hf_why *why)
{
    if (e == EEXIST)
        return hf_why_set(why, HF_E_INVALID, e, "record %.120s: %s", path, HF_OUTPUT_IN_THE_WAY);
    return hf_why_set(why, hf_why_class(e), e, "record %.120s: %s (check the path)", path,
                      strerror(e));
}

int hf_link_record(struct hf_link **out, struct hf_link *inner, const struct hf_record_config *cfg,
                   struct hf_why *why)
{
    int err = HF_OK;
    struct record *r = calloc(1, sizeof *r);
    char *path = strdup(cfg->path);
    if (!r || !path) {
        err = hf_why_set(why, HF_E_MEMORY, ENOMEM, "record %.120s: no memory", cfg->path);
        goto free_both;
    }
    r->link = (struct hf_link){.ops = &record_ops, .inner = inner};
    r->cfg = *cfg;
    r->path = path;
    r->fd = hf_output_open(path);
    if (r->fd < 0) {
        err = refuse(path, errno, why);
        goto free_both;
    }
    err = write_head(r, why);
    if (err < 0)
        goto close_file;
    /* The caller's strings need not live as long as the link. */
    r->cfg.path = r->cfg.comment = r->cfg.interface_name = NULL;
    *out = &r->link;
    return HF_OK;
close_file:
    close(r->fd);
free_both:
    free(path);
    free(r);
    return err;
}

void hf_link_record_stats(const struct hf_link *l, struct hf_record_stats *stats)
{
    *stats = ((const struct record *)l)->stats;
}
