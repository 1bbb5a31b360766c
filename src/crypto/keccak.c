#include "crypto/keccak.h"

#include <string.h>

#include "base/bytes.h"

/* 1600 bits of state less twice 256 bits of capacity. */
enum { LANES = 25, ROUNDS = 24, RATE_BYTES = 136, LANE_BYTES = 8 };

/* The constants of iota (FIPS 202, 3.2.5). */
static const uint64_t round_constants[ROUNDS] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008};

/* Rho and pi move lane (1, 0) along a cycle through every lane but (0, 0): the t-th step takes it
 * to lane pi_lanes[t], turned by (t + 1)(t + 2) / 2 bits (FIPS 202, 3.2.2 and 3.2.3). */
static const uint8_t pi_lanes[LANES - 1] = {10, 7,  11, 17, 18, 3, 5,  16, 8,  21, 24, 4,
                                            15, 23, 19, 13, 12, 2, 20, 14, 22, 9,  6,  1};

static uint64_t rotate_left(uint64_t v, unsigned bits) {
    return v << (bits & 63) | v >> (-bits & 63);
}

/* Lane (x, y) of the specification is a[5 * y + x]. */
static void permute(uint64_t a[LANES]) {
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t column[5];
        for (unsigned x = 0; x < 5; x++) {
            column[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
        }
        for (unsigned i = 0; i < LANES; i++) {
            a[i] ^= column[(i + 4) % 5] ^ rotate_left(column[(i + 1) % 5], 1);
        }
        uint64_t moving = a[1];
        for (unsigned t = 0; t < LANES - 1; t++) {
            uint64_t next = a[pi_lanes[t]];
            a[pi_lanes[t]] = rotate_left(moving, (t + 1) * (t + 2) / 2);
            moving = next;
        }
        for (unsigned y = 0; y < LANES; y += 5) {
            uint64_t row[5];
            memcpy(row, a + y, sizeof row);
            for (unsigned x = 0; x < 5; x++) {
                a[y + x] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]);
            }
        }
        a[0] ^= round_constants[round];
    }
}

static void absorb(uint64_t a[LANES], const uint8_t block[RATE_BYTES]) {
    for (size_t i = 0; i < RATE_BYTES / LANE_BYTES; i++) {
        a[i] ^= vb_load_u64le(block + i * LANE_BYTES);
    }
    permute(a);
}

void vb_keccak256(const void *bytes, size_t n, uint8_t out[VB_KECCAK256_BYTES]) {
    uint64_t a[LANES] = {0};
    uint8_t last[RATE_BYTES] = {0};
    const uint8_t *p = bytes;
    for (; n >= RATE_BYTES; n -= RATE_BYTES, p += RATE_BYTES) {
        absorb(a, p);
    }
    if (n) {
        memcpy(last, p, n);
    }
    last[n] = 0x01;
    last[RATE_BYTES - 1] |= 0x80; /* the same byte when one byte is left */
    absorb(a, last);
    for (size_t i = 0; i < VB_KECCAK256_BYTES / LANE_BYTES; i++) {
        vb_store_u32le(out + i * LANE_BYTES, (uint32_t)a[i]);
        vb_store_u32le(out + i * LANE_BYTES + 4, (uint32_t)(a[i] >> 32));
    }
}
