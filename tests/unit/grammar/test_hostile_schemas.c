/*
 * Schemas made to exhaust whoever compiles them: deep, wide, in circles, with alternatives of
 * alternatives. Each is compiled or refused by a named limit, within memory and time that are
 * counted here; what is compiled still gives a mask at every step.
 */
#include "grammar_kit.h"

#include <malloc.h>
#include <time.h>

static vb_tokenizer *tokenizer;
static vb_vocabulary *vocabulary;

static int setup(void **state) {
    (void)state;
    tokenizer = kit_tokenizer();
    vocabulary = kit_vocabulary(tokenizer);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    vb_vocabulary_close(vocabulary);
    vb_tokenizer_close(tokenizer);
    return 0;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* A few seconds under sanitizers on a slow machine; a tenth of that is usual. */
static const double SECONDS_MAX = 8;

static void put(vb_buf *b, const char *text) {
    assert_int_equal(vb_buf_append(b, text, strlen(text)), VB_OK);
}

static void put_n(vb_buf *b, const char *fmt, unsigned n) {
    assert_int_equal(vb_buf_printf(b, fmt, n, n, n), VB_OK);
}

static vb_buf begin(void) {
    vb_buf b = vb_buf_make(1u << 24);
    put(&b, "{\"type\":\"json_schema\",\"schema\":");
    return b;
}

/* Compiles what b says, frees it; want VB_OK, or the error. A few random steps follow. */
static void compile(vb_buf *b, vb_err want, const char *message) {
    put(b, "}");
    vb_grammar *g = NULL;
    vb_error e = {0};
    const double before = now();
    const vb_err err = kit_open((const char *)b->data, &g, &e);
    if (err != want || (err && !strstr(e.msg, message))) {
        fail_msg("%.60s...: %s: %s", (const char *)b->data, vb_err_name(err), e.msg);
    }
    vb_buf_free(b);
    if (!err) {
        static uint64_t bits[64];
        uint64_t rng = 3;
        vb_grammar_state *s = kit_state(g, vocabulary), *copy = kit_state(g, vocabulary);
        for (int i = 0; i < 12; i++) {
            const size_t count = kit_check_mask(s, copy, tokenizer, bits);
            const uint32_t id = kit_draw(bits, vb_tokenizer_size(tokenizer), count, &rng);
            assert_int_equal(vb_grammar_accept(s, id, &e), VB_OK);
        }
        vb_grammar_state_close(s);
        vb_grammar_state_close(copy);
        vb_grammar_close(g);
    }
    const double took = now() - before;
    if (took > SECONDS_MAX) {
        fail_msg("%s: %.1f s", message, took);
    }
}

static void deep(void **state) {
    (void)state;
    vb_buf b = begin();
    for (unsigned i = 0; i < 40; i++) {
        put(&b, "{\"items\":");
    }
    put(&b, "true");
    for (unsigned i = 0; i < 40; i++) {
        put(&b, "}");
    }
    compile(&b, VB_ELIMIT, "nested deeper");
    /* As deep as may be written, and through references as deep as an answer may be. */
    b = begin();
    put(&b, "{\"$ref\":\"#/$defs/d0\",\"$defs\":{");
    for (unsigned i = 0; i < VB_GRAMMAR_DEPTH_MAX; i++) {
        assert_int_equal(vb_buf_printf(&b,
                                       "\"d%u\":{\"type\":\"array\",\"minItems\":1,\"items\":{"
                                       "\"$ref\":\"#/$defs/d%u\"}},",
                                       i, i + 1),
                         VB_OK);
    }
    vb_buf deeper = vb_buf_make(1u << 24);
    assert_int_equal(vb_buf_append(&deeper, b.data, b.len), VB_OK);
    put_n(&b, "\"d%u\":{\"type\":\"null\"}}}", VB_GRAMMAR_DEPTH_MAX);
    compile(&b, VB_OK, "as deep as an answer may be");
    put_n(&deeper, "\"d%u\":{\"type\":\"array\"}}}", VB_GRAMMAR_DEPTH_MAX);
    compile(&deeper, VB_EINVAL, "no text satisfies it within 32");
}

static void wide(void **state) {
    (void)state;
    for (unsigned n = VB_GRAMMAR_PROPERTIES_MAX; n <= VB_GRAMMAR_PROPERTIES_MAX + 1; n++) {
        vb_buf b = begin();
        put(&b, "{\"properties\":{");
        for (unsigned i = 0; i < n; i++) {
            put_n(&b, i ? ",\"p%u\":{}" : "\"p%u\":{}", i);
        }
        put(&b, "}}");
        compile(&b, n > VB_GRAMMAR_PROPERTIES_MAX ? VB_ELIMIT : VB_OK, "more than 256 properties");
    }
    vb_buf b = begin();
    put(&b, "{\"required\":[");
    for (unsigned i = 0; i < 300; i++) {
        put_n(&b, i ? ",\"p%u\"" : "\"p%u\"", i);
    }
    put(&b, "]}");
    compile(&b, VB_ELIMIT, "more than 256 properties");
    b = begin();
    put(&b, "{\"enum\":[\"\"");
    for (unsigned i = 0; i < 20000; i++) {
        put_n(&b, ",\"v%u\"", i);
    }
    put(&b, "]}");
    compile(&b, VB_OK, "an enum of many");
    b = begin();
    put(&b, "{\"enum\":[[]");
    for (unsigned i = 0; i < 9000; i++) {
        put_n(&b, ",[%u]", i);
    }
    put(&b, "]}");
    compile(&b, VB_ELIMIT, "schemas and values");
    b = begin();
    put(&b, "{\"prefixItems\":[true");
    for (unsigned i = 0; i < 20000; i++) {
        put(&b, ",{\"type\":\"null\"}");
    }
    put(&b, "]}");
    compile(&b, VB_ELIMIT, ""); /* of bytes */
    b = begin();
    put(&b, "{\"const\":\"");
    for (unsigned i = 0; i < 30000; i++) {
        put(&b, "0123456789");
    }
    put(&b, "\"}");
    compile(&b, VB_ELIMIT, "constraint: ");
}

/* n definitions, each of which may be any of the others. */
static void everything_is_everything(unsigned n, const char *last, vb_err want,
                                     const char *message) {
    vb_buf b = begin();
    put(&b, "{\"$ref\":\"#/$defs/d0\",\"$defs\":{");
    for (unsigned i = 0; i < n; i++) {
        put_n(&b, i ? ",\"d%u\":{\"anyOf\":[" : "\"d%u\":{\"anyOf\":[", i);
        for (unsigned k = 0; k < n; k++) {
            put_n(&b, "{\"$ref\":\"#/$defs/d%u\"},", k);
        }
        put_n(&b, last, i);
        put(&b, "]}");
    }
    put(&b, "}}");
    compile(&b, want, message);
}

static void circles(void **state) {
    (void)state;
    everything_is_everything(2, "false", VB_EINVAL, "no text satisfies it");
    everything_is_everything(30, "{\"const\":%u}", VB_OK, "constants in circles");
    everything_is_everything(30, "{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/d%u\"}}", VB_OK,
                             "arrays in circles");
    everything_is_everything(30,
                             "{\"properties\":{\"a%u\":{\"$ref\":\"#/$defs/d%u\"},\"b\":{\"$ref\":"
                             "\"#/$defs/d%u\"}}}",
                             VB_OK, "objects in circles");
    /* A chain of references, longer than any stack. */
    vb_buf b = begin();
    put(&b, "{\"$ref\":\"#/$defs/d0\",\"$defs\":{");
    for (unsigned i = 0; i < 4000; i++) {
        assert_int_equal(vb_buf_printf(&b, "\"d%u\":{\"$ref\":\"#/$defs/d%u\"},", i, i + 1), VB_OK);
    }
    put(&b, "\"d4000\":{\"$ref\":\"#/$defs/d0\"}}}");
    compile(&b, VB_ELIMIT, "too entangled");
}

/* Alternatives that texts keep apart in exponentially many ways: each array may hold any half of a
 * set, and a prefix of brackets leaves all of them open. */
static void alternatives(void **state) {
    (void)state;
    vb_buf b = begin();
    put(&b, "{\"anyOf\":[{\"const\":0}");
    for (unsigned i = 0; i < 12; i++) {
        assert_int_equal(
            vb_buf_printf(&b, ",{\"prefixItems\":[{\"$ref\":\"#\"},{\"const\":%u}]}", i), VB_OK);
    }
    put(&b, "]}");
    compile(&b, VB_OK, "brackets that leave all open");
    for (unsigned n = VB_GRAMMAR_LIVE_MAX; n <= VB_GRAMMAR_LIVE_MAX + 1; n++) {
        b = begin();
        put(&b, "{\"anyOf\":[{\"required\":[\"x\"]}");
        for (unsigned i = 1; i < n; i++) {
            put_n(&b, ",{\"required\":[\"r%u\"]}", i);
        }
        put(&b, "]}");
        compile(&b, n > VB_GRAMMAR_LIVE_MAX ? VB_ELIMIT : VB_OK, "more than 256 alternatives");
    }
    /* Elements 0 to 13 each choose one of two successors: 2^13 sets and more. */
    b = begin();
    put(&b, "{\"anyOf\":[{\"$ref\":\"#/$defs/d0\"}");
    for (unsigned i = 1; i < 14; i++) {
        put_n(&b, ",{\"$ref\":\"#/$defs/d%u\"}", i);
    }
    put(&b, "],\"$defs\":{");
    for (unsigned i = 0; i < 14; i++) {
        put_n(&b, i ? ",\"d%u\":{\"properties\":{" : "\"d%u\":{\"properties\":{", i);
        for (unsigned k = 0; k < 14; k++) {
            /* Name k leaves out member k, and moves the others on by one. */
            const unsigned to = (i + 1) % 14;
            if (k) {
                put(&b, ",");
            }
            assert_int_equal(k == i
                                 ? vb_buf_printf(&b, "\"n%u\":false", k)
                                 : vb_buf_printf(&b, "\"n%u\":{\"$ref\":\"#/$defs/d%u\"}", k, to),
                             VB_OK);
        }
        put(&b, "}}");
    }
    put(&b, "}}");
    compile(&b, VB_ELIMIT, "overlap in more than 4096 ways");
}

/* All of this stays within a few megabytes. */
static void memory(void **state) {
    (void)state;
    const struct mallinfo2 before = mallinfo2();
    vb_buf b = begin();
    put(&b, "{\"anyOf\":[");
    for (unsigned i = 0; i < 200; i++) {
        put_n(&b,
              i ? ",{\"prefixItems\":[{\"$ref\":\"#\"},{\"const\":%u}]}"
                : "{\"type\":\"array\",\"maxItems\":%u}",
              i);
    }
    put(&b, "]}}");
    vb_grammar *g = NULL;
    vb_error e = {0};
    if (kit_open((const char *)b.data, &g, &e)) {
        fail_msg("%s", e.msg);
    }
    vb_buf_free(&b);
    vb_grammar_state *s = kit_state(g, vocabulary);
    static uint64_t bits[64];
    for (unsigned i = 0; i < VB_GRAMMAR_DEPTH_MAX - 1; i++) {
        assert_int_equal(vb_grammar_mask(s, vb_tokenizer_size(tokenizer), bits, &e), VB_OK);
        assert_true(vb_grammar_feed(s, "[", 1));
    }
    const struct mallinfo2 after = mallinfo2();
    const size_t used = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
    print_message("  %zu KiB with every level full%s\n", used / 1024,
                  used ? "" : ": this allocator does not count");
    assert_true(used < (size_t)64 << 20);
    vb_grammar_state_close(s);
    vb_grammar_close(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deep),         cmocka_unit_test(wide),   cmocka_unit_test(circles),
        cmocka_unit_test(alternatives), cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
