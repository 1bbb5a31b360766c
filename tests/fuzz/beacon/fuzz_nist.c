/*
 * The nist beacon on hostile bytes. 'P' and a proof: what its checks make of it, with the
 * randomness, chain and number that it names itself, so that certificate and signature are reached.
 * 'N', an answer, a zero byte and a PEM text: the round that comes out has the proof's form. Only
 * the corpus has a pulse whose signature is good.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "beacon/nist.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok) {
    if (!ok) {
        abort();
    }
}

/* The pulse of the corpus that is signed, by the start of its output value. */
static bool is_known(const vb_beacon_round *r) {
    static const uint8_t known[] = {0x0d, 0xf5, 0x33, 0x2b, 0x87, 0xd2, 0xb9, 0x49,
                                    0x86, 0xef, 0x64, 0x8b, 0x38, 0x9c, 0x6e, 0xdf};
    return memcmp(r->randomness, known, sizeof known) == 0;
}

static void check_round(const vb_beacon_round *r) {
    vb_trust nothing = {.n_nist_certificates = 0};
    vb_beacon_facts facts;
    vb_error e = {0};
    vb_err err = vb_nist_verify(r, &nothing, &facts, &e);
    require(err == VB_EFORMAT || err == VB_EMISMATCH || err == VB_EUNTRUSTED || err == VB_ELIMIT);
    require(e.code == err && e.msg[0]);
    if (err == VB_EUNTRUSTED) {
        require(is_known(r) && facts.timed && facts.next.from < facts.latest.to);
    }
}

static void try_proof(char *text) {
    vb_beacon_round r = {.id = "nist:2", .round = 1234567, .n_randomness = 64};
    json_t *doc = NULL;
    r.proof = text;
    if (vb_json_parse(text, strlen(text), &doc, NULL) == VB_OK) {
        vb_fields f = vb_fields_foreign(doc, "", NULL);
        const json_t *pulse = json_object_get(doc, "pulse");
        f = json_is_object(pulse) ? vb_fields_foreign(pulse, "", NULL) : f;
        vb_field_hex(&f, "outputValue", r.randomness, sizeof r.randomness);
        vb_field_decimal(&f, "pulseIndex", 0, UINT64_MAX, &r.round);
        const char *chain = json_string_value(json_object_get(pulse, "chainIndex"));
        snprintf(r.id, sizeof r.id, "nist:%s", chain ? chain : "2");
        json_decref(doc);
    }
    check_round(&r);
}

static void try_answer(const char *text, size_t n) {
    size_t n_answer = strnlen(text, n);
    json_t *doc = NULL;
    vb_beacon_round r;
    vb_error e = {0};
    if (vb_json_parse_foreign(text, n_answer, 1 << 20, &doc, NULL)) {
        return;
    }
    const char *pem = n_answer < n ? text + n_answer + 1 : "";
    vb_err err = vb_nist_round("nist:2", doc, pem, n_answer < n ? n - n_answer - 1 : 0, &r, &e);
    if (!err) {
        check_round(&r);
        vb_beacon_round_free(&r);
    } else {
        require(e.code == err && e.msg[0]);
    }
    json_decref(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) {
        return 0;
    }
    char *text = malloc(size);
    require(text);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    if (data[0] == 'P') {
        try_proof(text);
    } else {
        try_answer(text, size - 1);
    }
    free(text);
    return 0;
}
