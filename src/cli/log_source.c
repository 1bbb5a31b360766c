/* verbatim log: where a log is read from, and how a verdict is shown. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/log_command.h"
#include "cli/progress.h"

bool vb_log_is_url(const char *place) {
    return strncmp(place, "http://", 7) == 0 || strncmp(place, "https://", 8) == 0;
}

static bool keep_going(void *user) {
    (void)user;
    return !vb_interrupted();
}

vb_err vb_log_source_open(const char *place, vb_log_source *out, vb_error *e) {
    const vb_http_options options = {.bytes_max = VB_TLOG_BUNDLE_BYTES_MAX,
                                     .keep_going = keep_going};
    *out = (vb_log_source){.place = place};
    if (!vb_log_is_url(place)) {
        return VB_OK;
    }
    vb_err err = vb_http_check_url(place, e);
    if (err || (err = vb_http_open(&options, &out->http, e))) {
        return err;
    }
    size_t n = strlen(place);
    while (place[n - 1] == '/') {
        n--;
    }
    out->base = strndup(place, n);
    if (!out->base) {
        vb_log_source_close(out);
        return vb_fail(e, VB_ENOMEM, "no memory for a URL");
    }
    return VB_OK;
}

void vb_log_source_close(vb_log_source *s) {
    vb_http_close(s->http);
    free(s->base);
    *s = (vb_log_source){.place = NULL};
}

vb_err vb_log_fetch(void *source, const char *path, size_t bytes_max, vb_buf *out, bool *absent,
                    vb_error *e) {
    vb_log_source *s = source;
    char url[VB_PATH_BYTES_MAX + VB_TLOG_PATH_BYTES];
    long status;
    snprintf(url, sizeof url, "%s/%s", s->base, path);
    out->max = bytes_max;
    vb_err err = vb_http_get(s->http, url, out, &status, e);
    *absent = status == 404 || status == 410;
    s->failed = err != VB_OK;
    if (err) {
        vb_fail_in(e, err, "%s", path);
    }
    return err;
}

vb_err vb_log_reader_open(vb_log_source *s, const vb_tlog_key *log, vb_tlog_reader **out,
                          vb_error *e) {
    return s->http ? vb_tlog_reader_open(vb_log_fetch, s, s->place, log, out, e)
                   : vb_tlog_reader_open_folder(s->place, log, out, e);
}

const vb_tlog_key *vb_log_expected_key(const vb_log_command *o) {
    return o->key_text ? &o->key : NULL;
}

int vb_log_exit(const vb_log_verdict *v) {
    return v->verdict == VB_VERDICT_VERIFIED  ? VB_EXIT_OK
           : v->verdict == VB_VERDICT_REFUTED ? VB_EXIT_REFUTED
                                              : VB_EXIT_UNVERIFIABLE;
}

void vb_log_judge(vb_log_verdict *v, vb_verdict verdict, const char *reason, const char *format,
                  ...) {
    if (v->verdict == VB_VERDICT_REFUTED ||
        (v->verdict == VB_VERDICT_UNVERIFIABLE && verdict == v->verdict)) {
        return;
    }
    v->verdict = verdict;
    v->reason = reason;
    va_list ap;
    va_start(ap, format);
    vsnprintf(v->detail, sizeof v->detail, format, ap);
    va_end(ap);
    vb_make_printable(v->detail);
}

void vb_log_print_verdict_json(const vb_log_verdict *v) {
    printf("\"verdict\":\"%s\",\"reason\":", vb_verdict_name(v->verdict));
    if (v->reason[0]) {
        printf("\"%s\"", v->reason);
    } else {
        printf("null");
    }
    printf(",\"detail\":");
    vb_app_print_json_string(v->detail, strlen(v->detail));
    printf(",\"exit_code\":%d", vb_log_exit(v));
}

void vb_log_print_verdict(const vb_log_verdict *v) {
    if (v->detail[0]) {
        printf("why         %s\n", v->detail);
    }
    printf("%s", vb_verdict_name(v->verdict));
    if (v->reason[0]) {
        printf(" (%s)", v->reason);
    }
    printf("\n");
}
