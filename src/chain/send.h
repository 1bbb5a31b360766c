/*
 * One transaction from its making to its last confirmation: nonce and fees, signing, sending,
 * raising the fee of one that stays out, and the watch over what a reorganisation takes back.
 *
 * Owner: the caller's memory. Thread rule: one thread at a time for one account.
 */
#ifndef VB_CHAIN_SEND_H
#define VB_CHAIN_SEND_H

#include "chain/node.h"

/* Who signs: a key of this process, or a program elsewhere that has it. */
typedef struct vb_chain_signer {
    uint8_t address[VB_ETH_ADDRESS_BYTES];
    vb_err (*sign)(void *user, const uint8_t hash[VB_SECP256K1_HASH_BYTES],
                   uint8_t signature[VB_SECP256K1_SIGNATURE_BYTES], vb_error *e);
    void *user;
} vb_chain_signer;

vb_chain_signer vb_chain_signer_of_key(const vb_eth_key *key); /* borrowed */

typedef struct vb_chain_send_options {
    uint64_t chain_id;      /* the node's must be this one; 0: whatever it is */
    bool legacy;            /* even where blocks have a base fee */
    uint32_t confirmations; /* blocks from its own on; 0: 1 */
    uint32_t poll_ms;       /* 0: 1000 */
    uint32_t raise_s;       /* a higher fee after so long outside; 0: 60 */
    uint32_t give_up_s;     /* VB_EIO after so long; 0: 900 */
    uint64_t max_fee;       /* wei a gas that is never passed; 0: VB_CHAIN_MAX_FEE */
    void (*progress)(void *user, const char *state, uint64_t done, uint64_t of); /* NULL: none */
    void *progress_user;
} vb_chain_send_options;

#define VB_CHAIN_MAX_FEE UINT64_C(20000000000000) /* 20,000 gwei: Theta's price is 4,000 */

typedef struct vb_chain_sent_result {
    uint8_t hash[VB_KECCAK256_BYTES]; /* of the transaction that is on chain */
    vb_chain_mined mined;
    vb_chain_fees fees;     /* that it was sent with */
    uint32_t n_sent;        /* with how many fees it was sent */
    uint32_t n_reorganised; /* how often a block that had it was taken back */
} vb_chain_sent_result;

/* call: to or creates, value and data are set. VB_EMISMATCH: the contract refuses it (found out
 * before anything is paid, as a rule), or the node is of another chain. VB_EIO: given up; when
 * something was sent, out->hash is the last of it, and the message says so. VB_ECANCELLED the same.
 */
VB_MUST_CHECK vb_err vb_chain_send(const vb_chain_node *n, const vb_chain_signer *signer,
                                   const vb_chain_tx *call, const vb_chain_send_options *o,
                                   vb_chain_sent_result *out, vb_error *e);

#endif
