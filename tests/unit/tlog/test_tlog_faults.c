/* A writer that dies, whose machine loses its power, or whose disk fails at every single call in
 * turn: what is opened afterwards has the last checkpoint that anybody was told of, or the next
 * one, and goes on. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tlog/audit.h"
#include "unit/crypto/temp_dir.h"
#include "unit/tlog/made_log.h"

enum { BEFORE = 250, AFTER = 300, CHANGES_MAX = 256 };

typedef enum fault { FAULT_NONE, FAULT_KILL, FAULT_POWER, FAULT_FAIL } fault;

static char dir[64], folder[80];
static vb_ed25519_key *key;
static vb_buf entries[AFTER];

static fault armed;
static long until_fault; /* calls that still go well; the one after them does not */

/* What the disk would not know yet after a loss of power, in the order it was done. */
typedef struct change {
    char path[320]; /* a file that was written, a name that was given, a folder that was made */
    enum { WRITTEN, NAMED, FOLDER } what;
    uint8_t *was; /* NAMED: what had the name before; NULL: nothing */
    size_t n_was;
} change;
static change changes[CHANGES_MAX];
static size_t n_changes;

ssize_t __real_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int at, const char *from, int to_at, const char *to);
int __wrap_renameat(int at, const char *from, int to_at, const char *to);
int __real_mkdirat(int at, const char *path, mode_t mode);
int __wrap_mkdirat(int at, const char *path, mode_t mode);
int __real_unlinkat(int at, const char *path, int flags);
int __wrap_unlinkat(int at, const char *path, int flags);

static void path_of(int fd, char path[256]) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, path, 255);
    path[n > 0 ? n : 0] = 0;
}

static void note_change(const char *path, int what, uint8_t *was, size_t n_was) {
    VB_ASSERT(n_changes < CHANGES_MAX);
    change *c = &changes[n_changes++];
    snprintf(c->path, sizeof c->path, "%s", path);
    c->what = what;
    c->was = was;
    c->n_was = n_was;
}

static void undo(const change *c) {
    if (c->what == FOLDER) {
        temp_dir_remove(c->path);
        return;
    }
    if (c->what == NAMED && !c->was) {
        unlink(c->path);
        return;
    }
    const int fd = open(c->path, O_WRONLY | O_TRUNC);
    if (fd >= 0 && c->was) {
        VB_ASSERT(__real_write(fd, c->was, c->n_was) == (ssize_t)c->n_was);
    }
    close(fd);
}

/* A call to the disk; true when it is to fail. */
static bool call(void) {
    if (armed == FAULT_NONE || until_fault-- > 0) {
        return false;
    }
    while (armed == FAULT_POWER && n_changes) {
        undo(&changes[--n_changes]);
    }
    if (armed != FAULT_FAIL) {
        kill(getpid(), SIGKILL);
    }
    errno = ENOSPC;
    return true;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t n) {
    char path[256];
    path_of(fd, path);
    if (strncmp(path, dir, strlen(dir)) != 0) {
        return __real_write(fd, bytes, n);
    }
    if (call()) {
        return -1;
    }
    note_change(path, WRITTEN, NULL, 0);
    return __real_write(fd, bytes, n);
}

/* Of a file its bytes are on disk now, of a folder the names in it. */
int __wrap_fsync(int fd) {
    char path[256];
    path_of(fd, path);
    if (call()) {
        return -1;
    }
    size_t kept = 0;
    for (size_t i = 0; i < n_changes; i++) {
        const change *c = &changes[i];
        const size_t n = (size_t)(strrchr(c->path, '/') - c->path);
        const bool synced = c->what == WRITTEN ? strcmp(c->path, path) == 0
                                               : n == strlen(path) && memcmp(c->path, path, n) == 0;
        if (synced) {
            free(c->was);
        } else {
            changes[kept++] = *c;
        }
    }
    n_changes = kept;
    return __real_fsync(fd);
}

int __wrap_renameat(int at, const char *from, int to_at, const char *to) {
    char above[256], path[320], old_path[320];
    size_t n_was = 0;
    if (call()) {
        return -1;
    }
    path_of(to_at, above);
    snprintf(path, sizeof path, "%s/%s", above, to);
    snprintf(old_path, sizeof old_path, "%s/%s", above, from);
    for (size_t i = 0; i < n_changes; i++) { /* bytes that are not synced go with the name */
        if (changes[i].what == WRITTEN && strcmp(changes[i].path, old_path) == 0) {
            memcpy(changes[i].path, path, sizeof path);
        }
    }
    uint8_t *was = access(path, F_OK) == 0 ? vb_test_read(path, &n_was) : NULL;
    note_change(path, NAMED, was, n_was);
    return __real_renameat(at, from, to_at, to);
}

int __wrap_mkdirat(int at, const char *path, mode_t mode) {
    char above[256], whole[320];
    if (call()) {
        return -1;
    }
    path_of(at, above);
    snprintf(whole, sizeof whole, "%s/%s", above, path);
    const int done = __real_mkdirat(at, path, mode);
    if (done == 0) {
        note_change(whole, FOLDER, NULL, 0);
    }
    return done;
}

int __wrap_unlinkat(int at, const char *path, int flags) {
    return call() ? -1 : __real_unlinkat(at, path, flags);
}

static void append(vb_tlog_writer *w, size_t to) {
    vb_error e = {VB_OK, ""};
    for (size_t i = (size_t)(vb_tlog_writer_size(w) + vb_tlog_writer_pending(w)); i < to; i++) {
        if (vb_tlog_writer_append(w, entries[i].data, entries[i].len, &e)) {
            fail_msg("%s", e.msg);
        }
    }
}

/* What the child has been told, before it died. */
typedef struct told {
    uint64_t size;
    bool done;
} told;

/* The process that dies, or whose disk fails: it opens the log (which there may be none of) and
 * publishes the rest. */
static void child(fault what, long after, volatile told *t) {
    const vb_tlog_writer_options options = {.origin = MADE_ORIGIN};
    vb_tlog_writer *w = NULL;
    vb_error e = {VB_OK, ""};
    armed = what;
    until_fault = after;
    vb_err err = vb_tlog_writer_open(folder, key, &options, &w, &e);
    if (!err) {
        t->size = vb_tlog_writer_size(w);
        for (size_t i = (size_t)t->size; i < AFTER && !err; i++) {
            err = vb_tlog_writer_append(w, entries[i].data, entries[i].len, &e);
        }
        if (!err && !(err = vb_tlog_writer_publish(w, &e))) {
            t->size = vb_tlog_writer_size(w);
        }
    }
    t->done = until_fault >= 0;
    if (err) { /* a writer that has failed is of no more use */
        VB_ASSERT(err == VB_EIO && !t->done);
        VB_ASSERT(!w || (vb_tlog_writer_pending(w) == 0 &&
                         vb_tlog_writer_append(w, entries[0].data, entries[0].len, &e) == VB_EIO &&
                         vb_tlog_writer_publish(w, &e) == VB_EIO));
    }
    vb_tlog_writer_close(w);
    _exit(0);
}

static void audit_folder(uint64_t size) {
    vb_tlog_reader *r;
    vb_tlog_order *order;
    vb_tlog_checkpoint c;
    vb_tlog_offence offence;
    size_t n_cosigned;
    vb_error e = {VB_OK, ""};
    const vb_tlog_audit_options options = {.threads = 1};
    assert_int_equal(vb_tlog_reader_open_folder(folder, NULL, &r, &e), VB_OK);
    assert_int_equal(vb_tlog_order_open(&order, &e), VB_OK);
    assert_int_equal(vb_tlog_reader_refresh(r, NULL, 0, &c, NULL, &n_cosigned, &e), VB_OK);
    assert_int_equal(c.size, size);
    if (vb_tlog_audit(r, order, &options, &offence, &e)) {
        fail_msg("%s", e.msg);
    }
    vb_tlog_order_close(order);
    vb_tlog_reader_close(r);
}

/* One run with a fault after so many calls; false when it was not reached. */
static bool run(fault what, long after, size_t before, volatile told *t) {
    int status;
    temp_dir_remove(folder);
    if (before) {
        vb_tlog_writer *w = made_open(folder, key);
        vb_error e = {VB_OK, ""};
        append(w, before);
        assert_int_equal(vb_tlog_writer_publish(w, &e), VB_OK);
        vb_tlog_writer_close(w);
    }
    n_changes = 0;
    t->size = before;
    t->done = false;
    const pid_t pid = fork();
    if (pid == 0) {
        child(what, after, t);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL);
    vb_tlog_writer *w = made_open(folder, key);
    const uint64_t size = vb_tlog_writer_size(w);
    if (size < t->size || (size != 0 && size != before && size != AFTER)) {
        fail_msg("call %ld: %u entries, and %u were told of", after, (unsigned)size,
                 (unsigned)t->size);
    }
    append(w, AFTER);
    vb_error e = {VB_OK, ""};
    assert_int_equal(vb_tlog_writer_publish(w, &e), VB_OK);
    vb_tlog_writer_close(w);
    audit_folder(AFTER);
    return !t->done;
}

static void every_call(void **state) {
    static const fault faults[] = {FAULT_KILL, FAULT_POWER, FAULT_FAIL};
    static const size_t sizes[] = {0, BEFORE};
    volatile told *t =
        mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    (void)state;
    assert_true(t != MAP_FAILED);
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < 2; k++) {
            long n = 0;
            while (run(faults[i], n, sizes[k], t)) {
                n++;
            }
            assert_true(n > 20);
            print_message("fault %d from %zu entries: %ld calls\n", faults[i], sizes[k], n);
        }
    }
}

static int begin(void **state) {
    (void)state;
    temp_dir_make(dir);
    snprintf(folder, sizeof folder, "%s/log", dir);
    key = made_key(1);
    for (size_t i = 0; i < AFTER; i++) {
        made_index(key, i, &entries[i]);
    }
    return 0;
}

static int end(void **state) {
    (void)state;
    for (size_t i = 0; i < AFTER; i++) {
        vb_buf_free(&entries[i]);
    }
    temp_dir_remove(dir);
    vb_ed25519_close(key);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_call, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
