/*
 * Errors: every function that can fail for a reason outside the program
 * returns a vb_err and fills a vb_error with one sentence that names what was
 * wrong (file, offset, tensor, field) and what was expected.
 *
 * Rules. A caller must look at the result. On error, outputs are untouched
 * unless the header says otherwise. Programmer errors (a NULL that may not be
 * NULL, an index out of range) are VB_ASSERT, which stays on in release builds.
 * Thread rule: a vb_error belongs to one thread at a time.
 */
#ifndef VB_BASE_ERROR_H
#define VB_BASE_ERROR_H

#include <stddef.h>

typedef enum vb_err {
    VB_OK = 0,
    VB_EIO,          /* the system refused: open, read, write, map */
    VB_EFORMAT,      /* bytes that break the format's rules */
    VB_EUNSUPPORTED, /* well-formed, but not something this build handles */
    VB_ELIMIT,       /* a named limit was passed */
    VB_ENOMEM,       /* memory could not be had */
    VB_ENONFINITE,   /* a NaN or an infinity where arithmetic forbids one */
    VB_EINVAL,       /* an argument or option out of its range */
    VB_ECANCELLED,   /* the caller asked to stop */
    VB_EMISMATCH,    /* two things that must agree do not (digest, self-test) */
    VB_EINTERNAL,    /* a broken invariant that could be reported */
    VB_EUNTRUSTED    /* sound as far as it goes, but nothing the caller trusts vouches for it */
} vb_err;

enum { VB_ERROR_MSG_MAX = 512 };

typedef struct vb_error {
    vb_err code;
    char msg[VB_ERROR_MSG_MAX];
} vb_error;

#define VB_MUST_CHECK __attribute__((warn_unused_result))

/* Fills *e (which may be NULL) and returns code, so that a function can end with
 * `return vb_fail(e, VB_EFORMAT, "...", ...);`. A message longer than the buffer
 * is cut; control characters from hostile input, and what is not UTF-8, are replaced by '?'. */
vb_err vb_fail(vb_error *e, vb_err code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Prepends "context: " to the message of an error that is on its way up; returns code. */
vb_err vb_fail_in(vb_error *e, vb_err code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Replaces, in place, every byte of text that is a control character (C0, DEL, C1) or not part of a
 * UTF-8 character by '?': what comes from a file may be shown, and can not steer a terminal. */
void vb_make_printable(char *text);

/* Short stable name of a code ("io", "format", ...), for logs and --json. */
const char *vb_err_name(vb_err code);

/* Aborts with the place and the condition; for programmer errors only. */
_Noreturn void vb_assert_failed(const char *file, int line, const char *cond);
#define VB_ASSERT(c) ((c) ? (void)0 : vb_assert_failed(__FILE__, __LINE__, #c))

#endif
