/*
 * Verbatim's C API: load a model, read its exact logits, generate, and verify receipts.
 *
 * Argument order: the model, inputs, outputs, then the error. Every function that can fail returns
 * a verbatim_status and, when it is not VERBATIM_OK, writes one sentence to error (which may be
 * NULL); outputs are then untouched. Memory that a function gives (char **, uint32_t **) is the
 * caller's, freed with verbatim_free. Strings are UTF-8.
 *
 * Threads: a verbatim_model is immutable after verbatim_open, so any number of threads may use one
 * at once; each call uses verbatim_options.threads threads inside. Results do not depend on
 * threads, tiers or machines: that is the point (spec/arithmetic.md).
 */
#ifndef VERBATIM_VERBATIM_H
#define VERBATIM_VERBATIM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define VERBATIM_API __attribute__((visibility("default")))
#else
#define VERBATIM_API
#endif

typedef enum verbatim_status {
    VERBATIM_OK = 0,
    VERBATIM_EIO = 1,          /* the system refused: open, read */
    VERBATIM_EFORMAT = 2,      /* bytes that break a format's rules */
    VERBATIM_EUNSUPPORTED = 3, /* well-formed, but not something this version handles */
    VERBATIM_ELIMIT = 4,       /* a limit was passed (a full context, a too long text) */
    VERBATIM_ENOMEM = 5,
    VERBATIM_ENONFINITE = 6, /* a NaN or an infinity where arithmetic forbids one */
    VERBATIM_EINVAL = 7,     /* an argument outside its range */
    VERBATIM_ECANCELLED = 8, /* a callback asked to stop */
    VERBATIM_EMISMATCH = 9,  /* a self-test or digest differs */
    VERBATIM_EINTERNAL = 10
} verbatim_status;

typedef struct verbatim_error {
    char message[512];
} verbatim_error;

typedef struct verbatim_model verbatim_model;

/* Zero means the default: the fastest tier, all processors. */
typedef struct verbatim_options {
    const char *tier; /* "scalar", "avx2", "avx512vnni", "neon", "neondot" */
    int threads;
} verbatim_options;

VERBATIM_API const char *verbatim_version(void);
VERBATIM_API const char *verbatim_arithmetic(void); /* "verbatim-arith/1" */
VERBATIM_API void verbatim_free(void *p);

/* Loads a GGUF file. options may be NULL. */
VERBATIM_API verbatim_status verbatim_open(const char *path, const verbatim_options *options,
                                           verbatim_model **model, verbatim_error *error);
VERBATIM_API void verbatim_close(verbatim_model *model); /* NULL is allowed */

VERBATIM_API size_t verbatim_vocabulary(const verbatim_model *model); /* logits per token */
VERBATIM_API size_t verbatim_context(const verbatim_model *model); /* tokens, the model's limit */

/* Text to ids, with the special tokens that the model asks for; those in the text are parsed. */
VERBATIM_API verbatim_status verbatim_tokenize(const verbatim_model *model, const char *text,
                                               size_t n_bytes, uint32_t **ids, size_t *n_ids,
                                               verbatim_error *error);

/* Ids to text (zero-terminated; n_bytes does not count the zero). */
VERBATIM_API verbatim_status verbatim_detokenize(const verbatim_model *model, const uint32_t *ids,
                                                 size_t n_ids, char **text, size_t *n_bytes,
                                                 verbatim_error *error);

/* The user's message (and system's, or NULL) through the model's own chat template, as ids. */
VERBATIM_API verbatim_status verbatim_chat_prompt(const verbatim_model *model, const char *system,
                                                  const char *user, uint32_t **ids, size_t *n_ids,
                                                  verbatim_error *error);

/* Receives the logits [verbatim_vocabulary] after the token at `position`; borrowed for the call.
 * Not 0 stops with VERBATIM_ECANCELLED. */
typedef int (*verbatim_logits_fn)(void *user, size_t position, const float *logits);

/* The logits after every token of a prompt, in order. */
VERBATIM_API verbatim_status verbatim_logits(const verbatim_model *model, const uint32_t *ids,
                                             size_t n_ids, verbatim_logits_fn on_logits, void *user,
                                             verbatim_error *error);

/* How to generate. verbatim_sampling_default gives greedy, 512 tokens. */
typedef struct verbatim_sampling {
    float temperature; /* 0: greedy */
    uint32_t top_k;    /* 0: all */
    double top_p;      /* 1: all */
    double min_p;      /* 0: all */
    uint64_t seed;
    size_t max_tokens;
    const char
        *constraint; /* of the text, spec/constraints.md: JSON, zero-terminated; NULL: none */
} verbatim_sampling;
VERBATIM_API void verbatim_sampling_default(verbatim_sampling *sampling);

typedef struct verbatim_answer {
    uint32_t *ids; /* all drawn tokens, the one that ended the answer included */
    size_t n_ids;
    char *text; /* zero-terminated */
    size_t n_text_bytes;
    int ended_by_length;    /* else by an end-of-generation token */
    uint8_t trace_root[32]; /* binds every token to every bit of its distribution */
} verbatim_answer;

/* The answer to a prompt: the same on every machine for the same seed. */
VERBATIM_API verbatim_status verbatim_generate(const verbatim_model *model, const uint32_t *prompt,
                                               size_t n_prompt, const verbatim_sampling *sampling,
                                               verbatim_answer *answer, verbatim_error *error);
VERBATIM_API void verbatim_answer_free(verbatim_answer *answer);

typedef enum verbatim_verdict {
    VERBATIM_UNVERIFIABLE = 0,
    VERBATIM_REFUTED = 1,
    VERBATIM_VERIFIED = 2
} verbatim_verdict;

/* Verifies a receipt. With a model every token is replayed (level full; the file is hashed); with
 * NULL only what needs no model is checked (level receipt). report, if not NULL, receives the
 * report of spec/receipt.md section 4 as JSON, zero-terminated. The status says whether there is a
 * verdict at all. */
VERBATIM_API verbatim_status verbatim_verify(const verbatim_model *model, const void *receipt,
                                             size_t n_bytes, verbatim_verdict *verdict,
                                             char **report, verbatim_error *error);

#ifdef __cplusplus
}
#endif

#endif
