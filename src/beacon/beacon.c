#include "beacon/beacon.h"

#include <stdlib.h>
#include <string.h>

#include "beacon/local.h"

static const char *const kind_names[] = {"unknown", "drand", "theta", "ethereum",
                                         "nist",    "mix",   "local"};
static const char *const mode_names[] = {"unknown", "next", "latest", "fixed", "local"};

const char *vb_beacon_kind_name(vb_beacon_kind k) {
    return (size_t)k < sizeof kind_names / sizeof kind_names[0] ? kind_names[k] : kind_names[0];
}

vb_beacon_kind vb_beacon_kind_of_id(const char *id) {
    const char *colon = strchr(id, ':');
    for (int k = VB_BEACON_DRAND; colon && k <= VB_BEACON_LOCAL; k++) {
        size_t n = strlen(kind_names[k]);
        if ((size_t)(colon - id) == n && memcmp(id, kind_names[k], n) == 0) {
            return (vb_beacon_kind)k;
        }
    }
    return VB_BEACON_UNKNOWN;
}

const char *vb_beacon_mode_name(vb_beacon_mode m) {
    return (size_t)m < sizeof mode_names / sizeof mode_names[0] ? mode_names[m] : mode_names[0];
}

vb_beacon_mode vb_beacon_mode_of_name(const char *name) {
    for (int m = VB_MODE_NEXT; m <= VB_MODE_LOCAL; m++) {
        if (strcmp(name, mode_names[m]) == 0) {
            return (vb_beacon_mode)m;
        }
    }
    return VB_MODE_UNKNOWN;
}

const char *vb_beacon_mode_strength(vb_beacon_mode m) {
    switch (m) {
    case VB_MODE_NEXT:
        return "next: drawn from the first round after the commitment; nobody "
               "could choose it";
    case VB_MODE_LATEST:
        return "latest: drawn from a round known at the commitment; weaker, and "
               "no claim without the client's nonce";
    case VB_MODE_FIXED: return "fixed: the caller gave the seed; reproducible, not a fair draw";
    case VB_MODE_LOCAL:
        return "local: the server's own hash chain; reproducible, but fairness "
               "rests on the server";
    case VB_MODE_UNKNOWN: break;
    }
    return "unknown mode";
}

void vb_beacon_round_free(vb_beacon_round *r) {
    free(r->proof);
    memset(r, 0, sizeof *r);
}

vb_err vb_beacon_verify(const vb_beacon_round *r, vb_error *e) {
    vb_beacon_kind kind = vb_beacon_kind_of_id(r->id);
    switch (kind) {
    case VB_BEACON_LOCAL: return vb_local_verify(r, e);
    case VB_BEACON_DRAND:
    case VB_BEACON_THETA:
    case VB_BEACON_ETHEREUM:
    case VB_BEACON_NIST:
    case VB_BEACON_MIX:
        return vb_fail(e, VB_EUNSUPPORTED, "this build can not check beacons of kind %s",
                       vb_beacon_kind_name(kind));
    case VB_BEACON_UNKNOWN: break;
    }
    return vb_fail(e, VB_EUNSUPPORTED, "unknown kind of beacon: %s", r->id);
}
