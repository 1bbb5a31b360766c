/*
 * Keccak-256 against the text of FIPS 202: a sponge of single bits, with the constants of its steps
 * computed as section 3.2 defines them. Of each input also the parts that end around the edges of a
 * block are hashed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/keccak.h"

enum { LANE_BITS = 64, ROUNDS = 24, RATE_BYTES = 136, INPUT_BYTES_MAX = 1024 };

typedef uint8_t bits[5][5][LANE_BITS]; /* one bit a byte, at [x][y][z] */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void theta(bits a) {
    uint8_t c[5][LANE_BITS];
    for (int x = 0; x < 5; x++) {
        for (int z = 0; z < LANE_BITS; z++) {
            c[x][z] = a[x][0][z] ^ a[x][1][z] ^ a[x][2][z] ^ a[x][3][z] ^ a[x][4][z];
        }
    }
    for (int x = 0; x < 5; x++) {
        for (int y = 0; y < 5; y++) {
            for (int z = 0; z < LANE_BITS; z++) {
                a[x][y][z] ^= c[(x + 4) % 5][z] ^ c[(x + 1) % 5][(z + LANE_BITS - 1) % LANE_BITS];
            }
        }
    }
}

static void rho(bits a) {
    int x = 1, y = 0;
    for (int t = 0; t < 24; t++) {
        uint8_t turned[LANE_BITS];
        for (int z = 0; z < LANE_BITS; z++) {
            turned[(z + (t + 1) * (t + 2) / 2) % LANE_BITS] = a[x][y][z];
        }
        memcpy(a[x][y], turned, sizeof turned);
        int next_y = (2 * x + 3 * y) % 5;
        x = y;
        y = next_y;
    }
}

static void pi(bits a) {
    bits from;
    memcpy(from, a, sizeof from);
    for (int x = 0; x < 5; x++) {
        for (int y = 0; y < 5; y++) {
            memcpy(a[x][y], from[(x + 3 * y) % 5][x], LANE_BITS);
        }
    }
}

static void chi(bits a) {
    bits from;
    memcpy(from, a, sizeof from);
    for (int x = 0; x < 5; x++) {
        for (int y = 0; y < 5; y++) {
            for (int z = 0; z < LANE_BITS; z++) {
                a[x][y][z] ^= (from[(x + 1) % 5][y][z] ^ 1) & from[(x + 2) % 5][y][z];
            }
        }
    }
}

/* rc(t): the shift register of x^8 + x^6 + x^5 + x^4 + 1. */
static uint8_t rc(int t) {
    unsigned r = 1;
    for (int i = 0; i < t % 255; i++) {
        r <<= 1;
        r ^= r & 0x100 ? 0x171 : 0;
    }
    return r & 1;
}

static void iota(bits a, int round) {
    for (int j = 0; j <= 6; j++) {
        a[0][0][(1 << j) - 1] ^= rc(j + 7 * round);
    }
}

/* Bit i of the sponge's state stands at lane i / 64, which is x + 5 * y. */
static uint8_t *bit_at(bits a, size_t i) {
    size_t lane = i / LANE_BITS;
    return &a[lane % 5][lane / 5][i % LANE_BITS];
}

static void defined(const uint8_t *message, size_t n, uint8_t out[VB_KECCAK256_BYTES]) {
    bits a = {{{0}}};
    uint8_t padded[INPUT_BYTES_MAX + RATE_BYTES] = {0};
    size_t n_padded = (n / RATE_BYTES + 1) * RATE_BYTES;
    memcpy(padded, message, n);
    padded[n] |= 0x01;
    padded[n_padded - 1] |= 0x80;
    for (size_t at = 0; at < n_padded; at += RATE_BYTES) {
        for (size_t i = 0; i < 8 * RATE_BYTES; i++) {
            *bit_at(a, i) ^= padded[at + i / 8] >> i % 8 & 1;
        }
        for (int round = 0; round < ROUNDS; round++) {
            theta(a);
            rho(a);
            pi(a);
            chi(a);
            iota(a, round);
        }
    }
    memset(out, 0, VB_KECCAK256_BYTES);
    for (size_t i = 0; i < 8 * VB_KECCAK256_BYTES; i++) {
        out[i / 8] |= (uint8_t)(*bit_at(a, i) << i % 8);
    }
}

static void compare(const uint8_t *message, size_t n) {
    uint8_t expected[VB_KECCAK256_BYTES], found[VB_KECCAK256_BYTES];
    defined(message, n, expected);
    vb_keccak256(message, n, found);
    if (memcmp(expected, found, sizeof found) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > INPUT_BYTES_MAX) {
        return 0;
    }
    compare(data, size);
    for (size_t edge = RATE_BYTES; edge <= size; edge += RATE_BYTES) {
        compare(data, edge - 1);
        compare(data, edge);
        if (edge < size) {
            compare(data, edge + 1);
        }
    }
    return 0;
}
