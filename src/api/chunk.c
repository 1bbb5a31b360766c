/*
 * Events of a stream: "data: " and one line of JSON. Our own members stand in ordinary chunks: an
 * event of another kind, or a chunk without choices, would stop clients that read choices[0].
 */
#include "api/response.h"
#include "api/response_parts.h"

static vb_err begin_event(vb_buf *out) {
    return vb_buf_append(out, "data: ", 6);
}

static vb_err end_event(vb_buf *out) {
    return vb_buf_append(out, "\n\n", 2);
}

static void write_delta(vb_api_writer *w, const vb_api_delta *d) {
    vb_api_write_key(w, "delta");
    vb_api_write_begin(w, '{');
    if (d->role) {
        vb_api_write_member(w, "role", "assistant");
    }
    if (d->content.p || d->role) {
        vb_api_write_key(w, "content");
        vb_api_write_string(w, d->content);
    }
    if (d->reasoning.p) {
        vb_api_write_key(w, "reasoning_content");
        vb_api_write_string(w, d->reasoning);
    }
    if (d->call) {
        vb_api_write_key(w, "tool_calls");
        vb_api_write_begin(w, '[');
        vb_api_write_begin(w, '{');
        vb_api_write_key(w, "index");
        vb_api_write_number(w, d->call_index);
        vb_api_write_call(w, d->call);
        vb_api_write_end(w, '}');
        vb_api_write_end(w, ']');
    }
    if (d->role) {
        vb_api_write_member(w, "refusal", NULL);
    }
    vb_api_write_end(w, '}');
}

static void write_choice(vb_api_writer *w, const vb_api_head *h, const vb_api_delta *d) {
    vb_api_write_begin(w, '{');
    if (h->endpoint == VB_API_CHAT) {
        vb_api_write_key(w, "index");
        vb_api_write_number(w, d->choice);
        write_delta(w, d);
        vb_api_write_key(w, "logprobs");
        vb_api_write_chat_logprobs(w, &d->logprobs);
    } else {
        vb_api_write_key(w, "text");
        vb_api_write_string(w, d->content);
        vb_api_write_key(w, "index");
        vb_api_write_number(w, d->choice);
        vb_api_write_key(w, "logprobs");
        vb_api_write_completion_logprobs(w, &d->logprobs);
    }
    vb_api_write_member(w, "finish_reason", d->finish_reason);
    vb_api_write_end(w, '}');
}

static void write_chunk_head(vb_api_writer *w, const vb_api_head *h) {
    const bool chat = h->endpoint == VB_API_CHAT;
    vb_api_write_head(w, h, chat ? "chat.completion.chunk" : "text_completion");
    vb_api_write_fingerprint(w, h);
    vb_api_write_key(w, "choices");
    vb_api_write_begin(w, '[');
}

vb_err vb_api_chunk_append(const vb_api_head *h, const vb_api_delta *delta, bool with_usage,
                           const vb_api_proof *proof, vb_buf *out) {
    vb_err err = begin_event(out);
    vb_api_writer w = vb_api_writer_make(out);
    w.err = err;
    vb_api_write_begin(&w, '{');
    write_chunk_head(&w, h);
    write_choice(&w, h, delta);
    vb_api_write_end(&w, ']');
    if (with_usage) {
        vb_api_write_key(&w, "usage");
        vb_api_write_null(&w);
    }
    vb_api_write_proof(&w, proof);
    vb_api_write_end(&w, '}');
    return w.err ? w.err : end_event(out);
}

vb_err vb_api_usage_chunk_append(const vb_api_head *h, const vb_api_usage *usage,
                                 const vb_api_proof *proof, vb_buf *out) {
    vb_err err = begin_event(out);
    vb_api_writer w = vb_api_writer_make(out);
    w.err = err;
    vb_api_write_begin(&w, '{');
    write_chunk_head(&w, h);
    vb_api_write_end(&w, ']');
    vb_api_write_usage(&w, usage);
    vb_api_write_proof(&w, proof);
    vb_api_write_end(&w, '}');
    return w.err ? w.err : end_event(out);
}

vb_err vb_api_error_event_append(const vb_api_error *e, vb_buf *out) {
    vb_err err = begin_event(out);
    if (!err) {
        err = vb_api_error_append(e, out);
    }
    return err ? err : end_event(out);
}

vb_err vb_api_done_append(vb_buf *out) {
    static const char done[] = "data: [DONE]\n\n";
    return vb_buf_append(out, done, sizeof done - 1);
}
