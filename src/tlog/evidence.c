/* Evidence, put together, written and read. What it proves is evidence_check.c's. */
#include "tlog/evidence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receipt/base64.h"
#include "receipt/build.h"
#include "receipt/parts.h"
#include "json/json.h"

static const char *const charge_names[] = {
    [VB_TLOG_CHARGE_FORK] = "fork",
    [VB_TLOG_CHARGE_ENTRIES] = "entries",
    [VB_TLOG_CHARGE_COMMITMENT] = "commitment",
};

const char *vb_tlog_charge_name(vb_tlog_charge charge) {
    bool known = charge >= VB_TLOG_CHARGE_FORK && charge <= VB_TLOG_CHARGE_COMMITMENT;
    return known ? charge_names[charge] : "unknown";
}

/* Putting together */

static void make_empty(vb_tlog_evidence *ev) {
    memset(ev, 0, sizeof *ev);
    ev->notes[0] = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    ev->notes[1] = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    ev->record = vb_buf_make(VB_TLOG_EVIDENCE_BYTES_MAX);
}

void vb_tlog_evidence_init(vb_tlog_evidence *ev, vb_tlog_charge charge, const vb_tlog_key *log) {
    make_empty(ev);
    ev->charge = charge;
    ev->key = *log;
}

void vb_tlog_evidence_free(vb_tlog_evidence *ev) {
    for (size_t i = 0; i < ev->n_entries; i++) {
        vb_buf_free(&ev->entries[i].entry);
        free(ev->entries[i].path);
    }
    free(ev->entries);
    vb_buf_free(&ev->notes[0]);
    vb_buf_free(&ev->notes[1]);
    vb_buf_free(&ev->record);
    make_empty(ev);
}

/* In place of what it held. */
static vb_err set(vb_buf *b, const void *bytes, size_t n_bytes, const char *what, vb_error *e) {
    b->len = 0;
    vb_err err = vb_buf_append(b, bytes, n_bytes);
    return err ? vb_fail(e, err, "%s: no room for %zu bytes, at most %zu", what, n_bytes, b->max)
               : VB_OK;
}

vb_err vb_tlog_evidence_set_note(vb_tlog_evidence *ev, int which, const void *note, size_t n_bytes,
                                 vb_error *e) {
    VB_ASSERT(which == 0 || (which == 1 && ev->charge == VB_TLOG_CHARGE_FORK));
    return set(&ev->notes[which], note, n_bytes, "a checkpoint", e);
}

void vb_tlog_evidence_set_path(vb_tlog_evidence *ev, const vb_tlog_hash *path, size_t n) {
    VB_ASSERT(ev->charge == VB_TLOG_CHARGE_FORK && n <= VB_TLOG_PATH_MAX);
    memcpy(ev->path, path, n * sizeof *path);
    ev->n_path = n;
}

vb_err vb_tlog_evidence_set_record(vb_tlog_evidence *ev, const void *record, size_t n_bytes,
                                   vb_error *e) {
    VB_ASSERT(ev->charge == VB_TLOG_CHARGE_COMMITMENT);
    return set(&ev->record, record, n_bytes, "a record", e);
}

static vb_err add_shown(vb_tlog_evidence *ev, const void *entry, size_t n_bytes, uint64_t index,
                        const vb_tlog_hash *path, size_t n_path, vb_error *e) {
    if (ev->n_entries == VB_TLOG_EVIDENCE_ENTRIES_MAX) {
        return vb_fail(e, VB_ELIMIT, "evidence has at most %d entries",
                       VB_TLOG_EVIDENCE_ENTRIES_MAX);
    }
    vb_tlog_shown *entries = realloc(ev->entries, (ev->n_entries + 1) * sizeof *entries);
    if (!entries) {
        return vb_fail(e, VB_ENOMEM, "no memory for %zu entries", ev->n_entries + 1);
    }
    ev->entries = entries;
    vb_tlog_shown s = {.entry = vb_buf_make(VB_TLOG_SHOWN_BYTES_MAX),
                       .index = index,
                       .n_path = n_path,
                       .path = malloc((n_path ? n_path : 1) * sizeof *s.path)};
    vb_err err = s.path ? set(&s.entry, entry, n_bytes, "an entry", e)
                        : vb_fail(e, VB_ENOMEM, "no memory for a path of %zu hashes", n_path);
    if (err) {
        vb_buf_free(&s.entry);
        free(s.path);
        return err;
    }
    memcpy(s.path, path, n_path * sizeof *s.path);
    entries[ev->n_entries++] = s;
    return VB_OK;
}

vb_err vb_tlog_evidence_add(vb_tlog_evidence *ev, const vb_tlog_proof *p, vb_error *e) {
    VB_ASSERT(ev->charge != VB_TLOG_CHARGE_FORK && p->n_path <= VB_TLOG_PATH_MAX);
    return add_shown(ev, p->entry.data, p->entry.len, p->index, p->path, p->n_path, e);
}

/* Writing */

static json_t *path_value(vb_build *b, const vb_tlog_hash *path, size_t n) {
    json_t *a = json_array();
    for (size_t i = 0; i < n; i++) {
        vb_build_push(b, a, "path", vb_build_hex(path[i].bytes, sizeof path[i].bytes));
    }
    return a;
}

static json_t *text_value(const vb_buf *text) {
    return json_stringn((const char *)text->data, text->len);
}

static json_t *base64_value(const vb_buf *bytes) {
    char *text = malloc(vb_base64_chars(bytes->len) + 1);
    json_t *v = NULL;
    if (text) {
        vb_base64_encode(bytes->data, bytes->len, text);
        v = json_string(text);
    }
    free(text);
    return v;
}

static json_t *entries_value(vb_build *b, const vb_tlog_evidence *ev) {
    json_t *a = json_array();
    for (size_t i = 0; i < ev->n_entries; i++) {
        const vb_tlog_shown *s = &ev->entries[i];
        json_t *o = json_object();
        vb_build_put(b, o, "entry", base64_value(&s->entry));
        vb_build_put(b, o, "index", vb_build_decimal(s->index));
        vb_build_put(b, o, "path", path_value(b, s->path, s->n_path));
        vb_build_push(b, a, "entries", o);
    }
    return a;
}

static json_t *evidence_tree(vb_build *b, const vb_tlog_evidence *ev) {
    char key[VB_TLOG_VKEY_BYTES_MAX + 1];
    json_t *doc = json_object();
    vb_tlog_key_print(&ev->key, key);
    vb_build_put(b, doc, "format", json_string(VB_TLOG_EVIDENCE_FORMAT));
    vb_build_put(b, doc, "key", json_string(key));
    vb_build_put(b, doc, "offence", json_string(vb_tlog_charge_name(ev->charge)));
    if (ev->charge == VB_TLOG_CHARGE_FORK) {
        json_t *notes = json_array();
        vb_build_push(b, notes, "checkpoints", text_value(&ev->notes[0]));
        vb_build_push(b, notes, "checkpoints", text_value(&ev->notes[1]));
        vb_build_put(b, doc, "checkpoints", notes);
        vb_build_put(b, doc, "path", path_value(b, ev->path, ev->n_path));
        return doc;
    }
    vb_build_put(b, doc, "checkpoint", text_value(&ev->notes[0]));
    vb_build_put(b, doc, "entries", entries_value(b, ev));
    if (ev->charge == VB_TLOG_CHARGE_COMMITMENT) {
        vb_build_put(b, doc, "record", text_value(&ev->record));
    }
    return doc;
}

vb_err vb_tlog_evidence_encode(const vb_tlog_evidence *ev, vb_buf *out, vb_error *e) {
    vb_build b = {VB_OK, e};
    vb_buf bytes = vb_buf_make(VB_TLOG_EVIDENCE_BYTES_MAX);
    vb_tlog_evidence back;
    vb_err err = vb_build_write(&b, evidence_tree(&b, ev), &bytes);
    if (!err) {
        err = vb_tlog_evidence_decode(bytes.data, bytes.len, &back, e);
    }
    if (!err) {
        vb_tlog_evidence_free(&back);
        err = vb_build_copy(&bytes, out, e);
    }
    vb_buf_free(&bytes);
    return err;
}

/* Reading */

static const char *const names_fork[] = {"checkpoints", "format", "key", "offence", "path", NULL};
static const char *const names_entries[] = {"checkpoint", "entries", "format",
                                            "key",        "offence", NULL};
static const char *const names_commitment[] = {"checkpoint", "entries", "format", "key",
                                               "offence",    "record",  NULL};
static const char *const names_shown[] = {"entry", "index", "path", NULL};

/* A string of at most what out may hold. */
static void read_text(vb_fields *f, const char *name, const json_t *v, vb_buf *out) {
    if (f->err) {
        return;
    }
    if (!json_is_string(v) || json_string_length(v) > out->max) {
        vb_field_fail(f, VB_EFORMAT, name, "expected a string of at most %zu bytes", out->max);
    } else if (set(out, json_string_value(v), json_string_length(v), name, NULL)) {
        vb_field_fail(f, VB_ENOMEM, name, "no memory for %zu bytes", json_string_length(v));
    }
}

/* The hashes of a, which has room for them in path. */
static void read_hashes(vb_fields *f, const json_t *a, vb_tlog_hash *path) {
    for (size_t i = 0; i < json_array_size(a); i++) {
        const json_t *v = json_array_get(a, i);
        /* A zero byte inside the string would end it early for vb_hex_decode. */
        if (json_string_length(v) != 2 * sizeof path[i].bytes ||
            !vb_hex_decode(json_string_value(v), path[i].bytes, sizeof path[i].bytes)) {
            vb_field_fail(f, VB_EFORMAT, "path", "item %zu: expected %zu lower-case hex digits", i,
                          2 * sizeof path[i].bytes);
            return;
        }
    }
}

static void read_fork(vb_fields *f, vb_tlog_evidence *ev) {
    const json_t *notes = vb_field_array(f, "checkpoints", 2, 2);
    read_text(f, "checkpoints", json_array_get(notes, 0), &ev->notes[0]);
    read_text(f, "checkpoints", json_array_get(notes, 1), &ev->notes[1]);
    const json_t *path = vb_field_array(f, "path", 0, VB_TLOG_PATH_MAX);
    ev->n_path = json_array_size(path); /* 0 after an error */
    read_hashes(f, path, ev->path);
}

/* An entry's bytes, which are any; *out is malloc'd. */
static void read_bytes(vb_fields *f, uint8_t **out, size_t *n_out) {
    const json_t *v = vb_field(f, "entry");
    size_t n_text = json_string_length(v); /* 0 for what is no string */
    if (f->err) {
        return;
    }
    if (n_text < 1 || n_text > vb_base64_chars(VB_TLOG_SHOWN_BYTES_MAX)) {
        vb_field_fail(f, VB_EFORMAT, "entry", "expected base64 of 1 .. %d bytes",
                      VB_TLOG_SHOWN_BYTES_MAX);
        return;
    }
    *out = malloc(n_text / 4 * 3 + 1);
    if (!*out) {
        vb_field_fail(f, VB_ENOMEM, "entry", "no memory to decode it");
    } else if (!vb_base64_decode(json_string_value(v), n_text, *out, n_out)) {
        vb_field_fail(f, VB_EFORMAT, "entry", "expected base64, padded and canonical");
    }
}

static vb_err read_shown(const json_t *value, size_t i, vb_tlog_evidence *ev, vb_error *e) {
    char where[32];
    vb_tlog_hash path[VB_TLOG_SIZE_BITS_MAX];
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    uint64_t index = 0;
    uint64_t min = i ? ev->entries[i - 1].index + 1 : 0;
    snprintf(where, sizeof where, "entries[%zu]", i);
    vb_fields f = vb_fields_open(value, where, names_shown, e);
    read_bytes(&f, &bytes, &n_bytes);
    vb_field_decimal(&f, "index", min, VB_TLOG_SIZE_MAX - 1, &index);
    const json_t *a = vb_field_array(&f, "path", 0, VB_TLOG_SIZE_BITS_MAX);
    read_hashes(&f, a, path);
    if (!f.err) {
        f.err = add_shown(ev, bytes, n_bytes, index, path, json_array_size(a), e);
    }
    free(bytes);
    return f.err;
}

static void read_entries(vb_fields *f, vb_tlog_evidence *ev) {
    bool one = ev->charge == VB_TLOG_CHARGE_COMMITMENT;
    read_text(f, "checkpoint", vb_field(f, "checkpoint"), &ev->notes[0]);
    const json_t *a = vb_field_array(f, "entries", 1, one ? 1 : VB_TLOG_EVIDENCE_ENTRIES_MAX);
    for (size_t i = 0; !f->err && i < json_array_size(a); i++) {
        f->err = read_shown(json_array_get(a, i), i, ev, f->e);
    }
    if (one) {
        read_text(f, "record", vb_field(f, "record"), &ev->record);
    }
}

static void read_key(vb_fields *f, vb_tlog_key *out) {
    char text[VB_TLOG_VKEY_BYTES_MAX + 1];
    vb_error why = {0};
    vb_field_name(f, "key", 1, text, sizeof text);
    if (f->err) {
        return;
    }
    vb_err err = vb_tlog_key_parse(text, out, &why);
    if (err) {
        vb_field_fail(f, err, "key", "%.160s", why.msg);
    } else if (out->type != VB_TLOG_SIGNER_LOG) {
        vb_field_fail(f, VB_EFORMAT, "key", "expected a log's key, found a witness's");
    }
}

static vb_err read_evidence(const json_t *json, vb_tlog_evidence *ev, vb_error *e) {
    static const char *const *const names[] = {
        [VB_TLOG_CHARGE_FORK] = names_fork,
        [VB_TLOG_CHARGE_ENTRIES] = names_entries,
        [VB_TLOG_CHARGE_COMMITMENT] = names_commitment,
    };
    vb_err err = vb_read_format(json, VB_TLOG_EVIDENCE_FORMAT, e);
    if (err) {
        return err;
    }
    const json_t *offence = json_object_get(json, "offence");
    int charge = VB_TLOG_CHARGE_FORK;
    while (charge <= VB_TLOG_CHARGE_COMMITMENT && !vb_json_is(offence, charge_names[charge])) {
        charge++;
    }
    if (charge > VB_TLOG_CHARGE_COMMITMENT) {
        return vb_fail(e, VB_EFORMAT, "offence: expected fork, entries or commitment");
    }
    ev->charge = (vb_tlog_charge)charge;
    vb_fields f = vb_fields_open(json, "", names[charge], e);
    read_key(&f, &ev->key);
    if (ev->charge == VB_TLOG_CHARGE_FORK) {
        read_fork(&f, ev);
    } else {
        read_entries(&f, ev);
    }
    return f.err;
}

vb_err vb_tlog_evidence_decode(const void *bytes, size_t n_bytes, vb_tlog_evidence *out,
                               vb_error *e) {
    make_empty(out);
    if (n_bytes > VB_TLOG_EVIDENCE_BYTES_MAX) {
        return vb_fail(e, VB_ELIMIT, "%zu bytes; evidence has at most %d", n_bytes,
                       VB_TLOG_EVIDENCE_BYTES_MAX);
    }
    json_t *json;
    vb_err err = vb_json_parse(bytes, n_bytes, &json, e);
    if (err) {
        return err;
    }
    err = read_evidence(json, out, e);
    json_decref(json);
    if (err) {
        vb_tlog_evidence_free(out);
    }
    return err;
}
