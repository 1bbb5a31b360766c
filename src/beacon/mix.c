#include "beacon/mix.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "beacon/proof.h"
#include "beacon/round.h"
#include "crypto/sha256.h"

static const char domain[] = "verbatim.beacon.mix.v1\n";
static const char *const proof_names[] = {"parts", NULL};
static const char *const part_names[] = {"proof", "randomness", "round", NULL};

vb_err vb_mix_split(const char *id, vb_mix_ids *out, vb_error *e) {
    vb_mix_ids ids = {.n = 0};
    const char *p = vb_proof_chain(id, VB_BEACON_MIX);
    if (!p) {
        return vb_fail(e, VB_EFORMAT, "beacon id: expected mix:<id>+<id>, found %s", id);
    }
    for (bool more = true; more; ids.n++) {
        size_t n = strcspn(p, "+");
        if (ids.n == VB_MIX_PARTS_MAX || n > VB_BEACON_ID_BYTES_MAX) {
            return vb_fail(e, VB_EFORMAT,
                           "beacon id: a mix has two to %u parts of at most %u bytes",
                           VB_MIX_PARTS_MAX, VB_BEACON_ID_BYTES_MAX);
        }
        char *part = ids.id[ids.n];
        memcpy(part, p, n);
        part[n] = 0;
        vb_beacon_kind kind = vb_beacon_kind_of_id(part);
        if (kind == VB_BEACON_MIX || kind == VB_BEACON_LOCAL || !strchr(part, ':')) {
            return vb_fail(e, VB_EFORMAT, "beacon id: %s can not be a part of a mix",
                           part[0] ? part : "nothing");
        }
        if (ids.n && strcmp(ids.id[ids.n - 1], part) >= 0) {
            return vb_fail(e, VB_EFORMAT,
                           "beacon id: the parts of a mix stand in ascending order, each once");
        }
        more = p[n] == '+';
        p += n + more;
    }
    if (ids.n < 2) {
        return vb_fail(e, VB_EFORMAT, "beacon id: a mix has at least two parts, joined by +");
    }
    *out = ids;
    return VB_OK;
}

static void mix_randomness(const vb_beacon_round *parts, size_t n, uint8_t out[VB_SHA256_BYTES]) {
    vb_sha256 s;
    vb_sha256_begin(&s);
    vb_sha256_update(&s, domain, sizeof domain - 1);
    for (size_t i = 0; i < n; i++) {
        vb_sha256_update(&s, parts[i].id, strlen(parts[i].id) + 1); /* with its zero byte */
        vb_sha256_u64be(&s, parts[i].round);
        vb_sha256_u32be(&s, (uint32_t)parts[i].n_randomness);
        vb_sha256_update(&s, parts[i].randomness, parts[i].n_randomness);
    }
    vb_sha256_end(&s, out);
}

/* Puts {"parts":[...]} into r. */
static vb_err set_proof(vb_beacon_round *r, const vb_beacon_round *parts, size_t n, vb_error *e) {
    json_t *array = json_array(), *proof = json_object();
    vb_err err = VB_OK;
    if (!array || !proof || json_object_set(proof, "parts", array)) {
        err = vb_fail(e, VB_ENOMEM, "no memory for the proof of a mix");
    }
    for (size_t i = 0; i < n && !err; i++) {
        json_t *part = NULL;
        err = vb_beacon_round_members(&parts[i], &part, e);
        if (!err && json_array_append_new(array, part)) {
            err = vb_fail(e, VB_ENOMEM, "no memory for part %s of a mix", parts[i].id);
        }
    }
    if (!err) {
        err = vb_proof_set(r, proof, e);
    }
    json_decref(array);
    json_decref(proof);
    return err;
}

vb_err vb_mix_round(const char *id, const vb_beacon_round *parts, size_t n, vb_beacon_round *out,
                    vb_error *e) {
    vb_mix_ids ids;
    vb_err err = vb_mix_split(id, &ids, e);
    if (err) {
        return err;
    }
    if (strlen(id) > VB_BEACON_ID_BYTES_MAX) {
        return vb_fail(e, VB_ELIMIT, "beacon id: more than %u bytes", VB_BEACON_ID_BYTES_MAX);
    }
    if (n != ids.n) {
        return vb_fail(e, VB_EINVAL, "a mix of %zu rounds, whose id names %zu", n, ids.n);
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(parts[i].id, ids.id[i]) != 0) {
            return vb_fail(e, VB_EINVAL, "part %zu of a mix is of %s, the id names %s", i,
                           parts[i].id, ids.id[i]);
        }
    }
    vb_beacon_round r = {.round = parts[0].round, .n_randomness = VB_SHA256_BYTES};
    err = set_proof(&r, parts, n, e);
    if (err) {
        return err;
    }
    memcpy(r.id, id, strlen(id) + 1);
    mix_randomness(parts, n, r.randomness);
    *out = r;
    return VB_OK;
}

static vb_err read_parts(const vb_beacon_round *r, const vb_mix_ids *ids,
                         vb_beacon_round parts[VB_MIX_PARTS_MAX], vb_error *e) {
    json_t *doc = NULL;
    vb_err err = vb_proof_open(r, VB_SHA256_BYTES, &doc, e);
    if (err) {
        return err;
    }
    vb_fields f = vb_fields_open(doc, "beacon.proof", proof_names, e);
    const json_t *array = vb_field_array(&f, "parts", ids->n, ids->n);
    err = f.err;
    for (size_t i = 0; i < ids->n && !err; i++) {
        char path[64];
        snprintf(path, sizeof path, "beacon.proof.parts[%zu]", i);
        vb_fields part = vb_fields_open(json_array_get(array, i), path, part_names, e);
        memcpy(parts[i].id, ids->id[i], sizeof parts[i].id);
        vb_beacon_round_read(&part, &parts[i]);
        err = part.err;
    }
    json_decref(doc);
    return err;
}

/* How bad a part's result is for the whole: what is false stays false whatever else is unknown. */
typedef enum badness { GENUINE, UNTRUSTED, UNSUPPORTED, UNFINISHED, REFUTED } badness;

static badness badness_of(vb_err err) {
    switch (err) {
    case VB_OK: return GENUINE;
    case VB_EUNTRUSTED: return UNTRUSTED;
    case VB_EUNSUPPORTED: return UNSUPPORTED;
    case VB_EFORMAT:
    case VB_EMISMATCH: return REFUTED;
    default: return UNFINISHED;
    }
}

static void intersect(vb_beacon_window *w, const vb_beacon_window *part) {
    w->from = part->from > w->from ? part->from : w->from;
    w->to = part->to < w->to ? part->to : w->to;
    w->to = w->to < w->from ? w->from : w->to;
}

/* A part's own caveat is shorter than that: all of them fit. */
enum { PART_CAVEAT_BYTES_MAX = VB_BEACON_CAVEAT_BYTES / VB_MIX_PARTS_MAX - 16 };

static void add_caveat(vb_beacon_facts *facts, const vb_beacon_facts *part, const char *kind) {
    size_t n = strlen(facts->caveat);
    if (part->caveat[0]) {
        snprintf(facts->caveat + n, sizeof facts->caveat - n, "%s%s: %.*s", n ? "; " : "", kind,
                 PART_CAVEAT_BYTES_MAX, part->caveat);
    }
}

static vb_err verify_parts(const vb_beacon_round *parts, size_t n, const vb_trust *trust,
                           vb_beacon_facts *facts, vb_error *e) {
    const vb_beacon_window always = {0, UINT64_MAX};
    vb_beacon_facts all = {.timed = true, .next = always, .latest = always};
    vb_err worst = VB_OK;
    for (size_t i = 0; i < n && badness_of(worst) < REFUTED; i++) {
        vb_beacon_facts one;
        vb_error why = {0};
        vb_err err = vb_beacon_verify(&parts[i], trust, &one, &why);
        if (err && badness_of(err) > badness_of(worst)) {
            worst = vb_fail(e, err, "part %s: %s", parts[i].id, why.msg);
        }
        if (!err || err == VB_EUNTRUSTED) {
            all.timed = all.timed && one.timed;
            all.chosen = all.chosen || one.chosen; /* with the other parts known */
            intersect(&all.next, &one.next);
            intersect(&all.latest, &one.latest);
            add_caveat(&all, &one, vb_beacon_kind_name(vb_beacon_kind_of_id(parts[i].id)));
        }
    }
    if (!worst || worst == VB_EUNTRUSTED) {
        *facts = all;
    }
    return worst;
}

/* That the mix is the one of its parts. */
static vb_err check_sum(const vb_beacon_round *r, const vb_beacon_round *parts, size_t n,
                        vb_error *e) {
    uint8_t randomness[VB_SHA256_BYTES];
    if (r->round != parts[0].round) {
        return vb_fail(e, VB_EMISMATCH,
                       "beacon round: a mix has that of its first part, %" PRIu64
                       ", found %" PRIu64,
                       parts[0].round, r->round);
    }
    mix_randomness(parts, n, randomness);
    return memcmp(randomness, r->randomness, sizeof randomness) == 0
               ? VB_OK
               : vb_fail(e, VB_EMISMATCH, "beacon randomness: not the hash of the mix's parts");
}

vb_err vb_mix_verify(const vb_beacon_round *r, const vb_trust *trust, vb_beacon_facts *facts,
                     vb_error *e) {
    vb_mix_ids ids;
    vb_beacon_round parts[VB_MIX_PARTS_MAX] = {0};
    vb_err err = vb_mix_split(r->id, &ids, e);
    if (err) {
        return err;
    }
    err = read_parts(r, &ids, parts, e);
    if (!err) {
        err = check_sum(r, parts, ids.n, e);
    }
    if (!err) {
        err = verify_parts(parts, ids.n, trust, facts, e);
    }
    for (size_t i = 0; i < ids.n; i++) {
        vb_beacon_round_free(&parts[i]);
    }
    return err;
}
