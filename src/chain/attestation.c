#include "chain/attestation.h"

#include <inttypes.h>
#include <string.h>

#include "chain/address.h"
#include "json/json.h"

enum { ETHEREUM_V = 27, TEXT_BYTES = 2 + 2 * VB_CHAIN_HEX_BYTES_MAX + 1 };

static const char *const members[] = {"chain_id", "digest",  "registry", "signature",
                                      "verdict",  "witness", NULL};
static const char *const verdict_members[] = {
    "answer", "commitment", "drawnAt", "judgedAt", "level", "model", "outcome", "record", NULL};

static void put_hex(vb_buf *out, const char *name, const uint8_t *bytes, size_t n, vb_err *err) {
    char hex[2 * VB_CHAIN_HEX_BYTES_MAX + 1];
    vb_hex_encode(bytes, n, hex);
    *err = *err ? *err : vb_buf_printf(out, "\"%s\":\"0x%s\",", name, hex);
}

static void put_address(vb_buf *out, const char *name, const uint8_t *address, const char *end,
                        vb_err *err) {
    char text[VB_CHAIN_ADDRESS_CHARS + 1];
    vb_chain_address_print(address, text);
    *err = *err ? *err : vb_buf_printf(out, "\"%s\":\"%s\"%s", name, text, end);
}

vb_err vb_attestation_encode(const vb_attestation *a, vb_buf *out, vb_error *e) {
    const size_t before = out->len;
    const vb_chain_verdict *v = &a->verdict;
    vb_err err = vb_buf_printf(out, "{\"chain_id\":\"%" PRIu64 "\",", a->registry.chain_id);
    put_hex(out, "digest", a->digest, sizeof a->digest, &err);
    put_address(out, "registry", a->registry.address, ",", &err);
    put_hex(out, "signature", a->signature, sizeof a->signature, &err);
    err = err ? err : vb_buf_printf(out, "\"verdict\":{");
    put_hex(out, "answer", v->answer, sizeof v->answer, &err);
    put_hex(out, "commitment", v->commitment, sizeof v->commitment, &err);
    err = err ? err
              : vb_buf_printf(
                    out, "\"drawnAt\":\"%" PRIu64 "\",\"judgedAt\":\"%" PRIu64 "\",\"level\":%d,",
                    v->drawn_at_s, v->judged_at_s, (int)v->level);
    put_hex(out, "model", v->model, sizeof v->model, &err);
    err = err ? err : vb_buf_printf(out, "\"outcome\":%d,", (int)v->outcome);
    put_hex(out, "record", v->record, sizeof v->record, &err);
    if (!err) {
        out->len--; /* the last comma */
        err = vb_buf_printf(out, "},");
    }
    put_address(out, "witness", a->witness, "}", &err);
    if (err) {
        out->len = before;
        return vb_fail(e, err, "no room for an attestation");
    }
    return VB_OK;
}

static void read_hex(vb_fields *f, const char *name, uint8_t *out, size_t n) {
    char text[TEXT_BYTES];
    vb_field_name(f, name, 1, text, sizeof text);
    if (!f->err && vb_chain_hex_parse(text, name, out, n, NULL)) {
        vb_field_fail(f, VB_EFORMAT, name, "expected 0x and %zu hex digits", 2 * n);
    }
}

static void read_address(vb_fields *f, const char *name, uint8_t out[VB_ETH_ADDRESS_BYTES]) {
    char text[TEXT_BYTES];
    vb_field_name(f, name, 1, text, sizeof text);
    if (!f->err && vb_chain_address_parse(text, name, out, NULL)) {
        vb_field_fail(f, VB_EFORMAT, name,
                      "expected an address, 0x and 40 hex digits with the capitals of EIP-55");
    }
}

static void read_verdict(vb_fields *f, vb_chain_verdict *v) {
    uint64_t outcome = 0, level = 0;
    read_hex(f, "answer", v->answer, sizeof v->answer);
    read_hex(f, "commitment", v->commitment, sizeof v->commitment);
    vb_field_decimal(f, "drawnAt", 0, UINT64_MAX, &v->drawn_at_s);
    vb_field_decimal(f, "judgedAt", 0, UINT64_MAX, &v->judged_at_s);
    vb_field_number(f, "level", VB_CHAIN_LEVEL_RECEIPT, VB_CHAIN_LEVEL_FULL, &level);
    read_hex(f, "model", v->model, sizeof v->model);
    vb_field_number(f, "outcome", VB_CHAIN_VERIFIED, VB_CHAIN_UNVERIFIABLE, &outcome);
    read_hex(f, "record", v->record, sizeof v->record);
    v->level = (vb_chain_level)level;
    v->outcome = (vb_chain_outcome)outcome;
}

/* That the members fit each other. */
static vb_err check(const vb_attestation *a, vb_error *e) {
    uint8_t digest[VB_KECCAK256_BYTES], signer[VB_ETH_ADDRESS_BYTES];
    uint8_t signature[VB_SECP256K1_SIGNATURE_BYTES], *v = &signature[sizeof signature - 1];
    vb_chain_verdict_digest(&a->verdict, &a->registry, digest);
    if (memcmp(digest, a->digest, sizeof digest) != 0) {
        return vb_fail(e, VB_EMISMATCH, "digest: it is not that of the verdict, for this registry");
    }
    memcpy(signature, a->signature, sizeof signature);
    if (*v != ETHEREUM_V && *v != ETHEREUM_V + 1) {
        return vb_fail(e, VB_EFORMAT, "signature: expected 27 or 28 as its last byte");
    }
    *v -= ETHEREUM_V;
    if (vb_secp256k1_recover(digest, signature, signer, e) ||
        memcmp(signer, a->witness, sizeof signer) != 0) {
        return vb_fail(e, VB_EMISMATCH, "signature: it is not the witness's");
    }
    return VB_OK;
}

vb_err vb_attestation_decode(const void *bytes, size_t n_bytes, vb_attestation *out, vb_error *e) {
    json_t *root = NULL;
    vb_attestation a;
    memset(&a, 0, sizeof a);
    vb_err err = vb_json_parse_foreign(bytes, n_bytes, VB_ATTESTATION_BYTES_MAX, &root, e);
    if (err) {
        return err;
    }
    vb_fields f = vb_fields_open(root, "", members, e);
    vb_field_decimal(&f, "chain_id", 1, UINT64_MAX, &a.registry.chain_id);
    read_hex(&f, "digest", a.digest, sizeof a.digest);
    read_address(&f, "registry", a.registry.address);
    read_hex(&f, "signature", a.signature, sizeof a.signature);
    read_address(&f, "witness", a.witness);
    err = f.err;
    if (!err) {
        vb_fields verdict = vb_fields_member(&f, "verdict", verdict_members);
        read_verdict(&verdict, &a.verdict);
        err = verdict.err;
    }
    json_decref(root);
    err = err ? err : check(&a, e);
    if (!err) {
        *out = a;
    }
    return err;
}
