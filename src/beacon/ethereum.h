/*
 * The `ethereum` beacon (spec/beacons.md, section 5): prevRandao of a block, in a chain of headers
 * that ends at a block which the verifier knows to be final. Pure.
 */
#ifndef VB_BEACON_ETHEREUM_H
#define VB_BEACON_ETHEREUM_H

#include <jansson.h>

#include "base/bytes.h"
#include "beacon/beacon.h"

/* The results of vb_beacon_verify. facts are set for VB_OK and for VB_EUNTRUSTED: the windows then
 * stand if the round does. Whether trust accepts the beacon's id is not looked at. */
VB_MUST_CHECK vb_err vb_ethereum_verify(const vb_beacon_round *r, const vb_trust *trust,
                                        vb_beacon_facts *facts, vb_error *e);

/* Appends to rlp the header of a block as a node answers eth_getBlockByNumber or
 * eth_getBlockByHash with it, of any fork up to Prague. Its keccak256 is the answer's `hash`: a
 * header of a later fork, or an answer that was changed, is VB_EMISMATCH, with both hashes.
 * VB_EUNSUPPORTED: the chain's blocks have no such header (no mixHash, say: Theta's adaptor).
 * VB_EFORMAT: not a block. rlp is untouched on error. */
VB_MUST_CHECK vb_err vb_ethereum_header_rlp(const json_t *block, vb_buf *rlp, vb_error *e);

/* The round of block N from the RLP of the headers N - 2, N - 1, N, ... (n_headers of them, 3 to
 * VB_ETHEREUM_HEADERS_MAX), by the rules of the proof: VB_EFORMAT or VB_EMISMATCH when they are not
 * a chain. id is the chain's. The caller frees out. */
VB_MUST_CHECK vb_err vb_ethereum_round(const char *id, const vb_buf *headers, size_t n_headers,
                                       vb_beacon_round *out, vb_error *e);

#endif
