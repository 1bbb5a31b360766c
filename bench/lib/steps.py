"""What is measured: each step runs one program on one model, between two measurements of the
machine's ceilings, and gives the rows of the table that it serves.
"""
from collections import namedtuple

from . import shapes
from .record import met

Seen = namedtuple("Seen", "ceilings tier")  # ceilings by name, before each run and behind the last; the tier that ran

TARGETS = {  # the ratio that is aimed at, by what and format
    ("decode", "Q8_0"): {"at_least": 0.9}, ("decode", "Q4_K_M"): {"at_least": 0.9},
    ("prefill", "Q8_0"): {"at_least": 0.7}, ("prefill", "Q4_K_M"): {"at_least": 0.6},
    ("prefill", "Q4_0"): {"at_least": 0.65}, ("prefill", "F16"): {"at_least": 0.6},
    ("generation", "Q8_0"): {"at_least": 8.0}, ("generation", "Q4_K_M"): {"at_least": 5.0},
}
AVX2 = {"at_least": 0.45}
VERIFY = {"at_least": 0.9}
BATCH = {"at_least": 6.0}
ATTENTION = {"at_most": 0.4}
DECODE_FAR = {"at_most": 1.25}
LOAD = {"at_most": 1.5}
MEMORY = {"at_most": 1.1}
ANSWER = {"at_most": 0.02}

TYPES = ("Q8_0", "Q4_K_M", "Q4_0", "F16")
MAIN_TYPES = ("Q8_0", "Q4_K_M")
STREAMS = 16
NOISY = 0.15
SAMPLINGS = {"greedy": "greedy", "top": "temperature 0.8, top-p 0.95, top-k 40", "penalties": "the same with penalties"}


class Step:
    """One program on one model, for the rows of some groups."""

    repeats = None  # as many as the run has

    def __init__(self, model, groups, threads, tier="auto", quick=False):
        self.model, self.groups, self.threads, self.tier, self.quick = model, groups, threads, tier, quick
        self.shape = shapes.SHAPES[model.shape]
        self.small = model.shape == "tiny"

    def name(self):
        m = self.model
        tier = "" if self.tier == "auto" else f", {self.tier}"
        return f"{', '.join(self.groups)}: {m.shape}, {m.type}, {self.threads} thread{'s' * (self.threads > 1)}{tier}"

    def prepare(self, models):
        """What is to be known of the model beforehand; nothing, of most."""

    def macs_cost(self, tokens):
        """Seconds, roughly: for the time that is left."""
        rate = 25e9 if self.model.type in shapes.FLOAT_TYPES else 120e9
        return tokens * shapes.layer_macs(self.model) / rate / self.threads

    def weight_cost(self, passes, rate=20e9):
        bytes_each = 2 if self.model.type in shapes.FLOAT_TYPES else 0.8
        macs = shapes.layer_macs(self.model) + shapes.head_macs(self.model)
        return passes * macs * bytes_each / rate

    def row(self, group, what, figure, unit, ceiling, value, target, seen):
        """ceiling and value: what the figure is compared with, one of the machine's ceilings or another
        figure of the same run. Reading memory is what others disturb first: where the ceiling is
        none of the machine's own, it tells whether the machine was quiet."""
        machine = ceiling in seen.ceilings[0]
        before, after = (c[ceiling if machine else "read"] for c in (seen.ceilings[0], seen.ceilings[-1]))
        noisy = abs(before - after) > NOISY * max(before, after)
        ratio = figure / value
        return {"group": group, "what": what, "shape": self.model.shape, "layers": self.model.layers,
                "layers_of": self.shape.layers, "format": self.model.type, "tier": seen.tier,
                "threads": self.threads, "figure": figure, "unit": unit,
                "ceiling": {"name": ceiling, "value": value, "before": before if machine else None,
                            "after": after if machine else None},
                "ratio": ratio, "target": target, "met": met(ratio, target), "noisy": noisy}


def best(seen, name):
    """A ceiling is as high as it was ever seen in the run: what disturbs only lowers it."""
    return max((c[name] for c in seen.ceilings if name in c), default=None)


class Phases(Step):
    """verbatim bench: prefill, decode, replay and load of one model."""

    def arguments(self):
        self.prompt = 64 if self.small else 512
        self.decode = 16 if self.quick or self.groups == ["prefill"] else 32
        self.replay = self.prompt if "verify" in self.groups else 1
        return ("bench", "-m", None, "-p", self.prompt, "-n", self.decode, "-r", self.replay, "-t", self.threads,
                "--tier", self.tier, "--json", "--quiet")

    program = "verbatim"

    def cost(self):
        replay = "verify" in self.groups
        return (self.weight_cost(1, 1e9) + self.macs_cost(512 * (1 + replay)) +
                self.weight_cost(16 if self.quick else 32))

    def rows(self, runs, seen):
        rate = {k: max(r[f"{k}_tokens_per_second"] for r in runs) for k in ("prefill", "decode", "replay")}
        weights = runs[0]["decode_weight_bytes"]
        layer, head = shapes.layer_macs(self.model), shapes.head_macs(self.model)
        kind = "f32" if self.model.type in shapes.FLOAT_TYPES else "int8"
        for group in self.groups:
            if group == "decode":
                read = max([best(seen, "read")] + [r["read_bandwidth_bytes_per_second"] for r in runs])
                yield self.row(group, "decode", rate["decode"] * weights, "B/s", "read", read,
                               TARGETS.get((group, self.model.type)), seen)
            elif group in ("prefill", "avx2"):
                target = AVX2 if group == "avx2" else TARGETS.get((group, self.model.type))
                peak = best(seen, kind)
                if peak:
                    yield self.row(group, f"prefill of {self.prompt} tokens", rate["prefill"] * layer, "MAC/s", kind,
                                   peak, target, seen)
            elif group == "verify":
                done, could = rate["replay"] * (layer + head), rate["prefill"] * (layer + head / self.prompt)
                yield self.row(group, f"verification of {self.prompt} tokens, operations", done, "MAC/s", "prefill",
                               could, VERIFY, seen)
                yield self.row(group, f"verification of {self.prompt} tokens", rate["replay"], "tokens/s", "decode",
                               rate["decode"], TARGETS.get(("generation", self.model.type)), seen)
            elif group == "load":
                yield from self.load_rows(runs, seen)

    def load_rows(self, runs, seen):
        loads = [r for r in runs if r.get("load_seconds") and r.get("read_seconds")]
        if loads:
            fastest = min(r["load_seconds"] for r in loads)
            yield self.row("load", "load", fastest, "s", "reading the file", min(r["read_seconds"] for r in loads),
                           LOAD, seen)
        peaks = [r for r in runs if r.get("peak_bytes")]
        if peaks:
            least = min(peaks, key=lambda r: r["peak_bytes"])
            # The memory of a pass is the same with few layers: then it says nothing of the shape.
            target = MEMORY if self.model.layers == self.shape.layers else None
            row = self.row("load", "peak memory", least["peak_bytes"], "B", "weights and cache",
                           least["weight_bytes"] + least["cache_bytes"], target, seen)
            yield {**row, "noisy": False}


class Batch(Step):
    """Sequences that decode together, against one."""
    program = "bench_scheduler"

    def arguments(self):
        self.decode = 8 if self.small else 16 if self.quick else 32
        return ("--threads", self.threads, "--tier", self.tier, "--prompt", 16, "--decode", self.decode, "--streams",
                STREAMS, "--runs", 1, "--json", None)

    def cost(self):
        return self.weight_cost(1, 1e9) + 3 * self.weight_cost(16 if self.quick else 32) + self.macs_cost(16 * 17)

    def rows(self, runs, seen):
        one = max(r["streams"]["1"] for r in runs)
        many = max(r["streams"][str(STREAMS)] for r in runs)
        yield self.row("batch", f"decode of {STREAMS} sequences", many, "tokens/s", "one sequence", one, BATCH, seen)


class Context(Step):
    """Attention's share of a long prefill, and decoding behind it."""
    program = "bench_context"

    def arguments(self):
        self.context = 512 if self.small else 8192
        return ("--threads", self.threads, "--tier", self.tier, "--context", self.context, "--decode",
                8 if self.quick else 16, "--json", None)

    repeats = 1  # it takes long, and decoding is the best of several tokens already

    def cost(self):
        return self.weight_cost(1, 1e9) + 2 * self.macs_cost(8192) + self.weight_cost(32)

    def rows(self, runs, seen):
        r = runs[0]
        read = best(seen, "read")
        weights, times = r["decode_weight_bytes"], self.shape.layers / self.model.layers
        whole = 1 + self.missing_bytes / weights
        first, last = r["decode_seconds_near"], r["decode_seconds_far"]
        yield self.row("context", f"attention in a prefill of {self.context}", r["attention_seconds"], "s",
                       "the prefill", r["prefill_seconds"], ATTENTION, seen)
        # With all layers, though some were left out: the head is read once whatever their number.
        far, near = first * whole + max(last - first, 0) * times, first * whole + r["cache_bytes"] * times / read
        yield self.row("context", f"decode behind {self.context} tokens", far, "s", "decode and reading the cache",
                       near, DECODE_FAR, seen)
        if last > first:
            yield self.row("context", f"keys and values of {self.context}", r["cache_bytes"] / (last - first), "B/s",
                           "read", read, None, seen)

    def prepare(self, models):
        self.missing_bytes = missing_bytes(self.model, models)


class Answer(Step):
    """Draws, trace and receipt, against a token of the model."""
    program = "bench_answer"

    def arguments(self):
        return ("--threads", self.threads, "--tier", self.tier, "--prompt", 16, "--tokens",
                8 if self.small else 16 if self.quick else 32, "--runs", 1, "--json", None)

    def cost(self):
        return self.weight_cost(1, 1e9) + 3 * self.weight_cost(16 if self.quick else 32)

    def prepare(self, models):
        self.missing_bytes = missing_bytes(self.model, models)

    def rows(self, runs, seen):
        whole = 1 + self.missing_bytes / runs[0]["decode_weight_bytes"]
        for name, words in SAMPLINGS.items():
            each = [r["samplings"][name] for r in runs]
            beside = min(x["step_seconds_per_token"] for x in each) + (
                min(x["receipt_seconds"] for x in each) / runs[0]["tokens"])
            token = whole * min(x["model_seconds_per_token"] for x in each)
            yield self.row("answer", f"draw, trace, receipt: {words}", beside, "s", "decode", token, ANSWER, seen)


class Verification(Step):
    """A whole answer made and verified: draws and trace too, which the rows of Phases leave out."""
    program = "bench_answer"
    repeats = 1

    def arguments(self):
        self.tokens = 64 if self.small else 512
        return ("--threads", self.threads, "--tier", self.tier, "--prompt", 16, "--tokens", self.tokens, "--runs", 1,
                "--verify", "--json", None)

    def cost(self):
        return self.weight_cost(1, 1e9) + self.weight_cost(512) + self.macs_cost(600)

    def rows(self, runs, seen):
        t = runs[0]["samplings"]["top"]
        made = self.tokens * (t["model_seconds_per_token"] + t["step_seconds_per_token"]) + t["receipt_seconds"]
        yield self.row("verify", f"answer of {self.tokens} tokens verified", self.tokens / t["verify_seconds"],
                       "tokens/s", "its generation", self.tokens / made, TARGETS.get(("generation", self.model.type)),
                       seen)


def missing_bytes(model, models):
    """Weights of the layers that a quick run leaves out."""
    whole = model._replace(layers=shapes.SHAPES[model.shape].layers)
    return models.file_bytes(whole) - models.file_bytes(model) if whole != model else 0


def some_of(names, preferred):
    """Where a row is meant for some shapes only and none of them is chosen, it is for those chosen."""
    return [n for n in names if n in preferred] or names


def plan(groups, names, types, threads, quick, tiers):
    """The steps, model by model."""
    most = max(threads)
    middle, big = some_of(names, ("qwen2.5-1.5b",)), some_of(names, ("qwen2.5-7b",))
    main_types = some_of(types, MAIN_TYPES)
    steps = []

    def add(step, wanted, name, kind, n, *tier):
        of = [g for g in groups if wanted.get(g)]
        if of:
            steps.append(step(shapes.Model(name, shapes.layers_of(name, quick), kind), of, n, *tier, quick=quick))

    for name in names:
        verified = name in some_of(names, ("qwen2.5-1.5b", "qwen2.5-7b"))
        for kind in types:
            main = kind in main_types
            if quick and not main and name not in middle:
                continue
            for n in threads:
                add(Phases, {"decode": True, "prefill": True, "verify": main and verified and n == most,
                             "load": main and n == most}, name, kind, n)
                few = quick and (name not in middle or kind != main_types[0])
                add(Batch, {"batch": main and not few and (n == most or name not in big)}, name, kind, n)
            # Draws and trace do not shrink with the layers: few of them would not be the shape.
            whole = not quick or name == "tiny"
            add(Verification, {"verify": main and verified and whole}, name, kind, most)
            add(Phases, {"avx2": "avx2" in tiers and name in middle and (main or not quick)}, name, kind, min(threads),
                "avx2")
            add(Context, {"context": name in big and kind == types[0]}, name, kind, most)
            add(Answer, {"answer": name in big and main}, name, kind, most)
    return steps
