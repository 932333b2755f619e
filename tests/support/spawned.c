/**
 * Commands in network namespaces, for tests: see spawned.h.
 */
#include "support/spawned.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { VNET_BYTES = 10 };

static char self_path[512];

/* ---- parts that the command plays ------------------------------------------------------------ */

/** Connects until it is killed or refused. */
static int play_connect(const char *address, const char *port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
    bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
    if (!is_v4 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
        return 99;
    int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
    int result = is_v4 ? connect(fd, (struct sockaddr *)&v4, sizeof v4)
                       : connect(fd, (struct sockaddr *)&v6, sizeof v6);
    return result == 0 ? 0 : errno == ECONNREFUSED ? 61 : 98;
}

int spawned_descriptors(bool inheritable_only)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return -1;
    for (const struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        int fd = atoi(e->d_name);
        if (e->d_name[0] == '.' || fd == dirfd(dir))
            continue;
        int flags = fcntl(fd, F_GETFD);
        count += !inheritable_only || (flags >= 0 && !(flags & FD_CLOEXEC));
    }
    (void)closedir(dir);
    return count;
}

static bool is_ignored(int signal_number)
{
    struct sigaction action;
    return sigaction(signal_number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static bool nothing_is_blocked(void)
{
    sigset_t mask;
    (void)sigprocmask(SIG_SETMASK, NULL, &mask);
    for (int s = 1; s <= SIGRTMAX; s++)
        if (sigismember(&mask, s) == 1)
            return false;
    return true;
}

static int mtu_of(const char *name)
{
    struct ifreq request = {.ifr_mtu = 0};
    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int result = ioctl(fd, SIOCGIFMTU, &request);
    (void)close(fd);
    return result < 0 ? -1 : request.ifr_mtu;
}

static bool is_up(const char *name)
{
    struct ifreq request = {.ifr_mtu = 0};
    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int result = ioctl(fd, SIOCGIFFLAGS, &request);
    (void)close(fd);
    return result == 0 && (request.ifr_flags & IFF_UP) != 0;
}

bool spawned_has_capabilities(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0, 0, 0}};
    (void)syscall(SYS_capget, &header, data);
    return (data[0].effective | data[0].permitted | data[1].effective | data[1].permitted) != 0;
}

/** Writes what it finds to a descriptor, one line, and ends with code 5. */
static int play_tell(const char *fd_text)
{
    char user_ns[64] = "", net_ns[64] = "", line[512];
    (void)!readlink("/proc/self/ns/user", user_ns, sizeof user_ns - 1);
    (void)!readlink("/proc/self/ns/net", net_ns, sizeof net_ns - 1);
    int death_signal = 0;
    (void)prctl(PR_GET_PDEATHSIG, &death_signal);
    int length =
        snprintf(line, sizeof line,
                 "uid=%u gid=%u caps=%d fds=%d blocked=%d pipe_ignored=%d hup_ignored=%d "
                 "pgrp=%d death=%d lo=%d mtu=%d %s %s",
                 geteuid(), getegid(), spawned_has_capabilities(), spawned_descriptors(false),
                 !nothing_is_blocked(), is_ignored(SIGPIPE), is_ignored(SIGHUP), (int)getpgrp(),
                 death_signal, is_up("lo"), mtu_of("tun0"), user_ns, net_ns);
    return write(atoi(fd_text), line, (size_t)length) == length ? 5 : 97;
}

int spawned_play(int argc, char **argv)
{
    if (strcmp(argv[1], "connect") == 0 && argc == 4)
        return play_connect(argv[2], argv[3]);
    if (strcmp(argv[1], "tell") == 0 && argc == 3)
        return play_tell(argv[2]);
    if (strcmp(argv[1], "exit") == 0 && argc == 3)
        return atoi(argv[2]);
    for (;;)
        (void)pause();
}

/* ---- helpers ------------------------------------------------------------------------------- */

struct spawned_command spawned_command(const char *part, const char *a, const char *b)
{
    return (struct spawned_command){
        {self_path, (char *)(uintptr_t)part, (char *)(uintptr_t)a, (char *)(uintptr_t)b, NULL}};
}

bool spawned_has_children(void)
{
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

bool spawned_is_readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1 && (p.revents & (POLLIN | POLLHUP)) != 0;
}

int spawned_start(const struct hf_namespace_config *cfg, const struct spawned_command *c,
                  struct hf_namespace *ns)
{
    struct hf_why why = {.text = ""};
    int err = hf_namespace_spawn(cfg, c->argv, ns, &why);
    if (err == HF_OK) {
        err = hf_namespace_go(ns, &why);
        if (err != HF_OK)
            hf_namespace_close(ns);
    }
    if (err != HF_OK)
        (void)fprintf(stderr, "%s: %s\n", hf_err_name(err), why.text);
    return err;
}

size_t spawned_read_tcp(int tun_fd, uint8_t *packet, size_t room_bytes)
{
    uint8_t bytes[2048];
    while (spawned_is_readable(tun_fd, SPAWNED_PATIENCE_MS)) {
        ssize_t length = read(tun_fd, bytes, sizeof bytes);
        if (length <= VNET_BYTES + 40)
            continue;
        const uint8_t *ip = bytes + VNET_BYTES;
        bool is_tcp = ip[0] >> 4 == 4 ? ip[9] == IPPROTO_TCP : ip[6] == IPPROTO_TCP;
        if (!is_tcp || (size_t)length - VNET_BYTES > room_bytes)
            continue;
        memcpy(packet, ip, (size_t)length - VNET_BYTES);
        return (size_t)length - VNET_BYTES;
    }
    return 0;
}

bool spawned_ask(const struct hf_namespace_config *cfg, char *text, size_t room_bytes)
{
    int ends[2];
    char number[16];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return false;
    (void)fcntl(ends[1], F_SETFD, 0);
    (void)snprintf(number, sizeof number, "%d", ends[1]);
    struct spawned_command c = spawned_command("tell", number, NULL);
    struct hf_namespace ns;
    int err = spawned_start(cfg, &c, &ns);
    (void)close(ends[1]);
    ssize_t length = 0;
    int exit_code = -1;
    if (err == HF_OK) {
        length = read(ends[0], text, room_bytes - 1);
        err = hf_namespace_wait(&ns, &exit_code);
        hf_namespace_close(&ns);
    }
    (void)close(ends[0]);
    text[length > 0 ? length : 0] = '\0';
    return err == HF_OK && exit_code == 5;
}

bool spawned_says(const char *text, const char *part)
{
    if (strstr(text, part))
        return true;
    (void)fprintf(stderr, "\"%s\" does not say \"%s\"\n", text, part);
    return false;
}

int spawned_in_process(int (*body)(void))
{
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int result = body();
        (void)fflush(NULL);
        _exit(result);
    }
    int status = -1;
    (void)waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool spawned_can(void)
{
    ssize_t length = readlink("/proc/self/exe", self_path, sizeof self_path - 1);
    if (length <= 0)
        return false;
    struct hf_namespace_config cfg;
    struct hf_namespace ns;
    struct hf_why why = {.text = ""};
    struct spawned_command c = spawned_command("exit", "0", NULL);
    hf_namespace_config_init(&cfg);
    int err = hf_namespace_spawn(&cfg, c.argv, &ns, &why);
    if (err == HF_OK)
        hf_namespace_close(&ns);
    else
        (void)fprintf(stderr, "skipped: %s\n", why.text);
    return err != HF_E_PRIVILEGE && err != HF_E_DEVICE;
}
