/*
 * Internal to the layer: what source.c and the kinds of beacon say to each other. A kind knows the
 * wire format of its endpoints; source.c knows time, endpoints and verification. All that reaches
 * outside (requests, clocks, sleep) goes through a vb_outside, so that tests can put theirs in its
 * place.
 */
#ifndef VB_FETCH_KIND_H
#define VB_FETCH_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/bytes.h"
#include "base/error.h"
#include "beacon/beacon.h"
#include "beacon/trust.h"
#include "fetch/http.h"
#include "fetch/source.h"

typedef struct vb_outside {
    void *user;
    /* One request of at most limit_ms, as vb_http_get (json NULL) and vb_http_post_json. */
    vb_err (*call)(void *user, const char *url, const char *json, uint32_t limit_ms, vb_buf *body,
                   long *status, vb_error *e);
    uint64_t (*unix_ms)(void *user);
    uint64_t (*clock_ms)(void *user); /* never goes back */
    /* VB_ECANCELLED when the caller has asked to stop. */
    vb_err (*sleep_ms)(void *user, uint64_t ms, vb_error *e);
} vb_outside;

/* The real one, over a client that o configures. */
typedef struct vb_real_outside {
    vb_http *http;
    bool (*keep_going)(void *user);
    void *user;
} vb_real_outside;

VB_MUST_CHECK vb_err vb_outside_open(const vb_http_options *o, vb_real_outside *real,
                                     vb_outside *out, vb_error *e);

/* vb_source_open with another outside, which is copied. */
VB_MUST_CHECK vb_err vb_source_open_with(const vb_source_options *o, const vb_outside *outside,
                                         vb_source **out, vb_error *e);

/* One attempt to have a round from one endpoint. */
typedef struct vb_ask {
    const vb_outside *outside;
    const vb_trust *trust; /* never NULL */
    const char *id;        /* the beacon's */
    const char *url;       /* the endpoint's, without a slash at its end */
    unsigned *memory;      /* what the kind keeps about the endpoint; 0 at first */
    vb_source_want want;
    uint32_t request_ms;
    uint64_t until_ms; /* of outside's clock: when the attempt must have ended */
    vb_buf answer;     /* the last answer's body */
    long status;       /* its HTTP status; 0: none */
    bool named;        /* the error's message names the server already */
    bool not_yet;      /* the error means: ask again soon */
} vb_ask;

typedef struct vb_source_kind {
    vb_beacon_kind kind;
    size_t answer_bytes_max;
    uint32_t pause_ms_max; /* between two attempts */
    bool paths;            /* requests append a path to the endpoint's URL */
    const char *const *urls;
    size_t n_urls; /* the kind's public endpoints */
    /* The id for a chain's name, which is NULL for the kind's own choice. VB_EINVAL. */
    vb_err (*name)(const char *chain, const vb_trust *trust, char id[VB_BEACON_ID_BYTES_MAX + 1],
                   vb_error *e);
    /* From when on (unix milliseconds) asking for the round makes sense. VB_EINVAL: the kind can
     * not serve the want. Only id, trust and want of a are set. */
    vb_err (*due)(const vb_ask *a, uint64_t *due_ms, vb_error *e);
    /* The round that want names, unverified, for the caller to free; out is untouched after an
     * error. */
    vb_err (*ask)(vb_ask *a, vb_beacon_round *out, vb_error *e);
} vb_source_kind;

extern const vb_source_kind vb_kind_drand, vb_kind_theta, vb_kind_ethereum, vb_kind_nist;

/* NULL: not a kind that has endpoints. */
const vb_source_kind *vb_source_kind_of(vb_beacon_kind kind);

/* The id for a name that is not a mix's: a kind ("drand"), or a kind and a chain. VB_EINVAL. */
VB_MUST_CHECK vb_err vb_source_name(const char *name, const vb_trust *trust,
                                    char id[VB_BEACON_ID_BYTES_MAX + 1], vb_error *e);

/* The id for "mix:A+B" with such names, in any order. VB_EINVAL. */
VB_MUST_CHECK vb_err vb_source_mix_name(const char *name, const vb_trust *trust,
                                        char id[VB_BEACON_ID_BYTES_MAX + 1], vb_error *e);

/* GET of the endpoint's URL and a path, into a->answer. */
VB_MUST_CHECK vb_err vb_ask_get(vb_ask *a, vb_error *e, const char *path, ...)
    __attribute__((format(printf, 3, 4)));
/* a->answer as JSON, for the caller to json_decref. */
VB_MUST_CHECK vb_err vb_ask_parse(const vb_ask *a, json_t **out, vb_error *e);
/* The result of a JSON-RPC 2.0 call, which may be JSON's null, for the caller to json_decref. */
VB_MUST_CHECK vb_err vb_ask_rpc(vb_ask *a, const char *method, const char *params, json_t **result,
                                vb_error *e);
/* VB_EIO: the round is not there yet. */
vb_err vb_ask_not_yet(vb_ask *a, vb_error *e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The time of a final block in unix milliseconds. */
typedef vb_err vb_block_time(vb_ask *a, uint64_t number, uint64_t *time_ms, vb_error *e);

/* The first block, from 1, whose time is after want.time_ms, given that top (below 2^63) is such a
 * block: steps back that double, then bisection, so at most 126 questions whatever is answered. */
VB_MUST_CHECK vb_err vb_ask_first_after(vb_ask *a, vb_block_time *time_of, uint64_t top,
                                        uint64_t *first, vb_error *e);

#endif
