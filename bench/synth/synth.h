/*
 * verbatim-synth: GGUF files of a real model's exact shape with random weights, so that speed and
 * memory can be measured without the real file. Numerically sane: activations stay finite and of
 * ordinary size through all layers, norms are near 1, biases small.
 *
 * Every byte is a function of seed, tensor name and position: any part of any tensor can be
 * generated alone, and a file is the same on every machine.
 *
 * shape.c: from a config.json or flags; plan.c: tensors, types, places; fill.c: weights;
 * vocab.c: metadata and a synthetic tokenizer; write.c: the file. All memory is the caller's or
 * freed with synth_plan_free.
 */
#ifndef VB_BENCH_SYNTH_H
#define VB_BENCH_SYNTH_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arith/wtype.h"
#include "base/bytes.h"
#include "base/error.h"

typedef enum synth_scaling {
    SYNTH_ROPE_NONE,
    SYNTH_ROPE_LINEAR,
    SYNTH_ROPE_YARN,
    SYNTH_ROPE_LLAMA3
} synth_scaling;

/* The numbers of a model. Zero: not given yet (head_dim: n_embd / n_heads). */
typedef struct synth_shape {
    char arch[16]; /* "llama", "qwen2" */
    char name[128];
    uint64_t n_embd, n_layers, n_heads, n_kv_heads, head_dim, n_ff, n_vocab, n_ctx;
    double rope_base, rms_eps;
    bool tied;
    synth_scaling scaling;
    double rope_factor, rope_low_freq_factor, rope_high_freq_factor;
    uint64_t rope_ctx_orig;
} synth_shape;

/* Reads a Hugging Face config.json: Qwen2ForCausalLM or LlamaForCausalLM; other architectures and
 * options that change the arithmetic are VB_EUNSUPPORTED. */
VB_MUST_CHECK vb_err synth_shape_read(const char *path, synth_shape *out, vb_error *e);

/* Fills what may be derived and refuses what no engine could run. VB_EINVAL names the number. */
VB_MUST_CHECK vb_err synth_shape_check(synth_shape *s, vb_error *e);

/* A whole file in one format, or llama.cpp's Q4_K_M mix of Q4_K and Q6_K. */
typedef struct synth_type {
    const char *name;
    vb_wtype base;
    bool mix;           /* Q4_K_M */
    uint32_t file_type; /* general.file_type, as llama.cpp numbers it */
} synth_type;

/* NULL when there is none; case-insensitive. */
const synth_type *synth_type_find(const char *name);
/* Names of all types, separated by spaces. */
const char *synth_type_names(void);

typedef enum synth_role {
    SYNTH_MATRIX,
    SYNTH_NORM, /* F32, near 1 */
    SYNTH_BIAS, /* F32, near 0 */
    SYNTH_FREQS /* F32, the rotary factors of llama3 */
} synth_role;

typedef struct synth_tensor {
    char name[64];
    synth_role role;
    vb_wtype type;
    uint64_t cols, rows; /* rows is 1 for vectors */
    double sigma;        /* standard deviation of a matrix's values */
    uint64_t n_bytes;
    uint64_t offset_bytes; /* from the start of the data section */
} synth_tensor;

typedef struct synth_plan {
    const synth_shape *shape;
    const synth_type *type;
    uint64_t seed;
    synth_tensor *tensors;
    size_t n_tensors;
    uint64_t data_bytes;      /* with the padding between tensors */
    uint32_t fallbacks[2][3]; /* tensors: see synth_fallback_text */
} synth_plan;

enum { SYNTH_ALIGNMENT = 32 };

VB_MUST_CHECK vb_err synth_plan_make(const synth_shape *s, const synth_type *type, uint64_t seed,
                                     synth_plan *out, vb_error *e);
void synth_plan_free(synth_plan *p);

/* One sentence for each kind of fallback that happened ("" if none), in caller's memory. */
void synth_fallback_text(const synth_plan *p, char *out, size_t max);

/* Header, metadata and tensor descriptions, padded to the data section. */
VB_MUST_CHECK vb_err synth_header_build(const synth_plan *p, vb_buf *out, vb_error *e);

/* Bytes [first, first + n) of a tensor's data. first is a multiple of synth_fill_unit; so is n,
 * unless it ends the tensor. */
void synth_fill(const synth_plan *p, const synth_tensor *t, uint64_t first, size_t n, uint8_t *out);
size_t synth_fill_unit(const synth_tensor *t);

/* Writes header and tensors to path by way of path.partial, which is renamed at the end and
 * removed on any failure or interruption (VB_ECANCELLED, when *stop becomes non-zero).
 * force: an existing path or path.partial is replaced. */
VB_MUST_CHECK vb_err synth_write(const synth_plan *p, const char *path, bool force,
                                 bool show_progress, const volatile sig_atomic_t *stop,
                                 vb_error *e);

#endif
