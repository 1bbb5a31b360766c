/*
 * One answer: prefill, then decode token by token, feeding a vb_generation. (Continuous batching
 * over many sequences stands on the same vb_forward and vb_generation.)
 *
 * A decoding pass computes the last token drawn and, behind it, the draft that prompt lookup has
 * (lookup.h). Its rows are drawn from in order, up to the first whose token is not the one that was
 * drawn; what is behind leaves the session. Tokens, text and trace are those of one token a pass.
 */
#ifndef VB_ENGINE_GENERATE_H
#define VB_ENGINE_GENERATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/model.h"
#include "verify/generation.h"

typedef struct vb_generate_options {
    const vb_model *model;
    vb_workspace *workspace;
    vb_session *session;    /* its first vb_session_length tokens are prompt's (prefix reuse) */
    size_t batch_tokens;    /* prompt tokens per pass; <= the workspace's */
    const uint32_t *prompt; /* n_prompt >= 1, more than the session holds */
    size_t n_prompt;
    vb_generation *generation;
    size_t tokens_max;   /* of the generation: no draft goes beyond; 0: the session's capacity */
    bool no_speculation; /* one token a pass */

    /* Called once, before the first draw, when the prompt's logits are there: the last moment for
     * vb_generation_set_seed. May be NULL. */
    vb_err (*before_draw)(void *user, vb_generation *g, vb_error *e);
    /* Text that became certain; may be NULL. Not VB_OK ends the generation with that error. */
    vb_err (*on_text)(void *user, const char *text, size_t n_bytes);
    /* After each pass of the prompt, and each token; false: stop with VB_ECANCELLED. May be NULL.
     */
    bool (*on_progress)(void *user, size_t prompt_done, size_t tokens_done);
    void *user;
} vb_generate_options;

typedef struct vb_generate_stats {
    uint64_t prefill_ns, decode_ns;
    size_t prefill_tokens; /* computed, not taken from the session */
    size_t decode_tokens;  /* drawn after the first: decode_passes + accepted */
    size_t decode_passes;
    size_t drafted;  /* tokens of drafts that were computed */
    size_t accepted; /* of these, those whose logits were drawn from */
} vb_generate_stats;

/* Runs until the generation has ended. The session then holds the prompt and all tokens but the
 * last. On an error the generation keeps what it had, and the session tokens of the prompt (one of
 * them missing at least, before the first draw) and of the answer. */
VB_MUST_CHECK vb_err vb_generate(const vb_generate_options *o, vb_generate_stats *stats,
                                 vb_error *e);

#endif
