#include "engine/answer.h"

#include <stdio.h>
#include <string.h>

#include "base/system.h"
#include "receipt/digests.h"
#include "verify/generation.h"

/* Fixes the request before any randomness is known: number, time, beacon, signature. */
static vb_err commit(const vb_answer_options *o, vb_receipt *r, vb_error *e) {
    vb_receipt_request *q = &r->request;
    vb_err err;
    vb_beacon_round round;
    memset(&round, 0, sizeof round);
    if (q->mode == VB_MODE_LOCAL) {
        /* The round is taken first for its chain's id, which the commitment names; its value
         * enters the seed only. */
        if ((err = vb_local_chain_take(o->chain, &round, e))) {
            return err;
        }
        memcpy(q->beacon_id, round.id, sizeof q->beacon_id);
    }
    if ((err = vb_sequence_take(o->state_dir, &q->sequence, e))) {
        vb_beacon_round_free(&round);
        return err;
    }
    q->issued_at_ms = vb_unix_ms();
    if ((err = vb_commitment_make(r, o->key, e))) {
        vb_beacon_round_free(&round);
        return err;
    }
    char hex[VB_SHA256_HEX_BYTES];
    vb_hex_encode(r->commitment, VB_SHA256_BYTES, hex);
    snprintf(r->id, sizeof r->id, "vr-%.24s", hex);
    if (q->mode == VB_MODE_LOCAL) {
        r->has_beacon = true;
        r->beacon = round;
    }
    return VB_OK;
}

static vb_err open_generation(const vb_answer_options *o, const vb_receipt *r, vb_generation **out,
                              vb_error *e) {
    vb_stop_string stops[VB_STOP_STRINGS_MAX];
    vb_generation_options g;
    vb_err err = vb_receipt_generation(r, o->model, o->tokenizer, stops, &g, e);
    if (err || (err = vb_receipt_seed(r, 0, g.seed, e))) {
        return err;
    }
    return vb_generation_open(&g, out, e);
}

vb_err vb_answer(const vb_answer_options *o, vb_receipt *r, uint8_t hash[VB_SHA256_BYTES],
                 vb_generate_stats *stats, vb_error *e) {
    VB_ASSERT(r->request.n_choices == 1 && r->prompt.has_tokens);
    vb_generation *g = NULL;
    vb_err err;
    if (!o->key) {
        VB_ASSERT(r->request.mode == VB_MODE_FIXED);
    } else if ((err = commit(o, r, e))) {
        return err;
    }
    if ((err = open_generation(o, r, &g, e))) {
        return err;
    }
    const vb_generate_options run = {
        .model = o->model,
        .workspace = o->workspace,
        .session = o->session,
        .batch_tokens = o->batch_tokens,
        .prompt = r->prompt.tokens,
        .n_prompt = r->prompt.n_tokens,
        .generation = g,
        .on_text = o->on_text,
        .on_progress = o->on_progress,
        .user = o->user,
    };
    if ((err = vb_generate(&run, stats, e))) {
        goto done;
    }
    size_t n_tokens, n_text;
    vb_finish finish = VB_FINISH_LENGTH;
    uint8_t root[VB_SHA256_BYTES];
    const uint32_t *tokens = vb_generation_tokens(g, &n_tokens);
    const char *text = vb_generation_text(g, &n_text);
    vb_generation_ended(g, &finish);
    vb_generation_trace_root(g, root);
    if ((err = vb_receipt_add_output(r, tokens, n_tokens, text, n_text, finish, root, e))) {
        goto done;
    }
    if (o->key) {
        err = vb_receipt_sign(r, o->key, hash, e);
    }
done:
    vb_generation_close(g);
    return err;
}
