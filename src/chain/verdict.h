/*
 * A witness's verdict for contracts: the claim of a receipt and EIP-712's digest of it
 * (spec/chain.md section 4). Pure.
 *
 * Owner: the caller's memory. Thread rule: none.
 */
#ifndef VB_CHAIN_VERDICT_H
#define VB_CHAIN_VERDICT_H

#include <stdint.h>

#include "base/error.h"
#include "chain/abi.h"
#include "crypto/keccak.h"
#include "crypto/secp256k1.h"
#include "crypto/sha256.h"

/* Signatures of the registry's functions. */
#define VB_CHAIN_CLAIM_TYPE "(bytes32,bytes32,bytes32,bytes32,uint64)"
#define VB_CHAIN_ATTEST "attest((" VB_CHAIN_CLAIM_TYPE ",uint8,uint8,uint64),bytes)"
#define VB_CHAIN_CONFIRMED "confirmed(bytes32," VB_CHAIN_CLAIM_TYPE ",uint256)"
#define VB_CHAIN_TALLY "tally(bytes32,bytes32)"
#define VB_CHAIN_PUBLISH_CHECKPOINT "publishCheckpoint(string,uint64,bytes32,bytes32[])"
#define VB_CHAIN_COMMIT "commit(bytes32[])"
#define VB_CHAIN_HEADS "heads(bytes32)"

typedef enum vb_chain_outcome {
    VB_CHAIN_VERIFIED = 1,
    VB_CHAIN_REFUTED,
    VB_CHAIN_UNVERIFIABLE
} vb_chain_outcome;

typedef enum vb_chain_level {
    VB_CHAIN_LEVEL_RECEIPT = 1,
    VB_CHAIN_LEVEL_SAMPLE,
    VB_CHAIN_LEVEL_FULL
} vb_chain_level;

typedef struct vb_chain_verdict {
    uint8_t record[VB_SHA256_BYTES];     /* verification_hash */
    uint8_t commitment[VB_SHA256_BYTES]; /* C */
    uint8_t model[VB_SHA256_BYTES];
    uint8_t answer[VB_SHA256_BYTES]; /* outputs[0].text_sha256 */
    uint64_t drawn_at_s;             /* of the round; 0: none */
    vb_chain_outcome outcome;
    vb_chain_level level;
    uint64_t judged_at_s;
} vb_chain_verdict;

/* Where a verdict counts: this contract on this chain, and nowhere else. */
typedef struct vb_chain_registry {
    uint64_t chain_id;
    uint8_t address[VB_ETH_ADDRESS_BYTES];
} vb_chain_registry;

/* What the witness signs. */
void vb_chain_verdict_digest(const vb_chain_verdict *v, const vb_chain_registry *r,
                             uint8_t out[VB_KECCAK256_BYTES]);

/* The contract's form of a signature: v is 27 or 28. */
void vb_chain_verdict_signature(const uint8_t signature[VB_SECP256K1_SIGNATURE_BYTES],
                                uint8_t out[VB_SECP256K1_SIGNATURE_BYTES]);

/* Appends the words of Claim, and of the whole Verdict, to a call. */
void vb_chain_put_claim(vb_abi_call *c, const vb_chain_verdict *v);
void vb_chain_put_verdict(vb_abi_call *c, const vb_chain_verdict *v);

#endif
