"""Rotary tables (section 5.6): frequencies and angles in binary64, rounded once to binary32."""

import math

import numpy as np

from . import funcs

F32, F64 = np.float32, np.float64
REALS = ("base", "factor", "ext_factor", "attn_factor", "beta_fast", "beta_slow")
_TWO_PI = float.fromhex("0x1.921fb54442d18p+2")


class Params:
    def __init__(self, n_rot, base, kind="none", factor=1.0, ctx_orig=0, ext_factor=1.0,
                 attn_factor=1.0, beta_fast=32.0, beta_slow=1.0, factors=None):
        if kind not in ("none", "linear", "factors", "yarn"):
            raise ValueError(f"rope scaling {kind} is not defined")
        ranged = (1.5 <= base <= 2.0**100 and 1.0 <= factor <= 2.0**100 and 0.0 <= ext_factor <= 1.0
                  and all(2.0**-100 <= v <= 2.0**100 for v in (attn_factor, beta_fast, beta_slow)))
        if not ranged or n_rot % 2 or not 2 <= n_rot <= 1024:
            raise ValueError("rotary parameters are out of range")
        self.n_rot, self.base, self.kind, self.factor = n_rot, base, kind, factor
        self.ctx_orig, self.ext_factor, self.attn_factor = ctx_orig, ext_factor, attn_factor
        self.beta_fast, self.beta_slow, self.factors = beta_fast, beta_slow, factors

    @staticmethod
    def from_metadata(get, n_rot, factors):
        """get(key, default) reads a key of the architecture; factors is rope_freqs.weight."""
        kind = get("rope.scaling.type", "none")
        if factors is not None:
            if kind in ("linear", "yarn"):
                raise ValueError(f"rope scaling {kind} together with rope_freqs.weight")
            kind = "factors"
        attn = get("rope.scaling.yarn_attn_factor", get("rope.scaling.attn_factor", 1.0))
        return Params(
            n_rot, get("rope.freq_base", 10000.0), kind, get("rope.scaling.factor", 1.0),
            get("rope.scaling.original_context_length", get("context_length")),
            get("rope.scaling.yarn_ext_factor", 1.0), attn,
            get("rope.scaling.yarn_beta_fast", 32.0), get("rope.scaling.yarn_beta_slow", 1.0),
            factors)


def _yarn_pair(p, beta):
    inner = float(p.ctx_orig) / (beta * _TWO_PI)
    return (float(p.n_rot) * funcs.ln(inner)) / (2.0 * funcs.ln(p.base))


def _into(x, low, high):
    return min(max(x, low), high)


def _yarn(p, freqs):
    last = float(p.n_rot - 1)
    low = _into(float(math.floor(_yarn_pair(p, p.beta_fast))), 0.0, last)
    high = _into(float(math.ceil(_yarn_pair(p, p.beta_slow))), 0.0, last)
    span = high - low
    if span < 0.001:
        span = 0.001
    out = []
    for i, freq in enumerate(freqs):
        ramp = 1.0 - _into((float(i) - low) / span, 0.0, 1.0)
        mix = ramp * p.ext_factor
        out.append((freq / p.factor) * (1.0 - mix) + freq * mix)
    return out


def frequencies(p):
    """(freq [n_rot / 2], mscale)"""
    freqs = []
    for i in range(p.n_rot // 2):
        freqs.append(funcs.exp2(-((float(2 * i) / float(p.n_rot)) * funcs.log2(p.base))))
    mscale = p.attn_factor
    if p.kind == "linear":
        freqs = [f / p.factor for f in freqs]
    elif p.kind == "factors":
        if not all(p.factors):
            raise ValueError("a rotary factor is zero")  # the frequency would be infinite
        freqs = [f / float(g) for f, g in zip(freqs, p.factors)]
    elif p.kind == "yarn":
        freqs = _yarn(p, freqs)
        if p.ext_factor != 0.0:
            mscale = p.attn_factor * (1.0 + 0.1 * funcs.ln(p.factor))
    if not all(0.0 <= f <= 2.0 for f in freqs) or not 2.0**-126 <= mscale <= 2.0**127:
        raise ValueError("rotary frequencies are out of range")
    return freqs, mscale


def row(freqs, mscale, pos):
    """The cosines and sines of one position, f32 [n_rot / 2] each."""
    pairs = [funcs.sin_cos(float(pos) * f) for f in freqs]
    sin = np.array([s * mscale for s, _ in pairs], F64)
    cos = np.array([c * mscale for _, c in pairs], F64)
    return cos.astype(F32), sin.astype(F32)
