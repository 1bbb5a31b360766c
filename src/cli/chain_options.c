#include "cli/chain_options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/system.h"
#include "chain/address.h"
#include "cli/progress.h"

enum { SLICE_MS = 50, CONFIRMATIONS_MAX = 100000, TIMEOUT_S_MAX = 604800, LINE_BYTES = 100 };

void vb_chain_options_add(vb_chain_options *c, vb_opt_table *t) {
    const vb_opt rows[] = {
        {0, "rpc", VB_OPT_STR, &c->rpc, "URL", "a node of the chain (JSON-RPC)", 0, 0, NULL},
        {0, "registry", VB_OPT_STR, &c->registry_text, "ADDRESS", "the registry's contract", 0, 0,
         NULL},
        {0, "chain-id", VB_OPT_UINT, &c->chain_id, "N", "refuse a node of another chain", 0, 0,
         NULL},
    };
    vb_opt_add(t, rows, sizeof rows / sizeof rows[0]);
}

void vb_chain_account_options_add(vb_chain_options *c, vb_opt_table *t) {
    const vb_opt rows[] = {
        {0, "account-key", VB_OPT_STR, &c->key_file, "FILE",
         "the account's key (verbatim key new --account)", 0, 0, NULL},
        {0, "signer", VB_OPT_STR, &c->signer_text, "CMD",
         "a program that signs in place of a key file; needs --account", 0, 0, NULL},
        {0, "account", VB_OPT_STR, &c->account_text, "ADDRESS", "the account of --signer", 0, 0,
         NULL},
        {0, "legacy", VB_OPT_FLAG, &c->legacy, NULL,
         "a gas price, also where blocks have a base fee", 0, 0, NULL},
        {0, "confirmations", VB_OPT_UINT, &c->confirmations, "N",
         "blocks to wait for, the transaction's own included (default 1)", 1, CONFIRMATIONS_MAX,
         NULL},
        {0, "max-fee", VB_OPT_UINT, &c->max_fee, "WEI",
         "never pay more for a unit of gas (default 20,000 gwei)", 0, 0, NULL},
        {0, "timeout", VB_OPT_UINT, &c->timeout_s, "S",
         "give up waiting after so many seconds (default 900)", 1, TIMEOUT_S_MAX, NULL},
        {0, "raise", VB_OPT_UINT, &c->raise_s, "S",
         "raise the fee after so many seconds outside of a block (default 60)", 1, TIMEOUT_S_MAX,
         NULL},
        {0, "dry-run", VB_OPT_FLAG, &c->dry_run, NULL,
         "estimate and show the call; sign and send nothing", 0, 0, NULL},
    };
    vb_opt_add(t, rows, sizeof rows / sizeof rows[0]);
}

static bool keep_going(void *user) {
    (void)user;
    return !vb_interrupted();
}

static vb_err read_account(vb_chain_options *c, vb_error *e) {
    if (c->key_file && c->signer_text) {
        return vb_fail(e, VB_EINVAL, "--account-key and --signer: expected one of them");
    }
    if (c->signer_text && !c->account_text) {
        return vb_fail(e, VB_EINVAL, "--signer: name its account with --account");
    }
    uint8_t address[VB_ETH_ADDRESS_BYTES];
    vb_err err =
        c->account_text ? vb_chain_address_parse(c->account_text, "--account", address, e) : VB_OK;
    if (!err && c->key_file && !(err = vb_eth_key_load(c->key_file, &c->key, e))) {
        c->signer = vb_chain_signer_of_key(c->key);
        if (c->account_text && memcmp(c->signer.address, address, sizeof address) != 0) {
            err = vb_fail(e, VB_EMISMATCH, "--account-key %s: its account is not that of --account",
                          c->key_file);
        }
    } else if (!err && c->signer_text &&
               !(err = vb_signer_command_parse(c->signer_text, &c->command, e))) {
        memcpy(c->command.address, address, sizeof address);
        c->command.keep_going = keep_going;
        c->signer = vb_chain_signer_of_command(&c->command);
    } else if (!err && c->account_text) {
        memcpy(c->signer.address, address, sizeof address);
    }
    c->can_sign = !err && (c->key_file || c->signer_text);
    c->has_account = !err && (c->can_sign || c->account_text);
    return err;
}

vb_err vb_chain_options_read(vb_chain_options *c, vb_error *e) {
    if (!c->registry_text) {
        return vb_fail(e, VB_EINVAL, "no registry: name its address with --registry");
    }
    vb_err err = vb_chain_address_parse(c->registry_text, "--registry", c->registry.address, e);
    c->registry.chain_id = c->chain_id;
    return err ? err : read_account(c, e);
}

static vb_err post(void *user, const char *json, vb_buf *body, vb_error *e) {
    vb_chain_options *c = user;
    return vb_http_post_json(c->http, c->rpc, json, body, NULL, e);
}

static vb_err wait_ms(void *user, uint32_t ms, vb_error *e) {
    (void)user;
    const uint64_t end = vb_clock_ns() + UINT64_C(1000000) * ms;
    while (!vb_interrupted()) {
        if (vb_clock_ns() >= end) {
            return VB_OK;
        }
        /* A signal ends it early, and the loop looks again. */
        nanosleep(&(struct timespec){.tv_nsec = SLICE_MS * 1000000L}, NULL);
    }
    return vb_fail(e, VB_ECANCELLED, "stopped while waiting for the chain");
}

static uint64_t clock_ms(void *user) {
    (void)user;
    return vb_clock_ns() / 1000000u;
}

vb_err vb_chain_options_connect(vb_chain_options *c, vb_error *e) {
    if (!c->rpc) {
        return vb_fail(e, VB_EINVAL, "no node: name its URL with --rpc");
    }
    const vb_http_options o = {.bytes_max = VB_CHAIN_ANSWER_BYTES_MAX, .keep_going = keep_going};
    vb_err err = vb_http_check_url(c->rpc, e);
    err = err ? err : vb_http_open(&o, &c->http, e);
    if (err) {
        return err;
    }
    c->node = (vb_chain_node){post, wait_ms, clock_ms, c};
    uint64_t id;
    err = vb_chain_node_id(&c->node, &id, e);
    if (err) {
        return err;
    }
    if (c->chain_id && id != c->chain_id) {
        return vb_fail(e, VB_EMISMATCH, "the node is of chain %" PRIu64 ", expected %" PRIu64, id,
                       c->chain_id);
    }
    c->registry.chain_id = id;
    return VB_OK;
}

void vb_chain_options_close(vb_chain_options *c) {
    vb_http_close(c->http);
    vb_eth_key_close(c->key);
}

typedef struct progress {
    bool on;
    char line[LINE_BYTES]; /* that is shown */
} progress;

static void show_progress(void *user, const char *state, uint64_t done, uint64_t of) {
    progress *p = user;
    char line[LINE_BYTES];
    snprintf(line, sizeof line, "%s %" PRIu64 " of %" PRIu64, state, done, of);
    if (p->on && strcmp(line, p->line) != 0) {
        memcpy(p->line, line, sizeof line);
        fprintf(stderr, "\r%s\033[K", line);
        fflush(stderr);
    }
}

static vb_err send(vb_chain_options *c, const vb_app *a, const vb_chain_tx *tx,
                   vb_chain_sent_result *out, vb_error *e) {
    progress p = {.on = !a->quiet && isatty(STDERR_FILENO)};
    const vb_chain_send_options o = {
        .chain_id = c->registry.chain_id,
        .legacy = c->legacy,
        .confirmations = (uint32_t)c->confirmations,
        .raise_s = (uint32_t)c->raise_s,
        .give_up_s = (uint32_t)c->timeout_s,
        .max_fee = c->max_fee,
        .progress = show_progress,
        .progress_user = &p,
    };
    vb_err err = vb_chain_send(&c->node, &c->signer, tx, &o, out, e);
    if (p.line[0]) {
        fprintf(stderr, "\r\033[K");
    }
    if (err && out->n_sent) {
        char hex[2 * VB_KECCAK256_BYTES + 1];
        vb_hex_encode(out->hash, sizeof out->hash, hex);
        vb_fail_in(e, err, "transaction 0x%s", hex);
    }
    return err;
}

vb_err vb_chain_options_send(vb_chain_options *c, const vb_app *a, const vb_buf *call,
                             vb_chain_done *out, vb_error *e) {
    if (!c->can_sign && !(c->dry_run && c->has_account)) {
        return vb_fail(e, VB_EINVAL,
                       "no account: name its key with --account-key, or a --signer and its "
                       "--account");
    }
    vb_chain_tx tx = {.data = call->data, .n_data = call->len};
    memcpy(tx.to, c->registry.address, sizeof tx.to);
    *out = (vb_chain_done){.sent = !c->dry_run};
    return c->dry_run ? vb_chain_node_estimate(&c->node, c->signer.address, &tx, &out->gas, e)
                      : send(c, a, &tx, &out->result, e);
}

void vb_chain_print_hex(const uint8_t *bytes, size_t n) {
    printf("0x");
    for (size_t i = 0; i < n; i++) {
        printf("%02x", bytes[i]);
    }
}

void vb_chain_print_address(const uint8_t address[VB_ETH_ADDRESS_BYTES]) {
    char text[VB_CHAIN_ADDRESS_CHARS + 1];
    vb_chain_address_print(address, text);
    printf("%s", text);
}

static const char *fees_name(vb_chain_fees fees) {
    return fees == VB_CHAIN_1559 ? "1559" : "legacy";
}

void vb_chain_print_done_json(const vb_chain_options *c, const vb_buf *call,
                              const vb_chain_done *d) {
    const vb_chain_sent_result *r = &d->result;
    printf("\"chain_id\":\"%" PRIu64 "\",\"to\":\"", c->registry.chain_id);
    vb_chain_print_address(c->registry.address);
    printf("\",\"account\":\"");
    vb_chain_print_address(c->signer.address);
    if (!d->sent) {
        printf("\",\"transaction\":null,\"gas_estimated\":\"%" PRIu64 "\",\"data\":\"", d->gas);
        vb_chain_print_hex(call->data, call->len);
        printf("\"");
        return;
    }
    printf("\",\"transaction\":\"");
    vb_chain_print_hex(r->hash, sizeof r->hash);
    printf("\",\"block\":\"%" PRIu64 "\",\"gas_used\":\"%" PRIu64 "\",\"fees\":\"%s\","
           "\"times_sent\":%u,\"reorganisations\":%u",
           r->mined.block, r->mined.gas_used, fees_name(r->fees), r->n_sent, r->n_reorganised);
}

void vb_chain_print_done(const vb_chain_options *c, const vb_buf *call, const vb_chain_done *d) {
    const vb_chain_sent_result *r = &d->result;
    printf("account        ");
    vb_chain_print_address(c->signer.address);
    if (!d->sent) {
        printf("\nregistry       ");
        vb_chain_print_address(c->registry.address);
        printf("\ngas            %" PRIu64 " (estimated)\ncall           ", d->gas);
        vb_chain_print_hex(call->data, call->len);
        printf("\nnothing was sent\n");
        return;
    }
    printf("\ntransaction    ");
    vb_chain_print_hex(r->hash, sizeof r->hash);
    printf("\nblock          %" PRIu64 " of chain %" PRIu64 "\ngas            %" PRIu64
           " (%s fees)\n",
           r->mined.block, c->registry.chain_id, r->mined.gas_used, fees_name(r->fees));
    if (r->n_sent > 1) {
        printf("fees           sent %u times, with higher fees\n", r->n_sent);
    }
    if (r->n_reorganised) {
        printf("reorganised    %u times a block that had it was taken back\n", r->n_reorganised);
    }
}
