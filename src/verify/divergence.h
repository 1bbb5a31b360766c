/*
 * Where a replay left the receipt: the first token that differs, and what the model says of both
 * (spec/receipt.md section 4, "Report as JSON").
 */
#ifndef VB_VERIFY_DIVERGENCE_H
#define VB_VERIFY_DIVERGENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tokenizer/tokenizer.h"

enum { VB_SNIPPET_BYTES = 200 };

/* A short piece of a text, UTF-8; what is not a character in it has become U+FFFD. */
typedef struct vb_snippet {
    char text[VB_SNIPPET_BYTES];
    size_t len; /* bytes; zeros may be among them */
    bool cut;   /* the text is longer */
} vb_snippet;

typedef struct vb_divergence {
    bool known;
    uint32_t choice;
    uint64_t t;
    uint32_t expected, found;             /* token ids; expected is the replay's */
    vb_snippet context;                   /* the end of the output's text before t */
    vb_snippet expected_text, found_text; /* the beginnings of the tokens' texts */
    uint64_t expected_weight, found_weight,
        total; /* vb_sampler_share; a probability is w / total */
} vb_divergence;

/* Fills the snippets from t, expected and found; output[t + 1] or more are the receipt's tokens,
 * all of them and expected inside the vocabulary. A text that memory fails for stays empty. */
void vb_divergence_describe(vb_divergence *d, const vb_tokenizer *tokenizer,
                            const uint32_t *output);

#endif
