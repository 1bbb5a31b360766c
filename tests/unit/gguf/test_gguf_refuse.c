/*
 * Everything a GGUF file must not be: each case breaks one field of a file written in the test
 * and names the error it expects. Cases marked with a number are loader bugs that were published
 * for other engines. Then the blunt ones: every truncation, every changed byte.
 */
#include "gguf_build.h"

#define GOOD_V 3

static void header(void **state) {
    (void)state;
    vb_buf b = vb_buf_make(64);
    REFUSE(b, VB_EFORMAT, "4 bytes expected, but the file ends after 0");
    put_bytes(&b, "GGML", 4);
    put_u32(&b, 3);
    put_u64(&b, 0);
    put_u64(&b, 0);
    REFUSE(b, VB_EFORMAT, "not a GGUF file");
    memcpy(b.data, "GGUF", 4);
    vb_gguf_close(open_good(&b));
    for (uint32_t v = 0; v < 10; v++) {
        if (v != 2 && v != 3) {
            b.data[4] = (uint8_t)v;
            REFUSE(b, VB_EUNSUPPORTED, "byte 4: header: GGUF version");
        }
    }
    vb_store_u32be(b.data + 4, 3);
    REFUSE(b, VB_EUNSUPPORTED, "big-endian GGUF is not supported");
    vb_store_u32be(b.data + 4, 2);
    REFUSE(b, VB_EUNSUPPORTED, "big-endian GGUF is not supported");
    vb_buf_free(&b);
}

static void counts(void **state) {
    (void)state;
    static const uint64_t huge[] = {1, 4096, 1u << 31, 1ull << 32, 1ull << 60, UINT64_MAX};
    for (size_t i = 0; i < sizeof huge / sizeof huge[0]; i++) {
        vb_buf b = gguf_start(GOOD_V, huge[i], 0);
        REFUSE(b, VB_EFORMAT, "tensors declared, more than");
        vb_buf_free(&b);
        b = gguf_start(GOOD_V, 0, huge[i]);
        REFUSE(b, VB_EFORMAT, "metadata entries declared, more than");
        vb_buf_free(&b);
    }
    vb_buf b = gguf_start(GOOD_V, 0, VB_GGUF_KV_MAX + 1);
    put_data(&b, (VB_GGUF_KV_MAX + 1) * 14);
    REFUSE(b, VB_ELIMIT, "more than the limit of 65536");
    vb_buf_free(&b);
    b = gguf_start(GOOD_V, VB_GGUF_TENSORS_MAX + 1, 0);
    put_data(&b, (VB_GGUF_TENSORS_MAX + 1) * 33);
    REFUSE(b, VB_ELIMIT, "more than the limit of 65536");
    vb_buf_free(&b);
}

/* #24263: a key of no bytes. */
static void keys(void **state) {
    (void)state;
    vb_buf b = gguf_start(GOOD_V, 0, 1);
    put_kv_u32(&b, "", 1);
    put_data(&b, 32);
    REFUSE(b, VB_EFORMAT, "byte 24: metadata key: the name is empty");
    vb_buf_free(&b);

    b = gguf_start(GOOD_V, 0, 1);
    put_str_n(&b, "a\0b", 3);
    put_u32(&b, VB_GGUF_U32);
    put_u32(&b, 1);
    REFUSE(b, VB_EFORMAT, "the name holds a zero byte");
    vb_buf_free(&b);

    static const uint64_t lengths[] = {1u << 20, 1ull << 40, UINT64_MAX - 7, UINT64_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        b = gguf_start(GOOD_V, 0, 1);
        put_u64(&b, lengths[i]);
        put_data(&b, 64);
        REFUSE(b, VB_EFORMAT, "more than 1024 (VB_GGUF_KEY_BYTES_MAX)");
        vb_buf_free(&b);
    }
    b = gguf_start(GOOD_V, 0, 1);
    put_u64(&b, 1025);
    put_data(&b, 2000);
    REFUSE(b, VB_ELIMIT, "more than 1024 (VB_GGUF_KEY_BYTES_MAX)");
    vb_buf_free(&b);

    b = gguf_start(GOOD_V, 0, 3);
    put_kv_u32(&b, "general.file_type", 1);
    put_kv_u32(&b, "other", 1);
    put_kv_str(&b, "general.file_type", "x");
    REFUSE(b, VB_EFORMAT, "metadata key 'general.file_type' is there twice");
    vb_buf_free(&b);
}

/* #19003: a string's length is taken from the file and allocated unchecked. */
static void strings(void **state) {
    (void)state;
    static const uint64_t lengths[] = {9,         1u << 30,       1ull << 40,
                                       INT64_MAX, UINT64_MAX - 8, UINT64_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        vb_buf b = gguf_start(GOOD_V, 0, 1);
        put_key(&b, "general.name", VB_GGUF_STRING);
        put_u64(&b, lengths[i]);
        put_data(&b, 8);
        REFUSE(b, VB_EFORMAT, "metadata key 'general.name': a string of");
        vb_buf_free(&b);

        b = gguf_start(GOOD_V, 0, 1);
        put_array(&b, "tokenizer.ggml.tokens", VB_GGUF_STRING, 2);
        put_str(&b, "first");
        put_u64(&b, lengths[i]);
        put_data(&b, 8);
        REFUSE(b, VB_EFORMAT, "metadata key 'tokenizer.ggml.tokens': a string of");
        vb_buf_free(&b);
    }
    vb_buf b = gguf_start(GOOD_V, 0, 1);
    put_key(&b, "k", VB_GGUF_STRING);
    put_u64(&b, VB_GGUF_STRING_BYTES_MAX + 1);
    uint8_t *bulk = calloc(1, VB_GGUF_STRING_BYTES_MAX + 1);
    put_bytes(&b, bulk, VB_GGUF_STRING_BYTES_MAX + 1);
    REFUSE(b, VB_ELIMIT, "VB_GGUF_STRING_BYTES_MAX");
    free(bulk);
    vb_buf_free(&b);
}

static void types(void **state) {
    (void)state;
    static const uint32_t unknown[] = {13, 14, 255, 1u << 31, UINT32_MAX};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        vb_buf b = gguf_start(GOOD_V, 0, 1);
        put_key(&b, "k", unknown[i]);
        put_u64(&b, 0);
        REFUSE(b, VB_EFORMAT, "metadata key 'k': value type");
        vb_buf_free(&b);
        b = gguf_start(GOOD_V, 0, 1);
        put_array(&b, "k", unknown[i], 0);
        REFUSE(b, VB_EFORMAT, "metadata key 'k': item type");
        vb_buf_free(&b);
    }
    vb_buf b = gguf_start(GOOD_V, 0, 1);
    put_array(&b, "k", VB_GGUF_ARRAY, 1);
    put_u32(&b, VB_GGUF_U8);
    put_u64(&b, 0);
    REFUSE(b, VB_EUNSUPPORTED, "metadata key 'k': arrays of arrays are not supported");
    vb_buf_free(&b);
    b = gguf_start(GOOD_V, 0, 1);
    put_key(&b, "some.bool", VB_GGUF_BOOL);
    put_u8(&b, 2);
    REFUSE(b, VB_EFORMAT, "metadata key 'some.bool': a bool is 2, expected 0 or 1");
    vb_buf_free(&b);
    b = gguf_start(GOOD_V, 0, 1);
    put_array(&b, "k", VB_GGUF_BOOL, 3);
    put_bytes(&b, "\0\1\xff", 3);
    REFUSE(b, VB_EFORMAT, "a bool is 255");
    vb_buf_free(&b);
}

/* Counts whose byte size is more than the file, or wraps around 2^64. */
static void arrays(void **state) {
    (void)state;
    static const uint64_t n[] = {65, 1ull << 24, 1ull << 32, 1ull << 61, 1ull << 62, UINT64_MAX};
    for (size_t i = 0; i < sizeof n / sizeof n[0]; i++) {
        for (uint32_t t = 0; t <= VB_GGUF_F64; t++) {
            if (t == VB_GGUF_ARRAY) {
                continue;
            }
            vb_buf b = gguf_start(GOOD_V, 0, 1);
            put_array(&b, "k", t, n[i]);
            put_u64(&b, 0);
            put_u64(&b, 0);
            REFUSE(b, VB_EFORMAT, "left in the file");
            vb_buf_free(&b);
        }
    }
    uint64_t many = (uint64_t)VB_GGUF_ARRAY_ITEMS_MAX + 1;
    vb_buf b = gguf_start(GOOD_V, 0, 1);
    put_array(&b, "k", VB_GGUF_U8, many);
    uint8_t *bulk = calloc(1, many);
    put_bytes(&b, bulk, many);
    REFUSE(b, VB_ELIMIT, "VB_GGUF_ARRAY_ITEMS_MAX");
    free(bulk);
    vb_buf_free(&b);
}

/* #26318: an alignment of another type, zero, not a power of two, near the maximum. */
static void alignment(void **state) {
    (void)state;
    static const uint32_t bad[] = {0, 1, 2, 4, 7, 24, 33, 1u << 17, 1u << 31, UINT32_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        vb_buf b = gguf_start(GOOD_V, 0, 1);
        put_kv_u32(&b, "general.alignment", bad[i]);
        REFUSE(b, VB_EFORMAT, "expected a power of two from 8 to 65536");
        vb_buf_free(&b);
    }
    for (uint32_t t = 0; t <= VB_GGUF_F64; t++) {
        if (t == VB_GGUF_U32 || t == VB_GGUF_ARRAY) {
            continue;
        }
        vb_buf b = gguf_start(GOOD_V, 0, 1);
        put_key(&b, "general.alignment", t);
        if (t == VB_GGUF_BOOL) {
            put_u8(&b, 1);
        } else {
            put_u64(&b, t == VB_GGUF_STRING ? 0 : 32);
        }
        REFUSE(b, VB_EFORMAT, "expected uint32");
        vb_buf_free(&b);
    }
    for (uint32_t a = 8; a <= VB_GGUF_ALIGNMENT_BYTES_MAX; a *= 2) {
        vb_buf b = gguf_start(GOOD_V, 2, 1);
        put_kv_u32(&b, "general.alignment", a);
        put_tensor_1d(&b, "a", 1, VB_F16, 0);
        put_tensor_1d(&b, "b", 1, VB_F16, a);
        size_t info_end = b.len;
        put_padding(&b, a);
        size_t data_start = b.len;
        put_data(&b, a + 2);
        vb_gguf *g = open_good(&b);
        assert_int_equal(vb_gguf_tensor_at(g, 1)->offset_bytes, data_start + a);
        vb_gguf_close(g);
        vb_store_u32le(b.data + info_end - 8, a / 2); /* the low half of b's offset */
        REFUSE(b, VB_EFORMAT, "is not a multiple of the alignment");
        vb_buf_free(&b);
    }
}

static vb_buf one_tensor(uint32_t n_dims, const uint64_t *dims, uint32_t type, uint64_t offset) {
    vb_buf b = gguf_start(GOOD_V, 1, 0);
    put_tensor(&b, "t", n_dims, dims, type, offset);
    put_padding(&b, 32);
    put_data(&b, 4096);
    return b;
}

static void refuse_tensor(uint32_t n_dims, const uint64_t *dims, uint32_t type, uint64_t offset,
                          vb_err want, const char *text) {
    vb_buf b = one_tensor(n_dims, dims, type, offset);
    REFUSE(b, want, text);
    vb_buf_free(&b);
}

/* #24263: a dimension of zero divides; #18674: a stride that wraps to zero. */
static void dims(void **state) {
    (void)state;
    refuse_tensor(0, NULL, VB_F32, 0, VB_EFORMAT, "tensor 't': 0 dimensions");
    refuse_tensor(5, (uint64_t[]){1, 1, 1, 1, 1}, VB_F32, 0, VB_EFORMAT, "5 dimensions");
    refuse_tensor(1, (uint64_t[]){0}, VB_F32, 0, VB_EFORMAT, "dimension 0 is 0");
    refuse_tensor(4, (uint64_t[]){1, 1, 1, 0}, VB_F32, 0, VB_EFORMAT, "dimension 3 is 0");
    refuse_tensor(1, (uint64_t[]){UINT64_MAX}, VB_F32, 0, VB_EFORMAT, "dimension 0 is");
    refuse_tensor(1, (uint64_t[]){1ull << 62}, VB_F32, 0, VB_EFORMAT, "overflows");
    refuse_tensor(2, (uint64_t[]){1ull << 31, 1ull << 33}, VB_F16, 0, VB_EFORMAT, "overflows");
    refuse_tensor(4, (uint64_t[]){1 << 16, 1 << 16, 1 << 16, 1 << 16}, VB_F32, 0, VB_EFORMAT,
                  "overflows");
    refuse_tensor(2, (uint64_t[]){(1ull << 42) + 1, 1ull << 22}, VB_F32, 0, VB_EFORMAT,
                  "overflows");
    refuse_tensor(2, (uint64_t[]){1ull << 42, 1ull << 20}, VB_F32, 0, VB_EFORMAT, "overflows");
    refuse_tensor(2, (uint64_t[]){1ull << 32, 1ull << 32}, VB_Q4_0, 0, VB_EFORMAT, "overflows");
    refuse_tensor(2, (uint64_t[]){1ull << 42, 3}, VB_Q8_0, 0, VB_EFORMAT, "truncated or damaged");
    refuse_tensor(1, (uint64_t[]){31}, VB_Q8_0, 0, VB_EFORMAT,
                  "expected a multiple of 32 for Q8_0");
    refuse_tensor(2, (uint64_t[]){128, 2}, VB_Q4_K, 0, VB_EFORMAT, "a multiple of 256 for Q4_K");
}

static void tensor_types(void **state) {
    (void)state;
    static const struct {
        uint32_t id;
        const char *text;
    } bad[] = {{4, "type 4 (Q4_2)"},      {9, "type 9 (Q8_1)"},     {20, "type 20 (IQ4_NL)"},
               {26, "type 26 (I32)"},     {28, "type 28 (F64)"},    {39, "type 39 (MXFP4)"},
               {40, "type 40 (unknown)"}, {UINT32_MAX, "(unknown)"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        refuse_tensor(1, (uint64_t[]){256}, bad[i].id, 0, VB_EUNSUPPORTED, bad[i].text);
    }
}

/* #18991: data that is not there. */
static void tensor_places(void **state) {
    (void)state;
    refuse_tensor(1, (uint64_t[]){32}, VB_F32, 8, VB_EFORMAT, "not a multiple of the alignment 32");
    refuse_tensor(1, (uint64_t[]){1025}, VB_F32, 0, VB_EFORMAT, "truncated or damaged");
    refuse_tensor(1, (uint64_t[]){1}, VB_F32, 4096, VB_EFORMAT, "truncated or damaged");
    refuse_tensor(1, (uint64_t[]){1}, VB_F32, 4128, VB_EFORMAT, "truncated or damaged");
    refuse_tensor(1, (uint64_t[]){16}, VB_F32, UINT64_MAX - 31, VB_EFORMAT, "truncated or damaged");
    refuse_tensor(1, (uint64_t[]){1}, VB_F32, 1ull << 63, VB_EFORMAT, "truncated or damaged");
    vb_buf b = one_tensor(1, (uint64_t[]){1024}, VB_F32, 0); /* to the last byte */
    vb_gguf_close(open_good(&b));
    b.len--;
    REFUSE(b, VB_EFORMAT, "4096 bytes of data at offset 0 of the data section, which has 4095");
    vb_buf_free(&b);
}

static vb_buf two_tensors(const char *a, uint64_t a_offset, const char *c, uint64_t c_offset) {
    vb_buf b = gguf_start(GOOD_V, 2, 0);
    put_tensor_1d(&b, a, 16, VB_F32, a_offset);
    put_tensor_1d(&b, c, 16, VB_F32, c_offset);
    put_padding(&b, 32);
    put_data(&b, 512);
    return b;
}

static void tensor_pairs(void **state) {
    (void)state;
    vb_buf b = two_tensors("a", 0, "a", 64);
    REFUSE(b, VB_EFORMAT, "tensor 'a' is there twice");
    vb_buf_free(&b);
    b = two_tensors("a", 0, "b", 0);
    REFUSE(b, VB_EFORMAT, "overlaps");
    vb_buf_free(&b);
    b = two_tensors("a", 0, "b", 32);
    REFUSE(b, VB_EFORMAT, "tensor 'b' overlaps tensor 'a'");
    vb_buf_free(&b);
    b = two_tensors("a", 96, "b", 64);
    REFUSE(b, VB_EFORMAT, "tensor 'a' overlaps tensor 'b'");
    vb_buf_free(&b);
    b = two_tensors("a", 64, "b", 0); /* any order, and gaps, are fine */
    vb_gguf_close(open_good(&b));
    vb_buf_free(&b);
    b = two_tensors("a", 256, "b", 0);
    vb_gguf_close(open_good(&b));
    vb_buf_free(&b);
    b = two_tensors("", 0, "b", 64);
    REFUSE(b, VB_EFORMAT, "tensor: the name is empty");
    vb_buf_free(&b);
}

static void shards_in_memory(void **state) {
    (void)state;
    vb_buf b = gguf_start(GOOD_V, 0, 1);
    put_key(&b, "split.count", VB_GGUF_U16);
    put_u16(&b, 2);
    REFUSE(b, VB_EUNSUPPORTED, "split model can not be opened from memory");
    vb_buf_free(&b);
    b = gguf_start(GOOD_V, 0, 1);
    put_kv_str(&b, "split.count", "2");
    REFUSE(b, VB_EFORMAT, "key 'split.count' (string) is not a whole number");
    vb_buf_free(&b);
}

/* Opens any bytes: an error with a message, or a file that can be walked. */
static bool survives(const uint8_t *p, size_t n) {
    uint8_t *copy = exact_copy(p, n);
    vb_gguf *g = NULL;
    vb_error e = {0};
    vb_err err = vb_gguf_open_bytes(copy, n, "any.gguf", &g, &e);
    if (err) {
        assert_null(g);
        assert_int_equal(e.code, err);
        assert_true(strlen(e.msg) > 10);
    } else {
        walk(g);
        vb_gguf_close(g);
    }
    free(copy);
    return err == VB_OK;
}

static void every_truncation(void **state) {
    (void)state;
    for (uint32_t version = 2; version <= 3; version++) {
        vb_buf b = gguf_sample(version);
        assert_true(survives(b.data, b.len));
        for (size_t n = 0; n < b.len; n++) {
            assert_false(survives(b.data, n));
        }
        vb_buf_free(&b);
    }
}

/* Every byte of the header region takes every value; the region is all but the tensor data. */
static void every_changed_byte(void **state) {
    (void)state;
    vb_buf b = gguf_sample(3);
    size_t opened = 0, refused = 0;
    for (size_t i = 0; i < b.len - 240; i++) {
        uint8_t old = b.data[i];
        for (unsigned v = 0; v < 256; v++) {
            b.data[i] = (uint8_t)v;
            survives(b.data, b.len) ? opened++ : refused++;
        }
        b.data[i] = old;
    }
    assert_true(opened > 1000 && refused > 10000);
    vb_buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header),
        cmocka_unit_test(counts),
        cmocka_unit_test(keys),
        cmocka_unit_test(strings),
        cmocka_unit_test(types),
        cmocka_unit_test(arrays),
        cmocka_unit_test(alignment),
        cmocka_unit_test(dims),
        cmocka_unit_test(tensor_types),
        cmocka_unit_test(tensor_places),
        cmocka_unit_test(tensor_pairs),
        cmocka_unit_test(shards_in_memory),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(every_changed_byte),
    };
    return cmocka_run_group_tests_name("gguf/refuse", tests, NULL, NULL);
}
