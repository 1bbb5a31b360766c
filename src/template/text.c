/* What Python's strings do: case, classes of characters, stripping, splitting, replacing. */
#include <string.h>

#include <utf8proc.h>

#include "template/functions.h"
#include "template/value.h"
#include "tokenizer/utf8.h"

static vb_value like(vb_render *r, const vb_string *s, vb_builder *b) {
    return vb_string_value(r, (vb_string){.p = b->p,
                                          .len = b->len,
                                          .marks = b->marks,
                                          .trusted = b->len ? b->trusted : s->trusted,
                                          .safe = s->safe});
}

/* Characters whose capital is more than one character (Unicode's SpecialCasing, without
 * conditions), but for the Greek with iota below, which are refused. */
static const struct {
    uint32_t cp;
    const char *upper, *title;
} special[] = {{0xdf, "SS", "Ss"},
               {0x149, "\xca\xbcN", "\xca\xbcN"},
               {0x1f0, "J\xcc\x8c", "J\xcc\x8c"},
               {0xfb00, "FF", "Ff"},
               {0xfb01, "FI", "Fi"},
               {0xfb02, "FL", "Fl"},
               {0xfb03, "FFI", "Ffi"},
               {0xfb04, "FFL", "Ffl"},
               {0xfb05, "ST", "St"},
               {0xfb06, "ST", "St"}};

static bool is_refused_case(uint32_t cp, bool upper) {
    return upper ? cp == 0x390 || cp == 0x3b0 || cp == 0x587 || (cp >= 0x1e96 && cp <= 0x1e9a) ||
                       (cp >= 0x1f50 && cp <= 0x1f56) || (cp >= 0x1f80 && cp <= 0x1fff) ||
                       (cp >= 0xfb13 && cp <= 0xfb17)
                 : cp == 0x130 || cp == 0x3a3;
}

static void add_case(vb_builder *b, const vb_string *s, size_t i, vb_case to) {
    const uint32_t cp = vb_char_at(s, i);
    const size_t n = vb_char_bytes(s, i);
    char text[4];
    if (cp >= 0x110000) {
        vb_builder_part(b, s, i, n);
        return;
    }
    if (cp < 0x80) {
        const bool letter = (cp | 0x20) >= 'a' && (cp | 0x20) <= 'z';
        text[0] = (char)(letter ? (to == VB_CASE_LOWER ? cp | 0x20 : cp & ~0x20u) : cp);
        vb_builder_as(b, text, 1, s, i);
        return;
    }
    for (size_t k = 0; to != VB_CASE_LOWER && k < sizeof special / sizeof *special; k++) {
        if (special[k].cp == cp) {
            const char *t = to == VB_CASE_TITLE ? special[k].title : special[k].upper;
            vb_builder_as(b, t, strlen(t), s, i);
            return;
        }
    }
    if (is_refused_case(cp, to != VB_CASE_LOWER)) {
        vb_render_fail(b->r, VB_EUNSUPPORTED, "changing the case of U+%04X is not supported",
                       (unsigned)cp);
        return;
    }
    const utf8proc_int32_t c = (utf8proc_int32_t)cp;
    const utf8proc_int32_t changed = to == VB_CASE_LOWER   ? utf8proc_tolower(c)
                                     : to == VB_CASE_TITLE ? utf8proc_totitle(c)
                                                           : utf8proc_toupper(c);
    vb_builder_as(b, text, vb_utf8_encode((uint32_t)changed, text), s, i);
}

static utf8proc_category_t category(uint32_t cp) {
    return cp < 0x110000 ? utf8proc_category((utf8proc_int32_t)cp) : UTF8PROC_CATEGORY_CN;
}

static bool is_upper(uint32_t cp) {
    return cp < 0x80 ? cp >= 'A' && cp <= 'Z'
                     : cp < 0x110000 && utf8proc_isupper((utf8proc_int32_t)cp);
}

static bool is_lower(uint32_t cp) {
    return cp < 0x80 ? cp >= 'a' && cp <= 'z'
                     : cp < 0x110000 && utf8proc_islower((utf8proc_int32_t)cp);
}

static bool is_cased(uint32_t cp) {
    return is_upper(cp) || is_lower(cp) || (cp >= 0x80 && category(cp) == UTF8PROC_CATEGORY_LT);
}

vb_value vb_string_case(vb_render *r, const vb_string *s, vb_case to) {
    vb_builder b = {.r = r};
    bool in_word = false;
    for (size_t i = 0; i < s->len && !r->err; i += vb_char_bytes(s, i)) {
        vb_case one = to;
        const uint32_t cp = vb_char_at(s, i);
        if (to == VB_CASE_CAPITALIZE) {
            one = i ? VB_CASE_LOWER : VB_CASE_TITLE;
        } else if (to == VB_CASE_TITLE) {
            one = in_word ? VB_CASE_LOWER : VB_CASE_TITLE;
            in_word = is_cased(cp);
        } else if (to == VB_CASE_SWAP) {
            one = is_upper(cp) ? VB_CASE_LOWER : VB_CASE_UPPER;
        }
        add_case(&b, s, i, one);
    }
    return like(r, s, &b);
}

vb_value vb_fold(vb_render *r, vb_value v) {
    return v.kind == VB_VALUE_STRING ? vb_string_case(r, v.as.string, VB_CASE_LOWER) : v;
}

static bool in_class(uint32_t cp, vb_class what) {
    const utf8proc_category_t c = category(cp);
    switch (what) {
    case VB_CLASS_SPACE: return vb_is_python_space(cp);
    case VB_CLASS_ALPHA:
        return c == UTF8PROC_CATEGORY_LU || c == UTF8PROC_CATEGORY_LL ||
               c == UTF8PROC_CATEGORY_LT || c == UTF8PROC_CATEGORY_LM || c == UTF8PROC_CATEGORY_LO;
    case VB_CLASS_DECIMAL: return c == UTF8PROC_CATEGORY_ND;
    case VB_CLASS_DIGIT:
        return c == UTF8PROC_CATEGORY_ND || cp == 0xb2 || cp == 0xb3 || cp == 0xb9 ||
               cp == 0x2070 || (cp >= 0x2074 && cp <= 0x2079) || (cp >= 0x2080 && cp <= 0x2089);
    case VB_CLASS_NUMERIC:
        return c == UTF8PROC_CATEGORY_ND || c == UTF8PROC_CATEGORY_NL || c == UTF8PROC_CATEGORY_NO;
    case VB_CLASS_ALNUM: return in_class(cp, VB_CLASS_ALPHA) || in_class(cp, VB_CLASS_NUMERIC);
    case VB_CLASS_UPPER: return is_upper(cp);
    case VB_CLASS_LOWER: return is_lower(cp);
    }
    return false;
}

bool vb_string_all(vb_render *r, const vb_string *s, vb_class what) {
    const bool of_case = what == VB_CLASS_UPPER || what == VB_CLASS_LOWER;
    bool any = false;
    if (!vb_render_step(r, s->len / 16)) {
        return false;
    }
    for (size_t i = 0; i < s->len; i += vb_char_bytes(s, i)) {
        const uint32_t cp = vb_char_at(s, i);
        if (of_case && !is_cased(cp)) {
            continue;
        }
        if (!in_class(cp, what)) {
            return false;
        }
        any = true;
    }
    return any;
}

/* Whether the character of n bytes at byte i is one that is stripped. */
static bool stripped(const vb_string *s, size_t i, size_t n, const vb_string *chars) {
    if (!chars) {
        return vb_is_python_space(vb_char_at(s, i));
    }
    for (size_t k = 0; k < chars->len; k += vb_char_bytes(chars, k)) {
        if (vb_char_bytes(chars, k) == n && memcmp(chars->p + k, s->p + i, n) == 0) {
            return true;
        }
    }
    return false;
}

vb_value vb_string_strip(vb_render *r, const vb_string *s, vb_value chars, vb_side side) {
    const bool spaces = chars.kind == VB_VALUE_MISSING || chars.kind == VB_VALUE_NONE;
    const vb_string *set = spaces ? NULL : vb_string_argument(r, chars, "what to strip");
    const size_t work = set ? set->len / 64 : 0;
    size_t from = 0, to = s->len;
    while ((side & VB_SIDE_LEFT) && from < to && vb_render_step(r, work)) {
        const size_t n = vb_char_bytes(s, from);
        if (!stripped(s, from, n, set)) {
            break;
        }
        from += n;
    }
    while ((side & VB_SIDE_RIGHT) && to > from && vb_render_step(r, work)) {
        const size_t n = vb_char_bytes_before(s, to);
        if (!stripped(s, to - n, n, set)) {
            break;
        }
        to -= n;
    }
    (void)vb_render_step(r, (s->len - (to - from)) / 16);
    return vb_string_part(r, s, from, to - from);
}

/* An empty text is between all characters. */
static vb_value replace_between(vb_render *r, const vb_string *s, const vb_string *new_text,
                                int64_t count) {
    vb_builder b = {.r = r};
    size_t i = 0;
    for (; i <= s->len && count != 0 && vb_render_step(r, 1); count--) {
        vb_builder_string(&b, new_text);
        if (i == s->len) {
            i++;
            break;
        }
        const size_t n = vb_char_bytes(s, i);
        vb_builder_part(&b, s, i, n);
        i += n;
    }
    if (i < s->len && !r->err) {
        vb_builder_part(&b, s, i, s->len - i);
    }
    return like(r, s, &b);
}

vb_value vb_string_replace(vb_render *r, const vb_string *s, const vb_string *old,
                           const vb_string *new_text, int64_t count) {
    vb_builder b = {.r = r};
    size_t done = 0;
    if (!old->len) {
        return replace_between(r, s, new_text, count);
    }
    while (count != 0 && vb_render_step(r, 1)) {
        const size_t at = vb_string_find(r, s, old, done);
        if (at == SIZE_MAX) {
            break;
        }
        vb_builder_part(&b, s, done, at - done);
        vb_builder_string(&b, new_text);
        done = at + old->len;
        count--;
    }
    vb_builder_part(&b, s, done, s->len - done);
    return like(r, s, &b);
}

/* Growing lists of strings. */
typedef struct pieces {
    vb_render *r;
    vb_value *v;
    size_t n, cap;
} pieces;

static void add_piece(pieces *x, const vb_string *s, size_t from, size_t to) {
    if (!vb_render_step(x->r, 1)) {
        return;
    }
    if (x->n == x->cap) {
        const size_t cap = x->cap ? 2 * x->cap : 8;
        vb_value *v = vb_render_take(x->r, cap, sizeof *v);
        if (!v) {
            return;
        }
        if (x->n) {
            memcpy(v, x->v, x->n * sizeof *v);
        }
        x->v = v;
        x->cap = cap;
    }
    x->v[x->n++] = vb_string_part(x->r, s, from, to - from);
}

static vb_value pieces_list(pieces *x) {
    vb_value list = vb_items_make(x->r, VB_VALUE_LIST, x->n);
    if (!x->r->err && x->n) {
        memcpy(list.as.items->v, x->v, x->n * sizeof *x->v);
    }
    return list;
}

/* Bytes of the line end at byte i: what str.splitlines takes for one. */
static size_t line_end(const vb_string *s, size_t i) {
    const uint32_t cp = vb_char_at(s, i);
    if (cp == '\r' && i + 1 < s->len && s->p[i + 1] == '\n') {
        return 2;
    }
    const bool end = (cp >= 0x0a && cp <= 0x0d) || (cp >= 0x1c && cp <= 0x1e) || cp == 0x85 ||
                     cp == 0x2028 || cp == 0x2029;
    return end ? vb_char_bytes(s, i) : 0;
}

vb_value vb_string_lines(vb_render *r, const vb_string *s, bool keep_ends) {
    pieces x = {.r = r};
    size_t begin = 0;
    for (size_t i = 0; i < s->len && !r->err;) {
        const size_t n = line_end(s, i);
        if (n) {
            add_piece(&x, s, begin, keep_ends ? i + n : i);
            begin = i + n;
        }
        i += n ? n : vb_char_bytes(s, i);
    }
    if (begin < s->len) {
        add_piece(&x, s, begin, s->len);
    }
    (void)vb_render_step(r, s->len / 64);
    return pieces_list(&x);
}

static size_t skip_spaces(const vb_string *s, size_t i) {
    while (i < s->len && vb_is_python_space(vb_char_at(s, i))) {
        i += vb_char_bytes(s, i);
    }
    return i;
}

static size_t skip_spaces_back(const vb_string *s, size_t i) {
    while (i > 0 && vb_is_python_space(vb_char_at(s, i - vb_char_bytes_before(s, i)))) {
        i -= vb_char_bytes_before(s, i);
    }
    return i;
}

static void split_spaces(pieces *x, const vb_string *s, int64_t max) {
    size_t i = skip_spaces(s, 0);
    while (i < s->len && !x->r->err) {
        size_t end = i;
        if (max-- == 0) {
            add_piece(x, s, i, s->len); /* as it is: only its front was skipped */
            return;
        }
        while (end < s->len && !vb_is_python_space(vb_char_at(s, end))) {
            end += vb_char_bytes(s, end);
        }
        add_piece(x, s, i, end);
        i = skip_spaces(s, end);
    }
}

static void split_spaces_back(pieces *x, const vb_string *s, int64_t max) {
    size_t i = skip_spaces_back(s, s->len);
    while (i > 0 && !x->r->err) {
        size_t begin = i;
        if (max-- == 0) {
            add_piece(x, s, 0, i);
            return;
        }
        while (begin > 0 &&
               !vb_is_python_space(vb_char_at(s, begin - vb_char_bytes_before(s, begin)))) {
            begin -= vb_char_bytes_before(s, begin);
        }
        add_piece(x, s, begin, i);
        i = skip_spaces_back(s, begin);
    }
}

static size_t find_last(const vb_string *s, size_t end, const vb_string *needle) {
    for (size_t i = end; i >= needle->len; i--) {
        if (memcmp(s->p + i - needle->len, needle->p, needle->len) == 0) {
            return i - needle->len;
        }
    }
    return SIZE_MAX;
}

static void split_text(pieces *x, const vb_string *s, const vb_string *by, int64_t max,
                       bool right) {
    size_t from = 0, to = s->len;
    while (max-- != 0 && !x->r->err) {
        const size_t at = right ? find_last(s, to, by) : vb_string_find(x->r, s, by, from);
        if (at == SIZE_MAX) {
            break;
        }
        add_piece(x, s, right ? at + by->len : from, right ? to : at);
        from = right ? 0 : at + by->len;
        to = right ? at : to;
    }
    add_piece(x, s, from, to);
}

vb_value vb_string_split(vb_render *r, const vb_string *s, vb_value separator, int64_t max,
                         bool right) {
    pieces x = {.r = r};
    const bool spaces = separator.kind == VB_VALUE_MISSING || separator.kind == VB_VALUE_NONE;
    if (!vb_render_step(r, s->len / 16)) {
        return vb_undefined(NULL);
    }
    if (spaces && right) {
        split_spaces_back(&x, s, max);
    } else if (spaces) {
        split_spaces(&x, s, max);
    } else {
        const vb_string *by = vb_string_argument(r, separator, "the separator of split()");
        if (!by->len) {
            return vb_render_fail(r, VB_EINVAL, "the separator of split() is empty");
        }
        if (!vb_render_step(r, right ? s->len / 64 * (1 + by->len / 64) : 0)) {
            return vb_undefined(NULL);
        }
        split_text(&x, s, by, max, right);
    }
    vb_value list = pieces_list(&x);
    for (size_t i = 0; right && !r->err && i < x.n; i++) {
        list.as.items->v[i] = x.v[x.n - 1 - i];
    }
    return list;
}

vb_value vb_string_join(vb_render *r, const vb_string *separator, vb_value items, bool convert) {
    vb_builder b = {.r = r};
    const vb_value *v;
    size_t n;
    if (!vb_value_iterate(r, items, &v, &n)) {
        return vb_undefined(NULL);
    }
    for (size_t i = 0; i < n && vb_render_step(r, 1); i++) {
        if (i) {
            vb_builder_string(&b, separator);
        }
        if (convert) {
            vb_value_print(&b, v[i]);
        } else {
            vb_builder_string(&b, vb_string_argument(r, v[i], "an item of join()"));
        }
    }
    return vb_builder_value(&b);
}

vb_value vb_escape(vb_render *r, const vb_string *s) {
    static const char from[] = "&<>'\"";
    static const char *const to[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    vb_builder b = {.r = r};
    size_t done = 0;
    for (size_t i = 0; i < s->len && !s->safe && !r->err; i++) {
        const char *which = s->p[i] ? strchr(from, s->p[i]) : NULL;
        if (which) {
            vb_builder_part(&b, s, done, i - done);
            vb_builder_as(&b, to[which - from], strlen(to[which - from]), s, i);
            done = i + 1;
        }
    }
    vb_builder_part(&b, s, done, s->len - done);
    vb_string safe = *s;
    safe.safe = true;
    vb_value v = like(r, &safe, &b);
    return v;
}
