/**
 * A packet script as a tree: what the parser makes of the text, and the runner walks along.
 *
 * The language is packetdrill's: google's grammar with nplab's additions. Numbers stand as written;
 * names are resolved when a call is made, by symbols.h. Everything of a script lies in one arena
 * and goes with hf_script_free.
 */
#ifndef HF_LAB_DRILL_SCRIPT_H
#define HF_LAB_DRILL_SCRIPT_H

#include <handfast/handfast.h>

/** A longer text is refused. */
enum { HF_SCRIPT_MAX_BYTES = 1 << 20 };

/** A place in the text, both from 1. */
struct hf_place {
    uint32_t line, column;
};

/* ---- values of calls ---------------------------------------------------------------------- */

enum hf_value_kind {
    HF_VALUE_ELLIPSIS, /**< `...`: the runner supplies it */
    HF_VALUE_INTEGER,  /**< decimal, or hexadecimal with 0x */
    HF_VALUE_DECIMAL,  /**< with a fraction: in integer as ns */
    HF_VALUE_WORD,     /**< a symbol: O_NONBLOCK, NULL, ECONNREFUSED */
    HF_VALUE_STRING,   /**< "..." */
    HF_VALUE_OR,       /**< A|B|C: items */
    HF_VALUE_LIST,     /**< [..]: items */
    HF_VALUE_STRUCT,   /**< {..}: items, each with the name of its field, if it has one */
};

struct hf_value {
    enum hf_value_kind kind;
    struct hf_place place;
    const char *name; /**< of a field: `events=POLLIN` and `msg_name(...)=...`; else NULL */
    struct hf_place name_place; /**< of that */
    int64_t integer;
    const char *text; /**< of WORD and STRING; NUL-terminated, escapes resolved */
    size_t text_bytes;
    struct hf_value *items; /**< of OR, LIST, STRUCT */
    size_t item_count;
};

struct hf_script_call {
    struct hf_place place;
    const char *name; /**< "connect" */
    struct hf_value *arguments;
    size_t argument_count;
    struct hf_value result;
    const char *error; /**< `= -1 EPIPE (Broken pipe)`: "EPIPE"; else NULL */
    struct hf_place error_place;
};

/* ---- packets ------------------------------------------------------------------------------ */

enum hf_script_options {
    HF_SCRIPT_OPTIONS_NONE, /**< nothing written: there must be none */
    HF_SCRIPT_OPTIONS_LIST,
    HF_SCRIPT_OPTIONS_ANY, /**< `<...>` */
};

/** One TCP option as written. `kind` as on the wire. */
struct hf_script_option {
    struct hf_place place;
    uint8_t kind;
    uint8_t bytes[40]; /**< of those not told below: all behind the length byte */
    uint8_t byte_count;
    bool raw; /**< `<hexblob>`: bytes are the whole option as it is on the wire */
    uint16_t mss;
    uint8_t shift;
    struct hf_script_block {
        uint32_t left, right;
    } blocks[4]; /**< of SACK */
    uint8_t block_count;
    uint32_t ts_value, ts_echo;
    bool ts_value_any;  /**< `TS val ...` */
    bool ts_echo_exact; /**< `ecr N!`: as it is on the wire */
};

/** How a sequence number is meant. */
enum hf_script_seq {
    HF_SCRIPT_SEQ_RELATIVE,
    HF_SCRIPT_SEQ_ANY,      /**< `...(10)` */
    HF_SCRIPT_SEQ_ABSOLUTE, /**< `5:15(10)!` */
};

enum hf_script_ecn {
    HF_SCRIPT_ECN_ANY,
    HF_SCRIPT_ECN_NONE,
    HF_SCRIPT_ECN_ECT0,
    HF_SCRIPT_ECN_ECT1,
    HF_SCRIPT_ECN_CE,
    HF_SCRIPT_ECN_ECT01, /**< either */
};

struct hf_script_ip {
    enum hf_script_ecn ecn;
    bool has_tos, has_ttl, has_flow_label;
    uint8_t tos; /**< the whole byte; `dscp N` and `cs1` come shifted, with has_dscp */
    bool has_dscp;
    uint8_t ttl;
    uint32_t flow_label;
};

struct hf_script_tcp {
    uint16_t flags; /**< HF_FIN, HF_SYN ... of values.h */
    bool has_ace;
    uint8_t ace; /**< the digit; its three flags stand in `flags` too */
    enum hf_script_seq seq_kind;
    uint32_t seq, length_bytes;
    bool has_ack, has_window, has_urgent;
    uint32_t ack;
    uint16_t window, urgent;
    enum hf_script_options options;
    struct hf_script_option *option;
    size_t option_count;
};

struct hf_script_icmp {
    bool v6; /**< follows from --ip_version */
    uint8_t type, code;
    bool has_mtu, has_id, has_quote;
    uint32_t mtu, id;
    uint32_t quote_seq, quote_length_bytes; /**< the quoted TCP header */
};

enum hf_script_protocol { HF_SCRIPT_TCP, HF_SCRIPT_ICMP };

struct hf_script_packet {
    bool outbound; /**< `>`: expected of the stack; `<`: injected */
    enum hf_script_protocol protocol;
    struct hf_script_ip ip;
    bool has_ports;
    uint16_t source_port, destination_port;
    struct hf_script_tcp tcp;
    struct hf_script_icmp icmp;
};

/* ---- events ------------------------------------------------------------------------------- */

enum hf_script_time_kind {
    HF_SCRIPT_TIME_ABSOLUTE,
    HF_SCRIPT_TIME_RELATIVE, /**< from the end of the event before */
    HF_SCRIPT_TIME_ANY,      /**< `*` */
};

struct hf_script_time {
    enum hf_script_time_kind kind;
    hf_ns start_ns;
    bool is_range;    /**< `a~b`: of packets; start and end count from the same instant */
    bool is_blocking; /**< `a...b`: of calls; likewise */
    hf_ns end_ns;     /**< of these two */
};

enum hf_script_event_kind {
    HF_SCRIPT_PACKET,
    HF_SCRIPT_CALL,
    HF_SCRIPT_SHELL, /**< `command` */
    HF_SCRIPT_CODE,  /**< %{ python }% */
};

struct hf_script_event {
    struct hf_place place;
    struct hf_place end; /**< of its last character */
    struct hf_script_time time;
    enum hf_script_event_kind kind;
    struct hf_script_packet packet;
    struct hf_script_call call;
    const char *text; /**< of SHELL and CODE */
};

/** `--name=value` at the head of a script; value NULL if there is none. */
struct hf_script_option_line {
    struct hf_place place;
    const char *name, *value;
};

struct hf_script {
    struct hf_script_option_line *options;
    size_t option_count;
    const char *init, *final; /**< untimed commands at both ends, or NULL */
    struct hf_place init_place, final_place;
    struct hf_script_event *events;
    size_t event_count;
    const char *covers; /**< what stands behind `// covers:`, joined by ", "; or NULL */
    void *arena;
};

/** NAME=VALUE of the command line: stands for a word of the script [-D]. */
struct hf_script_define {
    const char *name, *value;
};

struct hf_script_settings {
    const struct hf_script_define *defines;
    size_t define_count;
    bool v6; /**< unless the script says --ip_version */
};

/** Where and why reading stopped. */
struct hf_script_fault {
    struct hf_place place;
    char text[160];
};

/** Reads a script. HF_OK, HF_E_INVALID with *fault, or HF_E_MEMORY; on failure nothing is left. */
HF_MUST_CHECK int hf_script_parse(struct hf_script *script, const char *text, size_t length_bytes,
                                  const struct hf_script_settings *settings,
                                  struct hf_script_fault *fault);
void hf_script_free(struct hf_script *script);
/** The value of an option line (the last one with that name), "" without one, NULL if it is not
 *  there. */
const char *hf_script_option(const struct hf_script *script, const char *name);

#endif
