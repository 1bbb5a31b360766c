/*
 * Evidence from hostile bytes: decoding never crashes, what it accepts is given back byte for byte,
 * and is judged. Paths and notes of a mutant no longer fit, so what it shows is also put under a
 * checkpoint that is genuine: then whoever is convicted has broken the rule that is named.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "tlog/evidence.h"
#include "json/jcs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

static vb_ed25519_key *signer(void) {
    static vb_ed25519_key *key;
    uint8_t seed[VB_ED25519_SEED_BYTES];
    for (size_t i = 0; i < sizeof seed; i++) {
        seed[i] = (uint8_t)i;
    }
    require(key || vb_ed25519_from_seed(seed, &key, NULL) == VB_OK);
    return key;
}

static void judge(const vb_tlog_evidence *ev) {
    vb_tlog_finding found;
    vb_error e = {0};
    if (vb_tlog_evidence_check(ev, &found, &e)) {
        require(e.msg[0] != 0);
        return;
    }
    require(found.charge == ev->charge && found.text[0] != 0);
    require((found.offence.rule != VB_TLOG_RULE_NONE) == (ev->charge == VB_TLOG_CHARGE_ENTRIES));
}

enum { SHOWN_MAX = 16 };

typedef struct leaves {
    vb_tlog_hash hash[5][SHOWN_MAX]; /* [level][index] */
} leaves;

static void keep(void *user, unsigned level, uint64_t index, const vb_tlog_hash *hash) {
    ((leaves *)user)->hash[level][index] = *hash;
}

static vb_err give(void *user, unsigned level, uint64_t index, vb_tlog_hash *out, vb_error *e) {
    (void)e;
    *out = ((leaves *)user)->hash[level][index];
    return VB_OK;
}

/* The entries as a log of their own. */
static void place(vb_tlog_evidence *ev) {
    vb_tlog_range r;
    vb_tlog_hash leaf;
    leaves l;
    uint8_t public_key[VB_ED25519_PUBLIC_BYTES];
    vb_tlog_checkpoint c = {.origin = "log.example/verbatim", .size = ev->n_entries};
    vb_tlog_range_begin(&r);
    for (size_t i = 0; i < ev->n_entries; i++) {
        vb_tlog_leaf_hash(ev->entries[i].entry.data, ev->entries[i].entry.len, &leaf);
        require(vb_tlog_range_add(&r, &leaf, keep, &l, NULL) == VB_OK);
    }
    vb_tlog_range_root(&r, &c.root);
    for (size_t i = 0; i < ev->n_entries; i++) {
        vb_tlog_shown *s = &ev->entries[i];
        free(s->path);
        s->path = malloc(VB_TLOG_PATH_MAX * sizeof *s->path);
        require(s->path != NULL);
        s->index = i;
        require(vb_tlog_prove(i, r.size, give, &l, s->path, &s->n_path, NULL) == VB_OK);
    }
    vb_ed25519_public(signer(), public_key);
    require(vb_tlog_key_make(c.origin, VB_TLOG_SIGNER_LOG, public_key, &ev->key, NULL) == VB_OK);
    ev->notes[0].len = 0;
    require(vb_tlog_checkpoint_sign(&c, signer(), &ev->notes[0], NULL) == VB_OK);
}

static void decode(const void *bytes, size_t n) {
    vb_tlog_evidence ev;
    vb_error e = {0};
    if (vb_tlog_evidence_decode(bytes, n, &ev, &e)) {
        require(e.msg[0] != 0 && !ev.entries && !ev.record.data);
        return;
    }
    vb_buf b = vb_buf_make(VB_TLOG_EVIDENCE_BYTES_MAX);
    require(vb_tlog_evidence_encode(&ev, &b, &e) == VB_OK);
    require(b.len == n && memcmp(b.data, bytes, n) == 0);
    vb_buf_free(&b);
    judge(&ev);
    if (ev.n_entries > 0 && ev.n_entries <= SHOWN_MAX) {
        place(&ev);
        judge(&ev);
    }
    vb_tlog_evidence_free(&ev);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    decode(data, size);
    json_t *loose =
        size <= 1 << 16 ? json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL) : NULL;
    if (loose) {
        vb_buf b = vb_buf_make(VB_TLOG_EVIDENCE_BYTES_MAX);
        if (vb_jcs_append(loose, &b, NULL) == VB_OK) {
            decode(b.data, b.len);
        }
        vb_buf_free(&b);
        json_decref(loose);
    }
    return 0;
}
