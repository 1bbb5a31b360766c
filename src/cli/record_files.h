/*
 * The files that one run of `verbatim verify` looks at: those named, and the records in folders.
 * Folders may be hostile: only regular files count, none is opened in a way that could wait, a name
 * is all that is kept of each, and what order they come in is settled by a look at their ends.
 *
 * Owner: zeroed at first, then closed. Thread rule: one thread at a time.
 */
#ifndef VB_CLI_RECORD_FILES_H
#define VB_CLI_RECORD_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"

typedef struct vb_record_file {
    uint64_t sequence; /* that the file seems to have; UINT64_MAX: none */
    size_t name;       /* its place among the names */
    uint32_t folder;   /* its place among the folders; 0: named by the user */
    bool commitment;   /* it begins as commitment records do */
} vb_record_file;

typedef struct vb_record_files {
    vb_record_file *files;
    size_t n, capacity;
    vb_buf names;   /* zero-terminated, one after the other */
    vb_buf folders; /* the same; folder i + 1 begins at folder_at[i] */
    size_t *folder_at;
    size_t n_folders;
    size_t n_skipped; /* called *.json but no regular files, or as a subfolder but none */
} vb_record_files;

/* Adds a file; or, of a folder, every regular file called *.json in it and in its subfolders
 * receipts, aborts and commitments, which a server's data folder has. A file that can not be read
 * is added too: reading it will say why. VB_EIO: the folder can not be read. VB_ELIMIT: more than
 * VB_AUDIT_RECORDS_MAX files. VB_ECANCELLED: Ctrl-C. */
VB_MUST_CHECK vb_err vb_record_files_add(vb_record_files *l, const char *path, vb_error *e);
void vb_record_files_close(vb_record_files *l);

/* Commitments first, for what follows to be held against them; then by sequence number; files of
 * one number by their paths. */
void vb_record_files_sort(vb_record_files *l);

/* VB_ELIMIT: the path is too long. */
VB_MUST_CHECK vb_err vb_record_files_path(const vb_record_files *l, size_t i,
                                          char path[VB_PATH_BYTES_MAX], vb_error *e);

/* All of file i, malloc'd. VB_EIO, VB_ENOMEM, VB_ELIMIT beyond VB_RECEIPT_BYTES_MAX. */
VB_MUST_CHECK vb_err vb_record_files_read(const vb_record_files *l, size_t i, char **bytes,
                                          size_t *n_bytes, vb_error *e);

#endif
