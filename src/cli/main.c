/**
 * The command: a table of subcommands.
 */
#include "cli.h"
#include "show/settings.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char version[] = "handfast " HF_VERSION_TEXT;

static const struct hf_command commands[] = {
    {"demo", hf_cmd_demo, "a real connection, drawn as it happens"},
    {"gateway", hf_cmd_gateway, "run a command with its TCP carried by Handfast; needs no root"},
    {"serve", hf_cmd_serve, "files over HTTP, from the stack itself"},
    {"connect", hf_cmd_connect, "standard input -> connection -> standard output"},
    {"drill", hf_cmd_drill, "packet scripts against the stack or the kernel"},
    {"sim", hf_cmd_sim, "flows over a bad path in virtual time, out of one file"},
    {"bench", hf_cmd_bench, "what the core costs: time, instructions, memory"},
    {"wire", hf_cmd_wire, "two TUN devices joined by a path that delays, loses and reorders"},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

/** At exit, from wherever it is called (argp does so for --help): output that is lost is a failure,
 *  whatever else went well. */
static void check_output(int code, void *unused)
{
    (void)unused;
    errno = 0;
    bool is_lost = ferror(stdout) != 0;
    is_lost |= fflush(stdout) != 0;
    if (!is_lost)
        return;
    hf_say("standard output: %s", errno != 0 ? strerror(errno) : "could not be written");
    _exit(code != HF_EXIT_DONE ? code : HF_EXIT_FAILED);
}

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
    char text[HF_VALUE_TEXT_BYTES];
    hf_setting_value_text(s, value, text);
    printf(" %11s", text);
}

/** The table of settings: a row each, a column a profile. */
static void print_profiles(void)
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
}

static void print_help_asked(void)
{
    print_help(stdout);
}

static void print_version(void)
{
    puts(version);
}

static int run_command(const struct hf_command *c, int argc, char **argv)
{
    /* argp names the program by argv[0] in its messages. */
    static char name[64], help[] = "--help"; /* argp's own short form is -? */
    snprintf(name, sizeof name, "handfast %s", c->name);
    argv[1] = name;
    program_invocation_name = name; /* and hf_say by this */
    argp_program_version = version;
    if (argc > 2 && strcmp(argv[2], "-h") == 0)
        argv[2] = help;
    return c->run(argc - 1, argv + 1);
}

/** Answers what is no command but a question about all of them. False: it is none. */
static bool answer(int argc, char **argv, int *code)
{
    static const struct {
        const char *word;
        void (*print)(void);
    } questions[] = {
        {"--help", print_help_asked}, {"-h", print_help_asked}, {"help", print_help_asked},
        {"--version", print_version}, {"-V", print_version},    {"--profiles", print_profiles},
    };
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        if (strcmp(argv[1], questions[i].word) != 0)
            continue;
        *code = argc == 2 ? HF_EXIT_DONE : HF_EXIT_USAGE;
        if (argc == 2)
            questions[i].print();
        else
            fprintf(stderr,
                    "handfast: nothing may follow %s, but '%s' does; see 'handfast --help'\n",
                    argv[1], argv[2]);
        return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return HF_EXIT_USAGE;
    }
    int code;
    if (on_exit(check_output, NULL) != 0) {
        hf_say("no memory");
        return HF_EXIT_FAILED;
    }
    if (answer(argc, argv, &code))
        return code;
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return run_command(&commands[i], argc, argv);
    fprintf(stderr, "handfast: '%s' is no command; see 'handfast --help'\n", argv[1]);
    return HF_EXIT_USAGE;
}
