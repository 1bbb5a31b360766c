/* The order of a log, against a plain model that keeps everything; and the names of its files. */
#include <stdio.h>
#include <string.h>

#include "support/testing.h"
#include "tlog/order.h"
#include "tlog/path.h"

/* Names */

static void names_of_files(void **state) {
    (void)state;
    static const struct {
        vb_tlog_file f;
        const char *path;
    } files[] = {
        {{VB_TLOG_FILE_CHECKPOINT, 0, 0, 0}, "checkpoint"},
        {{VB_TLOG_FILE_INFO, 0, 0, 0}, "log.json"},
        {{VB_TLOG_FILE_TILE, 0, 0, 256}, "tile/0/000"},
        {{VB_TLOG_FILE_TILE, 3, 255, 1}, "tile/3/255.p/1"},
        {{VB_TLOG_FILE_TILE, 1, 1000, 255}, "tile/1/x001/000.p/255"},
        {{VB_TLOG_FILE_TILE, 0, 1234067, 256}, "tile/0/x001/x234/067"},
        {{VB_TLOG_FILE_TILE, 5, 0, 1}, "tile/5/000.p/1"},
        {{VB_TLOG_FILE_ENTRIES, 0, 4294967295, 256}, "tile/entries/x004/x294/x967/295"},
    };
    static const char *const none[] = {"",
                                       "/checkpoint",
                                       "checkpoint/",
                                       "tile",
                                       "tile/",
                                       "tile/0",
                                       "tile/0/",
                                       "tile/0/00",
                                       "tile/0/0000",
                                       "tile/0/000/",
                                       "tile/00/000",
                                       "tile/6/000",
                                       "tile/5/000",
                                       "tile/5/000.p/2",
                                       "tile/3/256",
                                       "tile/0/x000/001",
                                       "tile/0/001/000",
                                       "tile/0/x001",
                                       "tile/0/x001/x000",
                                       "tile/0/000.p",
                                       "tile/0/000.p/",
                                       "tile/0/000.p/0",
                                       "tile/0/000.p/01",
                                       "tile/0/000.p/256",
                                       "tile/0/000.p/1/",
                                       "tile/0/000.p/-1",
                                       "tile/-/000",
                                       "tile/entries/",
                                       "tile/entries/x1/000",
                                       "tile/entries/x004/x294/x967/296",
                                       "tile/0/x001/x000/x000/x000/000",
                                       "tile/0/../000",
                                       "lock",
                                       "tile/0/+01",
                                       "tile/0/ 01"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[VB_TLOG_PATH_BYTES];
        vb_tlog_file f;
        vb_tlog_file_path(&files[i].f, path);
        assert_string_equal(path, files[i].path);
        assert_true(vb_tlog_file_parse(path, &f));
        assert_int_equal(f.kind, files[i].f.kind);
        assert_int_equal(f.level, files[i].f.level);
        assert_int_equal(f.index, files[i].f.index);
        assert_int_equal(f.width, files[i].f.width);
    }
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        vb_tlog_file f = {.index = 77};
        if (vb_tlog_file_parse(none[i], &f)) {
            fail_msg("taken: %s", none[i]);
        }
        assert_int_equal(f.index, 77);
    }
}

/* The example of tlog-tiles: a tree of 70,000. */
static void widths(void **state) {
    (void)state;
    assert_int_equal(vb_tlog_tile_width(70000, 0, 272), 256);
    assert_int_equal(vb_tlog_tile_width(70000, 0, 273), 112);
    assert_int_equal(vb_tlog_tile_width(70000, 0, 274), 0);
    assert_int_equal(vb_tlog_tile_width(70000, 1, 0), 256);
    assert_int_equal(vb_tlog_tile_width(70000, 1, 1), 17);
    assert_int_equal(vb_tlog_tile_width(70000, 2, 0), 1);
    assert_int_equal(vb_tlog_tile_width(70000, 3, 0), 0);
    assert_int_equal(vb_tlog_tile_width(256, 1, 0), 1);
    assert_int_equal(vb_tlog_tile_width(255, 1, 0), 0);
}

/* Order */

enum { NUMBERS = 4096, STEPS = 200000 };

typedef struct model {
    uint64_t first, last, n;
    uint64_t index[NUMBERS];
    uint8_t commitment[NUMBERS]; /* its first byte */
    bool settled[NUMBERS];
} model;

static vb_tlog_rule expect(model *m, const vb_tlog_entry *x, uint64_t *other) {
    *other = m->n;
    if (x->kind == VB_TLOG_COMMITMENT) {
        if (x->sequence == 0 || (m->last && x->sequence != m->last + 1)) {
            *other = m->last ? m->index[m->last] : m->n;
            return VB_TLOG_RULE_GAP;
        }
        m->first = m->first ? m->first : x->sequence;
        m->last = x->sequence;
        m->index[m->last] = m->n;
        m->commitment[m->last] = x->commitment[0];
        m->settled[m->last] = false;
    } else {
        if (x->sequence < m->first || x->sequence > m->last || !m->last) {
            return VB_TLOG_RULE_SETTLED_BEFORE;
        }
        if (m->settled[x->sequence]) {
            return VB_TLOG_RULE_SETTLED_TWICE;
        }
        if (m->commitment[x->sequence] != x->commitment[0]) {
            *other = m->index[x->sequence];
            return VB_TLOG_RULE_SETTLED_ANOTHER;
        }
        m->settled[x->sequence] = true;
    }
    m->n++;
    return VB_TLOG_RULE_NONE;
}

static void as_the_model(void **state) {
    (void)state;
    static model m;
    uint64_t seed = 20261123, seen[VB_TLOG_RULE_SETTLED_ANOTHER + 1] = {0};
    vb_tlog_order *o;
    vb_error e = {VB_OK, ""};
    assert_int_equal(vb_tlog_order_open(&o, &e), VB_OK);
    for (int i = 0; i < STEPS; i++) {
        vb_tlog_entry x = {.kind = (vb_tlog_kind)(1 + vb_test_random(&seed) % 3)};
        const uint64_t r = vb_test_random(&seed) % 16;
        const uint64_t behind = vb_test_random(&seed) % (r == 0 ? NUMBERS : 100);
        x.commitment[0] = vb_test_random(&seed) % 50 == 0;
        x.issued_at_ms = 1000 + (uint64_t)i;
        if (x.kind == VB_TLOG_COMMITMENT) {
            x.sequence = m.last ? m.last + 1 + (r == 1) - (r == 2) : 5;
        } else {
            x.sequence = r == 3 ? m.last + 1 : m.last > behind ? m.last - behind : 0;
        }
        if (x.sequence >= NUMBERS) {
            continue;
        }
        vb_tlog_offence offence = {.rule = VB_TLOG_RULE_NONE};
        uint64_t other;
        const vb_tlog_rule rule = expect(&m, &x, &other);
        assert_int_equal(vb_tlog_order_add(o, &x, &offence, &e), rule ? VB_EMISMATCH : VB_OK);
        assert_int_equal(offence.rule, rule);
        seen[rule]++;
        if (rule) {
            assert_int_equal(offence.index, m.n);
            assert_int_equal(offence.sequence, x.sequence);
            assert_int_equal(offence.other, other);
            assert_non_null(strstr(e.msg, vb_tlog_rule_name(rule)));
        }
    }
    vb_tlog_counts counts;
    vb_tlog_withheld w;
    uint64_t open = 0, lowest = 0;
    for (uint64_t s = m.first; s <= m.last; s++) {
        open += !m.settled[s];
        lowest = lowest || m.settled[s] ? lowest : s;
    }
    vb_tlog_order_count(o, &counts);
    assert_int_equal(counts.entries, m.n);
    assert_int_equal(counts.first, m.first);
    assert_int_equal(counts.last, m.last);
    assert_int_equal(counts.open, open);
    assert_int_equal(counts.receipts + counts.aborts + counts.open, m.last - m.first + 1);
    vb_tlog_order_withheld(o, UINT64_MAX, &w);
    assert_int_equal(w.n, open);
    assert_int_equal(w.sequence, lowest);
    assert_int_equal(w.index, m.index[lowest]);
    vb_tlog_order_withheld(o, w.issued_at_ms, &w);
    assert_int_equal(w.n, 0);
    assert_true(seen[VB_TLOG_RULE_GAP] > 100 && seen[VB_TLOG_RULE_SETTLED_TWICE] > 100 &&
                seen[VB_TLOG_RULE_SETTLED_BEFORE] > 100 && seen[VB_TLOG_RULE_SETTLED_ANOTHER] > 50);
    vb_tlog_order_close(o);
}

/* What is open is bounded; once something is settled there is room again. */
static void limit(void **state) {
    (void)state;
    vb_tlog_order *o;
    vb_error e = {VB_OK, ""};
    vb_tlog_entry x = {.kind = VB_TLOG_COMMITMENT};
    assert_int_equal(vb_tlog_order_open(&o, &e), VB_OK);
    for (x.sequence = 1; x.sequence <= VB_TLOG_OPEN_MAX; x.sequence++) {
        assert_int_equal(vb_tlog_order_add(o, &x, NULL, &e), VB_OK);
    }
    assert_int_equal(vb_tlog_order_add(o, &x, NULL, &e), VB_ELIMIT);
    const vb_tlog_entry settled = {.kind = VB_TLOG_ABORT, .sequence = 3};
    assert_int_equal(vb_tlog_order_add(o, &settled, NULL, &e), VB_OK);
    assert_int_equal(vb_tlog_order_add(o, &x, NULL, &e), VB_OK);
    vb_tlog_order_close(o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_files),
        cmocka_unit_test(widths),
        cmocka_unit_test(as_the_model),
        cmocka_unit_test(limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
