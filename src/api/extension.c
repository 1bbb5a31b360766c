/*
 * The randomness and the receipt: OpenAI's seed, and our own member "verbatim". What comes out is a
 * combination of mode, beacon, round and seed that a receipt can state.
 */
#include <stdio.h>
#include <string.h>

#include "api/request_parts.h"

/* What was said of the randomness, before it is known to fit together. */
typedef struct wish {
    char mode[16];
    char beacon[VB_BEACON_ID_BYTES_MAX + 1];
    char fallback[VB_BEACON_ID_BYTES_MAX + 1];
} wish;

static void read_beacon_id(vb_api_object *v, const char *name, char *out) {
    if (vb_api_name(v, name, 1, out, VB_BEACON_ID_BYTES_MAX + 1) &&
        vb_beacon_kind_of_id(out) == VB_BEACON_UNKNOWN) {
        vb_api_object_fail(v, name, "invalid_value",
                           "expected the id of a beacon, like \"drand:<chain hash>\"");
    }
}

/* A round's number: an integer, or all 64 bits as a decimal string. */
static void read_round(vb_api_object *v, vb_api_request *r) {
    const json_t *round = vb_api_member(v, "round");
    int64_t small;
    if (!json_is_string(round)) {
        r->has_round = vb_api_integer(v, "round", 0, INT64_MAX, &small);
        r->round = r->has_round ? (uint64_t)small : 0;
        return;
    }
    const char *s = json_string_value(round);
    const size_t n = json_string_length(round);
    uint64_t value = 0;
    bool good = n > 0 && n <= 20 && (s[0] != '0' || n == 1);
    for (size_t i = 0; good && i < n; i++) {
        good = s[i] >= '0' && s[i] <= '9' && !__builtin_mul_overflow(value, 10u, &value) &&
               !__builtin_add_overflow(value, (uint64_t)(s[i] - '0'), &value);
    }
    if (!good) {
        vb_api_object_fail(v, "round", "invalid_value",
                           "expected a number from 0 to 2^64 - 1, without leading zeros");
        return;
    }
    r->has_round = true;
    r->round = value;
}

static void read_members(vb_api_object *v, const vb_api_defaults *d, wish *w, vb_api_request *r) {
    static const char *const names[] = {"nonce",   "beacon",   "mode",        "round", "private",
                                        "receipt", "fallback", "deadline_ms", NULL};
    vb_api_only(v, names);
    vb_api_name(v, "nonce", 0, r->nonce, sizeof r->nonce);
    read_beacon_id(v, "beacon", w->beacon);
    read_beacon_id(v, "fallback", w->fallback);
    read_round(v, r);
    if (vb_api_name(v, "mode", 1, w->mode, sizeof w->mode) &&
        vb_beacon_mode_of_name(w->mode) == VB_MODE_UNKNOWN) {
        vb_api_object_fail(v, "mode", "invalid_value", "expected next, latest, fixed or local");
    }
    vb_api_bool(v, "private", &r->make_private);
    vb_api_bool(v, "receipt", &r->return_receipt);
    vb_api_u32(v, "deadline_ms", 1, d->deadline_ms_max, &r->deadline_ms);
}

/* The caller's seed is all the randomness there is. */
static void settle_seed(vb_api_object *v, const wish *w, vb_api_request *r) {
    const char *other = w->beacon[0]                                  ? "beacon"
                        : w->fallback[0]                              ? "fallback"
                        : r->has_round                                ? "round"
                        : w->mode[0] && strcmp(w->mode, "fixed") != 0 ? "mode"
                                                                      : NULL;
    if (other) {
        vb_api_object_fail(v, other, "invalid_value",
                           "not together with 'seed', which fixes the randomness");
    }
    r->mode = VB_MODE_FIXED;
}

static void settle_mode(vb_api_object *v, const vb_api_defaults *d, const wish *w,
                        vb_api_request *r) {
    const vb_beacon_kind kind = vb_beacon_kind_of_id(r->beacon_id);
    if (r->has_round) {
        r->mode = VB_MODE_FIXED;
        if (w->mode[0] && strcmp(w->mode, "fixed") != 0) {
            vb_api_object_fail(v, "mode", "invalid_value",
                               "expected fixed, because 'round' names the round");
        } else if (kind == VB_BEACON_MIX) {
            vb_api_object_fail(v, "round", "unsupported_value",
                               "a round fixes one part of a mix only");
        }
        return;
    }
    if (w->mode[0]) {
        r->mode = vb_beacon_mode_of_name(w->mode);
    } else if (strcmp(r->beacon_id, d->beacon_id) == 0) {
        r->mode = d->mode;
    } else {
        r->mode = kind == VB_BEACON_LOCAL ? VB_MODE_LOCAL : VB_MODE_NEXT;
    }
    if (r->mode == VB_MODE_FIXED) {
        vb_api_object_fail(v, "mode", "invalid_value",
                           "fixed needs 'seed', or 'verbatim.round' of the beacon");
    } else if (r->mode == VB_MODE_LOCAL && !w->beacon[0] && kind != VB_BEACON_LOCAL) {
        r->beacon_id[0] = 0;
    } else if ((r->mode == VB_MODE_LOCAL) != (kind == VB_BEACON_LOCAL)) {
        vb_api_object_fail(v, "mode", "invalid_value",
                           "mode local and beacons of kind local go together only");
    }
}

void vb_api_read_extension(vb_api_object *body, const vb_api_defaults *d, vb_api_request *r) {
    wish w = {.mode = ""};
    int64_t seed;
    r->make_private = d->make_private;
    r->return_receipt = d->return_receipt;
    r->deadline_ms = d->deadline_ms;
    r->has_seed = vb_api_integer(body, "seed", 0, INT64_MAX, &seed);
    r->seed = r->has_seed ? (uint64_t)seed : 0;
    vb_api_object v = vb_api_object_member(body, "verbatim");
    snprintf(v.path, sizeof v.path, "verbatim");
    if (v.err) {
        return;
    }
    read_members(&v, d, &w, r);
    if (r->has_seed) {
        settle_seed(&v, &w, r);
    } else {
        snprintf(r->beacon_id, sizeof r->beacon_id, "%s", w.beacon[0] ? w.beacon : d->beacon_id);
        snprintf(r->fallback, sizeof r->fallback, "%s",
                 w.fallback[0] ? w.fallback
                 : d->fallback ? d->fallback
                               : "");
        settle_mode(&v, d, &w, r);
    }
    body->err = v.err;
}
