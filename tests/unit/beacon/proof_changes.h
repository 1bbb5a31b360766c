/*
 * Changes to a good round that no kind of beacon may accept: of every member of its proof, of every
 * bit that is written in hex digits, of its randomness and number. Each must be refused as a form
 * or as false, and leave the facts alone.
 */
#ifndef VB_TESTS_UNIT_BEACON_PROOF_CHANGES_H
#define VB_TESTS_UNIT_BEACON_PROOF_CHANGES_H

#include "unit/beacon/vector_cases.h"

typedef vb_err round_verify(const vb_beacon_round *r, const vb_trust *trust, vb_beacon_facts *facts,
                            vb_error *e);

typedef struct proof_changes {
    round_verify *verify;
    vb_beacon_round round; /* its proof is that of doc, changed or not */
    vb_trust *trust;
    json_t *doc;        /* the proof */
    unsigned bit_step;  /* the distance of the bits that are tried; 1: all */
    unsigned n_refused; /* changes that were tried */
} proof_changes;

/* The case named "good" of a file of vectors. */
static inline proof_changes proof_changes_open(const char *file, round_verify *verify) {
    proof_changes p = {.verify = verify, .bit_step = 1};
    json_t *doc = vector_file(file);
    const json_t *c = vector_named(doc, "good");
    p.round = vector_round(c);
    p.trust = vector_trust(c);
    p.doc = json_deep_copy(json_object_get(json_object_get(c, "round"), "proof"));
    assert_non_null(p.doc);
    json_decref(doc);
    return p;
}

static inline void proof_changes_close(proof_changes *p) {
    vb_beacon_round_free(&p->round);
    vb_trust_free(p->trust);
    json_decref(p->doc);
}

/* The result for the proof as it is now. */
static inline vb_err proof_result(proof_changes *p, vb_error *e) {
    vb_beacon_facts facts, before;
    memset(&facts, 0x5a, sizeof facts);
    before = facts;
    free(p->round.proof);
    p->round.proof = vector_text(p->doc);
    vb_err err = p->verify(&p->round, p->trust, &facts, e);
    bool set = memcmp(&facts, &before, sizeof facts) != 0;
    assert_true(set == (!err || err == VB_EUNTRUSTED));
    return err;
}

static inline void proof_refused(proof_changes *p, const char *what, bool form_only) {
    vb_error e = {0};
    vb_err err = proof_result(p, &e);
    if (err != VB_EFORMAT && (form_only || err != VB_EMISMATCH)) {
        fail_msg("%s: %s: %s", what, vb_err_name(err), e.msg);
    }
    assert_true(e.code == err && e.msg[0]);
    p->n_refused++;
}

/* The i-th of the types, or for v's own a value that no member has. */
static inline json_t *of_another_type(const json_t *v, int i) {
    static const char *const texts[] = {"null", "true", "1", "1.5", "\"\"", "[]", "{}"};
    json_t *other = json_loads(texts[i], JSON_DECODE_ANY, NULL);
    if (other && json_typeof(other) == json_typeof(v)) {
        json_decref(other);
        return json_integer(-1);
    }
    return other;
}

enum { OTHER_TYPES = 7 };

static inline void change_forms(proof_changes *p, json_t *value);

static inline void change_members(proof_changes *p, json_t *object) {
    const char *names[32];
    size_t n = 0;
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
        assert_true(n < 32);
        names[n++] = json_object_iter_key(it);
    }
    for (size_t i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s", names[i]);
        json_t *kept = json_incref(json_object_get(object, name));
        json_object_del(object, name);
        proof_refused(p, name, true);
        for (int t = 0; t < OTHER_TYPES; t++) {
            json_object_set_new(object, name, of_another_type(kept, t));
            proof_refused(p, name, true);
        }
        json_object_set_new(object, name, kept);
        change_forms(p, kept);
    }
    json_object_set_new(object, "zzz", json_null());
    proof_refused(p, "one member more", true);
    json_object_del(object, "zzz");
}

static inline void change_items(proof_changes *p, json_t *array) {
    for (size_t i = 0; i < json_array_size(array); i++) {
        json_t *kept = json_incref(json_array_get(array, i));
        for (int t = 0; t < OTHER_TYPES; t++) {
            json_array_set_new(array, i, of_another_type(kept, t));
            proof_refused(p, "an item", true);
        }
        json_array_set_new(array, i, kept);
        change_forms(p, kept);
    }
}

/* Every member dropped, of another type, and one added; every item of another type. */
static inline void change_forms(proof_changes *p, json_t *value) {
    if (json_is_object(value)) {
        change_members(p, value);
    } else if (json_is_array(value)) {
        change_items(p, value);
    }
}

static inline bool is_hex(const char *s, size_t n) {
    return n >= 40 && n % 2 == 0 && strspn(s, "0123456789abcdef") == n;
}

/* Every bit (or every bit_step-th) of every string of hex digits. */
static inline void change_bits(proof_changes *p, json_t *value) {
    const char *key;
    json_t *v;
    size_t i;
    if (json_is_object(value)) {
        json_object_foreach(value, key, v) {
            change_bits(p, v);
        }
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, v) {
            change_bits(p, v);
        }
    } else if (json_is_string(value) &&
               is_hex(json_string_value(value), json_string_length(value))) {
        static const char digits[] = "0123456789abcdef";
        size_t n = json_string_length(value);
        char *text = strdup(json_string_value(value));
        assert_non_null(text);
        for (size_t bit = 0; bit < 4 * n; bit += p->bit_step) {
            char was = text[bit / 4];
            size_t digit = (size_t)(strchr(digits, was) - digits);
            text[bit / 4] = digits[digit ^ (size_t)1 << bit % 4];
            json_string_setn(value, text, n);
            proof_refused(p, "a bit", false);
            text[bit / 4] = was;
        }
        json_string_setn(value, text, n);
        free(text);
    }
}

/* The randomness, its length and the number. */
static inline void change_round(proof_changes *p) {
    vb_beacon_round *r = &p->round;
    for (size_t bit = 0; bit < 8 * r->n_randomness; bit++) {
        r->randomness[bit / 8] ^= (uint8_t)(1 << bit % 8);
        proof_refused(p, "randomness", false);
        r->randomness[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t n = 0; n <= sizeof r->randomness; n++) {
        size_t was = r->n_randomness;
        r->n_randomness = n;
        if (n != was) {
            proof_refused(p, "randomness of another length", true);
        }
        r->n_randomness = was;
    }
    for (int bit = 0; bit < 64; bit++) {
        r->round ^= (uint64_t)1 << bit;
        proof_refused(p, "the number", false);
        r->round ^= (uint64_t)1 << bit;
    }
}

/* All of them; the round is good before and after. */
static inline void proof_changes_all(proof_changes *p) {
    vb_error e = {0};
    assert_int_equal(proof_result(p, &e), VB_OK);
    change_forms(p, p->doc);
    change_bits(p, p->doc);
    change_round(p);
    assert_int_equal(proof_result(p, &e), VB_OK);
    print_message("%u changes refused\n", p->n_refused);
}

/* Text that is not canonical JSON, or no object at all. */
static inline void proof_texts_refused(proof_changes *p) {
    static const char *const texts[] = {"",     "null", "[]",   "1",         "\"\"",    "{",
                                        "{}\n", " {}",  "{}{}", "{\"a\":1}", "\xff\xfe"};
    vb_beacon_facts facts;
    vb_error e;
    vb_beacon_round r = p->round;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[16];
        snprintf(text, sizeof text, "%s", texts[i]);
        r.proof = text;
        assert_int_equal(p->verify(&r, p->trust, &facts, &e), VB_EFORMAT);
    }
    r.proof = NULL;
    assert_int_equal(p->verify(&r, p->trust, &facts, &e), VB_EFORMAT);
    char *longer = calloc(1, strlen(p->round.proof) + 2);
    assert_non_null(longer);
    snprintf(longer, strlen(p->round.proof) + 2, "%s ", p->round.proof);
    r.proof = longer;
    assert_int_equal(p->verify(&r, p->trust, &facts, &e), VB_EFORMAT);
    free(longer);
    char *huge = malloc(VB_BEACON_PROOF_BYTES_MAX + 2);
    assert_non_null(huge);
    memset(huge, ' ', VB_BEACON_PROOF_BYTES_MAX + 1);
    huge[VB_BEACON_PROOF_BYTES_MAX + 1] = 0;
    r.proof = huge;
    assert_int_equal(p->verify(&r, p->trust, &facts, &e), VB_ELIMIT);
    free(huge);
}

#endif
