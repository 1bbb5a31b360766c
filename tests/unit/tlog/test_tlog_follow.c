/* A follower's mirror: it is the log, whatever the connection does meanwhile; and a log that shows
 * two histories, or entries that break a rule, is convicted by a file that holds by itself. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tlog/convict.h"
#include "tlog/folder.h"
#include "tlog/follow.h"
#include "unit/crypto/temp_dir.h"
#include "unit/tlog/made_log.h"

static char dir[64];
static vb_ed25519_key *key;

static int begin(void **state) {
    (void)state;
    temp_dir_make(dir);
    key = made_key(1);
    return 0;
}

static int end(void **state) {
    (void)state;
    temp_dir_remove(dir);
    vb_ed25519_close(key);
    return 0;
}

/* A log that is served: a folder, and a connection that breaks every nth time. */
typedef struct served {
    const char *folder;
    unsigned break_every, n_reads;
    const char *changed; /* this file gets another byte on the way */
} served;

static vb_err serve(void *user, const char *path, size_t bytes_max, vb_buf *out, bool *absent,
                    vb_error *e) {
    served *s = user;
    if (s->break_every && ++s->n_reads % s->break_every == 0) {
        return vb_fail(e, VB_EIO, "the connection broke");
    }
    char whole[512];
    snprintf(whole, sizeof whole, "%s/%s/%s", dir, s->folder, path);
    if (access(whole, F_OK) != 0) {
        *absent = true;
        return vb_fail(e, VB_EIO, "%s: 404", path);
    }
    size_t n;
    uint8_t *bytes = vb_test_read(whole, &n);
    assert_true(n <= bytes_max);
    if (s->changed && strcmp(s->changed, path) == 0) {
        bytes[n / 2] ^= 1;
    }
    assert_int_equal(vb_buf_append(out, bytes, n), VB_OK);
    free(bytes);
    return VB_OK;
}

static vb_tlog_follower *open_follower(served *s, const char *mirror) {
    const vb_tlog_follower_options options = {.log = NULL};
    vb_tlog_follower *f = NULL;
    vb_error e = {VB_OK, ""};
    if (vb_tlog_follower_open(temp_path(dir, mirror), serve, s, "https://log", &options, &f, &e)) {
        fail_msg("%s", e.msg);
    }
    return f;
}

static vb_tlog_step step(vb_tlog_follower *f) {
    vb_tlog_step out;
    vb_error e = {VB_OK, ""};
    if (vb_tlog_follower_step(f, &out, &e)) {
        fail_msg("%s", e.msg);
    }
    return out;
}

static void same_file(const char *one, const char *other, const char *path) {
    char whole[512];
    size_t n, n_other;
    snprintf(whole, sizeof whole, "%s/%s/%s", dir, one, path);
    uint8_t *bytes = vb_test_read(whole, &n);
    snprintf(whole, sizeof whole, "%s/%s/%s", dir, other, path);
    uint8_t *others = vb_test_read(whole, &n_other);
    assert_int_equal(n, n_other);
    assert_memory_equal(bytes, others, n);
    free(bytes);
    free(others);
}

static void follows(void **state) {
    (void)state;
    static const uint64_t sizes[] = {1, 200, 256, 700, 701, 20000};
    served s = {.folder = "log"};
    vb_tlog_writer *w = made_open(temp_path(dir, "log"), key);
    vb_tlog_follower *f = open_follower(&s, "mirror");
    assert_int_equal(step(f).followed, VB_TLOG_FOLLOWED_GREW); /* to an empty log */
    assert_int_equal(step(f).followed, VB_TLOG_FOLLOWED_SAME);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        made_publish(w, key, sizes[i]);
        if (i % 2) {
            vb_tlog_follower_close(f);
            f = open_follower(&s, "mirror");
        }
        const vb_tlog_step x = step(f);
        assert_int_equal(x.followed, VB_TLOG_FOLLOWED_GREW);
        assert_int_equal(x.size_before, i ? sizes[i - 1] : 0);
        assert_int_equal(x.size, sizes[i]);
        assert_int_equal(step(f).followed, VB_TLOG_FOLLOWED_SAME);
        same_file("log", "mirror", "checkpoint");
        same_file("log", "mirror", "log.json");
    }
    same_file("log", "mirror", "tile/0/077");
    same_file("log", "mirror", "tile/entries/078.p/32");
    same_file("log", "mirror", "tile/1/000.p/78");
    vb_tlog_follower_close(f);
    /* The mirror is a log that can be followed. */
    served again = {.folder = "mirror"};
    f = open_follower(&again, "second");
    assert_int_equal(step(f).size, 20000);
    vb_tlog_follower_close(f);
    vb_tlog_writer_close(w);
}

/* A connection that breaks again and again; sometimes the follower dies, too. */
static void broken_connection(void **state) {
    (void)state;
    vb_tlog_writer *w = made_open(temp_path(dir, "log"), key);
    made_publish(w, key, 3000);
    served s = {.folder = "log", .break_every = 5};
    vb_tlog_step x = {.size = 0};
    vb_tlog_follower *f = NULL;
    unsigned failures = 0;
    for (unsigned i = 0; x.followed != VB_TLOG_FOLLOWED_GREW || x.size < 5000; i++) {
        vb_error e = {VB_OK, ""};
        const vb_tlog_follower_options options = {.log = vb_tlog_writer_key(w)};
        assert_true(i < 200);
        if (!f &&
            vb_tlog_follower_open(temp_path(dir, "mirror"), serve, &s, "log", &options, &f, &e)) {
            failures++;
            continue;
        }
        if (vb_tlog_follower_step(f, &x, &e)) {
            assert_int_equal(e.code, VB_EIO);
            assert_true(vb_tlog_follower_may_retry(f));
            failures++;
        }
        if (i == 5) { /* the log grows while its first checkpoint is still being read */
            made_publish(w, key, 5000);
        }
        if (i == 2) {
            vb_tlog_follower_close(f);
            f = NULL;
        }
    }
    assert_true(failures > 3);
    same_file("log", "mirror", "checkpoint");
    same_file("log", "mirror", "tile/entries/018");
    vb_tlog_follower_close(f);
    vb_tlog_writer_close(w);
}

/* What a server shows that it has not signed is an error, and no part of the mirror. */
static void changed_on_the_way(void **state) {
    (void)state;
    static const char *const paths[] = {
        "checkpoint",     "log.json",         "tile/0/000",           "tile/0/002.p/88",
        "tile/1/000.p/2", "tile/entries/001", "tile/entries/002.p/88"};
    vb_tlog_writer *w = made_open(temp_path(dir, "log"), key);
    made_publish(w, key, 600);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        served s = {.folder = "log", .changed = paths[i]};
        const vb_tlog_follower_options options = {.log = vb_tlog_writer_key(w)};
        char mirror[16];
        vb_tlog_follower *f;
        vb_tlog_step x;
        vb_error e = {VB_OK, ""};
        snprintf(mirror, sizeof mirror, "mirror%zu", i);
        vb_err err =
            vb_tlog_follower_open(temp_path(dir, mirror), serve, &s, "log", &options, &f, &e);
        if (!err) {
            err = vb_tlog_follower_step(f, &x, &e);
            assert_true(vb_tlog_follower_may_retry(f));
            assert_int_equal(vb_tlog_follower_checkpoint(f)->size, 0);
            assert_true(err == VB_EMISMATCH || err == VB_EFORMAT);
            s.changed = NULL;
            assert_int_equal(step(f).size, 600);
            vb_tlog_follower_close(f);
        }
        assert_true(err != VB_OK);
    }
    vb_tlog_writer_close(w);
}

/* The file that was left holds by itself: it is read and checked as anybody would. */
static void check_evidence(const char *mirror, const vb_tlog_step *x, vb_tlog_charge charge,
                           vb_tlog_rule rule) {
    char path[256];
    size_t n;
    vb_tlog_evidence ev;
    vb_tlog_finding finding;
    vb_error e = {VB_OK, ""};
    assert_int_equal(x->followed, VB_TLOG_FOLLOWED_CONVICTED);
    snprintf(path, sizeof path, "%s/%s/%s", dir, mirror, x->evidence);
    uint8_t *bytes = vb_test_read(path, &n);
    assert_int_equal(vb_tlog_evidence_decode(bytes, n, &ev, &e), VB_OK);
    free(bytes);
    if (vb_tlog_evidence_check(&ev, &finding, &e)) {
        fail_msg("%s", e.msg);
    }
    assert_int_equal(finding.charge, charge);
    assert_int_equal(finding.offence.rule, rule);
    uint8_t public_key[VB_ED25519_PUBLIC_BYTES];
    vb_ed25519_public(key, public_key);
    assert_memory_equal(ev.key.public_key, public_key, sizeof public_key);
    vb_tlog_evidence_free(&ev);
}

/* An entry of a log that is not what it claims to be. */
typedef struct planned {
    vb_tlog_kind kind; /* 0: bytes that are no entry */
    uint64_t sequence;
    unsigned variant;
    uint8_t signer;
} planned;

/* Signs whatever it is told: the log of a server that breaks rules. n made entries, then those. */
static void write_badly(const char *name, uint64_t n, const planned *entries, size_t n_entries) {
    vb_tlog_info info = {.publish_within_s = 60, .settle_within_s = 60};
    const vb_tlog_folder_options options = {.info = &info, .mirror = true};
    uint8_t public_key[VB_ED25519_PUBLIC_BYTES];
    vb_tlog_folder *f;
    vb_error e = {VB_OK, ""};
    vb_ed25519_public(key, public_key);
    assert_int_equal(
        vb_tlog_key_make("example.com/log", VB_TLOG_SIGNER_LOG, public_key, &info.key, &e), VB_OK);
    assert_int_equal(vb_tlog_folder_open(temp_path(dir, name), &options, &f, &e), VB_OK);
    for (uint64_t i = 0; i < n + n_entries; i++) {
        vb_buf entry;
        const planned *p = i < n ? NULL : &entries[i - n];
        vb_ed25519_key *signer = made_key(p && p->signer ? p->signer : 1);
        if (!p) {
            made_index(signer, i, &entry);
        } else if (p->kind) {
            made_entry(signer, p->kind, p->sequence, p->variant, &entry);
        } else {
            entry = vb_buf_make(64);
            assert_int_equal(vb_buf_append(&entry, "{\"no\":\"entry\"}", 14), VB_OK);
        }
        vb_ed25519_close(signer);
        assert_int_equal(vb_tlog_folder_append(f, entry.data, entry.len, &e), VB_OK);
        vb_buf_free(&entry);
    }
    vb_tlog_checkpoint head;
    vb_buf note = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    vb_tlog_folder_head(f, &head);
    assert_int_equal(vb_tlog_checkpoint_sign(&head, key, &note, &e), VB_OK);
    assert_int_equal(vb_tlog_folder_commit(f, note.data, note.len, &e), VB_OK);
    vb_buf_free(&note);
    vb_tlog_folder_close(f);
}

/* Each rule, broken after 400 sound entries (numbers 1 to 200): the mirror stays without it. */
static void broken_rules(void **state) {
    (void)state;
    static const struct {
        vb_tlog_rule rule;
        size_t n;
        planned entries[5];
    } logs[] = {
        {VB_TLOG_RULE_MALFORMED, 1, {{0, 0, 0, 0}}},
        {VB_TLOG_RULE_SIGNATURE, 1, {{VB_TLOG_COMMITMENT, 201, 0, 2}}},
        {VB_TLOG_RULE_GAP, 1, {{VB_TLOG_COMMITMENT, 202, 0, 0}}},
        {VB_TLOG_RULE_GAP, 1, {{VB_TLOG_COMMITMENT, 200, 1, 0}}},
        {VB_TLOG_RULE_GAP,
         3,
         {{VB_TLOG_COMMITMENT, 201, 0, 0},
          {VB_TLOG_RECEIPT, 201, 0, 0},
          {VB_TLOG_COMMITMENT, 7, 0, 0}}},
        {VB_TLOG_RULE_SETTLED_TWICE, 1, {{VB_TLOG_RECEIPT, 3, 1, 0}}},
        {VB_TLOG_RULE_SETTLED_BEFORE,
         2,
         {{VB_TLOG_RECEIPT, 201, 0, 0}, {VB_TLOG_COMMITMENT, 201, 0, 0}}},
        {VB_TLOG_RULE_SETTLED_ANOTHER,
         3,
         {{VB_TLOG_COMMITMENT, 201, 1, 0},
          {VB_TLOG_COMMITMENT, 202, 0, 0},
          {VB_TLOG_RECEIPT, 201, 0, 0}}},
    };
    for (size_t i = 0; i < sizeof logs / sizeof logs[0]; i++) {
        char name[16], mirror[16];
        snprintf(name, sizeof name, "log%zu", i);
        snprintf(mirror, sizeof mirror, "mirror%zu", i);
        write_badly(name, 400, logs[i].entries, logs[i].n);
        served s = {.folder = name};
        vb_tlog_follower *f = open_follower(&s, mirror);
        const vb_tlog_step x = step(f);
        check_evidence(mirror, &x, VB_TLOG_CHARGE_ENTRIES, logs[i].rule);
        assert_non_null(strstr(x.text, vb_tlog_rule_name(logs[i].rule)));
        assert_int_equal(vb_tlog_follower_checkpoint(f)->size, 0);
        vb_tlog_follower_close(f);
    }
}

/* A settlement whose commitment never comes: no few entries show it. */
static void only_the_whole_log(void **state) {
    (void)state;
    const planned entries[] = {{VB_TLOG_RECEIPT, 201, 0, 0}};
    write_badly("log", 400, entries, 1);
    served s = {.folder = "log"};
    vb_tlog_follower *f = open_follower(&s, "mirror");
    const vb_tlog_step x = step(f);
    assert_int_equal(x.followed, VB_TLOG_FOLLOWED_CONVICTED);
    assert_string_equal(x.evidence, "");
    assert_non_null(strstr(x.text, "settled-before"));
    vb_tlog_follower_close(f);
}

/* Two histories: the second differs in its entry 400, and is shorter, as long, or longer. */
static void forks(void **state) {
    (void)state;
    static const uint64_t more[] = {1, 100, 200, 201, 700};
    const planned other[] = {{VB_TLOG_COMMITMENT, 201, 1, 0}};
    vb_tlog_writer *w = made_open(temp_path(dir, "log"), key);
    made_publish(w, key, 600);
    vb_tlog_writer_close(w);
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        char name[16], mirror[16];
        planned *entries = calloc(more[i], sizeof *entries);
        entries[0] = other[0];
        for (uint64_t j = 1; j < more[i]; j++) {
            entries[j] = (planned){VB_TLOG_COMMITMENT, 201 + j, 0, 0};
        }
        snprintf(name, sizeof name, "other%zu", i);
        snprintf(mirror, sizeof mirror, "mirror%zu", i);
        write_badly(name, 400, entries, more[i]);
        free(entries);
        served s = {.folder = "log"};
        vb_tlog_follower *f = open_follower(&s, mirror);
        assert_int_equal(step(f).followed, VB_TLOG_FOLLOWED_GREW);
        s.folder = name;
        const vb_tlog_step x = step(f);
        check_evidence(mirror, &x, VB_TLOG_CHARGE_FORK, VB_TLOG_RULE_NONE);
        vb_tlog_follower_close(f);
        same_file("log", mirror, "checkpoint"); /* the mirror is what it was */
        s.folder = "log";
        f = open_follower(&s, mirror);
        assert_int_equal(step(f).followed, VB_TLOG_FOLLOWED_SAME);
        vb_tlog_follower_close(f);
    }
}

static void rolled_back(void **state) {
    (void)state;
    write_badly("old", 300, NULL, 0);
    write_badly("log", 600, NULL, 0);
    served s = {.folder = "log"};
    vb_tlog_follower *f = open_follower(&s, "mirror");
    assert_int_equal(step(f).followed, VB_TLOG_FOLLOWED_GREW);
    s.folder = "old";
    const vb_tlog_step x = step(f);
    assert_int_equal(x.followed, VB_TLOG_FOLLOWED_ROLLED_BACK);
    assert_int_equal(x.size_before, 600);
    assert_int_equal(x.size, 300);
    vb_tlog_follower_close(f);
    char path[256];
    size_t n;
    snprintf(path, sizeof path, "%s/mirror/%s", dir, x.evidence);
    uint8_t *note = vb_test_read(path, &n), *old;
    size_t n_old;
    snprintf(path, sizeof path, "%s/old/checkpoint", dir);
    old = vb_test_read(path, &n_old);
    assert_int_equal(n, n_old);
    assert_memory_equal(note, old, n);
    free(note);
    free(old);
    same_file("log", "mirror", "checkpoint");
}

/* A mirror of another log, or of the same with another key. */
static void another_log(void **state) {
    (void)state;
    vb_tlog_writer *w = made_open(temp_path(dir, "log"), key);
    made_publish(w, key, 10);
    vb_tlog_writer_close(w);
    vb_ed25519_key *other = made_key(2);
    w = made_open(temp_path(dir, "theirs"), other);
    made_publish(w, other, 10);
    vb_tlog_writer_close(w);
    vb_ed25519_close(other);
    served s = {.folder = "log"};
    vb_tlog_follower *f = open_follower(&s, "mirror");
    assert_int_equal(step(f).followed, VB_TLOG_FOLLOWED_GREW);
    s.folder = "theirs";
    vb_tlog_step x;
    vb_error e = {VB_OK, ""};
    assert_int_equal(vb_tlog_follower_step(f, &x, &e), VB_EMISMATCH);
    vb_tlog_follower_close(f);
    served theirs = {.folder = "theirs"};
    f = open_follower(&theirs, "mirror"); /* the mirror's own key counts */
    assert_int_equal(vb_tlog_follower_step(f, &x, &e), VB_EMISMATCH);
    vb_tlog_follower_close(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(follows, begin, end),
        cmocka_unit_test_setup_teardown(broken_connection, begin, end),
        cmocka_unit_test_setup_teardown(changed_on_the_way, begin, end),
        cmocka_unit_test_setup_teardown(broken_rules, begin, end),
        cmocka_unit_test_setup_teardown(only_the_whole_log, begin, end),
        cmocka_unit_test_setup_teardown(forks, begin, end),
        cmocka_unit_test_setup_teardown(rolled_back, begin, end),
        cmocka_unit_test_setup_teardown(another_log, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
