/*
 * Digests of exp and SiLU over their inputs, in the form of spec/vectors/exp_silu.digests
 * (spec/arithmetic.md section 9). Needs nothing but libc, so it runs on any machine.
 *
 *     exp_silu_digests [STRIDE]    every STRIDE-th block of 2^24 inputs; 1, all, by default
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "arith/exp.h"

enum { BATCH = 4096 };
#define BLOCK_INPUTS (UINT32_C(1) << 24)

static uint32_t canonical(float y) {
    uint32_t bits = vb_f32_bits(y);
    return (bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc00000u : bits;
}

static void exp_batch(uint32_t first, uint32_t *bits) {
    for (uint32_t i = 0; i < BATCH; i++) {
        bits[i] = canonical(vb_exp(vb_f32_from_bits(first + i)));
    }
}

static void silu_batch(uint32_t first, uint32_t *bits) {
    for (uint32_t i = 0; i < BATCH; i++) {
        bits[i] = canonical(vb_silu(vb_f32_from_bits(first + i)));
    }
}

static void print_digest(const char *name, void (*batch)(uint32_t, uint32_t *), uint32_t block) {
    static uint32_t bits[BATCH];
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (uint32_t at = 0; at < BLOCK_INPUTS; at += BATCH) {
        batch((block << 24) + at, bits);
        for (uint32_t i = 0; i < BATCH; i++) {
            h = (h ^ bits[i]) * UINT64_C(0x100000001b3);
        }
    }
    printf("%s %02" PRIx32 " %016" PRIx64 "\n", name, block, h);
}

int main(int argc, char **argv) {
    long stride = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
    if (argc > 2 || stride < 1 || stride > 256) {
        fprintf(stderr, "usage: exp_silu_digests [STRIDE, 1 to 256]\n");
        return 2;
    }
    for (uint32_t block = 0; block < 256; block += (uint32_t)stride) {
        print_digest("exp", exp_batch, block);
        print_digest("silu", silu_batch, block);
    }
    return ferror(stdout) || fflush(stdout) != 0;
}
