/* The public C API (include/verbatim/verbatim.h) on top of the layers; no logic of its own. */
#include "verbatim/verbatim.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/system.h"
#include "base/version.h"
#include "engine/generate.h"
#include "engine/model_file.h"
#include "gguf/gguf.h"
#include "grammar/grammar.h"
#include "receipt/digests.h"
#include "verify/prompt.h"
#include "verify/replay.h"
#include "json/json.h"

_Static_assert((int)VERBATIM_EINTERNAL == (int)VB_EINTERNAL, "the codes are the same");
_Static_assert((int)VERBATIM_EMISMATCH == (int)VB_EMISMATCH, "the codes are the same");
_Static_assert((int)VERBATIM_VERIFIED == (int)VB_VERDICT_VERIFIED, "the verdicts are the same");

struct verbatim_model {
    vb_gguf *gguf;
    vb_file_id *file_ids;
    vb_model *model;
    vb_tokenizer *tokenizer;
    int threads;
    pthread_mutex_t lock;      /* of the vocabulary: made when a constraint needs it first */
    vb_vocabulary *vocabulary; /* NULL: not needed so far */
};

static verbatim_status done(vb_err err, const vb_error *e, verbatim_error *error) {
    if (err && error) {
        snprintf(error->message, sizeof error->message, "%s", e->msg);
    }
    return (verbatim_status)err;
}

const char *verbatim_version(void) {
    return VB_VERSION;
}

const char *verbatim_arithmetic(void) {
    return VB_ARITHMETIC;
}

void verbatim_free(void *p) {
    free(p);
}

verbatim_status verbatim_open(const char *path, const verbatim_options *options,
                              verbatim_model **model, verbatim_error *error) {
    vb_error e = {VB_OK, ""};
    const vb_kernels *kernels;
    if (options && options->threads > (int)VB_THREADS_MAX) {
        return done(
            vb_fail(&e, VB_EINVAL, "threads: %d; at most %u", options->threads, VB_THREADS_MAX), &e,
            error);
    }
    vb_err err = vb_kernels_select(options ? options->tier : NULL, &kernels, &e);
    verbatim_model *m = calloc(1, sizeof *m);
    if (m && pthread_mutex_init(&m->lock, NULL)) {
        free(m);
        m = NULL;
    }
    if (!err && !m) {
        err = vb_fail(&e, VB_ENOMEM, "no memory for a model");
    }
    if (!err && !(err = vb_kernels_selftest(kernels, &e)) &&
        !(err = vb_model_file_open(path, &m->gguf, &m->file_ids, &e)) &&
        !(err = vb_tokenizer_open(m->gguf, &m->tokenizer, &e))) {
        m->threads = options && options->threads > 0 ? options->threads : vb_cpu_count();
        const vb_model_options load = {.kernels = kernels, .n_threads = m->threads};
        err = vb_model_load(m->gguf, &load, &m->model, &e);
        if (!err && vb_tokenizer_size(m->tokenizer) > vb_model_get_config(m->model)->n_vocab) {
            err = vb_fail(&e, VB_EFORMAT, "%s: the tokenizer has %u tokens, the model %zu", path,
                          vb_tokenizer_size(m->tokenizer), vb_model_get_config(m->model)->n_vocab);
        }
    }
    if (err) {
        verbatim_close(m);
    } else {
        *model = m;
    }
    return done(err, &e, error);
}

void verbatim_close(verbatim_model *model) {
    if (model) {
        vb_model_close(model->model);
        vb_vocabulary_close(model->vocabulary);
        vb_tokenizer_close(model->tokenizer);
        vb_gguf_close(model->gguf);
        free(model->file_ids);
        pthread_mutex_destroy(&model->lock);
        free(model);
    }
}

size_t verbatim_vocabulary(const verbatim_model *model) {
    return vb_model_get_config(model->model)->n_vocab;
}

size_t verbatim_context(const verbatim_model *model) {
    return vb_model_get_config(model->model)->n_ctx_train;
}

verbatim_status verbatim_tokenize(const verbatim_model *model, const char *text, size_t n_bytes,
                                  uint32_t **ids, size_t *n_ids, verbatim_error *error) {
    vb_error e = {VB_OK, ""};
    return done(vb_tokenizer_encode(model->tokenizer, text, n_bytes, true, true, ids, n_ids, &e),
                &e, error);
}

verbatim_status verbatim_detokenize(const verbatim_model *model, const uint32_t *ids, size_t n_ids,
                                    char **text, size_t *n_bytes, verbatim_error *error) {
    vb_error e = {VB_OK, ""};
    vb_buf out = vb_buf_make(VB_TEXT_BYTES_MAX);
    vb_err err = vb_tokenizer_decode(model->tokenizer, ids, n_ids, false, false, &out, &e);
    if (!err && !out.data && (err = vb_buf_append(&out, "", 0))) {
        vb_fail(&e, err, "no memory for a text");
    }
    if (err) {
        vb_buf_free(&out);
    } else {
        *text = (char *)out.data;
        *n_bytes = out.len;
    }
    return done(err, &e, error);
}

verbatim_status verbatim_chat_prompt(const verbatim_model *model, const char *system,
                                     const char *user, uint32_t **ids, size_t *n_ids,
                                     verbatim_error *error) {
    vb_error e = {VB_OK, ""};
    vb_receipt *r = malloc(sizeof *r);
    if (!r) {
        return done(vb_fail(&e, VB_ENOMEM, "no memory for a prompt"), &e, error);
    }
    vb_receipt_init(r);
    r->prompt.kind = VB_PROMPT_CHAT;
    vb_err err = VB_OK;
    if (system) {
        err = vb_receipt_add_message(r, "system", system, strlen(system), &e);
    }
    if (!err && !(err = vb_receipt_add_message(r, "user", user, strlen(user), &e))) {
        err = vb_prompt_encode(&r->prompt, model->gguf, model->tokenizer, ids, n_ids, &e);
    }
    vb_receipt_free(r);
    free(r);
    return done(err, &e, error);
}

/* A session and a workspace for one call. */
typedef struct place {
    vb_session *session;
    vb_workspace *workspace;
    size_t batch;
} place;

static vb_err place_open(const verbatim_model *m, size_t n_prompt, size_t ctx, place *p,
                         vb_error *e) {
    p->batch = n_prompt < VB_BATCH_TOKENS_MAX ? n_prompt : VB_BATCH_TOKENS_MAX;
    vb_err err = vb_session_open(m->model, ctx, &p->session, e);
    return err ? err : vb_workspace_open(m->model, p->batch, ctx, m->threads, &p->workspace, e);
}

static void place_close(place *p) {
    vb_workspace_close(p->workspace);
    vb_session_close(p->session);
}

typedef struct logits_sink {
    verbatim_logits_fn fn;
    void *user;
    size_t base;
} logits_sink;

static vb_err on_logits(void *user, size_t item, size_t index, const float *logits) {
    (void)item;
    const logits_sink *s = user;
    return s->fn(s->user, s->base + index, logits) ? VB_ECANCELLED : VB_OK;
}

verbatim_status verbatim_logits(const verbatim_model *model, const uint32_t *ids, size_t n_ids,
                                verbatim_logits_fn fn, void *user, verbatim_error *error) {
    vb_error e = {VB_OK, ""};
    place p = {0};
    logits_sink sink = {fn, user, 0};
    vb_err err = n_ids ? place_open(model, n_ids, n_ids, &p, &e)
                       : vb_fail(&e, VB_EINVAL, "a prompt of no tokens");
    for (; !err && sink.base < n_ids; sink.base += p.batch) {
        const size_t left = n_ids - sink.base;
        const vb_batch_item item = {p.session, ids + sink.base, left < p.batch ? left : p.batch, 0};
        err = vb_forward(model->model, p.workspace, &item, 1, on_logits, &sink, &e);
    }
    place_close(&p);
    return done(err, &e, error);
}

void verbatim_sampling_default(verbatim_sampling *sampling) {
    *sampling = (verbatim_sampling){.top_p = 1.0, .max_tokens = 512};
}

/* The caller sees a model that does not change: the index is made once, whichever call needs it. */
static vb_err index_vocabulary(const verbatim_model *model, const vb_vocabulary **out,
                               vb_error *e) {
    verbatim_model *m = (verbatim_model *)(uintptr_t)model;
    vb_err err = VB_OK;
    pthread_mutex_lock(&m->lock);
    if (!m->vocabulary) {
        err = vb_vocabulary_open(m->tokenizer, &m->vocabulary, e);
    }
    *out = m->vocabulary;
    pthread_mutex_unlock(&m->lock);
    return err;
}

static vb_err constraint_open(const verbatim_model *m, const char *constraint, vb_grammar **g,
                              const vb_vocabulary **v, vb_error *e) {
    json_t *json = NULL;
    if (!constraint) {
        return VB_OK;
    }
    vb_err err =
        vb_json_parse_foreign(constraint, strlen(constraint), VB_API_REQUEST_BYTES_MAX, &json, e);
    if (err) {
        return vb_fail_in(e, err, "constraint");
    }
    if (!(err = index_vocabulary(m, v, e))) {
        err = vb_grammar_open(json, g, e);
    }
    json_decref(json);
    return err;
}

/* The grammar, when there is one, is closed after the generation. */
static vb_err generation_open(const verbatim_model *m, const uint32_t *prompt, size_t n_prompt,
                              const verbatim_sampling *s, size_t room, vb_grammar **grammar,
                              vb_generation **g, vb_error *e) {
    const vb_vocabulary *vocabulary = NULL;
    vb_sampling sampling;
    vb_err err;
    vb_sampling_default(&sampling);
    sampling.temperature = s->temperature;
    sampling.top_k = s->top_k;
    if ((err = vb_sampling_fixed_point(s->top_p, &sampling.top_p, e)) ||
        (err = vb_sampling_fixed_point(s->min_p, &sampling.min_p, e)) ||
        (err = vb_sampling_check(&sampling, verbatim_vocabulary(m), e)) ||
        (err = constraint_open(m, s->constraint, grammar, &vocabulary, e))) {
        return err;
    }
    vb_generation_options o = {
        .kernels = vb_model_kernels(m->model),
        .tokenizer = m->tokenizer,
        .n_vocab = verbatim_vocabulary(m),
        .sampling = &sampling,
        .prompt = prompt,
        .n_prompt = n_prompt,
        .tokens_max = s->max_tokens < room ? s->max_tokens : room,
        .grammar = *grammar,
        .vocabulary = vocabulary,
    };
    vb_seed_from_fixed(s->seed, 0, o.seed);
    return vb_generation_open(&o, g, e);
}

static vb_err take_answer(const vb_generation *g, verbatim_answer *out, vb_error *e) {
    size_t n, n_text;
    vb_finish finish = VB_FINISH_LENGTH;
    const uint32_t *ids = vb_generation_tokens(g, &n);
    const char *text = vb_generation_text(g, &n_text);
    verbatim_answer a = {.ids = malloc(n * sizeof *a.ids), .text = malloc(n_text + 1)};
    if (!a.ids || !a.text) {
        verbatim_answer_free(&a);
        return vb_fail(e, VB_ENOMEM, "no memory for an answer");
    }
    memcpy(a.ids, ids, n * sizeof *ids);
    memcpy(a.text, text, n_text);
    a.text[n_text] = 0;
    a.n_ids = n;
    a.n_text_bytes = n_text;
    vb_generation_ended(g, &finish);
    a.ended_by_length = finish == VB_FINISH_LENGTH;
    vb_generation_trace_root(g, a.trace_root);
    *out = a;
    return VB_OK;
}

verbatim_status verbatim_generate(const verbatim_model *model, const uint32_t *prompt,
                                  size_t n_prompt, const verbatim_sampling *sampling,
                                  verbatim_answer *answer, verbatim_error *error) {
    vb_error e = {VB_OK, ""};
    const size_t limit = verbatim_context(model);
    place p = {0};
    vb_grammar *grammar = NULL;
    vb_generation *g = NULL;
    vb_generate_stats stats;
    vb_err err;
    if (n_prompt == 0 || n_prompt >= limit || sampling->max_tokens == 0) {
        err = vb_fail(&e, VB_EINVAL,
                      "a prompt of %zu tokens and %zu to add: expected at least 1 of each, "
                      "and fewer than the context of %zu",
                      n_prompt, sampling->max_tokens, limit);
        return done(err, &e, error);
    }
    const size_t room = limit - n_prompt;
    const size_t ctx = n_prompt + (sampling->max_tokens < room ? sampling->max_tokens : room);
    if (!(err = place_open(model, n_prompt, ctx, &p, &e)) &&
        !(err = generation_open(model, prompt, n_prompt, sampling, room, &grammar, &g, &e))) {
        const vb_generate_options o = {
            .model = model->model,
            .workspace = p.workspace,
            .session = p.session,
            .batch_tokens = p.batch,
            .prompt = prompt,
            .n_prompt = n_prompt,
            .generation = g,
        };
        if (!(err = vb_generate(&o, &stats, &e))) {
            err = take_answer(g, answer, &e);
        }
    }
    vb_generation_close(g);
    vb_grammar_close(grammar);
    place_close(&p);
    return done(err, &e, error);
}

void verbatim_answer_free(verbatim_answer *answer) {
    free(answer->ids);
    free(answer->text);
    *answer = (verbatim_answer){0};
}

static vb_err replay(const verbatim_model *m, const vb_receipt *r, vb_report *rep, vb_error *e) {
    uint8_t digest[VB_SHA256_BYTES];
    const vb_filehash_options hash = {0};
    const vb_vocabulary *vocabulary = NULL;
    vb_err err = vb_model_file_digest(m->gguf, m->file_ids, &hash, digest, e);
    if (err || (r->request.constraint.p && (err = index_vocabulary(m, &vocabulary, e)))) {
        return err;
    }
    const vb_replay_options o = {
        .gguf = m->gguf,
        .tokenizer = m->tokenizer,
        .model = m->model,
        .vocabulary = vocabulary,
        .model_sha256 = digest,
        .batch_tokens = VB_BATCH_TOKENS_MAX,
        .n_threads = m->threads,
    };
    vb_replay(&o, r, rep);
    return VB_OK;
}

verbatim_status verbatim_verify(const verbatim_model *model, const void *receipt, size_t n_bytes,
                                verbatim_verdict *verdict, char **report, verbatim_error *error) {
    vb_error e = {VB_OK, ""};
    const vb_expect nothing = {0};
    vb_report *rep = malloc(sizeof *rep);
    vb_receipt *r = malloc(sizeof *r);
    vb_buf json = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_err err = VB_OK;
    if (!rep || !r) {
        err = vb_fail(&e, VB_ENOMEM, "no memory for a report");
        goto out;
    }
    vb_report_begin(rep, model ? VB_LEVEL_FULL : VB_LEVEL_RECEIPT);
    if (vb_check_receipt(receipt, n_bytes, &nothing, r, rep)) {
        /* A refuted receipt needs no replay. */
        err = model && !vb_report_refuted(rep) ? replay(model, r, rep, &e) : VB_OK;
        vb_receipt_free(r);
    }
    vb_report_finish(rep);
    if (!err && report) {
        err = vb_report_write_json(rep, &json, &e);
    }
    if (!err) {
        *verdict = (verbatim_verdict)vb_report_verdict(rep);
        if (report) {
            *report = (char *)json.data;
            json.data = NULL;
        }
    }
out:
    vb_buf_free(&json);
    free(rep);
    free(r);
    return done(err, &e, error);
}
