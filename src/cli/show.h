/*
 * How several commands show the same thing: times, and names from hostile folders.
 */
#ifndef VB_CLI_SHOW_H
#define VB_CLI_SHOW_H

#include <stddef.h>
#include <stdint.h>

enum { VB_SHOW_TIME_BYTES = 40 };

/* Unix milliseconds as 2026-11-22T20:53:12Z, with a fraction where there is one; past the year 9999
 * as they are. */
void vb_show_time(uint64_t unix_ms, char out[VB_SHOW_TIME_BYTES]);

/* Prints a path to stdout; what could steer a terminal in it becomes '?'. */
void vb_show_path(const char *path);

#endif
