#include "tlog/writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tlog/entry.h"
#include "tlog/folder.h"

struct vb_tlog_writer {
    const vb_ed25519_key *key;
    vb_tlog_folder *folder;
    vb_tlog_reader *reader; /* of the same folder; NULL until a proof is asked for */
    bool failed;
};

void vb_tlog_writer_close(vb_tlog_writer *w) {
    if (w) {
        vb_tlog_reader_close(w->reader);
        vb_tlog_folder_close(w->folder);
        free(w);
    }
}

/* Signs and commits all that was appended. */
static vb_err sign(vb_tlog_writer *w, vb_error *e) {
    vb_tlog_checkpoint head;
    vb_buf note = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    vb_tlog_folder_head(w->folder, &head);
    vb_err err = vb_tlog_checkpoint_sign(&head, w->key, &note, e);
    if (!err) {
        err = vb_tlog_folder_commit(w->folder, note.data, note.len, e);
    }
    vb_buf_free(&note);
    return err;
}

static vb_err make_info(const vb_ed25519_key *key, const vb_tlog_writer_options *o,
                        vb_tlog_info *info, vb_error *e) {
    uint8_t public_key[VB_ED25519_PUBLIC_BYTES];
    char hex[2 * sizeof public_key + 1], own[sizeof hex + 16];
    vb_ed25519_public(key, public_key);
    vb_hex_encode(public_key, sizeof public_key, hex);
    snprintf(own, sizeof own, "verbatim/%s", hex);
    info->publish_within_s = o->publish_within_s ? o->publish_within_s : VB_TLOG_PUBLISH_WITHIN_S;
    info->settle_within_s = o->settle_within_s ? o->settle_within_s : VB_TLOG_SETTLE_WITHIN_S;
    if (info->publish_within_s > VB_TLOG_WITHIN_S_MAX ||
        info->settle_within_s > VB_TLOG_WITHIN_S_MAX) {
        return vb_fail(e, VB_EINVAL, "publish_within_s and settle_within_s: expected at most %d",
                       VB_TLOG_WITHIN_S_MAX);
    }
    return vb_tlog_key_make(o->origin ? o->origin : own, VB_TLOG_SIGNER_LOG, public_key, &info->key,
                            e);
}

vb_err vb_tlog_writer_open(const char *folder, const vb_ed25519_key *key,
                           const vb_tlog_writer_options *o, vb_tlog_writer **out, vb_error *e) {
    vb_tlog_info info;
    vb_err err = make_info(key, o, &info, e);
    if (err) {
        return err;
    }
    vb_tlog_writer *w = calloc(1, sizeof *w);
    if (!w) {
        return vb_fail(e, VB_ENOMEM, "no memory for the writer of a log");
    }
    w->key = key;
    const vb_tlog_folder_options options = {
        .info = &info, .progress = o->progress, .user = o->user};
    err = vb_tlog_folder_open(folder, &options, &w->folder, e);
    if (!err && vb_tlog_folder_is_new(w->folder)) {
        err = sign(w, e); /* an empty log has a checkpoint, too */
    } else if (!err) {
        err = vb_tlog_folder_set_times(w->folder, info.publish_within_s, info.settle_within_s, e);
    }
    if (err) {
        vb_tlog_writer_close(w);
        return err;
    }
    *out = w;
    return VB_OK;
}

uint64_t vb_tlog_writer_size(const vb_tlog_writer *w) {
    return vb_tlog_folder_checkpoint(w->folder)->size;
}

uint64_t vb_tlog_writer_pending(const vb_tlog_writer *w) {
    vb_tlog_checkpoint head;
    vb_tlog_folder_head(w->folder, &head);
    return w->failed ? 0 : head.size - vb_tlog_writer_size(w);
}

const vb_tlog_key *vb_tlog_writer_key(const vb_tlog_writer *w) {
    return &vb_tlog_folder_info(w->folder)->key;
}

const vb_buf *vb_tlog_writer_note(const vb_tlog_writer *w) {
    return vb_tlog_folder_note(w->folder);
}

static vb_err check_usable(const vb_tlog_writer *w, vb_error *e) {
    return w->failed ? vb_fail(e, VB_EIO, "the log could not be written before: open it again")
                     : VB_OK;
}

vb_err vb_tlog_writer_append(vb_tlog_writer *w, const void *entry, size_t n_bytes, vb_error *e) {
    vb_tlog_entry x;
    vb_err err = check_usable(w, e);
    /* What is public can not be taken back: a signature that does not hold would convict the key.
     */
    if (err || (err = vb_tlog_entry_decode(entry, n_bytes, &x, e)) ||
        (err = vb_tlog_entry_check(&x, vb_tlog_writer_key(w)->public_key, e)) ||
        (err = vb_tlog_order_add(vb_tlog_folder_order(w->folder), &x, NULL, e))) {
        return err;
    }
    err = vb_tlog_folder_append(w->folder, entry, n_bytes, e);
    w->failed = err != VB_OK;
    return err;
}

vb_err vb_tlog_writer_publish(vb_tlog_writer *w, vb_error *e) {
    vb_err err = check_usable(w, e);
    if (err || !vb_tlog_writer_pending(w)) {
        return err;
    }
    err = sign(w, e);
    w->failed = err != VB_OK;
    return err;
}

/* The note with the lines, when each line is a witness's that verifies and is not there yet. */
static vb_err add_lines(const vb_tlog_writer *w, const void *lines, size_t n_bytes,
                        const vb_tlog_key *witnesses, size_t n_witnesses, vb_buf *note,
                        vb_error *e) {
    const vb_buf *old = vb_tlog_writer_note(w);
    vb_tlog_checkpoint c;
    vb_tlog_cosignature *cosigned = calloc(n_witnesses + 1, sizeof *cosigned);
    size_t n_before = 0, n_after = 0, n_lines = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        n_lines += ((const char *)lines)[i] == '\n';
    }
    if (!cosigned) {
        return vb_fail(e, VB_ENOMEM, "no memory for cosignatures");
    }
    vb_err err = vb_buf_append(note, old->data, old->len);
    if (err || (err = vb_buf_append(note, lines, n_bytes))) {
        vb_fail(e, err, "cosignatures: more than a note can hold");
    } else if (!(err = vb_tlog_note_read(old->data, old->len, vb_tlog_writer_key(w), witnesses,
                                         n_witnesses, &c, cosigned, &n_before, e))) {
        err = vb_tlog_note_read(note->data, note->len, vb_tlog_writer_key(w), witnesses,
                                n_witnesses, &c, cosigned, &n_after, e);
    }
    if (err == VB_EFORMAT || (!err && (!n_lines || n_after != n_before + n_lines))) {
        err = vb_fail(e, VB_EMISMATCH,
                      "cosignatures: expected lines of known witnesses, one of each, that cosign "
                      "the newest checkpoint");
    }
    free(cosigned);
    return err;
}

vb_err vb_tlog_writer_add_cosignatures(vb_tlog_writer *w, const void *lines, size_t n_bytes,
                                       const vb_tlog_key *witnesses, size_t n_witnesses,
                                       vb_error *e) {
    vb_buf note = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    vb_err err = check_usable(w, e);
    if (!err && !(err = add_lines(w, lines, n_bytes, witnesses, n_witnesses, &note, e))) {
        err = vb_tlog_folder_set_note(w->folder, note.data, note.len, e);
        w->failed = err != VB_OK;
    }
    vb_buf_free(&note);
    return err;
}

vb_err vb_tlog_writer_prove_consistency(vb_tlog_writer *w, uint64_t old,
                                        vb_tlog_hash path[VB_TLOG_PATH_MAX], size_t *n,
                                        vb_error *e) {
    const vb_buf *note = vb_tlog_writer_note(w);
    vb_err err = VB_OK;
    if (!w->reader) {
        err = vb_tlog_reader_open_folder(vb_tlog_folder_path(w->folder), vb_tlog_writer_key(w),
                                         &w->reader, e);
    }
    if (err || (err = vb_tlog_reader_use(w->reader, note->data, note->len, e))) {
        return err;
    }
    if (old == 0 || old > vb_tlog_writer_size(w)) {
        return vb_fail(e, VB_EINVAL, "a log of %" PRIu64 " entries has no proof from size %" PRIu64,
                       vb_tlog_writer_size(w), old);
    }
    return vb_tlog_reader_prove_consistency(w->reader, old, path, n, e);
}
