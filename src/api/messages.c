/*
 * The messages of a chat: checked, and written anew in the form that chat templates read.
 */
#include <stdio.h>
#include <string.h>

#include "api/request_parts.h"

enum role { ROLE_SYSTEM = 1, ROLE_USER = 2, ROLE_ASSISTANT = 4, ROLE_TOOL = 8 };

static const struct {
    const char *name;
    int role;
    const char *template_name;
} roles[] = {{"system", ROLE_SYSTEM, "system"},
             {"developer", ROLE_SYSTEM, "system"},
             {"user", ROLE_USER, "user"},
             {"assistant", ROLE_ASSISTANT, "assistant"},
             {"tool", ROLE_TOOL, "tool"}};

/* Members of a message and the roles that have them. */
static const struct {
    const char *name;
    int roles;
} members[] = {
    {"role", 15},
    {"content", 15},
    {"name", 15},
    {"tool_call_id", ROLE_TOOL},
    {"tool_calls", ROLE_ASSISTANT},
    {"reasoning_content", ROLE_ASSISTANT},
    /* Of OpenAI's own answers, and of what its clients add to them ("parsed", and a call's
     * "parsed_arguments"): sent back with the rest, they say nothing that the text does not. */
    {"annotations", ROLE_ASSISTANT},
    {"parsed", ROLE_ASSISTANT},
};

/* Puts value, whose reference it takes, into o. */
static void put(vb_api_object *m, json_t *o, const char *name, json_t *value) {
    if (json_object_set_new(o, name, value)) {
        vb_api_object_starve(m);
    }
}

static int read_role(vb_api_object *m, json_t *out) {
    char name[32];
    if (!vb_api_name(m, "role", 1, name, sizeof name)) {
        vb_api_object_fail(m, "role", "missing_required_parameter", "missing");
        return 0;
    }
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (strcmp(name, roles[i].name) == 0) {
            put(m, out, "role", json_string(roles[i].template_name));
            return roles[i].role;
        }
    }
    vb_api_object_fail(m, "role", "invalid_value",
                       "expected system, developer, user, assistant or tool");
    return 0;
}

static void check_members(vb_api_object *m, int role) {
    json_t *o = (json_t *)(uintptr_t)m->json; /* iteration changes nothing */
    for (void *it = m->err ? NULL : json_object_iter(o); it && !m->err;
         it = json_object_iter_next(o, it)) {
        const char *name = json_object_iter_key(it);
        size_t i = 0;
        while (i < sizeof members / sizeof members[0] &&
               !((members[i].roles & role) && strcmp(members[i].name, name) == 0)) {
            i++;
        }
        if (i == sizeof members / sizeof members[0] && !json_is_null(json_object_iter_value(it))) {
            vb_api_object_fail(m, name, "unknown_parameter",
                               "a message of this role has no such member here");
        }
    }
}

/* One part of a content: its text, or NULL. */
static const json_t *read_part(vb_api_object *m, const json_t *part, size_t i) {
    static const char *const names[] = {"type", "text", NULL};
    char path[VB_API_PARAM_BYTES_MAX + 1], type[64];
    const char *p;
    size_t n;
    snprintf(path, sizeof path, "%.100s.content[%zu]", m->path, i);
    vb_api_object o = vb_api_object_open(part, path, m->e);
    if (!vb_api_name(&o, "type", 1, type, sizeof type)) {
        vb_api_object_fail(&o, "type", "missing_required_parameter", "missing");
    } else if (strcmp(type, "text") != 0) {
        vb_api_object_fail(&o, "type", "unsupported_value",
                           "expected text: this server reads nothing else");
    }
    vb_api_only(&o, names);
    const json_t *text = vb_api_member(&o, "text");
    if (!vb_api_string(&o, "text", 0, VB_API_REQUEST_BYTES_MAX, &p, &n)) {
        vb_api_object_fail(&o, "text", "missing_required_parameter", "missing");
    }
    m->err = o.err;
    return o.err ? NULL : text;
}

/* Parts are joined by line feeds, as other servers join them for templates that read a string. */
static void join_parts(vb_api_object *m, const json_t *parts, json_t *out) {
    vb_buf text = vb_buf_make(2 * VB_API_REQUEST_BYTES_MAX);
    vb_err err = VB_OK;
    for (size_t i = 0; i < json_array_size(parts) && !m->err && !err; i++) {
        const json_t *part = read_part(m, json_array_get(parts, i), i);
        if (part && !(i && (err = vb_buf_append(&text, "\n", 1)))) {
            err = vb_buf_append(&text, json_string_value(part), json_string_length(part));
        }
    }
    if (err) {
        vb_api_object_starve(m);
    } else if (!m->err) {
        put(m, out, "content", json_stringn((const char *)text.data, text.len));
    }
    vb_buf_free(&text);
}

static void read_content(vb_api_object *m, int role, json_t *out) {
    const json_t *v = vb_api_member(m, "content");
    if (m->err) {
        return;
    }
    if (json_is_array(v)) {
        const json_t *parts = vb_api_array(m, "content", 1, VB_API_PARTS_MAX);
        join_parts(m, parts, out);
    } else if (json_is_string(v)) {
        put(m, out, "content", json_incref((json_t *)(uintptr_t)v));
    } else if (v) {
        vb_api_object_fail(m, "content", "invalid_type",
                           "expected a string or an array of parts, found %s", vb_api_type_name(v));
    } else if (role == ROLE_ASSISTANT && vb_api_member(m, "tool_calls")) {
        put(m, out, "content", json_null());
    } else {
        vb_api_object_fail(m, "content", "missing_required_parameter", "missing");
    }
}

/* The arguments as the object that their string spells; no text at all is no arguments. */
static json_t *read_arguments(vb_api_object *function, size_t *values_left) {
    const char *p;
    size_t n;
    json_t *arguments = NULL;
    vb_error inner;
    if (!vb_api_string(function, "arguments", 0, VB_API_TOOL_CALL_BYTES_MAX, &p, &n)) {
        vb_api_object_fail(function, "arguments", "missing_required_parameter", "missing");
        return NULL;
    }
    vb_err err =
        n == 0 ? VB_OK
               : vb_api_parse(p, n, VB_API_TOOL_CALL_BYTES_MAX, values_left, &arguments, &inner);
    if (n == 0) {
        arguments = json_object();
    }
    if (err == VB_ENOMEM || (!err && !arguments)) {
        vb_api_object_starve(function);
    } else if (err) {
        vb_api_object_fail(function, "arguments", "invalid_value",
                           "expected the JSON of an object in a string: %s", inner.msg);
    } else if (!json_is_object(arguments)) {
        vb_api_object_fail(function, "arguments", "invalid_value",
                           "expected the JSON of an object in a string, found %s",
                           vb_api_type_name(arguments));
    }
    if (function->err) {
        json_decref(arguments);
        return NULL;
    }
    return arguments;
}

static json_t *read_call(vb_api_object *call, size_t *values_left) {
    static const char *const call_names[] = {"id", "type", "function", "index", NULL};
    static const char *const function_names[] = {"name", "arguments", "parsed_arguments", NULL};
    char id[VB_RECEIPT_NAME_BYTES_MAX + 1], type[16] = "";
    char name[VB_API_TOOL_NAME_BYTES_MAX + 1] = "";
    int64_t index;
    vb_api_only(call, call_names);
    if (!vb_api_name(call, "id", 1, id, sizeof id)) {
        vb_api_object_fail(call, "id", "missing_required_parameter", "missing");
    }
    /* Clients that put streamed calls together leave their index in. */
    vb_api_integer(call, "index", 0, VB_API_TOOL_CALLS_MAX, &index);
    vb_api_name(call, "type", 1, type, sizeof type);
    if (strcmp(type, "function") != 0) {
        vb_api_object_fail(call, "type", "unsupported_value", "expected function");
    }
    vb_api_object function = vb_api_object_member(call, "function");
    vb_api_only(&function, function_names);
    if (!vb_api_name(&function, "name", 1, name, sizeof name)) {
        vb_api_object_fail(&function, "name", "missing_required_parameter", "missing");
    }
    json_t *arguments = function.err ? NULL : read_arguments(&function, values_left);
    call->err = function.err;
    if (!arguments) {
        return NULL;
    }
    json_t *out = json_pack("{s:s, s:s, s:{s:s, s:o}}", "id", id, "type", "function", "function",
                            "name", name, "arguments", arguments);
    if (!out) {
        vb_api_object_starve(call); /* json_pack has given the arguments back */
    }
    return out;
}

static void read_calls(vb_api_object *m, size_t *values_left, json_t *out) {
    const json_t *list = vb_api_array(m, "tool_calls", 1, VB_API_TOOL_CALLS_MAX);
    if (!list) {
        return;
    }
    json_t *calls = json_array();
    for (size_t i = 0; i < json_array_size(list) && !m->err; i++) {
        char path[VB_API_PARAM_BYTES_MAX + 1];
        snprintf(path, sizeof path, "%.100s.tool_calls[%zu]", m->path, i);
        vb_api_object call = vb_api_object_open(json_array_get(list, i), path, m->e);
        json_t *o = call.err ? NULL : read_call(&call, values_left);
        m->err = call.err;
        if (o && json_array_append_new(calls, o)) {
            vb_api_object_starve(m);
        }
    }
    put(m, out, "tool_calls", calls);
}

static void read_message(vb_api_object *m, size_t *values_left, json_t *out) {
    char text[VB_RECEIPT_NAME_BYTES_MAX + 1];
    const char *p;
    size_t n;
    const int role = read_role(m, out);
    check_members(m, role);
    read_content(m, role, out);
    if (vb_api_name(m, "name", 1, text, sizeof text)) {
        put(m, out, "name", json_string(text));
    }
    if (vb_api_name(m, "tool_call_id", 1, text, sizeof text)) {
        put(m, out, "tool_call_id", json_string(text));
    } else if (role == ROLE_TOOL) {
        vb_api_object_fail(m, "tool_call_id", "missing_required_parameter", "missing");
    }
    if (vb_api_string(m, "reasoning_content", 0, VB_API_REQUEST_BYTES_MAX, &p, &n)) {
        put(m, out, "reasoning_content", json_stringn(p, n));
    }
    read_calls(m, values_left, out);
}

void vb_api_read_messages(vb_api_object *body, size_t *values_left, vb_api_request *r) {
    r->prompt_kind = VB_API_PROMPT_MESSAGES;
    const json_t *list = vb_api_array(body, "messages", 1, VB_CHAT_MESSAGES_MAX);
    if (!list) {
        vb_api_object_fail(body, "messages", "missing_required_parameter", "missing");
        return;
    }
    r->messages = json_array();
    for (size_t i = 0; i < json_array_size(list) && !body->err; i++) {
        char path[32];
        snprintf(path, sizeof path, "messages[%zu]", i);
        json_t *out = json_object();
        vb_api_object m = vb_api_object_open(json_array_get(list, i), path, body->e);
        if (!m.err) {
            read_message(&m, values_left, out);
        }
        body->err = m.err;
        if (json_array_append_new(r->messages, out)) {
            vb_api_object_starve(body);
        }
    }
    if (!r->messages) {
        vb_api_object_starve(body);
    }
}
