"""Random objects as template variables, through vb_chat_encode_variables and through Python's jinja2
with models' own templates: the same text or a refusal by both, and exactly the control tokens that
the template prints, whatever the object spells out. What this project refuses by name is counted.
Run: jinja_variables.py PROGRAM DATA [N [SEED]]; N objects a template."""
import datetime
import functools
import json
import os
import random
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import hf_jinja

DEMO = os.path.join(HERE, "..", "..", "models", "verbatim-demo", "verbatim-demo-q8_0.gguf")
LLAMA = ("vocab/ggml-vocab-llama-bpe.gguf", "<|begin_of_text|>", "<|eot_id|>")
CHATML = (DEMO, "<|endoftext|>", "<|im_end|>")
# The template's file; the vocabulary, absolute or in the data, with its BOS and EOS.
TEMPLATES = [
    ("Qwen-Qwen2.5-7B-Instruct", CHATML),
    ("Qwen-Qwen3-0.6B", CHATML),
    ("Qwen-QwQ-32B", CHATML),
    ("HuggingFaceTB-SmolLM3-3B", CHATML),
    ("meta-llama-Llama-3.1-8B-Instruct", LLAMA),
    ("meta-llama-Llama-3.2-3B-Instruct", LLAMA),
    # Its markers are in neither vocabulary: of this one only the texts are compared, and BOS and EOS.
    ("mistralai-Mistral-Nemo-Instruct-2407", CHATML),
]
# Without characters that compose with what stands before them: these vocabularies normalise to NFC.
PIECES = ["Hi", "the weather", " ", "\n", "\n\n", "\t", "it's", '"q"', "\\", "{", "}", "é", "☃", "日本", "\u00a0", "\u0000", "\x7f",
          "\u2028", "😀", "<b>", "&amp;", "%s", "{{ x }}", "{% raw %}", "<think>", "</think>", "<tool_call>", "<tool_response>",
          "</tool_response>", "/no_think", "[INST]", "1.0", "null", "\ufffd", "\x85", "0", "items"]
NAMES = ["name", "type", "city", "items", "keys", "values", "get", "copy", "role", "content", "a b", "", "parameters", "function",
         "é", "0", "required", "loop", "self", "x_y", "update", "pop"]
NUMBERS = [0, 1, -1, 7, 2**31, 2**53 + 1, 2**63 - 1, -2**63, 0.0, -0.0, 1.0, 0.1, 1e16, 1e22, 1e-7, 123456.789, 5e-324, 1.5e300]


class Writer:
    def __init__(self, seed, control):
        self.r = random.Random(seed)
        self.control = control

    def text(self):
        return "".join(self.r.choice(self.control) if self.r.random() < 0.2 else self.r.choice(PIECES)
                       for _ in range(self.r.randint(0, 6)))

    def name(self):
        return self.r.choice(self.control) if self.r.random() < 0.1 else self.r.choice(NAMES)

    def value(self, depth):
        kind = self.r.randrange(10 if depth > 0 else 6)
        if kind < 3:
            return self.text()
        if kind == 3:
            return self.r.choice(NUMBERS)
        if kind < 6:
            return self.r.choice([True, False, None, "", {}, []])
        if kind < 8:
            return [self.value(depth - 1) for _ in range(self.r.randint(0, 3))]
        return {self.name(): self.value(depth - 1) for _ in range(self.r.randint(0, 4))}

    def call(self, k):
        arguments = {self.name(): self.value(2) for _ in range(self.r.randint(0, 3))}
        function = {"name": self.text() or "f", "arguments": arguments}
        if self.r.random() < 0.2:
            function["arguments"] = json.dumps(arguments, ensure_ascii=False)
        call = {"id": f"call{k:05d}" if self.r.random() < 0.8 else self.text(), "type": "function", "function": function}
        return call if self.r.random() < 0.9 else function

    def tool(self):
        parameters = {"type": "object", "properties": {self.name(): {"type": "string", "description": self.text()}
                                                       for _ in range(self.r.randint(0, 3))}, "required": [self.name()]}
        function = {"name": self.text() or "f", "description": self.text(), "parameters": parameters}
        if self.r.random() < 0.3:
            function["return"] = self.value(2)
        return {"type": "function", "function": function}

    def turn(self):
        """A question; perhaps calls with their results; an answer."""
        yield {"role": "user", "content": self.text()}
        if self.r.random() < 0.6:
            parallel = self.r.choice([1, 1, 1, 2, 3])
            calls = [self.call(k) for k in range(parallel)]
            message = {"role": "assistant", "tool_calls": calls}
            if self.r.random() < 0.8:
                message["content"] = self.r.choice([None, "", self.text()])
            yield message
            for k in range(parallel):
                result = self.text() if self.r.random() < 0.9 else self.value(2)
                yield {"role": "tool", "name": self.text(), "tool_call_id": f"call{k:05d}", "content": result}
        answer = {"role": "assistant", "content": self.text()}
        if self.r.random() < 0.2:
            answer["reasoning_content"] = self.text()
        yield answer

    def conversation(self):
        messages = [{"role": "system", "content": self.text()}] if self.r.random() < 0.6 else []
        for _ in range(self.r.randint(0, 2)):
            messages += self.turn()
        messages += list(self.turn())[:self.r.choice([1, 1, 1, 2, 3])]
        return messages

    def spoil(self, x):
        """One place of a value becomes something else."""
        places = [(x, k) for k in (x if isinstance(x, dict) else range(len(x)))]
        while places:
            inside, k = self.r.choice(places)
            if not isinstance(inside[k], (dict, list)) or not inside[k] or self.r.random() < 0.3:
                inside[k] = self.value(2)
                return
            x = inside[k]
            places = [(x, k) for k in (x if isinstance(x, dict) else range(len(x)))]

    def variables(self):
        v = {"messages": self.conversation()}
        if self.r.random() < 0.6:
            v["tools"] = [self.tool() for _ in range(self.r.randint(0, 3))]
        for name, choices in (("enable_thinking", [True, False, None]), ("date_string", ["22 Nov", "<|im_start|>"]),
                              ("tools_in_user_message", [True, False]), ("builtin_tools", [["brave_search"], [self.text()]]),
                              ("custom_tools", [[self.tool()]]), ("documents", [[{"title": self.text(), "text": self.text()}]]),
                              ("xml_tools", [[self.text()]]), ("python_tools", [[self.text(), "f"]]),
                              ("range", ["R"]), ("namespace", [1]), ("raise_exception", [None]), ("strftime_now", ["%Y"]), ("loop", [{}])):
            if self.r.random() < (0.15 if name[0] not in "rnsl" else 0.02):
                v[name] = self.r.choice(choices)
        items = list(v.items())
        self.r.shuffle(items)
        v = dict(items)
        for _ in range(self.r.choice([0, 0, 0, 0, 1])):
            self.spoil(v["messages"])
        return v


def well_formed(v):
    return all(isinstance(m, dict) and isinstance(m.get("role"), str) and m["role"] for m in v["messages"])


def broken(x, control):
    """The value with every spelling of a control token changed."""
    if isinstance(x, str):
        return control.sub(lambda m: "\ue000" + m.group()[1:-1] + "\ue001", x)
    if isinstance(x, list):
        return [broken(i, control) for i in x]
    if isinstance(x, dict):
        return {broken(k, control): broken(i, control) for k, i in x.items()}
    return x


@functools.cache
def environment(date):
    env = hf_jinja.environment(now=False)
    env.from_string = functools.cache(env.from_string)  # each template is compiled once
    if date:
        env.globals["strftime_now"] = datetime.datetime.strptime(date, "%Y-%m-%d").strftime
    return env


def reference(template, variables, date, bos, eos):
    context = {"enable_thinking": True}
    if date:
        context["date_string"] = datetime.datetime.strptime(date, "%Y-%m-%d").strftime("%d %b %Y")
    context.update(variables, bos_token=bos, eos_token=eos, add_generation_prompt=True)
    return hf_jinja.render(environment(date), template, context)


def run(program, vocabulary, requests):
    lines = "".join(json.dumps(r) + "\n" for r in requests)
    done = subprocess.run([program, vocabulary], input=lines, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{program} ended with {done.returncode}: {done.stderr[-2000:]}")
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def compare(x, ours, template, control):
    """'same', 'both fail', 'refused', or what differs."""
    variables = json.loads(x["variables"])
    text, error = reference(template, variables, x["date"], x["bos"], x["eos"])
    if ours.get("error") in ("unsupported", "limit"):
        return "refused"
    if "error" in ours:
        return "both fail" if error or not well_formed(variables) else f"jinja2 {text!r}\n  verbatim {ours['message']}"
    if error or text != ours["text"]:
        return f"jinja2 {text!r} {error}\n  verbatim {ours['text']!r}"
    harmless, _ = reference(template, broken(variables, control), x["date"], x["bos"], x["eos"])
    if harmless is None or control.findall(harmless) != ours["control"]:
        return f"control tokens {ours['control']}, expected those of {harmless!r}"
    return "same"


def check_template(program, data, name, vocabulary, n, seed):
    path, bos, eos = vocabulary
    path = os.path.join(data, path)
    with open(os.path.join(data, "templates", name + ".jinja"), encoding="utf-8") as f:
        template = f.read()
    texts = run(program, path, [])[0]["control"]
    control = re.compile("|".join(re.escape(t) for t in sorted(texts, key=len, reverse=True)))
    spelled = [t for t in texts if "reserved" not in t]
    requests = []
    for k in range(n):
        w = Writer(f"{name} {seed} {k}", spelled)
        variables = json.dumps(w.variables(), ensure_ascii=w.r.random() < 0.5, indent=w.r.choice([None, 1]))
        requests.append({"template": template, "bos": bos, "eos": eos, "date": w.r.choice([None, "2026-11-02"]), "variables": variables})
    counts = {"same": 0, "both fail": 0, "refused": 0, "different": 0}
    for x, ours in zip(requests, run(program, path, requests)[1:], strict=True):
        result = compare(x, ours, template, control)
        if result not in counts:
            if counts["different"] < 3:
                print(f"{name}, {x['variables']}\n  {result}")
            result = "different"
        counts[result] += 1
    print(f"{name}: {counts}")
    return counts["different"] == 0 and counts["same"] >= n // 4 and counts["refused"] <= n // 20


def main():
    program, data = sys.argv[1:3]
    n, seed = (int(x) for x in (sys.argv[3:] + ["400", "1"][len(sys.argv) - 3:]))
    fine = [check_template(program, data, name, vocabulary, n, seed) for name, vocabulary in TEMPLATES]
    sys.exit(0 if all(fine) else 1)


if __name__ == "__main__":
    main()
