"""The forward pass of the llama and qwen2 architectures, from a GGUF file."""

import numpy as np

from . import arith, quant, rope

F32 = np.float32


class Config:
    def __init__(self, g):
        self.arch = g.kv["general.architecture"]
        if self.arch not in ("llama", "qwen2"):
            raise ValueError(f"architecture {self.arch} is not llama or qwen2")
        get = lambda key, default=None: g.kv.get(f"{self.arch}.{key}", default)
        for key in ("block_count", "context_length", "embedding_length", "feed_forward_length",
                    "attention.head_count", "attention.layer_norm_rms_epsilon"):
            if get(key) is None:
                raise ValueError(f"{self.arch}.{key} is missing")
        self.n_embd = get("embedding_length")
        self.n_layers = get("block_count")
        self.n_heads = get("attention.head_count")
        self.n_kv_heads = get("attention.head_count_kv", self.n_heads)
        self.head_dim = get("attention.key_length", self.n_embd // self.n_heads)
        self.n_ff = get("feed_forward_length")
        self.n_rot = get("rope.dimension_count", self.head_dim)
        self.eps = F32(get("attention.layer_norm_rms_epsilon"))
        self.neox = self.arch == "qwen2"
        t = g.tensors.get("rope_freqs.weight")
        factors = None if t is None else quant.decode(t.type_id, t.data, 1, t.cols)[0]
        self.rope = rope.Params.from_metadata(get, self.n_rot, factors)


class Model:
    """Weights are decoded once; a Session holds the keys and values of one sequence."""

    def __init__(self, g):
        self.config = Config(g)
        self._g = g
        self._w = {name: self._decode(t) for name, t in g.tensors.items()}
        self.n_vocab = g.tensors["token_embd.weight"].rows
        self.head = "output.weight" if "output.weight" in self._w else "token_embd.weight"
        self.freqs, self.mscale = rope.frequencies(self.config.rope)

    @staticmethod
    def _decode(t):
        try:
            w = quant.decode(t.type_id, t.data, t.rows, t.cols)
        except ValueError as e:
            raise arith.NonFinite(f"{t.name}: {e}") from None
        return w[0] if isinstance(w, np.ndarray) and len(t.dims) == 1 else w

    def weight(self, name):
        return self._w[name]

    def project(self, x, layer, name):
        """A product and, for queries, keys and values, the bias if the file has one."""
        prefix = f"blk.{layer}.{name}"
        y = arith.product(self._w[prefix + ".weight"], x, f"layer {layer}, {name}")
        bias = self._w.get(prefix + ".bias") if name in ("attn_q", "attn_k", "attn_v") else None
        return y if bias is None else y + bias

    def embed(self, tokens):
        return np.stack([quant.values(self._w["token_embd.weight"], t) for t in tokens])

    def norm(self, x, name):
        return arith.rmsnorm(x, self._w[name], self.config.eps)


class Session:
    def __init__(self, model):
        self.model = model
        c = model.config
        empty = np.zeros((0, c.n_kv_heads, c.head_dim), np.float16)
        self.keys, self.values = [empty] * c.n_layers, [empty] * c.n_layers
        self.length = 0

    def _attend(self, layer, x, rows):
        m, c = self.model, self.model.config
        q = m.project(x, layer, "attn_q").reshape(-1, c.n_heads, c.head_dim)
        k = m.project(x, layer, "attn_k").reshape(-1, c.n_kv_heads, c.head_dim)
        v = m.project(x, layer, "attn_v").reshape(-1, c.n_kv_heads, c.head_dim)
        scale = arith.head_scale(c.head_dim)
        out = np.empty((x.shape[0], c.n_heads * c.head_dim), F32)
        for i, (cos, sin) in enumerate(rows):
            qi = arith.rotate(q[i], cos, sin, c.n_rot, c.neox)
            ki = arith.rotate(k[i], cos, sin, c.n_rot, c.neox)
            arith.check_finite(qi, f"layer {layer}, query")
            where = f"layer {layer}, KV cache"
            keys = np.concatenate([self.keys[layer], arith.to_half(ki, where)[None]])
            values = np.concatenate([self.values[layer], arith.to_half(v[i], where)[None]])
            self.keys[layer], self.values[layer] = keys, values
            out[i] = arith.attention(qi, keys, values, scale).reshape(-1)
        return m.project(out, layer, "attn_output")

    def forward(self, tokens, on_layer=None):
        """Appends tokens; returns the logits after each, [tokens][vocab]. on_layer(l, x), if
        given, sees the residual stream after layer l."""
        m = self.model
        if any(not 0 <= t < m.n_vocab for t in tokens):
            raise ValueError("token outside the vocabulary")
        rows = [rope.row(m.freqs, m.mscale, self.length + i) for i in range(len(tokens))]
        x = m.embed(tokens)
        for layer in range(m.config.n_layers):
            h = m.norm(x, f"blk.{layer}.attn_norm.weight")
            x = x + self._attend(layer, h, rows)
            h = m.norm(x, f"blk.{layer}.ffn_norm.weight")
            gate = m.project(h, layer, "ffn_gate")
            up = m.project(h, layer, "ffn_up")
            x = x + m.project(arith.silu_mul(gate, up), layer, "ffn_down")
            if on_layer:
                on_layer(layer, x)
        self.length += len(tokens)
        logits = arith.product(m.weight(m.head), m.norm(x, "output_norm.weight"), m.head)
        arith.check_finite(logits, "logits")
        return logits
