/*
 * Whole models against spec/vectors: logits of tiny models after each layer and of real models,
 * with every tier, however the tokens are cut into batches and on one thread or two.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/testing.h"

#include "base/bytes.h"
#include "crypto/sha256.h"
#include "gguf/gguf.h"
#include "kernels/kernels.h"
#include "model/model.h"
#include "vectors/vectors.h"

enum { TIERS_MAX = 8, BATCH_MAX = 64, CTX_TOKENS = 320 };

static const vb_kernels *tiers[TIERS_MAX];
static size_t n_tiers;

/* Where a model of the vectors is: beside them, in models/, or in the shared data. */
static const char *model_path(const char *name) {
    static const char *const folders[] = {"spec/vectors", "models", "models/verbatim-demo"};
    char relative[256];
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        snprintf(relative, sizeof relative, "%s/%s", folders[i], name);
        const char *path = vb_test_source(relative);
        if (access(path, R_OK) == 0) {
            return path;
        }
    }
    bool is_demo = strncmp(name, "verbatim-demo", 13) == 0;
    snprintf(relative, sizeof relative, "models/%s/%s", is_demo ? "verbatim-demo" : "stories260K",
             name);
    return vb_test_data(relative);
}

static void check_ok(vb_err err, const vb_error *e) {
    if (err != VB_OK) {
        fail_msg("%s", e->msg);
    }
}

/* Logits of a run, in the order of its tokens. */
typedef struct logits {
    float *rows; /* [tokens][n_vocab] */
    size_t n_vocab, next;
} logits;

static vb_err keep_row(void *user, size_t item, size_t index, const float *row) {
    (void)item;
    (void)index;
    logits *l = user;
    memcpy(l->rows + l->next++ * l->n_vocab, row, l->n_vocab * sizeof *row);
    return VB_OK;
}

/* Tokens in pieces of `piece`, logits wanted for all. Stops at the first error, which leaves the
 * session as it was before that piece. */
static vb_err try_run(const vb_model *m, const int64_t *ids, size_t n, size_t piece, int n_threads,
                      logits *l, vb_error *e) {
    vb_session *session;
    vb_workspace *workspace;
    check_ok(vb_session_open(m, CTX_TOKENS, &session, e), e);
    check_ok(vb_workspace_open(m, BATCH_MAX, CTX_TOKENS, n_threads, &workspace, e), e);
    *l = (logits){.n_vocab = vb_model_get_config(m)->n_vocab};
    l->rows = vectors_alloc(n * l->n_vocab * sizeof *l->rows);
    uint32_t tokens[BATCH_MAX];
    vb_err err = VB_OK;
    for (size_t at = 0; at < n && !err; at += piece) {
        size_t count = n - at < piece ? n - at : piece;
        for (size_t i = 0; i < count; i++) {
            tokens[i] = (uint32_t)ids[at + i];
        }
        vb_batch_item item = {session, tokens, count, 0};
        err = vb_forward(m, workspace, &item, 1, keep_row, l, e);
        assert_int_equal(vb_session_length(session), err ? at : at + count);
    }
    vb_workspace_close(workspace);
    vb_session_close(session);
    return err;
}

static logits run(const vb_model *m, const int64_t *ids, size_t n, size_t piece, int n_threads) {
    vb_error e;
    logits l;
    check_ok(try_run(m, ids, n, piece, n_threads, &l, &e), &e);
    assert_int_equal(l.next, n);
    return l;
}

static void hex_sha256(const void *bytes, size_t n, char out[VB_SHA256_HEX_BYTES]) {
    uint8_t digest[VB_SHA256_BYTES];
    vb_sha256_of(bytes, n, digest);
    vb_hex_encode(digest, sizeof digest, out);
}

/* SHA-256 of the logits as f32le. */
static void logits_sha256(const logits *l, char out[VB_SHA256_HEX_BYTES]) {
    size_t n = l->next * l->n_vocab;
    uint8_t *bytes = vectors_alloc(n * 4);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &l->rows[i], sizeof bits);
        vb_store_u32le(bytes + 4 * i, bits);
    }
    hex_sha256(bytes, n * 4, out);
}

static vb_err try_load(const uint8_t *bytes, size_t n_bytes, const char *name, const vb_kernels *k,
                       vb_model **m, vb_error *e) {
    vb_gguf *g;
    check_ok(vb_gguf_open_bytes(bytes, n_bytes, name, &g, e), e);
    vb_model_options options = {.kernels = k, .n_threads = 2};
    vb_err err = vb_model_load(g, &options, m, e);
    vb_gguf_close(g);
    return err;
}

static vb_model *load(const uint8_t *bytes, size_t n_bytes, const char *name, const vb_kernels *k) {
    vb_error e;
    vb_model *m = NULL;
    check_ok(try_load(bytes, n_bytes, name, k, &m, &e), &e);
    return m;
}

/* The model's file in memory that the case owns. */
static uint8_t *model_bytes(const char *name, size_t *n_bytes) {
    uint8_t *read = vb_test_read(model_path(name), n_bytes);
    uint8_t *bytes = vectors_alloc(*n_bytes);
    memcpy(bytes, read, *n_bytes);
    free(read);
    return bytes;
}

/* Zeroes a tensor's data, which in every format makes each of its products +0. */
static void clear_tensor(const vb_gguf *g, uint8_t *bytes, const char *name) {
    const vb_gguf_tensor *t = vb_gguf_find_tensor(g, name);
    assert_non_null(t);
    memset(bytes + t->offset_bytes, 0, t->n_bytes);
}

/* Makes every layer from `first` on add nothing to the residual stream. */
static void silence_layers(uint8_t *bytes, size_t n_bytes, size_t first, size_t n_layers) {
    vb_error e;
    vb_gguf *g;
    check_ok(vb_gguf_open_bytes(bytes, n_bytes, "silenced", &g, &e), &e);
    for (size_t i = first; i < n_layers; i++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%zu.attn_output.weight", i);
        clear_tensor(g, bytes, name);
        snprintf(name, sizeof name, "blk.%zu.ffn_down.weight", i);
        clear_tensor(g, bytes, name);
    }
    vb_gguf_close(g);
}

static void check_layers(const vectors_case *c, const vb_kernels *k) {
    const char *name = vectors_text(c->in, "model");
    size_t n_tokens, n_bytes;
    const int64_t *ids = vectors_ints(c->in, "tokens", &n_tokens);
    uint8_t *bytes = model_bytes(name, &n_bytes);
    vb_model *m = load(bytes, n_bytes, name, k);
    logits l = run(m, ids, n_tokens, n_tokens, 1);
    vectors_expect_f32(c, k->name, "logits", l.rows, n_tokens * l.n_vocab);
    vb_model_close(m);

    /* From the last layer to the first, each silenced in turn. */
    json_t *prefixes = json_object_get(c->out, "prefix_logits_sha256");
    size_t n_layers = json_array_size(prefixes);
    assert_true(n_layers > 0);
    for (size_t n = n_layers; n > 0; n--) {
        char found[VB_SHA256_HEX_BYTES];
        silence_layers(bytes, n_bytes, n, n_layers);
        m = load(bytes, n_bytes, name, k);
        l = run(m, ids, n_tokens, n_tokens, 1);
        logits_sha256(&l, found);
        const char *expected = json_string_value(json_array_get(prefixes, n - 1));
        if (strcmp(found, expected) != 0) {
            fail_msg("%s, %s: logits after %zu layers: %s, %s expected", c->name, k->name, n, found,
                     expected);
        }
        vb_model_close(m);
    }
}

static void test_layers(void **state) {
    (void)state;
    size_t n = vectors_open("layers");
    for (size_t i = 0; i < n; i++) {
        vectors_case c = vectors_at(i);
        for (size_t t = 0; t < n_tiers; t++) {
            check_layers(&c, tiers[t]);
        }
    }
    vectors_close();
}

/* Writes a case's patch into the bytes of its model. */
static void apply_patch(json_t *patch, uint8_t *bytes, size_t n_bytes) {
    vb_error e;
    vb_gguf *g;
    check_ok(vb_gguf_open_bytes(bytes, n_bytes, "patched", &g, &e), &e);
    const vb_gguf_tensor *t = vb_gguf_find_tensor(g, vectors_text(patch, "tensor"));
    assert_non_null(t);
    size_t n, at = vectors_size(patch, "at");
    const uint8_t *with = vectors_bytes(patch, "bytes", &n);
    assert_true(at + n <= t->n_bytes);
    memcpy(bytes + t->offset_bytes + at, with, n);
    vb_gguf_close(g);
}

/* Where the definition ends a request, or refuses a model, the engine does; elsewhere it does
 * not. */
static void check_edge(const vectors_case *c, const vb_kernels *k) {
    size_t n_tokens, n_bytes;
    const int64_t *ids = vectors_ints(c->in, "tokens", &n_tokens);
    uint8_t *bytes = model_bytes(vectors_text(c->in, "model"), &n_bytes);
    apply_patch(json_object_get(c->in, "patch"), bytes, n_bytes);
    const char *ends = vectors_is_null(c->out, "ends") ? "never" : vectors_text(c->out, "ends");
    const char *found = "never";
    char digest[VB_SHA256_HEX_BYTES];
    vb_error e = {VB_OK, ""};
    vb_model *m = NULL;
    if (try_load(bytes, n_bytes, c->name, k, &m, &e)) {
        found = "load";
    } else {
        logits l;
        vb_err err = try_run(m, ids, n_tokens, n_tokens, 1, &l, &e);
        assert_true(err == VB_OK || err == VB_ENONFINITE);
        found = err ? "request" : "never";
        vb_model_close(m);
        if (!err && strcmp(ends, "never") == 0) {
            logits_sha256(&l, digest);
            vectors_expect_text(c, k->name, "logits_sha256", digest);
        }
    }
    if (strcmp(found, ends) != 0) {
        fail_msg("%s, %s: ends: %s, %s expected (%s)", c->name, k->name, found, ends, e.msg);
    }
}

static void test_edges(void **state) {
    (void)state;
    size_t n = vectors_open("edges");
    for (size_t i = 0; i < n; i++) {
        vectors_case c = vectors_at(i);
        for (size_t t = 0; t < n_tiers; t++) {
            check_edge(&c, tiers[t]);
        }
    }
    vectors_close();
}

static void check_model(const vectors_case *c, const uint8_t *bytes, size_t n_bytes,
                        const vb_kernels *k) {
    static const size_t pieces[] = {1, 5, BATCH_MAX};
    size_t n_tokens, n_argmax;
    const int64_t *ids = vectors_ints(c->in, "tokens", &n_tokens);
    const int64_t *argmax = vectors_ints(c->out, "argmax", &n_argmax);
    assert_int_equal(n_argmax, n_tokens);
    vb_model *m = load(bytes, n_bytes, c->name, k);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        logits l = run(m, ids, n_tokens, pieces[i], 1 + (int)i % 2);
        char found[VB_SHA256_HEX_BYTES];
        logits_sha256(&l, found);
        vectors_expect_text(c, k->name, "logits_sha256", found);
        for (size_t t = 0; t < n_tokens; t++) {
            assert_int_equal(k->argmax(l.rows + t * l.n_vocab, l.n_vocab), argmax[t]);
        }
    }
    vb_model_close(m);
}

/* One test a case, so that an absent model skips its own case alone. */
static void test_model(void **state) {
    const char *name = *state;
    size_t n = vectors_open("models");
    for (size_t i = 0; i < n; i++) {
        vectors_case c = vectors_at(i);
        if (strcmp(c.name, name) == 0) {
            size_t n_bytes;
            const uint8_t *bytes = model_bytes(name, &n_bytes);
            char found[VB_SHA256_HEX_BYTES];
            hex_sha256(bytes, n_bytes, found);
            vectors_expect_text(&c, "file", "model_sha256", found);
            for (size_t t = 0; t < n_tiers; t++) {
                check_model(&c, bytes, n_bytes, tiers[t]);
            }
        }
    }
    vectors_close();
}

static void test_all_models_named(void **state) {
    size_t n = vectors_open("models");
    assert_int_equal(n, *(size_t *)*state);
    vectors_close();
}

int main(void) {
    static char names[][32] = {"tiny-llama.gguf",         "tiny-qwen2.gguf",
                               "stories260K.gguf",        "verbatim-demo-f32.gguf",
                               "verbatim-demo-q8_0.gguf", "verbatim-demo-q4_k_m.gguf"};
    static size_t n_names = sizeof names / sizeof names[0];
    n_tiers = vb_kernels_list(tiers, TIERS_MAX);
    struct CMUnitTest tests[3 + sizeof names / sizeof names[0]] = {
        {"test_layers", test_layers, NULL, NULL, NULL},
        {"test_edges", test_edges, NULL, NULL, NULL},
        {"test_all_models_named", test_all_models_named, NULL, NULL, &n_names},
    };
    for (size_t i = 0; i < n_names; i++) {
        tests[3 + i] = (struct CMUnitTest){names[i], test_model, NULL, NULL, names[i]};
    }
    return n_tiers ? cmocka_run_group_tests_name("model vectors", tests, NULL, NULL) : 1;
}
