/* verbatim inspect: what a model file holds and what running it will take. */
#include <stdio.h>
#include <string.h>

#include "cli/app.h"
#include "cli/commands.h"

enum { VALUE_CHARS = 160 };

static void print_escaped(vb_str s) {
    char text[VB_GGUF_KEY_BYTES_MAX + 1];
    const size_t n = s.len < sizeof text - 1 ? s.len : sizeof text - 1;
    memcpy(text, s.p, n);
    text[n] = 0;
    vb_make_printable(text);
    printf("%s", text);
}

static void print_shape(const vb_gguf_tensor *t) {
    char shape[96];
    size_t at = 0;
    for (uint32_t d = 0; d < t->n_dims; d++) {
        at += (size_t)snprintf(shape + at, sizeof shape - at, "%s%llu", d ? " x " : "",
                               (unsigned long long)t->dims[d]);
    }
    printf("%s", shape);
}

static void print_text(const vb_gguf *g, bool tensors) {
    for (size_t i = 0; i < vb_gguf_file_count(g); i++) {
        printf("file      %s (%.1f MB)\n", vb_gguf_file_path(g, i),
               (double)vb_gguf_file_bytes(g, i) / 1e6);
    }
    printf("format    GGUF version %u, %zu metadata entries, %zu tensors\n\nmetadata\n",
           vb_gguf_version(g), vb_gguf_kv_count(g), vb_gguf_tensor_count(g));
    for (size_t i = 0; i < vb_gguf_kv_count(g); i++) {
        const vb_gguf_kv *kv = vb_gguf_kv_at(g, i);
        char value[VALUE_CHARS];
        vb_gguf_format_value(g, kv, value, sizeof value);
        printf("  ");
        print_escaped(kv->key);
        printf(" = %s\n", value);
    }
    if (tensors) {
        printf("\ntensors\n");
        for (size_t i = 0; i < vb_gguf_tensor_count(g); i++) {
            const vb_gguf_tensor *t = vb_gguf_tensor_at(g, i);
            printf("  ");
            print_escaped(t->name);
            printf("  %s  ", vb_wtype_get(t->type)->name);
            print_shape(t);
            printf("  %zu bytes at %llu\n", t->n_bytes, (unsigned long long)t->offset_bytes);
        }
    }
}

static void print_json(const vb_gguf *g, bool tensors) {
    printf("{\"version\":%u,\"metadata\":{", vb_gguf_version(g));
    for (size_t i = 0; i < vb_gguf_kv_count(g); i++) {
        const vb_gguf_kv *kv = vb_gguf_kv_at(g, i);
        char value[VALUE_CHARS];
        vb_gguf_format_value(g, kv, value, sizeof value);
        printf("%s", i ? "," : "");
        vb_app_print_json_string(kv->key.p, kv->key.len);
        printf(":");
        vb_app_print_json_string(value, strlen(value));
    }
    printf("}");
    if (tensors) {
        printf(",\"tensors\":[");
        for (size_t i = 0; i < vb_gguf_tensor_count(g); i++) {
            const vb_gguf_tensor *t = vb_gguf_tensor_at(g, i);
            printf("%s{\"name\":", i ? "," : "");
            vb_app_print_json_string(t->name.p, t->name.len);
            printf(",\"type\":\"%s\",\"bytes\":%zu,\"shape\":[", vb_wtype_get(t->type)->name,
                   t->n_bytes);
            for (uint32_t d = 0; d < t->n_dims; d++) {
                printf("%s%llu", d ? "," : "", (unsigned long long)t->dims[d]);
            }
            printf("]}");
        }
        printf("]");
    }
}

static uint64_t weight_bytes(const vb_gguf *g) {
    uint64_t n = 0;
    for (size_t i = 0; i < vb_gguf_tensor_count(g); i++) {
        n += vb_gguf_tensor_at(g, i)->n_bytes;
    }
    return n;
}

/* Vocabulary-only files and other architectures can be inspected, though not run. */
static void print_model(const vb_app *a, const vb_gguf *g, size_t ctx) {
    vb_model_config c;
    vb_error e = {VB_OK, ""};
    if (vb_model_config_read(g, &c, &e)) {
        if (a->json) {
            printf(",\"runs\":false,\"why\":");
            vb_app_print_json_string(e.msg, strlen(e.msg));
        } else {
            printf("\nnot a model this version runs: %s\n", e.msg);
        }
        return;
    }
    ctx = ctx && ctx < c.n_ctx_train ? ctx : c.n_ctx_train;
    const uint64_t cache = vb_session_bytes(&c, ctx), weights = weight_bytes(g);
    if (a->json) {
        printf(",\"runs\":true,\"architecture\":\"%s\",\"parameters\":%llu,\"file_type\":\"%s\","
               "\"layers\":%zu,\"width\":%zu,\"heads\":%zu,\"kv_heads\":%zu,\"head_dim\":%zu,"
               "\"feed_forward\":%zu,\"vocabulary\":%zu,\"context\":%zu,\"weight_bytes\":%llu,"
               "\"cache_context\":%zu,\"cache_bytes\":%llu",
               c.arch, (unsigned long long)c.n_parameters, c.file_type, c.n_layers, c.n_embd,
               c.n_heads, c.n_kv_heads, c.head_dim, c.n_ff, c.n_vocab, c.n_ctx_train,
               (unsigned long long)weights, ctx, (unsigned long long)cache);
        return;
    }
    printf("\nmodel     %s, %.1f M parameters, mostly %s\n", c.arch, (double)c.n_parameters / 1e6,
           c.file_type);
    printf("shape     %zu layers, width %zu, %zu heads of %zu (%zu KV heads), feed-forward %zu\n",
           c.n_layers, c.n_embd, c.n_heads, c.head_dim, c.n_kv_heads, c.n_ff);
    printf("          vocabulary %zu%s, context %zu tokens\n", c.n_vocab,
           c.tied_embeddings ? " (tied embeddings)" : "", c.n_ctx_train);
    printf("memory    weights %.1f MB, KV cache %.1f MB at %zu tokens\n", (double)weights / 1e6,
           (double)cache / 1e6, ctx);
}

int vb_cmd_inspect(int argc, char **argv) {
    vb_app a = {0};
    bool tensors = false;
    const vb_opt own[] = {
        {0, "tensors", VB_OPT_FLAG, &tensors, NULL, "list every tensor", 0, 0, NULL},
        {'c', "ctx", VB_OPT_UINT, &a.ctx, "N", "context for the memory estimate, tokens", 1,
         VB_MODEL_CTX_TOKENS_MAX, NULL},
    };
    vb_opt_table options = {.n = 0};
    vb_opt_add(&options, own, sizeof own / sizeof own[0]);
    vb_app_options(&a, VB_APP_OPT_JSON, &options);
    const vb_command_spec spec = {
        "inspect",
        "[OPTIONS] MODEL",
        "Shows a GGUF file's metadata, tensors, and the memory that running it needs.",
        &options,
        1,
        1};
    char **rest;
    size_t n_rest;
    int status = vb_options_parse(&spec, argc, argv, &rest, &n_rest);
    if (status >= 0) {
        return status;
    }
    vb_error e = {VB_OK, ""};
    vb_gguf *g = NULL;
    vb_err err = vb_gguf_open(rest[0], &g, &e);
    if (err) {
        return vb_app_fail(&a, "inspect", err, &e);
    }
    if (a.json) {
        print_json(g, tensors);
    } else {
        print_text(g, tensors);
    }
    print_model(&a, g, (size_t)a.ctx);
    if (a.json) {
        printf("}\n");
    }
    vb_gguf_close(g);
    return VB_EXIT_OK;
}
