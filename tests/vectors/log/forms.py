"""Vectors of trees, keys, entries and notes."""

import copy

import logs
import receipts
from logs import LOG, ORIGIN, SEED, T, WITNESS, b64, log_line, note, text, vkey, witness_key, witness_line
from verbatim_ref.strict import canonical

L = 2**252 + 27742317777372353535851937790883648493


# Trees: entry i is the number i as u64be.

SIZES = [*range(0, 10), 15, 16, 17, 31, 33, 64, 70, 100, 127, 128, 129, 255, 256, 257]


def trees():
    tree = logs.Tree([i.to_bytes(8, "big") for i in range(SIZES[-1])])
    for size in SIZES:
        places = sorted({0, size // 3, size // 2, size - 1} - {-1}) if size else []
        olds = sorted({1, size // 2, size - 1, 1 << (size.bit_length() - 1)} - {0}) if size else []
        yield {
            "name": f"{size} entries",
            "size": size,
            "root": tree.root(size).hex(),
            "paths": [{"index": i, "path": [h.hex() for h in tree.path(i, size)]} for i in places],
            "consistency": [{"old": m, "old_root": tree.root(m).hex(), "path": [h.hex() for h in tree.consistency(m, size)]}
                            for m in olds],
            "prefix": [{"old": m, "old_root": tree.root(m).hex(), "path": [h.hex() for h in tree.prefix(m, size)]}
                       for m in olds if m < size],
        }


# Keys


def keys():
    def case(name, key, result, kind=None):
        return {"name": name, "key": key, "result": result, "type": kind}

    good, public = vkey(), receipts.public_key(SEED)
    name, ident, blob = good.split("+", 2)
    yield case("a log's", good, "ok", LOG)
    yield case("a witness's", witness_key(0), "ok", WITNESS)
    # Of golang.org/x/mod/sumdb: the checksum database of Go.
    yield case("of another program", "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8", "ok", LOG)
    for n in ("x", "x" * 255, "\u00e9\U0001f600", "a=b/c-d_e.f:8080"):
        yield case(f"a name of {len(n.encode())} bytes", vkey(n), "ok", LOG)
    for n in ("", "x" * 256, "a b", "a\u00a0b", "a\u2003b", "a\u3000b", "a\u0085b", "a\nb", "a\tb", "a\x1fb", "a\x7fb"):
        yield case(f"the name {n[:8]!r}", vkey(n), "malformed")
    yield case("no id", f"{name}+{blob}", "malformed")
    yield case("an id in upper case", f"{name}+{ident.upper()}+{blob}", "malformed")
    yield case("an id of 7 digits", f"{name}+{ident[1:]}+{blob}", "malformed")
    yield case("an id of 9 digits", f"{name}+0{ident}+{blob}", "malformed")
    yield case("another id", f"{name}+{int(ident, 16) ^ 1:08x}+{blob}", "malformed")
    yield case("the id of another name", f"other.example+{ident}+{blob}", "malformed")
    yield case("31 bytes", f"{name}+{ident}+{b64(bytes([1]) + public[:31])}", "malformed")
    yield case("33 bytes", f"{name}+{ident}+{b64(bytes([1]) + public + b'x')}", "malformed")
    yield case("no padding that should be there", f"{name}+{ident}+{blob[:-1]}", "malformed")
    yield case("a line feed at the end", good + "\n", "malformed")
    yield case("a space before", " " + good, "malformed")
    for kind in (0, 2, 3, 5, 6, 255):
        yield case(f"type {kind}", vkey(kind=kind), "unsupported")
    for other in ("", "+", "++", "a", "a+b", "a+b+c"):
        yield case(f"not a key: {other!r}", other, "malformed")


# Entries


def _loose(value):
    return repr(value)[:40]


def entries():
    r = logs.record(17)
    good = {
        "commitment": logs.commitment_entry(r),
        "receipt": logs.receipt_entry(r),
        "abort": logs.abort_entry(logs.abort_record(r)),
    }

    def case(name, entry, result, key=SEED):
        raw = entry if isinstance(entry, bytes) else canonical(entry)
        return {"name": name, "entry": b64(raw), "key": receipts.public_key(key).hex(), "result": result}

    for kind, entry in good.items():
        yield case(kind, entry, "ok")
        yield case(f"{kind} of another key", entry, "refused", logs.OTHER_SEED)
        for member in entry:
            yield case(f"{kind} without {member}", {k: v for k, v in entry.items() if k != member}, "malformed")
            for value in (None, True, 0, 17, "", [], {}, entry[member] + "\0", " " + entry[member]):
                if member == "format" and value == entry[member] + "\0":
                    continue
                yield case(f"{kind} with {member} = {_loose(value)}", {**entry, member: value}, "malformed")
        for member in ("zz", "a", "issued_at_ms", "model_sha256", "reason", "record_sha256"):
            if member not in entry:
                extra = next((e[member] for e in good.values() if member in e), "1")
                yield case(f"{kind} with a member {member}", {**entry, member: extra}, "malformed")
        for member in ("commitment", "signature", "record_sha256", "model_sha256"):
            if member in entry:
                v = entry[member]
                for what, value in (("upper case", v.upper()), ("a digit less", v[1:]), ("a digit more", v + "0"),
                                    ("a byte more", v + "00"), ("another letter", "g" + v[1:])):
                    yield case(f"{kind}, {member}: {what}", {**entry, member: value}, "malformed")
        for value in ("0", "017", "+17", "-1", "17.0", "1e1", "18446744073709551616", "99999999999999999999999", "\u0661"):
            yield case(f"{kind} number {value}", {**entry, "sequence": value}, "malformed")
        other = {"commitment": "receipt", "receipt": "abort", "abort": "commitment"}[kind]
        yield case(f"{kind} that calls itself {other}", {**entry, "kind": other}, "malformed")
        flipped = copy.deepcopy(entry)
        flipped["signature"] = f"{int(entry['signature'][:2], 16) ^ 1:02x}" + entry["signature"][2:]
        yield case(f"{kind} with a signature that is not", flipped, "refused")
        s = int.from_bytes(bytes.fromhex(entry["signature"][64:]), "little") + L
        yield case(f"{kind} with S beyond the order", {**entry, "signature": entry["signature"][:64] +
                                                       s.to_bytes(32, "little").hex()}, "refused")
        signed = "commitment" if kind == "commitment" else "record_sha256"
        yield case(f"{kind} of another digest", {**entry, signed: logs.sha256(b"other").hex()}, "refused")
    yield from _entry_ranges(case, good)
    yield from _entry_bytes(case, good["receipt"])


def _entry_ranges(case, good):
    for sequence in ("1", "18446744073709551615"):
        yield case(f"number {sequence}", {**good["receipt"], "sequence": sequence}, "ok")
    for ms, result in (("0", "ok"), ("253402300799999", "ok"), ("253402300800000", "malformed"), ("-1", "malformed"),
                       ("00", "malformed"), ("1.5", "malformed")):
        yield case(f"issued at {ms}", {**good["commitment"], "issued_at_ms": ms}, result)
    for reason in ("cancelled", "beacon", "failed", "lost"):
        yield case(f"reason {reason}", {**good["abort"], "reason": reason}, "ok")
    for reason in ("Lost", "unknown", "canceled", "lost "):
        yield case(f"reason {reason!r}", {**good["abort"], "reason": reason}, "malformed")
    for f, result in (("verbatim.entry/2", "unsupported"), ("verbatim.entry/10", "unsupported"),
                      ("verbatim.entry/", "unsupported"), ("verbatim.entry/1 ", "unsupported"),
                      ("verbatim.entry", "malformed"), ("verbatim.receipt/1", "malformed"),
                      ("Verbatim.entry/1", "malformed")):
        yield case(f"format {f!r}", {**good["receipt"], "format": f}, result)
    yield case("another version of another form", {"format": "verbatim.entry/2", "x": [1]}, "unsupported")


def _entry_bytes(case, entry):
    raw = canonical(entry)
    yield case("a line feed at the end", raw + b"\n", "malformed")
    yield case("a space before", b" " + raw, "malformed")
    yield case("a space inside", raw.replace(b",", b", ", 1), "malformed")
    yield case("a byte order mark", b"\xef\xbb\xbf" + raw, "malformed")
    yield case("a letter as an escape", raw.replace(b'"receipt"', b'"\\u0072eceipt"'), "malformed")
    yield case("members in another order", b"{" + b",".join(reversed(raw[1:-1].split(b","))) + b"}", "malformed")
    yield case("a member twice", raw[:-1] + b',"signature":"' + entry["signature"].encode() + b'"}', "malformed")
    yield case("half of it", raw[: len(raw) // 2], "malformed")
    yield case("two of them", raw + raw, "malformed")
    yield case("no bytes that are UTF-8", raw[:-2] + b'\xff"}', "malformed")
    for other in (b"", b"{}", b"[]", b"null", b"0", b'"receipt"', b"\0"):
        yield case(f"not an entry: {other!r}", other, "malformed")
    padded = {**entry, "zz": ""}
    for n, result in ((1024, "malformed"), (1025, "malformed")):
        padded["zz"] = "x" * (n - len(canonical({**entry, "zz": ""})))
        yield case(f"{n} bytes", padded, result)
    yield case("deeper than JSON may be", b"[" * 400 + b"]" * 400, "malformed")


# Notes

ROOT = logs.sha256(b"root")


def notes():
    for case in (*_good_notes(), *_note_texts(), *_signature_lines(), *_cosignatures(), *_limits()):
        yield case


def _case(name, raw, result, size=None, cosigned=(), witnesses=(0, 1), key=None):
    raw = raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogateescape")
    return {
        "name": name,
        "note": b64(raw),
        "log": key or vkey(),
        "witnesses": [witness_key(i) for i in witnesses],
        "result": result,
        "checkpoint": None if result != "ok" else {"size": str(size), "root": ROOT.hex()},
        "cosigned": [[i, str(t)] for i, t in cosigned],
    }


def _signed(size=5, origin=ORIGIN):
    body = text(size, ROOT, origin)
    return body, log_line(body, origin)


def _good_notes():
    body, line = _signed()
    for size in (0, 1, 5, 2**32, 2**40):
        b, l = _signed(size)
        yield _case(f"size {size}", note(b, l), "ok", size)
    yield _case("one cosignature", note(body, line, witness_line(body)), "ok", 5, [(0, T)])
    yield _case("two cosignatures before the log's", note(body, witness_line(body, 1, T + 1), witness_line(body), line),
                "ok", 5, [(0, T), (1, T + 1)])
    yield _case("of a witness that nobody asked about", note(body, line, witness_line(body, 2)), "ok", 5)
    yield _case("no witness is known", note(body, line, witness_line(body)), "ok", 5, witnesses=())
    yield _case("of one witness twice: the later time", note(body, line, witness_line(body, 0, T), witness_line(body, 0, T + 9),
                                                             witness_line(body, 0, T + 3)), "ok", 5, [(0, T + 9)])
    for t in (0, 1, 2**63 - 1):
        yield _case(f"cosigned at {t}", note(body, line, witness_line(body, 0, t)), "ok", 5, [(0, t)])
    junk = logs.line("other.example", 255, logs.OTHER_SEED, b"x" * 5000)
    yield _case("a long line of an unknown key", note(body, line, junk), "ok", 5)
    yield _case("an unknown key of the log's name", note(body, line, logs.line(ORIGIN, LOG, logs.OTHER_SEED, b"x" * 64)), "ok", 5)
    same_id = f"\u2014 other.example {line.split(' ')[2]}"
    yield _case("an unknown name with the log's id", note(body, line, same_id), "ok", 5)
    yield _case("an unknown name with DEL", note(body, line, "\u2014 a\x7fb " + b64(b"12345") + "\n"), "ok", 5)
    strange = "\u00e9\U0001f600/\u0416=x"
    b, l = _signed(7, strange)
    yield _case("an origin beyond ASCII", note(b, l), "ok", 7, key=vkey(strange))


def _note_texts():
    body, line = _signed()
    root = b64(ROOT)

    def signed(name, body, result="malformed"):
        return _case(name, note(body, log_line(body)), result)

    for size in ("05", "00", "+5", "-5", "5 ", " 5", "5.0", "0x5", "", "five", "\u0665", str(2**40 + 1), str(2**64), str(2**64 + 5),
                 "9" * 200):
        yield signed(f"size {size[:24]!r}", f"{ORIGIN}\n{size}\n{root}\n")
    spare = root[:-2] + chr(ord(root[-2]) + 1) + "="
    for what, r in (("31 bytes", b64(ROOT[:31])), ("33 bytes", b64(ROOT + b"x")), ("no bytes", ""), ("no padding", root[:-1]),
                    ("two padding characters", root + "="), ("bits to spare", spare), ("hex", ROOT.hex()),
                    ("a space behind", root + " "), ("the other alphabet", b64(b"\xff" * 32).replace("/", "_"))):
        yield signed(f"a root of {what}", f"{ORIGIN}\n5\n{r}\n")
    yield signed("an extension line", body + "extension\n")
    yield signed("a blank line at the end", body + "\n")
    yield signed("two lines", f"{ORIGIN}\n5\n")
    yield signed("one line", f"{ORIGIN}\n")
    yield signed("a blank line first", "\n" + body)
    for origin in ("other.example", ORIGIN + "x", ORIGIN[:-1], ORIGIN.upper(), "x" * 300, " " + ORIGIN):
        b = text(5, ROOT, origin)
        yield _case(f"the origin {origin[:24]!r}", note(b, log_line(b)), "refused")
    yield signed("carriage returns", body.replace("\n", "\r\n"))
    yield _case("carriage returns everywhere", note(body, line).replace("\n", "\r\n"), "malformed")
    for c in ("\0", "\t", "\x1f", "\x0b"):
        yield signed(f"{c!r} in the origin", text(5, ROOT, ORIGIN + c))
        yield _case(f"{c!r} in a signature line", note(body, line, f"\u2014 a{c}b AAAAAAAA\n"), "malformed")
    yield _case("bytes that are not UTF-8", note(body, line).encode() + b"\xe2\x80\x94 a\xff AAAAAAAA\n", "malformed")
    yield _case("half of a surrogate pair", note(body, line).encode() + b"\xe2\x80\x94 a\xed\xa0\x80 AAAAAAAA\n", "malformed")
    yield _case("a character in too many bytes", note(body, line).encode() + b"\xe2\x80\x94 a\xc1\x81 AAAAAAAA\n", "malformed")


def _signature_lines():
    body, line = _signed()
    dash, name, blob = line[:-1].split(" ")
    yield _case("no signature", note(body), "malformed")
    yield _case("no blank line", body + line, "malformed")
    yield _case("no line feed at the end", note(body, line)[:-1], "malformed")
    yield _case("empty", "", "malformed")
    yield _case("a line feed", "\n", "malformed")
    yield _case("two line feeds", "\n\n", "malformed")
    yield _case("a blank line between the lines", note(body, line, "\n", line), "malformed")
    yield _case("a blank line behind", note(body, line, "\n"), "malformed")
    yield _case("not signed by the log", note(body, witness_line(body)), "refused")
    yield _case("two lines of the log's key", note(body, line, line), "refused")
    yield _case("signed by another key", note(body, log_line(body, seed=logs.OTHER_SEED)), "refused")
    other = text(6, ROOT)
    yield _case("signed for another size", note(other, line), "refused")
    raw = bytes.fromhex(receipts.sign(SEED, body.encode()))
    for i in (0, 31, 32, 63):
        flipped = raw[:i] + bytes([raw[i] ^ 1]) + raw[i + 1:]
        yield _case(f"byte {i} of the signature changed", note(body, logs.line(ORIGIN, LOG, SEED, flipped)), "refused")
    for what, payload in (("63 bytes", raw[:63]), ("65 bytes", raw + b"\0"), ("one byte", b"x"), ("5000 bytes", raw * 80)):
        yield _case(f"a signature of {what}", note(body, logs.line(ORIGIN, LOG, SEED, payload)), "refused")
    yield _case("a signature with a time", note(body, logs.line(ORIGIN, LOG, SEED, T.to_bytes(8, "big") + raw)), "refused")
    for what, l in (("no bytes behind the id", logs.line("a", LOG, SEED, b"")), ("less than an id", "\u2014 a AAAA\n"),
                    ("nothing", "\u2014 a \n"), ("no name", f"\u2014  {blob}\n"), ("no name and no space", f"\u2014 {blob}\n"),
                    ("a hyphen", f"- a {blob}\n"), ("an en dash", f"\u2013 a {blob}\n"), ("no space", f"\u2014a {blob}\n"),
                    ("a name with a plus", f"\u2014 a+b {blob}\n"), ("a name with U+00A0", f"\u2014 a\u00a0b {blob}\n"),
                    ("a name with U+3000", f"\u2014 a\u3000b {blob}\n"), ("a second space", f"\u2014 a  {blob}\n"),
                    ("a space behind", f"\u2014 a {blob} \n"), ("words", "hello\n"), ("a tab", f"\u2014\ta {blob}\n"),
                    ("no padding", f"\u2014 a {b64(b'12345')[:-1]}\n"), ("bits to spare", "\u2014 a MTIzNDV=\n"),
                    ("padding inside", f"\u2014 a {b64(b'1')}{b64(b'12345678')}\n"), ("the other alphabet", "\u2014 a ________\n"),
                    ("padding before the end of a long one", f"\u2014 a {'A' * 1022}=={'A' * 8}\n")):
        yield _case(f"a line with {what}", note(body, line, l), "malformed")
    assert dash == "\u2014" and name == ORIGIN


def _cosignatures():
    body, line = _signed()
    good = witness_line(body)
    payload = logs.base64.b64decode(good.split(" ")[2])[4:]

    def with_payload(p):
        return note(body, line, logs.line(logs.witness_name(0), WITNESS, logs.WITNESS_SEEDS[0], p))

    yield _case("a witness's signature of another text", note(body, line, witness_line(text(6, ROOT))), "refused")
    yield _case("a witness's signature at another time", with_payload((T + 1).to_bytes(8, "big") + payload[8:]), "refused")
    yield _case("a time of 2^63", note(body, line, witness_line(body, 0, 2**63)), "refused")
    yield _case("a cosignature without time", with_payload(payload[8:]), "refused")
    yield _case("a cosignature with a byte more", with_payload(payload + b"\0"), "refused")
    for i in (8, 71):
        yield _case(f"byte {i} of a cosignature changed", with_payload(payload[:i] + bytes([payload[i] ^ 128]) + payload[i + 1:]),
                    "refused")
    plain = bytes.fromhex(receipts.sign(logs.WITNESS_SEEDS[0], body.encode()))
    yield _case("a witness that signs the bare text", with_payload(T.to_bytes(8, "big") + plain), "refused")
    yield _case("a good cosignature beside a bad one", note(body, line, good, witness_line(text(6, ROOT))), "refused")
    yield _case("a bad one of a witness that is not asked about", note(body, line, witness_line(text(6, ROOT), 2)), "ok", 5)


def _limits():
    body, line = _signed()
    others = [f"\u2014 w{i} {b64(b'12345')}\n" for i in range(64)]
    yield _case("64 signatures", note(body, *others[:63], line), "ok", 5)
    yield _case("65 signatures", note(body, *others[:64], line), "malformed")
    room = 2**16 - len(note(body, line, "\u2014 a \n").encode())
    padded = note(body, line, f"\u2014 a {'A' * (room // 4 * 4)}\n")
    yield _case(f"{len(padded.encode())} bytes", padded, "ok", 5)
    name = "a" * (1 + room % 4)
    full = note(body, line, f"\u2014 {name} {'A' * (room // 4 * 4)}\n")
    yield _case("2^16 bytes", full, "ok", 5)
    yield _case("2^16 + 1 bytes", note(body, line, f"\u2014 {name}a {'A' * (room // 4 * 4)}\n"), "malformed")
