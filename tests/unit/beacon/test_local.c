/*
 * The local beacon: its rule against Python's hashlib, and its state: no round and no sequence
 * number is ever given out twice, whatever dies whenever.
 */
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>

#include "base/bytes.h"
#include "beacon/local.h"
#include "beacon/local_chain.h"
#include "unit/crypto/temp_dir.h"

static vb_err take_next(void *user, uint64_t last, bool *take, vb_error *e) {
    (void)e;
    *(uint64_t *)user = last + 1;
    *take = true;
    return VB_OK;
}

static vb_err take_sequence(const char *folder, uint64_t *out, vb_error *e) {
    return vb_sequence_with(folder, take_next, out, e);
}

static char dir[64];

static void make_round(vb_beacon_round *b, const char *anchor, uint64_t round, const char *value) {
    memset(b, 0, sizeof *b);
    snprintf(b->id, sizeof b->id, "local:%s", anchor);
    b->round = round;
    b->n_randomness = 32;
    assert_true(vb_hex_decode(value, b->randomness, 32));
}

static const char anchor_hex[] = "8a7d94fdfa65b51484dda29d4db0f2270cb08d6326375da51432f0867663255e";

static void rounds_of_a_known_chain(void **state) {
    static const struct {
        uint64_t round;
        const char *value;
    } rounds[] = {{1, "6a45ed1f95875ef089e441af9589d12d45173f9aa58cb267cabc7ed45712d955"},
                  {5, "10aa819b1392f72dacee4e07aa1e7735cad76d9a718c36ea651b52d3c3c385f0"},
                  {65535, "60c8986f5a228fe61a2f4971bfa3477f4a711d717ef943f456b2a69e76ec6e29"},
                  {65536, "0707070707070707070707070707070707070707070707070707070707070707"}};
    vb_beacon_round b;
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        make_round(&b, anchor_hex, rounds[i].round, rounds[i].value);
        assert_int_equal(vb_beacon_verify(&b, NULL, NULL, NULL), VB_OK);
        b.round++;
        assert_int_equal(vb_beacon_verify(&b, NULL, NULL, NULL), i < 3 ? VB_EMISMATCH : VB_EFORMAT);
        b.round -= 2;
        assert_int_equal(vb_beacon_verify(&b, NULL, NULL, NULL), i > 0 ? VB_EMISMATCH : VB_EFORMAT);
        b.round++;
        b.randomness[13] ^= 4;
        assert_int_equal(vb_beacon_verify(&b, NULL, NULL, NULL), VB_EMISMATCH);
        b.randomness[13] ^= 4;
        b.id[20] = b.id[20] == '0' ? '1' : '0';
        assert_int_equal(vb_beacon_verify(&b, NULL, NULL, NULL), VB_EMISMATCH);
    }
}

static void other_forms_are_refused(void **state) {
    vb_beacon_round b;
    vb_error e;
    (void)state;
    make_round(&b, anchor_hex, 5,
               "10aa819b1392f72dacee4e07aa1e7735cad76d9a718c36ea651b52d3c3c385f0");
    b.n_randomness = 31;
    assert_int_equal(vb_beacon_verify(&b, NULL, NULL, &e), VB_EFORMAT);
    b.n_randomness = 64;
    assert_int_equal(vb_beacon_verify(&b, NULL, NULL, &e), VB_EFORMAT);
    b.n_randomness = 32;
    b.round = UINT64_MAX;
    assert_int_equal(vb_beacon_verify(&b, NULL, NULL, &e), VB_EFORMAT);
    b.round = ((uint64_t)1 << 32) + 5;
    assert_int_equal(vb_beacon_verify(&b, NULL, NULL, &e), VB_EFORMAT);
    b.round = 5;
    b.id[6] = 'A'; /* upper case is another spelling of the same anchor */
    assert_int_equal(vb_beacon_verify(&b, NULL, NULL, &e), VB_EFORMAT);
    make_round(&b, anchor_hex, 5,
               "10aa819b1392f72dacee4e07aa1e7735cad76d9a718c36ea651b52d3c3c385f0");
    b.id[69] = 0;
    assert_int_equal(vb_beacon_verify(&b, NULL, NULL, &e), VB_EFORMAT);
    make_round(&b, anchor_hex, 5,
               "10aa819b1392f72dacee4e07aa1e7735cad76d9a718c36ea651b52d3c3c385f0");
    char proof[] = "{}";
    b.proof = proof;
    assert_int_equal(vb_beacon_verify(&b, NULL, NULL, &e), VB_EFORMAT);
    b.proof = NULL;
    assert_int_equal(vb_beacon_verify(&b, NULL, NULL, &e), VB_OK);
}

static void other_kinds_are_refused_by_name(void **state) {
    static const char *const kinds[] = {"drand", "theta", "ethereum", "nist", "mix"};
    vb_beacon_round b = {.n_randomness = 32};
    vb_error e;
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        snprintf(b.id, sizeof b.id, "%s:x", kinds[i]);
        assert_int_equal(vb_beacon_verify(&b, NULL, NULL, &e), VB_EFORMAT);
        assert_string_equal(vb_beacon_kind_name(vb_beacon_kind_of_id(b.id)), kinds[i]);
    }
    static const char *const unknown[] = {"", "local", "locals:x", "loca:x", ":", "LOCAL:x"};
    for (size_t i = 0; i < 6; i++) {
        snprintf(b.id, sizeof b.id, "%s", unknown[i]);
        assert_int_equal(vb_beacon_kind_of_id(b.id), VB_BEACON_UNKNOWN);
        assert_int_equal(vb_beacon_verify(&b, NULL, NULL, &e), VB_EUNSUPPORTED);
    }
    for (int m = VB_MODE_NEXT; m <= VB_MODE_LOCAL; m++) {
        const char *name = vb_beacon_mode_name((vb_beacon_mode)m);
        assert_int_equal(vb_beacon_mode_of_name(name), m);
        assert_non_null(strstr(vb_beacon_mode_strength((vb_beacon_mode)m), name));
    }
    assert_int_equal(vb_beacon_mode_of_name("unknown"), VB_MODE_UNKNOWN);
}

static void rounds_are_taken_once(void **state) {
    vb_local_chain *a, *b;
    vb_beacon_round r;
    char id[VB_BEACON_ID_BYTES_MAX + 1];
    struct stat st;
    (void)state;
    assert_int_equal(vb_local_chain_open(dir, &a, NULL), VB_OK);
    assert_int_equal(vb_local_chain_open(dir, &b, NULL), VB_OK); /* one folder, two users */
    for (uint64_t i = 1; i <= 6; i++) {
        assert_int_equal(vb_local_chain_take(i % 2 ? a : b, &r, NULL), VB_OK);
        assert_int_equal(r.round, i);
        assert_int_equal(vb_beacon_verify(&r, NULL, NULL, NULL), VB_OK);
        if (i == 1) {
            memcpy(id, r.id, sizeof id);
        }
        assert_string_equal(r.id, id);
    }
    vb_local_chain_close(a);
    vb_local_chain_close(b);
    assert_int_equal(vb_local_chain_open(dir, &a, NULL), VB_OK);
    assert_int_equal(vb_local_chain_take(a, &r, NULL), VB_OK);
    assert_int_equal(r.round, 7);
    vb_local_chain_close(a);
    assert_int_equal(stat(temp_path(dir, "local.state"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void write_state(uint32_t used, const char *anchor) {
    char text[512];
    int n =
        snprintf(text, sizeof text, "verbatim.local.v1\nsecret %s\nanchor %s\nused %u\n",
                 "0707070707070707070707070707070707070707070707070707070707070707", anchor, used);
    temp_write(temp_path(dir, "local.state"), text, (size_t)n, 0600);
}

static void every_corner_of_a_chain_verifies(void **state) {
    static const uint32_t used[] = {0, 1, 254, 255, 256, 257, 32767, 65279, 65280, 65534, 65535};
    vb_local_chain *c;
    vb_beacon_round r;
    (void)state;
    for (size_t i = 0; i < sizeof used / sizeof used[0]; i++) {
        write_state(used[i], anchor_hex);
        assert_int_equal(vb_local_chain_open(dir, &c, NULL), VB_OK);
        assert_int_equal(vb_local_chain_take(c, &r, NULL), VB_OK);
        assert_int_equal(r.round, used[i] + 1);
        assert_string_equal(r.id + 6, anchor_hex);
        assert_int_equal(vb_beacon_verify(&r, NULL, NULL, NULL), VB_OK);
        if (i + 1 == sizeof used / sizeof used[0]) { /* used up: a new chain begins */
            assert_int_equal(vb_local_chain_take(c, &r, NULL), VB_OK);
            assert_int_equal(r.round, 1);
            assert_string_not_equal(r.id + 6, anchor_hex);
            assert_int_equal(vb_beacon_verify(&r, NULL, NULL, NULL), VB_OK);
        }
        vb_local_chain_close(c);
    }
}

static void damaged_state_is_refused(void **state) {
    static const char *const texts[] = {"",
                                        "verbatim.local.v1\n",
                                        "verbatim.local.v2\nsecret x\n",
                                        "verbatim.sequence.v1\nlast 5",
                                        "verbatim.sequence.v1\nlast 05\n",
                                        "verbatim.sequence.v1\nlast -5\n",
                                        "verbatim.sequence.v1\nlast 5\n\n",
                                        "verbatim.sequence.v1\nlast 18446744073709551615\n"};
    vb_local_chain *c = NULL;
    vb_error e;
    uint64_t n;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        temp_write(temp_path(dir, "local.state"), texts[i], strlen(texts[i]), 0600);
        temp_write(temp_path(dir, "sequence.state"), texts[i], strlen(texts[i]), 0600);
        assert_int_equal(vb_local_chain_open(dir, &c, &e), VB_EFORMAT);
        assert_non_null(strstr(e.msg, "local.state"));
        assert_int_equal(take_sequence(dir, &n, &e), VB_EFORMAT);
        assert_non_null(strstr(e.msg, "sequence.state"));
    }
    /* An anchor that is not this secret's; too many rounds; a file that others may read. */
    write_state(3, "0707070707070707070707070707070707070707070707070707070707070707");
    assert_int_equal(vb_local_chain_open(dir, &c, &e), VB_EFORMAT);
    write_state(65537, anchor_hex);
    assert_int_equal(vb_local_chain_open(dir, &c, &e), VB_EFORMAT);
    write_state(3, anchor_hex);
    assert_int_equal(chmod(temp_path(dir, "local.state"), 0640), 0);
    assert_int_equal(vb_local_chain_open(dir, &c, &e), VB_EINVAL);
    assert_int_equal(vb_local_chain_open("/no/such/folder", &c, &e), VB_EIO);
    assert_null(c);
}

static void sequence_numbers_have_no_gap(void **state) {
    uint64_t n;
    (void)state;
    assert_int_equal(vb_sequence_last(dir, &n, NULL), VB_OK);
    assert_int_equal(n, 0);
    for (uint64_t i = 1; i <= 20; i++) {
        assert_int_equal(take_sequence(dir, &n, NULL), VB_OK);
        assert_int_equal(n, i);
        assert_int_equal(vb_sequence_last(dir, &n, NULL), VB_OK);
        assert_int_equal(n, i);
    }
}

/* The child's life: takes rounds and numbers and writes each to the pipe, until it is killed. */
static void take_for_ever(int fd) {
    vb_local_chain *c = NULL;
    if (vb_local_chain_open(dir, &c, NULL)) {
        _exit(1);
    }
    for (;;) {
        vb_beacon_round r;
        uint64_t both[2];
        if (vb_local_chain_take(c, &r, NULL) || take_sequence(dir, &both[1], NULL)) {
            _exit(1);
        }
        both[0] = r.round;
        if (write(fd, both, sizeof both) != sizeof both) {
            _exit(1);
        }
    }
}

/* One life of a child: killed a random moment after its k-th line, with what it wrote read to the
 * end. Every line is later than all before it, those of earlier lives included. */
static uint64_t live_and_die(uint64_t *seed, uint64_t last[2]) {
    int fds[2], status;
    uint64_t both[2], taken = 0, k = vb_test_random(seed) % 4;
    bool killed = false;
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(fds[0]);
        take_for_ever(fds[1]);
    }
    close(fds[1]);
    for (;;) {
        if (taken >= k && !killed) {
            struct timespec pause = {0, (long)(vb_test_random(seed) % 4000000)};
            nanosleep(&pause, NULL);
            assert_int_equal(kill(child, SIGKILL), 0);
            killed = true;
        }
        if (read(fds[0], both, sizeof both) != sizeof both) {
            break;
        }
        assert_true(both[0] > last[0] && both[1] > last[1]);
        last[0] = both[0];
        last[1] = both[1];
        taken++;
    }
    close(fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status)); /* it had not failed by itself */
    return taken;
}

/* What was given out before a kill is never given out after it. */
static void kill_9_at_any_point(void **state) {
    uint64_t seed = 11, last[2] = {0, 0}, taken = 0;
    (void)state;
    for (int life = 0; life < 40; life++) {
        taken += live_and_die(&seed, last);
    }
    /* At most one round and one number are lost per kill: owed an abort record, never reused. */
    uint64_t n;
    assert_int_equal(vb_sequence_last(dir, &n, NULL), VB_OK);
    assert_true(n >= last[1] && n <= taken + 40);
    vb_local_chain *c;
    vb_beacon_round r;
    assert_int_equal(vb_local_chain_open(dir, &c, NULL), VB_OK);
    assert_int_equal(vb_local_chain_take(c, &r, NULL), VB_OK);
    assert_true(r.round > last[0]);
    assert_int_equal(vb_beacon_verify(&r, NULL, NULL, NULL), VB_OK);
    vb_local_chain_close(c);
    printf("%llu rounds taken in 40 lives\n", (unsigned long long)taken);
    assert_true(taken > 0);
}

/* Four processes at once: each number exactly once. */
static void processes_share_a_folder(void **state) {
    enum { CHILDREN = 4, EACH = 25 };
    bool seen[CHILDREN * EACH + 1] = {false};
    int fds[2];
    (void)state;
    assert_int_equal(pipe(fds), 0);
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            for (int k = 0; k < EACH; k++) {
                uint64_t n;
                if (take_sequence(dir, &n, NULL) || write(fds[1], &n, sizeof n) != sizeof n) {
                    _exit(1);
                }
            }
            _exit(0);
        }
    }
    close(fds[1]);
    for (uint64_t n; read(fds[0], &n, sizeof n) == sizeof n;) {
        assert_true(n >= 1 && n <= CHILDREN * EACH && !seen[n]);
        seen[n] = true;
    }
    close(fds[0]);
    for (int i = 0; i < CHILDREN; i++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    for (size_t n = 1; n <= CHILDREN * EACH; n++) {
        assert_true(seen[n]);
    }
}

static int setup(void **state) {
    (void)state;
    temp_dir_make(dir);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    temp_dir_remove(dir);
    return 0;
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_of_a_known_chain),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(other_kinds_are_refused_by_name),
        WITH_FOLDER(rounds_are_taken_once),
        WITH_FOLDER(every_corner_of_a_chain_verifies),
        WITH_FOLDER(damaged_state_is_refused),
        WITH_FOLDER(sequence_numbers_have_no_gap),
        WITH_FOLDER(kill_9_at_any_point),
        WITH_FOLDER(processes_share_a_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
