/*
 * Digests of everything a tier computes, to compare machines: runs each function of kernels.h,
 * for each weight format, over fixed inputs (splitmix64; odd sizes, tails, subnormals, -0,
 * extremes) and prints one line for each with the FNV-1a digest of the output bits, taken
 * least significant byte first; buffers end at unreadable pages. Two tiers are equal when the lines
 * are, on any processor.
 *
 *   kernel_digest --list             the tiers that this processor can run
 *   kernel_digest --selftest TIER    vb_kernels_selftest: exit 0 when it passes
 *   kernel_digest TIER               the digests
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels/kernels.h"

enum { TIERS_MAX = 16, MAPPINGS_MAX = 64 };

/* ---- memory, random inputs, digest ---- */

/* Every buffer ends where an unreadable page begins, so that a kernel that reads or writes past
 * the end stops the program. */
static struct mapping {
    void *p; /* NULL: free entry */
    char *base;
    size_t len;
} mappings[MAPPINGS_MAX];

static void *alloc_bytes(size_t n, size_t align) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (n + align - 1) / align * align;
    const size_t len = (size + page - 1) / page * page + page;
    for (size_t i = 0; i < MAPPINGS_MAX; i++) {
        struct mapping *m = &mappings[i];
        if (m->p) {
            continue;
        }
        m->base = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (m->base == MAP_FAILED || mprotect(m->base + len - page, page, PROT_NONE) != 0) {
            break;
        }
        m->len = len;
        m->p = m->base + len - page - size;
        return m->p;
    }
    fprintf(stderr, "kernel_digest: out of memory\n");
    exit(1);
}

static void release(const void *p) {
    for (size_t i = 0; i < MAPPINGS_MAX; i++) {
        if (mappings[i].p == p) {
            munmap(mappings[i].base, mappings[i].len);
            mappings[i].p = NULL;
            return;
        }
    }
}

static float *alloc_floats(size_t n) {
    return alloc_bytes(n * sizeof(float), sizeof(float));
}

static uint64_t next_random(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Mostly values of ordinary size; some zeros of both signs, subnormals, tiny and large values. */
static float random_float(uint64_t *state) {
    const uint64_t r = next_random(state);
    const uint32_t sign = (uint32_t)(r >> 63) << 31, mantissa = (uint32_t)(r >> 8) & 0x7fffffu;
    switch (r & 63) {
    case 0: return float_of(sign);
    case 1: return float_of(sign | mantissa);
    case 2: return float_of(sign | (uint32_t)(r >> 40) % 30u << 23 | mantissa);
    case 3: return float_of(sign | (127u + 16u) << 23 | mantissa);
    default: return float_of(sign | (119u + (uint32_t)(r >> 40) % 10u) << 23 | mantissa);
    }
}

static void random_floats(uint64_t *state, float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] = random_float(state);
    }
}

/* A finite binary16 bit pattern below 2^-2, at times a subnormal or zero of either sign. */
static uint16_t random_f16(uint64_t *state) {
    const uint64_t r = next_random(state);
    const uint16_t sign = (uint16_t)(r >> 63 << 15), mantissa = (uint16_t)((r >> 8) & 0x3ff);
    if ((r & 31) == 0) {
        return sign;
    }
    return (uint16_t)(sign | (r >> 32) % 13u << 10 | mantissa);
}

typedef struct digest {
    uint64_t h;
} digest;

static digest digest_start(void) {
    return (digest){0xcbf29ce484222325u};
}

static void digest_u64(digest *d, uint64_t v, int n_bytes) {
    for (int i = 0; i < n_bytes; i++) {
        d->h = (d->h ^ (v & 0xff)) * 0x100000001b3u;
        v >>= 8;
    }
}

static void digest_floats(digest *d, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        if ((bits & 0x7fffffffu) > 0x7f800000u) {
            fprintf(stderr, "kernel_digest: a NaN in the results; inputs must not lead to one\n");
            exit(1);
        }
        digest_u64(d, bits, 4);
    }
}

static void digest_print(const digest *d, const char *function, const char *variant) {
    printf("%s%s%s %016llx\n", function, *variant ? "/" : "", variant, (unsigned long long)d->h);
}

/* ---- products ---- */

static void put_u16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

/* One block of a weight row as a file has it: random bytes, finite scales. */
static void random_block(uint64_t *state, vb_wtype type, uint8_t *block) {
    const size_t n = vb_wtype_get(type)->block_bytes;
    for (size_t i = 0; i < n; i++) {
        const uint64_t r = next_random(state);
        block[i] = (uint8_t)(r >> 8);
        if ((r & 15) == 0) { /* the ends of the range, often enough to fill whole sums */
            block[i] = (r & 16) ? 0xff : 0x80;
        }
    }
    switch (type) {
    case VB_F32: {
        const float f = random_float(state);
        uint32_t bits;
        memcpy(&bits, &f, sizeof bits);
        put_u16(block, (uint16_t)bits);
        put_u16(block + 2, (uint16_t)(bits >> 16));
        break;
    }
    case VB_BF16: {
        const float f = random_float(state);
        uint32_t bits;
        memcpy(&bits, &f, sizeof bits);
        put_u16(block, (uint16_t)(bits >> 16));
        break;
    }
    case VB_Q6_K: put_u16(block + 208, random_f16(state)); break;
    case VB_Q4_1:
    case VB_Q5_1:
    case VB_Q4_K:
    case VB_Q5_K: put_u16(block + 2, random_f16(state)); /* fall through */
    default: put_u16(block, random_f16(state)); break;
    }
}

/* A packed matrix of random weights; ranges of rows are packed by separate calls. */
static vb_matrix random_matrix(const vb_kernels *k, uint64_t *state, vb_wtype type, size_t rows,
                               size_t cols) {
    const vb_wtype_info *info = vb_wtype_get(type);
    const size_t row_blocks = cols / info->block_values, row_bytes = row_blocks * info->block_bytes;
    uint8_t *file = alloc_bytes(rows * row_bytes, 1);
    for (size_t i = 0; i < rows * row_blocks; i++) {
        random_block(state, type, file + i * info->block_bytes);
    }
    vb_matrix m = {.k = k, .type = type, .rows = rows, .cols = cols};
    const size_t bytes = k->pack_bytes(type, rows, cols);
    m.data = alloc_bytes(bytes, 64);
    memset(m.data, 0xa5, bytes);
    for (size_t r = 0; r < rows; r += VB_ROW_TILE) {
        k->pack(&m, file + r * row_bytes, r, r + VB_ROW_TILE < rows ? r + VB_ROW_TILE : rows);
    }
    release(file);
    return m;
}

/* Activations, quantised by the tier itself when the columns allow it. */
typedef struct activations {
    vb_act act;
    float *x, *d, *du;
    int8_t *q;
    int32_t *u, *u_lo;
} activations;

static activations random_activations(const vb_kernels *k, uint64_t *state, size_t rows,
                                      size_t cols) {
    const size_t blocks = cols / VB_BLOCK;
    activations a = {.x = alloc_floats(rows * cols),
                     .d = alloc_floats(rows * blocks),
                     .du = alloc_floats(rows * blocks),
                     .q = alloc_bytes(rows * cols, 1),
                     .u = alloc_bytes(rows * blocks * sizeof(int32_t), 4),
                     .u_lo = alloc_bytes(rows * blocks * sizeof(int32_t), 4)};
    random_floats(state, a.x, rows * cols);
    for (size_t b = 0; b + 3 < rows * blocks; b += 5) { /* some blocks of full swing */
        for (size_t i = 0; i < VB_BLOCK; i++) {
            a.x[b * VB_BLOCK + i] = b % 2 ? 0.75f : i % 2 ? -3.0f : 3.0f;
        }
    }
    for (size_t r = 0; r < rows && cols % VB_BLOCK == 0; r++) {
        if (!k->quantize(a.x + r * cols, cols, a.q + r * cols, a.d + r * blocks, a.u + r * blocks,
                         a.u_lo + r * blocks, a.du + r * blocks)) {
            fprintf(stderr, "kernel_digest: finite activations were refused\n");
            exit(1);
        }
    }
    a.act = (vb_act){rows, cols, a.x, a.q, a.d, a.u, a.u_lo, a.du};
    return a;
}

static void activations_free(activations *a) {
    release(a->x);
    release(a->d);
    release(a->du);
    release(a->q);
    release(a->u);
    release(a->u_lo);
}

/* One shape: the products, by two ranges of rows, and what lies between the rows of y. */
static void one_matmul(const vb_kernels *k, uint64_t *state, vb_wtype type, size_t rows,
                       size_t cols, size_t tokens, digest *product, digest *values) {
    vb_matrix m = random_matrix(k, state, type, rows, cols);
    activations a = random_activations(k, state, tokens, cols);
    const size_t stride = rows + 3;
    float *y = alloc_floats(tokens * stride);
    for (size_t i = 0; i < tokens * stride; i++) {
        y[i] = -1.5f;
    }
    const size_t split = rows > VB_ROW_TILE ? VB_ROW_TILE : 0;
    if (split) {
        k->matmul(&m, 0, split, &a.act, y, stride);
    }
    k->matmul(&m, split, rows, &a.act, y, stride);
    digest_floats(product, y, tokens * stride);
    float *row = alloc_floats(cols);
    for (size_t r = 0; r < rows; r += 5) {
        k->unpack_row(&m, r, row);
        digest_floats(values, row, cols);
    }
    release(row);
    release(y);
    release(m.data);
    activations_free(&a);
}

static void run_matmul(const vb_kernels *k, vb_wtype type) {
    static const size_t tokens[] = {1, 2, 3, 4, 5, 8, 15, 17};
    static const size_t rows[] = {1, 7, 16, 34, 50};
    static const size_t blocks[] = {1, 3, 8, 9, 18};
    static const size_t float_cols[] = {1, 15, 16, 67, 288};
    const vb_wtype_info *info = vb_wtype_get(type);
    uint64_t state = 1000 + (uint64_t)type;
    digest product = digest_start(), values = digest_start();
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        for (size_t t = 0; t < sizeof tokens / sizeof tokens[0]; t++) {
            const size_t i = (r + t) % 5;
            const size_t cols = info->is_float              ? float_cols[i]
                                : info->block_values == 256 ? 256 * (1 + i % 3)
                                                            : 32 * blocks[i];
            one_matmul(k, &state, type, rows[r], cols, tokens[t], &product, &values);
        }
    }
    digest_print(&product, "matmul", info->name);
    digest_print(&values, "unpack_row", info->name);
}

/* ---- rows of activations ---- */

enum { ROW = 1056 };

static void run_quantize(const vb_kernels *k) {
    uint64_t state = 1;
    digest d = digest_start();
    float x[ROW], scale[ROW / VB_BLOCK], du[ROW / VB_BLOCK];
    int8_t q[ROW];
    int32_t u[ROW / VB_BLOCK], u_lo[ROW / VB_BLOCK];
    for (int run = 0; run < 64; run++) {
        random_floats(&state, x, ROW);
        for (size_t b = 0; b < ROW / VB_BLOCK; b++) { /* each block at its own magnitude */
            const float by = float_of((uint32_t)(next_random(&state) % 110u + 20u) << 23);
            for (size_t i = 0; i < VB_BLOCK; i++) {
                x[b * VB_BLOCK + i] *= by;
            }
        }
        for (size_t i = 0; i < VB_BLOCK; i++) { /* ties: halves of the quantum when a is 127 */
            x[i] = i ? (float)((int)i * 8 - 127) + 0.5f : 127.0f;
            x[VB_BLOCK + i] = float_of((uint32_t)i % 2 << 31 | (uint32_t)i << run % 18);
        }
        const bool finite = k->quantize(x, ROW, q, scale, u, u_lo, du);
        digest_u64(&d, finite, 1);
        for (size_t i = 0; i < ROW; i++) {
            digest_u64(&d, (uint64_t)q[i], 1);
        }
        for (size_t b = 0; b < ROW / VB_BLOCK; b++) {
            digest_u64(&d, (uint64_t)u[b], 4);
            digest_u64(&d, (uint64_t)u_lo[b], 4);
        }
        digest_floats(&d, scale, ROW / VB_BLOCK);
        digest_floats(&d, du, ROW / VB_BLOCK);
    }
    digest_print(&d, "quantize", "");
}

static void run_finite(const vb_kernels *k) {
    static const uint32_t bad[] = {0x7f800000u, 0xff800000u, 0x7f800001u, 0xffc00000u, 0x7f7fffffu};
    uint64_t state = 2;
    digest d = digest_start();
    float x[ROW], scale[ROW / VB_BLOCK], du[ROW / VB_BLOCK];
    int8_t q[ROW];
    int32_t u[ROW / VB_BLOCK], u_lo[ROW / VB_BLOCK];
    for (size_t n = 1; n <= 41; n++) {
        for (size_t at = 0; at <= n; at++) { /* at == n: just past the end, to be ignored */
            random_floats(&state, x, VB_BLOCK * 2);
            x[at] = float_of(bad[(n + at) % 5]);
            digest_u64(&d, k->all_finite(x, n), 1);
            digest_u64(&d, k->quantize(x, VB_BLOCK, q, scale, u, u_lo, du), 1);
        }
    }
    digest_print(&d, "all_finite", "");
}

static void run_rows(const vb_kernels *k) {
    uint64_t state = 3;
    digest norm = digest_start(), sum = digest_start();
    for (size_t n = 1; n <= 200; n += n < 40 ? 1 : 23) {
        float *x = alloc_floats(n), *w = alloc_floats(n), *y = alloc_floats(n);
        random_floats(&state, x, n);
        random_floats(&state, w, n);
        k->rmsnorm(x, w, n, n % 3 ? 1e-5f : 1e-6f, y);
        digest_floats(&norm, y, n);
        for (size_t i = 0; i < n; i++) { /* squares that are subnormal, or vanish */
            y[i] = x[i] * 0x1p-66f;
        }
        k->rmsnorm(y, w, n, n % 2 ? 0x1p-140f : 1e-5f, y);
        digest_floats(&norm, y, n);
        k->add(x, w, n);
        digest_floats(&sum, x, n);
        release(x);
        release(w);
        release(y);
    }
    digest_print(&norm, "rmsnorm", "");
    digest_print(&sum, "add", "");
}

static void run_silu(const vb_kernels *k) {
    uint64_t state = 4;
    digest d = digest_start();
    for (uint32_t part = 0; part < 64; part++) {
        const uint32_t n = ROW - part % 7;
        float *gate = alloc_floats(n), *up = alloc_floats(n), *out = alloc_floats(n);
        for (uint32_t i = 0; i < n; i++) {
            /* Every exponent and sign, then the range in which exp is neither 0 nor infinite. */
            const uint32_t bits = (part * ROW + i) * 63601u;
            gate[i] = (bits & 0x7f800000u) == 0x7f800000u ? -0.0f : float_of(bits);
            if (part >= 32) {
                gate[i] = (float)((int32_t)(next_random(&state) >> 40) - (1 << 23)) * 0x1.9p-17f;
            }
            /* Small enough that no product is infinite. */
            up[i] = float_of((uint32_t)(next_random(&state) >> 63) << 31 |
                             (uint32_t)(next_random(&state) % (120u << 23)));
        }
        k->silu_mul(gate, up, n, out);
        digest_floats(&d, out, n);
        k->silu_mul(gate, up, n, gate);
        digest_floats(&d, gate, n);
        release(gate);
        release(up);
        release(out);
    }
    digest_print(&d, "silu_mul", "");
}

static void run_rope(const vb_kernels *k, vb_rope_style style) {
    static const size_t shapes[][2] = {{2, 2}, {8, 6}, {64, 64}, {80, 80}, {70, 58}, {128, 64}};
    uint64_t state = 5;
    digest d = digest_start();
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        const size_t dim = shapes[s][0], n_rot = shapes[s][1], heads = 5;
        float *x = alloc_floats(heads * dim), *c = alloc_floats(n_rot), *sn = c + n_rot / 2;
        for (int run = 0; run < 8; run++) {
            random_floats(&state, x, heads * dim);
            random_floats(&state, c, n_rot);
            k->rope(x, heads, dim, n_rot, style, c, sn);
            digest_floats(&d, x, heads * dim);
        }
        release(x);
        release(c);
    }
    digest_print(&d, "rope", style == VB_ROPE_NORM ? "norm" : "neox");
}

/* ---- attention ---- */

enum { KEYS_MAX = 700, PAGES = 3, HEAD_DIM_MAX = 80, QUERIES_MAX = 11 };

static uint16_t *alloc_page(size_t head_dim) {
    const size_t bytes = VB_ATTN_CHUNK * head_dim * sizeof(uint16_t);
    uint16_t *page = alloc_bytes(bytes, sizeof(uint16_t));
    memset(page, 0xff, bytes); /* a NaN wherever no key was stored */
    return page;
}

static float small_float(uint64_t *state) {
    const float x = random_float(state);
    return x > 64.0f || x < -64.0f ? 0.25f : x;
}

/* One head: n_keys stored in each page, then n_q queries, some over fewer keys than others. */
static void one_head(const vb_kernels *k, uint64_t *state, size_t dim, size_t n_q, size_t n_keys,
                     digest *store, digest *result) {
    uint16_t *keys[PAGES], *values[PAGES];
    float key[HEAD_DIM_MAX], value[HEAD_DIM_MAX];
    for (size_t p = 0; p < PAGES; p++) {
        keys[p] = alloc_page(dim);
        values[p] = alloc_page(dim);
    }
    for (size_t j = 0; j < n_keys; j++) {
        for (size_t i = 0; i < dim; i++) {
            key[i] = small_float(state);
            value[i] = small_float(state);
        }
        digest_u64(store,
                   k->kv_store(key, value, dim, keys[j / VB_ATTN_CHUNK], values[j / VB_ATTN_CHUNK],
                               j % VB_ATTN_CHUNK),
                   1);
    }
    for (size_t p = 0; p < PAGES; p++) {
        for (size_t i = 0; i < VB_ATTN_CHUNK * dim; i++) {
            digest_u64(store, keys[p][i], 2);
            digest_u64(store, values[p][i], 2);
        }
    }
    const size_t q_stride = dim + 5, out_stride = dim + 3;
    float *q = alloc_floats(n_q * q_stride), *out = alloc_floats(n_q * out_stride);
    float *scratch = alloc_bytes(vb_attention_scratch_floats(n_q, n_keys, dim) * sizeof(float), 64);
    size_t n_seen[QUERIES_MAX];
    for (size_t i = 0; i < n_q * q_stride; i++) {
        q[i] = small_float(state) * 4.0f;
    }
    for (size_t i = 0; i < n_q * out_stride; i++) {
        out[i] = 3.5f;
    }
    for (size_t i = 0; i < n_q; i++) {
        const size_t fewer = i % 3 == 2 ? next_random(state) % n_keys : i;
        n_seen[i] = fewer < n_keys ? n_keys - fewer : 1;
    }
    n_seen[0] = n_keys;
    k->attention(q, q_stride, n_q, n_seen, dim, (const uint16_t *const *)keys,
                 (const uint16_t *const *)values, 0.125f, scratch, out, out_stride);
    digest_floats(result, out, n_q * out_stride);
    for (size_t p = 0; p < PAGES; p++) {
        release(keys[p]);
        release(values[p]);
    }
    release(q);
    release(out);
    release(scratch);
}

/* Keys that hardly count: the first takes all the weight and has a value of zero, so that what is
 * left are sums of subnormal exponentials. */
static void faint_keys(const vb_kernels *k, uint64_t *state, digest *result) {
    enum { DIM = 21, KEYS = 250 };
    uint16_t *keys = alloc_page(DIM), *values = alloc_page(DIM);
    float key[DIM] = {0}, value[DIM] = {0}, q[DIM] = {8.0f}, out[DIM];
    for (size_t j = 0; j < KEYS; j++) {
        if (!k->kv_store(key, value, DIM, keys, values, j)) {
            fprintf(stderr, "kernel_digest: finite keys were refused\n");
            exit(1);
        }
        key[0] = -86.0f - (float)j * 0.0735f; /* the score, once scaled: to -104 */
        for (size_t i = 0; i < DIM; i++) {
            value[i] = i % 4 == j % 4 ? small_float(state) : 0.0f;
        }
    }
    const uint16_t *key_pages[1] = {keys}, *value_pages[1] = {values};
    float *scratch = alloc_bytes(vb_attention_scratch_floats(1, KEYS, DIM) * sizeof(float), 64);
    for (size_t n = 2; n <= KEYS; n += 31) {
        k->attention(q, DIM, 1, &n, DIM, key_pages, value_pages, 0.125f, scratch, out, DIM);
        digest_floats(result, out, DIM);
    }
    release(keys);
    release(values);
    release(scratch);
}

static void run_attention(const vb_kernels *k) {
    static const size_t dims[] = {1, 4, 21, 64, 80};
    static const size_t queries[] = {1, 2, 3, 4, 11};
    static const size_t keys[] = {1, 2, 15, 17, 255, 256, 257, 513, KEYS_MAX};
    uint64_t state = 6;
    digest store = digest_start(), result = digest_start();
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        for (size_t j = 0; j < sizeof dims / sizeof dims[0]; j++) {
            one_head(k, &state, dims[j], queries[(i + j) % 5], keys[i], &store, &result);
        }
    }
    faint_keys(k, &state, &result);
    digest_print(&result, "attention", "");
    /* Rounding to binary16 around its largest number, its ties and its subnormals. */
    static const float edges[] = {65504.0f,       65519.996f,     65520.0f,     -65519.996f,
                                  -65520.0f,      0x1p-24f,       0x1p-25f,     0x1.000002p-25f,
                                  0x1.8p-24f,     -0x1.8p-25f,    0x1.ffcp-15f, 0x1.ffep-15f,
                                  1.00048828125f, 1.00146484375f, 0x1p-149f,    -0.0f};
    const size_t n_edges = sizeof edges / sizeof edges[0];
    uint16_t *page_k = alloc_page(9), *page_v = alloc_page(9);
    for (size_t e = 0; e < n_edges * 18; e++) {
        float kv[2][9];
        for (size_t i = 0; i < 18; i++) {
            kv[i / 9][i % 9] = small_float(&state);
        }
        kv[e / n_edges / 9][e / n_edges % 9] = edges[e % n_edges];
        const bool finite = k->kv_store(kv[0], kv[1], 9, page_k, page_v, 37);
        digest_u64(&store, finite, 1);
        for (size_t i = 0; finite && i < 9; i++) {
            digest_u64(&store, page_k[(37 / 16 * 9 + i) * 16 + 37 % 16], 2);
            digest_u64(&store, page_v[37 * 9 + i], 2);
        }
    }
    release(page_k);
    release(page_v);
    digest_print(&store, "kv_store", "");
}

/* ---- sampling ---- */

static void run_argmax(const vb_kernels *k) {
    uint64_t state = 7;
    digest d = digest_start();
    for (size_t n = 1; n <= ROW; n += n < 70 ? 1 : 41) {
        float *x = alloc_floats(n);
        for (int run = 0; run < 6; run++) {
            for (size_t i = 0; i < n; i++) {
                /* Few different values, so that the maximum is met several times. */
                const int v = (int)(next_random(&state) % 9u);
                x[i] = run == 0 ? random_float(&state) : v == 0 ? -0.0f : (float)(v % 5 - run);
            }
            digest_u64(&d, k->argmax(x, n), 8);
        }
        release(x);
    }
    digest_print(&d, "argmax", "");
}

static void run_exp_weights(const vb_kernels *k) {
    uint64_t state = 8;
    digest d = digest_start();
    for (int run = 0; run < 64; run++) {
        const float temperature = run % 4 == 0 ? 1.0f : 0.05f + (float)run * 0.04f;
        const size_t n = ROW - (size_t)run % 9;
        float *x = alloc_floats(n), max = -0x1p+100f;
        uint64_t *w = alloc_bytes(n * sizeof(uint64_t), sizeof(uint64_t));
        for (size_t i = 0; i < n; i++) {
            x[i] = random_float(&state) * (run % 5 ? 1.0f : 20.0f);
            if (x[i] > 100.0f) {
                x[i] = 12.0f;
            }
            max = x[i] > max ? x[i] : max;
        }
        k->exp_weights(x, n, max, temperature, w);
        for (size_t i = 0; i < n; i++) {
            digest_u64(&d, w[i], 8);
        }
        release(x);
        release(w);
    }
    digest_print(&d, "exp_weights", "");
}

static void run_tier(const vb_kernels *k) {
    static const vb_wtype types[] = {VB_F32,  VB_F16,  VB_BF16, VB_Q8_0, VB_Q4_0, VB_Q4_1,
                                     VB_Q5_0, VB_Q5_1, VB_Q4_K, VB_Q5_K, VB_Q6_K};
    run_quantize(k);
    run_finite(k);
    run_rows(k);
    run_silu(k);
    run_rope(k, VB_ROPE_NORM);
    run_rope(k, VB_ROPE_NEOX);
    run_attention(k);
    run_argmax(k);
    run_exp_weights(k);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        run_matmul(k, types[i]);
    }
}

int main(int argc, char **argv) {
    vb_error e = {VB_OK, ""};
    const vb_kernels *k;
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        const vb_kernels *list[TIERS_MAX];
        const size_t n = vb_kernels_list(list, TIERS_MAX);
        for (size_t i = 0; i < n; i++) {
            puts(list[i]->name);
        }
        return 0;
    }
    const bool selftest = argc == 3 && strcmp(argv[1], "--selftest") == 0;
    if (argc != 2 && !selftest) {
        fprintf(stderr, "usage: kernel_digest --list | [--selftest] TIER\n");
        return 2;
    }
    if (vb_kernels_select(argv[argc - 1], &k, &e) != VB_OK) {
        fprintf(stderr, "kernel_digest: %s\n", e.msg);
        return 1;
    }
    if (selftest) {
        if (vb_kernels_selftest(k, &e) != VB_OK) {
            fprintf(stderr, "kernel_digest: %s\n", e.msg);
            return 1;
        }
        return 0;
    }
    run_tier(k);
    return 0;
}
