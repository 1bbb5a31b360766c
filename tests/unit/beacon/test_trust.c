/*
 * Trust files: what is read is what stands there, every mistake is an error that names its place,
 * and the built-in roots are the pinned ones.
 */
#include "beacon/drand.h"
#include "crypto/sha256.h"
#include "unit/beacon/vector_cases.h"

/* One of everything. Line feeds and spaces: a trust file need not be canonical. */
static const char everything[] =
    "{\"format\": \"verbatim.trust/1\",\n"
    " \"server_keys\": ["
    "{\"name\": \"a\","
    " \"key\": \"0101010101010101010101010101010101010101010101010101010101010101\"},"
    "{\"name\": \"\","
    " \"key\": \"0202020202020202020202020202020202020202020202020202020202020202\"}],\n"
    " \"beacons\": [\"drand:*\", \"theta:mainnet\", \"mix:*\"],\n"
    " \"modes\": [\"next\", \"fixed\"],\n"
    " \"drand\": [{\"beacon_id\": \"quicknet\", \"genesis_time\": 1692803367,"
    " \"group_hash\": \"f477d5c89f21a17c863a7f937c6a6d15859414d2be09cd448d4279af331c5d3e\","
    " \"hash\": \"52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971\","
    " \"period\": 3,"
    " \"public_key\": \"83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c"
    "8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb"
    "5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a\","
    " \"scheme\": \"bls-unchained-g1-rfc9380\"}],\n"
    " \"theta\": [{\"chain\": \"mainnet\", \"from\": \"10\", \"to\": \"19\", \"validators\": ["
    "{\"id\": \"3333333333333333333333333333333333333333\", \"stake\": \"3\"},"
    "{\"id\": \"1111111111111111111111111111111111111111\","
    " \"stake\": \"1267650600228229401496703205375\"},"
    "{\"id\": \"2222222222222222222222222222222222222222\", \"stake\": \"18446744073709551616\"}]},"
    "{\"chain\": \"mainnet\", \"from\": \"20\", \"to\": \"18446744073709551615\", \"validators\": ["
    "{\"id\": \"1111111111111111111111111111111111111111\", \"stake\": \"1\"}]},"
    "{\"chain\": \"a-z_09\", \"from\": \"0\", \"to\": \"18446744073709551615\", \"validators\": ["
    "{\"id\": \"1111111111111111111111111111111111111111\", \"stake\": \"1\"}]}],\n"
    " \"ethereum\": [{\"chain_id\": \"1\", \"number\": \"18446744073709551615\","
    " \"hash\": \"0404040404040404040404040404040404040404040404040404040404040404\"},"
    "{\"chain_id\": \"18446744073709551615\", \"number\": \"18446744073709551615\","
    " \"hash\": \"0505050505050505050505050505050505050505050505050505050505050505\"}],\n"
    " \"nist\": [\"0606060606060606060606060606060606060606060606060606060606060606"
    "0606060606060606060606060606060606060606060606060606060606060606\"]\n"
    "}\n";

static json_t *everything_parsed(void) {
    json_t *doc = json_loads(everything, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(doc);
    return doc;
}

static vb_err parse_text(const char *text, vb_trust **t, vb_error *e) {
    memset(e, 0, sizeof *e);
    return vb_trust_parse(text, strlen(text), t, e);
}

static vb_err parse(const json_t *doc, vb_trust **t, vb_error *e) {
    char *text = json_dumps(doc, 0);
    assert_non_null(text);
    vb_err err = parse_text(text, t, e);
    free(text);
    return err;
}

/* The document is refused with a message that begins with the path and a colon. */
static void expect_refused(const json_t *doc, const char *path) {
    vb_trust *t = NULL;
    vb_error e;
    size_t n = strlen(path);
    vb_err err = parse(doc, &t, &e);
    if (err != VB_EFORMAT || t || strncmp(e.msg, path, n) != 0 || e.msg[n] != ':') {
        fail_msg("%s: %s: %s", path, vb_err_name(err), e.msg);
    }
}

static void everything_is_read(void **state) {
    vb_trust *t = NULL;
    vb_error e;
    uint8_t key[32];
    (void)state;
    if (parse_text(everything, &t, &e)) {
        fail_msg("%s", e.msg);
    }
    assert_false(t->any_server_key);
    assert_int_equal(t->n_server_keys, 2);
    assert_string_equal(t->server_keys[0].name, "a");
    memset(key, 2, sizeof key);
    assert_ptr_equal(vb_trust_server_key(t, key), &t->server_keys[1]);
    key[31] = 3;
    assert_null(vb_trust_server_key(t, key));
    assert_false(t->any_beacon);
    assert_int_equal(t->n_beacons, 3);
    assert_int_equal(t->modes, 1u << VB_MODE_NEXT | 1u << VB_MODE_FIXED);
    assert_int_equal(t->n_drand, 2); /* quicknet is built in: it is not there twice */
    assert_int_equal(t->n_theta, 3);
    assert_string_equal(t->theta[0].chain, "mainnet");
    assert_int_equal(t->theta[0].from, 10);
    assert_int_equal(t->theta[0].to, 19);
    assert_int_equal(t->theta[0].n_validators, 3);
    for (size_t i = 0; i < 3; i++) { /* ascending */
        assert_int_equal(t->theta[0].validators[i].id[19], 0x11 * (i + 1));
    }
    assert_true(t->theta[0].validators[0].stake == ((unsigned __int128)1 << 100) - 1);
    assert_true(t->theta[0].validators[1].stake == (unsigned __int128)1 << 64);
    assert_true(t->theta[0].validators[2].stake == 3);
    assert_true(t->theta[1].to == UINT64_MAX);
    assert_int_equal(t->n_ethereum, 2);
    assert_true(t->ethereum[1].chain_id == UINT64_MAX && t->ethereum[1].number == UINT64_MAX);
    assert_int_equal(t->ethereum[0].hash[31], 4);
    assert_int_equal(t->n_nist_certificates, 2);
    assert_int_equal(t->nist_certificates[0][0], 0x55);
    assert_int_equal(t->nist_certificates[1][63], 6);
    vb_trust_free(t);
}

/* Witnesses 1 and 2 and a quorum of both, or what replaces a part of that. */
static void expect_witnesses(const char *from, const char *to, const char *path) {
    static const char text[] =
        "{\"format\":\"verbatim.trust/1\",\"quorum\":2,\"witnesses\":["
        "{\"key\":\"0101010101010101010101010101010101010101010101010101010101010101\","
        "\"name\":\"one\",\"url\":null},"
        "{\"key\":\"0202020202020202020202020202020202020202020202020202020202020202\","
        "\"name\":\"two\",\"url\":\"https://two.example\"}]}";
    char changed[2 * sizeof text];
    const char *at = strstr(text, from);
    vb_trust *t = NULL;
    vb_error e;
    assert_non_null(at);
    snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    if (path) {
        vb_err err = parse_text(changed, &t, &e);
        if (err != VB_EFORMAT || strncmp(e.msg, path, strlen(path)) != 0) {
            fail_msg("%s: %s: %s", path, vb_err_name(err), e.msg);
        }
        return;
    }
    if (parse_text(changed, &t, &e)) {
        fail_msg("%s", e.msg);
    }
    assert_int_equal(t->n_witnesses, 2);
    assert_string_equal(t->witnesses[0].name, "one");
    assert_string_equal(t->witnesses[0].url, "");
    assert_string_equal(t->witnesses[1].url, "https://two.example");
    uint8_t key[32];
    memset(key, 2, sizeof key);
    assert_ptr_equal(vb_trust_witness_of_key(t, key), &t->witnesses[1]);
    key[0] = 3;
    assert_null(vb_trust_witness_of_key(t, key));
    assert_int_equal(t->quorum, strstr(changed, "quorum") ? 2 : 0);
    vb_trust_free(t);
}

static void witnesses_and_their_quorum(void **state) {
    (void)state;
    expect_witnesses("one", "one", NULL);
    expect_witnesses("\"quorum\":2,", "", NULL);
    expect_witnesses("\"quorum\":2", "\"quorum\":0", "trust.quorum:");
    expect_witnesses("\"quorum\":2", "\"quorum\":3", "trust.quorum:");
    expect_witnesses("\"quorum\":2", "\"quorum\":\"2\"", "trust.quorum:");
    expect_witnesses("\"witnesses\"", "\"witnesse\"", "trust.witnesse:");
    expect_witnesses("0202", "0001", "trust.witnesses[1].key:");
    expect_witnesses("0202020202020202020202020202020202020202020202020202020202020202",
                     "0101010101010101010101010101010101010101010101010101010101010101",
                     "trust.witnesses[1].key:");
    expect_witnesses("0202", "02", "trust.witnesses[1].key:");
    expect_witnesses("\"one\"", "\"\"", "trust.witnesses[0].name:");
    expect_witnesses("\"url\":null", "\"url\":\"\"", "trust.witnesses[0].url:");
    expect_witnesses(",\"url\":null", "", "trust.witnesses[0]");
    vb_trust *t = NULL;
    vb_error e;
    assert_int_equal(
        parse_text("{\"format\":\"verbatim.trust/1\",\"quorum\":1,\"witnesses\":[]}", &t, &e),
        VB_EFORMAT);
    assert_int_equal(parse_text("{\"format\":\"verbatim.trust/1\",\"quorum\":1}", &t, &e),
                     VB_EFORMAT);
    assert_int_equal(parse_text("{\"format\":\"verbatim.trust/1\",\"witnesses\":[]}", &t, &e),
                     VB_OK);
    vb_trust_free(t);
}

static void at_most_so_many_witnesses(void **state) {
    (void)state;
    for (unsigned n = VB_TRUST_WITNESSES_MAX; n <= VB_TRUST_WITNESSES_MAX + 1; n++) {
        json_t *doc = json_pack("{s:s, s:i}", "format", "verbatim.trust/1", "quorum", 256);
        json_t *list = json_array();
        vb_trust *t = NULL;
        vb_error e;
        for (unsigned i = 0; i < n; i++) {
            char key[65];
            snprintf(key, sizeof key, "%064x", i);
            json_array_append_new(list,
                                  json_pack("{s:s, s:s, s:n}", "key", key, "name", "w", "url"));
        }
        json_object_set_new(doc, "witnesses", list);
        vb_err err = parse(doc, &t, &e);
        assert_int_equal(err == VB_OK, n == VB_TRUST_WITNESSES_MAX);
        vb_trust_free(t);
        json_decref(doc);
    }
}

static void nothing_but_the_format(void **state) {
    vb_trust *t = NULL;
    vb_error e;
    (void)state;
    assert_int_equal(parse_text("{\"format\":\"verbatim.trust/1\"}", &t, &e), VB_OK);
    assert_true(t->any_server_key && t->any_beacon);
    assert_int_equal(t->modes, VB_TRUST_MODES_ALL);
    assert_int_equal(t->n_drand, 2);
    assert_int_equal(t->n_nist_certificates, 1);
    assert_int_equal(t->n_theta + t->n_ethereum + t->n_server_keys + t->n_beacons, 0);
    vb_trust_free(t);
    vb_trust_free(NULL);
    /* An empty list accepts nothing: that is not the same as none. */
    assert_int_equal(parse_text("{\"beacons\":[],\"drand\":[],\"format\":\"verbatim.trust/1\","
                                "\"modes\":[],\"nist\":[],\"server_keys\":[]}",
                                &t, &e),
                     VB_OK);
    assert_false(t->any_server_key || t->any_beacon);
    assert_int_equal(t->modes, 0);
    assert_int_equal(t->n_drand, 2);
    assert_int_equal(t->n_nist_certificates, 1);
    assert_false(vb_trust_accepts_beacon(t, "local:x"));
    vb_trust_free(t);
}

static void builtin_chains_are_the_pinned_ones(void **state) {
    static const struct {
        const char *name, *hash, *group;
        uint64_t genesis;
        uint32_t period;
        vb_drand_scheme scheme;
        size_t n_key;
    } pinned[] = {{"quicknet", "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971",
                   "f477d5c89f21a17c863a7f937c6a6d15859414d2be09cd448d4279af331c5d3e", 1692803367,
                   3, VB_DRAND_G1_RFC9380, 96},
                  {"default", "8990e7a9aaed2ffed73dbd7092123d6f289930540d7651336225dc172e51b2ce",
                   "176f93498eac9ca337150b46d21dd58673ea4e3581185f869672e59fa4cb390a", 1595431050,
                   30, VB_DRAND_CHAINED, 48}};
    const vb_trust *t = vb_trust_builtin();
    (void)state;
    assert_int_equal(t->n_drand, 2);
    assert_true(t->any_server_key && t->any_beacon && t->modes == VB_TRUST_MODES_ALL);
    assert_int_equal(t->n_theta + t->n_ethereum, 0);
    for (size_t i = 0; i < 2; i++) {
        uint8_t hash[32], of_members[32], group[32];
        const vb_drand_chain *c = vb_trust_drand_named(t, pinned[i].name);
        assert_non_null(c);
        assert_true(vb_hex_decode(pinned[i].hash, hash, 32));
        assert_true(vb_hex_decode(pinned[i].group, group, 32));
        assert_memory_equal(c->hash, hash, 32);
        assert_memory_equal(c->group_hash, group, 32);
        vb_drand_chain_hash(c, of_members);
        assert_memory_equal(of_members, hash, 32);
        assert_ptr_equal(vb_trust_drand(t, hash), c);
        assert_true(c->genesis_s == pinned[i].genesis && c->period_s == pinned[i].period &&
                    c->scheme == pinned[i].scheme && c->n_public_key == pinned[i].n_key);
        hash[31] ^= 1;
        assert_null(vb_trust_drand(t, hash));
    }
    assert_null(vb_trust_drand_named(t, ""));
    assert_null(vb_trust_drand_named(t, "quicknet2"));
    uint8_t certificate[64];
    assert_int_equal(t->n_nist_certificates, 1);
    assert_true(vb_hex_decode("5501e3d72bc42f3b96e16de4dcadcb16768e109662bd16d667d5fd9aee585af3"
                              "1bbdc5dd4f53592276064b53dddd76c8f3604b2a41db6e09f78f82bb5d6569e7",
                              certificate, 64));
    assert_memory_equal(t->nist_certificates[0], certificate, 64);
}

static void builtin_chains_are_those_of_the_network(void **state) {
    size_t n;
    (void)state;
    uint8_t *bytes = vb_test_read(vb_test_data("beacons/drand.json"), &n);
    json_t *doc = json_loadb((const char *)bytes, n, 0, NULL), *info;
    const char *name;
    free(bytes);
    assert_int_equal(json_object_size(json_object_get(doc, "chains")), 2);
    json_object_foreach(json_object_get(doc, "chains"), name, info) {
        const vb_drand_chain *c = vb_trust_drand_named(vb_trust_builtin(), name);
        char hex[2 * 96 + 1];
        assert_non_null(c);
        vb_hex_encode(c->public_key, c->n_public_key, hex);
        assert_string_equal(hex, json_string_value(json_object_get(info, "public_key")));
        vb_hex_encode(c->hash, 32, hex);
        assert_string_equal(hex, json_string_value(json_object_get(info, "hash")));
        vb_hex_encode(c->group_hash, 32, hex);
        assert_string_equal(hex, json_string_value(json_object_get(info, "groupHash")));
        assert_int_equal(c->period_s, json_integer_value(json_object_get(info, "period")));
        assert_int_equal(c->genesis_s, json_integer_value(json_object_get(info, "genesis_time")));
        assert_string_equal(vb_drand_form_of(c->scheme)->name,
                            json_string_value(json_object_get(info, "schemeID")));
    }
    json_decref(doc);
}

/* ---- every member dropped, added, of another type ---- */

static void damage(json_t *doc, json_t *value, const char *path);

/* The member is replaced by values of other types, and dropped, unless it may be absent. */
static void damage_member(json_t *doc, json_t *object, const char *name, const char *path,
                          bool optional) {
    json_t *member = json_incref(json_object_get(object, name));
    json_t *others[] = {
        json_null(),  json_true(),   json_real(7.5),
        json_array(), json_object(), json_is_string(member) ? json_integer(1) : json_string("1")};
    damage(doc, member, path);
    for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
        if (json_typeof(member) != json_typeof(others[k])) {
            json_object_set(object, name, others[k]);
            expect_refused(doc, path);
        }
        json_decref(others[k]);
    }
    if (!optional) {
        json_object_del(object, name);
        expect_refused(doc, path);
    }
    json_object_set_new(object, name, member);
}

static void damage_object(json_t *doc, json_t *object, const char *path) {
    char names[16][32], at[128];
    size_t n = 0;
    const char *key;
    json_t *member;
    json_object_foreach(object, key, member) {
        assert_true(n < 16);
        snprintf(names[n++], sizeof names[0], "%s", key);
    }
    for (size_t i = 0; i < n; i++) {
        snprintf(at, sizeof at, "%s.%s", path, names[i]);
        damage_member(doc, object, names[i], at, object == doc && strcmp(names[i], "format") != 0);
    }
    snprintf(at, sizeof at, "%s.zzz", path);
    json_object_set_new(object, "zzz", json_null());
    expect_refused(doc, at);
    json_object_del(object, "zzz");
}

static void damage(json_t *doc, json_t *value, const char *path) {
    if (json_is_object(value)) {
        damage_object(doc, value, path);
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        char at[128];
        snprintf(at, sizeof at, "%s[%zu]", path, i);
        json_t *item = json_incref(json_array_get(value, i));
        damage(doc, item, at);
        json_t *others[] = {json_null(),  json_true(),     json_real(7.5),
                            json_array(), json_integer(1), json_string("?")};
        for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
            json_array_set_new(value, i, others[k]);
            expect_refused(doc, at);
        }
        json_array_set_new(value, i, item);
    }
}

static void every_damage_is_named(void **state) {
    json_t *doc = everything_parsed();
    vb_trust *t = NULL;
    vb_error e;
    (void)state;
    damage(doc, doc, "trust");
    assert_int_equal(parse(doc, &t, &e), VB_OK); /* all was put back */
    vb_trust_free(t);
    json_decref(doc);
}

/* Values of the right type that are refused, or are the last that are not. */
static void values_at_their_limits(void **state) {
    static const struct {
        const char *list;
        const char *member; /* NULL: the item itself */
        const char *value;  /* as JSON */
        const char *path;   /* NULL: allowed */
    } cases[] = {
        {"server_keys", "key", "\"0101\"", "trust.server_keys[0].key"},
        {"server_keys", "name", "\"a\\nb\"", "trust.server_keys[0].name"},
        {"server_keys", "name", "\"a\\u0000b\"", "trust.server_keys[0].name"},
        {"beacons", NULL, "\"drand\"", "trust.beacons[0]"},
        {"beacons", NULL, "\"drand:\"", "trust.beacons[0]"},
        {"beacons", NULL, "\"drnd:*\"", "trust.beacons[0]"},
        {"beacons", NULL, "\"*\"", "trust.beacons[0]"},
        {"beacons", NULL, "\"drand:*\\u0000\"", "trust.beacons[0]"},
        {"beacons", NULL, "\"local:*\"", NULL},
        {"modes", NULL, "\"unknown\"", "trust.modes[0]"},
        {"modes", NULL, "\"Next\"", "trust.modes[0]"},
        {"modes", NULL, "\"fixed\"", NULL},
        {"drand", "scheme", "\"bls-unchained-on-g1\"", "trust.drand[0].scheme"},
        {"drand", "scheme", "\"pedersen-bls-chained\"", "trust.drand[0].public_key"},
        {"drand", "period", "0", "trust.drand[0].period"},
        {"drand", "period", "-3", "trust.drand[0].period"},
        {"drand", "period", "4294967296", "trust.drand[0].period"},
        {"drand", "period", "4294967295", "trust.drand[0].hash"}, /* read, but not this chain's */
        {"drand", "genesis_time", "-1", "trust.drand[0].genesis_time"},
        {"drand", "genesis_time", "9007199254740993", "trust.drand[0].genesis_time"},
        {"drand", "genesis_time", "9007199254740992", "trust.drand[0].hash"},
        {"drand", "beacon_id", "\"default\"", "trust.drand[0].hash"},
        {"theta", "chain", "\"\"", "trust.theta[0].chain"},
        {"theta", "chain", "\"Mainnet\"", "trust.theta[0].chain"},
        {"theta", "chain", "\"main:net\"", "trust.theta[0].chain"},
        {"theta", "from", "\"20\"", "trust.theta[0].to"},
        {"theta", "from", "\"010\"", "trust.theta[0].from"},
        {"theta", "from", "\"19\"", NULL},
        {"theta", "to", "\"20\"", "trust.theta[1].from"},
        {"theta", "to", "\"18446744073709551616\"", "trust.theta[0].to"},
        {"theta", "chain", "\"a-z_09\"", "trust.theta[2].from"},
        {"theta", "validators", "[]", "trust.theta[0].validators"},
        {"ethereum", "chain_id", "\"0\"", "trust.ethereum[0].chain_id"},
        {"ethereum", "chain_id", "\"18446744073709551615\"", "trust.ethereum[1].number"},
        {"ethereum", "number", "\"18446744073709551616\"", "trust.ethereum[0].number"},
        {"ethereum", "hash", "\"0X\"", "trust.ethereum[0].hash"},
        {"nist", NULL, "\"06\"", "trust.nist[0]"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *doc = everything_parsed(), *list = json_object_get(doc, cases[i].list);
        json_t *value = json_loads(cases[i].value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_true(list && value);
        if (cases[i].member) {
            assert_non_null(json_object_get(json_array_get(list, 0), cases[i].member));
            json_object_set_new(json_array_get(list, 0), cases[i].member, value);
        } else {
            json_array_set_new(list, 0, value);
        }
        if (cases[i].path) {
            expect_refused(doc, cases[i].path);
        } else {
            vb_trust *t = NULL;
            vb_error e;
            assert_int_equal(parse(doc, &t, &e), VB_OK);
            vb_trust_free(t);
        }
        json_decref(doc);
    }
}

static void stakes(void **state) {
    static const char *const bad[] = {"",
                                      "0",
                                      "01",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "0x1",
                                      "1e3",
                                      "1267650600228229401496703205376", /* 2^100 */
                                      "9999999999999999999999999999999",
                                      "10000000000000000000000000000000",
                                      "340282366920938463463374607431768211457"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *doc = everything_parsed();
        json_t *set = json_array_get(json_object_get(doc, "theta"), 0);
        json_t *v = json_array_get(json_object_get(set, "validators"), 2);
        json_object_set_new(v, "stake", json_string(bad[i]));
        expect_refused(doc, "trust.theta[0].validators[2].stake");
        json_decref(doc);
    }
}

static void nothing_stands_twice(void **state) {
    (void)state;
    json_t *doc = everything_parsed(), *list = json_object_get(doc, "server_keys");
    json_object_set(json_array_get(list, 1), "key",
                    json_object_get(json_array_get(list, 0), "key"));
    expect_refused(doc, "trust.server_keys[1].key");
    json_decref(doc);
    doc = everything_parsed();
    list = json_object_get(json_array_get(json_object_get(doc, "theta"), 0), "validators");
    json_object_set(json_array_get(list, 2), "id", json_object_get(json_array_get(list, 0), "id"));
    expect_refused(doc, "trust.theta[0].validators");
    json_decref(doc);
    /* The same certificate twice says the same. */
    doc = everything_parsed();
    list = json_object_get(doc, "nist");
    json_array_append(list, json_array_get(list, 0));
    vb_trust *t = NULL;
    vb_error e;
    assert_int_equal(parse(doc, &t, &e), VB_OK);
    assert_int_equal(t->n_nist_certificates, 2);
    vb_trust_free(t);
    json_decref(doc);
    static const char *const texts[] = {
        "{\"format\":\"verbatim.trust/1\",\"format\":\"verbatim.trust/1\"}",
        "{\"format\":\"verbatim.trust/1\",\"drand\":[],\"drand\":[]}",
        "{\"format\":\"verbatim.trust/2\"}",
        "{\"format\":\"verbatim.trust/1\"} {}",
        "{\"format\":\"verbatim.trust/1\",\"\":1}",
        "[]",
        "null",
        "",
        "{\"format\":\"verbatim.trust/1\""};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        t = NULL;
        assert_int_equal(parse_text(texts[i], &t, &e), VB_EFORMAT);
        assert_true(t == NULL && strncmp(e.msg, "trust", 5) == 0);
    }
}

/* A chain of the file: its own hash, the pinned key's scheme, a name that is taken. */
static void chains_of_the_file(void **state) {
    (void)state;
    json_t *vectors = vector_file("drand.json");
    vb_trust *t = vector_trust(vector_named(vectors, "several trust roots"));
    assert_int_equal(t->n_drand, 5);
    for (size_t i = 0; i < t->n_drand; i++) {
        assert_ptr_equal(vb_trust_drand(t, t->drand[i].hash), &t->drand[i]);
    }
    /* One of them is called "default" too: the built-in chain keeps the name. */
    assert_string_equal(t->drand[2].beacon_id, "default");
    assert_ptr_equal(vb_trust_drand_named(t, "default"), &t->drand[1]);
    assert_ptr_equal(vb_trust_drand_named(t, "test-g1"), &t->drand[4]);
    vb_trust_free(t);

    /* A chain twice: the same once, with another scheme never. */
    json_t *doc =
        json_deep_copy(json_object_get(vector_named(vectors, "chained, round 1"), "trust"));
    json_t *list = json_object_get(doc, "drand"), *again = json_deep_copy(json_array_get(list, 0));
    vb_error e;
    json_array_append_new(list, again);
    assert_int_equal(parse(doc, &t, &e), VB_OK);
    assert_int_equal(t->n_drand, 3);
    vb_trust_free(t);
    json_object_set_new(again, "scheme", json_string("pedersen-bls-unchained"));
    expect_refused(doc, "trust.drand[1].hash");
    json_array_remove(list, 1);

    /* A hash that is no chain's, and each member that it follows from. */
    static const char *const members[] = {"hash",       "period",    "genesis_time",
                                          "public_key", "beacon_id", "group_hash"};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        json_t *chain = json_array_get(list, 0);
        json_t *good = json_incref(json_object_get(chain, members[i])), *other;
        if (json_is_integer(good)) {
            other = json_integer(json_integer_value(good) + 1);
        } else {
            char text[256];
            snprintf(text, sizeof text, "%s", json_string_value(good));
            text[0] = text[0] == 'a' ? 'b' : 'a';
            other = json_string(text);
        }
        json_object_set_new(chain, members[i], other);
        expect_refused(doc, "trust.drand[0].hash");
        json_object_set_new(chain, members[i], good);
    }
    json_decref(doc);
    json_decref(vectors);
}

/* The largest numbers, with the hash that they give. */
static void a_chain_of_extremes(void **state) {
    vb_drand_chain c = {.scheme = VB_DRAND_UNCHAINED,
                        .n_public_key = 48,
                        .period_s = UINT32_MAX,
                        .genesis_s = (uint64_t)1 << 53};
    static const char key[] = "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac58"
                              "6c55e83ff97a1aeffb3af00adb22c6bb"; /* G1's generator */
    char name[VB_DRAND_NAME_BYTES_MAX + 2], hash[65], text[1024];
    vb_trust *t = NULL;
    vb_error e;
    (void)state;
    assert_true(vb_hex_decode(key, c.public_key, 48));
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    memcpy(c.beacon_id, name, VB_DRAND_NAME_BYTES_MAX);
    vb_drand_chain_hash(&c, c.hash);
    vb_hex_encode(c.hash, 32, hash);
    for (int longer = 0; longer < 2; longer++) {
        snprintf(text, sizeof text,
                 "{\"drand\":[{\"beacon_id\":\"%s\",\"genesis_time\":9007199254740992,"
                 "\"group_hash\":\"%064d\",\"hash\":\"%s\",\"period\":4294967295,"
                 "\"public_key\":\"%s\",\"scheme\":\"pedersen-bls-unchained\"}],"
                 "\"format\":\"verbatim.trust/1\"}",
                 name + 1 - longer, 0, hash, key);
        vb_err err = parse_text(text, &t, &e);
        assert_int_equal(err, longer ? VB_EFORMAT : VB_OK);
    }
    assert_non_null(strstr(e.msg, "trust.drand[0].beacon_id"));
    const vb_drand_chain *read = vb_trust_drand(t, c.hash);
    assert_true(read && read->period_s == c.period_s && read->genesis_s == c.genesis_s);
    vb_trust_free(t);
    /* A key that is none: all of the network's rounds would read as false. */
    c.public_key[47] ^= 1;
    vb_drand_chain_hash(&c, c.hash);
    vb_hex_encode(c.hash, 32, hash);
    snprintf(text, sizeof text,
             "{\"drand\":[{\"beacon_id\":\"%s\",\"genesis_time\":9007199254740992,"
             "\"group_hash\":\"%064d\",\"hash\":\"%s\",\"period\":4294967295,"
             "\"public_key\":\"%.94sba\",\"scheme\":\"pedersen-bls-unchained\"}],"
             "\"format\":\"verbatim.trust/1\"}",
             name + 1, 0, hash, key);
    assert_int_equal(parse_text(text, &t, &e), VB_EFORMAT);
    assert_non_null(strstr(e.msg, "trust.drand[0].public_key"));
}

/* A file with a list of n items that are all alike. */
static vb_err parse_list(const char *list, const char *item, size_t n, vb_trust **t, vb_error *e) {
    vb_buf b = vb_buf_make(1u << 24);
    assert_int_equal(vb_buf_printf(&b, "{\"format\":\"verbatim.trust/1\",\"%s\":[", list), VB_OK);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(vb_buf_printf(&b, "%s%s", i ? "," : "", item), VB_OK);
    }
    assert_int_equal(vb_buf_append(&b, "]}", 2), VB_OK);
    memset(e, 0, sizeof *e);
    vb_err err = vb_trust_parse(b.data, b.len, t, e);
    vb_buf_free(&b);
    return err;
}

static void sizes_are_bounded(void **state) {
    vb_trust *t = NULL;
    vb_error e;
    (void)state;
    assert_int_equal(parse_list("beacons", "\"nist:*\"", VB_TRUST_ITEMS_MAX, &t, &e), VB_OK);
    assert_int_equal(t->n_beacons, VB_TRUST_ITEMS_MAX);
    vb_trust_free(t);
    t = NULL;
    assert_int_equal(parse_list("beacons", "\"nist:*\"", VB_TRUST_ITEMS_MAX + 1, &t, &e),
                     VB_EFORMAT);
    assert_non_null(strstr(e.msg, "trust.beacons"));
    assert_int_equal(parse_list("beacons", "\"nist:*\"", VB_TRUST_FILE_BYTES_MAX / 9, &t, &e),
                     VB_ELIMIT);
    char id[VB_BEACON_ID_BYTES_MAX + 8];
    memset(id, 'x', sizeof id);
    memcpy(id, "\"nist:", 6);
    id[VB_BEACON_ID_BYTES_MAX + 1] = '"';
    id[VB_BEACON_ID_BYTES_MAX + 2] = 0;
    assert_int_equal(parse_list("beacons", id, 1, &t, &e), VB_OK);
    assert_int_equal(strlen(t->beacons[0]), VB_BEACON_ID_BYTES_MAX);
    vb_trust_free(t);
    t = NULL;
    id[VB_BEACON_ID_BYTES_MAX + 1] = 'x';
    id[VB_BEACON_ID_BYTES_MAX + 2] = '"';
    id[VB_BEACON_ID_BYTES_MAX + 3] = 0;
    assert_int_equal(parse_list("beacons", id, 1, &t, &e), VB_EFORMAT);
    assert_null(t);
}

static void accepted_beacons(void **state) {
    static const struct {
        const char *id;
        bool accepted;
    } cases[] = {{"drand:52db", true},         {"drand:", true},        {"drand", false},
                 {"theta:mainnet", true},      {"theta:mainne", false}, {"theta:mainnet2", false},
                 {"theta:*", false},           {"nist:2", false},       {"local:00", false},
                 {"mix:drand:a+nist:2", true}, {"drandx:a", false},     {"", false}};
    vb_trust *t = NULL;
    vb_error e;
    (void)state;
    assert_int_equal(parse_text(everything, &t, &e), VB_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(vb_trust_accepts_beacon(t, cases[i].id), cases[i].accepted);
        assert_true(vb_trust_accepts_beacon(vb_trust_builtin(), cases[i].id));
    }
    vb_trust_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_read),
        cmocka_unit_test(witnesses_and_their_quorum),
        cmocka_unit_test(at_most_so_many_witnesses),
        cmocka_unit_test(nothing_but_the_format),
        cmocka_unit_test(builtin_chains_are_the_pinned_ones),
        cmocka_unit_test(builtin_chains_are_those_of_the_network),
        cmocka_unit_test(every_damage_is_named),
        cmocka_unit_test(values_at_their_limits),
        cmocka_unit_test(stakes),
        cmocka_unit_test(nothing_stands_twice),
        cmocka_unit_test(chains_of_the_file),
        cmocka_unit_test(a_chain_of_extremes),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(accepted_beacons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
