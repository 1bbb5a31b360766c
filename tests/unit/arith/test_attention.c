/* The cache's layout and rounding, and attention: by hand, in chunks, and where NaN must show. */
#include "support/testing.h"

#include <math.h>
#include <string.h>

#include "arith/attention.h"
#include "arith/bits.h"
#include "arith/exp.h"

enum { DIM = 6, PAGES = 3 };

typedef struct cache {
    uint16_t k[PAGES][256 * DIM], v[PAGES][256 * DIM];
    const uint16_t *k_pages[PAGES], *v_pages[PAGES];
} cache;

static void cache_open(cache *c) {
    memset(c, 0xff, sizeof *c); /* NaN: reading an unset slot shows */
    for (int p = 0; p < PAGES; p++) {
        c->k_pages[p] = c->k[p];
        c->v_pages[p] = c->v[p];
    }
}

static void put(cache *c, size_t j, const float *k, const float *v) {
    assert_true(vb_kv_store(k, v, DIM, c->k[j / 256], c->v[j / 256], j % 256));
}

static void layout_and_rounding(void **state) {
    (void)state;
    static cache c;
    cache_open(&c);
    const float k[DIM] = {1, 2, 3, 4, 5, 6};
    const float v[DIM] = {-1, 65504, 65519.996f, 0x1.002p+0f, 0x1.006p+0f, 0x1p-25f};
    put(&c, 37, k, v);
    for (int i = 0; i < DIM; i++) { /* tile 2, key 5 of it */
        assert_true(vb_f16_to_f32(c.k[0][2 * DIM * 16 + i * 16 + 5]) == k[i]);
    }
    const uint16_t expected[DIM] = {0xbc00, 0x7bff, 0x7bff, 0x3c00, 0x3c02, 0};
    assert_memory_equal(&c.v[0][37 * DIM], expected, sizeof expected);
    int set = 0;
    for (int i = 0; i < 256 * DIM; i++) {
        set += c.k[0][i] != 0xffff;
        set += c.v[0][i] != 0xffff;
    }
    assert_int_equal(set, 2 * DIM);
    for (int i = 0; i < DIM; i++) {
        float bad[DIM] = {0};
        const float values[] = {65520.0f, -1e9f, INFINITY, NAN};
        for (int j = 0; j < 4; j++) {
            bad[i] = values[j];
            assert_false(vb_kv_store(bad, k, DIM, c.k[0], c.v[0], 0));
            assert_false(vb_kv_store(k, bad, DIM, c.k[0], c.v[0], 0));
        }
    }
}

static void scale(void **state) {
    (void)state;
    assert_true(vb_attention_scale(64) == 0.125f && vb_attention_scale(256) == 0.0625f);
    assert_true(vb_attention_scale(96) == 1.0f / sqrtf(96.0f));
    /* Not the rounded exact value: the root is rounded first. */
    assert_true(vb_attention_scale(96) != (float)(1.0 / sqrt(96.0)));
}

static void by_hand(void **state) {
    (void)state;
    static cache c;
    cache_open(&c);
    float scratch[8], out[DIM];
    const float k0[DIM] = {1, 0, 0, 0, 0, 0}, k1[DIM] = {0, 1, 0, 0, 0, 0};
    const float v0[DIM] = {1, 2, 3, 4, 5, 6}, v1[DIM] = {-3, 0, 3, 0.5f, 1, 2};
    const float q[DIM] = {4, 4, 9, 9, 9, 9};
    put(&c, 0, k0, v0);
    put(&c, 1, k1, v1);
    vb_attention_row(q, 1, DIM, c.k_pages, c.v_pages, 0.5f, scratch, out);
    assert_memory_equal(out, v0, sizeof out);
    /* Equal scores: the mean of the two values. */
    vb_attention_row(q, 2, DIM, c.k_pages, c.v_pages, 0.5f, scratch, out);
    for (int i = 0; i < DIM; i++) {
        assert_true(out[i] == (v0[i] + v1[i]) / 2);
    }
    /* Scores 2 and 1: weights 1 and exp(-1). */
    const float r[DIM] = {4, 2, 9, 9, 9, 9};
    vb_attention_row(r, 2, DIM, c.k_pages, c.v_pages, 0.5f, scratch, out);
    float e = vb_exp(-1.0f);
    for (int i = 0; i < DIM; i++) {
        assert_true(out[i] == (v0[i] + e * v1[i]) / (1.0f + e));
    }
}

/* Every score alike, so that each weight is 1 and the sums can be followed by hand: values are
 * added within a chunk of 256 first, and chunk sums then. */
static void chunks(void **state) {
    (void)state;
    static cache c;
    static float scratch[PAGES * 256];
    cache_open(&c);
    const float zero[DIM] = {0}, q[DIM] = {1, 1, 1, 1, 1, 1};
    float out[DIM];
    for (size_t j = 0; j < 600; j++) {
        /* Dimension 0: 2048 early on, then values of 2^-12: alone each vanishes beside 2^19. */
        float v[DIM] = {j < 256 ? 2048.0f : 0x1p-12f, 1.0f, (float)(j % 7), 0, 0, 0};
        put(&c, j, zero, v);
    }
    vb_attention_row(q, 600, DIM, c.k_pages, c.v_pages, 1.0f, scratch, out);
    float first = 256 * 2048.0f, second = 256 * 0x1p-12f, third = 88 * 0x1p-12f;
    assert_true(out[0] == ((first + second) + third) / 600.0f);
    assert_true(first + 0x1p-12f == first && (first + second) + third > first);
    assert_true(out[1] == 1.0f);
    float sevens = 0;
    for (int j = 0; j < 600; j++) {
        sevens += (float)(j % 7);
    }
    assert_true(out[2] == sevens / 600.0f);
    /* 256 keys end with the first page: the second may be absent. */
    const uint16_t *one_k[1] = {c.k_pages[0]}, *one_v[1] = {c.v_pages[0]};
    vb_attention_row(q, 256, DIM, one_k, one_v, 1.0f, scratch, out);
    assert_true(out[0] == 2048.0f);
}

/* Sums over the dimension are sequential and unfused. */
static void score_order(void **state) {
    (void)state;
    static cache c;
    cache_open(&c);
    float scratch[2], out[DIM];
    const float k0[DIM] = {16384, 1, 16384, 0, 0, 0}, k1[DIM] = {0};
    const float v0[DIM] = {1}, v1[DIM] = {0};
    put(&c, 0, k0, v0);
    put(&c, 1, k1, v1);
    const float q[DIM] = {16384, 1, -16384, 0, 0, 0}; /* 2^28 + 1 - 2^28 = 0 in this order */
    vb_attention_row(q, 2, DIM, c.k_pages, c.v_pages, 1.0f, scratch, out);
    assert_true(out[0] == 0.5f);
}

static void infinities_show(void **state) {
    (void)state;
    static cache c;
    cache_open(&c);
    float scratch[3], out[DIM];
    const float k[3][DIM] = {{1, 0}, {-1, 0}, {0, 1}}, v[DIM] = {1, 1, 1, 1, 1, 1};
    for (size_t j = 0; j < 3; j++) {
        put(&c, j, k[j], v);
    }
    const float bad[3] = {INFINITY, -INFINITY, NAN};
    for (int b = 0; b < 3; b++) {
        for (size_t n = 1; n <= 3; n++) {
            float q[DIM] = {0};
            q[0] = bad[b];
            vb_attention_row(q, n, DIM, c.k_pages, c.v_pages, 1.0f, scratch, out);
            for (int i = 0; i < DIM; i++) {
                assert_true(isnan(out[i]));
            }
        }
    }
    /* A finite query whose product overflows to minus infinity: that key weighs nothing. */
    const float low[DIM] = {-0x1p+127f};
    const float k0[DIM] = {1024.0f}, k1[DIM] = {0.0f}, v1[DIM] = {2, 2, 2, 2, 2, 2};
    put(&c, 0, k0, v);
    put(&c, 1, k1, v1);
    vb_attention_row(low, 2, DIM, c.k_pages, c.v_pages, 1.0f, scratch, out);
    assert_memory_equal(out, v1, sizeof out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_and_rounding),
        cmocka_unit_test(scale),
        cmocka_unit_test(by_hand),
        cmocka_unit_test(chunks),
        cmocka_unit_test(score_order),
        cmocka_unit_test(infinities_show),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
