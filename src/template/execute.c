/* Statements: what is written, set, repeated and defined. */
#include <string.h>

#include "base/limits.h"
#include "template/functions.h"
#include "template/value.h"

static void assign(vb_render *r, const vb_node *target, vb_value value) {
    const vb_value *items;
    size_t n;
    if (r->err) {
        return;
    }
    r->at = target;
    if (target->kind == VB_NODE_NAME) {
        vb_bind(r, r->scope, target->name, value);
        return;
    }
    if (target->kind == VB_NODE_NAMESPACE_TARGET) {
        vb_value ns = vb_lookup(r, target->name);
        if (!r->err && ns.kind != VB_VALUE_NAMESPACE) {
            vb_render_fail(r, VB_EINVAL, "expected a namespace to set an attribute of, not %s",
                           vb_value_type(ns));
            return;
        }
        vb_value key = vb_string_value(
            r, (vb_string){.p = target->text, .len = target->text_len, .trusted = true});
        if (!r->err) {
            vb_dict_set(r, ns.as.dict, key, value);
        }
        return;
    }
    if (!vb_value_iterate(r, value, &items, &n)) {
        return;
    }
    if (n != target->n) {
        vb_render_fail(r, VB_EINVAL, "expected %zu values to set, not %zu", target->n, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        assign(r, target->list[i], items[i]);
    }
}

/* Runs a body in a scope of its own; its text. */
static vb_value capture(vb_render *r, const vb_node *body, vb_scope *scope) {
    vb_builder text = {.r = r}, *out = r->out;
    vb_scope *outer = r->scope;
    if (r->err || !scope) {
        return vb_undefined(NULL);
    }
    r->out = &text;
    r->scope = scope;
    vb_hide(r, body);
    (void)vb_execute(r, body);
    r->scope = outer;
    r->out = out;
    vb_value v = vb_builder_value(&text);
    return r->err ? vb_text_value(r, "") : v;
}

static vb_flow run_if(vb_render *r, const vb_node *node) {
    for (size_t i = 0; i + 1 < node->n; i += 2) {
        vb_value v = vb_evaluate(r, node->list[i]);
        if (r->err) {
            return VB_FLOW_NEXT;
        }
        if (vb_value_truth(r, v)) {
            return vb_execute(r, node->list[i + 1]);
        }
    }
    return node->a ? vb_execute(r, node->a) : VB_FLOW_NEXT;
}

/* The items for which the loop's own condition holds. */
static bool filter_items(vb_render *r, const vb_node *node, const vb_value **items, size_t *n) {
    vb_value *kept = vb_render_take(r, *n, sizeof *kept);
    vb_scope *outer = r->scope, *scope = vb_scope_make(r, outer);
    size_t n_kept = 0;
    for (size_t i = 0; i < *n && !r->err; i++) {
        scope->n = 0;
        r->scope = scope;
        assign(r, node->a, (*items)[i]);
        vb_value v = vb_evaluate(r, node->c);
        r->scope = outer;
        if (!r->err && vb_value_truth(r, v)) {
            kept[n_kept++] = (*items)[i];
        }
    }
    *items = kept;
    *n = n_kept;
    return !r->err;
}

/* One pass of a loop over its items; r->scope is the scope around it. */
static void run_items(vb_render *r, const vb_node *node, vb_loop *loop) {
    vb_scope *outer = r->scope, *scope = NULL;
    for (size_t i = 0; i < loop->n && !r->err; i++) {
        if (!scope || scope->captured) {
            scope = vb_scope_make(r, outer);
        }
        if (!scope) {
            break;
        }
        scope->n = 0;
        r->scope = scope;
        loop->index0 = i;
        vb_bind(r, scope, r->t->name_loop, (vb_value){.kind = VB_VALUE_LOOP, .as.loop = loop});
        assign(r, node->a, loop->items[i]);
        vb_hide(r, node->list[0]);
        const vb_flow flow = r->err ? VB_FLOW_BREAK : vb_execute(r, node->list[0]);
        r->scope = outer;
        if (flow == VB_FLOW_BREAK) {
            break;
        }
    }
    r->scope = outer;
}

static void run_loop(vb_render *r, const vb_node *node, vb_value what, unsigned depth0) {
    const vb_value *items;
    size_t n;
    r->at = node;
    if (!vb_value_iterate(r, what, &items, &n) || (node->c && !filter_items(r, node, &items, &n))) {
        return;
    }
    vb_loop *loop = vb_render_take(r, 1, sizeof *loop);
    if (!loop) {
        return;
    }
    *loop = (vb_loop){.items = items,
                      .n = n,
                      .depth0 = depth0,
                      .node = node->flags ? node : NULL,
                      .scope = r->scope,
                      .changed = {.kind = VB_VALUE_MISSING}};
    run_items(r, node, loop);
    if (!n && node->list[1]) {
        vb_scope *outer = r->scope;
        r->scope = vb_scope_make(r, outer);
        if (r->scope) {
            vb_hide(r, node->list[1]);
            (void)vb_execute(r, node->list[1]);
        }
        r->scope = outer;
    }
}

static bool enter_call(vb_render *r) {
    if (!r->err && r->calls >= VB_JINJA_CALLS_MAX) {
        vb_render_fail(r, VB_ELIMIT, "calls in one another: more than %u", VB_JINJA_CALLS_MAX);
    }
    r->calls++;
    return !r->err;
}

vb_value vb_call_loop(vb_render *r, const vb_loop *loop, vb_args *args) {
    vb_builder text = {.r = r}, *out = r->out;
    vb_scope *outer = r->scope;
    if (!loop->node) {
        return vb_render_fail(r, VB_EINVAL, "loop() in a loop that is not marked recursive");
    }
    if (args->n != 1 || args->n_keywords) {
        return vb_render_fail(r, VB_EINVAL, "loop(): expected one argument");
    }
    if (enter_call(r)) {
        r->out = &text;
        r->scope = loop->scope;
        run_loop(r, loop->node, args->v[0], loop->depth0 + 1);
        r->scope = outer;
        r->out = out;
    }
    r->calls--;
    return vb_builder_value(&text);
}

/* The keyword of a name, marked as used; MISSING when it was not given. */
static vb_value take_keyword(vb_args *args, const char *name) {
    for (size_t i = 0; i < args->n_keywords; i++) {
        vb_keyword *k = &args->keywords[i];
        if (!k->used && strlen(name) == k->len && memcmp(name, k->name, k->len) == 0) {
            k->used = true;
            return k->value;
        }
    }
    return (vb_value){.kind = VB_VALUE_MISSING};
}

/* varargs, kwargs and caller for a macro that reads them; what is left over is an error. */
static void bind_rest(vb_render *r, const vb_macro *m, vb_args *args, bool has_caller) {
    const unsigned flags = m->node->flags;
    const size_t n = m->node->n;
    const char *name = m->name ? m->name : "caller";
    if ((flags & VB_MACRO_CALLER) && !has_caller) {
        vb_value caller = take_keyword(args, "caller");
        vb_bind(r, r->scope, r->t->name_caller,
                caller.kind == VB_VALUE_MISSING ? vb_undefined("caller") : caller);
    }
    if (flags & VB_MACRO_KWARGS) {
        vb_value rest = vb_dict_make(r);
        for (size_t i = 0; i < args->n_keywords && !r->err; i++) {
            const vb_keyword *k = &args->keywords[i];
            if (!k->used) {
                vb_dict_set(r, rest.as.dict, vb_keyword_name(r, k), k->value);
            }
        }
        vb_bind(r, r->scope, r->t->name_kwargs, rest);
    }
    for (size_t i = 0; i < args->n_keywords && !(flags & VB_MACRO_KWARGS); i++) {
        if (!args->keywords[i].used) {
            vb_render_fail(r, VB_EINVAL, "the macro %s has no parameter %.*s", name,
                           (int)(args->keywords[i].len < 64 ? args->keywords[i].len : 64),
                           args->keywords[i].name);
        }
    }
    if (flags & VB_MACRO_VARARGS) {
        const size_t n_rest = args->n > n ? args->n - n : 0;
        vb_value rest = vb_items_make(r, VB_VALUE_TUPLE, n_rest);
        if (!r->err && n_rest) {
            memcpy(rest.as.items->v, args->v + n, n_rest * sizeof *args->v);
        }
        vb_bind(r, r->scope, r->t->name_varargs, rest);
    } else if (args->n > n) {
        vb_render_fail(r, VB_EINVAL, "the macro %s takes %zu arguments, not %zu", name, n, args->n);
    }
}

static void bind_parameters(vb_render *r, const vb_macro *m, vb_args *args) {
    const vb_node *node = m->node;
    bool has_caller = false;
    for (size_t i = 0; i < node->n && !r->err; i++) {
        const vb_node *parameter = node->list[i];
        vb_value v =
            i < args->n ? args->v[i] : take_keyword(args, r->t->names.text[parameter->name]);
        has_caller = has_caller || parameter->name == r->t->name_caller;
        if (v.kind == VB_VALUE_MISSING) {
            v = parameter->a ? vb_evaluate(r, parameter->a)
                             : vb_undefined(r->t->names.text[parameter->name]);
        }
        vb_bind(r, r->scope, parameter->name, v);
    }
    if (!r->err) {
        bind_rest(r, m, args, has_caller);
    }
}

vb_value vb_call_macro(vb_render *r, const vb_macro *m, vb_args *args) {
    vb_value text = vb_undefined(NULL);
    vb_scope *outer = r->scope, *scope = vb_scope_make(r, m->scope);
    if (enter_call(r) && scope) {
        r->scope = scope;
        bind_parameters(r, m, args);
        r->scope = outer;
        text = capture(r, m->body, scope);
    }
    r->calls--;
    return text;
}

static vb_value make_macro(vb_render *r, const char *name, const vb_node *node,
                           const vb_node *body) {
    vb_macro *m = vb_render_take(r, 1, sizeof *m);
    if (!m) {
        return vb_undefined(NULL);
    }
    *m = (vb_macro){.name = name, .node = node, .body = body, .scope = r->scope};
    for (vb_scope *s = r->scope; s && !s->captured; s = s->outer) {
        s->captured = true;
    }
    return (vb_value){.kind = VB_VALUE_MACRO, .as.macro = m};
}

static void run_call_block(vb_render *r, const vb_node *node) {
    vb_args args;
    vb_value callee = vb_evaluate(r, node->a->a);
    vb_value caller = make_macro(r, NULL, node, node->b);
    if (r->err || !vb_evaluate_arguments(r, node->a, "the call", 1, &args)) {
        return;
    }
    args.keywords[args.n_keywords++] =
        (vb_keyword){.name = "caller", .len = strlen("caller"), .value = caller};
    r->at = node;
    vb_value v = vb_call(r, callee, &args);
    if (!r->err) {
        vb_value_print(r->out, v);
    }
}

static void run_with(vb_render *r, const vb_node *node) {
    vb_scope *outer = r->scope, *scope = vb_scope_make(r, outer);
    for (size_t i = 0; i + 1 < node->n && !r->err; i += 2) {
        vb_value v = vb_evaluate(r, node->list[i + 1]); /* outside: a value sees no other */
        r->scope = scope;
        assign(r, node->list[i], v);
        r->scope = outer;
    }
    if (!r->err) {
        vb_value text = capture(r, node->a, scope);
        if (!r->err) {
            vb_value_print(r->out, text);
        }
    }
}

static void run_set_block(vb_render *r, const vb_node *node) {
    vb_value v = capture(r, node->c, vb_scope_make(r, r->scope));
    if (node->b && !r->err) {
        v = vb_evaluate_filters(r, node->b, v);
    }
    assign(r, node->a, v);
}

static void run_captured(vb_render *r, const vb_node *body, const vb_node *filters) {
    vb_value v = capture(r, body, vb_scope_make(r, r->scope));
    if (filters && !r->err) {
        v = vb_evaluate_filters(r, filters, v);
        if (!r->err && v.kind != VB_VALUE_STRING) {
            vb_render_fail(r, VB_EINVAL, "the filters of a block: expected a string, not %s",
                           vb_value_type(v));
        }
    }
    if (!r->err) {
        vb_value_print(r->out, v);
    }
}

static vb_flow run_block(vb_render *r, const vb_node *node) {
    for (size_t i = 0; i < node->n; i++) {
        const vb_flow flow = vb_execute(r, node->list[i]);
        if (r->err || flow != VB_FLOW_NEXT) {
            return flow;
        }
    }
    return VB_FLOW_NEXT;
}

static vb_flow run_statement(vb_render *r, const vb_node *node) {
    vb_value v;
    switch (node->kind) {
    case VB_NODE_BLOCK: return run_block(r, node);
    case VB_NODE_IF: return run_if(r, node);
    case VB_NODE_BREAK: return VB_FLOW_BREAK;
    case VB_NODE_CONTINUE: return VB_FLOW_CONTINUE;
    case VB_NODE_DATA: vb_builder_text(r->out, node->text, node->text_len, true); break;
    case VB_NODE_OUTPUT:
        v = vb_evaluate(r, node->a);
        if (!r->err) {
            r->at = node;
            vb_value_print(r->out, v);
        }
        break;
    case VB_NODE_FOR:
        v = vb_evaluate(r, node->b);
        if (!r->err) {
            run_loop(r, node, v, 0);
        }
        break;
    case VB_NODE_SET:
        v = vb_evaluate(r, node->b);
        assign(r, node->a, v);
        break;
    case VB_NODE_SET_BLOCK: run_set_block(r, node); break;
    case VB_NODE_MACRO:
        v = make_macro(r, r->t->names.text[node->name], node, node->a);
        vb_bind(r, r->scope, node->name, v);
        break;
    case VB_NODE_CALL_BLOCK: run_call_block(r, node); break;
    case VB_NODE_FILTER_BLOCK: run_captured(r, node->b, node->a); break;
    case VB_NODE_SCOPE: run_captured(r, node->a, NULL); break;
    case VB_NODE_WITH: run_with(r, node); break;
    default: vb_render_fail(r, VB_EINTERNAL, "a value where a statement is wanted");
    }
    return VB_FLOW_NEXT;
}

vb_flow vb_execute(vb_render *r, const vb_node *node) {
    r->at = node;
    if (!vb_render_enter(r)) {
        return VB_FLOW_NEXT;
    }
    const vb_flow flow = run_statement(r, node);
    vb_render_leave(r);
    return flow;
}
