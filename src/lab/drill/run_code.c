/**
 * %{ }% blocks of a script that runs: what TCP_INFO says at their time, and the assertions on it.
 * They are evaluated at once; or all are written into one program that python3 runs at the end.
 */
#include "run_parts.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base.h"
#include "symbols.h"
#include "tcp_info.h"

enum { NO_PYTHON = 127 };

/** The symbols that a program is given beside the fields. */
static const char *const symbols[] = {
    "TCP_ESTABLISHED",     "TCP_SYN_SENT",      "TCP_SYN_RECV",    "TCP_FIN_WAIT1",
    "TCP_FIN_WAIT2",       "TCP_TIME_WAIT",     "TCP_CLOSE",       "TCP_CLOSE_WAIT",
    "TCP_LAST_ACK",        "TCP_LISTEN",        "TCP_CLOSING",     "TCP_CA_Open",
    "TCP_CA_Disorder",     "TCP_CA_CWR",        "TCP_CA_Recovery", "TCP_CA_Loss",
    "TCPI_OPT_TIMESTAMPS", "TCPI_OPT_SACK",     "TCPI_OPT_WSCALE", "TCPI_OPT_ECN",
    "TCPI_OPT_ECN_SEEN",   "TCPI_OPT_SYN_DATA",
};

static bool find_name(void *ctx, const char *name, int64_t *value)
{
    return hf_tcp_info_value(ctx, name, value) || hf_symbol_value(name, value);
}

/* ---- a program for python3 ---------------------------------------------------------------- */

static void add(struct hf_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct hf_run *run, const char *format, ...)
{
    char piece[256];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(piece, sizeof piece, format, arguments);
    va_end(arguments);
    if (n < 0 || (size_t)n >= sizeof piece)
        return;
    size_t needed = run->program_bytes + (size_t)n + 1;
    if (needed > run->program_capacity) {
        char *larger = realloc(run->program, 2 * needed);
        if (larger == NULL)
            return;
        run->program = larger;
        run->program_capacity = 2 * needed;
    }
    memcpy(run->program + run->program_bytes, piece, (size_t)n + 1);
    run->program_bytes += (size_t)n;
}

/** Blocks are indented as their scripts are: Python takes them off the margin as it does with the
 *  text of a comment. The place of a block is the name of its file in what Python says. */
static void add_head(struct hf_run *run)
{
    int64_t value;
    add(run, "import inspect\nnames = {}\n"
             "def run(line, text):\n"
             "    text = inspect.cleandoc(text)\n"
             "    exec(compile(text, 'line %%d' %% line, 'exec'), names)\n");
    for (size_t i = 0; i < HF_COUNT_OF(symbols); i++)
        if (hf_symbol_value(symbols[i], &value))
            add(run, "names['%s'] = %" PRId64 "\n", symbols[i], value);
}

static void add_block(struct hf_run *run, const struct hf_tcp_info *info)
{
    int64_t value;
    const char *name;
    if (run->program == NULL)
        add_head(run);
    for (size_t i = 0; (name = hf_tcp_info_name(i)) != NULL; i++)
        if (hf_tcp_info_value(info, name, &value))
            add(run, "names['%s'] = %" PRId64 "\n", name, value);
    add(run, "run(%u, '", run->event->place.line);
    for (const char *p = run->event->text; *p != '\0'; p++)
        add(run, "\\x%02x", (unsigned)(unsigned char)*p);
    add(run, "')\n");
}

/** Runs python3 over a file. Returns its exit status and the last line that it wrote; *line is the
 *  block that it names last. */
static int run_python(const char *path, char *words, size_t words_bytes, uint32_t *line)
{
    char command[64], text[512];
    snprintf(command, sizeof command, "exec python3 '%s' 2>&1", path);
    FILE *output = popen(command, "r");
    if (output == NULL)
        return NO_PYTHON;
    while (fgets(text, sizeof text, output) != NULL) {
        const char *file = strstr(text, "File \"line ");
        text[strcspn(text, "\n")] = '\0';
        if (file != NULL)
            *line = (uint32_t)strtoul(file + strlen("File \"line "), NULL, 10);
        snprintf(words, words_bytes, "%s", text);
    }
    int status = pclose(output);
    return WIFEXITED(status) ? WEXITSTATUS(status) : NO_PYTHON;
}

void hf_run_program(struct hf_run *run)
{
    char path[] = "/tmp/handfast-drill-XXXXXX";
    struct hf_place place = {0, 1};
    if (run->program == NULL)
        return;
    int fd = mkstemp(path);
    if (fd < 0) {
        hf_run_skip(run, place, "no temporary file for Python");
        return;
    }
    ssize_t written = write(fd, run->program, run->program_bytes);
    close(fd);
    int status = NO_PYTHON;
    if (written == (ssize_t)run->program_bytes)
        status = run_python(path, run->result->got, sizeof run->result->got, &place.line);
    unlink(path);
    if (status == NO_PYTHON) {
        hf_run_skip(run, place, "python3 can't be run");
    } else if (status != 0) {
        snprintf(run->result->expected, sizeof run->result->expected, "%%{ }%% that holds");
        hf_run_fail(run, place);
    }
}

/* ---- a block ------------------------------------------------------------------------------ */

static void evaluate(struct hf_run *run, struct hf_tcp_info *info)
{
    char words[HF_DRILL_WORDS_BYTES / 2], reason[HF_DRILL_WORDS_BYTES];
    run->python.name = find_name;
    run->python.name_ctx = info;
    switch (hf_python_run(&run->python, run->event->text, words, sizeof words)) {
    case HF_PYTHON_PASSED: break;
    case HF_PYTHON_FAILED:
        snprintf(run->result->expected, sizeof run->result->expected, "%%{%.300s}%%",
                 run->event->text);
        snprintf(run->result->got, sizeof run->result->got, "%s", words);
        hf_run_fail(run, run->event->place);
        break;
    case HF_PYTHON_UNKNOWN:
        snprintf(reason, sizeof reason, "needs Python: %s", words);
        hf_run_skip(run, run->event->place, reason);
        break;
    }
}

void hf_run_code(struct hf_run *run)
{
    struct hf_tcp_info info;
    int err = hf_tcp_info_read(&info, &run->target->posix, run->live_fd);
    if (err < 0) {
        const char *name = hf_errno_name(-err);
        snprintf(run->result->expected, sizeof run->result->expected, "a socket with TCP_INFO");
        snprintf(run->result->got, sizeof run->result->got, "getsockopt(TCP_INFO) = -1 %s",
                 name != NULL ? name : "");
        hf_run_fail(run, run->event->place);
    } else if (run->config->use_python) {
        add_block(run, &info);
    } else {
        evaluate(run, &info);
    }
}
