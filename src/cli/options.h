/*
 * Command-line options from a table: one parser, one --help, the same messages everywhere.
 * A command lists its options with the variable each one fills; ranges are part of the table.
 */
#ifndef VB_CLI_OPTIONS_H
#define VB_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VB_OPT_LIST_MAX = 1024 };

/* The values of an option that may be given several times; borrowed from argv. */
typedef struct vb_opt_list {
    const char *items[VB_OPT_LIST_MAX];
    size_t n;
} vb_opt_list;

typedef enum vb_opt_kind {
    VB_OPT_FLAG, /* bool */
    VB_OPT_STR,  /* const char * */
    VB_OPT_UINT, /* uint64_t in [min, max] */
    VB_OPT_REAL, /* double in [min, max] */
    VB_OPT_LIST  /* vb_opt_list */
} vb_opt_kind;

typedef struct vb_opt {
    char letter;      /* 0: none */
    const char *name; /* long name without dashes */
    vb_opt_kind kind;
    void *to; /* bool, const char *, uint64_t, double or vb_opt_list, by kind */
    const char *metavar;
    const char *help;
    double min, max; /* VB_OPT_REAL and VB_OPT_UINT; both 0: any */
    bool *given;     /* NULL, or set to true when the option appears */
} vb_opt;

enum { VB_OPT_TABLE_MAX = 64 };

/* The options of one command, gathered from those who provide them. Starts zeroed. */
typedef struct vb_opt_table {
    vb_opt rows[VB_OPT_TABLE_MAX];
    size_t n;
} vb_opt_table;

void vb_opt_add(vb_opt_table *t, const vb_opt *rows, size_t n);

typedef struct vb_command_spec {
    const char *name;      /* "run" */
    const char *arguments; /* "[OPTIONS] RECEIPT..." */
    const char *summary;   /* a paragraph for --help */
    const vb_opt_table *options;
    size_t min_positional, max_positional;
} vb_command_spec;

/* Parses argv[1..]. Returns -1 to go on (positional arguments in *rest, borrowed), or the exit
 * status: 0 after --help, 2 after a usage error that was printed to stderr. */
int vb_options_parse(const vb_command_spec *spec, int argc, char **argv, char ***rest,
                     size_t *n_rest);

/* The help of a command that was called without the word it can not do without; the exit status,
 * that of a usage error. */
int vb_options_help(const vb_command_spec *spec);

#endif
