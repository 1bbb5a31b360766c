/*
 * RLP, Ethereum's serialisation (yellow paper, appendix B): an item is a string of bytes or a list
 * of items. Every item has one encoding; the reader refuses every other.
 *
 * Owner: the reader's items borrow the caller's bytes. Thread rule: none but vb_buf's.
 */
#ifndef VB_CRYPTO_RLP_H
#define VB_CRYPTO_RLP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

/* Each appends one item to out. VB_ELIMIT or VB_ENOMEM (as of vb_buf_append); out's content is then
 * as before. What is encoded may not lie in out's own memory. */
VB_MUST_CHECK vb_err vb_rlp_string(vb_buf *out, const void *bytes, size_t n);
/* Big-endian without leading zeroes: 0 is the empty string. */
VB_MUST_CHECK vb_err vb_rlp_uint(vb_buf *out, uint64_t v);
/* payload: the list's items, one after the other, already encoded. */
VB_MUST_CHECK vb_err vb_rlp_list(vb_buf *out, const void *payload, size_t n);

/* A string's bytes, or a list's payload: its items still encoded. */
typedef struct vb_rlp_item {
    const uint8_t *data;
    size_t n;
    bool is_list;
} vb_rlp_item;

/* The items of one list that is all of bytes, header included; *n_items of them are written to
 * items. VB_EFORMAT: anything but one list in its one encoding (a longer form of a length, a single
 * byte below 0x80 with a header, a length past the end, bytes after the list). VB_ELIMIT: more than
 * max_items. A nested list is only delimited: vb_rlp_items reads it. On error *n_items is
 * untouched, items may hold anything. */
VB_MUST_CHECK vb_err vb_rlp_list_open(const uint8_t *bytes, size_t n, vb_rlp_item *items,
                                      size_t max_items, size_t *n_items, vb_error *e);

/* The same of a list's payload, which has no header: what a nested list's item holds. */
VB_MUST_CHECK vb_err vb_rlp_items(const uint8_t *payload, size_t n, vb_rlp_item *items,
                                  size_t max_items, size_t *n_items, vb_error *e);

/* VB_EFORMAT unless the item is a string of at most 8 bytes without leading zeroes. */
VB_MUST_CHECK vb_err vb_rlp_item_uint(const vb_rlp_item *it, uint64_t *out, vb_error *e);

#endif
