"""Hashes that the arithmetic's users meet: draw numbers, token lists, the trace."""

import hashlib
import struct

import numpy as np


def sha256(data):
    return hashlib.sha256(data).digest()


def f32_bytes(x):
    return np.ascontiguousarray(x, "<f4").tobytes()


def tokens_digest(ids):
    return sha256(b"verbatim.tokens.v1\n" + struct.pack(f"<{len(ids)}I", *ids))


def draw_number(seed, t):
    """U of draw t: the first 8 bytes, big-endian."""
    assert len(seed) == 32
    h = sha256(b"verbatim.draw.v1\n" + seed + struct.pack(">Q", t))
    return int.from_bytes(h[:8], "big")


def seed_fixed(seed, choice):
    return sha256(b"verbatim.seed.fixed.v1\n" + struct.pack(">QI", seed, choice))


def trace_leaf(t, token, logits):
    return sha256(b"\0" + struct.pack(">QI", t, token) + sha256(f32_bytes(logits)))


def trace_root(leaves):
    """RFC 6962: an inner node is SHA-256(1 | left | right), split at the largest power of two
    below the number of leaves."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha256(b"\1" + trace_root(leaves[:k]) + trace_root(leaves[k:]))
