#include "chain/send.h"

#include <string.h>

enum { POLL_MS = 1000, RAISE_S = 60, GIVE_UP_S = 900, RAISES_MAX = 16, TX_BYTES = 2 << 20 };

typedef struct sending {
    const vb_chain_node *n;
    const vb_chain_signer *signer;
    const vb_chain_send_options *o;
    vb_chain_tx tx;
    uint64_t until_ms, raise_at_ms;
    /* Every form it was sent in: any of them may be the one that is mined. */
    uint8_t hashes[RAISES_MAX][VB_KECCAK256_BYTES];
    uint32_t n_sent;
    vb_chain_mined seen; /* the block that had it when it was looked at last */
    vb_chain_sent_result *out;
    vb_error *e;
} sending;

static vb_err sign_with_key(void *user, const uint8_t hash[VB_SECP256K1_HASH_BYTES],
                            uint8_t signature[VB_SECP256K1_SIGNATURE_BYTES], vb_error *e) {
    const vb_eth_key *key = user;
    return vb_eth_key_sign(key, hash, signature, e);
}

vb_chain_signer vb_chain_signer_of_key(const vb_eth_key *key) {
    vb_chain_signer s = {.sign = sign_with_key, .user = (void *)(uintptr_t)key};
    vb_eth_key_address(key, s.address);
    return s;
}

static uint64_t max_fee(const sending *s) {
    return s->o->max_fee ? s->o->max_fee : VB_CHAIN_MAX_FEE;
}

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t sum(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Fees for the next blocks: twice the base fee outlasts six full ones. */
static vb_err set_fees(sending *s) {
    vb_chain_prices p;
    vb_err err = vb_chain_node_prices(s->n, &p, s->e);
    if (err) {
        return err;
    }
    const uint64_t limit = max_fee(s);
    if (p.has_1559 && !s->o->legacy) {
        s->tx.fees = VB_CHAIN_1559;
        s->tx.max_fee = smaller(sum(sum(p.base_fee, p.base_fee), p.tip), limit);
        s->tx.max_priority_fee = smaller(p.tip, s->tx.max_fee);
        return p.base_fee <= limit
                   ? VB_OK
                   : vb_fail(s->e, VB_ELIMIT,
                             "the chain's base fee is %llu wei a gas, more than the limit of %llu",
                             (unsigned long long)p.base_fee, (unsigned long long)limit);
    }
    s->tx.fees = VB_CHAIN_LEGACY;
    s->tx.gas_price = p.gas_price;
    return p.gas_price <= limit
               ? VB_OK
               : vb_fail(s->e, VB_ELIMIT,
                         "the chain's price is %llu wei a gas, more than the limit of %llu",
                         (unsigned long long)p.gas_price, (unsigned long long)limit);
}

/* By an eighth and one wei more: nodes ask for 10 % to replace one. False at the limit. */
static bool raise_fee(uint64_t *fee, uint64_t limit) {
    const uint64_t higher = smaller(sum(*fee, *fee / 8 + 1), limit);
    const bool raised = higher > *fee;
    *fee = higher;
    return raised;
}

static bool raise_fees(sending *s) {
    const uint64_t limit = max_fee(s);
    if (s->tx.fees == VB_CHAIN_LEGACY) {
        return raise_fee(&s->tx.gas_price, limit);
    }
    const bool raised = raise_fee(&s->tx.max_fee, limit);
    return raise_fee(&s->tx.max_priority_fee, s->tx.max_fee) && raised;
}

static vb_err prepare(sending *s) {
    uint64_t id, gas;
    vb_err err = vb_chain_node_id(s->n, &id, s->e);
    if (!err && s->o->chain_id && id != s->o->chain_id) {
        err = vb_fail(s->e, VB_EMISMATCH, "the node is of chain %llu, expected %llu",
                      (unsigned long long)id, (unsigned long long)s->o->chain_id);
    }
    s->tx.chain_id = err ? 0 : id;
    err = err ? err : vb_chain_node_estimate(s->n, s->signer->address, &s->tx, &gas, s->e);
    if (err) {
        return err;
    }
    s->tx.gas_limit = sum(gas, gas / 4); /* state may have changed when it is mined */
    err = vb_chain_node_nonce(s->n, s->signer->address, true, &s->tx.nonce, s->e);
    return err ? err : set_fees(s);
}

static vb_err sign_and_send(sending *s, vb_chain_sent *how) {
    uint8_t hash[VB_KECCAK256_BYTES], signature[VB_SECP256K1_SIGNATURE_BYTES];
    vb_buf bytes = vb_buf_make(TX_BYTES);
    vb_err err = vb_chain_tx_signing_hash(&s->tx, hash, s->e);
    err = err ? err : s->signer->sign(s->signer->user, hash, signature, s->e);
    err = err ? err : vb_chain_tx_encode(&s->tx, signature, &bytes, hash, s->e);
    if (!err) {
        /* Kept before it leaves: a node that fails to answer may have taken it. */
        VB_ASSERT(s->n_sent < RAISES_MAX);
        memcpy(s->hashes[s->n_sent++], hash, sizeof hash);
        memcpy(s->out->hash, hash, sizeof hash);
        s->out->n_sent = s->n_sent;
        err = vb_chain_node_send(s->n, &bytes, how, s->e);
    }
    vb_buf_free(&bytes);
    return err;
}

/* Whether one of the forms is in a block: found says so. */
static vb_err look(sending *s, vb_chain_mined *found) {
    found->found = false;
    for (uint32_t i = s->n_sent; i-- > 0 && !found->found;) {
        vb_err err = vb_chain_node_mined(s->n, s->hashes[i], found, s->e);
        if (err) {
            return err;
        }
        if (found->found) {
            memcpy(s->out->hash, s->hashes[i], sizeof s->out->hash);
        }
    }
    return VB_OK;
}

/* Sends it with the fees that it has, higher ones while the node asks for more. A nonce that is
 * used means that one of the earlier forms was mined, or that somebody else uses the account. */
static vb_err send_form(sending *s) {
    vb_chain_sent how = VB_CHAIN_SENT;
    vb_err err = sign_and_send(s, &how);
    while (!err && how == VB_CHAIN_UNDERPRICED && s->n_sent < RAISES_MAX && raise_fees(s)) {
        err = sign_and_send(s, &how);
    }
    if (!err && how == VB_CHAIN_UNDERPRICED) {
        err = vb_fail(s->e, VB_ELIMIT,
                      "the node asks for a higher fee than the limit of %llu wei "
                      "a gas",
                      (unsigned long long)max_fee(s));
    }
    if (!err && how == VB_CHAIN_NONCE_USED) {
        vb_chain_mined found;
        err = look(s, &found);
        if (!err && !found.found) {
            err = vb_fail(s->e, VB_EIO,
                          "another transaction of the account has the nonce %llu: nothing was "
                          "done; two programs must not use one account",
                          (unsigned long long)s->tx.nonce);
        }
    }
    if (!err) {
        const uint64_t raise_s = s->o->raise_s ? s->o->raise_s : RAISE_S;
        s->raise_at_ms = s->n->clock_ms(s->n->user) + 1000 * raise_s;
    }
    return err;
}

static void tell(const sending *s, const char *state, uint64_t done, uint64_t of) {
    if (s->o->progress) {
        s->o->progress(s->o->progress_user, state, done, of);
    }
}

/* One look at the chain; done: it has its confirmations. */
static vb_err watch(sending *s, bool *done) {
    const uint64_t wanted = s->o->confirmations ? s->o->confirmations : 1;
    vb_chain_mined now;
    uint64_t height = 0;
    vb_err err = look(s, &now);
    err = err ? err : vb_chain_node_height(s->n, &height, s->e);
    if (err) {
        return err;
    }
    const bool moved = s->seen.found && (!now.found || memcmp(now.block_hash, s->seen.block_hash,
                                                              sizeof now.block_hash) != 0);
    s->out->n_reorganised += moved;
    s->seen = now;
    s->out->mined = now;
    if (!now.found) {
        tell(s, "waiting for a block", 0, wanted);
        return VB_OK;
    }
    const uint64_t have = height >= now.block ? height - now.block + 1 : 0;
    tell(s, "confirmations", smaller(have, wanted), wanted);
    *done = have >= wanted;
    return VB_OK;
}

static vb_err follow(sending *s) {
    for (bool done = false;;) {
        /* A node that does not answer for a while is asked again. */
        vb_err err = watch(s, &done);
        if (err && err != VB_EIO) {
            return err;
        }
        if (done) {
            return s->seen.succeeded ? VB_OK
                                     : vb_fail(s->e, VB_EMISMATCH,
                                               "the transaction is in block %llu and was reverted",
                                               (unsigned long long)s->seen.block);
        }
        const uint64_t now = s->n->clock_ms(s->n->user);
        if (now >= s->until_ms) {
            return vb_fail(s->e, VB_EIO,
                           "the transaction was sent, but has not its confirmations in time: it "
                           "may still come");
        }
        if (!s->seen.found && now >= s->raise_at_ms && s->n_sent < RAISES_MAX && raise_fees(s)) {
            err = send_form(s);
            if (err && err != VB_EIO) {
                return err;
            }
        }
        err = s->n->wait_ms(s->n->user, s->o->poll_ms ? s->o->poll_ms : POLL_MS, s->e);
        if (err) {
            return err;
        }
    }
}

vb_err vb_chain_send(const vb_chain_node *n, const vb_chain_signer *signer, const vb_chain_tx *call,
                     const vb_chain_send_options *o, vb_chain_sent_result *out, vb_error *e) {
    *out = (vb_chain_sent_result){.n_sent = 0};
    sending s = {.n = n, .signer = signer, .o = o, .tx = *call, .out = out, .e = e};
    s.until_ms = n->clock_ms(n->user) + 1000 * (uint64_t)(o->give_up_s ? o->give_up_s : GIVE_UP_S);
    vb_err err = prepare(&s);
    out->fees = s.tx.fees;
    err = err ? err : send_form(&s);
    return err ? err : follow(&s);
}
