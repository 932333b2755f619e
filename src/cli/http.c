#include "http.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    int status;
    const char *text;
} statuses[] = {
    {200, "OK"},
    {201, "Created"},
    {206, "Partial Content"},
    {400, "Bad Request"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {411, "Length Required"},
    {416, "Range Not Satisfiable"},
    {500, "Internal Server Error"},
    {507, "Insufficient Storage"},
};

const char *http_status_text(int status)
{
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if (statuses[i].status == status)
            return statuses[i].text;
    return "Unknown";
}

const char *http_type_of(const char *path)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".txt", "text/plain; charset=utf-8"},
        {".md", "text/plain; charset=utf-8"},
        {".css", "text/css"},
        {".js", "text/javascript"},
        {".json", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".pdf", "application/pdf"},
    };
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof types / sizeof types[0]; i++)
        if (strcasecmp(dot, types[i].ending) == 0)
            return types[i].type;
    return "application/octet-stream";
}

size_t http_head(char *to, size_t max, int status, const char *type, uint64_t length_bytes,
                 bool keep_alive, const char *more)
{
    int n = snprintf(to, max,
                     "HTTP/1.1 %d %s\r\nServer: handfast\r\nContent-Type: %s\r\n"
                     "Content-Length: %llu\r\nAccept-Ranges: bytes\r\nConnection: %s\r\n%s\r\n",
                     status, http_status_text(status), type, (unsigned long long)length_bytes,
                     keep_alive ? "keep-alive" : "close", more);
    return n < 0 ? 0 : (size_t)n < max ? (size_t)n : max - 1;
}

/* ---- requests ----------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/** Decodes a target's path; false if it would lead out of the folder or is not decodable. */
static bool decode_path(const char *from, const char *end, char *to)
{
    size_t n = 0;
    while (from < end && *from == '/')
        from++;
    for (; from < end && *from != '?' && *from != '#'; from++) {
        char c = *from;
        if (c == '%') {
            if (end - from < 3 || !isxdigit((unsigned char)from[1]) ||
                !isxdigit((unsigned char)from[2]))
                return false;
            c = (char)(hex_digit(from[1]) * 16 + hex_digit(from[2]));
            from += 2;
        }
        if (c == '\0' || n + 1 >= HTTP_PATH_BYTES)
            return false;
        to[n++] = c;
    }
    to[n] = '\0';
    for (const char *part = to; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
            return false;
    }
    return to[0] != '/';
}

static bool parse_line(const char *line, const char *end, struct http_request *r)
{
    static const char *const names[] = {"GET ", "HEAD ", "PUT "};
    r->method = HTTP_OTHER;
    const char *target = memchr(line, ' ', (size_t)(end - line));
    for (int i = 0; i < HTTP_OTHER; i++)
        if ((size_t)(end - line) > strlen(names[i]) &&
            memcmp(line, names[i], strlen(names[i])) == 0)
            r->method = (enum http_method)i;
    if (target == NULL)
        return false;
    target++;
    const char *version = memchr(target, ' ', (size_t)(end - target));
    if (version == NULL || end - version != 9 || memcmp(version, " HTTP/1.", 8) != 0)
        return false;
    r->keep_alive = version[8] != '0';
    return decode_path(target, version, r->path);
}

static void parse_range(const char *value, struct http_request *r)
{
    char *end;
    if (strncasecmp(value, "bytes=", 6) != 0 || !isdigit((unsigned char)value[6]))
        return; /* other forms are answered with the whole file [RFC9110#14.2] */
    r->range_first = strtoull(value + 6, &end, 10);
    if (*end != '-')
        return;
    r->range_last = isdigit((unsigned char)end[1]) ? strtoull(end + 1, &end, 10) : UINT64_MAX;
    r->has_range = r->range_first <= r->range_last;
}

static void parse_field(const char *name, const char *value, struct http_request *r)
{
    if (strcasecmp(name, "Connection") == 0) {
        if (strcasecmp(value, "close") == 0)
            r->keep_alive = false;
        else if (strcasecmp(value, "keep-alive") == 0)
            r->keep_alive = true;
    } else if (strcasecmp(name, "Content-Length") == 0) {
        r->has_length = isdigit((unsigned char)value[0]) != 0;
        r->length_bytes = strtoull(value, NULL, 10);
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        r->chunked = true;
    } else if (strcasecmp(name, "Expect") == 0) {
        r->expects_continue = strcasecmp(value, "100-continue") == 0;
    } else if (strcasecmp(name, "Range") == 0) {
        parse_range(value, r);
    }
}

static bool parse_fields(char *line, struct http_request *r)
{
    char *next;
    for (; *line != '\0'; line = next) {
        next = strstr(line, "\r\n");
        if (next == NULL)
            return false;
        *next = '\0';
        next += 2;
        char *colon = strchr(line, ':');
        if (colon == NULL || colon == line)
            return false;
        *colon = '\0';
        char *value = colon + 1;
        value += strspn(value, " \t");
        for (size_t n = strlen(value); n > 0 && isspace((unsigned char)value[n - 1]); n--)
            value[n - 1] = '\0';
        parse_field(line, value, r);
    }
    return true;
}

enum http_parse http_parse(const char *bytes, size_t n, struct http_request *r, size_t *head_bytes)
{
    const char *end = memmem(bytes, n, "\r\n\r\n", 4);
    if (end == NULL)
        return n >= HTTP_HEAD_MAX_BYTES ? HTTP_BAD : HTTP_INCOMPLETE;
    *head_bytes = (size_t)(end - bytes) + 4;
    if (*head_bytes > HTTP_HEAD_MAX_BYTES || memchr(bytes, '\0', *head_bytes) != NULL)
        return HTTP_BAD;
    char head[HTTP_HEAD_MAX_BYTES + 1];
    size_t kept = *head_bytes - 2; /* each line with its CRLF, without the empty one */
    memcpy(head, bytes, kept);
    head[kept] = '\0';
    char *line_end = strstr(head, "\r\n");
    *r = (struct http_request){0};
    if (!parse_line(head, line_end, r) || !parse_fields(line_end + 2, r))
        return HTTP_BAD;
    return HTTP_COMPLETE;
}
