/**
 * Recording: what a small reader of its own makes of the file, and what a full disk does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_link.h"
#include "show/pcapng.h"

/* ---- a reader, written from the format's description ---------------------------------------- */

struct option_found {
    const uint8_t *value;
    size_t n;
};

struct block_read {
    uint32_t type;
    const uint8_t *body; /* behind type and length */
    size_t body_bytes;
};

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static uint32_t le16(const uint8_t *p)
{
    return (uint32_t)p[1] << 8 | p[0];
}

/* The block at *at, which moves behind it. */
static struct block_read read_block(const uint8_t *file, size_t n, size_t *at)
{
    assert_true(n - *at >= 12);
    uint32_t length = le32(file + *at + 4);
    assert_int_equal(0, length % 4);
    assert_true(length >= 12 && length <= n - *at);
    assert_int_equal(length, le32(file + *at + length - 4));
    struct block_read b = {le32(file + *at), file + *at + 8, length - 12};
    *at += length;
    return b;
}

/* Looks an option up among those that start at `at` of the body; n is SIZE_MAX when it is not
 * there. Checks that the list ends with the end option and exactly there. */
static struct option_found find_option(const struct block_read *b, size_t at, uint32_t code)
{
    struct option_found found = {NULL, SIZE_MAX};
    for (;;) {
        assert_true(b->body_bytes - at >= 4);
        uint32_t have = le16(b->body + at), n = le16(b->body + at + 2);
        at += 4;
        if (have == 0) {
            assert_int_equal(0, n);
            assert_int_equal(b->body_bytes, at);
            return found;
        }
        assert_true(n <= b->body_bytes - at);
        if (have == code)
            found = (struct option_found){b->body + at, n};
        at += (n + 3) / 4 * 4;
    }
}

static void check_text(const struct block_read *b, size_t at, uint32_t code, const char *text)
{
    struct option_found o = find_option(b, at, code);
    assert_int_equal(strlen(text), o.n);
    assert_memory_equal(text, o.value, o.n);
}

static void check_packet(const struct block_read *b, uint64_t time_ns, uint32_t direction,
                         const void *bytes, size_t n)
{
    assert_int_equal(6, b->type);
    assert_int_equal(0, le32(b->body));
    assert_int_equal(time_ns, (uint64_t)le32(b->body + 4) << 32 | le32(b->body + 8));
    assert_int_equal(n, le32(b->body + 12));
    assert_int_equal(n, le32(b->body + 16));
    assert_true(n <= b->body_bytes - 20);
    assert_memory_equal(bytes, b->body + 20, n);
    struct option_found flags = find_option(b, 20 + (n + 3) / 4 * 4, 2);
    assert_int_equal(4, flags.n);
    assert_int_equal(direction, le32(flags.value));
}

/* ---- files ---------------------------------------------------------------------------------- */

static char path[] = "/tmp/hf-test-record-XXXXXX";

static int make_path(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    if (fd < 0)
        return -1;
    return close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

static uint8_t *read_file(size_t *n)
{
    struct stat s;
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(0, fstat(fileno(f), &s));
    *n = (size_t)s.st_size;
    uint8_t *bytes = malloc(*n + 1);
    assert_non_null(bytes);
    assert_int_equal(*n, fread(bytes, 1, *n, f));
    fclose(f);
    return bytes;
}

struct ears {
    hf_ns now_ns;
    int warnings;
    char line[HF_WHY_TEXT_BYTES];
};

static hf_ns ears_clock(void *ctx)
{
    return ((struct ears *)ctx)->now_ns;
}

static void ears_warn(void *ctx, const char *line)
{
    struct ears *e = ctx;
    e->warnings++;
    snprintf(e->line, sizeof e->line, "%s", line);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void send_bytes(struct hf_link *l, const uint8_t *bytes, size_t header, size_t n,
                       int expected)
{
    const struct hf_slice slices[] = {{bytes + header, 1}, {bytes + header + 1, n - header - 1}};
    const struct hf_out_packet p = {.header = bytes,
                                    .header_bytes = (uint16_t)header,
                                    .slice_count = 2,
                                    .slices = slices,
                                    .length_bytes = (uint32_t)n};
    assert_int_equal(expected, hf_link_send(l, &p, 1));
}

static void a_recording_is_read_back(void **state)
{
    (void)state;
    struct fake_link fake;
    struct ears ears = {.now_ns = 1790000000123456789};
    struct hf_link *l;
    const struct hf_record_config cfg = {.path = path,
                                         .interface_name = "hf0",
                                         .comment = "a comment",
                                         .wall_clock = ears_clock,
                                         .warn = ears_warn,
                                         .ctx = &ears};
    fake_init(&fake);
    assert_int_equal(HF_OK, hf_link_record(&l, &fake.link, &cfg, NULL));
    uint8_t bytes[3001];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    struct hf_packet got[4];
    fake_put(&fake, bytes, 41);
    fake_put(&fake, bytes + 1, 3000)->segment_bytes = 1000;
    assert_int_equal(2, hf_link_receive(l, got, 4));
    assert_memory_equal(bytes, got[0].bytes, 41);
    assert_int_equal(1000, got[1].segment_bytes);
    ears.now_ns += 1;
    send_bytes(l, bytes + 5, 20, 99, 1);
    fake.room = 0;
    send_bytes(l, bytes + 5, 20, 99, 0); /* not taken: not in the file */
    struct hf_record_stats stats;
    hf_link_record_stats(l, &stats);
    assert_int_equal(3, stats.written);
    assert_int_equal(0, stats.unwritten);

    /* All is in the file before the link is closed. */
    size_t n, at = 0;
    uint8_t *file = read_file(&n);
    struct block_read b = read_block(file, n, &at);
    assert_int_equal(0x0a0d0d0a, b.type);
    assert_int_equal(0x1a2b3c4d, le32(b.body));
    assert_int_equal(1, le16(b.body + 4));
    assert_int_equal(0, le16(b.body + 6));
    check_text(&b, 16, 1, "a comment");
    check_text(&b, 16, 4, "handfast " HF_VERSION_TEXT);
    b = read_block(file, n, &at);
    assert_int_equal(1, b.type);
    assert_int_equal(101, le16(b.body));
    check_text(&b, 8, 2, "hf0");
    check_text(&b, 8, 9, "\x09");
    b = read_block(file, n, &at);
    check_packet(&b, 1790000000123456789, 1, bytes, 41);
    b = read_block(file, n, &at);
    check_packet(&b, 1790000000123456789, 1, bytes + 1, 3000);
    b = read_block(file, n, &at);
    check_packet(&b, 1790000000123456790, 2, bytes + 5, 99);
    assert_int_equal(n, at);
    free(file);
    hf_link_close(l);
    assert_int_equal(1, fake.closed);
    assert_int_equal(0, ears.warnings);
}

/* Every length and alignment, every capacity: never a byte beyond, never a wrong length. */
static void blocks_fit_or_are_not_written(void **state)
{
    (void)state;
    uint8_t payload[16] = "0123456789abcde";
    for (size_t n = 0; n < 16; n++) {
        const struct hf_slice slices[] = {{payload, n / 2}, {payload + n / 2, n - n / 2}};
        const struct hf_pcapng_packet p = {.time_ns = 5,
                                           .direction = HF_PCAPNG_OUT,
                                           .comment = n % 2 ? "odd" : NULL,
                                           .slices = slices,
                                           .slice_count = 2};
        uint8_t whole[256];
        size_t need = hf_pcapng_packet(whole, sizeof whole, &p), at = 0;
        assert_true(need > 0 && need <= n + 3 + HF_PCAPNG_PACKET_OVERHEAD_BYTES);
        struct block_read b = read_block(whole, need, &at);
        check_packet(&b, 5, 2, payload, n);
        if (n % 2)
            check_text(&b, 20 + (n + 3) / 4 * 4, 1, "odd");
        for (size_t capacity = 0; capacity < need; capacity++) {
            uint8_t *tight = malloc(capacity + 1);
            assert_non_null(tight);
            tight[capacity] = 0xee;
            assert_int_equal(0, hf_pcapng_packet(tight, capacity, &p));
            assert_int_equal(0xee, tight[capacity]);
            free(tight);
        }
        assert_int_equal(need, hf_pcapng_packet(whole, need, &p));
    }
    uint8_t small[27];
    assert_int_equal(0, hf_pcapng_section(small, sizeof small, "x", NULL));
    assert_int_equal(0, hf_pcapng_interface(small, 19, 101, NULL));
}

static void put_file(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(strlen(text), fwrite(text, 1, strlen(text), f));
    assert_int_equal(0, fclose(f));
}

/* What somebody else wrote stays; a recording, here with a comment ahead of our name, does not. */
static void only_recordings_are_replaced(void **state)
{
    (void)state;
    struct fake_link fake;
    struct hf_link *l = NULL;
    struct hf_why why = {.text = ""};
    const struct hf_record_config with_comment = {.path = path, .comment = "a comment"};
    const struct hf_record_config plain = {.path = path};
    fake_init(&fake);
    put_file("somebody's work");
    assert_int_equal(HF_E_INVALID, hf_link_record(&l, &fake.link, &plain, &why));
    assert_null(l);
    assert_int_equal(EEXIST, why.sys_errno);
    assert_non_null(strstr(why.text, "it exists and is no recording of handfast's"));
    size_t n, shorter;
    uint8_t *file = read_file(&n);
    assert_int_equal(15, n);
    assert_memory_equal("somebody's work", file, n);
    free(file);
    put_file("");
    assert_int_equal(HF_OK, hf_link_record(&l, &fake.link, &with_comment, &why));
    hf_link_close(l);
    free(read_file(&n));
    fake_init(&fake);
    assert_int_equal(HF_OK, hf_link_record(&l, &fake.link, &plain, &why));
    hf_link_close(l);
    free(read_file(&shorter));
    assert_true(shorter < n);
}

static void a_disk_that_is_full_at_once_is_told(void **state)
{
    (void)state;
    struct fake_link fake;
    struct hf_link *l = NULL;
    struct hf_why why = {.text = ""};
    fake_init(&fake);
    const struct hf_record_config cfg = {.path = "/dev/full"};
    assert_true(hf_link_record(&l, &fake.link, &cfg, &why) < 0);
    assert_null(l);
    assert_int_equal(ENOSPC, why.sys_errno);
    assert_non_null(strstr(why.text, "record /dev/full: No space left on device"));
    assert_int_equal(0, fake.closed);

    const struct hf_record_config nowhere = {.path = "/nonexistent/x.pcapng"};
    assert_int_equal(HF_E_DEVICE, hf_link_record(&l, &fake.link, &nowhere, &why));
    assert_non_null(strstr(why.text, "/nonexistent/x.pcapng: No such file or directory"));
}

/* The file may grow to 2000 bytes: recording ends at a block's border, with one warning, and the
 * traffic goes on. */
static void a_disk_that_fills_up_ends_the_recording_only(void **state)
{
    (void)state;
    struct fake_link fake;
    struct ears ears = {.now_ns = 1};
    struct hf_link *l;
    struct rlimit old, tight;
    uint8_t bytes[500] = {0x45};
    fake_init(&fake);
    signal(SIGXFSZ, SIG_IGN); /* so that write fails with EFBIG */
    assert_int_equal(0, getrlimit(RLIMIT_FSIZE, &old));
    tight = (struct rlimit){2000, old.rlim_max};
    const struct hf_record_config cfg = {
        .path = path, .wall_clock = ears_clock, .warn = ears_warn, .ctx = &ears};
    assert_int_equal(HF_OK, hf_link_record(&l, &fake.link, &cfg, NULL));
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &tight));
    for (int i = 0; i < 10; i++)
        send_bytes(l, bytes, 20, sizeof bytes, 1);
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &old));
    assert_int_equal(10, fake.sent_count);
    assert_int_equal(1, ears.warnings);
    assert_non_null(strstr(ears.line, "File too large (recording ends after 3 packets"));
    assert_null(strchr(ears.line, '\n'));
    struct hf_record_stats stats;
    hf_link_record_stats(l, &stats);
    assert_int_equal(3, stats.written);
    assert_int_equal(7, stats.unwritten);
    size_t n, at = 0, blocks = 0;
    uint8_t *file = read_file(&n);
    for (; at < n; blocks++)
        (void)read_block(file, n, &at);
    assert_int_equal(2 + 3, blocks);
    free(file);
    hf_link_close(l);
}

/* A batch larger than the buffer, and a packet of more slices than are handled in place. */
static void large_batches_and_many_slices(void **state)
{
    (void)state;
    struct fake_link fake;
    struct ears ears = {.now_ns = 1};
    struct hf_link *l;
    static uint8_t bytes[FAKE_BYTES];
    struct hf_packet got[FAKE_MAX];
    fake_init(&fake);
    const struct hf_record_config cfg = {
        .path = path, .wall_clock = ears_clock, .warn = ears_warn, .ctx = &ears};
    assert_int_equal(HF_OK, hf_link_record(&l, &fake.link, &cfg, NULL));
    for (size_t i = 0; i < FAKE_MAX; i++) {
        memset(bytes, (int)i, sizeof bytes);
        fake_put(&fake, bytes, sizeof bytes);
    }
    assert_int_equal(FAKE_MAX, hf_link_receive(l, got, FAKE_MAX));
    struct hf_slice slices[200];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 3);
    for (size_t i = 0; i < 200; i++)
        slices[i] = (struct hf_slice){bytes + 20 + i * 5, 5};
    const struct hf_out_packet p = {.header = bytes,
                                    .header_bytes = 20,
                                    .slice_count = 200,
                                    .slices = slices,
                                    .length_bytes = 1020};
    assert_int_equal(1, hf_link_send(l, &p, 1));
    hf_link_close(l);
    size_t n, at = 0;
    uint8_t *file = read_file(&n), expected[FAKE_BYTES];
    (void)read_block(file, n, &at);
    (void)read_block(file, n, &at);
    for (size_t i = 0; i < FAKE_MAX; i++) {
        struct block_read b = read_block(file, n, &at);
        memset(expected, (int)i, sizeof expected);
        check_packet(&b, 1, 1, expected, sizeof expected);
    }
    struct block_read b = read_block(file, n, &at);
    check_packet(&b, 1, 2, bytes, 1020);
    assert_int_equal(n, at);
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recording_is_read_back),
        cmocka_unit_test(blocks_fit_or_are_not_written),
        cmocka_unit_test(only_recordings_are_replaced),
        cmocka_unit_test(a_disk_that_is_full_at_once_is_told),
        cmocka_unit_test(a_disk_that_fills_up_ends_the_recording_only),
        cmocka_unit_test(large_batches_and_many_slices),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
