/* verbatim chat: a conversation on the terminal, with line editing and history. */
#include <editline/readline.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/system.h"
#include "cli/beacon_options.h"
#include "cli/commands.h"
#include "cli/constraint_options.h"
#include "cli/identity.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/request.h"
#include "crypto/random.h"
#include "engine/answer.h"

enum { HISTORY_LINES = 1000, TURNS_MAX = 1024 };

typedef struct turn {
    const char *role;
    char *content;
    size_t n_bytes;
} turn;

typedef struct chat {
    vb_app a;
    vb_request_options q;
    vb_beacon_options b;
    vb_constraint_options c;
    const char *receipts_dir;
    vb_identity identity;
    uint8_t digest[VB_SHA256_BYTES];
    char history_path[VB_PATH_BYTES_MAX + 16];
    turn turns[TURNS_MAX];
    size_t n_turns;
    vb_session *session;
    vb_workspace *workspace;
    uint32_t *cached; /* tokens in the session, [capacity] */
    vb_progress bar;
    size_t prompt_tokens;
    vb_error *e; /* of the turn that is being answered */
} chat;

static vb_err on_text(void *user, const char *text, size_t n_bytes) {
    chat *x = user;
    vb_progress_end(&x->bar);
    return vb_app_stream_text(text, n_bytes, x->e);
}

static bool on_progress(void *user, size_t prompt_done, size_t tokens_done) {
    chat *x = user;
    if (tokens_done == 0) {
        return vb_progress_update(&x->bar, prompt_done, x->prompt_tokens);
    }
    return !vb_interrupted();
}

static void on_wait(void *user, const vb_receipt *r) {
    chat *x = user;
    vb_progress_end(&x->bar);
    if (!x->a.quiet && isatty(STDERR_FILENO)) {
        fprintf(stderr, "waiting for the round of %.80s\n", r->request.beacon_id);
    }
}

static vb_err add_turn(chat *x, const char *role, const char *content, size_t n_bytes,
                       vb_error *e) {
    if (x->n_turns == TURNS_MAX) {
        return vb_fail(e, VB_ELIMIT, "a conversation of more than %d messages: /reset starts anew",
                       TURNS_MAX);
    }
    char *copy = malloc(n_bytes + 1);
    if (!copy) {
        return vb_fail(e, VB_ENOMEM, "no memory for a message");
    }
    memcpy(copy, content, n_bytes);
    copy[n_bytes] = 0;
    x->turns[x->n_turns++] = (turn){role, copy, n_bytes};
    return VB_OK;
}

static void drop_turns(chat *x, size_t keep) {
    while (x->n_turns > keep) {
        free(x->turns[--x->n_turns].content);
    }
}

/* The request of this turn: all messages so far, sampling, context. */
static vb_err build(chat *x, vb_receipt *r, vb_error *e) {
    const char *beacon_id = x->b.source ? vb_source_id(x->b.source) : NULL;
    vb_err err = vb_request_fill(&x->q, &x->a, x->digest, beacon_id, r, e);
    err = err ? err : vb_constraint_fill(&x->c, &x->a, &r->request, e);
    for (size_t i = 0; i < x->n_turns && !err; i++) {
        err = vb_receipt_add_message(r, x->turns[i].role, x->turns[i].content, x->turns[i].n_bytes,
                                     e);
    }
    if (!err && !(err = vb_request_prompt_chat(&x->q, &x->a, r, e)) &&
        !(err = vb_request_context(&x->a, r, e)) &&
        r->request.ctx_tokens > vb_session_capacity(x->session)) {
        r->request.ctx_tokens = (uint32_t)vb_session_capacity(x->session);
        if (r->prompt.n_tokens >= r->request.ctx_tokens) {
            err = vb_fail(e, VB_ELIMIT,
                          "the conversation has %zu tokens, the context %u: /reset or --ctx",
                          r->prompt.n_tokens, r->request.ctx_tokens);
        }
    }
    return err;
}

/* Keeps of the cache what this prompt begins with. The last prompt token is always computed: its
 * logits are needed. */
static void reuse_prefix(chat *x, const vb_receipt *r) {
    size_t n = 0, have = vb_session_length(x->session);
    while (n < have && n + 1 < r->prompt.n_tokens && x->cached[n] == r->prompt.tokens[n]) {
        n++;
    }
    vb_session_truncate(x->session, n);
}

/* Which tokens the session now holds. An answer that was broken off has no record of its tokens, so
 * they leave the cache too. */
static void remember(chat *x, const vb_receipt *r) {
    const size_t n = r->prompt.n_tokens;
    if (!r->n_outputs && vb_session_length(x->session) > n) {
        vb_session_truncate(x->session, n);
    }
    const size_t have = vb_session_length(x->session);
    memcpy(x->cached, r->prompt.tokens, (have < n ? have : n) * sizeof *x->cached);
    for (size_t i = n; i < have; i++) {
        x->cached[i] = r->outputs[0].tokens[i - n];
    }
}

static vb_err receipt_path(const chat *x, const char *id, char path[VB_PATH_BYTES_MAX],
                           vb_error *e) {
    int n = snprintf(path, VB_PATH_BYTES_MAX, "%s/%s.json", x->receipts_dir, id);
    return n < 0 || n >= (int)VB_PATH_BYTES_MAX
               ? vb_fail(e, VB_ELIMIT, "--receipts: the path is too long")
               : VB_OK;
}

static vb_err write_receipt(const chat *x, const vb_receipt *r, vb_error *e) {
    char path[VB_PATH_BYTES_MAX];
    vb_err err = receipt_path(x, r->id, path, e);
    if (!err) {
        err = vb_output_write_receipt(path, r, e);
    }
    if (!err && !x->a.quiet) {
        fprintf(stderr, "receipt: %s\n", path);
    }
    return err;
}

static vb_err take_turn(chat *x, vb_error *e) {
    vb_receipt *r = malloc(sizeof *r);
    vb_generate_stats stats;
    if (!r) {
        return vb_fail(e, VB_ENOMEM, "no memory for a receipt");
    }
    vb_receipt_init(r);
    const bool seed_given = x->q.seed_given;
    vb_err err = VB_OK;
    if (!x->receipts_dir && !seed_given) {
        err = vb_random_bytes(&x->q.seed, sizeof x->q.seed, e);
        x->q.seed_given = true;
    }
    if (!err && !(err = build(x, r, e))) {
        reuse_prefix(x, r);
        x->prompt_tokens = r->prompt.n_tokens;
        x->e = e;
        vb_progress_begin(&x->bar, "prefill", "tokens", x->a.quiet);
        const vb_answer_options o = {
            .model = x->a.model,
            .tokenizer = x->a.tokenizer,
            .vocabulary = x->c.vocabulary,
            .workspace = x->workspace,
            .session = x->session,
            .batch_tokens = vb_app_batch(&x->a),
            .no_speculation = x->a.no_speculation,
            .key = x->identity.key,
            .ledger = x->identity.ledger,
            .chain = x->identity.chain,
            .source = x->b.source,
            .wait_ms = vb_beacon_wait_ms(&x->b),
            .on_wait = on_wait,
            .on_text = on_text,
            .on_progress = on_progress,
            .user = x,
        };
        err = vb_answer(&o, r, NULL, &stats, e);
        vb_progress_end(&x->bar);
        remember(x, r);
        printf("\n");
    }
    x->q.seed_given = seed_given;
    if (!err) {
        err = add_turn(x, "assistant", r->outputs[0].text.p, r->outputs[0].text.len, e);
    }
    if (!err && x->receipts_dir) {
        err = write_receipt(x, r, e);
    }
    vb_receipt_free(r);
    free(r);
    return err;
}

static vb_err start_over(chat *x, vb_error *e) {
    drop_turns(x, 0);
    return x->q.system ? add_turn(x, "system", x->q.system, strlen(x->q.system), e) : VB_OK;
}

static void print_commands(void) {
    printf("/reset   forget the conversation\n/quit    leave (also Ctrl-D)\n"
           "Ctrl-C ends an answer. Anything else is a message.\n");
}

/* One line of input; malloc'd, NULL at the end. Piped input is read plainly. */
static char *read_line(void) {
    if (isatty(STDIN_FILENO)) {
        return readline("> ");
    }
    char *line = NULL;
    size_t cap = 0;
    ssize_t n = getline(&line, &cap, stdin);
    if (n < 0) {
        free(line);
        return NULL;
    }
    if (n > 0 && line[n - 1] == '\n') {
        line[n - 1] = 0;
    }
    return line;
}

/* Errors of one turn are shown and the conversation goes on without that message. */
static vb_err converse(chat *x, vb_error *e) {
    vb_err err = start_over(x, e);
    bool quit = false;
    while (!err && !quit) {
        char *line = read_line();
        if (!line) {
            break;
        }
        if (strcmp(line, "/quit") == 0 || strcmp(line, "/exit") == 0) {
            quit = true;
        } else if (strcmp(line, "/reset") == 0) {
            err = start_over(x, e);
        } else if (strcmp(line, "/help") == 0) {
            print_commands();
        } else if (line[0]) {
            const size_t before = x->n_turns;
            vb_err failed;
            if (isatty(STDIN_FILENO)) {
                add_history(line);
            }
            vb_interrupt_reset();
            if ((failed = add_turn(x, "user", line, strlen(line), e)) ||
                (failed = take_turn(x, e))) {
                fprintf(stderr, "verbatim chat: %s\n", e->msg);
                drop_turns(x, before);
                err = failed == VB_EIO || vb_terminated() ? failed : VB_OK;
            }
        }
        free(line);
    }
    return err;
}

static vb_err prepare(chat *x, vb_error *e) {
    char path[VB_PATH_BYTES_MAX];
    vb_err err;
    if (x->receipts_dir && ((err = receipt_path(x, "receipt", path, e)) ||
                            (err = vb_output_check(path, "receipt", e)))) {
        return err;
    }
    if ((err = vb_constraint_read(&x->c, e)) || (err = vb_app_open(&x->a, true, e))) {
        return err;
    }
    const size_t limit = vb_model_get_config(x->a.model)->n_ctx_train;
    const size_t wanted = x->a.ctx ? (size_t)x->a.ctx : 4096, ctx = wanted < limit ? wanted : limit;
    if (x->receipts_dir &&
        ((err = vb_app_model_digest(&x->a, false, x->digest, e)) ||
         (err = vb_identity_open(&x->identity, !x->q.seed_given && !x->b.beacon, x->a.quiet, e)))) {
        return err;
    }
    if (x->b.beacon && !x->receipts_dir) {
        return vb_fail(e, VB_EINVAL, "--beacon is for receipts: give --receipts DIR");
    }
    if (x->b.beacon && ((err = vb_trust_open(&x->b, e)) || (err = vb_beacon_open(&x->b, e)))) {
        return err;
    }
    if (!(x->cached = malloc(ctx * sizeof *x->cached))) {
        return vb_fail(e, VB_ENOMEM, "no memory for %zu tokens", ctx);
    }
    if ((err = vb_session_open(x->a.model, ctx, &x->session, e))) {
        return err;
    }
    return vb_workspace_open(x->a.model, vb_app_batch(&x->a), ctx, vb_app_threads(&x->a),
                             &x->workspace, e);
}

static void open_history(chat *x) {
    char dir[VB_PATH_BYTES_MAX];
    if (isatty(STDIN_FILENO)) {
        rl_initialize();
        stifle_history(HISTORY_LINES);
        if (vb_app_data_dir(dir, sizeof dir, NULL) == VB_OK) {
            snprintf(x->history_path, sizeof x->history_path, "%s/history", dir);
            read_history(x->history_path);
        }
    }
}

static void close_all(chat *x) {
    if (x->history_path[0]) {
        const mode_t mask = umask(0077);
        write_history(x->history_path);
        umask(mask);
    }
    drop_turns(x, 0);
    free(x->cached);
    vb_workspace_close(x->workspace);
    vb_session_close(x->session);
    vb_identity_close(&x->identity);
    vb_beacon_close(&x->b);
    vb_constraint_close(&x->c);
    vb_app_close(&x->a);
}

int vb_cmd_chat(int argc, char **argv) {
    chat *x = calloc(1, sizeof *x);
    if (!x) {
        fprintf(stderr, "verbatim chat: no memory\n");
        return VB_EXIT_LIMIT;
    }
    x->q = (vb_request_options)VB_REQUEST_DEFAULTS;
    const vb_opt own[] = {
        {0, "receipts", VB_OPT_STR, &x->receipts_dir, "DIR",
         "write a signed receipt of every answer there", 0, 0, NULL},
    };
    vb_opt_table options = {.n = 0};
    vb_opt_add(&options, own, sizeof own / sizeof own[0]);
    vb_request_options_add(&x->q, &options);
    vb_constraint_options_add(&x->c, &options);
    vb_beacon_options_add(&x->b, &options);
    vb_trust_option_add(&x->b, &options);
    vb_app_options(&x->a,
                   VB_APP_OPT_MODEL | VB_APP_OPT_CTX | VB_APP_OPT_RUN | VB_APP_OPT_SPECULATION |
                       VB_APP_OPT_QUIET,
                   &options);
    const vb_command_spec spec = {"chat",
                                  "-m FILE [OPTIONS]",
                                  "A conversation through the model's own chat template. /help "
                                  "lists what else can be typed.\n"
                                  "Context by default: 4096 tokens, or the model's limit.",
                                  &options,
                                  0,
                                  0};
    char **rest;
    size_t n_rest;
    int status = vb_options_parse(&spec, argc, argv, &rest, &n_rest);
    if (status < 0) {
        vb_error e = {VB_OK, ""};
        vb_err err = prepare(x, &e);
        if (!err) {
            open_history(x);
            if (isatty(STDIN_FILENO) && !x->a.quiet) {
                print_commands();
            }
            err = converse(x, &e);
        }
        status = err ? vb_app_fail(&x->a, "chat", err, &e) : VB_EXIT_OK;
        close_all(x);
    }
    free(x);
    return status;
}
