/**
 * Writes files below /proc/sys/net, which show the namespace of the process that opens them.
 */
#include "kernel_settings.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab/drill/settings.h"

enum { PATH_BYTES = 160 };

static const char root[] = "/proc/sys/";

static const char congestion_name[] = "net.ipv4.tcp_congestion_control";

static int refuse(char *words, const char *name, const char *value, const char *reason)
{
    snprintf(words, HF_DRILL_TARGET_WORDS_BYTES, "%.80s=%.60s: %s", name, value, reason);
    return HF_E_INVALID;
}

/** The file of a setting, of those that a namespace has for itself. */
static bool find_path(const char *name, char path[PATH_BYTES])
{
    if (strncmp(name, root, sizeof root - 1) == 0)
        name += sizeof root - 1;
    int n = snprintf(path, PATH_BYTES, "%s%s", root, name);
    if (n < 0 || n >= PATH_BYTES || strstr(name, "..") != NULL)
        return false;
    for (char *p = path; *p != '\0'; p++)
        if (*p == '.')
            *p = '/';
    return strncmp(path + sizeof root - 1, "net/", 4) == 0;
}

/** One that changes nothing for any stack; scripts of other systems make them too. */
static bool means_nothing(const char *name, const char *value)
{
    const struct hf_setting_row *row;
    for (size_t i = 0; (row = hf_setting_row_at(i)) != NULL; i++)
        if (row->kind == HF_SETTING_DEFAULT && strcmp(row->name, name) == 0 &&
            (row->value == NULL || strcmp(row->value, value) == 0))
            return true;
    return false;
}

static int write_setting(const char *name, const char *value, char *words)
{
    char path[PATH_BYTES];
    int fd = find_path(name, path) ? open(path, O_WRONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return means_nothing(name, value)
                   ? HF_OK
                   : refuse(words, name, value, "no such setting in the kernel's namespace");
    size_t length = strlen(value);
    ssize_t written = write(fd, value, length);
    int error = errno;
    (void)close(fd);
    if (written == (ssize_t)length)
        return HF_OK;
    return refuse(words, name, value, written < 0 ? strerror(error) : "not taken");
}

/** A namespace may only choose what the machine allows to everyone, a socket of root anything: so
 *  sockets are asked. */
static int choose_congestion(struct hf_kernel_settings *s, const char *value, char *words)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || strlen(value) >= sizeof s->congestion ||
        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, value, (socklen_t)strlen(value)) < 0) {
        const char *reason = strerror(errno);
        if (fd >= 0)
            (void)close(fd);
        return refuse(words, congestion_name, value, reason);
    }
    (void)close(fd);
    snprintf(s->congestion, sizeof s->congestion, "%s", value);
    return HF_OK;
}

int hf_kernel_setting_make(struct hf_kernel_settings *s, const char *name, const char *value,
                           char words[HF_DRILL_TARGET_WORDS_BYTES])
{
    char path[PATH_BYTES], congestion[PATH_BYTES];
    if (find_path(name, path) && find_path(congestion_name, congestion) &&
        strcmp(path, congestion) == 0)
        return choose_congestion(s, value, words);
    return write_setting(name, value, words);
}

void hf_kernel_setting_apply(const struct hf_kernel_settings *s, int fd)
{
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, s->congestion,
                     (socklen_t)strlen(s->congestion));
}
