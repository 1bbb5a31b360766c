/*
 * Trust files from hostile bytes: reading never crashes, an error has words and gives nothing, and
 * what is accepted is within every bound that trust.h states.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "beacon/beacon.h"
#include "beacon/drand.h"
#include "beacon/trust.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

static void check_drand(const vb_trust *t) {
    const vb_trust *b = vb_trust_builtin();
    require(t->n_drand >= b->n_drand);
    for (size_t i = 0; i < t->n_drand; i++) {
        const vb_drand_chain *c = &t->drand[i];
        uint8_t hash[32];
        vb_drand_chain_hash(c, hash);
        require(memcmp(hash, c->hash, sizeof hash) == 0 && c->period_s >= 1);
        require(c->n_public_key == vb_drand_form_of(c->scheme)->n_public_key);
        require(vb_trust_drand(t, c->hash) == c); /* none is hidden by another */
    }
    for (size_t i = 0; i < b->n_drand; i++) {
        require(memcmp(&t->drand[i], &b->drand[i], sizeof b->drand[i]) == 0);
    }
}

static void check_theta(const vb_trust *t) {
    for (size_t i = 0; i < t->n_theta; i++) {
        const vb_theta_set *s = &t->theta[i];
        require(s->from <= s->to && s->chain[0] && s->n_validators >= 1 &&
                s->n_validators <= VB_TRUST_ITEMS_MAX);
        for (size_t k = 0; k < s->n_validators; k++) {
            require(s->validators[k].stake >= 1 && s->validators[k].stake >> 100 == 0);
            require(k == 0 || memcmp(s->validators[k - 1].id, s->validators[k].id, 20) < 0);
        }
        for (size_t k = 0; k < i; k++) {
            const vb_theta_set *o = &t->theta[k];
            require(strcmp(o->chain, s->chain) != 0 || s->from > o->to || o->from > s->to);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    vb_trust *t = NULL;
    vb_error e = {0};
    vb_err err = vb_trust_parse(data, size, &t, &e);
    require((err == VB_OK) == (t != NULL) && (err == VB_OK || e.msg[0] != 0));
    if (err) {
        return 0;
    }
    check_drand(t);
    check_theta(t);
    require((t->modes & ~VB_TRUST_MODES_ALL) == 0);
    for (size_t i = 0; i < t->n_beacons; i++) {
        require(vb_beacon_kind_of_id(t->beacons[i]) != VB_BEACON_UNKNOWN);
        require(vb_trust_accepts_beacon(t, t->beacons[i]));
    }
    for (size_t i = 0; i < t->n_server_keys; i++) {
        require(vb_trust_server_key(t, t->server_keys[i].key) == &t->server_keys[i]);
    }
    for (size_t i = 0; i < t->n_ethereum; i++) {
        require(t->ethereum[i].chain_id >= 1);
    }
    vb_trust_free(t);
    return 0;
}
