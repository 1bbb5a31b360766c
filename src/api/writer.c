#include "api/writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tokenizer/utf8.h"
#include "json/jcs.h"

enum { HEX_BYTES_MAX = 64 };

vb_api_writer vb_api_writer_make(vb_buf *out) {
    return (vb_api_writer){.out = out};
}

static void put(vb_api_writer *w, const char *bytes, size_t n) {
    if (!w->err) {
        w->err = vb_buf_append(w->out, bytes, n);
    }
}

/* A value begins: after another one it needs a comma. */
static void separate(vb_api_writer *w) {
    if (w->comma) {
        put(w, ",", 1);
    }
    w->comma = true;
}

void vb_api_write_begin(vb_api_writer *w, char bracket) {
    separate(w);
    put(w, &bracket, 1);
    w->comma = false;
}

void vb_api_write_end(vb_api_writer *w, char bracket) {
    put(w, &bracket, 1);
    w->comma = true;
}

void vb_api_write_colon(vb_api_writer *w) {
    put(w, ":", 1);
    w->comma = false;
}

void vb_api_write_key(vb_api_writer *w, const char *name) {
    vb_api_write_text(w, name);
    vb_api_write_colon(w);
}

/* Writes what one byte of ASCII needs, or nothing when it stands for itself. */
static bool escape(unsigned char c, char out[8]) {
    static const char short_names[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
                                       ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};
    if (c < sizeof short_names && short_names[c]) {
        snprintf(out, 8, "\\%c", short_names[c]);
        return true;
    }
    if (c < 0x20) {
        snprintf(out, 8, "\\u%04x", c);
        return true;
    }
    return false;
}

void vb_api_write_string(vb_api_writer *w, vb_str text) {
    separate(w);
    put(w, "\"", 1);
    size_t from = 0, at = 0;
    while (at < text.len && !w->err) {
        char escaped[8];
        size_t len = 1;
        const char *instead = NULL;
        if ((unsigned char)text.p[at] < 0x80) {
            instead = escape((unsigned char)text.p[at], escaped) ? escaped : NULL;
        } else if (vb_utf8_classify(text.p + at, text.len - at, &len) != VB_UTF8_WHOLE) {
            instead = "\xef\xbf\xbd";
        }
        if (instead) {
            put(w, text.p + from, at - from);
            put(w, instead, strlen(instead));
            from = at + len;
        }
        at += len;
    }
    if (from < at) {
        put(w, text.p + from, at - from);
    }
    put(w, "\"", 1);
}

void vb_api_write_text(vb_api_writer *w, const char *text) {
    if (text) {
        vb_api_write_string(w, (vb_str){text, strlen(text)});
    } else {
        vb_api_write_null(w);
    }
}

void vb_api_write_raw(vb_api_writer *w, vb_str json) {
    separate(w);
    put(w, json.p, json.len);
}

static void put_word(vb_api_writer *w, const char *word) {
    vb_api_write_raw(w, (vb_str){word, strlen(word)});
}

void vb_api_write_number(vb_api_writer *w, uint64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    put_word(w, text);
}

void vb_api_write_decimal(vb_api_writer *w, uint64_t value) {
    char text[24];
    snprintf(text, sizeof text, "\"%" PRIu64 "\"", value);
    put_word(w, text);
}

void vb_api_write_real(vb_api_writer *w, double value) {
    char text[VB_JCS_NUMBER_BYTES];
    vb_jcs_number(value, text);
    put_word(w, text);
}

void vb_api_write_null(vb_api_writer *w) {
    put_word(w, "null");
}

void vb_api_write_hex(vb_api_writer *w, const uint8_t *bytes, size_t n_bytes) {
    char text[2 * HEX_BYTES_MAX + 1];
    VB_ASSERT(n_bytes <= HEX_BYTES_MAX);
    vb_hex_encode(bytes, n_bytes, text);
    vb_api_write_text(w, text);
}
