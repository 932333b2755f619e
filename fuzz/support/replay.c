/**
 * Runs a fuzz target without libFuzzer: every file of the directories named, then inputs made from
 * a fixed seed, at random and by damaging the files. It finds little that is new; it keeps the
 * target compiling, and repeats what was found once. `program FILE` repeats one input.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { INPUT_MAX_BYTES = 4096 };

/* How much is done beside the files themselves. An input takes up to a millisecond under
 * sanitizers: the usual amount is some ten seconds, so that a loaded machine does not run into the
 * time limit of the tests. HF_TEST_LONG=1 asks for more. */
struct amount {
    int made, damaged; /* inputs in all; of each file */
};
static const struct amount usual = {5000, 20}, ample = {100000, 200};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length_bytes);

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % bound);
}

/* An exact copy on the heap, so that a sanitizer sees a read beyond the end. */
static void run_one(const uint8_t *bytes, size_t length_bytes)
{
    uint8_t *copy = malloc(length_bytes == 0 ? 1 : length_bytes);
    if (copy == NULL)
        abort();
    memcpy(copy, bytes, length_bytes);
    LLVMFuzzerTestOneInput(copy, length_bytes);
    free(copy);
}

static void run_damaged(const uint8_t *bytes, size_t length_bytes, int times)
{
    uint8_t input[INPUT_MAX_BYTES];
    for (int i = 0; i < times && length_bytes > 0; i++) {
        memcpy(input, bytes, length_bytes);
        for (uint32_t n = 1 + random_below(4); n > 0; n--)
            input[random_below((uint32_t)length_bytes)] ^= (uint8_t)(1u << random_below(8));
        run_one(input, 1 + random_below((uint32_t)length_bytes));
    }
}

/* Files come in the order of the directory: each starts the generator anew, to be repeatable. */
static void run_file(const char *path, int damaged)
{
    uint8_t bytes[INPUT_MAX_BYTES];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    size_t length_bytes = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    random_state = 1;
    run_one(bytes, length_bytes);
    run_damaged(bytes, length_bytes, damaged);
}

static int run_directory(const char *path, int damaged)
{
    DIR *directory = opendir(path);
    if (directory == NULL)
        return 0;
    int count = 0;
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        char file[4096];
        int n = snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] == '.' || n < 0 || (size_t)n >= sizeof file)
            continue;
        run_file(file, damaged);
        count++;
    }
    closedir(directory);
    return count;
}

static void run_made(int inputs)
{
    uint8_t input[INPUT_MAX_BYTES];
    for (int i = 0; i < inputs; i++) {
        uint32_t length_bytes = random_below(i % 10 == 0 ? INPUT_MAX_BYTES : 128);
        for (uint32_t k = 0; k < length_bytes; k++)
            input[k] = (uint8_t)random_below(i % 3 == 0 ? 8 : 256);
        run_one(input, length_bytes);
    }
}

int main(int argc, char **argv)
{
    const char *is_long = getenv("HF_TEST_LONG");
    struct amount amount = is_long != NULL && strcmp(is_long, "1") == 0 ? ample : usual;
    int files = 0;
    for (int i = 1; i < argc; i++) {
        struct stat what;
        if (stat(argv[i], &what) == 0 && S_ISREG(what.st_mode)) {
            run_file(argv[i], 0);
            return 0;
        }
        files += run_directory(argv[i], amount.damaged);
    }
    random_state = 1;
    run_made(amount.made);
    printf("%d files and %d made inputs: no complaint\n", files, amount.made);
    return 0;
}
