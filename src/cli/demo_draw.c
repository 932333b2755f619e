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
    [NOTE_HELD] = "The client wants to connect. Its SYN takes one sequence number, as if it were a "
                  "byte: so it can be acknowledged, and sent again if it is lost. Handfast holds "
                  "it without an answer and asks the server first: an answer now would promise a "
                  "server that may not be there.",
    [NOTE_ADMITTED] = "The server is there. One segment acknowledges the client's SYN and carries "
                      "our own: two steps in one, and so an open takes three segments.",
    [NOTE_ESTABLISHED] = "The third. Now each side knows that the other hears it, and where its "
                         "numbers begin.",
    [NOTE_FIRST_FIN] = "The server is done, and closes its direction: a FIN behind the last byte. "
                       "It takes one sequence number too: the ACK of it is one higher.",
    [NOTE_HALF_CLOSED] = "The FIN is acknowledged: half closed. The client hears no more, but may "
                         "speak for as long as it likes. So this ACK can't wait for the client's "
                         "own FIN, and a release takes four segments where an open takes three.",
    [NOTE_DATA_AFTER_FIN] = "And it does speak: only now it sends its own file.",
    [NOTE_SECOND_FIN] = "The client is done too: the second FIN, the third segment of the release.",
    [NOTE_TIME_WAIT] = "The fourth. Will it arrive? If not, the client's FIN comes again, and "
                       "somebody must be there to answer. And old segments of this connection "
                       "must die out before its two ports may meet again. So who closed first "
                       "stays in TIME-WAIT for twice the maximum segment lifetime.",
};

#define NOTE_OVER "Nothing came: it is over, and all memory of it is free."

static void to_stdout(void *ctx, const char *text, size_t length_bytes)
{
    (void)ctx;
    fwrite(text, 1, length_bytes, stdout);
    fflush(stdout);
}

void hf_demo_draw_init(struct hf_demo_draw *d, const struct hf_ladder_style *style,
                       const char *intro, const char *client_name, const char *own_name,
                       hf_ns time_wait_ns)
{
    *d = (struct hf_demo_draw){.style = *style,
                               .intro = intro,
                               .client_name = client_name,
                               .own_name = own_name,
                               .time_wait_ns = time_wait_ns};
}

static void say(struct hf_demo_draw *d, enum note n)
{
    if ((d->told & 1u << n) != 0)
        return;
    d->told |= 1u << n;
    d->note = notes[n];
}

/** Draws the row that waits, with the states as they are by now. Both are shown in every row, also
 *  where they did not change: a ladder shows news only, so it is made to forget. */
static void flush(struct hf_demo_draw *d)
{
    if (d->row_waits) {
        d->row.left_state = (int)d->peer.state;
        d->row.right_state = (int)d->state;
        d->ladder.left.state = d->ladder.right.state = HF_LADDER_STATE_UNKNOWN;
        hf_ladder_add(&d->ladder, &d->row);
        d->row_waits = false;
    }
    if (d->note != NULL)
        hf_ladder_note(&d->ladder, d->note);
    d->note = NULL;
}

void hf_demo_draw_end(struct hf_demo_draw *d)
{
    if (!d->started)
        return;
    flush(d);
    hf_ladder_end(&d->ladder);
}

hf_ns hf_demo_draw_count_down(struct hf_demo_draw *d, hf_ns now)
{
    if (!d->started || d->time_wait_until_ns <= now)
        return HF_NEVER;
    flush(d);
    hf_ns left_ns = d->time_wait_until_ns - now;
    int left_s = (int)((left_ns + HF_SEC(1) - 1) / HF_SEC(1));
    if (left_s != d->seconds_told) {
        char text[40];
        (void)snprintf(text, sizeof text, "TIME-WAIT: %d s left", left_s);
        hf_ladder_note(&d->ladder, text);
        d->seconds_told = left_s;
    }
    return d->time_wait_until_ns - HF_SEC(left_s - 1);
}

/** What a segment of the client's, or of ours, is the occasion to say. */
static void comment_segment(struct hf_demo_draw *d, const struct hf_segment *seg, bool from_client)
{
    bool fin = (seg->flags & HF_FIN) != 0;
    if (!from_client && (seg->flags & HF_SYN) != 0)
        say(d, NOTE_ADMITTED);
    else if (!from_client && fin)
        say(d, NOTE_FIRST_FIN);
    else if (!from_client && d->state == HF_TIME_WAIT)
        say(d, NOTE_TIME_WAIT);
    else if (from_client && fin)
        say(d, NOTE_SECOND_FIN);
    else if (from_client && seg->payload_bytes > 0 && d->state == HF_FIN_WAIT_2)
        say(d, NOTE_DATA_AFTER_FIN);
}

static void take_segment(struct hf_demo_draw *d, const struct hf_trace_event *e, bool from_client)
{
    flush(d);
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
    if (!from_client) /* what brought our state about came before it */
        flush(d);
}

/** True: a segment that came in has changed the state; false: the application did, or time. */
static bool is_by_segment(const struct hf_trace_event *e)
{
    return e->from != HF_TIME_WAIT && e->reason != HF_WHY_SHUTDOWN && e->reason != HF_WHY_CLOSE &&
           e->reason != HF_WHY_ABORT;
}

static void take_state(struct hf_demo_draw *d, const struct hf_trace_event *e)
{
    if (!is_by_segment(e))
        flush(d);
    if (e->from == HF_TIME_WAIT) { /* in virtual time nobody has counted */
        while (d->seconds_told != 1 && d->time_wait_until_ns > 0) {
            int left_s =
                d->seconds_told > 0 ? d->seconds_told - 1 : (int)(d->time_wait_ns / HF_SEC(1));
            hf_demo_draw_count_down(d, d->time_wait_until_ns - HF_SEC(left_s));
        }
        d->state = e->to;
        d->ladder.left.state = d->ladder.right.state = HF_LADDER_STATE_UNKNOWN;
        hf_ladder_pause(&d->ladder, e->now_ns, (int)d->peer.state, (int)d->state, NOTE_OVER);
        return;
    }
    d->state = e->to;
    if (e->reason == HF_WHY_HELD)
        say(d, NOTE_HELD);
    if (e->to == HF_ESTABLISHED)
        say(d, NOTE_ESTABLISHED);
    if (e->to == HF_FIN_WAIT_2)
        say(d, NOTE_HALF_CLOSED);
    if (e->to == HF_TIME_WAIT)
        d->time_wait_until_ns = e->now_ns + d->time_wait_ns;
    if (is_by_segment(e))
        flush(d);
}

/** The first connection is drawn; others are not the demo's. */
static bool is_drawn(struct hf_demo_draw *d, const struct hf_trace_event *e)
{
    if (!d->started && e->type == HF_TRACE_SEGMENT_IN && e->segment != NULL &&
        (e->segment->flags & HF_SYN) != 0) {
        d->started = true;
        d->client = e->remote;
        to_stdout(NULL, d->intro, strlen(d->intro));
        hf_ladder_begin(&d->ladder, &d->style, to_stdout, NULL, d->client_name, d->own_name);
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
