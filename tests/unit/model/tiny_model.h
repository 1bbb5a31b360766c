/*
 * A complete llama model of one or two layers, a few kilobytes, written field by field, so that a
 * test can break any one part of it: leave out, reshape or add a tensor, change a number of the
 * metadata.
 */
#ifndef VB_TESTS_UNIT_MODEL_TINY_MODEL_H
#define VB_TESTS_UNIT_MODEL_TINY_MODEL_H

#include "unit/gguf/gguf_build.h"

enum { TINY_EMBD = 32, TINY_HEADS = 2, TINY_FF = 64, TINY_VOCAB = 40, TINY_TENSORS_MAX = 64 };

typedef struct tiny_tensor {
    char name[96];
    uint64_t dims[2];
    vb_wtype type;
    float value; /* of element 0; the others are small */
} tiny_tensor;

typedef struct tiny_model {
    tiny_tensor tensors[TINY_TENSORS_MAX];
    size_t n_tensors;
    uint32_t n_layers, n_embd, n_heads, n_kv_heads, n_ff, n_ctx, n_rot; /* what the metadata says */
    float eps, rope_base;
    const char *arch, *name;
} tiny_model;

static inline tiny_tensor *tiny_add(tiny_model *t, const char *name, uint64_t cols, uint64_t rows) {
    assert_true(t->n_tensors < TINY_TENSORS_MAX);
    tiny_tensor *x = &t->tensors[t->n_tensors++];
    *x = (tiny_tensor){.dims = {cols, rows}, .type = VB_F32, .value = 0.5f};
    snprintf(x->name, sizeof x->name, "%s", name);
    return x;
}

static inline tiny_tensor *tiny_find(tiny_model *t, const char *name) {
    for (size_t i = 0; i < t->n_tensors; i++) {
        if (strcmp(t->tensors[i].name, name) == 0) {
            return &t->tensors[i];
        }
    }
    fail_msg("no tensor %s", name);
    return NULL;
}

static inline void tiny_drop(tiny_model *t, const char *name) {
    tiny_tensor *x = tiny_find(t, name);
    *x = t->tensors[--t->n_tensors];
}

static inline tiny_model tiny_make(uint32_t n_layers) {
    tiny_model t = {.n_layers = n_layers,
                    .n_embd = TINY_EMBD,
                    .n_heads = TINY_HEADS,
                    .n_kv_heads = 1,
                    .n_ff = TINY_FF,
                    .n_ctx = 64,
                    .n_rot = TINY_EMBD / TINY_HEADS,
                    .eps = 1e-5f,
                    .rope_base = 10000,
                    .arch = "llama",
                    .name = "tiny"};
    const uint64_t e = TINY_EMBD, kv = TINY_EMBD / TINY_HEADS, ff = TINY_FF;
    const struct {
        const char *suffix;
        uint64_t cols, rows;
    } layer[] = {
        {"attn_norm.weight", e, 1}, {"ffn_norm.weight", e, 1}, {"attn_q.weight", e, e},
        {"attn_k.weight", e, kv},   {"attn_v.weight", e, kv},  {"attn_output.weight", e, e},
        {"ffn_gate.weight", e, ff}, {"ffn_up.weight", e, ff},  {"ffn_down.weight", ff, e}};
    tiny_add(&t, "token_embd.weight", e, TINY_VOCAB);
    tiny_add(&t, "output_norm.weight", e, 1);
    tiny_add(&t, "output.weight", e, TINY_VOCAB);
    for (uint32_t y = 0; y < n_layers; y++) {
        for (size_t i = 0; i < sizeof layer / sizeof layer[0]; i++) {
            char name[96];
            snprintf(name, sizeof name, "blk.%u.%s", y, layer[i].suffix);
            tiny_add(&t, name, layer[i].cols, layer[i].rows);
        }
    }
    return t;
}

static inline size_t tiny_bytes(const tiny_tensor *x) {
    const vb_wtype_info *info = vb_wtype_get(x->type);
    return (size_t)(x->dims[0] / info->block_values * info->block_bytes * x->dims[1]);
}

/* The file's bytes, for the caller to free. */
static inline vb_buf tiny_write(const tiny_model *t) {
    vb_buf b = gguf_start(3, t->n_tensors, 10);
    put_kv_str(&b, "general.architecture", t->arch);
    put_kv_str(&b, "general.name", t->name);
    char key[64];
    const struct {
        const char *suffix;
        uint32_t value;
    } numbers[] = {
        {"block_count", t->n_layers},         {"context_length", t->n_ctx},
        {"embedding_length", t->n_embd},      {"feed_forward_length", t->n_ff},
        {"attention.head_count", t->n_heads}, {"attention.head_count_kv", t->n_kv_heads},
        {"rope.dimension_count", t->n_rot},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        snprintf(key, sizeof key, "%s.%s", t->arch, numbers[i].suffix);
        put_kv_u32(&b, key, numbers[i].value);
    }
    snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", t->arch);
    put_key(&b, key, VB_GGUF_F32);
    put_f32(&b, t->eps);
    uint64_t offset = 0;
    for (size_t i = 0; i < t->n_tensors; i++) {
        const tiny_tensor *x = &t->tensors[i];
        put_tensor(&b, x->name, x->dims[1] == 1 ? 1 : 2, x->dims, x->type, offset);
        offset += (tiny_bytes(x) + 31) / 32 * 32;
    }
    put_padding(&b, 32);
    for (size_t i = 0; i < t->n_tensors; i++) {
        const tiny_tensor *x = &t->tensors[i];
        const size_t n = tiny_bytes(x);
        for (size_t k = 0; k < n / 4 && x->type == VB_F32; k++) {
            put_f32(&b, k ? (float)((int)((k + i) * 37 % 101) - 50) / 256 : x->value);
        }
        for (size_t k = 0; k < n && x->type != VB_F32; k++) {
            put_u8(&b, 0);
        }
        put_padding(&b, 32);
    }
    return b;
}

#endif
