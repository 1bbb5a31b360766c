/* 1, 4, 16 and 64 streams of the server and of the engine alone, in turns; readers beside one that
 * is slow. */
#include <stdio.h>

#include "base/limits.h"
#include "child.h"
#include "model/kv_pool.h"
#include "results.h"

enum { CTX_TOKENS_MAX = 1024, SPARE_PAGES = 8, SLOW_BESIDE = 8, NUMBER_BYTES = 24 };
#define MEGABYTE ((uint64_t)1 << 20)

const size_t vb_level_streams[VB_LEVELS] = {1, 4, 16, 64};

static size_t pages_of(size_t n_tokens) {
    return (n_tokens + VB_ATTN_CHUNK - 1) / VB_ATTN_CHUNK;
}

static vb_capacity capacity_of(const vb_workload *w) {
    const vb_model_config *c = vb_model_get_config(w->model);
    const size_t ctx = c->n_ctx_train < CTX_TOKENS_MAX ? c->n_ctx_train : CTX_TOKENS_MAX;
    const size_t pages =
        VB_METER_STREAMS_MAX * pages_of(VB_WORKLOAD_PROMPT_MAX + w->answer_tokens) +
        VB_LOAD_OTHER_CHOICES * pages_of(ctx) + SPARE_PAGES;
    const uint64_t bytes = pages * vb_kv_page_bytes(c);
    return (vb_capacity){.ctx_tokens = ctx,
                         .sequences = VB_METER_STREAMS_MAX,
                         .kv_bytes = (bytes + MEGABYTE - 1) / MEGABYTE * MEGABYTE};
}

static vb_err start(const vb_bench_options *o, const vb_capacity *c, vb_child *out, vb_error *e) {
    char threads[NUMBER_BYTES], ctx[NUMBER_BYTES], sequences[NUMBER_BYTES], kv[NUMBER_BYTES];
    snprintf(threads, sizeof threads, "%d", o->workload.n_threads);
    snprintf(ctx, sizeof ctx, "%zu", c->ctx_tokens);
    snprintf(sequences, sizeof sequences, "%zu", c->sequences);
    snprintf(kv, sizeof kv, "%llu", (unsigned long long)(c->kv_bytes / MEGABYTE));
    const char *const args[] = {
        "-m", o->workload.path, "--model-name", "bench",          "--threads", threads, "--ctx",
        ctx,  "--sequences",    sequences,      "--kv-megabytes", kv,          NULL};
    return vb_child_start(o->program, args, out, e);
}

static void keep_faster(vb_figures *best, const vb_figures *f) {
    if (f->tokens_per_s > best->tokens_per_s) {
        *best = *f;
    }
}

/* The same level of both, one after the other. */
static vb_err run_level(const vb_bench_options *o, const vb_capacity *c, const vb_child *server,
                        size_t level, vb_results *out, vb_error *e) {
    static vb_meter m;
    const size_t n = vb_level_streams[level];
    const vb_load_options load = {.workload = &o->workload, .port = server->port};
    vb_bench_progress(o, "the engine alone: %zu streams", n);
    vb_meter_begin(&m, n, o->seconds, n, NULL, (size_t)o->workload.n_threads);
    vb_err err = vb_engine_run(&o->workload, c, &m, e);
    vb_figures f = vb_figures_take(&m);
    if (!err) {
        keep_faster(&out->engine[level], &f);
        vb_bench_progress(o, "the server: %zu streams", n);
        vb_meter_begin(&m, n, o->seconds, n, server, (size_t)o->workload.n_threads);
        err = vb_load_run(&load, &m, e);
        f = vb_figures_take(&m);
        keep_faster(&out->server[level], &f);
    }
    return err;
}

vb_err vb_bench_levels(const vb_bench_options *o, vb_results *out, vb_error *e) {
    const vb_capacity c = capacity_of(&o->workload);
    vb_child server;
    if (c.ctx_tokens < VB_WORKLOAD_PROMPT_MAX + o->workload.answer_tokens) {
        return vb_fail(e, VB_EINVAL,
                       "answers of %zu tokens, with prompts of up to %d, are more than %zu",
                       o->workload.answer_tokens, VB_WORKLOAD_PROMPT_MAX, c.ctx_tokens);
    }
    vb_err err = start(o, &c, &server, e);
    if (err) {
        return err;
    }
    for (size_t i = 0; i < o->n_repeat && !err; i++) {
        for (size_t level = 0; level < VB_LEVELS && !err; level++) {
            err = run_level(o, &c, &server, level, out, e);
        }
    }
    vb_child_stop(&server);
    out->has_levels = !err;
    return err;
}

vb_err vb_bench_slow(const vb_bench_options *o, vb_slow_result *out, vb_error *e) {
    static vb_meter m;
    const vb_capacity c = capacity_of(&o->workload);
    vb_child server;
    vb_err err = start(o, &c, &server, e);
    if (err) {
        return err;
    }
    vb_load_options load = {.workload = &o->workload,
                            .port = server.port,
                            .has_other = true,
                            .other_tokens = c.ctx_tokens - VB_WORKLOAD_PROMPT_MAX};
    for (size_t i = 0; i < 2 * o->n_repeat && !err; i++) {
        vb_figures *best = i % 2 ? &out->beside_slow : &out->beside_reader;
        load.other_is_slow = i % 2;
        vb_bench_progress(o, "%d readers beside one that %s", SLOW_BESIDE,
                          load.other_is_slow ? "hardly reads" : "reads");
        vb_meter_begin(&m, SLOW_BESIDE, o->seconds, SLOW_BESIDE, &server,
                       (size_t)o->workload.n_threads);
        err = vb_load_run(&load, &m, e);
        const vb_figures f = vb_figures_take(&m);
        if (!best->between_ms.p95 || f.between_ms.p95 < best->between_ms.p95) {
            *best = f;
        }
    }
    vb_child_stop(&server);
    out->n_readers = SLOW_BESIDE;
    out->is_there = !err;
    return err;
}
