#define OPENSSL_SUPPRESS_DEPRECATED /* why: see sha256.h */
#include "crypto/sha256.h"

#include <assert.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/bytes.h"

static_assert(sizeof(vb_sha256) >= sizeof(SHA256_CTX), "the opaque state is too small");
static_assert(_Alignof(vb_sha256) >= _Alignof(SHA256_CTX), "the opaque state is misaligned");

static SHA256_CTX *ctx_of(vb_sha256 *s) {
    return (SHA256_CTX *)(void *)s;
}

void vb_sha256_begin(vb_sha256 *s) {
    VB_ASSERT(SHA256_Init(ctx_of(s)) == 1);
}

void vb_sha256_update(vb_sha256 *s, const void *bytes, size_t n_bytes) {
    if (n_bytes) {
        VB_ASSERT(SHA256_Update(ctx_of(s), bytes, n_bytes) == 1);
    }
}

void vb_sha256_end(vb_sha256 *s, uint8_t out[VB_SHA256_BYTES]) {
    VB_ASSERT(SHA256_Final(out, ctx_of(s)) == 1);
    OPENSSL_cleanse(s, sizeof *s);
}

void vb_sha256_u32be(vb_sha256 *s, uint32_t v) {
    uint8_t b[4];
    vb_store_u32be(b, v);
    vb_sha256_update(s, b, sizeof b);
}

void vb_sha256_u64be(vb_sha256 *s, uint64_t v) {
    uint8_t b[8];
    vb_store_u64be(b, v);
    vb_sha256_update(s, b, sizeof b);
}

void vb_sha256_of(const void *bytes, size_t n_bytes, uint8_t out[VB_SHA256_BYTES]) {
    vb_sha256 s;
    vb_sha256_begin(&s);
    vb_sha256_update(&s, bytes, n_bytes);
    vb_sha256_end(&s, out);
}
