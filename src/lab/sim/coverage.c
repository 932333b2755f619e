/**
 * Ranges of a stream in an array: there are few at a time.
 */
#include "coverage.h"

#include <stdlib.h>
#include <string.h>

#include "core/base.h"

static void insert(struct hf_coverage *c, size_t at, struct hf_coverage_range range)
{
    if (c->count == c->capacity) {
        c->capacity = c->capacity == 0 ? 16 : 2 * c->capacity;
        c->ranges = realloc(c->ranges, c->capacity * sizeof *c->ranges);
        HF_ASSERT(c->ranges != NULL);
    }
    memmove(&c->ranges[at + 1], &c->ranges[at], (c->count - at) * sizeof *c->ranges);
    c->ranges[at] = range;
    c->count++;
}

static void take_out(struct hf_coverage *c, size_t at, size_t n)
{
    if (n == 0)
        return;
    memmove(&c->ranges[at], &c->ranges[at + n], (c->count - at - n) * sizeof *c->ranges);
    c->count -= n;
}

uint64_t hf_coverage_add(struct hf_coverage *c, uint64_t left, uint64_t right)
{
    if (left < c->next)
        left = c->next;
    if (left >= right)
        return 0;
    /* From the back: what comes is mostly behind all that came. */
    size_t end = c->count;
    while (end > 0 && c->ranges[end - 1].left > right)
        end--;
    size_t begin = end;
    uint64_t fresh = right - left;
    struct hf_coverage_range whole = {left, right};
    for (; begin > 0 && c->ranges[begin - 1].right >= left; begin--) {
        const struct hf_coverage_range *r = &c->ranges[begin - 1];
        uint64_t from = r->left > left ? r->left : left;
        uint64_t to = r->right < right ? r->right : right;
        fresh -= to - from;
        whole.left = r->left < whole.left ? r->left : whole.left;
        whole.right = r->right > whole.right ? r->right : whole.right;
    }
    take_out(c, begin, end - begin);
    if (whole.left == c->next)
        c->next = whole.right;
    else
        insert(c, begin, whole);
    return fresh;
}

bool hf_coverage_has(const struct hf_coverage *c, uint64_t offset)
{
    if (offset < c->next)
        return true;
    for (size_t i = 0; i < c->count && c->ranges[i].left <= offset; i++)
        if (offset < c->ranges[i].right)
            return true;
    return false;
}

void hf_coverage_free(struct hf_coverage *c)
{
    free(c->ranges);
    *c = (struct hf_coverage){0};
}
