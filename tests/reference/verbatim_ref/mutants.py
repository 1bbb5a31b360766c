"""reference/mutants.test: planted mistakes, each of which the frozen vectors must catch.

A mutant is a copy of this package with one expression changed; its own check of the vectors has to
fail. A mistake that passes means that the vectors have a hole.

python3 -m verbatim_ref.mutants SOURCE_TREE
"""

import os
import shutil
import subprocess
import sys
import tempfile

from .mutants_log import LOG
from .mutants_receipts import RECEIPTS

# (kind that must fail, file, expression, its replacement)
MUTANTS = [
    ("exp", "funcs.py", "p = p * r + c\n    y =",
     "p = (p.astype(np.float64) * r + c).astype(F32)\n    y ="),
    ("exp", "funcs.py", "y = (p * (r * r) + r) + F32(1)", "y = p * (r * r) + (r + F32(1))"),
    ("exp", "funcs.py", "(v - n * LN2_A) - n * LN2_B", "v - (n * LN2_A + n * LN2_B)"),
    ("exp", "funcs.py", "(x >= _EXP_LOW)", "(x > _EXP_LOW)"),
    ("exp", "funcs.py", "(x <= _EXP_HIGH)", "(x < _EXP_HIGH)"),
    ("exp", "funcs.py", "return np.where(inside, y, outside)",
     "return np.where(inside & (y >= F32(2.0**-126)), y, np.where(inside, F32(0), outside))"),
    ("silu", "arith.py", "x / (F32(1) + exp32(-x))", "x * (F32(1) / (F32(1) + exp32(-x)))"),
    ("silu_mul", "arith.py", "silu(gate) * up", "(gate * up) / (F32(1) + exp32(-gate))"),
    ("rmsnorm", "arith.py", "(x * r[:, None]) * w", "x * (r[:, None] * w)"),
    ("rmsnorm", "arith.py", "ss / F32(x.shape[1]) + F32(eps)",
     "ss * (F32(1) / F32(x.shape[1])) + F32(eps)"),
    ("rmsnorm", "arith.py", "for n in (8, 4, 2, 1):", "for n in (8, 4, 1, 1):"),
    ("rmsnorm", "arith.py", "r = F32(1) / np.sqrt(ss", "r = np.sqrt(F32(1) / ss"),
    ("quantize", "arith.py", "tiny = a < F32(2.0**-100)", "tiny = a <= F32(2.0**-100)"),
    ("quantize", "arith.py", "np.rint(b * r[..., None])", "np.floor(b * r[..., None] + F32(0.5))"),
    ("quantize", "arith.py", "np.rint(b * r[..., None])", "np.rint(b / d[..., None])"),
    ("quantize", "arith.py", "d = np.where(tiny, F32(0), safe / F32(127))",
     "d = np.where(tiny, F32(0), safe * F32(1 / 127))"),
    ("quantize", "arith.py", "    check_finite(x, where)\n    b =", "    b ="),
    ("products", "arith.py", "t = (w.s[:, b] * x.d[:, b, None]) * isum.astype(F32)",
     "t = w.s[:, b] * (x.d[:, b, None] * isum.astype(F32))"),
    ("products", "arith.py", "y = y + t\n",
     "y = (y + w.s[:, b].astype(float) * x.d[:, b, None] * isum).astype(F32)\n"),
    ("products", "arith.py", "w.m[:, b] * x.du[:, b, None]",
     "(w.m[:, b] * x.d[:, b, None]) * x.u[:, b, None].astype(F32)"),
    ("products", "arith.py", "p = w[None, :, k : k + LANES] * x[:, None, k : k + LANES]",
     "p = w[None, :, k : k + LANES].astype(np.float64) * x[:, None, k : k + LANES]"),
    ("products", "arith.py", "BLOCK, LANES, CHUNK = 32, 16, 256",
     "BLOCK, LANES, CHUNK = 32, 8, 256"),
    ("products", "arith.py", "isum = low * w.sub[:, b, 0] + high * w.sub[:, b, 1]",
     "isum = low * w.sub[:, b, 1] + high * w.sub[:, b, 0]"),
    ("products", "quant.py", "v = v + weights.m[row][:, None]", "pass"),
    ("products", "quant.py", "(_nibbles32(raw[..., 2:18]) - 8", "(_nibbles32(raw[..., 2:18]) - 7"),
    ("products", "quant.py", "(p[..., 8:12] & 15) | (p[..., 0:4] >> 6) << 4",
     "(p[..., 8:12] & 15) | (p[..., 4:8] >> 6) << 4"),
    ("products", "quant.py", "high >> j & 1", "high >> (j ^ 1) & 1"),
    ("products", "quant.py", "qh >> 2 * part & 3", "qh >> 2 * (part ^ 1) & 3"),
    ("products", "quant.py",
     "at + 1].astype(np.uint16) << 8\n    return bits.view(np.float16).astype(F32)",
     "at + 1].astype(np.uint16) << 8\n    h = bits.view(np.float16).astype(F32)\n"
     "    return np.where(np.abs(h) < F32(2.0**-14), F32(0), h)"),
    ("rope", "rope.py", "(freq / p.factor) * (1.0 - mix)",
     "(freq * (1.0 / p.factor)) * (1.0 - mix)"),
    ("rope", "rope.py", "float(math.ceil(", "float(math.floor("),
    ("rope", "rope.py", "[f / p.factor for f in freqs]", "[f / (p.factor + 1.0) for f in freqs]"),
    ("rope", "rope.py", "f / float(g) for", "float(F32(f) / g) for"),
    ("f64", "funcs.py", "tail = (l1 + l2) - nf * _PI2[3]", "tail = 0.0"),
    ("f64", "funcs.py", "(z * w) * (_S[3]", "w * (_S[3]"),
    ("f64", "funcs.py", "(w * w) * (_C[3]", "w * (_C[3]"),
    ("f64", "funcs.py", "(h2 - a) + tail", "0.0"),
    ("f64", "funcs.py", "0.5 * b - v * r", "-(v * r)"),
    ("f64", "funcs.py", "if m >= _SQRT2:", "if m >= 1.5:"),
    ("f64", "funcs.py", "for c in _LOG2_C[1:]:", "for c in _LOG2_C[2:]:"),
    ("rotate", "arith.py", "a * sin + b * cos", "b * cos - a * sin"),
    ("kv", "arith.py", "h = x.astype(np.float16)",
     "h = (x.view(np.uint32) & np.uint32(0xFFFFE000)).view(F32).astype(np.float16)"),
    ("kv", "arith.py", "check_finite(h, where)\n    return h",
     "return np.clip(h, np.float16(-65504), np.float16(65504))"),
    ("kv", "arith.py", "check_finite(h, where)\n    return h",
     "check_finite(h, where)\n"
     "    return np.where(np.abs(h) < np.float16(2.0**-14), np.float16(0), h)"),
    ("attention", "arith.py", "s = s * scale", "s = s / np.sqrt(F32(q.shape[1]))"),
    ("attention", "arith.py", "BLOCK, LANES, CHUNK = 32, 16, 256",
     "BLOCK, LANES, CHUNK = 32, 16, 4096"),
    ("attention", "arith.py", "(cn, cd) if num is None else (num + cn, den + cd)",
     "(cn, cd) if num is None else (num + cn, den + e[:, at : at + CHUNK].sum(axis=1))"),
    ("attention", "arith.py", "return num / den[:, None]", "return num * (F32(1) / den)[:, None]"),
    ("attention", "arith.py", "exp32(s - s.max(axis=1)[:, None])", "exp32(s)"),
    ("layers", "model.py", 'self.neox = self.arch == "qwen2"', "self.neox = False"),
    ("layers", "model.py", 'if name in ("attn_q", "attn_k", "attn_v") else None', "if 0 else None"),
    ("layers", "model.py", "self.length + i) for i", "self.length + i + 1) for i"),
    ("layers", "arith.py", "k = np.repeat(keys.astype(F32), group, axis=1)",
     "k = np.tile(keys.astype(F32), (1, group, 1))"),
    ("layers", "model.py", "self.eps = F32(", "self.eps = F32(0) * F32("),
    ("layers", "rope.py", 'kind = "factors"', 'kind = "none"'),
    ("layers", "rope.py", "0.1 * funcs.ln(p.factor)", "0.1 * funcs.log2(p.factor)"),
    ("edges", "quant.py", "if not np.isfinite(out).all():", "if 0:"),
    ("edges", "quant.py", "if not all(np.isfinite(a).all() for a in scales):", "if 0:"),
    ("edges", "rope.py", "0.0 <= f <= 2.0", "0.0 <= f < 2.0"),
    ("edges", "rope.py", "0.0 <= f <= 2.0", "f <= 2.0"),
    ("edges", "rope.py", "0.0 <= f <= 2.0", "0.0 <= f"),
    ("edges", "arith.py", "ss / F32(x.shape[1])", "np.minimum(ss, F32(3e38)) / F32(x.shape[1])"),
    ("digests", "digests.py", "while 2 * k < len(leaves):", "while k < len(leaves) // 2:"),
    ("digests", "digests.py", 'sha256(b"\\0" + struct', 'sha256(b"\\1" + struct'),
    ("sampling", "sampling.py", "while n == 0 or cumulative * ONE < params.top_p * total:",
     "while n == 0 or cumulative * ONE <= params.top_p * total:"),
    ("sampling", "sampling.py", "w[i] * ONE >= params.min_p << 40",
     "w[i] * ONE > params.min_p << 40"),
    ("sampling", "sampling.py", "if cumulative > r:", "if cumulative >= r and w[i]:"),
    ("sampling", "sampling.py", "for i in sorted(kept):", "for i in kept:"),
    ("sampling", "sampling.py", "x[i] / params.repetition if x[i] > 0",
     "x[i] / params.repetition if x[i] >= -1"),
    ("sampling", "sampling.py", "(i for i in range(len(w)) if w[i] > 0)", "range(len(w))"),
    ("sampling", "sampling.py", "key = (begin + len(s), begin, which)",
     "key = (begin, begin + len(s), which)"),
    ("constraints", "allowed.py", "0, INDENT * depth)", "0, INDENT * depth + 1)"),
    ("constraints", "allowed.py", "if self.so_far not in self.taken:", "if True:"),
    ("constraints", "allowed.py", "return depth < DEPTH and all", "return all"),
    ("constraints", "allowed.py", "if depth >= DEPTH or self.least", "if self.least"),
    ("constraints", "allowed.py", "if name not in self.done and kind", "if kind"),
    ("constraints", "allowed.py", "Repeat((_DIGIT,), 0, 17)", "Repeat((_DIGIT,), 0, 18)"),
    ("constraints", "allowed.py", "Repeat((_DIGIT,), 1, 18)", "Repeat((_DIGIT,), 1, 19)"),
    ("constraints", "allowed.py", "Repeat((_DIGIT,), 1, 2)", "Repeat((_DIGIT,), 1, 3)"),
    ("constraints", "allowed.py", "(_U, _D, _span(0x30, 0x37), _HEX, _HEX)", "(_U, _D, _HEX, _HEX, _HEX)"),
    ("constraints", "allowed.py", "_span(0x80, 0x9F), _TAIL)", "_TAIL, _TAIL)"),
    ("constraints", "allowed.py", "_span(0x80, 0x8F), _TAIL, _TAIL)", "_TAIL, _TAIL, _TAIL)"),
    ("constraints", "allowed.py", "_span(0xA0, 0xBF), _TAIL)", "_TAIL, _TAIL)"),
    ("constraints", "allowed.py", "if self.of.required <= self.done:", "if True:"),
    ("constraints", "allowed.py", "if self.n >= self.of.least:", "if True:"),
    ("constraints", "allowed.py", "if n >= self.most:", "if n > self.most:"),
    ("constraints", "allowed.py", 'schema.get("additionalProperties", "properties" not in schema)',
     'schema.get("additionalProperties", False)'),
    ("constraints", "allowed.py", 'self.of(schema.get("items", not prefix))', 'self.of(schema.get("items", True))'),
    ("constraints", "allowed.py", "if schema is False or id(schema) in seen:", "if schema is False or len(seen) > 1:"),
    ("constraints", "allowed.py", "values if not types or types_of(v) & set(types))", "values)"),
] + RECEIPTS + LOG

_CHECK = """
import sys
from verbatim_ref import allowed, log_vectors, openings, sampling_vectors, second, vectors
kind, folder = sys.argv[1:]
if kind.startswith("receipts/"):
    file, _, prefix = kind[9:].partition(":")
    failed = not second.agrees(folder + "/receipts", file + ".json", prefix)
elif kind.startswith("log/"):
    failed = not log_vectors.agrees(folder + "/log", kind[4:])
elif kind.startswith("openings:"):
    failed = not openings.agrees(folder + "/../..", kind[9:])
elif kind == "constraints":
    failed = allowed.check_file(folder + "/constraints.json")[1]
elif kind == "sampling":
    failed = sampling_vectors.check_file(folder + "/sampling.json")[1]
else:
    failed = vectors.check_file(folder + "/" + kind + ".json", vectors.kinds([folder]))[1]
sys.exit(1 if failed else 0)
"""


def _fails(package, vectors, kind):
    """Whether the package's check of one kind of vectors fails (or breaks)."""
    env = dict(os.environ, PYTHONPATH=package, PYTHONDONTWRITEBYTECODE="1")
    done = subprocess.run([sys.executable, "-c", _CHECK, kind, vectors], env=env, cwd=package,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if "SyntaxError" in done.stderr or "ImportError" in done.stderr:
        raise RuntimeError(done.stderr)
    return done.returncode != 0


def main():
    vectors = os.path.abspath(os.path.join(sys.argv[1], "spec", "vectors"))
    here = os.path.dirname(os.path.abspath(__file__))
    survived = 0
    with tempfile.TemporaryDirectory() as folder:
        package = os.path.join(folder, "verbatim_ref")
        shutil.copytree(here, package, ignore=shutil.ignore_patterns("__pycache__"))
        for kind in sorted({m[0] for m in MUTANTS}):
            if _fails(folder, vectors, kind):
                print(f"the vectors {kind} fail without a mutant")
                return 1
        for kind, name, old, new in MUTANTS:
            path = os.path.join(package, name)
            with open(os.path.join(here, name), encoding="utf-8") as f:
                source = f.read()
            if source.count(old) != 1:
                raise RuntimeError(f"{name} has {source.count(old)} times: {old}")
            with open(path, "w", encoding="utf-8") as f:
                f.write(source.replace(old, new))
            if not _fails(folder, vectors, kind):
                survived += 1
                print(f"SURVIVED {kind}: {old!r} -> {new!r}")
            with open(path, "w", encoding="utf-8") as f:
                f.write(source)
    print(f"{len(MUTANTS) - survived} of {len(MUTANTS)} planted mistakes caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
