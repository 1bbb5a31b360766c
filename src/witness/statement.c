#include "witness/statement.h"

#include <stdio.h>
#include <string.h>

#include "chain/registry.h"
#include "receipt/build.h"
#include "receipt/parts.h"
#include "json/json.h"

enum { INDEX_BITS = 40 };

#define DRAWN_AT_S_MAX (VB_ISSUED_AT_MS_MAX / 1000)

static const char *const names[] = {
    "answer_sha256", "attestations",  "commitment",  "drawn_at_s", "engine",
    "format",        "judged_at_ms",  "level",       "log",        "model_sha256",
    "reason",        "record_sha256", "sequence",    "server_key", "signature",
    "verdict",       "witness",       "witness_key", NULL};
static const char *const attestation_names[] = {"chain_id", "registry", "signature", "signer",
                                                NULL};
static const char *const engine_names[] = {"tier", "version", NULL};
static const char *const log_names[] = {"index", "origin", NULL};

/* Claims */

/* As contracts have it, so that attestations and statements say the same. */
vb_err vb_claim_of_receipt(const vb_receipt *r, const vb_trust *trust, vb_claim *out, vb_error *e) {
    VB_ASSERT(r->n_outputs >= 1);
    vb_chain_verdict v;
    vb_err err = vb_chain_claim(r, trust, &v, e);
    if (err) {
        return err;
    }
    if (v.drawn_at_s > DRAWN_AT_S_MAX) {
        return vb_fail(e, VB_EFORMAT, "the round's time is past the year 9999");
    }
    vb_claim c = {.sequence = r->request.sequence, .drawn_at_s = v.drawn_at_s};
    memcpy(c.record, v.record, sizeof c.record);
    memcpy(c.commitment, v.commitment, sizeof c.commitment);
    memcpy(c.model, v.model, sizeof c.model);
    memcpy(c.answer, v.answer, sizeof c.answer);
    memcpy(c.server_key, r->request.server_key, sizeof c.server_key);
    *out = c;
    return VB_OK;
}

/* Writing */

static json_t *attestations_tree(vb_build *b, const vb_statement *s) {
    json_t *list = json_array();
    for (size_t i = 0; i < s->n_attestations; i++) {
        const vb_statement_attestation *a = &s->attestations[i];
        char hex[2 * sizeof a->signature + 1];
        json_t *o = json_object();
        vb_hex_encode(a->signature, sizeof a->signature, hex);
        vb_build_put(b, o, "chain_id", vb_build_decimal(a->registry.chain_id));
        vb_build_put(b, o, "registry",
                     vb_build_hex(a->registry.address, sizeof a->registry.address));
        vb_build_put(b, o, "signature", json_string(hex));
        vb_build_put(b, o, "signer", vb_build_hex(a->signer, sizeof a->signer));
        vb_build_push(b, list, "attestations", o);
    }
    return list;
}

static void put_claim(vb_build *b, json_t *o, const vb_claim *c) {
    vb_build_put(b, o, "answer_sha256", vb_build_hex(c->answer, sizeof c->answer));
    vb_build_put(b, o, "commitment", vb_build_hex(c->commitment, sizeof c->commitment));
    vb_build_put(b, o, "drawn_at_s", vb_build_decimal(c->drawn_at_s));
    vb_build_put(b, o, "model_sha256", vb_build_hex(c->model, sizeof c->model));
    vb_build_put(b, o, "record_sha256", vb_build_hex(c->record, sizeof c->record));
    vb_build_put(b, o, "sequence", vb_build_decimal(c->sequence));
    vb_build_put(b, o, "server_key", vb_build_hex(c->server_key, sizeof c->server_key));
}

static json_t *log_tree(vb_build *b, const vb_statement *s) {
    if (!s->in_log) {
        return json_null();
    }
    json_t *o = json_object();
    vb_build_put(b, o, "index", vb_build_decimal(s->index));
    vb_build_put(b, o, "origin", json_string(s->origin));
    return o;
}

/* Appends the statement, as it is signed or as it is sent. */
static vb_err write_statement(const vb_statement *s, bool with_signature, vb_buf *out,
                              vb_error *e) {
    vb_build b = {VB_OK, e};
    json_t *o = json_object(), *engine = json_object();
    VB_ASSERT(s->n_attestations <= VB_STATEMENT_ATTESTATIONS_MAX);
    vb_build_put(&b, engine, "tier", json_string(s->engine_tier));
    vb_build_put(&b, engine, "version", json_string(s->engine_version));
    put_claim(&b, o, &s->claim);
    vb_build_put(&b, o, "attestations", attestations_tree(&b, s));
    vb_build_put(&b, o, "engine", engine);
    vb_build_put(&b, o, "format", json_string(VB_STATEMENT_FORMAT));
    vb_build_put(&b, o, "judged_at_ms", vb_build_decimal(s->judged_at_ms));
    vb_build_put(&b, o, "level", json_string(vb_level_name(s->level)));
    vb_build_put(&b, o, "log", log_tree(&b, s));
    vb_build_put(&b, o, "reason", s->reason[0] ? json_string(s->reason) : json_null());
    vb_build_put(&b, o, "verdict", json_string(vb_verdict_name(s->verdict)));
    vb_build_put(&b, o, "witness", json_string(s->witness));
    vb_build_put(&b, o, "witness_key", vb_build_hex(s->witness_key, sizeof s->witness_key));
    if (with_signature) {
        vb_build_put(&b, o, "signature", vb_build_hex(s->signature, sizeof s->signature));
    }
    return vb_build_write(&b, o, out);
}

/* What witness_key signs. */
static vb_err statement_digest(const vb_statement *s, uint8_t out[VB_SHA256_BYTES], vb_error *e) {
    static const char tag[] = "verbatim.statement.v1\n";
    vb_buf bytes = vb_buf_make(VB_STATEMENT_BYTES_MAX);
    vb_err err = write_statement(s, false, &bytes, e);
    if (!err) {
        vb_sha256 h;
        vb_sha256_begin(&h);
        vb_sha256_update(&h, tag, sizeof tag - 1);
        vb_sha256_update(&h, bytes.data, bytes.len);
        vb_sha256_end(&h, out);
    }
    vb_buf_free(&bytes);
    return err;
}

static vb_chain_outcome outcome_of(vb_verdict v) {
    return v == VB_VERDICT_VERIFIED  ? VB_CHAIN_VERIFIED
           : v == VB_VERDICT_REFUTED ? VB_CHAIN_REFUTED
                                     : VB_CHAIN_UNVERIFIABLE;
}

static vb_chain_level chain_level_of(vb_level l) {
    VB_ASSERT(l == VB_LEVEL_RECEIPT || l == VB_LEVEL_SAMPLE || l == VB_LEVEL_FULL);
    return l == VB_LEVEL_FULL     ? VB_CHAIN_LEVEL_FULL
           : l == VB_LEVEL_SAMPLE ? VB_CHAIN_LEVEL_SAMPLE
                                  : VB_CHAIN_LEVEL_RECEIPT;
}

/* What an attestation of this statement signs. */
static void attested_digest(const vb_statement *s, const vb_chain_registry *registry,
                            uint8_t out[VB_KECCAK256_BYTES]) {
    vb_chain_verdict v = {.drawn_at_s = s->claim.drawn_at_s,
                          .outcome = outcome_of(s->verdict),
                          .level = chain_level_of(s->level),
                          .judged_at_s = s->judged_at_ms / 1000};
    memcpy(v.record, s->claim.record, sizeof v.record);
    memcpy(v.commitment, s->claim.commitment, sizeof v.commitment);
    memcpy(v.model, s->claim.model, sizeof v.model);
    memcpy(v.answer, s->claim.answer, sizeof v.answer);
    vb_chain_verdict_digest(&v, registry, out);
}

/* The order of attestations. */
static int compare_registries(const vb_chain_registry *a, const vb_chain_registry *b) {
    if (a->chain_id != b->chain_id) {
        return a->chain_id < b->chain_id ? -1 : 1;
    }
    return memcmp(a->address, b->address, sizeof a->address);
}

vb_err vb_statement_attest(vb_statement *s, const vb_chain_registry *registry,
                           const vb_eth_key *key, vb_error *e) {
    uint8_t digest[VB_KECCAK256_BYTES], signature[VB_SECP256K1_SIGNATURE_BYTES];
    vb_statement_attestation a = {.registry = *registry};
    size_t at = 0;
    if (s->n_attestations == VB_STATEMENT_ATTESTATIONS_MAX) {
        return vb_fail(e, VB_ELIMIT, "more than %u attestations", VB_STATEMENT_ATTESTATIONS_MAX);
    }
    while (at < s->n_attestations &&
           compare_registries(&s->attestations[at].registry, registry) < 0) {
        at++;
    }
    if (registry->chain_id == 0) {
        return vb_fail(e, VB_EINVAL, "chain_id: expected 1 or more");
    }
    if (at < s->n_attestations &&
        compare_registries(&s->attestations[at].registry, registry) == 0) {
        return vb_fail(e, VB_EINVAL, "the registry has an attestation already");
    }
    attested_digest(s, registry, digest);
    vb_err err = vb_eth_key_sign(key, digest, signature, e);
    if (err) {
        return err;
    }
    vb_chain_verdict_signature(signature, a.signature);
    vb_eth_key_address(key, a.signer);
    memmove(&s->attestations[at + 1], &s->attestations[at], (s->n_attestations - at) * sizeof a);
    s->attestations[at] = a;
    s->n_attestations++;
    return VB_OK;
}

vb_err vb_statement_sign(vb_statement *s, const vb_ed25519_key *key, vb_error *e) {
    uint8_t digest[VB_SHA256_BYTES];
    vb_ed25519_public(key, s->witness_key);
    vb_err err = statement_digest(s, digest, e);
    return err ? err : vb_ed25519_sign(key, digest, sizeof digest, s->signature, e);
}

vb_err vb_statement_encode(const vb_statement *s, vb_buf *out, vb_error *e) {
    vb_buf bytes = vb_buf_make(VB_STATEMENT_BYTES_MAX);
    vb_statement back;
    vb_err err = write_statement(s, true, &bytes, e);
    if (!err) {
        err = vb_statement_decode(bytes.data, bytes.len, &back, e);
    }
    if (!err) {
        err = vb_build_copy(&bytes, out, e);
    }
    vb_buf_free(&bytes);
    return err;
}

/* Reading */

/* A name of a witness or a log: what can stand in a verifier key. */
static void read_key_name(vb_fields *f, const char *name, char out[VB_TLOG_ORIGIN_BYTES_MAX + 1]) {
    static const uint8_t any_key[VB_ED25519_PUBLIC_BYTES];
    vb_tlog_key key;
    vb_field_name(f, name, 1, out, VB_TLOG_ORIGIN_BYTES_MAX + 1);
    if (!f->err && vb_tlog_key_make(out, VB_TLOG_SIGNER_WITNESS, any_key, &key, NULL)) {
        vb_field_fail(f, VB_EFORMAT, name,
                      "expected a name without spaces, + and control characters");
    }
}

static void read_verdict(vb_fields *f, vb_statement *s) {
    char verdict[16], level[16];
    int v = VB_VERDICT_UNVERIFIABLE, l = VB_LEVEL_RECEIPT;
    vb_field_name(f, "verdict", 1, verdict, sizeof verdict);
    vb_field_name(f, "level", 1, level, sizeof level);
    vb_field_name_or_null(f, "reason", s->reason, sizeof s->reason);
    if (f->err) {
        return;
    }
    while (v <= VB_VERDICT_VERIFIED && strcmp(verdict, vb_verdict_name((vb_verdict)v)) != 0) {
        v++;
    }
    while (l <= VB_LEVEL_FULL && strcmp(level, vb_level_name((vb_level)l)) != 0) {
        l++;
    }
    if (v > VB_VERDICT_VERIFIED) {
        vb_field_fail(f, VB_EFORMAT, "verdict", "expected VERIFIED, REFUTED or UNVERIFIABLE");
    } else if (l > VB_LEVEL_FULL) {
        vb_field_fail(f, VB_EFORMAT, "level", "expected receipt, sample or full");
    } else if (vb_field_is_null(f, "reason") != (v == VB_VERDICT_VERIFIED)) {
        vb_field_fail(f, VB_EFORMAT, "reason", "expected null exactly with VERIFIED");
    } else if (v != VB_VERDICT_VERIFIED && !s->reason[0]) {
        vb_field_fail(f, VB_EFORMAT, "reason", "expected 1 .. %d bytes",
                      VB_STATEMENT_REASON_BYTES_MAX);
    } else {
        s->verdict = (vb_verdict)v;
        s->level = (vb_level)l;
    }
}

/* r, s, v as contracts take them: of the two signatures with one meaning the one with the lower s.
 */
static bool is_contract_signature(const uint8_t signature[VB_SECP256K1_SIGNATURE_BYTES]) {
    static const uint8_t half_of_order[32] = {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                              0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                              0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d,
                                              0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0};
    const uint8_t v = signature[VB_SECP256K1_SIGNATURE_BYTES - 1];
    return (v == 27 || v == 28) && memcmp(signature + 32, half_of_order, sizeof half_of_order) <= 0;
}

static vb_err read_attestation(const json_t *value, size_t i, vb_statement *s, vb_error *e) {
    char path[VB_FIELD_PATH_BYTES];
    vb_statement_attestation *a = &s->attestations[i];
    snprintf(path, sizeof path, "attestations[%zu]", i);
    vb_fields f = vb_fields_open(value, path, attestation_names, e);
    vb_field_decimal(&f, "chain_id", 1, UINT64_MAX, &a->registry.chain_id);
    vb_field_hex(&f, "registry", a->registry.address, sizeof a->registry.address);
    vb_field_hex(&f, "signature", a->signature, sizeof a->signature);
    vb_field_hex(&f, "signer", a->signer, sizeof a->signer);
    if (!f.err && !is_contract_signature(a->signature)) {
        vb_field_fail(&f, VB_EFORMAT, "signature",
                      "expected s in the lower half of the order and v of 27 or 28");
    }
    if (!f.err && i > 0 && compare_registries(&a[-1].registry, &a->registry) >= 0) {
        vb_field_fail(&f, VB_EFORMAT, "registry", "expected ascending chains and registries");
    }
    return f.err;
}

static void read_attestations(vb_fields *f, vb_statement *s) {
    const json_t *list = vb_field_array(f, "attestations", 0, VB_STATEMENT_ATTESTATIONS_MAX);
    const size_t n = json_array_size(list);
    for (size_t i = 0; i < n && !f->err; i++) {
        f->err = read_attestation(json_array_get(list, i), i, s, f->e);
        s->n_attestations += !f->err;
    }
}

static void read_claim(vb_fields *f, vb_claim *c) {
    vb_field_hex(f, "answer_sha256", c->answer, sizeof c->answer);
    vb_field_hex(f, "commitment", c->commitment, sizeof c->commitment);
    vb_field_decimal(f, "drawn_at_s", 0, DRAWN_AT_S_MAX, &c->drawn_at_s);
    vb_field_hex(f, "model_sha256", c->model, sizeof c->model);
    vb_field_hex(f, "record_sha256", c->record, sizeof c->record);
    vb_field_decimal(f, "sequence", 1, UINT64_MAX, &c->sequence);
    vb_field_hex(f, "server_key", c->server_key, sizeof c->server_key);
}

static void read_log(vb_fields *f, vb_statement *s) {
    if (f->err || vb_field_is_null(f, "log")) {
        return;
    }
    vb_fields log = vb_fields_member(f, "log", log_names);
    vb_field_decimal(&log, "index", 0, ((uint64_t)1 << INDEX_BITS) - 1, &s->index);
    read_key_name(&log, "origin", s->origin);
    s->in_log = true;
    f->err = log.err;
}

static vb_err read_statement(const json_t *json, vb_statement *s, vb_error *e) {
    vb_err err = vb_read_format(json, VB_STATEMENT_FORMAT, e);
    if (err) {
        return err;
    }
    vb_fields f = vb_fields_open(json, "", names, e);
    read_claim(&f, &s->claim);
    read_verdict(&f, s);
    vb_field_decimal(&f, "judged_at_ms", 0, VB_ISSUED_AT_MS_MAX, &s->judged_at_ms);
    read_key_name(&f, "witness", s->witness);
    vb_field_hex(&f, "witness_key", s->witness_key, sizeof s->witness_key);
    vb_field_hex(&f, "signature", s->signature, sizeof s->signature);
    read_log(&f, s);
    read_attestations(&f, s);
    if (f.err) {
        return f.err;
    }
    vb_fields engine = vb_fields_member(&f, "engine", engine_names);
    vb_field_name(&engine, "tier", 1, s->engine_tier, sizeof s->engine_tier);
    vb_field_name(&engine, "version", 1, s->engine_version, sizeof s->engine_version);
    return engine.err;
}

vb_err vb_statement_decode(const void *bytes, size_t n_bytes, vb_statement *out, vb_error *e) {
    json_t *json;
    memset(out, 0, sizeof *out);
    if (n_bytes > VB_STATEMENT_BYTES_MAX) {
        return vb_fail(e, VB_ELIMIT, "%zu bytes; a statement has at most %u", n_bytes,
                       VB_STATEMENT_BYTES_MAX);
    }
    vb_err err = vb_json_parse(bytes, n_bytes, &json, e);
    if (err) {
        return err;
    }
    err = read_statement(json, out, e);
    json_decref(json);
    if (err) {
        memset(out, 0, sizeof *out);
    }
    return err;
}

/* Checking */

static vb_err check_attestation(const vb_statement *s, size_t i, vb_error *e) {
    const vb_statement_attestation *a = &s->attestations[i];
    uint8_t digest[VB_KECCAK256_BYTES], signature[VB_SECP256K1_SIGNATURE_BYTES];
    uint8_t signer[VB_ETH_ADDRESS_BYTES];
    attested_digest(s, &a->registry, digest);
    memcpy(signature, a->signature, sizeof signature);
    signature[sizeof signature - 1] -= 27;
    vb_err err = vb_secp256k1_recover(digest, signature, signer, e);
    if (err == VB_EFORMAT) { /* the length is fixed here: no signature, so nobody's */
        err = VB_EMISMATCH;
    }
    if (!err && memcmp(signer, a->signer, sizeof signer) != 0) {
        err = vb_fail(e, VB_EMISMATCH, "another account than signer signed");
    }
    return err ? vb_fail_in(e, err, "attestations[%zu].signature", i) : VB_OK;
}

vb_err vb_statement_check(const vb_statement *s, vb_error *e) {
    uint8_t digest[VB_SHA256_BYTES];
    vb_err err = statement_digest(s, digest, e);
    if (err) {
        return err;
    }
    err = vb_ed25519_verify(s->witness_key, sizeof s->witness_key, digest, sizeof digest,
                            s->signature, sizeof s->signature, e);
    if (err == VB_EFORMAT) { /* lengths are fixed here: the key is not one, and signs nothing */
        err = VB_EMISMATCH;
    }
    if (err) {
        return vb_fail_in(e, err, "signature");
    }
    for (size_t i = 0; i < s->n_attestations && !err; i++) {
        err = check_attestation(s, i, e);
    }
    return err;
}

/* The first member of two claims that differs but the round's time; NULL: none. */
static const char *claim_difference(const vb_claim *a, const vb_claim *b) {
    if (memcmp(a->record, b->record, sizeof a->record) != 0) {
        return "record_sha256";
    }
    if (memcmp(a->commitment, b->commitment, sizeof a->commitment) != 0) {
        return "commitment";
    }
    if (memcmp(a->model, b->model, sizeof a->model) != 0) {
        return "model_sha256";
    }
    if (memcmp(a->answer, b->answer, sizeof a->answer) != 0) {
        return "answer_sha256";
    }
    if (memcmp(a->server_key, b->server_key, sizeof a->server_key) != 0) {
        return "server_key";
    }
    return a->sequence != b->sequence ? "sequence" : NULL;
}

vb_err vb_statement_match(const vb_statement *s, const vb_claim *c, vb_error *e) {
    const char *other = claim_difference(&s->claim, c);
    /* Only a genuine round has a time, and only VERIFIED says that it is genuine. */
    if (!other && s->verdict == VB_VERDICT_VERIFIED && s->claim.drawn_at_s != c->drawn_at_s) {
        other = "drawn_at_s";
    }
    return other ? vb_fail(e, VB_EMISMATCH, "%s is not the receipt's", other) : VB_OK;
}

/* REFUTED for its signature is said of the bytes that the witness was given: the signature is no
 * part of what record_sha256 is the digest of. */
static bool speaks_of_record(const vb_statement *s) {
    return s->verdict == VB_VERDICT_VERIFIED ||
           (s->verdict == VB_VERDICT_REFUTED && strcmp(s->reason, "signature") != 0);
}

bool vb_statements_conflict(const vb_statement *a, const vb_statement *b) {
    if (memcmp(a->witness_key, b->witness_key, sizeof a->witness_key) != 0 ||
        memcmp(a->claim.record, b->claim.record, sizeof a->claim.record) != 0 ||
        !speaks_of_record(a) || !speaks_of_record(b)) {
        return false;
    }
    return a->verdict != b->verdict || claim_difference(&a->claim, &b->claim) ||
           (a->verdict == VB_VERDICT_VERIFIED && a->claim.drawn_at_s != b->claim.drawn_at_s);
}
