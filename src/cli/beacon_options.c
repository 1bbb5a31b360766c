#include "cli/beacon_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "cli/app.h"
#include "cli/progress.h"

/* How long a round may take when all is well, and a margin: finality takes Ethereum a quarter of an
 * hour, NIST has a pulse a minute. */
enum { WAIT_SECONDS = 150, WAIT_ETHEREUM_SECONDS = 1800, WAIT_SECONDS_MAX = 86400 };

void vb_beacon_options_add(vb_beacon_options *b, vb_opt_table *t) {
    const vb_opt rows[] = {
        {0, "beacon", VB_OPT_STR, &b->beacon, "NAME",
         "draw with a public beacon: drand, drand:default, theta, ethereum, nist, mix:A+B", 0, 0,
         NULL},
        {0, "beacon-url", VB_OPT_LIST, &b->urls, "URL",
         "its endpoint (for a mix KIND=URL); repeatable, the first that answers is taken", 0, 0,
         NULL},
        {0, "beacon-wait", VB_OPT_UINT, &b->wait_s, "SECONDS",
         "most to wait for a round (default 150; ethereum 1800)", 1, WAIT_SECONDS_MAX, NULL},
        {0, "beacon-ca", VB_OPT_STR, &b->ca_file, "FILE",
         "certificates (PEM) to verify https endpoints with (default: the system's)", 0, 0, NULL},
    };
    vb_opt_add(t, rows, sizeof rows / sizeof rows[0]);
}

void vb_trust_option_add(vb_beacon_options *b, vb_opt_table *t) {
    const vb_opt row = {
        0,
        "trust",
        VB_OPT_STR,
        &b->trust_file,
        "FILE",
        "trust roots (default: trust.json in the configuration folder, else the built-in ones)",
        0,
        0,
        NULL};
    vb_opt_add(t, &row, 1);
}

/* The default trust file; false when there is none. One that is there and can not be looked at (a
 * link to nothing, a folder without rights) is not none: its limits would be dropped silently. */
static bool default_file(char path[VB_PATH_BYTES_MAX]) {
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int n = base && base[0] == '/'
                ? snprintf(path, VB_PATH_BYTES_MAX, "%s/verbatim/trust.json", base)
            : home && home[0] == '/'
                ? snprintf(path, VB_PATH_BYTES_MAX, "%s/.config/verbatim/trust.json", home)
                : -1;
    struct stat st;
    return n > 0 && n < (int)VB_PATH_BYTES_MAX &&
           (lstat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR));
}

vb_err vb_trust_open(vb_beacon_options *b, vb_error *e) {
    char standard[VB_PATH_BYTES_MAX];
    const char *path = b->trust_file;
    if (!path) {
        if (!default_file(standard)) {
            return VB_OK;
        }
        path = standard;
    }
    char *text = NULL;
    size_t n_bytes = 0;
    vb_err err = vb_app_read_file(path, VB_TRUST_FILE_BYTES_MAX, &text, &n_bytes, e);
    if (!err && (err = vb_trust_parse(text, n_bytes, &b->trust, e))) {
        vb_fail_in(e, err, "%s", path);
    }
    free(text);
    return err;
}

static bool keep_going(void *user) {
    (void)user;
    return !vb_interrupted();
}

vb_err vb_beacon_open(vb_beacon_options *b, vb_error *e) {
    if (b->urls.n > VB_ENDPOINTS_MAX) {
        return vb_fail(e, VB_ELIMIT, "--beacon-url: at most %u", VB_ENDPOINTS_MAX);
    }
    const vb_source_options o = {
        .beacon = b->beacon,
        .urls = b->urls.items,
        .n_urls = b->urls.n,
        .trust = b->trust,
        .ca_file = b->ca_file,
        .keep_going = keep_going,
    };
    vb_err err = vb_source_open(&o, &b->source, e);
    return err ? vb_fail_in(e, err, "--beacon %.80s", b->beacon) : VB_OK;
}

uint32_t vb_beacon_wait_ms(const vb_beacon_options *b) {
    const bool slow = b->source && strstr(vb_source_id(b->source), "ethereum:");
    const uint64_t s = b->wait_s ? b->wait_s : slow ? WAIT_ETHEREUM_SECONDS : WAIT_SECONDS;
    return (uint32_t)(s * 1000);
}

void vb_beacon_close(vb_beacon_options *b) {
    vb_source_close(b->source);
    vb_trust_free(b->trust);
    b->source = NULL;
    b->trust = NULL;
}
