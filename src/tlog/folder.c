#include "tlog/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "tlog/audit.h"
#include "tlog/files.h"
#include "tlog/sweep.h"

enum { ENTRY_BYTES_MAX = 65535 };

/* The hashes that the last tile of a level has so far. */
typedef struct growing_tile {
    unsigned n;
    vb_tlog_hash hashes[VB_TLOG_TILE_WIDTH];
} growing_tile;

struct vb_tlog_folder {
    char path[VB_PATH_BYTES_MAX];
    int root, lock;
    bool mirror, is_new, info_missing;
    vb_tlog_info info;
    vb_tlog_files *files;
    vb_tlog_order *order;
    vb_tlog_checkpoint checkpoint; /* committed */
    vb_buf note;
    vb_tlog_range range; /* of all that was appended */
    growing_tile tiles[VB_TLOG_LEVELS];
    vb_buf bundle; /* the last one's entries so far, as its file has them */
    vb_err failed; /* of vb_tlog_range_add's callback */
    vb_error *failed_e;
};

void vb_tlog_folder_close(vb_tlog_folder *f) {
    if (f) {
        vb_tlog_files_close(f->files);
        vb_tlog_order_close(f->order);
        vb_buf_free(&f->note);
        vb_buf_free(&f->bundle);
        if (f->lock >= 0) {
            close(f->lock);
        }
        if (f->root >= 0) {
            close(f->root);
        }
        free(f);
    }
}

bool vb_tlog_folder_is_new(const vb_tlog_folder *f) {
    return f->is_new;
}

const char *vb_tlog_folder_path(const vb_tlog_folder *f) {
    return f->path;
}

const vb_tlog_info *vb_tlog_folder_info(const vb_tlog_folder *f) {
    return &f->info;
}

const vb_buf *vb_tlog_folder_note(const vb_tlog_folder *f) {
    return &f->note;
}

const vb_tlog_checkpoint *vb_tlog_folder_checkpoint(const vb_tlog_folder *f) {
    return &f->checkpoint;
}

void vb_tlog_folder_head(const vb_tlog_folder *f, vb_tlog_checkpoint *out) {
    *out = f->checkpoint;
    out->size = f->range.size;
    vb_tlog_range_root(&f->range, &out->root);
}

vb_tlog_order *vb_tlog_folder_order(vb_tlog_folder *f) {
    return f->order;
}

/* Growing */

static vb_err put(vb_tlog_folder *f, vb_tlog_file file, const void *bytes, size_t n_bytes,
                  vb_error *e) {
    char path[VB_TLOG_PATH_BYTES];
    vb_tlog_file_path(&file, path);
    return vb_tlog_files_put(f->files, path, bytes, n_bytes, e);
}

/* A vb_tlog_completed_fn: full subtrees of 256^L leaves are the hashes of tiles. */
static void completed(void *user, unsigned level, uint64_t index, const vb_tlog_hash *hash) {
    vb_tlog_folder *f = user;
    if (level % VB_TLOG_TILE_BITS != 0 || f->failed) {
        return;
    }
    growing_tile *t = &f->tiles[level / VB_TLOG_TILE_BITS];
    t->hashes[t->n++] = *hash;
    if (t->n == VB_TLOG_TILE_WIDTH) {
        f->failed = put(f,
                        (vb_tlog_file){VB_TLOG_FILE_TILE, level / VB_TLOG_TILE_BITS,
                                       index / VB_TLOG_TILE_WIDTH, VB_TLOG_TILE_WIDTH},
                        t->hashes, sizeof t->hashes, f->failed_e);
        t->n = 0;
    }
}

/* The entry behind its length, in the last bundle. */
static vb_err add_to_bundle(vb_tlog_folder *f, const void *entry, size_t n_bytes, vb_error *e) {
    const uint8_t length[2] = {(uint8_t)(n_bytes >> 8), (uint8_t)n_bytes};
    vb_err err = vb_buf_append(&f->bundle, length, sizeof length);
    if (err || (err = vb_buf_append(&f->bundle, entry, n_bytes))) {
        return vb_fail(e, err, "%s: no memory for the last entries", f->path);
    }
    return VB_OK;
}

vb_err vb_tlog_folder_append(vb_tlog_folder *f, const void *entry, size_t n_bytes, vb_error *e) {
    VB_ASSERT(n_bytes <= ENTRY_BYTES_MAX);
    vb_tlog_hash leaf;
    const uint64_t index = f->range.size;
    vb_tlog_leaf_hash(entry, n_bytes, &leaf);
    f->failed = VB_OK;
    f->failed_e = e;
    vb_err err = add_to_bundle(f, entry, n_bytes, e);
    if (err || (err = vb_tlog_range_add(&f->range, &leaf, completed, f, e)) || (err = f->failed)) {
        return err;
    }
    if (f->range.size % VB_TLOG_TILE_WIDTH == 0) {
        err = put(
            f,
            (vb_tlog_file){VB_TLOG_FILE_ENTRIES, 0, index / VB_TLOG_TILE_WIDTH, VB_TLOG_TILE_WIDTH},
            f->bundle.data, f->bundle.len, e);
        f->bundle.len = 0;
    }
    return err;
}

/* The partial files of the new size that the last checkpoint has not. */
static vb_err put_partial(vb_tlog_folder *f, vb_error *e) {
    const uint64_t size = f->range.size, before = f->checkpoint.size;
    vb_err err = VB_OK;
    for (unsigned level = 0; level < VB_TLOG_LEVELS && !err; level++) {
        const growing_tile *t = &f->tiles[level];
        const uint64_t n = vb_tlog_level_size(size, level);
        if (t->n && n != vb_tlog_level_size(before, level)) {
            err = put(f, (vb_tlog_file){VB_TLOG_FILE_TILE, level, n / VB_TLOG_TILE_WIDTH, t->n},
                      t->hashes, t->n * sizeof t->hashes[0], e);
        }
    }
    if (!err && f->bundle.len && size != before) {
        err = put(f,
                  (vb_tlog_file){VB_TLOG_FILE_ENTRIES, 0, size / VB_TLOG_TILE_WIDTH,
                                 (unsigned)(size % VB_TLOG_TILE_WIDTH)},
                  f->bundle.data, f->bundle.len, e);
    }
    return err;
}

/* Partial files whose full one came with this checkpoint: of each level at most one tile had any.
 */
static void drop_partial(const vb_tlog_folder *f, uint64_t before) {
    for (unsigned level = 0; level < VB_TLOG_LEVELS; level++) {
        const uint64_t was = vb_tlog_level_size(before, level) / VB_TLOG_TILE_WIDTH;
        if (vb_tlog_tile_width(f->checkpoint.size, level, was) == VB_TLOG_TILE_WIDTH &&
            vb_tlog_tile_width(before, level, was)) {
            const vb_tlog_file tile = {VB_TLOG_FILE_TILE, level, was, VB_TLOG_TILE_WIDTH};
            const vb_tlog_file bundle = {VB_TLOG_FILE_ENTRIES, 0, was, VB_TLOG_TILE_WIDTH};
            vb_tlog_sweep_partial(f->root, &tile);
            if (level == 0) {
                vb_tlog_sweep_partial(f->root, &bundle);
            }
        }
    }
}

static vb_err write_info(vb_tlog_folder *f, vb_error *e) {
    vb_buf bytes = vb_buf_make(VB_TLOG_INFO_BYTES_MAX);
    vb_err err = vb_tlog_info_encode(&f->info, &bytes, e);
    if (!err &&
        !(err = put(f, (vb_tlog_file){VB_TLOG_FILE_INFO, 0, 0, 0}, bytes.data, bytes.len, e))) {
        err = vb_tlog_files_flush(f->files, e);
    }
    vb_buf_free(&bytes);
    f->info_missing = err != VB_OK;
    return err;
}

vb_err vb_tlog_folder_set_note(vb_tlog_folder *f, const void *note, size_t n_bytes, vb_error *e) {
    vb_buf copy = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    vb_err err = vb_buf_append(&copy, note, n_bytes);
    if (err) {
        vb_fail(e, err, "%s: no memory for a checkpoint", f->path);
    } else if (!(err =
                     put(f, (vb_tlog_file){VB_TLOG_FILE_CHECKPOINT, 0, 0, 0}, note, n_bytes, e)) &&
               !(err = vb_tlog_files_flush(f->files, e))) {
        vb_buf_free(&f->note);
        f->note = copy;
        return VB_OK;
    }
    vb_buf_free(&copy);
    return err;
}

vb_err vb_tlog_folder_commit(vb_tlog_folder *f, const void *note, size_t n_bytes, vb_error *e) {
    const uint64_t before = f->checkpoint.size;
    vb_err err = put_partial(f, e);
    if (err || (err = vb_tlog_files_flush(f->files, e)) ||
        (err = vb_tlog_folder_set_note(f, note, n_bytes, e)) ||
        (f->info_missing && (err = write_info(f, e)))) {
        return err;
    }
    f->is_new = false;
    vb_tlog_folder_head(f, &f->checkpoint);
    drop_partial(f, before);
    return VB_OK;
}

vb_err vb_tlog_folder_set_times(vb_tlog_folder *f, uint32_t publish_within_s,
                                uint32_t settle_within_s, vb_error *e) {
    const bool same =
        f->info.publish_within_s == publish_within_s && f->info.settle_within_s == settle_within_s;
    f->info.publish_within_s = publish_within_s;
    f->info.settle_within_s = settle_within_s;
    /* A new folder's comes with its first checkpoint. */
    return f->is_new || (same && !f->info_missing) ? VB_OK : write_info(f, e);
}

vb_err vb_tlog_folder_keep(vb_tlog_folder *f, const char *name, const void *bytes, size_t n_bytes,
                           vb_error *e) {
    vb_err err = vb_tlog_files_put(f->files, name, bytes, n_bytes, e);
    return err ? err : vb_tlog_files_flush(f->files, e);
}

/* Opening */

/* The folder's own name. */
static vb_err sync_above(const vb_tlog_folder *f, vb_error *e) {
    const int fd = openat(f->root, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    vb_err err =
        fd >= 0 && fsync(fd) == 0
            ? VB_OK
            : vb_fail(e, VB_EIO, "%s: cannot sync the folder above: %s", f->path, strerror(errno));
    if (fd >= 0) {
        close(fd);
    }
    return err;
}

static vb_err open_root(vb_tlog_folder *f, vb_error *e) {
    const char *path = f->path;
    const bool made = mkdir(path, 0755) == 0;
    if (!made && errno != EEXIST) {
        return vb_fail(e, VB_EIO, "%s: cannot make the folder: %s", path, strerror(errno));
    }
    f->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->root < 0) {
        return vb_fail(e, VB_EIO, "%s: cannot open the folder: %s", path, strerror(errno));
    }
    vb_err err = made ? sync_above(f, e) : VB_OK;
    if (err) {
        return err;
    }
    f->lock = openat(f->root, VB_TLOG_LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (f->lock < 0) {
        return vb_fail(e, VB_EIO, "%s/" VB_TLOG_LOCK_NAME ": cannot open: %s", path,
                       strerror(errno));
    }
    return flock(f->lock, LOCK_EX | LOCK_NB) == 0
               ? VB_OK
               : vb_fail(e, VB_EIO, "%s: another process writes this log", path);
}

static bool is_there(const vb_tlog_folder *f, const char *name) {
    struct stat st;
    return fstatat(f->root, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A log is begun with its checkpoint, then comes log.json: a crash between them leaves an empty
 * log. A mirror is begun with log.json. Anything else that is missing was taken away. */
static vb_err look(vb_tlog_folder *f, vb_error *e) {
    const bool checkpoint = is_there(f, "checkpoint"), info = is_there(f, "log.json");
    f->is_new = !checkpoint && (f->mirror || (!info && !is_there(f, "tile")));
    f->info_missing = !info;
    if ((checkpoint || f->is_new) && (info || !checkpoint || !f->mirror)) {
        return VB_OK;
    }
    return vb_fail(e, VB_EMISMATCH, "%s/%s: it is gone, while other files of the log are there",
                   f->path, checkpoint ? "log.json" : "checkpoint");
}

static vb_err check_info(vb_tlog_folder *f, vb_tlog_reader *r, vb_error *e) {
    if (!f->info_missing) {
        return vb_tlog_reader_info(r, &f->info, e);
    }
    return vb_tlog_reader_checkpoint(r)->size == 0
               ? VB_OK
               : vb_fail(e, VB_EMISMATCH,
                         "%s/log.json: it is gone, while other files of the log are there",
                         f->path);
}

/* What grows from here on: the roots of full subtrees, the last tiles, the last bundle. */
static vb_err load_growing(vb_tlog_folder *f, vb_tlog_reader *r, vb_error *e) {
    const uint64_t size = f->checkpoint.size;
    vb_err err = VB_OK;
    f->range.size = size;
    for (unsigned bit = 0; bit <= VB_TLOG_SIZE_BITS_MAX && !err; bit++) {
        if (size >> bit & 1) {
            err = vb_tlog_reader_hash(r, bit, (size >> bit) - 1, &f->range.subtree[bit], e);
        }
    }
    for (unsigned level = 0; level < VB_TLOG_LEVELS && !err; level++) {
        const uint64_t n = vb_tlog_level_size(size, level);
        growing_tile *t = &f->tiles[level];
        for (uint64_t i = n - n % VB_TLOG_TILE_WIDTH; i < n && !err; i++) {
            err = vb_tlog_reader_hash(r, level * VB_TLOG_TILE_BITS, i, &t->hashes[t->n++], e);
        }
    }
    for (uint64_t i = size - size % VB_TLOG_TILE_WIDTH; i < size && !err; i++) {
        const uint8_t *bytes;
        size_t n_bytes;
        if (!(err = vb_tlog_reader_entry(r, i, &bytes, &n_bytes, e))) {
            err = add_to_bundle(f, bytes, n_bytes, e);
        }
    }
    return err;
}

typedef struct comparison {
    const vb_tlog_folder *f;
    vb_tlog_reader *r;
} comparison;

/* A vb_tlog_same_fn: an older partial file has the beginning of what the last one has. */
static vb_err compare_partial(void *user, const vb_tlog_file *file, const char *path, vb_error *e) {
    const vb_tlog_folder *f = ((comparison *)user)->f;
    const uint8_t *expected = (const uint8_t *)f->tiles[file->level].hashes;
    size_t n = file->width * sizeof(vb_tlog_hash);
    if (file->kind == VB_TLOG_FILE_ENTRIES) {
        expected = f->bundle.data;
        n = 0;
        for (unsigned i = 0; i < file->width; i++) {
            n += 2 + ((size_t)expected[n] << 8 | expected[n + 1]);
        }
    }
    vb_buf bytes = vb_buf_make(VB_TLOG_BUNDLE_BYTES_MAX);
    vb_err err = vb_tlog_reader_file(((comparison *)user)->r, path, &bytes, e);
    if (!err && (bytes.len != n || memcmp(bytes.data, expected, n) != 0)) {
        err = vb_fail(e, VB_EMISMATCH, "%s/%s: it is not what a checkpoint of that size signed",
                      f->path, path);
    }
    vb_buf_free(&bytes);
    return err;
}

/* The partial files of the checkpoint, which go only when a later checkpoint is there. */
static vb_err check_partial(const vb_tlog_folder *f, vb_error *e) {
    const uint64_t size = f->checkpoint.size;
    for (unsigned level = 0; level <= VB_TLOG_LEVELS; level++) {
        const bool entries = level == VB_TLOG_LEVELS;
        const uint64_t n = vb_tlog_level_size(size, entries ? 0 : level);
        const vb_tlog_file file = {entries ? VB_TLOG_FILE_ENTRIES : VB_TLOG_FILE_TILE,
                                   entries ? 0 : level, n / VB_TLOG_TILE_WIDTH,
                                   (unsigned)(n % VB_TLOG_TILE_WIDTH)};
        char path[VB_TLOG_PATH_BYTES];
        vb_tlog_file_path(&file, path);
        if (file.width && !is_there(f, path)) {
            return vb_fail(e, VB_EMISMATCH, "%s/%s: it is gone: was an older checkpoint put back?",
                           f->path, path);
        }
    }
    return VB_OK;
}

static vb_err load(vb_tlog_folder *f, vb_tlog_reader *r, const vb_tlog_audit_options *options,
                   vb_error *e) {
    vb_tlog_offence offence;
    size_t n_cosigned = 0;
    vb_err err = vb_tlog_reader_refresh(r, NULL, 0, &f->checkpoint, NULL, &n_cosigned, e);
    if (err || (err = check_info(f, r, e))) {
        return err;
    }
    if ((err = check_partial(f, e)) || (err = vb_tlog_audit(r, f->order, options, &offence, e))) {
        return err;
    }
    const vb_buf *note = vb_tlog_reader_note(r);
    if ((err = vb_buf_append(&f->note, note->data, note->len))) {
        return vb_fail(e, err, "%s: no memory for a checkpoint", f->path);
    }
    comparison x = {f, r};
    if ((err = load_growing(f, r, e))) {
        return err;
    }
    return vb_tlog_sweep(f->root, f->path, f->checkpoint.size, compare_partial, &x, e);
}

static vb_err nothing_stays(void *user, const vb_tlog_file *file, const char *path, vb_error *e) {
    (void)user;
    (void)file;
    return vb_fail(e, VB_EINTERNAL, "%s: in an empty log", path);
}

/* A folder without a checkpoint: what is in it was left by a crash. */
static vb_err begin(vb_tlog_folder *f, vb_tlog_reader *r, vb_error *e) {
    vb_err err = vb_tlog_sweep(f->root, f->path, 0, nothing_stays, NULL, e);
    if (!err && !f->info_missing) {
        err = vb_tlog_reader_info(r, &f->info, e);
    } else if (!err && f->mirror) {
        err = write_info(f, e);
    }
    return err;
}

static vb_err open_there(vb_tlog_folder *f, const vb_tlog_audit_options *options, vb_error *e) {
    vb_tlog_reader *r = NULL;
    vb_err err = open_root(f, e);
    if (err || (err = look(f, e)) || (err = vb_tlog_files_open(f->path, f->root, &f->files, e)) ||
        (err = vb_tlog_reader_open_folder(f->path, &f->info.key, &r, e))) {
        return err;
    }
    err = f->is_new ? begin(f, r, e) : load(f, r, options, e);
    vb_tlog_reader_close(r);
    return err;
}

vb_err vb_tlog_folder_open(const char *path, const vb_tlog_folder_options *o, vb_tlog_folder **out,
                           vb_error *e) {
    const vb_tlog_audit_options options = {.progress = o->progress, .progress_user = o->user};
    vb_tlog_folder *f = calloc(1, sizeof *f);
    if (!f) {
        return vb_fail(e, VB_ENOMEM, "no memory for a log");
    }
    f->root = f->lock = -1;
    f->info = *o->info;
    f->mirror = o->mirror;
    f->note = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    f->bundle = vb_buf_make(VB_TLOG_BUNDLE_BYTES_MAX);
    snprintf(f->checkpoint.origin, sizeof f->checkpoint.origin, "%s", f->info.key.name);
    vb_tlog_range_begin(&f->range);
    vb_tlog_range_root(&f->range, &f->checkpoint.root);
    const int n = snprintf(f->path, sizeof f->path, "%s", path);
    vb_err err =
        n <= 0 || (size_t)n >= sizeof f->path
            ? vb_fail(e, VB_EINVAL, "the folder of a log: expected a path of 1 to %u bytes",
                      VB_PATH_BYTES_MAX - 1)
            : vb_tlog_order_open(&f->order, e);
    if (err || (err = open_there(f, &options, e))) {
        vb_tlog_folder_close(f);
        return err;
    }
    *out = f;
    return VB_OK;
}
