"""Makes the seeds of fuzz_trust, fuzz_drand and fuzz_beacon_round from spec/vectors/beacons, which
other implementations made. Run: make_seeds.py SOURCE_DIR"""
import json
import os
import struct
import sys

CHAINS = ["drand:52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971",
          "drand:8990e7a9aaed2ffed73dbd7092123d6f289930540d7651336225dc172e51b2ce"]


def canonical(value):
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def cases(root, kind):
    with open(os.path.join(root, "spec/vectors/beacons", kind + ".json"), encoding="utf-8") as h:
        return json.load(h)["cases"]


def write(root, target, name, data):
    folder = os.path.join(root, "tests/fuzz/beacon/corpus", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as h:
        h.write(data)


def main():
    root = sys.argv[1]
    trust = {"format": "verbatim.trust/1", "modes": ["next", "fixed"], "beacons": ["drand:*", "local:00"],
             "nist": ["06" * 64], "server_keys": [{"key": "01" * 32, "name": "a"}]}
    for kind in ("drand", "theta", "ethereum"):
        for c in cases(root, kind):
            if c["result"] == "ok" and c["trust"] and kind in c["trust"]:
                trust[kind] = c["trust"][kind]
    write(root, "trust", "everything", json.dumps(trust, indent=1).encode())
    write(root, "trust", "nothing", b'{"format":"verbatim.trust/1"}')
    witnesses = [{"key": "01" * 32, "name": "w.example", "url": "https://w.example"},
                 {"key": "02" * 32, "name": "v", "url": None}]
    write(root, "trust", "witnesses", json.dumps(
        {"format": "verbatim.trust/1", "quorum": 1, "witnesses": witnesses}, separators=(",", ":")).encode())

    drand = cases(root, "drand")
    for c in drand:
        r = c["round"]
        chain = CHAINS.index(r["id"]) if r["id"] in CHAINS else 2
        if chain < 2 or c["name"] in ("g1, round 1000", "chained, round 1"):
            name = c["name"].replace(":", "").replace(" ", "-").replace(",", "").replace(".", "")
            write(root, "drand", name, struct.pack(">BQ", chain, int(r["round"])) + canonical(r["proof"]).encode())

    seen = {"drand": (drand, "drand:52db9ba7.., round 1000"), "mix": (cases(root, "mix"), "the built-in chains")}
    for kind, (list_, name) in seen.items():
        r = next(c["round"] for c in list_ if c["name"] == name)
        write(root, "beacon_round", kind, canonical({"format": "verbatim.round/1", **r}).encode())
    for kind in ("theta", "ethereum", "nist"):
        r = next(c["round"] for c in cases(root, kind) if c["result"] == "ok")
        write(root, "beacon_round", kind, canonical({"format": "verbatim.round/1", **r}).encode())
    local = {"format": "verbatim.round/1", "proof": None, "round": "65536", "randomness": "07" * 32,
             "id": "local:8a7d94fdfa65b51484dda29d4db0f2270cb08d6326375da51432f0867663255e"}
    write(root, "beacon_round", "local", canonical(local).encode())


if __name__ == "__main__":
    main()
