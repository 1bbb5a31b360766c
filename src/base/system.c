#include "base/system.h"

#include <inttypes.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { HUGE_PAGE_BYTES = 2 << 20, PAGE_BYTES = 4096, CGROUP_PATH_BYTES = 4096 };

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

/* The number after `key` at the start of a line, or absent. */
static uint64_t read_keyed(const char *path, const char *key, uint64_t absent) {
    FILE *f = fopen(path, "r");
    if (!f) {
        return absent;
    }
    char line[256];
    const size_t n = strlen(key);
    uint64_t out = absent;
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, key, n) == 0 && sscanf(line + n, "%" SCNu64, &out) == 1) {
            break;
        }
    }
    fclose(f);
    return out;
}

/* What one control group leaves. Its cached file pages are counted as used, but are given back on
 * demand: without them a model that was just read would seem to fill the group. */
static uint64_t group_left(const char *dir) {
    char path[CGROUP_PATH_BYTES + 32];
    snprintf(path, sizeof path, "%s/memory.max", dir);
    const uint64_t max = read_number(path);
    snprintf(path, sizeof path, "%s/memory.current", dir);
    const uint64_t now = read_number(path);
    if (max == UINT64_MAX || now == UINT64_MAX) {
        return UINT64_MAX;
    }
    snprintf(path, sizeof path, "%s/memory.stat", dir);
    const uint64_t cached =
        read_keyed(path, "inactive_file ", 0) + read_keyed(path, "active_file ", 0);
    const uint64_t used = now > cached ? now - cached : 0;
    return max > used ? max - used : 0;
}

/* The least of what `of` finds in this process's control group (version 2) and in those above it.
 */
static uint64_t least_of_groups(uint64_t (*of)(const char *dir)) {
    char dir[CGROUP_PATH_BYTES] = "/sys/fs/cgroup", line[CGROUP_PATH_BYTES - 32];
    const size_t root = strlen(dir);
    FILE *f = fopen("/proc/self/cgroup", "r");
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "0::/", 4) == 0 && !strstr(line, "/..")) {
            snprintf(dir + root, sizeof dir - root, "%s", line + 3);
        }
    }
    if (f) {
        fclose(f);
    }
    uint64_t out = UINT64_MAX;
    for (;;) {
        const uint64_t found = of(dir);
        out = found < out ? found : out;
        char *slash = strrchr(dir, '/');
        if (slash < dir + root) {
            return out;
        }
        *slash = 0;
    }
}

static uint64_t address_space_left(void) {
    struct rlimit r;
    if (getrlimit(RLIMIT_AS, &r) != 0 || r.rlim_cur == RLIM_INFINITY) {
        return UINT64_MAX;
    }
    const uint64_t pages = read_number("/proc/self/statm");
    const uint64_t used = pages == UINT64_MAX ? 0 : pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return r.rlim_cur > used ? r.rlim_cur - used : 0;
}

uint64_t vb_memory_available_bytes(void) {
    const uint64_t kib = read_keyed("/proc/meminfo", "MemAvailable:", UINT64_MAX / 1024);
    const uint64_t group = least_of_groups(group_left), space = address_space_left();
    uint64_t out = kib == UINT64_MAX / 1024 ? UINT64_MAX : kib * 1024;
    out = group < out ? group : out;
    return space < out ? space : out;
}

uint64_t vb_cpu_quota(const char *cpu_max) {
    uint64_t quota_us, period_us;
    if (sscanf(cpu_max, "%" SCNu64 " %" SCNu64, &quota_us, &period_us) != 2 || period_us == 0) {
        return UINT64_MAX;
    }
    const uint64_t n = quota_us / period_us + (quota_us % period_us != 0);
    return n ? n : 1;
}

static uint64_t group_quota(const char *dir) {
    char path[CGROUP_PATH_BYTES + 32], line[64];
    snprintf(path, sizeof path, "%s/cpu.max", dir);
    FILE *f = fopen(path, "r");
    if (!f) {
        return UINT64_MAX;
    }
    const bool got = fgets(line, sizeof line, f) != NULL;
    fclose(f);
    return got ? vb_cpu_quota(line) : UINT64_MAX;
}

int vb_cpu_count(void) {
    cpu_set_t set;
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    int n = online > 0 ? (int)online : 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) {
        n = CPU_COUNT(&set);
    }
    const uint64_t quota = least_of_groups(group_quota);
    return quota < (uint64_t)n ? (int)quota : n;
}

uint64_t vb_memory_peak_bytes(void) {
    return read_keyed("/proc/self/status", "VmHWM:", 0) * 1024;
}

/* Whole small pages; 0 on overflow. */
static size_t mapped_size(size_t n_bytes) {
    size_t n = n_bytes ? n_bytes : 1;
    if (n > SIZE_MAX - 2 * HUGE_PAGE_BYTES) {
        return 0;
    }
    return (n + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

/* Huge pages for what fills them: the rest of the last one would be memory that nobody uses. */
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
        (void)madvise(p, size / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES, MADV_HUGEPAGE);
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
