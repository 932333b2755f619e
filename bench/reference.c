/**
 * Prints how long a fixed loop takes, as one JSON object: how fast the machine is at this moment.
 * script/beside runs it before each of its runs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"

int main(void)
{
    printf("{\"reference_ns\":%" PRId64 "}\n", hf_bench_reference_ns());
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
