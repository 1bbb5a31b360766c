#!/usr/bin/python3
"""The two receipts of sample_receipt.h and the records around the second, built from
spec/receipt.md with nothing but Python's hashlib and json and a textbook Ed25519: what the C code
must give byte for byte.

    make_golden.py FOLDER     writes golden_{fixed,local}.json and
                              record_{commitment,abort,prompt,opening}.json
"""
import base64
import hashlib
import json
import struct
import sys

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + k, P - 2, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - k, P - 2, P)
    return x % P, y % P


def multiply(n, point):
    total = (0, 1)
    while n:
        if n & 1:
            total = add(total, point)
        point = add(point, point)
        n >>= 1
    return total


def base_point():
    y = 4 * pow(5, P - 2, P) % P
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if x * x % P != xx:
        x = x * pow(2, (P - 1) // 4, P) % P
    return (P - x if x & 1 else x), y


B = base_point()


def encode_point(p):
    return (p[1] | (p[0] & 1) << 255).to_bytes(32, "little")


def secret(seed):
    h = hashlib.sha512(seed).digest()
    a = int.from_bytes(h[:32], "little") & ~7 & (1 << 255) - 1
    return a & ~(1 << 255) | 1 << 254, h[32:]


def sign(seed, message):
    a, prefix = secret(seed)
    public = encode_point(multiply(a, B))
    r = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % Q
    big_r = encode_point(multiply(r, B))
    k = int.from_bytes(hashlib.sha512(big_r + public + message).digest(), "little") % Q
    return big_r + ((r + k * a) % Q).to_bytes(32, "little")


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def number(x):
    """Floats as ECMAScript writes them, for the values used here."""
    if x == int(x):
        return int(x)
    return x


def jcs(value):
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # Python writes 1e-07 where ECMAScript writes 1e-7.
    return text.replace("e-07", "e-7").encode()


def leaf(t, token, logits):
    data = b"".join(struct.pack("<f", x) for x in logits)
    return sha(b"\0", struct.pack(">QI", t, token), sha(data))


def merkle(leaves):
    n = len(leaves)
    if n <= 1:
        return leaves[0] if leaves else sha(b"")
    k = 1
    while k * 2 < n:
        k *= 2
    return sha(b"\1", merkle(leaves[:k]), merkle(leaves[k:]))


def local_round(r):
    x = b"\7" * 32
    chain = [x]
    for _ in range(65536):
        x = sha(b"verbatim.beacon.local.v1\n", x)
        chain.append(x)
    return "local:" + chain[65536].hex(), chain[65536 - r]


def make_request(key, mode, beacon_id, prompt):
    return {
        "arithmetic": "verbatim-arith/1",
        "beacon": {"fallback_from": None, "id": beacon_id, "mode": mode, "round": None},
        "choices": 2,
        "constraint": None,
        "ctx_tokens": 2048,
        "issued_at_ms": "1763834000123",
        "max_tokens": 3,
        "model_sha256": sha(b"model").hex(),
        "nonce": "client nonce",
        "prompt_sha256": sha(b"verbatim.tokens.v1\n", struct.pack("<4I", *prompt)).hex(),
        "prompt_tokens": 4,
        "sampling": {
            "frequency_penalty": number(f32(1e-7)),
            "logit_bias": [[3, -100], [70000, number(f32(0.3))]],
            "min_p_q32": 214748365,
            "presence_penalty": number(f32(-0.1)),
            "repetition_penalty": number(f32(1.1)),
            "temperature": number(f32(0.8)),
            "top_k": 40,
            "top_p_q32": 4080218931,
        },
        "seed": None if beacon_id else "18446744073709551615",
        "sequence": "17",
        "server_key": key.hex(),
        "stop": {"strings": ["\n\n", "a\0b"], "tokens": [2, 9]},
    }


def make_outputs(seed_of):
    logits = (0.0, -1.5, 3.25)
    outputs = []
    for i, (tokens, text, finish) in enumerate(
        (([10, 11, 12], "Hi \u20ac\t\x7f", "length"), ([10, 2], "", "stop"))
    ):
        outputs.append(
            {
                "finish_reason": finish,
                "seed": seed_of(i).hex(),
                "text": text,
                "text_sha256": sha(b"verbatim.text.v1\n", text.encode()).hex(),
                "tokens": tokens,
                "trace_root": merkle([leaf(t, x, logits) for t, x in enumerate(tokens)]).hex(),
            }
        )
    return outputs


def make(mode):
    seed = bytes(range(32))
    key = encode_point(multiply(secret(seed)[0], B))
    prompt = [1, 65535, 65536, 1048575]
    beacon_id, randomness = local_round(5) if mode == "local" else (None, None)
    request = make_request(key, mode, beacon_id, prompt)
    c = sha(b"verbatim.request.v1\n", jcs(request))

    def seed_of(i):
        if mode == "fixed":
            return sha(b"verbatim.seed.fixed.v1\n", struct.pack(">QI", 2**64 - 1, i))
        return sha(b"verbatim.seed.v1\n", beacon_id.encode(), b"\0", struct.pack(">Q", 5),
                   randomness, c, struct.pack(">I", i))

    receipt = {
        "beacon": beacon_id and {"proof": None, "randomness": randomness.hex(), "round": "5"},
        "commitment": {
            "signature": sign(seed, b"verbatim.commitment.v1\n" + c).hex(),
            "value": c.hex(),
        },
        "engine": {"tier": "scalar", "version": "0.1.0"},
        "format": "verbatim.receipt/1",
        "id": "chatcmpl-1",
        "model": {"architecture": "qwen2", "file_type": "Q8_0", "name": "verbatim-demo",
                  "parameters": "3700000"},
        "outputs": make_outputs(seed_of),
        "prompt": {
            "date": None,
            "kind": "chat",
            "messages": [{"content": "Be brief.", "role": "system"},
                         {"content": "Hello \U0001f600 \"quoted\"\n", "role": "user"}],
            "template_sha256": sha(b"verbatim.template.v1\n", b"{{ messages }}").hex(),
            "text": None,
            "tokens": prompt,
        },
        "request": request,
        "usage": {"completion_tokens": 5, "prompt_tokens": 4},
    }
    receipt["signature"] = sign(seed, sha(b"verbatim.receipt.v1\n", jcs(receipt))).hex()
    return receipt


def make_records(receipt):
    seed = bytes(range(32))
    committed = {"commitment": receipt["commitment"], "request": receipt["request"]}
    abort = {"aborted_at_ms": "1763834005000", "format": "verbatim.abort/1", "reason": "beacon",
             **committed}
    abort["signature"] = sign(seed, sha(b"verbatim.abort.v1\n", jcs(abort))).hex()
    unsigned = {k: v for k, v in receipt.items() if k != "signature"}
    logits = (0.0, -1.5, 3.25)
    opening = {
        "choice": 0,
        "format": "verbatim.opening/1",
        "logit": number(logits[1]),
        "logits": base64.b64encode(b"".join(struct.pack("<f", x) for x in logits)).decode(),
        "path": [leaf(0, 2, logits).hex(), leaf(2, 0, logits).hex()],
        "position": 1,
        "rank": 3,
        "receipt": sha(b"verbatim.receipt.v1\n", jcs(unsigned)).hex(),
        "token": 1,
        "total": "18446744073709551615",
        "weight": "9007199254740993",
    }
    return {
        "commitment": {"format": "verbatim.commitment/1", **committed},
        "abort": abort,
        "prompt": {"format": "verbatim.prompt/1", "prompt": receipt["prompt"]},
        "opening": opening,
    }


def write(name, record):
    with open(f"{sys.argv[1]}/{name}.json", "wb") as f:
        f.write(jcs(record))


if __name__ == "__main__":
    for m in ("fixed", "local"):
        write(f"golden_{m}", make(m))
    for kind, record in make_records(make("local")).items():
        write(f"record_{kind}", record)
