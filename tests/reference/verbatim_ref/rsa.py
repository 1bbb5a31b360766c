"""RSASSA-PKCS1-v1_5 with SHA-512 (RFC 8017), and the RSA key of an X.509 certificate."""

import hashlib

OID_RSA = bytes.fromhex("2a864886f70d010101")
_DIGEST_INFO = bytes.fromhex("3051300d060960864801650304020305000440")

INTEGER, BIT_STRING, OID, SEQUENCE, VERSION = 0x02, 0x03, 0x06, 0x30, 0xA0


class Malformed(ValueError):
    """Not the DER that was expected."""


def _take(data, at):
    """(tag, content, the offset after the value)."""
    if at + 2 > len(data):
        raise Malformed("a value is missing")
    tag, n, at = data[at], data[at + 1], at + 2
    if n >= 0x80:
        size = data[at : at + n - 0x80]
        at += n - 0x80
        n = int.from_bytes(size, "big")
        if not size or at > len(data) or size[0] == 0 or n < 0x80:
            raise Malformed("a length is not in its shortest form")
    if at + n > len(data):
        raise Malformed("a length goes past the end")
    return tag, data[at : at + n], at + n


def _sequence(data, *tags):
    """The contents of data's values; the first ones have these tags."""
    out, at = [], 0
    while at < len(data):
        tag, content, at = _take(data, at)
        if len(out) < len(tags) and tag != tags[len(out)]:
            raise Malformed(f"tag {tag:#x} where {tags[len(out)]:#x} is expected")
        out.append(content)
    if len(out) < len(tags):
        raise Malformed("a sequence ends early")
    return out


def _one(data):
    """The content of the one sequence that data is."""
    tag, content, end = _take(data, 0)
    if tag != SEQUENCE or end != len(data):
        raise Malformed("not exactly one sequence")
    return content


def _positive(content):
    if not content or content[0] >= 0x80 or (len(content) > 1 and content[0] == 0 and content[1] < 0x80):
        raise Malformed("an integer is negative or has a leading zero")
    return int.from_bytes(content, "big")


def certificate_key(der):
    """(n, e) of a certificate's RSA key."""
    body = _sequence(_one(der), SEQUENCE, SEQUENCE, BIT_STRING)[0]
    first = 1 if body[:1] == bytes([VERSION]) else 0
    tags = [VERSION] * first + [INTEGER] + [SEQUENCE] * 5
    algorithm, key = _sequence(_sequence(body, *tags)[first + 5], SEQUENCE, BIT_STRING)
    if _sequence(algorithm, OID)[0] != OID_RSA or key[:1] != b"\0":
        raise Malformed("not an RSA key")
    n, e = _sequence(_one(key[1:]), INTEGER, INTEGER)[:2]
    return _positive(n), _positive(e)


def _encoded(message, size):
    tail = b"\0" + _DIGEST_INFO + hashlib.sha512(message).digest()
    return b"\0\1" + b"\xff" * (size - 2 - len(tail)) + tail


def verify_sha512(key, message, signature):
    n, e = key
    size = (n.bit_length() + 7) // 8
    s = int.from_bytes(signature, "big")
    if len(signature) != size or s >= n:
        return False
    return pow(s, e, n).to_bytes(size, "big") == _encoded(message, size)


# What makes test vectors; a verifier has no use for it.


def der(tag, *contents):
    content = b"".join(contents)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 + len(size)]) + size + content


def der_integer(n):
    return der(INTEGER, n.to_bytes(n.bit_length() // 8 + 1, "big"))


def sign_sha512(n, d, message):
    size = (n.bit_length() + 7) // 8
    return pow(int.from_bytes(_encoded(message, size), "big"), d, n).to_bytes(size, "big")
