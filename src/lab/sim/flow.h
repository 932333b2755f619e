/**
 * One flow of a simulation: what its two applications do, and what is measured on its way.
 *
 * The sender connects, writes its bytes as room comes and closes its direction; the receiver reads
 * all, checks that it is right, and closes when the end came. Measured is by what a stack tells in
 * public: trace events and hf_info. Offsets count the stream's bytes from 0; the FIN is one more.
 */
#ifndef HF_LAB_SIM_FLOW_H
#define HF_LAB_SIM_FLOW_H

#include "coverage.h"
#include "scenario.h"
#include "series.h"

struct hf_sim_host;

enum {
    HF_SIM_PORT = 5000, /**< of the first flow; the others follow */
    HF_SIM_RTOS_OPEN = 16,
    HF_SIM_PATTERN_BYTES = 16381, /**< a prime, so that no size of segment or block divides it */
};

struct hf_sim_count {
    uint64_t segs, bytes;
};

/** An RTO that has not shown yet whether what it sent again was lost. */
struct hf_sim_rto {
    uint64_t offset;
    hf_ns at_ns; /**< in whole microseconds, as the times that packets carry */
};

/** A segment that was sent again, of which the reason may not be told yet. */
struct hf_sim_resent {
    bool is_held;
    uint32_t seq;
    hf_ns at_ns;
    uint64_t left, right, segs, bytes;
};

/** For the plots. */
struct hf_sim_curves {
    struct hf_series sent, acked, edge;
    struct hf_series *resent[HF_REASON_COUNT]; /**< NULL: none by this reason */
    struct hf_series cwnd, ssthresh, in_flight;
    struct hf_series rtt, sent_bps, delivered_bps;
    hf_ns from_ns, until_ns;
};

/** Fields are for reading only. */
struct hf_sim_flow {
    const struct hf_scenario_flow *plan;
    unsigned number;
    struct hf_sim_host *from, *to;
    const uint8_t *pattern; /**< twice HF_SIM_PATTERN_BYTES: the stream is made of that */
    int error;              /**< of the connection's opening */
    /* the two ends */
    hf_handle sender, receiver;
    bool started, may_write, shut, released;
    bool is_done;       /**< nothing more is to come of it */
    bool is_counted;    /**< among the simulation's done ones */
    enum hf_closed how; /**< of the sender's connection */
    bool is_wrong;      /**< a byte arrived that was not sent */
    uint64_t written_bytes, delivered_bytes;
    hf_ns done_at_ns;      /**< HF_NEVER: it was not */
    hf_ns completed_at_ns; /**< when the last byte was delivered; HF_NEVER: it was not */
    /* what was sent */
    uint32_t iss;
    uint64_t sent_max, syns;
    enum hf_reason resend_reason; /**< told last, */
    uint32_t resend_seq;          /**< for the segment that begins here, */
    bool resend_is_told;          /**< which was not sent yet */
    struct hf_sim_resent held;
    struct hf_sim_count sent, resent, resent_by[HF_REASON_COUNT];
    uint64_t rtos, spurious_rtos;
    struct hf_sim_rto open_rtos[HF_SIM_RTOS_OPEN];
    unsigned open_rto_count;
    /* what came */
    struct hf_coverage arrived;
    uint64_t arrived_again_bytes;
    /* round trips */
    uint64_t rtt_count;
    hf_ns rtt_sum_ns, rtt_min_ns, rtt_max_ns;
    struct hf_info info; /**< of the sender, as seen last */
    bool has_info;
    /* since the last sample */
    uint64_t sampled_delivered, sampled_sent;
    hf_ns sampled_at_ns;
    int64_t sampled_delivered_bps, sampled_sent_bps;
    /* delivered when the last flow had started, and when the first one was done */
    uint64_t common_from_bytes, common_until_bytes;
    struct hf_sim_curves *curves; /**< NULL: no plots are wanted */
};

void hf_sim_flow_init(struct hf_sim_flow *f, const struct hf_scenario_flow *plan, unsigned number,
                      struct hf_sim_curves *curves);
void hf_sim_flow_free(struct hf_sim_flow *f);

/* ---- the applications ---- */

/** The receiver's listener. */
HF_MUST_CHECK int hf_sim_flow_listen(const struct hf_sim_flow *f, struct hf_stack *receiver,
                                     const struct hf_addr *addr);
HF_MUST_CHECK int hf_sim_flow_connect(struct hf_sim_flow *f, struct hf_stack *sender,
                                      const struct hf_addr *from, const struct hf_addr *to,
                                      hf_ns now);
/** Does what an event of one of its ends asks for. */
void hf_sim_flow_event(struct hf_sim_flow *f, bool is_sender, struct hf_stack *stack,
                       const struct hf_event *e, hf_ns now);
/** Writes what there is room for; true if anything was. */
bool hf_sim_flow_write(struct hf_sim_flow *f, struct hf_stack *sender, hf_ns now);

/* ---- the measuring ---- */

/** Takes note of a trace event of one of its ends. What comes in was sent at sent_ns,
 *  told in whole microseconds. */
void hf_sim_flow_trace(struct hf_sim_flow *f, bool is_sender, const struct hf_stack *stack,
                       const struct hf_trace_event *event, hf_ns sent_ns);
/** Takes note of the sender's state. */
void hf_sim_flow_look(struct hf_sim_flow *f, const struct hf_stack *sender, hf_ns now);
/** Ends a sample: rates since the last one. */
void hf_sim_flow_sample(struct hf_sim_flow *f, hf_ns now);
/** Bits a second; 0 in no time. Exact to a microsecond. */
int64_t hf_sim_rate_bps(uint64_t bytes, hf_ns span_ns);
/** Makes the curves ready to be drawn. */
void hf_sim_flow_finish(struct hf_sim_flow *f, hf_ns now);

#endif
