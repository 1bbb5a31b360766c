"""What the vectors of a log are made of: trees by the definition of RFC 6962, entries, notes, proofs and evidence.
The log's key is the seed 00 01 ... 1f, which also signs the receipts."""

import base64
import functools
import hashlib

import receipts
from verbatim_ref.strict import canonical

SEED, OTHER_SEED = receipts.SEED, receipts.OTHER_SEED
WITNESS_SEEDS = [bytes([64 + i] * 32) for i in range(3)]
ORIGIN = "log.example/verbatim"
LOG, WITNESS = 1, 4
T = 1763850000
NOTHING = hashlib.sha256(b"").digest()


def sha256(raw):
    return hashlib.sha256(raw).digest()


def b64(raw):
    return base64.b64encode(raw).decode()


# Trees


def leaf_hash(entry):
    return sha256(b"\0" + entry)


def node_hash(left, right):
    return sha256(b"\1" + left + right)


def _split(n):
    return 1 << (n - 1).bit_length() - 1


class Tree:
    """Of entries; what is asked of it is asked of the first `size`."""

    def __init__(self, entries):
        self.leaves = [leaf_hash(e) for e in entries]

    @functools.lru_cache(None)
    def _root(self, start, end):
        n = end - start
        if n <= 1:
            return self.leaves[start] if n else NOTHING
        k = start + _split(n)
        return node_hash(self._root(start, k), self._root(k, end))

    def root(self, size):
        return self._root(0, size)

    def _path(self, m, start, end):
        if end - start == 1:
            return []
        k = start + _split(end - start)
        if m < k:
            return self._path(m, start, k) + [self._root(k, end)]
        return self._path(m, k, end) + [self._root(start, k)]

    def path(self, index, size):
        return self._path(index, 0, size)

    def _subproof(self, m, start, end, whole):
        if m == end:
            return [] if whole else [self._root(start, end)]
        k = start + _split(end - start)
        if m <= k:
            return self._subproof(m, start, k, whole) + [self._root(k, end)]
        return self._subproof(m, k, end, False) + [self._root(start, k)]

    def consistency(self, old, size):
        return self._subproof(old, 0, size, True)

    def prefix(self, old, size):
        """The consistency proof with its first hash, which RFC 6962 leaves out for a power of two."""
        first = [self.root(old)] if old & old - 1 == 0 else []
        return first + self.consistency(old, size)


# Notes


def key_id(name, kind, public):
    return sha256(name.encode() + b"\n" + bytes([kind]) + public)[:4]


def vkey(name=ORIGIN, kind=LOG, seed=SEED):
    public = receipts.public_key(seed)
    return f"{name}+{key_id(name, kind, public).hex()}+{b64(bytes([kind]) + public)}"


def text(size, root, origin=ORIGIN):
    return f"{origin}\n{size}\n{b64(root)}\n"


def line(name, kind, seed, payload):
    return f"\u2014 {name} {b64(key_id(name, kind, receipts.public_key(seed)) + payload)}\n"


def log_line(body, name=ORIGIN, seed=SEED):
    return line(name, LOG, seed, bytes.fromhex(receipts.sign(seed, body.encode())))


def witness_name(i):
    return f"witness.example/w{i}"


def witness_line(body, i=0, time=T, name=None):
    seed = WITNESS_SEEDS[i]
    message = f"cosignature/v1\ntime {time}\n{body}".encode()
    payload = time.to_bytes(8, "big") + bytes.fromhex(receipts.sign(seed, message))
    return line(name or witness_name(i), WITNESS, seed, payload)


def witness_key(i):
    return vkey(witness_name(i), WITNESS, WITNESS_SEEDS[i])


def note(body, *lines):
    return body + "\n" + "".join(lines)


def checkpoint(tree, size, *more):
    body = text(size, tree.root(size))
    return note(body, log_line(body), *more)


# Records and their entries


def record(sequence, nonce="n", seed=SEED, t=receipts.T):
    """A sealed receipt with this number."""
    r = receipts.draft(t=t)
    r["request"]["sequence"], r["request"]["nonce"] = str(sequence), nonce
    r["request"]["server_key"] = receipts.public_key(seed).hex()
    return receipts.seal(r, seed)


def commitment_record(r):
    return {"format": "verbatim.commitment/1", "request": r["request"], "commitment": r["commitment"]}


def abort_digest(a):
    return sha256(b"verbatim.abort.v1\n" + canonical({k: v for k, v in a.items() if k != "signature"}))


def abort_record(r, reason="cancelled", seed=SEED):
    a = {**commitment_record(r), "format": "verbatim.abort/1", "reason": reason}
    a["aborted_at_ms"] = str(int(r["request"]["issued_at_ms"]) + 5)
    a["signature"] = receipts.sign(seed, abort_digest(a))
    return a


def commitment_entry(r):
    return {
        "commitment": r["commitment"]["value"],
        "format": "verbatim.entry/1",
        "issued_at_ms": r["request"]["issued_at_ms"],
        "kind": "commitment",
        "model_sha256": r["request"]["model_sha256"],
        "sequence": r["request"]["sequence"],
        "signature": r["commitment"]["signature"],
    }


def _settled(r, kind, digest):
    return {
        "commitment": r["commitment"]["value"],
        "format": "verbatim.entry/1",
        "kind": kind,
        "record_sha256": digest.hex(),
        "sequence": r["request"]["sequence"],
        "signature": r["signature"],
    }


def receipt_entry(r):
    return _settled(r, "receipt", receipts.verification_hash(r))


def abort_entry(a):
    return {**_settled(a, "abort", abort_digest(a)), "reason": a["reason"]}


def made_up(kind, sequence, label="a", seed=SEED):
    """A signed entry of a record that nobody has; label tells commitments of one number apart."""
    c = sha256(f"{label} {sequence}".encode())
    e = {"commitment": c.hex(), "format": "verbatim.entry/1", "kind": kind, "sequence": str(sequence)}
    if kind == "commitment":
        e.update(issued_at_ms="1700000005000", model_sha256=sha256(b"model").hex())
        e["signature"] = receipts.sign(seed, b"verbatim.commitment.v1\n" + c)
        return e
    digest = sha256(f"{kind} {label} {sequence}".encode())
    e.update(record_sha256=digest.hex(), signature=receipts.sign(seed, digest))
    return {**e, "reason": "lost"} if kind == "abort" else e


# Proofs and evidence


def proof(entry, index, path, checkpoint_note):
    hashes = "".join(b64(h) + "\n" for h in path)
    return f"c2sp.org/tlog-proof@v1\nextra {b64(entry)}\nindex {index}\n{hashes}\n{checkpoint_note}"


def shown(tree, entries, index, size):
    return {"entry": b64(entries[index]), "index": str(index), "path": [h.hex() for h in tree.path(index, size)]}


def fork(first, second, path, key=None):
    return {"checkpoints": [first, second], "format": "verbatim.evidence/1", "key": key or vkey(), "offence": "fork",
            "path": [h.hex() for h in path]}


def accused(entries, indices=None, size=None, key=None):
    """Evidence of offence `entries`: those at indices (all of them), under a checkpoint of all."""
    raw = [e if isinstance(e, bytes) else canonical(e) for e in entries]
    tree, size = Tree(raw), size or len(raw)
    return {"checkpoint": checkpoint(tree, size),
            "entries": [shown(tree, raw, i, size) for i in (range(size) if indices is None else indices)],
            "format": "verbatim.evidence/1", "key": key or vkey(), "offence": "entries"}


def broken_promise(entries, index, rec, key=None):
    return {**accused(entries, [index], key=key), "offence": "commitment", "record": canonical(rec).decode()}
