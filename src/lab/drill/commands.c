/**
 * Which command does what. Known are:
 *
 *     sysctl [-w] NAME=VALUE...; .../set_sysctls.py /proc/sys/...=VALUE...; .../defaults.sh
 *     .../sysctl_restore_...; ip tcp_metrics flush...; true; ethtool -K DEVICE FEATURE off...
 *     sockstat ... | grep -c STATE | grep N
 *     tcpdrop, once nothing follows
 */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base.h"
#include "settings.h"
#include "shell.h"

_Static_assert((int)HF_COMMAND_WORDS_BYTES >= (int)HF_SETTING_WORDS_BYTES, "words fit");

enum { NAME_BYTES = 96 };

static enum hf_command_outcome beyond(char *words, const char *what, const char *which)
{
    snprintf(words, HF_COMMAND_WORDS_BYTES, "%s: %.160s", what, which);
    return HF_COMMAND_BEYOND;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* ---- settings ----------------------------------------------------------------------------- */

/** A stack that runs keeps its settings: saying again what they are is no change. */
static enum hf_command_outcome make_setting(const struct hf_commands *c, const char *name,
                                            const char *value, char *words)
{
    if (c->is_over || (c->is_ahead && c->target != NULL))
        return HF_COMMAND_DONE;
    if (c->config == NULL)
        return c->target->calls->set(c->target->self, name, value, words) == HF_OK
                   ? HF_COMMAND_DONE
                   : HF_COMMAND_BEYOND;
    struct hf_config wanted = *c->config;
    if (hf_setting_apply(&wanted, name, value, words) != HF_OK)
        return HF_COMMAND_BEYOND;
    if (c->target == NULL)
        *c->config = wanted;
    else if (memcmp(&wanted, c->config, sizeof wanted) != 0)
        return beyond(words, "a setting can't change while the stack runs", name);
    return HF_COMMAND_DONE;
}

/** What the script of that name in packetdrill's collection sets on Linux. CUBIC is for targets
 *  with settings of their own: the stack has Reno. */
static enum hf_command_outcome make_defaults(const struct hf_commands *c, char *words)
{
    static const struct {
        const char *name, *value;
        bool is_linux;
    } defaults[] = {
        {"net.ipv4.tcp_rmem", "4096 540000 15728640", false},
        {"net.ipv4.tcp_wmem", "4096 262144 4194304", false},
        {"net.ipv4.tcp_congestion_control", "cubic", true},
        {"net.ipv4.tcp_slow_start_after_idle", "0", false},
        {"net.ipv4.tcp_ecn", "0", false},
    };
    for (size_t i = 0; i < HF_COUNT_OF(defaults); i++) {
        if (defaults[i].is_linux && c->config != NULL)
            continue;
        enum hf_command_outcome outcome =
            make_setting(c, defaults[i].name, defaults[i].value, words);
        if (outcome != HF_COMMAND_DONE)
            return outcome;
    }
    return HF_COMMAND_DONE;
}

static enum hf_command_outcome make_settings(const struct hf_commands *c,
                                             const struct hf_shell_command *command, char *words)
{
    for (size_t i = 1; i < command->word_count; i++) {
        const char *word = command->words[i], *equals = strchr(word, '=');
        char name[NAME_BYTES];
        if (word[0] == '-')
            continue;
        if (equals == NULL || (size_t)(equals - word) >= sizeof name)
            return beyond(words, "not NAME=VALUE", word);
        snprintf(name, sizeof name, "%.*s", (int)(equals - word), word);
        enum hf_command_outcome outcome = make_setting(c, name, equals + 1, words);
        if (outcome != HF_COMMAND_DONE)
            return outcome;
    }
    return HF_COMMAND_DONE;
}

/* ---- queries ------------------------------------------------------------------------------ */

/** Names of states as systems' tools print them. */
static bool read_state(const char *name, enum hf_state *state)
{
    static const char *const names[HF_STATE_COUNT] = {
        [HF_CLOSED] = "CLOSED",           [HF_LISTEN] = "LISTEN",
        [HF_SYN_SENT] = "SYN_SENT",       [HF_SYN_RCVD] = "SYN_RCVD",
        [HF_ESTABLISHED] = "ESTABLISHED", [HF_FIN_WAIT_1] = "FIN_WAIT_1",
        [HF_FIN_WAIT_2] = "FIN_WAIT_2",   [HF_CLOSE_WAIT] = "CLOSE_WAIT",
        [HF_CLOSING] = "CLOSING",         [HF_LAST_ACK] = "LAST_ACK",
        [HF_TIME_WAIT] = "TIME_WAIT",
    };
    for (int i = 0; i < HF_STATE_COUNT; i++)
        if (strcmp(names[i], name) == 0) {
            *state = (enum hf_state)i;
            return true;
        }
    return false;
}

static bool ends_with(const struct hf_shell_command *command, size_t from_end, const char *word)
{
    return command->word_count > from_end &&
           strcmp(command->words[command->word_count - 1 - from_end], word) == 0;
}

/** `sockstat ... | grep -c STATE | grep N`: how many connections are in a state. */
static enum hf_command_outcome ask_count(const struct hf_commands *c,
                                         const struct hf_shell_command *command, char *words)
{
    enum hf_state state;
    size_t n = command->word_count;
    if (!ends_with(command, 1, "grep") || !ends_with(command, 2, "|") ||
        !ends_with(command, 4, "-c") || !ends_with(command, 5, "grep") ||
        !read_state(command->words[n - 4], &state))
        return beyond(words, "not understood", "sockstat without '| grep -c STATE | grep N'");
    if (c->target == NULL)
        return HF_COMMAND_DONE; /* it is asked again when its time comes */
    char *end;
    long expected = strtol(command->words[n - 1], &end, 10);
    int count = c->target->calls->count(c->target->self, state);
    if (*end != '\0' || count < 0)
        return beyond(words, "can't be counted", command->words[n - 4]);
    if (count == expected)
        return HF_COMMAND_DONE;
    snprintf(words, HF_COMMAND_WORDS_BYTES, "%d in %s, expected %ld", count, hf_state_name(state),
             expected);
    return HF_COMMAND_FAILED;
}

/* ---- which is which ----------------------------------------------------------------------- */

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool changes_nothing(const struct hf_shell_command *command)
{
    const char *name = base_name(command->words[0]);
    if (strcmp(name, "true") == 0 || starts_with(name, "sysctl_restore_"))
        return true;
    return strcmp(name, "ip") == 0 && command->word_count > 2 &&
           strcmp(command->words[1], "tcp_metrics") == 0 && strcmp(command->words[2], "flush") == 0;
}

/** `ethtool -K DEVICE tso off gso off`: the wire of a target carries no super-packets anyway. */
static bool turns_off_offloads(const struct hf_shell_command *command)
{
    bool is_off = command->word_count > 3 && strcmp(command->words[1], "-K") == 0;
    for (size_t i = 4; is_off && i < command->word_count; i += 2)
        is_off = strcmp(command->words[i], "off") == 0;
    return is_off && command->word_count % 2 == 1;
}

static enum hf_command_outcome run_one(const struct hf_commands *c,
                                       const struct hf_shell_command *command, char *words)
{
    if (command->is_beyond || command->word_count == 0)
        return beyond(words, "shell command not understood",
                      command->word_count > 0 ? command->words[0] : "");
    const char *name = base_name(command->words[0]);
    if (strcmp(name, "sysctl") == 0 || strcmp(name, "set_sysctls.py") == 0)
        return make_settings(c, command, words);
    if (strcmp(name, "defaults.sh") == 0)
        return make_defaults(c, words);
    if (strcmp(name, "sockstat") == 0)
        return ask_count(c, command, words);
    if (strcmp(name, "ethtool") == 0 && turns_off_offloads(command))
        return HF_COMMAND_DONE;
    if (changes_nothing(command) || (strcmp(name, "tcpdrop") == 0 && c->is_over))
        return HF_COMMAND_DONE;
    return beyond(words, "shell command not supported", command->words[0]);
}

enum hf_command_outcome hf_commands_run(const struct hf_commands *c, const char *text,
                                        char words[HF_COMMAND_WORDS_BYTES])
{
    struct hf_shell_command command;
    while (hf_shell_next(&text, &command)) {
        enum hf_command_outcome outcome = run_one(c, &command, words);
        if (outcome != HF_COMMAND_DONE)
            return outcome;
    }
    return HF_COMMAND_DONE;
}
