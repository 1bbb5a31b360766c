"""The vectors of the primitives: for each kind, the inputs and what the definition makes of them.

A kind is a pair of functions: inputs() lists cases as (name, fields), compute(fields) gives the
expected outputs. Checking runs compute() on the inputs of the file, so frozen files do not depend
on how inputs were chosen.
"""

import numpy as np

from . import arith, codec, digests, funcs, quant, rope, tiny
from .rng import Rng

F32 = np.float32


def _bits(*values):
    return np.array(values, np.uint32).view(F32)


# ---- exp and silu ----


def _fused_points(rng, n):
    """Inputs whose exponential is another one when polynomial steps are rounded once."""
    found = []
    while len(found) < n:
        x = rng.uniform(4000) * F32(80)
        k = np.rint(x * funcs.LOG2_E)
        r = (x - k * funcs.LN2_A) - k * funcs.LN2_B
        p = np.full_like(r, funcs.EXP_P[0])
        for c in funcs.EXP_P[1:]:
            p = (p.astype(np.float64) * r + c).astype(F32)
        y = ((p * (r * r) + r) + F32(1)).astype(np.float64) * np.exp2(k.astype(np.float64))
        found += list(x[y.astype(F32) != funcs.exp32(x)])
    return found[:n]


def _exp_points():
    """Zeros, subnormals, both thresholds, each change of n (odd multiples of ln2 / 2) and their
    neighbours, and random values of every size."""
    x = list(_bits(0, 0x80000000, 1, 0x80000001, 0x007FFFFF, 0x807FFFFF, 0x00800000, 0x7F7FFFFF,
                   0xFF7FFFFF, 0x7F800000, 0xFF800000))
    centres = [88.72283905206835, 103.97207708399179, 87.33654475055310, 103.27892990343184]
    centres += [0.6931471805599453 * (n + 0.5) for n in range(0, 151, 7)]
    for c in centres:
        for sign in (1.0, -1.0):
            at = int(np.array([sign * c], F32).view(np.uint32)[0])
            x += list(_bits(*range(at - 2, at + 3)))
    rng = Rng(11)
    x += list(rng.wide(160, -30, 6)) + list(rng.uniform(500) * F32(88)) + list(rng.uniform(200))
    x += _fused_points(rng, 16)
    return np.array(x, F32)


def exp_inputs():
    return [("exp", {"x": codec.f32(_exp_points())})]


def exp_compute(f):
    return {"y": codec.f32(funcs.exp32(codec.to_f32(f["x"])))}


def silu_inputs():
    x = _exp_points()
    return [("silu", {"x": codec.f32(x[np.isfinite(x)])})]


def silu_compute(f):
    return {"y": codec.f32(arith.silu(codec.to_f32(f["x"])))}


def silu_mul_inputs():
    rng = Rng(12)
    return [(f"silu_mul {n}", {"gate": codec.f32(rng.wide(n, -8, 4)), "up": codec.f32(rng.wide(n))})
            for n in (1, 15, 16, 17, 70)]


def silu_mul_compute(f):
    return {"y": codec.f32(arith.silu_mul(codec.to_f32(f["gate"]), codec.to_f32(f["up"])))}


# ---- rows of activations ----


def _norm_case(name, eps, x, w):
    return name, {"eps": codec.f32([eps]), "x": codec.f32(x), "w": codec.f32(w)}


def rmsnorm_inputs():
    rng, out = Rng(13), []
    for n in (1, 7, 8, 15, 16, 17, 31, 33, 64, 100, 255):
        out.append(_norm_case(f"rmsnorm {n}", 1e-5, rng.wide(n, -6, 6), rng.wide(n, -2, 1)))
    for n in (3, 5, 6, 7, 11) * 6:
        out.append(_norm_case(f"rmsnorm {n}", 1e-6, rng.wide(n, -1, 1), rng.wide(n, -1, 1)))
    small = rng.wide(40, -149 + 23, -100)
    out.append(_norm_case("rmsnorm tiny squares", 1e-6, small, rng.wide(40, -2, 1)))
    out.append(_norm_case("rmsnorm zeros", 1e-6, np.zeros(32, F32), rng.uniform(32)))
    large = rng.wide(24, 60, 100)
    out.append(_norm_case("rmsnorm sum of squares overflows", 1e-6, large, rng.uniform(24)))
    return out


def rmsnorm_compute(f):
    x, w = codec.to_f32(f["x"])[None], codec.to_f32(f["w"])
    return {"y": codec.f32(arith.rmsnorm(x, w, codec.to_f32(f["eps"])[0])[0])}


def _with_max(block, a):
    """The block with its largest element made exactly a."""
    block = block.copy()
    block[5] = F32(a)
    return block


def _near_ties(rng):
    """A row of 4 blocks in each of which x * (127 / a) and x / (a / 127) round to different
    integers."""
    blocks = []
    while len(blocks) < 4:
        x = rng.uniform(32)
        a = np.abs(x).max()
        if (np.rint(x * (F32(127) / a)) != np.rint(x / (a / F32(127)))).any():
            blocks.append(x)
    return np.concatenate(blocks)


def quantize_inputs():
    rng, rows = Rng(14), []
    rows.append(("one block", rng.uniform(32)))
    rows.append(("three blocks of different size", rng.wide(96, -20, 20)))
    ties = np.arange(32, dtype=F32) - F32(15.5)
    rows.append(("ties to even", _with_max(ties, 127.0)))
    below = np.nextafter(F32(2.0**-100), F32(0))
    rows.append(("largest below 2^-100", _with_max(np.zeros(32, F32), below)))
    rows.append(("largest is 2^-100", _with_max(rng.uniform(32) * F32(2.0**-101), 2.0**-100)))
    rows.append(("zeros of both signs", np.array([0.0, -0.0] * 16, F32)))
    rows.append(("subnormals beside one value", _with_max(rng.uniform(32) * F32(1e-40), 1.0)))
    rows.append(("largest f32", _with_max(rng.uniform(32) * F32(3e38), -3.4028234663852886e38)))
    rows.append(("many blocks", rng.wide(512, -3, 3)))
    rows.append(("near ties", _near_ties(rng)))
    out = [(name, {"x": codec.f32(x)}) for name, x in rows]
    for name, bits in (("NaN", 0x7FC00001), ("infinity", 0x7F800000), ("-infinity", 0xFF800000)):
        x = rng.uniform(64)
        x[40] = _bits(bits)[0]
        out.append((name, {"x": codec.f32(x)}))
    return out


def quantize_compute(f):
    try:
        z = arith.quantize(codec.to_f32(f["x"])[None])
    except arith.NonFinite:
        return {"finite": False}
    return {"finite": True, "q": codec.i8(z.q), "d": codec.f32(z.d), "u": z.u[0].tolist(),
            "u_lo": z.q[0, :, :16].sum(axis=-1).tolist(), "du": codec.f32(z.du)}


def add_inputs():
    rng = Rng(15)
    x = np.concatenate([rng.wide(40), _bits(0x80000000, 0, 1, 0x00800000)])
    y = np.concatenate([rng.wide(40), _bits(0x80000000, 0x80000000, 1, 0x80000001)])
    return [("add", {"y": codec.f32(y), "x": codec.f32(x)})]


def add_compute(f):
    return {"y": codec.f32(codec.to_f32(f["y"]) + codec.to_f32(f["x"]))}


# ---- products ----


def _extreme_scales(name, data):
    """The first blocks with scales that are subnormal, negative and zero."""
    data, fmt = bytearray(data), quant.FORMATS[quant.BY_NAME[name]]
    at = fmt.block_bytes - 2 if name == "Q6_K" else 0
    for block, half in enumerate((0x0001, 0x83FF, 0x8000, 0xBC01)):
        start = block * fmt.block_bytes + at
        if start + 2 <= len(data):
            data[start : start + 2] = half.to_bytes(2, "little")
    return bytes(data)


def products_inputs():
    rng, out = Rng(16), []
    for type_id, fmt in sorted(quant.FORMATS.items()):
        sizes = [(3, 33), (2, 7), (17, 48)] if fmt.is_float else \
            [(17, 64), (3, 256)] if fmt.block_values == 32 else [(3, 512)]
        for rows, cols in sizes:
            data = tiny.random_rows(rng, fmt.name, rows, cols, 0.5)
            if not fmt.is_float and rows == 3:
                data = _extreme_scales(fmt.name, data)
            x = rng.wide(2 * cols, -4, 3)
            out.append((f"{fmt.name} {rows} x {cols}", {
                "type": fmt.name, "rows": rows, "cols": cols, "weights": data.hex(), "tokens": 2,
                "x": codec.f32(x)}))
    return out


def products_compute(f):
    rows, cols = f["rows"], f["cols"]
    w = quant.decode(quant.BY_NAME[f["type"]], bytes.fromhex(f["weights"]), rows, cols)
    x = codec.to_f32(f["x"], f["tokens"], cols)
    values = [quant.values(w, r) for r in range(rows)]
    return {"values": codec.f32(np.concatenate(values)), "y": codec.f32(arith.product(w, x))}


# ---- functions in binary64 ----


def _reals(rng, n, low, high):
    """Binary64 values in [low, high], all mantissa bits random."""
    return [low + (high - low) * ((rng.u64() >> 11) * 2.0**-53) for _ in range(n)]


def _trig_points(rng):
    """Multiples of pi / 2 and their neighbours, where the reduction cancels, and random values."""
    x = [0.0, -0.0, 2.0**-1074, 2.0**-30, 8388608.0, -8388608.0]
    for n in (1, 2, 3, 4, 5, 51, 1000, 573204, 5340353):
        at = float(n) * 1.5707963267948966
        x += [at, float(np.nextafter(at, 0.0)), -at]
    return x + _reals(rng, 60, -8.0, 8.0) + _reals(rng, 60, -8388608.0, 8388608.0)


def f64_inputs():
    rng = Rng(21)
    exp2 = [0.0, -0.0, 0.5, -0.5, 1.5, 1023.5, -1021.5, -1021.0, -1021.75, 1023.75, 1.0, -30.0]
    log2 = [1.0, 2.0, 0.5, 10000.0, 1e6, 500000.0, 2.0**-1022, 1.4142135623730951,
            float(np.nextafter(1.4142135623730951, 2)), float(np.nextafter(1.0, 0)), 1.5, 2.0**1023]
    exp2 += _reals(rng, 80, -40.0, 2.0) + _reals(rng, 20, -1021.0, 1023.0)
    log2 += _reals(rng, 60, 0.5, 4.0) + _reals(rng, 40, 1.4, 1.5) + _reals(rng, 20, 0.0, 1e7)
    points = {"exp2": exp2, "log2": log2}
    points["sin"] = points["cos"] = _trig_points(rng)
    return [(name, {"function": name, "x": codec.f64(x)}) for name, x in points.items()]


def f64_compute(f):
    function = {"exp2": funcs.exp2, "log2": funcs.log2, "sin": lambda x: funcs.sin_cos(x)[0],
                "cos": lambda x: funcs.sin_cos(x)[1]}[f["function"]]
    return {"y": codec.f64([function(float(x)) for x in codec.to_f64(f["x"])])}


# ---- rotary ----


def _rope_cases():
    llama3 = [1.0] * 20 + [1.3333333, 2.5, 5.125] + [8.0] * 9
    yield "none", dict(n_rot=64, base=10000.0), (0, 1, 2, 255, 4095)
    yield "none, odd width", dict(n_rot=10, base=500000.0), (3, 131071)
    yield "none, far", dict(n_rot=8, base=1000000.0), (1000000, 4194303)
    yield "linear", dict(n_rot=16, base=10000.0, kind="linear", factor=4.0), (1, 777, 16383)
    yield "factors", dict(n_rot=64, base=500000.0, kind="factors",
                          factors=np.array(llama3, F32)), (1, 8191, 100000)
    yield "yarn", dict(n_rot=64, base=1000000.0, kind="yarn", factor=4.0, ctx_orig=32768), \
        (1, 4096, 131071)
    yield "yarn, parameters", dict(
        n_rot=32, base=10000.0, kind="yarn", factor=40.0, ctx_orig=4096, ext_factor=0.5,
        attn_factor=0.75, beta_fast=24.0, beta_slow=2.0), (1, 163839)
    yield "yarn, no extrapolation", dict(
        n_rot=16, base=10000.0, kind="yarn", factor=8.0, ctx_orig=2048, ext_factor=0.0), (1, 9999)


def rope_inputs():
    out = []
    for name, p, positions in _rope_cases():
        p = rope.Params(**p)
        fields = {"n_rot": p.n_rot, "scaling": p.kind, "positions": list(positions)}
        for key in rope.REALS:
            fields[key] = codec.f64([getattr(p, key)])
        fields["ctx_orig"] = p.ctx_orig
        fields["factors"] = None if p.factors is None else codec.f32(p.factors)
        out.append((name, fields))
    return out


def rope_compute(f):
    reals = {key: float(codec.to_f64(f[key])[0]) for key in rope.REALS}
    factors = None if f["factors"] is None else codec.to_f32(f["factors"])
    p = rope.Params(n_rot=f["n_rot"], kind=f["scaling"], ctx_orig=f["ctx_orig"], factors=factors,
                    **reals)
    freqs, mscale = rope.frequencies(p)
    rows = [rope.row(freqs, mscale, pos) for pos in f["positions"]]
    return {"freqs": codec.f64(freqs), "mscale": codec.f64([mscale]),
            "cos": codec.f32([r[0] for r in rows]), "sin": codec.f32([r[1] for r in rows])}


def rotate_inputs():
    rng, out = Rng(17), []
    for style in ("norm", "neox"):
        for heads, head_dim, n_rot in ((1, 8, 8), (3, 16, 10), (2, 70, 64)):
            out.append((f"{style} {heads} x {head_dim}, {n_rot}", {
                "style": style, "heads": heads, "head_dim": head_dim, "n_rot": n_rot,
                "x": codec.f32(rng.wide(heads * head_dim)),
                "cos": codec.f32(rng.uniform(n_rot // 2)),
                "sin": codec.f32(rng.uniform(n_rot // 2))}))
    return out


def rotate_compute(f):
    x = codec.to_f32(f["x"], f["heads"], f["head_dim"])
    cos, sin = codec.to_f32(f["cos"]), codec.to_f32(f["sin"])
    return {"y": codec.f32(arith.rotate(x, cos, sin, f["n_rot"], f["style"] == "neox"))}


# ---- KV cache and attention ----


def kv_inputs():
    edges = [0x477FE000, 0x477FEFFF, 0xC77FEFFF, 0x477FF000, 0x33000000, 0x33000001, 0xB3000001,
             0x32FFFFFF, 0x33800000, 0x33C00000, 0x38800000, 0x387FC000, 0x387FE000, 0x387FF000,
             0x3F801000, 0x3F803000, 0x3F801001, 0x3F802FFF, 0x80000000, 0, 1]
    out = [(f"edge {b:08x}", {"x": f"{b:08x}"}) for b in edges]
    rng = Rng(18)
    out.append(("normal", {"x": codec.f32(rng.wide(200, -14, 15))}))
    out.append(("subnormal", {"x": codec.f32(rng.wide(200, -26, -14))}))
    return out


def kv_compute(f):
    try:
        return {"finite": True, "h": codec.f16(arith.to_half(codec.to_f32(f["x"])))}
    except arith.NonFinite:
        return {"finite": False}


def attention_inputs():
    rng, out = Rng(19), []
    sizes = ((1, 8, 1, 2), (2, 4, 5, 2), (1, 64, 33, 1), (3, 20, 17, 3), (1, 4, 256, 2),
             (2, 8, 300, 2), (1, 5, 769, 1))
    for queries, head_dim, n_keys, size in sizes:
        q = rng.wide(queries * head_dim, -3, size)
        k, v = rng.wide(n_keys * head_dim, -3, 1), rng.wide(n_keys * head_dim, -6, 6)
        out.append((f"{queries} queries, {n_keys} keys of {head_dim}", {
            "queries": queries, "head_dim": head_dim, "keys": n_keys, "q": codec.f32(q),
            "k": codec.f16(k.astype(np.float16)), "v": codec.f16(v.astype(np.float16))}))
    return out


def attention_compute(f):
    q = codec.to_f32(f["q"], f["queries"], f["head_dim"])
    k = codec.to_f16(f["k"], f["keys"], 1, f["head_dim"])
    v = codec.to_f16(f["v"], f["keys"], 1, f["head_dim"])
    scale = arith.head_scale(f["head_dim"])
    return {"scale": codec.f32([scale]), "y": codec.f32(arith.attention(q, k, v, scale))}


# ---- digests ----


def digests_inputs():
    seeds = ["00" * 32, bytes(range(32)).hex()]
    out = [(f"draw {t}", {"seed": s, "t": str(t)}) for s in seeds for t in (0, 1, 255, 1 << 40)]
    rng = Rng(20)
    for n in (0, 1, 2, 3, 5, 8, 13):
        logits = codec.f32(rng.wide(4 * n)) if n else ""
        tokens = [rng.below(4) for _ in range(n)]
        out.append((f"trace of {n}", {"tokens": tokens, "logits": logits}))
    return out


def digests_compute(f):
    if "t" in f:
        return {"u": str(digests.draw_number(bytes.fromhex(f["seed"]), int(f["t"])))}
    n = len(f["tokens"])
    logits = codec.to_f32(f["logits"], n, 4) if n else []
    leaves = [digests.trace_leaf(t, f["tokens"][t], logits[t]) for t in range(n)]
    return {"tokens_digest": digests.tokens_digest(f["tokens"]).hex(),
            "leaves": [leaf.hex() for leaf in leaves], "root": digests.trace_root(leaves).hex()}


KINDS = {
    "exp": (exp_inputs, exp_compute),
    "silu": (silu_inputs, silu_compute),
    "silu_mul": (silu_mul_inputs, silu_mul_compute),
    "rmsnorm": (rmsnorm_inputs, rmsnorm_compute),
    "quantize": (quantize_inputs, quantize_compute),
    "add": (add_inputs, add_compute),
    "products": (products_inputs, products_compute),
    "f64": (f64_inputs, f64_compute),
    "rope": (rope_inputs, rope_compute),
    "rotate": (rotate_inputs, rotate_compute),
    "kv": (kv_inputs, kv_compute),
    "attention": (attention_inputs, attention_compute),
    "digests": (digests_inputs, digests_compute),
}
