/*
 * Shared inside src/verify only: the replay of one receipt as steps that replay.c puts into passes
 * of the model, its own or shared with other receipts. What a receipt's report says at the end does
 * not depend on how its rows were cut into passes, nor on who else was in them.
 *
 * Owner: open/close. Thread rule: one thread at a time.
 */
#ifndef VB_VERIFY_REPLAY_ONE_H
#define VB_VERIFY_REPLAY_ONE_H

#include "verify/generation.h"
#include "verify/positions.h"
#include "verify/replay.h"

typedef struct replay_one {
    const vb_replay_options *o;
    const vb_receipt *r;
    vb_report *rep;
    const uint8_t *sample_seed;
    const vb_receipt_prompt *given;  /* apart; NULL: none */
    const vb_receipt_prompt *prompt; /* the receipt's, or the one given apart */
    uint64_t total;                  /* rows of the passes over all its outputs */
    uint64_t done;                   /* of them */
    size_t capacity;                 /* tokens that its session must hold */
    uint64_t n_positions, n_sampled; /* of all outputs; level sample: to be drawn again */
    vb_positions positions;          /* level sample */
    size_t *drawn;                   /* [longest output] */
    vb_grammar *grammar;             /* of the request's constraint; NULL: it has none */
    const vb_vocabulary *vocabulary; /* with a constraint */
    vb_vocabulary *own_vocabulary;   /* when none was given */
    vb_session *session;             /* given by replay.c; closed with the replay */
    bool over;                       /* the report has all that was found */
    /* the output being replayed */
    uint32_t choice;
    const vb_receipt_output *out;
    vb_generation *g;
    uint32_t *tokens;  /* [capacity]: prompt and answer, as far as rows are needed */
    size_t n_rows, at; /* how many; those done */
    size_t n_drawn;    /* of its positions: drawn[] in ascending order */
    size_t next;       /* the first of them that is still to be drawn */
    size_t t;          /* tokens of out taken so far */
    bool diverged;     /* a check has failed: nothing further can be learnt */
    vb_error e;
} replay_one;

/* The checks without passes, and what the passes will need. Over when one of them failed. x is
 * zeroed but for o, r, rep, sample_seed and given; to be closed in any case. */
void replay_one_open(replay_one *x);
void replay_one_close(replay_one *x);

/* With its session: goes to the first row that must be computed, or is over. */
void replay_one_begin(replay_one *x);

/* Which of the next `size` rows' logits are drawn from: indices from the first of these rows on, in
 * ascending order. Returns how many. */
size_t replay_one_wanted(const replay_one *x, size_t size, size_t wanted[VB_BATCH_TOKENS_MAX]);

/* The logits of the next wanted row. VB_ECANCELLED when the receipt was found to be false; what has
 * gone wrong otherwise is in x->e. */
VB_MUST_CHECK vb_err replay_one_draw(replay_one *x, const float *logits);

/* `size` more rows are computed and their wanted logits drawn from: goes to the next that must be,
 * or is over. */
void replay_one_advance(replay_one *x, size_t size);

/* Over, after an error of a draw or a pass (x->e). */
void replay_one_fail(replay_one *x);

#endif
