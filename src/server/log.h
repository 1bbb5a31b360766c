/*
 * The server's log: one JSON object a line on standard error. Names, numbers and sentences of the
 * server's own; never a prompt, an answer or a key.
 *
 * Thread rule: any thread; a line is written at once and whole.
 */
#ifndef VB_SERVER_LOG_H
#define VB_SERVER_LOG_H

#include "server/httpd.h"

typedef enum vb_log_level { VB_LOG_INFO = 1, VB_LOG_WARNING, VB_LOG_ERROR } vb_log_level;

/* {"time","level","event","message"} */
void vb_log(vb_log_level level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with the id of the request that it is about. */
void vb_log_request(vb_log_level level, const char *event, const char *request_id, const char *fmt,
                    ...) __attribute__((format(printf, 4, 5)));

/* One line for an exchange that is over. */
void vb_log_exchange(const vb_exchange_summary *s);

#endif
