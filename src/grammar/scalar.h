/*
 * The bytes of JSON's strings and numbers (spec/constraints.md section 3), as automata without a
 * stack. Pure, internal to src/grammar.
 */
#ifndef VB_GRAMMAR_SCALAR_H
#define VB_GRAMMAR_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

/* Inside a string, after its opening quote. */
typedef enum vb_string_state {
    VB_STRING_CLEAN, /* between characters */
    VB_STRING_TAIL1, /* one more byte of a character in UTF-8 */
    VB_STRING_TAIL2,
    VB_STRING_TAIL3,
    VB_STRING_AFTER_E0, /* two more bytes, the first of them in a range of its own */
    VB_STRING_AFTER_ED,
    VB_STRING_AFTER_F0, /* three more */
    VB_STRING_AFTER_F4,
    VB_STRING_ESCAPE, /* after a backslash */
    VB_STRING_HEX4,   /* after \u */
    VB_STRING_HEX3,
    VB_STRING_HEX2,
    VB_STRING_HEX1,
    VB_STRING_HEX_D,         /* after \ud: a character, or half of a surrogate pair */
    VB_STRING_HIGH2,         /* two more digits of the pair's first half */
    VB_STRING_HIGH1,         /* one more */
    VB_STRING_LOW_BACKSLASH, /* the second half must follow */
    VB_STRING_LOW_U,
    VB_STRING_LOW_D,
    VB_STRING_LOW_DIGIT, /* c to f */
    VB_STRING_CLOSED,
    VB_STRING_DEAD
} vb_string_state;

vb_string_state vb_string_next(vb_string_state s, uint8_t byte);

typedef enum vb_number_state {
    VB_NUMBER_START,
    VB_NUMBER_MINUS,
    VB_NUMBER_ZERO,
    VB_NUMBER_WHOLE,
    VB_NUMBER_POINT,
    VB_NUMBER_FRACTION,
    VB_NUMBER_E,
    VB_NUMBER_SIGN,
    VB_NUMBER_EXPONENT,
    VB_NUMBER_DEAD
} vb_number_state;

/* *digits counts those of the part in hand. integer: no fraction and no exponent. */
vb_number_state vb_number_next(vb_number_state s, uint8_t byte, bool integer, uint32_t *digits);
bool vb_number_complete(vb_number_state s);

#endif
