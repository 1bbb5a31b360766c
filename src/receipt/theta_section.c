#include "receipt/theta_section.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "beacon/proof.h"
#include "json/jcs.h"
#include "json/json.h"

typedef struct theta_block {
    char hash[2 + 2 * VB_SHA256_BYTES + 1]; /* "0x" and hex: as Theta prints it */
    uint64_t height, timestamp;
} theta_block;

static vb_err read_block(const vb_beacon_round *b, theta_block *out, vb_error *e) {
    uint8_t hash[VB_SHA256_BYTES];
    json_t *proof;
    vb_err err = vb_proof_open(b, VB_SHA256_BYTES, &proof, e);
    if (err) {
        return err;
    }
    vb_fields f = vb_fields_foreign(proof, "beacon.proof", e);
    vb_field_hex(&f, "hash", hash, sizeof hash);
    vb_field_decimal(&f, "timestamp", 0, UINT64_MAX, &out->timestamp);
    if (!f.err) {
        memcpy(out->hash, "0x", 2);
        vb_hex_encode(hash, sizeof hash, out->hash + 2);
        out->height = b->round;
    }
    json_decref(proof);
    return f.err;
}

/* spec/beacons.md, section 4: who compares the section's seed with its block must find them equal.
 */
static vb_err check_randomness(const vb_beacon_round *b, const theta_block *block, vb_error *e) {
    uint8_t digest[VB_SHA256_BYTES];
    char text[128];
    int n = snprintf(text, sizeof text, "%s%" PRIu64 "%" PRIu64, block->hash, block->height,
                     block->timestamp);
    VB_ASSERT(n > 0 && (size_t)n < sizeof text);
    vb_sha256_of(text, (size_t)n, digest);
    if (memcmp(digest, b->randomness, sizeof digest) != 0) {
        return vb_fail(e, VB_EMISMATCH, "beacon.randomness is not that of the proof's block");
    }
    return VB_OK;
}

static vb_err append_real(const char *name, double x, vb_buf *out) {
    char text[VB_JCS_NUMBER_BYTES];
    vb_jcs_number(x, text);
    return vb_buf_printf(out, ",\"%s\":%s", name, text);
}

static vb_err append_stop(const vb_receipt_request *q, vb_buf *out) {
    json_t *a = json_array();
    vb_err err = a ? VB_OK : VB_ENOMEM;
    for (size_t i = 0; i < q->n_stop_strings && !err; i++) {
        const vb_text *t = &q->stop_strings[i];
        err = json_array_append_new(a, json_stringn(t->p ? t->p : "", t->len)) ? VB_ENOMEM : VB_OK;
    }
    if (!err) {
        err = vb_buf_append(out, ",\"stop\":", 8);
    }
    if (!err) {
        err = vb_jcs_append(a, out, NULL);
    }
    json_decref(a);
    return err;
}

static vb_err append_params(const vb_receipt_request *q, uint32_t seed, vb_buf *out) {
    const vb_sampling *s = &q->sampling;
    const double one = 4294967296.0; /* of the 32-bit fixed point */
    const struct {
        const char *name;
        double value;
    } reals[] = {
        {"temperature", (double)s->temperature},
        {"top_p", (double)s->top_p / one},
        {"top_k", (double)s->top_k},
        {"min_p", (double)s->min_p / one},
        {"presence_penalty", (double)s->presence_penalty},
        {"frequency_penalty", (double)s->frequency_penalty},
        {"repetition_penalty", (double)s->repetition_penalty},
        {"max_tokens", (double)q->max_tokens},
    };
    vb_err err = vb_buf_printf(out, "{\"seed\":%" PRIu32, seed);
    for (size_t i = 0; i < sizeof reals / sizeof reals[0] && !err; i++) {
        err = append_real(reals[i].name, reals[i].value, out);
    }
    if (!err) {
        err = append_stop(q, out);
    }
    return err ? err : vb_buf_printf(out, ",\"n\":%" PRIu32 "}", q->n_choices);
}

static vb_err append_section(const vb_receipt *r, const char *hash_hex, const theta_block *block,
                             vb_buf *out) {
    const vb_beacon_round *b = &r->beacon;
    uint32_t seed = (uint32_t)vb_load_u64be(b->randomness + b->n_randomness - 8);
    vb_err err = vb_buf_printf(
        out, "{\"seed\":%" PRIu32 ",\"verification_hash\":\"%s\",\"sampling_params\":", seed,
        hash_hex);
    if (!err) {
        err = append_params(&r->request, seed, out);
    }
    if (!err) {
        err = vb_buf_printf(out,
                            ",\"block\":{\"hash\":\"%s\",\"height\":\"%" PRIu64
                            "\",\"timestamp\":\"%" PRIu64 "\"}}",
                            block->hash, block->height, block->timestamp);
    }
    return err;
}

vb_err vb_theta_section_append(const vb_receipt *r,
                               const uint8_t verification_hash[VB_SHA256_BYTES], vb_buf *out,
                               vb_error *e) {
    char hash_hex[2 * VB_SHA256_BYTES + 1];
    theta_block block;
    if (!r->has_beacon || vb_beacon_kind_of_id(r->beacon.id) != VB_BEACON_THETA) {
        return vb_fail(e, VB_EINVAL, "theta_verified: the answer's beacon is not of kind theta");
    }
    vb_err err = read_block(&r->beacon, &block, e);
    if (!err) {
        err = check_randomness(&r->beacon, &block, e);
    }
    if (err) {
        return vb_fail_in(e, err, "theta_verified");
    }
    vb_hex_encode(verification_hash, VB_SHA256_BYTES, hash_hex);
    vb_buf section = vb_buf_make(out->max);
    err = append_section(r, hash_hex, &block, &section);
    if (!err) {
        err = vb_buf_append(out, section.data, section.len);
    }
    vb_buf_free(&section);
    return err ? vb_fail(e, err, "theta_verified: %s",
                         err == VB_ELIMIT ? "it does not fit its buffer" : "no memory to write it")
               : VB_OK;
}
