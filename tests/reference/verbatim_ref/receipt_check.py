"""A receipt's verdict at level `receipt`: spec/receipt.md section 4, check after check."""

from . import beacons, digests, ed25519, receipt_form
from .digests import sha256
from .strict import BadForm, canonical

VERIFIED, REFUTED, UNVERIFIABLE = "VERIFIED", "REFUTED", "UNVERIFIABLE"
EXIT = {VERIFIED: 0, REFUTED: 10, UNVERIFIABLE: 11}


class Subject:
    """A receipt of good form, and what its checks share."""

    def __init__(self, receipt, trust):
        self.receipt, self.trust = receipt, trust
        self.request = receipt["request"]
        self.c = sha256(b"verbatim.request.v1\n" + canonical(self.request))
        self.round, self.result = None, None
        if receipt["beacon"] is not None:
            b = receipt["beacon"]
            self.round = beacons.Round(self.request["beacon"]["id"], int(b["round"]), bytes.fromhex(b["randomness"]),
                                       b["proof"])
            self.result = beacons.check(self.round, trust)

    def signed(self, message, signature):
        return ed25519.verify(bytes.fromhex(self.request["server_key"]), message, bytes.fromhex(signature))


def verification_hash(receipt):
    return sha256(b"verbatim.receipt.v1\n" + canonical({k: v for k, v in receipt.items() if k != "signature"}))


# A check returns None when it passed, or a verdict and a reason.


def _signature(s):
    return None if s.signed(verification_hash(s.receipt), s.receipt["signature"]) else (REFUTED, "signature")


def _server_key(s):
    keys = s.trust.server_keys
    known = keys is None or bytes.fromhex(s.request["server_key"]) in keys
    return None if known else (UNVERIFIABLE, "trust-root")


def _commitment(s):
    claimed = s.receipt["commitment"]
    good = claimed["value"] == s.c.hex() and \
        s.signed(b"verbatim.commitment.v1\n" + s.c, claimed["signature"])
    return None if good else (REFUTED, "commitment")


def _arithmetic(s):
    known = s.request["arithmetic"] == "verbatim-arith/1"
    return None if known else (UNVERIFIABLE, "unsupported-arithmetic")


_PROOF = {"ok": (VERIFIED, None), "false": (REFUTED, "beacon-proof"), "untrusted": (UNVERIFIABLE, "trust-root"),
          "unsupported": (UNVERIFIABLE, "unsupported-beacon")}


def beacon_verdict(b, result, trust):
    if result.name == "ok" and not trust.accepts_beacon(b.id):
        return UNVERIFIABLE, "trust-root"
    return _PROOF[result.name]


def _beacon_proof(s):
    if s.round is None:
        return None
    found = beacon_verdict(s.round, s.result, s.trust)
    return None if found[0] == VERIFIED else found


def _round_rule(s):
    asked = s.request["beacon"]
    if s.round is not None:
        number = None if asked["round"] is None else int(asked["round"])
        t = int(s.request["issued_at_ms"])
        holds = beacons.rule_holds(asked["mode"], number, t, s.round, s.result)
        if holds is None:
            return UNVERIFIABLE, _PROOF[s.result.name][1]
        if not holds:
            return REFUTED, "round-rule"
    accepted = s.trust.modes is None or asked["mode"] in s.trust.modes
    return None if accepted else (UNVERIFIABLE, "trust-root")


def _seed_of(s, choice):
    if s.round is None:
        return digests.seed_fixed(int(s.request["seed"]), choice)
    return sha256(b"verbatim.seed.v1\n" + s.round.id.encode() + b"\0" + s.round.number.to_bytes(8, "big") +
                  s.round.randomness + s.c + choice.to_bytes(4, "big"))


def _seed(s):
    good = all(o["seed"] == _seed_of(s, i).hex() for i, o in enumerate(s.receipt["outputs"]))
    return None if good else (REFUTED, "seed")


def _prompt_digest(s):
    tokens = s.receipt["prompt"]["tokens"]
    if tokens is None:
        return UNVERIFIABLE, "missing-prompt"
    good = len(tokens) == s.request["prompt_tokens"] and \
        digests.tokens_digest(tokens).hex() == s.request["prompt_sha256"]
    return None if good else (REFUTED, "prompt")


def _text_digest(s):
    good = all(sha256(b"verbatim.text.v1\n" + o["text"].encode()).hex() == o["text_sha256"]
               for o in s.receipt["outputs"])
    return None if good else (REFUTED, "text")


def _output_limits(request, output, room):
    n, ended_by = len(output["tokens"]), output["finish_reason"]
    if n > room:
        return REFUTED, "finish-reason"
    if ended_by == "length" and n < room:
        return REFUTED, "truncated"
    before_end = output["tokens"] if ended_by == "length" else output["tokens"][:-1]
    if set(before_end) & set(request["stop"]["tokens"]):
        return REFUTED, "finish-reason"
    return None


def _limits(s):
    request, outputs, usage = s.request, s.receipt["outputs"], s.receipt["usage"]
    if len(outputs) != request["choices"]:
        return REFUTED, "truncated"
    if usage["prompt_tokens"] != request["prompt_tokens"]:
        return REFUTED, "prompt"
    if request["prompt_tokens"] >= request["ctx_tokens"]:
        return REFUTED, "parameters"
    room = min(request["max_tokens"], request["ctx_tokens"] - request["prompt_tokens"])
    for o in outputs:
        found = _output_limits(request, o, room)
        if found:
            return found
    total = sum(len(o["tokens"]) for o in outputs)
    return None if usage["completion_tokens"] == total else (REFUTED, "truncated")


_CHECKS = (_signature, _server_key, _commitment, _arithmetic, _beacon_proof, _round_rule, _seed, _prompt_digest,
           _text_digest, _limits)


def findings(s):
    """What each check gives."""
    return [check_one(s) for check_one in _CHECKS]


def conclude(found):
    for verdict in (REFUTED, UNVERIFIABLE):
        for f in found:
            if f is not None and f[0] == verdict:
                return f
    return VERIFIED, None


def not_read(error):
    return UNVERIFIABLE, "unsupported-format" if isinstance(error, receipt_form.Unsupported) else "unreadable"


def check(raw, trust):
    """(verdict, reason); the reason is None when it is VERIFIED."""
    try:
        s = Subject(receipt_form.read(raw), trust)
    except (receipt_form.Unsupported, BadForm) as e:
        return not_read(e)
    return conclude(findings(s))
