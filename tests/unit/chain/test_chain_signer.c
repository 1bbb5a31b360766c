/* A program that signs: how its command is split, and what it may do wrong. Programs are shell
 * scripts; the shell is the test's, not the caller's. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/system.h"
#include "chain/signer_command.h"
#include "crypto/eth_key.h"
#include "support/testing.h"

static const uint8_t the_hash[VB_SECP256K1_HASH_BYTES] = {1, 2, 3};

static vb_eth_key *key(void) {
    static const uint8_t secret[VB_ETH_SECRET_BYTES] = {9, 9};
    static vb_eth_key *k;
    if (!k) {
        assert_int_equal(vb_eth_key_from_secret(secret, &k, NULL), VB_OK);
    }
    return k;
}

/* The true signature in hex, with v as it is given. */
static void signature_hex(unsigned v_added, char out[2 * VB_SECP256K1_SIGNATURE_BYTES + 1]) {
    uint8_t s[VB_SECP256K1_SIGNATURE_BYTES];
    assert_int_equal(vb_eth_key_sign(key(), the_hash, s, NULL), VB_OK);
    s[sizeof s - 1] = (uint8_t)(s[sizeof s - 1] + v_added);
    vb_hex_encode(s, sizeof s, out);
}

typedef struct outcome {
    vb_err err;
    vb_error e;
    uint8_t signature[VB_SECP256K1_SIGNATURE_BYTES];
} outcome;

static outcome run(const char *command, uint32_t timeout_ms, bool (*keep_going)(void *)) {
    outcome o = {VB_OK, {VB_OK, ""}, {0}};
    static vb_signer_command c;
    memset(&c, 0, sizeof c);
    assert_int_equal(vb_signer_command_parse(command, &c, &o.e), VB_OK);
    vb_eth_key_address(key(), c.address);
    c.timeout_ms = timeout_ms;
    c.keep_going = keep_going;
    const vb_chain_signer s = vb_chain_signer_of_command(&c);
    o.err = s.sign(s.user, the_hash, o.signature, &o.e);
    return o;
}

/* sh -c 'SCRIPT', in which $0 is the hash and %s the signature. */
static outcome run_script(const char *script, unsigned v_added) {
    char hex[2 * VB_SECP256K1_SIGNATURE_BYTES + 1], inner[1024], command[2048];
    signature_hex(v_added, hex);
    snprintf(inner, sizeof inner, script, hex);
    snprintf(command, sizeof command, "sh -c '%s'", inner);
    return run(command, 2000, NULL);
}

static void words(void **state) {
    (void)state;
    static const struct {
        const char *command;
        size_t n;
        const char *words[4];
    } cases[] = {
        {"a", 1, {"a"}},
        {"  a \t b  ", 2, {"a", "b"}},
        {"a 'b c' \"d e\"", 3, {"a", "b c", "d e"}},
        {"a b'c'\"d\"e", 2, {"a", "bcde"}},
        {"a '' \"\"", 3, {"a", "", ""}},
        {"a\\ b \\'c \"\\\"\" '\\'", 4, {"a b", "'c", "\"", "\\"}},
        {"a $HOME `x`;y>z", 3, {"a", "$HOME", "`x`;y>z"}},
        {"a\\", 1, {"a\\"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static vb_signer_command c;
        assert_int_equal(vb_signer_command_parse(cases[i].command, &c, NULL), VB_OK);
        assert_int_equal(c.n_words, cases[i].n);
        for (size_t j = 0; j < c.n_words; j++) {
            assert_string_equal(c.words[j], cases[i].words[j]);
        }
    }
}

static void no_words(void **state) {
    (void)state;
    static vb_signer_command c;
    char many[3 * VB_SIGNER_WORDS_MAX], long_one[VB_SIGNER_COMMAND_BYTES_MAX + 1];
    assert_int_equal(vb_signer_command_parse("", &c, NULL), VB_EINVAL);
    assert_int_equal(vb_signer_command_parse(" \t ", &c, NULL), VB_EINVAL);
    assert_int_equal(vb_signer_command_parse("a 'b", &c, NULL), VB_EINVAL);
    assert_int_equal(vb_signer_command_parse("a \"b'", &c, NULL), VB_EINVAL);
    memset(long_one, 'a', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = 0;
    assert_int_equal(vb_signer_command_parse(long_one, &c, NULL), VB_ELIMIT);
    assert_int_equal(vb_signer_command_parse(long_one + 1, &c, NULL), VB_OK);
    for (size_t n = VB_SIGNER_WORDS_MAX - 3; n < VB_SIGNER_WORDS_MAX; n++) {
        many[0] = 0;
        for (size_t i = 0; i < n; i++) {
            memcpy(many + 2 * i, "a ", 3);
        }
        assert_int_equal(vb_signer_command_parse(many, &c, NULL),
                         n > VB_SIGNER_WORDS_MAX - 2 ? VB_ELIMIT : VB_OK);
    }
}

static void good(void **state) {
    (void)state;
    static const char *const scripts[] = {"echo %s", "printf %s", "echo 0x%s", "cat; echo %s",
                                          "echo what >&2; echo %s"};
    uint8_t expected[VB_SECP256K1_SIGNATURE_BYTES];
    assert_int_equal(vb_eth_key_sign(key(), the_hash, expected, NULL), VB_OK);
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        for (unsigned v = 0; v <= 27; v += 27) {
            const outcome o = run_script(scripts[i], v);
            if (o.err) {
                fail_msg("%s: %s", scripts[i], o.e.msg);
            }
            assert_memory_equal(o.signature, expected, sizeof expected);
        }
    }
    /* In pieces, and the hash is the argument. */
    char hex[2 * VB_SECP256K1_SIGNATURE_BYTES + 1], command[1024], hash[65];
    signature_hex(0, hex);
    vb_hex_encode(the_hash, sizeof the_hash, hash);
    snprintf(command, sizeof command,
             "sh -c 'test $0 = %s && printf %%.60s %s; sleep 0.1; echo %s'", hash, hex, hex + 60);
    assert_int_equal(run(command, 2000, NULL).err, VB_OK);
}

static void bad(void **state) {
    (void)state;
    static const struct {
        const char *script;
        vb_err err;
        const char *says;
    } cases[] = {
        {"exit 0 # %s", VB_EFORMAT, "no signature"},
        {"exit 3 # %s", VB_EIO, "status 3"},
        {"echo %s; exit 1", VB_EIO, "status 1"},
        {"echo %s; kill -9 $$", VB_EIO, "signal 9"},
        {"echo %s0", VB_EFORMAT, "no signature"},
        {"echo %s; echo", VB_EFORMAT, "no signature"},
        {"echo; echo %s", VB_EFORMAT, "no signature"},
        {"echo 0x0x%s", VB_EFORMAT, "no signature"},
        {"echo %s | tr 0-9 g", VB_EFORMAT, "no signature"},
        {"echo %s | sed s/..$/02/", VB_EFORMAT, "no signature"},
        {"echo %s | sed s/..$/1d/", VB_EFORMAT, "no signature"},
        {"echo %s | sed s/..$/ff/", VB_EFORMAT, "no signature"},
        {"yes %s", VB_EFORMAT, "256 bytes or more"},
        {"printf %%0131d 0 # %s", VB_EFORMAT, "no signature"},
        {"printf %%0130d 0 # %s", VB_EMISMATCH, "not the account"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const outcome o = run_script(cases[i].script, 0);
        if (o.err != cases[i].err || !strstr(o.e.msg, cases[i].says)) {
            fail_msg("%s: %d %s", cases[i].script, (int)o.err, o.e.msg);
        }
    }
    assert_int_equal(run("/nonexistent/signer", 1000, NULL).err, VB_EIO);
}

/* Of the other parity: a genuine signature of another account. And with the higher s. */
static void not_the_accounts(void **state) {
    (void)state;
    uint8_t s[VB_SECP256K1_SIGNATURE_BYTES];
    char hex[2 * sizeof s + 1], command[512];
    assert_int_equal(vb_eth_key_sign(key(), the_hash, s, NULL), VB_OK);
    s[sizeof s - 1] ^= 1;
    vb_hex_encode(s, sizeof s, hex);
    snprintf(command, sizeof command, "sh -c 'echo %s'", hex);
    assert_int_equal(run(command, 2000, NULL).err, VB_EMISMATCH);
    static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
                                      0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b,
                                      0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};
    unsigned borrow = 0;
    for (size_t i = 32; i-- > 0;) {
        const unsigned d = 256u + order[i] - s[32 + i] - borrow;
        s[32 + i] = (uint8_t)d;
        borrow = d < 256;
    }
    vb_hex_encode(s, sizeof s, hex);
    snprintf(command, sizeof command, "sh -c 'echo %s'", hex);
    const outcome o = run(command, 2000, NULL);
    assert_int_equal(o.err, VB_EFORMAT);
    assert_non_null(strstr(o.e.msg, "higher s"));
}

static unsigned looks;

static bool look_twice(void *user) {
    (void)user;
    return ++looks < 3;
}

/* It ends in time, and so do the programs that it started. */
static void slow(void **state) {
    (void)state;
    static const char *const commands[] = {
        "sleep 30", "sh -c 'trap \"\" TERM INT HUP; sleep 30; sleep 30'",
        "sh -c 'sleep 30 & exit 0'", "sh -c 'exec >&-; sleep 30'", "sh -c 'echo 00; sleep 30'"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const uint64_t begin = vb_clock_ns();
        const outcome o = run(commands[i], 300, NULL);
        assert_int_equal(o.err, VB_EIO);
        assert_non_null(strstr(o.e.msg, "took more than 300 ms"));
        assert_true(vb_clock_ns() - begin < UINT64_C(10000000000));
    }
    looks = 0;
    assert_int_equal(run("sleep 30", 20000, look_twice).err, VB_ECANCELLED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words), cmocka_unit_test(no_words), cmocka_unit_test(good),
        cmocka_unit_test(bad),   cmocka_unit_test(slow),     cmocka_unit_test(not_the_accounts),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vb_eth_key_close(key());
    return failed;
}
