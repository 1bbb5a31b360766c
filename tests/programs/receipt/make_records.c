/*
 * Prints records of every kind and shape, one a line, as this build writes them: what a script
 * holds against the schemas of spec/schema. Their contents are random and mean nothing; the
 * commitments and signatures are real.
 *
 *   make_records COUNT SEED
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beacon/round.h"
#include "receipt/digests.h"
#include "receipt/opening.h"
#include "receipt/records.h"

static uint64_t state; /* of splitmix64 */

static uint64_t random64(void) {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t below(uint64_t n) {
    return random64() % n;
}

/* 64 bits of any length, so that short and long decimals come. */
static uint64_t any64(void) {
    return random64() >> below(64);
}

static float between(float low, float high) {
    return low + (high - low) * (float)below(1001) / 1000.0f;
}

static void must(vb_err err, const vb_error *e) {
    if (err) {
        fprintf(stderr, "make_records: %s\n", e->msg);
        exit(1);
    }
}

static void random_bytes(uint8_t *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        out[i] = (uint8_t)random64();
    }
}

static void random_name(char *out, size_t least) {
    static const char *const names[] = {"", "x", "a \"name\"", "\xc3\xa9t\xc3\xa9",
                                        "\xf0\x9f\x98\x80/2"};
    snprintf(out, 32, "%s", names[least + below(5 - least)]);
}

static void random_text(vb_text *t, size_t least) {
    static const char *const texts[] = {"", "a\nb", "\t\"\\\x7f", "\xe2\x82\xac"};
    const char *s = texts[least + below(4 - least)];
    vb_error e = {0};
    must(vb_text_set(t, s, strlen(s), &e), &e);
}

static void random_sampling(vb_sampling *s) {
    vb_sampling_default(s);
    if (below(4) == 0) {
        return;
    }
    s->temperature = between(0, 100);
    s->top_k = (uint32_t)any64();
    s->top_p = 1 + below((uint64_t)1 << 32);
    s->min_p = below(((uint64_t)1 << 32) + 1);
    s->presence_penalty = between(-2, 2);
    s->frequency_penalty = between(-2, 2);
    s->repetition_penalty = between(0.001f, 1000);
    s->n_bias = (size_t)below(4);
    for (size_t i = 0; i < s->n_bias; i++) {
        s->bias[i] = (vb_logit_bias){(uint32_t)(i * 1000 + below(1000)), between(-100, 100)};
    }
}

static void random_beacon(vb_receipt *r) {
    static const char *const ids[] = {"drand:x", "theta:mainnet", "nist:2", "local:y"};
    vb_receipt_request *q = &r->request;
    if (below(4) == 0) {
        q->mode = VB_MODE_FIXED;
        q->has_seed = true;
        q->seed = any64();
        return;
    }
    q->mode = (vb_beacon_mode)(VB_MODE_NEXT + below(4));
    snprintf(q->beacon_id, sizeof q->beacon_id, "%s", ids[below(4)]);
    random_name(q->fallback_from, 0);
    r->has_beacon = true;
    memcpy(r->beacon.id, q->beacon_id, sizeof r->beacon.id);
    r->beacon.round = any64();
    r->beacon.n_randomness = below(2) ? 32 : 64;
    random_bytes(r->beacon.randomness, r->beacon.n_randomness);
    r->beacon.proof = below(2) ? strdup("{\"a\":[1,\"x\",null]}") : NULL;
    q->has_round = q->mode == VB_MODE_FIXED;
    q->round = r->beacon.round;
}

static void random_prompt(vb_receipt *r) {
    uint32_t ids[5];
    vb_error e = {0};
    size_t n = 1 + (size_t)below(5);
    for (size_t i = 0; i < n; i++) {
        ids[i] = (uint32_t)below(VB_MODEL_VOCAB_MAX);
    }
    r->prompt.kind = (vb_prompt_kind)(VB_PROMPT_TOKENS + below(4));
    must(vb_receipt_set_prompt_tokens(r, ids, n, &e), &e);
    if (r->prompt.kind == VB_PROMPT_TEXT) {
        random_text(&r->prompt.text, 0);
    } else if (r->prompt.kind == VB_PROMPT_CHAT) {
        must(vb_receipt_add_message(r, "user", "Hello\n", 6, &e), &e);
    } else if (r->prompt.kind == VB_PROMPT_TEMPLATE) {
        static const char text[] = "{\"messages\":[{\"role\":\"user\"}],\"a\": 1.0}";
        must(vb_text_set(&r->prompt.text, text, sizeof text - 1, &e), &e);
    }
    if (r->prompt.kind == VB_PROMPT_CHAT || r->prompt.kind == VB_PROMPT_TEMPLATE) {
        r->prompt.has_template = true;
        random_bytes(r->prompt.template_sha256, sizeof r->prompt.template_sha256);
        snprintf(r->prompt.date, sizeof r->prompt.date, "%s", below(2) ? "" : "2026-11-22");
    }
}

static void random_request(vb_receipt *r) {
    static const char *const constraints[] = {
        "{}", "{\"texts\":[\"no\",\"yes\"],\"type\":\"choice\"}", "{\"type\":\"json_object\"}",
        "{\"schema\":{\"enum\":[1.5,null,{\"a\":[]}]},\"type\":\"json_schema\"}"};
    vb_receipt_request *q = &r->request;
    vb_error e = {0};
    random_bytes(q->model_sha256, sizeof q->model_sha256);
    random_sampling(&q->sampling);
    q->max_tokens = 1 + (uint32_t)below(VB_MODEL_CTX_TOKENS_MAX);
    q->ctx_tokens = 1 + (uint32_t)below(VB_MODEL_CTX_TOKENS_MAX);
    q->n_choices = 1 + (uint32_t)below(3);
    q->n_stop_strings = (size_t)below(3);
    for (size_t i = 0; i < q->n_stop_strings; i++) {
        random_text(&q->stop_strings[i], 1);
    }
    q->n_stop_tokens = (size_t)below(3);
    for (size_t i = 0; i < q->n_stop_tokens; i++) {
        q->stop_tokens[i] = (uint32_t)(i * 1000 + below(1000));
    }
    if (below(3) == 0) {
        const char *constraint = constraints[below(sizeof constraints / sizeof constraints[0])];
        must(vb_text_set(&q->constraint, constraint, strlen(constraint), &e), &e);
    }
    random_name(q->nonce, 0);
    q->issued_at_ms = below(VB_ISSUED_AT_MS_MAX + 1);
    q->sequence = any64() | 1;
}

static void print(vb_buf *b) {
    puts((const char *)b->data);
    vb_buf_free(b);
    *b = vb_buf_make(VB_RECEIPT_BYTES_MAX);
}

static void print_opening(vb_buf *b) {
    float logits[4];
    uint8_t path[3][VB_SHA256_BYTES];
    vb_error e = {0};
    vb_opening o = {.choice = (uint32_t)below(VB_CHOICES_MAX), .logits = logits, .path = path};
    o.position = below(VB_MODEL_CTX_TOKENS_MAX);
    o.n_logits = 1 + (size_t)below(4);
    for (size_t i = 0; i < o.n_logits; i++) {
        logits[i] = between(-1000, 1000);
    }
    o.n_path = (size_t)below(4);
    random_bytes(path[0], sizeof path);
    o.token = (uint32_t)below(o.n_logits);
    o.logit = logits[o.token];
    o.rank = 1 + below(o.n_logits);
    o.weight = any64();
    o.total = any64();
    must(vb_opening_encode(&o, b, &e), &e);
    print(b);
}

static void answer(vb_receipt *r, const vb_ed25519_key *key) {
    vb_error e = {0};
    must(vb_commitment_make(r, key, &e), &e);
    for (uint32_t i = 0; i < r->request.n_choices; i++) {
        uint32_t tokens[] = {(uint32_t)below(VB_MODEL_VOCAB_MAX), 7};
        must(vb_receipt_add_output(r, tokens, 1 + (size_t)below(2), "text", (size_t)below(5),
                                   (vb_finish)(VB_FINISH_STOP + below(2)), r->request.model_sha256,
                                   &e),
             &e);
    }
    must(vb_receipt_sign(r, key, NULL, &e), &e);
}

static void print_records(vb_receipt *r, const vb_ed25519_key *key) {
    vb_error e = {0};
    vb_buf b = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    must(vb_commitment_encode(r, &b, &e), &e);
    print(&b);
    must(vb_abort_encode(r, (vb_abort_reason)(VB_ABORT_CANCELLED + below(4)),
                         r->request.issued_at_ms, key, &b, &e),
         &e);
    print(&b);
    must(vb_prompt_file_encode(r, &b, &e), &e);
    print(&b);
    if (r->has_beacon) {
        must(vb_beacon_round_encode(&r->beacon, &b, &e), &e);
        print(&b);
    }
    must(vb_receipt_encode(r, &b, &e), &e);
    print(&b);
    vb_receipt_make_private(r);
    must(vb_receipt_encode(r, &b, &e), &e);
    print(&b);
    print_opening(&b);
    vb_buf_free(&b);
}

int main(int argc, char **argv) {
    static vb_receipt r; /* large: off the stack */
    uint8_t secret[VB_ED25519_SEED_BYTES];
    vb_ed25519_key *key = NULL;
    vb_error e = {0};
    if (argc != 3) {
        fprintf(stderr, "usage: make_records COUNT SEED\n");
        return 2;
    }
    state = strtoull(argv[2], NULL, 10);
    random_bytes(secret, sizeof secret);
    must(vb_ed25519_from_seed(secret, &key, &e), &e);
    for (unsigned long n = strtoul(argv[1], NULL, 10); n > 0; n--) {
        vb_receipt_init(&r);
        random_name(r.id, 1);
        random_name(r.model.name, 0);
        random_name(r.model.architecture, 1);
        random_name(r.model.file_type, 1);
        r.model.n_parameters = any64();
        random_name(r.engine_version, 1);
        random_name(r.engine_tier, 1);
        random_prompt(&r);
        random_request(&r);
        random_beacon(&r);
        answer(&r, key);
        print_records(&r, key);
        vb_receipt_free(&r);
    }
    vb_ed25519_close(key);
    return 0;
}
