"""vectors/reference.test: all frozen vectors, then the engine's logits against this package's.

python3 -m verbatim_ref.compare SOURCE_TREE BUILD_FOLDER; exit status as tests/*/*.test.
"""

import os
import sys

from . import digests, gguf, model, places, vectors

RUNS = [
    ("tiny-llama.gguf", [1, 5, 9, 2, 47, 0, 11]),
    ("tiny-qwen2.gguf", [3, 1, 4, 1, 5, 9, 2, 6]),
    ("stories260K.gguf", [1, 403, 407, 261, 378, 432, 383, 286]),
    ("verbatim-demo-q8_0.gguf", [2302, 9, 500, 1200, 77, 2, 2303, 640]),
    ("verbatim-demo-q4_k_m.gguf", [2302, 9, 500, 1200, 77, 2, 2303, 640]),
]


def _first_difference(ours, theirs, n_vocab):
    if len(ours) != len(theirs):
        return f"{len(theirs)} bytes of logits, {len(ours)} expected"
    at = next(i for i in range(0, len(ours), 4) if ours[i : i + 4] != theirs[i : i + 4])
    token, index = divmod(at // 4, n_vocab)
    return (f"logit {index} after token {token} is {theirs[at:at + 4][::-1].hex()}, "
            f"{ours[at:at + 4][::-1].hex()} expected")


def _compare_run(program, path, tokens):
    """None when the engine's logits are these bits."""
    m = model.Model(gguf.load(path))
    ours = digests.f32_bytes(model.Session(m).forward(tokens))
    theirs = places.engine_logits(program, path, tokens)
    return None if ours == theirs else _first_difference(ours, theirs, m.n_vocab)


def main():
    root, build = sys.argv[1:3]
    folder = os.path.join(root, "spec", "vectors")
    folders = [folder] + places.model_folders(root)
    if vectors.check(folder, folders):
        return 1
    program = places.engine(build)
    if program is None:
        print(f"the vectors pass; the engine is not built in {build}")
        return places.SKIPPED
    failed = 0
    for name, tokens in RUNS:
        path = places.find(name, folders)
        problem = "ABSENT" if path is None else _compare_run(program, path, tokens)
        failed += problem not in (None, "ABSENT")
        print(f"{name}: {problem or 'the engine gives the same bits'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
