#include "receipt/trace.h"

#include <string.h>

#include "base/bytes.h"

void vb_trace_logits_digest(const float *logits, size_t n_logits, uint8_t out[VB_SHA256_BYTES]) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    vb_sha256_of(logits, n_logits * sizeof *logits, out);
#else
    uint8_t chunk[1024];
    size_t n_chunk = 0;
    vb_sha256 s;
    vb_sha256_begin(&s);
    for (size_t i = 0; i < n_logits; i++) {
        uint32_t bits;
        memcpy(&bits, &logits[i], sizeof bits);
        vb_store_u32le(chunk + n_chunk, bits);
        n_chunk += 4;
        if (n_chunk == sizeof chunk) {
            vb_sha256_update(&s, chunk, n_chunk);
            n_chunk = 0;
        }
    }
    vb_sha256_update(&s, chunk, n_chunk);
    vb_sha256_end(&s, out);
#endif
}

void vb_trace_leaf_of_digest(uint64_t t, uint32_t token,
                             const uint8_t logits_digest[VB_SHA256_BYTES],
                             uint8_t out[VB_SHA256_BYTES]) {
    uint8_t data[1 + 8 + 4 + VB_SHA256_BYTES];
    data[0] = 0;
    vb_store_u64be(data + 1, t);
    vb_store_u32be(data + 9, token);
    memcpy(data + 13, logits_digest, VB_SHA256_BYTES);
    vb_sha256_of(data, sizeof data, out);
}

void vb_trace_leaf(uint64_t t, uint32_t token, const float *logits, size_t n_logits,
                   uint8_t out[VB_SHA256_BYTES]) {
    uint8_t d[VB_SHA256_BYTES];
    vb_trace_logits_digest(logits, n_logits, d);
    vb_trace_leaf_of_digest(t, token, d, out);
}

static void node(const uint8_t left[VB_SHA256_BYTES], const uint8_t right[VB_SHA256_BYTES],
                 uint8_t out[VB_SHA256_BYTES]) {
    uint8_t data[1 + 2 * VB_SHA256_BYTES];
    data[0] = 1;
    memcpy(data + 1, left, VB_SHA256_BYTES);
    memcpy(data + 1 + VB_SHA256_BYTES, right, VB_SHA256_BYTES);
    vb_sha256_of(data, sizeof data, out);
}

void vb_trace_begin(vb_trace *tr) {
    tr->n_leaves = 0;
}

void vb_trace_add(vb_trace *tr, const uint8_t leaf[VB_SHA256_BYTES]) {
    VB_ASSERT(tr->n_leaves < UINT64_MAX);
    uint8_t h[VB_SHA256_BYTES];
    memcpy(h, leaf, sizeof h);
    /* Like a carry in binary addition: equal subtrees merge. */
    int level = 0;
    for (; tr->n_leaves >> level & 1; level++) {
        node(tr->subtree[level], h, h);
    }
    memcpy(tr->subtree[level], h, sizeof h);
    tr->n_leaves++;
}

void vb_trace_root(const vb_trace *tr, uint8_t out[VB_SHA256_BYTES]) {
    uint8_t h[VB_SHA256_BYTES];
    bool have = false;
    for (int level = 0; level < VB_TRACE_PROOF_MAX; level++) {
        if (tr->n_leaves >> level & 1) {
            if (have) {
                node(tr->subtree[level], h, h);
            } else {
                memcpy(h, tr->subtree[level], sizeof h);
                have = true;
            }
        }
    }
    if (!have) {
        vb_sha256_of("", 0, h);
    }
    memcpy(out, h, sizeof h);
}

static void root_of(const uint8_t (*leaves)[VB_SHA256_BYTES], size_t n,
                    uint8_t out[VB_SHA256_BYTES]) {
    vb_trace tr;
    vb_trace_begin(&tr);
    for (size_t i = 0; i < n; i++) {
        vb_trace_add(&tr, leaves[i]);
    }
    vb_trace_root(&tr, out);
}

size_t vb_trace_prove(const uint8_t (*leaves)[VB_SHA256_BYTES], size_t n_leaves, size_t index,
                      uint8_t proof[VB_TRACE_PROOF_MAX][VB_SHA256_BYTES]) {
    VB_ASSERT(index < n_leaves);
    /* From the root down, each split leaves one sibling; the proof wants them from the leaf up. */
    uint8_t down[VB_TRACE_PROOF_MAX][VB_SHA256_BYTES];
    size_t depth = 0, from = 0, n = n_leaves;
    while (n > 1) {
        size_t left = 1;
        while (left * 2 < n) {
            left *= 2;
        }
        if (index < from + left) {
            root_of(leaves + from + left, n - left, down[depth++]);
            n = left;
        } else {
            root_of(leaves + from, left, down[depth++]);
            from += left;
            n -= left;
        }
    }
    for (size_t i = 0; i < depth; i++) {
        memcpy(proof[i], down[depth - 1 - i], VB_SHA256_BYTES);
    }
    return depth;
}

bool vb_trace_check(const uint8_t leaf[VB_SHA256_BYTES], uint64_t index, uint64_t n_leaves,
                    const uint8_t (*proof)[VB_SHA256_BYTES], size_t n_proof,
                    const uint8_t root[VB_SHA256_BYTES]) {
    if (index >= n_leaves || n_proof > VB_TRACE_PROOF_MAX) {
        return false;
    }
    uint64_t fn = index, sn = n_leaves - 1;
    uint8_t h[VB_SHA256_BYTES];
    memcpy(h, leaf, sizeof h);
    for (size_t i = 0; i < n_proof; i++) {
        if (sn == 0) {
            return false;
        }
        if ((fn & 1) || fn == sn) {
            node(proof[i], h, h);
            while (!(fn & 1) && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            node(h, proof[i], h);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && memcmp(h, root, sizeof h) == 0;
}
