"""vectors/reference.test: all frozen vectors, then the engine against this package: logits on every
tier, and receipts replayed from the specification's text.

python3 -m verbatim_ref.compare SOURCE_TREE BUILD_FOLDER; exit status as tests/*/*.test.
"""

import hashlib
import json
import os
import sys

from . import digests, exhaustive, gguf, model, places, receipt, vectors, vocabulary

RUNS = [
    ("tiny-llama.gguf", [1, 5, 9, 2, 47, 0, 11]),
    ("tiny-qwen2.gguf", [3, 1, 4, 1, 5, 9, 2, 6]),
    ("stories260K.gguf", [1, 403, 407, 261, 378, 432, 383, 286]),
    ("verbatim-demo-q8_0.gguf", [2302, 9, 500, 1200, 77, 2, 2303, 640]),
    ("verbatim-demo-q4_k_m.gguf", [2302, 9, 500, 1200, 77, 2, 2303, 640]),
]


SCHEMA = json.dumps({
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 12}, "n": {"type": ["integer", "null"]},
                   "tags": {"type": "array", "items": {"enum": ["a", "b", 1.5]}, "maxItems": 3}},
    "required": ["name", "n"]})

ANSWERS = [
    ("verbatim-demo-q8_0.gguf", "-p", "Who are you?", "--temp", "0", "-n", "24", "--seed", "1"),
    ("verbatim-demo-q4_k_m.gguf", "-p", "Tell me about receipts.", "--temp", "0.8", "--top-p",
     "0.95", "-n", "24", "--seed", "18446744073709551615"),
    ("verbatim-demo-q8_0.gguf", "-p", "Tell a story with a fox and a clock.", "--system",
     "Be kind.", "--temp", "1.3", "--top-k", "40", "--top-p", "0.9", "--min-p", "0.02",
     "--frequency-penalty", "0.3", "--presence-penalty", "-0.2", "--repetition-penalty", "1.1", "--logit-bias", "500=1.5",
     "-n", "32", "--seed", "42"),
    ("stories260K.gguf", "--raw", "-p", "Once upon", "--temp", "1", "--stop", ".", "-n", "40",
     "--seed", "7"),
    ("verbatim-demo-q8_0.gguf", "-p", "Who are you?", "--temp", "0.9", "--top-k", "40", "--logit-bias",
     "198=-100", "--logit-bias", "220=-30", "-n", "64", "--seed", "4", "--json-schema", SCHEMA),
    ("stories260K.gguf", "--raw", "-p", "Once upon", "--temp", "1", "-n", "40", "--seed", "11", "--json-object"),
    ("verbatim-demo-q4_k_m.gguf", "-p", "Is that so?", "--temp", "0", "-n", "16", "--seed", "3", "--choice", "yes",
     "--choice", "no", "--choice", "not at all: \u20ac"),
]


def _first_difference(ours, theirs, n_vocab):
    if len(ours) != len(theirs):
        return f"{len(theirs)} bytes of logits, {len(ours)} expected"
    at = next(i for i in range(0, len(ours), 4) if ours[i : i + 4] != theirs[i : i + 4])
    token, index = divmod(at // 4, n_vocab)
    return (f"logit {index} after token {token} is {theirs[at:at + 4][::-1].hex()}, "
            f"{ours[at:at + 4][::-1].hex()} expected")


def _compare_logits(program, path, tokens, tiers):
    """None when the engine's logits are these bits, on every tier."""
    m = model.Model(gguf.load(path))
    ours = digests.f32_bytes(model.Session(m).forward(tokens))
    for tier in tiers:
        theirs = places.engine_logits(program, path, tokens, "--tier", tier)
        if ours != theirs:
            return f"{tier}: {_first_difference(ours, theirs, m.n_vocab)}"
    return None


def _compare_answer(program, path, options, _tiers):
    """None when the engine's receipt replays."""
    g = gguf.load(path)
    m = model.Model(g)
    with open(path, "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    try:
        raw = places.engine_receipt(program, path, *options)
        receipt.replay(raw, digest, lambda: model.Session(m), vocabulary.Vocabulary(g))
    except receipt.Refuted as e:
        return str(e)
    return None


def _compare_engine(program, folders):
    """The number of differences; prints one line a run."""
    failed = 0
    tiers = places.engine_tiers(program, places.find(RUNS[0][0], folders))
    print("tiers:", ", ".join(tiers))
    runs = [(name, _compare_logits, tokens, "the same logits") for name, tokens in RUNS]
    runs += [(name, _compare_answer, options, "the receipt replays") for name, *options in ANSWERS]
    for name, compare, how, good in runs:
        path = places.find(name, folders)
        problem = compare(program, path, how, tiers) if path else None
        print(f"{name}: {'ABSENT' if path is None else problem or good}")
        failed += problem is not None
    return failed


def main():
    root, build = sys.argv[1:3]
    folder = os.path.join(root, "spec", "vectors")
    folders = [folder] + places.model_folders(root)
    if vectors.check(folder, folders):
        return 1
    passed, failed = exhaustive.check_file(os.path.join(folder, "exp_silu.digests"))
    print(f"exp_silu.digests: {passed} blocks passed, {failed} failed")
    if failed or not passed:
        return 1
    program = places.engine(build)
    if program is None:
        print(f"the vectors pass; the engine is not built in {build}")
        return places.SKIPPED
    return 1 if _compare_engine(program, folders) else 0


if __name__ == "__main__":
    sys.exit(main())
