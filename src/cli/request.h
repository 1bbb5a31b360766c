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
    const char *date; /* YYYY-MM-DD for templates that print one; NULL: today (UTC) */
} vb_request_options;

#define VB_REQUEST_DEFAULTS                                                                        \
    { .max_tokens = 512, .temperature = 0.8, .top_p = 0.95, .repetition_penalty = 1.0 }

/* Rows of an options table for a vb_request_options `q`. */
#define VB_REQUEST_OPTS(q)                                                                           \
    {'n',         "tokens",                                                                          \
     VB_OPT_UINT, &(q).max_tokens,                                                                   \
     "N",         "most tokens of an answer (default 512)",                                          \
     1,           VB_MODEL_CTX_TOKENS_MAX,                                                           \
     NULL},                                                                                          \
        {0, "temp", VB_OPT_REAL, &(q).temperature, "T", "temperature; 0 is greedy (default 0.8)",    \
         0, 100,    NULL},                                                                           \
        {0,           "top-k",                                                                       \
         VB_OPT_UINT, &(q).top_k,                                                                    \
         "K",         "keep the K most likely tokens (default 0: all)",                              \
         0,           VB_MODEL_VOCAB_MAX,                                                            \
         NULL},                                                                                      \
        {0,          "top-p", VB_OPT_REAL,                                                           \
         &(q).top_p, "P",     "keep the likeliest tokens that reach P (default 0.95)",               \
         1e-9,       1,       NULL},                                                                 \
        {0,          "min-p", VB_OPT_REAL,                                                           \
         &(q).min_p, "P",     "drop tokens below P times the likeliest (default 0)",                 \
         0,          1,       NULL},                                                                 \
        {0,           "presence-penalty",                                                            \
         VB_OPT_REAL, &(q).presence_penalty,                                                         \
         "X",         "against tokens that occurred (default 0)",                                    \
         -2,          2,                                                                             \
         NULL},                                                                                      \
        {0,           "frequency-penalty",                                                           \
         VB_OPT_REAL, &(q).frequency_penalty,                                                        \
         "X",         "the same, per occurrence (default 0)",                                        \
         -2,          2,                                                                             \
         NULL},                                                                                      \
        {0,           "repetition-penalty",                                                          \
         VB_OPT_REAL, &(q).repetition_penalty,                                                       \
         "X",         "divides their logits (default 1)",                                            \
         0.01,        100,                                                                           \
         NULL},                                                                                      \
        {0,           "logit-bias",                                                                  \
         VB_OPT_LIST, &(q).logit_bias,                                                               \
         "ID=X",      "add X (-100 to 100) to a token's logit; repeatable",                          \
         0,           0,                                                                             \
         NULL},                                                                                      \
        {0, "stop", VB_OPT_LIST, &(q).stop, "TEXT", "end before this text; repeatable", 0, 0, NULL}, \
        {0,         "seed", VB_OPT_UINT,                                                             \
         &(q).seed, "N",    "fixed seed: the same answer again (default: see below)",                \
         0,         0,      &(q).seed_given},                                                        \
        {0,           "system", VB_OPT_STR,                                                          \
         &(q).system, "TEXT",   "system message (default: the template's own)",                      \
         0,           0,        NULL},                                                               \
        {0,          "nonce", VB_OPT_STR,                                                            \
         &(q).nonce, "TEXT",  "the client's nonce, bound into the commitment",                       \
         0,          0,       NULL},                                                                 \
    {                                                                                                \
        0, "date", VB_OPT_STR, &(q).date, "YYYY-MM-DD",                                              \
            "today, for templates that print it (default: UTC date)", 0, 0, NULL                     \
    }

/* Fills r->request (all but prompt, context and server fields) and r->model; digest is the model's.
 */
VB_MUST_CHECK vb_err vb_request_fill(const vb_request_options *q, const vb_app *a,
                                     const uint8_t digest[VB_SHA256_BYTES], vb_receipt *r,
                                     vb_error *e);

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
