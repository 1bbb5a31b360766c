"""reference/log.test: what the second implementation says of every vector of logs.

python3 -m verbatim_ref.log_vectors SOURCE_TREE; exit status 1 when it disagrees with one.
"""

import base64
import dataclasses
import json
import os
import sys

from . import convictions, transparency
from .receipt_form import Unsupported
from .strict import BadForm
from .transparency import Refused, read_key


def _result(judge, *arguments):
    """(result, what was found)"""
    try:
        return "ok", judge(*arguments)
    except BadForm:
        return "malformed", None
    except Unsupported:
        return "unsupported", None
    except Refused:
        return "refused", None


def _raw(case, name):
    return base64.b64decode(case[name])


def _tree(case):
    size, leaves = case["size"], [transparency.leaf_hash(i.to_bytes(8, "big")) for i in range(case["size"])]
    root = transparency.root(leaves)

    def hashes(item):
        return [bytes.fromhex(h) for h in item["path"]]

    return root.hex() == case["root"] and \
        all(transparency.root_of_path(leaves[p["index"]], p["index"], size, hashes(p)) == root for p in case["paths"]) and \
        all(transparency.consistent(p["old"], transparency.root(leaves[:p["old"]]), size, root, hashes(p))
            for p in case["consistency"]) and \
        all(transparency.roots_of_prefix(p["old"], size, hashes(p)) == (bytes.fromhex(p["old_root"]), root)
            for p in case["prefix"])


def _key(case):
    result, key = _result(read_key, case["key"])
    return result == case["result"] and (key is None or key.kind == case["type"])


def _entry(case):
    def judge():
        entry = transparency.read_entry(_raw(case, "entry"))
        if not transparency.entry_is_signed(entry, bytes.fromhex(case["key"])):
            raise Refused("signature")

    return _result(judge)[0] == case["result"]


def _note(case):
    log, witnesses = read_key(case["log"]), [read_key(w) for w in case["witnesses"]]
    result, found = _result(transparency.read_note, _raw(case, "note"), log, witnesses)
    if found is None:
        return result == case["result"]
    stated, cosigned = case["checkpoint"], {witnesses[i]: int(t) for i, t in case["cosigned"]}
    return result == case["result"] and (str(found.size), found.root.hex()) == (stated["size"], stated["root"]) and \
        found.cosigned == cosigned


def _proof(case):
    log = read_key(case["log"])
    result, found = _result(transparency.check_proof, _raw(case, "proof"), log)
    if found is None or result != case["result"] or found[0] != case["index"]:
        return found is None and result == case["result"]
    matched = None if case["record"] is None else _result(transparency.match, found[1], log, case["record"].encode())[0]
    return matched == case["match"]


def _evidence(case):
    result, found = _result(convictions.check, _raw(case, "evidence"))
    return result == case["result"] and (found and dataclasses.asdict(found)) == case["finding"]


JUDGES = {"tree": _tree, "keys": _key, "entries": _entry, "notes": _note, "proofs": _proof, "evidence": _evidence}


def disagreements(folder, kind):
    """(number of cases, names of those that are judged otherwise) of one file."""
    with open(os.path.join(folder, f"{kind}.json"), "rb") as f:
        cases = json.load(f)["cases"]
    return len(cases), [c["name"] for c in cases if not JUDGES[kind](c)]


def agrees(folder, kind):
    n, wrong = disagreements(folder, kind)
    return n > 0 and not wrong


def main():
    folder, bad = os.path.join(sys.argv[1], "spec", "vectors", "log"), 0
    for kind in JUDGES:
        n, wrong = disagreements(folder, kind)
        for name in wrong:
            print(f"{kind}: {name}: judged otherwise than stated")
        print(f"second implementation, {kind}: {n} cases, {len(wrong)} disagreements")
        bad += len(wrong) + (n == 0)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
