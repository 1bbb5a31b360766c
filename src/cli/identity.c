#include "cli/identity.h"

#include <stdio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "cli/app.h"

static vb_err path_in(const char *dir, char path[VB_PATH_BYTES_MAX], vb_error *e) {
    const int n = snprintf(path, VB_PATH_BYTES_MAX, "%s/server-key.pem", dir);
    return n < 0 || n >= (int)VB_PATH_BYTES_MAX
               ? vb_fail(e, VB_ELIMIT, "the data folder's path is too long")
               : VB_OK;
}

vb_err vb_identity_key_path(char path[VB_PATH_BYTES_MAX], vb_error *e) {
    char dir[VB_PATH_BYTES_MAX];
    vb_err err = vb_app_data_dir(dir, sizeof dir, e);
    return err ? err : path_in(dir, path, e);
}

/* A new key; that of another process when it made one first. */
static vb_err make_key(const char *path, vb_ed25519_key **out, bool quiet, vb_error *e) {
    vb_ed25519_key *key = NULL;
    vb_err err = vb_ed25519_generate(&key, e);
    if (err) {
        return err;
    }
    if ((err = vb_ed25519_save(key, path, e))) {
        vb_ed25519_close(key);
        return access(path, F_OK) == 0 ? vb_ed25519_load(path, out, e) : err;
    }
    if (!quiet) {
        uint8_t public_key[VB_ED25519_PUBLIC_BYTES];
        char hex[2 * VB_ED25519_PUBLIC_BYTES + 1];
        vb_ed25519_public(key, public_key);
        vb_hex_encode(public_key, sizeof public_key, hex);
        fprintf(stderr, "made a signing key in %s\nits public key is %s\n", path, hex);
    }
    *out = key;
    return VB_OK;
}

vb_err vb_identity_open(vb_identity *id, bool want_chain, bool quiet, vb_error *e) {
    char path[VB_PATH_BYTES_MAX];
    vb_err err = vb_app_data_dir(id->dir, sizeof id->dir, e);
    if (err || (err = path_in(id->dir, path, e))) {
        return err;
    }
    err = access(path, F_OK) == 0 ? vb_ed25519_load(path, &id->key, e)
                                  : make_key(path, &id->key, quiet, e);
    size_t n_lost = 0;
    if (!err) {
        err = vb_ledger_open(id->dir, id->key, &id->ledger, &n_lost, e);
    }
    if (!err && n_lost && !quiet) {
        fprintf(
            stderr,
            "%zu commitment%s of a program that ended before its answer: recorded in %s/aborts\n",
            n_lost, n_lost == 1 ? "" : "s", id->dir);
    }
    if (!err && want_chain) {
        err = vb_local_chain_open(id->dir, &id->chain, e);
    }
    return err;
}

void vb_identity_close(vb_identity *id) {
    vb_ledger_close(id->ledger);
    vb_ed25519_close(id->key);
    vb_local_chain_close(id->chain);
    id->ledger = NULL;
    id->key = NULL;
    id->chain = NULL;
}
