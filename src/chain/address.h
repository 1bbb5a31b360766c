/*
 * Addresses and hashes as people write them on EVM chains: "0x" and hexadecimal; an address's
 * capitals are a checksum (EIP-55). Pure.
 *
 * Owner: the caller's memory. Thread rule: none.
 */
#ifndef VB_CHAIN_ADDRESS_H
#define VB_CHAIN_ADDRESS_H

#include <stddef.h>

#include "crypto/secp256k1.h"

enum { VB_CHAIN_ADDRESS_CHARS = 2 + 2 * VB_ETH_ADDRESS_BYTES };

/* With the checksum; out is zero-terminated. */
void vb_chain_address_print(const uint8_t address[VB_ETH_ADDRESS_BYTES],
                            char out[VB_CHAIN_ADDRESS_CHARS + 1]);

/* 0x and 40 hex digits: of one case, or with the capitals of EIP-55. VB_EINVAL names `what`. */
VB_MUST_CHECK vb_err vb_chain_address_parse(const char *text, const char *what,
                                            uint8_t out[VB_ETH_ADDRESS_BYTES], vb_error *e);

enum { VB_CHAIN_HEX_BYTES_MAX = 65 };

/* 0x and 2 * n hex digits of either case, n <= VB_CHAIN_HEX_BYTES_MAX. VB_EINVAL names `what`. */
VB_MUST_CHECK vb_err vb_chain_hex_parse(const char *text, const char *what, uint8_t *out, size_t n,
                                        vb_error *e);

#endif
