#include "support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATHS = 8, PATH_BYTES = 4096 };

static char *next_path(void) {
    static char paths[PATHS][PATH_BYTES];
    static int next;
    next = (next + 1) % PATHS;
    return paths[next];
}

const char *vb_test_data(const char *relative) {
    char *p = next_path();
    const char *dir = getenv("VB_DATA_DIR");
    if (dir) {
        snprintf(p, PATH_BYTES, "%s/%s", dir, relative);
    } else {
        snprintf(p, PATH_BYTES, "%s/../shared/data/%s", VB_SOURCE_DIR, relative);
    }
    if (access(p, R_OK) != 0) {
        printf("SKIPPED, shared data is absent: %s\n", relative);
        skip();
    }
    return p;
}

const char *vb_test_source(const char *relative) {
    char *p = next_path();
    snprintf(p, PATH_BYTES, "%s/%s", VB_SOURCE_DIR, relative);
    return p;
}

uint8_t *vb_test_read(const char *path, size_t *n_bytes) {
    FILE *f = fopen(path, "rb");
    if (!f) {
        fail_msg("cannot open %s", path);
    }
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    uint8_t *bytes = malloc((size_t)size + 1);
    assert_non_null(bytes);
    size_t n = fread(bytes, 1, (size_t)size, f);
    fclose(f);
    assert_int_equal(n, size);
    bytes[n] = 0;
    *n_bytes = n;
    return bytes;
}

uint64_t vb_test_random(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
