"""Writes and checks spec/vectors: primitives (cases.py), layers of tiny models, whole models.

A file is {"format", "arithmetic", "kind", "cases": [{"name", "in", "out"}]}; the encoding of the
fields is in spec/vectors/README.md. A check recomputes "out" from "in".
"""

import hashlib
import json
import os

from . import arith, cases, codec, digests, gguf, model, sampling, sampling_vectors, tiny

FORMAT, ARITHMETIC = "verbatim-vectors/1", "verbatim-arith/1"


def _prompt(n, n_vocab, step=7):
    return [(1 + step * i) % n_vocab for i in range(n)]


# ---- tiny models, stored beside the vectors: activations after each layer ----


def layers_inputs():
    return [(name, {"model": name, "tokens": _prompt(5, 24)}) for name in sorted(tiny.MODELS)]


def layers_compute(f, folders):
    m = model.Model(_find(f["model"], folders))
    after, cut = [], []
    logits = model.Session(m).forward(f["tokens"], lambda l, x: after.append(x))
    for x in after:
        prefix = arith.product(m.weight(m.head), m.norm(x, "output_norm.weight"), m.head)
        cut.append(hashlib.sha256(digests.f32_bytes(prefix)).hexdigest())
    return {"embedding": codec.f32(m.embed(f["tokens"])), "layers": [codec.f32(x) for x in after],
            "prefix_logits_sha256": cut, "logits": codec.f32(logits)}


# ---- models, stored or shared: digest of all logits ----

_MODELS = {
    "tiny-llama.gguf": _prompt(300, 48),
    "tiny-qwen2.gguf": _prompt(270, 24),
    "stories260K.gguf": [1, 403, 407, 261, 378, 432, 383, 286],
    "verbatim-demo-f32.gguf": [2302, 115, 1000, 17, 2000, 300, 44, 2301],
    "verbatim-demo-q8_0.gguf": [2302, 115, 1000, 17, 2000, 300, 44, 2301],
    "verbatim-demo-q4_k_m.gguf": [2302, 115, 1000, 17, 2000, 300, 44, 2301],
}


def models_inputs():
    return [(name, {"model": name, "tokens": tokens}) for name, tokens in _MODELS.items()]


def models_compute(f, folders):
    g = _find(f["model"], folders)
    logits = model.Session(model.Model(g)).forward(f["tokens"])
    return {"model_sha256": g.sha256, "argmax": [sampling.argmax(row) for row in logits],
            "logits_sha256": hashlib.sha256(digests.f32_bytes(logits)).hexdigest()}


class Absent(Exception):
    pass


def _find(name, folders):
    for folder in folders:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            with open(path, "rb") as f:
                data = f.read()
            g = gguf.GGUF(data, name)
            g.sha256 = hashlib.sha256(data).hexdigest()
            return g
    raise Absent(f"{name} is in none of {', '.join(folders)}")


# ---- files ----


def _dump(kind, items):
    """One line a field: long values stay on their line, and a difference shows where it is."""
    lines = [f'{{"format": "{FORMAT}", "arithmetic": "{ARITHMETIC}", "kind": "{kind}", "cases": [']
    for i, case in enumerate(items):
        lines.append(f'{{"name": {json.dumps(case["name"])}, "in": {{')
        for part in ("in", "out"):
            fields = [f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in case[part].items()]
            lines.append(",\n".join(fields))
            lines.append('}, "out": {' if part == "in" else "}}" + "," * (i + 1 < len(items)))
    return "\n".join(lines) + "\n]}\n"


def kinds(folders):
    """Each kind's functions; folders is where models are looked for."""
    out = dict(cases.KINDS)
    out["layers"] = (layers_inputs, lambda f: layers_compute(f, folders))
    out["models"] = (models_inputs, lambda f: models_compute(f, folders))
    return out


def generate(folder, models):
    for name, make in tiny.MODELS.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(make())
    for kind, (inputs, compute) in kinds([folder] + models).items():
        items = [{"name": n, "in": f, "out": compute(f)} for n, f in inputs()]
        with open(os.path.join(folder, kind + ".json"), "w", encoding="ascii") as f:
            f.write(_dump(kind, items))


def _difference(name, expected, actual):
    if isinstance(expected, str) and isinstance(actual, str):
        at = next((i for i, (a, b) in enumerate(zip(expected, actual)) if a != b), -1)
        at = max(at - at % 8, 0)
        return f"{name}: digit {at}: {expected[at:at + 16]} expected, {actual[at:at + 16]} found"
    return f"{name}: {str(expected)[:80]} expected, {str(actual)[:80]} found"


def _compare(expected, actual):
    if expected.keys() != actual.keys():
        return f"fields {sorted(expected)} expected, {sorted(actual)} found"
    for key, value in expected.items():
        if value != actual[key]:
            return _difference(key, value, actual[key])
    return None


def check_file(path, by_kind):
    """(passed, failed, absent)"""
    with open(path, encoding="ascii") as f:
        doc = json.load(f)
    if (doc["format"], doc["arithmetic"]) != (FORMAT, ARITHMETIC):
        raise ValueError(f"{path}: {doc['format']}, {doc['arithmetic']}")
    compute = by_kind[doc["kind"]][1]
    passed, failed, absent = 0, 0, 0
    for case in doc["cases"]:
        try:
            problem = _compare(case["out"], compute(case["in"]))
        except Absent as e:
            absent += 1
            print(f"ABSENT {e}")
            continue
        if problem:
            failed += 1
            print(f"FAIL {os.path.basename(path)}: {case['name']}: {problem}")
        else:
            passed += 1
    return passed, failed, absent


def check(folder, models):
    """True when a case failed, or a file of the frozen set is missing or unknown."""
    by_kind, bad = kinds([folder] + models), False
    for name, make in tiny.MODELS.items():
        with open(os.path.join(folder, name), "rb") as f:
            if f.read() != make():
                bad = True
                print(f"FAIL {name}: not what tiny.py makes")
    for kind in by_kind:
        result = check_file(os.path.join(folder, kind + ".json"), by_kind)
        print(f"{kind}: {result[0]} passed, {result[1]} failed, {result[2]} absent")
        bad = bad or result[1] > 0 or result[0] + result[2] == 0
    passed, failed = sampling_vectors.check_file(os.path.join(folder, "sampling.json"))
    print(f"sampling: {passed} passed, {failed} failed")
    return bad or failed > 0 or passed == 0
