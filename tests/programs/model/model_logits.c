/*
 * Logits of a model as raw little-endian f32 on stdout, with nothing but the core: the program
 * that runs under emulators of other machines.
 * usage: model_logits MODEL TIER THREADS BATCH ID,ID,...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "gguf/gguf.h"
#include "kernels/kernels.h"
#include "model/model.h"

enum { TOKENS_MAX = 4096 };

static vb_err write_row(void *user, size_t item, size_t index, const float *logits) {
    (void)item;
    (void)index;
    const size_t n = *(const size_t *)user;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        uint8_t out[4];
        memcpy(&bits, &logits[i], sizeof bits);
        vb_store_u32le(out, bits);
        if (fwrite(out, 1, 4, stdout) != 4) {
            return VB_EIO;
        }
    }
    return VB_OK;
}

int main(int argc, char **argv) {
    static uint32_t tokens[TOKENS_MAX];
    size_t n = 0;
    if (argc != 6) {
        fprintf(stderr, "usage: model_logits MODEL TIER THREADS BATCH IDS\n");
        return 2;
    }
    const int threads = (int)strtol(argv[3], NULL, 10);
    const size_t batch = (size_t)strtoul(argv[4], NULL, 10);
    for (char *p = argv[5]; *p && n < TOKENS_MAX; p += *p == ',') {
        tokens[n++] = (uint32_t)strtoul(p, &p, 10);
    }
    vb_error e = {VB_OK, ""};
    vb_gguf *g = NULL;
    vb_model *m = NULL;
    vb_session *s = NULL;
    vb_workspace *w = NULL;
    vb_model_options options = {.n_threads = threads};
    if (vb_kernels_select(argv[2], &options.kernels, &e) ||
        vb_kernels_selftest(options.kernels, &e) || vb_gguf_open(argv[1], &g, &e) ||
        vb_model_load(g, &options, &m, &e) || vb_session_open(m, n, &s, &e) ||
        vb_workspace_open(m, batch, n, threads, &w, &e)) {
        fprintf(stderr, "model_logits: %s\n", e.msg);
        return 1;
    }
    size_t n_vocab = vb_model_get_config(m)->n_vocab;
    for (size_t at = 0; at < n; at += batch) {
        const vb_batch_item item = {s, tokens + at, n - at < batch ? n - at : batch, 0};
        if (vb_forward(m, w, &item, 1, write_row, &n_vocab, &e)) {
            fprintf(stderr, "model_logits: %s\n", e.msg);
            return 1;
        }
    }
    vb_workspace_close(w);
    vb_session_close(s);
    vb_model_close(m);
    vb_gguf_close(g);
    return fflush(stdout) == 0 ? 0 : 1;
}
