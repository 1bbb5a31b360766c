#include "chain/registry.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "json/jcs.h"

enum { RESULT_BYTES_MAX = 1 << 16, CLAIM_WORDS = 5 };

static const uint8_t no_word[VB_ABI_WORD_BYTES];

/* When the round came to be known, as far as somebody vouches for it: a mix of rounds whose times
 * are apart may have no such time. */
static vb_err drawn_at(const vb_receipt *r, const vb_trust *trust, uint64_t *out, vb_error *e) {
    vb_beacon_facts facts = {.timed = false};
    vb_error why = {VB_OK, ""};
    *out = 0;
    if (!r->has_beacon) {
        return VB_OK;
    }
    vb_err err = vb_beacon_verify(&r->beacon, trust, &facts, &why);
    if (err == VB_ENOMEM) {
        return vb_fail(e, err, "%s", why.msg);
    }
    if (!err && facts.timed && facts.next.from < facts.next.to) {
        *out = facts.next.to / 1000;
    }
    return VB_OK;
}

vb_err vb_chain_claim(const vb_receipt *r, const vb_trust *trust, vb_chain_verdict *out,
                      vb_error *e) {
    uint8_t record[VB_SHA256_BYTES];
    uint64_t drawn_at_s;
    vb_err err = vb_receipt_verification_hash(r, record, e);
    err = err ? err : drawn_at(r, trust, &drawn_at_s, e);
    if (err) {
        return err;
    }
    memcpy(out->record, record, sizeof out->record);
    memcpy(out->commitment, r->commitment, sizeof out->commitment);
    memcpy(out->model, r->request.model_sha256, sizeof out->model);
    memcpy(out->answer, r->outputs[0].text_sha256, sizeof out->answer);
    out->drawn_at_s = drawn_at_s;
    return VB_OK;
}

void vb_chain_claim_hash(const vb_chain_verdict *v, uint8_t out[VB_KECCAK256_BYTES]) {
    uint8_t words[CLAIM_WORDS][VB_ABI_WORD_BYTES] = {{0}};
    memcpy(words[0], v->record, sizeof v->record);
    memcpy(words[1], v->commitment, sizeof v->commitment);
    memcpy(words[2], v->model, sizeof v->model);
    memcpy(words[3], v->answer, sizeof v->answer);
    vb_store_u64be(words[4] + VB_ABI_WORD_BYTES - 8, v->drawn_at_s);
    vb_keccak256(words, sizeof words, out);
}

/* Ends the call and gives its memory back. */
static vb_err end(vb_abi_call *c, const char *signature, vb_buf *out, vb_error *e) {
    vb_err err = vb_abi_end(c, signature, out, e);
    vb_abi_free(c);
    return err;
}

/* A text that the contract keeps: no longer than anybody needs, UTF-8 is the caller's affair. */
static vb_err check_name(const char *text, const char *what, bool may_be_empty, vb_error *e) {
    const size_t n = strlen(text);
    if ((n == 0 && !may_be_empty) || n > VB_CHAIN_NAME_BYTES_MAX) {
        return vb_fail(e, VB_EINVAL, "%s: expected a text of %d to %d bytes, found %zu", what,
                       may_be_empty ? 0 : 1, VB_CHAIN_NAME_BYTES_MAX, n);
    }
    return VB_OK;
}

static void put_text(vb_abi_call *c, const char *text) {
    vb_abi_bytes(c, text, strlen(text));
}

vb_err vb_chain_call_checkpoint(const vb_tlog_checkpoint *c, const vb_tlog_hash *path,
                                size_t n_path, vb_buf *out, vb_error *e) {
    uint8_t words[VB_TLOG_PATH_MAX][VB_ABI_WORD_BYTES];
    VB_ASSERT(n_path <= VB_TLOG_PATH_MAX);
    if (c->size == 0) {
        return vb_fail(e, VB_EINVAL, "the checkpoint is of an empty log: there is nothing to say");
    }
    for (size_t i = 0; i < n_path; i++) {
        memcpy(words[i], path[i].bytes, sizeof words[i]);
    }
    vb_abi_call call;
    vb_abi_begin(&call, 4);
    put_text(&call, c->origin);
    vb_abi_uint(&call, c->size);
    vb_abi_word(&call, c->root.bytes);
    vb_abi_words(&call, (const uint8_t(*)[VB_ABI_WORD_BYTES])words, n_path);
    return end(&call, VB_CHAIN_PUBLISH_CHECKPOINT, out, e);
}

vb_err vb_chain_call_commit(const uint8_t (*values)[VB_SHA256_BYTES], size_t n, vb_buf *out,
                            vb_error *e) {
    if (n == 0 || n > VB_CHAIN_COMMITMENTS_MAX) {
        return vb_fail(e, VB_EINVAL, "expected 1 to %d commitments, found %zu",
                       VB_CHAIN_COMMITMENTS_MAX, n);
    }
    vb_abi_call call;
    vb_abi_begin(&call, 1);
    vb_abi_words(&call, values, n);
    return end(&call, VB_CHAIN_COMMIT, out, e);
}

/* The messages as the receipt has them: canonical JSON. */
static vb_err messages_text(const vb_receipt_prompt *p, vb_buf *out, vb_error *e) {
    json_t *list = json_array();
    bool fine = list != NULL;
    for (size_t i = 0; i < p->n_messages && fine; i++) {
        const vb_text *content = &p->messages[i].content;
        json_t *m = json_object();
        fine = m && json_object_set_new(m, "role", json_string(p->messages[i].role)) == 0 &&
               json_object_set_new(m, "content",
                                   content->p ? json_stringn(content->p, content->len)
                                              : json_null()) == 0;
        /* Takes m even when it fails. */
        fine = json_array_append_new(list, m) == 0 && fine;
    }
    vb_err err = fine ? vb_jcs_append(list, out, e)
                      : vb_fail(e, VB_ENOMEM, "no memory for the prompt's messages");
    json_decref(list);
    return err;
}

static vb_err prompt_text(const vb_receipt_prompt *p, vb_buf *out, vb_error *e) {
    if (p->kind == VB_PROMPT_CHAT) {
        return messages_text(p, out, e);
    }
    return p->text.p && vb_buf_append(out, p->text.p, p->text.len)
               ? vb_fail(e, VB_ELIMIT, "the prompt has more than %zu bytes", out->max)
               : VB_OK;
}

static void put_inference(vb_abi_call *call, const vb_receipt *r,
                          const uint8_t record[VB_SHA256_BYTES], const vb_buf *prompt,
                          bool with_text, const char *uri) {
    const vb_receipt_output *o = &r->outputs[0];
    vb_abi_word(call, record);
    vb_abi_word(call, r->request.model_sha256);
    vb_abi_word(call, r->request.prompt_sha256);
    vb_abi_word(call, o->trace_root);
    vb_abi_word(call, o->seed);
    vb_abi_word(call, o->text_sha256);
    vb_abi_bytes(call, prompt->data, prompt->len);
    vb_abi_bytes(call, o->text.p, with_text ? o->text.len : 0);
    put_text(call, uri);
}

vb_err vb_chain_call_inference(const vb_receipt *r, bool with_text, const char *uri, vb_buf *out,
                               vb_error *e) {
    vb_err err = check_name(uri, "the URI", true, e);
    if (!err && with_text && !r->prompt.has_tokens) {
        err = vb_fail(e, VB_EINVAL, "a private receipt: it has no prompt that could be published");
    }
    uint8_t record[VB_SHA256_BYTES];
    err = err ? err : vb_receipt_verification_hash(r, record, e);
    vb_buf prompt = vb_buf_make(VB_ABI_BYTES_MAX), args = vb_buf_make(VB_ABI_BYTES_MAX);
    vb_abi_call tuple, call;
    if (!err && with_text) {
        err = prompt_text(&r->prompt, &prompt, e);
    }
    vb_abi_begin(&tuple, 9);
    if (!err) {
        put_inference(&tuple, r, record, &prompt, with_text, uri);
        err = vb_abi_end_args(&tuple, &args, e);
    }
    vb_abi_free(&tuple);
    vb_buf_free(&prompt);
    if (!err) {
        /* One argument of dynamic size: a word that points behind itself, and the tuple. */
        vb_abi_begin(&call, 1);
        vb_abi_uint(&call, VB_ABI_WORD_BYTES);
        const size_t before = out->len;
        err = end(&call,
                  "publishInference((bytes32,bytes32,bytes32,bytes32,bytes32,bytes32,string,string,"
                  "string))",
                  out, e);
        if (!err && vb_buf_append(out, args.data, args.len)) {
            out->len = before;
            err = vb_fail(e, VB_ELIMIT, "the call takes more than %zu bytes", out->max);
        }
    }
    vb_buf_free(&args);
    return err;
}

vb_err vb_chain_call_operator(const uint8_t server_key[VB_ED25519_PUBLIC_BYTES], const char *origin,
                              const char *url, vb_buf *out, vb_error *e) {
    vb_err err = check_name(origin, "the origin", false, e);
    err = err ? err : check_name(url, "the URL", true, e);
    if (err) {
        return err;
    }
    vb_abi_call call;
    vb_abi_begin(&call, 3);
    vb_abi_word(&call, server_key);
    put_text(&call, origin);
    put_text(&call, url);
    return end(&call, "registerOperator(bytes32,string,string)", out, e);
}

vb_err vb_chain_call_model(const uint8_t sha256[VB_SHA256_BYTES], const char *name, const char *uri,
                           uint64_t size_bytes, vb_buf *out, vb_error *e) {
    vb_err err = check_name(name, "the model's name", false, e);
    err = err ? err : check_name(uri, "the URI", true, e);
    if (err) {
        return err;
    }
    vb_abi_call call;
    vb_abi_begin(&call, 4);
    vb_abi_word(&call, sha256);
    put_text(&call, name);
    put_text(&call, uri);
    vb_abi_uint(&call, size_bytes);
    return end(&call, "describeModel(bytes32,string,string,uint64)", out, e);
}

vb_err vb_chain_call_attest(const vb_chain_verdict *v,
                            const uint8_t signature[VB_SECP256K1_SIGNATURE_BYTES], vb_buf *out,
                            vb_error *e) {
    vb_abi_call call;
    vb_abi_begin(&call, CLAIM_WORDS + 4);
    vb_chain_put_verdict(&call, v);
    vb_abi_bytes(&call, signature, VB_SECP256K1_SIGNATURE_BYTES);
    return end(&call, VB_CHAIN_ATTEST, out, e);
}

static int compare_addresses(const void *a, const void *b) {
    return memcmp(a, b, VB_ETH_ADDRESS_BYTES);
}

vb_err vb_chain_panel_sort(vb_chain_panel *p, vb_error *e) {
    if (p->n == 0 || p->n > VB_CHAIN_PANEL_MAX) {
        return vb_fail(e, VB_EINVAL, "a panel has 1 to %d members, found %zu", VB_CHAIN_PANEL_MAX,
                       p->n);
    }
    qsort(p->members, p->n, sizeof p->members[0], compare_addresses);
    if (memcmp(p->members[0], no_word, VB_ETH_ADDRESS_BYTES) == 0) {
        return vb_fail(e, VB_EINVAL, "the zero address is nobody's");
    }
    for (size_t i = 1; i < p->n; i++) {
        if (memcmp(p->members[i - 1], p->members[i], VB_ETH_ADDRESS_BYTES) == 0) {
            return vb_fail(e, VB_EINVAL, "a panel names each member once");
        }
    }
    return VB_OK;
}

static void put_panel(vb_abi_call *c, const vb_chain_panel *p) {
    uint8_t words[VB_CHAIN_PANEL_MAX][VB_ABI_WORD_BYTES] = {{0}};
    for (size_t i = 0; i < p->n; i++) {
        memcpy(words[i] + VB_ABI_WORD_BYTES - VB_ETH_ADDRESS_BYTES, p->members[i],
               VB_ETH_ADDRESS_BYTES);
    }
    vb_abi_words(c, (const uint8_t(*)[VB_ABI_WORD_BYTES])words, p->n);
}

vb_err vb_chain_panel_id(const vb_chain_panel *p, uint8_t out[VB_KECCAK256_BYTES], vb_error *e) {
    vb_buf args = vb_buf_make(VB_ABI_BYTES_MAX);
    vb_abi_call c;
    vb_abi_begin(&c, 1);
    put_panel(&c, p);
    vb_err err = vb_abi_end_args(&c, &args, e);
    if (!err) {
        vb_keccak256(args.data, args.len, out);
    }
    vb_abi_free(&c);
    vb_buf_free(&args);
    return err;
}

vb_err vb_chain_call_create_panel(const vb_chain_panel *p, vb_buf *out, vb_error *e) {
    vb_abi_call c;
    vb_abi_begin(&c, 1);
    put_panel(&c, p);
    return end(&c, "createPanel(address[])", out, e);
}

/* Makes the call whose arguments are in c, and frees c. */
static vb_err read_call(const vb_chain_node *n, const vb_chain_registry *r, vb_abi_call *c,
                        const char *signature, vb_buf *result, vb_error *e) {
    vb_buf data = vb_buf_make(VB_ABI_BYTES_MAX);
    vb_err err = end(c, signature, &data, e);
    err = err ? err : vb_chain_node_call(n, r->address, &data, result, e);
    vb_buf_free(&data);
    return err;
}

vb_err vb_chain_read_head(const vb_chain_node *n, const vb_chain_registry *r,
                          const uint8_t account[VB_ETH_ADDRESS_BYTES], const char *origin,
                          vb_chain_head *out, vb_error *e) {
    uint8_t log[VB_KECCAK256_BYTES];
    vb_buf bytes = vb_buf_make(RESULT_BYTES_MAX);
    vb_chain_head head;
    vb_abi_call c;
    vb_abi_begin(&c, 2);
    vb_abi_address(&c, account);
    put_text(&c, origin);
    vb_err err = vb_abi_end_args(&c, &bytes, e);
    vb_abi_free(&c);
    if (!err) {
        vb_keccak256(bytes.data, bytes.len, log);
        vb_abi_begin(&c, 1);
        vb_abi_word(&c, log);
        err = read_call(n, r, &c, VB_CHAIN_HEADS, &bytes, e);
    }
    err = err ? err : vb_abi_read_uint(&bytes, 0, &head.size, e);
    err = err ? err : vb_abi_read_uint(&bytes, 1, &head.time_s, e);
    err = err ? err : vb_abi_read_word(&bytes, 2, head.root, e);
    vb_buf_free(&bytes);
    if (!err) {
        *out = head;
    }
    return err;
}

vb_err vb_chain_read_panel(const vb_chain_node *n, const vb_chain_registry *r,
                           const uint8_t panel[VB_KECCAK256_BYTES], uint64_t *n_members,
                           vb_error *e) {
    vb_buf result = vb_buf_make(RESULT_BYTES_MAX);
    vb_error why = {VB_OK, ""};
    uint64_t count = 0;
    vb_abi_call c;
    vb_abi_begin(&c, 1);
    vb_abi_word(&c, panel);
    vb_err err = read_call(n, r, &c, "panelMembers(bytes32)", &result, &why);
    if (err == VB_EMISMATCH) {
        err = VB_OK; /* it has no other reason to revert than that there is no such panel */
    } else if (err) {
        vb_fail(e, err, "%s", why.msg);
    } else {
        err = vb_abi_read_uint(&result, 1, &count, e);
        if (!err && (count == 0 || count > VB_CHAIN_PANEL_MAX)) {
            err = vb_fail(e, VB_EFORMAT, "the registry says that a panel has %llu members",
                          (unsigned long long)count);
        }
    }
    vb_buf_free(&result);
    if (!err) {
        *n_members = count;
    }
    return err;
}

vb_err vb_chain_read_confirmed(const vb_chain_node *n, const vb_chain_registry *r,
                               const uint8_t panel[VB_KECCAK256_BYTES],
                               const vb_chain_verdict *claim, uint64_t k, bool *confirmed,
                               vb_error *e) {
    vb_buf result = vb_buf_make(RESULT_BYTES_MAX);
    vb_abi_call c;
    vb_abi_begin(&c, 1 + CLAIM_WORDS + 1);
    vb_abi_word(&c, panel);
    vb_chain_put_claim(&c, claim);
    vb_abi_uint(&c, k);
    vb_err err = read_call(n, r, &c, VB_CHAIN_CONFIRMED, &result, e);
    err = err ? err : vb_abi_read_bool(&result, 0, confirmed, e);
    vb_buf_free(&result);
    return err;
}

vb_err vb_chain_read_tally(const vb_chain_node *n, const vb_chain_registry *r,
                           const uint8_t panel[VB_KECCAK256_BYTES],
                           const uint8_t record[VB_SHA256_BYTES], vb_chain_tally *out,
                           vb_error *e) {
    vb_buf result = vb_buf_make(RESULT_BYTES_MAX);
    vb_chain_tally t;
    vb_abi_call c;
    vb_abi_begin(&c, 2);
    vb_abi_word(&c, panel);
    vb_abi_word(&c, record);
    vb_err err = read_call(n, r, &c, VB_CHAIN_TALLY, &result, e);
    err = err ? err : vb_abi_read_uint(&result, 0, &t.verified, e);
    err = err ? err : vb_abi_read_uint(&result, 1, &t.refuted, e);
    err = err ? err : vb_abi_read_uint(&result, 2, &t.unverifiable, e);
    err = err ? err : vb_abi_read_uint(&result, 3, &t.contradicted, e);
    vb_buf_free(&result);
    if (!err) {
        *out = t;
    }
    return err;
}

vb_err vb_chain_read_judgement(const vb_chain_node *n, const vb_chain_registry *r,
                               const uint8_t witness[VB_ETH_ADDRESS_BYTES],
                               const uint8_t record[VB_SHA256_BYTES], vb_chain_judgement *out,
                               vb_error *e) {
    vb_buf result = vb_buf_make(RESULT_BYTES_MAX);
    vb_chain_judgement j;
    vb_abi_call c;
    vb_abi_begin(&c, 2);
    vb_abi_address(&c, witness);
    vb_abi_word(&c, record);
    vb_err err = read_call(n, r, &c, "judgements(address,bytes32)", &result, e);
    err = err ? err : vb_abi_read_word(&result, 0, j.claim, e);
    err = err ? err : vb_abi_read_uint(&result, 1, &j.outcome, e);
    err = err ? err : vb_abi_read_uint(&result, 2, &j.level, e);
    err = err ? err : vb_abi_read_uint(&result, 3, &j.judged_at_s, e);
    err = err ? err : vb_abi_read_bool(&result, 4, &j.contradicted, e);
    vb_buf_free(&result);
    if (!err) {
        *out = j;
    }
    return err;
}
