/*
 * Writes the log of a server, also of one that breaks rules: nothing but the form of the folder is
 * looked at. Prints the log's key, and with -w the witness's.
 *
 *   write_log [OPTIONS] FOLDER COUNT [ITEM...]
 *     -k KEY       the signing key's file; without: a key that is always the same
 *     -s SECONDS   settle_within_s (default 60)
 *     -w MS        cosigned at this time by a witness, whose key is always the same
 *   COUNT entries as tests/support/made_entries.h makes them, then each ITEM:
 *     commitment:N:V receipt:N:V abort:N:V   variant V of an entry of number N
 *     committed:FILE record:FILE             of a record: its commitment, itself
 *     text:TEXT                              any bytes
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../support/made_entries.h"
#include "tlog/folder.h"
#include "tlog/record.h"

enum { WITNESS_SEED = 99 };

static void must(vb_err err, const vb_error *e) {
    if (err) {
        fprintf(stderr, "write_log: %s\n", e->msg);
        exit(1);
    }
}

static void read_file(const char *path, vb_buf *out) {
    char chunk[4096];
    FILE *f = fopen(path, "rb");
    if (!f) {
        fprintf(stderr, "write_log: cannot read %s\n", path);
        exit(1);
    }
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;) {
        VB_ASSERT(vb_buf_append(out, chunk, n) == VB_OK);
    }
    fclose(f);
}

static void of_record(const char *path, bool committed, vb_buf *out) {
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_tlog_record *r;
    vb_tlog_entry x;
    vb_error e = {VB_OK, ""};
    read_file(path, &bytes);
    must(vb_tlog_record_open(bytes.data, bytes.len, &r, &e), &e);
    must(vb_tlog_record_entry(r, &x, &e), &e);
    if (committed) {
        vb_tlog_entry_of_commitment(vb_tlog_record_committed(r), &x);
    }
    must(vb_tlog_entry_encode(&x, out, &e), &e);
    vb_tlog_record_close(r);
    vb_buf_free(&bytes);
}

static void make_item(const vb_ed25519_key *key, const char *item, vb_buf *out) {
    char kind[16];
    uint64_t number;
    unsigned variant;
    *out = vb_buf_make(1 << 16);
    if (strncmp(item, "text:", 5) == 0) {
        VB_ASSERT(vb_buf_append(out, item + 5, strlen(item + 5)) == VB_OK);
    } else if (strncmp(item, "record:", 7) == 0) {
        of_record(item + 7, false, out);
    } else if (strncmp(item, "committed:", 10) == 0) {
        of_record(item + 10, true, out);
    } else if (sscanf(item, "%15[a-z]:%" SCNu64 ":%u", kind, &number, &variant) == 3) {
        made_entry(key,
                   kind[0] == 'c'   ? VB_TLOG_COMMITMENT
                   : kind[0] == 'r' ? VB_TLOG_RECEIPT
                                    : VB_TLOG_ABORT,
                   number, variant, out);
    } else {
        fprintf(stderr, "write_log: no item: %s\n", item);
        exit(2);
    }
}

static void print_key(const vb_tlog_key *key) {
    char text[VB_TLOG_VKEY_BYTES_MAX + 1];
    vb_tlog_key_print(key, text);
    printf("%s\n", text);
}

static void make_key(const vb_ed25519_key *key, const char *name, vb_tlog_signer type,
                     vb_tlog_key *out) {
    uint8_t public_key[VB_ED25519_PUBLIC_BYTES];
    vb_error e = {VB_OK, ""};
    vb_ed25519_public(key, public_key);
    must(vb_tlog_key_make(name, type, public_key, out, &e), &e);
    print_key(out);
}

static void commit(vb_tlog_folder *f, const vb_ed25519_key *key, uint64_t cosigned_at_ms) {
    vb_tlog_checkpoint head;
    vb_error e = {VB_OK, ""};
    vb_buf note = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    vb_tlog_folder_head(f, &head);
    must(vb_tlog_checkpoint_sign(&head, key, &note, &e), &e);
    if (cosigned_at_ms) {
        static const char name[] = "witness.example/w";
        vb_ed25519_key *witness = made_key(WITNESS_SEED);
        vb_tlog_key ignored;
        make_key(witness, name, VB_TLOG_SIGNER_WITNESS, &ignored);
        must(vb_tlog_cosign(&head, name, witness, cosigned_at_ms / 1000, &note, &e), &e);
        vb_ed25519_close(witness);
    }
    must(vb_tlog_folder_commit(f, note.data, note.len, &e), &e);
    vb_buf_free(&note);
}

int main(int argc, char **argv) {
    vb_tlog_info info = {.publish_within_s = 60, .settle_within_s = 60};
    const vb_tlog_folder_options options = {.info = &info, .mirror = true};
    vb_ed25519_key *key = NULL;
    vb_tlog_folder *f;
    vb_error e = {VB_OK, ""};
    uint64_t cosigned_at_ms = 0;
    for (int c; (c = getopt(argc, argv, "k:s:w:")) != -1;) {
        if (c == 'k') {
            must(vb_ed25519_load(optarg, &key, &e), &e);
        } else if (c == 's') {
            info.settle_within_s = (uint32_t)strtoul(optarg, NULL, 10);
        } else if (c == 'w') {
            cosigned_at_ms = strtoull(optarg, NULL, 10);
        } else {
            return 2;
        }
    }
    if (argc - optind < 2) {
        fprintf(stderr, "write_log: expected FOLDER COUNT [ITEM...]\n");
        return 2;
    }
    key = key ? key : made_key(1);
    make_key(key, MADE_ORIGIN, VB_TLOG_SIGNER_LOG, &info.key);
    must(vb_tlog_folder_open(argv[optind], &options, &f, &e), &e);
    const uint64_t count = strtoull(argv[optind + 1], NULL, 10);
    for (uint64_t i = vb_tlog_folder_checkpoint(f)->size; i < count; i++) {
        vb_buf entry;
        made_index(key, i, &entry);
        must(vb_tlog_folder_append(f, entry.data, entry.len, &e), &e);
        vb_buf_free(&entry);
    }
    for (int i = optind + 2; i < argc; i++) {
        vb_buf entry;
        make_item(key, argv[i], &entry);
        must(vb_tlog_folder_append(f, entry.data, entry.len, &e), &e);
        vb_buf_free(&entry);
    }
    commit(f, key, cosigned_at_ms);
    vb_tlog_folder_close(f);
    vb_ed25519_close(key);
    return 0;
}
