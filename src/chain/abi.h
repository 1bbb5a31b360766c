/*
 * Calls of contracts: the ABI's encoding of arguments, as far as spec/chain.md needs it, and the
 * reading of what a call gives back. Pure.
 *
 * A call is written in two parts: words in the order of the arguments, and behind them the bodies
 * of those of dynamic size, to which a word points. Offsets count from the first argument.
 *
 * Owner: the buffers of a call are freed by vb_abi_free. Thread rule: one thread at a time.
 */
#ifndef VB_CHAIN_ABI_H
#define VB_CHAIN_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/secp256k1.h"

enum {
    VB_ABI_WORD_BYTES = 32,
    VB_ABI_SELECTOR_BYTES = 4,
    VB_ABI_BYTES_MAX = 1 << 20 /* of one call */
};

typedef struct vb_abi_call {
    size_t n_args; /* words of the head */
    vb_buf head, tail;
    vb_err err; /* of the first argument that failed */
} vb_abi_call;

/* n_head: the words of all arguments: one for each, but a static tuple has one for each member. */
void vb_abi_begin(vb_abi_call *c, size_t n_head);
void vb_abi_free(vb_abi_call *c);

void vb_abi_uint(vb_abi_call *c, uint64_t v);
void vb_abi_word(vb_abi_call *c, const uint8_t word[VB_ABI_WORD_BYTES]); /* bytes32 */
void vb_abi_address(vb_abi_call *c, const uint8_t address[VB_ETH_ADDRESS_BYTES]);
void vb_abi_bytes(vb_abi_call *c, const void *bytes, size_t n); /* bytes, string */
void vb_abi_words(vb_abi_call *c, const uint8_t (*words)[VB_ABI_WORD_BYTES], size_t n);

/* Selector of the signature ("commit(bytes32[])") and the arguments. VB_ELIMIT, VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_abi_end(vb_abi_call *c, const char *signature, vb_buf *out, vb_error *e);

/* The arguments alone: behind a contract's code when it is deployed. */
VB_MUST_CHECK vb_err vb_abi_end_args(vb_abi_call *c, vb_buf *out, vb_error *e);

/* Reads word i of a result. VB_EFORMAT: it is shorter, or the value does not fit. */
VB_MUST_CHECK vb_err vb_abi_read_uint(const vb_buf *result, size_t i, uint64_t *out, vb_error *e);
VB_MUST_CHECK vb_err vb_abi_read_bool(const vb_buf *result, size_t i, bool *out, vb_error *e);
VB_MUST_CHECK vb_err vb_abi_read_word(const vb_buf *result, size_t i,
                                      uint8_t out[VB_ABI_WORD_BYTES], vb_error *e);

#endif
