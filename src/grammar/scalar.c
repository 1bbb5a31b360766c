#include "grammar/scalar.h"

#include "base/limits.h"

static bool between(uint8_t byte, uint8_t low, uint8_t high) {
    return byte >= low && byte <= high;
}

static bool is_digit(uint8_t byte) {
    return between(byte, '0', '9');
}

static bool is_hex(uint8_t byte) {
    return is_digit(byte) || between(byte | 0x20, 'a', 'f');
}

/* The first byte of a character: Unicode's table of well-formed byte sequences. */
static vb_string_state begin_character(uint8_t byte) {
    if (byte < 0x80) {
        return byte < 0x20 ? VB_STRING_DEAD : VB_STRING_CLEAN;
    }
    switch (byte) {
    case 0xe0: return VB_STRING_AFTER_E0;
    case 0xed: return VB_STRING_AFTER_ED;
    case 0xf0: return VB_STRING_AFTER_F0;
    case 0xf4: return VB_STRING_AFTER_F4;
    default: break;
    }
    if (between(byte, 0xc2, 0xdf)) {
        return VB_STRING_TAIL1;
    }
    if (between(byte, 0xe1, 0xef)) {
        return VB_STRING_TAIL2;
    }
    return between(byte, 0xf1, 0xf3) ? VB_STRING_TAIL3 : VB_STRING_DEAD;
}

static vb_string_state escape(uint8_t byte) {
    switch (byte) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': return VB_STRING_CLEAN;
    case 'u': return VB_STRING_HEX4;
    default: return VB_STRING_DEAD;
    }
}

static vb_string_state when(bool holds, vb_string_state next) {
    return holds ? next : VB_STRING_DEAD;
}

vb_string_state vb_string_next(vb_string_state s, uint8_t byte) {
    switch (s) {
    case VB_STRING_CLEAN:
        if (byte == '"') {
            return VB_STRING_CLOSED;
        }
        return byte == '\\' ? VB_STRING_ESCAPE : begin_character(byte);
    case VB_STRING_TAIL1: return when(between(byte, 0x80, 0xbf), VB_STRING_CLEAN);
    case VB_STRING_TAIL2: return when(between(byte, 0x80, 0xbf), VB_STRING_TAIL1);
    case VB_STRING_TAIL3: return when(between(byte, 0x80, 0xbf), VB_STRING_TAIL2);
    case VB_STRING_AFTER_E0: return when(between(byte, 0xa0, 0xbf), VB_STRING_TAIL1);
    case VB_STRING_AFTER_ED: return when(between(byte, 0x80, 0x9f), VB_STRING_TAIL1);
    case VB_STRING_AFTER_F0: return when(between(byte, 0x90, 0xbf), VB_STRING_TAIL2);
    case VB_STRING_AFTER_F4: return when(between(byte, 0x80, 0x8f), VB_STRING_TAIL2);
    case VB_STRING_ESCAPE: return escape(byte);
    case VB_STRING_HEX4:
        if ((byte | 0x20) == 'd') {
            return VB_STRING_HEX_D;
        }
        return when(is_hex(byte), VB_STRING_HEX3);
    case VB_STRING_HEX3: return when(is_hex(byte), VB_STRING_HEX2);
    case VB_STRING_HEX2: return when(is_hex(byte), VB_STRING_HEX1);
    case VB_STRING_HEX1: return when(is_hex(byte), VB_STRING_CLEAN);
    case VB_STRING_HEX_D:
        if (between(byte, '0', '7')) {
            return VB_STRING_HEX2;
        }
        return when(between(byte, '8', '9') || between(byte | 0x20, 'a', 'b'), VB_STRING_HIGH2);
    case VB_STRING_HIGH2: return when(is_hex(byte), VB_STRING_HIGH1);
    case VB_STRING_HIGH1: return when(is_hex(byte), VB_STRING_LOW_BACKSLASH);
    case VB_STRING_LOW_BACKSLASH: return when(byte == '\\', VB_STRING_LOW_U);
    case VB_STRING_LOW_U: return when(byte == 'u', VB_STRING_LOW_D);
    case VB_STRING_LOW_D: return when((byte | 0x20) == 'd', VB_STRING_LOW_DIGIT);
    case VB_STRING_LOW_DIGIT: return when(between(byte | 0x20, 'c', 'f'), VB_STRING_HEX2);
    case VB_STRING_CLOSED:
    case VB_STRING_DEAD: break;
    }
    return VB_STRING_DEAD;
}

/* The next state of a part of at most max digits. */
static vb_number_state digit(vb_number_state part, uint32_t *digits, uint32_t max) {
    return (*digits)++ < max ? part : VB_NUMBER_DEAD;
}

static vb_number_state begin_part(vb_number_state part, uint32_t *digits) {
    *digits = 0;
    return part;
}

/* What may follow the whole part, and after the fraction. */
static vb_number_state after_digits(uint8_t byte, bool fraction, bool integer, uint32_t *digits) {
    if (integer) {
        return VB_NUMBER_DEAD;
    }
    if (byte == '.' && fraction) {
        return begin_part(VB_NUMBER_POINT, digits);
    }
    return (byte | 0x20) == 'e' ? begin_part(VB_NUMBER_E, digits) : VB_NUMBER_DEAD;
}

vb_number_state vb_number_next(vb_number_state s, uint8_t byte, bool integer, uint32_t *digits) {
    const bool is = is_digit(byte);
    switch (s) {
    case VB_NUMBER_START:
        if (byte == '-') {
            return VB_NUMBER_MINUS;
        }
        /* fall through */
    case VB_NUMBER_MINUS:
        if (byte == '0') {
            return VB_NUMBER_ZERO;
        }
        *digits = 0;
        return is ? digit(VB_NUMBER_WHOLE, digits, VB_GRAMMAR_DIGITS_MAX) : VB_NUMBER_DEAD;
    case VB_NUMBER_ZERO: return after_digits(byte, true, integer, digits);
    case VB_NUMBER_WHOLE:
        return is ? digit(s, digits, VB_GRAMMAR_DIGITS_MAX)
                  : after_digits(byte, true, integer, digits);
    case VB_NUMBER_POINT:
        return is ? digit(VB_NUMBER_FRACTION, digits, VB_GRAMMAR_DIGITS_MAX) : VB_NUMBER_DEAD;
    case VB_NUMBER_FRACTION:
        return is ? digit(s, digits, VB_GRAMMAR_DIGITS_MAX)
                  : after_digits(byte, false, integer, digits);
    case VB_NUMBER_E:
        if (byte == '+' || byte == '-') {
            return VB_NUMBER_SIGN;
        }
        /* fall through */
    case VB_NUMBER_SIGN:
    case VB_NUMBER_EXPONENT:
        return is ? digit(VB_NUMBER_EXPONENT, digits, VB_GRAMMAR_EXPONENT_DIGITS_MAX)
                  : VB_NUMBER_DEAD;
    case VB_NUMBER_DEAD: break;
    }
    return VB_NUMBER_DEAD;
}

bool vb_number_complete(vb_number_state s) {
    return s == VB_NUMBER_ZERO || s == VB_NUMBER_WHOLE || s == VB_NUMBER_FRACTION ||
           s == VB_NUMBER_EXPONENT;
}
