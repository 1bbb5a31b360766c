/*
 * Values of a render with Python's meaning, and the state that every part of the engine shares.
 * Internal to src/template. Values live in the render's arena until it ends; they are immutable,
 * except namespaces, cyclers, joiners, loops and iterators.
 *
 * Errors are sticky: the first failure is kept in vb_render.err, and functions go on with values
 * that do no harm; loops and side effects look at err first.
 */
#ifndef VB_TEMPLATE_VALUE_H
#define VB_TEMPLATE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "template/arena.h"
#include "template/ast.h"
#include "template/jinja.h"

typedef enum vb_value_kind {
    VB_VALUE_MISSING, /* an argument that was not given */
    VB_VALUE_UNDEFINED,
    VB_VALUE_NONE,
    VB_VALUE_BOOL,
    VB_VALUE_INTEGER,
    VB_VALUE_FLOAT,
    VB_VALUE_STRING,
    VB_VALUE_LIST,
    VB_VALUE_TUPLE,
    VB_VALUE_RANGE,
    VB_VALUE_VIEW,     /* what a mapping's keys(), values() and items() give */
    VB_VALUE_ITERATOR, /* gives its items once */
    VB_VALUE_DICT,
    VB_VALUE_NAMESPACE,
    VB_VALUE_FUNCTION,
    VB_VALUE_METHOD,
    VB_VALUE_MACRO,
    VB_VALUE_LOOP,
    VB_VALUE_CYCLER,
    VB_VALUE_JOINER
} vb_value_kind;

/* UTF-8 as it came: bytes that are none count as one character each. marks says of each byte
 * whether it is the template's own; NULL: all of them are as `trusted` says. */
typedef struct vb_string {
    const char *p;
    size_t len;
    const char *marks;
    bool trusted;
    bool safe; /* marked safe or escaped (jinja2's Markup) */
} vb_string;

typedef struct vb_value {
    vb_value_kind kind;
    union {
        bool boolean;
        int64_t integer;
        double real;
        const vb_string *string;
        struct vb_items *items; /* LIST to ITERATOR */
        struct vb_dict *dict;   /* DICT, NAMESPACE */
        const char *name;       /* UNDEFINED: of what, or NULL */
        const struct vb_function *function;
        const struct vb_bound *bound;
        const struct vb_macro *macro;
        struct vb_loop *loop;
        struct vb_cycler *cycler; /* CYCLER, JOINER */
    } as;
} vb_value;

typedef struct vb_items {
    vb_value *v;
    size_t n;
    size_t taken;              /* ITERATOR: items that were given */
    const char *name;          /* VIEW: "dict_keys" ...; ITERATOR: what it is */
    int64_t start, stop, step; /* RANGE */
} vb_items;

typedef struct vb_entry {
    vb_value key, value;
} vb_entry;

/* In the order of insertion; slots (entry number + 1, open addressing) once there are many. */
typedef struct vb_dict {
    vb_entry *entries;
    size_t n, cap;
    uint32_t *slots;
    size_t n_slots;
} vb_dict;

typedef struct vb_binding {
    uint32_t name;
    vb_value value;
} vb_binding;

typedef struct vb_scope {
    struct vb_scope *outer;
    vb_binding *bindings;
    uint32_t n, cap;
    bool captured; /* a macro keeps it: not to be used again */
} vb_scope;

typedef struct vb_macro {
    const char *name;    /* NULL: a call block's caller */
    const vb_node *node; /* with the parameters */
    const vb_node *body;
    vb_scope *scope;
} vb_macro;

typedef struct vb_loop {
    const vb_value *items;
    size_t n, index0;
    unsigned depth0;
    const vb_node *node; /* for a recursive loop, else NULL */
    vb_scope *scope;     /* around the loop */
    vb_value changed;    /* a tuple; MISSING: changed() was not called */
} vb_loop;

typedef struct vb_cycler {
    const vb_value *items; /* JOINER: one, the separator */
    size_t n, at;
} vb_cycler;

typedef struct vb_bound {
    vb_value self;
    const struct vb_method *method;
} vb_bound;

typedef struct vb_keyword {
    const char *name;
    size_t len;
    const vb_string *given; /* the name, where a mapping has it; NULL: the template spells it out */
    vb_value value;
    bool used;
} vb_keyword;

typedef struct vb_args {
    const char *callee; /* for messages */
    vb_value *v;
    size_t n;
    vb_keyword *keywords;
    size_t n_keywords;
} vb_args;

typedef struct vb_builder {
    struct vb_render *r;
    char *p, *marks; /* marks: NULL while all bytes are as `trusted` says */
    size_t len, cap;
    bool trusted;
} vb_builder;

typedef struct vb_render {
    const struct vb_jinja *t;
    const vb_jinja_input *input;
    vb_arena arena;
    const vb_node *at; /* where an error is */
    vb_scope *scope;
    vb_value *globals; /* of each name: the context's or the engine's; MISSING: not looked up */
    vb_builder *out;
    uint64_t steps;
    unsigned depth; /* of evaluation */
    unsigned calls; /* of macros */
    vb_err err;
    vb_error *e;
} vb_render;

/* --- render.c: the state --- */

/* The first failure counts; the message begins with line and column. Returns UNDEFINED. */
vb_value vb_render_fail(vb_render *r, vb_err code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Arena memory, not cleared; NULL after an error. n items of `size` bytes. */
void *vb_render_take(vb_render *r, size_t n, size_t size);
/* The arena gave nothing: sets the error that says why. */
void vb_render_no_memory(vb_render *r);
/* Counts work; false after an error, which it sets when there was too much. */
bool vb_render_step(vb_render *r, size_t n);
bool vb_render_enter(vb_render *r);
void vb_render_leave(vb_render *r);

/* --- string.c --- */

void vb_builder_text(vb_builder *b, const char *p, size_t n, bool trusted);
void vb_builder_cstring(vb_builder *b, const char *text); /* not trusted */
void vb_builder_string(vb_builder *b, const vb_string *s);
void vb_builder_part(vb_builder *b, const vb_string *s, size_t from, size_t n);
/* n new bytes with the provenance of byte `of` of s. */
void vb_builder_as(vb_builder *b, const char *p, size_t n, const vb_string *s, size_t of);
vb_value vb_builder_value(vb_builder *b);

vb_value vb_string_value(vb_render *r, vb_string s);
vb_value vb_text_value(vb_render *r, const char *text); /* a constant, not trusted */
/* The name of an argument, which is only the template's own where that spells it out. */
vb_value vb_keyword_name(vb_render *r, const vb_keyword *k);
vb_value vb_string_part(vb_render *r, const vb_string *s, size_t from, size_t n);
bool vb_string_trusted_at(const vb_string *s, size_t i);
/* Bytes of the character at byte i < len, and of the one that ends at byte i > 0. */
size_t vb_char_bytes(const vb_string *s, size_t i);
size_t vb_char_bytes_before(const vb_string *s, size_t i);
/* The character at byte i; what is not UTF-8 gives 0x110000 + the byte. */
uint32_t vb_char_at(const vb_string *s, size_t i);
size_t vb_string_chars(const vb_string *s);
/* The byte at which character n begins; len when there are fewer. */
size_t vb_string_offset(const vb_string *s, size_t n);
bool vb_string_is(const vb_string *s, const char *text);
bool vb_string_equal(const vb_string *a, const vb_string *b);
/* Where needle is at or after from; SIZE_MAX: nowhere. Counts its work. */
size_t vb_string_find(vb_render *r, const vb_string *s, const vb_string *needle, size_t from);
/* Python's str.isspace for one character. */
bool vb_is_python_space(uint32_t cp);
/* float(text) for digits that are known to be well-formed, whatever the locale. */
double vb_python_float(const char *text, size_t len);

/* --- value.c --- */

static inline vb_value vb_none(void) {
    return (vb_value){.kind = VB_VALUE_NONE};
}
static inline vb_value vb_bool(bool x) {
    return (vb_value){.kind = VB_VALUE_BOOL, .as.boolean = x};
}
static inline vb_value vb_integer(int64_t x) {
    return (vb_value){.kind = VB_VALUE_INTEGER, .as.integer = x};
}
static inline vb_value vb_float(double x) {
    return (vb_value){.kind = VB_VALUE_FLOAT, .as.real = x};
}
static inline vb_value vb_undefined(const char *name) {
    return (vb_value){.kind = VB_VALUE_UNDEFINED, .as.name = name};
}
static inline bool vb_is(vb_value v, vb_value_kind kind) {
    return v.kind == kind;
}

/* A sequence of n items that are then filled in; v is NULL after an error. */
vb_value vb_items_make(vb_render *r, vb_value_kind kind, size_t n);
vb_value vb_iterator(vb_render *r, const vb_value *v, size_t n, const char *name);
/* The items that iteration gives: an iterator is used up. False after an error. */
bool vb_value_iterate(vb_render *r, vb_value v, const vb_value **items, size_t *n);

vb_value vb_dict_make(vb_render *r);
void vb_dict_set(vb_render *r, vb_dict *d, vb_value key, vb_value value);
const vb_value *vb_dict_get(vb_render *r, const vb_dict *d, vb_value key);
const vb_value *vb_dict_get_text(vb_render *r, const vb_dict *d, const char *p, size_t len);

bool vb_value_truth(vb_render *r, vb_value v);
bool vb_value_equal(vb_render *r, vb_value a, vb_value b);
/* -1, 0, 1 as a < b, a == b, a > b; fails when Python has no order for them. */
int vb_value_order(vb_render *r, vb_value a, vb_value b);
bool vb_value_contains(vb_render *r, vb_value container, vb_value item);
/* len(v); false without an error when v has none. */
bool vb_value_length(vb_render *r, vb_value v, size_t *n);
/* Booleans are integers, as in Python. */
bool vb_value_is_integer(vb_value v, int64_t *out);
bool vb_value_is_number(vb_value v);
double vb_value_real(vb_value v);
const char *vb_value_type(vb_value v); /* as Python names it */
/* Sorts in place, stably, by keys[i]; both arrays are reordered. */
void vb_sort(vb_render *r, vb_value *keys, vb_value *items, size_t n, bool reverse);

/* --- print.c --- */

/* str(v): a string is itself. */
vb_value vb_value_str(vb_render *r, vb_value v);
void vb_value_print(vb_builder *b, vb_value v);
void vb_value_repr(vb_builder *b, vb_value v);
/* Python's repr of a float. */
enum { VB_FLOAT_TEXT_BYTES = 40 };
void vb_python_float_text(double x, char out[VB_FLOAT_TEXT_BYTES]);

/* --- json.c (of this layer) --- */

vb_value vb_value_from_json(vb_render *r, const json_t *j);
vb_value vb_filter_tojson(vb_render *r, vb_value input, vb_args *args, const vb_value *v);

/* --- evaluate.c --- */

vb_value vb_evaluate(vb_render *r, const vb_node *node);
/* A chain of filters whose innermost input is the text of a block. */
vb_value vb_evaluate_filters(vb_render *r, const vb_node *node, vb_value block);
/* Evaluates arguments; extra: room for so many keywords more. */
bool vb_evaluate_arguments(vb_render *r, const vb_node *call, const char *callee, size_t extra,
                           vb_args *out);
vb_value vb_value_attribute(vb_render *r, vb_value object, const char *name, size_t len);
vb_value vb_value_item(vb_render *r, vb_value object, vb_value key);
vb_value vb_value_slice(vb_render *r, vb_value object, const vb_value bounds[3]);
/* The variable of a number, UNDEFINED when there is none. */
vb_value vb_lookup(vb_render *r, uint32_t name);
void vb_bind(vb_render *r, vb_scope *scope, uint32_t name, vb_value value);
vb_scope *vb_scope_make(vb_render *r, vb_scope *outer);
/* Begins a block in r->scope: its hidden names are undefined. */
void vb_hide(vb_render *r, const vb_node *block);

/* --- operators.c --- */

vb_value vb_arithmetic(vb_render *r, vb_op op, vb_value a, vb_value b);
vb_value vb_negate(vb_render *r, vb_value v, bool minus);
bool vb_compare(vb_render *r, vb_op op, vb_value a, vb_value b);
vb_value vb_format_percent(vb_render *r, const vb_string *format, vb_value args);

/* --- execute.c --- */

/* Runs a block of statements, writing to r->out. */
typedef enum vb_flow { VB_FLOW_NEXT, VB_FLOW_BREAK, VB_FLOW_CONTINUE } vb_flow;
vb_flow vb_execute(vb_render *r, const vb_node *node);
vb_value vb_call_macro(vb_render *r, const vb_macro *m, vb_args *args);
vb_value vb_call_loop(vb_render *r, const vb_loop *loop, vb_args *args);

#endif
