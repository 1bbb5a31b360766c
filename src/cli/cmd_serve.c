/* verbatim serve: the OpenAI-compatible server, whose every answer has a receipt. */
#include <ctype.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "beacon/trust.h"
#include "cli/app.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "crypto/random.h"
#include "engine/model_file.h"
#include "server/config.h"
#include "server/log.h"
#include "server/server.h"

enum {
    LOOK_EVERY_MS = 200,
    NAME_BYTES = 64,
    PEM_BYTES_MAX = 1 << 20,
    BEACON_WAIT_S = 150,
    BEACON_WAIT_ETHEREUM_S = 1800
};

/* What an option or a variable of the environment said, before it is taken. */
typedef struct given {
    char option[NAME_BYTES]; /* "beacon-wait-s" */
    const char *text;
    bool flag;
    vb_opt_list *list;
} given;

/* A model's file, and what is made of it. */
typedef struct model_file {
    vb_gguf *gguf;
    vb_file_id *file_ids;
    vb_tokenizer *tokenizer;
    vb_model *model;
    uint8_t digest[VB_SHA256_BYTES];
} model_file;

typedef struct serve {
    vb_app a; /* the tier, and how errors are shown; its model stays closed */
    vb_server_config c;
    const char *config_file;
    bool check_config, exit_with_stdin;
    given *given; /* one for each setting */
    vb_trust *trust;
    vb_ed25519_key *key;
    vb_source *sources[VB_SERVER_SOURCES];
    char data_dir[VB_PATH_BYTES_MAX], store_file[VB_PATH_BYTES_MAX], mark_file[VB_PATH_BYTES_MAX];
    char *api_keys, *tls_certificate, *tls_key;
    model_file *files;       /* [c.model.n] */
    vb_server_model *models; /* [c.model.n] */
    vb_server *server;
} serve;

/* One option for each setting: "beacon_wait_s" is --beacon-wait-s. */
static vb_err add_settings(serve *x, vb_opt_table *t, vb_error *e) {
    size_t n;
    const vb_setting *s = vb_server_settings(&n);
    x->given = calloc(n, sizeof *x->given);
    for (size_t i = 0; x->given && i < n; i++) {
        given *g = &x->given[i];
        snprintf(g->option, sizeof g->option, "%s", s[i].name);
        for (char *p = g->option; *p; p++) {
            *p = *p == '_' ? '-' : *p;
        }
        vb_opt row = {.name = g->option, .metavar = s[i].metavar, .help = s[i].help};
        if (s[i].kind == VB_SETTING_LIST) {
            if (!(g->list = calloc(1, sizeof *g->list))) {
                return vb_fail(e, VB_ENOMEM, "no memory for the options");
            }
            row.kind = VB_OPT_LIST;
            row.to = g->list;
        } else if (s[i].kind == VB_SETTING_FLAG) {
            row.kind = VB_OPT_FLAG;
            row.to = &g->flag;
        } else {
            row.kind = VB_OPT_STR;
            row.to = &g->text;
        }
        row.letter = strcmp(s[i].name, "model") == 0 ? 'm' : 0;
        vb_opt_add(t, &row, 1);
    }
    return x->given ? VB_OK : vb_fail(e, VB_ENOMEM, "no memory for the options");
}

static void free_given(serve *x) {
    size_t n;
    vb_server_settings(&n);
    for (size_t i = 0; x->given && i < n; i++) {
        free(x->given[i].list);
    }
    free(x->given);
}

static vb_err take_environment(serve *x, const vb_setting *s, vb_error *e) {
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "VERBATIM_%s", s->name);
    for (char *p = name; *p; p++) {
        *p = (char)toupper((unsigned char)*p);
    }
    const char *text = getenv(name);
    return text ? vb_server_config_set(&x->c, s, text, name, e) : VB_OK;
}

static vb_err take_option(serve *x, const vb_setting *s, const given *g, vb_error *e) {
    char where[NAME_BYTES + 2];
    snprintf(where, sizeof where, "--%s", g->option);
    if (s->kind == VB_SETTING_LIST) {
        return g->list->n
                   ? vb_server_config_set_items(&x->c, s, g->list->items, g->list->n, where, e)
                   : VB_OK;
    }
    if (s->kind == VB_SETTING_FLAG) {
        return g->flag ? vb_server_config_set(&x->c, s, "true", where, e) : VB_OK;
    }
    return g->text ? vb_server_config_set(&x->c, s, g->text, where, e) : VB_OK;
}

/* Defaults, then the file, the environment and the options. */
static vb_err configure(serve *x, vb_error *e) {
    vb_err err = vb_server_config_begin(&x->c, e);
    const char *file = x->config_file ? x->config_file : getenv("VERBATIM_CONFIG");
    if (!err && file) {
        char *text = NULL;
        size_t n_bytes = 0;
        if (!(err = vb_app_read_file(file, VB_SERVER_CONFIG_BYTES_MAX, &text, &n_bytes, e)) &&
            (err = vb_server_config_read(&x->c, text, n_bytes, e))) {
            vb_fail_in(e, err, "%s", file);
        }
        free(text);
    }
    size_t n;
    const vb_setting *s = vb_server_settings(&n);
    for (size_t i = 0; !err && i < n; i++) {
        err = take_environment(x, &s[i], e);
    }
    for (size_t i = 0; !err && i < n; i++) {
        err = take_option(x, &s[i], &x->given[i], e);
    }
    return err ? err : vb_server_config_check(&x->c, e);
}

static vb_err read_text(const char *path, size_t max, char **out, vb_error *e) {
    size_t n_bytes = 0;
    return path ? vb_app_read_file(path, max, out, &n_bytes, e) : VB_OK;
}

static vb_err open_trust(serve *x, vb_error *e) {
    char *text = NULL;
    size_t n_bytes = 0;
    if (!x->c.trust_file) {
        return VB_OK;
    }
    vb_err err = vb_app_read_file(x->c.trust_file, VB_TRUST_FILE_BYTES_MAX, &text, &n_bytes, e);
    if (!err && (err = vb_trust_parse(text, n_bytes, &x->trust, e))) {
        vb_fail_in(e, err, "%s", x->c.trust_file);
    }
    free(text);
    return err;
}

static vb_err open_sources(serve *x, vb_error *e) {
    const vb_source_options o = {
        .beacon = x->c.beacon,
        .urls = (const char *const *)x->c.beacon_urls.items,
        .n_urls = x->c.beacon_urls.n,
        .trust = x->trust,
        .ca_file = x->c.beacon_ca,
    };
    vb_err err = VB_OK;
    for (size_t i = 0; !err && x->c.beacon && i < VB_SERVER_SOURCES; i++) {
        err = vb_source_open(&o, &x->sources[i], e);
    }
    return err ? vb_fail_in(e, err, "beacon %.80s", x->c.beacon) : VB_OK;
}

static uint32_t beacon_wait_ms(const serve *x) {
    const bool slow = x->sources[0] && strstr(vb_source_id(x->sources[0]), "ethereum:");
    const uint64_t s = x->c.beacon_wait_s ? x->c.beacon_wait_s
                       : slow             ? BEACON_WAIT_ETHEREUM_S
                                          : BEACON_WAIT_S;
    return (uint32_t)(s * 1000);
}

/* All that the settings name but the model and the state: what --check-config looks at. */
static vb_err open_named(serve *x, vb_error *e) {
    vb_err err;
    if ((err = read_text(x->c.api_keys, VB_SERVER_KEYS_BYTES_MAX, &x->api_keys, e)) ||
        (err = read_text(x->c.tls_certificate, PEM_BYTES_MAX, &x->tls_certificate, e)) ||
        (err = read_text(x->c.tls_key, PEM_BYTES_MAX, &x->tls_key, e)) ||
        (err = open_trust(x, e))) {
        return err;
    }
    return open_sources(x, e);
}

static vb_err choose_path(char out[VB_PATH_BYTES_MAX], const char *given_path, const char *dir,
                          const char *name, vb_error *e) {
    const int n = given_path ? snprintf(out, VB_PATH_BYTES_MAX, "%s", given_path)
                             : snprintf(out, VB_PATH_BYTES_MAX, "%s/%s", dir, name);
    return n < 0 || n >= (int)VB_PATH_BYTES_MAX
               ? vb_fail(e, VB_ELIMIT, "the path of %s is too long", name)
               : VB_OK;
}

static vb_err open_key(serve *x, const char *path, vb_error *e) {
    if (access(path, F_OK) == 0) {
        return vb_ed25519_load(path, &x->key, e);
    }
    vb_err err = vb_ed25519_generate(&x->key, e);
    return err ? err : vb_ed25519_save(x->key, path, e);
}

static vb_err open_state(serve *x, vb_error *e) {
    char key_path[VB_PATH_BYTES_MAX];
    vb_err err = x->c.data_dir ? choose_path(x->data_dir, x->c.data_dir, "", "data_dir", e)
                               : vb_app_data_dir(x->data_dir, sizeof x->data_dir, e);
    if (err || (err = choose_path(key_path, x->c.key_file, x->data_dir, "serve-key.pem", e)) ||
        (err = choose_path(x->store_file, x->c.store_file, x->data_dir, "receipts.db", e))) {
        return err;
    }
    const int n = snprintf(x->mark_file, sizeof x->mark_file, "%s.mark", key_path);
    return n < 0 || n >= (int)sizeof x->mark_file
               ? vb_fail(e, VB_ELIMIT, "the path of the key is too long")
               : open_key(x, key_path, e);
}

/* Of each model the file, so far without its weights. */
static vb_err open_files(serve *x, vb_error *e) {
    const size_t n = x->c.model.n;
    x->files = calloc(n, sizeof *x->files);
    x->models = calloc(n, sizeof *x->models);
    vb_err err = x->files && x->models ? VB_OK : vb_fail(e, VB_ENOMEM, "no memory for the models");
    for (size_t i = 0; !err && i < n; i++) {
        model_file *f = &x->files[i];
        vb_server_model *m = &x->models[i];
        if (!(err = vb_server_config_model(x->c.model.items[i], &m->item, e)) &&
            !(err = vb_model_file_open(m->item.path, &f->gguf, &f->file_ids, e)) &&
            (err = vb_tokenizer_open(f->gguf, &f->tokenizer, e))) {
            vb_fail_in(e, err, "%s", m->item.path);
        }
        m->gguf = f->gguf;
        m->tokenizer = f->tokenizer;
        m->sha256 = f->digest;
    }
    return err ? err : vb_server_plan(&x->c, x->models, n, e);
}

/* The weights, and the digest of the bytes that they came from. */
static vb_err load_files(serve *x, vb_error *e) {
    vb_err err = VB_OK;
    for (size_t i = 0; !err && i < x->c.model.n; i++) {
        model_file *f = &x->files[i];
        vb_progress bar;
        vb_progress_begin(&bar, "loading", "B", x->a.quiet);
        const vb_model_options options = {x->a.kernels, vb_app_threads(&x->a), vb_progress_update,
                                          &bar};
        err = vb_model_load(f->gguf, &options, &f->model, e);
        vb_progress_end(&bar);
        x->models[i].model = f->model;
        if (!err) {
            err = vb_app_path_digest(f->gguf, f->file_ids, false, x->a.quiet, f->digest, e);
        }
        if (err) {
            vb_fail_in(e, err, "%s", x->models[i].item.path);
        }
    }
    return err;
}

static void close_files(serve *x) {
    for (size_t i = 0; x->files && i < x->c.model.n; i++) {
        vb_model_close(x->files[i].model);
        vb_tokenizer_close(x->files[i].tokenizer);
        vb_gguf_close(x->files[i].gguf);
        free(x->files[i].file_ids);
    }
    free(x->files);
    free(x->models);
}

static vb_err open_server(serve *x, vb_error *e) {
    x->a.tier = x->c.tier;
    x->a.threads = x->c.threads;
    x->a.batch = x->c.batch;
    vb_err err;
    if ((err = open_state(x, e)) || (err = vb_app_select_tier(&x->a, e)) ||
        (err = open_files(x, e)) || (err = load_files(x, e))) {
        return err;
    }
    const vb_server_options o = {
        .config = &x->c,
        .models = x->models,
        .n_models = x->c.model.n,
        .tier = x->a.kernels->name,
        .n_threads = vb_app_threads(&x->a),
        .batch_tokens = vb_app_batch(&x->a),
        .key = x->key,
        .data_dir = x->data_dir,
        .store_file = x->store_file,
        .mark_file = x->mark_file,
        .sources = {x->sources[0], x->sources[1], x->sources[2]},
        .beacon_wait_ms = beacon_wait_ms(x),
        .trust = x->trust,
        .api_keys = x->api_keys,
        .tls_certificate = x->tls_certificate,
        .tls_key = x->tls_key,
    };
    return vb_server_open(&o, &x->server, e);
}

/* Until SIGINT, SIGTERM or, when asked for, the end of standard input. */
static void wait_for_end(const serve *x) {
    struct pollfd in = {x->exit_with_stdin ? STDIN_FILENO : -1, POLLIN, 0};
    while (!vb_interrupted()) {
        char dropped[256];
        if (poll(&in, 1, LOOK_EVERY_MS) == 1 && read(STDIN_FILENO, dropped, sizeof dropped) <= 0) {
            return;
        }
    }
}

static vb_err run(serve *x, vb_error *e) {
    vb_err err = open_named(x, e);
    if (err) {
        return err;
    }
    if (x->check_config) {
        vb_buf text = vb_buf_make(VB_SERVER_CONFIG_BYTES_MAX);
        if (!(err = vb_server_config_write(&x->c, &text, e))) {
            fputs((const char *)text.data, stdout);
        }
        vb_buf_free(&text);
        return err;
    }
    const vb_log_options log = {
        .fd = STDERR_FILENO,
        .level = (vb_log_level)vb_log_level_of_name(x->c.log_level),
        .form = (vb_log_form)vb_log_form_of_name(x->c.log_form),
    };
    if ((err = vb_log_open(&log, e)) || (err = open_server(x, e))) {
        return err;
    }
    const bool v6 = strchr(x->c.address, ':') != NULL;
    printf("listening on %s://%s%s%s:%u\n", x->tls_key ? "https" : "http", v6 ? "[" : "",
           x->c.address, v6 ? "]" : "", vb_server_port(x->server));
    fflush(stdout);
    wait_for_end(x);
    vb_server_drain(x->server, (uint32_t)x->c.drain_s * 1000);
    return VB_OK;
}

static void close_all(serve *x) {
    vb_server_close(x->server);
    (void)vb_log_close(VB_LOG_CLOSE_MS); /* standard error may have a reader who does not read */
    close_files(x);
    for (size_t i = 0; i < VB_SERVER_SOURCES; i++) {
        vb_source_close(x->sources[i]);
    }
    vb_ed25519_close(x->key);
    vb_trust_free(x->trust);
    free(x->api_keys);
    free(x->tls_certificate);
    if (x->tls_key) {
        vb_wipe(x->tls_key, strlen(x->tls_key));
    }
    free(x->tls_key);
    vb_server_config_free(&x->c);
    free_given(x);
}

int vb_cmd_serve(int argc, char **argv) {
    serve x = {.config_file = NULL};
    vb_error e = {VB_OK, ""};
    vb_opt_table options = {.n = 0};
    const vb_opt own[] = {
        {0, "config", VB_OPT_STR, &x.config_file, "FILE", "settings (JSON), as listed below", 0, 0,
         NULL},
        {0, "check-config", VB_OPT_FLAG, &x.check_config, NULL,
         "check the settings, print those in effect, and end", 0, 0, NULL},
        {0, "exit-with-stdin", VB_OPT_FLAG, &x.exit_with_stdin, NULL,
         "end when standard input does", 0, 0, NULL},
    };
    vb_opt_add(&options, own, sizeof own / sizeof own[0]);
    vb_err err = add_settings(&x, &options, &e);
    const vb_command_spec spec = {
        "serve",
        "-m [NAME=]FILE [-m ...] [OPTIONS]",
        "Serves models over HTTP with OpenAI's API; every completed answer has a signed receipt.\n"
        "Each setting is an option, a member of the configuration file (with _ for -) and a\n"
        "variable of the environment (VERBATIM_PORT); options win over these, and these over the\n"
        "file.",
        &options,
        0,
        0};
    char **rest;
    size_t n_rest;
    int status = err ? -1 : vb_options_parse(&spec, argc, argv, &rest, &n_rest);
    if (status < 0) {
        signal(SIGPIPE, SIG_IGN);
        signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of its write */
        if (!err && !(err = configure(&x, &e))) {
            err = run(&x, &e);
        }
        status = err ? vb_app_fail(&x.a, "serve", err, &e) : VB_EXIT_OK;
    }
    close_all(&x);
    return status;
}
