#include "beacon/theta.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "beacon/proof.h"
#include "crypto/keccak.h"
#include "crypto/rlp.h"
#include "crypto/secp256k1.h"
#include "crypto/sha256.h"

enum {
    HASH_BYTES = 32,
    LATEST_MS = 120000,     /* how long a block counts as the newest final one */
    SIGNED_BYTES_MAX = 128, /* one vote's RLP */
    STATUS_FINAL_MIN = 4,   /* a block's status in a node's answer: directly, indirectly or */
    STATUS_FINAL_MAX = 6    /* trustedly finalised */
};

#define SECONDS_MAX (((uint64_t)1 << 53) - 1)

/* Height and timestamp are in the randomness, so who may choose them chooses among draws. */
static const char caveat[] = "a Theta block's height and times are the server's word (the votes "
                             "are for its hash alone), so the server can choose among draws; and "
                             "its proposer can choose among hashes";

typedef struct theta_vote {
    uint64_t epoch;
    uint8_t id[VB_ETH_ADDRESS_BYTES];
    uint8_t signature[VB_SECP256K1_SIGNATURE_BYTES];
} theta_vote;

typedef struct theta_proof {
    uint8_t hash[HASH_BYTES];
    uint64_t timestamp, previous_timestamp; /* unix seconds */
    theta_vote *votes;
    size_t n_votes;
} theta_proof;

uint32_t vb_theta_seed(const uint8_t randomness[32]) {
    return (uint32_t)randomness[28] << 24 | (uint32_t)randomness[29] << 16 |
           (uint32_t)randomness[30] << 8 | randomness[31];
}

static void randomness_of(const uint8_t hash[HASH_BYTES], uint64_t height, uint64_t timestamp,
                          uint8_t out[VB_SHA256_BYTES]) {
    char hex[2 * HASH_BYTES + 1], text[sizeof hex + 48];
    vb_hex_encode(hash, HASH_BYTES, hex);
    int n = snprintf(text, sizeof text, "0x%s%" PRIu64 "%" PRIu64, hex, height, timestamp);
    VB_ASSERT(n > 0 && (size_t)n < sizeof text);
    vb_sha256_of(text, (size_t)n, out);
}

static const char *chain_of(const char *id, vb_error *e) {
    const char *chain = vb_proof_chain(id, VB_BEACON_THETA);
    size_t n = chain ? strspn(chain, "abcdefghijklmnopqrstuvwxyz0123456789_-") : 0;
    if (n < 1 || n > VB_TRUST_NAME_BYTES_MAX || chain[n]) {
        (void)vb_fail(e, VB_EFORMAT, "beacon id: expected theta:<1 to %u of a-z 0-9 _ ->, found %s",
                      VB_TRUST_NAME_BYTES_MAX, id);
        return NULL;
    }
    return chain;
}

/* What a vote for the block signs: keccak256(RLP[hash, 0, epoch, id, ""]). The height, which the
 * second item would be, and the signature are empty. */
static vb_err vote_hash(const uint8_t hash[HASH_BYTES], const theta_vote *v,
                        uint8_t out[VB_KECCAK256_BYTES], vb_error *e) {
    vb_buf items = vb_buf_make(SIGNED_BYTES_MAX), list = vb_buf_make(SIGNED_BYTES_MAX);
    vb_err err = vb_rlp_string(&items, hash, HASH_BYTES);
    err = err ? err : vb_rlp_uint(&items, 0);
    err = err ? err : vb_rlp_uint(&items, v->epoch);
    err = err ? err : vb_rlp_string(&items, v->id, sizeof v->id);
    err = err ? err : vb_rlp_string(&items, "", 0);
    err = err ? err : vb_rlp_list(&list, items.data, items.len);
    if (!err) {
        vb_keccak256(list.data, list.len, out);
    }
    vb_buf_free(&items);
    vb_buf_free(&list);
    return err ? vb_fail(e, err, "no memory for a vote") : VB_OK;
}

/* VB_EFORMAT or VB_EMISMATCH: the vote is not its id's for this block. */
static vb_err check_vote(const uint8_t hash[HASH_BYTES], const theta_vote *v, vb_error *e) {
    uint8_t message[VB_KECCAK256_BYTES], address[VB_ETH_ADDRESS_BYTES];
    vb_err err = vote_hash(hash, v, message, e);
    err = err ? err : vb_secp256k1_recover(message, v->signature, address, e);
    if (!err && memcmp(address, v->id, sizeof address) != 0) {
        err = vb_fail(e, VB_EMISMATCH, "the signature is not its id's for this block and epoch");
    }
    return err;
}

static vb_err read_votes(const json_t *array, theta_proof *p, vb_error *e) {
    static const char *const names[] = {"epoch", "id", "signature", NULL};
    size_t n = json_array_size(array);
    p->votes = calloc(n, sizeof *p->votes);
    if (!p->votes) {
        return vb_fail(e, VB_ENOMEM, "no memory for %zu votes", n);
    }
    p->n_votes = n;
    for (size_t i = 0; i < n; i++) {
        char path[VB_FIELD_PATH_BYTES];
        theta_vote *v = &p->votes[i];
        snprintf(path, sizeof path, "beacon.proof.votes[%zu]", i);
        vb_fields f = vb_fields_open(json_array_get(array, i), path, names, e);
        vb_field_decimal(&f, "epoch", 0, UINT64_MAX, &v->epoch);
        vb_field_hex(&f, "id", v->id, sizeof v->id);
        vb_field_hex(&f, "signature", v->signature, sizeof v->signature);
        if (!f.err && i && memcmp(p->votes[i - 1].id, v->id, sizeof v->id) >= 0) {
            vb_field_fail(&f, VB_EFORMAT, "id", "not above the id before it");
        }
        if (f.err) {
            return f.err;
        }
    }
    return VB_OK;
}

/* p->votes is the caller's to free, after errors too. */
static vb_err read_proof(const vb_beacon_round *r, theta_proof *p, vb_error *e) {
    static const char *const names[] = {"hash", "previous_timestamp", "timestamp", "votes", NULL};
    json_t *doc = NULL;
    vb_err err = vb_proof_open(r, VB_SHA256_BYTES, &doc, e);
    if (err) {
        return err;
    }
    vb_fields f = vb_fields_open(doc, "beacon.proof", names, e);
    vb_field_hex(&f, "hash", p->hash, sizeof p->hash);
    vb_field_decimal(&f, "previous_timestamp", 0, SECONDS_MAX, &p->previous_timestamp);
    vb_field_decimal(&f, "timestamp", 0, SECONDS_MAX, &p->timestamp);
    const json_t *votes = vb_field_array(&f, "votes", 1, VB_THETA_VOTES_MAX);
    err = f.err ? f.err : read_votes(votes, p, e);
    json_decref(doc);
    return err;
}

static vb_err check_proof(const vb_beacon_round *r, const theta_proof *p, vb_error *e) {
    uint8_t randomness[VB_SHA256_BYTES];
    randomness_of(p->hash, r->round, p->timestamp, randomness);
    if (memcmp(randomness, r->randomness, sizeof randomness) != 0) {
        return vb_fail(
            e, VB_EMISMATCH,
            "the randomness is not the digest of the block's hash, height and timestamp");
    }
    if (p->previous_timestamp > p->timestamp) {
        return vb_fail(e, VB_EMISMATCH,
                       "beacon.proof.previous_timestamp is after the block's timestamp");
    }
    for (size_t i = 0; i < p->n_votes; i++) {
        vb_err err = check_vote(p->hash, &p->votes[i], e);
        if (err) {
            return vb_fail_in(e, err, "beacon.proof.votes[%zu]", i);
        }
    }
    return VB_OK;
}

static int compare_validator(const void *id, const void *validator) {
    return memcmp(id, ((const vb_theta_validator *)validator)->id, VB_ETH_ADDRESS_BYTES);
}

/* More than two thirds of the stake of the set for this height? */
static vb_err check_stake(const char *chain, uint64_t height, const theta_proof *p,
                          const vb_trust *trust, vb_error *e) {
    const vb_theta_set *set = NULL;
    for (size_t i = 0; i < trust->n_theta && !set; i++) {
        const vb_theta_set *s = &trust->theta[i];
        if (strcmp(s->chain, chain) == 0 && height >= s->from && height <= s->to) {
            set = s;
        }
    }
    if (!set) {
        return vb_fail(e, VB_EUNTRUSTED,
                       "no trusted validator set of Theta's chain %s for height %" PRIu64, chain,
                       height);
    }
    /* At most 2^12 validators with stakes below 2^100: three times the sum is far below 2^128. */
    VB_ASSERT(set->n_validators <= VB_TRUST_ITEMS_MAX);
    unsigned __int128 total = 0, voted = 0;
    size_t known = 0;
    for (size_t i = 0; i < set->n_validators; i++) {
        total += set->validators[i].stake;
    }
    for (size_t i = 0; i < p->n_votes; i++) {
        const vb_theta_validator *v = bsearch(p->votes[i].id, set->validators, set->n_validators,
                                              sizeof *set->validators, compare_validator);
        if (v) {
            voted += v->stake;
            known++;
        }
    }
    if (voted * 3 > total * 2) {
        return VB_OK;
    }
    return vb_fail(e, VB_EMISMATCH,
                   "%zu of the %zu trusted validators voted for the block: not more than two "
                   "thirds of their stake",
                   known, set->n_validators);
}

static void set_facts(const theta_proof *p, vb_beacon_facts *facts) {
    uint64_t time_ms = 1000 * p->timestamp;
    *facts = (vb_beacon_facts){.timed = true,
                               .chosen = true,
                               .next = {1000 * p->previous_timestamp, time_ms},
                               .latest = {time_ms, time_ms + LATEST_MS}};
    snprintf(facts->caveat, sizeof facts->caveat, "%s", caveat);
}

vb_err vb_theta_verify(const vb_beacon_round *r, const vb_trust *trust, vb_beacon_facts *facts,
                       vb_error *e) {
    const char *chain = chain_of(r->id, e);
    if (!chain) {
        return VB_EFORMAT;
    }
    theta_proof p = {.votes = NULL};
    vb_err err = read_proof(r, &p, e);
    err = err ? err : check_proof(r, &p, e);
    err = err ? err : check_stake(chain, r->round, &p, trust, e);
    if (!err || err == VB_EUNTRUSTED) {
        set_facts(&p, facts);
    }
    free(p.votes);
    return err;
}

/* One block of a node's answers. */
typedef struct node_block {
    uint8_t hash[HASH_BYTES], parent[HASH_BYTES];
    uint64_t height, timestamp, status;
} node_block;

static vb_err read_block(const json_t *answer, const char *path, const char *chain, node_block *b,
                         vb_error *e) {
    vb_fields f = vb_node_open(answer, path, e);
    char chain_id[VB_TRUST_NAME_BYTES_MAX + 1] = "";
    vb_field_name(&f, "chain_id", 0, chain_id, sizeof chain_id);
    vb_node_hex(&f, "hash", "0x", b->hash, sizeof b->hash);
    vb_node_hex(&f, "parent", "0x", b->parent, sizeof b->parent);
    vb_node_integer(&f, "height", UINT64_MAX, &b->height);
    vb_node_integer(&f, "timestamp", SECONDS_MAX, &b->timestamp);
    vb_node_integer(&f, "status", UINT8_MAX, &b->status);
    if (!f.err && strcmp(chain_id, chain) != 0) {
        vb_field_fail(&f, VB_EMISMATCH, "chain_id", "expected %s, found %s", chain, chain_id);
    }
    return f.err;
}

static vb_err check_blocks(const node_block *block, const node_block *parent,
                           const node_block *child, vb_error *e) {
    if (block->status < STATUS_FINAL_MIN || block->status > STATUS_FINAL_MAX) {
        return vb_fail(e, VB_EMISMATCH,
                       "block.status: block %" PRIu64 " is not final (status %" PRIu64
                       ", expected %d .. %d)",
                       block->height, block->status, STATUS_FINAL_MIN, STATUS_FINAL_MAX);
    }
    if (memcmp(block->parent, parent->hash, HASH_BYTES) != 0) {
        return vb_fail(e, VB_EMISMATCH, "block.parent: not the hash of the parent's answer");
    }
    if (memcmp(child->parent, block->hash, HASH_BYTES) != 0) {
        return vb_fail(e, VB_EMISMATCH, "child.parent: not the block's hash");
    }
    if (block->height == 0 || parent->height != block->height - 1) {
        return vb_fail(e, VB_EMISMATCH, "parent.height: not the one before the block's");
    }
    if (block->height == UINT64_MAX || child->height != block->height + 1) {
        return vb_fail(e, VB_EMISMATCH, "child.height: not the one after the block's");
    }
    if (parent->timestamp > block->timestamp) {
        return vb_fail(e, VB_EMISMATCH, "parent.timestamp: after the block's");
    }
    return VB_OK;
}

/* By id, then by epoch. */
static int compare_votes(const void *a, const void *b) {
    const theta_vote *x = a, *y = b;
    int c = memcmp(x->id, y->id, sizeof x->id);
    return c ? c : (x->epoch > y->epoch) - (x->epoch < y->epoch);
}

/* The good votes for the block among those of the child's hcc, sorted, one for each id. A vote for
 * another block, or with a signature that is not its id's, is left out: a node passes on what it
 * was sent, and the stake of the rest decides. votes has room for all of array. */
static vb_err take_votes(const json_t *array, const uint8_t hash[HASH_BYTES], theta_vote *votes,
                         size_t *n_votes, vb_error *e) {
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(array); i++) {
        char path[VB_FIELD_PATH_BYTES];
        uint8_t for_block[HASH_BYTES];
        theta_vote *v = &votes[n];
        snprintf(path, sizeof path, "child.hcc.Votes[%zu]", i);
        vb_fields f = vb_fields_foreign(json_array_get(array, i), path, e);
        vb_node_hex(&f, "Block", "0x", for_block, sizeof for_block);
        vb_node_integer(&f, "Epoch", UINT64_MAX, &v->epoch);
        vb_node_hex(&f, "ID", "0x", v->id, sizeof v->id);
        vb_node_hex(&f, "Signature", "0x", v->signature, sizeof v->signature);
        if (f.err) {
            return f.err;
        }
        if (memcmp(for_block, hash, sizeof for_block) != 0) {
            continue;
        }
        vb_err err = check_vote(hash, v, e);
        if (err && err != VB_EMISMATCH && err != VB_EFORMAT) {
            return err;
        }
        n += !err;
    }
    qsort(votes, n, sizeof *votes, compare_votes);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (!kept || memcmp(votes[kept - 1].id, votes[i].id, sizeof votes[i].id) != 0) {
            votes[kept++] = votes[i];
        }
    }
    if (!kept) {
        return vb_fail(e, VB_EMISMATCH, "child.hcc.Votes: no good vote for the block");
    }
    *n_votes = kept;
    return VB_OK;
}

static vb_err read_hcc(const json_t *child, theta_proof *p, vb_error *e) {
    vb_fields f = vb_node_open(child, "child", e);
    vb_fields hcc = vb_node_object(&f, "hcc");
    uint8_t certified[HASH_BYTES];
    vb_node_hex(&hcc, "BlockHash", "0x", certified, sizeof certified);
    if (!hcc.err && memcmp(certified, p->hash, sizeof certified) != 0) {
        vb_field_fail(&hcc, VB_EMISMATCH, "BlockHash", "the child's votes are for another block");
    }
    const json_t *votes = vb_field_array(&hcc, "Votes", 1, VB_THETA_VOTES_MAX);
    if (!votes) {
        return hcc.err;
    }
    p->votes = calloc(json_array_size(votes), sizeof *p->votes);
    if (!p->votes) {
        return vb_fail(e, VB_ENOMEM, "no memory for %zu votes", json_array_size(votes));
    }
    return take_votes(votes, p->hash, p->votes, &p->n_votes, e);
}

/* NULL without memory. */
static json_t *proof_of(const theta_proof *p) {
    json_t *votes = json_array();
    for (size_t i = 0; i < p->n_votes; i++) {
        const theta_vote *v = &p->votes[i];
        json_t *vote = json_pack("{s:o, s:o, s:o}", "epoch", vb_proof_decimal(v->epoch), "id",
                                 vb_proof_hex(v->id, sizeof v->id), "signature",
                                 vb_proof_hex(v->signature, sizeof v->signature));
        if (json_array_append_new(votes, vote)) {
            json_decref(votes);
            return NULL;
        }
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "hash", vb_proof_hex(p->hash, sizeof p->hash),
                     "previous_timestamp", vb_proof_decimal(p->previous_timestamp), "timestamp",
                     vb_proof_decimal(p->timestamp), "votes", votes);
}

vb_err vb_theta_round(const char *id, const json_t *block, const json_t *parent,
                      const json_t *child, vb_beacon_round *out, vb_error *e) {
    const char *chain = chain_of(id, e);
    if (!chain) {
        return VB_EFORMAT;
    }
    node_block b, before, after;
    vb_err err = read_block(block, "block", chain, &b, e);
    err = err ? err : read_block(parent, "parent", chain, &before, e);
    err = err ? err : read_block(child, "child", chain, &after, e);
    err = err ? err : check_blocks(&b, &before, &after, e);
    if (err) {
        return err;
    }
    theta_proof p = {.timestamp = b.timestamp, .previous_timestamp = before.timestamp};
    memcpy(p.hash, b.hash, sizeof p.hash);
    vb_beacon_round r = {.round = b.height, .n_randomness = VB_SHA256_BYTES};
    snprintf(r.id, sizeof r.id, "%s", id);
    randomness_of(p.hash, r.round, p.timestamp, r.randomness);
    err = read_hcc(child, &p, e);
    if (!err) {
        json_t *proof = proof_of(&p);
        err = proof ? vb_proof_set(&r, proof, e) : vb_fail(e, VB_ENOMEM, "no memory for a proof");
        json_decref(proof);
    }
    free(p.votes);
    if (!err) {
        *out = r;
    }
    return err;
}
