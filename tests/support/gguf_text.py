"""Copies of a GGUF file with other texts in its metadata, and other tokens in its vocabulary: the
tensors keep their bytes and their alignment. Standard library only."""
import struct

SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # types of fixed size
INT32, TEXT, ARRAY = 5, 8, 9
USER_DEFINED = 4  # a token that stands for its text as it is
ALIGNMENT = 32


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        self.at += n
        assert self.at <= len(self.data), "the file is cut short"
        return self.data[self.at - n:self.at]

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize(form)))[0]

    def text(self):
        return self.take(self.number("Q")).decode()

    def skip_value(self, kind):
        if kind == TEXT:
            self.text()
        elif kind == ARRAY:
            kind, n = self.number("I"), self.number("Q")
            if kind in SIZES:
                self.take(n * SIZES[kind])
            else:
                for _ in range(n):
                    self.skip_value(kind)
        else:
            self.take(SIZES[kind])


def text_bytes(text):
    return struct.pack("<Q", len(text.encode())) + text.encode()


def entries_of(reader, n):
    """(key, bytes of key, type and value) of each entry of the metadata."""
    for _ in range(n):
        start = reader.at
        key = reader.text()
        reader.skip_value(reader.number("I"))
        yield key, reader.data[start:reader.at]


def replace_items(entry, kind, changes):
    """The entry of an array with other items: {index: bytes of the item}."""
    r = Reader(entry)
    key, array, found, n = r.text(), r.number("I"), r.number("I"), r.number("Q")
    assert array == ARRAY and found == kind, key
    items = []
    for _ in range(n):
        start = r.at
        r.skip_value(kind)
        items.append(entry[start:r.at])
    for i, item in changes.items():
        items[i] = item
    return text_bytes(key) + struct.pack("<IIQ", ARRAY, kind, n) + b"".join(items)


def rewrite(source, target, texts, printed=None):
    """target becomes source with the texts, {key: text}, in place of its own or in addition. printed:
    {id: text}, tokens that become ones which print this text."""
    with open(source, "rb") as f:
        r = Reader(f.read())
    magic, version, n_tensors, n_entries = r.take(4), r.number("I"), r.number("Q"), r.number("Q")
    assert magic == b"GGUF" and version == 3, source
    entries = dict(entries_of(r, n_entries))
    assert "general.alignment" not in entries, "only the default alignment is written"
    for key, text in texts.items():
        entries[key] = text_bytes(key) + struct.pack("<I", TEXT) + text_bytes(text)
    if printed:
        key = "tokenizer.ggml.tokens"
        entries[key] = replace_items(entries[key], TEXT, {i: text_bytes(t) for i, t in printed.items()})
        key = "tokenizer.ggml.token_type"
        entries[key] = replace_items(entries[key], INT32, {i: struct.pack("<i", USER_DEFINED) for i in printed})
    tensors = r.at
    for _ in range(n_tensors):  # name, dimensions, type, offset
        r.text()
        r.take(r.number("I") * 8 + 4 + 8)
    infos = r.data[tensors:r.at]
    head = magic + struct.pack("<IQQ", version, n_tensors, len(entries)) + b"".join(entries.values()) + infos
    with open(target, "wb") as f:
        f.write(head + bytes(-len(head) % ALIGNMENT) + r.data[r.at + -r.at % ALIGNMENT:])
