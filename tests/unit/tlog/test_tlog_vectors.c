/* Every case of every file in spec/vectors/log: the result as it is stated, and what was found. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "receipt/base64.h"
#include "support/testing.h"
#include "tlog/evidence.h"
#include "tlog/proof.h"

/* One file's cases, to json_decref. */
static json_t *open_cases(const char *file) {
    char path[256];
    json_error_t je;
    snprintf(path, sizeof path, "spec/vectors/log/%s.json", file);
    json_t *doc = json_load_file(vb_test_source(path), JSON_REJECT_DUPLICATES, &je);
    if (!doc || json_array_size(json_object_get(doc, "cases")) == 0) {
        fail_msg("%s: no cases: %s", path, doc ? "" : je.text);
    }
    return doc;
}

static const char *result_of(vb_err err) {
    switch (err) {
    case VB_OK: return "ok";
    case VB_EFORMAT:
    case VB_ELIMIT: return "malformed";
    case VB_EMISMATCH: return "refused";
    case VB_EUNSUPPORTED: return "unsupported";
    default: return "an error that no vector has";
    }
}

static const char *text_of(const json_t *c, const char *name) {
    const char *s = json_string_value(json_object_get(c, name));
    if (!s) {
        fail_msg("no string %s", name);
    }
    return s;
}

static uint64_t number_of(const json_t *v) {
    if (json_is_string(v)) {
        return strtoull(json_string_value(v), NULL, 10);
    }
    assert_true(json_is_integer(v));
    return (uint64_t)json_integer_value(v);
}

static vb_tlog_hash hash_of(const json_t *v) {
    vb_tlog_hash h = {{0}};
    assert_true(json_is_string(v) && vb_hex_decode(json_string_value(v), h.bytes, 32));
    return h;
}

static size_t path_of(const json_t *c, const char *name, vb_tlog_hash out[VB_TLOG_PATH_MAX]) {
    const json_t *a = json_object_get(c, name);
    assert_true(json_is_array(a) && json_array_size(a) <= VB_TLOG_PATH_MAX);
    for (size_t i = 0; i < json_array_size(a); i++) {
        out[i] = hash_of(json_array_get(a, i));
    }
    return json_array_size(a);
}

/* The member's bytes, which stand in base64; malloc'd, so that nothing may be read beyond them. */
static uint8_t *bytes_of(const json_t *c, const char *name, size_t *n) {
    const char *text = text_of(c, name);
    size_t n_text = strlen(text);
    uint8_t *room = malloc(n_text / 4 * 3 + 1), *out;
    assert_non_null(room);
    assert_true(vb_base64_decode(text, n_text, room, n));
    out = malloc(*n ? *n : 1);
    assert_non_null(out);
    memcpy(out, room, *n);
    free(room);
    return out;
}

static vb_tlog_key key_of(const json_t *v) {
    vb_tlog_key key = {.id = 0};
    assert_true(json_is_string(v));
    assert_int_equal(vb_tlog_key_parse(json_string_value(v), &key, NULL), VB_OK);
    return key;
}

static size_t n_bad;

static void expect(const char *file, const json_t *c, bool good, const char *what,
                   const vb_error *e) {
    if (!good) {
        print_error("%s: %s: %s: %s\n", file, text_of(c, "name"), what, e->msg);
        n_bad++;
    }
}

/* The result is the one that is stated, and no refusal is without a sentence. True when it is ok.
 */
static bool expect_result(const char *file, const json_t *c, vb_err err, const vb_error *e) {
    bool same = strcmp(result_of(err), text_of(c, "result")) == 0;
    expect(file, c, same, result_of(err), e);
    expect(file, c, !err || e->msg[0], "no message", e);
    return same && !err;
}

typedef void judge(const json_t *c);

static void each(const char *file, size_t n_min, judge *f) {
    json_t *doc = open_cases(file);
    size_t i;
    const json_t *c;
    n_bad = 0;
    json_array_foreach(json_object_get(doc, "cases"), i, c) {
        f(c);
    }
    assert_true(json_array_size(json_object_get(doc, "cases")) >= n_min);
    json_decref(doc);
    assert_int_equal(n_bad, 0);
}

/* Trees: entry i is the number i as u64be. */

static vb_tlog_range tree_of(uint64_t size) {
    vb_tlog_range r;
    vb_tlog_range_begin(&r);
    for (uint64_t i = 0; i < size; i++) {
        uint8_t bytes[8];
        vb_tlog_hash leaf;
        vb_store_u64be(bytes, i);
        vb_tlog_leaf_hash(bytes, sizeof bytes, &leaf);
        assert_int_equal(vb_tlog_range_add(&r, &leaf, NULL, NULL, NULL), VB_OK);
    }
    return r;
}

/* The paths of both kinds from an older tree to this one. */
static void judge_olds(const json_t *c, uint64_t size, const vb_tlog_hash *root) {
    vb_tlog_hash path[VB_TLOG_PATH_MAX], old_root, a, b;
    vb_error e = {0};
    size_t i;
    const json_t *o;
    json_array_foreach(json_object_get(c, "consistency"), i, o) {
        uint64_t old = number_of(json_object_get(o, "old"));
        old_root = hash_of(json_object_get(o, "old_root"));
        size_t n = path_of(o, "path", path);
        expect("tree", c, vb_tlog_consistent(old, &old_root, size, root, path, n), "consistency",
               &e);
    }
    json_array_foreach(json_object_get(c, "prefix"), i, o) {
        uint64_t old = number_of(json_object_get(o, "old"));
        old_root = hash_of(json_object_get(o, "old_root"));
        size_t n = path_of(o, "path", path);
        expect("tree", c,
               vb_tlog_prefix_roots(old, size, path, n, &a, &b) &&
                   vb_tlog_hash_equal(&a, &old_root) && vb_tlog_hash_equal(&b, root),
               "prefix", &e);
    }
}

static void judge_tree(const json_t *c) {
    uint64_t size = number_of(json_object_get(c, "size"));
    vb_tlog_range r = tree_of(size);
    vb_tlog_hash root = hash_of(json_object_get(c, "root")), found, path[VB_TLOG_PATH_MAX];
    vb_error e = {0};
    size_t i;
    const json_t *p;
    vb_tlog_range_root(&r, &found);
    expect("tree", c, vb_tlog_hash_equal(&root, &found), "root", &e);
    json_array_foreach(json_object_get(c, "paths"), i, p) {
        uint64_t index = number_of(json_object_get(p, "index"));
        uint8_t bytes[8];
        vb_tlog_hash leaf;
        vb_store_u64be(bytes, index);
        vb_tlog_leaf_hash(bytes, sizeof bytes, &leaf);
        size_t n = path_of(p, "path", path);
        expect("tree", c, vb_tlog_included(&leaf, index, size, path, n, &root), "path", &e);
    }
    judge_olds(c, size, &root);
}

static void judge_key(const json_t *c) {
    vb_tlog_key key;
    vb_error e = {0};
    char text[VB_TLOG_VKEY_BYTES_MAX + 1];
    vb_err err = vb_tlog_key_parse(text_of(c, "key"), &key, &e);
    if (expect_result("keys", c, err, &e)) {
        vb_tlog_key_print(&key, text);
        expect("keys", c, strcmp(text, text_of(c, "key")) == 0, "printed as another", &e);
        expect("keys", c, key.type == number_of(json_object_get(c, "type")), "another type", &e);
    }
}

static void judge_entry(const json_t *c) {
    uint8_t key[VB_ED25519_PUBLIC_BYTES];
    vb_tlog_entry entry;
    vb_error e = {0};
    size_t n;
    uint8_t *bytes = bytes_of(c, "entry", &n);
    assert_true(vb_hex_decode(text_of(c, "key"), key, sizeof key));
    vb_err err = vb_tlog_entry_decode(bytes, n, &entry, &e);
    if (!err) {
        vb_buf again = vb_buf_make(VB_TLOG_ENTRY_BYTES_MAX);
        assert_int_equal(vb_tlog_entry_encode(&entry, &again, NULL), VB_OK);
        expect("entries", c, again.len == n && memcmp(again.data, bytes, n) == 0,
               "written as another", &e);
        vb_buf_free(&again);
        err = vb_tlog_entry_check(&entry, key, &e);
    }
    expect_result("entries", c, err, &e);
    free(bytes);
}

static void judge_cosigned(const json_t *c, const vb_tlog_key *witnesses,
                           const vb_tlog_cosignature *cosigned, size_t n) {
    const json_t *stated = json_object_get(c, "cosigned"), *pair;
    vb_error e = {0};
    size_t i;
    expect("notes", c, json_array_size(stated) == n, "another number of cosignatures", &e);
    json_array_foreach(stated, i, pair) {
        const vb_tlog_key *key = witnesses + number_of(json_array_get(pair, 0));
        uint64_t time = number_of(json_array_get(pair, 1));
        bool found = false;
        for (size_t k = 0; k < n; k++) {
            found |= cosigned[k].key == key && cosigned[k].time_s == time;
        }
        expect("notes", c, found, "another cosignature", &e);
    }
}

static void judge_note(const json_t *c) {
    vb_tlog_key log = key_of(json_object_get(c, "log")), witnesses[2];
    vb_tlog_cosignature cosigned[2];
    vb_tlog_checkpoint found;
    vb_error e = {0};
    size_t n, n_cosigned = 9, i;
    const json_t *w, *stated = json_object_get(c, "checkpoint");
    uint8_t *bytes = bytes_of(c, "note", &n);
    json_array_foreach(json_object_get(c, "witnesses"), i, w) {
        assert_true(i < 2);
        witnesses[i] = key_of(w);
    }
    vb_err err = vb_tlog_note_read(bytes, n, &log, witnesses, i, &found, cosigned, &n_cosigned, &e);
    if (expect_result("notes", c, err, &e)) {
        vb_tlog_hash root = hash_of(json_object_get(stated, "root"));
        expect("notes", c, found.size == number_of(json_object_get(stated, "size")), "size", &e);
        expect("notes", c, vb_tlog_hash_equal(&found.root, &root), "root", &e);
        expect("notes", c, strcmp(found.origin, log.name) == 0, "origin", &e);
        judge_cosigned(c, witnesses, cosigned, n_cosigned);
    } else {
        expect("notes", c, n_cosigned == 9, "outputs after an error", &e);
    }
    free(bytes);
}

static void judge_match(const json_t *c, const vb_tlog_entry *entry, const vb_tlog_key *log) {
    const json_t *record = json_object_get(c, "record");
    vb_error e = {0};
    if (json_is_null(record)) {
        return;
    }
    vb_err err =
        vb_tlog_entry_match(entry, log, json_string_value(record), json_string_length(record), &e);
    expect("proofs", c, strcmp(result_of(err), text_of(c, "match")) == 0, result_of(err), &e);
}

static void judge_proof(const json_t *c) {
    vb_tlog_key log = key_of(json_object_get(c, "log"));
    vb_tlog_proof p;
    vb_tlog_entry entry;
    vb_tlog_checkpoint checkpoint;
    vb_error e = {0};
    size_t n;
    uint8_t *bytes = bytes_of(c, "proof", &n);
    vb_err err = vb_tlog_proof_decode(bytes, n, &p, &e);
    if (!err) {
        vb_buf again = vb_buf_make(VB_TLOG_PROOF_BYTES_MAX);
        assert_int_equal(vb_tlog_proof_encode(&p, &again, NULL), VB_OK);
        expect("proofs", c, again.len == n && memcmp(again.data, bytes, n) == 0,
               "written as another", &e);
        vb_buf_free(&again);
        err = vb_tlog_proof_check(&p, &log, &entry, &checkpoint, &e);
    }
    if (expect_result("proofs", c, err, &e)) {
        expect("proofs", c, p.index == number_of(json_object_get(c, "index")), "index", &e);
        judge_match(c, &entry, &log);
    }
    vb_tlog_proof_free(&p);
    free(bytes);
}

static void judge_finding(const json_t *c, const vb_tlog_finding *found) {
    const json_t *stated = json_object_get(c, "finding"), *sizes = json_object_get(stated, "sizes");
    const json_t *rule = json_object_get(stated, "rule");
    vb_error e = {0};
    expect("evidence", c,
           strcmp(vb_tlog_charge_name(found->charge), text_of(stated, "offence")) == 0, "offence",
           &e);
    expect("evidence", c, found->text[0] != 0, "no sentence", &e);
    for (size_t i = 0; i < 2; i++) {
        uint64_t size = i < json_array_size(sizes) ? number_of(json_array_get(sizes, i)) : 0;
        expect("evidence", c, found->sizes[i] == size, "size", &e);
    }
    if (json_is_null(rule)) {
        expect("evidence", c, found->offence.rule == VB_TLOG_RULE_NONE, "rule", &e);
        return;
    }
    const vb_tlog_offence *o = &found->offence;
    expect("evidence", c, strcmp(vb_tlog_rule_name(o->rule), json_string_value(rule)) == 0,
           vb_tlog_rule_name(o->rule), &e);
    expect("evidence", c, o->index == number_of(json_object_get(stated, "index")), "index", &e);
    expect("evidence", c, o->other == number_of(json_object_get(stated, "other")), "other", &e);
    expect("evidence", c, o->sequence == number_of(json_object_get(stated, "sequence")), "number",
           &e);
}

static void judge_evidence(const json_t *c) {
    vb_tlog_evidence ev;
    vb_tlog_finding found;
    vb_error e = {0};
    size_t n;
    uint8_t *bytes = bytes_of(c, "evidence", &n);
    vb_err err = vb_tlog_evidence_decode(bytes, n, &ev, &e);
    if (!err) {
        vb_buf again = vb_buf_make(VB_TLOG_EVIDENCE_BYTES_MAX);
        assert_int_equal(vb_tlog_evidence_encode(&ev, &again, NULL), VB_OK);
        expect("evidence", c, again.len == n && memcmp(again.data, bytes, n) == 0,
               "written as another", &e);
        vb_buf_free(&again);
        err = vb_tlog_evidence_check(&ev, &found, &e);
    }
    if (expect_result("evidence", c, err, &e)) {
        judge_finding(c, &found);
    }
    vb_tlog_evidence_free(&ev);
    free(bytes);
}

static void test_tree(void **state) {
    (void)state;
    each("tree", 20, judge_tree);
}

static void test_keys(void **state) {
    (void)state;
    each("keys", 30, judge_key);
}

static void test_entries(void **state) {
    (void)state;
    each("entries", 300, judge_entry);
}

static void test_notes(void **state) {
    (void)state;
    each("notes", 100, judge_note);
}

static void test_proofs(void **state) {
    (void)state;
    each("proofs", 100, judge_proof);
}

static void test_evidence(void **state) {
    (void)state;
    each("evidence", 250, judge_evidence);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),    cmocka_unit_test(test_keys),
        cmocka_unit_test(test_entries), cmocka_unit_test(test_notes),
        cmocka_unit_test(test_proofs),  cmocka_unit_test(test_evidence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
