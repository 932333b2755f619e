/* What the pages say is true of the tree: the README's excerpt is in the example, its picture is
 * what the demo draws, its table names the commands; links lead somewhere; code and
 * docs/DEVIATIONS.md name the same deviations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES = 256 * 1024, PATH_BYTES = 4096, DEVIATIONS_MAX = 100 };

static char *take_stream(FILE *f)
{
    char *text = malloc(TEXT_BYTES);
    assert_non_null(text);
    size_t n = fread(text, 1, TEXT_BYTES, f);
    assert_true(n < TEXT_BYTES);
    text[n] = '\0';
    return text;
}

static char *take_file(const char *path)
{
    char full[PATH_BYTES];
    snprintf(full, sizeof full, "%s/%s", HF_SOURCE_DIR, path);
    FILE *f = fopen(full, "r");
    if (f == NULL) {
        fail_msg("%s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = take_stream(f);
    fclose(f);
    return text;
}

/* What the command prints; NULL if there is none in this build. */
static char *take_output(const char *arguments)
{
    char line[PATH_BYTES];
    const char *command = getenv("HF_COMMAND");
    if (command == NULL || access(command, X_OK) != 0)
        return NULL;
    snprintf(line, sizeof line, "'%s' %s", command, arguments);
    FILE *f = popen(line, "r");
    assert_non_null(f);
    char *text = take_stream(f);
    assert_int_equal(pclose(f), 0);
    return text;
}

/* The fenced block of this kind, without its fences; it is cut out of the text. */
static char *cut_block(char *text, const char *kind)
{
    char fence[16];
    snprintf(fence, sizeof fence, "\n```%s\n", kind);
    char *begin = strstr(text, fence);
    if (begin == NULL)
        fail_msg("README.md has no block of %s", kind);
    begin += strlen(fence);
    char *end = strstr(begin, "\n```");
    assert_non_null(end);
    end[1] = '\0';
    return begin;
}

/* ---- README.md ---------------------------------------------------------------------------- */

static void the_two_commands_come_first(void **state)
{
    (void)state;
    char *readme = take_file("README.md");
    static const char begin[] = "    script/demo\n    script/test\n\n";
    if (strncmp(readme, begin, strlen(begin)) != 0)
        fail_msg("README.md does not begin with script/demo and script/test");
    free(readme);
}

static void the_excerpt_is_in_the_example(void **state)
{
    (void)state;
    char *readme = take_file("README.md"), *example = take_file("examples/embed.c");
    if (strstr(example, cut_block(readme, "c")) == NULL)
        fail_msg("the excerpt in README.md is not in examples/embed.c as it stands there");
    free(readme);
    free(example);
}

/* Of the drawing, the lines with a time: the segments, and what became of the states. */
static char *take_picture(void)
{
    char *drawn = take_output("demo --no-tun");
    char *picture = drawn == NULL ? NULL : calloc(1, TEXT_BYTES);
    bool begun = false;
    size_t n = 0;
    if (picture == NULL)
        return NULL;
    for (char *line = strtok(drawn, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        bool head = strncmp(line, "   time ms", 10) == 0;
        begun |= head;
        bool timed = begun && strspn(line, " ") < 10 && strspn(line, " 0123456789.") > 10;
        if (head || timed)
            n += (size_t)snprintf(picture + n, TEXT_BYTES - n, "%s\n", line);
    }
    assert_true(n < TEXT_BYTES);
    free(drawn);
    return picture;
}

/* Puts the picture in the place of the old one. */
static void write_picture(const char *picture)
{
    char *readme = take_file("README.md"), *after = take_file("README.md");
    char *old = cut_block(readme, "text");
    size_t begin = (size_t)(old - readme), end = begin + strlen(old);
    FILE *f = fopen(HF_SOURCE_DIR "/README.md", "w");
    assert_non_null(f);
    fprintf(f, "%.*s%s%s", (int)begin, readme, picture, after + end);
    assert_int_equal(fclose(f), 0);
    free(readme);
    free(after);
}

/* script/docs draws it anew, as it does with the pages of test_pages.c. */
static void the_picture_is_what_the_demo_draws(void **state)
{
    (void)state;
    char *picture = take_picture();
    if (picture == NULL)
        skip();
    if (getenv("HF_DOCS_WRITE") != NULL)
        write_picture(picture);
    char *readme = take_file("README.md");
    if (strcmp(cut_block(readme, "text"), picture) != 0)
        fail_msg("README.md does not show what 'handfast demo --no-tun' draws; script/docs does");
    free(readme);
    free(picture);
}

static void the_commands_are_named(void **state)
{
    (void)state;
    char *readme = take_file("README.md"), *help = take_output("--help");
    if (help == NULL)
        skip();
    char *list = strstr(help, "\nCommands");
    assert_non_null(list);
    size_t commands = 0;
    strtok(list + 1, "\n");
    for (char *line = strtok(NULL, "\n"); line != NULL && line[0] == ' ';
         line = strtok(NULL, "\n")) {
        char name[32], row[64];
        assert_int_equal(sscanf(line, "%31s", name), 1);
        snprintf(row, sizeof row, "\n| `handfast %s", name);
        if (strstr(readme, row) == NULL)
            fail_msg("README.md has no row for 'handfast %s'", name);
        commands++;
    }
    assert_true(commands > 0);
    free(readme);
    free(help);
}

/* ---- links -------------------------------------------------------------------------------- */

/* Links of a page, "](target)", that lead to a file lead to one that is there. */
static void check_links(const char *directory, const char *name)
{
    char page[PATH_BYTES], path[2 * PATH_BYTES];
    snprintf(page, sizeof page, "%s%s", directory, name);
    char *text = take_file(page);
    for (char *at = text; (at = strstr(at, "](")) != NULL;) {
        char *target = at + 2;
        at = target + strcspn(target, ")#");
        bool outside = strncmp(target, "http", 4) == 0, here = at == target;
        if (outside || here)
            continue;
        snprintf(path, sizeof path, "%s/%s%.*s", HF_SOURCE_DIR, directory, (int)(at - target),
                 target);
        if (access(path, R_OK) != 0)
            fail_msg("%s links to %.*s, which is not there", page, (int)(at - target), target);
    }
    free(text);
}

static void check_links_in(const char *directory)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", HF_SOURCE_DIR, directory);
    DIR *d = opendir(path);
    assert_non_null(d);
    const struct dirent *entry;
    while ((entry = readdir(d)) != NULL) {
        size_t n = strlen(entry->d_name);
        if (n > 3 && strcmp(entry->d_name + n - 3, ".md") == 0)
            check_links(directory, entry->d_name);
    }
    closedir(d);
}

static void links_lead_somewhere(void **state)
{
    (void)state;
    check_links_in("");
    check_links_in("docs/");
}

/* ---- docs/DEVIATIONS.md ------------------------------------------------------------------- */

/* The walk over the sources has no argument of ours. */
static bool in_code[DEVIATIONS_MAX];
static char fault[PATH_BYTES + 64];

static int look_for_deviations(const char *path, const struct stat *st, int type)
{
    (void)st;
    size_t n = strlen(path);
    if (type != FTW_F || (strcmp(path + n - 2, ".c") != 0 && strcmp(path + n - 2, ".h") != 0))
        return 0;
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    char *text = take_stream(f);
    fclose(f);
    for (const char *at = text; (at = strstr(at, "DEVIATION")) != NULL;) {
        unsigned number = 0;
        at += strlen("DEVIATION");
        if (sscanf(at, " D-%u", &number) == 1 && number < DEVIATIONS_MAX)
            in_code[number] = true;
        else
            snprintf(fault, sizeof fault, "%s: a DEVIATION without its number", path);
    }
    free(text);
    return 0;
}

static void deviations_are_written_down(void **state)
{
    (void)state;
    char path[PATH_BYTES], heading[16];
    snprintf(path, sizeof path, "%s/src", HF_SOURCE_DIR);
    assert_int_equal(ftw(path, look_for_deviations, 16), 0);
    if (fault[0] != '\0')
        fail_msg("%s", fault);
    char *page = take_file("docs/DEVIATIONS.md");
    unsigned written = 0;
    for (unsigned i = 1; i < DEVIATIONS_MAX; i++) {
        snprintf(heading, sizeof heading, "\n### D-%u ", i);
        bool there = strstr(page, heading) != NULL;
        if (in_code[i] && !there)
            fail_msg("the code has a deviation D-%u, docs/DEVIATIONS.md has not", i);
        if (there && i != ++written)
            fail_msg("docs/DEVIATIONS.md: D-%u comes after a gap", i);
    }
    assert_true(written > 0);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_two_commands_come_first),
        cmocka_unit_test(the_excerpt_is_in_the_example),
        cmocka_unit_test(the_picture_is_what_the_demo_draws),
        cmocka_unit_test(the_commands_are_named),
        cmocka_unit_test(links_lead_somewhere),
        cmocka_unit_test(deviations_are_written_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
