/*
 * The turn of schedulers that share the processors. Each model has a scheduler of its own; were two
 * to compute at the same time, their passes would have twice as many threads as there are
 * processors, and both would take longer than one after the other. So each takes the turn for a
 * pass and gives it back: first come, first served, which makes them alternate while both have
 * work.
 *
 * Owner: open/close; close when nobody has it or waits for it. Thread rule: any thread.
 */
#ifndef VB_ENGINE_SCHEDULER_TURN_H
#define VB_ENGINE_SCHEDULER_TURN_H

#include "base/error.h"

typedef struct vb_scheduler_turn vb_scheduler_turn;

VB_MUST_CHECK vb_err vb_scheduler_turn_open(vb_scheduler_turn **out, vb_error *e);
void vb_scheduler_turn_close(vb_scheduler_turn *t); /* NULL is allowed */

/* Waits for the turn; not from a thread that has it. */
void vb_scheduler_turn_take(vb_scheduler_turn *t);
void vb_scheduler_turn_give(vb_scheduler_turn *t);

#endif
