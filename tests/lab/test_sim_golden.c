/* The scenarios of examples/scenarios, run and compared with tests/lab/sim_golden.tsv. Time is
 * virtual: the figures are the same to the last digit, or something behaves in another way.
 * script/golden writes the table anew: it runs this program with HF_GOLDEN_WRITE=1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/sim/golden.h"

enum { TABLE_BYTES = 256 * 1024 };

static const char place[] = HF_SOURCE_DIR "/examples/scenarios";
static const char table_path[] = HF_SOURCE_DIR "/tests/lab/sim_golden.tsv";

static struct hf_scenario scenario;

static size_t read_file(const char *path, char *text, size_t capacity_bytes)
{
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        fail_msg("%s: %s", path, strerror(errno));
        return 0;
    }
    size_t n = fread(text, 1, capacity_bytes - 1, f);
    assert_true(n < capacity_bytes - 1);
    fclose(f);
    text[n] = '\0';
    return n;
}

static void run_one(const char *file, struct hf_text *rows)
{
    static char text[HF_SCENARIO_MAX_BYTES];
    char path[4096], name[HF_SCENARIO_NAME_BYTES];
    struct hf_scenario_fault fault;
    const struct hf_sim_hooks hooks = {.event = NULL};
    snprintf(path, sizeof path, "%s/%s", place, file);
    size_t n = read_file(path, text, sizeof text);
    if (hf_scenario_parse(&scenario, text, n, &fault) != HF_OK)
        fail_msg("%s:%u:%u: %s", path, fault.line, fault.column, fault.text);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(file, "."), file);
    struct hf_sim *sim = hf_sim_new(&scenario, &hooks);
    assert_int_equal(hf_sim_run(sim), HF_OK);
    for (unsigned i = 0; i < sim->flow_count; i++)
        if (sim->flows[i].is_wrong)
            fail_msg("%s: flow %s delivered a byte that was not sent", name,
                     sim->flows[i].plan->name);
    hf_golden_rows(rows, sim, name);
    hf_sim_free(sim);
}

static int is_scenario(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return n > 4 && strcmp(entry->d_name + n - 4, ".sim") == 0;
}

static void say_difference(const char *rows, const char *table, struct dirent **files, int count)
{
    static char difference[TABLE_BYTES];
    struct hf_text t;
    for (int i = 0; i < count; i++) {
        char name[HF_SCENARIO_NAME_BYTES];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(files[i]->d_name, "."), files[i]->d_name);
        hf_text_init(&t, difference, sizeof difference);
        if (!hf_golden_compare(table, rows, name, &t))
            print_message("%s", difference);
    }
}

static void figures_are_those_of_the_table(void **state)
{
    static char rows[TABLE_BYTES], table[TABLE_BYTES];
    struct dirent **files;
    struct hf_text t;
    (void)state;
    int count = scandir(place, &files, is_scenario, alphasort);
    assert_true(count > 0);
    hf_text_init(&t, rows, sizeof rows);
    hf_text_add(&t, "%s", hf_golden_head);
    for (int i = 0; i < count; i++)
        run_one(files[i]->d_name, &t);
    assert_int_equal(hf_text_stored(&t), t.length_bytes);
    if (getenv("HF_GOLDEN_WRITE") != NULL) {
        FILE *f = fopen(table_path, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(rows, 1, t.length_bytes, f), t.length_bytes);
        assert_int_equal(fclose(f), 0);
    } else {
        read_file(table_path, table, sizeof table);
        if (strcmp(rows, table) != 0) {
            say_difference(rows, table, files, count);
            fail_msg("tests/lab/sim_golden.tsv says otherwise; if it is meant: script/golden");
        }
    }
    for (int i = 0; i < count; i++)
        free(files[i]);
    free(files);
}

static void comparing_tells_the_lines_that_differ(void **state)
{
    char text[1024];
    struct hf_text t;
    static const char table[] = "scenario\tx\na\t1\na\t2\nab\t9\nb\t3\n";
    (void)state;
    hf_text_init(&t, text, sizeof text);
    assert_true(hf_golden_compare(table, "a\t1\na\t2\n", "a", &t));
    assert_true(hf_golden_compare(table, "b\t3\n", "b", &t));
    assert_string_equal(text, "");
    assert_false(hf_golden_compare(table, "a\t1\na\t7\n", "a", &t));
    assert_string_equal(text, "-a\t2\n+a\t7\n");
    hf_text_init(&t, text, sizeof text);
    assert_false(hf_golden_compare(table, "a\t1\n", "a", &t));
    assert_string_equal(text, "-a\t2\n");
    hf_text_init(&t, text, sizeof text);
    assert_false(hf_golden_compare(table, "new\t1\n", "new", &t));
    assert_string_equal(text, "+new\t1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_those_of_the_table),
        cmocka_unit_test(comparing_tells_the_lines_that_differ),
    };
    return cmocka_run_group_tests_name("sim_golden", tests, NULL, NULL);
}
