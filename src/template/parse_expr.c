/*
 * Expressions, with the precedence of jinja2's parser: condition, or, and, not, comparison, + -, ~,
 * * / // %, **, sign, then calls, attributes, filters and tests. Operators of one level are one
 * node with a list, so that a long sum nests no deeper than a short one.
 */
#include <string.h>

#include "base/limits.h"
#include "template/ast.h"
#include "template/functions.h"

static vb_node *parse_or(vb_parser *p);
static vb_node *parse_unary(vb_parser *p, bool with_filters);
static vb_node *parse_primary(vb_parser *p);
static vb_node *parse_postfix(vb_parser *p, vb_node *node);

static bool at_operator(const vb_parser *p, const char *text) {
    return vb_token_is(vb_parser_peek(p), VB_JT_OPERATOR, text);
}

static bool skip_operator(vb_parser *p, const char *text) {
    return vb_parser_skip(p, VB_JT_OPERATOR, text);
}

static bool skip_name(vb_parser *p, const char *text) {
    return vb_parser_skip(p, VB_JT_NAME, text);
}

/* The node with more parts on its left, at the place of its first part. */
static vb_node *wrap(vb_parser *p, vb_node_kind kind, vb_node *first) {
    vb_node *node = vb_parser_node(p, kind);
    if (node && first) {
        node->line = first->line;
        node->column = first->column;
    }
    return node;
}

vb_node *vb_parse_expression(vb_parser *p, bool with_condition) {
    if (!vb_parser_enter(p)) {
        return NULL;
    }
    vb_node *node = parse_or(p);
    while (with_condition && !p->err && skip_name(p, "if")) {
        vb_node *condition = wrap(p, VB_NODE_CONDITION, node);
        vb_node *test = parse_or(p);
        vb_node *otherwise = skip_name(p, "else") ? vb_parse_expression(p, true) : NULL;
        if (!condition) {
            break;
        }
        condition->a = test;
        condition->b = node;
        condition->c = otherwise;
        node = condition;
    }
    vb_parser_leave(p);
    return node;
}

static vb_node *parse_compare(vb_parser *p);

static vb_node *parse_not(vb_parser *p) {
    if (!vb_token_is(vb_parser_peek(p), VB_JT_NAME, "not")) {
        return parse_compare(p);
    }
    vb_node *node = vb_parser_node(p, VB_NODE_NOT);
    p->at++;
    if (!vb_parser_enter(p)) {
        return NULL;
    }
    vb_node *inner = parse_not(p);
    vb_parser_leave(p);
    if (node) {
        node->a = inner;
    }
    return node;
}

/* A row of operands with a word between them. */
static vb_node *parse_row(vb_parser *p, vb_node_kind kind, vb_jinja_token_kind between_kind,
                          const char *between, vb_node *(*operand)(vb_parser *)) {
    vb_node *first = operand(p);
    size_t cap = 0;
    if (p->err || !vb_token_is(vb_parser_peek(p), between_kind, between)) {
        return first;
    }
    vb_node *row = wrap(p, kind, first);
    vb_node_add(p, row, &cap, first);
    while (vb_parser_skip(p, between_kind, between)) {
        vb_node_add(p, row, &cap, operand(p));
    }
    return row;
}

static vb_node *parse_and(vb_parser *p) {
    return parse_row(p, VB_NODE_AND, VB_JT_NAME, "and", parse_not);
}

static vb_node *parse_or(vb_parser *p) {
    return parse_row(p, VB_NODE_OR, VB_JT_NAME, "or", parse_and);
}

typedef struct operator_entry {
    const char *text;
    vb_op op;
} operator_entry;

/* Operands with any of a level's operators between them. */
static vb_node *parse_level(vb_parser *p, const operator_entry *ops,
                            vb_node *(*operand)(vb_parser *), vb_node_kind kind) {
    vb_node *first = operand(p), *row = NULL;
    size_t cap = 0;
    while (!p->err) {
        const operator_entry *o = ops;
        while (o->text && !at_operator(p, o->text)) {
            o++;
        }
        if (!o->text) {
            break;
        }
        row = row ? row : wrap(p, kind, first);
        vb_node *item = vb_parser_node(p, VB_NODE_OPERAND);
        p->at++;
        vb_node *value = operand(p);
        if (!row || !item) {
            break;
        }
        row->a = first;
        item->op = o->op;
        item->a = value;
        vb_node_add(p, row, &cap, item);
    }
    return row ? row : first;
}

static vb_node *parse_signed(vb_parser *p) {
    return parse_unary(p, true);
}

static vb_node *parse_power(vb_parser *p) {
    static const operator_entry ops[] = {{"**", VB_OP_POW}, {NULL, VB_OP_POW}};
    return parse_level(p, ops, parse_signed, VB_NODE_ARITHMETIC);
}

static vb_node *parse_product(vb_parser *p) {
    static const operator_entry ops[] = {{"*", VB_OP_MUL},
                                         {"/", VB_OP_DIV},
                                         {"//", VB_OP_FLOORDIV},
                                         {"%", VB_OP_MOD},
                                         {NULL, VB_OP_MOD}};
    return parse_level(p, ops, parse_power, VB_NODE_ARITHMETIC);
}

static vb_node *parse_concat(vb_parser *p) {
    return parse_row(p, VB_NODE_CONCAT, VB_JT_OPERATOR, "~", parse_product);
}

static vb_node *parse_sum(vb_parser *p) {
    static const operator_entry ops[] = {{"+", VB_OP_ADD}, {"-", VB_OP_SUB}, {NULL, VB_OP_SUB}};
    return parse_level(p, ops, parse_concat, VB_NODE_ARITHMETIC);
}

/* The comparison that begins here, its tokens skipped. */
static bool take_comparison(vb_parser *p, vb_op *op) {
    static const operator_entry ops[] = {{"==", VB_OP_EQ}, {"!=", VB_OP_NE}, {"<", VB_OP_LT},
                                         {"<=", VB_OP_LE}, {">", VB_OP_GT},  {">=", VB_OP_GE}};
    const vb_jinja_token *t = vb_parser_peek(p);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (skip_operator(p, ops[i].text)) {
            *op = ops[i].op;
            return true;
        }
    }
    if (skip_name(p, "in")) {
        *op = VB_OP_IN;
        return true;
    }
    if (vb_token_is(t, VB_JT_NAME, "not") && vb_token_is(t + 1, VB_JT_NAME, "in")) {
        p->at += 2;
        *op = VB_OP_NOT_IN;
        return true;
    }
    return false;
}

static vb_node *parse_compare(vb_parser *p) {
    vb_node *first = parse_sum(p), *row = NULL;
    size_t cap = 0;
    vb_op op;
    while (!p->err && take_comparison(p, &op)) {
        row = row ? row : wrap(p, VB_NODE_COMPARE, first);
        vb_node *item = vb_parser_node(p, VB_NODE_OPERAND);
        vb_node *value = parse_sum(p);
        if (!row || !item) {
            break;
        }
        row->a = first;
        item->op = op;
        item->a = value;
        vb_node_add(p, row, &cap, item);
    }
    return row ? row : first;
}

static void parse_argument(vb_parser *p, vb_node *call, size_t *cap, unsigned *seen) {
    vb_node *argument = vb_parser_node(p, VB_NODE_ARGUMENT);
    const vb_jinja_token *t = vb_parser_peek(p);
    if (!argument) {
        return;
    }
    argument->op = VB_ARG_PLAIN;
    if (skip_operator(p, "*")) {
        argument->op = VB_ARG_LIST;
    } else if (skip_operator(p, "**")) {
        argument->op = VB_ARG_DICT;
    } else if (t->kind == VB_JT_NAME && vb_token_is(t + 1, VB_JT_OPERATOR, "=")) {
        argument->op = VB_ARG_KEYWORD;
        argument->name = vb_parser_name(p, t);
        p->at += 2;
    }
    const unsigned lists = 1u << VB_ARG_LIST | 1u << VB_ARG_DICT;
    bool late = argument->op == VB_ARG_PLAIN     ? (*seen & (lists | 1u << VB_ARG_KEYWORD)) != 0
                : argument->op == VB_ARG_KEYWORD ? (*seen & 1u << VB_ARG_DICT) != 0
                : argument->op == VB_ARG_LIST    ? (*seen & lists) != 0
                                                 : (*seen & 1u << VB_ARG_DICT) != 0;
    if (late) {
        vb_parser_fail(p, VB_EFORMAT, t->line, t->column,
                       "an argument after one that must come later");
        return;
    }
    *seen |= 1u << argument->op;
    argument->a = vb_parse_expression(p, true);
    vb_node_add(p, call, cap, argument);
}

static void parse_arguments(vb_parser *p, vb_node *call) {
    size_t cap = 0;
    unsigned seen = 0;
    bool more = false;
    if (!vb_parser_expect(p, VB_JT_OPERATOR, "(")) {
        return;
    }
    while (!p->err && !at_operator(p, ")")) {
        if (more && (!vb_parser_expect(p, VB_JT_OPERATOR, ",") || at_operator(p, ")"))) {
            break;
        }
        parse_argument(p, call, &cap, &seen);
        more = true;
    }
    (void)vb_parser_expect(p, VB_JT_OPERATOR, ")");
}

static vb_node *parse_call(vb_parser *p, vb_node *callee) {
    vb_node *call = vb_parser_node(p, VB_NODE_CALL);
    if (call) {
        call->a = callee;
        parse_arguments(p, call);
    }
    return call;
}

/* What stands between [ and ]: an expression, or a slice. */
static vb_node *parse_subscript(vb_parser *p, vb_node *object) {
    vb_node *item = vb_parser_node(p, VB_NODE_ITEM), *parts[3] = {NULL, NULL, NULL};
    size_t cap = 0, colons = 0;
    p->at++;
    if (!item) {
        return NULL;
    }
    item->a = object;
    if (!at_operator(p, ":")) {
        parts[0] = vb_parse_expression(p, true);
    }
    while (!p->err && colons < 2 && skip_operator(p, ":")) {
        colons++;
        if (!at_operator(p, ":") && !at_operator(p, "]") && !at_operator(p, ",")) {
            parts[colons] = vb_parse_expression(p, true);
        }
    }
    if (at_operator(p, ",")) {
        const vb_jinja_token *t = vb_parser_peek(p);
        vb_parser_fail(p, VB_EUNSUPPORTED, t->line, t->column,
                       "an index of several parts is not supported");
    }
    (void)vb_parser_expect(p, VB_JT_OPERATOR, "]");
    if (!colons) {
        item->b = parts[0];
        return item;
    }
    item->kind = VB_NODE_SLICE;
    for (int i = 0; i < 3; i++) {
        vb_node_add(p, item, &cap, parts[i]);
    }
    return item;
}

static vb_node *parse_attribute(vb_parser *p, vb_node *object) {
    vb_node *node = vb_parser_node(p, VB_NODE_ATTRIBUTE);
    p->at++;
    const vb_jinja_token *t = vb_parser_peek(p);
    if (!node) {
        return NULL;
    }
    node->a = object;
    if (t->kind == VB_JT_INTEGER) {
        vb_node *index = vb_parser_node(p, VB_NODE_INTEGER);
        node->kind = VB_NODE_ITEM;
        node->b = index;
        if (index) {
            index->integer = t->integer;
        }
    } else if (t->kind == VB_JT_NAME) {
        char *name = vb_parser_take(p, t->len + 1); /* errors name it: it ends with a zero byte */
        if (name) {
            node->text = memcpy(name, t->p, t->len);
            node->text_len = t->len;
        }
    } else {
        vb_parser_unexpected(p, "the name of an attribute, or a number");
    }
    p->at++;
    return p->err ? NULL : node;
}

static vb_node *parse_postfix(vb_parser *p, vb_node *node) {
    for (unsigned links = 0; !p->err; links++) {
        if (links > VB_JINJA_NESTING_MAX) {
            const vb_jinja_token *t = vb_parser_peek(p);
            vb_parser_fail(p, VB_ELIMIT, t->line, t->column,
                           "more than %u attributes and calls in a row", VB_JINJA_NESTING_MAX);
        } else if (at_operator(p, ".")) {
            node = parse_attribute(p, node);
        } else if (at_operator(p, "[")) {
            node = parse_subscript(p, node);
        } else if (at_operator(p, "(")) {
            node = parse_call(p, node);
        } else {
            break;
        }
    }
    return node;
}

/* A name with dots in it, as filters and tests may have. */
static void parse_dotted(vb_parser *p, vb_node *node, const char *expected) {
    const vb_jinja_token *t = vb_parser_peek(p);
    if (t->kind != VB_JT_NAME) {
        vb_parser_unexpected(p, expected);
        return;
    }
    node->text = t->p;
    node->text_len = t->len;
    p->at++;
    while (!p->err && at_operator(p, ".")) {
        vb_parser_unexpected(p, "a name without a dot");
    }
}

vb_node *vb_parse_filters(vb_parser *p, vb_node *input, bool begin_with_name) {
    for (unsigned links = 0; !p->err && (begin_with_name || at_operator(p, "|")); links++) {
        p->at += begin_with_name ? 0 : 1;
        begin_with_name = false;
        vb_node *filter = vb_parser_node(p, VB_NODE_FILTER);
        if (!filter) {
            return NULL;
        }
        filter->a = input;
        parse_dotted(p, filter, "the name of a filter");
        if (links > VB_JINJA_NESTING_MAX) {
            vb_parser_fail(p, VB_ELIMIT, filter->line, filter->column,
                           "more than %u filters in a row", VB_JINJA_NESTING_MAX);
        }
        if (!p->err) {
            filter->entry = vb_filter_find(filter->text, filter->text_len);
        }
        if (!p->err && at_operator(p, "(")) {
            parse_arguments(p, filter);
        }
        input = filter;
    }
    return input;
}

/* Whether a test's only argument stands here without parentheses. */
static bool at_test_argument(const vb_parser *p) {
    const vb_jinja_token *t = vb_parser_peek(p);
    switch (t->kind) {
    case VB_JT_NAME:
        return !vb_token_is(t, VB_JT_NAME, "else") && !vb_token_is(t, VB_JT_NAME, "or") &&
               !vb_token_is(t, VB_JT_NAME, "and");
    case VB_JT_STRING:
    case VB_JT_INTEGER:
    case VB_JT_FLOAT: return true;
    default: return vb_token_is(t, VB_JT_OPERATOR, "[") || vb_token_is(t, VB_JT_OPERATOR, "{");
    }
}

static vb_node *parse_test(vb_parser *p, vb_node *value) {
    vb_node *node = vb_parser_node(p, VB_NODE_TEST), *result = node;
    size_t cap = 0;
    p->at++;
    if (!node) {
        return NULL;
    }
    node->a = value;
    if (skip_name(p, "not")) {
        result = wrap(p, VB_NODE_NOT, node);
        if (!result) {
            return NULL;
        }
        result->a = node;
    }
    parse_dotted(p, node, "the name of a test");
    if (p->err) {
        return NULL;
    }
    node->entry = vb_test_find(node->text, node->text_len);
    if (at_operator(p, "(")) {
        parse_arguments(p, node);
    } else if (at_test_argument(p)) {
        vb_node *argument = vb_parser_node(p, VB_NODE_ARGUMENT);
        if (vb_token_is(vb_parser_peek(p), VB_JT_NAME, "is")) {
            vb_parser_unexpected(p, "a test that is not chained with another");
            return NULL;
        }
        vb_node *inner = parse_postfix(p, parse_primary(p));
        if (argument) {
            argument->op = VB_ARG_PLAIN;
            argument->a = inner;
            vb_node_add(p, node, &cap, argument);
        }
    }
    return result;
}

static vb_node *parse_filter_row(vb_parser *p, vb_node *node) {
    for (unsigned links = 0; !p->err; links++) {
        if (links > VB_JINJA_NESTING_MAX) {
            const vb_jinja_token *t = vb_parser_peek(p);
            vb_parser_fail(p, VB_ELIMIT, t->line, t->column,
                           "more than %u filters and tests in a row", VB_JINJA_NESTING_MAX);
        } else if (at_operator(p, "|")) {
            node = vb_parse_filters(p, node, false);
        } else if (vb_token_is(vb_parser_peek(p), VB_JT_NAME, "is")) {
            node = parse_test(p, node);
        } else if (at_operator(p, "(")) {
            node = parse_call(p, node);
        } else {
            break;
        }
    }
    return node;
}

static vb_node *parse_unary(vb_parser *p, bool with_filters) {
    vb_node *node;
    if (!vb_parser_enter(p)) {
        return NULL;
    }
    if (at_operator(p, "-") || at_operator(p, "+")) {
        node = vb_parser_node(p, at_operator(p, "-") ? VB_NODE_NEGATE : VB_NODE_PLUS);
        p->at++;
        vb_node *inner = parse_unary(p, false);
        if (node) {
            node->a = inner;
        }
    } else {
        node = parse_primary(p);
    }
    node = parse_postfix(p, node);
    node = with_filters ? parse_filter_row(p, node) : node;
    vb_parser_leave(p);
    return node;
}

static vb_node *parse_name(vb_parser *p) {
    const vb_jinja_token *t = vb_parser_peek(p);
    vb_node *node = vb_parser_node(p, VB_NODE_NAME);
    if (!node) {
        return NULL;
    }
    bool yes = vb_token_is(t, VB_JT_NAME, "true") || vb_token_is(t, VB_JT_NAME, "True");
    if (yes || vb_token_is(t, VB_JT_NAME, "false") || vb_token_is(t, VB_JT_NAME, "False")) {
        node->kind = VB_NODE_BOOL;
        node->integer = yes;
    } else if (vb_token_is(t, VB_JT_NAME, "none") || vb_token_is(t, VB_JT_NAME, "None")) {
        node->kind = VB_NODE_NONE;
    } else {
        node->name = vb_parser_name(p, t);
        p->special |= node->name == p->t->name_varargs  ? VB_MACRO_VARARGS
                      : node->name == p->t->name_kwargs ? VB_MACRO_KWARGS
                      : node->name == p->t->name_caller ? VB_MACRO_CALLER
                                                        : 0;
    }
    p->at++;
    return node;
}

/* Strings that follow one another are one. */
static vb_node *parse_string(vb_parser *p) {
    vb_node *node = vb_parser_node(p, VB_NODE_STRING);
    size_t n = 0, len = 0;
    const vb_jinja_token *t = vb_parser_peek(p);
    for (; t[n].kind == VB_JT_STRING; n++) {
        len += t[n].len;
    }
    char *text = n == 1 ? NULL : vb_parser_take(p, len + 1);
    if (!node || (n > 1 && !text)) {
        return NULL;
    }
    node->text = n == 1 ? t->p : text;
    node->text_len = len;
    for (size_t i = 0; text && i < n; i++) {
        memcpy(text, t[i].p, t[i].len);
        text += t[i].len;
    }
    p->at += n;
    return node;
}

static vb_node *parse_items(vb_parser *p, vb_node_kind kind, const char *end) {
    vb_node *node = vb_parser_node(p, kind);
    size_t cap = 0;
    p->at++;
    while (node && !p->err && !at_operator(p, end)) {
        if (node->n && (!vb_parser_expect(p, VB_JT_OPERATOR, ",") || at_operator(p, end))) {
            break;
        }
        vb_node_add(p, node, &cap, vb_parse_expression(p, true));
        if (kind == VB_NODE_DICT && vb_parser_expect(p, VB_JT_OPERATOR, ":")) {
            vb_node_add(p, node, &cap, vb_parse_expression(p, true));
        }
    }
    (void)vb_parser_expect(p, VB_JT_OPERATOR, end);
    return node;
}

static vb_node *parse_parenthesis(vb_parser *p) {
    vb_node *node;
    p->at++;
    if (at_operator(p, ")")) {
        node = vb_parser_node(p, VB_NODE_TUPLE);
    } else {
        node = vb_parse_tuple(p, true, NULL);
    }
    (void)vb_parser_expect(p, VB_JT_OPERATOR, ")");
    return node;
}

static vb_node *parse_primary(vb_parser *p) {
    const vb_jinja_token *t = vb_parser_peek(p);
    vb_node *node = NULL;
    if (p->err) {
        return NULL;
    }
    if (t->kind == VB_JT_NAME) {
        return parse_name(p);
    }
    if (t->kind == VB_JT_STRING) {
        return parse_string(p);
    }
    if (t->kind == VB_JT_INTEGER || t->kind == VB_JT_FLOAT) {
        node = vb_parser_node(p, t->kind == VB_JT_INTEGER ? VB_NODE_INTEGER : VB_NODE_FLOAT);
        if (node) {
            node->integer = t->integer;
            node->real = t->real;
        }
        p->at++;
        return node;
    }
    if (!vb_parser_enter(p)) {
        return NULL;
    }
    if (at_operator(p, "(")) {
        node = parse_parenthesis(p);
    } else if (at_operator(p, "[")) {
        node = parse_items(p, VB_NODE_LIST, "]");
    } else if (at_operator(p, "{")) {
        node = parse_items(p, VB_NODE_DICT, "}");
    } else {
        vb_parser_unexpected(p, "an expression");
    }
    vb_parser_leave(p);
    return node;
}

static bool at_tuple_end(const vb_parser *p, const char *end_name) {
    const vb_jinja_token *t = vb_parser_peek(p);
    return t->kind == VB_JT_OUTPUT_END || t->kind == VB_JT_TAG_END || at_operator(p, ")") ||
           (end_name && vb_token_is(t, VB_JT_NAME, end_name));
}

static vb_node *parse_tuple_of(vb_parser *p, bool targets, bool with_condition,
                               const char *end_name) {
    vb_node *first = targets ? parse_primary(p) : vb_parse_expression(p, with_condition);
    size_t cap = 0;
    if (p->err || !at_operator(p, ",")) {
        return first;
    }
    vb_node *tuple = wrap(p, VB_NODE_TUPLE, first);
    vb_node_add(p, tuple, &cap, first);
    while (!p->err && skip_operator(p, ",") && !at_tuple_end(p, end_name)) {
        vb_node_add(p, tuple, &cap,
                    targets ? parse_primary(p) : vb_parse_expression(p, with_condition));
    }
    return tuple;
}

vb_node *vb_parse_tuple(vb_parser *p, bool with_condition, const char *end_name) {
    if (at_tuple_end(p, end_name)) {
        vb_parser_unexpected(p, "an expression");
        return NULL;
    }
    return parse_tuple_of(p, false, with_condition, end_name);
}

static bool can_assign(const vb_parser *p, const vb_node *node) {
    if (!node || (node->kind != VB_NODE_NAME && node->kind != VB_NODE_TUPLE)) {
        return false;
    }
    for (size_t i = 0; node->kind == VB_NODE_TUPLE && i < node->n; i++) {
        if (!can_assign(p, node->list[i])) {
            return false;
        }
    }
    return true;
}

vb_node *vb_parse_target(vb_parser *p, bool with_namespace, const char *end_name) {
    const vb_jinja_token *t = vb_parser_peek(p);
    if (with_namespace && t->kind == VB_JT_NAME && vb_token_is(t + 1, VB_JT_OPERATOR, ".")) {
        vb_node *node = vb_parser_node(p, VB_NODE_NAMESPACE_TARGET);
        if (t[2].kind != VB_JT_NAME) {
            p->at += 2;
            vb_parser_unexpected(p, "the name of an attribute");
        } else if (node) {
            node->name = vb_parser_name(p, t);
            node->text = t[2].p;
            node->text_len = t[2].len;
            p->at += 3;
        }
        return node;
    }
    const unsigned special = p->special;
    vb_node *target = parse_tuple_of(p, true, true, end_name);
    p->special = special; /* setting a name is not reading it */
    if (!p->err && !can_assign(p, target)) {
        vb_parser_fail(p, VB_EFORMAT, t->line, t->column, "expected a name to set");
    }
    return target;
}
