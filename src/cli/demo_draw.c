#include "demo_draw.h"

#include <stdio.h>
#include <string.h>

enum note {
    NOTE_HELD,
    NOTE_ADMITTED,
    NOTE_ESTABLISHED,
    NOTE_FIRST_FIN,
    NOTE_HALF_CLOSED,
    NOTE_DATA_AFTER_FIN,
    NOTE_SECOND_FIN,
    NOTE_TIME_WAIT,
    NOTES
};

static const char *const notes[NOTES] = {
    [NOTE_HELD] = "The SYN is held, not answered: Handfast first asks whether the server can be "
                  "reached. A SYN takes one sequence number, as if it were a byte.",
    [NOTE_ADMITTED] = "The server answered, so the client gets its SYN,ACK: our own SYN and the "
                      "acknowledgment of the client's in one segment. That is why opening takes "
                      "three segments.",
    [NOTE_ESTABLISHED] = "The third segment: both sides know that the other one hears them. Data "
                         "can flow in both directions.",
    [NOTE_FIRST_FIN] = "The server has said all it wanted: a FIN, after the last byte. It takes a "
                       "sequence number too, so it is acknowledged, and sent again if lost.",
    [NOTE_HALF_CLOSED] = "Half closed: this direction is over, the other one stays open for as "
                         "long as the client likes. That is why a release takes four segments: "
                         "each direction has its own FIN and its own ACK.",
    [NOTE_DATA_AFTER_FIN] = "And so it does: the client sends its own file only now.",
    [NOTE_SECOND_FIN] = "The second FIN, from the client. After our ACK nothing is left to say.",
    [NOTE_TIME_WAIT] = "TIME-WAIT: our last ACK could be lost, then the FIN comes again and must "
                       "be answered; and old segments must die out before these two ports may "
                       "meet again. So we wait for twice the maximum segment lifetime.",
};

static void to_stdout(void *ctx, const char *text, size_t length_bytes)
{
    (void)ctx;
    fwrite(text, 1, length_bytes, stdout);
    fflush(stdout);
}

void hf_demo_draw_init(struct hf_demo_draw *d, const struct hf_ladder_style *style,
                       const char *client_name, const char *own_name, hf_ns time_wait_ns)
{
    memset(d, 0, sizeof *d);
    d->time_wait_ns = time_wait_ns;
    hf_ladder_begin(&d->ladder, style, to_stdout, NULL, client_name, own_name);
}

static void say(struct hf_demo_draw *d, enum note n)
{
    if ((d->told & 1u << n) != 0)
        return;
    d->told |= 1u << n;
    d->note = notes[n];
}

void hf_demo_draw_flush(struct hf_demo_draw *d)
{
    if (d->row_waits) {
        d->row.left_state = (int)d->peer.state;
        d->row.right_state = (int)d->state;
        d->row.note = NULL;
        hf_ladder_add(&d->ladder, &d->row);
        d->row_waits = false;
    }
    if (d->note != NULL)
        hf_ladder_note(&d->ladder, d->note);
    d->note = NULL;
}

void hf_demo_draw_end(struct hf_demo_draw *d)
{
    hf_demo_draw_flush(d);
    hf_ladder_end(&d->ladder);
}

/** What a segment of ours, or of the client, is the occasion to say. */
static void comment_segment(struct hf_demo_draw *d, const struct hf_segment *seg, bool from_client)
{
    bool fin = (seg->flags & HF_FIN) != 0;
    if (!from_client && (seg->flags & HF_SYN) != 0)
        say(d, NOTE_ADMITTED);
    if (!from_client && fin)
        say(d, NOTE_FIRST_FIN);
    if (from_client && seg->payload_bytes > 0 && d->state == HF_FIN_WAIT_2 && !fin)
        say(d, NOTE_DATA_AFTER_FIN);
    if (from_client && fin)
        say(d, NOTE_SECOND_FIN);
}

static void take_segment(struct hf_demo_draw *d, const struct hf_trace_event *e, bool from_client)
{
    hf_demo_draw_flush(d);
    d->segments++;
    d->row = (struct hf_ladder_row){
        .time_ns = e->now_ns,
        .left_to_right = from_client,
        .fate = HF_FATE_DELIVERED,
        .segment = *e->segment,
    };
    d->row_waits = true;
    if (from_client)
        hf_guess_sent(&d->peer, e->segment);
    else
        hf_guess_got(&d->peer, e->segment);
    comment_segment(d, e->segment, from_client);
}

static void take_state(struct hf_demo_draw *d, const struct hf_trace_event *e)
{
    if (e->from == HF_TIME_WAIT)
        hf_demo_draw_flush(d);
    d->state = e->to;
    if (e->reason == HF_WHY_HELD)
        say(d, NOTE_HELD);
    if (e->to == HF_ESTABLISHED) {
        say(d, NOTE_ESTABLISHED);
        hf_demo_draw_flush(
            d); /* a quick application is in the next state before the next segment */
    }
    if (e->to == HF_FIN_WAIT_2)
        say(d, NOTE_HALF_CLOSED);
    if (e->to == HF_TIME_WAIT) {
        d->time_wait_until_ns = e->now_ns + d->time_wait_ns;
        hf_demo_draw_flush(d);
        say(d, NOTE_TIME_WAIT);
    }
    if (e->from == HF_TIME_WAIT) {
        hf_ladder_pause(&d->ladder, e->now_ns, (int)d->peer.state, (int)d->state, NULL);
    }
}

/** The first connection is drawn; others are not the demo's. */
static bool is_drawn(struct hf_demo_draw *d, const struct hf_trace_event *e)
{
    if (!d->started && e->type == HF_TRACE_SEGMENT_IN && e->segment != NULL &&
        (e->segment->flags & HF_SYN) != 0) {
        d->started = true;
        d->client = e->remote;
        d->start_ns = e->now_ns;
    }
    return d->started && e->remote.port == d->client.port &&
           hf_addr_equal(&e->remote.addr, &d->client.addr);
}

void hf_demo_trace(void *ctx, const struct hf_trace_event *e)
{
    struct hf_demo_draw *d = ctx;
    if (d == NULL || !is_drawn(d, e)) /* NULL: the other stack of a virtual wire */
        return;
    if (e->type == HF_TRACE_SEGMENT_IN || e->type == HF_TRACE_SEGMENT_OUT)
        take_segment(d, e, e->type == HF_TRACE_SEGMENT_IN);
    else if (e->type == HF_TRACE_STATE)
        take_state(d, e);
}
