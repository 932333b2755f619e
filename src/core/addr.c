/**
 * Addresses and endpoints as values, and as text [RFC5952].
 */
#include "base.h"

struct hf_addr hf_addr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    return (struct hf_addr){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}};
}

bool hf_addr_is_v4(const struct hf_addr *a)
{
    return hf_addr_is_mapped(a);
}

bool hf_addr_equal(const struct hf_addr *a, const struct hf_addr *b)
{
    return hf_addr_is_same(a, b);
}

static char *put_decimal(char *p, uint32_t v)
{
    char digits[10];
    size_t n = 0;
    do
        digits[n++] = (char)('0' + v % 10);
    while ((v /= 10) != 0);
    while (n > 0)
        *p++ = digits[--n];
    return p;
}

/** [RFC5952#4.1] no leading zeroes, [RFC5952#4.3] lower case. */
static char *put_hex(char *p, uint16_t v)
{
    int shift = 12;
    while (shift > 0 && v >> shift == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        *p++ = "0123456789abcdef"[v >> shift & 15];
    return p;
}

static char *put_v4(char *p, const uint8_t *octets)
{
    for (size_t i = 0; i < 4; i++) {
        if (i > 0)
            *p++ = '.';
        p = put_decimal(p, octets[i]);
    }
    return p;
}

/** The groups that "::" stands for [RFC5952#4.2]: the longest run of zeroes, the first of equals,
 *  never a single one. */
struct zero_run {
    size_t begin, count; /**< count 0: none */
};

static struct zero_run find_zero_run(const uint16_t groups[8])
{
    struct zero_run best = {8, 0}, run = {0, 0};
    for (size_t i = 0; i < 8; i++) {
        if (groups[i] != 0) {
            run = (struct zero_run){i + 1, 0};
            continue;
        }
        run.count++;
        if (run.count >= 2 && run.count > best.count)
            best = run;
    }
    return best;
}

static char *put_v6(char *p, const uint8_t *octets)
{
    uint16_t groups[8];
    for (size_t i = 0; i < 8; i++)
        groups[i] = hf_get16(octets + 2 * i);
    struct zero_run run = find_zero_run(groups);
    bool colon_due = false;
    for (size_t i = 0; i < 8;) {
        if (i == run.begin) {
            *p++ = ':';
            *p++ = ':';
            i += run.count;
            colon_due = false;
            continue;
        }
        if (colon_due)
            *p++ = ':';
        p = put_hex(p, groups[i++]);
        colon_due = true;
    }
    return p;
}

/** Without the final NUL. */
static char *put_addr(char *p, const struct hf_addr *a)
{
    return hf_addr_is_v4(a) ? put_v4(p, a->octets + 12) : put_v6(p, a->octets);
}

size_t hf_addr_text(const struct hf_addr *a, char text[HF_ADDR_TEXT_BYTES])
{
    char *end = put_addr(text, a);
    *end = '\0';
    return (size_t)(end - text);
}

size_t hf_endpoint_text(const struct hf_endpoint *e, char text[HF_ENDPOINT_TEXT_BYTES])
{
    bool brackets = !hf_addr_is_v4(&e->addr); /* [RFC5952#6] */
    char *p = text;
    if (brackets)
        *p++ = '[';
    p = put_addr(p, &e->addr);
    if (brackets)
        *p++ = ']';
    *p++ = ':';
    p = put_decimal(p, e->port);
    *p = '\0';
    return (size_t)(p - text);
}
