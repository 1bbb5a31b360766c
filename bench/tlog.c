/*
 * A transparency log: what appending and publishing, opening, verifying, proving and mirroring
 * cost, and the memory that each takes. One phase a run, so that the peak of memory is its own.
 *
 *   bench_tlog write FOLDER COUNT BATCH   entries up to COUNT, a checkpoint every BATCH
 *   bench_tlog open FOLDER                by the log's writer
 *   bench_tlog verify FOLDER              every entry with its signature
 *   bench_tlog prove FOLDER COUNT         proofs of entries here and there
 *   bench_tlog follow FOLDER MIRROR       a mirror of it
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tests/support/made_entries.h"
#include "base/system.h"
#include "tlog/audit.h"
#include "tlog/follow.h"
#include "tlog/writer.h"

static void must(vb_err err, const vb_error *e) {
    if (err) {
        fprintf(stderr, "bench_tlog: %s\n", e->msg);
        exit(1);
    }
}

static double seconds_since(uint64_t start_ns) {
    return (double)(vb_clock_ns() - start_ns) / 1e9;
}

/* The peak of this process's memory, from the kernel. */
static uint64_t peak_kib(void) {
    char line[256];
    uint64_t kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f)) {
        sscanf(line, "VmHWM: %" SCNu64, &kib);
    }
    if (f) {
        fclose(f);
    }
    return kib;
}

static void report(const char *phase, uint64_t n, const char *what, double seconds) {
    printf("%-8s %9" PRIu64 " %s in %8.3f s: %10.0f /s, peak %" PRIu64 " KiB\n", phase, n, what,
           seconds, seconds > 0 ? (double)n / seconds : 0, peak_kib());
}

static vb_tlog_writer *open_writer(const char *folder, const vb_ed25519_key *key) {
    const vb_tlog_writer_options options = {.origin = MADE_ORIGIN};
    vb_tlog_writer *w;
    vb_error e = {VB_OK, ""};
    must(vb_tlog_writer_open(folder, key, &options, &w, &e), &e);
    return w;
}

/* Entries are made a batch at a time, outside of what is measured. */
static void bench_write(const char *folder, uint64_t count, uint64_t batch) {
    vb_ed25519_key *key = made_key(1);
    vb_tlog_writer *w = open_writer(folder, key);
    vb_buf *entries = calloc(batch, sizeof *entries);
    const uint64_t before = vb_tlog_writer_size(w);
    double appending = 0, publishing = 0, slowest = 0;
    uint64_t checkpoints = 0;
    vb_error e = {VB_OK, ""};
    VB_ASSERT(entries);
    for (uint64_t at = before; at < count; at = vb_tlog_writer_size(w)) {
        const uint64_t n = count - at < batch ? count - at : batch;
        for (uint64_t i = 0; i < n; i++) {
            made_index(key, at + i, &entries[i]);
        }
        uint64_t start = vb_clock_ns();
        for (uint64_t i = 0; i < n; i++) {
            must(vb_tlog_writer_append(w, entries[i].data, entries[i].len, &e), &e);
        }
        appending += seconds_since(start);
        start = vb_clock_ns();
        must(vb_tlog_writer_publish(w, &e), &e);
        const double took = seconds_since(start);
        publishing += took;
        slowest = took > slowest ? took : slowest;
        checkpoints++;
        for (uint64_t i = 0; i < n; i++) {
            vb_buf_free(&entries[i]);
        }
    }
    report("append", count - before, "entries", appending);
    report("publish", checkpoints, "checkpoints", publishing);
    report("both", count - before, "entries", appending + publishing);
    printf("slowest checkpoint %.1f ms\n", slowest * 1e3);
    free(entries);
    vb_tlog_writer_close(w);
    vb_ed25519_close(key);
}

static void bench_open(const char *folder) {
    vb_ed25519_key *key = made_key(1);
    const uint64_t start = vb_clock_ns();
    vb_tlog_writer *w = open_writer(folder, key);
    report("open", vb_tlog_writer_size(w), "entries", seconds_since(start));
    vb_tlog_writer_close(w);
    vb_ed25519_close(key);
}

static vb_tlog_reader *open_reader(const char *folder, vb_tlog_checkpoint *c) {
    vb_tlog_reader *r;
    size_t n_cosigned;
    vb_error e = {VB_OK, ""};
    must(vb_tlog_reader_open_folder(folder, NULL, &r, &e), &e);
    must(vb_tlog_reader_refresh(r, NULL, 0, c, NULL, &n_cosigned, &e), &e);
    return r;
}

static void bench_verify(const char *folder) {
    const vb_tlog_audit_options options = {.signatures = true};
    const uint64_t start = vb_clock_ns();
    vb_tlog_checkpoint c;
    vb_tlog_order *order;
    vb_tlog_offence offence;
    vb_error e = {VB_OK, ""};
    vb_tlog_reader *r = open_reader(folder, &c);
    must(vb_tlog_order_open(&order, &e), &e);
    must(vb_tlog_audit(r, order, &options, &offence, &e), &e);
    report("verify", c.size, "entries", seconds_since(start));
    vb_tlog_order_close(order);
    vb_tlog_reader_close(r);
}

/* Far apart, so that each reads tiles and a bundle of its own. */
static void bench_prove(const char *folder, uint64_t count) {
    vb_tlog_checkpoint c;
    vb_tlog_reader *r = open_reader(folder, &c);
    vb_error e = {VB_OK, ""};
    const uint64_t start = vb_clock_ns();
    for (uint64_t i = 0; i < count; i++) {
        vb_tlog_proof p;
        must(vb_tlog_reader_prove(r, i * UINT64_C(0x9e3779b97f4a7c15) % c.size, &p, &e), &e);
        vb_tlog_proof_free(&p);
    }
    report("prove", count, "proofs", seconds_since(start));
    vb_tlog_reader_close(r);
}

static vb_err read_file(void *user, const char *path, size_t bytes_max, vb_buf *out, bool *absent,
                        vb_error *e) {
    char whole[4096], chunk[16384];
    snprintf(whole, sizeof whole, "%s/%s", (const char *)user, path);
    FILE *f = fopen(whole, "rb");
    if (!f) {
        *absent = errno == ENOENT;
        return vb_fail(e, VB_EIO, "%s: %s", whole, strerror(errno));
    }
    vb_err err = VB_OK;
    for (size_t n; !err && (n = fread(chunk, 1, sizeof chunk, f)) > 0;) {
        err = out->len + n > bytes_max ? VB_ELIMIT : vb_buf_append(out, chunk, n);
    }
    fclose(f);
    return err;
}

static void bench_follow(char *folder, const char *mirror) {
    const vb_tlog_follower_options options = {.log = NULL};
    vb_tlog_follower *f;
    vb_tlog_step step;
    vb_error e = {VB_OK, ""};
    must(vb_tlog_follower_open(mirror, read_file, folder, folder, &options, &f, &e), &e);
    const uint64_t start = vb_clock_ns();
    must(vb_tlog_follower_step(f, &step, &e), &e);
    report("follow", step.size - step.size_before, "entries", seconds_since(start));
    vb_tlog_follower_close(f);
}

int main(int argc, char **argv) {
    const char *phase = argc > 2 ? argv[1] : "";
    if (strcmp(phase, "write") == 0 && argc == 5) {
        const uint64_t batch = strtoull(argv[4], NULL, 10);
        bench_write(argv[2], strtoull(argv[3], NULL, 10), batch ? batch : 1);
    } else if (strcmp(phase, "open") == 0) {
        bench_open(argv[2]);
    } else if (strcmp(phase, "verify") == 0) {
        bench_verify(argv[2]);
    } else if (strcmp(phase, "prove") == 0 && argc == 4) {
        bench_prove(argv[2], strtoull(argv[3], NULL, 10));
    } else if (strcmp(phase, "follow") == 0 && argc == 4) {
        bench_follow(argv[2], argv[3]);
    } else {
        fprintf(stderr, "bench_tlog: write FOLDER COUNT BATCH | open FOLDER | verify FOLDER | "
                        "prove FOLDER COUNT | follow FOLDER MIRROR\n");
        return 2;
    }
    return 0;
}
