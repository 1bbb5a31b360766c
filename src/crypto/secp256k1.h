/*
 * Who signed: the address behind an ECDSA signature over secp256k1, as Ethereum and Theta form it,
 * by the recovery module of libsecp256k1.
 *
 * Thread rule: any number of threads. Nothing is allocated.
 */
#ifndef VB_CRYPTO_SECP256K1_H
#define VB_CRYPTO_SECP256K1_H

#include <stdint.h>

#include "base/error.h"

enum { VB_SECP256K1_HASH_BYTES = 32, VB_SECP256K1_SIGNATURE_BYTES = 65, VB_ETH_ADDRESS_BYTES = 20 };

/* signature is r | s | v: r and s 32 bytes each, big-endian, 0 < r, s < the order of the group; v
 * is 0 or 1 (not 27 or 28). hash is what was signed. address gets the last 20 bytes of keccak256 of
 * the recovered key's two coordinates.
 *
 * Every well-formed signature has some address for most hashes: the caller must compare it with the
 * expected one. Both forms of a signature, with s and with the order less s, give the same address
 * (the chains' own checks of votes take both): a signature's bytes identify nothing.
 *
 * VB_EFORMAT: not a signature. VB_EMISMATCH: no key fits this signature of this hash. */
VB_MUST_CHECK vb_err vb_secp256k1_recover(const uint8_t hash[VB_SECP256K1_HASH_BYTES],
                                          const uint8_t signature[VB_SECP256K1_SIGNATURE_BYTES],
                                          uint8_t address[VB_ETH_ADDRESS_BYTES], vb_error *e);

#endif
