"""What the tests of the server's transparency log share: a log read and judged by the second implementation,
a folder's entries against a store's records, and a witness of C2SP's tlog-witness. Standard library only."""
import glob
import http.server
import json
import os
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "reference"))
from verbatim_ref import ed25519, strict, transparency  # noqa: E402


def read(folder, path):
    with open(os.path.join(folder, path), "rb") as f:
        return f.read()


def key_of(folder):
    return transparency.read_key(json.loads(read(folder, "log.json"))["key"])


def numbered(n):
    """A number as paths have it."""
    groups = [f"{n % 1000:03}"]
    while n >= 1000:
        n //= 1000
        groups.insert(0, f"x{n % 1000:03}")
    return "/".join(groups)


def entries_of(size, get):
    """The bytes of all entries; get(path) gives a file's."""
    entries = []
    for n in range((size + 255) // 256):
        width = min(256, size - 256 * n)
        bundle = get(f"tile/entries/{numbered(n)}" + (f".p/{width}" if width < 256 else ""))
        while bundle:
            length = int.from_bytes(bundle[:2], "big")
            entries.append(bundle[2:2 + length])
            bundle = bundle[2 + length:]
    return entries


class Log:
    """A log as its files have it, of which everything but the signatures of its entries is checked here."""

    def __init__(self, get, key):
        self.key, self.note = key, get("checkpoint")
        self.checkpoint = transparency.read_note(self.note, key)
        self.raw = entries_of(self.checkpoint.size, get)
        assert len(self.raw) == self.checkpoint.size, (len(self.raw), self.checkpoint.size)
        self.leaves = [transparency.leaf_hash(e) for e in self.raw]
        assert transparency.root(self.leaves) == self.checkpoint.root, "the root of its entries"
        self.entries = [transparency.read_entry(e) for e in self.raw]
        self.committed, self.settled = {}, {}
        for entry in self.entries:
            self.add(entry)

    def add(self, entry):
        """Section 1.1 of spec/log.md."""
        n = int(entry["sequence"])
        if entry["kind"] == "commitment":
            assert not self.committed or n == max(self.committed) + 1, f"gap before {n}"
            self.committed[n] = entry
            return
        assert n in self.committed, f"{n}: settled before"
        assert n not in self.settled, f"{n}: settled twice"
        assert entry["commitment"] == self.committed[n]["commitment"], f"{n}: settled another"
        self.settled[n] = entry

    def check_signatures(self, every=1):
        for entry in self.entries[::every]:
            assert transparency.entry_is_signed(entry, self.key.public), entry

    def begins_with(self, older):
        """The older one is a beginning of this one."""
        return self.raw[:len(older.raw)] == older.raw


def log_of(folder):
    return Log(lambda path: read(folder, path), key_of(folder))


def log_over_http(server):
    def get(path):
        status, body = server.get("/log/" + path)
        assert status == 200, (path, status)
        return body
    return Log(get, transparency.read_key(json.loads(get("log.json"))["key"]))


def records_of(home, server, name):
    """The records of a server's store, by number."""
    folder = home.file("export-" + name)
    done = home.verbatim("receipts", "export", "--store", server.store, "--to", folder)
    assert done.returncode == 0, done
    records = {}
    for path in glob.glob(os.path.join(folder, "*", "*.json")):
        n = int(os.path.basename(path)[:-5])
        assert n not in records, path
        records[n] = read(folder, path)
    return records


def check_records(checks, log, records, what):
    """Every record has exactly its two entries, and no entry is without its record."""
    checks.equal(sorted(log.committed), sorted(records), f"{what}: the numbers")
    settled = [n for n, raw in records.items() if strict.parse(raw)["format"] != "verbatim.commitment/1"]
    checks.equal(sorted(log.settled), sorted(settled), f"{what}: the settled ones")
    for n, raw in records.items():
        for entry in (log.committed[n], log.settled.get(n)):
            if entry:
                try:
                    transparency.match(entry, log.key, raw)
                except transparency.Refused as error:
                    checks.that(False, f"{what}: record {n}: {error}")


def verify(checks, home, what, *args):
    """The program's own verdict on a log, or on a file of it."""
    done = home.verbatim("log", "verify", "-q", *args)
    checks.equal(done.returncode, 0, f"{what}: verbatim log verify", done)


class Witness(http.server.ThreadingHTTPServer):
    """Cosigns as C2SP's tlog-witness says. `how` may be "good", "hang" (answers after it is told to go on),
    "other-lines" (with lines in other names), or an HTTP status; it can be changed at any time. It judges
    requests all the same: `wrong` has what a log must not send."""
    daemon_threads = True

    def __init__(self, name, log_key, seed=7, size=0, root=None, port=0):
        self.secret = bytes([seed] * 32)
        self.key = transparency.Key(name, transparency.WITNESS, ed25519.public_key(self.secret))
        self.log_key, self.size, self.root = log_key, size, root
        self.how, self.asked, self.wrong, self.sizes, self.lock = "good", 0, [], [], threading.Lock()
        self.go_on = threading.Event()
        super().__init__(("127.0.0.1", port), _Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def vkey(self):
        return vkey(self.key)

    @property
    def setting(self):
        return f"{self.vkey}=http://127.0.0.1:{self.server_address[1]}/w/"

    def line(self, text):
        now = int(time.time())
        signed = ed25519.sign(self.secret, f"cosignature/v1\ntime {now}\n{text}".encode())
        return signature_line(self.key.name, self.key.id, now.to_bytes(8, "big") + signed)

    def judge(self, body):
        """(status, type, answer)"""
        head, _, note = body.partition(b"\n\n")
        old, *proof = head.decode().split("\n")
        old, path = int(old.removeprefix("old ")), [transparency.base64_of(p) for p in proof]
        try:
            checkpoint = transparency.read_note(note, self.log_key)
        except transparency.Refused:
            return 403, "text/plain", b""
        if old > checkpoint.size or len(path) > 63:
            return 400, "text/plain", b""
        if old != self.size or (old == checkpoint.size and self.root not in (None, checkpoint.root)):
            return 409, "text/x.tlog.size", b"%d\n" % self.size
        if old and not transparency.consistent(old, self.root, checkpoint.size, checkpoint.root, path) or not old and path:
            return 422, "text/plain", b""
        self.size, self.root = checkpoint.size, checkpoint.root
        self.sizes.append(self.size)
        text = note.decode().rpartition("\n\n")[0] + "\n"
        lines = self.line(text)
        if self.how == "other-lines":
            other = signature_line("someone.else", b"\0\0\0\1", bytes(72))
            lines = other + lines + signature_line(self.key.name, b"\0\0\0\2", bytes(200))
        return 200, "text/plain", lines.encode()


def vkey(key):
    blob = transparency.base64.b64encode(bytes([key.kind]) + key.public).decode()
    return f"{key.name}+{key.id.hex()}+{blob}"


def signature_line(name, ident, payload):
    return f"\u2014 {name} {transparency.base64.b64encode(ident + payload).decode()}\n"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        w = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with w.lock:
            w.asked += 1
        if self.path != "/w/add-checkpoint":
            w.wrong.append(self.path)
        if w.how == "hang":
            w.go_on.wait()
        status, kind, answer = (w.how, "text/plain", b"") if isinstance(w.how, int) else (None, None, None)
        if status is None:
            with w.lock:
                status, kind, answer = w.judge(body)
            if status not in (200, 409):
                w.wrong.append((status, body[:2000]))
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
        except OSError:
            pass  # the log did not wait

    def log_message(self, *_):
        pass
