#include "chain/tx.h"

#include <string.h>

#include "crypto/rlp.h"

enum {
    TYPE_1559 = 0x02,
    OVERHEAD_BYTES = 512, /* of all items but data */
    V_OFFSET = VB_SECP256K1_SIGNATURE_BYTES - 1,
    SCALAR_BYTES = 32,
    V_OF_CHAIN = 35 /* EIP-155: v = 35 + 2 * chain id + parity */
};

/* A number of n bytes, big-endian, as RLP has it: without leading zeroes. */
static vb_err number(vb_buf *out, const uint8_t *bytes, size_t n) {
    while (n && *bytes == 0) {
        bytes++;
        n--;
    }
    return vb_rlp_string(out, bytes, n);
}

/* What both kinds have from the fees on: gas limit, receiver, value, data. */
static vb_err append_body(const vb_chain_tx *tx, vb_buf *out) {
    vb_err err = vb_rlp_uint(out, tx->gas_limit);
    err = err ? err : vb_rlp_string(out, tx->to, tx->creates ? 0 : sizeof tx->to);
    err = err ? err : number(out, tx->value, sizeof tx->value);
    return err ? err : vb_rlp_string(out, tx->data, tx->n_data);
}

static vb_err append_signature(uint64_t v, const uint8_t *signature, vb_buf *out) {
    vb_err err = vb_rlp_uint(out, v);
    err = err ? err : number(out, signature, SCALAR_BYTES);
    return err ? err : number(out, signature + SCALAR_BYTES, SCALAR_BYTES);
}

static vb_err append_items(const vb_chain_tx *tx, const uint8_t *signature, vb_buf *out) {
    vb_err err;
    if (tx->fees == VB_CHAIN_LEGACY) {
        err = vb_rlp_uint(out, tx->nonce);
        err = err ? err : vb_rlp_uint(out, tx->gas_price);
        err = err ? err : append_body(tx, out);
        if (signature) {
            const uint64_t v = V_OF_CHAIN + 2 * tx->chain_id + signature[V_OFFSET];
            return err ? err : append_signature(v, signature, out);
        }
        err = err ? err : vb_rlp_uint(out, tx->chain_id);
        err = err ? err : vb_rlp_uint(out, 0);
        return err ? err : vb_rlp_uint(out, 0);
    }
    err = vb_rlp_uint(out, tx->chain_id);
    err = err ? err : vb_rlp_uint(out, tx->nonce);
    err = err ? err : vb_rlp_uint(out, tx->max_priority_fee);
    err = err ? err : vb_rlp_uint(out, tx->max_fee);
    err = err ? err : append_body(tx, out);
    err = err ? err : vb_rlp_list(out, NULL, 0); /* no access list */
    return err || !signature ? err : append_signature(signature[V_OFFSET], signature, out);
}

/* signature NULL: what is signed. */
static vb_err encode(const vb_chain_tx *tx, const uint8_t *signature, vb_buf *out, vb_error *e) {
    if (tx->chain_id == 0 || tx->chain_id > (UINT64_MAX - V_OF_CHAIN - 1) / 2) {
        return vb_fail(e, VB_EINVAL, "no chain has the id %llu", (unsigned long long)tx->chain_id);
    }
    static const uint8_t type = TYPE_1559;
    vb_buf items = vb_buf_make(tx->n_data + OVERHEAD_BYTES);
    vb_err err = append_items(tx, signature, &items);
    if (!err && tx->fees == VB_CHAIN_1559) {
        err = vb_buf_append(out, &type, 1);
    }
    err = err ? err : vb_rlp_list(out, items.data, items.len);
    vb_buf_free(&items);
    return err ? vb_fail(e, err, "no memory for a transaction of %zu bytes of data", tx->n_data)
               : VB_OK;
}

vb_err vb_chain_tx_signing_hash(const vb_chain_tx *tx, uint8_t out[VB_KECCAK256_BYTES],
                                vb_error *e) {
    vb_buf bytes = vb_buf_make(tx->n_data + 2 * OVERHEAD_BYTES);
    vb_err err = encode(tx, NULL, &bytes, e);
    if (!err) {
        vb_keccak256(bytes.data, bytes.len, out);
    }
    vb_buf_free(&bytes);
    return err;
}

vb_err vb_chain_tx_encode(const vb_chain_tx *tx,
                          const uint8_t signature[VB_SECP256K1_SIGNATURE_BYTES], vb_buf *out,
                          uint8_t hash[VB_KECCAK256_BYTES], vb_error *e) {
    const size_t before = out->len;
    vb_err err = encode(tx, signature, out, e);
    if (err) {
        out->len = before;
        return err;
    }
    vb_keccak256(out->data + before, out->len - before, hash);
    return VB_OK;
}

vb_err vb_chain_created_address(const uint8_t sender[VB_ETH_ADDRESS_BYTES], uint64_t nonce,
                                uint8_t out[VB_ETH_ADDRESS_BYTES], vb_error *e) {
    vb_buf items = vb_buf_make(OVERHEAD_BYTES), list = vb_buf_make(OVERHEAD_BYTES);
    vb_err err = vb_rlp_string(&items, sender, VB_ETH_ADDRESS_BYTES);
    err = err ? err : vb_rlp_uint(&items, nonce);
    err = err ? err : vb_rlp_list(&list, items.data, items.len);
    if (!err) {
        uint8_t hash[VB_KECCAK256_BYTES];
        vb_keccak256(list.data, list.len, hash);
        memcpy(out, hash + sizeof hash - VB_ETH_ADDRESS_BYTES, VB_ETH_ADDRESS_BYTES);
    }
    vb_buf_free(&items);
    vb_buf_free(&list);
    return err ? vb_fail(e, err, "no memory for a contract's address") : VB_OK;
}
