/**
 * The command: a table of subcommands.
 */
#include "cli.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char version[] = "handfast " HF_VERSION_TEXT;

static const struct hf_command commands[] = {
    {"demo", hf_cmd_demo, "a real connection, drawn as it happens"},
    {"gateway", hf_cmd_gateway, "run a command with its TCP carried by Handfast; needs no root"},
    {"serve", hf_cmd_serve, "files over HTTP, from the stack itself"},
    {"connect", hf_cmd_connect, "standard input -> connection -> standard output"},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_help(FILE *to)
{
    fputs("Usage: handfast COMMAND [OPTION...]\n"
          "       handfast --profiles | --help | --version\n\n"
          "A TCP in user space: every step from SYN to TIME-WAIT, and the reason for it.\n\n"
          "Commands (each has --help and --version):\n",
          to);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].line);
    fputs("\nExit status: 0 done, 1 failed, 2 wrong usage.\n", to);
}

static void print_value(const struct hf_setting *s, int64_t value)
{
    char text[32];
    if (strcmp(s->unit, "ns") != 0)
        snprintf(text, sizeof text, "%lld", (long long)value);
    else if (value % 1000000000 == 0)
        snprintf(text, sizeof text, "%lld s", (long long)(value / 1000000000));
    else
        snprintf(text, sizeof text, "%g ms", (double)value / 1e6);
    printf(" %11s", text);
}

/** The table of settings: a row each, a column a profile. */
static int print_profiles(void)
{
    printf("%-22s", "setting");
    for (int p = 0; p < HF_PROFILE_COUNT; p++)
        printf(" %11s", hf_profile_name((enum hf_profile)p));
    printf("  %-10s meaning\n", "unit");
    const struct hf_setting *s;
    for (size_t i = 0; (s = hf_setting_at(i)) != NULL; i++) {
        printf("%-22s", s->name);
        for (int p = 0; p < HF_PROFILE_COUNT; p++)
            print_value(s, s->value[p]);
        printf("  %-10s %s\n", s->unit, s->text);
    }
    return HF_EXIT_DONE;
}

static int run_command(const struct hf_command *c, int argc, char **argv)
{
    /* argp names the program by argv[0] in its messages. */
    static char name[64];
    snprintf(name, sizeof name, "handfast %s", c->name);
    argv[1] = name;
    program_invocation_name = name; /* and hf_say by this */
    argp_program_version = version;
    return c->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return HF_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return HF_EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        puts(version);
        return HF_EXIT_DONE;
    }
    if (strcmp(argv[1], "--profiles") == 0)
        return print_profiles();
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return run_command(&commands[i], argc, argv);
    fprintf(stderr, "handfast: '%s' is no command; see 'handfast --help'\n", argv[1]);
    return HF_EXIT_USAGE;
}
