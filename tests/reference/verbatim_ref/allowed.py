"""Which tokens a constraint allows next: spec/constraints.md sections 2 to 6, byte by byte.

What may still come is a set of stacks. The top of a stack is a set of bytes, of which one comes next, or
something that stands for several ways to go on, each a row of things to expect. A way that no text within the
levels left can finish is not offered, so that a text is the beginning of an accepted one exactly when a stack
is left, and accepted when an empty one is. How texts are accepted is written again in constraints.py, over whole
texts."""

from typing import NamedTuple

from . import constraints
from .constraints import DEPTH, INDENT, OF, canonical, types_of

ACCEPTED = ()


class Unsatisfiable(ValueError):
    """No text within the levels is accepted: section 4, at its end."""


def _row(text):
    return tuple(frozenset([b]) for b in text)


def _span(first, last):
    return frozenset(range(first, last + 1))


class Any(NamedTuple):
    """One of some rows."""

    rows: tuple

    def ways(self):
        return self.rows


class Repeat(NamedTuple):
    """A row, low to high times."""

    row: tuple
    low: int
    high: float

    def ways(self):
        if self.low == 0:
            yield ()
        if self.high > 0:
            yield (*self.row, Repeat(self.row, max(self.low - 1, 0), self.high - 1))


def _maybe(*row):
    return Any(((), row))


_TAIL = _span(0x80, 0xBF)
# Unicode's table 3-7, from U+0080 on.
_WIDE = ((_span(0xC2, 0xDF), _TAIL), (frozenset([0xE0]), _span(0xA0, 0xBF), _TAIL), (_span(0xE1, 0xEC), _TAIL, _TAIL),
         (frozenset([0xED]), _span(0x80, 0x9F), _TAIL), (_span(0xEE, 0xEF), _TAIL, _TAIL),
         (frozenset([0xF0]), _span(0x90, 0xBF), _TAIL, _TAIL), (_span(0xF1, 0xF3), _TAIL, _TAIL, _TAIL),
         (frozenset([0xF4]), _span(0x80, 0x8F), _TAIL, _TAIL))
_PLAIN = (_span(0x20, 0x7F) - frozenset(b'"\\'),)
_HEX, _U, _D = frozenset(b"0123456789abcdefABCDEF"), frozenset(b"u"), frozenset(b"dD")
_LOW = (frozenset(b"\\"), _U, _D, frozenset(b"cdefCDEF"), _HEX, _HEX)
_ESCAPE = (frozenset(b"\\"), Any((
    (frozenset(b'"\\/bfnrt'),),
    (_U, _HEX - _D, _HEX, _HEX, _HEX),
    (_U, _D, _span(0x30, 0x37), _HEX, _HEX),
    (_U, _D, frozenset(b"89abAB"), _HEX, _HEX, *_LOW))))
_CHARACTER = Any((_PLAIN, _ESCAPE, *_WIDE))
_GAPS = [Any(((), _row(b" "), (*_row(b"\n"), Repeat(_row(b" "), 0, INDENT * depth)))) for depth in range(DEPTH + 1)]
_DIGIT = _span(0x30, 0x39)
_WHOLE = (_maybe(*_row(b"-")), Any((_row(b"0"), (_DIGIT - {0x30}, Repeat((_DIGIT,), 0, 17)))))
_NUMBER = (*_WHOLE, _maybe(*_row(b"."), Repeat((_DIGIT,), 1, 18)),
           _maybe(frozenset(b"eE"), Any(((), _row(b"+"), _row(b"-"))), Repeat((_DIGIT,), 1, 2)))


class FreeName(NamedTuple):
    """The rest of a name that the schema does not list, its quote included; its bytes so far without the first."""

    taken: frozenset
    so_far: bytes = b""

    def ways(self):
        if self.so_far not in self.taken:
            yield _row(b'"')
        for byte in _PLAIN[0]:
            yield frozenset([byte]), FreeName(self.taken, self.so_far + bytes([byte]))
        for row in _WIDE:
            yield from self._wide(row, self.so_far)

    def _wide(self, row, so_far):
        if not row:
            yield (FreeName(self.taken, so_far),)
            return
        for byte in row[0]:
            yield frozenset([byte]), Rest(self, row[1:], so_far + bytes([byte]))


class Rest(NamedTuple):
    """The rest of a character of such a name."""

    name: FreeName
    row: tuple
    so_far: bytes

    def ways(self):
        return self.name._wide(self.row, self.so_far)


class Value(NamedTuple):
    """A value of some kind, inside so many objects and arrays."""

    kind: object
    depth: int

    def ways(self):
        return self.kind.ways(self.depth)


class Members(NamedTuple):
    """What follows { and its gap, or a member: the end, or one member more."""

    of: object
    done: frozenset
    depth: int
    first: bool

    def ways(self):
        if self.of.required <= self.done:
            yield (*(() if self.first else (_GAPS[self.depth],)), *_row(b"}"))
        comma = () if self.first else (*_row(b","), _GAPS[self.depth])
        for name, kind in self.of.listed.items():
            if name not in self.done and kind.possible(self.depth):
                yield (*comma, *_row(name), *self._after(kind, self.done | {name}))
        if self.of.other is not None and self.of.other.possible(self.depth):
            yield (*comma, *_row(b'"'), FreeName(self.of.taken), *self._after(self.of.other, self.done))

    def _after(self, kind, done):
        return (*_row(b":"), _GAPS[self.depth], Value(kind, self.depth), Members(self.of, done, self.depth, False))


class Elements(NamedTuple):
    """The same of an array, after n elements."""

    of: object
    n: int
    depth: int

    def ways(self):
        if self.n >= self.of.least:
            yield (*(() if self.n == 0 else (_GAPS[self.depth],)), *_row(b"]"))
        kind = self.of.element(self.n)
        if kind is not None and kind.possible(self.depth):
            comma = () if self.n == 0 else (*_row(b","), _GAPS[self.depth])
            yield (*comma, Value(kind, self.depth), Elements(self.of, self.n + 1, self.depth))


# Kinds of values: ways(depth), and whether any text of them fits into the levels left.


class Scalar:
    def __init__(self, *rows):
        self.rows = rows

    def possible(self, _depth):
        return bool(self.rows)

    def ways(self, _depth):
        return self.rows


class Object:
    """listed: {name's spelling: kind}; other: the kind of members that are not listed, or None."""

    def __init__(self, listed, required, other):
        self.listed, self.required, self.other = listed, frozenset(required), other
        self.taken = frozenset(name[1:-1] for name in listed)

    def possible(self, depth):
        return depth < DEPTH and all(self.listed[name].possible(depth + 1) for name in self.required)

    def ways(self, depth):
        yield (*_row(b"{"), _GAPS[depth + 1], Members(self, frozenset(), depth + 1, True))


class Array:
    def __init__(self, prefix, rest, least, most):
        self.prefix, self.rest, self.least, self.most = prefix, rest, least, most

    def element(self, n):
        if n >= self.most:
            return None
        return self.prefix[n] if n < len(self.prefix) else self.rest

    def possible(self, depth):
        if depth >= DEPTH or self.least > self.most:
            return False
        needed = [self.element(n) for n in range(min(self.least, len(self.prefix) + 1))]
        return all(kind is not None and kind.possible(depth + 1) for kind in needed)

    def ways(self, depth):
        yield (*_row(b"["), _GAPS[depth + 1], Elements(self, 0, depth + 1))


def _literal(value):
    if isinstance(value, dict):
        listed = {canonical(name).encode(): _literal(v) for name, v in value.items()}
        return Object(listed, listed, None)
    if isinstance(value, list):
        return Array([_literal(v) for v in value], None, len(value), len(value))
    return Scalar(_row(canonical(value).encode()))


class OfSchema:
    """A schema; what it stands for is looked up when it is asked for, as schemas go in circles."""

    def __init__(self, schemas, schema):
        self.schemas, self.schema, self.memo, self.found = schemas, schema, {}, None

    def kinds(self):
        if self.found is None:
            self.found = list(self.schemas.kinds(self.schema, ()))
        return self.found

    def possible(self, depth):
        if depth not in self.memo:
            self.memo[depth] = any(kind.possible(depth) for kind in self.kinds())
        return self.memo[depth]

    def ways(self, depth):
        for kind in self.kinds():
            if kind.possible(depth):
                yield from kind.ways(depth)


class Schemas:
    def __init__(self, root):
        self.root, self.known = root, {}

    def of(self, schema):
        key = schema if isinstance(schema, bool) else id(schema)
        return self.known.setdefault((type(schema), key), OfSchema(self, schema))

    def target(self, ref):
        if ref == "#":
            return self.root
        home, name = ref.removeprefix("#/").split("/")
        return self.root[home][name.replace("~1", "/").replace("~0", "~")]

    def kinds(self, schema, seen):
        if schema is False or id(schema) in seen:
            return
        schema = {} if schema is True else schema
        seen = (*seen, id(schema))
        if "$ref" in schema:
            yield from self.kinds(self.target(schema["$ref"]), seen)
            return
        for keyword in ("anyOf", "oneOf", "allOf"):
            if keyword in schema:
                for s in schema[keyword]:
                    yield from self.kinds(s, seen)
                return
        types = schema.get("type", [])
        types = [types] if isinstance(types, str) else types
        if "const" in schema or "enum" in schema:
            values = [schema["const"]] if "const" in schema else schema["enum"]
            yield from (_literal(v) for v in values if not types or types_of(v) & set(types))
            return
        types = types or [t for t, keywords in OF.items() if any(k in schema for k in keywords)] or \
            ["object", "array", "string", "number", "boolean", "null"]
        for t in types:
            yield getattr(self, t)(schema)

    def null(self, _):
        return Scalar(_row(b"null"))

    def boolean(self, _):
        return Scalar(_row(b"true"), _row(b"false"))

    def number(self, _):
        return Scalar(_NUMBER)

    def integer(self, _):
        return Scalar(_WHOLE)

    def string(self, schema):
        low, high = schema.get("minLength", 0), schema.get("maxLength", float("inf"))
        row = (*_row(b'"'), Repeat((_CHARACTER,), low, high), *_row(b'"'))
        return Scalar(row) if low <= high else Scalar()

    def array(self, schema):
        prefix = [self.of(s) for s in schema.get("prefixItems", [])]
        rest = self.of(schema.get("items", not prefix))
        return Array(prefix, rest, schema.get("minItems", 0), schema.get("maxItems", float("inf")))

    def object(self, schema):
        listed = {canonical(n).encode(): self.of(s) for n, s in schema.get("properties", {}).items()}
        required = [canonical(n).encode() for n in schema.get("required", [])]
        for name in required:
            listed.setdefault(name, self.of(schema.get("additionalProperties", True)))
        other = schema.get("additionalProperties", "properties" not in schema)
        return Object(listed, required, None if other is False else self.of(other))


def _expand(stack, out):
    """Adds the stacks that this one stands for, whose tops are sets of bytes."""
    pending = [stack]
    while pending:
        s = pending.pop()
        if s == ACCEPTED or isinstance(s[0], frozenset):
            out.add(s)
            continue
        for row in s[0].ways():
            rest = s[1]
            for expected in reversed(row):
                rest = (expected, rest)
            pending.append(rest)


class State:
    """What may come after a text."""

    def __init__(self, stacks):
        self.stacks, self._next = stacks, {}

    def after(self, byte):
        """The state after one byte more, or None."""
        if byte not in self._next:
            stacks = set()
            for s in self.stacks:
                if s != ACCEPTED and byte in s[0]:
                    _expand(s[1], stacks)
            self._next[byte] = State(stacks) if stacks else None
        return self._next[byte]

    def accepts(self):
        return ACCEPTED in self.stacks


def begin(constraint):
    """The state before the first byte."""
    if constraint["type"] == "choice":
        rows = [_row(text.encode()) for text in constraint["texts"]]
    else:
        schema = {"type": "object"} if constraint["type"] == "json_object" else constraint["schema"]
        kind = Schemas(schema).of(schema)
        if not kind.possible(0):
            raise Unsatisfiable(f"no text satisfies {schema}")
        rows = [(_GAPS[0], Value(kind, 0))]
    stacks = set()
    _expand((Any(tuple(rows)), ACCEPTED), stacks)
    return State(stacks)


def accepts(constraint, text):
    """text: bytes."""
    state = begin(constraint)
    for byte in text:
        state = state and state.after(byte)
    return state is not None and state.accepts()


def check_file(path):
    """(passed, failed) of spec/vectors/constraints.json."""
    return constraints.check_file(path, accepts)


def tokens(state, tree, ends):
    """The ids that may come next; tree: a Vocabulary's, ends: the model's and the request's."""
    found, pending = set(ends) if state.accepts() else set(), [(tree, state)]
    while pending:
        (children, _), here = pending.pop()
        for byte, child in children.items():
            there = here.after(byte)
            if there is not None:
                found.update(i for i in child[1] if i not in ends)
                pending.append((child, there))
    return found
