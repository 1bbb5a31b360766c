/*
 * SHA-256 (FIPS 180-4), by OpenSSL's assembly. The state is the caller's memory, so hashing
 * allocates nothing and can not fail: that is why the low-level calls are used, not EVP.
 *
 * Owner: caller's memory; nothing to free. Thread rule: one thread at a time for one state.
 */
#ifndef VB_CRYPTO_SHA256_H
#define VB_CRYPTO_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { VB_SHA256_BYTES = 32, VB_SHA256_HEX_BYTES = 2 * VB_SHA256_BYTES + 1 };

typedef struct vb_sha256 {
    uint64_t opaque[16];
} vb_sha256;

void vb_sha256_begin(vb_sha256 *s);
void vb_sha256_update(vb_sha256 *s, const void *bytes, size_t n_bytes);

/* Ends the hash and wipes the state; vb_sha256_begin starts another. */
void vb_sha256_end(vb_sha256 *s, uint8_t out[VB_SHA256_BYTES]);

/* Big-endian integers, as the protocol hashes them. */
void vb_sha256_u32be(vb_sha256 *s, uint32_t v);
void vb_sha256_u64be(vb_sha256 *s, uint64_t v);

/* The whole message at once. out may be the message itself. */
void vb_sha256_of(const void *bytes, size_t n_bytes, uint8_t out[VB_SHA256_BYTES]);

#endif
