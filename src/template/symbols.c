/*
 * Which names a block hides. jinja2 decides before a render where each name of a block lives: a
 * name that the block sets, and that it neither read before nor an outer block knows, is the
 * block's own from its beginning, undefined until it is set, even where the context has a variable
 * of that name. A name that only some branches of an `if` set is not: there the context's is looked
 * up. This is jinja2's idtracking, as a pass over the nodes.
 */
#include <stdlib.h>
#include <string.h>

#include "template/ast.h"

enum { SEEN = 1, HIDDEN = 2, STORED = 4 };

typedef struct change {
    uint32_t name;
    uint8_t old;
} change;

typedef struct tracker {
    vb_parser *p;
    uint8_t *state;  /* of each name, in the block at hand */
    uint8_t *counts; /* of each name: branches that set it; zero between uses */
    uint32_t *above; /* of each name: blocks around this one that know it */
    change *log;     /* changes of state, to take them back */
    size_t n_log, cap_log;
} tracker;

static void set_state(tracker *x, uint32_t name, uint8_t state) {
    if (x->state[name] == state || x->p->err) {
        return;
    }
    if (x->n_log == x->cap_log) {
        const size_t cap = x->cap_log ? 2 * x->cap_log : 256;
        change *log = realloc(x->log, cap * sizeof *log);
        if (!log) {
            x->p->err = vb_fail(x->p->e, VB_ENOMEM, "no memory for the chat template");
            return;
        }
        x->log = log;
        x->cap_log = cap;
    }
    x->log[x->n_log++] = (change){name, x->state[name]};
    x->state[name] = state;
}

static void load(tracker *x, uint32_t name) {
    if (!(x->state[name] & SEEN) && !x->above[name]) {
        set_state(x, name, SEEN);
    }
}

static void store(tracker *x, uint32_t name) {
    const uint8_t state = x->state[name];
    const bool fresh = !(state & SEEN) && !x->above[name];
    set_state(x, name, (uint8_t)(state | SEEN | STORED | (fresh ? HIDDEN : 0)));
}

static void parameter(tracker *x, uint32_t name) {
    set_state(x, name, SEEN | STORED);
}

static void visit(tracker *x, const vb_node *node);

static void visit_list(tracker *x, const vb_node *node) {
    for (size_t i = 0; i < node->n; i++) {
        visit(x, node->list[i]);
    }
}

static void visit_target(tracker *x, const vb_node *target, void (*found)(tracker *, uint32_t)) {
    if (target->kind == VB_NODE_NAME) {
        found(x, target->name);
    }
    for (size_t i = 0; target->kind == VB_NODE_TUPLE && i < target->n; i++) {
        visit_target(x, target->list[i], found);
    }
}

/* What a branch changed, with the changes taken back; malloc'd, the states after the branch. */
static change *take_back(tracker *x, size_t mark, size_t *n) {
    const size_t n_changes = x->n_log - mark;
    change *delta = malloc((n_changes ? n_changes : 1) * sizeof *delta);
    *n = 0;
    if (!delta) {
        x->p->err = vb_fail(x->p->e, VB_ENOMEM, "no memory for the chat template");
    }
    for (size_t i = mark; delta && i < x->n_log; i++) {
        const uint32_t name = x->log[i].name;
        delta[(*n)++] = (change){name, x->state[name]};
    }
    while (x->n_log > mark) {
        const change *c = &x->log[--x->n_log];
        x->state[c->name] = c->old;
    }
    return delta;
}

typedef struct branch {
    change *delta; /* `old`: the state after the branch; a name may be there more than once */
    size_t n;
} branch;

/* All branches of an if, as one after another: a name that not every branch sets is not hidden. */
static void merge(tracker *x, branch *b, size_t n_branches) {
    for (size_t k = 0; k < n_branches; k++) {
        for (size_t i = 0; i < b[k].n; i++) {
            const uint32_t name = b[k].delta[i].name;
            const bool stores = (b[k].delta[i].old & STORED) && !(x->state[name] & STORED);
            if (stores && x->counts[name] == k) {
                x->counts[name]++; /* set by every branch so far, and by this one */
            }
        }
    }
    for (size_t k = 0; k < n_branches; k++) {
        for (size_t i = 0; i < b[k].n; i++) {
            const change *c = &b[k].delta[i];
            const bool some = (c->old & STORED) && x->counts[c->name] < n_branches;
            uint8_t state = (uint8_t)(x->state[c->name] & (SEEN | STORED)) | c->old;
            if (some) {
                state &= (uint8_t)~HIDDEN;
            }
            set_state(x, c->name, state);
        }
    }
    for (size_t k = 0; k < n_branches; k++) {
        for (size_t i = 0; i < b[k].n; i++) {
            x->counts[b[k].delta[i].name] = 0;
        }
        free(b[k].delta);
    }
}

static branch visit_branch(tracker *x, const vb_node *block) {
    const size_t mark = x->n_log;
    branch b = {0};
    if (block) {
        visit(x, block);
    }
    b.delta = take_back(x, mark, &b.n);
    return b;
}

/* The elifs are ifs of their own, one after another, in one branch. */
static branch visit_elifs(tracker *x, const vb_node *node) {
    const size_t mark = x->n_log;
    branch all = {0};
    for (size_t i = 2; i + 1 < node->n; i += 2) {
        visit(x, node->list[i]);
        branch b[3] = {visit_branch(x, node->list[i + 1]), visit_branch(x, NULL),
                       visit_branch(x, NULL)};
        merge(x, b, 3);
    }
    all.delta = take_back(x, mark, &all.n);
    return all;
}

static void visit_if(tracker *x, const vb_node *node) {
    visit(x, node->list[0]);
    branch b[3];
    b[0] = visit_branch(x, node->list[1]);
    b[1] = visit_elifs(x, node);
    b[2] = visit_branch(x, node->a);
    merge(x, b, 3);
}

static void visit_parts(tracker *x, const vb_node *node) {
    const vb_node *parts[] = {node->a, node->b, node->c};
    for (int i = 0; i < 3; i++) {
        if (parts[i]) {
            visit(x, parts[i]);
        }
    }
    for (size_t i = 0; i < node->n; i++) {
        if (node->list[i]) {
            visit(x, node->list[i]);
        }
    }
}

/* What a node reads and sets in the block at hand: not inside blocks with scopes of their own. */
static void visit(tracker *x, const vb_node *node) {
    if (x->p->err) {
        return;
    }
    switch (node->kind) {
    case VB_NODE_NAME: load(x, node->name); break;
    case VB_NODE_IF: visit_if(x, node); break;
    case VB_NODE_FOR: visit(x, node->b); break;
    case VB_NODE_SET:
        visit(x, node->b);
        visit_target(x, node->a, store);
        break;
    case VB_NODE_SET_BLOCK: visit_target(x, node->a, store); break;
    case VB_NODE_MACRO: store(x, node->name); break;
    case VB_NODE_CALL_BLOCK:
    case VB_NODE_FILTER_BLOCK: visit(x, node->a); break;
    case VB_NODE_WITH:
        for (size_t i = 1; i < node->n; i += 2) {
            visit(x, node->list[i]);
        }
        break;
    case VB_NODE_SCOPE: break;
    default: visit_parts(x, node);
    }
}

static void find_in_block(tracker *x, vb_node *block);
static void find_inside(tracker *x, vb_node *node);

/* A block with a scope of its own. What it begins with is in the state already. */
static void find_in_scope(tracker *x, vb_node *block) {
    visit_list(x, block);
    find_in_block(x, block);
}

/* The state is complete: notes the hidden names, then goes into the blocks inside. */
static void find_in_block(tracker *x, vb_node *block) {
    const size_t n = x->n_log;
    uint32_t *names = vb_parser_take(x->p, (n ? n : 1) * sizeof *names);
    uint32_t n_names = 0;
    /* Each name once: its state is cleared when it is noted. */
    for (size_t i = 0; names && i < n; i++) {
        const uint32_t name = x->log[i].name;
        if (x->state[name] & HIDDEN) {
            names[n_names++] = name;
            x->state[name] &= (uint8_t)~HIDDEN;
        }
    }
    block->hidden = names;
    block->n_hidden = names ? n_names : 0;
    uint32_t *known = malloc((n ? n : 1) * sizeof *known);
    size_t n_known = 0;
    if (!known && !x->p->err) {
        x->p->err = vb_fail(x->p->e, VB_ENOMEM, "no memory for the chat template");
    }
    for (size_t i = 0; known && i < n; i++) {
        const uint32_t name = x->log[i].name;
        if (x->state[name]) {
            known[n_known++] = name;
            x->state[name] = 0;
            x->above[name]++;
        }
    }
    x->n_log = 0;
    for (size_t i = 0; i < block->n && !x->p->err; i++) {
        find_inside(x, block->list[i]);
    }
    for (size_t i = 0; i < n_known; i++) {
        x->above[known[i]]--;
    }
    free(known);
}

static void parameters(tracker *x, const vb_node *node) {
    const struct vb_jinja *t = x->p->t;
    const uint32_t own[] = {t->name_caller, t->name_kwargs, t->name_varargs};
    const unsigned flags[] = {VB_MACRO_CALLER, VB_MACRO_KWARGS, VB_MACRO_VARARGS};
    for (int i = 0; i < 3; i++) {
        if (node->flags & flags[i]) {
            parameter(x, own[i]);
        }
    }
    for (size_t i = 0; i < node->n; i++) {
        parameter(x, node->list[i]->name);
    }
    for (size_t i = 0; i < node->n; i++) {
        if (node->list[i]->a) {
            visit(x, node->list[i]->a);
        }
    }
}

static void find_in_for(tracker *x, vb_node *node) {
    parameter(x, x->p->t->name_loop);
    visit_target(x, node->a, parameter);
    find_in_scope(x, node->list[0]);
    if (node->list[1]) {
        find_in_scope(x, node->list[1]);
    }
}

/* The blocks with scopes of their own inside a statement. */
static void find_inside(tracker *x, vb_node *node) {
    if (x->p->err) {
        return;
    }
    switch (node->kind) {
    case VB_NODE_BLOCK:
        for (size_t i = 0; i < node->n; i++) {
            find_inside(x, node->list[i]);
        }
        break;
    case VB_NODE_IF:
        for (size_t i = 1; i < node->n; i += 2) {
            find_inside(x, node->list[i]);
        }
        if (node->a) {
            find_inside(x, node->a);
        }
        break;
    case VB_NODE_FOR: find_in_for(x, node); break;
    case VB_NODE_SET_BLOCK: find_in_scope(x, node->c); break;
    case VB_NODE_MACRO:
        parameters(x, node);
        find_in_scope(x, node->a);
        break;
    case VB_NODE_CALL_BLOCK:
        parameters(x, node);
        find_in_scope(x, node->b);
        break;
    case VB_NODE_FILTER_BLOCK: find_in_scope(x, node->b); break;
    case VB_NODE_WITH:
        for (size_t i = 0; i < node->n; i += 2) {
            visit_target(x, node->list[i], parameter);
        }
        find_in_scope(x, node->a);
        break;
    case VB_NODE_SCOPE: find_in_scope(x, node->a); break;
    default: break;
    }
}

void vb_jinja_find_hidden(vb_parser *p, vb_node *root) {
    const size_t n = p->t->names.n;
    tracker x = {
        .p = p, .state = calloc(n, 1), .counts = calloc(n, 1), .above = calloc(n, sizeof *x.above)};
    if (!x.state || !x.counts || !x.above) {
        p->err = vb_fail(p->e, VB_ENOMEM, "no memory for the chat template");
    } else {
        find_in_scope(&x, root);
    }
    free(x.state);
    free(x.counts);
    free(x.above);
    free(x.log);
}
