#include "api/call.h"

#include <string.h>

#include "api/read.h"
#include "api/request_parts.h"
#include "base/limits.h"

bool vb_call_edge_step(vb_call_edge *s, char c) {
    if (s->in_string) {
        if (s->escaped) {
            s->escaped = false;
        } else if (c == '\\') {
            s->escaped = true;
        } else if (c == '"') {
            s->in_string = false;
        }
        return false;
    }
    s->in_string = c == '"';
    if (c == '{' || c == '[') {
        s->depth++;
    } else if ((c == '}' || c == ']') && s->depth) {
        return --s->depth == 0;
    }
    return false;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Bytes up to where the value of a member ends: before a comma or the object's closing bracket. */
static size_t value_bytes(const char *p, size_t n) {
    vb_call_edge s = {.depth = 0};
    size_t i = 0;
    while (i < n && (s.in_string || s.depth || (p[i] != ',' && p[i] != '}'))) {
        vb_call_edge_step(&s, p[i++]);
    }
    while (i > 0 && is_space(p[i - 1])) {
        i--;
    }
    return i;
}

/* The value of a member of the outermost object, as it is written. text is known to be good JSON,
 * and to have the member; a name that is written with escapes is not found. */
static bool find_member(vb_str text, const char *name, vb_str *out) {
    const size_t n_name = strlen(name);
    vb_call_edge s = {.depth = 0};
    for (size_t i = 0; i < text.len; i++) {
        const bool begins = !s.in_string && s.depth == 1 && text.p[i] == '"';
        vb_call_edge_step(&s, text.p[i]);
        if (!begins || text.len - i < n_name + 2 || memcmp(text.p + i + 1, name, n_name) != 0 ||
            text.p[i + 1 + n_name] != '"') {
            continue;
        }
        size_t at = i + n_name + 2;
        while (at < text.len && is_space(text.p[at])) {
            at++;
        }
        if (at == text.len || text.p[at] != ':') {
            continue; /* a value that reads like the name */
        }
        at++;
        while (at < text.len && is_space(text.p[at])) {
            at++;
        }
        *out = (vb_str){text.p + at, value_bytes(text.p + at, text.len - at)};
        return true;
    }
    return false;
}

/* Of the parsed object: nothing but a call. */
static bool is_call(const json_t *o, const char *arguments) {
    const json_t *name = json_object_get(o, "name"), *type = json_object_get(o, "type");
    const size_t n = 2 + (type != NULL);
    return json_object_size(o) == n && json_is_string(name) &&
           vb_api_is_tool_name(json_string_value(name), json_string_length(name)) &&
           json_is_object(json_object_get(o, arguments)) &&
           (!type || (json_is_string(type) && strcmp(json_string_value(type), "function") == 0));
}

/* VB_EFORMAT for what is no JSON; else *o is for the caller to give back. */
static vb_err parse(vb_str text, json_t **o) {
    size_t values = VB_API_VALUES_MAX;
    const vb_err err = vb_api_parse(text.p, text.len, VB_API_TOOL_CALL_BYTES_MAX, &values, o, NULL);
    return !err || err == VB_ENOMEM ? err : VB_EFORMAT;
}

vb_err vb_call_check_arguments(vb_str text) {
    json_t *o = NULL;
    const vb_err err = parse(text, &o);
    const bool good = json_is_object(o);
    json_decref(o);
    return err ? err : good ? VB_OK : VB_EFORMAT;
}

vb_err vb_call_read(vb_str text, const char *arguments, vb_call *out) {
    json_t *o = NULL;
    vb_call call;
    const vb_err err = parse(text, &o);
    if (err) {
        return err;
    }
    const bool good = is_call(o, arguments) && find_member(text, "name", &call.name) &&
                      find_member(text, arguments, &call.arguments) &&
                      call.name.len == json_string_length(json_object_get(o, "name")) + 2;
    json_decref(o);
    if (!good) {
        return VB_EFORMAT;
    }
    call.name = (vb_str){call.name.p + 1, call.name.len - 2}; /* without its quotes */
    *out = call;
    return VB_OK;
}
