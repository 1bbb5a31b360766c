/*
 * log.json: what a log says of itself (spec/log.md section 2). Pure.
 *
 * Owner: the caller's memory. Thread rule: one thread at a time for one object.
 */
#ifndef VB_TLOG_INFO_H
#define VB_TLOG_INFO_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "tlog/note.h"

#define VB_TLOG_INFO_FORMAT "verbatim.log/1"
enum {
    VB_TLOG_INFO_BYTES_MAX = 4096,
    VB_TLOG_WITHIN_S_MAX = 31536000,
    VB_TLOG_PUBLISH_WITHIN_S = 60, /* what is promised unless it is said otherwise */
    VB_TLOG_SETTLE_WITHIN_S = 86400
};

typedef struct vb_tlog_info {
    vb_tlog_key key; /* its name is the origin */
    uint32_t publish_within_s, settle_within_s;
} vb_tlog_info;

/* Appends the file's bytes. */
VB_MUST_CHECK vb_err vb_tlog_info_encode(const vb_tlog_info *info, vb_buf *out, vb_error *e);
/* VB_EFORMAT; VB_EUNSUPPORTED for another version. */
VB_MUST_CHECK vb_err vb_tlog_info_decode(const void *bytes, size_t n_bytes, vb_tlog_info *out,
                                         vb_error *e);

#endif
