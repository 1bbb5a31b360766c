/*
 * The frozen vectors of spec/vectors, which a second implementation made from the text of the
 * specification, against every tier that this build has and this processor can run.
 */
#include <string.h>

#include "support/testing.h"

#include "arith/attention.h"
#include "arith/exp.h"
#include "arith/rope.h"
#include "arith/trig.h"
#include "kernels/kernels.h"
#include "vectors/vectors.h"

enum { TIERS_MAX = 8 };

static const vb_kernels *tiers[TIERS_MAX];
static size_t n_tiers;

typedef void (*check_fn)(const vectors_case *c, const vb_kernels *k);

/* Every case of a kind with every tier. */
static void each(const char *kind, check_fn check) {
    size_t n = vectors_open(kind);
    for (size_t i = 0; i < n; i++) {
        vectors_case c = vectors_at(i);
        for (size_t t = 0; t < n_tiers; t++) {
            check(&c, tiers[t]);
        }
    }
    vectors_close();
}

static void test_exp(void **state) {
    (void)state;
    size_t n = vectors_open("exp");
    for (size_t i = 0; i < n; i++) {
        vectors_case c = vectors_at(i);
        size_t n_x;
        float *x = vectors_f32(c.in, "x", &n_x);
        for (size_t j = 0; j < n_x; j++) {
            x[j] = vb_exp(x[j]);
        }
        vectors_expect_f32(&c, "definition", "y", x, n_x);
    }
    vectors_close();
}

static void check_silu(const vectors_case *c, const vb_kernels *k) {
    size_t n;
    float *x = vectors_f32(c->in, "x", &n);
    float *ones = vectors_alloc(n * sizeof *ones);
    float *y = vectors_alloc(n * sizeof *y);
    for (size_t i = 0; i < n; i++) {
        ones[i] = 1.0f;
    }
    k->silu_mul(x, ones, n, y);
    vectors_expect_f32(c, k->name, "y", y, n);
}

static void check_silu_mul(const vectors_case *c, const vb_kernels *k) {
    size_t n, n_up;
    float *gate = vectors_f32(c->in, "gate", &n);
    float *up = vectors_f32(c->in, "up", &n_up);
    assert_int_equal(n, n_up);
    k->silu_mul(gate, up, n, gate);
    vectors_expect_f32(c, k->name, "y", gate, n);
}

static void check_rmsnorm(const vectors_case *c, const vb_kernels *k) {
    size_t n, n_w, n_eps;
    float *x = vectors_f32(c->in, "x", &n);
    float *w = vectors_f32(c->in, "w", &n_w);
    float *eps = vectors_f32(c->in, "eps", &n_eps);
    assert_true(n == n_w && n_eps == 1);
    float *y = vectors_alloc(n * sizeof *y);
    k->rmsnorm(x, w, n, eps[0], y);
    vectors_expect_f32(c, k->name, "y", y, n);
}

static void check_add(const vectors_case *c, const vb_kernels *k) {
    size_t n, n_x;
    float *y = vectors_f32(c->in, "y", &n);
    float *x = vectors_f32(c->in, "x", &n_x);
    assert_int_equal(n, n_x);
    k->add(y, x, n);
    vectors_expect_f32(c, k->name, "y", y, n);
}

/* The rows of a vb_act, of exactly their sizes. */
typedef struct act {
    int8_t *q;
    float *d, *du;
    int32_t *u, *u_lo;
} act;

static act act_alloc(size_t n) {
    size_t blocks = n / VB_BLOCK;
    return (act){vectors_alloc(n), vectors_alloc(blocks * sizeof(float)),
                 vectors_alloc(blocks * sizeof(float)), vectors_alloc(blocks * sizeof(int32_t)),
                 vectors_alloc(blocks * sizeof(int32_t))};
}

static void check_quantize(const vectors_case *c, const vb_kernels *k) {
    size_t n;
    float *x = vectors_f32(c->in, "x", &n);
    act a = act_alloc(n);
    bool finite = k->quantize(x, n, a.q, a.d, a.u, a.u_lo, a.du);
    if (finite != vectors_bool(c->out, "finite")) {
        fail_msg("%s, %s: quantize says %d", c->name, k->name, finite);
    }
    if (finite) {
        vectors_expect_i8(c, k->name, "q", a.q, n);
        vectors_expect_f32(c, k->name, "d", a.d, n / VB_BLOCK);
        vectors_expect_i32(c, k->name, "u", a.u, n / VB_BLOCK);
        vectors_expect_i32(c, k->name, "u_lo", a.u_lo, n / VB_BLOCK);
        vectors_expect_f32(c, k->name, "du", a.du, n / VB_BLOCK);
    }
}

/* Quantises `tokens` rows by the tier under test. */
static vb_act make_act(const vb_kernels *k, const float *x, size_t tokens, size_t cols,
                       bool is_float) {
    vb_act out = {.rows = tokens, .cols = cols, .x = x};
    if (!is_float) {
        act a = act_alloc(tokens * cols);
        size_t blocks = cols / VB_BLOCK;
        for (size_t t = 0; t < tokens; t++) {
            size_t b = t * blocks;
            assert_true(k->quantize(x + t * cols, cols, a.q + t * cols, a.d + b, a.u + b,
                                    a.u_lo + b, a.du + b));
        }
        out.q = a.q, out.d = a.d, out.u = a.u, out.u_lo = a.u_lo, out.du = a.du;
    }
    return out;
}

static void check_products(const vectors_case *c, const vb_kernels *k) {
    vb_matrix m = {.k = k};
    assert_true(vb_wtype_by_name(vectors_text(c->in, "type"), &m.type));
    m.rows = vectors_size(c->in, "rows");
    m.cols = vectors_size(c->in, "cols");
    size_t tokens = vectors_size(c->in, "tokens"), n_x, n_bytes;
    const float *x = vectors_f32(c->in, "x", &n_x);
    const uint8_t *bytes = vectors_bytes(c->in, "weights", &n_bytes);
    const vb_wtype_info *info = vb_wtype_get((uint32_t)m.type);
    assert_int_equal(n_x, tokens * m.cols);
    assert_int_equal(n_bytes, m.rows * (m.cols / info->block_values) * info->block_bytes);

    size_t packed = k->pack_bytes(m.type, m.rows, m.cols);
    assert_true(packed > 0);
    m.data = vectors_alloc(packed);
    k->pack(&m, bytes, 0, m.rows);

    float *values = vectors_alloc(m.rows * m.cols * sizeof *values);
    for (size_t r = 0; r < m.rows; r++) {
        k->unpack_row(&m, r, values + r * m.cols);
    }
    vectors_expect_f32(c, k->name, "values", values, m.rows * m.cols);

    vb_act a = make_act(k, x, tokens, m.cols, info->is_float);
    float *y = vectors_alloc(tokens * m.rows * sizeof *y);
    k->matmul(&m, 0, m.rows, &a, y, m.rows);
    vectors_expect_f32(c, k->name, "y", y, tokens * m.rows);

    /* Each token alone gives the same. */
    memset(y, 0xff, tokens * m.rows * sizeof *y);
    for (size_t t = 0; t < tokens; t++) {
        vb_act one = make_act(k, x + t * m.cols, 1, m.cols, info->is_float);
        k->matmul(&m, 0, m.rows, &one, y + t * m.rows, m.rows);
    }
    vectors_expect_f32(c, k->name, "y", y, tokens * m.rows);
}

static void test_f64(void **state) {
    (void)state;
    static const struct {
        const char *name;
        double (*function)(double);
    } functions[] = {
        {"exp2", vb_exp2_f64}, {"log2", vb_log2_f64}, {"sin", vb_sin_f64}, {"cos", vb_cos_f64}};
    enum { FUNCTIONS = sizeof functions / sizeof functions[0] };
    size_t n = vectors_open("f64");
    assert_int_equal(n, FUNCTIONS);
    for (size_t i = 0; i < n; i++) {
        vectors_case c = vectors_at(i);
        assert_string_equal(vectors_text(c.in, "function"), functions[i].name);
        size_t n_x;
        double *x = vectors_f64(c.in, "x", &n_x);
        for (size_t j = 0; j < n_x; j++) {
            x[j] = functions[i].function(x[j]);
        }
        vectors_expect_f64(&c, "definition", "y", x, n_x);
    }
    vectors_close();
}

static double real(json_t *o, const char *field) {
    size_t n;
    const double *v = vectors_f64(o, field, &n);
    assert_int_equal(n, 1);
    return v[0];
}

static vb_rope_params rope_params(json_t *in) {
    const char *scaling = vectors_text(in, "scaling");
    size_t n_factors = 0;
    vb_rope_params p = {.n_rot = vectors_size(in, "n_rot"),
                        .base = real(in, "base"),
                        .kind = VB_ROPE_KIND_NONE,
                        .factor = real(in, "factor"),
                        .ctx_orig = vectors_size(in, "ctx_orig"),
                        .ext_factor = real(in, "ext_factor"),
                        .attn_factor = real(in, "attn_factor"),
                        .beta_fast = real(in, "beta_fast"),
                        .beta_slow = real(in, "beta_slow")};
    if (strcmp(scaling, "linear") == 0) {
        p.kind = VB_ROPE_KIND_LINEAR;
    } else if (strcmp(scaling, "yarn") == 0) {
        p.kind = VB_ROPE_KIND_YARN;
    } else if (strcmp(scaling, "factors") == 0) {
        p.kind = VB_ROPE_KIND_FACTORS;
        p.factors = vectors_f32(in, "factors", &n_factors);
        assert_int_equal(n_factors, p.n_rot / 2);
    } else {
        assert_string_equal(scaling, "none");
    }
    return p;
}

static void test_rope(void **state) {
    (void)state;
    size_t n = vectors_open("rope");
    for (size_t i = 0; i < n; i++) {
        vectors_case c = vectors_at(i);
        vb_rope_params p = rope_params(c.in);
        size_t half = p.n_rot / 2, n_positions;
        const int64_t *positions = vectors_ints(c.in, "positions", &n_positions);
        double *freq = vectors_alloc(half * sizeof *freq), mscale;
        assert_true(vb_rope_freqs(&p, freq, &mscale));
        vectors_expect_f64(&c, "definition", "freqs", freq, half);
        vectors_expect_f64(&c, "definition", "mscale", &mscale, 1);
        float *cos_rows = vectors_alloc(n_positions * half * sizeof *cos_rows);
        float *sin_rows = vectors_alloc(n_positions * half * sizeof *sin_rows);
        for (size_t j = 0; j < n_positions; j++) {
            vb_rope_row(freq, half, mscale, (uint64_t)positions[j], cos_rows + j * half,
                        sin_rows + j * half);
        }
        vectors_expect_f32(&c, "definition", "cos", cos_rows, n_positions * half);
        vectors_expect_f32(&c, "definition", "sin", sin_rows, n_positions * half);
    }
    vectors_close();
}

static void check_rotate(const vectors_case *c, const vb_kernels *k) {
    size_t heads = vectors_size(c->in, "heads"), head_dim = vectors_size(c->in, "head_dim");
    size_t n_rot = vectors_size(c->in, "n_rot"), n, n_cos, n_sin;
    float *x = vectors_f32(c->in, "x", &n);
    const float *cos_row = vectors_f32(c->in, "cos", &n_cos);
    const float *sin_row = vectors_f32(c->in, "sin", &n_sin);
    assert_true(n == heads * head_dim && n_cos == n_rot / 2 && n_sin == n_rot / 2);
    bool neox = strcmp(vectors_text(c->in, "style"), "neox") == 0;
    k->rope(x, heads, head_dim, n_rot, neox ? VB_ROPE_NEOX : VB_ROPE_NORM, cos_row, sin_row);
    vectors_expect_f32(c, k->name, "y", x, n);
}

/* Where dimension i of the key at a slot lies in a page: kernels.h. */
static size_t key_at(size_t head_dim, size_t slot, size_t i) {
    return (slot / 16 * head_dim + i) * 16 + slot % 16;
}

static void check_kv(const vectors_case *c, const vb_kernels *k) {
    size_t n;
    const float *x = vectors_f32(c->in, "x", &n);
    size_t page = VB_ATTN_CHUNK * n;
    float *zeros = vectors_alloc(n * sizeof *zeros);
    uint16_t *h = vectors_alloc(n * sizeof *h);
    for (size_t slot = 0; slot < VB_ATTN_CHUNK; slot += 85) {
        uint16_t *keys = vectors_alloc(page * sizeof *keys);
        uint16_t *values = vectors_alloc(page * sizeof *values);
        bool as_key = k->kv_store(x, zeros, n, keys, values, slot);
        bool as_value = k->kv_store(zeros, x, n, keys, values, (slot + 1) % VB_ATTN_CHUNK);
        bool finite = vectors_bool(c->out, "finite");
        if (as_key != finite || as_value != finite) {
            fail_msg("%s, %s: kv_store says %d and %d", c->name, k->name, as_key, as_value);
        }
        if (!finite) {
            continue;
        }
        vectors_expect_f16(c, k->name, "h", values + (slot + 1) % VB_ATTN_CHUNK * n, n);
        for (size_t i = 0; i < n; i++) {
            h[i] = keys[key_at(n, slot, i)];
        }
        vectors_expect_f16(c, k->name, "h", h, n);
    }
}

/* Lays keys out in pages; what no key covers is NaN, which must not matter. */
static void fill_pages(const vectors_case *c, size_t head_dim, size_t n_keys, uint16_t **key_pages,
                       uint16_t **value_pages) {
    size_t n_k, n_v, page = VB_ATTN_CHUNK * head_dim;
    const uint16_t *keys = vectors_f16(c->in, "k", &n_k);
    const uint16_t *values = vectors_f16(c->in, "v", &n_v);
    assert_true(n_k == n_keys * head_dim && n_v == n_k);
    for (size_t j = 0; j < n_keys; j++) {
        size_t p = j / VB_ATTN_CHUNK, slot = j % VB_ATTN_CHUNK;
        if (slot == 0) {
            key_pages[p] = vectors_alloc(page * sizeof(uint16_t));
            value_pages[p] = vectors_alloc(page * sizeof(uint16_t));
            for (size_t i = 0; i < page; i++) {
                key_pages[p][i] = value_pages[p][i] = 0x7e00;
            }
        }
        for (size_t i = 0; i < head_dim; i++) {
            key_pages[p][key_at(head_dim, slot, i)] = keys[j * head_dim + i];
            value_pages[p][slot * head_dim + i] = values[j * head_dim + i];
        }
    }
}

static void check_attention(const vectors_case *c, const vb_kernels *k) {
    enum { PAGES_MAX = 16, QUERIES_MAX = 8 };
    size_t queries = vectors_size(c->in, "queries"), head_dim = vectors_size(c->in, "head_dim");
    size_t n_keys = vectors_size(c->in, "keys"), n_q, n_scale;
    size_t pages = (n_keys + VB_ATTN_CHUNK - 1) / VB_ATTN_CHUNK;
    assert_true(pages <= PAGES_MAX && queries <= QUERIES_MAX);
    const float *q = vectors_f32(c->in, "q", &n_q);
    const float *scale = vectors_f32(c->out, "scale", &n_scale);
    assert_true(n_q == queries * head_dim && n_scale == 1);
    float defined = vb_attention_scale(head_dim);
    vectors_expect_f32(c, "definition", "scale", &defined, 1);

    uint16_t *key_pages[PAGES_MAX], *value_pages[PAGES_MAX];
    const uint16_t *const_keys[PAGES_MAX], *const_values[PAGES_MAX];
    fill_pages(c, head_dim, n_keys, key_pages, value_pages);
    for (size_t p = 0; p < pages; p++) {
        const_keys[p] = key_pages[p];
        const_values[p] = value_pages[p];
    }
    size_t counts[QUERIES_MAX];
    for (size_t i = 0; i < queries; i++) {
        counts[i] = n_keys;
    }
    float *scratch =
        vectors_alloc(vb_attention_scratch_floats(queries, n_keys, head_dim) * sizeof *scratch);
    float *y = vectors_alloc(n_q * sizeof *y);
    k->attention(q, head_dim, queries, counts, head_dim, const_keys, const_values, scale[0],
                 scratch, y, head_dim);
    vectors_expect_f32(c, k->name, "y", y, n_q);
}

#define EACH(name, kind)                                                                           \
    static void test_##name(void **state) {                                                        \
        (void)state;                                                                               \
        each(kind, check_##name);                                                                  \
    }
EACH(silu, "silu")
EACH(silu_mul, "silu_mul")
EACH(rmsnorm, "rmsnorm")
EACH(add, "add")
EACH(quantize, "quantize")
EACH(products, "products")
EACH(rotate, "rotate")
EACH(kv, "kv")
EACH(attention, "attention")

int main(void) {
    n_tiers = vb_kernels_list(tiers, TIERS_MAX);
    for (size_t i = 0; i < n_tiers; i++) {
        print_message("tier %s\n", tiers[i]->name);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp),      cmocka_unit_test(test_silu),
        cmocka_unit_test(test_silu_mul), cmocka_unit_test(test_rmsnorm),
        cmocka_unit_test(test_add),      cmocka_unit_test(test_quantize),
        cmocka_unit_test(test_products), cmocka_unit_test(test_rope),
        cmocka_unit_test(test_f64),      cmocka_unit_test(test_rotate),
        cmocka_unit_test(test_kv),       cmocka_unit_test(test_attention),
    };
    return n_tiers ? cmocka_run_group_tests_name("vectors", tests, NULL, NULL) : 1;
}
