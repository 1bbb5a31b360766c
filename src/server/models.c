/*
 * The models of a server: what they are called, how they share memory and processors.
 *
 * A request gets the model that it names or none. Names are compared as people write them, and so
 * two names that would then be the same are refused before the server starts.
 */
#include <stdio.h>
#include <string.h>

#include "base/version.h"
#include "model/kv_pool.h"
#include "server/service.h"
#include "verify/prompt.h"

#define DIGEST_PREFIX "sha256:"
enum { MEGABYTE = 1 << 20, LISTED_BYTES_MAX = 320 };

/* Names. */

static char folded(char c) {
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c == ' ' || c == '_' ? '-' : c);
}

static bool is_same_name(const char *a, const char *b) {
    while (*a && folded(*a) == folded(*b)) {
        a++;
        b++;
    }
    return folded(*a) == folded(*b);
}

/* NULL: it is none of them. */
static const char *find_name(const vb_config_model *item, const char *name) {
    for (size_t i = 0; i < item->n_names; i++) {
        if (is_same_name(item->names[i], name)) {
            return item->names[i];
        }
    }
    return NULL;
}

/* What it was not given: the name in its file. */
static void complete_names(const vb_server_config *c, const vb_model_config *m,
                           vb_config_model *item) {
    if (item->n_names == 0) {
        const char *name = c->model_name ? c->model_name : m->name[0] ? m->name : "model";
        snprintf(item->names[item->n_names++], sizeof item->names[0], "%s", name);
    }
}

static vb_err check_name(const vb_server_model *models, size_t model, size_t name, vb_error *e) {
    const char *text = models[model].item.names[name];
    if (strncmp(text, DIGEST_PREFIX, strlen(DIGEST_PREFIX)) == 0) {
        return vb_fail(e, VB_EINVAL, "model: %.80s: this begins as a digest does", text);
    }
    for (size_t i = 0; i <= model; i++) {
        for (size_t k = 0; k < (i < model ? models[i].item.n_names : name); k++) {
            if (is_same_name(models[i].item.names[k], text)) {
                return vb_fail(e, VB_EINVAL,
                               "model: '%.80s' and '%.80s' can not be told apart: expected other "
                               "names, NAME=FILE",
                               models[i].item.names[k], text);
            }
        }
    }
    return VB_OK;
}

/* The plan. */

/* What one model has of the KV cache, and how long its sequences may be. */
static vb_err share_memory(const vb_server_config *c, const vb_model_config *config, size_t n,
                           vb_server_model *m, vb_error *e) {
    const uint64_t page = vb_kv_page_bytes(config), share = c->kv_megabytes * MEGABYTE / n;
    uint64_t ctx = c->ctx ? c->ctx : config->n_ctx_train;
    if (ctx > config->n_ctx_train) {
        return vb_fail(e, VB_EINVAL, "ctx: the limit of model %.80s is %zu tokens",
                       m->item.names[0], config->n_ctx_train);
    }
    m->n_pages = page ? (size_t)(share / page) : 0;
    /* A sequence can not be longer than the whole cache. */
    ctx = ctx < m->n_pages * VB_ATTN_CHUNK ? ctx : m->n_pages * VB_ATTN_CHUNK;
    if (ctx < 2) {
        return vb_fail(e, VB_EINVAL,
                       "kv_megabytes: one page of model %.80s has %llu bytes, its part of the "
                       "cache %llu",
                       m->item.names[0], (unsigned long long)page, (unsigned long long)share);
    }
    m->ctx_tokens = (size_t)ctx;
    return VB_OK;
}

vb_err vb_server_plan(const vb_server_config *c, vb_server_model *models, size_t n, vb_error *e) {
    for (size_t i = 0; i < n; i++) {
        vb_model_config config;
        vb_err err = vb_model_config_read(models[i].gguf, &config, e);
        if (err) {
            return vb_fail_in(e, err, "%s", models[i].item.path);
        }
        if (vb_tokenizer_size(models[i].tokenizer) > config.n_vocab) {
            return vb_fail(e, VB_EFORMAT, "%s: the tokenizer has %u tokens, the model %zu",
                           models[i].item.path, vb_tokenizer_size(models[i].tokenizer),
                           config.n_vocab);
        }
        complete_names(c, &config, &models[i].item);
        for (size_t k = 0; !err && k < models[i].item.n_names; k++) {
            err = check_name(models, i, k, e);
        }
        if (err || (err = share_memory(c, &config, n, &models[i], e))) {
            return err;
        }
    }
    return VB_OK;
}

/* Serving. */

static vb_tool_form tool_form_of(const vb_gguf *g) {
    vb_str source;
    return vb_gguf_find(g, "tokenizer.chat_template") &&
                   vb_gguf_get_str(g, "tokenizer.chat_template", &source, NULL) == VB_OK
               ? vb_tool_form_of_template(source)
               : VB_TOOL_FORM_NONE;
}

static vb_err open_scheduler(const vb_service *s, vb_served_model *m, vb_error *e) {
    const vb_server_config *c = s->config;
    const vb_scheduler_options options = {
        .model = m->o.model,
        .n_threads = s->o.n_threads,
        .batch_tokens = s->o.batch_tokens,
        .ctx_tokens = m->ctx_tokens,
        .kv_bytes = m->n_pages * vb_kv_page_bytes(vb_model_get_config(m->o.model)),
        .sequences_max = (size_t)c->sequences,
        .queue_max = s->answers_max,
        .prefix_cache = !c->no_prefix_cache,
        .no_speculation = c->no_speculation,
        .turn = s->turn,
    };
    return vb_scheduler_open(&options, &m->scheduler, e);
}

vb_err vb_served_model_open(const vb_service *s, const vb_server_model *o, vb_served_model *out,
                            vb_error *e) {
    char hex[VB_SHA256_HEX_BYTES];
    vb_hex_encode(o->sha256, VB_SHA256_BYTES, hex);
    out->o = *o;
    out->name = out->o.item.names[0];
    out->ctx_tokens = o->ctx_tokens;
    out->n_pages = o->n_pages;
    snprintf(out->fingerprint, sizeof out->fingerprint, "vb-%s-%.12s", VB_VERSION, hex);
    out->uses_date = vb_prompt_uses_date(o->gguf, o->tokenizer);
    out->tool_form = tool_form_of(o->gguf);
    if (vb_service_model_of_digest(s, o->sha256)) {
        return vb_fail(e, VB_EINVAL,
                       "model: %s is served twice: expected one item with all its names, "
                       "NAME,NAME=FILE",
                       o->item.path);
    }
    vb_err err = vb_vocabulary_open(o->tokenizer, &out->vocabulary, e);
    return err ? err : open_scheduler(s, out, e);
}

void vb_served_model_close(vb_served_model *m) {
    vb_scheduler_close(m->scheduler);
    vb_vocabulary_close(m->vocabulary);
}

vb_served_model *vb_service_model_of_digest(const vb_service *s,
                                            const uint8_t sha256[VB_SHA256_BYTES]) {
    for (size_t i = 0; i < s->n_models; i++) {
        if (memcmp(s->models[i].o.sha256, sha256, VB_SHA256_BYTES) == 0) {
            return &s->models[i];
        }
    }
    return NULL;
}

vb_served_model *vb_service_model(const vb_service *s, const char *name) {
    uint8_t digest[VB_SHA256_BYTES];
    const size_t n_prefix = strlen(DIGEST_PREFIX);
    if (strncmp(name, DIGEST_PREFIX, n_prefix) == 0) {
        return vb_hex_decode(name + n_prefix, digest, sizeof digest)
                   ? vb_service_model_of_digest(s, digest)
                   : NULL;
    }
    for (size_t i = 0; i < s->n_models; i++) {
        if (find_name(&s->models[i].o.item, name)) {
            return &s->models[i];
        }
    }
    return NULL;
}

const char *vb_served_model_name(const vb_served_model *m, const char *name) {
    const char *found = find_name(&m->o.item, name);
    return found ? found : m->name;
}

vb_err vb_service_no_model(const vb_service *s, const char *name, vb_api_error *e) {
    char there[LISTED_BYTES_MAX] = "";
    size_t n = 0;
    for (size_t i = 0; i < s->n_models && n < sizeof there; i++) {
        const int k =
            snprintf(there + n, sizeof there - n, "%s'%.80s'", i ? ", " : "", s->models[i].name);
        n += k > 0 ? (size_t)k : 0;
    }
    return vb_api_fail(e, VB_EINVAL, 404, "model_not_found", "model",
                       "there is no model '%.80s' here; expected %s%s", name, there,
                       n < sizeof there ? "" : "... (GET /v1/models lists all)");
}

vb_err vb_service_choose_model(const vb_service *s, const vb_api_request *q, vb_served_model **out,
                               vb_api_error *e) {
    vb_served_model *m = vb_service_model(s, q->model);
    if (!m) {
        return vb_service_no_model(s, q->model, e);
    }
    vb_error inner;
    const uint32_t n_vocab = vb_tokenizer_size(m->o.tokenizer);
    if (vb_sampling_check(&q->sampling, n_vocab, &inner)) {
        return vb_api_fail(e, VB_EINVAL, 400, "invalid_value", "logit_bias", "%s", inner.msg);
    }
    for (size_t i = 0; i < q->n_tokens; i++) {
        if (q->tokens[i] >= n_vocab) {
            return vb_api_fail(e, VB_EINVAL, 400, "invalid_value", "prompt",
                               "item %zu: expected the id of a token, 0 to %u", i, n_vocab - 1);
        }
    }
    *out = m;
    return VB_OK;
}
