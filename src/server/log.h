/*
 * The server's log: one line an event, as JSON or as name=value text. Names, numbers and sentences
 * of the server's own; never a prompt, an answer or a key.
 *
 * Nobody who logs waits for who reads: between vb_log_open and vb_log_close a line is put into a
 * ring of VB_LOG_RING_BYTES, and a thread of the log's own writes it. A line that finds no room is
 * dropped and counted; once the reader goes on, a line of event "dropped" stands where the first
 * of them would stand, and says how many there were. Some room is kept for errors.
 * Without vb_log_open a line is written to standard error at once, by whoever logs it.
 *
 * Thread rule: lines from any thread. Open before the first of them and close after the last, both
 * from one thread.
 */
#ifndef VB_SERVER_LOG_H
#define VB_SERVER_LOG_H

#include "server/httpd.h"

typedef enum vb_log_level { VB_LOG_INFO = 1, VB_LOG_WARNING, VB_LOG_ERROR } vb_log_level;
typedef enum vb_log_form { VB_LOG_JSON = 1, VB_LOG_TEXT } vb_log_form;

enum {
    VB_LOG_RING_BYTES = 1 << 18,       /* some thousand lines of a reader who is late */
    VB_LOG_FOR_ERRORS_BYTES = 1 << 15, /* of these, what only errors may fill */
    VB_LOG_LINE_BYTES_MAX = 4096,      /* what a pipe takes whole; a longer line is dropped */
    VB_LOG_CLOSE_MS = 2000             /* a good wait_ms for vb_log_close */
};

/* "info", "warning", "error"; "json", "text". 0: there is no such. */
int vb_log_level_of_name(const char *name);
int vb_log_form_of_name(const char *name);

typedef struct vb_log_options {
    int fd;             /* borrowed until close; for good when that returns false */
    vb_log_level level; /* lines below it are left out, and are not counted as dropped */
    vb_log_form form;
} vb_log_options;

/* Only one log is open at a time. VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_log_open(const vb_log_options *o, vb_error *e);
/* Writes what is left, for at most about wait_ms; false: not all of it. Without an open log: true.
 */
bool vb_log_close(uint32_t wait_ms);

/* Lines that were dropped since the process began. */
uint64_t vb_log_dropped(void);

/* {"time","level","event","message"} */
void vb_log(vb_log_level level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with the id of the request that it is about. */
void vb_log_request(vb_log_level level, const char *event, const char *request_id, const char *fmt,
                    ...) __attribute__((format(printf, 4, 5)));

/* One line for an exchange that is over. */
void vb_log_exchange(const vb_exchange_summary *s);

#endif
