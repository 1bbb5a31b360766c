"""Witnesses' statements: spec/witness.md section 2, read from its text."""

import hashlib
import re
from dataclasses import dataclass

from . import ed25519, secp256k1, strict
from .keccak import keccak256
from .receipt_form import Unsupported
from .strict import BadForm, canonical, decimal, hexadecimal, members

BYTES_MAX = 2**16
MS_MAX = 253402300799999
OUTCOMES = {"VERIFIED": 1, "REFUTED": 2, "UNVERIFIABLE": 3}
LEVELS = {"receipt": 1, "sample": 2, "full": 3}
CLAIM = ("record_sha256", "commitment", "model_sha256", "answer_sha256", "server_key", "sequence")
MEMBERS = CLAIM + ("drawn_at_s", "attestations", "engine", "format", "judged_at_ms", "level", "log", "reason",
                   "signature", "verdict", "witness", "witness_key")


class Refused(Exception):
    """Well-formed, and not true."""


@dataclass(frozen=True)
class Statement:
    """As it stands in the file."""

    value: dict

    def __getattr__(self, name):
        return self.value[name]


def _key_name(value):
    strict.name(value, 1, 255)
    if "+" in value or re.search(r"\s|[\x80-\x9f]", value):
        raise BadForm("not a name for a key")


def _chain_key(attestation):
    return int(attestation["chain_id"]), attestation["registry"]


def _attestation(value):
    chain_id, registry, signature, signer = members(value, "chain_id", "registry", "signature", "signer")
    decimal(chain_id, 1)
    hexadecimal(registry, 20)
    hexadecimal(signer, 20)
    raw = hexadecimal(signature, 65)
    if int.from_bytes(raw[32:64], "big") > secp256k1.N // 2 or raw[64] not in (27, 28):
        raise BadForm("not a contract's form of a signature")
    return _chain_key(value)


def read(raw):
    """A well-formed statement."""
    if len(raw) > BYTES_MAX:
        raise BadForm("too long")
    value = strict.parse(raw)
    form = value.get("format") if isinstance(value, dict) else None
    if isinstance(form, str) and form.startswith("verbatim.statement/") and form != "verbatim.statement/1":
        raise Unsupported(form)
    v = dict(zip(MEMBERS, members(value, *MEMBERS)))
    if form != "verbatim.statement/1":
        raise BadForm("format")
    for name in ("answer_sha256", "commitment", "model_sha256", "record_sha256", "server_key", "witness_key"):
        hexadecimal(v[name], 32)
    hexadecimal(v["signature"], 64)
    decimal(v["sequence"], 1)
    decimal(v["drawn_at_s"], 0, MS_MAX // 1000)
    decimal(v["judged_at_ms"], 0, MS_MAX)
    if v["verdict"] not in list(OUTCOMES) or v["level"] not in list(LEVELS):
        raise BadForm("verdict or level")
    if (v["reason"] is None) != (v["verdict"] == "VERIFIED"):
        raise BadForm("a reason with VERIFIED, or none without")
    if v["reason"] is not None:
        strict.name(v["reason"], 1, 64)
    for part in members(v["engine"], "tier", "version"):
        strict.name(part, 1)
    _key_name(v["witness"])
    if v["log"] is not None:
        index, origin = members(v["log"], "index", "origin")
        decimal(index, 0, 2**40 - 1)
        _key_name(origin)
    strict.ascending([_attestation(a) for a in strict.array(v["attestations"], 0, 8)])
    return Statement(v)


def digest(value):
    """What witness_key signs."""
    unsigned = {k: v for k, v in value.items() if k != "signature"}
    return hashlib.sha256(b"verbatim.statement.v1\n" + canonical(unsigned)).digest()


def _word(value):
    return value.to_bytes(32, "big")


def attested_digest(value, chain_id, registry):
    """EIP-712's, of spec/chain.md section 4."""
    domain = keccak256(
        keccak256(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)") +
        keccak256(b"Verbatim") + keccak256(b"1") + _word(int(chain_id)) + bytes(12) + bytes.fromhex(registry))
    verdict = keccak256(
        keccak256(b"Verdict(bytes32 record,bytes32 commitment,bytes32 model,bytes32 answer,uint64 drawnAt,"
                  b"uint8 outcome,uint8 level,uint64 judgedAt)") +
        b"".join(bytes.fromhex(value[m]) for m in ("record_sha256", "commitment", "model_sha256", "answer_sha256")) +
        _word(int(value["drawn_at_s"])) + _word(OUTCOMES[value["verdict"]]) + _word(LEVELS[value["level"]]) +
        _word(int(value["judged_at_ms"]) // 1000))
    return keccak256(b"\x19\x01" + domain + verdict)


def check(statement):
    """Refuses what is not good."""
    v = statement.value
    if not ed25519.verify(bytes.fromhex(v["witness_key"]), digest(v), bytes.fromhex(v["signature"])):
        raise Refused("signature")
    for a in v["attestations"]:
        raw = bytes.fromhex(a["signature"])
        signer = secp256k1.recover(attested_digest(v, a["chain_id"], a["registry"]), raw[:64] + bytes([raw[64] - 27]))
        if signer is None or signer.hex() != a["signer"]:
            raise Refused("attestation")


def holds_against(statement, claim):
    """Whether it is about the receipt with these members."""
    bound = CLAIM + (("drawn_at_s",) if statement.verdict == "VERIFIED" else ())
    return all(statement.value[m] == claim[m] for m in bound)


def _speaks(s):
    return s.verdict == "VERIFIED" or s.verdict == "REFUTED" and s.reason != "signature"


def conflict(a, b):
    """Of two good statements."""
    if (a.witness_key, a.record_sha256) != (b.witness_key, b.record_sha256) or not (_speaks(a) and _speaks(b)):
        return False
    bound = CLAIM + (("drawn_at_s",) if a.verdict == b.verdict == "VERIFIED" else ())
    return a.verdict != b.verdict or any(a.value[m] != b.value[m] for m in bound)
