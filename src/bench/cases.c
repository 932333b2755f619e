/**
 * The list of cases, and what is run when none is named.
 */
#include "bench/bench.h"

#include <string.h>

enum { IDLE = 10000, CROWD = 100000, AT_ONCE = 32 };

static const struct hf_bench_case *const cases[] = {
    &hf_bench_lifecycle, &hf_bench_bulk,   &hf_bench_bulk_super,   &hf_bench_rr,   &hf_bench_flood,
    &hf_bench_honest,    &hf_bench_expiry, &hf_bench_memory_kinds, &hf_bench_many,
};

static const struct hf_bench_job usual[] = {
    {&hf_bench_lifecycle, {0}},
    {&hf_bench_lifecycle, {.addresses = true}},
    {&hf_bench_lifecycle, {.idle = IDLE}},
    {&hf_bench_bulk, {0}},
    {&hf_bench_bulk, {.timestamps = true}},
    {&hf_bench_bulk, {.timestamps = true, .batch = true}},
    {&hf_bench_bulk_super, {0}},
    {&hf_bench_bulk_super, {.software = true}},
    {&hf_bench_rr, {0}},
    {&hf_bench_rr, {.at_once = AT_ONCE}},
    {&hf_bench_rr, {.connections = CROWD}},
    {&hf_bench_rr, {.connections = CROWD, .at_once = AT_ONCE}},
    {&hf_bench_flood, {0}},
    {&hf_bench_flood, {.cookies = true}},
    {&hf_bench_honest, {0}},
    {&hf_bench_honest, {.cookies = true}},
    {&hf_bench_expiry, {0}},
    {&hf_bench_memory_kinds, {0}},
    {&hf_bench_memory_kinds, {.v6 = true}},
    {&hf_bench_many, {0}},
};

const struct hf_bench_case *hf_bench_case_at(size_t i)
{
    return i < sizeof cases / sizeof cases[0] ? cases[i] : NULL;
}

const struct hf_bench_case *hf_bench_find(const char *name)
{
    const struct hf_bench_case *c = NULL;
    for (size_t i = 0; (c = hf_bench_case_at(i)) != NULL; i++)
        if (strcmp(c->name, name) == 0)
            break;
    return c;
}

const struct hf_bench_job *hf_bench_usual(size_t i)
{
    return i < sizeof usual / sizeof usual[0] ? &usual[i] : NULL;
}
