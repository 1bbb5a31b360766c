/* Exit codes: part of the interface, never renumbered (man verbatim). */
#ifndef VB_CLI_EXIT_H
#define VB_CLI_EXIT_H

#include "base/error.h"

enum {
    VB_EXIT_OK = 0,
    VB_EXIT_FAILED = 1, /* the operation failed: I/O, mismatch, internal */
    VB_EXIT_USAGE = 2,
    VB_EXIT_INPUT = 3, /* a file is malformed, unsupported, or holds non-finite values */
    VB_EXIT_LIMIT = 4, /* memory or a named limit */
    VB_EXIT_REFUTED = 10,
    VB_EXIT_UNVERIFIABLE = 11,
    VB_EXIT_ROLLED_BACK = 12, /* a log shows less than it has shown before (verbatim log follow) */
    VB_EXIT_UNCONFIRMED = 13, /* too few witnesses confirm it so far (verbatim confirm) */
    VB_EXIT_CANCELLED = 130   /* Ctrl-C */
};

static inline int vb_exit_of(vb_err err) {
    switch (err) {
    case VB_OK: return VB_EXIT_OK;
    case VB_EFORMAT:
    case VB_EUNSUPPORTED:
    case VB_ENONFINITE: return VB_EXIT_INPUT;
    case VB_ELIMIT:
    case VB_ENOMEM: return VB_EXIT_LIMIT;
    case VB_EINVAL: return VB_EXIT_USAGE;
    case VB_ECANCELLED: return VB_EXIT_CANCELLED;
    case VB_EIO:
    case VB_EMISMATCH:
    case VB_EUNTRUSTED:
    case VB_EINTERNAL: return VB_EXIT_FAILED;
    }
    return VB_EXIT_FAILED;
}

#endif
