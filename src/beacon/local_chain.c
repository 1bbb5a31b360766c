/*
 * State files are short texts, read whole, so that a damaged one is refused and never guessed at.
 * Locks are on files of their own: the state files themselves are replaced, and a lock on a file
 * that has lost its name would exclude nobody.
 */
#include "beacon/local_chain.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/bytes.h"
#include "beacon/local.h"
#include "crypto/private_file.h"
#include "crypto/random.h"

enum { STATE_BYTES_MAX = 512, STRIDE = 256, STOPS = VB_LOCAL_ROUNDS / STRIDE };

typedef struct chain_state {
    uint8_t secret[VB_SHA256_BYTES]; /* x_N */
    uint8_t anchor[VB_SHA256_BYTES];
    uint32_t used; /* rounds given out */
} chain_state;

struct vb_local_chain {
    char dir[VB_PATH_BYTES_MAX];
    bool have_stops;
    uint8_t anchor[VB_SHA256_BYTES];           /* of the chain that stops are of */
    uint8_t stops[STOPS + 1][VB_SHA256_BYTES]; /* [i] = H^(i * STRIDE)(secret) */
};

static vb_err path_in(const char *dir, const char *name, char out[VB_PATH_BYTES_MAX], vb_error *e) {
    int n = snprintf(out, VB_PATH_BYTES_MAX, "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= VB_PATH_BYTES_MAX) {
        return vb_fail(e, VB_ELIMIT, "the state folder's path is longer than %u bytes",
                       VB_PATH_BYTES_MAX);
    }
    return VB_OK;
}

static vb_err lock(const char *dir, const char *name, int *fd, vb_error *e) {
    char path[VB_PATH_BYTES_MAX];
    vb_err err = path_in(dir, name, path, e);
    if (err) {
        return err;
    }
    int f = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (f < 0) {
        return vb_fail(e, VB_EIO, "%s: cannot open the lock: %s", path, strerror(errno));
    }
    while (flock(f, LOCK_EX)) {
        if (errno != EINTR) {
            int why = errno;
            close(f);
            return vb_fail(e, VB_EIO, "%s: cannot lock: %s", path, strerror(why));
        }
    }
    *fd = f;
    return VB_OK;
}

/* A line "<key> <decimal>\n" at *p, moved past it. */
static bool take_number(const char **p, const char *key, uint64_t max, uint64_t *out) {
    size_t n = strlen(key);
    if (strncmp(*p, key, n) != 0 || (*p)[n] < '0' || (*p)[n] > '9') {
        return false;
    }
    const char *digits = *p + n;
    char *end;
    errno = 0;
    unsigned long long v = strtoull(digits, &end, 10);
    if (errno || v > max || *end != '\n' || (digits[0] == '0' && end - digits > 1)) {
        return false;
    }
    *out = v;
    *p = end + 1;
    return true;
}

/* A line "<key> <64 hex>\n". */
static bool take_hash(const char **p, const char *key, uint8_t out[VB_SHA256_BYTES]) {
    size_t n = strlen(key);
    char hex[VB_SHA256_HEX_BYTES];
    if (strncmp(*p, key, n) != 0 || strnlen(*p + n, VB_SHA256_HEX_BYTES) < VB_SHA256_HEX_BYTES ||
        (*p)[n + VB_SHA256_HEX_BYTES - 1] != '\n') {
        return false;
    }
    memcpy(hex, *p + n, sizeof hex - 1);
    hex[sizeof hex - 1] = 0;
    bool ok = vb_hex_decode(hex, out, VB_SHA256_BYTES);
    vb_wipe(hex, sizeof hex);
    *p += n + VB_SHA256_HEX_BYTES;
    return ok;
}

static vb_err chain_read(const char *dir, chain_state *st, bool *absent, vb_error *e) {
    char path[VB_PATH_BYTES_MAX];
    vb_err err = path_in(dir, "local.state", path, e);
    if (err) {
        return err;
    }
    vb_buf b = vb_buf_make(STATE_BYTES_MAX);
    err = vb_private_file_read(path, &b, absent, e);
    if (!err) {
        static const char head[] = "verbatim.local.v1\n";
        const char *p = b.data ? (const char *)b.data : "";
        uint64_t used = 0;
        bool ok = strncmp(p, head, sizeof head - 1) == 0;
        p += ok ? sizeof head - 1 : 0;
        ok = ok && take_hash(&p, "secret ", st->secret) && take_hash(&p, "anchor ", st->anchor) &&
             take_number(&p, "used ", VB_LOCAL_ROUNDS, &used) && p == (char *)b.data + b.len;
        st->used = (uint32_t)used;
        if (!ok) {
            err = vb_fail(e, VB_EFORMAT, "%s: not the state of a local beacon", path);
        }
    }
    if (b.data) {
        vb_wipe(b.data, b.cap);
    }
    vb_buf_free(&b);
    return err;
}

static vb_err chain_write(const char *dir, const chain_state *st, vb_error *e) {
    char path[VB_PATH_BYTES_MAX], text[STATE_BYTES_MAX];
    char secret[VB_SHA256_HEX_BYTES], anchor[VB_SHA256_HEX_BYTES];
    vb_err err = path_in(dir, "local.state", path, e);
    if (err) {
        return err;
    }
    vb_hex_encode(st->secret, sizeof st->secret, secret);
    vb_hex_encode(st->anchor, sizeof st->anchor, anchor);
    int n =
        snprintf(text, sizeof text, "verbatim.local.v1\nsecret %s\nanchor %s\nused %" PRIu32 "\n",
                 secret, anchor, st->used);
    err = vb_private_file_replace(path, text, (size_t)n, e);
    vb_wipe(text, sizeof text);
    vb_wipe(secret, sizeof secret);
    return err;
}

/* The points from which any round is at most STRIDE hashes away. The state's anchor must be the
 * end of its own chain: a damaged secret would reveal rounds that nobody can verify. */
static vb_err make_stops(vb_local_chain *c, const chain_state *st, vb_error *e) {
    if (c->have_stops && memcmp(c->anchor, st->anchor, sizeof c->anchor) == 0) {
        return VB_OK;
    }
    uint8_t x[VB_SHA256_BYTES];
    memcpy(x, st->secret, sizeof x);
    for (int i = 0; i <= STOPS; i++) {
        memcpy(c->stops[i], x, sizeof x);
        vb_local_hash(x, STRIDE);
    }
    vb_wipe(x, sizeof x);
    c->have_stops = memcmp(c->stops[STOPS], st->anchor, VB_SHA256_BYTES) == 0;
    if (!c->have_stops) {
        return vb_fail(e, VB_EFORMAT, "%s/local.state: the secret does not lead to the anchor",
                       c->dir);
    }
    memcpy(c->anchor, st->anchor, sizeof c->anchor);
    return VB_OK;
}

static vb_err chain_begin(chain_state *st, vb_error *e) {
    vb_err err = vb_random_bytes(st->secret, sizeof st->secret, e);
    if (!err) {
        memcpy(st->anchor, st->secret, sizeof st->anchor);
        vb_local_hash(st->anchor, VB_LOCAL_ROUNDS);
        st->used = 0;
    }
    return err;
}

/* The chain's state, begun anew when there is none or when it is used up; the lock is held. */
static vb_err chain_load(const char *dir, chain_state *st, vb_error *e) {
    bool absent = false;
    vb_err err = chain_read(dir, st, &absent, e);
    if (absent || (!err && st->used == VB_LOCAL_ROUNDS)) {
        err = chain_begin(st, e);
        if (!err) {
            err = chain_write(dir, st, e);
        }
    }
    return err;
}

vb_err vb_local_chain_open(const char *dir, vb_local_chain **out, vb_error *e) {
    vb_local_chain *c = calloc(1, sizeof *c);
    if (!c) {
        return vb_fail(e, VB_ENOMEM, "no memory for a local beacon");
    }
    chain_state st = {0};
    int fd = -1;
    int n = snprintf(c->dir, sizeof c->dir, "%s", dir);
    vb_err err = n < 0 || (size_t)n >= sizeof c->dir
                     ? vb_fail(e, VB_ELIMIT, "the state folder's path is too long")
                     : lock(dir, "local.lock", &fd, e);
    if (!err) {
        err = chain_load(dir, &st, e);
    }
    if (!err) {
        err = make_stops(c, &st, e);
    }
    if (fd >= 0) {
        close(fd);
    }
    vb_wipe(&st, sizeof st);
    if (err) {
        vb_local_chain_close(c);
        return err;
    }
    *out = c;
    return VB_OK;
}

void vb_local_chain_close(vb_local_chain *c) {
    if (c) {
        vb_wipe(c, sizeof *c);
        free(c);
    }
}

vb_err vb_local_chain_take(vb_local_chain *c, vb_beacon_round *out, vb_error *e) {
    chain_state st = {0};
    int fd;
    vb_err err = lock(c->dir, "local.lock", &fd, e);
    if (err) {
        return err;
    }
    err = chain_load(c->dir, &st, e);
    if (!err) {
        err = make_stops(c, &st, e);
    }
    if (!err) {
        st.used++;
        err = chain_write(c->dir, &st, e);
    }
    close(fd);
    if (!err) {
        uint32_t back = VB_LOCAL_ROUNDS - st.used; /* round r is H^(N - r)(secret) */
        *out = (vb_beacon_round){.round = st.used, .n_randomness = VB_SHA256_BYTES};
        vb_local_id(st.anchor, out->id);
        memcpy(out->randomness, c->stops[back / STRIDE], VB_SHA256_BYTES);
        vb_local_hash(out->randomness, back % STRIDE);
    }
    vb_wipe(&st, sizeof st);
    return err;
}

static vb_err sequence_read(const char *dir, uint64_t *last, vb_error *e) {
    char path[VB_PATH_BYTES_MAX];
    vb_err err = path_in(dir, "sequence.state", path, e);
    if (err) {
        return err;
    }
    vb_buf b = vb_buf_make(STATE_BYTES_MAX);
    bool absent = false;
    err = vb_private_file_read(path, &b, &absent, e);
    if (absent) {
        *last = 0;
        err = VB_OK;
    } else if (!err) {
        static const char head[] = "verbatim.sequence.v1\n";
        const char *p = b.data ? (const char *)b.data : "";
        bool ok = strncmp(p, head, sizeof head - 1) == 0;
        p += ok ? sizeof head - 1 : 0;
        if (!ok || !take_number(&p, "last ", UINT64_MAX - 1, last) || p != (char *)b.data + b.len) {
            err = vb_fail(e, VB_EFORMAT, "%s: not a sequence state", path);
        }
    }
    vb_buf_free(&b);
    return err;
}

vb_err vb_sequence_last(const char *dir, uint64_t *out, vb_error *e) {
    return sequence_read(dir, out, e);
}

vb_err vb_sequence_with(const char *dir, vb_sequence_fn fn, void *user, vb_error *e) {
    char path[VB_PATH_BYTES_MAX], text[64];
    int fd;
    uint64_t last = 0;
    bool take = false;
    vb_err err = lock(dir, "sequence.lock", &fd, e);
    if (err) {
        return err;
    }
    if (!(err = sequence_read(dir, &last, e)) && !(err = path_in(dir, "sequence.state", path, e))) {
        err = fn(user, last, &take, e);
    }
    if (!err && take) {
        int n = snprintf(text, sizeof text, "verbatim.sequence.v1\nlast %" PRIu64 "\n", last + 1);
        err = vb_private_file_replace(path, text, (size_t)n, e);
    }
    close(fd);
    return err;
}
