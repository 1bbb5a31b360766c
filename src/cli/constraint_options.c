#include "cli/constraint_options.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "json/jcs.h"
#include "json/json.h"

void vb_constraint_options_add(vb_constraint_options *c, vb_opt_table *t) {
    const vb_opt rows[] = {
        {0, "json-object", VB_OPT_FLAG, &c->json_object, NULL, "the answer is a JSON object", 0, 0,
         NULL},
        {0, "json-schema", VB_OPT_STR, &c->schema, "SCHEMA",
         "the answer is JSON that is valid under this JSON Schema", 0, 0, NULL},
        {0, "json-schema-file", VB_OPT_STR, &c->schema_file, "FILE", "the same, from a file", 0, 0,
         NULL},
        {0, "choice", VB_OPT_LIST, &c->choices, "TEXT",
         "the answer is this text, or another that is given so; repeatable", 0, 0, NULL},
    };
    vb_opt_add(t, rows, sizeof rows / sizeof rows[0]);
}

static const char *option_of(const vb_constraint_options *c) {
    return c->json_object   ? "--json-object"
           : c->schema      ? "--json-schema"
           : c->schema_file ? "--json-schema-file"
           : c->choices.n   ? "--choice"
                            : NULL;
}

static vb_err read_schema(const vb_constraint_options *c, json_t **out, vb_error *e) {
    char *text = NULL;
    size_t n_bytes = c->schema ? strlen(c->schema) : 0;
    json_t *schema;
    vb_err err = VB_OK;
    if (!c->schema) {
        err = vb_app_read_file(c->schema_file, VB_API_REQUEST_BYTES_MAX, &text, &n_bytes, e);
    }
    if (!err) {
        err = vb_json_parse_foreign(c->schema ? c->schema : text, n_bytes, VB_API_REQUEST_BYTES_MAX,
                                    &schema, e);
    }
    free(text);
    if (err) {
        return err;
    }
    *out = json_pack("{s:s, s:o}", "type", "json_schema", "schema", schema);
    return *out ? VB_OK : vb_fail(e, VB_ENOMEM, "no memory for a schema");
}

static vb_err read_choices(const vb_opt_list *list, json_t **out, vb_error *e) {
    json_t *texts = json_array();
    vb_text text = {.p = NULL};
    vb_err err = texts ? VB_OK : vb_fail(e, VB_ENOMEM, "no memory for %zu texts", list->n);
    for (size_t i = 0; i < list->n && !err; i++) {
        if (!(err = vb_text_set(&text, list->items[i], strlen(list->items[i]), e)) &&
            json_array_append_new(texts, json_stringn(text.p, text.len))) {
            err = vb_fail(e, VB_ENOMEM, "no memory for %zu texts", list->n);
        }
    }
    vb_text_free(&text);
    if (err) {
        json_decref(texts);
        return err;
    }
    *out = json_pack("{s:s, s:o}", "type", "choice", "texts", texts);
    return *out ? VB_OK : vb_fail(e, VB_ENOMEM, "no memory for %zu texts", list->n);
}

static vb_err read_any(const vb_constraint_options *c, json_t **out, vb_error *e) {
    if (c->json_object) {
        *out = json_pack("{s:s}", "type", "json_object");
        return *out ? VB_OK : vb_fail(e, VB_ENOMEM, "no memory for a constraint");
    }
    return c->choices.n ? read_choices(&c->choices, out, e) : read_schema(c, out, e);
}

/* As a request has it: canonical. */
static vb_err keep(vb_constraint_options *c, const json_t *constraint, vb_error *e) {
    vb_buf bytes = vb_buf_make(VB_CONSTRAINT_BYTES_MAX);
    vb_err err = vb_jcs_append(constraint, &bytes, e);
    if (!err) {
        err = vb_text_set(&c->constraint, (const char *)bytes.data, bytes.len, e);
    }
    vb_buf_free(&bytes);
    return err;
}

vb_err vb_constraint_read(vb_constraint_options *c, vb_error *e) {
    const char *option = option_of(c);
    json_t *constraint = NULL;
    if (!option) {
        return VB_OK;
    }
    if (c->json_object + !!c->schema + !!c->schema_file + !!c->choices.n > 1) {
        return vb_fail(e, VB_EINVAL,
                       "--json-object, --json-schema, --json-schema-file, --choice: give one of "
                       "them");
    }
    vb_err err = read_any(c, &constraint, e);
    if (!err && !(err = vb_grammar_check(constraint, e))) {
        err = keep(c, constraint, e);
    }
    json_decref(constraint);
    return err ? vb_fail_in(e, err, "%s", option) : VB_OK;
}

vb_err vb_constraint_fill(vb_constraint_options *c, const vb_app *a, vb_receipt_request *q,
                          vb_error *e) {
    vb_err err = VB_OK;
    if (c->constraint.p && !c->vocabulary) {
        err = vb_vocabulary_open(a->tokenizer, &c->vocabulary, e);
    }
    if (!err && c->constraint.p) {
        err = vb_text_set(&q->constraint, c->constraint.p, c->constraint.len, e);
    }
    return err;
}

void vb_constraint_close(vb_constraint_options *c) {
    vb_text_free(&c->constraint);
    vb_vocabulary_close(c->vocabulary);
    c->vocabulary = NULL;
}
