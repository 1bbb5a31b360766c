/*
 * Fills a store as a server would: receipts, every fourth an abort record, and one commitment that
 * stays open. What they answer means nothing; commitments and signatures are real. Prints the
 * public key.
 *
 *   fill_store FILE COUNT KEEP_BYTES      KEEP_BYTES 0: nothing is dropped
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store.h"

static void must(vb_err err, const vb_error *e) {
    if (err) {
        fprintf(stderr, "fill_store: %s\n", e->msg);
        exit(1);
    }
}

static void fill(vb_receipt *r, unsigned long i) {
    static const uint32_t tokens[] = {1, 2, 3};
    vb_error e;
    vb_receipt_init(r);
    r->prompt.kind = VB_PROMPT_TOKENS;
    must(vb_receipt_set_prompt_tokens(r, tokens, 3, &e), &e);
    snprintf(r->id, sizeof r->id, "vr-%lu", i);
    snprintf(r->model.architecture, sizeof r->model.architecture, "llama");
    snprintf(r->model.file_type, sizeof r->model.file_type, "F16");
    snprintf(r->engine_version, sizeof r->engine_version, "test");
    snprintf(r->engine_tier, sizeof r->engine_tier, "test");
    r->request.model_sha256[0] = i % 2 == 0;
    r->request.max_tokens = 2;
    r->request.ctx_tokens = 8;
    r->request.mode = VB_MODE_FIXED;
    r->request.has_seed = true;
    r->request.seed = i;
}

static void answer(vb_store *s, const vb_ed25519_key *key, unsigned long i) {
    static const uint32_t out[] = {4, 5};
    static const uint8_t root[32] = {1};
    vb_error e;
    vb_receipt r;
    fill(&r, i);
    must(vb_store_commit(s, &r, &e), &e);
    if (i % 4 == 0) {
        must(vb_store_abort(s, &r, VB_ABORT_CANCELLED, &e), &e);
    } else {
        must(vb_receipt_add_output(&r, out, 2, "ab", 2, VB_FINISH_LENGTH, root, &e), &e);
        must(vb_receipt_sign(&r, key, NULL, &e), &e);
        must(vb_store_receipt(s, &r, &e), &e);
    }
    vb_receipt_free(&r);
}

int main(int argc, char **argv) {
    static const uint8_t secret[32] = {9};
    uint8_t public_key[VB_ED25519_PUBLIC_BYTES];
    char hex[2 * sizeof public_key + 1];
    vb_error e;
    vb_receipt r;
    vb_store *s;
    vb_ed25519_key *key;
    if (argc != 4) {
        fprintf(stderr, "usage: fill_store FILE COUNT KEEP_BYTES\n");
        return 2;
    }
    const vb_store_options options = {.keep_bytes = strtoull(argv[3], NULL, 10)};
    must(vb_ed25519_from_seed(secret, &key, &e), &e);
    must(vb_store_open(argv[1], key, &options, &s, NULL, &e), &e);
    const unsigned long n = strtoul(argv[2], NULL, 10);
    for (unsigned long i = 1; i <= n; i++) {
        answer(s, key, i);
    }
    must(vb_store_retain(s, NULL, &e), &e);
    fill(&r, n + 1);
    must(vb_store_commit(s, &r, &e), &e);
    vb_receipt_free(&r);
    vb_ed25519_public(key, public_key);
    vb_hex_encode(public_key, sizeof public_key, hex);
    printf("%s\n", hex);
    vb_store_close(s);
    vb_ed25519_close(key);
    return 0;
}
