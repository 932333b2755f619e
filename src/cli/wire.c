/**
 * Packets from one TUN device through a path to the other. See wire.h.
 */
#include "cli.h"
#include "wire.h"

#include "lab/cut.h"
#include "lab/packet_facts.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    /* A round reads and writes little, so that nothing waits long for its turn. */
    READ_MAX = 16,
    READ_PIECES_MAX = 64,
    WRITE_MAX = 8,
    SLOTS_FIRST = 1024,
    SLOTS_MAX = 1 << 21,
    LATE_PER_DELAY = 50, /* 2 % */
};
/* Of frames: a path with a long delay and no rate would take all memory there is. */
static const uint64_t HELD_MAX_BYTES = 1 << 30;
static const hf_ns LATE_AT_LEAST_NS = HF_US(100);
/* The bounds of what is learned of the kernel's timers. */
static const hf_ns WAKE_MIN_NS = HF_US(2), WAKE_MAX_NS = HF_US(50);
/* A wait shorter than this is spun away. A longer one is slept, for no less than SLEEP_MIN_NS:
 * that makes packets late by some microseconds where they come as close as that, but leaves the
 * core to others and writes two or three at a time. */
static const hf_ns SPIN_MAX_NS = HF_US(5), SLEEP_MIN_NS = HF_US(20);

/* ---- recording -------------------------------------------------------------------------------
 * What arrives at the left is what the tape receives, what arrives at the right is sent to it: so
 * one file of the recorder holds both, each with its direction. */

static int tape_receive(struct hf_link *l, struct hf_packet *packets, size_t max)
{
    struct wire *w = (struct wire *)((char *)l - offsetof(struct wire, tape));
    size_t n = w->tape_count < max ? w->tape_count : max;
    memcpy(packets, w->tape_packets, n * sizeof *packets);
    return (int)n;
}

static int tape_send(struct hf_link *l, const struct hf_out_packet *packets, size_t n)
{
    (void)l, (void)packets;
    return (int)n;
}

static void tape_close(struct hf_link *l)
{
    (void)l;
}

static const struct hf_link_ops tape_ops = {
    .receive = tape_receive, .send = tape_send, .close = tape_close};

static struct hf_out_packet out_packet(const struct hf_frame *f)
{
    /* One piece: where the headers end is of no concern to a device that has nothing to fill in. */
    return (struct hf_out_packet){.header = f->bytes,
                                  .header_bytes = (uint16_t)f->length_bytes,
                                  .length_bytes = f->length_bytes};
}

static void record(struct wire_way *way, struct hf_frame *const *frames, size_t n)
{
    struct wire *w = way->wire;
    struct hf_packet in[WRITE_MAX], got[WRITE_MAX];
    struct hf_out_packet out[WRITE_MAX];
    if (w->record == NULL || n == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        in[i] =
            (struct hf_packet){.bytes = frames[i]->bytes, .length_bytes = frames[i]->length_bytes};
        out[i] = out_packet(frames[i]);
    }
    w->tape_packets = in;
    w->tape_count = n;
    if (way == &w->ways[WIRE_LEFT_TO_RIGHT])
        (void)!hf_link_send(w->record, out, n);
    else
        (void)!hf_link_receive(w->record, got, n);
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* NULL: there is no memory for it, or it may not have more. */
static struct hf_frame *take_frame(struct wire *w, uint32_t bytes)
{
    struct hf_frame *f = w->held_bytes < HELD_MAX_BYTES ? hf_frame_try(&w->frames, bytes) : NULL;
    if (f == NULL)
        return NULL;
    f->length_bytes = bytes;
    w->held_bytes += f->capacity_bytes;
    return f;
}

static void give_frame(struct wire *w, struct hf_frame *f)
{
    w->held_bytes -= f->capacity_bytes;
    hf_frame_give(&w->frames, f);
}

/* ---- in -------------------------------------------------------------------------------------- */

/* Without memory it stays as it is, and packets that find no slot are lost and counted. */
static void make_room(struct wire_way *way)
{
    struct hf_path *p = &way->path;
    if (hf_path_has_room(p) || p->slot_count >= SLOTS_MAX)
        return;
    struct hf_path_slot *slots = calloc(2 * (size_t)p->slot_count, sizeof *slots);
    if (slots == NULL)
        return;
    hf_path_move(p, slots, 2 * p->slot_count);
    free(way->slots);
    way->slots = slots;
}

static void lose_for_room(struct wire_way *way, const struct hf_path_packet *packet, hf_ns now)
{
    struct hf_path_plan plan = hf_path_judge(&way->path, packet, now);
    if (!hf_path_is_lost(plan.fate))
        plan.fate = HF_PATH_LOST_BY_CALLER;
    (void)hf_path_carry(&way->path, packet, &plan, now);
}

/* Returns how many they were. */
static uint32_t send_pieces(struct wire_way *way, const struct hf_packet *packet, hf_ns now)
{
    struct wire *w = way->wire;
    struct hf_cut cut;
    hf_cut_plan(&cut, packet);
    struct hf_path_packet piece = {.is_pure_ack =
                                       hf_packet_is_pure_ack(packet->bytes, packet->length_bytes)};
    for (uint32_t nth = 0; nth < cut.count; nth++) {
        piece.length_bytes = hf_cut_piece_bytes(&cut, nth);
        make_room(way);
        struct hf_frame *f = take_frame(w, piece.length_bytes);
        if (f == NULL) {
            piece.packet = w;
            lose_for_room(way, &piece, now);
            continue;
        }
        piece.packet = f;
        /* The path does not look at it, so what is lost at once needs no bytes. */
        if (hf_path_is_lost(hf_path_send(&way->path, &piece, now)))
            give_frame(w, f);
        else
            hf_cut_piece(&cut, nth, f->bytes);
    }
    return cut.count;
}

static void count(struct wire_spell *s, hf_ns late_ns, hf_ns limit_ns)
{
    s->packets++;
    if (late_ns <= limit_ns)
        return;
    s->late++;
    s->worst_ns = late_ns > s->worst_ns ? late_ns : s->worst_ns;
}

static int read_failed(const struct wire_way *way, int err, struct hf_why *why)
{
    struct hf_link_stats stats;
    hf_link_stats(way->from, &stats);
    snprintf(why->text, sizeof why->text, "read %s: %s (was it taken away?)",
             hf_link_tun_name(way->from), strerror(stats.last_errno));
    return err;
}

/* Reads what is there, up to a bound. 1: there may be more, 0: no. */
static int way_read(struct wire_way *way, struct hf_why *why)
{
    uint32_t pieces = 0;
    for (int i = 0; i < READ_MAX && pieces < READ_PIECES_MAX; i++) {
        struct hf_packet packet;
        hf_ns now = hf_host_now();
        int n = hf_link_receive(way->from, &packet, 1);
        if (n < 0)
            return read_failed(way, n, why);
        if (n == 0) {
            way->empty_ns = now;
            return 0;
        }
        /* It came after the device was last found empty: no earlier, maybe later. */
        count(&way->read, now - way->empty_ns, way->limit_ns);
        count(&way->fresh_read, now - way->empty_ns, way->limit_ns);
        pieces += send_pieces(way, &packet, now);
    }
    return 1;
}

/* ---- out ------------------------------------------------------------------------------------- */

static void note_arrival(struct wire_way *way, const struct hf_path_arrival *a, hf_ns now)
{
    hf_ns late_ns = now - a->at_ns;
    hf_histogram_add(&way->lateness, late_ns);
    count(&way->wrote, late_ns, way->limit_ns);
    count(&way->fresh_wrote, late_ns, way->limit_ns);
    if (a->again)
        return; /* counted when it comes the second time */
    if (way->first_ns == HF_NEVER)
        way->first_ns = now;
    else
        way->rate_bytes += a->length_bytes;
    way->last_ns = now;
}

static void hand_on(struct wire_way *way, const struct hf_path_arrival *a, hf_ns now)
{
    struct hf_frame *f = a->packet;
    if (a->fate == HF_PATH_CORRUPTED) {
        uint8_t *octet = &f->bytes[a->corrupt_bit / 8 % f->length_bytes];
        *octet = (uint8_t)(*octet ^ 1u << a->corrupt_bit % 8);
    }
    note_arrival(way, a, now);
    /* A device without room loses it, as a card does; the link's own counts tell. */
    const struct hf_out_packet packet = out_packet(f);
    (void)!hf_link_send(way->to, &packet, 1);
}

/* Writes what is due, up to a bound; true: there may be more. */
static bool way_write(struct wire_way *way)
{
    struct hf_frame *arrived[WRITE_MAX], *done[WRITE_MAX];
    size_t arrived_count = 0, done_count = 0;
    struct hf_path_arrival a;
    unsigned n = 0;
    for (; n < WRITE_MAX; n++) {
        hf_ns now = hf_host_now();
        if (!hf_path_take(&way->path, now, &a))
            break;
        if (a.fate != HF_PATH_LOST_CODEL) {
            hand_on(way, &a, now);
            arrived[arrived_count++] = a.packet;
        }
        if (!a.again)
            done[done_count++] = a.packet;
    }
    record(way, arrived, arrived_count);
    for (size_t i = 0; i < done_count; i++)
        give_frame(way->wire, done[i]);
    return n == WRITE_MAX;
}

/* ---- running --------------------------------------------------------------------------------- */

/* How long to sleep; 0: not at all. A sleep lasts longer than it should, by about wake_ns. */
static hf_ns span_to_sleep(const struct wire *w, hf_ns span)
{
    if (span <= SPIN_MAX_NS)
        return 0;
    if (span > HF_SEC(3600))
        return HF_SEC(3600);
    return span - w->wake_ns > SLEEP_MIN_NS ? span - w->wake_ns : SLEEP_MIN_NS;
}

/* Sleeps until then or until something comes. True: it is time to stop. */
static bool rest(struct wire *w, hf_ns until_ns)
{
    struct pollfd fds[3] = {{hf_link_fd(w->tun[0]), POLLIN, 0},
                            {hf_link_fd(w->tun[1]), POLLIN, 0},
                            {w->signal_fd, POLLIN, 0}};
    hf_ns now = hf_host_now(), span = span_to_sleep(w, until_ns - now);
    if (span == 0)
        return false;
    const struct timespec t = {.tv_sec = span / HF_SEC(1), .tv_nsec = span % HF_SEC(1)};
    int n = ppoll(fds, 3, &t, NULL);
    hf_ns after = hf_host_now();
    if (n == 0) {
        hf_ns learned = w->wake_ns + (after - now - span - w->wake_ns) / 8;
        learned = learned > WAKE_MIN_NS ? learned : WAKE_MIN_NS;
        w->wake_ns = learned < WAKE_MAX_NS ? learned : WAKE_MAX_NS;
    }
    for (int i = 0; i < WIRE_WAYS; i++)
        w->ways[i].empty_ns = after;
    return n > 0 && fds[2].revents != 0;
}

static hf_ns earlier(hf_ns a, hf_ns b)
{
    return a < b ? a : b;
}

static bool has_signal(const struct wire *w)
{
    struct pollfd fd = {w->signal_fd, POLLIN, 0};
    return poll(&fd, 1, 0) > 0;
}

int wire_run(struct wire *w, struct hf_why *why)
{
    hf_ns now = hf_host_now(), tick_ns = now;
    hf_ns end_ns = w->duration_ns < HF_NEVER - now ? now + w->duration_ns : HF_NEVER;
    bool stop = false;
    for (int i = 0; i < WIRE_WAYS; i++)
        w->ways[i].empty_ns = now;
    while (!stop && now < end_ns) {
        bool more = false;
        hf_ns next_ns = end_ns;
        for (int i = 0; i < WIRE_WAYS; i++) {
            int got = way_read(&w->ways[i], why);
            if (got < 0)
                return got;
            more = way_write(&w->ways[i]) || got > 0 || more;
        }
        for (int i = 0; i < WIRE_WAYS; i++)
            next_ns = earlier(next_ns, hf_path_deadline(&w->ways[i].path));
        if (!more)
            stop = rest(w, earlier(next_ns, wire_warn(w, hf_host_now())));
        now = hf_host_now();
        if (now >= tick_ns) { /* a busy wire never rests */
            tick_ns = now + HF_MS(10);
            stop = stop || has_signal(w);
            (void)wire_warn(w, now);
        }
    }
    return HF_OK;
}

/* ---- making and ending ----------------------------------------------------------------------- */

static int open_tun(struct hf_link **tun, const char *name, struct hf_why *why)
{
    const struct hf_tun_config cfg = {.name = name, .batch_packets = 1};
    return hf_link_tun_open(tun, &cfg, why);
}

static int fail(struct hf_why *why, const char *what)
{
    snprintf(why->text, sizeof why->text, "%s: %s", what, strerror(errno));
    why->sys_errno = errno;
    return HF_E_SYSTEM;
}

static int open_record(struct wire *w, const struct wire_config *cfg, struct hf_why *why)
{
    const struct hf_record_config record = {
        .path = cfg->record,
        .interface_name = hf_link_tun_name(w->tun[0]),
        .comment = "what arrived: in at the left device, out at the right one",
        .warn = hf_say_line};
    w->tape.ops = &tape_ops;
    return hf_link_record(&w->record, &w->tape, &record, why);
}

static int open_ways(struct wire *w, const struct wire_config *cfg, struct hf_why *why)
{
    static const char *const names[WIRE_WAYS] = {"left to right", "right to left"};
    hf_ns now = hf_host_now();
    for (int i = 0; i < WIRE_WAYS; i++) {
        struct wire_way *way = &w->ways[i];
        *way = (struct wire_way){.wire = w, .name = names[i], .first_ns = HF_NEVER};
        way->from = w->tun[i];
        way->to = w->tun[1 - i];
        way->limit_ns = cfg->paths[i].delay_ns / LATE_PER_DELAY + LATE_AT_LEAST_NS;
        way->slots = calloc(SLOTS_FIRST, sizeof *way->slots);
        if (way->slots == NULL)
            return fail(why, "slots for packets");
        /* Neighbouring seeds give generators that have nothing in common. */
        hf_path_init(&way->path, &cfg->paths[i], 2 * cfg->seed + (unsigned)i, way->slots,
                     SLOTS_FIRST, now);
    }
    return HF_OK;
}

/* From now on they are read here; SIGPIPE: a reader of the summary that is gone is a failure. */
static int open_signals(struct wire *w, struct hf_why *why)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    w->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return w->signal_fd < 0 ? fail(why, "signalfd") : HF_OK;
}

/* Before all ordinary processes, where that is allowed: packets would leave some milliseconds late
 * whenever others want the core. Then the timers: their default slack of 50 us would add to each
 * delay, and comes back with a change of the policy. */
static void keep_time(void)
{
    const struct sched_param lowest = {.sched_priority = 1};
    (void)sched_setscheduler(0, SCHED_FIFO, &lowest);
    (void)prctl(PR_SET_TIMERSLACK, 1);
}

int wire_open(struct wire *w, const struct wire_config *cfg, struct hf_why *why)
{
    *w = (struct wire){.signal_fd = -1, .duration_ns = cfg->duration_ns, .wake_ns = WAKE_MIN_NS};
    hf_world_init(&w->frames, 0);
    keep_time();
    int err = open_tun(&w->tun[0], cfg->names[0], why);
    if (err == HF_OK)
        err = open_tun(&w->tun[1], cfg->names[1], why);
    if (err == HF_OK && cfg->record != NULL)
        err = open_record(w, cfg, why);
    if (err == HF_OK)
        err = open_signals(w, why);
    if (err == HF_OK)
        err = open_ways(w, cfg, why);
    if (err != HF_OK)
        wire_close(w);
    return err;
}

static void close_way(struct wire_way *way)
{
    struct hf_frame *f;
    if (way->slots == NULL)
        return;
    while ((f = hf_path_drain(&way->path)) != NULL)
        give_frame(way->wire, f);
    free(way->slots);
}

void wire_close(struct wire *w)
{
    for (int i = 0; i < WIRE_WAYS; i++) {
        close_way(&w->ways[i]);
        hf_link_close(w->tun[i]);
    }
    hf_link_close(w->record);
    hf_world_free(&w->frames);
    if (w->signal_fd >= 0)
        close(w->signal_fd);
    *w = (struct wire){.signal_fd = -1};
}
