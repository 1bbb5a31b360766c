#!/usr/bin/env python3
"""Makes the first inputs of fuzz_theta, fuzz_ethereum and fuzz_nist from the vectors of the same
kinds. Not run by the build. Usage: make_evm_seeds.py SOURCE_FOLDER"""
import json
import os
import sys


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def cases(root, kind):
    with open(os.path.join(root, "spec/vectors/beacons", kind + ".json"), encoding="utf-8") as f:
        return {c["name"]: c["round"] for c in json.load(f)["cases"]}


def theta(rounds):
    good = rounds["good"]["proof"]
    hash_, height = "0x" + good["hash"], int(rounds["good"]["round"])
    votes = [{"Block": hash_, "Epoch": int(v["epoch"]), "Height": height, "ID": "0x" + v["id"],
              "Signature": "0x" + v["signature"]} for v in good["votes"][:2]]

    def block(own, parent, number, time, hcc=None):
        return {"chain_id": "testnet", "hash": own, "parent": parent, "height": str(number),
                "timestamp": time, "status": 4, "hcc": hcc}
    parent, child = "0x" + "22" * 32, "0x" + "33" * 32
    answers = {"block": block(hash_, parent, height, good["timestamp"]),
               "parent": block(parent, child, height - 1, good["previous_timestamp"]),
               "child": block(child, hash_, height + 1, good["timestamp"], {"BlockHash": hash_, "Votes": votes})}
    two = {**good, "votes": good["votes"][:2]}
    return {"proof": b"P" + canonical(two), "answers": b"N" + canonical(answers),
            "form": b"P" + canonical({**good, "votes": []}), "none": b"N{}"}


def item_length(data, at):
    """Where an RLP string's content begins, and its length."""
    if data[at] < 0x80:
        return at, 1
    if data[at] <= 0xb7:
        return at + 1, data[at] - 0x80
    n = data[at] - 0xb7
    return at + 1 + n, int.from_bytes(data[at + 1:at + 1 + n], "big")


def ethereum(rounds):
    names = ["parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom",
             "difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce", "baseFeePerGas",
             "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot"]
    quantities = {"difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas", "blobGasUsed", "excessBlobGas"}
    headers = [bytes.fromhex(h) for h in rounds["three headers"]["proof"]["headers"]]
    begin, n = item_length(headers[1], 3)  # the second one's parent hash is the first one's hash
    block, at = {"hash": "0x" + headers[1][begin:begin + n].hex()}, 3
    for name in names:
        begin, n = item_length(headers[0], at)
        content = headers[0][begin:begin + n]
        block[name] = hex(int.from_bytes(content, "big")) if name in quantities else "0x" + content.hex()
        at = begin + n
    return {"proof": b"P" + canonical(rounds["three headers"]["proof"]), "block": b"N" + canonical(block),
            "headers": b"H" + b"".join(len(h).to_bytes(2, "big") + h for h in headers), "none": b"N{}", "empty": b"P{}"}


def nist(root, rounds):
    good = rounds["good"]["proof"]
    pulse = dict(good["pulse"])
    pulse["listValues"] = [{"type": t, "value": v} for t, v in
                           zip(("previous", "hour", "day", "month", "year"), pulse["listValues"])]
    with open(os.path.join(root, "tests/vectors/beacons/nist_certificate.pem"), "rb") as f:
        pem = f.read()
    return {"proof": b"P" + canonical(good), "answer": b"N" + canonical({"pulse": pulse}) + b"\0" + pem,
            "false": b"P" + canonical(rounds["list value 0 changed"]["proof"]), "none": b"N{}"}


def main():
    root = sys.argv[1]
    for kind, inputs in (("theta", theta(cases(root, "theta"))), ("ethereum", ethereum(cases(root, "ethereum"))),
                         ("nist", nist(root, cases(root, "nist")))):
        folder = os.path.join(root, "tests/fuzz/beacon/corpus", kind)
        os.makedirs(folder, exist_ok=True)
        for name, content in inputs.items():
            with open(os.path.join(folder, name), "wb") as f:
                f.write(content)


if __name__ == "__main__":
    main()
