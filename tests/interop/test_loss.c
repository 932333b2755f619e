/**
 * Each packet that makes or ends a connection is lost once, on its way to the Linux kernel or from
 * it: the connection opens and closes all the same, in the same states, with the same bytes
 * [RFC9293#3.5] [RFC9293#3.6] [RFC9293#3.8.1].
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "support/interop_cases.h"

/* "in" comes from the kernel, "out" from us. */
static const struct interop_case cases[] = {
    {OPENING_WE_ACCEPT, CLOSE_PEER_FIRST, false, "drop in syn once", true, false},
    {OPENING_WE_ACCEPT, CLOSE_PEER_FIRST, false, "drop out synack once", true, false},
    {OPENING_WE_ACCEPT, CLOSE_PEER_FIRST, false, "drop in third-ack once", true, false},
    {OPENING_WE_ACCEPT, CLOSE_PEER_FIRST, false, "drop in first-data once", true, false},
    {OPENING_WE_ACCEPT, CLOSE_PEER_FIRST, false, "drop out first-data once", true, false},
    {OPENING_WE_ACCEPT, CLOSE_PEER_FIRST, false, "drop in fin once", true, false},
    {OPENING_WE_ACCEPT, CLOSE_PEER_FIRST, false, "drop out fin once", true, false},
    {OPENING_WE_ACCEPT, CLOSE_PEER_FIRST, false, "drop in last-ack once", true, false},
    {OPENING_WE_ACCEPT, CLOSE_WE_FIRST, false, "drop in fin once", true, false},
    {OPENING_WE_ACCEPT, CLOSE_WE_FIRST, false, "drop out fin once", true, false},
    {OPENING_WE_ACCEPT, CLOSE_WE_FIRST, false, "drop out last-ack once", true, false},
    {OPENING_WE_CONNECT, CLOSE_PEER_FIRST, false, "drop out syn once", true, false},
    {OPENING_WE_CONNECT, CLOSE_PEER_FIRST, false, "drop in synack once", true, false},
    {OPENING_WE_CONNECT, CLOSE_PEER_FIRST, false, "drop out third-ack once", true, false},
    {OPENING_WE_CONNECT, CLOSE_PEER_FIRST, false, "drop in first-data once", true, false},
    {OPENING_WE_CONNECT, CLOSE_PEER_FIRST, false, "drop out first-data once", true, false},
    {OPENING_WE_CONNECT, CLOSE_PEER_FIRST, false, "drop in fin once", true, false},
    {OPENING_WE_CONNECT, CLOSE_PEER_FIRST, false, "drop out fin once", true, false},
    {OPENING_WE_CONNECT, CLOSE_PEER_FIRST, false, "drop in last-ack once", true, false},
    {OPENING_WE_CONNECT, CLOSE_WE_FIRST, false, "drop in fin once", true, false},
    {OPENING_WE_CONNECT, CLOSE_WE_FIRST, false, "drop out fin once", true, false},
    {OPENING_WE_CONNECT, CLOSE_WE_FIRST, false, "drop out last-ack once", true, false},
    {OPENING_WE_ACCEPT, CLOSE_PEER_FIRST, false, "drop in first-data once", true, true},
    {OPENING_WE_ACCEPT, CLOSE_PEER_FIRST, false, "drop out first-data once", true, true},
    {OPENING_WE_CONNECT, CLOSE_PEER_FIRST, false, "drop in first-data once", true, true},
    {OPENING_WE_CONNECT, CLOSE_PEER_FIRST, false, "drop out first-data once", true, true},
    {OPENING_BOTH, CLOSE_BOTH, false, "drop in syn once", true, false},
    {OPENING_BOTH, CLOSE_BOTH, false, "drop out syn once", true, false},
    {OPENING_BOTH, CLOSE_BOTH, false, "drop in synack once", true, false},
    {OPENING_BOTH, CLOSE_BOTH, false, "drop out synack once", true, false},
};

enum { CASES = sizeof cases / sizeof cases[0] };

int main(void)
{
    static struct interop_run runs[2 * CASES];
    size_t count = 0;
    const char *what = interop_missing();
    if (*what) {
        (void)fprintf(stderr, "skipped: %s\n", what);
        return INTEROP_SKIP;
    }
    for (unsigned v6 = 0; v6 < (interop_has_v6() ? 2u : 1u); v6++)
        for (size_t i = 0; i < CASES; i++) {
            struct interop_case one = cases[i];
            one.v6 = v6 != 0;
            interop_run_init(&runs[count], &one, (unsigned)count);
            count++;
        }
    return interop_run_all("loss", runs, count);
}
