/**
 * The text of a script, piece by piece: blanks, comments, #ifdef, numbers, words, raw text.
 *
 * The language's pieces overlap (`.` is a flag, a fraction, a part of `...`), so there is no stream
 * of tokens: the parser asks for what may stand at a place. The first fault is kept and ends the
 * text, so that whoever goes on reading finds nothing more.
 */
#ifndef HF_LAB_DRILL_LEXER_H
#define HF_LAB_DRILL_LEXER_H

#include "arena.h"
#include "script.h"

struct hf_lexer {
    const char *at, *end;
    struct hf_place place; /**< of `at` */
    struct hf_place last;  /**< of the last character that was taken and is no blank */
    bool began;            /**< some of what hf_lexer_begin_unit announced was taken */
    const struct hf_script_settings *settings;
    struct hf_arena *arena;
    struct hf_script_fault *fault;
    bool failed, no_memory;
    bool in_ifdef; /**< behind an #ifdef that holds */
    struct hf_place ifdef_place;
    const char *covers;    /**< joined so far */
    const char *covers_to; /**< comments before this were looked at: reading may step back */
};

enum hf_token_kind { HF_TOKEN_WORD, HF_TOKEN_STRING, HF_TOKEN_SHELL, HF_TOKEN_INTEGER };

/** A word, or what a define puts in its place. */
struct hf_token {
    enum hf_token_kind kind;
    struct hf_place place;
    const char *text;
    size_t text_bytes;
};

void hf_lexer_begin(struct hf_lexer *l, const char *text, size_t length_bytes);

/** Records the first fault; always false, to be returned. */
bool hf_lexer_fail(struct hf_lexer *l, struct hf_place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** What comes next begins something new: it does not lack at the end of what was read before. */
void hf_lexer_begin_unit(struct hf_lexer *l);
/** "expected WHAT, found 'ack'", at what comes next; or behind the last piece of a line that is
 *  not complete. */
bool hf_lexer_expected(struct hf_lexer *l, const char *what);
bool hf_lexer_no_memory(struct hf_lexer *l);
/** Steps back, or forth; not past a fault. */
void hf_lexer_return(struct hf_lexer *l, const struct hf_lexer *to);

/** The next character that is no blank; 0 at the end. */
char hf_lexer_peek(struct hf_lexer *l);
/** The place of that. */
struct hf_place hf_lexer_place(struct hf_lexer *l);
/** Takes a piece of punctuation if it comes next. */
bool hf_lexer_accept(struct hf_lexer *l, const char *piece);
/** "expected ')' WHERE". */
bool hf_lexer_expect(struct hf_lexer *l, const char *piece, const char *where);
/** Takes a keyword if it comes next as a whole word. */
bool hf_lexer_accept_word(struct hf_lexer *l, const char *word);
/** Takes characters as long as they are letters, digits, `_` or one of `more`; how many. */
size_t hf_lexer_run(struct hf_lexer *l, const char *more, const char **text);

/** Takes n characters, whatever they are; as many must be there. */
void hf_lexer_take(struct hf_lexer *l, size_t n);
/** A word, by way of the defines; `what` for the fault. */
bool hf_lexer_token(struct hf_lexer *l, const char *what, struct hf_token *token);
/** What a name is defined as, or NULL. */
const char *hf_lexer_define(const struct hf_lexer *l, const char *name, size_t n);
/** Whether a number comes next, or a name that is defined as one. */
bool hf_lexer_has_number(struct hf_lexer *l);
/** A number up to max, decimal or with 0x, or a name that is defined as one; `what` as in
 *  "expected the window". */
bool hf_lexer_number(struct hf_lexer *l, const char *what, uint64_t max, uint64_t *number);
/** Seconds as 1, 1.5 or .5, or a name that is defined so. */
bool hf_lexer_seconds(struct hf_lexer *l, const char *what, hf_ns *ns);
/** What stands before `closing`, as it is; the opening was taken at `opened`. */
bool hf_lexer_raw(struct hf_lexer *l, struct hf_place opened, const char *closing, const char *what,
                  const char **text);
/** "..." with its escapes resolved, from the quotation mark on. */
bool hf_lexer_string(struct hf_lexer *l, const char **text, size_t *text_bytes);

bool hf_is_word_char(char c);
bool hf_is_digit(char c);
/** -1 if it is none. */
int hf_hex_digit(char c);
/** A number in the whole of some text: false if it isn't one, or too large. */
bool hf_text_number(const char *text, size_t n, uint64_t *number);

#endif
