/* TUN devices in a network namespace of the test's own. */
#ifndef HF_TESTS_HOST_TUN_BENCH_H
#define HF_TESTS_HOST_TUN_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <handfast/host.h>

enum { SKIPPED = 77 };

static bool has_v6; /* set by missing */

static inline struct hf_addr addr_of(const char *text)
{
    struct hf_addr a;
    unsigned bits;
    assert_int_equal(HF_OK, hf_prefix_parse(text, &a, &bits, NULL));
    return a;
}

static inline struct hf_link *open_tun(const struct hf_tun_config *cfg)
{
    struct hf_link *l;
    struct hf_why why = {.text = ""};
    if (hf_link_tun_open(&l, cfg, &why) != HF_OK)
        fail_msg("%s", why.text);
    return l;
}

static inline void must(int result, const struct hf_why *why)
{
    if (result < 0)
        fail_msg("%s", why->text);
}

/* "" when all is there that the tests need; else what is missing. */
static inline const char *missing(void)
{
    if (geteuid() != 0)
        return "root is needed";
    if (access("/dev/net/tun", R_OK | W_OK) != 0)
        return "/dev/net/tun is missing";
    if (unshare(CLONE_NEWNET) != 0)
        return "no network namespace can be made";
    struct hf_link *l;
    const struct hf_tun_config cfg = {.name = "probe"};
    if (hf_link_tun_open(&l, &cfg, NULL) != HF_OK)
        return "no TUN can be made";
    const struct hf_addr v6 = {{0xfd, [15] = 1}};
    has_v6 = hf_netif_up("probe", NULL) == HF_OK &&
             hf_netif_add_address("probe", &v6, 64, NULL) == HF_OK;
    hf_link_close(l);
    return "";
}

#endif
