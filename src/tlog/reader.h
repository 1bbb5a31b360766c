/*
 * A log as anybody reads it, from a folder or a URL (spec/log.md section 2): every byte is checked
 * against the checkpoint before it is given out. Tiles that were read stay in a bounded cache.
 *
 * Owner: open/close. Thread rule: one thread at a time.
 */
#ifndef VB_TLOG_READER_H
#define VB_TLOG_READER_H

#include "base/bytes.h"
#include "tlog/entry.h"
#include "tlog/note.h"
#include "tlog/proof.h"
#include "tlog/tree.h"

typedef struct vb_tlog_reader vb_tlog_reader;

/* Reads the file `path` (relative, of section 2) whole: VB_OK; VB_ENOTFOUND or the like when there
 * is none (partial tiles may be replaced by full ones); VB_ELIMIT: more than bytes_max. */
typedef vb_err (*vb_tlog_read_fn)(void *user, const char *path, size_t bytes_max, vb_buf *out,
                                  vb_error *e);

/* A folder; folder is copied. */
VB_MUST_CHECK vb_err vb_tlog_reader_open_folder(const char *folder, const vb_tlog_key *log,
                                                vb_tlog_reader **out, vb_error *e);
VB_MUST_CHECK vb_err vb_tlog_reader_open(vb_tlog_read_fn read, void *user, const vb_tlog_key *log,
                                         vb_tlog_reader **out, vb_error *e);
void vb_tlog_reader_close(vb_tlog_reader *r);

/* Reads the newest checkpoint and makes it the one that all else is checked against. Cosignatures
 * as vb_tlog_note_read. The caller compares it with an older one. */
VB_MUST_CHECK vb_err vb_tlog_reader_refresh(vb_tlog_reader *r, const vb_tlog_key *witnesses,
                                            size_t n_witnesses, vb_tlog_checkpoint *out,
                                            vb_tlog_cosignature *cosigned, size_t *n_cosigned,
                                            vb_error *e);
/* Or a given note. */
VB_MUST_CHECK vb_err vb_tlog_reader_use(vb_tlog_reader *r, const void *note, size_t n_bytes,
                                        vb_error *e);

/* The bytes of entry index, checked; borrowed until the next call. In ascending order it reads
 * every bundle once. */
VB_MUST_CHECK vb_err vb_tlog_reader_entry(vb_tlog_reader *r, uint64_t index, const uint8_t **bytes,
                                          size_t *n_bytes, vb_error *e);
VB_MUST_CHECK vb_err vb_tlog_reader_prove(vb_tlog_reader *r, uint64_t index, vb_tlog_proof *out,
                                          vb_error *e);
VB_MUST_CHECK vb_err vb_tlog_reader_prove_consistency(vb_tlog_reader *r, uint64_t old,
                                                      vb_tlog_hash path[VB_TLOG_PATH_MAX],
                                                      size_t *n, vb_error *e);

#endif
