"""Replays a receipt from the text of the specification alone: canonical form, commitment, both
signatures, seed, every token, drawn under the request's constraint, the trace. For receipts that hold
their prompt's tokens and whose seed the caller gave (mode fixed). What is checked without a model,
strictly, is receipt_check's.
"""

import json

from . import allowed, digests, ed25519, sampling
from .digests import sha256
from .jcs import canonical


class Refuted(Exception):
    """What was expected and what the receipt says."""


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


def params(s):
    """Of `request.sampling`."""
    return sampling.Params(s["temperature"], s["top_k"], s["top_p_q32"], s["min_p_q32"],
                           s["presence_penalty"], s["frequency_penalty"], s["repetition_penalty"],
                           s["logit_bias"])


class Held:
    """An answer that is held to the request's constraint, if there is one; vocabulary: the model's."""

    def __init__(self, request, vocabulary):
        constraint = request["constraint"]
        self._state = None if constraint is None else allowed.begin(constraint)
        self._vocabulary, self._ends = vocabulary, vocabulary.ends | set(request["stop"]["tokens"])

    def allowed(self):
        """The ids that may come next; None: any."""
        return None if self._state is None else allowed.tokens(self._state, self._vocabulary.tree, self._ends)

    def accept(self, token):
        for byte in self._vocabulary.texts[token] if self._state is not None and token not in self._ends else b"":
            self._state = self._state.after(byte)


def _replay_output(session, r, choice, vocabulary):
    request, out, prompt = r["request"], r["outputs"][choice], r["prompt"]["tokens"]
    seed = digests.seed_fixed(int(request["seed"]), choice)
    _expect("seed", seed.hex(), out["seed"])
    text = b"verbatim.text.v1\n" + out["text"].encode()
    _expect("text digest", sha256(text).hex(), out["text_sha256"])
    asked, drawn, leaves, pending = params(request["sampling"]), [], [], prompt
    try:
        held = Held(request, vocabulary)
    except allowed.Unsatisfiable as e:
        raise Refuted(str(e)) from e
    for t, claimed in enumerate(out["tokens"]):
        logits = session.forward(pending)[-1]
        u = digests.draw_number(seed, t)
        token = sampling.draw(logits, asked, u, prompt, drawn, held.allowed()).token
        _expect(f"token {t}", token, claimed)
        leaves.append(digests.trace_leaf(t, token, logits))
        drawn.append(token)
        held.accept(token)
        pending = [token]
    _expect("trace root", digests.trace_root(leaves).hex(), out["trace_root"])


def replay(raw, model_sha256, new_session, vocabulary):
    """The verification hash; Refuted names the first thing that differs. new_session() starts a
    sequence of the model, whose vocabulary it is."""
    r = json.loads(raw)
    _expect("canonical form", canonical(r) == raw, True)
    _expect("arithmetic", "verbatim-arith/1", r["request"]["arithmetic"])
    h = _check_signatures(r)
    _expect("model", model_sha256, r["request"]["model_sha256"])
    tokens = r["prompt"]["tokens"]
    _expect("prompt digest", digests.tokens_digest(tokens).hex(), r["request"]["prompt_sha256"])
    _expect("mode", "fixed", r["request"]["beacon"]["mode"])
    for choice in range(len(r["outputs"])):
        _replay_output(new_session(), r, choice, vocabulary)
    return h
