/* Evidence as a follower puts it together. Of forks and of orders at random: who is guilty is
 * convicted, who is not never. Forms and forgeries stand in spec/vectors/log. */
#include <stdlib.h>

#include "tlog/evidence.h"
#include "unit/tlog/sample_log.h"

static vb_ed25519_key *key;
static vb_tlog_key log_key;

static int prepare(void **state) {
    (void)state;
    key = sample_log_key(0);
    log_key = sample_vkey(SAMPLE_ORIGIN, VB_TLOG_SIGNER_LOG, key);
    return 0;
}

static int clean_up(void **state) {
    (void)state;
    vb_ed25519_close(key);
    return 0;
}

/* What is written is what is read, and convicts of the same. */
static vb_err judge(const vb_tlog_evidence *ev, vb_tlog_finding *found) {
    vb_buf b = vb_buf_make(VB_TLOG_EVIDENCE_BYTES_MAX);
    vb_tlog_evidence back;
    vb_tlog_finding again = {.charge = 0};
    vb_error e = {0};
    vb_err err = vb_tlog_evidence_check(ev, found, &e);
    assert_true(err == VB_OK || (err == VB_EMISMATCH && e.msg[0]));
    assert_int_equal(vb_tlog_evidence_encode(ev, &b, NULL), VB_OK);
    assert_int_equal(vb_tlog_evidence_decode(b.data, b.len, &back, NULL), VB_OK);
    assert_int_equal(vb_tlog_evidence_check(&back, &again, NULL), err);
    assert_true(err || strcmp(again.text, found->text) == 0);
    vb_tlog_evidence_free(&back);
    vb_buf_free(&b);
    return err;
}

/* Forks: two trees of 40 entries that differ in one. */

enum { FORK = 40 };

typedef struct views {
    sample_tree tree[2];
    vb_buf note[2][FORK + 1]; /* [tree][size] */
} views;

static views *make_views(size_t differs_at) {
    views *v = calloc(1, sizeof *v);
    assert_non_null(v);
    for (int t = 0; t < 2; t++) {
        for (size_t i = 0; i < FORK; i++) {
            uint8_t entry[2] = {(uint8_t)i, (uint8_t)(t && i == differs_at)};
            sample_add(&v->tree[t], entry, sizeof entry);
        }
        for (size_t size = 1; size <= FORK; size++) {
            v->note[t][size] = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
            sample_note(&v->tree[t], size, key, &v->note[t][size]);
        }
    }
    return v;
}

static void free_views(views *v) {
    for (size_t size = 1; size <= FORK; size++) {
        vb_buf_free(&v->note[0][size]);
        vb_buf_free(&v->note[1][size]);
    }
    free(v);
}

/* The first view's `old` against the second's `size`. */
static void accuse_fork(views *v, size_t old, size_t size, bool guilty) {
    vb_tlog_evidence ev;
    vb_tlog_finding found;
    vb_tlog_hash path[VB_TLOG_PATH_MAX];
    size_t n = 0;
    vb_tlog_evidence_init(&ev, VB_TLOG_CHARGE_FORK, &log_key);
    const vb_buf *first = &v->note[0][old], *second = &v->note[1][size];
    assert_int_equal(vb_tlog_evidence_set_note(&ev, 0, first->data, first->len, NULL), VB_OK);
    assert_int_equal(vb_tlog_evidence_set_note(&ev, 1, second->data, second->len, NULL), VB_OK);
    if (old < size) {
        assert_int_equal(vb_tlog_prove_prefix(old, size, sample_give, &v->tree[1], path, &n, NULL),
                         VB_OK);
        vb_tlog_evidence_set_path(&ev, path, n);
    }
    assert_int_equal(judge(&ev, &found), guilty ? VB_OK : VB_EMISMATCH);
    if (guilty) {
        assert_int_equal(found.charge, VB_TLOG_CHARGE_FORK);
        assert_int_equal(found.sizes[0], old);
        assert_int_equal(found.sizes[1], size);
        assert_int_equal(found.offence.rule, VB_TLOG_RULE_NONE);
    }
    vb_tlog_evidence_free(&ev);
}

static void test_forks(void **state) {
    static const size_t at[] = {0, 7, 21};
    (void)state;
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        views *v = make_views(at[i]);
        for (size_t size = 1; size <= FORK; size += i + 1) {
            for (size_t old = 1; old <= size; old++) {
                accuse_fork(v, old, size, old > at[i]);
            }
        }
        free_views(v);
    }
}

/* Orders. Of every kind, of numbers 1 to 3, two entries whose commitments differ. */

enum { KINDS = 3, NUMBERS = 3, LABELS = 2, LONGEST = 9 };

typedef struct signed_entry {
    vb_tlog_entry entry;
    uint8_t bytes[VB_TLOG_ENTRY_BYTES_MAX];
    size_t n;
} signed_entry;

static signed_entry pool[KINDS][NUMBERS][LABELS];

static void fill_pool(void) {
    for (int k = 0; k < KINDS; k++) {
        for (int n = 0; n < NUMBERS; n++) {
            for (int l = 0; l < LABELS; l++) {
                signed_entry *s = &pool[k][n][l];
                vb_buf b = vb_buf_make(VB_TLOG_ENTRY_BYTES_MAX);
                s->entry =
                    sample_entry((vb_tlog_kind)(k + 1), (uint64_t)n + 1, (char)('a' + l), key);
                assert_int_equal(vb_tlog_entry_encode(&s->entry, &b, NULL), VB_OK);
                memcpy(s->bytes, b.data, b.len);
                s->n = b.len;
                vb_buf_free(&b);
            }
        }
    }
}

/* Entries of a log of n, those of the bits of `shown`, under its checkpoint. */
static vb_err accuse(signed_entry *const *log, size_t n, unsigned shown, vb_tlog_finding *found) {
    sample_tree *tree = calloc(1, sizeof *tree);
    vb_buf note = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    vb_tlog_evidence ev;
    assert_non_null(tree);
    vb_tlog_evidence_init(&ev, VB_TLOG_CHARGE_ENTRIES, &log_key);
    for (size_t i = 0; i < n; i++) {
        sample_add(tree, log[i]->bytes, log[i]->n);
    }
    sample_note(tree, n, key, &note);
    assert_int_equal(vb_tlog_evidence_set_note(&ev, 0, note.data, note.len, NULL), VB_OK);
    for (size_t i = 0; i < n; i++) {
        vb_tlog_proof p = {.entry = {log[i]->bytes, log[i]->n, log[i]->n, log[i]->n}, .index = i};
        assert_int_equal(vb_tlog_prove(i, n, sample_give, tree, p.path, &p.n_path, NULL), VB_OK);
        if (shown >> i & 1) {
            assert_int_equal(vb_tlog_evidence_add(&ev, &p, NULL), VB_OK);
        }
    }
    vb_err err = judge(&ev, found);
    vb_tlog_evidence_free(&ev);
    vb_buf_free(&note);
    free(tree);
    return err;
}

/* The first of n entries that the order refuses; n: none. */
static size_t audit(signed_entry *const *log, size_t n, vb_tlog_offence *offence) {
    vb_tlog_order *o = NULL;
    size_t i = 0;
    assert_int_equal(vb_tlog_order_open(&o, NULL), VB_OK);
    while (i < n && vb_tlog_order_add(o, &log[i]->entry, offence, NULL) == VB_OK) {
        i++;
    }
    vb_tlog_order_close(o);
    return i;
}

/* A sound log, with an entry in every third that may be any. */
static size_t random_log(signed_entry **log, uint64_t *seed) {
    size_t n = 1 + vb_test_random(seed) % LONGEST, next = 0, settled = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t r = vb_test_random(seed);
        if (r % 9 == 0) {
            log[i] = &pool[r / 9 % KINDS][r / 27 % NUMBERS][r / 81 % LABELS];
        } else if (next < NUMBERS && (settled == next || r & 1 << 20)) {
            log[i] = &pool[0][next++][0];
        } else if (settled < next) {
            log[i] = &pool[1 + (r >> 21 & 1)][settled++][0];
        } else {
            return i;
        }
    }
    return n;
}

static void test_orders(void **state) {
    (void)state;
    uint64_t seed = 4;
    size_t n_sound = 0, n_convicted[VB_TLOG_RULE_SETTLED_ANOTHER + 1] = {0};
    fill_pool();
    for (int round = 0; round < 400; round++) {
        signed_entry *log[LONGEST];
        vb_tlog_finding found;
        vb_tlog_offence offence = {.rule = VB_TLOG_RULE_NONE};
        size_t n = random_log(log, &seed);
        if (n == 0) {
            continue;
        }
        size_t bad = audit(log, n, &offence);
        unsigned shown = (unsigned)vb_test_random(&seed) % ((1u << n) - 1) + 1;
        if (bad == n) { /* whatever is shown of it, all of it too */
            n_sound++;
            assert_int_equal(accuse(log, n, shown, &found), VB_EMISMATCH);
            assert_int_equal(accuse(log, n, (1u << n) - 1, &found), VB_EMISMATCH);
        } else if (offence.other != offence.index) {
            /* All from the one entry to the other convicts of the same. */
            shown = (2u << offence.index) - (1u << offence.other);
            if (offence.rule == VB_TLOG_RULE_SETTLED_ANOTHER) {
                shown = 1u << offence.index | 1u << offence.other;
            }
            assert_int_equal(accuse(log, n, shown, &found), VB_OK);
            assert_int_equal(found.offence.rule, offence.rule);
            assert_int_equal(found.offence.index, offence.index);
            assert_int_equal(found.offence.other, offence.other);
            assert_int_equal(found.offence.sequence, offence.sequence);
            n_convicted[offence.rule]++;
        }
    }
    assert_true(n_sound > 50 && n_convicted[VB_TLOG_RULE_GAP] > 20);
    assert_true(n_convicted[VB_TLOG_RULE_SETTLED_ANOTHER] > 5);
}

/* What does not fit is said, and what was there stays or is replaced whole. */
static void test_limits(void **state) {
    (void)state;
    static uint8_t large[VB_TLOG_SHOWN_BYTES_MAX + 1];
    vb_tlog_evidence ev;
    vb_tlog_proof p = {.entry = {large, 1, 1, 1}};
    vb_buf out = vb_buf_make(VB_TLOG_EVIDENCE_BYTES_MAX);
    vb_error e = {0};
    memset(large, 'x', sizeof large);
    vb_tlog_evidence_init(&ev, VB_TLOG_CHARGE_ENTRIES, &log_key);
    assert_int_equal(vb_tlog_evidence_set_note(&ev, 0, large, VB_TLOG_NOTE_BYTES_MAX + 1, &e),
                     VB_ELIMIT);
    assert_int_equal(vb_tlog_evidence_set_note(&ev, 0, "a", 1, &e), VB_OK);
    assert_int_equal(vb_tlog_evidence_set_note(&ev, 0, "bc", 2, &e), VB_OK);
    assert_int_equal(ev.notes[0].len, 2);
    for (p.index = 0; p.index < VB_TLOG_EVIDENCE_ENTRIES_MAX; p.index++) {
        assert_int_equal(vb_tlog_evidence_add(&ev, &p, &e), VB_OK);
    }
    assert_int_equal(vb_tlog_evidence_encode(&ev, &out, &e), VB_OK);
    assert_int_equal(vb_tlog_evidence_add(&ev, &p, &e), VB_ELIMIT);
    assert_int_equal(ev.n_entries, VB_TLOG_EVIDENCE_ENTRIES_MAX);
    vb_tlog_evidence_free(&ev);
    assert_true(!ev.entries && !ev.n_entries && !ev.notes[0].data);

    vb_tlog_evidence_init(&ev, VB_TLOG_CHARGE_ENTRIES, &log_key);
    assert_int_equal(vb_tlog_evidence_set_note(&ev, 0, "a", 1, &e), VB_OK);
    out.len = 0;
    assert_int_equal(vb_tlog_evidence_encode(&ev, &out, &e), VB_EFORMAT); /* no entry */
    p = (vb_tlog_proof){.entry = {large, sizeof large, sizeof large, sizeof large}};
    assert_int_equal(vb_tlog_evidence_add(&ev, &p, &e), VB_ELIMIT);
    p.entry.len = VB_TLOG_SHOWN_BYTES_MAX;
    for (p.index = 7; p.index < 7 + 192; p.index++) { /* 16 MiB and a bit, in base64 */
        assert_int_equal(vb_tlog_evidence_add(&ev, &p, &e), VB_OK);
    }
    assert_int_equal(vb_tlog_evidence_encode(&ev, &out, &e), VB_ELIMIT);
    vb_tlog_evidence_free(&ev);

    vb_tlog_evidence_init(&ev, VB_TLOG_CHARGE_ENTRIES, &log_key);
    assert_int_equal(vb_tlog_evidence_set_note(&ev, 0, "a", 1, &e), VB_OK);
    p.entry.len = 1;
    assert_int_equal(vb_tlog_evidence_add(&ev, &p, &e), VB_OK);
    assert_int_equal(vb_tlog_evidence_add(&ev, &p, &e), VB_OK); /* an index twice */
    assert_int_equal(vb_tlog_evidence_encode(&ev, &out, &e), VB_EFORMAT);
    assert_int_equal(out.len, 0);
    vb_tlog_evidence_free(&ev);
    vb_buf_free(&out);
}

/* Evidence of nothing convicts nobody, without having been read. */
static void test_empty(void **state) {
    (void)state;
    vb_tlog_finding found;
    vb_error e;
    for (int charge = 0; charge <= VB_TLOG_CHARGE_COMMITMENT + 1; charge++) {
        vb_tlog_evidence ev;
        e = (vb_error){0};
        vb_tlog_evidence_init(&ev, (vb_tlog_charge)charge, &log_key);
        assert_int_equal(vb_tlog_evidence_check(&ev, &found, &e), VB_EMISMATCH);
        assert_true(e.msg[0] != 0);
        vb_tlog_evidence_free(&ev);
    }
    sample_tree tree = {.range = {.size = 0}};
    vb_buf note = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    vb_tlog_evidence ev;
    sample_add(&tree, "x", 1);
    sample_note(&tree, 1, key, &note);
    vb_tlog_evidence_init(&ev, VB_TLOG_CHARGE_ENTRIES, &log_key);
    assert_int_equal(vb_tlog_evidence_set_note(&ev, 0, note.data, note.len, NULL), VB_OK);
    assert_int_equal(vb_tlog_evidence_check(&ev, &found, &e), VB_EMISMATCH);
    vb_tlog_evidence_free(&ev);
    vb_buf_free(&note);
    assert_string_equal(vb_tlog_charge_name((vb_tlog_charge)0), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forks),
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests(tests, prepare, clean_up);
}
