/* Each allocation fails in turn: an error, nothing lost, outputs untouched; and a draw allocates
 * nothing. */
#include <stdlib.h>

#include "kernels.h"
#include "sample/sample.h"
#include "sample/stop.h"
#include "support/testing.h"

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

static size_t n_calls, fail_at; /* fail_at 0: none */

void *__wrap_calloc(size_t n, size_t size) {
    n_calls++;
    return n_calls == fail_at ? NULL : __real_calloc(n, size);
}

static void sampler_open(void **state) {
    (void)state;
    vb_sampler *s = NULL;
    vb_error e;
    size_t failures = 0;
    for (;;) {
        n_calls = 0;
        fail_at = failures + 1;
        vb_err err = vb_sampler_open(&plain_kernels, 100, &s, &e);
        if (err == VB_OK) {
            break;
        }
        assert_int_equal(err, VB_ENOMEM);
        assert_string_equal(e.msg, "sampler: no memory for a vocabulary of 100 tokens");
        assert_null(s);
        failures++;
    }
    assert_true(failures >= 8);
    fail_at = 0;
    vb_sampler_close(s);
}

static void stop_open(void **state) {
    (void)state;
    vb_stop_string string = {"x", 1};
    vb_stop *s = NULL;
    vb_error e;
    n_calls = 0;
    fail_at = 1;
    assert_int_equal(vb_stop_open(&string, 1, &s, &e), VB_ENOMEM);
    assert_null(s);
    fail_at = 0;
}

static void draw_allocates_nothing(void **state) {
    (void)state;
    vb_sampler *s = NULL;
    fail_at = 0;
    assert_int_equal(vb_sampler_open(&plain_kernels, 100, &s, NULL), VB_OK);
    static vb_sampling p;
    vb_sampling_default(&p);
    p.temperature = 1.0f;
    p.top_k = 90;
    p.top_p = 1u << 31;
    p.min_p = 1000;
    p.repetition_penalty = 1.1f;
    float logits[100] = {0};
    n_calls = 0;
    fail_at = 1;
    assert_int_equal(vb_sampler_begin(s, &p, (const uint32_t[]){1, 2}, 2, NULL), VB_OK);
    for (uint64_t t = 0; t < 10; t++) {
        vb_choice c;
        assert_int_equal(vb_sampler_draw(s, logits, t << 60, &c, NULL), VB_OK);
        vb_sampler_accept(s, c.token);
    }
    assert_int_equal(n_calls, 0);
    fail_at = 0;
    vb_sampler_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sampler_open),
        cmocka_unit_test(stop_open),
        cmocka_unit_test(draw_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
