#include "cli/finding.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "cli/show.h"
#include "receipt/digests.h"

const char *vb_record_kind_name(vb_record_kind k) {
    switch (k) {
    case VB_RECORD_RECEIPT: return "receipt";
    case VB_RECORD_COMMITMENT: return "commitment";
    case VB_RECORD_ABORT: return "abort";
    case VB_RECORD_PROMPT: return "prompt";
    case VB_RECORD_OPENING: return "opening";
    case VB_RECORD_ROUND: return "round";
    case VB_RECORD_STATEMENT: return "statement";
    case VB_RECORD_UNKNOWN: break;
    }
    return "unknown";
}

static void conclude(vb_finding *f, vb_reason reason, const char *detail) {
    f->reason = reason;
    f->verdict = reason == VB_REASON_NONE        ? VB_VERDICT_VERIFIED
                 : reason < VB_REASON_UNREADABLE ? VB_VERDICT_REFUTED
                                                 : VB_VERDICT_UNVERIFIABLE;
    snprintf(f->detail, sizeof f->detail, "%s", detail);
    vb_make_printable(f->detail);
}

void vb_finding_unreadable(vb_reason reason, const char *why, vb_finding *f) {
    memset(f, 0, sizeof *f);
    conclude(f, reason, why);
}

static void describe(const vb_receipt *r, vb_finding *f) {
    f->readable = true;
    memcpy(f->server_key, r->request.server_key, sizeof f->server_key);
    memcpy(f->commitment, r->commitment, sizeof f->commitment);
    f->sequence = r->request.sequence;
    f->issued_at_ms = r->request.issued_at_ms;
}

/* The detail of the check that gave the report's reason. */
static void of_report(const vb_report *rep, vb_finding *f) {
    const vb_check_status wanted =
        vb_report_verdict(rep) == VB_VERDICT_REFUTED ? VB_CHECK_FAIL : VB_CHECK_UNKNOWN;
    const char *detail = "";
    for (int id = 0; id < VB_CHECK_COUNT && !detail[0]; id++) {
        if (rep->checks[id].status == wanted) {
            detail = rep->checks[id].detail;
        }
    }
    conclude(f, vb_report_reason(rep), detail);
}

void vb_finding_end(const vb_receipt *r, vb_report *rep, vb_finding *f) {
    vb_report_finish(rep);
    if (rep->checks[VB_CHECK_FORMAT].status == VB_CHECK_PASS) {
        describe(r, f);
        /* Whose key it is, or whose it should be, is another question than who signed. */
        memcpy(f->record_hash, rep->verification_hash, sizeof f->record_hash);
        f->signed_by_key = rep->checks[VB_CHECK_SIGNATURE].status == VB_CHECK_PASS &&
                           vb_commitment_check(r, NULL) == VB_OK;
    }
    of_report(rep, f);
}

static bool is_of_prompt(const vb_receipt_request *q, const vb_receipt_prompt *p) {
    uint8_t digest[VB_SHA256_BYTES];
    vb_digest_tokens(p->tokens, p->n_tokens, digest);
    return p->n_tokens == q->n_prompt_tokens &&
           memcmp(digest, q->prompt_sha256, sizeof digest) == 0;
}

/* What the verifier was told, held against a record that is not a receipt. */
static void hold_against(const vb_expect *x, const vb_receipt *r, vb_finding *f) {
    if (x->server_key &&
        memcmp(x->server_key, r->request.server_key, VB_ED25519_PUBLIC_BYTES) != 0) {
        conclude(f, VB_REASON_SIGNATURE, "signed with another key than the expected one");
    } else if (x->commitment && memcmp(x->commitment, r->commitment, VB_SHA256_BYTES) != 0) {
        conclude(f, VB_REASON_COMMITMENT, "another commitment than the expected one");
    } else if (x->nonce && strcmp(x->nonce, r->request.nonce) != 0) {
        conclude(f, VB_REASON_COMMITMENT, "its nonce is not the expected one");
    } else if (x->prompt && !is_of_prompt(&r->request, x->prompt)) {
        conclude(f, VB_REASON_PROMPT, "its prompt is not the one that was given apart");
    } else if (x->trust && !x->trust->any_server_key &&
               !vb_trust_server_key(x->trust, r->request.server_key)) {
        conclude(f, VB_REASON_TRUST_ROOT, "its key is none of the trust file's");
    }
}

/* What a decoder that refused says about the record. */
static vb_reason reason_of(vb_err err) {
    return err == VB_EUNSUPPORTED ? VB_REASON_UNSUPPORTED_FORMAT
           : err == VB_ENOMEM     ? VB_REASON_UNFINISHED
                                  : VB_REASON_UNREADABLE;
}

static void of_commitment(const vb_verification *v, const void *bytes, size_t n_bytes,
                          vb_receipt *r, vb_finding *f) {
    vb_error e = {VB_OK, ""};
    vb_err err = vb_commitment_decode(bytes, n_bytes, r, &e);
    if (err) {
        conclude(f, reason_of(err), e.msg);
        return;
    }
    describe(r, f);
    err = vb_commitment_check(r, &e);
    f->signed_by_key = !err;
    if (err) {
        conclude(f, err == VB_EMISMATCH ? VB_REASON_COMMITMENT : VB_REASON_UNFINISHED, e.msg);
        return;
    }
    conclude(f, VB_REASON_NONE, "it is the digest of its request, and its key signed it");
    hold_against(&v->expect, r, f);
}

/* An abort says no more than its request, which C stands for, its reason and its time. */
static void hash_abort(const vb_abort *a, uint8_t out[VB_SHA256_BYTES]) {
    uint8_t rest[9];
    vb_sha256 sha;
    rest[0] = (uint8_t)a->reason;
    vb_store_u64be(rest + 1, a->aborted_at_ms);
    vb_sha256_begin(&sha);
    vb_sha256_update(&sha, a->r.commitment, sizeof a->r.commitment);
    vb_sha256_update(&sha, rest, sizeof rest);
    vb_sha256_end(&sha, out);
}

static void of_abort(const vb_verification *v, const void *bytes, size_t n_bytes, vb_abort *a,
                     vb_finding *f) {
    vb_error e = {VB_OK, ""};
    vb_err err = vb_abort_decode(bytes, n_bytes, a, &e);
    if (err) {
        conclude(f, reason_of(err), e.msg);
        return;
    }
    describe(&a->r, f);
    f->abort_reason = a->reason;
    f->aborted_at_ms = a->aborted_at_ms;
    hash_abort(a, f->record_hash);
    vb_reason false_one = VB_REASON_COMMITMENT;
    if (!(err = vb_commitment_check(&a->r, &e))) {
        false_one = VB_REASON_SIGNATURE;
        err = vb_abort_check(a, &e);
    }
    f->signed_by_key = !err;
    if (err) {
        conclude(f, err == VB_EMISMATCH ? false_one : VB_REASON_UNFINISHED, e.msg);
        return;
    }
    conclude(f, VB_REASON_NONE, "its key signed the commitment, and that it has no answer");
    hold_against(&v->expect, &a->r, f);
}

static void of_other(const vb_verification *v, const void *bytes, size_t n_bytes, vb_finding *f) {
    vb_abort *a = calloc(1, sizeof *a);
    if (!a) {
        conclude(f, VB_REASON_UNFINISHED, "no memory for a record");
        return;
    }
    vb_receipt_init(&a->r);
    if (f->kind == VB_RECORD_COMMITMENT) {
        of_commitment(v, bytes, n_bytes, &a->r, f);
    } else {
        of_abort(v, bytes, n_bytes, a, f);
    }
    vb_abort_free(a);
    free(a);
}

bool vb_finding_begin(vb_verification *v, const void *bytes, size_t n_bytes, bool one_of_many,
                      vb_receipt *r, vb_report *rep, vb_finding *f) {
    memset(f, 0, sizeof *f);
    f->kind = vb_record_kind_of(bytes, n_bytes);
    if (f->kind == VB_RECORD_COMMITMENT || f->kind == VB_RECORD_ABORT) {
        of_other(v, bytes, n_bytes, f);
        return false;
    }
    if (vb_verification_check(v, bytes, n_bytes, one_of_many, r, rep)) {
        return true;
    }
    vb_finding_end(r, rep, f);
    return false;
}

int vb_finding_exit(const vb_finding *f) {
    return f->verdict == VB_VERDICT_VERIFIED  ? VB_EXIT_OK
           : f->verdict == VB_VERDICT_REFUTED ? VB_EXIT_REFUTED
                                              : VB_EXIT_UNVERIFIABLE;
}

void vb_finding_print_json(const vb_finding *f, const char *path) {
    char hex[VB_SHA256_HEX_BYTES];
    printf("{\"file\":");
    vb_app_print_json_string(path, strlen(path));
    printf(",\"record\":\"%s\",\"verdict\":\"%s\",\"reason\":", vb_record_kind_name(f->kind),
           vb_verdict_name(f->verdict));
    if (f->reason) {
        printf("\"%s\"", vb_reason_name(f->reason));
    } else {
        printf("null");
    }
    printf(",\"detail\":");
    vb_app_print_json_string(f->detail, strlen(f->detail));
    if (f->readable) {
        vb_hex_encode(f->server_key, sizeof f->server_key, hex);
        printf(",\"server_key\":\"%s\",\"sequence\":\"%" PRIu64 "\",\"issued_at_ms\":\"%" PRIu64
               "\"",
               hex, f->sequence, f->issued_at_ms);
        vb_hex_encode(f->commitment, sizeof f->commitment, hex);
        printf(",\"commitment\":\"%s\"", hex);
    } else {
        printf(",\"server_key\":null,\"sequence\":null,\"issued_at_ms\":null,\"commitment\":null");
    }
    if (f->readable && f->kind == VB_RECORD_ABORT) {
        printf(",\"abort_reason\":\"%s\",\"aborted_at_ms\":\"%" PRIu64 "\"",
               vb_abort_reason_name(f->abort_reason), f->aborted_at_ms);
    } else {
        printf(",\"abort_reason\":null,\"aborted_at_ms\":null");
    }
    printf(",\"exit_code\":%d}\n", vb_finding_exit(f));
}

void vb_finding_print_line(const vb_finding *f, const char *path) {
    printf("%-12s  %-22s  ", vb_verdict_name(f->verdict),
           f->reason ? vb_reason_name(f->reason) : "-");
    vb_show_path(path);
    if (f->readable && f->kind == VB_RECORD_ABORT) {
        printf("  (abort: %s)", vb_abort_reason_name(f->abort_reason));
    } else if (f->kind == VB_RECORD_COMMITMENT) {
        printf("  (commitment)");
    }
    printf("\n");
}

void vb_finding_print_text(const vb_finding *f) {
    char hex[VB_SHA256_HEX_BYTES], when[VB_SHOW_TIME_BYTES];
    printf("record      %s\n", vb_record_kind_name(f->kind));
    if (f->readable) {
        printf("number      %" PRIu64 "\n", f->sequence);
        vb_hex_encode(f->server_key, sizeof f->server_key, hex);
        printf("server key  %s\n", hex);
        vb_hex_encode(f->commitment, sizeof f->commitment, hex);
        vb_show_time(f->issued_at_ms, when);
        printf("commitment  %s\ncommitted   %s\n", hex, when);
    }
    if (f->readable && f->kind == VB_RECORD_ABORT) {
        vb_show_time(f->aborted_at_ms, when);
        printf("aborted     %s (%s)\n", when, vb_abort_reason_name(f->abort_reason));
    }
    printf("found       %s\n%s", f->detail, vb_verdict_name(f->verdict));
    if (f->reason) {
        printf(" (%s)", vb_reason_name(f->reason));
    }
    printf("\n");
}
