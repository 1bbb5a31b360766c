/* Objects and arrays: from the keywords of a schema, or from a value that must be met. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/build.h"

/* A property on its way into an object, in the order of names. */
typedef struct draft_property {
    vb_literal name;
    vb_property p;
} draft_property;

typedef struct draft {
    uint32_t n;
    draft_property list[VB_GRAMMAR_PROPERTIES_MAX];
} draft;

/* The member as an entry, or `absent` when there is none. */
static vb_err member_slot(vb_build *b, uint32_t i, const char *name, uint32_t absent,
                          uint32_t *out) {
    const json_t *value = json_object_get(b->entries[i].json, name);
    *out = absent;
    return value ? vb_build_entry(b, value, false, vb_entry_path(b, i), name, out) : VB_OK;
}

static vb_err any_slot(vb_build *b, uint32_t i, uint32_t *out) {
    return vb_build_entry(b, json_true(), false, vb_entry_path(b, i), "", out);
}

/* The place of name in d: *at; true when it is there. */
static bool find(const vb_build *b, const draft *d, vb_literal name, uint32_t *at) {
    uint32_t low = 0, high = d->n;
    while (low < high) {
        const uint32_t mid = low + (high - low) / 2;
        const int c = vb_literal_compare(b->bytes.data, d->list[mid].name, name);
        if (c == 0) {
            *at = mid;
            return true;
        }
        low = c < 0 ? mid + 1 : low;
        high = c < 0 ? high : mid;
    }
    *at = low;
    return false;
}

static vb_err insert(vb_build *b, uint32_t i, draft *d, uint32_t at, vb_literal name, uint32_t slot,
                     bool required) {
    if (d->n == VB_GRAMMAR_PROPERTIES_MAX) {
        return vb_fail(b->e, VB_ELIMIT, "%s: more than %u properties", vb_entry_path(b, i),
                       VB_GRAMMAR_PROPERTIES_MAX);
    }
    memmove(&d->list[at + 1], &d->list[at], (d->n - at) * sizeof d->list[0]);
    d->list[at] = (draft_property){name, {slot, required}};
    d->n++;
    return VB_OK;
}

/* The members of `object` as properties: schemas, or values that must all be there. */
static vb_err add_members(vb_build *b, uint32_t i, const json_t *object, bool are_values,
                          draft *d) {
    char parent[VB_SCHEMA_PATH_BYTES];
    snprintf(parent, sizeof parent, "%s%s", vb_entry_path(b, i), are_values ? "" : ".properties");
    json_t *o = (json_t *)(uintptr_t)object;
    for (void *it = json_object_iter(o); it; it = json_object_iter_next(o, it)) {
        const char *key = json_object_iter_key(it);
        vb_literal name;
        uint32_t slot, at;
        vb_err err = vb_build_entry(b, json_object_iter_value(it), are_values, parent, key, &slot);
        if (err || (err = vb_build_name(b, key, json_object_iter_key_len(it), &name))) {
            return err;
        }
        const bool there = find(b, d, name, &at);
        VB_ASSERT(!there);
        if ((err = insert(b, i, d, at, name, slot, are_values))) {
            return err;
        }
    }
    return VB_OK;
}

/* A required name that is no property has the schema of additional ones. */
static vb_err add_required(vb_build *b, uint32_t i, uint32_t additional, draft *d) {
    const json_t *required = json_object_get(b->entries[i].json, "required");
    if (required && !json_is_array(required)) {
        return vb_fail(b->e, VB_EFORMAT, "%s.required: expected an array of names",
                       vb_entry_path(b, i));
    }
    for (size_t k = 0; k < json_array_size(required); k++) {
        const json_t *item = json_array_get(required, k);
        vb_literal name;
        uint32_t at;
        if (!json_is_string(item)) {
            return vb_fail(b->e, VB_EFORMAT, "%s.required[%zu]: expected a name",
                           vb_entry_path(b, i), k);
        }
        vb_err err = vb_build_json(b, item, &name);
        if (err) {
            return err;
        }
        if (!find(b, d, name, &at)) {
            err = insert(b, i, d, at, name, additional, true);
        } else if (d->list[at].p.required) {
            err = vb_fail(b->e, VB_EFORMAT, "%s.required[%zu]: a name that is listed before",
                          vb_entry_path(b, i), k);
        }
        if (err) {
            return err;
        }
        d->list[at].p.required = true;
    }
    return VB_OK;
}

static vb_err finish_object(vb_build *b, uint32_t i, const draft *d, uint32_t additional) {
    vb_grammar *g = b->g;
    const vb_node node = {.kind = VB_NODE_OBJECT,
                          .first = (uint32_t)g->n_properties,
                          .n = d->n,
                          .texts = (uint32_t)g->n_literals,
                          .n_texts = d->n,
                          .rest = additional};
    for (uint32_t k = 0; k < d->n; k++) {
        vb_err err = vb_build_grow(b, &g->properties, &b->cap_properties, g->n_properties,
                                   sizeof *g->properties, VB_GRAMMAR_LITERALS_MAX, "properties");
        if (err || (err = vb_build_grow(b, &g->literals, &b->cap_literals, g->n_literals,
                                        sizeof *g->literals, VB_GRAMMAR_LITERALS_MAX,
                                        "names and values"))) {
            return err;
        }
        g->properties[g->n_properties++] = d->list[k].p;
        g->literals[g->n_literals++] = d->list[k].name;
    }
    return vb_build_own_node(b, i, &node);
}

vb_err vb_build_object(vb_build *b, uint32_t i) {
    const json_t *properties = json_object_get(b->entries[i].json, "properties");
    if (properties && !json_is_object(properties)) {
        return vb_fail(b->e, VB_EFORMAT, "%s.properties: expected an object of schemas",
                       vb_entry_path(b, i));
    }
    uint32_t any, additional, unlisted;
    vb_err err = any_slot(b, i, &any);
    if (err ||
        (err = member_slot(b, i, "additionalProperties", properties ? VB_SLOT_NONE : any,
                           &additional)) ||
        (err = member_slot(b, i, "additionalProperties", any, &unlisted))) {
        return err;
    }
    draft *d = calloc(1, sizeof *d);
    if (!d) {
        return vb_fail(b->e, VB_ENOMEM, "%s: no memory for its properties", vb_entry_path(b, i));
    }
    if (properties) {
        err = add_members(b, i, properties, false, d);
    }
    if (!err && !(err = add_required(b, i, unlisted, d))) {
        err = finish_object(b, i, d, additional);
    }
    free(d);
    return err;
}

vb_err vb_build_object_value(vb_build *b, uint32_t i) {
    draft *d = calloc(1, sizeof *d);
    if (!d) {
        return vb_fail(b->e, VB_ENOMEM, "%s: no memory for its properties", vb_entry_path(b, i));
    }
    vb_err err = add_members(b, i, b->entries[i].json, true, d);
    if (!err) {
        err = finish_object(b, i, d, VB_SLOT_NONE);
    }
    free(d);
    return err;
}

vb_err vb_build_count(vb_build *b, uint32_t i, const char *name, uint32_t *out) {
    const json_t *value = json_object_get(b->entries[i].json, name);
    if (!value) {
        return VB_OK;
    }
    const double x = json_is_number(value) ? json_number_value(value) : -1;
    if (!(x >= 0 && x <= VB_GRAMMAR_COUNT_MAX) || x != (double)(uint32_t)x) {
        return vb_fail(b->e, VB_EFORMAT, "%s.%s: expected an integer from 0 to %u",
                       vb_entry_path(b, i), name, VB_GRAMMAR_COUNT_MAX);
    }
    *out = (uint32_t)x;
    return VB_OK;
}

/* The slots of the first elements, each from its own schema or value. */
static vb_err add_elements(vb_build *b, uint32_t i, const json_t *list, bool are_values,
                           vb_node *node) {
    vb_grammar *g = b->g;
    node->first = (uint32_t)g->n_elements;
    node->n = (uint32_t)json_array_size(list);
    for (size_t k = 0; k < json_array_size(list); k++) {
        char name[32];
        uint32_t slot;
        snprintf(name, sizeof name, are_values ? "[%zu]" : "prefixItems[%zu]", k);
        vb_err err = vb_build_entry(b, json_array_get(list, k), are_values, vb_entry_path(b, i),
                                    name, &slot);
        if (err || (err = vb_build_grow(b, &g->elements, &b->cap_elements, g->n_elements,
                                        sizeof slot, VB_GRAMMAR_LITERALS_MAX, "elements"))) {
            return err;
        }
        g->elements[g->n_elements++] = slot;
    }
    return VB_OK;
}

vb_err vb_build_array(vb_build *b, uint32_t i) {
    const json_t *schema = b->entries[i].json;
    const json_t *prefix = json_object_get(schema, "prefixItems");
    const json_t *unique = json_object_get(schema, "uniqueItems");
    vb_node node = {.kind = VB_NODE_ARRAY, .max = VB_COUNT_ANY};
    if (prefix && !json_array_size(prefix)) {
        return vb_fail(b->e, VB_EFORMAT,
                       "%s.prefixItems: expected an array of schemas, at least one",
                       vb_entry_path(b, i));
    }
    if (unique && !json_is_false(unique)) {
        return vb_fail(b->e, VB_EUNSUPPORTED, "%s.uniqueItems: only false is supported",
                       vb_entry_path(b, i));
    }
    uint32_t any;
    vb_err err = any_slot(b, i, &any);
    if (err || (err = member_slot(b, i, "items", prefix ? VB_SLOT_NONE : any, &node.rest)) ||
        (err = vb_build_count(b, i, "minItems", &node.min)) ||
        (err = vb_build_count(b, i, "maxItems", &node.max)) ||
        (err = add_elements(b, i, prefix, false, &node))) {
        return err;
    }
    return vb_build_own_node(b, i, &node);
}

vb_err vb_build_array_value(vb_build *b, uint32_t i) {
    const json_t *list = b->entries[i].json;
    vb_node node = {.kind = VB_NODE_ARRAY,
                    .rest = VB_SLOT_NONE,
                    .min = (uint32_t)json_array_size(list),
                    .max = (uint32_t)json_array_size(list)};
    vb_err err = add_elements(b, i, list, true, &node);
    return err ? err : vb_build_own_node(b, i, &node);
}
