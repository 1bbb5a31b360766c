/*
 * What templates can call by name: filters, tests, methods and functions, each with its table.
 * Internal to src/template.
 */
#ifndef VB_TEMPLATE_FUNCTIONS_H
#define VB_TEMPLATE_FUNCTIONS_H

#include "template/value.h"

enum { VB_PARAMETERS_MAX = 6 };

/* v: the parameters in order, MISSING where not given; with VB_ANY_ARGUMENTS, v is not set and
 * args holds what was given. */
typedef vb_value (*vb_callable)(vb_render *r, vb_value input, vb_args *args, const vb_value *v);

#define VB_ANY_ARGUMENTS "*"

/* parameters: their names with a space between; the first n_required must be given.
 * call NULL: refused by name. */
typedef struct vb_filter {
    const char *name;
    vb_callable call;
    const char *parameters;
    unsigned n_required;
} vb_filter;

typedef struct vb_filter vb_test_entry;

typedef struct vb_method {
    vb_value_kind kind; /* of what it is a method; a tuple has a list's */
    struct vb_filter f;
} vb_method;

typedef struct vb_function {
    struct vb_filter f;
} vb_function;

/* NULL: there is none. */
const struct vb_filter *vb_filter_find(const char *name, size_t len);
const struct vb_filter *vb_test_find(const char *name, size_t len);
const struct vb_method *vb_method_find(vb_value_kind kind, const char *name, size_t len);
/* A function that every template has; strftime_now only where a clock is. */
const struct vb_function *vb_function_find(const char *name);

/* Binds the arguments and calls. */
vb_value vb_invoke(vb_render *r, const struct vb_filter *f, vb_value input, vb_args *args);
vb_value vb_call(vb_render *r, vb_value callee, vb_args *args);
/* A filter or test by the name that a value holds, for map, select and their kin. */
vb_value vb_invoke_named(vb_render *r, bool test, vb_value name, vb_value input, vb_args *args);

/* filters.c, sequences.c, tests.c, methods.c: each a table that ends with a NULL name. */
extern const struct vb_filter vb_text_filters[];
extern const struct vb_filter vb_sequence_filters[];
extern const struct vb_filter vb_tests[];
extern const struct vb_method vb_methods[];

/* Shared by filters and methods. */
typedef enum vb_case {
    VB_CASE_UPPER,
    VB_CASE_LOWER,
    VB_CASE_TITLE,
    VB_CASE_CAPITALIZE,
    VB_CASE_SWAP
} vb_case;
vb_value vb_string_case(vb_render *r, const vb_string *s, vb_case to);
typedef enum vb_side { VB_SIDE_LEFT = 1, VB_SIDE_RIGHT = 2, VB_SIDE_BOTH = 3 } vb_side;
vb_value vb_string_strip(vb_render *r, const vb_string *s, vb_value chars, vb_side side);
vb_value vb_string_replace(vb_render *r, const vb_string *s, const vb_string *old,
                           const vb_string *new_text, int64_t count);
vb_value vb_string_lines(vb_render *r, const vb_string *s, bool keep_ends);
/* split(separator or NONE, at most max times; -1: any number), from the right when `right`. */
vb_value vb_string_split(vb_render *r, const vb_string *s, vb_value separator, int64_t max,
                         bool right);
vb_value vb_string_join(vb_render *r, const vb_string *separator, vb_value items, bool convert);
vb_value vb_escape(vb_render *r, const vb_string *s);
/* A character whose capital is more than one; NULL for all others. */
typedef struct vb_special_case {
    uint32_t cp;
    const char *upper, *title;
} vb_special_case;
const vb_special_case *vb_special_case_find(uint32_t cp);
/* Python's str.lower, islower and so on for sorting and tests. */
vb_value vb_fold(vb_render *r, vb_value v);
typedef enum vb_class {
    VB_CLASS_ALPHA,
    VB_CLASS_DIGIT,
    VB_CLASS_DECIMAL,
    VB_CLASS_NUMERIC,
    VB_CLASS_ALNUM,
    VB_CLASS_SPACE,
    VB_CLASS_UPPER,
    VB_CLASS_LOWER
} vb_class;
bool vb_string_all(vb_render *r, const vb_string *s, vb_class what);

/* An argument as an integer or otherwise when MISSING; fails naming `what`. */
int64_t vb_integer_argument(vb_render *r, vb_value v, int64_t otherwise, const char *what);
const vb_string *vb_string_argument(vb_render *r, vb_value v, const char *what);

#endif
