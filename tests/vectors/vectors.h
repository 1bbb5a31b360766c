/*
 * Reading spec/vectors in tests: one JSON file a kind, cases of named inputs and outputs, values
 * as the hexadecimal digits of their bits (spec/vectors/README.md). Anything malformed fails the
 * running test.
 *
 * What these functions return lives until vectors_close(). One test at a time.
 */
#ifndef VB_TESTS_VECTORS_VECTORS_H
#define VB_TESTS_VECTORS_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

typedef struct vectors_case {
    const char *name;
    json_t *in;
    json_t *out;
} vectors_case;

/* Opens spec/vectors/<kind>.json and returns the number of its cases, which is not 0. */
size_t vectors_open(const char *kind);
vectors_case vectors_at(size_t i);
void vectors_close(void);

/* Zeroed memory, 64-byte aligned, with no room after the last byte. */
void *vectors_alloc(size_t n_bytes);

/* Fields by name. n_values receives the count. */
float *vectors_f32(json_t *o, const char *field, size_t *n_values);
double *vectors_f64(json_t *o, const char *field, size_t *n_values);
uint16_t *vectors_f16(json_t *o, const char *field, size_t *n_values);
uint8_t *vectors_bytes(json_t *o, const char *field, size_t *n_bytes);
int64_t *vectors_ints(json_t *o, const char *field, size_t *n_values);
size_t vectors_size(json_t *o, const char *field);
const char *vectors_text(json_t *o, const char *field);
bool vectors_bool(json_t *o, const char *field);
bool vectors_is_null(json_t *o, const char *field);

/* Fails, naming case, tier, field and the first element that differs, unless every bit of
 * actual[n] is that of the field. */
void vectors_expect_f32(const vectors_case *c, const char *tier, const char *field,
                        const float *actual, size_t n);
void vectors_expect_f64(const vectors_case *c, const char *tier, const char *field,
                        const double *actual, size_t n);
void vectors_expect_f16(const vectors_case *c, const char *tier, const char *field,
                        const uint16_t *actual, size_t n);
void vectors_expect_i8(const vectors_case *c, const char *tier, const char *field,
                       const int8_t *actual, size_t n);
void vectors_expect_i32(const vectors_case *c, const char *tier, const char *field,
                        const int32_t *actual, size_t n);
void vectors_expect_text(const vectors_case *c, const char *tier, const char *field,
                         const char *actual);

#endif
