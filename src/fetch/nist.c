/*
 * NIST's beacon, version 2: a pulse by time or by index, and the certificate that it names.
 */
#include "beacon/nist.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "beacon/proof.h"
#include "crypto/sha512.h"
#include "fetch/kind.h"

static const char *const urls[] = {"https://beacon.nist.gov/beacon/2.0"};

static vb_err name(const char *chain, const vb_trust *trust, char id[VB_BEACON_ID_BYTES_MAX + 1],
                   vb_error *e) {
    char full[VB_BEACON_ID_BYTES_MAX + 1];
    uint64_t index;
    (void)trust;
    snprintf(full, sizeof full, "nist:%s", chain ? chain : "2");
    if (vb_proof_chain_number(full, VB_BEACON_NIST, &index, e)) {
        return vb_fail(e, VB_EINVAL, "%s: expected a chain index, decimal, from 1", full);
    }
    snprintf(id, VB_BEACON_ID_BYTES_MAX + 1, "nist:%" PRIu64, index);
    return VB_OK;
}

static vb_err due(const vb_ask *a, uint64_t *due_ms, vb_error *e) {
    if (a->want.mode == VB_MODE_FIXED && a->want.round < 1) {
        return vb_fail(e, VB_EINVAL, "pulse 0 of %s: the first is 1", a->id);
    }
    *due_ms = a->want.mode == VB_MODE_FIXED ? 0 : a->want.time_ms;
    return VB_OK;
}

/* GET of a pulse; a pulse that is not there may come. */
static vb_err get_pulse(vb_ask *a, vb_err err, vb_error *e) {
    if (err && (a->status == 404 || a->status == 425)) {
        return vb_ask_not_yet(a, e, "the pulse is not published (HTTP status %ld)", a->status);
    }
    return err;
}

static vb_err by_index(vb_ask *a, uint64_t index, vb_error *e) {
    return get_pulse(
        a, vb_ask_get(a, e, "/chain/%s/pulse/%" PRIu64, a->id + strlen("nist:"), index), e);
}

static vb_err by_time(vb_ask *a, vb_error *e) {
    return get_pulse(a,
                     vb_ask_get(a, e, "/pulse/time/%s%" PRIu64,
                                a->want.mode == VB_MODE_NEXT ? "next/" : "", a->want.time_ms),
                     e);
}

/* The round of the pulse in a->answer, with its certificate. */
static vb_err read_pulse(vb_ask *a, vb_beacon_round *out, vb_error *e) {
    uint8_t certificate_id[VB_SHA512_BYTES];
    char hex[2 * VB_SHA512_BYTES + 1];
    json_t *doc = NULL;
    vb_err err = vb_ask_parse(a, &doc, e);
    if (err) {
        return err;
    }
    vb_fields f = vb_fields_foreign(doc, "", e), pulse = vb_node_object(&f, "pulse");
    vb_node_hex(&pulse, "certificateId", "", certificate_id, sizeof certificate_id);
    err = pulse.err;
    if (!err) {
        vb_hex_encode(certificate_id, sizeof certificate_id, hex);
        err = vb_ask_get(a, e, "/certificate/%s", hex);
    }
    if (!err) {
        err = vb_nist_round(a->id, doc, a->answer.data ? a->answer.data : (const uint8_t *)"",
                            a->answer.len, out, e);
    }
    json_decref(doc);
    return err;
}

/* How many pulses on from this one the wanted one is: 1, 0 or -1. Servers differ in what they take
 * for the pulse of a time between two: the one before, the one after, or the nearer one. */
static vb_err neighbour(const vb_ask *a, const vb_beacon_round *r, int *steps, vb_error *e) {
    vb_beacon_facts facts;
    vb_err err = vb_beacon_verify(r, a->trust, &facts, e);
    if (err && err != VB_EUNTRUSTED) {
        return err;
    }
    const vb_beacon_window *w = a->want.mode == VB_MODE_NEXT ? &facts.next : &facts.latest;
    *steps = a->want.time_ms < w->from ? -1 : a->want.time_ms >= w->to ? 1 : 0;
    return VB_OK;
}

static vb_err ask(vb_ask *a, vb_beacon_round *out, vb_error *e) {
    vb_beacon_round r = {.proof = NULL};
    int steps = 0;
    vb_err err = a->want.mode == VB_MODE_FIXED ? by_index(a, a->want.round, e) : by_time(a, e);
    err = err ? err : read_pulse(a, &r, e);
    if (!err && a->want.mode != VB_MODE_FIXED) {
        err = neighbour(a, &r, &steps, e);
    }
    if (!err && ((steps > 0 && r.round < UINT64_MAX) || (steps < 0 && r.round > 1))) {
        const uint64_t index = steps > 0 ? r.round + 1 : r.round - 1;
        vb_beacon_round_free(&r);
        err = by_index(a, index, e);
        err = err ? err : read_pulse(a, &r, e);
    }
    if (err) {
        vb_beacon_round_free(&r);
        return err;
    }
    *out = r;
    return VB_OK;
}

const vb_source_kind vb_kind_nist = {
    .kind = VB_BEACON_NIST,
    .answer_bytes_max = 1 << 16,
    .pause_ms_max = 5000,
    .paths = true,
    .urls = urls,
    .n_urls = sizeof urls / sizeof urls[0],
    .name = name,
    .due = due,
    .ask = ask,
};
