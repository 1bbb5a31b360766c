/*
 * What the protocol costs apart from the model: one signature or proof of each kind, and the check
 * of a whole receipt at level `receipt`, from the committed vectors. One thread; each figure is the
 * best of several runs.
 *
 *   bench_protocol SOURCE_FOLDER
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "beacon/beacon.h"
#include "verify/check.h"

enum { RUNS = 7 };
static const uint64_t run_ns = 60 * 1000 * 1000;

typedef struct job {
    vb_beacon_round round;
    vb_trust *trust;
    const char *receipt;
    size_t n_receipt;
} job;

static void fail(const char *what) {
    fprintf(stderr, "bench_protocol: %s\n", what);
    exit(1);
}

static void verify_round(const job *j) {
    if (vb_beacon_verify(&j->round, j->trust, NULL, NULL)) {
        fail("a genuine round is refused");
    }
}

static void check_receipt(const job *j) {
    static vb_report rep;
    static vb_receipt r;
    const vb_expect expect = {.trust = j->trust};
    vb_report_begin(&rep, VB_LEVEL_RECEIPT);
    if (!vb_check_receipt(j->receipt, j->n_receipt, &expect, &r, &rep)) {
        fail("a receipt can not be read");
    }
    vb_report_finish(&rep);
    vb_receipt_free(&r);
    if (vb_report_verdict(&rep) != VB_VERDICT_VERIFIED) {
        fail("a valid receipt is refused");
    }
}

/* Microseconds of one call. */
static double measure(void (*f)(const job *), const job *j) {
    double best = 0;
    for (int run = 0; run < RUNS; run++) {
        const uint64_t start = vb_clock_ns();
        uint64_t n = 0, now = start;
        for (; now - start < run_ns; now = vb_clock_ns()) {
            f(j);
            n++;
        }
        const double us = (double)(now - start) / 1000 / (double)n;
        best = run == 0 || us < best ? us : best;
    }
    return best;
}

/* The first case of file whose name begins with `name`. */
static const json_t *find(const json_t *doc, const char *name) {
    const json_t *c;
    size_t i;
    json_array_foreach(json_object_get(doc, "cases"), i, c) {
        if (strncmp(json_string_value(json_object_get(c, "name")), name, strlen(name)) == 0) {
            return c;
        }
    }
    fail(name);
    return NULL;
}

static vb_trust *trust_of(const json_t *c) {
    vb_trust *trust = NULL;
    const json_t *stated = json_object_get(c, "trust");
    if (json_is_object(stated)) {
        char *text = json_dumps(stated, JSON_COMPACT);
        if (!text || vb_trust_parse(text, strlen(text), &trust, NULL)) {
            fail("a trust file of the vectors is refused");
        }
        free(text);
    }
    return trust;
}

int main(int argc, char **argv) {
    static const char *const names[] = {"fixed: the caller's seed",
                                        "local",
                                        "next: drand, bls-unchained-g1-rfc9380",
                                        "next: drand, pedersen-bls-chained",
                                        "next: theta, first",
                                        "next: ethereum, first",
                                        "next: nist, first",
                                        "next: mix, first"};
    char path[4096];
    json_error_t je;
    if (argc != 2) {
        fail("usage: bench_protocol SOURCE_FOLDER");
    }
    snprintf(path, sizeof path, "%s/spec/vectors/receipts/valid.json", argv[1]);
    json_t *doc = json_load_file(path, JSON_ALLOW_NUL, &je);
    if (!doc) {
        fail(path);
    }
    printf("%-40s %14s %14s %10s\n", "receipt", "its round, us", "all checks, us", "bytes");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const json_t *c = find(doc, names[i]), *text = json_object_get(c, "receipt");
        job j = {.trust = trust_of(c),
                 .receipt = json_string_value(text),
                 .n_receipt = json_string_length(text)};
        vb_receipt *r = malloc(sizeof *r);
        if (!r || vb_receipt_decode(j.receipt, j.n_receipt, r, NULL)) {
            fail("a receipt can not be read");
        }
        j.round = r->beacon;
        const double round = r->has_beacon ? measure(verify_round, &j) : 0;
        printf("%-40s %14.1f %14.1f %10zu\n", names[i], round, measure(check_receipt, &j),
               j.n_receipt);
        fflush(stdout);
        vb_receipt_free(r);
        free(r);
        vb_trust_free(j.trust);
    }
    json_decref(doc);
    return 0;
}
