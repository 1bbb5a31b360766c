/* Sequences, mappings, truth, equality, order, containment: as Python has them. */
#include "template/value.h"

#include <math.h>
#include <string.h>

#include "base/limits.h"

enum { SCAN_MAX = 8 };

vb_value vb_items_make(vb_render *r, vb_value_kind kind, size_t n) {
    vb_items *items = vb_render_take(r, 1, sizeof *items);
    vb_value *v = vb_render_take(r, n, sizeof *v);
    if (!items || !v || !vb_render_step(r, n / 4)) {
        return vb_undefined(NULL);
    }
    *items = (vb_items){.v = v, .n = n};
    return (vb_value){.kind = kind, .as.items = items};
}

vb_value vb_iterator(vb_render *r, const vb_value *v, size_t n, const char *name) {
    vb_value x = vb_items_make(r, VB_VALUE_ITERATOR, n);
    if (!r->err) {
        if (n) {
            memcpy(x.as.items->v, v, n * sizeof *v);
        }
        x.as.items->name = name;
    }
    return x;
}

const char *vb_value_type(vb_value v) {
    switch (v.kind) {
    case VB_VALUE_MISSING:
    case VB_VALUE_UNDEFINED: return "Undefined";
    case VB_VALUE_NONE: return "NoneType";
    case VB_VALUE_BOOL: return "bool";
    case VB_VALUE_INTEGER: return "int";
    case VB_VALUE_FLOAT: return "float";
    case VB_VALUE_STRING: return v.as.string->safe ? "Markup" : "str";
    case VB_VALUE_LIST: return "list";
    case VB_VALUE_TUPLE: return "tuple";
    case VB_VALUE_RANGE: return "range";
    case VB_VALUE_VIEW:
    case VB_VALUE_ITERATOR: return v.as.items->name;
    case VB_VALUE_DICT: return "dict";
    case VB_VALUE_NAMESPACE: return "Namespace";
    case VB_VALUE_FUNCTION: return "function";
    case VB_VALUE_METHOD: return "method";
    case VB_VALUE_MACRO: return "Macro";
    case VB_VALUE_LOOP: return "LoopContext";
    case VB_VALUE_CYCLER: return "Cycler";
    case VB_VALUE_JOINER: return "Joiner";
    }
    return "object";
}

static bool chars_of(vb_render *r, const vb_string *s, const vb_value **items, size_t *n) {
    const size_t n_chars = vb_string_chars(s);
    if (!vb_render_step(r, n_chars)) {
        return false;
    }
    vb_value *v = vb_render_take(r, n_chars, sizeof *v);
    for (size_t i = 0, k = 0; v && i < s->len; k++) {
        const size_t len = vb_char_bytes(s, i);
        v[k] = vb_string_part(r, s, i, len);
        v[k].as.string = r->err ? NULL : v[k].as.string;
        i += len;
    }
    *items = v;
    *n = n_chars;
    return !r->err;
}

static bool keys_of(vb_render *r, const vb_dict *d, const vb_value **items, size_t *n) {
    vb_value *v = vb_render_take(r, d->n, sizeof *v);
    for (size_t i = 0; v && i < d->n; i++) {
        v[i] = d->entries[i].key;
    }
    *items = v;
    *n = d->n;
    return !r->err;
}

bool vb_value_iterate(vb_render *r, vb_value v, const vb_value **items, size_t *n) {
    *items = NULL;
    *n = 0;
    if (r->err) {
        return false;
    }
    switch (v.kind) {
    case VB_VALUE_UNDEFINED: return true;
    case VB_VALUE_STRING: return chars_of(r, v.as.string, items, n);
    case VB_VALUE_DICT: return keys_of(r, v.as.dict, items, n);
    case VB_VALUE_LIST:
    case VB_VALUE_TUPLE:
    case VB_VALUE_RANGE:
    case VB_VALUE_VIEW:
        *items = v.as.items->v;
        *n = v.as.items->n;
        return true;
    case VB_VALUE_ITERATOR:
        *items = v.as.items->v + v.as.items->taken;
        *n = v.as.items->n - v.as.items->taken;
        v.as.items->taken = v.as.items->n;
        return true;
    case VB_VALUE_LOOP:
        vb_render_fail(r, VB_EUNSUPPORTED, "going through a loop's own items is not supported");
        return false;
    default:
        vb_render_fail(r, VB_EINVAL, "expected something to go through, not %s", vb_value_type(v));
        return false;
    }
}

vb_value vb_dict_make(vb_render *r) {
    vb_dict *d = vb_render_take(r, 1, sizeof *d);
    if (!d) {
        return vb_undefined(NULL);
    }
    *d = (vb_dict){0};
    return (vb_value){.kind = VB_VALUE_DICT, .as.dict = d};
}

static uint64_t mix(uint64_t h, uint64_t x) {
    h = (h ^ x) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

/* Equal values have equal hashes; false for what Python can not hash. */
static bool hash_of(vb_render *r, vb_value v, uint64_t *h) {
    int64_t i;
    *h = mix(*h, 1);
    if (vb_value_is_integer(v, &i)) {
        *h = mix(*h, (uint64_t)i);
        return true;
    }
    switch (v.kind) {
    case VB_VALUE_NONE: return true;
    case VB_VALUE_FLOAT:
        if (v.as.real >= -0x1p62 && v.as.real <= 0x1p62 && v.as.real == floor(v.as.real)) {
            *h = mix(*h, (uint64_t)(int64_t)v.as.real);
        } else {
            uint64_t bits;
            memcpy(&bits, &v.as.real, sizeof bits);
            *h = mix(*h, bits);
        }
        return true;
    case VB_VALUE_STRING:
        for (size_t k = 0; k < v.as.string->len; k++) {
            *h = (*h ^ (uint8_t)v.as.string->p[k]) * 0x100000001b3u;
        }
        *h = mix(*h, v.as.string->len);
        return vb_render_step(r, v.as.string->len / 64);
    case VB_VALUE_TUPLE:
        for (size_t k = 0; k < v.as.items->n; k++) {
            if (!vb_render_enter(r)) {
                return false;
            }
            bool fine = hash_of(r, v.as.items->v[k], h);
            vb_render_leave(r);
            if (!fine) {
                return false;
            }
        }
        return true;
    case VB_VALUE_LIST:
    case VB_VALUE_DICT:
    case VB_VALUE_VIEW: return false;
    default: return true; /* equal to itself only: found by comparing */
    }
}

static bool key_hash(vb_render *r, vb_value key, uint64_t *h) {
    *h = 14695981039346656037u;
    if (hash_of(r, key, h)) {
        return true;
    }
    vb_render_fail(r, VB_EINVAL, "a %s can not be the key of a mapping", vb_value_type(key));
    return false;
}

/* The entry of key, or d->n. *slot: where it is or belongs, when there are slots. */
static size_t dict_search(vb_render *r, const vb_dict *d, vb_value key, size_t *slot) {
    uint64_t h;
    if (!d->n_slots) {
        for (size_t i = 0; i < d->n; i++) {
            if (vb_value_equal(r, d->entries[i].key, key)) {
                return i;
            }
        }
        return d->n;
    }
    if (!key_hash(r, key, &h)) {
        return d->n;
    }
    size_t i = (size_t)h & (d->n_slots - 1);
    for (; d->slots[i]; i = (i + 1) & (d->n_slots - 1)) {
        if (!vb_render_step(r, 1) || vb_value_equal(r, d->entries[d->slots[i] - 1].key, key)) {
            *slot = i;
            return d->slots[i] - 1;
        }
    }
    *slot = i;
    return d->n;
}

static bool dict_reserve(vb_render *r, vb_dict *d) {
    if (d->n < d->cap) {
        return true;
    }
    const size_t cap = d->cap ? 2 * d->cap : 4;
    vb_entry *entries = vb_render_take(r, cap, sizeof *entries);
    if (!entries) {
        return false;
    }
    if (d->n) {
        memcpy(entries, d->entries, d->n * sizeof *entries);
    }
    if (cap > SCAN_MAX) {
        const size_t n_slots = 4 * cap;
        uint32_t *slots = vb_render_take(r, n_slots, sizeof *slots);
        if (!slots || cap > UINT32_MAX / 4) {
            return false;
        }
        memset(slots, 0, n_slots * sizeof *slots);
        d->slots = slots;
        d->n_slots = n_slots;
        for (size_t i = 0; i < d->n; i++) {
            uint64_t h;
            if (!key_hash(r, entries[i].key, &h)) {
                return false;
            }
            size_t at = (size_t)h & (n_slots - 1);
            while (slots[at]) {
                at = (at + 1) & (n_slots - 1);
            }
            slots[at] = (uint32_t)i + 1;
        }
    }
    d->entries = entries;
    d->cap = cap;
    return true;
}

void vb_dict_set(vb_render *r, vb_dict *d, vb_value key, vb_value value) {
    size_t slot = 0;
    uint64_t h;
    if (r->err || !key_hash(r, key, &h) || !dict_reserve(r, d)) {
        return;
    }
    const size_t i = dict_search(r, d, key, &slot);
    if (r->err) {
        return;
    }
    if (i < d->n) {
        d->entries[i].value = value;
        return;
    }
    d->entries[d->n++] = (vb_entry){key, value};
    if (d->n_slots) {
        d->slots[slot] = (uint32_t)d->n;
    }
}

const vb_value *vb_dict_get(vb_render *r, const vb_dict *d, vb_value key) {
    size_t slot;
    uint64_t h;
    if (r->err || !key_hash(r, key, &h)) {
        return NULL;
    }
    const size_t i = dict_search(r, d, key, &slot);
    return i < d->n && !r->err ? &d->entries[i].value : NULL;
}

const vb_value *vb_dict_get_text(vb_render *r, const vb_dict *d, const char *p, size_t len) {
    const vb_string s = {.p = p, .len = len};
    return vb_dict_get(r, d, (vb_value){.kind = VB_VALUE_STRING, .as.string = &s});
}

bool vb_value_is_integer(vb_value v, int64_t *out) {
    if (v.kind == VB_VALUE_INTEGER) {
        *out = v.as.integer;
        return true;
    }
    if (v.kind == VB_VALUE_BOOL) {
        *out = v.as.boolean;
        return true;
    }
    return false;
}

bool vb_value_is_number(vb_value v) {
    int64_t i;
    return v.kind == VB_VALUE_FLOAT || vb_value_is_integer(v, &i);
}

double vb_value_real(vb_value v) {
    int64_t i = 0;
    return v.kind == VB_VALUE_FLOAT ? v.as.real : vb_value_is_integer(v, &i) ? (double)i : 0;
}

bool vb_value_length(vb_render *r, vb_value v, size_t *n) {
    switch (v.kind) {
    case VB_VALUE_UNDEFINED: *n = 0; return true;
    case VB_VALUE_STRING:
        *n = vb_string_chars(v.as.string);
        return vb_render_step(r, v.as.string->len / 64) || true;
    case VB_VALUE_LIST:
    case VB_VALUE_TUPLE:
    case VB_VALUE_RANGE:
    case VB_VALUE_VIEW: *n = v.as.items->n; return true;
    case VB_VALUE_DICT: *n = v.as.dict->n; return true;
    case VB_VALUE_LOOP: *n = v.as.loop->n; return true;
    default: return false;
    }
}

bool vb_value_truth(vb_render *r, vb_value v) {
    size_t n;
    switch (v.kind) {
    case VB_VALUE_MISSING:
    case VB_VALUE_NONE: return false;
    case VB_VALUE_BOOL: return v.as.boolean;
    case VB_VALUE_INTEGER: return v.as.integer != 0;
    case VB_VALUE_FLOAT: return v.as.real != 0;
    case VB_VALUE_STRING: return v.as.string->len != 0;
    default: return !vb_value_length(r, v, &n) || n != 0;
    }
}

/* An integer and a double as exact numbers: long double holds both. */
static int order_numbers(vb_value a, vb_value b) {
    int64_t i, j;
    if (vb_value_is_integer(a, &i) && vb_value_is_integer(b, &j)) {
        return i < j ? -1 : i > j;
    }
    const long double x = vb_value_is_integer(a, &i) ? (long double)i : (long double)a.as.real;
    const long double y = vb_value_is_integer(b, &j) ? (long double)j : (long double)b.as.real;
    return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2; /* 2: a NaN is in no order */
}

static bool equal_items(vb_render *r, const vb_items *a, const vb_items *b) {
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++) {
        same = vb_value_equal(r, a->v[i], b->v[i]);
    }
    return same;
}

static bool equal_dicts(vb_render *r, const vb_dict *a, const vb_dict *b) {
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++) {
        const vb_value *other = vb_dict_get(r, b, a->entries[i].key);
        same = other && vb_value_equal(r, a->entries[i].value, *other);
    }
    return same;
}

bool vb_value_equal(vb_render *r, vb_value a, vb_value b) {
    if (vb_value_is_number(a) && vb_value_is_number(b)) {
        return vb_render_step(r, 1) && order_numbers(a, b) == 0;
    }
    if (a.kind != b.kind || !vb_render_enter(r)) {
        return false;
    }
    bool same = false;
    switch (a.kind) {
    case VB_VALUE_UNDEFINED:
    case VB_VALUE_MISSING:
    case VB_VALUE_NONE: same = true; break;
    case VB_VALUE_STRING:
        same =
            vb_string_equal(a.as.string, b.as.string) && vb_render_step(r, a.as.string->len / 64);
        break;
    case VB_VALUE_LIST:
    case VB_VALUE_TUPLE:
    case VB_VALUE_RANGE: same = equal_items(r, a.as.items, b.as.items); break;
    case VB_VALUE_DICT: same = equal_dicts(r, a.as.dict, b.as.dict); break;
    case VB_VALUE_FUNCTION: same = a.as.function == b.as.function; break;
    case VB_VALUE_MACRO: same = a.as.macro == b.as.macro; break;
    case VB_VALUE_VIEW:
        vb_render_fail(r, VB_EUNSUPPORTED, "comparing %s is not supported", vb_value_type(a));
        break;
    default: same = a.as.items == b.as.items; break;
    }
    vb_render_leave(r);
    return same;
}

static int order_items(vb_render *r, const vb_items *a, const vb_items *b) {
    for (size_t i = 0; i < a->n && i < b->n && !r->err; i++) {
        if (!vb_value_equal(r, a->v[i], b->v[i])) {
            return vb_value_order(r, a->v[i], b->v[i]);
        }
    }
    return a->n < b->n ? -1 : a->n > b->n;
}

int vb_value_order(vb_render *r, vb_value a, vb_value b) {
    int order = 0;
    if (vb_value_is_number(a) && vb_value_is_number(b)) {
        (void)vb_render_step(r, 1);
        return order_numbers(a, b);
    }
    if (!vb_render_enter(r)) {
        return 0;
    }
    if (a.kind == b.kind && a.kind == VB_VALUE_STRING) {
        const vb_string *s = a.as.string, *t = b.as.string;
        const size_t n = s->len < t->len ? s->len : t->len;
        order = memcmp(s->p, t->p, n); /* UTF-8 sorts as its code points do */
        order = order ? (order < 0 ? -1 : 1) : s->len < t->len ? -1 : s->len > t->len;
        (void)vb_render_step(r, n / 64);
    } else if (a.kind == b.kind && (a.kind == VB_VALUE_LIST || a.kind == VB_VALUE_TUPLE)) {
        order = order_items(r, a.as.items, b.as.items);
    } else {
        vb_render_fail(r, VB_EINVAL, "there is no order between %s and %s", vb_value_type(a),
                       vb_value_type(b));
    }
    vb_render_leave(r);
    return order;
}

bool vb_value_contains(vb_render *r, vb_value container, vb_value item) {
    const vb_value *v;
    size_t n;
    if (vb_is(container, VB_VALUE_STRING)) {
        if (!vb_is(item, VB_VALUE_STRING)) {
            vb_render_fail(r, VB_EINVAL, "expected a string to look for in a string, not %s",
                           vb_value_type(item));
            return false;
        }
        return vb_string_find(r, container.as.string, item.as.string, 0) != SIZE_MAX;
    }
    if (vb_is(container, VB_VALUE_DICT)) {
        return vb_dict_get(r, container.as.dict, item) != NULL;
    }
    if (!vb_value_iterate(r, container, &v, &n)) {
        return false;
    }
    for (size_t i = 0; i < n && !r->err; i++) {
        if (vb_value_equal(r, v[i], item)) {
            return true;
        }
    }
    return false;
}

typedef struct sorter {
    vb_render *r;
    vb_value *keys, *items, *other_keys, *other_items;
    bool reverse;
} sorter;

/* Merges [from, middle) and [middle, to) of the arrays into the others. */
static void merge(sorter *s, size_t from, size_t middle, size_t to) {
    size_t a = from, b = middle;
    for (size_t i = from; i < to; i++) {
        bool left = b == to;
        if (!left && a < middle) {
            int order = vb_value_order(s->r, s->keys[b], s->keys[a]);
            left = s->reverse ? order <= 0 : order >= 0;
        }
        const size_t from_index = left ? a++ : b++;
        s->other_keys[i] = s->keys[from_index];
        s->other_items[i] = s->items[from_index];
    }
}

void vb_sort(vb_render *r, vb_value *keys, vb_value *items, size_t n, bool reverse) {
    sorter s = {r,
                keys,
                items,
                vb_render_take(r, n, sizeof *keys),
                vb_render_take(r, n, sizeof *items),
                reverse};
    for (size_t width = 1; width < n && !r->err; width *= 2) {
        for (size_t from = 0; from < n; from += 2 * width) {
            const size_t middle = n - from > width ? from + width : n;
            merge(&s, from, middle, n - middle > width ? middle + width : n);
        }
        vb_value *keys_now = s.other_keys, *items_now = s.other_items;
        s.other_keys = s.keys;
        s.other_items = s.items;
        s.keys = keys_now;
        s.items = items_now;
    }
    if (!r->err && n && s.keys != keys) {
        memcpy(keys, s.keys, n * sizeof *keys);
        memcpy(items, s.items, n * sizeof *items);
    }
}
