/**
 * Two network namespaces and a veth pair between them: hf0 in the one where the test is at home,
 * with the kernel's addresses, and hf1 in another for links of ours. Nothing of it is left behind.
 *
 *     hf0   10.9.0.1/24  fd09::1/64     the kernel
 *     hf1   no addresses                ours: 10.9.0.2, fd09::2
 */
#ifndef HF_TEST_VETH_H
#define HF_TEST_VETH_H

#include <handfast/host.h>

/** Makes both, from a namespace that the process has for itself; false: it can't be done here. */
bool veth_make(struct hf_why *why);
bool veth_has_v6(void);
/** Goes to the other namespace, and back. */
void veth_go_ours(void);
void veth_go_home(void);
/** Brings an end (hf0 from home, hf1 from there) up or down. */
void veth_set_up(const char *name, bool is_up);
/** Removes the pair, from home. */
void veth_remove(void);
/** Writes a setting of the kernel in the present namespace: "net/ipv4/ip_forward". */
bool veth_sysctl(const char *name, const char *value);

/** An address, which must be one. */
struct hf_addr veth_addr(const char *text);
/** Has the kernel's end fill in checksums, and send no super-packets; from home. */
bool veth_no_offloads(void);
/** The same as the next by XDP. */
int veth_open_xdp(struct hf_link **out, struct hf_why *why);
/** A packet link on hf1 with 10.9.0.2/24 and fd09::2/64, from home and back. */
int veth_open_packet(struct hf_link **out, bool plain, struct hf_why *why);

#endif
