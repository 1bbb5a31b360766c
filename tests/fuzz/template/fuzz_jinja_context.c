/*
 * A hostile context, as JSON, through fixed templates that do what models' templates do: nothing of
 * it is ever the template's own text.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "template/jinja.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

static const char *const sources[] = {
    "{% for m in messages %}<|{{ m.role }}|>{{ m['content'] | trim }}{% endfor %}",
    "{{ messages | tojson(indent=2) }}{{ tools | tojson }}{{ messages }}",
    "{% for m in messages %}{{ m.tool_calls | map(attribute='function') | list }}{% endfor %}",
    "{% for k, v in tools | dictsort %}{{ k | upper }}={{ v | string | title }}{% endfor %}",
    "{{ messages | map(attribute='content') | join(',') }}{{ messages | groupby('role') }}",
    "{{ x.split('</think>')[-1].lstrip('\\n') }}{{ x[::-1] }}{{ x[3:] }}{{ x | indent }}",
    "{{ x.replace('a', 'b') | lower }}{{ x | wordcount }}{{ x.splitlines() }}{{ x | e }}",
    "{{ x | int }}{{ x | float }}{{ x | round(2) }}{{ x * 2 }}{{ x / 3 }}{{ x // 2 }}{{ x % 2 }}",
    "{{ l | sort | unique | list }}{{ l | min }}{{ l | max }}{{ l | batch(2) | list }}",
    "{{ '%s' % x }}{{ '{}'.format(x) }}{{ x is in l }}{{ l | select('string') | list }}",
};
enum { N_SOURCES = sizeof sources / sizeof *sources };

static void render(const char *source, const json_t *context) {
    const vb_jinja_input input = {.context = context, .memory_bytes_max = (size_t)1 << 22};
    vb_jinja *t;
    vb_jinja_output out;
    vb_error e = {0};
    require(vb_jinja_compile(source, strlen(source), &t, &e) == VB_OK);
    if (vb_jinja_render(t, &input, &out, &e) != VB_OK) {
        require(strstr(e.msg, "line ") != NULL && e.code != VB_EINTERNAL);
    } else {
        require(out.n_runs == 0 || out.runs[out.n_runs - 1].end == out.n_bytes);
        for (size_t i = 0, begin = 0; i < out.n_runs; i++) {
            /* Of these templates only the literals are trusted; none has a Z. */
            require(!out.runs[i].trusted ||
                    !memchr(out.text + begin, 'Z', out.runs[i].end - begin));
            begin = out.runs[i].end;
        }
        vb_jinja_output_free(&out);
    }
    vb_jinja_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    json_t *context = NULL;
    vb_error e;
    if (vb_json_parse_foreign(data, size, 1 << 16, &context, &e) != VB_OK) {
        return 0;
    }
    for (int i = 0; i < N_SOURCES && json_is_object(context); i++) {
        render(sources[i], context);
    }
    json_decref(context);
    return 0;
}
