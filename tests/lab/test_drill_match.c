/* Packets made of lines, and packets held against lines: numbers, fields, options, segments. */
#include "core/wire/icmp.h"
#include "core/wire/tcp.h"
#include "drill.h"
#include "lab/drill/match.h"

enum { STACK_ISS = 0xfffffff0u, PACKET_MAX = 70000 };

static struct hf_flow flow;
static struct hf_flow_gathered gathered;
static struct hf_flow_rules rules;
static char words[HF_MISMATCH_BYTES];
static uint8_t bytes[PACKET_MAX];
static size_t length_bytes;
static bool v6;

static void begin(bool six)
{
    struct hf_endpoint local = {hf_addr_v4(192, 0, 2, 1), 8080};
    struct hf_endpoint remote = {hf_addr_v4(198, 51, 100, 1), 5000};
    if (six) {
        local.addr = (struct hf_addr){{0xfd, [15] = 1}};
        remote.addr = (struct hf_addr){{0xfd, [15] = 2}};
    }
    v6 = six;
    flow = (struct hf_flow){0};
    hf_flow_begin(&flow, &local, &remote, false);
    rules = (struct hf_flow_rules){.match = HF_DRILL_STRICT};
}

/* ---- both directions ---------------------------------------------------------------------- */

/** Builds the packet of an inbound line; 0 with words. */
static size_t build(const char *line)
{
    char text[512];
    snprintf(text, sizeof text, "0 < %s", line);
    struct hf_script s = drill_parse_as(text, v6);
    length_bytes = hf_flow_build(&flow, &s.events[0].packet, bytes, sizeof bytes, words);
    hf_script_free(&s);
    return length_bytes;
}

/** A packet of the stack, by a line whose numbers are those of the wire: built by a flow that knows
 *  no initial numbers and has the ends the other way round. */
static void stack_sends(const char *line)
{
    static struct hf_flow mirror;
    char text[512];
    mirror = (struct hf_flow){.ts_echo_is_scaled = true, .stamps_known = true};
    hf_flow_begin(&mirror, &flow.remote, &flow.local, true);
    mirror.stamps_known = true;
    snprintf(text, sizeof text, "0 < %s", line);
    struct hf_script s = drill_parse_as(text, v6);
    /* Absolute: the mirror must not learn from a SYN. */
    s.events[0].packet.tcp.seq_kind = HF_SCRIPT_SEQ_ABSOLUTE;
    length_bytes = hf_flow_build(&mirror, &s.events[0].packet, bytes, sizeof bytes, words);
    if (length_bytes == 0)
        fail_msg("%s: %s", line, words);
    hf_script_free(&s);
}

static enum hf_flow_verdict match(const char *line)
{
    char text[512];
    snprintf(text, sizeof text, "0 > %s", line);
    struct hf_script s = drill_parse_as(text, v6);
    enum hf_flow_verdict v =
        hf_flow_match(&flow, &s.events[0].packet, &rules, bytes, length_bytes, &gathered, words);
    hf_script_free(&s);
    return v;
}

static void check_match(const char *packet, const char *line)
{
    gathered = (struct hf_flow_gathered){0};
    stack_sends(packet);
    if (match(line) != HF_FLOW_MATCHES)
        fail_msg("%s\nagainst %s: %s", packet, line, words);
    assert_string_equal(words, "");
}

static void check_differs(const char *packet, const char *line, const char *expected)
{
    gathered = (struct hf_flow_gathered){0};
    stack_sends(packet);
    if (match(line) != HF_FLOW_DIFFERS || strcmp(words, expected) != 0)
        fail_msg("%s\nagainst %s: '%s', expected '%s'", packet, line, words, expected);
}

/** A connection whose SYNs were seen: the peer's at 1000, the stack's at STACK_ISS. */
static void open_flow(bool six)
{
    begin(six);
    assert_int_not_equal(build("S 1000:1000(0) win 100"), 0);
    check_match(
        "S. 4294967280:4294967280(0) ack 1001 win 65535 <mss 1460,nop,nop,TS val 500 ecr 0>",
        "S. 0:0(0) ack 1001 <mss 1460,nop,nop,TS val 100 ecr 0>");
}

static struct hf_segment built_segment(struct hf_ip *ip)
{
    struct hf_segment seg;
    assert_int_equal(hf_ip_parse(bytes, length_bytes, ip), HF_NONE);
    assert_int_equal(ip->header_bytes + ip->payload_bytes, length_bytes);
    const uint8_t *tcp = bytes + ip->header_bytes;
    assert_int_equal(hf_tcp_parse(tcp, ip->payload_bytes, &seg), HF_NONE);
    hf_sum sum =
        hf_ip_pseudo_sum(&ip->source, &ip->destination, HF_IP_PROTO_TCP, ip->payload_bytes);
    assert_int_equal(hf_sum_fold(hf_sum_bytes(sum, tcp, ip->payload_bytes)), 0xffff);
    return seg;
}

/* ---- building ----------------------------------------------------------------------------- */

static void numbers_on_the_wire(void **state)
{
    (void)state;
    struct hf_ip ip;
    for (int six = 0; six < 2; six++) {
        open_flow(six == 1);
        assert_int_not_equal(build("FPU. 1:11(10) ack 1 win 7 urg 3 <sack 1:2 17:20,nop,nop>"), 0);
        struct hf_segment seg = built_segment(&ip);
        assert_int_equal(ip.version, six ? 6 : 4);
        assert_int_equal(seg.source_port, 5000);
        assert_int_equal(seg.destination_port, 8080);
        assert_int_equal(seg.flags, HF_FIN | HF_PSH | HF_URG | HF_ACK);
        assert_int_equal(seg.seq, 1001);
        assert_int_equal(seg.ack, STACK_ISS + 1u);
        assert_int_equal(seg.window, 7);
        assert_int_equal(seg.urgent_pointer, 3);
        assert_int_equal(seg.payload_bytes, 10);
        assert_int_equal(seg.sack_count, 2);
        assert_int_equal(seg.sack[0].left, STACK_ISS + 1u);
        assert_int_equal(seg.sack[1].left, 1); /* over the end of the numbers */
        build("1 > 2 R 4294967295:4294967295(0) ack 9 win 0");
        seg = built_segment(&ip);
        assert_int_equal(seg.source_port, 1);
        assert_int_equal(seg.destination_port, 2);
        assert_int_equal(seg.seq, 999);
        assert_int_equal(seg.ack, 9); /* no ACK: as written */
        build(". 77:77(0)! ack 0 win 0");
        assert_int_equal(built_segment(&ip).seq, 77);
        /* With SYN the numbers are the peer's own. */
        build("S. 5:5(0) ack 1 win 0");
        seg = built_segment(&ip);
        assert_int_equal(seg.seq, 5);
        assert_int_equal(seg.ack, STACK_ISS + 1u);
        /* The first SYN stays the one that others count from. */
        build(". 1:1(0) ack 1 win 0");
        assert_int_equal(built_segment(&ip).seq, 1001);
    }
}

/* The script's own initial number counts for packets with SYN only. */
static void a_scripted_initial_number(void **state)
{
    (void)state;
    struct hf_ip ip;
    begin(false);
    check_match("S 50:50(0) win 1", "S 700:700(0)");
    build("S. 9:9(0) ack 701 win 1");
    assert_int_equal(built_segment(&ip).ack, 51);
    build(". 1:1(0) ack 1 win 1");
    assert_int_equal(built_segment(&ip).ack, 51);
    assert_int_equal(built_segment(&ip).seq, 10);
}

static void before_the_stacks_number_is_known(void **state)
{
    (void)state;
    struct hf_ip ip;
    begin(false);
    build(". 17:17(0) ack 34 win 1");
    assert_int_equal(built_segment(&ip).ack, 34);
    check_match("R 34:34(0) win 0", "R 34:34(0)");
}

static void ip_fields_on_the_wire(void **state)
{
    (void)state;
    struct hf_ip ip;
    static const struct {
        const char *text;
        uint8_t traffic_class;
    } all[] = {{"[ect0]", 2},        {"[ect1]", 1},       {"[ce]", 3}, {"[noecn, tos 0x13]", 0x10},
               {"[tos 0x13]", 0x13}, {"[ef, ect0]", 0xba}};
    for (int six = 0; six < 2; six++) {
        begin(six == 1);
        for (size_t i = 0; i < HF_COUNT_OF(all); i++) {
            char line[64];
            snprintf(line, sizeof line, "%s . 1:1(0) win 1", all[i].text);
            build(line);
            built_segment(&ip);
            assert_int_equal(ip.traffic_class, all[i].traffic_class);
        }
        build("(ttl 3, flowlabel 0x12345) . 1:1(0) win 1");
        built_segment(&ip);
        assert_int_equal(ip.ttl, 3);
        if (six)
            assert_int_equal(hf_get32(bytes) & 0xfffff, 0x12345);
    }
}

static void options_go_in_as_written(void **state)
{
    (void)state;
    begin(false);
    build("S 0:0(0) win 1 <mss 9,eol,nop,wscale 3,nop,FO 0a0b,gen-77 01,sackOK,0x0102,0001>");
    static const uint8_t expected[] = {2,  4,  0,  9, 0, 1, 3, 3, 3, 1, 34, 4,
                                       10, 11, 77, 3, 1, 4, 2, 1, 2, 0, 1};
    assert_string_equal(words, "TCP options of 23 bytes, no multiple of 4: nothing is padded");
    build("S 0:0(0) win 1 <mss 9,eol,nop,wscale 3,nop,FO 0a0b,gen-77 01,sackOK,0x0102,0001,nop>");
    assert_int_equal(length_bytes, 64);
    assert_int_equal(bytes[32], 11 << 4);
    assert_memory_equal(bytes + 40, expected, sizeof expected);
    assert_int_equal(bytes[63], 1);
}

static void what_cannot_be_built(void **state)
{
    (void)state;
    open_flow(false);
    assert_int_equal(build(". 1:1(0) ack 1 win 1 <nop,nop,TS val 1 ecr 101>"), 0);
    assert_string_equal(words, "ecr 101: no timestamp 101 was sent");
    assert_int_equal(build(". 1:65537(65536) ack 1 win 1"), 0);
    assert_string_equal(words, "a packet of 65576 bytes is too large to inject");
    assert_int_equal(build(". 1:1(0) ack 1 win 1 <sack 1:2 3:4 5:6 7:8,mss 5,mss 6>"), 0);
    assert_string_equal(words, "TCP options of more than 40 bytes");
    v6 = true;
    assert_int_equal(build("icmp unreachable no_route"), 0);
    assert_string_equal(words, "ICMP of the other IP version");
}

static void icmp_quotes_the_stacks_packet(void **state)
{
    (void)state;
    for (int six = 0; six < 2; six++) {
        open_flow(six == 1);
        build(six ? "icmp packet_too_big mtu 1280 [1:1001(1000)]"
                  : "icmp unreachable frag_needed mtu 1280 [1:1001(1000)]");
        struct hf_ip ip;
        struct hf_icmp icmp;
        assert_int_equal(hf_ip_parse(bytes, length_bytes, &ip), HF_NONE);
        assert_true(hf_addr_equal(&ip.source, &flow.remote.addr));
        assert_int_equal(
            hf_icmp_parse(&ip, bytes + ip.header_bytes, ip.payload_bytes, false, &icmp), HF_NONE);
        assert_int_equal(icmp.kind, HF_ICMP_ERROR);
        assert_int_equal(icmp.mtu_bytes, 1280);
        assert_true(icmp.quoted_tcp);
        assert_true(hf_addr_equal(&icmp.quoted.source, &flow.local.addr));
        assert_true(hf_addr_equal(&icmp.quoted.destination, &flow.remote.addr));
        assert_int_equal(icmp.quoted_source_port, 8080);
        assert_int_equal(icmp.quoted_destination_port, 5000);
        assert_int_equal(icmp.quoted_seq, STACK_ISS + 1u);
        assert_int_equal(icmp.quoted.payload_bytes, 1020);
        assert_int_equal(ip.payload_bytes, 8 + (six ? 40 : 20) + 8);
    }
}

/* ---- matching ----------------------------------------------------------------------------- */

static void each_field(void **state)
{
    (void)state;
    open_flow(false);
    const char *packet = "P. 4294967281:4294967286(5) ack 1001 win 9";
    check_match(packet, "P. 1:6(5) ack 1 win 9");
    check_match(packet, "P. ...(5) ack 1");
    check_match(packet, "P. 4294967281:4294967286(5)! ack 1");
    check_differs(packet, "P. 2:7(5) ack 1", "seq 1, expected 2");
    check_differs(packet, "P. 1:6(5)! ack 1", "seq on the wire 4294967281, expected 1");
    check_differs(packet, "P. 1:5(4) ack 1", "length 5, expected 4");
    check_differs(packet, "P. 1:6(5) ack 2", "ack 1, expected 2");
    check_differs(packet, "P. 1:6(5)", "ack 1, expected 0");
    check_differs(packet, "P. 1:6(5) ack 1 win 8", "window 9, expected 8");
    check_differs(packet, "F. 1:6(5) ack 1", "flags P., expected F.");
    check_differs(packet, ". 1:6(5) ack 1", "flags P., expected .");
    check_differs(packet, "P. 1:6(5) ack 1 urg 1", "urgent pointer 0, expected 1");
    check_differs(packet, "P. 1:6(5) ack 1 <nop>", "no options, expected <nop>");
    check_differs(packet, "8081 > 5000 P. 1:6(5) ack 1", "source port 8080, expected 8081");
    check_differs(packet, "8080 > 5001 P. 1:6(5) ack 1", "destination port 5000, expected 5001");
    check_differs(packet, "P. 2:7(5) ack 2 win 8",
                  "seq 1, expected 2; ack 1, expected 2; window 9, expected 8");
    check_match("R 5:5(0)! win 0", "R 21:21(0)");
    check_differs("R 5:5(0)! ack 7 win 0", "R 21:21(0)", "ack 7, expected 0");
    check_match("SEW 4294967280:4294967280(0) win 1", "SEW 0:0(0)");
    check_differs("SE 4294967280:4294967280(0) win 1", "S3 0:0(0)", "flags SE, expected SEW");
}

static void bytes_that_nobody_expects(void **state)
{
    (void)state;
    open_flow(false);
    gathered = (struct hf_flow_gathered){0};
    stack_sends(". 4294967281:4294967286(5) ack 1001 win 9");
    bytes[32] |= 4;
    bytes[43] = 7;
    assert_int_equal(match(". 1:6(5) ack 1"), HF_FLOW_DIFFERS);
    assert_string_equal(words,
                        "reserved bits 0x4, expected none; payload byte 3 is 0x07, expected 0");
    bytes[length_bytes++] = 0;
    bytes[32] &= 0xf1;
    bytes[43] = 0;
    assert_int_equal(match(". 1:6(5) ack 1"), HF_FLOW_DIFFERS);
    assert_string_equal(words, "1 bytes behind the packet");
    length_bytes = 30;
    assert_int_equal(match(". 1:6(5) ack 1"), HF_FLOW_DIFFERS);
    assert_memory_equal(words, "a packet that can't be read: ", 29);
}

static void ip_fields(void **state)
{
    (void)state;
    open_flow(true);
    const char *packet =
        "[ect0, tos 0x10, ttl 9, flowlabel 5] . 4294967281:4294967281(0) ack 1001 win 9";
    check_match(packet, "[ect0, tos 0x10, ttl 9, flowlabel 5] . 1:1(0) ack 1");
    check_match(packet, "[ect01] . 1:1(0) ack 1");
    check_match(packet, "[tos 0x12] . 1:1(0) ack 1");
    check_match(packet, "[dscp 4] . 1:1(0) ack 1");
    check_match(packet, ". 1:1(0) ack 1");
    check_differs(packet, "[ect1] . 1:1(0) ack 1", "ect0, expected ect1");
    check_differs(packet, "[noecn] . 1:1(0) ack 1", "ect0, expected noecn");
    check_differs(packet, "[ce] . 1:1(0) ack 1", "ect0, expected ce");
    check_differs(packet, "[tos 0x10] . 1:1(0) ack 1", "tos 0x12, expected 0x10");
    check_differs(packet, "[cs1] . 1:1(0) ack 1", "tos 0x10, expected 0x20");
    check_differs(packet, "[ttl 8] . 1:1(0) ack 1", "ttl 9, expected 8");
    check_differs(packet, "[flowlabel 6] . 1:1(0) ack 1", "flowlabel 0x5, expected 0x6");
}

static void options_strictly(void **state)
{
    (void)state;
    open_flow(false);
    const char *packet = "S. 4294967280:4294967280(0) ack 1001 win 9 <mss 1000,sackOK,eol,eol>";
    check_match(packet, "S. 0:0(0) ack 1001 <mss 1000,sackOK,eol,eol>");
    check_match(packet, "S. 0:0(0) ack 1001 <...>");
    check_match(packet, "S. 0:0(0) ack 1001 <0x020403e8,0402,0x0000>");
    check_differs(packet, "S. 0:0(0) ack 1001", "options <mss 1000,sackOK,eol,eol>, expected none");
    check_differs(packet, "S. 0:0(0) ack 1001 <mss 1001,sackOK,eol,eol>",
                  "options <mss 1000,sackOK,eol,eol>, expected <mss 1001,sackOK,eol,eol>");
    check_differs(packet, "S. 0:0(0) ack 1001 <sackOK,mss 1000,eol,eol>",
                  "options <mss 1000,sackOK,eol,eol>, expected <sackOK,mss 1000,eol,eol>");
    check_differs(packet, "S. 0:0(0) ack 1001 <mss 1000,nop,nop,sackOK>",
                  "options <mss 1000,sackOK,eol,eol>, expected <mss 1000,nop,nop,sackOK>");
    const char *blocks = ". 4294967281:4294967281(0) ack 1001 win 9 <nop,nop,sack 1010:1020 1:2>";
    check_match(blocks, ". 1:1(0) ack 1 <nop,nop,sack 10:20 4294966297:4294966298>");
    check_differs(blocks, ". 1:1(0) ack 1 <nop,nop,sack 10:20 1:2>",
                  "options <nop,nop,sack 10:20 4294966297:4294966298>, expected "
                  "<nop,nop,sack 10:20 1:2>");
}

static void semantic_comparison(void **state)
{
    (void)state;
    open_flow(false);
    rules.match = HF_DRILL_SEMANTIC;
    const char *packet = "SP. 4294967280:4294967280(0) ack 1001 win 9 <mss 1000,sackOK,eol,eol>";
    check_match(packet, "S. 0:0(0) ack 1001 <nop,sackOK,nop,mss 1000>");
    check_match(packet, "S. 0:0(0) ack 1001 <sackOK,0x020403e8>");
    check_differs(packet, "S. 0:0(0) ack 1001 <mss 1000>",
                  "options <mss 1000,sackOK,eol,eol>, expected <mss 1000>");
    check_differs(packet, "S. 0:0(0) ack 1001 <mss 1000,sackOK,wscale 1>",
                  "options <mss 1000,sackOK,eol,eol>, expected <mss 1000,sackOK,wscale 1>");
    check_differs(packet, "S. 0:0(0) ack 1001 <mss 1000,sackOK,sackOK>",
                  "options <mss 1000,sackOK,eol,eol>, expected <mss 1000,sackOK,sackOK>");
    check_differs(packet, "S. 0:0(0) ack 1001 <sackOK,sackOK>",
                  "options <mss 1000,sackOK,eol,eol>, expected <sackOK,sackOK>");
    check_match(packet, "S. 0:0(0) ack 1001 win 8 <...>");
    check_differs(packet, "S. 0:0(0) ack 1001 win 0 <...>", "window 9, expected 0");
    check_differs("S. 4294967280:4294967280(0) ack 1001 win 0", "S. 0:0(0) ack 1001 win 8",
                  "window 0, expected 8");
    check_differs(packet, "S. 0:0(0) ack 1001", "options <mss 1000,sackOK,eol,eol>, expected none");
    check_match(". 4294967281:4294967281(0) ack 1001 win 9 <nop,nop,eol,eol>", ". 1:1(0) ack 1");
}

/* ---- timestamps --------------------------------------------------------------------------- */

#define ACK_WITH(options) ". 4294967281:4294967281(0) ack 1001 win 9 <nop,nop," options ">"
#define EXPECT_WITH(options) ". 1:1(0) ack 1 <nop,nop," options ">"

static void timestamps(void **state)
{
    (void)state;
    struct hf_ip ip;
    open_flow(false); /* the script's 100 is 500 on the wire */
    check_match(ACK_WITH("TS val 9999 ecr 5"), EXPECT_WITH("TS val 200 ecr 77")); /* not compared */
    check_match(ACK_WITH("TS val 9999 ecr 5"), EXPECT_WITH("TS val ... ecr 5!"));
    check_differs(ACK_WITH("TS val 9999 ecr 5"), EXPECT_WITH("TS val ... ecr 6!"),
                  "options <nop,nop,TS val 9599 ecr 5>, expected <nop,nop,TS val ... ecr 6!>");
    build(". 1:1(0) ack 1 win 1 <nop,nop,TS val 7 ecr 100>");
    assert_int_equal(built_segment(&ip).ts_value, 7);
    assert_int_equal(built_segment(&ip).ts_echo, 500);
    build(". 1:1(0) ack 1 win 1 <nop,nop,TS val 7 ecr 200>");
    assert_int_equal(built_segment(&ip).ts_echo, 9999);
    build(". 1:1(0) ack 1 win 1 <nop,nop,TS val 7 ecr 3!>");
    assert_int_equal(built_segment(&ip).ts_echo, 3);
    /* Without an ACK nothing is echoed. */
    build("S 1:1(0) win 1 <nop,nop,TS val 7 ecr 4>");
    assert_int_equal(built_segment(&ip).ts_echo, 4);
    flow.ts_echo_is_scaled = true;
    build(". 1:1(0) ack 1 win 1 <nop,nop,TS val 7 ecr 150>");
    assert_int_equal(built_segment(&ip).ts_echo, 550);
}

static void timestamps_with_a_tick(void **state)
{
    (void)state;
    open_flow(false);
    flow.ts_tick_ns = HF_MS(1);
    rules.tolerance_ns = HF_MS(4);
    check_match(ACK_WITH("TS val 604 ecr 0"), EXPECT_WITH("TS val 200 ecr 0"));
    check_differs(ACK_WITH("TS val 605 ecr 0"), EXPECT_WITH("TS val 200 ecr 0"),
                  "options <nop,nop,TS val 205 ecr 0>, expected <nop,nop,TS val 200 ecr 0>");
    check_differs(ACK_WITH("TS val 595 ecr 0"), EXPECT_WITH("TS val 200 ecr 0"),
                  "options <nop,nop,TS val 195 ecr 0>, expected <nop,nop,TS val 200 ecr 0>");
    /* One per cent of a second is more. */
    rules.tolerance_ppm = 10000;
    rules.since_start_ns = HF_SEC(1);
    check_match(ACK_WITH("TS val 610 ecr 0"), EXPECT_WITH("TS val 200 ecr 0"));
    check_differs(ACK_WITH("TS val 611 ecr 0"), EXPECT_WITH("TS val 200 ecr 0"),
                  "options <nop,nop,TS val 211 ecr 0>, expected <nop,nop,TS val 200 ecr 0>");
    /* Around the end of the numbers. */
    check_match(ACK_WITH("TS val 395 ecr 0"), EXPECT_WITH("TS val 4294967291 ecr 0"));
}

static void the_oldest_stamps_are_forgotten(void **state)
{
    (void)state;
    struct hf_ip ip;
    open_flow(false);
    for (unsigned i = 0; i < HF_FLOW_STAMPS; i++) {
        char packet[128], line[128];
        snprintf(packet, sizeof packet, ACK_WITH("TS val %u ecr 0"), 20000 + i);
        snprintf(line, sizeof line, EXPECT_WITH("TS val %u ecr 0"), 1000 + i);
        check_match(packet, line);
    }
    assert_int_equal(build(". 1:1(0) ack 1 win 1 <nop,nop,TS val 7 ecr 100>"), 0);
    build(". 1:1(0) ack 1 win 1 <nop,nop,TS val 7 ecr 1000>");
    assert_int_equal(built_segment(&ip).ts_echo, 20000);
}

/* ---- several segments for one line -------------------------------------------------------- */

static enum hf_flow_verdict next(const char *packet, const char *line)
{
    stack_sends(packet);
    return match(line);
}

static void segments_add_up(void **state)
{
    (void)state;
    open_flow(false);
    const char *line = "P. 1:26(25) ack 1 win 9";
    gathered = (struct hf_flow_gathered){0};
    assert_int_equal(next(". 4294967281:4294967291(10) ack 1001 win 9", line), HF_FLOW_PARTLY);
    assert_int_equal(next(". 4294967291:5(10) ack 1001 win 9", line), HF_FLOW_PARTLY);
    assert_int_equal(next("P. 5:10(5) ack 1001 win 9", line), HF_FLOW_MATCHES);
    assert_int_equal(gathered.segments, 3);
    assert_int_equal(gathered.bytes, 25);
    /* CWR stands on the first, FIN and PSH on the last. */
    line = "FPW. 1:21(20) ack 1";
    gathered = (struct hf_flow_gathered){0};
    assert_int_equal(next(". 4294967281:4294967291(10) ack 1001 win 9", line), HF_FLOW_DIFFERS);
    assert_string_equal(words, "flags ., expected FPW.");
    assert_int_equal(next("W. 4294967281:4294967291(10) ack 1001 win 9", line), HF_FLOW_PARTLY);
    assert_int_equal(next("FP. 4294967291:5(10) ack 1001 win 9", line), HF_FLOW_MATCHES);
}

static void segments_that_do_not(void **state)
{
    (void)state;
    static const struct {
        const char *second, *words;
    } all[] = {
        {". 4294967291:5(10) ack 1001 win 9", "flags ., expected P."},
        {"P. 4294967291:6(11) ack 1001 win 9",
         "length 21, expected 20; segments of 10 and 11 bytes "
         "for one line"},
        {"P. 4294967292:6(10) ack 1001 win 9",
         "seq 12, expected 11; a gap of 1 bytes between segments of one line"},
        {"P. 4294967291:4294967295(4) ack 1001 win 9", "segments of 10 and 4 bytes for one line"},
        {"P. 4294967291:5(10) ack 1002 win 9", "ack 2, expected 1"},
        {"P. 4294967291:5(10) ack 1001 win 8", "windows 9 and 8 for one line"},
        {"P. 4294967291:5(10) ack 1001 win 9 <nop,nop,nop,nop>",
         "headers of 20 and 24 bytes for one line; options <nop,nop,nop,nop>, expected none"},
    };
    for (size_t i = 0; i < HF_COUNT_OF(all); i++) {
        open_flow(false);
        gathered = (struct hf_flow_gathered){0};
        const char *line = "P. 1:21(20) ack 1";
        assert_int_equal(next(". 4294967281:4294967291(10) ack 1001 win 9", line), HF_FLOW_PARTLY);
        enum hf_flow_verdict v = next(all[i].second, line);
        if (v != HF_FLOW_DIFFERS || strcmp(words, all[i].words) != 0)
            fail_msg("%s: %d '%s', expected '%s'", all[i].second, (int)v, words, all[i].words);
    }
}

static void strict_segments(void **state)
{
    (void)state;
    open_flow(false);
    rules.strict_segments = true;
    check_differs(". 4294967281:4294967291(10) ack 1001 win 9", ". 1:21(20) ack 1",
                  "length 10, expected 20");
    rules.strict_segments = false;
    check_differs(". 4294967281:5(20) ack 1001 win 9", ". 1:11(10) ack 1",
                  "length 20, expected 10");
    check_differs(". 4294967281:4294967281(0) ack 1001 win 9", ". 1:11(10) ack 1",
                  "length 0, expected 10");
}

/* ---- whose packets, and in words ---------------------------------------------------------- */

static void whose_packets(void **state)
{
    (void)state;
    begin(false);
    stack_sends(". 1:1(0) win 1");
    assert_true(hf_flow_has(&flow, bytes, length_bytes));
    flow.remote.port = 5001;
    assert_true(hf_flow_has(&flow, bytes, length_bytes)); /* not known yet */
    flow.remote_is_known = true;
    assert_false(hf_flow_has(&flow, bytes, length_bytes));
    flow.remote.port = 5000;
    assert_true(hf_flow_has(&flow, bytes, length_bytes));
    flow.local.port = 8081;
    assert_false(hf_flow_has(&flow, bytes, length_bytes));
    flow.local.port = 0; /* the stack's choice, told by its packet */
    assert_true(hf_flow_has(&flow, bytes, length_bytes));
    assert_int_equal(match(". 1:1(0)"), HF_FLOW_MATCHES);
    assert_int_equal(flow.local.port, 8080);
    assert_false(hf_flow_has(&flow, bytes, 10));
}

static void icmp_of_the_stack(void **state)
{
    (void)state;
    open_flow(false);
    check_match("icmp echo_reply id 7", "icmp echo_reply id 7");
    assert_true(hf_flow_has(&flow, bytes, length_bytes));
    check_differs("icmp echo_reply id 7", "icmp echo_request id 8",
                  "type 0, expected 8; id 7, expected 8");
    check_differs("icmp echo_reply id 7", ". 1:1(0)", "ICMP, expected TCP");
    check_differs(". 1:1(0) win 1", "icmp echo_reply", "TCP, expected ICMP");
    check_match("icmp unreachable frag_needed mtu 1400 [1001:1011(10)]",
                "icmp unreachable frag_needed mtu 1400 [1:11(10)]");
    assert_true(hf_flow_has(&flow, bytes, length_bytes));
    check_differs("icmp unreachable frag_needed mtu 1400 [1001:1011(10)]",
                  "icmp unreachable port_unreachable mtu 1401 [2:11(9)]",
                  "code 4, expected 3; mtu 1400, expected 1401; quoted seq 1, expected 2; "
                  "quoted length 10, expected 9");
}

static void check_text(bool outbound, const char *expected)
{
    char text[512];
    hf_flow_text(&flow, outbound, bytes, length_bytes, text, sizeof text);
    assert_string_equal(text, expected);
}

static void packets_in_words(void **state)
{
    (void)state;
    begin(false);
    stack_sends("S 77:77(0) win 1");
    check_text(true, "> S 0:0(0) win 1"); /* its number is not known before it is matched */
    open_flow(false);
    stack_sends("P. 4294967281:4294967291(10) ack 1001 win 9 <nop,nop,TS val 501 ecr 3,sack "
                "1002:1003,nop,nop>");
    check_text(true, "> P. 1:11(10) ack 1 win 9 <nop,nop,TS val 101 ecr 3,sack 2:3,nop,nop>");
    build("[ect0] F. 1:1(0) ack 4294967295 win 5 urg 2 <nop,nop,TS val 3 ecr 100>");
    check_text(false, "< [ect0] F. 1:1(0) ack 4294967295 win 5 urg 2 <nop,nop,TS val 3 ecr 100>");
    build("icmp unreachable port_unreachable [1:1(0)]");
    check_text(false, "< icmp unreachable port_unreachable [1:1(0)]");
    length_bytes = 3;
    char text[512];
    hf_flow_text(&flow, true, bytes, length_bytes, text, sizeof text);
    assert_memory_equal(text, "> a packet of 3 bytes that can't be read: ", 42);
    hf_flow_text(&flow, true, bytes, length_bytes, text, 5);
    assert_string_equal(text, "> a ");
}

static void lines_in_words(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "> [ect01, tos 0x10, ttl 3, flowlabel 0xabc] 1 > 2 SFRPUEWA. 5:15(10) ack 7 win 8 urg 9",
        "> [dscp 10] - 0:0(0)",
        "> P5. ...(10) <...>",
        "> 0. 1:1(0)! ack 1",
        "> S 0:0(0) <mss 1,nop,wscale 2,sackOK,sack 1:2 3:4,TS val 1 ecr 2!,TS val ... ecr 0,eol>",
        "> S 0:0(0) <FO,FO 0102,exp-f989 01,exp-0102,gen-77,gen-19 01,AccECN0 e0b 1 ceb 2,AccECN1>",
        "> S 0:0(0) <0x020405b4>",
        "< icmp type_40 code_3 id 4",
        "< icmp unreachable frag_needed mtu 1400 [4294967295:9(10)]",
    };
    for (size_t i = 0; i < HF_COUNT_OF(lines); i++) {
        char text[512];
        snprintf(text, sizeof text, "0 %s", lines[i]);
        struct hf_script s = drill_parse(text);
        hf_script_packet_text(&s.events[0].packet, text, sizeof text);
        assert_string_equal(text, lines[i]);
        hf_script_free(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_on_the_wire),
        cmocka_unit_test(a_scripted_initial_number),
        cmocka_unit_test(before_the_stacks_number_is_known),
        cmocka_unit_test(ip_fields_on_the_wire),
        cmocka_unit_test(options_go_in_as_written),
        cmocka_unit_test(what_cannot_be_built),
        cmocka_unit_test(icmp_quotes_the_stacks_packet),
        cmocka_unit_test(each_field),
        cmocka_unit_test(bytes_that_nobody_expects),
        cmocka_unit_test(ip_fields),
        cmocka_unit_test(options_strictly),
        cmocka_unit_test(semantic_comparison),
        cmocka_unit_test(timestamps),
        cmocka_unit_test(timestamps_with_a_tick),
        cmocka_unit_test(the_oldest_stamps_are_forgotten),
        cmocka_unit_test(segments_add_up),
        cmocka_unit_test(segments_that_do_not),
        cmocka_unit_test(strict_segments),
        cmocka_unit_test(whose_packets),
        cmocka_unit_test(icmp_of_the_stack),
        cmocka_unit_test(packets_in_words),
        cmocka_unit_test(lines_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
