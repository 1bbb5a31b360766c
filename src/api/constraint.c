/*
 * The schema for tool_choice required has the parameters of tool i as the definition "i", and their
 * own definitions as "i.$defs.NAME": references point there, and the paths of errors read back.
 */
#include "api/constraint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/jcs.h"

enum { NAME_BYTES = 512, BASE_BYTES = 64 };

static const char *const definitions[] = {"$defs", "definitions"};

static vb_err starve(vb_api_error *e) {
    vb_api_error_of(VB_ENOMEM, NULL, e);
    return VB_ENOMEM;
}

static const json_t *function_of(const json_t *tool) {
    return json_object_get(tool, "function");
}

/* Where the tool stands that tool_choice names. */
static size_t named_tool(const vb_api_request *q) {
    size_t i = 0;
    while (
        strcmp(json_string_value(json_object_get(function_of(json_array_get(q->tools, i)), "name")),
               q->tool_name) != 0) {
        i++;
    }
    return i;
}

/* ---- parameters of functions ---- */

/* Whether the schema says its type, or leaves that to others, beside which it can say none. */
static bool says_its_type(const json_t *schema) {
    static const char *const names[] = {"type", "$ref", "anyOf", "oneOf", "allOf", NULL};
    size_t i = 0;
    while (names[i] && !json_object_get(schema, names[i])) {
        i++;
    }
    return names[i] != NULL;
}

/* The schema of a function's arguments: a new copy of its parameters. Without any it takes none;
 * where they do not say that they are an object, they are. NULL: *err says why. */
static json_t *parameters_of(const vb_api_request *q, size_t i, vb_err *err, vb_api_error *e) {
    const json_t *given = json_object_get(function_of(json_array_get(q->tools, i)), "parameters");
    const char *type = json_string_value(json_object_get(given, "type"));
    if (json_object_size(given) && json_object_get(given, "type") &&
        !(type && strcmp(type, "object") == 0)) {
        char param[64];
        snprintf(param, sizeof param, "tools[%zu].function.parameters.type", i);
        *err = vb_api_fail(e, VB_EINVAL, 400, "unsupported_value", param,
                           "'%s': expected object: arguments are members of an object.", param);
        return NULL;
    }
    json_t *own =
        json_object_size(given) ? json_deep_copy(given) : json_pack("{s:{}}", "properties");
    /* Without memory, jansson copies less than all. */
    const bool whole = own && (!json_object_size(given) || json_equal(own, given));
    if (!whole ||
        (!says_its_type(own) && json_object_set_new(own, "type", json_string("object")))) {
        json_decref(own);
        *err = starve(e);
        return NULL;
    }
    return own;
}

/* A reference inside tool i's parameters, as it reads from the root of the schema for all. */
static bool point(json_t *schema, size_t i) {
    char to[NAME_BYTES];
    const json_t *value = json_object_get(schema, "$ref");
    const char *ref = json_string_value(value);
    int n_to = 0;
    if (ref && strlen(ref) != json_string_length(value)) {
        return true; /* what follows its zero byte would be lost */
    }
    if (ref && strcmp(ref, "#") == 0) {
        n_to = snprintf(to, sizeof to, "#/$defs/%zu", i);
    }
    for (size_t k = 0; ref && k < 2; k++) {
        char start[16];
        const int n = snprintf(start, sizeof start, "#/%s/", definitions[k]);
        if (strncmp(ref, start, (size_t)n) == 0) {
            n_to = snprintf(to, sizeof to, "#/$defs/%zu.%s.%s", i, definitions[k], ref + n);
        }
    }
    /* Anything else stays, and the compiler refuses it where it stands. */
    return n_to == 0 || (size_t)n_to >= sizeof to ||
           json_object_set_new(schema, "$ref", json_string(to)) == 0;
}

static bool point_all(json_t *schema, size_t i);

static bool point_members(json_t *o, size_t i) {
    const char *name;
    json_t *value;
    bool good = true;
    json_object_foreach(o, name, value) {
        good = good && point_all(value, i);
    }
    return good;
}

/* The references of a schema and of those in it: not those of values, where $ref is a name. */
static bool point_all(json_t *schema, size_t i) {
    static const char *const single[] = {"additionalProperties", "items", NULL};
    static const char *const lists[] = {"anyOf", "oneOf", "allOf", "prefixItems", NULL};
    if (!json_is_object(schema)) {
        return true;
    }
    bool good = point(schema, i) && point_members(json_object_get(schema, "properties"), i);
    for (size_t k = 0; single[k]; k++) {
        good = good && point_all(json_object_get(schema, single[k]), i);
    }
    for (size_t k = 0; lists[k]; k++) {
        const json_t *list = json_object_get(schema, lists[k]);
        for (size_t j = 0; j < json_array_size(list); j++) {
            good = good && point_all(json_array_get(list, j), i);
        }
    }
    return good;
}

/* Moves the parameters of tool i, whose reference it takes, and their definitions to defs. */
static bool move_parameters(json_t *defs, json_t *parameters, size_t i) {
    char name[NAME_BYTES];
    bool good = true;
    for (size_t k = 0; k < 2; k++) {
        const char *key;
        json_t *value;
        json_t *own = json_object_get(parameters, definitions[k]);
        if (!json_is_object(own)) {
            continue; /* absent, or refused where it stands */
        }
        json_object_foreach(own, key, value) {
            const int n = snprintf(name, sizeof name, "%zu.%s.%s", i, definitions[k], key);
            const bool fits = (size_t)n < sizeof name; /* else no reference leads there */
            good =
                good && (!fits || (point_all(value, i) && json_object_set(defs, name, value) == 0));
        }
        json_object_del(parameters, definitions[k]);
    }
    /* Notes that stand at the root only. */
    json_object_del(parameters, "$schema");
    json_object_del(parameters, "$id");
    good = good && point_all(parameters, i);
    snprintf(name, sizeof name, "%zu", i);
    return json_object_set_new(defs, name, parameters) == 0 && good;
}

/* One call: {"name": one of the functions, "arguments": as its parameters have it}. */
static json_t *call_schema(const vb_api_request *q, vb_tool_form form, vb_err *err,
                           vb_api_error *e) {
    const char *arguments = vb_tool_form_arguments(form);
    json_t *calls = json_array(), *defs = json_object();
    bool good = calls && defs;
    for (size_t i = 0; good && i < json_array_size(q->tools); i++) {
        char ref[32];
        const json_t *name = json_object_get(function_of(json_array_get(q->tools, i)), "name");
        json_t *parameters = parameters_of(q, i, err, e);
        if (!parameters) {
            json_decref(calls);
            json_decref(defs);
            return NULL;
        }
        snprintf(ref, sizeof ref, "#/$defs/%zu", i);
        good = move_parameters(defs, parameters, i) &&
               json_array_append_new(calls, json_pack("{s:{s:{s:O},s:{s:s}},s:[s,s]}", "properties",
                                                      "name", "const", name, arguments, "$ref", ref,
                                                      "required", "name", arguments)) == 0;
    }
    json_t *schema = good ? json_pack("{s:O,s:O}", "anyOf", calls, "$defs", defs) : NULL;
    json_decref(calls);
    json_decref(defs);
    if (!schema) {
        *err = starve(e);
    }
    return schema;
}

/* ---- the constraint ---- */

/* The member that asks for the constraint. */
static void base_param(const vb_api_request *q, char out[BASE_BYTES]) {
    if (q->tool_choice == VB_API_TOOL_NAMED) {
        snprintf(out, BASE_BYTES, "tools[%zu].function.parameters", named_tool(q));
    } else {
        snprintf(out, BASE_BYTES, "%s",
                 q->tool_choice == VB_API_TOOL_REQUIRED ? "tools" : q->format_param);
    }
}

static json_t *with_schema(json_t *schema, vb_err *err, vb_api_error *e) {
    json_t *o = schema ? json_pack("{s:s,s:O}", "type", "json_schema", "schema", schema) : NULL;
    if (schema && !o) {
        *err = starve(e);
    }
    json_decref(schema);
    return o;
}

/* NULL with VB_OK: there is none. */
static json_t *make(const vb_api_request *q, vb_tool_form form, vb_err *err, vb_api_error *e) {
    *err = VB_OK;
    if (q->tool_choice == VB_API_TOOL_NAMED) {
        return with_schema(parameters_of(q, named_tool(q), err, e), err, e);
    }
    if (q->tool_choice == VB_API_TOOL_REQUIRED) {
        return with_schema(call_schema(q, form, err, e), err, e);
    }
    if (q->format == VB_API_FORMAT_TEXT) {
        return NULL;
    }
    if (q->format == VB_API_FORMAT_JSON_SCHEMA && q->schema) {
        return with_schema(json_incref((json_t *)(uintptr_t)q->schema), err, e);
    }
    json_t *o = q->format == VB_API_FORMAT_CHOICE
                    ? json_pack("{s:s,s:O}", "type", "choice", "texts", q->choice)
                    : json_pack("{s:s}", "type", "json_object");
    if (!o) {
        *err = starve(e);
    }
    return o;
}

/* The canonical text. It is written as deep in arrays as it lies in a receipt, so that the limit of
 * nesting is the one that the receipt has. */
static vb_err write_text(json_t *constraint, vb_text *out, vb_error *e) {
    static const char open[] = "[[";
    const size_t n_open = sizeof open - 1;
    json_t *nested = json_pack("[[O]]", constraint);
    vb_buf text = vb_buf_make(VB_CONSTRAINT_BYTES_MAX + 2 * n_open);
    vb_err err = nested ? vb_jcs_append(nested, &text, e) : vb_fail(e, VB_ENOMEM, "no memory");
    if (!err) {
        err = vb_text_set(out, (const char *)text.data + n_open, text.len - 2 * n_open, e);
    }
    vb_buf_free(&text);
    json_decref(nested);
    return err;
}

vb_err vb_api_constraint(const vb_api_request *q, vb_tool_form form, vb_text *out,
                         vb_api_error *e) {
    vb_err err;
    vb_error inner;
    json_t *constraint = make(q, form, &err, e);
    if (!constraint) {
        return err;
    }
    if ((err = write_text(constraint, out, &inner))) {
        vb_api_constraint_fail(q, err, &inner, e);
    }
    json_decref(constraint);
    return err;
}

/* ---- errors ---- */

/* "schema.$defs.2.items" is "tools[2].function.parameters.items" to who asked for it. */
static void param_of(const vb_api_request *q, const char *path, size_t n,
                     char out[VB_API_PARAM_BYTES_MAX + 1]) {
    static const char defs[] = "schema.$defs.";
    const char *root = q->format == VB_API_FORMAT_CHOICE ? "constraint.texts" : "schema";
    const size_t n_root = strlen(root), n_defs = sizeof defs - 1;
    char base[BASE_BYTES];
    base_param(q, base);
    snprintf(out, VB_API_PARAM_BYTES_MAX + 1, "%s", base);
    if (q->tool_choice == VB_API_TOOL_REQUIRED) {
        char *end;
        if (n > n_defs && strncmp(path, defs, n_defs) == 0) {
            const unsigned long i = strtoul(path + n_defs, &end, 10);
            snprintf(out, VB_API_PARAM_BYTES_MAX + 1, "tools[%lu].function.parameters%.*s", i,
                     (int)(n - (size_t)(end - path)), end);
        }
    } else if (n >= n_root && strncmp(path, root, n_root) == 0) {
        snprintf(out, VB_API_PARAM_BYTES_MAX + 1, "%s%.*s", base, (int)(n - n_root), path + n_root);
    }
}

vb_err vb_api_constraint_fail(const vb_api_request *q, vb_err err, const vb_error *inner,
                              vb_api_error *e) {
    char param[VB_API_PARAM_BYTES_MAX + 1];
    switch (err) {
    case VB_EFORMAT:
    case VB_EINVAL:
    case VB_EUNSUPPORTED:
    case VB_ELIMIT: break;
    default: vb_api_error_of(err, inner, e); return err;
    }
    const char *colon = strstr(inner->msg, ": ");
    const size_t n_path = colon ? (size_t)(colon - inner->msg) : 0;
    const bool is_path = colon && !memchr(inner->msg, ' ', n_path);
    param_of(q, inner->msg, is_path ? n_path : 0, param);
    return vb_api_fail(e, err, 400, err == VB_EUNSUPPORTED ? "unsupported_value" : "invalid_value",
                       param, "'%s': %s.", param, is_path ? colon + 2 : inner->msg);
}
