/*
 * EVM JSON-RPC: eth_chainId and eth_getBlockByNumber. A round is a block that the node calls
 * finalized, with the headers from its grandparent's to the newest final one's, so that whoever
 * knows one of the later blocks can follow the links.
 */
#include "beacon/ethereum.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "beacon/proof.h"
#include "fetch/kind.h"

/* Seconds; times 1000 they fit in 63 bits. */
#define SECONDS_MAX (((uint64_t)1 << 53) - 1)

enum {
    BEFORE = 2, /* headers before the round's own */
    PARAMS_BYTES = 64,
    QUANTITY_BYTES = 8
};

static vb_err name(const char *chain, const vb_trust *trust, char id[VB_BEACON_ID_BYTES_MAX + 1],
                   vb_error *e) {
    char full[VB_BEACON_ID_BYTES_MAX + 1];
    uint64_t chain_id;
    (void)trust;
    snprintf(full, sizeof full, "ethereum:%s", chain ? chain : "1");
    if (vb_proof_chain_number(full, VB_BEACON_ETHEREUM, &chain_id, e)) {
        return vb_fail(e, VB_EINVAL, "%s: expected a chain id, decimal, from 1", full);
    }
    snprintf(id, VB_BEACON_ID_BYTES_MAX + 1, "ethereum:%" PRIu64, chain_id);
    return VB_OK;
}

static vb_err due(const vb_ask *a, uint64_t *due_ms, vb_error *e) {
    if (a->want.mode == VB_MODE_FIXED && (a->want.round < BEFORE || a->want.round >= INT64_MAX)) {
        return vb_fail(e, VB_EINVAL, "block %" PRIu64 " of %s: expected 2 to 2^63 - 2",
                       a->want.round, a->id);
    }
    *due_ms = a->want.mode == VB_MODE_FIXED ? 0 : a->want.time_ms;
    return VB_OK;
}

/* The quantity ("0x" and hex digits) that is a member of an answer. */
static void take_quantity(vb_fields *f, const char *member, uint64_t max, uint64_t *out) {
    vb_buf bytes = vb_buf_make(QUANTITY_BYTES);
    uint64_t v = 0;
    vb_node_quantity(f, member, QUANTITY_BYTES, &bytes);
    for (size_t i = 0; i < bytes.len; i++) {
        v = v << 8 | bytes.data[i];
    }
    if (!f->err && v > max) {
        vb_field_fail(f, VB_EFORMAT, member, "expected at most %" PRIu64 ", found %" PRIu64, max,
                      v);
    }
    if (!f->err) {
        *out = v;
    }
    vb_buf_free(&bytes);
}

static vb_err check_chain(vb_ask *a, vb_error *e) {
    uint64_t wanted = 0, found = 0;
    json_t *result = NULL;
    vb_err err = vb_proof_chain_number(a->id, VB_BEACON_ETHEREUM, &wanted, e);
    err = err ? err : vb_ask_rpc(a, "eth_chainId", "[]", &result, e);
    if (err) {
        return err;
    }
    json_t *answer = json_pack("{s:o}", "eth_chainId", result);
    if (!answer) {
        return vb_fail(e, VB_ENOMEM, "no memory for an answer");
    }
    vb_fields f = vb_fields_foreign(answer, "", e);
    take_quantity(&f, "eth_chainId", UINT64_MAX, &found);
    if (!f.err && found != wanted) {
        vb_field_fail(&f, VB_EMISMATCH, "eth_chainId", "expected %" PRIu64 ", found %" PRIu64,
                      wanted, found);
    }
    json_decref(answer);
    return f.err;
}

typedef struct node_block {
    uint64_t number, time_ms;
    json_t *json; /* to json_decref */
} node_block;

/* The block that a tag, or a number in a quantity's form, names; b->json is untouched on error. */
static vb_err get_block(vb_ask *a, const char *which, node_block *b, vb_error *e) {
    char params[PARAMS_BYTES];
    json_t *found = NULL;
    uint64_t seconds = 0;
    snprintf(params, sizeof params, "[\"%s\",false]", which);
    vb_err err = vb_ask_rpc(a, "eth_getBlockByNumber", params, &found, e);
    if (err) {
        return err;
    }
    if (json_is_null(found)) {
        json_decref(found);
        return vb_ask_not_yet(a, e, "the node has no block %s", which);
    }
    vb_fields f = vb_fields_foreign(found, "block", e);
    take_quantity(&f, "number", INT64_MAX - 1, &b->number);
    take_quantity(&f, "timestamp", SECONDS_MAX, &seconds);
    if (f.err) {
        json_decref(found);
        return f.err;
    }
    b->time_ms = 1000 * seconds;
    b->json = found;
    return VB_OK;
}

static vb_err get_numbered(vb_ask *a, uint64_t number, node_block *b, vb_error *e) {
    char which[PARAMS_BYTES / 2];
    snprintf(which, sizeof which, "0x%" PRIx64, number);
    node_block found = {.json = NULL};
    vb_err err = get_block(a, which, &found, e);
    if (err) {
        return err;
    }
    if (found.number != number) {
        json_decref(found.json);
        return vb_fail(e, VB_EMISMATCH, "block.number: asked for %" PRIu64 ", got %" PRIu64, number,
                       found.number);
    }
    *b = found;
    return VB_OK;
}

static vb_err time_of(vb_ask *a, uint64_t number, uint64_t *time_ms, vb_error *e) {
    node_block b = {.json = NULL};
    vb_err err = get_numbered(a, number, &b, e);
    if (!err) {
        *time_ms = b.time_ms;
        json_decref(b.json);
    }
    return err;
}

/* The number that the want names, given the newest final block. For mode next it is the child of
 * the first block after the commitment's time: its prevRandao is what that block revealed. */
static vb_err find(vb_ask *a, const node_block *final, uint64_t *number, vb_error *e) {
    uint64_t first = 0;
    vb_err err = VB_OK;
    bool found = true;
    if (a->want.mode == VB_MODE_FIXED) {
        *number = a->want.round;
        found = *number <= final->number;
    } else if (final->time_ms > a->want.time_ms) {
        err = vb_ask_first_after(a, time_of, final->number, &first, e);
        *number = a->want.mode == VB_MODE_NEXT ? first + 1 : first - 1;
        found = *number <= final->number;
    } else {
        *number = final->number;
        found = a->want.mode == VB_MODE_LATEST;
    }
    if (!err && !found) {
        return vb_ask_not_yet(
            a, e, "the round's block of %s is not final yet: %" PRIu64 " is the newest that is",
            a->id, final->number);
    }
    return err;
}

/* Appends the header of a block to headers[*n]. */
static vb_err take_header(const json_t *block, vb_buf *headers, size_t *n, vb_error *e) {
    headers[*n] = vb_buf_make(VB_ETHEREUM_HEADER_BYTES_MAX);
    vb_err err = vb_ethereum_header_rlp(block, &headers[*n], e);
    *n += !err;
    return err;
}

/* The block of the last header: the newest final one, or, for a round that the caller named, the
 * first block from it on that trust knows to be final; a later one would add nothing for whoever
 * has this trust, and old rounds are far from the newest. */
static uint64_t last_block(const vb_ask *a, uint64_t number, const node_block *final) {
    uint64_t last = final->number, chain_id = 0;
    if (a->want.mode != VB_MODE_FIXED ||
        vb_proof_chain_number(a->id, VB_BEACON_ETHEREUM, &chain_id, NULL)) {
        return last;
    }
    for (size_t i = 0; i < a->trust->n_ethereum; i++) {
        const vb_ethereum_pin *pin = &a->trust->ethereum[i];
        if (pin->chain_id == chain_id && pin->number >= number && pin->number < last) {
            last = pin->number;
        }
    }
    return last;
}

/* Those from number - 2 to the last block's, as many as a proof may have. */
static vb_err get_headers(vb_ask *a, uint64_t number, const node_block *final, vb_buf *headers,
                          size_t *n, vb_error *e) {
    const uint64_t last = last_block(a, number, final);
    for (uint64_t i = number - BEFORE; i <= last && *n < VB_ETHEREUM_HEADERS_MAX; i++) {
        node_block b = {.json = NULL};
        vb_err err = VB_OK;
        if (i == final->number) {
            return take_header(final->json, headers, n, e);
        }
        err = get_numbered(a, i, &b, e);
        err = err ? err : take_header(b.json, headers, n, e);
        json_decref(b.json);
        if (err) {
            return err;
        }
    }
    return VB_OK;
}

static vb_err get_round(vb_ask *a, uint64_t number, const node_block *final, vb_beacon_round *out,
                        vb_error *e) {
    vb_buf *headers = calloc(VB_ETHEREUM_HEADERS_MAX, sizeof *headers);
    size_t n = 0;
    if (!headers) {
        return vb_fail(e, VB_ENOMEM, "no memory for headers");
    }
    vb_err err = get_headers(a, number, final, headers, &n, e);
    err = err ? err : vb_ethereum_round(a->id, headers, n, out, e);
    for (size_t i = 0; i < n; i++) {
        vb_buf_free(&headers[i]);
    }
    free(headers);
    return err;
}

static vb_err ask(vb_ask *a, vb_beacon_round *out, vb_error *e) {
    node_block final = {.json = NULL};
    uint64_t number = 0;
    vb_err err = check_chain(a, e);
    err = err ? err : get_block(a, "finalized", &final, e);
    err = err ? err : find(a, &final, &number, e);
    if (!err && number < BEFORE) {
        err = vb_fail(e, VB_EMISMATCH, "%s has no round at that time: its first is block %d", a->id,
                      BEFORE);
    }
    err = err ? err : get_round(a, number, &final, out, e);
    json_decref(final.json);
    return err;
}

const vb_source_kind vb_kind_ethereum = {
    .kind = VB_BEACON_ETHEREUM,
    .answer_bytes_max = 1 << 21,
    .pause_ms_max = 5000,
    .name = name,
    .due = due,
    .ask = ask,
};
