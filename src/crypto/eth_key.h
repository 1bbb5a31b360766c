/*
 * Keys of accounts on Ethereum's and Theta's chains: ECDSA over secp256k1 with the nonce of RFC
 * 6979, by libsecp256k1. A key is opaque, never printed, and wiped when it is closed. Key files
 * hold the secret as 64 hex digits and a line feed, mode 0600.
 *
 * Owner: open functions give the caller a key to close. Thread rule: a key is immutable; any
 * number of threads may sign with it.
 */
#ifndef VB_CRYPTO_ETH_KEY_H
#define VB_CRYPTO_ETH_KEY_H

#include <stdint.h>

#include "base/error.h"
#include "crypto/secp256k1.h"

enum { VB_ETH_SECRET_BYTES = 32 };

typedef struct vb_eth_key vb_eth_key;

VB_MUST_CHECK vb_err vb_eth_key_generate(vb_eth_key **out, vb_error *e);

/* secret stays the caller's to wipe. VB_EFORMAT: zero, or not below the order of the group. */
VB_MUST_CHECK vb_err vb_eth_key_from_secret(const uint8_t secret[VB_ETH_SECRET_BYTES],
                                            vb_eth_key **out, vb_error *e);
void vb_eth_key_close(vb_eth_key *k); /* NULL is allowed */

/* Files as vb_ed25519_save and vb_ed25519_load. */
VB_MUST_CHECK vb_err vb_eth_key_save(const vb_eth_key *k, const char *path, vb_error *e);
VB_MUST_CHECK vb_err vb_eth_key_load(const char *path, vb_eth_key **out, vb_error *e);

void vb_eth_key_address(const vb_eth_key *k, uint8_t out[VB_ETH_ADDRESS_BYTES]);

/* r | s | v with s in the lower half of the order and v 0 or 1: what vb_secp256k1_recover takes. */
VB_MUST_CHECK vb_err vb_eth_key_sign(const vb_eth_key *k,
                                     const uint8_t hash[VB_SECP256K1_HASH_BYTES],
                                     uint8_t signature[VB_SECP256K1_SIGNATURE_BYTES], vb_error *e);

#endif
