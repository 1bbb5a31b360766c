"""Writes and checks spec/vectors: primitives (cases.py), layers of tiny models, whole models.

A file is {"format", "arithmetic", "kind", "cases": [{"name", "in", "out"}]}; the encoding of the
fields is in spec/vectors/README.md. A check recomputes "out" from "in".
"""

import hashlib
import json
import os

import numpy as np

from . import allowed, arith, cases, codec, constraints, digests, gguf, model, sampling, sampling_vectors, tiny

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


# ---- edges: tiny models with bytes replaced, to where the definition ends a request ----


def _edge(model_name, name, tensor, at, raw, times=1):
    patch = {"tensor": tensor, "at": at, "bytes": raw.hex() * times}
    return name, {"model": model_name, "patch": patch, "tokens": [1, 5, 9, 2]}


def edges_inputs():
    real = lambda x: np.array([x], "<f4").tobytes()
    half = lambda bits: bits.to_bytes(2, "little")
    ll, qw = "tiny-llama.gguf", "tiny-qwen2.gguf"
    norm0, ffn0 = "blk.0.attn_norm.weight", "blk.0.ffn_norm.weight"
    return [
        _edge(ll, "NaN in a norm", norm0, 12, bytes.fromhex("0100c07f")),
        _edge(ll, "infinity in the last norm", "output_norm.weight", 0, real(np.inf)),
        _edge(ll, "infinite offset, Q5_1", "token_embd.weight", 24 * 5 + 2, half(0x7C00)),
        _edge(ll, "infinite scale, Q4_0", "blk.1.attn_q.weight", 18 * 3, half(0xFC00)),
        _edge(ll, "NaN scale, Q8_0", "blk.0.attn_output.weight", 34 * 31, half(0x7E00)),
        _edge(ll, "NaN in F16", "blk.0.attn_k.weight", 2 * 77, half(0x7E00)),
        _edge(ll, "infinity in BF16", "blk.0.attn_v.weight", 2 * 500, half(0xFF80)),
        _edge(ll, "NaN in F32", "blk.0.attn_q.weight", 4 * 1023, real(np.nan)),
        _edge(qw, "infinite dmin, Q4_K", "blk.0.attn_q.weight", 144 * 63 + 2, half(0x7C00)),
        _edge(qw, "NaN scale, Q6_K", "blk.0.attn_v.weight", 210 * 31 + 208, half(0xFE00)),
        _edge(qw, "NaN in a bias", "blk.0.attn_k.bias", 4, real(np.nan)),
        _edge(ll, "rotary factor 0", "rope_freqs.weight", 4, real(0.0)),
        _edge(ll, "negative rotary factor", "rope_freqs.weight", 4, real(-1.0)),
        _edge(ll, "rotary frequency above 2", "rope_freqs.weight", 0, real(0.25)),
        _edge(ll, "rotary frequency of exactly 2", "rope_freqs.weight", 0, real(0.5)),
        _edge(ll, "keys overflow binary16", norm0, 0, real(1e30), 32),
        _edge(qw, "a value overflows binary16", "blk.0.attn_v.bias", 8, real(70000.0)),
        _edge(qw, "a large value", "blk.0.attn_v.bias", 8, real(60000.0)),
        _edge(ll, "a query overflows", "blk.0.attn_q.weight", 0, real(3e38), 32),
        _edge(ll, "large queries", "blk.0.attn_q.weight", 0, real(1e36), 32),
        _edge(qw, "queries of 3e38", "blk.0.attn_q.bias", 0, real(3e38), 64),
        _edge(ll, "the gated product overflows", ffn0, 0, real(1e22), 32),
        _edge(ll, "a sum of squares overflows", ffn0, 0, real(1e17), 32),
        _edge(ll, "logits overflow", "output_norm.weight", 0, real(1e38), 32),
        _edge(ll, "large logits", "output_norm.weight", 0, real(1e36), 32),
        _edge(ll, "activations below 2^-100", "output_norm.weight", 0, real(1e-38), 32),
        _edge(ll, "activations about 2^-100", norm0, 0, real(8e-31), 32),
        _edge(ll, "subnormal weights, F32", "blk.0.attn_q.weight", 0, real(1e-40), 300),
        _edge(ll, "norm weights of zero", ffn0, 0, real(-0.0), 32),
    ]


def edges_compute(f, folders):
    g = _find(f["model"], folders)
    t, patch = g.tensors[f["patch"]["tensor"]], bytes.fromhex(f["patch"]["bytes"])
    start = t.start + f["patch"]["at"]
    assert f["patch"]["at"] + len(patch) <= len(t.data)
    data = bytearray(g.raw)
    data[start : start + len(patch)] = patch
    try:
        m = model.Model(gguf.GGUF(bytes(data), g.name))
    except ValueError:
        return {"ends": "load"}
    try:
        logits = model.Session(m).forward(f["tokens"])
    except arith.NonFinite:
        return {"ends": "request"}
    return {"ends": None, "logits_sha256": hashlib.sha256(digests.f32_bytes(logits)).hexdigest()}


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
            g.raw = data
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
    out["edges"] = (edges_inputs, lambda f: edges_compute(f, folders))
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
    for kind, judge in (("sampling", sampling_vectors.check_file), ("constrained", sampling_vectors.check_file),
                        ("constraints", constraints.check_file), ("constraints", allowed.check_file)):
        passed, failed = judge(os.path.join(folder, kind + ".json"))
        print(f"{kind}: {passed} passed, {failed} failed")
        bad = bad or failed > 0 or passed == 0
    return bad
