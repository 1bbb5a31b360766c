/*
 * Where a whole model's time goes: load, prefill, decode and replay by one thread, split by
 * kernel. The model is given a table that is the tier's own in every other repetition: those give
 * the times. In the others its functions have a stopwatch around each, which costs some percent:
 * those give the shares. What is left over is the engine's own work between kernels.
 *
 *   bench_model [--tier NAME] [--prompt N] [--decode N] [--repeat N] FILE
 *
 * Times are the thread's own processor time, so that other work on the machine disturbs little,
 * and each phase's is the best of its repetitions; ceilings are measured with each of them, and
 * the highest counts. On more threads: bench/report.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gguf/gguf.h"
#include "kernels/kernels.h"
#include "model/model.h"
#include "peaks.h"

enum { READ_BYTES = 128 << 20, REPEATS = 3, BATCH_TOKENS = 512, TOKENS_MAX = 1 << 16 };

/* Kernels as they are reported. */
typedef enum part {
    PACK,
    UNPACK_ROW,
    MATMUL,
    QUANTIZE,
    ALL_FINITE,
    RMSNORM,
    ADD,
    SILU_MUL,
    ROPE,
    KV_STORE,
    ATTENTION,
    PARTS
} part;

static const char *const part_names[PARTS] = {"pack",   "unpack_row", "matmul",   "quantize",
                                              "finite", "rmsnorm",    "add",      "silu_mul",
                                              "rope",   "kv_store",   "attention"};

static const vb_kernels *real; /* the tier under the stopwatch */
static vb_kernels table;       /* the model's: the tier's functions, or those with a stopwatch */
static double spent[PARTS];

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Evaluates a call and adds what it took to a part's time. */
#define TIMED(part, call)                                                                          \
    do {                                                                                           \
        double start = seconds();                                                                  \
        call;                                                                                      \
        spent[part] += seconds() - start;                                                          \
    } while (0)

static void pack(const vb_matrix *m, const uint8_t *src, size_t row_begin, size_t row_end) {
    TIMED(PACK, real->pack(m, src, row_begin, row_end));
}
static void unpack_row(const vb_matrix *m, size_t row, float *out) {
    TIMED(UNPACK_ROW, real->unpack_row(m, row, out));
}
static void matmul(const vb_matrix *m, size_t row_begin, size_t row_end, const vb_act *x, float *y,
                   size_t y_stride) {
    TIMED(MATMUL, real->matmul(m, row_begin, row_end, x, y, y_stride));
}
static bool quantize(const float *x, size_t cols, int8_t *q, float *d, int32_t *u, int32_t *u_lo,
                     float *du) {
    bool finite;
    TIMED(QUANTIZE, finite = real->quantize(x, cols, q, d, u, u_lo, du));
    return finite;
}
static bool all_finite(const float *x, size_t n) {
    bool finite;
    TIMED(ALL_FINITE, finite = real->all_finite(x, n));
    return finite;
}
static void rmsnorm(const float *x, const float *w, size_t n, float eps, float *y) {
    TIMED(RMSNORM, real->rmsnorm(x, w, n, eps, y));
}
static void add(float *y, const float *x, size_t n) {
    TIMED(ADD, real->add(y, x, n));
}
static void silu_mul(const float *gate, const float *up, size_t n, float *out) {
    TIMED(SILU_MUL, real->silu_mul(gate, up, n, out));
}
static void rope(float *x, size_t n_heads, size_t head_dim, size_t n_rot, vb_rope_style style,
                 const float *cos_row, const float *sin_row) {
    TIMED(ROPE, real->rope(x, n_heads, head_dim, n_rot, style, cos_row, sin_row));
}
static bool kv_store(const float *k, const float *v, size_t head_dim, uint16_t *k_page,
                     uint16_t *v_page, size_t slot) {
    bool finite;
    TIMED(KV_STORE, finite = real->kv_store(k, v, head_dim, k_page, v_page, slot));
    return finite;
}
static void attention(const float *q, size_t q_stride, size_t n_q, const size_t *n_keys,
                      size_t head_dim, const uint16_t *const *key_pages,
                      const uint16_t *const *value_pages, float scale, float *scratch, float *out,
                      size_t out_stride) {
    TIMED(ATTENTION, real->attention(q, q_stride, n_q, n_keys, head_dim, key_pages, value_pages,
                                     scale, scratch, out, out_stride));
}

static vb_kernels watched(void) {
    vb_kernels k = *real;
    k.pack = pack;
    k.unpack_row = unpack_row;
    k.matmul = matmul;
    k.quantize = quantize;
    k.all_finite = all_finite;
    k.rmsnorm = rmsnorm;
    k.add = add;
    k.silu_mul = silu_mul;
    k.rope = rope;
    k.kv_store = kv_store;
    k.attention = attention;
    return k;
}

/* ---- ceilings ---- */

typedef struct ceilings {
    double read, int8, f32; /* bytes, multiply-adds per second */
} ceilings;

static void keep_best(double *best, double rate) {
    *best = rate > *best ? rate : *best;
}

static volatile double sink; /* keeps results alive */

static void measure_ceilings(ceilings *c) {
    const vb_peak *peak = vb_peak_of(real->name);
    uint8_t *p = aligned_alloc(4096, READ_BYTES);
    if (!p) {
        return;
    }
    memset(p, 1, READ_BYTES);
    for (int i = 0; i < REPEATS; i++) {
        double start = seconds();
        sink = (double)vb_peak_read(p, READ_BYTES);
        keep_best(&c->read, READ_BYTES / (seconds() - start));
        if (peak) {
            start = seconds();
            sink = (double)peak->int8();
            double middle = seconds();
            sink = (double)peak->f32();
            keep_best(&c->int8, peak->int8_macs / (middle - start));
            keep_best(&c->f32, peak->f32_pairs / (seconds() - middle));
        }
    }
    free(p);
}

/* ---- phases ---- */

/* The best repetition of a phase, and of those under the stopwatch the best with what each kernel
 * took of it. */
typedef struct phase {
    double total;
    double watched;
    double spent[PARTS];
} phase;

static double begin(void) {
    memset(spent, 0, sizeof spent);
    return seconds();
}

static void end(phase *best, double start) {
    const double total = seconds() - start;
    const bool is_watched = table.matmul != real->matmul;
    double *least = is_watched ? &best->watched : &best->total;
    if (*least == 0 || total < *least) {
        *least = total;
        memcpy(best->spent, spent, is_watched ? sizeof spent : 0);
    }
}

/* A phase's total, then every part of at least one part in a thousand. */
static void print_phase(const char *name, const phase *p, size_t tokens) {
    double rest = p->watched;
    printf("%-8s %8.2f s", name, tokens ? p->total : p->watched);
    if (tokens) {
        printf(", %8.2f tokens/s", (double)tokens / p->total);
    }
    printf(":");
    for (int i = 0; i < PARTS; i++) {
        rest -= p->spent[i];
        if (p->spent[i] > 0.001 * p->watched) {
            printf(" %s %.1f %%,", part_names[i], 100 * p->spent[i] / p->watched);
        }
    }
    printf(" between kernels %.1f %%\n", 100 * rest / p->watched);
}

static vb_err ignore(void *user, size_t item, size_t index, const float *logits) {
    (void)user;
    (void)item;
    (void)index;
    (void)logits;
    return VB_OK;
}

/* Tokens [from, from + n), with the logits of the last one, or of all. */
static vb_err forward(const vb_model *m, vb_workspace *w, vb_session *s, size_t from, size_t n,
                      bool all, vb_error *e) {
    static uint32_t tokens[BATCH_TOKENS];
    for (size_t at = 0; at < n; at += BATCH_TOKENS) {
        size_t size = n - at < BATCH_TOKENS ? n - at : BATCH_TOKENS;
        for (size_t i = 0; i < size; i++) {
            tokens[i] = (uint32_t)((from + at + i) * 2654435761u % vb_model_get_config(m)->n_vocab);
        }
        size_t logits_from = all ? 0 : at + size == n ? size - 1 : size;
        vb_batch_item item = {s, tokens, size, logits_from};
        vb_err err = vb_forward(m, w, &item, 1, ignore, NULL, e);
        if (err) {
            return err;
        }
    }
    return VB_OK;
}

/* Multiply-adds of one token's products, the head left out. */
static double layer_macs(const vb_model_config *c) {
    double q = (double)(c->n_heads * c->head_dim), kv = (double)(c->n_kv_heads * c->head_dim);
    double e = (double)c->n_embd;
    return (double)c->n_layers * (2 * e * q + 2 * e * kv + 3 * e * (double)c->n_ff);
}

typedef struct phases {
    phase prefill, decode, replay;
} phases;

/* One repetition of every phase on an empty session. */
static vb_err repetition(const vb_model *m, vb_workspace *w, vb_session *s, size_t prompt,
                         size_t decode, phases *p, vb_error *e) {
    double start = begin();
    vb_err err = forward(m, w, s, 0, prompt, false, e);
    end(&p->prefill, start);
    start = begin();
    for (size_t i = 0; i < decode && !err; i++) {
        err = forward(m, w, s, prompt + i, 1, false, e);
    }
    end(&p->decode, start);
    vb_session_truncate(s, 0);
    start = begin();
    err = err ? err : forward(m, w, s, 0, prompt, true, e);
    end(&p->replay, start);
    vb_session_truncate(s, 0);
    return err;
}

static void report(const vb_model *m, const phases *p, const ceilings *c, size_t prompt,
                   size_t decode) {
    const vb_model_config *config = vb_model_get_config(m);
    const bool is_float = config->file_type[0] == 'F' || config->file_type[0] == 'B';
    const double macs = layer_macs(config) * (double)prompt / p->prefill.total;
    const double bytes = (double)vb_model_decode_bytes(m) * (double)decode / p->decode.total;
    const double ceiling = is_float ? c->f32 : c->int8;
    print_phase("prefill", &p->prefill, prompt);
    print_phase("decode", &p->decode, decode);
    print_phase("replay", &p->replay, prompt);
    printf("ceilings: reads %.2f GB/s, int8 %.1f and f32 %.1f G multiply-adds/s\n", c->read * 1e-9,
           c->int8 * 1e-9, c->f32 * 1e-9);
    printf("prefill: %.1f G multiply-adds/s in products, %.0f %% of %s\n", macs * 1e-9,
           ceiling > 0 ? 100 * macs / ceiling : 0, is_float ? "f32" : "int8");
    printf("decode: %.2f GB/s of weights, %.0f %% of what the machine reads\n", bytes * 1e-9,
           100 * bytes / c->read);
    printf("replay: %.2f of prefill's rate, %.1f x decode's\n", p->prefill.total / p->replay.total,
           p->decode.total / (double)decode * (double)prompt / p->replay.total);
}

static vb_err measure(const vb_model *m, vb_workspace *w, vb_session *s, size_t prompt,
                      size_t decode, size_t repeat, ceilings *c, vb_error *e) {
    phases p = {0};
    vb_err err = forward(m, w, s, 0, prompt < 32 ? prompt : 32, false, e); /* warms pages up */
    vb_session_truncate(s, 0);
    for (size_t i = 0; i < repeat && !err; i++) {
        measure_ceilings(c);
        table = *real;
        err = repetition(m, w, s, prompt, decode, &p, e);
        table = watched();
        err = err ? err : repetition(m, w, s, prompt, decode, &p, e);
    }
    measure_ceilings(c);
    if (!err) {
        report(m, &p, c, prompt, decode);
    }
    return err;
}

static vb_err run(const char *path, size_t prompt, size_t decode, size_t repeat, vb_error *e) {
    vb_gguf *g = NULL;
    vb_model *m = NULL;
    vb_session *s = NULL;
    vb_workspace *w = NULL;
    ceilings c = {0};
    table = watched();
    const vb_model_options options = {&table, 1, NULL, NULL};
    measure_ceilings(&c);
    vb_err err = vb_gguf_open(path, &g, e);
    const double start = begin();
    if (!err && !(err = vb_model_load(g, &options, &m, e))) {
        phase load = {0};
        end(&load, start);
        print_phase("load", &load, 0);
        printf("load: %.2f GB/s\n", (double)vb_model_weight_bytes(m) * 1e-9 / load.watched);
    }
    if (!err && !(err = vb_session_open(m, prompt + decode, &s, e)) &&
        !(err = vb_workspace_open(m, BATCH_TOKENS, prompt + decode, 1, &w, e))) {
        err = measure(m, w, s, prompt, decode, repeat, &c, e);
    }
    vb_workspace_close(w);
    vb_session_close(s);
    vb_model_close(m);
    vb_gguf_close(g);
    return err;
}

static bool parse_count(const char *text, size_t *out) {
    char *rest;
    unsigned long v = strtoul(text, &rest, 10);
    *out = (size_t)v;
    return *text && !*rest && v >= 1 && v <= TOKENS_MAX;
}

int main(int argc, char **argv) {
    const char *tier = NULL, *path = NULL;
    size_t prompt = 512, decode = 32, repeat = REPEATS;
    bool ok = true;
    for (int i = 1; i < argc && ok; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--tier") == 0 && more) {
            tier = argv[++i];
        } else if (strcmp(argv[i], "--prompt") == 0 && more) {
            ok = parse_count(argv[++i], &prompt);
        } else if (strcmp(argv[i], "--decode") == 0 && more) {
            ok = parse_count(argv[++i], &decode);
        } else if (strcmp(argv[i], "--repeat") == 0 && more) {
            ok = parse_count(argv[++i], &repeat);
        } else {
            ok = !path && argv[i][0] != '-';
            path = argv[i];
        }
    }
    if (!ok || !path) {
        fprintf(stderr,
                "usage: bench_model [--tier NAME] [--prompt N] [--decode N] [--repeat N] FILE\n");
        return 2;
    }
    vb_error e = {VB_OK, ""};
    vb_err err = vb_kernels_select(tier, &real, &e);
    if (!err) {
        printf("tier %s, 1 thread, prompt %zu, decode %zu, %s\n", real->name, prompt, decode, path);
        err = run(path, prompt, decode, repeat, &e);
    }
    if (err) {
        fprintf(stderr, "bench_model: %s\n", e.msg);
        return 1;
    }
    return 0;
}
