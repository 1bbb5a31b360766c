/*
 * Models: a GGUF file becomes packed weights and one forward pass for prefill and decode.
 *
 * vb_model: loaded once, immutable, shared by any number of threads; does not need the
 * vb_gguf after loading. vb_session: one sequence (a mutable timeline of tokens with its KV
 * cache), owned by one thread at a time. vb_workspace: the memory of one forward pass, owned by
 * one thread at a time; it has n_threads - 1 threads of its own that work inside a call (team.h).
 *
 * Results do not depend on batch, threads, the tier or how a sequence was cut into pieces.
 */
#ifndef VB_MODEL_MODEL_H
#define VB_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arith/rope.h"
#include "base/error.h"
#include "gguf/gguf.h"
#include "kernels/kernels.h"

typedef struct vb_model vb_model;
typedef struct vb_session vb_session;
typedef struct vb_workspace vb_workspace;

typedef struct vb_model_config {
    char arch[32];  /* "llama", "qwen2" */
    char name[128]; /* printable UTF-8 */
    size_t n_vocab, n_ctx_train, n_embd, n_layers, n_heads, n_kv_heads, head_dim, n_ff, n_rot;
    float rms_eps;
    double rope_base;
    vb_rope_style rope_style;
    vb_rope_kind rope_kind;
    double rope_factor;
    size_t rope_ctx_orig;
    double yarn_ext_factor, yarn_attn_factor, yarn_beta_fast, yarn_beta_slow;
    bool tied_embeddings;
    bool qkv_bias;
    uint64_t n_parameters;
    char file_type[16]; /* of most weight bytes: "Q8_0" */
} vb_model_config;

typedef bool (*vb_progress_fn)(void *user, uint64_t done, uint64_t total); /* false: stop */

typedef struct vb_model_options {
    const vb_kernels *kernels; /* required */
    int n_threads;             /* for packing; >= 1 */
    vb_progress_fn progress;   /* NULL: none; bytes of weights */
    void *progress_user;
} vb_model_options;

/* Reads only the metadata and tensor shapes: no weights. */
VB_MUST_CHECK vb_err vb_model_config_read(const vb_gguf *g, vb_model_config *out, vb_error *e);

VB_MUST_CHECK vb_err vb_model_load(const vb_gguf *g, const vb_model_options *options,
                                   vb_model **out, vb_error *e);
void vb_model_close(vb_model *m);
const vb_model_config *vb_model_get_config(const vb_model *m);
const vb_kernels *vb_model_kernels(const vb_model *m);
uint64_t vb_model_weight_bytes(const vb_model *m); /* packed, in memory */
uint64_t vb_model_decode_bytes(const vb_model *m); /* weights one decode step reads */

/* Bytes that a session of ctx_tokens needs; 0 on overflow. */
uint64_t vb_session_bytes(const vb_model_config *c, size_t ctx_tokens);

/* ctx_tokens: 1 .. the model's own limit. Memory is checked before it is asked for. Sessions that
 * share memory and computed tokens: kv_pool.h. */
VB_MUST_CHECK vb_err vb_session_open(const vb_model *m, size_t ctx_tokens, vb_session **out,
                                     vb_error *e);
void vb_session_close(vb_session *s);
size_t vb_session_length(const vb_session *s); /* tokens in the cache */
size_t vb_session_capacity(const vb_session *s);
void vb_session_truncate(vb_session *s, size_t length); /* length <= vb_session_length */

/* Memory is checked before it is asked for. batch_tokens_max: 1 .. VB_BATCH_TOKENS_MAX. */
VB_MUST_CHECK vb_err vb_workspace_open(const vb_model *m, size_t batch_tokens_max,
                                       size_t ctx_tokens_max, int n_threads, vb_workspace **out,
                                       vb_error *e);
void vb_workspace_close(vb_workspace *w);

/* Tokens appended to one session. */
typedef struct vb_batch_item {
    vb_session *session;
    const uint32_t *tokens;
    size_t n_tokens;
    size_t logits_from; /* logits are wanted for tokens[logits_from ..]; n_tokens: for none */
} vb_batch_item;

/* Receives the logits [n_vocab] that follow token `index` of item `item`, in ascending order within
 * an item. Borrowed for the call. Not VB_OK stops the pass with that error. */
typedef vb_err (*vb_logits_fn)(void *user, size_t item, size_t index, const float *logits);

/* One forward pass over all items (each session at most once; tokens in all <= the workspace's
 * maximum). On an error the sessions' lengths are as before. VB_ENONFINITE names layer and
 * tensor; VB_ELIMIT a full session or KV cache; VB_EINVAL a token outside the vocabulary. */
VB_MUST_CHECK vb_err vb_forward(const vb_model *m, vb_workspace *w, const vb_batch_item *items,
                                size_t n_items, vb_logits_fn on_logits, void *user, vb_error *e);

/* The same for one item, with the logits of the tokens wanted[n_wanted] (indices in ascending
 * order, each once) instead of those from logits_from on: only these rows go through the output
 * head. wanted is not NULL; n_wanted may be 0. */
VB_MUST_CHECK vb_err vb_forward_listed(const vb_model *m, vb_workspace *w,
                                       const vb_batch_item *item, const size_t *wanted,
                                       size_t n_wanted, vb_logits_fn on_logits, void *user,
                                       vb_error *e);

#endif
