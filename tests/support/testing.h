/*
 * What the unit tests share: where data is, files in memory, a fixed random sequence.
 * Shared data (real models, vocabularies) may be absent: a test that needs it calls
 * vb_test_data, which skips the test and says which file was missing.
 */
#ifndef VB_TESTS_SUPPORT_TESTING_H
#define VB_TESTS_SUPPORT_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Absolute path of a file under the shared data folder; skips the running test when absent.
 * Valid until the 8th next call. */
const char *vb_test_data(const char *relative);

/* Absolute path of a file in this source tree. Valid until the 8th next call. */
const char *vb_test_source(const char *relative);

/* The whole file, malloc'd, followed by a zero byte; fails the test when it cannot be read. */
uint8_t *vb_test_read(const char *path, size_t *n_bytes);

/* splitmix64: the same sequence everywhere. */
uint64_t vb_test_random(uint64_t *state);

#endif
