/*
 * What publish, attest and confirm share: the node, the registry, the account that pays, and a
 * transaction with its progress and its report.
 *
 * Owner: zeroed at first; open/close. Thread rule: one thread at a time.
 */
#ifndef VB_CLI_CHAIN_OPTIONS_H
#define VB_CLI_CHAIN_OPTIONS_H

#include "chain/registry.h"
#include "chain/signer_command.h"
#include "cli/app.h"
#include "fetch/http.h"

typedef struct vb_chain_options {
    /* options; NULL, 0 or false: not given */
    const char *rpc, *registry_text, *key_file, *signer_text, *account_text;
    uint64_t chain_id, confirmations, max_fee, timeout_s, raise_s;
    bool legacy, dry_run;
    /* opened */
    vb_http *http;
    vb_chain_node node;
    vb_chain_registry registry; /* chain_id: the node's when it was opened, else the option's */
    bool has_account;           /* its address is in signer.address */
    bool can_sign;
    vb_eth_key *key;
    vb_signer_command command;
    vb_chain_signer signer;
} vb_chain_options;

/* --rpc, --registry, --chain-id. */
void vb_chain_options_add(vb_chain_options *c, vb_opt_table *t);
/* --account-key, --signer, --account; --legacy, --confirmations, --max-fee, --timeout, --raise,
 * --dry-run. */
void vb_chain_account_options_add(vb_chain_options *c, vb_opt_table *t);

/* Reads --registry, and the account when there is one. */
VB_MUST_CHECK vb_err vb_chain_options_read(vb_chain_options *c, vb_error *e);
/* After it: the node of --rpc, whose chain must be that of --chain-id. */
VB_MUST_CHECK vb_err vb_chain_options_connect(vb_chain_options *c, vb_error *e);
void vb_chain_options_close(vb_chain_options *c);

/* What became of a call. */
typedef struct vb_chain_done {
    bool sent; /* else a dry run: gas is what the node estimates */
    uint64_t gas;
    vb_chain_sent_result result;
} vb_chain_done;

/* Sends the call to the registry and waits for its confirmations, or only estimates it when the run
 * is dry. VB_EINVAL: no account. An error after something was sent names the transaction. */
VB_MUST_CHECK vb_err vb_chain_options_send(vb_chain_options *c, const vb_app *a, const vb_buf *call,
                                           vb_chain_done *out, vb_error *e);

/* JSON: members "to", "account" and what became of the call, without braces. Text: lines. */
void vb_chain_print_done_json(const vb_chain_options *c, const vb_buf *call,
                              const vb_chain_done *d);
void vb_chain_print_done(const vb_chain_options *c, const vb_buf *call, const vb_chain_done *d);

/* 0x and hexadecimal. */
void vb_chain_print_hex(const uint8_t *bytes, size_t n);
void vb_chain_print_address(const uint8_t address[VB_ETH_ADDRESS_BYTES]);

#endif
