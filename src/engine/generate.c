#include "engine/generate.h"

#include <string.h>

#include "base/system.h"
#include "engine/lookup.h"

typedef struct run {
    const vb_generate_options *o;
    vb_generate_stats *stats;
    vb_lookup *lookup;   /* NULL: without */
    const double *costs; /* of its passes */
    size_t shown;        /* bytes of text given to on_text */
    size_t prompt_done;  /* when this pass is */
    bool drawing;        /* the first draw has begun */
    /* This pass. The rows to draw from begin with the token at first_row: the prompt's last one, or
     * the last one drawn; a draft follows. */
    size_t first_row;
    uint32_t rows[1 + VB_LOOKUP_DRAFT_MAX];
    size_t n_rows;
    size_t n_true;  /* rows whose tokens are the sequence's */
    size_t n_drawn; /* rows drawn from */
    bool computed;  /* logits have come */
    vb_error *e;
} run;

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

static vb_err tell_progress(const run *r) {
    const vb_generate_options *o = r->o;
    size_t tokens_done;
    (void)vb_generation_tokens(o->generation, &tokens_done);
    if (o->on_progress && !o->on_progress(o->user, r->prompt_done, tokens_done)) {
        return vb_fail(r->e, VB_ECANCELLED, "stopped");
    }
    return VB_OK;
}

static vb_err draw(run *r, const float *logits) {
    const vb_generate_options *o = r->o;
    uint32_t token;
    vb_err err;
    if (!r->drawing && o->before_draw && (err = o->before_draw(o->user, o->generation, r->e))) {
        return err;
    }
    r->drawing = true;
    if ((err = vb_generation_step(o->generation, logits, &token, r->e))) {
        return err;
    }
    r->n_drawn++;
    if (r->n_true < r->n_rows && r->rows[r->n_true] == token &&
        !vb_generation_ended(o->generation, NULL)) {
        r->n_true++;
    }
    err = show_text(r);
    return err ? err : tell_progress(r);
}

static vb_err on_logits(void *user, size_t item, size_t index, const float *logits) {
    (void)item;
    run *r = user;
    r->computed = true;
    return index - r->first_row < r->n_true ? draw(r, logits) : VB_OK;
}

static vb_err forward(run *r, const uint32_t *tokens, size_t n, size_t first_row) {
    const vb_generate_options *o = r->o;
    const vb_batch_item item = {o->session, tokens, n, first_row};
    r->first_row = first_row;
    r->n_rows = n - first_row;
    r->n_true = 1;
    r->n_drawn = 0;
    r->computed = false;
    return vb_forward(o->model, o->workspace, &item, 1, on_logits, r, r->e);
}

static vb_err prefill(run *r) {
    const vb_generate_options *o = r->o;
    size_t done = vb_session_length(o->session);
    while (done < o->n_prompt) {
        const size_t n =
            o->n_prompt - done < o->batch_tokens ? o->n_prompt - done : o->batch_tokens;
        const bool last = done + n == o->n_prompt;
        r->prompt_done = done + n;
        vb_err err = forward(r, o->prompt + done, n, last ? n - 1 : n);
        if (err || (!last && (err = tell_progress(r)))) {
            return err;
        }
        done += n;
        r->stats->prefill_tokens += n;
    }
    return VB_OK;
}

/* ---- decoding ---- */

/* With lookup when a draft could ever be of use. */
static vb_err open_lookup(run *r) {
    const vb_generate_options *o = r->o;
    if (o->no_speculation || o->batch_tokens == 1 || vb_generation_ended(o->generation, NULL)) {
        return VB_OK;
    }
    r->costs = vb_lookup_costs(vb_model_decode_bytes(o->model), vb_model_kernels(o->model)->name);
    vb_err err = vb_lookup_open(vb_session_capacity(o->session) + 1, &r->lookup, r->e);
    if (!err) {
        vb_lookup_add(r->lookup, o->prompt, o->n_prompt);
    }
    return err;
}

/* A draft behind the last token drawn; never more rows than the pass, the context and the answer
 * have room for. Returns its length. */
static size_t draft(run *r, const uint32_t *tokens, size_t n_tokens) {
    const vb_generate_options *o = r->o;
    const size_t room = vb_session_capacity(o->session) - vb_session_length(o->session);
    size_t rows = room < o->batch_tokens ? room : o->batch_tokens;
    if (o->tokens_max && o->tokens_max - n_tokens < rows) {
        rows = o->tokens_max - n_tokens;
    }
    if (!r->lookup || rows < 2) {
        return 0;
    }
    vb_lookup_pass pass = {r->costs, 1, 1};
    const size_t known = vb_lookup_length(r->lookup) - o->n_prompt;
    vb_lookup_add(r->lookup, tokens + known, n_tokens - known);
    return vb_lookup_draft(r->lookup,
                           rows - 1 < VB_LOOKUP_DRAFT_MAX ? rows - 1 : VB_LOOKUP_DRAFT_MAX, &pass,
                           r->rows + 1);
}

/* One pass of decoding. Numbers of a wrong draft may not be finite: then it is left out. */
static vb_err decode(run *r) {
    const vb_generate_options *o = r->o;
    const size_t length = vb_session_length(o->session);
    size_t n_tokens;
    const uint32_t *tokens = vb_generation_tokens(o->generation, &n_tokens);
    r->rows[0] = tokens[n_tokens - 1];
    const size_t n_drafted = draft(r, tokens, n_tokens);
    vb_err err = forward(r, r->rows, 1 + n_drafted, 0);
    if (err && n_drafted && !r->computed) {
        err = forward(r, r->rows, 1, 0);
    }
    if (err) {
        return err;
    }
    if (n_drafted) {
        vb_lookup_learn(r->lookup, r->n_true - 1); /* of one that was left out nothing is true */
    }
    vb_session_truncate(o->session, length + r->n_drawn);
    r->stats->decode_passes++;
    r->stats->decode_tokens += r->n_drawn;
    r->stats->drafted += n_drafted;
    r->stats->accepted += r->n_drawn - 1;
    return VB_OK;
}

vb_err vb_generate(const vb_generate_options *o, vb_generate_stats *stats, vb_error *e) {
    run r = {.o = o, .stats = stats, .e = e};
    VB_ASSERT(o->n_prompt > vb_session_length(o->session));
    memset(stats, 0, sizeof *stats);
    uint64_t start = vb_clock_ns();
    vb_err err = prefill(&r);
    stats->prefill_ns = vb_clock_ns() - start;
    start = vb_clock_ns();
    err = err ? err : open_lookup(&r);
    while (!err && !vb_generation_ended(o->generation, NULL)) {
        err = decode(&r);
    }
    stats->decode_ns = vb_clock_ns() - start;
    vb_lookup_close(r.lookup);
    return err;
}
