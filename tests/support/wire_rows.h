/**
 * Rows of the state machine that are the same condition in several states: one segment against a
 * connection that just came into its state, and all that may follow from it.
 */
#ifndef HF_TESTS_SUPPORT_WIRE_ROWS_H
#define HF_TESTS_SUPPORT_WIRE_ROWS_H

#include "wire_states.h"

/** Runs every row of the table that names this state, in all variants, with the handle half-closed
 *  and let go. Returns how many runs that were. */
size_t wire_rows_run(enum hf_state state);
/** Segments and packets that must not even reach the connection: checksums, headers, addresses. */
void wire_broken_run(enum hf_state state);

#endif
