/* verbatim logits: every logit of a prompt as raw little-endian binary32, [tokens][vocabulary]. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "cli/app.h"
#include "cli/commands.h"
#include "cli/progress.h"

typedef struct writer {
    FILE *f;
    const char *path;
    size_t n_vocab;
    uint8_t *row; /* n_vocab * 4 bytes */
    vb_sha256 sha;
    vb_error *e;
} writer;

static vb_err write_row(void *user, size_t item, size_t index, const float *logits) {
    (void)item;
    (void)index;
    writer *w = user;
    for (size_t i = 0; i < w->n_vocab; i++) {
        uint32_t bits;
        memcpy(&bits, &logits[i], sizeof bits);
        vb_store_u32le(w->row + 4 * i, bits);
    }
    vb_sha256_update(&w->sha, w->row, 4 * w->n_vocab);
    if (w->f && fwrite(w->row, 4, w->n_vocab, w->f) != w->n_vocab) {
        return vb_fail(w->e, VB_EIO, "%s: %s", w->path, strerror(errno));
    }
    return VB_OK;
}

/* "1,2,3" */
static vb_err parse_tokens(const char *list, uint32_t **out, size_t *n, vb_error *e) {
    const size_t max = strlen(list) / 2 + 1;
    uint32_t *ids = malloc(max * sizeof *ids);
    if (!ids) {
        return vb_fail(e, VB_ENOMEM, "no memory for the tokens");
    }
    *n = 0;
    for (const char *p = list;; p++) {
        char *end;
        errno = 0;
        unsigned long long v = strtoull(p, &end, 10);
        if (*p < '0' || *p > '9' || errno || v > UINT32_MAX || (*end && *end != ',')) {
            free(ids);
            return vb_fail(e, VB_EINVAL, "--tokens: expected ids like 1,2,3, found \"%.20s\"", p);
        }
        ids[(*n)++] = (uint32_t)v;
        if (!*end) {
            *out = ids;
            return VB_OK;
        }
        p = end;
    }
}

static vb_err run_all(const vb_app *a, const uint32_t *ids, size_t n, writer *w, vb_error *e) {
    vb_session *session = NULL;
    vb_workspace *workspace = NULL;
    vb_progress bar;
    vb_err err;
    const size_t batch = vb_app_batch(a) < n ? vb_app_batch(a) : n;
    vb_progress_begin(&bar, "prefill", "tokens", a->quiet);
    if ((err = vb_session_open(a->model, n, &session, e)) ||
        (err = vb_workspace_open(a->model, batch, n, vb_app_threads(a), &workspace, e))) {
        goto done;
    }
    for (size_t at = 0; at < n; at += batch) {
        const vb_batch_item item = {session, ids + at, n - at < batch ? n - at : batch, 0};
        if ((err = vb_forward(a->model, workspace, &item, 1, write_row, w, e))) {
            break;
        }
        if (!vb_progress_update(&bar, at + item.n_tokens, n)) {
            err = vb_fail(e, VB_ECANCELLED, "stopped");
            break;
        }
    }
done:
    vb_progress_end(&bar);
    vb_workspace_close(workspace);
    vb_session_close(session);
    return err;
}

static vb_err open_output(writer *w, const char *path, size_t n_vocab, vb_error *e) {
    w->path = path;
    w->n_vocab = n_vocab;
    w->e = e;
    vb_sha256_begin(&w->sha);
    w->row = malloc(n_vocab * 4);
    if (!w->row) {
        return vb_fail(e, VB_ENOMEM, "no memory for a row of logits");
    }
    if (path) {
        w->f = strcmp(path, "-") == 0 ? stdout : fopen(path, "wb");
        if (!w->f) {
            return vb_fail(e, VB_EIO, "%s: %s", path, strerror(errno));
        }
    }
    return VB_OK;
}

static vb_err close_output(writer *w, vb_err err, vb_error *e) {
    free(w->row);
    if (w->f && w->f != stdout) {
        if (fclose(w->f) != 0 && !err) {
            err = vb_fail(e, VB_EIO, "%s: %s", w->path, strerror(errno));
        }
        struct stat st;
        if (err && lstat(w->path, &st) == 0 && S_ISREG(st.st_mode)) {
            remove(w->path);
        }
    }
    return err;
}

int vb_cmd_logits(int argc, char **argv) {
    vb_app a = {0};
    const char *prompt = NULL, *tokens = NULL, *output = NULL;
    const vb_opt own[] = {
        {'p', "prompt", VB_OPT_STR, &prompt, "TEXT", "text, tokenised as it is (no chat template)",
         0, 0, NULL},
        {0, "tokens", VB_OPT_STR, &tokens, "IDS", "token ids, as 1,2,3", 0, 0, NULL},
        {'o', "output", VB_OPT_STR, &output, "FILE",
         "raw little-endian f32 [tokens][vocabulary]; - is stdout", 0, 0, NULL},
    };
    vb_opt_table options = {.n = 0};
    vb_opt_add(&options, own, sizeof own / sizeof own[0]);
    vb_app_options(&a, VB_APP_OPT_MODEL | VB_APP_OPT_RUN | VB_APP_OPT_JSON | VB_APP_OPT_QUIET,
                   &options);
    const vb_command_spec spec = {
        "logits",
        "-m FILE (-p TEXT | --tokens IDS) [-o FILE]",
        "Runs a prompt once and writes the logits after each of its tokens. Without -o only their\n"
        "SHA-256 is printed: the same on every machine.",
        &options,
        0,
        0};
    char **rest;
    size_t n_rest;
    int status = vb_options_parse(&spec, argc, argv, &rest, &n_rest);
    if (status >= 0) {
        return status;
    }
    vb_error e = {VB_OK, ""};
    vb_err err;
    uint32_t *ids = NULL;
    size_t n = 0;
    writer w = {0};
    if (!prompt == !tokens) {
        err = vb_fail(&e, VB_EINVAL, "give either -p TEXT or --tokens IDS");
        return vb_app_fail(&a, "logits", err, &e);
    }
    if ((err = vb_app_open(&a, prompt != NULL, &e)) ||
        (err = tokens ? parse_tokens(tokens, &ids, &n, &e)
                      : vb_tokenizer_encode(a.tokenizer, prompt, strlen(prompt), true, true, &ids,
                                            &n, &e))) {
        goto done;
    }
    if (n == 0) {
        err = vb_fail(&e, VB_EINVAL, "the prompt has no tokens");
        goto done;
    }
    err = open_output(&w, output, vb_model_get_config(a.model)->n_vocab, &e);
    if (!err) {
        err = run_all(&a, ids, n, &w, &e);
    }
    err = close_output(&w, err, &e);
done:
    if (!err && !(output && strcmp(output, "-") == 0)) {
        uint8_t digest[VB_SHA256_BYTES];
        char hex[VB_SHA256_HEX_BYTES];
        vb_sha256_end(&w.sha, digest);
        vb_hex_encode(digest, sizeof digest, hex);
        if (a.json) {
            printf("{\"tokens\":%zu,\"vocabulary\":%zu,\"tier\":\"%s\",\"sha256\":\"%s\"}\n", n,
                   w.n_vocab, a.kernels->name, hex);
        } else {
            printf("%s  %zu tokens x %zu logits\n", hex, n, w.n_vocab);
        }
    }
    free(ids);
    vb_app_close(&a);
    return err ? vb_app_fail(&a, "logits", err, &e) : VB_EXIT_OK;
}
