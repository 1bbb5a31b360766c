"""Evidence against a log: spec/log.md section 6."""

from dataclasses import dataclass

from . import ed25519, strict, transparency
from .digests import sha256
from .receipt_form import Unsupported
from .strict import BadForm, array, canonical, decimal, hexadecimal, members, text
from .transparency import Refused

BYTES_MAX = 2**24
_MEMBERS = {
    "fork": ("checkpoints", "path"),
    "entries": ("checkpoint", "entries"),
    "commitment": ("checkpoint", "entries", "record"),
}


@dataclass
class Finding:
    offence: str
    sizes: list
    rule: str = None
    index: int = None
    other: int = None
    sequence: str = None


@dataclass
class Shown:
    raw: bytes
    index: int
    path: list
    entry: dict = None

    @property
    def settles(self):
        return self.entry["kind"] != "commitment"

    @property
    def number(self):
        return int(self.entry["sequence"])


def _path(value, most):
    return [hexadecimal(h, 32) for h in array(value, 0, most)]


def _note(value):
    return text(value, 0, transparency.NOTE_BYTES_MAX).encode()


def _shown(value):
    raw, index, path = members(value, "entry", "index", "path")
    entry = transparency.base64_of(text(raw))
    if not 0 < len(entry) <= 65535:
        raise BadForm("no bytes, or too many")
    return Shown(entry, decimal(index, 0, transparency.SIZE_MAX - 1), _path(path, 40))


def read(raw):
    """The document with its values read, or BadForm, or Unsupported."""
    if len(raw) > BYTES_MAX:
        raise BadForm("too long")
    ev = strict.parse(raw)
    fmt = ev.get("format") if isinstance(ev, dict) else None
    if not isinstance(fmt, str) or not fmt.startswith("verbatim.evidence/"):
        raise BadForm("not evidence")
    if fmt != "verbatim.evidence/1":
        raise Unsupported("another version of evidence")
    offence = ev.get("offence")
    if not isinstance(offence, str) or offence not in _MEMBERS:
        raise BadForm("no offence")
    members(ev, "format", "key", "offence", *_MEMBERS[offence])
    key = transparency.read_key(text(ev["key"]))
    if key.kind != transparency.LOG:
        raise BadForm("a witness's key")
    out = {"key": key, "offence": offence}
    if offence == "fork":
        out["notes"] = [_note(n) for n in array(ev["checkpoints"], 2, 2)]
        out["path"] = _path(ev["path"], 41)
        return out
    out["notes"] = [_note(ev["checkpoint"])]
    out["entries"] = [_shown(s) for s in array(ev["entries"], 1, 4096 if offence == "entries" else 1)]
    strict.ascending([s.index for s in out["entries"]])
    if offence == "commitment":
        out["record"] = text(ev["record"]).encode()
    return out


def _checkpoint(raw, key):
    try:
        return transparency.read_note(raw, key)
    except BadForm as e:
        raise Refused("a checkpoint that is none") from e


def _fork(ev):
    first, second = [_checkpoint(n, ev["key"]) for n in ev["notes"]]
    found = Finding("fork", [first.size, second.size])
    if first.size == second.size:
        if ev["path"] or first.root == second.root:
            raise Refused("one history")
        return found
    if not 0 < first.size < second.size:
        raise Refused("nothing to begin with")
    roots = transparency.roots_of_prefix(first.size, second.size, ev["path"])
    if roots is None or roots[1] != second.root or roots[0] == first.root:
        raise Refused("no path to another history")
    return found


def _placed(ev):
    checkpoint = _checkpoint(ev["notes"][0], ev["key"])
    for s in ev["entries"]:
        found = transparency.root_of_path(transparency.leaf_hash(s.raw), s.index, checkpoint.size, s.path)
        if found != checkpoint.root:
            raise Refused("an entry that the checkpoint does not sign")
    return checkpoint


def _malformed(entries):
    """The first; all are read, for one of another version leaves nothing to be said."""
    first = None
    for s in entries:
        try:
            s.entry = transparency.read_entry(s.raw)
        except BadForm:
            first = first or s
    return first and (first, first)


def _signature(entries, key):
    return next(((s, s) for s in entries if not transparency.entry_is_signed(s.entry, key.public)), None)


def _pairs(entries):
    """Pairs of one number, by the later entry."""
    for j, late in enumerate(entries):
        for early in entries[:j]:
            if early.number == late.number:
                yield early, late


def _number_twice(entries):
    return next(((late, early) for early, late in _pairs(entries) if not early.settles and not late.settles), None)


def _number_left_out(entries):
    first, *between, last = entries if len(entries) > 1 else entries * 2
    if first is last or first.settles or last.settles or not all(s.settles for s in between):
        return None
    consecutive = [s.index for s in entries] == list(range(first.index, last.index + 1))
    return (last, first) if consecutive and last.number != first.number + 1 else None


def _settled_twice(entries):
    return next(((late, early) for early, late in _pairs(entries) if early.settles and late.settles), None)


def _settled_before(entries):
    return next(((early, late) for early, late in _pairs(entries) if early.settles and not late.settles), None)


def _settled_another(entries):
    return next(((late, early) for early, late in _pairs(entries)
                 if late.settles and not early.settles and late.entry["commitment"] != early.entry["commitment"]), None)


def _entries(ev):
    checkpoint, entries = _placed(ev), ev["entries"]
    rules = [("malformed", _malformed), ("signature", lambda all_: _signature(all_, ev["key"])),
             ("gap", _number_twice), ("gap", _number_left_out), ("settled-twice", _settled_twice),
             ("settled-before", _settled_before), ("settled-another", _settled_another)]
    for rule, broken in rules:
        pair = broken(entries)
        if pair:
            number = pair[0].entry["sequence"] if pair[0].entry else "0"
            return Finding("entries", [checkpoint.size], rule, pair[0].index, pair[1].index, number)
    raise Refused("no rule is broken")


def _commitment(ev):
    checkpoint, key = _placed(ev), ev["key"]
    try:
        entry, (record, _) = transparency.read_entry(ev["entries"][0].raw), transparency.read_record(ev["record"])
    except BadForm as e:
        raise Refused("no entry, or no record") from e
    request, claimed = record["request"], record["commitment"]
    c = sha256(b"verbatim.request.v1\n" + canonical(request))
    own = request["server_key"] == key.public.hex() and claimed["value"] == c.hex() and \
        ed25519.verify(key.public, b"verbatim.commitment.v1\n" + c, bytes.fromhex(claimed["signature"]))
    if not own or entry["kind"] != "commitment" or entry["sequence"] != request["sequence"]:
        raise Refused("not a commitment of the log under this number")
    if entry["commitment"] == c.hex():
        raise Refused("the same commitment")
    return Finding("commitment", [checkpoint.size])


def check(raw):
    """What the log is convicted of, or BadForm, Unsupported, Refused."""
    ev = read(raw)
    return {"fork": _fork, "entries": _entries, "commitment": _commitment}[ev["offence"]](ev)
