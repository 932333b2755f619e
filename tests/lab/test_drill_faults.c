/* Syntax errors: where they are, and what is said of them. */
#include <stdlib.h>

#include "drill.h"
#include "lab/drill/parser.h"

static const struct {
    const char *text;
    uint32_t line, column;
    const char *words;
} faults[] = {
    {"0 < . 1:1(0 ack", 1, 13, "expected ')' after the length, found 'ack'"},
    {"0 < . 1:1 ack", 1, 11, "expected '(' before the length, found 'ack'"},
    {"0 < . 1 ack", 1, 9, "expected ':' after the sequence number, found 'ack'"},
    {"0 < . 1:x(0)", 1, 9, "expected the sequence number of the end, found 'x'"},
    {"0 < . 1:5(3) win 1", 1, 7, "1 and a length of 3 end at 4, not at 5"},
    {"0 < . 4294967296:5(3)", 1, 7, "a sequence number is at most 4294967295, not 4294967296"},
    {"0 < . 99999999999999999999:5(3)", 1, 7, "a sequence number is too large"},
    {"0 < . ...(3) win 1", 1, 7, "a packet to inject needs a sequence number"},
    {"0 < . 1:1(0) ack 1", 1, 19,
     "expected 'win' of a packet to inject, found the end of the script"},
    {"0 < . 1:1(0) win 65536", 1, 18, "the window is at most 65535, not 65536"},
    {"0 > . 1:1(0) ack win", 1, 18, "expected the acknowledgment number, found 'win'"},
    {"0 > . 1:1(0) urg -1", 1, 18, "expected the urgent pointer, found '-'"},
    {"0 > SX 1:1(0)", 1, 6, "'X' is no TCP flag: they are S F R P U E W A 0-7 ."},
    {"0 > SS 1:1(0)", 1, 6, "the flag 'S' twice"},
    {"0 > S55 1:1(0)", 1, 7, "a second ACE digit"},
    {"0 > SE5 1:1(0)", 1, 5, "an ACE digit beside the flags it is made of"},
    {"0 > 1:1(0)", 1, 5, "expected the flags of a TCP packet, found '1'"},
    {"0 < S 0:0(0) win 1 <...>", 1, 21, "a packet to inject needs its options told"},
    {"0 > S 0:0(0) <mss>", 1, 18, "expected the MSS, found '>'"},
    {"0 > S 0:0(0) <mss 1,>", 1, 21, "expected a TCP option, found '>'"},
    {"0 > S 0:0(0) <>", 1, 15, "expected a TCP option, found '>'"},
    {"0 > S 0:0(0) <mss 1 nop>", 1, 21, "expected '>' or ',' behind a TCP option, found 'nop'"},
    {"0 > S 0:0(0) <foo>", 1, 15, "expected a TCP option, found 'foo'"},
    {"0 > S 0:0(0) <TS 5>", 1, 18, "expected 'val' behind TS, found '5'"},
    {"0 > S 0:0(0) <TS val 5>", 1, 23, "expected 'ecr' behind the value of a timestamp, found '>'"},
    {"0 > S 0:0(0) <sack 1:2 3:4 5:6 7:8 9:10>", 1, 36, "more than 4 SACK blocks"},
    {"0 > S 0:0(0) <FO abc>", 1, 18, "bytes take two hexadecimal digits each"},
    {"0 > S 0:0(0) <FO TFO>", 1, 18, "'T' is no hexadecimal digit"},
    {"0 > S 0:0(0) <md5 00>", 1, 19, "an MD5 signature of 1 bytes, not 16"},
    {"0 > S 0:0(0) <md5 valid>", 1, 19, "md5 valid is not supported"},
    {"0 > S 0:0(0) <gen-1>", 1, 15, "an option's kind is from 2 to 255"},
    {"0 > S 0:0(0) <exp-01>", 1, 15, "an experiment's identifier has 2 or 4 bytes"},
    {"0 > S 0:0(0) <ECN e0b 1 e1b 2>", 1, 25,
     "expected e0b, ceb, e1b, or e1b, ceb, e0b in this order, found 'e1b'"},
    {"0 > [ect2] . 1:1(0)", 1, 6, "expected ECN, tos, ttl, dscp or flowlabel, found 'ect2'"},
    {"0 < [ect01] . 1:1(0)", 1, 6, "ect01 says too little for a packet to inject"},
    {"0 > [tos 256] . 1:1(0)", 1, 10, "the type of service is at most 255, not 256"},
    {"0 > [tos 1, cs1] . 1:1(0)", 1, 13, "both a type of service and a code point"},
    {"0 > (ttl 3] . 1:1(0)", 1, 11,
     "expected ')' or ',' in what is said of the IP header, found ']'"},
    {"0 < udp (100)", 1, 5, "udp is not supported"},
    {"0 < ipv4 1.1.1.1", 1, 5, "ipv4 is not supported"},
    {"0 < gre: .", 1, 5, "gre is not supported"},
    {"0 < mpls", 1, 5, "mpls is not supported"},
    {"0 < sctp: INIT", 1, 5, "sctp is not supported"},
    {"0 < icmp unreachable [udp (8)]", 1, 22, "a quoted packet other than of TCP is not supported"},
    {"0 < icmp packet_too_big", 1, 10, "'packet_too_big' is no type of ICMP"},
    {"0 < icmp unreachable foo", 1, 22, "'foo' is no code of ICMP type 3"},
    {"0 < icmp type_256", 1, 10, "'type_256' is no type of ICMP"},
    {"0 < icmp unreachable [1:1(0)", 1, 29,
     "expected ']' behind the quoted packet, found the end of the script"},
    {"0 f(3 = 0", 1, 7, "expected ')' or ',' behind an argument, found '='"},
    {"0 f(3)\n+0 g() = 0", 1, 7,
     "expected '=' and the result of the call, found the end of the line"},
    {"0 < . 1:1(0) ack 1 // a word\n\n+0 `b`", 1, 19,
     "expected 'win' of a packet to inject, found the end of the line"},
    {"0 > S 0:0(0) <mss 1460\n+0 `b`", 1, 23,
     "expected '>' or ',' behind a TCP option, found the end of the line"},
    {"0 `a`\n+0\n+0 `b`\n", 2, 3,
     "expected an event ('<', '>', a call, `command` or %{ code }%), found the end of the line"},
    {"0 f(,) = 0", 1, 5, "expected a value, found ','"},
    {"0 f([1) = 0", 1, 7, "expected ']' or ',' in a list, found ')'"},
    {"0 f({a=1) = 0", 1, 9, "expected '}' or ',' in a structure, found ')'"},
    {"0 f(\"a\n) = 0", 1, 5, "a string that is never closed on its line"},
    {"0 f(\"a\\q\") = 0", 1, 7, "an escape that is not known in a string"},
    {"0 f([1]|2) = 0", 1, 5, "only words and numbers can be joined by '|'"},
    {"0 f(COMMAND) = 0", 1, 5, "a command can't stand for a value"},
    {"0 f() = -1 foo", 1, 12, "expected an errno behind the result, found 'foo'"},
    {"0 f() = -1 EPIPE (Broken", 1, 18, "a note that is not closed on its line"},
    {"0 f(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1) = 0", 1, 37, "more than 16 arguments"},
    {"0 f([[[[[[[[[[[[[[[[[1", 1, 22, "values nested more than 16 deep"},
    {"1 `a`", 1, 1, "the first event must be at time 0"},
    {"0 `a`\n+ `b`", 2, 3, "expected seconds behind '+', found '`'"},
    {"0 `a`\nfoo() = 0", 2, 1, "expected the time of an event, found 'foo'"},
    {"0 `a`\n9999999999 `b`", 2, 1, "the time of an event is too large"},
    {"0 `a`\n+1~2 > . 1:1(0)", 2, 4, "expected '+' before the end of a relative range, found '2'"},
    {"0 `a`\n2~1 > . 1:1(0)", 2, 1, "a time that ends before it starts"},
    {"* < . 1:1(0) win 1", 1, 1, "'*' is a time for expected packets only"},
    {"0~1 f() = 0", 1, 1, "a range is a time for expected packets only"},
    {"0...1 > . 1:1(0)", 1, 1, "a...b is a time for calls only"},
    {"0 `a`\n --late=1", 2, 2, "an option must stand before everything else"},
    {"--ip_version=ipv5", 1, 1, "--ip_version is ipv4, ipv4-mapped-ipv6 or ipv6, not 'ipv5'"},
    {"-- x", 1, 4, "expected the name of an option right behind '--', found 'x'"},
    {"--a=\n", 1, 5, "expected the value of the option, found the end of the script"},
    {"`a", 1, 1, "a command that is never closed"},
    {"0 %{ a", 1, 3, "code that is never closed"},
    {"/* a", 1, 1, "a comment that is never closed"},
    {"# a", 1, 1, "'#' begins only #ifdef and #endif: a comment begins with //"},
    {"#ifdef KNOWN\n0 `a`", 1, 1, "an #ifdef without its #endif"},
    {"#ifdef OTHER\n0 `a`", 1, 1, "an #ifdef without its #endif"},
    {"#ifdef KNOWN\n#ifdef KNOWN\n", 2, 1, "an #ifdef inside another"},
    {"#ifdef OTHER\n#ifdef KNOWN\n", 1, 1, "an #ifdef inside this one"},
    {"0 `a`\n#endif", 2, 1, "an #endif without its #ifdef"},
    {"#ifdef\n", 1, 1, "an #ifdef without a name"},
    {"0 `a`\n`b`\n+0 `c`", 3, 1, "expected nothing behind the final command, found '+'"},
    {"0 `a`\n\xff", 2, 1, "expected the time of an event, found a byte 0xff"},
    {"0 KNOWN", 1, 3, "expected the name of a call, found '1'"},
    {"0 < . 1:1(0) ack 1 win CODE", 1, 24,
     "expected the window, found 'CODE', which is defined as 'host_unknown'"},
    {"0 < . 1:1(0) ack 1 win LARGE", 1, 24, "the window is at most 65535, not 70000"},
    {"0 < . 1:1(0) ack 1 win UNKNOWN", 1, 24, "expected the window, found 'UNKNOWN'"},
    {"0 `a`\n+LARGEST `b`", 2, 2,
     "expected seconds behind '+', found 'LARGEST', which is defined as '9999999999'"},
};

static int parse(const char *text, size_t n, struct hf_script_fault *fault)
{
    struct hf_script script;
    struct hf_script_settings settings = {.defines = drill_defines,
                                          .define_count = HF_COUNT_OF(drill_defines)};
    int err = hf_script_parse(&script, text, n, &settings, fault);
    if (err == HF_OK)
        hf_script_free(&script);
    else
        assert_null(script.arena);
    return err;
}

static void each_fault(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(faults); i++) {
        struct hf_script_fault fault;
        int err = parse(faults[i].text, strlen(faults[i].text), &fault);
        if (err != HF_E_INVALID || strcmp(fault.text, faults[i].words) != 0 ||
            fault.place.line != faults[i].line || fault.place.column != faults[i].column)
            fail_msg("%s\nerror %d, %u:%u: %s\nexpected %u:%u: %s", faults[i].text, err,
                     fault.place.line, fault.place.column, fault.text, faults[i].line,
                     faults[i].column, faults[i].words);
    }
}

static void no_text(void **state)
{
    (void)state;
    struct hf_script_fault fault;
    assert_int_equal(parse("0 `a`\n \0", 8, &fault), HF_E_INVALID);
    assert_string_equal(fault.text, "a byte 0: this is no text");
    assert_int_equal(fault.place.line, 2);
    assert_int_equal(fault.place.column, 2);
    assert_int_equal(parse("", 0, &fault), HF_OK);
}

/** Repeats a piece behind a head until a text is as long as wanted. */
static char *repeated(const char *head, const char *piece, size_t n)
{
    char *text = malloc(n + 1);
    assert_non_null(text);
    size_t at = strlen(head), step = strlen(piece);
    memcpy(text, head, at);
    for (; at + step <= n; at += step)
        memcpy(text + at, piece, step);
    text[at] = '\0';
    return text;
}

static void check_bound(const char *head, const char *piece, size_t n, const char *words)
{
    struct hf_script_fault fault;
    char *text = repeated(head, piece, n);
    assert_int_equal(parse(text, strlen(text), &fault), HF_E_INVALID);
    assert_string_equal(fault.text, words);
    free(text);
}

static void bounds(void **state)
{
    (void)state;
    check_bound("", "\n", HF_SCRIPT_MAX_BYTES + 1, "a script of more than 1048576 bytes");
    check_bound("0 `a`", "+0 `a`\n", HF_SCRIPT_MAX_BYTES, "more than 20000 events");
    check_bound("", "--a\n", 4096, "more than 256 options");
    check_bound("0 f([1", ",1", 8192, "more than 1024 values in one");
    check_bound("0 > . 1:1(0) <nop", ",nop", 4096, "more than 40 options");
    check_bound("0 f(", "htons(", HF_SCRIPT_MAX_BYTES, "values nested more than 16 deep");
    check_bound("0 f(", "{a(", HF_SCRIPT_MAX_BYTES, "values nested more than 16 deep");
    check_bound("0 f(", "{a=", HF_SCRIPT_MAX_BYTES, "values nested more than 16 deep");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault),
        cmocka_unit_test(no_text),
        cmocka_unit_test(bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
