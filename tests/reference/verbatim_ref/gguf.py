"""GGUF files (versions 2 and 3): metadata and tensor bytes, little-endian, one file."""

import struct

from .quant import FORMATS

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q",
            12: "d"}
_STRING, _ARRAY = 8, 9


class Tensor:
    """dims[0] is the row length; data holds the rows one after another."""

    def __init__(self, name, dims, type_id, offset):
        self.name, self.dims, self.type_id, self.offset = name, dims, type_id, offset
        self.data, self.start = None, None  # start: in the file

    @property
    def cols(self):
        return self.dims[0]

    @property
    def rows(self):
        n = 1
        for d in self.dims[1:]:
            n *= d
        return n


class GGUF:
    def __init__(self, data, name="<bytes>"):
        self.name, self._b, self._p = name, memoryview(data), 0
        if bytes(self._take(4)) != b"GGUF":
            raise ValueError(f"{name}: not a GGUF file")
        self.version = self._scalar("I")
        if self.version not in (2, 3):
            raise ValueError(f"{name}: GGUF version {self.version} is not 2 or 3")
        n_tensors, n_kv = self._scalar("Q"), self._scalar("Q")
        self.kv, self.tensors = {}, {}
        for _ in range(n_kv):
            key = self._string()
            if key in self.kv:
                raise ValueError(f"{name}: key {key} twice")
            self.kv[key] = self._value(self._scalar("I"))
        listed = []
        for _ in range(n_tensors):
            tensor_name = self._string()
            dims = [self._scalar("Q") for _ in range(self._scalar("I"))]
            listed.append(Tensor(tensor_name, dims, self._scalar("I"), self._scalar("Q")))
        self._place(listed)

    def _place(self, listed):
        alignment = self.kv.get("general.alignment", 32)
        base = (self._p + alignment - 1) // alignment * alignment
        for t in listed:
            if t.type_id not in FORMATS:
                raise ValueError(f"{self.name}: {t.name} has tensor type {t.type_id}")
            fmt = FORMATS[t.type_id]
            if t.cols % fmt.block_values:
                raise ValueError(f"{self.name}: {t.name} has rows of {t.cols} values")
            n_bytes = t.rows * (t.cols // fmt.block_values) * fmt.block_bytes
            start = base + t.offset
            if t.offset % alignment or start + n_bytes > len(self._b) or t.name in self.tensors:
                raise ValueError(f"{self.name}: {t.name} at {start} is out of place")
            t.data, t.start = self._b[start : start + n_bytes], start
            self.tensors[t.name] = t

    def _take(self, n):
        if n > len(self._b) - self._p:
            raise ValueError(f"{self.name}: ends at {len(self._b)}, {n} bytes wanted at {self._p}")
        self._p += n
        return self._b[self._p - n : self._p]

    def _scalar(self, code):
        return struct.unpack("<" + code, self._take(struct.calcsize("<" + code)))[0]

    def _string(self):
        return bytes(self._take(self._scalar("Q"))).decode("utf-8", "surrogateescape")

    def _value(self, kind):
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            item, n = self._scalar("I"), self._scalar("Q")
            if item in _SCALARS:
                code = _SCALARS[item]
                raw = self._take(n * struct.calcsize("<" + code))
                return list(struct.unpack(f"<{n}{code}", raw))
            return [self._value(item) for _ in range(n)]
        if kind not in _SCALARS:
            raise ValueError(f"{self.name}: metadata type {kind} at {self._p}")
        return self._scalar(_SCALARS[kind])


def load(path):
    with open(path, "rb") as f:
        return GGUF(f.read(), path)


class Writer:
    """Builds a GGUF v3 file; used to make the tiny models of the vectors."""

    ALIGNMENT = 32

    def __init__(self):
        self._kv, self._tensors = [], []

    def add(self, key, kind, value):
        """kind is one of "u32", "f32", "str", "bool", or "str[]", "f32[]", "i32[]"."""
        self._kv.append((key, kind, value))

    def add_tensor(self, name, dims, type_id, data):
        fmt = FORMATS[type_id]
        rows = 1
        for d in dims[1:]:
            rows *= d
        assert len(data) == rows * dims[0] // fmt.block_values * fmt.block_bytes, name
        self._tensors.append((name, dims, type_id, bytes(data)))

    @staticmethod
    def _pack_string(text):
        raw = text.encode("utf-8")
        return struct.pack("<Q", len(raw)) + raw

    def _pack_value(self, kind, value):
        codes = {"u32": (4, "<I"), "i32": (5, "<i"), "f32": (6, "<f"), "bool": (7, "<?")}
        if kind.endswith("[]"):
            items = [self._pack_value(kind[:-2], v) for v in value]
            type_id = items[0][0]
            body = b"".join(i[1] for i in items)
            return 9, struct.pack("<IQ", type_id, len(items)) + body
        if kind == "str":
            return _STRING, self._pack_string(value)
        return codes[kind][0], struct.pack(codes[kind][1], value)

    def bytes(self):
        out = b"GGUF" + struct.pack("<IQQ", 3, len(self._tensors), len(self._kv))
        for key, kind, value in self._kv:
            type_id, raw = self._pack_value(kind, value)
            out += self._pack_string(key) + struct.pack("<I", type_id) + raw
        offset, body = 0, b""
        for name, dims, type_id, data in self._tensors:
            out += self._pack_string(name) + struct.pack("<I", len(dims))
            out += struct.pack(f"<{len(dims)}Q", *dims) + struct.pack("<IQ", type_id, offset)
            pad = -len(data) % self.ALIGNMENT
            body += data + bytes(pad)
            offset += len(data) + pad
        return out + bytes(-len(out) % self.ALIGNMENT) + body
