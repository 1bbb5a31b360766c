/*
 * BLS signatures over BLS12-381 (the "basic" scheme of draft-irtf-cfrg-bls-signature), verification
 * only: what a drand round carries. Points are compressed as that draft says: x in big-endian bytes
 * (for G2 the coefficient of u first), with three flags in the first byte. Messages are hashed to
 * the curve by RFC 9380.
 *
 * Nothing here is secret, so the time taken may depend on every input. Pure: no memory is
 * allocated, and the result is the same on any machine.
 * Thread rule: no state; any number of threads.
 */
#ifndef VB_CRYPTO_BLS12381_H
#define VB_CRYPTO_BLS12381_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { VB_BLS_G1_BYTES = 48, VB_BLS_G2_BYTES = 96 };

/* Domain separation tags of signatures in G1 (drand's quicknet) and in G2 (drand's default). */
#define VB_BLS_DST_G1 "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
#define VB_BLS_DST_G2 "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_"

/*
 * verify_g1: the signature is in G1, the key in G2; verify_g2: the other way round. dst is the
 * caller's constant and may not be empty.
 *
 * VB_OK: the signature is the key's over the message. VB_EMISMATCH: it is not. VB_EFORMAT: the key
 * or the signature is not a canonical encoding of a point that is on its curve, in the subgroup of
 * order r, and not the identity (the identity verifies with anything, so it is refused in both).
 */
VB_MUST_CHECK vb_err vb_bls_verify_g1(const uint8_t public_key[VB_BLS_G2_BYTES], const void *msg,
                                      size_t n_msg, const char *dst,
                                      const uint8_t signature[VB_BLS_G1_BYTES], vb_error *e);
VB_MUST_CHECK vb_err vb_bls_verify_g2(const uint8_t public_key[VB_BLS_G1_BYTES], const void *msg,
                                      size_t n_msg, const char *dst,
                                      const uint8_t signature[VB_BLS_G2_BYTES], vb_error *e);

#endif
