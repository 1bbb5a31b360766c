"""Recursive length prefix (Ethereum's yellow paper, appendix B): writing, and reading strictly."""


class Malformed(ValueError):
    """Not canonical RLP."""


def integer(n):
    """The string of an integer: big-endian, without leading zeros; none for 0."""
    return n.to_bytes((n.bit_length() + 7) // 8, "big")


def _prefixed(base, payload):
    if len(payload) < 56:
        return bytes([base + len(payload)]) + payload
    size = integer(len(payload))
    return bytes([base + 55 + len(size)]) + size + payload


def encode(value):
    """bytes are a string, int its string, a list a list."""
    if isinstance(value, list):
        return _prefixed(0xC0, b"".join(map(encode, value)))
    raw = integer(value) if isinstance(value, int) else value
    return raw if len(raw) == 1 and raw[0] < 0x80 else _prefixed(0x80, raw)


def _take(data, at):
    """(is_list, payload, the offset after the item)."""
    if at >= len(data):
        raise Malformed("an item is missing")
    first, at = data[at], at + 1
    if first < 0x80:
        return False, bytes([first]), at
    is_list, base = first >= 0xC0, 0xC0 if first >= 0xC0 else 0x80
    n = first - base
    if n > 55:
        size = data[at : at + n - 55]
        at += n - 55
        n = int.from_bytes(size, "big")
        if at > len(data) or size[0] == 0 or n < 56:
            raise Malformed("a length is not in its shortest form")
    if at + n > len(data):
        raise Malformed("a length goes past the end")
    payload = data[at : at + n]
    if not is_list and n == 1 and payload[0] < 0x80:
        raise Malformed("a byte below 0x80 has a prefix")
    return is_list, payload, at + n


def strings(data):
    """The items of data, which is one list of strings and nothing else."""
    is_list, payload, end = _take(data, 0)
    if not is_list or end != len(data):
        raise Malformed("not exactly one list")
    out, at = [], 0
    while at < len(payload):
        nested, item, at = _take(payload, at)
        if nested:
            raise Malformed("an item is a list")
        out.append(item)
    return out


def to_integer(item):
    if item[:1] == b"\0":
        raise Malformed("an integer has a leading zero")
    return int.from_bytes(item, "big")
