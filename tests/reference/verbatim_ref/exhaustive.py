"""spec/vectors/exp_silu.digests: exp and silu over all inputs, block by block (section 9).

A block is 2^24 inputs with one upper byte; a few seconds each, so that a check takes some blocks
unless VB_EXHAUSTIVE=1 is in the environment.
"""

import os

import numpy as np

from . import arith, funcs

_FUNCTIONS = {"exp": funcs.exp32, "silu": arith.silu}
_SOME = {"exp": ("c2",), "silu": ("40",)}
_MASK = (1 << 64) - 1


def block_digest(function, upper):
    """FNV-1a over the results' bit patterns, one 32-bit step each."""
    h = 0xCBF29CE484222325
    for at in range(0, 1 << 24, 1 << 20):
        x = np.arange((upper << 24) + at, (upper << 24) + at + (1 << 20), dtype=np.uint32)
        y = _FUNCTIONS[function](x.view(np.float32))
        bits = np.where(np.isnan(y), np.uint32(0x7FC00000), y.view(np.uint32))
        for b in bits.tolist():
            h = (h ^ b) * 0x100000001B3 & _MASK
    return f"{h:016x}"


def check_file(path):
    """(passed, failed) of the blocks that are checked."""
    every, passed, failed = os.environ.get("VB_EXHAUSTIVE") == "1", 0, 0
    with open(path, encoding="ascii") as f:
        lines = [line.split() for line in f if line.strip()]
    for function, block, digest in lines:
        if not every and block not in _SOME[function]:
            continue
        if block_digest(function, int(block, 16)) == digest:
            passed += 1
        else:
            failed += 1
            print(f"FAIL {function} {block}: another digest than {digest}")
    return passed, failed
