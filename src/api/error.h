/*
 * Errors as OpenAI's API shows them: an HTTP status and
 * {"error":{"message","type","param","code"}}. docs/api.md lists the codes. Pure.
 *
 * Owner: a vb_api_error is caller's memory and borrows only static strings.
 * Thread rule: one thread at a time.
 */
#ifndef VB_API_ERROR_H
#define VB_API_ERROR_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"

typedef struct vb_api_error {
    int status;                             /* of HTTP */
    const char *code;                       /* static; NULL: null */
    char param[VB_API_PARAM_BYTES_MAX + 1]; /* "messages[0].content"; "": null */
    char message[VB_ERROR_MSG_MAX];         /* one sentence, printable */
} vb_api_error;

/* Fills *e (never NULL) and returns err. param (NULL: null) and message are cut to their size and
 * made printable. */
vb_err vb_api_fail(vb_api_error *e, vb_err err, int status, const char *code, const char *param,
                   const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* What a client is told of an error from inside the server. What it asked for is 400, with the
 * error's own sentence (inner may be NULL for other codes); what the server lacks is 503 and what
 * is broken 500, with a sentence that says nothing about files and memory. */
void vb_api_error_of(vb_err err, const vb_error *inner, vb_api_error *e);

/* "invalid_request_error" and the like: it follows from the status. */
const char *vb_api_error_type(int status);

/* Appends the JSON of the response's body. VB_ELIMIT or VB_ENOMEM as vb_buf_append. */
VB_MUST_CHECK vb_err vb_api_error_append(const vb_api_error *e, vb_buf *out);

#endif
