#!/usr/bin/env python3
"""Makes spec/vectors/beacons/{theta,ethereum,nist}.json from spec/beacons.md (sections 4, 5, 6) alone:
invented validators, headers and pulses. Keccak-256, RLP and secp256k1 are written out here, RSA is
the openssl command with the key beside this file. Same output every time. Not run by the build.
Usage: make_evm.py OUTPUT_FOLDER"""
import base64
import copy
import hashlib
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


# Keccak-256, RLP, secp256k1

def rotate(v, n):
    return (v << n | v >> (64 - n)) & (2**64 - 1) if n else v


def permute(a):
    """Keccak-f[1600] on a[x][y]."""
    r = 1
    for _ in range(24):
        c = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
        d = [c[(x - 1) % 5] ^ rotate(c[(x + 1) % 5], 1) for x in range(5)]
        a = [[a[x][y] ^ d[x] for y in range(5)] for x in range(5)]
        x, y, lane = 1, 0, a[1][0]
        for t in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            lane, a[x][y] = a[x][y], rotate(lane, (t + 1) * (t + 2) // 2 % 64)
        a = [[a[x][y] ^ (~a[(x + 1) % 5][y] & a[(x + 2) % 5][y]) for y in range(5)] for x in range(5)]
        for j in range(7):
            r = (r << 1 ^ (r >> 7) * 0x71) % 256
            if r & 2:
                a[0][0] ^= 1 << ((1 << j) - 1)
    return a


def keccak256(data):
    rate = 136
    data = bytearray(data)
    pad = rate - len(data) % rate
    data += b"\x01" + bytes(pad - 1)
    data[-1] |= 0x80
    a = [[0] * 5 for _ in range(5)]
    for at in range(0, len(data), rate):
        for i in range(rate // 8):
            a[i % 5][i // 5] ^= int.from_bytes(data[at + 8 * i:at + 8 * i + 8], "little")
        a = permute(a)
    return b"".join(a[i % 5][i // 5].to_bytes(8, "little") for i in range(4))


def big_endian(v):
    return v.to_bytes((v.bit_length() + 7) // 8, "big")


def rlp(v):
    if isinstance(v, int):
        v = big_endian(v)
    payload = v if isinstance(v, bytes) else b"".join(rlp(i) for i in v)
    base = 0x80 if isinstance(v, bytes) else 0xc0
    if isinstance(v, bytes) and len(v) == 1 and v[0] < 0x80:
        return v
    if len(payload) <= 55:
        return bytes([base + len(payload)]) + payload
    length = big_endian(len(payload))
    return bytes([base + 55 + len(length)]) + length + payload


P = 2**256 - 2**32 - 977
ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141
G = (0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798,
     0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8)


def add(p, q):
    if p is None or q is None:
        return q if p is None else p
    if p[0] == q[0] and (p[1] + q[1]) % P == 0:
        return None
    if p == q:
        m = 3 * p[0] * p[0] * pow(2 * p[1], -1, P) % P
    else:
        m = (q[1] - p[1]) * pow(q[0] - p[0], -1, P) % P
    x = (m * m - p[0] - q[0]) % P
    return x, (m * (p[0] - x) - p[1]) % P


def times(k, p):
    r = None
    while k:
        if k & 1:
            r = add(r, p)
        p = add(p, p)
        k >>= 1
    return r


def address(key):
    x, y = times(key, G)
    return keccak256(x.to_bytes(32, "big") + y.to_bytes(32, "big"))[12:]


def sign(key, digest, high_s=False):
    """r | s | v with the low s, or with the other one; the nonce follows from key and digest."""
    k = int.from_bytes(hashlib.sha512(key.to_bytes(32, "big") + digest).digest(), "big") % ORDER
    x, y = times(k, G)
    s = pow(k, -1, ORDER) * (int.from_bytes(digest, "big") + x % ORDER * key) % ORDER
    v = y & 1
    if (s > ORDER // 2) != high_s:
        s, v = ORDER - s, v ^ 1
    return (x % ORDER).to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v])


# Cases

def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def invent(name, n=32):
    """n bytes that follow from a name."""
    return b"".join(sha256(name.encode(), bytes([i])) for i in range(n // 32 + 1))[:n]


def trust(**members):
    return {"format": "verbatim.trust/1", **members}


def window(from_ms, to_ms):
    return [str(from_ms), str(to_ms)]


def case(name, round_, trust_, result, windows=None):
    good = result == "ok"
    return {"name": name, "round": copy.deepcopy(round_), "trust": trust_, "result": result,
            "next": windows[0] if good else None, "latest": windows[1] if good else None}


def at(value, path):
    for key in path:
        value = value[key]
    return value


def changed(round_, path, value):
    """The round with another value at a path; Ellipsis removes the member."""
    r = copy.deepcopy(round_)
    holder = at(r, path[:-1])
    if value is Ellipsis:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return r


def flip(hex_, bit):
    b = bytearray.fromhex(hex_)
    b[bit // 8 % len(b)] ^= 1 << bit % 8
    return b.hex()


def form_cases(round_, trust_, objects):
    """Every member of the objects at these paths: missing, of another type; and one too many."""
    out = []
    for path in objects:
        where = ".".join(map(str, path)) or "proof"
        for name, value in at(round_["proof"], path).items():
            full = ["proof", *path, name]
            other = str(value) if isinstance(value, int) else 7
            for what, v in (("missing", ...), ("of another type", other)):
                out.append(case(f"{where}: {name} {what}", changed(round_, full, v), trust_, "false"))
        out.append(case(f"{where}: an unknown member", changed(round_, ["proof", *path, "extra"], 1), trust_, "false"))
    out.append(case("proof null", changed(round_, ["proof"], None), trust_, "false"))
    out.append(case("proof empty", changed(round_, ["proof"], {}), trust_, "false"))
    return out


def hex_cases(round_, trust_, paths):
    """A string of hex digits: bits flipped, upper case, one digit less, one byte more, a prefix."""
    out = []
    for path in paths:
        text, where = at(round_["proof"], path), ".".join(map(str, path))
        n = len(text) * 4
        for bit in (0, n // 2 + 3, n - 1):
            out.append(case(f"{where}: bit {bit} flipped", changed(round_, ["proof", *path], flip(text, bit)), trust_, "false"))
        for what, v in (("upper case", text.upper()), ("a digit less", text[:-1]), ("a byte more", text + "00"),
                        ("empty", ""), ("0x before it", "0x" + text), ("no hex digit", "g" + text[1:])):
            if v != text:
                out.append(case(f"{where}: {what}", changed(round_, ["proof", *path], v), trust_, "false"))
    return out


def decimal_cases(round_, trust_, path, too_large):
    where = ".".join(map(str, path))
    text = at(round_["proof"], path)
    return [case(f"{where}: {what}", changed(round_, ["proof", *path], v), trust_, "false")
            for what, v in (("a leading zero", "0" + text), ("empty", ""), ("a sign", "+" + text), ("a space", " " + text),
                            ("a fraction", text + ".0"), ("hex", hex(int(text))), ("too large", too_large),
                            ("one more", str(int(text) + 1)))]


def round_cases(round_, trust_, bad_ids):
    text = round_["randomness"]
    out = [case(f"randomness: bit {b} flipped", changed(round_, ["randomness"], flip(text, b)), trust_, "false")
           for b in (0, 100, len(text) * 4 - 1)]
    other = text + text if len(text) == 64 else text[:64]
    out.append(case("randomness of another length", changed(round_, ["randomness"], other), trust_, "false"))
    for what, n in (("one more", int(round_["round"]) + 1), ("one less", int(round_["round"]) - 1), ("0", 0),
                    ("2^64 - 1", 2**64 - 1)):
        out.append(case(f"round {what}", changed(round_, ["round"], str(n)), trust_, "false"))
    for id_ in bad_ids:
        out.append(case(f"id {id_}", changed(round_, ["id"], id_), trust_, "false"))
    return out


# Theta

class Theta:
    chain, height, timestamp, before, epoch = "testnet", 30168742, 1749770570, 1749770564, 30300000
    block = invent("theta block")

    def __init__(self):
        keys = [int.from_bytes(invent(f"theta validator {i}"), "big") % ORDER for i in range(5)]
        self.keys = sorted(keys, key=address)

    def vote(self, i, block=None, epoch=None, id_=None, high_s=False):
        key = self.keys[i]
        epoch = self.epoch + i % 2 if epoch is None else epoch
        id_ = id_ or address(key)
        digest = keccak256(rlp([block or self.block, 0, epoch, id_, b""]))
        return {"epoch": str(epoch), "id": id_.hex(), "signature": sign(key, digest, high_s).hex()}

    def round(self, votes, **other):
        m = {"chain": self.chain, "height": self.height, "timestamp": self.timestamp, "before": self.before,
             "block": self.block, **other}
        text = f"0x{m['block'].hex()}{m['height']}{m['timestamp']}"
        return {"id": "theta:" + m["chain"], "randomness": sha256(text.encode()).hex(), "round": str(m["height"]),
                "proof": {"hash": m["block"].hex(), "timestamp": str(m["timestamp"]),
                          "previous_timestamp": str(m["before"]), "votes": votes}}

    def set(self, stakes, **other):
        validators = [{"id": address(k).hex(), "stake": str(s)} for k, s in zip(self.keys, stakes) if s]
        return trust(theta=[{"chain": self.chain, "from": str(self.height - 10), "to": str(self.height + 10),
                             "validators": validators, **other}])

    def windows(self, timestamp=None, before=None):
        t = self.timestamp if timestamp is None else timestamp
        b = self.before if before is None else before
        return window(1000 * b, 1000 * t), window(1000 * t, 1000 * t + 120000)

    def stake_cases(self):
        out = []
        half = 2**99 + 12345
        for name, voters, stakes, result in (
                ("all votes", range(4), [1, 1, 1, 1], "ok"), ("three of four", [0, 1, 3], [1, 1, 1, 1], "ok"),
                ("two thirds exactly", [0, 1], [1, 1, 1], "false"),
                ("two thirds exactly, large stakes", [0, 1], [half, half, half], "false"),
                ("one above two thirds, large stakes", [0, 1], [half + 1, half, half], "ok"),
                ("one below two thirds, large stakes", [0, 1], [half - 1, half, half], "false"),
                ("the largest stakes", [0, 2], [2**100 - 1, 1, 2**100 - 1], "ok"),
                ("one vote of the whole stake", [2], [0, 0, 1], "ok"),
                ("votes of nobody beside enough", range(5), [5, 0, 5, 5, 0], "ok"),
                ("votes of nobody count nothing", [0, 1, 2, 3], [5, 5, 0, 0, 5], "false"),
                ("only votes of nobody", [0, 1], [0, 0, 0, 7], "false"),
                ("half of the stake, more than two thirds of the validators", [0, 1, 2], [1, 1, 1, 3], "false")):
            out.append(case(name, self.round([self.vote(i) for i in voters]), self.set(stakes), result, self.windows()))
        return out

    def trust_cases(self, good):
        h, w = self.height, self.windows()
        some = [1, 1, 1, 1]
        for name, t, result in (
                ("no sets", trust(), "untrusted"), ("a set of another chain", self.set(some, chain="mainnet"), "untrusted"),
                ("a set that ended before", self.set(some, to=str(h - 1)), "untrusted"),
                ("a set that begins after", self.set(some, **{"from": str(h + 1)}), "untrusted"),
                ("a set for this height alone", self.set(some, **{"from": str(h), "to": str(h)}), "ok"),
                ("a set of other validators", self.set([0, 0, 0, 0, 1]), "false")):
            yield case(name, good, t, result, w)
        two = self.set(some, to=str(h))["theta"] + self.set([0, 0, 0, 0, 1], **{"from": str(h + 1), "to": str(2**64 - 1)})["theta"]
        yield case("two sets, the first for this height", good, trust(theta=two), "ok", w)
        yield case("two sets in the other order", good, trust(theta=two[::-1]), "ok", w)
        two = self.set(some, to=str(h - 1))["theta"] + self.set([0, 0, 0, 0, 1], **{"from": str(h)})["theta"]
        yield case("two sets, the second for this height", good, trust(theta=two), "false")

    def vote_cases(self, votes, t):
        def put(name, changed_votes, result="false"):
            return case(name, self.round(changed_votes), t, result, self.windows())
        v = votes
        yield put("a vote twice", [v[0], v[0], v[1], v[2], v[3]])
        yield put("votes in another order", [v[1], v[0], v[2], v[3]])
        yield put("no votes", [])
        yield put("a vote for another block", v[:3] + [self.vote(3, block=invent("another block"))])
        yield put("a vote of another epoch than it says", v[:3] + [{**self.vote(3, epoch=9), "epoch": "10"}])
        yield put("a vote in another's name", v[:3] + [{**v[3], "signature": v[2]["signature"]}])
        yield put("a vote signed with another's key", [v[0], v[1], self.vote(3, id_=address(self.keys[2])), v[3]])
        yield put("votes of different epochs", [self.vote(i, epoch=i * 2**40) for i in range(4)], "ok")
        yield put("the largest epoch", [self.vote(i, epoch=2**64 - 1) for i in range(4)], "ok")
        yield put("an epoch of 2^64", v[:3] + [{**v[3], "epoch": str(2**64)}])
        yield put("signatures with the high s", [self.vote(i, high_s=True) for i in range(4)], "ok")
        yield put("v 27", v[:3] + [{**v[3], "signature": v[3]["signature"][:-2] + "1b"}])
        yield put("v 2", v[:3] + [{**v[3], "signature": v[3]["signature"][:-2] + "02"}])
        yield put("r 0", v[:3] + [{**v[3], "signature": "00" * 32 + v[3]["signature"][64:]}])
        yield put("s 0", v[:3] + [{**v[3], "signature": v[3]["signature"][:64] + "00" * 32 + v[3]["signature"][128:]}])
        yield put("s the order", v[:3] + [{**v[3], "signature": v[3]["signature"][:64] + f"{ORDER:x}" + v[3]["signature"][128:]}])
        yield put("a vote that is a string", v[:3] + ["vote"])

    def cases(self):
        votes = [self.vote(i) for i in range(4)]
        good, t, w = self.round(votes), self.set([1, 1, 1, 1]), self.windows()
        out = [case("good", good, t, "ok", w)] + self.stake_cases() + list(self.trust_cases(good))
        out += self.vote_cases(votes, t)
        for name, other, result in (
                ("times that are equal", {"before": self.timestamp}, "ok"), ("times that descend", {"before": self.timestamp + 1}, "false"),
                ("the last time", {"timestamp": 2**53 - 1}, "ok"), ("a time of 2^53", {"timestamp": 2**53}, "false"),
                ("times 0", {"timestamp": 0, "before": 0}, "ok")):
            out.append(case(name, self.round(votes, **other), t, result, self.windows(other.get("timestamp"), other.get("before"))))
        out.append(case("height 0 without a set", self.round(votes, height=0), t, "untrusted"))
        out.append(case("a chain's name of 64 bytes", self.round(votes, chain="a-_9" * 16), t, "untrusted"))
        bad_ids = ["theta:", "theta:Testnet", "theta:a b", "theta:" + "a" * 65, "theta:a:b", "theta:testnet+"]
        out += form_cases(good, t, [[], ["votes", 0], ["votes", 3]])
        out += hex_cases(good, t, [["hash"], ["votes", 0, "id"], ["votes", 2, "signature"]])
        out += decimal_cases(good, t, ["timestamp"], str(2**53)) + decimal_cases(good, t, ["votes", 1, "epoch"], str(2**64))
        out += decimal_cases(good, t, ["previous_timestamp"], str(2**53))[:-1]  # nothing vouches for it: one more is as good
        out += [c for c in round_cases(good, t, bad_ids) if c["name"] != "round 0"]
        return out


# Ethereum

class Ethereum:
    chain_id, number, time = 560048, 21925176, 1740508595

    def headers(self, n=5, items=None, number=None, **other):
        """n linked headers from block number - 2 on. items: of each list (an integer or {index: integer}); other: item ->
        {index: value}."""
        items = {i: items for i in range(n)} if isinstance(items, int) else items or {}
        number = self.number if number is None else number
        out, parent = [], invent("eth parent")
        for i in range(n):
            def pick(name, default):
                return other.get(name, {}).get(i, default)
            h = [pick("parent", parent), invent("uncles"), invent("miner", 20), invent(f"state {i}"), invent(f"tx {i}"),
                 invent(f"receipts {i}"), invent(f"bloom {i}", 256), pick("difficulty", 0), pick("numbers", number - 2 + i),
                 30000000, 21000 * i, pick("time", self.time + 12 * i), pick("extra", b"test"), pick("mix", invent(f"randao {i}")),
                 bytes(8), 7 + i, invent("withdrawals"), 0, 0x4780000, invent("beacon root"), invent("requests")]
            h = (h + [invent(f"later {j}") for j in range(64)])[:items[i] if i in items else 20]
            out.append(rlp(h))
            parent = keccak256(out[-1])
        return out

    def round(self, headers, number=None, mix=None):
        return {"id": f"ethereum:{self.chain_id}", "round": str(self.number if number is None else number),
                "randomness": (mix or invent("randao 2")).hex(), "proof": {"headers": [h.hex() for h in headers]}}

    def pin(self, headers, index, **other):
        return {"chain_id": str(self.chain_id), "number": str(self.number - 2 + index),
                "hash": keccak256(headers[index]).hex(), **other}

    def windows(self, t=None):
        t = t or [self.time + 12 * i for i in range(3)]
        return window(1000 * t[0], 1000 * t[1]), window(1000 * t[2], 1000 * t[2] + 1800000)

    def made(self, name, result, windows=None, number=None, **other):
        """A case whose headers are pinned at the last one, whatever they are."""
        h = self.headers(number=number, **other)
        n = self.number if number is None else number
        pin = {"chain_id": str(self.chain_id), "number": str(min(n - 3 + len(h), 2**64 - 1)), "hash": keccak256(h[-1]).hex()}
        return case(name, self.round(h, number), trust(ethereum=[pin]), result, windows or self.windows())

    def chain_cases(self):
        m = self.made
        yield m("three headers", "ok", n=3)
        for n, fork in ((15, "the merge"), (16, "London"), (17, "Shanghai"), (20, "Cancun"), (21, "Prague"), (64, "a later fork")):
            yield m(f"{n} items, {fork}", "ok", items=n)
        yield m("forks in between", "ok", items={0: 16, 1: 17, 2: 20, 3: 21})
        yield m("14 items", "false", items={4: 14})
        yield m("65 items in one", "false", items={4: 65})
        yield m("two headers", "false", n=2)
        yield m("block 2", "ok", number=2)
        yield m("the last numbers", "ok", number=2**64 - 3)
        yield m("a number past 2^64", "false", number=2**64 - 2)
        yield m("a number that begins anew after 2^64 - 1", "false", number=2**64 - 2, numbers={4: 0})
        rest = len(self.headers(extra={1: bytes(3000)})[1]) - 3000
        yield m("a header of 4096 bytes", "ok", extra={1: bytes(4096 - rest)})
        yield m("a header of 4097 bytes", "false", extra={1: bytes(4097 - rest)})
        for i in range(5):
            yield m(f"difficulty 1 in header {i}", "false", difficulty={i: 1})
            if i:
                yield m(f"another parent in header {i}", "false", parent={i: invent("another parent")})
                yield m(f"the time of its parent in header {i}", "false", time={i: self.time + 12 * (i - 1)})
        yield m("a time one second later", "ok", self.windows([self.time, self.time + 23, self.time + 24]), time={1: self.time + 23})
        yield self.numbers("a number that skips", [-2, -1, 0, 2, 3])
        yield self.numbers("a number twice", [-2, -1, 0, 0, 1])
        yield self.numbers("the block as the third of later ones", [-1, 0, 1, 2, 3])
        yield self.numbers("the block as the third of earlier ones", [-3, -2, -1, 0, 1])
        yield self.zero_mix()
        yield m("other blocks' mixHash zero", "ok", mix={1: bytes(32), 3: bytes(32)})
        yield m("mixHash of 31 bytes", "false", mix={1: invent("short", 31)})
        yield m("parentHash of 33 bytes", "false", parent={0: invent("long", 33)})
        yield m("any parent of the first", "ok", parent={0: bytes(32)})
        yield m("difficulty a zero byte", "false", difficulty={2: b"\0"})
        yield m("a leading zero in a number", "false", time={3: b"\0" + big_endian(self.time + 36)})
        yield m("a time of 2^53", "false", time={4: 2**53})
        yield m("a time below 2^53", "ok", time={4: 2**53 - 1})
        yield m("a time of 9 bytes", "false", time={4: bytes([1]) + bytes(8)})
        yield m("an item that is a list", "false", extra={1: []})

    def numbers(self, name, offsets):
        """Headers of these numbers, counted from the block's."""
        h = self.headers(numbers={i: self.number + o for i, o in enumerate(offsets)})
        pin = self.pin(h, 4, number=str(self.number + offsets[4]))
        return case(name, self.round(h), trust(ethereum=[pin]), "false")

    def zero_mix(self):
        h = self.headers(mix={2: bytes(32)})
        return case("mixHash zero", self.round(h, mix=bytes(32)), trust(ethereum=[self.pin(h, 4)]), "false")

    def pin_cases(self, h, good):
        w = self.windows()
        other = invent("another block").hex()

        def put(name, pins, result):
            return case(name, good, trust(ethereum=pins), result, w)
        yield put("no pins", [], "untrusted")
        for i in range(5):
            yield put(f"pin at header {i}", [self.pin(h, i)], "ok" if i > 1 else "untrusted")
            yield put(f"another block's pin at header {i}", [self.pin(h, i, hash=other)], "false")
        yield put("a pin of another chain", [self.pin(h, 4, chain_id="1")], "untrusted")
        yield put("another block's pin of another chain", [self.pin(h, 2, chain_id="1", hash=other), self.pin(h, 4)], "ok")
        yield put("pins before and after the proof", [self.pin(h, 0, number=str(self.number - 3), hash=other),
                                                      self.pin(h, 0, number=str(self.number + 3), hash=other)], "untrusted")
        yield put("a pin among others", [self.pin(h, 0, number=str(self.number + 3), hash=other), self.pin(h, 3)], "ok")
        yield put("a good pin and one of a fork", [self.pin(h, 4), self.pin(h, 1, hash=other)], "false")
        yield put("a pin with the hash of its neighbour", [self.pin(h, 4, number=str(self.number + 1))], "false")

    def rlp_cases(self, h, t):
        raw = [x.hex() for x in h]

        def put(name, index, value):
            return case(name, changed(self.round(h), ["proof", "headers", index], value), t, "false")
        yield put("a byte after a header", 4, raw[4] + "00")
        yield put("a header cut short", 4, raw[4][:-2])
        yield put("a header that is a string", 4, rlp(h[4]).hex())
        yield put("a header in a list", 4, rlp([h[4]]).hex())
        yield put("an empty list", 4, "c0")
        yield put("no bytes", 4, "")
        yield put("a header that is a number", 4, 7)
        yield put("a header that is null", 4, None)
        yield put("a long form of the length", 4, ("fa00" + raw[4][2:]))
        yield case("headers in another order", changed(self.round(h), ["proof", "headers"], [raw[1], raw[0]] + raw[2:]), t, "false")
        yield case("a header twice", changed(self.round(h), ["proof", "headers"], raw[:3] + raw[2:]), t, "false")
        yield case("a header left out", changed(self.round(h), ["proof", "headers"], raw[:3] + raw[4:]), t, "false")
        yield case("no headers", changed(self.round(h), ["proof", "headers"], []), t, "false")
        yield case("1025 headers", changed(self.round(h), ["proof", "headers"], raw + ["c0"] * 1020), t, "false")

    def cases(self):
        h = self.headers()
        good, t = self.round(h), trust(ethereum=[self.pin(h, 4)])
        out = [case("good", good, t, "ok", self.windows())] + list(self.chain_cases()) + list(self.pin_cases(h, good))
        out += list(self.rlp_cases(h, t)) + form_cases(good, t, [[]])
        out += hex_cases(good, t, [["headers", i] for i in (1, 4)])
        bad_ids = [f"ethereum:{x}" for x in ("", "0", "01", "0x1", "-1", "1 ", str(2**64), "mainnet")]
        out += round_cases(good, t, bad_ids)
        out.append(case("round 1", changed(good, ["round"], "1"), t, "false"))
        out.append(case("another chain's id", changed(good, ["id"], "ethereum:1"), t, "untrusted"))
        out.append(case("the largest chain id", changed(good, ["id"], f"ethereum:{2**64 - 1}"), t, "untrusted"))
        return out


# NIST

class Nist:
    chain, index, period, time, time_ms = 2, 1234567, 60000, "2024-02-29T23:59:00.000Z", 1709251140000

    def __init__(self):
        self.certificate = self.der("nist_certificate.pem")

    @staticmethod
    def der(name):
        with open(os.path.join(HERE, name), encoding="ascii") as f:
            lines = f.read().split("-----")
        return base64.b64decode("".join(lines[2].split()))

    @staticmethod
    def rsa(message):
        return subprocess.run(["openssl", "dgst", "-sha512", "-sign", os.path.join(HERE, "nist_key.pem")],
                              input=message, stdout=subprocess.PIPE, check=True).stdout

    @staticmethod
    def message(p):
        def text(v):
            b = v.encode()
            return len(b).to_bytes(4, "big") + b

        def raw(v):
            b = bytes.fromhex(v)
            return len(b).to_bytes(4, "big") + b

        def u32(v):
            return v.to_bytes(4, "big")

        def u64(v):
            return int(v).to_bytes(8, "big")
        return (text(p["uri"]) + text(p["version"]) + u32(p["cipherSuite"]) + u32(p["period"]) + raw(p["certificateId"]) +
                u64(p["chainIndex"]) + u64(p["pulseIndex"]) + text(p["timeStamp"]) + raw(p["localRandomValue"]) +
                raw(p["external"]["sourceId"]) + u32(p["external"]["statusCode"]) + raw(p["external"]["value"]) +
                b"".join(raw(v) for v in p["listValues"]) + raw(p["precommitmentValue"]) + u32(p["statusCode"]))

    def round(self, certificate=None, **other):
        """A signed pulse with other members."""
        certificate = certificate or self.certificate
        p = {"certificateId": hashlib.sha512(certificate).hexdigest(), "chainIndex": str(self.chain), "cipherSuite": 0,
             "external": {"sourceId": invent("source", 64).hex(), "statusCode": 1, "value": invent("external", 64).hex()},
             "listValues": [invent(f"list {i}", 64).hex() for i in range(5)], "localRandomValue": invent("local", 64).hex(),
             "period": self.period, "precommitmentValue": invent("next", 64).hex(), "pulseIndex": str(self.index),
             "statusCode": 2, "timeStamp": self.time, "uri": f"https://beacon.example/2.0/chain/{self.chain}/pulse/{self.index}",
             "version": "Version 2.0", **other}
        message = self.message(p)
        p["signatureValue"] = self.rsa(message).hex()
        p["outputValue"] = hashlib.sha512(message + bytes.fromhex(p["signatureValue"])).hexdigest()
        return {"id": f"nist:{p['chainIndex']}", "randomness": p["outputValue"], "round": p["pulseIndex"],
                "proof": {"certificate": certificate.hex(), "pulse": p}}

    @staticmethod
    def windows(t, period):
        return window(max(0, t - period), t), window(t, t + period)

    def time_cases(self, t):
        for text, ms in (("1970-01-01T00:00:00.000Z", 0), ("1970-01-01T00:00:59.999Z", 59999), ("1970-01-01T00:01:00.000Z", 60000),
                         ("2000-02-29T12:34:56.789Z", 951827696789), ("2018-08-30T17:44:00.000Z", 1535651040000),
                         ("2100-02-28T00:00:00.000Z", 4107456000000), ("2100-03-01T00:00:00.000Z", 4107542400000),
                         ("2023-12-31T23:59:59.999Z", 1704067199999), ("9999-12-31T23:59:59.999Z", 253402300799999)):
            yield case(f"time {text}", self.round(timeStamp=text), t, "ok", self.windows(ms, self.period))
        for text in ("1969-12-31T23:59:59.999Z", "2023-02-29T00:00:00.000Z", "2100-02-29T00:00:00.000Z", "2024-00-01T00:00:00.000Z",
                     "2024-13-01T00:00:00.000Z", "2024-01-00T00:00:00.000Z", "2024-04-31T00:00:00.000Z", "2024-01-01T24:00:00.000Z",
                     "2024-01-01T00:60:00.000Z", "2016-12-31T23:59:60.000Z", "2024-01-01T00:00:00Z", "2024-01-01 00:00:00.000Z",
                     "2024-01-01T00:00:00.000z", "2024-01-01T00:00:00.000+", "2024-01-01T00:00:00.0000Z", "", " 024-01-01T00:00:00.000Z"):
            yield case(f"time {text}", self.round(timeStamp=text), t, "false")

    def member_cases(self, t):
        w = self.windows(self.time_ms, self.period)
        for name, other, result in (
                ("chain 1, pulse 1", {"chainIndex": "1", "pulseIndex": "1"}, "ok"),
                ("the largest chain and pulse", {"chainIndex": str(2**64 - 1), "pulseIndex": str(2**64 - 1)}, "ok"),
                ("chain 0", {"chainIndex": "0"}, "false"), ("pulse 0", {"pulseIndex": "0"}, "false"),
                ("cipherSuite 1", {"cipherSuite": 1}, "false"), ("period 0", {"period": 0}, "false"),
                ("the largest status", {"statusCode": 2**32 - 1}, "ok"), ("an empty uri and version", {"uri": "", "version": ""}, "ok"),
                ("a uri of 256 bytes", {"uri": "u" * 256}, "ok"), ("a uri of 257 bytes", {"uri": "u" * 257}, "false"),
                ("a version of 256 bytes, not ASCII", {"version": "\u00e9" * 128}, "ok"),
                ("a control character in the uri", {"uri": "a\u0007"}, "false"),
                ("four list values", {"listValues": [invent(f"list {i}", 64).hex() for i in range(4)]}, "false"),
                ("six list values", {"listValues": [invent(f"list {i}", 64).hex() for i in range(6)]}, "false")):
            yield case(name, self.round(**other), t, result, w)
        for period in (1, 2**32 - 1):
            yield case(f"period {period}", self.round(period=period), t, "ok", self.windows(self.time_ms, period))

    def false_cases(self, good, t):
        pulse = ["proof", "pulse"]
        p = good["proof"]["pulse"]
        other_output = hashlib.sha512(b"another").hexdigest()
        yield case("another output value, here and there",
                   changed(changed(good, [*pulse, "outputValue"], other_output), ["randomness"], other_output), t, "false")
        for name, v in (("period", 60001), ("period", 2**32), ("statusCode", 3), ("statusCode", 2**32), ("statusCode", -1),
                        ("cipherSuite", 2), ("uri", p["uri"] + "0"), ("version", "Version 2.1"), ("timeStamp", "2024-02-29T23:58:00.000Z"),
                        ("timeStamp", "2024-02-29T23:59:00.001Z")):
            yield case(f"{name} {v}", changed(good, [*pulse, name], v), t, "false")
        yield case("external status 2", changed(good, [*pulse, "external", "statusCode"], 2), t, "false")
        for i in range(5):
            yield case(f"list value {i} changed", changed(good, [*pulse, "listValues", i], flip(p["listValues"][i], 99)), t, "false")
            yield case(f"list value {i} null", changed(good, [*pulse, "listValues", i], None), t, "false")
            yield case(f"list value {i} upper case", changed(good, [*pulse, "listValues", i], p["listValues"][i].upper()), t, "false")
        swapped = [p["listValues"][i] for i in (1, 0, 2, 3, 4)]
        yield case("list values in another order", changed(good, [*pulse, "listValues"], swapped), t, "false")
        both = changed(changed(good, [*pulse, "chainIndex"], "3"), ["id"], "nist:3")
        yield case("another chain, in the id too", both, t, "false")
        both = changed(changed(good, [*pulse, "pulseIndex"], "7"), ["round"], "7")
        yield case("another pulse, in the round too", both, t, "false")

    def certificate_cases(self, good):
        w = self.windows(self.time_ms, self.period)
        known = hashlib.sha512(self.certificate).hexdigest()
        other, ec = self.der("nist_other_certificate.pem"), self.der("nist_ec_certificate.pem")
        yield case("an unknown certificate", good, trust(), "untrusted")
        yield case("another known certificate", good, trust(nist=[hashlib.sha512(other).hexdigest()]), "untrusted")
        yield case("among known certificates", good, trust(nist=[hashlib.sha512(other).hexdigest(), known]), "ok", w)
        yield case("a certificate of another key", self.round(certificate=other), trust(nist=[hashlib.sha512(other).hexdigest()]), "false")
        yield case("a certificate of a key that is not RSA", self.round(certificate=ec), trust(nist=[hashlib.sha512(ec).hexdigest()]), "false")
        long = self.certificate + b"\0"
        yield case("a byte after the certificate", self.round(certificate=long), trust(nist=[hashlib.sha512(long).hexdigest()]), "false")
        cut = self.certificate[:-1]
        yield case("a certificate cut short", self.round(certificate=cut), trust(nist=[hashlib.sha512(cut).hexdigest()]), "false")
        junk = bytes(8192)
        yield case("8192 bytes that are no certificate", self.round(certificate=junk), trust(nist=[hashlib.sha512(junk).hexdigest()]), "false")
        yield case("the certificate replaced", changed(good, ["proof", "certificate"], other.hex()), trust(nist=[known]), "false")
        yield case("the certificate's id replaced", changed(good, ["proof", "pulse", "certificateId"], hashlib.sha512(other).hexdigest()),
                   trust(nist=[known, hashlib.sha512(other).hexdigest()]), "false")

    def cases(self):
        good, t = self.round(), trust(nist=[hashlib.sha512(self.certificate).hexdigest()])
        out = [case("good", good, t, "ok", self.windows(self.time_ms, self.period))]
        out += list(self.time_cases(t)) + list(self.member_cases(t)) + list(self.false_cases(good, t)) + list(self.certificate_cases(good))
        out += form_cases(good, t, [[], ["pulse"], ["pulse", "external"]])
        names = ("certificateId", "outputValue", "signatureValue")
        out += hex_cases(good, t, [["certificate"]] + [["pulse", n] for n in names])
        out += hex_cases(good, t, [["pulse", "external", "value"]])
        out += decimal_cases(good, t, ["pulse", "chainIndex"], str(2**64)) + decimal_cases(good, t, ["pulse", "pulseIndex"], str(2**64))
        out += round_cases(good, t, [f"nist:{x}" for x in ("", "0", "02", "2.0", "-2", "3", str(2**64))])
        return out


def main():
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert address(1).hex() == "7e5f4552091a69125d5dfcb7b8c2659029395bdf"
    for name, cases in (("theta", Theta().cases()), ("ethereum", Ethereum().cases()), ("nist", Nist().cases())):
        names = [c["name"] for c in cases]
        assert len(set(names)) == len(names), [n for n in names if names.count(n) > 1]
        lines = ",\n".join(json.dumps(c, sort_keys=True, separators=(",", ":")) for c in cases)
        with open(os.path.join(sys.argv[1], name + ".json"), "w", encoding="utf-8") as f:
            f.write('{"cases":[\n' + lines + "\n]}\n")
        print(f"{name}: {len(cases)} cases")


if __name__ == "__main__":
    main()
