#include "chain/verdict.h"

#include <string.h>

#define DOMAIN_TYPE                                                                                \
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
#define VERDICT_TYPE                                                                               \
    "Verdict(bytes32 record,bytes32 commitment,bytes32 model,bytes32 answer,uint64 drawnAt,"       \
    "uint8 outcome,uint8 level,uint64 judgedAt)"

enum { WORD = VB_ABI_WORD_BYTES, ETHEREUM_V = 27 };

static void hash_text(const char *text, uint8_t out[WORD]) {
    vb_keccak256(text, strlen(text), out);
}

static void word_of(uint64_t v, uint8_t out[WORD]) {
    memset(out, 0, WORD);
    vb_store_u64be(out + WORD - 8, v);
}

static void domain(const vb_chain_registry *r, uint8_t out[WORD]) {
    uint8_t words[5][WORD] = {{0}};
    hash_text(DOMAIN_TYPE, words[0]);
    hash_text("Verbatim", words[1]);
    hash_text("1", words[2]);
    word_of(r->chain_id, words[3]);
    memcpy(words[4] + WORD - VB_ETH_ADDRESS_BYTES, r->address, VB_ETH_ADDRESS_BYTES);
    vb_keccak256(words, sizeof words, out);
}

void vb_chain_verdict_digest(const vb_chain_verdict *v, const vb_chain_registry *r,
                             uint8_t out[VB_KECCAK256_BYTES]) {
    uint8_t words[9][WORD];
    hash_text(VERDICT_TYPE, words[0]);
    memcpy(words[1], v->record, WORD);
    memcpy(words[2], v->commitment, WORD);
    memcpy(words[3], v->model, WORD);
    memcpy(words[4], v->answer, WORD);
    word_of(v->drawn_at_s, words[5]);
    word_of(v->outcome, words[6]);
    word_of(v->level, words[7]);
    word_of(v->judged_at_s, words[8]);
    uint8_t message[2 + 2 * WORD] = {0x19, 0x01};
    domain(r, message + 2);
    vb_keccak256(words, sizeof words, message + 2 + WORD);
    vb_keccak256(message, sizeof message, out);
}

void vb_chain_verdict_signature(const uint8_t signature[VB_SECP256K1_SIGNATURE_BYTES],
                                uint8_t out[VB_SECP256K1_SIGNATURE_BYTES]) {
    memcpy(out, signature, VB_SECP256K1_SIGNATURE_BYTES);
    out[VB_SECP256K1_SIGNATURE_BYTES - 1] += ETHEREUM_V;
}

void vb_chain_put_claim(vb_abi_call *c, const vb_chain_verdict *v) {
    vb_abi_word(c, v->record);
    vb_abi_word(c, v->commitment);
    vb_abi_word(c, v->model);
    vb_abi_word(c, v->answer);
    vb_abi_uint(c, v->drawn_at_s);
}

void vb_chain_put_verdict(vb_abi_call *c, const vb_chain_verdict *v) {
    vb_chain_put_claim(c, v);
    vb_abi_uint(c, v->outcome);
    vb_abi_uint(c, v->level);
    vb_abi_uint(c, v->judged_at_s);
}
