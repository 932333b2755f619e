/**
 * A flood of SYNs at end B of a pair.
 */
#ifndef HF_BENCH_FLOOD_H
#define HF_BENCH_FLOOD_H

#include "bench/bench.h"

/** The pair of a flood: nothing has been sent yet. */
void hf_bench_flood_open(struct hf_bench *w);
/** HF_BENCH_BURST SYNs arrive at B. */
void hf_bench_flood_burst(struct hf_bench *w);
/** The n-th of the burst at hand, made anew. */
struct hf_packet hf_bench_flood_syn(struct hf_bench *w, unsigned n);
/** All entries are taken, as far as there are any. Checks that no answer was lost. */
bool hf_bench_flood_is_full(const struct hf_bench *w);

#endif
