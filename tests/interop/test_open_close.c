/**
 * Who opens x who ends it and how, over IPv4 and IPv6, between Handfast and the Linux kernel: the
 * path of states here, what the kernel keeps, what both applications were told, and every byte
 * [RFC9293#3.3.2] [RFC9293#3.5] [RFC9293#3.6].
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "support/interop_cases.h"

enum { CASES = 2 * OPENING_COUNT * CLOSE_COUNT };

int main(void)
{
    static struct interop_run runs[CASES];
    size_t count = 0;
    const char *what = interop_missing();
    if (*what) {
        (void)fprintf(stderr, "skipped: %s\n", what);
        return INTEROP_SKIP;
    }
    for (unsigned v6 = 0; v6 < (interop_has_v6() ? 2u : 1u); v6++)
        for (int opening = 0; opening < OPENING_COUNT; opening++)
            for (int close = 0; close < CLOSE_COUNT; close++) {
                const struct interop_case one = {.opening = (enum interop_opening)opening,
                                                 .close = (enum interop_close)close,
                                                 .v6 = v6 != 0};
                interop_run_init(&runs[count], &one, (unsigned)count);
                count++;
            }
    return interop_run_all("open and close", runs, count);
}
