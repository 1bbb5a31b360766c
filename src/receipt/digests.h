/*
 * The digests of spec/receipt.md. Every hash begins with a line that says what it is of, so a
 * digest of one thing can never pass for another's. Pure; nothing allocates.
 */
#ifndef VB_RECEIPT_DIGESTS_H
#define VB_RECEIPT_DIGESTS_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/sha256.h"

/* SHA-256("verbatim.tokens.v1\n" | ids as u32le). */
void vb_digest_tokens(const uint32_t *ids, size_t n, uint8_t out[VB_SHA256_BYTES]);

/* SHA-256("verbatim.text.v1\n" | UTF-8 bytes). */
void vb_digest_text(const char *text, size_t n_bytes, uint8_t out[VB_SHA256_BYTES]);

/* SHA-256("verbatim.template.v1\n" | the chat template's source as the model file holds it). */
void vb_digest_template(const char *text, size_t n_bytes, uint8_t out[VB_SHA256_BYTES]);

/* The commitment C = SHA-256("verbatim.request.v1\n" | JCS(request)). */
void vb_digest_request(const void *jcs, size_t n_bytes, uint8_t out[VB_SHA256_BYTES]);

/* verification_hash = SHA-256("verbatim.receipt.v1\n" | JCS(receipt without signature)). */
void vb_digest_receipt(const void *jcs, size_t n_bytes, uint8_t out[VB_SHA256_BYTES]);

/* What an abort's signature signs: SHA-256("verbatim.abort.v1\n" | JCS(abort without signature)).
 */
void vb_digest_abort(const void *jcs, size_t n_bytes, uint8_t out[VB_SHA256_BYTES]);

/* Seed of choice i from a beacon round: SHA-256("verbatim.seed.v1\n" | beacon id | 0 | u64be round
 * | randomness | C | u32be i). */
void vb_seed_from_round(const char *beacon_id, uint64_t round, const uint8_t *randomness,
                        size_t n_randomness, const uint8_t commitment[VB_SHA256_BYTES],
                        uint32_t choice, uint8_t out[VB_SHA256_BYTES]);

/* Seed of choice i from the caller's seed: SHA-256("verbatim.seed.fixed.v1\n" | u64be seed |
 * u32be i): the same seed gives the same answer whatever the nonce and the time. */
void vb_seed_from_fixed(uint64_t seed, uint32_t choice, uint8_t out[VB_SHA256_BYTES]);

/* The random number of draw t: first 8 bytes, big-endian, of
 * SHA-256("verbatim.draw.v1\n" | seed | u64be t). */
uint64_t vb_draw_number(const uint8_t seed[VB_SHA256_BYTES], uint64_t t);

#endif
