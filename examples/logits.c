/*
 * The ten likeliest next tokens of a text, by the public API.
 *   cc examples/logits.c -Iinclude -Lbuild -lverbatim -o logits
 *   LD_LIBRARY_PATH=build ./logits models/verbatim-demo/verbatim-demo-q8_0.gguf "Once upon"
 */
#include <float.h>
#include <stdio.h>
#include <string.h>

#include "verbatim/verbatim.h"

enum { TOP = 10 };

typedef struct ranking {
    const verbatim_model *model;
    size_t last; /* position of the last token of the prompt */
} ranking;

static int show(void *user, size_t position, const float *logits) {
    const ranking *r = user;
    if (position != r->last) {
        return 0;
    }
    float below = FLT_MAX;
    for (int i = 0; i < TOP; i++) {
        uint32_t best = 0;
        float value = -FLT_MAX;
        for (uint32_t t = 0; t < verbatim_vocabulary(r->model); t++) {
            if (logits[t] > value && logits[t] < below) {
                best = t;
                value = logits[t];
            }
        }
        below = value;
        char *text;
        size_t n;
        if (verbatim_detokenize(r->model, &best, 1, &text, &n, NULL) == VERBATIM_OK) {
            printf("%8.4f  %6u  \"%s\"\n", (double)value, best, text);
            verbatim_free(text);
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: logits MODEL TEXT\n");
        return 2;
    }
    verbatim_error error;
    verbatim_model *model = NULL;
    uint32_t *ids = NULL;
    size_t n = 0;
    int failed = verbatim_open(argv[1], NULL, &model, &error) ||
                 verbatim_tokenize(model, argv[2], strlen(argv[2]), &ids, &n, &error);
    if (!failed) {
        ranking r = {model, n - 1};
        failed = verbatim_logits(model, ids, n, show, &r, &error) != VERBATIM_OK;
    }
    if (failed) {
        fprintf(stderr, "logits: %s\n", error.message);
    }
    verbatim_free(ids);
    verbatim_close(model);
    return failed;
}
