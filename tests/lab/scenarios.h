/**
 * One connection of every kind, from its opening to its end: for tests that disturb each of them in
 * the same way.
 */
#ifndef HF_TEST_LAB_SCENARIOS_H
#define HF_TEST_LAB_SCENARIOS_H

#include "lab/pair.h"

/** `clean`: undisturbed, both sides end in order with all data delivered. */
struct scenario {
    const char *name;
    bool clean;
    bool v6, cookies, lossy, super;
    bool holes; /**< a window of many small segments, of which a fifth is lost */
    struct hf_app_script a, b;
};

/* Some listeners count remotes, so that those stores are used as well. */
static const struct scenario scenarios[] = {
    {.name = "passive",
     .clean = true,
     .a = {.send_bytes = 3000},
     .b = {.open = HF_APP_LISTEN, .send_bytes = 2000, .max_per_remote = 3}},
    {.name = "passive-v6",
     .clean = true,
     .v6 = true,
     .a = {.send_bytes = 3000},
     .b = {.open = HF_APP_LISTEN, .send_bytes = 2000}},
    {.name = "held",
     .clean = true,
     .a = {.send_bytes = 3000},
     .b = {.open = HF_APP_LISTEN_HELD,
           .decide_after_ns = HF_MS(1200),
           .max_per_remote = 3,
           .send_bytes = 2000}},
    {.name = "held-refused",
     .b = {.open = HF_APP_LISTEN_HELD, .decide_after_ns = HF_MS(30), .refuse = true}},
    {.name = "cookie",
     .clean = true,
     .cookies = true,
     .a = {.send_bytes = 3000},
     .b = {.open = HF_APP_LISTEN, .send_bytes = 2000, .max_per_remote = 3}},
    {.name = "simultaneous",
     .clean = true,
     .a = {.send_bytes = 3000},
     .b = {.open = HF_APP_CONNECT, .send_bytes = 2000}},
    {.name = "nobody-listens", .b = {.open = HF_APP_PASSIVE}},
    {.name = "a-first",
     .clean = true,
     .a = {.send_bytes = 3000, .close = HF_APP_CLOSE_NOW},
     .b = {.open = HF_APP_LISTEN, .close = HF_APP_CLOSE_LAST}},
    {.name = "b-first",
     .clean = true,
     .a = {.close = HF_APP_CLOSE_LAST},
     .b = {.open = HF_APP_LISTEN, .send_bytes = 3000, .close = HF_APP_CLOSE_NOW}},
    {.name = "half-closed",
     .clean = true,
     .a = {.send_bytes = 3000},
     .b = {.open = HF_APP_LISTEN,
           .send_bytes = 20000,
           .write_at_end = true,
           .close = HF_APP_CLOSE_LAST}},
    {.name = "crossing-fins",
     .clean = true,
     .a = {.send_bytes = 3000, .close_wait_ns = HF_MS(50)},
     .b = {.open = HF_APP_LISTEN, .send_bytes = 2000, .close_wait_ns = HF_MS(40)}},
    {.name = "aborted",
     .a = {.send_bytes = 3000, .close = HF_APP_CLOSE_ABORT, .close_wait_ns = HF_MS(30)},
     .b = {.open = HF_APP_LISTEN, .send_bytes = 2000}},
    {.name = "data-after-close",
     .a = {.send_bytes = 3000, .close = HF_APP_CLOSE_NOW},
     .b = {.open = HF_APP_LISTEN, .send_bytes = 20000}},
    {.name = "lossy",
     .clean = true,
     .lossy = true,
     .a = {.send_bytes = 150000},
     .b = {.open = HF_APP_LISTEN, .send_bytes = 100000}},
    {.name = "lossy-super-v6",
     .clean = true,
     .v6 = true,
     .lossy = true,
     .super = true,
     .a = {.send_bytes = 150000},
     .b = {.open = HF_APP_LISTEN, .send_bytes = 100000}},
    {.name = "slow-reader",
     .clean = true,
     .lossy = true,
     .a = {.send_bytes = 120000},
     .b = {.open = HF_APP_LISTEN,
           .read_bytes = 4000,
           .read_every_ns = HF_MS(15),
           .read_from_ns = HF_MS(900)}},
};

enum { SCENARIOS = sizeof scenarios / sizeof scenarios[0] };

/** Fills the largest scoreboards: a long run, and so not one of those that every test tries. */
static const struct scenario many_holes = {
    .name = "many-holes",
    .clean = true,
    .lossy = true,
    .holes = true,
    .a = {.send_bytes = 600000},
    .b = {.open = HF_APP_LISTEN},
};

/** Settings and links of a scenario; configs are the caller's, of each side. */
static inline struct hf_pair_scenario scenario_make(const struct scenario *from,
                                                    struct hf_config *a_config,
                                                    struct hf_config *b_config)
{
    struct hf_pair_scenario s = {.seed = 7, .v6 = from->v6, .a = from->a, .b = from->b};
    struct hf_config *c = a_config;
    hf_config_init(c, sizeof *c);
    c->pool_bytes = 1 << 20;
    c->send_buffer_bytes = c->receive_buffer_bytes = 64 << 10;
    c->reply_ring = 16;
    c->keepalive = !from->clean; /* a RST can be lost, and then only asking helps */
    c->keepalive_idle_ns = HF_SEC(20);
    if (from->super) {
        c->offload_super_bytes = 65535;
        c->offload_checksum = 1;
    }
    if (from->holes) {
        c->pool_bytes = 4 << 20;
        c->send_buffer_bytes = c->receive_buffer_bytes = 512 << 10;
        c->mtu_bytes = 296;
        c->congestion_control = 0;
    }
    *b_config = *c;
    b_config->syn_cookies = from->cookies ? 2 : 0;
    s.a_config = a_config;
    s.b_config = b_config;
    s.ab.path.delay_ns = s.ba.path.delay_ns = HF_MS(10);
    s.ab.path.rate_bps = s.ba.path.rate_bps = from->lossy ? 20000000 : 0;
    s.ab.path.loss_ppm = s.ba.path.loss_ppm = from->lossy ? 20000 : 0;
    s.ab.path.late_ppm = s.ba.path.late_ppm = from->lossy ? 30000 : 0;
    s.ab.path.duplicate_ppm = s.ba.path.duplicate_ppm = from->lossy ? 10000 : 0;
    if (from->holes) {
        s.ab.path.rate_bps = 0;
        s.ab.path.loss_ppm = 200000;
    }
    return s;
}

#endif
