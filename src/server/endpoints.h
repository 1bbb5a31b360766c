/* The routes of the server (docs/server.md). Internal to src/server. */
#ifndef VB_SERVER_ENDPOINTS_H
#define VB_SERVER_ENDPOINTS_H

#include "server/service.h"

enum { VB_SERVER_ROUTES = 16 };

/* Fills the table for a service; body_bytes_max is that of large bodies. */
void vb_server_routes(vb_httpd_route routes[VB_SERVER_ROUTES], size_t body_bytes_max);

/* Runs what may block on a worker; false: there are too many such, and it has replied 503. */
bool vb_service_put(vb_service *s, vb_exchange *x, void (*run)(vb_service *s, vb_exchange *x));

/* records.c: GET /v1/receipts. */
void vb_record_handle(void *user, vb_exchange *x);

/* log_files.c: GET /log, and the log's part of /metrics. */
void vb_log_file_handle(void *user, vb_exchange *x);
VB_MUST_CHECK vb_err vb_log_write_metrics(vb_service *s, vb_buf *out);

/* verifying.c: on a worker. */
void vb_service_verify(vb_service *s, vb_exchange *x);
void vb_service_replay(vb_service *s, vb_exchange *x);

#endif
