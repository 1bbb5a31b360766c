/*
 * The keywords of JSON Schema that a constraint may have (spec/constraints.md section 4). Whatever
 * is not in the tables below is refused by name, so that no text is said to satisfy a keyword that
 * nobody looked at.
 */
#include <stdio.h>
#include <string.h>

#include "grammar/build.h"
#include "json/json.h"

/* What a keyword belongs to. */
enum {
    NOTE = 1,        /* says nothing about values */
    AT_ROOT = 2,     /* likewise, but only where references begin */
    COMBINATION = 4, /* another schema, or one of several, instead */
    VALUES = 8,      /* const, enum */
    TYPE = 16,
    OF_OBJECT = 32,
    OF_ARRAY = 64,
    OF_STRING = 128
};

static const struct keyword {
    const char *name;
    int group;
} keywords[] = {
    {"title", NOTE},
    {"description", NOTE},
    {"default", NOTE},
    {"examples", NOTE},
    {"deprecated", NOTE},
    {"readOnly", NOTE},
    {"writeOnly", NOTE},
    {"$comment", NOTE},
    {"$schema", AT_ROOT},
    {"$id", AT_ROOT},
    {"$defs", AT_ROOT},
    {"definitions", AT_ROOT},
    {"$ref", COMBINATION},
    {"anyOf", COMBINATION},
    {"oneOf", COMBINATION},
    {"allOf", COMBINATION},
    {"const", VALUES},
    {"enum", VALUES},
    {"type", TYPE},
    {"properties", OF_OBJECT},
    {"required", OF_OBJECT},
    {"additionalProperties", OF_OBJECT},
    {"items", OF_ARRAY},
    {"prefixItems", OF_ARRAY},
    {"minItems", OF_ARRAY},
    {"maxItems", OF_ARRAY},
    {"uniqueItems", OF_ARRAY},
    {"minLength", OF_STRING},
    {"maxLength", OF_STRING},
};

enum {
    IS_NULL = 1,
    IS_BOOLEAN = 2,
    IS_OBJECT = 4,
    IS_ARRAY = 8,
    IS_INTEGER = 16,
    IS_NUMBER = 32,
    IS_STRING = 64,
    IS_ANY = 127
};

static const struct type {
    const char *name;
    int bit;
} types[] = {{"null", IS_NULL},    {"boolean", IS_BOOLEAN}, {"object", IS_OBJECT},
             {"array", IS_ARRAY},  {"integer", IS_INTEGER}, {"number", IS_NUMBER},
             {"string", IS_STRING}};

static int group_of(const char *name) {
    for (size_t k = 0; k < sizeof keywords / sizeof keywords[0]; k++) {
        if (strcmp(keywords[k].name, name) == 0) {
            return keywords[k].group;
        }
    }
    return 0;
}

/* Of these groups, the keyword that the schema has; NULL: none. */
static const char *one_of_groups(const json_t *schema, int groups) {
    for (size_t k = 0; k < sizeof keywords / sizeof keywords[0]; k++) {
        if ((keywords[k].group & groups) && json_object_get(schema, keywords[k].name)) {
            return keywords[k].name;
        }
    }
    return NULL;
}

static vb_err refuse(vb_build *b, uint32_t i, const char *keyword, const char *why) {
    return vb_fail(b->e, VB_EUNSUPPORTED, "%s.%s: %s", vb_entry_path(b, i), keyword, why);
}

static vb_err malformed(vb_build *b, uint32_t i, const char *keyword, const char *expected) {
    return vb_fail(b->e, VB_EFORMAT, "%s.%s: expected %s", vb_entry_path(b, i), keyword, expected);
}

/* The groups of all keywords that the schema has. */
static vb_err look_at_keywords(vb_build *b, uint32_t i, int *groups) {
    const json_t *schema = b->entries[i].json;
    const char *name;
    json_t *value;
    *groups = 0;
    json_object_foreach((json_t *)(uintptr_t)schema, name, value) {
        const int group = group_of(name);
        if (!group) {
            return refuse(b, i, name, "this keyword is not supported");
        }
        if (group == AT_ROOT && schema != b->root) {
            return refuse(b, i, name, "supported only at the root of the schema");
        }
        *groups |= group;
    }
    return VB_OK;
}

static vb_err only_beside(vb_build *b, uint32_t i, const char *keyword, int groups) {
    const char *other = one_of_groups(b->entries[i].json, groups);
    if (!other || strcmp(other, keyword) == 0) {
        return VB_OK;
    }
    char why[96];
    snprintf(why, sizeof why, "not supported beside %s", keyword);
    return refuse(b, i, other, why);
}

/* ---- references and alternatives ---- */

/* Undoes a JSON pointer's ~0 and ~1. */
static bool pointer_name(const char *p, char *out, size_t max) {
    size_t n = 0;
    for (; *p; p++) {
        char c = *p;
        if (c == '~') {
            c = p[1] == '0' ? '~' : '/';
            if (p[1] != '0' && p[1] != '1') {
                return false;
            }
            p++;
        }
        if (c == '%' || *p == '/' || n + 1 >= max) {
            return false;
        }
        out[n++] = c;
    }
    out[n] = 0;
    return true;
}

static vb_err reference(vb_build *b, uint32_t i, const json_t *value) {
    static const char *const homes[] = {"$defs", "definitions"};
    const char *text = json_string_value(value);
    if (!text) {
        return malformed(b, i, "$ref", "a string");
    }
    uint32_t to;
    vb_err err;
    if (vb_json_is(value, "#")) {
        err = vb_build_entry(b, b->root, false, "schema", "", &to);
        return err ? err : vb_build_edge(b, i, to);
    }
    for (size_t h = 0; h < 2; h++) {
        char start[16], name[512], parent[32];
        const int n = snprintf(start, sizeof start, "#/%s/", homes[h]);
        if (strncmp(text, start, (size_t)n) != 0 || strlen(text) != json_string_length(value) ||
            !pointer_name(text + n, name, sizeof name)) {
            continue;
        }
        const json_t *target = json_object_get(json_object_get(b->root, homes[h]), name);
        if (!target) {
            return vb_fail(b->e, VB_EFORMAT, "%s.$ref: %s is not in the schema",
                           vb_entry_path(b, i), text);
        }
        snprintf(parent, sizeof parent, "schema.%s", homes[h]);
        err = vb_build_entry(b, target, false, parent, name, &to);
        return err ? err : vb_build_edge(b, i, to);
    }
    return refuse(b, i, "$ref", "only #, #/$defs/NAME and #/definitions/NAME are supported");
}

static vb_err alternatives(vb_build *b, uint32_t i, const char *keyword, const json_t *list) {
    const size_t n = json_array_size(list);
    if (!n) {
        return malformed(b, i, keyword, "an array of schemas, at least one");
    }
    if (n > 1 && strcmp(keyword, "allOf") == 0) {
        return refuse(b, i, keyword, "only one schema is supported in it");
    }
    for (size_t k = 0; k < n; k++) {
        char name[32];
        uint32_t to;
        snprintf(name, sizeof name, "%s[%zu]", keyword, k);
        vb_err err =
            vb_build_entry(b, json_array_get(list, k), false, vb_entry_path(b, i), name, &to);
        if (err || (err = vb_build_edge(b, i, to))) {
            return err;
        }
    }
    return VB_OK;
}

static vb_err combination(vb_build *b, uint32_t i) {
    const json_t *schema = b->entries[i].json;
    const char *keyword = one_of_groups(schema, COMBINATION);
    const json_t *value = json_object_get(schema, keyword);
    for (size_t k = 0; k < sizeof keywords / sizeof keywords[0]; k++) {
        const char *other = keywords[k].name;
        if (keywords[k].group == COMBINATION && strcmp(other, keyword) != 0 &&
            json_object_get(schema, other)) {
            return refuse(b, i, other, "not supported beside another of $ref, anyOf, oneOf, allOf");
        }
    }
    vb_err err = only_beside(b, i, keyword, VALUES | TYPE | OF_OBJECT | OF_ARRAY | OF_STRING);
    if (err) {
        return err;
    }
    return strcmp(keyword, "$ref") == 0 ? reference(b, i, value)
                                        : alternatives(b, i, keyword, value);
}

/* ---- types and values ---- */

static int type_bit(const json_t *name) {
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        if (vb_json_is(name, types[t].name)) {
            return types[t].bit;
        }
    }
    return 0;
}

/* `type` as bits; without it, 0. */
static vb_err read_types(vb_build *b, uint32_t i, int *bits) {
    const json_t *value = json_object_get(b->entries[i].json, "type");
    *bits = 0;
    if (!value) {
        return VB_OK;
    }
    const size_t n = json_is_array(value) ? json_array_size(value) : 1;
    for (size_t k = 0; k < n; k++) {
        const int bit = type_bit(json_is_array(value) ? json_array_get(value, k) : value);
        if (!bit || (*bits & bit)) {
            *bits = 0;
            break;
        }
        *bits |= bit;
    }
    return *bits ? VB_OK
                 : malformed(b, i, "type",
                             "null, boolean, object, array, integer, number or string, or an array "
                             "of different ones");
}

static int types_of_value(const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT: return IS_OBJECT;
    case JSON_ARRAY: return IS_ARRAY;
    case JSON_STRING: return IS_STRING;
    case JSON_INTEGER: return IS_INTEGER | IS_NUMBER;
    case JSON_REAL: {
        /* 1.0 is an integer too, and so is all that is too large for a fraction. */
        const double x = json_real_value(value);
        const bool whole = !(x > -0x1p53 && x < 0x1p53) || (double)(json_int_t)x == x;
        return whole ? IS_INTEGER | IS_NUMBER : IS_NUMBER;
    }
    case JSON_TRUE:
    case JSON_FALSE: return IS_BOOLEAN;
    case JSON_NULL: return IS_NULL;
    }
    return 0;
}

/* One value that entry i may be. */
static vb_err add_value(vb_build *b, uint32_t i, const json_t *value, const char *name) {
    if (!json_is_object(value) && !json_is_array(value)) {
        return vb_build_own_literal(b, i, value);
    }
    uint32_t to;
    vb_err err = vb_build_entry(b, value, true, vb_entry_path(b, i), name, &to);
    return err ? err : vb_build_edge(b, i, to);
}

static vb_err values(vb_build *b, uint32_t i) {
    const json_t *schema = b->entries[i].json;
    const json_t *constant = json_object_get(schema, "const");
    const json_t *list = json_object_get(schema, "enum");
    int bits;
    vb_err err = constant && list ? refuse(b, i, "enum", "not supported beside const") : VB_OK;
    if (err ||
        (err = only_beside(b, i, constant ? "const" : "enum", OF_OBJECT | OF_ARRAY | OF_STRING)) ||
        (err = read_types(b, i, &bits))) {
        return err;
    }
    if (list && !json_array_size(list)) {
        return malformed(b, i, "enum", "an array of values, at least one");
    }
    const size_t n = list ? json_array_size(list) : 1;
    for (size_t k = 0; k < n && !err; k++) {
        const json_t *value = list ? json_array_get(list, k) : constant;
        char name[32] = "const";
        if (list) {
            snprintf(name, sizeof name, "enum[%zu]", k);
        }
        if (!bits || (bits & types_of_value(value))) {
            err = add_value(b, i, value, name);
        }
    }
    return err;
}

static vb_err string_node(vb_build *b, uint32_t i) {
    vb_node node = {.kind = VB_NODE_STRING, .max = VB_COUNT_ANY};
    vb_err err = VB_OK;
    if (json_is_object(b->entries[i].json) &&
        ((err = vb_build_count(b, i, "minLength", &node.min)) ||
         (err = vb_build_count(b, i, "maxLength", &node.max)))) {
        return err;
    }
    return vb_build_own_node(b, i, &node);
}

/* The nodes of every type in bits, with the keywords that the schema has for it. */
static vb_err nodes_of_types(vb_build *b, uint32_t i, int bits) {
    vb_err err = VB_OK;
    if (bits & IS_OBJECT) {
        err = vb_build_object(b, i);
    }
    if (!err && (bits & IS_ARRAY)) {
        err = vb_build_array(b, i);
    }
    if (!err && (bits & IS_STRING)) {
        err = string_node(b, i);
    }
    if (!err && (bits & (IS_NUMBER | IS_INTEGER))) {
        err = vb_build_own_node(b, i,
                                &(vb_node){.kind = VB_NODE_NUMBER, .integer = !(bits & IS_NUMBER)});
    }
    if (!err && (bits & IS_BOOLEAN)) {
        err = vb_build_own_literal(b, i, json_true());
        err = err ? err : vb_build_own_literal(b, i, json_false());
    }
    if (!err && (bits & IS_NULL)) {
        err = vb_build_own_literal(b, i, json_null());
    }
    return err;
}

static vb_err by_type(vb_build *b, uint32_t i, int groups) {
    static const struct {
        int group, bit;
    } of[] = {{OF_OBJECT, IS_OBJECT}, {OF_ARRAY, IS_ARRAY}, {OF_STRING, IS_STRING}};
    int bits, implied = 0;
    vb_err err = read_types(b, i, &bits);
    for (size_t k = 0; k < 3 && !err; k++) {
        if (!(groups & of[k].group)) {
            continue;
        }
        implied |= of[k].bit;
        if (bits && !(bits & of[k].bit)) {
            err = refuse(b, i, one_of_groups(b->entries[i].json, of[k].group),
                         "type does not name the type that this keyword is for");
        }
    }
    if (err) {
        return err;
    }
    if (!bits && !implied) {
        uint32_t any;
        err = vb_build_entry(b, json_true(), false, vb_entry_path(b, i), "", &any);
        return err ? err : vb_build_edge(b, i, any);
    }
    return nodes_of_types(b, i, bits ? bits : implied);
}

static vb_err build_schema(vb_build *b, uint32_t i) {
    const json_t *schema = b->entries[i].json;
    if (json_is_boolean(schema)) {
        return json_is_true(schema) ? nodes_of_types(b, i, IS_ANY) : VB_OK;
    }
    if (!json_is_object(schema)) {
        return vb_fail(b->e, VB_EFORMAT, "%s: expected a schema: an object, true or false",
                       vb_entry_path(b, i));
    }
    int groups;
    vb_err err = look_at_keywords(b, i, &groups);
    if (err) {
        return err;
    }
    if (groups & COMBINATION) {
        return combination(b, i);
    }
    return groups & VALUES ? values(b, i) : by_type(b, i, groups);
}

static vb_err build_value(vb_build *b, uint32_t i) {
    const json_t *value = b->entries[i].json;
    if (json_is_object(value)) {
        return vb_build_object_value(b, i);
    }
    return json_is_array(value) ? vb_build_array_value(b, i) : vb_build_own_literal(b, i, value);
}

vb_err vb_build_schemas(vb_build *b) {
    uint32_t first;
    vb_err err = vb_build_entry(b, b->root, false, "schema", "", &first);
    for (uint32_t i = 0; i < b->n_entries && !err; i++) {
        err = b->entries[i].is_value ? build_value(b, i) : build_schema(b, i);
    }
    return err;
}
