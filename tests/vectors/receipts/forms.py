"""Files that are no receipts of format 1: `unreadable`, and here and there `unsupported-format`. Every one
but those whose bytes are no longer a receipt at all is sealed again after the change where it can be, so that
a reader who lets it pass calls it VERIFIED."""

import copy
import itertools
import json
import struct

from receipts import (
    case,
    changed,
    draft,
    output,
    private,
    prompt_chat,
    prompt_template,
    prompt_text,
    prompt_tokens,
    seal,
    seal_signature,
)
from verbatim_ref.strict import canonical

BAD = "UNVERIFIABLE", "unreadable"


def _try_seal(r, path=()):
    """Sealed as far as what is left of it can be, without what the path names."""
    if path[:1] == ("signature",):
        return r
    made_by_seal = path[:1] == ("commitment",) or path[2:] == ("seed",)
    try:
        (seal_signature if made_by_seal else seal)(r)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, IndexError, struct.error):
        pass
    return r


def _reshaped(name, r, path=()):
    return case(name, _try_seal(r, path), *BAD)


def _dotted(path):
    return ".".join(map(str, path)) or "the receipt"


def _objects(value, path=()):
    """Paths of all objects in it, itself included; of an array the first element stands for all."""
    if isinstance(value, dict):
        yield path
        for k in sorted(value):
            yield from _objects(value[k], (*path, k))
    elif isinstance(value, list) and value:
        yield from _objects(value[0], (*path, 0))


def _at(value, path):
    for step in path:
        value = value[step]
    return value


def _base(world):
    """It has every kind of object."""
    r = draft("local", world.local)
    r["prompt"] = prompt_chat("2025-11-22")
    del r["prompt"]["messages"][0]
    return seal(r)


def _members(base):
    for path in _objects(base):
        if path[:2] == ("beacon", "proof"):
            continue
        for member in sorted(_at(base, path)):
            r = copy.deepcopy(base)
            del _at(r, path)[member]
            yield _reshaped(f"without member {_dotted((*path, member))}", r, (*path, member))
        r = copy.deepcopy(base)
        _at(r, path)["extra"] = None
        yield _reshaped(f"with another member in {_dotted(path)}", r, path)


def _other_types(value):
    """Values of the types that this value does not have, as near to it as may be."""
    if isinstance(value, str):
        yield "a number", int(value) % 2**53 if value.isdigit() else 1
    elif isinstance(value, (int, float)):
        yield "a string", str(value)
    elif isinstance(value, list):
        yield "an object", {"0": value[0]} if value else {}
    if value is not None:
        yield "null", None


def _nullable(path):
    return path in (("prompt", "date"), ("request", "beacon", "fallback_from"))


def _leaves(value, path=()):
    if isinstance(value, dict):
        for k in sorted(value):
            yield (*path, k), value[k]
            yield from _leaves(value[k], (*path, k))
    elif isinstance(value, list) and value:
        yield (*path, 0), value[0]
        yield from _leaves(value[0], (*path, 0))


def _types(base):
    for path, value in _leaves(base):
        for name, new in _other_types(value):
            if new is None and _nullable(path):
                continue
            yield _reshaped(f"{_dotted(path)} is {name}", changed(base, (path, new)), path)


_REQUEST = [
    ("arithmetic", "", "a" * 257, "verbatim-arith/1\n", "verbatim-arith/1\x7f"),
    ("prompt_tokens", 0, -1, 2**22 + 1, 2**32 + 4),
    ("max_tokens", 0, -1, 2**22 + 1, 2**32 + 3),
    ("ctx_tokens", 0, 2**22 + 1),
    ("choices", 0, 129, 257),
    ("nonce", "n" * 257, "\u20ac" * 86, "a\tb", "\0"),
    (
        "seed",
        "",
        "-1",
        "+1",
        "01",
        "00",
        "1.0",
        "1e3",
        " 1",
        "1 ",
        "0x1",
        "18446744073709551616",
        "\u0663",
        "\uff11",
        "100000000000000000000",
    ),
    ("issued_at_ms", "", "-1", "00", "253402300800000", "18446744073709551616"),
    ("sequence", "", "0", "-1", "01", "18446744073709551616"),
    ("server_key", "", "03" * 31, "03" * 33, "A" * 64, "0x" + "03" * 31, "0" * 63, "g" * 64, " " * 64),
    ("model_sha256", "ab" * 31, "ab" * 33, "AB" * 32),
    ("prompt_sha256", "ab" * 31, "AB" * 32),
]
_STOP = [
    ("strings", [""], ["s" * 1025], ["\u20ac" * 342], ["s"] * 17, [1], [None]),
    ("tokens", [-1], [1048576], [2, 2], [9, 2], list(range(65)), ["2"], [2**32], [2.5]),
]
_AFTER_100, _AFTER_2 = 100.00000762939453, 2.000000238418579  # the next binary32 values
_SAMPLING = [
    ("temperature", -1, -(2.0**-149), _AFTER_100, 0.8, 0.1, 1e-60, 2.0**-150, 101),
    ("presence_penalty", _AFTER_2, -_AFTER_2, 0.1, 3),
    ("frequency_penalty", _AFTER_2, -_AFTER_2, 0.1),
    ("repetition_penalty", 0, -1, 2.0**-150, 2.0**128, 1.1, 2**53 + 2, 2**24 + 1, 2**53 + 2**30, 2.0**69),
    ("top_k", -1, 2**32, 1.5),
    ("top_p_q32", 0, -1, 2**32 + 1, 0.5),
    ("min_p_q32", -1, 2**32 + 1),
    (
        "logit_bias",
        [[3, 100.00000762939453]],
        [[3, -100.00000762939453]],
        [[3, 0.1]],
        [[3, 1], [3, 2]],
        [[4, 1], [3, 1]],
        [[-1, 1]],
        [[1048576, 1]],
        [[3]],
        [[3, 1, 1]],
        [[]],
        [3, 1],
        [["3", 1]],
        [[3, "1"]],
        [[3, None]],
        [[1.5, 1]],
        [[i, 1] for i in range(1025)],
    ),
]
_ELSEWHERE = [
    (("format",), "", "verbatim.receipt", "verbatim.receipt1", "Verbatim.receipt/1", "verbatim.report/1", "/1"),
    (("id",), "", "i" * 129, "\u20ac" * 43, "a\nb", "\x7f"),
    (("model", "name"), "n" * 257, "\x01"),
    (("model", "architecture"), "", "a" * 257),
    (("model", "file_type"), "", "\t"),
    (("model", "parameters"), "", "-1", "01", "18446744073709551616"),
    (("prompt", "tokens"), [], [-1], [1048576], [1.5], ["1"], [None], [True]),
    (("prompt", "messages"), [], [{}], ["hi"]),
    (("prompt", "messages", 0, "role"), "", "r" * 257, "a\0b"),
    (("prompt", "template_sha256"), "ab" * 31, "AB" * 32, ""),
    (("prompt", "date"), "", "2025-11-2", "25-11-22", "2025-11-222", "2025/11/22", "2025-11-2x", " 2025-11-22"),
    (("commitment", "value"), "ab" * 31, "ab" * 33),
    (("commitment", "signature"), "ab" * 63, "ab" * 65, "AB" * 64),
    (("beacon", "round"), "", "-1", "05", "18446744073709551616"),
    (("beacon", "randomness"), "", "ab" * 31, "ab" * 33, "ab" * 48, "ab" * 63, "ab" * 65, "AB" * 32),
    (("beacon", "proof"), [], "", 1, False),
    (("outputs",), [], {}),
    (("outputs", 0, "tokens"), [], [-1], [1048576], [1.5], ["1"], [10, None]),
    (("outputs", 0, "finish_reason"), "", "Stop", "end", "length ", "content_filter"),
    (("outputs", 0, "seed"), "ab" * 31, "AB" * 32),
    (("outputs", 0, "text_sha256"), "ab" * 33),
    (("outputs", 0, "trace_root"), "ab" * 31, ""),
    (("usage", "prompt_tokens"), -1, 4.5, 2**53 + 2),
    (("usage", "completion_tokens"), -1, 3.5, 2**53 + 2),
    (("engine", "version"), "", "v" * 257),
    (("engine", "tier"), "", "\x1f"),
    (("request", "beacon", "id"), "", "local:" + "a" * 251, "local:\n"),
    (("request", "beacon", "fallback_from"), "", "f" * 257, "drand:\x07"),
    (("request", "beacon", "mode"), None, 1, "", "m" * 16, "new\n"),
    (("prompt", "kind"), None, 1, "", "k" * 16, "\0"),
    (("signature",), "", "ab" * 63, "ab" * 65, "AB" * 64, "0x" + "ab" * 63),
]


def _ranges(base):
    fixed = draft()
    table = [(fixed, ("request", m), values) for m, *values in _REQUEST]
    table += [(fixed, ("request", "stop", m), values) for m, *values in _STOP]
    table += [(fixed, ("request", "sampling", m), values) for m, *values in _SAMPLING]
    table += [
        (base if path[0] in ("prompt", "beacon", "request") else fixed, path, values) for path, *values in _ELSEWHERE
    ]
    for r, path, values in table:
        for i, v in enumerate(values):
            shown = json.dumps(v) if len(json.dumps(v)) < 30 else f"long ({i})"
            yield _reshaped(f"{_dotted(path)} is out of its range: {shown}", changed(r, (path, v)), path)
    many = changed(fixed, (("outputs",), [output([10, 11, 12], "")] * 129), (("usage", "completion_tokens"), 387))
    yield _reshaped("129 outputs", many)


def _mode_shapes(world):
    """The combinations that section 3's table of modes does not have, with a fallback beside a seed only."""
    b = world.local
    for mode, has_id, has_round, has_seed, fallback in itertools.product(
        ("next", "latest", "fixed", "local"), (0, 1), (0, 1), (0, 1), (0, 1)
    ):
        if mode == "fixed" and (has_id, has_round, has_seed, fallback) == (0, 0, 1, 0):
            continue
        if (has_id, has_round, has_seed) == (1, mode == "fixed", 0) or fallback and not has_seed:
            continue
        r = draft("local", b) if has_id else draft()
        r["request"]["beacon"] = {
            "fallback_from": "drand:x" if fallback else None,
            "id": b.id if has_id else None,
            "mode": mode,
            "round": "5" if has_round else None,
        }
        r["request"]["seed"] = "5" if has_seed else None
        has = [
            n
            for n, given in (("an id", has_id), ("a round", has_round), ("a seed", has_seed), ("a fallback", fallback))
            if given
        ]
        yield _reshaped(f"mode {mode} with {', '.join(has) or 'nothing'}", r)
    r = seal(draft("local", b))
    yield _reshaped("a beacon's id without its round", changed(r, (("beacon",), None)))
    for asked in ("", "05", "-1", "18446744073709551616"):
        replay = changed(draft("fixed", b), (("request", "beacon", "round"), asked))
        yield _reshaped(f"mode fixed with round {asked!r}", replay)
    yield _reshaped("a round where no beacon was asked for", {**seal(draft()), "beacon": b.round()})


_TEMPLATE = [
    ("text", {"messages": [{"role": "user"}]}, [], 1),
    ("template_sha256", "", "AB" * 32),
    ("date", "", "2025-11-2", 20251122),
]


def _prompt_shapes():
    """Every form of a prompt with one member as another form has it."""
    other = {
        "tokens": list(prompt_tokens()["tokens"]),
        "text": "t",
        "messages": prompt_chat()["messages"],
        "template_sha256": "ab" * 32,
        "date": "2025-11-22",
    }
    forms = {
        "tokens": prompt_tokens(),
        "text": prompt_text(),
        "chat": prompt_chat(),
        "chat with date": prompt_chat("2025-11-22"),
        "template": prompt_template(),
        "template with date": prompt_template("2025-11-22"),
    }
    forms.update({f"private {k}": private(p) for k, p in forms.items()})
    for name, prompt in forms.items():
        for member, value in other.items():
            has_date = "chat" in name or "template" in name
            if has_date and member == "date" or name.endswith("tokens") and member == "tokens":
                continue
            new = {**prompt, member: value if prompt[member] is None else None}
            yield _reshaped(f"prompt: {name}, with {member} turned over", changed(draft(), (("prompt",), new)))
    for name, kind in itertools.permutations(("tokens", "text", "chat", "template"), 2):
        new = {**forms[name], "kind": kind}
        yield _reshaped(f"prompt: {name}, called {kind}", changed(draft(), (("prompt",), new)))
    for member, *values in _TEMPLATE:
        for v in values:
            new = {**forms["template"], member: v}
            yield _reshaped(f"prompt: template, with {member} {json.dumps(v)}", changed(draft(), (("prompt",), new)))


def _unsupported(base):
    for path, values in (
        (("format",), ("verbatim.receipt/2", "verbatim.receipt/", "verbatim.receipt/10", "verbatim.receipt/01")),
        (("request", "beacon", "mode"), ("Next", "n", "latest ", "n" * 15)),
        (("prompt", "kind"), ("Chat", "Template", "k", "k" * 15)),
    ):
        for v in values:
            yield case(
                f"unsupported: {_dotted(path)} is {json.dumps(v)}",
                _try_seal(changed(base, (path, v))),
                "UNVERIFIABLE",
                "unsupported-format",
            )
    r = changed(base, (("format",), "verbatim.receipt/2"))
    r["new"] = {"of": "version 2"}
    yield case(
        "unsupported: format 2 with members that format 1 does not have", r, "UNVERIFIABLE", "unsupported-format"
    )
    yield case(
        "unsupported: format 2 and nothing else",
        '{"format":"verbatim.receipt/2"}',
        "UNVERIFIABLE",
        "unsupported-format",
    )
    yield case("unsupported: format 2 that is not canonical", '{"format": "verbatim.receipt/2"}', *BAD)


def _once(text, old, new):
    assert text.count(old) >= 1, old
    return text.replace(old, new, 1)


# Another spelling of the same value: (name, what stands there, what is put there).
_SPELLINGS = [
    ("a real for an integer", '"top_k":40', '"top_k":40.0'),
    ("an exponent", '"top_k":40', '"top_k":4e1'),
    ("a capital exponent", '"top_k":40', '"top_k":4E1'),
    ("a leading zero", '"top_k":40', '"top_k":040'),
    ("a plus sign", '"top_k":40', '"top_k":+40'),
    ("a hexadecimal number", '"top_k":40', '"top_k":0x28'),
    ("negative zero", '"min_p_q32":0', '"min_p_q32":-0'),
    ("negative zero, a real", '"presence_penalty":0', '"presence_penalty":-0'),
    ("0.0", '"presence_penalty":0', '"presence_penalty":0.0'),
    ("1.0", '"repetition_penalty":1', '"repetition_penalty":1.0'),
    ("more digits than needed", "0.800000011920929", "0.80000001192092896"),
    ("fewer digits than needed", "0.800000011920929", "0.80000001"),
    ("a trailing zero", "0.800000011920929", "0.8000000119209290"),
    ("an exponent in a real", "0.800000011920929", "8.00000011920929e-1"),
    ("no digit before the point", "0.800000011920929", ".800000011920929"),
    ("no digit after the point", '"repetition_penalty":1', '"repetition_penalty":1.'),
    ("NaN", "0.800000011920929", "NaN"),
    ("Infinity", "0.800000011920929", "Infinity"),
    ("a number beyond binary64", "0.800000011920929", "1e400"),
    ("an exponent without a sign", "0.800000011920929", "8e-5"),
    ("an integer that binary64 rounds to one in range", '"top_p_q32":4080218931', '"top_p_q32":4080218931.0000000001'),
    ("a space after a colon", '"choices":1', '"choices": 1'),
    ("a space after a comma", ',"choices"', ', "choices"'),
    ("a line feed", ',"choices"', ',\n"choices"'),
    ("a tab at the end of an object", '"top_p_q32":4080218931}', '"top_p_q32":4080218931\t}'),
    ("an escaped letter", '"demo"', '"\\u0064emo"'),
    ("an escaped slash", '"verbatim-arith/1"', '"verbatim-arith\\/1"'),
    ("an escape in capitals", "\\u0000b", "\\U0000b"),
    ("an escaped line feed in hex", '"\\n\\n"', '"\\u000a\\n"'),
    ("a member's name with an escape", '"choices"', '"choi\\u0063es"'),
    ("a line feed that is not escaped", '"\\n\\n"', '"\n\\n"'),
    ("a trailing comma", '"version":"0.2.0"}', '"version":"0.2.0",}'),
    ("a comment", '"choices":1', '"choices":1/* one */'),
    ("single quotes", '"chatcmpl-1"', "'chatcmpl-1'"),
    ("a name without quotes", '"choices":1', "choices:1"),
    ("a word in capitals", '"proof":null', '"proof":NULL'),
    ("half of a surrogate pair", '"demo"', '"\\ud800"'),
    ("the other half of a surrogate pair", '"demo"', '"\\udc00"'),
    ("a surrogate pair in escapes", "\U0001f600", "\\ud83d\\ude00"),
    ("U+0000 as it stands", '"demo"', '"de\0mo"'),
    ("an unknown escape", '"demo"', '"\\demo"'),
    ("an escape that ends early", '"demo"', '"\\u00"'),
    (
        "members in another order",
        '"architecture":"qwen2","file_type":"Q8_0"',
        '"file_type":"Q8_0","architecture":"qwen2"',
    ),
    ("the same member twice", '"choices":1', '"choices":1,"choices":1'),
    ("a member twice, of two values", '"choices":1', '"choices":2,"choices":1'),
    ("a member twice, once with an escape", '"choices":1', '"choices":1,"choic\\u0065s":1'),
    ("a member twice at the top", '"id":"chatcmpl-1"', '"id":"chatcmpl-1","id":"chatcmpl-1"'),
    ("a member twice in an output", '"finish_reason":"length"', '"finish_reason":"stop","finish_reason":"length"'),
]


def _spellings(base):
    text = canonical(base).decode()
    for name, old, new in _SPELLINGS:
        yield case(f"bytes: {name}", _once(text, old, new), *BAD)


def _files(base):
    text = canonical(base).decode()
    whole = [
        ("a byte order mark", "\ufeff" + text),
        ("white space before", " " + text),
        ("a line feed at the end", text + "\n"),
        ("a second receipt", text + text),
        ("a byte after the document", text + "}"),
        ("U+0000 at the end", text + "\0"),
        ("nothing", ""),
        ("only a space", " "),
        ("null", "null"),
        ("a number", "1"),
        ("a string", '"verbatim.receipt/1"'),
        ("an array", "[" + text + "]"),
        ("an empty object", "{}"),
        ("an empty array", "[]"),
        ("not JSON", "receipt"),
        ("indented", json.dumps(base, indent=1, sort_keys=True, ensure_ascii=False)),
        ("a format and nothing else", '{"format":"verbatim.receipt/1"}'),
        ("brackets without end", "[" * 5000),
        ("objects without end", '{"a":' * 3000),
        ("brackets nested 3000 deep", "[" * 3000 + "]" * 3000),
    ]
    for name, new in whole:
        yield case(f"file: {name}", new, *BAD)
    for n in (1, 2, 10, len(text) // 2, len(text) - 2, len(text) - 1):
        yield case(f"file: ends after {n} bytes", text[:n], *BAD)


def _nested(world, depth):
    """A receipt whose deepest value stands in this many arrays and objects: the receipt, beacon, proof and
    arrays in it. The kind is one that this version does not know, so its proof may be anything."""
    r = draft("fixed", world.local)
    r["request"]["beacon"]["id"] = "other:x"
    value = 1
    for _ in range(depth - 3):
        value = [value]
    r["beacon"]["proof"] = {"a": value}
    return seal(r)


def _proofs(world):
    """What the proof of a kind that nobody knows may hold and may not."""
    unknown = "UNVERIFIABLE", "unsupported-beacon"
    yield case("proof: nested 32 deep", _nested(world, 32), *unknown)
    yield case("proof: nested 33 deep", _nested(world, 33), *BAD)
    base = _nested(world, 4)

    def with_proof(proof):
        return seal(changed(base, (("beacon", "proof"), proof)))

    yield case("proof: null, for a kind that nobody knows", with_proof(None), *unknown)
    yield case("proof: empty, for a kind that nobody knows", with_proof({}), *unknown)
    yield case("proof: integers at the ends", with_proof({"a": [2**53, -(2**53), True, False, None]}), *unknown)
    for name, v in (
        ("a real", 1.5),
        ("an integer above 2^53", 2.0**53 + 2),
        ("an integer below -2^53", -(2.0**53) - 2),
        ("a great integer in digits", 2.0**69),
        ("a great integer with an exponent", 1e300),
    ):
        yield case(f"proof: {name}", with_proof({"a": v}), *BAD)
    yield case("proof: U+0000 in a name", with_proof({"a\0b": 1}), *BAD)
    names = with_proof({"\U0001f600": 1, "\ufb33": 2})
    yield case("proof: members in the order of UTF-16", names, *unknown)
    text = canonical(names).decode()
    swapped = _once(text, '"\U0001f600":1,"\ufb33":2', '"\ufb33":2,"\U0001f600":1')
    yield case("proof: members in the order of code points", swapped, *BAD)


def cases(world):
    base = _base(world)
    for part in (
        _members(base),
        _types(base),
        _ranges(base),
        _mode_shapes(world),
        _prompt_shapes(),
        _unsupported(base),
        _spellings(base),
        _files(base),
        _proofs(world),
    ):
        yield from part
