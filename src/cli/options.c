#include "cli/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/exit.h"

void vb_opt_add(vb_opt_table *t, const vb_opt *rows, size_t n) {
    VB_ASSERT(n <= VB_OPT_TABLE_MAX - t->n);
    memcpy(t->rows + t->n, rows, n * sizeof *rows);
    t->n += n;
}

static void print_help(const vb_command_spec *spec) {
    printf("usage: verbatim %s %s\n\n%s\n", spec->name, spec->arguments, spec->summary);
    printf("\noptions:\n");
    for (size_t i = 0; i < spec->options->n; i++) {
        const vb_opt *o = &spec->options->rows[i];
        char left[80];
        snprintf(left, sizeof left, "%c%c%s --%s%s%s", o->letter ? '-' : ' ',
                 o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name, o->metavar ? " " : "",
                 o->metavar ? o->metavar : "");
        printf("  %-30s %s\n", left, o->help);
    }
    printf("  %-30s %s\n", "-h, --help", "this text");
}

static int usage_error(const vb_command_spec *spec, const char *format, const char *what,
                       const char *detail) {
    fprintf(stderr, "verbatim %s: ", spec->name);
    fprintf(stderr, format, what, detail);
    fprintf(stderr, "\nTry 'verbatim %s --help'.\n", spec->name);
    return VB_EXIT_USAGE;
}

static int bad_range(const vb_command_spec *spec, const vb_opt *o, const char *value) {
    fprintf(stderr, "verbatim %s: --%s %s: expected ", spec->name, o->name, value);
    if (o->max > o->min) {
        fprintf(stderr, "a%s number from %.10g to %.10g", o->kind == VB_OPT_UINT ? " whole" : "",
                o->min, o->max);
    } else {
        fprintf(stderr, "a%s number", o->kind == VB_OPT_UINT ? " whole" : "");
    }
    fprintf(stderr, "\nTry 'verbatim %s --help'.\n", spec->name);
    return VB_EXIT_USAGE;
}

/* Stores one value; -1 when it is fine, else the exit status. */
static int store(const vb_command_spec *spec, const vb_opt *o, const char *value) {
    char *end = NULL;
    errno = 0;
    const bool ranged = o->max > o->min;
    switch (o->kind) {
    case VB_OPT_FLAG: *(bool *)o->to = true; break;
    case VB_OPT_STR: *(const char **)o->to = value; break;
    case VB_OPT_UINT: {
        uint64_t v = strtoull(value, &end, 10);
        if (value[0] < '0' || value[0] > '9' || *end || errno ||
            (ranged && ((double)v < o->min || (double)v > o->max))) {
            return bad_range(spec, o, value);
        }
        *(uint64_t *)o->to = v;
        break;
    }
    case VB_OPT_REAL: {
        double v = strtod(value, &end);
        if (!*value || *end || !(v == v) || (ranged && !(v >= o->min && v <= o->max))) {
            return bad_range(spec, o, value);
        }
        *(double *)o->to = v;
        break;
    }
    case VB_OPT_LIST: {
        vb_opt_list *list = o->to;
        if (list->n == VB_OPT_LIST_MAX) {
            return usage_error(spec, "--%s is given too often%s", o->name, "");
        }
        list->items[list->n++] = value;
        break;
    }
    }
    if (o->given) {
        *o->given = true;
    }
    return -1;
}

static const vb_opt *find_long(const vb_command_spec *spec, const char *name, size_t len) {
    for (size_t i = 0; i < spec->options->n; i++) {
        if (strlen(spec->options->rows[i].name) == len &&
            memcmp(spec->options->rows[i].name, name, len) == 0) {
            return &spec->options->rows[i];
        }
    }
    return NULL;
}

static const vb_opt *find_short(const vb_command_spec *spec, char letter) {
    for (size_t i = 0; i < spec->options->n; i++) {
        if (spec->options->rows[i].letter == letter) {
            return &spec->options->rows[i];
        }
    }
    return NULL;
}

/* One option at argv[*i]: -x VALUE, -xVALUE, --name VALUE, --name=VALUE. */
static int parse_one(const vb_command_spec *spec, int argc, char **argv, int *i) {
    const char *a = argv[*i], *value = NULL;
    const vb_opt *o;
    if (a[1] == '-') {
        const char *eq = strchr(a, '=');
        size_t len = eq ? (size_t)(eq - a - 2) : strlen(a + 2);
        o = find_long(spec, a + 2, len);
        value = eq ? eq + 1 : NULL;
    } else {
        o = find_short(spec, a[1]);
        value = a[2] ? a + 2 : NULL;
    }
    if (!o) {
        return usage_error(spec, "there is no option %s%s", a, "");
    }
    if (o->kind == VB_OPT_FLAG) {
        if (value) {
            return usage_error(spec, "--%s takes no value%s", o->name, "");
        }
        value = "";
    } else if (!value) {
        if (*i + 1 >= argc) {
            return usage_error(spec, "--%s needs a value (%s)", o->name,
                               o->metavar ? o->metavar : "VALUE");
        }
        value = argv[++*i];
    }
    return store(spec, o, value);
}

int vb_options_parse(const vb_command_spec *spec, int argc, char **argv, char ***rest,
                     size_t *n_rest) {
    /* Positional arguments are gathered at the front of argv: order among them is kept. */
    size_t n = 0;
    bool only_positional = false;
    for (int i = 1; i < argc; i++) {
        char *a = argv[i];
        if (only_positional || a[0] != '-' || a[1] == 0) {
            argv[1 + n++] = a;
        } else if (strcmp(a, "--") == 0) {
            only_positional = true;
        } else if (strcmp(a, "-h") == 0 || strcmp(a, "--help") == 0) {
            print_help(spec);
            return VB_EXIT_OK;
        } else {
            int status = parse_one(spec, argc, argv, &i);
            if (status >= 0) {
                return status;
            }
        }
    }
    if (n < spec->min_positional) {
        return usage_error(spec, "an argument is missing: verbatim %s %s", spec->name,
                           spec->arguments);
    }
    if (n > spec->max_positional) {
        return usage_error(spec, "unexpected argument %s%s", argv[1 + spec->max_positional], "");
    }
    *rest = argv + 1;
    *n_rest = n;
    return -1;
}

int vb_options_help(const vb_command_spec *spec) {
    print_help(spec);
    return VB_EXIT_USAGE;
}
