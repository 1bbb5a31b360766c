/*
 * Reading metadata: by number, by name, and as the type that the caller needs.
 */
#include <inttypes.h>
#include <string.h>

#include "gguf/gguf_internal.h"

static const struct {
    const char *name;
    uint8_t bytes; /* 0: not a fixed size */
} types[] = {
    [VB_GGUF_U8] = {"uint8", 1},    [VB_GGUF_I8] = {"int8", 1},    [VB_GGUF_U16] = {"uint16", 2},
    [VB_GGUF_I16] = {"int16", 2},   [VB_GGUF_U32] = {"uint32", 4}, [VB_GGUF_I32] = {"int32", 4},
    [VB_GGUF_F32] = {"float32", 4}, [VB_GGUF_BOOL] = {"bool", 1},  [VB_GGUF_STRING] = {"string", 0},
    [VB_GGUF_ARRAY] = {"array", 0}, [VB_GGUF_U64] = {"uint64", 8}, [VB_GGUF_I64] = {"int64", 8},
    [VB_GGUF_F64] = {"float64", 8},
};

enum { TYPES = sizeof types / sizeof types[0] };

const char *vb_gguf_type_name(uint32_t type) {
    return type < TYPES ? types[type].name : "unknown";
}

size_t gguf_type_bytes(uint32_t type) {
    return type < TYPES ? types[type].bytes : 0;
}

static bool from_signed(int64_t v, bool *negative, uint64_t *magnitude) {
    *negative = v < 0;
    *magnitude = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    return true;
}

bool gguf_int_decode(vb_gguf_type type, const uint8_t *p, bool *negative, uint64_t *magnitude) {
    *negative = false;
    switch (type) {
    case VB_GGUF_U8: *magnitude = p[0]; return true;
    case VB_GGUF_U16: *magnitude = vb_load_u16le(p); return true;
    case VB_GGUF_U32: *magnitude = vb_load_u32le(p); return true;
    case VB_GGUF_U64: *magnitude = vb_load_u64le(p); return true;
    case VB_GGUF_I8: return from_signed((int8_t)p[0], negative, magnitude);
    case VB_GGUF_I16: return from_signed((int16_t)vb_load_u16le(p), negative, magnitude);
    case VB_GGUF_I32: return from_signed((int32_t)vb_load_u32le(p), negative, magnitude);
    case VB_GGUF_I64: return from_signed((int64_t)vb_load_u64le(p), negative, magnitude);
    case VB_GGUF_F32:
    case VB_GGUF_BOOL:
    case VB_GGUF_STRING:
    case VB_GGUF_ARRAY:
    case VB_GGUF_F64: return false;
    }
    return false;
}

static float load_f32(const uint8_t *p) {
    uint32_t bits = vb_load_u32le(p);
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static double load_f64(const uint8_t *p) {
    uint64_t bits = vb_load_u64le(p);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static const uint8_t *value_of(const vb_gguf *g, const vb_gguf_kv *kv) {
    return gguf_file_meta(&g->files[kv->file_index]) + kv->offset_bytes;
}

static vb_str string_at(const uint8_t *p) {
    return (vb_str){(const char *)p + 8, (size_t)vb_load_u64le(p)};
}

size_t vb_gguf_kv_count(const vb_gguf *g) {
    return g->part.n_kvs;
}

const vb_gguf_kv *vb_gguf_kv_at(const vb_gguf *g, size_t i) {
    VB_ASSERT(i < g->part.n_kvs);
    return &g->part.kvs[i];
}

size_t vb_gguf_tensor_count(const vb_gguf *g) {
    return g->part.n_tensors;
}

const vb_gguf_tensor *vb_gguf_tensor_at(const vb_gguf *g, size_t i) {
    VB_ASSERT(i < g->part.n_tensors);
    return &g->part.tensors[i];
}

const vb_gguf_kv *gguf_part_find(const gguf_part *part, const char *key) {
    size_t len = strlen(key);
    for (size_t i = 0; i < part->n_kvs; i++) {
        const vb_str *s = &part->kvs[i].key;
        if (s->len == len && memcmp(s->p, key, len) == 0) {
            return &part->kvs[i];
        }
    }
    return NULL;
}

const vb_gguf_kv *vb_gguf_find(const vb_gguf *g, const char *key) {
    const gguf_part *p = &g->part;
    size_t i = gguf_index_find(&g->kv_index, p->kvs, sizeof *p->kvs, p->n_kvs, key);
    return i < p->n_kvs ? &p->kvs[i] : NULL;
}

const vb_gguf_tensor *vb_gguf_find_tensor(const vb_gguf *g, const char *name) {
    const gguf_part *p = &g->part;
    size_t i =
        gguf_index_find(&g->tensor_index, p->tensors, sizeof *p->tensors, p->n_tensors, name);
    return i < p->n_tensors ? &p->tensors[i] : NULL;
}

/* The entry, or NULL with the error filled. */
static const vb_gguf_kv *require(const vb_gguf *g, const char *key, const char *wanted,
                                 vb_error *e) {
    const vb_gguf_kv *kv = vb_gguf_find(g, key);
    if (!kv) {
        (void)gguf_fail(&g->files[0], e, VB_EFORMAT, "metadata key '%s' is missing (%s expected)",
                        key, wanted);
    }
    return kv;
}

static vb_err wrong_type(const vb_gguf *g, const vb_gguf_kv *kv, const char *key,
                         const char *wanted, vb_error *e) {
    const gguf_file *f = &g->files[kv->file_index];
    if (kv->type == VB_GGUF_ARRAY) {
        return gguf_fail_at(f, kv->offset_bytes, e, VB_EFORMAT,
                            "metadata key '%s' is an array of %s, expected %s", key,
                            vb_gguf_type_name(kv->item_type), wanted);
    }
    return gguf_fail_at(f, kv->offset_bytes, e, VB_EFORMAT,
                        "metadata key '%s' has type %s, expected %s", key,
                        vb_gguf_type_name(kv->type), wanted);
}

vb_err vb_gguf_get_u64(const vb_gguf *g, const char *key, uint64_t min, uint64_t max, uint64_t *out,
                       vb_error *e) {
    const vb_gguf_kv *kv = require(g, key, "an integer", e);
    if (!kv) {
        return VB_EFORMAT;
    }
    bool negative;
    uint64_t v;
    if (!gguf_int_decode(kv->type, value_of(g, kv), &negative, &v)) {
        return wrong_type(g, kv, key, "an integer", e);
    }
    if (negative || v < min || v > max) {
        return gguf_fail_at(&g->files[kv->file_index], kv->offset_bytes, e, VB_EFORMAT,
                            "metadata key '%s' is %s%" PRIu64 ", expected %" PRIu64 " to %" PRIu64,
                            key, negative ? "-" : "", v, min, max);
    }
    *out = v;
    return VB_OK;
}

vb_err vb_gguf_get_f32(const vb_gguf *g, const char *key, float *out, vb_error *e) {
    const vb_gguf_kv *kv = require(g, key, "a float", e);
    if (!kv) {
        return VB_EFORMAT;
    }
    if (kv->type != VB_GGUF_F32 && kv->type != VB_GGUF_F64) {
        return wrong_type(g, kv, key, "a float", e);
    }
    const uint8_t *p = value_of(g, kv);
    float v = kv->type == VB_GGUF_F32 ? load_f32(p) : (float)load_f64(p);
    if (!(v - v == 0)) {
        return gguf_fail_at(&g->files[kv->file_index], kv->offset_bytes, e, VB_EFORMAT,
                            "metadata key '%s' is not a finite float32", key);
    }
    *out = v;
    return VB_OK;
}

vb_err vb_gguf_get_bool(const vb_gguf *g, const char *key, bool *out, vb_error *e) {
    const vb_gguf_kv *kv = require(g, key, "a bool", e);
    if (!kv) {
        return VB_EFORMAT;
    }
    if (kv->type != VB_GGUF_BOOL) {
        return wrong_type(g, kv, key, "a bool", e);
    }
    *out = value_of(g, kv)[0] != 0;
    return VB_OK;
}

vb_err vb_gguf_get_str(const vb_gguf *g, const char *key, vb_str *out, vb_error *e) {
    const vb_gguf_kv *kv = require(g, key, "a string", e);
    if (!kv) {
        return VB_EFORMAT;
    }
    if (kv->type != VB_GGUF_STRING) {
        return wrong_type(g, kv, key, "a string", e);
    }
    *out = string_at(value_of(g, kv));
    return VB_OK;
}

/* The first byte of item i of a fixed-size type: after item type and count. */
static const uint8_t *item_at(const vb_gguf *g, const vb_gguf_kv *kv, uint64_t i) {
    return value_of(g, kv) + 12 + i * gguf_type_bytes(kv->item_type);
}

bool vb_gguf_item_str(const vb_gguf *g, const vb_gguf_kv *kv, uint64_t i, vb_str *out) {
    if (kv->type != VB_GGUF_ARRAY || kv->item_type != VB_GGUF_STRING || i >= kv->n_items) {
        return false;
    }
    size_t record = ((uintptr_t)kv - (uintptr_t)g->part.kvs) / sizeof *kv;
    VB_ASSERT(record < g->part.n_kvs && &g->part.kvs[record] == kv);
    *out = string_at(gguf_file_meta(&g->files[kv->file_index]) + g->part.aux[record].item_pos[i]);
    return true;
}

bool vb_gguf_item_i64(const vb_gguf *g, const vb_gguf_kv *kv, uint64_t i, int64_t *out) {
    if (kv->type != VB_GGUF_ARRAY || i >= kv->n_items) {
        return false;
    }
    if (kv->item_type == VB_GGUF_BOOL) {
        *out = item_at(g, kv, i)[0];
        return true;
    }
    bool negative;
    uint64_t v;
    if (!gguf_type_bytes(kv->item_type) ||
        !gguf_int_decode(kv->item_type, item_at(g, kv, i), &negative, &v) ||
        (!negative && v > INT64_MAX)) {
        return false;
    }
    *out = (int64_t)(negative ? 0 - v : v);
    return true;
}

bool vb_gguf_item_f32(const vb_gguf *g, const vb_gguf_kv *kv, uint64_t i, float *out) {
    if (kv->type != VB_GGUF_ARRAY || kv->item_type != VB_GGUF_F32 || i >= kv->n_items) {
        return false;
    }
    *out = load_f32(item_at(g, kv, i));
    return true;
}

double gguf_float_value(const vb_gguf *g, const vb_gguf_kv *kv) {
    const uint8_t *p = value_of(g, kv);
    return kv->type == VB_GGUF_F32 ? (double)load_f32(p) : load_f64(p);
}

const uint8_t *gguf_value_bytes(const vb_gguf *g, const vb_gguf_kv *kv) {
    return value_of(g, kv);
}
