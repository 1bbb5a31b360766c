/*
 * Answers about BLS12-381, one line each, for tests that compare with another implementation.
 * Bytes are lower-case hex, "-" for none.
 *
 *   verify_g1 KEY MESSAGE DST SIGNATURE    ok | mismatch | format
 *   verify_g2 KEY MESSAGE DST SIGNATURE    the same
 *   hash_g1 MESSAGE DST                    the compressed point
 *   hash_g2 MESSAGE DST                    the same
 *   decode_g1 POINT                        the point compressed again | format
 *   decode_g2 POINT                        the same
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/bls12381.h"

#include "../../support/bls12381_encode.h"

enum { FIELDS_MAX = 4, FIELD_BYTES_MAX = 1024 };

typedef struct field {
    uint8_t bytes[FIELD_BYTES_MAX + 1]; /* and a zero: a tag is a string */
    size_t n;
} field;

static void take_field(const char *text, field *out) {
    const size_t n = strcmp(text, "-") == 0 ? 0 : strlen(text) / 2;
    if (n > FIELD_BYTES_MAX ||
        (n && (strlen(text) != 2 * n || !vb_hex_decode(text, out->bytes, n)))) {
        fprintf(stderr, "bls_oracle: '%s' is not hex of at most %d bytes\n", text, FIELD_BYTES_MAX);
        exit(1);
    }
    out->bytes[n] = 0;
    out->n = n;
}

static void require(int ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "bls_oracle: %s\n", what);
        exit(1);
    }
}

static void put_point(vb_bls_group g, const vb_bls_point *p) {
    uint8_t bytes[VB_BLS_G2_BYTES];
    char hex[2 * VB_BLS_G2_BYTES + 1];
    vb_test_encode_point(g, p, bytes);
    vb_hex_encode(bytes, VB_FP_BYTES * (size_t)g, hex);
    puts(hex);
}

static void put_err(vb_err err) {
    require(err == VB_OK || err == VB_EMISMATCH || err == VB_EFORMAT, "another kind of error");
    puts(err == VB_OK ? "ok" : err == VB_EMISMATCH ? "mismatch" : "format");
}

static void verify(vb_bls_group g, const field f[4]) {
    const size_t n_signature = VB_FP_BYTES * (size_t)g;
    require(f[0].n == VB_BLS_G1_BYTES + VB_BLS_G2_BYTES - n_signature && f[3].n == n_signature,
            "a key or signature of another length");
    put_err((g == VB_BLS_G1 ? vb_bls_verify_g1 : vb_bls_verify_g2)(
        f[0].bytes, f[1].bytes, f[1].n, (const char *)f[2].bytes, f[3].bytes, NULL));
}

static void hash(vb_bls_group g, const field f[2]) {
    vb_bls_point p;
    vb_bls_hash_to_curve(g, f[0].bytes, f[0].n, (const char *)f[1].bytes, &p);
    put_point(g, &p);
}

static void decode(vb_bls_group g, const field *f) {
    vb_bls_affine a;
    vb_bls_point p;
    require(f->n == VB_FP_BYTES * (size_t)g, "a point of another length");
    const vb_err err = vb_bls_decode(g, f->bytes, "the point", &a, NULL);
    if (err) {
        put_err(err);
        return;
    }
    vb_bls_point_from_affine(&p, &a);
    put_point(g, &p);
}

static void answer(char *line) {
    static field fields[FIELDS_MAX];
    char *rest = line, *command = strsep(&rest, " "), *text;
    size_t n = 0;
    while ((text = strsep(&rest, " "))) {
        require(n < FIELDS_MAX, "too many fields");
        take_field(text, &fields[n++]);
    }
    const size_t n_command = strlen(command);
    require(n_command > 3, "expected a command");
    const vb_bls_group g = command[n_command - 1] == '1' ? VB_BLS_G1 : VB_BLS_G2;
    if (strncmp(command, "verify_g", n_command - 1) == 0 && n == 4) {
        verify(g, fields);
    } else if (strncmp(command, "hash_g", n_command - 1) == 0 && n == 2) {
        hash(g, fields);
    } else if (strncmp(command, "decode_g", n_command - 1) == 0 && n == 1) {
        decode(g, fields);
    } else {
        require(0, "unknown command, or another number of fields");
    }
}

int main(void) {
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    while ((n = getline(&line, &cap, stdin)) > 0) {
        line[strcspn(line, "\n")] = 0;
        answer(line);
        fflush(stdout);
    }
    free(line);
    return fflush(stdout) == 0 ? 0 : 1;
}
