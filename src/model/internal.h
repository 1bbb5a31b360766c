/* Shared inside src/model only: what vb_model and vb_session hold. */
#ifndef VB_MODEL_INTERNAL_H
#define VB_MODEL_INTERNAL_H

#include "model/model.h"

/* A packed matrix with what an error message and the memory figures need. */
typedef struct vb_weight {
    vb_matrix m;
    size_t data_bytes;
    char name[64]; /* GGUF tensor name */
    bool is_float; /* products read x, not q */
} vb_weight;

typedef struct vb_layer {
    float *attn_norm, *ffn_norm; /* [n_embd] */
    float *bq, *bk, *bv;         /* NULL when the model has none */
    vb_weight wq, wk, wv, wo, gate, up, down;
} vb_layer;

struct vb_model {
    vb_model_config config;
    const vb_kernels *k;
    vb_weight embed;
    vb_weight output;   /* unused when embeddings are tied */
    float *output_norm; /* [n_embd] */
    double *rope_freq;  /* [n_rot / 2] */
    double rope_mscale;
    float attn_scale; /* vb_attention_scale(head_dim) */
    vb_layer *layers; /* [n_layers] */
    uint64_t weight_bytes, decode_bytes;
};

struct vb_session {
    const vb_model *model;
    size_t length, capacity; /* tokens */
    size_t n_pages;          /* per layer and KV head */
    uint16_t *arena;
    size_t arena_bytes;
    uint16_t **key_pages; /* [n_layers][n_kv_heads][n_pages] */
    uint16_t **value_pages;
};

static inline const vb_weight *vb_model_head(const vb_model *m) {
    return m->config.tied_embeddings ? &m->embed : &m->output;
}

#endif
