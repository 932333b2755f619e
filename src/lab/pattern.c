/**
 * Test data: eight bytes at a time from a mixed counter. Every key is another stream.
 * The pattern repeats after 4 GiB, so that a sequence number is enough to know what belongs there.
 */
#include "pattern.h"

#include <string.h>

#include "dice.h"

static uint64_t word_at(uint64_t key, uint64_t offset)
{
    uint64_t index = (uint32_t)offset / 8;
    struct hf_dice r = {key * 0xD1342543DE82EF95u + index * 0x9E3779B97F4A7C15u};
    return hf_dice_next(&r);
}

/* The eight bytes at a multiple of eight; little end first on every machine. */
static void bytes_at(uint64_t key, uint64_t offset, uint8_t bytes[8])
{
    uint64_t word = word_at(key, offset);
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(word >> 8 * i);
}

/* How many of the next n bytes lie in the word at offset. */
static size_t in_word(uint64_t offset, size_t n)
{
    size_t rest = 8 - (size_t)(offset % 8);
    return rest < n ? rest : n;
}

void hf_pattern_fill(uint64_t key, uint64_t offset, uint8_t *bytes, size_t n)
{
    while (n > 0) {
        uint8_t word[8];
        size_t part = in_word(offset, n);
        bytes_at(key, offset, word);
        memcpy(bytes, word + offset % 8, part);
        bytes += part;
        offset += part;
        n -= part;
    }
}

size_t hf_pattern_check(uint64_t key, uint64_t offset, const uint8_t *bytes, size_t n)
{
    for (size_t done = 0; done < n;) {
        uint8_t word[8];
        size_t part = in_word(offset + done, n - done);
        bytes_at(key, offset + done, word);
        const uint8_t *right = word + (offset + done) % 8;
        if (memcmp(bytes + done, right, part) != 0) {
            size_t i = 0;
            while (bytes[done + i] == right[i])
                i++;
            return done + i;
        }
        done += part;
    }
    return n;
}
