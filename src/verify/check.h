/*
 * Verification: named checks, and one verdict drawn from them. This file holds the report and the
 * checks that need no model (level `receipt`); replay.c adds those that do, opening.c those of an
 * opening. Pure.
 *
 * How a report can not read VERIFIED by accident: the level names the checks it requires when the
 * report begins, each starts as `missing`, and only vb_report_finish sets a verdict: VERIFIED when
 * every required check passed and no check at all failed or could not be done (level `full` also
 * needs `replayed`, level `sample` a position that was drawn again). Zeroed memory reads
 * UNVERIFIABLE.
 *
 * Owner: a vb_report is caller's memory (about 60 KB), nothing to free. One thread at a time.
 */
#ifndef VB_VERIFY_CHECK_H
#define VB_VERIFY_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "beacon/trust.h"
#include "receipt/receipt.h"
#include "verify/divergence.h"

typedef enum vb_verdict {
    VB_VERDICT_UNVERIFIABLE = 0,
    VB_VERDICT_REFUTED,
    VB_VERDICT_VERIFIED
} vb_verdict;

/* Why not VERIFIED (spec/receipt.md). Names are stable: vb_reason_name. */
typedef enum vb_reason {
    VB_REASON_NONE = 0, /* VERIFIED only */
    /* REFUTED */
    VB_REASON_SIGNATURE,
    VB_REASON_COMMITMENT,
    VB_REASON_BEACON_PROOF,
    VB_REASON_ROUND_RULE,
    VB_REASON_SEED,
    VB_REASON_MODEL_DIGEST,
    VB_REASON_PROMPT,
    VB_REASON_PARAMETERS,
    VB_REASON_TOKEN,
    VB_REASON_TRACE,
    VB_REASON_TEXT,
    VB_REASON_FINISH_REASON,
    VB_REASON_TRUNCATED,
    VB_REASON_REFUTED_BY_WITNESSES, /* "witnesses" */
    /* UNVERIFIABLE */
    VB_REASON_UNREADABLE,             /* no file, or bytes that are not a receipt */
    VB_REASON_UNSUPPORTED_FORMAT,     /* a receipt of another version */
    VB_REASON_UNSUPPORTED_ARITHMETIC, /* logits this build does not define */
    VB_REASON_UNSUPPORTED_BEACON,     /* a beacon or mode this build can not check */
    VB_REASON_TRUST_ROOT,             /* nothing that the verifier trusts vouches for it */
    VB_REASON_MISSING_MODEL,
    VB_REASON_MISSING_PROMPT, /* a private receipt, and the prompt was not given apart */
    VB_REASON_UNCONFIRMED,    /* "witnesses": fewer than the quorum confirm it */
    VB_REASON_UNFINISHED      /* stopped, out of memory, or a check was not made */
} vb_reason;

typedef enum vb_level {
    VB_LEVEL_RECEIPT,
    VB_LEVEL_SAMPLE,
    VB_LEVEL_FULL,
    VB_LEVEL_OPENING, /* a receipt as at level `receipt`, and an opening of it */
    VB_LEVEL_QUORUM   /* a receipt as at level `receipt`, and witnesses' statements of it */
} vb_level;

typedef enum vb_check_status {
    VB_CHECK_MISSING = 0, /* required by the level, not made yet */
    VB_CHECK_PASS,
    VB_CHECK_FAIL,    /* the receipt is refuted */
    VB_CHECK_UNKNOWN, /* could not be done: the verdict can not be VERIFIED */
    VB_CHECK_SKIP     /* not asked for; only for checks that the level does not require */
} vb_check_status;

/* The checks, in the order in which they are made and in which the first failure gives the reason.
 */
typedef enum vb_check_id {
    VB_CHECK_FORMAT = 0, /* canonical JSON, every field in its range */
    VB_CHECK_SIGNATURE,
    VB_CHECK_SERVER_KEY, /* the expected server's, a trusted one (when there are such) */
    VB_CHECK_COMMITMENT, /* C recomputed, its signature, the expected nonce */
    VB_CHECK_ARITHMETIC,
    VB_CHECK_BEACON,
    VB_CHECK_ROUND_RULE,
    VB_CHECK_SEED,
    VB_CHECK_PROMPT_DIGEST,
    VB_CHECK_PARAMETERS, /* the expected ones (when given) */
    VB_CHECK_EXPECTED_MODEL,
    VB_CHECK_TEXT_DIGEST,
    VB_CHECK_LIMITS, /* counts, usage and finish reason agree with each other */
    /* With the model: replay.c. */
    VB_CHECK_MODEL_DIGEST,
    VB_CHECK_PROMPT, /* text or messages give these prompt tokens */
    VB_CHECK_TOKENS,
    VB_CHECK_TRACE,
    VB_CHECK_TEXT,
    VB_CHECK_FINISH,
    /* With an opening: opening.c. */
    VB_CHECK_OPENING_FORMAT,  /* canonical JSON, every field in its range */
    VB_CHECK_OPENING_RECEIPT, /* it names this receipt */
    VB_CHECK_OPENING_TOKEN,   /* the output has this token there */
    VB_CHECK_OPENING_PATH,    /* its leaf is in the trace */
    VB_CHECK_OPENING_DRAW,    /* these logits give this token */
    VB_CHECK_OPENING_NUMBERS, /* logit, rank, weight and total follow from the logits */
    /* With statements: src/witness/quorum.c. */
    VB_CHECK_WITNESSES, /* as many as were asked for confirm the receipt */
    VB_CHECK_COUNT
} vb_check_id;

enum { VB_CHECK_DETAIL_BYTES = 512, VB_CHECK_GRADE_BYTES = VB_BEACON_CAVEAT_BYTES + 512 };

typedef struct vb_check {
    vb_check_status status;
    bool required;
    vb_reason reason;                   /* of FAIL and UNKNOWN */
    char detail[VB_CHECK_DETAIL_BYTES]; /* printable ASCII: whatever was hostile is '?' */
    char grade[VB_CHECK_GRADE_BYTES];   /* how strong a pass is; "" when there is nothing to say */
} vb_check;

/* What a witness's statement is worth for one receipt (spec/witness.md section 4). */
typedef enum vb_standing {
    VB_STANDING_UNUSABLE = 0, /* no statement, or not a good one */
    VB_STANDING_OTHER,        /* it does not hold against this receipt */
    VB_STANDING_UNLISTED,     /* by nobody whom the trust file lists */
    VB_STANDING_CONFLICTS,    /* its witness has signed another that contradicts it */
    VB_STANDING_SILENT,       /* neither confirms nor refutes */
    VB_STANDING_REFUTES,
    VB_STANDING_CONFIRMS
} vb_standing;

typedef struct vb_witness_finding {
    vb_standing standing;
    const char *file;    /* printable */
    const char *against; /* the file of a statement that contradicts this one; NULL: none */
    const char *name;    /* the trust file's; NULL: it is not listed */
    bool have_key;       /* of the witness */
    uint8_t key[VB_ED25519_PUBLIC_BYTES];
    char detail[VB_ERROR_MSG_MAX];
} vb_witness_finding;

typedef struct vb_witness_findings {
    const vb_witness_finding *items; /* one a statement */
    size_t n;
    size_t n_listed;                 /* witnesses of the trust file */
    size_t n_confirming, n_refuting; /* of them; none of these contradicts itself */
    uint32_t quorum;                 /* how many were asked for; 0: nobody asked */
} vb_witness_findings;

const char *vb_standing_name(vb_standing s); /* "confirms", "refutes", ... */

typedef struct vb_report {
    vb_level level;
    bool finished;
    vb_verdict verdict; /* meaningful once finished; use vb_report_verdict */
    vb_reason reason;
    vb_check checks[VB_CHECK_COUNT];
    vb_divergence divergence;        /* of a TOKEN refutation by a replay */
    bool replayed;                   /* level full: every token was drawn again */
    uint64_t n_sampled, n_positions; /* level sample: k of n were; 0 until the replay is through */
    const vb_witness_findings *witnesses; /* borrowed until the report was written; NULL: none */
    /* What the receipt says, for people; set once it was read. */
    bool have_receipt;
    char id[VB_RECEIPT_ID_BYTES_MAX + 1];
    uint8_t model_sha256[VB_SHA256_BYTES], server_key[VB_ED25519_PUBLIC_BYTES];
    uint8_t verification_hash[VB_SHA256_BYTES];
    bool have_verification_hash;
} vb_report;

/* Begins: checks required by the level are MISSING, the others SKIP. */
void vb_report_begin(vb_report *rep, vb_level level);

/* Makes a check required whatever the level says; before it is made. */
void vb_report_require(vb_report *rep, vb_check_id id);

/* Records a check. FAIL needs a REFUTED reason and UNKNOWN an UNVERIFIABLE one (asserted). A FAIL
 * stays a FAIL and an UNKNOWN is replaced only by a FAIL: a later pass can not hide either. */
void vb_report_pass(vb_report *rep, vb_check_id id, const char *grade, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void vb_report_fail(vb_report *rep, vb_check_id id, vb_reason reason, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void vb_report_unknown(vb_report *rep, vb_check_id id, vb_reason reason, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Whether a check has failed: whatever is still to be made can not change that. */
bool vb_report_refuted(const vb_report *rep);

/* Draws the verdict; afterwards nothing more may be recorded (asserted). */
void vb_report_finish(vb_report *rep);

/* UNVERIFIABLE / UNFINISHED until finished. */
vb_verdict vb_report_verdict(const vb_report *rep);
vb_reason vb_report_reason(const vb_report *rep);
int vb_report_exit_code(const vb_report *rep); /* 0 VERIFIED, 10 REFUTED, 11 UNVERIFIABLE */

const char *vb_verdict_name(vb_verdict v); /* "VERIFIED", "REFUTED", "UNVERIFIABLE" */
const char *vb_reason_name(vb_reason r);   /* "signature", ...; "none" */
const char *vb_level_name(vb_level l);     /* "receipt", "sample", "full", "opening", "quorum" */
const char *vb_check_name(vb_check_id id); /* "signature", ... */
const char *vb_check_status_name(vb_check_status s);

/* For people (UTF-8, control characters of the receipt made harmless) and for programs (one
 * canonical JSON object). */
VB_MUST_CHECK vb_err vb_report_write_text(const vb_report *rep, vb_buf *out, vb_error *e);
VB_MUST_CHECK vb_err vb_report_write_json(const vb_report *rep, vb_buf *out, vb_error *e);

/* What the verifier knows on its own; every pointer may be NULL (not expected). */
typedef struct vb_expect {
    const vb_trust *trust;           /* NULL: the built-in roots */
    const uint8_t *server_key;       /* [32] */
    const uint8_t *model_sha256;     /* [32] */
    const vb_receipt_prompt *prompt; /* not private; a private receipt's prompt, given apart */
    const vb_sampling *sampling;
    const uint32_t *max_tokens;
    const char *nonce;
    const uint8_t *commitment; /* [32]: C as the client received it before the answer */
} vb_expect;

/* Makes all checks of level `receipt` on bytes: at the end r (caller's, initialised here, freed by
 * the caller with vb_receipt_free) holds the receipt if it could be read, for the model-level
 * checks. Returns false when the receipt could not be read, and then r is empty. The report is not
 * finished here: the caller adds its checks, if any, and calls vb_report_finish. */
bool vb_check_receipt(const void *bytes, size_t n_bytes, const vb_expect *expect, vb_receipt *r,
                      vb_report *rep);

#endif
