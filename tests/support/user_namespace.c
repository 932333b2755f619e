/**
 * Whether user namespaces can be had: found by making one, in a process that ends with it.
 */
#include "support/user_namespace.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { NOBODY = 65534, EXIT_SKIP = 77 };

static bool has_skipped;

/** With a network namespace: some kernels give out user namespaces in which nothing is allowed. */
static int try_to_make(bool as_nobody)
{
    if (as_nobody && geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
        return errno;
    return unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 ? errno : 0;
}

void user_namespace_needed(bool as_nobody)
{
    int status = 0;
    (void)fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(try_to_make(as_nobody));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 0)
        return;
    (void)fprintf(stderr, "skipped: no user namespace%s: %s\n", as_nobody ? " for nobody" : "",
                  strerror(WEXITSTATUS(status)));
    has_skipped = true;
    skip();
}

int user_namespace_result(int failed)
{
    return failed == 0 && has_skipped ? EXIT_SKIP : failed;
}
