#include "beacon/nist.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "beacon/proof.h"
#include "crypto/rsa.h"
#include "crypto/sha512.h"

enum {
    LIST_VALUES = 5, /* previous, hour, day, month, year */
    SIGNATURE_BYTES_MAX = 1024,
    NAME_BYTES_MAX = 256,
    TIME_BYTES = 24, /* "2018-08-30T17:44:00.000Z" */
    MESSAGE_BYTES_MAX = 4096
};

static const char caveat[] = "NIST knows its pulses before they appear";

typedef struct nist_pulse {
    char uri[NAME_BYTES_MAX + 1], version[NAME_BYTES_MAX + 1], time_stamp[TIME_BYTES + 1];
    uint32_t cipher_suite, period_ms, status, external_status;
    uint64_t chain_index, pulse_index;
    uint8_t certificate_id[VB_SHA512_BYTES], local_random_value[VB_SHA512_BYTES];
    uint8_t external_source_id[VB_SHA512_BYTES], external_value[VB_SHA512_BYTES];
    uint8_t list_values[LIST_VALUES][VB_SHA512_BYTES];
    uint8_t precommitment_value[VB_SHA512_BYTES], output_value[VB_SHA512_BYTES];
    vb_buf signature;
    uint64_t time_ms; /* of time_stamp */
} nist_pulse;

typedef struct nist_proof {
    nist_pulse pulse;
    vb_buf certificate; /* DER */
} nist_proof;

static void proof_begin(nist_proof *p) {
    *p = (nist_proof){.certificate = vb_buf_make(VB_NIST_CERTIFICATE_BYTES_MAX),
                      .pulse = {.signature = vb_buf_make(SIGNATURE_BYTES_MAX)}};
}

static void proof_free(nist_proof *p) {
    vb_buf_free(&p->certificate);
    vb_buf_free(&p->pulse.signature);
}

/* Digits of text at the places of form's letters, everything else as in form. */
static bool has_form(const char *text, const char *form) {
    for (size_t i = 0; form[i]; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (form[i] == 'd' ? !digit : text[i] != form[i]) {
            return false;
        }
    }
    return true;
}

static uint32_t digits(const char *text, size_t n) {
    uint32_t v = 0;
    for (size_t i = 0; i < n; i++) {
        v = v * 10 + (uint32_t)(text[i] - '0');
    }
    return v;
}

/* Unix milliseconds of a time of the form YYYY-MM-DDThh:mm:ss.sssZ, from 1970 on. */
static bool read_time(const char text[TIME_BYTES + 1], uint64_t *ms) {
    static const uint8_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (strlen(text) != TIME_BYTES || !has_form(text, "dddd-dd-ddTdd:dd:dd.dddZ")) {
        return false;
    }
    uint32_t year = digits(text, 4), month = digits(text + 5, 2), day = digits(text + 8, 2);
    uint32_t hour = digits(text + 11, 2), minute = digits(text + 14, 2);
    uint32_t second = digits(text + 17, 2), milli = digits(text + 20, 3);
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (year < 1970 || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    if (day < 1 || day > month_days[month - 1] + (uint32_t)(leap && month == 2)) {
        return false;
    }
    uint64_t past = year - 1; /* whole years since year 0; 719162 days of them are before 1970 */
    uint64_t days = past * 365 + past / 4 - past / 100 + past / 400 - 719162;
    for (uint32_t m = 1; m < month; m++) {
        days += month_days[m - 1] + (uint64_t)(leap && m == 2);
    }
    days += day - 1;
    *ms = (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + milli;
    return true;
}

static void read_list_values(vb_fields *f, nist_pulse *p) {
    const json_t *array = vb_field_array(f, "listValues", LIST_VALUES, LIST_VALUES);
    for (size_t i = 0; i < LIST_VALUES && !f->err; i++) {
        const json_t *v = json_array_get(array, i);
        const char *hex = json_is_string(v) ? json_string_value(v) : "";
        if (json_string_length(v) != 2 * VB_SHA512_BYTES ||
            !vb_hex_decode(hex, p->list_values[i], VB_SHA512_BYTES)) {
            vb_field_fail(f, VB_EFORMAT, "listValues",
                          "item %zu: expected %d lower-case hex digits", i, 2 * VB_SHA512_BYTES);
        }
    }
}

/* f is the proof, opened. */
static vb_err read_pulse(const vb_fields *f, nist_pulse *p) {
    static const char *const names[] = {"certificateId",
                                        "chainIndex",
                                        "cipherSuite",
                                        "external",
                                        "listValues",
                                        "localRandomValue",
                                        "outputValue",
                                        "period",
                                        "precommitmentValue",
                                        "pulseIndex",
                                        "signatureValue",
                                        "statusCode",
                                        "timeStamp",
                                        "uri",
                                        "version",
                                        NULL};
    static const char *const external_names[] = {"sourceId", "statusCode", "value", NULL};
    vb_fields o = vb_fields_member(f, "pulse", names);
    vb_field_hex(&o, "certificateId", p->certificate_id, VB_SHA512_BYTES);
    vb_field_decimal(&o, "chainIndex", 0, UINT64_MAX, &p->chain_index);
    vb_field_u32(&o, "cipherSuite", 0, 0, &p->cipher_suite);
    read_list_values(&o, p);
    vb_field_hex(&o, "localRandomValue", p->local_random_value, VB_SHA512_BYTES);
    vb_field_hex(&o, "outputValue", p->output_value, VB_SHA512_BYTES);
    vb_field_u32(&o, "period", 1, UINT32_MAX, &p->period_ms);
    vb_field_hex(&o, "precommitmentValue", p->precommitment_value, VB_SHA512_BYTES);
    vb_field_decimal(&o, "pulseIndex", 0, UINT64_MAX, &p->pulse_index);
    vb_proof_bytes(&o, "signatureValue", 1, SIGNATURE_BYTES_MAX, &p->signature);
    vb_field_u32(&o, "statusCode", 0, UINT32_MAX, &p->status);
    vb_field_name(&o, "timeStamp", 0, p->time_stamp, sizeof p->time_stamp);
    vb_field_name(&o, "uri", 0, p->uri, sizeof p->uri);
    vb_field_name(&o, "version", 0, p->version, sizeof p->version);
    if (!o.err && !read_time(p->time_stamp, &p->time_ms)) {
        vb_field_fail(&o, VB_EFORMAT, "timeStamp", "expected YYYY-MM-DDThh:mm:ss.sssZ, from 1970");
    }
    vb_fields external = vb_fields_member(&o, "external", external_names);
    vb_field_hex(&external, "sourceId", p->external_source_id, VB_SHA512_BYTES);
    vb_field_u32(&external, "statusCode", 0, UINT32_MAX, &p->external_status);
    vb_field_hex(&external, "value", p->external_value, VB_SHA512_BYTES);
    return external.err;
}

static vb_err read_proof(const vb_beacon_round *r, nist_proof *p, vb_error *e) {
    static const char *const names[] = {"certificate", "pulse", NULL};
    json_t *doc = NULL;
    vb_err err = vb_proof_open(r, VB_SHA512_BYTES, &doc, e);
    if (err) {
        return err;
    }
    vb_fields f = vb_fields_open(doc, "beacon.proof", names, e);
    vb_proof_bytes(&f, "certificate", 1, VB_NIST_CERTIFICATE_BYTES_MAX, &p->certificate);
    err = read_pulse(&f, &p->pulse);
    json_decref(doc);
    return err;
}

static vb_err put_u32(vb_buf *b, uint32_t v) {
    uint8_t bytes[4];
    vb_store_u32be(bytes, v);
    return vb_buf_append(b, bytes, sizeof bytes);
}

static vb_err put_u64(vb_buf *b, uint64_t v) {
    uint8_t bytes[8];
    vb_store_u64be(bytes, v);
    return vb_buf_append(b, bytes, sizeof bytes);
}

/* A string or byte string, after its length. */
static vb_err put_bytes(vb_buf *b, const void *bytes, size_t n) {
    vb_err err = put_u32(b, (uint32_t)n);
    return err ? err : vb_buf_append(b, bytes, n);
}

static vb_err put_hash(vb_buf *b, const uint8_t hash[VB_SHA512_BYTES]) {
    return put_bytes(b, hash, VB_SHA512_BYTES);
}

/* The bytes that NIST signs. */
static vb_err write_message(const nist_pulse *p, vb_buf *b, vb_error *e) {
    vb_err err = put_bytes(b, p->uri, strlen(p->uri));
    err = err ? err : put_bytes(b, p->version, strlen(p->version));
    err = err ? err : put_u32(b, p->cipher_suite);
    err = err ? err : put_u32(b, p->period_ms);
    err = err ? err : put_hash(b, p->certificate_id);
    err = err ? err : put_u64(b, p->chain_index);
    err = err ? err : put_u64(b, p->pulse_index);
    err = err ? err : put_bytes(b, p->time_stamp, strlen(p->time_stamp));
    err = err ? err : put_hash(b, p->local_random_value);
    err = err ? err : put_hash(b, p->external_source_id);
    err = err ? err : put_u32(b, p->external_status);
    err = err ? err : put_hash(b, p->external_value);
    for (size_t i = 0; i < LIST_VALUES && !err; i++) {
        err = put_hash(b, p->list_values[i]);
    }
    err = err ? err : put_hash(b, p->precommitment_value);
    err = err ? err : put_u32(b, p->status);
    return err ? vb_fail(e, err, "no memory for a pulse") : VB_OK;
}

static vb_err check_certificate(const nist_proof *p, vb_rsa_key **key, vb_error *e) {
    uint8_t id[VB_SHA512_BYTES];
    vb_sha512_of(p->certificate.data, p->certificate.len, id);
    if (memcmp(id, p->pulse.certificate_id, sizeof id) != 0) {
        return vb_fail(e, VB_EMISMATCH,
                       "beacon.proof.pulse.certificateId is not the SHA-512 of the certificate");
    }
    vb_err err = vb_rsa_open_certificate(p->certificate.data, p->certificate.len, key, e);
    if (err) {
        /* A key of another kind is no shortcoming of this program: the proof's form excludes it. */
        vb_err ours = err == VB_EUNSUPPORTED ? VB_EFORMAT : err;
        return vb_fail_in(e, ours, "beacon.proof.certificate");
    }
    return VB_OK;
}

/* The signature, and the value that follows from it. */
static vb_err check_signature(const nist_pulse *p, const vb_rsa_key *key, vb_error *e) {
    uint8_t output[VB_SHA512_BYTES];
    vb_buf message = vb_buf_make(MESSAGE_BYTES_MAX);
    vb_err err = write_message(p, &message, e);
    if (!err) {
        err = vb_rsa_verify_sha512(key, message.data, message.len, p->signature.data,
                                   p->signature.len, e);
        err = err ? vb_fail_in(e, err, "beacon.proof.pulse.signatureValue") : VB_OK;
    }
    if (!err) {
        vb_sha512 s;
        vb_sha512_begin(&s);
        vb_sha512_update(&s, message.data, message.len);
        vb_sha512_update(&s, p->signature.data, p->signature.len);
        vb_sha512_end(&s, output);
        if (memcmp(output, p->output_value, sizeof output) != 0) {
            err = vb_fail(e, VB_EMISMATCH,
                          "beacon.proof.pulse.outputValue is not the SHA-512 of the signed message "
                          "and its signature");
        }
    }
    vb_buf_free(&message);
    return err;
}

static vb_err check_round(const vb_beacon_round *r, uint64_t chain, const nist_pulse *p,
                          vb_error *e) {
    if (p->chain_index != chain) {
        return vb_fail(e, VB_EMISMATCH,
                       "beacon.proof.pulse.chainIndex: expected %" PRIu64 ", found %" PRIu64, chain,
                       p->chain_index);
    }
    if (p->pulse_index != r->round) {
        return vb_fail(e, VB_EMISMATCH,
                       "beacon.proof.pulse.pulseIndex: expected %" PRIu64 ", found %" PRIu64,
                       r->round, p->pulse_index);
    }
    if (memcmp(p->output_value, r->randomness, VB_SHA512_BYTES) != 0) {
        return vb_fail(e, VB_EMISMATCH, "the randomness is not the pulse's outputValue");
    }
    return VB_OK;
}

static vb_err check_trust(const nist_pulse *p, const vb_trust *trust, vb_error *e) {
    for (size_t i = 0; i < trust->n_nist_certificates; i++) {
        if (memcmp(trust->nist_certificates[i], p->certificate_id, VB_SHA512_BYTES) == 0) {
            return VB_OK;
        }
    }
    char hex[2 * VB_SHA512_BYTES + 1];
    vb_hex_encode(p->certificate_id, VB_SHA512_BYTES, hex);
    return vb_fail(e, VB_EUNTRUSTED, "not a trusted certificate of NIST's beacon: %s", hex);
}

static void set_facts(const nist_pulse *p, vb_beacon_facts *facts) {
    uint64_t t = p->time_ms, period = p->period_ms;
    *facts = (vb_beacon_facts){
        .timed = true, .next = {t < period ? 0 : t - period, t}, .latest = {t, t + period}};
    snprintf(facts->caveat, sizeof facts->caveat, "%s", caveat);
}

vb_err vb_nist_verify(const vb_beacon_round *r, const vb_trust *trust, vb_beacon_facts *facts,
                      vb_error *e) {
    uint64_t chain = 0;
    vb_err err = vb_proof_chain_number(r->id, VB_BEACON_NIST, &chain, e);
    if (!err && r->round < 1) {
        err = vb_fail(e, VB_EFORMAT, "beacon round: expected 1 or more, found 0");
    }
    if (err) {
        return err;
    }
    nist_proof p;
    proof_begin(&p);
    vb_rsa_key *key = NULL;
    err = read_proof(r, &p, e);
    err = err ? err : check_round(r, chain, &p.pulse, e);
    err = err ? err : check_certificate(&p, &key, e);
    err = err ? err : check_signature(&p.pulse, key, e);
    err = err ? err : check_trust(&p.pulse, trust, e);
    if (!err || err == VB_EUNTRUSTED) {
        set_facts(&p.pulse, facts);
    }
    vb_rsa_close(key);
    proof_free(&p);
    return err;
}

static void node_list_values(vb_fields *f, nist_pulse *p) {
    static const char *const types[LIST_VALUES] = {"previous", "hour", "day", "month", "year"};
    const json_t *array = vb_field_array(f, "listValues", LIST_VALUES, LIST_VALUES);
    for (size_t i = 0; i < LIST_VALUES && !f->err; i++) {
        char path[VB_FIELD_PATH_BYTES], type[16] = "";
        snprintf(path, sizeof path, "pulse.listValues[%zu]", i);
        vb_fields v = vb_fields_foreign(json_array_get(array, i), path, f->e);
        vb_field_name(&v, "type", 0, type, sizeof type);
        vb_node_hex(&v, "value", "", p->list_values[i], VB_SHA512_BYTES);
        if (!v.err && strcmp(type, types[i]) != 0) {
            vb_field_fail(&v, VB_EFORMAT, "type", "expected %s, found %s", types[i], type);
        }
        f->err = v.err;
    }
}

static void node_u32(vb_fields *f, const char *name, uint32_t *out) {
    uint64_t v = 0;
    vb_node_integer(f, name, UINT32_MAX, &v);
    if (!f->err) {
        *out = (uint32_t)v;
    }
}

static vb_err node_pulse(const json_t *answer, nist_pulse *p, vb_error *e) {
    vb_fields f = vb_node_open(answer, "", e);
    vb_fields o = vb_node_object(&f, "pulse");
    vb_node_hex(&o, "certificateId", "", p->certificate_id, VB_SHA512_BYTES);
    vb_node_integer(&o, "chainIndex", UINT64_MAX, &p->chain_index);
    node_u32(&o, "cipherSuite", &p->cipher_suite);
    node_list_values(&o, p);
    vb_node_hex(&o, "localRandomValue", "", p->local_random_value, VB_SHA512_BYTES);
    vb_node_hex(&o, "outputValue", "", p->output_value, VB_SHA512_BYTES);
    node_u32(&o, "period", &p->period_ms);
    vb_node_hex(&o, "precommitmentValue", "", p->precommitment_value, VB_SHA512_BYTES);
    vb_node_integer(&o, "pulseIndex", UINT64_MAX, &p->pulse_index);
    vb_node_bytes(&o, "signatureValue", "", 1, SIGNATURE_BYTES_MAX, &p->signature);
    node_u32(&o, "statusCode", &p->status);
    vb_field_name(&o, "timeStamp", 0, p->time_stamp, sizeof p->time_stamp);
    vb_field_name(&o, "uri", 0, p->uri, sizeof p->uri);
    vb_field_name(&o, "version", 0, p->version, sizeof p->version);
    vb_fields external = vb_node_object(&o, "external");
    vb_node_hex(&external, "sourceId", "", p->external_source_id, VB_SHA512_BYTES);
    node_u32(&external, "statusCode", &p->external_status);
    vb_node_hex(&external, "value", "", p->external_value, VB_SHA512_BYTES);
    return external.err;
}

/* A member; false without memory, or when something before it failed. */
static bool put(json_t *object, const char *name, json_t *value) {
    return json_object_set_new(object, name, value) == 0;
}

static bool put_hex(json_t *object, const char *name, const uint8_t *bytes, size_t n) {
    return put(object, name, vb_proof_hex(bytes, n));
}

/* NULL without memory. */
static json_t *external_of(const nist_pulse *p) {
    json_t *o = json_object();
    bool ok = put_hex(o, "sourceId", p->external_source_id, VB_SHA512_BYTES) &&
              put(o, "statusCode", json_integer(p->external_status)) &&
              put_hex(o, "value", p->external_value, VB_SHA512_BYTES);
    if (!ok) {
        json_decref(o);
        return NULL;
    }
    return o;
}

/* NULL without memory. */
static json_t *list_values_of(const nist_pulse *p) {
    json_t *array = json_array();
    for (size_t i = 0; i < LIST_VALUES; i++) {
        if (json_array_append_new(array, vb_proof_hex(p->list_values[i], VB_SHA512_BYTES))) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* NULL without memory. */
static json_t *pulse_of(const nist_pulse *p) {
    json_t *o = json_object();
    bool ok = put_hex(o, "certificateId", p->certificate_id, VB_SHA512_BYTES) &&
              put(o, "chainIndex", vb_proof_decimal(p->chain_index)) &&
              put(o, "cipherSuite", json_integer(p->cipher_suite)) &&
              put(o, "external", external_of(p)) && put(o, "listValues", list_values_of(p)) &&
              put_hex(o, "localRandomValue", p->local_random_value, VB_SHA512_BYTES) &&
              put_hex(o, "outputValue", p->output_value, VB_SHA512_BYTES) &&
              put(o, "period", json_integer(p->period_ms)) &&
              put_hex(o, "precommitmentValue", p->precommitment_value, VB_SHA512_BYTES) &&
              put(o, "pulseIndex", vb_proof_decimal(p->pulse_index)) &&
              put_hex(o, "signatureValue", p->signature.data, p->signature.len) &&
              put(o, "statusCode", json_integer(p->status)) &&
              put(o, "timeStamp", json_string(p->time_stamp)) &&
              put(o, "uri", json_string(p->uri)) && put(o, "version", json_string(p->version));
    if (!ok) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static vb_err set_proof(const nist_proof *p, vb_beacon_round *r, vb_error *e) {
    json_t *proof = json_object();
    bool ok = put_hex(proof, "certificate", p->certificate.data, p->certificate.len) &&
              put(proof, "pulse", pulse_of(&p->pulse));
    vb_err err = ok ? vb_proof_set(r, proof, e) : vb_fail(e, VB_ENOMEM, "no memory for a proof");
    json_decref(proof);
    return err;
}

vb_err vb_nist_round(const char *id, const json_t *pulse_answer, const void *certificate_pem,
                     size_t n_pem, vb_beacon_round *out, vb_error *e) {
    uint64_t chain = 0;
    vb_err err = vb_proof_chain_number(id, VB_BEACON_NIST, &chain, e);
    if (err) {
        return err;
    }
    nist_proof p;
    proof_begin(&p);
    err = node_pulse(pulse_answer, &p.pulse, e);
    if (!err && p.pulse.chain_index != chain) {
        err = vb_fail(e, VB_EMISMATCH, "pulse.chainIndex: expected %" PRIu64 ", found %" PRIu64,
                      chain, p.pulse.chain_index);
    }
    err = err ? err : vb_certificate_from_pem(certificate_pem, n_pem, &p.certificate, e);
    vb_beacon_round r = {.round = p.pulse.pulse_index, .n_randomness = VB_SHA512_BYTES};
    snprintf(r.id, sizeof r.id, "%s", id);
    memcpy(r.randomness, p.pulse.output_value, VB_SHA512_BYTES);
    err = err ? err : set_proof(&p, &r, e);
    proof_free(&p);
    if (!err) {
        *out = r;
    }
    return err;
}
