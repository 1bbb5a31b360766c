#include "tlog/follow.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tlog/audit.h"
#include "tlog/convict.h"
#include "tlog/folder.h"

struct vb_tlog_follower {
    vb_tlog_folder *folder;
    vb_tlog_reader *source;
    bool (*progress)(void *user, uint64_t done, uint64_t total);
    void *progress_user;
    bool broken; /* the mirror could not be written */
    /* A checkpoint that extends the mirror's and whose entries are being read: the source's. What
     * was appended to the folder is its beginning. */
    bool under_way;
};

void vb_tlog_follower_close(vb_tlog_follower *f) {
    if (f) {
        vb_tlog_reader_close(f->source);
        vb_tlog_folder_close(f->folder);
        free(f);
    }
}

const vb_tlog_info *vb_tlog_follower_info(const vb_tlog_follower *f) {
    return vb_tlog_folder_info(f->folder);
}

const vb_tlog_checkpoint *vb_tlog_follower_checkpoint(const vb_tlog_follower *f) {
    return vb_tlog_folder_checkpoint(f->folder);
}

const vb_tlog_order *vb_tlog_follower_order(const vb_tlog_follower *f) {
    return vb_tlog_folder_order(f->folder);
}

/* The mirror's own word for the key, when it has given one: false when it has not. */
static bool known_key(const char *folder, vb_tlog_key *key) {
    vb_tlog_reader *r;
    if (vb_tlog_reader_open_folder(folder, NULL, &r, NULL)) {
        return false;
    }
    *key = *vb_tlog_reader_key(r);
    vb_tlog_reader_close(r);
    return true;
}

static vb_err open_source(vb_tlog_follower *f, const char *folder, vb_tlog_read_fn read, void *user,
                          const char *place, const vb_tlog_key *log, vb_tlog_info *info,
                          vb_error *e) {
    vb_tlog_key own;
    *info = (vb_tlog_info){.publish_within_s = VB_TLOG_PUBLISH_WITHIN_S,
                           .settle_within_s = VB_TLOG_SETTLE_WITHIN_S};
    const bool known = known_key(folder, &own);
    const vb_tlog_key *key = log ? log : known ? &own : NULL;
    vb_err err = vb_tlog_reader_open(read, user, place, key, &f->source, e);
    if (err) {
        return err;
    }
    if (!known && (err = vb_tlog_reader_info(f->source, info, e))) {
        return err;
    }
    info->key = *vb_tlog_reader_key(f->source);
    return VB_OK;
}

vb_err vb_tlog_follower_open(const char *folder, vb_tlog_read_fn read, void *user,
                             const char *place, const vb_tlog_follower_options *o,
                             vb_tlog_follower **out, vb_error *e) {
    vb_tlog_info info;
    vb_tlog_follower *f = calloc(1, sizeof *f);
    if (!f) {
        return vb_fail(e, VB_ENOMEM, "no memory for the follower of a log");
    }
    f->progress = o->progress;
    f->progress_user = o->progress_user;
    vb_err err = open_source(f, folder, read, user, place, o->log, &info, e);
    const vb_tlog_folder_options options = {
        .info = &info, .mirror = true, .progress = o->progress, .user = o->progress_user};
    if (err || (err = vb_tlog_folder_open(folder, &options, &f->folder, e))) {
        vb_tlog_follower_close(f);
        return err;
    }
    *out = f;
    return VB_OK;
}

bool vb_tlog_follower_may_retry(const vb_tlog_follower *f) {
    return !f->broken;
}

/* Takes what an operation on the mirror's files has returned. */
static vb_err written(vb_tlog_follower *f, vb_err err) {
    f->broken = f->broken || err != VB_OK;
    return err;
}

/* What was found */

static vb_err keep(vb_tlog_follower *f, const char *name, const void *bytes, size_t n_bytes,
                   vb_error *e) {
    return written(f, vb_tlog_folder_keep(f->folder, name, bytes, n_bytes, e));
}

static vb_err keep_evidence(vb_tlog_follower *f, const vb_tlog_evidence *ev, const char *name,
                            vb_tlog_step *out, vb_error *e) {
    vb_buf bytes = vb_buf_make(VB_TLOG_EVIDENCE_BYTES_MAX);
    vb_err err = vb_tlog_evidence_encode(ev, &bytes, e);
    if (!err && !(err = keep(f, name, bytes.data, bytes.len, e))) {
        snprintf(out->evidence, sizeof out->evidence, "%s", name);
    }
    vb_buf_free(&bytes);
    return err;
}

/* r reads the larger of two trees, the note is of the other. VB_OK, and out untouched, when the one
 * begins with the other. */
static vb_err look_for_fork(vb_tlog_follower *f, vb_tlog_reader *r, const vb_buf *note,
                            vb_tlog_step *out, vb_error *e) {
    vb_tlog_evidence ev;
    vb_error why = {VB_OK, ""};
    char name[VB_TLOG_PATH_BYTES];
    bool forked;
    vb_err err = vb_tlog_convict_fork(r, note->data, note->len, &ev, &forked, &why);
    if (!forked) {
        return err ? vb_fail(e, err, "%s", why.msg) : VB_OK;
    }
    snprintf(name, sizeof name, VB_TLOG_EVIDENCE_NAME "fork-%" PRIu64 "-%" PRIu64 ".json",
             out->size_before, out->size);
    if (!(err = keep_evidence(f, &ev, name, out, e))) {
        out->followed = VB_TLOG_FOLLOWED_CONVICTED;
        snprintf(out->text, sizeof out->text, "%s", why.msg);
    }
    vb_tlog_evidence_free(&ev);
    return err;
}

static vb_err convict(vb_tlog_follower *f, const vb_tlog_offence *offence, const vb_error *why,
                      vb_tlog_step *out, vb_error *e) {
    vb_tlog_evidence ev;
    char name[VB_TLOG_PATH_BYTES];
    vb_err err = vb_tlog_convict_entries(f->source, offence, &ev, e);
    if (!err) {
        snprintf(name, sizeof name, VB_TLOG_EVIDENCE_NAME "%s-%" PRIu64 ".json",
                 vb_tlog_rule_name(offence->rule), offence->index);
        err = keep_evidence(f, &ev, name, out, e);
        vb_tlog_evidence_free(&ev);
    }
    if (err && err != VB_EUNSUPPORTED) {
        return err;
    }
    out->followed = VB_TLOG_FOLLOWED_CONVICTED;
    snprintf(out->text, sizeof out->text, "%s", why->msg);
    return VB_OK;
}

/* A smaller log than it was: either it shows an old checkpoint, or another history. */
static vb_err look_back(vb_tlog_follower *f, const vb_buf *note, vb_tlog_step *out, vb_error *e) {
    const vb_buf *own = vb_tlog_folder_note(f->folder);
    vb_tlog_reader *mirror = NULL;
    char name[VB_TLOG_PATH_BYTES];
    vb_err err = vb_tlog_reader_open_folder(vb_tlog_folder_path(f->folder),
                                            vb_tlog_reader_key(f->source), &mirror, e);
    if (!err && !(err = vb_tlog_reader_use(mirror, own->data, own->len, e))) {
        err = look_for_fork(f, mirror, note, out, e);
    }
    vb_tlog_reader_close(mirror);
    if (err || out->followed == VB_TLOG_FOLLOWED_CONVICTED || out->size == out->size_before) {
        return err;
    }
    snprintf(name, sizeof name, VB_TLOG_EVIDENCE_NAME "rolled-back-%" PRIu64 ".note",
             out->size_before);
    if ((err = keep(f, name, own->data, own->len, e))) {
        return err;
    }
    snprintf(name, sizeof name, VB_TLOG_EVIDENCE_NAME "rolled-back-%" PRIu64 "-to-%" PRIu64 ".note",
             out->size_before, out->size);
    if ((err = keep(f, name, note->data, note->len, e))) {
        return err;
    }
    out->followed = VB_TLOG_FOLLOWED_ROLLED_BACK;
    snprintf(out->evidence, sizeof out->evidence, "%s", name);
    snprintf(out->text, sizeof out->text,
             "rolled back: it shows a checkpoint of %" PRIu64
             " entries and has shown one of %" PRIu64 ", which begins with it",
             out->size, out->size_before);
    return VB_OK;
}

/* Growing */

static vb_err append(void *user, uint64_t index, const uint8_t *bytes, size_t n_bytes,
                     const vb_tlog_entry *entry, vb_error *e) {
    vb_tlog_follower *f = user;
    (void)index;
    (void)entry;
    return written(f, vb_tlog_folder_append(f->folder, bytes, n_bytes, e));
}

/* Reads what is missing under the source's checkpoint. */
static vb_err go_on(vb_tlog_follower *f, vb_tlog_step *out, vb_error *e) {
    const vb_tlog_checkpoint *c = vb_tlog_reader_checkpoint(f->source);
    const vb_buf *note = vb_tlog_reader_note(f->source);
    const vb_tlog_audit_options options = {.signatures = true,
                                           .progress = f->progress,
                                           .progress_user = f->progress_user,
                                           .entry = append,
                                           .entry_user = f};
    vb_tlog_offence offence;
    vb_tlog_checkpoint head;
    vb_tlog_info info;
    vb_error why = {VB_OK, ""};
    vb_err err =
        vb_tlog_audit(f->source, vb_tlog_folder_order(f->folder), &options, &offence, &why);
    if (err && offence.rule) {
        return convict(f, &offence, &why, out, e);
    }
    if (err) {
        return vb_fail(e, err, "%s", why.msg);
    }
    vb_tlog_folder_head(f->folder, &head);
    if (head.size != c->size || memcmp(&head.root, &c->root, sizeof head.root) != 0) {
        return vb_fail(e, VB_EINTERNAL, "the mirror's root is not the one that its entries have");
    }
    if ((err = vb_tlog_reader_info(f->source, &info, e))) {
        return err;
    }
    err = vb_tlog_folder_set_times(f->folder, info.publish_within_s, info.settle_within_s, e);
    if (!err) {
        err = vb_tlog_folder_commit(f->folder, note->data, note->len, e);
    }
    if (written(f, err)) {
        return err;
    }
    f->under_way = false;
    out->followed = VB_TLOG_FOLLOWED_GREW;
    return VB_OK;
}

/* A checkpoint of at least as many entries as the mirror has. */
static vb_err look_ahead(vb_tlog_follower *f, const vb_buf *note, vb_tlog_step *out, vb_error *e) {
    vb_err err = vb_tlog_reader_use(f->source, note->data, note->len, e);
    if (!err && !vb_tlog_folder_is_new(f->folder)) {
        err = look_for_fork(f, f->source, vb_tlog_folder_note(f->folder), out, e);
    }
    if (err || out->followed == VB_TLOG_FOLLOWED_CONVICTED) {
        return err;
    }
    f->under_way = true;
    return go_on(f, out, e);
}

static vb_err compare(vb_tlog_follower *f, const vb_buf *note, vb_tlog_step *out, vb_error *e) {
    const vb_tlog_checkpoint *own = vb_tlog_folder_checkpoint(f->folder);
    const bool is_new = vb_tlog_folder_is_new(f->folder);
    vb_tlog_checkpoint c;
    size_t n_cosigned;
    vb_err err = vb_tlog_note_read(note->data, note->len, vb_tlog_reader_key(f->source), NULL, 0,
                                   &c, NULL, &n_cosigned, e);
    if (err) {
        return err;
    }
    out->size = c.size;
    if (c.size > own->size || is_new) {
        return look_ahead(f, note, out, e);
    }
    if (c.size < own->size || memcmp(&c.root, &own->root, sizeof c.root) != 0) {
        return look_back(f, note, out, e);
    }
    /* Cosignatures come later than the checkpoint. */
    return note->len > vb_tlog_folder_note(f->folder)->len
               ? written(f, vb_tlog_folder_set_note(f->folder, note->data, note->len, e))
               : VB_OK;
}

vb_err vb_tlog_follower_step(vb_tlog_follower *f, vb_tlog_step *out, vb_error *e) {
    vb_tlog_step step = {.followed = VB_TLOG_FOLLOWED_SAME,
                         .size_before = vb_tlog_folder_checkpoint(f->folder)->size};
    vb_buf note = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    vb_err err;
    if (f->under_way) {
        step.size = vb_tlog_reader_checkpoint(f->source)->size;
        err = go_on(f, &step, e);
    } else if (!(err = vb_tlog_reader_fetch_note(f->source, &note, e)) &&
               !(err = vb_buf_append(&note, "", 0))) {
        err = compare(f, &note, &step, e);
    }
    vb_buf_free(&note);
    if (!err) {
        *out = step;
    }
    return err;
}
