"""From logits to a token (spec/sampling.md): f32 adjustments, then integers only."""

from collections import Counter

import numpy as np

from .arith import NonFinite
from .funcs import exp32

F32 = np.float32
ONE = 1 << 32


def fixed_point(p):
    """A probability as 32-bit fixed point: p * 2^32 is exact, then nearest-even."""
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"{p} is not a probability")
    return round(p * 2.0**32)


class Params:
    def __init__(self, temperature=0.0, top_k=0, top_p=ONE, min_p=0, presence=0.0,
                 frequency=0.0, repetition=1.0, bias=()):
        self.temperature, self.top_k, self.top_p, self.min_p = F32(temperature), top_k, top_p, min_p
        self.presence, self.frequency = F32(presence), F32(frequency)
        self.repetition, self.bias = F32(repetition), list(bias)


def adjust(logits, params, prompt, output):
    """Repetition over prompt and output, frequency and presence over output, then bias."""
    out = np.array(logits, F32)
    counts = Counter(output)
    if params.repetition != F32(1):
        for t in sorted(set(prompt) | set(output)):
            out[t] = out[t] / params.repetition if out[t] > 0 else out[t] * params.repetition
    for t, n in counts.items():
        if params.frequency != F32(0):
            out[t] = out[t] - params.frequency * F32(n)
        if params.presence != F32(0):
            out[t] = out[t] - params.presence
    for t, b in params.bias:
        out[t] = out[t] + F32(b)
    if not np.isfinite(out).all():
        raise NonFinite(f"adjusted logit of token {int(np.argmin(np.isfinite(out)))}")
    return out


def argmax(x):
    """The lowest index of the largest value; -0 and +0 are equal."""
    return int(np.flatnonzero(x == x.max())[0])


def weights(x, temperature):
    z = (x - x.max()) / temperature
    return [int(float(e) * 2.0**40) for e in exp32(z)]


def truncate(w, params):
    """The ids that top-k, top-p and min-p leave, in the order (weight down, id up)."""
    order = sorted(range(len(w)), key=lambda i: (-w[i], i))
    if params.top_k:
        order = order[: params.top_k]
    if params.top_p < ONE:
        total, cumulative, n = sum(w[i] for i in order), 0, 0
        while n < len(order):
            cumulative += w[order[n]]
            n += 1
            if cumulative * ONE >= params.top_p * total:
                break
        order = order[:n]
    if params.min_p:
        order = [i for i in order if w[i] * ONE >= params.min_p * w[order[0]]]
    return order


class Choice:
    def __init__(self, token, weight, total, kept):
        self.token, self.weight, self.total, self.kept = token, weight, total, kept


def draw(logits, params, u, prompt=(), output=()):
    x = adjust(logits, params, prompt, output)
    if params.temperature == 0:
        return Choice(argmax(x), 0, 0, 1)
    w = weights(x, params.temperature)
    kept = truncate(w, params)
    total = sum(w[i] for i in kept)
    r, cumulative = u * total >> 64, 0
    for i in sorted(kept):
        cumulative += w[i]
        if cumulative > r:
            return Choice(i, w[i], total, len(kept))
    raise AssertionError("a draw below the total always ends")
