/*
 * Transactions as nodes take them: legacy ones with a chain's id (EIP-155), which every chain
 * knows, Theta's too, and those of EIP-1559. Pure but for signing.
 *
 * Owner: the caller's memory; data is borrowed. Thread rule: one thread at a time for one object.
 */
#ifndef VB_CHAIN_TX_H
#define VB_CHAIN_TX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/eth_key.h"
#include "crypto/keccak.h"

enum { VB_CHAIN_VALUE_BYTES = 32 };

typedef enum vb_chain_fees {
    VB_CHAIN_LEGACY, /* gas_price */
    VB_CHAIN_1559    /* max_fee, max_priority_fee */
} vb_chain_fees;

typedef struct vb_chain_tx {
    vb_chain_fees fees;
    uint64_t chain_id; /* from 1 */
    uint64_t nonce;
    uint64_t gas_price;                 /* wei a gas; LEGACY */
    uint64_t max_fee, max_priority_fee; /* the same; 1559 */
    uint64_t gas_limit;
    bool creates; /* a contract: `to` is nobody */
    uint8_t to[VB_ETH_ADDRESS_BYTES];
    uint8_t value[VB_CHAIN_VALUE_BYTES]; /* wei, big-endian */
    const uint8_t *data;
    size_t n_data;
} vb_chain_tx;

/* What is signed: 32 bytes. */
VB_MUST_CHECK vb_err vb_chain_tx_signing_hash(const vb_chain_tx *tx,
                                              uint8_t out[VB_KECCAK256_BYTES], vb_error *e);

/* The signed transaction's bytes, appended to out, and its hash. signature: of
 * vb_chain_tx_signing_hash, as vb_eth_key_sign makes it. VB_EINVAL: chain_id is 0 or too large for
 * EIP-155's v. */
VB_MUST_CHECK vb_err vb_chain_tx_encode(const vb_chain_tx *tx,
                                        const uint8_t signature[VB_SECP256K1_SIGNATURE_BYTES],
                                        vb_buf *out, uint8_t hash[VB_KECCAK256_BYTES], vb_error *e);

/* The address of the contract that the sender's transaction with this nonce creates. */
VB_MUST_CHECK vb_err vb_chain_created_address(const uint8_t sender[VB_ETH_ADDRESS_BYTES],
                                              uint64_t nonce, uint8_t out[VB_ETH_ADDRESS_BYTES],
                                              vb_error *e);

#endif
