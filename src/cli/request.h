/*
 * The options of a request (run, chat) and the receipt they fill: sampling, stops, randomness,
 * prompt. What is committed to is exactly what is normalised here.
 */
#ifndef VB_CLI_REQUEST_H
#define VB_CLI_REQUEST_H

#include "cli/app.h"
#include "receipt/receipt.h"

typedef struct vb_request_options {
    uint64_t max_tokens;
    double temperature, top_p, min_p;
    uint64_t top_k;
    double presence_penalty, frequency_penalty, repetition_penalty;
    vb_opt_list logit_bias, stop;
    uint64_t seed;
    bool seed_given;
    const char *system; /* NULL: the template's own */
    const char *nonce;
    const char *beacon_mode; /* "next", "latest"; NULL: next */
    uint64_t beacon_round;
    bool beacon_round_given;
    const char *date; /* YYYY-MM-DD for templates that print one; NULL: today (UTC) */
} vb_request_options;

#define VB_REQUEST_DEFAULTS                                                                        \
    { .max_tokens = 512, .temperature = 0.8, .top_p = 0.95, .repetition_penalty = 1.0 }

void vb_request_options_add(vb_request_options *q, vb_opt_table *t);

/* Fills r->request (all but prompt, context and server fields) and r->model; digest is the model's,
 * beacon_id that of --beacon (NULL: none, then --seed or the local chain gives the randomness). */
VB_MUST_CHECK vb_err vb_request_fill(const vb_request_options *q, const vb_app *a,
                                     const uint8_t digest[VB_SHA256_BYTES], const char *beacon_id,
                                     vb_receipt *r, vb_error *e);

/* The prompt as plain text, special tokens added and parsed. */
VB_MUST_CHECK vb_err vb_request_prompt_text(const vb_app *a, const char *text, size_t n_bytes,
                                            vb_receipt *r, vb_error *e);

/* The messages already in r (vb_receipt_add_message) through the model's template. */
VB_MUST_CHECK vb_err vb_request_prompt_chat(const vb_request_options *q, const vb_app *a,
                                            vb_receipt *r, vb_error *e);

/* request.ctx_tokens from --ctx or from what the request needs. VB_ELIMIT when the prompt does
 * not fit. */
VB_MUST_CHECK vb_err vb_request_context(const vb_app *a, vb_receipt *r, vb_error *e);

#endif
