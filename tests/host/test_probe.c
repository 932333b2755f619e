/**
 * Static probes: the program carries a note for each kind of event, with all its arguments, and an
 * event of each kind passes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <handfast/host.h>

enum { NOTES_BYTES = 256 * 1024, ARGUMENTS = 8 };

/* What binutils find in this program. */
static char *read_notes(void)
{
    char *notes = malloc(NOTES_BYTES), line[4096], self[2048] = "";
    assert_non_null(notes);
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    snprintf(line, sizeof line, "LC_ALL=C readelf -n '%s' 2>/dev/null", self);
    FILE *f = popen(line, "r");
    assert_non_null(f);
    notes[fread(notes, 1, NOTES_BYTES - 1, f)] = '\0';
    pclose(f);
    return notes;
}

static int count_arguments(const char *note)
{
    const char *p = strstr(note, "Arguments: "), *end = p ? strchr(p, '\n') : NULL;
    int count = 0;
    for (; p != NULL && p < end; p++)
        count += *p == '@';
    return count;
}

static void each_event_has_its_probe(void **state)
{
    (void)state;
    char *notes = read_notes();
    for (int t = 0; t < HF_TRACE_COUNT; t++) {
        char text[128];
        snprintf(text, sizeof text, "Provider: handfast\n    Name: %s\n",
                 hf_trace_name((enum hf_trace)t));
        const char *note = strstr(notes, text);
        if (note == NULL)
            fail_msg("there is no note with %s", text);
        assert_int_equal(ARGUMENTS, count_arguments(note));
    }
    free(notes);
}

static void each_event_passes(void **state)
{
    (void)state;
    for (int t = 0; t < HF_TRACE_COUNT; t++) {
        const struct hf_trace_event e = {.handle = 1, .type = (enum hf_trace)t, .a = -1, .b = 2};
        hf_probe_trace(NULL, &e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_event_has_its_probe),
        cmocka_unit_test(each_event_passes),
    };
    if (!hf_probe_available()) {
        puts("skipped: built without <sys/sdt.h>");
        return 77;
    }
    if (system("readelf --version >/dev/null 2>&1") != 0) {
        puts("skipped: no readelf");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
