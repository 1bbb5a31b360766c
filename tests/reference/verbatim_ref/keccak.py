"""Keccak-256 with the original padding (0x01), as Ethereum and Theta use it."""

_MASK = (1 << 64) - 1
_RATE = 136


def _round_constants():
    """From the linear feedback shift register of FIPS 202, section 3.2.5."""
    out, state = [], 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            if state & 1:
                constant |= 1 << (1 << j) - 1
            state <<= 1
            if state & 0x100:
                state ^= 0x171
        out.append(constant)
    return out


_CONSTANTS = _round_constants()


def _rotate(v, n):
    n %= 64
    return (v << n | v >> 64 - n) & _MASK if n else v


def _permute(a):
    """a[x][y]: FIPS 202 section 3.2, step after step."""
    for constant in _CONSTANTS:
        c = [col[0] ^ col[1] ^ col[2] ^ col[3] ^ col[4] for col in a]
        d = [c[x - 1] ^ _rotate(c[(x + 1) % 5], 1) for x in range(5)]
        a = [[v ^ d[x] for v in a[x]] for x in range(5)]
        x, y, moved = 1, 0, a[1][0]
        for t in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            a[x][y], moved = _rotate(moved, (t + 1) * (t + 2) // 2), a[x][y]
        a = [[a[x][y] ^ ~a[(x + 1) % 5][y] & a[(x + 2) % 5][y] for y in range(5)] for x in range(5)]
        a[0][0] ^= constant
    return a


def keccak256(data):
    padded = bytearray(data) + bytes(_RATE - len(data) % _RATE)
    padded[len(data)] ^= 0x01
    padded[-1] ^= 0x80
    a = [[0] * 5 for _ in range(5)]
    for start in range(0, len(padded), _RATE):
        for i in range(_RATE // 8):
            word = padded[start + 8 * i : start + 8 * i + 8]
            a[i % 5][i // 5] ^= int.from_bytes(word, "little")
        a = _permute(a)
    return b"".join(a[i][0].to_bytes(8, "little") for i in range(4))
