/* The frozen vectors of spec/sampling.md, through the public functions. */
#include <float.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/sha.h>

#include "base/bytes.h"
#include "kernels.h"
#include "sample/sample.h"
#include "sample/stop.h"
#include "sample/truncate.h"
#include "support/testing.h"

enum { VOCAB_MAX = 64, LIST_MAX = 64 };

static json_t *vectors, *constrained;

static json_t *load_file(const char *name) {
    return json_load_file(vb_test_source(name), JSON_REJECT_DUPLICATES, NULL);
}

static int load(void **state) {
    (void)state;
    vectors = load_file("spec/vectors/sampling.json");
    constrained = load_file("spec/vectors/constrained.json");
    return vectors && constrained ? 0 : -1;
}

static int unload(void **state) {
    (void)state;
    json_decref(vectors);
    json_decref(constrained);
    return 0;
}

static uint64_t number(const json_t *value, int base) {
    const char *text = json_string_value(value);
    assert_non_null(text);
    char *end;
    uint64_t x = strtoull(text, &end, base);
    assert_true(*text && !*end);
    return x;
}

static uint64_t decimal_at(const json_t *object, const char *key) {
    return number(json_object_get(object, key), 10);
}

static float float_of(const json_t *value) {
    return vb_f32_from_bits((uint32_t)number(value, 16));
}

static float float_at(const json_t *object, const char *key) {
    return float_of(json_object_get(object, key));
}

static uint32_t int_at(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_integer(value));
    return (uint32_t)json_integer_value(value);
}

static size_t floats_at(const json_t *object, const char *key, float *out) {
    const json_t *list = json_object_get(object, key);
    size_t n = json_array_size(list);
    assert_true(n <= VOCAB_MAX);
    for (size_t i = 0; i < n; i++) {
        out[i] = float_of(json_array_get(list, i));
    }
    return n;
}

static size_t ids_at(const json_t *object, const char *key, uint32_t *out) {
    const json_t *list = json_object_get(object, key);
    size_t n = json_array_size(list);
    assert_true(json_is_array(list) && n <= LIST_MAX);
    for (size_t i = 0; i < n; i++) {
        out[i] = (uint32_t)json_integer_value(json_array_get(list, i));
    }
    return n;
}

static void params_of(const json_t *v, vb_sampling *p) {
    vb_sampling_default(p);
    p->temperature = float_at(v, "temperature");
    p->top_k = int_at(v, "top_k");
    p->top_p = decimal_at(v, "top_p");
    p->min_p = decimal_at(v, "min_p");
    p->presence_penalty = float_at(v, "presence_penalty");
    p->frequency_penalty = float_at(v, "frequency_penalty");
    p->repetition_penalty = float_at(v, "repetition_penalty");
    const json_t *bias = json_object_get(v, "logit_bias");
    p->n_bias = json_array_size(bias);
    for (size_t i = 0; i < p->n_bias; i++) {
        const json_t *pair = json_array_get(bias, i);
        p->bias[i] = (vb_logit_bias){(uint32_t)json_integer_value(json_array_get(pair, 0)),
                                     float_of(json_array_get(pair, 1))};
    }
}

/* The allowed tokens as a mask; without such a member, all. */
static uint64_t allowed_at(const json_t *v) {
    uint32_t ids[VOCAB_MAX];
    uint64_t mask = 0;
    if (!json_object_get(v, "allowed")) {
        return UINT64_MAX;
    }
    for (size_t i = 0, n = ids_at(v, "allowed", ids); i < n; i++) {
        mask |= (uint64_t)1 << ids[i];
    }
    return mask;
}

/* Each token's weight, from the kernel and from the allowed logits alone. */
static void check_weights(const json_t *v, const float *adjusted, size_t n, uint64_t allowed,
                          const vb_sampling *p, const vb_kernels *k) {
    float left[VOCAB_MAX];
    uint64_t w[VOCAB_MAX];
    size_t n_left = 0;
    for (size_t i = 0; i < n; i++) {
        if (allowed >> i & 1) {
            left[n_left++] = adjusted[i];
        }
    }
    k->exp_weights(left, n_left, left[k->argmax(left, n_left)], p->temperature, w);
    const json_t *weights = json_object_get(v, "weights");
    assert_int_equal(json_array_size(weights), n);
    n_left = 0;
    for (size_t i = 0; i < n; i++) {
        const uint64_t want = allowed >> i & 1 ? w[n_left++] : 0;
        assert_int_equal(want, number(json_array_get(weights, i), 10));
    }
}

static void check_choice(const json_t *v, const float *adjusted, const vb_sampling *p,
                         const vb_kernels *k, vb_choice c) {
    float want[VOCAB_MAX];
    size_t n = floats_at(v, "adjusted", want);
    const uint64_t allowed = allowed_at(v);
    for (size_t i = 0; i < n; i++) {
        assert_memory_equal(&adjusted[i], allowed >> i & 1 ? &want[i] : &(float){-FLT_MAX},
                            sizeof want[i]);
    }
    if (p->temperature != 0.0f) {
        check_weights(v, want, n, allowed, p, k);
    }
    assert_int_equal(c.kept, int_at(v, "kept"));
    assert_int_equal(c.total, decimal_at(v, "total"));
    assert_int_equal(c.token, int_at(v, "token"));
    assert_int_equal(c.weight, decimal_at(v, "weight"));
    assert_true(allowed >> c.token & 1);
}

static void check_draw(const json_t *v, const vb_kernels *k) {
    float logits[VOCAB_MAX];
    uint32_t prompt[LIST_MAX], output[LIST_MAX];
    static vb_sampling p;
    size_t n = floats_at(v, "logits", logits);
    params_of(v, &p);
    size_t n_prompt = ids_at(v, "prompt", prompt), n_output = ids_at(v, "output", output);
    vb_sampler *s = NULL;
    vb_error e = {0};
    assert_int_equal(vb_sampler_open(k, n, &s, &e), VB_OK);
    assert_int_equal(vb_sampler_begin(s, &p, prompt, n_prompt, &e), VB_OK);
    for (size_t i = 0; i < n_output; i++) {
        vb_sampler_accept(s, output[i]);
    }
    vb_choice c;
    const uint64_t u = number(json_object_get(v, "u"), 16), allowed = allowed_at(v);
    vb_err err = json_object_get(v, "allowed")
                     ? vb_sampler_draw_among(s, logits, &allowed, u, &c, &e)
                     : vb_sampler_draw(s, logits, u, &c, &e);
    if (json_object_get(v, "error")) {
        char token[32];
        snprintf(token, sizeof token, "token %" PRIu32 " ", int_at(v, "error_token"));
        assert_int_equal(err, VB_ENONFINITE);
        assert_non_null(strstr(e.msg, token));
    } else {
        assert_int_equal(err, VB_OK);
        check_choice(v, vb_sampler_logits(s), &p, k, c);
    }
    vb_sampler_close(s);
}

static void check_draws(const vb_kernels *k) {
    const json_t *list = json_object_get(vectors, "draws");
    assert_true(json_array_size(list) > 150);
    for (size_t i = 0; i < json_array_size(list); i++) {
        check_draw(json_array_get(list, i), k);
    }
    list = json_object_get(constrained, "draws");
    assert_true(json_array_size(list) > 80);
    for (size_t i = 0; i < json_array_size(list); i++) {
        check_draw(json_array_get(list, i), k);
    }
}

static void draws(void **state) {
    (void)state;
    check_draws(&plain_kernels);
}

/* With no token left there is nothing to draw. */
static void nothing_allowed(void **state) {
    (void)state;
    static const float logits[3] = {1, 2, 3};
    vb_sampling p;
    vb_sampling_default(&p);
    vb_sampler *s = NULL;
    vb_error e = {0};
    vb_choice c = {.token = 42};
    assert_int_equal(vb_sampler_open(&plain_kernels, 3, &s, &e), VB_OK);
    assert_int_equal(vb_sampler_begin(s, &p, NULL, 0, &e), VB_OK);
    const uint64_t none = 0;
    assert_int_equal(vb_sampler_draw_among(s, logits, &none, 0, &c, &e), VB_EINVAL);
    assert_int_equal(c.token, 42);
    vb_sampler_close(s);
}

/* Every instruction set of this processor gives the same weights and tokens. */
static void draws_on_every_tier(void **state) {
    (void)state;
    enum { TIERS_MAX = 8 };
    const vb_kernels *tiers[TIERS_MAX];
    const size_t n = vb_kernels_list(tiers, TIERS_MAX);
    assert_true(n >= 1 && n <= TIERS_MAX);
    for (size_t t = 0; t < n; t++) {
        check_draws(tiers[t]);
    }
}

static void fixed_points(void **state) {
    (void)state;
    const json_t *list = json_object_get(vectors, "fixed_point");
    assert_true(json_array_size(list) > 10);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        uint64_t fixed;
        double p = vb_f64_from_bits(number(json_object_get(v, "p"), 16));
        assert_int_equal(vb_sampling_fixed_point(p, &fixed, NULL), VB_OK);
        assert_int_equal(fixed, decimal_at(v, "fixed"));
    }
}

static void draw_numbers(void **state) {
    (void)state;
    const json_t *list = json_object_get(vectors, "draw_numbers");
    assert_true(json_array_size(list) > 5);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        uint8_t bytes[17 + 32 + 8] = "verbatim.draw.v1\n", digest[SHA256_DIGEST_LENGTH];
        assert_true(vb_hex_decode(json_string_value(json_object_get(v, "seed")), bytes + 17, 32));
        vb_store_u64be(bytes + 17 + 32, decimal_at(v, "t"));
        SHA256(bytes, sizeof bytes, digest);
        assert_int_equal(vb_load_u64be(digest), number(json_object_get(v, "u"), 16));
    }
}

static size_t hex_of(const json_t *value, uint8_t *out, size_t max) {
    const char *hex = json_string_value(value);
    assert_non_null(hex);
    size_t n = strlen(hex) / 2;
    assert_true(n <= max && vb_hex_decode(hex, out, n));
    return n;
}

static void check_stop(const json_t *v) {
    uint8_t bytes[VB_STOP_STRINGS_MAX][64], text[64];
    vb_stop_string strings[VB_STOP_STRINGS_MAX];
    const json_t *list = json_object_get(v, "strings"), *safe = json_object_get(v, "safe");
    for (size_t i = 0; i < json_array_size(list); i++) {
        strings[i].bytes = bytes[i];
        strings[i].len = hex_of(json_array_get(list, i), bytes[i], sizeof bytes[i]);
    }
    size_t n = hex_of(json_object_get(v, "text"), text, sizeof text);
    vb_stop *s = NULL;
    assert_int_equal(vb_stop_open(strings, json_array_size(list), &s, NULL), VB_OK);
    assert_true(json_array_size(safe) <= n);
    for (size_t i = 0; i < json_array_size(safe); i++) {
        assert_false(vb_stop_get(s).matched);
        (void)vb_stop_feed(s, text + i, 1);
        assert_int_equal(vb_stop_get(s).safe_bytes, json_integer_value(json_array_get(safe, i)));
    }
    vb_stop_reset(s);
    const json_t *match = json_object_get(v, "match");
    assert_int_equal(vb_stop_feed(s, text, n), json_is_object(match));
    vb_stop_state r = vb_stop_get(s);
    if (r.matched) {
        assert_int_equal(r.which, int_at(match, "which"));
        assert_int_equal(r.safe_bytes, int_at(match, "begin"));
        assert_int_equal(r.fed_bytes, int_at(match, "end"));
    } else {
        assert_int_equal(json_array_size(safe), n);
    }
    vb_stop_close(s);
}

static void stops(void **state) {
    (void)state;
    const json_t *list = json_object_get(vectors, "stop");
    assert_true(json_array_size(list) > 8);
    for (size_t i = 0; i < json_array_size(list); i++) {
        check_stop(json_array_get(list, i));
    }
}

/* A mask of several words is the draw of a vocabulary that has only its tokens, in their order. */
static void wide_masks(void **state) {
    (void)state;
    enum { N = 300 };
    uint64_t rng = 5;
    for (int round = 0; round < 60; round++) {
        float all[N], few[N];
        uint32_t ids[N];
        uint64_t allowed[(N + 63) / 64] = {0};
        size_t n = 0;
        for (uint32_t i = 0; i < N; i++) {
            all[i] = (float)(vb_test_random(&rng) % 512) * 0.05f;
            if (vb_test_random(&rng) % (2 + round % 9) == 0 || (i == N - 1 && n == 0)) {
                allowed[i / 64] |= (uint64_t)1 << i % 64;
                ids[n] = i;
                few[n++] = all[i];
            }
        }
        allowed[N / 64] |= UINT64_MAX << N % 64; /* no tokens: not looked at */
        vb_sampling p;
        vb_sampling_default(&p);
        p.temperature = round % 6 ? 1.1f : 0.0f;
        p.top_k = round % 2 ? 0 : 7;
        p.top_p = round % 3 ? VB_FIXED_POINT_ONE : VB_FIXED_POINT_ONE / 4 * 3;
        vb_sampler *a = NULL, *b = NULL;
        vb_choice x, y;
        const uint64_t u = vb_test_random(&rng);
        assert_int_equal(vb_sampler_open(&plain_kernels, N, &a, NULL), VB_OK);
        assert_int_equal(vb_sampler_open(&plain_kernels, n, &b, NULL), VB_OK);
        assert_int_equal(vb_sampler_begin(a, &p, NULL, 0, NULL), VB_OK);
        assert_int_equal(vb_sampler_begin(b, &p, NULL, 0, NULL), VB_OK);
        assert_int_equal(vb_sampler_draw_among(a, all, allowed, u, &x, NULL), VB_OK);
        assert_int_equal(vb_sampler_draw(b, few, u, &y, NULL), VB_OK);
        assert_int_equal(x.token, ids[y.token]);
        assert_int_equal(x.weight, y.weight);
        assert_int_equal(x.total, y.total);
        assert_int_equal(x.kept, y.kept);
        vb_sampler_close(a);
        vb_sampler_close(b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws),        cmocka_unit_test(draws_on_every_tier),
        cmocka_unit_test(fixed_points), cmocka_unit_test(draw_numbers),
        cmocka_unit_test(stops),        cmocka_unit_test(nothing_allowed),
        cmocka_unit_test(wide_masks),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
