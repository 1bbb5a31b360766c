/*
 * The options that name a beacon, its endpoints and what is trusted (run, chat, beacon, verify),
 * and their opening.
 */
#ifndef VB_CLI_BEACON_OPTIONS_H
#define VB_CLI_BEACON_OPTIONS_H

#include "beacon/trust.h"
#include "cli/options.h"
#include "fetch/source.h"

typedef struct vb_beacon_options {
    const char *beacon; /* NULL: none was named */
    vb_opt_list urls;
    uint64_t wait_s; /* 0: the kind's default */
    const char *ca_file;
    const char *trust_file;
    /* opened */
    vb_trust *trust; /* NULL: the built-in roots */
    vb_source *source;
} vb_beacon_options;

/* --beacon, --beacon-url, --beacon-wait, --beacon-ca. */
void vb_beacon_options_add(vb_beacon_options *b, vb_opt_table *t);
/* --trust. */
void vb_trust_option_add(vb_beacon_options *b, vb_opt_table *t);

/* The trust file of --trust, or $XDG_CONFIG_HOME/verbatim/trust.json
 * (~/.config/verbatim/trust.json) where there is one. */
VB_MUST_CHECK vb_err vb_trust_open(vb_beacon_options *b, vb_error *e);

/* The endpoints of --beacon (which was given), after vb_trust_open. Ctrl-C ends its waits. */
VB_MUST_CHECK vb_err vb_beacon_open(vb_beacon_options *b, vb_error *e);
uint32_t vb_beacon_wait_ms(const vb_beacon_options *b);
void vb_beacon_close(vb_beacon_options *b); /* also of a zeroed one */

#endif
