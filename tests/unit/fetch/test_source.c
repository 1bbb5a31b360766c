/*
 * Sources of rounds over a fake outside: names, which round is asked for and when, failover,
 * patience and its end, and that nothing an endpoint says is a round that the rules do not allow.
 */
#include "fetch/source.h"

#include <inttypes.h>
#include <stdio.h>

#include "support/testing.h"
#include "unit/fetch/outside.h"

#define QUICKNET "drand:52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"
#define DEFAULT "drand:8990e7a9aaed2ffed73dbd7092123d6f289930540d7651336225dc172e51b2ce"
#define V2_URL "/v2/chains/52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971/rounds/"
#define V1_URL "/52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971/public/"

/* Quicknet's round 1000, and its time. */
static const char signature_1000[] = "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1"
                                     "125e342b73a8dd2bacbe47e4b6b63ed5e39";
static const char randomness_1000[] =
    "fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd";
static const uint64_t time_1000_ms = (UINT64_C(1692803367) + 999 * 3) * 1000;

static const char *const a_and_b[] = {"http://a.invalid", "http://b.invalid/"};

static bool says(const vb_error *e, const char *text) {
    return strstr(e->msg, text) != NULL;
}

/* The rounds that there are: number 1000, when its time has come. */
static long good(fake_outside *o, const char *url, vb_buf *body) {
    if (o->unix_ms < time_1000_ms || !strstr(url, "/1000")) {
        return 404;
    }
    assert_int_equal(vb_buf_printf(body, "{\"round\":1000,\"signature\":\"%s\"}", signature_1000),
                     VB_OK);
    return 200;
}

static long always_good(fake_outside *o, const char *url, const char *json, vb_buf *body) {
    assert_null(json);
    return good(o, url, body);
}

static vb_source *open_source(const char *beacon, const char *const *urls, size_t n_urls,
                              fake_outside *o) {
    const vb_source_options options = {.beacon = beacon, .urls = urls, .n_urls = n_urls};
    const vb_outside outside = fake_outside_of(o);
    vb_source *s = NULL;
    vb_error e = {0};
    if (vb_source_open_with(&options, &outside, &s, &e)) {
        fail_msg("%s", e.msg);
    }
    return s;
}

static void names_and_ids(void **state) {
    static const struct {
        const char *name, *id; /* NULL: refused */
    } cases[] = {
        {"drand", QUICKNET},
        {"drand:quicknet", QUICKNET},
        {QUICKNET, QUICKNET},
        {"drand:default", DEFAULT},
        {"theta", "theta:mainnet"},
        {"theta:privatenet", "theta:privatenet"},
        {"ethereum", "ethereum:1"},
        {"ethereum:361", "ethereum:361"},
        {"nist", "nist:2"},
        {"nist:1", "nist:1"},
        {"mix:nist+drand", "mix:" QUICKNET "+nist:2"},
        {"mix:theta:x+ethereum:5+drand:default", "mix:" DEFAULT "+ethereum:5+theta:x"},
        {"", NULL},
        {"local", NULL},
        {"local:00", NULL},
        {"drandx", NULL},
        {"drand:", NULL},
        {"drand:unknown", NULL},
        {"drand:52DB9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971", NULL},
        {"theta:", NULL},
        {"theta:UPPER", NULL},
        {"theta:a/b", NULL},
        {"ethereum:0", NULL},
        {"ethereum:01", NULL},
        {"ethereum:0x1", NULL},
        {"ethereum:18446744073709551616", NULL},
        {"nist:-1", NULL},
        {"mix:drand", NULL},
        {"mix:", NULL},
        {"mix:drand+", NULL},
        {"mix:drand+drand:quicknet", NULL},
        {"mix:drand+mix:drand+nist", NULL},
        {"mix:drand+local:00", NULL},
        {"mix:nist:1+nist:2+nist:3+nist:4+nist:5", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char id[VB_BEACON_ID_BYTES_MAX + 1] = "untouched";
        vb_error e = {0};
        const vb_trust *trust = vb_trust_builtin();
        const vb_err err = strncmp(cases[i].name, "mix:", 4) == 0
                               ? vb_source_mix_name(cases[i].name, trust, id, &e)
                               : vb_source_name(cases[i].name, trust, id, &e);
        if (err != (cases[i].id ? VB_OK : VB_EINVAL)) {
            fail_msg("%s: %s: %s", cases[i].name, vb_err_name(err), e.msg);
        }
        assert_string_equal(id, cases[i].id ? cases[i].id : "untouched");
        assert_true(!err || e.msg[0]);
    }
}

static vb_err try_open(const char *beacon, const char *const *urls, size_t n, vb_error *e) {
    vb_source *s = NULL;
    const vb_source_options o = {.beacon = beacon, .urls = urls, .n_urls = n};
    const vb_err err = vb_source_open(&o, &s, e);
    assert_true((err == VB_OK) == (s != NULL));
    vb_source_close(s);
    return err;
}

static void endpoints_are_checked_when_opened(void **state) {
    static const char *const good_urls[] = {"https://user:pass@example.org/base/", "http://b"};
    static const char *const parts[] = {"nist=http://a", "theta=http://b/rpc?key=1"};
    const char *many[VB_ENDPOINTS_MAX + 1];
    vb_error e = {0};
    (void)state;
    assert_int_equal(try_open("drand", NULL, 0, &e), VB_OK);
    assert_int_equal(try_open("nist", NULL, 0, &e), VB_OK);
    assert_int_equal(try_open("drand", good_urls, 2, &e), VB_OK);
    assert_int_equal(try_open("mix:nist+theta", parts, 2, &e), VB_OK);
    /* Kinds without public endpoints, alone or in a mix. */
    assert_int_equal(try_open("theta", NULL, 0, &e), VB_EINVAL);
    assert_int_equal(try_open("ethereum", NULL, 0, &e), VB_EINVAL);
    assert_true(says(&e, "ethereum:1"));
    assert_int_equal(try_open("mix:nist+theta", parts, 1, &e), VB_EINVAL);
    assert_true(says(&e, "theta:mainnet"));
    /* Not for a part; not a URL; with something after the path. */
    assert_int_equal(try_open("mix:drand+nist", parts, 2, &e), VB_EINVAL);
    assert_int_equal(try_open("mix:nist+theta", good_urls, 2, &e), VB_EINVAL);
    assert_int_equal(try_open("drand", (const char *[]){"ftp://x"}, 1, &e), VB_EINVAL);
    assert_int_equal(try_open("drand", (const char *[]){"http://x/?a=b"}, 1, &e), VB_EINVAL);
    assert_int_equal(try_open("theta", (const char *[]){"http://x/rpc?a=b"}, 1, &e), VB_OK);
    for (size_t i = 0; i <= VB_ENDPOINTS_MAX; i++) {
        many[i] = "http://x";
    }
    assert_int_equal(try_open("drand", many, VB_ENDPOINTS_MAX, &e), VB_OK);
    assert_int_equal(try_open("drand", many, VB_ENDPOINTS_MAX + 1, &e), VB_EINVAL);
}

static void assert_round_1000(vb_beacon_round *r) {
    char hex[2 * 32 + 1];
    assert_string_equal(r->id, QUICKNET);
    assert_int_equal(r->round, 1000);
    assert_int_equal(r->n_randomness, 32);
    vb_hex_encode(r->randomness, 32, hex);
    assert_string_equal(hex, randomness_1000);
    vb_beacon_round_free(r);
}

/* Which round a commitment's time names, at the edges of the schedule. */
static void the_schedule_names_the_round(void **state) {
    static const struct {
        vb_beacon_mode mode;
        int64_t offset_ms; /* from round 1000's time */
        bool is_1000;
    } cases[] = {
        {VB_MODE_NEXT, -3001, false}, {VB_MODE_NEXT, -3000, true},   {VB_MODE_NEXT, -1, true},
        {VB_MODE_NEXT, 0, false},     {VB_MODE_LATEST, -1, false},   {VB_MODE_LATEST, 0, true},
        {VB_MODE_LATEST, 2999, true}, {VB_MODE_LATEST, 3000, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake_outside o = {.unix_ms = time_1000_ms + 60000, .answer = always_good};
        vb_source *s = open_source("drand", a_and_b, 1, &o);
        const vb_source_want want = {.mode = cases[i].mode,
                                     .time_ms = time_1000_ms + (uint64_t)cases[i].offset_ms,
                                     .wait_ms = 100};
        vb_beacon_round r = {0};
        vb_error e = {0};
        const vb_err err = vb_source_get(s, &want, &r, &e);
        assert_int_equal(err, cases[i].is_1000 ? VB_OK : VB_EIO);
        if (!err) {
            assert_round_1000(&r);
        }
        vb_source_close(s);
    }
}

static void sleeps_until_the_round_is_due(void **state) {
    fake_outside o = {.unix_ms = time_1000_ms - 2500, .call_ms = 10, .answer = always_good};
    vb_source *s = open_source("drand", a_and_b, 2, &o);
    vb_source_want want = {.mode = VB_MODE_NEXT, .time_ms = o.unix_ms, .wait_ms = 10000};
    vb_beacon_round r = {0};
    vb_error e = {0};
    (void)state;
    assert_string_equal(vb_source_id(s), QUICKNET);
    assert_int_equal(vb_source_get(s, &want, &r, &e), VB_OK);
    assert_round_1000(&r);
    assert_int_equal(o.n_calls, 1);
    assert_int_equal(o.clock_ms, 2510);
    assert_string_equal(o.last_url, "http://a.invalid" V2_URL "1000");
    /* One that comes too late is not waited for, and nobody is asked. */
    o.unix_ms = time_1000_ms - 2500;
    want.wait_ms = 2500;
    assert_int_equal(vb_source_get(s, &want, &r, &e), VB_EIO);
    assert_true(says(&e, "due in 2500 ms"));
    assert_int_equal(o.n_calls, 1);
    vb_source_close(s);
}

static long late(fake_outside *o, const char *url, const char *json, vb_buf *body) {
    (void)json;
    return o->n_calls <= 5 ? (o->n_calls % 2 ? 404 : 425) : good(o, url, body);
}

static void a_late_round_is_asked_for_again_soon(void **state) {
    fake_outside o = {.unix_ms = time_1000_ms, .call_ms = 1, .answer = late};
    vb_source *s = open_source("drand", a_and_b, 2, &o);
    const vb_source_want want = {
        .mode = VB_MODE_NEXT, .time_ms = time_1000_ms - 1, .wait_ms = 10000};
    vb_beacon_round r = {0};
    vb_error e = {0};
    (void)state;
    assert_int_equal(vb_source_get(s, &want, &r, &e), VB_OK);
    assert_round_1000(&r);
    /* 200, 400, 800 at most, and a quarter less at least. */
    assert_in_range(o.clock_ms, 350, 2500);
    vb_source_close(s);
}

static long only_v1(fake_outside *o, const char *url, const char *json, vb_buf *body) {
    (void)o;
    (void)json;
    if (!strstr(url, V1_URL)) {
        return 404;
    }
    /* Version 1 has the randomness as well, here a false one, which nothing rests on. */
    assert_int_equal(vb_buf_printf(body,
                                   "{\"round\":1000,\"randomness\":\"00\",\"signature\":\"%s\","
                                   "\"previous_signature\":\"\"}",
                                   signature_1000),
                     VB_OK);
    return 200;
}

static void version_1_where_there_is_no_2(void **state) {
    fake_outside o = {.unix_ms = time_1000_ms + 1000000, .answer = only_v1};
    vb_source *s = open_source("drand", a_and_b, 1, &o);
    const vb_source_want want = {.mode = VB_MODE_FIXED, .round = 1000, .wait_ms = 1000};
    vb_beacon_round r = {0};
    vb_error e = {0};
    (void)state;
    assert_int_equal(vb_source_get(s, &want, &r, &e), VB_OK);
    assert_round_1000(&r);
    assert_int_equal(o.n_calls, 2);
    /* It remembers. */
    assert_int_equal(vb_source_get(s, &want, &r, &e), VB_OK);
    assert_round_1000(&r);
    assert_int_equal(o.n_calls, 3);
    vb_source_close(s);
}

/* What endpoint a answers; b is good. */
static long a_is_bad(fake_outside *o, const char *url, const char *json, vb_buf *body) {
    (void)json;
    const char *text = o->user;
    if (strstr(url, "b.invalid")) {
        return good(o, url, body);
    }
    if (!text) {
        return 0;
    }
    assert_int_equal(vb_buf_append(body, text, strlen(text)), VB_OK);
    return 200;
}

/* Each a lie or a fault; the other endpoint's turn comes, and stays. */
static const char *const bad_answers[] = {
    "", "null", "[]", "{", "<html>", "{}", "{\"round\":1000}",
    "{\"round\":1000,\"signature\":null}", "{\"round\":1000,\"signature\":\"\"}",
    "{\"round\":1000,\"signature\":\"zz\"}", "{\"round\":1000,\"signature\":7}",
    /* Round 1001's signature as 1000's; and as 1001's. */
    "{\"round\":1000,\"signature\":"
    "\"b33bf3667cbd5a82de3a24b4e0e9fe5513cc1a0e840368c6e31f5fcfa79bea03"
    "f73896b25883abf2853d10337fb8fa41\"}",
    "{\"round\":1001,\"signature\":"
    "\"b33bf3667cbd5a82de3a24b4e0e9fe5513cc1a0e840368c6e31f5fcfa79bea03"
    "f73896b25883abf2853d10337fb8fa41\"}",
    /* One digit is another; the point at infinity; a round twice. */
    "{\"round\":1000,\"signature\":"
    "\"b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125"
    "e342b73a8dd2bacbe47e4b6b63ed5e38\"}",
    "{\"round\":1000,\"signature\":"
    "\"c000000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000\"}",
    "{\"round\":1000,\"round\":1000,\"signature\":"
    "\"b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b1957"
    "6350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39\"}",
    "{\"round\":1000.0,\"signature\":"
    "\"b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb11"
    "25e342b73a8dd2bacbe47e4b6b63ed5e39\"}",
    NULL, /* no connection */
};

static void try_bad_answer(const char *answer, vb_beacon_mode mode) {
    char *text = answer ? strdup(answer) : NULL;
    fake_outside o = {.unix_ms = time_1000_ms, .call_ms = 1, .answer = a_is_bad, .user = text};
    vb_source *s = open_source("drand", a_and_b, 2, &o);
    const vb_source_want want = {
        .mode = mode, .time_ms = time_1000_ms - 1, .round = 1000, .wait_ms = 1000};
    vb_beacon_round r = {0};
    vb_error e = {0};
    const vb_err err = vb_source_get(s, &want, &r, &e);
    if (err || o.n_calls != 2) {
        fail_msg("%s: %u calls: %s", text ? text : "no connection", o.n_calls, e.msg);
    }
    assert_round_1000(&r);
    /* The good one comes first from now on. */
    assert_int_equal(vb_source_get(s, &want, &r, &e), VB_OK);
    assert_round_1000(&r);
    assert_int_equal(o.n_calls, 3);
    vb_source_close(s);
    /* Alone, it is an error in the time allowed, and out is untouched. */
    o.n_calls = 0;
    o.clock_ms = 0;
    s = open_source("drand", a_and_b, 1, &o);
    assert_int_equal(vb_source_get(s, &want, &r, &e), VB_EIO);
    assert_in_range(o.clock_ms, 900, 1001);
    assert_in_range(o.n_calls, 3, 20);
    assert_true(says(&e, "a.invalid") || says(&e, "fake"));
    assert_null(r.proof);
    assert_int_equal(r.round, 0);
    vb_source_close(s);
    free(text);
}

static void bad_endpoints_make_the_next_ones_turn(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad_answers / sizeof bad_answers[0]; i++) {
        try_bad_answer(bad_answers[i], VB_MODE_NEXT);
        try_bad_answer(bad_answers[i], VB_MODE_FIXED);
    }
}

/* However long one request may last: who does not answer leaves half of the time to the others. */
static void slow_endpoints_leave_time_to_others(void **state) {
    fake_outside o = {.unix_ms = time_1000_ms, .slow_url = "a.invalid", .answer = always_good};
    vb_source *s = open_source("drand", a_and_b, 2, &o);
    const vb_source_want want = {.mode = VB_MODE_FIXED, .round = 1000, .wait_ms = 1000};
    vb_beacon_round r = {0};
    vb_error e = {0};
    (void)state;
    assert_int_equal(vb_source_get(s, &want, &r, &e), VB_OK);
    assert_round_1000(&r);
    assert_in_range(o.clock_ms, 400, 500);
    vb_source_close(s);
}

static void errors_name_every_endpoint(void **state) {
    fake_outside o = {.unix_ms = time_1000_ms, .call_ms = 600, .answer = a_is_bad};
    static const char *const urls[] = {"http://a.invalid", "http://c.invalid", "http://d.invalid",
                                       "http://e.invalid"};
    char text[] = "{\"round\":999,\"signature\":\"00\"}";
    o.user = text;
    vb_source *s = open_source("drand", urls, 4, &o);
    vb_source_want want = {.mode = VB_MODE_FIXED, .round = 1000, .wait_ms = 1000};
    vb_beacon_round r = {0};
    vb_error e = {0};
    (void)state;
    assert_int_equal(vb_source_get(s, &want, &r, &e), VB_EIO);
    assert_true(says(&e, "a.invalid: answer.signature"));
    assert_true(says(&e, "c.invalid: answer.signature"));
    assert_true(says(&e, "e.invalid: "));
    assert_true(o.clock_ms <= 1000);
    /* Without time nobody is asked. */
    want.wait_ms = 0;
    o.n_calls = 0;
    assert_int_equal(vb_source_get(s, &want, &r, &e), VB_EIO);
    assert_true(says(&e, "a.invalid: not asked"));
    assert_int_equal(o.n_calls, 0);
    vb_source_close(s);
}

static void wants_that_can_not_be_served(void **state) {
    static const struct {
        const char *beacon;
        vb_source_want want;
    } cases[] = {
        {"drand", {.mode = VB_MODE_FIXED, .round = 0}},
        {"drand", {.mode = VB_MODE_FIXED, .round = UINT64_MAX}},
        {"drand", {.mode = VB_MODE_LATEST, .time_ms = 5}}, /* before the chain began */
        {"drand", {.mode = VB_MODE_NEXT, .time_ms = UINT64_MAX}},
        {"drand", {.mode = VB_MODE_LOCAL}},
        {"drand", {.mode = VB_MODE_UNKNOWN}},
        /* A chain whose schedule nobody knows. */
        {"drand:00db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971",
         {.mode = VB_MODE_NEXT, .time_ms = 1}},
        {"theta", {.mode = VB_MODE_FIXED, .round = 0}},
        {"theta", {.mode = VB_MODE_FIXED, .round = UINT64_MAX}},
        {"ethereum", {.mode = VB_MODE_FIXED, .round = 1}},
        {"ethereum", {.mode = VB_MODE_FIXED, .round = UINT64_MAX}},
        {"nist", {.mode = VB_MODE_FIXED, .round = 0}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake_outside o = {.unix_ms = time_1000_ms, .answer = always_good};
        vb_source *s = open_source(cases[i].beacon, a_and_b, 1, &o);
        vb_beacon_round r = {0};
        vb_error e = {0};
        vb_source_want want = cases[i].want;
        want.wait_ms = 1000;
        if (vb_source_get(s, &want, &r, &e) != VB_EINVAL || o.n_calls) {
            fail_msg("case %zu: %s", i, e.msg);
        }
        vb_source_close(s);
    }
    static const char *const parts[] = {"drand=http://a.invalid", "nist=http://a.invalid"};
    fake_outside o = {.answer = always_good};
    vb_source *s = open_source("mix:drand+nist", parts, 2, &o);
    const vb_source_want want = {.mode = VB_MODE_FIXED, .round = 1, .wait_ms = 1000};
    vb_beacon_round r = {0};
    assert_int_equal(vb_source_get(s, &want, &r, NULL), VB_EINVAL);
    vb_source_close(s);
}

static void waiting_can_be_cancelled(void **state) {
    fake_outside o = {.unix_ms = time_1000_ms - 1000, .cancelled = true, .answer = always_good};
    vb_source *s = open_source("drand", a_and_b, 1, &o);
    vb_source_want want = {.mode = VB_MODE_NEXT, .time_ms = time_1000_ms - 1, .wait_ms = 5000};
    vb_beacon_round r = {0};
    vb_error e = {0};
    (void)state;
    assert_int_equal(vb_source_get(s, &want, &r, &e), VB_ECANCELLED);
    /* And so can be the pause between two attempts. */
    want = (vb_source_want){.mode = VB_MODE_FIXED, .round = 5, .wait_ms = 5000};
    assert_int_equal(vb_source_get(s, &want, &r, &e), VB_ECANCELLED);
    assert_true(o.n_calls > 0);
    vb_source_close(s);
}

/* A node whose blocks are all after any time, however far one goes back; or change with each
 * question; or are of another height than was asked for. */
static long endless_chain(fake_outside *o, const char *url, const char *json, vb_buf *body) {
    (void)url;
    const char *height = strstr(json, "height\":\""), *number = strstr(json, "\"params\":[\"0x");
    const char *said = o->user;
    vb_err err;
    if (strstr(json, "GetStatus")) {
        err =
            vb_buf_printf(body, "{\"result\":{\"chain_id\":\"x\",\"latest_finalized_block_height\":"
                                "\"9223372036854775806\",\"latest_finalized_block_time\":"
                                "\"9007199254740991\"}}");
    } else if (strstr(json, "eth_chainId")) {
        err = vb_buf_printf(body, "{\"result\":\"0x5\"}");
    } else if (strstr(json, "finalized\"")) {
        err = vb_buf_printf(
            body, "{\"result\":{\"number\":\"0x7ffffffffffffffe\",\"timestamp\":\"%s\"}}", said);
    } else if (height) {
        const int n = (int)strcspn(height + 9, "\"");
        err = vb_buf_printf(body, "{\"result\":{\"height\":\"%.*s\",\"timestamp\":\"%s\"}}", n,
                            height + 9, o->n_calls % 3 ? "9007199254740991" : "0");
    } else {
        assert_non_null(number);
        const int n = (int)strcspn(number + 11, "\"");
        err = vb_buf_printf(body, "{\"result\":{\"number\":\"%.*s\",\"timestamp\":\"%s\"}}", n,
                            number + 11, said);
    }
    assert_int_equal(err, VB_OK);
    return 200;
}

static void searches_end_whatever_is_answered(void **state) {
    char late_time[] = "0x1fffffffffffff";
    static const char *const beacons[] = {"theta:x", "ethereum:5"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        fake_outside o = {.unix_ms = 1000, .call_ms = 1, .answer = endless_chain};
        o.user = late_time;
        vb_source *s = open_source(beacons[i], a_and_b, 1, &o);
        const vb_source_want want = {.mode = VB_MODE_NEXT, .time_ms = 500000, .wait_ms = 1000};
        vb_beacon_round r = {0};
        vb_error e = {0};
        o.unix_ms = 500000;
        assert_int_equal(vb_source_get(s, &want, &r, &e), VB_EIO);
        assert_in_range(o.clock_ms, 900, 1001);
        /* The search's questions, and the pauses between attempts, not one in every millisecond. */
        assert_in_range(o.n_calls, 20, 900);
        vb_source_close(s);
    }
}

static void the_public_endpoints_are_asked(void **state) {
    fake_outside o = {.unix_ms = time_1000_ms, .answer = always_good};
    vb_source *s = open_source("drand", NULL, 0, &o);
    vb_beacon_round r = {0};
    vb_error e = {0};
    (void)state;
    assert_int_equal(vb_source_newest(s, 1000, &r, &e), VB_OK);
    assert_round_1000(&r);
    assert_string_equal(o.last_url, "https://api.drand.sh" V2_URL "1000");
    vb_source_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_ids),
        cmocka_unit_test(endpoints_are_checked_when_opened),
        cmocka_unit_test(the_schedule_names_the_round),
        cmocka_unit_test(sleeps_until_the_round_is_due),
        cmocka_unit_test(a_late_round_is_asked_for_again_soon),
        cmocka_unit_test(version_1_where_there_is_no_2),
        cmocka_unit_test(bad_endpoints_make_the_next_ones_turn),
        cmocka_unit_test(slow_endpoints_leave_time_to_others),
        cmocka_unit_test(errors_name_every_endpoint),
        cmocka_unit_test(wants_that_can_not_be_served),
        cmocka_unit_test(waiting_can_be_cancelled),
        cmocka_unit_test(searches_end_whatever_is_answered),
        cmocka_unit_test(the_public_endpoints_are_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
