/**
 * Opening a file for a recording without destroying something else by a slip of the pen.
 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/** As show/pcapng.c writes a section: the block's head, then options, comment and program. */
enum { HEAD_BYTES = 24, OPTION_APPLICATION = 4, OPTIONS_MAX = 16, OPTION_HEAD_BYTES = 4 };

/** The section names the program that wrote it. */
static bool has_our_name(int fd)
{
    static const char name[] = "handfast ";
    off_t at = HEAD_BYTES;
    for (int i = 0; i < OPTIONS_MAX; i++) {
        uint8_t bytes[OPTION_HEAD_BYTES + sizeof name - 1];
        ssize_t n = pread(fd, bytes, sizeof bytes, at);
        if (n < OPTION_HEAD_BYTES)
            return false;
        int code = bytes[0] | bytes[1] << 8, length = bytes[2] | bytes[3] << 8;
        if (code == OPTION_APPLICATION)
            return n == (ssize_t)sizeof bytes &&
                   memcmp(bytes + OPTION_HEAD_BYTES, name, sizeof name - 1) == 0;
        if (code == 0)
            return false;
        at += OPTION_HEAD_BYTES + (length + 3) / 4 * 4;
    }
    return false;
}

/** Reads by a descriptor of its own: the one to write with may not read. */
static bool is_our_recording(const char *path, const struct stat *wanted)
{
    static const uint8_t type[] = {0x0a, 0x0d, 0x0d, 0x0a}, order[] = {0x4d, 0x3c, 0x2b, 0x1a};
    uint8_t head[HEAD_BYTES];
    struct stat found;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool is_ours = fstat(fd, &found) == 0 && found.st_dev == wanted->st_dev &&
                   found.st_ino == wanted->st_ino &&
                   pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head &&
                   memcmp(head, type, sizeof type) == 0 &&
                   memcmp(head + 8, order, sizeof order) == 0 && has_our_name(fd);
    close(fd);
    return is_ours;
}

int hf_output_open(const char *path)
{
    struct stat found;
    int failure;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return -1;
    if (fstat(fd, &found) < 0)
        goto close_file;
    if (!S_ISREG(found.st_mode) || found.st_size == 0)
        return fd;
    if (!is_our_recording(path, &found)) {
        errno = EEXIST;
        goto close_file;
    }
    if (ftruncate(fd, 0) == 0)
        return fd;
close_file:
    failure = errno;
    close(fd);
    errno = failure;
    return -1;
}
