/*
 * Keccak-256 as Ethereum and Theta use it: Keccak[512] with 256 bits of output and the padding of
 * the competition's submission (a bit 1, zeroes, a bit 1), which is not that of SHA3-256 (FIPS
 * 202). Pure: no allocation, the same result on every machine.
 */
#ifndef VB_CRYPTO_KECCAK_H
#define VB_CRYPTO_KECCAK_H

#include <stddef.h>
#include <stdint.h>

enum { VB_KECCAK256_BYTES = 32 };

/* bytes may be NULL when n is 0; out may be the message itself. */
void vb_keccak256(const void *bytes, size_t n, uint8_t out[VB_KECCAK256_BYTES]);

#endif
