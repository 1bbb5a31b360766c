/* verbatim open: shows what one token of a receipt was drawn from, in a record that anybody can
 * check against the receipt without the model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/verification.h"
#include "verify/opening.h"

typedef struct opening {
    vb_verification v;
    const char *output;
    uint64_t position, choice;
    bool position_given;
    /* gathered by the replay */
    uint8_t (*leaves)[VB_SHA256_BYTES]; /* of the choice, [n_tokens] */
    size_t n_leaves, n_tokens;
    float *logits; /* at the position; NULL: not there yet */
    size_t n_logits;
    bool no_memory;
} opening;

/* All leaves of the output, and the logits of the one position. */
static bool on_position(void *user, uint32_t choice, uint64_t t, uint32_t token,
                        const float *logits, size_t n_logits, const uint8_t leaf[32]) {
    opening *o = user;
    (void)token;
    if (choice != o->choice) {
        return true;
    }
    if (!o->leaves) {
        o->n_tokens = o->v.r->outputs[choice].n_tokens;
        o->leaves = malloc(o->n_tokens * sizeof *o->leaves);
    }
    if (o->leaves && t == o->position) {
        o->n_logits = n_logits;
        o->logits = malloc(n_logits * sizeof *o->logits);
        if (o->logits) {
            memcpy(o->logits, logits, n_logits * sizeof *o->logits);
        }
    }
    if (!o->leaves || t >= o->n_tokens || (t == o->position && !o->logits)) {
        o->no_memory = true;
        return false;
    }
    memcpy(o->leaves[t], leaf, VB_SHA256_BYTES);
    o->n_leaves = (size_t)t + 1;
    return true;
}

/* Before the long work. Bytes that are no receipt are for the verification to refuse. */
static vb_err check_position(const opening *o, const void *bytes, size_t n_bytes, vb_error *e) {
    vb_receipt *r = o->v.r;
    if (vb_receipt_decode(bytes, n_bytes, r, NULL)) {
        return VB_OK;
    }
    if (o->choice >= r->n_outputs) {
        return vb_fail(e, VB_EINVAL, "--choice %llu: the receipt has choices 0 to %zu",
                       (unsigned long long)o->choice, r->n_outputs - 1);
    }
    const size_t n = r->outputs[o->choice].n_tokens;
    if (o->position >= n) {
        return vb_fail(e, VB_EINVAL, "--at %llu: the output has positions 0 to %zu",
                       (unsigned long long)o->position, n - 1);
    }
    return VB_OK;
}

/* A receipt that does not hold has nothing to open; the report says why. */
static int refuse(const opening *o) {
    const vb_report *rep = o->v.rep;
    vb_buf text = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_error e = {VB_OK, ""};
    const vb_err err =
        o->v.a.json ? vb_report_write_json(rep, &text, &e) : vb_report_write_text(rep, &text, &e);
    if (!err) {
        fwrite(text.data, 1, text.len, o->v.a.json ? stdout : stderr);
        fprintf(o->v.a.json ? stdout : stderr, "\n");
    }
    vb_buf_free(&text);
    if (!o->v.a.json) {
        fprintf(stderr, "verbatim open: the receipt does not hold, so nothing is opened\n");
    }
    return vb_report_exit_code(rep);
}

static vb_err write_opening(const opening *o, const vb_opening *made, vb_error *e) {
    vb_buf bytes = vb_buf_make(VB_OPENING_BYTES_MAX);
    vb_err err = vb_opening_encode(made, &bytes, e);
    if (!err && o->output) {
        err = vb_output_write(o->output, "opening", bytes.data, bytes.len, e);
    } else if (!err) {
        fwrite(bytes.data, 1, bytes.len, stdout);
        if (fflush(stdout) != 0 || ferror(stdout)) {
            err = vb_fail(e, VB_EIO, "writing to standard output failed");
        }
    }
    vb_buf_free(&bytes);
    return err;
}

static void print_summary(const opening *o, const vb_opening *made) {
    const double probability = (double)made->weight / (double)made->total;
    vb_buf text = vb_buf_make(VB_TEXT_BYTES_MAX);
    const bool have_text =
        vb_tokenizer_decode(o->v.a.tokenizer, &made->token, 1, true, false, &text, NULL) == VB_OK &&
        text.data;
    if (o->v.a.json) {
        printf("{\"choice\":%u,\"position\":%llu,\"token\":%u,\"text\":", made->choice,
               (unsigned long long)made->position, made->token);
        vb_app_print_json_string(have_text ? (const char *)text.data : "",
                                 have_text ? text.len : 0);
        printf(",\"logit\":%.9g,\"probability\":%.9g,\"rank\":%llu,\"vocabulary\":%zu,"
               "\"path\":%zu,\"file\":",
               (double)made->logit, probability, (unsigned long long)made->rank, made->n_logits,
               made->n_path);
        vb_app_print_json_string(o->output, strlen(o->output));
        printf("}\n");
    } else if (!o->v.a.quiet) {
        fprintf(stderr,
                "position %llu of choice %u: token %u\n"
                "logit        %.9g\n"
                "probability  %.9g (at temperature 1, nothing cut off)\n"
                "rank         %llu of %zu\n"
                "path         %zu hashes from its leaf to the receipt's trace root\n",
                (unsigned long long)made->position, made->choice, made->token, (double)made->logit,
                probability, (unsigned long long)made->rank, made->n_logits, made->n_path);
    }
    vb_buf_free(&text);
}

/* Returns the exit status. */
static int open_position(opening *o, const char *path, vb_error *e) {
    vb_verification *v = &o->v;
    char *bytes = NULL;
    size_t n_bytes = 0;
    vb_opening made;
    vb_err err;
    if ((o->output && (err = vb_output_check(o->output, "opening", e))) ||
        (err = vb_verification_begin(v, e)) ||
        (err = vb_app_read_file(path, VB_RECEIPT_BYTES_MAX, &bytes, &n_bytes, e)) ||
        (err = check_position(o, bytes, n_bytes, e))) {
        free(bytes);
        return vb_app_fail(&v->a, "open", err, e);
    }
    v->on_position = on_position;
    v->position_user = o;
    vb_verification_receipt(v, bytes, n_bytes, false);
    free(bytes);
    if (o->no_memory) {
        err = vb_fail(e, VB_ENOMEM, "no memory for the distribution");
        return vb_app_fail(&v->a, "open", err, e);
    }
    if (vb_report_verdict(v->rep) != VB_VERDICT_VERIFIED) {
        return refuse(o);
    }
    if ((err = vb_opening_make(v->r, v->rep->verification_hash, (uint32_t)o->choice, o->position,
                               o->logits, o->n_logits, (const uint8_t(*)[VB_SHA256_BYTES])o->leaves,
                               o->n_leaves, &made, e))) {
        return vb_app_fail(&v->a, "open", err, e);
    }
    err = write_opening(o, &made, e);
    if (!err) {
        print_summary(o, &made);
    }
    vb_opening_free(&made);
    return err ? vb_app_fail(&v->a, "open", err, e) : VB_EXIT_OK;
}

static vb_err check_options(const opening *o, vb_error *e) {
    if (!o->position_given) {
        return vb_fail(e, VB_EINVAL, "name the position to open with --at (from 0)");
    }
    if (!o->v.a.model_path) {
        return vb_fail(e, VB_EINVAL, "no model: name a GGUF file with -m");
    }
    if (!o->output && o->v.a.json) {
        return vb_fail(e, VB_EINVAL, "--json prints a summary: name a file for the opening (-o)");
    }
    if (!o->output && isatty(STDOUT_FILENO)) {
        return vb_fail(e, VB_EINVAL,
                       "an opening holds every logit: name a file (-o), or write into a pipe");
    }
    return VB_OK;
}

int vb_cmd_open(int argc, char **argv) {
    opening *o = calloc(1, sizeof *o);
    if (!o) {
        fprintf(stderr, "verbatim open: no memory\n");
        return VB_EXIT_LIMIT;
    }
    o->v.level = VB_LEVEL_FULL;
    const vb_opt own[] = {
        {0, "at", VB_OPT_UINT, &o->position, "T", "the position to open, from 0", 0,
         VB_MODEL_CTX_TOKENS_MAX - 1, &o->position_given},
        {0, "choice", VB_OPT_UINT, &o->choice, "I", "of this output, from 0 (default 0)", 0,
         VB_CHOICES_MAX - 1, NULL},
        {'o', "output", VB_OPT_STR, &o->output, "FILE",
         "write the opening here (default: standard output, unless it is a terminal)", 0, 0, NULL},
    };
    vb_opt_table options = {.n = 0};
    vb_opt_add(&options, own, sizeof own / sizeof own[0]);
    vb_verification_options(&o->v, &options);
    vb_app_options(&o->v.a, VB_APP_OPT_MODEL | VB_APP_OPT_RUN | VB_APP_OPT_JSON | VB_APP_OPT_QUIET,
                   &options);
    const vb_command_spec spec = {
        "open",
        "RECEIPT --at T -m FILE [-o FILE] [OPTIONS]",
        "Opens one position of an answer: all the logits that its token was drawn from, and the\n"
        "hashes that tie them to the receipt's trace root. The receipt is replayed first and must\n"
        "hold. Whoever has receipt and opening checks it without the model:\n"
        "verbatim verify OPENING --receipt RECEIPT",
        &options,
        1,
        1};
    char **rest;
    size_t n_rest;
    int status = vb_options_parse(&spec, argc, argv, &rest, &n_rest);
    if (status < 0) {
        vb_error e = {VB_OK, ""};
        const vb_err err = check_options(o, &e);
        status = err ? vb_app_fail(&o->v.a, "open", err, &e) : open_position(o, rest[0], &e);
        free(o->leaves);
        free(o->logits);
        vb_verification_end(&o->v);
    }
    free(o);
    return status;
}
