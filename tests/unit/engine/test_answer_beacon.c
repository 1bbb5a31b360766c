/*
 * Answers drawn with a beacon whose endpoint the test plays: the round is asked for while the
 * prompt is computed, nothing is known of it when the commitment is made, and whatever goes wrong
 * ends in an abort record.
 */
#include "support/testing.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/system.h"
#include "engine/answer.h"
#include "fetch/kind.h"
#include "verify/check.h"

enum { PROMPT = 20, CTX = 128, BATCH = 10, WAIT_MS = 20000 };

/* A chain whose key the tests know (spec/vectors/beacons/drand.json), and its round 1000. */
static const char chain_id[] =
    "drand:a0aca1cc7e75247bcec7b70421b3e333744a07d91df085303437ab3707645cb8";
static const char trust_text[] =
    "{\"drand\":[{\"beacon_id\":\"test-g1\",\"genesis_time\":1700000000,\"group_hash\":"
    "\"90589093ae4a859d775c4f7a63e7ed5037dbdd396a45bfb47036b3253111a120\",\"hash\":"
    "\"a0aca1cc7e75247bcec7b70421b3e333744a07d91df085303437ab3707645cb8\",\"period\":3,"
    "\"public_key\":"
    "\"b06b60cb99cc76f531339f7dfc7974c5bb4e787d765b1fc9bccff4fa658d54e684512e363c4020049fdad8fe013e"
    "3"
    "cee15eaeb96c3a875af937be93e3443671159e1d363e1bec97cc55d73bd6f0f19fd55d2094699499938c318c5ab7cc"
    "f"
    "bfed\",\"scheme\":\"bls-unchained-g1-rfc9380\"}],\"format\":\"verbatim.trust/1\"}";
static const char good_answer[] = "{\"round\":1000,\"signature\":"
                                  "\"b1cb681922717fa2fe19b6d4e711bda6dbf8e9ebd315173e827bd986b38124"
                                  "d5489f4dcda2fbbb6dfa079a0a8bd87"
                                  "272\"}";

static const uint32_t chat[PROMPT] = {2302, 491,  198, 437, 465,  271,  489, 490,  13,  2303,
                                      198,  2302, 424, 198, 1035, 2303, 198, 2302, 442, 198};
static vb_gguf *gguf;
static vb_model *model;
static vb_tokenizer *tokenizer;
static vb_vocabulary *vocabulary;
static vb_session *session;
static vb_workspace *workspace;
static vb_ed25519_key *key;
static vb_ledger *ledger;
static vb_local_chain *chain;
static vb_trust *trust;
static vb_source *source;
static char dir[64];
static vb_error e;

/* The endpoint, and what it has seen. */
static struct {
    enum { GOOD, LYING, SILENT } how;
    size_t wait_for_prompt; /* answers only when so many prompt tokens have been computed */
    atomic_size_t prompt_done;
    atomic_bool committed;
} world;

static void must(vb_err err) {
    if (err) {
        fail_msg("%s: %s", vb_err_name(err), e.msg);
    }
}

static uint64_t unix_ms(void *user) {
    (void)user;
    return vb_unix_ms();
}

static uint64_t clock_ms(void *user) {
    (void)user;
    return vb_clock_ns() / 1000000;
}

static vb_err sleep_ms(void *user, uint64_t ms, vb_error *err) {
    (void)user;
    usleep((useconds_t)(ms < 20 ? ms : 20) * 1000);
    (void)err;
    return VB_OK;
}

static vb_err call(void *user, const char *url, const char *json, uint32_t limit_ms, vb_buf *body,
                   long *status, vb_error *err) {
    (void)user;
    (void)url;
    (void)json;
    (void)limit_ms;
    assert_true(atomic_load(&world.committed));
    for (int i = 0; i < 1000 && atomic_load(&world.prompt_done) < world.wait_for_prompt; i++) {
        usleep(10000);
    }
    if (world.how == SILENT) {
        return vb_fail(err, VB_EIO, "no whole answer");
    }
    if (atomic_load(&world.prompt_done) < world.wait_for_prompt) {
        return vb_fail(err, VB_EIO, "the prompt is not computed while the round is waited for");
    }
    *status = 200;
    must(vb_buf_append(body, good_answer, sizeof good_answer - 1));
    if (world.how == LYING) {
        char *digit = strstr((char *)body->data, "b1cb");
        assert_non_null(digit);
        digit[3] = digit[3] == 'b' ? 'c' : 'b';
    }
    return VB_OK;
}

static int setup(void **state) {
    (void)state;
    static const uint8_t secret[32] = {7};
    static const char *const urls[] = {"http://127.0.0.1:1"};
    static const vb_outside outside = {NULL, call, unix_ms, clock_ms, sleep_ms};
    vb_model_options options = {.n_threads = 1};
    must(vb_kernels_select(NULL, &options.kernels, &e));
    must(vb_gguf_open(vb_test_source("models/verbatim-demo/verbatim-demo-q8_0.gguf"), &gguf, &e));
    must(vb_tokenizer_open(gguf, &tokenizer, &e));
    must(vb_vocabulary_open(tokenizer, &vocabulary, &e));
    must(vb_model_load(gguf, &options, &model, &e));
    must(vb_session_open(model, CTX, &session, &e));
    must(vb_workspace_open(model, BATCH, CTX, 1, &workspace, &e));
    must(vb_ed25519_from_seed(secret, &key, &e));
    snprintf(dir, sizeof dir, "/tmp/verbatim-beacon-XXXXXX");
    assert_non_null(mkdtemp(dir));
    must(vb_ledger_open(dir, key, &ledger, NULL, &e));
    must(vb_local_chain_open(dir, &chain, &e));
    must(vb_trust_parse(trust_text, sizeof trust_text - 1, &trust, &e));
    const vb_source_options o = {.beacon = chain_id, .urls = urls, .n_urls = 1, .trust = trust};
    must(vb_source_open_with(&o, &outside, &source, &e));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    char command[128];
    vb_source_close(source);
    vb_trust_free(trust);
    vb_local_chain_close(chain);
    vb_ledger_close(ledger);
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    vb_ed25519_close(key);
    vb_workspace_close(workspace);
    vb_session_close(session);
    vb_model_close(model);
    vb_vocabulary_close(vocabulary);
    vb_tokenizer_close(tokenizer);
    vb_gguf_close(gguf);
    return system(command);
}

static vb_err on_commitment(void *user, const vb_receipt *r, vb_error *err) {
    (void)user;
    assert_false(r->has_beacon && r->request.mode != VB_MODE_LOCAL);
    assert_int_equal(r->n_outputs, 0);
    atomic_store(&world.committed, true);
    return vb_commitment_check(r, err);
}

static bool on_progress(void *user, size_t prompt_done, size_t tokens_done) {
    const size_t *cancel_at = user;
    atomic_store(&world.prompt_done, prompt_done);
    return !*cancel_at || prompt_done < *cancel_at || tokens_done > 0;
}

static void fill(vb_receipt *r) {
    vb_receipt_init(r);
    r->prompt.kind = VB_PROMPT_TOKENS;
    must(vb_receipt_set_prompt_tokens(r, chat, PROMPT, &e));
    snprintf(r->model.architecture, sizeof r->model.architecture, "qwen2");
    snprintf(r->model.file_type, sizeof r->model.file_type, "Q8_0");
    snprintf(r->engine_version, sizeof r->engine_version, "test");
    snprintf(r->engine_tier, sizeof r->engine_tier, "test");
    r->request.sampling.temperature = 1;
    r->request.max_tokens = 10;
    r->request.ctx_tokens = CTX;
    r->request.n_choices = 1;
    r->request.mode = VB_MODE_FIXED;
    r->request.has_round = true;
    r->request.round = 1000;
    snprintf(r->request.beacon_id, sizeof r->request.beacon_id, "%s", chain_id);
}

static vb_err answer(vb_receipt *r, uint32_t wait_ms, bool fall_back, size_t cancel_at) {
    vb_generate_stats stats;
    const vb_answer_options o = {
        .model = model,
        .tokenizer = tokenizer,
        .vocabulary = vocabulary,
        .workspace = workspace,
        .session = session,
        .batch_tokens = BATCH,
        .key = key,
        .ledger = ledger,
        .chain = chain,
        .source = source,
        .wait_ms = wait_ms,
        .fall_back_to_local = fall_back,
        .on_commitment = on_commitment,
        .on_progress = on_progress,
        .user = &cancel_at,
    };
    atomic_store(&world.prompt_done, 0);
    atomic_store(&world.committed, false);
    vb_session_truncate(session, 0);
    e.msg[0] = 0;
    return vb_answer(&o, r, NULL, &stats, &e);
}

static vb_reason reason_of(const vb_receipt *r) {
    static vb_report rep;
    vb_receipt parsed;
    const vb_expect expect = {.trust = trust};
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    must(vb_receipt_encode(r, &bytes, &e));
    vb_report_begin(&rep, VB_LEVEL_RECEIPT);
    assert_true(vb_check_receipt(bytes.data, bytes.len, &expect, &parsed, &rep));
    vb_report_finish(&rep);
    vb_receipt_free(&parsed);
    vb_buf_free(&bytes);
    return vb_report_reason(&rep);
}

static bool recorded(const char *folder, uint64_t sequence) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s/%d.json", dir, folder, (int)sequence);
    return access(path, F_OK) == 0;
}

static void assert_aborted(uint64_t sequence, const char *reason) {
    char path[128], text[64];
    size_t n;
    snprintf(path, sizeof path, "%s/aborts/%d.json", dir, (int)sequence);
    snprintf(text, sizeof text, "\"reason\":\"%s\"", reason);
    uint8_t *record = vb_test_read(path, &n);
    assert_non_null(strstr((char *)record, text));
    free(record);
    assert_false(recorded("commitments", sequence) || recorded("receipts", sequence));
}

/* The endpoint holds its answer back until the first half of the prompt has been computed. */
static void the_wait_hides_behind_the_prompt(void **state) {
    (void)state;
    vb_receipt r;
    fill(&r);
    world.how = GOOD;
    world.wait_for_prompt = PROMPT / 2;
    must(answer(&r, WAIT_MS, false, 0));
    assert_true(r.has_beacon && r.beacon.round == 1000 && r.beacon.proof);
    assert_int_equal(reason_of(&r), VB_REASON_NONE);
    assert_true(recorded("receipts", r.request.sequence));
    vb_receipt_free(&r);
}

static void a_beacon_that_fails(void **state) {
    (void)state;
    for (int how = LYING; how <= SILENT; how++) {
        vb_receipt r;
        fill(&r);
        world.how = how;
        world.wait_for_prompt = 0;
        assert_int_equal(answer(&r, 300, false, 0), VB_EIO);
        assert_non_null(strstr(e.msg, "no round of drand:"));
        assert_false(r.has_beacon || r.n_outputs);
        assert_aborted(r.request.sequence, "beacon");
        vb_receipt_free(&r);
    }
}

/* Only when it is allowed, with a commitment of its own, and by its name. */
static void a_fallback_is_named(void **state) {
    (void)state;
    vb_receipt r;
    fill(&r);
    world.how = SILENT;
    must(answer(&r, 300, true, 0));
    assert_int_equal(r.request.mode, VB_MODE_LOCAL);
    assert_string_equal(r.request.fallback_from, chain_id);
    assert_memory_equal(r.beacon.id, "local:", 6);
    assert_int_equal(reason_of(&r), VB_REASON_NONE);
    assert_aborted(r.request.sequence - 1, "beacon");
    assert_true(recorded("receipts", r.request.sequence));
    vb_receipt_free(&r);
}

/* The commitment to the local chain is to the same constraint, and the answer keeps to it. */
static void a_fallback_keeps_to_the_constraint(void **state) {
    (void)state;
    static const char constraint[] = "{\"texts\":[\"left\",\"right\"],\"type\":\"choice\"}";
    vb_receipt r;
    fill(&r);
    must(vb_text_set(&r.request.constraint, constraint, strlen(constraint), &e));
    world.how = SILENT;
    must(answer(&r, 300, true, 0));
    assert_string_equal(r.request.fallback_from, chain_id);
    assert_string_equal(r.request.constraint.p, constraint);
    assert_true(strcmp(r.outputs[0].text.p, "left") == 0 ||
                strcmp(r.outputs[0].text.p, "right") == 0);
    assert_int_equal(reason_of(&r), VB_REASON_NONE);
    vb_receipt_free(&r);
}

/* Ctrl-C in the middle of the prompt: the beacon, which would take long, is not waited for. */
static void a_cancelled_prompt(void **state) {
    (void)state;
    vb_receipt r;
    fill(&r);
    world.how = SILENT;
    const uint64_t start = vb_clock_ns();
    assert_int_equal(answer(&r, 600000, true, PROMPT / 2), VB_ECANCELLED);
    assert_true(vb_clock_ns() - start < 60u * 1000000000u);
    assert_aborted(r.request.sequence, "cancelled");
    vb_receipt_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wait_hides_behind_the_prompt),
        cmocka_unit_test(a_beacon_that_fails),
        cmocka_unit_test(a_fallback_is_named),
        cmocka_unit_test(a_fallback_keeps_to_the_constraint),
        cmocka_unit_test(a_cancelled_prompt),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
