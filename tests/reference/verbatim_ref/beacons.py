"""Rounds of randomness and their proofs: spec/beacons.md, every kind, without network or clock."""

import collections
import datetime
import hashlib
import re

from . import bls12381 as bls
from . import rlp, rsa, secp256k1, strict
from .keccak import keccak256
from .strict import BadForm

Round = collections.namedtuple("Round", "id number randomness proof")
# The windows are pairs of milliseconds, or None: of a round that is not genuine, or that has no time.
Result = collections.namedtuple("Result", "name next latest", defaults=(None, None))

FALSE, UNTRUSTED, UNSUPPORTED = Result("false"), Result("untrusted"), Result("unsupported")
LOCAL_ROUNDS = 65536


class False_(Exception):
    """The proof is wrong, with or without a trust root."""


class Untrusted(Exception):
    """Nothing is wrong, and no trust root vouches for it."""


def _require(condition, what):
    if not condition:
        raise False_(what)


def sha256(data):
    return hashlib.sha256(data).digest()


# drand, section 3


def _drand_time(chain, r):
    return 0 if r == 0 else 1000 * (chain.genesis_time + (r - 1) * chain.period)


def _drand_form(b):
    signature, previous = strict.members(b.proof, "signature", "previous_signature")
    _require(b.number >= 1, "rounds begin with 1")
    signature = strict.hexadecimal(signature, 48, 96)
    _require(len(signature) in (48, 96), "the signature's length")
    if previous is not None:
        _require(len(signature) == 96, "a signature in G1 follows none")
        previous = strict.hexadecimal(previous, 32 if b.number == 1 else 96)
    _require(b.randomness == sha256(signature), "the randomness is not the signature's digest")
    return signature, previous


def _drand_genuine(chain, number, signature, previous):
    message = number.to_bytes(8, "big")
    if chain.scheme == "pedersen-bls-chained":
        _require(previous is not None, "a chained round follows a signature")
        _require(number != 1 or previous == chain.group_hash, "round 1 follows the group hash")
        message = previous + message
    else:
        _require(previous is None, "an unchained round has no previous signature")
    in_g1 = chain.scheme == "bls-unchained-g1-rfc9380"
    _require(len(signature) == (48 if in_g1 else 96), "the signature's length")
    verify = bls.verify_g1 if in_g1 else bls.verify_g2
    _require(verify(chain.public_key, sha256(message), signature), "the signature")


def _check_drand(b, chain_name, trust):
    strict.hexadecimal(chain_name, 32)
    signature, previous = _drand_form(b)
    chain = trust.drand.get(chain_name)
    if chain is None:
        raise Untrusted("the chain is not known")
    before, at, after = (_drand_time(chain, b.number + i) for i in (-1, 0, 1))
    _require(at < 2**63, "the round's time")
    _drand_genuine(chain, b.number, signature, previous)
    return Result("ok", (before, at), (at, after))


# theta, section 4


def theta_vote_digest(block, epoch, who):
    return keccak256(rlp.encode([block, 0, epoch, who, b""]))


def _theta_votes(votes, block):
    """The ids of the votes, each checked."""
    ids = []
    for vote in strict.array(votes, 1, 1024):
        epoch, who, signature = strict.members(vote, "epoch", "id", "signature")
        ids.append(strict.hexadecimal(who, 20))
        digest = theta_vote_digest(block, strict.decimal(epoch), ids[-1])
        signer = secp256k1.recover(digest, strict.hexadecimal(signature, 65))
        _require(signer == ids[-1], "a vote is somebody else's")
    return strict.ascending(ids)


def _check_theta(b, chain, trust):
    _require(re.fullmatch("[a-z0-9_-]{1,64}", chain), "the chain's name")
    block, at, before, votes = strict.members(b.proof, "hash", "timestamp", "previous_timestamp", "votes")
    strict.hexadecimal(block, 32)
    t = strict.decimal(at, 0, 2**53 - 1)
    t_before = strict.decimal(before, 0, 2**53 - 1)
    _require(t_before <= t, "the parent is younger than its child")
    _require(b.randomness == sha256(f"0x{block}{b.number}{at}".encode()), "the randomness")
    ids = _theta_votes(votes, bytes.fromhex(block))
    found = [s for s in trust.theta if s.chain == chain and s.first <= b.number <= s.last]
    if not found:
        raise Untrusted("no validator set of this height")
    stakes = found[0].stakes
    _require(3 * sum(stakes.get(i, 0) for i in ids) > 2 * sum(stakes.values()), "too few votes")
    return Result("ok", (1000 * t_before, 1000 * t), (1000 * t, 1000 * t + 120000))


# ethereum, section 5

Header = collections.namedtuple("Header", "hash parent number timestamp mix")


def _ethereum_header(value):
    raw = strict.hexadecimal(value, 1, 4096)
    items = rlp.strings(raw)
    _require(15 <= len(items) <= 64, "the number of items")
    _require(items[7] == b"", "a difficulty that is not 0")
    _require(len(items[0]) == 32 and len(items[13]) == 32, "a digest's length")
    h = Header(keccak256(raw), items[0], rlp.to_integer(items[8]), rlp.to_integer(items[11]), items[13])
    _require(h.timestamp < 2**53, "the timestamp")
    return h


def _check_ethereum(b, chain, trust):
    chain_id = strict.decimal(chain, 1)
    (headers,) = strict.members(b.proof, "headers")
    headers = [_ethereum_header(h) for h in strict.array(headers, 3, 1024)]
    _require(b.number >= 2, "rounds begin with 2")
    for i, h in enumerate(headers):
        _require(h.number == b.number - 2 + i, "a header's number")
    for parent, child in zip(headers, headers[1:]):
        _require(child.parent == parent.hash, "a parent's hash")
        _require(child.timestamp > parent.timestamp, "the order of timestamps")
    _require(b.randomness == headers[2].mix and any(b.randomness), "the randomness")
    pinned = {number: digest for of_chain, number, digest in trust.ethereum if of_chain == chain_id}
    _require(all(pinned.get(h.number, h.hash) == h.hash for h in headers), "a fork of the chain")
    if not any(h.number in pinned for h in headers[2:]):
        raise Untrusted("no block of the proof is known to be final")
    t = [1000 * h.timestamp for h in headers[:3]]
    return Result("ok", (t[0], t[1]), (t[2], t[2] + 1800000))


# nist, section 6

_PULSE = ("uri", "version", "cipherSuite", "period", "certificateId", "chainIndex", "pulseIndex", "timeStamp",
          "localRandomValue", "external", "listValues", "precommitmentValue", "statusCode", "signatureValue",
          "outputValue")


def _u32(n):
    return n.to_bytes(4, "big")


def _sized(raw):
    return _u32(len(raw)) + raw


def nist_message(pulse):
    """The bytes that a pulse's signature covers. Members are checked on the way."""
    def u32(value, low=0, high=2**32 - 1):
        return _u32(strict.integer(value, low, high))

    def u64(value):
        return strict.decimal(value).to_bytes(8, "big")

    def digest(value):
        return _sized(strict.hexadecimal(value, 64))

    (uri, version, suite, period, certificate, chain, index, stamp, local, external, values, commitment, status,
     _, _) = strict.members(pulse, *_PULSE)
    source, external_status, external_value = strict.members(external, "sourceId", "statusCode", "value")
    _nist_time(stamp)
    out = _sized(strict.name(uri).encode()) + _sized(strict.name(version).encode())
    out += u32(suite, 0, 0) + u32(period, 1) + digest(certificate) + u64(chain) + u64(index)
    out += _sized(stamp.encode()) + digest(local) + digest(source) + u32(external_status) + digest(external_value)
    out += b"".join(digest(v) for v in strict.array(values, 5, 5))
    return out + digest(commitment) + u32(status)


def _nist_time(stamp):
    """Unix milliseconds."""
    if not isinstance(stamp, str) or not re.fullmatch(
            r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z", stamp):
        raise BadForm("not a time")
    try:
        t = datetime.datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError as e:
        raise BadForm("not a date, or not an hour") from e
    ms = (t - datetime.datetime(1970, 1, 1)) // datetime.timedelta(milliseconds=1)
    _require(ms >= 0, "a time before 1970")
    return ms


def _check_nist(b, chain, trust):
    chain_index = strict.decimal(chain, 1)
    certificate, pulse = strict.members(b.proof, "certificate", "pulse")
    der = strict.hexadecimal(certificate, 1, 8192)
    message = nist_message(pulse)
    signature = strict.hexadecimal(pulse["signatureValue"], 1, 1024)
    _require(b.number >= 1, "rounds begin with 1")
    _require(int(pulse["chainIndex"]) == chain_index, "the chain")
    _require(int(pulse["pulseIndex"]) == b.number, "the pulse's index")
    certificate_id = hashlib.sha512(der).digest()
    _require(pulse["certificateId"] == certificate_id.hex(), "the certificate")
    _require(strict.hexadecimal(pulse["outputValue"], 64) == b.randomness, "the output value is not the randomness")
    _require(hashlib.sha512(message + signature).digest() == b.randomness, "the output value")
    key = rsa.certificate_key(der)
    _require(2048 <= key[0].bit_length() <= 8192, "the size of the key")
    _require(rsa.verify_sha512(key, message, signature), "the signature")
    if certificate_id not in trust.nist:
        raise Untrusted("the certificate is not known")
    t, period = _nist_time(pulse["timeStamp"]), pulse["period"]
    return Result("ok", (max(t - period, 0), t), (t, t + period))


# mix, section 7


def mix_randomness(parts):
    """Of (id, number, randomness) of each part."""
    return sha256(b"verbatim.beacon.mix.v1\n" + b"".join(
        i.encode() + b"\0" + number.to_bytes(8, "big") + _u32(len(randomness)) + randomness
        for i, number, randomness in parts))


def _mix_part(beacon_id, value):
    proof, randomness, number = strict.members(value, "proof", "randomness", "round")
    randomness = strict.hexadecimal(randomness, 32, 64)
    _require(len(randomness) in (32, 64), "the randomness of a part has 32 or 64 bytes")
    return Round(beacon_id, strict.decimal(number), randomness, proof)


def _intersection(windows):
    """An empty one begins and ends where the last of them begins."""
    start = max(w[0] for w in windows)
    return start, max(start, min(w[1] for w in windows))


def _check_mix(b, chain, trust):
    ids = chain.split("+")
    _require(2 <= len(ids) <= 4, "a mix has two to four parts")
    strict.ascending([i.encode() for i in ids])
    _require(all(i and i.split(":", 1)[0] not in ("mix", "local") for i in ids), "the kind of a part")
    (parts,) = strict.members(b.proof, "parts")
    parts = [_mix_part(i, p) for i, p in zip(ids, strict.array(parts, len(ids), len(ids)))]
    _require(parts[0].number == b.number, "the round is not the first part's")
    _require(b.randomness == mix_randomness([p[:3] for p in parts]), "the randomness")
    results = [check(p, trust) for p in parts]
    for worst in (FALSE, UNSUPPORTED, UNTRUSTED):
        if worst in results:
            return worst
    return Result("ok", _intersection([r.next for r in results]), _intersection([r.latest for r in results]))


# local, section 8


def local_step(x):
    return sha256(b"verbatim.beacon.local.v1\n" + x)


def _check_local(b, anchor, _trust):
    x = b.randomness
    _require(b.proof is None, "a proof where the kind has none")
    _require(1 <= b.number <= LOCAL_ROUNDS and len(x) == 32, "the round, or the randomness' length")
    for _ in range(b.number):
        x = local_step(x)
    _require(x == strict.hexadecimal(anchor, 32), "the chain does not end in the anchor")
    return Result("ok")


_KINDS = {"drand": _check_drand, "theta": _check_theta, "ethereum": _check_ethereum, "nist": _check_nist,
          "mix": _check_mix, "local": _check_local}


def check(b, trust):
    """Section 1."""
    kind, colon, chain = b.id.partition(":")
    if not colon or kind not in _KINDS:
        return UNSUPPORTED
    try:
        return _KINDS[kind](b, chain, trust)
    except (False_, BadForm, rlp.Malformed, rsa.Malformed):
        return FALSE
    except Untrusted:
        return UNTRUSTED


def rule_holds(mode, asked_round, t, b, result):
    """Section 2: asked_round is request.beacon.round, t the commitment's time. None where the rule needs a
    window and the round, not being genuine, has none."""
    kind = b.id.partition(":")[0]
    if mode == "local":
        return kind == "local"
    if mode == "fixed":
        return kind != "mix" and asked_round == b.number
    if kind == "local":
        return False
    window = {"next": result.next, "latest": result.latest}[mode]
    return None if window is None else window[0] <= t < window[1]


def round_of(value):
    """A round as section 10 writes it, of whatever randomness."""
    beacon_id, randomness, proof, number = strict.members(value, "id", "randomness", "proof", "round")
    strict.only_integers(proof)
    return Round(strict.name(beacon_id, 1), strict.decimal(number), strict.hexadecimal(randomness, 0, 64), proof)


def read_file(raw):
    """Section 11: a round in a file."""
    value = strict.parse(raw)
    if not isinstance(value, dict) or value.pop("format", None) != "verbatim.round/1":
        raise BadForm("the format is not verbatim.round/1")
    b = round_of(value)
    if len(b.randomness) not in (32, 64) or not (b.proof is None or isinstance(b.proof, dict)):
        raise BadForm("randomness of 32 or 64 bytes and a proof that is an object or null")
    return b
