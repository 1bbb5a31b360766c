#include "vectors/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/testing.h"

enum { ALLOCATIONS_MAX = 65536 };

static json_t *root;
static void *allocations[ALLOCATIONS_MAX];
static size_t n_allocations;

void *vectors_alloc(size_t n_bytes) {
    assert_true(n_allocations < ALLOCATIONS_MAX);
    void *p = NULL;
    assert_int_equal(posix_memalign(&p, 64, n_bytes ? n_bytes : 1), 0);
    memset(p, 0, n_bytes);
    allocations[n_allocations++] = p;
    return p;
}

void vectors_close(void) {
    json_decref(root);
    root = NULL;
    while (n_allocations) {
        free(allocations[--n_allocations]);
    }
}

static json_t *field_of(json_t *o, const char *field) {
    json_t *v = json_object_get(o, field);
    if (!v) {
        fail_msg("a case lacks the field %s", field);
    }
    return v;
}

size_t vectors_open(const char *kind) {
    char relative[256];
    snprintf(relative, sizeof relative, "spec/vectors/%s.json", kind);
    const char *path = vb_test_source(relative);
    vectors_close();
    json_error_t error;
    root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        fail_msg("%s: line %d: %s", path, error.line, error.text);
    }
    assert_string_equal(vectors_text(root, "format"), "verbatim-vectors/1");
    assert_string_equal(vectors_text(root, "arithmetic"), "verbatim-arith/1");
    assert_string_equal(vectors_text(root, "kind"), kind);
    size_t n = json_array_size(field_of(root, "cases"));
    assert_true(n > 0);
    return n;
}

vectors_case vectors_at(size_t i) {
    json_t *c = json_array_get(field_of(root, "cases"), i);
    assert_non_null(c);
    return (vectors_case){vectors_text(c, "name"), field_of(c, "in"), field_of(c, "out")};
}

const char *vectors_text(json_t *o, const char *field) {
    const char *s = json_string_value(field_of(o, field));
    if (!s) {
        fail_msg("the field %s is not a string", field);
    }
    return s;
}

size_t vectors_size(json_t *o, const char *field) {
    json_t *v = field_of(o, field);
    assert_true(json_is_integer(v) && json_integer_value(v) >= 0);
    return (size_t)json_integer_value(v);
}

bool vectors_bool(json_t *o, const char *field) {
    json_t *v = field_of(o, field);
    assert_true(json_is_boolean(v));
    return json_is_true(v);
}

bool vectors_is_null(json_t *o, const char *field) {
    return json_is_null(field_of(o, field));
}

static uint64_t hex_value(const char *s, size_t digits) {
    uint64_t v = 0;
    for (size_t i = 0; i < digits; i++) {
        const char *all = "0123456789abcdef";
        const char *at = s[i] ? strchr(all, s[i]) : NULL;
        if (!at) {
            fail_msg("'%c' is not a hexadecimal digit", s[i]);
        }
        v = v << 4 | (uint64_t)(at - all);
    }
    return v;
}

/* The values of a hexadecimal field, each of `size` bytes in the machine's own byte order. */
static void *hex_field(json_t *o, const char *field, size_t size, size_t *n) {
    const char *s = vectors_text(o, field);
    size_t digits = strlen(s);
    assert_int_equal(digits % (2 * size), 0);
    *n = digits / (2 * size);
    uint8_t *out = vectors_alloc(*n * size);
    for (size_t i = 0; i < *n; i++) {
        uint64_t v = hex_value(s + 2 * size * i, 2 * size);
        uint8_t v8 = (uint8_t)v;
        uint16_t v16 = (uint16_t)v;
        uint32_t v32 = (uint32_t)v;
        const void *from = size == 1   ? (const void *)&v8
                           : size == 2 ? (const void *)&v16
                           : size == 4 ? (const void *)&v32
                                       : (const void *)&v;
        memcpy(out + i * size, from, size);
    }
    return out;
}

float *vectors_f32(json_t *o, const char *field, size_t *n_values) {
    return hex_field(o, field, 4, n_values);
}

double *vectors_f64(json_t *o, const char *field, size_t *n_values) {
    return hex_field(o, field, 8, n_values);
}

uint16_t *vectors_f16(json_t *o, const char *field, size_t *n_values) {
    return hex_field(o, field, 2, n_values);
}

uint8_t *vectors_bytes(json_t *o, const char *field, size_t *n_bytes) {
    return hex_field(o, field, 1, n_bytes);
}

int64_t *vectors_ints(json_t *o, const char *field, size_t *n_values) {
    json_t *a = field_of(o, field);
    assert_true(json_is_array(a));
    *n_values = json_array_size(a);
    int64_t *out = vectors_alloc(*n_values * sizeof *out);
    for (size_t i = 0; i < *n_values; i++) {
        json_t *v = json_array_get(a, i);
        assert_true(json_is_integer(v));
        out[i] = json_integer_value(v);
    }
    return out;
}

/* Compares n values of `size` bytes with a hexadecimal field. */
static void expect(const vectors_case *c, const char *tier, const char *field, const void *actual,
                   size_t n, size_t size) {
    size_t n_expected;
    const uint8_t *e = hex_field(c->out, field, size, &n_expected);
    const uint8_t *a = actual;
    if (n != n_expected) {
        fail_msg("%s, %s: %s has %zu values, %zu expected", c->name, tier, field, n, n_expected);
    }
    for (size_t i = 0; i < n; i++) {
        if (memcmp(e + i * size, a + i * size, size) != 0) {
            const char *digits = vectors_text(c->out, field) + 2 * size * i;
            char found[17] = "";
            uint64_t bits = 0;
            for (size_t b = 0; b < size; b++) { /* most significant byte first */
                uint16_t probe = 1;
                bool little = *(const uint8_t *)&probe == 1;
                bits = bits << 8 | a[i * size + (little ? size - 1 - b : b)];
            }
            snprintf(found, sizeof found, "%0*llx", (int)(2 * size), (unsigned long long)bits);
            fail_msg("%s, %s: %s[%zu] is %s, %.*s expected", c->name, tier, field, i, found,
                     (int)(2 * size), digits);
        }
    }
}

void vectors_expect_f32(const vectors_case *c, const char *tier, const char *field,
                        const float *actual, size_t n) {
    expect(c, tier, field, actual, n, 4);
}

void vectors_expect_f64(const vectors_case *c, const char *tier, const char *field,
                        const double *actual, size_t n) {
    expect(c, tier, field, actual, n, 8);
}

void vectors_expect_f16(const vectors_case *c, const char *tier, const char *field,
                        const uint16_t *actual, size_t n) {
    expect(c, tier, field, actual, n, 2);
}

void vectors_expect_i8(const vectors_case *c, const char *tier, const char *field,
                       const int8_t *actual, size_t n) {
    expect(c, tier, field, actual, n, 1);
}

void vectors_expect_i32(const vectors_case *c, const char *tier, const char *field,
                        const int32_t *actual, size_t n) {
    size_t n_expected;
    const int64_t *e = vectors_ints(c->out, field, &n_expected);
    if (n != n_expected) {
        fail_msg("%s, %s: %s has %zu values, %zu expected", c->name, tier, field, n, n_expected);
    }
    for (size_t i = 0; i < n; i++) {
        if (e[i] != actual[i]) {
            fail_msg("%s, %s: %s[%zu] is %d, %lld expected", c->name, tier, field, i,
                     (int)actual[i], (long long)e[i]);
        }
    }
}

void vectors_expect_text(const vectors_case *c, const char *tier, const char *field,
                         const char *actual) {
    const char *e = vectors_text(c->out, field);
    if (strcmp(e, actual) != 0) {
        fail_msg("%s, %s: %s is %s, %s expected", c->name, tier, field, actual, e);
    }
}
