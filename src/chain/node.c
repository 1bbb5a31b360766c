#include "chain/node.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/abi.h"
#include "json/json.h"

enum { REQUEST_BYTES = 4 << 20, QUANTITY_DIGITS = 16, SELECTOR_DIGITS = 2 * VB_ABI_SELECTOR_BYTES };

/* What the contracts revert with. */
static const char *const contract_errors[] = {
    "EmptyKey()",
    "EmptyName()",
    "EmptyOrigin()",
    "EmptyTree()",
    "NotLarger(uint64,uint64)",
    "PathNotEmpty()",
    "Inconsistent()",
    "UnknownCheckpoint(bytes32,uint64)",
    "NothingGiven()",
    "EmptyCommitment()",
    "EmptyRecord()",
    "UnknownOutcome(uint8)",
    "UnknownLevel(uint8)",
    "SignatureLength(uint256)",
    "SignatureMalleable()",
    "SignatureInvalid()",
    "LengthsDiffer()",
    "PanelSize(uint256)",
    "PanelOrder(uint256)",
    "UnknownPanel(bytes32)",
    "EmptyQuorum()",
    "RecordMissing()",
    "ResultMismatch(bytes32,bytes32)",
    "NotConfirmed()",
    "AlreadyPaid(uint256)",
    "NotTheProposer()",
    "OtherCommitment()",
    "OtherModel()",
    "OtherAnswer()",
    "CommittedTooLate(uint64,uint64)",
    "PaymentFailed()",
    "AlreadyAccepted()",
};

/* Name of the error whose data (hex) a node gives; NULL: none of ours. */
static const char *error_name(const char *data) {
    if (!data || strncmp(data, "0x", 2) != 0 || strlen(data) < 2 + SELECTOR_DIGITS) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof contract_errors / sizeof contract_errors[0]; i++) {
        uint8_t hash[VB_KECCAK256_BYTES];
        char hex[SELECTOR_DIGITS + 1];
        vb_keccak256(contract_errors[i], strlen(contract_errors[i]), hash);
        vb_hex_encode(hash, VB_ABI_SELECTOR_BYTES, hex);
        if (strncmp(data + 2, hex, SELECTOR_DIGITS) == 0) {
            return contract_errors[i];
        }
    }
    return NULL;
}

/* The answer of a node, whole; out is to be json_decref'd. */
static vb_err ask(const vb_chain_node *n, const char *method, const char *params, json_t **out,
                  vb_error *e) {
    vb_buf request = vb_buf_make(REQUEST_BYTES), body = vb_buf_make(VB_CHAIN_ANSWER_BYTES_MAX);
    vb_err err =
        vb_buf_printf(&request, "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":[%s]}",
                      method, params);
    if (err) {
        vb_fail(e, err, "%s: the request takes more than %d bytes", method, REQUEST_BYTES);
    } else {
        err = n->post(n->user, (const char *)request.data, &body, e);
    }
    if (!err) {
        err = vb_json_parse_foreign(body.data ? body.data : (const uint8_t *)"", body.len,
                                    VB_CHAIN_ANSWER_BYTES_MAX, out, e);
    }
    vb_buf_free(&request);
    vb_buf_free(&body);
    if (!err && !json_is_object(*out)) {
        json_decref(*out);
        err = vb_fail(e, VB_EFORMAT, "%s: the node's answer is no object", method);
    }
    return err;
}

/* What the node has to say instead of a result: VB_OK when there is a result. */
static vb_err refused(const json_t *answer, const char *method, vb_error *e) {
    const json_t *error = json_object_get(answer, "error");
    if (!error || json_is_null(error)) {
        return json_object_get(answer, "result")
                   ? VB_OK
                   : vb_fail(e, VB_EFORMAT, "%s: an answer with neither result nor error", method);
    }
    const char *text = json_string_value(json_object_get(error, "message"));
    const json_t *data = json_object_get(error, "data");
    /* Some nodes wrap the data once more. */
    data = json_is_object(data) ? json_object_get(data, "data") : data;
    const char *name = error_name(json_string_value(data));
    if (name) {
        return vb_fail(e, VB_EMISMATCH, "the contract refuses: %.*s", (int)strcspn(name, "("),
                       name);
    }
    if (text && strstr(text, "revert")) {
        return vb_fail(e, VB_EMISMATCH, "the contract refuses: %.200s", text);
    }
    return vb_fail(e, VB_EIO, "%s: the node's error %" JSON_INTEGER_FORMAT ": %.200s", method,
                   json_integer_value(json_object_get(error, "code")),
                   text ? text : "without a message");
}

/* "0x" and 1 to 16 hex digits, no leading zero. */
static vb_err quantity(const json_t *value, const char *what, uint64_t *out, vb_error *e) {
    const char *text = json_string_value(value);
    const size_t n = text ? strlen(text) : 0;
    if (n < 3 || n > 2 + QUANTITY_DIGITS || strncmp(text, "0x", 2) != 0 ||
        strspn(text + 2, "0123456789abcdefABCDEF") != n - 2) {
        return vb_fail(e, VB_EFORMAT, "%s: expected a quantity of at most 64 bits, found %.40s",
                       what, text ? text : "no string");
    }
    *out = strtoull(text + 2, NULL, 16);
    return VB_OK;
}

/* Hex bytes of a fixed number after "0x", of either case. */
static vb_err fixed(const json_t *value, const char *what, uint8_t *out, size_t n, vb_error *e) {
    const char *text = json_string_value(value);
    char lower[2 * VB_KECCAK256_BYTES + 1];
    if (!text || strlen(text) != 2 + 2 * n || strncmp(text, "0x", 2) != 0) {
        return vb_fail(e, VB_EFORMAT, "%s: expected 0x and %zu hex digits, found %.80s", what,
                       2 * n, text ? text : "no string");
    }
    for (size_t i = 0; i < 2 * n + 1; i++) {
        const char c = text[2 + i];
        lower[i] = c >= 'A' && c <= 'F' ? (char)(c + 'a' - 'A') : c;
    }
    return vb_hex_decode(lower, out, n)
               ? VB_OK
               : vb_fail(e, VB_EFORMAT, "%s: %.80s is not hexadecimal", what, text);
}

static vb_err ask_quantity(const vb_chain_node *n, const char *method, const char *params,
                           uint64_t *out, vb_error *e) {
    json_t *answer = NULL;
    vb_err err = ask(n, method, params, &answer, e);
    if (err) {
        return err;
    }
    err = refused(answer, method, e);
    err = err ? err : quantity(json_object_get(answer, "result"), method, out, e);
    json_decref(answer);
    return err;
}

vb_err vb_chain_node_id(const vb_chain_node *n, uint64_t *chain_id, vb_error *e) {
    return ask_quantity(n, "eth_chainId", "", chain_id, e);
}

vb_err vb_chain_node_height(const vb_chain_node *n, uint64_t *height, vb_error *e) {
    return ask_quantity(n, "eth_blockNumber", "", height, e);
}

vb_err vb_chain_node_nonce(const vb_chain_node *n, const uint8_t account[VB_ETH_ADDRESS_BYTES],
                           bool pending, uint64_t *nonce, vb_error *e) {
    char hex[2 * VB_ETH_ADDRESS_BYTES + 1], params[80];
    vb_hex_encode(account, VB_ETH_ADDRESS_BYTES, hex);
    snprintf(params, sizeof params, "\"0x%s\",\"%s\"", hex, pending ? "pending" : "latest");
    return ask_quantity(n, "eth_getTransactionCount", params, nonce, e);
}

vb_err vb_chain_node_prices(const vb_chain_node *n, vb_chain_prices *out, vb_error *e) {
    static const char method[] = "eth_getBlockByNumber";
    *out = (vb_chain_prices){.has_1559 = false};
    json_t *answer = NULL;
    vb_err err = ask(n, method, "\"latest\",false", &answer, e);
    if (err) {
        return err;
    }
    err = refused(answer, method, e);
    const json_t *block = json_object_get(answer, "result"),
                 *base = json_object_get(block, "baseFeePerGas");
    if (!err && !json_is_object(block)) {
        err = vb_fail(e, VB_EFORMAT, "%s: the newest block is no object", method);
    }
    if (!err && base && !json_is_null(base)) {
        out->has_1559 = true;
        err = quantity(base, "baseFeePerGas", &out->base_fee, e);
    }
    json_decref(answer);
    err = err ? err : ask_quantity(n, "eth_gasPrice", "", &out->gas_price, e);
    if (!err && out->has_1559 && ask_quantity(n, "eth_maxPriorityFeePerGas", "", &out->tip, NULL)) {
        /* Not every node has the method; its price is base fee and tip together. */
        out->tip = out->gas_price > out->base_fee ? out->gas_price - out->base_fee : 0;
    }
    return err;
}

/* {"from":..,"to":..,"value":..,"data":..} */
static vb_err append_call(vb_buf *out, const uint8_t *from, const vb_chain_tx *tx) {
    char hex[2 * VB_CHAIN_VALUE_BYTES + 1];
    vb_err err = vb_buf_printf(out, "{");
    if (from) {
        vb_hex_encode(from, VB_ETH_ADDRESS_BYTES, hex);
        err = err ? err : vb_buf_printf(out, "\"from\":\"0x%s\",", hex);
    }
    if (!tx->creates) {
        vb_hex_encode(tx->to, sizeof tx->to, hex);
        err = err ? err : vb_buf_printf(out, "\"to\":\"0x%s\",", hex);
    }
    vb_hex_encode(tx->value, sizeof tx->value, hex);
    const size_t zeros = strspn(hex, "0"), digits = strlen(hex);
    err = err ? err
              : vb_buf_printf(out, "\"value\":\"0x%s\",\"data\":\"0x",
                              zeros == digits ? "0" : hex + zeros);
    for (size_t i = 0; i < tx->n_data && !err; i++) {
        err = vb_buf_printf(out, "%02x", tx->data[i]);
    }
    return err ? err : vb_buf_printf(out, "\"}");
}

vb_err vb_chain_node_estimate(const vb_chain_node *n, const uint8_t from[VB_ETH_ADDRESS_BYTES],
                              const vb_chain_tx *tx, uint64_t *gas, vb_error *e) {
    vb_buf params = vb_buf_make(REQUEST_BYTES);
    vb_err err = append_call(&params, from, tx);
    err = err ? vb_fail(e, err, "a transaction of %zu bytes is too large", tx->n_data)
              : ask_quantity(n, "eth_estimateGas", (const char *)params.data, gas, e);
    vb_buf_free(&params);
    return err;
}

/* The bytes of a hex string of any length, appended to out. */
static vb_err append_bytes(const json_t *value, const char *what, vb_buf *out, vb_error *e) {
    const char *text = json_string_value(value);
    const size_t n = text ? strlen(text) : 0;
    if (n < 2 || n % 2 || strncmp(text, "0x", 2) != 0) {
        return vb_fail(e, VB_EFORMAT, "%s: expected 0x and bytes in hexadecimal", what);
    }
    for (size_t i = 2; i < n; i += 2) {
        const char two[3] = {text[i], text[i + 1], 0};
        char *end;
        const uint8_t byte = (uint8_t)strtoul(two, &end, 16);
        if (*end || strspn(two, "0123456789abcdefABCDEF") != 2) {
            return vb_fail(e, VB_EFORMAT, "%s: expected hexadecimal at digit %zu", what, i);
        }
        vb_err err = vb_buf_append(out, &byte, 1);
        if (err) {
            return vb_fail(e, err, "%s: more than %zu bytes", what, out->max);
        }
    }
    return VB_OK;
}

vb_err vb_chain_node_call(const vb_chain_node *n, const uint8_t to[VB_ETH_ADDRESS_BYTES],
                          const vb_buf *data, vb_buf *result, vb_error *e) {
    static const char method[] = "eth_call";
    vb_chain_tx tx = {.data = data->data, .n_data = data->len};
    memcpy(tx.to, to, sizeof tx.to);
    vb_buf params = vb_buf_make(REQUEST_BYTES);
    json_t *answer = NULL;
    vb_err err = append_call(&params, NULL, &tx);
    err = err ? err : vb_buf_printf(&params, ",\"latest\"");
    err = err ? vb_fail(e, err, "a call of %zu bytes is too large", data->len)
              : ask(n, method, (const char *)params.data, &answer, e);
    vb_buf_free(&params);
    if (err) {
        return err;
    }
    result->len = 0;
    err = refused(answer, method, e);
    err = err ? err : append_bytes(json_object_get(answer, "result"), method, result, e);
    json_decref(answer);
    return err;
}

/* Nodes have no common codes for these, but the same words. */
static bool says(const char *text, const char *words) {
    return text && strcasestr(text, words);
}

vb_err vb_chain_node_send(const vb_chain_node *n, const vb_buf *tx, vb_chain_sent *out,
                          vb_error *e) {
    static const char method[] = "eth_sendRawTransaction";
    vb_buf params = vb_buf_make(REQUEST_BYTES);
    vb_err err = vb_buf_printf(&params, "\"0x");
    for (size_t i = 0; i < tx->len && !err; i++) {
        err = vb_buf_printf(&params, "%02x", tx->data[i]);
    }
    err = err ? err : vb_buf_printf(&params, "\"");
    json_t *answer = NULL;
    err = err ? vb_fail(e, err, "a transaction of %zu bytes is too large", tx->len)
              : ask(n, method, (const char *)params.data, &answer, e);
    vb_buf_free(&params);
    if (err) {
        return err;
    }
    const char *text =
        json_string_value(json_object_get(json_object_get(answer, "error"), "message"));
    if (says(text, "already known") || says(text, "known transaction") ||
        says(text, "already imported")) {
        *out = VB_CHAIN_KNOWN;
    } else if (says(text, "nonce too low") || says(text, "nonce is too low")) {
        *out = VB_CHAIN_NONCE_USED;
    } else if (says(text, "underpriced") || says(text, "fee too low") ||
               says(text, "less than block base fee") || says(text, "max fee per gas less")) {
        *out = VB_CHAIN_UNDERPRICED;
    } else {
        *out = VB_CHAIN_SENT;
        err = refused(answer, method, e);
    }
    json_decref(answer);
    return err;
}

vb_err vb_chain_node_mined(const vb_chain_node *n, const uint8_t hash[VB_KECCAK256_BYTES],
                           vb_chain_mined *out, vb_error *e) {
    static const char method[] = "eth_getTransactionReceipt";
    char hex[2 * VB_KECCAK256_BYTES + 1], params[80];
    vb_hex_encode(hash, VB_KECCAK256_BYTES, hex);
    snprintf(params, sizeof params, "\"0x%s\"", hex);
    *out = (vb_chain_mined){.found = false};
    json_t *answer = NULL;
    vb_err err = ask(n, method, params, &answer, e);
    if (err) {
        return err;
    }
    const json_t *r = json_object_get(answer, "result");
    err = refused(answer, method, e);
    if (!err && !json_is_null(r)) {
        uint64_t status = 0;
        err = quantity(json_object_get(r, "status"), "status", &status, e);
        err =
            err ? err : quantity(json_object_get(r, "blockNumber"), "blockNumber", &out->block, e);
        err = err ? err : quantity(json_object_get(r, "gasUsed"), "gasUsed", &out->gas_used, e);
        err = err ? err
                  : fixed(json_object_get(r, "blockHash"), "blockHash", out->block_hash,
                          sizeof out->block_hash, e);
        const json_t *created = json_object_get(r, "contractAddress");
        if (!err && created && !json_is_null(created)) {
            out->creates = true;
            err = fixed(created, "contractAddress", out->created, sizeof out->created, e);
        }
        out->found = !err;
        out->succeeded = status == 1;
    }
    json_decref(answer);
    return err;
}
