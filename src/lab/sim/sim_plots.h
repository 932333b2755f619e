/**
 * A simulation as plots: for each flow its sequence numbers, its windows, its round trips and
 * rates; and for all of them the rates side by side and the queue of the bottleneck.
 */
#ifndef HF_LAB_SIM_SIM_PLOTS_H
#define HF_LAB_SIM_SIM_PLOTS_H

#include "show/text.h"
#include "sim.h"

enum { HF_SIM_PLOT_NAME_BYTES = HF_SCENARIO_NAME_BYTES + 16 };

/** The i-th plot of a run that gathered curves: its name, a file's without its ending, and its
 *  SVG text to the sink. False: there are no more. */
bool hf_sim_plot(const struct hf_sim *sim, unsigned i, char name[HF_SIM_PLOT_NAME_BYTES],
                 hf_sink_fn *sink, void *sink_ctx);
/** The name alone. */
bool hf_sim_plot_name(const struct hf_sim *sim, unsigned i, char name[HF_SIM_PLOT_NAME_BYTES]);

#endif
