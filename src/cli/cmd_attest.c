/* verbatim attest: a witness verifies a receipt as `verbatim verify` does, signs what came out, and
 * puts it on a chain (spec/chain.md section 4). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "chain/attestation.h"
#include "cli/chain_options.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/verification.h"

enum { SAMPLES_MAX = 1 << 29 }; /* more than a receipt can have tokens */

typedef struct invocation {
    vb_verification v;
    vb_chain_options c;
    const char *level, *relay;
    bool samples_given, print;
    vb_attestation attestation;
    vb_buf call;
} invocation;

/* What a verdict on a chain must not rest on: only the witness knows it. */
static vb_err check_refutation(const vb_verification *v, vb_error *e) {
    const vb_reason reason = vb_report_reason(v->rep);
    if (vb_report_verdict(v->rep) == VB_VERDICT_REFUTED &&
        (v->key || v->commitment || v->nonce || (v->prompt && reason == VB_REASON_PROMPT))) {
        return vb_fail(e, VB_EINVAL,
                       "REFUTED (%s), held against --key, --commitment, --nonce or --prompt: a "
                       "verdict on a chain is about the receipt alone; attest without them",
                       vb_reason_name(reason));
    }
    return VB_OK;
}

/* The one place where a verdict for a chain is made: from a finished report. */
static vb_err judge(const vb_verification *v, vb_chain_verdict *out, vb_error *e) {
    const vb_report *rep = v->rep;
    const vb_verdict verdict = vb_report_verdict(rep);
    if (rep->checks[VB_CHECK_FORMAT].status != VB_CHECK_PASS) {
        return vb_fail(e, VB_EFORMAT, "there is nothing to attest: %s",
                       rep->checks[VB_CHECK_FORMAT].detail);
    }
    if (verdict == VB_VERDICT_UNVERIFIABLE && vb_report_reason(rep) == VB_REASON_UNFINISHED) {
        return vb_fail(e, vb_interrupted() ? VB_ECANCELLED : VB_EIO,
                       "the verification did not come to its end: nothing is attested");
    }
    vb_err err = check_refutation(v, e);
    err = err ? err : vb_chain_claim(v->r, v->expect.trust, out, e);
    out->outcome = verdict == VB_VERDICT_VERIFIED  ? VB_CHAIN_VERIFIED
                   : verdict == VB_VERDICT_REFUTED ? VB_CHAIN_REFUTED
                                                   : VB_CHAIN_UNVERIFIABLE;
    out->level = v->level == VB_LEVEL_FULL     ? VB_CHAIN_LEVEL_FULL
                 : v->level == VB_LEVEL_SAMPLE ? VB_CHAIN_LEVEL_SAMPLE
                                               : VB_CHAIN_LEVEL_RECEIPT;
    out->judged_at_s = vb_unix_ms() / 1000;
    return err;
}

static vb_err sign(invocation *o, vb_error *e) {
    vb_attestation *a = &o->attestation;
    a->registry = o->c.registry;
    memcpy(a->witness, o->c.signer.address, sizeof a->witness);
    vb_chain_verdict_digest(&a->verdict, &a->registry, a->digest);
    vb_err err = o->c.signer.sign(o->c.signer.user, a->digest, a->signature, e);
    if (!err) {
        vb_chain_verdict_signature(a->signature, a->signature);
    }
    return err;
}

/* From a receipt to a signed verdict. A model that did not make the receipt leaves it unverifiable:
 * it says nothing about the one that did. */
static vb_err verify_and_sign(invocation *o, const char *path, vb_error *e) {
    char *bytes = NULL;
    size_t n_bytes = 0;
    vb_err err = vb_app_read_file(path, VB_RECEIPT_BYTES_MAX, &bytes, &n_bytes, e);
    if (err) {
        return err;
    }
    vb_verification_receipt(&o->v, bytes, n_bytes, true);
    free(bytes);
    err = judge(&o->v, &o->attestation.verdict, e);
    return err ? err : sign(o, e);
}

static vb_err read_relayed(invocation *o, vb_error *e) {
    char *bytes = NULL;
    size_t n_bytes = 0;
    vb_err err = vb_app_read_file(o->relay, VB_ATTESTATION_BYTES_MAX, &bytes, &n_bytes, e);
    if (err) {
        return err;
    }
    err = vb_attestation_decode(bytes, n_bytes, &o->attestation, e);
    free(bytes);
    if (err) {
        return vb_fail_in(e, err, "%s", o->relay);
    }
    const vb_chain_registry *r = &o->attestation.registry;
    return r->chain_id == o->c.registry.chain_id &&
                   memcmp(r->address, o->c.registry.address, sizeof r->address) == 0
               ? VB_OK
               : vb_fail(e, VB_EMISMATCH, "%s: it is for another registry or chain", o->relay);
}

static vb_err check_options(const invocation *o, size_t n_rest, vb_error *e) {
    if ((o->relay != NULL) == (n_rest == 1)) {
        return vb_fail(e, VB_EINVAL, "expected a receipt, or --relay and a file");
    }
    if (o->relay && o->print) {
        return vb_fail(e, VB_EINVAL, "--print and --relay: expected one of them");
    }
    if (o->print && !o->c.chain_id) {
        return vb_fail(e, VB_EINVAL, "--print: name the chain with --chain-id");
    }
    if (!o->relay && !o->v.a.model_path && o->v.level != VB_LEVEL_RECEIPT) {
        return vb_fail(e, VB_EINVAL, "no model: name a GGUF file with -m, or --level receipt");
    }
    if (!o->c.can_sign) {
        return vb_fail(e, VB_EINVAL,
                       "no account: name its key with --account-key, or a --signer "
                       "and its --account");
    }
    return VB_OK;
}

static int exit_of(const invocation *o) {
    return o->relay ? VB_EXIT_OK : vb_report_exit_code(o->v.rep);
}

static const char *outcome_name(vb_chain_outcome outcome) {
    return outcome == VB_CHAIN_VERIFIED  ? "VERIFIED"
           : outcome == VB_CHAIN_REFUTED ? "REFUTED"
                                         : "UNVERIFIABLE";
}

static void print_attestation(const vb_attestation *a) {
    vb_buf out = vb_buf_make(VB_ATTESTATION_BYTES_MAX);
    VB_ASSERT(vb_attestation_encode(a, &out, NULL) == VB_OK);
    fwrite(out.data, 1, out.len, stdout);
    vb_buf_free(&out);
}

/* kept: what the registry has of the witness and the record now. */
static void report(const invocation *o, const vb_chain_done *d, const vb_chain_judgement *kept) {
    const vb_attestation *a = &o->attestation;
    if (o->v.a.json) {
        printf("{\"outcome\":\"%s\",\"reason\":", outcome_name(a->verdict.outcome));
        if (!o->relay && vb_report_reason(o->v.rep)) {
            printf("\"%s\"", vb_reason_name(vb_report_reason(o->v.rep)));
        } else {
            printf("null");
        }
        printf(",\"attestation\":");
        print_attestation(a);
        printf(",");
        vb_chain_print_done_json(&o->c, &o->call, d);
        printf(",\"contradicted\":%s,\"exit_code\":%d}\n",
               d->sent ? kept->contradicted ? "true" : "false" : "null", exit_of(o));
        return;
    }
    printf("witness        ");
    vb_chain_print_address(a->witness);
    printf("\nrecord         ");
    vb_chain_print_hex(a->verdict.record, sizeof a->verdict.record);
    printf("\n");
    vb_chain_print_done(&o->c, &o->call, d);
    if (d->sent && kept->contradicted) {
        printf("VOID: the witness has contradicted itself on this record\n");
    }
    printf("%s", outcome_name(a->verdict.outcome));
    if (!o->relay && vb_report_reason(o->v.rep)) {
        printf(" (%s)", vb_reason_name(vb_report_reason(o->v.rep)));
    }
    printf("\n");
}

static vb_err send(invocation *o, vb_error *e) {
    const vb_attestation *a = &o->attestation;
    vb_chain_done d;
    vb_chain_judgement kept = {.outcome = 0};
    vb_err err = vb_chain_call_attest(&a->verdict, a->signature, &o->call, e);
    err = err ? err : vb_chain_options_send(&o->c, &o->v.a, &o->call, &d, e);
    if (!err && d.sent) {
        err = vb_chain_read_judgement(&o->c.node, &o->c.registry, a->witness, a->verdict.record,
                                      &kept, e);
    }
    if (!err) {
        report(o, &d, &kept);
    }
    return err;
}

static int run(invocation *o, char **rest, size_t n_rest) {
    vb_error e = {VB_OK, ""};
    o->call = vb_buf_make(VB_ABI_BYTES_MAX);
    vb_err err = vb_verification_read_level(&o->v, o->level, o->samples_given, &e);
    err = err ? err : vb_chain_options_read(&o->c, &e);
    err = err ? err : check_options(o, n_rest, &e);
    err = err ? err : vb_verification_begin(&o->v, &e);
    /* Before the work, so that a wrong node is found out first. */
    if (!err && !o->print) {
        err = vb_chain_options_connect(&o->c, &e);
    }
    if (!err) {
        err = o->relay ? read_relayed(o, &e) : verify_and_sign(o, rest[0], &e);
    }
    if (!err && o->print) {
        print_attestation(&o->attestation);
        printf("\n");
    } else if (!err) {
        err = send(o, &e);
    }
    const int status = err ? vb_app_fail(&o->v.a, "attest", err, &e) : exit_of(o);
    vb_buf_free(&o->call);
    vb_chain_options_close(&o->c);
    vb_verification_end(&o->v);
    return status;
}

static const vb_command_spec spec_of_attest = {
    .name = "attest",
    .arguments =
        "RECEIPT -m FILE --registry ADDRESS --account-key FILE --rpc URL|--print [OPTIONS]",
    .summary = "Verifies a receipt as `verbatim verify` does, signs the verdict as a witness "
               "(EIP-712), and sends\n"
               "it to the registry: VERIFIED (exit status 0), REFUTED (10) or UNVERIFIABLE (11). "
               "With --print\n"
               "the signed verdict is printed, for anybody to send with --relay.",
    .min_positional = 0,
    .max_positional = 1,
};

int vb_cmd_attest(int argc, char **argv) {
    invocation *o = calloc(1, sizeof *o);
    if (!o) {
        fprintf(stderr, "verbatim attest: no memory\n");
        return VB_EXIT_LIMIT;
    }
    o->level = "full";
    o->v.n_samples = VB_SAMPLES_DEFAULT;
    const vb_opt own[] = {
        {0, "level", VB_OPT_STR, &o->level, "LEVEL",
         "full (default): every token; sample: some; receipt: no model needed", 0, 0, NULL},
        {0, "samples", VB_OPT_UINT, &o->v.n_samples, "N",
         "level sample: tokens to draw again (default 32)", 1, SAMPLES_MAX, &o->samples_given},
        {0, "print", VB_OPT_FLAG, &o->print, NULL,
         "print the signed verdict as JSON and send nothing: no node is needed", 0, 0, NULL},
        {0, "relay", VB_OPT_STR, &o->relay, "FILE", "send what a witness has printed", 0, 0, NULL},
    };
    vb_opt_table options = {.n = 0};
    vb_opt_add(&options, own, sizeof own / sizeof own[0]);
    vb_verification_options(&o->v, &options);
    vb_chain_options_add(&o->c, &options);
    vb_chain_account_options_add(&o->c, &options);
    vb_app_options(&o->v.a, VB_APP_OPT_MODEL | VB_APP_OPT_RUN | VB_APP_OPT_JSON | VB_APP_OPT_QUIET,
                   &options);
    vb_command_spec spec = spec_of_attest;
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
