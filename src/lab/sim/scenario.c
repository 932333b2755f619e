/**
 * The language of scenarios. Owns lines and words; settings and links have words of their own,
 * which show/settings.c and path_text.c read.
 */
#include "scenario.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base.h"
#include "lab/path_text.h"
#include "show/settings.h"

enum { LINE_BYTES = 2048, WORDS_MAX = 64, SETTING_BYTES = 256 };
/** Of a run, and between samples: shorter ones would write samples without end. */
#define LEAST_NS HF_US(100)

/** A word, cut in two at its first '='. */
struct word {
    const char *name, *value; /**< value NULL: no '=' */
    unsigned column;
};

struct reader {
    struct hf_scenario *s;
    struct hf_scenario_fault *fault;
    unsigned line;
    char text[LINE_BYTES]; /**< of the line, words ended by NUL */
    struct word words[WORDS_MAX];
    size_t count;
    bool has_seed, has_duration, has_sample, has_plot, has_forward, has_back;
};

static bool fail_at(struct reader *r, unsigned column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail_at(struct reader *r, unsigned column, const char *format, ...)
{
    va_list args;
    r->fault->line = r->line;
    r->fault->column = column;
    va_start(args, format);
    vsnprintf(r->fault->text, sizeof r->fault->text, format, args);
    va_end(args);
    return false;
}

static unsigned value_column(const struct word *w)
{
    return w->column + (w->value == NULL ? 0 : (unsigned)(w->value - w->name));
}

static bool is_named(const struct word *w, const char *name)
{
    return strcmp(w->name, name) == 0;
}

/* ---- values ------------------------------------------------------------------------------- */

static bool needs_value(struct reader *r, const struct word *w, const char *what)
{
    if (w->value != NULL && w->value[0] != '\0')
        return true;
    return fail_at(r, w->column, "expected %s=%s", w->name, what);
}

static bool read_span(struct reader *r, unsigned column, const char *text, hf_ns least_ns,
                      hf_ns *span_ns)
{
    if (!hf_time_read(text, span_ns) || *span_ns > HF_SCENARIO_SPAN_MAX_NS)
        return fail_at(r, column,
                       "expected a time of at most an hour, say 1.5s or 20ms, not '%.60s'", text);
    return *span_ns >= least_ns ||
           fail_at(r, column, "expected a time of at least %" PRId64 " us, not '%.60s'",
                   least_ns / HF_US(1), text);
}

static bool word_span(struct reader *r, const struct word *w, hf_ns *span_ns)
{
    return needs_value(r, w, "TIME") && read_span(r, value_column(w), w->value, 0, span_ns);
}

static bool word_bytes(struct reader *r, const struct word *w, uint64_t *bytes)
{
    int64_t number;
    if (!needs_value(r, w, "NUMBER"))
        return false;
    if (strcmp(w->value, "endless") == 0) {
        *bytes = HF_SCENARIO_ENDLESS;
        return true;
    }
    if (!hf_quantity_read(w->value, "bytes", &number) || number < 1)
        return fail_at(r, value_column(w),
                       "expected a number of bytes, say 64K or 10M, or 'endless', not '%.60s'",
                       w->value);
    *bytes = (uint64_t)number;
    return true;
}

/** Names become parts of file names. */
static bool read_name(struct reader *r, const char *what, char name[HF_SCENARIO_NAME_BYTES])
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    if (r->count < 2)
        return fail_at(r, r->words[0].column, "expected a name behind '%s'", what);
    const struct word *w = &r->words[1];
    size_t n = strlen(w->name);
    if (w->value != NULL || strspn(w->name, good) != n || n >= HF_SCENARIO_NAME_BYTES)
        return fail_at(r, w->column,
                       "expected the name of a %s: at most %d letters, digits, '-' and '_'", what,
                       HF_SCENARIO_NAME_BYTES - 1);
    snprintf(name, HF_SCENARIO_NAME_BYTES, "%s", w->name);
    return true;
}

/** The one value of a line like "seed 1". */
static const struct word *only_value(struct reader *r, const char *what, bool *is_given)
{
    if (*is_given) {
        (void)fail_at(r, r->words[0].column, "%s is given twice", r->words[0].name);
        return NULL;
    }
    *is_given = true;
    if (r->count == 2 && r->words[1].value == NULL)
        return &r->words[1];
    (void)fail_at(r, r->words[r->count > 2 ? 2 : r->count - 1].column, "expected '%s %s' alone",
                  r->words[0].name, what);
    return NULL;
}

/* ---- lines -------------------------------------------------------------------------------- */

static bool take_seed(struct reader *r)
{
    const struct word *w = only_value(r, "NUMBER", &r->has_seed);
    return w != NULL && (hf_scenario_seed(w->name, &r->s->seed) ||
                         fail_at(r, w->column, "expected a whole number, not '%.60s'", w->name));
}

static bool take_duration(struct reader *r)
{
    const struct word *w = only_value(r, "TIME", &r->has_duration);
    return w != NULL && read_span(r, w->column, w->name, LEAST_NS, &r->s->duration_ns);
}

static bool take_sample(struct reader *r)
{
    const struct word *w = only_value(r, "TIME", &r->has_sample);
    return w != NULL && read_span(r, w->column, w->name, LEAST_NS, &r->s->sample_ns);
}

static bool take_plot(struct reader *r)
{
    if (r->has_plot)
        return fail_at(r, r->words[0].column, "plot is given twice");
    r->has_plot = true;
    for (size_t i = 1; i < r->count; i++) {
        const struct word *w = &r->words[i];
        hf_ns *to_ns = is_named(w, "from")    ? &r->s->plot_from_ns
                       : is_named(w, "until") ? &r->s->plot_until_ns
                                              : NULL;
        if (to_ns == NULL)
            return fail_at(r, w->column, "expected from=TIME or until=TIME, not '%.60s'", w->name);
        if (!word_span(r, w, to_ns))
            return false;
    }
    if (r->s->plot_until_ns != 0 && r->s->plot_until_ns <= r->s->plot_from_ns)
        return fail_at(r, r->words[0].column, "expected 'until' to be later than 'from'");
    return true;
}

static bool take_link(struct reader *r)
{
    char why[HF_PATH_ERROR_MAX_BYTES];
    bool is_back = r->count > 1 && is_named(&r->words[1], "back");
    if (r->count < 2 || (!is_back && !is_named(&r->words[1], "forward")))
        return fail_at(r, r->words[r->count > 1].column, "expected 'link forward' or 'link back'");
    bool *is_given = is_back ? &r->has_back : &r->has_forward;
    struct hf_path_config *config = is_back ? &r->s->back : &r->s->forward;
    if (*is_given)
        return fail_at(r, r->words[1].column, "link %s is given twice", r->words[1].name);
    *is_given = true;
    for (size_t i = 2; i < r->count; i++) {
        const struct word *w = &r->words[i];
        if (!needs_value(r, w, "VALUE"))
            return false;
        if (!hf_path_set(config, w->name, w->value, why))
            return fail_at(r, w->column, "%s", why);
    }
    const char *wrong = hf_path_config_check(config);
    return wrong == NULL || fail_at(r, r->words[0].column, "link %s: %s", r->words[1].name, wrong);
}

/* ---- hosts -------------------------------------------------------------------------------- */

static struct hf_scenario_host *new_host(struct reader *r)
{
    /* There is room for two of each flow; named ones that no flow uses take it away. */
    if (r->s->host_count == HF_SCENARIO_HOSTS_MAX) {
        (void)fail_at(r, r->words[0].column, "more than %d hosts", HF_SCENARIO_HOSTS_MAX);
        return NULL;
    }
    struct hf_scenario_host *h = &r->s->hosts[r->s->host_count++];
    *h = (struct hf_scenario_host){.delay_ns = 0};
    hf_config_init(&h->config, sizeof h->config);
    return h;
}

static bool is_host_word(const struct word *w)
{
    return is_named(w, "profile") || is_named(w, "cc") || is_named(w, "set") ||
           is_named(w, "delay");
}

static bool apply_profile(struct reader *r, struct hf_config *config, const struct word *w)
{
    if (!needs_value(r, w, "NAME"))
        return false;
    for (int p = 0; p < HF_PROFILE_COUNT; p++) {
        if (strcmp(hf_profile_name((enum hf_profile)p), w->value) == 0) {
            hf_config_profile(config, sizeof *config, (enum hf_profile)p);
            return true;
        }
    }
    return fail_at(r, value_column(w), "expected rfc, default, linux or freebsd, not '%.60s'",
                   w->value);
}

static bool apply_setting(struct reader *r, struct hf_config *config, const struct word *w)
{
    char assignment[SETTING_BYTES], why[HF_FAULT_TEXT_BYTES];
    bool is_cc = is_named(w, "cc");
    if (!needs_value(r, w, is_cc ? "ALGORITHM" : "NAME=VALUE"))
        return false;
    int n = snprintf(assignment, sizeof assignment, "%s%s", is_cc ? "congestion_control=" : "",
                     w->value);
    if (n >= (int)sizeof assignment)
        return fail_at(r, value_column(w), "expected a setting, not a word of %d letters", n);
    return hf_setting_read(config, assignment, why) == HF_OK ||
           fail_at(r, value_column(w), "%s", why);
}

/** The words of a line that set a host up: the profile first, wherever it stands. */
static bool set_up_host(struct reader *r, struct hf_scenario_host *h)
{
    char why[HF_FAULT_TEXT_BYTES];
    for (size_t i = 2; i < r->count; i++)
        if (is_named(&r->words[i], "profile") && !apply_profile(r, &h->config, &r->words[i]))
            return false;
    for (size_t i = 2; i < r->count; i++) {
        const struct word *w = &r->words[i];
        if ((is_named(w, "cc") || is_named(w, "set")) && !apply_setting(r, &h->config, w))
            return false;
        if (is_named(w, "delay") && !word_span(r, w, &h->delay_ns))
            return false;
    }
    return !hf_config_fault_text(&h->config, why) || fail_at(r, r->words[0].column, "%s", why);
}

static bool take_host(struct reader *r)
{
    char name[HF_SCENARIO_NAME_BYTES];
    if (!read_name(r, "host", name))
        return false;
    for (unsigned i = 0; i < r->s->host_count; i++)
        if (strcmp(r->s->hosts[i].name, name) == 0)
            return fail_at(r, r->words[1].column, "host '%s' is given twice", name);
    for (size_t i = 2; i < r->count; i++)
        if (!is_host_word(&r->words[i]))
            return fail_at(r, r->words[i].column,
                           "expected profile=, cc=, set= or delay=, not '%.60s'", r->words[i].name);
    struct hf_scenario_host *h = new_host(r);
    if (h == NULL)
        return false;
    snprintf(h->name, sizeof h->name, "%s", name);
    return set_up_host(r, h);
}

/* ---- flows -------------------------------------------------------------------------------- */

struct flow_ends {
    const struct word *from, *to;
    bool is_back;
};

static bool take_flow_word(struct reader *r, struct hf_scenario_flow *f, struct flow_ends *ends,
                           const struct word *w)
{
    if (is_host_word(w))
        return true; /* once it is known which hosts the flow has */
    if (is_named(w, "start"))
        return word_span(r, w, &f->start_ns);
    if (is_named(w, "bytes"))
        return word_bytes(r, w, &f->bytes);
    if (is_named(w, "over")) {
        ends->is_back = w->value != NULL && strcmp(w->value, "back") == 0;
        if (!ends->is_back && (w->value == NULL || strcmp(w->value, "forward") != 0))
            return fail_at(r, value_column(w), "expected over=forward or over=back");
        return true;
    }
    if (is_named(w, "from") || is_named(w, "to")) {
        *(is_named(w, "from") ? &ends->from : &ends->to) = w;
        return needs_value(r, w, "HOST");
    }
    return fail_at(r, w->column,
                   "expected start=, bytes=, from=, to=, over=, profile=, cc=, set= or delay=, "
                   "not '%.60s'",
                   w->name);
}

/** The host of one end: a named one, or one for this flow alone. */
static bool find_end(struct reader *r, const struct word *named, enum hf_scenario_side side,
                     unsigned *host)
{
    struct hf_scenario *s = r->s;
    if (named == NULL) {
        struct hf_scenario_host *own = new_host(r);
        if (own == NULL)
            return false;
        own->side = side;
        *host = (unsigned)(own - s->hosts);
        return set_up_host(r, own);
    }
    for (*host = 0; *host < s->host_count; ++*host)
        if (strcmp(s->hosts[*host].name, named->value) == 0)
            break;
    if (*host == s->host_count)
        return fail_at(r, value_column(named), "there is no host '%.60s' above", named->value);
    struct hf_scenario_host *h = &s->hosts[*host];
    if (h->side != HF_SCENARIO_NO_SIDE && h->side != side)
        return fail_at(r, value_column(named),
                       "host '%s' is on the other side of the bottleneck already", h->name);
    h->side = side;
    return true;
}

/** Both ends are named: what would set up the flow's own has nothing to act on. */
static bool refuse_host_words(struct reader *r)
{
    for (size_t i = 2; i < r->count; i++)
        if (is_host_word(&r->words[i]))
            return fail_at(r, r->words[i].column,
                           "'%s' belongs to the line of a host: this flow has none for itself",
                           r->words[i].name);
    return true;
}

static bool take_flow(struct reader *r)
{
    struct hf_scenario *s = r->s;
    struct flow_ends ends = {NULL, NULL, false};
    struct hf_scenario_flow flow = {.bytes = HF_SCENARIO_ENDLESS};
    if (!read_name(r, "flow", flow.name))
        return false;
    for (unsigned i = 0; i < s->flow_count; i++)
        if (strcmp(s->flows[i].name, flow.name) == 0)
            return fail_at(r, r->words[1].column, "flow '%s' is given twice", flow.name);
    if (s->flow_count == HF_SCENARIO_FLOWS_MAX)
        return fail_at(r, r->words[0].column, "more than %d flows", HF_SCENARIO_FLOWS_MAX);
    for (size_t i = 2; i < r->count; i++)
        if (!take_flow_word(r, &flow, &ends, &r->words[i]))
            return false;
    if (ends.from != NULL && ends.to != NULL && !refuse_host_words(r))
        return false;
    enum hf_scenario_side near = ends.is_back ? HF_SCENARIO_RIGHT : HF_SCENARIO_LEFT;
    enum hf_scenario_side far = ends.is_back ? HF_SCENARIO_LEFT : HF_SCENARIO_RIGHT;
    if (!find_end(r, ends.from, near, &flow.from) || !find_end(r, ends.to, far, &flow.to))
        return false;
    s->flows[s->flow_count++] = flow;
    return true;
}

/* ---- words -------------------------------------------------------------------------------- */

/** What may stand in a line more than once. */
static bool may_repeat(const struct word *w)
{
    return is_named(w, "set") || is_named(w, "rate-at");
}

/** Of words with a value: a flow may be called "start" and have one. */
static bool check_repeats(struct reader *r)
{
    for (size_t i = 2; i < r->count; i++)
        for (size_t k = 1; k < i; k++)
            if (r->words[i].value != NULL && r->words[k].value != NULL &&
                is_named(&r->words[k], r->words[i].name) && !may_repeat(&r->words[i]))
                return fail_at(r, r->words[i].column, "'%.60s' is given twice", r->words[i].name);
    return true;
}

/** Cuts a line into words. */
static bool split(struct reader *r, const char *line, size_t n)
{
    r->count = 0;
    if (memchr(line, '\0', n) != NULL)
        return fail_at(r, 1, "expected text, found a byte that is 0");
    if (n >= LINE_BYTES)
        return fail_at(r, 1, "expected a line of at most %d bytes", LINE_BYTES - 1);
    memcpy(r->text, line, n);
    r->text[n] = '\0';
    for (char *p = r->text;;) {
        p += strspn(p, " \t\r");
        if (*p == '\0' || *p == '#')
            return true;
        unsigned column = (unsigned)(p - r->text) + 1;
        if (r->count == WORDS_MAX)
            return fail_at(r, column, "expected at most %d words in a line", WORDS_MAX);
        struct word *w = &r->words[r->count++];
        *w = (struct word){.name = p, .column = column};
        p += strcspn(p, " \t\r");
        if (*p != '\0')
            *p++ = '\0';
        char *equals = strchr(w->name, '=');
        if (equals != NULL) {
            *equals = '\0';
            w->value = equals + 1;
        }
    }
}

static bool take_line(struct reader *r)
{
    static const struct {
        const char *name;
        bool (*take)(struct reader *r);
    } kinds[] = {
        {"seed", take_seed}, {"duration", take_duration}, {"sample", take_sample},
        {"plot", take_plot}, {"link", take_link},         {"host", take_host},
        {"flow", take_flow},
    };
    for (size_t i = 0; i < HF_COUNT_OF(kinds); i++)
        if (r->words[0].value == NULL && is_named(&r->words[0], kinds[i].name))
            return check_repeats(r) && kinds[i].take(r);
    return fail_at(r, r->words[0].column,
                   "expected seed, duration, sample, plot, link, host or flow, not '%.60s'",
                   r->words[0].name);
}

/* ---- the whole ---------------------------------------------------------------------------- */

static bool is_instant(const struct hf_path_config *c)
{
    return c->rate_bps == 0 && c->delay_ns == 0;
}

/** What can be told only when all was read. */
static bool check_whole(struct reader *r)
{
    struct hf_scenario *s = r->s;
    if (!r->has_duration)
        return fail_at(r, 1, "expected a line 'duration TIME' somewhere");
    if (s->flow_count == 0)
        return fail_at(r, 1, "expected a line 'flow NAME' somewhere");
    /* Else a round trip takes no time at all, and the run never ends. */
    if (is_instant(&s->forward) && is_instant(&s->back))
        return fail_at(r, 1, "expected a rate or a delay of one of the links");
    for (unsigned i = 0; i < s->flow_count; i++)
        if (s->flows[i].start_ns >= s->duration_ns)
            return fail_at(r, 1, "flow '%s' starts when all is over", s->flows[i].name);
    if (s->plot_until_ns == 0 || s->plot_until_ns > s->duration_ns)
        s->plot_until_ns = s->duration_ns;
    if (s->plot_from_ns >= s->plot_until_ns)
        return fail_at(r, 1, "the plots begin when all is over");
    return true;
}

int hf_scenario_parse(struct hf_scenario *s, const char *text, size_t length_bytes,
                      struct hf_scenario_fault *fault)
{
    struct reader r = {.s = s, .fault = fault, .line = 1};
    const char *at = text, *end = text + length_bytes;
    *s = (struct hf_scenario){.seed = 1, .sample_ns = HF_MS(100)};
    for (; at < end; r.line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (stop == NULL)
            stop = end;
        if (!split(&r, at, (size_t)(stop - at)) || (r.count > 0 && !take_line(&r)))
            return HF_E_INVALID;
        at = stop == end ? end : stop + 1;
    }
    return check_whole(&r) ? HF_OK : HF_E_INVALID;
}

bool hf_scenario_seed(const char *text, uint64_t *seed)
{
    int64_t number;
    if (!hf_quantity_read(text, "count", &number) || number < 0)
        return false;
    *seed = (uint64_t)number;
    return true;
}

int hf_scenario_set(struct hf_scenario *s, const char *assignment,
                    char why[HF_SCENARIO_FAULT_BYTES])
{
    char text[HF_FAULT_TEXT_BYTES];
    for (unsigned i = 0; i < s->host_count; i++) {
        int err = hf_setting_read(&s->hosts[i].config, assignment, text);
        if (err != HF_OK) {
            snprintf(why, HF_SCENARIO_FAULT_BYTES, "%s", text);
            return err;
        }
    }
    return HF_OK;
}
