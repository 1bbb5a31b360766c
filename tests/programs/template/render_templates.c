/*
 * Renders templates for scripts: each line of the standard input is a JSON object {template,
 * context, now}, each line of the output one of {text, runs} or {error, message}. runs: [end of the
 * run in bytes, whether it is the template's own], ...; strings of the context's `trusted` list are
 * vouched for where they are top-level variables of these names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "template/jinja.h"

enum { TRUSTED_MAX = 8 };

static json_t *output_json(const vb_jinja_output *o) {
    json_t *runs = json_array();
    for (size_t i = 0; i < o->n_runs; i++) {
        json_array_append_new(
            runs, json_pack("[I,b]", (json_int_t)o->runs[i].end, (int)o->runs[i].trusted));
    }
    return json_pack("{s:o,s:o}", "text", json_stringn_nocheck(o->text, o->n_bytes), "runs", runs);
}

static json_t *render_line(const json_t *line) {
    const json_t *source = json_object_get(line, "template");
    const json_t *context = json_object_get(line, "context");
    const json_t *names = json_object_get(line, "trusted");
    const json_t *trusted[TRUSTED_MAX];
    const vb_jinja_clock clock = {2025, 7, 10, 12, 0, 0};
    vb_jinja_input input = {.context = context,
                            .trusted = trusted,
                            .clock = json_is_true(json_object_get(line, "now")) ? &clock : NULL};
    vb_jinja *t;
    vb_error e;
    vb_jinja_output out;
    for (size_t i = 0; i < json_array_size(names) && i < TRUSTED_MAX; i++) {
        const json_t *v = json_object_get(context, json_string_value(json_array_get(names, i)));
        if (v) {
            trusted[input.n_trusted++] = v;
        }
    }
    vb_err err = vb_jinja_compile(json_string_value(source), json_string_length(source), &t, &e);
    if (!err) {
        err = vb_jinja_render(t, &input, &out, &e);
        vb_jinja_free(t);
    }
    if (err) {
        return json_pack("{s:s,s:s}", "error", vb_err_name(err), "message", e.msg);
    }
    json_t *result = output_json(&out);
    vb_jinja_output_free(&out);
    return result;
}

int main(void) {
    char *line = NULL;
    size_t cap = 0;
    while (getline(&line, &cap, stdin) > 0) {
        json_error_t why;
        json_t *in = json_loads(line, JSON_ALLOW_NUL, &why);
        if (!json_is_string(json_object_get(in, "template"))) {
            fprintf(stderr, "expected a line of JSON with a template: %s\n", why.text);
            return 1;
        }
        json_t *out = render_line(in);
        json_dumpf(out, stdout, JSON_COMPACT);
        putchar('\n');
        fflush(stdout);
        json_decref(out);
        json_decref(in);
    }
    free(line);
    return 0;
}
