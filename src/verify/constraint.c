#include "verify/constraint.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/limits.h"
#include "json/json.h"

struct vb_held {
    vb_grammar_state *state;
    const uint32_t *stop_tokens;
    size_t n_stop_tokens;
    size_t n_vocab;
    uint64_t *allowed; /* [n_vocab] bits */
};

vb_err vb_receipt_grammar(const vb_receipt_request *q, vb_grammar **out, vb_error *e) {
    json_t *constraint;
    if (!q->constraint.p) {
        *out = NULL;
        return VB_OK;
    }
    vb_err err = vb_json_parse(q->constraint.p, q->constraint.len, &constraint, e);
    if (err) {
        return vb_fail_in(e, err, "constraint");
    }
    err = vb_grammar_open(constraint, out, e);
    json_decref(constraint);
    return err;
}

void vb_report_constraint(vb_report *rep, vb_check_id id, vb_err err, const vb_error *e) {
    switch (err) {
    case VB_EFORMAT:
    case VB_EINVAL:
        /* No answer is given under what is no constraint, or what no text satisfies. */
        vb_report_fail(rep, id, VB_REASON_PARAMETERS, "%s", e->msg);
        break;
    case VB_EUNSUPPORTED:
    case VB_ELIMIT: vb_report_unknown(rep, id, VB_REASON_UNSUPPORTED_FORMAT, "%s", e->msg); break;
    default: vb_report_unknown(rep, id, VB_REASON_UNFINISHED, "%s", e->msg); break;
    }
}

vb_err vb_held_open(const vb_grammar *g, const vb_vocabulary *v, size_t n_vocab,
                    const uint32_t *stop_tokens, size_t n_stop_tokens, vb_held **out, vb_error *e) {
    VB_ASSERT(v);
    if (n_vocab < vb_vocabulary_size(v)) {
        return vb_fail(e, VB_EINVAL, "%zu logits for a vocabulary of %zu tokens", n_vocab,
                       vb_vocabulary_size(v));
    }
    for (size_t i = 0; i < n_stop_tokens; i++) {
        if (vb_vocabulary_is_single_byte(v, stop_tokens[i])) {
            return vb_fail(e, VB_EUNSUPPORTED,
                           "stop token %u is a single byte, which the constraint may need",
                           stop_tokens[i]);
        }
    }
    vb_held *h = calloc(1, sizeof *h);
    uint64_t *allowed = calloc((n_vocab + 63) / 64, sizeof *allowed);
    vb_err err =
        h && allowed ? VB_OK : vb_fail(e, VB_ENOMEM, "no memory for a mask of %zu tokens", n_vocab);
    if (err || (err = vb_grammar_state_open(g, v, &h->state, e))) {
        free(allowed);
        free(h);
        return err;
    }
    h->stop_tokens = stop_tokens;
    h->n_stop_tokens = n_stop_tokens;
    h->n_vocab = n_vocab;
    h->allowed = allowed;
    *out = h;
    return VB_OK;
}

void vb_held_close(vb_held *h) {
    if (h) {
        vb_grammar_state_close(h->state);
        free(h->allowed);
        free(h);
    }
}

/* A stop token adds no text, so that it is judged as an end and not by its bytes. */
vb_err vb_held_mask(vb_held *h, const uint64_t **allowed, vb_error *e) {
    vb_err err = vb_grammar_mask(h->state, h->n_vocab, h->allowed, e);
    if (err) {
        return err;
    }
    const bool complete = vb_grammar_complete(h->state);
    for (size_t i = 0; i < h->n_stop_tokens; i++) {
        const uint32_t token = h->stop_tokens[i];
        if (token < h->n_vocab) {
            const uint64_t bit = (uint64_t)1 << token % 64;
            h->allowed[token / 64] &= ~bit;
            h->allowed[token / 64] |= complete ? bit : 0;
        }
    }
    *allowed = h->allowed;
    return VB_OK;
}

static bool is_stop_token(const vb_held *h, uint32_t token) {
    for (size_t i = 0; i < h->n_stop_tokens; i++) {
        if (h->stop_tokens[i] == token) {
            return true;
        }
    }
    return false;
}

vb_err vb_held_accept(vb_held *h, uint32_t token, vb_error *e) {
    if (!is_stop_token(h, token)) {
        return vb_grammar_accept(h->state, token, e);
    }
    return vb_grammar_complete(h->state)
               ? VB_OK
               : vb_fail(e, VB_EMISMATCH,
                         "stop token %u ends the answer where the constraint demands more", token);
}
