/* A receipt's memory, and its building in the order of a request's life. */
#include "receipt/receipt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receipt/digests.h"
#include "receipt/records.h"

void vb_receipt_init(vb_receipt *r) {
    memset(r, 0, sizeof *r);
    memcpy(r->request.arithmetic, VB_ARITHMETIC, sizeof VB_ARITHMETIC);
    vb_sampling_default(&r->request.sampling);
    r->request.n_choices = 1;
}

/* Drops what a private receipt leaves out. */
static void drop_prompt(vb_receipt_prompt *p) {
    free(p->tokens);
    p->tokens = NULL;
    p->n_tokens = 0;
    p->has_tokens = false;
    vb_text_free(&p->text);
    for (size_t i = 0; i < p->n_messages; i++) {
        vb_text_free(&p->messages[i].content);
    }
    free(p->messages);
    p->messages = NULL;
    p->n_messages = 0;
}

void vb_receipt_prompt_free(vb_receipt_prompt *p) {
    drop_prompt(p);
    memset(p, 0, sizeof *p);
}

void vb_receipt_free(vb_receipt *r) {
    drop_prompt(&r->prompt);
    for (size_t i = 0; i < r->request.n_stop_strings; i++) {
        vb_text_free(&r->request.stop_strings[i]);
    }
    vb_text_free(&r->request.constraint);
    vb_beacon_round_free(&r->beacon);
    for (size_t i = 0; i < r->n_outputs; i++) {
        free(r->outputs[i].tokens);
        vb_text_free(&r->outputs[i].text);
    }
    free(r->outputs);
    vb_receipt_init(r);
}

static uint32_t *copy_tokens(const uint32_t *tokens, size_t n, vb_error *e) {
    uint32_t *p = malloc((n ? n : 1) * sizeof *p);
    if (!p) {
        vb_fail(e, VB_ENOMEM, "no memory for %zu tokens", n);
    } else if (n) {
        memcpy(p, tokens, n * sizeof *p);
    }
    return p;
}

vb_err vb_receipt_set_prompt_tokens(vb_receipt *r, const uint32_t *tokens, size_t n, vb_error *e) {
    if (n < 1 || n > VB_MODEL_CTX_TOKENS_MAX) {
        return vb_fail(e, VB_EINVAL, "a prompt of %zu tokens: expected 1 .. %u", n,
                       VB_MODEL_CTX_TOKENS_MAX);
    }
    uint32_t *p = copy_tokens(tokens, n, e);
    if (!p) {
        return VB_ENOMEM;
    }
    free(r->prompt.tokens);
    r->prompt.tokens = p;
    r->prompt.n_tokens = n;
    r->prompt.has_tokens = true;
    vb_digest_tokens(tokens, n, r->request.prompt_sha256);
    r->request.n_prompt_tokens = n;
    r->usage_prompt_tokens = n;
    return VB_OK;
}

vb_err vb_receipt_add_message(vb_receipt *r, const char *role, const char *content, size_t n_bytes,
                              vb_error *e) {
    vb_receipt_prompt *p = &r->prompt;
    size_t n_role = strlen(role);
    if (p->n_messages >= VB_PROMPT_MESSAGES_MAX || n_role < 1 ||
        n_role > VB_RECEIPT_NAME_BYTES_MAX) {
        return vb_fail(e, VB_ELIMIT, "a message too many, or a role longer than %u bytes",
                       VB_RECEIPT_NAME_BYTES_MAX);
    }
    vb_receipt_message *m = realloc(p->messages, (p->n_messages + 1) * sizeof *m);
    if (!m) {
        return vb_fail(e, VB_ENOMEM, "no memory for a message");
    }
    p->messages = m;
    m = &p->messages[p->n_messages];
    memset(m, 0, sizeof *m);
    memcpy(m->role, role, n_role);
    vb_err err = vb_text_set(&m->content, content, n_bytes, e);
    if (!err) {
        p->n_messages++;
    }
    return err;
}

void vb_receipt_make_private(vb_receipt *r) {
    drop_prompt(&r->prompt);
}

void vb_commitment_message(const uint8_t commitment[VB_SHA256_BYTES],
                           uint8_t out[VB_COMMITMENT_MESSAGE_BYTES]) {
    static const char domain[] = "verbatim.commitment.v1\n";
    _Static_assert(sizeof domain - 1 + VB_SHA256_BYTES == VB_COMMITMENT_MESSAGE_BYTES,
                   "the message is the domain and C");
    memcpy(out, domain, sizeof domain - 1);
    memcpy(out + sizeof domain - 1, commitment, VB_SHA256_BYTES);
}

vb_err vb_commitment_make(vb_receipt *r, const vb_ed25519_key *key, vb_error *e) {
    uint8_t message[VB_COMMITMENT_MESSAGE_BYTES];
    vb_ed25519_public(key, r->request.server_key);
    vb_err err = vb_receipt_commitment(r, r->commitment, e);
    if (err) {
        return err;
    }
    vb_commitment_message(r->commitment, message);
    return vb_ed25519_sign(key, message, sizeof message, r->commitment_signature, e);
}

vb_err vb_receipt_seed(const vb_receipt *r, uint32_t choice, uint8_t out[VB_SHA256_BYTES],
                       vb_error *e) {
    const vb_receipt_request *q = &r->request;
    if (q->mode == VB_MODE_FIXED && q->has_seed) {
        vb_seed_from_fixed(q->seed, choice, out);
        return VB_OK;
    }
    if (!r->has_beacon) {
        return vb_fail(e, VB_EINVAL, "mode %s needs a beacon round, and there is none",
                       vb_beacon_mode_name(q->mode));
    }
    vb_seed_from_round(q->beacon_id, r->beacon.round, r->beacon.randomness, r->beacon.n_randomness,
                       r->commitment, choice, out);
    return VB_OK;
}

vb_err vb_receipt_add_output(vb_receipt *r, const uint32_t *tokens, size_t n_tokens,
                             const char *text, size_t n_text_bytes, vb_finish finish,
                             const uint8_t trace_root[VB_SHA256_BYTES], vb_error *e) {
    if (r->n_outputs >= VB_CHOICES_MAX) {
        return vb_fail(e, VB_ELIMIT, "more than %u outputs", VB_CHOICES_MAX);
    }
    vb_receipt_output *all = realloc(r->outputs, (r->n_outputs + 1) * sizeof *all);
    if (!all) {
        return vb_fail(e, VB_ENOMEM, "no memory for an output");
    }
    r->outputs = all;
    vb_receipt_output o = {.n_tokens = n_tokens, .finish = finish};
    vb_err err = vb_receipt_seed(r, (uint32_t)r->n_outputs, o.seed, e);
    if (!err) {
        err = vb_text_set(&o.text, text, n_text_bytes, e);
    }
    if (!err) {
        o.tokens = copy_tokens(tokens, n_tokens, e);
        err = o.tokens ? VB_OK : VB_ENOMEM;
    }
    if (err) {
        vb_text_free(&o.text);
        return err;
    }
    vb_digest_text(text, n_text_bytes, o.text_sha256);
    memcpy(o.trace_root, trace_root, sizeof o.trace_root);
    r->outputs[r->n_outputs++] = o;
    r->usage_completion_tokens += n_tokens;
    return VB_OK;
}

vb_err vb_receipt_sign(vb_receipt *r, const vb_ed25519_key *key, uint8_t hash[VB_SHA256_BYTES],
                       vb_error *e) {
    uint8_t public_key[VB_ED25519_PUBLIC_BYTES], h[VB_SHA256_BYTES];
    vb_ed25519_public(key, public_key);
    if (memcmp(public_key, r->request.server_key, sizeof public_key) != 0) {
        return vb_fail(e, VB_EMISMATCH, "the commitment was made with another key");
    }
    vb_err err = vb_receipt_verification_hash(r, h, e);
    if (!err) {
        err = vb_ed25519_sign(key, h, sizeof h, r->signature, e);
    }
    if (!err && hash) {
        memcpy(hash, h, sizeof h);
    }
    return err;
}

void vb_receipt_set_id(vb_receipt *r) {
    char hex[VB_SHA256_HEX_BYTES];
    vb_hex_encode(r->commitment, VB_SHA256_BYTES, hex);
    snprintf(r->id, sizeof r->id, "vr-%.24s", hex);
}

void vb_receipt_fall_back(vb_receipt *r) {
    vb_receipt_request *q = &r->request;
    r->id[0] = 0;
    r->has_beacon = false; /* a round that came too late to be drawn from */
    vb_beacon_round_free(&r->beacon);
    memcpy(q->fallback_from, q->beacon_id, sizeof q->fallback_from);
    memset(q->beacon_id, 0, sizeof q->beacon_id);
    q->mode = VB_MODE_LOCAL;
    q->has_round = false;
    q->round = 0;
}
