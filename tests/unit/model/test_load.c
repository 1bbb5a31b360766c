/* Loading: files whose metadata and tensors contradict each other, files cut while they are read,
 * and every allocation failing in turn. */
#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model/model.h"
#include "unit/model/tiny_model.h"

/* ---- allocations, counted and refused ---- */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t n);
void __real_free(void *p);
void *__real_mmap(void *p, size_t n, int prot, int flags, int fd, off_t at);
int __real_munmap(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t n);
void __wrap_free(void *p);
void *__wrap_mmap(void *p, size_t n, int prot, int flags, int fd, off_t at);
void *__wrap_mmap64(void *p, size_t n, int prot, int flags, int fd, off_t at);
int __wrap_munmap(void *p, size_t n);

static long until_failure = -1; /* allocations that still succeed; -1: all */
static long live_blocks;
static long long mapped_bytes;

static bool fails_now(void) {
    return until_failure >= 0 && until_failure-- == 0;
}

void *__wrap_malloc(size_t n) {
    void *p = fails_now() ? NULL : __real_malloc(n);
    live_blocks += p != NULL;
    return p;
}

void *__wrap_calloc(size_t n, size_t size) {
    void *p = fails_now() ? NULL : __real_calloc(n, size);
    live_blocks += p != NULL;
    return p;
}

void *__wrap_aligned_alloc(size_t alignment, size_t n) {
    void *p = fails_now() ? NULL : __real_aligned_alloc(alignment, n);
    live_blocks += p != NULL;
    return p;
}

#ifdef COUNT_WHAT_IS_LEFT
void __wrap_free(void *p) {
    live_blocks -= p != NULL;
    __real_free(p);
}

int __wrap_munmap(void *p, size_t n) {
    mapped_bytes -= (long long)n;
    return __real_munmap(p, n);
}
#endif

void *__wrap_mmap(void *p, size_t n, int prot, int flags, int fd, off_t at) {
    void *q = fails_now() ? MAP_FAILED : __real_mmap(p, n, prot, flags, fd, at);
    mapped_bytes += q != MAP_FAILED ? (long long)n : 0;
    return q;
}

void *__wrap_mmap64(void *p, size_t n, int prot, int flags, int fd, off_t at) {
    return __wrap_mmap(p, n, prot, flags, fd, at);
}

static void assert_balance(long blocks, long long bytes) {
#ifdef COUNT_WHAT_IS_LEFT
    assert_int_equal(live_blocks, blocks);
    assert_true(mapped_bytes == bytes);
#else
    (void)blocks, (void)bytes;
#endif
}

/* ---- helpers ---- */

static vb_error e;

static vb_err load_gguf(const vb_gguf *g, vb_model **m) {
    vb_model_options options = {.n_threads = 2};
    assert_int_equal(vb_kernels_select(NULL, &options.kernels, &e), VB_OK);
    return vb_model_load(g, &options, m, &e);
}

static vb_err load(const tiny_model *t, vb_model **m) {
    vb_buf b = tiny_write(t);
    vb_gguf *g = open_good(&b);
    vb_err err = load_gguf(g, m);
    vb_gguf_close(g);
    vb_buf_free(&b);
    return err;
}

static void refuse(const tiny_model *t, vb_err want, const char *text, int line) {
    vb_model *m = NULL;
    e = (vb_error){0};
    const vb_err err = load(t, &m);
    if (err != want || !strstr(e.msg, text) || strncmp(e.msg, "good.gguf: ", 11) != 0) {
        fail_msg("line %d: got %s \"%s\", expected %s with \"%s\"", line, vb_err_name(err), e.msg,
                 vb_err_name(want), text);
    }
    assert_null(m);
}
#define REFUSE_MODEL(t, want, text) refuse(&(t), want, text, __LINE__)

static vb_err ignore(void *user, size_t item, size_t index, const float *logits) {
    (void)user, (void)item, (void)index, (void)logits;
    return VB_OK;
}

static vb_err run(const vb_model *m) {
    static const uint32_t tokens[] = {1, 2, 3, TINY_VOCAB - 1};
    vb_session *s = NULL;
    vb_workspace *w = NULL;
    vb_err err = vb_session_open(m, 8, &s, &e);
    if (!err) {
        err = vb_workspace_open(m, 8, 8, 2, &w, &e);
    }
    if (!err) {
        const vb_batch_item item = {s, tokens, 4, 0};
        err = vb_forward(m, w, &item, 1, ignore, NULL, &e);
    }
    vb_workspace_close(w);
    vb_session_close(s);
    return err;
}

/* ---- tests ---- */

static void a_tiny_model_runs(void **state) {
    (void)state;
    for (uint32_t layers = 1; layers <= 2; layers++) {
        tiny_model t = tiny_make(layers);
        vb_model *m = NULL;
        vb_err err = load(&t, &m);
        if (err) {
            fail_msg("%s", e.msg);
        }
        err = run(m);
        if (err) {
            fail_msg("%s", e.msg);
        }
        vb_model_close(m);
    }
}

static void a_missing_tensor_is_named(void **state) {
    static const char *const names[] = {"output_norm.weight", "blk.1.attn_q.weight",
                                        "blk.0.attn_norm.weight", "blk.1.ffn_down.weight",
                                        "token_embd.weight"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        tiny_model t = tiny_make(2);
        tiny_drop(&t, names[i]);
        REFUSE_MODEL(t, VB_EFORMAT, names[i]);
    }
}

static void a_tensor_too_many_is_refused(void **state) {
    static const char *const names[] = {"blk.2.attn_q.weight",
                                        "blk.01.attn_q.weight",
                                        "blk.+1.attn_q.weight",
                                        "blk. 1.attn_q.weight",
                                        "blk.4294967296.attn_q.weight",
                                        "blk.0.attn_q.weight.x",
                                        "blk.0.attn_output.bias",
                                        "blk.0.attn_qq.weight",
                                        "output.bias",
                                        "blk.0."};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        tiny_model t = tiny_make(2);
        tiny_add(&t, names[i], TINY_EMBD, 1);
        REFUSE_MODEL(t, VB_EUNSUPPORTED, names[i]);
    }
}

static void shapes_must_agree_with_the_metadata(void **state) {
    (void)state;
    tiny_model t = tiny_make(1);
    tiny_find(&t, "blk.0.attn_k.weight")->dims[1] = TINY_EMBD;
    REFUSE_MODEL(t, VB_EFORMAT, "tensor blk.0.attn_k.weight has shape [32, 32, 1, 1]");
    t = tiny_make(1);
    tiny_find(&t, "output.weight")->dims[1] = TINY_VOCAB + 1;
    REFUSE_MODEL(t, VB_EFORMAT, "tensor output.weight has shape");
    t = tiny_make(1);
    tiny_find(&t, "blk.0.attn_norm.weight")->dims[0] = 2 * TINY_EMBD;
    REFUSE_MODEL(t, VB_EFORMAT, "tensor blk.0.attn_norm.weight has shape");
    t = tiny_make(1);
    tiny_find(&t, "output_norm.weight")->type = VB_Q8_0;
    REFUSE_MODEL(t, VB_EUNSUPPORTED, "output_norm.weight is Q8_0, expected F32, F16 or BF16");
    t = tiny_make(1);
    t.n_embd = 64;
    REFUSE_MODEL(t, VB_EFORMAT, "token_embd.weight has shape");
    t = tiny_make(1);
    t.n_ff = 32;
    REFUSE_MODEL(t, VB_EFORMAT, "blk.0.ffn_gate.weight has shape");
    t = tiny_make(1);
    t.n_layers = 2;
    REFUSE_MODEL(t, VB_EFORMAT, "blk.1.attn_q.weight is missing");
    t = tiny_make(2);
    t.n_layers = 1;
    REFUSE_MODEL(t, VB_EUNSUPPORTED, "blk.1.");
}

static void numbers_must_be_in_range(void **state) {
    (void)state;
    tiny_model t = tiny_make(1);
    t.n_heads = 3;
    REFUSE_MODEL(t, VB_EFORMAT, "embedding_length 32 is not a multiple of head_count 3");
    t = tiny_make(1);
    t.n_kv_heads = 0;
    REFUSE_MODEL(t, VB_EFORMAT, "head_count_kv");
    t = tiny_make(1);
    t.n_heads = 4;
    t.n_kv_heads = 3;
    REFUSE_MODEL(t, VB_EFORMAT, "is not a multiple of head_count_kv 3");
    t = tiny_make(1);
    t.n_rot = 18;
    REFUSE_MODEL(t, VB_EFORMAT, "rope.dimension_count 18");
    t.n_rot = 3;
    REFUSE_MODEL(t, VB_EFORMAT, "rope.dimension_count 3");
    t = tiny_make(1);
    t.n_ctx = UINT32_MAX;
    REFUSE_MODEL(t, VB_EFORMAT, "context_length");
    t = tiny_make(1);
    t.n_embd = UINT32_MAX;
    REFUSE_MODEL(t, VB_EFORMAT, "embedding_length");
    t = tiny_make(1);
    t.n_layers = 0;
    REFUSE_MODEL(t, VB_EFORMAT, "block_count");
    t = tiny_make(1);
    t.eps = -1;
    REFUSE_MODEL(t, VB_EFORMAT, "layer_norm_rms_epsilon");
    t = tiny_make(1);
    t.arch = "gpt2";
    REFUSE_MODEL(t, VB_EUNSUPPORTED, "general.architecture is \"gpt2\"");
}

static void what_is_not_finite_is_named(void **state) {
    static const char *const names[] = {"blk.0.ffn_up.weight", "output_norm.weight",
                                        "token_embd.weight"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        tiny_model t = tiny_make(1);
        tiny_find(&t, names[i])->value = i ? INFINITY : NAN;
        REFUSE_MODEL(t, VB_ENONFINITE, names[i]);
    }
}

/* A receipt carries the name: it must be text that a receipt may hold. */
static void a_hostile_name_is_made_printable(void **state) {
    char longest[400];
    (void)state;
    memset(longest, 'a', 126);
    for (size_t i = 126; i + 2 < sizeof longest; i += 2) {
        memcpy(longest + i, "\xc3\xa9", 3);
    }
    const struct {
        const char *name, *want;
    } cases[] = {{"a\x1b[2Jb\n", "a?[2Jb?"},
                 {"caf\xc3\xa9", "caf\xc3\xa9"},
                 {"\xff\xc2\x9b", "???"},
                 {longest, NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tiny_model t = tiny_make(1);
        t.name = cases[i].name;
        vb_buf b = tiny_write(&t);
        vb_gguf *g = open_good(&b);
        vb_model_config c;
        assert_int_equal(vb_model_config_read(g, &c, &e), VB_OK);
        if (cases[i].want) {
            assert_string_equal(c.name, cases[i].want);
        } else {
            assert_int_equal(strlen(c.name), 127);
            assert_int_equal(c.name[126], '?');
        }
        vb_gguf_close(g);
        vb_buf_free(&b);
    }
}

static void a_context_beyond_memory_is_refused_before_it_is_taken(void **state) {
    (void)state;
    tiny_model t = tiny_make(2);
    t.n_ctx = VB_MODEL_CTX_TOKENS_MAX;
    vb_model *m = NULL;
    vb_workspace *w = NULL;
    assert_int_equal(load(&t, &m), VB_OK);
    const long long before = mapped_bytes;
    /* 16 queries of 4 Mi scores for each of 1024 threads: 256 TiB of addresses. */
    assert_int_equal(vb_workspace_open(m, 512, VB_MODEL_CTX_TOKENS_MAX, 1024, &w, &e), VB_ENOMEM);
    assert_non_null(strstr(e.msg, "--threads"));
    assert_null(w);
    assert_true(mapped_bytes == before);
    vb_session *s = NULL;
    assert_int_equal(vb_session_open(m, VB_MODEL_CTX_TOKENS_MAX + 1, &s, &e), VB_EINVAL);
    assert_int_equal(vb_session_open(m, SIZE_MAX, &s, &e), VB_EINVAL);
    assert_int_equal(vb_session_open(m, 0, &s, &e), VB_EINVAL);
    assert_null(s);
    vb_model_close(m);
}

/* The file loses its end between opening and loading: an error, no SIGBUS. */
static void a_file_cut_while_it_loads_is_an_error(void **state) {
    (void)state;
    tiny_model t = tiny_make(2);
    vb_buf b = tiny_write(&t);
    for (size_t cut = 2; cut <= 16; cut *= 2) {
        char path[] = "/tmp/verbatim-load-XXXXXX";
        const int fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, b.data, b.len), (ssize_t)b.len);
        vb_gguf *g = NULL;
        vb_model *m = NULL;
        assert_int_equal(vb_gguf_open(path, &g, &e), VB_OK);
        assert_int_equal(ftruncate(fd, (off_t)(b.len - b.len / cut)), 0);
        assert_int_equal(load_gguf(g, &m), VB_EIO);
        assert_non_null(strstr(e.msg, path));
        assert_null(m);
        vb_gguf_close(g);
        close(fd);
        unlink(path);
    }
    vb_buf_free(&b);
}

static bool stop_at_once(void *user, uint64_t done, uint64_t total) {
    (void)total;
    return done < *(uint64_t *)user;
}

static void loading_can_be_stopped_anywhere(void **state) {
    (void)state;
    tiny_model t = tiny_make(1);
    vb_buf b = tiny_write(&t);
    vb_gguf *g = open_good(&b);
    vb_model_options options = {.n_threads = 1, .progress = stop_at_once};
    assert_int_equal(vb_kernels_select("scalar", &options.kernels, &e), VB_OK);
    vb_err err = VB_ECANCELLED;
    for (uint64_t at = 1; err == VB_ECANCELLED; at += 997) {
        vb_model *m = NULL;
        const long blocks = live_blocks;
        const long long bytes = mapped_bytes;
        options.progress_user = &at;
        err = vb_model_load(g, &options, &m, &e);
        vb_model_close(m);
        assert_balance(blocks, bytes);
    }
    assert_int_equal(err, VB_OK);
    vb_gguf_close(g);
    vb_buf_free(&b);
}

/* Loads and runs with the nth allocation refused; true when one was. */
static bool survives(const vb_gguf *g, long nth) {
    const long blocks = live_blocks;
    const long long bytes = mapped_bytes;
    vb_model *m = NULL;
    e = (vb_error){0};
    until_failure = nth;
    vb_err err = load_gguf(g, &m);
    if (!err) {
        err = run(m);
    }
    const bool fired = until_failure < 0;
    until_failure = -1;
    vb_model_close(m);
    assert_int_equal(err, fired ? VB_ENOMEM : VB_OK);
    assert_true(!fired || e.msg[0]);
    assert_balance(blocks, bytes);
    return fired;
}

static void a_failed_allocation_leaves_nothing_behind(void **state) {
    (void)state;
    tiny_model t = tiny_make(2);
    vb_buf b = tiny_write(&t);
    vb_gguf *g = open_good(&b);
    long nth = 0;
    while (survives(g, nth)) {
        nth++;
    }
    assert_true(nth > 40);
    vb_gguf_close(g);
    vb_buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tiny_model_runs),
        cmocka_unit_test(a_missing_tensor_is_named),
        cmocka_unit_test(a_tensor_too_many_is_refused),
        cmocka_unit_test(shapes_must_agree_with_the_metadata),
        cmocka_unit_test(numbers_must_be_in_range),
        cmocka_unit_test(what_is_not_finite_is_named),
        cmocka_unit_test(a_hostile_name_is_made_printable),
        cmocka_unit_test(a_context_beyond_memory_is_refused_before_it_is_taken),
        cmocka_unit_test(a_file_cut_while_it_loads_is_an_error),
        cmocka_unit_test(loading_can_be_stopped_anywhere),
        cmocka_unit_test(a_failed_allocation_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
