/**
 * What a ladder says about a segment: the words on an arrow.
 */
#ifndef HF_SHOW_LADDER_WORDS_H
#define HF_SHOW_LADDER_WORDS_H

#include "ladder.h"

enum { HF_LADDER_WORDS_BYTES = 320 };

struct hf_ladder_words {
    char main[HF_LADDER_WORDS_BYTES];
    char options[HF_LADDER_WORDS_BYTES]; /**< "<...>" or empty */
};

/** Finds the words for a row and learns from it: numbers, window scales, what was sent. */
void hf_ladder_words(struct hf_ladder *l, const struct hf_ladder_row *row,
                     struct hf_ladder_words *words);

#endif
