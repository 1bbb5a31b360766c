/*
 * Answers under constraints, drawn at random from a real vocabulary: for tests that check them by
 * other means. Usage: constrained_texts VOCABULARY.gguf DRAWS TOKENS < constraints, one a line.
 * Each line gives DRAWS lines, {"text": ...}, or one line {"error": ...}. After TOKENS tokens a
 * text goes for an end; {"unended": ...} is one that did not find it, because it lacked a name that
 * chance did not spell. With 0 draws a line is {"constraint": ..., "text": ...}, and gives
 * {"accepted": "yes"} or "no".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gguf/gguf.h"
#include "grammar/grammar.h"
#include "json/json.h"

/* Bytes that end what is open, then those that lead there. */
static const char closers[] = "\"}]:,nt0{[";

enum { UNENDED_TOKENS = 2000 };

typedef struct texts {
    vb_tokenizer *t;
    vb_vocabulary *v;
    uint64_t *bits;
    uint32_t closing[256]; /* tokens of one byte, the best first */
    size_t n_closing;
    uint64_t rng;
} texts;

static void must(bool holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "constrained_texts: %s\n", what);
        exit(1);
    }
}

/* splitmix64. */
static uint64_t next_random(texts *x) {
    uint64_t z = (x->rng += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void add_closing(texts *x, uint8_t byte) {
    for (uint32_t id = 0; id < vb_tokenizer_size(x->t); id++) {
        vb_buf b = vb_buf_make(VB_TOKEN_BYTES_MAX);
        vb_error e;
        must(vb_tokenizer_decode(x->t, &id, 1, false, false, &b, &e) == VB_OK, "decode");
        const bool is = b.len == 1 && b.data[0] == byte && !vb_tokenizer_is_eog(x->t, id);
        vb_buf_free(&b);
        if (is) {
            x->closing[x->n_closing++] = id;
            return;
        }
    }
}

static bool allowed(const texts *x, uint32_t id) {
    return x->bits[id / 64] >> id % 64 & 1;
}

/* Any allowed token, each as likely; VB_TOKEN_NONE when there is none. */
static int64_t any_token(texts *x) {
    const uint32_t n = vb_tokenizer_size(x->t);
    uint64_t count = 0;
    for (uint32_t w = 0; w < (n + 63) / 64; w++) {
        count += (uint64_t)__builtin_popcountll(x->bits[w]);
    }
    uint64_t left = count ? next_random(x) % count : 0;
    for (uint32_t id = 0; id < n && count; id++) {
        if (allowed(x, id) && left-- == 0) {
            return id;
        }
    }
    return VB_TOKEN_NONE;
}

static int64_t closing_token(texts *x) {
    for (size_t i = 0; i < x->n_closing; i++) {
        if (allowed(x, x->closing[i])) {
            return x->closing[i];
        }
    }
    return any_token(x);
}

static void put(const char *key, const char *text, size_t n) {
    json_t *o = json_object();
    must(o && json_object_set_new(o, key, json_stringn(text, n)) == 0, "a text that is not UTF-8");
    must(json_dumpf(o, stdout, JSON_COMPACT | JSON_ENSURE_ASCII) == 0, "writing");
    putchar('\n');
    json_decref(o);
}

static void draw(texts *x, const vb_grammar *g, size_t tokens) {
    vb_error e = {0};
    vb_grammar_state *s;
    if (vb_grammar_state_open(g, x->v, &s, &e)) {
        put("error", e.msg, strlen(e.msg));
        return;
    }
    vb_buf text = vb_buf_make(VB_TEXT_BYTES_MAX);
    const char *key = "text";
    for (size_t t = 0;; t++) {
        must(vb_grammar_mask(s, vb_tokenizer_size(x->t), x->bits, &e) == VB_OK, e.msg);
        const bool complete = vb_grammar_complete(s);
        if (complete && (t > tokens || next_random(x) % 4 == 0)) {
            break;
        }
        const int64_t id = t > tokens || next_random(x) % 8 == 0 ? closing_token(x) : any_token(x);
        must(id >= 0, "no token is allowed");
        const bool end = vb_tokenizer_is_eog(x->t, (uint32_t)id);
        must(!end || complete, "an end is allowed where the text is not complete");
        must(vb_grammar_accept(s, (uint32_t)id, &e) == VB_OK, "an allowed token is not accepted");
        if (end) {
            break;
        }
        const uint32_t token = (uint32_t)id;
        must(vb_tokenizer_decode(x->t, &token, 1, false, false, &text, &e) == VB_OK, "decode");
        if (t == tokens + UNENDED_TOKENS) {
            key = "unended";
            break;
        }
    }
    put(key, text.data ? (const char *)text.data : "", text.len);
    vb_buf_free(&text);
    vb_grammar_state_close(s);
}

static void constraint(texts *x, const char *line, size_t n, size_t draws, size_t tokens) {
    vb_error e = {0};
    json_t *c = NULL;
    vb_grammar *g;
    if (vb_json_parse_foreign(line, n, VB_RECEIPT_BYTES_MAX, &c, &e) ||
        vb_grammar_open(c, &g, &e)) {
        put("error", e.msg, strlen(e.msg));
    } else {
        for (size_t i = 0; i < draws; i++) {
            draw(x, g, tokens);
        }
        vb_grammar_close(g);
    }
    json_decref(c);
}

/* Whether a whole text is accepted. */
static void judge(texts *x, const char *line, size_t n) {
    vb_error e = {0};
    json_t *c = NULL;
    vb_grammar *g;
    vb_grammar_state *s;
    must(vb_json_parse_foreign(line, n, VB_RECEIPT_BYTES_MAX, &c, &e) == VB_OK, e.msg);
    must(vb_grammar_open(json_object_get(c, "constraint"), &g, &e) == VB_OK, e.msg);
    must(vb_grammar_state_open(g, x->v, &s, &e) == VB_OK, e.msg);
    const json_t *text = json_object_get(c, "text");
    const bool is = vb_grammar_feed(s, json_string_value(text), json_string_length(text)) &&
                    vb_grammar_complete(s);
    put("accepted", is ? "yes" : "no", is ? 3 : 2);
    vb_grammar_state_close(s);
    vb_grammar_close(g);
    json_decref(c);
}

int main(int argc, char **argv) {
    must(argc == 4, "expected VOCABULARY.gguf DRAWS TOKENS");
    vb_error e = {0};
    vb_gguf *f;
    texts x = {.rng = 20251122};
    must(vb_gguf_open(argv[1], &f, &e) == VB_OK, e.msg);
    must(vb_tokenizer_open(f, &x.t, &e) == VB_OK, e.msg);
    vb_gguf_close(f);
    must(vb_vocabulary_open(x.t, &x.v, &e) == VB_OK, e.msg);
    x.bits = malloc((vb_tokenizer_size(x.t) / 64 + 1) * sizeof *x.bits);
    must(x.bits, "memory");
    for (const char *p = closers; *p; p++) {
        add_closing(&x, (uint8_t)*p);
    }
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    const size_t draws = strtoul(argv[2], NULL, 10), tokens = strtoul(argv[3], NULL, 10);
    while ((n = getline(&line, &cap, stdin)) > 0) {
        if (draws) {
            constraint(&x, line, (size_t)n, draws, tokens);
        } else {
            judge(&x, line, (size_t)n);
        }
    }
    free(line);
    free(x.bits);
    vb_vocabulary_close(x.v);
    vb_tokenizer_close(x.t);
    return 0;
}
