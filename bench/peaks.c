/* Loops that keep every execution unit of one kind busy. */
#include "peaks.h"

#include <string.h>

enum { CHAINS = VB_PEAK_CHAINS, ROUNDS = VB_PEAK_ROUNDS };

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx2,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

AVX512 static int64_t int8_avx512vnni(void) {
    __m512i sum[CHAINS], w = _mm512_set1_epi8(3), q = _mm512_set1_epi8(-5);
    UNROLL for (int i = 0; i < CHAINS; i++) {
        sum[i] = _mm512_set1_epi32(i);
    }
    for (int n = 0; n < ROUNDS; n++) {
        UNROLL for (int i = 0; i < CHAINS; i++) {
            sum[i] = _mm512_dpbusd_epi32(sum[i], w, q);
        }
    }
    for (int i = 1; i < CHAINS; i++) {
        sum[0] = _mm512_xor_si512(sum[0], sum[i]);
    }
    return _mm_cvtsi128_si64(_mm512_castsi512_si128(sum[0]));
}

AVX512 static float f32_avx512vnni(void) {
    __m512 sum[CHAINS], a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(1.0f);
    UNROLL for (int i = 0; i < CHAINS; i++) {
        sum[i] = _mm512_set1_ps((float)i);
    }
    for (int n = 0; n < ROUNDS; n++) {
        UNROLL for (int i = 0; i < CHAINS; i++) {
            sum[i] = _mm512_add_ps(_mm512_mul_ps(sum[i], a), b);
        }
    }
    for (int i = 1; i < CHAINS; i++) {
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    }
    return _mm512_cvtss_f32(sum[0]);
}

/* Bytes to 32-bit sums takes three instructions here; q varies so that none is moved out. */
AVX2 static int64_t int8_avx2(void) {
    __m256i sum[CHAINS], w = _mm256_set1_epi8(3), one = _mm256_set1_epi16(1);
    UNROLL for (int i = 0; i < CHAINS; i++) {
        sum[i] = _mm256_set1_epi32(i);
    }
    for (int n = 0; n < ROUNDS; n++) {
        UNROLL for (int i = 0; i < CHAINS; i++) {
            __m256i pairs = _mm256_maddubs_epi16(w, sum[i]);
            sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(pairs, one));
        }
    }
    for (int i = 1; i < CHAINS; i++) {
        sum[0] = _mm256_xor_si256(sum[0], sum[i]);
    }
    return _mm_cvtsi128_si64(_mm256_castsi256_si128(sum[0]));
}

AVX2 static float f32_avx2(void) {
    __m256 sum[CHAINS], a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps(1.0f);
    UNROLL for (int i = 0; i < CHAINS; i++) {
        sum[i] = _mm256_set1_ps((float)i);
    }
    for (int n = 0; n < ROUNDS; n++) {
        UNROLL for (int i = 0; i < CHAINS; i++) {
            sum[i] = _mm256_add_ps(_mm256_mul_ps(sum[i], a), b);
        }
    }
    for (int i = 1; i < CHAINS; i++) {
        sum[0] = _mm256_add_ps(sum[0], sum[i]);
    }
    return _mm256_cvtss_f32(sum[0]);
}

AVX2 static uint64_t read_avx2(const uint8_t *p, size_t n) {
    __m256i sum[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                      _mm256_setzero_si256()};
    for (size_t at = 0; at < n; at += 128) {
        UNROLL for (int i = 0; i < 4; i++) {
            const __m256i *from = (const __m256i *)(const void *)(p + at + 32 * i);
            sum[i] = _mm256_add_epi64(sum[i], _mm256_loadu_si256(from));
        }
    }
    sum[0] = _mm256_add_epi64(_mm256_add_epi64(sum[0], sum[1]), _mm256_add_epi64(sum[2], sum[3]));
    return (uint64_t)_mm_cvtsi128_si64(_mm256_castsi256_si128(sum[0]));
}

static const vb_peak peaks[] = {
    {"avx512vnni", 64.0 * CHAINS *ROUNDS, 16.0 * CHAINS *ROUNDS, int8_avx512vnni, f32_avx512vnni},
    {"avx2", 32.0 * CHAINS *ROUNDS, 8.0 * CHAINS *ROUNDS, int8_avx2, f32_avx2},
};

#elif defined(__aarch64__)
#include <arm_neon.h>

static int64_t int8_neon(void) {
    int32x4_t sum[CHAINS];
    for (int i = 0; i < CHAINS; i++) {
        sum[i] = vdupq_n_s32(i);
    }
    for (int n = 0; n < ROUNDS; n++) {
        for (int i = 0; i < CHAINS; i++) {
            int8x16_t q = vreinterpretq_s8_s32(sum[i]);
            int16x8_t pairs = vmull_s8(vget_low_s8(q), vdup_n_s8(3));
            sum[i] = vpadalq_s16(sum[i], vmlal_high_s8(pairs, q, vdupq_n_s8(3)));
        }
    }
    int64_t all = 0;
    for (int i = 0; i < CHAINS; i++) {
        all += vgetq_lane_s32(sum[i], 0);
    }
    return all;
}

static float f32_neon(void) {
    float32x4_t sum[CHAINS], a = vdupq_n_f32(0.5f), b = vdupq_n_f32(1.0f);
    for (int i = 0; i < CHAINS; i++) {
        sum[i] = vdupq_n_f32((float)i);
    }
    for (int n = 0; n < ROUNDS; n++) {
        for (int i = 0; i < CHAINS; i++) {
            sum[i] = vaddq_f32(vmulq_f32(sum[i], a), b);
        }
    }
    float all = 0;
    for (int i = 0; i < CHAINS; i++) {
        all += vgetq_lane_f32(sum[i], 0);
    }
    return all;
}

static const vb_peak peaks[] = {
    {"neon", 16.0 * CHAINS *ROUNDS, 4.0 * CHAINS *ROUNDS, int8_neon, f32_neon},
    {"neondot", 16.0 * CHAINS *ROUNDS, 4.0 * CHAINS *ROUNDS, vb_peak_int8_neondot, f32_neon},
};

#else
static const vb_peak peaks[] = {{"", 0, 0, NULL, NULL}};
#endif

const vb_peak *vb_peak_of(const char *tier) {
    for (size_t i = 0; i < sizeof peaks / sizeof peaks[0]; i++) {
        if (strcmp(tier, peaks[i].tier) == 0) {
            return &peaks[i];
        }
    }
    return NULL;
}

uint64_t vb_peak_read(const uint8_t *p, size_t n) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        return read_avx2(p, n);
    }
#endif
    uint64_t sum[8] = {0};
    for (size_t at = 0; at < n; at += sizeof sum) {
        uint64_t v[8];
        memcpy(v, p + at, sizeof v);
        for (int i = 0; i < 8; i++) {
            sum[i] += v[i];
        }
    }
    return sum[0] ^ sum[1] ^ sum[2] ^ sum[3] ^ sum[4] ^ sum[5] ^ sum[6] ^ sum[7];
}
