/*
 * What the endpoints share: the loaded models, who signs, where records go, and the threads that
 * work. Filled by server.c before the first request, and unchanged until the last one is over.
 * Internal to src/server.
 */
#ifndef VB_SERVER_SERVICE_H
#define VB_SERVER_SERVICE_H

#include <pthread.h>
#include <stdatomic.h>

#include "api/message.h"
#include "api/request.h"
#include "api/response.h"
#include "beacon/local_chain.h"
#include "engine/scheduler.h"
#include "grammar/grammar.h"
#include "server/clients.h"
#include "server/httpd.h"
#include "server/metrics.h"
#include "server/publisher.h"
#include "server/rounds.h"
#include "server/server.h"
#include "server/unsettled.h"
#include "server/workers.h"
#include "store/store.h"

/* How the API names the server's own local chain, whose full id a commitment states. */
#define VB_LOCAL_BEACON_NAME "local:server"

/* A model that is served, and who computes its answers (models.c). */
typedef struct vb_served_model {
    vb_server_model o;
    const char *name; /* the first of o.item.names */
    char fingerprint[64];
    bool uses_date;             /* the chat template prints one */
    vb_tool_form tool_form;     /* how the model writes calls, by its chat template */
    vb_vocabulary *vocabulary;  /* for answers under a constraint */
    size_t ctx_tokens, n_pages; /* of a sequence; of the KV cache */
    vb_scheduler *scheduler;
} vb_served_model;

typedef struct vb_service {
    vb_server_options o;
    const vb_server_config *config; /* o.config */
    vb_served_model *models;        /* [n_models] */
    size_t n_models;
    vb_scheduler_turn *turn; /* of their schedulers */
    uint64_t started_ms;
    vb_api_defaults defaults; /* n_vocab: of the largest vocabulary */

    vb_store *store;
    size_t n_lost; /* commitments of an earlier run that were recorded as lost at the start */
    vb_unsettled *unsettled;
    vb_publisher *publisher; /* NULL: no log */
    vb_api_log log;          /* what answers say of it */
    char log_key[VB_TLOG_VKEY_BYTES_MAX + 1];
    atomic_size_t n_log_files; /* of the log that are being read */
    pthread_mutex_t chain_lock;
    vb_local_chain *chain;
    vb_rounds *rounds;     /* NULL: no public beacon */
    const char *beacon_id; /* of rounds */
    vb_workers *workers;
    vb_clients *clients;
    vb_metrics metrics;
    vb_httpd *http;

    atomic_size_t n_answers; /* being made; at most answers_max */
    size_t answers_max;
    atomic_bool draining;
    atomic_bool verifying; /* a receipt is replayed */
} vb_service;

/* models.c */

VB_MUST_CHECK vb_err vb_served_model_open(const vb_service *s, const vb_server_model *o,
                                          vb_served_model *out, vb_error *e);
void vb_served_model_close(vb_served_model *m); /* also one that failed to open; its scheduler is
                                                   drained */

/* By any of its names, where case does not count and ' ', '_' and '-' are the same, or by
 * "sha256:" and its digest. NULL: there is none, and no other one takes its place. */
vb_served_model *vb_service_model(const vb_service *s, const char *name);
/* The one of its names that this is, as it was configured; by digest the first. */
const char *vb_served_model_name(const vb_served_model *m, const char *name);
vb_served_model *vb_service_model_of_digest(const vb_service *s,
                                            const uint8_t sha256[VB_SHA256_BYTES]);

/* The model that a request names, whose tokens are checked against its vocabulary. 404 says which
 * models there are. */
VB_MUST_CHECK vb_err vb_service_choose_model(const vb_service *s, const vb_api_request *q,
                                             vb_served_model **out, vb_api_error *e);
/* 404: there is no model of this name. */
vb_err vb_service_no_model(const vb_service *s, const char *name, vb_api_error *e);

/* server.c: whose record an answer to x is: the name of its key; NULL where there are no keys. */
const char *vb_service_client(const vb_service *s, const vb_exchange *x);

/* Where a log is served, and what begins with it. */
#define VB_LOG_URL_PATH "/log/"

/* endpoints.c: replies with an error of the API. */
void vb_service_fail(vb_exchange *x, const vb_api_error *e);

#endif
