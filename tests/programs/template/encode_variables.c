/*
 * Prompts of template variables for scripts. The first line of the output is {control}: the texts
 * of the vocabulary's control tokens. Then each line of the standard input is a JSON object
 * {template, bos, eos, date, variables}, date null where there is none and variables a text, and
 * each line of the output one of {text, control} or {error, message}: the text of the prompt's
 * tokens, and its control tokens in their order. Run: encode_variables VOCABULARY.gguf
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "template/chat.h"

enum { TEXT_BYTES_MAX = 1 << 24 };

static void must(bool holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

static vb_tokenizer *open_vocabulary(const char *path) {
    vb_gguf *g = NULL;
    vb_tokenizer *t = NULL;
    vb_error e;
    must(vb_gguf_open(path, &g, &e) == VB_OK && vb_tokenizer_open(g, &t, &e) == VB_OK, e.msg);
    vb_gguf_close(g);
    return t;
}

static void print_line(json_t *out) {
    must(out && json_dumpf(out, stdout, JSON_COMPACT) == 0, "no output");
    putchar('\n');
    fflush(stdout);
    json_decref(out);
}

static void add_control(json_t *list, const vb_tokenizer *t, uint32_t id) {
    if (vb_tokenizer_token_kind(t, id) == VB_TOKEN_CONTROL) {
        const vb_str text = vb_tokenizer_token_text(t, id);
        json_array_append_new(list, json_stringn_nocheck(text.p, text.len));
    }
}

static json_t *all_control(const vb_tokenizer *t) {
    json_t *list = json_array();
    for (uint32_t id = 0; id < vb_tokenizer_size(t); id++) {
        add_control(list, t, id);
    }
    return json_pack("{s:o}", "control", list);
}

static json_t *prompt_json(const vb_tokenizer *t, const uint32_t *ids, size_t n) {
    vb_error e;
    vb_buf text = vb_buf_make(TEXT_BYTES_MAX);
    json_t *control = json_array();
    must(vb_tokenizer_decode(t, ids, n, true, false, &text, &e) == VB_OK, e.msg);
    for (size_t i = 0; i < n; i++) {
        add_control(control, t, ids[i]);
    }
    json_t *out = json_pack("{s:o,s:o}", "text",
                            json_stringn_nocheck(text.len ? (const char *)text.data : "", text.len),
                            "control", control);
    vb_buf_free(&text);
    return out;
}

static json_t *encode_line(const vb_tokenizer *t, const json_t *line) {
    const json_t *source = json_object_get(line, "template");
    const json_t *variables = json_object_get(line, "variables");
    const char *bos = json_string_value(json_object_get(line, "bos"));
    const char *eos = json_string_value(json_object_get(line, "eos"));
    vb_chat_template *c = NULL;
    uint32_t *ids = NULL;
    size_t n = 0;
    vb_error e;
    must(json_is_string(source) && json_is_string(variables) && bos && eos, "a member is missing");
    vb_err err = vb_chat_compile((vb_str){json_string_value(source), json_string_length(source)},
                                 bos, eos, &c, &e);
    if (!err) {
        err = vb_chat_encode_variables(
            c, t, json_string_value(variables), json_string_length(variables),
            json_string_value(json_object_get(line, "date")), &ids, &n, &e);
    }
    vb_chat_free(c);
    json_t *out = err ? json_pack("{s:s,s:s}", "error", vb_err_name(err), "message", e.msg)
                      : prompt_json(t, ids, n);
    free(ids);
    return out;
}

int main(int argc, char **argv) {
    char *line = NULL;
    size_t cap = 0;
    must(argc == 2, "usage: encode_variables VOCABULARY.gguf");
    vb_tokenizer *t = open_vocabulary(argv[1]);
    print_line(all_control(t));
    while (getline(&line, &cap, stdin) > 0) {
        json_error_t why;
        json_t *in = json_loads(line, JSON_ALLOW_NUL, &why);
        must(in != NULL, why.text);
        print_line(encode_line(t, in));
        json_decref(in);
    }
    free(line);
    vb_tokenizer_close(t);
    return 0;
}
