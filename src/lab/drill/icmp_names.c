/**
 * Names of ICMP types and codes in scripts.
 */
#include "icmp_names.h"

#include <string.h>

#include "core/base.h"

enum { ANY_TYPE = -1 };

struct name {
    const char *name;
    uint8_t value;
    int type; /**< that a code belongs to */
};

static const struct name types_v4[] = {
    {"echo_reply", 0, ANY_TYPE},         {"unreachable", 3, ANY_TYPE},
    {"source_quench", 4, ANY_TYPE},      {"redirect", 5, ANY_TYPE},
    {"echo_request", 8, ANY_TYPE},       {"time_exceeded", 11, ANY_TYPE},
    {"parameter_problem", 12, ANY_TYPE},
};

static const struct name codes_v4[] = {
    {"net_unreachable", 0, 3},
    {"host_unreachable", 1, 3},
    {"protocol_unreachable", 2, 3},
    {"port_unreachable", 3, 3},
    {"frag_needed", 4, 3},
    {"source_route_failed", 5, 3},
    {"net_unknown", 6, 3},
    {"host_unknown", 7, 3},
    {"source_host_isolated", 8, 3},
    {"net_prohibited", 9, 3},
    {"host_prohibited", 10, 3},
    {"net_unreachable_for_tos", 11, 3},
    {"host_unreachable_for_tos", 12, 3},
    {"packet_filtered", 13, 3},
    {"precedence_violation", 14, 3},
    {"precedence_cutoff", 15, 3},
    {"ttl_exceeded_in_transit", 0, 11},
    {"fragment_reassembly_time_exceeded", 1, 11},
};

static const struct name types_v6[] = {
    {"unreachable", 1, ANY_TYPE},    {"packet_too_big", 2, ANY_TYPE},
    {"time_exceeded", 3, ANY_TYPE},  {"parameter_problem", 4, ANY_TYPE},
    {"echo_request", 128, ANY_TYPE}, {"echo_reply", 129, ANY_TYPE},
};

static const struct name codes_v6[] = {
    {"no_route", 0, 1},
    {"admin_prohibited", 1, 1},
    {"not_neighbour", 2, 1},
    {"address_unreachable", 3, 1},
    {"port_unreachable", 4, 1},
    {"hop_limit_exceeded_in_transit", 0, 3},
    {"fragment_reassembly_time_exceeded", 1, 3},
};

struct names {
    const struct name *all;
    size_t count;
};

static struct names types_of(bool v6)
{
    return v6 ? (struct names){types_v6, HF_COUNT_OF(types_v6)}
              : (struct names){types_v4, HF_COUNT_OF(types_v4)};
}

static struct names codes_of(bool v6)
{
    return v6 ? (struct names){codes_v6, HF_COUNT_OF(codes_v6)}
              : (struct names){codes_v4, HF_COUNT_OF(codes_v4)};
}

static bool find_value(struct names names, int type, const char *text, uint8_t *value)
{
    for (size_t i = 0; i < names.count; i++) {
        if (names.all[i].type == type && strcmp(names.all[i].name, text) == 0) {
            *value = names.all[i].value;
            return true;
        }
    }
    return false;
}

static const char *find_name(struct names names, int type, uint8_t value)
{
    for (size_t i = 0; i < names.count; i++)
        if (names.all[i].type == type && names.all[i].value == value)
            return names.all[i].name;
    return NULL;
}

bool hf_icmp_type_value(bool v6, const char *name, uint8_t *type)
{
    return find_value(types_of(v6), ANY_TYPE, name, type);
}

bool hf_icmp_code_value(bool v6, uint8_t type, const char *name, uint8_t *code)
{
    return find_value(codes_of(v6), type, name, code);
}

const char *hf_icmp_type_name(bool v6, uint8_t type)
{
    return find_name(types_of(v6), ANY_TYPE, type);
}

const char *hf_icmp_code_name(bool v6, uint8_t type, uint8_t code)
{
    return find_name(codes_of(v6), type, code);
}
