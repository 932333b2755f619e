/**
 * An allocator for tests: it counts what it gives, checks what it gets back, and can run out.
 */
#ifndef HF_TEST_MEMORY_H
#define HF_TEST_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct test_memory {
    size_t held_bytes, peak_bytes;
    size_t pieces;      /**< held */
    size_t calls;       /**< of any kind */
    size_t requests;    /**< of calls, those that asked for memory */
    size_t least_bytes; /**< smallest piece ever asked for */
    size_t fail_in;     /**< 1: the next request fails, 2: the one after it...; 0: none */
    size_t skew_bytes;  /**< pieces begin so far behind a multiple of 64: 0, 16, 32 or 48 */
};

#define TEST_MEMORY_INIT ((struct test_memory){.least_bytes = SIZE_MAX})

/** An hf_realloc_fn with a struct test_memory as its context. New memory is filled with 0xA5 and
 *  freed memory with 0xDD; a pointer or size that was not given out ends the program. */
void *test_memory_realloc(void *ctx, void *ptr, size_t old_bytes, size_t new_bytes);

#endif
