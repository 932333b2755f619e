/* Every form of the script language, from text to tree. */
#include "drill.h"

static void check_place(struct hf_place place, uint32_t line, uint32_t column)
{
    assert_int_equal(place.line, line);
    assert_int_equal(place.column, column);
}

static void option_lines(void **state)
{
    (void)state;
    struct hf_script s = drill_parse("--ip_version=ipv6\n  --strict // words\n--a = \"b c\"\n"
                                     "--local_ip=192.0.2.1/16\n--strict=2\n0 `x`\n");
    assert_int_equal(s.option_count, 5);
    assert_string_equal(s.options[0].name, "ip_version");
    assert_string_equal(s.options[0].value, "ipv6");
    check_place(s.options[1].place, 2, 3);
    assert_null(s.options[1].value);
    assert_string_equal(hf_script_option(&s, "a"), "b c");
    assert_string_equal(hf_script_option(&s, "local_ip"), "192.0.2.1/16");
    assert_string_equal(hf_script_option(&s, "strict"), "2");
    assert_null(hf_script_option(&s, "none"));
    hf_script_free(&s);
    s = drill_parse("--flag");
    assert_string_equal(hf_script_option(&s, "flag"), "");
    assert_int_equal(s.event_count, 0);
    hf_script_free(&s);
}

static void commands_and_code(void **state)
{
    (void)state;
    struct hf_script s =
        drill_parse("`first // raw\nline`\n0 `timed`\n+0 %{ # not a comment }\n}%\n"
                    "+0 COMMAND\n`last`");
    assert_string_equal(s.init, "first // raw\nline");
    assert_string_equal(s.final, "last");
    check_place(s.final_place, 7, 1);
    assert_int_equal(s.event_count, 3);
    assert_int_equal(s.events[0].kind, HF_SCRIPT_SHELL);
    assert_string_equal(s.events[0].text, "timed");
    assert_int_equal(s.events[1].kind, HF_SCRIPT_CODE);
    assert_string_equal(s.events[1].text, " # not a comment }\n");
    assert_int_equal(s.events[2].kind, HF_SCRIPT_SHELL);
    assert_string_equal(s.events[2].text, "true");
    check_place(s.events[1].place, 4, 1);
    check_place(s.events[1].end, 5, 2);
    hf_script_free(&s);
}

static void comments_and_covers(void **state)
{
    (void)state;
    struct hf_script s = drill_parse("// covers: MUST-1, MUST-2\n/* covers: none */ 0 `a`\n"
                                     "+0 /* in\nbetween */ `b` // covers: SHLD-3,\n");
    assert_string_equal(s.covers, "MUST-1, MUST-2, SHLD-3");
    assert_int_equal(s.event_count, 2);
    hf_script_free(&s);
    s = drill_parse("0 `// covers: raw`");
    assert_null(s.covers);
    hf_script_free(&s);
}

/* Where reading steps back, a comment counts once. */
static void covers_are_told_once(void **state)
{
    (void)state;
    struct hf_script s = drill_parse("0 < 1 // covers: A\n > 2 . 1:1(0) win 1\n"
                                     "+0 f({a // covers: B\n}) = 0");
    assert_string_equal(s.covers, "A, B");
    hf_script_free(&s);
}

static void ifdefs(void **state)
{
    (void)state;
    struct hf_script s = drill_parse("#ifdef KNOWN\n0 `a`\n#endif\n#ifdef OTHER\n not %{ ` read\n"
                                     "  #endif\n+0 `b`\n#ifdef KNOWN_NOT\n#endif // end\n");
    assert_int_equal(s.event_count, 2);
    assert_string_equal(s.events[1].text, "b");
    check_place(s.events[1].place, 7, 1);
    hf_script_free(&s);
}

static void check_time(const struct hf_script_event *e, enum hf_script_time_kind kind,
                       int64_t start_ms, int64_t end_ms)
{
    assert_int_equal(e->time.kind, kind);
    assert_int_equal(e->time.start_ns, HF_MS(start_ms));
    assert_int_equal(e->time.end_ns, HF_MS(end_ms));
}

static void times(void **state)
{
    (void)state;
    struct hf_script s = drill_parse("0...0.1 f() = 0\n1.5 `a`\n+.1 `a`\n+ 0.25 `a`\n* > . 1:1(0)\n"
                                     "2~3.5 > . 1:1(0)\n+.1~+.2 > . 1:1(0)\n+.1...0.3 f() = 0\n"
                                     "4.0000000019 `a`");
    const struct hf_script_event *e = s.events;
    check_time(&e[0], HF_SCRIPT_TIME_ABSOLUTE, 0, 100);
    assert_true(e[0].time.is_blocking && !e[0].time.is_range);
    check_time(&e[1], HF_SCRIPT_TIME_ABSOLUTE, 1500, 1500);
    check_time(&e[2], HF_SCRIPT_TIME_RELATIVE, 100, 100);
    check_time(&e[3], HF_SCRIPT_TIME_RELATIVE, 250, 250);
    assert_int_equal(e[4].time.kind, HF_SCRIPT_TIME_ANY);
    check_time(&e[5], HF_SCRIPT_TIME_ABSOLUTE, 2000, 3500);
    assert_true(e[5].time.is_range && !e[5].time.is_blocking);
    check_time(&e[6], HF_SCRIPT_TIME_RELATIVE, 100, 200);
    check_time(&e[7], HF_SCRIPT_TIME_RELATIVE, 100, 300);
    assert_int_equal(e[8].time.start_ns, HF_SEC(4) + 1);
    hf_script_free(&s);
}

/* ---- packets ------------------------------------------------------------------------------ */

/** The only event of a script, a packet. */
static struct hf_script_packet *packet(struct hf_script *s, const char *line, bool v6)
{
    char text[512];
    snprintf(text, sizeof text, "0 %s", line);
    *s = drill_parse_as(text, v6);
    assert_int_equal(s->event_count, 1);
    assert_int_equal(s->events[0].kind, HF_SCRIPT_PACKET);
    return &s->events[0].packet;
}

static void tcp_headers(void **state)
{
    (void)state;
    struct hf_script s;
    struct hf_script_packet *p =
        packet(&s, "< 12 > 34 SFRPUEWA. 5:15(10) ack 7 win 8 urg 9", false);
    assert_false(p->outbound);
    assert_int_equal(p->protocol, HF_SCRIPT_TCP);
    assert_true(p->has_ports);
    assert_int_equal(p->source_port, 12);
    assert_int_equal(p->destination_port, 34);
    assert_int_equal(p->tcp.flags, 0x1ff);
    assert_int_equal(p->tcp.seq, 5);
    assert_int_equal(p->tcp.length_bytes, 10);
    assert_true(p->tcp.has_ack && p->tcp.has_window && p->tcp.has_urgent);
    assert_int_equal(p->tcp.ack, 7);
    assert_int_equal(p->tcp.window, 8);
    assert_int_equal(p->tcp.urgent, 9);
    assert_int_equal(p->tcp.options, HF_SCRIPT_OPTIONS_NONE);
    hf_script_free(&s);
    p = packet(&s, "> - 4294967295:9(10)", false);
    assert_true(p->outbound);
    assert_int_equal(p->tcp.flags, 0);
    assert_int_equal(p->tcp.seq, UINT32_MAX);
    assert_false(p->tcp.has_ack || p->tcp.has_window || p->tcp.has_urgent || p->has_ports);
    hf_script_free(&s);
    p = packet(&s, "> P5. ...(10)", false);
    assert_true(p->tcp.has_ace);
    assert_int_equal(p->tcp.ace, 5);
    assert_int_equal(p->tcp.flags, HF_PSH | HF_ACK | HF_AE | HF_ECE);
    assert_int_equal(p->tcp.seq_kind, HF_SCRIPT_SEQ_ANY);
    assert_int_equal(p->tcp.length_bytes, 10);
    hf_script_free(&s);
    p = packet(&s, "> .F 5:5(0)! ack 1 <...>", false);
    assert_int_equal(p->tcp.seq_kind, HF_SCRIPT_SEQ_ABSOLUTE);
    assert_int_equal(p->tcp.flags, HF_FIN | HF_ACK);
    assert_int_equal(p->tcp.options, HF_SCRIPT_OPTIONS_ANY);
    hf_script_free(&s);
}

static void ip_headers(void **state)
{
    (void)state;
    struct hf_script s;
    struct hf_script_packet *p = packet(&s, "> [ect01, tos 0x10, ttl 3] . 1:1(0)", false);
    assert_int_equal(p->ip.ecn, HF_SCRIPT_ECN_ECT01);
    assert_true(p->ip.has_tos && p->ip.has_ttl && !p->ip.has_dscp && !p->ip.has_flow_label);
    assert_int_equal(p->ip.tos, 0x10);
    assert_int_equal(p->ip.ttl, 3);
    hf_script_free(&s);
    p = packet(&s, "> (class 0x20, hlim 4, flowlabel 0xabcde) . 1:1(0)", true);
    assert_int_equal(p->ip.tos, 0x20);
    assert_int_equal(p->ip.ttl, 4);
    assert_true(p->ip.has_flow_label);
    assert_int_equal(p->ip.flow_label, 0xabcde);
    hf_script_free(&s);
    static const struct {
        const char *text;
        enum hf_script_ecn ecn;
        int tos;
    } all[] = {
        {"> [noecn] . 1:1(0)", HF_SCRIPT_ECN_NONE, -1},
        {"> [ect0] . 1:1(0)", HF_SCRIPT_ECN_ECT0, -1},
        {"> [ect1] . 1:1(0)", HF_SCRIPT_ECN_ECT1, -1},
        {"> [ce] . 1:1(0)", HF_SCRIPT_ECN_CE, -1},
        {"> [dscp 10] . 1:1(0)", HF_SCRIPT_ECN_ANY, 40},
        {"> [dscp cs1] . 1:1(0)", HF_SCRIPT_ECN_ANY, 32},
        {"> (af43) . 1:1(0)", HF_SCRIPT_ECN_ANY, 152},
    };
    for (size_t i = 0; i < HF_COUNT_OF(all); i++) {
        p = packet(&s, all[i].text, false);
        assert_int_equal(p->ip.ecn, all[i].ecn);
        assert_int_equal(p->ip.has_dscp, all[i].tos >= 0);
        if (all[i].tos >= 0)
            assert_int_equal(p->ip.tos, all[i].tos);
        hf_script_free(&s);
    }
}

static void tcp_options(void **state)
{
    (void)state;
    struct hf_script s;
    struct hf_script_packet *p =
        packet(&s,
               "> S 0:0(0) <mss 1460,nop, wscale 8,sackOK,sack 1:2 4294967295:4,"
               "TS val 100 ecr 7!,TS val ... ecr 0,eol>",
               false);
    const struct hf_script_option *o = p->tcp.option;
    assert_int_equal(p->tcp.options, HF_SCRIPT_OPTIONS_LIST);
    assert_int_equal(p->tcp.option_count, 8);
    static const uint8_t kinds[] = {2, 1, 3, 4, 5, 8, 8, 0};
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(o[i].kind, kinds[i]);
    assert_int_equal(o[0].mss, 1460);
    assert_int_equal(o[2].shift, 8);
    assert_int_equal(o[4].block_count, 2);
    assert_int_equal(o[4].blocks[1].left, UINT32_MAX);
    assert_int_equal(o[4].blocks[1].right, 4);
    assert_int_equal(o[5].ts_value, 100);
    assert_int_equal(o[5].ts_echo, 7);
    assert_true(o[5].ts_echo_exact && !o[5].ts_value_any);
    assert_true(!o[6].ts_echo_exact && o[6].ts_value_any);
    check_place(o[1].place, 1, 24);
    hf_script_free(&s);
}

static void options_in_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint8_t kind, count;
        const char *bytes;
        bool raw;
    } all[] = {
        {"FO 0102", 34, 2, "\1\2", false},
        {"FO COOKIE", 34, 4, "\x0a\x0b\x0c\x0d", false},
        {"FO", 34, 0, "", false},
        {"FOEXP 01", 254, 3, "\xf9\x89\1", false},
        {"exp-FO", 254, 2, "\xf9\x89", false},
        {"exp-1234 0x05", 254, 3, "\x12\x34\5", false},
        {"gen-77 0aFf", 77, 2, "\x0a\xff", false},
        {"gen-0xfd", 253, 0, "", false},
        {"md5 000102030405060708090a0b0c0d0e0f", 19, 16, "\0\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf",
         false},
        {"ECN e0b 1 ceb 2 e1b 3", 172, 9, "\0\0\1\0\0\2\0\0\3", false},
        {"ECN e1b 65536 ceb 2", 174, 6, "\1\0\0\0\0\2", false},
        {"AccECN0", 172, 0, "", false},
        {"AccECN1 e1b 1", 174, 3, "\0\0\1", false},
        {"0x020405b4", 2, 4, "\2\4\5\xb4", true},
        {"0303ff", 3, 3, "\3\3\xff", true},
    };
    for (size_t i = 0; i < HF_COUNT_OF(all); i++) {
        char line[128];
        struct hf_script s;
        snprintf(line, sizeof line, "> S 0:0(0) <%s>", all[i].text);
        struct hf_script_packet *p = packet(&s, line, false);
        assert_int_equal(p->tcp.option_count, 1);
        assert_int_equal(p->tcp.option[0].kind, all[i].kind);
        assert_int_equal(p->tcp.option[0].raw, all[i].raw);
        assert_int_equal(p->tcp.option[0].byte_count, all[i].count);
        assert_memory_equal(p->tcp.option[0].bytes, all[i].bytes, all[i].count);
        hf_script_free(&s);
    }
}

static void icmp(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool v6;
        uint8_t type, code;
    } all[] = {
        {"< icmp unreachable frag_needed", false, 3, 4},
        {"< icmp unreachable CODE", false, 3, 7},
        {"< icmp unreachable precedence_cutoff", false, 3, 15},
        {"< icmp time_exceeded ttl_exceeded_in_transit", false, 11, 0},
        {"< icmp parameter_problem code_2", false, 12, 2},
        {"< icmp source_quench", false, 4, 0},
        {"< icmp type_40 code_255", false, 40, 255},
        {"< icmp unreachable port_unreachable", true, 1, 4},
        {"< icmp packet_too_big", true, 2, 0},
        {"< icmp echo_request", true, 128, 0},
    };
    struct hf_script s;
    for (size_t i = 0; i < HF_COUNT_OF(all); i++) {
        struct hf_script_packet *p = packet(&s, all[i].text, all[i].v6);
        assert_int_equal(p->protocol, HF_SCRIPT_ICMP);
        assert_int_equal(p->icmp.v6, all[i].v6);
        assert_int_equal(p->icmp.type, all[i].type);
        assert_int_equal(p->icmp.code, all[i].code);
        assert_false(p->icmp.has_mtu || p->icmp.has_id || p->icmp.has_quote);
        hf_script_free(&s);
    }
    struct hf_script_packet *p =
        packet(&s, "< icmp unreachable frag_needed mtu 1400 id 3 [4294967295:9(10)]", false);
    assert_true(p->icmp.has_mtu && p->icmp.has_id && p->icmp.has_quote);
    assert_int_equal(p->icmp.mtu, 1400);
    assert_int_equal(p->icmp.id, 3);
    assert_int_equal(p->icmp.quote_seq, UINT32_MAX);
    assert_int_equal(p->icmp.quote_length_bytes, 10);
    hf_script_free(&s);
    s = drill_parse("--ip_version=ipv6\n0 < icmp unreachable no_route");
    assert_true(s.events[0].packet.icmp.v6);
    hf_script_free(&s);
}

/* ---- calls -------------------------------------------------------------------------------- */

/** The only event of a script, a call. */
/* -D reaches every number of a packet, its flags and its time. */
static void defines_in_packets(void **state)
{
    (void)state;
    struct hf_script s =
        drill_parse("0 < S KNOWN:LARGE(69999) win KNOWN <mss KNOWN,sack KNOWN:LARGE LARGE:KNOWN>\n"
                    "+DELAY~+2 > OPENING. 0:0(0) ack LARGE <...>\n"
                    "DELAY > [ttl KNOWN] KNOWN > KNOWN ENDING ...(KNOWN)\n");
    assert_int_equal(s.event_count, 3);
    const struct hf_script_packet *p = &s.events[0].packet;
    assert_int_equal(p->tcp.seq, 1);
    assert_int_equal(p->tcp.length_bytes, 69999);
    assert_int_equal(p->tcp.window, 1);
    assert_int_equal(p->tcp.option[0].mss, 1);
    assert_int_equal(p->tcp.option[1].block_count, 2);
    assert_int_equal(p->tcp.option[1].blocks[1].left, 70000);
    p = &s.events[1].packet;
    assert_int_equal(s.events[1].time.start_ns, HF_MS(1500));
    assert_int_equal(p->tcp.flags, HF_SYN | HF_ECE | HF_ACK);
    assert_int_equal(p->tcp.ack, 70000);
    p = &s.events[2].packet;
    assert_int_equal(s.events[2].time.start_ns, HF_MS(1500));
    assert_int_equal(p->ip.ttl, 1);
    assert_true(p->has_ports);
    assert_int_equal(p->destination_port, 1);
    assert_int_equal(p->tcp.flags, HF_FIN | HF_ACK);
    assert_int_equal(p->tcp.length_bytes, 1);
    hf_script_free(&s);
}

static struct hf_script_call *call(struct hf_script *s, const char *line)
{
    char text[512];
    snprintf(text, sizeof text, "0 %s", line);
    *s = drill_parse(text);
    assert_int_equal(s->event_count, 1);
    assert_int_equal(s->events[0].kind, HF_SCRIPT_CALL);
    return &s->events[0].call;
}

static void results(void **state)
{
    (void)state;
    struct hf_script s;
    struct hf_script_call *c = call(&s, "connect(3, ..., NULL) = -1 EPIPE (Broken pipe)");
    assert_string_equal(c->name, "connect");
    assert_int_equal(c->argument_count, 3);
    assert_int_equal(c->arguments[0].integer, 3);
    assert_int_equal(c->arguments[1].kind, HF_VALUE_ELLIPSIS);
    assert_int_equal(c->arguments[2].kind, HF_VALUE_WORD);
    assert_string_equal(c->arguments[2].text, "NULL");
    assert_int_equal(c->result.integer, -1);
    assert_string_equal(c->error, "EPIPE");
    check_place(c->arguments[1].place, 1, 14);
    check_place(s.events[0].end, 1, 48);
    hf_script_free(&s);
    c = call(&s, "fcntl(3, F_GETFL) = 0x02 (flags O_RDWR)");
    assert_int_equal(c->result.integer, 2);
    assert_null(c->error);
    hf_script_free(&s);
    c = call(&s, "f() = A|B // words");
    assert_int_equal(c->argument_count, 0);
    assert_int_equal(c->result.kind, HF_VALUE_OR);
    assert_null(c->error);
    hf_script_free(&s);
}

static void values(void **state)
{
    (void)state;
    struct hf_script s;
    struct hf_script_call *c =
        call(&s, "f(-5, 1.5, .25, 0xffffffffffffffff, 18446744073709551615, "
                 "\"a\\x41\\n\\\"\", NAME, KNOWN, A | B|4, [], [[1], ...], {})"
                 " = 0");
    const struct hf_value *v = c->arguments;
    assert_int_equal(c->argument_count, 12);
    assert_int_equal(v[0].integer, -5);
    assert_int_equal(v[1].kind, HF_VALUE_DECIMAL);
    assert_int_equal(v[1].integer, HF_MS(1500));
    assert_int_equal(v[2].integer, HF_MS(250));
    assert_int_equal(v[3].integer, -1);
    assert_int_equal(v[4].integer, -1);
    assert_int_equal(v[5].kind, HF_VALUE_STRING);
    assert_int_equal(v[5].text_bytes, 4);
    assert_string_equal(v[5].text, "aA\n\"");
    assert_int_equal(v[6].kind, HF_VALUE_STRING);
    assert_string_equal(v[6].text, "a name");
    assert_int_equal(v[7].kind, HF_VALUE_INTEGER);
    assert_int_equal(v[7].integer, 1);
    assert_int_equal(v[8].kind, HF_VALUE_OR);
    assert_int_equal(v[8].item_count, 3);
    assert_string_equal(v[8].items[1].text, "B");
    assert_int_equal(v[8].items[2].integer, 4);
    assert_int_equal(v[9].kind, HF_VALUE_LIST);
    assert_int_equal(v[9].item_count, 0);
    assert_int_equal(v[10].items[0].kind, HF_VALUE_LIST);
    assert_int_equal(v[10].items[0].items[0].integer, 1);
    assert_int_equal(v[10].items[1].kind, HF_VALUE_ELLIPSIS);
    assert_int_equal(v[11].kind, HF_VALUE_STRUCT);
    hf_script_free(&s);
}

static void structures(void **state)
{
    (void)state;
    struct hf_script s;
    struct hf_script_call *c =
        call(&s, "f({onoff=1, linger=A|B}, {msg_name(...)=..., msg_iov(2)=[{..., 40}, {fd=3}]}, "
                 "{sin_port=htons(80), sin_addr=inet_addr(\"192.0.2.1\")}) = 0");
    const struct hf_value *v = c->arguments;
    assert_int_equal(c->argument_count, 3);
    assert_int_equal(v[0].item_count, 2);
    assert_string_equal(v[0].items[0].name, "onoff");
    assert_int_equal(v[0].items[0].integer, 1);
    assert_int_equal(v[0].items[1].kind, HF_VALUE_OR);
    assert_string_equal(v[0].items[1].name, "linger");
    assert_string_equal(v[1].items[0].name, "msg_name");
    assert_int_equal(v[1].items[0].kind, HF_VALUE_ELLIPSIS);
    assert_string_equal(v[1].items[1].name, "msg_iov");
    assert_null(v[1].items[1].items[0].items[1].name);
    assert_int_equal(v[1].items[1].items[0].items[1].integer, 40);
    assert_int_equal(v[2].items[0].integer, 80);
    assert_string_equal(v[2].items[1].text, "192.0.2.1");
    hf_script_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(option_lines),
        cmocka_unit_test(commands_and_code),
        cmocka_unit_test(comments_and_covers),
        cmocka_unit_test(covers_are_told_once),
        cmocka_unit_test(ifdefs),
        cmocka_unit_test(times),
        cmocka_unit_test(tcp_headers),
        cmocka_unit_test(ip_headers),
        cmocka_unit_test(defines_in_packets),
        cmocka_unit_test(tcp_options),
        cmocka_unit_test(options_in_bytes),
        cmocka_unit_test(icmp),
        cmocka_unit_test(results),
        cmocka_unit_test(values),
        cmocka_unit_test(structures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
