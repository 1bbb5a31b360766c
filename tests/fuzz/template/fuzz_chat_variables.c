/*
 * A hostile object as the variables of a prompt: taken or refused with a sentence, and of its bytes
 * none becomes a control token, in templates that do what models' templates do with tools, calls,
 * documents and variables. How many there are is counted from the messages alone.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "template/chat.h"
#include "unit/tokenizer/small_vocab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

/* control: tokens for each message, and for the whole prompt. */
static const struct {
    const char *source;
    size_t each, whole;
} cases[] = {
    {"{{ messages }}{{ tools | tojson(indent=2) }}{{ documents }}{{ x }}{{ date_string }}", 0, 0},
    {"{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role ~ '\n' ~ m['content'] }}"
     "{{ m.name }}{{ m.tool_call_id }}{{ m.tool_calls | tojson }}{{ eos_token }}{% endfor %}"
     "{% if add_generation_prompt %}<|im_start|>assistant{% endif %}",
     2, 2},
    {"{% for m in messages %}{{ '<|im_' ~ m.role ~ '|>' }}{% for t in m.tool_calls %}{{ t.id }}"
     "{% for k, v in t.function.arguments | items %}{{ k }}={{ v }}{% endfor %}{% endfor %}"
     "<|im_end|>{% endfor %}",
     1, 0},
    {"{% for t in tools %}{{ t.function.name | upper }}{{ '%s' % t }}{% for k in t %}{{ k }}"
     "{{ t[k] | string | title }}{% endfor %}{% endfor %}{{ '<|im_' ~ x }} {{ x ~ 'start|>' }}",
     0, 0},
    {"{% set ns = namespace(a='') %}{% for m in messages %}{% set ns.a = ns.a ~ m.content %}"
     "{% endfor %}{{ ns.a.split('x') | join('[') }}{{ ns.a | trim | lower | replace('<', '<|') }}"
     "{{ strftime_now('%Y') }}{{ enable_thinking }}",
     0, 0},
};
enum { N_CASES = sizeof cases / sizeof *cases };

static vb_tokenizer *tokenizer;
static vb_chat_template *templates[N_CASES];

static void open_once(void) {
    vb_error e;
    if (tokenizer) {
        return;
    }
    vb_buf vocab = small_bpe("gpt-2", NULL, 0);
    require(small_open(&vocab, &tokenizer, &e) == VB_OK);
    for (int i = 0; i < N_CASES; i++) {
        require(vb_chat_compile((vb_str){cases[i].source, strlen(cases[i].source)}, "<|endoftext|>",
                                "<|im_end|>", &templates[i], &e) == VB_OK);
    }
}

/* What was taken is an object of messages: how many has it? */
static size_t count_messages(const uint8_t *data, size_t size) {
    json_t *root =
        json_loadb((const char *)data, size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    const size_t n = json_array_size(json_object_get(root, "messages"));
    require(n > 0 && !json_object_get(root, "bos_token"));
    json_decref(root);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    open_once();
    for (int i = 0; i < N_CASES; i++) {
        uint32_t *ids = NULL;
        size_t n = 0, control = 0;
        vb_error e = {0};
        const vb_err err = vb_chat_encode_variables(templates[i], tokenizer, (const char *)data,
                                                    size, "2026-11-22", &ids, &n, &e);
        if (err) {
            require(!ids && err != VB_EINTERNAL && e.msg[0]);
            continue;
        }
        for (size_t k = 0; k < n; k++) {
            control += vb_tokenizer_token_kind(tokenizer, ids[k]) == VB_TOKEN_CONTROL;
        }
        require(control == cases[i].each * count_messages(data, size) + cases[i].whole);
        free(ids);
    }
    return 0;
}
