/* verbatim: picks the command. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cli/app.h"
#include "cli/commands.h"
#include "cli/progress.h"

static const struct {
    const char *name, *what;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", "answer one prompt, optionally with a receipt", vb_cmd_run},
    {"chat", "talk with a model", vb_cmd_chat},
    {"serve", "serve a model over HTTP, with OpenAI's API and receipts", vb_cmd_serve},
    {"verify", "check receipts and the records around them, and give a verdict", vb_cmd_verify},
    {"open", "show what one token of a receipt was drawn from, with proof", vb_cmd_open},
    {"key", "the key that signs receipts", vb_cmd_key},
    {"receipts", "what a server has answered, from its store", vb_cmd_receipts},
    {"log", "a server's transparency log: verify it, prove from it, mirror it", vb_cmd_log},
    {"publish", "put checkpoints, commitments and what is public of answers on a chain",
     vb_cmd_publish},
    {"attest", "verify a receipt and sign the verdict for contracts", vb_cmd_attest},
    {"confirm", "whether enough witnesses confirm a receipt on a chain", vb_cmd_confirm},
    {"beacon", "public randomness: fetch it, check it", vb_cmd_beacon},
    {"inspect", "metadata, tensors and memory of a model file", vb_cmd_inspect},
    {"tokenize", "text to token ids, and back", vb_cmd_tokenize},
    {"logits", "all logits of a prompt, as raw floats", vb_cmd_logits},
    {"hash", "the digest that receipts name a model by", vb_cmd_hash},
    {"bench", "speed of prefill and decode against the machine's limits", vb_cmd_bench},
    {"version", "version, arithmetic and instruction sets", vb_cmd_version},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void usage(FILE *to) {
    fprintf(
        to,
        "usage: verbatim COMMAND [OPTIONS]\n\n"
        "Runs language models so that every answer can be checked, bit for bit.\n\ncommands:\n");
    for (int i = 0; i < COMMANDS; i++) {
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].what);
    }
    fprintf(to, "\n'verbatim COMMAND --help' lists a command's options.\n");
}

/* A closed standard stream would lend its number to the next file that is opened, and output
 * would go into a receipt or a key. It is held open in the wrong direction, so that its use fails.
 */
static void hold_standard_streams(void) {
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            (void)open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
        }
    }
}

/* Output that could not be written is a failure, not a success nobody saw. */
static int finish(const char *command, int status) {
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == VB_EXIT_OK) {
        fprintf(stderr, "verbatim %s: writing to standard output failed\n", command);
        return VB_EXIT_FAILED;
    }
    return status;
}

int main(int argc, char **argv) {
    hold_standard_streams();
    vb_interrupt_install();
    if (argc < 2) {
        usage(stderr);
        return VB_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return finish("help", VB_EXIT_OK);
    }
    if (strcmp(argv[1], "--version") == 0) {
        argv[1][0] = 0;
        return finish("version", vb_cmd_version(1, argv + 1));
    }
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return finish(argv[1], commands[i].run(argc - 1, argv + 1));
        }
    }
    fprintf(stderr, "verbatim: there is no command '%s'\n", argv[1]);
    usage(stderr);
    return VB_EXIT_USAGE;
}
