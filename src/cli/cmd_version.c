/* verbatim version: what this build is and what this processor can run. */
#include <stdio.h>

#include "cli/app.h"
#include "cli/commands.h"
#include "receipt/receipt.h"

enum { TIERS_MAX = 8 };

int vb_cmd_version(int argc, char **argv) {
    vb_app a = {0};
    vb_opt_table options = {.n = 0};
    vb_app_options(&a, VB_APP_OPT_JSON, &options);
    const vb_command_spec spec = {
        "version",
        "[--json]",
        "Prints the version, the arithmetic, and each instruction-set tier that this\n"
        "processor can run with the result of its self-test.",
        &options,
        0,
        0};
    char **rest;
    size_t n_rest;
    int status = vb_options_parse(&spec, argc, argv, &rest, &n_rest);
    if (status >= 0) {
        return status;
    }
    const vb_kernels *tiers[TIERS_MAX];
    const size_t n = vb_kernels_list(tiers, TIERS_MAX);
    bool all_fine = true;
    printf(a.json ? "{\"version\":\"%s\",\"arithmetic\":\"%s\",\"receipt\":\"%s\",\"tiers\":["
                  : "verbatim %s (%s, %s)\n",
           VB_VERSION, VB_ARITHMETIC, VB_RECEIPT_FORMAT);
    for (size_t i = 0; i < n; i++) {
        vb_error e = {VB_OK, ""};
        bool fine = vb_kernels_selftest(tiers[i], &e) == VB_OK;
        all_fine = all_fine && fine;
        if (a.json) {
            printf("%s{\"name\":\"%s\",\"selftest\":%s}", i ? "," : "", tiers[i]->name,
                   fine ? "true" : "false");
        } else {
            printf("tier %-11s %s%s%s\n", tiers[i]->name,
                   fine ? "self-test passed" : "REFUSED: ", fine ? "" : e.msg,
                   fine && i + 1 == n ? "  (default)" : "");
        }
    }
    if (a.json) {
        printf("]}\n");
    }
    return all_fine ? VB_EXIT_OK : VB_EXIT_FAILED;
}
