/* Ladders: numbers, states, harm, wrapping, alignment at every width. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "show/ladder.h"

enum { TEXT_BYTES = 32768 };

static char text[TEXT_BYTES];

static void to_text(void *ctx, const char *bytes, size_t n)
{
    hf_text_add(ctx, "%.*s", (int)n, bytes);
}

struct drawing {
    struct hf_text out;
    struct hf_ladder ladder;
};

static void drawing_begin(struct drawing *d, struct hf_ladder_style style)
{
    hf_text_init(&d->out, text, sizeof text);
    hf_ladder_begin(&d->ladder, &style, to_text, &d->out, "client", "server");
}

/* Adds a row at a millisecond; states stay unknown. */
static void add(struct drawing *d, int64_t ms, bool right, struct hf_segment seg)
{
    struct hf_ladder_row row = {.time_ns = HF_MS(ms),
                                .left_to_right = right,
                                .segment = seg,
                                .left_state = HF_LADDER_STATE_UNKNOWN,
                                .right_state = HF_LADDER_STATE_UNKNOWN};
    hf_ladder_add(&d->ladder, &row);
}

static const uint32_t iss = 0xFFFFFF00u, irs = 7000;

static struct hf_segment syn(void)
{
    return (struct hf_segment){.flags = HF_SYN,
                               .seq = iss,
                               .window = 64240,
                               .has_mss = true,
                               .mss_bytes = 1460,
                               .has_sack_permitted = true,
                               .has_timestamps = true,
                               .ts_value = 5,
                               .has_wscale = true,
                               .wscale = 7};
}

static struct hf_segment syn_ack(void)
{
    struct hf_segment seg = syn();
    seg.flags = HF_SYN | HF_ACK;
    seg.seq = irs;
    seg.ack = iss + 1;
    return seg;
}

static void open_connection(struct drawing *d, struct hf_ladder_style style)
{
    drawing_begin(d, style);
    add(d, 0, true, syn());
    add(d, 1, false, syn_ack());
    add(d, 2, true,
        (struct hf_segment){.flags = HF_ACK, .seq = iss + 1, .ack = irs + 1, .window = 500});
    d->out.length_bytes = 0; /* what follows is of interest */
    text[0] = '\0';
}

static void a_whole_connection_looks_like_this(void **state)
{
    (void)state;
    struct drawing d;
    drawing_begin(&d, (struct hf_ladder_style){0});
    struct hf_ladder_row row = {.left_to_right = true,
                                .segment = syn(),
                                .fate = HF_FATE_LOST,
                                .left_state = HF_SYN_SENT,
                                .right_state = HF_LISTEN,
                                .note = "the network loses it"};
    hf_ladder_add(&d.ladder, &row);
    row = (struct hf_ladder_row){.time_ns = HF_SEC(1),
                                 .left_to_right = true,
                                 .segment = syn(),
                                 .left_state = HF_SYN_SENT,
                                 .right_state = HF_SYN_RCVD};
    hf_ladder_add(&d.ladder, &row);
    row = (struct hf_ladder_row){.time_ns = HF_MS(1020),
                                 .segment = syn_ack(),
                                 .left_state = HF_ESTABLISHED,
                                 .right_state = HF_SYN_RCVD};
    hf_ladder_add(&d.ladder, &row);
    hf_ladder_pause(&d.ladder, HF_MS(1021), HF_CLOSED, HF_SYN_RCVD, "gone");
    hf_ladder_end(&d.ladder);
    assert_string_equal(
        text,
        "   time ms           client                                                        "
        "server\n"
        "     0.000     SYN-SENT │──────────── SYN seq 0 win 64240 ────────────✗ lost          │ "
        "LISTEN\n"
        "                        │              <mss 1460, sackOK, TS, wscale 7>               │\n"
        "                        │  · the network loses it                                     │\n"
        "                        ┆                         1.0 s pass                          ┆\n"
        "  1000.000              │──────────────── SYN seq 0 win 64240, again ────────────────▶│ "
        "SYN-RECEIVED\n"
        "                        │              <mss 1460, sackOK, TS, wscale 7>               │\n"
        "  1020.000  ESTABLISHED │◀────────────── SYN ACK seq 0 ack 1 win 64240 ───────────────│\n"
        "                        │              <mss 1460, sackOK, TS, wscale 7>               │\n"
        "  1021.000       CLOSED │                                                             │\n"
        "                        │  · gone                                                     │\n"
        "                        │                                                             "
        "│\n");
}

/* The words on the arrow of one more segment after the handshake. */
static void assert_words(bool right, struct hf_segment seg, const char *words)
{
    struct drawing d;
    open_connection(&d, (struct hf_ladder_style){.width_columns = 120, .ascii = true});
    add(&d, 3, right, seg);
    if (strstr(text, words) == NULL)
        fail_msg("no \"%s\" in: %s", words, text);
}

static void segments_are_told_in_words(void **state)
{
    (void)state;
    uint16_t ack = HF_ACK;
    assert_words(
        true,
        (struct hf_segment){
            .flags = ack, .seq = iss + 1, .ack = irs + 1, .window = 9, .payload_bytes = 1460},
        "- data 1..1461 (1460) -");
    assert_words(true,
                 (struct hf_segment){.flags = ack | HF_PSH,
                                     .seq = iss + 1,
                                     .ack = irs + 11,
                                     .window = 9,
                                     .payload_bytes = 5},
                 "- data 1..6 (5) ack 11 -");
    assert_words(false,
                 (struct hf_segment){.flags = ack, .seq = irs + 1, .ack = iss + 301, .window = 9},
                 "<---");
    assert_words(false,
                 (struct hf_segment){.flags = ack, .seq = irs + 1, .ack = iss + 301, .window = 9},
                 "- ACK 301 -");
    assert_words(
        true,
        (struct hf_segment){.flags = ack | HF_FIN, .seq = iss + 1, .ack = irs + 1, .window = 9},
        "- FIN seq 1 ack 1 -");
    assert_words(
        true,
        (struct hf_segment){
            .flags = ack | HF_FIN, .seq = iss + 1, .ack = irs + 1, .window = 9, .payload_bytes = 2},
        "- data 1..3 (2) FIN ack 1 -");
    assert_words(true, (struct hf_segment){.flags = HF_RST, .seq = iss + 1}, "- RST seq 1 -");
    assert_words(false, (struct hf_segment){.flags = HF_RST | ack, .seq = irs + 1, .ack = iss + 1},
                 "- RST seq 1 ack 1 -");
    assert_words(false,
                 (struct hf_segment){.flags = ack, .seq = irs + 1, .ack = iss + 1, .window = 0},
                 "- ACK 1 win 0 -");
    assert_words(false,
                 (struct hf_segment){.flags = ack,
                                     .seq = irs + 1,
                                     .ack = iss + 1,
                                     .window = 9,
                                     .sack_count = 1,
                                     .sack = {{iss + 11, iss + 21}}},
                 "- ACK 1 <sack 11..21> -");
    assert_words(true, (struct hf_segment){.flags = ack, .seq = iss, .ack = irs + 1, .window = 9},
                 "- probe seq 0 ack 1 -");
    assert_words(true,
                 (struct hf_segment){.flags = ack | HF_URG | HF_CWR,
                                     .seq = iss + 1,
                                     .ack = irs + 1,
                                     .window = 9,
                                     .urgent_pointer = 4,
                                     .payload_bytes = 4},
                 "- data 1..5 (4) URG +4 CWR -");
    assert_words(true, (struct hf_segment){.seq = iss + 1}, "- no flags seq 1 win 0 -");
    assert_words(
        true,
        (struct hf_segment){.flags = HF_SYN | HF_ACK, .seq = iss, .ack = irs + 1, .window = 10},
        "- SYN ACK seq 0 ack 1 win 10, again -");
}

static void repeated_data_and_windows_are_marked(void **state)
{
    (void)state;
    struct drawing d;
    open_connection(&d, (struct hf_ladder_style){.ascii = true});
    struct hf_segment data = {
        .flags = HF_ACK, .seq = iss + 1, .ack = irs + 1, .window = 9, .payload_bytes = 100};
    add(&d, 3, true, data);
    assert_null(strstr(text, "again"));
    add(&d, 4, true, data);
    assert_non_null(strstr(text, "data 1..101 (100), again"));
    struct hf_segment ack = {.flags = HF_ACK, .seq = irs + 1, .ack = iss + 101, .window = 0};
    add(&d, 5, false, ack);
    assert_non_null(strstr(text, "ACK 101 win 0"));
    ack.window = 10;
    add(&d, 6, false, ack);
    assert_non_null(strstr(text, "ACK 101 win 1280")); /* open again, scaled by 7 */
    d.out.length_bytes = 0;
    ack.window = 20;
    add(&d, 7, false, ack);
    assert_null(strstr(text, "win")); /* no news */

    open_connection(&d, (struct hf_ladder_style){.windows = true, .timestamps = true});
    ack.has_timestamps = true;
    ack.ts_value = 3;
    ack.ts_echo = 4;
    add(&d, 8, false, ack);
    assert_non_null(strstr(text, "ACK 101 win 2560 <TS 3 4>"));
}

static void a_start_that_was_not_seen_reads_from_one(void **state)
{
    (void)state;
    struct drawing d;
    drawing_begin(&d, (struct hf_ladder_style){.ascii = true});
    add(&d, 0, true,
        (struct hf_segment){
            .flags = HF_ACK, .seq = 123456, .ack = 99, .window = 1, .payload_bytes = 10});
    add(&d, 1, false, (struct hf_segment){.flags = HF_ACK, .seq = 99, .ack = 123466, .window = 1});
    assert_non_null(strstr(text, "data 1..11 (10) ack 1"));
    assert_non_null(strstr(text, "ACK 11"));
}

static size_t columns_of_line(const char *line)
{
    return hf_text_columns(line, strcspn(line, "\n"));
}

/* Columns before the n-th occurrence of one of these marks in a line; SIZE_MAX if there is none. */
static size_t column_of(const char *line, const char *mark, int nth)
{
    size_t length = strcspn(line, "\n"), n = strlen(mark);
    for (size_t i = 0; i + n <= length; i++)
        if (memcmp(line + i, mark, n) == 0 && nth-- == 0)
            return hf_text_columns(line, i);
    return SIZE_MAX;
}

static void draw_everything(struct hf_ladder_style style)
{
    struct drawing d;
    drawing_begin(&d, style);
    static const uint16_t flags[] = {HF_SYN, HF_SYN | HF_ACK, HF_ACK, HF_FIN | HF_ACK, HF_RST, 0,
                                     0x1FF};
    static const int states[] = {HF_SYN_RCVD, HF_ESTABLISHED, HF_FIN_WAIT_1, HF_CLOSED};
    int64_t ms = 0;
    for (int fate = HF_FATE_DELIVERED; fate <= HF_FATE_OVERFLOW; fate++)
        for (size_t f = 0; f < sizeof flags / sizeof flags[0]; f++)
            for (uint32_t payload = 0; payload <= 1460; payload += 1460) {
                ms += 700;
                struct hf_ladder_row row = {.time_ns = HF_MS(ms),
                                            .segment = syn_ack(),
                                            .left_to_right = (ms / 700) % 2 == 0,
                                            .fate = (enum hf_fate)fate,
                                            .left_state = states[ms / 700 % 4],
                                            .right_state = states[(ms / 700 + 2) % 4]};
                row.segment.flags = flags[f];
                row.segment.payload_bytes = payload;
                row.segment.sack_count = 4;
                row.note = payload > 0 ? "words, as many as it takes to fill more than one line of "
                                         "even the widest page, \xC3\xA9t\xC3\xA9 "
                                         "andoneverylongwordthatdoesnotfitintoanylineatallandmust"
                                         "bebrokeninthemiddlehoweveruglythatmaylookintheend"
                                       : NULL;
                hf_ladder_add(&d.ladder, &row);
            }
    hf_ladder_end(&d.ladder);
    assert_true(d.out.length_bytes < sizeof text * 8);
}

static void lifelines_stand_straight_at_every_width(void **state)
{
    (void)state;
    for (unsigned width = 80; width <= 160; width += 7)
        for (int ascii = 0; ascii < 2; ascii++) {
            draw_everything((struct hf_ladder_style){
                .width_columns = width, .ascii = ascii, .gap_ns = HF_SEC(60)});
            const char *line = strchr(text, '\n') + 1, *mark = ascii ? "|" : "│";
            const char *last = strrchr(text, '\n');
            for (; line < last; line = strchr(line, '\n') + 1) {
                assert_true(columns_of_line(line) <= width);
                assert_int_equal(column_of(line, mark, 0), 24);
                assert_int_equal(column_of(line, mark, 1), width - 14);
            }
        }
}

static void colour_changes_no_column(void **state)
{
    (void)state;
    draw_everything((struct hf_ladder_style){.ascii = true});
    static char plain[TEXT_BYTES];
    memcpy(plain, text, sizeof plain);
    draw_everything((struct hf_ladder_style){.ascii = true, .colour = true});
    assert_non_null(strstr(text, "\x1b["));
    /* Without its escape sequences it is the same text; blanks at line ends may stay. */
    const char *p = plain, *c = text;
    size_t compared = 0;
    while (*p != '\0' && *c != '\0') {
        if (*c == '\x1b') {
            c = strchr(c, 'm');
            if (c == NULL)
                break; /* the buffer ended within a sequence */
            c++;
            continue;
        }
        assert_int_equal(*p, *c);
        p++;
        c++;
        compared++;
    }
    assert_true(compared > 5000);
}

static void long_names_get_a_line_each(void **state)
{
    (void)state;
    struct hf_ladder l;
    struct hf_text out;
    hf_text_init(&out, text, sizeof text);
    struct hf_ladder_style style = {.width_columns = 80};
    static const char name[] = "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535";
    hf_ladder_begin(&l, &style, to_text, &out, name, name);
    const char *second = strchr(text, '\n') + 1;
    assert_non_null(strstr(text, name));
    assert_non_null(strstr(second, name));
    assert_true(columns_of_line(text) <= 80);
    assert_int_equal(columns_of_line(second), 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_connection_looks_like_this),
        cmocka_unit_test(segments_are_told_in_words),
        cmocka_unit_test(repeated_data_and_windows_are_marked),
        cmocka_unit_test(a_start_that_was_not_seen_reads_from_one),
        cmocka_unit_test(lifelines_stand_straight_at_every_width),
        cmocka_unit_test(colour_changes_no_column),
        cmocka_unit_test(long_names_get_a_line_each),
    };
    return cmocka_run_group_tests_name("ladder", tests, NULL, NULL);
}
