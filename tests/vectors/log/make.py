#!/usr/bin/python3
"""Writes spec/vectors/log/{tree,keys,entries,notes,proofs,evidence}.json: what spec/log.md says of each case. The results
stand beside the construction of each case and are not asked of any implementation.

    make.py FOLDER
"""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "reference"))
sys.path.insert(1, os.path.join(HERE, "..", "receipts"))
sys.path.insert(1, HERE)

# Also the receipts' maker has a module of this name: this folder's stands before it.
import claims  # noqa: E402
import forms  # noqa: E402

BYTES_MAX = 1600000


def write(path, cases):
    cases = list(cases)
    names = [c["name"] for c in cases]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise SystemExit(f"{path}: cases of one name: {twice}")
    text = '{"cases":[\n' + ",\n".join(json.dumps(c, sort_keys=True) for c in cases) + "\n]}\n"
    if len(text) > BYTES_MAX:
        raise SystemExit(f"{path}: {len(text)} bytes, at most {BYTES_MAX}")
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    print(f"{path}: {len(cases)} cases, {len(text)} bytes")


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    write(os.path.join(folder, "tree.json"), forms.trees())
    write(os.path.join(folder, "keys.json"), forms.keys())
    write(os.path.join(folder, "entries.json"), forms.entries())
    write(os.path.join(folder, "notes.json"), forms.notes())
    write(os.path.join(folder, "proofs.json"), claims.proofs())
    write(os.path.join(folder, "evidence.json"), claims.evidence())


if __name__ == "__main__":
    main()
