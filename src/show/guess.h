/**
 * The state of an end that is seen only from outside: what its own segments, and those sent to it,
 * say. Exact while nothing is lost; a lost segment shows when the end behaves otherwise.
 */
#ifndef HF_SHOW_GUESS_H
#define HF_SHOW_GUESS_H

#include <handfast/handfast.h>

/** All-zero: CLOSED, nothing seen. */
struct hf_guess {
    enum hf_state state;
    bool fin_sent;
    uint32_t fin_end; /**< sequence number behind its FIN */
};

/** The end sent this segment. */
void hf_guess_sent(struct hf_guess *g, const struct hf_segment *seg);
/** This segment reaches the end. */
void hf_guess_got(struct hf_guess *g, const struct hf_segment *seg);

#endif
