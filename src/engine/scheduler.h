/*
 * Continuous batching: many requests share one model, one KV cache and the passes of one thread,
 * and each answer has the bits that vb_generate gives it alone.
 *
 * A step is one vb_forward over at most batch_tokens tokens: one for each sequence that decodes,
 * and with what is left the next tokens of prompts, in turns. Sequences that decode come first, so
 * a long prompt delays nobody by more than the step it is part of; when they alone would fill
 * every step, each fourth is left to the prompts.
 *
 * Few sequences leave room for drafts (lookup.h): rows behind a sequence's newest token, which are
 * drawn from as far as they prove right. They leave the session before its pages are cached, and
 * change no bit; the more sequences decode, the less a row is worth, and from 16 on there are none.
 *
 * A request is admitted when the KV pages of its longest possible answers are there or can be had
 * from idle pages of the prefix cache, first come first served. So a sequence that runs never waits
 * for memory, none has to be thrown out, and nothing can deadlock: the price is that a request
 * which asks for more tokens than it needs keeps others waiting. The pages that several use count
 * once.
 *
 *   queued -> its prompt is computed -> parked until its seeds are known -> decoding -> done
 *
 * Thread rule: any thread may call any function here, but vb_scheduler_drain and _close not from a
 * callback, and close only when nobody else is in a call. Callbacks run on the scheduler's own
 * thread, one at a time, and hold up every sequence while they last: they must not block.
 * They may call vb_scheduler_submit, _set_seeds and _cancel.
 */
#ifndef VB_ENGINE_SCHEDULER_H
#define VB_ENGINE_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/scheduler_turn.h"
#include "model/model.h"
#include "verify/generation.h"

typedef struct vb_scheduler vb_scheduler;

typedef struct vb_scheduler_options {
    const vb_model *model; /* borrowed until close */
    int n_threads;         /* of a pass */
    size_t batch_tokens;   /* of a pass: 1 .. VB_BATCH_TOKENS_MAX */
    size_t ctx_tokens;     /* of one sequence, at most: 1 .. the model's own limit */
    uint64_t kv_bytes;     /* all KV pages together; at least one (vb_kv_page_bytes) */
    size_t sequences_max;  /* choices of admitted requests: 1 .. VB_SEQUENCES_MAX */
    size_t queue_max;      /* requests not admitted yet: 1 .. VB_QUEUE_MAX */
    bool prefix_cache;     /* full pages are kept and shared (prefix_cache.h) */
    bool no_speculation;   /* no drafts */
    /* Taken for each pass, where other schedulers share the processors; NULL: there are none.
     * Borrowed until close. */
    vb_scheduler_turn *turn;
} vb_scheduler_options;

/* How one choice ended. */
typedef struct vb_scheduler_outcome {
    /* VB_OK: the generation has ended. VB_ECANCELLED: cancelled, past its deadline, or stopped with
     * the scheduler: error says which. Others: as vb_generation_open, vb_forward and
     * vb_generation_step say. */
    vb_err err;
    const vb_error *error;           /* NULL with VB_OK; borrowed for the call */
    const vb_generation *generation; /* NULL when it was never admitted; borrowed for the call */
    size_t n_cached;                 /* tokens of the prompt that were not computed again */
    uint64_t queued_ns, prefill_ns;  /* until it was admitted; until the prompt's end */
    uint64_t decode_ns;              /* from the first draw on */
    bool last;                       /* of the request's choices: nothing more is called for it */
} vb_scheduler_outcome;

typedef struct vb_scheduler_request {
    /* How each choice is generated: all have the same prompt (at least one token) and a
     * tokens_max. Borrowed, with all they point to, until the last on_done returns. */
    const vb_generation_options *choices;
    size_t n_choices;     /* 1 .. VB_CHOICES_MAX */
    bool has_seeds;       /* the options have them; else vb_scheduler_set_seeds gives them */
    uint32_t deadline_ms; /* from now on; 0: none */
    uint64_t cache_owner; /* whose pages of the prefix cache it uses and leaves: any number */

    /* A token was drawn from logits [n_vocab] (borrowed for the call); g has it already. May be
     * NULL. */
    void (*on_token)(void *user, size_t choice, uint32_t token, const float *logits,
                     const vb_generation *g);
    /* Text that became certain; may be NULL. */
    void (*on_text)(void *user, size_t choice, const char *text, size_t n_bytes);
    /* Once for each choice, whatever happens. */
    void (*on_done)(void *user, size_t choice, const vb_scheduler_outcome *outcome);
    void *user;
} vb_scheduler_request;

typedef struct vb_scheduler_stats {
    /* Now. */
    size_t waiting, prefilling, parked;     /* requests */
    size_t running;                         /* sequences that decode */
    size_t pages, pages_used, pages_cached; /* cached: idle, at once available */
    double tokens_per_second;               /* drawn, in the last second or so */
    /* Since the beginning. */
    uint64_t requests, requests_refused; /* refused: the queue was full */
    uint64_t steps;
    uint64_t prompt_tokens, prompt_tokens_cached; /* of prompts computed, or adopted */
    uint64_t tokens;                              /* drawn */
    uint64_t drafted, accepted; /* rows of drafts computed; of these, drawn from */
} vb_scheduler_stats;

/* Memory is checked before it is asked for. VB_EINVAL names the option. */
VB_MUST_CHECK vb_err vb_scheduler_open(const vb_scheduler_options *o, vb_scheduler **out,
                                       vb_error *e);

/* Drains without waiting, and ends the thread. */
void vb_scheduler_close(vb_scheduler *s);

/* *id is written before the first callback. VB_ELIMIT: the queue is full; VB_ECANCELLED: draining;
 * VB_EINVAL: this request could never run here. On an error nothing is called. */
VB_MUST_CHECK vb_err vb_scheduler_submit(vb_scheduler *s, const vb_scheduler_request *r,
                                         uint64_t *id, vb_error *e);

/* The seeds of all choices, once. False when there is no such request (any more), or it has seeds;
 * then nothing happens. */
bool vb_scheduler_set_seeds(vb_scheduler *s, uint64_t id, const uint8_t (*seeds)[32]);

/* The request ends before the next step; false when it is not there (any more). */
bool vb_scheduler_cancel(vb_scheduler *s, uint64_t id);

/* Takes no more requests, and returns when the last one is done. Those still there after wait_ms
 * are stopped; VB_ECANCELLED says how many. */
VB_MUST_CHECK vb_err vb_scheduler_drain(vb_scheduler *s, uint32_t wait_ms, vb_error *e);

void vb_scheduler_get_stats(vb_scheduler *s, vb_scheduler_stats *out);

#endif
