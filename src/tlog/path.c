#include "tlog/path.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { GROUP = 1000, GROUPS_MAX = 4 }; /* 2^32 bundles have numbers of ten digits */

static const char checkpoint_name[] = "checkpoint", info_name[] = "log.json";

unsigned vb_tlog_tile_width(uint64_t size, unsigned level, uint64_t index) {
    const uint64_t n = vb_tlog_level_size(size, level), before = index * VB_TLOG_TILE_WIDTH;
    return n <= before                       ? 0
           : n - before < VB_TLOG_TILE_WIDTH ? (unsigned)(n - before)
                                             : VB_TLOG_TILE_WIDTH;
}

void vb_tlog_file_path(const vb_tlog_file *f, char path[VB_TLOG_PATH_BYTES]) {
    if (f->kind == VB_TLOG_FILE_CHECKPOINT || f->kind == VB_TLOG_FILE_INFO) {
        snprintf(path, VB_TLOG_PATH_BYTES, "%s",
                 f->kind == VB_TLOG_FILE_INFO ? info_name : checkpoint_name);
        return;
    }
    char *const end = path + VB_TLOG_PATH_BYTES;
    char *p = path + (f->kind == VB_TLOG_FILE_ENTRIES
                          ? snprintf(path, VB_TLOG_PATH_BYTES, "tile/entries")
                          : snprintf(path, VB_TLOG_PATH_BYTES, "tile/%u", f->level));
    uint64_t unit = 1;
    while (f->index / unit >= GROUP) {
        unit *= GROUP;
    }
    for (; unit; unit /= GROUP) {
        p += snprintf(p, (size_t)(end - p), "/%s%03" PRIu64, unit > 1 ? "x" : "",
                      f->index / unit % GROUP);
    }
    if (f->width < VB_TLOG_TILE_WIDTH) {
        snprintf(p, (size_t)(end - p), ".p/%u", f->width);
    }
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* The groups of an index, from behind the slash; what follows them, or NULL. */
static const char *parse_index(const char *p, uint64_t *index) {
    *index = 0;
    for (int i = 0; i < GROUPS_MAX; i++) {
        const bool more = *p == 'x';
        p += more;
        if (!is_digit(p[0]) || !is_digit(p[1]) || !is_digit(p[2])) {
            return NULL;
        }
        *index = *index * GROUP + (uint64_t)((p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0'));
        p += 3;
        if (!more) {
            return p;
        }
        if (*p++ != '/') {
            return NULL;
        }
    }
    return NULL;
}

/* Reads loosely; vb_tlog_file_parse compares with what would have been written. */
static bool parse_tile(const char *path, vb_tlog_file *f) {
    static const char entries[] = "tile/entries/";
    const char *p = NULL;
    *f = (vb_tlog_file){VB_TLOG_FILE_ENTRIES, 0, 0, VB_TLOG_TILE_WIDTH};
    if (strncmp(path, entries, sizeof entries - 1) == 0) {
        p = path + sizeof entries - 1;
    } else if (strncmp(path, "tile/", 5) == 0 && is_digit(path[5]) && path[6] == '/') {
        f->kind = VB_TLOG_FILE_TILE;
        f->level = (unsigned)(path[5] - '0');
        p = path + 7;
    }
    if (!p || f->level >= VB_TLOG_LEVELS || !(p = parse_index(p, &f->index))) {
        return false;
    }
    if (strncmp(p, ".p/", 3) == 0) {
        f->width = 0;
        for (p += 3; is_digit(*p) && f->width < VB_TLOG_TILE_WIDTH; p++) {
            f->width = f->width * 10 + (unsigned)(*p - '0');
        }
        if (f->width == 0 || f->width >= VB_TLOG_TILE_WIDTH) {
            return false;
        }
    }
    return *p == 0;
}

bool vb_tlog_file_parse(const char *path, vb_tlog_file *out) {
    vb_tlog_file f = {VB_TLOG_FILE_CHECKPOINT, 0, 0, 0};
    char again[VB_TLOG_PATH_BYTES];
    if (strcmp(path, info_name) == 0) {
        f.kind = VB_TLOG_FILE_INFO;
    } else if (strcmp(path, checkpoint_name) != 0 && !parse_tile(path, &f)) {
        return false;
    }
    vb_tlog_file_path(&f, again);
    const uint64_t most = UINT64_C(1) << VB_TLOG_SIZE_BITS_MAX;
    if (strcmp(again, path) != 0 ||
        (f.width && vb_tlog_tile_width(most, f.level, f.index) < f.width)) {
        return false;
    }
    *out = f;
    return true;
}
