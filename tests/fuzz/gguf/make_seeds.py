#!/usr/bin/env python3
"""Writes the seeds of corpus/gguf: one small file for each thing a GGUF file can hold.

The fuzzer finds the rest from these; findings are added to the folder by hand.
"""
import pathlib
import struct

OUT = pathlib.Path(__file__).resolve().parent / "corpus" / "gguf"
U8, I8, U16, I16, U32, I32, F32, BOOL, STR, ARR, U64, I64, F64 = range(13)
FORMAT = {U8: "<B", I8: "<b", U16: "<H", I16: "<h", U32: "<I", I32: "<i", F32: "<f",
          BOOL: "<B", U64: "<Q", I64: "<q", F64: "<d"}
BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
          10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210),
          30: (1, 2)}


def string(s):
    data = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(data)) + data


def value(kind, v):
    return string(v) if kind == STR else struct.pack(FORMAT[kind], v)


def kv(key, kind, v, item=None):
    out = string(key) + struct.pack("<I", kind)
    if kind == ARR:
        return out + struct.pack("<IQ", item, len(v)) + b"".join(value(item, x) for x in v)
    return out + value(kind, v)


def gguf(kvs=(), tensors=(), version=3, align=32):
    infos, data = b"", b""
    for name, dims, kind in tensors:
        data += b"\0" * (-len(data) % align)
        infos += string(name) + struct.pack("<I", len(dims))
        infos += b"".join(struct.pack("<Q", d) for d in dims) + struct.pack("<IQ", kind, len(data))
        values, size = BLOCKS[kind]
        n = dims[0] // values * size
        for d in dims[1:]:
            n *= d
        data += bytes(i * 7 & 255 for i in range(n))
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(kvs)) + b"".join(kvs) + infos
    return head + b"\0" * (-len(head) % align) + data if tensors else head


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    scalars = [kv(f"k.{t}", t, 1) for t in FORMAT] + [kv("k.s", STR, "text\n\x1b\u202e\xff")]
    arrays = [kv(f"a.{t}", ARR, [0, 1, 1], t) for t in FORMAT]
    strings = [kv("a.s", ARR, ["", "a", b"\xff\xfe"], STR), kv("a.e", ARR, [], STR)]
    seeds = {
        "empty_v2": gguf(version=2),
        "empty_v3": gguf(),
        "scalars": gguf(scalars),
        "arrays": gguf(arrays),
        "strings": gguf(strings),
        "types": gguf([kv("general.architecture", STR, "llama")],
                      [(f"t.{t}", [BLOCKS[t][0], 2], t) for t in BLOCKS]),
        "dims": gguf([], [("a", [3], 0), ("b", [3, 2], 1), ("c", [2, 2, 2], 30),
                          ("d", [32, 1, 2, 1], 8)]),
        "align_8": gguf([kv("general.alignment", U32, 8)], [("a", [1], 1), ("b", [1], 1)],
                        align=8),
        "align_64": gguf([kv("general.alignment", U32, 64)], [("a", [1], 1), ("b", [1], 1)],
                         align=64, version=2),
        "split": gguf([kv("split.no", U16, 0), kv("split.count", U16, 1),
                       kv("split.tensors.count", I32, 1)], [("a", [1], 0)]),
        "nested": gguf([string("n") + struct.pack("<IIQ", ARR, ARR, 1) + struct.pack("<IQ", U8, 0)]),
        "big_endian": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
        "floats": gguf([kv("f.a", F32, 1e-5), kv("f.b", F64, 1e300), kv("f.c", F32, float("nan"))]),
    }
    for name, data in seeds.items():
        (OUT / name).write_bytes(data)


if __name__ == "__main__":
    main()
