/*
 * The checks of level `receipt`. Each ends in exactly one record: pass, fail with the reason that
 * protocol and spec/receipt.md give it, or unknown when it could not be made.
 */
#include "verify/check.h"

#include <stdio.h>
#include <string.h>

#include "beacon/beacon.h"
#include "receipt/digests.h"
#include "receipt/records.h"

/* An error that is about this program's means and not about the receipt. */
static void unfinished(vb_report *rep, vb_check_id id, const vb_error *e) {
    vb_report_unknown(rep, id, VB_REASON_UNFINISHED, "%s", e->msg);
}

static bool read_receipt(const void *bytes, size_t n_bytes, vb_receipt *r, vb_report *rep) {
    vb_error e = {0};
    vb_err err = vb_receipt_decode(bytes, n_bytes, r, &e);
    if (err == VB_OK) {
        vb_report_pass(rep, VB_CHECK_FORMAT, NULL, "canonical JSON, every field in its range");
        return true;
    }
    vb_reason reason = err == VB_EUNSUPPORTED ? VB_REASON_UNSUPPORTED_FORMAT
                       : err == VB_ENOMEM     ? VB_REASON_UNFINISHED
                                              : VB_REASON_UNREADABLE;
    vb_report_unknown(rep, VB_CHECK_FORMAT, reason, "%s", e.msg);
    return false;
}

static void check_signature(const vb_receipt *r, vb_report *rep) {
    vb_error e = {0};
    if (vb_receipt_verification_hash(r, rep->verification_hash, &e)) {
        unfinished(rep, VB_CHECK_SIGNATURE, &e);
        return;
    }
    rep->have_verification_hash = true;
    vb_err err = vb_ed25519_verify(r->request.server_key, sizeof r->request.server_key,
                                   rep->verification_hash, sizeof rep->verification_hash,
                                   r->signature, sizeof r->signature, &e);
    if (err == VB_OK) {
        vb_report_pass(rep, VB_CHECK_SIGNATURE, NULL, "the server's over verification_hash");
    } else if (err == VB_EMISMATCH || err == VB_EFORMAT) {
        vb_report_fail(rep, VB_CHECK_SIGNATURE, VB_REASON_SIGNATURE, "%s", e.msg);
    } else {
        unfinished(rep, VB_CHECK_SIGNATURE, &e);
    }
}

/* What is said of a check that nothing required. */
static void leave_open(vb_report *rep, vb_check_id id, const char *why) {
    vb_check *c = &rep->checks[id];
    snprintf(c->detail, sizeof c->detail, "%s", why);
}

static void check_server_key(const vb_receipt *r, const vb_expect *x, const vb_trust *trust,
                             vb_report *rep) {
    if (!x->server_key && trust->any_server_key) {
        leave_open(
            rep, VB_CHECK_SERVER_KEY,
            "no key was expected: the signature says that one key made all of this, not whose");
        return;
    }
    vb_report_require(rep, VB_CHECK_SERVER_KEY);
    if (x->server_key &&
        memcmp(x->server_key, r->request.server_key, VB_ED25519_PUBLIC_BYTES) != 0) {
        vb_report_fail(rep, VB_CHECK_SERVER_KEY, VB_REASON_SIGNATURE,
                       "signed with another key than the expected one");
        return;
    }
    if (trust->any_server_key) {
        vb_report_pass(rep, VB_CHECK_SERVER_KEY, NULL, "the expected server's");
        return;
    }
    const vb_trust_key *known = vb_trust_server_key(trust, r->request.server_key);
    if (known) {
        vb_report_pass(rep, VB_CHECK_SERVER_KEY, NULL, "trusted as \"%s\"", known->name);
    } else {
        vb_report_unknown(rep, VB_CHECK_SERVER_KEY, VB_REASON_TRUST_ROOT,
                          "signed with a key that the trust file does not list");
    }
}

static void check_commitment(const vb_receipt *r, const vb_expect *x, vb_report *rep) {
    vb_error e = {0};
    vb_err err = vb_commitment_check(r, &e);
    if (err == VB_EMISMATCH) {
        vb_report_fail(rep, VB_CHECK_COMMITMENT, VB_REASON_COMMITMENT, "%s", e.msg);
    } else if (err) {
        unfinished(rep, VB_CHECK_COMMITMENT, &e);
    } else if (x->commitment && memcmp(r->commitment, x->commitment, VB_SHA256_BYTES) != 0) {
        vb_report_fail(rep, VB_CHECK_COMMITMENT, VB_REASON_COMMITMENT,
                       "not the commitment that was given before the answer");
    } else if (x->nonce && strcmp(x->nonce, r->request.nonce) != 0) {
        vb_report_fail(rep, VB_CHECK_COMMITMENT, VB_REASON_COMMITMENT,
                       "the nonce is not the expected one");
    } else {
        vb_report_pass(rep, VB_CHECK_COMMITMENT, NULL,
                       "the digest of the request, signed; sequence %llu",
                       (unsigned long long)r->request.sequence);
    }
}

static void check_arithmetic(const vb_receipt *r, vb_report *rep) {
    if (strcmp(r->request.arithmetic, VB_ARITHMETIC) == 0) {
        vb_report_pass(rep, VB_CHECK_ARITHMETIC, NULL, "%s", VB_ARITHMETIC);
    } else {
        vb_report_unknown(rep, VB_CHECK_ARITHMETIC, VB_REASON_UNSUPPORTED_ARITHMETIC,
                          "this build defines %s, the receipt names %s", VB_ARITHMETIC,
                          r->request.arithmetic);
    }
}

/* True when the round is genuine: facts are then what its proof tells. */
static bool check_beacon(const vb_receipt *r, const vb_trust *trust, vb_beacon_facts *facts,
                         vb_report *rep) {
    if (!r->has_beacon) {
        vb_report_pass(rep, VB_CHECK_BEACON, NULL, "none: the caller gave the seed");
        return false;
    }
    vb_error e = {0};
    switch (vb_beacon_verify(&r->beacon, trust, facts, &e)) {
    case VB_OK: break;
    case VB_EMISMATCH:
    case VB_EFORMAT:
    case VB_ELIMIT:
        vb_report_fail(rep, VB_CHECK_BEACON, VB_REASON_BEACON_PROOF, "%s", e.msg);
        return false;
    case VB_EUNTRUSTED:
        vb_report_unknown(rep, VB_CHECK_BEACON, VB_REASON_TRUST_ROOT, "%s", e.msg);
        return false;
    case VB_EUNSUPPORTED:
        vb_report_unknown(rep, VB_CHECK_BEACON, VB_REASON_UNSUPPORTED_BEACON, "%s", e.msg);
        return false;
    default: unfinished(rep, VB_CHECK_BEACON, &e); return false;
    }
    if (vb_trust_accepts_beacon(trust, r->beacon.id)) {
        vb_report_pass(rep, VB_CHECK_BEACON, facts->caveat, "%s, round %llu", r->beacon.id,
                       (unsigned long long)r->beacon.round);
    } else {
        vb_report_unknown(rep, VB_CHECK_BEACON, VB_REASON_TRUST_ROOT,
                          "the trust file does not accept the beacon %s", r->beacon.id);
    }
    return true;
}

/* What a mode's rule is worth for this receipt and this verifier. */
static void grade_of_mode(const vb_receipt *r, const vb_expect *x, const vb_beacon_facts *facts,
                          char out[VB_CHECK_GRADE_BYTES]) {
    const char *more = "";
    if (facts->chosen && (r->request.mode == VB_MODE_NEXT || r->request.mode == VB_MODE_LATEST)) {
        snprintf(out, VB_CHECK_GRADE_BYTES,
                 "%s: the proof leaves the server a choice of draws; no claim that it was fair",
                 vb_beacon_mode_name(r->request.mode));
        return;
    }
    switch (r->request.mode) {
    case VB_MODE_NEXT:
        if (!x->commitment) {
            more = "; the commitment's time is the server's word, unless it was seen before the "
                   "round";
        }
        break;
    case VB_MODE_LATEST:
        if (!r->request.nonce[0]) {
            more = "; there is none: no claim that the draw was fair";
        } else if (!x->nonce) {
            more = "; that the nonce is the client's was not checked";
        }
        break;
    default: break;
    }
    snprintf(out, VB_CHECK_GRADE_BYTES, "%s%s", vb_beacon_mode_strength(r->request.mode), more);
}

/* Without a genuine round's windows the modes that need them can not be checked. */
static void leave_rule_open(vb_report *rep) {
    const vb_check *beacon = &rep->checks[VB_CHECK_BEACON];
    vb_report_unknown(rep, VB_CHECK_ROUND_RULE,
                      beacon->status == VB_CHECK_UNKNOWN ? beacon->reason : VB_REASON_UNFINISHED,
                      "when the round appeared is not known without a proof of it");
}

/* Which round a mode allows. */
static void check_round_rule(const vb_receipt *r, const vb_expect *x, const vb_trust *trust,
                             const vb_beacon_facts *facts, bool genuine, vb_report *rep) {
    const vb_receipt_request *q = &r->request;
    const bool timed = (q->mode == VB_MODE_NEXT || q->mode == VB_MODE_LATEST) &&
                       vb_beacon_kind_of_id(q->beacon_id) != VB_BEACON_LOCAL;
    if (!(trust->modes >> q->mode & 1)) {
        vb_report_unknown(rep, VB_CHECK_ROUND_RULE, VB_REASON_TRUST_ROOT,
                          "the trust file does not accept mode %s", vb_beacon_mode_name(q->mode));
    }
    if (timed && !genuine) {
        leave_rule_open(rep);
        return;
    }
    vb_error e = {0};
    vb_err err = VB_OK;
    if (r->has_beacon) {
        err = vb_beacon_round_rule(q->mode, q->issued_at_ms, q->has_round ? &q->round : NULL,
                                   &r->beacon, facts, &e);
    }
    if (err == VB_EMISMATCH) {
        vb_report_fail(rep, VB_CHECK_ROUND_RULE, VB_REASON_ROUND_RULE, "%s", e.msg);
    } else if (err) {
        vb_report_unknown(rep, VB_CHECK_ROUND_RULE, VB_REASON_UNSUPPORTED_BEACON, "%s", e.msg);
    } else {
        char grade[VB_CHECK_GRADE_BYTES];
        grade_of_mode(r, x, facts, grade);
        vb_report_pass(rep, VB_CHECK_ROUND_RULE, grade, "mode %s%s%s", vb_beacon_mode_name(q->mode),
                       q->fallback_from[0] ? ", a fallback from " : "", q->fallback_from);
    }
}

static void check_seed(const vb_receipt *r, vb_report *rep) {
    for (size_t i = 0; i < r->n_outputs; i++) {
        uint8_t seed[VB_SHA256_BYTES];
        vb_error e = {0};
        if (vb_receipt_seed(r, (uint32_t)i, seed, &e)) {
            unfinished(rep, VB_CHECK_SEED, &e);
            return;
        }
        if (memcmp(seed, r->outputs[i].seed, sizeof seed) != 0) {
            vb_report_fail(rep, VB_CHECK_SEED, VB_REASON_SEED,
                           "outputs[%zu].seed does not follow from the commitment and the round",
                           i);
            return;
        }
    }
    vb_report_pass(rep, VB_CHECK_SEED, NULL, "follows from the %s",
                   r->has_beacon ? "commitment and the round" : "caller's seed");
}

/* The prompt's digest against ids; false (and a record) when they are not its preimage. */
static bool digest_matches(const vb_receipt *r, const uint32_t *ids, size_t n, const char *whose,
                           vb_report *rep) {
    uint8_t d[VB_SHA256_BYTES];
    vb_digest_tokens(ids, n, d);
    if (n == r->request.n_prompt_tokens && memcmp(d, r->request.prompt_sha256, sizeof d) == 0) {
        return true;
    }
    vb_report_fail(rep, VB_CHECK_PROMPT_DIGEST, VB_REASON_PROMPT,
                   "%s (%zu tokens) are not those that were committed to (%llu)", whose, n,
                   (unsigned long long)r->request.n_prompt_tokens);
    return false;
}

static bool same_text(const vb_text *a, const vb_text *b) {
    return a->len == b->len && (a->len == 0 || memcmp(a->p, b->p, a->len) == 0);
}

static bool same_messages(const vb_receipt_prompt *a, const vb_receipt_prompt *b) {
    bool same = a->n_messages == b->n_messages;
    for (size_t i = 0; same && i < a->n_messages; i++) {
        same = strcmp(a->messages[i].role, b->messages[i].role) == 0 &&
               same_text(&a->messages[i].content, &b->messages[i].content);
    }
    return same;
}

/* What of a prompt that is not private is not the receipt's; NULL: all that the receipt holds is
 * the same. */
static const char *prompt_difference(const vb_receipt_prompt *given, const vb_receipt_prompt *p) {
    if (given->kind != p->kind) {
        return "kind";
    }
    if (strcmp(given->date, p->date) != 0) {
        return "date";
    }
    if (given->has_template != p->has_template ||
        (p->has_template &&
         memcmp(given->template_sha256, p->template_sha256, VB_SHA256_BYTES) != 0)) {
        return "template_sha256";
    }
    if (p->has_tokens && !same_text(&given->text, &p->text)) {
        return "text";
    }
    return p->has_tokens && !same_messages(given, p) ? "messages" : NULL;
}

static void check_prompt_digest(const vb_receipt *r, const vb_expect *x, vb_report *rep) {
    const vb_receipt_prompt *p = &r->prompt, *given = x->prompt;
    if (p->has_tokens &&
        !digest_matches(r, p->tokens, p->n_tokens, "the receipt's prompt tokens", rep)) {
        return;
    }
    if (given) {
        VB_ASSERT(given->has_tokens);
        const char *other = prompt_difference(given, p);
        if (other) {
            vb_report_fail(rep, VB_CHECK_PROMPT_DIGEST, VB_REASON_PROMPT,
                           "prompt.%s is not that of the prompt that was given apart", other);
            return;
        }
        if (!digest_matches(r, given->tokens, given->n_tokens,
                            "the tokens of the prompt that was given apart", rep)) {
            return;
        }
    }
    if (p->has_tokens || given) {
        vb_report_pass(rep, VB_CHECK_PROMPT_DIGEST, NULL, "%llu tokens, as committed to",
                       (unsigned long long)r->request.n_prompt_tokens);
    } else {
        vb_report_unknown(rep, VB_CHECK_PROMPT_DIGEST, VB_REASON_MISSING_PROMPT,
                          "a private receipt: give the prompt apart");
    }
}

static const char *sampling_difference(const vb_sampling *a, const vb_sampling *b) {
    if (a->temperature != b->temperature) {
        return "temperature";
    }
    if (a->top_k != b->top_k) {
        return "top_k";
    }
    if (a->top_p != b->top_p) {
        return "top_p";
    }
    if (a->min_p != b->min_p) {
        return "min_p";
    }
    if (a->presence_penalty != b->presence_penalty) {
        return "presence_penalty";
    }
    if (a->frequency_penalty != b->frequency_penalty) {
        return "frequency_penalty";
    }
    if (a->repetition_penalty != b->repetition_penalty) {
        return "repetition_penalty";
    }
    bool same = a->n_bias == b->n_bias;
    for (size_t i = 0; same && i < a->n_bias; i++) {
        same = a->bias[i].token == b->bias[i].token && a->bias[i].bias == b->bias[i].bias;
    }
    return same ? NULL : "logit_bias";
}

static void check_expected(const vb_receipt *r, const vb_expect *x, vb_report *rep) {
    if (x->model_sha256) {
        vb_report_require(rep, VB_CHECK_EXPECTED_MODEL);
        if (memcmp(x->model_sha256, r->request.model_sha256, VB_SHA256_BYTES) == 0) {
            vb_report_pass(rep, VB_CHECK_EXPECTED_MODEL, NULL, "the expected digest");
        } else {
            vb_report_fail(rep, VB_CHECK_EXPECTED_MODEL, VB_REASON_MODEL_DIGEST,
                           "the receipt is of another model than the expected one");
        }
    }
    if (!x->sampling && !x->max_tokens) {
        return;
    }
    vb_report_require(rep, VB_CHECK_PARAMETERS);
    const char *other = x->sampling ? sampling_difference(x->sampling, &r->request.sampling) : NULL;
    if (!other && x->max_tokens && *x->max_tokens != r->request.max_tokens) {
        other = "max_tokens";
    }
    if (other) {
        vb_report_fail(rep, VB_CHECK_PARAMETERS, VB_REASON_PARAMETERS, "%s is not the expected one",
                       other);
    } else {
        vb_report_pass(rep, VB_CHECK_PARAMETERS, NULL, "the expected ones");
    }
}

static void check_text_digest(const vb_receipt *r, vb_report *rep) {
    for (size_t i = 0; i < r->n_outputs; i++) {
        const vb_receipt_output *o = &r->outputs[i];
        uint8_t d[VB_SHA256_BYTES];
        vb_digest_text(o->text.p, o->text.len, d);
        if (memcmp(d, o->text_sha256, sizeof d) != 0) {
            vb_report_fail(rep, VB_CHECK_TEXT_DIGEST, VB_REASON_TEXT,
                           "outputs[%zu].text is not the text of its digest", i);
            return;
        }
    }
    vb_report_pass(rep, VB_CHECK_TEXT_DIGEST, NULL, "of %zu output%s", r->n_outputs,
                   r->n_outputs == 1 ? "" : "s");
}

static bool is_stop_token(const vb_receipt_request *q, uint32_t id) {
    for (size_t i = 0; i < q->n_stop_tokens; i++) {
        if (q->stop_tokens[i] == id) {
            return true;
        }
    }
    return false;
}

/* What one output's length says about its end; false and a record when it contradicts it. */
static bool check_end(const vb_receipt *r, size_t i, vb_report *rep) {
    const vb_receipt_request *q = &r->request;
    const vb_receipt_output *o = &r->outputs[i];
    uint64_t room = q->ctx_tokens - q->n_prompt_tokens; /* > 0: checked before */
    uint64_t most = q->max_tokens < room ? q->max_tokens : room;
    if (o->n_tokens > most) {
        vb_report_fail(rep, VB_CHECK_LIMITS, VB_REASON_FINISH_REASON,
                       "outputs[%zu] has %zu tokens; the request allows %llu", i, o->n_tokens,
                       (unsigned long long)most);
        return false;
    }
    if (o->finish == VB_FINISH_LENGTH && o->n_tokens < most) {
        vb_report_fail(rep, VB_CHECK_LIMITS, VB_REASON_TRUNCATED,
                       "outputs[%zu] ended for its length after %zu tokens of %llu", i, o->n_tokens,
                       (unsigned long long)most);
        return false;
    }
    for (size_t t = 0; t < o->n_tokens; t++) {
        bool last = t + 1 == o->n_tokens;
        if (is_stop_token(q, o->tokens[t]) && (!last || o->finish != VB_FINISH_STOP)) {
            vb_report_fail(rep, VB_CHECK_LIMITS, VB_REASON_FINISH_REASON,
                           "outputs[%zu].tokens[%zu] is a stop token, and the output did not stop",
                           i, t);
            return false;
        }
    }
    return true;
}

static void check_limits(const vb_receipt *r, vb_report *rep) {
    const vb_receipt_request *q = &r->request;
    uint64_t completion = 0;
    if (r->n_outputs != q->n_choices) {
        vb_report_fail(rep, VB_CHECK_LIMITS, VB_REASON_TRUNCATED,
                       "%u choices were asked for, %zu are here", q->n_choices, r->n_outputs);
        return;
    }
    if (r->usage_prompt_tokens != q->n_prompt_tokens) {
        vb_report_fail(rep, VB_CHECK_LIMITS, VB_REASON_PROMPT,
                       "usage counts %llu prompt tokens, the request %llu",
                       (unsigned long long)r->usage_prompt_tokens,
                       (unsigned long long)q->n_prompt_tokens);
        return;
    }
    if (q->n_prompt_tokens >= q->ctx_tokens) {
        vb_report_fail(rep, VB_CHECK_LIMITS, VB_REASON_PARAMETERS,
                       "the prompt leaves no room in a context of %u tokens", q->ctx_tokens);
        return;
    }
    for (size_t i = 0; i < r->n_outputs; i++) {
        if (!check_end(r, i, rep)) {
            return;
        }
        completion += r->outputs[i].n_tokens;
    }
    if (r->usage_completion_tokens != completion) {
        vb_report_fail(rep, VB_CHECK_LIMITS, VB_REASON_TRUNCATED,
                       "usage counts %llu completion tokens, %llu are here",
                       (unsigned long long)r->usage_completion_tokens,
                       (unsigned long long)completion);
        return;
    }
    vb_report_pass(rep, VB_CHECK_LIMITS, NULL, "%llu prompt and %llu output tokens",
                   (unsigned long long)q->n_prompt_tokens, (unsigned long long)completion);
}

bool vb_check_receipt(const void *bytes, size_t n_bytes, const vb_expect *expect, vb_receipt *r,
                      vb_report *rep) {
    static const vb_expect nothing;
    const vb_expect *x = expect ? expect : &nothing;
    if (!read_receipt(bytes, n_bytes, r, rep)) {
        return false;
    }
    const vb_trust *trust = x->trust ? x->trust : vb_trust_builtin();
    vb_beacon_facts facts = {0};
    rep->have_receipt = true;
    memcpy(rep->id, r->id, sizeof rep->id);
    memcpy(rep->model_sha256, r->request.model_sha256, sizeof rep->model_sha256);
    memcpy(rep->server_key, r->request.server_key, sizeof rep->server_key);
    check_signature(r, rep);
    check_server_key(r, x, trust, rep);
    check_commitment(r, x, rep);
    check_arithmetic(r, rep);
    const bool genuine = check_beacon(r, trust, &facts, rep);
    check_round_rule(r, x, trust, &facts, genuine, rep);
    check_seed(r, rep);
    check_prompt_digest(r, x, rep);
    check_expected(r, x, rep);
    check_text_digest(r, rep);
    check_limits(r, rep);
    return true;
}
