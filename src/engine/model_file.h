/*
 * A model's file or files, opened so that their digest is later known to be of the very bytes that
 * were loaded: a file that was replaced or written in between is an error and not another digest.
 */
#ifndef VB_ENGINE_MODEL_FILE_H
#define VB_ENGINE_MODEL_FILE_H

#include "crypto/filehash.h"
#include "gguf/gguf.h"

/* *ids (malloc'd for the caller; one for each file) are the files' identities when they were
 * opened. Errors as vb_gguf_open, and VB_EMISMATCH when a file changed meanwhile. */
VB_MUST_CHECK vb_err vb_model_file_open(const char *path, vb_gguf **g, vb_file_id **ids,
                                        vb_error *e);

/* The model digest (vb_filehash_model) of g's files; to be called when the model is loaded.
 * options->expected is set here to ids; NULL: any content will do. */
VB_MUST_CHECK vb_err vb_model_file_digest(const vb_gguf *g, const vb_file_id *ids,
                                          const vb_filehash_options *options,
                                          uint8_t out[VB_SHA256_BYTES], vb_error *e);

#endif
