/**
 * The lab's generator of chance: splitmix64. The same seed gives the same run, byte for byte.
 */
#ifndef HF_LAB_DICE_H
#define HF_LAB_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct hf_dice {
    uint64_t state;
};

static inline uint64_t hf_dice_next(struct hf_dice *r)
{
    uint64_t z = r->state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/** A number below n, n > 0. The bias of the remainder does not matter here. */
static inline uint64_t hf_dice_below(struct hf_dice *r, uint64_t n)
{
    return hf_dice_next(r) % n;
}

/** True with a chance of `ppm` in a million. Takes no number from the generator when ppm is 0, so
 *  that switching one kind of trouble on does not reshuffle the others. */
static inline bool hf_dice_chance(struct hf_dice *r, uint32_t ppm)
{
    return ppm > 0 && hf_dice_below(r, 1000000) < ppm;
}

#endif
