/**
 * What the programs of bench share: how they read their words, tell the time and give up; and who
 * closes a connection first.
 */
#ifndef HF_BENCH_WORDS_H
#define HF_BENCH_WORDS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

enum { BENCH_EXIT_USAGE = 2 };

/** Says "<program>: <what>: <errno's text>" and exits with 1. */
_Noreturn void bench_fail(const char *what);
/** Says how to call the program and exits with 2. */
_Noreturn void bench_usage(const char *words);

int64_t bench_now_ns(void);
double bench_seconds_since(int64_t began_ns);

/** A whole number of this range, in decimal digits; false: it is none. */
bool bench_read_number(const char *text, uint32_t min, uint32_t max, uint32_t *out);
/** Seconds above 0 and up to 900. */
bool bench_read_seconds(const char *text, int64_t *span_ns);
/** An IPv4 address and a port, the first of `ports`. */
bool bench_read_ports(const char *address, const char *port, const char *ports,
                      struct sockaddr_in *to, uint32_t *count);

/** Of the ports in a row that one end listens on, every second one is where that end closes first,
 *  at once; on the others it waits for the opener to do so, and echoes until then. */
static inline bool bench_listener_closes_first(uint32_t port_index)
{
    return port_index % 2 == 1;
}

#endif
