"""Hostile JSON, read as spec/receipt.md section 1 wants it: canonical form, and values of stated types."""

import json
import re
import struct

from .jcs import canonical

BYTES_MAX = 2**28
DEPTH_MAX = 32
VALUES_MAX = 2**24
EXACT_MAX = 2**53
U64_MAX = 2**64 - 1


class BadForm(ValueError):
    """What is wrong with the bytes or with a value."""


def _object(pairs):
    out = dict(pairs)
    if len(out) != len(pairs):
        raise BadForm("a member occurs twice")
    if any("\0" in k for k in out):
        raise BadForm("U+0000 in the name of a member")
    return out


def _refuse(word):
    raise BadForm(f"{word} is not JSON")


def _whole_number(digits):
    """JSON's numbers are binary64: 590295810358705700000 is 2^69."""
    value = float(digits)
    return int(value) if abs(value) <= EXACT_MAX else value


def loads(raw):
    """Any JSON, but no duplicate members, no NaN, and nothing but UTF-8."""
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse,
                          parse_int=_whole_number)
    except (ValueError, RecursionError) as e:
        raise BadForm(str(e)) from e


def _measure(value):
    """Nesting and number of values, one level of the document after the other."""
    level, depth, n = [value], 0, 0
    while level:
        n += len(level)
        containers = [v for v in level if isinstance(v, (dict, list))]
        depth += bool(containers)
        if depth > DEPTH_MAX or n > VALUES_MAX:
            raise BadForm("too deep, or too many values")
        level = [x for v in containers for x in (v.values() if isinstance(v, dict) else v)]


def parse(raw):
    """The value of a canonical document."""
    if len(raw) > BYTES_MAX:
        raise BadForm("too long")
    value = loads(raw)
    _measure(value)
    try:
        same = canonical(value) == raw
    except UnicodeError as e:
        raise BadForm("half of a surrogate pair") from e
    if not same:
        raise BadForm("not in canonical form")
    return value


def members(value, *names):
    """The values of an object that has exactly these members."""
    if not isinstance(value, dict) or set(value) != set(names):
        raise BadForm(f"not an object of {', '.join(names)}")
    return [value[n] for n in names]


def array(value, low, high):
    if not isinstance(value, list) or not low <= len(value) <= high:
        raise BadForm(f"not an array of {low} to {high} values")
    return value


def text(value, low=0, high=2**26):
    if not isinstance(value, str) or not low <= len(value.encode("utf-8", "surrogatepass")) <= high:
        raise BadForm(f"not a string of {low} to {high} bytes")
    return value


def name(value, low=0, high=256):
    if re.search("[\0-\x1f\x7f]", text(value, low, high)):
        raise BadForm("a control character in a name")
    return value


def hexadecimal(value, low, high=None):
    """Bytes, as many as stated, in lower case."""
    if not isinstance(value, str) or not re.fullmatch("(?:[0-9a-f]{2})*", value):
        raise BadForm("not hex")
    if not low <= len(value) // 2 <= (low if high is None else high):
        raise BadForm("hex of another length")
    return bytes.fromhex(value)


def decimal(value, low=0, high=U64_MAX):
    if not isinstance(value, str) or not re.fullmatch("0|[1-9][0-9]{0,19}", value):
        raise BadForm("not a decimal string")
    if not low <= int(value) <= high:
        raise BadForm(f"not from {low} to {high}")
    return int(value)


def integer(value, low, high):
    if type(value) is not int or not low <= value <= high:
        raise BadForm(f"not an integer from {low} to {high}")
    return value


def real(value, low, high):
    """A finite binary32 value; one that JCS writes as an integer, below 10^21, is at most 2^53."""
    if type(value) not in (int, float) or EXACT_MAX < abs(value) < 1e21:
        raise BadForm("not a number, or an integer beyond 2^53")
    try:
        exact = struct.unpack("<f", struct.pack("<f", value))[0] == value
    except OverflowError:
        exact = False
    if not exact or not low <= value <= high:
        raise BadForm(f"not a binary32 value from {low} to {high}")
    return value


def ascending(values):
    if any(a >= b for a, b in zip(values, values[1:])):
        raise BadForm("not in strictly ascending order")
    return values


def _scalars(value):
    """Every value inside that holds no others."""
    pending = [value]
    while pending:
        v = pending.pop()
        if isinstance(v, (dict, list)):
            pending.extend(v.values() if isinstance(v, dict) else v)
        else:
            yield v


def only_integers(value):
    """Refuses a number that is not an integer of magnitude at most 2^53, anywhere inside."""
    for v in _scalars(value):
        if isinstance(v, float):
            raise BadForm("a number that is not an integer")
        if type(v) is int:
            integer(v, -EXACT_MAX, EXACT_MAX)


def binary64(value):
    """Refuses a number that is written as an integer beyond 2^53, anywhere inside."""
    if any(type(v) in (int, float) and EXACT_MAX < abs(v) < 1e21 for v in _scalars(value)):
        raise BadForm("an integer beyond 2^53")
