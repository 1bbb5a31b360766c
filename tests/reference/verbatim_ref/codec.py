"""Numbers as the vectors' JSON holds them: bit patterns in hexadecimal, value by value, the most
significant digit first, without separators; bytes as they stand."""

import numpy as np


def _enc(a, kind, digits):
    return "".join(f"{int(v):0{digits}x}" for v in np.ascontiguousarray(a).reshape(-1).view(kind))


def _dec(text, kind, digits):
    if len(text) % digits:
        raise ValueError(f"{len(text)} hex digits are not whole values of {digits}")
    return np.array([int(text[i : i + digits], 16) for i in range(0, len(text), digits)], kind)


def f32(a):
    return _enc(np.asarray(a, np.float32), np.uint32, 8)


def f64(a):
    return _enc(np.asarray(a, np.float64), np.uint64, 16)


def f16(a):
    return _enc(np.asarray(a, np.float16), np.uint16, 4)


def i8(a):
    return _enc(np.asarray(a, np.int8), np.uint8, 2)


def to_f32(text, *shape):
    return _dec(text, np.uint32, 8).view(np.float32).reshape(shape or -1)


def to_f64(text, *shape):
    return _dec(text, np.uint64, 16).view(np.float64).reshape(shape or -1)


def to_f16(text, *shape):
    return _dec(text, np.uint16, 4).view(np.float16).reshape(shape or -1)
