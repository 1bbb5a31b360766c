#!/usr/bin/python3
"""Writes spec/vectors/statements.json: what spec/witness.md section 2 says of each statement, of statements held against
receipts, and of pairs. The results stand beside the construction of each case and are not asked of any implementation.

    make.py FILE
"""

import copy
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "reference"))

from verbatim_ref import ed25519, secp256k1, statements  # noqa: E402
from verbatim_ref.strict import canonical  # noqa: E402

SEED, OTHER_SEED = bytes(range(32)), bytes(range(1, 33))
ACCOUNT, OTHER_ACCOUNT = 0x1234, 0x5678
REGISTRIES = [("1", "aa" * 20), ("1", "ab" * 20), ("361", "00" * 20)]
BASE = {
    "answer_sha256": "a1" * 32, "attestations": [], "commitment": "c0" * 32, "drawn_at_s": "1763850000",
    "engine": {"tier": "avx2", "version": "0.1.0"}, "format": "verbatim.statement/1", "judged_at_ms": "1763850012345",
    "level": "full", "log": {"index": "7", "origin": "log.example/verbatim"}, "model_sha256": "de" * 32, "reason": None,
    "record_sha256": "ec" * 32, "sequence": "17", "server_key": "5e" * 32, "verdict": "VERIFIED",
    "witness": "witness.example"}


def attestation(value, place, account=ACCOUNT):
    digest = statements.attested_digest(value, *place)
    raw = secp256k1.sign(account, digest, 77777)
    return {"chain_id": place[0], "registry": place[1], "signature": (raw[:64] + bytes([raw[64] + 27])).hex(),
            "signer": secp256k1.address(account).hex()}


def signed(changes=None, seed=SEED, places=(), attested=None):
    """The base with members changed, attested (the list given stands for them) and signed."""
    value = copy.deepcopy(BASE) | (changes or {})
    value["attestations"] = attested if attested is not None else [attestation(value, p) for p in places]
    value.setdefault("witness_key", ed25519.public_key(seed).hex())
    return value | {"signature": ed25519.sign(seed, statements.digest(value)).hex()}


def text(value):
    return canonical(value).decode()


GOOD = {
    "verified": signed(),
    "the same by another key": signed(seed=OTHER_SEED),
    "verified at level receipt": signed({"level": "receipt"}),
    "verified later": signed({"judged_at_ms": "1763850099999"}),
    "refuted": signed({"verdict": "REFUTED", "reason": "token"}),
    "refuted by another key": signed({"verdict": "REFUTED", "reason": "token"}, OTHER_SEED),
    "refuted, no time": signed({"verdict": "REFUTED", "reason": "beacon-proof", "drawn_at_s": "0"}),
    "refuted for the signature": signed({"verdict": "REFUTED", "reason": "signature"}),
    "refuted, another answer": signed({"verdict": "REFUTED", "reason": "token", "answer_sha256": "a2" * 32}),
    "unverifiable": signed({"verdict": "UNVERIFIABLE", "reason": "missing-model"}),
    "no log": signed({"log": None}),
    "no round": signed({"drawn_at_s": "0"}),
    "another answer": signed({"answer_sha256": "a2" * 32}),
    "another commitment": signed({"commitment": "c1" * 32}),
    "another model": signed({"model_sha256": "df" * 32}),
    "another server": signed({"server_key": "5f" * 32}),
    "another sequence": signed({"sequence": "18"}),
    "another record": signed({"record_sha256": "ed" * 32, "verdict": "REFUTED", "reason": "token"}),
    "attested": signed(places=REGISTRIES),
    "attested eight times": signed(places=[(str(i), "11" * 20) for i in range(1, 9)]),
    "attested, refuted at level sample": signed({"verdict": "REFUTED", "reason": "token", "level": "sample"},
                                                places=REGISTRIES[:1]),
    "attested, unverifiable at level receipt": signed(
        {"verdict": "UNVERIFIABLE", "reason": "x", "level": "receipt", "drawn_at_s": "0"}, places=REGISTRIES[2:]),
    "attested on the last chain": signed(places=[(str(2**64 - 1), "ff" * 20)]),
    "greatest numbers": signed({"drawn_at_s": "253402300799", "judged_at_ms": "253402300799999",
                                "sequence": str(2**64 - 1), "log": {"index": str(2**40 - 1), "origin": "o" * 255},
                                "witness": "\u00e9" * 127, "reason": "r" * 64, "verdict": "REFUTED"}),
}


def malformed():
    """(name, value): signed, so that the form alone is wrong."""
    for member in statements.MEMBERS:
        value = signed()
        del value[member]
        yield f"without {member}", value
        for other in (True, 1, "", [{}], {"zz": 1}):
            yield f"{member} is {other!r}", signed() | {member: other}
        if member not in ("log", "reason"):
            yield f"{member} is null", signed() | {member: None}
    yield "a member more", signed({"note": ""})
    for member, bad in [
            ("commitment", "C0" * 32), ("commitment", "c0" * 31), ("drawn_at_s", "253402300800"), ("drawn_at_s", "01"),
            ("judged_at_ms", "253402300800000"), ("judged_at_ms", "-1"), ("sequence", "0"), ("sequence", str(2**64)),
            ("level", "opening"), ("level", "quorum"), ("verdict", "verified"), ("witness", "a b"), ("witness", "a+b"),
            ("witness", "a\u00a0b"), ("witness", "w" * 256), ("witness", "a\n"), ("reason", "token"),
            ("log", {"index": str(2**40), "origin": "o"}), ("log", {"index": "0", "origin": ""}),
            ("log", {"index": "0", "origin": "a b"}), ("log", {"index": 0, "origin": "o"}), ("log", {"index": "0"}),
            ("engine", {"tier": "", "version": "1"}), ("engine", {"tier": "x" * 257, "version": "1"}),
            ("engine", {"tier": "x"}), ("format", "verbatim.receipt/1"), ("format", "verbatim.statement"),
            ("witness_key", "00" * 31)]:
        yield f"{member} is {str(bad)[:40]} ({len(str(bad))})", signed({member: bad})
    for verdict, reason in (("REFUTED", None), ("UNVERIFIABLE", None), ("REFUTED", ""), ("REFUTED", "r" * 65)):
        yield f"{verdict} for {str(reason)[:8]!r}", signed({"verdict": verdict, "reason": reason})
    base = copy.deepcopy(BASE)
    one, two, three = [attestation(base, p) for p in REGISTRIES]
    yield "attestations in another order", signed(attested=[two, one])
    yield "chains in another order", signed(attested=[three, one])
    yield "an attestation twice", signed(attested=[one, one])
    yield "nine attestations", signed(places=[(str(i), "11" * 20) for i in range(1, 10)])
    raw = bytes.fromhex(one["signature"])
    higher = raw[:32] + (secp256k1.N - int.from_bytes(raw[32:64], "big")).to_bytes(32, "big") + bytes([55 - raw[64]])
    for name, change in [("chain 0", {"chain_id": "0"}), ("a registry of 19 bytes", {"registry": "aa" * 19}),
                         ("v of 0", {"signature": raw[:64].hex() + "00"}), ("v of 29", {"signature": raw[:64].hex() + "1d"}),
                         ("the greater s", {"signature": higher.hex()}), ("no signer", {"signer": None})]:
        yield f"an attestation with {name}", signed(attested=[one | change])
    yield "an attestation with a member more", signed(attested=[one | {"x": 1}])


def refused():
    good = signed(places=REGISTRIES[:1])
    for member, other in [("answer_sha256", "a2" * 32), ("commitment", "c1" * 32), ("drawn_at_s", "1"),
                          ("engine", {"tier": "avx2", "version": "0.1.1"}), ("judged_at_ms", "0"), ("level", "sample"),
                          ("log", None), ("model_sha256", "df" * 32), ("record_sha256", "ed" * 32), ("sequence", "18"),
                          ("server_key", "5f" * 32), ("witness", "other"), ("signature", "00" * 64), ("attestations", []),
                          ("witness_key", ed25519.public_key(OTHER_SEED).hex()), ("witness_key", "00" * 32)]:
        yield f"{member} changed to {str(other)[:12]} after the signature", good | {member: other}
    yield "refuted after the signature", good | {"verdict": "REFUTED", "reason": "token"}
    one = attestation(copy.deepcopy(BASE), REGISTRIES[0])
    yield "attested for another registry", signed(attested=[one | {"registry": "ab" * 20}])
    yield "attested for another chain", signed(attested=[one | {"chain_id": "2"}])
    yield "another signer", signed(attested=[one | {"signer": secp256k1.address(OTHER_ACCOUNT).hex()}])
    yield "attested with r of zero", signed(attested=[one | {"signature": "00" * 32 + one["signature"][64:]}])
    yield "attested with s of zero", signed(
        attested=[one | {"signature": one["signature"][:64] + "00" * 32 + one["signature"][128:]}])
    for member, other in [("level", "sample"), ("judged_at_ms", "1763850013000"), ("drawn_at_s", "1"),
                          ("answer_sha256", "a2" * 32)]:
        yield f"attested before {member} was changed", signed({member: other}, attested=[one])
    yield "attested verified, stated refuted", signed({"verdict": "REFUTED", "reason": "token"}, attested=[one])


def cases():
    for name, value in GOOD.items():
        yield name, text(value), "ok"
    # The milliseconds are not attested.
    yield "attested in the same second", text(
        signed({"judged_at_ms": "1763850012999"}, attested=[attestation(BASE, REGISTRIES[0])])), "ok"
    for name, value in malformed():
        yield name, text(value), "malformed"
    for name, value in refused():
        yield name, text(value), "refused"
    yield "another version", text(signed({"format": "verbatim.statement/2"})), "unsupported"
    good = text(GOOD["verified"])
    for name, form in [("nothing", ""), ("a line feed behind it", good + "\n"), ("a space", good.replace(":", ": ", 1)),
                       ("a member twice", good[:-1] + ',"witness":"w"}'), ("cut short", good[:-1]), ("an array", f"[{good}]")]:
        yield name, form, "malformed"
    yield "too long", text(signed({"reason": "r" * 70000, "verdict": "REFUTED"})), "malformed"


def claim(value):
    return {m: value[m] for m in statements.CLAIM + ("drawn_at_s",)}


def matches():
    receipt = claim(BASE)
    for name in ("verified", "refuted", "refuted, no time", "unverifiable", "attested"):
        yield {"name": name, "statement": name, "claim": receipt, "holds": True}
    for name in ("no round", "another answer", "another commitment", "another model", "another server", "another sequence",
                 "another record", "refuted, another answer"):
        yield {"name": name, "statement": name, "claim": receipt, "holds": False}
    for member in statements.CLAIM:
        other = "99" if member == "sequence" else "99" * 32
        for name in ("verified", "refuted", "unverifiable"):
            yield {"name": f"{name}; the receipt's {member} is another", "statement": name,
                   "claim": receipt | {member: other}, "holds": False}
    for name in ("verified", "refuted", "unverifiable"):
        yield {"name": f"{name}; the round's time is another", "statement": name, "claim": receipt | {"drawn_at_s": "5"},
               "holds": name != "verified"}


def conflicts():
    against_verified = {
        "verified": False, "the same by another key": False, "verified at level receipt": False, "verified later": False,
        "refuted": True, "refuted by another key": False, "refuted, no time": True, "refuted for the signature": False,
        "refuted, another answer": True, "unverifiable": False, "no log": False, "no round": True, "another answer": True,
        "another commitment": True, "another model": True, "another server": True, "another sequence": True,
        "another record": False, "attested": False}
    for other, wanted in against_verified.items():
        yield {"a": "verified", "b": other, "conflict": wanted}
        yield {"a": other, "b": "verified", "conflict": wanted}
    for a, b, wanted in [("refuted", "refuted, no time", False), ("refuted", "refuted, another answer", True),
                         ("refuted", "unverifiable", False), ("refuted", "refuted for the signature", False),
                         ("verified at level receipt", "refuted", True), ("another answer", "unverifiable", False),
                         ("the same by another key", "refuted by another key", True)]:
        yield {"a": a, "b": b, "conflict": wanted}


def main():
    parts = {"cases": [{"name": n, "statement": s, "result": r} for n, s, r in cases()],
             "matches": list(matches()), "conflicts": list(conflicts())}
    names = [c["name"] for c in parts["cases"]]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise SystemExit(f"cases of one name: {twice}")
    with open(sys.argv[1], "w", encoding="ascii") as f:
        f.write("{" + ",\n".join(f'"{part}":[\n' + ",\n".join(json.dumps(c, sort_keys=True) for c in rows) + "\n]"
                                 for part, rows in parts.items()) + "}\n")
    print(f"{sys.argv[1]}: {({k: len(v) for k, v in parts.items()})}")


if __name__ == "__main__":
    main()
