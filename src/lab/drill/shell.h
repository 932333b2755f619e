/**
 * The shell commands of scripts, as far as they can be told apart without a shell: lines and lists
 * of commands, their words, pipes.
 */
#ifndef HF_LAB_DRILL_SHELL_H
#define HF_LAB_DRILL_SHELL_H

#include <stdbool.h>
#include <stddef.h>

enum { HF_SHELL_WORDS = 64, HF_SHELL_BYTES = 1024 };

/** One command. Words point into bytes; a pipe is a word of its own, "|", between the words of both
 *  commands. */
struct hf_shell_command {
    char bytes[HF_SHELL_BYTES];
    const char *words[HF_SHELL_WORDS];
    size_t word_count;
    bool is_beyond; /**< it uses what is not understood here, or is too long */
};

/** Reads the next command of a text (parted by newlines, `;` and `&&`) and moves *text behind it.
 *  False at the end. */
bool hf_shell_next(const char **text, struct hf_shell_command *command);

#endif
