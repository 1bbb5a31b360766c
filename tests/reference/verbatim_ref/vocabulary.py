"""What a model's tokens add to an answer's text, and which of them end it: spec/constraints.md section 5.1."""

_END_KEYS = ("eos", "eot", "eom")
_END_MARKERS = {"<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|endoftext|>", "<|end|>", "<end_of_turn>",
                "<\uff5cend\u2581of\u2581sentence\uff5c>"}
_MARKERS = _END_MARKERS | {
    "<|im_start|>", "<|start_header_id|>", "<|end_header_id|>", "<|begin_of_text|>",
    "<\uff5cbegin\u2581of\u2581sentence\uff5c>", "<\uff5cUser\uff5c>", "<\uff5cAssistant\uff5c>"}
_NORMAL, _CONTROL, _USER_DEFINED, _BYTE = 1, 3, 4, 6


def _bytes_of_characters():
    """Byte-level BPE writes each byte as a character: those of Latin-1 that can be seen as themselves, the others
    from U+0100 on."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [b for b in range(256) if b not in seen]
    return {**{chr(b): b for b in seen}, **{chr(256 + i): b for i, b in enumerate(hidden)}}


_BYTES = _bytes_of_characters()


def _utf8(text):
    return text.encode("utf-8", "surrogateescape")


def _text(token, kind, sentence_piece):
    if kind == _BYTE:
        return bytes([int(token[3:5], 16)])  # <0x41>
    if kind == _USER_DEFINED:
        return _utf8(token)
    if kind != _NORMAL:
        return b""
    if sentence_piece:
        return _utf8(token.replace("\u2581", " "))
    return b"".join(bytes([_BYTES[c]]) if c in _BYTES else _utf8(c) for c in token)


class Vocabulary:
    """texts: the bytes of each token, none of what ends an answer; ends: ids; tree: of the texts."""

    def __init__(self, g):
        tokens = g.kv["tokenizer.ggml.tokens"]
        types = [_CONTROL if t in _MARKERS else kind
                 for t, kind in zip(tokens, g.kv.get("tokenizer.ggml.token_type", [_NORMAL] * len(tokens)))]
        sentence_piece = g.kv["tokenizer.ggml.model"] == "llama"
        named = {g.kv.get(f"tokenizer.ggml.{key}_token_id") for key in _END_KEYS}
        if sentence_piece and "tokenizer.ggml.eos_token_id" not in g.kv and types[2:3] == [_CONTROL]:
            named.add(2)
        self.ends = {i for i, t in enumerate(tokens) if i in named or t in _END_MARKERS}
        self.texts = [b"" if i in self.ends else _text(t, types[i], sentence_piece) for i, t in enumerate(tokens)]
        self.tree = self._tree()

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
