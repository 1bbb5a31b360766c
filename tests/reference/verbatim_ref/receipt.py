"""Replays a receipt from the text of the specification alone: canonical form, commitment, both
signatures, seed, every token, the trace. For receipts that hold their prompt's tokens and whose
seed the caller gave (mode fixed). What is checked without a model, strictly, is receipt_check's.
"""

import json
import math

from . import digests, ed25519, sampling
from .digests import sha256


class Refuted(Exception):
    """What was expected and what the receipt says."""


def _number(x):
    """ECMAScript's Number::toString, which RFC 8785 asks for; repr() has the shortest digits."""
    if isinstance(x, int):
        return str(x)
    if x == 0 or not math.isfinite(x):
        return "0"
    mantissa, _, exponent = repr(abs(x)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0)
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0")
    n = len(digits)
    if n <= point <= 21:
        text = digits + "0" * (point - n)
    elif 0 < point <= 21:
        text = digits[:point] + "." + digits[point:]
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        tail = "." + digits[1:] if n > 1 else ""
        text = f"{digits[0]}{tail}e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return "-" + text if x < 0 else text


def canonical(value):
    """RFC 8785, as bytes."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda k: k.encode("utf-16-be", "surrogatepass"))
        return b"{" + b",".join(canonical(k) + b":" + canonical(value[k]) for k in keys) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(canonical, value)) + b"]"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _number(value).encode()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).encode("utf-8")
    return json.dumps(value).encode()


def _expect(what, actual, claimed):
    if actual != claimed:
        raise Refuted(f"{what}: {actual} computed, {claimed} in the receipt")


def _check_signatures(r):
    request, key = r["request"], bytes.fromhex(r["request"]["server_key"])
    c = sha256(b"verbatim.request.v1\n" + canonical(request))
    _expect("commitment", c.hex(), r["commitment"]["value"])
    message = b"verbatim.commitment.v1\n" + c
    signature = bytes.fromhex(r["commitment"]["signature"])
    _expect("commitment signature", ed25519.verify(key, message, signature), True)
    unsigned = {k: v for k, v in r.items() if k != "signature"}
    h = sha256(b"verbatim.receipt.v1\n" + canonical(unsigned))
    signed = ed25519.verify(key, h, bytes.fromhex(r["signature"]))
    _expect("signature", signed, True)
    return h


def _params(s):
    return sampling.Params(s["temperature"], s["top_k"], s["top_p_q32"], s["min_p_q32"],
                           s["presence_penalty"], s["frequency_penalty"], s["repetition_penalty"],
                           s["logit_bias"])


def _replay_output(session, r, choice):
    request, out, prompt = r["request"], r["outputs"][choice], r["prompt"]["tokens"]
    seed = digests.seed_fixed(int(request["seed"]), choice)
    _expect("seed", seed.hex(), out["seed"])
    text = b"verbatim.text.v1\n" + out["text"].encode()
    _expect("text digest", sha256(text).hex(), out["text_sha256"])
    params, drawn, leaves, pending = _params(request["sampling"]), [], [], prompt
    for t, claimed in enumerate(out["tokens"]):
        logits = session.forward(pending)[-1]
        u = digests.draw_number(seed, t)
        token = sampling.draw(logits, params, u, prompt, drawn).token
        _expect(f"token {t}", token, claimed)
        leaves.append(digests.trace_leaf(t, token, logits))
        drawn.append(token)
        pending = [token]
    _expect("trace root", digests.trace_root(leaves).hex(), out["trace_root"])


def replay(raw, model_sha256, new_session):
    """The verification hash; Refuted names the first thing that differs. new_session() starts a
    sequence of the model."""
    r = json.loads(raw)
    _expect("canonical form", canonical(r) == raw, True)
    _expect("arithmetic", "verbatim-arith/1", r["request"]["arithmetic"])
    h = _check_signatures(r)
    _expect("model", model_sha256, r["request"]["model_sha256"])
    tokens = r["prompt"]["tokens"]
    _expect("prompt digest", digests.tokens_digest(tokens).hex(), r["request"]["prompt_sha256"])
    _expect("mode", "fixed", r["request"]["beacon"]["mode"])
    for choice in range(len(r["outputs"])):
        _replay_output(new_session(), r, choice)
    return h
