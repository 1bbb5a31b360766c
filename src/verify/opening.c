#include "verify/opening.h"

#include <stdlib.h>
#include <string.h>

#include "arith/rows.h"
#include "receipt/digests.h"
#include "verify/constraint.h"

/* What an opening says of its token, from the logits alone. */
typedef struct numbers {
    float logit;
    uint64_t rank, weight, total;
} numbers;

/* token < n; all logits are finite. */
static numbers measure(const float *logits, size_t n, uint32_t token) {
    enum { CHUNK = 256 };
    uint64_t w[CHUNK];
    const float logit = logits[token], top = logits[vb_argmax(logits, n)];
    numbers m = {logit, 1, 0, 0};
    for (size_t at = 0; at < n; at += CHUNK) {
        const size_t size = n - at < CHUNK ? n - at : CHUNK;
        vb_exp_weights(logits + at, size, top, 1.0f, w);
        for (size_t i = 0; i < size; i++) {
            m.total += w[i];
            m.rank += logits[at + i] > logit || (logits[at + i] == logit && at + i < token);
        }
        if (token >= at && token - at < size) {
            m.weight = w[token - at];
        }
    }
    return m;
}

static bool is_trace(const vb_receipt_output *out, const uint8_t (*leaves)[VB_SHA256_BYTES],
                     size_t n_leaves) {
    vb_trace tr;
    uint8_t root[VB_SHA256_BYTES];
    if (n_leaves != out->n_tokens) {
        return false;
    }
    vb_trace_begin(&tr);
    for (size_t i = 0; i < n_leaves; i++) {
        vb_trace_add(&tr, leaves[i]);
    }
    vb_trace_root(&tr, root);
    return memcmp(root, out->trace_root, sizeof root) == 0;
}

vb_err vb_opening_make(const vb_receipt *r, const uint8_t verification_hash[VB_SHA256_BYTES],
                       uint32_t choice, uint64_t position, const float *logits, size_t n_logits,
                       const uint8_t (*leaves)[VB_SHA256_BYTES], size_t n_leaves, vb_opening *out,
                       vb_error *e) {
    if (choice >= r->n_outputs || position >= r->outputs[choice].n_tokens) {
        return vb_fail(e, VB_EINVAL, "the receipt has no position %llu of choice %u",
                       (unsigned long long)position, choice);
    }
    const vb_receipt_output *output = &r->outputs[choice];
    const uint32_t token = output->tokens[position];
    uint8_t leaf[VB_SHA256_BYTES];
    vb_trace_leaf(position, token, logits, n_logits, leaf);
    if (token >= n_logits || !is_trace(output, leaves, n_leaves) ||
        memcmp(leaf, leaves[position], sizeof leaf) != 0) {
        return vb_fail(e, VB_EMISMATCH,
                       "the receipt does not replay: these are not the leaves of its trace");
    }
    const numbers m = measure(logits, n_logits, token);
    vb_opening o = {.choice = choice,
                    .position = position,
                    .token = token,
                    .logits = malloc(n_logits * sizeof *o.logits),
                    .n_logits = n_logits,
                    .path = malloc(VB_TRACE_PROOF_MAX * sizeof *o.path),
                    .logit = m.logit,
                    .rank = m.rank,
                    .weight = m.weight,
                    .total = m.total};
    if (!o.logits || !o.path) {
        vb_opening_free(&o);
        return vb_fail(e, VB_ENOMEM, "no memory for an opening of %zu logits", n_logits);
    }
    memcpy(o.receipt, verification_hash, sizeof o.receipt);
    memcpy(o.logits, logits, n_logits * sizeof *o.logits);
    o.n_path = vb_trace_prove(leaves, n_leaves, (size_t)position, o.path);
    *out = o;
    return VB_OK;
}

bool vb_opening_read(const void *bytes, size_t n_bytes, vb_opening *o, vb_report *rep) {
    vb_error e = {0};
    vb_err err = vb_opening_decode(bytes, n_bytes, o, &e);
    if (err == VB_OK) {
        vb_report_pass(rep, VB_CHECK_OPENING_FORMAT, NULL,
                       "canonical JSON, every field in its "
                       "range");
        return true;
    }
    vb_report_unknown(rep, VB_CHECK_OPENING_FORMAT,
                      err == VB_EUNSUPPORTED ? VB_REASON_UNSUPPORTED_FORMAT
                      : err == VB_ENOMEM     ? VB_REASON_UNFINISHED
                                             : VB_REASON_UNREADABLE,
                      "%s", e.msg);
    return false;
}

static void check_receipt(const vb_opening *o, const vb_receipt *r, vb_report *rep) {
    uint8_t hash[VB_SHA256_BYTES];
    vb_error e = {0};
    if (vb_receipt_verification_hash(r, hash, &e)) {
        vb_report_unknown(rep, VB_CHECK_OPENING_RECEIPT, VB_REASON_UNFINISHED, "%s", e.msg);
    } else if (memcmp(hash, o->receipt, sizeof hash) != 0) {
        vb_report_fail(rep, VB_CHECK_OPENING_RECEIPT, VB_REASON_SIGNATURE,
                       "it is an opening of another receipt");
    } else {
        vb_report_pass(rep, VB_CHECK_OPENING_RECEIPT, NULL, "of this receipt");
    }
}

/* False when there is nothing in the receipt to hold the rest against. */
static bool check_token(const vb_opening *o, const vb_receipt *r, vb_report *rep) {
    const vb_receipt_output *out = o->choice < r->n_outputs ? &r->outputs[o->choice] : NULL;
    if (!out || o->position >= out->n_tokens) {
        vb_report_fail(rep, VB_CHECK_OPENING_TOKEN, VB_REASON_TOKEN,
                       "the receipt has no position %llu of choice %u",
                       (unsigned long long)o->position, o->choice);
        return false;
    }
    if (o->token != out->tokens[o->position] || o->token >= o->n_logits) {
        vb_report_fail(rep, VB_CHECK_OPENING_TOKEN, VB_REASON_TOKEN,
                       "position %llu of choice %u is token %u, the opening has %u of %zu",
                       (unsigned long long)o->position, o->choice, out->tokens[o->position],
                       o->token, o->n_logits);
        return false;
    }
    vb_report_pass(rep, VB_CHECK_OPENING_TOKEN, NULL, "position %llu of choice %u is token %u",
                   (unsigned long long)o->position, o->choice, o->token);
    return true;
}

static void check_path(const vb_opening *o, const vb_receipt_output *out, vb_report *rep) {
    uint8_t leaf[VB_SHA256_BYTES];
    vb_trace_leaf(o->position, o->token, o->logits, o->n_logits, leaf);
    if (vb_trace_check(leaf, o->position, out->n_tokens, (const uint8_t(*)[VB_SHA256_BYTES])o->path,
                       o->n_path, out->trace_root)) {
        vb_report_pass(rep, VB_CHECK_OPENING_PATH, NULL,
                       "the server had committed to these %zu logits", o->n_logits);
    } else {
        vb_report_fail(rep, VB_CHECK_OPENING_PATH, VB_REASON_TRACE,
                       "the trace has another leaf at this position");
    }
}

/* A draw from the opened logits, after the output's tokens before them. */
typedef struct redraw {
    const vb_opening *o;
    const vb_receipt *r;
    const vb_receipt_prompt *prompt; /* NULL: none */
    vb_sampler *sampler;
    vb_grammar *grammar; /* of the request's constraint; NULL: it has none */
    vb_held *held;
    vb_report *rep;
    vb_error e;
} redraw;

/* What the constraint of the request needs. False: the check is done. */
static bool open_constraint(redraw *x, const vb_vocabulary *v) {
    const vb_receipt_request *q = &x->r->request;
    if (!q->constraint.p) {
        return true;
    }
    if (!v) {
        vb_report_unknown(x->rep, VB_CHECK_OPENING_DRAW, VB_REASON_MISSING_MODEL,
                          "what the constraint allows depends on the vocabulary: the model's file "
                          "must be given");
        return false;
    }
    vb_err err = vb_receipt_grammar(q, &x->grammar, &x->e);
    if (!err) {
        err = vb_held_open(x->grammar, v, x->o->n_logits, q->stop_tokens, q->n_stop_tokens,
                           &x->held, &x->e);
    }
    if (err) {
        vb_report_constraint(x->rep, VB_CHECK_OPENING_DRAW, err, &x->e);
    }
    return !err;
}

/* The output's tokens before the position. VB_EMISMATCH: the constraint does not allow one. */
static vb_err follow(redraw *x) {
    const vb_opening *o = x->o;
    const uint32_t *tokens = x->r->outputs[o->choice].tokens;
    vb_err err = VB_OK;
    for (size_t t = 0; t < o->position && !err; t++) {
        if (tokens[t] >= o->n_logits) {
            return vb_fail(&x->e, VB_EINVAL, "token %u at position %zu has none of the %zu logits",
                           tokens[t], t, o->n_logits);
        }
        if (x->held && (err = vb_held_accept(x->held, tokens[t], &x->e))) {
            return vb_fail_in(&x->e, err, "position %zu", t);
        }
        vb_sampler_accept(x->sampler, tokens[t]);
    }
    return err;
}

static vb_err draw(redraw *x, const vb_kernels *k, vb_choice *choice) {
    const vb_opening *o = x->o;
    const vb_receipt_prompt *p = x->prompt;
    const uint64_t *allowed = NULL;
    uint8_t seed[VB_SHA256_BYTES];
    vb_err err;
    if ((err = vb_sampler_open(k, o->n_logits, &x->sampler, &x->e)) ||
        (err = vb_receipt_seed(x->r, o->choice, seed, &x->e)) ||
        (err = vb_sampler_begin(x->sampler, &x->r->request.sampling, p ? p->tokens : NULL,
                                p ? p->n_tokens : 0, &x->e)) ||
        (err = follow(x)) || (x->held && (err = vb_held_mask(x->held, &allowed, &x->e)))) {
        return err;
    }
    return vb_sampler_draw_among(x->sampler, o->logits, allowed, vb_draw_number(seed, o->position),
                                 choice, &x->e);
}

static void compare_draw(redraw *x, const vb_kernels *k) {
    vb_choice choice;
    const vb_err err = draw(x, k, &choice);
    if (err == VB_EMISMATCH) {
        vb_report_fail(x->rep, VB_CHECK_OPENING_DRAW, VB_REASON_TOKEN, "%s", x->e.msg);
    } else if (err == VB_EINVAL || err == VB_ELIMIT || err == VB_ENONFINITE) {
        /* No answer is drawn with such parameters, or from such logits. */
        vb_report_fail(x->rep, VB_CHECK_OPENING_DRAW, VB_REASON_PARAMETERS, "%s", x->e.msg);
    } else if (err) {
        vb_report_unknown(x->rep, VB_CHECK_OPENING_DRAW, VB_REASON_UNFINISHED, "%s", x->e.msg);
    } else if (choice.token != x->o->token) {
        vb_report_fail(x->rep, VB_CHECK_OPENING_DRAW, VB_REASON_TOKEN,
                       "the draw from these logits gives token %u", choice.token);
    } else {
        vb_report_pass(x->rep, VB_CHECK_OPENING_DRAW, NULL, "the draw from %s gives it",
                       x->held ? "those of these logits that the constraint allows"
                               : "these logits");
    }
}

static void check_draw(const vb_opening *o, const vb_receipt *r,
                       const vb_receipt_prompt *prompt_apart, const vb_vocabulary *v,
                       const vb_kernels *k, vb_report *rep) {
    redraw x = {
        .o = o, .r = r, .prompt = r->prompt.has_tokens ? &r->prompt : prompt_apart, .rep = rep};
    if (!x.prompt && r->request.sampling.repetition_penalty != 1.0f) {
        vb_report_unknown(rep, VB_CHECK_OPENING_DRAW, VB_REASON_MISSING_PROMPT,
                          "the repetition penalty counts the prompt, which must be given apart");
        return;
    }
    if (open_constraint(&x, v)) {
        compare_draw(&x, k);
    }
    vb_sampler_close(x.sampler);
    vb_held_close(x.held);
    vb_grammar_close(x.grammar);
}

static void check_numbers(const vb_opening *o, vb_report *rep) {
    if (!vb_all_finite(o->logits, o->n_logits)) {
        vb_report_fail(rep, VB_CHECK_OPENING_NUMBERS, VB_REASON_PARAMETERS,
                       "a logit is not a finite number");
        return;
    }
    const numbers m = measure(o->logits, o->n_logits, o->token);
    const char *other = o->logit != m.logit     ? "logit"
                        : o->rank != m.rank     ? "rank"
                        : o->weight != m.weight ? "weight"
                        : o->total != m.total   ? "total"
                                                : NULL;
    if (other) {
        vb_report_fail(rep, VB_CHECK_OPENING_NUMBERS, VB_REASON_PARAMETERS,
                       "%s is not that of the logits", other);
    } else {
        vb_report_pass(rep, VB_CHECK_OPENING_NUMBERS, NULL,
                       "rank %llu of %zu, probability %.6g before sampling's parameters",
                       (unsigned long long)m.rank, o->n_logits, (double)m.weight / (double)m.total);
    }
}

void vb_opening_check(const vb_opening *o, const vb_receipt *r,
                      const vb_receipt_prompt *prompt_apart, const vb_vocabulary *v,
                      const vb_kernels *k, vb_report *rep) {
    check_receipt(o, r, rep);
    if (check_token(o, r, rep)) {
        check_path(o, &r->outputs[o->choice], rep);
        check_draw(o, r, prompt_apart, v, k, rep);
        check_numbers(o, rep);
    }
}
