/* verbatim receipts: what a server has answered and what became of it, from its store. Only reads,
 * and so can be used beside the server. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/system.h"
#include "cli/app.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "store/store.h"

enum { LIST_DEFAULT = 20, PAGE = 100, HEX_SHOWN = 16 };

typedef struct invocation {
    vb_app a; /* json and quiet */
    const char *file, *since, *until, *state, *model, *key, *client, *to, *output;
    uint64_t limit, before;
    uint8_t model_sha256[VB_SHA256_BYTES], server_key[VB_ED25519_PUBLIC_BYTES];
    vb_store *store;
} invocation;

/* 2026-11-22, 2026-11-22T20:53:12Z (both UTC), or so long ago: 90s, 15m, 2h, 7d. */
static vb_err parse_time(const char *option, const char *text, uint64_t *unix_ms, vb_error *e) {
    static const struct {
        char unit;
        uint64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%d", &tm);
    if (end && *end == 'T') {
        end = strptime(end, "T%H:%M:%SZ", &tm);
    }
    if (end && *end == 0) {
        const time_t s = timegm(&tm);
        if (s >= 0) {
            *unix_ms = (uint64_t)s * 1000;
            return VB_OK;
        }
    }
    char *after;
    errno = 0;
    const uint64_t n = strtoull(text, &after, 10), now = vb_unix_ms();
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (text[0] >= '0' && text[0] <= '9' && !errno && after[0] == units[i].unit && !after[1] &&
            n <= now / units[i].ms) {
            *unix_ms = now - n * units[i].ms;
            return VB_OK;
        }
    }
    return vb_fail(e, VB_EINVAL,
                   "--%s %.40s: expected a time like 2026-11-22, 2026-11-22T20:53:12Z, 15m, 2h or "
                   "7d",
                   option, text);
}

static vb_err parse_hash(const char *option, const char *hex, uint8_t out[32], vb_error *e) {
    return vb_hex_decode(hex, out, 32)
               ? VB_OK
               : vb_fail(e, VB_EINVAL, "--%s %.80s: expected 64 lower-case hex digits", option,
                         hex);
}

static vb_err make_filter(invocation *o, vb_store_filter *f, vb_error *e) {
    vb_err err = VB_OK;
    *f = (vb_store_filter){.before = o->before};
    if ((o->since && (err = parse_time("since", o->since, &f->since_ms, e))) ||
        (o->until && (err = parse_time("until", o->until, &f->until_ms, e))) ||
        (o->model && (err = parse_hash("model", o->model, o->model_sha256, e)))) {
        return err;
    }
    f->model_sha256 = o->model ? o->model_sha256 : NULL;
    f->server_key = o->key ? o->server_key : NULL;
    f->client = o->client;
    for (int state = VB_STORE_OPEN; o->state && state <= VB_STORE_ABORT; state++) {
        if (strcmp(o->state, vb_store_state_name((vb_store_state)state)) == 0) {
            f->state = (vb_store_state)state;
        }
    }
    return o->state && !f->state
               ? vb_fail(e, VB_EINVAL, "--state %.40s: expected open, receipt or abort", o->state)
               : VB_OK;
}

/* The store of --store, else the server's own. */
static vb_err open_store(invocation *o, vb_error *e) {
    char dir[VB_PATH_BYTES_MAX - 32], path[VB_PATH_BYTES_MAX];
    const char *file = o->file;
    vb_err err = VB_OK;
    if (o->key && (err = parse_hash("key", o->key, o->server_key, e))) {
        return err;
    }
    if (!file) {
        if ((err = vb_app_data_dir(dir, sizeof dir, e))) {
            return err;
        }
        snprintf(path, sizeof path, "%s/receipts.db", dir);
        file = path;
    }
    const vb_store_options options = {.read_only = true};
    return vb_store_open(file, NULL, &options, &o->store, NULL, e);
}

static void print_hex_member(const char *name, const uint8_t *bytes, size_t n) {
    char hex[2 * VB_ED25519_SIGNATURE_BYTES + 1];
    vb_hex_encode(bytes, n, hex);
    printf(",\"%s\":\"%s\"", name, hex);
}

/* The members of an entry, and the brace before them. */
static void print_entry_json(const vb_store_entry *x) {
    printf("{\"place\":\"%" PRIu64 "\",\"sequence\":\"%" PRIu64 "\",\"state\":\"%s\",\"reason\":",
           x->place, x->sequence, vb_store_state_name(x->state));
    if (x->state == VB_STORE_ABORT) {
        printf("\"%s\"", vb_abort_reason_name(x->reason));
    } else {
        printf("null");
    }
    printf(",\"id\":");
    vb_app_print_json_string(x->id, strlen(x->id));
    printf(",\"client\":");
    if (x->client[0]) {
        vb_app_print_json_string(x->client, strlen(x->client));
    } else {
        printf("null");
    }
    printf(",\"issued_at_ms\":\"%" PRIu64 "\",\"settled_at_ms\":", x->issued_at_ms);
    if (x->state == VB_STORE_OPEN) {
        printf("null");
    } else {
        printf("\"%" PRIu64 "\"", x->settled_at_ms);
    }
    print_hex_member("model_sha256", x->model_sha256, sizeof x->model_sha256);
    print_hex_member("server_key", x->server_key, sizeof x->server_key);
    print_hex_member("commitment", x->commitment, sizeof x->commitment);
    if (x->state == VB_STORE_RECEIPT) {
        print_hex_member("verification_hash", x->verification_hash, sizeof x->verification_hash);
    } else {
        printf(",\"verification_hash\":null");
    }
    printf(",\"bytes\":%" PRIu64 ",\"dropped\":%s", x->n_bytes, x->n_bytes ? "false" : "true");
}

static void print_entry_line(const vb_store_entry *x) {
    char issued[VB_SHOW_TIME_BYTES], hex[2 * VB_SHA256_BYTES + 1], id[sizeof x->id];
    char client[sizeof x->client];
    vb_show_time(x->issued_at_ms, issued);
    vb_hex_encode(x->state == VB_STORE_RECEIPT ? x->verification_hash : x->commitment,
                  VB_SHA256_BYTES, hex);
    memcpy(id, x->id, sizeof id);
    vb_make_printable(id);
    memcpy(client, x->client, sizeof client);
    vb_make_printable(client);
    printf("%8" PRIu64 "  %-24s  %-7s  %-9s  %.*s  %s%s%s%s\n", x->sequence, issued,
           vb_store_state_name(x->state),
           x->state == VB_STORE_ABORT ? vb_abort_reason_name(x->reason) : "", HEX_SHOWN, hex, id,
           x->client[0] ? "  " : "", client, x->n_bytes ? "" : " (dropped)");
}

/* Page by page, so that a long list takes no more memory than a short one. */
static vb_err list(invocation *o, vb_error *e) {
    vb_store_entry page[PAGE];
    vb_store_filter f;
    size_t n = PAGE;
    vb_err err = make_filter(o, &f, e);
    uint64_t left = o->limit;
    while (!err && left && n == PAGE) {
        const size_t want = left < PAGE ? (size_t)left : PAGE;
        if (vb_interrupted()) {
            return vb_fail(e, VB_ECANCELLED, "stopped");
        }
        if ((err = vb_store_list(o->store, &f, page, want, &n, e))) {
            break;
        }
        for (size_t i = 0; i < n; i++) {
            if (o->a.json) {
                print_entry_json(&page[i]);
                printf("}\n");
            } else {
                print_entry_line(&page[i]);
            }
        }
        left -= n;
        f.before = n ? page[n - 1].place : f.before;
    }
    if (!err && !left && !o->a.json && vb_store_list(o->store, &f, page, 1, &n, e) == VB_OK && n) {
        fflush(stdout);
        fprintf(stderr, "there are more: --before %" PRIu64 "\n", f.before);
    }
    return err;
}

/* By its verification hash or commitment, by its number, by its id. */
static vb_err find(const invocation *o, const char *what, vb_store_entry *entry, vb_buf *bytes,
                   vb_error *e) {
    uint8_t hash[VB_SHA256_BYTES];
    bool absent = false;
    vb_err err;
    if (vb_hex_decode(what, hash, sizeof hash)) {
        err = vb_store_by_hash(o->store, hash, entry, bytes, &absent, e);
    } else {
        char *end;
        errno = 0;
        const uint64_t sequence = strtoull(what, &end, 10);
        absent = what[0] < '0' || what[0] > '9' || *end || errno;
        err = absent ? VB_EIO
                     : vb_store_by_sequence(o->store, o->key ? o->server_key : NULL, sequence,
                                            entry, bytes, &absent, e);
    }
    if (err && absent) {
        err = vb_store_by_id(o->store, what, entry, bytes, &absent, e);
    }
    return err && absent ? vb_fail(e, VB_EIO, "%.100s: the store has no such record", what) : err;
}

static void print_field(const char *name, const uint8_t *bytes, size_t n) {
    char hex[2 * VB_ED25519_SIGNATURE_BYTES + 1];
    vb_hex_encode(bytes, n, hex);
    printf("%-13s%s\n", name, hex);
}

static void print_entry(const vb_store_entry *x) {
    char when[VB_SHOW_TIME_BYTES], id[sizeof x->id];
    memcpy(id, x->id, sizeof id);
    vb_make_printable(id);
    printf("sequence     %" PRIu64 "\nid           %s\nstate        %s", x->sequence, id,
           vb_store_state_name(x->state));
    if (x->state == VB_STORE_ABORT) {
        printf(" (%s)", vb_abort_reason_name(x->reason));
    }
    vb_show_time(x->issued_at_ms, when);
    printf("\ncommitted    %s\n", when);
    if (x->state != VB_STORE_OPEN) {
        vb_show_time(x->settled_at_ms, when);
        printf("settled      %s\n", when);
    }
    if (x->client[0]) {
        char client[sizeof x->client];
        memcpy(client, x->client, sizeof client);
        vb_make_printable(client);
        printf("client       %s\n", client);
    }
    print_field("model", x->model_sha256, sizeof x->model_sha256);
    print_field("server key", x->server_key, sizeof x->server_key);
    print_field("commitment", x->commitment, sizeof x->commitment);
    if (x->state == VB_STORE_RECEIPT) {
        print_field("hash", x->verification_hash, sizeof x->verification_hash);
    }
    if (x->n_bytes) {
        printf("record       %" PRIu64 " bytes\n", x->n_bytes);
    } else {
        printf("record       dropped by retention; its signature is\n");
        print_field("", x->signature, sizeof x->signature);
    }
}

static vb_err show(const invocation *o, const char *what, vb_error *e) {
    vb_store_entry entry;
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_err err = find(o, what, &entry, &bytes, e);
    if (!err && o->output) {
        err = bytes.len ? vb_output_write(o->output, "record", bytes.data, bytes.len, e)
                        : vb_fail(e, VB_EIO, "%.100s: its record was dropped by retention", what);
    }
    if (!err && o->a.json) {
        print_entry_json(&entry);
        print_hex_member("signature", entry.signature, sizeof entry.signature);
        printf(",\"record\":%s}\n", bytes.len ? (const char *)bytes.data : "null");
    } else if (!err) {
        print_entry(&entry);
    }
    vb_buf_free(&bytes);
    return err;
}

static vb_err print_bytes(void *user, const void *bytes, size_t n, vb_error *e) {
    (void)user;
    if (vb_interrupted()) {
        return vb_fail(e, VB_ECANCELLED, "stopped");
    }
    return fwrite(bytes, 1, n, stdout) == n
               ? VB_OK
               : vb_fail(e, VB_EIO, "writing to standard output failed");
}

static vb_err export_records(const invocation *o, vb_error *e) {
    const uint8_t *key = o->key ? o->server_key : NULL;
    vb_store_exported n;
    if (!o->to) {
        return vb_fail(e, VB_EINVAL, "--to is missing: a folder, or - for lines of JSON");
    }
    if (strcmp(o->to, "-") == 0) {
        return vb_store_export_lines(o->store, key, print_bytes, NULL, &n, e);
    }
    vb_err err = vb_store_export_folder(o->store, key, o->to, &n, e);
    if (err) {
        return err;
    }
    if (o->a.json) {
        printf("{\"receipts\":%" PRIu64 ",\"aborts\":%" PRIu64 ",\"commitments\":%" PRIu64
               ",\"dropped\":%" PRIu64 "}\n",
               n.receipts, n.aborts, n.commitments, n.dropped);
    } else {
        printf("%" PRIu64 " receipts, %" PRIu64 " abort records, %" PRIu64 " open, %" PRIu64
               " dropped by retention\n",
               n.receipts, n.aborts, n.commitments, n.dropped);
    }
    return VB_OK;
}

static vb_err run(invocation *o, char **rest, size_t n_rest, vb_error *e) {
    const bool shows = strcmp(rest[0], "show") == 0;
    if (!shows && strcmp(rest[0], "list") != 0 && strcmp(rest[0], "export") != 0) {
        return vb_fail(e, VB_EINVAL, "%.40s: expected list, show or export", rest[0]);
    }
    if (n_rest != (shows ? 2 : 1)) {
        return vb_fail(e, VB_EINVAL, "%.40s: expected %s", rest[0],
                       shows ? "one ID, HASH or SEQUENCE" : "no argument");
    }
    vb_err err = open_store(o, e);
    if (err) {
        return err;
    }
    return shows                          ? show(o, rest[1], e)
           : strcmp(rest[0], "list") == 0 ? list(o, e)
                                          : export_records(o, e);
}

int vb_cmd_receipts(int argc, char **argv) {
    invocation o = {.limit = LIST_DEFAULT};
    const vb_opt own[] = {
        {0, "store", VB_OPT_STR, &o.file, "FILE",
         "the store (default: receipts.db in the data folder)", 0, 0, NULL},
        {0, "key", VB_OPT_STR, &o.key, "HEX",
         "of this server key (show and export: default the one that committed last)", 0, 0, NULL},
        {'n', "limit", VB_OPT_UINT, &o.limit, "N", "list: at most N entries (default 20)", 1,
         VB_STORE_LIST_MAX, NULL},
        {0, "since", VB_OPT_STR, &o.since, "TIME", "list: committed at TIME or later", 0, 0, NULL},
        {0, "until", VB_OPT_STR, &o.until, "TIME", "list: committed before TIME", 0, 0, NULL},
        {0, "state", VB_OPT_STR, &o.state, "STATE", "list: open, receipt or abort", 0, 0, NULL},
        {0, "model", VB_OPT_STR, &o.model, "SHA256", "list: of the model with this digest", 0, 0,
         NULL},
        {0, "client", VB_OPT_STR, &o.client, "NAME", "list: of the client with this name", 0, 0,
         NULL},
        {0, "before", VB_OPT_UINT, &o.before, "PLACE", "list: the page before this place", 0, 0,
         NULL},
        {'o', "output", VB_OPT_STR, &o.output, "FILE", "show: write the record itself to FILE", 0,
         0, NULL},
        {0, "to", VB_OPT_STR, &o.to, "DIR", "export: into this folder, or - for lines of JSON", 0,
         0, NULL},
    };
    vb_opt_table options = {.n = 0};
    vb_opt_add(&options, own, sizeof own / sizeof own[0]);
    vb_app_options(&o.a, VB_APP_OPT_JSON, &options);
    const vb_command_spec spec = {
        "receipts",
        "list|show|export [OPTIONS] [ID|HASH|SEQUENCE]",
        "list    the commitments of a server, newest first, and how they ended\n"
        "show    one of them, by its id, verification hash, commitment or sequence number\n"
        "export  all records of one key, for `verbatim verify DIR` to audit\n"
        "\n"
        "TIME is UTC, like 2026-11-22 or 2026-11-22T20:53:12Z, or so long ago: 15m, 2h, 7d.",
        &options,
        1,
        2};
    char **rest;
    size_t n_rest;
    if (argc == 1) {
        return vb_options_help(&spec);
    }
    const int status = vb_options_parse(&spec, argc, argv, &rest, &n_rest);
    if (status >= 0) {
        return status;
    }
    vb_error e = {VB_OK, ""};
    vb_err err = run(&o, rest, n_rest, &e);
    vb_store_close(o.store);
    return err ? vb_app_fail(&o.a, "receipts", err, &e) : VB_EXIT_OK;
}
