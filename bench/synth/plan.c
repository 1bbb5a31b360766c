/*
 * Which tensors a model has, in which format, and where each lies in the file. Formats follow
 * llama.cpp's quantiser: a K-quant whose rows are no multiple of 256 falls back to a format of
 * blocks of 32, and rows that do not fit those either become F16.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "synth.h"

static const synth_type types[] = {
    {"F32", VB_F32, false, 0},    {"F16", VB_F16, false, 1},    {"BF16", VB_BF16, false, 32},
    {"Q4_0", VB_Q4_0, false, 2},  {"Q4_1", VB_Q4_1, false, 3},  {"Q5_0", VB_Q5_0, false, 8},
    {"Q5_1", VB_Q5_1, false, 9},  {"Q8_0", VB_Q8_0, false, 7},  {"Q4_K", VB_Q4_K, false, 14},
    {"Q5_K", VB_Q5_K, false, 16}, {"Q6_K", VB_Q6_K, false, 18}, {"Q4_K_M", VB_Q4_K, true, 15},
};

enum { TYPES = sizeof types / sizeof types[0] };

const synth_type *synth_type_find(const char *name) {
    for (size_t i = 0; i < TYPES; i++) {
        if (strcasecmp(types[i].name, name) == 0) {
            return &types[i];
        }
    }
    return NULL;
}

const char *synth_type_names(void) {
    return "F32 F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q4_K Q5_K Q6_K Q4_K_M";
}

/* What the Q4_K_M mix asks of a tensor. */
typedef enum place { PLACE_OTHER, PLACE_OUTPUT, PLACE_ATTN_V, PLACE_FFN_DOWN } place;

/* The first eighth of the layers, the last eighth, and every third between. */
static bool more_bits(uint64_t layer, uint64_t n_layers) {
    uint64_t eighth = n_layers / 8;
    return layer < eighth || layer >= 7 * n_layers / 8 || (layer - eighth) % 3 == 2;
}

static vb_wtype mix_type(const synth_shape *s, place where, uint64_t layer, uint64_t cols) {
    if (where == PLACE_OUTPUT) {
        return cols % 256 ? VB_Q8_0 : VB_Q6_K;
    }
    if ((where == PLACE_ATTN_V || where == PLACE_FFN_DOWN) && more_bits(layer, s->n_layers)) {
        return VB_Q6_K;
    }
    /* The 70B exception: grouped heads make attn_v small, so it gets one more bit. */
    if (where == PLACE_ATTN_V && s->n_layers == 80 && s->n_heads != s->n_kv_heads) {
        return VB_Q5_K;
    }
    return VB_Q4_K;
}

/* Rows of fallbacks: 0 to blocks of 32 (from Q4_K, Q5_K, Q6_K), 1 to F16 (any, in [1][0]). */
static vb_wtype fall_back(synth_plan *p, vb_wtype type, uint64_t cols) {
    if (cols % vb_wtype_get(type)->block_values == 0) {
        return type;
    }
    vb_wtype to = type == VB_Q4_K   ? VB_Q5_0
                  : type == VB_Q5_K ? VB_Q5_1
                  : type == VB_Q6_K ? VB_Q8_0
                                    : VB_F16;
    if (cols % vb_wtype_get(to)->block_values) {
        to = VB_F16;
    }
    if (to == VB_F16) {
        p->fallbacks[1][0]++;
    } else {
        p->fallbacks[0][type - VB_Q4_K]++;
    }
    return to;
}

void synth_fallback_text(const synth_plan *p, char *out, size_t max) {
    static const char *const pairs[3] = {"Q4_K -> Q5_0", "Q5_K -> Q5_1", "Q6_K -> Q8_0"};
    size_t len = 0;
    out[0] = 0;
    for (size_t i = 0; i < 3 && len < max; i++) {
        if (p->fallbacks[0][i]) {
            int n = snprintf(out + len, max - len,
                             "%s%" PRIu32 " tensors have rows that are no multiple of 256: %s",
                             len ? "; " : "", p->fallbacks[0][i], pairs[i]);
            len += n > 0 ? (size_t)n : 0;
        }
    }
    if (p->fallbacks[1][0] && len < max) {
        snprintf(out + len, max - len,
                 "%s%" PRIu32 " tensors have rows that are no multiple of 32: F16", len ? "; " : "",
                 p->fallbacks[1][0]);
    }
}

static void add(synth_plan *p, synth_role role, vb_wtype type, uint64_t cols, uint64_t rows,
                double sigma, const char *prefix, const char *name) {
    synth_tensor *t = &p->tensors[p->n_tensors++];
    const vb_wtype_info *info = vb_wtype_get(type);
    snprintf(t->name, sizeof t->name, "%s%s", prefix, name);
    t->role = role;
    t->type = type;
    t->cols = cols;
    t->rows = rows;
    t->sigma = sigma;
    /* Widths and vocabularies are limited: no product here passes 2^40. */
    t->n_bytes = cols / info->block_values * info->block_bytes * rows;
    t->offset_bytes = p->data_bytes;
    p->data_bytes += (t->n_bytes + SYNTH_ALIGNMENT - 1) / SYNTH_ALIGNMENT * SYNTH_ALIGNMENT;
}

static void add_vector(synth_plan *p, synth_role role, uint64_t n, const char *prefix,
                       const char *name) {
    add(p, role, VB_F32, n, 1, 0, prefix, name);
}

/* 1 / sqrt(n) by Newton's steps: plain arithmetic, so that every machine agrees. */
static double inverse_sqrt(double n) {
    double r = n;
    for (int i = 0; i < 64; i++) {
        r = 0.5 * (r + n / r);
    }
    return 1 / r;
}

/* A matrix whose products with inputs of size 1 have size `gain`. */
static void add_matrix(synth_plan *p, place where, uint64_t layer, uint64_t cols, uint64_t rows,
                       double gain, const char *prefix, const char *name) {
    vb_wtype type = p->type->mix ? mix_type(p->shape, where, layer, cols) : p->type->base;
    type = fall_back(p, type, cols);
    add(p, SYNTH_MATRIX, type, cols, rows, gain * inverse_sqrt((double)cols), prefix, name);
}

static void add_layer(synth_plan *p, uint64_t i) {
    const synth_shape *s = p->shape;
    uint64_t n = s->n_embd;
    uint64_t q = s->n_heads * s->head_dim, kv = s->n_kv_heads * s->head_dim;
    bool biased = strcmp(s->arch, "qwen2") == 0;
    char at[32];
    snprintf(at, sizeof at, "blk.%" PRIu64 ".", i);
    add_vector(p, SYNTH_NORM, n, at, "attn_norm.weight");
    add_matrix(p, PLACE_OTHER, i, n, q, 1, at, "attn_q.weight");
    add_matrix(p, PLACE_OTHER, i, n, kv, 1, at, "attn_k.weight");
    add_matrix(p, PLACE_ATTN_V, i, n, kv, 1, at, "attn_v.weight");
    if (biased) {
        add_vector(p, SYNTH_BIAS, q, at, "attn_q.bias");
        add_vector(p, SYNTH_BIAS, kv, at, "attn_k.bias");
        add_vector(p, SYNTH_BIAS, kv, at, "attn_v.bias");
    }
    add_matrix(p, PLACE_OTHER, i, q, n, 1, at, "attn_output.weight");
    add_vector(p, SYNTH_NORM, n, at, "ffn_norm.weight");
    add_matrix(p, PLACE_OTHER, i, n, s->n_ff, 1, at, "ffn_gate.weight");
    add_matrix(p, PLACE_OTHER, i, n, s->n_ff, 1, at, "ffn_up.weight");
    add_matrix(p, PLACE_FFN_DOWN, i, s->n_ff, n, 1, at, "ffn_down.weight");
}

vb_err synth_plan_make(const synth_shape *s, const synth_type *type, uint64_t seed, synth_plan *out,
                       vb_error *e) {
    enum { PER_LAYER = 12, OUTSIDE = 4 };
    synth_plan p = {.shape = s, .type = type, .seed = seed};
    p.tensors = calloc(s->n_layers * PER_LAYER + OUTSIDE, sizeof *p.tensors);
    if (!p.tensors) {
        return vb_fail(e, VB_ENOMEM, "no memory for the list of tensors");
    }
    /* Logits come out with size 2, so that a sampled text is neither uniform nor stuck. */
    place embd = s->tied ? PLACE_OUTPUT : PLACE_OTHER;
    add_matrix(&p, embd, 0, s->n_embd, s->n_vocab, 2, "", "token_embd.weight");
    for (uint64_t i = 0; i < s->n_layers; i++) {
        add_layer(&p, i);
    }
    add_vector(&p, SYNTH_NORM, s->n_embd, "", "output_norm.weight");
    if (!s->tied) {
        add_matrix(&p, PLACE_OUTPUT, 0, s->n_embd, s->n_vocab, 2, "", "output.weight");
    }
    if (s->scaling == SYNTH_ROPE_LLAMA3) {
        add_vector(&p, SYNTH_FREQS, s->head_dim / 2, "", "rope_freqs.weight");
    }
    *out = p;
    return VB_OK;
}

void synth_plan_free(synth_plan *p) {
    free(p->tensors);
    *p = (synth_plan){0};
}
