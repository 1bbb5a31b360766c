#define OPENSSL_SUPPRESS_DEPRECATED /* why: see sha512.h */
#include "crypto/sha512.h"

#include <assert.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/error.h"

static_assert(sizeof(vb_sha512) >= sizeof(SHA512_CTX), "the opaque state is too small");
static_assert(_Alignof(vb_sha512) >= _Alignof(SHA512_CTX), "the opaque state is misaligned");

static SHA512_CTX *ctx_of(vb_sha512 *s) {
    return (SHA512_CTX *)(void *)s;
}

void vb_sha512_begin(vb_sha512 *s) {
    VB_ASSERT(SHA512_Init(ctx_of(s)) == 1);
}

void vb_sha512_update(vb_sha512 *s, const void *bytes, size_t n_bytes) {
    if (n_bytes) {
        VB_ASSERT(SHA512_Update(ctx_of(s), bytes, n_bytes) == 1);
    }
}

void vb_sha512_end(vb_sha512 *s, uint8_t out[VB_SHA512_BYTES]) {
    VB_ASSERT(SHA512_Final(out, ctx_of(s)) == 1);
    OPENSSL_cleanse(s, sizeof *s);
}

void vb_sha512_of(const void *bytes, size_t n_bytes, uint8_t out[VB_SHA512_BYTES]) {
    vb_sha512 s;
    vb_sha512_begin(&s);
    vb_sha512_update(&s, bytes, n_bytes);
    vb_sha512_end(&s, out);
}
