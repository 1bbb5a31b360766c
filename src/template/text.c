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

/* Unicode's Case_Ignorable. */
static bool is_case_ignorable(uint32_t cp) {
    static const uint32_t marks[] = {0x27,   0x2e,   0x3a,   0xb7,   0x387,  0x55f,
                                     0x5f4,  0x2018, 0x2019, 0x2024, 0x2027, 0xfe13,
                                     0xfe52, 0xfe55, 0xff07, 0xff0e, 0xff1a};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (marks[i] == cp) {
            return true;
        }
    }
    switch (category(cp)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK: return cp < 0x110000;
    default: return false;
    }
}

/* Whether the sigma at byte i ends a word: a letter with case stands before it and none after. */
static bool is_final(const vb_string *s, size_t i) {
    size_t before = i, after = i + 2;
    while (before > 0) {
        before -= vb_char_bytes_before(s, before);
        if (!is_case_ignorable(vb_char_at(s, before))) {
            break;
        }
    }
    if (before == i || is_case_ignorable(vb_char_at(s, before)) ||
        !is_cased(vb_char_at(s, before))) {
        return false;
    }
    while (after < s->len && is_case_ignorable(vb_char_at(s, after))) {
        after += vb_char_bytes(s, after);
    }
    return after >= s->len || !is_cased(vb_char_at(s, after));
}

static void add_case(vb_builder *b, const vb_string *s, size_t i, vb_case to) {
    const uint32_t cp = vb_char_at(s, i);
    const size_t n = vb_char_bytes(s, i);
    char text[4];
    if (cp >= 0x110000 || to == VB_CASE_SWAP) { /* no character, or one without the other case */
        vb_builder_part(b, s, i, n);
        return;
    }
    if (cp < 0x80) {
        const bool letter = (cp | 0x20) >= 'a' && (cp | 0x20) <= 'z';
        text[0] = (char)(letter ? (to == VB_CASE_LOWER ? cp | 0x20 : cp & ~0x20u) : cp);
        vb_builder_as(b, text, 1, s, i);
        return;
    }
    const vb_special_case *special = to == VB_CASE_LOWER ? NULL : vb_special_case_find(cp);
    if (special) {
        const char *t = to == VB_CASE_TITLE ? special->title : special->upper;
        vb_builder_as(b, t, strlen(t), s, i);
        return;
    }
    if (to == VB_CASE_LOWER && cp == 0x130) { /* the one letter whose small form is two */
        vb_builder_as(b, "i\xcc\x87", 3, s, i);
        return;
    }
    if (to == VB_CASE_LOWER && cp == 0x3a3) {
        vb_builder_as(b, is_final(s, i) ? "\xcf\x82" : "\xcf\x83", 2, s, i);
        return;
    }
    const utf8proc_int32_t c = (utf8proc_int32_t)cp;
    const utf8proc_int32_t changed = to == VB_CASE_LOWER   ? utf8proc_tolower(c)
                                     : to == VB_CASE_TITLE ? utf8proc_totitle(c)
                                                           : utf8proc_toupper(c);
    vb_builder_as(b, text, vb_utf8_encode((uint32_t)changed, text), s, i);
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
            one = is_upper(cp) ? VB_CASE_LOWER : is_lower(cp) ? VB_CASE_UPPER : VB_CASE_SWAP;
        }
        add_case(&b, s, i, one);
    }
    return like(r, s, &b);
}

vb_value vb_fold(vb_render *r, vb_value v) {
    return v.kind == VB_VALUE_STRING ? vb_string_case(r, v.as.string, VB_CASE_LOWER) : v;
}

/* Unicode's Numeric_Type Digit outside the decimal digits: superscripts, digits in circles. */
static bool is_other_digit(uint32_t cp) {
    static const struct {
        uint32_t first, last;
    } ranges[] = {{0xb2, 0xb3},       {0xb9, 0xb9},       {0x1369, 0x1371},   {0x19da, 0x19da},
                  {0x2070, 0x2070},   {0x2074, 0x2079},   {0x2080, 0x2089},   {0x2460, 0x2468},
                  {0x2474, 0x247c},   {0x2488, 0x2490},   {0x24ea, 0x24ea},   {0x24f5, 0x24fd},
                  {0x24ff, 0x24ff},   {0x2776, 0x277e},   {0x2780, 0x2788},   {0x278a, 0x2792},
                  {0x10a40, 0x10a43}, {0x10e60, 0x10e68}, {0x11052, 0x1105a}, {0x1f100, 0x1f10a}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (cp >= ranges[i].first && cp <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

static bool in_class(uint32_t cp, vb_class what) {
    const utf8proc_category_t c = category(cp);
    switch (what) {
    case VB_CLASS_SPACE: return vb_is_python_space(cp);
    case VB_CLASS_ALPHA:
        return c == UTF8PROC_CATEGORY_LU || c == UTF8PROC_CATEGORY_LL ||
               c == UTF8PROC_CATEGORY_LT || c == UTF8PROC_CATEGORY_LM || c == UTF8PROC_CATEGORY_LO;
    case VB_CLASS_DECIMAL: return c == UTF8PROC_CATEGORY_ND;
    case VB_CLASS_DIGIT: return c == UTF8PROC_CATEGORY_ND || is_other_digit(cp);
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
