"""reference/accuracy.test: the definition beside an independent float implementation.

stories260K, 200 greedy steps, from another program that keeps keys and values in binary32. What
the definition rounds that the other does not is the cache's binary16; without that rounding the
two must agree to float noise, and with it the distance is reported and bounded.

python3 -m verbatim_ref.accuracy SOURCE_TREE BUILD_FOLDER; exit status as tests/*/*.test.
"""

import json
import os
import sys
from unittest import mock

import numpy as np

from . import arith, digests, gguf, model, places, sampling

NOISE_MAX = 1e-3  # float noise alone
CACHE_MAX = 0.05  # with the cache in binary16; the largest logit is 22


def _records(path):
    """token, position, logits of each step."""
    raw = np.fromfile(path, "<i4").reshape(-1, 514)
    return raw[:, 0].tolist(), raw[:, 1].tolist(), raw[:, 2:].copy().view("<f4").astype(np.float32)


def _float_cache(m, tokens):
    """The logits with keys and values kept in binary32."""
    session = model.Session(m)
    session.keys = [k.astype(np.float32) for k in session.keys]
    session.values = [v.astype(np.float32) for v in session.values]
    with mock.patch.object(arith, "to_half", lambda x, where="": x):
        return session.forward(tokens)


def _text(g, ids):
    """SentencePiece pieces to text, the leading space dropped."""
    pieces = [g.kv["tokenizer.ggml.tokens"][i] for i in ids]
    raw = b""
    for piece in pieces:
        is_byte = len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">")
        raw += bytes([int(piece[3:5], 16)]) if is_byte else piece.replace("\u2581", " ").encode()
    return raw.decode("utf-8", "replace").removeprefix(" ")


def _greedy(m, first, n):
    """Token by token, each the lowest-index maximum; also the logits of every step."""
    session, ids, rows = model.Session(m), [first], []
    for _ in range(n):
        rows.append(session.forward([ids[-1]])[0])
        ids.append(sampling.argmax(rows[-1]))
    return ids[1:], np.array(rows)


def main():
    root, build = sys.argv[1:3]
    data = os.path.join(places.data_folder(root), "models", "stories260K")
    path = os.path.join(data, "stories260K.gguf")
    if not os.path.exists(path):
        print("shared data is absent: models/stories260K")
        return places.SKIPPED
    tokens, positions, theirs = _records(os.path.join(data, "reference_logits_empty_prompt.f32"))
    assert positions == list(range(len(tokens)))
    g = gguf.load(path)
    m = model.Model(g)
    ids, ours = _greedy(m, tokens[0], len(tokens))
    with open(os.path.join(data, "reference.json"), encoding="utf-8") as f:
        expected_ids = json.load(f)[0]["argmax"]
    with open(os.path.join(data, "expected_200.txt"), encoding="utf-8") as f:
        expected_text = f.read()
    noise = float(np.abs(_float_cache(m, tokens) - theirs).max())
    cache = float(np.abs(ours - theirs).max())
    batch = model.Session(m).forward(tokens)
    checks = [
        (f"largest difference with a binary32 cache: {noise:.3g} (< {NOISE_MAX})",
         noise < NOISE_MAX),
        (f"largest difference as defined: {cache:.3g} (< {CACHE_MAX})", cache < CACHE_MAX),
        ("greedy ids are the reference's", ids == expected_ids),
        ("greedy text is the reference's", _text(g, ids).strip() == expected_text.strip()),
        ("one batch gives the bits of one token at a time",
         digests.f32_bytes(batch) == digests.f32_bytes(ours)),
    ]
    program = places.engine(build)
    if program:
        engine = places.engine_logits(program, path, tokens)
        checks.append(("the engine's logits are these bits", engine == digests.f32_bytes(ours)))
    for text, passed in checks:
        print("ok  " if passed else "FAIL", text)
    return 0 if all(passed for _, passed in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
