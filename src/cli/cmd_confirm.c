/* verbatim confirm: what a panel of witnesses says on a chain of a receipt (spec/chain.md section
 * 5). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "chain/address.h"
#include "cli/beacon_options.h"
#include "cli/chain_options.h"
#include "cli/commands.h"

enum { POLL_MS = 2000, WAIT_S_MAX = 604800 };

typedef struct invocation {
    vb_app a;
    vb_beacon_options b; /* its trust file alone */
    vb_chain_options c;
    const char *panel_text, *members_text;
    uint64_t k, wait_s;
    bool create;
    /* Made. */
    vb_chain_panel panel;
    uint8_t id[VB_KECCAK256_BYTES];
    vb_chain_verdict claim; /* its first five members */
    uint64_t n_members, n_confirming;
    bool confirmed;
    vb_chain_tally tally;
} invocation;

static vb_err read_members(invocation *o, vb_error *e) {
    const char *from = o->members_text;
    for (;;) {
        char text[VB_CHAIN_ADDRESS_CHARS + 2]; /* one more than an address has: too long is seen */
        const size_t n = strcspn(from, ",");
        if (o->panel.n == VB_CHAIN_PANEL_MAX) {
            return vb_fail(e, VB_EINVAL, "--members: more than %d", VB_CHAIN_PANEL_MAX);
        }
        snprintf(text, sizeof text, "%.*s", (int)(n < sizeof text ? n : sizeof text - 1), from);
        vb_err err = vb_chain_address_parse(text, "--members", o->panel.members[o->panel.n], e);
        if (err) {
            return err;
        }
        o->panel.n++;
        if (!from[n]) {
            break;
        }
        from += n + 1;
    }
    vb_err err = vb_chain_panel_sort(&o->panel, e);
    return err ? err : vb_chain_panel_id(&o->panel, o->id, e);
}

static vb_err read_panel(invocation *o, vb_error *e) {
    if ((o->panel_text != NULL) == (o->members_text != NULL)) {
        return vb_fail(e, VB_EINVAL, "expected one of --panel and --members");
    }
    if (o->create && !o->members_text) {
        return vb_fail(e, VB_EINVAL, "--create: name the panel's --members");
    }
    return o->members_text ? read_members(o, e)
                           : vb_chain_hex_parse(o->panel_text, "--panel", o->id, sizeof o->id, e);
}

static vb_err read_claim(invocation *o, const char *path, vb_error *e) {
    char *bytes = NULL;
    size_t n_bytes = 0;
    vb_receipt *r = malloc(sizeof *r);
    vb_err err = r ? vb_app_read_file(path, VB_RECEIPT_BYTES_MAX, &bytes, &n_bytes, e)
                   : vb_fail(e, VB_ENOMEM, "no memory for a receipt");
    if (!err && !(err = vb_receipt_decode(bytes, n_bytes, r, e))) {
        err = vb_chain_claim(r, o->b.trust, &o->claim, e);
        vb_receipt_free(r);
    }
    free(bytes);
    free(r);
    return err;
}

static vb_err create(invocation *o, vb_error *e) {
    vb_buf call = vb_buf_make(VB_ABI_BYTES_MAX);
    vb_chain_done d;
    vb_err err = vb_chain_call_create_panel(&o->panel, &call, e);
    err = err ? err : vb_chain_options_send(&o->c, &o->a, &call, &d, e);
    vb_buf_free(&call);
    if (!err && o->c.dry_run) {
        err = vb_fail(e, VB_EINVAL,
                      "the panel does not exist; creating it would take %" PRIu64
                      " gas; nothing was sent",
                      d.gas);
    }
    o->n_members = o->panel.n;
    return err;
}

static vb_err find_panel(invocation *o, vb_error *e) {
    vb_err err = vb_chain_read_panel(&o->c.node, &o->c.registry, o->id, &o->n_members, e);
    if (!err && o->n_members == 0) {
        err = o->create ? create(o, e)
                        : vb_fail(e, VB_EMISMATCH,
                                  "the registry has no such panel: make it with --members and "
                                  "--create");
    }
    if (!err && o->k > o->n_members) {
        err = vb_fail(e, VB_EINVAL, "-k %" PRIu64 ": the panel has %" PRIu64 " members", o->k,
                      o->n_members);
    }
    return err;
}

/* How many confirm just this claim: the contract says only whether as many as asked do. Those who
 * verified the record may have verified another claim of it. */
static vb_err count(invocation *o, vb_error *e) {
    const vb_chain_node *n = &o->c.node;
    const vb_chain_registry *r = &o->c.registry;
    vb_err err = vb_chain_read_confirmed(n, r, o->id, &o->claim, o->k, &o->confirmed, e);
    err = err ? err : vb_chain_read_tally(n, r, o->id, o->claim.record, &o->tally, e);
    if (!err && o->tally.verified > o->n_members) {
        err = vb_fail(e, VB_EFORMAT, "the registry counts more members than the panel has");
    }
    bool found = false;
    o->n_confirming = err ? 0 : o->tally.verified;
    while (!err && o->n_confirming > 0) {
        err = vb_chain_read_confirmed(n, r, o->id, &o->claim, o->n_confirming, &found, e);
        if (err || found) {
            break;
        }
        o->n_confirming--;
    }
    return err;
}

static vb_err look(invocation *o, vb_error *e) {
    const uint64_t until_ns = vb_clock_ns() + UINT64_C(1000000000) * o->wait_s;
    for (;;) {
        vb_err err = count(o, e);
        if (err || o->confirmed || vb_clock_ns() >= until_ns) {
            return err;
        }
        err = o->c.node.wait_ms(o->c.node.user, POLL_MS, e);
        if (err) {
            return err;
        }
    }
}

static int exit_of(const invocation *o) {
    return o->confirmed ? VB_EXIT_OK : VB_EXIT_UNCONFIRMED;
}

static void report(const invocation *o) {
    const vb_chain_tally *t = &o->tally;
    if (o->a.json) {
        printf("{\"confirmed\":%s,\"k\":\"%" PRIu64 "\",\"confirming\":\"%" PRIu64
               "\",\"members\":\"%" PRIu64 "\",\"panel\":\"",
               o->confirmed ? "true" : "false", o->k, o->n_confirming, o->n_members);
        vb_chain_print_hex(o->id, sizeof o->id);
        printf("\",\"record\":\"");
        vb_chain_print_hex(o->claim.record, sizeof o->claim.record);
        printf("\",\"drawn_at\":\"%" PRIu64 "\",\"verified\":\"%" PRIu64 "\",\"refuted\":\"%" PRIu64
               "\",\"unverifiable\":\"%" PRIu64 "\",\"contradicted\":\"%" PRIu64
               "\",\"exit_code\":%d}\n",
               o->claim.drawn_at_s, t->verified, t->refuted, t->unverifiable, t->contradicted,
               exit_of(o));
        return;
    }
    printf("panel          ");
    vb_chain_print_hex(o->id, sizeof o->id);
    printf("\nrecord         ");
    vb_chain_print_hex(o->claim.record, sizeof o->claim.record);
    printf("\noutcomes       %" PRIu64 " verified, %" PRIu64 " refuted, %" PRIu64
           " unverifiable, %" PRIu64 " void\n",
           t->verified, t->refuted, t->unverifiable, t->contradicted);
    printf("%sconfirmed by %" PRIu64 " of %" PRIu64 ", expected %" PRIu64 "\n",
           o->confirmed ? "" : "NOT CONFIRMED: ", o->n_confirming, o->n_members, o->k);
}

static int run(invocation *o, const char *path) {
    vb_error e = {VB_OK, ""};
    vb_err err =
        o->k ? VB_OK : vb_fail(&e, VB_EINVAL, "say with -k how many of the panel must confirm it");
    err = err ? err : read_panel(o, &e);
    err = err ? err : vb_chain_options_read(&o->c, &e);
    err = err ? err : vb_trust_open(&o->b, &e);
    err = err ? err : read_claim(o, path, &e);
    err = err ? err : vb_chain_options_connect(&o->c, &e);
    err = err ? err : find_panel(o, &e);
    err = err ? err : look(o, &e);
    if (!err) {
        report(o);
    }
    vb_chain_options_close(&o->c);
    vb_beacon_close(&o->b);
    return err ? vb_app_fail(&o->a, "confirm", err, &e) : exit_of(o);
}

static const vb_command_spec spec_of_confirm = {
    .name = "confirm",
    .arguments = "RECEIPT --rpc URL --registry ADDRESS --panel ID|--members A,B,C -k N [OPTIONS]",
    .summary = "Asks a registry whether at least N members of a panel have re-executed the receipt "
               "and confirm\n"
               "just this answer: confirmed (exit status 0), or not (yet) confirmed (13).",
    .min_positional = 1,
    .max_positional = 1,
};

int vb_cmd_confirm(int argc, char **argv) {
    invocation *o = calloc(1, sizeof *o);
    if (!o) {
        fprintf(stderr, "verbatim confirm: no memory\n");
        return VB_EXIT_LIMIT;
    }
    const vb_opt own[] = {
        {0, "panel", VB_OPT_STR, &o->panel_text, "ID", "the panel: 0x and 64 hex digits", 0, 0,
         NULL},
        {0, "members", VB_OPT_STR, &o->members_text, "A,B,C", "the panel by its members' addresses",
         0, 0, NULL},
        {'k', "quorum", VB_OPT_UINT, &o->k, "N", "so many of them must confirm it", 1,
         VB_CHAIN_PANEL_MAX, NULL},
        {0, "wait", VB_OPT_UINT, &o->wait_s, "S", "look again for so many seconds", 1, WAIT_S_MAX,
         NULL},
        {0, "create", VB_OPT_FLAG, &o->create, NULL,
         "make the panel when there is none: a transaction", 0, 0, NULL},
    };
    vb_opt_table options = {.n = 0};
    vb_opt_add(&options, own, sizeof own / sizeof own[0]);
    vb_trust_option_add(&o->b, &options);
    vb_chain_options_add(&o->c, &options);
    vb_chain_account_options_add(&o->c, &options);
    vb_app_options(&o->a, VB_APP_OPT_JSON | VB_APP_OPT_QUIET, &options);
    vb_command_spec spec = spec_of_confirm;
    spec.options = &options;
    char **rest;
    size_t n_rest;
    int status =
        argc == 1 ? vb_options_help(&spec) : vb_options_parse(&spec, argc, argv, &rest, &n_rest);
    if (status < 0) {
        status = run(o, rest[0]);
    }
    free(o);
    return status;
}
