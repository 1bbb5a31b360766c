/* Arithmetic, comparison, and the % of strings, as Python has them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "template/functions.h"
#include "template/value.h"

/* Integers beyond this are not exact as doubles. */
#define EXACT_MAX ((int64_t)1 << 53)

static vb_value too_big(vb_render *r) {
    return vb_render_fail(r, VB_EUNSUPPORTED, "integers of more than 64 bits are not supported");
}

static vb_value by_zero(vb_render *r) {
    return vb_render_fail(r, VB_EINVAL, "a division by zero");
}

static vb_value integer_power(vb_render *r, int64_t base, int64_t exponent) {
    int64_t result = 1;
    if (exponent < 0) {
        return vb_render_fail(r, VB_EUNSUPPORTED, "a negative exponent is not supported");
    }
    while (exponent) {
        if (exponent & 1 && __builtin_mul_overflow(result, base, &result)) {
            return too_big(r);
        }
        exponent >>= 1;
        if (exponent && __builtin_mul_overflow(base, base, &base)) {
            return too_big(r);
        }
    }
    return vb_integer(result);
}

static vb_value integer_division(vb_render *r, vb_op op, int64_t a, int64_t b) {
    if (b == 0) {
        return by_zero(r);
    }
    if (op == VB_OP_DIV) {
        if (a > EXACT_MAX || a < -EXACT_MAX || b > EXACT_MAX || b < -EXACT_MAX) {
            return vb_render_fail(r, VB_EUNSUPPORTED,
                                  "dividing integers beyond 2^53 is not supported");
        }
        return vb_float((double)a / (double)b);
    }
    if (b == -1) {
        int64_t negative;
        return op == VB_OP_MOD                           ? vb_integer(0)
               : __builtin_sub_overflow(0, a, &negative) ? too_big(r)
                                                         : vb_integer(negative);
    }
    int64_t quotient = a / b, rest = a % b;
    if (rest && (rest < 0) != (b < 0)) { /* towards minus infinity */
        quotient--;
        rest += b;
    }
    return vb_integer(op == VB_OP_MOD ? rest : quotient);
}

static vb_value integer_arithmetic(vb_render *r, vb_op op, int64_t a, int64_t b) {
    int64_t x;
    bool over;
    switch (op) {
    case VB_OP_ADD: over = __builtin_add_overflow(a, b, &x); break;
    case VB_OP_SUB: over = __builtin_sub_overflow(a, b, &x); break;
    case VB_OP_MUL: over = __builtin_mul_overflow(a, b, &x); break;
    case VB_OP_POW: return integer_power(r, a, b);
    default: return integer_division(r, op, a, b);
    }
    return over ? too_big(r) : vb_integer(x);
}

/* CPython's float_divmod. */
static vb_value float_division(vb_op op, double a, double b) {
    double rest = fmod(a, b), quotient = (a - rest) / b;
    if (rest != 0) {
        if ((b < 0) != (rest < 0)) {
            rest += b;
            quotient -= 1;
        }
    } else {
        rest = copysign(0, b);
    }
    if (op == VB_OP_MOD) {
        return vb_float(rest);
    }
    if (quotient != 0) {
        double whole = floor(quotient);
        return vb_float(quotient - whole > 0.5 ? whole + 1 : whole);
    }
    return vb_float(copysign(0, a / b));
}

static vb_value float_arithmetic(vb_render *r, vb_op op, double a, double b) {
    switch (op) {
    case VB_OP_ADD: return vb_float(a + b);
    case VB_OP_SUB: return vb_float(a - b);
    case VB_OP_MUL: return vb_float(a * b);
    case VB_OP_POW: return vb_render_fail(r, VB_EUNSUPPORTED, "powers of floats are not supported");
    default: break;
    }
    if (b == 0) {
        return by_zero(r);
    }
    return op == VB_OP_DIV ? vb_float(a / b) : float_division(op, a, b);
}

static vb_value add_strings(vb_render *r, const vb_string *a, const vb_string *b) {
    vb_builder sum = {.r = r};
    const bool safe = a->safe || b->safe;
    if (safe && !a->safe) {
        vb_value escaped = vb_escape(r, a);
        a = r->err ? a : escaped.as.string;
    } else if (safe && !b->safe) {
        vb_value escaped = vb_escape(r, b);
        b = r->err ? b : escaped.as.string;
    }
    vb_builder_string(&sum, a);
    vb_builder_string(&sum, b);
    return vb_string_value(
        r,
        (vb_string){
            .p = sum.p, .len = sum.len, .marks = sum.marks, .trusted = sum.trusted, .safe = safe});
}

static vb_value add_items(vb_render *r, vb_value a, vb_value b) {
    const vb_items *x = a.as.items, *y = b.as.items;
    vb_value sum = vb_items_make(r, a.kind, x->n + y->n);
    if (!r->err) {
        if (x->n) {
            memcpy(sum.as.items->v, x->v, x->n * sizeof *x->v);
        }
        if (y->n) {
            memcpy(sum.as.items->v + x->n, y->v, y->n * sizeof *y->v);
        }
    }
    return sum;
}

static vb_value repeat(vb_render *r, vb_value v, int64_t times) {
    if (v.kind == VB_VALUE_STRING) {
        const vb_string *s = v.as.string;
        vb_builder b = {.r = r};
        for (int64_t i = 0; s->len && i < times && vb_render_step(r, 1); i++) {
            vb_builder_string(&b, s);
        }
        vb_value text = vb_builder_value(&b);
        return s->safe && !r->err ? vb_string_value(r, (vb_string){.p = text.as.string->p,
                                                                   .len = text.as.string->len,
                                                                   .marks = text.as.string->marks,
                                                                   .trusted = b.trusted,
                                                                   .safe = true})
                                  : text;
    }
    const vb_items *x = v.as.items;
    size_t n;
    if (!vb_mul_size(x->n, times > 0 ? (size_t)times : 0, &n)) {
        n = SIZE_MAX / 64;
    }
    vb_value list = vb_items_make(r, v.kind, n);
    for (size_t i = 0; !r->err && i < n; i++) {
        list.as.items->v[i] = x->v[i % x->n];
    }
    return list;
}

static bool repeats(vb_value v) {
    return v.kind == VB_VALUE_STRING || v.kind == VB_VALUE_LIST || v.kind == VB_VALUE_TUPLE;
}

vb_value vb_arithmetic(vb_render *r, vb_op op, vb_value a, vb_value b) {
    static const char *const names[] = {"+", "-", "*", "/", "//", "%", "**"};
    int64_t i, j;
    if (r->err) {
        return vb_undefined(NULL);
    }
    if (vb_value_is_integer(a, &i) && vb_value_is_integer(b, &j)) {
        return integer_arithmetic(r, op, i, j);
    }
    if (vb_value_is_number(a) && vb_value_is_number(b)) {
        return float_arithmetic(r, op, vb_value_real(a), vb_value_real(b));
    }
    if (op == VB_OP_ADD && a.kind == b.kind) {
        if (a.kind == VB_VALUE_STRING) {
            return add_strings(r, a.as.string, b.as.string);
        }
        if (a.kind == VB_VALUE_LIST || a.kind == VB_VALUE_TUPLE) {
            return add_items(r, a, b);
        }
    }
    if (op == VB_OP_MUL && repeats(a) && vb_value_is_integer(b, &j)) {
        return repeat(r, a, j);
    }
    if (op == VB_OP_MUL && repeats(b) && vb_value_is_integer(a, &i)) {
        return repeat(r, b, i);
    }
    if (op == VB_OP_MOD && a.kind == VB_VALUE_STRING) {
        return vb_format_percent(r, a.as.string, b);
    }
    for (int k = 0; k < 2; k++) {
        const vb_value v = k ? b : a;
        if (v.kind == VB_VALUE_UNDEFINED) {
            return vb_render_fail(r, VB_EINVAL, "%s with %s, which is undefined", names[op],
                                  v.as.name ? v.as.name : "a value");
        }
    }
    return vb_render_fail(r, VB_EINVAL, "%s between %s and %s", names[op], vb_value_type(a),
                          vb_value_type(b));
}

vb_value vb_negate(vb_render *r, vb_value v, bool minus) {
    int64_t i;
    if (r->err) {
        return v;
    }
    if (vb_value_is_integer(v, &i)) {
        if (minus && __builtin_sub_overflow(0, i, &i)) {
            return too_big(r);
        }
        return vb_integer(i);
    }
    if (v.kind == VB_VALUE_FLOAT) {
        return vb_float(minus ? -v.as.real : v.as.real);
    }
    return vb_render_fail(r, VB_EINVAL, "a sign before %s", vb_value_type(v));
}

bool vb_compare(vb_render *r, vb_op op, vb_value a, vb_value b) {
    switch (op) {
    case VB_OP_EQ: return vb_value_equal(r, a, b);
    case VB_OP_NE: return !vb_value_equal(r, a, b);
    case VB_OP_IN: return vb_value_contains(r, b, a);
    case VB_OP_NOT_IN: return !vb_value_contains(r, b, a);
    default: break;
    }
    const int order = vb_value_order(r, a, b);
    switch (op) {
    case VB_OP_LT: return order == -1;
    case VB_OP_LE: return order == -1 || order == 0;
    case VB_OP_GT: return order == 1;
    default: return order == 1 || order == 0;
    }
}

/* One conversion of the % of strings: s, r, d, i and %, without flags or widths. */
static void format_one(vb_render *r, vb_builder *b, char kind, vb_value v) {
    int64_t i;
    if (kind == 's') {
        vb_value_print(b, v);
    } else if (kind == 'r') {
        vb_value_repr(b, v);
    } else if ((kind == 'd' || kind == 'i') && vb_value_is_integer(v, &i)) {
        vb_value_repr(b, vb_integer(i));
    } else if (kind == 'd' || kind == 'i') {
        vb_render_fail(r, VB_EINVAL, "%%%c of a string's format: expected an integer, not %s", kind,
                       vb_value_type(v));
    } else {
        vb_render_fail(r, VB_EUNSUPPORTED,
                       "a string's format with %%%c is not supported: only %%s, %%r, %%d and %%%%",
                       kind);
    }
}

/* The value of %(name)s at *i, which is moved past the parenthesis. */
static vb_value named_value(vb_render *r, const vb_string *f, size_t *i, vb_value args) {
    const size_t from = *i + 1;
    const char *close = memchr(f->p + from, ')', f->len - from);
    if (!close || args.kind != VB_VALUE_DICT) {
        return vb_render_fail(r, VB_EINVAL, "a string's format with a name: expected a mapping");
    }
    const size_t end = (size_t)(close - f->p);
    const vb_value *found = vb_dict_get_text(r, args.as.dict, f->p + from, end - from);
    *i = end + 1;
    return found ? *found
                 : vb_render_fail(r, VB_EINVAL, "a string's format names %.*s, which is not given",
                                  end - from < 64 ? (int)(end - from) : 64, f->p + from);
}

vb_value vb_format_percent(vb_render *r, const vb_string *f, vb_value args) {
    const bool tuple = args.kind == VB_VALUE_TUPLE;
    const vb_value *v = tuple ? args.as.items->v : &args;
    const size_t n = tuple ? args.as.items->n : 1;
    size_t used = 0;
    vb_builder b = {.r = r};
    if (f->safe) {
        return vb_render_fail(r, VB_EUNSUPPORTED, "a format that is marked safe is not supported");
    }
    for (size_t i = 0; i < f->len && !r->err;) {
        const char *percent = memchr(f->p + i, '%', f->len - i);
        const size_t at = percent ? (size_t)(percent - f->p) : f->len;
        vb_builder_part(&b, f, i, at - i);
        i = at + 1;
        if (!percent) {
            break;
        }
        vb_value value = vb_undefined(NULL);
        const bool named = i < f->len && f->p[i] == '(';
        if (named) {
            value = named_value(r, f, &i, args);
            used = n;
        }
        const char kind = i < f->len ? f->p[i] : 0;
        if (kind == '%') {
            vb_builder_part(&b, f, i++, 1);
            continue;
        }
        if (!named && used < n) {
            value = v[used++];
        } else if (!named) {
            vb_render_fail(r, VB_EINVAL, "a string's format wants more than %zu values", n);
        }
        format_one(r, &b, kind, value);
        i++;
    }
    /* Python takes whatever can be indexed for a mapping, whose values need not all be used. */
    const bool mapping = args.kind == VB_VALUE_DICT || args.kind == VB_VALUE_LIST ||
                         args.kind == VB_VALUE_RANGE || args.kind == VB_VALUE_UNDEFINED;
    if (used < n && !mapping) {
        vb_render_fail(r, VB_EINVAL, "a string's format leaves values over");
    }
    return vb_builder_value(&b);
}
