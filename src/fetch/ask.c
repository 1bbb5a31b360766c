/* What the kinds have in common: requests, JSON-RPC, the search for a block by its time. */
#include <stdarg.h>
#include <stdio.h>

#include "fetch/kind.h"
#include "json/json.h"

static vb_err call(vb_ask *a, const char *url, const char *json, vb_error *e) {
    const uint64_t now = a->outside->clock_ms(a->outside->user);
    uint32_t limit_ms = a->request_ms;
    a->status = 0;
    if (now >= a->until_ms) {
        return vb_fail(e, VB_EIO, "no time was left for another request");
    }
    if (a->until_ms - now < limit_ms) {
        limit_ms = (uint32_t)(a->until_ms - now);
    }
    vb_err err = a->outside->call(a->outside->user, url, json, limit_ms, &a->answer, &a->status, e);
    a->named = err != VB_OK;
    return err;
}

vb_err vb_ask_get(vb_ask *a, vb_error *e, const char *path, ...) {
    char url[VB_PATH_BYTES_MAX + 1];
    int n = snprintf(url, sizeof url, "%s", a->url);
    va_list ap;
    va_start(ap, path);
    int more = vsnprintf(url + n, sizeof url - (size_t)n, path, ap);
    va_end(ap);
    if (more < 0 || (size_t)n + (size_t)more >= sizeof url) {
        return vb_fail(e, VB_EINVAL, "the endpoint's URL is too long");
    }
    return call(a, url, NULL, e);
}

vb_err vb_ask_parse(const vb_ask *a, json_t **out, vb_error *e) {
    return vb_json_parse_foreign(a->answer.data ? a->answer.data : (const uint8_t *)"",
                                 a->answer.len, a->answer.max, out, e);
}

/* The error that an answer holds instead of a result. */
static vb_err rpc_error(const char *method, const json_t *error, vb_error *e) {
    const char *text = json_string_value(json_object_get(error, "message"));
    return vb_fail(e, VB_EIO, "%s: error %" JSON_INTEGER_FORMAT ": %.100s", method,
                   json_integer_value(json_object_get(error, "code")),
                   text ? text : "without a message");
}

vb_err vb_ask_rpc(vb_ask *a, const char *method, const char *params, json_t **result, vb_error *e) {
    vb_buf json = vb_buf_make(VB_PATH_BYTES_MAX);
    json_t *doc = NULL;
    vb_err err = vb_buf_printf(
        &json, "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":%s}", method, params);
    if (err) {
        return vb_fail(e, err, "no memory for a request");
    }
    err = call(a, a->url, (const char *)json.data, e);
    vb_buf_free(&json);
    if (!err) {
        err = vb_ask_parse(a, &doc, e);
    }
    if (err) {
        return err;
    }
    json_t *error = json_object_get(doc, "error"), *value = json_object_get(doc, "result");
    if (error && !json_is_null(error)) {
        err = rpc_error(method, error, e);
    } else if (!value) {
        err = vb_fail(e, VB_EFORMAT, "%s: expected an object with a result", method);
    } else {
        *result = json_incref(value);
    }
    json_decref(doc);
    return err;
}

vb_err vb_ask_not_yet(vb_ask *a, vb_error *e, const char *fmt, ...) {
    char text[VB_ERROR_MSG_MAX / 2];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    a->not_yet = true;
    a->named = false;
    return vb_fail(e, VB_EIO, "%s", text);
}

vb_err vb_ask_first_after(vb_ask *a, vb_block_time *time_of, uint64_t top, uint64_t *first,
                          vb_error *e) {
    uint64_t low = 0, high = top, t;
    VB_ASSERT(top < (uint64_t)1 << 63);
    for (uint64_t step = 1; step < high; step *= 2) {
        vb_err err = time_of(a, high - step, &t, e);
        if (err) {
            return err;
        }
        if (t <= a->want.time_ms) {
            low = high - step;
            break;
        }
        high -= step;
    }
    while (high - low > 1) {
        const uint64_t middle = low + (high - low) / 2;
        vb_err err = time_of(a, middle, &t, e);
        if (err) {
            return err;
        }
        if (t <= a->want.time_ms) {
            low = middle;
        } else {
            high = middle;
        }
    }
    *first = high;
    return VB_OK;
}
