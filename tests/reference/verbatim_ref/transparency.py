"""The transparency log of spec/log.md, read from its text and C2SP's: trees, keys, entries, notes and proofs. Paths are
followed by the definition of RFC 6962, from the root down."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from . import ed25519, receipt_form, strict
from .receipt_check import verification_hash
from .receipt_form import Unsupported
from .strict import BadForm, canonical, decimal, hexadecimal, members

ENTRY_BYTES_MAX = 1024
NOTE_BYTES_MAX = 2**16
PROOF_BYTES_MAX = 2**17
SIZE_MAX = 2**40
LOG, WITNESS = 1, 4
MS_MAX = 253402300799999


class Refused(Exception):
    """Well-formed, and not true."""


def _sha256(raw):
    return hashlib.sha256(raw).digest()


# Trees, RFC 6962 section 2.1


def leaf_hash(entry):
    return _sha256(b"\0" + entry)


def _node(left, right):
    return _sha256(b"\1" + left + right)


def _left(n):
    """Leaves of the left subtree of n > 1."""
    return 1 << (n - 1).bit_length() - 1


def root(leaves):
    if len(leaves) < 2:
        return leaves[0] if leaves else _sha256(b"")
    k = _left(len(leaves))
    return _node(root(leaves[:k]), root(leaves[k:]))


def root_of_path(leaf, index, size, path):
    """The root that an audit path leads to; None when it has not as many hashes as there are turns."""
    if not 0 <= index < size:
        return None
    if size == 1:
        return leaf if not path else None
    if not path:
        return None
    k = _left(size)
    if index < k:
        left, right = root_of_path(leaf, index, k, path[:-1]), path[-1]
    else:
        left, right = path[-1], root_of_path(leaf, index - k, size - k, path[:-1])
    return None if left is None or right is None else _node(left, right)


def roots_of_prefix(old, size, path):
    """(first root, second root) of a consistency proof that begins with its first hash also where `old` is a power
    of two; None when it has another number of hashes."""
    if not path:
        return None
    if old == size:
        return (path[0], path[0]) if len(path) == 1 else None
    k = _left(size)
    if old <= k:
        below = roots_of_prefix(old, k, path[:-1])
        return below and (below[0], _node(below[1], path[-1]))
    below = roots_of_prefix(old - k, size - k, path[:-1])
    return below and (_node(path[-1], below[0]), _node(path[-1], below[1]))


def consistent(old, old_root, size, new_root, path):
    """With a proof as RFC 6962 has it."""
    if old == 0:
        return not path and old_root == _sha256(b"")
    if old == size:
        return not path and old_root == new_root
    whole = [old_root, *path] if old & old - 1 == 0 else path
    return roots_of_prefix(old, size, whole) == (old_root, new_root)


# Text


def base64_of(text):
    """The bytes of canonical base64."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as e:
        raise BadForm("not base64") from e
    if base64.b64encode(raw).decode() != text:
        raise BadForm("base64 that is not canonical")
    return raw


def _key_name(text):
    """signed-note: not empty, no Unicode spaces, no plus."""
    if not text or "+" in text or any(c.isspace() or c < " " for c in text):
        raise BadForm("not the name of a key")
    return text


# Keys


@dataclass(frozen=True)
class Key:
    name: str
    kind: int
    public: bytes

    @property
    def id(self):
        return _sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public)[:4]


def read_key(text):
    found = re.fullmatch(r"([^+]*)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]{44})", text, re.DOTALL)
    if not found:
        raise BadForm("not a verifier key")
    name, ident, blob = found.groups()
    raw = base64_of(blob)
    if len(raw) != 33:
        raise BadForm("a key of another length")
    if raw[0] not in (LOG, WITNESS):
        raise Unsupported("a type of key")
    if len(name.encode()) > 255 or "\x7f" in name:
        raise BadForm("a name too long, or with a control character")
    key = Key(_key_name(name), raw[0], raw[1:])
    if key.id.hex() != ident:
        raise BadForm("the id of another key")
    return key


# Entries

_MEMBERS = {
    "commitment": ("issued_at_ms", "model_sha256"),
    "receipt": ("record_sha256",),
    "abort": ("reason", "record_sha256"),
}


def read_entry(raw):
    if len(raw) > ENTRY_BYTES_MAX:
        raise BadForm("an entry too long")
    e = strict.parse(raw)
    fmt = e.get("format") if isinstance(e, dict) else None
    if not isinstance(fmt, str) or not fmt.startswith("verbatim.entry/"):
        raise BadForm("not an entry")
    if fmt != "verbatim.entry/1":
        raise Unsupported("another version of an entry")
    kind = e.get("kind")
    if not isinstance(kind, str) or kind not in _MEMBERS:
        raise BadForm("no kind of entry")
    members(e, "commitment", "format", "kind", "sequence", "signature", *_MEMBERS[kind])
    hexadecimal(e["commitment"], 32)
    decimal(e["sequence"], 1)
    hexadecimal(e["signature"], 64)
    for digest in ("model_sha256", "record_sha256"):
        if digest in e:
            hexadecimal(e[digest], 32)
    if kind == "commitment":
        decimal(e["issued_at_ms"], 0, MS_MAX)
    if kind == "abort" and e["reason"] not in ("cancelled", "beacon", "failed", "lost"):
        raise BadForm("no reason of an abort")
    return e


def entry_is_signed(e, public):
    if e["kind"] == "commitment":
        message = b"verbatim.commitment.v1\n" + bytes.fromhex(e["commitment"])
    else:
        message = bytes.fromhex(e["record_sha256"])
    return ed25519.verify(public, message, bytes.fromhex(e["signature"]))


# Notes


@dataclass(frozen=True)
class Checkpoint:
    size: int
    root: bytes
    cosigned: dict  # key to time


def _checkpoint_text(text):
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise BadForm("not three lines")
    if not re.fullmatch("0|[1-9][0-9]*", lines[1], re.ASCII) or len(lines[1]) > 20 or int(lines[1]) > SIZE_MAX:
        raise BadForm("not a size")
    hashed = base64_of(lines[2])
    if len(hashed) != 32:
        raise BadForm("a root of another length")
    return lines[0], int(lines[1]), hashed


def _signature_line(text):
    found = re.fullmatch("\u2014 ([^ ]*) (.*)", text, re.DOTALL)
    if not found:
        raise BadForm("not a signature line")
    raw = base64_of(found[2])
    if len(raw) < 5:
        raise BadForm("no signature behind the id")
    return _key_name(found[1]), raw[:4], raw[4:]


def _time_of(key, payload, text):
    """Verifies a line of a key that is known; a witness's time."""
    if key.kind == LOG:
        time, message, signature = 0, text, payload
    else:
        time, signature = int.from_bytes(payload[:8], "big"), payload[8:]
        message = f"cosignature/v1\ntime {time}\n{text}"
    if len(signature) != 64 or time >= 2**63 or not ed25519.verify(key.public, message.encode(), signature):
        raise Refused(f"the line of {key.name}")
    return time


def read_note(raw, log, witnesses=()):
    """The checkpoint of a note that the log's key has signed."""
    if len(raw) > NOTE_BYTES_MAX:
        raise BadForm("a note too long")
    try:
        note = raw.decode("utf-8")
    except UnicodeDecodeError as e:
        raise BadForm("not UTF-8") from e
    if re.search("[\0-\x09\x0b-\x1f]", note) or not note.endswith("\n"):
        raise BadForm("a control character, or no line feed at the end")
    text, blank, signatures = note.rpartition("\n\n")
    if not blank or not signatures:
        raise BadForm("no signatures")
    text += "\n"
    origin, size, hashed = _checkpoint_text(text)
    lines = signatures[:-1].split("\n")
    if len(lines) > 64:
        raise BadForm("too many signatures")
    parsed = [_signature_line(line) for line in lines]
    if origin != log.name:
        raise Refused("another origin")
    mine, cosigned = 0, {}
    for name, ident, payload in parsed:
        for key in (log, *witnesses):
            if (key.name, key.id) == (name, ident):
                time = _time_of(key, payload, text)
                mine += key == log
                if key != log:
                    cosigned[key] = max(time, cosigned.get(key, 0))
    if mine != 1:
        raise Refused(f"{mine} signatures of the log")
    return Checkpoint(size, hashed, cosigned)


# Records


def read_record(raw):
    """(record, digest that its own entry names) of a receipt, an abort or a commitment record."""
    fmt = strict.parse(raw)
    fmt = fmt.get("format") if isinstance(fmt, dict) else None
    family = fmt.split("/")[0] if isinstance(fmt, str) else None
    if family == "verbatim.receipt":
        r = receipt_form.read(raw)
        return r, verification_hash(r)
    if family == "verbatim.abort":
        r = receipt_form.read_abort(raw)
        return r, _sha256(b"verbatim.abort.v1\n" + canonical({k: v for k, v in r.items() if k != "signature"}))
    if family == "verbatim.commitment":
        return receipt_form.read_commitment(raw), None
    raise BadForm("no record of a log")


def match(e, log, raw):
    """Refused unless the entry is the record's: section 5."""
    r, digest = read_record(raw)
    request = r["request"]
    same = [e["commitment"] == r["commitment"]["value"], e["sequence"] == request["sequence"],
            log.public.hex() == request["server_key"]]
    if e["kind"] == "commitment":
        same += [e[m] == request[m] for m in ("issued_at_ms", "model_sha256")]
        same.append(e["signature"] == r["commitment"]["signature"])
    else:
        same.append(r["format"] == f"verbatim.{e['kind']}/1" and e["record_sha256"] == digest.hex() and
                    e["signature"] == r["signature"])
    if not all(same):
        raise Refused("the entry of another record")


# Proofs


def _proof_text(raw):
    """(entry, index, path, note)"""
    if len(raw) > PROOF_BYTES_MAX:
        raise BadForm("a proof too long")
    head, _, rest = raw.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as e:
        raise BadForm("not ASCII before the note") from e
    if len(lines) < 3 or lines[0] != "c2sp.org/tlog-proof@v1" or not 0 < len(rest) <= NOTE_BYTES_MAX:
        raise BadForm("not a proof")
    extra = re.fullmatch("extra (.+)", lines[1])
    index = re.fullmatch("index (0|[1-9][0-9]{0,19})", lines[2], re.ASCII)
    if not extra or not index or int(index[1]) >= SIZE_MAX:
        raise BadForm("no entry, or no index")
    entry, path = base64_of(extra[1]), [base64_of(line) for line in lines[3:]]
    if not 0 < len(entry) <= ENTRY_BYTES_MAX or len(path) > 40 or any(len(h) != 32 for h in path):
        raise BadForm("an entry or a path too long, or a hash of another length")
    return entry, int(index[1]), path, rest


def check_proof(raw, log):
    """(index, entry)"""
    bytes_, index, path, note = _proof_text(raw)
    checkpoint = read_note(note, log)
    if root_of_path(leaf_hash(bytes_), index, checkpoint.size, path) != checkpoint.root:
        raise Refused("another root")
    entry = read_entry(bytes_)
    if not entry_is_signed(entry, log.public):
        raise Refused("the entry's signature")
    return index, entry
