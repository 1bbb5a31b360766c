#include "results.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

vb_figures vb_figures_take(vb_meter *m) {
    vb_figures f = {0};
    if (m->close_ns && m->n_events) {
        const double tokens = vb_meter_tokens(m);
        f.tokens_per_s = vb_meter_tokens_per_s(m);
        f.cpu_us_per_token = (double)m->cpu_ns / 1e3 / tokens;
        f.outside_us_per_token = m->server ? (double)(m->cpu_ns - m->passes_ns) / 1e3 / tokens : 0;
        f.client_cpu_us_per_token = (double)m->own_ns / 1e3 / tokens;
        f.tokens_per_event = vb_meter_tokens_per_event(m);
        f.n_answers = m->n_answers;
        f.first_ms = vb_meter_quantiles(&m->first);
        f.between_ms = vb_meter_quantiles(&m->between);
    }
    vb_meter_free(m);
    return f;
}

void vb_bench_progress(const vb_bench_options *o, const char *fmt, ...) {
    if (o->shows_progress) {
        va_list args;
        va_start(args, fmt);
        fputs("\r\033[K", stderr);
        vfprintf(stderr, fmt, args);
        va_end(args);
        fflush(stderr);
    }
}

static double ratio(double a, double b) {
    return b > 0 ? a / b : 0;
}

static void print_latency(const vb_figures *f) {
    printf("%8.1f %7.1f %7.1f  %8.2f %7.2f %7.2f\n", f->first_ms.p50, f->first_ms.p95,
           f->first_ms.p99, f->between_ms.p50, f->between_ms.p95, f->between_ms.p99);
}

static void print_levels(const vb_results *r) {
    printf("\n                                     CPU, us/token       to the first token, ms"
           "       between tokens, ms\n"
           "streams  tokens/s  x one  of engine      all  outside      p50     p95     p99"
           "       p50     p95     p99\n");
    for (size_t i = 0; i < VB_LEVELS; i++) {
        const vb_figures *s = &r->server[i], *g = &r->engine[i];
        printf("%7zu  %8.1f  %5.2f   %6.1f%%  %7.1f  %7.1f ", vb_level_streams[i], s->tokens_per_s,
               ratio(s->tokens_per_s, r->server[0].tokens_per_s),
               100 * ratio(s->tokens_per_s, g->tokens_per_s), s->cpu_us_per_token,
               s->outside_us_per_token);
        print_latency(s);
        printf(" engine  %8.1f  %5.2f            %7.1f  %7s ", g->tokens_per_s,
               ratio(g->tokens_per_s, r->engine[0].tokens_per_s), g->cpu_us_per_token, "");
        print_latency(g);
    }
    printf("outside: of the threads that compute; this client: %.1f us of CPU for a token of one "
           "stream, %.1f of %zu; %.2f tokens an event\n",
           r->server[0].client_cpu_us_per_token, r->server[VB_LEVELS - 1].client_cpu_us_per_token,
           vb_level_streams[VB_LEVELS - 1], r->server[0].tokens_per_event);
}

static void print_slow(const vb_slow_result *r) {
    const vb_quantiles *a = &r->beside_reader.between_ms, *b = &r->beside_slow.between_ms;
    printf("\n%zu readers, between tokens, ms    p50     p95     p99\n"
           "beside one that reads       %7.2f %7.2f %7.2f\n"
           "beside one that hardly does %7.2f %7.2f %7.2f\n"
           "ratio                       %7.2f %7.2f %7.2f\n",
           r->n_readers, a->p50, a->p95, a->p99, b->p50, b->p95, b->p99, ratio(b->p50, a->p50),
           ratio(b->p95, a->p95), ratio(b->p99, a->p99));
}

static double kilobytes_each(const vb_crowd_result *r, uint64_t bytes) {
    return bytes > r->before_bytes ? (double)(bytes - r->before_bytes) / 1024 / (double)r->n_streams
                                   : 0;
}

static void print_crowd(const vb_crowd_result *r) {
    const vb_quantiles *a = &r->alone.between_ms, *b = &r->beside.between_ms;
    printf("\n%zu streams that wait: resident KB each", r->n_streams);
    for (size_t i = 0; i < VB_CROWDS; i++) {
        printf("%s %.1f", i ? "," : "", kilobytes_each(r, r->during_bytes[i]));
    }
    printf(" in the first crowd and the next;\nKV pages in use of that, at most, %.1f; %.1f are "
           "kept when "
           "they have gone\n",
           (double)r->kv_bytes / 1024 / (double)r->n_streams, kilobytes_each(r, r->after_bytes));
    printf(
        "%zu streams beside them: tokens/s %.1f, alone %.1f, ratio %.2f; between tokens, ms: p50 "
        "%.2f, alone %.2f; p95 %.2f, alone %.2f\n",
        r->n_active, r->beside.tokens_per_s, r->alone.tokens_per_s,
        ratio(r->beside.tokens_per_s, r->alone.tokens_per_s), b->p50, a->p50, b->p95, a->p95);
}

void vb_results_print(const vb_bench_options *o, const vb_results *r) {
    printf("%s: tier %s, %d threads, answers of %zu tokens, windows of %g s, the best of %zu\n",
           o->workload.path, vb_model_kernels(o->workload.model)->name, o->workload.n_threads,
           o->workload.answer_tokens, o->seconds, o->n_repeat);
    if (r->has_levels) {
        print_levels(r);
    }
    if (r->slow.is_there) {
        print_slow(&r->slow);
    }
    if (r->crowd.is_there) {
        print_crowd(&r->crowd);
    }
}

static json_t *quantiles_json(const vb_quantiles *q) {
    return json_pack("{s:f,s:f,s:f}", "p50", q->p50, "p95", q->p95, "p99", q->p99);
}

static json_t *figures_json(const vb_figures *f) {
    return json_pack("{s:f,s:f,s:f,s:f,s:f,s:I,s:o,s:o}", "tokens_per_s", f->tokens_per_s,
                     "cpu_us_per_token", f->cpu_us_per_token, "outside_us_per_token",
                     f->outside_us_per_token, "client_cpu_us_per_token", f->client_cpu_us_per_token,
                     "tokens_per_event", f->tokens_per_event, "answers", (json_int_t)f->n_answers,
                     "first_ms", quantiles_json(&f->first_ms), "between_ms",
                     quantiles_json(&f->between_ms));
}

static json_t *levels_json(const vb_results *r) {
    json_t *all = json_array();
    for (size_t i = 0; i < VB_LEVELS; i++) {
        json_array_append_new(
            all, json_pack("{s:I,s:o,s:o}", "streams", (json_int_t)vb_level_streams[i], "server",
                           figures_json(&r->server[i]), "engine", figures_json(&r->engine[i])));
    }
    return all;
}

static json_t *crowd_json(const vb_crowd_result *r) {
    json_t *during = json_array();
    for (size_t i = 0; i < VB_CROWDS; i++) {
        json_array_append_new(during, json_integer((json_int_t)r->during_bytes[i]));
    }
    return json_pack("{s:I,s:I,s:I,s:o,s:I,s:I,s:o,s:o}", "streams", (json_int_t)r->n_streams,
                     "active", (json_int_t)r->n_active, "resident_before_bytes",
                     (json_int_t)r->before_bytes, "resident_bytes", during, "resident_after_bytes",
                     (json_int_t)r->after_bytes, "kv_bytes", (json_int_t)r->kv_bytes, "alone",
                     figures_json(&r->alone), "beside", figures_json(&r->beside));
}

vb_err vb_results_print_json(const vb_bench_options *o, const vb_results *r, vb_error *e) {
    json_t *all =
        json_pack("{s:s,s:s,s:i,s:I,s:f,s:I}", "model", o->workload.path, "tier",
                  vb_model_kernels(o->workload.model)->name, "threads", o->workload.n_threads,
                  "answer_tokens", (json_int_t)o->workload.answer_tokens, "seconds", o->seconds,
                  "repeat", (json_int_t)o->n_repeat);
    bool bad = !all;
    if (r->has_levels) {
        bad |= json_object_set_new(all, "levels", levels_json(r)) != 0;
    }
    if (r->slow.is_there) {
        json_t *slow = json_pack("{s:I,s:o,s:o}", "readers", (json_int_t)r->slow.n_readers,
                                 "beside_reader", figures_json(&r->slow.beside_reader),
                                 "beside_slow", figures_json(&r->slow.beside_slow));
        bad |= json_object_set_new(all, "slow_reader", slow) != 0;
    }
    if (r->crowd.is_there) {
        bad |= json_object_set_new(all, "idle", crowd_json(&r->crowd)) != 0;
    }
    bad = bad || json_dumpf(all, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) || puts("") < 0;
    json_decref(all);
    return bad ? vb_fail(e, VB_EIO, "the results could not be written") : VB_OK;
}
