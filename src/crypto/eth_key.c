#include "crypto/eth_key.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include "base/bytes.h"
#include "crypto/private_file.h"
#include "crypto/random.h"

enum { HEX_CHARS = 2 * VB_ETH_SECRET_BYTES, FILE_BYTES = HEX_CHARS + 1 };

struct vb_eth_key {
    secp256k1_context *ctx; /* blinded: it works with the secret */
    uint8_t secret[VB_ETH_SECRET_BYTES];
    uint8_t address[VB_ETH_ADDRESS_BYTES];
};

void vb_eth_key_close(vb_eth_key *k) {
    if (k) {
        if (k->ctx) {
            secp256k1_context_destroy(k->ctx);
        }
        vb_wipe(k, sizeof *k);
        free(k);
    }
}

static vb_err blind(vb_eth_key *k, vb_error *e) {
    uint8_t seed[32];
    vb_err err = vb_random_bytes(seed, sizeof seed, e);
    if (!err && secp256k1_context_randomize(k->ctx, seed) != 1) {
        err = vb_fail(e, VB_EINTERNAL, "libsecp256k1 could not blind its context");
    }
    vb_wipe(seed, sizeof seed);
    return err;
}

/* The address is that which a signature of the key recovers to: so signing was tried once, too. */
static vb_err find_address(vb_eth_key *k, vb_error *e) {
    static const uint8_t hash[VB_SECP256K1_HASH_BYTES] = {1};
    uint8_t signature[VB_SECP256K1_SIGNATURE_BYTES];
    vb_err err = vb_eth_key_sign(k, hash, signature, e);
    return err ? err : vb_secp256k1_recover(hash, signature, k->address, e);
}

vb_err vb_eth_key_from_secret(const uint8_t secret[VB_ETH_SECRET_BYTES], vb_eth_key **out,
                              vb_error *e) {
    vb_eth_key *k = calloc(1, sizeof *k);
    if (!k || !(k->ctx = secp256k1_context_create(SECP256K1_CONTEXT_SIGN))) {
        vb_eth_key_close(k);
        return vb_fail(e, VB_ENOMEM, "no memory for an account's key");
    }
    memcpy(k->secret, secret, sizeof k->secret);
    vb_err err = secp256k1_ec_seckey_verify(k->ctx, k->secret) == 1
                     ? blind(k, e)
                     : vb_fail(e, VB_EFORMAT,
                               "an account's key is zero or not below the order of secp256k1");
    if (!err) {
        err = find_address(k, e);
    }
    if (err) {
        vb_eth_key_close(k);
        return err;
    }
    *out = k;
    return VB_OK;
}

vb_err vb_eth_key_generate(vb_eth_key **out, vb_error *e) {
    uint8_t secret[VB_ETH_SECRET_BYTES];
    vb_err err;
    do { /* one in 2^127 is no key */
        err = vb_random_bytes(secret, sizeof secret, e);
        err = err ? err : vb_eth_key_from_secret(secret, out, e);
    } while (err == VB_EFORMAT);
    vb_wipe(secret, sizeof secret);
    return err;
}

vb_err vb_eth_key_save(const vb_eth_key *k, const char *path, vb_error *e) {
    char text[FILE_BYTES + 1];
    vb_hex_encode(k->secret, sizeof k->secret, text);
    text[HEX_CHARS] = '\n';
    vb_err err = vb_private_file_create(path, text, FILE_BYTES, e);
    vb_wipe(text, sizeof text);
    return err;
}

vb_err vb_eth_key_load(const char *path, vb_eth_key **out, vb_error *e) {
    vb_buf file = vb_buf_make(FILE_BYTES);
    uint8_t secret[VB_ETH_SECRET_BYTES];
    vb_err err = vb_private_file_read(path, &file, NULL, e);
    if (!err) {
        if (file.len == FILE_BYTES && file.data[HEX_CHARS] == '\n') {
            file.data[HEX_CHARS] = 0;
        }
        if (file.len < HEX_CHARS ||
            !vb_hex_decode((const char *)file.data, secret, sizeof secret)) {
            err = vb_fail(e, VB_EFORMAT,
                          "%s: not an account's key: expected 64 lower-case hex digits and a line "
                          "feed",
                          path);
        } else {
            err = vb_eth_key_from_secret(secret, out, e);
        }
    }
    if (file.data) {
        vb_wipe(file.data, file.len);
    }
    vb_buf_free(&file);
    vb_wipe(secret, sizeof secret);
    return err;
}

void vb_eth_key_address(const vb_eth_key *k, uint8_t out[VB_ETH_ADDRESS_BYTES]) {
    memcpy(out, k->address, VB_ETH_ADDRESS_BYTES);
}

vb_err vb_eth_key_sign(const vb_eth_key *k, const uint8_t hash[VB_SECP256K1_HASH_BYTES],
                       uint8_t signature[VB_SECP256K1_SIGNATURE_BYTES], vb_error *e) {
    secp256k1_ecdsa_recoverable_signature made;
    int v;
    if (secp256k1_ecdsa_sign_recoverable(k->ctx, &made, hash, k->secret, NULL, NULL) != 1 ||
        secp256k1_ecdsa_recoverable_signature_serialize_compact(k->ctx, signature, &v, &made) !=
            1) {
        return vb_fail(e, VB_EINTERNAL, "libsecp256k1 could not sign");
    }
    /* v of 2 and 3 (an R beyond the order) has never been seen of a hash; the chains have none. */
    if (v > 1) {
        return vb_fail(e, VB_EINTERNAL, "a signature has no v of 0 or 1");
    }
    signature[VB_SECP256K1_SIGNATURE_BYTES - 1] = (uint8_t)v;
    return VB_OK;
}
