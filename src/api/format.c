/* What the text of an answer is to be: response_format, and structured_outputs as vLLM has it. */
#include <string.h>

#include "api/request_parts.h"

static void read_schema(vb_api_object *format, vb_api_request *r) {
    static const char *const names[] = {"name", "description", "schema", "strict", NULL};
    const char *p;
    size_t n;
    vb_api_object s = vb_api_object_member(format, "json_schema");
    if (!s.json) {
        vb_api_object_fail(&s, "", "missing_required_parameter", "missing");
    }
    vb_api_only(&s, names);
    vb_api_tool_name(&s, r->schema_name);
    vb_api_string(&s, "description", 0, VB_API_REQUEST_BYTES_MAX, &p, &n);
    vb_api_bool(&s, "strict", &r->schema_strict);
    vb_api_object schema = vb_api_object_member(&s, "schema");
    r->schema = schema.json;
    r->format = VB_API_FORMAT_JSON_SCHEMA;
    r->format_param = schema.json ? "response_format.json_schema.schema" : "response_format";
    format->err = schema.err;
}

static void read_format(vb_api_object *body, vb_api_request *r) {
    static const char *const plain[] = {"type", NULL};
    static const char *const with_schema[] = {"type", "json_schema", NULL};
    char type[32] = "";
    vb_api_object format = vb_api_object_member(body, "response_format");
    if (!format.json) {
        return;
    }
    vb_api_name(&format, "type", 1, type, sizeof type);
    if (strcmp(type, "json_schema") == 0) {
        vb_api_only(&format, with_schema);
        read_schema(&format, r);
    } else if (strcmp(type, "json_object") == 0 || strcmp(type, "text") == 0) {
        vb_api_only(&format, plain);
        r->format_param = "response_format";
        r->format = type[0] == 't' ? VB_API_FORMAT_TEXT : VB_API_FORMAT_JSON_OBJECT;
    } else {
        vb_api_object_fail(&format, "type", "unsupported_value",
                           "expected text, json_object or json_schema");
    }
    body->err = format.err;
}

/* One of three forms; vLLM's others (regex, grammar, structural_tag) are no constraints here. */
static void read_structured(vb_api_object *body, vb_api_request *r) {
    static const char *const names[] = {"json", "json_object", "choice", NULL};
    bool any_object = false;
    vb_api_object o = vb_api_object_member(body, "structured_outputs");
    if (!o.json) {
        return;
    }
    vb_api_only(&o, names);
    const vb_api_object schema = vb_api_object_member(&o, "json");
    vb_api_bool(&o, "json_object", &any_object);
    const json_t *choice = vb_api_array(&o, "choice", 1, VB_GRAMMAR_CHOICES_MAX);
    if (!o.err && !!schema.json + any_object + !!choice != 1) {
        vb_api_object_fail(&o, "", "invalid_value",
                           "expected one of json, json_object (true) and choice");
    }
    if (!o.err && r->format != VB_API_FORMAT_TEXT) {
        vb_api_object_fail(&o, "", "invalid_value", "not together with 'response_format'");
    }
    r->format_param = schema.json ? "structured_outputs.json"
                      : choice    ? "structured_outputs.choice"
                                  : "structured_outputs";
    r->format = schema.json ? VB_API_FORMAT_JSON_SCHEMA
                : choice    ? VB_API_FORMAT_CHOICE
                            : VB_API_FORMAT_JSON_OBJECT;
    r->schema = schema.json;
    r->choice = choice;
    body->err = o.err;
}

void vb_api_read_format(vb_api_object *body, vb_api_request *r) {
    read_format(body, r);
    read_structured(body, r);
}
