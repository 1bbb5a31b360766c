#include "server/metrics.h"

#include <string.h>

static const double bucket_s[VB_METRICS_BUCKETS] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                                    1,     2.5,  5,     10,   30,  60,   300};

/* 0: the connection ended before there was a reply; the last stands for all others. */
static const unsigned statuses[VB_METRICS_STATUSES] = {200, 204, 400, 401, 404, 405, 413,
                                                       422, 429, 500, 501, 503, 0,   999};

static const char *const refusals[VB_REFUSED_COUNT] = {"key", "rate", "concurrency", "queue"};

static const char *const verdicts[3] = {"UNVERIFIABLE", "REFUTED", "VERIFIED"};

void vb_metrics_begin(vb_metrics *m, const vb_httpd_route *routes, size_t n) {
    memset(m, 0, sizeof *m);
    for (size_t i = 0; i < n; i++) {
        bool known = false;
        for (size_t k = 0; k < m->n_routes && !known; k++) {
            known = strcmp(m->routes[k].name, routes[i].name) == 0;
        }
        if (!known) {
            VB_ASSERT(m->n_routes < VB_METRICS_ROUTES_MAX - 1);
            m->routes[m->n_routes++].name = routes[i].name;
        }
    }
    m->routes[m->n_routes++].name = "none";
}

void vb_metrics_observe(vb_histogram *h, uint64_t ns) {
    size_t i = 0;
    while (i < VB_METRICS_BUCKETS && (double)ns / 1e9 > bucket_s[i]) {
        i++;
    }
    vb_metrics_add(&h->buckets[i], 1);
    vb_metrics_add(&h->sum_us, ns / 1000);
}

void vb_metrics_exchange(vb_metrics *m, const vb_exchange_summary *s) {
    vb_route_metrics *r = &m->routes[m->n_routes - 1];
    for (size_t i = 0; i < m->n_routes; i++) {
        if (strcmp(m->routes[i].name, s->route) == 0) {
            r = &m->routes[i];
        }
    }
    size_t i = 0;
    while (i < VB_METRICS_STATUSES - 1 && statuses[i] != s->status) {
        i++;
    }
    vb_metrics_add(&r->by_status[i], 1);
    vb_metrics_observe(&r->seconds, s->duration_ns);
    if (s->gone) {
        vb_metrics_add(&m->gone, 1);
    }
}

static unsigned long long read_counter(const vb_counter *c) {
    return (unsigned long long)atomic_load_explicit(c, memory_order_relaxed);
}

static vb_err write_head(vb_buf *out, const char *name, const char *type, const char *help) {
    return vb_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static vb_err write_counter(vb_buf *out, const char *name, const char *help, const vb_counter *c) {
    vb_err err = write_head(out, name, "counter", help);
    return err ? err : vb_buf_printf(out, "%s %llu\n", name, read_counter(c));
}

/* label: "" or "route=\"x\","; what stands before le. */
static vb_err write_histogram(vb_buf *out, const char *name, const char *label,
                              const vb_histogram *h) {
    unsigned long long n = 0;
    vb_err err = VB_OK;
    for (size_t i = 0; !err && i < VB_METRICS_BUCKETS; i++) {
        n += read_counter(&h->buckets[i]);
        err = vb_buf_printf(out, "%s_bucket{%sle=\"%g\"} %llu\n", name, label, bucket_s[i], n);
    }
    n += read_counter(&h->buckets[VB_METRICS_BUCKETS]);
    const int n_label = (int)(label[0] ? strlen(label) - 1 : 0);
    const char *open = n_label ? "{" : "", *close = n_label ? "}" : "";
    return err ? err
               : vb_buf_printf(out,
                               "%s_bucket{%sle=\"+Inf\"} %llu\n%s_sum%s%.*s%s %.6f\n"
                               "%s_count%s%.*s%s %llu\n",
                               name, label, n, name, open, n_label, label, close,
                               (double)read_counter(&h->sum_us) / 1e6, name, open, n_label, label,
                               close, n);
}

static vb_err write_routes(const vb_metrics *m, vb_buf *out) {
    vb_err err = write_head(out, "verbatim_http_requests_total", "counter",
                            "Requests by route and status; status 0: ended without a reply.");
    for (size_t i = 0; !err && i < m->n_routes; i++) {
        for (size_t k = 0; !err && k < VB_METRICS_STATUSES; k++) {
            const unsigned long long n = read_counter(&m->routes[i].by_status[k]);
            if (n) {
                err = vb_buf_printf(
                    out, "verbatim_http_requests_total{route=\"%s\",status=\"%u\"} %llu\n",
                    m->routes[i].name, statuses[k], n);
            }
        }
    }
    if (!err) {
        err = write_head(out, "verbatim_http_request_seconds", "histogram",
                         "From a request's header to the end of its response.");
    }
    for (size_t i = 0; !err && i < m->n_routes; i++) {
        vb_buf label = vb_buf_make(128);
        if (!(err = vb_buf_printf(&label, "route=\"%s\",", m->routes[i].name))) {
            err = write_histogram(out, "verbatim_http_request_seconds", (const char *)label.data,
                                  &m->routes[i].seconds);
        }
        vb_buf_free(&label);
    }
    return err;
}

static vb_err write_labelled(vb_buf *out, const char *name, const char *label,
                             const char *const *values, const vb_counter *counters, size_t n,
                             const char *help) {
    vb_err err = write_head(out, name, "counter", help);
    for (size_t i = 0; !err && i < n; i++) {
        err = vb_buf_printf(out, "%s{%s=\"%s\"} %llu\n", name, label, values[i],
                            read_counter(&counters[i]));
    }
    return err;
}

vb_err vb_metrics_write(const vb_metrics *m, vb_buf *out) {
    const char *reasons[VB_ABORT_LOST];
    for (int i = 0; i < VB_ABORT_LOST; i++) {
        reasons[i] = vb_abort_reason_name((vb_abort_reason)(i + 1));
    }
    const struct {
        const char *name, *help;
        const vb_counter *c;
    } plain[] = {
        {"verbatim_prompt_tokens_total", "Tokens of prompts that were answered.",
         &m->prompt_tokens},
        {"verbatim_completion_tokens_total", "Tokens of answers.", &m->completion_tokens},
        {"verbatim_commitments_total", "Requests that were committed to.", &m->commitments},
        {"verbatim_receipts_total", "Commitments that ended in a receipt.", &m->receipts},
        {"verbatim_commitments_unsettled_total",
         "Commitments whose receipt and abort record could not be kept at first.",
         &m->open_commitments},
        {"verbatim_beacon_failures_total", "Rounds that could not be had.", &m->beacon_failures},
        {"verbatim_beacon_fallbacks_total", "Requests that the local chain took over.",
         &m->beacon_fallbacks},
        {"verbatim_clients_gone_total",
         "Requests whose client went, or was cut off, before the end.", &m->gone},
    };
    vb_err err = write_routes(m, out);
    for (size_t i = 0; !err && i < sizeof plain / sizeof plain[0]; i++) {
        err = write_counter(out, plain[i].name, plain[i].help, plain[i].c);
    }
    if (err ||
        (err = write_labelled(out, "verbatim_aborts_total", "reason", reasons, m->aborts + 1,
                              VB_ABORT_LOST, "Commitments that ended in an abort record.")) ||
        (err = write_labelled(out, "verbatim_refused_total", "reason", refusals, m->refused,
                              VB_REFUSED_COUNT, "Requests that were turned away.")) ||
        (err = write_labelled(out, "verbatim_verifications_total", "verdict", verdicts,
                              m->verifications, 3, "Receipts that were verified here.")) ||
        (err = write_head(out, "verbatim_beacon_wait_seconds", "histogram",
                          "From a commitment to its round.")) ||
        (err = write_histogram(out, "verbatim_beacon_wait_seconds", "", &m->beacon_seconds)) ||
        (err = write_head(out, "verbatim_first_token_seconds", "histogram",
                          "From a request's body to its first token."))) {
        return err;
    }
    return write_histogram(out, "verbatim_first_token_seconds", "", &m->first_token_seconds);
}

/* The text of a label, of which the format escapes three bytes. */
static vb_err write_label(vb_buf *out, const char *text) {
    vb_err err = VB_OK;
    for (; !err && *text; text++) {
        err = *text == '\n'                   ? vb_buf_printf(out, "\\n")
              : *text == '"' || *text == '\\' ? vb_buf_printf(out, "\\%c", *text)
                                              : vb_buf_append(out, text, 1);
    }
    return err;
}

vb_err vb_metrics_write_models(vb_buf *out, const char *name, const char *type, const char *help,
                               const char *const *models, const double *values, size_t n) {
    vb_err err = write_head(out, name, type, help);
    for (size_t i = 0; !err && i < n; i++) {
        if (!(err = vb_buf_printf(out, "%s{model=\"", name)) &&
            !(err = write_label(out, models[i]))) {
            err = vb_buf_printf(out, "\"} %.15g\n", values[i]);
        }
    }
    return err;
}

vb_err vb_metrics_write_value(vb_buf *out, const char *name, const char *type, const char *help,
                              double value) {
    vb_err err = write_head(out, name, type, help);
    return err ? err : vb_buf_printf(out, "%s %.15g\n", name, value);
}
