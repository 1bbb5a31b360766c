#include "chain/signer_command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/system.h"

enum {
    HASH_CHARS = 2 * VB_SECP256K1_HASH_BYTES,
    SIGNATURE_CHARS = 2 * VB_SECP256K1_SIGNATURE_BYTES,
    OUTPUT_BYTES_MAX = 256,
    SLICE_MS = 50, /* between two looks at keep_going */
    ETHEREUM_V = 27
};

/* One word from *from, written to *to: they may be the same text, words only get shorter. */
static vb_err take_word(const char **from, char **to, vb_error *e) {
    char quote = 0;
    const char *p = *from;
    char *out = *to;
    for (; *p && (quote || (*p != ' ' && *p != '\t')); p++) {
        if (quote ? *p == quote : *p == '\'' || *p == '"') {
            quote = quote ? 0 : *p;
        } else {
            p += *p == '\\' && quote != '\'' && p[1];
            *out++ = *p;
        }
    }
    if (quote) {
        return vb_fail(e, VB_EINVAL, "the signer's command: a quote (%c) does not end", quote);
    }
    *from = p + (*p != 0);
    *out++ = 0;
    *to = out;
    return VB_OK;
}

vb_err vb_signer_command_parse(const char *command, vb_signer_command *out, vb_error *e) {
    if (strlen(command) >= sizeof out->text) {
        return vb_fail(e, VB_ELIMIT, "the signer's command has more than %zu bytes",
                       sizeof out->text - 1);
    }
    const char *from = command;
    char *to = out->text;
    out->n_words = 0;
    while (*(from += strspn(from, " \t"))) {
        /* The last two are the hash and the end of the list. */
        if (out->n_words + 2 == VB_SIGNER_WORDS_MAX) {
            return vb_fail(e, VB_ELIMIT, "the signer's command has more than %d words",
                           VB_SIGNER_WORDS_MAX - 2);
        }
        out->words[out->n_words++] = to;
        vb_err err = take_word(&from, &to, e);
        if (err) {
            return err;
        }
    }
    return out->n_words ? VB_OK : vb_fail(e, VB_EINVAL, "the signer's command is empty");
}

/* The program with its standard output into the pipe; *read_end is the other end. */
static vb_err start(const vb_signer_command *c, char *const *argv, pid_t *pid, int *read_end,
                    vb_error *e) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return vb_fail(e, VB_EIO, "no pipe for the signer: %s", strerror(errno));
    }
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    int failed = posix_spawn_file_actions_init(&actions);
    VB_ASSERT(!failed && !posix_spawnattr_init(&attributes));
    failed = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    failed = failed ? failed : posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    failed = failed ? failed : posix_spawnattr_setpgroup(&attributes, 0);
    failed = failed ? failed : posix_spawnattr_setsigdefault(&attributes, &defaults);
    failed = failed ? failed
                    : posix_spawnattr_setflags(&attributes,
                                               POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    failed = failed ? failed : posix_spawnp(pid, argv[0], &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(ends[1]);
    if (failed) {
        close(ends[0]);
        return vb_fail(e, VB_EIO, "the signer %s cannot be run: %s", c->words[0], strerror(failed));
    }
    *read_end = ends[0];
    return VB_OK;
}

/* Time and the caller's patience. */
static vb_err may_go_on(const vb_signer_command *c, uint64_t until_ns, vb_error *e) {
    if (c->keep_going && !c->keep_going(c->user)) {
        return vb_fail(e, VB_ECANCELLED, "stopped while the signer %s ran", c->words[0]);
    }
    return vb_clock_ns() < until_ns ? VB_OK
                                    : vb_fail(e, VB_EIO, "the signer %s took more than %u ms",
                                              c->words[0], (unsigned)c->timeout_ms);
}

/* All that it prints, until it closes its output. */
static vb_err read_output(const vb_signer_command *c, int fd, uint64_t until_ns,
                          char out[OUTPUT_BYTES_MAX], size_t *n, vb_error *e) {
    for (*n = 0;;) {
        vb_err err = may_go_on(c, until_ns, e);
        if (err) {
            return err;
        }
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, SLICE_MS) <= 0) {
            continue;
        }
        const ssize_t got = read(fd, out + *n, OUTPUT_BYTES_MAX - *n);
        if (got == 0) {
            return VB_OK;
        }
        if (got < 0 && errno != EINTR) {
            return vb_fail(e, VB_EIO, "the signer's output: %s", strerror(errno));
        }
        *n += got > 0 ? (size_t)got : 0;
        if (*n == OUTPUT_BYTES_MAX) {
            return vb_fail(e, VB_EFORMAT, "the signer %s prints %d bytes or more, expected %d",
                           c->words[0], OUTPUT_BYTES_MAX, SIGNATURE_CHARS + 1);
        }
    }
}

/* Its end, which may come after that of its output. */
static vb_err await_end(const vb_signer_command *c, pid_t pid, uint64_t until_ns, bool *ended,
                        vb_error *e) {
    for (int status;;) {
        const pid_t done = waitpid(pid, &status, WNOHANG);
        if (done == pid) {
            *ended = true;
            if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
                return VB_OK;
            }
            return WIFEXITED(status) ? vb_fail(e, VB_EIO, "the signer %s failed with status %d",
                                               c->words[0], WEXITSTATUS(status))
                                     : vb_fail(e, VB_EIO, "the signer %s was ended by signal %d",
                                               c->words[0], WTERMSIG(status));
        }
        vb_err err = may_go_on(c, until_ns, e);
        if (err) {
            return err;
        }
        poll(NULL, 0, SLICE_MS);
    }
}

static vb_err parse_signature(const vb_signer_command *c, const char *text, size_t n,
                              uint8_t out[VB_SECP256K1_SIGNATURE_BYTES], vb_error *e) {
    char hex[SIGNATURE_CHARS + 1];
    const char *from = text;
    n -= n && text[n - 1] == '\n';
    if (n >= 2 && memcmp(text, "0x", 2) == 0) {
        from += 2;
        n -= 2;
    }
    uint8_t signature[VB_SECP256K1_SIGNATURE_BYTES], *v = &signature[sizeof signature - 1];
    bool fine = n == SIGNATURE_CHARS;
    if (fine) {
        memcpy(hex, from, n);
        hex[n] = 0;
        fine = vb_hex_decode(hex, signature, sizeof signature);
    }
    if (fine && *v >= ETHEREUM_V) {
        *v -= ETHEREUM_V;
    }
    if (!fine || *v > 1) {
        return vb_fail(e, VB_EFORMAT,
                       "the signer %s printed no signature: expected one line of %d lower-case hex "
                       "digits, r, s and v, and v 0, 1, 27 or 28",
                       c->words[0], SIGNATURE_CHARS);
    }
    memcpy(out, signature, sizeof signature);
    return VB_OK;
}

/* Runs it to its end: whatever happens, nothing of it is left. */
static vb_err run(const vb_signer_command *c, char *const *argv, char output[OUTPUT_BYTES_MAX],
                  size_t *n, vb_error *e) {
    const uint64_t until_ns = vb_clock_ns() + UINT64_C(1000000) * c->timeout_ms;
    pid_t pid = 0;
    int fd = -1;
    vb_err err = start(c, argv, &pid, &fd, e);
    if (err) {
        return err;
    }
    bool ended = false;
    err = read_output(c, fd, until_ns, output, n, e);
    err = err ? err : await_end(c, pid, until_ns, &ended, e);
    close(fd);
    if (!ended) {
        kill(-pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    return err;
}

/* The chains take a signature in one of its two forms alone: the one with the lower s. */
static bool is_low(const uint8_t s[32]) {
    static const uint8_t half_order[32] = {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                           0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                           0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d,
                                           0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0};
    return memcmp(s, half_order, sizeof half_order) <= 0;
}

static vb_err sign(void *user, const uint8_t hash[VB_SECP256K1_HASH_BYTES],
                   uint8_t signature[VB_SECP256K1_SIGNATURE_BYTES], vb_error *e) {
    const vb_signer_command *c = user;
    char hex[HASH_CHARS + 1], output[OUTPUT_BYTES_MAX], *argv[VB_SIGNER_WORDS_MAX];
    uint8_t made[VB_SECP256K1_SIGNATURE_BYTES], address[VB_ETH_ADDRESS_BYTES];
    size_t n;
    vb_hex_encode(hash, VB_SECP256K1_HASH_BYTES, hex);
    memcpy(argv, c->words, c->n_words * sizeof argv[0]);
    argv[c->n_words] = hex;
    argv[c->n_words + 1] = NULL;
    vb_err err = run(c, argv, output, &n, e);
    err = err ? err : parse_signature(c, output, n, made, e);
    if (err) {
        return err;
    }
    if (vb_secp256k1_recover(hash, made, address, e) ||
        memcmp(address, c->address, sizeof address) != 0) {
        return vb_fail(e, VB_EMISMATCH,
                       "the signer %s gave a signature that is not the account's of this hash",
                       c->words[0]);
    }
    if (!is_low(made + 32)) {
        return vb_fail(e, VB_EFORMAT,
                       "the signer %s gave the form of a signature with the higher s, which "
                       "chains refuse (EIP-2)",
                       c->words[0]);
    }
    memcpy(signature, made, sizeof made);
    return VB_OK;
}

vb_chain_signer vb_chain_signer_of_command(vb_signer_command *c) {
    vb_chain_signer s = {.sign = sign, .user = c};
    memcpy(s.address, c->address, sizeof s.address);
    c->timeout_ms = c->timeout_ms ? c->timeout_ms : VB_SIGNER_TIMEOUT_MS;
    return s;
}
