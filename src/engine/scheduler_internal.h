/*
 * Inside the scheduler. scheduler.c is what other threads call, scheduler_run.c the thread that
 * admits and ends requests, scheduler_step.c one pass.
 *
 * What is marked "locked" is read and written under vb_scheduler.lock; all else belongs to the
 * scheduler's thread, once a request is in the queue. Nothing is called back under the lock.
 */
#ifndef VB_ENGINE_SCHEDULER_INTERNAL_H
#define VB_ENGINE_SCHEDULER_INTERNAL_H

#include <pthread.h>

#include "engine/lookup.h"
#include "engine/prefix_cache.h"
#include "engine/scheduler.h"

enum { VB_SCHEDULER_WINDOW_NS = 1000000000 }; /* of tokens_per_second, at least */

typedef struct vb_scheduled vb_scheduled;

/* One choice of a request. */
typedef struct vb_sequence {
    vb_scheduled *of;
    size_t choice;
    size_t ctx_tokens;   /* what it may come to: prompt and all tokens but the last */
    vb_session *session; /* the first choice's computes the prompt; the others' are forks of it */
    vb_prefix_place place;
    vb_generation *generation;
    vb_lookup *lookup; /* NULL: without drafts */
    uint8_t seed[32];  /* locked */
    /* Of a step: the last token drawn, and a draft. */
    uint32_t rows[1 + VB_LOOKUP_DRAFT_MAX];
    size_t n_rows;
    size_t n_true;  /* rows whose tokens are the sequence's */
    size_t n_drawn; /* rows drawn from */
    bool over;
    size_t shown; /* bytes of text given to on_text */
    vb_err err;
    vb_error error;
} vb_sequence;

typedef enum vb_phase {
    VB_PHASE_PROMPT,  /* queued, or being computed */
    VB_PHASE_PARKED,  /* the prompt's logits are there, the seeds are not */
    VB_PHASE_READY,   /* both are */
    VB_PHASE_DECODING /* also when some of its choices are over */
} vb_phase;

/* A request, from submission to its last on_done. */
struct vb_scheduled {
    uint64_t id;
    vb_scheduled *next; /* locked: in the queue */
    vb_scheduler_request r;
    bool cancelled, has_seeds; /* locked */
    uint64_t submitted_ns, deadline_ns /* 0: none */;
    uint64_t admitted_ns, prompt_ns; /* 0: not yet */
    vb_phase phase;
    vb_err end; /* not VB_OK: it is to end with this, and with end_error */
    vb_error end_error;
    size_t n_cached; /* tokens of the prompt that came from the prefix cache */
    float *logits;   /* [n_vocab], after the prompt; until the first draws */
    size_t n_left;   /* choices that are not over */
    vb_sequence choices[];
};

/* Up to sequences_max requests or sequences, the one that has waited longest first. */
typedef struct vb_line {
    void **items;
    size_t n;
} vb_line;

void vb_line_add(vb_line *l, void *item);
void vb_line_remove(vb_line *l, const void *item); /* if it is there */
void vb_line_rotate(vb_line *l, size_t n);         /* the first n go to the end */

/* What an item of a pass is for: the next tokens of a prompt (then it is the first choice), or the
 * rows of a sequence that decodes. */
typedef struct vb_step_part {
    vb_sequence *sequence;
    bool is_prompt;
} vb_step_part;

struct vb_scheduler {
    vb_scheduler_options o;
    vb_workspace *workspace;
    vb_kv_pool *pool;
    vb_prefix_cache *cache; /* NULL: without */
    size_t n_vocab;
    const double *costs; /* of passes, for drafts */

    pthread_mutex_t lock;
    pthread_cond_t wake;    /* the thread has something to look at */
    pthread_cond_t settled; /* the last request is done */
    pthread_t thread;
    bool draining, stopping, closing;  /* locked: none taken; all end; the thread ends */
    uint64_t last_id;                  /* locked */
    vb_scheduled *queue, **queue_tail; /* locked */
    size_t n_queued;                   /* locked */
    size_t n_requests;                 /* locked: not done */
    vb_line admitted;                  /* of vb_scheduled; written by the thread alone, locked */
    vb_scheduler_stats stats;          /* locked: as the thread published it */

    size_t n_sequences;    /* choices of admitted requests that are not over */
    vb_scheduled *dropped; /* taken from the queue to be ended */
    bool blocked;          /* the first in the queue did not fit, and nothing has ended since */
    vb_line decoding;      /* of vb_sequence */
    vb_line prompts;       /* of vb_scheduled */
    unsigned full_steps;   /* that decoding filled while prompts waited */
    vb_batch_item *items;  /* [batch_tokens] */
    vb_step_part *parts;   /* [batch_tokens] */
    vb_scheduler_stats counts;
    /* Of tokens_per_second: its begin, and counts.tokens then. Written by the thread, locked. */
    uint64_t window_ns, window_tokens;
};

size_t vb_scheduler_pages_of(size_t n_tokens);
/* KV pages that a request takes at most, all its choices together. */
size_t vb_scheduler_pages_needed(const vb_scheduler_request *r);

/* scheduler_run.c: the thread. */
void *vb_scheduler_thread(void *scheduler);

/* Ends a choice as its err says, gives its memory back and calls on_done; with the last one the
 * request is gone. */
void vb_scheduler_end_sequence(vb_scheduler *s, vb_sequence *q);
/* Ends all choices that are left. */
void vb_scheduler_end_request(vb_scheduler *s, vb_scheduled *x, vb_err err, const vb_error *error);

/* scheduler_step.c. */

/* The session of a prompt goes on with what the prefix cache has of it; never all of it. */
void vb_scheduler_adopt(vb_scheduler *s, vb_scheduled *x);
/* The first draws of a request whose prompt is computed and whose seeds are known. */
void vb_scheduler_begin_decoding(vb_scheduler *s, vb_scheduled *x);
/* One pass, when there is anything to compute. */
void vb_scheduler_step(vb_scheduler *s);

#endif
