"""Functions of one value, sections 5.1 (binary32, arrays) and 5.5 (binary64, one number).

A Python float is a binary64, and its +, -, *, / are rounded once each; round() is to nearest,
ties to even.
"""

import math

import numpy as np

F32 = np.float32


def _f32(text):
    return F32(float.fromhex(text))


_EXP_HIGH, _EXP_LOW = _f32("0x1.62e42ep+6"), _f32("-0x1.9fe368p+6")
LOG2_E = _f32("0x1.715476p+0")
LN2_A, LN2_B = _f32("0x1.63p-1"), _f32("-0x1.bd0106p-13")
EXP_P = [_f32(c) for c in ("0x1.a0d2cep-13", "0x1.6e879cp-10", "0x1.11121p-7", "0x1.555382p-5",
                            "0x1.555554p-3", "0x1p-1")]


def _pow2_f32(n):
    """2^n for an int32 array, -126 <= n <= 127."""
    return ((n + 127).astype(np.uint32) << 23).view(F32)


def exp32(x):
    x = np.asarray(x, F32)
    inside = (x <= _EXP_HIGH) & (x >= _EXP_LOW)
    v = np.where(inside, x, F32(0))
    n = np.rint(v * LOG2_E)
    r = (v - n * LN2_A) - n * LN2_B
    p = np.full_like(r, EXP_P[0])
    for c in EXP_P[1:]:
        p = p * r + c
    y = (p * (r * r) + r) + F32(1)
    n = n.astype(np.int32)
    k = n >> 1
    y = (y * _pow2_f32(k)) * _pow2_f32(n - k)
    outside = np.where(x > _EXP_HIGH, F32(np.inf), np.where(x < _EXP_LOW, F32(0), x))
    return np.where(inside, y, outside)


# ---- binary64 ----

_EXP2_C = [float.fromhex(c) for c in (
    "0x1.816193166d0f9p-40", "0x1.c3bd650fc2986p-36", "0x1.e8cac7351bb25p-32",
    "0x1.e4cf5158b8ecap-28", "0x1.b5253d395e7c4p-24", "0x1.62c0223a5c824p-20",
    "0x1.ffcbfc588b0c7p-17", "0x1.430912f86c787p-13", "0x1.5d87fe78a6731p-10",
    "0x1.3b2ab6fba4e77p-7", "0x1.c6b08d704a0cp-5", "0x1.ebfbdff82c58fp-3",
    "0x1.62e42fefa39efp-1")]
_LOG2_C = [float.fromhex(c) for c in (
    "0x1.00ecd7e080215p-3", "0x1.1964ec6fc9491p-3", "0x1.3703c1f4d0ffep-3",
    "0x1.5b9ac9b743f0dp-3", "0x1.89f3b1694cffep-3", "0x1.c68f568d3176p-3",
    "0x1.0c9a84994022dp-2", "0x1.484b13d7c02a9p-2", "0x1.a61762a7aded9p-2",
    "0x1.2776c50ef9bfep-1", "0x1.ec709dc3a03fdp-1", "0x1.71547652b82fep+1")]
_SQRT2 = float.fromhex("0x1.6a09e667f3bcdp+0")
_LN2 = float.fromhex("0x1.62e42fefa39efp-1")


def exp2(x):
    if x < -1021.5:
        return 0.0
    if x > 1023.5:
        return math.inf
    n = round(x)
    f = x - float(n)
    p = _EXP2_C[0]
    for c in _EXP2_C[1:]:
        p = p * f + c
    h = int(n / 2)  # towards zero
    return ((1.0 + f * p) * 2.0**h) * 2.0 ** (n - h)


def log2(x):
    m, k = math.frexp(x)
    m, k = m * 2.0, k - 1
    if m >= _SQRT2:
        m, k = m * 0.5, k + 1
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    p = _LOG2_C[0]
    for c in _LOG2_C[1:]:
        p = p * z + c
    return float(k) + s * p


def ln(x):
    return log2(x) * _LN2


_TWO_BY_PI = float.fromhex("0x1.45f306dc9c883p-1")
_PI2 = [float.fromhex(c) for c in ("0x1.921fb54p+0", "0x1.10b46118p-30", "0x1.313198ap-61",
                                   "0x1.701b839a25205p-92")]
_S = [float.fromhex(c) for c in (
    "0x1.111111110f8a6p-7", "-0x1.a01a019c161d5p-13", "0x1.71de357b1fe7dp-19",
    "-0x1.ae5e68a2b9cebp-26", "0x1.5d93a5acfd57cp-33", "-0x1.5555555555549p-3")]
_C = [float.fromhex(c) for c in (
    "0x1.555555555554cp-5", "-0x1.6c16c16c15177p-10", "0x1.a01a019cb159p-16",
    "-0x1.27e4f809c52adp-22", "0x1.1ee9ebdb4b1c4p-29", "-0x1.8fae9be8838d4p-37")]


def _difference(a, b):
    h = a - b
    t = h - a
    return h, (a - (h - t)) - (b + t)


def _reduce(x):
    n = round(x * _TWO_BY_PI)
    nf = float(n)
    h1, l1 = _difference(x - nf * _PI2[0], nf * _PI2[1])
    h2, l2 = _difference(h1, nf * _PI2[2])
    tail = (l1 + l2) - nf * _PI2[3]
    a = h2 + tail
    return n % 4, a, (h2 - a) + tail


def _sin_kernel(a, b):
    z = a * a
    w = z * z
    v = z * a
    r = (_S[0] + z * (_S[1] + z * _S[2])) + (z * w) * (_S[3] + z * _S[4])
    return a - ((z * (0.5 * b - v * r) - b) - v * _S[5])


def _cos_kernel(a, b):
    z = a * a
    w = z * z
    r = z * (_C[0] + z * (_C[1] + z * _C[2])) + (w * w) * (_C[3] + z * (_C[4] + z * _C[5]))
    g = 0.5 * z
    o = 1.0 - g
    return o + (((1.0 - o) - g) + (z * r - a * b))


def sin_cos(x):
    """(sin x, cos x), |x| <= 2^23."""
    q, a, b = _reduce(x)
    s, c = _sin_kernel(a, b), _cos_kernel(a, b)
    return ((s, c), (c, -s), (-s, -c), (-c, s))[q]
