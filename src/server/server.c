#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "base/version.h"
#include "engine/scheduler.h"
#include "model/kv_pool.h"
#include "server/endpoints.h"
#include "server/log.h"

enum { MEGABYTE = 1 << 20, DAY_MS = 86400000, JOBS_MAX = 1024, SETTLE_WAIT_MS = 10000 };

struct vb_server {
    vb_service service;
    vb_httpd_route routes[VB_SERVER_ROUTES];
};

/* Who may ask, before the body is read. */

static bool admit(void *user, vb_exchange *x, const vb_httpd_route *route) {
    vb_service *s = user;
    if (route->open) {
        return true;
    }
    vb_client *client = NULL;
    uint32_t retry_after_s = 1;
    char seconds[16];
    switch (vb_clients_admit(s->clients, vb_exchange_header(x, "Authorization"), vb_clock_ns(),
                             &client, &retry_after_s)) {
    case VB_ADMITTED: vb_exchange_set_client(x, client, vb_client_name(client)); return true;
    case VB_NOT_ADMITTED_KEY:
        vb_metrics_add(&s->metrics.refused[VB_REFUSED_KEY], 1);
        vb_exchange_set_header(x, "WWW-Authenticate", "Bearer");
        vb_exchange_fail(x, 401, "invalid_api_key",
                         "expected a key of this server: Authorization: Bearer KEY");
        return false;
    case VB_NOT_ADMITTED_RATE:
        vb_metrics_add(&s->metrics.refused[VB_REFUSED_RATE], 1);
        snprintf(seconds, sizeof seconds, "%u", retry_after_s);
        vb_exchange_set_header(x, "Retry-After", seconds);
        vb_exchange_fail(x, 429, "rate_limit_exceeded",
                         "too many requests a minute; the next one in %u s", retry_after_s);
        return false;
    case VB_NOT_ADMITTED_CONCURRENCY:
        vb_metrics_add(&s->metrics.refused[VB_REFUSED_CONCURRENCY], 1);
        vb_exchange_set_header(x, "Retry-After", "1");
        vb_exchange_fail(x, 429, "concurrency_limit_exceeded", "too many requests at once");
        return false;
    }
    return false;
}

const char *vb_service_client(const vb_service *s, const vb_exchange *x) {
    return s->o.api_keys ? vb_client_name(vb_exchange_client(x)) : NULL;
}

static void finished(void *user, const vb_exchange_summary *e, void *client) {
    vb_service *s = user;
    if (client) {
        vb_clients_leave(s->clients, client);
    }
    vb_metrics_exchange(&s->metrics, e);
    vb_log_exchange(e);
}

/* Opening. */

/* Who gave out commitments of a key with a log has promised that they will be in it. */
static vb_err check_no_log(vb_service *s, vb_error *e) {
    vb_store_journal j;
    vb_err err = vb_store_journal_get(s->store, &j, e);
    if (!err && j.on) {
        err = vb_fail(e, VB_EMISMATCH,
                      "log: the key has a log of %llu entries, of which %llu are not public: name "
                      "its folder, or use another key",
                      (unsigned long long)j.end, (unsigned long long)(j.end - j.first));
    }
    return err;
}

static vb_err open_publisher(vb_service *s, vb_error *e) {
    const vb_server_config *c = s->config;
    vb_config_witness witnesses[VB_SERVER_WITNESSES_MAX];
    if (!c->log) {
        return check_no_log(s, e);
    }
    vb_err err = VB_OK;
    for (size_t i = 0; !err && i < c->log_witnesses.n; i++) {
        err = vb_server_config_witness(c->log_witnesses.items[i], &witnesses[i], e);
    }
    const vb_publisher_options options = {.folder = c->log,
                                          .origin = c->log_origin,
                                          .key = s->o.key,
                                          .store = s->store,
                                          .publish_s = (uint32_t)c->log_publish_s,
                                          .within_s = (uint32_t)c->log_within_s,
                                          .settle_s = (uint32_t)c->log_settle_s,
                                          .witnesses = witnesses,
                                          .n_witnesses = c->log_witnesses.n};
    if (err || (err = vb_publisher_open(&options, &s->publisher, e))) {
        return err;
    }
    const vb_tlog_key *key = vb_publisher_key(s->publisher);
    vb_tlog_key_print(key, s->log_key);
    s->log = (vb_api_log){.origin = key->name,
                          .key = s->log_key,
                          .url_path = VB_LOG_URL_PATH,
                          .publish_within_s = c->log_within_s};
    return VB_OK;
}

static vb_err open_store(vb_service *s, vb_error *e) {
    const vb_server_config *c = s->config;
    const vb_store_options options = {.keep_ms = c->keep_days * DAY_MS,
                                      .keep_bytes = c->keep_megabytes * MEGABYTE,
                                      .mark_file = s->o.mark_file,
                                      .journal = c->log != NULL};
    vb_err err = vb_store_open(s->o.store_file, s->o.key, &options, &s->store, &s->n_lost, e);
    if (!err && s->n_lost) {
        vb_log(VB_LOG_WARNING, "store",
               "%zu commitments of a server that ended before its answers "
               "were recorded as lost",
               s->n_lost);
    }
    if (err || (err = vb_unsettled_open(s->answers_max, &s->unsettled, e))) {
        return err;
    }
    return vb_local_chain_open(s->o.data_dir, &s->chain, e);
}

static uint64_t kv_bytes_of_all(const vb_service *s) {
    uint64_t n = 0;
    for (size_t i = 0; i < s->o.n_models; i++) {
        const vb_server_model *m = &s->o.models[i];
        n += m->n_pages * vb_kv_page_bytes(vb_model_get_config(m->model));
    }
    return n;
}

/* All of them at once would take more threads than there are processors: they take turns. */
static vb_err open_models(vb_service *s, vb_error *e) {
    const vb_server_config *c = s->config;
    const uint64_t answers = c->queue + c->sequences * s->o.n_models;
    s->answers_max = (size_t)(answers < VB_QUEUE_MAX ? answers : VB_QUEUE_MAX);
    s->models = calloc(s->o.n_models, sizeof *s->models);
    if (!s->models) {
        return vb_fail(e, VB_ENOMEM, "no memory for %zu models", s->o.n_models);
    }
    /* Each cache alone may fit where all do not: they become memory as they are filled. */
    vb_err err = vb_memory_check(kv_bytes_of_all(s), "the KV caches of all models", e);
    if (!err && s->o.n_models > 1) {
        err = vb_scheduler_turn_open(&s->turn, e);
    }
    for (size_t i = 0; !err && i < s->o.n_models; i++) {
        err = vb_served_model_open(s, &s->o.models[i], &s->models[i], e);
        if (err) {
            vb_served_model_close(&s->models[i]);
        }
        s->n_models += !err;
    }
    return err;
}

static size_t largest_vocabulary(const vb_service *s) {
    size_t n = 0;
    for (size_t i = 0; i < s->n_models; i++) {
        const size_t own = vb_tokenizer_size(s->models[i].o.tokenizer);
        n = own > n ? own : n;
    }
    return n;
}

static void set_defaults(vb_service *s) {
    const vb_server_config *c = s->config;
    s->defaults = (vb_api_defaults)VB_API_DEFAULTS;
    s->defaults.chat_max_tokens = (uint32_t)c->max_tokens;
    s->defaults.choices_max =
        (uint32_t)(c->sequences < VB_CHOICES_MAX ? c->sequences : VB_CHOICES_MAX);
    s->defaults.n_vocab = largest_vocabulary(s);
    s->defaults.make_private = c->private_receipts;
    s->defaults.deadline_ms = s->defaults.deadline_ms_max = (uint32_t)(c->request_s * 1000);
    s->defaults.beacon_id = s->rounds ? s->beacon_id : VB_LOCAL_BEACON_NAME;
    s->defaults.mode = s->rounds ? vb_beacon_mode_of_name(c->beacon_mode) : VB_MODE_LOCAL;
    s->defaults.fallback = c->beacon_fallback ? VB_LOCAL_BEACON_NAME : NULL;
}

static vb_err open_rounds(vb_service *s, vb_error *e) {
    if (!s->o.sources[0]) {
        return VB_OK;
    }
    s->beacon_id = vb_source_id(s->o.sources[0]);
    return vb_rounds_open(s->o.sources, VB_SERVER_SOURCES, s->o.trust, s->o.beacon_wait_ms,
                          &s->rounds, e);
}

static vb_err open_http(vb_server *server, vb_error *e) {
    vb_service *s = &server->service;
    const vb_server_config *c = s->config;
    vb_server_routes(server->routes, (size_t)c->body_kilobytes * 1024);
    vb_metrics_begin(&s->metrics, server->routes, VB_SERVER_ROUTES);
    vb_metrics_add(&s->metrics.aborts[VB_ABORT_LOST], s->n_lost);
    const vb_httpd_options options = {
        .address = c->address,
        .port = (uint16_t)c->port,
        .connections_max = (size_t)c->connections,
        .connections_per_address_max = (size_t)c->connections_per_address,
        .header_bytes_max = (size_t)c->header_kilobytes * 1024,
        .bodies_bytes_max = c->bodies_megabytes * MEGABYTE,
        .header_ms = (uint32_t)c->header_s * 1000,
        .body_ms = (uint32_t)c->body_s * 1000,
        .idle_ms = (uint32_t)c->idle_s * 1000,
        .send_ms = (uint32_t)c->send_s * 1000,
        .stream_bytes_max = (size_t)c->stream_kilobytes * 1024,
        .tls_certificate = s->o.tls_certificate,
        .tls_key = s->o.tls_key,
        .cors_origins = (const char *const *)c->cors_origins.items,
        .n_cors_origins = c->cors_origins.n,
        .routes = server->routes,
        .n_routes = VB_SERVER_ROUTES,
        .admit = admit,
        .finished = finished,
        .user = s,
    };
    const vb_err err = vb_httpd_open(&options, &s->http, e);
    return err ? err : vb_httpd_start(s->http, e);
}

vb_err vb_server_open(const vb_server_options *o, vb_server **out, vb_error *e) {
    vb_server *server = calloc(1, sizeof *server);
    if (!server) {
        return vb_fail(e, VB_ENOMEM, "no memory for the server");
    }
    vb_service *s = &server->service;
    s->o = *o;
    s->config = o->config;
    s->started_ms = vb_unix_ms();
    pthread_mutex_init(&s->chain_lock, NULL);
    const vb_client_limits limits = {(uint32_t)o->config->requests_per_minute,
                                     (uint32_t)o->config->concurrent};
    vb_err err = vb_clients_open(o->api_keys, o->api_keys ? strlen(o->api_keys) : 0, &limits,
                                 &s->clients, e);
    if (err) {
        vb_fail_in(e, err, "api_keys");
    }
    if (err || (err = open_models(s, e)) || (err = open_store(s, e)) ||
        (err = open_publisher(s, e)) || (err = open_rounds(s, e)) ||
        (err = vb_workers_open((size_t)o->config->workers, JOBS_MAX, &s->workers, e))) {
        vb_server_close(server);
        return err;
    }
    set_defaults(s);
    if ((err = open_http(server, e))) {
        vb_server_close(server);
        return err;
    }
    *out = server;
    return VB_OK;
}

uint16_t vb_server_port(const vb_server *s) {
    return vb_httpd_port(s->service.http);
}

void vb_server_drain(vb_server *server, uint32_t wait_ms) {
    vb_service *s = &server->service;
    vb_error e;
    atomic_store(&s->draining, true);
    vb_httpd_drain(s->http);
    if (!vb_httpd_wait_idle(s->http, wait_ms)) {
        vb_log(VB_LOG_WARNING, "drain", "%zu requests are cancelled", vb_httpd_exchanges(s->http));
    }
    for (size_t i = 0; i < s->n_models; i++) {
        if (vb_scheduler_drain(s->models[i].scheduler, 0, &e)) {
            vb_log(VB_LOG_WARNING, "drain", "%s: %s", s->models[i].name, e.msg);
        }
    }
    (void)vb_httpd_wait_idle(s->http, SETTLE_WAIT_MS);
}

void vb_server_close(vb_server *server) {
    if (!server) {
        return;
    }
    vb_service *s = &server->service;
    if (s->http) {
        vb_server_drain(server, 0);
    }
    /* In this order: who brings work ends before who does it. The schedulers have been drained, so
     * they call nobody any more, and refuse whatever still comes. */
    vb_rounds_close(s->rounds);
    vb_workers_close(s->workers);
    for (size_t i = 0; i < s->n_models; i++) {
        vb_served_model_close(&s->models[i]);
    }
    vb_scheduler_turn_close(s->turn);
    vb_httpd_close(s->http);
    vb_local_chain_close(s->chain);
    if (s->unsettled) {
        (void)vb_unsettled_retry(s->unsettled, s->store, NULL);
    }
    vb_unsettled_close(s->unsettled);
    vb_publisher_close(s->publisher); /* there are no more records to publish */
    vb_store_close(s->store);
    vb_clients_close(s->clients);
    free(s->models);
    pthread_mutex_destroy(&s->chain_lock);
    free(server);
}
