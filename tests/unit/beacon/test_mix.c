/*
 * Mixes: which ids there are, rounds made of rounds, and that each part is checked as a beacon of
 * its own. The parts are rounds of the vectors' synthetic chains.
 */
#include "beacon/mix.h"
#include "unit/beacon/vector_cases.h"

static json_t *vectors;

typedef struct sample {
    vb_beacon_round r;
    vb_trust *trust;
} sample;

static sample sample_named(const char *name) {
    const json_t *c = vector_named(vectors, name);
    return (sample){vector_round(c), vector_trust(c)};
}

static void sample_free(sample *s) {
    vb_beacon_round_free(&s->r);
    vb_trust_free(s->trust);
}

static vb_err verify(const sample *s, vb_error *e) {
    memset(e, 0, sizeof *e);
    return vb_beacon_verify(&s->r, s->trust, NULL, e);
}

static void ids(void **state) {
    static const struct {
        const char *id;
        size_t n; /* 0: refused */
    } cases[] = {
        {"mix:drand:a+theta:b", 2},
        {"mix:drand:a+drand:b+nist:1", 3},
        {"mix:drand:a+ethereum:1+nist:2+theta:m", 4},
        {"mix:drand:a+later:b", 2}, /* a kind of another version */
        {"mix:drand:+theta:", 2},   /* the kinds judge their chains */
        {"mix:drand:a", 0},
        {"mix:", 0},
        {"mix:+", 0},
        {"mix:drand:a+", 0},
        {"mix:+drand:a", 0},
        {"mix:drand:a++theta:b", 0},
        {"mix:drand:a+drand:a", 0},
        {"mix:theta:b+drand:a", 0},
        {"mix:drand:b+drand:a", 0},
        {"mix:drand:a+theta", 0},
        {"mix:drand:a+local:b", 0},
        {"mix:drand:a+mix:b", 0},
        {"mix:drand:a+drand:b+drand:c+drand:d+drand:e", 0},
        {"drand:a+theta:b", 0},
        {"mix", 0},
        {"", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vb_mix_ids out = {.n = 99};
        vb_error e = {0};
        vb_err err = vb_mix_split(cases[i].id, &out, &e);
        assert_int_equal(err, cases[i].n ? VB_OK : VB_EFORMAT);
        assert_int_equal(out.n, cases[i].n ? cases[i].n : 99);
        if (!err) {
            char joined[VB_BEACON_ID_BYTES_MAX + 1] = "mix:";
            size_t at = 4;
            for (size_t k = 0; k < out.n; k++) {
                at += (size_t)snprintf(joined + at, sizeof joined - at, "%s%s", k ? "+" : "",
                                       out.id[k]);
            }
            assert_string_equal(joined, cases[i].id);
        }
    }
    /* Bytes from 0x80 on come after all others. */
    vb_mix_ids out;
    assert_int_equal(vb_mix_split("mix:drand:z+drand:\xc3\xa4", &out, NULL), VB_OK);
    assert_int_equal(vb_mix_split("mix:drand:\xc3\xa4+drand:z", &out, NULL), VB_EFORMAT);
    /* A part longer than any id. */
    char long_id[2 * VB_BEACON_ID_BYTES_MAX];
    memset(long_id, 'a', sizeof long_id);
    memcpy(long_id, "mix:drand:", 10);
    long_id[sizeof long_id - 1] = 0;
    assert_int_equal(vb_mix_split(long_id, &out, NULL), VB_EFORMAT);
}

/* The parts of a mix, as rounds. */
static size_t parts_of(const vb_beacon_round *mix, vb_beacon_round parts[VB_MIX_PARTS_MAX]) {
    vb_mix_ids split;
    size_t i;
    json_t *proof = json_loads(mix->proof, 0, NULL), *part;
    assert_int_equal(vb_mix_split(mix->id, &split, NULL), VB_OK);
    assert_int_equal(json_array_size(json_object_get(proof, "parts")), split.n);
    json_array_foreach(json_object_get(proof, "parts"), i, part) {
        json_t *c = json_pack("{s:O}", "round", part);
        json_object_set_new(part, "id", json_string(split.id[i]));
        parts[i] = vector_round(c);
        json_decref(c);
    }
    json_decref(proof);
    return split.n;
}

/* What vb_mix_round makes of the parts is the mix, byte for byte. */
static void rounds_are_made(void **state) {
    static const char *const names[] = {"two parts", "three parts", "the built-in chains",
                                        "windows that do not meet"};
    (void)state;
    for (size_t k = 0; k < 4; k++) {
        sample s = sample_named(names[k]);
        vb_beacon_round parts[VB_MIX_PARTS_MAX] = {0}, made = {0};
        vb_error e = {0};
        size_t n = parts_of(&s.r, parts);
        assert_int_equal(vb_mix_round(s.r.id, parts, n, &made, &e), VB_OK);
        assert_string_equal(made.id, s.r.id);
        assert_string_equal(made.proof, s.r.proof);
        assert_true(made.round == s.r.round && made.n_randomness == 32);
        assert_memory_equal(made.randomness, s.r.randomness, 32);
        assert_int_equal(vb_beacon_verify(&made, s.trust, NULL, &e), VB_OK);
        vb_beacon_round_free(&made);

        assert_int_equal(vb_mix_round(s.r.id, parts, n - 1, &made, &e), VB_EINVAL);
        parts[1].id[6] = 'x';
        assert_int_equal(vb_mix_round(s.r.id, parts, n, &made, &e), VB_EINVAL);
        assert_int_equal(vb_mix_round("mix:drand:a", parts, 1, &made, &e), VB_EFORMAT);
        memcpy(parts[1].id, strstr(s.r.id, "+") + 1, 70);
        parts[1].n_randomness = 31;
        assert_int_equal(vb_mix_round(s.r.id, parts, n, &made, &e), VB_EFORMAT);
        parts[1].n_randomness = 32;
        parts[1].proof[0] = '[';
        assert_int_equal(vb_mix_round(s.r.id, parts, n, &made, &e), VB_EFORMAT);
        assert_true(!made.proof && !made.id[0]);
        for (size_t i = 0; i < n; i++) {
            vb_beacon_round_free(&parts[i]);
        }
        sample_free(&s);
    }
}

/* No other character stands anywhere in a proof: parts, rounds, signatures, structure. */
static void every_byte_of_the_proof(void **state) {
    static const char others[] = "0f\"},z";
    vb_error e;
    (void)state;
    sample s = sample_named("two parts");
    size_t n = strlen(s.r.proof), tried = 0;
    assert_int_equal(verify(&s, &e), VB_OK);
    for (size_t i = 0; i < n; i++) {
        char old = s.r.proof[i];
        for (const char *c = others; *c; c++) {
            if (*c == old) {
                continue;
            }
            s.r.proof[i] = *c;
            vb_err err = verify(&s, &e);
            assert_true(err == VB_EFORMAT || err == VB_EMISMATCH);
            tried++;
        }
        s.r.proof[i] = old;
    }
    assert_int_equal(verify(&s, &e), VB_OK);
    assert_true(tried > 1000);
    for (size_t bit = 0; bit < 256; bit++) {
        s.r.randomness[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(verify(&s, &e), VB_EMISMATCH);
        s.r.randomness[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < 64; bit++) {
        s.r.round ^= (uint64_t)1 << bit;
        assert_int_equal(verify(&s, &e), VB_EMISMATCH);
        s.r.round ^= (uint64_t)1 << bit;
    }
    sample_free(&s);
}

/* A mix that its maker hashed well does not make a part true; the message names the part. */
static void every_part_is_checked(void **state) {
    vb_error e;
    (void)state;
    sample s = sample_named("three parts");
    vb_beacon_round parts[VB_MIX_PARTS_MAX] = {0};
    size_t n = parts_of(&s.r, parts);
    for (size_t i = 0; i < n; i++) {
        for (int how = 0; how < 4; how++) {
            sample forged = {.trust = s.trust};
            vb_beacon_round part = parts[i];
            parts[i].round += how == 0;
            parts[i].round = how == 1 ? 0 : parts[i].round;
            parts[i].randomness[5] ^= how == 2 ? 1 : 0;
            parts[i].proof = how == 3 ? NULL : parts[i].proof;
            assert_int_equal(vb_mix_round(s.r.id, parts, n, &forged.r, &e), VB_OK);
            assert_int_equal(verify(&forged, &e), how % 2 ? VB_EFORMAT : VB_EMISMATCH);
            assert_non_null(strstr(e.msg, part.id));
            vb_beacon_round_free(&forged.r);
            parts[i] = part;
        }
    }
    for (size_t i = 0; i < n; i++) {
        vb_beacon_round_free(&parts[i]);
    }
    sample_free(&s);
}

/* A mix is used by itself in mode next or latest, and never by a number. */
static void windows_and_the_rule(void **state) {
    vb_beacon_facts f;
    vb_error e;
    (void)state;
    sample s = sample_named("windows that touch");
    assert_int_equal(vb_beacon_verify(&s.r, s.trust, &f, &e), VB_OK);
    assert_true(f.timed && f.next.from == f.next.to);
    assert_int_equal(vb_beacon_round_rule(VB_MODE_NEXT, f.next.from, NULL, &s.r, &f, &e),
                     VB_EMISMATCH);
    assert_int_equal(vb_beacon_round_rule(VB_MODE_FIXED, 0, &s.r.round, &s.r, &f, &e),
                     VB_EMISMATCH);
    sample_free(&s);
    s = sample_named("two parts");
    assert_int_equal(vb_beacon_verify(&s.r, s.trust, &f, &e), VB_OK);
    assert_true(f.next.from < f.next.to && f.next.to <= f.latest.from);
    assert_int_equal(vb_beacon_round_rule(VB_MODE_NEXT, f.next.to - 1, NULL, &s.r, &f, &e), VB_OK);
    assert_int_equal(vb_beacon_round_rule(VB_MODE_NEXT, f.next.to, NULL, &s.r, &f, &e),
                     VB_EMISMATCH);
    sample_free(&s);
}

/* The first case of a file; with the trust roots of both, the parts of a mix of two kinds. */
static json_t *first_of(const char *file) {
    json_t *doc = vector_file(file),
           *c = json_incref(json_array_get(json_object_get(doc, "cases"), 0));
    json_decref(doc);
    assert_string_equal(json_string_value(json_object_get(c, "result")), "ok");
    return c;
}

static vb_trust *trust_of(const json_t *const roots[], size_t n) {
    json_t *c = json_pack("{s:{s:s}}", "trust", "format", "verbatim.trust/1");
    for (size_t i = 0; i < n; i++) {
        json_object_update(json_object_get(c, "trust"), json_object_get(roots[i], "trust"));
    }
    vb_trust *t = vector_trust(c);
    json_decref(c);
    return t;
}

/* What a verifier says of a part it says of the mix; windows that need no root are known without.
 */
static void parts_of_several_kinds(void **state) {
    json_t *drand = first_of("drand.json"), *theta = first_of("theta.json");
    const json_t *const both[] = {drand, theta};
    vb_beacon_round parts[2] = {vector_round(drand), vector_round(theta)}, mix = {0};
    vb_beacon_facts f, own[2];
    char id[VB_BEACON_ID_BYTES_MAX + 1];
    vb_error e = {0};
    (void)state;
    int n = snprintf(id, sizeof id, "mix:%s+%s", parts[0].id, parts[1].id);
    assert_true(n > 0 && (size_t)n < sizeof id);
    assert_int_equal(vb_mix_round(id, parts, 2, &mix, &e), VB_OK);
    vb_trust *all = trust_of(both, 2), *one = trust_of(both, 1), *other = trust_of(both + 1, 1);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(vb_beacon_verify(&parts[i], all, &own[i], &e), VB_OK);
    }
    assert_int_equal(vb_beacon_verify(&mix, all, &f, &e), VB_OK);
    assert_true(f.timed && !own[0].caveat[0] && own[1].caveat[0]);
    assert_true(f.chosen && !own[0].chosen && own[1].chosen); /* as weak as its weakest, in that */
    assert_memory_equal(f.caveat, "theta: ", 7);
    assert_string_equal(f.caveat + 7, own[1].caveat);
    assert_true(f.latest.from >= own[0].latest.from && f.latest.from >= own[1].latest.from);

    assert_int_equal(vb_beacon_verify(&mix, one, &f, &e), VB_EUNTRUSTED);
    assert_true(f.timed && f.latest.from >= own[1].latest.from);
    assert_non_null(strstr(e.msg, parts[1].id));
    assert_int_equal(vb_beacon_verify(&mix, other, &f, &e), VB_EUNTRUSTED);
    assert_false(f.timed); /* drand's schedule is in its root */
    assert_non_null(strstr(e.msg, parts[0].id));
    vb_beacon_round_free(&mix);
    vb_beacon_round_free(&parts[0]);
    vb_beacon_round_free(&parts[1]);
    vb_trust_free(all);
    vb_trust_free(one);
    vb_trust_free(other);
    json_decref(drand);
    json_decref(theta);
}

static int setup(void **state) {
    (void)state;
    vectors = vector_file("mix.json");
    return 0;
}

static int teardown(void **state) {
    (void)state;
    json_decref(vectors);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids),
        cmocka_unit_test(rounds_are_made),
        cmocka_unit_test(every_byte_of_the_proof),
        cmocka_unit_test(every_part_is_checked),
        cmocka_unit_test(windows_and_the_rule),
        cmocka_unit_test(parts_of_several_kinds),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
