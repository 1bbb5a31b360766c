/* tests/support/beacon_server.py as a child: it ends when its standard input does, with this
 * process at the latest. */
#ifndef VB_TESTS_UNIT_FETCH_SERVER_H
#define VB_TESTS_UNIT_FETCH_SERVER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/testing.h"

typedef struct server {
    pid_t pid;
    int in; /* to its standard input */
    unsigned port;
} server;

/* Starts it with up to five further arguments, ended by NULL. */
static void server_start(server *s, const char *const *more) {
    int in[2], out[2];
    char line[64] = "";
    char *argv[8] = {(char[]){"/usr/bin/python3"}, NULL};
    static char script[4096];
    snprintf(script, sizeof script, "%s", vb_test_source("tests/support/beacon_server.py"));
    argv[1] = script;
    for (int i = 0; i < 5 && more && more[i]; i++) {
        argv[2 + i] = strdup(more[i]);
        assert_non_null(argv[2 + i]);
    }
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        for (int i = 0; i < 2; i++) {
            close(in[i]);
            close(out[i]);
        }
        execv(argv[0], argv);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    for (int i = 2; i < 8; i++) {
        free(argv[i]);
        argv[i < 7 ? i : 7] = NULL;
    }
    s->in = in[1];
    for (size_t n = 0; n < sizeof line - 1 && !strchr(line, '\n'); n++) {
        if (read(out[0], line + n, 1) != 1) {
            fail_msg("the server did not start");
        }
    }
    close(out[0]);
    assert_int_equal(sscanf(line, "port %u", &s->port), 1);
}

static void server_stop(server *s) {
    int status;
    close(s->in);
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    assert_int_equal(status, 0);
}

#endif
