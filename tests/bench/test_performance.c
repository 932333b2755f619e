/* script/bench --peers measures, tells its tables, tells them again from the file of figures; and
 * docs/PERFORMANCE.md has the rows that it would write. In short: how fast anything is, is not
 * judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { TEXT_BYTES = 1 << 17, LINE_BYTES = 8192, EXIT_SKIP = 77 };

static char folder[] = "/tmp/hf-performance-XXXXXX";
static char first[TEXT_BYTES], second[TEXT_BYTES];

/** What script/bench --peers with these words says on its standard output; its exit status. */
static int run_bench(char text[TEXT_BYTES], const char *words)
{
    char line[LINE_BYTES];
    int n = snprintf(line, sizeof line, "'" HF_SOURCE_DIR "/script/bench' --peers %s", words);
    assert_in_range(n, 1, LINE_BYTES - 1);
    (void)fflush(NULL);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    text[fread(text, 1, TEXT_BYTES - 1, pipe)] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no '%s' in %s", part, text);
}

/** A quick run never has all figures. */
static void a_quick_run_fills_some_rows(void **state)
{
    char words[LINE_BYTES];
    const char *command = getenv("HF_COMMAND");
    (void)state;
    assert_non_null(command);
    assert_non_null(mkdtemp(folder));
    snprintf(words, sizeof words, "--quick --update --build '%.*s' --out '%s'",
             (int)(strrchr(command, '/') - command), command, folder);
    assert_int_equal(run_bench(first, words), EXIT_SKIP);
    assert_has(first, "\n| what | budget | Handfast | ");
    assert_has(first, "\n| open and close: ns | <= 400 | ");
    assert_has(first, "\n| idle connection: bytes | <= 336 | 3");
    assert_has(first, "\n| segment of 1460 bytes: ns | <= 150 | not measured | ");
    assert_has(first, "\n### Short of what is asked for\n");
    if (strstr(first, "\nNot measured.\n") == NULL) /* else it is neither root nor has TUN */
        assert_has(first, "\n| tun-exchange-1cpu-p50 | linux | ");
}

static void its_file_gives_the_same_tables(void **state)
{
    char words[LINE_BYTES];
    (void)state;
    snprintf(words, sizeof words, "--from '%s/figures.jsonl'", folder);
    assert_int_equal(run_bench(second, words), EXIT_SKIP);
    assert_string_equal(first, second);
}

static void read_page(char text[TEXT_BYTES])
{
    FILE *f = fopen(HF_SOURCE_DIR "/docs/PERFORMANCE.md", "r");
    assert_non_null(f);
    text[fread(text, 1, TEXT_BYTES - 1, f)] = '\0';
    (void)fclose(f);
}

/** The first two cells of each row in memory, and all headings: what --update would write has them
 *  too, so who adds a row is told to measure anew. */
static void the_page_has_the_same_rows(void **state)
{
    (void)state;
    read_page(second);
    assert_has(second, "<!-- figures: written by script/bench --peers --update -->");
    assert_has(second, "<!-- end of figures -->");
    const char *line = strstr(first, "\n| open and close: instructions");
    assert_non_null(line);
    unsigned rows = 0;
    for (; strncmp(line, "\n| ", 3) == 0; line = strchr(line + 1, '\n'), rows++) {
        char cells[LINE_BYTES];
        const char *end = strchr(strchr(line + 3, '|') + 1, '|');
        snprintf(cells, sizeof cells, "%.*s", (int)(end - line), line);
        assert_has(second, cells);
    }
    assert_true(rows > 15);
}

static int remove_folder(void **state)
{
    char line[LINE_BYTES];
    (void)state;
    snprintf(line, sizeof line, "rm -rf '%s'", folder);
    return system(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quick_run_fills_some_rows),
        cmocka_unit_test(its_file_gives_the_same_tables),
        cmocka_unit_test(the_page_has_the_same_rows),
    };
    return cmocka_run_group_tests_name("performance", tests, NULL, remove_folder);
}
