#!/usr/bin/python3
"""Writes spec/vectors/receipts/{valid,unreadable,invalid,proofs,constraints}.json: receipts with the verdict that
spec/receipt.md gives each of them at level `receipt`. The verdicts stand beside the construction of each
case and are not asked of any implementation.

    make.py FOLDER
"""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "reference"))

import constraints  # noqa: E402
import forged_rounds  # noqa: E402
import forgeries  # noqa: E402
import forms  # noqa: E402
import valid  # noqa: E402
from world import World  # noqa: E402

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
    folder, world = sys.argv[1], World()
    os.makedirs(folder, exist_ok=True)
    write(os.path.join(folder, "valid.json"), valid.cases(world))
    write(os.path.join(folder, "unreadable.json"), forms.cases(world))
    write(os.path.join(folder, "invalid.json"), [*forgeries.cases(world), *forged_rounds.rules(world)])
    write(os.path.join(folder, "proofs.json"), forged_rounds.proofs(world))
    write(os.path.join(folder, "constraints.json"), constraints.cases(world))


if __name__ == "__main__":
    main()
