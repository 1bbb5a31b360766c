/*
 * Source to tokens, as jinja2's lexer cuts it with trim_blocks and lstrip_blocks: white space
 * before a tag on its line and one newline after it belong to the tag, unless + or - says
 * otherwise.
 */
#include <stdlib.h>
#include <string.h>

#include "template/ast.h"
#include "template/value.h"
#include "tokenizer/utf8.h"

enum { BRACKETS_MAX = 256 };

typedef struct lexer {
    vb_parser *p;
    const char *source;
    size_t n, at;
    uint32_t line, line_begin; /* of `at`; bytes before the line's first */
    size_t counted;            /* lines are counted up to here */
    bool line_starting;        /* the last thing that was cut ended with a newline */
    char brackets[BRACKETS_MAX];
    size_t n_brackets;
} lexer;

static void count_to(lexer *x, size_t at) {
    for (; x->counted < at; x->counted++) {
        if (x->source[x->counted] == '\n') {
            x->line++;
            x->line_begin = (uint32_t)x->counted + 1;
        }
    }
}

static void fail_at(lexer *x, size_t at, const char *what) {
    if (at < x->counted) { /* what began there was not ended: count again */
        x->line = 1;
        x->counted = x->line_begin = 0;
    }
    count_to(x, at);
    vb_parser_fail(x->p, VB_EFORMAT, x->line, (uint32_t)at - x->line_begin + 1, "%s", what);
}

static vb_jinja_token *add_token(lexer *x, vb_jinja_token_kind kind, size_t begin, size_t end) {
    vb_parser *p = x->p;
    if (p->err) {
        return NULL;
    }
    if (p->n_tokens == p->cap_tokens) {
        size_t cap = p->cap_tokens ? 2 * p->cap_tokens : 512;
        vb_jinja_token *tokens = realloc(p->tokens, cap * sizeof *tokens);
        if (!tokens) {
            vb_parser_fail(p, VB_ENOMEM, x->line, 1, "no memory for %zu parts", cap);
            return NULL;
        }
        p->tokens = tokens;
        p->cap_tokens = cap;
    }
    count_to(x, begin);
    vb_jinja_token *t = &p->tokens[p->n_tokens++];
    *t = (vb_jinja_token){.kind = kind,
                          .line = x->line,
                          .column = (uint32_t)begin - x->line_begin + 1,
                          .p = x->source + begin,
                          .len = end - begin};
    return t;
}

static bool looking_at(const lexer *x, size_t at, const char *text) {
    size_t n = strlen(text);
    return x->n - at >= n && memcmp(x->source + at, text, n) == 0;
}

/* Bytes of white space at `at`: Unicode's, as Python's \s. */
static size_t spaces(const lexer *x, size_t at) {
    size_t from = at, len;
    while (at < x->n) {
        if (vb_utf8_classify(x->source + at, x->n - at, &len) != VB_UTF8_WHOLE ||
            !vb_is_python_space(vb_utf8_decode(x->source + at, &len))) {
            break;
        }
        at += len;
    }
    return at - from;
}

/* The tag `name` that begins at `at` with {%: where its end is, or 0. *sign is its mark. */
static size_t bare_tag(const lexer *x, size_t at, const char *name, bool ending, char *sign) {
    size_t i = at + 2;
    *sign = i < x->n && (x->source[i] == '-' || x->source[i] == '+') ? x->source[i++] : 0;
    i += spaces(x, i);
    if (!looking_at(x, i, name)) {
        return 0;
    }
    i += strlen(name);
    i += spaces(x, i);
    if (looking_at(x, i, "-%}")) {
        i += 3;
        return i + spaces(x, i);
    }
    if (ending && looking_at(x, i, "+%}")) {
        return i + 3;
    }
    if (!looking_at(x, i, "%}")) {
        return 0;
    }
    i += 2;
    return ending && i < x->n && x->source[i] == '\n' ? i + 1 : i;
}

/* Text before a tag, without the white space that belongs to the tag. */
static void add_data(lexer *x, size_t begin, size_t end, char sign, bool output) {
    if (sign == '-') {
        while (end > begin) {
            size_t last = end - 1, len;
            while (last > begin && end - last < 4 && ((uint8_t)x->source[last] & 0xc0) == 0x80) {
                last--;
            }
            if (vb_utf8_classify(x->source + last, end - last, &len) != VB_UTF8_WHOLE ||
                len != end - last || !vb_is_python_space(vb_utf8_decode(x->source + last, &len))) {
                break;
            }
            end = last;
        }
    } else if (sign != '+' && !output) {
        size_t line = end;
        while (line > begin && x->source[line - 1] != '\n') {
            line--;
        }
        if ((line > begin || x->line_starting) && line + spaces(x, line) >= end) {
            end = line;
        }
    }
    if (end > begin) {
        add_token(x, VB_JT_DATA, begin, end);
    }
}

static bool skip_comment(lexer *x, size_t begin) {
    for (size_t i = x->at; i + 2 <= x->n; i++) {
        if (looking_at(x, i, "-#}")) {
            x->at = i + 3 + spaces(x, i + 3);
        } else if (looking_at(x, i, "+#}")) {
            x->at = i + 3;
        } else if (looking_at(x, i, "#}")) {
            x->at = i + 2;
            x->at += x->at < x->n && x->source[x->at] == '\n';
        } else {
            continue;
        }
        x->line_starting = x->source[x->at - 1] == '\n';
        return true;
    }
    fail_at(x, begin, "a comment that does not end");
    return false;
}

static bool raw_text(lexer *x, size_t begin) {
    char sign;
    for (size_t i = x->at; i + 2 <= x->n; i++) {
        if (!looking_at(x, i, "{%")) {
            continue;
        }
        size_t end = bare_tag(x, i, "endraw", true, &sign);
        if (end) {
            add_data(x, x->at, i, sign, false);
            x->at = end;
            x->line_starting = x->source[end - 1] == '\n';
            return true;
        }
    }
    fail_at(x, begin, "a raw section that does not end");
    return false;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* A numeric escape of up to max digits of the base; *i is moved past it. -1: not one. */
static long escape_number(const char *s, size_t n, size_t *i, int max, int base, bool all) {
    long value = 0;
    int k = 0;
    for (; k < max && *i < n; k++, (*i)++) {
        int d = hex_digit(s[*i]);
        if (d < 0 || d >= base) {
            break;
        }
        value = value * base + d;
    }
    return k == 0 || (all && k < max) ? -1 : value;
}

/* One escape, s[*i] being the character after the backslash; writes to out, returns the bytes
 * written, or 0 for one that is refused. */
static size_t unescape(const char *s, size_t n, size_t *i, char *out) {
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    const char c = s[*i], *simple = memchr(from, c, sizeof from - 1);
    long cp;
    if (simple) {
        (*i)++;
        out[0] = to[simple - from];
        return 1;
    }
    if (c >= '0' && c <= '7') {
        cp = escape_number(s, n, i, 3, 8, false);
    } else if (c == 'x' || c == 'u' || c == 'U') {
        (*i)++;
        cp = escape_number(s, n, i, c == 'x' ? 2 : c == 'u' ? 4 : 8, 16, true);
    } else if (c == 'N') {
        return 0;
    } else {
        out[0] = '\\';
        return 1;
    }
    if (cp < 0 || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff)) {
        return 0;
    }
    return vb_utf8_encode((uint32_t)cp, out);
}

static void string_token(lexer *x) {
    const size_t begin = x->at;
    const char quote = x->source[begin];
    size_t end = begin + 1;
    while (end < x->n && x->source[end] != quote) {
        end += x->source[end] == '\\' ? 2 : 1;
    }
    if (end >= x->n) {
        fail_at(x, begin, "a string that does not end");
        return;
    }
    const char *s = x->source + begin + 1;
    const size_t n = end - begin - 1;
    char *text = vb_parser_take(x->p, n + 1);
    size_t len = 0;
    for (size_t i = 0; text && i < n;) {
        if (s[i] != '\\') {
            text[len++] = s[i++];
        } else if (s[i + 1] == '\n') { /* a backslash at the end of a line joins it with the next */
            i += 2;
        } else {
            i++;
            size_t k = unescape(s, n, &i, text + len);
            if (!k) {
                fail_at(x, begin, "a string with an escape that is none (or a surrogate, or \\N)");
                return;
            }
            len += k;
        }
    }
    vb_jinja_token *t = add_token(x, VB_JT_STRING, begin, end + 1);
    if (t) {
        t->p = text;
        t->len = len;
    }
    x->at = end + 1;
}

static bool is_digit(const lexer *x, size_t at) {
    return at < x->n && x->source[at] >= '0' && x->source[at] <= '9';
}

static size_t digits(const lexer *x, size_t at) {
    while (is_digit(x, at) ||
           (at < x->n && x->source[at] == '_' && is_digit(x, at + 1) && is_digit(x, at - 1))) {
        at++;
    }
    return at;
}

/* The end of a float that begins at `at`, or 0. */
static size_t float_end(const lexer *x, size_t at) {
    size_t end = digits(x, at);
    bool fraction = false;
    if (at && x->source[at - 1] == '.') {
        return 0; /* a.0.1 is two numbers that index */
    }
    if (end < x->n && x->source[end] == '.' && is_digit(x, end + 1)) {
        end = digits(x, end + 1);
        fraction = true;
    }
    if (end < x->n && (x->source[end] == 'e' || x->source[end] == 'E')) {
        size_t e = end + 1;
        e += e < x->n && (x->source[e] == '+' || x->source[e] == '-');
        if (is_digit(x, e)) {
            return digits(x, e);
        }
    }
    return fraction ? end : 0;
}

/* The digits without underlines, zero-terminated. */
static char *plain_digits(lexer *x, size_t begin, size_t end) {
    char *text = vb_parser_take(x->p, end - begin + 1);
    size_t n = 0;
    for (size_t i = begin; text && i < end; i++) {
        if (x->source[i] != '_') {
            text[n++] = x->source[i];
        }
    }
    return text;
}

static void integer_token(lexer *x) {
    const size_t begin = x->at;
    size_t end = begin, from = begin;
    int base = 10;
    const char mark = begin + 1 < x->n ? (char)(x->source[begin + 1] | 0x20) : 0;
    if (x->source[begin] == '0' && (mark == 'x' || mark == 'o' || mark == 'b')) {
        base = mark == 'x' ? 16 : mark == 'o' ? 8 : 2;
        from = end = begin + 2;
        while (end < x->n && hex_digit(x->source[end]) >= 0 && hex_digit(x->source[end]) < base) {
            end++;
        }
        if (end == from) {
            base = 10;
        }
    }
    if (base == 10) {
        from = begin;
        end = begin + 1;
        if (x->source[begin] == '0') { /* 007 is three numbers, none of them 7: refused later */
            while (end < x->n && x->source[end] == '0') {
                end++;
            }
        } else {
            end = digits(x, begin);
        }
    }
    char *text = plain_digits(x, from, end);
    vb_jinja_token *t = add_token(x, VB_JT_INTEGER, begin, end);
    if (!text || !t) {
        return;
    }
    for (const char *c = text; *c; c++) {
        if (__builtin_mul_overflow(t->integer, base, &t->integer) ||
            __builtin_add_overflow(t->integer, hex_digit(*c), &t->integer)) {
            vb_parser_fail(x->p, VB_EUNSUPPORTED, t->line, t->column,
                           "an integer of more than 64 bits");
            return;
        }
    }
    x->at = end;
}

static void number_token(lexer *x) {
    size_t end = float_end(x, x->at);
    if (!end) {
        integer_token(x);
        return;
    }
    char *text = plain_digits(x, x->at, end);
    vb_jinja_token *t = add_token(x, VB_JT_FLOAT, x->at, end);
    if (text && t) {
        t->real = vb_python_float(text, strlen(text));
    }
    x->at = end;
}

/* Longest first. */
static const char *const operators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                        "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                        ">",  "<",  "=",  ".",  ":",  "|",  ",", ";", NULL};

static void operator_token(lexer *x) {
    const char *const *o = operators;
    while (*o && !looking_at(x, x->at, *o)) {
        o++;
    }
    if (!*o) {
        fail_at(x, x->at, "a character that begins nothing in an expression");
        return;
    }
    const char c = **o;
    if (strchr("([{", c)) {
        if (x->n_brackets == BRACKETS_MAX) {
            count_to(x, x->at);
            vb_parser_fail(x->p, VB_ELIMIT, x->line, 1, "more than %d brackets in one another",
                           BRACKETS_MAX);
            return;
        }
        x->brackets[x->n_brackets++] = c == '(' ? ')' : c == '[' ? ']' : '}';
    } else if (strchr(")]}", c)) {
        if (!x->n_brackets || x->brackets[--x->n_brackets] != c) {
            fail_at(x, x->at, "a closing bracket that nothing opened");
            return;
        }
    }
    add_token(x, VB_JT_OPERATOR, x->at, x->at + strlen(*o));
    x->at += strlen(*o);
}

/* The end of an output or a tag, when one is here and no bracket is open. */
static bool closing(lexer *x, bool output) {
    const char *plain = output ? "}}" : "%}", *minus = output ? "-}}" : "-%}";
    const size_t begin = x->at;
    if (x->n_brackets) {
        return false;
    }
    if (looking_at(x, begin, minus)) {
        x->at += 3;
        x->at += spaces(x, x->at);
    } else if (!output && looking_at(x, begin, "+%}")) {
        x->at += 3;
    } else if (looking_at(x, begin, plain)) {
        x->at += 2;
        x->at += !output && x->at < x->n && x->source[x->at] == '\n';
    } else {
        return false;
    }
    add_token(x, output ? VB_JT_OUTPUT_END : VB_JT_TAG_END, begin, x->at);
    x->line_starting = x->source[x->at - 1] == '\n';
    return true;
}

static bool is_name_byte(char c) {
    return c == '_' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static void inside(lexer *x, size_t begin, bool output) {
    while (x->at < x->n && !x->p->err) {
        if (closing(x, output)) {
            return;
        }
        const char c = x->source[x->at];
        size_t space = spaces(x, x->at);
        if (space) {
            x->at += space;
        } else if (c >= '0' && c <= '9') {
            number_token(x);
        } else if (is_name_byte(c)) {
            size_t end = x->at;
            while (end < x->n && is_name_byte(x->source[end])) {
                end++;
            }
            add_token(x, VB_JT_NAME, x->at, end);
            x->at = end;
        } else if (c == '\'' || c == '"') {
            string_token(x);
        } else {
            operator_token(x);
        }
    }
    if (!x->p->err) {
        fail_at(x, begin,
                output ? "an output that does not end: expected }}"
                       : "a tag that does not end: expected %}");
    }
}

/* What begins at `at` with {{, {% or {#, all of it. */
static void directive(lexer *x, size_t text_begin, size_t at) {
    const char kind = x->source[at + 1];
    char sign = 0;
    size_t end = kind == '%' ? bare_tag(x, at, "raw", false, &sign) : 0;
    if (end) {
        add_data(x, text_begin, at, sign, false);
        x->at = end;
        x->line_starting = x->source[end - 1] == '\n';
        (void)raw_text(x, at);
        return;
    }
    x->at = at + 2;
    sign = x->at < x->n ? x->source[x->at] : 0;
    sign = sign == '-' || sign == '+' ? sign : 0;
    x->at += sign != 0;
    add_data(x, text_begin, at, sign, kind == '{');
    x->line_starting = false;
    if (kind == '#') {
        (void)skip_comment(x, at);
    } else {
        add_token(x, kind == '{' ? VB_JT_OUTPUT_BEGIN : VB_JT_TAG_BEGIN, at, x->at);
        inside(x, at, kind == '{');
    }
}

void vb_jinja_lex(vb_parser *p, const char *source, size_t n_bytes) {
    lexer x = {.p = p, .source = source, .n = n_bytes, .line = 1, .line_starting = true};
    while (x.at < x.n && !p->err) {
        size_t begin = x.at, i = begin;
        while (i + 1 < x.n && !(source[i] == '{' && (source[i + 1] == '{' || source[i + 1] == '%' ||
                                                     source[i + 1] == '#'))) {
            i++;
        }
        if (i + 1 >= x.n) {
            add_token(&x, VB_JT_DATA, begin, x.n);
            x.at = x.n;
        } else {
            directive(&x, begin, i);
        }
    }
    add_token(&x, VB_JT_EOF, x.n, x.n);
}
