#include "cli/verification.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "cli/progress.h"
#include "crypto/random.h"
#include "engine/model_file.h"
#include "verify/positions.h"

void vb_verification_options(vb_verification *v, vb_opt_table *t) {
    const vb_opt rows[] = {
        {0, "key", VB_OPT_STR, &v->key, "HEX", "the server's public key, if it is known", 0, 0,
         NULL},
        {0, "commitment", VB_OPT_STR, &v->commitment, "FILE|HEX",
         "the commitment that was received before the answer", 0, 0, NULL},
        {0, "nonce", VB_OPT_STR, &v->nonce, "TEXT", "the nonce that was sent with the request", 0,
         0, NULL},
        {0, "prompt", VB_OPT_STR, &v->prompt, "FILE",
         "the prompt of a private receipt, or the one that was sent", 0, 0, NULL},
        {0, "rehash", VB_OPT_FLAG, &v->rehash, NULL,
         "hash the model again, whatever the cache says", 0, 0, NULL},
    };
    vb_opt_add(t, rows, sizeof rows / sizeof rows[0]);
    vb_trust_option_add(&v->b, t);
}

vb_err vb_verification_read_level(vb_verification *v, const char *name, bool samples_given,
                                  vb_error *e) {
    if (strcmp(name, "receipt") == 0) {
        v->level = VB_LEVEL_RECEIPT;
    } else if (strcmp(name, "sample") == 0) {
        v->level = VB_LEVEL_SAMPLE;
    } else if (strcmp(name, "full") == 0) {
        v->level = VB_LEVEL_FULL;
    } else {
        return vb_fail(e, VB_EINVAL, "--level %.20s: expected receipt, sample or full", name);
    }
    if (samples_given && v->level != VB_LEVEL_SAMPLE) {
        return vb_fail(e, VB_EINVAL, "--samples is for --level sample");
    }
    return VB_OK;
}

/* A commitment record, which must hold: a false one would refute honest receipts. */
static vb_err read_commitment_record(vb_verification *v, vb_error *e) {
    char *bytes = NULL;
    size_t n_bytes = 0;
    vb_err err = vb_app_read_file(v->commitment, VB_COMMITMENT_BYTES_MAX, &bytes, &n_bytes, e);
    if (err) {
        return err;
    }
    if ((err = vb_commitment_decode(bytes, n_bytes, v->r, e)) ||
        (err = vb_commitment_check(v->r, e))) {
        vb_fail_in(e, err, "--commitment %s", v->commitment);
    } else {
        memcpy(v->expected_commitment, v->r->commitment, sizeof v->expected_commitment);
    }
    free(bytes);
    vb_receipt_free(v->r);
    return err;
}

static vb_err read_commitment(vb_verification *v, vb_error *e) {
    vb_err err = VB_OK;
    if (!vb_hex_decode(v->commitment, v->expected_commitment, sizeof v->expected_commitment)) {
        err = read_commitment_record(v, e);
    }
    v->expect.commitment = v->expected_commitment;
    return err;
}

static vb_err read_prompt(vb_verification *v, vb_error *e) {
    char *bytes = NULL;
    size_t n_bytes = 0;
    vb_err err = vb_app_read_file(v->prompt, VB_RECEIPT_BYTES_MAX, &bytes, &n_bytes, e);
    if (!err && (err = vb_prompt_file_decode(bytes, n_bytes, &v->prompt_apart, e))) {
        vb_fail_in(e, err, "--prompt %s", v->prompt);
    }
    free(bytes);
    if (!err) {
        v->expect.prompt = &v->prompt_apart;
    }
    return err;
}

vb_err vb_verification_begin(vb_verification *v, vb_error *e) {
    vb_err err;
    v->r = malloc(sizeof *v->r);
    v->rep = malloc(sizeof *v->rep);
    if (!v->r || !v->rep) {
        free(v->r);
        v->r = NULL;
        return vb_fail(e, VB_ENOMEM, "no memory for a report");
    }
    vb_receipt_init(v->r);
    vb_report_begin(v->rep, v->level);
    if (v->key) {
        if (!vb_hex_decode(v->key, v->expected_key, sizeof v->expected_key)) {
            return vb_fail(e, VB_EINVAL, "--key: expected 64 lower-case hex digits");
        }
        v->expect.server_key = v->expected_key;
    }
    v->expect.nonce = v->nonce;
    if ((v->a.tier && (err = vb_kernels_select(v->a.tier, &v->a.kernels, e))) ||
        (err = vb_trust_open(&v->b, e)) || (v->commitment && (err = read_commitment(v, e)))) {
        return err;
    }
    v->expect.trust = v->b.trust;
    return v->prompt ? read_prompt(v, e) : VB_OK;
}

void vb_verification_end(vb_verification *v) {
    if (v->r) {
        vb_receipt_free(v->r);
    }
    free(v->r);
    free(v->rep);
    vb_receipt_prompt_free(&v->prompt_apart);
    vb_beacon_close(&v->b);
    vb_vocabulary_close(v->vocabulary);
    vb_quorum_close(v->quorum);
    vb_app_close(&v->a);
}

/* The model and its digest; what went wrong the first time is not tried again. */
static vb_err load_model(vb_verification *v) {
    if (!v->tried) {
        v->tried = true;
        v->model_err = vb_app_open(&v->a, true, &v->model_error);
        if (!v->model_err) {
            v->model_err = vb_app_model_digest(&v->a, v->rehash, v->model_sha256, &v->model_error);
        }
    }
    return v->model_err;
}

/* What the verdict says of a model that can not be loaded: our own failure, or no model that can be
 * used. */
static vb_reason reason_of_model(vb_err err) {
    const bool ours =
        err == VB_ECANCELLED || err == VB_ENOMEM || err == VB_EMISMATCH || err == VB_EINTERNAL;
    return ours ? VB_REASON_UNFINISHED : VB_REASON_MISSING_MODEL;
}

static void report_other_model(const vb_receipt *r, vb_report *rep, vb_check_id id) {
    char hex[VB_SHA256_HEX_BYTES];
    vb_hex_encode(r->request.model_sha256, VB_SHA256_BYTES, hex);
    vb_report_unknown(rep, id, VB_REASON_MISSING_MODEL, "another model made it, %s", hex);
}

/* A model that can not be used leaves the verdict UNVERIFIABLE. */
static bool have_model(vb_verification *v, bool one_of_many, const vb_receipt *r, vb_report *rep) {
    if (!v->a.model_path) {
        vb_report_unknown(rep, VB_CHECK_MODEL_DIGEST, VB_REASON_MISSING_MODEL,
                          "no model file was given (-m FILE)");
        return false;
    }
    vb_err err = load_model(v);
    if (err) {
        vb_report_unknown(rep, VB_CHECK_MODEL_DIGEST, reason_of_model(err), "%s",
                          v->model_error.msg);
        return false;
    }
    if (one_of_many &&
        memcmp(v->model_sha256, r->request.model_sha256, sizeof v->model_sha256) != 0) {
        report_other_model(r, rep, VB_CHECK_MODEL_DIGEST);
        return false;
    }
    return true;
}

/* Of many receipts all share one index of the vocabulary. */
static vb_err index_vocabulary(vb_verification *v, const vb_receipt *r, vb_error *e) {
    return !r->request.constraint.p || v->vocabulary
               ? VB_OK
               : vb_vocabulary_open(v->a.tokenizer, &v->vocabulary, e);
}

bool vb_verification_check(vb_verification *v, const void *bytes, size_t n_bytes, bool one_of_many,
                           vb_receipt *r, vb_report *rep) {
    vb_error e = {VB_OK, ""};
    vb_report_begin(rep, v->level);
    if (!vb_check_receipt(bytes, n_bytes, &v->expect, r, rep) || v->level == VB_LEVEL_RECEIPT ||
        v->level == VB_LEVEL_QUORUM || vb_report_refuted(rep) ||
        !have_model(v, one_of_many, r, rep)) {
        return false; /* a refuted receipt needs no replay */
    }
    if (index_vocabulary(v, r, &e)) {
        vb_report_unknown(rep, VB_CHECK_TOKENS, VB_REASON_UNFINISHED, "%s", e.msg);
        return false;
    }
    return true;
}

void vb_verification_replay(vb_verification *v, const vb_verification_pair *pairs, size_t n) {
    uint8_t seeds[VB_REPLAY_SHARED_MAX][VB_POSITIONS_SEED_BYTES];
    vb_replay_item items[VB_REPLAY_SHARED_MAX];
    vb_error e = {VB_OK, ""};
    VB_ASSERT(n <= VB_REPLAY_SHARED_MAX);
    const vb_err err = vb_random_bytes(seeds, n * sizeof seeds[0], &e);
    for (size_t i = 0; i < n; i++) {
        items[i] = (vb_replay_item){pairs[i].r, pairs[i].rep, v->expect.prompt, seeds[i]};
        if (err) {
            vb_report_unknown(pairs[i].rep, VB_CHECK_TOKENS, VB_REASON_UNFINISHED, "%s", e.msg);
        }
    }
    if (err) {
        return;
    }
    vb_progress bar;
    vb_progress_begin(&bar, "replaying", "tokens", v->a.quiet || v->on_progress);
    const vb_replay_options o = {
        .gguf = v->a.gguf,
        .tokenizer = v->a.tokenizer,
        .model = v->a.model,
        .vocabulary = v->vocabulary,
        .model_sha256 = v->model_sha256,
        .batch_tokens = vb_app_batch(&v->a),
        .n_threads = vb_app_threads(&v->a),
        .n_samples = v->n_samples,
        .on_progress = v->on_progress ? v->on_progress : vb_progress_update,
        .user = v->on_progress ? v->progress_user : &bar,
        .on_position = v->on_position,
        .position_user = v->position_user,
    };
    vb_replay_together(&o, items, n);
    vb_progress_end(&bar);
}

void vb_verification_receipt(vb_verification *v, const void *bytes, size_t n_bytes,
                             bool one_of_many) {
    const vb_verification_pair pair = {v->r, v->rep};
    vb_receipt_free(v->r);
    if (vb_verification_check(v, bytes, n_bytes, one_of_many, v->r, v->rep)) {
        vb_verification_replay(v, &pair, 1);
    }
    if (v->quorum && v->rep->have_receipt) {
        vb_quorum_judge(v->quorum, v->r, v->expect.trust, v->quorum_k, v->rep);
    }
    vb_report_finish(v->rep);
}

/* The file without its weights. */
static vb_err load_vocabulary(vb_verification *v, vb_error *e) {
    vb_err err = vb_model_file_open(v->a.model_path, &v->a.gguf, &v->a.file_ids, e);
    if (err || (err = vb_tokenizer_open(v->a.gguf, &v->a.tokenizer, e))) {
        return err;
    }
    return vb_app_model_digest(&v->a, v->rehash, v->model_sha256, e);
}

const vb_vocabulary *vb_verification_vocabulary(vb_verification *v) {
    vb_error e = {VB_OK, ""};
    if (!v->a.model_path) {
        vb_report_unknown(v->rep, VB_CHECK_OPENING_DRAW, VB_REASON_MISSING_MODEL,
                          "what the constraint allows depends on the model's vocabulary, and no "
                          "model file was given (-m FILE)");
        return NULL;
    }
    const vb_err err = load_vocabulary(v, &e);
    if (err) {
        vb_report_unknown(v->rep, VB_CHECK_OPENING_DRAW, reason_of_model(err), "%s", e.msg);
    } else if (memcmp(v->model_sha256, v->r->request.model_sha256, sizeof v->model_sha256) != 0) {
        report_other_model(v->r, v->rep, VB_CHECK_OPENING_DRAW);
    } else if (index_vocabulary(v, v->r, &e)) {
        vb_report_unknown(v->rep, VB_CHECK_OPENING_DRAW, VB_REASON_UNFINISHED, "%s", e.msg);
    }
    return v->vocabulary;
}

void vb_verification_unreadable(vb_verification *v, vb_reason reason, const char *why) {
    vb_receipt_free(v->r);
    vb_report_begin(v->rep, v->level);
    vb_report_unknown(v->rep, VB_CHECK_FORMAT, reason, "%s", why);
    vb_report_finish(v->rep);
}
