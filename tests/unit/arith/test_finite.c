/* Finite weights: every format, every field that can be non-finite, at every position. */
#include "support/testing.h"

#include <stdlib.h>
#include <string.h>

#include "arith/check.h"

static void put_u16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void expect(vb_wtype type, uint8_t *field, uint16_t bad, const uint8_t *src, size_t n,
                   size_t at) {
    uint8_t old[2] = {field[0], field[1]};
    size_t found = SIZE_MAX;
    put_u16(field, bad);
    assert_false(vb_weights_finite(type, src, n, &found));
    assert_int_equal(found, at);
    assert_false(vb_weights_finite(type, src, n, NULL));
    field[0] = old[0];
    field[1] = old[1];
}

static void every_field(void **state) {
    (void)state;
    static const struct {
        vb_wtype type;
        size_t fields[2]; /* offset of each 16-bit piece that decides */
        uint16_t largest, infinite;
    } cases[] = {
        {VB_F32, {2, 2}, 0x7f7f, 0x7f80},      {VB_F16, {0, 0}, 0x7bff, 0x7c00},
        {VB_BF16, {0, 0}, 0x7f7f, 0x7f80},     {VB_Q4_0, {0, 0}, 0x7bff, 0x7c00},
        {VB_Q4_1, {0, 2}, 0x7bff, 0x7c00},     {VB_Q5_0, {0, 0}, 0x7bff, 0x7c00},
        {VB_Q5_1, {0, 2}, 0x7bff, 0x7c00},     {VB_Q8_0, {0, 0}, 0x7bff, 0x7c00},
        {VB_Q4_K, {0, 2}, 0x7bff, 0x7c00},     {VB_Q5_K, {0, 2}, 0x7bff, 0x7c00},
        {VB_Q6_K, {208, 208}, 0x7bff, 0x7c00},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        const vb_wtype_info *info = vb_wtype_get(cases[c].type);
        const size_t blocks = 4096 + 77, n = blocks * info->block_values;
        uint8_t *src = malloc(blocks * info->block_bytes);
        assert_non_null(src);
        /* All bits set but the fields: integers never make a block non-finite. */
        memset(src, 0xff, blocks * info->block_bytes);
        for (size_t b = 0; b < blocks; b++) {
            for (int f = 0; f < 2; f++) {
                uint16_t sign = b & 1 ? 0x8000 : 0;
                put_u16(src + b * info->block_bytes + cases[c].fields[f], cases[c].largest | sign);
            }
        }
        assert_true(vb_weights_finite(cases[c].type, src, n, NULL));
        assert_true(vb_weights_finite(cases[c].type, src, 0, NULL));
        const size_t places[] = {0, 1, 4095, 4096, blocks - 1};
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
            uint8_t *block = src + places[i] * info->block_bytes;
            size_t at = places[i] * info->block_values;
            for (int f = 0; f < 2; f++) {
                uint8_t *field = block + cases[c].fields[f];
                expect(cases[c].type, field, cases[c].infinite, src, n, at);
                expect(cases[c].type, field, cases[c].infinite | 0x8000, src, n, at);
                expect(cases[c].type, field, cases[c].infinite | 1, src, n, at);
                expect(cases[c].type, field, 0xffff, src, n, at);
            }
            if (places[i] > 0) { /* what lies behind the range is not looked at */
                uint8_t *field = block + cases[c].fields[0];
                uint8_t old = field[1];
                field[1] = 0x7f;
                field[0] = 0xff;
                assert_true(vb_weights_finite(cases[c].type, src, at, NULL));
                put_u16(field, cases[c].largest);
                field[1] = old;
            }
        }
        free(src);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_field)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
