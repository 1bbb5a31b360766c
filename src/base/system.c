#include "base/system.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { HUGE_PAGE_BYTES = 2 << 20, PAGE_BYTES = 4096 };

uint64_t vb_clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t vb_unix_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

/* The first number of a small system file, or UINT64_MAX ("max", absent). */
static uint64_t read_number(const char *path) {
    FILE *f = fopen(path, "r");
    if (!f) {
        return UINT64_MAX;
    }
    uint64_t v;
    if (fscanf(f, "%" SCNu64, &v) != 1) {
        v = UINT64_MAX;
    }
    fclose(f);
    return v;
}

static uint64_t meminfo_available(void) {
    FILE *f = fopen("/proc/meminfo", "r");
    if (!f) {
        return UINT64_MAX;
    }
    char line[256];
    uint64_t kib, out = UINT64_MAX;
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) == 1) {
            out = kib * 1024u;
            break;
        }
    }
    fclose(f);
    return out;
}

uint64_t vb_memory_available_bytes(void) {
    uint64_t out = meminfo_available();
    uint64_t cg_max = read_number("/sys/fs/cgroup/memory.max");
    uint64_t cg_now = read_number("/sys/fs/cgroup/memory.current");
    if (cg_max != UINT64_MAX && cg_now != UINT64_MAX) {
        uint64_t left = cg_max > cg_now ? cg_max - cg_now : 0;
        out = left < out ? left : out;
    }
    struct rlimit r;
    if (getrlimit(RLIMIT_AS, &r) == 0 && r.rlim_cur != RLIM_INFINITY && r.rlim_cur < out) {
        out = r.rlim_cur;
    }
    return out;
}

int vb_cpu_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        int n = CPU_COUNT(&set);
        return n > 0 ? n : 1;
    }
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

static size_t mapped_size(size_t n_bytes) {
    size_t unit = n_bytes >= HUGE_PAGE_BYTES ? HUGE_PAGE_BYTES : PAGE_BYTES;
    size_t n = n_bytes ? n_bytes : 1;
    if (n > SIZE_MAX - 2 * unit) {
        return 0;
    }
    return (n + unit - 1) / unit * unit;
}

void *vb_alloc_aligned(size_t n_bytes) {
    size_t size = mapped_size(n_bytes);
    if (size == 0) {
        return NULL;
    }
    size_t extra = size >= HUGE_PAGE_BYTES ? HUGE_PAGE_BYTES : 0;
    uint8_t *p =
        mmap(NULL, size + extra, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        return NULL;
    }
    if (extra) {
        /* Give back what lies outside the aligned part. */
        size_t head = (HUGE_PAGE_BYTES - (uintptr_t)p % HUGE_PAGE_BYTES) % HUGE_PAGE_BYTES;
        if (head) {
            munmap(p, head);
        }
        if (extra - head) {
            munmap(p + head + size, extra - head);
        }
        p += head;
        (void)madvise(p, size, MADV_HUGEPAGE);
    }
    return p;
}

void vb_free_aligned(void *p, size_t n_bytes) {
    if (p) {
        munmap(p, mapped_size(n_bytes));
    }
}

vb_err vb_memory_check(uint64_t need_bytes, const char *what, vb_error *e) {
    uint64_t have = vb_memory_available_bytes();
    if (need_bytes > have) {
        return vb_fail(e, VB_ENOMEM, "%s needs %.2f GB of memory, %.2f GB are available", what,
                       (double)need_bytes / 1e9, (double)have / 1e9);
    }
    return VB_OK;
}
