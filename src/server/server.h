/*
 * The OpenAI-compatible server of some models, whose every completed answer has a receipt.
 *
 * Owner: open/close; what the options point to is borrowed until close. Thread rule: open, drain
 * and close from one thread.
 */
#ifndef VB_SERVER_SERVER_H
#define VB_SERVER_SERVER_H

#include "crypto/ed25519.h"
#include "crypto/sha256.h"
#include "fetch/source.h"
#include "gguf/gguf.h"
#include "model/model.h"
#include "server/config.h"
#include "tokenizer/tokenizer.h"

typedef struct vb_server vb_server;

enum { VB_SERVER_SOURCES = 3 };

/* A model: what the API calls it, its place in memory, and, once it is loaded, the rest. */
typedef struct vb_server_model {
    vb_config_model item; /* its names, the first of them in answers */
    const vb_gguf *gguf;
    size_t ctx_tokens, n_pages; /* of a sequence; of its KV cache */
    const vb_model *model;
    const vb_tokenizer *tokenizer;
    const uint8_t *sha256; /* [32] */
} vb_server_model;

/* Before any weights are loaded. With item, gguf and tokenizer of each model: gives those a name
 * that have none, checks that clients can tell all names apart, and shares the KV cache out: equal
 * parts. VB_EINVAL says which setting does not suffice for which model. */
VB_MUST_CHECK vb_err vb_server_plan(const vb_server_config *c, vb_server_model *models, size_t n,
                                    vb_error *e);

typedef struct vb_server_options {
    const vb_server_config *config; /* checked */
    const vb_server_model *models;  /* planned and loaded */
    size_t n_models;                /* 1 .. VB_SERVER_MODELS_MAX */
    const char *tier;
    int n_threads;
    size_t batch_tokens;
    const vb_ed25519_key *key; /* counts in this server's store only */
    const char *data_dir;      /* of the local chain */
    const char *store_file;
    const char *mark_file; /* how far the key has counted, beside the key */
    /* The public beacon, opened VB_SERVER_SOURCES times; the first NULL: there is none. */
    vb_source *sources[VB_SERVER_SOURCES];
    uint32_t beacon_wait_ms;
    const vb_trust *trust; /* NULL: the built-in roots */
    /* Texts of files; NULL: none. */
    const char *api_keys, *tls_certificate, *tls_key;
} vb_server_options;

/* Everything is there and listens when it returns. */
VB_MUST_CHECK vb_err vb_server_open(const vb_server_options *o, vb_server **out, vb_error *e);
uint16_t vb_server_port(const vb_server *s);

/* Takes no new requests, finishes those under way, and after wait_ms cancels what is left: each
 * commitment ends in a receipt or an abort record. */
void vb_server_drain(vb_server *s, uint32_t wait_ms);
void vb_server_close(vb_server *s); /* NULL is allowed */

#endif
