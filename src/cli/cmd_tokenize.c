/* verbatim tokenize: text to token ids with their texts, or ids back to text. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "cli/app.h"
#include "cli/commands.h"

typedef struct view {
    const vb_app *a;
    const vb_tokenizer *t;
    bool ids_only;
} view;

static vb_err print_tokens(const view *v, const uint32_t *ids, size_t n, vb_error *e) {
    if (v->a->json) {
        printf("{\"count\":%zu,\"tokens\":[", n);
    }
    for (size_t i = 0; i < n; i++) {
        if (v->a->json) {
            printf("%s{\"id\":%u,\"text\":", i ? "," : "", ids[i]);
        } else if (v->ids_only) {
            printf("%s%u", i ? "," : "", ids[i]);
            continue;
        } else {
            printf("%8u  ", ids[i]);
        }
        vb_buf text = vb_buf_make(VB_TEXT_BYTES_MAX);
        vb_err err = vb_tokenizer_decode(v->t, ids + i, 1, true, false, &text, e);
        if (err) {
            vb_buf_free(&text);
            return err;
        }
        vb_app_print_json_string(text.data ? (const char *)text.data : "", text.len);
        vb_buf_free(&text);
        printf(v->a->json ? "}" : "\n");
    }
    printf(v->a->json ? "]}\n" : v->ids_only ? "\n" : "%zu tokens\n", n);
    return VB_OK;
}

static vb_err decode_ids(const view *v, char *const *words, size_t n, vb_error *e) {
    vb_buf text = vb_buf_make(VB_TEXT_BYTES_MAX);
    vb_err err = VB_OK;
    for (size_t i = 0; i < n && !err; i++) {
        for (char *p = words[i]; *p && !err;) {
            char *end;
            errno = 0;
            unsigned long long id = strtoull(p, &end, 10);
            if (*p < '0' || *p > '9' || errno || (*end && *end != ',') || id > UINT32_MAX) {
                err = vb_fail(e, VB_EINVAL, "expected token ids like 1,2,3, found \"%.20s\"", p);
                break;
            }
            uint32_t one = (uint32_t)id;
            err = vb_tokenizer_decode(v->t, &one, 1, true, false, &text, e);
            p = *end ? end + 1 : end;
        }
    }
    if (!err && v->a->json) {
        printf("{\"text\":");
        vb_app_print_json_string(text.data ? (const char *)text.data : "", text.len);
        printf("}\n");
    } else if (!err) {
        err = vb_app_stream_text(text.data ? (const char *)text.data : "", text.len, e);
    }
    vb_buf_free(&text);
    return err;
}

static vb_err encode_text(const view *v, const char *prompt, const char *file, bool special,
                          bool bos, vb_error *e) {
    char *text = NULL;
    size_t n_bytes = 0, n = 0;
    uint32_t *ids = NULL;
    vb_err err = VB_OK;
    if (file && (err = vb_app_read_file(file, VB_TEXT_BYTES_MAX, &text, &n_bytes, e))) {
        return err;
    }
    const char *from = text ? text : prompt;
    err =
        vb_tokenizer_encode(v->t, from, text ? n_bytes : strlen(prompt), bos, special, &ids, &n, e);
    if (!err) {
        err = print_tokens(v, ids, n, e);
    }
    free(text);
    free(ids);
    return err;
}

int vb_cmd_tokenize(int argc, char **argv) {
    vb_app a = {0};
    const char *prompt = NULL, *file = NULL;
    bool decode = false, no_special = false, no_bos = false, ids_only = false;
    const vb_opt own[] = {
        {'p', "prompt", VB_OPT_STR, &prompt, "TEXT", "the text", 0, 0, NULL},
        {'f', "file", VB_OPT_STR, &file, "FILE", "read the text from a file; - is stdin", 0, 0,
         NULL},
        {'d', "decode", VB_OPT_FLAG, &decode, NULL, "arguments are token ids: print their text", 0,
         0, NULL},
        {0, "ids", VB_OPT_FLAG, &ids_only, NULL, "print the ids alone, as 1,2,3", 0, 0, NULL},
        {0, "no-special", VB_OPT_FLAG, &no_special, NULL,
         "texts of control tokens are ordinary text", 0, 0, NULL},
        {0, "no-bos", VB_OPT_FLAG, &no_bos, NULL, "do not add the tokens the model asks for", 0, 0,
         NULL},
    };
    vb_opt_table options = {.n = 0};
    vb_opt_add(&options, own, sizeof own / sizeof own[0]);
    vb_app_options(&a, VB_APP_OPT_MODEL | VB_APP_OPT_JSON, &options);
    const vb_command_spec spec = {"tokenize",
                                  "-m FILE (-p TEXT | -f FILE | --decode IDS...)",
                                  "Shows how a model's tokenizer cuts a text.",
                                  &options,
                                  0,
                                  65536};
    char **rest;
    size_t n_rest;
    int status = vb_options_parse(&spec, argc, argv, &rest, &n_rest);
    if (status >= 0) {
        return status;
    }
    vb_error e = {VB_OK, ""};
    vb_err err;
    view v = {&a, NULL, ids_only};
    if (!a.model_path) {
        err = vb_fail(&e, VB_EINVAL, "no model: name a GGUF file with -m");
        return vb_app_fail(&a, "tokenize", err, &e);
    }
    if (decode ? (prompt || file || n_rest == 0) : (!prompt == !file || n_rest != 0)) {
        err = vb_fail(&e, VB_EINVAL, "give exactly one of -p TEXT, -f FILE, --decode IDS");
        return vb_app_fail(&a, "tokenize", err, &e);
    }
    if (!(err = vb_gguf_open(a.model_path, &a.gguf, &e)) &&
        !(err = vb_tokenizer_open(a.gguf, &a.tokenizer, &e))) {
        v.t = a.tokenizer;
        err = decode ? decode_ids(&v, rest, n_rest, &e)
                     : encode_text(&v, prompt, file, !no_special, !no_bos, &e);
    }
    vb_app_close(&a);
    return err ? vb_app_fail(&a, "tokenize", err, &e) : VB_EXIT_OK;
}
