/**
 * Names of ICMP types and codes in scripts, both ways. NULL or false: there is none.
 */
#ifndef HF_LAB_DRILL_ICMP_NAMES_H
#define HF_LAB_DRILL_ICMP_NAMES_H

#include <handfast/handfast.h>

bool hf_icmp_type_value(bool v6, const char *name, uint8_t *type);
bool hf_icmp_code_value(bool v6, uint8_t type, const char *name, uint8_t *code);
const char *hf_icmp_type_name(bool v6, uint8_t type);
const char *hf_icmp_code_name(bool v6, uint8_t type, uint8_t code);

#endif
