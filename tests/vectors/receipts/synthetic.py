"""Beacons of our own: chains, validators, blocks and a certificate whose secrets are known, so that vectors
can hold genuine rounds and every kind of false one. Each make_* gives a Beacon; nothing here is random."""

import copy
import hashlib

from verbatim_ref import beacons, rlp, rsa, secp256k1
from verbatim_ref import bls12381 as bls
from verbatim_ref.keccak import keccak256


def sha256(data):
    return hashlib.sha256(data).digest()


class Beacon:
    """An id, a round (randomness, proof, number as a receipt holds them) and the trust that pins it. The
    windows are what the construction makes them."""

    def __init__(self, beacon_id, number, randomness, proof, trust, windows=(None, None)):
        self.id, self.trust = beacon_id, trust
        self.next, self.latest = windows
        self.number, self.randomness, self.proof = number, randomness, proof

    def round(self):
        return {"proof": self.proof, "randomness": self.randomness.hex(), "round": str(self.number)}

    def trust_file(self):
        return {"format": "verbatim.trust/1", **self.trust}


class DrandChain:
    """Period 10 s, genesis at 1700000000."""

    def __init__(self, scheme, secret=7, beacon_id="synthetic"):
        self.scheme, self.secret, self.period, self.genesis = scheme, secret, 10, 1700000000
        self.field = bls.Fp if scheme == "bls-unchained-g1-rfc9380" else bls.Fp2
        key = bls.public_key(secret, bls.Fp2 if self.field is bls.Fp else bls.Fp)
        group = sha256(b"group of " + scheme.encode())
        data = self.period.to_bytes(4, "big") + self.genesis.to_bytes(8, "big") + key + group
        self.hash = sha256(data + (b"" if beacon_id == "default" else beacon_id.encode())).hex()
        self.group = group
        self.info = {
            "beacon_id": beacon_id,
            "genesis_time": self.genesis,
            "group_hash": group.hex(),
            "hash": self.hash,
            "period": self.period,
            "public_key": key.hex(),
            "scheme": scheme,
        }

    def _previous(self, number):
        """What a round of the chained scheme follows; the signatures before it are taken as any 96 bytes."""
        if self.scheme != "pedersen-bls-chained":
            return None
        return self.group if number == 1 else bytes([number % 256]) * 96

    def time(self, number):
        return 0 if number == 0 else 1000 * (self.genesis + (number - 1) * self.period)

    def beacon(self, number):
        previous = self._previous(number)
        message = sha256((previous or b"") + number.to_bytes(8, "big"))
        signature = bls.sign(self.secret, message, self.field)
        proof = {"previous_signature": previous and previous.hex(), "signature": signature.hex()}
        before, at, after = (self.time(number + i) for i in (-1, 0, 1))
        return Beacon(
            "drand:" + self.hash, number, sha256(signature), proof, {"drand": [self.info]}, ((before, at), (at, after))
        )


THETA_STAKES = {11: 1, 12: 1, 13: 2, 14: 2}  # secret: stake; three quarters of 6 is more than two thirds


def theta_vote(secret, block, epoch):
    who = secp256k1.address(secret)
    digest = beacons.theta_vote_digest(block, epoch, who)
    return {"epoch": str(epoch), "id": who.hex(), "signature": secp256k1.sign(secret, digest, secret + 1000).hex()}


def theta_randomness(block, height, timestamp):
    return sha256(f"0x{block.hex()}{height}{timestamp}".encode())


def make_theta(secrets=(11, 13, 14), height=500, t=1700000012, before=1700000006, chain="testnet-3"):
    block = keccak256(b"block %d" % height)
    votes = sorted((theta_vote(s, block, height + 9) for s in secrets), key=lambda v: v["id"])
    proof = {"hash": block.hex(), "previous_timestamp": str(before), "timestamp": str(t), "votes": votes}
    validators = [{"id": secp256k1.address(s).hex(), "stake": str(k)} for s, k in THETA_STAKES.items()]
    trust = {"theta": [{"chain": chain, "from": "400", "to": "600", "validators": validators}]}
    return Beacon(
        "theta:" + chain,
        height,
        theta_randomness(block, height, t),
        proof,
        trust,
        ((1000 * before, 1000 * t), (1000 * t, 1000 * t + 120000)),
    )


ETHEREUM_T = 1700000000


def ethereum_header(height, parent, **change):
    """16 items, those that nobody looks at short. The timestamp of block n is 12 n after ETHEREUM_T."""
    items = [
        parent,
        b"uncles",
        b"miner",
        b"state",
        b"transactions",
        b"receipts",
        bytes(8),
        b"",
        height,
        30000000,
        21000,
        ETHEREUM_T + 12 * height,
        b"",
        sha256(b"mix %d" % height),
        bytes(8),
        7,
    ]
    for name, value in change.items():
        items[{"difficulty": 7, "number": 8, "timestamp": 11, "extra": 12, "mix": 13}[name]] = value
    return items


def make_ethereum(number=100, count=4, chain="1337", pinned=None, raw=rlp.encode, **changes):
    """changes: h0={...} changes items of the first header, and so on."""
    headers, parent = [], sha256(b"parent")
    for i in range(count):
        headers.append(raw(ethereum_header(number - 2 + i, parent, **changes.get(f"h{i}", {}))))
        parent = keccak256(headers[-1])
    pinned = count - 1 if pinned is None else pinned
    block = {"chain_id": chain, "hash": keccak256(headers[pinned]).hex(), "number": str(number - 2 + pinned)}
    t = [1000 * (ETHEREUM_T + 12 * (number - 2 + i)) for i in range(3)]
    return Beacon(
        "ethereum:" + chain,
        number,
        rlp.strings(headers[2])[13],
        {"headers": [h.hex() for h in headers]},
        {"ethereum": [block]},
        ((t[0], t[1]), (t[2], t[2] + 1800000)),
    )


def _probable_prime(n):
    if any(n % p == 0 for p in range(3, 2000, 2)):
        return False
    d, s = n - 1, 0
    while d % 2 == 0:
        d, s = d // 2, s + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19):
        x = pow(base, d, n)
        if x == 1:
            continue
        squares = [x]
        for _ in range(s - 1):
            squares.append(squares[-1] ** 2 % n)
        if n - 1 not in squares:
            return False
    return True


def _prime(label, bits):
    """The first probable prime, the two highest bits set, from a number that hashing gives."""
    n = int.from_bytes(b"".join(hashlib.sha512(label + bytes([i])).digest() for i in range(2)), "big")
    n = n >> (1024 - bits) | 3 << (bits - 2) | 1
    while not _probable_prime(n) or n % 65537 == 1:
        n += 2
    return n


class NistKey:
    """An RSA key and a certificate of the X.509 shape around it. Its own signature is zeros:
    the trust root is the certificate's digest, so nobody looks at it."""

    def __init__(self, label=b"vector certificate", bits=2048):
        p, q = (_prime(label + name, bits // 2) for name in (b" p", b" q"))
        self.n, self.e = p * q, 65537
        self.d = pow(self.e, -1, (p - 1) * (q - 1))
        der, null = rsa.der, b"\5\0"
        algorithm = der(0x30, der(rsa.OID, rsa.OID_RSA), null)
        signed_with = der(0x30, der(rsa.OID, bytes.fromhex("2a864886f70d01010d")), null)
        name = der(0x30, der(0x31, der(0x30, der(rsa.OID, bytes.fromhex("550403")), der(0x0C, b"vectors"))))
        validity = der(0x30, der(0x17, b"230101000000Z"), der(0x17, b"330101000000Z"))
        key = der(0x30, algorithm, der(3, b"\0" + der(0x30, rsa.der_integer(self.n), rsa.der_integer(self.e))))
        body = der(0x30, der(0xA0, rsa.der_integer(2)), rsa.der_integer(1), signed_with, name, validity, name, key)
        self.certificate = der(0x30, body, signed_with, der(3, bytes(257)))
        self.id = hashlib.sha512(self.certificate).hexdigest()


NIST_T = 1700000040000  # 2023-11-14T22:14:00.000Z


def _nist_message(pulse):
    """What the key signs, with no care for whether the pulse is one."""

    def sized(raw):
        return len(raw).to_bytes(4, "big") + raw

    def fields(names, size):
        for n in names:
            v = pulse[n]
            yield int(v).to_bytes(size, "big") if size else sized(v.encode())

    def digests(*values):
        return b"".join(sized(bytes.fromhex(v)) for v in values)

    external = pulse["external"]
    return b"".join(
        [
            *fields(("uri", "version"), 0),
            *fields(("cipherSuite", "period"), 4),
            digests(pulse["certificateId"]),
            *fields(("chainIndex", "pulseIndex"), 8),
            *fields(("timeStamp",), 0),
            digests(pulse["localRandomValue"], external["sourceId"]),
            external["statusCode"].to_bytes(4, "big"),
            digests(external["value"], *pulse["listValues"], pulse["precommitmentValue"]),
            *fields(("statusCode",), 4),
        ]
    )


def make_nist(key, index=77, chain="9", t=NIST_T, **members):
    """A pulse that is signed whatever its members say: members replace those of a good one. t is the time
    that its timeStamp is of."""

    def digest(label):
        return hashlib.sha512(label).hexdigest()

    pulse = {
        "certificateId": key.id,
        "chainIndex": chain,
        "cipherSuite": 0,
        "external": {"sourceId": "00" * 64, "statusCode": 0, "value": "00" * 64},
        "listValues": [digest(b"%d" % i) for i in range(5)],
        "localRandomValue": digest(b"local"),
        "period": 60000,
        "precommitmentValue": digest(b"next"),
        "pulseIndex": str(index),
        "statusCode": 0,
        "timeStamp": "2023-11-14T22:14:00.000Z",
        "uri": f"https://beacon.example/pulse/{index}",
        "version": "Version 2.0",
        "signatureValue": "00",
        "outputValue": "00" * 64,
    }
    pulse.update(members)
    message = _nist_message(pulse)
    signature = rsa.sign_sha512(key.n, key.d, message)
    output = hashlib.sha512(message + signature).digest()
    pulse.update(signatureValue=signature.hex(), outputValue=output.hex())
    proof = {"certificate": key.certificate.hex(), "pulse": pulse}
    period = pulse["period"]
    windows = ((max(t - period, 0), t), (t, t + period))
    return Beacon("nist:" + chain, index, output, proof, {"nist": [key.id]}, windows)


def with_nist_signature(b, signature):
    """The round with another signature and the output that follows from it."""
    proof = copy.deepcopy(b.proof)
    output = hashlib.sha512(_nist_message(proof["pulse"]) + signature).digest()
    proof["pulse"].update(signatureValue=signature.hex(), outputValue=output.hex())
    return Beacon(b.id, b.number, output, proof, b.trust, (b.next, b.latest))


def make_mix(*parts):
    """The parts in the order of their ids."""
    parts = sorted(parts, key=lambda p: p.id.encode())
    randomness = beacons.mix_randomness([(p.id, p.number, p.randomness) for p in parts])
    trust = {k: v for p in parts for k, v in p.trust.items()}
    windows = [
        (max(w[0] for w in ws), min(w[1] for w in ws)) for ws in ([p.next for p in parts], [p.latest for p in parts])
    ]
    return Beacon(
        "mix:" + "+".join(p.id for p in parts),
        parts[0].number,
        randomness,
        {"parts": [p.round() for p in parts]},
        trust,
        windows,
    )


def local_chain(secret=b"\7" * 32):
    """chain[r] is round r; chain[0] the anchor."""
    chain = [secret]
    for _ in range(beacons.LOCAL_ROUNDS):
        chain.append(beacons.local_step(chain[-1]))
    return chain[::-1]


def make_local(chain, number=5):
    return Beacon("local:" + chain[0].hex(), number, chain[number], None, {})
