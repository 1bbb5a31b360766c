/*
 * Answers, line by line on standard input, what a script compares with other implementations:
 *
 *   keccak BYTES            the digest
 *   recover HASH SIGNATURE  the signer's address, or "refused"
 *   decode BYTES            the RLP item as JSON, strings in hexadecimal, or "refused"
 *   encode JSON             the other way round
 *
 * BYTES, HASH and SIGNATURE are lower-case hexadecimal, which may be empty.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/keccak.h"
#include "crypto/rlp.h"
#include "crypto/secp256k1.h"

enum { BYTES_MAX = 1 << 22, ITEMS_MAX = 1024, DEPTH_MAX = 32 };

static void must(bool ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "hash_oracle: %s\n", what);
        exit(2);
    }
}

/* The next word of a line, which is cut out of it; "" after the last. */
static char *next_word(char **line) {
    char *word = *line;
    size_t n = strcspn(word, " ");
    *line = word + n + (word[n] == ' ');
    word[n] = 0;
    return word;
}

static vb_buf bytes_of(const char *hex, size_t n_hex) {
    vb_buf b = vb_buf_make(BYTES_MAX);
    for (size_t i = 0; i < n_hex; i += 2) {
        char digits[3] = {hex[i], i + 1 < n_hex ? hex[i + 1] : 0, 0};
        uint8_t byte;
        must(vb_hex_decode(digits, &byte, 1), "not hexadecimal");
        must(vb_buf_append(&b, &byte, 1) == VB_OK, "too many bytes");
    }
    return b;
}

static void print_hex(const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) {
        printf("%02x", bytes[i]);
    }
}

static void keccak(char *line) {
    const char *hex = next_word(&line);
    vb_buf b = bytes_of(hex, strlen(hex));
    uint8_t digest[VB_KECCAK256_BYTES];
    vb_keccak256(b.data, b.len, digest);
    print_hex(digest, sizeof digest);
    vb_buf_free(&b);
}

static void recover(char *line) {
    uint8_t hash[VB_SECP256K1_HASH_BYTES], signature[VB_SECP256K1_SIGNATURE_BYTES];
    uint8_t address[VB_ETH_ADDRESS_BYTES];
    must(vb_hex_decode(next_word(&line), hash, sizeof hash), "a hash has 32 bytes");
    must(vb_hex_decode(next_word(&line), signature, sizeof signature), "a signature has 65 bytes");
    if (vb_secp256k1_recover(hash, signature, address, NULL)) {
        printf("refused");
    } else {
        print_hex(address, sizeof address);
    }
}

/* Appends the item as JSON; false when a list in it is none. */
static bool to_json(const vb_rlp_item *it, int depth, vb_buf *out) {
    if (!it->is_list) {
        must(vb_buf_append(out, "\"", 1) == VB_OK, "no memory");
        for (size_t i = 0; i < it->n; i++) {
            must(vb_buf_printf(out, "%02x", it->data[i]) == VB_OK, "no memory");
        }
        must(vb_buf_append(out, "\"", 1) == VB_OK, "no memory");
        return true;
    }
    must(depth < DEPTH_MAX, "too deep");
    vb_rlp_item *items = malloc(ITEMS_MAX * sizeof *items);
    size_t n_items = 0;
    must(items != NULL, "no memory");
    vb_err err = vb_rlp_items(it->data, it->n, items, ITEMS_MAX, &n_items, NULL);
    must(err == VB_OK || err == VB_EFORMAT, "too many items");
    bool ok = err == VB_OK;
    must(vb_buf_append(out, "[", 1) == VB_OK, "no memory");
    for (size_t i = 0; i < n_items && ok; i++) {
        must(i == 0 || vb_buf_append(out, ",", 1) == VB_OK, "no memory");
        ok = to_json(&items[i], depth + 1, out);
    }
    must(vb_buf_append(out, "]", 1) == VB_OK, "no memory");
    free(items);
    return ok;
}

static void decode(char *line) {
    const char *hex = next_word(&line);
    vb_buf b = bytes_of(hex, strlen(hex)), json = vb_buf_make(4 * BYTES_MAX);
    vb_rlp_item it;
    size_t n_items = 0;
    bool ok = vb_rlp_items(b.data, b.len, &it, 1, &n_items, NULL) == VB_OK && n_items == 1 &&
              to_json(&it, 0, &json);
    printf("%s", ok ? (const char *)json.data : "refused");
    vb_buf_free(&b);
    vb_buf_free(&json);
}

/* Appends the item that *json begins with, and moves behind it. */
static void from_json(const char **json, int depth, vb_buf *out) {
    const char *p = *json;
    must(depth < DEPTH_MAX, "too deep");
    if (*p == '"') {
        size_t n = strcspn(p + 1, "\"");
        vb_buf b = bytes_of(p + 1, n);
        must(p[1 + n] == '"', "a string does not end");
        must(vb_rlp_string(out, b.data, b.len) == VB_OK, "no memory");
        vb_buf_free(&b);
        *json = p + n + 2;
        return;
    }
    must(*p == '[', "neither a string nor a list");
    vb_buf payload = vb_buf_make(BYTES_MAX);
    p++;
    while (*p != ']') {
        from_json(&p, depth + 1, &payload);
        must(*p == ',' || *p == ']', "a list does not end");
        p += *p == ',';
    }
    must(vb_rlp_list(out, payload.data, payload.len) == VB_OK, "no memory");
    vb_buf_free(&payload);
    *json = p + 1;
}

static void encode(char *line) {
    const char *json = line;
    vb_buf b = vb_buf_make(BYTES_MAX);
    from_json(&json, 0, &b);
    must(*json == 0, "more than one item");
    print_hex(b.data, b.len);
    vb_buf_free(&b);
}

int main(void) {
    static const struct {
        const char *name;
        void (*answer)(char *line);
    } commands[] = {
        {"keccak", keccak}, {"recover", recover}, {"decode", decode}, {"encode", encode}};
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t n; (n = getline(&line, &cap, stdin)) > 0;) {
        if (line[n - 1] == '\n') {
            line[n - 1] = 0;
        }
        char *rest = line;
        const char *name = next_word(&rest);
        size_t i = 0;
        while (i < sizeof commands / sizeof commands[0] && strcmp(name, commands[i].name) != 0) {
            i++;
        }
        must(i < sizeof commands / sizeof commands[0], "no such command");
        commands[i].answer(rest);
        putchar('\n');
    }
    free(line);
    return 0;
}
