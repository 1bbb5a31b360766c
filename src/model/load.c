/*
 * Which tensors a model consists of and where their weights go: names and shapes are checked before
 * a byte of data is read, then all matrices lie in one block of memory, then load_data.c fills it.
 * The file is not needed afterwards.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arith/attention.h"
#include "arith/rope.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/system.h"
#include "model/load.h"

typedef struct loader {
    const vb_gguf *g;
    vb_model *m;
    vb_load_tensor *tensors; /* those of the file that the model consumes; [tensor count] */
    size_t n_tensors;
    float *rope_factors; /* NULL: none */
    vb_error *e;
} loader;

static vb_err bad_shape(const loader *l, const vb_gguf_tensor *t, size_t cols, size_t rows) {
    return vb_fail(l->e, VB_EFORMAT,
                   "%s: tensor %.*s has shape [%llu, %llu, %llu, %llu], expected [%zu, %zu]",
                   vb_gguf_file_path(l->g, t->file_index), (int)t->name.len, t->name.p,
                   (unsigned long long)t->dims[0], (unsigned long long)t->dims[1],
                   (unsigned long long)t->dims[2], (unsigned long long)t->dims[3], cols, rows);
}

/* The tensor, with the shape that the metadata implies. */
static vb_err find(loader *l, const char *name, size_t cols, size_t rows,
                   const vb_gguf_tensor **out) {
    const vb_gguf_tensor *t = vb_gguf_find_tensor(l->g, name);
    if (!t) {
        return vb_fail(l->e, VB_EFORMAT, "%s: the tensor %s is missing", vb_gguf_file_path(l->g, 0),
                       name);
    }
    if (t->dims[0] != cols || t->dims[1] != rows || t->dims[2] != 1 || t->dims[3] != 1) {
        return bad_shape(l, t, cols, rows);
    }
    *out = t;
    return VB_OK;
}

static void add(loader *l, const vb_gguf_tensor *t, vb_weight *weight, float *vector) {
    VB_ASSERT(l->n_tensors < vb_gguf_tensor_count(l->g)); /* names differ, and so do tensors */
    l->tensors[l->n_tensors++] = (vb_load_tensor){t, weight, vector};
}

/* A vector (norm, bias, factors) as f32; float formats only. */
static vb_err want_vector(loader *l, const char *name, size_t n, float **out) {
    const vb_gguf_tensor *t = NULL;
    vb_err err = find(l, name, n, 1, &t);
    if (err) {
        return err;
    }
    const vb_wtype_info *info = vb_wtype_get(t->type);
    if (!info->is_float) {
        return vb_fail(l->e, VB_EUNSUPPORTED, "%s: tensor %s is %s, expected F32, F16 or BF16",
                       vb_gguf_file_path(l->g, t->file_index), name, info->name);
    }
    *out = malloc((n ? n : 1) * sizeof **out);
    if (!*out) {
        return vb_fail(l->e, VB_ENOMEM, "no memory for tensor %s", name);
    }
    l->m->weight_bytes += n * sizeof **out;
    add(l, t, NULL, *out);
    return VB_OK;
}

static vb_err maybe_vector(loader *l, const char *name, size_t n, float **out) {
    return vb_gguf_find_tensor(l->g, name) ? want_vector(l, name, n, out) : VB_OK;
}

/* Its place in memory follows when the sizes of all are known. */
static vb_err want_matrix(loader *l, const char *name, size_t cols, size_t rows, vb_weight *w) {
    const vb_gguf_tensor *t = NULL;
    vb_err err = find(l, name, cols, rows, &t);
    if (err) {
        return err;
    }
    const vb_wtype_info *info = vb_wtype_get(t->type);
    const size_t n_bytes = l->m->k->pack_bytes(t->type, rows, cols);
    if (n_bytes == 0) {
        return vb_fail(l->e, VB_EUNSUPPORTED,
                       "%s: tensor %s has format %s, which tier %s can not use",
                       vb_gguf_file_path(l->g, t->file_index), name, info->name, l->m->k->name);
    }
    if (!vb_add_size(l->m->matrix_bytes, n_bytes, &l->m->matrix_bytes)) {
        return vb_fail(l->e, VB_ELIMIT, "%s: the weights are too large to address",
                       vb_gguf_file_path(l->g, 0));
    }
    snprintf(w->name, sizeof w->name, "%s", name);
    w->m = (vb_matrix){l->m->k, t->type, rows, cols, NULL};
    w->data_bytes = n_bytes;
    w->is_float = info->is_float;
    add(l, t, w, NULL);
    return VB_OK;
}

static vb_err want_layer(loader *l, size_t i) {
    const vb_model_config *c = &l->m->config;
    vb_layer *y = &l->m->layers[i];
    const size_t q = c->n_heads * c->head_dim, kv = c->n_kv_heads * c->head_dim;
    const struct {
        const char *suffix;
        size_t cols, rows;
        vb_weight *w;
    } matrices[] = {
        {"attn_q", c->n_embd, q, &y->wq},           {"attn_k", c->n_embd, kv, &y->wk},
        {"attn_v", c->n_embd, kv, &y->wv},          {"attn_output", q, c->n_embd, &y->wo},
        {"ffn_gate", c->n_embd, c->n_ff, &y->gate}, {"ffn_up", c->n_embd, c->n_ff, &y->up},
        {"ffn_down", c->n_ff, c->n_embd, &y->down},
    };
    char name[64];
    vb_err err;
    for (size_t j = 0; j < sizeof matrices / sizeof matrices[0]; j++) {
        snprintf(name, sizeof name, "blk.%zu.%s.weight", i, matrices[j].suffix);
        if ((err = want_matrix(l, name, matrices[j].cols, matrices[j].rows, matrices[j].w))) {
            return err;
        }
        l->m->decode_bytes += matrices[j].w->data_bytes;
    }
    const struct {
        const char *suffix;
        size_t n;
        float **v;
        bool required;
    } vectors[] = {
        {"attn_norm.weight", c->n_embd, &y->attn_norm, true},
        {"ffn_norm.weight", c->n_embd, &y->ffn_norm, true},
        {"attn_q.bias", q, &y->bq, false},
        {"attn_k.bias", kv, &y->bk, false},
        {"attn_v.bias", kv, &y->bv, false},
    };
    for (size_t j = 0; j < sizeof vectors / sizeof vectors[0]; j++) {
        snprintf(name, sizeof name, "blk.%zu.%s", i, vectors[j].suffix);
        err = vectors[j].required ? want_vector(l, name, vectors[j].n, vectors[j].v)
                                  : maybe_vector(l, name, vectors[j].n, vectors[j].v);
        if (err) {
            return err;
        }
    }
    return VB_OK;
}

static vb_err make_rope(loader *l) {
    vb_model *m = l->m;
    const vb_model_config *c = &m->config;
    for (size_t i = 0; l->rope_factors && i < c->n_rot / 2; i++) {
        if (!(l->rope_factors[i] > 0)) {
            return vb_fail(l->e, VB_EFORMAT,
                           "%s: tensor rope_freqs.weight, element %zu is %g, expected more than 0",
                           vb_gguf_file_path(l->g, 0), i, (double)l->rope_factors[i]);
        }
    }
    m->rope_freq = calloc(c->n_rot / 2 + 1, sizeof *m->rope_freq);
    if (!m->rope_freq) {
        return vb_fail(l->e, VB_ENOMEM, "no memory for the rotary frequencies");
    }
    vb_rope_params p = {
        .n_rot = c->n_rot,
        .base = c->rope_base,
        .kind = c->rope_kind,
        .factor = c->rope_factor,
        .ctx_orig = c->rope_ctx_orig,
        .ext_factor = c->yarn_ext_factor,
        .attn_factor = c->yarn_attn_factor,
        .beta_fast = c->yarn_beta_fast,
        .beta_slow = c->yarn_beta_slow,
        .factors = l->rope_factors,
    };
    if (!vb_rope_freqs(&p, m->rope_freq, &m->rope_mscale)) {
        return vb_fail(
            l->e, VB_EFORMAT,
            "%s: the rotary parameters (freq_base %g, scaling factor %g, %zu dimensions) "
            "give frequencies outside [0, %g]",
            vb_gguf_file_path(l->g, 0), c->rope_base, c->rope_factor, c->n_rot, VB_ROPE_FREQ_MAX);
    }
    return VB_OK;
}

/* Whether want_all asks for a tensor of this name: of its own spelling only ("blk.01." is none). */
static bool is_defined(const loader *l, vb_str name) {
    static const char *const single[] = {"token_embd.weight", "output.weight", "output_norm.weight",
                                         "rope_freqs.weight"};
    static const char *const of_layer[] = {
        "attn_q.weight",   "attn_k.weight", "attn_v.weight",   "attn_output.weight",
        "ffn_gate.weight", "ffn_up.weight", "ffn_down.weight", "attn_norm.weight",
        "ffn_norm.weight", "attn_q.bias",   "attn_k.bias",     "attn_v.bias"};
    char key[64];
    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++) {
        if (name.len == strlen(single[i]) && memcmp(name.p, single[i], name.len) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof of_layer / sizeof of_layer[0]; i++) {
        for (size_t y = 0; y < l->m->config.n_layers; y++) {
            const int n = snprintf(key, sizeof key, "blk.%zu.%s", y, of_layer[i]);
            if (name.len == (size_t)n && memcmp(name.p, key, name.len) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* A tensor that the architecture does not define would change the result in an engine that
 * knows it: refuse rather than ignore. */
static vb_err check_all_used(loader *l) {
    if (l->n_tensors == vb_gguf_tensor_count(l->g)) {
        return VB_OK;
    }
    for (size_t i = 0; i < vb_gguf_tensor_count(l->g); i++) {
        const vb_gguf_tensor *t = vb_gguf_tensor_at(l->g, i);
        if (!is_defined(l, t->name)) {
            return vb_fail(
                l->e, VB_EUNSUPPORTED,
                "%s: tensor %.*s is not part of architecture %s as this version defines it",
                vb_gguf_file_path(l->g, t->file_index), (int)(t->name.len < 79 ? t->name.len : 79),
                t->name.p, l->m->config.arch);
        }
    }
    return vb_fail(l->e, VB_EINTERNAL, "%s: %zu tensors, %zu of them are known",
                   vb_gguf_file_path(l->g, 0), vb_gguf_tensor_count(l->g), l->n_tensors);
}

static vb_err want_all(loader *l) {
    vb_model *m = l->m;
    const vb_model_config *c = &m->config;
    vb_err err;
    if ((err = want_matrix(l, "token_embd.weight", c->n_embd, c->n_vocab, &m->embed)) ||
        (err = want_vector(l, "output_norm.weight", c->n_embd, &m->output_norm)) ||
        (err = maybe_vector(l, "rope_freqs.weight", c->n_rot / 2, &l->rope_factors))) {
        return err;
    }
    if (!c->tied_embeddings &&
        (err = want_matrix(l, "output.weight", c->n_embd, c->n_vocab, &m->output))) {
        return err;
    }
    m->decode_bytes = vb_model_head(m)->data_bytes;
    for (size_t i = 0; i < c->n_layers; i++) {
        if ((err = want_layer(l, i))) {
            return err;
        }
    }
    return check_all_used(l);
}

/* One block for all matrices: none of them ends in a large page that it does not fill. */
static vb_err place(loader *l, int n_threads) {
    vb_model *m = l->m;
    const uint64_t buffers = vb_load_buffer_bytes(l->tensors, l->n_tensors, n_threads);
    vb_err err = vb_memory_check(m->matrix_bytes + buffers, "the model", l->e);
    if (err) {
        return vb_fail_in(l->e, err, "%s", vb_gguf_file_path(l->g, 0));
    }
    m->matrices = vb_alloc_aligned(m->matrix_bytes);
    if (!m->matrices) {
        return vb_fail(l->e, VB_ENOMEM, "no memory for the weights (%zu bytes)", m->matrix_bytes);
    }
    uint8_t *next = m->matrices;
    for (size_t i = 0; i < l->n_tensors; i++) {
        vb_weight *w = l->tensors[i].weight;
        if (w) {
            w->m.data = next;
            next += w->data_bytes;
        }
    }
    m->weight_bytes += m->matrix_bytes;
    return VB_OK;
}

vb_err vb_model_load(const vb_gguf *g, const vb_model_options *options, vb_model **out,
                     vb_error *e) {
    VB_ASSERT(options->kernels && options->n_threads >= 1);
    loader l = {.g = g, .e = e};
    vb_err err;
    vb_model *m = calloc(1, sizeof *m);
    if (!m) {
        return vb_fail(e, VB_ENOMEM, "no memory for a model");
    }
    l.m = m;
    m->k = options->kernels;
    if ((err = vb_model_config_read(g, &m->config, e))) {
        goto end;
    }
    m->attn_scale = vb_attention_scale(m->config.head_dim);
    m->layers = calloc(m->config.n_layers, sizeof *m->layers);
    l.tensors = malloc((vb_gguf_tensor_count(g) + 1) * sizeof *l.tensors);
    if (!m->layers || !l.tensors) {
        err = vb_fail(e, VB_ENOMEM, "no memory for a model");
        goto end;
    }
    if ((err = want_all(&l)) || (err = place(&l, options->n_threads)) ||
        (err = vb_load_tensors(g, options, l.tensors, l.n_tensors, e)) || (err = make_rope(&l))) {
        goto end;
    }
    *out = m;
    m = NULL;
end:
    free(l.rope_factors);
    free(l.tensors);
    vb_model_close(m);
    return err;
}

void vb_model_close(vb_model *m) {
    if (!m) {
        return;
    }
    for (size_t i = 0; m->layers && i < m->config.n_layers; i++) {
        vb_layer *y = &m->layers[i];
        free(y->attn_norm);
        free(y->ffn_norm);
        free(y->bq);
        free(y->bk);
        free(y->bv);
    }
    vb_free_aligned(m->matrices, m->matrix_bytes);
    free(m->layers);
    free(m->output_norm);
    free(m->rope_freq);
    free(m);
}

const vb_model_config *vb_model_get_config(const vb_model *m) {
    return &m->config;
}

const vb_kernels *vb_model_kernels(const vb_model *m) {
    return m->k;
}

uint64_t vb_model_weight_bytes(const vb_model *m) {
    return m->weight_bytes;
}

uint64_t vb_model_decode_bytes(const vb_model *m) {
    return m->decode_bytes;
}
