/**
 * The end of a program whose invariant is broken, for hosted builds: a line on stderr and abort.
 * A freestanding program that compiles src/core itself brings an hf_panic of its own instead.
 */
#include "core/base.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void hf_panic(const char *what, const char *file, int line)
{
    fprintf(stderr, "handfast: broken invariant at %s:%d: %s\n", file, line, what);
    abort();
}
