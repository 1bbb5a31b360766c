/* Counters and their text: every line is one of Prometheus, each name is declared once, buckets add
 * up. */
#include <stdio.h>
#include <string.h>

#include "server/metrics.h"
#include "support/testing.h"

static const vb_httpd_route routes[] = {
    {"GET", "/a", "a", true, 0, NULL},
    {"POST", "/b", "b", true, 0, NULL},
    {"POST", "/b/*", "b", true, 0, NULL},
};

static char *write_all(const vb_metrics *m, vb_buf *out) {
    out->len = 0;
    assert_int_equal(vb_metrics_write(m, out), VB_OK);
    return (char *)out->data;
}

static void test_text(void **state) {
    (void)state;
    static vb_metrics m;
    vb_metrics_begin(&m, routes, 3);
    assert_int_equal(m.n_routes, 3); /* a, b, none */
    const vb_exchange_summary done[] = {
        {.route = "a", .status = 200, .duration_ns = 1000000},
        {.route = "a", .status = 200, .duration_ns = 20000000},
        {.route = "b", .status = 418, .duration_ns = 700000000000},
        {.route = "none", .status = 404, .duration_ns = 1},
        {.route = "b", .status = 0, .duration_ns = 1, .gone = true},
    };
    for (size_t i = 0; i < sizeof done / sizeof done[0]; i++) {
        vb_metrics_exchange(&m, &done[i]);
    }
    vb_metrics_add(&m.aborts[VB_ABORT_BEACON], 3);
    vb_metrics_add(&m.refused[VB_REFUSED_RATE], 2);
    vb_metrics_observe(&m.beacon_seconds, 2500000000u);
    vb_buf out = vb_buf_make(1 << 20);
    const char *text = write_all(&m, &out);
    static const char *const expected[] = {
        "verbatim_http_requests_total{route=\"a\",status=\"200\"} 2\n",
        "verbatim_http_requests_total{route=\"b\",status=\"999\"} 1\n",
        "verbatim_http_requests_total{route=\"b\",status=\"0\"} 1\n",
        "verbatim_http_requests_total{route=\"none\",status=\"404\"} 1\n",
        "verbatim_http_request_seconds_bucket{route=\"a\",le=\"0.005\"} 1\n",
        "verbatim_http_request_seconds_bucket{route=\"a\",le=\"0.025\"} 2\n",
        "verbatim_http_request_seconds_bucket{route=\"a\",le=\"+Inf\"} 2\n",
        "verbatim_http_request_seconds_sum{route=\"a\"} 0.021000\n",
        "verbatim_http_request_seconds_count{route=\"a\"} 2\n",
        "verbatim_http_request_seconds_bucket{route=\"b\",le=\"300\"} 1\n",
        "verbatim_http_request_seconds_count{route=\"b\"} 2\n",
        "verbatim_aborts_total{reason=\"beacon\"} 3\n",
        "verbatim_aborts_total{reason=\"lost\"} 0\n",
        "verbatim_refused_total{reason=\"rate\"} 2\n",
        "verbatim_beacon_wait_seconds_bucket{le=\"1\"} 0\n",
        "verbatim_beacon_wait_seconds_bucket{le=\"2.5\"} 1\n",
        "verbatim_beacon_wait_seconds_sum 2.500000\n",
        "verbatim_beacon_wait_seconds_count 1\n",
        "verbatim_clients_gone_total 1\n",
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        if (!strstr(text, expected[i])) {
            fail_msg("no line %s", expected[i]);
        }
    }
    vb_buf_free(&out);
}

/* "name", "name{labels}" or "# ..."; then one space, a number and a line feed. */
static void test_form(void **state) {
    (void)state;
    static vb_metrics m;
    vb_metrics_begin(&m, routes, 3);
    vb_buf out = vb_buf_make(1 << 20);
    char *text = write_all(&m, &out);
    assert_int_equal(vb_metrics_write_value(&out, "verbatim_x", "gauge", "X.", 0.5), VB_OK);
    text = (char *)out.data;
    assert_non_null(strstr(text, "# TYPE verbatim_x gauge\nverbatim_x 0.5\n"));
    char name[128] = "";
    for (const char *p = text; *p; p = strchr(p, '\n') + 1) {
        if (*p == '#') {
            char declared[128];
            if (sscanf(p, "# TYPE %127s", declared) == 1) {
                snprintf(name, sizeof name, "%s", declared);
                char line[160];
                snprintf(line, sizeof line, "# TYPE %s ", name);
                assert_ptr_equal(strstr(text, line), p); /* declared once */
            }
            continue;
        }
        double value;
        assert_int_equal(strncmp(p, name, strlen(name)), 0);
        const char *space = strchr(p, ' ');
        assert_true(space && space < strchr(p, '\n'));
        assert_int_equal(sscanf(space, " %lf\n", &value), 1);
    }
    vb_buf_free(&out);
    vb_buf small = vb_buf_make(100);
    assert_int_equal(vb_metrics_write(&m, &small), VB_ELIMIT);
    vb_buf_free(&small);
}

/* A model's name is any text of its file. */
static void test_models(void **state) {
    (void)state;
    static const char *const names[] = {"a", "b \"c\" \\ d\ne"};
    static const double values[] = {1, 0.25};
    vb_buf out = vb_buf_make(1 << 20);
    assert_int_equal(vb_metrics_write_models(&out, "verbatim_x", "counter", "X.", names, values, 2),
                     VB_OK);
    assert_string_equal((const char *)out.data,
                        "# HELP verbatim_x X.\n# TYPE verbatim_x counter\n"
                        "verbatim_x{model=\"a\"} 1\n"
                        "verbatim_x{model=\"b \\\"c\\\" \\\\ d\\ne\"} 0.25\n");
    vb_buf_free(&out);
    for (size_t max = 1; max < 100; max++) {
        vb_buf small = vb_buf_make(max);
        assert_int_equal(
            vb_metrics_write_models(&small, "verbatim_x", "counter", "X.", names, values, 2),
            VB_ELIMIT);
        vb_buf_free(&small);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
