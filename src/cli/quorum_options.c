#include "cli/quorum_options.h"

#include <stdlib.h>

#include "cli/record_files.h"

void vb_quorum_options_add(vb_quorum_options *o, vb_opt_table *t) {
    const vb_opt rows[] = {
        {0, "quorum", VB_OPT_UINT, &o->k, "K",
         "level quorum: how many of the trust file's witnesses must confirm", 1,
         VB_TRUST_WITNESSES_MAX, &o->k_given},
        {0, "statements", VB_OPT_LIST, &o->statements, "FILE|FOLDER",
         "statements of witnesses; may be given several times", 0, 0, NULL},
    };
    vb_opt_add(t, rows, sizeof rows / sizeof rows[0]);
}

bool vb_quorum_options_given(const vb_quorum_options *o, vb_level level) {
    return o->k_given || o->statements.n > 0 || level == VB_LEVEL_QUORUM;
}

static vb_err read_k(const vb_quorum_options *o, vb_verification *v, vb_error *e) {
    const size_t n = v->b.trust ? v->b.trust->n_witnesses : 0;
    if (n == 0) {
        return vb_fail(e, VB_EINVAL,
                       "a quorum needs a trust file that lists witnesses (--trust FILE)");
    }
    v->quorum_k = o->k_given ? (uint32_t)o->k : v->b.trust->quorum;
    if (v->quorum_k == 0) {
        return vb_fail(e, VB_EINVAL, "the trust file has no quorum: say how many with --quorum K");
    }
    if (v->quorum_k > n) {
        return vb_fail(e, VB_EINVAL, "--quorum %u: the trust file lists %zu witnesses", v->quorum_k,
                       n);
    }
    return VB_OK;
}

/* Of a folder only what can be a statement: it may hold the receipt too. */
static vb_err read_file(const vb_record_files *files, size_t i, vb_quorum *q, vb_error *e) {
    char path[VB_PATH_BYTES_MAX];
    char *bytes = NULL;
    size_t n_bytes = 0;
    vb_err err = vb_record_files_path(files, i, path, e);
    if (err || (err = vb_record_files_read(files, i, &bytes, &n_bytes, e))) {
        return err;
    }
    const vb_record_kind kind = vb_record_kind_of(bytes, n_bytes);
    if (!files->files[i].folder || kind == VB_RECORD_STATEMENT || kind == VB_RECORD_UNKNOWN) {
        err = vb_quorum_add(q, path, bytes, n_bytes, e);
    }
    free(bytes);
    return err;
}

vb_err vb_quorum_options_begin(const vb_quorum_options *o, vb_verification *v, vb_error *e) {
    vb_record_files files = {.files = NULL};
    vb_err err = v->level == VB_LEVEL_QUORUM ? read_k(o, v, e) : VB_OK;
    if (!err) {
        err = vb_quorum_open(&v->quorum, e);
    }
    for (size_t i = 0; i < o->statements.n && !err; i++) {
        err = vb_record_files_add(&files, o->statements.items[i], e);
    }
    for (size_t i = 0; i < files.n && !err; i++) {
        err = read_file(&files, i, v->quorum, e);
    }
    vb_record_files_close(&files);
    return err;
}
