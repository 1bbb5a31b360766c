/* Command line of verbatim-synth; see --help. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "synth.h"

enum { EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

static volatile sig_atomic_t stop;

static void on_signal(int number) {
    (void)number;
    stop = 1;
}

static const char help[] =
    "Usage: verbatim-synth [--config FILE | shape options] [--type T] OUT.gguf\n"
    "\n"
    "Writes a GGUF file of a model's exact shape with random weights, for measurements. The\n"
    "same options give the same bytes everywhere.\n"
    "\n"
    "  --config FILE      shape from a config.json (Qwen2ForCausalLM, LlamaForCausalLM)\n"
    "  --type T           F32 F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q4_K Q5_K Q6_K: every matrix\n"
    "                     in that format; Q4_K_M: llama.cpp's mix. Default Q8_0. Rows that do\n"
    "                     not fit a format's blocks fall back as llama.cpp's quantiser does\n"
    "  --seed N           default 1\n"
    "  --force            replace OUT.gguf if it exists\n"
    "  --plan             print the tensors, their formats and sizes; write nothing\n"
    "  --quiet            no progress, no notes\n"
    "  --help, --version\n"
    "\n"
    "Shape (with --config, they change it):\n"
    "  --arch A           qwen2 (default) or llama\n"
    "  --n-embd N --n-layers N --n-heads N --n-ff N\n"
    "  --n-kv-heads N     default: n-heads\n"
    "  --head-dim N       default: n-embd / n-heads\n"
    "  --n-vocab N        at least 259; default 32000\n"
    "  --ctx N            tokens, default 4096\n"
    "  --rope-base X      default 10000\n"
    "  --tied, --untied   whether input and output share one matrix (default: untied)\n"
    "  --name TEXT\n"
    "\n"
    "Exit codes: 0 written; 1 could not be read, built or written; 2 wrong usage;\n"
    "130 interrupted (the unfinished file is removed).\n";

typedef struct options {
    synth_shape shape;
    const char *config, *out;
    const synth_type *type;
    uint64_t seed;
    bool force, plan, quiet;
} options;

enum {
    OPT_CONFIG = 256,
    OPT_TYPE,
    OPT_SEED,
    OPT_FORCE,
    OPT_PLAN,
    OPT_QUIET,
    OPT_HELP,
    OPT_VERSION,
    OPT_ARCH,
    OPT_N_EMBD,
    OPT_N_LAYERS,
    OPT_N_HEADS,
    OPT_N_KV_HEADS,
    OPT_HEAD_DIM,
    OPT_N_FF,
    OPT_N_VOCAB,
    OPT_CTX,
    OPT_ROPE_BASE,
    OPT_TIED,
    OPT_UNTIED,
    OPT_NAME
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, OPT_CONFIG},
    {"type", required_argument, NULL, OPT_TYPE},
    {"seed", required_argument, NULL, OPT_SEED},
    {"force", no_argument, NULL, OPT_FORCE},
    {"plan", no_argument, NULL, OPT_PLAN},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {"arch", required_argument, NULL, OPT_ARCH},
    {"n-embd", required_argument, NULL, OPT_N_EMBD},
    {"n-layers", required_argument, NULL, OPT_N_LAYERS},
    {"n-heads", required_argument, NULL, OPT_N_HEADS},
    {"n-kv-heads", required_argument, NULL, OPT_N_KV_HEADS},
    {"head-dim", required_argument, NULL, OPT_HEAD_DIM},
    {"n-ff", required_argument, NULL, OPT_N_FF},
    {"n-vocab", required_argument, NULL, OPT_N_VOCAB},
    {"ctx", required_argument, NULL, OPT_CTX},
    {"rope-base", required_argument, NULL, OPT_ROPE_BASE},
    {"tied", no_argument, NULL, OPT_TIED},
    {"untied", no_argument, NULL, OPT_UNTIED},
    {"name", required_argument, NULL, OPT_NAME},
    {NULL, 0, NULL, 0},
};

static int usage(const char *format, const char *what) {
    fprintf(stderr, "verbatim-synth: ");
    fprintf(stderr, format, what);
    fprintf(stderr, "\nTry: verbatim-synth --help\n");
    return EXIT_USAGE;
}

static bool parse_count(const char *text, uint64_t *out) {
    if (*text < '0' || *text > '9') {
        return false;
    }
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (*end || errno) {
        return false;
    }
    *out = v;
    return true;
}

static bool parse_real(const char *text, double *out) {
    char *end;
    errno = 0;
    double v = strtod(text, &end);
    if (end == text || *end || errno || !(v - v == 0)) {
        return false;
    }
    *out = v;
    return true;
}

/* The number that an option sets; NULL for other options. */
static uint64_t *count_of(options *o, int option) {
    switch (option) {
    case OPT_SEED: return &o->seed;
    case OPT_N_EMBD: return &o->shape.n_embd;
    case OPT_N_LAYERS: return &o->shape.n_layers;
    case OPT_N_HEADS: return &o->shape.n_heads;
    case OPT_N_KV_HEADS: return &o->shape.n_kv_heads;
    case OPT_HEAD_DIM: return &o->shape.head_dim;
    case OPT_N_FF: return &o->shape.n_ff;
    case OPT_N_VOCAB: return &o->shape.n_vocab;
    case OPT_CTX: return &o->shape.n_ctx;
    default: return NULL;
    }
}

/* One option. -1: go on; else exit with that code. */
static int take_option(options *o, int option, const char *arg) {
    vb_error e;
    uint64_t *count = count_of(o, option);
    if (count) {
        return parse_count(arg, count) ? -1 : usage("'%s' is not a whole number", arg);
    }
    switch (option) {
    case OPT_CONFIG:
        o->config = arg;
        if (synth_shape_read(arg, &o->shape, &e)) {
            fprintf(stderr, "verbatim-synth: %s\n", e.msg);
            return EXIT_FAILURE;
        }
        return -1;
    case OPT_TYPE:
        o->type = synth_type_find(arg);
        return o->type ? -1 : usage("'%s' is no type that is generated", arg);
    case OPT_FORCE: o->force = true; return -1;
    case OPT_PLAN: o->plan = true; return -1;
    case OPT_QUIET: o->quiet = true; return -1;
    case OPT_TIED: o->shape.tied = true; return -1;
    case OPT_UNTIED: o->shape.tied = false; return -1;
    case OPT_ARCH: snprintf(o->shape.arch, sizeof o->shape.arch, "%s", arg); return -1;
    case OPT_NAME: snprintf(o->shape.name, sizeof o->shape.name, "%s", arg); return -1;
    case OPT_ROPE_BASE:
        return parse_real(arg, &o->shape.rope_base) ? -1 : usage("'%s' is not a number", arg);
    case OPT_HELP: fputs(help, stdout); return EXIT_SUCCESS;
    case OPT_VERSION: puts("verbatim-synth 1"); return EXIT_SUCCESS;
    default: return usage("%s", "unknown option, or a value is missing");
    }
}

/* The configuration is read before all else, so that shape options change it wherever they stand.
 */
static int take_arguments(options *o, int argc, char **argv) {
    for (int pass = 0; pass < 2; pass++) {
        opterr = pass; /* one complaint is enough */
        optind = 0;    /* start again */
        for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
            bool early = option == OPT_CONFIG;
            int code = early == (pass == 0) ? take_option(o, option, optarg) : -1;
            if (code >= 0) {
                return code;
            }
        }
    }
    if (optind + 1 == argc) {
        o->out = argv[optind];
    } else if (optind < argc || !o->plan) {
        return usage("%s", "expected one output file");
    }
    if (!o->shape.n_kv_heads) {
        o->shape.n_kv_heads = o->shape.n_heads;
    }
    return -1;
}

static void print_plan(const synth_plan *p) {
    uint64_t values = 0;
    for (size_t i = 0; i < p->n_tensors; i++) {
        const synth_tensor *t = &p->tensors[i];
        values += t->cols * t->rows;
        printf("%-32s %-5s %8" PRIu64 " x %-8" PRIu64 " %14" PRIu64 " bytes\n", t->name,
               vb_wtype_get(t->type)->name, t->cols, t->rows, t->n_bytes);
    }
    printf("%zu tensors, %" PRIu64 " values, %" PRIu64 " bytes\n", p->n_tensors, values,
           p->data_bytes);
}

static int run(const options *o, const synth_plan *p) {
    vb_error e = {0};
    char note[256];
    synth_fallback_text(p, note, sizeof note);
    if (note[0] && !o->quiet) {
        fprintf(stderr, "verbatim-synth: note: %s\n", note);
    }
    if (o->plan) {
        print_plan(p);
        return EXIT_SUCCESS;
    }
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    action.sa_handler = SIG_IGN; /* a file-size limit is then an error of write */
    sigaction(SIGXFSZ, &action, NULL);
    bool show_progress = !o->quiet && isatty(STDERR_FILENO);
    vb_err err = synth_write(p, o->out, o->force, show_progress, &stop, &e);
    if (err == VB_ECANCELLED) {
        fprintf(stderr, "verbatim-synth: interrupted; the unfinished file was removed\n");
        return EXIT_INTERRUPTED;
    }
    if (err) {
        fprintf(stderr, "verbatim-synth: %s\n", e.msg);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    options o = {.type = synth_type_find("Q8_0"), .seed = 1};
    o.shape = (synth_shape){.arch = "qwen2",
                            .name = "custom",
                            .n_vocab = 32000,
                            .n_ctx = 4096,
                            .rope_base = 10000,
                            .rms_eps = 1e-6};
    int code = take_arguments(&o, argc, argv);
    if (code >= 0) {
        return code;
    }
    vb_error e = {0};
    if (synth_shape_check(&o.shape, &e)) {
        return usage("%s", e.msg);
    }
    synth_plan p;
    if (synth_plan_make(&o.shape, o.type, o.seed, &p, &e)) {
        fprintf(stderr, "verbatim-synth: %s\n", e.msg);
        return EXIT_FAILURE;
    }
    code = run(&o, &p);
    synth_plan_free(&p);
    return code;
}
