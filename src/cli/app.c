#include "cli/app.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utf8proc.h>

#include "base/limits.h"
#include "base/system.h"
#include "cli/progress.h"
#include "engine/model_file.h"

void vb_app_options(vb_app *a, unsigned which, vb_opt_table *t) {
    const struct {
        unsigned bit;
        vb_opt row;
    } all[] = {
        {VB_APP_OPT_MODEL,
         {'m', "model", VB_OPT_STR, &a->model_path, "FILE",
          "model file (GGUF); of a split model, the first", 0, 0, NULL}},
        {VB_APP_OPT_CTX,
         {'c', "ctx", VB_OPT_UINT, &a->ctx, "N", "context, tokens (default: what is needed)", 1,
          VB_MODEL_CTX_TOKENS_MAX, NULL}},
        {VB_APP_OPT_RUN,
         {'b', "batch", VB_OPT_UINT, &a->batch, "N", "prompt tokens of one pass (default 512)", 1,
          VB_BATCH_TOKENS_MAX, NULL}},
        {VB_APP_OPT_RUN,
         {'t', "threads", VB_OPT_UINT, &a->threads, "N", "threads (default: all processors)", 1,
          VB_THREADS_MAX, NULL}},
        {VB_APP_OPT_RUN,
         {0, "tier", VB_OPT_STR, &a->tier, "NAME",
          "kernels: auto, scalar, avx2, avx512vnni, neon, neondot", 0, 0, NULL}},
        {VB_APP_OPT_SPECULATION,
         {0, "no-speculation", VB_OPT_FLAG, &a->no_speculation, NULL,
          "decode one token a pass: no drafts from the text so far", 0, 0, NULL}},
        {VB_APP_OPT_JSON,
         {0, "json", VB_OPT_FLAG, &a->json, NULL, "one JSON object on stdout", 0, 0, NULL}},
        {VB_APP_OPT_QUIET,
         {'q', "quiet", VB_OPT_FLAG, &a->quiet, NULL, "no progress, no statistics", 0, 0, NULL}},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (which & all[i].bit) {
            vb_opt_add(t, &all[i].row, 1);
        }
    }
}

vb_err vb_app_select_tier(vb_app *a, vb_error *e) {
    vb_err err = vb_kernels_select(a->tier, &a->kernels, e);
    if (!err && (err = vb_kernels_selftest(a->kernels, e))) {
        vb_fail_in(e, err, "tier %s is refused, its self-test differs from the definition",
                   a->kernels->name);
    }
    return err;
}

int vb_app_threads(const vb_app *a) {
    return a->threads ? (int)a->threads : vb_cpu_count();
}

size_t vb_app_batch(const vb_app *a) {
    return a->batch ? (size_t)a->batch : VB_BATCH_TOKENS_MAX;
}

vb_err vb_app_open(vb_app *a, bool want_tokenizer, vb_error *e) {
    if (!a->model_path) {
        return vb_fail(e, VB_EINVAL, "no model: name a GGUF file with -m");
    }
    vb_err err;
    vb_progress bar;
    if ((err = vb_app_select_tier(a, e)) ||
        (err = vb_model_file_open(a->model_path, &a->gguf, &a->file_ids, e))) {
        return err;
    }
    if (want_tokenizer && (err = vb_tokenizer_open(a->gguf, &a->tokenizer, e))) {
        return err;
    }
    vb_progress_begin(&bar, "loading", "B", a->quiet);
    const vb_model_options options = {a->kernels, vb_app_threads(a), vb_progress_update, &bar};
    const uint64_t start = vb_clock_ns();
    err = vb_model_load(a->gguf, &options, &a->model, e);
    a->load_ns = vb_clock_ns() - start;
    vb_progress_end(&bar);
    if (!err && want_tokenizer &&
        vb_tokenizer_size(a->tokenizer) > vb_model_get_config(a->model)->n_vocab) {
        return vb_fail(e, VB_EFORMAT, "%s: the tokenizer has %u tokens, the model %zu",
                       a->model_path, vb_tokenizer_size(a->tokenizer),
                       vb_model_get_config(a->model)->n_vocab);
    }
    return err;
}

void vb_app_close(vb_app *a) {
    vb_model_close(a->model);
    vb_tokenizer_close(a->tokenizer);
    vb_gguf_close(a->gguf);
    free(a->file_ids);
}

vb_err vb_app_path_digest(const vb_gguf *g, const vb_file_id *expected, bool rehash, bool quiet,
                          uint8_t out[VB_SHA256_BYTES], vb_error *e) {
    char cache[VB_PATH_BYTES_MAX];
    const bool have_cache = vb_app_cache_dir(cache, sizeof cache, NULL) == VB_OK;
    vb_progress bar;
    vb_progress_begin(&bar, "hashing", "B", quiet);
    const vb_filehash_options options = {
        .cache_dir = have_cache ? cache : NULL,
        .rehash = rehash,
        .progress = vb_progress_update,
        .progress_user = &bar,
    };
    vb_err err = vb_model_file_digest(g, expected, &options, out, e);
    vb_progress_end(&bar);
    return err;
}

vb_err vb_app_model_digest(const vb_app *a, bool rehash, uint8_t out[VB_SHA256_BYTES],
                           vb_error *e) {
    return vb_app_path_digest(a->gguf, a->file_ids, rehash, a->quiet, out, e);
}

/* mkdir -p with mode 0700 for what is new. */
static vb_err make_dirs(char *path, vb_error *e) {
    for (char *p = path + 1;; p++) {
        if (*p == '/' || *p == 0) {
            const char was = *p;
            *p = 0;
            if (mkdir(path, 0700) != 0 && errno != EEXIST) {
                vb_fail(e, VB_EIO, "cannot make the folder %s: %s", path, strerror(errno));
                *p = was;
                return VB_EIO;
            }
            *p = was;
            if (was == 0) {
                return VB_OK;
            }
        }
    }
}

static vb_err own_dir(const char *variable, const char *under_home, char *out, size_t max,
                      vb_error *e) {
    const char *base = getenv(variable), *home = getenv("HOME");
    int n;
    if (base && base[0] == '/') {
        n = snprintf(out, max, "%s/verbatim", base);
    } else if (home && home[0] == '/') {
        n = snprintf(out, max, "%s/%s/verbatim", home, under_home);
    } else {
        return vb_fail(e, VB_EIO, "neither %s nor HOME names an absolute path", variable);
    }
    if (n < 0 || (size_t)n >= max) {
        return vb_fail(e, VB_ELIMIT, "the path in %s is too long", variable);
    }
    return make_dirs(out, e);
}

vb_err vb_app_cache_dir(char *out, size_t max, vb_error *e) {
    return own_dir("XDG_CACHE_HOME", ".cache", out, max, e);
}

vb_err vb_app_data_dir(char *out, size_t max, vb_error *e) {
    return own_dir("XDG_DATA_HOME", ".local/share", out, max, e);
}

int vb_app_fail(const vb_app *a, const char *command, vb_err err, const vb_error *e) {
    if (a->json) {
        printf("{\"error\":{\"code\":\"%s\",\"message\":", vb_err_name(err));
        vb_app_print_json_string(e->msg, strlen(e->msg));
        printf("}}\n");
    } else {
        fprintf(stderr, "verbatim %s: %s\n", command, e->msg);
    }
    return vb_exit_of(err);
}

vb_err vb_app_read_file(const char *path, size_t max, char **text, size_t *n_bytes, vb_error *e) {
    const bool is_stdin = strcmp(path, "-") == 0;
    FILE *f = is_stdin ? stdin : fopen(path, "rb");
    if (!f) {
        return vb_fail(e, VB_EIO, "%s: %s", path, strerror(errno));
    }
    vb_buf buf = vb_buf_make(max);
    vb_err err = VB_OK;
    char chunk[65536];
    size_t n;
    while (!err && (n = fread(chunk, 1, sizeof chunk, f)) > 0) {
        if ((err = vb_buf_append(&buf, chunk, n))) {
            err = err == VB_ELIMIT ? vb_fail(e, err, "%s: more than %zu bytes", path, max)
                                   : vb_fail(e, err, "%s: no memory to read it", path);
        }
    }
    if (!err && ferror(f)) {
        err = vb_fail(e, VB_EIO, "%s: reading failed: %s", path, strerror(errno));
    }
    if (!is_stdin) {
        fclose(f);
    }
    if (!err && !buf.data && (err = vb_buf_append(&buf, "", 0))) {
        err = vb_fail(e, err, "no memory");
    }
    if (err) {
        vb_buf_free(&buf);
        return err;
    }
    *text = (char *)buf.data;
    *n_bytes = buf.len;
    return VB_OK;
}

/* A model's text may hold escape sequences, by accident or by its maker's intent. A terminal gets
 * U+FFFD in place of every control character but tab and newline, C1 (U+0080 to U+009F) included;
 * files and pipes get the text as it is. text is cut between characters. */
static void print_harmless(const char *text, size_t n_bytes) {
    size_t from = 0; /* start of what is fine and not printed yet */
    for (size_t i = 0; i < n_bytes;) {
        const unsigned char c = (unsigned char)text[i];
        const bool c1 = c == 0xc2 && i + 1 < n_bytes && (unsigned char)text[i + 1] < 0xa0;
        if ((c < 0x20 && c != '\t' && c != '\n') || c == 0x7f || c1) {
            fwrite(text + from, 1, i - from, stdout);
            fputs("\xef\xbf\xbd", stdout);
            from = i + (c1 ? 2 : 1);
        }
        i += c1 ? 2 : 1;
    }
    fwrite(text + from, 1, n_bytes - from, stdout);
}

vb_err vb_app_stream_text(const char *text, size_t n_bytes, vb_error *e) {
    if (isatty(STDOUT_FILENO)) {
        print_harmless(text, n_bytes);
    } else {
        fwrite(text, 1, n_bytes, stdout);
    }
    fflush(stdout);
    return ferror(stdout) ? vb_fail(e, VB_EIO, "writing to standard output failed") : VB_OK;
}

void vb_app_print_json_string(const char *text, size_t n_bytes) {
    putchar('"');
    for (size_t i = 0; i < n_bytes;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text + i,
                                              (utf8proc_ssize_t)(n_bytes - i), &c);
        if (n <= 0) {
            fputs("\\ufffd", stdout);
            i++;
            continue;
        }
        if (c == '"' || c == '\\') {
            printf("\\%c", (char)c);
        } else if (c < 0x20 || (c >= 0x7f && c < 0xa0)) {
            printf("\\u%04x", (unsigned)c); /* C1 too: a terminal would obey it */
        } else {
            fwrite(text + i, 1, (size_t)n, stdout);
        }
        i += (size_t)n;
    }
    putchar('"');
}
