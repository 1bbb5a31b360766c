/*
 * Opening a model: one file, or the shards that llama.cpp's splitter writes
 * (NAME-00001-of-00003.gguf, with split.no and split.count in each). The metadata of the first
 * shard is the model's; the tensors are those of all shards, in order.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gguf/gguf_internal.h"

/* What a path says about splitting: "-%05u-of-%05u.gguf" at its end. */
typedef struct split_name {
    bool is_split;
    size_t prefix_len; /* bytes of the path before it */
    unsigned no;       /* from 1, as written */
    unsigned count;
} split_name;

/* What a file's metadata says. */
typedef struct split_meta {
    bool has_no, has_count, has_tensors;
    uint64_t no; /* from 0 */
    uint64_t count;
    uint64_t tensors;
} split_meta;

enum { SPLIT_SUFFIX_LEN = 20 }; /* -00001-of-00003.gguf */

static bool five_digits(const char *p, unsigned *out) {
    unsigned v = 0;
    for (int i = 0; i < 5; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return false;
        }
        v = v * 10 + (unsigned)(p[i] - '0');
    }
    *out = v;
    return true;
}

static split_name parse_split_name(const char *path) {
    split_name s = {0};
    size_t len = strlen(path);
    if (len < SPLIT_SUFFIX_LEN) {
        return s;
    }
    const char *p = path + len - SPLIT_SUFFIX_LEN;
    s.is_split = p[0] == '-' && five_digits(p + 1, &s.no) && memcmp(p + 6, "-of-", 4) == 0 &&
                 five_digits(p + 10, &s.count) && memcmp(p + 15, ".gguf", 5) == 0;
    s.prefix_len = len - SPLIT_SUFFIX_LEN;
    return s;
}

static vb_err read_split_key(const gguf_file *f, const gguf_part *part, const char *key, bool *has,
                             uint64_t *out, vb_error *e) {
    const vb_gguf_kv *kv = gguf_part_find(part, key);
    *has = kv != NULL;
    if (!kv) {
        return VB_OK;
    }
    bool negative;
    if (!gguf_int_decode(kv->type, gguf_file_meta(f) + kv->offset_bytes, &negative, out) ||
        negative) {
        return gguf_fail_at(f, kv->offset_bytes, e, VB_EFORMAT,
                            "key '%s' (%s) is not a whole number", key,
                            vb_gguf_type_name(kv->type));
    }
    return VB_OK;
}

static vb_err read_split_meta(const gguf_file *f, const gguf_part *part, split_meta *m,
                              vb_error *e) {
    *m = (split_meta){0};
    vb_err err = read_split_key(f, part, "split.no", &m->has_no, &m->no, e);
    if (!err) {
        err = read_split_key(f, part, "split.count", &m->has_count, &m->count, e);
    }
    if (!err) {
        err = read_split_key(f, part, "split.tensors.count", &m->has_tensors, &m->tensors, e);
    }
    return err;
}

/* How many files the model has, when its first file and the path agree about it. */
static vb_err split_count(const gguf_file *f, const split_name *name, const split_meta *meta,
                          size_t *count, vb_error *e) {
    uint64_t n = meta->has_count ? meta->count : 1;
    if (meta->has_no && meta->no != 0) {
        return gguf_fail(f, e, VB_EFORMAT,
                         "key 'split.no' is %" PRIu64 ", expected 0 in the first file", meta->no);
    }
    if (n > VB_GGUF_SPLITS_MAX) {
        return gguf_fail(f, e, VB_ELIMIT,
                         "key 'split.count' is %" PRIu64 ", more than %u (VB_GGUF_SPLITS_MAX)", n,
                         VB_GGUF_SPLITS_MAX);
    }
    if (name->is_split && meta->has_count && meta->count != name->count) {
        return gguf_fail(f, e, VB_EFORMAT,
                         "key 'split.count' is %" PRIu64 ", but the file's name says %u",
                         meta->count, name->count);
    }
    if (!name->is_split && n > 1) {
        return gguf_fail(f, e, VB_EFORMAT,
                         "key 'split.count' is %" PRIu64
                         ", but the file's name does not end in -00001-of-%05u.gguf, so the other "
                         "files can not be found",
                         n, (unsigned)n);
    }
    *count = name->is_split ? name->count : 1;
    return VB_OK;
}

static vb_err check_split_name(const char *path, const split_name *name, vb_error *e) {
    if (!name->is_split) {
        return VB_OK;
    }
    if (name->count < 1 || name->no < 1 || name->no > name->count) {
        return vb_fail(e, VB_EINVAL, "%s: file %u of %u is no valid number of a split model", path,
                       name->no, name->count);
    }
    if (name->count > VB_GGUF_SPLITS_MAX) {
        return vb_fail(e, VB_ELIMIT, "%s: split into %u files, more than %u (VB_GGUF_SPLITS_MAX)",
                       path, name->count, VB_GGUF_SPLITS_MAX);
    }
    if (name->no != 1) {
        return vb_fail(e, VB_EINVAL,
                       "%s is file %u of a model split into %u: open the first, "
                       "%.*s-00001-of-%05u.gguf",
                       path, name->no, name->count, (int)name->prefix_len, path, name->count);
    }
    return VB_OK;
}

/* Moves the tensors of a later shard behind those of the model. */
static vb_err append_tensors(vb_gguf *g, const gguf_file *f, const gguf_part *part, vb_error *e) {
    size_t n = g->part.n_tensors + part->n_tensors;
    if (n > VB_GGUF_TENSORS_MAX) {
        return gguf_fail(f, e, VB_ELIMIT, "%zu tensors in all, more than %u (VB_GGUF_TENSORS_MAX)",
                         n, VB_GGUF_TENSORS_MAX);
    }
    vb_gguf_tensor *tensors = realloc(g->part.tensors, (n + 1) * sizeof *tensors);
    if (!tensors) {
        return gguf_fail(f, e, VB_ENOMEM, "no memory for %zu tensors", n);
    }
    memcpy(tensors + g->part.n_tensors, part->tensors, part->n_tensors * sizeof *tensors);
    g->part.tensors = tensors;
    g->part.n_tensors = n;
    return VB_OK;
}

static vb_err check_shard(const gguf_file *f, const gguf_part *part, size_t i, size_t count,
                          const split_meta *first, vb_error *e) {
    split_meta m;
    vb_err err = read_split_meta(f, part, &m, e);
    if (err) {
        return err;
    }
    if (m.has_no != first->has_no || m.has_count != first->has_count) {
        return gguf_fail(f, e, VB_EFORMAT,
                         "the keys 'split.no' and 'split.count' are in one file of the model and "
                         "not in another");
    }
    if (m.has_no && m.no != i) {
        return gguf_fail(f, e, VB_EFORMAT, "key 'split.no' is %" PRIu64 ", expected %zu", m.no, i);
    }
    if (m.has_count && m.count != count) {
        return gguf_fail(f, e, VB_EFORMAT, "key 'split.count' is %" PRIu64 ", expected %zu",
                         m.count, count);
    }
    return VB_OK;
}

static vb_err open_shard(vb_gguf *g, const split_name *name, size_t i, size_t count,
                         const split_meta *first, vb_error *e) {
    char path[VB_PATH_BYTES_MAX];
    int len = snprintf(path, sizeof path, "%.*s-%05zu-of-%05zu.gguf", (int)name->prefix_len,
                       g->files[0].path, i + 1, count);
    if (len < 0 || (size_t)len >= sizeof path) {
        return vb_fail(e, VB_ELIMIT, "a path of more than %u bytes", VB_PATH_BYTES_MAX);
    }
    gguf_file *f = &g->files[i];
    g->n_files = i + 1;
    gguf_part part = {0};
    vb_err err = gguf_file_open(f, path, e);
    if (!err) {
        err = gguf_part_parse(f, i, &part, e);
    }
    if (!err) {
        err = check_shard(f, &part, i, count, first, e);
    }
    if (!err) {
        err = append_tensors(g, f, &part, e);
    }
    gguf_part_free(&part);
    return err;
}

static vb_err open_shards(vb_gguf *g, const split_name *name, vb_error *e) {
    split_meta first;
    size_t count = 1;
    vb_err err = read_split_meta(&g->files[0], &g->part, &first, e);
    if (!err) {
        err = split_count(&g->files[0], name, &first, &count, e);
    }
    if (err) {
        return err;
    }
    if (count > 1) {
        gguf_file *files = realloc(g->files, count * sizeof *files);
        if (!files) {
            return vb_fail(e, VB_ENOMEM, "no memory for %zu files", count);
        }
        g->files = files;
        for (size_t i = 1; i < count; i++) {
            files[i] = (gguf_file){.fd = -1};
        }
    }
    for (size_t i = 1; !err && i < count; i++) {
        err = open_shard(g, name, i, count, &first, e);
    }
    if (!err && first.has_tensors && count > 1 && first.tensors != g->part.n_tensors) {
        err = gguf_fail(&g->files[0], e, VB_EFORMAT,
                        "key 'split.tensors.count' is %" PRIu64 ", but the files hold %zu tensors",
                        first.tensors, g->part.n_tensors);
    }
    return err;
}

/* What can only be said of the whole: unique names, separate data, indexes. */
static vb_err finish(vb_gguf *g, vb_error *e) {
    gguf_part *p = &g->part;
    vb_err err = gguf_check_unique_tensors(g, e);
    if (!err) {
        err = gguf_check_overlap(g, e);
    }
    if (!err) {
        err = gguf_index_build(&g->kv_index, p->kvs, sizeof *p->kvs, p->n_kvs, e);
    }
    if (!err) {
        err = gguf_index_build(&g->tensor_index, p->tensors, sizeof *p->tensors, p->n_tensors, e);
    }
    return err;
}

static vb_gguf *new_gguf(vb_error *e) {
    vb_gguf *g = calloc(1, sizeof *g);
    gguf_file *files = calloc(1, sizeof *files);
    if (!g || !files) {
        free(g);
        free(files);
        (void)vb_fail(e, VB_ENOMEM, "no memory to open a GGUF file");
        return NULL;
    }
    files[0].fd = -1;
    g->files = files;
    g->n_files = 1;
    return g;
}

vb_err vb_gguf_open(const char *path, vb_gguf **out, vb_error *e) {
    split_name name = parse_split_name(path);
    vb_err err = check_split_name(path, &name, e);
    if (err) {
        return err;
    }
    vb_gguf *g = new_gguf(e);
    if (!g) {
        return VB_ENOMEM;
    }
    err = gguf_file_open(&g->files[0], path, e);
    if (!err) {
        err = gguf_part_parse(&g->files[0], 0, &g->part, e);
    }
    if (!err) {
        err = open_shards(g, &name, e);
    }
    if (!err) {
        err = finish(g, e);
    }
    if (err) {
        vb_gguf_close(g);
        return err;
    }
    *out = g;
    return VB_OK;
}

vb_err vb_gguf_open_bytes(const void *bytes, size_t n_bytes, const char *name, vb_gguf **out,
                          vb_error *e) {
    vb_gguf *g = new_gguf(e);
    if (!g) {
        return VB_ENOMEM;
    }
    split_meta meta;
    vb_err err = gguf_file_open_bytes(&g->files[0], bytes, n_bytes, name, e);
    if (!err) {
        err = gguf_part_parse(&g->files[0], 0, &g->part, e);
    }
    if (!err) {
        err = read_split_meta(&g->files[0], &g->part, &meta, e);
    }
    if (!err && ((meta.has_count && meta.count > 1) || (meta.has_no && meta.no))) {
        err = gguf_fail(&g->files[0], e, VB_EUNSUPPORTED,
                        "one file of a split model can not be opened from memory");
    }
    if (!err) {
        err = finish(g, e);
    }
    if (err) {
        vb_gguf_close(g);
        return err;
    }
    *out = g;
    return VB_OK;
}

void vb_gguf_close(vb_gguf *g) {
    if (!g) {
        return;
    }
    gguf_index_free(&g->kv_index);
    gguf_index_free(&g->tensor_index);
    gguf_part_free(&g->part);
    for (size_t i = 0; i < g->n_files; i++) {
        gguf_file_close(&g->files[i]);
    }
    free(g->files);
    free(g);
}

size_t vb_gguf_file_count(const vb_gguf *g) {
    return g->n_files;
}

const char *vb_gguf_file_path(const vb_gguf *g, size_t file_index) {
    VB_ASSERT(file_index < g->n_files);
    return g->files[file_index].path;
}

uint64_t vb_gguf_file_bytes(const vb_gguf *g, size_t file_index) {
    VB_ASSERT(file_index < g->n_files);
    return g->files[file_index].n_bytes;
}

uint32_t vb_gguf_version(const vb_gguf *g) {
    return g->files[0].version;
}

vb_err vb_gguf_read_tensor(const vb_gguf *g, const vb_gguf_tensor *t, size_t offset, size_t n,
                           uint8_t *buf, vb_error *e) {
    VB_ASSERT(t->file_index < g->n_files);
    VB_ASSERT(n <= t->n_bytes && offset <= t->n_bytes - n);
    vb_err err = gguf_file_read(&g->files[t->file_index], t->offset_bytes + offset, n, buf, e);
    return err ? vb_fail_in(e, err, "tensor '%.*s'", GGUF_SHOW(t->name)) : VB_OK;
}

void vb_gguf_uncache(const vb_gguf *g) {
    for (size_t i = 0; i < g->n_files; i++) {
        gguf_file_uncache(&g->files[i]);
    }
}
