/**
 * The figures of a run as rows of a table with tabs between, to be kept beside the code: a change
 * in behaviour is a change of that file that people can read.
 */
#ifndef HF_LAB_SIM_GOLDEN_H
#define HF_LAB_SIM_GOLDEN_H

#include "show/text.h"
#include "sim.h"

/** The line of names above the rows. */
extern const char hf_golden_head[];

/** Adds the rows of a run: one a flow, one for the whole, each with the scenario's name first. */
void hf_golden_rows(struct hf_text *t, const struct hf_sim *sim, const char *scenario);

/** Compares rows with those of the same scenario in a whole table. True: they are the same. False:
 *  how they differ, line by line, is in *difference. */
bool hf_golden_compare(const char *table, const char *rows, const char *scenario,
                       struct hf_text *difference);

#endif
