#include "fetch/source.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beacon/mix.h"
#include "crypto/random.h"
#include "fetch/kind.h"

enum {
    PAUSE_MS = 200,    /* the first; it doubles up to the kind's */
    TIME_LEFT_MS = 20, /* with less, no further attempt is worth it */
    PART_MESSAGE_BYTES = 160
};

typedef struct endpoint {
    char *url;
    char name[VB_HTTP_NAME_BYTES];
    unsigned memory; /* the kind's */
    bool asked;      /* in the present search */
    vb_error last;
} endpoint;

/* One beacon, or one part of a mix. */
typedef struct part {
    const vb_source_kind *kind;
    char id[VB_BEACON_ID_BYTES_MAX + 1];
    endpoint endpoints[VB_ENDPOINTS_MAX];
    size_t n;
    size_t first; /* the endpoint that answered last */
} part;

struct vb_source {
    char id[VB_BEACON_ID_BYTES_MAX + 1];
    const vb_trust *trust;
    uint32_t request_ms;
    part parts[VB_MIX_PARTS_MAX];
    size_t n_parts; /* 1 unless it is a mix */
    vb_outside outside;
    vb_real_outside real; /* http is NULL with an outside of others */
    bool (*keep_going)(void *user);
    void *user;
    atomic_bool stopped;
};

static vb_err add_endpoint(part *p, const char *url, vb_error *e) {
    vb_err err = vb_http_check_url(url, e);
    if (err) {
        return err;
    }
    if (p->kind->paths && strpbrk(url, "?#")) {
        return vb_fail(e, VB_EINVAL, "an endpoint of %s can not have ? or # in its URL",
                       vb_beacon_kind_name(p->kind->kind));
    }
    if (p->n == VB_ENDPOINTS_MAX) {
        return vb_fail(e, VB_EINVAL, "more than %u endpoints for %s", VB_ENDPOINTS_MAX, p->id);
    }
    endpoint *at = &p->endpoints[p->n];
    at->url = strdup(url);
    if (!at->url) {
        return vb_fail(e, VB_ENOMEM, "no memory for an endpoint");
    }
    size_t n_bytes = strlen(url);
    while (p->kind->paths && n_bytes && url[n_bytes - 1] == '/') {
        at->url[--n_bytes] = 0;
    }
    vb_http_server_name(url, at->name);
    p->n++;
    return VB_OK;
}

/* "KIND=URL": for every part of that kind. */
static vb_err add_part_endpoint(vb_source *s, const char *url, vb_error *e) {
    bool used = false;
    for (size_t i = 0; i < s->n_parts; i++) {
        const char *kind = vb_beacon_kind_name(s->parts[i].kind->kind);
        const size_t n = strlen(kind);
        if (strncmp(url, kind, n) == 0 && url[n] == '=') {
            vb_err err = add_endpoint(&s->parts[i], url + n + 1, e);
            if (err) {
                return err;
            }
            used = true;
        }
    }
    return used ? VB_OK
                : vb_fail(e, VB_EINVAL,
                          "an endpoint of a mix is given as KIND=URL with the kind of a part");
}

static vb_err add_endpoints(vb_source *s, const vb_source_options *o, vb_error *e) {
    vb_err err = VB_OK;
    for (size_t i = 0; i < o->n_urls && !err; i++) {
        err = s->n_parts > 1 ? add_part_endpoint(s, o->urls[i], e)
                             : add_endpoint(&s->parts[0], o->urls[i], e);
    }
    for (size_t i = 0; i < s->n_parts && !err; i++) {
        part *p = &s->parts[i];
        for (size_t k = 0; k < p->kind->n_urls && !o->n_urls && !err; k++) {
            err = add_endpoint(p, p->kind->urls[k], e);
        }
        if (!err && !p->n) {
            err = vb_fail(e, VB_EINVAL, "%s: no endpoint is given, and there is no public one",
                          p->id);
        }
    }
    return err;
}

/* Ids and kinds of s and of its parts. */
static vb_err set_names(vb_source *s, const char *beacon, vb_error *e) {
    const bool mix = strncmp(beacon, "mix:", 4) == 0;
    vb_mix_ids ids = {.n = 1};
    vb_err err = mix ? vb_source_mix_name(beacon, s->trust, s->id, e)
                     : vb_source_name(beacon, s->trust, s->id, e);
    if (err) {
        return err;
    }
    if (mix) {
        err = vb_mix_split(s->id, &ids, e);
    } else {
        memcpy(ids.id[0], s->id, sizeof s->id);
    }
    for (size_t i = 0; i < ids.n && !err; i++) {
        part *p = &s->parts[s->n_parts++];
        memcpy(p->id, ids.id[i], sizeof p->id);
        p->kind = vb_source_kind_of(vb_beacon_kind_of_id(p->id));
        VB_ASSERT(p->kind);
    }
    return err;
}

vb_err vb_source_open_with(const vb_source_options *o, const vb_outside *outside, vb_source **out,
                           vb_error *e) {
    vb_source *s = calloc(1, sizeof *s);
    if (!s) {
        return vb_fail(e, VB_ENOMEM, "no memory for a beacon's source");
    }
    s->trust = o->trust ? o->trust : vb_trust_builtin();
    s->request_ms = o->request_ms ? o->request_ms : VB_HTTP_TOTAL_MS;
    s->outside = *outside;
    vb_err err = set_names(s, o->beacon, e);
    err = err ? err : add_endpoints(s, o, e);
    if (err) {
        vb_source_close(s);
        return err;
    }
    *out = s;
    return VB_OK;
}

static bool keep_going(void *user) {
    vb_source *s = user;
    return !atomic_load(&s->stopped) && (!s->keep_going || s->keep_going(s->user));
}

vb_err vb_source_open(const vb_source_options *o, vb_source **out, vb_error *e) {
    const vb_outside none = {.user = NULL};
    vb_source *s = NULL;
    vb_err err = vb_source_open_with(o, &none, &s, e);
    if (err) {
        return err;
    }
    s->keep_going = o->keep_going;
    s->user = o->user;
    const vb_http_options http = {
        .total_ms = o->request_ms, .ca_file = o->ca_file, .keep_going = keep_going, .user = s};
    err = vb_outside_open(&http, &s->real, &s->outside, e);
    if (err) {
        vb_source_close(s);
        return err;
    }
    *out = s;
    return VB_OK;
}

void vb_source_close(vb_source *s) {
    if (!s) {
        return;
    }
    for (size_t i = 0; i < s->n_parts; i++) {
        for (size_t k = 0; k < s->parts[i].n; k++) {
            free(s->parts[i].endpoints[k].url);
        }
    }
    vb_http_close(s->real.http);
    free(s);
}

void vb_source_stop(vb_source *s, bool stop) {
    atomic_store(&s->stopped, stop);
}

const char *vb_source_id(const vb_source *s) {
    return s->id;
}

/* What is wanted, and until when. */
typedef struct search {
    vb_source_want want;
    bool any_age;         /* the newest round, whether or not the rule calls it recent */
    uint64_t deadline_ms; /* of outside's clock */
} search;

static uint64_t left_ms(const vb_source *s, const search *q) {
    const uint64_t now = s->outside.clock_ms(s->outside.user);
    return now < q->deadline_ms ? q->deadline_ms - now : 0;
}

/* VB_OK: the round may be used. That no trust root vouches for it is for verifiers to judge. */
static vb_err check_round(const vb_source *s, const part *p, const search *q,
                          const vb_beacon_round *r, vb_error *e) {
    vb_beacon_facts facts;
    if (strcmp(r->id, p->id) != 0) {
        return vb_fail(e, VB_EMISMATCH, "a round of %s instead of %s", r->id, p->id);
    }
    vb_err err = vb_beacon_verify(r, s->trust, &facts, e);
    if ((err && err != VB_EUNTRUSTED) || q->any_age) {
        return err == VB_EUNTRUSTED ? VB_OK : err;
    }
    return vb_beacon_round_rule(q->want.mode, q->want.time_ms, &q->want.round, r, &facts, e);
}

/* One attempt at one endpoint. With others left to ask it may use half of the time at most. */
static vb_err ask_endpoint(vb_source *s, part *p, endpoint *at, const search *q, bool *not_yet,
                           vb_beacon_round *out) {
    const uint64_t now = s->outside.clock_ms(s->outside.user), left = left_ms(s, q);
    vb_beacon_round r = {.proof = NULL};
    vb_error e = {0};
    vb_ask a = {
        .outside = &s->outside,
        .trust = s->trust,
        .id = p->id,
        .url = at->url,
        .memory = &at->memory,
        .want = q->want,
        .request_ms = s->request_ms,
        .until_ms = now + (p->n > 1 ? left / 2 : left),
        .answer = vb_buf_make(p->kind->answer_bytes_max),
    };
    vb_err err = p->kind->ask(&a, &r, &e);
    if (!err) {
        err = check_round(s, p, q, &r, &e);
    }
    if (err) {
        vb_beacon_round_free(&r);
        if (!a.named) {
            err = vb_fail_in(&e, err, "%s", at->name);
        }
        /* That the last attempt was cut short tells less than what went wrong before it. */
        if (!at->asked || s->outside.clock_ms(s->outside.user) < a.until_ms) {
            at->last = e;
        }
    } else {
        *out = r;
    }
    at->asked = true;
    *not_yet = err && a.not_yet;
    vb_buf_free(&a.answer);
    return err;
}

/* VB_EIO, with what each endpoint did. */
static vb_err nothing_had(const part *p, const search *q, vb_error *e) {
    char text[VB_ERROR_MSG_MAX];
    int n = snprintf(text, sizeof text, "no round of %s in %" PRIu32 " ms", p->id, q->want.wait_ms);
    for (size_t i = 0; i < p->n && n > 0 && (size_t)n < sizeof text; i++) {
        const endpoint *at = &p->endpoints[i];
        n += snprintf(text + n, sizeof text - (size_t)n, "; %.*s%s", PART_MESSAGE_BYTES,
                      at->asked ? at->last.msg : at->name, at->asked ? "" : ": not asked");
    }
    return vb_fail(e, VB_EIO, "%s", text);
}

/* Sleeps for about ms, and less when little time is left: so that an attempt follows. A quarter of
 * it is random, so that servers which wait for one round do not all ask at once. */
static vb_err pause_for(vb_source *s, const search *q, uint64_t ms, vb_error *e) {
    const uint64_t left = left_ms(s, q);
    uint32_t random;
    vb_err err = vb_random_bytes(&random, sizeof random, e);
    if (err) {
        return err;
    }
    ms = ms * 3 / 4 + random % (ms / 4 + 1);
    return s->outside.sleep_ms(s->outside.user, ms < left / 2 ? ms : left / 2, e);
}

static vb_err wait_until_due(vb_source *s, const part *p, const search *q, vb_error *e) {
    const vb_ask a = {.id = p->id, .trust = s->trust, .want = q->want};
    uint64_t due_ms;
    vb_err err = p->kind->due(&a, &due_ms, e);
    for (uint64_t now; !err && (now = s->outside.unix_ms(s->outside.user)) < due_ms;) {
        if (due_ms - now >= left_ms(s, q)) {
            return vb_fail(e, VB_EIO,
                           "the round of %s is due in %" PRIu64 " ms, after the %" PRIu32
                           " ms allowed",
                           p->id, due_ms - now, q->want.wait_ms);
        }
        err = s->outside.sleep_ms(s->outside.user, due_ms - now, e);
        if (!err && atomic_load(&s->stopped)) {
            err = vb_fail(e, VB_ECANCELLED, "%s: cancelled", p->id);
        }
    }
    return err;
}

static vb_err get_part(vb_source *s, part *p, const search *q, vb_beacon_round *out, vb_error *e) {
    uint64_t pause_ms = PAUSE_MS;
    vb_err err = wait_until_due(s, p, q, e);
    if (err) {
        return err;
    }
    for (size_t i = 0; i < p->n; i++) {
        p->endpoints[i].asked = false;
    }
    const size_t first = p->first;
    for (size_t turn = 0; left_ms(s, q) > TIME_LEFT_MS; turn++) {
        if (atomic_load(&s->stopped)) {
            return vb_fail(e, VB_ECANCELLED, "%s: cancelled", p->id);
        }
        const size_t i = (first + turn) % p->n;
        bool not_yet = false;
        err = ask_endpoint(s, p, &p->endpoints[i], q, &not_yet, out);
        if (!err) {
            p->first = i;
            return VB_OK;
        }
        if (err == VB_ECANCELLED || err == VB_EINVAL) {
            return vb_fail(e, err, "%s: %s", p->id,
                           err == VB_EINVAL ? p->endpoints[i].last.msg : "cancelled");
        }
        if (not_yet || (turn + 1) % p->n == 0) {
            err = pause_for(s, q, pause_ms, e);
            if (err) {
                return err;
            }
            pause_ms = 2 * pause_ms < p->kind->pause_ms_max ? 2 * pause_ms : p->kind->pause_ms_max;
        }
    }
    return nothing_had(p, q, e);
}

/* A mix's parts one after the other: each waits for a time that is the same for all, so the whole
 * lasts about as long as its slowest part. */
static vb_err get_mix(vb_source *s, const search *q, vb_beacon_round *out, vb_error *e) {
    vb_beacon_round parts[VB_MIX_PARTS_MAX];
    size_t n = 0;
    vb_err err = VB_OK;
    if (q->want.mode == VB_MODE_FIXED) {
        return vb_fail(e, VB_EINVAL, "mode fixed with a mix: a number fixes one of its parts only");
    }
    while (n < s->n_parts && !(err = get_part(s, &s->parts[n], q, &parts[n], e))) {
        n++;
    }
    err = err ? err : vb_mix_round(s->id, parts, n, out, e);
    for (size_t i = 0; i < n; i++) {
        vb_beacon_round_free(&parts[i]);
    }
    return err;
}

static vb_err get(vb_source *s, search *q, vb_beacon_round *out, vb_error *e) {
    q->deadline_ms = s->outside.clock_ms(s->outside.user) + q->want.wait_ms;
    return s->n_parts > 1 ? get_mix(s, q, out, e) : get_part(s, &s->parts[0], q, out, e);
}

vb_err vb_source_get(vb_source *s, const vb_source_want *want, vb_beacon_round *out, vb_error *e) {
    search q = {.want = *want};
    if (want->mode != VB_MODE_NEXT && want->mode != VB_MODE_LATEST && want->mode != VB_MODE_FIXED) {
        return vb_fail(e, VB_EINVAL, "mode %s names no round that could be fetched",
                       vb_beacon_mode_name(want->mode));
    }
    if (want->mode != VB_MODE_FIXED && want->time_ms > INT64_MAX) {
        return vb_fail(e, VB_EINVAL, "a commitment's time beyond 2^63 ms");
    }
    return get(s, &q, out, e);
}

vb_err vb_source_newest(vb_source *s, uint32_t wait_ms, vb_beacon_round *out, vb_error *e) {
    search q = {.want = {.mode = VB_MODE_LATEST,
                         .time_ms = s->outside.unix_ms(s->outside.user),
                         .wait_ms = wait_ms},
                .any_age = true};
    return get(s, &q, out, e);
}
