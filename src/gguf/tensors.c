/*
 * Tensor descriptions. Sizes are computed in 64 bits with every product checked, so that no
 * dimension can wrap a stride round to a small number; data must lie inside the file, aligned.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "gguf/gguf_internal.h"

/* Formats that GGUF files are known to carry and that this version does not define; so that the
 * message names what the user has. */
static const char *foreign_type(uint32_t id) {
    static const struct {
        uint32_t id;
        const char *name;
    } types[] = {
        {4, "Q4_2"},      {5, "Q4_3"},     {9, "Q8_1"},   {15, "Q8_K"},     {16, "IQ2_XXS"},
        {17, "IQ2_XS"},   {18, "IQ3_XXS"}, {19, "IQ1_S"}, {20, "IQ4_NL"},   {21, "IQ3_S"},
        {22, "IQ2_S"},    {23, "IQ4_XS"},  {24, "I8"},    {25, "I16"},      {26, "I32"},
        {27, "I64"},      {28, "F64"},     {29, "IQ1_M"}, {31, "Q4_0_4_4"}, {32, "Q4_0_4_8"},
        {33, "Q4_0_8_8"}, {34, "TQ1_0"},   {35, "TQ2_0"}, {39, "MXFP4"},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].id == id) {
            return types[i].name;
        }
    }
    return "unknown";
}

static vb_err parse_dims(gguf_reader *r, vb_gguf_tensor *t) {
    uint64_t at = r->pos;
    vb_err err = gguf_take_u32(r, &t->n_dims);
    if (err) {
        return err;
    }
    if (t->n_dims < 1 || t->n_dims > VB_GGUF_DIMS_MAX) {
        return gguf_reader_fail(r, at, VB_EFORMAT, "%" PRIu32 " dimensions, expected 1 to %u",
                                t->n_dims, VB_GGUF_DIMS_MAX);
    }
    for (uint32_t i = 0; i < VB_GGUF_DIMS_MAX; i++) {
        t->dims[i] = 1;
    }
    for (uint32_t i = 0; i < t->n_dims; i++) {
        at = r->pos;
        err = gguf_take_u64(r, &t->dims[i]);
        if (err) {
            return err;
        }
        if (t->dims[i] == 0 || t->dims[i] > INT64_MAX) {
            return gguf_reader_fail(r, at, VB_EFORMAT,
                                    "dimension %" PRIu32 " is %" PRIu64 ", expected 1 to 2^63 - 1",
                                    i, t->dims[i]);
        }
    }
    return VB_OK;
}

/* Type and, with the dimensions, the bytes of the data. at: where the type is. */
static vb_err size_tensor(gguf_reader *r, uint64_t at, uint32_t type, vb_gguf_tensor *t) {
    const vb_wtype_info *info = vb_wtype_get(type);
    if (!info) {
        return gguf_reader_fail(r, at, VB_EUNSUPPORTED,
                                "tensor type %" PRIu32 " (%s) is not supported", type,
                                foreign_type(type));
    }
    if (t->dims[0] % info->block_values) {
        return gguf_reader_fail(r, at, VB_EFORMAT,
                                "rows of %" PRIu64 " values, expected a multiple of %" PRIu32
                                " for %s",
                                t->dims[0], info->block_values, info->name);
    }
    uint64_t n = t->dims[0] / info->block_values;
    bool fits = !__builtin_mul_overflow(n, (uint64_t)info->block_bytes, &n);
    uint64_t values = t->dims[0];
    for (uint32_t i = 1; i < VB_GGUF_DIMS_MAX; i++) {
        fits = fits && !__builtin_mul_overflow(n, t->dims[i], &n) &&
               !__builtin_mul_overflow(values, t->dims[i], &values);
    }
    if (!fits || values > INT64_MAX || n > SIZE_MAX) {
        return gguf_reader_fail(r, at, VB_EFORMAT,
                                "the product of the dimensions %" PRIu64 " x %" PRIu64 " x %" PRIu64
                                " x %" PRIu64 " overflows",
                                t->dims[0], t->dims[1], t->dims[2], t->dims[3]);
    }
    t->type = (vb_wtype)type;
    t->n_bytes = (size_t)n;
    return VB_OK;
}

static vb_err parse_tensor(gguf_reader *r, uint32_t alignment, vb_gguf_tensor *t,
                           uint32_t *name_pos) {
    r->what = "tensor";
    r->name_len = 0;
    vb_err err = gguf_take_name(r, name_pos, &t->name.len);
    if (!err) {
        err = parse_dims(r, t);
    }
    if (err) {
        return err;
    }
    uint64_t at = r->pos;
    uint32_t type = 0;
    err = gguf_take_u32(r, &type);
    if (!err) {
        err = size_tensor(r, at, type, t);
    }
    at = r->pos;
    if (!err) {
        err = gguf_take_u64(r, &t->offset_bytes);
    }
    if (!err && t->offset_bytes % alignment) {
        return gguf_reader_fail(r, at, VB_EFORMAT,
                                "data offset %" PRIu64
                                " is not a multiple of the alignment %" PRIu32,
                                t->offset_bytes, alignment);
    }
    return err;
}

/* Offsets become absolute; every byte of the data must be in the file. */
static vb_err place_tensor(gguf_reader *r, uint64_t data_start, uint32_t name_pos,
                           vb_gguf_tensor *t) {
    const gguf_file *f = r->f;
    uint64_t offset = t->offset_bytes;
    uint64_t room = data_start < f->n_bytes ? f->n_bytes - data_start : 0;
    r->name_pos = name_pos;
    r->name_len = (uint32_t)t->name.len;
    if (offset > room || t->n_bytes > room - offset) {
        return gguf_reader_fail(r, name_pos, VB_EFORMAT,
                                "%zu bytes of data at offset %" PRIu64
                                " of the data section, which has %" PRIu64
                                " bytes: the file is truncated or damaged",
                                t->n_bytes, offset, room);
    }
    t->offset_bytes = data_start + offset;
    t->name.p = (const char *)gguf_file_meta(f) + name_pos;
    return VB_OK;
}

vb_err gguf_tensors_parse(gguf_reader *r, size_t file_index, uint32_t alignment, gguf_part *part) {
    size_t n = part->n_tensors;
    uint32_t *name_pos = malloc((n + 1) * sizeof *name_pos);
    if (!name_pos) {
        return gguf_fail(r->f, r->e, VB_ENOMEM, "no memory for %zu tensors", n);
    }
    vb_err err = VB_OK;
    for (size_t i = 0; !err && i < n; i++) {
        part->tensors[i].file_index = file_index;
        err = parse_tensor(r, alignment, &part->tensors[i], &name_pos[i]);
    }
    uint64_t end = r->pos;
    uint64_t data_start = (end + alignment - 1) / alignment * alignment;
    if (!err) {
        gguf_file_settle(r->f, (size_t)end, n > 0);
    }
    const uint8_t *base = r->f->bytes ? r->f->bytes : r->f->map;
    for (size_t i = 0; !err && i < n; i++) {
        vb_gguf_tensor *t = &part->tensors[i];
        err = place_tensor(r, data_start, name_pos[i], t);
        if (!err) {
            t->data = base ? base + t->offset_bytes : NULL;
        }
    }
    free(name_pos);
    return err;
}
