/**
 * The few calls of bpf(2) that an XDP link needs, without a library: each is one struct. All return
 * a descriptor, or HF_OK, or -1 with errno.
 */
#ifndef HF_HOST_BPF_H
#define HF_HOST_BPF_H

#include <handfast/host.h>

#include <linux/bpf.h>

/** A map from queues to sockets. */
int hf_bpf_xsk_map(uint32_t queues);
/** Puts a socket into it. */
int hf_bpf_set_socket(int map_fd, uint32_t queue, int socket_fd);
/** Hands a program to the verifier. Its complaint, if there is room, is in log. */
int hf_bpf_load_xdp(const struct bpf_insn *program, size_t length, char *log, size_t log_bytes);
/** Attaches it to an interface for as long as the descriptor is open, in this process or another:
 *  so it goes with its owner, however that ends. In the driver and nowhere later: behind that,
 *  frames may have been joined to longer ones (GRO), which fit in no frame of ours. */
int hf_bpf_attach_xdp(int program_fd, int interface_index);

#endif
