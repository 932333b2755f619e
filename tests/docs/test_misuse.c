/* What somebody gets who has read handfast.h or --help in a hurry: wrong calls and wrong command
 * lines are answered by an error that says what is wrong, never by something that looks like
 * success. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <handfast/handfast.h>

static void *take_memory(void *ctx, void *piece, size_t old_bytes, size_t new_bytes)
{
    (void)ctx;
    (void)old_bytes;
    if (new_bytes > 0)
        return realloc(piece, new_bytes);
    free(piece);
    return NULL;
}

/* A stack with one connection in SYN-SENT, in slot 0. */
static struct hf_stack *open_one(hf_handle *c)
{
    struct hf_config config;
    hf_config_init(&config, sizeof config);
    struct hf_env env = {.realloc = take_memory, .seed = {1}};
    struct hf_stack *s = NULL;
    assert_int_equal(hf_stack_new(&s, &config, &env, 0), HF_OK);
    struct hf_addr here = hf_addr_v4(192, 0, 2, 1);
    assert_int_equal(hf_stack_add_address(s, &here, 24), HF_OK);
    struct hf_connect to = {.remote = {hf_addr_v4(192, 0, 2, 2), 7}};
    assert_int_equal(hf_connect(s, &to, c, 0), HF_OK);
    return s;
}

/* Else whatever stands in the block would go to the peer. */
static void nothing_is_committed_that_was_not_reserved(void **state)
{
    (void)state;
    hf_handle c;
    struct hf_stack *s = open_one(&c);
    assert_int_equal(hf_send(s, c, "a", 1, 0, 0), 1);
    assert_int_equal(hf_send_commit(s, c, 1, 0, 0), HF_E_STATE);
    hf_stack_free(s);
}

static void a_reservation_is_committed_once(void **state)
{
    (void)state;
    hf_handle c;
    void *room;
    struct hf_stack *s = open_one(&c);
    assert_true(hf_send_reserve(s, c, &room, 0) > 4);
    memcpy(room, "ab", 2);
    assert_int_equal(hf_send_commit(s, c, 2, 0, 0), HF_OK);
    assert_int_equal(hf_send_commit(s, c, 2, 0, 0), HF_E_STATE);
    struct hf_info info;
    assert_int_equal(hf_info(s, c, &info), HF_OK);
    assert_int_equal(info.send_queue_bytes, 2);
    hf_stack_free(s);
}

/* Valid until the next call on the stack, in a block of its own or at the end of one in use. */
static void a_reservation_ends_with_the_next_call(void **state)
{
    (void)state;
    for (int in_use = 0; in_use < 2; in_use++) {
        hf_handle c;
        void *room;
        struct hf_stack *s = open_one(&c);
        if (in_use)
            assert_int_equal(hf_send(s, c, "a", 1, 0, 0), 1);
        assert_true(hf_send_reserve(s, c, &room, 0) > 4);
        assert_int_equal(hf_send(s, c, "b", 1, 0, 0), 1);
        assert_int_equal(hf_send_commit(s, c, 1, 0, 0), HF_E_STATE);
        struct hf_info info;
        assert_int_equal(hf_info(s, c, &info), HF_OK);
        assert_int_equal(info.send_queue_bytes, 1 + in_use);
        hf_stack_free(s);
    }
}

static void a_handle_is_gone_after_closed_and_close(void **state)
{
    (void)state;
    hf_handle c;
    char byte;
    struct hf_event e;
    struct hf_info info;
    struct hf_stack *s = open_one(&c);
    assert_int_equal(hf_close(s, c, 0), HF_OK);
    assert_int_equal(hf_close(s, c, 0), HF_E_CLOSING);
    assert_true(hf_stack_event(s, &e));
    assert_true(e.handle == c && e.bits == HF_EV_CLOSED && e.how == HF_CLOSED_ABORTED);
    assert_false(hf_stack_event(s, &e));
    assert_int_equal(hf_close(s, c, 0), HF_E_HANDLE);
    assert_int_equal(hf_abort(s, c, 0), HF_E_HANDLE);
    assert_int_equal(hf_shutdown(s, c, 0), HF_E_HANDLE);
    assert_int_equal(hf_send(s, c, "a", 1, 0, 0), HF_E_HANDLE);
    assert_int_equal(hf_receive(s, c, &byte, 1, 0), HF_E_HANDLE);
    assert_int_equal(hf_info(s, c, &info), HF_E_HANDLE);
    hf_stack_free(s);
}

static void what_a_connection_can_and_a_listener_can_not(void **state)
{
    (void)state;
    hf_handle c, listener, again;
    struct hf_info info;
    struct hf_stack *s = open_one(&c);
    struct hf_listen what = {.port = 80};
    assert_int_equal(hf_listen(s, &what, &listener, 0), HF_OK);
    assert_int_equal(hf_listen(s, &what, &again, 0), HF_E_EXISTS);
    assert_int_equal(hf_send(s, listener, "a", 1, 0, 0), HF_E_HANDLE);
    assert_int_equal(hf_shutdown(s, listener, 0), HF_E_HANDLE);
    assert_int_equal(hf_info(s, listener, &info), HF_E_HANDLE);
    assert_int_equal(hf_admit(s, c, 0), HF_E_STATE);
    assert_int_equal(hf_refuse(s, c, HF_REFUSE_RESET, 0), HF_E_STATE);
    assert_int_equal(hf_close(s, listener, 0), HF_OK);
    assert_int_equal(hf_close(s, listener, 0), HF_E_HANDLE);
    hf_stack_free(s);
}

/* ---- command lines ------------------------------------------------------------------------ */

enum { SAID_BYTES = 16384 };

/* Runs the command; what it says on both streams, and its exit code. */
static int run_command(const char *words, char said[SAID_BYTES])
{
    char line[1024];
    const char *command = getenv("HF_COMMAND");
    if (command == NULL)
        skip();
    snprintf(line, sizeof line, "'%s' %s 2>&1 </dev/null", command, words);
    (void)fflush(NULL);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    said[fread(said, 1, SAID_BYTES - 1, pipe)] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect(const char *words, int code, const char *text)
{
    char said[SAID_BYTES];
    int got = run_command(words, said);
    if (got != code || strstr(said, text) == NULL)
        fail_msg("handfast %s: %d \"%s\", expected %d \"%s\"", words, got, said, code, text);
}

static void wrong_words_are_refused(void **state)
{
    (void)state;
    expect("", 2, "Usage: handfast COMMAND");
    expect("nothing", 2, "'nothing' is no command");
    expect("--nothing", 2, "'--nothing' is no command");
    expect("--profiles foo", 2, "nothing may follow --profiles, but 'foo' does");
    expect("--version foo", 2, "nothing may follow --version");
    expect("--help foo", 2, "nothing may follow --help");
    static const char *const with_options[] = {"demo", "gateway", "serve", "connect"};
    for (size_t i = 0; i < sizeof with_options / sizeof with_options[0]; i++) {
        char words[64];
        snprintf(words, sizeof words, "%s --nothing", with_options[i]);
        expect(words, 2, "unrecognized option '--nothing'");
        snprintf(words, sizeof words, "%s -h", with_options[i]);
        expect(words, 0, "Usage: handfast ");
    }
    expect("demo foo", 2, "Too many arguments");
    expect("demo --client 0", 2, "--client wants 1 to 65535, not '0'");
    expect("gateway", 2, "no command, say: ");
    expect("gateway --mtu -- true", 2, "--mtu wants 576 to 65535, not '--'");
    expect("gateway --mtu 575 -- true", 2, "--mtu wants 576 to 65535, not '575'");
    expect("gateway --mtu 1500 --mtu 1500 -- true", 2, "--mtu is given twice");
    expect("gateway --record a --record b -- true", 2, "--record is given twice");
    expect("gateway --record '' -- true", 2, "--record is empty");
    expect("gateway --spoil 'drop maybe' -- true", 2, "--spoil: ");
}

#define SERVE "serve --tun hf0 --addr 10.9.0.2/24 "
#define CONNECT "connect --tun hf0 --addr 10.9.0.2/24 "

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    expect("serve", 2, "--tun and --addr are required");
    expect("serve .", 2, "--tun and --addr are required");
    expect("serve --tun hf0 .", 2, "--tun and --addr are required");
    expect("serve --tun", 2, "'--tun' requires an argument");
    expect(SERVE, 2, "DIR is missing");
    expect(SERVE ". .", 2, "Too many arguments");
    expect(SERVE "--tun hf1 .", 2, "--tun is given twice");
    expect(SERVE "--addr 10.9.0.3/24 .", 2, "--addr is given twice");
    expect("serve --interface eth0 .", 2, "--tun and --addr are required");
    expect(SERVE "--interface eth0 .", 2, "--tun and --interface exclude each other");
    expect(SERVE "--gateway 10.9.0.1 .", 2, "--gateway is for --interface");
    expect(SERVE "--xdp .", 2, "--xdp is for --interface");
    expect("serve --interface eth0 --addr 10.9.0.2/24 --xdp --threads 2 /no/such", 2,
           "--xdp and --threads exclude each other");
    expect(SERVE "--record x --threads 2 /no/such", 2, "--record and --threads exclude each other");
    expect("serve --interface a/b --addr 10.9.0.2/24 .", 2, "--interface 'a/b': a name has");
    expect(SERVE "--port 0 .", 2, "--port wants 1 to 65535, not '0'");
    expect(SERVE "--port 80x .", 2, "--port wants 1 to 65535, not '80x'");
    expect(SERVE "--port 65616 .", 2, "--port wants 1 to 65535, not '65616'");
    expect(SERVE "-p 80 --port 80 .", 2, "--port is given twice");
    expect(SERVE "--idle 30 .", 2, "--idle takes a time, say 30s");
    expect(SERVE "--idle -1s .", 2, "--idle takes a time, say 30s");
    expect(SERVE "--idle 1s --idle 1s .", 2, "--idle is given twice");
    expect(SERVE "--spoil 'drop maybe' .", 2, "--spoil, ");
    expect(CONNECT, 2, "HOST and PORT are missing");
    expect(CONNECT "10.9.0.1", 2, "PORT is missing");
    expect(CONNECT "10.9.0.1 7 7", 2, "Too many arguments");
    expect(CONNECT "10.9.0.1 0", 2, "PORT wants 1 to 65535, not '0'");
    expect(CONNECT "10.9.0.1 65543", 2, "PORT wants 1 to 65535, not '65543'"); /* not port 7 */
    expect(CONNECT "10.9.0.1 -1", 2, "");
    expect("connect --tun sixteen-bytes-it --addr 10.9.0.2/24 10.9.0.1 7", 2, "has 1 to 15 bytes");
    expect("connect --tun a/b --addr 10.9.0.2/24 10.9.0.1 7", 2, "without '/'");
}

static void wrong_addresses_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *addr, *text;
    } own[] = {
        {"10.9.0.300/24", "is not an IP address"},
        {"10.9.0.2/33", "behind / must stand 0 to 32"},
        {"10.9.0.2", "leaves no room for the kernel"},
        {"10.9.0.0/24", "is the network of --addr itself"},
        {"10.9.0.255/24", "is the broadcast address"},
        {"127.0.0.2/8", "is a loopback address"},
        {"224.0.0.1/4", "is a multicast address"},
        {"0.0.0.0/0", "is of no host"},
        {"ff02::2/64", "is a multicast address"},
        {"::1/64", "is a loopback address"},
        {"10.9.0.2/24 --kernel-addr foo", "--kernel-addr: "},
        {"10.9.0.2/24 --kernel-addr fd00::1", "one is IPv4, the other IPv6"},
        {"10.9.0.2/24 --kernel-addr 10.9.0.2", "is the stack's own address"},
        {"10.9.0.2/24 --kernel-addr 10.9.0.1 --no-configure", "exclude each other"},
    };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        char words[128];
        snprintf(words, sizeof words, "serve --tun hf0 . --addr %s", own[i].addr);
        expect(words, 2, own[i].text);
    }
    /* What can't ever answer: no SYN is sent to it. */
    expect(CONNECT "10.9.0.255 7", 2, "is the broadcast address of --addr's network");
    expect(CONNECT "10.9.0.0 7", 2, "is the network of --addr itself");
    expect(CONNECT "255.255.255.255 7", 2, "is a broadcast address");
    expect(CONNECT "239.1.1.1 7", 2, "is a multicast address");
    expect(CONNECT "250.1.1.1 7", 2, "is reserved");
    expect(CONNECT "127.1.2.3 7", 2, "is a loopback address");
    expect(CONNECT "10.9.0.2 7", 2, "is the stack's own address");
    expect(CONNECT "0.0.0.0 7", 2, "is of no host");
    expect("connect --tun hf0 --addr fd09::2/64 ff02::1 7", 2, "is a multicast address");
    expect("connect --tun hf0 --addr fd09::2/64 ::1 7", 2, "is a loopback address");
    expect("connect --tun hf0 --addr fd09::2/64 :: 7", 2, "is of no host");
}

/* Behind the settings stands an address that is refused: with another text, if they are taken. */
static void expect_settings(const char *settings, const char *text)
{
    char words[512];
    snprintf(words, sizeof words, CONNECT "%s 127.0.0.1 7", settings);
    expect(words, 2, text);
}

static void settings_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *text;
    } cases[] = {
        {"--set foo=1", "there is no setting 'foo'"},
        {"--set =1", "there is no setting ''"},
        {"--set msl_ns", "NAME=VALUE is wanted, not 'msl_ns'"},
        {"--set msl_ns=", "msl_ns takes a time, say 1.5s, 200ms, 2min, not ''"},
        {"--set msl_ns=5x", "msl_ns takes a time"},
        {"--set msl_ns=.5s", "msl_ns takes a time"},
        {"--set msl_ns=5.s", "msl_ns takes a time"},
        {"--set msl_ns=0.1ns", "msl_ns takes a time"},
        {"--set 'msl_ns=5 s'", "msl_ns takes a time"},
        {"--set msl_ns=9999999999999d", "msl_ns takes a time"},
        {"--set msl_ns=99999999999999999999s", "msl_ns takes a time"},
        {"--set msl_ns=2h", "msl_ns must be 1 ms to 3600 s, not '2h'"},
        {"--set pool_bytes=64KB", "pool_bytes takes a number of bytes"},
        {"--set pool_bytes=64s", "pool_bytes takes a number of bytes"},
        {"--set nagle=2", "nagle takes on or off, not '2'"},
        {"--set ttl=64K", "ttl takes a whole number, not '64K'"},
        {"--set ttl=0", "ttl must be 1 to 255, not '0'"},
        {"--set reply_ring=100", "reply_ring (100) must be a power of two"},
        {"--profile foo", "'foo' is no profile"},
        {"--profile rfc --profile linux", "--profile is given twice"},
        /* These say what was understood. */
        {"--set rto_initial_ns=1.5s --set rto_min_ns=1600ms",
         "rto_min_ns (1600 ms) must not be above rto_initial_ns (1500 ms)"},
        {"--set rto_min_ns=0.02min", "rto_min_ns (1200 ms) must not be above"},
        {"--set rto_min_ns=2000000us", "rto_min_ns (2 s) must not be above"},
        {"--set rto_min_ns=2000000000", "rto_min_ns (2 s) must not be above"},
        {"--set pool_bytes=64KiB --set block_bytes=64K",
         "pool_bytes (65536) must be at least 16 times block_bytes (65536)"},
        {"--set block_bytes=1.5K", "block_bytes (1536) must be a power of two"},
        {"--set port_max=1023", "port_max (1023) must not be below port_min (1024)"},
        /* The profile does not take back what was set, wherever it stands: RFC's floor is 1 s. */
        {"--set rto_initial_ns=500ms --profile rfc",
         "rto_min_ns (1 s) must not be above rto_initial_ns (500 ms)"},
        /* And these are in order. */
        {"--set nagle=off --set sack=0 --set window_scale=-1 --set pool_bytes=1.5G --set "
         "keepalive_idle_ns=1d --set msl_ns=1ms --set nagle=yes --set user_timeout_ns=0",
         "127.0.0.1 is a loopback address"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_settings(cases[i].settings, cases[i].text);
}

/* ---- scripts ------------------------------------------------------------------------------ */

static int run_script(const char *name, const char *argument, char said[SAID_BYTES])
{
    char line[1024];
    snprintf(line, sizeof line, "%s/script/%s %s 2>&1 </dev/null", HF_SOURCE_DIR, name, argument);
    (void)fflush(NULL);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    said[fread(said, 1, SAID_BYTES - 1, pipe)] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect_usage(const char *name, const char *argument, int code)
{
    char said[SAID_BYTES], usage[64];
    int got = run_script(name, argument, said);
    snprintf(usage, sizeof usage, "usage: script/%s", name);
    if (got != code || strstr(said, usage) == NULL)
        fail_msg("script/%s %s: %d \"%s\", expected %d and its usage", name, argument, got, said,
                 code);
}

/* Those that a person types: they have no ending. None begins its work by mistake. */
static void scripts_tell_their_usage(void **state)
{
    char path[1024];
    int scripts = 0;
    (void)state;
    snprintf(path, sizeof path, "%s/script", HF_SOURCE_DIR);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (strchr(e->d_name, '.') != NULL || strchr(e->d_name, '_') != NULL)
            continue;
        expect_usage(e->d_name, "-h", 0);
        expect_usage(e->d_name, "--help", 0);
        expect_usage(e->d_name, "--nonsense", 2);
        scripts++;
    }
    closedir(dir);
    assert_true(scripts >= 8);
}

static void scripts_refuse_what_they_do_not_know(void **state)
{
    char said[SAID_BYTES];
    static const char *const calls[][2] = {
        {"setup", "now"},
        {"demo", "now"},
        {"build", "nonsense"},
        {"build", "dev all twice"},
        {"docs", "dev twice"},
        {"fuzz", "nonsense"},
        {"fuzz", "all 1 2"},
        {"fuzz", "all long"},
        {"lint", "--fix --deep"},
        {"lint", "src"},
        {"test", "nonsense"},
        {"bench", "--update"},
        {"bench", "--build nonsense"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        int code = run_script(calls[i][0], calls[i][1], said);
        if (code != 2 || said[0] == '\0')
            fail_msg("script/%s %s: %d \"%s\"", calls[i][0], calls[i][1], code, said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_committed_that_was_not_reserved),
        cmocka_unit_test(a_reservation_is_committed_once),
        cmocka_unit_test(a_reservation_ends_with_the_next_call),
        cmocka_unit_test(a_handle_is_gone_after_closed_and_close),
        cmocka_unit_test(what_a_connection_can_and_a_listener_can_not),
        cmocka_unit_test(wrong_words_are_refused),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(wrong_addresses_are_refused),
        cmocka_unit_test(settings_are_told_apart),
        cmocka_unit_test(scripts_tell_their_usage),
        cmocka_unit_test(scripts_refuse_what_they_do_not_know),
    };
    (void)unshare(CLONE_NEWNET); /* what is let through by mistake does no harm to this host */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
