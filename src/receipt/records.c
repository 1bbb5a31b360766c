/* Commitments, aborts and prompts: the parts of a receipt under a format of their own. */
#include "receipt/records.h"

#include <stdlib.h>
#include <string.h>

#include "receipt/digests.h"
#include "receipt/names.h"
#include "receipt/parts.h"

/* Reads one record from its document. */
typedef vb_err part_reader(const vb_fields *doc, void *out);

static vb_err decode(const void *bytes, size_t n_bytes, size_t max_bytes, const char *format,
                     const char *const *names, part_reader *reader, void *out, vb_error *e) {
    json_t *json;
    if (n_bytes > max_bytes) {
        return vb_fail(e, VB_ELIMIT, "%zu bytes; a %s has at most %zu", n_bytes, format, max_bytes);
    }
    vb_err err = vb_json_parse(bytes, n_bytes, &json, e);
    if (err) {
        return err;
    }
    err = vb_read_format(json, format, e);
    if (!err) {
        vb_fields doc = vb_fields_open(json, "", names, e);
        err = doc.err ? doc.err : reader(&doc, out);
    }
    json_decref(json);
    return err;
}

/* Commitments */

static vb_err read_committed(const vb_fields *doc, void *out) {
    vb_receipt *r = out;
    vb_err err = vb_read_commitment(doc, r);
    return err ? err : vb_read_request(doc, &r->request);
}

vb_err vb_commitment_decode(const void *bytes, size_t n_bytes, vb_receipt *out, vb_error *e) {
    vb_receipt_init(out);
    vb_err err = decode(bytes, n_bytes, VB_COMMITMENT_BYTES_MAX, VB_COMMITMENT_FORMAT,
                        vb_names_commitment_record, read_committed, out, e);
    if (err) {
        vb_receipt_free(out);
    }
    return err;
}

static json_t *committed_tree(vb_build *b, const char *format, const vb_receipt *r) {
    json_t *o = json_object();
    vb_build_put(b, o, "format", json_string(format));
    vb_build_put(b, o, "request", vb_build_request(b, &r->request));
    vb_build_put(b, o, "commitment", vb_build_commitment(b, r));
    return o;
}

vb_err vb_commitment_encode(const vb_receipt *r, vb_buf *out, vb_error *e) {
    vb_build b = {VB_OK, e};
    vb_buf bytes = vb_buf_make(VB_COMMITMENT_BYTES_MAX);
    vb_receipt *back = malloc(sizeof *back);
    vb_err err = back ? VB_OK : vb_fail(e, VB_ENOMEM, "no memory to encode a commitment");
    if (!err) {
        err = vb_build_write(&b, committed_tree(&b, VB_COMMITMENT_FORMAT, r), &bytes);
    }
    if (!err) {
        err = vb_commitment_decode(bytes.data, bytes.len, back, e);
    }
    if (!err) {
        vb_receipt_free(back);
        err = vb_build_copy(&bytes, out, e);
    }
    free(back);
    vb_buf_free(&bytes);
    return err;
}

/* A signature over message by the request's key, VB_EMISMATCH when it is not. */
static vb_err check_signature(const vb_receipt *r, const void *message, size_t n_message,
                              const uint8_t signature[VB_ED25519_SIGNATURE_BYTES],
                              const char *whose, vb_error *e) {
    vb_err err = vb_ed25519_verify(r->request.server_key, sizeof r->request.server_key, message,
                                   n_message, signature, VB_ED25519_SIGNATURE_BYTES, e);
    if (err == VB_EFORMAT) { /* lengths are fixed here: the key is not one, and signs nothing */
        err = VB_EMISMATCH;
    }
    return err ? vb_fail_in(e, err, "%s", whose) : VB_OK;
}

vb_err vb_commitment_check(const vb_receipt *r, vb_error *e) {
    uint8_t c[VB_SHA256_BYTES], message[VB_COMMITMENT_MESSAGE_BYTES];
    vb_err err = vb_receipt_commitment(r, c, e);
    if (err) {
        return err;
    }
    if (memcmp(c, r->commitment, sizeof c) != 0) {
        return vb_fail(e, VB_EMISMATCH, "commitment.value is not the digest of the request");
    }
    vb_commitment_message(c, message);
    return check_signature(r, message, sizeof message, r->commitment_signature,
                           "commitment.signature", e);
}

/* Aborts */

static const char *const reason_names[] = {
    [VB_ABORT_CANCELLED] = "cancelled",
    [VB_ABORT_BEACON] = "beacon",
    [VB_ABORT_FAILED] = "failed",
    [VB_ABORT_LOST] = "lost",
};

const char *vb_abort_reason_name(vb_abort_reason reason) {
    bool known = reason >= VB_ABORT_CANCELLED && reason <= VB_ABORT_LOST;
    return known ? reason_names[reason] : "unknown";
}

static vb_err read_abort(const vb_fields *doc, void *out) {
    vb_abort *a = out;
    vb_fields f = *doc;
    char reason[16];
    vb_field_name(&f, "reason", 1, reason, sizeof reason);
    if (!f.err) {
        int i = VB_ABORT_CANCELLED;
        while (i <= VB_ABORT_LOST && strcmp(reason, reason_names[i]) != 0) {
            i++;
        }
        if (i > VB_ABORT_LOST) {
            vb_field_fail(&f, VB_EFORMAT, "reason",
                          "expected cancelled, beacon, failed or lost, found %s", reason);
        } else {
            a->reason = (vb_abort_reason)i;
        }
    }
    vb_field_hex(&f, "signature", a->signature, sizeof a->signature);
    if (!f.err) {
        f.err = read_committed(&f, &a->r);
    }
    vb_field_decimal(&f, "aborted_at_ms", a->r.request.issued_at_ms, VB_ISSUED_AT_MS_MAX,
                     &a->aborted_at_ms);
    return f.err;
}

static void abort_init(vb_abort *a) {
    memset(a, 0, sizeof *a);
    vb_receipt_init(&a->r);
}

void vb_abort_free(vb_abort *a) {
    vb_receipt_free(&a->r);
    abort_init(a);
}

vb_err vb_abort_decode(const void *bytes, size_t n_bytes, vb_abort *out, vb_error *e) {
    abort_init(out);
    vb_err err = decode(bytes, n_bytes, VB_COMMITMENT_BYTES_MAX, VB_ABORT_FORMAT, vb_names_abort,
                        read_abort, out, e);
    if (err) {
        vb_abort_free(out);
    }
    return err;
}

/* Appends the abort of r's commitment, without the member `signature` when that is NULL. */
static vb_err write_abort(const vb_receipt *r, vb_abort_reason reason, uint64_t aborted_at_ms,
                          const uint8_t *signature, vb_buf *out, vb_error *e) {
    vb_build b = {VB_OK, e};
    json_t *o = committed_tree(&b, VB_ABORT_FORMAT, r);
    vb_build_put(&b, o, "aborted_at_ms", vb_build_decimal(aborted_at_ms));
    vb_build_put(&b, o, "reason", json_string(vb_abort_reason_name(reason)));
    if (signature) {
        vb_build_put(&b, o, "signature", vb_build_hex(signature, VB_ED25519_SIGNATURE_BYTES));
    }
    return vb_build_write(&b, o, out);
}

/* What its signature signs. */
static vb_err abort_digest(const vb_receipt *r, vb_abort_reason reason, uint64_t aborted_at_ms,
                           uint8_t out[VB_SHA256_BYTES], vb_error *e) {
    vb_buf bytes = vb_buf_make(VB_COMMITMENT_BYTES_MAX);
    vb_err err = write_abort(r, reason, aborted_at_ms, NULL, &bytes, e);
    if (!err) {
        vb_digest_abort(bytes.data, bytes.len, out);
    }
    vb_buf_free(&bytes);
    return err;
}

vb_err vb_abort_digest(const vb_abort *a, uint8_t out[VB_SHA256_BYTES], vb_error *e) {
    return abort_digest(&a->r, a->reason, a->aborted_at_ms, out, e);
}

vb_err vb_abort_check(const vb_abort *a, vb_error *e) {
    uint8_t digest[VB_SHA256_BYTES];
    vb_err err = vb_commitment_check(&a->r, e);
    if (!err) {
        err = vb_abort_digest(a, digest, e);
    }
    return err ? err : check_signature(&a->r, digest, sizeof digest, a->signature, "signature", e);
}

/* Reads back what was written, and checks it. */
static vb_err prove_abort(const vb_buf *bytes, vb_error *e) {
    vb_abort *back = malloc(sizeof *back);
    if (!back) {
        return vb_fail(e, VB_ENOMEM, "no memory to encode an abort record");
    }
    vb_err err = vb_abort_decode(bytes->data, bytes->len, back, e);
    if (!err) {
        err = vb_abort_check(back, e);
        vb_abort_free(back);
    }
    free(back);
    return err;
}

vb_err vb_abort_encode(const vb_receipt *r, vb_abort_reason reason, uint64_t aborted_at_ms,
                       const vb_ed25519_key *key, vb_buf *out, vb_error *e) {
    uint8_t public_key[VB_ED25519_PUBLIC_BYTES], digest[VB_SHA256_BYTES];
    uint8_t signature[VB_ED25519_SIGNATURE_BYTES];
    vb_ed25519_public(key, public_key);
    if (memcmp(public_key, r->request.server_key, sizeof public_key) != 0) {
        return vb_fail(e, VB_EMISMATCH, "the commitment was made with another key");
    }
    vb_buf bytes = vb_buf_make(VB_COMMITMENT_BYTES_MAX);
    vb_err err = abort_digest(r, reason, aborted_at_ms, digest, e);
    if (!err) {
        err = vb_ed25519_sign(key, digest, sizeof digest, signature, e);
    }
    if (!err) {
        err = write_abort(r, reason, aborted_at_ms, signature, &bytes, e);
    }
    if (!err) {
        err = prove_abort(&bytes, e);
    }
    if (!err) {
        err = vb_build_copy(&bytes, out, e);
    }
    vb_buf_free(&bytes);
    return err;
}

/* Prompts */

static vb_err read_prompt_file(const vb_fields *doc, void *out) {
    vb_receipt_prompt *p = out;
    vb_err err = vb_read_prompt(doc, p);
    if (!err && !p->has_tokens) {
        err = vb_fail(doc->e, VB_EFORMAT, "prompt.tokens: expected the tokens, found null");
    }
    return err;
}

vb_err vb_prompt_file_decode(const void *bytes, size_t n_bytes, vb_receipt_prompt *out,
                             vb_error *e) {
    memset(out, 0, sizeof *out);
    vb_err err = decode(bytes, n_bytes, VB_RECEIPT_BYTES_MAX, VB_PROMPT_FORMAT,
                        vb_names_prompt_record, read_prompt_file, out, e);
    if (err) {
        vb_receipt_prompt_free(out);
    }
    return err;
}

vb_err vb_prompt_file_encode(const vb_receipt *r, vb_buf *out, vb_error *e) {
    vb_build b = {VB_OK, e};
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_receipt_prompt back;
    json_t *o = json_object();
    vb_build_put(&b, o, "format", json_string(VB_PROMPT_FORMAT));
    vb_build_put(&b, o, "prompt", vb_build_prompt(&b, &r->prompt));
    vb_err err = vb_build_write(&b, o, &bytes);
    if (!err) {
        err = vb_prompt_file_decode(bytes.data, bytes.len, &back, e);
    }
    if (!err) {
        vb_receipt_prompt_free(&back);
        err = vb_build_copy(&bytes, out, e);
    }
    vb_buf_free(&bytes);
    return err;
}

/* Kinds */

static vb_record_kind kind_of_format(const char *s, size_t n) {
    static const struct {
        const char *family;
        vb_record_kind kind;
    } families[] = {
        {"verbatim.receipt/", VB_RECORD_RECEIPT},
        {"verbatim.commitment/", VB_RECORD_COMMITMENT},
        {"verbatim.abort/", VB_RECORD_ABORT},
        {"verbatim.prompt/", VB_RECORD_PROMPT},
        {"verbatim.opening/", VB_RECORD_OPENING},
        {"verbatim.round/", VB_RECORD_ROUND},
        {"verbatim.statement/", VB_RECORD_STATEMENT},
    };
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        size_t n_family = strlen(families[i].family);
        if (n >= n_family && memcmp(s, families[i].family, n_family) == 0) {
            return families[i].kind;
        }
    }
    return VB_RECORD_UNKNOWN;
}

/* Canonical JSON has no white space and no escape in "format", so the member is these bytes,
 * outside every string and directly in the outermost object. */
vb_record_kind vb_record_kind_of(const void *bytes, size_t n_bytes) {
    static const char member[] = "\"format\":\"";
    const size_t n_member = sizeof member - 1;
    const char *s = bytes;
    size_t depth = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        if (s[i] == '"') {
            if (depth == 1 && n_bytes - i > n_member && memcmp(s + i, member, n_member) == 0) {
                return kind_of_format(s + i + n_member, n_bytes - i - n_member);
            }
            for (i++; i < n_bytes && s[i] != '"'; i++) {
                i += s[i] == '\\';
            }
        } else if (s[i] == '{' || s[i] == '[') {
            depth++;
        } else if ((s[i] == '}' || s[i] == ']') && depth) {
            depth--;
        } else if (depth == 0) {
            return VB_RECORD_UNKNOWN;
        }
    }
    return VB_RECORD_UNKNOWN;
}
