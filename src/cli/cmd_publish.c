/* verbatim publish: what a server, or anybody, puts on a chain (spec/chain.md): checkpoints of a
 * log, commitments, what is public of an answer, and who one is. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "chain/address.h"
#include "cli/chain_options.h"
#include "cli/commands.h"
#include "tlog/reader.h"
#include "tlog/record.h"
#include "verify/check.h"

typedef struct invocation {
    vb_app a;
    vb_chain_options c;
    const char *checkpoint, *log, *log_key, *inference, *operator_key, *model;
    const char *origin, *url, *name, *uri;
    vb_opt_list commitments;
    bool with_text;
    /* Made. */
    const char *operation;
    vb_buf call;
    bool nothing_new; /* it stands on the chain already */
} invocation;

static const char *or_empty(const char *text) {
    return text ? text : "";
}

/* Commitments. */

static vb_err read_commitment(const char *path, uint8_t out[VB_SHA256_BYTES], vb_error *e) {
    char *bytes = NULL;
    size_t n_bytes = 0;
    vb_tlog_record *record = NULL;
    vb_err err = vb_app_read_file(path, VB_RECEIPT_BYTES_MAX, &bytes, &n_bytes, e);
    if (err) {
        return err;
    }
    err = vb_tlog_record_open(bytes, n_bytes, &record, e);
    err = err ? err : vb_commitment_check(vb_tlog_record_committed(record), e);
    if (err) {
        vb_fail_in(e, err, "%s", path);
    } else {
        memcpy(out, vb_tlog_record_committed(record)->commitment, VB_SHA256_BYTES);
    }
    vb_tlog_record_close(record);
    free(bytes);
    return err;
}

static vb_err call_commit(invocation *o, char **more, size_t n_more, vb_error *e) {
    const size_t n = o->commitments.n + n_more;
    if (n > VB_CHAIN_COMMITMENTS_MAX) {
        return vb_fail(e, VB_ELIMIT, "%zu commitments: a transaction takes at most %d", n,
                       VB_CHAIN_COMMITMENTS_MAX);
    }
    uint8_t values[VB_CHAIN_COMMITMENTS_MAX][VB_SHA256_BYTES];
    for (size_t i = 0; i < n; i++) {
        const char *path =
            i < o->commitments.n ? o->commitments.items[i] : more[i - o->commitments.n];
        vb_err err = read_commitment(path, values[i], e);
        if (err) {
            return err;
        }
    }
    return vb_chain_call_commit((const uint8_t(*)[VB_SHA256_BYTES])values, n, &o->call, e);
}

/* Checkpoints. */

/* The note's checkpoint, checked against the log's key; and, when it grows one on the chain, the
 * proof that it does. */
static vb_err call_grown(invocation *o, vb_tlog_reader *r, const vb_tlog_checkpoint *c,
                         vb_error *e) {
    vb_chain_head head;
    vb_tlog_hash path[VB_TLOG_PATH_MAX];
    size_t n_path = 0;
    vb_err err =
        vb_chain_read_head(&o->c.node, &o->c.registry, o->c.signer.address, c->origin, &head, e);
    if (err) {
        return err;
    }
    o->nothing_new =
        head.size == c->size && memcmp(head.root, c->root.bytes, sizeof head.root) == 0;
    if (!o->nothing_new && head.size > 0 && head.size < c->size) {
        err = r ? vb_tlog_reader_prove_consistency(r, head.size, path, &n_path, e)
                : vb_fail(e, VB_EINVAL,
                          "the chain has a checkpoint of %" PRIu64
                          " entries: name the log's folder with --log, for the proof that this "
                          "one continues it",
                          head.size);
    }
    /* A smaller one, or another of the same size, is for the contract to refuse. */
    return err ? err : vb_chain_call_checkpoint(c, path, n_path, &o->call, e);
}

static vb_err call_checkpoint(invocation *o, vb_error *e) {
    char *note = NULL;
    size_t n_note = 0;
    vb_tlog_key key;
    vb_tlog_checkpoint c;
    vb_tlog_reader *r = NULL;
    if (!o->log && !o->log_key) {
        return vb_fail(e, VB_EINVAL,
                       "--checkpoint: name the log's folder with --log, or its key with --log-key");
    }
    vb_err err = o->log_key ? vb_tlog_key_parse(o->log_key, &key, e) : VB_OK;
    err = err ? err : vb_app_read_file(o->checkpoint, VB_TLOG_NOTE_BYTES_MAX, &note, &n_note, e);
    if (!err && o->log) {
        err = vb_tlog_reader_open_folder(o->log, o->log_key ? &key : NULL, &r, e);
        err = err ? err : vb_tlog_reader_use(r, note, n_note, e);
        if (!err) {
            c = *vb_tlog_reader_checkpoint(r);
        }
    } else if (!err) {
        err = vb_tlog_note_read(note, n_note, &key, NULL, 0, &c, NULL, NULL, e);
    }
    err = err ? err : call_grown(o, r, &c, e);
    vb_tlog_reader_close(r);
    free(note);
    return err;
}

/* Inferences. */

/* A receipt that contradicts itself is not published; whether the model gives the answer is for
 * witnesses to say. */
static vb_err call_inference(invocation *o, vb_error *e) {
    char *bytes = NULL;
    size_t n_bytes = 0;
    const vb_expect nothing = {.trust = NULL};
    vb_receipt *r = malloc(sizeof *r);
    vb_report *rep = malloc(sizeof *rep);
    vb_err err = r && rep
                     ? vb_app_read_file(o->inference, VB_RECEIPT_BYTES_MAX, &bytes, &n_bytes, e)
                     : vb_fail(e, VB_ENOMEM, "no memory for a receipt");
    if (!err) {
        vb_report_begin(rep, VB_LEVEL_RECEIPT);
        const bool read = vb_check_receipt(bytes, n_bytes, &nothing, r, rep);
        vb_report_finish(rep);
        if (!read) {
            err =
                vb_fail(e, VB_EFORMAT, "%s: %s", o->inference, rep->checks[VB_CHECK_FORMAT].detail);
        } else if (vb_report_verdict(rep) == VB_VERDICT_REFUTED) {
            err = vb_fail(e, VB_EMISMATCH, "%s: the receipt is refuted (%s)", o->inference,
                          vb_reason_name(vb_report_reason(rep)));
        } else {
            err = vb_chain_call_inference(r, o->with_text, or_empty(o->uri), &o->call, e);
        }
        vb_receipt_free(r);
    }
    free(bytes);
    free(rep);
    free(r);
    return err;
}

/* Who one is, and models. */

static vb_err call_operator(invocation *o, vb_error *e) {
    uint8_t key[VB_ED25519_PUBLIC_BYTES];
    return vb_hex_decode(o->operator_key, key, sizeof key)
               ? vb_chain_call_operator(key, or_empty(o->origin), or_empty(o->url), &o->call, e)
               : vb_fail(e, VB_EINVAL, "--operator: expected 64 lower-case hex digits");
}

static vb_err model_bytes(const vb_gguf *g, uint64_t *out, vb_error *e) {
    *out = 0;
    for (size_t i = 0; i < vb_gguf_file_count(g); i++) {
        struct stat st;
        if (stat(vb_gguf_file_path(g, i), &st) != 0) {
            return vb_fail(e, VB_EIO, "%s: it cannot be looked at", vb_gguf_file_path(g, i));
        }
        *out += (uint64_t)st.st_size;
    }
    return VB_OK;
}

static vb_err call_model(invocation *o, vb_error *e) {
    vb_gguf *g = NULL;
    uint8_t digest[VB_SHA256_BYTES];
    uint64_t n_bytes = 0;
    vb_err err = vb_gguf_open(o->model, &g, e);
    err = err ? err : vb_app_path_digest(g, NULL, false, o->a.quiet, digest, e);
    err = err ? err : model_bytes(g, &n_bytes, e);
    vb_gguf_close(g);
    return err ? err
               : vb_chain_call_model(digest, or_empty(o->name), or_empty(o->uri), n_bytes, &o->call,
                                     e);
}

/* One of them was asked for: which. */
static vb_err choose(invocation *o, vb_error *e) {
    const struct {
        bool given;
        const char *operation;
    } all[] = {
        {o->checkpoint != NULL, "checkpoint"}, {o->commitments.n > 0, "commitment"},
        {o->inference != NULL, "inference"},   {o->operator_key != NULL, "operator"},
        {o->model != NULL, "model"},
    };
    size_t n = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i].given) {
            n++;
            o->operation = all[i].operation;
        }
    }
    return n == 1 ? VB_OK
                  : vb_fail(e, VB_EINVAL,
                            "expected one of --checkpoint, --commitment, --inference, --operator "
                            "and --model");
}

static vb_err make_call(invocation *o, char **rest, size_t n_rest, vb_error *e) {
    if (n_rest && !o->commitments.n) {
        return vb_fail(e, VB_EINVAL, "unexpected argument %.100s", rest[0]);
    }
    return o->checkpoint      ? call_checkpoint(o, e)
           : o->commitments.n ? call_commit(o, rest, n_rest, e)
           : o->inference     ? call_inference(o, e)
           : o->operator_key  ? call_operator(o, e)
                              : call_model(o, e);
}

static void report(const invocation *o, const vb_chain_done *d) {
    if (!o->a.json && o->nothing_new) {
        printf("this checkpoint stands on the chain already; nothing was sent\n");
    } else if (!o->a.json) {
        vb_chain_print_done(&o->c, &o->call, d);
    } else {
        printf("{\"operation\":\"%s\",", o->operation);
        if (o->nothing_new) {
            printf("\"transaction\":null,\"known\":true");
        } else {
            vb_chain_print_done_json(&o->c, &o->call, d);
        }
        printf("}\n");
    }
}

static int run(invocation *o, char **rest, size_t n_rest) {
    vb_error e = {VB_OK, ""};
    vb_chain_done d;
    o->call = vb_buf_make(VB_ABI_BYTES_MAX);
    vb_err err = choose(o, &e);
    err = err ? err : vb_chain_options_read(&o->c, &e);
    if (!err && !o->c.has_account) {
        err = vb_fail(&e, VB_EINVAL,
                      "no account: name its key with --account-key, or a --signer "
                      "and its --account");
    }
    err = err ? err : vb_chain_options_connect(&o->c, &e);
    err = err ? err : make_call(o, rest, n_rest, &e);
    if (!err && !o->nothing_new) {
        err = vb_chain_options_send(&o->c, &o->a, &o->call, &d, &e);
    }
    if (!err) {
        report(o, &d);
    }
    vb_buf_free(&o->call);
    vb_chain_options_close(&o->c);
    return err ? vb_app_fail(&o->a, "publish", err, &e) : VB_EXIT_OK;
}

static const vb_command_spec spec_of_publish = {
    .name = "publish",
    .arguments = "--rpc URL --registry ADDRESS --account-key FILE WHAT [OPTIONS]",
    .summary = "Puts on a chain one of: a log's checkpoint, with the proof that the log has only "
               "grown;\n"
               "commitments, before their answers can be known; what is public of an answer; who "
               "one is;\n"
               "a model's digest and where it is found. Ends when the transaction has its "
               "confirmations.",
    .min_positional = 0,
    .max_positional = VB_CHAIN_COMMITMENTS_MAX,
};

int vb_cmd_publish(int argc, char **argv) {
    invocation *o = calloc(1, sizeof *o);
    if (!o) {
        fprintf(stderr, "verbatim publish: no memory\n");
        return VB_EXIT_LIMIT;
    }
    const vb_opt own[] = {
        {0, "checkpoint", VB_OPT_STR, &o->checkpoint, "NOTE", "a signed checkpoint of a log", 0, 0,
         NULL},
        {0, "log", VB_OPT_STR, &o->log, "FOLDER", "checkpoint: the log, for the proof", 0, 0, NULL},
        {0, "log-key", VB_OPT_STR, &o->log_key, "VKEY",
         "checkpoint: the log's key (default: the one that log.json names)", 0, 0, NULL},
        {0, "commitment", VB_OPT_LIST, &o->commitments, "FILE",
         "a commitment record, a receipt or an abort; more files may follow", 0, 0, NULL},
        {0, "inference", VB_OPT_STR, &o->inference, "RECEIPT", "digests of a request and an answer",
         0, 0, NULL},
        {0, "with-text", VB_OPT_FLAG, &o->with_text, NULL,
         "inference: prompt and answer too, readable by all, for ever", 0, 0, NULL},
        {0, "operator", VB_OPT_STR, &o->operator_key, "KEY",
         "the account speaks for the server with this public key (hex)", 0, 0, NULL},
        {0, "origin", VB_OPT_STR, &o->origin, "TEXT", "operator: the origin of its log", 0, 0,
         NULL},
        {0, "url", VB_OPT_STR, &o->url, "URL", "operator: where it serves", 0, 0, NULL},
        {0, "model", VB_OPT_STR, &o->model, "FILE", "the digest and size of a model", 0, 0, NULL},
        {0, "name", VB_OPT_STR, &o->name, "TEXT", "model: its name", 0, 0, NULL},
        {0, "uri", VB_OPT_STR, &o->uri, "URI", "model, inference: where it is found", 0, 0, NULL},
    };
    vb_opt_table options = {.n = 0};
    vb_opt_add(&options, own, sizeof own / sizeof own[0]);
    vb_chain_options_add(&o->c, &options);
    vb_chain_account_options_add(&o->c, &options);
    vb_app_options(&o->a, VB_APP_OPT_JSON | VB_APP_OPT_QUIET, &options);
    vb_command_spec spec = spec_of_publish;
    spec.options = &options;
    char **rest;
    size_t n_rest;
    int status =
        argc == 1 ? vb_options_help(&spec) : vb_options_parse(&spec, argc, argv, &rest, &n_rest);
    if (status < 0) {
        status = run(o, rest, n_rest);
    }
    free(o);
    return status;
}
