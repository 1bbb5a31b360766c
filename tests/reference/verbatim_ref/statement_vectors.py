"""reference/statements.test: what the second implementation says of every vector of statements.

python3 -m verbatim_ref.statement_vectors SOURCE_TREE; exit status 1 when it disagrees with one.
"""

import json
import os
import sys

from . import statements
from .receipt_form import Unsupported
from .strict import BadForm


def _judge(text):
    """(result, statement or None)"""
    try:
        s = statements.read(text.encode("utf-8", "surrogatepass"))
        statements.check(s)
        return "ok", s
    except BadForm:
        return "malformed", None
    except Unsupported:
        return "unsupported", None
    except statements.Refused:
        return "refused", None


def main():
    with open(os.path.join(sys.argv[1], "spec", "vectors", "statements.json"), "rb") as f:
        vectors = json.load(f)
    good, wrong = {}, []
    for case in vectors["cases"]:
        result, s = _judge(case["statement"])
        if result != case["result"]:
            wrong.append(f"{case['name']}: {result}, not {case['result']}")
        good[case["name"]] = s
    for case in vectors["matches"]:
        if statements.holds_against(good[case["statement"]], case["claim"]) != case["holds"]:
            wrong.append(f"match: {case['name']}")
    for case in vectors["conflicts"]:
        if statements.conflict(good[case["a"]], good[case["b"]]) != case["conflict"]:
            wrong.append(f"conflict: {case['a']}, {case['b']}")
    for line in wrong:
        print(line)
    counts = {k: len(v) for k, v in vectors.items()}
    print(f"second implementation, statements: {counts}, {len(wrong)} disagreements")
    return 1 if wrong or not all(counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
