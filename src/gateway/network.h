/**
 * A new network namespace for the calling process, with the failure told in words that help.
 */
#ifndef HF_GATEWAY_NETWORK_H
#define HF_GATEWAY_NETWORK_H

#include <handfast/host.h>

/**
 * Moves the calling process, which must have one thread, to a network namespace of its own. If it
 * may not make one, or if user_namespace asks for it, it goes to a new user namespace first, where
 * it keeps its user and group and has all capabilities. There is no way back; what was entered on
 * the way to a failure stays entered. The namespace goes with the last process and descriptor in
 * it.
 */
HF_MUST_CHECK int hf_network_enter(bool user_namespace, struct hf_why *why);

/** Says who forbids it, where a device was refused in a user namespace that could be entered. */
void hf_network_explain(struct hf_why *why);

#endif
