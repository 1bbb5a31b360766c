"""BLS signatures over BLS12-381 as drand's chains have them (spec/beacons.md section 3): pairing,
hash_to_curve of RFC 9380, compressed points. Affine coordinates and Python's integers: slow and plain."""

import functools
import hashlib
import operator

from . import bls12381_iso as iso

P = 0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB
R = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
X = 0xD201000000010000  # the curve's parameter is -X

DST_G1 = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
DST_G2 = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_"


class Fp:
    """The prime field."""

    __slots__ = ("n",)
    parts = 1

    def __init__(self, n):
        self.n = n % P

    def __add__(self, o):
        return Fp(self.n + o.n)

    def __sub__(self, o):
        return Fp(self.n - o.n)

    def __mul__(self, o):
        return Fp(self.n * o.n)

    def __neg__(self):
        return Fp(-self.n)

    def __eq__(self, o):
        return self.n == o.n

    def __bool__(self):
        return self.n != 0

    def inverse(self):
        """0 for 0, as RFC 9380's inv0."""
        return Fp(pow(self.n, -1, P) if self.n else 0)

    def sqrt(self):
        """A root, or None."""
        root = Fp(pow(self.n, (P + 1) // 4, P))
        return root if root * root == self else None

    def sign(self):
        """sgn0 of RFC 9380 section 4.1."""
        return self.n & 1

    def larger(self):
        """Whether this is the larger of itself and its negative: the sign bit of compressed points."""
        return self.n > (P - 1) // 2

    def coefficients(self):
        """The highest first, as compressed points have them."""
        return [self.n]

    @staticmethod
    def of(values):
        return Fp(values[0])


class Fp2:
    """a + b u, u^2 = -1."""

    __slots__ = ("a", "b")
    parts = 2

    def __init__(self, a, b=0):
        self.a, self.b = a % P, b % P

    def __add__(self, o):
        return Fp2(self.a + o.a, self.b + o.b)

    def __sub__(self, o):
        return Fp2(self.a - o.a, self.b - o.b)

    def __mul__(self, o):
        return Fp2(self.a * o.a - self.b * o.b, self.a * o.b + self.b * o.a)

    def __neg__(self):
        return Fp2(-self.a, -self.b)

    def __eq__(self, o):
        return self.a == o.a and self.b == o.b

    def __bool__(self):
        return self.a != 0 or self.b != 0

    def inverse(self):
        norm = Fp(self.a * self.a + self.b * self.b).inverse().n
        return Fp2(self.a * norm, -self.b * norm)

    def sqrt(self):
        """Roots of x + y u come from the root n of the norm x^2 + y^2: a^2 = (x + n) / 2 for one sign of n."""
        norm = Fp(self.a * self.a + self.b * self.b).sqrt()
        if norm is None:
            return None
        for n in (norm.n, -norm.n):
            a = Fp((self.a + n) * (P + 1) // 2).sqrt()
            if a is None:
                continue
            b = Fp(self.b) * Fp(2 * a.n).inverse() if a else Fp(-self.a).sqrt()
            root = Fp2(a.n, b.n) if b is not None else None
            if root is not None and root * root == self:
                return root
        return None

    def sign(self):
        return self.a & 1 if self.a else self.b & 1

    def larger(self):
        return Fp(self.b if self.b else self.a).larger()

    def coefficients(self):
        return [self.b, self.a]

    @staticmethod
    def of(values):
        return Fp2(values[1], values[0])


# Points are (x, y); the point at infinity is None. y^2 = x^3 + 4 and its twist y^2 = x^3 + 4 (1 + u).
CURVE_B = {Fp: Fp(4), Fp2: Fp2(4, 4)}
G1 = (Fp(0x17F1D3A73197D7942695638C4FA9AC0FC3688C4F9774B905A14E3A3F171BAC586C55E83FF97A1AEFFB3AF00ADB22C6BB),
      Fp(0x08B3F481E3AAA0F1A09E30ED741D8AE4FCF5E095D5D00AF600DB18CB2C04B3EDD03CC744A2888AE40CAA232946C5E7E1))
G2 = (Fp2(0x024AA2B2F08F0A91260805272DC51051C6E47AD4FA403B02B4510B647AE3D1770BAC0326A805BBEFD48056C8C121BDB8,
          0x13E02B6052719F607DACD3A088274F65596BD0D09920B61AB5DA61BBDC7F5049334CF11213945D57E5AC7D055D042B7E),
      Fp2(0x0CE5D527727D6E118CC9CDC6DA2E351AADFD9BAA8CBDD3A76D429A695160D12C923AC9CC3BACA289E193548608B82801,
          0x0606C4A02EA734CC32ACD2B02BC28B99CB3E287E85A763AF267492AB572E99AB3F370D275CEC1DA1AAA9075FF05F79BE))


def _slope(p, q, curve_a=None):
    """Of the line through p and q (the tangent when they are equal); None when it is vertical."""
    if p[0] == q[0]:
        if p[1] != q[1] or not p[1]:
            return None
        x2 = p[0] * p[0]
        top = x2 + x2 + x2 if curve_a is None else x2 + x2 + x2 + curve_a
        return top * (p[1] + p[1]).inverse()
    return (q[1] - p[1]) * (q[0] - p[0]).inverse()


def add(p, q, curve_a=None):
    if p is None or q is None:
        return q if p is None else p
    slope = _slope(p, q, curve_a)
    if slope is None:
        return None
    x = slope * slope - p[0] - q[0]
    return x, slope * (p[0] - x) - p[1]


def multiply(k, p):
    out = None
    for bit in bin(k)[2:]:
        out = add(out, out)
        if bit == "1":
            out = add(out, p)
    return out


def on_curve(p):
    return p[1] * p[1] == p[0] * p[0] * p[0] + CURVE_B[type(p[0])]


# Compressed points: bit 7 of the first byte: compressed, bit 6: infinity, bit 5: the larger y.


def compress(p):
    raw = bytearray(b"".join(c.to_bytes(48, "big") for c in p[0].coefficients()))
    raw[0] |= 0x80 | (0x20 if p[1].larger() else 0)
    return bytes(raw)


@functools.lru_cache(256)
def decompress(raw, field):
    """A point of the subgroup of order r that is not the identity, or None."""
    if len(raw) != 48 * field.parts or raw[0] & 0xC0 != 0x80:
        return None
    values = [int.from_bytes(raw[i : i + 48], "big") for i in range(0, len(raw), 48)]
    values[0] &= (1 << 381) - 1
    if any(v >= P for v in values):
        return None
    x = field.of(values)
    y = (x * x * x + CURVE_B[field]).sqrt()
    if y is None:
        return None
    point = (x, y if y.larger() == bool(raw[0] & 0x20) else -y)
    return point if multiply(R, point) is None else None


# RFC 9380: hash_to_curve.


def expand_message_xmd(message, dst, n):
    """Section 5.3.1, SHA-256, for a tag of at most 255 bytes."""
    tag = dst + bytes([len(dst)])
    b0 = hashlib.sha256(bytes(64) + message + n.to_bytes(2, "big") + b"\0" + tag).digest()
    block, out = bytes(32), b""
    for i in range(1, (n + 31) // 32 + 1):
        block = hashlib.sha256(bytes(map(operator.xor, b0, block)) + bytes([i]) + tag).digest()
        out += block
    return out[:n]


class _Suite:
    """Section 8.8: the curve of the map, its Z, the isogeny and the cofactor."""

    def __init__(self, a, b, z, isogeny, h_eff):
        self.a, self.b, self.z, self.isogeny, self.h_eff = a, b, z, isogeny, h_eff


_SUITES = {
    Fp: _Suite(
        Fp(0x144698A3B8E9433D693A02C96D4982B0EA985383EE66A8D8E8981AEFD881AC98936F8DA0E0F97F5CF428082D584C1D),
        Fp(0x12E2908D11688030018B12E8753EEE3B2016C1F0F24F4070A0B9C14FCEF35EF55A23215A316CEAA5D1CC48E98E172BE0),
        Fp(11),
        [[Fp(c) for c in t] for t in (iso.G1_X_NUM, iso.G1_X_DEN, iso.G1_Y_NUM, iso.G1_Y_DEN)],
        X + 1),
    Fp2: _Suite(
        Fp2(0, 240), Fp2(1012, 1012), Fp2(-2, -1),
        [[Fp2(*c) for c in t] for t in (iso.G2_X_NUM, iso.G2_X_DEN, iso.G2_Y_NUM, iso.G2_Y_DEN)],
        int("bc69f08f2ee75b3584c6a0ea91b352888e2a8e9145ad7689986ff031508ffe1329c2f178731db956d82bf015d1212b02"
            "ec0ec69d7477c1ae954cbc06689f6a359894c0adebbf6b4e8020005aaa95551", 16)),
}


def _map_sswu(u, s):
    """Section 6.6.2, as it is defined, not as it is made fast."""
    one = type(u)(1)
    zu2 = s.z * u * u
    t = (zu2 * zu2 + zu2).inverse()
    x = -s.b * s.a.inverse() * (one + t) if t else s.b * (s.z * s.a).inverse()
    y = (x * x * x + s.a * x + s.b).sqrt()
    if y is None:
        x = zu2 * x
        y = (x * x * x + s.a * x + s.b).sqrt()
    return x, y if y.sign() == u.sign() else -y


def _horner(coefficients, x):
    out = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        out = out * x + c
    return out


def _map_isogeny(p, s):
    if p is None:
        return None
    x_num, x_den, y_num, y_den = (_horner(c, p[0]) for c in s.isogeny)
    if not x_den or not y_den:
        return None
    return x_num * x_den.inverse(), p[1] * y_num * y_den.inverse()


def hash_to_curve(message, dst, field):
    raw = expand_message_xmd(message, dst, 128 * field.parts)
    v = [int.from_bytes(raw[i : i + 64], "big") for i in range(0, len(raw), 64)]
    s = _SUITES[field]
    u = [Fp(v[0]), Fp(v[1])] if field is Fp else [Fp2(v[0], v[1]), Fp2(v[2], v[3])]
    q = add(_map_sswu(u[0], s), _map_sswu(u[1], s), s.a)
    return multiply(s.h_eff, _map_isogeny(q, s))


# The pairing. Fp12 is Fp2[w] / (w^6 - (1 + u)), as six pairs of integers, the constant first.


def _mul12(f, g):
    re, im = [0] * 11, [0] * 11
    for i, (a, b) in enumerate(f):
        if a == 0 and b == 0:
            continue
        for j, (c, d) in enumerate(g):
            re[i + j] += a * c - b * d
            im[i + j] += a * d + b * c
    for i in range(10, 5, -1):  # w^6 = 1 + u
        re[i - 6] += re[i] - im[i]
        im[i - 6] += re[i] + im[i]
    return [(re[i] % P, im[i] % P) for i in range(6)]


def _line(t, q, p):
    """The line through t and q of the twist at the point p of G1. A point (x, y) of the twist stands for
    (x / w^2, y / w^3); the line times w^3, a factor that the final exponentiation removes, is
    (slope x - y) - slope x_p w^2 + y_p w^3."""
    slope = _slope(t, q)
    zero, c, x = (0, 0), slope * t[0] - t[1], -slope * Fp2(p[0].n)
    return [(c.a, c.b), zero, (x.a, x.b), (p[1].n, 0), zero, zero]


def _miller(p, q, f):
    """f times the Miller function of p in G1, q in G2, for the loop count X. The parameter's sign inverts
    the value, which for a product that shall be 1 means nothing."""
    t, g = q, [(1, 0)] + [(0, 0)] * 5
    for bit in bin(X)[3:]:
        g, t = _mul12(_mul12(g, g), _line(t, t, p)), add(t, t)
        if bit == "1":
            g, t = _mul12(g, _line(t, q, p)), add(t, q)
    return _mul12(f, g)


# w^(p^2) is w times (1 + u)^((p^2 - 1) / 6), and (1 + u)^(p + 1) is the norm of 1 + u, 2.
_FROBENIUS = pow(2, (P - 1) // 6, P)


def _power_p2(f):
    return [(a * pow(_FROBENIUS, i, P) % P, b * pow(_FROBENIUS, i, P) % P) for i, (a, b) in enumerate(f)]


def pairing_product_is_one(pairs):
    """f^((p^12 - 1) / r) = 1 if and only if g = f^((p^6 + 1) / r) has g^(p^6 - 1) = 1, that is, lies in
    Fp6: its odd coefficients are zero. p^6 + 1 is (p^2 + 1) (p^4 - p^2 + 1)."""
    f = [(1, 0)] + [(0, 0)] * 5
    for p, q in pairs:
        f = _miller(p, q, f)
    f = _mul12(_power_p2(f), f)
    g = [(1, 0)] + [(0, 0)] * 5
    for bit in bin((P**4 - P**2 + 1) // R)[2:]:
        g = _mul12(g, g)
        if bit == "1":
            g = _mul12(g, f)
    return all(c == (0, 0) for c in g[1::2])


def _negative(p):
    return p[0], -p[1]


@functools.lru_cache(1024)
def verify_g1(key, message, signature):
    """Key in G2 (96 bytes), signature in G1 (48 bytes)."""
    k, s = decompress(key, Fp2), decompress(signature, Fp)
    if k is None or s is None:
        return False
    h = hash_to_curve(message, DST_G1, Fp)
    return pairing_product_is_one([(h, k), (_negative(s), G2)])


@functools.lru_cache(1024)
def verify_g2(key, message, signature):
    """Key in G1 (48 bytes), signature in G2 (96 bytes)."""
    k, s = decompress(key, Fp), decompress(signature, Fp2)
    if k is None or s is None:
        return False
    h = hash_to_curve(message, DST_G2, Fp2)
    return pairing_product_is_one([(k, h), (_negative(G1), s)])


# What makes test vectors; a verifier has no use for it.


def public_key(secret, field):
    return compress(multiply(secret, G1 if field is Fp else G2))


def sign(secret, message, field):
    """The signature is in G1 for Fp, in G2 for Fp2."""
    return compress(multiply(secret, hash_to_curve(message, DST_G1 if field is Fp else DST_G2, field)))
