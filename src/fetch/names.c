/* Which kinds have endpoints, and the ids that names stand for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fetch/kind.h"

static const vb_source_kind *const kinds[] = {&vb_kind_drand, &vb_kind_theta, &vb_kind_ethereum,
                                              &vb_kind_nist};

const vb_source_kind *vb_source_kind_of(vb_beacon_kind kind) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i]->kind == kind) {
            return kinds[i];
        }
    }
    return NULL;
}

vb_err vb_source_name(const char *name, const vb_trust *trust, char id[VB_BEACON_ID_BYTES_MAX + 1],
                      vb_error *e) {
    const size_t n_kind = strcspn(name, ":");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const char *kind = vb_beacon_kind_name(kinds[i]->kind);
        if (strlen(kind) == n_kind && memcmp(name, kind, n_kind) == 0) {
            return kinds[i]->name(name[n_kind] ? name + n_kind + 1 : NULL, trust, id, e);
        }
    }
    return vb_fail(e, VB_EINVAL,
                   "%s: expected drand, theta, ethereum or nist, with a chain after a colon", name);
}

static int compare_ids(const void *a, const void *b) {
    return strcmp(a, b);
}

vb_err vb_source_mix_name(const char *name, const vb_trust *trust,
                          char id[VB_BEACON_ID_BYTES_MAX + 1], vb_error *e) {
    char part[VB_BEACON_ID_BYTES_MAX + 1], ids[VB_MIX_PARTS_MAX][VB_BEACON_ID_BYTES_MAX + 1];
    const char *p = name + strlen("mix:");
    size_t n = 0;
    for (bool more = true; more;) {
        const size_t n_bytes = strcspn(p, "+");
        if (n == VB_MIX_PARTS_MAX || n_bytes >= sizeof part) {
            return vb_fail(e, VB_EINVAL, "%s: a mix has two to %u parts of at most %u bytes", name,
                           VB_MIX_PARTS_MAX, VB_BEACON_ID_BYTES_MAX);
        }
        memcpy(part, p, n_bytes);
        part[n_bytes] = 0;
        vb_err err = vb_source_name(part, trust, ids[n++], e);
        if (err) {
            return vb_fail_in(e, err, "part %zu of a mix", n);
        }
        more = p[n_bytes] == '+';
        p += n_bytes + more;
    }
    if (n < 2) {
        return vb_fail(e, VB_EINVAL, "%s: a mix has at least two parts, joined by +", name);
    }
    qsort(ids, n, sizeof ids[0], compare_ids);
    vb_buf b = vb_buf_make(VB_BEACON_ID_BYTES_MAX);
    vb_err err = vb_buf_printf(&b, "mix:");
    for (size_t i = 0; i < n && !err; i++) {
        if (i && strcmp(ids[i - 1], ids[i]) == 0) {
            vb_buf_free(&b);
            return vb_fail(e, VB_EINVAL, "%s: %s is there twice", name, ids[i]);
        }
        err = vb_buf_printf(&b, "%s%s", i ? "+" : "", ids[i]);
    }
    if (err) {
        err = vb_fail(e, err == VB_ELIMIT ? VB_EINVAL : err,
                      "%s: the id of this mix would have more than %u bytes", name,
                      VB_BEACON_ID_BYTES_MAX);
    } else {
        memcpy(id, b.data, b.len + 1);
    }
    vb_buf_free(&b);
    return err;
}
