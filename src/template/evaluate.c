/* Expressions, variables, attributes, items and slices. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "template/functions.h"
#include "template/value.h"

vb_scope *vb_scope_make(vb_render *r, vb_scope *outer) {
    vb_scope *scope = vb_render_take(r, 1, sizeof *scope);
    if (scope) {
        *scope = (vb_scope){.outer = outer};
    }
    return scope;
}

void vb_bind(vb_render *r, vb_scope *scope, uint32_t name, vb_value value) {
    if (r->err) {
        return;
    }
    for (uint32_t i = 0; i < scope->n; i++) {
        if (scope->bindings[i].name == name) {
            scope->bindings[i].value = value;
            return;
        }
    }
    if (scope->n == scope->cap) {
        const uint32_t cap = scope->cap ? 2 * scope->cap : 4;
        vb_binding *bindings = vb_render_take(r, cap, sizeof *bindings);
        if (!bindings) {
            return;
        }
        if (scope->n) {
            memcpy(bindings, scope->bindings, scope->n * sizeof *bindings);
        }
        scope->bindings = bindings;
        scope->cap = cap;
    }
    scope->bindings[scope->n++] = (vb_binding){name, value};
    (void)vb_render_step(r, scope->n / 16);
}

void vb_hide(vb_render *r, const vb_node *block) {
    for (uint32_t i = 0; i < block->n_hidden && !r->err; i++) {
        const uint32_t name = block->hidden[i];
        vb_bind(r, r->scope, name, vb_undefined(r->t->names.text[name]));
    }
}

static vb_value global(vb_render *r, uint32_t name) {
    const char *text = r->t->names.text[name];
    vb_value *slot = &r->globals[name];
    if (slot->kind != VB_VALUE_MISSING) {
        return *slot;
    }
    const json_t *j = json_object_get(r->input->context, text);
    const struct vb_function *f = vb_function_find(text);
    if (j) {
        *slot = vb_value_from_json(r, j);
    } else if (f && (strcmp(text, "strftime_now") != 0 || r->input->clock)) {
        *slot = (vb_value){.kind = VB_VALUE_FUNCTION, .as.function = f};
    } else {
        *slot = vb_undefined(text);
    }
    return *slot;
}

vb_value vb_lookup(vb_render *r, uint32_t name) {
    for (const vb_scope *s = r->scope; s; s = s->outer) {
        for (uint32_t i = 0; i < s->n; i++) {
            if (s->bindings[i].name == name) {
                return s->bindings[i].value;
            }
        }
        if (!vb_render_step(r, s->n / 16)) {
            break;
        }
    }
    return r->err ? vb_undefined(NULL) : global(r, name);
}

/* An undefined value that remembers of what; name need not last. */
static vb_value undefined_named(vb_render *r, const char *name, size_t len) {
    const size_t n = len < 64 ? len : 64;
    char *copy = vb_render_take(r, n + 1, 1);
    if (copy) {
        memcpy(copy, name, n);
        copy[n] = 0;
    }
    return vb_undefined(copy);
}

static bool is_internal(const char *name, size_t len) {
    return len >= 2 && name[0] == '_' && name[1] == '_';
}

static vb_value loop_neighbour(const vb_loop *l, bool next) {
    if (next ? l->index0 + 1 >= l->n : l->index0 == 0) {
        return vb_undefined(next ? "loop.nextitem" : "loop.previtem");
    }
    return next ? l->items[l->index0 + 1] : l->items[l->index0 - 1];
}

static vb_value loop_attribute(const vb_loop *l, const char *name) {
    const int64_t i = (int64_t)l->index0, n = (int64_t)l->n;
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {{"index", i + 1},         {"index0", i}, {"revindex", n - i},
                   {"revindex0", n - i - 1}, {"length", n}, {"depth", l->depth0 + 1},
                   {"depth0", l->depth0}};
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
        if (strcmp(name, numbers[k].name) == 0) {
            return vb_integer(numbers[k].value);
        }
    }
    if (strcmp(name, "first") == 0) {
        return vb_bool(i == 0);
    }
    if (strcmp(name, "last") == 0) {
        return vb_bool(i + 1 == n);
    }
    if (strcmp(name, "previtem") == 0 || strcmp(name, "nextitem") == 0) {
        return loop_neighbour(l, name[0] == 'n');
    }
    return vb_undefined(NULL);
}

/* What getattr finds, without the entries of a mapping; MISSING when nothing. */
static vb_value own_attribute(vb_render *r, vb_value object, const char *name, size_t len) {
    char text[32];
    const struct vb_method *m = vb_method_find(object.kind, name, len);
    vb_value found = {.kind = VB_VALUE_MISSING};
    if (m && !m->f.call) {
        return vb_render_fail(r, VB_EUNSUPPORTED, "the method %s of %s is not supported", m->f.name,
                              vb_value_type(object));
    }
    if (m) {
        vb_bound *bound = vb_render_take(r, 1, sizeof *bound);
        if (bound) {
            *bound = (vb_bound){object, m};
            found = (vb_value){.kind = VB_VALUE_METHOD, .as.bound = bound};
        }
        return found;
    }
    if (len >= sizeof text) {
        return found;
    }
    memcpy(text, name, len);
    text[len] = 0;
    if (object.kind == VB_VALUE_LOOP) {
        found = loop_attribute(object.as.loop, text);
    } else if (object.kind == VB_VALUE_TUPLE && object.as.items->name) { /* groupby's pair */
        const bool list = strcmp(text, "list") == 0;
        if (list || strcmp(text, "grouper") == 0) {
            found = object.as.items->v[list];
        }
    } else if (object.kind == VB_VALUE_CYCLER && strcmp(text, "current") == 0) {
        found = object.as.cycler->items[object.as.cycler->at];
    } else if (object.kind == VB_VALUE_MACRO && strcmp(text, "name") == 0 &&
               object.as.macro->name) {
        found = vb_text_value(r, object.as.macro->name);
    }
    return found;
}

static vb_value undefined_error(vb_render *r, vb_value v, const char *what) {
    return vb_render_fail(r, VB_EINVAL, "%s of %s, which is undefined", what,
                          v.as.name ? v.as.name : "a value");
}

vb_value vb_value_attribute(vb_render *r, vb_value object, const char *name, size_t len) {
    const vb_value *entry = NULL;
    if (r->err) {
        return vb_undefined(NULL);
    }
    if (object.kind == VB_VALUE_UNDEFINED) {
        char what[96];
        snprintf(what, sizeof what, "the attribute %.*s", (int)(len < 64 ? len : 64), name);
        return undefined_error(r, object, what);
    }
    if (is_internal(name, len)) {
        return vb_render_fail(r, VB_EUNSUPPORTED, "the attribute %.*s is not supported",
                              (int)(len < 64 ? len : 64), name);
    }
    if (object.kind == VB_VALUE_NAMESPACE) {
        entry = vb_dict_get_text(r, object.as.dict, name, len);
        return entry ? *entry : undefined_named(r, name, len);
    }
    vb_value found = own_attribute(r, object, name, len);
    if (found.kind == VB_VALUE_MISSING && object.kind == VB_VALUE_DICT) {
        entry = vb_dict_get_text(r, object.as.dict, name, len);
    }
    return entry ? *entry : found.kind != VB_VALUE_MISSING ? found : undefined_named(r, name, len);
}

/* An index from either end; false when it is outside. */
static bool normal_index(int64_t *i, size_t n) {
    *i += *i < 0 ? (int64_t)n : 0;
    return *i >= 0 && (uint64_t)*i < n;
}

static vb_value item_at(vb_render *r, vb_value object, int64_t i) {
    size_t n = 0;
    if (object.kind == VB_VALUE_STRING) {
        const vb_string *s = object.as.string;
        (void)vb_value_length(r, object, &n);
        if (!normal_index(&i, n)) {
            return vb_undefined(NULL);
        }
        const size_t from = vb_string_offset(s, (size_t)i);
        return vb_string_part(r, s, from, vb_char_bytes(s, from));
    }
    if (object.kind != VB_VALUE_LIST && object.kind != VB_VALUE_TUPLE &&
        object.kind != VB_VALUE_RANGE) {
        return vb_undefined(NULL);
    }
    return normal_index(&i, object.as.items->n) ? object.as.items->v[i] : vb_undefined(NULL);
}

vb_value vb_value_item(vb_render *r, vb_value object, vb_value key) {
    int64_t i;
    if (r->err) {
        return vb_undefined(NULL);
    }
    if (object.kind == VB_VALUE_UNDEFINED) {
        return undefined_error(r, object, "an item");
    }
    if (object.kind == VB_VALUE_DICT && key.kind != VB_VALUE_LIST && key.kind != VB_VALUE_DICT) {
        const vb_value *entry = vb_dict_get(r, object.as.dict, key);
        if (entry) {
            return *entry;
        }
    } else if (vb_value_is_integer(key, &i)) {
        return item_at(r, object, i);
    }
    if (key.kind != VB_VALUE_STRING) {
        return vb_undefined(NULL);
    }
    const vb_string *s = key.as.string;
    return object.kind == VB_VALUE_DICT && !vb_method_find(VB_VALUE_DICT, s->p, s->len)
               ? undefined_named(r, s->p, s->len)
               : vb_value_attribute(r, object, s->p, s->len);
}

/* A bound of a slice within what Python's slice.indices gives. */
static int64_t slice_bound(vb_render *r, vb_value v, int64_t n, int64_t step, int64_t otherwise) {
    int64_t i;
    if (v.kind == VB_VALUE_MISSING || v.kind == VB_VALUE_NONE) {
        return otherwise;
    }
    if (!vb_value_is_integer(v, &i)) {
        vb_render_fail(r, VB_EINVAL, "the bound of a slice: expected an integer, not %s",
                       vb_value_type(v));
        return 0;
    }
    if (i < 0) {
        i += n;
        return i < 0 ? (step < 0 ? -1 : 0) : i;
    }
    return i >= n ? (step < 0 ? n - 1 : n) : i;
}

static vb_value slice_string(vb_render *r, const vb_string *s, int64_t start, int64_t step,
                             int64_t n, int64_t n_all) {
    vb_builder b = {.r = r};
    if (step == 1) {
        const size_t from = vb_string_offset(s, (size_t)start);
        const vb_string rest = {.p = s->p + from, .len = s->len - from};
        return vb_string_part(r, s, from, vb_string_offset(&rest, (size_t)n));
    }
    size_t *at = vb_render_take(r, (size_t)n_all, sizeof *at);
    for (size_t i = 0, k = 0; at && i < s->len; i += vb_char_bytes(s, i)) {
        at[k++] = i;
    }
    for (int64_t k = 0; at && k < n && !r->err; k++) {
        const size_t from = at[start + k * step];
        vb_builder_part(&b, s, from, vb_char_bytes(s, from));
    }
    vb_value v = vb_builder_value(&b);
    return v;
}

vb_value vb_value_slice(vb_render *r, vb_value object, const vb_value bounds[3]) {
    size_t n_all = 0;
    const bool string = object.kind == VB_VALUE_STRING;
    if (r->err) {
        return vb_undefined(NULL);
    }
    if (!string && object.kind != VB_VALUE_LIST && object.kind != VB_VALUE_TUPLE &&
        object.kind != VB_VALUE_RANGE) {
        return vb_render_fail(r, VB_EINVAL, "expected a string or a list to slice, not %s",
                              vb_value_type(object));
    }
    (void)vb_value_length(r, object, &n_all);
    const int64_t n = (int64_t)n_all;
    int64_t step = 1;
    if (bounds[2].kind != VB_VALUE_MISSING && bounds[2].kind != VB_VALUE_NONE &&
        (!vb_value_is_integer(bounds[2], &step) || step == 0)) {
        return vb_render_fail(r, VB_EINVAL, "the step of a slice: expected an integer but 0");
    }
    step = step > n ? n + 1 : step < -n ? -n - 1 : step; /* beyond, every step leaves the text */
    const int64_t start = slice_bound(r, bounds[0], n, step, step < 0 ? n - 1 : 0);
    const int64_t stop = slice_bound(r, bounds[1], n, step, step < 0 ? -1 : n);
    const int64_t span = step > 0 ? stop - start : start - stop;
    const int64_t count = span <= 0 ? 0 : (span - 1) / (step > 0 ? step : -step) + 1;
    if (!vb_render_step(r, (size_t)count / 16)) {
        return vb_undefined(NULL);
    }
    if (string) {
        return slice_string(r, object.as.string, count ? start : 0, step, count, n);
    }
    if (object.kind == VB_VALUE_RANGE) {
        return vb_render_fail(r, VB_EUNSUPPORTED, "a slice of range() is not supported");
    }
    vb_value list = vb_items_make(r, object.kind, (size_t)count);
    for (int64_t i = 0; !r->err && i < count; i++) {
        list.as.items->v[i] = object.as.items->v[start + i * step];
    }
    return list;
}

static bool add_keyword(vb_render *r, vb_args *out, vb_keyword word) {
    for (size_t i = 0; i < out->n_keywords; i++) {
        if (out->keywords[i].len == word.len &&
            memcmp(out->keywords[i].name, word.name, word.len) == 0) {
            vb_render_fail(r, VB_EINVAL, "%s: the argument %.*s is given twice", out->callee,
                           (int)(word.len < 64 ? word.len : 64), word.name);
            return false;
        }
    }
    out->keywords[out->n_keywords++] = word;
    return vb_render_step(r, out->n_keywords / 16);
}

static void spread_list(vb_render *r, vb_args *out, vb_value v) {
    const vb_value *items;
    size_t n;
    if (!vb_value_iterate(r, v, &items, &n)) {
        return;
    }
    vb_value *all = vb_render_take(r, out->n + n, sizeof *all);
    if (all) {
        if (out->n) {
            memcpy(all, out->v, out->n * sizeof *all);
        }
        if (n) {
            memcpy(all + out->n, items, n * sizeof *all);
        }
        out->v = all;
        out->n += n;
    }
}

static void spread_dict(vb_render *r, vb_args *out, vb_value v, size_t extra) {
    if (v.kind != VB_VALUE_DICT) {
        vb_render_fail(r, VB_EINVAL, "%s: expected a mapping after **, not %s", out->callee,
                       vb_value_type(v));
        return;
    }
    const vb_dict *d = v.as.dict;
    vb_keyword *all = vb_render_take(r, out->n_keywords + d->n + extra, sizeof *all);
    if (!all) {
        return;
    }
    if (out->n_keywords) {
        memcpy(all, out->keywords, out->n_keywords * sizeof *all);
    }
    out->keywords = all;
    for (size_t i = 0; i < d->n && !r->err; i++) {
        const vb_value key = d->entries[i].key;
        if (key.kind != VB_VALUE_STRING) {
            vb_render_fail(r, VB_EINVAL, "%s: the name of an argument: expected a string, not %s",
                           out->callee, vb_value_type(key));
        } else {
            const vb_string *name = key.as.string;
            (void)add_keyword(r, out,
                              (vb_keyword){.name = name->p,
                                           .len = name->len,
                                           .given = name,
                                           .value = d->entries[i].value});
        }
    }
}

bool vb_evaluate_arguments(vb_render *r, const vb_node *call, const char *callee, size_t extra,
                           vb_args *out) {
    *out = (vb_args){.callee = callee};
    if (call->n + extra == 0) {
        return !r->err;
    }
    out->v = vb_render_take(r, call->n, sizeof *out->v);
    out->keywords = vb_render_take(r, call->n + extra, sizeof *out->keywords);
    for (size_t i = 0; i < call->n && !r->err; i++) {
        const vb_node *argument = call->list[i];
        const char *name = r->t->names.text[argument->name];
        vb_value v = vb_evaluate(r, argument->a);
        if (r->err) {
            break;
        }
        switch (argument->op) {
        case VB_ARG_PLAIN: out->v[out->n++] = v; break;
        case VB_ARG_KEYWORD:
            (void)add_keyword(r, out, (vb_keyword){.name = name, .len = strlen(name), .value = v});
            break;
        case VB_ARG_LIST: spread_list(r, out, v); break;
        default: spread_dict(r, out, v, extra + call->n);
        }
    }
    return !r->err;
}

static vb_value evaluate_items(vb_render *r, const vb_node *node, vb_value_kind kind) {
    vb_value list = vb_items_make(r, kind, node->n);
    for (size_t i = 0; i < node->n && !r->err; i++) {
        list.as.items->v[i] = vb_evaluate(r, node->list[i]);
    }
    return list;
}

static vb_value evaluate_dict(vb_render *r, const vb_node *node) {
    vb_value dict = vb_dict_make(r);
    for (size_t i = 0; i + 1 < node->n && !r->err; i += 2) {
        vb_value key = vb_evaluate(r, node->list[i]);
        vb_value value = vb_evaluate(r, node->list[i + 1]);
        r->at = node;
        vb_dict_set(r, dict.as.dict, key, value);
    }
    return dict;
}

static vb_value evaluate_slice(vb_render *r, const vb_node *node) {
    vb_value object = vb_evaluate(r, node->a), bounds[3];
    for (int i = 0; i < 3; i++) {
        bounds[i] =
            node->list[i] ? vb_evaluate(r, node->list[i]) : (vb_value){.kind = VB_VALUE_MISSING};
    }
    r->at = node;
    return vb_value_slice(r, object, bounds);
}

static vb_value evaluate_call(vb_render *r, const vb_node *node) {
    vb_value callee = vb_evaluate(r, node->a);
    vb_args args;
    const char *name = node->a->kind == VB_NODE_NAME        ? r->t->names.text[node->a->name]
                       : node->a->kind == VB_NODE_ATTRIBUTE ? node->a->text
                                                            : "a call";
    r->at = node;
    if (r->err || !vb_evaluate_arguments(r, node, name, 0, &args)) {
        return vb_undefined(NULL);
    }
    r->at = node;
    return vb_call(r, callee, &args);
}

static vb_value apply(vb_render *r, const vb_node *node, vb_value input) {
    const bool test = node->kind == VB_NODE_TEST;
    const struct vb_filter *f = node->entry;
    vb_args args;
    r->at = node;
    if (!r->err && (!f || !f->call)) {
        return vb_render_fail(r, VB_EUNSUPPORTED, "the %s %.*s is not supported",
                              test ? "test" : "filter",
                              (int)(node->text_len < 64 ? node->text_len : 64), node->text);
    }
    if (r->err || !vb_evaluate_arguments(r, node, f->name, 0, &args)) {
        return vb_undefined(NULL);
    }
    r->at = node;
    return vb_invoke(r, f, input, &args);
}

vb_value vb_evaluate_filters(vb_render *r, const vb_node *node, vb_value block) {
    if (!vb_render_enter(r)) {
        return block;
    }
    vb_value v = apply(r, node, node->a ? vb_evaluate_filters(r, node->a, block) : block);
    vb_render_leave(r);
    return v;
}

static vb_value evaluate_arithmetic(vb_render *r, const vb_node *node) {
    vb_value v = vb_evaluate(r, node->a);
    for (size_t i = 0; i < node->n && !r->err; i++) {
        vb_value right = vb_evaluate(r, node->list[i]->a);
        r->at = node->list[i];
        v = vb_arithmetic(r, node->list[i]->op, v, right);
    }
    return v;
}

static vb_value evaluate_compare(vb_render *r, const vb_node *node) {
    vb_value left = vb_evaluate(r, node->a);
    bool holds = true;
    for (size_t i = 0; i < node->n && holds && !r->err; i++) {
        vb_value right = vb_evaluate(r, node->list[i]->a);
        r->at = node->list[i];
        holds = !r->err && vb_compare(r, node->list[i]->op, left, right);
        left = right;
    }
    return vb_bool(holds);
}

/* The operand that decides, as Python's and / or give it. */
static vb_value evaluate_logic(vb_render *r, const vb_node *node) {
    vb_value v = vb_none();
    for (size_t i = 0; i < node->n && !r->err; i++) {
        v = vb_evaluate(r, node->list[i]);
        if (vb_value_truth(r, v) == (node->kind == VB_NODE_OR)) {
            break;
        }
    }
    return v;
}

static vb_value evaluate_concat(vb_render *r, const vb_node *node) {
    vb_builder b = {.r = r};
    for (size_t i = 0; i < node->n && !r->err; i++) {
        vb_value v = vb_evaluate(r, node->list[i]);
        r->at = node;
        vb_value_print(&b, v);
    }
    return vb_builder_value(&b);
}

static vb_value evaluate_item(vb_render *r, const vb_node *node) {
    vb_value object = vb_evaluate(r, node->a), key = vb_evaluate(r, node->b);
    r->at = node;
    return vb_value_item(r, object, key);
}

static vb_value evaluate_attribute(vb_render *r, const vb_node *node) {
    vb_value object = vb_evaluate(r, node->a);
    r->at = node;
    return vb_value_attribute(r, object, node->text, node->text_len);
}

static vb_value evaluate_node(vb_render *r, const vb_node *node) {
    switch (node->kind) {
    case VB_NODE_NONE: return vb_none();
    case VB_NODE_BOOL: return vb_bool(node->integer != 0);
    case VB_NODE_INTEGER: return vb_integer(node->integer);
    case VB_NODE_FLOAT: return vb_float(node->real);
    case VB_NODE_STRING:
        return vb_string_value(
            r, (vb_string){.p = node->text, .len = node->text_len, .trusted = true});
    case VB_NODE_NAME: return vb_lookup(r, node->name);
    case VB_NODE_LIST: return evaluate_items(r, node, VB_VALUE_LIST);
    case VB_NODE_TUPLE: return evaluate_items(r, node, VB_VALUE_TUPLE);
    case VB_NODE_DICT: return evaluate_dict(r, node);
    case VB_NODE_ATTRIBUTE: return evaluate_attribute(r, node);
    case VB_NODE_ITEM: return evaluate_item(r, node);
    case VB_NODE_SLICE: return evaluate_slice(r, node);
    case VB_NODE_CALL: return evaluate_call(r, node);
    case VB_NODE_FILTER:
    case VB_NODE_TEST: return apply(r, node, vb_evaluate(r, node->a));
    case VB_NODE_NOT: return vb_bool(!vb_value_truth(r, vb_evaluate(r, node->a)));
    case VB_NODE_NEGATE:
    case VB_NODE_PLUS: return vb_negate(r, vb_evaluate(r, node->a), node->kind == VB_NODE_NEGATE);
    case VB_NODE_CONDITION:
        if (vb_value_truth(r, vb_evaluate(r, node->a))) {
            return vb_evaluate(r, node->b);
        }
        return node->c ? vb_evaluate(r, node->c) : vb_undefined(NULL);
    case VB_NODE_AND:
    case VB_NODE_OR: return evaluate_logic(r, node);
    case VB_NODE_COMPARE: return evaluate_compare(r, node);
    case VB_NODE_ARITHMETIC: return evaluate_arithmetic(r, node);
    case VB_NODE_CONCAT: return evaluate_concat(r, node);
    default: return vb_render_fail(r, VB_EINTERNAL, "a statement where a value is wanted");
    }
}

vb_value vb_evaluate(vb_render *r, const vb_node *node) {
    r->at = node;
    if (!vb_render_enter(r)) {
        return vb_undefined(NULL);
    }
    vb_value v = evaluate_node(r, node);
    vb_render_leave(r);
    return v;
}
