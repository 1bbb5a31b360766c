#include "engine/generate.h"

#include <string.h>

#include "base/system.h"

typedef struct run {
    const vb_generate_options *o;
    uint32_t token; /* the last one drawn */
    bool drawing;   /* the first draw has begun */
    size_t shown;   /* bytes of text given to on_text */
    vb_error *e;
} run;

static vb_err on_logits(void *user, size_t item, size_t index, const float *logits) {
    (void)item;
    (void)index;
    run *r = user;
    const vb_generate_options *o = r->o;
    if (!r->drawing && o->before_draw) {
        vb_err err = o->before_draw(o->user, o->generation, r->e);
        if (err) {
            return err;
        }
    }
    r->drawing = true;
    return vb_generation_step(r->o->generation, logits, &r->token, r->e);
}

static vb_err show_text(run *r) {
    size_t n;
    const char *text = vb_generation_text(r->o->generation, &n);
    if (n <= r->shown) {
        return VB_OK;
    }
    vb_err err = r->o->on_text ? r->o->on_text(r->o->user, text + r->shown, n - r->shown) : VB_OK;
    r->shown = n;
    return err;
}

static vb_err pass(run *r, const uint32_t *tokens, size_t n, bool last, size_t prompt_done) {
    const vb_generate_options *o = r->o;
    vb_batch_item item = {o->session, tokens, n, last ? n - 1 : n};
    vb_err err = vb_forward(o->model, o->workspace, &item, 1, on_logits, r, r->e);
    if (err || (err = show_text(r))) {
        return err;
    }
    size_t tokens_done;
    (void)vb_generation_tokens(o->generation, &tokens_done);
    if (o->on_progress && !o->on_progress(o->user, prompt_done, tokens_done)) {
        return vb_fail(r->e, VB_ECANCELLED, "stopped");
    }
    return VB_OK;
}

vb_err vb_generate(const vb_generate_options *o, vb_generate_stats *stats, vb_error *e) {
    run r = {.o = o, .e = e};
    size_t done = vb_session_length(o->session);
    VB_ASSERT(o->n_prompt > done);
    memset(stats, 0, sizeof *stats);
    uint64_t start = vb_clock_ns();
    vb_err err;
    while (done < o->n_prompt) {
        size_t n = o->n_prompt - done < o->batch_tokens ? o->n_prompt - done : o->batch_tokens;
        err = pass(&r, o->prompt + done, n, done + n == o->n_prompt, done + n);
        if (err) {
            return err;
        }
        done += n;
        stats->prefill_tokens += n;
    }
    stats->prefill_ns = vb_clock_ns() - start;
    start = vb_clock_ns();
    while (!vb_generation_ended(o->generation, NULL)) {
        const uint32_t token = r.token;
        if ((err = pass(&r, &token, 1, true, o->n_prompt))) {
            return err;
        }
        stats->decode_tokens++;
    }
    stats->decode_ns = vb_clock_ns() - start;
    return VB_OK;
}
