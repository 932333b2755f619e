/**
 * Who opens x who ends it and how, as in test_open_close.c, over an Ethernet by XDP: no offloads,
 * the stack makes and verifies all checksums.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "support/interop_cases.h"
#include "support/veth.h"

enum { CASES = 2 * OPENING_COUNT * CLOSE_COUNT };

static int open_xdp(struct hf_link **out, bool plain, bool v6, struct hf_why *why)
{
    static bool is_made;
    if (!is_made && !veth_make(why))
        return HF_E_DEVICE;
    if (!is_made && !veth_no_offloads()) {
        (void)snprintf(why->text, sizeof why->text, "checksums can't be had from the kernel's end");
        return HF_E_DEVICE;
    }
    is_made = true;
    (void)plain;
    if (v6 && !veth_has_v6())
        return HF_E_DEVICE;
    return veth_open_xdp(out, why);
}

int main(void)
{
    static struct interop_run runs[CASES];
    size_t count = 0;
    interop_use(open_xdp);
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
    return interop_run_all("open and close by XDP", runs, count);
}
