/* What the tests of the store share: a folder, a key, requests and receipts that can be stored. */
#ifndef VB_TESTS_UNIT_STORE_STORE_TEST_H
#define VB_TESTS_UNIT_STORE_STORE_TEST_H

#include "support/testing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store.h"
#include "unit/crypto/temp_dir.h"

static char dir[64], path[128];
static vb_ed25519_key *key;
static uint8_t public_key[VB_ED25519_PUBLIC_BYTES];

/* For any thread: cmocka's failures are the main thread's only. */
static inline void must_in(vb_err err, const vb_error *e, const char *file, int line) {
    if (err) {
        fprintf(stderr, "%s:%d: %s: %s\n", file, line, vb_err_name(err), e->msg);
        abort();
    }
}
#define MUST(call, e) must_in((call), (e), __FILE__, __LINE__)

static inline int make_dir(void **state) {
    vb_error e;
    (void)state;
    static const uint8_t secret[32] = {3};
    MUST(vb_ed25519_from_seed(secret, &key, &e), &e);
    vb_ed25519_public(key, public_key);
    temp_dir_make(dir);
    snprintf(path, sizeof path, "%s/receipts.db", dir);
    return 0;
}

static inline int remove_dir(void **state) {
    (void)state;
    vb_ed25519_close(key);
    temp_dir_remove(dir);
    return 0;
}

/* Begins with an empty folder. */
static inline int clear_dir(void **state) {
    (void)state;
    temp_dir_remove(dir);
    return mkdir(dir, 0700);
}

static inline vb_store *open_store(const vb_store_options *options, size_t *n_lost) {
    vb_error e;
    vb_store *s = NULL;
    MUST(vb_store_open(path, key, options, &s, n_lost, &e), &e);
    return s;
}

static inline void fill_request(vb_receipt *r, const char *id) {
    static const uint32_t tokens[] = {1, 2, 3};
    vb_error e;
    vb_receipt_init(r);
    r->prompt.kind = VB_PROMPT_TOKENS;
    MUST(vb_receipt_set_prompt_tokens(r, tokens, 3, &e), &e);
    snprintf(r->id, sizeof r->id, "%s", id);
    snprintf(r->model.architecture, sizeof r->model.architecture, "llama");
    snprintf(r->model.file_type, sizeof r->model.file_type, "F16");
    snprintf(r->engine_version, sizeof r->engine_version, "test");
    snprintf(r->engine_tier, sizeof r->engine_tier, "test");
    r->request.max_tokens = 2;
    r->request.ctx_tokens = 8;
    r->request.mode = VB_MODE_FIXED;
    r->request.has_seed = true;
}

static inline void finish_receipt(vb_receipt *r) {
    static const uint32_t out[] = {4, 5};
    static const uint8_t root[32] = {1};
    vb_error e;
    MUST(vb_receipt_add_output(r, out, 2, "ab", 2, VB_FINISH_LENGTH, root, &e), &e);
    MUST(vb_receipt_sign(r, key, NULL, &e), &e);
}

/* One commitment and its receipt; the number it got. */
static inline uint64_t add_receipt(vb_store *s, const char *id) {
    vb_error e;
    vb_receipt r;
    fill_request(&r, id);
    MUST(vb_store_commit(s, &r, &e), &e);
    finish_receipt(&r);
    MUST(vb_store_receipt(s, &r, &e), &e);
    const uint64_t sequence = r.request.sequence;
    vb_receipt_free(&r);
    return sequence;
}

static inline uint64_t add_abort(vb_store *s, const char *id, vb_abort_reason reason) {
    vb_error e;
    vb_receipt r;
    fill_request(&r, id);
    MUST(vb_store_commit(s, &r, &e), &e);
    MUST(vb_store_abort(s, &r, reason, &e), &e);
    const uint64_t sequence = r.request.sequence;
    vb_receipt_free(&r);
    return sequence;
}

/* The record is one of this key, whose signatures hold, with the entry's number. */
static inline void check_record(const vb_store_entry *entry, const uint8_t *bytes, size_t n) {
    vb_error e;
    if (entry->state == VB_STORE_ABORT) {
        vb_abort a;
        MUST(vb_abort_decode(bytes, n, &a, &e), &e);
        MUST(vb_abort_check(&a, &e), &e);
        assert_int_equal(a.r.request.sequence, entry->sequence);
        assert_int_equal(a.reason, entry->reason);
        assert_memory_equal(a.signature, entry->signature, sizeof a.signature);
        vb_abort_free(&a);
        return;
    }
    vb_receipt r;
    MUST(entry->state == VB_STORE_RECEIPT ? vb_receipt_decode(bytes, n, &r, &e)
                                          : vb_commitment_decode(bytes, n, &r, &e),
         &e);
    MUST(vb_commitment_check(&r, &e), &e);
    assert_int_equal(r.request.sequence, entry->sequence);
    assert_memory_equal(r.commitment, entry->commitment, sizeof r.commitment);
    if (entry->state == VB_STORE_RECEIPT) {
        uint8_t hash[VB_SHA256_BYTES];
        MUST(vb_receipt_verification_hash(&r, hash, &e), &e);
        assert_memory_equal(hash, entry->verification_hash, sizeof hash);
        assert_memory_equal(r.signature, entry->signature, sizeof r.signature);
    }
    vb_receipt_free(&r);
}

/* What a whole store holds, found by reading all of it. */
typedef struct tally {
    uint64_t first, last, by_state[VB_STORE_ABORT + 1], dropped;
} tally;

static inline vb_err tally_one(void *user, const vb_store_entry *entry, const uint8_t *bytes,
                               vb_error *e) {
    tally *t = user;
    (void)e;
    assert_true(t->last == 0 || entry->sequence == t->last + 1); /* no gap, none twice */
    t->first = t->first ? t->first : entry->sequence;
    t->last = entry->sequence;
    t->by_state[entry->state]++;
    if (entry->n_bytes) {
        check_record(entry, bytes, (size_t)entry->n_bytes);
    } else {
        t->dropped++;
    }
    return VB_OK;
}

static inline tally tally_all(vb_store *s) {
    vb_error e;
    tally t = {.first = 0};
    MUST(vb_store_each(s, NULL, tally_one, &t, &e), &e);
    return t;
}

#endif
