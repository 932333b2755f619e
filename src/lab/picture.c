/**
 * Pictures. Owns the rows and where a state is told; show/ladder.c draws.
 */
#include "picture.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/wire/ip.h"
#include "core/wire/tcp.h"

void hf_picture_init(struct hf_picture *p)
{
    *p = (struct hf_picture){.state = {HF_LADDER_STATE_UNKNOWN, HF_LADDER_STATE_UNKNOWN}};
}

void hf_picture_free(struct hf_picture *p)
{
    free(p->items);
    hf_picture_init(p);
}

static struct hf_picture_item *add_item(struct hf_picture *p, enum hf_picture_kind kind, hf_ns now)
{
    if (p->count == p->capacity) {
        p->capacity = p->capacity == 0 ? 64 : 2 * p->capacity;
        p->items = realloc(p->items, p->capacity * sizeof *p->items);
        HF_ASSERT(p->items != NULL);
    }
    struct hf_picture_item *item = &p->items[p->count++];
    *item = (struct hf_picture_item){.kind = kind};
    item->row.time_ns = now;
    item->row.left_state = item->row.right_state = HF_LADDER_STATE_UNKNOWN;
    return item;
}

static void tell_state(struct hf_picture *p, struct hf_picture_item *item, unsigned side, int state)
{
    *(side == 0 ? &item->row.left_state : &item->row.right_state) = state;
    p->state[side] = state;
    p->told_next[side] = p->count;
}

void hf_picture_turn(struct hf_picture *p, unsigned side)
{
    p->told_at[side] = p->told_next[side];
}

uint32_t hf_picture_sent(struct hf_picture *p, unsigned side, int state, hf_ns now,
                         const uint8_t *bytes, size_t length_bytes, enum hf_fate fate)
{
    struct hf_ip ip;
    struct hf_segment seg;
    if (hf_ip_parse(bytes, length_bytes, &ip) != HF_NONE || ip.protocol != HF_IP_PROTO_TCP ||
        hf_tcp_parse(bytes + ip.header_bytes, ip.payload_bytes, &seg) != HF_NONE)
        return 0;
    struct hf_picture_item *item = add_item(p, HF_PICTURE_ARROW, now);
    item->row.left_to_right = side == 0;
    item->row.fate = fate;
    item->row.segment = seg;
    tell_state(p, item, side, state);
    return (uint32_t)p->count;
}

void hf_picture_state(struct hf_picture *p, unsigned side, int state, uint32_t mark, hf_ns now)
{
    if (state == p->state[side] && mark == 0)
        return;
    /* On the packet's own row, unless the side told another state on a later row before. */
    if (mark != 0 && p->told_at[side] < mark)
        tell_state(p, &p->items[mark - 1], side, state);
    else if (state != p->state[side])
        tell_state(p, add_item(p, HF_PICTURE_STATES, now), side, state);
}

void hf_picture_note(struct hf_picture *p, hf_ns now, const char *words)
{
    struct hf_picture_item *item = add_item(p, HF_PICTURE_NOTE, now);
    snprintf(item->words, sizeof item->words, "%s", words);
}

static bool is_worth_words(const struct hf_picture *p, const struct hf_trace_event *e)
{
    switch (e->type) {
    case HF_TRACE_STATE:
    case HF_TRACE_ADMIT: return p->with_reasons;
    case HF_TRACE_DROP:
    case HF_TRACE_RST_IN:
    case HF_TRACE_RST_OUT:
    case HF_TRACE_RETRANSMIT:
    case HF_TRACE_RECOVERY:
    case HF_TRACE_WINDOW:
    case HF_TRACE_LIMIT:
    case HF_TRACE_ICMP_IN: return e->reason != HF_NONE;
    case HF_TRACE_SEGMENT_IN:
    case HF_TRACE_SEGMENT_OUT:
    case HF_TRACE_ACK_OUT:
    case HF_TRACE_TIMER:
    case HF_TRACE_RTT:
    case HF_TRACE_CLOSED:
    case HF_TRACE_COUNT: break;
    }
    return false;
}

void hf_picture_trace(struct hf_picture *p, const char *name, const struct hf_trace_event *event)
{
    char words[120];
    if (!is_worth_words(p, event))
        return;
    snprintf(words, sizeof words, "%s: %s", name, hf_reason_text(event->reason));
    hf_picture_note(p, event->now_ns, words);
}

void hf_picture_draw(const struct hf_picture *p, const struct hf_ladder_style *style,
                     hf_sink_fn *sink, void *sink_ctx, const char *left_name,
                     const char *right_name)
{
    struct hf_ladder ladder;
    hf_ladder_begin(&ladder, style, sink, sink_ctx, left_name, right_name);
    for (size_t i = 0; i < p->count; i++) {
        const struct hf_picture_item *item = &p->items[i];
        switch (item->kind) {
        case HF_PICTURE_ARROW: hf_ladder_add(&ladder, &item->row); break;
        case HF_PICTURE_STATES:
            hf_ladder_pause(&ladder, item->row.time_ns, item->row.left_state, item->row.right_state,
                            NULL);
            break;
        case HF_PICTURE_NOTE: hf_ladder_note(&ladder, item->words); break;
        }
    }
    hf_ladder_end(&ladder);
}
