/*
 * Ed25519 (RFC 8032) keys and signatures, by OpenSSL. A key is opaque, is never printed, and its
 * memory is wiped when it is closed. Key files are PKCS#8 PEM, mode 0600.
 *
 * Owner: open functions give the caller a key to close. Thread rule: a key is immutable; any
 * number of threads may sign with it.
 */
#ifndef VB_CRYPTO_ED25519_H
#define VB_CRYPTO_ED25519_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { VB_ED25519_SEED_BYTES = 32, VB_ED25519_PUBLIC_BYTES = 32, VB_ED25519_SIGNATURE_BYTES = 64 };

typedef struct vb_ed25519_key vb_ed25519_key;

VB_MUST_CHECK vb_err vb_ed25519_generate(vb_ed25519_key **out, vb_error *e);

/* The key of RFC 8032's 32-byte secret; seed stays the caller's to wipe. */
VB_MUST_CHECK vb_err vb_ed25519_from_seed(const uint8_t seed[VB_ED25519_SEED_BYTES],
                                          vb_ed25519_key **out, vb_error *e);
void vb_ed25519_close(vb_ed25519_key *k); /* NULL is allowed */

/* Writes a new file (VB_EIO when path exists: a key is never overwritten). It appears whole, with
 * mode 0600, or not at all, and is on disk when this returns. */
VB_MUST_CHECK vb_err vb_ed25519_save(const vb_ed25519_key *k, const char *path, vb_error *e);

/* VB_EINVAL for a file that is not a regular file of this user or that others may read or write;
 * VB_EFORMAT for anything but one unencrypted Ed25519 PKCS#8 PEM key. */
VB_MUST_CHECK vb_err vb_ed25519_load(const char *path, vb_ed25519_key **out, vb_error *e);

void vb_ed25519_public(const vb_ed25519_key *k, uint8_t out[VB_ED25519_PUBLIC_BYTES]);

VB_MUST_CHECK vb_err vb_ed25519_sign(const vb_ed25519_key *k, const void *msg, size_t n_msg,
                                     uint8_t out[VB_ED25519_SIGNATURE_BYTES], vb_error *e);

/* VB_OK: the signature is good. VB_EMISMATCH: it is not. VB_EFORMAT: a length is wrong, or the
 * public key is not one (not canonical, or of small order, for which one signature fits many
 * messages). Anything else: it could not be checked. */
VB_MUST_CHECK vb_err vb_ed25519_verify(const void *public_key, size_t n_public_key, const void *msg,
                                       size_t n_msg, const void *signature, size_t n_signature,
                                       vb_error *e);

#endif
