/* Shared inside src/model only: what vb_model and vb_session hold. */
#ifndef VB_MODEL_INTERNAL_H
#define VB_MODEL_INTERNAL_H

#include "model/kv_pool.h"
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
    float attn_scale;  /* vb_attention_scale(head_dim) */
    vb_layer *layers;  /* [n_layers] */
    uint8_t *matrices; /* the packed data of all of them */
    size_t matrix_bytes;
    uint64_t weight_bytes, decode_bytes;
};

struct vb_kv_pool {
    const vb_model *model;
    uint16_t *arena; /* [n_pages][n_layers * n_kv_heads][2: key, value][256 * head_dim] */
    size_t arena_bytes, page_elements, n_pages;
    uint32_t *users;      /* [n_pages]; 0: free */
    uint32_t *free_pages; /* a stack of n_free */
    size_t n_free;
};

struct vb_session {
    const vb_model *model;
    vb_kv_pool *pool;
    bool owns_pool;
    size_t length, capacity; /* tokens */
    size_t n_pages;          /* of a full session */
    size_t n_held;        /* pages it has: those of its tokens, or more after a pass that failed */
    uint32_t *pages;      /* [n_pages] */
    uint16_t **key_pages; /* [n_layers][n_kv_heads][n_pages] */
    uint16_t **value_pages;
};

/* what: begins the error's sentence. */
VB_MUST_CHECK vb_err vb_kv_pool_open_pages(const vb_model *m, size_t n_pages, const char *what,
                                           vb_kv_pool **out, vb_error *e);
/* A free page, with one user; its content is whatever was there. VB_ELIMIT when none is free. */
VB_MUST_CHECK vb_err vb_kv_pool_take(vb_kv_pool *p, uint32_t *page, vb_error *e);
uint16_t *vb_kv_pool_data(const vb_kv_pool *p, uint32_t page);

/* Pages for n_tokens more (<= capacity - length), and none that others use where they go. */
VB_MUST_CHECK vb_err vb_session_make_room(vb_session *s, size_t n_tokens, vb_error *e);

static inline const vb_weight *vb_model_head(const vb_model *m) {
    return m->config.tied_embeddings ? &m->embed : &m->output;
}

#endif
