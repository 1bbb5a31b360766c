/*
 * What the parts of `verbatim log` share: its options, where a log is read from, and the verdict.
 */
#ifndef VB_CLI_LOG_COMMAND_H
#define VB_CLI_LOG_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/app.h"
#include "fetch/http.h"
#include "tlog/evidence.h"
#include "tlog/reader.h"
#include "verify/check.h"

/* Options; NULL or false: not given. */
typedef struct vb_log_command {
    vb_app a; /* json, quiet, threads */
    const char *key_text, *record, *against, *output;
    vb_opt_list witness_texts;
    uint64_t quorum, at_ms, sequence, interval_s;
    bool quorum_given, at_given, sequence_given, once;
    /* Read from them. */
    vb_tlog_key key;
    vb_tlog_key *witnesses; /* [witness_texts.n] */
    char *record_bytes;     /* malloc'd, NULL without --record */
    size_t n_record_bytes;
} vb_log_command;

/* A log in a folder or at a URL. */
typedef struct vb_log_source {
    const char *place;
    char *base;    /* of a URL: without the slash at its end */
    vb_http *http; /* NULL: a folder */
    bool failed;   /* the last request */
} vb_log_source;

bool vb_log_is_url(const char *place);
VB_MUST_CHECK vb_err vb_log_source_open(const char *place, vb_log_source *out, vb_error *e);
void vb_log_source_close(vb_log_source *s); /* also of a zeroed one */
/* A vb_tlog_read_fn of a URL; user is the vb_log_source. */
VB_MUST_CHECK vb_err vb_log_fetch(void *source, const char *path, size_t bytes_max, vb_buf *out,
                                  bool *absent, vb_error *e);
/* The reader of either; log NULL as vb_tlog_reader_open_folder. */
VB_MUST_CHECK vb_err vb_log_reader_open(vb_log_source *s, const vb_tlog_key *log,
                                        vb_tlog_reader **out, vb_error *e);

/* The key of --key, or NULL. */
const vb_tlog_key *vb_log_expected_key(const vb_log_command *o);

/* What verify has found. */
typedef struct vb_log_verdict {
    vb_verdict verdict;
    const char *reason;            /* "" of a VERIFIED log */
    char detail[VB_ERROR_MSG_MAX]; /* a sentence, printable; "" when there is nothing to say */
} vb_log_verdict;
int vb_log_exit(const vb_log_verdict *v);
/* Sets a verdict other than VERIFIED, unless a worse one stands. */
void vb_log_judge(vb_log_verdict *v, vb_verdict verdict, const char *reason, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));
/* The verdict's members, without a brace before or after. */
void vb_log_print_verdict_json(const vb_log_verdict *v);
void vb_log_print_verdict(const vb_log_verdict *v);

/* Each gives the exit status. */
int vb_log_verify(vb_log_command *o, const char *what);
int vb_log_verify_copy(vb_log_command *o, const char *place); /* verify of a folder or a URL */
int vb_log_prove(vb_log_command *o, const char *place);
int vb_log_follow(vb_log_command *o, const char *url, const char *folder);

#endif
