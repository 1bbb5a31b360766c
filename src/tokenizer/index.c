/* Sorted arrays behind a table of buckets: built once with qsort, read with binary search. */
#include "tokenizer/index.h"

#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t hash_bytes(const char *p, size_t len) {
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ (uint8_t)p[i]) * 0x100000001b3u;
    }
    return mix(h);
}

static uint64_t hash_pair(uint32_t left, uint32_t right) {
    return mix(((uint64_t)left << 32 | right) + 0x9e3779b97f4a7c15u);
}

/* About one key for each bucket. */
static unsigned bucket_bits(uint32_t n) {
    unsigned bits = 1;
    while (bits < 20 && (1u << bits) < n) {
        bits++;
    }
    return bits;
}

/* sizes of buckets, counted at [bucket + 1], become first indexes */
static void buckets_from_counts(uint32_t *bucket, unsigned bits) {
    for (uint32_t b = 0; b < 1u << bits; b++) {
        bucket[b + 1] += bucket[b];
    }
}

typedef struct str_key {
    uint32_t bucket; /* the high bits of the hash */
    uint32_t low;    /* its low half */
    vb_str text;
    uint32_t id;
    bool prefer;
} str_key;

static int compare_texts(uint32_t hash_a, vb_str a, uint32_t hash_b, vb_str b) {
    if (hash_a != hash_b) {
        return hash_a < hash_b ? -1 : 1;
    }
    if (a.len != b.len) {
        return a.len < b.len ? -1 : 1;
    }
    return a.len ? memcmp(a.p, b.p, a.len) : 0;
}

/* Equal texts: the one to keep comes last. */
static int compare_str_keys(const void *pa, const void *pb) {
    const str_key *a = pa, *b = pb;
    if (a->bucket != b->bucket) {
        return a->bucket < b->bucket ? -1 : 1;
    }
    int c = compare_texts(a->low, a->text, b->low, b->text);
    if (c) {
        return c;
    }
    if (a->prefer != b->prefer) {
        return a->prefer ? 1 : -1;
    }
    return a->id < b->id ? -1 : a->id > b->id;
}

static bool same_text(const str_key *a, const str_key *b) {
    return a->bucket == b->bucket && compare_texts(a->low, a->text, b->low, b->text) == 0;
}

vb_err vb_strmap_make(vb_strmap *m, const vb_str *texts, const uint8_t *prefer, uint32_t n,
                      vb_error *e) {
    unsigned bits = bucket_bits(n);
    str_key *keys = malloc((n ? n : 1) * sizeof *keys);
    vb_strmap made = {.texts = texts, .bits = bits};
    made.ids = malloc((n ? n : 1) * sizeof *made.ids);
    made.hashes = malloc((n ? n : 1) * sizeof *made.hashes);
    made.bucket = calloc(((size_t)1 << bits) + 1, sizeof *made.bucket);
    if (!keys || !made.ids || !made.hashes || !made.bucket) {
        free(keys);
        vb_strmap_free(&made);
        return vb_fail(e, VB_ENOMEM, "no memory for an index of %u texts", n);
    }
    for (uint32_t i = 0; i < n; i++) {
        uint64_t hash = hash_bytes(texts[i].p, texts[i].len);
        keys[i] =
            (str_key){(uint32_t)(hash >> (64 - bits)), (uint32_t)hash, texts[i], i, prefer[i] != 0};
    }
    qsort(keys, n, sizeof *keys, compare_str_keys);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i + 1 < n && same_text(&keys[i], &keys[i + 1])) {
            continue;
        }
        made.ids[kept] = keys[i].id;
        made.hashes[kept] = keys[i].low;
        made.bucket[keys[i].bucket + 1]++;
        kept++;
    }
    buckets_from_counts(made.bucket, bits);
    free(keys);
    *m = made;
    return VB_OK;
}

void vb_strmap_free(vb_strmap *m) {
    free(m->ids);
    free(m->hashes);
    free(m->bucket);
    *m = (vb_strmap){0};
}

int32_t vb_strmap_find(const vb_strmap *m, const char *text, size_t len) {
    uint64_t hash = hash_bytes(text, len);
    uint32_t lo = m->bucket[hash >> (64 - m->bits)];
    uint32_t hi = m->bucket[(hash >> (64 - m->bits)) + 1];
    vb_str want = {text, len};
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        uint32_t id = m->ids[mid];
        int c = compare_texts((uint32_t)hash, want, m->hashes[mid], m->texts[id]);
        if (c == 0) {
            return (int32_t)id;
        }
        if (c < 0) {
            hi = mid;
        } else {
            lo = mid + 1;
        }
    }
    return -1;
}

static int compare_merges(const void *pa, const void *pb) {
    const vb_merge *a = pa, *b = pb;
    uint64_t ha = hash_pair(a->left, a->right), hb = hash_pair(b->left, b->right);
    if (ha != hb) {
        return ha < hb ? -1 : 1;
    }
    return a->rank < b->rank ? -1 : a->rank > b->rank;
}

vb_err vb_mergemap_make(vb_mergemap *m, vb_merge *merges, uint32_t n, vb_error *e) {
    unsigned bits = bucket_bits(n);
    uint32_t *bucket = calloc(((size_t)1 << bits) + 1, sizeof *bucket);
    if (!bucket) {
        free(merges);
        return vb_fail(e, VB_ENOMEM, "no memory for an index of %u merges", n);
    }
    if (n) {
        qsort(merges, n, sizeof *merges, compare_merges);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        vb_merge x = merges[i];
        if (kept && merges[kept - 1].left == x.left && merges[kept - 1].right == x.right) {
            continue;
        }
        merges[kept++] = x;
        bucket[(hash_pair(x.left, x.right) >> (64 - bits)) + 1]++;
    }
    buckets_from_counts(bucket, bits);
    *m = (vb_mergemap){merges, bucket, bits};
    return VB_OK;
}

void vb_mergemap_free(vb_mergemap *m) {
    free(m->merges);
    free(m->bucket);
    *m = (vb_mergemap){0};
}

const vb_merge *vb_mergemap_find(const vb_mergemap *m, uint32_t left, uint32_t right) {
    uint64_t hash = hash_pair(left, right);
    uint32_t lo = m->bucket[hash >> (64 - m->bits)];
    uint32_t hi = m->bucket[(hash >> (64 - m->bits)) + 1];
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        const vb_merge *x = &m->merges[mid];
        if (x->left == left && x->right == right) {
            return x;
        }
        if (hash < hash_pair(x->left, x->right)) {
            hi = mid;
        } else {
            lo = mid + 1;
        }
    }
    return NULL;
}
