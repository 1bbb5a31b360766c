/* Metadata of the file to vb_model_config: every number is ranged before anything is sized by it.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "model/internal.h"

static const char *file_name(const vb_gguf *g) {
    return vb_gguf_file_path(g, 0);
}

static bool str_is(vb_str s, const char *z) {
    return s.len == strlen(z) && memcmp(s.p, z, s.len) == 0;
}

/* "<arch>.<suffix>" in caller's memory. */
static const char *arch_key(const vb_model_config *c, const char *suffix, char out[128]) {
    snprintf(out, 128, "%s.%s", c->arch, suffix);
    return out;
}

static vb_err need_size(const vb_gguf *g, const vb_model_config *c, const char *suffix, size_t max,
                        size_t *out, vb_error *e) {
    char key[128];
    uint64_t v;
    vb_err err = vb_gguf_get_u64(g, arch_key(c, suffix, key), 1, max, &v, e);
    if (!err) {
        *out = (size_t)v;
    }
    return err;
}

static vb_err maybe_size(const vb_gguf *g, const vb_model_config *c, const char *suffix, size_t max,
                         size_t absent, size_t *out, vb_error *e) {
    char key[128];
    if (!vb_gguf_find(g, arch_key(c, suffix, key))) {
        *out = absent;
        return VB_OK;
    }
    return need_size(g, c, suffix, max, out, e);
}

/* A real in [min, max]; absent keys give `absent`. */
static vb_err maybe_real(const vb_gguf *g, const vb_model_config *c, const char *suffix, double min,
                         double max, double absent, double *out, vb_error *e) {
    char key[128];
    if (!vb_gguf_find(g, arch_key(c, suffix, key))) {
        *out = absent;
        return VB_OK;
    }
    float f;
    vb_err err = vb_gguf_get_f32(g, key, &f, e);
    if (err) {
        return err;
    }
    if (!(f >= min && f <= max)) {
        return vb_fail(e, VB_EFORMAT, "%s: %s is %g, expected %g to %g", file_name(g), key,
                       (double)f, min, max);
    }
    *out = f;
    return VB_OK;
}

static vb_err read_arch(const vb_gguf *g, vb_model_config *c, vb_error *e) {
    vb_str s;
    vb_err err = vb_gguf_get_str(g, "general.architecture", &s, e);
    if (err) {
        return err;
    }
    if (str_is(s, "llama")) {
        c->rope_style = VB_ROPE_NORM;
    } else if (str_is(s, "qwen2")) {
        c->rope_style = VB_ROPE_NEOX;
    } else {
        return vb_fail(e, VB_EUNSUPPORTED,
                       "%s: general.architecture is \"%.*s\"; this version runs llama and qwen2",
                       file_name(g), (int)(s.len < 64 ? s.len : 64), s.p);
    }
    memcpy(c->arch, s.p, s.len);
    c->arch[s.len] = 0;
    if (vb_gguf_find(g, "general.name") && vb_gguf_get_str(g, "general.name", &s, NULL) == VB_OK) {
        size_t n = s.len < sizeof c->name - 1 ? s.len : sizeof c->name - 1;
        memcpy(c->name, s.p, n);
        c->name[n] = 0;
        vb_make_printable(c->name); /* receipts carry it: UTF-8 without control characters */
    }
    return VB_OK;
}

static vb_err read_scaling(const vb_gguf *g, vb_model_config *c, vb_error *e) {
    char key[128];
    vb_err err;
    c->rope_kind = VB_ROPE_KIND_NONE;
    c->rope_factor = 1.0;
    bool has_factors = vb_gguf_find_tensor(g, "rope_freqs.weight") != NULL;
    if (vb_gguf_find(g, arch_key(c, "rope.scaling.type", key))) {
        vb_str s;
        if ((err = vb_gguf_get_str(g, key, &s, e))) {
            return err;
        }
        if (str_is(s, "linear")) {
            c->rope_kind = VB_ROPE_KIND_LINEAR;
        } else if (str_is(s, "yarn")) {
            c->rope_kind = VB_ROPE_KIND_YARN;
        } else if (!str_is(s, "none") && !(str_is(s, "llama3") && has_factors)) {
            return vb_fail(e, VB_EUNSUPPORTED,
                           "%s: %s is \"%.*s\"; expected none, linear, yarn, or llama3 with the "
                           "tensor rope_freqs.weight",
                           file_name(g), key, (int)(s.len < 64 ? s.len : 64), s.p);
        }
    }
    if ((err = maybe_real(g, c, "rope.scaling.factor", 1, 1e6, 1.0, &c->rope_factor, e)) ||
        (err = maybe_size(g, c, "rope.scaling.original_context_length", VB_MODEL_CTX_TOKENS_MAX,
                          c->n_ctx_train, &c->rope_ctx_orig, e)) ||
        (err =
             maybe_real(g, c, "rope.scaling.yarn_ext_factor", 0, 1, 1.0, &c->yarn_ext_factor, e)) ||
        (err = maybe_real(g, c, "rope.scaling.attn_factor", 1e-3, 1e3, 1.0, &c->yarn_attn_factor,
                          e)) ||
        (err = maybe_real(g, c, "rope.scaling.yarn_attn_factor", 1e-3, 1e3, c->yarn_attn_factor,
                          &c->yarn_attn_factor, e)) ||
        (err = maybe_real(g, c, "rope.scaling.yarn_beta_fast", 1e-3, 1e6, 32.0, &c->yarn_beta_fast,
                          e)) ||
        (err = maybe_real(g, c, "rope.scaling.yarn_beta_slow", 1e-3, 1e6, 1.0, &c->yarn_beta_slow,
                          e))) {
        return err;
    }
    if (has_factors) {
        if (c->rope_kind != VB_ROPE_KIND_NONE) {
            return vb_fail(e, VB_EUNSUPPORTED,
                           "%s: rope_freqs.weight together with rope.scaling.type is not defined",
                           file_name(g));
        }
        c->rope_kind = VB_ROPE_KIND_FACTORS;
    }
    return VB_OK;
}

static vb_err read_heads(const vb_gguf *g, vb_model_config *c, vb_error *e) {
    vb_err err;
    size_t value_dim;
    if ((err = need_size(g, c, "attention.head_count", VB_MODEL_HEADS_MAX, &c->n_heads, e)) ||
        (err = maybe_size(g, c, "attention.head_count_kv", VB_MODEL_HEADS_MAX, c->n_heads,
                          &c->n_kv_heads, e))) {
        return err;
    }
    if (c->n_heads % c->n_kv_heads != 0) {
        return vb_fail(e, VB_EFORMAT,
                       "%s: attention.head_count %zu is not a multiple of head_count_kv %zu",
                       file_name(g), c->n_heads, c->n_kv_heads);
    }
    char key[128];
    if (!vb_gguf_find(g, arch_key(c, "attention.key_length", key)) && c->n_embd % c->n_heads != 0) {
        return vb_fail(
            e, VB_EFORMAT,
            "%s: embedding_length %zu is not a multiple of head_count %zu and %s is absent",
            file_name(g), c->n_embd, c->n_heads, key);
    }
    if ((err = maybe_size(g, c, "attention.key_length", VB_MODEL_HEAD_DIM_MAX,
                          c->n_embd / c->n_heads, &c->head_dim, e)) ||
        (err = maybe_size(g, c, "attention.value_length", VB_MODEL_HEAD_DIM_MAX, c->head_dim,
                          &value_dim, e)) ||
        (err = maybe_size(g, c, "rope.dimension_count", VB_MODEL_HEAD_DIM_MAX, c->head_dim,
                          &c->n_rot, e))) {
        return err;
    }
    if (c->head_dim == 0 || c->head_dim > VB_MODEL_HEAD_DIM_MAX) {
        return vb_fail(e, VB_EFORMAT, "%s: a head has %zu dimensions, expected 1 to %u",
                       file_name(g), c->head_dim, VB_MODEL_HEAD_DIM_MAX);
    }
    if (value_dim != c->head_dim) {
        return vb_fail(e, VB_EUNSUPPORTED, "%s: key_length %zu and value_length %zu differ",
                       file_name(g), c->head_dim, value_dim);
    }
    if (c->n_rot > c->head_dim || c->n_rot % 2 != 0) {
        return vb_fail(e, VB_EFORMAT,
                       "%s: rope.dimension_count %zu: expected an even number up to %zu",
                       file_name(g), c->n_rot, c->head_dim);
    }
    return VB_OK;
}

static void read_summary(const vb_gguf *g, vb_model_config *c) {
    uint64_t bytes_of[64] = {0};
    c->n_parameters = 0;
    for (size_t i = 0; i < vb_gguf_tensor_count(g); i++) {
        const vb_gguf_tensor *t = vb_gguf_tensor_at(g, i);
        c->n_parameters += t->dims[0] * t->dims[1] * t->dims[2] * t->dims[3];
        if ((unsigned)t->type < 64) {
            bytes_of[t->type] += t->n_bytes;
        }
    }
    uint64_t most = 0;
    for (uint32_t i = 0; i < 64; i++) {
        if (bytes_of[i] > most) {
            most = bytes_of[i];
            snprintf(c->file_type, sizeof c->file_type, "%s", vb_wtype_get(i)->name);
        }
    }
}

static vb_err read_vocabulary(const vb_gguf *g, vb_model_config *c, vb_error *e) {
    const vb_gguf_tensor *t = vb_gguf_find_tensor(g, "token_embd.weight");
    if (!t) {
        return vb_fail(e, VB_EFORMAT, "%s: the tensor token_embd.weight is missing", file_name(g));
    }
    if (t->dims[1] > VB_MODEL_VOCAB_MAX) {
        return vb_fail(e, VB_ELIMIT, "%s: token_embd.weight has %llu rows, at most %u are allowed",
                       file_name(g), (unsigned long long)t->dims[1], VB_MODEL_VOCAB_MAX);
    }
    c->n_vocab = (size_t)t->dims[1];
    c->tied_embeddings = vb_gguf_find_tensor(g, "output.weight") == NULL;
    c->qkv_bias = vb_gguf_find_tensor(g, "blk.0.attn_q.bias") != NULL;
    return VB_OK;
}

static vb_err read_experts(const vb_gguf *g, const vb_model_config *c, uint64_t *out, vb_error *e) {
    char key[128];
    *out = 0;
    if (!vb_gguf_find(g, arch_key(c, "expert_count", key))) {
        return VB_OK;
    }
    return vb_gguf_get_u64(g, key, 0, UINT32_MAX, out, e);
}

vb_err vb_model_config_read(const vb_gguf *g, vb_model_config *out, vb_error *e) {
    vb_model_config c;
    memset(&c, 0, sizeof c);
    vb_err err;
    uint64_t experts;
    double eps;
    if ((err = read_arch(g, &c, e)) ||
        (err = need_size(g, &c, "block_count", VB_MODEL_LAYERS_MAX, &c.n_layers, e)) ||
        (err = need_size(g, &c, "context_length", VB_MODEL_CTX_TOKENS_MAX, &c.n_ctx_train, e)) ||
        (err = need_size(g, &c, "embedding_length", VB_MODEL_WIDTH_MAX, &c.n_embd, e)) ||
        (err = need_size(g, &c, "feed_forward_length", VB_MODEL_WIDTH_MAX, &c.n_ff, e)) ||
        (err = read_heads(g, &c, e)) || (err = read_experts(g, &c, &experts, e)) ||
        (err = maybe_real(g, &c, "attention.layer_norm_rms_epsilon", 0, 1, -1, &eps, e)) ||
        (err = maybe_real(g, &c, "rope.freq_base", 1.5, 1e12, 10000.0, &c.rope_base, e)) ||
        (err = read_vocabulary(g, &c, e)) || (err = read_scaling(g, &c, e))) {
        return err;
    }
    if (experts) {
        return vb_fail(e, VB_EUNSUPPORTED,
                       "%s: mixture-of-experts models are not run by this version", file_name(g));
    }
    if (eps < 0) {
        return vb_fail(e, VB_EFORMAT, "%s: %s.attention.layer_norm_rms_epsilon is missing",
                       file_name(g), c.arch);
    }
    c.rms_eps = (float)eps;
    read_summary(g, &c);
    *out = c;
    return VB_OK;
}
