/*
 * How a tile is trusted: the partial tiles at the right edge of the tree give the checkpoint's
 * root, all of them together; the root of a full tile stands in the tile above it, which is at the
 * edge or was trusted in the same way; an entry's hash stands in a tile of level 0.
 */
#include "tlog/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"

enum { CACHED_TILES = 64 };
#define NO_BUNDLE UINT64_MAX

typedef struct tile {
    vb_tlog_hash hashes[VB_TLOG_TILE_WIDTH];
    uint64_t index, used; /* used: when, on the reader's count; 0: nothing is in it */
    unsigned level, width;
} tile;

typedef struct edge {
    tile levels[VB_TLOG_LEVELS]; /* width 0: the level has no partial tile */
} edge;

struct vb_tlog_reader {
    vb_tlog_read_fn read;
    void *user;
    int folder; /* -1: not opened here */
    char place[VB_PATH_BYTES_MAX];
    vb_tlog_key log;
    vb_tlog_checkpoint checkpoint;
    vb_buf note;
    edge *edge;
    tile *cache; /* full tiles */
    uint64_t uses;
    uint64_t bundle; /* index of the one that is held, or NO_BUNDLE */
    unsigned bundle_width;
    vb_buf bundle_bytes;
    size_t entry_at[VB_TLOG_TILE_WIDTH + 1]; /* where an entry's length begins */
};

static vb_err read_folder(void *user, const char *path, size_t bytes_max, vb_buf *out, bool *absent,
                          vb_error *e) {
    const vb_tlog_reader *r = user;
    const int fd = openat(r->folder, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    if (fd < 0) {
        *absent = errno == ENOENT || errno == ENOTDIR;
        return vb_fail(e, VB_EIO, "%s/%s: cannot open: %s", r->place, path, strerror(errno));
    }
    vb_err err = VB_OK;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        err = vb_fail(e, VB_EIO, "%s/%s: not a regular file", r->place, path);
    }
    uint8_t chunk[16384];
    for (ssize_t n = 1; !err && n > 0;) {
        n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) {
            n = 1;
            continue;
        }
        if (n < 0) {
            err = vb_fail(e, VB_EIO, "%s/%s: cannot read: %s", r->place, path, strerror(errno));
        } else if ((size_t)n > bytes_max - out->len) {
            err = vb_fail(e, VB_ELIMIT, "%s/%s: more than %zu bytes", r->place, path, bytes_max);
        } else if ((err = vb_buf_append(out, chunk, (size_t)n))) {
            err = vb_fail(e, err, "%s/%s: no memory to read it", r->place, path);
        }
    }
    close(fd);
    return err;
}

/* A whole file; b is emptied first. */
static vb_err read_file(vb_tlog_reader *r, const char *path, size_t bytes_max, vb_buf *b,
                        bool *absent, vb_error *e) {
    *absent = false;
    b->len = 0;
    b->max = bytes_max;
    return r->read(r->user, path, bytes_max, b, absent, e);
}

static vb_err open_reader(const char *place, vb_tlog_reader **out, vb_error *e) {
    vb_tlog_reader *r = calloc(1, sizeof *r);
    if (!r || !(r->edge = calloc(1, sizeof *r->edge)) ||
        !(r->cache = calloc(CACHED_TILES, sizeof *r->cache))) {
        if (r) {
            free(r->edge);
        }
        free(r);
        return vb_fail(e, VB_ENOMEM, "no memory for the reader of a log");
    }
    r->folder = -1;
    r->bundle = NO_BUNDLE;
    const int n = snprintf(r->place, sizeof r->place, "%s", place);
    if (n < 0 || (size_t)n >= sizeof r->place) {
        vb_tlog_reader_close(r);
        return vb_fail(e, VB_ELIMIT, "a path is longer than %u bytes", VB_PATH_BYTES_MAX);
    }
    *out = r;
    return VB_OK;
}

static vb_err read_info(vb_tlog_reader *r, vb_tlog_info *out, vb_error *e) {
    char path[VB_TLOG_PATH_BYTES];
    bool absent;
    vb_tlog_file_path(&(vb_tlog_file){VB_TLOG_FILE_INFO, 0, 0, 0}, path);
    vb_buf bytes = vb_buf_make(0);
    vb_err err = read_file(r, path, VB_TLOG_INFO_BYTES_MAX, &bytes, &absent, e);
    if (!err &&
        (err = vb_tlog_info_decode(bytes.data ? (char *)bytes.data : "", bytes.len, out, e))) {
        vb_fail_in(e, err, "%s/%s", r->place, path);
    }
    vb_buf_free(&bytes);
    return err;
}

/* Takes r, which is closed after an error. */
static vb_err set_key(vb_tlog_reader *r, const vb_tlog_key *log, vb_tlog_reader **out,
                      vb_error *e) {
    vb_tlog_info info;
    if (log) {
        r->log = *log;
    } else {
        vb_err err = read_info(r, &info, e);
        if (err) {
            vb_tlog_reader_close(r);
            return err;
        }
        r->log = info.key;
    }
    *out = r;
    return VB_OK;
}

vb_err vb_tlog_reader_open(vb_tlog_read_fn read, void *user, const char *place,
                           const vb_tlog_key *log, vb_tlog_reader **out, vb_error *e) {
    vb_tlog_reader *r = NULL;
    vb_err err = open_reader(place, &r, e);
    if (err) {
        return err;
    }
    r->read = read;
    r->user = user;
    return set_key(r, log, out, e);
}

vb_err vb_tlog_reader_open_folder(const char *folder, const vb_tlog_key *log, vb_tlog_reader **out,
                                  vb_error *e) {
    vb_tlog_reader *r = NULL;
    vb_err err = open_reader(folder, &r, e);
    if (err) {
        return err;
    }
    r->read = read_folder;
    r->user = r;
    r->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->folder < 0) {
        err = vb_fail(e, VB_EIO, "%s: cannot open the folder: %s", folder, strerror(errno));
        vb_tlog_reader_close(r);
        return err;
    }
    return set_key(r, log, out, e);
}

void vb_tlog_reader_close(vb_tlog_reader *r) {
    if (r) {
        if (r->folder >= 0) {
            close(r->folder);
        }
        vb_buf_free(&r->note);
        vb_buf_free(&r->bundle_bytes);
        free(r->edge);
        free(r->cache);
        free(r);
    }
}

const vb_tlog_key *vb_tlog_reader_key(const vb_tlog_reader *r) {
    return &r->log;
}

const vb_tlog_checkpoint *vb_tlog_reader_checkpoint(const vb_tlog_reader *r) {
    return &r->checkpoint;
}

const vb_buf *vb_tlog_reader_note(const vb_tlog_reader *r) {
    return &r->note;
}

vb_err vb_tlog_reader_info(vb_tlog_reader *r, vb_tlog_info *out, vb_error *e) {
    vb_tlog_info info;
    vb_err err = read_info(r, &info, e);
    if (err) {
        return err;
    }
    if (strcmp(info.key.name, r->log.name) != 0 ||
        memcmp(info.key.public_key, r->log.public_key, sizeof r->log.public_key) != 0) {
        char expected[VB_TLOG_VKEY_BYTES_MAX + 1];
        vb_tlog_key_print(&r->log, expected);
        return vb_fail(e, VB_EMISMATCH, "%s/log.json: it is of another log than that of %s",
                       r->place, expected);
    }
    *out = info;
    return VB_OK;
}

/* The root of n hashes, a power of two. */
static void fold(const vb_tlog_hash *hashes, size_t n, vb_tlog_hash *out) {
    vb_tlog_hash level[VB_TLOG_TILE_WIDTH / 2];
    if (n == 1) {
        *out = hashes[0];
        return;
    }
    for (const vb_tlog_hash *from = hashes; n > 1; from = level, n /= 2) {
        for (size_t i = 0; i < n / 2; i++) {
            vb_tlog_node_hash(&from[2 * i], &from[2 * i + 1], &level[i]);
        }
    }
    *out = level[0];
}

/* Reads the file of a tile or a bundle; of one that is partial and gone, the full one's. *n_read:
 * how many hashes or entries it should have. */
static vb_err read_wide(vb_tlog_reader *r, vb_tlog_file f, size_t bytes_max, vb_buf *b,
                        char path[VB_TLOG_PATH_BYTES], unsigned *n_read, vb_error *e) {
    bool absent;
    vb_tlog_file_path(&f, path);
    vb_err err = read_file(r, path, bytes_max, b, &absent, e);
    if (err && absent && f.width < VB_TLOG_TILE_WIDTH) {
        const vb_tlog_file full = {f.kind, f.level, f.index, VB_TLOG_TILE_WIDTH};
        char wider[VB_TLOG_PATH_BYTES];
        vb_error ignored; /* that the partial one is absent says more */
        vb_tlog_file_path(&full, wider);
        if (read_file(r, wider, bytes_max, b, &absent, &ignored) == VB_OK) {
            memcpy(path, wider, sizeof wider);
            f.width = VB_TLOG_TILE_WIDTH;
            err = VB_OK;
        }
    }
    *n_read = f.width;
    return err;
}

/* Not checked yet. */
static vb_err load_tile(vb_tlog_reader *r, unsigned level, uint64_t index, unsigned width, tile *t,
                        vb_error *e) {
    char path[VB_TLOG_PATH_BYTES];
    unsigned n_read;
    vb_buf b = vb_buf_make(0);
    vb_err err = read_wide(r, (vb_tlog_file){VB_TLOG_FILE_TILE, level, index, width},
                           VB_TLOG_TILE_BYTES, &b, path, &n_read, e);
    if (err == VB_ELIMIT) { /* no tile is longer: it was changed */
        err = vb_fail(e, VB_EMISMATCH, "%s/%s: more than %d hashes", r->place, path,
                      VB_TLOG_TILE_WIDTH);
    } else if (!err && b.len != (size_t)n_read * VB_SHA256_BYTES) {
        err = vb_fail(e, VB_EMISMATCH, "%s/%s: %zu bytes, expected %u hashes of %d", r->place, path,
                      b.len, n_read, VB_SHA256_BYTES);
    }
    if (!err) {
        memcpy(t->hashes, b.data, (size_t)width * VB_SHA256_BYTES);
        t->level = level;
        t->index = index;
        t->width = width;
    }
    vb_buf_free(&b);
    return err;
}

/* A vb_tlog_hash_fn over the edge, for the subtrees that a tree is made of. */
static vb_err edge_hash(void *user, unsigned level, uint64_t index, vb_tlog_hash *out,
                        vb_error *e) {
    const edge *x = user;
    const unsigned height = level % VB_TLOG_TILE_BITS;
    const size_t at = (size_t)(index << height) % VB_TLOG_TILE_WIDTH;
    (void)e;
    fold(&x->levels[level / VB_TLOG_TILE_BITS].hashes[at], (size_t)1 << height, out);
    return VB_OK;
}

static vb_err load_edge(vb_tlog_reader *r, const vb_tlog_checkpoint *c, edge *x, vb_error *e) {
    vb_tlog_hash root;
    for (unsigned level = 0; level < VB_TLOG_LEVELS; level++) {
        const uint64_t last = vb_tlog_level_size(c->size, level) / VB_TLOG_TILE_WIDTH;
        const unsigned width = vb_tlog_tile_width(c->size, level, last);
        vb_err err = width ? load_tile(r, level, last, width, &x->levels[level], e) : VB_OK;
        if (err) {
            return err;
        }
    }
    vb_err err = vb_tlog_root(c->size, edge_hash, x, &root, e);
    if (!err && memcmp(&root, &c->root, sizeof root) != 0) {
        err = vb_fail(e, VB_EMISMATCH,
                      "%s: the partial tiles of size %" PRIu64
                      " do not give the checkpoint's root: a tile or the checkpoint was changed",
                      r->place, c->size);
    }
    return err;
}

static bool same_tree(const vb_tlog_checkpoint *a, const vb_tlog_checkpoint *b) {
    return a->size == b->size && memcmp(&a->root, &b->root, sizeof a->root) == 0;
}

/* Takes c and, when that goes well, note. */
static vb_err use(vb_tlog_reader *r, const vb_tlog_checkpoint *c, vb_buf *note, vb_error *e) {
    if (r->note.data && same_tree(c, &r->checkpoint)) {
        vb_buf_free(&r->note);
        r->note = *note;
        return VB_OK;
    }
    edge *x = calloc(1, sizeof *x);
    vb_err err =
        x ? load_edge(r, c, x, e) : vb_fail(e, VB_ENOMEM, "no memory for the edge of a log");
    if (err) {
        free(x);
        return err;
    }
    free(r->edge);
    r->edge = x;
    r->checkpoint = *c;
    vb_buf_free(&r->note);
    r->note = *note;
    /* What was checked against another checkpoint is worth nothing now. */
    for (size_t i = 0; i < CACHED_TILES; i++) {
        r->cache[i].used = 0;
    }
    r->bundle = NO_BUNDLE;
    return VB_OK;
}

vb_err vb_tlog_reader_fetch_note(vb_tlog_reader *r, vb_buf *note, vb_error *e) {
    char path[VB_TLOG_PATH_BYTES];
    bool absent;
    vb_tlog_file_path(&(vb_tlog_file){VB_TLOG_FILE_CHECKPOINT, 0, 0, 0}, path);
    return read_file(r, path, VB_TLOG_NOTE_BYTES_MAX, note, &absent, e);
}

vb_err vb_tlog_reader_file(vb_tlog_reader *r, const char *path, vb_buf *out, vb_error *e) {
    bool absent;
    return read_file(r, path, out->max, out, &absent, e);
}

vb_err vb_tlog_reader_refresh(vb_tlog_reader *r, const vb_tlog_key *witnesses, size_t n_witnesses,
                              vb_tlog_checkpoint *out, vb_tlog_cosignature *cosigned,
                              size_t *n_cosigned, vb_error *e) {
    vb_tlog_checkpoint c;
    vb_buf note = vb_buf_make(0);
    vb_err err = vb_tlog_reader_fetch_note(r, &note, e);
    if (err) {
        vb_buf_free(&note);
        return err;
    }
    if ((err = vb_tlog_note_read(note.data ? (char *)note.data : "", note.len, &r->log, witnesses,
                                 n_witnesses, &c, cosigned, n_cosigned, e))) {
        vb_fail_in(e, err, "%s/checkpoint", r->place);
    } else {
        err = use(r, &c, &note, e);
    }
    if (err) {
        vb_buf_free(&note);
        return err;
    }
    *out = c;
    return VB_OK;
}

vb_err vb_tlog_reader_use(vb_tlog_reader *r, const void *note, size_t n_bytes, vb_error *e) {
    vb_tlog_checkpoint c;
    size_t n_cosigned;
    vb_buf copy = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    vb_err err = vb_tlog_note_read(note, n_bytes, &r->log, NULL, 0, &c, NULL, &n_cosigned, e);
    if (!err && (err = vb_buf_append(&copy, note, n_bytes))) {
        vb_fail(e, err, "no memory for a checkpoint");
    }
    if (err || (err = use(r, &c, &copy, e))) {
        vb_buf_free(&copy);
    }
    return err;
}

static tile *oldest(vb_tlog_reader *r) {
    tile *t = &r->cache[0];
    for (size_t i = 1; i < CACHED_TILES; i++) {
        if (r->cache[i].used < t->used) {
            t = &r->cache[i];
        }
    }
    return t;
}

static tile *cached(vb_tlog_reader *r, unsigned level, uint64_t index) {
    for (size_t i = 0; i < CACHED_TILES; i++) {
        tile *t = &r->cache[i];
        if (t->used && t->level == level && t->index == index) {
            t->used = ++r->uses;
            return t;
        }
    }
    return NULL;
}

/* A tile that is trusted. One that is not held is read after the tile above it, and so on: levels
 * are few. */
static vb_err get_tile(vb_tlog_reader *r, unsigned level, uint64_t index, const tile **out,
                       vb_error *e) {
    const tile *above;
    vb_tlog_hash root;
    char path[VB_TLOG_PATH_BYTES];
    VB_ASSERT(level < VB_TLOG_LEVELS);
    if (vb_tlog_tile_width(r->checkpoint.size, level, index) < VB_TLOG_TILE_WIDTH) {
        VB_ASSERT(r->edge->levels[level].index == index && r->edge->levels[level].width);
        *out = &r->edge->levels[level];
        return VB_OK;
    }
    if ((*out = cached(r, level, index))) {
        return VB_OK;
    }
    vb_err err = get_tile(r, level + 1, index / VB_TLOG_TILE_WIDTH, &above, e);
    if (err) {
        return err;
    }
    const vb_tlog_hash expected = above->hashes[index % VB_TLOG_TILE_WIDTH];
    tile *t = oldest(r);
    t->used = 0;
    if ((err = load_tile(r, level, index, VB_TLOG_TILE_WIDTH, t, e))) {
        return err;
    }
    fold(t->hashes, VB_TLOG_TILE_WIDTH, &root);
    if (memcmp(&root, &expected, sizeof root) != 0) {
        vb_tlog_file_path(&(vb_tlog_file){VB_TLOG_FILE_TILE, level, index, VB_TLOG_TILE_WIDTH},
                          path);
        return vb_fail(e, VB_EMISMATCH, "%s/%s: its hashes are not those that the checkpoint signs",
                       r->place, path);
    }
    t->used = ++r->uses;
    *out = t;
    return VB_OK;
}

vb_err vb_tlog_reader_hash(void *reader, unsigned level, uint64_t index, vb_tlog_hash *out,
                           vb_error *e) {
    vb_tlog_reader *r = reader;
    const tile *t;
    VB_ASSERT(level <= VB_TLOG_SIZE_BITS_MAX && index < r->checkpoint.size >> level);
    const unsigned height = level % VB_TLOG_TILE_BITS;
    const uint64_t first = index << height;
    vb_err err = get_tile(r, level / VB_TLOG_TILE_BITS, first / VB_TLOG_TILE_WIDTH, &t, e);
    if (!err) {
        fold(&t->hashes[first % VB_TLOG_TILE_WIDTH], (size_t)1 << height, out);
    }
    return err;
}

/* Finds the n entries of the bundle that was read; false when they are not all that is in it. */
static bool split_bundle(vb_tlog_reader *r, unsigned n) {
    const vb_buf *b = &r->bundle_bytes;
    size_t at = 0;
    for (unsigned i = 0; i < n; i++) {
        r->entry_at[i] = at;
        if (b->len - at < 2) {
            return false;
        }
        const size_t n_bytes = (size_t)b->data[at] << 8 | b->data[at + 1];
        if (b->len - at - 2 < n_bytes) {
            return false;
        }
        at += 2 + n_bytes;
    }
    r->entry_at[n] = at;
    return at == b->len;
}

static vb_err load_bundle(vb_tlog_reader *r, uint64_t index, unsigned width, vb_error *e) {
    const tile *t;
    char path[VB_TLOG_PATH_BYTES];
    unsigned n_read;
    r->bundle = NO_BUNDLE;
    vb_err err = read_wide(r, (vb_tlog_file){VB_TLOG_FILE_ENTRIES, 0, index, width},
                           VB_TLOG_BUNDLE_BYTES_MAX, &r->bundle_bytes, path, &n_read, e);
    if (err || (err = get_tile(r, 0, index, &t, e))) {
        return err;
    }
    if (!split_bundle(r, n_read)) {
        return vb_fail(e, VB_EMISMATCH, "%s/%s: expected %u entries, each behind its length",
                       r->place, path, n_read);
    }
    for (unsigned i = 0; i < width; i++) {
        vb_tlog_hash hash;
        const size_t at = r->entry_at[i] + 2;
        vb_tlog_leaf_hash(r->bundle_bytes.data + at, r->entry_at[i + 1] - at, &hash);
        if (memcmp(&hash, &t->hashes[i], sizeof hash) != 0) {
            return vb_fail(e, VB_EMISMATCH,
                           "%s/%s: entry %" PRIu64 " is not the one that the checkpoint signs",
                           r->place, path, index * VB_TLOG_TILE_WIDTH + i);
        }
    }
    r->bundle = index;
    r->bundle_width = width;
    return VB_OK;
}

vb_err vb_tlog_reader_entry(vb_tlog_reader *r, uint64_t index, const uint8_t **bytes,
                            size_t *n_bytes, vb_error *e) {
    VB_ASSERT(index < r->checkpoint.size);
    const uint64_t bundle = index / VB_TLOG_TILE_WIDTH;
    const unsigned width = vb_tlog_tile_width(r->checkpoint.size, 0, bundle);
    if (r->bundle != bundle || r->bundle_width != width) {
        vb_err err = load_bundle(r, bundle, width, e);
        if (err) {
            return err;
        }
    }
    const size_t i = (size_t)(index % VB_TLOG_TILE_WIDTH);
    *bytes = r->bundle_bytes.data + r->entry_at[i] + 2;
    *n_bytes = r->entry_at[i + 1] - r->entry_at[i] - 2;
    return VB_OK;
}

vb_err vb_tlog_reader_prove(vb_tlog_reader *r, uint64_t index, vb_tlog_proof *out, vb_error *e) {
    const uint8_t *bytes;
    size_t n_bytes;
    vb_tlog_proof p = {.entry = vb_buf_make(VB_TLOG_PROOF_BYTES_MAX),
                       .index = index,
                       .note = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX)};
    vb_err err = vb_tlog_reader_entry(r, index, &bytes, &n_bytes, e);
    if (!err && ((err = vb_buf_append(&p.entry, bytes, n_bytes)) ||
                 (err = vb_buf_append(&p.note, r->note.data, r->note.len)))) {
        vb_fail(e, err, "no memory for a proof");
    }
    if (!err) {
        err =
            vb_tlog_prove(index, r->checkpoint.size, vb_tlog_reader_hash, r, p.path, &p.n_path, e);
    }
    if (err) {
        vb_tlog_proof_free(&p);
        return err;
    }
    *out = p;
    return VB_OK;
}

vb_err vb_tlog_reader_prove_consistency(vb_tlog_reader *r, uint64_t old,
                                        vb_tlog_hash path[VB_TLOG_PATH_MAX], size_t *n,
                                        vb_error *e) {
    return vb_tlog_prove_consistency(old, r->checkpoint.size, vb_tlog_reader_hash, r, path, n, e);
}
