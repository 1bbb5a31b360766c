"""What a model's tokens add to an answer's text, and which of them end it: spec/constraints.md section 5."""

_END_KEYS = ("eos", "eot", "eom")
_END_TEXTS = {"<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|endoftext|>", "<|end|>", "<end_of_turn>",
              "<\uff5cend\u2581of\u2581sentence\uff5c>"}
_NORMAL, _USER_DEFINED, _BYTE = 1, 4, 6


def _bytes_of_characters():
    """Byte-level BPE writes each byte as a character: those of Latin-1 that can be seen as themselves, the others
    from U+0100 on."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [b for b in range(256) if b not in seen]
    return {**{chr(b): b for b in seen}, **{chr(256 + i): b for i, b in enumerate(hidden)}}


_BYTES = _bytes_of_characters()


class Vocabulary:
    """texts: the bytes of each token, none of what ends an answer; ends: ids; tree: of the texts."""

    def __init__(self, g):
        tokens, types = g.kv["tokenizer.ggml.tokens"], g.kv["tokenizer.ggml.token_type"]
        sentence_piece = g.kv["tokenizer.ggml.model"] == "llama"
        named = {g.kv.get(f"tokenizer.ggml.{key}_token_id") for key in _END_KEYS}
        self.ends = {i for i, t in enumerate(tokens) if i in named or t in _END_TEXTS}
        self.texts = [b"" if i in self.ends else self._text(t, types[i], sentence_piece) for i, t in enumerate(tokens)]
        self.tree = self._tree()

    @staticmethod
    def _text(token, kind, sentence_piece):
        raw = token.encode("utf-8", "surrogateescape")
        if kind == _BYTE:
            return bytes([int(token[3:5], 16)])  # <0x41>
        if kind == _USER_DEFINED:
            return raw
        if kind != _NORMAL:
            return b""
        return token.replace("\u2581", " ").encode("utf-8", "surrogateescape") if sentence_piece else \
            bytes(_BYTES[c] for c in token)

    def _tree(self):
        """Of the texts: each node is ({byte: node}, ids of the tokens that end there)."""
        root = ({}, [])
        for i, text in enumerate(self.texts):
            node = root
            for byte in text if len(text) <= 1024 else b"":
                node = node[0].setdefault(byte, ({}, []))
            if node is not root:
                node[1].append(i)
        return root
