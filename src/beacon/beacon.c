#include "beacon/beacon.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "beacon/drand.h"
#include "beacon/ethereum.h"
#include "beacon/local.h"
#include "beacon/mix.h"
#include "beacon/nist.h"
#include "beacon/theta.h"

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
        return "latest: drawn from a round known at the commitment; weaker (the server can try "
               "several commitments), and no claim without the client's nonce";
    case VB_MODE_FIXED:
        return "fixed: the caller gave the seed or named the round; reproducible, not a fair draw";
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

static vb_err verify_kind(const vb_beacon_round *r, const vb_trust *trust, vb_beacon_facts *facts,
                          vb_error *e) {
    switch (vb_beacon_kind_of_id(r->id)) {
    case VB_BEACON_DRAND: return vb_drand_verify(r, trust, facts, e);
    case VB_BEACON_THETA: return vb_theta_verify(r, trust, facts, e);
    case VB_BEACON_ETHEREUM: return vb_ethereum_verify(r, trust, facts, e);
    case VB_BEACON_NIST: return vb_nist_verify(r, trust, facts, e);
    case VB_BEACON_MIX: return vb_mix_verify(r, trust, facts, e);
    case VB_BEACON_LOCAL: return vb_local_verify(r, e);
    case VB_BEACON_UNKNOWN: break;
    }
    return vb_fail(e, VB_EUNSUPPORTED, "unknown kind of beacon: %s", r->id);
}

vb_err vb_beacon_verify(const vb_beacon_round *r, const vb_trust *trust, vb_beacon_facts *facts,
                        vb_error *e) {
    vb_beacon_facts found = {0};
    vb_err err = verify_kind(r, trust ? trust : vb_trust_builtin(), &found, e);
    if (facts) {
        *facts = found;
    }
    /* A proof beyond the limits is of no kind's form: that does not depend on who checks it. */
    return err == VB_ELIMIT ? vb_fail_in(e, VB_EFORMAT, "too large") : err;
}

static vb_err window_rule(vb_beacon_mode mode, uint64_t time_ms, const vb_beacon_round *r,
                          const vb_beacon_facts *facts, vb_error *e) {
    const vb_beacon_window *w = mode == VB_MODE_NEXT ? &facts->next : &facts->latest;
    if (!facts->timed) {
        return vb_fail(e, VB_EMISMATCH, "mode %s needs rounds with a time; those of %s have none",
                       vb_beacon_mode_name(mode), r->id);
    }
    if (time_ms >= w->from && time_ms < w->to) {
        return VB_OK;
    }
    return vb_fail(e, VB_EMISMATCH,
                   "round %" PRIu64 " is what mode %s names for a commitment from %" PRIu64
                   " to before %" PRIu64 " ms; this one is of %" PRIu64
                   ": the round is from its %s",
                   r->round, vb_beacon_mode_name(mode), w->from, w->to, time_ms,
                   time_ms < w->from ? "future" : "past");
}

vb_err vb_beacon_round_rule(vb_beacon_mode mode, uint64_t time_ms, const uint64_t *fixed_round,
                            const vb_beacon_round *r, const vb_beacon_facts *facts, vb_error *e) {
    vb_beacon_kind kind = vb_beacon_kind_of_id(r->id);
    switch (mode) {
    case VB_MODE_FIXED:
        if (kind == VB_BEACON_MIX) {
            return vb_fail(e, VB_EMISMATCH,
                           "mode fixed with a mix: a number fixes one of its parts only");
        }
        if (!fixed_round) {
            return vb_fail(e, VB_EMISMATCH,
                           "mode fixed with a round that the request does not name");
        }
        if (*fixed_round != r->round) {
            return vb_fail(e, VB_EMISMATCH,
                           "the request fixed round %" PRIu64 ", the seed is from round %" PRIu64,
                           *fixed_round, r->round);
        }
        return VB_OK;
    case VB_MODE_LOCAL:
        if (kind != VB_BEACON_LOCAL) {
            return vb_fail(e, VB_EMISMATCH, "mode local with a beacon that is not local");
        }
        return VB_OK;
    case VB_MODE_NEXT:
    case VB_MODE_LATEST: return window_rule(mode, time_ms, r, facts, e);
    case VB_MODE_UNKNOWN: break;
    }
    return vb_fail(e, VB_EUNSUPPORTED, "an unknown mode");
}
