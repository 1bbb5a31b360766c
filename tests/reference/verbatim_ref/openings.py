"""Openings with their verdicts at level `opening`, for second.py: those of spec/vectors/written, with one thing
changed, and of the same answers under another constraint, signed anew."""

import base64
import copy
import json
import os

from . import ed25519, gguf, opening_check, receipt_check, trust, vocabulary
from .digests import sha256
from .strict import canonical

REFUTED, UNVERIFIABLE, VERIFIED = receipt_check.REFUTED, receipt_check.UNVERIFIABLE, receipt_check.VERIFIED
MODEL = os.path.join("models", "verbatim-demo", "verbatim-demo-q8_0.gguf")
SEED = bytes(range(32))


def _case(name, opening, receipt, verdict, reason=None, model=True):
    return {"name": name, "opening": canonical(opening), "receipt": canonical(receipt), "model": model,
            "verdict": verdict, "reason": reason}


def _with_logit(text, i, change):
    raw = bytearray(base64.b64decode(text))
    raw[4 * i] ^= change
    return base64.b64encode(raw).decode()


def _changed(name, o, r):
    """One opening, and the verdicts of its neighbours."""
    bad = UNVERIFIABLE, "unreadable"
    for what, change, verdict, reason in (
        ("another receipt's", {"receipt": "00" * 32}, REFUTED, "signature"),
        ("of another output", {"choice": 1}, REFUTED, "token"),
        ("of a position that there is not", {"position": 2**22 - 1}, REFUTED, "token"),
        ("of another token", {"token": o["token"] ^ 1}, REFUTED, "token"),
        ("with another logit", {"logits": _with_logit(o["logits"], o["token"] ^ 1, 1)}, REFUTED, "trace"),
        ("with a shorter path", {"path": o["path"][:-1]}, REFUTED, "trace"),
        ("with a longer path", {"path": [*o["path"], "00" * 32]}, REFUTED, "trace"),
        ("with its path the other way", {"path": o["path"][::-1]}, REFUTED, "trace"),
        ("with another rank", {"rank": o["rank"] + 1}, REFUTED, "parameters"),
        ("with another weight", {"weight": str(int(o["weight"]) + 1)}, REFUTED, "parameters"),
        ("with another total", {"total": str(int(o["total"]) - 1)}, REFUTED, "parameters"),
        ("with another number for its logit", {"logit": o["logit"] * 2}, REFUTED, "parameters"),
        ("with a logit that is no binary32", {"logit": 0.1}, *bad),
        ("of format 2", {"format": "verbatim.opening/2"}, UNVERIFIABLE, "unsupported-format"),
        ("with a member more", {"extra": None}, *bad),
        ("with rank 0", {"rank": 0}, *bad),
        ("of output 128", {"choice": 128}, *bad),
        ("with half a logit", {"logits": o["logits"][:-4]}, *bad),
        ("with bits after the base64", {"logits": "AAAAAB==", "token": 0, "rank": 1}, *bad),
        ("with an infinite logit", {"logits": base64.b64encode(bytes.fromhex("0000807f") * 2304).decode()}, *bad),
        ("with 65 hashes", {"path": ["00" * 32] * 65}, *bad),
    ):
        yield _case(f"{name}, {what}", {**o, **change}, r, verdict, reason)


def _sealed(r):
    """Signed by our key; the seeds of mode fixed stay what they are."""
    r["request"]["server_key"] = ed25519.public_key(SEED).hex()
    c = sha256(b"verbatim.request.v1\n" + canonical(r["request"]))
    r["commitment"] = {"signature": ed25519.sign(SEED, b"verbatim.commitment.v1\n" + c).hex(), "value": c.hex()}
    r["signature"] = ed25519.sign(SEED, receipt_check.verification_hash(r)).hex()
    return r


def _under(o, r, constraint, **request):
    """The same answer and opening in the receipt of another request."""
    r = copy.deepcopy(r)
    r["request"].update(constraint=constraint, **request)
    _sealed(r)
    return {**o, "receipt": receipt_check.verification_hash(r).hex()}, r


def _other_requests(folder):
    """The constraint of the first answer matters where it was opened: anything but { would be likelier."""
    begun, within = ([_load(folder, f"{name}{end}.json") for end in (".opening", "")]
                     for name in ("constraint-object", "constraint-schema"))
    shape = {"type": "json_schema", "schema": {"type": "object"}}
    token = REFUTED, "token"
    for name, (o, r), constraint, verdict, reason in (
        ("its own, signed anew", begun, begun[1]["request"]["constraint"], VERIFIED, None),
        ("the same in other words", begun, shape, VERIFIED, None),
        ("no constraint", begun, None, *token),
        ("a constraint of another kind of value", begun, {"type": "json_schema", "schema": {"type": "array"}}, *token),
        ("a constraint of other texts", begun, {"type": "choice", "texts": ["no", "yes"]}, *token),
        ("one that no text satisfies", begun, {"type": "json_schema", "schema": False}, REFUTED, "parameters"),
        ("one that allows the answer so far, and less", within,
         {"type": "json_schema", "schema": {"const": json.loads(within[1]["outputs"][0]["text"])}}, VERIFIED, None),
        ("one that allows no such beginning", within, {"type": "choice", "texts": ["no"]}, *token),
        ("one that allows another name", within,
         {"type": "json_schema", "schema": {"properties": {"nam": {"type": "string"}}}}, *token),
    ):
        yield _case(f"under {name}", *_under(o, r, constraint), verdict, reason)
    o, r = within
    stop = {"strings": [], "tokens": [r["outputs"][0]["tokens"][-1]]}
    yield _case("with its end as a stop token too", *_under(o, r, r["request"]["constraint"], stop=stop), VERIFIED)


def cases(root):
    folder = os.path.join(root, "spec", "vectors", "written")
    for name, reason in (("local-text", None), ("constraint-object", "missing-model")):
        o, r = _load(folder, name + ".opening.json"), _load(folder, name + ".json")
        yield _case(name, o, r, VERIFIED)
        yield _case(f"{name}, without the model", o, r, UNVERIFIABLE if reason else VERIFIED, reason, model=False)
        yield from _changed(name, o, r)
    yield from _other_requests(folder)


def _load(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as f:
        return json.load(f)


def agrees(root, prefix):
    """Whether this package judges as stated the cases whose name begins so, of which there is one at least."""
    found, verdict = [c for c in cases(root) if c["name"].startswith(prefix)], judge(root)
    return bool(found) and all(verdict(c) == (c["verdict"], c["reason"]) for c in found)


def judge(root):
    """What this package says of a case."""
    known, roots = vocabulary.Vocabulary(gguf.load(os.path.join(root, MODEL))), trust.Trust(None)
    return lambda c: opening_check.check(c["opening"], c["receipt"], roots, known if c["model"] else None)
