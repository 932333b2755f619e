/**
 * Names in scripts and what they stand for: the numbers of this host's headers, for both the stack
 * in virtual time and the kernel.
 */
#ifndef HF_LAB_DRILL_SYMBOLS_H
#define HF_LAB_DRILL_SYMBOLS_H

#include <handfast/handfast.h>

/** AF_INET, SOL_SOCKET, SO_ERROR, TCP_NODELAY, O_NONBLOCK, POLLIN, EPOLLET, SIOCINQ, TCPI_OPT_SACK,
 *  TCP_ESTABLISHED, TCPI_ESTABLISHED, ECONNREFUSED ... False if it is unknown. */
bool hf_symbol_value(const char *name, int64_t *value);
/** Whether packetdrill has the name on some other system, or for what is not supported here. */
bool hf_symbol_is_elsewhere(const char *name);
/** The name of each symbol that has a value; NULL behind the last. */
const char *hf_symbol_name(size_t n);
/** "ECONNREFUSED" of an errno value; "errno 999" of one without a name is never needed: NULL. */
const char *hf_errno_name(int error);

#endif
