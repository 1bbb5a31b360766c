/*
 * drand rounds: genuine ones of all three schemes verify, and nothing that differs from them in a
 * bit or a member does, with the result that spec/beacons.md, section 1, asks for. The synthetic
 * chains are those of the vectors; the rounds of the network are in the shared data.
 */
#include "beacon/drand.h"
#include "crypto/sha256.h"
#include "unit/beacon/vector_cases.h"

static const char *const schemes[] = {"g1", "chained", "unchained"};
enum { N_SCHEMES = 3 };

static json_t *vectors;

typedef struct sample {
    vb_beacon_round r;
    vb_trust *trust;
} sample;

static sample sample_named(const char *name) {
    const json_t *c = vector_named(vectors, name);
    return (sample){vector_round(c), vector_trust(c)};
}

static sample sample_of(size_t scheme, unsigned round) {
    char name[64];
    snprintf(name, sizeof name, "%s, round %u", schemes[scheme], round);
    return sample_named(name);
}

static void sample_free(sample *s) {
    vb_beacon_round_free(&s->r);
    vb_trust_free(s->trust);
}

static vb_err verify(const sample *s, vb_error *e) {
    vb_beacon_facts facts;
    memset(e, 0, sizeof *e);
    vb_err err = vb_beacon_verify(&s->r, s->trust, &facts, e);
    assert_int_equal(facts.timed, !err);
    assert_int_equal(err != 0, e->msg[0] != 0);
    return err;
}

/* Randomness that fits the signature in the proof. */
static void hash_anew(vb_beacon_round *r) {
    uint8_t signature[96];
    const char *hex = strstr(r->proof, "\"signature\":\"") + 13;
    size_t n = strcspn(hex, "\"") / 2;
    char copy[2 * sizeof signature + 1];
    memcpy(copy, hex, 2 * n);
    copy[2 * n] = 0;
    assert_true(vb_hex_decode(copy, signature, n));
    vb_sha256_of(signature, n, r->randomness);
}

/* Flips bit `bit` of the bytes that stand at hex in hexadecimal. */
static void flip_hex(char *hex, size_t bit) {
    static const char digits[] = "0123456789abcdef";
    char *c = hex + bit / 4;
    *c = digits[(size_t)(strchr(digits, *c) - digits) ^ (size_t)(8 >> bit % 4)];
}

static void genuine_rounds(void **state) {
    vb_error e;
    (void)state;
    for (size_t k = 0; k < N_SCHEMES; k++) {
        for (unsigned r = 1; r <= 1000; r = r == 2 ? 1000 : r + 1) {
            sample s = sample_of(k, r);
            assert_int_equal(verify(&s, &e), VB_OK);
            assert_int_equal(vb_beacon_verify(&s.r, s.trust, NULL, NULL), VB_OK);
            sample_free(&s);
        }
    }
}

/* Every bit of the signature: beside the old randomness, and beside the one that fits. */
static void every_bit_of_the_signature(void **state) {
    size_t n_format = 0, n_mismatch = 0;
    vb_error e;
    (void)state;
    for (size_t k = 0; k < N_SCHEMES; k++) {
        sample s = sample_of(k, 1000);
        char *hex = strstr(s.r.proof, "\"signature\":\"") + 13;
        size_t n_bits = 4 * strcspn(hex, "\"");
        assert_int_equal(n_bits, k == 0 ? 384 : 768);
        for (size_t bit = 0; bit < n_bits; bit++) {
            uint8_t old[32];
            memcpy(old, s.r.randomness, 32);
            flip_hex(hex, bit);
            assert_int_equal(verify(&s, &e), VB_EMISMATCH);
            hash_anew(&s.r);
            vb_err err = verify(&s, &e); /* another point, or none at all */
            assert_true(err == VB_EMISMATCH || err == VB_EFORMAT);
            *(err == VB_EFORMAT ? &n_format : &n_mismatch) += 1;
            assert_non_null(strstr(e.msg, "beacon.proof.signature"));
            flip_hex(hex, bit);
            memcpy(s.r.randomness, old, 32);
        }
        assert_int_equal(verify(&s, &e), VB_OK);
        sample_free(&s);
    }
    /* The bit of the sign gives the negative point: well-formed, and not the signature. */
    assert_true(n_format > 0 && n_mismatch >= N_SCHEMES);
}

static void every_bit_of_the_randomness(void **state) {
    vb_error e;
    (void)state;
    for (size_t k = 0; k < N_SCHEMES; k++) {
        sample s = sample_of(k, 1000);
        for (size_t bit = 0; bit < 256; bit++) {
            s.r.randomness[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_equal(verify(&s, &e), VB_EMISMATCH);
            s.r.randomness[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t n = 0; n <= VB_BEACON_RANDOMNESS_BYTES_MAX; n++) {
            s.r.n_randomness = n;
            assert_int_equal(verify(&s, &e), n == 32 ? VB_OK : VB_EFORMAT);
        }
        sample_free(&s);
    }
}

static void every_bit_of_the_round(void **state) {
    vb_error e;
    (void)state;
    for (size_t k = 0; k < N_SCHEMES; k++) {
        sample s = sample_of(k, 1000);
        for (size_t bit = 0; bit < 64; bit++) {
            uint64_t t;
            s.r.round ^= (uint64_t)1 << bit;
            bool in_time = vb_drand_time_ms(&s.trust->drand[2], s.r.round, &t);
            assert_int_equal(verify(&s, &e), in_time ? VB_EMISMATCH : VB_EFORMAT);
            s.r.round ^= (uint64_t)1 << bit;
        }
        static const uint64_t extremes[] = {0, (uint64_t)1 << 63, UINT64_MAX};
        for (size_t i = 0; i < 3; i++) {
            s.r.round = extremes[i];
            assert_int_equal(verify(&s, &e), VB_EFORMAT);
            assert_non_null(strstr(e.msg, "round"));
        }
        s.r.round = 1; /* a chained round 1 follows 32 bytes */
        assert_int_equal(verify(&s, &e), k == 1 ? VB_EFORMAT : VB_EMISMATCH);
        sample_free(&s);
    }
}

static void every_bit_of_the_previous_signature(void **state) {
    static const unsigned rounds[] = {1, 1000};
    vb_error e;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        sample s = sample_of(1, rounds[i]);
        char *hex = strstr(s.r.proof, "previous_signature\":\"") + 21;
        size_t n_bits = 4 * strcspn(hex, "\"");
        assert_int_equal(n_bits, rounds[i] == 1 ? 256 : 768);
        for (size_t bit = 0; bit < n_bits; bit++) {
            flip_hex(hex, bit);
            assert_int_equal(verify(&s, &e), VB_EMISMATCH);
            flip_hex(hex, bit);
        }
        assert_int_equal(verify(&s, &e), VB_OK);
        sample_free(&s);
    }
}

/* Another chain hash is another chain: nothing vouches for it. Another spelling is no id. */
static void every_digit_of_the_id(void **state) {
    vb_error e;
    (void)state;
    sample s = sample_of(0, 1000);
    for (size_t bit = 0; bit < 256; bit++) {
        flip_hex(s.r.id + 6, bit);
        assert_int_equal(verify(&s, &e), VB_EUNTRUSTED);
        flip_hex(s.r.id + 6, bit);
    }
    for (size_t i = 6; i < 70; i++) {
        char old = s.r.id[i];
        s.r.id[i] = 'g';
        assert_int_equal(verify(&s, &e), VB_EFORMAT);
        s.r.id[i] = (char)(old >= 'a' ? old - 'a' + 'A' : ' ');
        assert_int_equal(verify(&s, &e), VB_EFORMAT);
        s.r.id[i] = old;
    }
    s.r.id[70] = '0';
    assert_int_equal(verify(&s, &e), VB_EFORMAT);
    s.r.id[70] = 0;
    assert_int_equal(verify(&s, &e), VB_OK);
    s.r.id[69] = 0;
    assert_int_equal(verify(&s, &e), VB_EFORMAT);
    s.r.id[6] = 0;
    assert_int_equal(verify(&s, &e), VB_EFORMAT);
    sample_free(&s);
}

/* Replaces the proof; text is not the sample's. */
static void expect(sample *s, const json_t *proof, vb_err expected) {
    char *old = s->r.proof;
    vb_error e;
    s->r.proof = vector_text(proof);
    assert_int_equal(verify(s, &e), expected);
    free(s->r.proof);
    s->r.proof = old;
}

static void every_member_of_the_proof(void **state) {
    static const char *const names[] = {"signature", "previous_signature"};
    static const char *const texts[] = {"", "0", "00", "null", "0x00"};
    (void)state;
    for (size_t k = 0; k < N_SCHEMES; k++) {
        sample s = sample_of(k, 1000);
        json_t *proof = json_loads(s.r.proof, 0, NULL);
        expect(&s, proof, VB_OK);
        for (size_t i = 0; i < 2; i++) {
            json_t *member = json_incref(json_object_get(proof, names[i]));
            json_object_del(proof, names[i]);
            expect(&s, proof, VB_EFORMAT);
            json_t *others[] = {json_true(),  json_integer(1), json_real(7.5),
                                json_array(), json_object(),   json_null()};
            for (size_t j = 0; j < sizeof others / sizeof others[0]; j++) {
                json_object_set_new(proof, names[i], others[j]);
                expect(&s, proof, json_is_null(member) && j == 5 ? VB_OK : VB_EFORMAT);
            }
            for (size_t j = 0; j < sizeof texts / sizeof texts[0]; j++) {
                json_object_set_new(proof, names[i], json_string(texts[j]));
                expect(&s, proof, VB_EFORMAT);
            }
            json_object_set_new(proof, names[i], member);
        }
        json_object_set_new(proof, "round", json_integer(1000));
        expect(&s, proof, VB_EFORMAT);
        json_decref(proof);
        sample_free(&s);
    }
}

static void proofs_that_are_no_object(void **state) {
    static const char *const texts[] = {"",   "null", "[]",  "1",       "\"\"",
                                        "{}", "{",    "{ }", "{\"a\"}", "\xff"};
    vb_error e;
    (void)state;
    sample s = sample_of(0, 1000);
    char *good = s.r.proof;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        s.r.proof = strdup(texts[i]);
        assert_int_equal(verify(&s, &e), VB_EFORMAT);
        free(s.r.proof);
    }
    /* The same proof, not canonical: a space, the other order of members, a member twice. */
    char text[512];
    const char *hex = strstr(good, "\"signature\":\"") + 13;
    static const char twice[] = "{\"previous_signature\":null,\"previous_signature\":null,"
                                "\"signature\":\"%.96s\"}";
    static const char *const forms[] = {"{ \"previous_signature\":null,\"signature\":\"%.96s\"}",
                                        "{\"signature\":\"%.96s\",\"previous_signature\":null}",
                                        twice,
                                        "{\"previous_signature\":null,\"signature\":\"%.96s\"}\n"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        snprintf(text, sizeof text, forms[i], hex);
        s.r.proof = text;
        assert_int_equal(verify(&s, &e), VB_EFORMAT);
    }
    s.r.proof = NULL;
    assert_int_equal(verify(&s, &e), VB_EFORMAT);
    s.r.proof = good;
    assert_int_equal(verify(&s, &e), VB_OK);
    sample_free(&s);
}

/* A form that is false without any root stays false without one; the rest waits for the root. */
static void without_a_root(void **state) {
    vb_error e;
    (void)state;
    for (size_t k = 0; k < N_SCHEMES; k++) {
        sample s = sample_of(k, 1000);
        vb_trust_free(s.trust);
        s.trust = NULL; /* the built-in roots, which do not know these chains */
        assert_int_equal(verify(&s, &e), VB_EUNTRUSTED);
        assert_non_null(strstr(e.msg, s.r.id));
        s.r.round = UINT64_MAX; /* when that is, only the root says */
        assert_int_equal(verify(&s, &e), VB_EUNTRUSTED);
        s.r.round = 0;
        assert_int_equal(verify(&s, &e), VB_EFORMAT);
        s.r.round = 1000;
        s.r.randomness[0] ^= 1;
        assert_int_equal(verify(&s, &e), VB_EMISMATCH);
        sample_free(&s);
    }
}

static void windows(void **state) {
    vb_beacon_facts f;
    vb_error e;
    (void)state;
    sample s = sample_of(0, 1000);
    assert_int_equal(vb_beacon_verify(&s.r, s.trust, &f, &e), VB_OK);
    const uint64_t t = 1000 * (UINT64_C(1700000000) + 999 * 3);
    assert_true(f.timed && f.next.from == t - 3000 && f.next.to == t && f.latest.from == t &&
                f.latest.to == t + 3000 && !f.caveat[0]);
    /* The window and the rule together: the last millisecond before the round, and the first. */
    assert_int_equal(vb_beacon_round_rule(VB_MODE_NEXT, t - 1, NULL, &s.r, &f, &e), VB_OK);
    assert_int_equal(vb_beacon_round_rule(VB_MODE_NEXT, t, NULL, &s.r, &f, &e), VB_EMISMATCH);
    assert_int_equal(vb_beacon_round_rule(VB_MODE_LATEST, t, NULL, &s.r, &f, &e), VB_OK);
    assert_int_equal(vb_beacon_round_rule(VB_MODE_LATEST, t - 1, NULL, &s.r, &f, &e), VB_EMISMATCH);
    sample_free(&s);
    s = sample_of(1, 1);
    assert_int_equal(vb_beacon_verify(&s.r, s.trust, &f, &e), VB_OK);
    assert_true(f.next.from == 0 && f.next.to == UINT64_C(1600000000000) &&
                f.latest.from == f.next.to && f.latest.to == f.next.to + 30000);
    sample_free(&s);
}

static void times(void **state) {
    uint64_t t = 5;
    (void)state;
    vb_drand_chain c = {.period_s = 1, .genesis_s = 0};
    const uint64_t last = INT64_MAX / 1000; /* seconds */
    assert_true(vb_drand_time_ms(&c, 1, &t) && t == 0);
    assert_true(vb_drand_time_ms(&c, last + 1, &t) && t == 1000 * last);
    assert_false(vb_drand_time_ms(&c, last + 2, &t));
    assert_false(vb_drand_time_ms(&c, UINT64_MAX, &t));
    c.period_s = UINT32_MAX; /* the product wraps */
    assert_false(vb_drand_time_ms(&c, ((uint64_t)1 << 32) + 3, &t));
    assert_false(vb_drand_time_ms(&c, UINT64_MAX, &t));
    c.period_s = 1000; /* t would wrap to a small number */
    assert_false(vb_drand_time_ms(&c, UINT64_MAX / 1000 / 1000 + 3, &t));
    c = (vb_drand_chain){.period_s = 1, .genesis_s = last};
    assert_true(vb_drand_time_ms(&c, 1, &t) && t == 1000 * last);
    assert_false(vb_drand_time_ms(&c, 2, &t));
    c.genesis_s = UINT64_MAX; /* the sum wraps */
    assert_false(vb_drand_time_ms(&c, 2, &t));
    assert_true(t == 1000 * last);
}

static void names_of_schemes(void **state) {
    (void)state;
    for (int s = VB_DRAND_CHAINED; s <= VB_DRAND_G1_RFC9380; s++) {
        const vb_drand_form *f = vb_drand_form_of((vb_drand_scheme)s);
        assert_int_equal(vb_drand_scheme_named(f->name), s);
        assert_int_equal(f->n_public_key + f->n_signature, 144);
    }
    assert_int_equal(vb_drand_scheme_named(""), 0);
    assert_int_equal(vb_drand_scheme_named("bls-unchained-on-g1"), 0);
}

/* Rounds that the network published, under the built-in roots. */
static void rounds_of_the_network(void **state) {
    size_t n, i, count = 0;
    const char *name;
    json_t *rounds, *value;
    (void)state;
    uint8_t *bytes = vb_test_read(vb_test_data("beacons/drand.json"), &n);
    json_t *doc = json_loadb((const char *)bytes, n, 0, NULL);
    free(bytes);
    json_object_foreach(json_object_get(doc, "beacons"), name, rounds) {
        const vb_drand_chain *c = vb_trust_drand_named(vb_trust_builtin(), name);
        char hex[65];
        assert_non_null(c);
        vb_hex_encode(c->hash, 32, hex);
        json_array_foreach(rounds, i, value) {
            json_t *previous = json_object_get(value, "previous_signature");
            json_t *proof = json_object();
            json_object_set(proof, "signature", json_object_get(value, "signature"));
            json_object_set_new(proof, "previous_signature",
                                previous ? json_incref(previous) : json_null());
            sample s = {.r = {.n_randomness = 32, .proof = vector_text(proof)}};
            vb_error e;
            snprintf(s.r.id, sizeof s.r.id, "drand:%s", hex);
            s.r.round = (uint64_t)json_integer_value(json_object_get(value, "round"));
            assert_true(vb_hex_decode(json_string_value(json_object_get(value, "randomness")),
                                      s.r.randomness, 32));
            if (verify(&s, &e)) {
                fail_msg("%s, round %llu: %s", name, (unsigned long long)s.r.round, e.msg);
            }
            s.r.round++;
            assert_int_not_equal(verify(&s, &e), VB_OK);
            json_decref(proof);
            sample_free(&s);
            count++;
        }
    }
    json_decref(doc);
    print_message("%zu rounds\n", count);
    assert_true(count >= 8);
}

static int setup(void **state) {
    (void)state;
    vectors = vector_file("drand.json");
    return 0;
}

static int teardown(void **state) {
    (void)state;
    json_decref(vectors);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(genuine_rounds),
        cmocka_unit_test(every_bit_of_the_signature),
        cmocka_unit_test(every_bit_of_the_randomness),
        cmocka_unit_test(every_bit_of_the_round),
        cmocka_unit_test(every_bit_of_the_previous_signature),
        cmocka_unit_test(every_digit_of_the_id),
        cmocka_unit_test(every_member_of_the_proof),
        cmocka_unit_test(proofs_that_are_no_object),
        cmocka_unit_test(without_a_root),
        cmocka_unit_test(windows),
        cmocka_unit_test(times),
        cmocka_unit_test(names_of_schemes),
        cmocka_unit_test(rounds_of_the_network),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
