/**
 * pcapng blocks: type, length, body, options, length again; everything in multiples of four bytes.
 */
#include "pcapng.h"

#include <string.h>

enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 6,
    BYTE_ORDER = 0x1a2b3c4d,
    OPTION_END = 0,
    OPTION_COMMENT = 1,
    OPTION_SECTION_APPLICATION = 4,
    OPTION_INTERFACE_NAME = 2,
    OPTION_INTERFACE_RESOLUTION = 9,
    OPTION_PACKET_FLAGS = 2,
    RESOLUTION_NS = 9, /* ten to the minus nine seconds */
    TEXT_MAX_BYTES = 65535,
};

/* A block being written. Beyond the capacity only at_bytes moves on, so that one test at the end
 * tells whether it fitted. */
struct block {
    uint8_t *bytes;
    size_t capacity_bytes;
    size_t at_bytes;
};

static void put(struct block *b, const void *from, size_t n)
{
    if (n && b->at_bytes <= b->capacity_bytes && n <= b->capacity_bytes - b->at_bytes)
        memcpy(b->bytes + b->at_bytes, from, n);
    b->at_bytes += n;
}

static void put16(struct block *b, uint16_t v)
{
    put(b, (const uint8_t[]){(uint8_t)v, (uint8_t)(v >> 8)}, 2);
}

static void put32(struct block *b, uint32_t v)
{
    put16(b, (uint16_t)v);
    put16(b, (uint16_t)(v >> 16));
}

static void pad(struct block *b)
{
    static const uint8_t zeros[3];
    put(b, zeros, (4 - b->at_bytes % 4) % 4);
}

static void option(struct block *b, uint16_t code, const void *value, size_t n)
{
    put16(b, code);
    put16(b, (uint16_t)n);
    put(b, value, n);
    pad(b);
}

static void option_text(struct block *b, uint16_t code, const char *text)
{
    if (!text)
        return;
    size_t n = strlen(text);
    option(b, code, text, n < TEXT_MAX_BYTES ? n : TEXT_MAX_BYTES);
}

static struct block begin(uint8_t *bytes, size_t capacity_bytes, uint32_t type)
{
    struct block b = {bytes, capacity_bytes, 0};
    put32(&b, type);
    put32(&b, 0); /* the length, known at the end */
    return b;
}

static size_t end(struct block *b)
{
    option(b, OPTION_END, NULL, 0);
    uint32_t length_bytes = (uint32_t)(b->at_bytes + 4);
    put32(b, length_bytes);
    if (b->at_bytes > b->capacity_bytes)
        return 0;
    struct block head = {b->bytes, b->capacity_bytes, 4};
    put32(&head, length_bytes);
    return b->at_bytes;
}

size_t hf_pcapng_section(uint8_t *bytes, size_t capacity_bytes, const char *application,
                         const char *comment)
{
    struct block b = begin(bytes, capacity_bytes, BLOCK_SECTION);
    put32(&b, BYTE_ORDER);
    put16(&b, 1); /* version 1.0 */
    put16(&b, 0);
    put32(&b, UINT32_MAX); /* section length not told: the file is written as packets come */
    put32(&b, UINT32_MAX);
    option_text(&b, OPTION_COMMENT, comment);
    option_text(&b, OPTION_SECTION_APPLICATION, application);
    return end(&b);
}

size_t hf_pcapng_interface(uint8_t *bytes, size_t capacity_bytes, uint16_t link_type,
                           const char *name)
{
    static const uint8_t resolution = RESOLUTION_NS;
    struct block b = begin(bytes, capacity_bytes, BLOCK_INTERFACE);
    put16(&b, link_type);
    put16(&b, 0);
    put32(&b, 0); /* no limit: packets are whole */
    option_text(&b, OPTION_INTERFACE_NAME, name);
    option(&b, OPTION_INTERFACE_RESOLUTION, &resolution, 1);
    return end(&b);
}

size_t hf_pcapng_packet(uint8_t *bytes, size_t capacity_bytes, const struct hf_pcapng_packet *p)
{
    struct block b = begin(bytes, capacity_bytes, BLOCK_PACKET);
    uint64_t time_ns = p->time_ns > 0 ? (uint64_t)p->time_ns : 0;
    size_t n = 0;
    for (size_t i = 0; i < p->slice_count; i++)
        n += p->slices[i].length_bytes;
    put32(&b, p->interface);
    put32(&b, (uint32_t)(time_ns >> 32));
    put32(&b, (uint32_t)time_ns);
    put32(&b, (uint32_t)n);
    put32(&b, (uint32_t)n);
    for (size_t i = 0; i < p->slice_count; i++)
        put(&b, p->slices[i].bytes, p->slices[i].length_bytes);
    pad(&b);
    option_text(&b, OPTION_COMMENT, p->comment);
    const uint8_t flags[4] = {(uint8_t)p->direction};
    if (p->direction != HF_PCAPNG_UNKNOWN)
        option(&b, OPTION_PACKET_FLAGS, flags, sizeof flags);
    return end(&b);
}
