#include "receipt/digests.h"

#include <string.h>

#include "base/bytes.h"

static void begin(vb_sha256 *s, const char *domain) {
    vb_sha256_begin(s);
    vb_sha256_update(s, domain, strlen(domain));
}

static void digest(const char *domain, const void *bytes, size_t n_bytes,
                   uint8_t out[VB_SHA256_BYTES]) {
    vb_sha256 s;
    begin(&s, domain);
    vb_sha256_update(&s, bytes, n_bytes);
    vb_sha256_end(&s, out);
}

void vb_digest_tokens(const uint32_t *ids, size_t n, uint8_t out[VB_SHA256_BYTES]) {
    uint8_t chunk[1024];
    size_t n_chunk = 0;
    vb_sha256 s;
    begin(&s, "verbatim.tokens.v1\n");
    for (size_t i = 0; i < n; i++) {
        vb_store_u32le(chunk + n_chunk, ids[i]);
        n_chunk += 4;
        if (n_chunk == sizeof chunk) {
            vb_sha256_update(&s, chunk, n_chunk);
            n_chunk = 0;
        }
    }
    vb_sha256_update(&s, chunk, n_chunk);
    vb_sha256_end(&s, out);
}

void vb_digest_text(const char *text, size_t n_bytes, uint8_t out[VB_SHA256_BYTES]) {
    digest("verbatim.text.v1\n", text, n_bytes, out);
}

void vb_digest_template(const char *text, size_t n_bytes, uint8_t out[VB_SHA256_BYTES]) {
    digest("verbatim.template.v1\n", text, n_bytes, out);
}

void vb_digest_request(const void *jcs, size_t n_bytes, uint8_t out[VB_SHA256_BYTES]) {
    digest("verbatim.request.v1\n", jcs, n_bytes, out);
}

void vb_digest_receipt(const void *jcs, size_t n_bytes, uint8_t out[VB_SHA256_BYTES]) {
    digest("verbatim.receipt.v1\n", jcs, n_bytes, out);
}

void vb_digest_abort(const void *jcs, size_t n_bytes, uint8_t out[VB_SHA256_BYTES]) {
    digest("verbatim.abort.v1\n", jcs, n_bytes, out);
}

void vb_seed_from_round(const char *beacon_id, uint64_t round, const uint8_t *randomness,
                        size_t n_randomness, const uint8_t commitment[VB_SHA256_BYTES],
                        uint32_t choice, uint8_t out[VB_SHA256_BYTES]) {
    vb_sha256 s;
    begin(&s, "verbatim.seed.v1\n");
    vb_sha256_update(&s, beacon_id, strlen(beacon_id) + 1); /* with its zero byte */
    vb_sha256_u64be(&s, round);
    vb_sha256_update(&s, randomness, n_randomness);
    vb_sha256_update(&s, commitment, VB_SHA256_BYTES);
    vb_sha256_u32be(&s, choice);
    vb_sha256_end(&s, out);
}

void vb_seed_from_fixed(uint64_t seed, uint32_t choice, uint8_t out[VB_SHA256_BYTES]) {
    vb_sha256 s;
    begin(&s, "verbatim.seed.fixed.v1\n");
    vb_sha256_u64be(&s, seed);
    vb_sha256_u32be(&s, choice);
    vb_sha256_end(&s, out);
}

uint64_t vb_draw_number(const uint8_t seed[VB_SHA256_BYTES], uint64_t t) {
    uint8_t out[VB_SHA256_BYTES];
    vb_sha256 s;
    begin(&s, "verbatim.draw.v1\n");
    vb_sha256_update(&s, seed, VB_SHA256_BYTES);
    vb_sha256_u64be(&s, t);
    vb_sha256_end(&s, out);
    return vb_load_u64be(out);
}
