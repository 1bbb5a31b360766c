"""Receipts of good form that are false, or that can not be judged. The forger of these knows a key: whatever
a case does not name is sealed again, so that the check it aims at is the only one that can see it."""

import copy

from receipts import (
    OTHER_SEED,
    PROMPT,
    SEED,
    T,
    case,
    changed,
    commitment,
    draft,
    output,
    private,
    prompt_chat,
    prompt_text,
    put,
    seal,
    seal_commitment,
    seal_seeds,
    seal_signature,
    sealed,
    sign,
    verification_hash,
)
from verbatim_ref import digests, ed25519

REFUTED, UNVERIFIABLE = "REFUTED", "UNVERIFIABLE"


def _flip(text, at=0):
    """Hex of another value: one bit of the digit at this place."""
    digit = format(int(text[at], 16) ^ 1, "x")
    return text[:at] + digit + text[at + 1 :]


# signature


def _signed_leaves():
    """One change of each part of a receipt that only its signature protects, or its signature first."""
    return [
        (["id"], "chatcmpl-2"),
        (["model", "name"], "demo2"),
        (["model", "parameters"], "3700001"),
        (["engine", "tier"], "avx2"),
        (["engine", "version"], "0.2.1"),
        (["outputs", 0, "tokens"], [10, 11, 13]),
        (["outputs", 0, "text"], "Ho"),
        (["outputs", 0, "trace_root"], "ab" * 32),
        (["outputs", 0, "finish_reason"], "stop"),
        (["usage", "completion_tokens"], 4),
        (["request", "nonce"], "m"),
        (["request", "sequence"], "18"),
        (["request", "sampling", "temperature"], 0.5),
        (["request", "model_sha256"], "ab" * 32),
        (["request", "issued_at_ms"], str(T + 1)),
        (["prompt", "tokens"], [1, 2, 3, 4]),
        (["commitment", "value"], "ab" * 32),
        (["commitment", "signature"], "ab" * 64),
    ]


def _order(r):
    """The same receipt with S raised by the group's order: the same equation, another encoding."""
    raw = bytes.fromhex(r["signature"])
    s = int.from_bytes(raw[32:], "little") + ed25519.L
    return changed(r, (["signature"], (raw[:32] + s.to_bytes(32, "little")).hex()))


def _by_lax_key(encoded, scalar, torsion):
    """A receipt signed for a public key that no verifier may accept: encoded is how the key is written, scalar
    the part of it that its signer knows. The rest of the key, of order 1, 2, 4 or 8, counts `torsion` times, so
    that with 0 the equation holds, and with 1 it holds only where both sides are multiplied by 8."""
    r = changed(draft(), (["request", "server_key"], encoded.hex()))

    def signature(message):
        for nonce in range(1, 200):
            big_r = ed25519.encode(ed25519.multiply(nonce, ed25519.BASE))
            k = ed25519.challenge(big_r, encoded, message)
            if k % 8 == torsion:
                return (big_r + ((nonce + k * scalar) % ed25519.L).to_bytes(32, "little")).hex()
        raise ValueError("no such nonce")

    c = commitment(r)
    r["commitment"] = {"signature": signature(b"verbatim.commitment.v1\n" + c), "value": c.hex()}
    seal_seeds(r)
    r["signature"] = signature(verification_hash(r))
    return r


_ORDER_8 = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"


def _keys():
    """Keys of small order, and encodings of y that are not below p."""
    small = [
        ("1", (1).to_bytes(32, "little")),
        ("2", (2**255 - 20).to_bytes(32, "little")),
        ("4", bytes(32)),
        ("8", bytes.fromhex(_ORDER_8)),
    ]
    small += [
        ("1, y = p + 1", (2**255 - 18).to_bytes(32, "little")),
        ("4, y = p", (2**255 - 19).to_bytes(32, "little")),
        ("1, with the sign bit", (2**255 + 1).to_bytes(32, "little")),
    ]
    for order, key in small:
        yield f"a key of order {order}", _by_lax_key(key, 0, torsion=0)
    yield "a key that is no point", changed(draft(), (["request", "server_key"], (2).to_bytes(32, "little").hex()))
    secret = ed25519.secret_scalar(SEED)[0]
    mixed = ed25519.add(ed25519.multiply(secret, ed25519.BASE), ed25519.decode(bytes.fromhex(_ORDER_8)))
    yield "a key with a part of order 8: the equation holds times 8 only", _by_lax_key(
        ed25519.encode(mixed), secret, torsion=1
    )


def _nonce_point(r, point):
    """The receipt signed with this point for R and its discrete logarithm taken as 0."""
    k = ed25519.challenge(point, bytes.fromhex(r["request"]["server_key"]), verification_hash(r))
    s = k * ed25519.secret_scalar(SEED)[0] % ed25519.L
    return changed(r, (["signature"], (point + s.to_bytes(32, "little")).hex()))


def _signature():
    reason = REFUTED, "signature"
    r = sealed()
    for path, value in _signed_leaves():
        yield case(f"signature: {'.'.join(map(str, path))} changed after signing", changed(r, (path, value)), *reason)
    for at in (0, 1, 63, 64, 126, 127):
        yield case(
            f"signature: hex digit {at} changed", changed(r, (["signature"], _flip(r["signature"], at))), *reason
        )
    yield case("signature: zeros", changed(r, (["signature"], "00" * 64)), *reason)
    yield case("signature: S not below the group's order", _order(r), *reason)
    by_other = copy.deepcopy(r)
    seal_signature(by_other, OTHER_SEED)
    yield case("signature: by another key", by_other, *reason)
    yield case("signature: the commitment's", changed(r, (["signature"], r["commitment"]["signature"])), *reason)
    over = sign(SEED, b"verbatim.receipt.v1\n" + verification_hash(r))
    yield case("signature: over another message", changed(r, (["signature"], over)), *reason)
    yield case(
        "signature: of another receipt of this key",
        changed(r, (["signature"], seal(changed(draft(), (["id"], "chatcmpl-2")))["signature"])),
        *reason,
    )
    other = seal(changed(draft(), (["request", "server_key"], ed25519.public_key(OTHER_SEED).hex())), OTHER_SEED)
    yield case(
        "signature: the key's name replaced by another",
        changed(other, (["request", "server_key"], r["request"]["server_key"])),
        *reason,
    )
    for name, forged in _keys():
        yield case(f"signature: {name}", forged, *reason)
    identity = (1).to_bytes(32, "little")
    yield case(
        "signature: R is the identity, written with y = p + 1",
        _nonce_point(r, (2**255 - 18).to_bytes(32, "little")),
        *reason,
    )
    yield case("signature: R is the identity, as RFC 8032 allows", _nonce_point(r, identity), "VERIFIED")
    torsion = bytes.fromhex(_ORDER_8)
    yield case("signature: R has order 8: the equation holds times 8 only", _nonce_point(r, torsion), *reason)


# commitment


_REQUEST_LEAVES = [
    (["model_sha256"], "ab" * 32),
    (["max_tokens"], 4),
    (["ctx_tokens"], 65),
    (["sampling", "temperature"], 0),
    (["sampling", "presence_penalty"], 1),
    (["sampling", "frequency_penalty"], 1),
    (["sampling", "repetition_penalty"], 1.5),
    (["sampling", "top_k"], 41),
    (["sampling", "top_p_q32"], 2**32),
    (["sampling", "min_p_q32"], 1),
    (["sampling", "logit_bias"], []),
    (["stop", "strings"], []),
    (["stop", "tokens"], []),
    (["nonce"], ""),
    (["seed"], "7"),
    (["issued_at_ms"], str(T - 1)),
    (["sequence"], "18"),
    (["choices"], 2),
    (["prompt_tokens"], 5),
    (["prompt_sha256"], "ab" * 32),
    (["arithmetic"], "verbatim-arith/2"),
]


def _commitment():
    reason = REFUTED, "commitment"
    honest = sealed()
    for path, value in _REQUEST_LEAVES:
        r = changed(honest, (["request", *path], value))
        seal_seeds(r)
        seal_signature(r)
        yield case(f"commitment: request.{'.'.join(path)} changed after it", r, *reason)

    def committed(name, **change):
        r = changed(honest, *((["commitment", k], v) for k, v in change.items()))
        seal_signature(r)
        return case(f"commitment: {name}", r, *reason)

    value, signature = honest["commitment"]["value"], honest["commitment"]["signature"]
    later = seal(changed(draft(), (["request", "sequence"], "18")))["commitment"]
    yield committed("of another request", **later)
    yield committed("value of another request", value=later["value"])
    yield committed("signature of another request", signature=later["signature"])
    yield committed("value with one bit changed", value=_flip(value, 63))
    yield committed("signature with one bit changed", signature=_flip(signature, 3))
    yield committed("signed without its first line", signature=sign(SEED, bytes.fromhex(value)))
    yield committed(
        "signed by another key", signature=sign(OTHER_SEED, b"verbatim.commitment.v1\n" + bytes.fromhex(value))
    )
    yield committed("S not below the group's order", signature=_order({"signature": signature})["signature"])
    plain = digests.sha256(b"something else").hex()
    yield committed(
        "value of something else", value=plain, signature=sign(SEED, b"verbatim.commitment.v1\n" + bytes.fromhex(plain))
    )


# seed


def _seeds(world):
    reason = REFUTED, "seed"
    b = world.local

    def with_seeds(name, r, *seeds):
        for o, s in zip(r["outputs"], seeds):
            o["seed"] = s
        seal_signature(r)
        return case(f"seed: {name}", r, *reason)

    two = changed(
        draft(),
        (["outputs"], [output([10, 11, 12]), output([10, 11, 12])]),
        (["request", "choices"], 2),
        (["usage", "completion_tokens"], 6),
    )
    first, second = (o["seed"] for o in seal(copy.deepcopy(two))["outputs"])
    yield with_seeds("of the other choice", seal(copy.deepcopy(two)), second, first)
    yield with_seeds("of the first choice, twice", seal(copy.deepcopy(two)), first, first)
    yield with_seeds("the second's is wrong", seal(copy.deepcopy(two)), first, _flip(second, 0))
    yield with_seeds("one bit changed", sealed(), _flip(first, 63))
    yield with_seeds("of another caller's seed", sealed(), digests.seed_fixed(7, 0).hex())
    yield with_seeds("made as from a beacon", sealed(), sealed("local", b)["outputs"][0]["seed"])
    yield with_seeds("of the caller's kind for a beacon", sealed("local", b), first)
    yield with_seeds(
        "of another round", sealed("local", b), sealed("local", world.local_round(6))["outputs"][0]["seed"]
    )
    other = seal(changed(draft("local", b), (["request", "sequence"], "18")))
    yield with_seeds("of another request and the same round", sealed("local", b), other["outputs"][0]["seed"])
    replay = sealed("fixed", b)
    yield with_seeds("of the same round in another mode", sealed("local", b), replay["outputs"][0]["seed"])


# prompt, text, limits


def _prompts():
    reason = REFUTED, "prompt"
    for name, tokens in (
        ("another token", [1, 65535, 65536, 1048574]),
        ("two tokens exchanged", [65535, 1, 65536, 1048575]),
        ("a token more", [*PROMPT, 1]),
        ("a token less", PROMPT[:3]),
        ("a token twice", [1, 1, *PROMPT[1:3]]),
    ):
        yield case(f"prompt: {name}", seal(changed(draft(), (["prompt", "tokens"], tokens))), *reason)
        yield case(
            f"prompt: {name}, in a chat",
            seal(changed(draft(), (["prompt"], {**prompt_chat(), "tokens": tokens}))),
            *reason,
        )
    yield case(
        "prompt: its digest is another's", seal(changed(draft(), (["request", "prompt_sha256"], "ab" * 32))), *reason
    )
    for n in (3, 5):
        r = changed(draft(), (["request", "prompt_tokens"], n), (["usage", "prompt_tokens"], n))
        yield case(f"prompt: four tokens where {n} are stated", seal(r), *reason)


def _texts():
    reason = REFUTED, "text"
    for name, text in (
        ("edited", "Ho"),
        ("emptied", ""),
        ("a space added", "Hi "),
        ("a character that does not show", "Hi\u200b"),
    ):
        r = changed(draft(), (["outputs", 0, "text"], text))
        yield case(f"text: {name}, its digest kept", seal(r), *reason)
    yield case("text: its digest changed", seal(changed(draft(), (["outputs", 0, "text_sha256"], "ab" * 32))), *reason)
    plain = digests.sha256(b"Hi").hex()
    yield case(
        "text: its digest without the first line",
        seal(changed(draft(), (["outputs", 0, "text_sha256"], plain))),
        *reason,
    )
    two = changed(
        draft(),
        (["outputs"], [output([10, 11, 12], "A"), output([10, 11, 12], "B")]),
        (["request", "choices"], 2),
        (["usage", "completion_tokens"], 6),
    )
    put(two, ["outputs", 1, "text"], "A")
    yield case("text: the second output's", seal(two), *reason)


def _answer(*outputs, **request):
    """A receipt with these outputs and with members of the request replaced."""
    r = changed(
        draft(),
        (["outputs"], [copy.deepcopy(o) for o in outputs]),
        (["request", "choices"], len(outputs)),
        (["usage", "completion_tokens"], sum(len(o["tokens"]) for o in outputs)),
    )
    r["request"].update(request)
    return r


def _limits():
    def limit(name, r, reason):
        return case(f"limits: {name}", seal(r), REFUTED, reason)

    three, two, one = output([10, 11, 12]), output([10, 11]), output([10], finish="stop")
    yield limit("fewer outputs than choices", _answer(three, choices=2), "truncated")
    yield limit("more outputs than choices", _answer(three, three, choices=1), "truncated")
    for n in (0, 3, 5, 2**53):
        yield limit(f"usage counts {n} prompt tokens", changed(draft(), (["usage", "prompt_tokens"], n)), "prompt")
    for n in (1, 4):
        yield limit(f"a context of {n} tokens, all of it the prompt's", _answer(one, ctx_tokens=n), "parameters")
    yield limit("more tokens than max_tokens", _answer(output([10, 11, 12, 13])), "finish-reason")
    yield limit(
        "more tokens than max_tokens, ended by stop", _answer(output([10, 11, 12, 2], finish="stop")), "finish-reason"
    )
    yield limit("more tokens than the context", _answer(three, ctx_tokens=6), "finish-reason")
    yield limit("fewer tokens than length means", _answer(two), "truncated")
    yield limit("fewer tokens than length means, by the context", _answer(two, ctx_tokens=7), "truncated")
    yield limit(
        "fewer tokens than max_tokens, that fill the context less one",
        _answer(two, ctx_tokens=7, max_tokens=9),
        "truncated",
    )
    yield limit("a stop token before the end", _answer(output([10, 2, 12])), "finish-reason")
    yield limit("a stop token first, before an end by stop", _answer(output([9, 2], finish="stop")), "finish-reason")
    yield limit("a stop token ends by length", _answer(output([10, 11, 2])), "finish-reason")
    yield limit("a stop token twice at the end", _answer(output([10, 2, 2], finish="stop")), "finish-reason")
    yield limit("the second output is cut", _answer(three, two), "truncated")
    for n in (0, 2, 4, 2**53):
        yield limit(
            f"usage counts {n} completion tokens", changed(draft(), (["usage", "completion_tokens"], n)), "truncated"
        )
    counted = changed(_answer(three, three), (["usage", "completion_tokens"], 3))
    yield limit("usage counts the first output only", counted, "truncated")
    # In the order of section 4.
    r = _answer(output([10, 11, 12, 13]), choices=2)
    yield limit("outputs are missing and one is too long", r, "truncated")
    r = changed(_answer(three, ctx_tokens=4), (["usage", "prompt_tokens"], 5))
    yield limit("usage is wrong and the context full", r, "prompt")
    yield limit("the context is full and an output too long", _answer(three, ctx_tokens=4), "parameters")
    yield limit(
        "the first output too long, the second too short", _answer(output([10, 11, 12, 13]), two), "finish-reason"
    )
    yield limit("the first output too short, the second too long", _answer(two, output([10, 11, 12, 13])), "truncated")
    yield limit("too short, with a stop token inside", _answer(output([2, 10])), "truncated")
    r = changed(_answer(output([2, 10, 11])), (["usage", "completion_tokens"], 9))
    yield limit("a stop token inside and a wrong sum", r, "finish-reason")


# What stands first when several checks fail or can not be made.


def _order_of_checks(world):
    b = world.local

    def broken(*parts):
        """A local round; each part named is wrong, and what is not named is sealed."""
        r = draft("local", b)
        changes = {
            "arithmetic": (["request", "arithmetic"], "verbatim-arith/2"),
            "proof": (["beacon", "round"], "6"),
            "prompt": (["prompt", "tokens"], [1, 2, 3, 4]),
            "private": (["prompt"], private(prompt_text())),
            "text": (["outputs", 0, "text"], "x"),
            "limits": (["usage", "completion_tokens"], 9),
            "rule": (["request", "beacon", "mode"], "latest"),
            "kind": (["request", "beacon", "id"], "other:" + b.id[6:]),
        }
        if "kind" in parts:  # so that the rule asks for a window
            put(r, ["request", "beacon", "mode"], "next")
        for p in parts:
            if p in changes:
                put(r, *changes[p])
        seal_commitment(r)
        if "commitment" in parts:
            r["commitment"]["value"] = "ab" * 32
        seal_seeds(r)
        if "seed" in parts:
            r["outputs"][0]["seed"] = "ab" * 32
        seal_signature(r, OTHER_SEED if "signature" in parts else SEED)
        return r

    table = [
        (("signature", "commitment", "proof", "seed", "prompt", "text", "limits"), REFUTED, "signature"),
        (("commitment", "proof", "seed", "prompt", "text", "limits"), REFUTED, "commitment"),
        (("proof", "rule", "seed", "prompt", "text", "limits"), REFUTED, "beacon-proof"),
        (("rule", "seed", "prompt", "text", "limits"), REFUTED, "round-rule"),
        (("seed", "prompt", "text", "limits"), REFUTED, "seed"),
        (("prompt", "text", "limits"), REFUTED, "prompt"),
        (("text", "limits"), REFUTED, "text"),
        (("arithmetic",), UNVERIFIABLE, "unsupported-arithmetic"),
        (("arithmetic", "kind", "private"), UNVERIFIABLE, "unsupported-arithmetic"),
        (("kind",), UNVERIFIABLE, "unsupported-beacon"),
        (("kind", "private"), UNVERIFIABLE, "unsupported-beacon"),
        (("private",), UNVERIFIABLE, "missing-prompt"),
        (("arithmetic", "limits"), REFUTED, "truncated"),
        (("arithmetic", "signature"), REFUTED, "signature"),
        (("kind", "seed"), REFUTED, "seed"),
        (("private", "text"), REFUTED, "text"),
        (("private", "limits"), REFUTED, "truncated"),
        (("kind", "private", "arithmetic", "proof", "text"), REFUTED, "text"),
    ]
    for parts, verdict, reason in table:
        yield case(f"order: wrong are {', '.join(parts)}", broken(*parts), verdict, reason)


def _arithmetic():
    for name in ("verbatim-arith/2", "verbatim-arith/", "Verbatim-arith/1", "verbatim-arith/1 ", "x"):
        yield case(
            f"arithmetic: {name!r}",
            seal(changed(draft(), (["request", "arithmetic"], name))),
            UNVERIFIABLE,
            "unsupported-arithmetic",
        )


# One receipt's part in another.


def _splices(world):
    a, b = sealed("local", world.local), seal(
        changed(draft("local", world.local_round(6)), (["request", "sequence"], "18"))
    )
    expected = {"beacon": "seed", "commitment": "commitment", "outputs": "seed", "request": "commitment"}
    for part, reason in expected.items():
        r = changed(a, ([part], copy.deepcopy(b[part])))
        yield case(f"splice: {part} of another receipt, not signed", r, REFUTED, "signature")
        seal_signature(r)
        yield case(f"splice: {part} of another receipt, signed", r, REFUTED, reason)
    r = changed(a, (["request"], b["request"]), (["commitment"], b["commitment"]))
    seal_signature(r)
    yield case("splice: request and commitment of another receipt, signed", r, REFUTED, "seed")
    prompt = changed(a, (["prompt"], {**prompt_text(), "tokens": [5, 6, 7, 8]}))
    seal_signature(prompt)
    yield case("splice: prompt of another receipt, signed", prompt, REFUTED, "prompt")


def cases(world):
    for part in (
        _signature(),
        _commitment(),
        _seeds(world),
        _prompts(),
        _texts(),
        _limits(),
        _order_of_checks(world),
        _arithmetic(),
        _splices(world),
    ):
        yield from part
