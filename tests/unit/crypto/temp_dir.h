/* A folder for one test program, and its removal with the files in it. */
#ifndef VB_TESTS_UNIT_CRYPTO_TEMP_DIR_H
#define VB_TESTS_UNIT_CRYPTO_TEMP_DIR_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/testing.h"

static inline void temp_dir_make(char dir[64]) {
    snprintf(dir, 64, "/tmp/verbatim-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
}

static inline const char *temp_path(const char *dir, const char *name) {
    static char path[4][512];
    static int next;
    next = (next + 1) % 4;
    int n = snprintf(path[next], sizeof path[next], "%s/%s", dir, name);
    assert_true(n > 0 && (size_t)n < sizeof path[next]);
    return path[next];
}

static inline void temp_write(const char *path, const void *bytes, size_t n, unsigned mode) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static inline size_t temp_dir_count(const char *dir) {
    DIR *d = opendir(dir);
    size_t n = 0;
    assert_non_null(d);
    for (struct dirent *entry; (entry = readdir(d));) {
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(d);
    return n;
}

static inline void temp_dir_remove(const char *dir) {
    DIR *d = opendir(dir);
    for (struct dirent *entry; d && (entry = readdir(d));) {
        const char *path = temp_path(dir, entry->d_name);
        struct stat st;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            lstat(path, &st) == 0) {
            if (S_ISDIR(st.st_mode)) {
                char *sub = strdup(path);
                assert_non_null(sub);
                temp_dir_remove(sub);
                free(sub);
            } else {
                unlink(path);
            }
        }
    }
    if (d) {
        closedir(d);
    }
    rmdir(dir);
}

#endif
