/* A log for tests, written by the log's own writer. */
#ifndef VB_TESTS_UNIT_TLOG_MADE_LOG_H
#define VB_TESTS_UNIT_TLOG_MADE_LOG_H

#include "support/made_entries.h"
#include "support/testing.h"
#include "tlog/writer.h"

/* Appends made entries from the writer's end up to index `to`. */
static inline void made_append(vb_tlog_writer *w, const vb_ed25519_key *key, uint64_t to) {
    vb_error e = {VB_OK, ""};
    for (uint64_t i = vb_tlog_writer_size(w) + vb_tlog_writer_pending(w); i < to; i++) {
        vb_buf entry;
        made_index(key, i, &entry);
        if (vb_tlog_writer_append(w, entry.data, entry.len, &e)) {
            fail_msg("entry %u: %s", (unsigned)i, e.msg);
        }
        vb_buf_free(&entry);
    }
}

static inline vb_tlog_writer *made_open(const char *folder, const vb_ed25519_key *key) {
    const vb_tlog_writer_options options = {.origin = MADE_ORIGIN};
    vb_tlog_writer *w = NULL;
    vb_error e = {VB_OK, ""};
    if (vb_tlog_writer_open(folder, key, &options, &w, &e)) {
        fail_msg("%s", e.msg);
    }
    return w;
}

static inline void made_publish(vb_tlog_writer *w, const vb_ed25519_key *key, uint64_t to) {
    vb_error e = {VB_OK, ""};
    made_append(w, key, to);
    if (vb_tlog_writer_publish(w, &e)) {
        fail_msg("%s", e.msg);
    }
    assert_int_equal(vb_tlog_writer_size(w), to);
}

#endif
