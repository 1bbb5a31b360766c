#!/usr/bin/python3
"""Chains for beacon_server.py: recorded rounds of drand, and chains of Theta, of an EVM and of
NIST's beacon that are made here, with the signatures that theirs have. Written from spec/beacons.md
alone; standard library and the openssl command.

    beacon_chains.py FOLDER [--data FOLDER] [--start SECONDS] [--blocks N]

writes FOLDER/chains.json and FOLDER/trust.json (a verbatim.trust/1 that vouches for what was made;
drand's own keys are built in). Recorded rounds come from the shared data, when it is there."""
import argparse
import datetime
import hashlib
import json
import os
import struct
import subprocess
import time

# Keccak-256, RLP and secp256k1, as their papers have them.

_ROUND_CONSTANTS = []
_lfsr = 1
for _ in range(24):
    _c = 0
    for _j in range(7):
        if _lfsr & 1:
            _c |= 1 << ((1 << _j) - 1)
        _lfsr = (_lfsr << 1) ^ (0x171 if _lfsr & 0x80 else 0)
    _ROUND_CONSTANTS.append(_c)
_MASK = (1 << 64) - 1


def _rotl(x, n):
    return (x << n | x >> (64 - n)) & _MASK if n else x


def _keccak_f(a):
    for constant in _ROUND_CONSTANTS:
        c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        d = [c[(x + 4) % 5] ^ _rotl(c[(x + 1) % 5], 1) for x in range(5)]
        a = [a[i] ^ d[i % 5] for i in range(25)]
        x, y, lane = 1, 0, a[1]
        for t in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            at = x + 5 * y
            lane, a[at] = a[at], _rotl(lane, (t + 1) * (t + 2) // 2 % 64)
        a = [a[i] ^ (~a[i // 5 * 5 + (i + 1) % 5] & a[i // 5 * 5 + (i + 2) % 5]) for i in range(25)]
        a[0] ^= constant
    return a


def keccak256(data):
    rate, state = 136, [0] * 25
    padded = bytearray(data) + b"\x01" + bytes(-(len(data) + 1) % rate)
    padded[-1] |= 0x80
    for at in range(0, len(padded), rate):
        for i in range(rate // 8):
            state[i] ^= int.from_bytes(padded[at + 8 * i:at + 8 * i + 8], "little")
        state = _keccak_f(state)
    return b"".join(lane.to_bytes(8, "little") for lane in state[:4])


def rlp(item):
    if isinstance(item, int):
        item = item.to_bytes((item.bit_length() + 7) // 8, "big")
    if isinstance(item, list):
        body, offset = b"".join(map(rlp, item)), 0xc0
    elif len(item) == 1 and item[0] < 0x80:
        return item
    else:
        body, offset = item, 0x80
    if len(body) < 56:
        return bytes([offset + len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([offset + 55 + len(size)]) + size + body


P = 2**256 - 2**32 - 977
N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141
G = (0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798,
     0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8)


def _add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def _times(k, point):
    out = None
    while k:
        if k & 1:
            out = _add(out, point)
        point = _add(point, point)
        k >>= 1
    return out


def address(secret):
    x, y = _times(secret, G)
    return keccak256(x.to_bytes(32, "big") + y.to_bytes(32, "big"))[12:]


def sign(secret, message):
    """r | s | v with v 0 or 1 and s in the lower half; the nonce follows from secret and message."""
    k = int.from_bytes(hashlib.sha512(secret.to_bytes(32, "big") + message).digest(), "big") % N
    point = _times(k, G)
    r = point[0] % N
    s = pow(k, -1, N) * (int.from_bytes(message, "big") + r * secret) % N
    v = point[1] & 1
    if s > N // 2:
        s, v = N - s, v ^ 1
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v])


def _hash(*words):
    return hashlib.sha256(" ".join(map(str, words)).encode()).digest()


def _hex(data):
    return "0x" + data.hex()


def theta_chain(name, start_s, n_blocks, interval_s=6, final_after_ms=12000, n_validators=4):
    """The chain, and the set of validators that vouches for it."""
    secrets = [int.from_bytes(_hash("validator", name, i), "big") % N for i in range(n_validators)]
    ids = [address(s) for s in secrets]
    hashes = [keccak256(_hash("theta", name, h)) for h in range(n_blocks + 1)]

    def votes(height, epoch):
        return [{"Block": _hex(hashes[height]), "Epoch": epoch, "Height": height, "ID": _hex(i),
                 "Signature": _hex(sign(s, keccak256(rlp([hashes[height], 0, epoch, i, b""]))))}
                for s, i in zip(secrets, ids)]

    blocks = []
    for h in range(n_blocks):
        before = max(h - 1, 0)
        blocks.append({
            "chain_id": name, "epoch": str(h + 7), "height": str(h), "hash": _hex(hashes[h]),
            "parent": _hex(hashes[before] if h else bytes(32)), "children": [_hex(hashes[h + 1])],
            "timestamp": str(start_s + h * interval_s), "proposer": _hex(ids[h % n_validators]),
            "state_hash": _hex(_hash("state", h)), "transactions_hash": _hex(_hash("tx", h)),
            "hcc": {"BlockHash": _hex(hashes[before]), "Votes": votes(before, before + 7) if h else None},
            "guardian_votes": None, "elite_edge_node_votes": None, "status": 4})
    trusted = {"chain": name, "from": "0", "to": str(n_blocks),
               "validators": [{"id": i.hex(), "stake": "1000000000000000000000"} for i in sorted(ids)]}
    return {"blocks": blocks, "final_after_ms": final_after_ms}, trusted


HEADER = ["parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot",
          "logsBloom", "difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData",
          "mixHash", "nonce", "baseFeePerGas", "withdrawalsRoot"]
QUANTITIES = {"difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas"}


def ethereum_chain(chain_id, start_s, n_blocks, interval_s=12, final_after_ms=0):
    """The chain, and the last block's pin."""
    blocks, parent = [], bytes(32)
    for number in range(n_blocks):
        fields = {"parentHash": parent, "sha3Uncles": keccak256(rlp([])), "miner": bytes(20),
                  "stateRoot": _hash("state", chain_id, number), "transactionsRoot": keccak256(rlp(b"")),
                  "receiptsRoot": keccak256(rlp(b"")), "logsBloom": bytes(256), "difficulty": 0,
                  "number": number, "gasLimit": 30000000, "gasUsed": 21000 * number,
                  "timestamp": start_s + number * interval_s, "extraData": b"synthetic",
                  "mixHash": _hash("randao", chain_id, number), "nonce": bytes(8),
                  "baseFeePerGas": 7 + number, "withdrawalsRoot": keccak256(rlp(b""))}
        parent = keccak256(rlp([fields[name] for name in HEADER]))
        blocks.append({"hash": _hex(parent), "size": "0x220", "transactions": [], "uncles": [],
                       **{k: hex(v) if k in QUANTITIES else _hex(v) for k, v in fields.items()}})
    pin = {"chain_id": str(chain_id), "number": str(n_blocks - 1), "hash": parent.hex()}
    return {"blocks": blocks, "final_after_ms": final_after_ms}, pin


def _nist_message(p):
    def text(s):
        return struct.pack(">I", len(s)) + s

    def value(hexed):
        return text(bytes.fromhex(hexed))
    e = p["external"]
    return b"".join([
        text(p["uri"].encode()), text(p["version"].encode()), struct.pack(">II", p["cipherSuite"], p["period"]),
        value(p["certificateId"]), struct.pack(">QQ", p["chainIndex"], p["pulseIndex"]),
        text(p["timeStamp"].encode()), value(p["localRandomValue"]), value(e["sourceId"]),
        struct.pack(">I", e["statusCode"]), value(e["value"]), *[value(v["value"]) for v in p["listValues"]],
        value(p["precommitmentValue"]), struct.pack(">I", p["statusCode"])])


def _openssl(*args, **options):
    return subprocess.run(["openssl", *args], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, **options).stdout


def nist_chain(folder, chain, start_s, n_pulses, period_ms=60000):
    """Pulses, their certificate, and its id."""
    key, cert = os.path.join(folder, "nist-key.pem"), os.path.join(folder, "nist-cert.pem")
    _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-subj",
             "/CN=a beacon for tests")
    der = _openssl("x509", "-in", cert, "-outform", "DER")
    certificate_id = hashlib.sha512(der).hexdigest()
    with open(cert, encoding="ascii") as f:
        pem = f.read()

    def long_hash(*words):
        return hashlib.sha512(" ".join(map(str, words)).encode()).hexdigest().upper()
    pulses, before = [], "0" * 128
    for index in range(1, n_pulses + 1):
        at = datetime.datetime(1970, 1, 1) + datetime.timedelta(
            milliseconds=start_s * 1000 + (index - 1) * period_ms)
        uri = f"https://beacon.invalid/beacon/2.0/chain/{chain}/pulse/"
        p = {"uri": uri + str(index), "version": "Version 2.0", "cipherSuite": 0, "period": period_ms,
             "certificateId": certificate_id, "chainIndex": chain, "pulseIndex": index,
             "timeStamp": at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z",
             "localRandomValue": long_hash("local", index),
             "external": {"sourceId": "0" * 128, "statusCode": 0, "value": "0" * 128},
             "listValues": [{"uri": uri + "1", "type": t, "value": before}
                            for t in ("previous", "hour", "day", "month", "year")],
             "precommitmentValue": hashlib.sha512(bytes.fromhex(long_hash("local", index + 1))).hexdigest(),
             "statusCode": 0}
        message = _nist_message(p)
        signature = _openssl("dgst", "-sha512", "-sign", key, input=message)
        p["signatureValue"] = signature.hex().upper()
        before = p["outputValue"] = hashlib.sha512(message + signature).hexdigest().upper()
        pulses.append(p)
    return {"pulses": pulses, "certificates": {certificate_id: pem}}, certificate_id


def recorded(data):
    """drand's chains and NIST's pulse, as they were recorded; {} when they are not there."""
    folder = os.path.join(data, "beacons")
    if not os.path.exists(os.path.join(folder, "drand.json")):
        return {}

    def read(name):
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            return f.read()
    d = json.loads(read("drand.json"))
    kept = ("randomness", "signature", "previous_signature")
    drand = {info["hash"]: {"info": info, "rounds": {
        str(r["round"]): {k: r[k] for k in kept if k in r} for r in d["beacons"][name]}}
        for name, info in d["chains"].items()}
    pulse = json.loads(read("nist_pulse_54610.json"))["pulse"]
    pem = read("nist_cert_5501e3d7.pem")
    return {"drand": drand, "nist": {"pulses": [pulse], "certificates": {pulse["certificateId"]: pem}}}


def make(folder, data, start_s, n_blocks):
    """Writes chains.json and trust.json; returns what they hold."""
    chains = recorded(data)
    theta, validators = theta_chain("privatenet", start_s, n_blocks)
    ethereum, pin = ethereum_chain(1337, start_s, n_blocks)
    nist, certificate_id = nist_chain(folder, 7, start_s, min(n_blocks, 12))
    old = chains.setdefault("nist", {"pulses": [], "certificates": {}})
    old["pulses"] += nist["pulses"]
    old["certificates"].update(nist["certificates"])
    chains.update(theta={"privatenet": theta}, ethereum={"1337": ethereum})
    trust = {"format": "verbatim.trust/1", "theta": [validators], "ethereum": [pin],
             "nist": [certificate_id]}
    for name, value in (("chains.json", chains), ("trust.json", trust)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            json.dump(value, f)
    return chains, trust


def main():
    p = argparse.ArgumentParser(description="Chains for beacon_server.py.")
    p.add_argument("folder")
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    p.add_argument("--data", default=os.environ.get("VB_DATA_DIR") or
                   os.path.join(root, "..", "shared", "data"))
    p.add_argument("--start", type=int, default=int(time.time()) - 3600)
    p.add_argument("--blocks", type=int, default=40)
    o = p.parse_args()
    make(o.folder, o.data, o.start, o.blocks)


if __name__ == "__main__":
    main()
