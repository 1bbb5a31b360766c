/*
 * A node of a chain, asked by JSON-RPC: what publishing needs. The node is not trusted more than
 * has to be: its answers are bounded and checked for form; that a transaction is on chain is its
 * word alone.
 *
 * Owner: the caller's memory. Thread rule: one thread at a time for one node.
 */
#ifndef VB_CHAIN_NODE_H
#define VB_CHAIN_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "chain/tx.h"

enum { VB_CHAIN_ANSWER_BYTES_MAX = 4 << 20 };

/* The world outside, so that tests can be one. */
typedef struct vb_chain_node {
    /* Posts the request; body (max VB_CHAIN_ANSWER_BYTES_MAX) gets the answer. */
    vb_err (*post)(void *user, const char *json, vb_buf *body, vb_error *e);
    /* Sleeps; VB_ECANCELLED when the caller is to stop. */
    vb_err (*wait_ms)(void *user, uint32_t ms, vb_error *e);
    uint64_t (*clock_ms)(void *user);
    void *user;
} vb_chain_node;

/* All: VB_EIO (no answer, or the node's own error), VB_EFORMAT (an answer of another form), and
 * what post gives. A call that the contract reverts is VB_EMISMATCH; its message has the error's
 * name where it is one of the registry's. */

VB_MUST_CHECK vb_err vb_chain_node_id(const vb_chain_node *n, uint64_t *chain_id, vb_error *e);

/* The account's next nonce, counting what waits in the node's pool. */
VB_MUST_CHECK vb_err vb_chain_node_nonce(const vb_chain_node *n,
                                         const uint8_t account[VB_ETH_ADDRESS_BYTES], bool pending,
                                         uint64_t *nonce, vb_error *e);

typedef struct vb_chain_prices {
    bool has_1559;     /* blocks have a base fee */
    uint64_t base_fee; /* wei a gas, of the newest block */
    uint64_t tip;      /* what the node suggests to pay on top */
    uint64_t gas_price;
} vb_chain_prices;
VB_MUST_CHECK vb_err vb_chain_node_prices(const vb_chain_node *n, vb_chain_prices *out,
                                          vb_error *e);

VB_MUST_CHECK vb_err vb_chain_node_estimate(const vb_chain_node *n,
                                            const uint8_t from[VB_ETH_ADDRESS_BYTES],
                                            const vb_chain_tx *tx, uint64_t *gas, vb_error *e);

/* Reads from a contract, at the newest block; result is emptied first. */
VB_MUST_CHECK vb_err vb_chain_node_call(const vb_chain_node *n,
                                        const uint8_t to[VB_ETH_ADDRESS_BYTES], const vb_buf *data,
                                        vb_buf *result, vb_error *e);

typedef enum vb_chain_sent {
    VB_CHAIN_SENT = 1,
    VB_CHAIN_KNOWN,       /* the node has it already */
    VB_CHAIN_NONCE_USED,  /* another transaction has its nonce, on chain */
    VB_CHAIN_UNDERPRICED, /* it has to pay more to be taken, or to replace the one before */
} vb_chain_sent;
VB_MUST_CHECK vb_err vb_chain_node_send(const vb_chain_node *n, const vb_buf *tx,
                                        vb_chain_sent *out, vb_error *e);

typedef struct vb_chain_mined {
    bool found; /* the node knows a block that has it */
    bool succeeded;
    uint64_t block;
    uint8_t block_hash[VB_KECCAK256_BYTES];
    uint64_t gas_used;
    bool creates;
    uint8_t created[VB_ETH_ADDRESS_BYTES];
} vb_chain_mined;
VB_MUST_CHECK vb_err vb_chain_node_mined(const vb_chain_node *n,
                                         const uint8_t hash[VB_KECCAK256_BYTES],
                                         vb_chain_mined *out, vb_error *e);

VB_MUST_CHECK vb_err vb_chain_node_height(const vb_chain_node *n, uint64_t *height, vb_error *e);

#endif
