/* Errors that quote hostile bytes, bounded buffers, hexadecimal, and what memory is available. */
#include "support/testing.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/system.h"

#ifdef __has_feature
#define VB_HAS_FEATURE(x) __has_feature(x)
#else
#define VB_HAS_FEATURE(x) 0
#endif

static void a_message_can_not_steer_a_terminal(void **state) {
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"plain", "plain"},
        {"a\x1b[2Jb\n", "a?[2Jb?"},
        {"\x7f", "?"},
        {"caf\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x99\x82", "caf\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x99\x82"},
        {"\xc2\x9b"
         "31m",
         "??31m"},     /* CSI as one character */
        {"\x9b", "?"}, /* and as one byte */
        {"\xc2", "?"}, /* cut */
        {"\xe2\x82", "??"},
        {"\xe0\x82\x9b", "???"}, /* overlong */
        {"\xff\xc0\x80", "???"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vb_error e = {0};
        assert_int_equal(vb_fail(&e, VB_EIO, "%s", cases[i].from), VB_EIO);
        assert_string_equal(e.msg, cases[i].to);
        assert_int_equal(vb_fail_in(&e, VB_EIO, "%s", cases[i].from), VB_EIO);
        assert_memory_equal(e.msg, cases[i].to, strlen(cases[i].to));
    }
}

static void a_long_message_is_cut_between_characters(void **state) {
    char text[2 * VB_ERROR_MSG_MAX + 1];
    (void)state;
    for (size_t i = 0; i + 1 < sizeof text; i += 2) {
        text[i] = (char)0xc3;
        text[i + 1] = (char)0xa9;
    }
    text[sizeof text - 1] = 0;
    vb_error e;
    assert_int_equal(vb_fail(&e, VB_EIO, "%s", text), VB_EIO);
    assert_int_equal(strlen(e.msg), VB_ERROR_MSG_MAX - 1);
    assert_int_equal(e.msg[VB_ERROR_MSG_MAX - 2], '?');
}

static void a_buffer_keeps_its_maximum(void **state) {
    vb_buf b = vb_buf_make(100);
    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(vb_buf_append(&b, "0123456789", 10), VB_OK);
    }
    assert_int_equal(vb_buf_append(&b, "x", 1), VB_ELIMIT);
    assert_int_equal(vb_buf_printf(&b, "%d", 1), VB_ELIMIT);
    assert_int_equal(vb_buf_append(&b, "x", SIZE_MAX), VB_ELIMIT);
    assert_int_equal(b.len, 100);
    assert_int_equal(b.data[100], 0);
    vb_buf_free(&b);
}

static void hexadecimal_is_strict(void **state) {
    uint8_t out[2] = {7, 7};
    (void)state;
    assert_true(vb_hex_decode("0af9", out, 2));
    assert_int_equal(out[0], 0x0a);
    assert_int_equal(out[1], 0xf9);
    assert_false(vb_hex_decode("0AF9", out, 2));
    assert_false(vb_hex_decode("0af", out, 2));
    assert_false(vb_hex_decode("0af99", out, 2));
    assert_false(vb_hex_decode("0x12", out, 2));
    assert_int_equal(out[1], 0xf9);
}

static void large_memory_is_zeroed_and_aligned(void **state) {
    static const size_t sizes[] = {1, 4096, 4097, 2u << 20, (2u << 20) + 1, 5u << 20};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *p = vb_alloc_aligned(sizes[i]);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % (sizes[i] >= (2u << 20) ? 2u << 20 : 64), 0);
        for (size_t k = 0; k < sizes[i]; k++) {
            if (p[k]) {
                fail();
            }
            p[k] = 0xff;
        }
        vb_free_aligned(p, sizes[i]);
    }
    assert_null(vb_alloc_aligned(SIZE_MAX));
    assert_null(vb_alloc_aligned(SIZE_MAX / 2));
}

/* In a child, since a limit can not be raised again. What is in use already is not available. */
static void a_limit_on_addresses_counts_what_is_used(void **state) {
    (void)state;
    const size_t held = 256u << 20, limit = 1u << 30;
#if defined(__SANITIZE_ADDRESS__) || VB_HAS_FEATURE(address_sanitizer)
    print_message("SKIPPED, AddressSanitizer's shadow alone is larger than any limit\n");
    skip();
#endif
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit r = {limit, limit};
        void *p = vb_alloc_aligned(held);
        vb_error e;
        const int bad = !p || setrlimit(RLIMIT_AS, &r) != 0 ||
                        vb_memory_available_bytes() > limit - held ||
                        vb_memory_check(limit, "a test", &e) != VB_ENOMEM ||
                        vb_memory_check(1, "a test", &e) != VB_OK;
        _exit(bad);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_quota_counts_as_processors(void **state) {
    (void)state;
    assert_int_equal(vb_cpu_quota("200000 100000\n"), 2);
    assert_int_equal(vb_cpu_quota("150000 100000\n"), 2);
    assert_int_equal(vb_cpu_quota("1000 100000\n"), 1);
    assert_int_equal(vb_cpu_quota("0 100000\n"), 1);
    assert_int_equal(vb_cpu_quota("6400000 100000\n"), 64);
    assert_true(vb_cpu_quota("max 100000\n") == UINT64_MAX);
    assert_true(vb_cpu_quota("100000 0\n") == UINT64_MAX);
    assert_true(vb_cpu_quota("100000\n") == UINT64_MAX);
    assert_true(vb_cpu_quota("") == UINT64_MAX);
}

/* Bound to one processor, a process counts one. */
static void processors_are_those_allowed(void **state) {
    (void)state;
    cpu_set_t all, one;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    const int n = vb_cpu_count();
    assert_true(n >= 1 && n <= CPU_COUNT(&all));
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++) {
        if (CPU_ISSET(i, &all)) {
            CPU_SET(i, &one);
        }
    }
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(vb_cpu_count(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quota_counts_as_processors),
        cmocka_unit_test(processors_are_those_allowed),
        cmocka_unit_test(a_message_can_not_steer_a_terminal),
        cmocka_unit_test(a_long_message_is_cut_between_characters),
        cmocka_unit_test(a_buffer_keeps_its_maximum),
        cmocka_unit_test(hexadecimal_is_strict),
        cmocka_unit_test(large_memory_is_zeroed_and_aligned),
        cmocka_unit_test(a_limit_on_addresses_counts_what_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
