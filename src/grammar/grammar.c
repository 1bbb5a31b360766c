/* The forms of a constraint, and the steps of compiling one. */
#include "grammar/grammar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/build.h"
#include "json/jcs.h"
#include "json/json.h"

static const char *const object_members[] = {"type", NULL};
static const char *const schema_members[] = {"schema", "type", NULL};
static const char *const choice_members[] = {"texts", "type", NULL};

/* The root node, whose value is slot 0. */
static vb_err add_root(vb_build *b) {
    uint32_t root;
    return vb_build_node(b, &(vb_node){.kind = VB_NODE_ROOT, .rest = 0}, &root);
}

static vb_err compile_schema(vb_build *b, const json_t *schema) {
    b->root = schema;
    b->g->gaps = true;
    vb_err err = add_root(b);
    return err || (err = vb_build_schemas(b)) ? err : vb_build_slots(b);
}

static vb_err compile_object(vb_build *b) {
    json_t *schema = json_pack("{ss}", "type", "object");
    vb_err err = schema ? compile_schema(b, schema)
                        : vb_fail(b->e, VB_ENOMEM, "constraint: no memory for a schema");
    json_decref(schema);
    return err;
}

/* One slot with one node: the texts as they stand. */
static vb_err compile_texts(vb_build *b, vb_literal *texts, size_t n) {
    vb_grammar *g = b->g;
    uint32_t node;
    vb_err err = add_root(b);
    if (err || (err = vb_build_literals(b, texts, n, &node))) {
        return err;
    }
    if (g->nodes[node].n_texts != n) {
        return vb_fail(b->e, VB_EFORMAT, "constraint.texts: expected different texts");
    }
    g->slots = calloc(1, sizeof *g->slots);
    g->alternatives = malloc(sizeof *g->alternatives);
    if (!g->slots || !g->alternatives) {
        return vb_fail(b->e, VB_ENOMEM, "constraint: no memory for its texts");
    }
    g->slots[0] = (vb_slot){.first = 0, .n = 1};
    g->alternatives[0] = node;
    g->n_slots = g->n_alternatives = 1;
    return VB_OK;
}

static vb_err compile_choice(vb_build *b, const json_t *constraint) {
    vb_fields f = vb_fields_open(constraint, "constraint", choice_members, b->e);
    const json_t *list = vb_field_array(&f, "texts", 1, VB_GRAMMAR_CHOICES_MAX);
    if (f.err) {
        return f.err;
    }
    const size_t n = json_array_size(list);
    vb_literal *texts = malloc(n * sizeof *texts);
    if (!texts) {
        return vb_fail(b->e, VB_ENOMEM, "constraint: no memory for %zu texts", n);
    }
    vb_err err = VB_OK;
    for (size_t i = 0; i < n && !err; i++) {
        const json_t *text = json_array_get(list, i);
        const size_t len = json_string_length(text); /* 0 for what is no string */
        err =
            len >= 1 && len <= VB_GRAMMAR_CHOICE_BYTES_MAX
                ? vb_build_text(b, json_string_value(text), len, &texts[i])
                : vb_fail(b->e, VB_EFORMAT, "constraint.texts[%zu]: expected 1 to %u bytes of text",
                          i, VB_GRAMMAR_CHOICE_BYTES_MAX);
    }
    if (!err) {
        err = compile_texts(b, texts, n);
    }
    free(texts);
    return err;
}

/* Nesting, bytes and integers, before anything walks the constraint. */
static vb_err check_size(const json_t *constraint, vb_error *e) {
    vb_buf bytes = vb_buf_make(VB_CONSTRAINT_BYTES_MAX);
    vb_err err = vb_jcs_append(constraint, &bytes, e);
    vb_buf_free(&bytes);
    return err ? vb_fail_in(e, err, "constraint") : VB_OK;
}

static vb_err compile(vb_build *b, const json_t *constraint) {
    const json_t *type = json_object_get(constraint, "type");
    vb_fields f;
    if (vb_json_is(type, "json_object")) {
        f = vb_fields_open(constraint, "constraint", object_members, b->e);
        return f.err ? f.err : compile_object(b);
    }
    if (vb_json_is(type, "json_schema")) {
        f = vb_fields_open(constraint, "constraint", schema_members, b->e);
        return f.err ? f.err : compile_schema(b, vb_field(&f, "schema"));
    }
    if (vb_json_is(type, "choice")) {
        return compile_choice(b, constraint);
    }
    return vb_fail(b->e, json_is_string(type) ? VB_EUNSUPPORTED : VB_EFORMAT,
                   "constraint.type: expected json_object, json_schema or choice");
}

static void build_free(vb_build *b) {
    free(b->entries);
    free(b->own_nodes);
    free(b->own_literals);
    free(b->edges);
    free(b->table);
    vb_buf_free(&b->paths);
    vb_buf_free(&b->bytes);
}

vb_err vb_grammar_open(const json_t *constraint, vb_grammar **out, vb_error *e) {
    vb_err err = check_size(constraint, e);
    if (err) {
        return err;
    }
    vb_grammar *g = calloc(1, sizeof *g);
    if (!g) {
        return vb_fail(e, VB_ENOMEM, "no memory for a constraint");
    }
    /* Every name and value is written at most twice, each path once. */
    vb_build b = {.g = g,
                  .paths = vb_buf_make((size_t)VB_GRAMMAR_SCHEMAS_MAX * VB_SCHEMA_PATH_BYTES),
                  .bytes = vb_buf_make(2u * VB_CONSTRAINT_BYTES_MAX),
                  .e = e};
    if ((err = compile(&b, constraint)) || (err = vb_build_heights(&b)) ||
        (err = vb_build_live(&b))) {
        build_free(&b);
        vb_grammar_close(g);
        return err;
    }
    g->bytes = b.bytes.data;
    b.bytes = vb_buf_make(0);
    build_free(&b);
    *out = g;
    return VB_OK;
}

void vb_grammar_close(vb_grammar *g) {
    if (g) {
        free(g->nodes);
        free(g->properties);
        free(g->elements);
        free(g->literals);
        free(g->slots);
        free(g->alternatives);
        free(g->bytes);
        free(g);
    }
}

vb_err vb_grammar_check(const json_t *constraint, vb_error *e) {
    vb_grammar *g;
    vb_err err = vb_grammar_open(constraint, &g, e);
    if (!err) {
        vb_grammar_close(g);
    }
    return err;
}
