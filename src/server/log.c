#include "server/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/system.h"

enum { MESSAGE_BYTES = 1024 };

/* Takes line, and adds the time to it. */
static void write_line(json_t *line) {
    const uint64_t ms = vb_unix_ms();
    const time_t s = (time_t)(ms / 1000);
    struct tm utc;
    char day[32], stamp[48];
    gmtime_r(&s, &utc);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(stamp, sizeof stamp, "%s.%03uZ", day, (unsigned)(ms % 1000));
    if (line && json_object_set_new(line, "time", json_string(stamp)) == 0) {
        char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(6));
        if (text) {
            fprintf(stderr, "%s\n", text); /* one call, under stderr's lock */
        }
        free(text);
    }
    json_decref(line);
}

static const char *level_name(vb_log_level level) {
    return level == VB_LOG_INFO ? "info" : level == VB_LOG_WARNING ? "warning" : "error";
}

static void write_message(vb_log_level level, const char *event, const char *request_id,
                          const char *fmt, va_list args) {
    char message[MESSAGE_BYTES];
    vsnprintf(message, sizeof message, fmt, args);
    vb_make_printable(message);
    write_line(json_pack("{s:s,s:s,s:s*,s:s}", "level", level_name(level), "event", event,
                         "request_id", request_id, "message", message));
}

void vb_log(vb_log_level level, const char *event, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    write_message(level, event, NULL, fmt, args);
    va_end(args);
}

void vb_log_request(vb_log_level level, const char *event, const char *request_id, const char *fmt,
                    ...) {
    va_list args;
    va_start(args, fmt);
    write_message(level, event, request_id, fmt, args);
    va_end(args);
}

void vb_log_exchange(const vb_exchange_summary *s) {
    write_line(json_pack("{s:s,s:s,s:s,s:s,s:s,s:i,s:f,s:I,s:I,s:s*,s:b}", "level", "info", "event",
                         "request", "request_id", s->request_id, "method", s->method, "route",
                         s->route, "status", (int)s->status, "seconds",
                         (double)s->duration_ns / 1e9, "request_bytes",
                         (json_int_t)s->request_bytes, "response_bytes",
                         (json_int_t)s->response_bytes, "client", s->client, "gone", s->gone));
}
