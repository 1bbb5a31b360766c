/* verbatim hash: the digest that receipts name a model by. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "cli/app.h"
#include "cli/commands.h"

int vb_cmd_hash(int argc, char **argv) {
    vb_app a = {0};
    bool rehash = false;
    const vb_opt own[] = {
        {0, "rehash", VB_OPT_FLAG, &rehash, NULL, "read the file again, whatever the cache says", 0,
         0, NULL},
    };
    vb_opt_table options = {.n = 0};
    vb_opt_add(&options, own, sizeof own / sizeof own[0]);
    vb_app_options(&a, VB_APP_OPT_JSON | VB_APP_OPT_QUIET, &options);
    const vb_command_spec spec = {
        "hash",
        "[OPTIONS] MODEL...",
        "Prints the model digest: the file's SHA-256, as model hubs show it; for a split model "
        "the\n"
        "digest over the digests of its files. Remembered by device, inode, size and time.",
        &options,
        1,
        4096};
    char **rest;
    size_t n_rest;
    int status = vb_options_parse(&spec, argc, argv, &rest, &n_rest);
    if (status >= 0) {
        return status;
    }
    for (size_t i = 0; i < n_rest; i++) {
        vb_error e = {VB_OK, ""};
        vb_gguf *g = NULL;
        uint8_t digest[VB_SHA256_BYTES];
        char hex[VB_SHA256_HEX_BYTES];
        vb_err err = vb_gguf_open(rest[i], &g, &e);
        if (!err) {
            err = vb_app_path_digest(g, NULL, rehash, a.quiet, digest, &e);
        }
        vb_gguf_close(g);
        if (err) {
            return vb_app_fail(&a, "hash", err, &e);
        }
        vb_hex_encode(digest, sizeof digest, hex);
        if (a.json) {
            printf("{\"sha256\":\"%s\",\"path\":", hex);
            vb_app_print_json_string(rest[i], strlen(rest[i]));
            printf("}\n");
        } else {
            printf("%s  %s\n", hex, rest[i]);
        }
    }
    return VB_EXIT_OK;
}
