/* The forward pass on the shipped model: invariance to company, cuts and history, and its errors.
 */
#include "support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gguf/gguf.h"
#include "kernels/kernels.h"
#include "model/model.h"

enum { N = 300, OTHERS = 5 };

static vb_gguf *gguf;
static vb_model *model;
static size_t n_vocab;
static vb_error e;

static void must(vb_err err) {
    if (err) {
        fail_msg("%s: %s", vb_err_name(err), e.msg);
    }
}

static int setup(void **state) {
    (void)state;
    vb_model_options options = {.n_threads = 2};
    must(vb_kernels_select(NULL, &options.kernels, &e));
    must(vb_gguf_open(vb_test_source("models/verbatim-demo/verbatim-demo-q8_0.gguf"), &gguf, &e));
    must(vb_model_load(gguf, &options, &model, &e));
    n_vocab = vb_model_get_config(model)->n_vocab;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    vb_model_close(model);
    vb_gguf_close(gguf);
    return 0;
}

/* Collects the logits of one item. */
typedef struct sink {
    float *rows; /* [N][n_vocab] */
    size_t item, base;
} sink;

static vb_err keep(void *user, size_t item, size_t index, const float *logits) {
    sink *s = user;
    if (item == s->item) {
        memcpy(s->rows + (s->base + index) * n_vocab, logits, n_vocab * sizeof *logits);
    }
    return VB_OK;
}

static void fill(uint32_t *tokens, size_t n, uint64_t seed) {
    for (size_t i = 0; i < n; i++) {
        tokens[i] = (uint32_t)(vb_test_random(&seed) % n_vocab);
    }
}

static float *reference(const uint32_t *tokens) {
    sink s = {malloc(N * n_vocab * sizeof(float)), 0, 0};
    vb_session *session;
    vb_workspace *w;
    must(vb_session_open(model, N, &session, &e));
    must(vb_workspace_open(model, 512, N, 1, &w, &e));
    const vb_batch_item item = {session, tokens, N, 0};
    must(vb_forward(model, w, &item, 1, keep, &s, &e));
    assert_int_equal(vb_session_length(session), N);
    vb_workspace_close(w);
    vb_session_close(session);
    return s.rows;
}

static void assert_same(const float *a, const float *b, size_t rows) {
    for (size_t i = 0; i < rows; i++) {
        if (memcmp(a + i * n_vocab, b + i * n_vocab, n_vocab * sizeof *a) != 0) {
            fail_msg("the logits after token %zu differ", i);
        }
    }
}

static void test_pieces(void **state) {
    (void)state;
    static const size_t pieces[] = {1, 7, 64, 299};
    uint32_t tokens[N];
    fill(tokens, N, 1);
    float *want = reference(tokens);
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        static const int counts[] = {1, 2, 3, 9}; /* 9: more than there is work for in places */
        for (size_t c = 0; c < (p == 2 ? 4u : 3u); c++) {
            const int threads = counts[c];
            sink s = {calloc(N * n_vocab, sizeof(float)), 0, 0};
            vb_session *session;
            vb_workspace *w;
            must(vb_session_open(model, N, &session, &e));
            must(vb_workspace_open(model, pieces[p], N, threads, &w, &e));
            for (s.base = 0; s.base < N; s.base += pieces[p]) {
                size_t n = N - s.base < pieces[p] ? N - s.base : pieces[p];
                const vb_batch_item item = {session, tokens + s.base, n, 0};
                must(vb_forward(model, w, &item, 1, keep, &s, &e));
            }
            assert_same(want, s.rows, N);
            vb_workspace_close(w);
            vb_session_close(session);
            free(s.rows);
        }
    }
    free(want);
}

/* Other sequences in every pass, of other lengths, before and after ours in the batch. */
static void test_beside_others(void **state) {
    (void)state;
    uint32_t tokens[N], other[N];
    fill(tokens, N, 1);
    fill(other, N, 2);
    float *want = reference(tokens);
    vb_session *session, *others[OTHERS];
    vb_workspace *w;
    must(vb_session_open(model, N, &session, &e));
    must(vb_workspace_open(model, 200, N, 2, &w, &e));
    for (size_t i = 0; i < OTHERS; i++) {
        must(vb_session_open(model, N, &others[i], &e));
    }
    sink s = {calloc(N * n_vocab, sizeof(float)), 0, 0};
    uint64_t seed = 3;
    for (s.base = 0; s.base < N;) {
        vb_batch_item items[OTHERS + 1];
        size_t place = vb_test_random(&seed) % (OTHERS + 1), n_items = 0, n = 0;
        for (size_t i = 0; i <= OTHERS; i++) {
            size_t size = 1 + vb_test_random(&seed) % 30;
            if (i == place) {
                n = size < N - s.base ? size : N - s.base;
                s.item = n_items;
                items[n_items++] = (vb_batch_item){session, tokens + s.base, n, 0};
            } else {
                vb_session *o = others[i < place ? i : i - 1];
                if (vb_session_length(o) + size > N) {
                    vb_session_truncate(o, vb_session_length(o) / 2);
                }
                items[n_items++] = (vb_batch_item){o, other + vb_session_length(o), size, size / 2};
            }
        }
        must(vb_forward(model, w, items, n_items, keep, &s, &e));
        s.base += n;
    }
    assert_same(want, s.rows, N);
    for (size_t i = 0; i < OTHERS; i++) {
        vb_session_close(others[i]);
    }
    vb_workspace_close(w);
    vb_session_close(session);
    free(s.rows);
    free(want);
}

/* Cutting a sequence back and going on leaves no trace of what was there. */
static void test_truncate(void **state) {
    (void)state;
    uint32_t tokens[N], other[N];
    fill(tokens, N, 1);
    fill(other, N, 9);
    float *want = reference(tokens);
    vb_session *session;
    vb_workspace *w;
    sink s = {calloc(N * n_vocab, sizeof(float)), 0, 0};
    must(vb_session_open(model, N, &session, &e));
    must(vb_workspace_open(model, N, N, 2, &w, &e));
    const vb_batch_item first = {session, tokens, 100, 0};
    must(vb_forward(model, w, &first, 1, keep, &s, &e));
    const vb_batch_item wrong = {session, other, 200, 200};
    must(vb_forward(model, w, &wrong, 1, keep, &s, &e));
    vb_session_truncate(session, 100);
    s.base = 100;
    const vb_batch_item rest = {session, tokens + 100, 200, 0};
    must(vb_forward(model, w, &rest, 1, keep, &s, &e));
    assert_same(want, s.rows, N);
    vb_workspace_close(w);
    vb_session_close(session);
    free(s.rows);
    free(want);
}

static void test_errors(void **state) {
    (void)state;
    vb_session *session;
    vb_workspace *w;
    uint32_t tokens[N];
    fill(tokens, N, 4);
    must(vb_session_open(model, 10, &session, &e));
    must(vb_workspace_open(model, 32, 10, 1, &w, &e));
    vb_batch_item item = {session, tokens, 11, 11};
    assert_int_equal(vb_forward(model, w, &item, 1, NULL, NULL, &e), VB_ELIMIT);
    assert_non_null(strstr(e.msg, "context is full"));
    tokens[3] = (uint32_t)n_vocab;
    item.n_tokens = item.logits_from = 5;
    assert_int_equal(vb_forward(model, w, &item, 1, NULL, NULL, &e), VB_EINVAL);
    assert_non_null(strstr(e.msg, "position 3"));
    assert_int_equal(vb_session_length(session), 0);
    vb_session *too_long = NULL;
    size_t limit = vb_model_get_config(model)->n_ctx_train;
    assert_int_equal(vb_session_open(model, limit + 1, &too_long, &e), VB_EINVAL);
    assert_int_equal(vb_session_open(model, 0, &too_long, &e), VB_EINVAL);
    assert_null(too_long);
    vb_workspace_close(w);
    vb_session_close(session);
}

/* Collects the logits of listed tokens, and in which order they came. */
typedef struct listed {
    sink s;
    size_t n, seen[N];
} listed;

static vb_err keep_listed(void *user, size_t item, size_t index, const float *logits) {
    listed *l = user;
    l->seen[l->n++] = l->s.base + index;
    return keep(&l->s, item, index, logits);
}

/* Only the listed tokens' logits come, each once and in order, with the bits they always have. */
static void test_listed(void **state) {
    (void)state;
    static const size_t pieces[] = {1, 64, 100, N};
    uint32_t tokens[N];
    uint64_t seed = 5;
    fill(tokens, N, 1);
    float *want = reference(tokens);
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        vb_session *session;
        vb_workspace *w;
        listed l = {.s = {calloc(N * n_vocab, sizeof(float)), 0, 0}};
        size_t all[N], n_all = 0;
        must(vb_session_open(model, N, &session, &e));
        must(vb_workspace_open(model, pieces[p], N, 2, &w, &e));
        for (l.s.base = 0; l.s.base < N; l.s.base += pieces[p]) {
            const size_t n = N - l.s.base < pieces[p] ? N - l.s.base : pieces[p];
            /* logits_from does not matter here. */
            const vb_batch_item item = {session, tokens + l.s.base, n, p % 2 ? n : 0};
            size_t rows[N], n_rows = 0;
            for (size_t i = 0; i < n; i++) {
                /* Some passes want all, some none. */
                const uint64_t dense = l.s.base / pieces[p] % 3;
                if (dense == 1 || (dense == 0 && vb_test_random(&seed) % 4 == 0)) {
                    all[n_all++] = l.s.base + i;
                    rows[n_rows++] = i;
                }
            }
            must(vb_forward_listed(model, w, &item, rows, n_rows, keep_listed, &l, &e));
        }
        assert_int_equal(vb_session_length(session), N);
        assert_int_equal(l.n, n_all);
        assert_true(n_all > 0 && n_all < N);
        for (size_t i = 0; i < n_all; i++) {
            assert_int_equal(l.seen[i], all[i]);
            assert_same(want + all[i] * n_vocab, l.s.rows + all[i] * n_vocab, 1);
        }
        vb_workspace_close(w);
        vb_session_close(session);
        free(l.s.rows);
    }
    free(want);
}

static vb_err refuse(void *user, size_t item, size_t index, const float *logits) {
    (void)user;
    (void)item;
    (void)index;
    (void)logits;
    return VB_ECANCELLED;
}

/* The receiver's refusal ends the pass and leaves the sequence as it was. */
static void test_refused(void **state) {
    (void)state;
    vb_session *session;
    vb_workspace *w;
    uint32_t tokens[8];
    fill(tokens, 8, 4);
    must(vb_session_open(model, 10, &session, &e));
    must(vb_workspace_open(model, 32, 10, 1, &w, &e));
    const vb_batch_item item = {session, tokens, 8, 2};
    assert_int_equal(vb_forward(model, w, &item, 1, refuse, NULL, &e), VB_ECANCELLED);
    assert_int_equal(vb_session_length(session), 0);
    vb_workspace_close(w);
    vb_session_close(session);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),   cmocka_unit_test(test_beside_others),
        cmocka_unit_test(test_truncate), cmocka_unit_test(test_errors),
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_listed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
