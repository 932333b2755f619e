#include "words.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SECONDS_MAX = 900 };

_Noreturn void bench_fail(const char *what)
{
    (void)fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
    exit(EXIT_FAILURE);
}

_Noreturn void bench_usage(const char *words)
{
    (void)fprintf(stderr, "usage: %s %s\n", program_invocation_short_name, words);
    exit(BENCH_EXIT_USAGE);
}

int64_t bench_now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

double bench_seconds_since(int64_t began_ns)
{
    return (double)(bench_now_ns() - began_ns) / 1e9;
}

bool bench_read_number(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
    char *end;
    if (!isdigit((unsigned char)text[0])) /* strtoul takes a sign and blanks */
        return false;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno != 0 || *end != '\0' || value < min || value > max)
        return false;
    *out = (uint32_t)value;
    return true;
}

bool bench_read_seconds(const char *text, int64_t *span_ns)
{
    char *end;
    double seconds = strtod(text, &end);
    if (*end != '\0' || !(seconds > 0 && seconds <= SECONDS_MAX))
        return false;
    *span_ns = (int64_t)(seconds * 1e9);
    return true;
}

bool bench_read_ports(const char *address, const char *port, const char *ports,
                      struct sockaddr_in *to, uint32_t *count)
{
    uint32_t first;
    *to = (struct sockaddr_in){.sin_family = AF_INET};
    if (inet_pton(AF_INET, address, &to->sin_addr) != 1 ||
        !bench_read_number(port, 1, UINT16_MAX, &first) ||
        !bench_read_number(ports, 1, UINT16_MAX - first + 1, count))
        return false;
    to->sin_port = htons((uint16_t)first);
    return true;
}
