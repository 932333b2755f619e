/**
 * A command in its own network namespace: what it finds there, what reaches the TUN device, and how
 * its end is told.
 */
#include "gateway/namespace.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "support/spawned.h"
#include "support/user_namespace.h"

/* ---- what comes out ------------------------------------------------------------------------ */

static void a_syn_to_any_ipv4_address_reaches_the_device(void **state)
{
    (void)state;
    struct hf_namespace_config cfg;
    struct hf_namespace ns;
    uint8_t packet[256] = {0};
    hf_namespace_config_init(&cfg);
    struct spawned_command c = spawned_command("connect", "192.0.2.7", "443");
    assert_int_equal(spawned_start(&cfg, &c, &ns), HF_OK);
    size_t length = spawned_read_tcp(ns.tun_fd, packet, sizeof packet);
    assert_true(length >= 40);
    assert_memory_equal(packet + 12, ((uint8_t[]){10, 0, 2, 100}), 4);
    assert_memory_equal(packet + 16, ((uint8_t[]){192, 0, 2, 7}), 4);
    assert_int_equal(packet[20 + 2] << 8 | packet[20 + 3], 443);
    assert_int_equal(packet[20 + 13] & 0x3f, 0x02);
    assert_memory_equal(packet + 40, ((uint8_t[]){2, 4, (65520 - 40) >> 8, (65520 - 40) & 255}), 4);
    hf_namespace_close(&ns);
    assert_false(spawned_has_children());
}

static void a_syn_to_any_ipv6_address_reaches_a_link(void **state)
{
    (void)state;
    struct hf_namespace_config cfg;
    struct hf_namespace ns;
    struct hf_link *link = NULL;
    struct hf_why why = {.text = ""};
    hf_namespace_config_init(&cfg);
    struct spawned_command c = spawned_command("connect", "2001:db8::7", "443");
    assert_int_equal(spawned_start(&cfg, &c, &ns), HF_OK);
    if (!ns.ipv6) {
        assert_int_not_equal(ns.ipv6_errno, 0);
        hf_namespace_close(&ns);
        skip();
    }
    int fd = hf_namespace_take_tun(&ns);
    assert_int_equal(ns.tun_fd, -1);
    assert_int_equal(
        hf_link_tun_from_fd(&link, fd, &(struct hf_tun_config){.mtu_bytes = cfg.mtu_bytes}, &why),
        HF_OK);
    bool seen = false;
    while (!seen && spawned_is_readable(fd, SPAWNED_PATIENCE_MS)) {
        struct hf_packet p;
        if (hf_link_receive(link, &p, 1) != 1 || p.bytes[0] >> 4 != 6 || p.bytes[6] != IPPROTO_TCP)
            continue;
        assert_memory_equal(p.bytes + 8, cfg.addr_v6.octets, 16);
        assert_int_equal(p.bytes[24] << 8 | p.bytes[25], 0x2001);
        assert_int_equal(p.bytes[39], 7);
        assert_int_equal(p.bytes[40 + 13] & 0x3f, 0x02);
        assert_true(p.flags & HF_PACKET_CSUM_PARTIAL);
        seen = true;
    }
    assert_true(seen);
    hf_namespace_close(&ns);
    hf_link_close(link);
}

/* ---- what the command finds ------------------------------------------------------------------ */

static void the_command_finds_a_clean_place(void **state)
{
    (void)state;
    struct hf_namespace_config cfg;
    char text[512], expected[128], user_ns[64] = "", net_ns[64] = "";
    hf_namespace_config_init(&cfg);
    void (*pipe_before)(int) = signal(SIGPIPE, SIG_IGN);
    void (*hup_before)(int) = signal(SIGHUP, SIG_IGN);
    sigset_t blocked, before;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &blocked, &before);
    int kept = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool told = spawned_ask(&cfg, text, sizeof text);
    (void)close(kept);
    sigset_t after;
    (void)sigprocmask(SIG_SETMASK, &before, &after);
    (void)signal(SIGPIPE, pipe_before);
    (void)signal(SIGHUP, hup_before);
    assert_true(told);
    assert_int_equal(sigismember(&after, SIGINT), 1);
    assert_int_equal(sigismember(&after, SIGTERM), 0);
    (void)snprintf(expected, sizeof expected, "uid=%u gid=%u ", geteuid(), getegid());
    assert_true(spawned_says(text, expected));
    /* What the caller passes on, and the pipe to tell through. */
    (void)snprintf(expected, sizeof expected, "fds=%d ", spawned_descriptors(true) + 1);
    assert_true(spawned_says(text, expected));
    (void)snprintf(expected, sizeof expected, "pgrp=%d death=%d ", (int)getpgrp(), SIGKILL);
    assert_true(spawned_says(text, expected));
    assert_true(spawned_says(text, "blocked=0 pipe_ignored=0 hup_ignored=1 "));
    assert_true(spawned_says(text, "lo=1 mtu=65520 "));
    assert_true(readlink("/proc/self/ns/net", net_ns, sizeof net_ns - 1) > 0);
    assert_null(strstr(text, net_ns));
    assert_true(readlink("/proc/self/ns/user", user_ns, sizeof user_ns - 1) > 0);
    /* Root keeps its user namespace, and with it what it may do; others need one of their own. */
    if (spawned_has_capabilities())
        assert_true(spawned_says(text, user_ns));
    else
        assert_null(strstr(text, user_ns));
}

static void a_user_namespace_can_be_asked_for(void **state)
{
    (void)state;
    struct hf_namespace_config cfg;
    char text[512], user_ns[64] = "", expected[64];
    user_namespace_needed(false);
    hf_namespace_config_init(&cfg);
    cfg.user_namespace = true;
    assert_true(spawned_ask(&cfg, text, sizeof text));
    assert_true(readlink("/proc/self/ns/user", user_ns, sizeof user_ns - 1) > 0);
    assert_null(strstr(text, user_ns));
    (void)snprintf(expected, sizeof expected, "uid=%u gid=%u ", geteuid(), getegid());
    assert_true(spawned_says(text, expected));
}

static void ipv6_that_cannot_be_had_is_told(void **state)
{
    (void)state;
    struct hf_namespace_config cfg;
    struct hf_namespace ns;
    uint8_t packet[256] = {0};
    hf_namespace_config_init(&cfg);
    cfg.mtu_bytes = 1000; /* too little for IPv6 [RFC8200#5] */
    struct spawned_command c = spawned_command("connect", "192.0.2.8", "80");
    assert_int_equal(spawned_start(&cfg, &c, &ns), HF_OK);
    assert_false(ns.ipv6);
    assert_int_not_equal(ns.ipv6_errno, 0);
    assert_true(spawned_read_tcp(ns.tun_fd, packet, sizeof packet) >= 40);
    hf_namespace_close(&ns);

    hf_namespace_config_init(&cfg);
    cfg.addr_v6 = HF_ADDR_ANY;
    assert_int_equal(spawned_start(&cfg, &c, &ns), HF_OK);
    assert_false(ns.ipv6);
    assert_int_equal(ns.ipv6_errno, 0);
    hf_namespace_close(&ns);
}

/* ---- how it ends --------------------------------------------------------------------------- */

static void the_exit_code_comes_through_the_descriptor(void **state)
{
    (void)state;
    struct hf_namespace_config cfg;
    struct hf_namespace ns;
    struct hf_why why;
    int code = -1;
    hf_namespace_config_init(&cfg);
    struct spawned_command c = spawned_command("exit", "42", NULL);
    assert_int_equal(hf_namespace_spawn(&cfg, c.argv, &ns, &why), HF_OK);
    assert_false(spawned_is_readable(hf_namespace_pidfd(&ns), 50)); /* it waits for the word */
    assert_int_equal(hf_namespace_go(&ns, &why), HF_OK);
    assert_int_equal(hf_namespace_go(&ns, &why), HF_E_STATE);
    assert_int_equal(fcntl(ns.tun_fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(hf_namespace_pidfd(&ns), F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(ns.tun_fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_true(spawned_is_readable(hf_namespace_pidfd(&ns), SPAWNED_PATIENCE_MS));
    assert_int_equal(hf_namespace_wait(&ns, &code), HF_OK);
    assert_int_equal(code, 42);
    assert_int_equal(hf_namespace_wait(&ns, &code), HF_E_STATE);
    assert_false(hf_namespace_forward(&ns, SIGTERM, SI_USER));
    hf_namespace_close(&ns);
    assert_false(spawned_has_children());
}

static void signals_sent_to_us_are_passed_on(void **state)
{
    (void)state;
    struct hf_namespace_config cfg;
    struct hf_namespace ns;
    int code = -1;
    hf_namespace_config_init(&cfg);
    struct spawned_command c = spawned_command("wait", NULL, NULL);
    assert_int_equal(spawned_start(&cfg, &c, &ns), HF_OK);
    /* The terminal has told the whole process group. */
    assert_false(hf_namespace_forward(&ns, SIGINT, SI_KERNEL));
    assert_false(spawned_is_readable(hf_namespace_pidfd(&ns), 50));
    assert_true(hf_namespace_forward(&ns, SIGTERM, SI_USER));
    assert_int_equal(hf_namespace_wait(&ns, &code), HF_OK);
    assert_int_equal(code, 128 + SIGTERM);
    hf_namespace_close(&ns);
}

static void an_interrupt_before_the_start_is_not_lost(void **state)
{
    (void)state;
    struct hf_namespace_config cfg;
    struct hf_namespace ns;
    struct hf_why why;
    int code = -1;
    hf_namespace_config_init(&cfg);
    struct spawned_command c = spawned_command("wait", NULL, NULL);
    assert_int_equal(hf_namespace_spawn(&cfg, c.argv, &ns, &why), HF_OK);
    assert_true(hf_namespace_forward(&ns, SIGINT, SI_USER));
    (void)!hf_namespace_go(&ns, &why);
    assert_int_equal(hf_namespace_wait(&ns, &code), HF_OK);
    assert_int_equal(code, 128 + SIGINT);
    hf_namespace_close(&ns);
}

static void closing_ends_a_command_that_waits_or_runs(void **state)
{
    (void)state;
    struct hf_namespace_config cfg;
    struct hf_namespace ns;
    struct hf_why why;
    hf_namespace_config_init(&cfg);
    struct spawned_command c = spawned_command("wait", NULL, NULL);
    int before = spawned_descriptors(false);
    assert_int_equal(hf_namespace_spawn(&cfg, c.argv, &ns, &why), HF_OK);
    hf_namespace_close(&ns);
    assert_false(spawned_has_children());
    assert_int_equal(spawned_start(&cfg, &c, &ns), HF_OK);
    hf_namespace_close(&ns);
    assert_false(spawned_has_children());
    assert_int_equal(spawned_descriptors(false), before);
}

static void the_command_dies_with_its_parent(void **state)
{
    (void)state;
    int ends[2];
    struct hf_namespace_config cfg;
    hf_namespace_config_init(&cfg);
    assert_int_equal(pipe2(ends, 0), 0);
    struct spawned_command c = spawned_command("wait", NULL, NULL);
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct hf_namespace ns;
        char word = spawned_start(&cfg, &c, &ns) == HF_OK ? 'y' : 'n';
        (void)!write(ends[1], &word, 1);
        for (;;)
            (void)pause();
    }
    (void)close(ends[1]);
    char word = '?';
    assert_int_equal(read(ends[0], &word, 1), 1);
    assert_int_equal(word, 'y');
    assert_false(spawned_is_readable(ends[0], 50)); /* both hold the other end */
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    assert_true(spawned_is_readable(ends[0], SPAWNED_PATIENCE_MS));
    assert_int_equal(read(ends[0], &word, 1), 0);
    (void)close(ends[0]);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return spawned_play(argc, argv);
    if (!spawned_can())
        return SPAWNED_SKIP;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_syn_to_any_ipv4_address_reaches_the_device),
        cmocka_unit_test(a_syn_to_any_ipv6_address_reaches_a_link),
        cmocka_unit_test(the_command_finds_a_clean_place),
        cmocka_unit_test(a_user_namespace_can_be_asked_for),
        cmocka_unit_test(ipv6_that_cannot_be_had_is_told),
        cmocka_unit_test(the_exit_code_comes_through_the_descriptor),
        cmocka_unit_test(signals_sent_to_us_are_passed_on),
        cmocka_unit_test(an_interrupt_before_the_start_is_not_lost),
        cmocka_unit_test(closing_ends_a_command_that_waits_or_runs),
        cmocka_unit_test(the_command_dies_with_its_parent),
    };
    return user_namespace_result(cmocka_run_group_tests(tests, NULL, NULL));
}
