/**
 * What all links have in common: counting, and asking the inner link where a wrapper has no answer
 * of its own.
 */
#include <handfast/host.h>

int hf_link_receive(struct hf_link *l, struct hf_packet *packets, size_t max)
{
    int n = max ? l->ops->receive(l, packets, max) : 0;
    for (int i = 0; i < n; i++)
        l->stats.bytes_in += packets[i].length_bytes;
    if (n > 0)
        l->stats.packets_in += (uint64_t)n;
    return n;
}

int hf_link_send(struct hf_link *l, const struct hf_out_packet *packets, size_t n)
{
    int taken = n ? l->ops->send(l, packets, n) : 0;
    for (int i = 0; i < taken; i++)
        l->stats.bytes_out += packets[i].length_bytes;
    if (taken > 0)
        l->stats.packets_out += (uint64_t)taken;
    if (taken >= 0 && (size_t)taken < n)
        l->stats.out_busy++;
    return taken;
}

int hf_link_fd(const struct hf_link *l)
{
    if (l->ops->fd)
        return l->ops->fd(l);
    return l->inner ? hf_link_fd(l->inner) : -1;
}

void hf_link_caps(const struct hf_link *l, struct hf_link_caps *caps)
{
    if (l->ops->caps)
        l->ops->caps(l, caps);
    else if (l->inner)
        hf_link_caps(l->inner, caps);
    else
        *caps = (struct hf_link_caps){0};
}

void hf_link_stats(const struct hf_link *l, struct hf_link_stats *stats)
{
    *stats = l->stats;
}

hf_ns hf_link_deadline(const struct hf_link *l)
{
    if (l->ops->deadline)
        return l->ops->deadline(l);
    return l->inner ? hf_link_deadline(l->inner) : HF_NEVER;
}

void hf_link_expire(struct hf_link *l)
{
    if (l->ops->expire)
        l->ops->expire(l);
    else if (l->inner)
        hf_link_expire(l->inner);
}

void hf_link_close(struct hf_link *l)
{
    while (l) {
        struct hf_link *inner = l->inner;
        l->ops->close(l);
        l = inner;
    }
}
