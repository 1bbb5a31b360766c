/*
 * What every command that runs a model shares: options, tier, self-test, loading with progress,
 * and the places where the program keeps its files.
 */
#ifndef VB_CLI_APP_H
#define VB_CLI_APP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/version.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "crypto/filehash.h"
#include "crypto/sha256.h"
#include "gguf/gguf.h"
#include "kernels/kernels.h"
#include "model/model.h"
#include "tokenizer/tokenizer.h"

typedef struct vb_app {
    /* options */
    const char *model_path;
    const char *tier;
    uint64_t threads, ctx, batch; /* 0: the default */
    bool quiet, json, no_speculation;
    /* opened by vb_app_open */
    const vb_kernels *kernels;
    vb_gguf *gguf;
    vb_file_id *file_ids; /* of gguf's files when they were opened */
    vb_model *model;
    vb_tokenizer *tokenizer; /* NULL unless asked for */
    uint64_t load_ns;
} vb_app;

/* Which of a vb_app's options a command takes. */
enum {
    VB_APP_OPT_MODEL = 1,
    VB_APP_OPT_CTX = 2,
    VB_APP_OPT_RUN = 4, /* batch, threads, tier */
    VB_APP_OPT_JSON = 8,
    VB_APP_OPT_QUIET = 16,
    VB_APP_OPT_SPECULATION = 32
};
void vb_app_options(vb_app *a, unsigned which, vb_opt_table *t);

/* Picks the tier, runs its self-test, opens the file, loads the weights and, when asked, the
 * tokenizer. VB_EINVAL when no -m was given. */
VB_MUST_CHECK vb_err vb_app_open(vb_app *a, bool want_tokenizer, vb_error *e);
void vb_app_close(vb_app *a);

/* Only the tier: chosen and self-tested. */
VB_MUST_CHECK vb_err vb_app_select_tier(vb_app *a, vb_error *e);

int vb_app_threads(const vb_app *a);
size_t vb_app_batch(const vb_app *a);

/* SHA-256 of the model's file or files, from the cache unless rehash. To be called when the model
 * is loaded: VB_EMISMATCH when a file is no longer the one that was opened, so that the digest is
 * of the bytes in use. */
VB_MUST_CHECK vb_err vb_app_model_digest(const vb_app *a, bool rehash, uint8_t out[VB_SHA256_BYTES],
                                         vb_error *e);
VB_MUST_CHECK vb_err vb_app_path_digest(const vb_gguf *g, const vb_file_id *expected, bool rehash,
                                        bool quiet, uint8_t out[VB_SHA256_BYTES], vb_error *e);

/* The program's own folders, made (0700) when absent: $XDG_CACHE_HOME/verbatim or
 * ~/.cache/verbatim; $XDG_DATA_HOME/verbatim or ~/.local/share/verbatim. */
VB_MUST_CHECK vb_err vb_app_cache_dir(char *out, size_t max, vb_error *e);
VB_MUST_CHECK vb_err vb_app_data_dir(char *out, size_t max, vb_error *e);

/* "verbatim CMD: message" on stderr, or {"error": ...} on stdout when json; the exit status. */
int vb_app_fail(const vb_app *a, const char *command, vb_err err, const vb_error *e);

/* A whole file, or stdin for "-", up to max bytes; text is malloc'd and zero-terminated. */
VB_MUST_CHECK vb_err vb_app_read_file(const char *path, size_t max, char **text, size_t *n_bytes,
                                      vb_error *e);

/* Text of an answer to stdout, at once; on a terminal without its control characters. */
VB_MUST_CHECK vb_err vb_app_stream_text(const char *text, size_t n_bytes, vb_error *e);

/* Prints text as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void vb_app_print_json_string(const char *text, size_t n_bytes);

#endif
