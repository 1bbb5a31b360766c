/*
 * Files that a command writes where the user said: a file appears whole and is on disk, or not at
 * all. `what` names it in messages ("receipt").
 */
#ifndef VB_CLI_OUTPUT_H
#define VB_CLI_OUTPUT_H

#include <stddef.h>

#include "base/error.h"
#include "receipt/receipt.h"

/* Fails now rather than after the work when a file could not be written to path. */
VB_MUST_CHECK vb_err vb_output_check(const char *path, const char *what, vb_error *e);

VB_MUST_CHECK vb_err vb_output_write(const char *path, const char *what, const void *bytes,
                                     size_t n_bytes, vb_error *e);
VB_MUST_CHECK vb_err vb_output_write_receipt(const char *path, const vb_receipt *r, vb_error *e);

#endif
