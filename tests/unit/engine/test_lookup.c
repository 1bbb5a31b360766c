/*
 * Prompt lookup: its drafts against a slow, plain definition; how long they are as they prove right
 * or wrong, and as the pass fills.
 */
#include "support/testing.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/lookup.h"

enum { TOKENS = 6000, DRAFT = VB_LOOKUP_DRAFT_MAX };

static const size_t lengths[] = {16, 8, 4, 3, 2};
static vb_error e;

static vb_lookup *open_for(size_t tokens_max) {
    vb_lookup *l = NULL;
    assert_int_equal(vb_lookup_open(tokens_max, &l, &e), VB_OK);
    return l;
}

static const double *costs(void) {
    return vb_lookup_costs((uint64_t)1 << 30, "avx512vnni");
}

static vb_lookup_pass pass_of(size_t n_sequences) {
    return (vb_lookup_pass){costs(), n_sequences, (double)n_sequences};
}

/* ---- the draft ---- */

/* Where the last n of n_tokens tokens ended when they occurred before, or 0. */
static size_t plain_before(const uint32_t *tokens, size_t n_tokens, size_t n) {
    size_t end = n_tokens;
    while (--end >= n) {
        if (memcmp(tokens + end - n, tokens + n_tokens - n, n * sizeof *tokens) == 0) {
            return end;
        }
    }
    return 0;
}

static size_t plain_guess(const uint32_t *tokens, size_t n_tokens, uint32_t out[DRAFT]) {
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        const size_t end = plain_before(tokens, n_tokens, lengths[i]);
        for (size_t j = 0; end && j < DRAFT; j++) {
            out[j] = end + j < n_tokens ? tokens[end + j] : out[j - (n_tokens - end)];
        }
        if (end) {
            return lengths[i];
        }
    }
    return 0;
}

/* Texts of a few or of many different tokens, with copies of what was before. */
static void make_text(uint32_t *tokens, size_t n, uint32_t n_different, uint64_t *seed) {
    for (size_t i = 0; i < n;) {
        const size_t length = 1 + vb_test_random(seed) % 40;
        const size_t from = i > 1 ? vb_test_random(seed) % (i - 1) : 0;
        const bool copy = i > 1 && vb_test_random(seed) % 3 == 0;
        for (size_t j = 0; j < length && i < n; j++, i++) {
            tokens[i] = copy ? tokens[from + j] : (uint32_t)(vb_test_random(seed) % n_different);
        }
    }
}

static void test_plain_definition(void **state) {
    (void)state;
    static const uint32_t different[] = {1, 2, 3, 30, 1000, 200000};
    static uint32_t tokens[TOKENS];
    uint64_t seed = 7;
    size_t n_found = 0, n_none = 0;
    for (size_t k = 0; k < sizeof different / sizeof different[0]; k++) {
        const size_t n = k < 3 ? TOKENS / 10 : TOKENS / 2;
        vb_lookup *l = open_for(n);
        make_text(tokens, n, different[k], &seed);
        for (size_t i = 0; i < n; i++) {
            uint32_t want[DRAFT], got[DRAFT];
            vb_lookup_add(l, &tokens[i], 1);
            assert_int_equal(vb_lookup_length(l), i + 1);
            const size_t gram = plain_guess(tokens, i + 1, want);
            assert_int_equal(vb_lookup_guess(l, DRAFT, got), gram);
            assert_true(gram == 0 || memcmp(got, want, sizeof want) == 0);
            n_found += gram > 0;
            n_none += gram == 0;
        }
        vb_lookup_close(l);
    }
    assert_true(n_found > 3000 && n_none > 1000);
}

/* In pieces or at once: the same. */
static void test_pieces(void **state) {
    (void)state;
    static uint32_t tokens[TOKENS];
    uint64_t seed = 8;
    uint32_t a[DRAFT], b[DRAFT];
    make_text(tokens, TOKENS, 50, &seed);
    vb_lookup *one = open_for(TOKENS), *many = open_for(TOKENS);
    for (size_t at = 0; at < TOKENS;) {
        const size_t left = TOKENS - at, n = 1 + vb_test_random(&seed) % (left < 99 ? left : 99);
        vb_lookup_add(many, tokens + at, n);
        at += n;
    }
    vb_lookup_add(one, tokens, TOKENS);
    const size_t gram = vb_lookup_guess(one, DRAFT, a);
    assert_true(gram > 0);
    assert_int_equal(vb_lookup_guess(many, DRAFT, b), gram);
    assert_memory_equal(a, b, sizeof a);
    vb_lookup_close(one);
    vb_lookup_close(many);
    vb_lookup_close(NULL);
}

/* More n-grams than there is memory for: old ones are forgotten, and what is found is still an
 * occurrence, and of what came lately the last one. */
static void test_forgets(void **state) {
    (void)state;
    enum { LONG = 200000, LATELY = 500 };
    uint32_t *tokens = malloc(LONG * sizeof *tokens), want[DRAFT], got[DRAFT];
    uint64_t seed = 9;
    assert_non_null(tokens);
    for (size_t i = 0; i < LONG; i++) {
        tokens[i] = (uint32_t)(vb_test_random(&seed) % 100000);
    }
    vb_lookup *l = open_for(2 * LONG);
    vb_lookup_add(l, tokens, LONG);
    size_t forgotten = 0;
    for (size_t at = 0; at + 16 < LONG; at += 997) {
        vb_lookup_add(l, tokens + at, 16);
        const size_t gram = vb_lookup_guess(l, 1, got);
        forgotten += gram < 16;
        assert_true(gram < 16 || got[0] == tokens[at + 16]);
    }
    assert_true(forgotten > 50);
    const uint32_t *lately = tokens + LONG - LATELY;
    vb_lookup_close(l);
    l = open_for(2 * LONG);
    vb_lookup_add(l, tokens, LONG);
    for (size_t at = 0; at + 16 + DRAFT < LATELY; at += 40) {
        vb_lookup_add(l, lately + at, 16);
        memcpy(want, lately + at + 16, sizeof want);
        assert_int_equal(vb_lookup_guess(l, DRAFT, got), 16);
        assert_memory_equal(got, want, sizeof want);
    }
    vb_lookup_close(l);
    free(tokens);
}

/* ---- how long it is ---- */

/* A sequence that repeats itself, after `period` tokens; ends with an n-gram known. */
static vb_lookup *open_loop(size_t period) {
    vb_lookup *l = open_for(100000);
    for (uint32_t i = 0; i < 3 * period; i++) {
        const uint32_t token = i % (uint32_t)period;
        vb_lookup_add(l, &token, 1);
    }
    return l;
}

static size_t draft_alone(vb_lookup *l, size_t n_max, uint32_t *out) {
    vb_lookup_pass pass = pass_of(1);
    const size_t n = vb_lookup_draft(l, n_max, &pass, out);
    assert_int_equal(pass.n_rows, 1 + n);
    assert_true(n == 0 ? pass.n_tokens == 1 : pass.n_tokens > 1 && pass.n_tokens < (double)(1 + n));
    return n;
}

/* Drafts that prove right become as long as they may. */
static void test_grows(void **state) {
    (void)state;
    uint32_t out[DRAFT];
    vb_lookup *l = open_loop(20);
    const size_t first = draft_alone(l, DRAFT, out);
    assert_true(first > 0 && first < 8);
    size_t last = first, at = 60;
    for (size_t i = 0; i < 20; i++) {
        for (size_t j = 0; j < last; j++) {
            assert_int_equal(out[j], (at + j) % 20);
        }
        vb_lookup_learn(l, last);
        vb_lookup_add(l, out, last);
        at += last;
        const size_t next = draft_alone(l, DRAFT, out);
        assert_true(next >= last);
        last = next;
    }
    assert_int_equal(last, DRAFT);
    vb_lookup_learn(l, last);
    for (size_t n_max = 0; n_max < 6; n_max++) { /* what there is room for */
        const size_t n = draft_alone(l, n_max, out);
        assert_true(n <= n_max && (n_max != 3 || n == 3));
    }
    vb_lookup_close(l);
}

/* Drafts that prove wrong stop, but for ever rarer trials; one that is right starts them again. */
static void test_backs_off(void **state) {
    (void)state;
    enum { OCCASIONS = 1000 };
    uint32_t out[DRAFT];
    vb_lookup *l = open_loop(20);
    size_t n_rows = 0, early = 0, last_trial = 0, longest_gap = 0, at = 60;
    for (size_t i = 0; i < OCCASIONS; i++) {
        const size_t n = draft_alone(l, DRAFT, out);
        if (n) {
            longest_gap = i - last_trial > longest_gap ? i - last_trial : longest_gap;
            last_trial = i;
            vb_lookup_learn(l, 0);
        }
        n_rows += n;
        early += i < 10 ? n : 0;
        assert_true(i < 10 || n <= 1);
        const uint32_t token = (uint32_t)(at++ % 20);
        vb_lookup_add(l, &token, 1);
    }
    assert_true(early >= 3);
    assert_true(n_rows < OCCASIONS / 30 && longest_gap >= 60 && longest_gap <= 64);
    size_t n_right = 0;
    for (size_t i = 0; i < 200; i++) {
        const size_t n = draft_alone(l, DRAFT, out);
        vb_lookup_learn(l, n);
        n_right += n;
        const uint32_t token = (uint32_t)(at++ % 20);
        vb_lookup_add(l, &token, 1);
    }
    assert_true(n_right > 100 * DRAFT / 2);
    vb_lookup_close(l);
}

/* The more sequences a pass has, the fewer rows of drafts; never beyond the most. */
static void test_shares_the_pass(void **state) {
    (void)state;
    uint32_t out[DRAFT];
    for (size_t n_sequences = 1; n_sequences <= 20; n_sequences++) {
        vb_lookup *l = open_loop(20);
        vb_lookup_pass pass = pass_of(n_sequences);
        size_t n = vb_lookup_draft(l, DRAFT, &pass, out);
        assert_true(n <= DRAFT && pass.n_rows == n_sequences + n);
        assert_true(n == 0 || pass.n_rows <= VB_LOOKUP_ROWS_MAX);
        assert_true(n_sequences < VB_LOOKUP_ROWS_MAX || n == 0);
        vb_lookup_close(l);
    }
    /* Where rows cost as much as a pass, a draft would have to be certain. */
    vb_lookup *l = open_loop(20);
    double dear[VB_LOOKUP_ROWS_MAX + 1];
    for (size_t i = 0; i <= VB_LOOKUP_ROWS_MAX; i++) {
        dear[i] = (double)i;
    }
    vb_lookup_pass pass = {dear, 1, 1};
    assert_int_equal(vb_lookup_draft(l, DRAFT, &pass, out), 0);
    vb_lookup_close(l);
}

static void test_costs(void **state) {
    (void)state;
    static const char *const tiers[] = {"scalar", "avx2", "avx512vnni", "neon"};
    for (size_t t = 0; t < 4; t++) {
        for (size_t big = 0; big < 2; big++) {
            const double *c = vb_lookup_costs((uint64_t)1 << (big ? 33 : 20), tiers[t]);
            assert_true(c[1] == 1);
            for (size_t r = 2; r <= VB_LOOKUP_ROWS_MAX; r++) {
                assert_true(c[r] > 1 && c[r] < (double)r);
            }
        }
    }
    assert_true(costs()[8] < vb_lookup_costs(1 << 20, "avx512vnni")[8]);
    assert_true(costs()[8] < vb_lookup_costs(1 << 30, "avx2")[8]);
    assert_true(vb_lookup_costs(1 << 30, "avx2")[8] < vb_lookup_costs(1 << 20, "avx2")[8]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_definition),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_forgets),
        cmocka_unit_test(test_grows),
        cmocka_unit_test(test_backs_off),
        cmocka_unit_test(test_shares_the_pass),
        cmocka_unit_test(test_costs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
