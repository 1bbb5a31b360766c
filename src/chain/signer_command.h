/*
 * A key that is elsewhere (a hardware wallet, a signing service): a program signs. It is run once a
 * signature, without a shell, with the hash as its last argument: 64 lower-case hex digits. It
 * prints r, s and v, 130 hex digits, with or without 0x, and a line feed, and exits with 0. v is 0,
 * 1, 27 or 28. Its standard input is empty, its standard error is the caller's. It runs in a
 * process group of its own, which is killed when the time is over.
 *
 * What it prints is not trusted: the signature must be the account's.
 *
 * Owner: the caller's memory. Thread rule: one thread at a time.
 */
#ifndef VB_CHAIN_SIGNER_COMMAND_H
#define VB_CHAIN_SIGNER_COMMAND_H

#include "chain/send.h"

enum {
    VB_SIGNER_COMMAND_BYTES_MAX = 4096,
    VB_SIGNER_WORDS_MAX = 64,
    VB_SIGNER_TIMEOUT_MS = 120000
};

typedef struct vb_signer_command {
    uint8_t address[VB_ETH_ADDRESS_BYTES];
    uint32_t timeout_ms;
    bool (*keep_going)(void *user); /* NULL: always; false: VB_ECANCELLED */
    void *user;
    /* Made by vb_signer_command_parse. */
    char text[VB_SIGNER_COMMAND_BYTES_MAX];
    char *words[VB_SIGNER_WORDS_MAX]; /* in text */
    size_t n_words;
} vb_signer_command;

/* Splits as a shell splits words: at spaces and tabs; '...' is literal, in "..." and outside of
 * quotes a backslash takes the next character as it is. Nothing is expanded. VB_EINVAL: no word, a
 * quote that does not end. VB_ELIMIT: too long, too many words. */
VB_MUST_CHECK vb_err vb_signer_command_parse(const char *command, vb_signer_command *out,
                                             vb_error *e);

/* Borrows c. Its sign: VB_EIO (the program could not be run, failed, or took too long), VB_EFORMAT
 * (it printed something else), VB_EMISMATCH (a signature of another account), VB_ECANCELLED. */
vb_chain_signer vb_chain_signer_of_command(vb_signer_command *c);

#endif
