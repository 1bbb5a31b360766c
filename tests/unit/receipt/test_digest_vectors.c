/*
 * Draw numbers, token digests and traces against spec/vectors/digests.json.
 */
#include <stdlib.h>
#include <string.h>

#include "support/testing.h"

#include "base/bytes.h"
#include "receipt/digests.h"
#include "receipt/trace.h"
#include "vectors/vectors.h"

static void check_draw(const vectors_case *c) {
    size_t n;
    const uint8_t *seed = vectors_bytes(c->in, "seed", &n);
    assert_int_equal(n, VB_SHA256_BYTES);
    uint64_t t = strtoull(vectors_text(c->in, "t"), NULL, 10);
    uint64_t expected = strtoull(vectors_text(c->out, "u"), NULL, 10);
    assert_true(vb_draw_number(seed, t) == expected);
}

static void check_trace(const vectors_case *c) {
    size_t n, n_logits;
    const int64_t *tokens = vectors_ints(c->in, "tokens", &n);
    const float *logits = vectors_f32(c->in, "logits", &n_logits);
    assert_int_equal(n_logits, 4 * n);
    uint32_t *ids = vectors_alloc(n * sizeof *ids);
    json_t *leaves = json_object_get(c->out, "leaves");
    assert_int_equal(json_array_size(leaves), n);
    uint8_t digest[VB_SHA256_BYTES];
    char hex[VB_SHA256_HEX_BYTES];
    vb_trace trace;
    vb_trace_begin(&trace);
    for (size_t t = 0; t < n; t++) {
        ids[t] = (uint32_t)tokens[t];
        vb_trace_leaf(t, ids[t], logits + 4 * t, 4, digest);
        vb_hex_encode(digest, sizeof digest, hex);
        assert_string_equal(hex, json_string_value(json_array_get(leaves, t)));
        vb_trace_add(&trace, digest);
    }
    vb_trace_root(&trace, digest);
    vb_hex_encode(digest, sizeof digest, hex);
    vectors_expect_text(c, "trace", "root", hex);
    vb_digest_tokens(ids, n, digest);
    vb_hex_encode(digest, sizeof digest, hex);
    vectors_expect_text(c, "tokens", "tokens_digest", hex);
}

static void test_digests(void **state) {
    (void)state;
    size_t n = vectors_open("digests");
    for (size_t i = 0; i < n; i++) {
        vectors_case c = vectors_at(i);
        if (json_object_get(c.in, "t")) {
            check_draw(&c);
        } else {
            check_trace(&c);
        }
    }
    vectors_close();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_digests)};
    return cmocka_run_group_tests_name("digest vectors", tests, NULL, NULL);
}
