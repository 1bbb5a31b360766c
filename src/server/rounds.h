/*
 * Rounds of the beacon for many requests at once. Each wait ends in its round or in an error, by
 * its own deadline; requests that are due the same round share one fetch of it. With three
 * sources or more each mode (next, latest, fixed) has one that the others can not keep busy.
 *
 * Thread rule: any thread; `done` runs on a thread of this object and must not block for long.
 */
#ifndef VB_SERVER_ROUNDS_H
#define VB_SERVER_ROUNDS_H

#include <stddef.h>

#include "fetch/source.h"

typedef struct vb_rounds vb_rounds;

/* One wait: the caller's memory until done was called or vb_rounds_forget returned true. */
typedef struct vb_wait {
    vb_beacon_mode mode;
    uint64_t time_ms; /* of the commitment */
    uint64_t round;   /* mode fixed */
    /* round: NULL on an error, else a copy for the callee to keep or free. */
    void (*done)(struct vb_wait *w, vb_beacon_round *round, vb_err err, const vb_error *e);
    /* Of vb_rounds. */
    struct vb_wait *next;
    uint64_t serial, deadline_ns;
    bool fetching;
} vb_wait;

/* sources: one thread each; borrowed until close. trust: as that of the sources. */
VB_MUST_CHECK vb_err vb_rounds_open(vb_source *const *sources, size_t n_sources,
                                    const vb_trust *trust, uint32_t wait_ms, vb_rounds **out,
                                    vb_error *e);
/* Waits that are left end with VB_ECANCELLED. NULL is allowed. */
void vb_rounds_close(vb_rounds *r);

void vb_rounds_wait(vb_rounds *r, vb_wait *w);
/* The round is not wanted any more: true when done was not called, and will not be. */
bool vb_rounds_forget(vb_rounds *r, vb_wait *w);

#endif
