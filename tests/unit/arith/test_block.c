/*
 * Weight formats: blocks are written bit by bit by an encoder that follows the format tables of
 * spec/arithmetic.md, independently of the decoder, and must come back; plus one block of each
 * family worked out by hand.
 */
#include "support/testing.h"

#include <string.h>

#include "arith/bits.h"
#include "arith/block.h"

typedef struct plain {
    int w[256];
    int sc[16], mn[8]; /* Q*_K */
    uint16_t d, m;     /* binary16 */
} plain;

static const vb_wtype integer_types[] = {VB_Q8_0, VB_Q4_0, VB_Q4_1, VB_Q5_0,
                                         VB_Q5_1, VB_Q4_K, VB_Q5_K, VB_Q6_K};
enum { INTEGER_TYPES = sizeof integer_types / sizeof integer_types[0] };

static void put_u16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

/* Sets n bits of v at bit position pos of the byte string p. */
static void put_bits(uint8_t *p, int pos, int n, int v) {
    for (int i = 0; i < n; i++) {
        p[(pos + i) / 8] |= (uint8_t)((v >> i & 1) << ((pos + i) % 8));
    }
}

static int value_range(vb_wtype type, int *lowest) {
    switch (type) {
    case VB_Q8_0: *lowest = -128; return 256;
    case VB_Q4_0: *lowest = -8; return 16;
    case VB_Q5_0: *lowest = -16; return 32;
    case VB_Q6_K: *lowest = -32; return 64;
    case VB_Q4_1:
    case VB_Q4_K: *lowest = 0; return 16;
    default: *lowest = 0; return 32;
    }
}

static void encode_k_scales(const plain *b, uint8_t *p) {
    for (int j = 0; j < 8; j++) {
        put_bits(p, 8 * (j < 4 ? j : j + 4), j < 4 ? 6 : 4, b->sc[j]);
        put_bits(p, 8 * (j + 4) + (j < 4 ? 0 : 4), j < 4 ? 6 : 4, b->mn[j]);
        if (j >= 4) { /* the upper two bits go above the first four scales and minima */
            put_bits(p, 8 * (j - 4) + 6, 2, b->sc[j] >> 4);
            put_bits(p, 8 * j + 6, 2, b->mn[j] >> 4);
        }
    }
}

static void encode_small(vb_wtype type, const plain *b, uint8_t *p) {
    int lowest;
    (void)value_range(type, &lowest);
    bool has_m = type == VB_Q4_1 || type == VB_Q5_1;
    bool five = type == VB_Q5_0 || type == VB_Q5_1;
    put_u16(p, b->d);
    if (has_m) {
        put_u16(p + 2, b->m);
    }
    uint8_t *rest = p + (has_m ? 4 : 2);
    for (int i = 0; i < 32; i++) {
        if (type == VB_Q8_0) {
            put_bits(rest, 8 * i, 8, b->w[i] & 255);
            continue;
        }
        int q = b->w[i] - lowest;
        if (five) {
            put_bits(rest, i, 1, q >> 4);
        }
        put_bits(rest + (five ? 4 : 0), 8 * (i % 16) + 4 * (i / 16), 4, q);
    }
}

static void encode_large(vb_wtype type, const plain *b, uint8_t *p) {
    if (type == VB_Q6_K) {
        for (int i = 0; i < 256; i++) {
            int q = b->w[i] + 32, half = i / 128, part = i % 128 / 32, at = i % 32;
            put_bits(p, 8 * (64 * half + 32 * (part % 2) + at) + 4 * (part / 2), 4, q);
            put_bits(p, 8 * (128 + 32 * half + at) + 2 * part, 2, q >> 4);
        }
        for (int i = 0; i < 16; i++) {
            put_bits(p, 8 * (192 + i), 8, b->sc[i] & 255);
        }
        put_u16(p + 208, b->d);
        return;
    }
    put_u16(p, b->d);
    put_u16(p + 2, b->m);
    encode_k_scales(b, p + 4);
    uint8_t *qs = p + (type == VB_Q5_K ? 48 : 16);
    for (int i = 0; i < 256; i++) {
        int j = i / 32;
        put_bits(qs, 8 * (32 * (j / 2) + i % 32) + 4 * (j % 2), 4, b->w[i]);
        if (type == VB_Q5_K) {
            put_bits(p + 16, 8 * (i % 32) + j, 1, b->w[i] >> 4);
        }
    }
}

static void random_plain(vb_wtype type, uint64_t *seed, plain *b) {
    int lowest, range = value_range(type, &lowest);
    for (int i = 0; i < 256; i++) {
        b->w[i] = lowest + (int)(vb_test_random(seed) % (unsigned)range);
    }
    for (int i = 0; i < 16; i++) {
        int r = (int)(vb_test_random(seed) % 256);
        b->sc[i] = type == VB_Q6_K ? r - 128 : r % 64;
        b->mn[i % 8] = (int)(vb_test_random(seed) % 64);
    }
    b->d = (uint16_t)(vb_test_random(seed) & 0xbbff); /* finite, either sign */
    b->m = (uint16_t)(vb_test_random(seed) & 0xbbff);
}

static void expect_block(vb_wtype type, const plain *b, int j, const vb_block *got) {
    bool k = type == VB_Q4_K || type == VB_Q5_K;
    bool small_m = type == VB_Q4_1 || type == VB_Q5_1;
    double d = (double)vb_f16_to_f32(b->d), m = (double)vb_f16_to_f32(b->m);
    for (int i = 0; i < 32; i++) {
        assert_int_equal(got->w[i], b->w[32 * j + i]);
    }
    assert_true((double)got->s == (k ? d * b->sc[j] : d));
    assert_int_equal(got->has_m, k || small_m);
    assert_true((double)got->m == (k ? -(m * b->mn[j]) : small_m ? m : 0.0));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(got->sc[i], type == VB_Q6_K ? b->sc[2 * j + i] : 1);
    }
    float values[32];
    vb_block_values(got, values);
    for (int i = 0; i < 32; i++) {
        float v = (got->s * (float)got->sc[i / 16]) * (float)got->w[i];
        if (got->has_m) {
            v = v + got->m;
        }
        assert_int_equal(vb_f32_bits(values[i]), vb_f32_bits(v));
    }
}

static void encoded_blocks_come_back(void **state) {
    (void)state;
    uint64_t seed = 11;
    for (int t = 0; t < INTEGER_TYPES; t++) {
        vb_wtype type = integer_types[t];
        const vb_wtype_info *info = vb_wtype_get(type);
        for (int round = 0; round < 200; round++) {
            uint8_t bytes[2 * 256] = {0};
            plain b;
            random_plain(type, &seed, &b);
            /* The block is the second of its row: the decoder has to step over the first. */
            uint8_t *p = bytes + info->block_bytes;
            memset(bytes, 0xff, info->block_bytes);
            if (info->block_values == 32) {
                encode_small(type, &b, p);
            } else {
                encode_large(type, &b, p);
            }
            int blocks = (int)info->block_values / 32;
            for (int j = 0; j < blocks; j++) {
                vb_block got;
                vb_block_decode(type, bytes, (size_t)(blocks + j), &got);
                expect_block(type, &b, j, &got);
            }
        }
    }
}

static void by_hand(void **state) {
    (void)state;
    vb_block got;
    /* Q4_0: d = 0.5, every byte 0x2f: 15 - 8 = 7 in the first half, 2 - 8 = -6 in the second. */
    uint8_t q4[18] = {0x00, 0x38};
    memset(q4 + 2, 0x2f, 16);
    vb_block_decode(VB_Q4_0, q4, 0, &got);
    assert_true(got.s == 0.5f && !got.has_m);
    assert_int_equal(got.w[0], 7);
    assert_int_equal(got.w[15], 7);
    assert_int_equal(got.w[16], -6);
    /* Q5_1: only bit 31 of the word and value 31's nibble 1: 17; d = 1, m = -2. */
    uint8_t q5[24] = {0x00, 0x3c, 0x00, 0xc0, 0, 0, 0, 0x80};
    q5[23] = 0x10;
    vb_block_decode(VB_Q5_1, q5, 0, &got);
    assert_true(got.s == 1.0f && got.m == -2.0f && got.has_m);
    assert_int_equal(got.w[31], 17);
    assert_int_equal(got.w[30], 0);
    /* Q4_K: scale 5 is lo(p[9]) + 16 (p[1] >> 6), minimum 5 is hi(p[9]) + 16 (p[5] >> 6). */
    uint8_t q4k[144] = {0x00, 0x3c, 0x00, 0x40};
    q4k[4 + 9] = 0xa3;
    q4k[4 + 1] = 0xc0;
    q4k[4 + 5] = 0x40;
    q4k[16 + 64 + 7] = 0x90; /* value 7 of blocks 4 (low) and 5 (high) */
    vb_block_decode(VB_Q4_K, q4k, 5, &got);
    assert_true(got.s == 51.0f && got.m == -(2.0f * 26.0f));
    assert_int_equal(got.w[7], 9);
    vb_block_decode(VB_Q4_K, q4k, 4, &got);
    assert_int_equal(got.w[7], 0);
    /* Q6_K: block 7 is the last quarter of the second half; d = -1, sub-scales -128 and 127. */
    uint8_t q6k[210] = {0};
    q6k[206] = 0x80;
    q6k[207] = 0x7f;
    q6k[208] = 0x00;
    q6k[209] = 0xbc;
    q6k[64 + 32 + 31] = 0xf0; /* ql: high nibble of its last byte */
    q6k[128 + 32 + 31] = 0xc0;
    vb_block_decode(VB_Q6_K, q6k, 7, &got);
    assert_true(got.s == -1.0f);
    assert_int_equal(got.sc[0], -128);
    assert_int_equal(got.sc[1], 127);
    assert_int_equal(got.w[31], 31);
    assert_int_equal(got.w[30], -32);
    float values[32];
    vb_block_values(&got, values);
    assert_true(values[0] == -4096.0f && values[31] == -127.0f * 31.0f);
}

static void rows_of_floats(void **state) {
    (void)state;
    const uint8_t f32[8] = {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0};
    const uint8_t f16[4] = {0x00, 0x3c, 0x01, 0x80};
    const uint8_t bf16[4] = {0x80, 0x3f, 0x20, 0xc1};
    float out[2];
    vb_row_values(VB_F32, f32, 2, out);
    assert_true(out[0] == 1.0f && out[1] == -2.0f);
    vb_row_values(VB_F16, f16, 2, out);
    assert_true(out[0] == 1.0f && out[1] == -0x1p-24f);
    vb_row_values(VB_BF16, bf16, 2, out);
    assert_true(out[0] == 1.0f && out[1] == -10.0f);
}

static void sizes(void **state) {
    (void)state;
    size_t bytes = 7;
    assert_true(vb_wtype_row_bytes(VB_Q6_K, 512, &bytes));
    assert_int_equal(bytes, 420);
    assert_false(vb_wtype_row_bytes(VB_Q6_K, 480, &bytes));
    assert_false(vb_wtype_row_bytes(VB_F32, SIZE_MAX / 2, &bytes));
    assert_false(vb_wtype_row_bytes(5, 32, &bytes));
    assert_int_equal(bytes, 420);
    assert_true(vb_wtype_row_bytes(VB_BF16, 0, &bytes));
    assert_int_equal(bytes, 0);
    assert_true(vb_wtype_computes(VB_Q4_1) && vb_wtype_computes(VB_BF16));
    assert_false(vb_wtype_computes(VB_Q2_K) || vb_wtype_computes(VB_Q3_K) || vb_wtype_computes(99));
    vb_wtype type;
    assert_true(vb_wtype_by_name("q4_k", &type) && type == VB_Q4_K);
    assert_false(vb_wtype_by_name("q4", &type));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoded_blocks_come_back),
        cmocka_unit_test(by_hand),
        cmocka_unit_test(rows_of_floats),
        cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
