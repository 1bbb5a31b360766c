/*
 * One Knuth-Morris-Pratt automaton for each string: its state is the length of the longest end
 * of the text that begins the string. The largest state is what must be held back.
 */
#include "sample/stop.h"

#include <stdlib.h>
#include <string.h>

typedef struct pattern {
    size_t len;
    size_t state; /* < len until matched */
    uint8_t bytes[VB_STOP_STRING_BYTES_MAX];
    uint16_t border[VB_STOP_STRING_BYTES_MAX]; /* [i]: longest proper border of bytes[0 .. i] */
} pattern;

struct vb_stop {
    vb_stop_state result;
    size_t n;
    pattern patterns[]; /* [n] */
};

static size_t pattern_step(const pattern *p, size_t state, uint8_t byte) {
    while (state > 0 && p->bytes[state] != byte) {
        state = p->border[state - 1];
    }
    return p->bytes[state] == byte ? state + 1 : 0;
}

static void pattern_make(pattern *p, const vb_stop_string *string) {
    p->len = string->len;
    p->state = 0;
    memcpy(p->bytes, string->bytes, string->len);
    p->border[0] = 0;
    for (size_t i = 1; i < p->len; i++) {
        p->border[i] = (uint16_t)pattern_step(p, p->border[i - 1], p->bytes[i]);
    }
}

vb_err vb_stop_open(const vb_stop_string *strings, size_t n, vb_stop **out, vb_error *e) {
    if (n > VB_STOP_STRINGS_MAX) {
        return vb_fail(e, VB_ELIMIT, "%zu stop strings: the limit is %u", n, VB_STOP_STRINGS_MAX);
    }
    for (size_t i = 0; i < n; i++) {
        if (strings[i].len == 0) {
            return vb_fail(e, VB_EINVAL, "stop string %zu is empty: expected at least one byte", i);
        }
        if (strings[i].len > VB_STOP_STRING_BYTES_MAX) {
            return vb_fail(e, VB_ELIMIT, "stop string %zu has %zu bytes: the limit is %u", i,
                           strings[i].len, VB_STOP_STRING_BYTES_MAX);
        }
    }
    vb_stop *s = calloc(1, sizeof *s + n * sizeof s->patterns[0]);
    if (!s) {
        return vb_fail(e, VB_ENOMEM, "no memory for %zu stop strings", n);
    }
    s->n = n;
    for (size_t i = 0; i < n; i++) {
        pattern_make(&s->patterns[i], &strings[i]);
    }
    *out = s;
    return VB_OK;
}

void vb_stop_close(vb_stop *s) {
    free(s);
}

void vb_stop_reset(vb_stop *s) {
    s->result = (vb_stop_state){0};
    for (size_t i = 0; i < s->n; i++) {
        s->patterns[i].state = 0;
    }
}

bool vb_stop_feed(vb_stop *s, const void *bytes, size_t n) {
    const uint8_t *text = bytes;
    vb_stop_state *r = &s->result;
    for (size_t i = 0; i < n && !r->matched; i++) {
        size_t held = 0, found = 0;
        for (size_t j = 0; j < s->n; j++) {
            pattern *p = &s->patterns[j];
            p->state = pattern_step(p, p->state, text[i]);
            held = p->state > held ? p->state : held;
            if (p->state == p->len && p->len > found) {
                found = p->len;
                r->which = j;
                r->matched = true;
            }
        }
        r->fed_bytes++;
        r->safe_bytes = r->fed_bytes - (r->matched ? found : held);
    }
    return r->matched;
}

vb_stop_state vb_stop_get(const vb_stop *s) {
    return s->result;
}
