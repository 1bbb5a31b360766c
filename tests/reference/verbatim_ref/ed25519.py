"""Ed25519 (RFC 8032), plain and slow: verification as spec/receipt.md section 2.3 wants it, and signing for tests."""

import hashlib

_P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_SQRT_M1 = pow(2, (_P - 1) // 4, _P)


def add(a, b):
    """Extended coordinates (X, Y, Z, T)."""
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % _P, (a[1] + a[0]) * (b[1] + b[0]) % _P
    g, h = 2 * a[3] * b[3] * _D % _P, 2 * a[2] * b[2] % _P
    x, t, z, y = f - e, h - g, h + g, f + e
    return x * t % _P, z * y % _P, t * z % _P, x * y % _P


def multiply(k, point):
    out = (0, 1, 1, 0)
    while k:
        if k & 1:
            out = add(out, point)
        point, k = add(point, point), k >> 1
    return out


def decode(raw):
    """A compressed point, or None."""
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= _P:
        return None
    x2 = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(x2, (_P + 3) // 8, _P)
    if (x * x - x2) % _P:
        x = x * _SQRT_M1 % _P
    if (x * x - x2) % _P or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return x, y, 1, x * y % _P


BASE = decode((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))


def _is_identity(point):
    return point[0] == 0 and point[1] == point[2]


def challenge(big_r, public, message):
    return int.from_bytes(hashlib.sha512(big_r + public + message).digest(), "little") % L


def verify(public, message, signature):
    a, r = decode(public), decode(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if len(public) != 32 or len(signature) != 64 or a is None or r is None or s >= L:
        return False
    if _is_identity(multiply(8, a)):  # a key of small order
        return False
    h = challenge(signature[:32], public, message)
    left, right = multiply(s, BASE), add(r, multiply(h, a))
    return (left[0] * right[2] - right[0] * left[2]) % _P == 0 and \
        (left[1] * right[2] - right[1] * left[2]) % _P == 0


# What makes test vectors; a verifier has no use for it.


def encode(point):
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def secret_scalar(seed):
    """(a, prefix) of RFC 8032 section 5.1.5."""
    h = hashlib.sha512(seed).digest()
    a = int.from_bytes(h[:32], "little") & (1 << 254) - 8 | 1 << 254
    return a, h[32:]


def public_key(seed):
    return encode(multiply(secret_scalar(seed)[0], BASE))


def sign(seed, message):
    a, prefix = secret_scalar(seed)
    public = public_key(seed)
    r = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % L
    big_r = encode(multiply(r, BASE))
    k = challenge(big_r, public, message)
    return big_r + ((r + k * a) % L).to_bytes(32, "little")
