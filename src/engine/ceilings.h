/*
 * The machine's own limits, measured in the same run as what is compared with them: how fast
 * memory can be read. (bench/kernels measures arithmetic peaks.)
 */
#ifndef VB_ENGINE_CEILINGS_H
#define VB_ENGINE_CEILINGS_H

/* Best of several passes of all threads over memory far larger than any cache, bytes per second; 0
 * when the memory could not be had. Takes under a second. */
double vb_measure_read_bandwidth(int n_threads);

#endif
