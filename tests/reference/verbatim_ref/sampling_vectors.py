"""Checks spec/vectors/sampling.json and constrained.json (spec/sampling.md, section 10)."""

import json

from . import codec, digests, sampling

FORMAT = "verbatim-vectors/sampling/1"
CONSTRAINED_FORMAT = "verbatim-vectors/constrained/1"


def _one(text):
    return codec.to_f32(text)[0]


def _draw(case):
    params = sampling.Params(
        _one(case["temperature"]), case["top_k"], int(case["top_p"]), int(case["min_p"]),
        _one(case["presence_penalty"]), _one(case["frequency_penalty"]),
        _one(case["repetition_penalty"]), [(t, _one(b)) for t, b in case["logit_bias"]])
    logits = [_one(x) for x in case["logits"]]
    try:
        x = sampling.adjust(logits, params, case["prompt"], case["output"])
    except sampling.NonFiniteLogit as e:
        return {"error": "non-finite", "error_token": e.token}
    allowed = set(case["allowed"]) if "allowed" in case else None
    c = sampling.choose(x, params, int(case["u"], 16), allowed)
    out = {"adjusted": [codec.f32([v]) for v in x], "kept": c.kept, "total": str(c.total),
           "token": c.token, "weight": str(c.weight)}
    if params.temperature != 0:
        out["weights"] = [str(w) for w in sampling.weights(x, params.temperature, allowed)]
    return out


def _stop(case):
    strings = [bytes.fromhex(s) for s in case["strings"]]
    text, safe = bytes.fromhex(case["text"]), []
    for n in range(1, len(text) + 1):
        match = sampling.stop_match(text[:n], strings)
        if match:
            which, begin, end = match
            safe.append(begin)
            return {"safe": safe, "match": {"which": which, "begin": begin, "end": end}}
        safe.append(sampling.safe_to_show(text[:n], strings))
    return {"safe": safe, "match": None}


def _fixed_point(case):
    return {"fixed": str(sampling.fixed_point(float(codec.to_f64(case["p"])[0])))}


def _draw_number(case):
    u = digests.draw_number(bytes.fromhex(case["seed"]), int(case["t"]))
    return {"u": f"{u:016x}"}


# By list: what is computed, and the fields of a case that are outputs.
_LISTS = {
    "fixed_point": (_fixed_point, {"fixed"}),
    "draws": (_draw, {"adjusted", "weights", "kept", "total", "token", "weight", "error",
                      "error_token"}),
    "draw_numbers": (_draw_number, {"u"}),
    "stop": (_stop, {"safe", "match"}),
}


def check_file(path):
    """(passed, failed)"""
    with open(path, encoding="ascii") as f:
        doc = json.load(f)
    wanted = {FORMAT: _LISTS.keys(), CONSTRAINED_FORMAT: {"draws"}}
    kind = doc.pop("format")
    if kind not in wanted or doc.keys() != wanted[kind]:
        raise ValueError(f"{path}: not {FORMAT} or {CONSTRAINED_FORMAT}")
    passed, failed = 0, 0
    for name in doc:
        compute, outputs = _LISTS[name]
        for i, case in enumerate(doc[name]):
            actual = compute(case)
            expected = {k: v for k, v in case.items() if k in outputs}
            if actual == expected:
                passed += 1
                continue
            failed += 1
            fields = [k for k in outputs if actual.get(k) != expected.get(k)]
            print(f"FAIL sampling: {name}[{i}] {case.get('name', '')}: {fields}: "
                  f"{str(actual)[:200]}")
    return passed, failed
