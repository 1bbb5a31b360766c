/*
 * Answers, line by line on standard input, what a script compares with another implementation.
 * Words are separated by one space; BYTES are lower-case hexadecimal, "-" for none.
 *
 *   tx SECRET KIND CHAIN NONCE FEE PRIORITY GAS TO VALUE DATA
 *                          KIND: legacy (FEE is the gas price) or 1559; TO "-": creates a contract;
 *                          VALUE: 32 bytes. The signed transaction, its hash and the sender.
 *   created ADDRESS NONCE  the address of a contract
 *   verdict CHAIN ADDRESS RECORD COMMITMENT MODEL ANSWER DRAWN OUTCOME LEVEL JUDGED SECRET
 *                          EIP-712's digest, and the call of attest with the key's signature
 *   checkpoint ORIGIN SIZE ROOT [HASH]...
 *                          the call of publishCheckpoint
 *   commit HASH...         the call of commit
 *   operator KEY ORIGIN URL, model DIGEST NAME URI SIZE
 *                          the calls of registerOperator and describeModel
 *   panel ADDRESS...       the panel's id, and the call of createPanel
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "chain/abi.h"
#include "chain/registry.h"
#include "chain/tx.h"
#include "chain/verdict.h"

enum { LINE_MAX_BYTES = 1 << 20, WORDS_MAX = 100 };

static void must(bool ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "chain_oracle: %s\n", what);
        exit(2);
    }
}

static size_t split(char *line, char *words[WORDS_MAX]) {
    size_t n = 0;
    for (char *w = strtok_r(line, " \n", &line); w; w = strtok_r(NULL, " \n", &line)) {
        must(n < WORDS_MAX, "too many words");
        words[n++] = w;
    }
    return n;
}

static void fixed(const char *hex, uint8_t *out, size_t n) {
    must(vb_hex_decode(hex, out, n), "bytes of another number expected");
}

/* Freed by the caller. */
static uint8_t *some(const char *hex, size_t *n) {
    *n = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
    uint8_t *out = malloc(*n + 1);
    must(out && (*n == 0 || vb_hex_decode(hex, out, *n)), "not hexadecimal");
    return out;
}

static uint64_t number(const char *word) {
    char *end;
    uint64_t v = strtoull(word, &end, 10);
    must(end != word && *end == 0, "not a number");
    return v;
}

static void print_hex(const uint8_t *bytes, size_t n, const char *end) {
    for (size_t i = 0; i < n; i++) {
        printf("%02x", bytes[i]);
    }
    fputs(end, stdout);
}

static vb_eth_key *key_of(const char *secret) {
    uint8_t bytes[VB_ETH_SECRET_BYTES];
    vb_eth_key *key = NULL;
    fixed(secret, bytes, sizeof bytes);
    must(vb_eth_key_from_secret(bytes, &key, NULL) == VB_OK, "not a key");
    return key;
}

static void tx(char **w) {
    vb_eth_key *key = key_of(w[1]);
    vb_chain_tx t = {.fees = strcmp(w[2], "1559") == 0 ? VB_CHAIN_1559 : VB_CHAIN_LEGACY,
                     .chain_id = number(w[3]),
                     .nonce = number(w[4]),
                     .gas_price = number(w[5]),
                     .max_fee = number(w[5]),
                     .max_priority_fee = number(w[6]),
                     .gas_limit = number(w[7]),
                     .creates = strcmp(w[8], "-") == 0};
    if (!t.creates) {
        fixed(w[8], t.to, sizeof t.to);
    }
    fixed(w[9], t.value, sizeof t.value);
    uint8_t *data = some(w[10], &t.n_data);
    t.data = data;
    uint8_t hash[VB_KECCAK256_BYTES], signature[VB_SECP256K1_SIGNATURE_BYTES];
    uint8_t sender[VB_ETH_ADDRESS_BYTES];
    vb_buf out = vb_buf_make(LINE_MAX_BYTES);
    if (vb_chain_tx_signing_hash(&t, hash, NULL)) {
        printf("refused");
    } else {
        must(vb_eth_key_sign(key, hash, signature, NULL) == VB_OK &&
                 vb_chain_tx_encode(&t, signature, &out, hash, NULL) == VB_OK,
             "not signed");
        vb_eth_key_address(key, sender);
        print_hex(out.data, out.len, " ");
        print_hex(hash, sizeof hash, " ");
        print_hex(sender, sizeof sender, "");
    }
    vb_buf_free(&out);
    free(data);
    vb_eth_key_close(key);
}

static void created(char **w) {
    uint8_t sender[VB_ETH_ADDRESS_BYTES], out[VB_ETH_ADDRESS_BYTES];
    fixed(w[1], sender, sizeof sender);
    must(vb_chain_created_address(sender, number(w[2]), out, NULL) == VB_OK, "no memory");
    print_hex(out, sizeof out, "");
}

static void verdict(char **w) {
    vb_chain_registry r = {.chain_id = number(w[1])};
    vb_chain_verdict v = {.drawn_at_s = number(w[7]),
                          .outcome = (vb_chain_outcome)number(w[8]),
                          .level = (vb_chain_level)number(w[9]),
                          .judged_at_s = number(w[10])};
    fixed(w[2], r.address, sizeof r.address);
    fixed(w[3], v.record, sizeof v.record);
    fixed(w[4], v.commitment, sizeof v.commitment);
    fixed(w[5], v.model, sizeof v.model);
    fixed(w[6], v.answer, sizeof v.answer);
    uint8_t digest[VB_KECCAK256_BYTES], signature[VB_SECP256K1_SIGNATURE_BYTES];
    vb_chain_verdict_digest(&v, &r, digest);
    vb_eth_key *key = key_of(w[11]);
    must(vb_eth_key_sign(key, digest, signature, NULL) == VB_OK, "not signed");
    vb_eth_key_close(key);
    vb_chain_verdict_signature(signature, signature);
    vb_abi_call call;
    vb_buf out = vb_buf_make(LINE_MAX_BYTES);
    vb_abi_begin(&call, 9);
    vb_chain_put_verdict(&call, &v);
    vb_abi_bytes(&call, signature, sizeof signature);
    must(vb_abi_end(&call, VB_CHAIN_ATTEST, &out, NULL) == VB_OK, "not encoded");
    print_hex(digest, sizeof digest, " ");
    print_hex(out.data, out.len, "");
    vb_abi_free(&call);
    vb_buf_free(&out);
}

/* The call, and its memory back. */
static void print_call(vb_err err, vb_buf *call) {
    must(err == VB_OK, "not encoded");
    print_hex(call->data, call->len, "");
    vb_buf_free(call);
}

static void checkpoint(char **w, size_t n_words) {
    vb_tlog_checkpoint c = {.size = number(w[2])};
    vb_tlog_hash path[VB_TLOG_PATH_MAX];
    size_t n_origin;
    uint8_t *origin = some(w[1], &n_origin);
    must(n_origin < sizeof c.origin && n_words - 4 <= VB_TLOG_PATH_MAX, "too long");
    memcpy(c.origin, origin, n_origin);
    free(origin);
    fixed(w[3], c.root.bytes, sizeof c.root.bytes);
    for (size_t i = 4; i < n_words; i++) {
        fixed(w[i], path[i - 4].bytes, sizeof path[0].bytes);
    }
    vb_buf out = vb_buf_make(LINE_MAX_BYTES);
    print_call(vb_chain_call_checkpoint(&c, path, n_words - 4, &out, NULL), &out);
}

static void commit(char **w, size_t n_words) {
    static uint8_t values[WORDS_MAX][VB_SHA256_BYTES];
    for (size_t i = 1; i < n_words; i++) {
        fixed(w[i], values[i - 1], sizeof values[0]);
    }
    vb_buf out = vb_buf_make(LINE_MAX_BYTES);
    print_call(
        vb_chain_call_commit((const uint8_t(*)[VB_SHA256_BYTES])values, n_words - 1, &out, NULL),
        &out);
}

/* A text of the question's bytes; freed by the caller. */
static char *text(const char *hex) {
    size_t n;
    uint8_t *bytes = some(hex, &n);
    bytes[n] = 0;
    return (char *)bytes;
}

static void registration(char **w, bool model) {
    uint8_t key[VB_SHA256_BYTES];
    char *first = text(w[2]), *second = text(w[3]);
    fixed(w[1], key, sizeof key);
    vb_buf out = vb_buf_make(LINE_MAX_BYTES);
    vb_err err = model ? vb_chain_call_model(key, first, second, number(w[4]), &out, NULL)
                       : vb_chain_call_operator(key, first, second, &out, NULL);
    print_call(err, &out);
    free(first);
    free(second);
}

static void panel(char **w, size_t n_words) {
    static vb_chain_panel p;
    uint8_t id[VB_KECCAK256_BYTES];
    p.n = n_words - 1;
    must(p.n <= VB_CHAIN_PANEL_MAX, "too many members");
    for (size_t i = 0; i < p.n; i++) {
        fixed(w[i + 1], p.members[i], sizeof p.members[0]);
    }
    vb_buf out = vb_buf_make(LINE_MAX_BYTES);
    must(vb_chain_panel_sort(&p, NULL) == VB_OK && vb_chain_panel_id(&p, id, NULL) == VB_OK,
         "no panel");
    print_hex(id, sizeof id, " ");
    print_call(vb_chain_call_create_panel(&p, &out, NULL), &out);
}

int main(void) {
    static char line[LINE_MAX_BYTES];
    while (fgets(line, sizeof line, stdin)) {
        char *w[WORDS_MAX];
        size_t n = split(line, w);
        must(n > 0, "an empty line");
        if (strcmp(w[0], "tx") == 0 && n == 11) {
            tx(w);
        } else if (strcmp(w[0], "created") == 0 && n == 3) {
            created(w);
        } else if (strcmp(w[0], "verdict") == 0 && n == 12) {
            verdict(w);
        } else if (strcmp(w[0], "checkpoint") == 0 && n >= 4) {
            checkpoint(w, n);
        } else if (strcmp(w[0], "commit") == 0 && n >= 2) {
            commit(w, n);
        } else if (strcmp(w[0], "operator") == 0 && n == 4) {
            registration(w, false);
        } else if (strcmp(w[0], "model") == 0 && n == 5) {
            registration(w, true);
        } else if (strcmp(w[0], "panel") == 0 && n >= 2) {
            panel(w, n);
        } else {
            must(false, "an unknown question");
        }
        putchar('\n');
    }
    return 0;
}
