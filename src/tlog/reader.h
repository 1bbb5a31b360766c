/*
 * A log as anybody reads it, from a folder or a URL (spec/log.md section 2): every byte is checked
 * against the checkpoint before it is given out. Tiles that were read stay in a bounded cache.
 *
 * What does not fit together is VB_EMISMATCH with the file's name: the folder was changed, or the
 * log signed what it does not serve. A partial tile that is gone is read from the full one.
 *
 * Owner: open/close. Thread rule: one thread at a time.
 */
#ifndef VB_TLOG_READER_H
#define VB_TLOG_READER_H

#include "base/bytes.h"
#include "tlog/entry.h"
#include "tlog/info.h"
#include "tlog/note.h"
#include "tlog/path.h"
#include "tlog/proof.h"
#include "tlog/tree.h"

/* A full bundle of entries, whatever they are: a length is a u16. */
enum { VB_TLOG_BUNDLE_BYTES_MAX = VB_TLOG_TILE_WIDTH * (2 + 65535) };

typedef struct vb_tlog_reader vb_tlog_reader;

/* Reads the file `path` (relative, of section 2) whole into out, which is empty and may hold
 * bytes_max. VB_EIO, with *absent set true, when there is none (partial tiles may be replaced by
 * full ones); VB_EIO when it can not be read; VB_ELIMIT: more than bytes_max. */
typedef vb_err (*vb_tlog_read_fn)(void *user, const char *path, size_t bytes_max, vb_buf *out,
                                  bool *absent, vb_error *e);

/* A folder; folder is copied. log NULL: the key that log.json names. */
VB_MUST_CHECK vb_err vb_tlog_reader_open_folder(const char *folder, const vb_tlog_key *log,
                                                vb_tlog_reader **out, vb_error *e);
/* place: what messages call it; copied. */
VB_MUST_CHECK vb_err vb_tlog_reader_open(vb_tlog_read_fn read, void *user, const char *place,
                                         const vb_tlog_key *log, vb_tlog_reader **out, vb_error *e);
void vb_tlog_reader_close(vb_tlog_reader *r); /* NULL is allowed */

const vb_tlog_key *vb_tlog_reader_key(const vb_tlog_reader *r);

/* log.json. VB_EMISMATCH: it is another key's. */
VB_MUST_CHECK vb_err vb_tlog_reader_info(vb_tlog_reader *r, vb_tlog_info *out, vb_error *e);

/* Reads the newest checkpoint and makes it the one that all else is checked against. Cosignatures
 * as vb_tlog_note_read. The caller compares it with an older one. After an error, here and in
 * vb_tlog_reader_use, the checkpoint is the one before. */
VB_MUST_CHECK vb_err vb_tlog_reader_refresh(vb_tlog_reader *r, const vb_tlog_key *witnesses,
                                            size_t n_witnesses, vb_tlog_checkpoint *out,
                                            vb_tlog_cosignature *cosigned, size_t *n_cosigned,
                                            vb_error *e);
/* Or a given note. */
VB_MUST_CHECK vb_err vb_tlog_reader_use(vb_tlog_reader *r, const void *note, size_t n_bytes,
                                        vb_error *e);
/* The note's bytes alone, not looked at. */
VB_MUST_CHECK vb_err vb_tlog_reader_fetch_note(vb_tlog_reader *r, vb_buf *note, vb_error *e);

/* Any file of the log's as it is, not checked, up to out's own limit. */
VB_MUST_CHECK vb_err vb_tlog_reader_file(vb_tlog_reader *r, const char *path, vb_buf *out,
                                         vb_error *e);

/* The checkpoint in use, and its note; of size 0 and empty at first. Borrowed. */
const vb_tlog_checkpoint *vb_tlog_reader_checkpoint(const vb_tlog_reader *r);
const vb_buf *vb_tlog_reader_note(const vb_tlog_reader *r);

/* The bytes of entry index < size, checked; borrowed until the next call. In ascending order it
 * reads every bundle once. They are the log's, and need not be an entry's. */
VB_MUST_CHECK vb_err vb_tlog_reader_entry(vb_tlog_reader *r, uint64_t index, const uint8_t **bytes,
                                          size_t *n_bytes, vb_error *e);
/* The root of a full subtree of the tree, checked: a vb_tlog_hash_fn, user is the reader. */
VB_MUST_CHECK vb_err vb_tlog_reader_hash(void *reader, unsigned level, uint64_t index,
                                         vb_tlog_hash *out, vb_error *e);
/* index < size. out is overwritten, the caller's to free. */
VB_MUST_CHECK vb_err vb_tlog_reader_prove(vb_tlog_reader *r, uint64_t index, vb_tlog_proof *out,
                                          vb_error *e);
/* 0 < old <= size. */
VB_MUST_CHECK vb_err vb_tlog_reader_prove_consistency(vb_tlog_reader *r, uint64_t old,
                                                      vb_tlog_hash path[VB_TLOG_PATH_MAX],
                                                      size_t *n, vb_error *e);

#endif
