#include "chain/abi.h"

#include <string.h>

#include "base/system.h"
#include "crypto/keccak.h"

void vb_abi_begin(vb_abi_call *c, size_t n_head) {
    *c = (vb_abi_call){n_head, vb_buf_make(VB_ABI_BYTES_MAX), vb_buf_make(VB_ABI_BYTES_MAX), VB_OK};
}

void vb_abi_free(vb_abi_call *c) {
    vb_buf_free(&c->head);
    vb_buf_free(&c->tail);
}

static void append(vb_abi_call *c, vb_buf *to, const void *bytes, size_t n) {
    if (!c->err) {
        c->err = vb_buf_append(to, bytes, n);
    }
}

static void append_uint(vb_abi_call *c, vb_buf *to, uint64_t v) {
    uint8_t word[VB_ABI_WORD_BYTES] = {0};
    vb_store_u64be(word + sizeof word - 8, v);
    append(c, to, word, sizeof word);
}

void vb_abi_uint(vb_abi_call *c, uint64_t v) {
    append_uint(c, &c->head, v);
}

void vb_abi_word(vb_abi_call *c, const uint8_t word[VB_ABI_WORD_BYTES]) {
    append(c, &c->head, word, VB_ABI_WORD_BYTES);
}

void vb_abi_address(vb_abi_call *c, const uint8_t address[VB_ETH_ADDRESS_BYTES]) {
    uint8_t word[VB_ABI_WORD_BYTES] = {0};
    memcpy(word + sizeof word - VB_ETH_ADDRESS_BYTES, address, VB_ETH_ADDRESS_BYTES);
    append(c, &c->head, word, sizeof word);
}

/* A word that points to the body that is written next. */
static void point(vb_abi_call *c) {
    append_uint(c, &c->head, c->n_args * VB_ABI_WORD_BYTES + c->tail.len);
}

void vb_abi_bytes(vb_abi_call *c, const void *bytes, size_t n) {
    static const uint8_t zeros[VB_ABI_WORD_BYTES];
    point(c);
    append_uint(c, &c->tail, n);
    append(c, &c->tail, bytes, n);
    append(c, &c->tail, zeros, (VB_ABI_WORD_BYTES - n % VB_ABI_WORD_BYTES) % VB_ABI_WORD_BYTES);
}

void vb_abi_words(vb_abi_call *c, const uint8_t (*words)[VB_ABI_WORD_BYTES], size_t n) {
    point(c);
    append_uint(c, &c->tail, n);
    append(c, &c->tail, words, n * VB_ABI_WORD_BYTES);
}

vb_err vb_abi_end_args(vb_abi_call *c, vb_buf *out, vb_error *e) {
    VB_ASSERT(c->err || c->head.len == c->n_args * VB_ABI_WORD_BYTES);
    const size_t before = out->len;
    vb_err err = c->err;
    err = err ? err : vb_buf_append(out, c->head.data, c->head.len);
    err = err ? err : vb_buf_append(out, c->tail.data, c->tail.len);
    if (err) {
        out->len = before;
        return vb_fail(e, err, "the arguments of a contract's call take more than %zu bytes",
                       out->max);
    }
    return VB_OK;
}

vb_err vb_abi_end(vb_abi_call *c, const char *signature, vb_buf *out, vb_error *e) {
    uint8_t hash[VB_KECCAK256_BYTES];
    vb_keccak256(signature, strlen(signature), hash);
    const size_t before = out->len;
    if (vb_buf_append(out, hash, VB_ABI_SELECTOR_BYTES)) {
        return vb_fail(e, VB_ENOMEM, "no memory for a contract's call");
    }
    vb_err err = vb_abi_end_args(c, out, e);
    if (err) {
        out->len = before;
    }
    return err;
}

vb_err vb_abi_read_word(const vb_buf *result, size_t i, uint8_t out[VB_ABI_WORD_BYTES],
                        vb_error *e) {
    if (result->len / VB_ABI_WORD_BYTES <= i) {
        return vb_fail(e, VB_EFORMAT,
                       "a contract's answer has %zu bytes, expected %zu or more: there may be no "
                       "such contract at the address",
                       result->len, (i + 1) * VB_ABI_WORD_BYTES);
    }
    memcpy(out, result->data + i * VB_ABI_WORD_BYTES, VB_ABI_WORD_BYTES);
    return VB_OK;
}

vb_err vb_abi_read_uint(const vb_buf *result, size_t i, uint64_t *out, vb_error *e) {
    uint8_t word[VB_ABI_WORD_BYTES];
    vb_err err = vb_abi_read_word(result, i, word, e);
    if (err) {
        return err;
    }
    for (size_t j = 0; j < sizeof word - 8; j++) {
        if (word[j]) {
            return vb_fail(e, VB_EFORMAT, "a number of a contract's answer is beyond 64 bits");
        }
    }
    *out = vb_load_u64be(word + sizeof word - 8);
    return VB_OK;
}

vb_err vb_abi_read_bool(const vb_buf *result, size_t i, bool *out, vb_error *e) {
    uint64_t v;
    vb_err err = vb_abi_read_uint(result, i, &v, e);
    if (!err && v > 1) {
        err = vb_fail(e, VB_EFORMAT, "a truth value of a contract's answer is neither 0 nor 1");
    }
    if (!err) {
        *out = v == 1;
    }
    return err;
}
