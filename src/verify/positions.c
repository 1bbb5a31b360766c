#include "verify/positions.h"

#include <string.h>

#include "base/bytes.h"

void vb_positions_begin(vb_positions *p, const uint8_t seed[VB_POSITIONS_SEED_BYTES], uint64_t k,
                        uint64_t n) {
    memset(p, 0, sizeof *p);
    memcpy(p->seed, seed, sizeof p->seed);
    p->used = sizeof p->block;
    p->wanted = k < n ? k : n;
    p->ahead = n;
}

static uint64_t next_number(vb_positions *p) {
    if (p->used == sizeof p->block) {
        static const char domain[] = "verbatim.sample.v1\n";
        vb_sha256 s;
        vb_sha256_begin(&s);
        vb_sha256_update(&s, domain, sizeof domain - 1);
        vb_sha256_update(&s, p->seed, sizeof p->seed);
        vb_sha256_u64be(&s, p->n_blocks++);
        vb_sha256_end(&s, p->block);
        p->used = 0;
    }
    const uint64_t v = vb_load_u64be(p->block + p->used);
    p->used += sizeof v;
    return v;
}

/* A number below range (>= 1), each equally likely. */
static uint64_t below(vb_positions *p, uint64_t range) {
    const uint64_t beyond = (0 - range) % range; /* 2^64 mod range */
    uint64_t v;
    do {
        v = next_number(p);
    } while (v > UINT64_MAX - beyond);
    return v % range;
}

bool vb_positions_next(vb_positions *p) {
    VB_ASSERT(p->ahead > 0);
    const bool taken = below(p, p->ahead) < p->wanted;
    p->wanted -= taken;
    p->ahead--;
    return taken;
}
