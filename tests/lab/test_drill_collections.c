/* Scripts of others, where they lie beside the tree: each must parse, and its packets must survive
 * being written and read again. HF_PACKET_SCRIPTS names another place. */
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "drill.h"
#include "lab/drill/match.h"

static unsigned script_count, bad_count;

static void check_packet(const struct hf_script_packet *packet, bool v6, const char *path)
{
    char text[1024], again[1024];
    hf_script_packet_text(packet, again, sizeof again);
    snprintf(text, sizeof text, "0 %.1000s", again);
    struct hf_script s = drill_parse_as(text, v6);
    hf_script_packet_text(&s.events[0].packet, text, sizeof text);
    if (strcmp(text, again) != 0)
        fail_msg("%s: %s became %s", path, again, text);
    hf_script_free(&s);
}

static void check_script(const char *path, const char *text, size_t n)
{
    static const struct hf_script_define standard = {"STANDARD", "1"};
    struct hf_script script;
    struct hf_script_fault fault;
    struct hf_script_settings settings = {.defines = &standard, .define_count = 1};
    script_count++;
    if (hf_script_parse(&script, text, n, &settings, &fault) != HF_OK) {
        print_message("%s:%u:%u: %s\n", path, fault.place.line, fault.place.column, fault.text);
        bad_count++;
        return;
    }
    const char *version = hf_script_option(&script, "ip_version");
    bool v6 = version != NULL && strcmp(version, "ipv6") == 0;
    for (size_t i = 0; i < script.event_count; i++)
        if (script.events[i].kind == HF_SCRIPT_PACKET)
            check_packet(&script.events[i].packet, v6, path);
    hf_script_free(&script);
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    static char text[HF_SCRIPT_MAX_BYTES];
    (void)st;
    (void)ftw;
    const char *ending = strrchr(path, '.');
    if (type != FTW_F || ending == NULL || strcmp(ending, ".pkt") != 0)
        return 0;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(text, 1, sizeof text, file);
    fclose(file);
    check_script(path, text, n);
    return 0;
}

static void all_parse(void **state)
{
    (void)state;
    const char *named = getenv("HF_PACKET_SCRIPTS");
    const char *path = named != NULL ? named : HF_SOURCE_DIR "/../shared/packet-scripts";
    struct stat st;
    if (stat(path, &st) != 0)
        skip();
    assert_int_equal(nftw(path, visit, 16, FTW_PHYS), 0);
    print_message("%u scripts\n", script_count);
    assert_true(script_count > 0);
    assert_int_equal(bad_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_parse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
