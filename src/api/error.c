#include "api/error.h"

#include <stdarg.h>
#include <stdio.h>

#include "api/writer.h"

vb_err vb_api_fail(vb_api_error *e, vb_err err, int status, const char *code, const char *param,
                   const char *fmt, ...) {
    va_list ap;
    e->status = status;
    e->code = code;
    snprintf(e->param, sizeof e->param, "%s", param ? param : "");
    vb_make_printable(e->param);
    va_start(ap, fmt);
    vsnprintf(e->message, sizeof e->message, fmt, ap);
    va_end(ap);
    vb_make_printable(e->message);
    return err;
}

void vb_api_error_of(vb_err err, const vb_error *inner, vb_api_error *e) {
    switch (err) {
    case VB_EFORMAT:
    case VB_EINVAL:
    case VB_EUNSUPPORTED:
    case VB_ELIMIT:
        vb_api_fail(e, err, 400, err == VB_EUNSUPPORTED ? "unsupported_value" : "invalid_value",
                    NULL, "%s", inner->msg);
        return;
    case VB_EIO:
    case VB_ENOMEM:
    case VB_EMISMATCH:
    case VB_EUNTRUSTED:
        vb_api_fail(e, err, 503, "unavailable", NULL,
                    "The server lacks something that this request needs (%s); try again later.",
                    vb_err_name(err));
        return;
    case VB_ECANCELLED:
        vb_api_fail(e, err, 503, "cancelled", NULL,
                    "The request was stopped before it was answered.");
        return;
    case VB_OK:
    case VB_ENONFINITE:
    case VB_EINTERNAL: break;
    }
    vb_api_fail(e, err, 500, "internal", NULL,
                "The server could not complete the answer because of a fault of its own (%s).",
                vb_err_name(err));
}

const char *vb_api_error_type(int status) {
    switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 429: return "rate_limit_error";
    default: return status >= 500 ? "server_error" : "invalid_request_error";
    }
}

vb_err vb_api_error_append(const vb_api_error *e, vb_buf *out) {
    vb_api_writer w = vb_api_writer_make(out);
    vb_api_write_begin(&w, '{');
    vb_api_write_key(&w, "error");
    vb_api_write_begin(&w, '{');
    vb_api_write_key(&w, "message");
    vb_api_write_text(&w, e->message);
    vb_api_write_key(&w, "type");
    vb_api_write_text(&w, vb_api_error_type(e->status));
    vb_api_write_key(&w, "param");
    vb_api_write_text(&w, e->param[0] ? e->param : NULL);
    vb_api_write_key(&w, "code");
    vb_api_write_text(&w, e->code);
    vb_api_write_end(&w, '}');
    vb_api_write_end(&w, '}');
    return w.err;
}
