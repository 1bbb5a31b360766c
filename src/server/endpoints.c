#include "server/endpoints.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "api/response.h"
#include "base/system.h"
#include "base/version.h"
#include "server/answering.h"
#include "server/log.h"
#include "server/page.h"
#include "json/json.h"

enum { SMALL_BODY_BYTES = 1 << 16, REPLY_BYTES_MAX = 1 << 28 };

void vb_service_fail(vb_exchange *x, const vb_api_error *e) {
    vb_buf body = vb_buf_make(SMALL_BODY_BYTES);
    if (vb_api_error_append(e, &body)) {
        vb_buf_free(&body);
        vb_exchange_fail(x, 500, "out_of_memory", "no memory");
        return;
    }
    if (e->status == 503 || e->status == 429) {
        vb_exchange_set_header(x, "Retry-After", "2");
    }
    vb_exchange_reply(x, (unsigned)e->status, "application/json", &body);
}

/* Replies with what was written into body, or that there was no memory for it. */
static void reply(vb_exchange *x, vb_err err, const char *type, vb_buf *body) {
    if (err) {
        vb_buf_free(body);
        vb_exchange_fail(x, 503, "out_of_memory", "no memory for the reply");
    } else {
        vb_exchange_reply(x, 200, type, body);
    }
}

typedef struct chore {
    vb_job job;
    vb_service *s;
    vb_exchange *x;
    void (*run)(vb_service *s, vb_exchange *x);
} chore;

static void run_chore(vb_job *job) {
    chore *c = (chore *)((char *)job - offsetof(chore, job));
    c->run(c->s, c->x);
    vb_exchange_release(c->x);
    free(c);
}

bool vb_service_put(vb_service *s, vb_exchange *x, void (*run)(vb_service *s, vb_exchange *x)) {
    chore *c = calloc(1, sizeof *c);
    if (c) {
        *c = (chore){{run_chore, NULL}, s, x, run};
        vb_exchange_hold(x);
        if (vb_workers_put(s->workers, &c->job, false)) {
            return true;
        }
        vb_exchange_release(x);
        free(c);
    }
    vb_exchange_set_header(x, "Retry-After", "2");
    vb_exchange_fail(x, 503, "overloaded", "this server has too much to do");
    return false;
}

/* Answers. */

static void chat(void *user, vb_exchange *x) {
    vb_answering_begin(user, x, VB_API_CHAT);
}

static void completions(void *user, vb_exchange *x) {
    vb_answering_begin(user, x, VB_API_COMPLETIONS);
}

/* Models. */

static vb_api_model shown(const vb_service *s, const vb_served_model *m, const char *name) {
    return (vb_api_model){.id = name,
                          .created_s = s->started_ms / 1000,
                          .owned_by = "verbatim",
                          .sha256 = m->o.sha256,
                          .ctx_tokens = (uint32_t)m->ctx_tokens};
}

/* Each name is a model to those who choose from the list. */
static void models(void *user, vb_exchange *x) {
    const vb_service *s = user;
    vb_api_model all[VB_SERVER_MODELS_MAX * VB_SERVER_MODEL_NAMES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < s->n_models; i++) {
        const vb_served_model *m = &s->models[i];
        for (size_t k = 0; k < m->o.item.n_names; k++) {
            all[n++] = shown(s, m, m->o.item.names[k]);
        }
    }
    vb_buf body = vb_buf_make(REPLY_BYTES_MAX);
    const vb_err err = vb_api_models_append(all, n, &body);
    reply(x, err, "application/json", &body);
}

static void model(void *user, vb_exchange *x) {
    const vb_service *s = user;
    const vb_served_model *m = vb_service_model(s, vb_exchange_rest(x));
    if (!m) {
        vb_api_error e;
        (void)vb_service_no_model(s, vb_exchange_rest(x), &e);
        vb_service_fail(x, &e);
        return;
    }
    const vb_api_model there = shown(s, m, vb_served_model_name(m, vb_exchange_rest(x)));
    vb_buf body = vb_buf_make(SMALL_BODY_BYTES);
    const vb_err err = vb_api_model_append(&there, &body);
    reply(x, err, "application/json", &body);
}

/* Tokens. */

/* The body as an object; NULL when it has replied. */
static json_t *read_object(vb_exchange *x) {
    size_t n;
    const uint8_t *bytes = vb_exchange_body(x, &n);
    json_t *document = NULL;
    vb_error e;
    if (vb_json_parse_foreign(bytes, n, VB_API_REQUEST_BYTES_MAX, &document, &e)) {
        vb_exchange_fail(x, 400, "invalid_json", "%s", e.msg);
        return NULL;
    }
    if (!json_is_object(document)) {
        vb_exchange_fail(x, 400, "invalid_type", "expected an object");
        json_decref(document);
        return NULL;
    }
    return document;
}

/* Which model's tokens are meant: with one model it goes without saying. NULL when it has replied.
 */
static const vb_served_model *read_model(const vb_service *s, vb_exchange *x,
                                         const json_t *document) {
    const json_t *name = json_object_get(document, "model");
    const vb_served_model *m = NULL;
    vb_api_error e;
    if (!name && s->n_models == 1) {
        return &s->models[0];
    }
    if (!json_is_string(name)) {
        vb_exchange_fail(x, 400, "invalid_type", "expected 'model', the name of one of the models");
    } else if (!(m = vb_service_model(s, json_string_value(name)))) {
        (void)vb_service_no_model(s, json_string_value(name), &e);
        vb_service_fail(x, &e);
    }
    return m;
}

static void do_tokenize(vb_service *s, vb_exchange *x) {
    json_t *document = read_object(x);
    const vb_served_model *m = document ? read_model(s, x, document) : NULL;
    if (!m) {
        json_decref(document);
        return;
    }
    const json_t *prompt = json_object_get(document, "prompt");
    const json_t *special = json_object_get(document, "add_special_tokens");
    uint32_t *ids = NULL;
    size_t n = 0;
    vb_error e;
    if (!json_is_string(prompt) || (special && !json_is_boolean(special))) {
        vb_exchange_fail(x, 400, "invalid_type",
                         "expected 'prompt', a text, and at most 'add_special_tokens', a boolean");
    } else if (vb_tokenizer_encode(m->o.tokenizer, json_string_value(prompt),
                                   json_string_length(prompt), !special || json_is_true(special),
                                   true, &ids, &n, &e)) {
        vb_exchange_fail(x, 400, "invalid_value", "prompt: %s", e.msg);
    } else {
        vb_buf body = vb_buf_make(REPLY_BYTES_MAX);
        const vb_err err = vb_api_tokens_append(ids, n, (uint32_t)m->ctx_tokens, &body);
        reply(x, err, "application/json", &body);
    }
    free(ids);
    json_decref(document);
}

static void do_detokenize(vb_service *s, vb_exchange *x) {
    json_t *document = read_object(x);
    const vb_served_model *m = document ? read_model(s, x, document) : NULL;
    if (!m) {
        json_decref(document);
        return;
    }
    const json_t *list = json_object_get(document, "tokens");
    const size_t n = json_array_size(list);
    uint32_t *ids = calloc(n ? n : 1, sizeof *ids);
    bool good = ids && json_is_array(list);
    for (size_t i = 0; good && i < n; i++) {
        const json_t *v = json_array_get(list, i);
        const json_int_t id = json_is_integer(v) ? json_integer_value(v) : -1;
        good = id >= 0 && id < (json_int_t)vb_tokenizer_size(m->o.tokenizer);
        ids[i] = good ? (uint32_t)id : 0;
    }
    if (!good) {
        vb_exchange_fail(x, 400, "invalid_type", "expected 'tokens', an array of ids below %u",
                         vb_tokenizer_size(m->o.tokenizer));
    } else {
        vb_buf text = vb_buf_make(REPLY_BYTES_MAX), body = vb_buf_make(REPLY_BYTES_MAX);
        vb_err err = vb_tokenizer_decode(m->o.tokenizer, ids, n, true, true, &text, NULL);
        if (!err) {
            const vb_str decoded = {text.data ? (const char *)text.data : "", text.len};
            err = vb_api_detokenized_append(decoded, &body);
        }
        reply(x, err, "application/json", &body);
        vb_buf_free(&text);
    }
    free(ids);
    json_decref(document);
}

static void tokenize(void *user, vb_exchange *x) {
    vb_service_put(user, x, do_tokenize);
}

static void detokenize(void *user, vb_exchange *x) {
    vb_service_put(user, x, do_detokenize);
}

/* Records. */

static void verify(void *user, vb_exchange *x) {
    const char *level = vb_exchange_query(x, "level");
    if (level && strcmp(level, "receipt") != 0 && strcmp(level, "full") != 0) {
        vb_exchange_fail(x, 400, "invalid_value", "level: expected receipt or full");
        return;
    }
    vb_service_put(user, x,
                   level && strcmp(level, "full") == 0 ? vb_service_replay : vb_service_verify);
}

static json_t *list_models(const vb_service *s) {
    json_t *list = json_array();
    for (size_t i = 0; list && i < s->n_models; i++) {
        char hex[VB_SHA256_HEX_BYTES];
        vb_hex_encode(s->models[i].o.sha256, VB_SHA256_BYTES, hex);
        if (json_array_append_new(list,
                                  json_pack("{s:s,s:s}", "id", s->models[i].name, "sha256", hex))) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

/* NULL: there is none. */
static json_t *show_log(const vb_service *s) {
    const vb_api_log *l = &s->log;
    return s->publisher ? json_pack("{s:s,s:s,s:I,s:s}", "origin", l->origin, "key", l->key,
                                    "publish_within_s", (json_int_t)l->publish_within_s, "url_path",
                                    l->url_path)
                        : NULL;
}

/* What verifiers need to know of the server. */
static void well_known(void *user, vb_exchange *x) {
    const vb_service *s = user;
    uint8_t key[VB_ED25519_PUBLIC_BYTES];
    char key_hex[2 * sizeof key + 1];
    vb_ed25519_public(s->o.key, key);
    vb_hex_encode(key, sizeof key, key_hex);
    json_t *o = json_pack(
        "{s:s,s:s,s:s,s:s,s:o,s:o*,s:{s:s?,s:s,s:s?}}", "format", "verbatim.server/1", "public_key",
        key_hex, "arithmetic", VB_ARITHMETIC, "engine_version", VB_VERSION, "models",
        list_models(s), "log", show_log(s), "beacon", "id", s->beacon_id, "mode",
        vb_beacon_mode_name(s->defaults.mode), "fallback", s->config->beacon_fallback);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    if (text) {
        vb_exchange_reply_text(x, 200, "application/json", text);
    } else {
        vb_exchange_fail(x, 503, "out_of_memory", "no memory for the reply");
    }
    free(text);
    json_decref(o);
}

/* Operation. */

static void health(void *user, vb_exchange *x) {
    (void)user;
    vb_exchange_reply_text(x, 200, "application/json", "{\"status\":\"ok\"}");
}

static void ready(void *user, vb_exchange *x) {
    vb_service *s = user;
    if (atomic_load(&s->draining)) {
        vb_exchange_fail(x, 503, "draining", "the server is shutting down");
    } else {
        vb_exchange_reply_text(x, 200, "application/json", "{\"status\":\"ready\"}");
    }
}

static void version(void *user, vb_exchange *x) {
    (void)user;
    vb_exchange_reply_text(x, 200, "application/json",
                           "{\"version\":\"" VB_VERSION "\",\"arithmetic\":\"" VB_ARITHMETIC "\"}");
}

enum { SCHEDULER_ROWS = 14 };

static const struct {
    const char *name, *type, *help;
} scheduler_rows[SCHEDULER_ROWS] = {
    {"verbatim_queue", "gauge", "Requests that wait for a place."},
    {"verbatim_prefilling", "gauge", "Requests whose prompt is computed."},
    {"verbatim_parked", "gauge", "Requests that wait for their round."},
    {"verbatim_sequences", "gauge", "Sequences that decode."},
    {"verbatim_kv_pages", "gauge", "Pages of the KV cache."},
    {"verbatim_kv_pages_used", "gauge", "Pages in use."},
    {"verbatim_kv_pages_cached", "gauge", "Idle pages that keep beginnings of prompts."},
    {"verbatim_tokens_per_second", "gauge", "Drawn in the last second or so."},
    {"verbatim_steps_total", "counter", "Forward passes."},
    {"verbatim_prompt_tokens_computed_total", "counter",
     "Tokens of prompts, computed or taken from the prefix cache."},
    {"verbatim_prompt_tokens_cached_total", "counter",
     "Tokens of prompts that the prefix cache had."},
    {"verbatim_tokens_total", "counter", "Tokens that were drawn."},
    {"verbatim_drafted_tokens_total", "counter", "Rows of passes that were computed for drafts."},
    {"verbatim_accepted_tokens_total", "counter", "Of these, the ones that were drawn from."},
};

/* Each scheduler's numbers, in the order of the rows. */
static vb_err write_schedulers(const vb_service *s, vb_buf *out) {
    const char *names[VB_SERVER_MODELS_MAX];
    double values[SCHEDULER_ROWS][VB_SERVER_MODELS_MAX];
    for (size_t i = 0; i < s->n_models; i++) {
        vb_scheduler_stats t;
        vb_scheduler_get_stats(s->models[i].scheduler, &t);
        const double own[SCHEDULER_ROWS] = {(double)t.waiting,
                                            (double)t.prefilling,
                                            (double)t.parked,
                                            (double)t.running,
                                            (double)t.pages,
                                            (double)t.pages_used,
                                            (double)t.pages_cached,
                                            t.tokens_per_second,
                                            (double)t.steps,
                                            (double)t.prompt_tokens,
                                            (double)t.prompt_tokens_cached,
                                            (double)t.tokens,
                                            (double)t.drafted,
                                            (double)t.accepted};
        names[i] = s->models[i].name;
        for (size_t row = 0; row < SCHEDULER_ROWS; row++) {
            values[row][i] = own[row];
        }
    }
    vb_err err = VB_OK;
    for (size_t row = 0; !err && row < SCHEDULER_ROWS; row++) {
        err = vb_metrics_write_models(out, scheduler_rows[row].name, scheduler_rows[row].type,
                                      scheduler_rows[row].help, names, values[row], s->n_models);
    }
    return err;
}

/* The route is open, so that no key of a client is needed; it may ask for one of its own. */
static bool may_read_metrics(vb_service *s, vb_exchange *x) {
    uint8_t sha256[VB_SHA256_BYTES];
    if (!s->config->metrics_key ||
        (vb_hex_decode(s->config->metrics_key, sha256, sizeof sha256) &&
         vb_client_key_is(vb_exchange_header(x, "Authorization"), sha256))) {
        return true;
    }
    vb_metrics_add(&s->metrics.refused[VB_REFUSED_KEY], 1);
    vb_exchange_set_header(x, "WWW-Authenticate", "Bearer");
    vb_exchange_fail(x, 401, "invalid_api_key",
                     "expected the key for metrics: Authorization: Bearer KEY");
    return false;
}

static void metrics(void *user, vb_exchange *x) {
    vb_service *s = user;
    if (!may_read_metrics(s, x)) {
        return;
    }
    const struct {
        const char *name, *type, *help;
        double value;
    } plain[] = {
        {"verbatim_connections", "gauge", "Open connections.",
         (double)vb_httpd_connections(s->http)},
        {"verbatim_requests_under_way", "gauge", "HTTP requests that are not over.",
         (double)vb_httpd_exchanges(s->http)},
        {"verbatim_answers_under_way", "gauge", "Answers that are being made.",
         (double)atomic_load(&s->n_answers)},
        {"verbatim_log_dropped_total", "counter", "Lines of the log that nobody read in time.",
         (double)vb_log_dropped()},
    };
    vb_buf body = vb_buf_make(REPLY_BYTES_MAX);
    vb_err err = vb_metrics_write(&s->metrics, &body);
    for (size_t i = 0; !err && i < sizeof plain / sizeof plain[0]; i++) {
        err = vb_metrics_write_value(&body, plain[i].name, plain[i].type, plain[i].help,
                                     plain[i].value);
    }
    if (!err) {
        err = write_schedulers(s, &body);
    }
    if (!err && s->publisher) {
        err = vb_log_write_metrics(s, &body);
    }
    reply(x, err, "text/plain; version=0.0.4", &body);
}

void vb_server_routes(vb_httpd_route routes[VB_SERVER_ROUTES], size_t body_bytes_max) {
    const vb_httpd_route all[VB_SERVER_ROUTES] = {
        {"POST", "/v1/chat/completions", "chat", false, body_bytes_max, chat},
        {"POST", "/v1/completions", "completions", false, body_bytes_max, completions},
        {"GET", "/v1/models", "models", false, 0, models},
        {"GET", "/v1/models/*", "models", false, 0, model},
        {"GET", "/v1/receipts/*", "receipts", false, 0, vb_record_handle},
        {"POST", "/v1/verify", "verify", false, body_bytes_max, verify},
        {"POST", "/tokenize", "tokenize", false, body_bytes_max, tokenize},
        {"POST", "/detokenize", "detokenize", false, body_bytes_max, detokenize},
        {"GET", VB_LOG_URL_PATH "*", "log", true, 0, vb_log_file_handle},
        {"GET", "/.well-known/verbatim", "well-known", true, 0, well_known},
        {"GET", "/health", "health", true, 0, health},
        {"GET", "/ready", "ready", true, 0, ready},
        {"GET", "/version", "version", true, 0, version},
        {"GET", "/metrics", "metrics", true, 0, metrics},
        {"GET", "/", "page", true, 0, vb_page_show},
        {"GET", "/web/*", "page", true, 0, vb_page_show},
    };
    memcpy(routes, all, sizeof all);
}
