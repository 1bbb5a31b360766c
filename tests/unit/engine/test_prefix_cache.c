/*
 * Which pages the prefix cache finds, shares and gives up: by their tokens and all before them,
 * whatever the keys are.
 */
#include "support/testing.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/sha256.h"
#include "engine/prefix_cache.h"

enum { PAGE = VB_ATTN_CHUNK, PAGES = 12, CTX = 1024 };

void __real_vb_sha256_end(vb_sha256 *s, uint8_t out[VB_SHA256_BYTES]);
void __wrap_vb_sha256_end(vb_sha256 *s, uint8_t out[VB_SHA256_BYTES]);

static bool keys_collide;

void __wrap_vb_sha256_end(vb_sha256 *s, uint8_t out[VB_SHA256_BYTES]) {
    __real_vb_sha256_end(s, out);
    if (keys_collide) {
        memset(out, 7, VB_SHA256_BYTES);
    }
}

static vb_gguf *gguf;
static vb_model *model;
static vb_workspace *workspace;
static vb_kv_pool *pool;
static vb_prefix_cache *cache;
static vb_error e;

/* A sequence and where it is in the cache. */
typedef struct sequence {
    vb_session *session;
    vb_prefix_place place;
} sequence;

static void must(vb_err err) {
    if (err) {
        fail_msg("%s: %s", vb_err_name(err), e.msg);
    }
}

static int setup(void **state) {
    (void)state;
    vb_model_options options = {.n_threads = 1};
    must(vb_kernels_select(NULL, &options.kernels, &e));
    must(vb_gguf_open(vb_test_source("models/verbatim-demo/verbatim-demo-q8_0.gguf"), &gguf, &e));
    must(vb_model_load(gguf, &options, &model, &e));
    must(vb_workspace_open(model, PAGE, CTX, 1, &workspace, &e));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    vb_workspace_close(workspace);
    vb_model_close(model);
    vb_gguf_close(gguf);
    return 0;
}

static int open_cache(void **state) {
    (void)state;
    must(vb_kv_pool_open(model, PAGES * vb_kv_page_bytes(vb_model_get_config(model)), &pool, &e));
    must(vb_prefix_cache_open(pool, &cache, &e));
    return 0;
}

static int close_cache(void **state) {
    (void)state;
    keys_collide = false;
    vb_prefix_cache_close(cache);
    assert_int_equal(vb_kv_pool_free_pages(pool), PAGES);
    vb_kv_pool_close(pool);
    return 0;
}

/* Page of one text: 256 tokens named by a letter. */
static const uint32_t *page_of(char letter) {
    static uint32_t tokens[PAGE];
    for (uint32_t i = 0; i < PAGE; i++) {
        tokens[i] = ((uint32_t)letter * 31 + i) % 2000;
    }
    return tokens;
}

/* Goes on with the pages of a text; from the cache as far as it has them. Returns how many came
 * from there. */
static size_t go_on(sequence *q, const char *letters) {
    size_t n = 0;
    for (; letters[n] && vb_prefix_cache_adopt(cache, &q->place, q->session, page_of(letters[n]));
         n++) {
    }
    for (size_t i = n; letters[i]; i++) {
        const vb_batch_item item = {q->session, page_of(letters[i]), PAGE, PAGE};
        assert_true(vb_prefix_cache_make_room(cache, 1));
        must(vb_forward(model, workspace, &item, 1, NULL, NULL, &e));
        vb_prefix_cache_add(cache, &q->place, q->session, page_of(letters[i]));
    }
    return n;
}

static uint64_t owner; /* of the sequences that begin */

static sequence begin(void) {
    sequence q = {NULL, {.owner = owner}};
    must(vb_session_open_in(pool, CTX, &q.session, &e));
    return q;
}

static void end(sequence *q) {
    vb_prefix_cache_touch(cache, q->session);
    vb_session_close(q->session);
}

/* Runs a text from its beginning to its end. */
static size_t run(const char *letters) {
    sequence q = begin();
    const size_t n = go_on(&q, letters);
    end(&q);
    return n;
}

static void test_chains(void **state) {
    (void)state;
    for (int collide = 0; collide < 2; collide++) {
        keys_collide = collide;
        open_cache(state);
        assert_int_equal(run("abc"), 0);
        assert_int_equal(run("abc"), 3);
        assert_int_equal(run("abd"), 2);
        assert_int_equal(run("bc"), 0);  /* these pages, but after others */
        assert_int_equal(run("cab"), 0); /* a, but not first */
        assert_int_equal(run("abcd"), 3);
        assert_int_equal(vb_prefix_cache_idle(cache), vb_prefix_cache_pages(cache));
        close_cache(state);
    }
}

/* What one owner leaves, another does not find. */
static void test_owners(void **state) {
    (void)state;
    for (int collide = 0; collide < 2; collide++) {
        keys_collide = collide;
        open_cache(state);
        owner = 1;
        assert_int_equal(run("ab"), 0);
        owner = 2;
        assert_int_equal(run("ab"), 0);
        assert_int_equal(run("abc"), 2);
        owner = 1;
        assert_int_equal(run("abc"), 2);
        owner = 0;
        assert_int_equal(run("ab"), 0);
        close_cache(state);
    }
    keys_collide = false;
}

/* Two sequences that compute the same at once end up with one page. */
static void test_equal_pages_become_one(void **state) {
    (void)state;
    open_cache(state);
    sequence a = begin(), b = begin();
    const vb_batch_item items[] = {{a.session, page_of('x'), PAGE, PAGE},
                                   {b.session, page_of('x'), PAGE, PAGE}};
    for (size_t i = 0; i < 2; i++) {
        must(vb_forward(model, workspace, &items[i], 1, NULL, NULL, &e));
    }
    assert_int_equal(vb_kv_pool_free_pages(pool), PAGES - 2);
    vb_prefix_cache_add(cache, &a.place, a.session, page_of('x'));
    vb_prefix_cache_add(cache, &b.place, b.session, page_of('x'));
    assert_int_equal(vb_session_page(a.session, 0), vb_session_page(b.session, 0));
    assert_int_equal(vb_kv_pool_free_pages(pool), PAGES - 1);
    assert_int_equal(vb_kv_pool_users(pool, a.place.last), 3);
    assert_int_equal(vb_prefix_cache_idle(cache), 0);
    end(&a);
    end(&b);
    assert_int_equal(vb_prefix_cache_idle(cache), 1);
    close_cache(state);
}

/* The longest unused goes first, the end of a chain before its beginning, a page in use never. */
static void test_eviction(void **state) {
    (void)state;
    open_cache(state);
    sequence u = begin();
    go_on(&u, "pq");
    vb_session_close(u.session); /* p was used before q, and stays nevertheless */
    assert_true(vb_prefix_cache_make_room(cache, PAGES - 1));
    assert_int_equal(run("p"), 1);
    assert_true(vb_prefix_cache_make_room(cache, PAGES));
    run("abc");
    run("xy");
    run("ab"); /* used again: c and xy are older now */
    assert_int_equal(vb_kv_pool_free_pages(pool), PAGES - 5);
    assert_true(vb_prefix_cache_make_room(cache, PAGES - 4));
    assert_int_equal(run("ab"), 2); /* c is gone */
    assert_true(vb_prefix_cache_make_room(cache, PAGES - 3));
    assert_int_equal(vb_prefix_cache_pages(cache), 3); /* y is gone */
    sequence q = begin();
    assert_int_equal(go_on(&q, "x"), 1);
    assert_true(vb_prefix_cache_make_room(cache, PAGES - 1));
    assert_false(vb_prefix_cache_make_room(cache, PAGES)); /* x is in use */
    assert_int_equal(vb_prefix_cache_pages(cache), 1);
    assert_int_equal(vb_prefix_cache_idle(cache), 0);
    end(&q);
    assert_true(vb_prefix_cache_make_room(cache, PAGES));
    assert_int_equal(run("x"), 0);
    close_cache(state);
}

/* More texts than pages, again and again: what is found is always right, nothing is lost. */
static void test_churn(void **state) {
    (void)state;
    uint64_t seed = 4;
    size_t found = 0;
    for (int collide = 0; collide < 2; collide++) {
        keys_collide = collide;
        open_cache(state);
        sequence q[2] = {begin(), begin()};
        for (int i = 0; i < 150; i++) {
            char text[4] = {0};
            sequence *x = &q[vb_test_random(&seed) % 2];
            for (size_t j = 0; j <= vb_test_random(&seed) % 3; j++) {
                text[j] = (char)('a' + vb_test_random(&seed) % 3);
            }
            end(x);
            *x = begin();
            found += go_on(x, text);
            const size_t in_use = vb_prefix_cache_pages(cache) - vb_prefix_cache_idle(cache);
            assert_true(in_use <= vb_session_pages(q[0].session) + vb_session_pages(q[1].session));
            assert_int_equal(vb_prefix_cache_pages(cache) + vb_kv_pool_free_pages(pool), PAGES);
        }
        end(&q[0]);
        end(&q[1]);
        close_cache(state);
    }
    assert_true(found > 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_equal_pages_become_one),
        cmocka_unit_test(test_eviction),
        cmocka_unit_test(test_churn),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
