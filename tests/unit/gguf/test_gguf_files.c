/*
 * Files on disk: real models and vocabularies with values known from elsewhere, the collection of
 * malformed files, split models written here, and files that change while they are open.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gguf_build.h"

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/vb_gguf_XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    return rmdir(folder);
}

/* Valid until the next call. */
static const char *in_folder(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *path, const void *bytes, size_t n) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static vb_gguf *open_path(const char *path) {
    vb_gguf *g = NULL;
    vb_error e = {0};
    if (vb_gguf_open(path, &g, &e)) {
        fail_msg("refused: %s", e.msg);
    }
    return g;
}

static void refuse_path(const char *path, vb_err want, const char *text) {
    vb_gguf *g = NULL;
    vb_error e = {0};
    vb_err err = vb_gguf_open(path, &g, &e);
    assert_null(g);
    if (err != want || !strstr(e.msg, text)) {
        fail_msg("got %s \"%s\", expected %s with \"%s\"", vb_err_name(err), e.msg,
                 vb_err_name(want), text);
    }
}

static uint64_t get(const vb_gguf *g, const char *key) {
    uint64_t v = 0;
    vb_error e;
    if (vb_gguf_get_u64(g, key, 0, UINT64_MAX, &v, &e)) {
        fail_msg("%s", e.msg);
    }
    return v;
}

static void expect_str(const vb_gguf *g, const char *key, const char *want) {
    vb_str s;
    vb_error e;
    assert_int_equal(vb_gguf_get_str(g, key, &s, &e), VB_OK);
    assert_int_equal(s.len, strlen(want));
    assert_memory_equal(s.p, want, s.len);
}

static void expect_item(const vb_gguf *g, const char *key, uint64_t i, const char *want) {
    vb_str s;
    assert_true(vb_gguf_item_str(g, vb_gguf_find(g, key), i, &s));
    assert_int_equal(s.len, strlen(want));
    assert_memory_equal(s.p, want, s.len);
}

static void stories260K(void **state) {
    (void)state;
    const char *path = vb_test_data("models/stories260K/stories260K.gguf");
    vb_gguf *g = open_path(path);
    assert_int_equal(vb_gguf_version(g), 3);
    assert_int_equal(vb_gguf_kv_count(g), 19);
    assert_int_equal(vb_gguf_tensor_count(g), 48);
    assert_int_equal(vb_gguf_file_bytes(g, 0), 1185376);
    assert_int_equal(get(g, "llama.embedding_length"), 64);
    assert_int_equal(get(g, "llama.block_count"), 5);
    assert_int_equal(get(g, "llama.attention.head_count_kv"), 4);
    float eps;
    vb_error e;
    assert_int_equal(vb_gguf_get_f32(g, "llama.attention.layer_norm_rms_epsilon", &eps, &e), VB_OK);
    assert_true(eps == 1e-5f);
    expect_item(g, "tokenizer.ggml.tokens", 0, "<unk>");
    expect_item(g, "tokenizer.ggml.tokens", 511, "\xe2\x80\x8a"); /* its last token */
    int64_t kind;
    assert_true(vb_gguf_item_i64(g, vb_gguf_find(g, "tokenizer.ggml.token_type"), 3, &kind));
    assert_int_equal(kind, 6); /* a byte */
    const vb_gguf_tensor *t = vb_gguf_find_tensor(g, "blk.4.ffn_down.weight");
    assert_int_equal(t->dims[0], 172);
    assert_int_equal(t->dims[1], 64);
    assert_int_equal(t->n_bytes, 172 * 64 * 4);
    size_t n;
    uint8_t *all = vb_test_read(path, &n);
    for (size_t i = 0; i < vb_gguf_tensor_count(g); i++) {
        t = vb_gguf_tensor_at(g, i);
        uint8_t *copy = malloc(t->n_bytes);
        assert_int_equal(vb_gguf_read_tensor(g, t, 0, t->n_bytes, copy, &e), VB_OK);
        assert_memory_equal(copy, t->data, t->n_bytes);
        assert_memory_equal(copy, all + t->offset_bytes, t->n_bytes);
        free(copy);
    }
    free(all);
    vb_gguf_close(g);
}

static void demo(void **state) {
    (void)state;
    static const struct {
        const char *path;
        uint64_t file_type;
        vb_wtype embd, attn_q;
    } files[] = {
        {"models/verbatim-demo/verbatim-demo-f32.gguf", 0, VB_F32, VB_F32},
        {"models/verbatim-demo/verbatim-demo-q8_0.gguf", 7, VB_Q8_0, VB_Q8_0},
        {"models/verbatim-demo/verbatim-demo-q4_k_m.gguf", 15, VB_Q6_K, VB_Q4_K},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        vb_gguf *g = open_path(vb_test_data(files[i].path));
        expect_str(g, "general.architecture", "qwen2");
        assert_int_equal(get(g, "general.file_type"), files[i].file_type);
        assert_int_equal(get(g, "qwen2.embedding_length"), 256);
        assert_int_equal(vb_gguf_find(g, "tokenizer.ggml.tokens")->n_items, 2304);
        assert_int_equal(vb_gguf_find_tensor(g, "token_embd.weight")->type, files[i].embd);
        assert_int_equal(vb_gguf_find_tensor(g, "blk.0.attn_q.weight")->type, files[i].attn_q);
        assert_int_equal(vb_gguf_find_tensor(g, "blk.3.attn_q.bias")->n_dims, 1);
        uint64_t values = 0;
        for (size_t k = 0; k < vb_gguf_tensor_count(g); k++) {
            const vb_gguf_tensor *t = vb_gguf_tensor_at(g, k);
            values += t->dims[0] * t->dims[1];
        }
        assert_in_range(values, 3600000, 3800000);
        walk(g);
        vb_gguf_close(g);
    }
}

/* Vocabulary-only files: no tensors, large arrays. */
static void vocabularies(void **state) {
    (void)state;
    static const struct {
        const char *path, *model, *pre, *first;
        uint64_t tokens, merges;
    } files[] = {
        {"vocab/ggml-vocab-qwen2.gguf", "gpt2", "qwen2", "!", 151936, 151387},
        {"vocab/ggml-vocab-llama-bpe.gguf", "gpt2", "llama-bpe", "!", 128256, 280147},
        {"vocab/ggml-vocab-gpt-2.gguf", "gpt2", "gpt-2", "!", 50257, 50000},
        {"vocab/ggml-vocab-llama-spm.gguf", "llama", NULL, "<unk>", 32000, 0},
        {"vocab/ggml-vocab-deepseek-llm.gguf", "gpt2", "deepseek-llm", "!", 102400, 99757},
        {"vocab/ggml-vocab-deepseek-coder.gguf", "gpt2", "deepseek-coder", "!", 32256, 31757},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        vb_gguf *g = open_path(vb_test_data(files[i].path));
        assert_int_equal(vb_gguf_tensor_count(g), 0);
        expect_str(g, "tokenizer.ggml.model", files[i].model);
        if (files[i].pre) {
            expect_str(g, "tokenizer.ggml.pre", files[i].pre);
        }
        assert_int_equal(vb_gguf_find(g, "tokenizer.ggml.tokens")->n_items, files[i].tokens);
        expect_item(g, "tokenizer.ggml.tokens", 0, files[i].first);
        const vb_gguf_kv *merges = vb_gguf_find(g, "tokenizer.ggml.merges");
        assert_int_equal(merges ? merges->n_items : 0, files[i].merges);
        walk(g);
        vb_gguf_close(g);
    }
}

/* The collected malformed files: refused where the bytes are bad, loaded where only the model they
 * describe is (that is for the model and the tokenizer to say). */
static void bad_small(void **state) {
    (void)state;
    static const char *const loads[] = {"bert-base-uncased",
                                        "bitnet-b1.58-2B",
                                        "corrupted-embedded-tokenizer",
                                        "empty",
                                        "gpt-neo-1.3b",
                                        "gpt2-50k",
                                        "gpt2-medium",
                                        "llama2-32k",
                                        "llama2-7b",
                                        "llama3-128k",
                                        "llama2-with-sentencepiece",
                                        "llama3-8b",
                                        "lowctx",
                                        "moe",
                                        "llama3-with-hf-tokenizer",
                                        "t5-base",
                                        "vocab-1000",
                                        "vocab-128256",
                                        "vocab-32000",
                                        "vocab-50257"};
    char name[128];
    for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++) {
        snprintf(name, sizeof name, "bad-gguf/small/%s.gguf", loads[i]);
        vb_gguf *g = open_path(vb_test_data(name));
        assert_int_equal(vb_gguf_tensor_count(g), 0);
        assert_non_null(vb_gguf_find(g, "general.architecture"));
        walk(g);
        vb_gguf_close(g);
    }
    refuse_path(vb_test_data("bad-gguf/small/mini.gguf"), VB_EFORMAT, "mini.gguf: byte 24: ");
    refuse_path(vb_test_data("bad-gguf/small/tiny.gguf"), VB_EFORMAT,
                "tensor 'test.weight.0': 32768 bytes of data");
}

static void not_files(void **state) {
    (void)state;
    refuse_path(in_folder("absent.gguf"), VB_EIO, "absent.gguf: can not be opened: No such file");
    refuse_path(folder, VB_EIO, "is not a regular file");
    refuse_path("/dev/zero", VB_EIO, "is not a regular file");
    const char *fifo = in_folder("fifo.gguf");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    refuse_path(fifo, VB_EIO, "is not a regular file"); /* and does not wait for a writer */
    unlink(fifo);
    const char *empty = in_folder("empty.gguf");
    write_file(empty, "", 0);
    refuse_path(empty, VB_EFORMAT, "the file ends after 0");
    unlink(empty);
}

/* The same refusals through pread as through memory: every truncation of a file on disk. */
static void truncated_on_disk(void **state) {
    (void)state;
    vb_buf b = gguf_sample(3);
    const char *path = in_folder("cut.gguf");
    for (size_t n = 0; n <= b.len; n++) {
        write_file(path, b.data, n);
        vb_gguf *g = NULL;
        vb_error e = {0};
        vb_err err = vb_gguf_open(path, &g, &e);
        assert_int_equal(err, n < b.len ? VB_EFORMAT : VB_OK);
        if (g) {
            walk(g);
            vb_gguf_close(g);
        }
    }
    unlink(path);
    vb_buf_free(&b);
}

/* A file that loses its end while it is open: metadata stays, reading data is an error. */
static void shrinks_while_open(void **state) {
    (void)state;
    vb_buf b = gguf_sample(3);
    const char *path = in_folder("shrinks.gguf");
    write_file(path, b.data, b.len);
    vb_gguf *g = open_path(path);
    assert_int_equal(truncate(path, 40), 0);
    const vb_gguf_tensor *t = vb_gguf_find_tensor(g, "x");
    uint8_t buf[48];
    vb_error e = {0};
    assert_int_equal(vb_gguf_read_tensor(g, t, 0, 48, buf, &e), VB_EIO);
    assert_non_null(strstr(e.msg, "tensor 'x': "));
    assert_non_null(strstr(e.msg, "the file ends here now"));
    expect_str(g, "general.architecture", "llama");
    expect_item(g, "tokenizer.ggml.tokens", 2, "b");
    vb_gguf_close(g);
    unlink(path);
    vb_buf_free(&b);
}

/* Metadata far larger than one read, so that the copy grows and moves. */
static void large_metadata(void **state) {
    (void)state;
    enum { N = 100000 };
    vb_buf b = gguf_start(3, 1, 2);
    put_array(&b, "tokens", VB_GGUF_STRING, N);
    char text[32];
    for (unsigned i = 0; i < N; i++) {
        snprintf(text, sizeof text, "token %u", i);
        put_str(&b, text);
    }
    put_kv_str(&b, "last", "value");
    put_tensor_1d(&b, "t", 8, VB_F32, 0);
    put_padding(&b, 32);
    put_data(&b, 32);
    const char *path = in_folder("large.gguf");
    write_file(path, b.data, b.len);
    vb_gguf *g = open_path(path);
    expect_item(g, "tokens", 0, "token 0");
    expect_item(g, "tokens", N - 1, "token 99999");
    expect_str(g, "last", "value");
    assert_memory_equal(vb_gguf_find_tensor(g, "t")->data, b.data + b.len - 32, 32);
    vb_gguf_close(g);
    unlink(path);
    vb_buf_free(&b);
}

/* ---- split models ---- */

enum { NO_KEY = -1 };

/* Shard i of a model, with one tensor of 8 floats, all equal to `fill`. */
static void write_shard(const char *file, int no, int count, int tensors, const char *tensor,
                        uint8_t fill) {
    unsigned n_kvs = 1 + (no != NO_KEY) + (count != NO_KEY) + (tensors != NO_KEY);
    vb_buf b = gguf_start(3, 1, n_kvs);
    put_kv_str(&b, "general.architecture", file); /* tells whose metadata is seen */
    if (no != NO_KEY) {
        put_key(&b, "split.no", VB_GGUF_U16);
        put_u16(&b, (uint16_t)no);
    }
    if (count != NO_KEY) {
        put_key(&b, "split.count", VB_GGUF_U16);
        put_u16(&b, (uint16_t)count);
    }
    if (tensors != NO_KEY) {
        put_key(&b, "split.tensors.count", VB_GGUF_I32);
        put_u32(&b, (uint32_t)tensors);
    }
    put_tensor_1d(&b, tensor, 8, VB_F32, 0);
    put_padding(&b, 32);
    for (int i = 0; i < 32; i++) {
        put_u8(&b, fill);
    }
    write_file(in_folder(file), b.data, b.len);
    vb_buf_free(&b);
}

#define S1 "m-00001-of-00003.gguf"
#define S2 "m-00002-of-00003.gguf"
#define S3 "m-00003-of-00003.gguf"

static void write_good_split(void) {
    write_shard(S1, 0, 3, 3, "a", 1);
    write_shard(S2, 1, 3, 3, "b", 2);
    write_shard(S3, 2, 3, 3, "c", 3);
}

static void remove_split(void) {
    unlink(in_folder(S1));
    unlink(in_folder(S2));
    unlink(in_folder(S3));
}

static void split_good(void **state) {
    (void)state;
    write_good_split();
    vb_gguf *g = open_path(in_folder(S1));
    assert_int_equal(vb_gguf_file_count(g), 3);
    assert_string_equal(vb_gguf_file_path(g, 2), in_folder(S3));
    assert_int_equal(vb_gguf_tensor_count(g), 3);
    expect_str(g, "general.architecture", S1);
    for (size_t i = 0; i < 3; i++) {
        const vb_gguf_tensor *t = vb_gguf_tensor_at(g, i);
        uint8_t buf[32];
        vb_error e;
        assert_int_equal(t->file_index, i);
        assert_int_equal(t->name.p[0], 'a' + i);
        assert_int_equal(t->data[31], i + 1);
        assert_int_equal(vb_gguf_read_tensor(g, t, 0, 32, buf, &e), VB_OK);
        assert_memory_equal(buf, t->data, 32);
    }
    assert_ptr_equal(vb_gguf_find_tensor(g, "c"), vb_gguf_tensor_at(g, 2));
    vb_gguf_close(g);
    refuse_path(in_folder(S2), VB_EINVAL, "is file 2 of a model split into 3: open the first");
    remove_split();
}

static void split_by_name_only(void **state) {
    (void)state;
    write_shard(S1, NO_KEY, NO_KEY, NO_KEY, "a", 1);
    write_shard(S2, NO_KEY, NO_KEY, NO_KEY, "b", 2);
    write_shard(S3, NO_KEY, NO_KEY, NO_KEY, "c", 3);
    vb_gguf *g = open_path(in_folder(S1));
    assert_int_equal(vb_gguf_tensor_count(g), 3);
    vb_gguf_close(g);
    write_shard(S2, 1, 3, NO_KEY, "b", 2);
    refuse_path(in_folder(S1), VB_EFORMAT, "in one file of the model and not in another");
    remove_split();
}

static void split_broken(void **state) {
    (void)state;
    char first[256];
    snprintf(first, sizeof first, "%s", in_folder(S1));
    write_good_split();
    unlink(in_folder(S3));
    refuse_path(first, VB_EIO, S3 ": can not be opened");
    write_shard(S3, 1, 3, 3, "c", 3);
    refuse_path(first, VB_EFORMAT, S3 ": key 'split.no' is 1, expected 2");
    write_shard(S3, 2, 4, 3, "c", 3);
    refuse_path(first, VB_EFORMAT, S3 ": key 'split.count' is 4, expected 3");
    write_shard(S3, 2, 3, 3, "a", 3);
    refuse_path(first, VB_EFORMAT, "tensor 'a' is there twice");
    write_shard(S3, 2, 3, 3, "c", 3);
    write_shard(S1, 0, 3, 4, "a", 1);
    refuse_path(first, VB_EFORMAT, "'split.tensors.count' is 4, but the files hold 3 tensors");
    write_shard(S1, 0, 2, 3, "a", 1);
    refuse_path(first, VB_EFORMAT, "'split.count' is 2, but the file's name says 3");
    write_shard(S1, 1, 3, 3, "a", 1);
    refuse_path(first, VB_EFORMAT, "'split.no' is 1, expected 0 in the first file");
    write_shard(S1, 0, 3, 3, "a", 1);
    write_file(in_folder(S2), "GGUF", 4);
    refuse_path(first, VB_EFORMAT, S2 ": byte 4: header");
    /* Two shards exchanged: the numbers inside show it. */
    write_shard(S2, 2, 3, 3, "c", 3);
    write_shard(S3, 1, 3, 3, "b", 2);
    refuse_path(first, VB_EFORMAT, S2 ": key 'split.no' is 2, expected 1");
    remove_split();
}

static void split_names(void **state) {
    (void)state;
    write_shard("plain.gguf", 0, 3, 3, "a", 1);
    refuse_path(in_folder("plain.gguf"), VB_EFORMAT, "does not end in -00001-of-00003.gguf");
    write_shard("plain.gguf", 0, 2000, 3, "a", 1);
    refuse_path(in_folder("plain.gguf"), VB_ELIMIT, "VB_GGUF_SPLITS_MAX");
    write_shard("plain.gguf", 0, 1, 1, "a", 1);
    vb_gguf_close(open_path(in_folder("plain.gguf")));
    unlink(in_folder("plain.gguf"));
    write_shard("one-00001-of-00001.gguf", 0, 1, 1, "a", 1);
    vb_gguf_close(open_path(in_folder("one-00001-of-00001.gguf")));
    unlink(in_folder("one-00001-of-00001.gguf"));
    refuse_path("x-00000-of-00003.gguf", VB_EINVAL, "no valid number");
    refuse_path("x-00004-of-00003.gguf", VB_EINVAL, "no valid number");
    refuse_path("x-00001-of-02000.gguf", VB_ELIMIT, "VB_GGUF_SPLITS_MAX");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stories260K),        cmocka_unit_test(demo),
        cmocka_unit_test(vocabularies),       cmocka_unit_test(bad_small),
        cmocka_unit_test(not_files),          cmocka_unit_test(truncated_on_disk),
        cmocka_unit_test(shrinks_while_open), cmocka_unit_test(large_metadata),
        cmocka_unit_test(split_good),         cmocka_unit_test(split_by_name_only),
        cmocka_unit_test(split_broken),       cmocka_unit_test(split_names),
    };
    return cmocka_run_group_tests_name("gguf/files", tests, make_folder, remove_folder);
}
