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
    """Normalised parameters (section 2); top_p and min_p are fixed point."""

    def __init__(self, temperature=0.0, top_k=0, top_p=ONE, min_p=0, presence=0.0,
                 frequency=0.0, repetition=1.0, bias=()):
        self.temperature = F32(temperature)
        self.top_k, self.top_p, self.min_p = top_k, max(top_p, 1), min_p
        self.presence, self.frequency = F32(presence), F32(frequency)
        self.repetition, self.bias = F32(repetition), list(bias)


class NonFiniteLogit(NonFinite):
    def __init__(self, token):
        super().__init__(f"adjusted logit of token {token}")
        self.token = token


def adjust(logits, params, prompt, output):
    """Section 3: bias, repetition, frequency, presence."""
    x = np.array(logits, F32)
    for i, b in params.bias:
        x[i] = x[i] + F32(b)
    if params.repetition != 1:
        for i in set(prompt) | set(output):
            x[i] = x[i] / params.repetition if x[i] > 0 else x[i] * params.repetition
    for i, c in Counter(output).items():
        if params.frequency != 0:
            x[i] = x[i] - (params.frequency * F32(c))
        if params.presence != 0:
            x[i] = x[i] - params.presence
    for i in range(len(x)):
        if not np.isfinite(x[i]):
            raise NonFiniteLogit(i)
    return x


def argmax(x, allowed=None):
    """The lowest index of the largest value among the allowed; -0 and +0 are equal."""
    ids = np.arange(len(x)) if allowed is None else np.array(sorted(allowed))
    return int(ids[np.flatnonzero(x[ids] == x[ids].max())[0]])


def weights(x, temperature, allowed=None):
    """Section 4; a token that is not allowed has weight 0."""
    with np.errstate(over="ignore"):
        z = (x - x[argmax(x, allowed)]) / temperature
    inside = [allowed is None or i in allowed for i in range(len(x))]
    z = np.where(inside, z, F32(0))
    return [int(float(e) * 2.0**40) if is_in else 0 for e, is_in in zip(exp32(z), inside)]


def truncate(w, params):
    """Section 5: the ids kept, in the order (weight down, id up)."""
    order = sorted((i for i in range(len(w)) if w[i] > 0), key=lambda i: (-w[i], i))
    if params.top_k:
        order = order[: params.top_k]
    if params.top_p < ONE:
        total, cumulative, n = sum(w[i] for i in order), 0, 0
        while n == 0 or cumulative * ONE < params.top_p * total:
            cumulative += w[order[n]]
            n += 1
        order = order[:n]
    if params.min_p:
        order = [i for i in order if w[i] * ONE >= params.min_p << 40]
    return order


class Choice:
    def __init__(self, token, weight, total, kept):
        self.token, self.weight, self.total, self.kept = token, weight, total, kept


def choose(x, params, u, allowed=None):
    """Sections 3.1 to 6, from adjusted logits; allowed: the set of tokens that are left."""
    if params.temperature == 0:
        return Choice(argmax(x, allowed), 0, 0, 1)
    w = weights(x, params.temperature, allowed)
    kept = truncate(w, params)
    total = sum(w[i] for i in kept)
    r, cumulative = u * total >> 64, 0
    for i in sorted(kept):
        cumulative += w[i]
        if cumulative > r:
            return Choice(i, w[i], total, len(kept))
    raise AssertionError("r is below the total")


def draw(logits, params, u, prompt=(), output=(), allowed=None):
    return choose(adjust(logits, params, prompt, output), params, u, allowed)


# ---- stop strings, section 8 ----


def stop_match(text, strings):
    """(which, begin, end) of the match in text, or None."""
    best = None
    for which, s in enumerate(strings):
        begin = text.find(s)
        if begin >= 0:
            key = (begin + len(s), begin, which)
            best = key if best is None or key < best else best
    return None if best is None else (best[2], best[1], best[0])


def safe_to_show(text, strings):
    """Bytes of text, in which there is no match, that no later match can reach."""
    for n in range(len(text), 0, -1):
        if any(len(s) > n and s.startswith(text[len(text) - n :]) for s in strings):
            return len(text) - n
    return len(text)
