/**
 * An allocator for stacks under test: keeps account, and can refuse the n-th piece.
 */
#ifndef HF_LAB_ACCOUNT_H
#define HF_LAB_ACCOUNT_H

#include <handfast/handfast.h>

/** Pieces that came back, kept for a later run: a lab that makes thousands of stacks would spend
 *  most of its time in the system's allocator. Not used under a sanitizer, which shall see every
 *  piece come and go. */
enum { HF_SPARES = 16 };
struct hf_spares {
    void *pieces[HF_SPARES];
};
void hf_spares_free(struct hf_spares *s);

struct hf_account {
    struct hf_spares *spares; /**< or NULL */
    uint64_t held_bytes, peak_bytes;
    uint64_t pieces;   /**< held */
    uint64_t asked;    /**< pieces asked for since the start, growth included */
    uint64_t fail_nth; /**< refuse this one (1 = the first), once; 0: none */
    bool fail_from;    /**< refuse that one and all after it */
    bool failed;       /**< a piece was refused */
    bool wrong_size;   /**< a piece came back with another size than it was given with */
};

/** A hf_realloc_fn; ctx is the account. */
void *hf_account_realloc(void *ctx, void *ptr, size_t old_bytes, size_t new_bytes);

#endif
