/* Compiling, rendering, and the state of a render: its errors, memory, steps and depth. */
#include "template/jinja.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "template/value.h"

/* Newlines become \n, and one at the very end is left out, as jinja2 does. */
static char *normal_source(vb_parser *p, const char *source, size_t n, size_t *len) {
    char *copy = vb_parser_take(p, n + 1);
    size_t k = 0;
    for (size_t i = 0; copy && i < n; i++) {
        if (source[i] == '\r') {
            copy[k++] = '\n';
            i += i + 1 < n && source[i + 1] == '\n';
        } else {
            copy[k++] = source[i];
        }
    }
    k -= k && copy[k - 1] == '\n';
    *len = k;
    return copy;
}

static void compile(vb_parser *p, const char *source, size_t n_bytes) {
    struct vb_jinja *t = p->t;
    size_t len;
    char *copy = normal_source(p, source, n_bytes, &len);
    t->name_loop = vb_names_add(p, "loop", 4);
    t->name_caller = vb_names_add(p, "caller", 6);
    t->name_varargs = vb_names_add(p, "varargs", 7);
    t->name_kwargs = vb_names_add(p, "kwargs", 6);
    if (!p->err) {
        vb_jinja_lex(p, copy, len);
    }
    if (!p->err) {
        t->root = vb_jinja_parse(p);
    }
    if (!p->err) {
        vb_jinja_find_hidden(p, t->root);
    }
}

vb_err vb_jinja_compile(const char *source, size_t n_bytes, vb_jinja **out, vb_error *e) {
    if (n_bytes > VB_CHAT_TEMPLATE_BYTES_MAX) {
        return vb_fail(e, VB_ELIMIT, "the chat template has %zu bytes, the limit is %u", n_bytes,
                       VB_CHAT_TEMPLATE_BYTES_MAX);
    }
    struct vb_jinja *t = calloc(1, sizeof *t);
    if (!t) {
        return vb_fail(e, VB_ENOMEM, "no memory for the chat template");
    }
    t->arena.max_bytes = VB_JINJA_MEMORY_BYTES_MAX;
    vb_parser p = {.t = t, .e = e};
    compile(&p, source, n_bytes);
    free(p.tokens);
    if (p.err) {
        vb_jinja_free(t);
        return p.err;
    }
    *out = t;
    return VB_OK;
}

void vb_jinja_free(vb_jinja *t) {
    if (t) {
        vb_arena_free(&t->arena);
        free(t);
    }
}

bool vb_jinja_mentions(const vb_jinja *t, const char *name) {
    return vb_names_find(t, name, strlen(name)) != VB_NAME_ABSENT;
}

vb_value vb_render_fail(vb_render *r, vb_err code, const char *fmt, ...) {
    char text[VB_ERROR_MSG_MAX];
    va_list args;
    if (!r->err) {
        va_start(args, fmt);
        vsnprintf(text, sizeof text, fmt, args);
        va_end(args);
        r->err = vb_fail(r->e, code, "chat template, line %u, column %u: %s",
                         r->at ? r->at->line : 1, r->at ? r->at->column : 1, text);
    }
    return vb_undefined(NULL);
}

void vb_render_no_memory(vb_render *r) {
    if (r->arena.full) {
        vb_render_fail(r, VB_ELIMIT, "the render needs more than %zu bytes of memory",
                       r->arena.max_bytes);
    } else {
        vb_render_fail(r, VB_ENOMEM, "no memory for the render");
    }
}

void *vb_render_take(vb_render *r, size_t n, size_t size) {
    size_t bytes;
    if (r->err) {
        return NULL;
    }
    if (!vb_mul_size(n, size, &bytes)) {
        bytes = SIZE_MAX;
    }
    void *p = vb_arena_take(&r->arena, bytes);
    if (!p) {
        vb_render_no_memory(r);
    }
    return p;
}

bool vb_render_step(vb_render *r, size_t n) {
    if (r->err) {
        return false;
    }
    if (n > VB_JINJA_STEPS_MAX - r->steps) {
        vb_render_fail(r, VB_ELIMIT, "the render takes more than %u steps", VB_JINJA_STEPS_MAX);
        return false;
    }
    r->steps += n;
    return true;
}

bool vb_render_enter(vb_render *r) {
    if (!vb_render_step(r, 1)) {
        return false;
    }
    if (r->depth >= VB_JINJA_DEPTH_MAX) {
        vb_render_fail(r, VB_ELIMIT, "values or calls nested deeper than %u", VB_JINJA_DEPTH_MAX);
        return false;
    }
    r->depth++;
    return true;
}

void vb_render_leave(vb_render *r) {
    r->depth--;
}

/* The builder's bytes and marks become the caller's. */
static vb_err give_output(vb_render *r, const vb_builder *b, vb_jinja_output *out) {
    size_t n_runs = 0;
    char last = 2;
    for (size_t i = 0; b->marks && i < b->len; i++) {
        n_runs += b->marks[i] != last;
        last = b->marks[i];
    }
    n_runs = b->marks ? n_runs : b->len > 0;
    vb_jinja_output o = {.text = malloc(b->len + 1), .n_bytes = b->len};
    o.runs = malloc((n_runs ? n_runs : 1) * sizeof *o.runs);
    if (!o.text || !o.runs) {
        vb_jinja_output_free(&o);
        return vb_fail(r->e, VB_ENOMEM, "no memory for a prompt of %zu bytes", b->len);
    }
    if (b->len) {
        memcpy(o.text, b->p, b->len);
    }
    o.text[b->len] = 0;
    for (size_t i = 0; i < b->len; i++) {
        bool trusted = b->marks ? b->marks[i] != 0 : b->trusted;
        if (!o.n_runs || o.runs[o.n_runs - 1].trusted != trusted) {
            o.runs[o.n_runs++].trusted = trusted;
        }
        o.runs[o.n_runs - 1].end = i + 1;
    }
    *out = o;
    return VB_OK;
}

vb_err vb_jinja_render(const vb_jinja *t, const vb_jinja_input *input, vb_jinja_output *out,
                       vb_error *e) {
    vb_render r = {.t = t, .input = input, .e = e};
    vb_builder b = {.r = &r};
    if (!json_is_object(input->context)) {
        return vb_fail(e, VB_EINVAL, "the context of a chat template: expected an object");
    }
    r.arena.max_bytes =
        input->memory_bytes_max ? input->memory_bytes_max : VB_JINJA_MEMORY_BYTES_MAX;
    r.out = &b;
    r.globals = vb_render_take(&r, t->names.n, sizeof *r.globals);
    for (uint32_t i = 0; r.globals && i < t->names.n; i++) {
        r.globals[i] = (vb_value){.kind = VB_VALUE_MISSING};
    }
    r.scope = vb_scope_make(&r, NULL);
    vb_hide(&r, t->root);
    if (!r.err) {
        (void)vb_execute(&r, t->root);
    }
    vb_err err = r.err ? r.err : give_output(&r, &b, out);
    vb_arena_free(&r.arena);
    return err;
}

void vb_jinja_output_free(vb_jinja_output *o) {
    free(o->text);
    free(o->runs);
    *o = (vb_jinja_output){0};
}
