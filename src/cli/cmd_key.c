/* verbatim key: the Ed25519 key that signs receipts on this machine, and keys of accounts on
 * chains. Only their public halves are ever shown. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "chain/address.h"
#include "cli/app.h"
#include "cli/commands.h"
#include "cli/identity.h"
#include "crypto/ed25519.h"
#include "crypto/eth_key.h"

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

static void print_key(const vb_app *a, const char *what, const char *text, const char *path) {
    if (!a->json) {
        printf("%s\n", text);
        return;
    }
    printf("{\"%s\":\"%s\",\"file\":", what, text);
    vb_app_print_json_string(path, strlen(path));
    printf("}\n");
}

/* makes: a new key in a new file; else the one in the file is read. */
static vb_err signing_key(const vb_app *a, const char *path, bool makes, vb_error *e) {
    vb_ed25519_key *key = NULL;
    vb_err err = makes ? vb_ed25519_generate(&key, e) : vb_ed25519_load(path, &key, e);
    if (!err && makes) {
        err = vb_ed25519_save(key, path, e);
    }
    if (!err) {
        uint8_t public_key[VB_ED25519_PUBLIC_BYTES];
        char hex[2 * VB_ED25519_PUBLIC_BYTES + 1];
        vb_ed25519_public(key, public_key);
        vb_hex_encode(public_key, sizeof public_key, hex);
        print_key(a, "public_key", hex, path);
    }
    vb_ed25519_close(key);
    return err;
}

static vb_err account_key(const vb_app *a, const char *path, bool makes, vb_error *e) {
    vb_eth_key *key = NULL;
    vb_err err = makes ? vb_eth_key_generate(&key, e) : vb_eth_key_load(path, &key, e);
    if (!err && makes) {
        err = vb_eth_key_save(key, path, e);
    }
    if (!err) {
        uint8_t address[VB_ETH_ADDRESS_BYTES];
        char text[VB_CHAIN_ADDRESS_CHARS + 1];
        vb_eth_key_address(key, address);
        vb_chain_address_print(address, text);
        print_key(a, "address", text, path);
    }
    vb_eth_key_close(key);
    return err;
}

int vb_cmd_key(int argc, char **argv) {
    vb_app a = {0};
    const char *file = NULL;
    bool account = false;
    const vb_opt own[] = {
        {0, "account", VB_OPT_FLAG, &account, NULL,
         "an account's key on EVM chains (secp256k1) instead; needs --key", 0, 0, NULL},
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
                                  "With --account the key is one of an account on chains, and its "
                                  "address is printed.\n"
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
    vb_error e = {VB_OK, ""};
    const bool makes = strcmp(rest[0], "new") == 0;
    vb_err err = VB_OK;
    if (!makes && strcmp(rest[0], "show") != 0) {
        err = vb_fail(&e, VB_EINVAL, "%.40s: expected new or show", rest[0]);
    } else if (account && !file) {
        err = vb_fail(&e, VB_EINVAL, "--account: name the key's file with --key");
    }
    err = err ? err : key_path(file, path, &e);
    if (!err) {
        err = account ? account_key(&a, path, makes, &e) : signing_key(&a, path, makes, &e);
    }
    return err ? vb_app_fail(&a, "key", err, &e) : VB_EXIT_OK;
}
