/*
 * Load on the server: throughput, time to the first token and between tokens of 1, 4, 16 and 64
 * streams, as ratios to one stream and to the engine without a server; what streams that only wait
 * hold; and whether a slow reader holds up others.
 *
 * The server is a child on this machine, and so is the client: with as many threads as there are
 * processors the client takes from what it measures. Compare only within one run.
 */
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "results.h"

enum {
    EXIT_USAGE = 2,
    EXIT_INTERRUPTED = 130,
    IDLE_MAX = 8192,
    ANSWER_MAX = 512,
    REPEAT_MAX = 100
};

volatile sig_atomic_t vb_bench_interrupted;

static void on_signal(int number) {
    (void)number;
    vb_bench_interrupted = 1;
}

static const char help[] =
    "Usage: bench_server [OPTIONS] [FILE]\n"
    "\n"
    "Starts verbatim serve with a model (default: the demo model) and measures it under load.\n"
    "\n"
    "  --program FILE   the verbatim to run (default: beside this program)\n"
    "  --threads N      of a pass (default 1: the client needs a processor)\n"
    "  --answer N       tokens of an answer (default 64)\n"
    "  --seconds N      of each window, at least (default 5)\n"
    "  --repeat N       windows of each kind, of which the best counts (default 3)\n"
    "  --idle N         streams that wait (default 1000)\n"
    "  --only PART      levels, slow or idle\n"
    "  --json           figures as one object\n";

static bool parse_count(const char *text, size_t max, size_t *out) {
    char *rest;
    unsigned long v = strtoul(text, &rest, 10);
    *out = (size_t)v;
    return *text >= '0' && *text <= '9' && !*rest && v >= 1 && v <= max;
}

static bool parse_options(int argc, char **argv, vb_bench_options *o) {
    static const struct option longs[] = {
        {"program", required_argument, NULL, 'p'}, {"threads", required_argument, NULL, 't'},
        {"answer", required_argument, NULL, 'a'},  {"seconds", required_argument, NULL, 's'},
        {"repeat", required_argument, NULL, 'r'},  {"idle", required_argument, NULL, 'i'},
        {"only", required_argument, NULL, 'o'},    {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
    size_t n = 0;
    bool ok = true;
    for (int c; ok && (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        switch (c) {
        case 'p': o->program = optarg; break;
        case 't':
            ok = parse_count(optarg, VB_THREADS_MAX, &n);
            o->workload.n_threads = (int)n;
            break;
        case 'a': ok = parse_count(optarg, ANSWER_MAX, &o->workload.answer_tokens); break;
        case 's':
            ok = parse_count(optarg, 3600, &n);
            o->seconds = (double)n;
            break;
        case 'r': ok = parse_count(optarg, REPEAT_MAX, &o->n_repeat); break;
        case 'i': ok = parse_count(optarg, IDLE_MAX, &o->n_idle); break;
        case 'o':
            o->only = optarg;
            ok = !strcmp(optarg, "levels") || !strcmp(optarg, "slow") || !strcmp(optarg, "idle");
            break;
        case 'j': o->json = true; break;
        case 'h': fputs(help, stdout); exit(0);
        default: ok = false;
        }
    }
    if (ok && optind < argc) {
        o->workload.path = argv[optind++];
    }
    return ok && optind == argc;
}

static bool wanted(const vb_bench_options *o, const char *part) {
    return !o->only || strcmp(o->only, part) == 0;
}

static vb_err run(vb_bench_options *o, vb_results *r, vb_error *e) {
    vb_bench_progress(o, "loading the model");
    vb_err err = vb_workload_open(&o->workload, e);
    if (!err && wanted(o, "levels")) {
        err = vb_bench_levels(o, r, e);
    }
    if (!err && wanted(o, "slow")) {
        err = vb_bench_slow(o, &r->slow, e);
    }
    if (!err && wanted(o, "idle")) {
        err = vb_bench_crowd(o, &r->crowd, e);
    }
    vb_bench_progress(o, "%s", "");
    return err;
}

/* The verbatim in the folder of this program. */
static void find_program(char out[PATH_MAX]) {
    char own[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);
    own[n > 0 ? n : 0] = 0;
    const int written = snprintf(out, PATH_MAX, "%s/verbatim", dirname(own));
    VB_ASSERT(written > 0 && written < PATH_MAX);
}

int main(int argc, char **argv) {
    static vb_results r;
    static char program[PATH_MAX];
    vb_bench_options o = {
        .workload = {.path = VB_SOURCE_DIR "/models/verbatim-demo/verbatim-demo-q8_0.gguf",
                     .n_threads = 1,
                     .answer_tokens = 64},
        .seconds = 5,
        .n_repeat = 3,
        .n_idle = 1000,
        .shows_progress = isatty(STDERR_FILENO)};
    if (!parse_options(argc, argv, &o)) {
        fputs(help, stderr);
        return EXIT_USAGE;
    }
    if (!o.program) {
        find_program(program);
        o.program = program;
    }
    const struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    vb_error e = {VB_OK, ""};
    vb_err err = run(&o, &r, &e);
    if (!err && o.json) {
        err = vb_results_print_json(&o, &r, &e);
    } else if (!err) {
        vb_results_print(&o, &r);
    }
    vb_workload_close(&o.workload);
    if (err) {
        fprintf(stderr, "bench_server: %s\n", e.msg);
        return vb_bench_interrupted ? EXIT_INTERRUPTED : 1;
    }
    return 0;
}
