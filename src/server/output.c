/* What the client sees of an answering: events of a stream as they come, or one body at the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receipt/theta_section.h"
#include "server/answering.h"
#include "server/log.h"

enum { THINK_TAIL_TOKENS = 16 };

static vb_str str_of(const vb_buf *b) {
    return (vb_str){b->data ? (const char *)b->data : "", b->len};
}

static vb_api_head head_of(const vb_answering *a) {
    return (vb_api_head){.endpoint = a->endpoint,
                         .id = a->id,
                         .created_s = a->r.request.issued_at_ms / 1000,
                         .model = a->m->name,
                         .system_fingerprint = a->m->fingerprint};
}

/* The event in a->event goes out; no memory for it is remembered. */
static void send_event(vb_answering *a, vb_err err) {
    if (err) {
        a->output_err = err;
    } else {
        (void)vb_exchange_write(a->x, a->event.data, a->event.len);
    }
    a->event.len = 0;
}

/* A chunk of a choice takes along the logprobs that wait for one. */
static void send_chunk(vb_answering *a, vb_api_delta *delta, const vb_api_proof *proof) {
    const vb_api_head head = head_of(a);
    vb_answer_shown shown;
    vb_err err = vb_answer_logprobs_take(&a->choices[delta->choice], &shown);
    delta->logprobs = shown.logprobs;
    if (!err) {
        err = vb_api_chunk_append(&head, delta, a->q.include_usage, proof, &a->event);
    }
    send_event(a, err);
    vb_answer_shown_free(&shown);
}

/* A piece of one kind: sent, or kept for the body. */
static void take_piece(vb_answer_choice *c, bool reasoning, vb_str piece) {
    vb_answering *a = c->a;
    if (piece.len == 0 || a->output_err) {
        return;
    }
    if (a->streaming) {
        vb_api_delta delta = {.choice = c->index};
        *(reasoning ? &delta.reasoning : &delta.content) = piece;
        send_chunk(a, &delta, NULL);
    } else {
        a->output_err = vb_buf_append(reasoning ? &c->reasoning : &c->content, piece.p, piece.len);
    }
}

/* Tells the call apart from all others: the commitment is no other answer's. */
static void name_call(const vb_answer_choice *c, size_t index, char id[48]) {
    char hex[VB_SHA256_HEX_BYTES];
    vb_hex_encode(c->a->r.commitment, VB_SHA256_BYTES, hex);
    snprintf(id, 48, "call_%.24s%02zx%02zx", hex, c->index, index);
}

static vb_err keep_call(vb_answer_choice *c, const vb_message_event *event) {
    if (!c->calls) {
        c->calls = calloc(VB_API_TOOL_CALLS_MAX, sizeof *c->calls);
    }
    char *text = malloc(event->name.len + event->arguments.len);
    if (!c->calls || !text) {
        free(text);
        return VB_ENOMEM;
    }
    memcpy(text, event->name.p, event->name.len);
    memcpy(text + event->name.len, event->arguments.p, event->arguments.len);
    vb_answer_call *call = &c->calls[c->n_calls++];
    call->text = text;
    call->n_name = event->name.len;
    call->n_arguments = event->arguments.len;
    name_call(c, event->index, call->id);
    return VB_OK;
}

static void take_call(vb_answer_choice *c, const vb_message_event *event) {
    vb_answering *a = c->a;
    if (a->output_err) {
        return;
    }
    if (!a->streaming) {
        a->output_err = keep_call(c, event);
        return;
    }
    char id[48];
    name_call(c, event->index, id);
    const vb_api_call call = {id, event->name, event->arguments};
    vb_api_delta delta = {.choice = c->index, .call = &call, .call_index = event->index};
    send_chunk(a, &delta, NULL);
}

static void on_event(void *user, const vb_message_event *event) {
    vb_answer_choice *c = user;
    switch (event->kind) {
    case VB_MESSAGE_REASONING:
        c->n_reasoning = c->n_drawn;
        take_piece(c, true, event->raw);
        break;
    case VB_MESSAGE_CONTENT: take_piece(c, false, event->raw); break;
    case VB_MESSAGE_CALL: take_call(c, event); break;
    case VB_MESSAGE_MARKUP: break;
    }
}

/* An answer that ended by itself and has calls waits for their results. */
static const char *finish_of(const vb_answer_choice *c) {
    const bool calls = c->parser && vb_message_calls(c->parser);
    return calls && c->finish == VB_FINISH_STOP ? "tool_calls" : vb_finish_name(c->finish);
}

/* Whether the prompt ends in an opened <think>, as templates of reasoning models leave it. */
static bool think_is_open(const vb_answering *a) {
    const vb_receipt_prompt *p = &a->r.prompt;
    const size_t n = p->n_tokens < THINK_TAIL_TOKENS ? p->n_tokens : THINK_TAIL_TOKENS;
    vb_buf tail = vb_buf_make(1 << 20);
    bool open = false;
    if (vb_tokenizer_decode(a->m->o.tokenizer, p->tokens + p->n_tokens - n, n, true, false, &tail,
                            NULL) == VB_OK &&
        tail.data) {
        size_t end = tail.len;
        while (end && strchr(" \r\n\t", tail.data[end - 1])) {
            end--;
        }
        open = end >= 7 && memcmp(tail.data + end - 7, "<think>", 7) == 0;
    }
    vb_buf_free(&tail);
    return open;
}

/* How the text is read: by what it is held to, or as the model's family writes. Under a constraint
 * there is no reasoning, and nothing that looks like a call is one but what was asked for. */
static vb_message_options message_options(const vb_answering *a) {
    const vb_api_request *q = &a->q;
    switch (q->tool_choice) {
    case VB_API_TOOL_REQUIRED:
        return (vb_message_options){.tools = a->m->tool_form, .whole = VB_MESSAGE_WHOLE_CALL};
    case VB_API_TOOL_NAMED:
        return (vb_message_options){.whole = VB_MESSAGE_WHOLE_ARGUMENTS, .function = q->tool_name};
    case VB_API_TOOL_NONE:
    case VB_API_TOOL_AUTO: break;
    }
    if (a->grammar) {
        return (vb_message_options){.tools = VB_TOOL_FORM_NONE};
    }
    return (vb_message_options){.reasoning = true,
                                .think_open = think_is_open(a),
                                .tools = q->tool_choice == VB_API_TOOL_AUTO ? a->m->tool_form
                                                                            : VB_TOOL_FORM_NONE,
                                .one_call = !q->parallel_tool_calls};
}

static vb_err open_echo(vb_answering *a, vb_error *e) {
    const vb_receipt_prompt *p = &a->r.prompt;
    if (p->kind == VB_PROMPT_TEXT) {
        const vb_err err = vb_buf_append(&a->echo, p->text.p, p->text.len);
        return err ? vb_fail(e, err, "no memory for the prompt's text") : VB_OK;
    }
    return vb_tokenizer_decode(a->m->o.tokenizer, p->tokens, p->n_tokens, false, true, &a->echo, e);
}

vb_err vb_output_open(vb_answering *a, vb_error *e) {
    a->event = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    a->echo = vb_buf_make(VB_TEXT_BYTES_MAX);
    a->choices = calloc(a->n_choices, sizeof *a->choices);
    if (!a->choices) {
        return vb_fail(e, VB_ENOMEM, "no memory for %zu choices", a->n_choices);
    }
    const bool chat = a->endpoint == VB_API_CHAT;
    const size_t n_vocab = a->options[0].n_vocab;
    vb_message_options options = {.reasoning = true};
    if (chat) {
        options = message_options(a);
    }
    vb_err err = a->q.echo ? open_echo(a, e) : VB_OK;
    for (size_t i = 0; !err && i < a->n_choices; i++) {
        vb_answer_choice *c = &a->choices[i];
        c->a = a;
        c->index = i;
        c->content = vb_buf_make(VB_RECEIPT_BYTES_MAX);
        c->reasoning = vb_buf_make(VB_RECEIPT_BYTES_MAX);
        c->logprobs.n_top = a->q.top_logprobs < n_vocab ? a->q.top_logprobs : n_vocab;
        if (chat) {
            err = vb_message_open(&options, on_event, c, &c->parser, e);
        }
    }
    return err;
}

void vb_output_close(vb_answering *a) {
    for (size_t i = 0; a->choices && i < a->n_choices; i++) {
        vb_answer_choice *c = &a->choices[i];
        vb_message_close(c->parser);
        vb_buf_free(&c->content);
        vb_buf_free(&c->reasoning);
        for (size_t k = 0; k < c->n_calls; k++) {
            free(c->calls[k].text);
        }
        free(c->calls);
        vb_answer_logprobs_free(&c->logprobs);
        free(c->tokens);
        free(c->text);
    }
    free(a->choices);
    vb_buf_free(&a->echo);
    vb_buf_free(&a->event);
}

static const vb_api_log *log_of(const vb_answering *a) {
    return a->s->publisher ? &a->s->log : NULL;
}

void vb_output_commitment(vb_answering *a) {
    if (!a->q.stream) {
        return;
    }
    const vb_api_proof proof = {.receipt = &a->r, .log = log_of(a)};
    if (a->streaming) { /* the second commitment, of a fallback */
        vb_api_delta delta = {.choice = 0};
        send_chunk(a, &delta, &proof);
        return;
    }
    char hex[VB_SHA256_HEX_BYTES];
    vb_hex_encode(a->r.commitment, VB_SHA256_BYTES, hex);
    vb_exchange_set_header(a->x, "Verbatim-Commitment", hex);
    vb_exchange_set_header(a->x, "Verbatim-Receipt", a->r.id);
    vb_exchange_stream(a->x, 200, "text/event-stream");
    a->streaming = true;
    for (size_t i = 0; i < a->n_choices; i++) {
        vb_api_delta delta = {.choice = i, .role = a->endpoint == VB_API_CHAT};
        if (a->q.echo) {
            delta.content = str_of(&a->echo);
        }
        send_chunk(a, &delta, i == 0 ? &proof : NULL);
    }
}

void vb_output_text(vb_answer_choice *c, const char *text, size_t n_bytes) {
    vb_answering *a = c->a;
    if (!c->parser) {
        take_piece(c, false, (vb_str){text, n_bytes});
    } else if (!a->output_err) {
        const vb_err err = vb_message_feed(c->parser, text, n_bytes, NULL);
        a->output_err = a->output_err ? a->output_err : err;
    }
}

void vb_output_end(vb_answer_choice *c) {
    vb_answering *a = c->a;
    if (c->parser && !a->output_err) {
        const vb_err err = vb_message_end(c->parser, NULL);
        a->output_err = a->output_err ? a->output_err : err;
    }
}

/* The member "verbatim" of a complete answer. receipt and theta: the caller's buffers. */
static vb_err make_proof(const vb_answering *a, vb_buf *receipt, vb_buf *theta,
                         vb_api_proof *proof) {
    *proof = (vb_api_proof){.receipt = &a->r,
                            .verification_hash = a->hash,
                            .prompt_json = str_of(&a->prompt),
                            .log = log_of(a)};
    vb_err err = VB_OK;
    if (a->q.return_receipt && !(err = vb_receipt_encode(&a->r, receipt, NULL))) {
        proof->receipt_json = str_of(receipt);
    }
    if (!err && a->r.has_beacon && vb_beacon_kind_of_id(a->r.beacon.id) == VB_BEACON_THETA &&
        !(err = vb_theta_section_append(&a->r, a->hash, theta, NULL))) {
        proof->theta_section = str_of(theta);
    }
    return err;
}

static vb_api_usage usage_of(const vb_answering *a) {
    vb_api_usage usage = {.prompt_tokens = a->r.usage_prompt_tokens,
                          .completion_tokens = a->r.usage_completion_tokens,
                          .cached_tokens = a->n_cached};
    for (size_t i = 0; i < a->n_choices; i++) {
        usage.reasoning_tokens += a->choices[i].n_reasoning;
    }
    return usage;
}

static void end_stream(vb_answering *a, const vb_api_proof *proof) {
    const vb_api_head head = head_of(a);
    const vb_api_usage usage = usage_of(a);
    for (size_t i = 0; i < a->n_choices; i++) {
        vb_api_delta delta = {.choice = i, .finish_reason = finish_of(&a->choices[i])};
        const bool last = i + 1 == a->n_choices && !a->q.include_usage;
        send_chunk(a, &delta, last ? proof : NULL);
    }
    if (a->q.include_usage) {
        send_event(a, vb_api_usage_chunk_append(&head, &usage, proof, &a->event));
    }
    send_event(a, vb_api_done_append(&a->event));
    if (a->output_err) {
        vb_exchange_break(a->x);
    } else {
        vb_exchange_end(a->x);
    }
}

/* What a choice of the body is made of, beside what the answer itself keeps. */
typedef struct body_choice {
    vb_buf echoed;
    vb_api_call calls[VB_API_TOOL_CALLS_MAX];
    vb_answer_shown shown;
} body_choice;

static vb_err make_choice(vb_answer_choice *c, body_choice *b, vb_api_choice *out) {
    const vb_answering *a = c->a;
    for (size_t i = 0; i < c->n_calls; i++) {
        const vb_answer_call *call = &c->calls[i];
        b->calls[i] = (vb_api_call){
            call->id, {call->text, call->n_name}, {call->text + call->n_name, call->n_arguments}};
    }
    vb_err err = vb_answer_logprobs_take(c, &b->shown);
    *out = (vb_api_choice){.content = str_of(&c->content),
                           .reasoning = str_of(&c->reasoning),
                           .calls = b->calls,
                           .n_calls = c->n_calls,
                           .logprobs = b->shown.logprobs,
                           .finish_reason = finish_of(c)};
    if (a->q.echo && !err) {
        b->echoed = vb_buf_make(VB_RECEIPT_BYTES_MAX);
        if (!(err = vb_buf_append(&b->echoed, str_of(&a->echo).p, a->echo.len)) &&
            !(err = vb_buf_append(&b->echoed, out->content.p, out->content.len))) {
            out->content = str_of(&b->echoed);
        }
    }
    return err;
}

static vb_err append_body(vb_answering *a, const vb_api_proof *proof, vb_buf *body) {
    const vb_api_head head = head_of(a);
    const vb_api_usage usage = usage_of(a);
    vb_api_choice *choices = calloc(a->n_choices, sizeof *choices);
    body_choice *made = calloc(a->n_choices, sizeof *made);
    vb_err err = choices && made ? VB_OK : VB_ENOMEM;
    for (size_t i = 0; !err && i < a->n_choices; i++) {
        err = make_choice(&a->choices[i], &made[i], &choices[i]);
    }
    if (!err) {
        err = vb_api_response_append(&head, choices, a->n_choices, &usage, proof, body);
    }
    for (size_t i = 0; made && i < a->n_choices; i++) {
        vb_buf_free(&made[i].echoed);
        vb_answer_shown_free(&made[i].shown);
    }
    free(made);
    free(choices);
    return err;
}

static void set_headers(vb_answering *a) {
    char hex[VB_SHA256_HEX_BYTES];
    vb_hex_encode(a->r.commitment, VB_SHA256_BYTES, hex);
    vb_exchange_set_header(a->x, "Verbatim-Commitment", hex);
    vb_exchange_set_header(a->x, "Verbatim-Receipt", a->r.id);
}

void vb_output_complete(vb_answering *a) {
    vb_buf receipt = vb_buf_make(VB_RECEIPT_BYTES_MAX), theta = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_buf body = vb_buf_make(2 * (size_t)VB_RECEIPT_BYTES_MAX);
    vb_api_proof proof;
    vb_err err = make_proof(a, &receipt, &theta, &proof);
    if (a->streaming) {
        a->output_err = a->output_err ? a->output_err : err;
        end_stream(a, &proof);
    } else {
        set_headers(a);
        if (!err && !(err = append_body(a, &proof, &body))) {
            vb_exchange_reply(a->x, 200, "application/json", &body);
        } else {
            vb_exchange_fail(a->x, 500, "out_of_memory",
                             "the answer is complete, and its receipt is %s; there was no memory "
                             "to send it",
                             a->r.id);
        }
    }
    vb_buf_free(&body);
    vb_buf_free(&receipt);
    vb_buf_free(&theta);
}

void vb_output_fail(vb_answering *a, const vb_api_error *e) {
    if (!a->streaming) {
        if (a->committed_ns) {
            set_headers(a);
        }
        vb_service_fail(a->x, e);
        return;
    }
    a->output_err = VB_OK;
    a->event.len = 0;
    send_event(a, vb_api_error_event_append(e, &a->event));
    if (a->output_err) {
        vb_exchange_break(a->x);
    } else {
        vb_exchange_end(a->x);
    }
}
