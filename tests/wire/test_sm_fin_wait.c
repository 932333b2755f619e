/* FIN-WAIT-1, FIN-WAIT-2: every row of the state machine, and what goes over several segments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/wire_rows.h"

static void common_rows(void **state)
{
    (void)state;
    assert_true(wire_rows_run(HF_FIN_WAIT_1) > 200);
    wire_broken_run(HF_FIN_WAIT_1);
    assert_true(wire_rows_run(HF_FIN_WAIT_2) > 200);
    wire_broken_run(HF_FIN_WAIT_2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_rows),
    };
    return cmocka_run_group_tests_name("sm_fin_wait", tests, NULL, NULL);
}
