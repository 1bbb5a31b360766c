"""Which texts a constraint accepts, from spec/constraints.md sections 2 to 4: a text is read into a tree whose
leaves keep their spelling, and the tree is held against the schema. Schemas that are refused are not looked for."""

import json
import re

from . import jcs

DEPTH, INDENT = 32, 4
_GAPS = [re.compile(r"\n {0,%d}| ?" % (INDENT * depth)) for depth in range(DEPTH + 1)]
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,2})?")
_LOW = r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_CHARACTER = re.compile(
    r'[^"\\\x00-\x1f]|\\["\\/bfnrt]'
    r"|\\u(?:[0-9a-ce-fA-CE-F][0-9a-fA-F]|[dD][0-7])[0-9a-fA-F]{2}"
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}" + _LOW)


class Bad(Exception):
    """The text is not JSON in the sense of section 3."""


class Node:
    """kind: object (parts: name spelling, node), array (parts: nodes), string (characters), number, word."""

    def __init__(self, kind, text, parts=()):
        self.kind, self.text, self.parts = kind, text, parts


class Reader:
    def __init__(self, text):
        self.text, self.at = text, 0

    def take(self, pattern):
        m = pattern.match(self.text, self.at)
        if not m:
            raise Bad()
        self.at = m.end()
        return m.group()

    def next(self, expected):
        if not self.text.startswith(expected, self.at):
            raise Bad()
        self.at += len(expected)

    def peek(self):
        return self.text[self.at : self.at + 1]

    def string(self):
        start, n = self.at, 0
        self.next('"')
        while self.peek() != '"':
            self.take(_CHARACTER)
            n += 1
        self.next('"')
        return Node("string", self.text[start : self.at], n)

    def list(self, end, depth, item):
        if depth == DEPTH:
            raise Bad()
        items = []
        self.at += 1
        self.take(_GAPS[depth + 1])
        if self.peek() == end and not items:
            self.at += 1
            return items
        while True:
            items.append(item(depth + 1))
            if self.peek() != ",":
                break
            self.at += 1
            self.take(_GAPS[depth + 1])
        self.take(_GAPS[depth + 1])
        self.next(end)
        return items

    def member(self, depth):
        name = self.string().text
        self.next(":")
        self.take(_GAPS[depth])
        return name, self.value(depth)

    def value(self, depth):
        first = self.peek()
        if first == "{":
            return Node("object", None, self.list("}", depth, self.member))
        if first == "[":
            return Node("array", None, self.list("]", depth, self.value))
        if first == '"':
            return self.string()
        for word in ("true", "false", "null"):
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return Node("word", word)
        return Node("number", self.take(_NUMBER))


def canonical(value):
    return jcs.canonical(value).decode()


def is_value(node, value):
    """Whether a node is a value that a schema writes out."""
    if isinstance(value, dict):
        wanted = {canonical(name): v for name, v in value.items()}
        names = [name for name, _ in node.parts] if node.kind == "object" else None
        return names is not None and sorted(names) == sorted(wanted) and \
            all(is_value(part, wanted[name]) for name, part in node.parts)
    if isinstance(value, list):
        return node.kind == "array" and len(node.parts) == len(value) and all(map(is_value, node.parts, value))
    return node.text == canonical(value)


def types_of(value):
    if isinstance(value, bool):
        return {"boolean"}
    if isinstance(value, (int, float)):
        return {"integer", "number"} if value == int(value) else {"number"}
    return {{dict: "object", list: "array", str: "string", type(None): "null"}[type(value)]}


OF = {"object": ("properties", "required", "additionalProperties"),
      "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems"),
      "string": ("minLength", "maxLength")}


class Schema:
    def __init__(self, root):
        self.root = root

    def accepts(self, node, schema, seen=()):
        """seen: the schemas that this one stands for."""
        if schema is False:
            return False
        schema = {} if schema is True else schema
        if id(schema) in seen:
            return False
        seen = (*seen, id(schema))
        if "$ref" in schema:
            return self.accepts(node, self.target(schema["$ref"]), seen)
        for keyword in ("anyOf", "oneOf", "allOf"):
            if keyword in schema:
                return any(self.accepts(node, s, seen) for s in schema[keyword])
        types = schema.get("type", [])
        types = [types] if isinstance(types, str) else types
        if "const" in schema or "enum" in schema:
            values = [schema["const"]] if "const" in schema else schema["enum"]
            return any(is_value(node, v) for v in values if not types or types_of(v) & set(types))
        types = types or [t for t, keywords in OF.items() if any(k in schema for k in keywords)] or \
            ["object", "array", "string", "number", "boolean", "null"]
        return any(getattr(self, t)(node, schema) for t in types)

    def target(self, ref):
        if ref == "#":
            return self.root
        home, name = re.fullmatch(r"#/(\$defs|definitions)/([^/%]*)", ref).groups()
        return self.root[home][name.replace("~1", "/").replace("~0", "~")]

    def null(self, node, _):
        return node.text == "null"

    def boolean(self, node, _):
        return node.text in ("true", "false")

    def number(self, node, _):
        return node.kind == "number"

    def integer(self, node, _):
        return node.kind == "number" and not set(node.text) & set(".eE")

    def string(self, node, schema):
        return node.kind == "string" and schema.get("minLength", 0) <= node.parts <= schema.get("maxLength", node.parts)

    def array(self, node, schema):
        if node.kind != "array" or not \
                schema.get("minItems", 0) <= len(node.parts) <= schema.get("maxItems", len(node.parts)):
            return False
        prefix = schema.get("prefixItems", [])
        rest = schema.get("items", not prefix)
        return all(self.accepts(part, prefix[i] if i < len(prefix) else rest) for i, part in enumerate(node.parts))

    def object(self, node, schema):
        if node.kind != "object":
            return False
        listed = {canonical(n): s for n, s in schema.get("properties", {}).items()}
        additional = schema.get("additionalProperties", "properties" not in schema)
        for name in schema.get("required", []):
            listed.setdefault(canonical(name), schema.get("additionalProperties", True))
        names = [name for name, _ in node.parts]
        if any(canonical(n) not in names for n in schema.get("required", [])):
            return False
        for name, part in node.parts:
            if name in listed:
                if names.count(name) > 1 or not self.accepts(part, listed[name]):
                    return False
            elif "\\" in name or not self.accepts(part, additional):
                return False
        return True


def accepts(constraint, text):
    """text: bytes."""
    if constraint["type"] == "choice":
        return text in [t.encode() for t in constraint["texts"]]
    schema = {"type": "object"} if constraint["type"] == "json_object" else constraint["schema"]
    try:
        reader = Reader(text.decode())
        reader.take(_GAPS[0])
        node = reader.value(0)
    except (Bad, UnicodeDecodeError):
        return False
    return reader.at == len(reader.text) and Schema(schema).accepts(node, schema)


def check_file(path, judge=accepts):
    """(passed, failed) of spec/vectors/constraints.json."""
    with open(path, encoding="ascii") as f:
        doc = json.load(f)
    if doc["format"] != "verbatim-vectors/constraints/1":
        raise ValueError(f"{path}: not verbatim-vectors/constraints/1")
    passed, failed = 0, 0
    for case in doc["cases"]:
        for wanted in ("accepted", "not_accepted"):
            for text in case[wanted]:
                if judge(case["constraint"], bytes.fromhex(text)) == (wanted == "accepted"):
                    passed += 1
                else:
                    failed += 1
                    print(f"FAIL constraints: {case['constraint']}: {bytes.fromhex(text)} is {wanted}")
    return passed, failed
