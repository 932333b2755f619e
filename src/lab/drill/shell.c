/**
 * Words of shell commands: blanks part them, quotes hold them together, a backslash at a line's end
 * joins two lines. Variables, redirections and substitutions are not understood, except as text.
 */
#include "shell.h"

#include <string.h>

struct reader {
    const char *at;
    struct hf_shell_command *command;
    size_t used_bytes;
    bool in_word;
};

static void put(struct reader *r, char c)
{
    struct hf_shell_command *k = r->command;
    if (!r->in_word) {
        if (k->word_count == HF_SHELL_WORDS || r->used_bytes + 1 >= HF_SHELL_BYTES) {
            k->is_beyond = true;
            return;
        }
        k->words[k->word_count++] = k->bytes + r->used_bytes;
        r->in_word = true;
    }
    /* One byte stays for the end of this word. */
    if (r->used_bytes + 1 >= HF_SHELL_BYTES) {
        k->is_beyond = true;
        return;
    }
    k->bytes[r->used_bytes++] = c;
}

static void end_word(struct reader *r)
{
    if (!r->in_word)
        return;
    r->command->bytes[r->used_bytes++] = '\0';
    r->in_word = false;
}

static void begin_quoted(struct reader *r)
{
    char quote = *r->at++;
    while (*r->at != '\0' && *r->at != quote)
        put(r, *r->at++);
    if (*r->at == quote)
        r->at++;
    else
        r->command->is_beyond = true;
}

static void put_pipe(struct reader *r)
{
    end_word(r);
    put(r, '|');
    end_word(r);
    r->at++;
}

static bool ends_command(struct reader *r)
{
    if (*r->at == '\n' || *r->at == ';') {
        r->at++;
        return true;
    }
    if (r->at[0] == '&' && r->at[1] == '&') {
        r->at += 2;
        return true;
    }
    return *r->at == '\0';
}

static void read_piece(struct reader *r)
{
    char c = *r->at;
    if (c == '\\' && r->at[1] == '\n') {
        r->at += 2;
    } else if (c == ' ' || c == '\t' || c == '\r') {
        end_word(r);
        r->at++;
    } else if (c == '#' && !r->in_word) {
        r->at += strcspn(r->at, "\n");
    } else if (c == '"' || c == '\'') {
        begin_quoted(r);
    } else if (c == '|') {
        put_pipe(r);
    } else {
        if (strchr("<>&`()", c) != NULL)
            r->command->is_beyond = true;
        put(r, c);
        r->at++;
    }
}

bool hf_shell_next(const char **text, struct hf_shell_command *command)
{
    while (**text != '\0') {
        struct reader r = {.at = *text, .command = command};
        *command = (struct hf_shell_command){0};
        while (!ends_command(&r))
            read_piece(&r);
        end_word(&r);
        *text = r.at;
        if (command->word_count > 0 || command->is_beyond)
            return true;
    }
    return false;
}
