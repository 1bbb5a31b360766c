/*
 * A progress line on stderr (bar, rate, time left) when stderr is a terminal and the command is
 * not quiet; nothing otherwise. Also where Ctrl-C becomes a flag that long work looks at.
 */
#ifndef VB_CLI_PROGRESS_H
#define VB_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct vb_progress {
    const char *label; /* "loading" */
    const char *unit;  /* "B" (scaled: kB, MB, GB) or "tokens" */
    bool shown, on;
    uint64_t start_ns, last_ns;
} vb_progress;

void vb_progress_begin(vb_progress *p, const char *label, const char *unit, bool quiet);
/* Fits vb_progress_fn (user is the vb_progress): false once Ctrl-C was pressed. */
bool vb_progress_update(void *p, uint64_t done, uint64_t total);
void vb_progress_clear(vb_progress *p); /* makes room for other output; the line comes back */
void vb_progress_end(vb_progress *p);

/* Installs the handler of SIGINT and SIGTERM; a second signal ends the process at once. */
void vb_interrupt_install(void);
bool vb_interrupted(void);
bool vb_terminated(void);      /* by SIGTERM: no next piece of work */
void vb_interrupt_reset(void); /* before the next piece of work */

#endif
