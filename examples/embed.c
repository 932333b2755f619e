/**
 * Handfast inside a program, without a network: a client and an echo server are two stacks in one
 * process, and the wire between them is an array of packets. Time is a number that this program
 * counts up. A program of yours replaces packet_in, packet_out and the clock by its own.
 */
#include <handfast/handfast.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIRE_PACKETS = 64, PACKET_BYTES = 1500, ECHO_PORT = 7 };
#define ROUND_NS HF_MS(10)

/** One direction: packets on their way, the oldest first. */
struct wire {
    uint8_t bytes[WIRE_PACKETS][PACKET_BYTES];
    size_t length_bytes[WIRE_PACKETS];
    size_t sent, received;
};

/** One side: its stack, its ends of the wires, and what has become of its connection. */
struct side {
    const char *name;
    void (*on_event)(struct side *me, const struct hf_event *e, hf_ns now);
    struct hf_stack *stack;
    struct wire *from, *to;
    char heard[64];
    bool closed;
    enum hf_closed how;
};

static const char message[] = "Join hands.";

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "embed: %s\n", what);
    exit(EXIT_FAILURE);
}

/* ---- the two functions that carry packets ---------------------------------------------------- */

/** Takes the next packet off the wire; false: none is there. */
static bool packet_in(struct side *me, struct hf_packet *packet)
{
    struct wire *w = me->from;
    if (w->received == w->sent)
        return false;
    size_t i = w->received++ % WIRE_PACKETS;
    *packet = (struct hf_packet){w->bytes[i], (uint32_t)w->length_bytes[i], 0, 0};
    return true;
}

/** Puts a packet on the wire: its header, then its payload from wherever the pieces lie. A full
 *  wire loses it, as wires do. */
static void packet_out(struct side *me, const struct hf_out_packet *packet)
{
    struct wire *w = me->to;
    if (w->sent - w->received == WIRE_PACKETS || packet->length_bytes > PACKET_BYTES)
        return;
    size_t i = w->sent++ % WIRE_PACKETS, n = packet->header_bytes;
    memcpy(w->bytes[i], packet->header, n);
    for (size_t k = 0; k < packet->slice_count; k++) {
        memcpy(w->bytes[i] + n, packet->slices[k].bytes, packet->slices[k].length_bytes);
        n += packet->slices[k].length_bytes;
    }
    w->length_bytes[i] = n;
}

/* ---- the application ------------------------------------------------------------------------- */

static void note_closed(struct side *me, const struct hf_event *e, hf_ns now)
{
    if ((e->bits & HF_EV_CLOSED) == 0)
        return;
    printf("%4.0f ms  %s: %s\n", (double)now / 1e6, me->name, hf_closed_text(e->how));
    me->closed = true;
    me->how = e->how;
}

/** The client says its message and that this is all, then reads to the end. */
static void client_event(struct side *me, const struct hf_event *e, hf_ns now)
{
    size_t length = strlen(message), had = strlen(me->heard);
    if ((e->bits & HF_EV_CONNECTED) != 0) {
        must(hf_send(me->stack, e->handle, message, length, 0, now) == (int64_t)length, "send");
        must(hf_shutdown(me->stack, e->handle, now) == HF_OK, "half-close");
    }
    if ((e->bits & HF_EV_READABLE) != 0) {
        int64_t n;
        while ((n = hf_receive(me->stack, e->handle, me->heard + had, sizeof me->heard - had - 1,
                               now)) > 0)
            had += (size_t)n;
        if (n == HF_E_END)
            must(hf_close(me->stack, e->handle, now) == HF_OK, "close");
    }
    note_closed(me, e, now);
}

/** The server decides on the open request, then sends back what it reads until the peer is done. */
static void server_event(struct side *me, const struct hf_event *e, hf_ns now)
{
    if ((e->bits & HF_EV_SYN) != 0) /* not answered yet: hf_refuse would say no */
        must(hf_admit(me->stack, e->handle, now) == HF_OK, "admit");
    if ((e->bits & HF_EV_READABLE) != 0) {
        char text[512];
        int64_t n;
        while ((n = hf_receive(me->stack, e->handle, text, sizeof text, now)) > 0)
            must(hf_send(me->stack, e->handle, text, (size_t)n, 0, now) == n, "echo");
        if (n == HF_E_END)
            must(hf_close(me->stack, e->handle, now) == HF_OK, "close");
    }
    note_closed(me, e, now);
}

/** One turn of a stack. Returns when it wants the next one at the latest. */
static hf_ns turn(struct side *me, hf_ns now)
{
    struct hf_packet in;
    while (packet_in(me, &in)) /* yours */
        hf_stack_input(me->stack, &in, 1, now);
    while (hf_stack_expire(me->stack, now, 100))
        continue;
    struct hf_event e;
    while (hf_stack_event(me->stack, &e))
        me->on_event(me, &e, now);
    struct hf_out_packet out;
    while (hf_stack_output(me->stack, &out, 1, now) > 0)
        packet_out(me, &out); /* yours */
    return hf_stack_deadline(me->stack);
}

/* ---- setting up ------------------------------------------------------------------------------ */

static void *take_memory(void *ctx, void *piece, size_t old_bytes, size_t new_bytes)
{
    (void)ctx;
    (void)old_bytes;
    if (new_bytes > 0)
        return realloc(piece, new_bytes);
    free(piece);
    return NULL;
}

static struct hf_stack *new_stack(struct hf_addr addr, uint8_t seed)
{
    struct hf_config config;
    hf_config_init(&config, sizeof config);
    struct hf_env env = {.realloc = take_memory};
    memset(env.seed, seed, sizeof env.seed); /* in earnest: 32 bytes from getrandom(2) */
    struct hf_stack *stack = NULL;
    must(hf_stack_new(&stack, &config, &env, 0) == HF_OK, "new stack");
    must(hf_stack_add_address(stack, &addr, 32) == HF_OK, "address");
    return stack;
}

/** Turns both sides, round after round, until both connections are over. When no packet is on its
 *  way, time jumps to what the stacks wait for. */
static void run(struct side *client, struct side *server)
{
    hf_ns now = 0;
    while (!client->closed || !server->closed) {
        hf_ns one = turn(client, now), other = turn(server, now);
        bool idle =
            client->to->sent == client->to->received && server->to->sent == server->to->received;
        hf_ns next = one < other ? one : other;
        must(!idle || next != HF_NEVER, "both sides wait for ever");
        now = idle && next > now + ROUND_NS ? next : now + ROUND_NS;
        must(now < HF_SEC(60), "not over after a minute");
    }
}

int main(void)
{
    static struct wire up, down;
    struct hf_addr client_addr = hf_addr_v4(192, 0, 2, 1), server_addr = hf_addr_v4(192, 0, 2, 2);
    struct side client = {.name = "client", .on_event = client_event, .from = &down, .to = &up};
    struct side server = {.name = "server", .on_event = server_event, .from = &up, .to = &down};
    client.stack = new_stack(client_addr, 1);
    server.stack = new_stack(server_addr, 2);

    hf_handle handle;
    struct hf_listen listen = {.port = ECHO_PORT, .held = true};
    must(hf_listen(server.stack, &listen, &handle, 0) == HF_OK, "listen");
    struct hf_connect connect = {.remote = {server_addr, ECHO_PORT}};
    must(hf_connect(client.stack, &connect, &handle, 0) == HF_OK, "connect");

    run(&client, &server);
    printf("         the echo: %s\n", client.heard);
    must(strcmp(client.heard, message) == 0, "not the message");
    must(client.how == HF_CLOSED_FIN && server.how == HF_CLOSED_FIN, "not closed in order");
    hf_stack_free(client.stack);
    hf_stack_free(server.stack);
    return EXIT_SUCCESS;
}
