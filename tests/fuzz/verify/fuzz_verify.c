/*
 * The checks of level `receipt` on hostile bytes. As they are: VERIFIED only for the two receipts
 * of the corpus, whose key nobody else has. Signed anew with a known key, so that everything
 * behind the signatures is reached too: no crash, and a verdict that its checks bear out.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "verify/check.h"
#include "json/jcs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

static vb_verdict check(const void *bytes, size_t n, vb_level level,
                        const vb_receipt_prompt *prompt, vb_receipt *r) {
    static vb_report rep;
    const vb_expect x = {.prompt = prompt};
    vb_report_begin(&rep, level);
    bool read = vb_check_receipt(bytes, n, &x, r, &rep);
    vb_report_finish(&rep);
    vb_verdict v = vb_report_verdict(&rep);
    require(read || v == VB_VERDICT_UNVERIFIABLE);
    require(level == VB_LEVEL_RECEIPT || v != VB_VERDICT_VERIFIED);
    for (int i = 0; i < VB_CHECK_COUNT; i++) {
        require(v != VB_VERDICT_VERIFIED || !rep.checks[i].required ||
                rep.checks[i].status == VB_CHECK_PASS);
        require(rep.checks[i].status != VB_CHECK_FAIL || v == VB_VERDICT_REFUTED);
    }
    vb_buf out = vb_buf_make(1 << 20);
    require(vb_report_write_text(&rep, &out, NULL) == VB_OK);
    out.len = 0;
    require(vb_report_write_json(&rep, &out, NULL) == VB_OK);
    vb_buf_free(&out);
    return v;
}

/* SHA-256 of golden_fixed.json and golden_local.json. */
static bool is_golden(const void *bytes, size_t n) {
    static const char *const known[] = {
        "968c1fdab0ed296257c85949b74ad4b0049e4557940ac0309f7059a761f41c29",
        "57f1d25ea7e7c9aeb0793b084156ea572114ca1553d294e05db9d21d742b103f"};
    uint8_t d[VB_SHA256_BYTES];
    char hex[VB_SHA256_HEX_BYTES];
    vb_sha256_of(bytes, n, d);
    vb_hex_encode(d, sizeof d, hex);
    return strcmp(hex, known[0]) == 0 || strcmp(hex, known[1]) == 0;
}

static void check_signed_anew(vb_receipt *r) {
    static vb_receipt again;
    static vb_ed25519_key *key;
    uint8_t seed[VB_ED25519_SEED_BYTES] = {9};
    require(key || vb_ed25519_from_seed(seed, &key, NULL) == VB_OK);
    require(vb_commitment_make(r, key, NULL) == VB_OK);
    for (size_t i = 0; i < r->n_outputs; i++) {
        require(vb_receipt_seed(r, (uint32_t)i, r->outputs[i].seed, NULL) == VB_OK);
    }
    require(vb_receipt_sign(r, key, NULL, NULL) == VB_OK);
    vb_buf b = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    require(vb_receipt_encode(r, &b, NULL) == VB_OK);
    check(b.data, b.len, VB_LEVEL_RECEIPT, NULL, &again);
    vb_receipt_free(&again);
    /* And with a prompt given apart, which is the receipt's own wherever that is not private. */
    uint32_t ids[] = {1, 65535, 65536, 1048575};
    vb_receipt_prompt apart = {.kind = r->prompt.kind, .tokens = ids, .n_tokens = 4};
    if (r->prompt.has_tokens) {
        apart = r->prompt;
    }
    apart.has_tokens = true;
    check(b.data, b.len, VB_LEVEL_RECEIPT, &apart, &again);
    vb_receipt_free(&again);
    vb_buf_free(&b);
}

static void try_bytes(const void *bytes, size_t n) {
    static vb_receipt r;
    vb_verdict v = check(bytes, n, VB_LEVEL_RECEIPT, NULL, &r);
    require(v != VB_VERDICT_VERIFIED || is_golden(bytes, n));
    if (r.outputs) {
        check_signed_anew(&r);
    }
    vb_receipt_free(&r);
    check(bytes, n, VB_LEVEL_FULL, NULL, &r);
    vb_receipt_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 1 << 16) {
        return 0;
    }
    try_bytes(data, size);
    json_t *loose = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);
    if (loose) {
        vb_buf b = vb_buf_make(VB_RECEIPT_BYTES_MAX);
        if (vb_jcs_append(loose, &b, NULL) == VB_OK &&
            (b.len != size || memcmp(b.data, data, size) != 0)) {
            try_bytes(b.data, b.len);
        }
        vb_buf_free(&b);
        json_decref(loose);
    }
    return 0;
}
