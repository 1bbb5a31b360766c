/*
 * GGUF loader (versions 2 and 3): untrusted bytes in, typed metadata and tensor
 * descriptions out. Every count, offset, size, type, alignment and string is checked before
 * use, and the error names the file, the byte offset and the key or tensor. Files are
 * little-endian on every host. Memory is bounded by the size of the file and by limits.h.
 *
 * Metadata is copied when a file is opened. Tensor data is not: vb_gguf_tensor.data points into
 * a private mapping, and reading it raises SIGBUS if the file has been truncated since.
 * vb_gguf_read_tensor reads the same bytes and returns an error instead; prefer it.
 *
 * Owner: vb_gguf_open gives the caller a vb_gguf to close; everything borrowed from it lives
 * until then. Thread rule: immutable after opening, so any number of threads may read it.
 */
#ifndef VB_GGUF_GGUF_H
#define VB_GGUF_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arith/wtype.h"
#include "base/error.h"
#include "base/limits.h"

typedef struct vb_gguf vb_gguf;

/* GGUF metadata value types (the file's own ids). */
typedef enum vb_gguf_type {
    VB_GGUF_U8 = 0,
    VB_GGUF_I8 = 1,
    VB_GGUF_U16 = 2,
    VB_GGUF_I16 = 3,
    VB_GGUF_U32 = 4,
    VB_GGUF_I32 = 5,
    VB_GGUF_F32 = 6,
    VB_GGUF_BOOL = 7,
    VB_GGUF_STRING = 8,
    VB_GGUF_ARRAY = 9,
    VB_GGUF_U64 = 10,
    VB_GGUF_I64 = 11,
    VB_GGUF_F64 = 12
} vb_gguf_type;

/* Bytes, not necessarily UTF-8, not zero-terminated; borrowed from the file. */
typedef struct vb_str {
    const char *p;
    size_t len; /* bytes */
} vb_str;

typedef struct vb_gguf_kv {
    vb_str key;
    vb_gguf_type type;
    vb_gguf_type item_type; /* of an array */
    uint64_t n_items;       /* of an array */
    size_t file_index;      /* which file of a split model */
    uint64_t offset_bytes;  /* of the value in that file */
} vb_gguf_kv;

typedef struct vb_gguf_tensor {
    vb_str name;
    vb_wtype type;
    uint32_t n_dims;
    uint64_t dims[VB_GGUF_DIMS_MAX]; /* dims[0] is the row length; unused ones are 1 */
    const uint8_t *data;             /* in the mapped file; NULL where files can not be mapped */
    size_t n_bytes;                  /* of the data */
    size_t file_index;
    uint64_t offset_bytes; /* of the data in that file */
} vb_gguf_tensor;

/* Opens path; if its name ends in -00001-of-0000N.gguf (or its metadata says split.count > 1)
 * the other files beside it too: split.no and split.count must then agree with the names.
 * A later shard given as path is VB_EINVAL, and the message names the first.
 * VB_EIO, VB_EFORMAT, VB_EUNSUPPORTED (version, byte order, tensor type, nested array),
 * VB_ELIMIT, VB_ENOMEM. On error nothing is open. */
VB_MUST_CHECK vb_err vb_gguf_open(const char *path, vb_gguf **out, vb_error *e);

/* The same over borrowed bytes (fuzzers, tests); name stands for the path in errors. A shard of
 * a split model is VB_EUNSUPPORTED here. */
VB_MUST_CHECK vb_err vb_gguf_open_bytes(const void *bytes, size_t n_bytes, const char *name,
                                        vb_gguf **out, vb_error *e);
void vb_gguf_close(vb_gguf *g);

size_t vb_gguf_file_count(const vb_gguf *g);
const char *vb_gguf_file_path(const vb_gguf *g, size_t file_index);
uint64_t vb_gguf_file_bytes(const vb_gguf *g, size_t file_index);
uint32_t vb_gguf_version(const vb_gguf *g);

/* Enumeration, in file order (metadata of the first file of a split). */
size_t vb_gguf_kv_count(const vb_gguf *g);
const vb_gguf_kv *vb_gguf_kv_at(const vb_gguf *g, size_t i);
size_t vb_gguf_tensor_count(const vb_gguf *g);
const vb_gguf_tensor *vb_gguf_tensor_at(const vb_gguf *g, size_t i);

/* By name in O(1); NULL when absent. */
const vb_gguf_kv *vb_gguf_find(const vb_gguf *g, const char *key);
const vb_gguf_tensor *vb_gguf_find_tensor(const vb_gguf *g, const char *name);

/* Copies bytes [offset, offset + n) of a tensor's data into buf; the range must lie within
 * n_bytes. t was given by this g. Any number of threads may call it at once.
 * VB_EIO when the file can not be read or has become shorter; buf is then undefined. */
VB_MUST_CHECK vb_err vb_gguf_read_tensor(const vb_gguf *g, const vb_gguf_tensor *t, size_t offset,
                                         size_t n, uint8_t *buf, vb_error *e);

/* Asks the system to forget what it has cached of the files, so that the next reader waits for the
 * disk: for measurements. It is free not to. */
void vb_gguf_uncache(const vb_gguf *g);

/* A type's name in messages: "uint32", "string"; "unknown" when it is none. */
const char *vb_gguf_type_name(uint32_t type);

/* Typed reads. Integers of any width are accepted where the value fits the range asked for.
 * A float may be stored as binary64: it is rounded once; it must be finite.
 * VB_EFORMAT when the key is absent, has another type or is out of range: the message names
 * file, key, type. */
VB_MUST_CHECK vb_err vb_gguf_get_u64(const vb_gguf *g, const char *key, uint64_t min, uint64_t max,
                                     uint64_t *out, vb_error *e);
VB_MUST_CHECK vb_err vb_gguf_get_f32(const vb_gguf *g, const char *key, float *out, vb_error *e);
VB_MUST_CHECK vb_err vb_gguf_get_bool(const vb_gguf *g, const char *key, bool *out, vb_error *e);
VB_MUST_CHECK vb_err vb_gguf_get_str(const vb_gguf *g, const char *key, vb_str *out, vb_error *e);

/* Array items; kv (a pointer that this g gave) is an array of that item type (any integer type
 * or bool for _i64), i < n_items and the value fits: else false, *out untouched. A float item
 * may be a NaN or an infinity. String items are O(1): an index is built when the file is
 * opened. */
bool vb_gguf_item_str(const vb_gguf *g, const vb_gguf_kv *kv, uint64_t i, vb_str *out);
bool vb_gguf_item_i64(const vb_gguf *g, const vb_gguf_kv *kv, uint64_t i, int64_t *out);
bool vb_gguf_item_f32(const vb_gguf *g, const vb_gguf_kv *kv, uint64_t i, float *out);

/* A value as text for people ("32", "0.00001", "\"qwen2\"", "[151936 strings]"), cut to max
 * bytes (>= 1), the terminating zero included; a cut text ends in "...". Control characters and
 * bytes that are not UTF-8 are escaped; always zero-terminated. */
void vb_gguf_format_value(const vb_gguf *g, const vb_gguf_kv *kv, char *out, size_t max);

#endif
