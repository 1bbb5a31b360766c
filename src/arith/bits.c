#include "arith/bits.h"

uint16_t vb_f32_to_f16(float x) {
    uint32_t bits = vb_f32_bits(x);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {
        return (uint16_t)(sign | 0x7e00u);
    }
    if (magnitude >= 0x477ff000u) { /* 65520: halfway between the largest binary16 and 2^16 */
        return (uint16_t)(sign | 0x7c00u);
    }
    if (magnitude < 0x33000001u) { /* 2^-25 or less: halfway to the smallest, ties to zero */
        return sign;
    }
    /* Significand with its hidden bit, and how many low bits the result drops. */
    uint32_t exponent = magnitude >> 23;
    uint32_t significand = (magnitude & 0x7fffffu) | 0x800000u;
    uint32_t drop = exponent < 113u ? 126u - exponent : 13u;
    uint32_t kept = significand >> drop;
    uint32_t rest = significand & ((1u << drop) - 1u);
    uint32_t half = 1u << (drop - 1u);
    kept += rest > half || (rest == half && (kept & 1u));
    if (exponent < 113u) {
        return (uint16_t)(sign | kept); /* a carry into bit 10 is the smallest normal value */
    }
    /* kept holds the hidden bit, 0x400, or carried to 0x800; both add up to the right exponent. */
    return (uint16_t)(sign | (((exponent - 113u) << 10) + kept));
}
