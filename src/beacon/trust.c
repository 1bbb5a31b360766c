/*
 * A trust file is written by hand, so every mistake in it is an error that names its place: a root
 * that is quietly dropped would turn a verdict, and one that is quietly doubled could.
 */
#include "beacon/trust.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "beacon/beacon.h"
#include "beacon/drand.h"
#include "crypto/bls12381.h"
#include "json/json.h"

static const char format[] = "verbatim.trust/1";
static const char *const names[] = {"beacons", "drand",     "ethereum", "format",
                                    "modes",   "nist",      "quorum",   "server_keys",
                                    "theta",   "witnesses", NULL};
static const char *const drand_names[] = {"beacon_id", "genesis_time", "group_hash", "hash",
                                          "period",    "public_key",   "scheme",     NULL};
static const char *const theta_names[] = {"chain", "from", "to", "validators", NULL};
static const char *const validator_names[] = {"id", "stake", NULL};
static const char *const ethereum_names[] = {"chain_id", "hash", "number", NULL};
static const char *const key_names[] = {"key", "name", NULL};
static const char *const witness_names[] = {"key", "name", "url", NULL};

/* Reads item i of a list, a value at path, into its place in t. */
typedef vb_err read_item(vb_trust *t, size_t i, const json_t *value, const char *path, vb_error *e);

/* An array of count zeroed items. NULL only without memory. */
static void *make_items(size_t count, size_t item_bytes) {
    return calloc(count ? count : 1, item_bytes);
}

static const char *text_of(const json_t *value, const char *path, vb_err *err, vb_error *e) {
    const char *s = json_string_value(value);
    *err = VB_OK;
    if (!s || strlen(s) != json_string_length(value)) {
        *err = vb_fail(e, VB_EFORMAT, "%s: expected a string%s", path, s ? " without zeros" : "");
        return "";
    }
    return s;
}

static vb_err read_server_key(vb_trust *t, size_t i, const json_t *value, const char *path,
                              vb_error *e) {
    vb_trust_key *k = &t->server_keys[i];
    vb_fields f = vb_fields_open(value, path, key_names, e);
    vb_field_name(&f, "name", 0, k->name, sizeof k->name);
    vb_field_hex(&f, "key", k->key, sizeof k->key);
    if (!f.err && vb_trust_server_key(t, k->key)) {
        vb_field_fail(&f, VB_EFORMAT, "key", "the key stands in the list already");
    }
    t->n_server_keys += !f.err;
    return f.err;
}

/* An id whose chain is not looked at more closely, or "<kind>:*". */
static vb_err read_beacon(vb_trust *t, size_t i, const json_t *value, const char *path,
                          vb_error *e) {
    vb_err err;
    const char *id = text_of(value, path, &err, e);
    if (err) {
        return err;
    }
    size_t n = strlen(id);
    if (vb_beacon_kind_of_id(id) == VB_BEACON_UNKNOWN || !strchr(id, ':')[1]) {
        return vb_fail(e, VB_EFORMAT, "%s: expected a beacon's id or <kind>:*, found %s", path, id);
    }
    if (n > VB_BEACON_ID_BYTES_MAX) {
        return vb_fail(e, VB_EFORMAT, "%s: more than %u bytes", path, VB_BEACON_ID_BYTES_MAX);
    }
    memcpy(t->beacons[i], id, n + 1);
    t->n_beacons++;
    return VB_OK;
}

static vb_err read_mode(vb_trust *t, size_t i, const json_t *value, const char *path, vb_error *e) {
    vb_err err;
    const char *name = text_of(value, path, &err, e);
    (void)i;
    if (err) {
        return err;
    }
    vb_beacon_mode m = vb_beacon_mode_of_name(name);
    if (m == VB_MODE_UNKNOWN) {
        return vb_fail(e, VB_EFORMAT, "%s: expected next, latest, fixed or local, found %s", path,
                       name);
    }
    t->modes |= 1u << m;
    return VB_OK;
}

/* The hash has neither the scheme nor the lengths of its parts in it: all is compared. */
static bool same_chain(const vb_drand_chain *a, const vb_drand_chain *b) {
    return a->scheme == b->scheme && a->period_s == b->period_s && a->genesis_s == b->genesis_s &&
           a->n_public_key == b->n_public_key &&
           memcmp(a->public_key, b->public_key, a->n_public_key) == 0 &&
           memcmp(a->group_hash, b->group_hash, sizeof a->group_hash) == 0 &&
           strcmp(a->beacon_id, b->beacon_id) == 0;
}

static void read_scheme(vb_fields *f, vb_drand_chain *c) {
    char scheme[64];
    vb_field_name(f, "scheme", 1, scheme, sizeof scheme);
    if (f->err) {
        return;
    }
    c->scheme = vb_drand_scheme_named(scheme);
    if (!c->scheme) {
        vb_field_fail(f, VB_EFORMAT, "scheme",
                      "expected pedersen-bls-chained, pedersen-bls-unchained or "
                      "bls-unchained-g1-rfc9380, found %s",
                      scheme);
        return;
    }
    c->n_public_key = vb_drand_form_of(c->scheme)->n_public_key;
}

/* Whether the public key is a key at all: a chain without one would make every true round false. A
 * key is looked at before a signature is, so any sound point serves as one: the groups' generators.
 */
static bool is_key(const vb_drand_chain *c) {
    static const char g1[] = "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac58"
                             "6c55e83ff97a1aeffb3af00adb22c6bb";
    static const char g2[] = "93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049"
                             "334cf11213945d57e5ac7d055d042b7e024aa2b2f08f0a91260805272dc51051"
                             "c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8";
    uint8_t point[VB_BLS_G2_BYTES];
    if (c->n_public_key == VB_BLS_G2_BYTES) {
        VB_ASSERT(vb_hex_decode(g1, point, VB_BLS_G1_BYTES));
        return vb_bls_verify_g1(c->public_key, "", 0, VB_BLS_DST_G1, point, NULL) != VB_EFORMAT;
    }
    VB_ASSERT(vb_hex_decode(g2, point, VB_BLS_G2_BYTES));
    return vb_bls_verify_g2(c->public_key, "", 0, VB_BLS_DST_G2, point, NULL) != VB_EFORMAT;
}

static vb_err read_drand(vb_trust *t, size_t i, const json_t *value, const char *path,
                         vb_error *e) {
    vb_drand_chain c = {0};
    uint8_t hash[sizeof c.hash];
    (void)i;
    vb_fields f = vb_fields_open(value, path, drand_names, e);
    read_scheme(&f, &c);
    vb_field_hex(&f, "public_key", c.public_key, c.n_public_key);
    vb_field_u32(&f, "period", 1, UINT32_MAX, &c.period_s);
    vb_field_number(&f, "genesis_time", 0, (uint64_t)1 << 53, &c.genesis_s);
    vb_field_hex(&f, "group_hash", c.group_hash, sizeof c.group_hash);
    vb_field_name(&f, "beacon_id", 0, c.beacon_id, sizeof c.beacon_id);
    vb_field_hex(&f, "hash", c.hash, sizeof c.hash);
    if (f.err) {
        return f.err;
    }
    vb_drand_chain_hash(&c, hash);
    const vb_drand_chain *known = vb_trust_drand(t, c.hash);
    if (memcmp(hash, c.hash, sizeof hash) != 0) {
        vb_field_fail(&f, VB_EFORMAT, "hash", "not the hash of this chain's other members");
    } else if (known && !same_chain(known, &c)) {
        vb_field_fail(&f, VB_EFORMAT, "hash", "another chain of this hash is known already");
    } else if (!known && !is_key(&c)) {
        vb_field_fail(&f, VB_EFORMAT, "public_key", "not a point of order r on BLS12-381");
    } else if (!known) {
        t->drand[t->n_drand++] = c;
    }
    return f.err;
}

/* A decimal string, 1 .. 2^100 - 1: more than 64 bits, so not vb_field_decimal's. */
static void read_stake(vb_fields *f, unsigned __int128 *out) {
    char text[32]; /* 2^100 has 31 digits */
    vb_field_name(f, "stake", 1, text, sizeof text);
    if (f->err) {
        return;
    }
    unsigned __int128 v = 0;
    bool ok = text[0] != '0';
    for (const char *p = text; *p && ok; p++) {
        ok = *p >= '0' && *p <= '9';
        v = 10 * v + (unsigned)(*p - '0');
    }
    if (!ok || v >> 100) {
        vb_field_fail(f, VB_EFORMAT, "stake",
                      "expected a decimal string, 1 .. 2^100 - 1, no leading zero");
        return;
    }
    *out = v;
}

static int compare_ids(const void *a, const void *b) {
    return memcmp(((const vb_theta_validator *)a)->id, ((const vb_theta_validator *)b)->id,
                  sizeof((const vb_theta_validator *)a)->id);
}

static vb_err read_validators(vb_theta_set *s, const json_t *array, const char *path, vb_error *e) {
    size_t n = json_array_size(array);
    s->validators = make_items(n, sizeof *s->validators);
    if (!s->validators) {
        return vb_fail(e, VB_ENOMEM, "%s.validators: no memory for %zu", path, n);
    }
    for (; s->n_validators < n; s->n_validators++) {
        char at[VB_FIELD_PATH_BYTES];
        snprintf(at, sizeof at, "%s.validators[%zu]", path, s->n_validators);
        vb_theta_validator *v = &s->validators[s->n_validators];
        vb_fields f =
            vb_fields_open(json_array_get(array, s->n_validators), at, validator_names, e);
        vb_field_hex(&f, "id", v->id, sizeof v->id);
        read_stake(&f, &v->stake);
        if (f.err) {
            return f.err;
        }
    }
    qsort(s->validators, n, sizeof *s->validators, compare_ids);
    for (size_t i = 1; i < n; i++) {
        if (compare_ids(&s->validators[i - 1], &s->validators[i]) == 0) {
            char hex[2 * sizeof s->validators[i].id + 1];
            vb_hex_encode(s->validators[i].id, sizeof s->validators[i].id, hex);
            return vb_fail(e, VB_EFORMAT, "%s.validators: %s stands twice in it", path, hex);
        }
    }
    return VB_OK;
}

static void check_overlap(vb_fields *f, const vb_trust *t, size_t n, const vb_theta_set *s) {
    for (size_t i = 0; i < n && !f->err; i++) {
        const vb_theta_set *o = &t->theta[i];
        if (strcmp(o->chain, s->chain) == 0 && s->from <= o->to && o->from <= s->to) {
            vb_field_fail(f, VB_EFORMAT, "from",
                          "the heights overlap those of theta[%zu], %" PRIu64 " .. %" PRIu64, i,
                          o->from, o->to);
        }
    }
}

static vb_err read_theta(vb_trust *t, size_t i, const json_t *value, const char *path,
                         vb_error *e) {
    vb_theta_set *s = &t->theta[i];
    vb_fields f = vb_fields_open(value, path, theta_names, e);
    t->n_theta = i + 1; /* from here on vb_trust_free sees its validators */
    vb_field_name(&f, "chain", 1, s->chain, sizeof s->chain);
    if (!f.err && s->chain[strspn(s->chain, "abcdefghijklmnopqrstuvwxyz0123456789_-")]) {
        vb_field_fail(&f, VB_EFORMAT, "chain", "expected a name of a-z 0-9 _ -");
    }
    vb_field_decimal(&f, "from", 0, UINT64_MAX, &s->from);
    vb_field_decimal(&f, "to", s->from, UINT64_MAX, &s->to);
    const json_t *validators = vb_field_array(&f, "validators", 1, VB_TRUST_ITEMS_MAX);
    check_overlap(&f, t, i, s);
    return f.err ? f.err : read_validators(s, validators, path, e);
}

static vb_err read_ethereum(vb_trust *t, size_t i, const json_t *value, const char *path,
                            vb_error *e) {
    vb_ethereum_pin *p = &t->ethereum[i];
    vb_fields f = vb_fields_open(value, path, ethereum_names, e);
    vb_field_decimal(&f, "chain_id", 1, UINT64_MAX, &p->chain_id);
    vb_field_decimal(&f, "number", 0, UINT64_MAX, &p->number);
    vb_field_hex(&f, "hash", p->hash, sizeof p->hash);
    for (size_t k = 0; k < i && !f.err; k++) {
        const vb_ethereum_pin *o = &t->ethereum[k];
        if (o->chain_id == p->chain_id && o->number == p->number) {
            vb_field_fail(&f, VB_EFORMAT, "number", "ethereum[%zu] pins this block already", k);
        }
    }
    t->n_ethereum += !f.err;
    return f.err;
}

static vb_err read_nist(vb_trust *t, size_t i, const json_t *value, const char *path, vb_error *e) {
    uint8_t id[64];
    vb_err err;
    const char *hex = text_of(value, path, &err, e);
    (void)i;
    if (err) {
        return err;
    }
    if (!vb_hex_decode(hex, id, sizeof id)) {
        return vb_fail(e, VB_EFORMAT, "%s: expected %zu lower-case hex digits", path,
                       2 * sizeof id);
    }
    for (size_t k = 0; k < t->n_nist_certificates; k++) {
        if (memcmp(t->nist_certificates[k], id, sizeof id) == 0) {
            return VB_OK;
        }
    }
    memcpy(t->nist_certificates[t->n_nist_certificates++], id, sizeof id);
    return VB_OK;
}

static vb_err read_witness(vb_trust *t, size_t i, const json_t *value, const char *path,
                           vb_error *e) {
    vb_trust_witness *w = &t->witnesses[i];
    vb_fields f = vb_fields_open(value, path, witness_names, e);
    vb_field_hex(&f, "key", w->key, sizeof w->key);
    vb_field_name(&f, "name", 1, w->name, sizeof w->name);
    vb_field_name_or_null(&f, "url", w->url, sizeof w->url);
    if (!f.err && i > 0 && memcmp(w[-1].key, w->key, sizeof w->key) >= 0) {
        vb_field_fail(&f, VB_EFORMAT, "key", "expected ascending keys, none twice");
    }
    t->n_witnesses += !f.err;
    return f.err;
}

/* How many of the witnesses it takes. */
static void read_quorum(vb_fields *f, vb_trust *t) {
    if (f->err || !vb_field(f, "quorum")) {
        return;
    }
    if (t->n_witnesses == 0) {
        vb_field_fail(f, VB_EFORMAT, "quorum", "expected witnesses beside it");
    } else {
        vb_field_u32(f, "quorum", 1, (uint32_t)t->n_witnesses, &t->quorum);
    }
}

/* How many items the list has; 0 when the file does not have it. */
static size_t count(vb_fields *f, const char *name) {
    if (f->err || !vb_field(f, name)) {
        return 0;
    }
    const json_t *array = vb_field_array(
        f, name, 0, strcmp(name, "witnesses") == 0 ? VB_TRUST_WITNESSES_MAX : VB_TRUST_ITEMS_MAX);
    return array ? json_array_size(array) : 0;
}

/* Room for all that the file lists, with the built-in roots in their places. */
static void make_room(vb_fields *f, vb_trust *t) {
    const vb_trust *b = vb_trust_builtin();
    t->server_keys = make_items(count(f, "server_keys"), sizeof *t->server_keys);
    t->beacons = make_items(count(f, "beacons"), sizeof *t->beacons);
    t->drand = make_items(b->n_drand + count(f, "drand"), sizeof *t->drand);
    t->theta = make_items(count(f, "theta"), sizeof *t->theta);
    t->ethereum = make_items(count(f, "ethereum"), sizeof *t->ethereum);
    t->nist_certificates =
        make_items(b->n_nist_certificates + count(f, "nist"), sizeof *t->nist_certificates);
    t->witnesses = make_items(count(f, "witnesses"), sizeof *t->witnesses);
    if (!t->server_keys || !t->beacons || !t->drand || !t->theta || !t->ethereum ||
        !t->nist_certificates || !t->witnesses) {
        vb_field_fail(f, VB_ENOMEM, "", "no memory for its lists");
        return;
    }
    memcpy(t->drand, b->drand, b->n_drand * sizeof *b->drand);
    t->n_drand = b->n_drand;
    memcpy(t->nist_certificates, b->nist_certificates,
           b->n_nist_certificates * sizeof *b->nist_certificates);
    t->n_nist_certificates = b->n_nist_certificates;
}

static void read_list(vb_fields *f, const char *name, vb_trust *t, read_item *read) {
    size_t n = count(f, name);
    for (size_t i = 0; i < n && !f->err; i++) {
        char path[64];
        snprintf(path, sizeof path, "trust.%s[%zu]", name, i);
        f->err = read(t, i, json_array_get(vb_field(f, name), i), path, f->e);
    }
}

/* All members are optional but the format, and none may have another name: a root whose list is
 * misspelt would be missed only when it is needed. */
static vb_fields open_file(const json_t *doc, vb_error *e) {
    char found[sizeof format];
    vb_fields f = vb_fields_foreign(doc, "trust", e);
    json_t *o = (json_t *)(uintptr_t)doc; /* iteration changes nothing */
    for (void *it = f.err ? NULL : json_object_iter(o); it; it = json_object_iter_next(o, it)) {
        size_t i = 0;
        while (names[i] && strcmp(names[i], json_object_iter_key(it)) != 0) {
            i++;
        }
        if (!names[i]) {
            vb_field_fail(&f, VB_EFORMAT, json_object_iter_key(it), "unknown member");
        }
    }
    vb_field_name(&f, "format", 1, found, sizeof found);
    if (!f.err && strcmp(found, format) != 0) {
        vb_field_fail(&f, VB_EFORMAT, "format", "expected %s", format);
    }
    return f;
}

vb_err vb_trust_parse(const void *bytes, size_t n_bytes, vb_trust **out, vb_error *e) {
    json_t *doc = NULL;
    vb_err err = vb_json_parse_foreign(bytes, n_bytes, VB_TRUST_FILE_BYTES_MAX, &doc, e);
    if (err) {
        return vb_fail_in(e, err, "trust");
    }
    vb_trust *t = calloc(1, sizeof *t);
    if (!t) {
        json_decref(doc);
        return vb_fail(e, VB_ENOMEM, "no memory for trust roots");
    }
    vb_fields f = open_file(doc, e);
    make_room(&f, t);
    t->any_server_key = !f.err && !vb_field(&f, "server_keys");
    t->any_beacon = !f.err && !vb_field(&f, "beacons");
    t->modes = !f.err && vb_field(&f, "modes") ? 0 : VB_TRUST_MODES_ALL;
    read_list(&f, "server_keys", t, read_server_key);
    read_list(&f, "beacons", t, read_beacon);
    read_list(&f, "modes", t, read_mode);
    read_list(&f, "drand", t, read_drand);
    read_list(&f, "theta", t, read_theta);
    read_list(&f, "ethereum", t, read_ethereum);
    read_list(&f, "nist", t, read_nist);
    read_list(&f, "witnesses", t, read_witness);
    read_quorum(&f, t);
    json_decref(doc);
    if (f.err) {
        vb_trust_free(t);
        return f.err;
    }
    *out = t;
    return VB_OK;
}

void vb_trust_free(vb_trust *t) {
    if (!t) {
        return;
    }
    for (size_t i = 0; i < t->n_theta; i++) {
        free(t->theta[i].validators);
    }
    free(t->server_keys);
    free(t->beacons);
    free(t->drand);
    free(t->theta);
    free(t->ethereum);
    free(t->nist_certificates);
    free(t->witnesses);
    free(t);
}

const vb_drand_chain *vb_trust_drand(const vb_trust *t, const uint8_t hash[32]) {
    for (size_t i = 0; i < t->n_drand; i++) {
        if (memcmp(t->drand[i].hash, hash, sizeof t->drand[i].hash) == 0) {
            return &t->drand[i];
        }
    }
    return NULL;
}

const vb_drand_chain *vb_trust_drand_named(const vb_trust *t, const char *beacon_id) {
    for (size_t i = 0; i < t->n_drand; i++) {
        if (strcmp(t->drand[i].beacon_id, beacon_id) == 0) {
            return &t->drand[i];
        }
    }
    return NULL;
}

bool vb_trust_accepts_beacon(const vb_trust *t, const char *id) {
    const char *kind = vb_beacon_kind_name(vb_beacon_kind_of_id(id));
    size_t n = strlen(kind);
    if (t->any_beacon) {
        return true;
    }
    for (size_t i = 0; i < t->n_beacons; i++) {
        const char *b = t->beacons[i];
        if (strcmp(b, id) == 0 || (strncmp(b, kind, n) == 0 && strcmp(b + n, ":*") == 0)) {
            return true;
        }
    }
    return false;
}

const vb_trust_key *vb_trust_server_key(const vb_trust *t, const uint8_t key[32]) {
    for (size_t i = 0; i < t->n_server_keys; i++) {
        if (memcmp(t->server_keys[i].key, key, sizeof t->server_keys[i].key) == 0) {
            return &t->server_keys[i];
        }
    }
    return NULL;
}

const vb_trust_witness *vb_trust_witness_of_key(const vb_trust *t, const uint8_t key[32]) {
    for (size_t i = 0; i < t->n_witnesses; i++) {
        if (memcmp(t->witnesses[i].key, key, sizeof t->witnesses[i].key) == 0) {
            return &t->witnesses[i];
        }
    }
    return NULL;
}
