/*
 * Names of a log's files (spec/log.md section 2), relative to its folder or URL. Pure; nothing
 * allocates.
 */
#ifndef VB_TLOG_PATH_H
#define VB_TLOG_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "tlog/tree.h"

enum {
    VB_TLOG_TILE_WIDTH = 256, /* hashes of a full tile, entries of a full bundle */
    VB_TLOG_TILE_BITS = 8,
    VB_TLOG_TILE_BYTES = VB_TLOG_TILE_WIDTH * VB_SHA256_BYTES,
    VB_TLOG_LEVELS = VB_TLOG_SIZE_BITS_MAX / VB_TLOG_TILE_BITS + 1, /* of tiles */
    VB_TLOG_PATH_BYTES = 64
};

typedef enum vb_tlog_file_kind {
    VB_TLOG_FILE_CHECKPOINT = 1,
    VB_TLOG_FILE_INFO, /* log.json */
    VB_TLOG_FILE_TILE,
    VB_TLOG_FILE_ENTRIES
} vb_tlog_file_kind;

typedef struct vb_tlog_file {
    vb_tlog_file_kind kind;
    unsigned level; /* TILE: below VB_TLOG_LEVELS */
    uint64_t index; /* TILE, ENTRIES */
    unsigned width; /* TILE, ENTRIES: 1 .. VB_TLOG_TILE_WIDTH */
} vb_tlog_file;

void vb_tlog_file_path(const vb_tlog_file *f, char path[VB_TLOG_PATH_BYTES]);

/* The same backwards: false, and out untouched, for every text that vb_tlog_file_path does not
 * write for a tree of at most 2^VB_TLOG_SIZE_BITS_MAX leaves. */
VB_MUST_CHECK bool vb_tlog_file_parse(const char *path, vb_tlog_file *out);

/* Hashes on a level of tiles (level 0: leaves) of a tree of so many leaves. */
static inline uint64_t vb_tlog_level_size(uint64_t size, unsigned level) {
    return size >> (VB_TLOG_TILE_BITS * level);
}

/* How many hashes or entries of a tree of so many leaves stand in the tile or bundle: 0 to
 * VB_TLOG_TILE_WIDTH. */
unsigned vb_tlog_tile_width(uint64_t size, unsigned level, uint64_t index);

#endif
