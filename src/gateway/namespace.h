/**
 * A command in a network namespace of its own, whose only way out is a TUN device that we hold.
 *
 * Life: hf_namespace_spawn makes a child, which makes the namespace, sets up the device, hands its
 * descriptor over and waits; the caller starts its stack on the device; hf_namespace_go lets the
 * child become the command; the process descriptor turns readable when it is over;
 * hf_namespace_wait tells how; hf_namespace_close gives everything back, and ends the command if it
 * still runs.
 *
 * Users. A caller that may make network namespaces (root, or root of a container) gets a network
 * namespace alone: the command keeps the user and the rights it would have without us. Any other
 * caller gets a user namespace too, in which it is mapped to itself: the command sees its own user
 * id, files belong to whom they belong to, and the capabilities that the set-up needs are gone when
 * the command starts (exec drops them for everybody but user 0). Other users, and supplementary
 * groups, are shown as nobody there, and setgroups is forbidden, as the kernel demands.
 *
 * Signals. The command stays in the caller's process group: a Ctrl-C reaches it from the terminal.
 * What is sent to the caller alone is passed on by hf_namespace_forward. The command starts with
 * default dispositions and nothing blocked; but SIGHUP, SIGINT and SIGQUIT stay ignored where they
 * were (nohup and background shells ask for that), so a caller must not ignore these itself.
 *
 * Nothing stays behind: the command is killed when the thread that called hf_namespace_spawn dies;
 * call it from one that lives as long as the gateway. What the command itself has left running
 * loses its network with the device.
 */
#ifndef HF_GATEWAY_NAMESPACE_H
#define HF_GATEWAY_NAMESPACE_H

#include <sys/types.h>

#include <handfast/host.h>

struct hf_namespace_config {
    const char *interface;  /**< name of the TUN device, inside */
    const char *device;     /**< NULL: /dev/net/tun */
    struct hf_addr addr_v4; /**< the namespace's address; HF_ADDR_ANY: no IPv4 */
    struct hf_addr addr_v6; /**< HF_ADDR_ANY: no IPv6 */
    uint8_t prefix_v4_bits; /**< 0..32 */
    uint8_t prefix_v6_bits; /**< 0..128 */
    uint32_t mtu_bytes;     /**< 68..65535; IPv6 needs 1280 */
    bool user_namespace;    /**< make one even if a network namespace could be had without */
};

/** What stands behind a spawned command. Owned by the caller; the descriptors are close-on-exec. */
struct hf_namespace {
    pid_t pid;      /**< 0 once it was waited for */
    int pid_fd;     /**< readable when the command is over */
    int tun_fd;     /**< -1 once taken */
    int control_fd; /**< -1 once hf_namespace_go was called */
    bool ipv6;      /**< false: asked for but not to be had, or not asked for */
    int ipv6_errno; /**< why not; 0: it is there or was not asked for */
};

/** tun0, 10.0.2.100/24, fd00::2:100/64, 65520 bytes. */
void hf_namespace_config_init(struct hf_namespace_config *cfg);

/**
 * Makes the namespace and the device, and a child in it that waits to become argv[0].
 * On failure nothing is left, neither a process nor a descriptor, and why says what to do.
 */
HF_MUST_CHECK int hf_namespace_spawn(const struct hf_namespace_config *cfg, char *const argv[],
                                     struct hf_namespace *out, struct hf_why *why);

/** Gives the TUN descriptor (non-blocking, IFF_NO_PI, with a virtio-net header of 10 bytes, as
 *  hf_link_tun_from_fd wants it) to the caller, who closes it. */
int hf_namespace_take_tun(struct hf_namespace *ns);

/**
 * Lets the child execute the command, found by PATH as a shell would, and waits until that is done.
 * Fails with a text if it can't be executed; hf_namespace_wait then tells 127 (not found) or 126.
 */
HF_MUST_CHECK int hf_namespace_go(struct hf_namespace *ns, struct hf_why *why);

/** A descriptor that turns readable when the command is over; it stays ours. */
int hf_namespace_pidfd(const struct hf_namespace *ns);

/** Waits for the command's end. Its exit code, or 128 + the signal that killed it. Once only:
 *  HF_E_STATE afterwards, or when somebody else has waited for it. */
HF_MUST_CHECK int hf_namespace_wait(struct hf_namespace *ns, int *exit_code);

/**
 * Passes on a signal that the caller received, with its si_code. One made by the terminal has
 * reached the command already; true: it was sent.
 */
bool hf_namespace_forward(const struct hf_namespace *ns, int signal_number, int si_code);

/** Kills and reaps the command if it was not waited for; closes all descriptors. */
void hf_namespace_close(struct hf_namespace *ns);

#endif
