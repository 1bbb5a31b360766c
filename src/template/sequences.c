/* Filters of sequences and mappings. */
#include <string.h>

#include "template/functions.h"

#define FILTER(name)                                                                               \
    static vb_value name(vb_render *r, vb_value input, vb_args *args, const vb_value *v)

/* A growing list. */
typedef struct collector {
    vb_render *r;
    vb_value *v;
    size_t n, cap;
} collector;

static void collect(collector *x, vb_value v) {
    if (x->r->err) {
        return;
    }
    if (x->n == x->cap) {
        const size_t cap = x->cap ? 2 * x->cap : 8;
        vb_value *grown = vb_render_take(x->r, cap, sizeof *grown);
        if (!grown) {
            return;
        }
        if (x->n) {
            memcpy(grown, x->v, x->n * sizeof *grown);
        }
        x->v = grown;
        x->cap = cap;
    }
    x->v[x->n++] = v;
}

static vb_value collected(collector *x, vb_value_kind kind, const char *name) {
    vb_value list = vb_items_make(x->r, kind, x->n);
    if (!x->r->err) {
        if (x->n) {
            memcpy(list.as.items->v, x->v, x->n * sizeof *x->v);
        }
        list.as.items->name = name;
    }
    return list;
}

/* The item at a path such as "function.name" or "0.id", or at a number. */
static vb_value at_path(vb_render *r, vb_value item, vb_value path, vb_value otherwise) {
    if (path.kind == VB_VALUE_MISSING || path.kind == VB_VALUE_NONE) {
        return item;
    }
    if (path.kind != VB_VALUE_STRING) {
        item = vb_value_item(r, item, path);
        return item.kind == VB_VALUE_UNDEFINED && otherwise.kind != VB_VALUE_MISSING &&
                       otherwise.kind != VB_VALUE_NONE
                   ? otherwise
                   : item;
    }
    const vb_string *s = path.as.string;
    for (size_t i = 0; i <= s->len && vb_render_step(r, 1);) {
        const char *dot = memchr(s->p + i, '.', s->len - i);
        const size_t end = dot ? (size_t)(dot - s->p) : s->len;
        vb_value part = vb_string_part(r, s, i, end - i);
        if (!r->err && vb_string_all(r, part.as.string, VB_CLASS_DECIMAL) && end - i < 18) {
            int64_t number = 0;
            for (size_t k = i; k < end; k++) {
                number = 10 * number + (s->p[k] - '0');
            }
            part = vb_integer(number);
        }
        item = vb_value_item(r, item, part);
        if (item.kind == VB_VALUE_UNDEFINED && otherwise.kind != VB_VALUE_MISSING &&
            otherwise.kind != VB_VALUE_NONE) {
            item = otherwise;
        }
        i = end + 1;
    }
    return item;
}

static const vb_value absent = {.kind = VB_VALUE_MISSING};

FILTER(length) {
    size_t n;
    (void)args;
    (void)v;
    if (vb_value_length(r, input, &n)) {
        return vb_integer((int64_t)n);
    }
    return vb_render_fail(r, VB_EINVAL, "length: %s has none", vb_value_type(input));
}

FILTER(join) {
    vb_value separator = v[0].kind == VB_VALUE_MISSING ? vb_text_value(r, "") : v[0];
    (void)args;
    separator = vb_value_str(r, separator);
    if (v[1].kind != VB_VALUE_MISSING && v[1].kind != VB_VALUE_NONE) {
        const vb_value *items;
        size_t n;
        collector x = {.r = r};
        if (!vb_value_iterate(r, input, &items, &n)) {
            return input;
        }
        for (size_t i = 0; i < n && !r->err; i++) {
            collect(&x, at_path(r, items[i], v[1], absent));
        }
        input = collected(&x, VB_VALUE_LIST, NULL);
    }
    return r->err ? input : vb_string_join(r, separator.as.string, input, true);
}

static vb_value end_of(vb_render *r, vb_value input, bool last) {
    const vb_value *items;
    size_t n;
    if (input.kind == VB_VALUE_ITERATOR && !last && input.as.items->taken < input.as.items->n) {
        return input.as.items->v[input.as.items->taken++];
    }
    if (last && input.kind == VB_VALUE_ITERATOR) {
        return vb_render_fail(r, VB_EINVAL, "last: a %s can not be read from its end",
                              vb_value_type(input));
    }
    if (!vb_value_iterate(r, input, &items, &n) || !n) {
        return vb_undefined(last ? "the last item" : "the first item");
    }
    return items[last ? n - 1 : 0];
}

FILTER(first) {
    (void)args;
    (void)v;
    return end_of(r, input, false);
}

FILTER(last) {
    (void)args;
    (void)v;
    return end_of(r, input, true);
}

static vb_value list_of(vb_render *r, vb_value input) {
    const vb_value *items;
    size_t n;
    if (!vb_value_iterate(r, input, &items, &n)) {
        return input;
    }
    vb_value list = vb_items_make(r, VB_VALUE_LIST, n);
    if (!r->err && n) {
        memcpy(list.as.items->v, items, n * sizeof *items);
    }
    return list;
}

FILTER(list) {
    (void)args;
    (void)v;
    return list_of(r, input);
}

FILTER(reverse) {
    (void)args;
    (void)v;
    if (input.kind == VB_VALUE_STRING) {
        const vb_value step[3] = {absent, absent, vb_integer(-1)};
        return vb_value_slice(r, input, step);
    }
    vb_value x = list_of(r, input);
    for (size_t i = 0; !r->err && i < x.as.items->n / 2; i++) {
        const vb_value swap = x.as.items->v[i];
        x.as.items->v[i] = x.as.items->v[x.as.items->n - 1 - i];
        x.as.items->v[x.as.items->n - 1 - i] = swap;
    }
    if (!r->err &&
        input.kind !=
            VB_VALUE_ITERATOR) { /* Python gives an iterator for what it can go through backwards */
        x.kind = VB_VALUE_ITERATOR;
        x.as.items->name = "reversed";
    }
    return x;
}

static vb_value pair(vb_render *r, vb_value a, vb_value b) {
    vb_value x = vb_items_make(r, VB_VALUE_TUPLE, 2);
    if (!r->err) {
        x.as.items->v[0] = a;
        x.as.items->v[1] = b;
    }
    return x;
}

FILTER(items) {
    collector x = {.r = r};
    (void)args;
    (void)v;
    if (input.kind != VB_VALUE_DICT && input.kind != VB_VALUE_UNDEFINED) {
        return vb_render_fail(r, VB_EINVAL, "items: expected a mapping, not %s",
                              vb_value_type(input));
    }
    for (size_t i = 0; input.kind == VB_VALUE_DICT && !r->err && i < input.as.dict->n; i++) {
        collect(&x, pair(r, input.as.dict->entries[i].key, input.as.dict->entries[i].value));
    }
    return collected(&x, VB_VALUE_ITERATOR, "generator");
}

/* dictsort(case_sensitive=false, by='key', reverse=false) */
FILTER(dict_sort) {
    collector keys = {.r = r}, pairs = {.r = r};
    const bool exact = vb_value_truth(r, v[0]), reversed = vb_value_truth(r, v[2]);
    const vb_string *by =
        v[1].kind == VB_VALUE_MISSING ? NULL : vb_string_argument(r, v[1], "the by of dictsort");
    const bool by_value = by && vb_string_is(by, "value");
    (void)args;
    if (by && !by_value && !vb_string_is(by, "key")) {
        return vb_render_fail(r, VB_EINVAL, "dictsort: expected to sort by key or value");
    }
    if (input.kind != VB_VALUE_DICT) {
        return vb_render_fail(r, VB_EINVAL, "dictsort: expected a mapping, not %s",
                              vb_value_type(input));
    }
    for (size_t i = 0; i < input.as.dict->n && !r->err; i++) {
        const vb_entry *entry = &input.as.dict->entries[i];
        const vb_value key = by_value ? entry->value : entry->key;
        collect(&keys, exact ? key : vb_fold(r, key));
        collect(&pairs, pair(r, entry->key, entry->value));
    }
    vb_sort(r, keys.v, pairs.v, pairs.n, reversed);
    return collected(&pairs, VB_VALUE_LIST, NULL);
}

/* One sort key: the parts of a path with commas are compared one after another. A list even of one
 * part, as in jinja2: items of lists that are equal need no order. */
static vb_value sort_key(vb_render *r, vb_value item, vb_value path, bool exact) {
    collector x = {.r = r};
    if (path.kind != VB_VALUE_STRING) {
        vb_value key = at_path(r, item, path, absent);
        collect(&x, exact ? key : vb_fold(r, key));
        return collected(&x, VB_VALUE_LIST, NULL);
    }
    const vb_string *s = path.as.string;
    for (size_t i = 0; i <= s->len && !r->err;) {
        const char *comma = memchr(s->p + i, ',', s->len - i);
        const size_t end = comma ? (size_t)(comma - s->p) : s->len;
        vb_value key = at_path(r, item, vb_string_part(r, s, i, end - i), absent);
        collect(&x, exact ? key : vb_fold(r, key));
        i = end + 1;
    }
    return collected(&x, VB_VALUE_LIST, NULL);
}

static vb_value sorted(vb_render *r, vb_value input, vb_value path, bool exact, bool reversed) {
    vb_value x = list_of(r, input);
    collector keys = {.r = r};
    for (size_t i = 0; !r->err && i < x.as.items->n; i++) {
        collect(&keys, sort_key(r, x.as.items->v[i], path, exact));
    }
    if (!r->err) {
        vb_sort(r, keys.v, x.as.items->v, keys.n, reversed);
    }
    return x;
}

/* sort(reverse=false, case_sensitive=false, attribute=none) */
FILTER(sort) {
    (void)args;
    return sorted(r, input, v[2], vb_value_truth(r, v[1]), vb_value_truth(r, v[0]));
}

/* unique(case_sensitive=false, attribute=none) */
FILTER(unique) {
    const vb_value *all;
    size_t n;
    collector x = {.r = r};
    vb_value seen = vb_dict_make(r);
    (void)args;
    if (!vb_value_iterate(r, input, &all, &n)) {
        return input;
    }
    for (size_t i = 0; i < n && !r->err; i++) {
        vb_value key = at_path(r, all[i], v[1], absent);
        key = vb_value_truth(r, v[0]) ? key : vb_fold(r, key);
        if (!r->err && !vb_dict_get(r, seen.as.dict, key)) {
            vb_dict_set(r, seen.as.dict, key, vb_none());
            collect(&x, all[i]);
        }
    }
    return collected(&x, VB_VALUE_ITERATOR, "generator");
}

static vb_value extreme(vb_render *r, vb_value input, const vb_value *v, int wanted) {
    const vb_value *all;
    size_t n, best = 0;
    vb_value best_key = vb_none();
    if (!vb_value_iterate(r, input, &all, &n)) {
        return input;
    }
    for (size_t i = 0; i < n && vb_render_step(r, 1); i++) {
        vb_value key = at_path(r, all[i], v[1], absent);
        key = vb_value_truth(r, v[0]) ? key : vb_fold(r, key);
        if (i == 0 || vb_value_order(r, key, best_key) == wanted) {
            best = i;
            best_key = key;
        }
    }
    return n && !r->err ? all[best] : vb_undefined("the extreme of nothing");
}

FILTER(smallest) {
    (void)args;
    return extreme(r, input, v, -1);
}

FILTER(largest) {
    (void)args;
    return extreme(r, input, v, 1);
}

/* sum(attribute=none, start=0) */
FILTER(sum) {
    const vb_value *all;
    size_t n;
    vb_value total = v[1].kind == VB_VALUE_MISSING ? vb_integer(0) : v[1];
    (void)args;
    if (!vb_value_iterate(r, input, &all, &n)) {
        return input;
    }
    if (total.kind == VB_VALUE_STRING) {
        return vb_render_fail(r, VB_EINVAL, "sum: strings are joined, not summed");
    }
    for (size_t i = 0; i < n && vb_render_step(r, 1); i++) {
        total = vb_arithmetic(r, VB_OP_ADD, total, at_path(r, all[i], v[0], absent));
    }
    return total;
}

/* batch(linecount, fill_with=none) */
FILTER(batch) {
    const vb_value *all;
    size_t n;
    collector rows = {.r = r};
    const int64_t size = vb_integer_argument(r, v[0], 1, "the size of batch");
    (void)args;
    if (size < 1) {
        return vb_render_fail(r, VB_EINVAL, "batch: expected a size of at least 1");
    }
    if (!vb_value_iterate(r, input, &all, &n)) {
        return input;
    }
    for (size_t i = 0; i < n && !r->err;) {
        collector row = {.r = r};
        for (; i < n && row.n < (size_t)size && !r->err; i++) {
            collect(&row, all[i]);
        }
        const bool fill = v[1].kind != VB_VALUE_MISSING && v[1].kind != VB_VALUE_NONE;
        while (fill && row.n < (size_t)size && vb_render_step(r, 1)) {
            collect(&row, v[1]);
        }
        collect(&rows, collected(&row, VB_VALUE_LIST, NULL));
    }
    return collected(&rows, VB_VALUE_ITERATOR, "generator");
}

/* slice(slices, fill_with=none): so many rows of nearly the same length */
FILTER(slice) {
    const vb_value *all;
    size_t n, at = 0;
    collector rows = {.r = r};
    const int64_t slices = vb_integer_argument(r, v[0], 1, "the number of slice");
    (void)args;
    if (slices < 1) {
        return vb_render_fail(r, VB_EINVAL, "slice: expected at least 1");
    }
    if (!vb_value_iterate(r, input, &all, &n)) {
        return input;
    }
    const size_t each = n / (size_t)slices, longer = n % (size_t)slices;
    for (int64_t k = 0; k < slices && vb_render_step(r, 1); k++) {
        collector row = {.r = r};
        const bool is_long = (size_t)k < longer;
        for (size_t i = 0; i < each + is_long && !r->err; i++) {
            collect(&row, all[at++]);
        }
        if (!is_long && v[1].kind != VB_VALUE_MISSING && v[1].kind != VB_VALUE_NONE) {
            collect(&row, v[1]);
        }
        collect(&rows, collected(&row, VB_VALUE_LIST, NULL));
    }
    return collected(&rows, VB_VALUE_ITERATOR, "generator");
}

/* groupby(attribute, default=none, case_sensitive=false) */
FILTER(group_by) {
    collector groups = {.r = r};
    const bool exact = vb_value_truth(r, v[2]);
    vb_value x = list_of(r, input);
    collector keys = {.r = r};
    (void)args;
    for (size_t i = 0; !r->err && i < x.as.items->n; i++) {
        vb_value key = at_path(r, x.as.items->v[i], v[0], v[1]);
        collect(&keys, exact ? key : vb_fold(r, key));
    }
    if (r->err) {
        return x;
    }
    vb_sort(r, keys.v, x.as.items->v, keys.n, false);
    for (size_t i = 0; i < keys.n && !r->err;) {
        collector group = {.r = r};
        const size_t begin = i;
        for (; i < keys.n && !r->err && vb_value_equal(r, keys.v[begin], keys.v[i]); i++) {
            collect(&group, x.as.items->v[i]);
        }
        vb_value key = at_path(r, x.as.items->v[begin], v[0], v[1]);
        vb_value both = pair(r, key, collected(&group, VB_VALUE_LIST, NULL));
        if (!r->err) {
            both.as.items->name = "_GroupTuple"; /* it has grouper and list as attributes */
        }
        collect(&groups, both);
    }
    return collected(&groups, VB_VALUE_LIST, NULL);
}

static vb_value *keyword(vb_args *args, const char *name) {
    for (size_t i = 0; i < args->n_keywords; i++) {
        if (strlen(name) == args->keywords[i].len &&
            memcmp(name, args->keywords[i].name, args->keywords[i].len) == 0) {
            return &args->keywords[i].value;
        }
    }
    return NULL;
}

/* map('filter', ...) or map(attribute='path', default=...) */
FILTER(map) {
    const vb_value *all, *path = keyword(args, "attribute"), *otherwise = keyword(args, "default");
    size_t n;
    collector x = {.r = r};
    (void)v;
    if (!vb_value_truth(r, input)) {
        return collected(&x, VB_VALUE_ITERATOR, "generator");
    }
    if (args->n == 0 && (!path || args->n_keywords != 1u + (otherwise != NULL))) {
        return vb_render_fail(r, VB_EINVAL, "map: expected the name of a filter, or attribute=");
    }
    if (!vb_value_iterate(r, input, &all, &n)) {
        return input;
    }
    for (size_t i = 0; i < n && vb_render_step(r, 1); i++) {
        if (args->n == 0) {
            collect(&x, at_path(r, all[i], *path, otherwise ? *otherwise : absent));
        } else {
            vb_args rest = *args;
            rest.v++;
            rest.n--;
            collect(&x, vb_invoke_named(r, false, args->v[0], all[i], &rest));
        }
    }
    return collected(&x, VB_VALUE_ITERATOR, "generator");
}

/* The items for which a test, or else their truth, is as wanted. */
static vb_value choose(vb_render *r, vb_value input, vb_args *args, bool by_attribute,
                       bool wanted) {
    const vb_value *all;
    size_t n;
    collector x = {.r = r};
    if (!vb_value_truth(r, input)) {
        return collected(&x, VB_VALUE_ITERATOR, "generator");
    }
    if (by_attribute && !args->n) {
        return vb_render_fail(r, VB_EINVAL, "expected the name of an attribute");
    }
    if (!vb_value_iterate(r, input, &all, &n)) {
        return input;
    }
    for (size_t i = 0; i < n && vb_render_step(r, 1); i++) {
        vb_value item = by_attribute ? at_path(r, all[i], args->v[0], absent) : all[i];
        vb_args rest = *args;
        if (by_attribute) {
            rest.v++;
            rest.n--;
        }
        if (rest.n) {
            vb_value test = *rest.v++;
            rest.n--;
            item = vb_invoke_named(r, true, test, item, &rest);
        }
        if (!r->err && vb_value_truth(r, item) == wanted) {
            collect(&x, all[i]);
        }
    }
    return collected(&x, VB_VALUE_ITERATOR, "generator");
}

FILTER(select_items) {
    (void)v;
    return choose(r, input, args, false, true);
}

FILTER(reject_items) {
    (void)v;
    return choose(r, input, args, false, false);
}

FILTER(select_attribute) {
    (void)v;
    return choose(r, input, args, true, true);
}

FILTER(reject_attribute) {
    (void)v;
    return choose(r, input, args, true, false);
}

const struct vb_filter vb_sequence_filters[] = {
    {"length", length, "", 0},
    {"count", length, "", 0},
    {"join", join, "d attribute", 0},
    {"first", first, "", 0},
    {"last", last, "", 0},
    {"list", list, "", 0},
    {"reverse", reverse, "", 0},
    {"items", items, "", 0},
    {"dictsort", dict_sort, "case_sensitive by reverse", 0},
    {"sort", sort, "reverse case_sensitive attribute", 0},
    {"unique", unique, "case_sensitive attribute", 0},
    {"min", smallest, "case_sensitive attribute", 0},
    {"max", largest, "case_sensitive attribute", 0},
    {"sum", sum, "attribute start", 0},
    {"batch", batch, "linecount fill_with", 1},
    {"slice", slice, "slices fill_with", 1},
    {"groupby", group_by, "attribute default case_sensitive", 1},
    {"map", map, VB_ANY_ARGUMENTS, 0},
    {"select", select_items, VB_ANY_ARGUMENTS, 0},
    {"reject", reject_items, VB_ANY_ARGUMENTS, 0},
    {"selectattr", select_attribute, VB_ANY_ARGUMENTS, 0},
    {"rejectattr", reject_attribute, VB_ANY_ARGUMENTS, 0},
    {"random", NULL, VB_ANY_ARGUMENTS, 0},
    {NULL, NULL, NULL, 0},
};
