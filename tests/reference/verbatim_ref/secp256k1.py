"""The address that made a secp256k1 signature (SEC 1, section 4.1.6)."""

from .keccak import keccak256

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)


def _add(p, q):
    if p is None or q is None:
        return q if p is None else p
    if p[0] == q[0]:
        if (p[1] + q[1]) % P == 0:
            return None
        slope = 3 * p[0] * p[0] * pow(2 * p[1], -1, P)
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, P)
    x = (slope * slope - p[0] - q[0]) % P
    return x, (slope * (p[0] - x) - p[1]) % P


def _multiply(k, p):
    out = None
    while k:
        if k & 1:
            out = _add(out, p)
        p, k = _add(p, p), k >> 1
    return out


def _address(point):
    return keccak256(point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big"))[12:]


def recover(digest, signature):
    """The 20 bytes of the address, or None. signature is r | s | v, v 0 or 1."""
    if len(signature) != 65:
        return None
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    v = signature[64]
    if v > 1 or not 0 < r < N or not 0 < s < N:
        return None
    y2 = (r**3 + 7) % P
    y = pow(y2, (P + 1) // 4, P)
    if y * y % P != y2:
        return None
    if y & 1 != v:
        y = P - y
    inverse, z = pow(r, -1, N), int.from_bytes(digest, "big")
    key = _add(_multiply(s * inverse % N, (r, y)), _multiply(-z * inverse % N, G))
    return None if key is None else _address(key)


# What makes test vectors; a verifier has no use for it.


def address(secret):
    return _address(_multiply(secret, G))


def sign(secret, digest, k):
    """k is the nonce, which only a test may choose. s is the lower of its two values."""
    point = _multiply(k, G)
    r, v = point[0] % N, point[1] & 1
    s = pow(k, -1, N) * (int.from_bytes(digest, "big") + r * secret) % N
    if s > N // 2:
        s, v = N - s, v ^ 1
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v])
