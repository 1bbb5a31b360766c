/* Calls: arguments to parameters, callable values, and the functions that every template has. */
#include "template/functions.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"

static const struct vb_filter *find(const struct vb_filter *table, const char *name, size_t len) {
    for (; table->name; table++) {
        if (strlen(table->name) == len && memcmp(table->name, name, len) == 0) {
            return table;
        }
    }
    return NULL;
}

const struct vb_filter *vb_filter_find(const char *name, size_t len) {
    const struct vb_filter *f = find(vb_text_filters, name, len);
    return f ? f : find(vb_sequence_filters, name, len);
}

const struct vb_filter *vb_test_find(const char *name, size_t len) {
    return find(vb_tests, name, len);
}

const struct vb_method *vb_method_find(vb_value_kind kind, const char *name, size_t len) {
    kind = kind == VB_VALUE_TUPLE ? VB_VALUE_LIST : kind;
    for (const struct vb_method *m = vb_methods; m->f.name; m++) {
        if (m->kind == kind && strlen(m->f.name) == len && memcmp(m->f.name, name, len) == 0) {
            return m;
        }
    }
    return NULL;
}

int64_t vb_integer_argument(vb_render *r, vb_value v, int64_t otherwise, const char *what) {
    int64_t i;
    if (v.kind == VB_VALUE_MISSING) {
        return otherwise;
    }
    if (!vb_value_is_integer(v, &i)) {
        vb_render_fail(r, VB_EINVAL, "%s: expected an integer, not %s", what, vb_value_type(v));
        return otherwise;
    }
    return i;
}

const vb_string *vb_string_argument(vb_render *r, vb_value v, const char *what) {
    static const vb_string empty = {.p = ""};
    if (v.kind != VB_VALUE_STRING) {
        vb_render_fail(r, VB_EINVAL, "%s: expected a string, not %s", what, vb_value_type(v));
        return &empty;
    }
    return v.as.string;
}

/* The number of the parameter of this name, or -1. */
static int parameter_index(const char *parameters, const char *name, size_t len) {
    int index = 0;
    for (const char *p = parameters; *p; index++) {
        const size_t n = strcspn(p, " ");
        if (n == len && memcmp(p, name, n) == 0) {
            return index;
        }
        p += n + (p[n] == ' ');
    }
    return -1;
}

static size_t parameter_count(const char *parameters) {
    size_t n = *parameters ? 1 : 0;
    for (const char *p = parameters; *p; p++) {
        n += *p == ' ';
    }
    return n;
}

static bool bind(vb_render *r, const struct vb_filter *f, vb_args *args, vb_value *v) {
    const size_t n = parameter_count(f->parameters);
    VB_ASSERT(n <= VB_PARAMETERS_MAX);
    if (args->n > n) {
        vb_render_fail(r, VB_EINVAL, "%s takes at most %zu arguments, not %zu", f->name, n,
                       args->n);
        return false;
    }
    for (size_t i = 0; i < VB_PARAMETERS_MAX; i++) {
        v[i] = i < args->n ? args->v[i] : (vb_value){.kind = VB_VALUE_MISSING};
    }
    for (size_t k = 0; k < args->n_keywords; k++) {
        const vb_keyword *word = &args->keywords[k];
        const int i = parameter_index(f->parameters, word->name, word->len);
        if (i < 0 || v[i].kind != VB_VALUE_MISSING) {
            vb_render_fail(r, VB_EINVAL, "%s: the argument %.*s is not expected here", f->name,
                           (int)(word->len < 64 ? word->len : 64), word->name);
            return false;
        }
        v[i] = word->value;
    }
    for (unsigned i = 0; i < f->n_required; i++) {
        if (v[i].kind == VB_VALUE_MISSING) {
            vb_render_fail(r, VB_EINVAL, "%s: expected %u arguments (%s)", f->name, f->n_required,
                           f->parameters);
            return false;
        }
    }
    return true;
}

vb_value vb_invoke(vb_render *r, const struct vb_filter *f, vb_value input, vb_args *args) {
    vb_value v[VB_PARAMETERS_MAX];
    if (r->err || !vb_render_step(r, 1)) {
        return vb_undefined(NULL);
    }
    if (!f->call) {
        return vb_render_fail(r, VB_EUNSUPPORTED, "%s is not supported", f->name);
    }
    if (strcmp(f->parameters, VB_ANY_ARGUMENTS) == 0) {
        return f->call(r, input, args, NULL);
    }
    return bind(r, f, args, v) ? f->call(r, input, args, v) : vb_undefined(NULL);
}

vb_value vb_invoke_named(vb_render *r, bool test, vb_value name, vb_value input, vb_args *args) {
    const vb_string *s =
        vb_string_argument(r, name, test ? "the name of a test" : "the name of a filter");
    const struct vb_filter *f = test ? vb_test_find(s->p, s->len) : vb_filter_find(s->p, s->len);
    if (!f) {
        return vb_render_fail(r, VB_EUNSUPPORTED, "the %s %.*s is not supported",
                              test ? "test" : "filter", (int)(s->len < 64 ? s->len : 64), s->p);
    }
    for (size_t i = 0; i < args->n_keywords; i++) {
        args->keywords[i].used = false;
    }
    return vb_invoke(r, f, input, args);
}

/* A joiner gives nothing the first time, then its separator. */
static vb_value call_joiner(vb_render *r, vb_cycler *c) {
    return c->at++ == 0 ? vb_text_value(r, "") : c->items[0];
}

vb_value vb_call(vb_render *r, vb_value callee, vb_args *args) {
    if (r->err) {
        return vb_undefined(NULL);
    }
    switch (callee.kind) {
    case VB_VALUE_FUNCTION: return vb_invoke(r, &callee.as.function->f, callee, args);
    case VB_VALUE_METHOD:
        return vb_invoke(r, &callee.as.bound->method->f, callee.as.bound->self, args);
    case VB_VALUE_MACRO: return vb_call_macro(r, callee.as.macro, args);
    case VB_VALUE_LOOP: return vb_call_loop(r, callee.as.loop, args);
    case VB_VALUE_JOINER:
        if (!args->n && !args->n_keywords) {
            return call_joiner(r, callee.as.cycler);
        }
        break;
    case VB_VALUE_UNDEFINED:
        return vb_render_fail(r, VB_EINVAL, "a call of %s, which is undefined",
                              callee.as.name ? callee.as.name : args->callee);
    default: break;
    }
    return vb_render_fail(r, VB_EINVAL, "a call of %s (%s) that it does not take", args->callee,
                          vb_value_type(callee));
}

static vb_value make_range(vb_render *r, vb_value input, vb_args *args, const vb_value *v) {
    (void)input;
    (void)args;
    const bool one = v[1].kind == VB_VALUE_MISSING;
    const int64_t start = one ? 0 : vb_integer_argument(r, v[0], 0, "range()");
    const int64_t stop = vb_integer_argument(r, v[one ? 0 : 1], 0, "range()");
    const int64_t step = vb_integer_argument(r, v[2], 1, "range()");
    int64_t span;
    if (step == 0) {
        return vb_render_fail(r, VB_EINVAL, "range(): the step is 0");
    }
    if (r->err || __builtin_sub_overflow(step > 0 ? stop : start, step > 0 ? start : stop, &span) ||
        step == INT64_MIN) {
        return vb_render_fail(r, VB_ELIMIT, "range(): more than %u numbers", VB_JINJA_RANGE_MAX);
    }
    const int64_t n = span <= 0 ? 0 : (span - 1) / (step > 0 ? step : -step) + 1;
    if (n > VB_JINJA_RANGE_MAX) {
        return vb_render_fail(r, VB_ELIMIT, "range(): more than %u numbers", VB_JINJA_RANGE_MAX);
    }
    vb_value range = vb_items_make(r, VB_VALUE_RANGE, (size_t)n);
    if (!r->err) {
        range.as.items->start = start;
        range.as.items->stop = stop;
        range.as.items->step = step;
    }
    for (int64_t i = 0; !r->err && i < n; i++) {
        range.as.items->v[i] = vb_integer(start + i * step);
    }
    return range;
}

static void add_pair(vb_render *r, vb_dict *d, vb_value pair) {
    const vb_value *v;
    size_t n;
    if (!vb_value_iterate(r, pair, &v, &n)) {
        return;
    }
    if (n != 2) {
        vb_render_fail(r, VB_EINVAL, "dict(): expected pairs, not %zu values", n);
        return;
    }
    vb_dict_set(r, d, v[0], v[1]);
}

static vb_value make_dict(vb_render *r, vb_value input, vb_args *args, const vb_value *unused) {
    (void)input;
    (void)unused;
    vb_value dict = vb_dict_make(r);
    if (args->n > 1) {
        return vb_render_fail(r, VB_EINVAL, "dict(): expected at most one value without a name");
    }
    if (args->n && args->v[0].kind == VB_VALUE_DICT) {
        const vb_dict *d = args->v[0].as.dict;
        for (size_t i = 0; i < d->n && !r->err; i++) {
            vb_dict_set(r, dict.as.dict, d->entries[i].key, d->entries[i].value);
        }
    } else if (args->n) {
        const vb_value *pairs;
        size_t n;
        for (size_t i = 0; vb_value_iterate(r, args->v[0], &pairs, &n) && i < n; i++) {
            add_pair(r, dict.as.dict, pairs[i]);
            if (args->v[0].kind == VB_VALUE_ITERATOR) {
                args->v[0].as.items->taken = 0;
            }
        }
    }
    for (size_t i = 0; i < args->n_keywords && !r->err; i++) {
        const vb_keyword *k = &args->keywords[i];
        vb_dict_set(r, dict.as.dict, vb_keyword_name(r, k), k->value);
    }
    return dict;
}

static vb_value make_namespace(vb_render *r, vb_value input, vb_args *args,
                               const vb_value *unused) {
    vb_value ns = make_dict(r, input, args, unused);
    if (!r->err) {
        ns.kind = VB_VALUE_NAMESPACE;
    }
    return ns;
}

static vb_value make_cycler(vb_render *r, vb_value input, vb_args *args, const vb_value *unused) {
    (void)input;
    (void)unused;
    vb_cycler *c = vb_render_take(r, 1, sizeof *c);
    if (!args->n || args->n_keywords) {
        return vb_render_fail(r, VB_EINVAL, "cycler(): expected values to go through");
    }
    if (!c) {
        return vb_undefined(NULL);
    }
    *c = (vb_cycler){.items = args->v, .n = args->n};
    return (vb_value){.kind = VB_VALUE_CYCLER, .as.cycler = c};
}

static vb_value make_joiner(vb_render *r, vb_value input, vb_args *args, const vb_value *v) {
    (void)input;
    (void)args;
    vb_cycler *c = vb_render_take(r, 1, sizeof *c);
    vb_value *separator = vb_render_take(r, 1, sizeof *separator);
    if (!c || !separator) {
        return vb_undefined(NULL);
    }
    *separator = v[0].kind == VB_VALUE_MISSING ? vb_text_value(r, ", ") : v[0];
    *c = (vb_cycler){.items = separator, .n = 1};
    return (vb_value){.kind = VB_VALUE_JOINER, .as.cycler = c};
}

static vb_value raise_exception(vb_render *r, vb_value input, vb_args *args, const vb_value *v) {
    (void)input;
    (void)args;
    vb_value text = vb_value_str(r, v[0]);
    const vb_string *s = r->err ? NULL : text.as.string;
    const size_t n = s && s->len < 300 ? s->len : 300;
    return s ? vb_render_fail(r, VB_EINVAL, "the template refuses these messages: %.*s", (int)n,
                              s->p)
             : text;
}

/* 0: Sunday. Sakamoto's method. */
static int day_of_week(const vb_jinja_clock *c) {
    static const int offset[] = {0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4};
    const int y = c->year - (c->month < 3);
    return (y + y / 4 - y / 100 + y / 400 + offset[c->month - 1] + c->day) % 7;
}

static int day_of_year(const vb_jinja_clock *c) {
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    const bool leap = (c->year % 4 == 0 && c->year % 100 != 0) || c->year % 400 == 0;
    return before[c->month - 1] + c->day + (leap && c->month > 2);
}

/* One directive of strftime in the C locale; false for one that is not supported. */
static bool print_time(const vb_jinja_clock *c, char directive, bool bare, char *out, size_t cap) {
    static const char *const months[] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
    static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};
    const char *two = bare ? "%d" : "%02d", *three = bare ? "%d" : "%03d";
    const int hour12 = c->hour % 12 ? c->hour % 12 : 12;
    switch (directive) {
    case 'd': snprintf(out, cap, two, c->day); break;
    case 'm': snprintf(out, cap, two, c->month); break;
    case 'y': snprintf(out, cap, two, c->year % 100); break;
    case 'H': snprintf(out, cap, two, c->hour); break;
    case 'I': snprintf(out, cap, two, hour12); break;
    case 'M': snprintf(out, cap, two, c->minute); break;
    case 'S': snprintf(out, cap, two, c->second); break;
    case 'j': snprintf(out, cap, three, day_of_year(c)); break;
    case 'Y': snprintf(out, cap, "%d", c->year); break;
    case 'b':
    case 'h': snprintf(out, cap, "%.3s", months[c->month - 1]); break;
    case 'B': snprintf(out, cap, "%s", months[c->month - 1]); break;
    case 'a': snprintf(out, cap, "%.3s", days[day_of_week(c)]); break;
    case 'A': snprintf(out, cap, "%s", days[day_of_week(c)]); break;
    case 'w': snprintf(out, cap, "%d", day_of_week(c)); break;
    case 'u': snprintf(out, cap, "%d", day_of_week(c) ? day_of_week(c) : 7); break;
    case 'p': snprintf(out, cap, "%s", c->hour < 12 ? "AM" : "PM"); break;
    case 'F': snprintf(out, cap, "%d-%02d-%02d", c->year, c->month, c->day); break;
    case 'D': snprintf(out, cap, "%02d/%02d/%02d", c->month, c->day, c->year % 100); break;
    case 'T': snprintf(out, cap, "%02d:%02d:%02d", c->hour, c->minute, c->second); break;
    case 'R': snprintf(out, cap, "%02d:%02d", c->hour, c->minute); break;
    case '%': snprintf(out, cap, "%%"); break;
    default: return false;
    }
    return true;
}

static vb_value strftime_now(vb_render *r, vb_value input, vb_args *args, const vb_value *v) {
    const vb_string *f = vb_string_argument(r, v[0], "strftime_now()");
    vb_builder b = {.r = r};
    (void)input;
    (void)args;
    for (size_t i = 0; i < f->len && !r->err; i++) {
        char text[40];
        if (f->p[i] != '%') {
            vb_builder_text(&b, f->p + i, 1, false);
            continue;
        }
        const bool bare = i + 1 < f->len && f->p[i + 1] == '-';
        i += bare ? 2 : 1;
        if (i >= f->len || !print_time(r->input->clock, f->p[i], bare, text, sizeof text)) {
            return vb_render_fail(r, VB_EUNSUPPORTED,
                                  "strftime_now(): the directive %%%.*s is not supported",
                                  i < f->len ? 1 : 0, f->p + i);
        }
        vb_builder_cstring(&b, text);
    }
    return vb_builder_value(&b);
}

static const struct vb_function functions[] = {
    {{"range", make_range, "start stop step", 1}},
    {{"dict", make_dict, VB_ANY_ARGUMENTS, 0}},
    {{"namespace", make_namespace, VB_ANY_ARGUMENTS, 0}},
    {{"cycler", make_cycler, VB_ANY_ARGUMENTS, 0}},
    {{"joiner", make_joiner, "sep", 0}},
    {{"raise_exception", raise_exception, "message", 1}},
    {{"strftime_now", strftime_now, "format", 1}},
    {{"lipsum", NULL, VB_ANY_ARGUMENTS, 0}},
};

const struct vb_function *vb_function_find(const char *name) {
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (strcmp(functions[i].f.name, name) == 0) {
            return &functions[i];
        }
    }
    return NULL;
}
