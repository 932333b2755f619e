/**
 * The fields of struct tcp_info by the names that assertions use.
 */
#ifndef HF_LAB_DRILL_TCP_INFO_H
#define HF_LAB_DRILL_TCP_INFO_H

#include "sockets/posix.h"

enum { HF_TCP_INFO_BYTES = 512 };

/** What TCP_INFO gave. */
struct hf_tcp_info {
    _Alignas(8) uint8_t bytes[HF_TCP_INFO_BYTES];
    socklen_t length;
};

/** Asks a descriptor for it; 0 or -errno. */
int hf_tcp_info_read(struct hf_tcp_info *info, const struct hf_posix *posix, int fd);
/** The value of "tcpi_snd_cwnd" ...; false for a name that is no field. One beyond the length that
 *  the socket gave is 0. */
bool hf_tcp_info_value(const struct hf_tcp_info *info, const char *name, int64_t *value);
/** The name of the i-th field, NULL beyond the last. */
const char *hf_tcp_info_name(size_t i);

#endif
