"""Receipts with a constraint. To a reader any object is one that keeps to section 1: which texts it accepts,
and whether it is a constraint of spec/constraints.md at all, is for who replays the answer."""

from receipts import case, changed, draft, output, private, prompt_template, prompt_text, seal, seal_signature
from verbatim_ref.strict import canonical

GOOD = "VERIFIED"
BAD = "UNVERIFIABLE", "unreadable"
AT = ("request", "constraint")
BYTES_MAX = 2**18
DEPTH_MAX = 30  # the receipt and its request stand around it

OBJECT = {"type": "json_object"}
CHOICE = {"type": "choice", "texts": ["yes", "no", "\u20ac \U0001f600 \0\x1f\x7f\"\\"]}
SCHEMA = {
    "type": "json_schema",
    "schema": {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 40}, "age": {"type": "integer"}, "": True},
        "required": ["name"],
        "additionalProperties": False,
    },
}


def _held(constraint, base=None):
    return seal(changed(base or draft(), (AT, constraint)))


def _enum(*values):
    return {"type": "json_schema", "schema": {"enum": list(values)}}


def _forms(world):
    for constraint in (OBJECT, SCHEMA, CHOICE):
        name = constraint["type"]
        yield case(f"form: {name}", _held(constraint), GOOD)
        yield case(f"form: {name}, with a beacon", _held(constraint, draft("local", world.local)), GOOD)
    two = changed(
        draft(),
        (("outputs",), [output([10, 11, 12], "yes"), output([10, 2], "no", "stop")]),
        (("request", "choices"), 2),
        (("usage", "completion_tokens"), 5),
    )
    yield case("form: choice, two outputs", _held(CHOICE, two), GOOD)
    for prompt in (prompt_text(), prompt_template()):
        r = changed(draft(), (("prompt",), private(prompt)))
        yield case(f"form: json_schema, private {prompt['kind']}", _held(SCHEMA, r), "UNVERIFIABLE", "missing-prompt")


def _other_objects():
    """They are read; only a replay finds that nothing can be drawn under them."""
    for name, constraint in (
        ("empty", {}),
        ("of a type that nobody knows", {"pattern": "a*", "type": "regex"}),
        ("of a type that is null", {"type": None}),
        ("without its schema", {"type": "json_schema"}),
        ("with a keyword that is not supported", {"type": "json_schema", "schema": {"pattern": "a"}}),
        ("that no text satisfies", {"type": "json_schema", "schema": False}),
        ("of no texts", {"type": "choice", "texts": []}),
        ("with a member more", {**OBJECT, "strict": True}),
    ):
        yield case(f"object: {name}", _held(constraint), GOOD)


def _nested(depth):
    value = {}
    for i in range(depth - 1):
        value = [value] if i % 2 else {"a": value}
    return {"a": value} if isinstance(value, list) else value


def _long(n_bytes):
    """So long in canonical form, and by two characters less."""
    empty = canonical({"texts": ["\u20ac"]})
    return {"texts": ["\u20ac" + "x" * (n_bytes - len(empty))]}


def _sizes():
    for depth in (DEPTH_MAX - 1, DEPTH_MAX):
        yield case(f"size: nested {depth} deep", _held(_nested(depth)), GOOD)
    yield case(f"size: nested {DEPTH_MAX + 1} deep", _held(_nested(DEPTH_MAX + 1)), *BAD)
    yield case(f"size: {BYTES_MAX} bytes", _held(_long(BYTES_MAX)), GOOD)
    yield case(f"size: {BYTES_MAX + 1} bytes", _held(_long(BYTES_MAX + 1)), *BAD)


def _numbers():
    for v in (0, -1, 2**53, -(2**53), 0.1, -1.5, 5e-324, 1e-7, 1.7976931348623157e308, 1e21, -1e21):
        yield case(f"number: {v!r}", _held(_enum(v)), GOOD)
    # Canonical all the same: JCS writes them without an exponent.
    for v in (2.0**53 + 2, -(2.0**53) - 2, 1e20):
        yield case(f"number: an integer in digits, {v:.0f}", _held(_enum(v)), *BAD)


def _types():
    for v in (True, False, 0, 1.5, "", "json_object", [], [OBJECT]):
        yield case(f"type: {v!r}", _held(v), *BAD)


def _once(text, old, new):
    assert text.count(old) == 1, old
    return text.replace(old, new)


def _spellings():
    """The same value in other bytes, and names and strings that JSON may not have."""
    names = _held({"\U0001f600": [1, 10], "\ufb33": "ab"})
    yield case("bytes: members in the order of UTF-16", names, GOOD)
    text = canonical(names).decode()
    for name, old, new in (
        ("members in the order of code points", '"\U0001f600":[1,10],"\ufb33":"ab"', '"\ufb33":"ab","\U0001f600":[1,10]'),
        ("a member twice", '"\ufb33":"ab"', '"\ufb33":"ab","\ufb33":"ab"'),
        ("white space", "[1,10]", "[1, 10]"),
        ("1.0", "[1,10]", "[1.0,10]"),
        ("1e1", "[1,10]", "[1,1e1]"),
        ("01", "[1,10]", "[01,10]"),
        ("-0", "[1,10]", "[-0,10]"),
        ("-0.0", "[1,10]", "[-0.0,10]"),
        ("more digits than the value needs", "[1,10]", "[0.10000000000000001,10]"),
        ("a number that is too great", "[1,10]", "[1e400,10]"),
        ("a number that is too small", "[1,10]", "[1e-400,10]"),
        ("an integer that is no binary64", "[1,10]", "[9007199254740993,10]"),
        ("NaN", "[1,10]", "[NaN,10]"),
        ("Infinity", "[1,10]", "[Infinity,10]"),
        ("an escape that is not needed", '"ab"', '"\\u0061b"'),
        ("half of a surrogate pair", '"ab"', '"\\ud800"'),
        ("half of a surrogate pair in a name", '"\ufb33":"ab"', '"\\udc00":"ab"'),
    ):
        yield case(f"bytes: {name}", _once(text, old, new), *BAD)
    yield case("bytes: U+0000 in a string", _held({"a": "\0"}), GOOD)
    yield case("bytes: U+0000 in a name", _held({"a\0b": 1}), *BAD)
    yield case("bytes: a control character in a name", _held({"a\nb": 1}), GOOD)


def _forgeries(world):
    """C is a digest of the constraint too."""
    held, free = _held(CHOICE), seal(draft())
    for name, r, constraint in (
        ("changed", held, {**CHOICE, "texts": ["yes", "No"]}),
        ("dropped", held, None),
        ("put in", free, CHOICE),
    ):
        forged = changed(r, (AT, constraint))
        yield case(f"forgery: {name} after signing", forged, "REFUTED", "signature")
        seal_signature(forged)
        yield case(f"forgery: {name} after the commitment", forged, "REFUTED", "commitment")
    r = _held(CHOICE, draft("local", world.local))
    other = _held(OBJECT, draft("local", world.local))
    spliced = changed(other, (("outputs",), r["outputs"]))
    seal_signature(spliced)
    yield case("forgery: outputs drawn under another constraint", spliced, "REFUTED", "seed")


def cases(world):
    for part in (
        _forms(world),
        _other_objects(),
        _sizes(),
        _numbers(),
        _types(),
        _spellings(),
        _forgeries(world),
    ):
        yield from part
