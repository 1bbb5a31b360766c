#include "beacon/ethereum.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beacon/proof.h"
#include "crypto/keccak.h"
#include "crypto/rlp.h"

enum {
    HASH_BYTES = 32,
    RANDAO_AT = 2, /* block N in the proof: after its grandparent and its parent */
    HEADERS_MIN = 3,
    ITEMS_MIN = 15, /* of a header's list: those of London's predecessors, and room for forks */
    ITEMS_MAX = 64,
    LATEST_MS = 1800000, /* how long a block counts as the newest final one */
    QUANTITY_BYTES_MAX = 32,
    EXTRA_BYTES_MAX = 1024
};

/* Places in a header's list. */
enum { PARENT_HASH = 0, DIFFICULTY = 7, NUMBER = 8, TIMESTAMP = 11, MIX_HASH = 13 };

#define SECONDS_MAX (((uint64_t)1 << 53) - 1)

static const char caveat[] =
    "each of the last proposers before the block had one bit of influence on prevRandao, by "
    "withholding";

/* What the rules need of a header. */
typedef struct header {
    uint8_t hash[HASH_BYTES], parent_hash[HASH_BYTES], mix_hash[HASH_BYTES];
    uint64_t number, timestamp;
} header;

static vb_err take_hash(const vb_rlp_item *item, const char *name, uint8_t out[HASH_BYTES],
                        vb_error *e) {
    if (item->n != HASH_BYTES) {
        return vb_fail(e, VB_EFORMAT, "%s: expected 32 bytes, found %zu", name, item->n);
    }
    memcpy(out, item->data, HASH_BYTES);
    return VB_OK;
}

static vb_err read_header(const uint8_t *rlp, size_t n, header *h, vb_error *e) {
    vb_rlp_item items[ITEMS_MAX];
    size_t n_items;
    if (n > VB_ETHEREUM_HEADER_BYTES_MAX) {
        return vb_fail(e, VB_EFORMAT, "%zu bytes, expected at most %u", n,
                       VB_ETHEREUM_HEADER_BYTES_MAX);
    }
    vb_err err = vb_rlp_list_open(rlp, n, items, ITEMS_MAX, &n_items, e);
    if (err) {
        return err == VB_ELIMIT ? vb_fail(e, VB_EFORMAT, "expected %d to %d items, found more",
                                          ITEMS_MIN, ITEMS_MAX)
                                : err;
    }
    if (n_items < ITEMS_MIN) {
        return vb_fail(e, VB_EFORMAT, "expected %d to %d items, found %zu", ITEMS_MIN, ITEMS_MAX,
                       n_items);
    }
    for (size_t i = 0; i < n_items; i++) {
        if (items[i].is_list) {
            return vb_fail(e, VB_EFORMAT, "item %zu: expected a string, found a list", i);
        }
    }
    if (items[DIFFICULTY].n) {
        return vb_fail(e, VB_EMISMATCH, "difficulty: not 0, so mixHash is no prevRandao");
    }
    err = take_hash(&items[PARENT_HASH], "parentHash", h->parent_hash, e);
    err = err ? err : take_hash(&items[MIX_HASH], "mixHash", h->mix_hash, e);
    if (err) {
        return err;
    }
    if ((err = vb_rlp_item_uint(&items[NUMBER], &h->number, e))) {
        return vb_fail_in(e, err, "number");
    }
    if ((err = vb_rlp_item_uint(&items[TIMESTAMP], &h->timestamp, e))) {
        return vb_fail_in(e, err, "timestamp");
    }
    if (h->timestamp > SECONDS_MAX) {
        return vb_fail(e, VB_EFORMAT, "timestamp: expected less than 2^53 seconds");
    }
    vb_keccak256(rlp, n, h->hash);
    return VB_OK;
}

static vb_err check_link(const header *before, const header *h, vb_error *e) {
    if (before->number == UINT64_MAX || h->number != before->number + 1) {
        return vb_fail(e, VB_EMISMATCH, "number: %" PRIu64 " does not follow %" PRIu64, h->number,
                       before->number);
    }
    if (memcmp(h->parent_hash, before->hash, HASH_BYTES) != 0) {
        return vb_fail(e, VB_EMISMATCH, "parentHash: not the hash of the header before it");
    }
    if (h->timestamp <= before->timestamp) {
        return vb_fail(e, VB_EMISMATCH, "timestamp: not after that of the header before it");
    }
    return VB_OK;
}

/* The header that comes next in a proof; headers[0 .. i - 1] are those before it. */
static vb_err take_header(const uint8_t *rlp, size_t n, header *headers, size_t i, vb_error *e) {
    vb_err err = read_header(rlp, n, &headers[i], e);
    if (!err && i) {
        err = check_link(&headers[i - 1], &headers[i], e);
    }
    return err ? vb_fail_in(e, err, "headers[%zu]", i) : VB_OK;
}

/* The mixHash of block N, which no chain after the merge leaves empty. */
static vb_err check_randao(const header *headers, vb_error *e) {
    static const uint8_t zero[HASH_BYTES];
    if (memcmp(headers[RANDAO_AT].mix_hash, zero, sizeof zero) == 0) {
        return vb_fail(e, VB_EMISMATCH, "headers[%d]: mixHash: all zero, so no prevRandao",
                       RANDAO_AT);
    }
    return VB_OK;
}

static vb_err read_headers(const json_t *array, header *headers, vb_error *e) {
    vb_buf rlp = vb_buf_make(VB_ETHEREUM_HEADER_BYTES_MAX);
    vb_err err = VB_OK;
    for (size_t i = 0; i < json_array_size(array) && !err; i++) {
        rlp.len = 0;
        err = vb_proof_hex_value(json_array_get(array, i), 1, VB_ETHEREUM_HEADER_BYTES_MAX, &rlp);
        if (err) {
            err = vb_fail(e, err, "headers[%zu]: expected 1 to %u bytes in hex digits", i,
                          VB_ETHEREUM_HEADER_BYTES_MAX);
        } else {
            err = take_header(rlp.data, rlp.len, headers, i, e);
        }
    }
    vb_buf_free(&rlp);
    return err;
}

/* *headers is the caller's to free, after errors too. */
static vb_err read_proof(const vb_beacon_round *r, header **headers, size_t *n, vb_error *e) {
    static const char *const names[] = {"headers", NULL};
    json_t *doc = NULL;
    vb_err err = vb_proof_open(r, HASH_BYTES, &doc, e);
    if (err) {
        return err;
    }
    vb_fields f = vb_fields_open(doc, "", names, e);
    const json_t *array = vb_field_array(&f, "headers", HEADERS_MIN, VB_ETHEREUM_HEADERS_MAX);
    err = f.err;
    if (!err) {
        *n = json_array_size(array);
        *headers = calloc(*n, sizeof **headers);
        err = *headers ? read_headers(array, *headers, e)
                       : vb_fail(e, VB_ENOMEM, "no memory for %zu headers", *n);
    }
    err = err ? err : check_randao(*headers, e);
    json_decref(doc);
    return err ? vb_fail_in(e, err, "beacon.proof") : VB_OK;
}

static vb_err check_round(const vb_beacon_round *r, const header *headers, vb_error *e) {
    if (headers[RANDAO_AT].number != r->round) {
        return vb_fail(e, VB_EMISMATCH,
                       "beacon.proof.headers[%d]: expected block %" PRIu64 ", found %" PRIu64,
                       RANDAO_AT, r->round, headers[RANDAO_AT].number);
    }
    if (memcmp(headers[RANDAO_AT].mix_hash, r->randomness, HASH_BYTES) != 0) {
        return vb_fail(e, VB_EMISMATCH, "the randomness is not the block's mixHash");
    }
    return VB_OK;
}

/* Does a known final block vouch for block N? One that is at a place of these headers and is
 * another block says that they are of a fork. */
static vb_err check_pins(uint64_t chain_id, const header *headers, size_t n, const vb_trust *trust,
                         vb_error *e) {
    bool vouched = false;
    for (size_t i = 0; i < trust->n_ethereum; i++) {
        const vb_ethereum_pin *pin = &trust->ethereum[i];
        if (pin->chain_id != chain_id || pin->number < headers[0].number ||
            pin->number > headers[n - 1].number) {
            continue;
        }
        size_t at = (size_t)(pin->number - headers[0].number);
        if (memcmp(pin->hash, headers[at].hash, HASH_BYTES) != 0) {
            return vb_fail(e, VB_EMISMATCH,
                           "block %" PRIu64
                           " of the proof is not the one that is known to be final: a fork",
                           pin->number);
        }
        vouched = vouched || at >= RANDAO_AT;
    }
    if (vouched) {
        return VB_OK;
    }
    char hex[2 * HASH_BYTES + 1];
    vb_hex_encode(headers[n - 1].hash, HASH_BYTES, hex);
    return vb_fail(e, VB_EUNTRUSTED,
                   "no block from %" PRIu64 " to %" PRIu64 " of chain %" PRIu64
                   " is known to be final; a pin of block %" PRIu64 ", %s, would do",
                   headers[RANDAO_AT].number, headers[n - 1].number, chain_id,
                   headers[n - 1].number, hex);
}

static void set_facts(const header *headers, vb_beacon_facts *facts) {
    uint64_t time_ms = 1000 * headers[RANDAO_AT].timestamp;
    *facts = (vb_beacon_facts){.timed = true,
                               .next = {1000 * headers[0].timestamp, 1000 * headers[1].timestamp},
                               .latest = {time_ms, time_ms + LATEST_MS}};
    snprintf(facts->caveat, sizeof facts->caveat, "%s", caveat);
}

vb_err vb_ethereum_verify(const vb_beacon_round *r, const vb_trust *trust, vb_beacon_facts *facts,
                          vb_error *e) {
    uint64_t chain_id = 0;
    header *headers = NULL;
    size_t n = 0;
    vb_err err = vb_proof_chain_number(r->id, VB_BEACON_ETHEREUM, &chain_id, e);
    if (!err && r->round < RANDAO_AT) {
        err = vb_fail(e, VB_EFORMAT, "beacon round: expected 2 or more, found %" PRIu64, r->round);
    }
    err = err ? err : read_proof(r, &headers, &n, e);
    err = err ? err : check_round(r, headers, e);
    err = err ? err : check_pins(chain_id, headers, n, trust, e);
    if (!err || err == VB_EUNTRUSTED) {
        set_facts(headers, facts);
    }
    free(headers);
    return err;
}

/* NULL without memory. */
static json_t *proof_of(const vb_buf *headers, size_t n_headers) {
    json_t *array = json_array();
    for (size_t i = 0; i < n_headers; i++) {
        if (json_array_append_new(array, vb_proof_hex(headers[i].data, headers[i].len))) {
            json_decref(array);
            return NULL;
        }
    }
    return json_pack("{s:o}", "headers", array);
}

vb_err vb_ethereum_round(const char *id, const vb_buf *headers, size_t n_headers,
                         vb_beacon_round *out, vb_error *e) {
    uint64_t chain_id;
    vb_err err = vb_proof_chain_number(id, VB_BEACON_ETHEREUM, &chain_id, e);
    if (err) {
        return err;
    }
    if (n_headers < HEADERS_MIN || n_headers > VB_ETHEREUM_HEADERS_MAX) {
        return vb_fail(e, VB_EFORMAT, "headers: expected %d to %u, found %zu", HEADERS_MIN,
                       VB_ETHEREUM_HEADERS_MAX, n_headers);
    }
    header *read = calloc(n_headers, sizeof *read);
    if (!read) {
        return vb_fail(e, VB_ENOMEM, "no memory for %zu headers", n_headers);
    }
    for (size_t i = 0; i < n_headers && !err; i++) {
        err = take_header(headers[i].data, headers[i].len, read, i, e);
    }
    err = err ? err : check_randao(read, e);
    vb_beacon_round r = {.round = read[RANDAO_AT].number, .n_randomness = HASH_BYTES};
    snprintf(r.id, sizeof r.id, "%s", id);
    memcpy(r.randomness, read[RANDAO_AT].mix_hash, HASH_BYTES);
    free(read);
    if (!err) {
        json_t *proof = proof_of(headers, n_headers);
        err = proof ? vb_proof_set(&r, proof, e) : vb_fail(e, VB_ENOMEM, "no memory for a proof");
        json_decref(proof);
    }
    if (!err) {
        *out = r;
    }
    return err;
}

enum { QUANTITY = 0, ANY_BYTES = EXTRA_BYTES_MAX };

/* A header's item as a node writes it, in the list's order. */
typedef struct header_item {
    const char *name;
    size_t n_bytes; /* exactly these; or QUANTITY, or ANY_BYTES */
    bool since_a_fork;
} header_item;

static const header_item header_items[] = {
    {"parentHash", 32, false},
    {"sha3Uncles", 32, false},
    {"miner", 20, false},
    {"stateRoot", 32, false},
    {"transactionsRoot", 32, false},
    {"receiptsRoot", 32, false},
    {"logsBloom", 256, false},
    {"difficulty", QUANTITY, false},
    {"number", QUANTITY, false},
    {"gasLimit", QUANTITY, false},
    {"gasUsed", QUANTITY, false},
    {"timestamp", QUANTITY, false},
    {"extraData", ANY_BYTES, false},
    {"mixHash", 32, false},
    {"nonce", 8, false},
    {"baseFeePerGas", QUANTITY, true},   /* London */
    {"withdrawalsRoot", 32, true},       /* Shanghai */
    {"blobGasUsed", QUANTITY, true},     /* Cancun */
    {"excessBlobGas", QUANTITY, true},   /* Cancun */
    {"parentBeaconBlockRoot", 32, true}, /* Cancun */
    {"requestsHash", 32, true},          /* Prague */
};

static vb_err append_item(vb_fields *f, const header_item *item, vb_buf *items) {
    vb_buf bytes = vb_buf_make(EXTRA_BYTES_MAX);
    bool any = item->n_bytes == ANY_BYTES;
    if (item->n_bytes == QUANTITY) {
        vb_node_quantity(f, item->name, QUANTITY_BYTES_MAX, &bytes);
    } else {
        vb_node_bytes(f, item->name, "0x", any ? 0 : item->n_bytes, item->n_bytes, &bytes);
    }
    vb_err err = f->err ? f->err : vb_rlp_string(items, bytes.data, bytes.len);
    vb_buf_free(&bytes);
    return f->err ? f->err : err ? vb_fail(f->e, err, "%s: can not be kept", item->name) : VB_OK;
}

static vb_err append_items(vb_fields *f, vb_buf *items) {
    for (size_t i = 0; i < sizeof header_items / sizeof header_items[0]; i++) {
        const json_t *v = vb_field(f, header_items[i].name);
        bool absent = !v || json_is_null(v);
        if (absent && header_items[i].since_a_fork) {
            continue;
        }
        if (absent) {
            return vb_fail(f->e, VB_EUNSUPPORTED,
                           "block: no %s: this chain's blocks do not have Ethereum's header",
                           header_items[i].name);
        }
        vb_err err = append_item(f, &header_items[i], items);
        if (err) {
            return err;
        }
    }
    return VB_OK;
}

static vb_err check_hash(const vb_buf *list, const uint8_t claimed[HASH_BYTES], vb_error *e) {
    uint8_t hash[HASH_BYTES];
    vb_keccak256(list->data, list->len, hash);
    if (memcmp(hash, claimed, sizeof hash) == 0) {
        return VB_OK;
    }
    char found[2 * HASH_BYTES + 1], expected[2 * HASH_BYTES + 1];
    vb_hex_encode(hash, sizeof hash, found);
    vb_hex_encode(claimed, HASH_BYTES, expected);
    return vb_fail(e, VB_EMISMATCH,
                   "block.hash: the answer's header has the hash %s, not %s as it says: it was "
                   "changed, or is of a fork that this version does not know",
                   found, expected);
}

vb_err vb_ethereum_header_rlp(const json_t *block, vb_buf *rlp, vb_error *e) {
    uint8_t claimed[HASH_BYTES];
    vb_fields f = vb_node_open(block, "block", e);
    vb_node_hex(&f, "hash", "0x", claimed, sizeof claimed);
    if (f.err) {
        return f.err;
    }
    vb_buf items = vb_buf_make(VB_ETHEREUM_HEADER_BYTES_MAX);
    vb_buf list = vb_buf_make(VB_ETHEREUM_HEADER_BYTES_MAX);
    vb_err err = append_items(&f, &items);
    if (!err && (err = vb_rlp_list(&list, items.data, items.len))) {
        err = vb_fail(e, err, "block: no room for its header of %zu bytes", items.len);
    }
    err = err ? err : check_hash(&list, claimed, e);
    if (!err && (err = vb_buf_append(rlp, list.data, list.len))) {
        err = vb_fail(e, err, "block: no room for its header of %zu bytes", list.len);
    }
    vb_buf_free(&items);
    vb_buf_free(&list);
    return err;
}
