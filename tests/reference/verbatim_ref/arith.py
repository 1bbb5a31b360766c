"""Binary32 arithmetic of spec/arithmetic.md: quantisation, products, norms, attention.

Arrays are float32 throughout. Loops run over the dimension whose order is defined; numpy
runs over all the others.
"""

import numpy as np

from .funcs import exp32

F32 = np.float32
BLOCK, LANES, CHUNK = 32, 16, 256

# Overflow between the points where the definition looks is defined, not a mistake.
np.seterr(over="ignore", invalid="ignore")


class NonFinite(ValueError):
    """A NaN or an infinity where the definition ends the request."""


def check_finite(x, where):
    if not np.isfinite(x).all():
        raise NonFinite(where)


class Quantized:
    """q [rows][blocks][32] int32, d [rows][blocks] f32, u the sums of q, du = d * (f32)u."""

    def __init__(self, q, d):
        self.q, self.d = q, d
        self.u = q.sum(axis=-1, dtype=np.int32)
        self.du = d * self.u.astype(F32)


def quantize(x, where="activation"):
    """Section 2, for x [rows][cols] with cols a multiple of 32."""
    check_finite(x, where)
    b = x.reshape(x.shape[0], -1, BLOCK)
    a = np.abs(b).max(axis=-1)
    tiny = a < F32(2.0**-100)
    safe = np.where(tiny, F32(1), a)
    d = np.where(tiny, F32(0), safe / F32(127))
    r = F32(127) / safe
    q = np.rint(b * r[..., None])
    q = np.where(tiny[..., None], F32(0), q).astype(np.int32)
    return Quantized(q, d)


def product_int(w, x):
    """Section 3: Blocks of rows times Quantized rows, y [x rows][w rows]."""
    y = np.zeros((x.q.shape[0], w.w.shape[0]), F32)
    for b in range(w.w.shape[1]):
        if w.sub is None:
            isum = x.q[:, b] @ w.w[:, b].T
        else:
            low = x.q[:, b, :16] @ w.w[:, b, :16].T
            high = x.q[:, b, 16:] @ w.w[:, b, 16:].T
            isum = low * w.sub[:, b, 0] + high * w.sub[:, b, 1]
        assert isum.dtype == np.int32
        t = (w.s[:, b] * x.d[:, b, None]) * isum.astype(F32)
        y = y + t
        if w.m is not None:
            y = y + w.m[:, b] * x.du[:, b, None]
    return y


def _fold(s):
    """Sixteen lanes, the last axis, to one: + 8, + 4, + 2, + 1."""
    for n in (8, 4, 2, 1):
        s = s[..., :n] + s[..., n : 2 * n]
    return s[..., 0]


def product_float(w, x):
    """Section 4: w [rows][cols] times x [tokens][cols], y [tokens][rows]."""
    s = np.zeros((x.shape[0], w.shape[0], LANES), F32)
    for k in range(0, w.shape[1], LANES):
        p = w[None, :, k : k + LANES] * x[:, None, k : k + LANES]
        n = p.shape[-1]
        s[..., :n] = s[..., :n] + p
    return _fold(s)


def product(w, x, where="activation"):
    """A weight matrix of either kind with rows of activations."""
    if isinstance(w, np.ndarray):
        check_finite(x, where)
        return product_float(w, x)
    return product_int(w, quantize(x, where))


def sum_squares(x):
    s = np.zeros((x.shape[0], LANES), F32)
    for k in range(0, x.shape[1], LANES):
        part = x[:, k : k + LANES]
        s[:, : part.shape[1]] = s[:, : part.shape[1]] + part * part
    return _fold(s)


def rmsnorm(x, w, eps):
    ss = sum_squares(x)
    r = F32(1) / np.sqrt(ss / F32(x.shape[1]) + F32(eps))
    return (x * r[:, None]) * w


def silu(x):
    return x / (F32(1) + exp32(-x))


def silu_mul(gate, up):
    return silu(gate) * up


def rotate(x, cos, sin, n_rot, neox):
    """x [heads][head_dim], one position; only the first n_rot dimensions turn."""
    y = x.copy()
    half = n_rot // 2
    first = slice(0, half) if neox else slice(0, n_rot, 2)
    second = slice(half, n_rot) if neox else slice(1, n_rot, 2)
    a, b = x[:, first], x[:, second]
    y[:, first] = a * cos - b * sin
    y[:, second] = a * sin + b * cos
    return y


def to_half(x, where="KV cache"):
    """Rounds to binary16, nearest-even; returns the float16 array."""
    h = x.astype(np.float16)
    check_finite(h, where)
    return h


def head_scale(head_dim):
    return F32(1) / np.sqrt(F32(head_dim))


def _chunk_sums(e, v):
    """Sequential sums over one chunk: e [heads][n], v [n][heads][head_dim] f32."""
    num = np.zeros(v.shape[1:], F32)
    den = np.zeros(v.shape[1], F32)
    for j in range(v.shape[0]):
        num = num + e[:, j, None] * v[j]
        den = den + e[:, j]
    return num, den


def attention(q, keys, values, scale):
    """Section 6 for one position: q [heads][head_dim] f32, keys and values
    [n][kv_heads][head_dim] float16; query head h reads KV head h // (heads / kv_heads)."""
    group = q.shape[0] // keys.shape[1]
    k = np.repeat(keys.astype(F32), group, axis=1)
    v = np.repeat(values.astype(F32), group, axis=1)
    s = np.zeros((q.shape[0], keys.shape[0]), F32)
    for i in range(q.shape[1]):
        s = s + q[:, i, None] * k[:, :, i].T
    s = s * scale
    e = exp32(s - s.max(axis=1)[:, None])
    num, den = None, None
    for at in range(0, keys.shape[0], CHUNK):
        cn, cd = _chunk_sums(e[:, at : at + CHUNK], v[at : at + CHUNK])
        num, den = (cn, cd) if num is None else (num + cn, den + cd)
    return num / den[:, None]
