/*
 * The machine's own limits, measured in the same run as what is compared with them: how fast
 * memory and a model's files can be read. (bench/kernels measures arithmetic peaks.)
 */
#ifndef VB_ENGINE_CEILINGS_H
#define VB_ENGINE_CEILINGS_H

#include <stdint.h>

#include "gguf/gguf.h"

/* Best of several passes of all threads over memory far larger than any cache, bytes per second; 0
 * when the memory could not be had. Takes under a second. */
double vb_measure_read_bandwidth(int n_threads);

/* Nanoseconds in which all threads read the data of every tensor once, in the order of the files,
 * and do nothing with it: what loading can not be faster than. From the system's cache or from the
 * disk, as vb_gguf_uncache says. */
VB_MUST_CHECK vb_err vb_measure_file_reading(const vb_gguf *g, int n_threads, uint64_t *ns,
                                             vb_error *e);

#endif
