/*
 * The ethereum beacon on hostile bytes. 'P' and a proof: what its checks make of it. 'N' and a
 * node's block: the header's hash decides. Anything else: headers, each after its length (two
 * bytes, big-endian), whose parent hashes are put right first, so that what lies behind the links
 * is reached. A round that comes out must stand with a pin at its last header, fall with another
 * one there, and be vouched for by no pin before its block.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "beacon/ethereum.h"
#include "crypto/keccak.h"
#include "crypto/rlp.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADERS_MAX = 16, ITEMS_MAX = 64 };

static void require(bool ok) {
    if (!ok) {
        abort();
    }
}

static void try_proof(char *text) {
    vb_beacon_round r = {.id = "ethereum:560048", .round = 21925176, .n_randomness = 32};
    vb_trust nothing = {.n_ethereum = 0};
    vb_beacon_facts facts;
    vb_error e = {0};
    r.proof = text;
    vb_err err = vb_ethereum_verify(&r, &nothing, &facts, &e);
    require(err == VB_EFORMAT || err == VB_EMISMATCH || err == VB_ELIMIT);
    require(e.code == err && e.msg[0]);
}

static void try_block(const void *bytes, size_t n) {
    json_t *doc = NULL;
    if (vb_json_parse_foreign(bytes, n, 1 << 20, &doc, NULL)) {
        return;
    }
    vb_buf rlp = vb_buf_make(VB_ETHEREUM_HEADER_BYTES_MAX);
    vb_error e = {0};
    vb_err err = vb_ethereum_header_rlp(doc, &rlp, &e);
    require(err ? e.code == err && e.msg[0] && !rlp.len : rlp.len > 0);
    if (!err) {
        vb_rlp_item items[ITEMS_MAX];
        size_t n_items;
        require(vb_rlp_list_open(rlp.data, rlp.len, items, ITEMS_MAX, &n_items, NULL) == VB_OK);
        require(n_items >= 15);
    }
    vb_buf_free(&rlp);
    json_decref(doc);
}

static void check_pins(const vb_beacon_round *r, const vb_buf *headers, size_t n) {
    vb_ethereum_pin pin = {.chain_id = 1, .number = r->round - 2 + (n - 1)};
    vb_trust trust = {.ethereum = &pin, .n_ethereum = 1};
    vb_beacon_facts facts;
    vb_keccak256(headers[n - 1].data, headers[n - 1].len, pin.hash);
    require(vb_ethereum_verify(r, &trust, &facts, NULL) == VB_OK && facts.timed);
    require(facts.next.from < facts.next.to && facts.next.to < facts.latest.from);
    pin.hash[31] ^= 1;
    require(vb_ethereum_verify(r, &trust, &facts, NULL) == VB_EMISMATCH);
    pin.number = r->round - 1;
    vb_keccak256(headers[1].data, headers[1].len, pin.hash);
    require(vb_ethereum_verify(r, &trust, &facts, NULL) == VB_EUNTRUSTED);
}

/* Makes a header the child of the one before it, when it has a parent hash. */
static void link_header(vb_buf *header, const vb_buf *before) {
    vb_rlp_item items[ITEMS_MAX];
    size_t n_items = 0;
    if (vb_rlp_list_open(header->data, header->len, items, ITEMS_MAX, &n_items, NULL) == VB_OK &&
        n_items && items[0].n == VB_KECCAK256_BYTES) {
        vb_keccak256(before->data, before->len,
                     header->data + (items[0].data - (const uint8_t *)header->data));
    }
}

static void try_headers(const uint8_t *data, size_t size) {
    vb_buf headers[HEADERS_MAX];
    size_t n = 0;
    while (n < HEADERS_MAX && size >= 2) {
        size_t length = (size_t)data[0] << 8 | data[1];
        length = length < size - 2 ? length : size - 2;
        headers[n] = vb_buf_make(1 << 16);
        require(vb_buf_append(&headers[n], data + 2, length) == VB_OK);
        if (n) {
            link_header(&headers[n], &headers[n - 1]);
        }
        n++;
        data += 2 + length;
        size -= 2 + length;
    }
    vb_beacon_round r;
    vb_error e = {0};
    vb_err err = vb_ethereum_round("ethereum:1", headers, n, &r, &e);
    if (!err) {
        check_pins(&r, headers, n);
        vb_beacon_round_free(&r);
    } else {
        require(e.code == err && e.msg[0]);
    }
    for (size_t i = 0; i < n; i++) {
        vb_buf_free(&headers[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) {
        return 0;
    }
    if (data[0] != 'P' && data[0] != 'N') {
        try_headers(data + 1, size - 1);
        return 0;
    }
    char *text = malloc(size);
    require(text);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    if (data[0] == 'P') {
        try_proof(text);
    } else {
        try_block(text, size - 1);
    }
    free(text);
    return 0;
}
