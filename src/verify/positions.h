/*
 * Which output positions level `sample` draws again (spec/receipt.md section 4): k of n, uniformly,
 * without repetition, from a seed that the verifier made after it had the receipt. Whoever knows
 * the seed before the receipt is signed can forge where nobody looks.
 *
 * Position after position is taken with probability (still wanted) / (still to come), which makes
 * every set of k equally likely, in ascending order and without memory. The numbers are SHA-256 in
 * counter mode: block i, from 0, is SHA-256("verbatim.sample.v1\n" | seed | u64be i), each four
 * numbers of 64 bits, big-endian; one at or above the largest multiple of its range is passed over,
 * so that no remainder is favoured. Pure.
 *
 * Owner: caller's memory; nothing to free. Thread rule: one thread at a time.
 */
#ifndef VB_VERIFY_POSITIONS_H
#define VB_VERIFY_POSITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/sha256.h"

enum { VB_POSITIONS_SEED_BYTES = 32 };

typedef struct vb_positions {
    uint8_t seed[VB_POSITIONS_SEED_BYTES];
    uint64_t n_blocks; /* made so far */
    uint8_t block[VB_SHA256_BYTES];
    size_t used;            /* bytes of block */
    uint64_t wanted, ahead; /* positions still to take, of those still to come */
} vb_positions;

/* k of n; all of them when k >= n. */
void vb_positions_begin(vb_positions *p, const uint8_t seed[VB_POSITIONS_SEED_BYTES], uint64_t k,
                        uint64_t n);

/* Whether the next position is taken; to be called n times. */
bool vb_positions_next(vb_positions *p);

#endif
