/*
 * Hostile templates with a fixed context: compiling and rendering end within their limits, an error
 * names its place, and the runs of an output cover it exactly.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "template/jinja.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

static json_t *fixed_context(void) {
    static json_t *context;
    if (!context) {
        context = json_pack(
            "{s:[{s:s,s:s},{s:s,s:[{s:s,s:s}]}],s:s,s:i,s:f,s:b,s:n,s:[i,s,n],s:{s:i,s:[]}}",
            "messages", "role", "user", "content", "Hi <|x|>", "role", "assistant", "content",
            "type", "text", "text", "\xc3\xa9", "s", "it's \"a\" text", "i", 7, "f", 2.5, "t", 1,
            "n", "l", 1, "two", "d", "a", 1, "b");
        require(context != NULL);
    }
    return context;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const vb_jinja_clock clock = {2025, 7, 10, 12, 0, 0};
    const vb_jinja_input input = {
        .context = fixed_context(), .clock = &clock, .memory_bytes_max = (size_t)1 << 22};
    vb_jinja *t;
    vb_jinja_output out;
    vb_error e = {0};
    if (vb_jinja_compile((const char *)data, size, &t, &e) != VB_OK) {
        require(e.msg[0] != 0);
        return 0;
    }
    if (vb_jinja_render(t, &input, &out, &e) != VB_OK) {
        require(strstr(e.msg, "line ") != NULL && e.code != VB_EINTERNAL);
    } else {
        size_t begin = 0;
        for (size_t i = 0; i < out.n_runs; i++) {
            require(out.runs[i].end > begin);
            begin = out.runs[i].end;
        }
        require(begin == out.n_bytes);
        vb_jinja_output_free(&out);
    }
    vb_jinja_free(t);
    return 0;
}
