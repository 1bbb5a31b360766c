/*
 * Theta's native JSON-RPC: theta.GetStatus and theta.GetBlockByHeight. A round is a final block,
 * asked for with its parent (whose time it must follow) and its child (which holds the votes).
 */
#include "beacon/theta.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "beacon/proof.h"
#include "fetch/kind.h"

/* Seconds; times 1000 they fit in 63 bits. */
#define SECONDS_MAX (((uint64_t)1 << 53) - 1)

enum { PARAMS_BYTES = 128 };

static vb_err name(const char *chain, const vb_trust *trust, char id[VB_BEACON_ID_BYTES_MAX + 1],
                   vb_error *e) {
    (void)trust;
    const char *c = chain ? chain : "mainnet";
    const size_t n = strspn(c, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    if (n < 1 || n > VB_TRUST_NAME_BYTES_MAX || c[n]) {
        return vb_fail(e, VB_EINVAL, "theta:%s: expected a chain's name, 1 to %u of a-z 0-9 _ -", c,
                       VB_TRUST_NAME_BYTES_MAX);
    }
    snprintf(id, VB_BEACON_ID_BYTES_MAX + 1, "theta:%s", c);
    return VB_OK;
}

static vb_err due(const vb_ask *a, uint64_t *due_ms, vb_error *e) {
    if (a->want.mode == VB_MODE_FIXED && (a->want.round < 1 || a->want.round >= INT64_MAX)) {
        return vb_fail(e, VB_EINVAL, "block %" PRIu64 " of %s: expected 1 to 2^63 - 2",
                       a->want.round, a->id);
    }
    /* When the next block comes is for its proposer to say. */
    *due_ms = a->want.mode == VB_MODE_FIXED ? 0 : a->want.time_ms;
    return VB_OK;
}

/* The block of a height, for the caller to json_decref. A node answers an empty string, null or an
 * empty object for a height that has no final block. */
static vb_err get_block(vb_ask *a, uint64_t height, bool unfinal_too, json_t **block, vb_error *e) {
    char params[PARAMS_BYTES];
    json_t *found = NULL;
    uint64_t is = 0;
    snprintf(params, sizeof params, "[{\"height\":\"%" PRIu64 "\"%s}]", height,
             unfinal_too ? ",\"include_unfinalized_blocks\":true" : "");
    vb_err err = vb_ask_rpc(a, "theta.GetBlockByHeight", params, &found, e);
    if (err) {
        return err;
    }
    if (!json_is_object(found) || json_object_size(found) == 0) {
        json_decref(found);
        return vb_ask_not_yet(a, e, "block %" PRIu64 " of %s is not %s", height, a->id,
                              unfinal_too ? "there yet" : "final yet");
    }
    vb_fields f = vb_fields_foreign(found, "block", e);
    vb_node_integer(&f, "height", INT64_MAX, &is);
    if (!f.err && is != height) {
        vb_field_fail(&f, VB_EMISMATCH, "height", "asked for %" PRIu64 ", got %" PRIu64, height,
                      is);
    }
    if (f.err) {
        json_decref(found);
        return f.err;
    }
    *block = found;
    return VB_OK;
}

static vb_err time_of(vb_ask *a, uint64_t height, uint64_t *time_ms, vb_error *e) {
    json_t *block = NULL;
    uint64_t seconds = 0;
    vb_err err = get_block(a, height, false, &block, e);
    if (err) {
        return err;
    }
    vb_fields f = vb_fields_foreign(block, "block", e);
    vb_node_integer(&f, "timestamp", SECONDS_MAX, &seconds);
    json_decref(block);
    if (!f.err) {
        *time_ms = 1000 * seconds;
    }
    return f.err;
}

/* The newest final block. */
static vb_err get_status(vb_ask *a, uint64_t *height, uint64_t *time_ms, vb_error *e) {
    char chain[VB_TRUST_NAME_BYTES_MAX + 1] = "";
    uint64_t seconds = 0;
    json_t *status = NULL;
    vb_err err = vb_ask_rpc(a, "theta.GetStatus", "[]", &status, e);
    if (err) {
        return err;
    }
    vb_fields f = vb_fields_foreign(status, "status", e);
    vb_field_name(&f, "chain_id", 0, chain, sizeof chain);
    if (!f.err && strcmp(chain, a->id + strlen("theta:")) != 0) {
        vb_field_fail(&f, VB_EMISMATCH, "chain_id", "expected %s, found %s",
                      a->id + strlen("theta:"), chain);
    }
    vb_node_integer(&f, "latest_finalized_block_height", INT64_MAX - 1, height);
    vb_node_integer(&f, "latest_finalized_block_time", SECONDS_MAX, &seconds);
    json_decref(status);
    *time_ms = 1000 * seconds;
    return f.err;
}

/* The height that the want names. */
static vb_err find(vb_ask *a, uint64_t *height, vb_error *e) {
    uint64_t top = 0, top_ms = 0, first = 0;
    vb_err err = get_status(a, &top, &top_ms, e);
    if (err) {
        return err;
    }
    switch (a->want.mode) {
    case VB_MODE_FIXED:
        *height = a->want.round;
        return *height <= top ? VB_OK
                              : vb_ask_not_yet(a, e,
                                               "block %" PRIu64 " of %s is not final yet: %" PRIu64
                                               " is the newest",
                                               *height, a->id, top);
    case VB_MODE_LATEST:
        if (top_ms <= a->want.time_ms) {
            *height = top;
            return VB_OK;
        }
        break;
    default:
        if (top_ms <= a->want.time_ms) {
            return vb_ask_not_yet(a, e,
                                  "no final block of %s after %" PRIu64 " ms: the newest, %" PRIu64
                                  ", is of %" PRIu64,
                                  a->id, a->want.time_ms, top, top_ms);
        }
        break;
    }
    err = vb_ask_first_after(a, time_of, top, &first, e);
    if (!err) {
        *height = a->want.mode == VB_MODE_LATEST ? first - 1 : first;
    }
    return err;
}

static vb_err ask(vb_ask *a, vb_beacon_round *out, vb_error *e) {
    json_t *block = NULL, *parent = NULL, *child = NULL;
    uint64_t height = 0;
    vb_err err = find(a, &height, e);
    if (!err && height == 0) {
        err = vb_fail(e, VB_EMISMATCH, "%s has no block with a parent before %" PRIu64 " ms", a->id,
                      a->want.time_ms);
    }
    err = err ? err : get_block(a, height, false, &block, e);
    err = err ? err : get_block(a, height - 1, false, &parent, e);
    /* The votes count, not whether the block that carries them is final itself. */
    err = err ? err : get_block(a, height + 1, true, &child, e);
    err = err ? err : vb_theta_round(a->id, block, parent, child, out, e);
    json_decref(block);
    json_decref(parent);
    json_decref(child);
    return err;
}

const vb_source_kind vb_kind_theta = {
    .kind = VB_BEACON_THETA,
    .answer_bytes_max = 1 << 21,
    .pause_ms_max = 2000,
    .name = name,
    .due = due,
    .ask = ask,
};
