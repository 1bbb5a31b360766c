/*
 * The server's settings, in one table: a row gives the setting's name, type, range and help, and
 * with it the member of the configuration file, the option of the command line and the variable of
 * the environment. What is said later wins: defaults, file, environment (VERBATIM_NAME), options.
 *
 * The file is one JSON object; a member that is no setting, or of another type, is an error.
 * Owner: texts belong to the vb_server_config until vb_server_config_free.
 */
#ifndef VB_SERVER_CONFIG_H
#define VB_SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "tlog/note.h"

enum { VB_CONFIG_LIST_MAX = VB_SERVER_MODELS_MAX };

typedef struct vb_config_list {
    char *items[VB_CONFIG_LIST_MAX];
    size_t n;
} vb_config_list;

typedef struct vb_server_config {
    /* Texts; NULL: not set. */
    char *address, *tier, *model_name;
    char *data_dir, *key_file, *store_file, *log_level, *log_form;
    char *beacon, *beacon_mode, *beacon_ca, *beacon_fallback, *trust_file;
    char *log, *log_origin;
    char *api_keys, *metrics_key, *tls_certificate, *tls_key;
    vb_config_list model, beacon_urls, log_witnesses, cors_origins;
    /* Numbers; 0 is "as the program sees fit", or "no limit", as each row's help says. */
    uint64_t port, threads, batch, ctx;
    uint64_t kv_megabytes, sequences, queue, workers;
    uint64_t max_tokens;
    uint64_t keep_days, keep_megabytes;
    uint64_t beacon_wait_s;
    uint64_t log_publish_s, log_within_s, log_settle_s;
    uint64_t requests_per_minute, concurrent;
    uint64_t connections, connections_per_address;
    uint64_t header_kilobytes, body_kilobytes, bodies_megabytes, stream_kilobytes;
    uint64_t header_s, body_s, idle_s, send_s, request_s, drain_s;
    uint64_t verify_tokens, verify_s;
    bool no_prefix_cache, share_prefixes, no_speculation, no_client_seed, private_receipts,
        public_receipts;
} vb_server_config;

typedef enum vb_setting_kind {
    VB_SETTING_TEXT = 1,
    VB_SETTING_NUMBER,
    VB_SETTING_FLAG,
    VB_SETTING_LIST
} vb_setting_kind;

typedef struct vb_setting {
    const char *name; /* "beacon_wait_s" */
    vb_setting_kind kind;
    size_t offset; /* in vb_server_config */
    uint64_t min, max;
    const char *metavar, *help;
} vb_setting;

/* The table; *n rows. */
const vb_setting *vb_server_settings(size_t *n);

/* All defaults. VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_server_config_begin(vb_server_config *c, vb_error *e);
void vb_server_config_free(vb_server_config *c);

/* The file's text. The message names the member. */
VB_MUST_CHECK vb_err vb_server_config_read(vb_server_config *c, const void *bytes, size_t n_bytes,
                                           vb_error *e);

/* One setting from text: of a flag "true" or "false", of a list its items separated by spaces,
 * which replace those before. where names it in the message ("--port"). */
VB_MUST_CHECK vb_err vb_server_config_set(vb_server_config *c, const vb_setting *s,
                                          const char *text, const char *where, vb_error *e);
/* The items of a list as they are, which may have spaces; they replace those before. */
VB_MUST_CHECK vb_err vb_server_config_set_items(vb_server_config *c, const vb_setting *s,
                                                const char *const *items, size_t n,
                                                const char *where, vb_error *e);

/* What one item of `model` says: FILE, or NAME[,NAME...]=FILE. Behind a '/' a '=' belongs to the
 * file's name. */
typedef struct vb_config_model {
    char names[VB_SERVER_MODEL_NAMES_MAX][VB_RECEIPT_NAME_BYTES_MAX + 1];
    size_t n_names;   /* 0: what the file says, or model_name */
    const char *path; /* into the item */
} vb_config_model;

VB_MUST_CHECK vb_err vb_server_config_model(const char *item, vb_config_model *out, vb_error *e);

/* What one item of `log_witnesses` says: KEY=URL, a verifier key of a witness (C2SP
 * tlog-cosignature) and the prefix that checkpoints are sent to (C2SP tlog-witness). */
typedef struct vb_config_witness {
    vb_tlog_key key;
    const char *url; /* into the item */
} vb_config_witness;

VB_MUST_CHECK vb_err vb_server_config_witness(const char *item, vb_config_witness *out,
                                              vb_error *e);

/* Settings of which one makes no sense without, or beside, another. */
VB_MUST_CHECK vb_err vb_server_config_check(const vb_server_config *c, vb_error *e);

/* Appends the settings in effect as a configuration file. */
VB_MUST_CHECK vb_err vb_server_config_write(const vb_server_config *c, vb_buf *out, vb_error *e);

#endif
