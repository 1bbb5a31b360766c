/*
 * A template in parts: tokens (lexer.c), then nodes (parse.c, parse_expr.c). Internal to
 * src/template. All of it lives in the compiled template's arena.
 */
#ifndef VB_TEMPLATE_AST_H
#define VB_TEMPLATE_AST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "template/arena.h"

typedef enum vb_jinja_token_kind {
    VB_JT_DATA,
    VB_JT_OUTPUT_BEGIN,
    VB_JT_OUTPUT_END,
    VB_JT_TAG_BEGIN,
    VB_JT_TAG_END,
    VB_JT_NAME,
    VB_JT_STRING,
    VB_JT_INTEGER,
    VB_JT_FLOAT,
    VB_JT_OPERATOR,
    VB_JT_EOF
} vb_jinja_token_kind;

typedef struct vb_jinja_token {
    vb_jinja_token_kind kind;
    uint32_t line, column; /* from 1; columns count bytes */
    const char *p;         /* text of data, names, operators; unescaped text of strings */
    size_t len;
    int64_t integer;
    double real;
} vb_jinja_token;

typedef enum vb_node_kind {
    /* statements */
    VB_NODE_BLOCK,      /* list */
    VB_NODE_DATA,       /* text */
    VB_NODE_OUTPUT,     /* a */
    VB_NODE_IF,         /* list: condition, block, condition, block ...; a: else, or NULL */
    VB_NODE_FOR,        /* a: target; b: what; c: condition or NULL; list: body, else or NULL; flag:
                           recursive */
    VB_NODE_SET,        /* a: target; b: value */
    VB_NODE_SET_BLOCK,  /* a: target; b: filters or NULL; c: body */
    VB_NODE_MACRO,      /* name; list: parameters; a: body; flag bits: VB_MACRO_... */
    VB_NODE_CALL_BLOCK, /* list: parameters; a: the call; b: body */
    VB_NODE_FILTER_BLOCK, /* a: filters; b: body */
    VB_NODE_WITH,         /* list: target, value, target, value ...; a: body */
    VB_NODE_SCOPE,        /* a: body */
    VB_NODE_BREAK,
    VB_NODE_CONTINUE,
    /* targets and parts */
    VB_NODE_NAMESPACE_TARGET, /* name . attribute */
    VB_NODE_PARAMETER,        /* name; a: default or NULL */
    VB_NODE_ARGUMENT,         /* a; name where op is VB_ARG_KEYWORD */
    VB_NODE_OPERAND,          /* op; a */
    /* expressions */
    VB_NODE_NONE,
    VB_NODE_BOOL,       /* integer: 0 or 1 */
    VB_NODE_INTEGER,    /* integer */
    VB_NODE_FLOAT,      /* real */
    VB_NODE_STRING,     /* text */
    VB_NODE_NAME,       /* name */
    VB_NODE_LIST,       /* list */
    VB_NODE_TUPLE,      /* list */
    VB_NODE_DICT,       /* list: key, value, key, value ... */
    VB_NODE_ATTRIBUTE,  /* a . text */
    VB_NODE_ITEM,       /* a [b] */
    VB_NODE_SLICE,      /* a [list: start, stop, step; each may be NULL] */
    VB_NODE_CALL,       /* a (list of arguments) */
    VB_NODE_FILTER,     /* a (NULL: the text of a block) | text (list) ; entry */
    VB_NODE_TEST,       /* a is text (list); entry */
    VB_NODE_NOT,        /* a */
    VB_NODE_NEGATE,     /* a */
    VB_NODE_PLUS,       /* a */
    VB_NODE_CONDITION,  /* b if a else c (or NULL) */
    VB_NODE_AND,        /* list */
    VB_NODE_OR,         /* list */
    VB_NODE_COMPARE,    /* a, then list of operands */
    VB_NODE_ARITHMETIC, /* a, then list of operands, from left to right */
    VB_NODE_CONCAT      /* list */
} vb_node_kind;

typedef enum vb_op {
    VB_OP_ADD,
    VB_OP_SUB,
    VB_OP_MUL,
    VB_OP_DIV,
    VB_OP_FLOORDIV,
    VB_OP_MOD,
    VB_OP_POW,
    VB_OP_EQ,
    VB_OP_NE,
    VB_OP_LT,
    VB_OP_LE,
    VB_OP_GT,
    VB_OP_GE,
    VB_OP_IN,
    VB_OP_NOT_IN,
    VB_ARG_PLAIN,
    VB_ARG_KEYWORD,
    VB_ARG_LIST, /* *args */
    VB_ARG_DICT  /* **kwargs */
} vb_op;

enum { VB_MACRO_VARARGS = 1, VB_MACRO_KWARGS = 2, VB_MACRO_CALLER = 4 };

typedef struct vb_node vb_node;
struct vb_node {
    vb_node_kind kind;
    vb_op op;
    uint32_t line, column;
    uint32_t name, attribute; /* indices of names */
    unsigned flags;
    vb_node *a, *b, *c;
    vb_node **list;
    size_t n;
    const char *text; /* UTF-8 */
    size_t text_len;
    int64_t integer;
    double real;
    /* BLOCK with a scope of its own: names that are undefined in it until they are set, though
     * there may be variables of these names outside (symbols.c). */
    uint32_t *hidden;
    uint32_t n_hidden;
    const void *entry; /* the filter's or test's table entry; NULL: there is none of that name */
};

/* Names of variables, each once: a variable is looked up by number. */
typedef struct vb_names {
    const char **text; /* zero-terminated */
    uint32_t n, cap;
    uint32_t *slots; /* number + 1; open addressing */
    uint32_t n_slots;
} vb_names;

struct vb_jinja {
    vb_arena arena;
    vb_node *root;
    vb_names names;
    uint32_t name_loop, name_caller, name_varargs, name_kwargs;
};

typedef struct vb_parser {
    struct vb_jinja *t;
    vb_jinja_token *tokens;
    size_t n_tokens, cap_tokens;
    size_t at;
    unsigned depth;   /* of nesting */
    unsigned loops;   /* for statements around this place, inside the innermost macro */
    unsigned special; /* VB_MACRO_...: names seen since the innermost macro began */
    vb_err err;       /* sticky: the first failure */
    vb_error *e;
} vb_parser;

/* The first failure counts; its message begins with the place. */
void vb_parser_fail(vb_parser *p, vb_err code, uint32_t line, uint32_t column, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* Arena memory, cleared; NULL after setting p->err. */
void *vb_parser_take(vb_parser *p, size_t n_bytes);

/* Cuts source, whose newlines are \n, into p->tokens; the last is VB_JT_EOF. */
void vb_jinja_lex(vb_parser *p, const char *source, size_t n_bytes);

/* The whole template. */
vb_node *vb_jinja_parse(vb_parser *p);

/* Fills `hidden` of all blocks. */
void vb_jinja_find_hidden(vb_parser *p, vb_node *root);

/* For parse.c: the parts of expressions. NULL only after an error. */
vb_node *vb_parse_expression(vb_parser *p, bool with_condition);
vb_node *vb_parse_tuple(vb_parser *p, bool with_condition, const char *end_name);
vb_node *vb_parse_target(vb_parser *p, bool with_namespace, const char *end_name);
vb_node *vb_parse_filters(vb_parser *p, vb_node *input, bool begin_with_name);

/* For both: tokens and nodes. */
const vb_jinja_token *vb_parser_peek(const vb_parser *p);
bool vb_token_is(const vb_jinja_token *t, vb_jinja_token_kind kind, const char *text);
bool vb_parser_skip(vb_parser *p, vb_jinja_token_kind kind, const char *text);
bool vb_parser_expect(vb_parser *p, vb_jinja_token_kind kind, const char *text);
void vb_parser_unexpected(vb_parser *p, const char *expected);
vb_node *vb_parser_node(vb_parser *p, vb_node_kind kind);
uint32_t vb_parser_name(vb_parser *p, const vb_jinja_token *t);
/* Appends to a list that began with cap == 0. */
void vb_node_add(vb_parser *p, vb_node *list, size_t *cap, vb_node *item);
bool vb_parser_enter(vb_parser *p);
void vb_parser_leave(vb_parser *p);

#define VB_NAME_ABSENT UINT32_MAX
/* The number of a name; adds it when p is given, else VB_NAME_ABSENT when unknown. */
uint32_t vb_names_find(const struct vb_jinja *t, const char *p, size_t len);
uint32_t vb_names_add(vb_parser *p, const char *text, size_t len);

#endif
