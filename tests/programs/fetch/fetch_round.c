/*
 * One round of a beacon, fetched: prints it as JSON (vb_beacon_round_encode) with exit 0, or the
 * error's name and message on standard error with exit 1.
 *
 *   fetch_round BEACON next|latest|fixed|newest TIME_MS|ROUND [--url URL]... [--wait MS]
 *               [--request MS] [--ca FILE] [--trust FILE] [--cancel-after MS] [--repeat N]
 *
 * TIME_MS may be "now". --repeat fetches N times with one source and prints the last round.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "beacon/round.h"
#include "fetch/source.h"

typedef struct arguments {
    vb_source_options source;
    vb_source_want want;
    bool newest;
    const char *urls[VB_ENDPOINTS_MAX + 1]; /* one more than may be, to see that it is refused */
    const char *trust_file;
    uint64_t cancel_after_ms; /* 0: never */
    unsigned repeat;
} arguments;

static uint64_t cancel_at_ns;

static bool before_the_end(void *user) {
    (void)user;
    return vb_clock_ns() < cancel_at_ns;
}

static uint64_t number(const char *text) {
    char *end;
    uint64_t v = strtoull(text, &end, 10);
    if (!text[0] || *end) {
        fprintf(stderr, "fetch_round: not a number: %s\n", text);
        exit(2);
    }
    return v;
}

static void option(arguments *a, const char *name, const char *value) {
    if (strcmp(name, "--url") == 0 && a->source.n_urls <= VB_ENDPOINTS_MAX) {
        a->urls[a->source.n_urls++] = value;
    } else if (strcmp(name, "--wait") == 0) {
        a->want.wait_ms = (uint32_t)number(value);
    } else if (strcmp(name, "--request") == 0) {
        a->source.request_ms = (uint32_t)number(value);
    } else if (strcmp(name, "--ca") == 0) {
        a->source.ca_file = value;
    } else if (strcmp(name, "--trust") == 0) {
        a->trust_file = value;
    } else if (strcmp(name, "--cancel-after") == 0) {
        a->cancel_after_ms = number(value);
    } else if (strcmp(name, "--repeat") == 0) {
        a->repeat = (unsigned)number(value);
    } else {
        fprintf(stderr, "fetch_round: unknown option %s\n", name);
        exit(2);
    }
}

static void parse(arguments *a, int argc, char **argv) {
    if (argc < 4 || argc % 2) {
        fprintf(stderr, "usage: fetch_round BEACON MODE TIME_MS|ROUND [OPTION VALUE]...\n");
        exit(2);
    }
    a->source.beacon = argv[1];
    a->newest = strcmp(argv[2], "newest") == 0;
    a->want.mode = vb_beacon_mode_of_name(argv[2]);
    a->want.wait_ms = 5000;
    a->repeat = 1;
    if (a->want.mode == VB_MODE_FIXED) {
        a->want.round = number(argv[3]);
    } else {
        a->want.time_ms = strcmp(argv[3], "now") == 0 ? vb_unix_ms() : number(argv[3]);
    }
    for (int i = 4; i < argc; i += 2) {
        option(a, argv[i], argv[i + 1]);
    }
    a->source.urls = a->urls;
    if (a->cancel_after_ms) {
        cancel_at_ns = vb_clock_ns() + a->cancel_after_ms * 1000000u;
        a->source.keep_going = before_the_end;
    }
}

static vb_err read_trust(const char *path, vb_trust **out, vb_error *e) {
    static char bytes[VB_TRUST_FILE_BYTES_MAX];
    FILE *f = fopen(path, "rb");
    if (!f) {
        return vb_fail(e, VB_EIO, "can not open %s", path);
    }
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    return vb_trust_parse(bytes, n, out, e);
}

static vb_err fetch(const arguments *a, vb_beacon_round *r, vb_error *e) {
    vb_source *s = NULL;
    vb_err err = vb_source_open(&a->source, &s, e);
    for (unsigned i = 0; i < a->repeat && !err; i++) {
        vb_beacon_round_free(r);
        err = a->newest ? vb_source_newest(s, a->want.wait_ms, r, e)
                        : vb_source_get(s, &a->want, r, e);
    }
    vb_source_close(s);
    return err;
}

int main(int argc, char **argv) {
    static arguments a;
    vb_error e = {0};
    vb_trust *trust = NULL;
    vb_beacon_round r = {.proof = NULL};
    vb_buf json = vb_buf_make(VB_BEACON_ROUND_BYTES_MAX);
    parse(&a, argc, argv);
    vb_err err = a.trust_file ? read_trust(a.trust_file, &trust, &e) : VB_OK;
    if (!err) {
        a.source.trust = trust;
        err = fetch(&a, &r, &e);
    }
    err = err ? err : vb_beacon_round_encode(&r, &json, &e);
    if (err) {
        fprintf(stderr, "%s: %s\n", vb_err_name(err), e.msg);
    } else {
        printf("%s\n", (const char *)json.data);
    }
    vb_buf_free(&json);
    vb_beacon_round_free(&r);
    vb_trust_free(trust);
    return err ? 1 : 0;
}
