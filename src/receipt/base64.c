#include "receipt/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void vb_base64_encode(const uint8_t *bytes, size_t n, char *text) {
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t v = (uint32_t)bytes[i] << 16;
        v |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        v |= left > 2 ? bytes[i + 2] : 0;
        *text++ = alphabet[v >> 18];
        *text++ = alphabet[v >> 12 & 63];
        *text++ = left > 1 ? alphabet[v >> 6 & 63] : '=';
        *text++ = left > 2 ? alphabet[v & 63] : '=';
    }
    *text = 0;
}

static int value(char c) {
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool vb_base64_decode(const char *text, size_t n_text, uint8_t *out, size_t *out_n) {
    if (n_text % 4 != 0) {
        return false;
    }
    size_t n_padding = 0;
    while (n_padding < 2 && n_padding < n_text && text[n_text - 1 - n_padding] == '=') {
        n_padding++;
    }
    size_t n = 0;
    for (size_t i = 0; i < n_text; i += 4) {
        size_t n_chars = i + 4 == n_text ? 4 - n_padding : 4;
        uint32_t v = 0;
        for (size_t k = 0; k < 4; k++) {
            int six = k < n_chars ? value(text[i + k]) : 0;
            if (six < 0) {
                return false;
            }
            v = v << 6 | (uint32_t)six;
        }
        size_t n_bytes = n_chars - 1;
        if ((v & (0xffffffu >> 8 * n_bytes)) != 0) { /* bits that stand for no byte */
            return false;
        }
        for (size_t k = 0; k < n_bytes; k++) {
            out[n++] = (uint8_t)(v >> (16 - 8 * k));
        }
    }
    *out_n = n;
    return true;
}
