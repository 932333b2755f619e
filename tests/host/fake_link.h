/**
 * A link in memory: hands out packets that a test put in, keeps what is sent, can be full or fail.
 */
#ifndef HF_TEST_FAKE_LINK_H
#define HF_TEST_FAKE_LINK_H

#include <handfast/host.h>

#include <stdlib.h>
#include <string.h>

enum { FAKE_MAX = 64, FAKE_BYTES = 4096 };

struct fake_packet {
    uint8_t bytes[FAKE_BYTES];
    uint32_t length_bytes;
    uint16_t segment_bytes, flags, header_bytes;
};

struct fake_link {
    struct hf_link link;
    struct fake_packet in[FAKE_MAX], sent[FAKE_MAX];
    size_t in_count, in_taken, sent_count;
    size_t room; /* how many packets send takes; SIZE_MAX: any */
    int fd, fail, closed;
};

static struct fake_link *fake_of(struct hf_link *l)
{
    return (struct fake_link *)l;
}

static int fake_receive(struct hf_link *l, struct hf_packet *packets, size_t max)
{
    struct fake_link *f = fake_of(l);
    size_t n = 0;
    if (f->fail)
        return f->fail;
    for (; n < max && f->in_taken < f->in_count; n++) {
        const struct fake_packet *p = &f->in[f->in_taken++];
        packets[n] = (struct hf_packet){p->bytes, p->length_bytes, p->segment_bytes, p->flags};
    }
    return (int)n;
}

static void fake_keep(struct fake_packet *to, const struct hf_out_packet *p)
{
    *to = (struct fake_packet){.segment_bytes = p->segment_bytes,
                               .flags = p->flags,
                               .header_bytes = p->header_bytes,
                               .length_bytes = p->header_bytes};
    memcpy(to->bytes, p->header, p->header_bytes);
    for (size_t i = 0; i < p->slice_count; i++) {
        if (to->length_bytes + p->slices[i].length_bytes > FAKE_BYTES)
            abort();
        memcpy(to->bytes + to->length_bytes, p->slices[i].bytes, p->slices[i].length_bytes);
        to->length_bytes += (uint32_t)p->slices[i].length_bytes;
    }
}

static int fake_send(struct hf_link *l, const struct hf_out_packet *packets, size_t n)
{
    struct fake_link *f = fake_of(l);
    size_t i = 0;
    for (; i < n && f->room > 0 && f->sent_count < FAKE_MAX; i++) {
        fake_keep(&f->sent[f->sent_count++], &packets[i]);
        f->room -= f->room != SIZE_MAX;
    }
    return (int)i;
}

static int fake_fd(const struct hf_link *l)
{
    return ((const struct fake_link *)l)->fd;
}

static void fake_caps(const struct hf_link *l, struct hf_link_caps *caps)
{
    (void)l;
    *caps = (struct hf_link_caps){.checksum = true, .super_bytes = 4000, .mtu_bytes = 1234};
}

static void fake_close(struct hf_link *l)
{
    fake_of(l)->closed++;
}

static const struct hf_link_ops fake_ops = {
    .receive = fake_receive,
    .send = fake_send,
    .fd = fake_fd,
    .caps = fake_caps,
    .close = fake_close,
};

static inline void fake_init(struct fake_link *f)
{
    memset(f, 0, sizeof *f);
    f->link.ops = &fake_ops;
    f->room = SIZE_MAX;
    f->fd = -1;
}

/** Puts a packet in, to be received. */
static inline struct fake_packet *fake_put(struct fake_link *f, const void *bytes, size_t n)
{
    if (f->in_count == FAKE_MAX || n > FAKE_BYTES)
        abort();
    struct fake_packet *p = &f->in[f->in_count++];
    memset(p, 0, sizeof *p);
    memcpy(p->bytes, bytes, n);
    p->length_bytes = (uint32_t)n;
    return p;
}

#endif
