/**
 * For tests that need user namespaces, which a kernel may forbid: to all in a chroot, to ordinary
 * users by a security module or a limit.
 */
#ifndef HF_TEST_USER_NAMESPACE_H
#define HF_TEST_USER_NAMESPACE_H

#include <stdbool.h>

/** Skips the test that runs, and says why on stderr, where this user can't make one; with as_nobody
 *  where nobody can't, who is tried if this is root. */
void user_namespace_needed(bool as_nobody);
/** What main returns, of what the group of tests returned: 77 where all is well but for a test that
 *  was skipped so, for a test program that does not show all must not look as if it did. */
int user_namespace_result(int failed);

#endif
