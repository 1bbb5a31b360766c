/*
 * The front of a GGUF file: header and metadata. The order of checks is always the same: the
 * bytes exist, the number is in its range, then it is used. Counts are compared with the bytes
 * that are left before anything is allocated for them.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gguf/gguf_internal.h"

enum {
    KV_BYTES_MIN = 8 + 1 + 4 + 1,             /* the smallest entry: one-byte key, one-byte value */
    TENSOR_BYTES_MIN = 8 + 1 + 4 + 8 + 4 + 8, /* the smallest description: one dimension */
    ALIGNMENT_DEFAULT = 32,
    ALIGNMENT_MIN = 8
};

vb_err gguf_reader_fail(const gguf_reader *r, uint64_t offset, vb_err code, const char *fmt, ...) {
    char text[VB_ERROR_MSG_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (!r->name_len) {
        return gguf_fail_at(r->f, offset, r->e, code, "%s: %s", r->what, text);
    }
    vb_str name = {(const char *)gguf_file_meta(r->f) + r->name_pos, r->name_len};
    return gguf_fail_at(r->f, offset, r->e, code, "%s '%.*s': %s", r->what, GGUF_SHOW(name), text);
}

vb_err gguf_take(gguf_reader *r, uint64_t n, const uint8_t **out) {
    uint64_t left = r->f->n_bytes - r->pos;
    if (n > left) {
        return gguf_reader_fail(r, r->pos, VB_EFORMAT,
                                "%" PRIu64 " bytes expected, but the file ends after %" PRIu64, n,
                                left);
    }
    if (n > VB_GGUF_META_BYTES_MAX || r->pos + n > VB_GGUF_META_BYTES_MAX) {
        return gguf_reader_fail(r, r->pos, VB_ELIMIT,
                                "metadata passes the limit of %u bytes (VB_GGUF_META_BYTES_MAX)",
                                VB_GGUF_META_BYTES_MAX);
    }
    vb_err err = gguf_file_load(r->f, (size_t)(r->pos + n), r->e);
    if (err) {
        return err;
    }
    *out = gguf_file_meta(r->f) + r->pos;
    r->pos += n;
    return VB_OK;
}

vb_err gguf_take_u32(gguf_reader *r, uint32_t *out) {
    const uint8_t *p = NULL;
    vb_err err = gguf_take(r, 4, &p);
    if (!err) {
        *out = vb_load_u32le(p);
    }
    return err;
}

vb_err gguf_take_u64(gguf_reader *r, uint64_t *out) {
    const uint8_t *p = NULL;
    vb_err err = gguf_take(r, 8, &p);
    if (!err) {
        *out = vb_load_u64le(p);
    }
    return err;
}

vb_err gguf_take_name(gguf_reader *r, uint32_t *pos, size_t *len) {
    uint64_t at = r->pos;
    uint64_t n = 0;
    vb_err err = gguf_take_u64(r, &n);
    if (err) {
        return err;
    }
    if (n == 0) {
        return gguf_reader_fail(r, at, VB_EFORMAT, "the name is empty");
    }
    if (n > VB_GGUF_KEY_BYTES_MAX) {
        /* A length past the end of the file is damage; one within it is over our limit. */
        vb_err code = n > r->f->n_bytes - r->pos ? VB_EFORMAT : VB_ELIMIT;
        return gguf_reader_fail(r, at, code,
                                "the name has %" PRIu64 " bytes, more than %u "
                                "(VB_GGUF_KEY_BYTES_MAX)",
                                n, VB_GGUF_KEY_BYTES_MAX);
    }
    const uint8_t *p = NULL;
    err = gguf_take(r, n, &p);
    if (err) {
        return err;
    }
    if (memchr(p, 0, (size_t)n)) {
        return gguf_reader_fail(r, at + 8, VB_EFORMAT, "the name holds a zero byte");
    }
    *pos = (uint32_t)(r->pos - n);
    *len = (size_t)n;
    r->name_pos = *pos;
    r->name_len = (uint32_t)n;
    return VB_OK;
}

/* Passes over one string value, checking it. */
static vb_err skip_string(gguf_reader *r) {
    uint64_t at = r->pos;
    uint64_t n = 0;
    vb_err err = gguf_take_u64(r, &n);
    if (err) {
        return err;
    }
    if (n > r->f->n_bytes - r->pos) {
        return gguf_reader_fail(r, at, VB_EFORMAT,
                                "a string of %" PRIu64 " bytes, but %" PRIu64
                                " are left in the file",
                                n, r->f->n_bytes - r->pos);
    }
    if (n > VB_GGUF_STRING_BYTES_MAX) {
        return gguf_reader_fail(r, at, VB_ELIMIT,
                                "a string of %" PRIu64 " bytes, more than %u "
                                "(VB_GGUF_STRING_BYTES_MAX)",
                                n, VB_GGUF_STRING_BYTES_MAX);
    }
    const uint8_t *p = NULL;
    return gguf_take(r, n, &p);
}

static vb_err skip_scalars(gguf_reader *r, uint32_t type, uint64_t n) {
    size_t size = gguf_type_bytes(type);
    uint64_t at = r->pos;
    if (n > (r->f->n_bytes - at) / size) {
        return gguf_reader_fail(r, at, VB_EFORMAT,
                                "%" PRIu64 " values of type %s, but %" PRIu64
                                " bytes are left in the file",
                                n, vb_gguf_type_name(type), r->f->n_bytes - at);
    }
    const uint8_t *p = NULL;
    vb_err err = gguf_take(r, n * size, &p);
    for (uint64_t i = 0; !err && type == VB_GGUF_BOOL && i < n; i++) {
        if (p[i] > 1) {
            return gguf_reader_fail(r, at + i, VB_EFORMAT, "a bool is %u, expected 0 or 1", p[i]);
        }
    }
    return err;
}

/* String items get an index, four bytes for at least eight in the file. */
static vb_err skip_strings(gguf_reader *r, uint64_t n, gguf_aux *aux) {
    uint64_t left = r->f->n_bytes - r->pos;
    if (n > left / 8) {
        return gguf_reader_fail(r, r->pos, VB_EFORMAT,
                                "%" PRIu64 " strings, but %" PRIu64 " bytes are left in the file",
                                n, left);
    }
    aux->item_pos = malloc(n ? (size_t)n * sizeof *aux->item_pos : 1);
    if (!aux->item_pos) {
        return gguf_reader_fail(r, r->pos, VB_ENOMEM, "no memory for %" PRIu64 " strings", n);
    }
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = r->pos;
        vb_err err = skip_string(r);
        if (err) {
            return err;
        }
        aux->item_pos[i] = (uint32_t)at;
    }
    return VB_OK;
}

static vb_err parse_array(gguf_reader *r, vb_gguf_kv *kv, gguf_aux *aux) {
    uint64_t at = r->pos;
    uint32_t item_type = 0;
    vb_err err = gguf_take_u32(r, &item_type);
    if (err) {
        return err;
    }
    if (item_type == VB_GGUF_ARRAY) {
        return gguf_reader_fail(r, at, VB_EUNSUPPORTED, "arrays of arrays are not supported");
    }
    if (item_type > VB_GGUF_F64) {
        return gguf_reader_fail(r, at, VB_EFORMAT,
                                "item type %" PRIu32 " is not one of GGUF's types 0 to 12",
                                item_type);
    }
    uint64_t n = 0;
    err = gguf_take_u64(r, &n);
    if (err) {
        return err;
    }
    kv->item_type = (vb_gguf_type)item_type;
    kv->n_items = n;
    if (n > VB_GGUF_ARRAY_ITEMS_MAX && n <= r->f->n_bytes - r->pos) {
        return gguf_reader_fail(r, at + 4, VB_ELIMIT,
                                "an array of %" PRIu64 " items, more than %u "
                                "(VB_GGUF_ARRAY_ITEMS_MAX)",
                                n, VB_GGUF_ARRAY_ITEMS_MAX);
    }
    if (item_type == VB_GGUF_STRING) {
        return skip_strings(r, n, aux);
    }
    return skip_scalars(r, item_type, n);
}

static vb_err parse_kv(gguf_reader *r, size_t file_index, vb_gguf_kv *kv, gguf_aux *aux) {
    r->what = "metadata key";
    r->name_len = 0;
    vb_err err = gguf_take_name(r, &aux->key_pos, &kv->key.len);
    if (err) {
        return err;
    }
    uint64_t at = r->pos;
    uint32_t type = 0;
    err = gguf_take_u32(r, &type);
    if (err) {
        return err;
    }
    if (type > VB_GGUF_F64) {
        return gguf_reader_fail(r, at, VB_EFORMAT,
                                "value type %" PRIu32 " is not one of GGUF's types 0 to 12", type);
    }
    kv->type = (vb_gguf_type)type;
    kv->file_index = file_index;
    kv->offset_bytes = r->pos;
    if (type == VB_GGUF_ARRAY) {
        return parse_array(r, kv, aux);
    }
    return type == VB_GGUF_STRING ? skip_string(r) : skip_scalars(r, type, 1);
}

/* general.alignment, which is a uint32 when present. */
static vb_err read_alignment(const gguf_reader *r, const gguf_part *part, uint32_t *out) {
    *out = ALIGNMENT_DEFAULT;
    const vb_gguf_kv *kv = gguf_part_find(part, "general.alignment");
    if (!kv) {
        return VB_OK;
    }
    if (kv->type != VB_GGUF_U32) {
        return gguf_fail_at(r->f, kv->offset_bytes, r->e, VB_EFORMAT,
                            "key 'general.alignment' has type %s, expected uint32",
                            vb_gguf_type_name(kv->type));
    }
    uint32_t a = vb_load_u32le(gguf_file_meta(r->f) + kv->offset_bytes);
    if (a < ALIGNMENT_MIN || (a & (a - 1)) || a > VB_GGUF_ALIGNMENT_BYTES_MAX) {
        return gguf_fail_at(r->f, kv->offset_bytes, r->e, VB_EFORMAT,
                            "key 'general.alignment' is %" PRIu32
                            ", expected a power of two from %d to %u",
                            a, ALIGNMENT_MIN, VB_GGUF_ALIGNMENT_BYTES_MAX);
    }
    *out = a;
    return VB_OK;
}

static vb_err check_version(gguf_reader *r) {
    static const uint8_t magic[4] = {'G', 'G', 'U', 'F'};
    const uint8_t *p = NULL;
    vb_err err = gguf_take(r, 4, &p);
    if (err) {
        return err;
    }
    if (memcmp(p, magic, sizeof magic) != 0) {
        return gguf_reader_fail(r, 0, VB_EFORMAT,
                                "this is not a GGUF file: it starts with %02x %02x %02x %02x, "
                                "expected 47 47 55 46 (GGUF)",
                                p[0], p[1], p[2], p[3]);
    }
    uint32_t version = 0;
    err = gguf_take_u32(r, &version);
    if (err) {
        return err;
    }
    if ((version & 0xffff) == 0 && version != 0) {
        return gguf_reader_fail(r, 4, VB_EUNSUPPORTED, "big-endian GGUF is not supported");
    }
    if (version != 2 && version != 3) {
        return gguf_reader_fail(r, 4, VB_EUNSUPPORTED,
                                "GGUF version %" PRIu32 " is not supported (2 and 3 are)", version);
    }
    r->f->version = version;
    return VB_OK;
}

/* One count of the header: what it counts takes at least bytes_min each. */
static vb_err take_count(gguf_reader *r, const char *noun, unsigned bytes_min, unsigned max,
                         size_t *out) {
    uint64_t at = r->pos;
    uint64_t n = 0;
    vb_err err = gguf_take_u64(r, &n);
    if (err) {
        return err;
    }
    if (n > (r->f->n_bytes - r->pos) / bytes_min) {
        return gguf_reader_fail(r, at, VB_EFORMAT,
                                "%" PRIu64 " %s declared, more than the %" PRIu64
                                " bytes that follow can hold",
                                n, noun, r->f->n_bytes - r->pos);
    }
    if (n > max) {
        return gguf_reader_fail(r, at, VB_ELIMIT, "%" PRIu64 " %s, more than the limit of %u", n,
                                noun, max);
    }
    *out = (size_t)n;
    return VB_OK;
}

static vb_err parse_header(gguf_reader *r, gguf_part *part) {
    vb_err err = check_version(r);
    if (!err) {
        err = take_count(r, "tensors", TENSOR_BYTES_MIN, VB_GGUF_TENSORS_MAX, &part->n_tensors);
    }
    if (!err) {
        err = take_count(r, "metadata entries", KV_BYTES_MIN, VB_GGUF_KV_MAX, &part->n_kvs);
    }
    if (err) {
        part->n_tensors = 0;
        part->n_kvs = 0;
        return err;
    }
    part->kvs = calloc(part->n_kvs + 1, sizeof *part->kvs);
    part->aux = calloc(part->n_kvs + 1, sizeof *part->aux);
    part->tensors = calloc(part->n_tensors + 1, sizeof *part->tensors);
    if (!part->kvs || !part->aux || !part->tensors) {
        return gguf_fail(r->f, r->e, VB_ENOMEM, "no memory for %zu entries and %zu tensors",
                         part->n_kvs, part->n_tensors);
    }
    return VB_OK;
}

/* The copy of the metadata has its final place only when all of it was read. */
static void resolve_keys(const gguf_file *f, gguf_part *part) {
    const char *meta = (const char *)gguf_file_meta(f);
    for (size_t i = 0; i < part->n_kvs; i++) {
        part->kvs[i].key.p = meta + part->aux[i].key_pos;
    }
}

vb_err gguf_part_parse(gguf_file *f, size_t file_index, gguf_part *part, vb_error *e) {
    gguf_reader r = {f, 0, "header", 0, 0, e};
    vb_err err = parse_header(&r, part);
    for (size_t i = 0; !err && i < part->n_kvs; i++) {
        err = parse_kv(&r, file_index, &part->kvs[i], &part->aux[i]);
    }
    if (err) {
        return err;
    }
    resolve_keys(f, part);
    uint32_t alignment = 0;
    err = gguf_check_unique_keys(f, part, e);
    if (!err) {
        err = read_alignment(&r, part, &alignment);
    }
    if (!err) {
        err = gguf_tensors_parse(&r, file_index, alignment, part);
    }
    if (!err) {
        resolve_keys(f, part);
    }
    return err;
}

void gguf_part_free(gguf_part *part) {
    for (size_t i = 0; part->aux && i < part->n_kvs; i++) {
        free(part->aux[i].item_pos);
    }
    free(part->kvs);
    free(part->aux);
    free(part->tensors);
    *part = (gguf_part){0};
}
