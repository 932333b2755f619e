/**
 * %{ }% blocks of a script that runs: what TCP_INFO says at their time, and the assertions on it.
 * They are evaluated at once; or all are written into one program that python3 runs at the end.
 */
#include "run_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base.h"
#include "symbols.h"
#include "tcp_info.h"

/** The symbols that a program is given beside the fields. */
static const char *const symbols[] = {
    "TCP_ESTABLISHED",     "TCP_SYN_SENT",      "TCP_SYN_RECV",    "TCP_FIN_WAIT1",
    "TCP_FIN_WAIT2",       "TCP_TIME_WAIT",     "TCP_CLOSE",       "TCP_CLOSE_WAIT",
    "TCP_LAST_ACK",        "TCP_LISTEN",        "TCP_CLOSING",     "TCP_CA_Open",
    "TCP_CA_Disorder",     "TCP_CA_CWR",        "TCP_CA_Recovery", "TCP_CA_Loss",
    "TCPI_OPT_TIMESTAMPS", "TCPI_OPT_SACK",     "TCPI_OPT_WSCALE", "TCPI_OPT_ECN",
    "TCPI_OPT_ECN_SEEN",   "TCPI_OPT_SYN_DATA",
};

/** Where names of a block are looked up. */
struct names {
    const struct hf_run *run;
    const struct hf_tcp_info *info;
    const char *untold; /**< a field that was asked for and is not told, or NULL */
};

static bool is_told(const struct hf_run *run, const char *field)
{
    return run->target->calls->tells == NULL || run->target->calls->tells(field);
}

/** A field that is not told would be 0: whatever is said of it would hold or not by chance. */
static bool find_name(void *ctx, const char *name, int64_t *value)
{
    struct names *names = ctx;
    const char *field;
    for (size_t i = 0; (field = hf_tcp_info_name(i)) != NULL; i++)
        if (strcmp(field, name) == 0 && !is_told(names->run, field))
            names->untold = field;
    if (names->untold != NULL)
        return false;
    return hf_tcp_info_value(names->info, name, value) || hf_symbol_value(name, value);
}

/* ---- a program for python3 ---------------------------------------------------------------- */

/** False without memory: run->program_fails, and nothing more is added. */
static bool make_room(struct hf_run *run, size_t more_bytes)
{
    size_t needed = run->program_bytes + more_bytes;
    if (needed <= run->program_capacity)
        return true;
    char *larger = realloc(run->program, 2 * needed);
    run->program_fails = larger == NULL;
    if (larger == NULL)
        return false;
    run->program = larger;
    run->program_capacity = 2 * needed;
    return true;
}

static void add(struct hf_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct hf_run *run, const char *format, ...)
{
    va_list measured, arguments;
    va_start(arguments, format);
    va_copy(measured, arguments);
    size_t n = (size_t)vsnprintf(NULL, 0, format, measured);
    va_end(measured);
    if (!run->program_fails && make_room(run, n + 1)) {
        vsnprintf(run->program + run->program_bytes, n + 1, format, arguments);
        run->program_bytes += n;
    }
    va_end(arguments);
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
        if (is_told(run, name) && hf_tcp_info_value(info, name, &value))
            add(run, "names['%s'] = %" PRId64 "\n", name, value);
    add(run, "run(%u, '", run->event->place.line);
    for (const char *p = run->event->text; *p != '\0'; p++)
        add(run, "\\x%02x", (unsigned)(unsigned char)*p);
    add(run, "')\n");
}

/** A file without a name that holds the program, at its beginning; -1. */
static int write_program(const struct hf_run *run)
{
    const char *directory = getenv("TMPDIR");
    char path[PATH_MAX];
    if (directory == NULL || directory[0] == '\0')
        directory = P_tmpdir;
    int n = snprintf(path, sizeof path, "%s/handfast-drill-XXXXXX", directory);
    int fd = n > 0 && (size_t)n < sizeof path ? mkostemp(path, O_CLOEXEC) : -1;
    if (fd < 0)
        return -1;
    unlink(path);
    if (write(fd, run->program, run->program_bytes) == (ssize_t)run->program_bytes &&
        lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    close(fd);
    return -1;
}

/** Starts python3 with a program as its input; what it says can be read from *output. False: it
 *  can't be run. */
static bool start_python(int program_fd, pid_t *pid, FILE **output)
{
    char name[] = "python3", input[] = "-";
    char *const arguments[] = {name, input, NULL};
    posix_spawn_file_actions_t actions;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return false;
    bool is_started = posix_spawn_file_actions_init(&actions) == 0;
    if (is_started) {
        is_started = posix_spawn_file_actions_adddup2(&actions, program_fd, STDIN_FILENO) == 0 &&
                     posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO) == 0 &&
                     posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO) == 0 &&
                     posix_spawnp(pid, name, &actions, NULL, arguments, environ) == 0;
        posix_spawn_file_actions_destroy(&actions);
    }
    close(ends[1]);
    *output = is_started ? fdopen(ends[0], "r") : NULL;
    if (*output == NULL)
        close(ends[0]);
    return is_started;
}

/** Runs python3; false if it can't be. Its wait status, and the last line that it wrote; *line is
 *  the block that it names last. */
static bool run_python(int program_fd, int *status, char *words, size_t words_bytes, uint32_t *line)
{
    char text[512];
    pid_t pid;
    FILE *output;
    if (!start_python(program_fd, &pid, &output))
        return false;
    while (output != NULL && fgets(text, sizeof text, output) != NULL) {
        const char *file = strstr(text, "File \"line ");
        text[strcspn(text, "\n")] = '\0';
        if (file != NULL)
            *line = (uint32_t)strtoul(file + strlen("File \"line "), NULL, 10);
        snprintf(words, words_bytes, "%s", text);
    }
    if (output != NULL)
        (void)fclose(output);
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            return false;
    return true;
}

void hf_run_program(struct hf_run *run)
{
    struct hf_place place = {0, 1};
    int status;
    if (run->program == NULL && !run->program_fails)
        return;
    int fd = run->program_fails ? -1 : write_program(run);
    if (fd < 0) {
        hf_run_skip(run, place,
                    run->program_fails ? "no memory for Python's program"
                                       : "no temporary file for Python");
        return;
    }
    if (!run_python(fd, &status, run->result->got, sizeof run->result->got, &place.line)) {
        hf_run_skip(run, place, "python3 can't be run");
    } else if (status != 0) {
        snprintf(run->result->expected, sizeof run->result->expected, "%%{ }%% that holds");
        hf_run_fail(run, place);
    }
    close(fd);
}

/* ---- a block ------------------------------------------------------------------------------ */

/** The field that is not told and stands in a block as a word, or NULL. */
static const char *find_untold(const struct hf_run *run, const char *text)
{
    static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    while (*(text += strcspn(text, word)) != '\0') {
        const char *name;
        size_t length = strspn(text, word);
        for (size_t i = 0; (name = hf_tcp_info_name(i)) != NULL; i++)
            if (strlen(name) == length && strncmp(name, text, length) == 0 && !is_told(run, name))
                return name;
        text += length;
    }
    return NULL;
}

static void skip_untold(struct hf_run *run, const char *field)
{
    char reason[96];
    snprintf(reason, sizeof reason, "TCP_INFO tells no %s", field);
    hf_run_skip(run, run->event->place, reason);
}

static void evaluate(struct hf_run *run, const struct hf_tcp_info *info)
{
    char words[HF_DRILL_WORDS_BYTES / 2], reason[HF_DRILL_WORDS_BYTES];
    struct names names = {.run = run, .info = info};
    run->python.name = find_name;
    run->python.name_ctx = &names;
    switch (hf_python_run(&run->python, run->event->text, words, sizeof words)) {
    case HF_PYTHON_PASSED: break;
    case HF_PYTHON_FAILED:
        snprintf(run->result->expected, sizeof run->result->expected, "%%{%.300s}%%",
                 run->event->text);
        snprintf(run->result->got, sizeof run->result->got, "%s", words);
        hf_run_fail(run, run->event->place);
        break;
    case HF_PYTHON_UNKNOWN:
        if (names.untold != NULL) {
            skip_untold(run, names.untold);
            break;
        }
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
        const char *untold = find_untold(run, run->event->text);
        if (untold != NULL)
            skip_untold(run, untold);
        else
            add_block(run, &info);
    } else {
        evaluate(run, &info);
    }
}
