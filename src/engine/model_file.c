#include "engine/model_file.h"

#include <stdlib.h>

#include "base/limits.h"

static vb_err identify_files(const vb_gguf *g, vb_file_id *ids, vb_error *e) {
    vb_err err = VB_OK;
    for (size_t i = 0; i < vb_gguf_file_count(g) && !err; i++) {
        err = vb_file_identify(vb_gguf_file_path(g, i), &ids[i], e);
    }
    return err;
}

/* The files of g are those whose identities were taken before it was opened. */
static vb_err compare_files(const vb_gguf *g, const vb_file_id *ids, size_t n, vb_error *e) {
    vb_err err = VB_OK;
    if (vb_gguf_file_count(g) != n) {
        return vb_fail(e, VB_EMISMATCH, "%s: the model changed while it was opened",
                       vb_gguf_file_path(g, 0));
    }
    for (size_t i = 0; i < n && !err; i++) {
        vb_file_id now;
        err = vb_file_identify(vb_gguf_file_path(g, i), &now, e);
        if (!err && !vb_file_same(&ids[i], &now)) {
            err = vb_fail(e, VB_EMISMATCH, "%s: the file changed while it was opened",
                          vb_gguf_file_path(g, i));
        }
    }
    return err;
}

/* Names are looked up before and after the opening, so that what was opened in between is what was
 * noted. Those of a split model are known only once it is open: it is opened again. */
vb_err vb_model_file_open(const char *path, vb_gguf **out, vb_file_id **ids_out, vb_error *e) {
    vb_file_id first, *ids = NULL;
    vb_gguf *g = NULL;
    const vb_err unknown = vb_file_identify(path, &first, e);
    vb_err err = vb_gguf_open(path, &g, e);
    if (err) {
        return err;
    }
    if (unknown) {
        vb_gguf_close(g);
        return vb_fail(e, VB_EMISMATCH, "%s: the file changed while it was opened", path);
    }
    const size_t n = vb_gguf_file_count(g);
    ids = malloc(n * sizeof *ids);
    if (!ids) {
        err = vb_fail(e, VB_ENOMEM, "%s: no memory to open it", path);
        goto fail;
    }
    ids[0] = first;
    if (n > 1) {
        if ((err = identify_files(g, ids, e))) {
            goto fail;
        }
        vb_gguf_close(g);
        g = NULL;
        if ((err = vb_gguf_open(path, &g, e))) {
            goto fail;
        }
    }
    if ((err = compare_files(g, ids, n, e))) {
        goto fail;
    }
    *out = g;
    *ids_out = ids;
    return VB_OK;
fail:
    vb_gguf_close(g);
    free(ids);
    return err;
}

vb_err vb_model_file_digest(const vb_gguf *g, const vb_file_id *ids,
                            const vb_filehash_options *options, uint8_t out[VB_SHA256_BYTES],
                            vb_error *e) {
    const char *paths[VB_GGUF_SPLITS_MAX];
    const size_t n = vb_gguf_file_count(g);
    VB_ASSERT(n <= VB_GGUF_SPLITS_MAX);
    for (size_t i = 0; i < n; i++) {
        paths[i] = vb_gguf_file_path(g, i);
    }
    vb_filehash_options o = *options;
    o.expected = ids;
    return vb_filehash_model(paths, n, &o, out, e);
}
