#include "crypto/secp256k1.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include "crypto/keccak.h"

enum { SCALAR_BYTES = 32, V_OFFSET = 2 * SCALAR_BYTES, UNCOMPRESSED_KEY_BYTES = 65 };

static bool is_zero(const uint8_t scalar[SCALAR_BYTES]) {
    uint8_t any = 0;
    for (size_t i = 0; i < SCALAR_BYTES; i++) {
        any |= scalar[i];
    }
    return any == 0;
}

vb_err vb_secp256k1_recover(const uint8_t hash[VB_SECP256K1_HASH_BYTES],
                            const uint8_t signature[VB_SECP256K1_SIGNATURE_BYTES],
                            uint8_t address[VB_ETH_ADDRESS_BYTES], vb_error *e) {
    /* Recovery uses no secret, so the library's constant context serves. It asks of users of that
     * context to let it test itself first; the test is one short SHA-256, and cheaper than keeping
     * a flag that threads share. It aborts when the library was built for another machine. */
    const secp256k1_context *ctx = secp256k1_context_static;
    secp256k1_selftest();
    if (signature[V_OFFSET] > 1) {
        return vb_fail(e, VB_EFORMAT, "a signature's v is %u, expected 0 or 1",
                       signature[V_OFFSET]);
    }
    secp256k1_ecdsa_recoverable_signature parsed;
    /* The library refuses an r or s past the order here, but a zero only when it recovers. */
    if (is_zero(signature) || is_zero(signature + SCALAR_BYTES) ||
        secp256k1_ecdsa_recoverable_signature_parse_compact(ctx, &parsed, signature,
                                                            signature[V_OFFSET]) != 1) {
        return vb_fail(e, VB_EFORMAT,
                       "a signature's r or s is not between 1 and the order of secp256k1 less 1");
    }
    secp256k1_pubkey key;
    if (secp256k1_ecdsa_recover(ctx, &key, &parsed, hash) != 1) {
        return vb_fail(e, VB_EMISMATCH, "no secp256k1 key fits the signature of this hash");
    }
    uint8_t point[UNCOMPRESSED_KEY_BYTES], digest[VB_KECCAK256_BYTES];
    size_t n = sizeof point;
    VB_ASSERT(secp256k1_ec_pubkey_serialize(ctx, point, &n, &key, SECP256K1_EC_UNCOMPRESSED) == 1 &&
              n == sizeof point);
    vb_keccak256(point + 1, sizeof point - 1, digest); /* without the 0x04 of the form */
    memcpy(address, digest + sizeof digest - VB_ETH_ADDRESS_BYTES, VB_ETH_ADDRESS_BYTES);
    return VB_OK;
}
