/*
 * The server's two files, from hostile bytes: reading never crashes, an error has a sentence, and
 * settings that were read can be written and read again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "server/clients.h"
#include "server/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

static void read_settings(const uint8_t *data, size_t size) {
    vb_server_config c, again;
    vb_error e = {VB_OK, ""};
    require(vb_server_config_begin(&c, &e) == VB_OK && vb_server_config_begin(&again, &e) == VB_OK);
    const vb_err err = vb_server_config_read(&c, data, size, &e);
    require(!err || e.msg[0]);
    vb_buf text = vb_buf_make(VB_SERVER_CONFIG_BYTES_MAX);
    if (!err && vb_server_config_write(&c, &text, &e) == VB_OK &&
        text.len < VB_SERVER_CONFIG_BYTES_MAX) {
        require(vb_server_config_read(&again, text.data, text.len, &e) == VB_OK);
        require(again.port == c.port && again.cors_origins.n == c.cors_origins.n);
    }
    vb_buf_free(&text);
    vb_server_config_free(&c);
    vb_server_config_free(&again);
}

static void read_keys(const uint8_t *data, size_t size) {
    const vb_client_limits defaults = {1, 1};
    vb_clients *c = NULL;
    vb_error e = {VB_OK, ""};
    const vb_err err = vb_clients_open(data, size, &defaults, &c, &e);
    require(!err == (c != NULL) && (!err || e.msg[0]));
    if (c) {
        vb_client *client;
        uint32_t wait;
        require(vb_clients_admit(c, "Bearer x", 0, &client, &wait) == VB_NOT_ADMITTED_KEY);
    }
    vb_clients_close(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    read_settings(data, size);
    read_keys(data, size);
    return 0;
}
