/* Tests: what stands after `is`. */
#include <string.h>

#include "template/functions.h"

#define TEST(name)                                                                                 \
    static vb_value name(vb_render *r, vb_value input, vb_args *args, const vb_value *v)
#define UNUSED                                                                                     \
    (void)r;                                                                                       \
    (void)args;                                                                                    \
    (void)v

TEST(is_defined) {
    UNUSED;
    return vb_bool(input.kind != VB_VALUE_UNDEFINED);
}

TEST(is_undefined) {
    UNUSED;
    return vb_bool(input.kind == VB_VALUE_UNDEFINED);
}

TEST(is_none) {
    UNUSED;
    return vb_bool(input.kind == VB_VALUE_NONE);
}

TEST(is_string) {
    UNUSED;
    return vb_bool(input.kind == VB_VALUE_STRING);
}

TEST(is_number) {
    UNUSED;
    return vb_bool(vb_value_is_number(input));
}

TEST(is_integer) {
    UNUSED;
    return vb_bool(input.kind == VB_VALUE_INTEGER);
}

TEST(is_float) {
    UNUSED;
    return vb_bool(input.kind == VB_VALUE_FLOAT);
}

TEST(is_boolean) {
    UNUSED;
    return vb_bool(input.kind == VB_VALUE_BOOL);
}

TEST(is_true) {
    UNUSED;
    return vb_bool(input.kind == VB_VALUE_BOOL && input.as.boolean);
}

TEST(is_false) {
    UNUSED;
    return vb_bool(input.kind == VB_VALUE_BOOL && !input.as.boolean);
}

TEST(is_mapping) {
    UNUSED;
    return vb_bool(input.kind == VB_VALUE_DICT);
}

TEST(is_sequence) {
    UNUSED;
    switch (input.kind) {
    case VB_VALUE_UNDEFINED:
    case VB_VALUE_STRING:
    case VB_VALUE_LIST:
    case VB_VALUE_TUPLE:
    case VB_VALUE_RANGE:
    case VB_VALUE_DICT: return vb_bool(true);
    default: return vb_bool(false);
    }
}

TEST(is_iterable) {
    UNUSED;
    switch (input.kind) {
    case VB_VALUE_VIEW:
    case VB_VALUE_ITERATOR:
    case VB_VALUE_LOOP: return vb_bool(true);
    default: return is_sequence(r, input, args, v);
    }
}

TEST(is_callable) {
    UNUSED;
    switch (input.kind) {
    case VB_VALUE_FUNCTION:
    case VB_VALUE_METHOD:
    case VB_VALUE_MACRO:
    case VB_VALUE_LOOP:
    case VB_VALUE_JOINER:
    case VB_VALUE_UNDEFINED: return vb_bool(true); /* jinja2's Undefined has a __call__ */
    default: return vb_bool(false);
    }
}

static vb_value rest_is(vb_render *r, vb_value input, vb_value by, int64_t wanted) {
    vb_value rest = vb_arithmetic(r, VB_OP_MOD, input, by);
    return vb_bool(!r->err && vb_value_equal(r, rest, vb_integer(wanted)));
}

TEST(is_even) {
    (void)args;
    (void)v;
    return rest_is(r, input, vb_integer(2), 0);
}

TEST(is_odd) {
    (void)args;
    (void)v;
    return rest_is(r, input, vb_integer(2), 1);
}

TEST(is_divisible_by) {
    (void)args;
    return rest_is(r, input, v[0], 0);
}

TEST(is_equal) {
    (void)args;
    return vb_bool(vb_compare(r, VB_OP_EQ, input, v[0]));
}

TEST(is_not_equal) {
    (void)args;
    return vb_bool(vb_compare(r, VB_OP_NE, input, v[0]));
}

TEST(is_less) {
    (void)args;
    return vb_bool(vb_compare(r, VB_OP_LT, input, v[0]));
}

TEST(is_at_most) {
    (void)args;
    return vb_bool(vb_compare(r, VB_OP_LE, input, v[0]));
}

TEST(is_greater) {
    (void)args;
    return vb_bool(vb_compare(r, VB_OP_GT, input, v[0]));
}

TEST(is_at_least) {
    (void)args;
    return vb_bool(vb_compare(r, VB_OP_GE, input, v[0]));
}

TEST(is_in) {
    (void)args;
    return vb_bool(vb_compare(r, VB_OP_IN, input, v[0]));
}

static vb_value all_of_case(vb_render *r, vb_value input, vb_class what) {
    vb_value s = vb_value_str(r, input);
    return vb_bool(!r->err && vb_string_all(r, s.as.string, what));
}

TEST(is_lower) {
    (void)args;
    (void)v;
    return all_of_case(r, input, VB_CLASS_LOWER);
}

TEST(is_upper) {
    (void)args;
    (void)v;
    return all_of_case(r, input, VB_CLASS_UPPER);
}

/* The same object: only for what has one object a value. */
TEST(is_same_as) {
    (void)args;
    if (input.kind != v[0].kind) {
        return vb_bool(false);
    }
    switch (input.kind) {
    case VB_VALUE_NONE: return vb_bool(true);
    case VB_VALUE_BOOL: return vb_bool(input.as.boolean == v[0].as.boolean);
    case VB_VALUE_LIST:
    case VB_VALUE_NAMESPACE:
    case VB_VALUE_DICT: return vb_bool(input.as.items == v[0].as.items);
    default:
        return vb_render_fail(r, VB_EUNSUPPORTED, "the test sameas between values of type %s",
                              vb_value_type(input));
    }
}

TEST(is_escaped) {
    UNUSED;
    return vb_bool(input.kind == VB_VALUE_STRING && input.as.string->safe);
}

TEST(is_filter) {
    (void)args;
    (void)v;
    const vb_string *s = vb_string_argument(r, input, "the name of a filter");
    const struct vb_filter *f = vb_filter_find(s->p, s->len);
    return vb_bool(f && f->call);
}

TEST(is_test) {
    (void)args;
    (void)v;
    const vb_string *s = vb_string_argument(r, input, "the name of a test");
    return vb_bool(vb_test_find(s->p, s->len) != NULL);
}

const struct vb_filter vb_tests[] = {
    {"defined", is_defined, "", 0},
    {"undefined", is_undefined, "", 0},
    {"none", is_none, "", 0},
    {"string", is_string, "", 0},
    {"number", is_number, "", 0},
    {"integer", is_integer, "", 0},
    {"float", is_float, "", 0},
    {"boolean", is_boolean, "", 0},
    {"true", is_true, "", 0},
    {"false", is_false, "", 0},
    {"mapping", is_mapping, "", 0},
    {"sequence", is_sequence, "", 0},
    {"iterable", is_iterable, "", 0},
    {"callable", is_callable, "", 0},
    {"even", is_even, "", 0},
    {"odd", is_odd, "", 0},
    {"divisibleby", is_divisible_by, "num", 1},
    {"eq", is_equal, "other", 1},
    {"equalto", is_equal, "other", 1},
    {"==", is_equal, "other", 1},
    {"ne", is_not_equal, "other", 1},
    {"!=", is_not_equal, "other", 1},
    {"lt", is_less, "other", 1},
    {"lessthan", is_less, "other", 1},
    {"<", is_less, "other", 1},
    {"le", is_at_most, "other", 1},
    {"<=", is_at_most, "other", 1},
    {"gt", is_greater, "other", 1},
    {"greaterthan", is_greater, "other", 1},
    {">", is_greater, "other", 1},
    {"ge", is_at_least, "other", 1},
    {">=", is_at_least, "other", 1},
    {"in", is_in, "seq", 1},
    {"lower", is_lower, "", 0},
    {"upper", is_upper, "", 0},
    {"sameas", is_same_as, "other", 1},
    {"escaped", is_escaped, "", 0},
    {"filter", is_filter, "", 0},
    {"test", is_test, "", 0},
    {NULL, NULL, NULL, 0},
};
