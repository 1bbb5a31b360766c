/*
 * Statements, and the small things that both halves of the parser share. What this engine does not
 * have is refused here, by its name.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "template/ast.h"

enum { END_TAGS_MAX = 4 };

void vb_parser_fail(vb_parser *p, vb_err code, uint32_t line, uint32_t column, const char *fmt,
                    ...) {
    char text[VB_ERROR_MSG_MAX];
    va_list args;
    if (p->err) {
        return;
    }
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    p->err = vb_fail(p->e, code, "chat template, line %u, column %u: %s", line, column, text);
}

void *vb_parser_take(vb_parser *p, size_t n_bytes) {
    void *bytes = p->err ? NULL : vb_arena_take(&p->t->arena, n_bytes);
    if (bytes) {
        return memset(bytes, 0, n_bytes);
    }
    if (!p->err) {
        p->err = p->t->arena.full
                     ? vb_fail(p->e, VB_ELIMIT, "the chat template needs more than %zu bytes",
                               p->t->arena.max_bytes)
                     : vb_fail(p->e, VB_ENOMEM, "no memory for the chat template");
    }
    return NULL;
}

const vb_jinja_token *vb_parser_peek(const vb_parser *p) {
    return &p->tokens[p->at < p->n_tokens ? p->at : p->n_tokens - 1];
}

bool vb_token_is(const vb_jinja_token *t, vb_jinja_token_kind kind, const char *text) {
    return t->kind == kind &&
           (!text || (strlen(text) == t->len && memcmp(t->p, text, t->len) == 0));
}

bool vb_parser_skip(vb_parser *p, vb_jinja_token_kind kind, const char *text) {
    if (p->err || !vb_token_is(vb_parser_peek(p), kind, text)) {
        return false;
    }
    p->at++;
    return true;
}

void vb_parser_unexpected(vb_parser *p, const char *expected) {
    const vb_jinja_token *t = vb_parser_peek(p);
    const char *what = NULL;
    switch (t->kind) {
    case VB_JT_DATA: what = "text"; break;
    case VB_JT_OUTPUT_BEGIN: what = "{{"; break;
    case VB_JT_OUTPUT_END: what = "}}"; break;
    case VB_JT_TAG_BEGIN: what = "{%"; break;
    case VB_JT_TAG_END: what = "%}"; break;
    case VB_JT_STRING: what = "a string"; break;
    case VB_JT_EOF: what = "the end"; break;
    case VB_JT_NAME:
    case VB_JT_INTEGER:
    case VB_JT_FLOAT:
    case VB_JT_OPERATOR: break;
    }
    const int len = what ? (int)strlen(what) : t->len > 64 ? 64 : (int)t->len;
    vb_parser_fail(p, VB_EFORMAT, t->line, t->column, "expected %s, not %.*s", expected, len,
                   what ? what : t->p);
}

bool vb_parser_expect(vb_parser *p, vb_jinja_token_kind kind, const char *text) {
    if (vb_parser_skip(p, kind, text)) {
        return true;
    }
    vb_parser_unexpected(p, text                       ? text
                            : kind == VB_JT_TAG_END    ? "%}"
                            : kind == VB_JT_OUTPUT_END ? "}}"
                                                       : "a name");
    return false;
}

vb_node *vb_parser_node(vb_parser *p, vb_node_kind kind) {
    vb_node *node = vb_parser_take(p, sizeof *node);
    if (node) {
        const vb_jinja_token *t = vb_parser_peek(p);
        node->kind = kind;
        node->line = t->line;
        node->column = t->column;
    }
    return node;
}

void vb_node_add(vb_parser *p, vb_node *list, size_t *cap, vb_node *item) {
    if (p->err || !list) {
        return;
    }
    if (list->n == *cap) {
        const size_t grown = *cap ? 2 * *cap : 4;
        vb_node **items = vb_parser_take(p, grown * sizeof *items);
        if (!items) {
            return;
        }
        if (list->n) {
            memcpy(items, list->list, list->n * sizeof *items);
        }
        list->list = items;
        *cap = grown;
    }
    list->list[list->n++] = item;
}

bool vb_parser_enter(vb_parser *p) {
    const vb_jinja_token *t = vb_parser_peek(p);
    if (!p->err && p->depth >= VB_JINJA_NESTING_MAX) {
        vb_parser_fail(p, VB_ELIMIT, t->line, t->column, "nested deeper than %u",
                       VB_JINJA_NESTING_MAX);
    }
    if (p->err) {
        return false;
    }
    p->depth++;
    return true;
}

void vb_parser_leave(vb_parser *p) {
    p->depth--;
}

static uint32_t name_hash(const char *p, size_t len) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ (uint8_t)p[i]) * 16777619u;
    }
    return h;
}

/* The slot of a name: where it is, or the empty one where it belongs. */
static uint32_t *name_slot(const vb_names *names, const char *p, size_t len) {
    uint32_t i = name_hash(p, len) & (names->n_slots - 1);
    for (;; i = (i + 1) & (names->n_slots - 1)) {
        uint32_t *slot = &names->slots[i];
        const char *text = *slot ? names->text[*slot - 1] : NULL;
        if (!text || (strlen(text) == len && memcmp(text, p, len) == 0)) {
            return slot;
        }
    }
}

uint32_t vb_names_find(const struct vb_jinja *t, const char *p, size_t len) {
    uint32_t found = t->names.n_slots ? *name_slot(&t->names, p, len) : 0;
    return found ? found - 1 : VB_NAME_ABSENT;
}

static bool grow_names(vb_parser *p) {
    vb_names *names = &p->t->names;
    const uint32_t n_slots = names->n_slots ? 2 * names->n_slots : 128;
    uint32_t *slots = vb_parser_take(p, n_slots * sizeof *slots);
    const char **text = vb_parser_take(p, n_slots / 2 * sizeof *text);
    if (!slots || !text) {
        return false;
    }
    for (uint32_t i = 0; i < names->n; i++) {
        text[i] = names->text[i];
    }
    names->text = text;
    names->slots = slots;
    names->n_slots = n_slots;
    names->cap = n_slots / 2;
    for (uint32_t i = 0; i < names->n; i++) {
        *name_slot(names, text[i], strlen(text[i])) = i + 1;
    }
    return true;
}

uint32_t vb_names_add(vb_parser *p, const char *text, size_t len) {
    vb_names *names = &p->t->names;
    const uint32_t found = vb_names_find(p->t, text, len);
    if (found != VB_NAME_ABSENT) {
        return found;
    }
    char *copy = vb_parser_take(p, len + 1);
    if (!copy || (names->n == names->cap && !grow_names(p))) {
        return 0;
    }
    memcpy(copy, text, len);
    names->text[names->n++] = copy;
    *name_slot(names, copy, len) = names->n;
    return names->n - 1;
}

uint32_t vb_parser_name(vb_parser *p, const vb_jinja_token *t) {
    return vb_names_add(p, t->p, t->len);
}

static vb_node *parse_until(vb_parser *p, const char *const *ends);

/* The body of a statement up to one of the tags `ends`, whose name is the next token. */
static vb_node *parse_body(vb_parser *p, const char *const *ends) {
    (void)vb_parser_skip(p, VB_JT_OPERATOR, ":");
    if (!vb_parser_expect(p, VB_JT_TAG_END, NULL) || !vb_parser_enter(p)) {
        return NULL;
    }
    vb_node *body = parse_until(p, ends);
    vb_parser_leave(p);
    return body;
}

/* The body of a statement with one end tag, which is skipped. */
static vb_node *parse_body_to(vb_parser *p, const char *end) {
    const char *const ends[] = {end, NULL};
    vb_node *body = parse_body(p, ends);
    p->at++;
    return body;
}

static void parse_for(vb_parser *p, vb_node *node) {
    static const char *const ends[] = {"endfor", "else", NULL};
    size_t cap = 0;
    node->a = vb_parse_target(p, false, "in");
    if (!vb_parser_expect(p, VB_JT_NAME, "in")) {
        return;
    }
    node->b = vb_parse_tuple(p, false, "recursive");
    if (vb_parser_skip(p, VB_JT_NAME, "if")) {
        node->c = vb_parse_expression(p, true);
    }
    node->flags = vb_parser_skip(p, VB_JT_NAME, "recursive");
    p->loops++;
    vb_node_add(p, node, &cap, parse_body(p, ends));
    p->loops--;
    vb_node *otherwise = NULL;
    if (vb_parser_skip(p, VB_JT_NAME, "else")) {
        otherwise = parse_body_to(p, "endfor");
    } else {
        p->at++;
    }
    vb_node_add(p, node, &cap, otherwise);
}

static void parse_if(vb_parser *p, vb_node *node) {
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    size_t cap = 0;
    do {
        vb_node_add(p, node, &cap, vb_parse_tuple(p, false, NULL));
        vb_node_add(p, node, &cap, parse_body(p, ends));
    } while (vb_parser_skip(p, VB_JT_NAME, "elif"));
    if (vb_parser_skip(p, VB_JT_NAME, "else")) {
        node->a = parse_body_to(p, "endif");
    } else {
        p->at++;
    }
}

static void parse_set(vb_parser *p, vb_node *node) {
    node->a = vb_parse_target(p, true, NULL);
    if (vb_parser_skip(p, VB_JT_OPERATOR, "=")) {
        node->b = vb_parse_tuple(p, true, NULL);
        return;
    }
    node->kind = VB_NODE_SET_BLOCK;
    node->b = vb_parse_filters(p, NULL, false);
    node->c = parse_body_to(p, "endset");
}

static void parse_parameters(vb_parser *p, vb_node *node) {
    size_t cap = 0;
    bool with_default = false;
    if (!vb_parser_expect(p, VB_JT_OPERATOR, "(")) {
        return;
    }
    while (!p->err && !vb_token_is(vb_parser_peek(p), VB_JT_OPERATOR, ")")) {
        if (node->n && !vb_parser_expect(p, VB_JT_OPERATOR, ",")) {
            return;
        }
        const vb_jinja_token *t = vb_parser_peek(p);
        vb_node *parameter = vb_parser_node(p, VB_NODE_PARAMETER);
        if (!vb_parser_expect(p, VB_JT_NAME, NULL) || !parameter) {
            return;
        }
        parameter->name = vb_parser_name(p, t);
        if (vb_parser_skip(p, VB_JT_OPERATOR, "=")) {
            with_default = true;
            parameter->a = vb_parse_expression(p, true);
        } else if (with_default) {
            vb_parser_fail(p, VB_EFORMAT, t->line, t->column,
                           "a parameter without a default after one with a default");
        }
        vb_node_add(p, node, &cap, parameter);
    }
    (void)vb_parser_expect(p, VB_JT_OPERATOR, ")");
}

/* A body that runs as a function of its own: loops around it are not its loops. */
static vb_node *parse_function_body(vb_parser *p, vb_node *node, const char *end) {
    const unsigned loops = p->loops, special = p->special;
    p->loops = p->special = 0;
    vb_node *body = parse_body_to(p, end);
    node->flags = p->special;
    p->loops = loops;
    p->special |= special;
    return body;
}

static void parse_macro(vb_parser *p, vb_node *node) {
    const vb_jinja_token *t = vb_parser_peek(p);
    if (vb_parser_expect(p, VB_JT_NAME, NULL)) {
        node->name = vb_parser_name(p, t);
        parse_parameters(p, node);
        node->a = parse_function_body(p, node, "endmacro");
    }
}

static void parse_call_block(vb_parser *p, vb_node *node) {
    if (vb_token_is(vb_parser_peek(p), VB_JT_OPERATOR, "(")) {
        parse_parameters(p, node);
    }
    node->a = vb_parse_expression(p, true);
    if (!p->err && node->a->kind != VB_NODE_CALL) {
        vb_parser_fail(p, VB_EFORMAT, node->line, node->column, "expected a call");
    }
    node->b = parse_function_body(p, node, "endcall");
}

static void parse_filter_block(vb_parser *p, vb_node *node) {
    node->a = vb_parse_filters(p, NULL, true);
    node->b = parse_body_to(p, "endfilter");
}

static void parse_with(vb_parser *p, vb_node *node) {
    size_t cap = 0;
    while (!p->err && vb_parser_peek(p)->kind != VB_JT_TAG_END) {
        if (node->n && !vb_parser_expect(p, VB_JT_OPERATOR, ",")) {
            return;
        }
        vb_node_add(p, node, &cap, vb_parse_target(p, false, NULL));
        if (vb_parser_expect(p, VB_JT_OPERATOR, "=")) {
            vb_node_add(p, node, &cap, vb_parse_expression(p, true));
        }
    }
    node->a = parse_body_to(p, "endwith");
}

static void parse_generation(vb_parser *p, vb_node *node) {
    node->a = parse_function_body(p, node, "endgeneration");
}

/* {% print a, b %} */
static void parse_print(vb_parser *p, vb_node *node) {
    size_t cap = 0;
    while (!p->err && vb_parser_peek(p)->kind != VB_JT_TAG_END) {
        if (node->n && !vb_parser_expect(p, VB_JT_OPERATOR, ",")) {
            return;
        }
        vb_node *output = vb_parser_node(p, VB_NODE_OUTPUT);
        if (output) {
            output->a = vb_parse_expression(p, true);
        }
        vb_node_add(p, node, &cap, output);
    }
}

static void parse_jump(vb_parser *p, vb_node *node) {
    if (!p->loops) {
        vb_parser_fail(p, VB_EFORMAT, node->line, node->column,
                       "expected break and continue inside a loop only");
    }
}

typedef struct statement_entry {
    const char *name;
    vb_node_kind kind;
    void (*parse)(vb_parser *, vb_node *); /* NULL: refused */
} statement_entry;

static const statement_entry statements[] = {
    {"if", VB_NODE_IF, parse_if},
    {"for", VB_NODE_FOR, parse_for},
    {"set", VB_NODE_SET, parse_set},
    {"macro", VB_NODE_MACRO, parse_macro},
    {"call", VB_NODE_CALL_BLOCK, parse_call_block},
    {"filter", VB_NODE_FILTER_BLOCK, parse_filter_block},
    {"with", VB_NODE_WITH, parse_with},
    {"generation", VB_NODE_SCOPE, parse_generation},
    {"print", VB_NODE_BLOCK, parse_print},
    {"break", VB_NODE_BREAK, parse_jump},
    {"continue", VB_NODE_CONTINUE, parse_jump},
    {"include", VB_NODE_BLOCK, NULL},
    {"import", VB_NODE_BLOCK, NULL},
    {"from", VB_NODE_BLOCK, NULL},
    {"extends", VB_NODE_BLOCK, NULL},
    {"block", VB_NODE_BLOCK, NULL},
    {"autoescape", VB_NODE_BLOCK, NULL},
};

static vb_node *parse_statement(vb_parser *p) {
    const vb_jinja_token *t = vb_parser_peek(p);
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        const statement_entry *s = &statements[i];
        if (!vb_token_is(t, VB_JT_NAME, s->name)) {
            continue;
        }
        vb_node *node = vb_parser_node(p, s->kind);
        if (!s->parse) {
            vb_parser_fail(p, VB_EUNSUPPORTED, t->line, t->column,
                           "the statement %s is not supported", s->name);
        }
        if (p->err || !node) {
            return NULL;
        }
        p->at++;
        s->parse(p, node);
        return node;
    }
    vb_parser_unexpected(p, "the name of a statement");
    return NULL;
}

static bool at_end_tag(const vb_parser *p, const char *const *ends) {
    for (; ends && *ends; ends++) {
        if (vb_token_is(vb_parser_peek(p), VB_JT_NAME, *ends)) {
            return true;
        }
    }
    return false;
}

static vb_node *parse_output(vb_parser *p) {
    vb_node *node = vb_parser_node(p, VB_NODE_OUTPUT);
    p->at++;
    if (node) {
        node->a = vb_parse_tuple(p, true, NULL);
        (void)vb_parser_expect(p, VB_JT_OUTPUT_END, NULL);
    }
    return node;
}

static vb_node *parse_data(vb_parser *p) {
    vb_node *node = vb_parser_node(p, VB_NODE_DATA);
    const vb_jinja_token *t = vb_parser_peek(p);
    p->at++;
    if (node) {
        node->text = t->p;
        node->text_len = t->len;
    }
    return node;
}

/* Text, outputs and statements up to a tag whose name is one of ends; NULL: up to the end. */
static vb_node *parse_until(vb_parser *p, const char *const *ends) {
    vb_node *block = vb_parser_node(p, VB_NODE_BLOCK);
    size_t cap = 0;
    while (!p->err) {
        const vb_jinja_token *t = vb_parser_peek(p);
        if (t->kind == VB_JT_EOF) {
            if (ends) {
                vb_parser_fail(p, VB_EFORMAT, t->line, t->column, "expected %s before the end",
                               ends[0]);
            }
            break;
        }
        if (t->kind == VB_JT_DATA) {
            vb_node_add(p, block, &cap, parse_data(p));
        } else if (t->kind == VB_JT_OUTPUT_BEGIN) {
            vb_node_add(p, block, &cap, parse_output(p));
        } else {
            p->at++;
            if (at_end_tag(p, ends)) {
                break;
            }
            vb_node_add(p, block, &cap, parse_statement(p));
            (void)vb_parser_expect(p, VB_JT_TAG_END, NULL);
        }
    }
    return block;
}

vb_node *vb_jinja_parse(vb_parser *p) {
    return parse_until(p, NULL);
}
