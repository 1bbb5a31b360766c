#include "child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/system.h"

enum {
    ARGS_MAX = 64,
    PATH_BYTES = VB_CHILD_FOLDER_BYTES + 32,
    LINE_BYTES = 256,
    SAID_BYTES = 400,
    OPEN_FOLDERS = 8,
    THREADS_MAX = 1024
};
static const uint64_t start_ns = 300ull * 1000000000u, stop_ns = 10ull * 1000000000u;

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

/* What the child wrote on standard error last. */
static void last_words(const vb_child *c, char out[SAID_BYTES]) {
    char path[PATH_BYTES];
    out[0] = 0;
    snprintf(path, sizeof path, "%s/stderr", c->folder);
    FILE *f = fopen(path, "rb");
    if (!f) {
        return;
    }
    if (fseek(f, -(SAID_BYTES - 1), SEEK_END)) {
        rewind(f);
    }
    const size_t n = fread(out, 1, SAID_BYTES - 1, f);
    out[n] = 0;
    fclose(f);
}

/* In the child, after fork: no more than exec needs. Its own process group, so that Ctrl-C reaches
 * this program alone, which ends it in order. */
static void become(const char *program, char *const *args, int in, int out, int log) {
    (void)setpgid(0, 0);
    if (dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
        dup2(log, STDERR_FILENO) >= 0) {
        execv(program, args);
    }
    _exit(127);
}

static vb_err spawn(vb_child *c, const char *program, char *const *args, int *out, vb_error *e) {
    char path[PATH_BYTES];
    int in_pipe[2] = {-1, -1}, out_pipe[2] = {-1, -1};
    snprintf(path, sizeof path, "%s/stderr", c->folder);
    const int log = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    vb_err err = VB_OK;
    if (log < 0 || pipe2(in_pipe, O_CLOEXEC) || pipe2(out_pipe, O_CLOEXEC) ||
        (c->pid = fork()) < 0) {
        err = vb_fail(e, VB_EIO, "cannot start %s: %s", program, strerror(errno));
        c->pid = 0;
    } else if (c->pid == 0) {
        become(program, args, in_pipe[0], out_pipe[1], log);
    }
    if (err) {
        (void)close(in_pipe[1]);
        (void)close(out_pipe[0]);
    } else {
        c->in = in_pipe[1];
        *out = out_pipe[0];
    }
    (void)close(in_pipe[0]);
    (void)close(out_pipe[1]);
    (void)close(log);
    return err;
}

/* The line that says where it listens. */
static vb_err read_port(vb_child *c, int out, vb_error *e) {
    char line[LINE_BYTES], said[SAID_BYTES];
    size_t n = 0;
    const uint64_t until = vb_clock_ns() + start_ns;
    unsigned port = 0;
    while (n < sizeof line - 1 && !memchr(line, '\n', n) && vb_clock_ns() < until) {
        struct pollfd p = {.fd = out, .events = POLLIN};
        const int ready = poll(&p, 1, 1000);
        if (ready < 0) {
            return vb_fail(e, VB_ECANCELLED, "interrupted");
        }
        const ssize_t got = ready ? read(out, line + n, sizeof line - 1 - n) : -1;
        if (ready && got <= 0) {
            break;
        }
        n += got > 0 ? (size_t)got : 0;
    }
    line[n] = 0;
    if (sscanf(line, "listening on http://127.0.0.1:%5u\n", &port) != 1 || port > UINT16_MAX) {
        last_words(c, said);
        return vb_fail(e, VB_EIO, "the server did not start: %s", said);
    }
    c->port = (uint16_t)port;
    return VB_OK;
}

vb_err vb_child_start(const char *program, const char *const *args, vb_child *out, vb_error *e) {
    vb_child c = {.in = -1};
    /* execv's strings are not const for history's sake; it changes none. */
    const char *all[ARGS_MAX] = {program,      "serve", "--port", "0", "--exit-with-stdin",
                                 "--data-dir", c.folder};
    size_t n = 7;
    for (; args[n - 7]; n++) {
        VB_ASSERT(n < ARGS_MAX - 1);
        all[n] = args[n - 7];
    }
    const char *tmp = getenv("TMPDIR");
    const int written =
        snprintf(c.folder, sizeof c.folder, "%s/verbatim-bench-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (written < 0 || (size_t)written >= sizeof c.folder || !mkdtemp(c.folder)) {
        return vb_fail(e, VB_EIO, "cannot make a folder for the server: %s", strerror(errno));
    }
    int line = -1;
    vb_err err = spawn(&c, program, (char *const *)(uintptr_t)all, &line, e);
    if (!err) {
        err = read_port(&c, line, e);
        (void)close(line); /* it says no more there */
    }
    if (!err && clock_getcpuclockid(c.pid, &c.cpu)) {
        err = vb_fail(e, VB_EIO, "the server's processor time can not be read");
    }
    if (err) {
        vb_child_stop(&c);
        return err;
    }
    *out = c;
    return VB_OK;
}

void vb_child_stop(vb_child *c) {
    if (c->in >= 0 && c->pid) {
        (void)close(c->in);
        const uint64_t until = vb_clock_ns() + stop_ns;
        const struct timespec pause = {0, 10 * 1000 * 1000};
        while (waitpid(c->pid, NULL, WNOHANG) == 0) {
            if (vb_clock_ns() > until) {
                (void)kill(c->pid, SIGKILL);
                (void)waitpid(c->pid, NULL, 0);
                break;
            }
            (void)nanosleep(&pause, NULL);
        }
    }
    if (c->folder[0]) {
        (void)nftw(c->folder, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS);
    }
    *c = (vb_child){.in = -1};
}

vb_err vb_child_resident_bytes(const vb_child *c, uint64_t *out, vb_error *e) {
    char path[64], line[LINE_BYTES];
    unsigned long long kilobytes = 0;
    bool found = false;
    snprintf(path, sizeof path, "/proc/%ld/status", (long)c->pid);
    FILE *f = fopen(path, "r");
    while (f && !found && fgets(line, sizeof line, f)) {
        found = sscanf(line, "VmRSS: %llu kB", &kilobytes) == 1;
    }
    if (f) {
        fclose(f);
    }
    if (!found) {
        return vb_fail(e, VB_EIO, "%s has no VmRSS: the server has ended", path);
    }
    *out = kilobytes * 1024;
    return VB_OK;
}

static int compare_falling(const void *a, const void *b) {
    const unsigned long long x = *(const unsigned long long *)a, y = *(const unsigned long long *)b;
    return (x < y) - (x > y);
}

uint64_t vb_child_busiest_ns(const vb_child *c, size_t n_threads) {
    unsigned long long used[THREADS_MAX];
    size_t n = 0;
    uint64_t sum = 0;
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/proc/%ld/task", (long)c->pid);
    DIR *tasks = opendir(path);
    for (struct dirent *d; tasks && n < THREADS_MAX && (d = readdir(tasks));) {
        snprintf(path, sizeof path, "/proc/%ld/task/%.20s/schedstat", (long)c->pid, d->d_name);
        FILE *f = d->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (f) {
            n += fscanf(f, "%llu", &used[n]) == 1;
            fclose(f);
        }
    }
    if (tasks) {
        closedir(tasks);
    }
    qsort(used, n, sizeof used[0], compare_falling);
    for (size_t i = 0; i < n && i < n_threads; i++) {
        sum += used[i];
    }
    return sum;
}
