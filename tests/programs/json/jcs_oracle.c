/*
 * Answers, line by line on standard input, what a script compares with ECMAScript:
 *
 *   number BITS     the f64 of 16 hexadecimal digits as canonical JSON
 *   canonical JSON  the document in canonical form, or "refused"
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "json/jcs.h"
#include "json/json.h"

enum { BYTES_MAX = 1 << 22 };

static void must(bool ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "jcs_oracle: %s\n", what);
        exit(2);
    }
}

static void answer_number(const char *bits) {
    char text[VB_JCS_NUMBER_BYTES], *end;
    uint64_t v = strtoull(bits, &end, 16);
    double x;
    must(end == bits + 16 && *end == 0, "expected 16 hexadecimal digits");
    memcpy(&x, &v, sizeof x);
    vb_jcs_number(x, text);
    puts(text);
}

static void answer_canonical(const char *text) {
    json_t *doc = NULL;
    vb_buf b = vb_buf_make(BYTES_MAX);
    if (vb_json_parse_foreign(text, strlen(text), BYTES_MAX, &doc, NULL) ||
        vb_jcs_append(doc, &b, NULL)) {
        puts("refused");
    } else {
        puts((const char *)b.data);
    }
    json_decref(doc);
    vb_buf_free(&b);
}

int main(void) {
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    while ((n = getline(&line, &cap, stdin)) > 0) {
        must(line[n - 1] == '\n', "a line without an end");
        line[n - 1] = 0;
        if (strncmp(line, "number ", 7) == 0) {
            answer_number(line + 7);
        } else {
            must(strncmp(line, "canonical ", 10) == 0, "an unknown question");
            answer_canonical(line + 10);
        }
    }
    free(line);
    return 0;
}
