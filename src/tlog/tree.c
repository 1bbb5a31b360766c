/*
 * Trees are walked from the root down: of n > 1 leaves, the left subtree has the largest power of
 * two below n and is full. What is right of it is ragged, and its root is made of full subtrees,
 * one for each 1 in the binary number of its leaves.
 */
#include "tlog/tree.h"

#include <string.h>

#include "receipt/trace.h"

_Static_assert(sizeof(vb_tlog_hash) == VB_SHA256_BYTES, "paths are arrays of bare hashes");

void vb_tlog_leaf_hash(const void *entry, size_t n_bytes, vb_tlog_hash *out) {
    static const uint8_t prefix = 0;
    vb_sha256 s;
    vb_sha256_begin(&s);
    vb_sha256_update(&s, &prefix, 1);
    vb_sha256_update(&s, entry, n_bytes);
    vb_sha256_end(&s, out->bytes);
}

void vb_tlog_node_hash(const vb_tlog_hash *left, const vb_tlog_hash *right, vb_tlog_hash *out) {
    uint8_t data[1 + 2 * VB_SHA256_BYTES];
    data[0] = 1;
    memcpy(data + 1, left->bytes, VB_SHA256_BYTES);
    memcpy(data + 1 + VB_SHA256_BYTES, right->bytes, VB_SHA256_BYTES);
    vb_sha256_of(data, sizeof data, out->bytes);
}

bool vb_tlog_hash_equal(const vb_tlog_hash *a, const vb_tlog_hash *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* Growing */

void vb_tlog_range_begin(vb_tlog_range *r) {
    r->size = 0;
}

vb_err vb_tlog_range_add(vb_tlog_range *r, const vb_tlog_hash *leaf, vb_tlog_completed_fn completed,
                         void *user, vb_error *e) {
    if (r->size >= VB_TLOG_SIZE_MAX) {
        return vb_fail(e, VB_ELIMIT, "a log has at most 2^%d entries", VB_TLOG_SIZE_BITS_MAX);
    }
    vb_tlog_hash h = *leaf;
    unsigned level = 0;
    /* Like a carry in binary addition: equal subtrees merge. */
    for (;; level++) {
        if (completed) {
            completed(user, level, r->size >> level, &h);
        }
        if (!(r->size >> level & 1)) {
            break;
        }
        vb_tlog_node_hash(&r->subtree[level], &h, &h);
    }
    r->subtree[level] = h;
    r->size++;
    return VB_OK;
}

/* Roots */

/* A root that is put together from full subtrees, from right to left. */
typedef struct folded {
    bool any;
    vb_tlog_hash hash;
} folded;

static void fold(folded *f, const vb_tlog_hash *left) {
    if (f->any) {
        vb_tlog_node_hash(left, &f->hash, &f->hash);
    } else {
        *f = (folded){true, *left};
    }
}

static void folded_root(const folded *f, vb_tlog_hash *out) {
    if (f->any) {
        *out = f->hash;
    } else {
        vb_sha256_of("", 0, out->bytes);
    }
}

void vb_tlog_range_root(const vb_tlog_range *r, vb_tlog_hash *out) {
    folded f = {.any = false};
    for (unsigned level = 0; level <= VB_TLOG_SIZE_BITS_MAX; level++) {
        if (r->size >> level & 1) {
            fold(&f, &r->subtree[level]);
        }
    }
    folded_root(&f, out);
}

/* Of the n leaves from `start`, which is a multiple of every power of two up to n. */
static vb_err root_of(uint64_t start, uint64_t n, vb_tlog_hash_fn get, void *user,
                      vb_tlog_hash *out, vb_error *e) {
    folded f = {.any = false};
    for (unsigned level = 0; level <= VB_TLOG_SIZE_BITS_MAX; level++) {
        if (n >> level & 1) {
            vb_tlog_hash h;
            vb_err err = get(user, level, ((start + n) >> level) - 1, &h, e);
            if (err) {
                return err;
            }
            fold(&f, &h);
            n -= (uint64_t)1 << level;
        }
    }
    folded_root(&f, out);
    return VB_OK;
}

vb_err vb_tlog_root(uint64_t size, vb_tlog_hash_fn get, void *user, vb_tlog_hash *out,
                    vb_error *e) {
    VB_ASSERT(size <= VB_TLOG_SIZE_MAX);
    return root_of(0, size, get, user, out, e);
}

/* Paths */

/* Where a walk from the root stands: at the `n` leaves from `start`. What it leaves aside on its
 * way down is the path, from the root down. */
typedef struct walk {
    uint64_t start, n;
    size_t n_path;
    vb_tlog_hash path[VB_TLOG_PATH_MAX];
    vb_tlog_hash_fn get;
    void *user;
} walk;

/* Leaves the rest aside: the walk stays with the part that has n leaves, on the left or the right.
 */
static vb_err step(walk *w, bool to_the_left, uint64_t left, vb_error *e) {
    uint64_t aside = to_the_left ? w->start + left : w->start;
    uint64_t n_aside = to_the_left ? w->n - left : left;
    VB_ASSERT(w->n_path < VB_TLOG_PATH_MAX);
    vb_err err = root_of(aside, n_aside, w->get, w->user, &w->path[w->n_path], e);
    if (err) {
        return err;
    }
    w->n_path++;
    w->start = to_the_left ? w->start : w->start + left;
    w->n -= n_aside;
    return VB_OK;
}

/* Leaves of the left subtree of n > 1. */
static uint64_t left_of(uint64_t n) {
    uint64_t left = 1;
    while (left * 2 < n) {
        left *= 2;
    }
    return left;
}

/* The path from the leaf's side up, as everybody writes it. */
static void give_path(const walk *w, vb_tlog_hash path[VB_TLOG_PATH_MAX], size_t *n) {
    for (size_t i = 0; i < w->n_path; i++) {
        path[i] = w->path[w->n_path - 1 - i];
    }
    *n = w->n_path;
}

vb_err vb_tlog_prove(uint64_t index, uint64_t size, vb_tlog_hash_fn get, void *user,
                     vb_tlog_hash path[VB_TLOG_PATH_MAX], size_t *n, vb_error *e) {
    VB_ASSERT(index < size && size <= VB_TLOG_SIZE_MAX);
    walk w = {.n = size, .get = get, .user = user};
    while (w.n > 1) {
        uint64_t left = left_of(w.n);
        vb_err err = step(&w, index < w.start + left, left, e);
        if (err) {
            return err;
        }
    }
    give_path(&w, path, n);
    return VB_OK;
}

/* Down to where the first `old` leaves end, with a subtree's last leaf. That subtree's root is the
 * path's first hash, but, when whole is false, not if it is the root of all `old`: the reader has
 * it. */
static vb_err prove_old(uint64_t old, uint64_t size, bool whole, vb_tlog_hash_fn get, void *user,
                        vb_tlog_hash path[VB_TLOG_PATH_MAX], size_t *n, vb_error *e) {
    walk w = {.n = size, .get = get, .user = user};
    while (w.start + w.n != old) {
        uint64_t left = left_of(w.n);
        vb_err err = step(&w, old <= w.start + left, left, e);
        if (err) {
            return err;
        }
    }
    if (whole || w.start != 0) {
        VB_ASSERT(w.n_path < VB_TLOG_PATH_MAX);
        vb_err err = root_of(w.start, w.n, get, user, &w.path[w.n_path], e);
        if (err) {
            return err;
        }
        w.n_path++;
    }
    give_path(&w, path, n);
    return VB_OK;
}

vb_err vb_tlog_prove_consistency(uint64_t old, uint64_t size, vb_tlog_hash_fn get, void *user,
                                 vb_tlog_hash path[VB_TLOG_PATH_MAX], size_t *n, vb_error *e) {
    VB_ASSERT(old > 0 && old <= size && size <= VB_TLOG_SIZE_MAX);
    return prove_old(old, size, false, get, user, path, n, e);
}

vb_err vb_tlog_prove_prefix(uint64_t old, uint64_t size, vb_tlog_hash_fn get, void *user,
                            vb_tlog_hash path[VB_TLOG_PATH_MAX], size_t *n, vb_error *e) {
    VB_ASSERT(old > 0 && old < size && size <= VB_TLOG_SIZE_MAX);
    return prove_old(old, size, true, get, user, path, n, e);
}

/* Checking */

bool vb_tlog_included(const vb_tlog_hash *leaf, uint64_t index, uint64_t size,
                      const vb_tlog_hash *path, size_t n, const vb_tlog_hash *root) {
    const void *hashes = path;
    return size <= VB_TLOG_SIZE_MAX &&
           vb_trace_check(leaf->bytes, index, size, hashes, n, root->bytes);
}

/* RFC 9162, section 2.1.4.2, from its step 4 on: first is the path's first hash, the others are
 * path[n]. */
static bool both_roots(uint64_t old, uint64_t size, const vb_tlog_hash *first,
                       const vb_tlog_hash *path, size_t n, vb_tlog_hash *old_root,
                       vb_tlog_hash *new_root) {
    uint64_t fn = old - 1, sn = size - 1;
    while (fn & 1) {
        fn >>= 1;
        sn >>= 1;
    }
    vb_tlog_hash fr = *first, sr = *first;
    for (size_t i = 0; i < n; i++) {
        if (sn == 0) {
            return false;
        }
        if ((fn & 1) || fn == sn) {
            vb_tlog_node_hash(&path[i], &fr, &fr);
            vb_tlog_node_hash(&path[i], &sr, &sr);
            while (!(fn & 1) && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            vb_tlog_node_hash(&sr, &path[i], &sr);
        }
        fn >>= 1;
        sn >>= 1;
    }
    if (sn != 0) {
        return false;
    }
    *old_root = fr;
    *new_root = sr;
    return true;
}

bool vb_tlog_prefix_roots(uint64_t old, uint64_t size, const vb_tlog_hash *path, size_t n,
                          vb_tlog_hash *old_root, vb_tlog_hash *new_root) {
    return old > 0 && old < size && size <= VB_TLOG_SIZE_MAX && n > 0 &&
           both_roots(old, size, &path[0], path + 1, n - 1, old_root, new_root);
}

bool vb_tlog_consistent(uint64_t old, const vb_tlog_hash *old_root, uint64_t size,
                        const vb_tlog_hash *new_root, const vb_tlog_hash *path, size_t n) {
    vb_tlog_hash first, second;
    if (old > size || size > VB_TLOG_SIZE_MAX) {
        return false;
    }
    if (old == 0) {
        vb_sha256_of("", 0, first.bytes);
        return n == 0 && vb_tlog_hash_equal(&first, old_root);
    }
    if (old == size) {
        return n == 0 && vb_tlog_hash_equal(old_root, new_root);
    }
    bool known = (old & (old - 1)) == 0; /* a full subtree: the path begins with what is known */
    if (!known && n == 0) {
        return false;
    }
    return both_roots(old, size, known ? old_root : &path[0], known ? path : path + 1,
                      known ? n : n - 1, &first, &second) &&
           vb_tlog_hash_equal(&first, old_root) && vb_tlog_hash_equal(&second, new_root);
}
