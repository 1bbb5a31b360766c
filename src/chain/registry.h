/*
 * The registry's operations (spec/chain.md): from receipts and checkpoints to calls of the
 * contract, and what it answers. Making a call is pure; reading asks a node.
 *
 * Owner: the caller's memory; calls are appended to the caller's buffer, which is as before after
 * an error. Thread rule: one thread at a time for one node.
 */
#ifndef VB_CHAIN_REGISTRY_H
#define VB_CHAIN_REGISTRY_H

#include "beacon/trust.h"
#include "chain/node.h"
#include "chain/verdict.h"
#include "receipt/receipt.h"
#include "tlog/note.h"

enum {
    VB_CHAIN_PANEL_MAX = 64,        /* members, as the contract has it */
    VB_CHAIN_COMMITMENTS_MAX = 256, /* of one transaction: some six million gas */
    VB_CHAIN_NAME_BYTES_MAX = 1024  /* of a name, an origin or a URL */
};

/* The claim of a receipt: the first five members of out; the others are left alone. drawn_at_s is
 * the end of the commitment times for which mode next names the round, in whole seconds: before
 * it, nobody knew the round. 0 when the round has no time, or its proof does not hold. trust (NULL:
 * the built-in roots) knows the beacons' chains. VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_chain_claim(const vb_receipt *r, const vb_trust *trust,
                                    vb_chain_verdict *out, vb_error *e);

/* keccak256 of the claim, as the registry keeps it. */
void vb_chain_claim_hash(const vb_chain_verdict *v, uint8_t out[VB_KECCAK256_BYTES]);

/* Calls that change something. VB_EINVAL: an argument that the contract would refuse. */

VB_MUST_CHECK vb_err vb_chain_call_checkpoint(const vb_tlog_checkpoint *c, const vb_tlog_hash *path,
                                              size_t n_path, vb_buf *out, vb_error *e);
VB_MUST_CHECK vb_err vb_chain_call_commit(const uint8_t (*values)[VB_SHA256_BYTES], size_t n,
                                          vb_buf *out, vb_error *e);
/* Of the receipt's first output. Texts (the prompt as it stands in the receipt: its text, or its
 * messages as canonical JSON; and the answer) only with_text. VB_EINVAL: with_text of a private
 * receipt. uri: "" for none. */
VB_MUST_CHECK vb_err vb_chain_call_inference(const vb_receipt *r, bool with_text, const char *uri,
                                             vb_buf *out, vb_error *e);
VB_MUST_CHECK vb_err vb_chain_call_operator(const uint8_t server_key[VB_ED25519_PUBLIC_BYTES],
                                            const char *origin, const char *url, vb_buf *out,
                                            vb_error *e);
VB_MUST_CHECK vb_err vb_chain_call_model(const uint8_t sha256[VB_SHA256_BYTES], const char *name,
                                         const char *uri, uint64_t size_bytes, vb_buf *out,
                                         vb_error *e);
/* signature in the contract's form: vb_chain_verdict_signature. */
VB_MUST_CHECK vb_err vb_chain_call_attest(const vb_chain_verdict *v,
                                          const uint8_t signature[VB_SECP256K1_SIGNATURE_BYTES],
                                          vb_buf *out, vb_error *e);

/* Panels. */
typedef struct vb_chain_panel {
    size_t n;
    uint8_t members[VB_CHAIN_PANEL_MAX][VB_ETH_ADDRESS_BYTES]; /* ascending */
} vb_chain_panel;

/* Sorts. VB_EINVAL: none or too many, twice the same, the zero address. */
VB_MUST_CHECK vb_err vb_chain_panel_sort(vb_chain_panel *p, vb_error *e);
VB_MUST_CHECK vb_err vb_chain_panel_id(const vb_chain_panel *p, uint8_t out[VB_KECCAK256_BYTES],
                                       vb_error *e);
VB_MUST_CHECK vb_err vb_chain_call_create_panel(const vb_chain_panel *p, vb_buf *out, vb_error *e);

/* Calls that read. Errors are those of vb_chain_node_call, and VB_EFORMAT for an answer that the
 * registry would not give. */

typedef struct vb_chain_head {
    uint64_t size, time_s; /* 0: no checkpoint yet */
    uint8_t root[VB_SHA256_BYTES];
} vb_chain_head;
VB_MUST_CHECK vb_err vb_chain_read_head(const vb_chain_node *n, const vb_chain_registry *r,
                                        const uint8_t account[VB_ETH_ADDRESS_BYTES],
                                        const char *origin, vb_chain_head *out, vb_error *e);

/* *n_members 0: there is no such panel. */
VB_MUST_CHECK vb_err vb_chain_read_panel(const vb_chain_node *n, const vb_chain_registry *r,
                                         const uint8_t panel[VB_KECCAK256_BYTES],
                                         uint64_t *n_members, vb_error *e);
VB_MUST_CHECK vb_err vb_chain_read_confirmed(const vb_chain_node *n, const vb_chain_registry *r,
                                             const uint8_t panel[VB_KECCAK256_BYTES],
                                             const vb_chain_verdict *claim, uint64_t k,
                                             bool *confirmed, vb_error *e);
typedef struct vb_chain_tally {
    uint64_t verified, refuted, unverifiable, contradicted; /* members, whatever the claim */
} vb_chain_tally;
VB_MUST_CHECK vb_err vb_chain_read_tally(const vb_chain_node *n, const vb_chain_registry *r,
                                         const uint8_t panel[VB_KECCAK256_BYTES],
                                         const uint8_t record[VB_SHA256_BYTES], vb_chain_tally *out,
                                         vb_error *e);

/* What the registry keeps of a witness and a record; outcome 0: nothing. */
typedef struct vb_chain_judgement {
    uint8_t claim[VB_KECCAK256_BYTES];
    uint64_t outcome, level, judged_at_s;
    bool contradicted;
} vb_chain_judgement;
VB_MUST_CHECK vb_err vb_chain_read_judgement(const vb_chain_node *n, const vb_chain_registry *r,
                                             const uint8_t witness[VB_ETH_ADDRESS_BYTES],
                                             const uint8_t record[VB_SHA256_BYTES],
                                             vb_chain_judgement *out, vb_error *e);

#endif
