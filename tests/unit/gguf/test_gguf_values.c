/* What a well-formed file says is what the getters give: every type, its ends, and its text. */
#include "gguf_build.h"

static void expect_text(const vb_gguf *g, const char *key, const char *want) {
    char text[128];
    const vb_gguf_kv *kv = vb_gguf_find(g, key);
    assert_non_null(kv);
    vb_gguf_format_value(g, kv, text, sizeof text);
    assert_string_equal(text, want);
}

static vb_buf integers_file(void) {
    vb_buf b = gguf_start(3, 0, 8);
    put_key(&b, "u8", VB_GGUF_U8);
    put_u8(&b, 255);
    put_key(&b, "i8", VB_GGUF_I8);
    put_u8(&b, 0x80);
    put_key(&b, "u16", VB_GGUF_U16);
    put_u16(&b, 65535);
    put_key(&b, "i16", VB_GGUF_I16);
    put_u16(&b, 32767);
    put_key(&b, "u32", VB_GGUF_U32);
    put_u32(&b, 4294967295u);
    put_key(&b, "i32", VB_GGUF_I32);
    put_u32(&b, 0x80000000u);
    put_key(&b, "u64", VB_GGUF_U64);
    put_u64(&b, UINT64_MAX);
    put_key(&b, "i64", VB_GGUF_I64);
    put_u64(&b, 1ull << 63);
    return b;
}

static void integers(void **state) {
    (void)state;
    vb_buf b = integers_file();
    vb_gguf *g = open_good(&b);
    vb_error e = {0};
    uint64_t v = 77;
    assert_int_equal(vb_gguf_get_u64(g, "u8", 0, 255, &v, &e), VB_OK);
    assert_int_equal(v, 255);
    assert_int_equal(vb_gguf_get_u64(g, "u16", 0, UINT64_MAX, &v, &e), VB_OK);
    assert_int_equal(v, 65535);
    assert_int_equal(vb_gguf_get_u64(g, "i16", 32767, 32767, &v, &e), VB_OK);
    assert_int_equal(v, 32767);
    assert_int_equal(vb_gguf_get_u64(g, "u32", 0, UINT64_MAX, &v, &e), VB_OK);
    assert_int_equal(v, 4294967295u);
    assert_int_equal(vb_gguf_get_u64(g, "u64", 0, UINT64_MAX, &v, &e), VB_OK);
    assert_true(v == UINT64_MAX);
    v = 77;
    assert_int_equal(vb_gguf_get_u64(g, "i8", 0, UINT64_MAX, &v, &e), VB_EFORMAT);
    assert_non_null(strstr(e.msg, "'i8' is -128, expected 0 to"));
    assert_int_equal(vb_gguf_get_u64(g, "i64", 0, UINT64_MAX, &v, &e), VB_EFORMAT);
    assert_non_null(strstr(e.msg, "-9223372036854775808"));
    assert_int_equal(vb_gguf_get_u64(g, "u8", 0, 254, &v, &e), VB_EFORMAT);
    assert_int_equal(vb_gguf_get_u64(g, "u16", 65536, 65537, &v, &e), VB_EFORMAT);
    assert_non_null(strstr(e.msg, "good.gguf: byte "));
    assert_int_equal(vb_gguf_get_u64(g, "none", 0, 1, &v, &e), VB_EFORMAT);
    assert_string_equal(e.msg, "good.gguf: metadata key 'none' is missing (an integer expected)");
    assert_int_equal(v, 77);
    expect_text(g, "u8", "255");
    expect_text(g, "i8", "-128");
    expect_text(g, "i32", "-2147483648");
    expect_text(g, "u64", "18446744073709551615");
    expect_text(g, "i64", "-9223372036854775808");
    vb_gguf_close(g);
    vb_buf_free(&b);
}

static void floats(void **state) {
    (void)state;
    static const struct {
        double v;
        bool wide;
        const char *text;
    } cases[] = {
        {1e-5f, false, "0.00001"},
        {1e-6f, false, "0.000001"},
        {1000000, false, "1000000"},
        {0.1f, false, "0.1"},
        {0.1, true, "0.1"},
        {-2.5f, false, "-2.5"},
        {0, false, "0"},
        {-0.0, false, "-0"},
        {1e30f, false, "1e+30"},
        {1e-30f, false, "1e-30"},
        {1.0 / 3, true, "0.3333333333333333"},
        {16777216, false, "16777216"},
        {3.4028234663852886e38, false, "3.4028235e+38"},
    };
    enum { N = sizeof cases / sizeof cases[0] };
    vb_buf b = gguf_start(2, 0, N);
    char key[16];
    for (int i = 0; i < N; i++) {
        snprintf(key, sizeof key, "f%d", i);
        put_key(&b, key, cases[i].wide ? VB_GGUF_F64 : VB_GGUF_F32);
        if (cases[i].wide) {
            put_f64(&b, cases[i].v);
        } else {
            put_f32(&b, (float)cases[i].v);
        }
    }
    vb_gguf *g = open_good(&b);
    vb_error e;
    for (int i = 0; i < N; i++) {
        float v;
        snprintf(key, sizeof key, "f%d", i);
        expect_text(g, key, cases[i].text);
        assert_int_equal(vb_gguf_get_f32(g, key, &v, &e), VB_OK);
        assert_true(v == (float)cases[i].v);
    }
    vb_gguf_close(g);
    vb_buf_free(&b);
}

static void floats_not_finite(void **state) {
    (void)state;
    vb_buf b = gguf_start(3, 0, 4);
    put_key(&b, "nan", VB_GGUF_F32);
    put_u32(&b, 0x7fc00000);
    put_key(&b, "inf", VB_GGUF_F32);
    put_u32(&b, 0xff800000);
    put_key(&b, "big", VB_GGUF_F64);
    put_f64(&b, 1e300);
    put_array(&b, "arr", VB_GGUF_F32, 2);
    put_f32(&b, 4);
    put_u32(&b, 0x7f800000);
    vb_gguf *g = open_good(&b);
    vb_error e = {0};
    float v = 3;
    assert_int_equal(vb_gguf_get_f32(g, "nan", &v, &e), VB_EFORMAT);
    assert_non_null(strstr(e.msg, "'nan' is not a finite float32"));
    assert_int_equal(vb_gguf_get_f32(g, "inf", &v, &e), VB_EFORMAT);
    assert_int_equal(vb_gguf_get_f32(g, "big", &v, &e), VB_EFORMAT);
    assert_int_equal(vb_gguf_get_f32(g, "arr", &v, &e), VB_EFORMAT);
    assert_non_null(strstr(e.msg, "'arr' is an array of float32, expected a float"));
    assert_true(v == 3);
    expect_text(g, "nan", "nan");
    expect_text(g, "inf", "-inf");
    expect_text(g, "arr", "[2 float32]");
    assert_true(vb_gguf_item_f32(g, vb_gguf_find(g, "arr"), 0, &v));
    assert_true(v == 4);
    assert_false(vb_gguf_item_f32(g, vb_gguf_find(g, "arr"), 2, &v));
    vb_gguf_close(g);
    vb_buf_free(&b);
}

static void strings_and_bools(void **state) {
    (void)state;
    static const char mixed[] =
        "a\0\"\\\n\x1b[2J\xc2\x85\xe2\x80\xae\xed\xa0\x80\xc3\xa9\xf0\x9f\x98\x80\xff";
    vb_buf b = gguf_start(3, 0, 4);
    put_key(&b, "b", VB_GGUF_BOOL);
    put_u8(&b, 1);
    put_key(&b, "s", VB_GGUF_STRING);
    put_str_n(&b, mixed, sizeof mixed - 1);
    put_kv_str(&b, "empty", "");
    put_kv_u32(&b, "n", 1);
    vb_gguf *g = open_good(&b);
    vb_error e = {0};
    bool v = false;
    vb_str s = {NULL, 9};
    assert_int_equal(vb_gguf_get_bool(g, "b", &v, &e), VB_OK);
    assert_true(v);
    assert_int_equal(vb_gguf_get_bool(g, "n", &v, &e), VB_EFORMAT);
    assert_non_null(strstr(e.msg, "metadata key 'n' has type uint32, expected a bool"));
    assert_int_equal(vb_gguf_get_str(g, "n", &s, &e), VB_EFORMAT);
    assert_int_equal(s.len, 9);
    assert_int_equal(vb_gguf_get_str(g, "s", &s, &e), VB_OK);
    assert_int_equal(s.len, sizeof mixed - 1);
    assert_memory_equal(s.p, mixed, sizeof mixed - 1);
    assert_int_equal(vb_gguf_get_str(g, "empty", &s, &e), VB_OK);
    assert_int_equal(s.len, 0);
    uint64_t u;
    assert_int_equal(vb_gguf_get_u64(g, "b", 0, 9, &u, &e), VB_EFORMAT);
    expect_text(g, "b", "true");
    expect_text(g, "empty", "\"\"");
    expect_text(
        g, "s",
        "\"a\\u0000\\\"\\\\\\n\\u001b[2J\\u0085\\u202e\\xed\\xa0\\x80\xc3\xa9\xf0\x9f\x98\x80"
        "\\xff\"");
    vb_gguf_close(g);
    vb_buf_free(&b);
}

/* Cut at every length: terminated, no half character, dots when something is missing. */
static void format_cut(void **state) {
    (void)state;
    vb_buf b = gguf_start(3, 0, 1);
    put_kv_str(&b, "s", "\xc3\xa9\xc3\xa9\xf0\x9f\x98\x80\x1b\xe4\xbd\xa0");
    vb_gguf *g = open_good(&b);
    const vb_gguf_kv *kv = vb_gguf_find(g, "s");
    char all[64];
    vb_gguf_format_value(g, kv, all, sizeof all);
    for (size_t max = 1; max < sizeof all; max++) {
        char *text = malloc(max); /* exact, for AddressSanitizer */
        vb_gguf_format_value(g, kv, text, max);
        size_t len = strlen(text);
        assert_true(len < max);
        if (max > strlen(all)) {
            assert_string_equal(text, all);
        } else if (max >= 4) {
            assert_string_equal(text + len - 3, "...");
            assert_memory_equal(text, all, len - 3);
            assert_true(((uint8_t)all[len - 3] & 0xc0) != 0x80);
        }
        free(text);
    }
    vb_gguf_close(g);
    vb_buf_free(&b);
}

/* #26690: arrays whose items are narrower than a caller expects are read at their own width. */
static void arrays(void **state) {
    (void)state;
    vb_buf b = gguf_start(3, 0, 7);
    put_array(&b, "u8", VB_GGUF_U8, 2);
    put_bytes(&b, "\x01\xff", 2);
    put_array(&b, "i8", VB_GGUF_I8, 2);
    put_bytes(&b, "\x01\xff", 2);
    put_array(&b, "u64", VB_GGUF_U64, 2);
    put_u64(&b, INT64_MAX);
    put_u64(&b, 1ull << 63);
    put_array(&b, "bool", VB_GGUF_BOOL, 2);
    put_bytes(&b, "\0\1", 2);
    put_array(&b, "str", VB_GGUF_STRING, 3);
    put_str(&b, "zero");
    put_str(&b, "");
    put_str_n(&b, "\0\xff", 2);
    put_array(&b, "none", VB_GGUF_STRING, 0);
    put_array(&b, "i64", VB_GGUF_I64, 1);
    put_u64(&b, 1ull << 63);
    vb_gguf *g = open_good(&b);
    int64_t v = 5;
    float f = 5;
    vb_str s = {NULL, 5};
    const vb_gguf_kv *u8 = vb_gguf_find(g, "u8");
    assert_int_equal(u8->type, VB_GGUF_ARRAY);
    assert_int_equal(u8->item_type, VB_GGUF_U8);
    assert_int_equal(u8->n_items, 2);
    assert_true(vb_gguf_item_i64(g, u8, 1, &v) && v == 255);
    assert_true(vb_gguf_item_i64(g, vb_gguf_find(g, "i8"), 1, &v) && v == -1);
    assert_true(vb_gguf_item_i64(g, vb_gguf_find(g, "bool"), 1, &v) && v == 1);
    assert_true(vb_gguf_item_i64(g, vb_gguf_find(g, "i64"), 0, &v) && v == INT64_MIN);
    assert_true(vb_gguf_item_i64(g, vb_gguf_find(g, "u64"), 0, &v) && v == INT64_MAX);
    assert_false(vb_gguf_item_i64(g, vb_gguf_find(g, "u64"), 1, &v));
    assert_false(vb_gguf_item_i64(g, u8, 2, &v));
    assert_false(vb_gguf_item_i64(g, u8, UINT64_MAX, &v));
    assert_false(vb_gguf_item_f32(g, u8, 0, &f));
    assert_false(vb_gguf_item_str(g, u8, 0, &s));
    assert_true(v == INT64_MAX && f == 5 && s.len == 5);
    const vb_gguf_kv *str = vb_gguf_find(g, "str");
    assert_true(vb_gguf_item_str(g, str, 2, &s) && s.len == 2);
    assert_memory_equal(s.p, "\0\xff", 2);
    assert_true(vb_gguf_item_str(g, str, 0, &s) && s.len == 4);
    assert_memory_equal(s.p, "zero", 4);
    assert_true(vb_gguf_item_str(g, str, 1, &s) && s.len == 0);
    assert_false(vb_gguf_item_str(g, str, 3, &s));
    assert_false(vb_gguf_item_i64(g, str, 0, &v));
    assert_false(vb_gguf_item_str(g, vb_gguf_find(g, "none"), 0, &s));
    expect_text(g, "str", "[3 strings]");
    expect_text(g, "none", "[0 strings]");
    expect_text(g, "i64", "[1 int64]");
    vb_gguf_close(g);
    vb_buf_free(&b);
}

static void sample(void **state) {
    (void)state;
    vb_buf b = gguf_sample(2);
    vb_gguf *g = open_good(&b);
    assert_int_equal(vb_gguf_version(g), 2);
    assert_int_equal(vb_gguf_file_count(g), 1);
    assert_string_equal(vb_gguf_file_path(g, 0), "good.gguf");
    assert_int_equal(vb_gguf_file_bytes(g, 0), b.len);
    assert_int_equal(vb_gguf_tensor_count(g), 3);
    const vb_gguf_tensor *w = vb_gguf_find_tensor(g, "w");
    assert_ptr_equal(w, vb_gguf_tensor_at(g, 0));
    assert_int_equal(w->type, VB_Q8_0);
    assert_int_equal(w->n_bytes, 68);
    assert_int_equal(w->n_dims, 2);
    assert_int_equal(w->dims[1], 2);
    assert_int_equal(w->dims[2], 1);
    const vb_gguf_tensor *x = vb_gguf_find_tensor(g, "x");
    assert_int_equal(x->n_bytes, 48);
    assert_int_equal(x->offset_bytes, w->offset_bytes + 192);
    assert_int_equal(w->offset_bytes % 64, 0);
    assert_ptr_equal(x->data, b.data + x->offset_bytes);
    assert_int_equal(x->data[0], (uint8_t)(192 * 7 + 1));
    uint8_t buf[48];
    vb_error e;
    assert_int_equal(vb_gguf_read_tensor(g, x, 0, 48, buf, &e), VB_OK);
    assert_memory_equal(buf, x->data, 48);
    assert_int_equal(vb_gguf_read_tensor(g, x, 47, 1, buf, &e), VB_OK);
    assert_int_equal(buf[0], x->data[47]);
    assert_int_equal(vb_gguf_read_tensor(g, x, 48, 0, buf, &e), VB_OK);
    assert_null(vb_gguf_find_tensor(g, "W"));
    assert_null(vb_gguf_find_tensor(g, ""));
    assert_null(vb_gguf_find(g, "general.architectur"));
    assert_null(vb_gguf_find(g, "general.architecture2"));
    vb_gguf_close(g);
    vb_gguf_close(NULL);
    vb_buf_free(&b);
}

/* Every name is found among many, colliding or not. */
static void many_names(void **state) {
    (void)state;
    enum { N = 20000 };
    vb_buf b = gguf_start(3, N, N);
    char name[32];
    for (unsigned i = 0; i < N; i++) {
        snprintf(name, sizeof name, "key.%u", i * 7919);
        put_kv_u32(&b, name, i);
    }
    for (unsigned i = 0; i < N; i++) {
        snprintf(name, sizeof name, "blk.%u.w", i);
        put_tensor_1d(&b, name, 8, VB_F32, (uint64_t)(N - 1 - i) * 32);
    }
    put_padding(&b, 32);
    put_data(&b, N * 32);
    vb_gguf *g = open_good(&b);
    vb_error e;
    for (unsigned i = 0; i < N; i++) {
        uint64_t v;
        snprintf(name, sizeof name, "key.%u", i * 7919);
        assert_int_equal(vb_gguf_get_u64(g, name, 0, N, &v, &e), VB_OK);
        assert_int_equal(v, i);
        snprintf(name, sizeof name, "blk.%u.w", i);
        assert_ptr_equal(vb_gguf_find_tensor(g, name), vb_gguf_tensor_at(g, i));
    }
    vb_gguf_close(g);
    vb_buf_free(&b);
}

/* #25821: a count that a caller bounds is refused through the getter, not written past an array. */
static void bounded_count(void **state) {
    (void)state;
    vb_buf b = gguf_start(3, 0, 1);
    put_kv_u32(&b, "llama.block_count", 513);
    vb_gguf *g = open_good(&b);
    uint64_t v;
    vb_error e = {0};
    assert_int_equal(vb_gguf_get_u64(g, "llama.block_count", 1, VB_MODEL_LAYERS_MAX, &v, &e),
                     VB_EFORMAT);
    assert_non_null(strstr(e.msg, "metadata key 'llama.block_count' is 513, expected 1 to 512"));
    vb_gguf_close(g);
    vb_buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),
        cmocka_unit_test(floats),
        cmocka_unit_test(floats_not_finite),
        cmocka_unit_test(strings_and_bools),
        cmocka_unit_test(format_cut),
        cmocka_unit_test(arrays),
        cmocka_unit_test(sample),
        cmocka_unit_test(many_names),
        cmocka_unit_test(bounded_count),
    };
    return cmocka_run_group_tests_name("gguf/values", tests, NULL, NULL);
}
