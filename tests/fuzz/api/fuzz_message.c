/*
 * Generated text in pieces: the first byte chooses the form, the second where the text is cut. All
 * events' bytes joined are the text, whatever it is, and the cut changes no event.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/message.h"
#include "base/bytes.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

typedef struct record {
    vb_buf raw;   /* of all events */
    vb_buf kinds; /* the event's kind and number of calls, once for each byte of raw */
} record;

static void note(void *user, const vb_message_event *event) {
    record *r = user;
    const uint8_t kind = (uint8_t)(event->kind << 4 | (event->index & 15));
    require(event->raw.len > 0);
    require(vb_buf_append(&r->raw, event->raw.p, event->raw.len) == VB_OK);
    for (size_t i = 0; i < event->raw.len; i++) {
        require(vb_buf_append(&r->kinds, &kind, 1) == VB_OK);
    }
    if (event->kind == VB_MESSAGE_CALL) {
        json_t *arguments = NULL;
        require(event->name.len >= 1 && event->name.len <= VB_API_TOOL_NAME_BYTES_MAX);
        require(vb_json_parse_foreign(event->arguments.p, event->arguments.len,
                                      event->arguments.len, &arguments, NULL) == VB_OK);
        require(json_is_object(arguments));
        json_decref(arguments);
    }
}

static record run(const vb_message_options *o, const char *text, size_t n, size_t piece) {
    record r = {vb_buf_make(1 << 26), vb_buf_make(1 << 26)};
    vb_message_parser *m = NULL;
    vb_error e;
    require(vb_message_open(o, note, &r, &m, &e) == VB_OK);
    for (size_t at = 0; at < n; at += piece) {
        require(vb_message_feed(m, text + at, n - at < piece ? n - at : piece, &e) == VB_OK);
    }
    require(vb_message_end(m, &e) == VB_OK);
    vb_message_close(m);
    require(r.raw.len == n && (n == 0 || memcmp(r.raw.data, text, n) == 0));
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) {
        return 0;
    }
    const vb_message_options o = {.reasoning = data[0] & 1,
                                  .think_open = data[0] & 2,
                                  .tools = (vb_tool_form)((data[0] >> 2) % 4 % 3),
                                  .one_call = data[0] & 16,
                                  .whole = (vb_message_whole)((data[0] >> 5) % 4 % 3),
                                  .function = "f"};
    const char *text = (const char *)data + 2;
    record whole = run(&o, text, size - 2, size), cut = run(&o, text, size - 2, 1 + data[1] % 16);
    require(whole.kinds.len == cut.kinds.len &&
            (size == 2 || memcmp(whole.kinds.data, cut.kinds.data, cut.kinds.len) == 0));
    vb_buf_free(&whole.raw);
    vb_buf_free(&whole.kinds);
    vb_buf_free(&cut.raw);
    vb_buf_free(&cut.kinds);
    return 0;
}
