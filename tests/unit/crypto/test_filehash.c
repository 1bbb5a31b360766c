/* Digests of files and the cache: believed only for the very same file, and never from others. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "crypto/filehash.h"
#include "unit/crypto/temp_dir.h"

static char dir[64], cache[128];

/* A file that was written long enough ago to be cached; only the system can set ctime, so the
 * tests wait for it once, in setup. */
static const char *settled_file(void) {
    return temp_path(dir, "settled.gguf");
}

static void assert_hash(const uint8_t d[32], const void *bytes, size_t n) {
    uint8_t expected[32];
    vb_sha256_of(bytes, n, expected);
    assert_memory_equal(d, expected, 32);
}

static void a_file_has_its_digest(void **state) {
    vb_filehash_options o = {0};
    uint8_t d[32];
    size_t n = (3 << 20) + 17; /* several chunks and a tail */
    char *big = malloc(n);
    (void)state;
    assert_non_null(big);
    memset(big, 'x', n);
    const char *path = temp_path(dir, "big.gguf");
    temp_write(path, big, n, 0644);
    assert_int_equal(vb_filehash(path, &o, d, NULL, NULL), VB_OK);
    assert_hash(d, big, n);
    temp_write(path, "", 0, 0644);
    assert_int_equal(vb_filehash(path, &o, d, NULL, NULL), VB_OK);
    assert_hash(d, "", 0);
    free(big);
    unlink(path);
}

static void the_cache_is_used_and_can_be_ignored(void **state) {
    vb_filehash_options o = {.cache_dir = cache};
    uint8_t d[32];
    bool cached = true;
    struct stat st;
    (void)state;
    assert_int_equal(vb_filehash(settled_file(), &o, d, &cached, NULL), VB_OK);
    assert_false(cached);
    assert_hash(d, "model", 5);
    assert_int_equal(stat(cache, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(temp_dir_count(cache), 1);
    memset(d, 0, sizeof d);
    assert_int_equal(vb_filehash(settled_file(), &o, d, &cached, NULL), VB_OK);
    assert_true(cached);
    assert_hash(d, "model", 5);
    o.rehash = true;
    assert_int_equal(vb_filehash(settled_file(), &o, d, &cached, NULL), VB_OK);
    assert_false(cached);
}

static void entry_of(char path[256]) {
    struct stat st;
    assert_int_equal(stat(settled_file(), &st), 0);
    snprintf(path, 256, "%s/sha256-%" PRIx64 "-%" PRIx64, cache, (uint64_t)st.st_dev,
             (uint64_t)st.st_ino);
}

/* A wrong digest in the cache, so that its use can be seen. */
static void poison(const char *entry, unsigned mode) {
    size_t n;
    uint8_t *text = vb_test_read(entry, &n);
    memset(text + n - 65, '0', 64);
    temp_write(entry, text, n, mode);
    free(text);
}

static void a_cache_of_others_is_not_believed(void **state) {
    vb_filehash_options o = {.cache_dir = cache};
    uint8_t d[32];
    bool cached;
    char entry[256];
    (void)state;
    assert_int_equal(vb_filehash(settled_file(), &o, d, NULL, NULL), VB_OK);
    entry_of(entry);
    poison(entry, 0600); /* by this user: it is believed, so the next lines mean something */
    assert_int_equal(vb_filehash(settled_file(), &o, d, &cached, NULL), VB_OK);
    assert_true(cached);
    assert_int_equal(d[0], 0);
    poison(entry, 0622);
    assert_int_equal(vb_filehash(settled_file(), &o, d, &cached, NULL), VB_OK);
    assert_false(cached);
    assert_hash(d, "model", 5);
}

static void a_changed_file_is_hashed_again(void **state) {
    vb_filehash_options o = {.cache_dir = cache};
    uint8_t d[32];
    bool cached;
    struct stat st;
    (void)state;
    assert_int_equal(vb_filehash(settled_file(), &o, d, NULL, NULL), VB_OK);
    assert_int_equal(vb_filehash(settled_file(), &o, d, &cached, NULL), VB_OK);
    assert_true(cached);
    /* Same size, and its mtime set back to the nanosecond: ctime still tells. */
    assert_int_equal(stat(settled_file(), &st), 0);
    int fd = open(settled_file(), O_WRONLY);
    assert_int_equal(write(fd, "Model", 5), 5);
    struct timespec times[2] = {st.st_atim, st.st_mtim};
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
    assert_int_equal(vb_filehash(settled_file(), &o, d, &cached, NULL), VB_OK);
    assert_false(cached);
    assert_hash(d, "Model", 5);
    /* And it is not cached while it is so fresh. */
    assert_int_equal(vb_filehash(settled_file(), &o, d, &cached, NULL), VB_OK);
    assert_false(cached);
}

static void damaged_entries_are_ignored(void **state) {
    static const char *const texts[] = {"", "verbatim.filehash.v1\n", "x"};
    vb_filehash_options o = {.cache_dir = cache};
    uint8_t d[32];
    bool cached;
    char entry[256], big[2048];
    (void)state;
    assert_int_equal(vb_filehash(settled_file(), &o, d, NULL, NULL), VB_OK);
    entry_of(entry);
    memset(big, 'a', sizeof big);
    for (size_t i = 0; i < 4; i++) {
        temp_write(entry, i < 3 ? texts[i] : big, i < 3 ? strlen(texts[i]) : sizeof big, 0600);
        assert_int_equal(vb_filehash(settled_file(), &o, d, &cached, NULL), VB_OK);
        assert_false(cached);
    }
    o.cache_dir = "/proc/no/such/folder";
    assert_int_equal(vb_filehash(settled_file(), &o, d, &cached, NULL), VB_OK);
    assert_false(cached);
}

static bool stop_at(void *user, uint64_t done, uint64_t total) {
    uint64_t *calls = user;
    assert_true(done <= total);
    return ++*calls < 2;
}

static void it_can_be_stopped_and_refuses_odd_files(void **state) {
    uint64_t calls = 0;
    vb_filehash_options o = {.progress = stop_at, .progress_user = &calls};
    uint8_t d[32], zero[32] = {0};
    vb_error e;
    size_t n = 3 << 20;
    char *big = calloc(1, n);
    const char *path = temp_path(dir, "stop.gguf");
    (void)state;
    assert_non_null(big);
    memset(d, 0, sizeof d);
    temp_write(path, big, n, 0644);
    assert_int_equal(vb_filehash(path, &o, d, NULL, &e), VB_ECANCELLED);
    assert_int_equal(calls, 2);
    assert_memory_equal(d, zero, 32);
    free(big);
    unlink(path);
    assert_int_equal(vb_filehash(dir, &o, d, NULL, &e), VB_EINVAL);
    assert_int_equal(vb_filehash(temp_path(dir, "none"), &o, d, NULL, &e), VB_EIO);
    assert_non_null(strstr(e.msg, "none"));
    path = temp_path(dir, "fifo"); /* must not hang */
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(vb_filehash(path, &o, d, NULL, &e), VB_EINVAL);
    unlink(path);
}

/* What was loaded and what is hashed must be one file: not another in its place, nor the same one
 * written since. */
static void the_digest_is_of_the_file_that_was_opened(void **state) {
    vb_file_id ids[2];
    vb_filehash_options o = {.expected = ids};
    uint8_t d[32];
    vb_error e;
    (void)state;
    const char *path = temp_path(dir, "loaded.gguf"), *other = temp_path(dir, "other.gguf");
    const char *const paths[] = {other, path};
    temp_write(path, "model", 5, 0644);
    temp_write(other, "other", 5, 0644);
    assert_int_equal(vb_file_identify(path, &ids[0], NULL), VB_OK);
    assert_int_equal(vb_filehash(path, &o, d, NULL, &e), VB_OK);
    assert_hash(d, "model", 5);
    assert_int_equal(vb_filehash(other, &o, d, NULL, &e), VB_EMISMATCH);
    ids[1] = ids[0];
    assert_int_equal(vb_file_identify(other, &ids[0], NULL), VB_OK);
    assert_int_equal(vb_filehash_model(paths, 2, &o, d, &e), VB_OK);
    ids[1].ctime_ns--;
    assert_int_equal(vb_filehash_model(paths, 2, &o, d, &e), VB_EMISMATCH);
    assert_non_null(strstr(e.msg, path));
    assert_int_equal(rename(other, path), 0);
    o.expected = &ids[1];
    ids[1].ctime_ns++;
    assert_int_equal(vb_filehash(path, &o, d, NULL, &e), VB_EMISMATCH);
    assert_int_equal(vb_file_identify(dir, ids, &e), VB_EINVAL);
    assert_int_equal(vb_file_identify(temp_path(dir, "none"), ids, &e), VB_EIO);
    unlink(path);
}

static void split_models(void **state) {
    static const char domain[] = "verbatim.split.v1\n";
    vb_filehash_options o = {0};
    uint8_t d[32], expected[32], message[sizeof domain - 1 + 64];
    char a[512], b[512];
    (void)state;
    snprintf(a, sizeof a, "%s/a-00001-of-00002.gguf", dir);
    snprintf(b, sizeof b, "%s/a-00002-of-00002.gguf", dir);
    temp_write(a, "one", 3, 0644);
    temp_write(b, "two", 3, 0644);
    const char *paths[] = {a, b};
    memcpy(message, domain, sizeof domain - 1);
    vb_sha256_of("one", 3, message + sizeof domain - 1);
    vb_sha256_of("two", 3, message + sizeof domain - 1 + 32);
    vb_sha256_of(message, sizeof message, expected);
    assert_int_equal(vb_filehash_model(paths, 2, &o, d, NULL), VB_OK);
    assert_memory_equal(d, expected, 32);
    assert_int_equal(vb_filehash_model(paths, 1, &o, d, NULL), VB_OK);
    assert_hash(d, "one", 3);
    unlink(b);
    assert_int_equal(vb_filehash_model(paths, 2, &o, d, NULL), VB_EIO);
    unlink(a);
}

static int setup(void **state) {
    (void)state;
    temp_dir_make(dir);
    snprintf(cache, sizeof cache, "%s/cache", dir);
    temp_write(settled_file(), "model", 5, 0644);
    sleep(3);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    temp_dir_remove(dir);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cache_is_used_and_can_be_ignored),
        cmocka_unit_test(a_cache_of_others_is_not_believed),
        cmocka_unit_test(damaged_entries_are_ignored),
        cmocka_unit_test(a_changed_file_is_hashed_again),
        cmocka_unit_test(a_file_has_its_digest),
        cmocka_unit_test(it_can_be_stopped_and_refuses_odd_files),
        cmocka_unit_test(the_digest_is_of_the_file_that_was_opened),
        cmocka_unit_test(split_models),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
