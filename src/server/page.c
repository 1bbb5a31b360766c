#include "server/page.h"

#include <string.h>

#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "                \
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/* Whether one of the tags in If-None-Match is the file's: "*", or a list, in which W/ is passed
 * over. */
static bool has_it(const char *tags, const char *etag) {
    const size_t n = strlen(etag);
    while (*tags) {
        tags += strspn(tags, " \t,");
        if (*tags == '*') {
            return true;
        }
        tags += strncmp(tags, "W/", 2) == 0 ? 2 : 0;
        const size_t tag = strcspn(tags, ", \t");
        if (tag == n && strncmp(tags, etag, n) == 0) {
            return true;
        }
        tags += tag;
    }
    return false;
}

static const vb_page_file *find(const char *name) {
    for (size_t i = 0; i < vb_page_n_files; i++) {
        if (strcmp(vb_page_files[i].name, name) == 0) {
            return &vb_page_files[i];
        }
    }
    return NULL;
}

void vb_page_show(void *user, vb_exchange *x) {
    (void)user;
    const char *rest = vb_exchange_rest(x);
    const vb_page_file *f = find(rest[0] ? rest : "index.html");
    if (!f) {
        vb_exchange_fail(x, 404, "unknown_url", "there is no %.200s here", vb_exchange_path(x));
        return;
    }
    vb_exchange_set_header(x, "Content-Security-Policy", POLICY);
    vb_exchange_set_header(x, "Referrer-Policy", "no-referrer");
    vb_exchange_set_header(x, "Cross-Origin-Opener-Policy", "same-origin");
    vb_exchange_set_header(x, "Cross-Origin-Resource-Policy", "same-origin");
    vb_exchange_set_header(x, "Cache-Control", "no-cache");
    vb_exchange_set_header(x, "ETag", f->etag);
    const char *tags = vb_exchange_header(x, "If-None-Match");
    if (tags && has_it(tags, f->etag)) {
        vb_exchange_reply_text(x, 304, "", "");
        return;
    }
    vb_buf body = vb_buf_make(f->n_bytes);
    if (vb_buf_append(&body, f->bytes, f->n_bytes)) {
        vb_exchange_fail(x, 503, "out_of_memory", "no memory for the page");
    } else {
        vb_exchange_reply(x, 200, f->type, &body);
    }
    vb_buf_free(&body);
}
