/**
 * A scripted application on one end of a connection: opens, sends a pattern, reads and verifies
 * the other's, closes. It uses the API as a real one does: it pulls events, and reads and writes
 * until HF_E_AGAIN.
 */
#ifndef HF_LAB_APP_H
#define HF_LAB_APP_H

#include "checks.h"

enum hf_app_open {
    HF_APP_CONNECT,
    HF_APP_LISTEN,             /**< accepts what comes */
    HF_APP_LISTEN_HELD,        /**< decides over each SYN after decide_after_ns */
    HF_APP_CONNECT_AND_LISTEN, /**< connects, and would accept as well */
    HF_APP_PASSIVE,            /**< does nothing at all: nobody listens */
};

enum hf_app_close {
    HF_APP_CLOSE_SHUTDOWN, /**< all sent: hf_shutdown, read to the end, hf_close */
    HF_APP_CLOSE_LAST,     /**< all sent and the peer's end read: hf_close */
    HF_APP_CLOSE_NOW,      /**< all sent, or close_at_bytes reached: hf_close, no more reading */
    HF_APP_CLOSE_ABORT,    /**< the same with hf_abort */
    HF_APP_CLOSE_NEVER,    /**< lets go only when the connection is over */
};

struct hf_app_script {
    enum hf_app_open open;
    hf_ns open_at_ns;
    hf_ns decide_after_ns; /**< of held requests */
    bool refuse;           /**< held: refuse with `refusal` instead of admitting */
    enum hf_refusal refusal;
    uint32_t max_per_remote; /**< of the listener */
    bool reset_overflow;     /**< likewise */
    bool listen_once;        /**< the listener is closed when its first connection comes */
    uint64_t send_bytes;
    bool write_at_end;    /**< nothing is written before the peer's end was read */
    uint32_t write_bytes; /**< at most this much a call; 0: all that the buffer takes */
    uint32_t read_bytes;  /**< at most this much a call; 0: as the buffer */
    hf_ns read_every_ns;  /**< one read call in this time; 0: as fast as data comes */
    hf_ns read_from_ns;   /**< no reading before this instant */
    enum hf_app_close close;
    uint64_t close_at_bytes; /**< NOW, ABORT: once this much was written and read together; 0: all
                                  of send_bytes written */
    hf_ns close_at_ns;       /**< NOW, ABORT: at this instant whatever happened; 0: not by time */
    hf_ns close_wait_ns;     /**< from being ready to close (or shut down) to doing it */
};

struct hf_app_seen {
    hf_ns at_ns;
    uint32_t bits; /**< enum hf_event_bit */
    enum hf_closed how;
};

enum { HF_APP_EVENTS = 32, HF_APP_BUFFER_BYTES = 16384 };

struct hf_app {
    struct hf_app_script script;
    const char *name;
    unsigned side; /**< 0 or 1 */
    struct hf_stack *stack;
    struct hf_checks *checks;
    const struct hf_app *other;
    struct hf_endpoint local, remote;
    hf_handle listener, conn;
    bool opened, connected, may_read, may_write, at_end, shut, released, over;
    hf_ns decide_at_ns, next_read_ns, close_at_ns; /**< HF_NEVER: not planned */
    uint64_t written_bytes, received_bytes;
    int open_error, send_error, receive_error; /**< HF_OK, or what ended it */
    unsigned closed_events;
    enum hf_closed how;
    hf_ns connected_at_ns, closed_at_ns; /**< HF_NEVER: did not happen */
    struct hf_app_seen seen[HF_APP_EVENTS];
    size_t seen_count; /**< may exceed HF_APP_EVENTS: the rest was not kept */
    uint8_t buffer[HF_APP_BUFFER_BYTES];
};

void hf_app_init(struct hf_app *a, const struct hf_app_script *script, const char *name,
                 unsigned side, struct hf_stack *stack, struct hf_checks *checks);
/** Listens, if the script says so; before anything else. */
void hf_app_listen(struct hf_app *a, hf_ns now);
/** Pulls events and does what can be done; true if anything was. */
bool hf_app_run(struct hf_app *a, hf_ns now);
/** Closes a listener that was to go with its first connection, if none came. */
void hf_app_finish(struct hf_app *a, hf_ns now);
/** When the script has something to do by itself. */
hf_ns hf_app_deadline(const struct hf_app *a);

#endif
