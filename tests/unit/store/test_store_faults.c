/* A disk that fails at every write in turn, is full, or loses power: errors are told, what was
 * acknowledged is there, and what was refused is not. By a VFS between SQLite and the system. */
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "unit/store/journal_test.h"

static vb_error e;

/* One file of SQLite's, with the real one behind it. */
typedef struct shim_file {
    sqlite3_file base;
    const char *name; /* SQLite keeps it while the file is open; NULL: temporary */
    sqlite3_file real[];
} shim_file;

typedef enum fault { FAULT_NONE, FAULT_WRITE, FAULT_FULL, FAULT_SYNC } fault;

static sqlite3_vfs *system_vfs;
static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER; /* one operation at a time */
static fault armed;
static long until_fault; /* writes or syncs that still succeed; FULL fails all after */
static bool fired;

static bool fails_now(bool sync) {
    if (armed == FAULT_NONE || (armed == FAULT_SYNC) != sync) {
        return false;
    }
    if (until_fault-- > 0) {
        return false;
    }
    fired = true;
    if (armed != FAULT_FULL) {
        armed = FAULT_NONE;
    }
    return true;
}

/* What would be there after a loss of power: of each file what was synced, and of what was written
 * since any sectors. */
enum { SECTOR = 512, FILES_MAX = 2, IMAGES_MAX = 150 };
typedef struct synced_file {
    uint8_t *bytes;
    size_t n;
} synced_file;
static bool recording;
static synced_file synced[FILES_MAX]; /* the database, its log */
static uint64_t random_state = 5;
static atomic_ulong acknowledged_commits, acknowledged_ends;
static struct { unsigned long commits, ends; } images[IMAGES_MAX];
static size_t n_images;

static int which_file(const char *name) {
    const size_t n = name ? strlen(name) : 0;
    if (n > 11 && strcmp(name + n - 11, "receipts.db") == 0) {
        return 0;
    }
    return n > 15 && strcmp(name + n - 15, "receipts.db-wal") == 0 ? 1 : -1;
}

static uint8_t *read_whole(const char *name, size_t *n) {
    FILE *f = fopen(name, "rb");
    *n = 0;
    if (!f) {
        return NULL;
    }
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    uint8_t *bytes = malloc(*n + 1);
    if (!bytes || fread(bytes, 1, *n, f) != *n) {
        abort();
    }
    fclose(f);
    return bytes;
}

static const char *image_path(size_t image, const char *suffix) {
    static char name[160];
    snprintf(name, sizeof name, "%s/image-%zu/receipts.db%s", dir, image, suffix);
    return name;
}

static void write_image(int file) {
    size_t n;
    uint8_t *now = read_whole(temp_path(dir, file ? "receipts.db-wal" : "receipts.db"), &n);
    const synced_file *old = &synced[file];
    /* A length that changed is either one; a hole reads as zeros. */
    const size_t length = n == old->n || vb_test_random(&random_state) % 2 ? n : old->n;
    uint8_t *mixed = calloc(1, length + 1);
    for (size_t at = 0; at < length; at += SECTOR) {
        const uint8_t *from = vb_test_random(&random_state) % 2 ? now : old->bytes;
        const size_t from_n = from == now ? n : old->n;
        if (at < from_n) {
            const size_t end = at + SECTOR < length ? at + SECTOR : length;
            memcpy(mixed + at, from + at, (end < from_n ? end : from_n) - at);
        }
    }
    temp_write(image_path(n_images, file ? "-wal" : ""), mixed, length, 0600);
    free(mixed);
    free(now);
}

/* After an operation, while the disk is held. */
static void maybe_lose_power(void) {
    if (recording && n_images < IMAGES_MAX && vb_test_random(&random_state) % 149 == 0) {
        char name[128];
        images[n_images].commits = atomic_load(&acknowledged_commits);
        images[n_images].ends = atomic_load(&acknowledged_ends);
        snprintf(name, sizeof name, "%s/image-%zu", dir, n_images);
        if (mkdir(name, 0700)) {
            abort();
        }
        write_image(0);
        write_image(1);
        n_images++;
    }
}

static sqlite3_file *real_of(sqlite3_file *f) {
    return ((shim_file *)f)->real;
}

static int shim_write(sqlite3_file *f, const void *bytes, int n, sqlite3_int64 at) {
    pthread_mutex_lock(&disk);
    int rc;
    if (fails_now(false)) {
        /* Half of it may have come to the disk. */
        (void)real_of(f)->pMethods->xWrite(real_of(f), bytes, n / 2, at);
        rc = armed == FAULT_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    } else {
        rc = real_of(f)->pMethods->xWrite(real_of(f), bytes, n, at);
        maybe_lose_power();
    }
    pthread_mutex_unlock(&disk);
    return rc;
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 n) {
    pthread_mutex_lock(&disk);
    const int rc =
        fails_now(false) ? SQLITE_IOERR_TRUNCATE : real_of(f)->pMethods->xTruncate(real_of(f), n);
    maybe_lose_power();
    pthread_mutex_unlock(&disk);
    return rc;
}

static int shim_sync(sqlite3_file *f, int flags) {
    const int file = which_file(((shim_file *)f)->name);
    (void)flags; /* the disk is played: nothing here has to wait for the real one */
    pthread_mutex_lock(&disk);
    const int rc = fails_now(true) ? SQLITE_IOERR_FSYNC : SQLITE_OK;
    if (rc == SQLITE_OK && recording && file >= 0) {
        free(synced[file].bytes);
        synced[file].bytes = read_whole(((shim_file *)f)->name, &synced[file].n);
    }
    maybe_lose_power();
    pthread_mutex_unlock(&disk);
    return rc;
}

static int shim_close(sqlite3_file *f) {
    return real_of(f)->pMethods->xClose(real_of(f));
}
static int shim_read(sqlite3_file *f, void *bytes, int n, sqlite3_int64 at) {
    return real_of(f)->pMethods->xRead(real_of(f), bytes, n, at);
}
static int shim_size(sqlite3_file *f, sqlite3_int64 *n) {
    return real_of(f)->pMethods->xFileSize(real_of(f), n);
}
static int shim_lock(sqlite3_file *f, int kind) {
    return real_of(f)->pMethods->xLock(real_of(f), kind);
}
static int shim_unlock(sqlite3_file *f, int kind) {
    return real_of(f)->pMethods->xUnlock(real_of(f), kind);
}
static int shim_reserved(sqlite3_file *f, int *out) {
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}
static int shim_control(sqlite3_file *f, int op, void *arg) {
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}
static int shim_sector(sqlite3_file *f) {
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}
/* Nothing is promised of a power cut: writes may be torn and come in any order. */
static int shim_device(sqlite3_file *f) {
    (void)f;
    return 0;
}
static int shim_shm_map(sqlite3_file *f, int page, int n, int extend, void volatile **out) {
    return real_of(f)->pMethods->xShmMap(real_of(f), page, n, extend, out);
}
static int shim_shm_lock(sqlite3_file *f, int offset, int n, int flags) {
    return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}
static void shim_shm_barrier(sqlite3_file *f) {
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}
static int shim_shm_unmap(sqlite3_file *f, int remove_it) {
    return real_of(f)->pMethods->xShmUnmap(real_of(f), remove_it);
}

static const sqlite3_io_methods shim_methods = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_reserved,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector,
    .xDeviceCharacteristics = shim_device,
    .xShmMap = shim_shm_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_shm_barrier,
    .xShmUnmap = shim_shm_unmap,
};

static int shim_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out) {
    shim_file *x = (shim_file *)f;
    (void)v;
    const int rc = system_vfs->xOpen(system_vfs, name, x->real, flags, out);
    x->base.pMethods = rc == SQLITE_OK ? &shim_methods : NULL;
    x->name = name;
    return rc;
}

static int make_shim(void **state) {
    static sqlite3_vfs shim;
    system_vfs = sqlite3_vfs_find(NULL);
    shim = *system_vfs;
    shim.pNext = NULL;
    shim.zName = "shim";
    shim.szOsFile = (int)sizeof(shim_file) + system_vfs->szOsFile;
    shim.xOpen = shim_open;
    assert_int_equal(sqlite3_vfs_register(&shim, 1), SQLITE_OK);
    return make_dir(state);
}

/* What the callers of a run were told. */
typedef struct told {
    uint64_t last;
    vb_store_state ends[8]; /* by number */
} told;

static void settle(vb_store *s, vb_receipt *r, bool as_receipt, told *t) {
    const uint64_t n = r->request.sequence;
    if (as_receipt) {
        finish_receipt(r);
        if (vb_store_receipt(s, r, &e) == VB_OK) {
            t->ends[n] = VB_STORE_RECEIPT;
            return;
        }
        assert_true(e.code == VB_EIO);
    }
    vb_err err = vb_store_abort(s, r, VB_ABORT_FAILED, &e);
    assert_true(err == VB_OK || err == VB_EIO);
    t->ends[n] = err ? VB_STORE_OPEN : VB_STORE_ABORT;
}

static void work(told *t) {
    static const vb_store_options keep = {.keep_bytes = 3000, .journal = true};
    vb_store *s;
    vb_err err = vb_store_open(path, key, &keep, &s, NULL, &e);
    if (err) {
        assert_int_equal(err, VB_EIO);
        return;
    }
    for (int i = 0; i < 4; i++) {
        vb_receipt r;
        fill_request(&r, "vr");
        err = vb_store_commit(s, &r, &e);
        assert_true(err == VB_OK || err == VB_EIO);
        if (!err) {
            assert_int_equal(r.request.sequence, t->last + 1);
            t->last++;
            settle(s, &r, i != 1, t);
        } else {
            assert_int_equal(r.request.sequence, 0);
        }
        vb_receipt_free(&r);
    }
    err = vb_store_retain(s, NULL, &e);
    assert_true(err == VB_OK || err == VB_EIO);
    vb_store_close(s);
}

static void check(const told *t) {
    vb_store_entry entry;
    size_t n_lost;
    vb_store *s = open_store(NULL, &n_lost);
    const tally all = tally_all(s);
    /* Of a transaction that was told to have failed, the disk may have all the same: a commitment
     * that nobody has seen is then lost, and a settlement that was tried counts. */
    assert_true(all.last == t->last || all.last == t->last + 1);
    assert_int_equal(all.by_state[VB_STORE_OPEN], 0);
    if (all.last > t->last) {
        MUST(vb_store_by_sequence(s, NULL, all.last, &entry, NULL, NULL, &e), &e);
        assert_int_equal(entry.reason, VB_ABORT_LOST);
    }
    for (uint64_t n = 1; n <= t->last; n++) {
        MUST(vb_store_by_sequence(s, NULL, n, &entry, NULL, NULL, &e), &e);
        assert_true(t->ends[n] == VB_STORE_OPEN || entry.state == t->ends[n]);
    }
    assert_int_equal(add_receipt(s, "after"), all.last + 1);
    vb_store_journal j;
    MUST(vb_store_journal_get(s, &j, &e), &e);
    if (j.on) { /* else it was not even begun */
        audit_journal(s);
    }
    vb_store_close(s);
}

/* Each write, or each sync, of a store's life in turn; then the disk works again. */
static void fail_each(fault kind, long at_least) {
    long nth = 0;
    for (;; nth++) {
        told t = {.last = 0};
        clear_dir(NULL);
        armed = kind;
        until_fault = nth;
        fired = false;
        work(&t);
        armed = FAULT_NONE;
        check(&t);
        if (!fired) {
            break;
        }
    }
    print_message("%ld faults\n", nth);
    assert_true(nth >= at_least);
}

static void each_write_fails(void **state) {
    (void)state;
    fail_each(FAULT_WRITE, 100);
}

static void disk_full_from_each_write_on(void **state) {
    (void)state;
    fail_each(FAULT_FULL, 100);
}

static void each_sync_fails(void **state) {
    (void)state;
    fail_each(FAULT_SYNC, 10);
}

/* Opening and recovery too: a store that a dead process has left. */
static void faults_in_recovery(void **state) {
    (void)state;
    const vb_store_options with_journal = {.journal = true};
    long nth = 0;
    for (;; nth++) {
        vb_receipt r;
        vb_store *s;
        clear_dir(NULL);
        s = open_store(&with_journal, NULL);
        for (int i = 0; i < 3; i++) {
            fill_request(&r, "vr");
            MUST(vb_store_commit(s, &r, &e), &e);
            vb_receipt_free(&r);
        }
        vb_store_close(s);
        armed = FAULT_WRITE;
        until_fault = nth;
        fired = false;
        size_t n_lost = 0;
        vb_err err = vb_store_open(path, key, NULL, &s, &n_lost, &e);
        armed = FAULT_NONE;
        if (!err) {
            assert_int_equal(n_lost, 3);
            vb_store_close(s);
        } else {
            assert_int_equal(err, VB_EIO);
        }
        s = open_store(NULL, &n_lost);
        assert_int_equal(n_lost, err ? 3 : 0);
        assert_int_equal(tally_all(s).by_state[VB_STORE_ABORT], 3);
        audit_journal(s);
        vb_store_close(s);
        if (!fired) {
            break;
        }
    }
    assert_true(nth > 5);
}

static void power_loss(void **state) {
    (void)state;
    vb_store *s = open_store(NULL, NULL);
    vb_store_close(s); /* whole and synced, as vb_store_create leaves it */
    synced[0].bytes = read_whole(path, &synced[0].n);
    recording = true;
    const vb_store_options keep = {.keep_bytes = 100000, .journal = true};
    s = open_store(&keep, NULL);
    for (unsigned i = 0; i < 600; i++) {
        vb_receipt r;
        fill_request(&r, "vr");
        MUST(vb_store_commit(s, &r, &e), &e);
        atomic_fetch_add(&acknowledged_commits, 1);
        finish_receipt(&r);
        MUST(vb_store_receipt(s, &r, &e), &e);
        atomic_fetch_add(&acknowledged_ends, 1);
        vb_receipt_free(&r);
    }
    recording = false;
    vb_store_close(s);
    assert_true(n_images > 50);
    for (size_t i = 0; i < n_images; i++) {
        vb_store *after;
        size_t n_lost;
        MUST(vb_store_open(image_path(i, ""), key, NULL, &after, &n_lost, &e), &e);
        const tally t = tally_all(after);
        assert_true(t.last >= images[i].commits && t.last <= images[i].commits + 1);
        assert_true(t.by_state[VB_STORE_RECEIPT] >= images[i].ends);
        assert_int_equal(t.by_state[VB_STORE_RECEIPT] + n_lost, t.last);
        vb_store_journal j;
        MUST(vb_store_journal_get(after, &j, &e), &e);
        assert_true(j.on || t.last == 0);
        if (j.on) {
            audit_journal(after);
        }
        vb_store_close(after);
    }
    print_message("%zu losses of power, the last after %lu receipts\n", n_images,
                  images[n_images - 1].ends);
    free(synced[0].bytes);
    free(synced[1].bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_write_fails, clear_dir),
        cmocka_unit_test_setup(disk_full_from_each_write_on, clear_dir),
        cmocka_unit_test_setup(each_sync_fails, clear_dir),
        cmocka_unit_test_setup(faults_in_recovery, clear_dir),
        cmocka_unit_test_setup(power_loss, clear_dir),
    };
    return cmocka_run_group_tests(tests, make_shim, remove_dir);
}
