/*
 * One request for an answer, from its body to its durable receipt:
 *
 *   parse, tokenise -> commit (store) -> submit (scheduler), wait for the round -> seeds -> tokens
 *   -> receipt signed and stored -> the answer is complete
 *
 * Four kinds of threads touch it, one after the other or on members of their own: a worker prepares
 * and settles it, the beacon's thread brings the round, the scheduler's brings tokens, and the
 * watch over connections tells that the client has gone. `pending` counts who still has it; the
 * last one hands it to a worker. Internal to src/server.
 */
#ifndef VB_SERVER_ANSWERING_H
#define VB_SERVER_ANSWERING_H

#include "api/message.h"
#include "api/response.h"
#include "sample/logprobs.h"
#include "server/service.h"

typedef struct vb_answering vb_answering;

/* Of tokens that no chunk has shown yet: for each its own entry and n_top of the likeliest. */
typedef struct vb_answer_logprobs {
    vb_logprob *entries;
    size_t n, cap; /* tokens */
    size_t n_top;
    size_t text_offset; /* characters before the first of them */
} vb_answer_logprobs;

/* A call of a tool, kept for an answer in one piece. */
typedef struct vb_answer_call {
    char id[48];
    char *text; /* name and arguments, one after the other */
    size_t n_name, n_arguments;
} vb_answer_call;

/* What becomes of one choice. */
typedef struct vb_answer_choice {
    vb_answering *a;
    size_t index;
    vb_message_parser *parser; /* chat; NULL for completions */
    vb_buf content, reasoning; /* whole, for an answer in one piece */
    vb_answer_call *calls;     /* the same */
    size_t n_calls;
    vb_answer_logprobs logprobs;
    size_t n_drawn, n_reasoning;
    /* When it has ended. */
    uint32_t *tokens;
    size_t n_tokens;
    char *text;
    size_t n_text;
    vb_finish finish;
    uint8_t trace_root[VB_SHA256_BYTES];
} vb_answer_choice;

struct vb_answering {
    vb_job job;
    vb_wait wait;
    vb_service *s;
    vb_served_model *m; /* set by vb_answering_fill */
    vb_exchange *x;
    vb_api_endpoint endpoint;
    vb_api_request q;
    vb_receipt r;
    uint8_t hash[VB_SHA256_BYTES];
    uint64_t start_ns, committed_ns;
    char id[64]; /* of the response */
    vb_stop_string stops[VB_STOP_STRINGS_MAX];
    vb_generation_options *options; /* of each choice */
    vb_grammar *grammar;            /* what all of them are held to; NULL: nothing */
    vb_answer_choice *choices;
    size_t n_choices;
    vb_buf echo;   /* the prompt's text, when it is part of the answer */
    vb_buf event;  /* of a stream: reused */
    vb_buf prompt; /* of a private receipt: its record (spec/receipt.md section 5.3) */
    bool streaming, fell_back;
    bool unsettled; /* its abort record could not be kept */
    bool counted;   /* in n_answers */

    atomic_int pending;
    atomic_bool gone, first_token;
    atomic_uint_fast64_t ticket; /* of the scheduler; 0: not submitted */
    atomic_bool scheduled_done;
    /* Written by who has it, read when it is settled. */
    size_t n_cached;
    vb_err err; /* the first that a choice had */
    vb_error error;
    vb_err beacon_err;
    vb_error beacon_error;
    vb_err output_err; /* the response can not be made: no memory */
};

/* Runs the request of x, whose body is there; replies in any case. */
void vb_answering_begin(vb_service *s, vb_exchange *x, vb_api_endpoint endpoint);

/* fill.c: the receipt's prompt and request, but for number, time, key and a local chain's id; and
 * the compiled constraint. Nothing that this lets through fails for what the client asked. */
VB_MUST_CHECK vb_err vb_answering_fill(vb_answering *a, vb_api_error *e);

/* logprobs.c */

/* A token that was drawn from logits; VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_answer_logprobs_add(vb_answer_choice *c, uint32_t token,
                                            const float *logits);
/* The waiting tokens as the API shows them; none wait afterwards. */
typedef struct vb_answer_shown {
    vb_api_logprobs logprobs; /* p NULL: none */
    vb_api_token *tokens;
    vb_buf bytes;
} vb_answer_shown;
VB_MUST_CHECK vb_err vb_answer_logprobs_take(vb_answer_choice *c, vb_answer_shown *out);
void vb_answer_shown_free(vb_answer_shown *s);
void vb_answer_logprobs_free(vb_answer_logprobs *l);

/* output.c */

VB_MUST_CHECK vb_err vb_output_open(vb_answering *a, vb_error *e);
void vb_output_close(vb_answering *a);
/* The commitment, before any token: headers, and of a stream the first event. */
void vb_output_commitment(vb_answering *a);
/* On the scheduler's thread. */
void vb_output_text(vb_answer_choice *c, const char *text, size_t n_bytes);
void vb_output_end(vb_answer_choice *c);
/* The receipt is durable: the rest of the response. */
void vb_output_complete(vb_answering *a);
/* There is none. */
void vb_output_fail(vb_answering *a, const vb_api_error *e);

#endif
