/*
 * The system refuses: each allocation in turn, each read, the mapping. What is asked of it stays
 * in proportion to the file. Opening then fails with an
 * error (or, without a mapping, works on) and leaks nothing; the linker's --wrap puts the
 * functions below in place of the C library's (which, with 64-bit offsets, may be called pread64
 * and mmap64).
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gguf_build.h"

static long allocs_left = -1; /* -1: never refuse */
static long reads_left = -1;
static uint64_t bytes_asked; /* since it was last set to 0 */
static bool map_refused;
static size_t read_max; /* 0: any; else the most bytes one read gives */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
ssize_t __real_pread(int fd, void *buf, size_t n, off_t offset);
void *__real_mmap(void *p, size_t n, int prot, int flags, int fd, off_t offset);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);
ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t offset);
void *__wrap_mmap(void *p, size_t n, int prot, int flags, int fd, off_t offset);

static bool refuse(long *left) {
    if (*left < 0) {
        return false;
    }
    if (*left == 0) {
        return true;
    }
    --*left;
    return false;
}

void *__wrap_malloc(size_t n) {
    bytes_asked += n;
    return refuse(&allocs_left) ? NULL : __real_malloc(n);
}
void *__wrap_calloc(size_t n, size_t size) {
    bytes_asked += n * size;
    return refuse(&allocs_left) ? NULL : __real_calloc(n, size);
}
void *__wrap_realloc(void *p, size_t n) {
    bytes_asked += n;
    return refuse(&allocs_left) ? NULL : __real_realloc(p, n);
}
char *__wrap_strdup(const char *s) {
    return refuse(&allocs_left) ? NULL : __real_strdup(s);
}
ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t offset) {
    if (refuse(&reads_left)) {
        errno = EIO;
        return -1;
    }
    static bool interrupted;
    if (read_max && (interrupted = !interrupted)) {
        errno = EINTR;
        return -1;
    }
    return __real_pread(fd, buf, read_max && n > read_max ? read_max : n, offset);
}
void *__wrap_mmap(void *p, size_t n, int prot, int flags, int fd, off_t offset) {
    return map_refused ? MAP_FAILED : __real_mmap(p, n, prot, flags, fd, offset);
}

ssize_t __wrap_pread64(int fd, void *buf, size_t n, off_t offset);
void *__wrap_mmap64(void *p, size_t n, int prot, int flags, int fd, off_t offset);

ssize_t __wrap_pread64(int fd, void *buf, size_t n, off_t offset) {
    return __wrap_pread(fd, buf, n, offset);
}
void *__wrap_mmap64(void *p, size_t n, int prot, int flags, int fd, off_t offset) {
    return __wrap_mmap(p, n, prot, flags, fd, offset);
}

static char paths[2][64];

static int write_model(void **state) {
    (void)state;
    char folder[] = "/tmp/vb_gguf_faults_XXXXXX";
    if (!mkdtemp(folder)) {
        return -1;
    }
    for (int i = 0; i < 2; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/m-0000%d-of-00002.gguf", folder, i + 1);
        vb_buf b = gguf_start(3, 1, 2);
        put_array(&b, "tokens", VB_GGUF_STRING, 2);
        put_str(&b, "a");
        put_str(&b, "bb");
        put_kv_str(&b, "name", "value");
        put_tensor_1d(&b, i ? "u" : "t", 256, VB_F32, 0);
        put_padding(&b, 32);
        put_data(&b, 1024);
        FILE *f = fopen(paths[i], "wb");
        if (!f || fwrite(b.data, 1, b.len, f) != b.len || fclose(f)) {
            return -1;
        }
        vb_buf_free(&b);
    }
    return 0;
}

static int remove_model(void **state) {
    (void)state;
    unlink(paths[0]);
    unlink(paths[1]);
    *strrchr(paths[0], '/') = 0;
    return rmdir(paths[0]);
}

/* Refuses the first, second, ... until opening works; at least `least` refusals must matter. */
static void each_in_turn(long *left, vb_err want, int least) {
    int failures = 0;
    for (int i = 0;; i++) {
        vb_gguf *g = NULL;
        vb_error e = {0};
        *left = i;
        vb_err err = vb_gguf_open(paths[0], &g, &e);
        bool used_up = *left == 0;
        *left = -1;
        if (err) {
            assert_int_equal(err, want);
            assert_int_equal(e.code, want);
            assert_true(e.msg[0]);
            assert_null(g);
            failures++;
        } else {
            walk(g);
            vb_gguf_close(g);
            if (!used_up) {
                break;
            }
        }
        assert_in_range(i, 0, 1000);
    }
    assert_in_range(failures, least, 1000);
}

static void allocations(void **state) {
    (void)state;
    each_in_turn(&allocs_left, VB_ENOMEM, 15);
}

static void reads(void **state) {
    (void)state;
    each_in_turn(&reads_left, VB_EIO, 2);
    vb_gguf *g = NULL;
    vb_error e = {0};
    assert_int_equal(vb_gguf_open(paths[0], &g, &e), VB_OK);
    reads_left = 0;
    uint8_t buf[16];
    assert_int_equal(vb_gguf_read_tensor(g, vb_gguf_tensor_at(g, 1), 0, 16, buf, &e), VB_EIO);
    reads_left = -1;
    assert_non_null(strstr(e.msg, "tensor 'u': "));
    vb_gguf_close(g);
}

/* Reads that give little and are interrupted are finished, not taken for the end. */
static void short_reads(void **state) {
    (void)state;
    read_max = 3;
    vb_gguf *g = NULL;
    vb_error e = {0};
    assert_int_equal(vb_gguf_open(paths[0], &g, &e), VB_OK);
    const vb_gguf_tensor *t = vb_gguf_tensor_at(g, 1);
    uint8_t buf[1024];
    assert_int_equal(vb_gguf_read_tensor(g, t, 0, 1024, buf, &e), VB_OK);
    assert_memory_equal(buf, t->data, 1024);
    vb_gguf_close(g);
    read_max = 0;
}

static void no_mapping(void **state) {
    (void)state;
    map_refused = true;
    vb_gguf *g = NULL;
    vb_error e = {0};
    assert_int_equal(vb_gguf_open(paths[0], &g, &e), VB_OK);
    map_refused = false;
    const vb_gguf_tensor *t = vb_gguf_tensor_at(g, 0);
    assert_null(t->data);
    uint8_t last;
    assert_int_equal(vb_gguf_read_tensor(g, t, 1023, 1, &last, &e), VB_OK);
    assert_int_equal(last, (uint8_t)(1023 * 7 + 1));
    vb_gguf_close(g);
}

/* Whatever a count or length says, what is asked of the system stays within a multiple of the
 * file's own size: a tensor's record is larger than its shortest description, nothing more. */
static void memory_bounded(void **state) {
    (void)state;
    vb_buf b = gguf_sample(3);
    uint64_t most = 16 * b.len + 4096;
    for (size_t i = 8; i < b.len - 240; i++) {
        static const uint8_t values[] = {0x00, 0x01, 0x10, 0x7f, 0x80, 0xff};
        uint8_t old = b.data[i];
        for (size_t k = 0; k < sizeof values; k++) {
            vb_gguf *g = NULL;
            vb_error e;
            b.data[i] = values[k];
            bytes_asked = 0;
            if (vb_gguf_open_bytes(b.data, b.len, "flipped", &g, &e) == VB_OK) {
                vb_gguf_close(g);
            }
            assert_true(bytes_asked > 0 && bytes_asked <= most);
        }
        b.data[i] = old;
    }
    vb_buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations),    cmocka_unit_test(reads),
        cmocka_unit_test(short_reads),    cmocka_unit_test(no_mapping),
        cmocka_unit_test(memory_bounded),
    };
    return cmocka_run_group_tests_name("gguf/faults", tests, write_model, remove_model);
}
