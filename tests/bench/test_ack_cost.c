/*
 * What an ACK costs that wants the sender to work: instructions, counted by valgrind, with
 * thousands of segments in flight, of a peer that wants them small. Prints the mean of each kind of
 * ACK, and of the dearest stretch; skipped where valgrind is missing, or a sanitizer is at work.
 *
 * The program runs itself under valgrind, with the kind of ACK and how many in its environment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab/peer.h"
#include "lab/runs.h"

enum { EXIT_SKIP = 77, TINY = 48, WINDOW = 260000, STRETCH = 200, STRETCHES = 4 };

/* ---- the ACKs ------------------------------------------------------------------------------- */

enum kind { PLAIN, DUPLICATES, TOLD_DUPLICATES, SINGLE_BYTES, INTERLEAVED, BACKWARDS, KINDS };

/** The mean that the dearest stretch may have: moving 48 KB for each of three blocks is the most
 *  that the scoreboard's bound allows. */
static const struct {
    const char *name;
    uint64_t most;
} kinds[KINDS] = {
    {"plain", 10000},        {"duplicates", 10000},   {"told-duplicates", 10000},
    {"single-bytes", 10000}, {"interleaved", 150000}, {"backwards", 150000},
};

static hf_handle open_tiny(struct hf_rig *rig, struct hf_peer *peer)
{
    static uint8_t bytes[WINDOW];
    static struct hf_config config;
    hf_config_init(&config, sizeof config);
    config.mss_min_bytes = TINY;
    config.congestion_control = 0;
    config.pacing = 0;
    config.send_buffer_bytes = 1 << 20;
    config.offload_super_bytes = 65535; /* few packets to look after here */
    config.offload_checksum = 1;
    struct hf_rig_config rig_config = {.config = &config, .seed = 1};
    if (hf_rig_open(rig, &rig_config) != HF_OK)
        abort();
    hf_peer_open(peer, rig, false, 4000, 80, 1000);
    struct hf_listen listen = {.port = 80};
    hf_handle listener;
    if (hf_listen(rig->stack, &listen, &listener, 0) != HF_OK ||
        !hf_peer_connect(peer, "<mss 48,sackOK,wscale 2>"))
        abort();
    hf_handle conn = hf_rig_event(rig).handle;
    hf_peer_send(peer, ". seq 1 ack 1 win 65535");
    if (hf_send(rig->stack, conn, bytes, WINDOW, 0, rig->now_ns) != WINDOW)
        abort();
    hf_rig_pull(rig);
    hf_peer_skip(peer);
    return conn;
}

static void write_ack(char text[160], enum kind kind, uint32_t i)
{
    unsigned next = 1 + (i + 1) * TINY;
    unsigned at = 1 + (1 + 6 * i) * TINY, n = TINY;
    switch (kind) {
    case PLAIN: snprintf(text, 160, ". seq 1 ack %u win 65535", next); return;
    case DUPLICATES: snprintf(text, 160, ". seq 1 ack 1 win 65535"); return;
    case TOLD_DUPLICATES:
        snprintf(text, 160, ". seq 1 ack %d win 65535 <sack 1:%d>", 1 + TINY, 1 + TINY);
        return;
    case SINGLE_BYTES: n = 1; break;
    case INTERLEAVED: break;
    case BACKWARDS: at = 1 + (1 + 6 * (STRETCH * STRETCHES - i)) * TINY; break;
    case KINDS: abort();
    }
    snprintf(text, 160, ". seq 1 ack 1 win 65535 <sack %u:%u,sack %u:%u,sack %u:%u>", at, at + n,
             at + 2 * TINY, at + 2 * TINY + n, at + 4 * TINY, at + 4 * TINY + n);
}

/** What valgrind counts: what the stack is given, and what it gives out for that. */
static int send_acks(enum kind kind, uint32_t count)
{
    struct hf_rig rig;
    struct hf_peer peer;
    char text[160];
    open_tiny(&rig, &peer);
    for (uint32_t i = 0; i < count; i++) {
        write_ack(text, kind, i);
        hf_peer_send(&peer, text);
        hf_peer_skip(&peer);
    }
    hf_rig_close(&rig);
    return 0;
}

/* ---- counting ------------------------------------------------------------------------------- */

static const char *program;

static bool can_count(void)
{
    return !HF_TEST_SANITIZED && system("valgrind --version >/dev/null 2>&1") == 0;
}

/** Instructions of all up to the count-th ACK. */
static uint64_t count_instructions(enum kind kind, uint32_t count)
{
    char command[8192], line[400];
    unsigned long long collected = 0;
    snprintf(command, sizeof command,
             "HF_ACK_COST='%d %u' valgrind --tool=callgrind --callgrind-out-file=/dev/null "
             "--toggle-collect=hf_stack_input --toggle-collect=hf_stack_output '%s' 2>&1",
             (int)kind, count, program);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    bool found = false;
    while (fgets(line, sizeof line, f) != NULL) {
        const char *at = strstr(line, "Collected : ");
        found |= at != NULL && sscanf(at, "Collected : %llu", &collected) == 1;
    }
    int status = pclose(f);
    if (status != 0 || !found)
        fail_msg("valgrind said nothing about %s", kinds[kind].name);
    return collected;
}

static void measure(enum kind kind)
{
    uint64_t first = count_instructions(kind, 0), before = first, worst = 0;
    for (uint32_t i = 1; i <= STRETCHES; i++) {
        uint64_t now = count_instructions(kind, i * STRETCH);
        uint64_t mean = (now - before) / STRETCH;
        worst = mean > worst ? mean : worst;
        before = now;
    }
    print_message("%s: %llu instructions an ACK, %llu in the dearest %d\n", kinds[kind].name,
                  (unsigned long long)((before - first) / (STRETCH * STRETCHES)),
                  (unsigned long long)worst, STRETCH);
    if (worst > kinds[kind].most)
        fail_msg("%s: more than %llu", kinds[kind].name, (unsigned long long)kinds[kind].most);
}

static void no_ack_costs_without_bound(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++)
        measure((enum kind)kind);
}

int main(int argc, char **argv)
{
    const char *run = getenv("HF_ACK_COST");
    int kind;
    unsigned count;
    (void)argc;
    if (run != NULL)
        return sscanf(run, "%d %u", &kind, &count) == 2 && kind >= 0 && kind < KINDS
                   ? send_acks((enum kind)kind, count)
                   : 2;
    program = argv[0];
    if (!can_count()) {
        fprintf(stderr, "valgrind can't count here\n");
        return EXIT_SKIP;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_ack_costs_without_bound),
    };
    return cmocka_run_group_tests_name("ack_cost", tests, NULL, NULL);
}
