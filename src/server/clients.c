#include "server/clients.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "crypto/sha256.h"
#include "json/json.h"

static const uint64_t MINUTE_NS = 60000000000u;

enum { PER_MINUTE_MAX = 1000000, CONCURRENT_MAX = 100000 };

struct vb_client {
    char name[VB_TRUST_NAME_BYTES_MAX + 1];
    uint8_t sha256[VB_SHA256_BYTES];
    vb_client_limits limits;
    uint32_t running;
    uint64_t empty_ns; /* when the bucket, were nothing taken any more, is full again */
};

struct vb_clients {
    bool open; /* no keys: clients[0] is everybody */
    vb_client *clients;
    size_t n;
    pthread_mutex_t lock;
};

static vb_err read_key(const json_t *value, size_t i, const vb_client_limits *defaults,
                       vb_client *out, vb_error *e) {
    char path[32];
    snprintf(path, sizeof path, "keys[%zu]", i);
    vb_fields f = vb_fields_foreign(value, path, e);
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)value, name, member) {
        if (strcmp(name, "name") != 0 && strcmp(name, "sha256") != 0 &&
            strcmp(name, "requests_per_minute") != 0 && strcmp(name, "concurrent") != 0) {
            vb_field_fail(&f, VB_EFORMAT, name, "there is no such member");
        }
    }
    out->limits = *defaults;
    vb_field_name(&f, "name", 1, out->name, sizeof out->name);
    vb_field_hex(&f, "sha256", out->sha256, sizeof out->sha256);
    if (!f.err && vb_field(&f, "requests_per_minute")) {
        vb_field_u32(&f, "requests_per_minute", 0, PER_MINUTE_MAX,
                     &out->limits.requests_per_minute);
    }
    if (!f.err && vb_field(&f, "concurrent")) {
        vb_field_u32(&f, "concurrent", 0, CONCURRENT_MAX, &out->limits.concurrent);
    }
    return f.err;
}

static vb_err check_unique(const vb_clients *c, vb_error *e) {
    for (size_t i = 0; i < c->n; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(c->clients[i].name, c->clients[k].name) == 0 ||
                memcmp(c->clients[i].sha256, c->clients[k].sha256, VB_SHA256_BYTES) == 0) {
                return vb_fail(e, VB_EFORMAT, "keys[%zu]: its name or sha256 is that of keys[%zu]",
                               i, k);
            }
        }
    }
    return VB_OK;
}

static vb_err read_keys(vb_clients *c, const void *keys, size_t n_bytes,
                        const vb_client_limits *defaults, vb_error *e) {
    json_t *document = NULL;
    vb_err err = vb_json_parse_foreign(keys, n_bytes, VB_SERVER_KEYS_BYTES_MAX, &document, e);
    if (err) {
        return err;
    }
    static const char *const names[] = {"keys", NULL};
    vb_fields f = vb_fields_open(document, "", names, e);
    const json_t *list = vb_field_array(&f, "keys", 1, VB_SERVER_KEYS_MAX);
    err = f.err;
    c->n = list ? json_array_size(list) : 0;
    if (!err && !(c->clients = calloc(c->n, sizeof *c->clients))) {
        err = vb_fail(e, VB_ENOMEM, "no memory for the keys");
    }
    for (size_t i = 0; !err && i < c->n; i++) {
        err = read_key(json_array_get(list, i), i, defaults, &c->clients[i], e);
    }
    json_decref(document);
    return err ? err : check_unique(c, e);
}

vb_err vb_clients_open(const void *keys, size_t n_bytes, const vb_client_limits *defaults,
                       vb_clients **out, vb_error *e) {
    vb_clients *c = calloc(1, sizeof *c);
    if (!c) {
        return vb_fail(e, VB_ENOMEM, "no memory for the keys");
    }
    pthread_mutex_init(&c->lock, NULL);
    vb_err err = VB_OK;
    if (keys) {
        err = read_keys(c, keys, n_bytes, defaults, e);
    } else if ((c->clients = calloc(1, sizeof *c->clients))) {
        c->open = true;
        c->n = 1;
        snprintf(c->clients[0].name, sizeof c->clients[0].name, "anonymous");
        c->clients[0].limits = *defaults;
    } else {
        err = vb_fail(e, VB_ENOMEM, "no memory for the keys");
    }
    if (err) {
        vb_clients_close(c);
        return err;
    }
    *out = c;
    return VB_OK;
}

void vb_clients_close(vb_clients *c) {
    if (c) {
        pthread_mutex_destroy(&c->lock);
        free(c->clients);
        free(c);
    }
}

/* The digest of the key that the header brings; false: it brings none. */
static bool hash_key(const char *authorization, uint8_t hash[VB_SHA256_BYTES]) {
    if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0) {
        return false;
    }
    const char *key = authorization + 7 + strspn(authorization + 7, " ");
    vb_sha256_of(key, strlen(key), hash);
    return true;
}

static bool is_same_hash(const uint8_t a[VB_SHA256_BYTES], const uint8_t b[VB_SHA256_BYTES]) {
    volatile uint8_t different = 0;
    for (size_t k = 0; k < VB_SHA256_BYTES; k++) {
        different |= a[k] ^ b[k];
    }
    return !different;
}

bool vb_client_key_is(const char *authorization, const uint8_t sha256[VB_SHA256_BYTES]) {
    uint8_t hash[VB_SHA256_BYTES];
    return hash_key(authorization, hash) && is_same_hash(hash, sha256);
}

/* Every key is compared, and every byte of it, whatever the first ones say. */
static vb_client *find_client(vb_clients *c, const char *authorization) {
    uint8_t hash[VB_SHA256_BYTES];
    if (c->open) {
        return &c->clients[0];
    }
    if (!hash_key(authorization, hash)) {
        return NULL;
    }
    vb_client *found = NULL;
    for (size_t i = 0; i < c->n; i++) {
        found = is_same_hash(hash, c->clients[i].sha256) ? &c->clients[i] : found;
    }
    return found;
}

/* With the lock. A bucket of one minute's requests: `empty_ns` moves on by one interval with each,
 * and may be at most a minute ahead. */
static bool take_turn(vb_client *client, uint64_t now_ns, uint32_t *retry_after_s) {
    if (!client->limits.requests_per_minute) {
        return true;
    }
    const uint64_t interval = MINUTE_NS / client->limits.requests_per_minute;
    const uint64_t from = client->empty_ns > now_ns ? client->empty_ns : now_ns;
    if (from + interval > now_ns + MINUTE_NS) {
        const uint64_t wait = from + interval - (now_ns + MINUTE_NS);
        *retry_after_s = (uint32_t)((wait + 999999999u) / 1000000000u);
        return false;
    }
    client->empty_ns = from + interval;
    return true;
}

vb_admission vb_clients_admit(vb_clients *c, const char *authorization, uint64_t now_ns,
                              vb_client **client, uint32_t *retry_after_s) {
    vb_client *k = find_client(c, authorization);
    if (!k) {
        return VB_NOT_ADMITTED_KEY;
    }
    vb_admission result = VB_ADMITTED;
    pthread_mutex_lock(&c->lock);
    if (k->limits.concurrent && k->running >= k->limits.concurrent) {
        *retry_after_s = 1;
        result = VB_NOT_ADMITTED_CONCURRENCY;
    } else if (!take_turn(k, now_ns, retry_after_s)) {
        result = VB_NOT_ADMITTED_RATE;
    } else {
        k->running++;
        *client = k;
    }
    pthread_mutex_unlock(&c->lock);
    return result;
}

void vb_clients_leave(vb_clients *c, vb_client *client) {
    pthread_mutex_lock(&c->lock);
    VB_ASSERT(client->running > 0);
    client->running--;
    pthread_mutex_unlock(&c->lock);
}

const char *vb_client_name(const vb_client *client) {
    return client->name;
}

uint64_t vb_client_number(const vb_clients *c, const vb_client *client) {
    return c->open ? 0 : (uint64_t)(client - c->clients) + 1;
}
