"""Vectors of proofs and evidence."""

import copy

import logs
import receipts
from logs import OTHER_SEED, b64, canonical, made_up, vkey


class World:
    """A log of 21 entries: commitments 1 to 11 and what settles them, of which three have records here."""

    def __init__(self):
        self.receipt = logs.record(4)
        self.abort = logs.abort_record(logs.record(6, "m"))
        self.commitment = logs.commitment_record(self.receipt)
        entries = []
        for n in range(1, 12):
            c = {4: self.receipt, 6: self.abort}.get(n)
            entries.append(logs.commitment_entry(c) if c else made_up("commitment", n))
            if n > 1:
                settled = {5: logs.receipt_entry(self.receipt), 7: logs.abort_entry(self.abort)}.get(n)
                entries.append(settled or made_up("receipt", n - 1))
        self.entries = entries
        self.raw = [canonical(e) for e in entries]
        self.tree = logs.Tree(self.raw)
        self.size = len(entries)
        self.note = logs.checkpoint(self.tree, self.size)

    def place(self, kind, sequence):
        return next(i for i, e in enumerate(self.entries) if e["kind"] == kind and e["sequence"] == str(sequence))

    def proof(self, index, size=None, note=None):
        size = size or self.size
        return logs.proof(self.raw[index], index, self.tree.path(index, size), note or logs.checkpoint(self.tree, size))


# Proofs


def _case(name, proof, result, record=None, match=None, index=None, key=None):
    raw = proof if isinstance(proof, bytes) else proof.encode()
    record = record if record is None or isinstance(record, str) else canonical(record).decode()
    return {"name": name, "proof": b64(raw), "log": key or vkey(), "result": result, "index": index, "record": record,
            "match": match}


def proofs():
    w = World()
    for i in range(w.size):
        yield _case(f"entry {i}", w.proof(i), "ok", index=i)
    for size in (1, 2, 3, 4, 7, 8, 16):
        yield _case(f"the last of {size}", w.proof(size - 1, size), "ok", index=size - 1)
    yield from _matches(w)
    yield from _forged(w)
    yield from _proof_texts(w)


def _matches(w):
    committed, settled = w.place("commitment", 4), w.place("receipt", 4)
    aborted, kept = w.place("abort", 6), w.place("commitment", 6)
    records = {"the receipt": w.receipt, "the commitment": w.commitment, "the abort": w.abort,
               "another receipt of the number": logs.record(4, "other"), "a receipt of another number": logs.record(9),
               "another key's receipt": logs.record(4, "n", OTHER_SEED),
               "an abort for another reason": logs.abort_record(logs.record(6, "m"), "failed")}
    good = {("the receipt", settled), ("the receipt", committed), ("the commitment", committed), ("the abort", aborted),
            ("the abort", kept), ("an abort for another reason", kept)}
    for name, record in records.items():
        for index in (committed, settled, kept, aborted):
            match = "ok" if (name, index) in good else "refused"
            yield _case(f"{name} and entry {index}", w.proof(index), "ok", record, match, index)

    def case_of(name, record):
        return _case(name, w.proof(committed), "ok", record, "refused", committed)

    resigned = {**copy.deepcopy(w.receipt), "signature": receipts.sign(OTHER_SEED, receipts.verification_hash(w.receipt))}
    yield _case("a receipt with another signature", w.proof(settled), "ok", resigned, "refused", settled)
    yield _case("its commitment, all the same", w.proof(committed), "ok", resigned, "ok", committed)
    elsewhere = receipts.changed(w.commitment, (["request", "server_key"], receipts.public_key(OTHER_SEED).hex()))
    yield case_of("another key's record of the same commitment", elsewhere)
    yield case_of("a commitment with another signature", receipts.changed(w.commitment, (["commitment", "signature"], "00" * 64)))
    other = {**copy.deepcopy(w.receipt), "engine": {"tier": "avx2", "version": "0.2.0"}}
    yield _case("a receipt that was changed", w.proof(settled), "ok", other, "refused", settled)
    for name, record in (("an entry", w.entries[settled]), ("nothing", ""), ("half a receipt", canonical(w.receipt)[:500].decode()),
                         ("a prompt", {"format": "verbatim.prompt/1", "prompt": w.receipt["prompt"]})):
        yield _case(f"{name} as a record", w.proof(settled), "ok", record, "malformed", settled)
    later = {**w.receipt, "format": "verbatim.receipt/2"}
    yield _case("a record of another version", w.proof(settled), "ok", later, "unsupported", settled)


def _forged(w):
    index = w.place("receipt", 4)
    path, entry = w.tree.path(index, w.size), w.raw[index]

    def case(name, *args, result="refused", key=None):
        return _case(name, logs.proof(*args), result, key=key)

    for i in (index - 1, index + 1, index ^ 2, index + 16, w.size - 1, w.size, 2**40 - 1):
        yield case(f"at index {i}", entry, i, path, w.note)
    for i in (0, len(path) - 1):
        for at in (0, 31):
            flipped = path[i][:at] + bytes([path[i][at] ^ 1]) + path[i][at + 1:]
            yield case(f"hash {i} with another byte {at}", entry, index, [*path[:i], flipped, *path[i + 1:]], w.note)
    yield case("a hash less", entry, index, path[:-1], w.note)
    yield case("the first hash left out", entry, index, path[1:], w.note)
    yield case("no path", entry, index, [], w.note)
    yield case("a hash more", entry, index, [*path, path[0]], w.note)
    yield case("a hash more before the others", entry, index, [path[0], *path], w.note)
    yield case("40 hashes", entry, index, [path[0]] * 40, w.note)
    yield case("hashes in another order", entry, index, path[::-1], w.note)
    yield case("another entry", w.raw[index - 1], index, path, w.note)
    yield case("a path of another size", entry, index, w.tree.path(index, 16), w.note)
    node = path[0] + logs.leaf_hash(entry) if index & 1 else logs.leaf_hash(entry) + path[0]
    yield case("a node as an entry", b"\1" + node, index >> 1, path[1:], w.note)
    yield case("another log's key", entry, index, path, w.note, key=vkey(seed=OTHER_SEED))
    yield case("another log's origin", entry, index, path, w.note, key=vkey("other.example"))
    yield case("a note that nobody signed", entry, index, path, w.note.split("\n\n")[0] + "\n\n\u2014 a AAAAAAAA\n")
    yield case("a note without signatures", entry, index, path, w.note.split("\u2014")[0], result="malformed")
    yield case("no note", entry, index, path, "x", result="malformed")
    for name, bad, result in (("no entry", b"{}", "malformed"), ("an entry with a line feed", entry + b"\n", "malformed"),
                              ("another version's entry", canonical({"format": "verbatim.entry/2"}), "unsupported"),
                              ("an entry of another key", canonical(made_up("receipt", 4, seed=OTHER_SEED)), "refused"),
                              ("an entry of 1024 bytes", b"x" * 1024, "malformed")):
        tree = logs.Tree([bad, *w.raw])
        size = w.size + 1
        yield case(f"a log with {name}", bad, 0, tree.path(0, size), logs.checkpoint(tree, size), result=result)


def _proof_texts(w):
    good = w.proof(9)
    head, extra, index, *rest = good.split("\n")
    hashes, tail = rest[:rest.index("")], rest[rest.index(""):]

    def case(name, *lines, result="malformed"):
        return _case(name, "\n".join(lines), result, index=9 if result == "ok" else None)

    yield case("as it was taken apart", head, extra, index, *hashes, *tail, result="ok")
    for h in ("", "c2sp.org/tlog-proof@v2", "c2sp.org/tlog-proof@v1 ", " " + head, head + "\r", head.upper()):
        yield case(f"the first line {h!r}", h, extra, index, *hashes, *tail)
    yield case("no extra line", head, index, *hashes, *tail)
    b = extra.split(" ")[1]
    for what, e in (("empty", "extra "), ("bare", "extra"), ("two spaces", "extra  " + b), ("a space behind", extra + " "),
                    ("no padding", "extra " + b64(w.raw[9] + b"x").rstrip("=")), ("bits to spare", "extra MTIzNDV="),
                    ("another word", "Extra " + b), ("1025 bytes", "extra " + b64(b"x" * 1025)),
                    ("a megabyte less a bit", "extra " + "A" * 100000)):
        yield case(f"extra: {what}", head, e, index, *hashes, *tail)
    for i in ("", "09", "+9", "-9", " 9", "9 ", "9.0", "0x9", str(2**40), str(2**64 + 9), "nine"):
        yield case(f"index {i!r}", head, extra, f"index {i}", *hashes, *tail)
    yield case("no index line", head, extra, *hashes, *tail)
    yield case("index before extra", head, index, extra, *hashes, *tail)
    spare = hashes[0][:-2] + chr(ord(hashes[0][-2]) + 1) + "="
    for what, h in (("hex", w.tree.leaves[0].hex()), ("31 bytes", b64(b"x" * 31)), ("33 bytes", b64(b"x" * 33)), ("bits to spare", spare),
                    ("a space behind", hashes[0] + " "), ("a carriage return", hashes[0] + "\r")):
        yield case(f"a hash: {what}", head, extra, index, h, *hashes[1:], *tail)
    yield case("41 hashes", head, extra, index, *[hashes[0]] * 41, *tail)
    yield case("no blank line", head, extra, index, *hashes, *tail[1:])
    yield case("two blank lines", head, extra, index, *hashes, "", *tail)
    yield case("nothing behind the path", head, extra, index, *hashes)
    yield case("nothing behind the blank line", head, extra, index, *hashes, "", "")
    yield case("a line behind the note", *good.split("\n")[:-1], "x", "")
    yield case("no line feed at the end", good[:-1])
    for other in ("", "\n", head + "\n", "{}"):
        yield case(f"not a proof: {other[:8]!r}", other)
    long = logs.note(logs.text(w.size, w.tree.root(w.size)), logs.log_line(logs.text(w.size, w.tree.root(w.size))))
    filler = f"\u2014 a {'A' * 4000}\n"
    yield _case("a note with long lines", w.proof(9, note=long + filler * 10), "ok", index=9)
    yield _case("a note of more than 2^16 bytes", w.proof(9, note=long + filler * 17), "malformed")
    yield _case("more than 2^17 bytes", w.proof(9, note=long + filler * 33), "malformed")


# Evidence


def _evidence(name, value, result, rule=None, index=None, other=None, sequence=None, sizes=None):
    """The finding: which rule, between which places, at which number; the sizes of the checkpoints."""
    raw = value if isinstance(value, bytes) else canonical(value)
    finding = None
    if result == "ok":
        offence = value["offence"]
        finding = {"offence": offence, "rule": rule, "index": index, "other": other, "sequence": sequence, "sizes": sizes}
    return {"name": name, "evidence": b64(raw), "result": result, "finding": finding}


def evidence():
    w = World()
    yield from _forks(w)
    yield from _rules(w)
    yield from _promises(w)
    yield from _evidence_forms(w)


def _forks(w):
    changed = [*w.raw[:6], canonical(made_up("receipt", 3, "b")), *w.raw[7:]]
    other = logs.Tree(changed)

    def case(name, first, second, path, result="refused", sizes=None, key=None):
        return _evidence(f"fork: {name}", logs.fork(first, second, path, key), result, sizes=sizes)

    def note(tree, size):
        return logs.checkpoint(tree, size)

    for n in (7, 8, 16, 21):
        yield case(f"two roots of {n}", note(w.tree, n), note(other, n), [], "ok", [n, n])
    for m, n in ((7, 8), (7, 21), (8, 9), (8, 16), (8, 21), (9, 12), (16, 17), (16, 21), (20, 21)):
        yield case(f"{n} do not begin with those {m}", note(w.tree, m), note(other, n), other.prefix(m, n), "ok", [m, n])
        yield case(f"{n} begin with those {m}", note(other, m), note(other, n), other.prefix(m, n))
        yield case(f"{n} and {m}, the path of the first tree", note(w.tree, m), note(other, n), w.tree.prefix(m, n))
    for m, n in ((1, 2), (4, 8), (6, 21)):
        yield case(f"{m} of {n}, before the trees part", note(w.tree, m), note(other, n), other.prefix(m, n))
    yield case("a path of RFC 6962 from a power of two", note(w.tree, 8), note(other, 21), other.consistency(8, 21))
    path = other.prefix(9, 21)
    yield case("a hash less", note(w.tree, 9), note(other, 21), path[:-1])
    yield case("the first hash left out", note(w.tree, 9), note(other, 21), path[1:])
    yield case("a hash more", note(w.tree, 9), note(other, 21), [*path, path[0]])
    yield case("no path", note(w.tree, 9), note(other, 21), [])
    for i in range(len(path)):
        bad = [*path[:i], logs.sha256(b"x"), *path[i + 1:]]
        yield case(f"another hash {i}", note(w.tree, 9), note(other, 21), bad)
    yield case("the larger one first", note(other, 21), note(w.tree, 9), path)
    yield case("one checkpoint twice", note(w.tree, 9), note(w.tree, 9), [])
    yield case("two roots of one size, and a path", note(w.tree, 9), note(other, 9), path)
    empty = logs.text(0, logs.NOTHING)
    yield case("from no entries", logs.note(empty, logs.log_line(empty)), note(other, 21), [])
    strange = logs.text(0, logs.sha256(b"x"))
    yield case("two roots of none", logs.note(empty, logs.log_line(empty)), logs.note(strange, logs.log_line(strange)), [], "ok", [0, 0])
    yield case("from no entries, with a path", logs.note(strange, logs.log_line(strange)), note(other, 21), path)
    unsigned = logs.text(21, w.tree.root(21))
    forged = logs.note(unsigned, logs.log_line(unsigned, seed=OTHER_SEED))
    yield case("a note that the log did not sign", forged, note(other, 21), [])
    yield case("the second not signed", note(other, 21), forged, [])
    yield case("a note that is none", "x", note(other, 21), [])
    yield case("another key", note(w.tree, 21), note(other, 21), [], key=vkey(seed=OTHER_SEED))
    yield case("another origin", note(w.tree, 21), note(other, 21), [], key=vkey("other.example"))
    cosigned = note(w.tree, 21) + logs.witness_line(unsigned)
    yield case("with a cosignature", cosigned, note(other, 21), [], "ok", [21, 21])


def _rules(w):
    def c(n, label="a"):
        return made_up("commitment", n, label)

    def r(n, label="a"):
        return made_up("receipt", n, label)

    def a(n, label="a"):
        return made_up("abort", n, label)

    def guilty(name, entries, rule, index, other, sequence, indices=None):
        return _evidence(name, logs.accused(entries, indices), "ok", rule, index, other, str(sequence), [len(entries)])

    def innocent(name, entries, indices=None, result="refused"):
        return _evidence(name, logs.accused(entries, indices), result)

    bad_signature = {**r(1), "signature": r(2)["signature"]}
    yield innocent("a sound log", [c(1), r(1), c(2), a(2)])
    yield innocent("one commitment", [c(1)])
    yield innocent("one settlement", [r(1)])
    for name, raw in (("no entry", b"{}"), ("bytes", b"\xff\0\1"), ("an entry with a space", canonical(r(1)) + b" "),
                      ("an entry without a member", canonical({k: v for k, v in r(1).items() if k != "sequence"})),
                      ("1025 bytes", b"x" * 1025), ("65535 bytes", b"x" * 65535)):
        yield guilty(f"malformed: {name}", [c(1), raw, r(1)], "malformed", 1, 1, 0)
    yield guilty("malformed before signature", [bad_signature, b"{}"], "malformed", 1, 1, 0)
    yield guilty("malformed: the first of two", [c(1), b"{}", b"[]"], "malformed", 1, 1, 0)
    later = canonical({"format": "verbatim.entry/2"})
    yield innocent("an entry of another version", [c(1), later], result="unsupported")
    yield innocent("malformed, and one of another version", [b"{}", later], result="unsupported")
    yield guilty("signature: of a receipt", [c(1), bad_signature], "signature", 1, 1, 1)
    yield guilty("signature: of a commitment", [{**c(1), "commitment": c(2)["commitment"]}], "signature", 0, 0, 1)
    yield guilty("signature: another key's", [c(1), made_up("receipt", 1, seed=OTHER_SEED)], "signature", 1, 1, 1)
    yield guilty("signature before gap", [c(1), c(1, "b"), bad_signature], "signature", 2, 2, 1)
    yield guilty("gap: a number twice", [c(5), r(5), c(6), c(5, "b")], "gap", 3, 0, 5)
    yield guilty("gap: a number twice, far apart", [c(5), r(5), c(6), c(5, "b")], "gap", 3, 0, 5, [0, 3])
    yield guilty("gap: one commitment twice", [c(5), c(5)], "gap", 1, 0, 5)
    yield guilty("gap: a number left out", [c(5), c(7)], "gap", 1, 0, 7)
    yield guilty("gap: a number left out, settlements between", [c(5), r(5), a(4), c(7)], "gap", 3, 0, 7)
    yield guilty("gap: a number down", [c(5), r(5), c(4)], "gap", 2, 0, 4)
    yield guilty("gap: from the last number", [c(2**64 - 1), c(1)], "gap", 1, 0, 1)
    yield innocent("the next number", [c(5), r(5), a(4), c(6)])
    yield innocent("to the last number", [c(2**64 - 2), c(2**64 - 1)])
    yield innocent("a number left out, but not all entries shown", [c(5), r(5), a(4), c(7)], [0, 1, 3])
    yield innocent("a number left out, only the ends shown", [c(5), r(5), c(7)], [0, 2])
    yield innocent("a number left out, a commitment between", [c(5), c(6), c(8)])
    yield innocent("a number left out, a settlement behind", [c(5), c(7), r(7)])
    yield innocent("a number left out, a settlement before", [r(4), c(5), c(7)])
    yield guilty("gap: those two alone", [c(5), c(7), r(7)], "gap", 1, 0, 7, [0, 1])
    yield guilty("settled-twice: by receipts", [c(1), r(1), r(1, "b")], "settled-twice", 2, 1, 1)
    yield guilty("settled-twice: by an abort", [c(1), r(1), c(2), a(1)], "settled-twice", 3, 1, 1, [1, 3])
    yield guilty("settled-twice: the same entry", [r(1), r(1)], "settled-twice", 1, 0, 1)
    yield guilty("settled-twice: before settled-before", [r(1), a(1), c(1)], "settled-twice", 1, 0, 1)
    yield guilty("gap before settled-twice", [c(1), r(1), r(1), c(1)], "gap", 3, 0, 1)
    yield guilty("settled-before", [r(1), c(1)], "settled-before", 0, 1, 1)
    yield guilty("settled-before: an abort, far apart", [a(3), c(1), c(2), c(3)], "settled-before", 0, 3, 3, [0, 3])
    yield guilty("settled-before, and another", [r(1, "b"), c(1)], "settled-before", 0, 1, 1)
    yield innocent("settled after", [c(1), r(1)])
    yield guilty("settled-another: a receipt", [c(1), r(1, "b")], "settled-another", 1, 0, 1)
    yield guilty("settled-another: an abort, far apart", [c(1), c(2), a(1, "b")], "settled-another", 2, 0, 1, [0, 2])
    yield innocent("other commitments of other numbers", [c(1), r(2, "b")])
    yield from _places(w)


def _places(w):
    """Rules broken by what the log has not signed."""
    entries = [made_up("commitment", 1), made_up("receipt", 1), made_up("abort", 1)]
    good = logs.accused(entries)

    def forged(name, *changes):
        return _evidence(f"forged: {name}", receipts.changed(good, *changes), "refused")

    yield _evidence("what is forged below", good, "ok", "settled-twice", 2, 1, "1", [3])
    yield forged("an index more", (["entries", 2, "index"], "3"))
    yield forged("no path", (["entries", 1, "path"], []))
    yield forged("a hash more", (["entries", 1, "path"], good["entries"][1]["path"] + ["00" * 32]))
    yield forged("a hash of another byte", (["entries", 1, "path", 0], "00" * 32))
    yield forged("another entry", (["entries", 2, "entry"], b64(canonical(made_up("receipt", 1, "b")))))
    yield forged("another checkpoint", (["checkpoint"], w.note))
    yield forged("a checkpoint that is none", (["checkpoint"], "x"))
    yield forged("a checkpoint that nobody signed", (["checkpoint"], good["checkpoint"].split("\u2014")[0] + "\u2014 a AAAAAAAA\n"))
    yield forged("another key", (["key"], vkey(seed=OTHER_SEED)))


def _promises(w):
    mine, other = logs.record(2, "mine"), logs.record(2, "other")
    entries = [made_up("commitment", 1), logs.commitment_entry(other), logs.receipt_entry(other)]

    def case(name, index, record, result="refused", **more):
        value = logs.broken_promise(entries, index, record) if not isinstance(record, str) else \
            {**logs.broken_promise(entries, index, {}), "record": record}
        if result == "ok":
            return _evidence(f"commitment: {name}", value, result, sizes=[3])
        return _evidence(f"commitment: {name}", {**value, **more}, result)

    for what, record in (("a commitment record", logs.commitment_record(mine)), ("a receipt", mine),
                         ("an abort", logs.abort_record(mine, "lost"))):
        yield case(f"another commitment: {what}", 1, record, "ok")
    yield case("the commitment of the log", 1, logs.commitment_record(other))
    yield case("the receipt of the log", 1, other)
    yield case("against a receipt's entry", 2, logs.commitment_record(mine))
    yield case("against the commitment of another number", 0, logs.commitment_record(mine))
    yield case("a commitment of another key", 1, logs.commitment_record(logs.record(2, "mine", OTHER_SEED)))
    unsigned = logs.commitment_record(receipts.changed(mine, (["commitment", "signature"], "00" * 64)))
    yield case("a commitment that nobody signed", 1, unsigned)
    wrong = logs.commitment_record(receipts.changed(mine, (["request", "nonce"], "x")))
    yield case("a commitment of another request", 1, wrong)
    outer = receipts.changed(mine, (["signature"], "00" * 64))
    yield case("a receipt of which only the commitment is signed", 1, outer, "ok")
    yield case("no record", 1, "")
    yield case("half a record", 1, canonical(mine).decode()[:300])
    yield case("an entry as a record", 1, logs.commitment_entry(mine))
    yield case("a record of another version", 1, {**logs.commitment_record(mine), "format": "verbatim.commitment/2"}, "unsupported")
    yield case("another checkpoint", 1, logs.commitment_record(mine), checkpoint=w.note)
    bad = [made_up("commitment", 1), b"{}", made_up("receipt", 1)]
    yield _evidence("a malformed entry", logs.broken_promise(bad, 1, logs.commitment_record(mine)), "refused")


OTHERS = [None, True, 0, "", [], {}, "x"]


def _evidence_forms(w):
    entries = [made_up("commitment", 1), made_up("receipt", 1), made_up("abort", 1)]
    good = {"fork": logs.fork(w.note, logs.checkpoint(logs.Tree(w.raw[::-1]), w.size), []), "entries": logs.accused(entries),
            "commitment": logs.broken_promise([made_up("commitment", 2)], 0, logs.commitment_record(logs.record(2)))}
    sizes = {"fork": [21, 21], "entries": [3], "commitment": [1]}
    for kind, value in good.items():
        found = ("settled-twice", 2, 1, "1") if kind == "entries" else (None,) * 4
        yield _evidence(f"{kind}: good", value, "ok", *found, sizes[kind])
        for member in value:
            yield _evidence(f"{kind} without {member}", {k: v for k, v in value.items() if k != member}, "malformed")
            for other in OTHERS:
                if type(other) is type(value[member]) and member in ("checkpoint", "record", "path"):
                    continue
                yield _evidence(f"{kind} with {member} = {other!r}", {**value, member: other}, "malformed")
        yield _evidence(f"{kind} with a member zz", {**value, "zz": 1}, "malformed")
        for other in ("fork", "entries", "commitment", "withheld", "Fork"):
            if other != kind:
                yield _evidence(f"{kind} that calls itself {other}", {**value, "offence": other}, "malformed")
        yield _evidence(f"{kind} of another version", {**value, "format": "verbatim.evidence/2"}, "unsupported")
        yield _evidence(f"{kind}: a line feed at the end", canonical(value) + b"\n", "malformed")
        yield _evidence(f"{kind}: a witness's key", {**value, "key": logs.witness_key(0)}, "malformed")
        yield _evidence(f"{kind}: another type of key", {**value, "key": vkey(kind=2)}, "unsupported")
    fork, one = good["fork"], good["entries"]
    for n in (0, 1, 3):
        yield _evidence(f"{n} checkpoints", {**fork, "checkpoints": [w.note] * n}, "malformed")
    yield _evidence("a checkpoint that is a number", {**fork, "checkpoints": [w.note, 1]}, "malformed")
    yield _evidence("a checkpoint of 2^16 + 1 bytes", {**fork, "checkpoints": [w.note, "x" * 65537]}, "malformed")
    yield _evidence("41 hashes", {**fork, "path": ["00" * 32] * 41}, "refused")
    yield _evidence("42 hashes", {**fork, "path": ["00" * 32] * 42}, "malformed")
    for h in ("00" * 31, "00" * 33, "0" * 63, "A" * 64, "0" * 63 + "\0", 0, None):
        yield _evidence(f"the hash {str(h)[:8]!r} of {len(str(h))}", {**fork, "path": [h]}, "malformed")
    for name, path, new in (
        ("no entries", ["entries"], []), ("an entry that is none", ["entries", 0], 1),
        ("a member more", ["entries", 0], {**one["entries"][0], "zz": 1}),
        ("an index less", ["entries", 1, "index"], "0"), ("an index twice", ["entries", 2, "index"], "1"),
        ("an index that is a number", ["entries", 0, "index"], 0), ("an index 00", ["entries", 0, "index"], "00"),
        ("an index of 2^40", ["entries", 2, "index"], str(2**40)), ("41 hashes of an entry", ["entries", 0, "path"], ["00" * 32] * 41),
        ("no bytes", ["entries", 0, "entry"], ""), ("65536 bytes", ["entries", 0, "entry"], b64(b"x" * 65536)),
        ("no base64", ["entries", 0, "entry"], "x"), ("base64 with bits to spare", ["entries", 0, "entry"], "MTIzNDV="),
        ("a path that is none", ["entries", 0, "path"], "x"),
    ):
        yield _evidence(f"entries: {name}", receipts.changed(one, (path, new)), "malformed")
    two = receipts.changed(good["commitment"], (["entries"], one["entries"][:2]))
    yield _evidence("commitment: two entries", two, "malformed")
    for other in (b"", b"{}", b"[]", b"null", b"\xff"):
        yield _evidence(f"not evidence: {other!r}", other, "malformed")
