/* Commitments whose abort record could not be kept at first. */
#include "server/unsettled.h"
#include "unit/store/store_test.h"

static vb_error e;

/* One that is not open any more keeps none after it from their turn. */
static void settled_meanwhile(void **state) {
    (void)state;
    enum { N = 3 };
    vb_store *s = open_store(NULL, NULL);
    vb_unsettled *u = NULL;
    vb_receipt r[N];
    size_t settled[VB_ABORT_LOST + 1] = {0};
    MUST(vb_unsettled_open(N, &u, &e), &e);
    for (size_t i = 0; i < N; i++) {
        fill_request(&r[i], "");
        MUST(vb_store_commit(s, &r[i], &e), &e);
    }
    MUST(vb_store_abort(s, &r[0], VB_ABORT_CANCELLED, &e), &e);
    for (size_t i = 0; i < N; i++) {
        assert_true(vb_unsettled_put(u, &r[i], VB_ABORT_FAILED));
    }
    vb_receipt more;
    vb_receipt_init(&more);
    assert_false(vb_unsettled_put(u, &more, VB_ABORT_FAILED));
    assert_int_equal(vb_unsettled_retry(u, s, settled), N - 1);
    assert_int_equal(settled[VB_ABORT_FAILED], N - 1);
    assert_int_equal(vb_unsettled_retry(u, s, settled), 0);
    assert_true(vb_unsettled_put(u, &more, VB_ABORT_FAILED));
    vb_unsettled_close(u);
    assert_int_equal(tally_all(s).by_state[VB_STORE_ABORT], N);
    vb_store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(settled_meanwhile, clear_dir),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
