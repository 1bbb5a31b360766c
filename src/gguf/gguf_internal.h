/*
 * What the files of the loader share. Metadata is copied into memory when a file is opened (a
 * file that shrinks later can not take it away); tensor data stays in the file. All offsets into
 * the copy fit 32 bits, because the copy is at most VB_GGUF_META_BYTES_MAX.
 */
#ifndef VB_GGUF_GGUF_INTERNAL_H
#define VB_GGUF_GGUF_INTERNAL_H

#include "base/bytes.h"
#include "gguf/gguf.h"

typedef struct gguf_file {
    char *path;
    int fd;               /* -1 over borrowed bytes */
    const uint8_t *bytes; /* the borrowed bytes, else NULL */
    const uint8_t *map;   /* the whole file, else NULL; never read by the loader itself */
    uint64_t n_bytes;     /* when it was opened */
    uint8_t *meta;        /* owned copy of the first meta_bytes bytes; NULL over borrowed bytes */
    size_t meta_bytes;
    uint32_t version;
} gguf_file;

/* What a metadata entry needs beyond its public description. */
typedef struct gguf_aux {
    uint32_t key_pos;   /* of the key's bytes in the file */
    uint32_t *item_pos; /* of each string item (its length field); NULL for other types */
} gguf_aux;

/* The content of one file, before it becomes part of a model. */
typedef struct gguf_part {
    vb_gguf_kv *kvs;
    gguf_aux *aux;
    size_t n_kvs;
    vb_gguf_tensor *tensors;
    size_t n_tensors;
} gguf_part;

/* Chained hash index over records whose first member is their name. */
typedef struct gguf_index {
    uint32_t *heads; /* record number + 1; 0 ends a chain */
    uint32_t *next;
    uint32_t mask;
} gguf_index;

struct vb_gguf {
    gguf_file *files;
    size_t n_files;
    gguf_part part; /* metadata of the first file, tensors of all */
    gguf_index kv_index;
    gguf_index tensor_index;
};

/* How much of a hostile name an error message shows. */
#define GGUF_SHOW_MAX 96
#define GGUF_SHOW(s) (int)((s).len < GGUF_SHOW_MAX ? (s).len : GGUF_SHOW_MAX), (s).p

/* ---- file.c ---- */

/* Fails with "path: byte offset: message"; a long path keeps its end. */
vb_err gguf_fail_at(const gguf_file *f, uint64_t offset, vb_error *e, vb_err code, const char *fmt,
                    ...) __attribute__((format(printf, 5, 6)));
/* The same without an offset. */
vb_err gguf_fail(const gguf_file *f, vb_error *e, vb_err code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* f is all zero before. On error it holds nothing but may keep its path: close it anyway. */
VB_MUST_CHECK vb_err gguf_file_open(gguf_file *f, const char *path, vb_error *e);
VB_MUST_CHECK vb_err gguf_file_open_bytes(gguf_file *f, const void *bytes, size_t n_bytes,
                                          const char *name, vb_error *e);
void gguf_file_close(gguf_file *f);

/* Makes the first n bytes readable through gguf_file_meta; n <= n_bytes. Pointers into the
 * copy may move. */
VB_MUST_CHECK vb_err gguf_file_load(gguf_file *f, size_t n, vb_error *e);
static inline const uint8_t *gguf_file_meta(const gguf_file *f) {
    return f->bytes ? f->bytes : f->meta;
}
/* Gives back what was read beyond the first n bytes, and maps the file if it holds tensors. */
void gguf_file_settle(gguf_file *f, size_t n, bool with_data);

VB_MUST_CHECK vb_err gguf_file_read(const gguf_file *f, uint64_t offset, size_t n, uint8_t *buf,
                                    vb_error *e);

void gguf_file_uncache(const gguf_file *f);

/* ---- parse.c, tensors.c ---- */

/* Reads header, metadata and tensor descriptions of f into part (all zero before). On error the
 * part may be half filled: free it anyway. */
VB_MUST_CHECK vb_err gguf_part_parse(gguf_file *f, size_t file_index, gguf_part *part, vb_error *e);
void gguf_part_free(gguf_part *part);

/* A bounds-checked position in a file that is still being loaded. */
typedef struct gguf_reader {
    gguf_file *f;
    uint64_t pos;     /* <= f->n_bytes */
    const char *what; /* what is being read, for errors */
    uint32_t name_pos;
    uint32_t name_len; /* its name; 0: none yet */
    vb_error *e;
} gguf_reader;

/* The next n bytes; *out is valid until the next take. */
VB_MUST_CHECK vb_err gguf_take(gguf_reader *r, uint64_t n, const uint8_t **out);
VB_MUST_CHECK vb_err gguf_take_u32(gguf_reader *r, uint32_t *out);
VB_MUST_CHECK vb_err gguf_take_u64(gguf_reader *r, uint64_t *out);
/* A key or tensor name: 1 to VB_GGUF_KEY_BYTES_MAX bytes, none of them zero. */
VB_MUST_CHECK vb_err gguf_take_name(gguf_reader *r, uint32_t *pos, size_t *len);
/* Fails at an offset, naming what is being read. */
vb_err gguf_reader_fail(const gguf_reader *r, uint64_t offset, vb_err code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Reads part->n_tensors descriptions and places their data. alignment is a power of two. */
VB_MUST_CHECK vb_err gguf_tensors_parse(gguf_reader *r, size_t file_index, uint32_t alignment,
                                        gguf_part *part);

/* ---- index.c ---- */

/* Refuse two keys of one file, two tensors of the model, that have the same name. */
VB_MUST_CHECK vb_err gguf_check_unique_keys(const gguf_file *f, const gguf_part *part, vb_error *e);
VB_MUST_CHECK vb_err gguf_check_unique_tensors(const vb_gguf *g, vb_error *e);
/* Refuses two tensors of one file that share a byte. */
VB_MUST_CHECK vb_err gguf_check_overlap(const vb_gguf *g, vb_error *e);

VB_MUST_CHECK vb_err gguf_index_build(gguf_index *index, const void *records, size_t stride,
                                      size_t n, vb_error *e);
/* The record's number, or n when absent. */
size_t gguf_index_find(const gguf_index *index, const void *records, size_t stride, size_t n,
                       const char *name);
void gguf_index_free(gguf_index *index);

/* ---- value.c ---- */

/* Bytes of one value of a fixed-size type; 0 for strings, arrays and unknown types. */
size_t gguf_type_bytes(uint32_t type);

/* An integer of any width as sign and magnitude; false for other types. */
bool gguf_int_decode(vb_gguf_type type, const uint8_t *p, bool *negative, uint64_t *magnitude);

/* The first byte of an entry's value in the copied metadata. */
const uint8_t *gguf_value_bytes(const vb_gguf *g, const vb_gguf_kv *kv);

/* A scalar F32 or F64. */
double gguf_float_value(const vb_gguf *g, const vb_gguf_kv *kv);

/* The entry of that key by linear search, before an index exists. */
const vb_gguf_kv *gguf_part_find(const gguf_part *part, const char *key);

#endif
