/*
 * Who may use the server, and how much: bearer keys, known by their SHA-256 alone, with limits of
 * rate and of concurrency. The file of keys is JSON:
 *   {"keys": [{"name": "alice", "sha256": "<64 hex>", "requests_per_minute": 60, "concurrent": 4}]}
 * The two limits may be left out (the server's defaults) and 0 means none. Without a file everybody
 * is one client, "anonymous", with the defaults.
 *
 * A rate is a bucket of one minute's requests that fills evenly.
 * Thread rule: any thread.
 */
#ifndef VB_SERVER_CLIENTS_H
#define VB_SERVER_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "crypto/sha256.h"

typedef struct vb_clients vb_clients;
typedef struct vb_client vb_client;

typedef struct vb_client_limits {
    uint32_t requests_per_minute, concurrent; /* 0: no limit */
} vb_client_limits;

/* keys NULL: everybody is one client. VB_EFORMAT names the member ("keys[2].sha256: ..."). */
VB_MUST_CHECK vb_err vb_clients_open(const void *keys, size_t n_bytes,
                                     const vb_client_limits *defaults, vb_clients **out,
                                     vb_error *e);
void vb_clients_close(vb_clients *c); /* NULL is allowed */

typedef enum vb_admission {
    VB_ADMITTED = 0, /* vb_clients_leave gives the place back */
    VB_NOT_ADMITTED_KEY,
    VB_NOT_ADMITTED_RATE,
    VB_NOT_ADMITTED_CONCURRENCY
} vb_admission;

/* authorization: the header's value, "Bearer KEY"; NULL: absent. The time taken does not depend on
 * how much of a key is right. *retry_after_s is set when the client is known and has to wait;
 * *client with VB_ADMITTED. */
vb_admission vb_clients_admit(vb_clients *c, const char *authorization, uint64_t now_ns,
                              vb_client **client, uint32_t *retry_after_s);
void vb_clients_leave(vb_clients *c, vb_client *client);

const char *vb_client_name(const vb_client *client);
/* Tells keys apart: 1, 2, ...; 0 for everybody where there are no keys. */
uint64_t vb_client_number(const vb_clients *c, const vb_client *client);

/* Whether the header brings the key with this SHA-256; in a time that does not say how much of it
 * is right. */
bool vb_client_key_is(const char *authorization, const uint8_t sha256[VB_SHA256_BYTES]);

#endif
