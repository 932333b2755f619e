/* Assertions of scripts: what holds, what doesn't, what is beyond the evaluator. And names. */
#include <errno.h>
#include <netinet/tcp.h>

#include "drill.h"
#include "lab/drill/python.h"
#include "lab/drill/symbols.h"

static bool name_value(void *ctx, const char *name, int64_t *value)
{
    (void)ctx;
    *value = 7;
    return strcmp(name, "tcpi_snd_cwnd") == 0 || hf_symbol_value(name, value);
}

static struct hf_python python = {.name = name_value};
static char words[256];

static void check(const char *block, enum hf_python_verdict verdict, const char *expected)
{
    words[0] = '\0';
    enum hf_python_verdict got = hf_python_run(&python, block, words, sizeof words);
    if (got != verdict || strcmp(words, expected) != 0)
        fail_msg("%s\nverdict %d '%s', expected %d '%s'", block, (int)got, words, (int)verdict,
                 expected);
}

static void what_holds(void **state)
{
    (void)state;
    static const char *const blocks[] = {
        "",
        "\n  # a comment\n;;\n",
        "assert tcpi_snd_cwnd == 7, tcpi_snd_cwnd",
        "assert tcpi_snd_cwnd == 7, 'cwnd=%d; # (' % tcpi_snd_cwnd; assert 1",
        "assert 1 < 2 <= 2 != 3 > 2 >= 2",
        "assert not 1 > 2 and (0 or 5) == 5",
        "assert (1 |\n 2 ^ 3 &\n 1) == 3, (\n 'two lines')",
        "assert 1 + 2 * 3 - -4 == 11 and 7 // 2 == 3 and -7 // 2 == -4 and -7 % 3 == 2",
        "assert 8 / 2 == 4 and 1 << 4 >> 2 == 4 and ~0 == -1 and 0x10 == 16",
        "assert abs(-3) == 3 and min(3, 1, 2) == 1 and max(1, 2) == 2 and int(4) == 4",
        "assert tcpi_snd_cwnd == \\\n 7",
        "assert 1 == 1 or not_there == 1",
        "assert not (1 == 2 and 1 // 0)",
        "print('any', thing); print \"x\"; pass",
        "assert TCP_CA_Recovery == 3 and TCPI_OPT_SACK | TCPI_OPT_WSCALE == 6",
        "assert True and not False",
    };
    for (size_t i = 0; i < HF_COUNT_OF(blocks); i++)
        check(blocks[i], HF_PYTHON_PASSED, "");
}

static void what_fails(void **state)
{
    (void)state;
    check("assert tcpi_snd_cwnd == 10, 'text'", HF_PYTHON_FAILED,
          "assert tcpi_snd_cwnd == 10: tcpi_snd_cwnd is 7");
    check("assert 1\nassert 2 < 1\nassert unknown", HF_PYTHON_FAILED, "assert 2 < 1");
    check("assert 1 < 3 < 2", HF_PYTHON_FAILED, "assert 1 < 3 < 2");
    check("assert 1 & 2 == 2", HF_PYTHON_FAILED, "assert 1 & 2 == 2");
    check("assert tcpi_snd_cwnd < ETIMEDOUT - 200", HF_PYTHON_FAILED,
          "assert tcpi_snd_cwnd < ETIMEDOUT - 200: tcpi_snd_cwnd is 7, ETIMEDOUT is 110");
}

static void what_is_unknown(void **state)
{
    (void)state;
    check("assert foo == 1", HF_PYTHON_UNKNOWN, "a name that is not known: foo");
    check("import os", HF_PYTHON_UNKNOWN, "can't be evaluated: the statement 'import os'");
    check("assert len(x)", HF_PYTHON_UNKNOWN, "a function that is not known: len");
    check("assert 7 / 2 > 3", HF_PYTHON_UNKNOWN, "a division that leaves the integers");
    check("assert 1 // 0", HF_PYTHON_UNKNOWN, "a division by zero");
    check("assert 2 ** 3", HF_PYTHON_UNKNOWN, "can't be evaluated: behind an assertion '** 3'");
    check("assert 1.5 > 1", HF_PYTHON_UNKNOWN, "can't be evaluated: the number '1.5 > 1'");
    check("assert (1", HF_PYTHON_UNKNOWN,
          "can't be evaluated: what is in parentheses ends with ''");
    check("assert", HF_PYTHON_UNKNOWN, "can't be evaluated: instead of a value ''");
    check("assert 'text", HF_PYTHON_UNKNOWN, "can't be evaluated: instead of a value ''text'");
    check("assert 9223372036854775807 + 1", HF_PYTHON_UNKNOWN, "a number beyond 64 bits");
    check("assert 1 << 63", HF_PYTHON_UNKNOWN, "a shift out of range");
    check("assert abs(1, 2)", HF_PYTHON_UNKNOWN, "another number of values than it takes: abs");
    check("x.y = 3", HF_PYTHON_UNKNOWN, "can't be evaluated: the statement 'x.y = 3'");
}

static void variables_persist(void **state)
{
    (void)state;
    check("before = tcpi_snd_cwnd * 2", HF_PYTHON_PASSED, "");
    check("assert before == 14; before = before + 1", HF_PYTHON_PASSED, "");
    check("assert before == 14", HF_PYTHON_FAILED, "assert before == 14: before is 15");
    struct hf_python many = {.name = NULL};
    for (int i = 0; i < HF_PYTHON_VARIABLES; i++) {
        char block[32];
        snprintf(block, sizeof block, "v%d = %d", i, i);
        assert_int_equal(hf_python_run(&many, block, words, sizeof words), HF_PYTHON_PASSED);
    }
    assert_int_equal(hf_python_run(&many, "more = 1", words, sizeof words), HF_PYTHON_UNKNOWN);
    assert_string_equal(words, "one variable too many: more");
    assert_int_equal(hf_python_run(&many, "v3 = v4", words, sizeof words), HF_PYTHON_PASSED);
    assert_int_equal(many.variables[3].value, 4);
}

/** Neither deep nesting nor long names take more stack or memory than there is. */
static void hostile_text(void **state)
{
    (void)state;
    static char block[100000];
    static const char *const pieces[] = {"(", "-", "not ", "abs(", "a"};
    for (size_t i = 0; i < HF_COUNT_OF(pieces); i++) {
        size_t at = (size_t)snprintf(block, sizeof block, "assert ");
        for (size_t n = strlen(pieces[i]); at + n < sizeof block; at += n)
            memcpy(block + at, pieces[i], n + 1);
        assert_int_equal(hf_python_run(&python, block, words, sizeof words), HF_PYTHON_UNKNOWN);
    }
}

static void symbols(void **state)
{
    (void)state;
    int64_t value = 0;
    assert_true(hf_symbol_value("ECONNREFUSED", &value));
    assert_int_equal(value, ECONNREFUSED);
    assert_true(hf_symbol_value("TCPI_SYN_RECEIVED", &value));
    assert_int_equal(value, TCP_SYN_RECV);
    assert_true(hf_symbol_value("EPOLLET", &value));
    assert_int_equal(value, 1LL << 31);
    assert_true(hf_symbol_value("NULL", &value));
    assert_int_equal(value, 0);
    static const char *const names[] = {
        "AF_INET",         "SOL_SOCKET",       "SO_ERROR",    "TCP_NODELAY",
        "O_NONBLOCK",      "POLLIN",           "SIOCINQ",     "TCPI_OPT_SACK",
        "TCPI_OPT_ECN",    "TCPI_ESTABLISHED", "IPV6_TCLASS", "TCP_USER_TIMEOUT",
        "IP_MTU_DISCOVER", "IP_PMTUDISC_DONT", "F_SETFL",     "SHUT_RDWR",
        "MSG_PEEK",        "SO_RCVBUF",        "TCP_MAXSEG",  "EPOLL_CTL_ADD"};
    for (size_t i = 0; i < HF_COUNT_OF(names); i++)
        if (!hf_symbol_value(names[i], &value))
            fail_msg("%s is not known", names[i]);
    assert_false(hf_symbol_value("E", &value));
    assert_false(hf_symbol_value("", &value));
    assert_string_equal(hf_errno_name(ECONNREFUSED), "ECONNREFUSED");
    assert_string_equal(hf_errno_name(EAGAIN), "EAGAIN");
    assert_null(hf_errno_name(0));
    assert_null(hf_errno_name(9999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_holds),      cmocka_unit_test(what_fails),
        cmocka_unit_test(what_is_unknown), cmocka_unit_test(variables_persist),
        cmocka_unit_test(hostile_text),    cmocka_unit_test(symbols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
