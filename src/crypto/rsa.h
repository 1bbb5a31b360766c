/*
 * RSA signatures as the NIST beacon makes them: RSASSA-PKCS1-v1_5 with SHA-512 (RFC 8017, 8.2),
 * under the key of an X.509 certificate, by OpenSSL.
 *
 * A certificate is only the envelope of a key here. Its validity dates are NOT checked, because a
 * beacon's old pulse stays what it was when its certificate expires; neither are its names, its
 * usages and its issuer's signature. Why this certificate is the right one (a digest that is known
 * in advance) is the caller's affair.
 *
 * Owner: vb_rsa_open_certificate gives the caller a key to close. Thread rule: a key is immutable;
 * any number of threads may verify with it. OpenSSL's error queue of the thread is left empty.
 */
#ifndef VB_CRYPTO_RSA_H
#define VB_CRYPTO_RSA_H

#include <stddef.h>

#include "base/bytes.h"
#include "base/error.h"

enum {
    VB_RSA_BITS_MIN = 2048,
    VB_RSA_BITS_MAX = 8192,
    VB_CERTIFICATE_BYTES_MAX = 1 << 16,    /* one certificate, DER */
    VB_CERTIFICATE_PEM_BYTES_MAX = 1 << 20 /* a PEM file of certificates */
};

/* An RSA public key of VB_RSA_BITS_MIN to VB_RSA_BITS_MAX bits. */
typedef struct vb_rsa_key vb_rsa_key;

/* der is exactly one X.509 certificate, in the encoding that OpenSSL would give it. VB_EFORMAT: it
 * is not, or its key's modulus is even, or its exponent is not odd and between 3 and 2^64 - 1.
 * VB_EUNSUPPORTED: a key that is not RSA, or of another size. VB_ELIMIT: more than
 * VB_CERTIFICATE_BYTES_MAX. */
VB_MUST_CHECK vb_err vb_rsa_open_certificate(const void *der, size_t n, vb_rsa_key **out,
                                             vb_error *e);
void vb_rsa_close(vb_rsa_key *k); /* NULL is allowed */

/* VB_OK: the signature is good. VB_EMISMATCH: it is not. VB_EFORMAT: it is not as long as the key's
 * modulus. Anything else: it could not be checked. */
VB_MUST_CHECK vb_err vb_rsa_verify_sha512(const vb_rsa_key *k, const void *msg, size_t n_msg,
                                          const void *signature, size_t n_signature, vb_error *e);

/* Appends to der the content of the first CERTIFICATE block of a PEM text (RFC 7468); what follows
 * the block is not looked at, nor is the content: vb_rsa_open_certificate does that. VB_EFORMAT: no
 * such block. VB_ELIMIT: more than VB_CERTIFICATE_PEM_BYTES_MAX, or than der may hold. */
VB_MUST_CHECK vb_err vb_certificate_from_pem(const void *pem, size_t n, vb_buf *der, vb_error *e);

#endif
