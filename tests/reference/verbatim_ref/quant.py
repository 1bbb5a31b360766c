"""Weight formats: file bytes of rows to integers, scales and offsets (section 3) or floats.

An integer format is seen as blocks of 32 values along the row, whatever the file's own
block is. decode() returns one Blocks for all rows of a tensor.
"""

import numpy as np

F32 = np.float32


class Format:
    def __init__(self, name, block_values, block_bytes, is_float):
        self.name, self.is_float = name, is_float
        self.block_values, self.block_bytes = block_values, block_bytes


FORMATS = {
    0: Format("F32", 1, 4, True),
    1: Format("F16", 1, 2, True),
    30: Format("BF16", 1, 2, True),
    2: Format("Q4_0", 32, 18, False),
    3: Format("Q4_1", 32, 20, False),
    6: Format("Q5_0", 32, 22, False),
    7: Format("Q5_1", 32, 24, False),
    8: Format("Q8_0", 32, 34, False),
    12: Format("Q4_K", 256, 144, False),
    13: Format("Q5_K", 256, 176, False),
    14: Format("Q6_K", 256, 210, False),
}
BY_NAME = {f.name: i for i, f in FORMATS.items()}


class Blocks:
    """w [rows][blocks][32] int32; s [rows][blocks] f32; m the same or None;
    sub [rows][blocks][2] int32, the sub-scales of each half of a block, or None."""

    def __init__(self, w, s, m=None, sub=None):
        self.w = np.ascontiguousarray(w, dtype=np.int32)
        self.s = np.ascontiguousarray(s, dtype=F32)
        self.m = None if m is None else np.ascontiguousarray(m, dtype=F32)
        self.sub = None if sub is None else np.ascontiguousarray(sub, dtype=np.int32)
        scales = [self.s] + ([] if self.m is None else [self.m])
        if not all(np.isfinite(a).all() for a in scales):
            raise ValueError("a weight scale is not finite")


def _half(raw, at):
    """The binary16 at byte `at` of each file block, as f32 (exact)."""
    bits = raw[..., at].astype(np.uint16) | raw[..., at + 1].astype(np.uint16) << 8
    return bits.view(np.float16).astype(F32)


def _nibbles32(qs):
    """16 bytes: values 0..15 are the low nibbles, 16..31 the high ones."""
    return np.concatenate([qs & 15, qs >> 4], axis=-1).astype(np.int32)


def _fifth_bits(raw, at):
    """32 bits, little-endian: bit i belongs to value i."""
    bits = np.unpackbits(raw[..., at : at + 4], axis=-1, bitorder="little")
    return bits.astype(np.int32) << 4


def _q4_0(raw):
    return Blocks(_nibbles32(raw[..., 2:18]) - 8, _half(raw, 0))


def _q4_1(raw):
    return Blocks(_nibbles32(raw[..., 4:20]), _half(raw, 0), _half(raw, 2))


def _q5_0(raw):
    w = (_nibbles32(raw[..., 6:22]) | _fifth_bits(raw, 2)) - 16
    return Blocks(w, _half(raw, 0))


def _q5_1(raw):
    w = _nibbles32(raw[..., 8:24]) | _fifth_bits(raw, 4)
    return Blocks(w, _half(raw, 0), _half(raw, 2))


def _q8_0(raw):
    return Blocks(raw[..., 2:34].view(np.int8), _half(raw, 0))


def _k_scales(packed):
    """12 bytes hold eight 6-bit scales and eight 6-bit minima."""
    p = packed.astype(np.int32)
    sc_low, mn_low = p[..., 0:4] & 63, p[..., 4:8] & 63
    sc_high = (p[..., 8:12] & 15) | (p[..., 0:4] >> 6) << 4
    mn_high = (p[..., 8:12] >> 4) | (p[..., 4:8] >> 6) << 4
    return np.concatenate([sc_low, sc_high], -1), np.concatenate([mn_low, mn_high], -1)


def _k_nibbles(qs):
    """128 bytes: each run of 32 bytes holds sub-block 2c (low) and 2c + 1 (high)."""
    runs = qs.reshape(qs.shape[:-1] + (4, 32))
    pairs = np.stack([runs & 15, runs >> 4], axis=-2)
    return pairs.reshape(qs.shape[:-1] + (8, 32)).astype(np.int32)


def _k_blocks(raw, w):
    rows = raw.shape[0]
    sc, mn = _k_scales(raw[..., 4:16])
    d, dmin = _half(raw, 0), _half(raw, 2)
    s = d[..., None] * sc.astype(F32)
    m = -(dmin[..., None] * mn.astype(F32))
    return Blocks(w.reshape(rows, -1, 32), s.reshape(rows, -1), m.reshape(rows, -1))


def _q4_k(raw):
    return _k_blocks(raw, _k_nibbles(raw[..., 16:144]))


def _q5_k(raw):
    w = _k_nibbles(raw[..., 48:176])
    high = raw[..., 16:48].astype(np.int32)
    for j in range(8):
        w[..., j, :] |= (high >> j & 1) << 4
    return _k_blocks(raw, w)


def _q6_k(raw):
    rows, blocks = raw.shape[:2]
    w = np.empty((rows, blocks, 256), np.int32)
    for half in range(2):
        ql = raw[..., 64 * half : 64 * half + 64].astype(np.int32)
        qh = raw[..., 128 + 32 * half : 160 + 32 * half].astype(np.int32)
        for part in range(4):
            low = ql[..., 32 * (part & 1) : 32 * (part & 1) + 32] >> 4 * (part >> 1) & 15
            at = 128 * half + 32 * part
            w[..., at : at + 32] = (low | (qh >> 2 * part & 3) << 4) - 32
    sub = raw[..., 192:208].view(np.int8).astype(np.int32).reshape(rows, blocks * 8, 2)
    s = np.repeat(_half(raw, 208), 8, axis=-1)
    return Blocks(w.reshape(rows, -1, 32), s, None, sub)


_DECODERS = {2: _q4_0, 3: _q4_1, 6: _q5_0, 7: _q5_1, 8: _q8_0, 12: _q4_k, 13: _q5_k, 14: _q6_k}


def decode(type_id, data, rows, cols):
    """A float format gives f32 [rows][cols]; an integer format gives Blocks."""
    fmt = FORMATS[type_id]
    if fmt.name == "F32":
        out = np.frombuffer(data, "<f4").astype(F32)
    elif fmt.name == "F16":
        out = np.frombuffer(data, "<f2").astype(F32)
    elif fmt.name == "BF16":
        out = (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(F32)
    else:
        raw = np.frombuffer(data, np.uint8)
        raw = raw.reshape(rows, cols // fmt.block_values, fmt.block_bytes)
        return _DECODERS[type_id](raw)
    if not np.isfinite(out).all():
        raise ValueError("a weight is not finite")
    return out.reshape(rows, cols)


def values(weights, row):
    """One row as f32 (the token embedding)."""
    if isinstance(weights, np.ndarray):
        return weights[row].copy()
    w = weights.w[row].astype(F32)
    if weights.sub is not None:
        scale = weights.s[row][:, None] * weights.sub[row].astype(F32)
        v = np.repeat(scale, 16, axis=1) * w
    else:
        v = weights.s[row][:, None] * w
        if weights.m is not None:
            v = v + weights.m[row][:, None]
    return v.reshape(-1)
