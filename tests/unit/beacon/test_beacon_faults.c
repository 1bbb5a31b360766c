/*
 * Each allocation of ours fails in turn while trust files and rounds are read, written and checked:
 * the result is VB_ENOMEM, never VB_OK and never that something is false, and nothing is left
 * behind (LeakSanitizer looks). Those inside jansson are left out: its scanner gives no sign of
 * them.
 */
#include "beacon/mix.h"
#include "beacon/round.h"
#include "unit/beacon/vector_cases.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static long until_failure = -1; /* allocations that still succeed; -1: all */

static bool fails_now(void) {
    return until_failure >= 0 && until_failure-- == 0;
}

void *__wrap_malloc(size_t n) {
    return fails_now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size) {
    return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n) {
    return fails_now() ? NULL : __real_realloc(p, n);
}

/* What the steps work on: a round, its trust roots as text, and the round as a file. */
typedef struct subject {
    vb_beacon_round r;
    vb_trust *trust;
    char *trust_text;
    vb_buf file;
} subject;

static vb_err read_trust(const subject *s, vb_error *e) {
    vb_trust *t = NULL;
    vb_err err = vb_trust_parse(s->trust_text, strlen(s->trust_text), &t, e);
    assert_int_equal(err != VB_OK, t == NULL);
    vb_trust_free(t);
    return err;
}

static vb_err check_round(const subject *s, vb_error *e) {
    return vb_beacon_verify(&s->r, s->trust, NULL, e);
}

static vb_err read_file(const subject *s, vb_error *e) {
    vb_beacon_round r = {0};
    vb_err err = vb_beacon_round_decode(s->file.data, s->file.len, &r, e);
    assert_true(!err || !r.proof);
    vb_beacon_round_free(&r);
    return err;
}

static vb_err write_file(const subject *s, vb_error *e) {
    vb_buf b = vb_buf_make(VB_BEACON_ROUND_BYTES_MAX);
    vb_err err = vb_beacon_round_encode(&s->r, &b, e);
    assert_true(!err || b.len == 0);
    vb_buf_free(&b);
    return err;
}

/* The round twice, under two names: a mix is made of what is not looked at. */
static vb_err make_mix(const subject *s, vb_error *e) {
    vb_beacon_round parts[2] = {s->r, s->r}, mix = {0};
    memcpy(parts[0].id, "drand:a", 8);
    memcpy(parts[1].id, "drand:b", 8);
    vb_err err = vb_mix_round("mix:drand:a+drand:b", parts, 2, &mix, e);
    assert_true(!err || !mix.proof);
    vb_beacon_round_free(&mix);
    return err;
}

typedef vb_err step(const subject *s, vb_error *e);

/* The number of allocations that the step makes. */
static long each_fails(const char *what, step *f, const subject *s) {
    for (long nth = 0;; nth++) {
        vb_error e = {0};
        until_failure = nth;
        vb_err err = f(s, &e);
        bool fired = until_failure < 0;
        until_failure = -1;
        if (!fired) {
            assert_int_equal(err, VB_OK);
            return nth;
        }
        if (err != VB_ENOMEM || !e.msg[0]) {
            fail_msg("%s, allocation %ld: %s: %s", what, nth, vb_err_name(err), e.msg);
        }
    }
}

static const json_t *first_good(const json_t *file) {
    size_t i;
    const json_t *c;
    json_array_foreach(json_object_get(file, "cases"), i, c) {
        if (strcmp(json_string_value(json_object_get(c, "result")), "ok") == 0 &&
            json_is_object(json_object_get(c, "trust"))) {
            return c;
        }
    }
    fail_msg("no good case with trust roots");
    return NULL;
}

static void memory_is_not_truth(void **state) {
    static const char *const files[] = {"drand.json", "mix.json", "theta.json", "ethereum.json",
                                        "nist.json"};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        json_t *doc = vector_file(files[i]);
        const json_t *c = first_good(doc);
        subject s = {.r = vector_round(c), .trust = vector_trust(c)};
        vb_error e = {0};
        s.trust_text = vector_text(json_object_get(c, "trust"));
        s.file = vb_buf_make(VB_BEACON_ROUND_BYTES_MAX);
        assert_int_equal(vb_beacon_round_encode(&s.r, &s.file, &e), VB_OK);
        assert_true(each_fails("a trust file", read_trust, &s) > 0);
        assert_true(each_fails(files[i], check_round, &s) > 0);
        assert_true(each_fails("a round's file, read", read_file, &s) > 0);
        assert_true(each_fails("a round's file, written", write_file, &s) > 0);
        assert_true(each_fails("a mix", make_mix, &s) > 0);
        vb_beacon_round_free(&s.r);
        vb_trust_free(s.trust);
        free(s.trust_text);
        vb_buf_free(&s.file);
        json_decref(doc);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(memory_is_not_truth)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
