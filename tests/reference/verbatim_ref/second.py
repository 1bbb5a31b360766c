"""reference/second.test: the second implementation's verdicts, and the program's, on every vector of beacons
and receipts, and on openings.

python3 -m verbatim_ref.second SOURCE_TREE BUILD_FOLDER; exit status as tests/*/*.test.
"""

import glob
import json
import os
import subprocess
import sys
import tempfile

from . import beacons, openings, places, receipt_check, strict, trust


def _cases(folder):
    """(file name, case) of every vector in the folder."""
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        with open(path, "rb") as f:
            for c in json.load(f)["cases"]:
                yield os.path.basename(path), c


def _window(pair):
    return None if pair is None else [str(t) for t in pair]


def _beacon_verdict(case):
    result = beacons.check(beacons.round_of(case["round"]), trust.Trust(case["trust"]))
    return result.name, _window(result.next), _window(result.latest)


def _receipt_verdict(case):
    return receipt_check.check(case["receipt"].encode(), trust.Trust(case["trust"]))


class Program:
    """`verbatim verify --json`, with a home folder in which there is no other trust file."""

    def __init__(self, path, folder, model):
        self.path, self.folder, self.model = path, folder, model
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
        self.env["HOME"] = folder

    def _file(self, name, content):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(content)
        return path

    def verdict(self, case):
        command = ["--level", "receipt", self._file("receipt.json", case["receipt"].encode())]
        if case["trust"] is not None:
            command += ["--trust", self._file("trust.json", strict.canonical(case["trust"]))]
        return self._run(command)

    def opening_verdict(self, case):
        command = [self._file("opening.json", case["opening"]), "--receipt", self._file("receipt.json", case["receipt"])]
        return self._run(command + ["-m", self.model] * case["model"])

    def _run(self, options):
        command = [self.path, "verify", "--json", *options]
        done = subprocess.run(command, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        try:
            report = json.loads(done.stdout)
            verdict = report["verdict"], report["reason"]
        except (ValueError, KeyError):
            return "no report", f"exit status {done.returncode}: {done.stderr.decode(errors='replace').strip()}"
        if receipt_check.EXIT.get(verdict[0]) != done.returncode:
            return verdict[0], f"but exit status {done.returncode}"
        return verdict


def _compare(what, cases, expected, judge):
    """(number of cases, number of disagreements); prints each of the latter."""
    n = failed = 0
    for file, case in cases:
        found, stated = judge(case), expected(case)
        n += 1
        if found != stated:
            failed += 1
            print(f"{file}: {case['name']}: {stated} stated, {what} says {found}")
    print(f"{what}: {n} cases, {failed} disagreements")
    return n, failed


def agrees(folder, file, prefix):
    """Whether the second implementation judges the cases of one file of receipts as stated: those whose
    name begins so, of which there is one at least."""
    found = [c for name, c in _cases(folder) if name == file and c["name"].startswith(prefix)]
    return bool(found) and all(_receipt_verdict(c) == (c["verdict"], c["reason"]) for c in found)


def _goldens(root):
    for path in sorted(glob.glob(os.path.join(root, "tests", "unit", "receipt", "golden_*.json"))):
        with open(path, "rb") as f:
            text = f.read().decode()
        name = os.path.basename(path)
        yield name, {"name": "golden", "receipt": text, "trust": None, "verdict": receipt_check.VERIFIED, "reason": None}


def main():
    root, build = sys.argv[1:3]
    vectors = os.path.join(root, "spec", "vectors")
    rounds = list(_cases(os.path.join(vectors, "beacons")))
    receipts = list(_cases(os.path.join(vectors, "receipts")))
    goldens = list(_goldens(root))
    opened = [("openings", c) for c in openings.cases(root)]
    for name, found in (("beacons", rounds), ("receipts", receipts), ("golden receipts", goldens), ("openings", opened)):
        if not found:
            print(f"there are no vectors of {name}")
            return 1

    def of_receipt(case):
        return case["verdict"], case["reason"]

    failed = _compare("second implementation, rounds", rounds, lambda c: (c["result"], c["next"], c["latest"]),
                      _beacon_verdict)[1]
    failed += _compare("second implementation, receipts", goldens + receipts, of_receipt, _receipt_verdict)[1]
    failed += _compare("second implementation, openings", opened, of_receipt, openings.judge(root))[1]
    path = places.engine(build)
    if path is None:
        print(f"the program is not built in {build}")
        return 1 if failed else places.SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        program = Program(path, folder, os.path.join(root, openings.MODEL))
        failed += _compare("program, receipts", goldens + receipts, of_receipt, program.verdict)[1]
        failed += _compare("program, openings", opened, of_receipt, program.opening_verdict)[1]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
