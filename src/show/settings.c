/**
 * Settings as a person writes and reads them. See settings.h.
 */
#include "settings.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct suffix {
    const char *unit, *text;
    int64_t factor;
};

static const struct suffix suffixes[] = {
    {"ns", "", 1},
    {"ns", "ns", 1},
    {"ns", "us", 1000},
    {"ns", "ms", HF_MS(1)},
    {"ns", "s", HF_SEC(1)},
    {"ns", "min", HF_SEC(60)},
    {"ns", "h", HF_SEC(3600)},
    {"ns", "d", HF_SEC(86400)},
    {"bytes", "", 1},
    {"bytes", "B", 1},
    {"bytes", "K", INT64_C(1) << 10},
    {"bytes", "KiB", INT64_C(1) << 10},
    {"bytes", "M", INT64_C(1) << 20},
    {"bytes", "MiB", INT64_C(1) << 20},
    {"bytes", "G", INT64_C(1) << 30},
    {"bytes", "GiB", INT64_C(1) << 30},
};

/* ---- reading ------------------------------------------------------------------------------ */

/** 0: there is no such suffix for this unit. */
static int64_t factor_of(const char *unit, const char *suffix)
{
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (strcmp(suffixes[i].unit, unit) == 0 && strcmp(suffixes[i].text, suffix) == 0)
            return suffixes[i].factor;
    return suffix[0] == '\0' ? 1 : 0;
}

static bool read_flag(const char *text, int64_t *value)
{
    static const char *const words[] = {"off", "on", "no", "yes", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *value = (int64_t)(i % 2);
            return true;
        }
    }
    return false;
}

/** Values of a choice that have a name. */
static const struct {
    const char *setting, *name;
    int64_t value;
} choices[] = {
    {"congestion_control", "none", 0},
    {"congestion_control", "reno", 1},
    {"congestion_control", "cubic", 2},
};

static bool read_choice(const char *setting, const char *text, int64_t *value)
{
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        if (strcmp(choices[i].setting, setting) == 0 && strcmp(choices[i].name, text) == 0) {
            *value = choices[i].value;
            return true;
        }
    }
    return false;
}

/** Digits with at most one point between them; what stands behind them is *end. The number is
 *  digits / scale. */
static bool read_decimal(const char *text, int64_t *digits, int64_t *scale, const char **end)
{
    bool point = false;
    *digits = 0;
    *scale = 1;
    if (!isdigit((unsigned char)*text))
        return false;
    for (; isdigit((unsigned char)*text) || (*text == '.' && !point); text++) {
        if (*text == '.') {
            point = true;
            if (!isdigit((unsigned char)text[1]))
                return false;
            continue;
        }
        if (__builtin_mul_overflow(*digits, 10, digits) ||
            __builtin_add_overflow(*digits, *text - '0', digits) ||
            (point && __builtin_mul_overflow(*scale, 10, scale)))
            return false;
    }
    *end = text;
    return true;
}

bool hf_quantity_read(const char *text, const char *unit, int64_t *value)
{
    int64_t digits, scale, product;
    const char *suffix;
    if (strcmp(unit, "flag") == 0)
        return read_flag(text, value);
    bool negative = *text == '-';
    if (!read_decimal(text + negative, &digits, &scale, &suffix))
        return false;
    int64_t factor = factor_of(unit, suffix);
    if (factor == 0 || __builtin_mul_overflow(digits, factor, &product) || product % scale != 0)
        return false;
    *value = negative ? -(product / scale) : product / scale;
    return true;
}

bool hf_time_read(const char *text, hf_ns *time_ns)
{
    size_t n = strlen(text);
    bool has_unit = n > 0 && isalpha((unsigned char)text[n - 1]);
    return (has_unit || strcmp(text, "0") == 0) && hf_quantity_read(text, "ns", time_ns);
}

static const char *forms_of(const char *unit)
{
    if (strcmp(unit, "ns") == 0)
        return "a time, say 1.5s, 200ms, 2min";
    if (strcmp(unit, "bytes") == 0)
        return "a number of bytes, say 1500, 64K, 1M";
    return strcmp(unit, "flag") == 0 ? "on or off" : "a whole number";
}

static const struct hf_setting *find_setting(const char *name, size_t n)
{
    const struct hf_setting *s;
    for (size_t i = 0; (s = hf_setting_at(i)) != NULL; i++)
        if (strncmp(s->name, name, n) == 0 && s->name[n] == '\0')
            return s;
    return NULL;
}

static void range_text(const struct hf_setting *s, char text[2 * HF_VALUE_TEXT_BYTES + 8])
{
    char min[HF_VALUE_TEXT_BYTES], max[HF_VALUE_TEXT_BYTES];
    hf_setting_value_text(s, s->min, min);
    hf_setting_value_text(s, s->max, max);
    snprintf(text, 2 * HF_VALUE_TEXT_BYTES + 8, "%s to %s", min, max);
}

int hf_setting_read(struct hf_config *cfg, const char *assignment, char why[HF_FAULT_TEXT_BYTES])
{
    const char *equals = strchr(assignment, '=');
    int64_t value;
    if (equals == NULL) {
        snprintf(why, HF_FAULT_TEXT_BYTES, "NAME=VALUE is wanted, not '%.80s'", assignment);
        return HF_E_INVALID;
    }
    const struct hf_setting *s = find_setting(assignment, (size_t)(equals - assignment));
    if (s == NULL) {
        snprintf(why, HF_FAULT_TEXT_BYTES,
                 "there is no setting '%.*s'; 'handfast --profiles' lists them",
                 (int)(equals - assignment < 80 ? equals - assignment : 80), assignment);
        return HF_E_INVALID;
    }
    if (!read_choice(s->name, equals + 1, &value) &&
        !hf_quantity_read(equals + 1, s->unit, &value)) {
        snprintf(why, HF_FAULT_TEXT_BYTES, "%s takes %s, not '%.80s'", s->name, forms_of(s->unit),
                 equals + 1);
        return HF_E_INVALID;
    }
    if (hf_config_set(cfg, s->name, value) != HF_OK) {
        char range[2 * HF_VALUE_TEXT_BYTES + 8];
        range_text(s, range);
        snprintf(why, HF_FAULT_TEXT_BYTES, "%s must be %s, not '%.80s'", s->name, range,
                 equals + 1);
        return HF_E_INVALID;
    }
    return HF_OK;
}

/* ---- telling ------------------------------------------------------------------------------ */

void hf_setting_value_text(const struct hf_setting *s, int64_t value,
                           char text[HF_VALUE_TEXT_BYTES])
{
    if (strcmp(s->unit, "ns") != 0)
        snprintf(text, HF_VALUE_TEXT_BYTES, "%lld", (long long)value);
    else if (value % HF_SEC(1) == 0)
        snprintf(text, HF_VALUE_TEXT_BYTES, "%lld s", (long long)(value / HF_SEC(1)));
    else
        snprintf(text, HF_VALUE_TEXT_BYTES, "%g ms", (double)value / 1e6);
}

/** "name (value)". */
static void name_with_value(const struct hf_config *cfg, const char *name, char *text, size_t room)
{
    char value_text[HF_VALUE_TEXT_BYTES];
    const struct hf_setting *s = find_setting(name, strlen(name));
    int64_t value = 0;
    if (s == NULL || hf_config_get(cfg, name, &value) != HF_OK) {
        snprintf(text, room, "%s", name);
        return;
    }
    hf_setting_value_text(s, value, value_text);
    snprintf(text, room, "%s (%s)", name, value_text);
}

bool hf_config_fault_text(const struct hf_config *cfg, char text[HF_FAULT_TEXT_BYTES])
{
    struct hf_config_fault fault;
    char name[96], other[96] = "";
    if (hf_config_explain(cfg, &fault) == HF_OK)
        return false;
    name_with_value(cfg, fault.name, name, sizeof name);
    if (fault.other != NULL)
        name_with_value(cfg, fault.other, other, sizeof other);
    snprintf(text, HF_FAULT_TEXT_BYTES, "%s %s%s%s", name, fault.rule, fault.other ? " " : "",
             other);
    return true;
}
