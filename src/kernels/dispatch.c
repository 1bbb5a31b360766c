/*
 * Which tiers this build has and this processor can run. A tier needs its instructions and,
 * on x86, an operating system that saves the registers they use (CPUID and XCR0).
 */
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/scalar/scalar.h"

#if defined(__x86_64__)
#include <cpuid.h>

#include "kernels/x86/x86.h"
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#include "kernels/arm/arm.h"
#endif

/* A tier, and what the processor lacks for it: NULL when it can run. */
typedef struct tier {
    const vb_kernels *kernels;
    const char *(*missing)(void);
} tier;

static const char *nothing(void) {
    return NULL;
}

#if defined(__x86_64__)

typedef struct cpu {
    uint32_t max_leaf;
    uint32_t ecx1;        /* leaf 1 */
    uint32_t ebx7, ecx7;  /* leaf 7, subleaf 0 */
    uint32_t saved_state; /* low half of XCR0; 0 when the system does not use XSAVE */
} cpu;

/* XGETBV as an instruction's bytes would be opaque, and its intrinsic needs -mxsave. */
static uint32_t read_xcr0(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static cpu read_cpu(void) {
    enum { OSXSAVE = 1 << 27 };
    cpu c = {0};
    uint32_t eax, ebx, ecx, edx;
    c.max_leaf = __get_cpuid_max(0, NULL);
    if (c.max_leaf >= 1) {
        __cpuid(1, eax, ebx, ecx, edx);
        c.ecx1 = ecx;
    }
    if (c.max_leaf >= 7) {
        __cpuid_count(7, 0, eax, ebx, ecx, edx);
        c.ebx7 = ebx;
        c.ecx7 = ecx;
    }
    if (c.ecx1 & OSXSAVE) {
        c.saved_state = read_xcr0();
    }
    return c;
}

static const char *missing_avx2(void) {
    enum { F16C = 1 << 29, AVX2 = 1 << 5, BMI2 = 1 << 8, YMM = 0x6 };
    cpu c = read_cpu();
    return (c.saved_state & YMM) != YMM ? "YMM registers saved by the system"
           : !(c.ebx7 & AVX2)           ? "AVX2"
           : !(c.ecx1 & F16C)           ? "F16C"
           : !(c.ebx7 & BMI2)           ? "BMI2"
                                        : NULL;
}

static const char *missing_avx512vnni(void) {
    enum { F = 1 << 16, DQ = 1 << 17, BW = 1 << 30, VNNI = 1 << 11, ZMM = 0xe6 };
    const uint32_t vl = UINT32_C(1) << 31;
    const char *missing = missing_avx2();
    cpu c = read_cpu();
    return missing                        ? missing
           : (c.saved_state & ZMM) != ZMM ? "ZMM and opmask registers saved by the system"
           : !(c.ebx7 & F)                ? "AVX512F"
           : !(c.ebx7 & BW)               ? "AVX512BW"
           : !(c.ebx7 & DQ)               ? "AVX512DQ"
           : !(c.ebx7 & vl)               ? "AVX512VL"
           : !(c.ecx7 & VNNI)             ? "AVX512_VNNI"
                                          : NULL;
}

#elif defined(__aarch64__) && defined(__AARCH64EL__)

static const char *missing_dotprod(void) {
    return vb_arm_has_dotprod() ? NULL : "the dot product instructions (asimddp)";
}

#endif

/* Slowest first. */
static const tier tiers[] = {
    {&vb_kernels_scalar, nothing},
#if defined(__x86_64__)
    {&vb_kernels_avx2, missing_avx2},
    {&vb_kernels_avx512vnni, missing_avx512vnni},
#elif defined(__aarch64__) && defined(__AARCH64EL__)
    {&vb_kernels_neon, nothing},
    {&vb_kernels_neondot, missing_dotprod},
#endif
};

enum { TIERS = sizeof tiers / sizeof tiers[0] };

size_t vb_kernels_list(const vb_kernels **out, size_t max) {
    size_t n = 0;
    for (size_t i = 0; i < TIERS && n < max; i++) {
        if (!tiers[i].missing()) {
            out[n++] = tiers[i].kernels;
        }
    }
    return n;
}

vb_err vb_kernels_select(const char *name, const vb_kernels **out, vb_error *e) {
    if (!name || strcmp(name, "auto") == 0) {
        const vb_kernels *usable[TIERS];
        *out = usable[vb_kernels_list(usable, TIERS) - 1];
        return VB_OK;
    }
    for (size_t i = 0; i < TIERS; i++) {
        if (strcmp(name, tiers[i].kernels->name) == 0) {
            const char *missing = tiers[i].missing();
            if (missing) {
                return vb_fail(e, VB_EUNSUPPORTED, "tier %s: this processor lacks %s", name,
                               missing);
            }
            *out = tiers[i].kernels;
            return VB_OK;
        }
    }
    return vb_fail(e, VB_EINVAL, "tier %s: not in this build", name);
}
