/**
 * The little program that an XDP link puts into the kernel: what is for us goes to our socket, all
 * else on to the kernel as before.
 */
#ifndef HF_HOST_XDP_PROGRAM_H
#define HF_HOST_XDP_PROGRAM_H

#include <handfast/host.h>

#include <linux/bpf.h>

enum { HF_XDP_PROGRAM_MAX = 512 }; /**< instructions */

/**
 * Writes the program; its length. map_fd: an XSKMAP. For us are IP packets to our addresses, ARP
 * with one of them as target, and neighbour solicitations for one of them. What nobody but the
 * kernel or both of us want to hear, as announcements to all, is left to the kernel.
 */
size_t hf_xdp_program(struct bpf_insn program[HF_XDP_PROGRAM_MAX], int map_fd,
                      const struct hf_ether_address *addrs, size_t count);

#endif
