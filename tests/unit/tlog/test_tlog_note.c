/* Keys and notes: what is written is read, what is changed is not, and C2SP's own examples. What
 * hostile notes are made of stands in spec/vectors/log. */
#include <stdlib.h>

#include "receipt/base64.h"
#include "unit/tlog/sample_log.h"

static vb_ed25519_key *key, *witness_keys[3];
static vb_tlog_key log_key, witnesses[3];
static vb_tlog_checkpoint c = {.origin = SAMPLE_ORIGIN, .size = 1234567};

static int prepare(void **state) {
    static const char *const names[] = {"witness.example/a", "b", "witness.example/\xc3\xa9"};
    (void)state;
    key = sample_log_key(0);
    log_key = sample_vkey(SAMPLE_ORIGIN, VB_TLOG_SIGNER_LOG, key);
    for (uint8_t i = 0; i < 3; i++) {
        witness_keys[i] = sample_log_key((uint8_t)(100 + i));
        witnesses[i] = sample_vkey(names[i], VB_TLOG_SIGNER_WITNESS, witness_keys[i]);
    }
    memset(c.root.bytes, 0xa5, sizeof c.root.bytes);
    return 0;
}

static int clean_up(void **state) {
    (void)state;
    vb_ed25519_close(key);
    for (int i = 0; i < 3; i++) {
        vb_ed25519_close(witness_keys[i]);
    }
    return 0;
}

static vb_err read_note(const vb_buf *b, vb_tlog_checkpoint *out, vb_error *e) {
    return vb_tlog_note_read(b->data, b->len, &log_key, NULL, 0, out, NULL, NULL, e);
}

static void test_round_trip(void **state) {
    (void)state;
    vb_buf b = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    vb_tlog_checkpoint out;
    vb_tlog_cosignature cosigned[3];
    size_t n = 0;
    assert_int_equal(vb_tlog_checkpoint_sign(&c, key, &b, NULL), VB_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            vb_tlog_cosign(&c, witnesses[i].name, witness_keys[i], 1763850000u + i, &b, NULL),
            VB_OK);
    }
    assert_int_equal(read_note(&b, &out, NULL), VB_OK);
    assert_string_equal(out.origin, c.origin);
    assert_int_equal(out.size, c.size);
    assert_true(vb_tlog_hash_equal(&out.root, &c.root));
    for (size_t known = 0; known <= 3; known++) {
        assert_int_equal(
            vb_tlog_note_read(b.data, b.len, &log_key, witnesses, known, &out, cosigned, &n, NULL),
            VB_OK);
        assert_int_equal(n, known);
        for (size_t i = 0; i < n; i++) {
            assert_ptr_equal(cosigned[i].key, &witnesses[i]);
            assert_int_equal(cosigned[i].time_s, 1763850000u + i);
        }
    }
    /* A witness that is asked about twice counts once. */
    vb_tlog_key twice[2] = {witnesses[1], witnesses[1]};
    assert_int_equal(vb_tlog_note_read(b.data, b.len, &log_key, twice, 2, &out, cosigned, &n, NULL),
                     VB_OK);
    assert_int_equal(n, 1);
    assert_ptr_equal(cosigned[0].key, &twice[0]);
    vb_buf_free(&b);
}

static void test_every_change(void **state) {
    (void)state;
    vb_buf b = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    vb_tlog_checkpoint out, untouched;
    assert_int_equal(vb_tlog_checkpoint_sign(&c, key, &b, NULL), VB_OK);
    memset(&out, 0x5a, sizeof out);
    untouched = out;
    for (size_t i = 0; i < b.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            vb_error e = {0};
            b.data[i] ^= (uint8_t)(1u << bit);
            vb_err err = read_note(&b, &out, &e);
            assert_true(err == VB_EFORMAT || err == VB_EMISMATCH);
            assert_true(e.msg[0] != 0);
            b.data[i] ^= (uint8_t)(1u << bit);
        }
    }
    for (size_t n = 0; n < b.len; n++) { /* in memory of its own: nothing is read beyond it */
        uint8_t *part = malloc(n ? n : 1);
        assert_non_null(part);
        memcpy(part, b.data, n);
        assert_int_not_equal(vb_tlog_note_read(part, n, &log_key, NULL, 0, &out, NULL, NULL, NULL),
                             VB_OK);
        free(part);
    }
    assert_memory_equal(&out, &untouched, sizeof out);
    assert_int_equal(read_note(&b, &out, NULL), VB_OK);
    vb_buf_free(&b);
}

static void test_types(void **state) {
    (void)state;
    vb_buf b = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    vb_tlog_checkpoint out;
    vb_tlog_cosignature cosigned[2];
    size_t n;
    vb_tlog_key mixed[2] = {witnesses[0], log_key};
    assert_int_equal(vb_tlog_checkpoint_sign(&c, key, &b, NULL), VB_OK);
    assert_int_equal(
        vb_tlog_note_read(b.data, b.len, &witnesses[0], NULL, 0, &out, NULL, NULL, NULL),
        VB_EINVAL);
    assert_int_equal(vb_tlog_note_read(b.data, b.len, &log_key, mixed, 2, &out, cosigned, &n, NULL),
                     VB_EINVAL);
    vb_buf_free(&b);
}

/* One key may be a log's and a witness's: the lines are told apart by their ids. */
static void test_one_key_twice(void **state) {
    (void)state;
    vb_buf b = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    vb_tlog_checkpoint out;
    vb_tlog_cosignature cosigned[1];
    size_t n = 0;
    vb_tlog_key self = sample_vkey(SAMPLE_ORIGIN, VB_TLOG_SIGNER_WITNESS, key);
    assert_int_not_equal(self.id, log_key.id);
    assert_int_equal(vb_tlog_checkpoint_sign(&c, key, &b, NULL), VB_OK);
    assert_int_equal(vb_tlog_cosign(&c, SAMPLE_ORIGIN, key, 7, &b, NULL), VB_OK);
    assert_int_equal(vb_tlog_note_read(b.data, b.len, &log_key, &self, 1, &out, cosigned, &n, NULL),
                     VB_OK);
    assert_int_equal(n, 1);
    assert_int_equal(cosigned[0].time_s, 7);
    assert_false(vb_tlog_key_equal(&self, &log_key));
    vb_buf_free(&b);
}

static void test_names(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",         " ",     "a b",          "a+b",       "a\tb",         "a\x7f",    "a\nb",
        "\xc2\xa0", "a\xff", "\xe2\x80\x83", "a\xc2\x85", "\xed\xa0\x80", "a\xe2\x80"};
    char longest[VB_TLOG_ORIGIN_BYTES_MAX + 2];
    vb_tlog_checkpoint strange = c;
    vb_buf b = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    vb_tlog_key out;
    vb_error e;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        e = (vb_error){0};
        assert_int_equal(vb_tlog_key_make(bad[i], VB_TLOG_SIGNER_LOG, log_key.public_key, &out, &e),
                         VB_EINVAL);
        assert_true(e.msg[0] != 0);
        memset(strange.origin, 0, sizeof strange.origin);
        memcpy(strange.origin, bad[i], strlen(bad[i]));
        assert_int_equal(vb_tlog_checkpoint_sign(&strange, key, &b, NULL), VB_EINVAL);
        assert_int_equal(vb_tlog_cosign(&c, bad[i], key, 1, &b, NULL), VB_EINVAL);
    }
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = 0;
    assert_int_equal(vb_tlog_key_make(longest, VB_TLOG_SIGNER_LOG, log_key.public_key, &out, NULL),
                     VB_EINVAL);
    assert_int_equal(b.len, 0);
    longest[sizeof longest - 2] = 0;
    assert_int_equal(vb_tlog_key_make(longest, VB_TLOG_SIGNER_LOG, log_key.public_key, &out, NULL),
                     VB_OK);
    /* The longest note that we make: every buffer is as long as it must be. */
    memcpy(strange.origin, longest, sizeof strange.origin);
    strange.size = VB_TLOG_SIZE_MAX;
    assert_int_equal(vb_tlog_checkpoint_sign(&strange, key, &b, NULL), VB_OK);
    assert_int_equal(vb_tlog_cosign(&strange, longest, key, INT64_MAX, &b, NULL), VB_OK);
    vb_tlog_key self = sample_vkey(longest, VB_TLOG_SIGNER_WITNESS, key);
    vb_tlog_cosignature cosigned[1];
    size_t n = 0;
    vb_tlog_checkpoint read;
    assert_int_equal(vb_tlog_note_read(b.data, b.len, &out, &self, 1, &read, cosigned, &n, NULL),
                     VB_OK);
    assert_int_equal(n, 1);
    assert_int_equal(read.size, VB_TLOG_SIZE_MAX);
    char text[VB_TLOG_VKEY_BYTES_MAX + 1];
    vb_tlog_key_print(&out, text);
    assert_int_equal(strlen(text), VB_TLOG_VKEY_BYTES_MAX);
    assert_int_equal(vb_tlog_key_parse(text, &out, NULL), VB_OK);
    vb_buf_free(&b);
}

static void test_writing_errors(void **state) {
    (void)state;
    vb_tlog_checkpoint large = c;
    vb_buf b = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX), small = vb_buf_make(64);
    vb_error e = {0};
    large.size = VB_TLOG_SIZE_MAX + 1;
    assert_int_equal(vb_tlog_checkpoint_sign(&large, key, &b, &e), VB_ELIMIT);
    assert_int_equal(vb_tlog_cosign(&large, "w", key, 1, &b, &e), VB_ELIMIT);
    assert_int_equal(vb_tlog_cosign(&c, "w", key, (uint64_t)1 << 63, &b, &e), VB_EINVAL);
    assert_int_equal(b.len, 0);
    assert_int_equal(vb_tlog_checkpoint_sign(&c, key, &small, &e), VB_ELIMIT);
    assert_int_equal(vb_tlog_cosign(&c, "w", key, 1, &small, &e), VB_ELIMIT);
    assert_int_equal(small.len, 0);
    vb_buf_free(&b);
    vb_buf_free(&small);
}

/* A key that is no point of large order signs nothing, whatever stands in the line. */
static void test_no_key(void **state) {
    (void)state;
    uint8_t zero[VB_ED25519_PUBLIC_BYTES] = {0};
    vb_tlog_checkpoint out;
    vb_tlog_key none;
    char line[VB_TLOG_VKEY_BYTES_MAX + 200], base64[100];
    uint8_t bytes[4 + VB_ED25519_SIGNATURE_BYTES] = {0};
    vb_buf b = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    assert_int_equal(vb_tlog_key_make(SAMPLE_ORIGIN, VB_TLOG_SIGNER_LOG, zero, &none, NULL), VB_OK);
    vb_store_u32be(bytes, none.id);
    bytes[4] = 1; /* R is the neutral element, S is 0 */
    vb_base64_encode(bytes, sizeof bytes, base64);
    vb_base64_encode(c.root.bytes, sizeof c.root.bytes, line);
    assert_int_equal(vb_buf_printf(&b, "%s\n5\n%s\n\n\xe2\x80\x94 %s %s\n", SAMPLE_ORIGIN, line,
                                   SAMPLE_ORIGIN, base64),
                     VB_OK);
    assert_int_equal(vb_tlog_note_read(b.data, b.len, &none, NULL, 0, &out, NULL, NULL, NULL),
                     VB_EMISMATCH);
    vb_buf_free(&b);
}

/* The example of tlog-cosignature, whose keys are nobody's: it is a note, and not of our log. */
static void test_c2sp_example(void **state) {
    (void)state;
    static const char example[] =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "\xe2\x80\x94 example.com/behind-the-sofa "
        "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ"
        "8=\n\xe2\x80\x94 witness.example.com/w1 "
        "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mb"
        "IUBkBIfZ+qnA==\n";
    vb_tlog_key other = sample_vkey("example.com/behind-the-sofa", VB_TLOG_SIGNER_LOG, key);
    vb_tlog_checkpoint out;
    vb_error e = {0};
    assert_int_equal(
        vb_tlog_note_read(example, sizeof example - 1, &other, NULL, 0, &out, NULL, NULL, &e),
        VB_EMISMATCH);
    assert_non_null(strstr(e.msg, "0 signatures"));
}

/* Its signature is that of Go's checksum database, over another first line: the id is the one of
 * our keys, and the bytes that are signed are a note's text. */
static void test_go_checksum_database(void **state) {
    (void)state;
    static const char text[] =
        "go.sum database tree\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    static const char line[] = "Az3grlgtzPICa5OS8npVmf1Myq/"
                               "5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=";
    uint8_t bytes[sizeof line];
    size_t n = 0;
    vb_tlog_key go;
    assert_int_equal(
        vb_tlog_key_parse("sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
                          &go, NULL),
        VB_OK);
    assert_true(vb_base64_decode(line, sizeof line - 1, bytes, &n));
    assert_int_equal(n, 4 + VB_ED25519_SIGNATURE_BYTES);
    assert_int_equal(vb_load_u64be(bytes) >> 32, go.id);
    assert_int_equal(vb_ed25519_verify(go.public_key, sizeof go.public_key, text, sizeof text - 1,
                                       bytes + 4, VB_ED25519_SIGNATURE_BYTES, NULL),
                     VB_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_change),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_one_key_twice),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_writing_errors),
        cmocka_unit_test(test_no_key),
        cmocka_unit_test(test_c2sp_example),
        cmocka_unit_test(test_go_checksum_database),
    };
    return cmocka_run_group_tests(tests, prepare, clean_up);
}
