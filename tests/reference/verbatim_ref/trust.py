"""What a verifier believes: spec/beacons.md section 9."""

import collections
import hashlib
import re

from . import bls12381 as bls
from . import strict

MODES = ("next", "latest", "fixed", "local")
KINDS = ("drand", "theta", "ethereum", "nist", "mix", "local")
SCHEMES = {"pedersen-bls-chained": 48, "pedersen-bls-unchained": 48, "bls-unchained-g1-rfc9380": 96}

DrandChain = collections.namedtuple("DrandChain", "scheme public_key period genesis_time group_hash")
ThetaSet = collections.namedtuple("ThetaSet", "chain first last stakes")

_NIST = ("5501e3d72bc42f3b96e16de4dcadcb16768e109662bd16d667d5fd9aee585af3"
         "1bbdc5dd4f53592276064b53dddd76c8f3604b2a41db6e09f78f82bb5d6569e7")
_BUILT_IN = [
    {"beacon_id": "quicknet", "genesis_time": 1692803367, "period": 3,
     "group_hash": "f477d5c89f21a17c863a7f937c6a6d15859414d2be09cd448d4279af331c5d3e",
     "hash": "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971",
     "public_key": "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
                   "0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a",
     "scheme": "bls-unchained-g1-rfc9380"},
    {"beacon_id": "default", "genesis_time": 1595431050, "period": 30,
     "group_hash": "176f93498eac9ca337150b46d21dd58673ea4e3581185f869672e59fa4cb390a",
     "hash": "8990e7a9aaed2ffed73dbd7092123d6f289930540d7651336225dc172e51b2ce",
     "public_key": "868f005eb8e6e4ca0a47c8a77ceaa5309a47978a7c71bc5cce96366b5d7a569937c529eeda66c7293784a9402801af31",
     "scheme": "pedersen-bls-chained"},
]


def _drand(value):
    """(chain hash, chain)."""
    beacon_id, genesis, group, claimed, period, key, scheme = strict.members(
        value, "beacon_id", "genesis_time", "group_hash", "hash", "period", "public_key", "scheme")
    if scheme not in SCHEMES:
        raise strict.BadForm("not a scheme of drand's")
    chain = DrandChain(scheme, strict.hexadecimal(key, SCHEMES[scheme]), strict.integer(period, 1, 2**32 - 1),
                       strict.integer(genesis, 0, strict.EXACT_MAX), strict.hexadecimal(group, 32))
    field = bls.Fp if SCHEMES[scheme] == 48 else bls.Fp2
    if bls.decompress(chain.public_key, field) is None:
        raise strict.BadForm("not a key")
    named = strict.name(beacon_id, 0, 64)
    data = chain.period.to_bytes(4, "big") + chain.genesis_time.to_bytes(8, "big") + chain.public_key
    data += chain.group_hash + (b"" if named == "default" else named.encode())
    if hashlib.sha256(data).digest() != strict.hexadecimal(claimed, 32):
        raise strict.BadForm("the chain hash is not that of the chain's members")
    return claimed, chain


def _theta(value):
    chain, first, last, validators = strict.members(value, "chain", "from", "to", "validators")
    stakes = {}
    for v in strict.array(validators, 1, 4096):
        who, stake = strict.members(v, "id", "stake")
        if who in stakes or not isinstance(stake, str) or not stake.isascii() or not stake.isdigit() \
                or str(int(stake)) != stake or not 1 <= int(stake) < 2**100:
            raise strict.BadForm("a validator twice, or a stake that is not from 1 to below 2^100")
        stakes[strict.hexadecimal(who, 20)] = int(stake)
    if strict.decimal(first) > strict.decimal(last):
        raise strict.BadForm("a set of no heights")
    if not isinstance(chain, str) or not re.fullmatch("[a-z0-9_-]{1,64}", chain):
        raise strict.BadForm("not a chain's name")
    return ThetaSet(chain, int(first), int(last), stakes)


def _ethereum(value):
    chain_id, number, digest = strict.members(value, "chain_id", "number", "hash")
    return strict.decimal(chain_id, 1), strict.decimal(number), strict.hexadecimal(digest, 32)


def _server_key(value):
    who, key = strict.members(value, "name", "key")
    strict.name(who, 0, 64)
    return strict.hexadecimal(key, 32)


def _witness(value):
    key, who, url = strict.members(value, "key", "name", "url")
    strict.name(who, 1, 255)
    if url is not None:
        strict.name(url, 1, 1024)
    return strict.hexadecimal(key, 32)


def _beacon(value):
    if strict.name(value).partition(":")[:2] not in [(k, ":") for k in KINDS]:
        raise strict.BadForm("not a beacon of a known kind")
    return value


def _different(values):
    if len(set(values)) != len(values):
        raise strict.BadForm("something is listed twice")
    return values


def _mode(value):
    if value not in MODES:
        raise strict.BadForm("not a mode")
    return value


class Trust:
    """Of a trust file's object, or of what is built in (None). What it does not limit is None."""

    def __init__(self, value=None):
        value = dict(value or {"format": "verbatim.trust/1"})
        if value.pop("format", None) != "verbatim.trust/1":
            raise strict.BadForm("the format is not verbatim.trust/1")

        def take(member, read):
            found = value.pop(member, None)
            return None if found is None else [read(v) for v in strict.array(found, 0, 4096)]

        self.server_keys = take("server_keys", _server_key)
        _different(self.server_keys or [])
        self.beacons = take("beacons", _beacon)
        self.modes = take("modes", _mode)
        self.drand = {}
        for name, chain in [_drand(c) for c in _BUILT_IN] + (take("drand", _drand) or []):
            if self.drand.setdefault(name, chain) != chain:
                raise strict.BadForm("a chain that is known already is another here")
        self.theta = take("theta", _theta) or []
        self.ethereum = take("ethereum", _ethereum) or []
        _different([block[:2] for block in self.ethereum])
        self.nist = {bytes.fromhex(_NIST)} | set(take("nist", lambda v: strict.hexadecimal(v, 64)) or [])
        self.witnesses = strict.array(strict.ascending(take("witnesses", _witness) or []), 0, 256)
        self.quorum = value.pop("quorum", None)
        if self.quorum is not None:
            strict.integer(self.quorum, 1, len(self.witnesses))
        if value:
            raise strict.BadForm(f"unknown members: {', '.join(value)}")
        for i, a in enumerate(self.theta):
            if any(a.chain == b.chain and a.first <= b.last and b.first <= a.last for b in self.theta[:i]):
                raise strict.BadForm("two validator sets of one chain overlap")

    def accepts_beacon(self, beacon_id):
        kind = beacon_id.split(":", 1)[0]
        return self.beacons is None or beacon_id in self.beacons or kind + ":*" in self.beacons
