/* Tools, the choice among them, and variables of the chat template. */
#include <stdio.h>
#include <string.h>

#include "api/request_parts.h"

bool vb_api_is_tool_name(const char *p, size_t n_bytes) {
    bool good = n_bytes >= 1 && n_bytes <= VB_API_TOOL_NAME_BYTES_MAX;
    for (size_t i = 0; good && i < n_bytes; i++) {
        const char c = p[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-' || c == '.';
    }
    return good;
}

bool vb_api_tool_name(vb_api_object *o, char out[VB_API_TOOL_NAME_BYTES_MAX + 1]) {
    const char *p;
    size_t n;
    if (!vb_api_string(o, "name", 1, VB_API_TOOL_NAME_BYTES_MAX, &p, &n)) {
        vb_api_object_fail(o, "name", "missing_required_parameter", "missing");
        return false;
    }
    if (!vb_api_is_tool_name(p, n)) {
        vb_api_object_fail(o, "name", "invalid_value",
                           "expected letters, digits, underlines, dots and hyphens");
        return false;
    }
    memcpy(out, p, n);
    out[n] = 0;
    return true;
}

static void read_tool(vb_api_object *tool) {
    static const char *const tool_names[] = {"type", "function", NULL};
    static const char *const names[] = {"name", "description", "parameters", "strict", NULL};
    char type[32] = "", name[VB_API_TOOL_NAME_BYTES_MAX + 1];
    const char *p;
    size_t n;
    bool strict;
    vb_api_name(tool, "type", 1, type, sizeof type);
    if (strcmp(type, "function") != 0) {
        vb_api_object_fail(tool, "type", "unsupported_value", "expected function");
    }
    vb_api_only(tool, tool_names);
    vb_api_object f = vb_api_object_member(tool, "function");
    vb_api_only(&f, names);
    vb_api_tool_name(&f, name);
    vb_api_string(&f, "description", 0, VB_API_REQUEST_BYTES_MAX, &p, &n);
    vb_api_object parameters = vb_api_object_member(&f, "parameters");
    f.err = parameters.err;
    vb_api_bool(&f, "strict", &strict);
    tool->err = f.err;
}

static const char *tool_name(const json_t *tool) {
    return json_string_value(json_object_get(json_object_get(tool, "function"), "name"));
}

static bool has_tool(const json_t *tools, size_t n_tools, const char *name) {
    size_t i = 0;
    while (i < n_tools && strcmp(tool_name(json_array_get(tools, i)), name) != 0) {
        i++;
    }
    return i < n_tools;
}

static void read_list(vb_api_object *body, vb_api_request *r) {
    const json_t *list = vb_api_array(body, "tools", 0, VB_API_TOOLS_MAX);
    for (size_t i = 0; i < json_array_size(list) && !body->err; i++) {
        char path[32];
        snprintf(path, sizeof path, "tools[%zu]", i);
        vb_api_object tool = vb_api_object_open(json_array_get(list, i), path, body->e);
        if (!tool.err) {
            read_tool(&tool);
        }
        if (!tool.err && has_tool(list, i, tool_name(json_array_get(list, i)))) {
            vb_api_object_fail(&tool, "function.name", "invalid_value",
                               "two tools have the same name");
        }
        body->err = tool.err;
    }
    r->tools = json_array_size(list) ? list : NULL;
    r->tool_choice = r->tools ? VB_API_TOOL_AUTO : VB_API_TOOL_NONE;
}

static void read_named_choice(vb_api_object *body, vb_api_request *r) {
    static const char *const choice_names[] = {"type", "function", NULL};
    static const char *const function_names[] = {"name", NULL};
    char type[32] = "";
    vb_api_object choice = vb_api_object_member(body, "tool_choice");
    vb_api_name(&choice, "type", 1, type, sizeof type);
    if (strcmp(type, "function") != 0) {
        vb_api_object_fail(&choice, "type", "unsupported_value", "expected function");
    }
    vb_api_only(&choice, choice_names);
    vb_api_object f = vb_api_object_member(&choice, "function");
    vb_api_only(&f, function_names);
    if (vb_api_tool_name(&f, r->tool_name) &&
        !has_tool(r->tools, json_array_size(r->tools), r->tool_name)) {
        vb_api_object_fail(&f, "name", "invalid_value", "none of 'tools' has this name");
    }
    r->tool_choice = VB_API_TOOL_NAMED;
    body->err = f.err;
}

static void read_choice(vb_api_object *body, vb_api_request *r) {
    const json_t *v = vb_api_member(body, "tool_choice");
    const char *word = json_string_value(v);
    if (!v) {
        return;
    }
    if (word && strcmp(word, "none") == 0) {
        r->tool_choice = VB_API_TOOL_NONE;
    } else if (!r->tools) {
        vb_api_object_fail(body, "tool_choice", "invalid_value",
                           "allowed only when 'tools' are given");
    } else if (word && strcmp(word, "auto") == 0) {
        r->tool_choice = VB_API_TOOL_AUTO;
    } else if (word && strcmp(word, "required") == 0) {
        r->tool_choice = VB_API_TOOL_REQUIRED;
    } else if (json_is_object(v)) {
        read_named_choice(body, r);
    } else {
        vb_api_object_fail(body, "tool_choice", word ? "invalid_value" : "invalid_type",
                           "expected none, auto, required, or an object that names a function");
    }
}

/* Variables that the server itself gives a template: a request may not forge them. */
static void read_template_kwargs(vb_api_object *body, vb_api_request *r) {
    static const char *const own[] = {
        "messages", "tools", "documents", "bos_token", "eos_token", "add_generation_prompt", NULL};
    vb_api_object kwargs = vb_api_object_member(body, "chat_template_kwargs");
    if (json_object_size(kwargs.json) > VB_API_TEMPLATE_VARIABLES_MAX) {
        vb_api_object_fail(&kwargs, "", "object_above_max_properties",
                           "expected at most %u variables, found %zu",
                           VB_API_TEMPLATE_VARIABLES_MAX, json_object_size(kwargs.json));
    }
    r->template_kwargs = kwargs.json;
    for (size_t i = 0; own[i]; i++) {
        if (kwargs.json && json_object_get(kwargs.json, own[i])) {
            vb_api_object_fail(&kwargs, own[i], "unsupported_value",
                               "the server itself gives this variable to templates");
        }
    }
    body->err = kwargs.err;
}

void vb_api_read_tools(vb_api_object *body, vb_api_request *r) {
    if (body->err) {
        return;
    }
    read_list(body, r);
    read_choice(body, r);
    if (vb_api_bool(body, "parallel_tool_calls", &r->parallel_tool_calls) && !r->tools) {
        vb_api_object_fail(body, "parallel_tool_calls", "invalid_value",
                           "allowed only when 'tools' are given");
    }
    read_template_kwargs(body, r);
}
