/**
 * Handles: {kind 2, shard 8, generation 26, slot 28} bits. The generation is a serial of the whole
 * stack, so that a stale handle is not taken for the slot's next tenant.
 */
#ifndef HF_CORE_HANDLE_H
#define HF_CORE_HANDLE_H

#include "base.h"

enum { HF_HANDLE_SLOT_BITS = 28, HF_HANDLE_GENERATION_BITS = 26 };
#define HF_HANDLE_GENERATION_MASK ((1u << HF_HANDLE_GENERATION_BITS) - 1)

enum hf_handle_kind { HF_HANDLE_CONN = 1, HF_HANDLE_LISTENER = 2 };

static inline hf_handle hf_handle_make(enum hf_handle_kind kind, uint8_t shard, uint32_t generation,
                                       uint32_t slot)
{
    return (hf_handle)kind << 62 | (hf_handle)shard << 54 |
           (hf_handle)(generation & HF_HANDLE_GENERATION_MASK) << HF_HANDLE_SLOT_BITS | slot;
}
static inline enum hf_handle_kind hf_handle_kind(hf_handle h)
{
    return (enum hf_handle_kind)(h >> 62);
}
static inline uint8_t hf_handle_shard(hf_handle h)
{
    return (uint8_t)(h >> 54);
}
static inline uint32_t hf_handle_generation(hf_handle h)
{
    return (uint32_t)(h >> HF_HANDLE_SLOT_BITS) & HF_HANDLE_GENERATION_MASK;
}
static inline uint32_t hf_handle_slot(hf_handle h)
{
    return (uint32_t)h & ((1u << HF_HANDLE_SLOT_BITS) - 1);
}

#endif
