/**
 * The XDP program, instruction by instruction. See xdp_program.h.
 *
 * Registers: r6 the context, r2 the frame's first byte, r3 behind its last one, r7 and r8 what is
 * compared. All jumps lead forward, to one of two ends.
 */
#include "xdp_program.h"
#include "resolve.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

#include "core/wire/ip.h"

enum {
    TYPE_AT = 12,
    ARP_TARGET_AT = 14 + 24,
    V4_DESTINATION_AT = 14 + 16,
    V6_NEXT_AT = 14 + 6,
    V6_DESTINATION_AT = 14 + 24,
    ND_TYPE_AT = 14 + 40,
    ND_TARGET_AT = 14 + 48,
    ND_SOLICITATION = 135,
    JUMPS_MAX = 3 * HF_ETHER_ADDRS_MAX + 8,
};

/* Forward jumps that wait for their label. */
struct label {
    size_t from[JUMPS_MAX];
    size_t count;
};

struct program {
    struct bpf_insn *at;
    size_t length;
    struct label ours, kernels;
};

static size_t put(struct program *p, unsigned code, unsigned dst, unsigned src, int off,
                  int32_t imm)
{
    HF_ASSERT(p->length < HF_XDP_PROGRAM_MAX);
    p->at[p->length] = (struct bpf_insn){.code = (uint8_t)code,
                                         .dst_reg = dst & 15,
                                         .src_reg = src & 15,
                                         .off = (int16_t)off,
                                         .imm = imm};
    return p->length++;
}

static void jump(struct program *p, struct label *to, unsigned code, unsigned dst, unsigned src,
                 int32_t imm)
{
    HF_ASSERT(to->count < JUMPS_MAX);
    to->from[to->count++] = put(p, code, dst, src, 0, imm);
}

/* To the next instruction. */
static void place(struct program *p, const struct label *label)
{
    for (size_t i = 0; i < label->count; i++)
        p->at[label->from[i]].off = (int16_t)(p->length - label->from[i] - 1);
}

static void load(struct program *p, unsigned size, unsigned dst, unsigned from, int off)
{
    (void)put(p, BPF_LDX | BPF_MEM | size, dst, from, off, 0);
}

static void load_number(struct program *p, unsigned dst, uint64_t value)
{
    (void)put(p, BPF_LD | BPF_DW | BPF_IMM, dst, 0, 0, (int32_t)(uint32_t)value);
    (void)put(p, 0, 0, 0, 0, (int32_t)(uint32_t)(value >> 32));
}

/* A frame with fewer bytes is the kernel's; from here on the verifier knows how many there are. */
static void need_bytes(struct program *p, int32_t bytes)
{
    (void)put(p, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_4, BPF_REG_2, 0, 0);
    (void)put(p, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_4, 0, 0, bytes);
    jump(p, &p->kernels, BPF_JMP | BPF_JGT | BPF_X, BPF_REG_4, BPF_REG_3, 0);
}

static void leave(struct program *p, struct label *to)
{
    jump(p, to, BPF_JMP | BPF_JA, 0, 0, 0);
}

/* The IPv4 address at this place is one of ours, or the frame is the kernel's. */
static void judge_v4(struct program *p, int at, const struct hf_ether_address *addrs, size_t count)
{
    load(p, BPF_W, BPF_REG_7, BPF_REG_2, at);
    for (size_t i = 0; i < count; i++) {
        int32_t number;
        if (!hf_addr_is_v4(&addrs[i].addr))
            continue;
        memcpy(&number, addrs[i].addr.octets + 12, sizeof number);
        jump(p, &p->ours, BPF_JMP32 | BPF_JEQ | BPF_K, BPF_REG_7, 0, number);
    }
    leave(p, &p->kernels);
}

/* Ours if the IPv6 address at this place is. */
static void judge_v6(struct program *p, int at, const struct hf_ether_address *addrs, size_t count)
{
    load(p, BPF_DW, BPF_REG_7, BPF_REG_2, at);
    load(p, BPF_DW, BPF_REG_8, BPF_REG_2, at + 8);
    for (size_t i = 0; i < count; i++) {
        uint64_t halves[2];
        if (hf_addr_is_v4(&addrs[i].addr))
            continue;
        memcpy(halves, addrs[i].addr.octets, sizeof halves);
        load_number(p, BPF_REG_0, halves[0]);
        (void)put(p, BPF_JMP | BPF_JNE | BPF_X, BPF_REG_7, BPF_REG_0, 3, 0);
        load_number(p, BPF_REG_0, halves[1]);
        jump(p, &p->ours, BPF_JMP | BPF_JEQ | BPF_X, BPF_REG_8, BPF_REG_0, 0);
    }
}

static void judge_solicitation(struct program *p, const struct hf_ether_address *addrs,
                               size_t count)
{
    load(p, BPF_B, BPF_REG_7, BPF_REG_2, V6_NEXT_AT);
    jump(p, &p->kernels, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_7, 0, HF_IP_PROTO_ICMPV6);
    need_bytes(p, ND_TARGET_AT + 16);
    load(p, BPF_B, BPF_REG_7, BPF_REG_2, ND_TYPE_AT);
    jump(p, &p->kernels, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_7, 0, ND_SOLICITATION);
    judge_v6(p, ND_TARGET_AT, addrs, count);
}

/* The kernel keeps the frame if there is no socket for the queue. */
static void finish(struct program *p, int map_fd)
{
    place(p, &p->kernels);
    (void)put(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, XDP_PASS);
    (void)put(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    place(p, &p->ours);
    load(p, BPF_W, BPF_REG_2, BPF_REG_6, offsetof(struct xdp_md, rx_queue_index));
    (void)put(p, BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map_fd);
    (void)put(p, 0, 0, 0, 0, 0);
    (void)put(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, XDP_PASS);
    (void)put(p, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map);
    (void)put(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

size_t hf_xdp_program(struct bpf_insn program[HF_XDP_PROGRAM_MAX], int map_fd,
                      const struct hf_ether_address *addrs, size_t count)
{
    struct program p = {.at = program};
    struct label arp = {.count = 0}, v4 = {.count = 0};
    (void)put(&p, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_1, 0, 0);
    load(&p, BPF_W, BPF_REG_2, BPF_REG_6, offsetof(struct xdp_md, data));
    load(&p, BPF_W, BPF_REG_3, BPF_REG_6, offsetof(struct xdp_md, data_end));
    need_bytes(&p, HF_ETHER_HEADER_BYTES + HF_ARP_BYTES);
    load(&p, BPF_H, BPF_REG_7, BPF_REG_2, TYPE_AT);
    jump(&p, &arp, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_7, 0, htons(HF_ETHER_ARP));
    jump(&p, &v4, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_7, 0, htons(HF_ETHER_IPV4));
    jump(&p, &p.kernels, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_7, 0, htons(HF_ETHER_IPV6));
    need_bytes(&p, HF_ETHER_HEADER_BYTES + HF_IPV6_HEADER_BYTES);
    judge_v6(&p, V6_DESTINATION_AT, addrs, count);
    judge_solicitation(&p, addrs, count);
    leave(&p, &p.kernels);
    place(&p, &arp);
    judge_v4(&p, ARP_TARGET_AT, addrs, count);
    place(&p, &v4);
    judge_v4(&p, V4_DESTINATION_AT, addrs, count);
    finish(&p, map_fd);
    return p.length;
}
