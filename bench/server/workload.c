#include "workload.h"

#include <string.h>

enum { EOG_MAX = 64, SEED = 1 };

static const size_t prompt_tokens[] = {24, 64, 144, VB_WORKLOAD_PROMPT_MAX};
enum { LENGTHS = sizeof prompt_tokens / sizeof prompt_tokens[0] };

vb_err vb_workload_open(vb_workload *w, vb_error *e) {
    vb_model_options options = {.n_threads = w->n_threads};
    vb_err err = vb_kernels_select(NULL, &options.kernels, e);
    if (!err && !(err = vb_gguf_open(w->path, &w->gguf, e)) &&
        !(err = vb_tokenizer_open(w->gguf, &w->tokenizer, e))) {
        err = vb_model_load(w->gguf, &options, &w->model, e);
    }
    if (err) {
        vb_workload_close(w);
        return err;
    }
    vb_sampling_default(&w->sampling);
    w->sampling.temperature = 1;
    const uint32_t n = vb_tokenizer_size(w->tokenizer);
    for (uint32_t t = 0; t < n && w->sampling.n_bias < EOG_MAX; t++) {
        if (vb_tokenizer_is_eog(w->tokenizer, t)) {
            w->sampling.bias[w->sampling.n_bias++] = (vb_logit_bias){t, -100};
        }
    }
    return VB_OK;
}

void vb_workload_close(vb_workload *w) {
    vb_model_close(w->model);
    vb_tokenizer_close(w->tokenizer);
    vb_gguf_close(w->gguf);
    w->model = NULL;
    w->tokenizer = NULL;
    w->gguf = NULL;
}

size_t vb_workload_prompt(const vb_workload *w, size_t stream, size_t round,
                          uint32_t out[VB_WORKLOAD_PROMPT_MAX]) {
    const uint32_t n_vocab = vb_tokenizer_size(w->tokenizer);
    const size_t n = prompt_tokens[(stream + round) % LENGTHS];
    const uint32_t own = (uint32_t)(stream * 7919 + round * 104729);
    for (size_t i = 0; i < n; i++) {
        const uint32_t mixed =
            ((uint32_t)i + (n - i <= VB_WORKLOAD_OWN_TOKENS ? own : 0)) * 2654435761u;
        out[i] = (mixed >> 7) % n_vocab;
    }
    return n;
}

size_t vb_workload_answer_tokens(const vb_workload *w, size_t stream, size_t n_streams,
                                 size_t round) {
    const size_t n = round ? w->answer_tokens : w->answer_tokens * (stream + 1) / n_streams;
    return n ? n : 1;
}

vb_err vb_workload_body(const vb_workload *w, const uint32_t *prompt, size_t n_prompt,
                        const vb_request_form *form, vb_buf *out) {
    vb_err err = vb_buf_printf(out,
                               "{\"model\":\"bench\",\"stream\":true,\"temperature\":1,"
                               "\"max_tokens\":%zu,\"n\":%zu,",
                               form->answer_tokens, form->n_choices);
    if (!err && form->n_logprobs) {
        err = vb_buf_printf(out, "\"logprobs\":%zu,", form->n_logprobs);
    }
    if (!err && form->has_seed) {
        err = vb_buf_printf(out, "\"seed\":%d,", SEED);
    }
    if (!err) {
        err = vb_buf_printf(out, "\"logit_bias\":{");
    }
    for (size_t i = 0; !err && i < w->sampling.n_bias; i++) {
        err = vb_buf_printf(out, "%s\"%u\":-100", i ? "," : "", w->sampling.bias[i].token);
    }
    if (!err) {
        err = vb_buf_printf(out, "},\"prompt\":[");
    }
    for (size_t i = 0; !err && i < n_prompt; i++) {
        err = vb_buf_printf(out, "%s%u", i ? "," : "", prompt[i]);
    }
    return err ? err : vb_buf_printf(out, "]}");
}
