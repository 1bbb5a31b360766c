/* verbatim bench: prefill and decode speed of a model, against this machine's read bandwidth, and
 * what loading it takes, against reading its files. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/system.h"
#include "cli/app.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "engine/ceilings.h"

typedef struct result {
    size_t prompt, decode, replay;
    uint64_t prefill_ns, decode_ns, verify_ns;
    uint64_t file_bytes, reading_ns;
    uint64_t cache_bytes;     /* of the session */
    uint64_t load_peak, peak; /* bytes resident at most: after loading, and at the end */
    bool cold;                /* files are read from the disk */
} result;

/* The files' data into the system's cache, or out of it, so that loading and reading find the same.
 */
static vb_err prepare_files(const vb_app *a, const result *r, vb_error *e) {
    vb_gguf *g = NULL;
    uint64_t ns;
    if (!a->model_path) {
        return VB_OK; /* which vb_app_open will say */
    }
    vb_err err = vb_gguf_open(a->model_path, &g, e);
    if (!err && r->cold) {
        vb_gguf_uncache(g);
    } else if (!err) {
        err = vb_measure_file_reading(g, vb_app_threads(a), &ns, e);
    }
    vb_gguf_close(g);
    return err;
}

static vb_err read_files(const vb_app *a, result *r, vb_error *e) {
    for (size_t i = 0; i < vb_gguf_tensor_count(a->gguf); i++) {
        r->file_bytes += vb_gguf_tensor_at(a->gguf, i)->n_bytes;
    }
    if (r->cold) {
        vb_gguf_uncache(a->gguf);
    }
    return vb_measure_file_reading(a->gguf, vb_app_threads(a), &r->reading_ns, e);
}

static vb_err ignore(void *user, size_t item, size_t index, const float *logits) {
    (void)index;
    (void)logits;
    (void)item;
    (void)user;
    return VB_OK;
}

/* Tokens of a fixed sequence: speed does not depend on which. */
static void fill_tokens(uint32_t *tokens, size_t n, size_t n_vocab) {
    uint64_t x = 1;
    for (size_t i = 0; i < n; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        tokens[i] = (uint32_t)((x >> 33) % n_vocab);
    }
}

/* One pass over tokens[0..n) in pieces; logits_all asks for the head at every position. */
static vb_err prefill(const vb_app *a, vb_session *s, vb_workspace *w, const uint32_t *tokens,
                      size_t n, bool logits_all, vb_error *e) {
    for (size_t at = 0; at < n; at += vb_app_batch(a)) {
        const size_t size = n - at < vb_app_batch(a) ? n - at : vb_app_batch(a);
        const bool last = at + size == n;
        const vb_batch_item item = {s, tokens + at, size, logits_all ? 0 : last ? size - 1 : size};
        vb_err err = vb_forward(a->model, w, &item, 1, ignore, NULL, e);
        if (err) {
            return err;
        }
        if (vb_interrupted()) {
            return vb_fail(e, VB_ECANCELLED, "stopped");
        }
    }
    return VB_OK;
}

static vb_err measure(const vb_app *a, vb_session *s, vb_workspace *w, const uint32_t *tokens,
                      result *r, vb_error *e) {
    vb_progress bar;
    vb_err err;
    /* Once untimed: pages, threads and caches warm up. */
    if ((err = prefill(a, s, w, tokens, r->prompt < 32 ? r->prompt : 32, false, e))) {
        return err;
    }
    vb_session_truncate(s, 0);
    uint64_t start = vb_clock_ns();
    if ((err = prefill(a, s, w, tokens, r->prompt, false, e))) {
        return err;
    }
    r->prefill_ns = vb_clock_ns() - start;
    vb_progress_begin(&bar, "decode", "tokens", a->quiet);
    start = vb_clock_ns();
    for (size_t i = 0; i < r->decode && !err; i++) {
        const vb_batch_item item = {s, tokens + r->prompt + i, 1, 0};
        err = vb_forward(a->model, w, &item, 1, ignore, NULL, e);
        if (!vb_progress_update(&bar, i + 1, r->decode) && !err) {
            err = vb_fail(e, VB_ECANCELLED, "stopped");
        }
    }
    r->decode_ns = vb_clock_ns() - start;
    vb_progress_end(&bar);
    if (err) {
        return err;
    }
    vb_session_truncate(s, 0);
    start = vb_clock_ns();
    err = prefill(a, s, w, tokens, r->replay, true, e);
    r->verify_ns = vb_clock_ns() - start;
    return err;
}

static double rate(uint64_t n, uint64_t ns) {
    return ns ? (double)n * 1e9 / (double)ns : 0;
}

static double ratio(uint64_t n, uint64_t of) {
    return of ? (double)n / (double)of : 0;
}

static void print_loading(const vb_app *a, const result *r) {
    const uint64_t weights = vb_model_weight_bytes(a->model), memory = weights + r->cache_bytes;
    if (a->json) {
        printf(",\"load_cold\":%s,\"load_seconds\":%.4f,\"read_seconds\":%.4f,"
               "\"load_of_read\":%.3f,\"file_bytes\":%" PRIu64 ",\"weight_bytes\":%" PRIu64
               ",\"cache_bytes\":%" PRIu64 ",\"load_peak_bytes\":%" PRIu64
               ",\"load_peak_of_weights\":%.4f,\"peak_bytes\":%" PRIu64
               ",\"peak_of_weights_and_cache\":%.4f",
               r->cold ? "true" : "false", (double)a->load_ns * 1e-9, (double)r->reading_ns * 1e-9,
               ratio(a->load_ns, r->reading_ns), r->file_bytes, weights, r->cache_bytes,
               r->load_peak, ratio(r->load_peak, weights), r->peak, ratio(r->peak, memory));
        return;
    }
    printf("load     %9.2f GB/s  (%.2f GB from %s in %.2f s): %.2f x the time to read them\n",
           rate(weights, a->load_ns) / 1e9, (double)r->file_bytes / 1e9,
           r->cold ? "the disk" : "the system's cache", (double)a->load_ns * 1e-9,
           ratio(a->load_ns, r->reading_ns));
    printf("memory   %9.2f GB    at most, %.2f x weights and KV cache; %.2f x the weights when "
           "loaded\n",
           (double)r->peak / 1e9, ratio(r->peak, memory), ratio(r->load_peak, weights));
}

static void print_result(const vb_app *a, const result *r) {
    const double bandwidth = vb_measure_read_bandwidth(vb_app_threads(a));
    const double decode = rate(r->decode, r->decode_ns),
                 prefill_rate = rate(r->prompt, r->prefill_ns);
    const double weights = (double)vb_model_decode_bytes(a->model);
    const double share = bandwidth > 0 ? decode * weights / bandwidth : 0;
    const double replay = rate(r->replay, r->verify_ns);
    const double load = rate(vb_model_weight_bytes(a->model), a->load_ns);
    if (a->json) {
        printf("{\"tier\":\"%s\",\"threads\":%d,\"prompt\":%zu,\"decode\":%zu,\"replay\":%zu,"
               "\"prefill_tokens_per_second\":%.3f,\"decode_tokens_per_second\":%.3f,"
               "\"replay_tokens_per_second\":%.3f,\"decode_weight_bytes\":%.0f,"
               "\"decode_bytes_per_second\":%.0f,\"read_bandwidth_bytes_per_second\":%.0f,"
               "\"decode_share_of_bandwidth\":%.4f,\"load_bytes_per_second\":%.0f",
               a->kernels->name, vb_app_threads(a), r->prompt, r->decode, r->replay, prefill_rate,
               decode, replay, weights, decode * weights, bandwidth, share, load);
        print_loading(a, r);
        printf("}\n");
        return;
    }
    printf("tier %s, %d threads\n", a->kernels->name, vb_app_threads(a));
    printf("prefill  %9.2f tokens/s  (%zu tokens)\n", prefill_rate, r->prompt);
    printf("decode   %9.2f tokens/s  (%zu tokens), %.2f GB/s of weights: %.0f %% of the %.2f GB/s\n"
           "                             that this machine reads\n",
           decode, r->decode, decode * weights / 1e9, share * 100, bandwidth / 1e9);
    printf("replay   %9.2f tokens/s  (%zu tokens, the output head at every position):\n"
           "                             %.1f x decode\n",
           replay, r->replay, decode > 0 ? replay / decode : 0);
    print_loading(a, r);
}

int vb_cmd_bench(int argc, char **argv) {
    vb_app a = {0};
    uint64_t n_prompt = 512, n_decode = 64, n_replay = 0;
    result r = {.prompt = 0};
    const vb_opt own[] = {
        {'p', "prompt", VB_OPT_UINT, &n_prompt, "N", "tokens to prefill (default 512)", 1,
         VB_MODEL_CTX_TOKENS_MAX, NULL},
        {'n', "tokens", VB_OPT_UINT, &n_decode, "N", "tokens to decode (default 64)", 1,
         VB_MODEL_CTX_TOKENS_MAX, NULL},
        {'r', "replay", VB_OPT_UINT, &n_replay, "N",
         "tokens to replay (default: as many as are decoded)", 1, VB_MODEL_CTX_TOKENS_MAX, NULL},
        {0, "cold", VB_OPT_FLAG, &r.cold, NULL,
         "load from the disk, not from the system's cache of the file", 0, 0, NULL},
    };
    vb_opt_table options = {.n = 0};
    vb_opt_add(&options, own, sizeof own / sizeof own[0]);
    vb_app_options(&a, VB_APP_OPT_MODEL | VB_APP_OPT_RUN | VB_APP_OPT_JSON | VB_APP_OPT_QUIET,
                   &options);
    const vb_command_spec spec = {
        "bench",
        "-m FILE [-p N] [-n N] [-r N] [-t N] [--cold] [--json]",
        "Measures prefill, decode and replay, and in the same run how fast this machine reads "
        "memory:\n"
        "a decode step must read every weight once, so that is its ceiling. Loading is held "
        "against "
        "reading\n"
        "the files.",
        &options,
        0,
        0};
    char **rest;
    size_t n_rest;
    int status = vb_options_parse(&spec, argc, argv, &rest, &n_rest);
    if (status >= 0) {
        return status;
    }
    vb_error e = {VB_OK, ""};
    vb_session *s = NULL;
    vb_workspace *w = NULL;
    uint32_t *tokens = NULL;
    r.prompt = (size_t)n_prompt;
    r.decode = (size_t)n_decode;
    r.replay = (size_t)(n_replay ? n_replay : n_decode);
    const size_t n = r.replay > r.prompt + r.decode ? r.replay : r.prompt + r.decode;
    vb_err err = prepare_files(&a, &r, &e);
    if (!err && !(err = vb_app_open(&a, false, &e))) {
        r.load_peak = vb_memory_peak_bytes();
        r.cache_bytes = vb_session_bytes(vb_model_get_config(a.model), n);
        err = read_files(&a, &r, &e);
    }
    if (!err && !(tokens = malloc(n * sizeof *tokens))) {
        err = vb_fail(&e, VB_ENOMEM, "no memory for %zu tokens", n);
    }
    if (!err && !(err = vb_session_open(a.model, n, &s, &e)) &&
        !(err = vb_workspace_open(a.model, vb_app_batch(&a), n, vb_app_threads(&a), &w, &e))) {
        fill_tokens(tokens, n, vb_model_get_config(a.model)->n_vocab);
        err = measure(&a, s, w, tokens, &r, &e);
        r.peak = vb_memory_peak_bytes();
    }
    if (!err) {
        print_result(&a, &r);
    }
    free(tokens);
    vb_workspace_close(w);
    vb_session_close(s);
    vb_app_close(&a);
    return err ? vb_app_fail(&a, "bench", err, &e) : VB_EXIT_OK;
}
