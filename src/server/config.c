#include "server/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "crypto/sha256.h"
#include "engine/scheduler.h"
#include "fetch/http.h"
#include "server/log.h"
#include "tlog/info.h"
#include "json/json.h"

#define TEXT(name, metavar, help)                                                                  \
    { #name, VB_SETTING_TEXT, offsetof(vb_server_config, name), 0, 0, metavar, help }
#define NUMBER(name, min, max, help)                                                               \
    { #name, VB_SETTING_NUMBER, offsetof(vb_server_config, name), min, max, "N", help }
#define FLAG(name, help)                                                                           \
    { #name, VB_SETTING_FLAG, offsetof(vb_server_config, name), 0, 0, NULL, help }
#define LIST(name, metavar, help)                                                                  \
    { #name, VB_SETTING_LIST, offsetof(vb_server_config, name), 0, 0, metavar, help }

enum { SECONDS_MAX = 86400, MEGABYTES_MAX = 1 << 24 };

static const vb_setting settings[] = {
    LIST(model, "[NAME=]FILE", "a model (GGUF), and what clients call it: NAME or NAME,NAME..."),
    TEXT(model_name, "NAME", "the name of the only model (default: the name in the file)"),
    TEXT(address, "IP", "where to listen (default 127.0.0.1)"),
    NUMBER(port, 0, 65535, "port (default 8080); 0: any free one, which is printed"),
    TEXT(tier, "NAME", "instruction set: scalar, avx2, avx512vnni, neon (default: the best here)"),
    NUMBER(threads, 0, VB_THREADS_MAX, "threads of a pass (default: all processors)"),
    NUMBER(batch, 0, VB_BATCH_TOKENS_MAX, "tokens of a pass (default 512)"),
    NUMBER(ctx, 0, VB_MODEL_CTX_TOKENS_MAX, "tokens of a sequence (default: the model's limit)"),
    NUMBER(kv_megabytes, 1, MEGABYTES_MAX,
           "memory of the KV caches, which models have equal parts of (default 1024)"),
    NUMBER(sequences, 1, VB_SEQUENCES_MAX, "answers that a model makes at once (default 16)"),
    NUMBER(queue, 1, VB_QUEUE_MAX, "requests that may wait for a place (default 64)"),
    NUMBER(workers, 1, VB_SERVER_WORKERS_MAX, "threads that commit and sign (default 4)"),
    NUMBER(max_tokens, 1, VB_MODEL_CTX_TOKENS_MAX,
           "tokens of an answer, where a request does not say (default 1024)"),
    FLAG(no_prefix_cache, "do not keep the beginnings of prompts"),
    FLAG(share_prefixes, "keys find the beginnings of each other's prompts"),
    FLAG(no_speculation, "decode one token a pass: no drafts from the text so far"),
    TEXT(data_dir, "DIR", "key, receipts and local chain (default: the program's data folder)"),
    TEXT(key_file, "FILE", "the key that signs (default: DIR/serve-key.pem, made at first use)"),
    TEXT(store_file, "FILE", "the receipts (default: DIR/receipts.db)"),
    NUMBER(keep_days, 0, 36500, "drop the bodies of older receipts (default 0: never)"),
    NUMBER(keep_megabytes, 0, MEGABYTES_MAX, "and beyond this size (default 0: any)"),
    TEXT(log_level, "LEVEL", "info, warning or error: what is below it is left out (default info)"),
    TEXT(log_form, "FORM", "json or text (default json)"),
    TEXT(beacon, "NAME", "draw with a public beacon, as of verbatim run (default: local chain)"),
    LIST(beacon_urls, "URL", "its endpoints, in order of preference"),
    TEXT(beacon_mode, "MODE", "next or latest, where a request does not say (default next)"),
    TEXT(beacon_fallback, "local", "when the beacon fails: the local chain, named as such"),
    NUMBER(beacon_wait_s, 0, SECONDS_MAX, "most to wait for a round (default 150; ethereum 1800)"),
    TEXT(beacon_ca, "FILE", "certificates to verify https endpoints with"),
    TEXT(trust_file, "FILE", "trust roots (default: the built-in ones)"),
    TEXT(log, "DIR", "publish every commitment and record in a transparency log, in this folder"),
    TEXT(log_origin, "NAME", "the log's name (default: verbatim/ and the key)"),
    LIST(log_witnesses, "KEY=URL", "who cosigns its checkpoints"),
    NUMBER(log_publish_s, 1, SECONDS_MAX, "between two checkpoints, at least (default 10)"),
    NUMBER(log_within_s, 2, SECONDS_MAX,
           "promised: a commitment is under a checkpoint within this time (default 60)"),
    NUMBER(log_settle_s, 1, VB_TLOG_WITHIN_S_MAX,
           "promised: and its receipt or abort record within this (default 86400)"),
    FLAG(no_client_seed, "refuse requests that bring their own seed"),
    FLAG(private_receipts, "leave prompts out of receipts, where a request does not say"),
    TEXT(api_keys, "FILE", "keys of clients (default: everybody may ask)"),
    FLAG(public_receipts, "who knows a record's id may read it, whosever it is"),
    TEXT(metrics_key, "SHA256", "of the key that /metrics asks for (default: it is open)"),
    NUMBER(requests_per_minute, 0, 1000000, "of one client (default 0: no limit)"),
    NUMBER(concurrent, 0, 100000, "requests of one client at once (default 0: no limit)"),
    TEXT(tls_certificate, "FILE", "certificate chain (PEM): serve HTTPS"),
    TEXT(tls_key, "FILE", "its private key (PEM)"),
    LIST(cors_origins, "ORIGIN", "web pages that may read answers, or *"),
    NUMBER(connections, 1, 65536, "open connections (default 512)"),
    NUMBER(connections_per_address, 0, 65536, "of one address (default 0: no limit)"),
    NUMBER(header_kilobytes, 4, 1024, "of a request's header (default 32)"),
    NUMBER(body_kilobytes, 1, VB_API_REQUEST_BYTES_MAX / 1024, "of a body (default 4096)"),
    NUMBER(bodies_megabytes, 1, MEGABYTES_MAX, "of all bodies together (default 256)"),
    NUMBER(stream_kilobytes, 16, 1 << 20, "unread by a slow reader, who is then cut off (1024)"),
    NUMBER(header_s, 1, SECONDS_MAX, "for a request's header (default 10)"),
    NUMBER(body_s, 1, SECONDS_MAX, "for its body (default 60)"),
    NUMBER(idle_s, 1, SECONDS_MAX, "between requests of a connection (default 60)"),
    NUMBER(send_s, 1, SECONDS_MAX, "to read what is left of an answer (default 60)"),
    NUMBER(request_s, 1, SECONDS_MAX, "for an answer, waiting included (default 3600)"),
    NUMBER(drain_s, 0, SECONDS_MAX, "to finish answers when the server is told to end (60)"),
    NUMBER(verify_tokens, 0, VB_MODEL_CTX_TOKENS_MAX,
           "of a receipt that /v1/verify replays (8192)"),
    NUMBER(verify_s, 1, SECONDS_MAX, "for such a replay (default 60)"),
};

enum { SETTINGS = sizeof settings / sizeof settings[0], KILOBYTE = 1024 };

const vb_setting *vb_server_settings(size_t *n) {
    *n = SETTINGS;
    return settings;
}

static void *slot(const vb_server_config *c, const vb_setting *s) {
    return (char *)(uintptr_t)c + s->offset;
}

static vb_err set_text(char **to, const char *text, size_t n_bytes, vb_error *e) {
    char *copy = strndup(text, n_bytes);
    if (!copy) {
        return vb_fail(e, VB_ENOMEM, "no memory for a setting");
    }
    free(*to);
    *to = copy;
    return VB_OK;
}

static void clear_list(vb_config_list *l) {
    for (size_t i = 0; i < l->n; i++) {
        free(l->items[i]);
        l->items[i] = NULL;
    }
    l->n = 0;
}

static vb_err add_item(vb_config_list *l, const char *text, size_t n_bytes, const char *where,
                       vb_error *e) {
    if (l->n == VB_CONFIG_LIST_MAX) {
        return vb_fail(e, VB_ELIMIT, "%s: at most %d items", where, VB_CONFIG_LIST_MAX);
    }
    vb_err err = set_text(&l->items[l->n], text, n_bytes, e);
    l->n += err ? 0 : 1;
    return err;
}

vb_err vb_server_config_begin(vb_server_config *c, vb_error *e) {
    *c = (vb_server_config){
        .port = 8080,
        .kv_megabytes = 1024,
        .sequences = 16,
        .queue = 64,
        .workers = 4,
        .max_tokens = 1024,
        .connections = 512,
        .header_kilobytes = 32,
        .body_kilobytes = 4096,
        .bodies_megabytes = 256,
        .stream_kilobytes = 1024,
        .header_s = 10,
        .body_s = 60,
        .idle_s = 60,
        .send_s = 60,
        .request_s = 3600,
        .drain_s = 60,
        .verify_tokens = 8192,
        .verify_s = 60,
        .log_publish_s = 10,
        .log_within_s = VB_TLOG_PUBLISH_WITHIN_S,
        .log_settle_s = VB_TLOG_SETTLE_WITHIN_S,
    };
    vb_err err;
    if ((err = set_text(&c->address, "127.0.0.1", 9, e)) ||
        (err = set_text(&c->log_level, "info", 4, e)) ||
        (err = set_text(&c->log_form, "json", 4, e))) {
        return err;
    }
    return set_text(&c->beacon_mode, "next", 4, e);
}

void vb_server_config_free(vb_server_config *c) {
    for (size_t i = 0; i < SETTINGS; i++) {
        if (settings[i].kind == VB_SETTING_TEXT) {
            free(*(char **)slot(c, &settings[i]));
        } else if (settings[i].kind == VB_SETTING_LIST) {
            clear_list(slot(c, &settings[i]));
        }
    }
    memset(c, 0, sizeof *c);
}

static vb_err set_number(vb_server_config *c, const vb_setting *s, const char *text,
                         const char *where, vb_error *e) {
    errno = 0;
    char *end;
    const unsigned long long v = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || v < s->min || v > s->max) {
        return vb_fail(e, VB_EINVAL, "%s: expected a whole number from %llu to %llu", where,
                       (unsigned long long)s->min, (unsigned long long)s->max);
    }
    *(uint64_t *)slot(c, s) = v;
    return VB_OK;
}

vb_err vb_server_config_set_items(vb_server_config *c, const vb_setting *s,
                                  const char *const *items, size_t n, const char *where,
                                  vb_error *e) {
    VB_ASSERT(s->kind == VB_SETTING_LIST);
    vb_config_list *l = slot(c, s);
    clear_list(l);
    vb_err err = VB_OK;
    for (size_t i = 0; !err && i < n; i++) {
        err = items[i][0] ? add_item(l, items[i], strlen(items[i]), where, e)
                          : vb_fail(e, VB_EINVAL, "%s: expected a text that is not empty", where);
    }
    return err;
}

static vb_err set_list(vb_config_list *l, const char *text, const char *where, vb_error *e) {
    clear_list(l);
    vb_err err = VB_OK;
    for (const char *p = text + strspn(text, " "); !err && *p; p += strspn(p, " ")) {
        const size_t n = strcspn(p, " ");
        err = add_item(l, p, n, where, e);
        p += n;
    }
    return err;
}

vb_err vb_server_config_set(vb_server_config *c, const vb_setting *s, const char *text,
                            const char *where, vb_error *e) {
    switch (s->kind) {
    case VB_SETTING_TEXT:
        return text[0] ? set_text(slot(c, s), text, strlen(text), e)
                       : vb_fail(e, VB_EINVAL, "%s: expected a text that is not empty", where);
    case VB_SETTING_NUMBER: return set_number(c, s, text, where, e);
    case VB_SETTING_LIST: return set_list(slot(c, s), text, where, e);
    case VB_SETTING_FLAG:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
            return vb_fail(e, VB_EINVAL, "%s: expected true or false", where);
        }
        *(bool *)slot(c, s) = text[0] == 't';
        return VB_OK;
    }
    return vb_fail(e, VB_EINTERNAL, "%s: a setting without a kind", where);
}

/* A text of the file: it ends where it ends. */
static vb_err check_string(const json_t *v, const char *name, vb_error *e) {
    if (!json_is_string(v) || json_string_length(v) == 0 ||
        strlen(json_string_value(v)) != json_string_length(v)) {
        return vb_fail(e, VB_EFORMAT, "%s: expected a text that is not empty", name);
    }
    return VB_OK;
}

static vb_err read_member(vb_server_config *c, const vb_setting *s, const json_t *v, vb_error *e) {
    vb_err err = VB_OK;
    size_t i;
    const json_t *item;
    switch (s->kind) {
    case VB_SETTING_TEXT:
        err = check_string(v, s->name, e);
        return err ? err : set_text(slot(c, s), json_string_value(v), json_string_length(v), e);
    case VB_SETTING_NUMBER:
        if (!json_is_integer(v) || json_integer_value(v) < 0 ||
            (uint64_t)json_integer_value(v) < s->min || (uint64_t)json_integer_value(v) > s->max) {
            return vb_fail(e, VB_EFORMAT, "%s: expected a whole number from %llu to %llu", s->name,
                           (unsigned long long)s->min, (unsigned long long)s->max);
        }
        *(uint64_t *)slot(c, s) = (uint64_t)json_integer_value(v);
        return VB_OK;
    case VB_SETTING_FLAG:
        if (!json_is_boolean(v)) {
            return vb_fail(e, VB_EFORMAT, "%s: expected true or false", s->name);
        }
        *(bool *)slot(c, s) = json_is_true(v);
        return VB_OK;
    case VB_SETTING_LIST:
        if (!json_is_array(v) && !json_is_string(v)) {
            return vb_fail(e, VB_EFORMAT, "%s: expected an array of texts, or one text", s->name);
        }
        clear_list(slot(c, s));
        if (json_is_string(v)) {
            err = check_string(v, s->name, e);
            return err ? err
                       : add_item(slot(c, s), json_string_value(v), json_string_length(v), s->name,
                                  e);
        }
        json_array_foreach(v, i, item) {
            if ((err = check_string(item, s->name, e)) ||
                (err = add_item(slot(c, s), json_string_value(item), json_string_length(item),
                                s->name, e))) {
                return err;
            }
        }
        return VB_OK;
    }
    return VB_EINTERNAL;
}

vb_err vb_server_config_read(vb_server_config *c, const void *bytes, size_t n_bytes, vb_error *e) {
    json_t *document = NULL;
    vb_err err = vb_json_parse_foreign(bytes, n_bytes, VB_SERVER_CONFIG_BYTES_MAX, &document, e);
    if (err) {
        return err;
    }
    if (!json_is_object(document)) {
        err = vb_fail(e, VB_EFORMAT, "expected one object of settings");
    }
    const char *name;
    json_t *value;
    json_object_foreach(document, name, value) {
        const vb_setting *s = NULL;
        for (size_t i = 0; i < SETTINGS; i++) {
            s = strcmp(settings[i].name, name) == 0 ? &settings[i] : s;
        }
        if (!err) {
            err = s ? read_member(c, s, value, e)
                    : vb_fail(e, VB_EFORMAT, "%.60s: there is no such setting", name);
        }
    }
    json_decref(document);
    return err;
}

vb_err vb_server_config_model(const char *item, vb_config_model *out, vb_error *e) {
    const char *slash = strchr(item, '/'), *equals = strchr(item, '=');
    *out = (vb_config_model){.path = item};
    if (equals && (!slash || equals < slash)) {
        out->path = equals + 1;
        for (const char *p = item; p <= equals;) {
            const size_t n = strcspn(p, ",=");
            if (n < 1 || n > VB_RECEIPT_NAME_BYTES_MAX ||
                out->n_names == VB_SERVER_MODEL_NAMES_MAX) {
                return vb_fail(e, VB_EINVAL,
                               "model: %.80s: expected NAME=FILE with at most %u names of 1 to %u "
                               "bytes",
                               item, VB_SERVER_MODEL_NAMES_MAX, VB_RECEIPT_NAME_BYTES_MAX);
            }
            memcpy(out->names[out->n_names++], p, n);
            p += n + 1;
        }
    }
    return out->path[0] ? VB_OK : vb_fail(e, VB_EINVAL, "model: %.80s: name a GGUF file", item);
}

static vb_err check_models(const vb_server_config *c, vb_error *e) {
    vb_config_model m;
    vb_err err = c->model.n ? VB_OK : vb_fail(e, VB_EINVAL, "model: name a GGUF file");
    for (size_t i = 0; !err && i < c->model.n; i++) {
        err = vb_server_config_model(c->model.items[i], &m, e);
        if (!err && c->model_name && (m.n_names || c->model.n > 1)) {
            err = vb_fail(e, VB_EINVAL,
                          "model_name: names the only model; expected NAME=FILE in model, or this");
        }
    }
    return err;
}

/* A name has no '+', and what follows it has a length of its own: where the key ends is no matter
 * of what is in it. */
vb_err vb_server_config_witness(const char *item, vb_config_witness *out, vb_error *e) {
    enum { ID_AND_KEY_CHARS = 1 + 8 + 1 + 44 };
    char key[VB_TLOG_VKEY_BYTES_MAX + 1];
    const size_t n_name = strcspn(item, "+"), n_key = n_name + ID_AND_KEY_CHARS;
    if (strnlen(item, n_key + 1) <= n_key || n_key >= sizeof key || item[n_key] != '=') {
        return vb_fail(e, VB_EINVAL,
                       "log_witnesses: %.80s: expected KEY=URL, where KEY is NAME+ID+BASE64", item);
    }
    memcpy(key, item, n_key);
    key[n_key] = 0;
    vb_err err = vb_tlog_key_parse(key, &out->key, e);
    if (!err && out->key.type != VB_TLOG_SIGNER_WITNESS) {
        err = vb_fail(e, VB_EINVAL, "expected a witness's key, of type 0x04");
    }
    out->url = item + n_key + 1;
    if (err || (err = vb_http_check_url(out->url, e))) {
        return vb_fail_in(e, err, "log_witnesses: %.80s", item);
    }
    return VB_OK;
}

static vb_err check_witnesses(const vb_config_list *l, vb_error *e) {
    vb_config_witness w, other;
    if (l->n > VB_SERVER_WITNESSES_MAX) {
        return vb_fail(e, VB_ELIMIT, "log_witnesses: at most %u", VB_SERVER_WITNESSES_MAX);
    }
    vb_err err = VB_OK;
    for (size_t i = 0; !err && i < l->n; i++) {
        err = vb_server_config_witness(l->items[i], &w, e);
        for (size_t k = 0; !err && k < i; k++) {
            if (!(err = vb_server_config_witness(l->items[k], &other, e)) &&
                memcmp(w.key.public_key, other.key.public_key, sizeof w.key.public_key) == 0) {
                err = vb_fail(e, VB_EINVAL, "log_witnesses: %.80s: its key is there twice",
                              l->items[i]);
            }
        }
    }
    return err;
}

static vb_err check_log(const vb_server_config *c, vb_error *e) {
    static const uint8_t any_key[VB_ED25519_PUBLIC_BYTES] = {0};
    vb_tlog_key ignored;
    vb_err err = VB_OK;
    if (!c->log && (c->log_origin || c->log_witnesses.n)) {
        return vb_fail(e, VB_EINVAL, "log_origin and log_witnesses need log");
    }
    if (c->log_origin &&
        (err = vb_tlog_key_make(c->log_origin, VB_TLOG_SIGNER_LOG, any_key, &ignored, e))) {
        return vb_fail_in(e, err, "log_origin");
    }
    if (c->log_within_s <= c->log_publish_s) {
        return vb_fail(e, VB_EINVAL, "log_within_s: expected more than log_publish_s, %llu",
                       (unsigned long long)c->log_publish_s);
    }
    if (c->log && c->log_settle_s <= c->request_s) {
        return vb_fail(e, VB_EINVAL, "log_settle_s: expected more than request_s, %llu",
                       (unsigned long long)c->request_s);
    }
    return check_witnesses(&c->log_witnesses, e);
}

static vb_err check_no_spaces(const vb_config_list *l, const char *name, vb_error *e) {
    for (size_t i = 0; i < l->n; i++) {
        if (strchr(l->items[i], ' ')) {
            return vb_fail(e, VB_EINVAL, "%s: %.80s: expected an item without spaces", name,
                           l->items[i]);
        }
    }
    return VB_OK;
}

vb_err vb_server_config_check(const vb_server_config *c, vb_error *e) {
    uint8_t ignored[VB_SHA256_BYTES];
    vb_err err;
    if ((err = check_models(c, e)) || (err = check_no_spaces(&c->beacon_urls, "beacon_urls", e)) ||
        (err = check_no_spaces(&c->cors_origins, "cors_origins", e)) ||
        (err = check_no_spaces(&c->log_witnesses, "log_witnesses", e)) || (err = check_log(c, e))) {
        return err;
    }
    if (c->metrics_key && !vb_hex_decode(c->metrics_key, ignored, sizeof ignored)) {
        return vb_fail(e, VB_EINVAL,
                       "metrics_key: expected the SHA-256 of a key, 64 lower-case hex digits");
    }
    if (c->public_receipts && !c->api_keys) {
        return vb_fail(e, VB_EINVAL, "public_receipts: without api_keys all records are");
    }
    if (!vb_log_level_of_name(c->log_level)) {
        return vb_fail(e, VB_EINVAL, "log_level: expected info, warning or error");
    }
    if (!vb_log_form_of_name(c->log_form)) {
        return vb_fail(e, VB_EINVAL, "log_form: expected json or text");
    }
    if (!c->tls_certificate != !c->tls_key) {
        return vb_fail(e, VB_EINVAL, "tls_certificate and tls_key: give both or none");
    }
    if (strcmp(c->beacon_mode, "next") != 0 && strcmp(c->beacon_mode, "latest") != 0) {
        return vb_fail(e, VB_EINVAL, "beacon_mode: expected next or latest");
    }
    if (c->beacon_fallback && (!c->beacon || strcmp(c->beacon_fallback, "local") != 0)) {
        return vb_fail(e, VB_EINVAL, "beacon_fallback: expected local, beside beacon");
    }
    if (c->beacon_urls.n > VB_ENDPOINTS_MAX) {
        return vb_fail(e, VB_ELIMIT, "beacon_urls: at most %u", VB_ENDPOINTS_MAX);
    }
    if ((c->beacon_urls.n || c->beacon_ca || c->beacon_wait_s) && !c->beacon) {
        return vb_fail(e, VB_EINVAL, "beacon_urls, beacon_ca and beacon_wait_s need beacon");
    }
    return VB_OK;
}

static json_t *value_of(const vb_server_config *c, const vb_setting *s) {
    const vb_config_list *l = slot(c, s);
    json_t *list;
    switch (s->kind) {
    case VB_SETTING_TEXT: return json_string(*(char **)slot(c, s));
    case VB_SETTING_NUMBER: return json_integer((json_int_t) * (uint64_t *)slot(c, s));
    case VB_SETTING_FLAG: return json_boolean(*(bool *)slot(c, s));
    case VB_SETTING_LIST:
        list = json_array();
        for (size_t i = 0; i < l->n; i++) {
            json_array_append_new(list, json_string(l->items[i]));
        }
        return list;
    }
    return NULL;
}

vb_err vb_server_config_write(const vb_server_config *c, vb_buf *out, vb_error *e) {
    json_t *all = json_object();
    for (size_t i = 0; i < SETTINGS; i++) {
        if (settings[i].kind != VB_SETTING_TEXT || *(char **)slot(c, &settings[i])) {
            json_object_set_new(all, settings[i].name, value_of(c, &settings[i]));
        }
    }
    char *text = all ? json_dumps(all, JSON_INDENT(2)) : NULL;
    vb_err err = !text                                    ? VB_ENOMEM
                 : vb_buf_append(out, text, strlen(text)) ? VB_ENOMEM
                                                          : vb_buf_append(out, "\n", 1);
    free(text);
    json_decref(all);
    return err ? vb_fail(e, err, "no memory to write the settings") : VB_OK;
}
