/*
 * Writes spec/vectors/sampling.json to standard output: each rule of spec/sampling.md on small
 * vocabularies, by hand and at random. With the argument `constrained`,
 * spec/vectors/constrained.json: draws from allowed tokens alone. Any machine must write the same
 * bytes.
 */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arith/bits.h"
#include "sample/sample.h"
#include "sample/stop.h"
#include "sample/truncate.h"

#include "../../unit/sample/kernels.h"

enum { VOCAB_MAX = 64, LIST_MAX = 64 };

typedef struct draw {
    const char *name;
    size_t n_vocab;
    float logits[VOCAB_MAX];
    vb_sampling p;
    size_t n_prompt, n_output;
    uint32_t prompt[LIST_MAX], output[LIST_MAX];
    uint64_t u;
    bool constrained;
    uint64_t allowed; /* when constrained: bit t for token t */
} draw;

static uint64_t rng = 20240601;

/* splitmix64. */
static uint64_t next_random(void) {
    uint64_t z = (rng += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void must(vb_err err, const vb_error *e) {
    if (err) {
        fprintf(stderr, "sampling_vectors: %s\n", e->msg);
        exit(1);
    }
}

static void put_floats(const char *key, const float *x, size_t n) {
    printf("   \"%s\": [", key);
    for (size_t i = 0; i < n; i++) {
        printf("%s\"%08" PRIx32 "\"", i ? ", " : "", vb_f32_bits(x[i]));
    }
    printf("],\n");
}

static void put_ids(const char *key, const uint32_t *x, size_t n) {
    printf("   \"%s\": [", key);
    for (size_t i = 0; i < n; i++) {
        printf("%s%" PRIu32, i ? ", " : "", x[i]);
    }
    printf("],\n");
}

static void put_float(const char *key, float x) {
    printf("   \"%s\": \"%08" PRIx32 "\",\n", key, vb_f32_bits(x));
}

static bool is_allowed(const draw *d, size_t token) {
    return !d->constrained || (d->allowed >> token & 1);
}

static void put_allowed(const draw *d) {
    uint32_t list[VOCAB_MAX];
    size_t n = 0;
    for (uint32_t i = 0; i < d->n_vocab; i++) {
        list[n] = i;
        n += is_allowed(d, i);
    }
    put_ids("allowed", list, n);
}

static void put_inputs(const draw *d) {
    printf("  {\"name\": \"%s\",\n", d->name);
    put_floats("logits", d->logits, d->n_vocab);
    put_float("temperature", d->p.temperature);
    printf("   \"top_k\": %" PRIu32 ",\n", d->p.top_k);
    printf("   \"top_p\": \"%" PRIu64 "\",\n", d->p.top_p);
    printf("   \"min_p\": \"%" PRIu64 "\",\n", d->p.min_p);
    put_float("presence_penalty", d->p.presence_penalty);
    put_float("frequency_penalty", d->p.frequency_penalty);
    put_float("repetition_penalty", d->p.repetition_penalty);
    printf("   \"logit_bias\": [");
    for (size_t i = 0; i < d->p.n_bias; i++) {
        printf("%s[%" PRIu32 ", \"%08" PRIx32 "\"]", i ? ", " : "", d->p.bias[i].token,
               vb_f32_bits(d->p.bias[i].bias));
    }
    printf("],\n");
    put_ids("prompt", d->prompt, d->n_prompt);
    put_ids("output", d->output, d->n_output);
    if (d->constrained) {
        put_allowed(d);
    }
    printf("   \"u\": \"%016" PRIx64 "\",\n", d->u);
}

/* Section 4's weights, from the adjusted logits of the allowed tokens. */
static void put_weights(const draw *d, const float *adjusted) {
    uint64_t w[VOCAB_MAX];
    float l_max = -INFINITY;
    for (size_t i = 0; i < d->n_vocab; i++) {
        l_max = is_allowed(d, i) && adjusted[i] > l_max ? adjusted[i] : l_max;
    }
    printf("   \"weights\": [");
    for (size_t i = 0; i < d->n_vocab; i++) {
        if (is_allowed(d, i)) {
            plain_exp_weights(&adjusted[i], 1, l_max, d->p.temperature, &w[i]);
        } else {
            w[i] = 0;
        }
        printf("%s\"%" PRIu64 "\"", i ? ", " : "", w[i]);
    }
    printf("],\n");
}

static void put_draw(const draw *d) {
    static bool first = true;
    printf("%s", first ? "" : ",\n");
    first = false;
    put_inputs(d);
    vb_error e;
    vb_sampler *s = NULL;
    must(vb_sampler_open(&plain_kernels, d->n_vocab, &s, &e), &e);
    must(vb_sampler_begin(s, &d->p, d->prompt, d->n_prompt, &e), &e);
    for (size_t i = 0; i < d->n_output; i++) {
        vb_sampler_accept(s, d->output[i]);
    }
    vb_choice c;
    vb_err err = vb_sampler_draw(s, d->logits, d->u, &c, &e);
    float adjusted[VOCAB_MAX];
    memcpy(adjusted, vb_sampler_logits(s), d->n_vocab * sizeof *adjusted);
    if (err == VB_ENONFINITE) {
        size_t i = 0;
        while (vb_f32_finite(adjusted[i])) {
            i++;
        }
        printf("   \"error\": \"non-finite\",\n   \"error_token\": %zu}", i);
        vb_sampler_close(s);
        return;
    }
    must(err, &e);
    if (d->constrained) {
        must(vb_sampler_draw_among(s, d->logits, &d->allowed, d->u, &c, &e), &e);
    }
    put_floats("adjusted", adjusted, d->n_vocab);
    if (d->p.temperature != 0.0f) {
        put_weights(d, adjusted);
    }
    printf("   \"kept\": %" PRIu32 ",\n   \"total\": \"%" PRIu64 "\",\n", c.kept, c.total);
    printf("   \"token\": %" PRIu32 ",\n   \"weight\": \"%" PRIu64 "\"}", c.token, c.weight);
    vb_sampler_close(s);
}

static draw make(const char *name, size_t n_vocab, const float *logits) {
    draw d = {.name = name, .n_vocab = n_vocab};
    vb_sampling_default(&d.p);
    d.p.temperature = 1.0f;
    memcpy(d.logits, logits, n_vocab * sizeof *logits);
    return d;
}

/* Eight logits with a tie at 2, both zeros and a weight that vanishes. */
static const float eight[8] = {2.0f, 0.0f, 1.0f, 2.0f, -0.0f, 0.5f, -30.0f, 1.0f};

static void put_with_u(draw d) {
    static const uint64_t us[] = {0, 0x8000000000000000, UINT64_MAX};
    for (size_t i = 0; i < 3; i++) {
        d.u = us[i];
        put_draw(&d);
    }
}

static void weights_and_temperature(void) {
    draw d = make("greedy: lowest index of equal maxima", 8, eight);
    d.p.temperature = 0.0f;
    put_draw(&d);
    d = make("greedy: -0 and +0 are equal", 4, (const float[]){-1.0f, -0.0f, 0.0f, -0.0f});
    d.p.temperature = 0.0f;
    put_draw(&d);
    put_with_u(make("temperature 1, nothing cut", 8, eight));
    static const float temperatures[] = {0.01f, 0.5f, 0.7f, 1.5f, 2.0f, 100.0f, 1e-6f, 0x1p-149f};
    for (size_t i = 0; i < 8; i++) {
        d = make("temperature", 8, eight);
        d.p.temperature = temperatures[i];
        d.u = next_random();
        put_draw(&d);
    }
    put_with_u(make("one token", 1, (const float[]){-3.5f}));
    d = make("z is -infinity: weight 0", 3,
             (const float[]){-0x1.fffffep+127f, 0x1.fffffep+127f, 0x1.fffffcp+127f});
    put_with_u(d);
    /* Around the last exponential whose weight is not 0: z = -40 ln 2 = -27.7258872. */
    put_with_u(make(
        "the smallest weights", 8,
        (const float[]){0.0f, -27.6f, -27.7f, -27.725f, -27.72588f, -27.72589f, -27.73f, -27.8f}));
}

static void truncations(void) {
    static const float equal[6] = {0};
    for (uint32_t k = 1; k <= 9; k += k < 4 ? 1 : 5) {
        draw d = make("top-k, ties to the lower id", 8, eight);
        d.p.top_k = k;
        put_with_u(d);
    }
    draw d = make("top-k counts no token of weight 0", 8, eight);
    d.p.top_k = 8;
    d.p.temperature = 0.5f;
    put_draw(&d);
    static const uint64_t quarters[] = {1, VB_FIXED_POINT_ONE / 2 - 1, VB_FIXED_POINT_ONE / 2,
                                        VB_FIXED_POINT_ONE / 2 + 1, VB_FIXED_POINT_ONE - 1};
    for (size_t i = 0; i < 5; i++) {
        d = make("top-p at a boundary of equal weights", 6, equal);
        d.p.top_p = quarters[i];
        put_with_u(d);
    }
    for (size_t i = 0; i < 5; i++) {
        d = make("top-p", 8, eight);
        d.p.top_p = quarters[i];
        put_with_u(d);
    }
    d = make("top-p is of what top-k left", 6, equal);
    d.p.top_k = 4;
    d.p.top_p = VB_FIXED_POINT_ONE / 2;
    put_with_u(d);
    static const uint64_t floors[] = {1, 214748365, VB_FIXED_POINT_ONE / 2, VB_FIXED_POINT_ONE};
    for (size_t i = 0; i < 4; i++) {
        d = make("min-p", 8, eight);
        d.p.min_p = floors[i];
        put_with_u(d);
    }
    /* exp(-1) has an ulp of 2^-26, so its weight is a multiple of 2^14: min_p can equal it. */
    d = make("min-p equal to a weight keeps it", 8, eight);
    uint64_t w;
    plain_exp_weights(&eight[2], 1, 2.0f, 1.0f, &w);
    d.p.min_p = w >> 8;
    put_with_u(d);
    d.p.min_p++;
    d.name = "min-p one unit above a weight drops it";
    put_with_u(d);
    d = make("top-k, top-p, min-p together", 8, eight);
    d.p.top_k = 6;
    d.p.top_p = 3865470566;
    d.p.min_p = 1288490189;
    put_with_u(d);
}

static void adjustments(void) {
    static const uint32_t prompt[] = {0, 2, 2, 6, 4}, output[] = {5, 1, 5, 2, 5, 0};
    for (unsigned mask = 1; mask < 16; mask++) {
        draw d = make("adjustments: 1 bias, 2 repetition, 4 frequency, 8 presence", 8, eight);
        if (mask & 1) {
            d.p.n_bias = 4;
            d.p.bias[0] = (vb_logit_bias){0, -2.3f};
            d.p.bias[1] = (vb_logit_bias){2, 0.7f};
            d.p.bias[2] = (vb_logit_bias){3, -100.0f};
            d.p.bias[3] = (vb_logit_bias){6, 30.0f};
        }
        d.p.repetition_penalty = mask & 2 ? 1.3f : 1.0f;
        d.p.frequency_penalty = mask & 4 ? 0.7f : 0.0f;
        d.p.presence_penalty = mask & 8 ? -0.3f : 0.0f;
        d.n_prompt = 5;
        d.n_output = 6;
        memcpy(d.prompt, prompt, sizeof prompt);
        memcpy(d.output, output, sizeof output);
        d.u = next_random();
        put_draw(&d);
    }
    draw d = make("repetition changes the greedy choice", 8, eight);
    d.p.temperature = 0.0f;
    d.p.repetition_penalty = 2.5f;
    d.n_prompt = 1;
    put_draw(&d);
    d = make("repetition of a zero, either sign, keeps its sign", 8, eight);
    d.p.repetition_penalty = 3.0f;
    d.n_prompt = 2;
    d.prompt[0] = 1;
    d.prompt[1] = 4;
    put_draw(&d);
    d = make("a penalty that overflows", 3, (const float[]){1.0f, -0x1.8p+127f, 0.0f});
    d.p.repetition_penalty = 2.0f;
    d.n_prompt = 1;
    d.prompt[0] = 1;
    put_draw(&d);
    d = make("an infinite logit", 3, (const float[]){1.0f, 0.0f, vb_f32_from_bits(0xff800000u)});
    put_draw(&d);
    d = make("a NaN logit, even when greedy", 2, (const float[]){vb_f32_from_bits(0x7fc00000u), 1});
    d.p.temperature = 0.0f;
    put_draw(&d);
}

static float random_float(float scale) {
    return ((float)(next_random() >> 40) * 0x1p-24f - 0.5f) * scale;
}

static void random_draws(bool constrained) {
    for (int round = 0; round < 60; round++) {
        draw d = {.name = "random", .n_vocab = 2 + next_random() % (round % 12 ? 23 : 63)};
        vb_sampling_default(&d.p);
        for (size_t i = 0; i < d.n_vocab; i++) {
            d.logits[i] = random_float(round % 2 ? 16.0f : 40.0f);
            if (round % 3 == 0) { /* ties */
                d.logits[i] = (float)(int)d.logits[i];
            }
        }
        d.p.temperature = (float)(1 + next_random() % 200) * 0.01f;
        d.p.top_k = (uint32_t)(next_random() % 4 * (next_random() % 12));
        d.p.top_p = next_random() % 2 ? VB_FIXED_POINT_ONE : 1 + (next_random() >> 32);
        d.p.min_p = next_random() % 2 ? 0 : next_random() >> (34 + next_random() % 8);
        d.p.presence_penalty = random_float(4.0f);
        d.p.frequency_penalty = random_float(4.0f);
        d.p.repetition_penalty = 0.5f + (float)(next_random() % 150) * 0.01f;
        d.n_prompt = next_random() % 12;
        d.n_output = next_random() % 40;
        for (size_t i = 0; i < LIST_MAX; i++) {
            d.prompt[i] = (uint32_t)(next_random() % d.n_vocab);
            d.output[i] = (uint32_t)(next_random() % d.n_vocab);
        }
        for (uint32_t i = 0; i < d.n_vocab; i++) {
            if (next_random() % 6 == 0) {
                d.p.bias[d.p.n_bias++] = (vb_logit_bias){i, random_float(8.0f)};
            }
        }
        d.u = next_random();
        if (constrained) {
            d.constrained = true;
            d.allowed = next_random() & (round % 2 ? next_random() : UINT64_MAX);
            d.allowed |= (uint64_t)1 << next_random() % d.n_vocab;
            d.p.temperature = round % 10 ? d.p.temperature : 0.0f;
        }
        put_draw(&d);
    }
}

static draw constrain(draw d, uint64_t allowed) {
    d.constrained = true;
    d.allowed = allowed;
    return d;
}

/* Draws from allowed tokens alone: section 3.1. */
static void constrained(void) {
    draw d = constrain(make("greedy: the best that is left", 8, eight), 0xb6);
    d.p.temperature = 0.0f;
    put_draw(&d);
    d = constrain(make("greedy: equal ones, the lowest id", 8, eight), 0x84);
    d.p.temperature = 0.0f;
    put_draw(&d);
    put_with_u(constrain(make("all are allowed", 8, eight), 0xff));
    put_with_u(constrain(make("weights are relative to what is left", 8, eight), 0x36));
    put_with_u(constrain(make("one token is left", 8, eight), 0x40));
    put_with_u(
        constrain(make("far below what was cut", 3, (const float[]){90.0f, -90.0f, -91.0f}), 0x6));
    put_with_u(constrain(
        make("the lowest numbers of all", 4, (const float[]){1.0f, -FLT_MAX, -FLT_MAX, 2.0f}),
        0x6));
    d = constrain(make("top-k counts what is left", 8, eight), 0x36);
    d.p.top_k = 2;
    put_with_u(d);
    d = constrain(make("top-p is of what is left", 8, eight), 0x36);
    d.p.top_p = VB_FIXED_POINT_ONE / 2;
    put_with_u(d);
    d = constrain(make("min-p is of the best that is left", 8, eight), 0x36);
    d.p.min_p = VB_FIXED_POINT_ONE / 2;
    put_with_u(d);
    d = constrain(make("after bias and penalties", 8, eight), 0x7e);
    d.p.n_bias = 1;
    d.p.bias[0] = (vb_logit_bias){6, 31.5f};
    d.p.repetition_penalty = 1.3f;
    d.n_output = 2;
    d.output[0] = 3;
    d.output[1] = 0;
    put_with_u(d);
    d = constrain(make("what is cut must be finite too", 2, (const float[]){1.0f, NAN}), 0x1);
    put_draw(&d);
}

static void fixed_points(void) {
    static const double p[] = {0,
                               1,
                               0.5,
                               0.9,
                               0.95,
                               0.05,
                               0.1,
                               0x1p-32,
                               0x1p-33,
                               0x1.8p-32,
                               0x1.4p-31,
                               0x1.0000000000001p-33,
                               0x1.fffffffffffffp-1,
                               0x1p-1074,
                               1.0 / 3,
                               0x1.fffffffep-1};
    printf(" \"fixed_point\": [\n");
    for (size_t i = 0; i < sizeof p / sizeof p[0]; i++) {
        uint64_t fixed;
        vb_error e;
        must(vb_sampling_fixed_point(p[i], &fixed, &e), &e);
        printf("%s  {\"p\": \"%016" PRIx64 "\", \"fixed\": \"%" PRIu64 "\"}", i ? ",\n" : "",
               vb_f64_bits(p[i]), fixed);
    }
    printf("],\n");
}

/* Known answers, from a SHA-256 that is not this project's. */
static void draw_numbers(void) {
    static const struct {
        const char *seed, *t, *u;
    } known[] = {
        {"0000000000000000000000000000000000000000000000000000000000000000", "0",
         "7a614442847c8dbc"},
        {"0000000000000000000000000000000000000000000000000000000000000000", "1",
         "011f3c7e40918422"},
        {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "0",
         "ae68d5fd57018dfe"},
        {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "255",
         "7bf8ec10b2301b6a"},
        {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "256",
         "0aec151c6d2ea588"},
        {"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "4294967296",
         "1ae93bdf0271bab2"},
        {"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "18446744073709551615",
         "960793109348c8b1"},
    };
    printf(" \"draw_numbers\": [\n");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        printf("%s  {\"seed\": \"%s\",\n   \"t\": \"%s\", \"u\": \"%s\"}", i ? ",\n" : "",
               known[i].seed, known[i].t, known[i].u);
    }
    printf("],\n");
}

static void put_hex(const char *text) {
    putchar('"');
    for (; *text; text++) {
        printf("%02x", (unsigned)(unsigned char)*text);
    }
    putchar('"');
}

/* The state after each byte fed, as [fed_bytes, safe_bytes]. */
static void put_stop(const char *name, const char *const *list, size_t n, const char *text) {
    static bool first = true;
    printf("%s  {\"name\": \"%s\",\n   \"strings\": [", first ? "" : ",\n", name);
    first = false;
    vb_stop_string strings[VB_STOP_STRINGS_MAX];
    for (size_t i = 0; i < n; i++) {
        strings[i] = (vb_stop_string){list[i], strlen(list[i])};
        printf("%s", i ? ", " : "");
        put_hex(list[i]);
    }
    printf("],\n   \"text\": ");
    put_hex(text);
    vb_error e;
    vb_stop *s = NULL;
    must(vb_stop_open(strings, n, &s, &e), &e);
    printf(",\n   \"safe\": [");
    for (size_t i = 0; text[i] && !vb_stop_get(s).matched; i++) {
        (void)vb_stop_feed(s, text + i, 1);
        printf("%s%" PRIu64, i ? ", " : "", vb_stop_get(s).safe_bytes);
    }
    vb_stop_state r = vb_stop_get(s);
    if (r.matched) {
        printf("],\n   \"match\": {\"which\": %zu, \"begin\": %" PRIu64 ", \"end\": %" PRIu64 "}}",
               r.which, r.safe_bytes, r.fed_bytes);
    } else {
        printf("],\n   \"match\": null}");
    }
    vb_stop_close(s);
}

#define STOP(name, text, ...)                                                                      \
    put_stop(name, (const char *const[]){__VA_ARGS__},                                             \
             sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *), text)

static void stops(void) {
    printf(" \"stop\": [\n");
    STOP("one string", "say STOP now", "STOP");
    STOP("no match: what might begin one is held", "say STO", "STOP");
    STOP("a start that fails is released", "SSTSTO STOPS", "STOP");
    STOP("the earliest end decides", "xabcd", "abcd", "b");
    STOP("equal ends: the earliest start", "xxab", "b", "ab");
    STOP("equal strings: the first in the list", "xab", "ab", "ab");
    STOP("overlaps itself", "aabaabaaab", "aabaaab");
    STOP("match at the first byte", "\n\nUser:", "\n");
    STOP("bytes, not characters", "\xc3\xa9t\xc3\xa9", "\xa9t");
    STOP("several held at once", "abcabcabd", "bcabd", "cabx", "abd!");
    printf("]\n");
}

static void put_constrained(void) {
    printf("{\"format\": \"verbatim-vectors/constrained/1\",\n \"draws\": [\n");
    constrained();
    random_draws(true);
    printf("]\n}\n");
}

static void put_sampling(void) {
    printf("{\"format\": \"verbatim-vectors/sampling/1\",\n");
    fixed_points();
    printf(" \"draws\": [\n");
    weights_and_temperature();
    truncations();
    adjustments();
    random_draws(false);
    printf("],\n");
    draw_numbers();
    stops();
    printf("}\n");
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "constrained") == 0) {
        put_constrained();
    } else {
        put_sampling();
    }
    return 0;
}
