/**
 * As much of HTTP/1.1 as serving files takes: requests parsed, answers written. No I/O.
 */
#ifndef HF_CLI_HTTP_H
#define HF_CLI_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_HEAD_MAX_BYTES = 16384, HTTP_PATH_BYTES = 1024 };

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_PUT, HTTP_OTHER };

struct http_request {
    enum http_method method;
    char path[HTTP_PATH_BYTES]; /**< decoded, relative, without leading slashes; "" is the root */
    bool keep_alive;
    bool has_length;
    uint64_t length_bytes; /**< Content-Length */
    bool chunked;
    bool expects_continue;
    bool has_range;
    uint64_t range_first, range_last; /**< range_last UINT64_MAX: to the end */
};

enum http_parse { HTTP_INCOMPLETE, HTTP_COMPLETE, HTTP_BAD };

/** Parses a request's head at the start of n bytes; *head_bytes is its length when complete. A head
 *  that is not complete within HTTP_HEAD_MAX_BYTES is bad. */
enum http_parse http_parse(const char *bytes, size_t n, struct http_request *r, size_t *head_bytes);

/** Writes a head: status line, length, type, connection. Returns its length (at most max). */
size_t http_head(char *to, size_t max, int status, const char *type, uint64_t length_bytes,
                 bool keep_alive, const char *more);
const char *http_status_text(int status);
/** A media type by a name's ending. */
const char *http_type_of(const char *path);

#endif
