/* Allocations of each call fail in turn: an error and nothing recorded, or what was asked for;
 * and memory stays as it is over very many records. */
#include <jansson.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "unit/store/journal_test.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static atomic_long until_failure = -1; /* allocations that still succeed; -1: all */

/* The writer's thread allocates too. */
static bool fails_now(void) {
    long n = atomic_load(&until_failure);
    while (n >= 0 && !atomic_compare_exchange_weak(&until_failure, &n, n - 1)) {
    }
    return n == 0;
}

void *__wrap_malloc(size_t n) {
    return fails_now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size) {
    return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n) {
    return fails_now() ? NULL : __real_realloc(p, n);
}

/* SQLite and jansson are shared libraries, which --wrap does not reach. */
static sqlite3_mem_methods system_memory;

static void *sqlite_malloc(int n) {
    return fails_now() ? NULL : system_memory.xMalloc(n);
}

static void *sqlite_realloc(void *p, int n) {
    return fails_now() ? NULL : system_memory.xRealloc(p, n);
}

static void *json_malloc(size_t n) {
    return __wrap_malloc(n);
}

static void json_free(void *p) {
    free(p);
}

static vb_store *store;
static vb_receipt r;
static vb_error e;
static const vb_store_options with_journal = {.journal = true};

typedef struct attempt {
    const char *name;
    void (*before)(void);     /* may be NULL; memory does not fail */
    vb_err (*call)(void);     /* memory fails */
    void (*after)(bool done); /* looks at what is there; memory does not fail */
    long at_least;
} attempt;

static uint64_t last_sequence(void) {
    vb_store_entry newest;
    size_t n;
    MUST(vb_store_list(store, &(vb_store_filter){.before = 0}, &newest, 1, &n, &e), &e);
    return n ? newest.sequence : 0;
}

static vb_store_state state_of(uint64_t sequence) {
    vb_store_entry entry;
    MUST(vb_store_by_sequence(store, NULL, sequence, &entry, NULL, NULL, &e), &e);
    return entry.state;
}

static uint64_t expected_last;

static void fill(void) {
    vb_receipt_free(&r);
    fill_request(&r, "vr");
    expected_last = last_sequence();
}

static vb_err commit(void) {
    return vb_store_commit(store, &r, &e);
}

static void after_commit(bool done) {
    assert_int_equal(last_sequence(), expected_last + done);
    assert_int_equal(r.request.sequence, done ? expected_last + 1 : 0);
    if (done) {
        MUST(vb_store_abort(store, &r, VB_ABORT_CANCELLED, &e), &e);
    }
}

static void commit_before(void) {
    fill();
    MUST(vb_store_commit(store, &r, &e), &e);
    finish_receipt(&r);
}

static vb_err settle_receipt(void) {
    return vb_store_receipt(store, &r, &e);
}

static vb_err settle_abort(void) {
    return vb_store_abort(store, &r, VB_ABORT_FAILED, &e);
}

static void after_settling(bool done) {
    const vb_store_state found = state_of(r.request.sequence);
    assert_true(done ? found != VB_STORE_OPEN : found == VB_STORE_OPEN);
    if (!done) {
        MUST(vb_store_abort(store, &r, VB_ABORT_CANCELLED, &e), &e);
    }
}

static vb_err read_all(void) {
    vb_store_entry out[4];
    vb_store_counts counts;
    size_t n;
    vb_buf bytes = vb_buf_make(1 << 20);
    vb_err err = vb_store_list(store, &(vb_store_filter){.before = 0}, out, 4, &n, &e);
    if (!err && !(err = vb_store_by_sequence(store, NULL, 1, out, &bytes, NULL, &e)) &&
        !(err = vb_store_by_id(store, "vr", out, &bytes, NULL, &e))) {
        err = vb_store_count(store, &counts, &e);
    }
    vb_buf_free(&bytes);
    return err;
}

static vb_err retain(void) {
    return vb_store_retain(store, NULL, &e);
}

static void close_store(void) {
    vb_store_close(store);
    store = NULL;
}

static vb_err open_it(void) {
    return vb_store_open(path, key, &with_journal, &store, NULL, &e);
}

static void after_opening(bool done) {
    assert_true(done == (store != NULL));
    if (!done) {
        store = open_store(&with_journal, NULL);
    }
}

/* A store that leaves something behind. */
static void leave(void) {
    fill();
    MUST(vb_store_commit(store, &r, &e), &e);
    close_store();
}

static void after_recovery(bool done) {
    after_opening(done);
    assert_int_equal(state_of(r.request.sequence), VB_STORE_ABORT);
}

static void forget(void) {
    close_store();
    clear_dir(NULL);
}

enum { EACH = 800, STRIDE = 61 };

static void fail_each(const attempt *a) {
    long nth = 0;
    /* All of the first, and of thousands in an opening, which checks all tables, some. */
    for (;; nth += nth < EACH ? 1 : STRIDE) {
        if (a->before) {
            a->before();
        }
        atomic_store(&until_failure, nth);
        const vb_err err = a->call();
        const bool fired = atomic_exchange(&until_failure, -1) < 0;
        /* Some wants of memory SQLite makes up for; jansson's look like malformed text. */
        assert_true(err == VB_OK || err == VB_ENOMEM || err == VB_EFORMAT || err == VB_EIO ||
                    err == VB_EINTERNAL);
        assert_true(fired || err == VB_OK);
        if (a->after) {
            a->after(err == VB_OK);
        }
        if (!fired) {
            break;
        }
    }
    print_message("%s: %ld allocations\n", a->name, nth);
    assert_true(nth >= a->at_least);
}

static void each_allocation(void **state) {
    static const attempt attempts[] = {
        {"commit", fill, commit, after_commit, 50},
        {"receipt", commit_before, settle_receipt, after_settling, 50},
        {"abort", commit_before, settle_abort, after_settling, 50},
        {"read", NULL, read_all, NULL, 10},
        {"retain", NULL, retain, NULL, 0},
        {"open", close_store, open_it, after_opening, 50},
        {"recover", leave, open_it, after_recovery, 100},
        {"create", forget, open_it, after_opening, 50},
    };
    (void)state;
    vb_receipt_init(&r);
    store = open_store(&with_journal, NULL);
    add_receipt(store, "vr");
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
        fail_each(&attempts[i]);
        audit_journal(store); /* an entry where there is a record, and nowhere else */
    }
    vb_receipt_free(&r);
    close_store();
    store = open_store(&with_journal, NULL);
    close_store();
}

/* AddressSanitizer keeps what was freed: its memory grows, whatever the store's does. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS_FREED_MEMORY 1
#endif
#endif
#ifndef KEEPS_FREED_MEMORY
#define KEEPS_FREED_MEMORY 0
#endif

static size_t resident_bytes(void) {
    unsigned long all, resident;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu %lu", &all, &resident), 2);
    fclose(f);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static vb_err look(void *user, const vb_store_entry *entry, const uint8_t *bytes, vb_error *err) {
    (void)bytes;
    (void)err;
    *(uint64_t *)user += entry->sequence;
    return VB_OK;
}

static void flat(void **state) {
    enum { RECORDS = 100000, WARM = 5000 };
    (void)state;
    const char *many = getenv("VB_STORE_RECORDS");
    const unsigned long n = many ? strtoul(many, NULL, 10) : RECORDS / 10;
    const vb_store_options keep = {.keep_bytes = 1 << 24};
    vb_store *s = open_store(&keep, NULL);
    size_t before = 0;
    uint64_t sum = 0;
    for (unsigned long i = 0; i < n; i++) {
        add_receipt(s, "vr");
        if (i == WARM) {
            before = resident_bytes();
        }
    }
    MUST(vb_store_each(s, NULL, look, &sum, &e), &e);
    assert_int_equal(sum, (uint64_t)n * (n + 1) / 2);
    const size_t after = resident_bytes();
    print_message("%lu records: %zu KiB after %d, %zu KiB at the end\n", n, before / 1024, WARM,
                  after / 1024);
    assert_true(KEEPS_FREED_MEMORY || n <= WARM || after < before + (24u << 20));
    vb_store_counts counts;
    MUST(vb_store_count(s, &counts, &e), &e);
    assert_int_equal(counts.housekeeping_failures, 0);
    vb_store_close(s);
}

/* In memory where there is such a folder: what is looked at here is not the disk. */
static int make_fast_dir(void **state) {
    char fast[64] = "/dev/shm/verbatim-test-XXXXXX";
    const int rc = make_dir(state);
    if (!rc && mkdtemp(fast)) {
        temp_dir_remove(dir);
        memcpy(dir, fast, sizeof dir);
        snprintf(path, sizeof path, "%s/receipts.db", dir);
    }
    return rc;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_allocation, clear_dir),
        cmocka_unit_test_setup(flat, clear_dir),
    };
    json_set_alloc_funcs(json_malloc, json_free);
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &system_memory)) {
        return 1;
    }
    sqlite3_mem_methods failing = system_memory;
    failing.xMalloc = sqlite_malloc;
    failing.xRealloc = sqlite_realloc;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &failing)) {
        return 1;
    }
    return cmocka_run_group_tests(tests, make_fast_dir, remove_dir);
}
