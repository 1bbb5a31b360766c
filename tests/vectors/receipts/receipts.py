"""Receipts for the vectors, and the sealing of forged ones. The secret key is the seed 00 01 ... 1f."""

import copy
import functools

from verbatim_ref import digests, ed25519
from verbatim_ref.digests import sha256
from verbatim_ref.strict import canonical

SEED = bytes(range(32))
OTHER_SEED = bytes(range(1, 33))
FIXED_SEED = 2**64 - 1
PROMPT = [1, 65535, 65536, 1048575]
T = 1700000005000


@functools.lru_cache(None)
def public_key(seed):
    return ed25519.public_key(seed)


@functools.lru_cache(None)
def sign(seed, message):
    return ed25519.sign(seed, message).hex()


def text_digest(text):
    return sha256(b"verbatim.text.v1\n" + text.encode("utf-8", "surrogatepass")).hex()


def output(tokens, text="Hi", finish="length"):
    leaves = [digests.trace_leaf(t, token, [0.0, -1.5, 3.25]) for t, token in enumerate(tokens)]
    return {
        "finish_reason": finish,
        "seed": "00" * 32,
        "text": text,
        "text_sha256": text_digest(text),
        "tokens": list(tokens),
        "trace_root": digests.trace_root(leaves).hex(),
    }


def prompt_tokens():
    return {
        "date": None,
        "kind": "tokens",
        "messages": None,
        "template_sha256": None,
        "text": None,
        "tokens": list(PROMPT),
    }


def prompt_text(text="Once upon a time"):
    return {**prompt_tokens(), "kind": "text", "text": text}


def prompt_chat(date=None):
    messages = [{"content": "Be brief.", "role": "system"}, {"content": 'Say "hi" \U0001f600\n', "role": "user"}]
    return {
        **prompt_tokens(),
        "kind": "chat",
        "messages": messages,
        "date": date,
        "template_sha256": sha256(b"verbatim.template.v1\n{{ messages }}").hex(),
    }


VARIABLES = '{"messages":[{"role":"user","content":"Hi"}],"tools":[],"a": 1.0}'


def prompt_template(date=None, text=VARIABLES):
    return {
        **prompt_tokens(),
        "kind": "template",
        "text": text,
        "date": date,
        "template_sha256": sha256(b"verbatim.template.v1\n{{ messages }}").hex(),
    }


def private(prompt):
    return {**prompt, "messages": None, "text": None, "tokens": None}


def draft(mode="fixed", beacon=None, t=T, fallback=None):
    """A receipt of one output of three tokens, not yet sealed."""
    asked = {
        "fallback_from": fallback,
        "id": beacon and beacon.id,
        "mode": mode,
        "round": str(beacon.number) if beacon and mode == "fixed" else None,
    }
    return {
        "beacon": beacon and copy.deepcopy(beacon.round()),
        "commitment": {"signature": "00" * 64, "value": "00" * 32},
        "engine": {"tier": "scalar", "version": "0.2.0"},
        "format": "verbatim.receipt/1",
        "id": "chatcmpl-1",
        "model": {"architecture": "qwen2", "file_type": "Q8_0", "name": "demo", "parameters": "3700000"},
        "outputs": [output([10, 11, 12])],
        "prompt": prompt_tokens(),
        "request": {
            "arithmetic": "verbatim-arith/1",
            "beacon": asked,
            "choices": 1,
            "constraint": None,
            "ctx_tokens": 64,
            "issued_at_ms": str(t),
            "max_tokens": 3,
            "model_sha256": sha256(b"model").hex(),
            "nonce": "n",
            "prompt_sha256": digests.tokens_digest(PROMPT).hex(),
            "prompt_tokens": 4,
            "sampling": {
                "frequency_penalty": 0,
                "logit_bias": [[3, -100], [70000, 1.5]],
                "min_p_q32": 0,
                "presence_penalty": 0,
                "repetition_penalty": 1,
                "temperature": 0.800000011920929,
                "top_k": 40,
                "top_p_q32": 4080218931,
            },
            "seed": None if beacon else str(FIXED_SEED),
            "sequence": "17",
            "server_key": public_key(SEED).hex(),
            "stop": {"strings": ["\n\n", "a\0b"], "tokens": [2, 9]},
        },
        "signature": "00" * 64,
        "usage": {"completion_tokens": 3, "prompt_tokens": 4},
    }


def commitment(r):
    return sha256(b"verbatim.request.v1\n" + canonical(r["request"]))


def seal_commitment(r, seed=SEED):
    c = commitment(r)
    r["commitment"] = {"signature": sign(seed, b"verbatim.commitment.v1\n" + c), "value": c.hex()}


def seal_seeds(r):
    c = commitment(r)
    for i, o in enumerate(r["outputs"]):
        if r["beacon"] is None:
            o["seed"] = digests.seed_fixed(int(r["request"]["seed"]), i).hex()
            continue
        b = r["beacon"]
        o["seed"] = sha256(
            b"verbatim.seed.v1\n"
            + r["request"]["beacon"]["id"].encode()
            + b"\0"
            + int(b["round"]).to_bytes(8, "big")
            + bytes.fromhex(b["randomness"])
            + c
            + i.to_bytes(4, "big")
        ).hex()


def verification_hash(r):
    return sha256(b"verbatim.receipt.v1\n" + canonical({k: v for k, v in r.items() if k != "signature"}))


def seal_signature(r, seed=SEED):
    r["signature"] = sign(seed, verification_hash(r))


def seal(r, seed=SEED):
    """Everything that an honest server computes from the rest, and by whoever holds that key's secret."""
    seal_commitment(r, seed)
    seal_seeds(r)
    seal_signature(r, seed)
    return r


def sealed(*args, **kwargs):
    return seal(draft(*args, **kwargs))


def put(value, path, new):
    """path: members and indices."""
    for step in path[:-1]:
        value = value[step]
    value[path[-1]] = new


def changed(r, *changes):
    """A copy with the value at each path replaced: (path, value) ..."""
    r = copy.deepcopy(r)
    for path, new in changes:
        put(r, path, new)
    return r


def case(name, receipt, verdict, reason=None, trust=None):
    """receipt: a receipt, or text that is the file's content as it stands."""
    text = receipt if isinstance(receipt, str) else canonical(receipt).decode()
    return {"level": "receipt", "name": name, "reason": reason, "receipt": text, "trust": trust, "verdict": verdict}
