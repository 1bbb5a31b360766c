/*
 * Endpoints that answer anything: the input's first line is a beacon, a mode and a time or round,
 * what follows are the answers to the questions, in their order, with 0x1e between them. However it
 * ends, it ends soon, and a round that comes out is one that verification and the rules allow.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beacon/round.h"
#include "unit/fetch/outside.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINE_BYTES_MAX = 300, SEPARATOR = 0x1e, WAIT_MS = 300 };

typedef struct answers {
    const uint8_t *next, *end;
} answers;

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

static long next_answer(fake_outside *o, const char *url, const char *json, vb_buf *body) {
    answers *a = o->user;
    (void)url;
    (void)json;
    if (a->next == a->end) {
        return 404;
    }
    const uint8_t *stop = memchr(a->next, SEPARATOR, (size_t)(a->end - a->next));
    const size_t n = (size_t)((stop ? stop : a->end) - a->next);
    const vb_err err = vb_buf_append(body, a->next, n);
    a->next = stop ? stop + 1 : a->end;
    return err ? 0 : 200;
}

static void check(const vb_source *s, const vb_source_want *want, const vb_beacon_round *r) {
    vb_beacon_facts facts;
    vb_error e = {0};
    vb_buf json = vb_buf_make(VB_BEACON_ROUND_BYTES_MAX);
    const vb_err err = vb_beacon_verify(r, NULL, &facts, &e);
    require(err == VB_OK || err == VB_EUNTRUSTED);
    require(strcmp(r->id, vb_source_id(s)) == 0);
    require(vb_beacon_round_rule(want->mode, want->time_ms, &want->round, r, &facts, &e) == VB_OK);
    require(vb_beacon_round_encode(r, &json, &e) == VB_OK);
    vb_buf_free(&json);
}

/* Endpoints for a beacon, or for each kind that a mix may name. */
static size_t endpoints(const char *beacon, const char *urls[VB_MIX_PARTS_MAX]) {
    static const char *const kinds[][2] = {{"drand", "drand=http://a.invalid"},
                                           {"theta", "theta=http://b.invalid"},
                                           {"ethereum", "ethereum=http://c.invalid"},
                                           {"nist", "nist=http://d.invalid"}};
    size_t n = 0;
    if (strncmp(beacon, "mix:", 4) != 0) {
        urls[n++] = "http://a.invalid";
        urls[n++] = "http://b.invalid";
        return n;
    }
    for (size_t i = 0; i < 4; i++) {
        if (strstr(beacon, kinds[i][0])) {
            urls[n++] = kinds[i][1];
        }
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *urls[VB_MIX_PARTS_MAX];
    char line[LINE_BYTES_MAX], beacon[LINE_BYTES_MAX], mode[16];
    uint64_t number;
    const uint8_t *stop = memchr(data, '\n', size);
    const size_t n = stop ? (size_t)(stop - data) : size;
    if (!stop || n >= sizeof line) {
        return 0;
    }
    memcpy(line, data, n);
    line[n] = 0;
    if (sscanf(line, "%299s %15s %" SCNu64, beacon, mode, &number) != 3) {
        return 0;
    }
    answers a = {stop + 1, data + size};
    fake_outside o = {
        .unix_ms = UINT64_C(1800000000000), .call_ms = 1, .answer = next_answer, .user = &a};
    const vb_source_options options = {
        .beacon = beacon, .urls = urls, .n_urls = endpoints(beacon, urls)};
    const vb_outside outside = fake_outside_of(&o);
    vb_source_want want = {
        .mode = vb_beacon_mode_of_name(mode), .wait_ms = WAIT_MS, .time_ms = number};
    want.round = want.mode == VB_MODE_FIXED ? number : 0;
    vb_source *s = NULL;
    vb_beacon_round r = {.proof = NULL};
    vb_error e = {0};
    if (vb_source_open_with(&options, &outside, &s, &e) == VB_OK) {
        if (vb_source_get(s, &want, &r, &e) == VB_OK) {
            check(s, &want, &r);
        } else {
            require(e.msg[0] && !r.proof);
        }
        require(o.clock_ms <= WAIT_MS && o.n_calls <= WAIT_MS);
        vb_beacon_round_free(&r);
    }
    vb_source_close(s);
    return 0;
}
