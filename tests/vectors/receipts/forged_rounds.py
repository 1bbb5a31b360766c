"""Rounds that are false, of another time, or vouched for by nobody, in receipts that hold otherwise: checks
`beacon-proof` and `round-rule`, and what a trust file refuses."""

import copy

import synthetic
from receipts import OTHER_SEED, T, case, changed, draft, put, seal, sealed
from synthetic import sha256
from verbatim_ref import bls12381 as bls
from verbatim_ref import rlp, secp256k1

GOOD = ("VERIFIED", None)
PROOF, RULE = ("REFUTED", "beacon-proof"), ("REFUTED", "round-rule")
UNTRUSTED, UNSUPPORTED = ("UNVERIFIABLE", "trust-root"), ("UNVERIFIABLE", "unsupported-beacon")
G1, UNCHAINED, CHAINED = "bls-unchained-g1-rfc9380", "pedersen-bls-unchained", "pedersen-bls-chained"


def _edited(b, *changes, **new):
    """The beacon with parts of its proof (paths) and its other members replaced."""
    out = copy.deepcopy(b)
    for path, value in changes:
        put(out.proof, path, value)
    for member, value in new.items():
        setattr(out, member, value)
    return out


def _in_receipt(name, b, expected, trust="own", mode="next"):
    """The round in a receipt that is sealed over it, at the first millisecond for which the genuine one holds."""
    window = b.next or (T, T)
    root = b.trust_file() if trust == "own" else trust
    return case(name, sealed(mode, b, t=window[0]), *expected, trust=root)


def _proof_shapes(b):
    """Every member of the proof dropped, retyped, and one added: false, not unreadable: the kind says what
    its proof holds."""
    kind = b.id.split(":")[0]
    for member in sorted(b.proof):
        short = {k: v for k, v in b.proof.items() if k != member}
        yield _in_receipt(f"{kind}: proof without {member}", _edited(b, proof=short), PROOF)
        yield _in_receipt(f"{kind}: proof with {member} a number", _edited(b, ([member], 1)), PROOF)
        if member != "previous_signature":
            yield _in_receipt(f"{kind}: proof with {member} null", _edited(b, ([member], None)), PROOF)
    yield _in_receipt(f"{kind}: proof with a member more", _edited(b, (["extra"], None)), PROOF)
    yield _in_receipt(f"{kind}: no proof", _edited(b, proof=None), PROOF)
    yield _in_receipt(f"{kind}: an empty proof", _edited(b, proof={}), PROOF)
    size = 64 if kind == "nist" else 32
    yield _in_receipt(f"{kind}: other randomness", _edited(b, randomness=b"\1" * size), PROOF)
    yield _in_receipt(
        f"{kind}: randomness of the other size",
        _edited(b, randomness=b.randomness * 2 if size == 32 else b.randomness[:32]),
        PROOF,
    )
    for number in (0, b.number - 1, b.number + 1, 2**64 - 1):
        yield _in_receipt(f"{kind}: the proof of another round, as round {number}", _edited(b, number=number), PROOF)


def _with_signature(b, signature):
    """A drand round with this signature and the randomness that belongs to it."""
    return _edited(b, (["signature"], signature.hex()), randomness=sha256(signature))


def _bad_points(good):
    """Encodings that are no point, or a point that may not be used. good is one of G1 or G2, 48 or 96 bytes."""
    n, field = len(good), bls.Fp if len(good) == 48 else bls.Fp2
    yield "the identity", bytes([0xC0]) + bytes(n - 1)
    yield "the identity with another bit", bytes([0xC0]) + bytes(n - 2) + b"\1"
    yield "not marked as compressed", bytes([good[0] & 0x7F]) + good[1:]
    yield "marked as infinity", bytes([good[0] | 0x40]) + good[1:]
    yield "its negative", bytes([good[0] ^ 0x20]) + good[1:]
    yield "x of p", bytes([0x80 | bls.P >> 376]) + bls.P.to_bytes(48, "big")[1:] + good[48:]
    yield "all bits", b"\xff" * n
    x = 1
    while True:  # points of the curve that are not in the subgroup, and x of no point: the first of each
        v = field(x)
        y = (v * v * v + bls.CURVE_B[field]).sqrt()
        if y is not None:
            break
        x += 1
    yield "a point outside the subgroup", bls.compress((v, y))
    # The pairing does not see what a point of another order adds: whoever skips the subgroup check takes this
    # for a signature, and lets its maker choose among values of randomness.
    yield "the good one and a point of another order", bls.compress(
        bls.add(bls.decompress(good, field), bls.multiply(bls.R, (v, y)))
    )
    x = 1
    while (field(x) * field(x) * field(x) + bls.CURVE_B[field]).sqrt() is not None:
        x += 1
    yield "x of no point", bytes([0x80]) + x.to_bytes(n - 1, "big")


def _not_reduced(world):
    """Genuine signatures with p added to a coefficient of x, where there is room for it."""
    in_g2 = world.drand[UNCHAINED]
    raw = bytes.fromhex(in_g2.proof["signature"])
    low = int.from_bytes(raw[48:], "big") + bls.P
    yield "drand: signature in G2 with x not reduced", _with_signature(in_g2, raw[:48] + low.to_bytes(48, "big"))
    for number in range(2, 100):
        b = world.chains[G1].beacon(number)
        raw = bytes.fromhex(b.proof["signature"])
        x = int.from_bytes(raw, "big") % 2**381 + bls.P
        if x < 2**381:
            flags = raw[0] & 0xE0
            encoded = bytes([x >> 376 | flags]) + x.to_bytes(48, "big")[1:]
            yield "drand: signature in G1 with x not reduced", _with_signature(b, encoded)
            return


def _drand(world):
    b, chain = world.drand[G1], world.chains[G1]
    yield from _proof_shapes(b)
    for name, forged in _not_reduced(world):
        yield _in_receipt(name, forged, PROOF)
    for scheme in (G1, UNCHAINED):
        good = world.drand[scheme]
        raw = bytes.fromhex(good.proof["signature"])
        for name, point in _bad_points(raw):
            yield _in_receipt(
                f"drand: signature in {'G1' if scheme == G1 else 'G2'} is {name}", _with_signature(good, point), PROOF
            )
        yield _in_receipt(f"drand: a byte less of signature, {scheme}", _with_signature(good, raw[:-1]), PROOF)
        yield _in_receipt(
            f"drand: previous signature in {scheme}", _edited(good, (["previous_signature"], "ab" * 96)), PROOF
        )
    for scheme, good in world.drand.items():
        message = sha256(bytes.fromhex(good.proof["previous_signature"] or "") + (2).to_bytes(8, "big"))
        field = bls.Fp if scheme == G1 else bls.Fp2
        yield _in_receipt(
            f"drand: signed by another key, {scheme}", _with_signature(good, bls.sign(8, message, field)), PROOF
        )
        yield _in_receipt(
            f"drand: the signature of another round, {scheme}",
            _with_signature(good, bytes.fromhex(world.chains[scheme].beacon(3).proof["signature"])),
            PROOF,
        )
    other = world.drand[UNCHAINED]
    yield _in_receipt(
        "drand: a signature of the other group's length",
        _with_signature(b, bytes.fromhex(other.proof["signature"])),
        PROOF,
    )
    yield _in_receipt("drand: signature in capitals", _edited(b, (["signature"], b.proof["signature"].upper())), PROOF)
    linked, first = world.drand[CHAINED], world.drand_first
    yield _in_receipt(
        "drand: chained without the previous signature", _edited(linked, (["previous_signature"], None)), PROOF
    )
    yield _in_receipt(
        "drand: chained after another signature", _edited(linked, (["previous_signature"], "ab" * 96)), PROOF
    )
    yield _in_receipt("drand: round 1 after another group", _edited(first, (["previous_signature"], "ab" * 32)), PROOF)
    yield _in_receipt(
        "drand: round 2 after the group", _edited(linked, (["previous_signature"], chain.group.hex())), PROOF
    )
    for name in ("", "x", b.id[6:-1], b.id[6:] + "0", b.id[6:].upper(), b.id[6:] + ":"):
        yield _in_receipt(f"drand: chain {name!r}", _edited(b, id="drand:" + name), PROOF, trust=None)
    unpinned = {"trust": None}
    signature = bytes.fromhex(b.proof["signature"])
    yield _in_receipt("drand: round 0 of a chain that nobody pins", _edited(b, number=0), PROOF, **unpinned)
    for size in (47, 49, 95):
        long = (signature * 2)[:size]
        yield _in_receipt(
            f"drand: a signature of {size} bytes, of a chain that nobody pins",
            _with_signature(b, long),
            PROOF,
            **unpinned,
        )
    for previous, expected in (("ab" * 32, PROOF), ("ab" * 95, PROOF), ("ab" * 96, UNTRUSTED), (None, UNTRUSTED)):
        size = len(previous or "") // 2
        yield _in_receipt(
            f"drand: a previous signature of {size} bytes, of a chain that nobody pins",
            _edited(linked, (["previous_signature"], previous)),
            expected,
            **unpinned,
        )
    yield _in_receipt(
        "drand: a previous signature beside one in G1, of a chain that nobody pins",
        _edited(b, (["previous_signature"], "ab" * 96)),
        PROOF,
        **unpinned,
    )
    yield _in_receipt(
        "drand: round 1 after 96 bytes, of a chain that nobody pins",
        _edited(first, (["previous_signature"], "ab" * 96)),
        PROOF,
        **unpinned,
    )
    group = b"\xab" * 32
    message = sha256(group + (1).to_bytes(8, "big"))
    yield _in_receipt(
        "drand: round 1 signed after another group",
        _edited(_with_signature(first, bls.sign(7, message, bls.Fp2)), (["previous_signature"], group.hex())),
        PROOF,
    )
    yield _in_receipt("drand: a chain that nobody pins", b, UNTRUSTED, trust=None)
    yield _in_receipt(
        "drand: a false signature of a chain that nobody pins",
        _with_signature(b, b"\x80" + bytes(47)),
        UNTRUSTED,
        trust=None,
    )
    yield _in_receipt(
        "drand: other randomness of a chain that nobody pins", _edited(b, randomness=bytes(32)), PROOF, trust=None
    )
    yield _in_receipt("drand: another chain is pinned", b, UNTRUSTED, trust=other.trust_file())
    yield _in_receipt(
        "drand: this chain's round in another chain's name", _edited(b, id=other.id), PROOF, trust=other.trust_file()
    )


def _theta(world):
    b, make = world.theta, synthetic.make_theta
    yield from _proof_shapes(b)
    votes = b.proof["votes"]
    block = bytes.fromhex(b.proof["hash"])

    def forged(name, *changes, expected=PROOF):
        return _in_receipt(f"theta: {name}", _edited(b, *changes), expected)

    for t, before in ((1700000013, 1700000006), (1700000012, 1700000007)):
        changed_times = [(["timestamp"], str(t)), (["previous_timestamp"], str(before))]
        if t == 1700000012:
            # Only the server's word: nothing in the proof binds the parent's time.
            yield _in_receipt(
                "theta: another time of the parent",
                _edited(b, *changed_times, next=(1000 * before, 1000 * t)),
                ("VERIFIED", None),
            )
        else:
            yield forged("another time", *changed_times)
    same = make(t=1700000012, before=1700000012)
    yield _in_receipt("theta: the parent is as old", same, GOOD, mode="latest")
    for t, before, expected in ((2**53 - 1, 1700000006, GOOD), (2**53, 1700000006, PROOF), (1, 0, GOOD)):
        made = make(t=t, before=before)
        yield _in_receipt(f"theta: a block of the time {t}", made, expected)
    older = make(t=1700000012, before=1700000013)
    yield _in_receipt("theta: the parent is younger", _edited(older, next=None), PROOF)
    for member in ("timestamp", "previous_timestamp"):
        for v in ("", "01", "-1", str(2**53), str(2**64)):
            yield forged(f"{member} {v!r}", ([member], v))
    yield forged("another hash", (["hash"], "ab" * 32))
    yield forged("hash in capitals", (["hash"], b.proof["hash"].upper()))
    yield forged("hash with 0x", (["hash"], "0x" + b.proof["hash"][2:]))
    yield forged("no votes", (["votes"], []))
    yield forged("votes in another order", (["votes"], votes[::-1]))
    yield forged("a vote twice", (["votes"], [votes[0], *votes]))
    for member in ("epoch", "id", "signature"):
        yield forged(f"a vote without {member}", (["votes", 0], {k: v for k, v in votes[0].items() if k != member}))
        yield forged(f"a vote whose {member} is null", (["votes", 0, member], None))
    yield forged("a vote with a member more", (["votes", 0, "height"], "500"))
    yield forged("a vote of another epoch", (["votes", 0, "epoch"], "510"))
    yield forged("an epoch beyond 64 bits", (["votes", 0, "epoch"], str(2**64)))
    yield forged("a vote with somebody else's signature", (["votes", 0, "signature"], votes[1]["signature"]))
    good = bytes.fromhex(votes[0]["signature"])
    n = secp256k1.N
    for name, raw in (
        ("v of the other parity", good[:64] + bytes([good[64] ^ 1])),
        ("v of 27", good[:64] + bytes([good[64] + 27])),
        ("v of 2", good[:64] + b"\2"),
        ("v of 4", good[:64] + b"\4"),
        ("r of 0", bytes(32) + good[32:]),
        ("s of 0", good[:32] + bytes(32) + good[64:]),
        ("r of the order", n.to_bytes(32, "big") + good[32:]),
        ("s of the order", good[:32] + n.to_bytes(32, "big") + good[64:]),
        (
            "s plus the order, cut",
            good[:32] + ((int.from_bytes(good[32:64], "big") + n) % 2**256).to_bytes(32, "big") + good[64:],
        ),
        ("one bit of s", good[:63] + bytes([good[63] ^ 1]) + good[64:]),
        ("a byte less", good[:64]),
        ("a byte more", good + b"\0"),
    ):
        yield forged(f"a vote's signature with {name}", (["votes", 0, "signature"], raw.hex()))
    high = good[:32] + (n - int.from_bytes(good[32:64], "big")).to_bytes(32, "big") + bytes([good[64] ^ 1])
    yield forged(
        "a vote's signature with the other s, which is as good",
        (["votes", 0, "signature"], high.hex()),
        expected=("VERIFIED", None),
    )
    yield from _theta_roots(world, block)


def _theta_roots(world, block):
    b, make = world.theta, synthetic.make_theta
    yield _in_receipt("theta: two thirds of the stake exactly", make(secrets=(13, 14)), PROOF)
    yield _in_receipt("theta: less than two thirds", make(secrets=(11, 12, 13)), PROOF)
    yield _in_receipt("theta: votes of nobody in the set", make(secrets=(13, 14, 21, 22, 23)), PROOF)
    yield _in_receipt(
        "theta: enough, and a vote of nobody in the set", make(secrets=(11, 13, 14, 21)), ("VERIFIED", None)
    )
    yield _in_receipt("theta: nobody's votes and no set", make(secrets=(21,)), UNTRUSTED, trust=None)
    yield _in_receipt("theta: no set", b, UNTRUSTED, trust=None)
    root = b.trust_file()
    for name, first, last, expected in (
        ("before", "400", "499", UNTRUSTED),
        ("after", "501", "600", UNTRUSTED),
        ("that ends with it", "400", "500", ("VERIFIED", None)),
        ("that begins with it", "500", "600", ("VERIFIED", None)),
    ):
        moved = changed(root, (["theta", 0, "from"], first), (["theta", 0, "to"], last))
        yield _in_receipt(f"theta: a set of the heights {name}", b, expected, trust=moved)
    yield _in_receipt(
        "theta: a set of another chain", b, UNTRUSTED, trust=changed(root, (["theta", 0, "chain"], "testnet-4"))
    )
    second = changed(root, (["theta", 0, "to"], "499"))["theta"] + changed(root, (["theta", 0, "from"], "500"))["theta"]
    second[0]["validators"] = [{"id": "ab" * 20, "stake": "1"}]
    yield _in_receipt("theta: the second of two sets", b, ("VERIFIED", None), trust={**root, "theta": second})
    huge = [
        {"id": secp256k1.address(s).hex(), "stake": str(k * (2**100 - 1))} for s, k in {11: 1, 12: 1, 13: 1}.items()
    ]
    for secrets, expected in (((11, 12), PROOF), ((11, 12, 13), ("VERIFIED", None))):
        yield _in_receipt(
            f"theta: stakes of almost 2^100, {len(secrets)} of 3",
            make(secrets=secrets),
            expected,
            trust=changed(root, (["theta", 0, "validators"], huge)),
        )
    for name in ("", "Testnet", "testnet 3", "a" * 65, "test.net"):
        yield _in_receipt(f"theta: chain {name[:12]!r}", _edited(b, id="theta:" + name), PROOF, trust=None)
    yield _in_receipt("theta: a chain's name of 64", _edited(b, id="theta:" + "a" * 64), UNTRUSTED, trust=None)


def _padded(items, at, raw):
    """A header's RLP with the encoding of one item replaced by these bytes."""
    payload = b"".join(raw if i == at else rlp.encode(v) for i, v in enumerate(items))
    return b"\xf8" + bytes([len(payload)]) + payload


def _ethereum(world):
    b, make = world.ethereum, synthetic.make_ethereum
    yield from _proof_shapes(b)
    headers = b.proof["headers"]

    def forged(name, *changes, expected=PROOF, trust="own"):
        return _in_receipt(f"ethereum: {name}", _edited(b, *changes), expected, trust)

    yield forged("a header with another byte", (["headers", 2], headers[2][:-2] + "08"))
    for i in range(4):
        rest = headers[:i] + headers[i + 1 :]
        yield forged(f"header {i} is missing", (["headers"], rest), expected=PROOF if i < 3 else UNTRUSTED)
        yield forged(f"header {i} twice", (["headers"], rest[:i] + [headers[i]] * 2 + rest[i:]))
        yield forged(f"header {i} with a byte more", (["headers", i], headers[i] + "00"))
        yield forged(f"header {i} with a byte less", (["headers", i], headers[i][:-2]))
    for value in ("", "80", "c0", "f8", "0x" + headers[0][2:], headers[0].upper(), None, "00" * 4097):
        yield forged(f"a header of {str(value)[:6]!r}", (["headers", 0], value))
    yield forged("headers exchanged", (["headers"], [headers[1], headers[0], *headers[2:]]))
    yield forged("two headers", (["headers"], headers[:2]))
    for i in range(4):
        for name, items in (
            ("difficulty", {"difficulty": 1}),
            ("number", {"number": 1000}),
            ("the number before", {"number": 97 + i}),
            ("a time not after its parent's", {"timestamp": synthetic.ETHEREUM_T + 12 * (97 + i)}),
            ("a time of 2^53", {"timestamp": 2**53}),
            ("a short mixHash", {"mix": b"\1" * 31}),
        ):
            if i == 0 and name.startswith("a time not"):
                continue
            made = make(**{f"h{i}": items})
            yield _in_receipt(
                f"ethereum: header {i} with {name}", _edited(made, randomness=made.randomness.ljust(32, b"\0")), PROOF
            )
    yield _in_receipt(
        "ethereum: a time one second after the parent's",
        make(h3={"timestamp": synthetic.ETHEREUM_T + 12 * 100 + 1}),
        ("VERIFIED", None),
    )
    for size, expected in ((4096, GOOD), (4097, PROOF)):
        around = len(rlp.encode(synthetic.ethereum_header(101, bytes(32), extra=b"x" * 3000))) - 3000
        yield _in_receipt(f"ethereum: a header of {size} bytes", make(h3={"extra": b"x" * (size - around)}), expected)
    yield _in_receipt("ethereum: a time of 2^53 - 1", make(h3={"timestamp": 2**53 - 1}), GOOD)
    yield _in_receipt("ethereum: chain 1", make(chain="1"), GOOD)
    yield _in_receipt("ethereum: randomness of zeros", make(h2={"mix": bytes(32)}), PROOF)
    for at, name, raw in (
        (8, "a number with a leading zero", b"\x82\0\x62"),
        (8, "a number with a prefix it does not need", b"\x81\x62"),
        (6, "a length that is not the shortest", b"\xb8\x08" + bytes(8)),
        (15, "a list for an item", b"\xc1\7"),
        (7, "a difficulty of a zero byte", b"\0"),
    ):

        def encode(items, at=at, raw=raw):
            return _padded(items, at, raw) if items[8] == 98 else rlp.encode(items)

        yield _in_receipt(f"ethereum: header 0 with {name}", make(raw=encode), PROOF)
    for n, expected in ((14, PROOF), (15, ("VERIFIED", None)), (64, ("VERIFIED", None)), (65, PROOF)):
        yield _in_receipt(
            f"ethereum: headers of {n} items",
            make(raw=lambda items, n=n: rlp.encode((items + [b""] * 64)[:n])),
            expected,
        )
    for number in (0, 1):
        yield _in_receipt(f"ethereum: round {number}", _edited(b, number=number), PROOF, trust=None)
    yield _in_receipt("ethereum: round 2", make(number=2), ("VERIFIED", None))
    yield from _ethereum_roots(world)


def _ethereum_roots(world):
    b, make = world.ethereum, synthetic.make_ethereum
    root = b.trust_file()
    for pinned in (0, 1):
        early = make(pinned=pinned)
        yield _in_receipt(f"ethereum: only block N - {2 - pinned} is pinned", early, UNTRUSTED)
    yield _in_receipt("ethereum: no block is pinned", b, UNTRUSTED, trust=None)
    for member, value, expected in (
        ("chain_id", "1338", UNTRUSTED),
        ("number", "97", UNTRUSTED),
        ("number", "102", UNTRUSTED),
        ("number", "98", PROOF),
        ("number", "100", PROOF),
        ("hash", "ab" * 32, PROOF),
    ):
        yield _in_receipt(
            f"ethereum: another {member} is pinned: {value[:4]}",
            b,
            expected,
            trust=changed(root, (["ethereum", 0, member], value)),
        )
    for number, expected in (("98", PROOF), ("100", PROOF), ("102", ("VERIFIED", None))):
        fork = {**root["ethereum"][0], "hash": "ab" * 32, "number": number}
        yield _in_receipt(
            f"ethereum: a block is pinned, and another block {number}",
            b,
            expected,
            trust={**root, "ethereum": [*root["ethereum"], fork]},
        )
    elsewhere = {**root["ethereum"][0], "hash": "ab" * 32, "chain_id": "1338"}
    yield _in_receipt(
        "ethereum: a block is pinned, and another of another chain",
        b,
        ("VERIFIED", None),
        trust={**root, "ethereum": [elsewhere, *root["ethereum"]]},
    )
    for chain in ("", "0", "01", "-1", "0x539", "1337 ", str(2**64), "mainnet"):
        yield _in_receipt(f"ethereum: chain {chain!r}", _edited(b, id="ethereum:" + chain), PROOF, trust=None)


def _nist(world):
    key, b = world.nist_key, world.nist
    yield from _proof_shapes(b)
    pulse = b.proof["pulse"]
    for member in ("external", "outputValue", "uri"):
        short = {k: v for k, v in pulse.items() if k != member}
        yield _in_receipt(f"nist: pulse without {member}", _edited(b, (["pulse"], short)), PROOF)
    for path, value in (
        (["statusCode"], 1),
        (["external", "statusCode"], 1),
        (["listValues", 4], "01" * 64),
        (["extra"], None),
        (["version"], "v\n"),
        (["pulseIndex"], 77),
        (["signatureValue"], pulse["signatureValue"][:-2]),
        (["timeStamp"], "2023-11-14T22:14:00.001Z"),
        (["certificateId"], "ab" * 64),
    ):
        shown = f"{value!s:.26} ({len(str(value))})"
        yield _in_receipt(f"nist: {'.'.join(map(str, path))} is {shown}", _edited(b, (["pulse", *path], value)), PROOF)

    def signed(name, expected, **kwargs):
        return _in_receipt(f"nist: {name}", synthetic.make_nist(key, **kwargs), expected)

    yield signed("signed, of another chain than the id's", PROOF, chainIndex="8")
    yield signed("signed, of another index than the round", PROOF, pulseIndex="78")
    yield signed("signed, with the id of another certificate", PROOF, certificateId="ab" * 64)
    yield signed("signed, round 0", PROOF, index=0)
    yield signed("signed, chain 0", PROOF, chain="0")
    yield signed("signed, round 1 of chain 1", GOOD, index=1, chain="1")
    yield signed("signed, four list values", PROOF, listValues=["01" * 64] * 4)
    yield signed("signed, six list values", PROOF, listValues=["01" * 64] * 6)
    yield signed("signed, cipherSuite 1", PROOF, cipherSuite=1)
    yield signed("signed, period 0", PROOF, period=0)
    yield signed("signed, a period and a status at their ends", GOOD, period=1, statusCode=2**32 - 1)
    yield signed("signed, an uri of 257 bytes", PROOF, uri="u" * 257)
    yield signed("signed, an uri of 256 bytes", GOOD, uri="u" * 256)
    for stamp in (
        "2023-11-14T22:14:00Z",
        "2023-11-14 22:14:00.000Z",
        "2023-02-29T22:14:00.000Z",
        "2023-11-14T24:14:00.000Z",
        "2023-11-14T22:14:60.000Z",
        "1969-12-31T23:59:59.999Z",
    ):
        yield signed(f"signed, timeStamp {stamp}", PROOF, timeStamp=stamp)
    first = synthetic.make_nist(key, t=30000, timeStamp="1970-01-01T00:00:30.000Z")
    yield _in_receipt("nist: signed, half a minute after 1970 began", first, GOOD)
    yield case(
        "rule: nist, half a minute before 1970 began is no window",
        sealed("next", first, t=30000),
        *RULE,
        trust=first.trust_file(),
    )
    leap = synthetic.make_nist(key, t=1709164800000, timeStamp="2024-02-29T00:00:00.000Z")
    yield _in_receipt("nist: signed, on a leap day", leap, GOOD)
    yield _in_receipt(
        "nist: pulse and round agree on another output",
        _edited(b, (["pulse", "outputValue"], "01" * 64), randomness=b"\1" * 64),
        PROOF,
    )
    yield _in_receipt(
        "nist: only the pulse has another output", _edited(b, (["pulse", "outputValue"], "01" * 64)), PROOF
    )
    signature = bytes.fromhex(pulse["signatureValue"])
    yield _in_receipt(
        "nist: a zero byte before the signature", synthetic.with_nist_signature(b, b"\0" + signature), PROOF
    )
    for index in range(78, 120):
        made = synthetic.make_nist(key, index=index)
        raised = int(made.proof["pulse"]["signatureValue"], 16) + key.n
        if raised < 2**2048:
            break
    raised = synthetic.with_nist_signature(made, raised.to_bytes(256, "big"))
    yield _in_receipt("nist: the signature raised by the modulus", raised, PROOF)
    small = synthetic.NistKey(b"small certificate", 1024)
    yield _in_receipt("nist: signed by a key of 1024 bits", synthetic.make_nist(small), PROOF)
    other = synthetic.NistKey(b"other certificate")
    stolen = synthetic.make_nist(other, certificateId=key.id)
    stolen.proof["certificate"] = key.certificate.hex()
    yield _in_receipt("nist: signed by another key in this certificate's name", _edited(stolen, trust=b.trust), PROOF)
    yield _in_receipt("nist: a certificate that nobody pins", b, UNTRUSTED, trust=None)
    yield _in_receipt(
        "nist: another certificate is pinned", synthetic.make_nist(other), UNTRUSTED, trust=b.trust_file()
    )
    for path, value in (
        (["certificate"], key.certificate.hex()[:-2]),
        (["certificate"], key.certificate.hex() + "00"),
        (["certificate"], "00" * 8193),
    ):
        yield _in_receipt(f"nist: a certificate of {len(value) // 2} bytes", _edited(b, (path, value)), PROOF)
    for chain in ("", "0", "09", str(2**64)):
        yield _in_receipt(f"nist: chain {chain!r}", _edited(b, id="nist:" + chain), PROOF)


def _mix(world):
    b, theta, drand = world.mix, world.theta, world.drand[G1]
    yield from _proof_shapes(b)
    parts = b.proof["parts"]

    def again(*new_parts, ids=None, number=None, trust=None):
        """A mix of rounds as they stand, with the randomness that follows from them."""
        made = synthetic.make_mix(*new_parts)
        return _edited(
            made,
            id=ids or made.id,
            number=made.number if number is None else number,
            trust=trust or b.trust,
            next=b.next,
            latest=b.latest,
        )

    yield _in_receipt("mix: parts exchanged", _edited(b, (["parts"], parts[::-1])), PROOF)
    yield _in_receipt("mix: one part", _edited(b, (["parts"], parts[:1])), PROOF)
    yield _in_receipt("mix: a part more", _edited(b, (["parts"], parts + parts[1:])), PROOF)
    for member in ("proof", "randomness", "round"):
        yield _in_receipt(
            f"mix: a part without {member}",
            _edited(b, (["parts", 0], {k: v for k, v in parts[0].items() if k != member})),
            PROOF,
        )
    yield _in_receipt("mix: a part with its id", _edited(b, (["parts", 0, "id"], drand.id)), PROOF)
    yield _in_receipt(
        "mix: a part's randomness in capitals",
        _edited(b, (["parts", 0, "randomness"], parts[0]["randomness"].upper())),
        PROOF,
    )
    yield _in_receipt("mix: the round is the second part's", again(drand, theta, number=theta.number), PROOF)
    yield _in_receipt("mix: a false part", again(_with_signature(drand, bls.sign(8, b"m", bls.Fp)), theta), PROOF)
    yield _in_receipt("mix: a part of too few votes", again(drand, synthetic.make_theta(secrets=(13, 14))), PROOF)
    false_votes = again(drand, synthetic.make_theta(secrets=(13, 14)))
    yield _in_receipt(
        "mix: a part of too few votes and one that nobody pins",
        false_votes,
        PROOF,
        trust={"format": "verbatim.trust/1", **theta.trust},
    )
    for name, trust in (("the first part", theta.trust), ("the second part", drand.trust)):
        yield _in_receipt(f"mix: nobody pins {name}", b, UNTRUSTED, trust={"format": "verbatim.trust/1", **trust})
    yield _in_receipt("mix: ids in another order", _edited(b, id="mix:" + theta.id + "+" + drand.id), PROOF)
    local = _edited(world.local, next=theta.next, latest=theta.latest)
    yield _in_receipt("mix: with local", again(drand, local), PROOF)
    yield _in_receipt("mix: of one part twice", again(drand, drand), PROOF)
    for name, ids in (
        ("of one", drand.id),
        ("of none", ""),
        ("with an empty id", drand.id + "+"),
        ("in a mix", drand.id + "+" + b.id[:100]),
        ("of five", "+".join(f"theta:{c}" for c in "abcde")),
    ):
        yield _in_receipt(f"mix: {name}", _edited(b, id="mix:" + ids), PROOF)
    several = [synthetic.make_theta(chain=c) for c in "abcde"]
    for n, expected in ((1, PROOF), (2, GOOD), (3, GOOD), (4, GOOD), (5, PROOF)):
        made = synthetic.make_mix(*several[:n])
        made.trust["theta"] = [s for p in several[:n] for s in p.trust["theta"]]
        yield _in_receipt(f"mix: all of {n} parts genuine", made, expected)
    unknown = _edited(theta, id="other:x")
    yield _in_receipt("mix: a part of an unknown kind", again(drand, unknown), UNSUPPORTED)
    yield _in_receipt(
        "mix: a part of an unknown kind, and one that nobody pins", again(drand, unknown), UNSUPPORTED, trust=None
    )
    yield _in_receipt(
        "mix: a part of an unknown kind, and a false one",
        again(_with_signature(drand, bls.sign(8, b"m", bls.Fp)), unknown),
        PROOF,
    )
    yield from _mix_rules(world)


def _mix_rules(world):
    """Its windows are what its parts' windows share."""
    late = synthetic.make_theta(t=1700000020, before=1700000014)
    apart = synthetic.make_mix(world.drand[G1], late)
    for t in (apart.next[0], apart.next[1], apart.next[1] - 1):
        yield case(
            f"mix: windows that share nothing, at {t}", sealed("next", apart, t=t), *RULE, trust=apart.trust_file()
        )
    b = world.mix
    yield case("mix: a replayed round", sealed("fixed", b), *RULE, trust=b.trust_file())


def _local(world):
    b = world.local
    chain = world.chain

    def forged(name, expected=PROOF, **new):
        return _in_receipt(f"local: {name}", _edited(b, **new), expected, trust=None, mode="local")

    for number in (0, 4, 6, 65535, 65536, 65537, 2**64 - 1):
        yield forged(f"round 5 as round {number}", number=number)
    yield forged("the anchor as round 0", number=0, randomness=chain[0])
    yield forged("the anchor as round 1", number=1, randomness=chain[0])
    yield forged("one bit", randomness=bytes([chain[5][0] ^ 1]) + chain[5][1:])
    yield forged("64 bytes", randomness=chain[5] * 2)
    yield forged("a proof", proof={})
    for name in ("", b.id[6:-1], b.id[6:] + "0", b.id[6:].upper(), "ab" * 32):
        yield forged(f"anchor {name[:8]!r} of {len(name)}", id="local:" + name)
    before = synthetic.beacons.local_step(chain[0])
    yield forged(
        "a round before the first of a longer chain", id="local:" + before.hex(), number=6, expected=("VERIFIED", None)
    )


def _kinds(world):
    b = world.local
    for name in (
        "Local:" + b.id[6:],
        "other:x",
        "local",
        ":x",
        "bitcoin:main",
        "drand",
        "locall:" + b.id[6:],
        "x",
        " local:x",
    ):
        yield _in_receipt(f"kind: {name[:14]!r}", _edited(b, id=name), UNSUPPORTED, trust=None, mode="fixed")


def _rules(world):
    """The first and the last millisecond that are out of a window, and modes that do not fit."""
    rounds = [
        ("drand", world.drand[G1]),
        ("drand, chained", world.drand[CHAINED]),
        ("drand, round 1", world.drand_first),
        ("theta", world.theta),
        ("ethereum", world.ethereum),
        ("nist", world.nist),
        ("mix", world.mix),
    ]
    for kind, b in rounds:
        for mode, window in (("next", b.next), ("latest", b.latest)):
            for name, t in (("a millisecond before", window[0] - 1), ("a millisecond after", window[1])):
                if t < 0:
                    continue
                yield case(f"rule: {kind}, {mode}, {name}", sealed(mode, b, t=t), *RULE, trust=b.trust_file())
        yield case(f"rule: {kind}, latest used as next", sealed("next", b, t=b.latest[0]), *RULE, trust=b.trust_file())
        yield case(f"rule: {kind}, next used as latest", sealed("latest", b, t=b.next[0]), *RULE, trust=b.trust_file())
        yield case(f"rule: {kind} in mode local", sealed("local", b, t=b.next[0]), *RULE, trust=b.trust_file())
    for mode in ("next", "latest"):
        yield case(f"rule: local in mode {mode}", sealed(mode, world.local), *RULE)
        yield case(f"rule: local in mode {mode}, at 0", sealed(mode, world.local, t=0), *RULE)
    for asked in ("4", "6", "0", str(2**64 - 1)):
        r = seal(changed(draft("fixed", world.local), (["request", "beacon", "round"], asked)))
        yield case(f"rule: round {asked} was asked for", r, *RULE)
    b = world.drand[G1]
    yield case("rule: without a trust root, no window: out of it", sealed("next", b, t=0), *UNTRUSTED)
    theta = world.theta
    yield case(
        "rule: without a trust root, out of the proof's own times", sealed("next", theta, t=theta.next[1]), *UNTRUSTED
    )
    yield case("rule: without a trust root, in mode local", sealed("local", b), *RULE)
    r = seal(changed(draft("fixed", b), (["request", "beacon", "round"], "3")))
    yield case("rule: without a trust root, another round than was asked for", r, *RULE)
    yield case("rule: without a trust root, the round that was asked for", sealed("fixed", b), *UNTRUSTED)
    unknown = _edited(b, id="other:x")
    yield case("rule: an unknown kind, in mode local", sealed("local", unknown), *RULE)
    yield case("rule: an unknown kind, in mode next", sealed("next", unknown), *UNSUPPORTED)
    chain = world.chains[G1]
    for number in (1, 3, 1000):
        late = chain.beacon(number)
        yield case(
            f"rule: drand's round {number} for a time of round 2",
            sealed("next", late, t=chain.time(1)),
            *RULE,
            trust=late.trust_file(),
        )


def _trust_files(world):
    b = world.drand[G1]
    good, root = sealed("next", b, t=b.next[0]), b.trust_file()
    other = [{"key": world.other_key, "name": "other"}]
    yield case("trust: the server's key is not among those", good, *UNTRUSTED, trust={**root, "server_keys": other})
    yield case("trust: no server is accepted", good, *UNTRUSTED, trust={**root, "server_keys": []})
    for name, accepted in (("none", []), ("another chain", [world.drand[UNCHAINED].id]), ("another kind", ["theta:*"])):
        yield case(f"trust: of beacons {name}", good, *UNTRUSTED, trust={**root, "beacons": accepted})
    yield case(
        "trust: the beacon is not accepted and the time is wrong",
        sealed("next", b, t=b.next[1]),
        *RULE,
        trust={**root, "beacons": ["theta:*"]},
    )
    m = world.mix
    for accepted, expected in (
        (["mix:*"], ("VERIFIED", None)),
        ([m.id], ("VERIFIED", None)),
        (["drand:*", "theta:*"], UNTRUSTED),
    ):
        yield case(
            f"trust: a mix where {accepted[0][:7]} is accepted",
            sealed("next", m, t=m.next[0]),
            *expected,
            trust={**m.trust_file(), "beacons": accepted},
        )
    yield case(
        "trust: local is not accepted",
        sealed("local", world.local),
        *UNTRUSTED,
        trust={"format": "verbatim.trust/1", "beacons": ["drand:*"]},
    )
    for name, modes in (("none", []), ("others", ["latest", "fixed", "local"])):
        yield case(f"trust: of modes {name}", good, *UNTRUSTED, trust={**root, "modes": modes})
    yield case(
        "trust: a caller's seed, and mode fixed is not accepted",
        sealed(),
        *UNTRUSTED,
        trust={"format": "verbatim.trust/1", "modes": ["next"]},
    )
    yield case(
        "trust: the key is not accepted and the text is edited",
        seal(changed(good, (["outputs", 0, "text"], "x"))),
        "REFUTED",
        "text",
        trust={**root, "server_keys": other},
    )
    yield case(
        "trust: the mode is not accepted and the time is wrong",
        sealed("next", b, t=b.next[1]),
        *RULE,
        trust={**root, "modes": ["latest"]},
    )
    yield case(
        "trust: another key's signature, and the key is not accepted",
        seal(copy.deepcopy(good), OTHER_SEED),
        "REFUTED",
        "signature",
        trust={**root, "server_keys": other},
    )


def proofs(world):
    for part in (_drand, _theta, _ethereum, _nist, _mix):
        yield from part(world)


def rules(world):
    for part in (_local, _kinds, _rules, _trust_files):
        yield from part(world)
