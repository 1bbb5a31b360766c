/*
 * Weights from the file into the tier's layout. Each matrix is read in slices of rows, its
 * scales are checked to be finite, and the slice is packed by all threads; the file is not
 * needed afterwards.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arith/attention.h"
#include "arith/bits.h"
#include "arith/check.h"
#include "arith/rope.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/system.h"
#include "model/internal.h"

enum { SLICE_BYTES = 8 << 20 };

typedef struct loader {
    const vb_gguf *g;
    const vb_model_options *options;
    vb_model *m;
    uint8_t *slice; /* slice_bytes, reused for every tensor */
    size_t slice_bytes;
    uint64_t done, total;
    size_t n_used; /* tensors of the file that the model consumed */
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
    l->n_used++;
    *out = t;
    return VB_OK;
}

static vb_err report(loader *l, size_t n_bytes) {
    l->done += n_bytes;
    if (l->options->progress &&
        !l->options->progress(l->options->progress_user, l->done, l->total)) {
        return vb_fail(l->e, VB_ECANCELLED, "loading was stopped");
    }
    return VB_OK;
}

/* A vector (norm, bias, factors) as f32; float formats only. */
static vb_err load_vector(loader *l, const char *name, size_t n, float **out) {
    const vb_gguf_tensor *t;
    vb_err err = find(l, name, n, 1, &t);
    if (err) {
        return err;
    }
    const vb_wtype_info *info = vb_wtype_get(t->type);
    if (!info->is_float) {
        return vb_fail(l->e, VB_EUNSUPPORTED, "%s: tensor %s is %s, expected F32, F16 or BF16",
                       vb_gguf_file_path(l->g, t->file_index), name, info->name);
    }
    uint8_t *raw = malloc(t->n_bytes ? t->n_bytes : 1);
    float *v = malloc((n ? n : 1) * sizeof *v);
    if (!raw || !v) {
        err = vb_fail(l->e, VB_ENOMEM, "no memory for tensor %s", name);
        goto fail;
    }
    if ((err = vb_gguf_read_tensor(l->g, t, 0, t->n_bytes, raw, l->e))) {
        goto fail;
    }
    for (size_t i = 0; i < n; i++) {
        if (t->type == VB_F32) {
            uint32_t bits = vb_load_u32le(raw + 4 * i);
            memcpy(&v[i], &bits, 4);
        } else if (t->type == VB_F16) {
            v[i] = vb_f16_to_f32(vb_load_u16le(raw + 2 * i));
        } else {
            v[i] = vb_bf16_to_f32(vb_load_u16le(raw + 2 * i));
        }
        if (!isfinite(v[i])) {
            err = vb_fail(l->e, VB_ENONFINITE, "%s: tensor %s, element %zu is not finite",
                          vb_gguf_file_path(l->g, t->file_index), name, i);
            goto fail;
        }
    }
    free(raw);
    l->m->weight_bytes += n * sizeof *v;
    *out = v;
    return report(l, t->n_bytes);
fail:
    free(raw);
    free(v);
    return err;
}

static vb_err maybe_vector(loader *l, const char *name, size_t n, float **out) {
    *out = NULL;
    return vb_gguf_find_tensor(l->g, name) ? load_vector(l, name, n, out) : VB_OK;
}

/* Checks and packs rows [begin, end), whose file bytes are in l->slice. */
static vb_err pack_slice(loader *l, vb_weight *w, const vb_gguf_tensor *t, size_t begin, size_t end,
                         size_t row_bytes) {
    const size_t tiles = (end - begin + VB_ROW_TILE - 1) / VB_ROW_TILE;
    const vb_kernels *k = l->m->k;
    const uint8_t *slice = l->slice;
    size_t bad_tile = SIZE_MAX;
#pragma omp parallel for schedule(static) num_threads(l->options->n_threads)
    for (size_t i = 0; i < tiles; i++) {
        size_t r0 = begin + i * VB_ROW_TILE;
        size_t r1 = r0 + VB_ROW_TILE < end ? r0 + VB_ROW_TILE : end;
        if (!vb_weights_finite(w->m.type, slice + (r0 - begin) * row_bytes, (r1 - r0) * w->m.cols,
                               NULL)) {
#pragma omp critical(vb_load_bad_tile)
            bad_tile = r0 < bad_tile ? r0 : bad_tile;
        }
        k->pack(&w->m, slice + (r0 - begin) * row_bytes, r0, r1);
    }
    if (bad_tile != SIZE_MAX) {
        size_t at = 0;
        (void)vb_weights_finite(w->m.type, slice + (bad_tile - begin) * row_bytes,
                                (end - bad_tile) * w->m.cols, &at);
        return vb_fail(l->e, VB_ENONFINITE,
                       "%s: tensor %s, row %zu, value %zu: a weight or its scale is not finite",
                       vb_gguf_file_path(l->g, t->file_index), w->name, bad_tile + at / w->m.cols,
                       at % w->m.cols);
    }
    return VB_OK;
}

/* Bytes [offset, offset + n_bytes) of a tensor into l->slice, a part by each thread: copying from
 * the system's cache is most of what loading costs. The error of the first part that failed. */
static vb_err read_slice(loader *l, const vb_gguf_tensor *t, size_t offset, size_t n_bytes) {
    const size_t threads = (size_t)l->options->n_threads;
    size_t failed = SIZE_MAX;
    vb_err out = VB_OK;
#pragma omp parallel for schedule(static, 1) num_threads(l->options->n_threads)
    for (size_t i = 0; i < threads; i++) {
        const size_t begin = n_bytes / threads * i;
        const size_t end = i + 1 == threads ? n_bytes : n_bytes / threads * (i + 1);
        vb_error e = {VB_OK, ""};
        const vb_err err =
            vb_gguf_read_tensor(l->g, t, offset + begin, end - begin, l->slice + begin, &e);
        if (err) {
#pragma omp critical(vb_load_read)
            if (i < failed) {
                failed = i;
                out = err;
                if (l->e) {
                    *l->e = e;
                }
            }
        }
    }
    return out;
}

static vb_err load_matrix(loader *l, const char *name, size_t cols, size_t rows, vb_weight *w) {
    const vb_gguf_tensor *t;
    vb_err err = find(l, name, cols, rows, &t);
    if (err) {
        return err;
    }
    const vb_wtype_info *info = vb_wtype_get(t->type);
    size_t n_bytes = l->m->k->pack_bytes(t->type, rows, cols);
    if (n_bytes == 0) {
        return vb_fail(l->e, VB_EUNSUPPORTED,
                       "%s: tensor %s has format %s, which tier %s can not use",
                       vb_gguf_file_path(l->g, t->file_index), name, info->name, l->m->k->name);
    }
    snprintf(w->name, sizeof w->name, "%s", name);
    w->m = (vb_matrix){l->m->k, t->type, rows, cols, vb_alloc_aligned(n_bytes)};
    w->data_bytes = n_bytes;
    w->is_float = info->is_float;
    if (!w->m.data) {
        return vb_fail(l->e, VB_ENOMEM, "no memory for tensor %s (%zu bytes)", name, n_bytes);
    }
    const size_t row_bytes = cols / info->block_values * info->block_bytes;
    size_t rows_each = l->slice_bytes / row_bytes / VB_ROW_TILE * VB_ROW_TILE;
    for (size_t begin = 0; begin < rows; begin += rows_each) {
        size_t end = begin + rows_each < rows ? begin + rows_each : rows;
        size_t bytes = (end - begin) * row_bytes;
        if ((err = read_slice(l, t, begin * row_bytes, bytes)) ||
            (err = pack_slice(l, w, t, begin, end, row_bytes)) || (err = report(l, bytes))) {
            return err;
        }
    }
    l->m->weight_bytes += n_bytes;
    return VB_OK;
}

static vb_err load_layer(loader *l, size_t i) {
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
        if ((err = load_matrix(l, name, matrices[j].cols, matrices[j].rows, matrices[j].w))) {
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
        err = vectors[j].required ? load_vector(l, name, vectors[j].n, vectors[j].v)
                                  : maybe_vector(l, name, vectors[j].n, vectors[j].v);
        if (err) {
            return err;
        }
    }
    return VB_OK;
}

static vb_err load_rope(loader *l) {
    vb_model *m = l->m;
    const vb_model_config *c = &m->config;
    float *factors = NULL;
    vb_err err = maybe_vector(l, "rope_freqs.weight", c->n_rot / 2, &factors);
    if (err) {
        return err;
    }
    for (size_t i = 0; factors && i < c->n_rot / 2; i++) {
        if (!(factors[i] > 0)) {
            err = vb_fail(l->e, VB_EFORMAT,
                          "%s: tensor rope_freqs.weight, element %zu is %g, expected more than 0",
                          vb_gguf_file_path(l->g, 0), i, (double)factors[i]);
            free(factors);
            return err;
        }
    }
    m->rope_freq = calloc(c->n_rot / 2 + 1, sizeof *m->rope_freq);
    if (!m->rope_freq) {
        free(factors);
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
        .factors = factors,
    };
    bool fine = vb_rope_freqs(&p, m->rope_freq, &m->rope_mscale);
    free(factors);
    if (!fine) {
        return vb_fail(
            l->e, VB_EFORMAT,
            "%s: the rotary parameters (freq_base %g, scaling factor %g, %zu dimensions) "
            "give frequencies outside [0, %g]",
            vb_gguf_file_path(l->g, 0), c->rope_base, c->rope_factor, c->n_rot, VB_ROPE_FREQ_MAX);
    }
    return VB_OK;
}

/* Whether load_all reads a tensor of this name: of its own spelling only ("blk.01." is none). */
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
    if (l->n_used == vb_gguf_tensor_count(l->g)) {
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
    return vb_fail(l->e, VB_EINTERNAL, "%s: %zu tensors, %zu of them were read",
                   vb_gguf_file_path(l->g, 0), vb_gguf_tensor_count(l->g), l->n_used);
}

static vb_err load_all(loader *l) {
    vb_model *m = l->m;
    const vb_model_config *c = &m->config;
    vb_err err;
    if ((err = load_matrix(l, "token_embd.weight", c->n_embd, c->n_vocab, &m->embed)) ||
        (err = load_vector(l, "output_norm.weight", c->n_embd, &m->output_norm)) ||
        (err = load_rope(l))) {
        return err;
    }
    if (!c->tied_embeddings &&
        (err = load_matrix(l, "output.weight", c->n_embd, c->n_vocab, &m->output))) {
        return err;
    }
    m->decode_bytes = vb_model_head(m)->data_bytes;
    for (size_t i = 0; i < c->n_layers; i++) {
        if ((err = load_layer(l, i))) {
            return err;
        }
    }
    return check_all_used(l);
}

/* Room for one tile of the longest row, and the bytes that packing will take. */
static vb_err plan(loader *l) {
    uint64_t need = 0;
    l->slice_bytes = SLICE_BYTES;
    for (size_t i = 0; i < vb_gguf_tensor_count(l->g); i++) {
        const vb_gguf_tensor *t = vb_gguf_tensor_at(l->g, i);
        const vb_wtype_info *info = vb_wtype_get(t->type);
        if (t->dims[0] > 16u * VB_MODEL_WIDTH_MAX) {
            return vb_fail(l->e, VB_ELIMIT,
                           "%s: tensor %.*s: rows of %llu values, at most %u are allowed",
                           vb_gguf_file_path(l->g, t->file_index), (int)t->name.len, t->name.p,
                           (unsigned long long)t->dims[0], 16u * VB_MODEL_WIDTH_MAX);
        }
        size_t tile = (size_t)t->dims[0] / info->block_values * info->block_bytes * VB_ROW_TILE;
        l->slice_bytes = tile > l->slice_bytes ? tile : l->slice_bytes;
        const size_t packed = l->m->k->pack_bytes(t->type, (size_t)t->dims[1], (size_t)t->dims[0]);
        need += packed > t->n_bytes ? packed : t->n_bytes;
        l->total += t->n_bytes;
    }
    const vb_err err = vb_memory_check(need + l->slice_bytes, "the model", l->e);
    return err ? vb_fail_in(l->e, err, "%s", vb_gguf_file_path(l->g, 0)) : VB_OK;
}

vb_err vb_model_load(const vb_gguf *g, const vb_model_options *options, vb_model **out,
                     vb_error *e) {
    VB_ASSERT(options->kernels && options->n_threads >= 1);
    loader l = {.g = g, .options = options, .e = e};
    vb_err err;
    vb_model *m = calloc(1, sizeof *m);
    if (!m) {
        return vb_fail(e, VB_ENOMEM, "no memory for a model");
    }
    l.m = m;
    m->k = options->kernels;
    if ((err = vb_model_config_read(g, &m->config, e)) || (err = plan(&l))) {
        goto fail;
    }
    m->attn_scale = vb_attention_scale(m->config.head_dim);
    m->layers = calloc(m->config.n_layers, sizeof *m->layers);
    l.slice = malloc(l.slice_bytes);
    if (!m->layers || !l.slice) {
        err = vb_fail(e, VB_ENOMEM, "no memory for a model");
        goto fail;
    }
    if ((err = load_all(&l))) {
        goto fail;
    }
    free(l.slice);
    *out = m;
    return VB_OK;
fail:
    free(l.slice);
    vb_model_close(m);
    return err;
}

static void drop(vb_weight *w) {
    vb_free_aligned(w->m.data, w->data_bytes);
}

void vb_model_close(vb_model *m) {
    if (!m) {
        return;
    }
    for (size_t i = 0; m->layers && i < m->config.n_layers; i++) {
        vb_layer *y = &m->layers[i];
        vb_weight *all[] = {&y->wq, &y->wk, &y->wv, &y->wo, &y->gate, &y->up, &y->down};
        for (size_t j = 0; j < sizeof all / sizeof all[0]; j++) {
            drop(all[j]);
        }
        free(y->attn_norm);
        free(y->ffn_norm);
        free(y->bq);
        free(y->bk);
        free(y->bv);
    }
    drop(&m->embed);
    drop(&m->output);
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
