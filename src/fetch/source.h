/*
 * Where rounds come from: a beacon's endpoints on the network. What they answer is checked with
 * vb_beacon_verify before it is given out, so an endpoint can refuse or delay, not lie: a bad
 * answer makes the next endpoint's turn, and when none is left the error names what each of them
 * did.
 *
 * Owner: open/close. Thread rule: one thread at a time for one vb_source.
 */
#ifndef VB_FETCH_SOURCE_H
#define VB_FETCH_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "beacon/beacon.h"

typedef struct vb_source vb_source;

typedef struct vb_source_options {
    /* An id of spec/beacons.md, or a short name: "drand" (quicknet), "drand:quicknet",
     * "drand:default" or another beacon id of trust's drand chains, "theta" (mainnet), "ethereum"
     * (1), "nist" (2: the chain of today), "mix:A+B" with such names (put in the order of ids). Not
     * "local". */
    const char *beacon;
    /* Endpoints in order of preference. For a mix "KIND=URL" says for which part. None: the kind's
     * public ones; VB_EINVAL for kinds that have none (theta, ethereum). */
    const char *const *urls;
    size_t n_urls;
    const vb_trust *trust; /* borrowed; NULL: built in. Its absence of a root (VB_EUNTRUSTED) does
                              not keep a round from being used: it is for verifiers to judge. */
    uint32_t request_ms;   /* of one HTTP request; 0: VB_HTTP_TOTAL_MS */
    const char *ca_file;   /* NULL: the system's */
    bool (*keep_going)(void *user); /* may be NULL; called from the thread that waits */
    void *user;
} vb_source_options;

VB_MUST_CHECK vb_err vb_source_open(const vb_source_options *o, vb_source **out, vb_error *e);
void vb_source_close(vb_source *s); /* NULL is allowed */

/* With true: what another thread waits for, and whatever is asked for later, ends with
 * VB_ECANCELLED, until it is called with false. From any thread. */
void vb_source_stop(vb_source *s, bool stop);

/* The full id, as the commitment names it; borrowed. */
const char *vb_source_id(const vb_source *s);

typedef struct vb_source_want {
    vb_beacon_mode mode; /* next, latest or fixed */
    uint64_t time_ms;    /* next, latest: the commitment's time */
    uint64_t round;      /* fixed */
    uint32_t wait_ms;    /* at most this long from now, waiting for the round included */
} vb_source_want;

/* The round that the mode names: sleeps until it is due, asks, retries with back-off over all
 * endpoints, verifies proof and round rule. VB_EIO when it could not be had in time (the message
 * says from whom and why), VB_ECANCELLED, VB_EINVAL for a want that the kind can not serve. The
 * caller frees out. */
VB_MUST_CHECK vb_err vb_source_get(vb_source *s, const vb_source_want *want, vb_beacon_round *out,
                                   vb_error *e);

/* The newest round that can be had now (for `beacon get` and `watch`): its proof is checked, its
 * age is not, as a private chain may be slow. */
VB_MUST_CHECK vb_err vb_source_newest(vb_source *s, uint32_t wait_ms, vb_beacon_round *out,
                                      vb_error *e);

#endif
