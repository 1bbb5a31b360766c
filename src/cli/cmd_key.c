/* verbatim key: the Ed25519 key that signs receipts on this machine. Only its public half is ever
 * shown. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "cli/app.h"
#include "cli/commands.h"
#include "cli/identity.h"
#include "crypto/ed25519.h"

/* The file of --key, else the one that run, chat and serve sign with. */
static vb_err key_path(const char *given, char path[VB_PATH_BYTES_MAX], vb_error *e) {
    if (!given) {
        return vb_identity_key_path(path, e);
    }
    const size_t n = strlen(given);
    if (n == 0 || n >= VB_PATH_BYTES_MAX) {
        return vb_fail(e, VB_EINVAL, "--key: expected a path of 1 to %u bytes",
                       VB_PATH_BYTES_MAX - 1);
    }
    memcpy(path, given, n + 1);
    return VB_OK;
}

static void print_key(const vb_app *a, const vb_ed25519_key *key, const char *path) {
    uint8_t public_key[VB_ED25519_PUBLIC_BYTES];
    char hex[2 * VB_ED25519_PUBLIC_BYTES + 1];
    vb_ed25519_public(key, public_key);
    vb_hex_encode(public_key, sizeof public_key, hex);
    if (!a->json) {
        printf("%s\n", hex);
        return;
    }
    printf("{\"public_key\":\"%s\",\"file\":", hex);
    vb_app_print_json_string(path, strlen(path));
    printf("}\n");
}

int vb_cmd_key(int argc, char **argv) {
    vb_app a = {0};
    const char *file = NULL;
    const vb_opt own[] = {
        {0, "key", VB_OPT_STR, &file, "FILE",
         "the key file (default: server-key.pem in the data folder)", 0, 0, NULL},
    };
    vb_opt_table options = {.n = 0};
    vb_opt_add(&options, own, sizeof own / sizeof own[0]);
    vb_app_options(&a, VB_APP_OPT_JSON, &options);
    const vb_command_spec spec = {"key",
                                  "new|show [OPTIONS]",
                                  "new   makes a signing key (Ed25519) in a new file that only you "
                                  "may read; never overwrites one\n"
                                  "show  prints the public key, which `verify --key` and trust "
                                  "files name a server by\n"
                                  "\n"
                                  "The secret is never printed. Whoever has the file can sign in "
                                  "its owner's name.",
                                  &options,
                                  1,
                                  1};
    char **rest;
    size_t n_rest;
    if (argc == 1) {
        return vb_options_help(&spec);
    }
    int status = vb_options_parse(&spec, argc, argv, &rest, &n_rest);
    if (status >= 0) {
        return status;
    }
    char path[VB_PATH_BYTES_MAX];
    vb_ed25519_key *key = NULL;
    vb_error e = {VB_OK, ""};
    vb_err err = key_path(file, path, &e);
    if (!err && strcmp(rest[0], "new") == 0) {
        if (!(err = vb_ed25519_generate(&key, &e))) {
            err = vb_ed25519_save(key, path, &e);
        }
    } else if (!err && strcmp(rest[0], "show") == 0) {
        err = vb_ed25519_load(path, &key, &e);
    } else if (!err) {
        err = vb_fail(&e, VB_EINVAL, "%.40s: expected new or show", rest[0]);
    }
    if (!err) {
        print_key(&a, key, path);
    }
    vb_ed25519_close(key);
    return err ? vb_app_fail(&a, "key", err, &e) : VB_EXIT_OK;
}
