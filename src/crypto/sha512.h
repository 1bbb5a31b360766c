/*
 * SHA-512 (FIPS 180-4), by OpenSSL's assembly. The state is the caller's memory, so hashing
 * allocates nothing and can not fail: that is why the low-level calls are used, not EVP.
 *
 * Owner: caller's memory; nothing to free. Thread rule: one thread at a time for one state.
 */
#ifndef VB_CRYPTO_SHA512_H
#define VB_CRYPTO_SHA512_H

#include <stddef.h>
#include <stdint.h>

enum { VB_SHA512_BYTES = 64 };

typedef struct vb_sha512 {
    uint64_t opaque[28];
} vb_sha512;

void vb_sha512_begin(vb_sha512 *s);
void vb_sha512_update(vb_sha512 *s, const void *bytes, size_t n_bytes);

/* Ends the hash and wipes the state; vb_sha512_begin starts another. */
void vb_sha512_end(vb_sha512 *s, uint8_t out[VB_SHA512_BYTES]);

/* The whole message at once. out may be the message itself. */
void vb_sha512_of(const void *bytes, size_t n_bytes, uint8_t out[VB_SHA512_BYTES]);

#endif
