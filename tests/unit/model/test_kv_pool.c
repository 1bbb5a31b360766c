/*
 * Pages of the KV cache: whatever pages a sequence has, whoever shares them and whatever was in
 * them, its logits are those of a sequence alone; and every page comes back.
 */
#include "support/testing.h"

#include <stdlib.h>
#include <string.h>

#include "gguf/gguf.h"
#include "kernels/kernels.h"
#include "model/internal.h"
#include "model/kv_pool.h"

enum { N = 600, PAGE = VB_ATTN_CHUNK, PAGES = 12, BATCH = 128 };

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, long offset);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, long offset);

static long until_failure = -1; /* allocations that still succeed; -1: all */

static bool fails_now(void) {
    return until_failure >= 0 && until_failure-- == 0;
}

void *__wrap_malloc(size_t n) {
    return fails_now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size) {
    return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, long offset) {
    return fails_now() ? (void *)-1 : __real_mmap(at, n, prot, flags, fd, offset);
}

static vb_gguf *gguf;
static vb_model *model;
static vb_workspace *workspace;
static vb_kv_pool *pool;
static size_t n_vocab;
static uint32_t tokens[N], other[N];
static float *want, *want_other; /* [N][n_vocab] */
static vb_error e;

static void must(vb_err err) {
    if (err) {
        fail_msg("%s: %s", vb_err_name(err), e.msg);
    }
}

/* Compares (or, with no row to compare with, collects) the logits from position `base` on. */
typedef struct sink {
    const float *want;
    float *rows;
    size_t base;
} sink;

static vb_err look(void *user, size_t item, size_t index, const float *logits) {
    sink *s = user;
    (void)item;
    const size_t at = (s->base + index) * n_vocab, n_bytes = n_vocab * sizeof *logits;
    if (s->want && memcmp(s->want + at, logits, n_bytes) != 0) {
        fail_msg("the logits after token %zu differ", s->base + index);
    } else if (!s->want) {
        memcpy(s->rows + at, logits, n_bytes);
    }
    return VB_OK;
}

/* The session goes on with text[its length .. end), and its logits are compared. */
static vb_err go_on(vb_session *s, const uint32_t *text, const float *reference, size_t end) {
    while (vb_session_length(s) < end) {
        sink k = {reference, NULL, vb_session_length(s)};
        const size_t left = end - k.base;
        const vb_batch_item item = {s, text + k.base, left < BATCH ? left : BATCH, 0};
        vb_err err = vb_forward(model, workspace, &item, 1, look, &k, &e);
        if (err) {
            return err;
        }
    }
    return VB_OK;
}

static float *reference_of(const uint32_t *text) {
    sink s = {NULL, malloc(N * n_vocab * sizeof(float)), 0};
    vb_session *session;
    vb_workspace *w;
    assert_non_null(s.rows);
    must(vb_session_open(model, N, &session, &e));
    must(vb_workspace_open(model, 300, N, 2, &w, &e));
    for (; s.base < N; s.base += 300) {
        const vb_batch_item item = {session, text + s.base, 300, 0};
        must(vb_forward(model, w, &item, 1, look, &s, &e));
    }
    vb_workspace_close(w);
    vb_session_close(session);
    return s.rows;
}

static int setup(void **state) {
    (void)state;
    vb_model_options options = {.n_threads = 1};
    must(vb_kernels_select(NULL, &options.kernels, &e));
    must(vb_gguf_open(vb_test_source("models/verbatim-demo/verbatim-demo-q8_0.gguf"), &gguf, &e));
    must(vb_model_load(gguf, &options, &model, &e));
    must(vb_workspace_open(model, BATCH, N, 1, &workspace, &e));
    const vb_model_config *c = vb_model_get_config(model);
    n_vocab = c->n_vocab;
    /* The two texts agree up to token 520. */
    uint64_t seed = 1, second = 2;
    for (size_t i = 0; i < N; i++) {
        tokens[i] = (uint32_t)(vb_test_random(&seed) % n_vocab);
        other[i] = i < 520 ? tokens[i] : (uint32_t)(vb_test_random(&second) % n_vocab);
    }
    want = reference_of(tokens);
    want_other = reference_of(other);
    must(vb_kv_pool_open(model, PAGES * vb_kv_page_bytes(c), &pool, &e));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    vb_kv_pool_close(pool);
    free(want);
    free(want_other);
    vb_workspace_close(workspace);
    vb_model_close(model);
    vb_gguf_close(gguf);
    return 0;
}

static vb_session *session_of(size_t ctx_tokens) {
    vb_session *s = NULL;
    must(vb_session_open_in(pool, ctx_tokens, &s, &e));
    return s;
}

/* Every value of every free page becomes a signalling NaN of binary16. */
static void poison(void) {
    for (size_t i = 0; i < pool->n_free; i++) {
        uint16_t *p = vb_kv_pool_data(pool, pool->free_pages[i]);
        for (size_t j = 0; j < pool->page_elements; j++) {
            p[j] = 0x7d01;
        }
    }
}

static void test_budget(void **state) {
    (void)state;
    const uint64_t page = vb_kv_page_bytes(vb_model_get_config(model));
    vb_kv_pool *p = NULL;
    assert_int_equal(page, 4 * 2 * 2 * 64 * PAGE * 2); /* layers, heads, key and value, f16 */
    assert_int_equal(vb_kv_pool_open(model, page - 1, &p, &e), VB_EINVAL);
    assert_non_null(strstr(e.msg, "at least one page of 524288 bytes"));
    assert_int_equal(vb_kv_pool_open(model, UINT64_MAX, &p, &e), VB_ELIMIT);
    assert_int_equal(vb_kv_pool_open(model, (uint64_t)1 << 48, &p, &e), VB_ENOMEM);
    assert_null(p);
    must(vb_kv_pool_open(model, 3 * page - 1, &p, &e));
    assert_int_equal(vb_kv_pool_pages(p), 2);
    assert_int_equal(vb_kv_pool_free_pages(p), 2);
    vb_kv_pool_close(p);
    assert_int_equal(vb_kv_pool_pages(pool), PAGES);
}

/* Three sessions grow in turns, so that none has neighbouring pages, in pages full of NaNs. */
static void test_scattered(void **state) {
    (void)state;
    vb_session *s[3];
    poison();
    for (size_t i = 0; i < 3; i++) {
        s[i] = session_of(N);
    }
    for (size_t end = 100; end <= N; end += 100) {
        for (size_t i = 0; i < 3; i++) {
            must(go_on(s[i], i == 1 ? other : tokens, i == 1 ? want_other : want, end));
        }
    }
    assert_int_equal(vb_kv_pool_free_pages(pool), PAGES - 9);
    vb_session_truncate(s[0], 512);
    assert_int_equal(vb_session_pages(s[0]), 2);
    vb_session_truncate(s[1], 0);
    assert_int_equal(vb_kv_pool_free_pages(pool), PAGES - 5);
    poison();
    must(go_on(s[0], tokens, want, N));
    must(go_on(s[1], tokens, want, N));
    for (size_t i = 0; i < 3; i++) {
        vb_session_close(s[i]);
    }
    assert_int_equal(vb_kv_pool_free_pages(pool), PAGES);
}

static void test_full(void **state) {
    (void)state;
    vb_session *s[5], *copy = NULL;
    for (size_t i = 0; i < 4; i++) {
        s[i] = session_of(N);
        must(go_on(s[i], tokens, want, N));
    }
    s[4] = session_of(N);
    assert_int_equal(go_on(s[4], tokens, want, 10), VB_ELIMIT);
    assert_non_null(strstr(e.msg, "the KV cache is full: all its 12 pages are in use"));
    assert_int_equal(vb_session_length(s[4]), 0);
    assert_int_equal(vb_session_fork(s[0], N, &copy, &e), VB_ELIMIT); /* its last page */
    assert_null(copy);
    /* One free page, two wanted: the session is as it was, and goes on when there is room. */
    vb_session_truncate(s[0], 512);
    vb_session_truncate(s[1], 250);
    vb_session_truncate(s[2], 512);
    must(go_on(s[4], tokens, want, 250));
    must(go_on(s[0], tokens, want, N));
    must(go_on(s[2], tokens, want, N));
    must(go_on(s[1], tokens, want, 257));
    assert_int_equal(vb_kv_pool_free_pages(pool), 0);
    assert_int_equal(go_on(s[4], tokens, want, N), VB_ELIMIT);
    assert_int_equal(vb_session_length(s[4]), 250);
    vb_session_close(s[3]);
    must(go_on(s[4], tokens, want, N));
    vb_session_close(s[0]);
    vb_session_close(s[1]);
    vb_session_close(s[2]);
    vb_session_close(s[4]);
    assert_int_equal(vb_kv_pool_free_pages(pool), PAGES);
}

/* At every kind of length: a full last page, one token in it, most of it. */
static void test_fork(void **state) {
    (void)state;
    static const size_t lengths[] = {1, 255, 256, 257, 511, 512, 520};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        const size_t n = lengths[i], full = n / PAGE, partial = n % PAGE != 0;
        vb_session *a = session_of(N), *b = NULL, *c = NULL;
        poison();
        must(go_on(a, tokens, want, n));
        must(vb_session_fork(a, N, &b, &e));
        must(vb_session_fork(a, n, &c, &e)); /* no room for more: never written */
        assert_int_equal(vb_session_length(b), n);
        assert_int_equal(vb_kv_pool_free_pages(pool), PAGES - full - 3 * partial);
        for (size_t p = 0; p < full; p++) {
            assert_int_equal(vb_session_page(a, p), vb_session_page(b, p));
            assert_int_equal(vb_kv_pool_users(pool, vb_session_page(a, p)), 3);
        }
        for (size_t end = n; end < N; end++) { /* in turns */
            must(go_on(b, other, want_other, end + 1));
            must(go_on(a, tokens, want, end + 1));
            end += 9;
        }
        vb_session_close(a);
        must(go_on(b, other, want_other, N));
        vb_session_close(b);
        vb_session_close(c);
        assert_int_equal(vb_kv_pool_free_pages(pool), PAGES);
    }
}

/* Cutting back into a page that another session uses, and going on otherwise, leaves it alone. */
static void test_shared_page_is_not_written(void **state) {
    (void)state;
    vb_session *a = session_of(N), *b = NULL;
    must(go_on(a, tokens, want, 512));
    must(vb_session_fork(a, N, &b, &e));
    vb_session_truncate(b, 300);
    assert_int_equal(vb_kv_pool_users(pool, vb_session_page(a, 1)), 2);
    uint32_t wrong[N];
    for (size_t i = 0; i < N; i++) {
        wrong[i] = i < 300 ? tokens[i] : 7;
    }
    vb_batch_item item = {b, wrong + 300, 100, 100};
    must(vb_forward(model, workspace, &item, 1, NULL, NULL, &e));
    assert_int_not_equal(vb_session_page(a, 1), vb_session_page(b, 1));
    assert_int_equal(vb_kv_pool_users(pool, vb_session_page(a, 1)), 1);
    must(go_on(a, tokens, want, N));
    vb_session_truncate(b, 300);
    must(go_on(b, tokens, want, N));
    vb_session_close(a);
    vb_session_close(b);
    assert_int_equal(vb_kv_pool_free_pages(pool), PAGES);
}

static void test_adopt_and_exchange(void **state) {
    (void)state;
    vb_session *a = session_of(N), *b = session_of(N);
    must(go_on(a, tokens, want, N));
    must(go_on(b, other, want_other, 256));
    const uint32_t own = vb_session_page(b, 0);
    vb_session_exchange(b, 0, vb_session_page(a, 0));
    assert_int_equal(vb_kv_pool_users(pool, own), 0);
    assert_int_equal(vb_session_page(b, 0), vb_session_page(a, 0));
    vb_session_adopt(b, vb_session_page(a, 1));
    assert_int_equal(vb_session_length(b), 512);
    assert_int_equal(vb_kv_pool_free_pages(pool), PAGES - 3);
    /* The pages outlive the session that made them. */
    vb_kv_pool_keep(pool, vb_session_page(a, 1));
    vb_session_close(a);
    poison();
    must(go_on(b, other, want_other, N));
    const uint32_t kept = vb_session_page(b, 1);
    vb_session_close(b);
    assert_int_equal(vb_kv_pool_free_pages(pool), PAGES - 1);
    vb_kv_pool_drop(pool, kept);
    assert_int_equal(vb_kv_pool_free_pages(pool), PAGES);
}

/* Opens all there is, with the nth allocation failing; true when it succeeded. */
static bool open_all(long nth) {
    vb_kv_pool *p = NULL;
    vb_session *a = NULL, *b = NULL, *c = NULL;
    until_failure = nth;
    vb_err err = vb_kv_pool_open(model, 2 * vb_kv_page_bytes(vb_model_get_config(model)), &p, &e);
    if (!err) {
        err = vb_session_open_in(p, N, &a, &e);
    }
    if (!err) {
        err = vb_session_fork(a, N, &b, &e);
    }
    if (!err) {
        err = vb_session_open(model, N, &c, &e);
    }
    until_failure = -1;
    assert_true(err == VB_OK || err == VB_ENOMEM);
    vb_session_close(c);
    vb_session_close(b);
    vb_session_close(a);
    vb_kv_pool_close(p);
    return err == VB_OK;
}

static void test_failed_allocations(void **state) {
    (void)state;
    long n = 0;
    while (!open_all(n)) {
        n++;
    }
    assert_true(n >= 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_scattered),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_shared_page_is_not_written),
        cmocka_unit_test(test_adopt_and_exchange),
        cmocka_unit_test(test_failed_allocations),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
