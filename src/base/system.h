/*
 * What the program asks of the system: clocks, memory, processors. Only the layers that may be
 * impure (model allocation, engine, cli, bench) call these; see ARCHITECTURE.md for the pure ones.
 */
#ifndef VB_BASE_SYSTEM_H
#define VB_BASE_SYSTEM_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Nanoseconds of a clock that never goes back. */
uint64_t vb_clock_ns(void);

/* Milliseconds since 1970-01-01 UTC. */
uint64_t vb_unix_ms(void);

/* Bytes that can be allocated without swapping: the kernel's estimate, less where a control group
 * or a resource limit allows less. UINT64_MAX when the system does not say. */
uint64_t vb_memory_available_bytes(void);

/* Processors this process may run on, or as many as its control group grants the time of; >= 1. */
int vb_cpu_count(void);

/* Processors' worth of time that a control group's cpu.max grants, rounded up: "quota period", both
 * in microseconds. UINT64_MAX when it sets no limit ("max 100000"). */
uint64_t vb_cpu_quota(const char *cpu_max);

/* The most memory that this process has had resident since its program began; 0 when the system
 * does not say. What the system caches of files is not counted. */
uint64_t vb_memory_peak_bytes(void);

/* 64-byte aligned memory (2 MiB aligned with huge pages advised when large), zeroed; NULL when
 * there is none. Freed with vb_free_aligned and the same size. */
void *vb_alloc_aligned(size_t n_bytes);
void vb_free_aligned(void *p, size_t n_bytes);

/* VB_ENOMEM with a sentence when need_bytes is more than the system has available. */
VB_MUST_CHECK vb_err vb_memory_check(uint64_t need_bytes, const char *what, vb_error *e);

#endif
