"""Makes the tiny models of the vectors: random weights in every format, from splitmix64.

tiny-llama: 2 layers, every 32-value format and the three float formats, rope_freqs.weight,
an output head of its own. tiny-qwen2: 1 layer, the K formats, biases, yarn, a tied head.
Sizes are as small as the formats allow; the files are stored beside the vectors.
"""

import numpy as np

from . import quant
from .gguf import Writer
from .rng import Rng

_HALVES = {"Q4_0": 1, "Q5_0": 1, "Q8_0": 1, "Q4_1": 2, "Q5_1": 2}


def random_rows(rng, name, rows, cols, amplitude):
    """File bytes of rows x cols weights of about the given amplitude: each block's bytes are
    random, then its binary16 scales are set to amplitude / largest integer * [0.5, 1)."""
    fmt = quant.FORMATS[quant.BY_NAME[name]]
    if fmt.is_float:
        x = rng.uniform(rows * cols) * np.float32(amplitude)
        if name == "BF16":
            return (x.view(np.uint32) >> 16).astype("<u2").tobytes()
        return x.astype("<f4" if name == "F32" else "<f2").tobytes()
    out = b""
    for _ in range(rows * cols // fmt.block_values):
        out += _random_block(rng, name, fmt, amplitude)
    return out


def _half_bytes(rng, scale):
    return np.array([scale * (0.75 + 0.25 * float(rng.uniform(1)[0]))], "<f2").tobytes()


def _random_block(rng, name, fmt, amplitude):
    raw = bytearray(rng.bytes(fmt.block_bytes))
    if name in _HALVES:
        largest = {"Q4_0": 8, "Q5_0": 16, "Q8_0": 128, "Q4_1": 8, "Q5_1": 16}[name]
        raw[0:2] = _half_bytes(rng, amplitude / largest)
        if _HALVES[name] == 2:
            raw[2:4] = _half_bytes(rng, -amplitude)
    elif name == "Q6_K":
        raw[208:210] = _half_bytes(rng, amplitude / (32 * 64))
    else:
        largest = 8 if name == "Q4_K" else 16
        raw[0:2] = _half_bytes(rng, amplitude / (largest * 32))
        raw[2:4] = _half_bytes(rng, amplitude / 32)
    return bytes(raw)


class _Maker:
    def __init__(self, seed):
        self.rng, self.writer = Rng(seed), Writer()

    def matrix(self, name, fmt, rows, cols, amplitude):
        data = random_rows(self.rng, fmt, rows, cols, amplitude)
        self.writer.add_tensor(name, [cols, rows], quant.BY_NAME[fmt], data)

    def vector(self, name, n, middle, spread):
        x = np.float32(middle) + self.rng.uniform(n) * np.float32(spread)
        self.writer.add_tensor(name, [n], quant.BY_NAME["F32"], x.astype("<f4").tobytes())


def _metadata(w, arch, values):
    w.add("general.architecture", "str", arch)
    w.add("general.name", "str", "tiny " + arch)
    for key, kind, value in values:
        w.add(f"{arch}.{key}", kind, value)


def llama():
    m, embd, ff, vocab = _Maker(1), 32, 64, 48
    _metadata(m.writer, "llama", [
        ("block_count", "u32", 2), ("context_length", "u32", 512),
        ("embedding_length", "u32", embd), ("feed_forward_length", "u32", ff),
        ("attention.head_count", "u32", 4), ("attention.head_count_kv", "u32", 2),
        ("rope.dimension_count", "u32", 8), ("rope.freq_base", "f32", 500000.0),
        ("vocab_size", "u32", vocab),
        ("attention.layer_norm_rms_epsilon", "f32", 1e-5)])
    w = m.writer
    w.add("tokenizer.ggml.model", "str", "llama")
    pieces = ["<unk>", "<s>", "</s>"] + [f"t{i}" for i in range(3, vocab)]
    w.add("tokenizer.ggml.tokens", "str[]", pieces)
    w.add("tokenizer.ggml.scores", "f32[]", [0.0] * vocab)
    w.add("tokenizer.ggml.token_type", "i32[]", [2, 3, 3] + [1] * (vocab - 3))
    w.add("tokenizer.ggml.bos_token_id", "u32", 1)
    w.add("tokenizer.ggml.eos_token_id", "u32", 2)
    m.matrix("token_embd.weight", "Q5_1", vocab, embd, 1.0)
    m.vector("output_norm.weight", embd, 1.0, 0.5)
    m.matrix("output.weight", "Q4_0", vocab, embd, 0.5)
    m.vector("rope_freqs.weight", 4, 3.0, 2.0)
    formats = [["F32", "F16", "BF16", "Q8_0", "Q4_1", "Q5_0", "Q5_1"],
               ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "F16", "Q8_0", "BF16"]]
    for layer, f in enumerate(formats):
        p = f"blk.{layer}."
        m.vector(p + "attn_norm.weight", embd, 1.0, 0.5)
        m.matrix(p + "attn_q.weight", f[0], embd, embd, 0.25)
        m.matrix(p + "attn_k.weight", f[1], 16, embd, 0.25)
        m.matrix(p + "attn_v.weight", f[2], 16, embd, 0.25)
        m.matrix(p + "attn_output.weight", f[3], embd, embd, 0.25)
        m.vector(p + "ffn_norm.weight", embd, 1.0, 0.5)
        m.matrix(p + "ffn_gate.weight", f[4], ff, embd, 0.25)
        m.matrix(p + "ffn_up.weight", f[5], ff, embd, 0.25)
        m.matrix(p + "ffn_down.weight", f[6], embd, ff, 0.25)
    return w.bytes()


def qwen2():
    m, embd, ff, vocab = _Maker(2), 256, 32, 24
    _metadata(m.writer, "qwen2", [
        ("block_count", "u32", 1), ("context_length", "u32", 512),
        ("embedding_length", "u32", embd), ("feed_forward_length", "u32", ff),
        ("attention.head_count", "u32", 4), ("attention.head_count_kv", "u32", 2),
        ("attention.key_length", "u32", 16), ("attention.value_length", "u32", 16),
        ("rope.freq_base", "f32", 1000000.0), ("rope.scaling.type", "str", "yarn"),
        ("rope.scaling.factor", "f32", 4.0),
        ("rope.scaling.original_context_length", "u32", 128),
        ("attention.layer_norm_rms_epsilon", "f32", 1e-6)])
    w = m.writer
    w.add("tokenizer.ggml.model", "str", "gpt2")
    w.add("tokenizer.ggml.pre", "str", "qwen2")
    names = [chr(ord("a") + i) for i in range(vocab - 2)] + ["ab", "<|endoftext|>"]
    w.add("tokenizer.ggml.tokens", "str[]", names)
    w.add("tokenizer.ggml.token_type", "i32[]", [1] * (vocab - 1) + [3])
    w.add("tokenizer.ggml.merges", "str[]", ["a b"])
    w.add("tokenizer.ggml.eos_token_id", "u32", vocab - 1)
    m.matrix("token_embd.weight", "Q6_K", vocab, embd, 1.0)
    m.vector("output_norm.weight", embd, 1.0, 0.5)
    p = "blk.0."
    m.vector(p + "attn_norm.weight", embd, 1.0, 0.5)
    for name, fmt, rows in (("attn_q", "Q4_K", 64), ("attn_k", "Q5_K", 32), ("attn_v", "Q6_K", 32)):
        m.matrix(p + name + ".weight", fmt, rows, embd, 0.125)
        m.vector(p + name + ".bias", rows, 0.0, 0.5)
    m.matrix(p + "attn_output.weight", "Q4_0", embd, 64, 0.25)
    m.vector(p + "ffn_norm.weight", embd, 1.0, 0.5)
    m.matrix(p + "ffn_gate.weight", "Q4_K", ff, embd, 0.125)
    m.matrix(p + "ffn_up.weight", "Q5_K", ff, embd, 0.125)
    m.matrix(p + "ffn_down.weight", "Q8_0", embd, ff, 0.25)
    return w.bytes()


MODELS = {"tiny-llama.gguf": llama, "tiny-qwen2.gguf": qwen2}
