/**
 * Draws ladders. Owns layout, wrapping and colour; ladder_words.c finds what to say.
 *
 * A row, in columns:  time 10 | state 13, right-aligned | lifeline | lane | lifeline | state 13.
 */
#include "ladder.h"

#include <inttypes.h>
#include <string.h>

#include "ladder_words.h"

enum {
    TIME_COLUMNS = 10,
    STATE_COLUMNS = 13, /* SYN-RECEIVED and a space */
    MARGIN_COLUMNS = TIME_COLUMNS + 2 * STATE_COLUMNS + 3,
    LINE_BYTES = 1200,
    PIECE_BYTES = 512,
};

enum ink { INK_PLAIN, INK_DIM, INK_STATE, INK_OPEN, INK_CLOSE, INK_BAD };

/** The drawing characters, in UTF-8 and in ASCII. */
struct glyphs {
    const char *lifeline, *gap, *shaft, *right, *left, *cross, *dot;
};

static const struct glyphs *glyphs_of(const struct hf_ladder *l)
{
    static const struct glyphs fine = {"│", "┆", "─", "▶", "◀", "✗", "·"};
    static const struct glyphs plain = {"|", ":", "-", ">", "<", "x", "*"};
    return l->style.ascii ? &plain : &fine;
}

static void add_inked(const struct hf_ladder *l, struct hf_text *t, enum ink ink, const char *text)
{
    static const char *const codes[] = {"", "2", "1;32", "36", "33", "1;31"};
    if (!l->style.colour || ink == INK_PLAIN || text[0] == '\0')
        hf_text_add(t, "%s", text);
    else
        hf_text_add(t, "\x1b[%sm%s\x1b[0m", codes[ink], text);
}

static void add_lifeline(const struct hf_ladder *l, struct hf_text *t, const char *glyph)
{
    add_inked(l, t, INK_DIM, glyph);
}

/* Lines end at their last visible character: no trailing blanks in documents. */
static void put_line(struct hf_ladder *l, struct hf_text *t)
{
    size_t n = hf_text_stored(t);
    while (n > 0 && t->bytes[n - 1] == ' ')
        n--;
    t->bytes[n] = '\n';
    l->sink(l->sink_ctx, t->bytes, n + 1);
}

static void put_row(struct hf_ladder *l, const char *time, const char *left_state, const char *lane,
                    const char *right_state, const char *lifeline)
{
    char line[LINE_BYTES];
    struct hf_text t;
    hf_text_init(&t, line, sizeof line - 1);
    hf_text_add(&t, "%*s", TIME_COLUMNS, time);
    hf_text_repeat(&t, " ", STATE_COLUMNS - strlen(left_state));
    add_inked(l, &t, INK_STATE, left_state);
    hf_text_add(&t, " ");
    add_lifeline(l, &t, lifeline);
    hf_text_add(&t, "%s", lane);
    add_lifeline(l, &t, lifeline);
    hf_text_add(&t, " ");
    add_inked(l, &t, INK_STATE, right_state);
    put_line(l, &t);
}

static size_t columns_of(const char *text)
{
    return hf_text_columns(text, strlen(text));
}

/* Fills a lane with text: `before` blanks, the text, blanks up to the far lifeline. */
static void put_lane_text(struct hf_ladder *l, const char *text, size_t before, enum ink ink)
{
    char lane[PIECE_BYTES];
    struct hf_text t;
    hf_text_init(&t, lane, sizeof lane);
    size_t used = before + columns_of(text);
    hf_text_repeat(&t, " ", before);
    add_inked(l, &t, ink, text);
    hf_text_repeat(&t, " ", used < l->lane_columns ? l->lane_columns - used : 0);
    put_row(l, "", "", lane, "", glyphs_of(l)->lifeline);
}

/* How many bytes of text make the next line of at most `columns`: up to the last blank that fits,
 * or as many characters as fit when there is none. */
static size_t wrap_bytes(const char *text, size_t columns)
{
    size_t fit = 0, last_blank = 0, used = 0;
    while (text[fit] != '\0') {
        if (((unsigned char)text[fit] & 0xC0) != 0x80 && used++ == columns)
            return last_blank > 0 ? last_blank : fit;
        if (text[fit] == ' ' && fit > 0)
            last_blank = fit;
        if (text[fit] == '\n')
            return fit;
        fit++;
    }
    return fit;
}

static void copy_piece(char piece[PIECE_BYTES], const char *text, size_t n)
{
    n = n < PIECE_BYTES - 1 ? n : PIECE_BYTES - 1;
    memcpy(piece, text, n);
    piece[n] = '\0';
}

static const char *skip_break(const char *text)
{
    while (*text == ' ' || *text == '\n')
        text++;
    return text;
}

static void put_centred(struct hf_ladder *l, const char *text)
{
    while (*text != '\0') {
        char piece[PIECE_BYTES];
        size_t n = wrap_bytes(text, l->lane_columns - 2);
        copy_piece(piece, text, n);
        put_lane_text(l, piece, (l->lane_columns - columns_of(piece)) / 2, INK_DIM);
        text = skip_break(text + n);
    }
}

void hf_ladder_note(struct hf_ladder *l, const char *text)
{
    const char *mark = glyphs_of(l)->dot;
    while (*text != '\0') {
        char piece[PIECE_BYTES], marked[PIECE_BYTES + 8];
        size_t n = wrap_bytes(text, l->lane_columns - 6);
        copy_piece(piece, text, n);
        struct hf_text t;
        hf_text_init(&t, marked, sizeof marked);
        hf_text_add(&t, "%s %s", mark, piece);
        put_lane_text(l, marked, 2, INK_DIM);
        text = skip_break(text + n);
        mark = " ";
    }
}

static bool stops_short(enum hf_fate fate)
{
    return fate == HF_FATE_LOST || fate == HF_FATE_CORRUPTED || fate == HF_FATE_OVERFLOW;
}

static const char *fate_word(enum hf_fate fate)
{
    switch (fate) {
    case HF_FATE_LOST: return "lost";
    case HF_FATE_CORRUPTED: return "corrupted";
    case HF_FATE_OVERFLOW: return "queue full";
    case HF_FATE_DELIVERED:
    case HF_FATE_DUPLICATED:
    case HF_FATE_LATE: break;
    }
    return "";
}

static enum ink ink_of(const struct hf_ladder_row *row)
{
    if (stops_short(row->fate) || (row->segment.flags & HF_RST))
        return INK_BAD;
    if (row->segment.flags & HF_SYN)
        return INK_OPEN;
    return row->segment.flags & HF_FIN ? INK_CLOSE : INK_PLAIN;
}

/* Columns of an arrow beside its text: two pieces of shaft, blanks around the text, the head or
 * the cross with its word. */
static size_t arrow_overhead(const struct hf_ladder_row *row)
{
    return stops_short(row->fate) ? 6 + strlen(fate_word(row->fate)) + 1 : 5;
}

/* An arrow that reaches the other lifeline, its text in the middle. */
static void draw_whole(const struct hf_ladder *l, const struct hf_ladder_row *row, const char *text,
                       struct hf_text *t)
{
    const struct glyphs *g = glyphs_of(l);
    size_t shaft = l->lane_columns - 1 - 2 - columns_of(text);
    size_t first = shaft / 2;
    hf_text_add(t, "%s", row->left_to_right ? "" : g->left);
    hf_text_repeat(t, g->shaft, first);
    hf_text_add(t, " %s ", text);
    hf_text_repeat(t, g->shaft, shaft - first);
    hf_text_add(t, "%s", row->left_to_right ? g->right : "");
}

/* An arrow that ends at a cross about three quarters of the way, or as late as its text needs. */
static void draw_short(const struct hf_ladder *l, const struct hf_ladder_row *row, const char *text,
                       struct hf_text *t)
{
    const struct glyphs *g = glyphs_of(l);
    const char *word = fate_word(row->fate);
    size_t lane = l->lane_columns;
    size_t needed = columns_of(text) + 4; /* a piece of shaft and a blank on both sides */
    size_t tail = 1 + 1 + strlen(word);   /* cross, blank, word */
    size_t reach = lane * 3 / 4 > needed ? lane * 3 / 4 : needed;
    if (reach + tail + 1 > lane)
        reach = lane - tail - 1;
    size_t shaft = reach - needed + 2, first = shaft / 2, rest = lane - reach - tail;
    if (row->left_to_right) {
        hf_text_repeat(t, g->shaft, first);
        hf_text_add(t, " %s ", text);
        hf_text_repeat(t, g->shaft, shaft - first);
        hf_text_add(t, "%s %s", g->cross, word);
        hf_text_repeat(t, " ", rest);
    } else {
        hf_text_repeat(t, " ", rest);
        hf_text_add(t, "%s %s", word, g->cross);
        hf_text_repeat(t, g->shaft, first);
        hf_text_add(t, " %s ", text);
        hf_text_repeat(t, g->shaft, shaft - first);
    }
}

static void format_ms(hf_ns ns, char text[32])
{
    struct hf_text t;
    hf_text_init(&t, text, 32);
    const char *sign = ns < 0 ? "-" : "";
    hf_ns us = (ns < 0 ? -ns : ns) / 1000;
    hf_text_add(&t, "%s%" PRId64 ".%03" PRId64, sign, us / 1000, us % 1000);
}

/* The states to show: only those that changed. */
static const char *state_news(struct hf_ladder_side *side, int state)
{
    if (state < 0 || state >= HF_STATE_COUNT || state == side->state)
        return "";
    side->state = state;
    return hf_state_name((enum hf_state)state);
}

static void put_gap(struct hf_ladder *l, hf_ns silence_ns)
{
    char words[64], lane[PIECE_BYTES];
    struct hf_text t;
    hf_text_init(&t, words, sizeof words);
    hf_text_add(&t, "%" PRId64 ".%01" PRId64 " s pass", silence_ns / HF_SEC(1),
                silence_ns / HF_MS(100) % 10);
    size_t blank = l->lane_columns - columns_of(words), first = blank / 2;
    hf_text_init(&t, lane, sizeof lane);
    hf_text_repeat(&t, " ", first);
    add_inked(l, &t, INK_DIM, words);
    hf_text_repeat(&t, " ", blank - first);
    put_row(l, "", "", lane, "", glyphs_of(l)->gap);
}

/* Time of a row as text, with a word about a long silence before it. */
static void begin_row(struct hf_ladder *l, hf_ns time_ns, char time[32])
{
    if (!l->started) {
        l->started = true;
        l->start_ns = l->style.clock == NULL ? time_ns : 0;
        l->last_ns = time_ns;
    }
    if (time_ns - l->last_ns >= l->style.gap_ns)
        put_gap(l, time_ns - l->last_ns);
    l->last_ns = time_ns;
    format_ms(time_ns - l->start_ns, time);
}

/* Splits the words over the arrow and the lines below it. */
static void put_arrow(struct hf_ladder *l, const struct hf_ladder_row *row, const char *time,
                      const struct hf_ladder_words *words)
{
    char all[2 * HF_LADDER_WORDS_BYTES + 2], head[PIECE_BYTES], lane[LINE_BYTES / 2];
    size_t room = l->lane_columns - arrow_overhead(row);
    struct hf_text t;
    hf_text_init(&t, all, sizeof all);
    hf_text_add(&t, "%s%s%s", words->main, words->options[0] ? " " : "", words->options);
    bool together = columns_of(all) <= room;
    const char *text = together ? all : words->main;
    size_t n = wrap_bytes(text, room);
    copy_piece(head, text, n);

    char drawing[PIECE_BYTES];
    hf_text_init(&t, drawing, sizeof drawing);
    if (stops_short(row->fate))
        draw_short(l, row, head, &t);
    else
        draw_whole(l, row, head, &t);
    hf_text_init(&t, lane, sizeof lane);
    add_inked(l, &t, ink_of(row), drawing);
    const char *left = state_news(&l->left, row->left_state);
    const char *right = state_news(&l->right, row->right_state);
    put_row(l, time, left, lane, right, glyphs_of(l)->lifeline);
    put_centred(l, skip_break(text + n));
    if (!together)
        put_centred(l, words->options);
}

void hf_ladder_add(struct hf_ladder *l, const struct hf_ladder_row *row)
{
    char time[32];
    begin_row(l, row->time_ns, time);
    struct hf_ladder_words words;
    hf_ladder_words(l, row, &words);
    put_arrow(l, row, time, &words);
    if (row->note != NULL)
        hf_ladder_note(l, row->note);
}

void hf_ladder_pause(struct hf_ladder *l, hf_ns time_ns, int left_state, int right_state,
                     const char *note)
{
    char time[32], lane[PIECE_BYTES];
    begin_row(l, time_ns, time);
    const char *left = state_news(&l->left, left_state);
    const char *right = state_news(&l->right, right_state);
    struct hf_text t;
    hf_text_init(&t, lane, sizeof lane);
    hf_text_repeat(&t, " ", l->lane_columns);
    if (left[0] != '\0' || right[0] != '\0')
        put_row(l, time, left, lane, right, glyphs_of(l)->lifeline);
    if (note != NULL)
        hf_ladder_note(l, note);
}

/* Both names on one line, each centred on its lifeline as far as the page allows. */
static void put_names(struct hf_ladder *l)
{
    char line[LINE_BYTES];
    struct hf_text t;
    size_t width = l->lane_columns + MARGIN_COLUMNS;
    size_t left_line = TIME_COLUMNS + STATE_COLUMNS + 1;
    size_t right_line = left_line + 1 + l->lane_columns;
    size_t left = columns_of(l->left.name), right = columns_of(l->right.name);
    size_t left_at =
        left / 2 < left_line - TIME_COLUMNS - 1 ? left_line - left / 2 : (size_t)TIME_COLUMNS + 1;
    size_t right_at = right_line > right / 2 ? right_line - right / 2 : 0;
    if (right_at + right > width)
        right_at = width > right ? width - right : 0;
    hf_text_init(&t, line, sizeof line - 1);
    hf_text_add(&t, "%*s", TIME_COLUMNS, l->style.clock == NULL ? "time ms" : l->style.clock);
    hf_text_repeat(&t, " ", left_at - TIME_COLUMNS);
    hf_text_add(&t, "%s", l->left.name);
    size_t used = left_at + left;
    if (used + 2 > right_at) { /* too long for one line */
        put_line(l, &t);
        hf_text_init(&t, line, sizeof line - 1);
        used = 0;
    }
    hf_text_repeat(&t, " ", right_at - used);
    hf_text_add(&t, "%s", l->right.name);
    put_line(l, &t);
}

void hf_ladder_begin(struct hf_ladder *l, const struct hf_ladder_style *style, hf_sink_fn *sink,
                     void *sink_ctx, const char *left_name, const char *right_name)
{
    *l = (struct hf_ladder){.style = *style, .sink = sink, .sink_ctx = sink_ctx};
    unsigned width = style->width_columns == 0 ? 100 : style->width_columns;
    width = width < 80 ? 80 : width > 160 ? 160 : width;
    l->lane_columns = width - MARGIN_COLUMNS;
    if (l->style.gap_ns <= 0)
        l->style.gap_ns = HF_SEC(1);
    l->left = (struct hf_ladder_side){.name = left_name, .state = HF_LADDER_STATE_UNKNOWN};
    l->right = (struct hf_ladder_side){.name = right_name, .state = HF_LADDER_STATE_UNKNOWN};
    put_names(l);
}

void hf_ladder_end(struct hf_ladder *l)
{
    char lane[PIECE_BYTES];
    struct hf_text t;
    hf_text_init(&t, lane, sizeof lane);
    hf_text_repeat(&t, " ", l->lane_columns);
    put_row(l, "", "", lane, "", glyphs_of(l)->lifeline);
}
