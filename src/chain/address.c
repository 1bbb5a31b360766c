#include "chain/address.h"

#include <ctype.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/keccak.h"

enum { DIGITS = 2 * VB_ETH_ADDRESS_BYTES };

/* EIP-55: a letter is a capital where the digit of the hash of the lower-case text is 8 or more. */
void vb_chain_address_print(const uint8_t address[VB_ETH_ADDRESS_BYTES],
                            char out[VB_CHAIN_ADDRESS_CHARS + 1]) {
    uint8_t hash[VB_KECCAK256_BYTES];
    char *digits = out + 2;
    memcpy(out, "0x", 2);
    vb_hex_encode(address, VB_ETH_ADDRESS_BYTES, digits);
    vb_keccak256(digits, DIGITS, hash);
    for (size_t i = 0; i < DIGITS; i++) {
        const unsigned nibble = i % 2 ? hash[i / 2] & 15u : hash[i / 2] >> 4;
        if (nibble >= 8) {
            digits[i] = (char)toupper((unsigned char)digits[i]);
        }
    }
}

vb_err vb_chain_hex_parse(const char *text, const char *what, uint8_t *out, size_t n, vb_error *e) {
    char lower[2 * VB_CHAIN_HEX_BYTES_MAX + 1];
    VB_ASSERT(n <= VB_CHAIN_HEX_BYTES_MAX);
    if (strlen(text) == 2 + 2 * n && text[0] == '0' && text[1] == 'x') {
        for (size_t i = 0; i < 2 * n + 1; i++) {
            lower[i] = (char)tolower((unsigned char)text[2 + i]);
        }
        if (vb_hex_decode(lower, out, n)) {
            return VB_OK;
        }
    }
    return vb_fail(e, VB_EINVAL, "%s: expected 0x and %zu hex digits, found %.80s", what, 2 * n,
                   text);
}

static bool has(const char *text, char from, char to) {
    for (; *text; text++) {
        if (*text >= from && *text <= to) {
            return true;
        }
    }
    return false;
}

vb_err vb_chain_address_parse(const char *text, const char *what, uint8_t out[VB_ETH_ADDRESS_BYTES],
                              vb_error *e) {
    uint8_t address[VB_ETH_ADDRESS_BYTES];
    char checked[VB_CHAIN_ADDRESS_CHARS + 1];
    vb_err err = vb_chain_hex_parse(text, what, address, sizeof address, e);
    if (err) {
        return err;
    }
    vb_chain_address_print(address, checked);
    if (has(text + 2, 'A', 'F') && has(text + 2, 'a', 'f') && strcmp(checked, text) != 0) {
        return vb_fail(e, VB_EINVAL,
                       "%s: the capitals of %s are no checksum of it (EIP-55): it may be mistyped",
                       what, text);
    }
    memcpy(out, address, sizeof address);
    return VB_OK;
}
