"""Random templates through src/template and through Python's jinja2: the same text, or both fail.
What this project refuses by name is counted, not compared. Run: jinja_random.py PROGRAM [N [SEED]]"""
import json
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import hf_jinja

CONTEXT = {
    "s": "Hello, World", "e": "", "sp": " \t x y \n", "u": "naïve ☃ 日本\u00a0", "q": "it's \"q\" \\\n",
    "i": 7, "n": -3, "z": 0, "f": 2.5, "t": True, "no": False, "nn": None,
    "l": [3, 1, 2], "ls": ["b", "A", "c", "a"], "mx": [1, "two", 3.5, None, True], "el": [],
    "d": {"b": 1, "a": 2, "C": "x"}, "ed": {},
    "us": [{"name": "bob", "age": 30}, {"name": "Al", "age": 25}, {"name": "cy", "age": 30}],
    "ms": [{"role": "system", "content": "Be\nbrief."}, {"role": "user", "content": "Hi "},
           {"role": "assistant", "content": "<think>\nhm</think>\n\nHello"}],
}
STRINGS = ["s", "e", "sp", "u", "q", "'ab'", "'a,b'", "'\\n'", '"x y"', "'é'", "ms[0].content", "ms[1].role",
           "us[0].name", "d.C", "'%s'", "'<b>'"]
NUMBERS = ["i", "n", "z", "f", "0", "1", "2", "3", "-1", "10", "1.5", "t", "no", "us[0].age", "d.a", "l[0]"]
LISTS = ["l", "ls", "mx", "el", "[1, 2]", "['x', 'y']", "range(4)", "us", "ms", "[s, i]", "(1, 'a')", "d", "s",
         "[[1, 2], [3]]"]
NAMES = ["missing", "d.missing", "nn", "ed", "d", "loop", "ns"]
STRING_FILTERS = ["upper", "lower", "trim", "title", "capitalize", "length", "string", "e", "reverse", "list", "first",
                  "last", "int", "float", "tojson", "wordcount", "indent(2)", "indent(1, true)", "replace('a', 'b')",
                  "replace('l', '', 1)", "default('d')", "truncate(5)", "truncate(6, true, '..', 0)", "center(9)", "join('-')",
                  "trim('Hd')", "unique|list", "sort|join", "count", "safe", "d('x', true)", "int(9)", "float(1.5)"]
LIST_FILTERS = ["length", "first", "last", "list", "join", "join(', ')", "sort", "sort(reverse=true)", "unique|list",
                "reverse|list", "map('string')|list", "map('upper')|join", "select|list", "reject|list", "tojson",
                "select('string')|list", "reject('number')|list", "map(attribute='name')|list", "tojson(indent=2)",
                "selectattr('age', 'gt', 26)|list|length", "groupby('age')|list|length", "min", "max", "sum", "batch(2)|list",
                "slice(2)|list", "map('length')|list", "sort(attribute='name')|map(attribute='name')|list",
                "map(attribute='role')|join(',')", "rejectattr('role', 'equalto', 'user')|list", "select('in', [1, 's'])|list",
                "dictsort", "items|list", "string", "batch(3, 0)|list", "map('int')|list", "map('default', 1)|list"]
NUMBER_FILTERS = ["abs", "round", "round(1)", "int", "float", "string", "round(0, 'floor')", "round(1, 'ceil')", "tojson", "default(1)"]
METHODS = ["upper()", "lower()", "strip()", "lstrip()", "rstrip()", "split()", "split(',')", "split('l', 1)", "rsplit('l', 1)",
           "splitlines()", "title()", "capitalize()", "startswith('H')", "endswith(('d', '.'))", "replace('l', 'L')",
           "replace('', '-', 2)", "find('l')", "rfind('l')", "count('l')", "strip('Hd ')", "lstrip('\\n ')", "isalpha()", "isdigit()",
           "partition(',')", "rpartition('l')", "removeprefix('He')", "removesuffix('d')", "zfill(4)", "format(1)", "isupper()",
           "islower()", "isspace()", "swapcase()", "rsplit(none, 1)", "split(none, 1)", "ljust(3, '.')", "index('e')", "join(ls)",
           "splitlines(true)", "rjust(14)", "istitle", "upper", "isalnum()", "isnumeric()"]
TESTS = ["defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "sequence", "iterable",
         "even", "odd", "divisibleby 2", "eq 1", "equalto('x')", "in [1, 2]", "in 'abc'", "lower", "upper", "true", "false",
         "callable", "gt 1", "le 2", "ne none", "sameas none", "escaped"]


class Writer:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def pick(self, *choices):
        return self.r.choice(choices)

    def atom(self):
        return self.r.choice(self.r.choice([STRINGS, STRINGS, NUMBERS, NUMBERS, LISTS, NAMES]))

    def expression(self, depth):
        if depth <= 0:
            return self.atom()
        sub = lambda: self.expression(depth - self.r.randint(1, 2))
        kind = self.r.randrange(20)
        if kind == 0:
            return f"({sub()})"
        if kind == 1:
            return f"({sub()} {self.pick('+', '-', '*', '/', '//', '%')} {sub()})"
        if kind == 2:
            return f"{sub()} {self.pick('+', '-', '*', '~', '~', '//', '%', '**')} {sub()}"
        if kind == 3:
            return f"({sub()} {self.pick('==', '!=', '<', '<=', '>', '>=', 'in', 'not in')} {sub()})"
        if kind == 4:
            return f"{sub()} {self.pick('and', 'or')} {sub()}"
        if kind == 5:
            return f"(not {sub()})"
        if kind == 6:
            return f"({sub()} if {sub()} else {sub()})"
        if kind == 7:
            return f"({sub()} is {self.pick('', 'not ')}{self.r.choice(TESTS)})"
        if kind in (8, 9):
            return f"{self.r.choice(STRINGS)}|{self.r.choice(STRING_FILTERS)}"
        if kind in (10, 11):
            return f"{self.r.choice(LISTS)}|{self.r.choice(LIST_FILTERS)}"
        if kind == 12:
            return f"{self.r.choice(NUMBERS)}|{self.r.choice(NUMBER_FILTERS)}"
        if kind in (13, 14):
            return f"{self.r.choice(STRINGS)}.{self.r.choice(METHODS)}"
        if kind == 15:
            return f"({sub()})|{self.r.choice(self.r.choice([STRING_FILTERS, LIST_FILTERS, NUMBER_FILTERS]))}"
        if kind == 16:
            return f"{self.r.choice(STRINGS + LISTS)}[{self.index()}]"
        if kind == 17:
            return f"[{sub()}, {sub()}]"
        if kind == 18:
            return "{" + f"{self.r.choice(STRINGS)}: {sub()}, 'k': {sub()}" + "}" + self.pick("", ".k", "['k']", ".get('z', 1)", "|tojson")
        return f"({sub()} {self.pick('<', '<=', '==', 'in')} {sub()} {self.pick('<', '!=', '>')} {sub()})"

    def index(self):
        n = lambda: self.pick("", "0", "1", "-1", "2", "-2", "5", "-9", "i")
        return self.pick("0", "1", "-1", "9", "'k'", "i", f"{n()}:{n()}", f"{n()}:{n()}:{self.pick('1', '2', '-1', '-2', '3')}")

    def space(self):
        return self.pick("", "", " ", "\n", "\n\n", "  \n  ", "text", " a ", "\t")

    def tag(self, inside):
        return "{%" + self.pick("", "", "-", "+") + " " + inside + " " + self.pick("", "", "-", "+") + "%}"

    def statement(self, depth):
        kind = self.r.randrange(16) if depth > 0 else self.r.randrange(4)
        if kind < 3:
            return "{{" + self.pick("", "", "-") + " " + self.expression(self.r.randrange(4)) + " " + self.pick("", "", "-") + "}}"
        if kind == 3:
            return self.tag(f"set {self.pick('a', 'b', 'x', 's')} = {self.expression(2)}")
        body = self.body(depth - 1)
        if kind in (4, 5):
            return self.tag(f"if {self.expression(2)}") + body + self.pick("", self.tag("else") + self.body(depth - 1), self.tag(
                f"elif {self.expression(1)}") + self.body(depth - 1)) + self.tag("endif")
        if kind in (6, 7):
            return self.tag(f"for x in {self.r.choice(LISTS)}" + self.pick("", "", " if x")) + body + self.loop_use() + self.pick(
                "", self.tag("else") + self.body(depth - 1)) + self.tag("endfor")
        if kind == 8:
            return self.tag("for a, b in d.items()") + "{{ a }}{{ b }}" + body + self.tag("endfor")
        if kind == 9:
            return self.tag("set a") + body + self.tag("endset") + "{{ a }}"
        if kind == 10:
            return self.tag("set ns = namespace(v=0)") + self.tag("for x in l") + self.tag(
                f"set ns.v = {self.pick('ns.v + x', self.expression(1))}") + body + self.tag("endfor") + "{{ ns.v }}"
        if kind == 11:
            return self.tag(f"macro m(a, b={self.expression(1)})") + body + "{{ a }}{{ b }}" + self.tag("endmacro") + \
                "{{ m(" + self.pick("1", "s, 2", "b=3", "a=i", "", "1, b=2") + ") }}"
        if kind == 12:
            return self.tag("filter " + self.pick("upper", "trim", "replace('a', 'b')", "indent(2)", "length")) + body + self.tag("endfilter")
        if kind == 13:
            return self.tag("for x in range(5)") + self.tag(f"if x == {self.r.randrange(5)}") + self.tag(
                self.pick("break", "continue")) + self.tag("endif") + body + self.tag("endfor")
        if kind == 14:
            return "{#" + self.pick("", "-", "+") + " c " + self.pick("", "-", "+") + "#}" + body
        return self.tag("raw") + self.space() + "{{ x }}" + self.space() + self.tag("endraw")

    def loop_use(self):
        return "{{ loop." + self.pick("index", "index0", "first", "last", "length", "revindex", "previtem", "nextitem",
                                      "cycle('a', 'b')", "changed(x)") + " }}"

    def body(self, depth):
        return "".join(self.space() + self.statement(depth) for _ in range(self.r.randint(1, 3))) + self.space()


def nondeterministic(text):
    return text is not None and any(x in text for x in (" object at 0x", "<built-in", "<bound", "<function", "<class", "0x7f"))


def main():
    program, n, seed = sys.argv[1], *(int(x) for x in (sys.argv[2:] + ["4000", "1"][len(sys.argv) - 2:]))
    env = hf_jinja.environment()
    templates = []
    for k in range(n):
        w = Writer(seed * 1000003 + k)
        templates.append(w.body(2) if k % 2 else "{{ " + w.expression(4) + " }}")
    lines = "".join(json.dumps({"template": t, "context": CONTEXT, "now": True}) + "\n" for t in templates)
    run = subprocess.run([program], input=lines, capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"{program} ended with {run.returncode}: {run.stderr[-2000:]}")
    same = failed = refused = different = 0
    for template, line in zip(templates, run.stdout.split("\n")):
        ours = json.loads(line)
        text, error = hf_jinja.render(env, template, CONTEXT)
        if ours.get("error") in ("unsupported", "limit") or nondeterministic(text):
            refused += 1
        elif error and "error" in ours:
            failed += 1
        elif not error and ours.get("text") == text:
            same += 1
        else:
            different += 1
            if different <= 40:
                print(f"{template!r}\n  jinja2   {text!r} {error}\n  verbatim {ours.get('text')!r} {ours.get('message')}")
    print(f"{n} templates: {same} the same, {failed} fail in both, {refused} refused here, {different} differ")
    if different or same < n // 4 or refused > n // 3:
        sys.exit(1)


if __name__ == "__main__":
    main()
