/**
 * bpf(2), as far as it is used here. See bpf.h.
 */
#include "bpf.h"

#include <linux/if_link.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int call(enum bpf_cmd command, union bpf_attr *attr)
{
    return (int)syscall(SYS_bpf, command, attr, sizeof *attr);
}

/* The kernel wants zeroes wherever nothing is set, padding too. */
static void clear(union bpf_attr *attr)
{
    memset(attr, 0, sizeof *attr);
}

static uint64_t number_of(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

int hf_bpf_xsk_map(uint32_t queues)
{
    union bpf_attr attr;
    clear(&attr);
    attr.map_type = BPF_MAP_TYPE_XSKMAP;
    attr.key_size = sizeof(uint32_t);
    attr.value_size = sizeof(int);
    attr.max_entries = queues;
    return call(BPF_MAP_CREATE, &attr);
}

int hf_bpf_set_socket(int map_fd, uint32_t queue, int socket_fd)
{
    union bpf_attr attr;
    clear(&attr);
    attr.map_fd = (uint32_t)map_fd;
    attr.key = number_of(&queue);
    attr.value = number_of(&socket_fd);
    return call(BPF_MAP_UPDATE_ELEM, &attr);
}

int hf_bpf_load_xdp(const struct bpf_insn *program, size_t length, char *log, size_t log_bytes)
{
    union bpf_attr attr;
    clear(&attr);
    attr.prog_type = BPF_PROG_TYPE_XDP;
    attr.insns = number_of(program);
    attr.insn_cnt = (uint32_t)length;
    attr.license = number_of("MIT");
    memcpy(attr.prog_name, "handfast", sizeof "handfast");
    int fd = call(BPF_PROG_LOAD, &attr);
    if (fd >= 0 || log_bytes == 0)
        return fd;
    attr.log_level = 1;
    attr.log_buf = number_of(log);
    attr.log_size = (uint32_t)log_bytes;
    return call(BPF_PROG_LOAD, &attr);
}

int hf_bpf_attach_xdp(int program_fd, int interface_index)
{
    union bpf_attr attr;
    clear(&attr);
    attr.link_create.prog_fd = (uint32_t)program_fd;
    attr.link_create.target_ifindex = (uint32_t)interface_index;
    attr.link_create.attach_type = BPF_XDP;
    attr.link_create.flags = XDP_FLAGS_DRV_MODE;
    return call(BPF_LINK_CREATE, &attr);
}
