"""What the end-to-end tests share: the programs, a temporary home, checks, and a forger.

The forger knows the server's key. It recomputes what a dishonest server could recompute, by
hashlib and openssl from the written rules alone, so that a forged receipt fails only where the
model or the rules refute it.
"""
import copy
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

ROOT = os.environ.get("VB_SOURCE_DIR") or os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("VB_BUILD_DIR") or os.path.join(ROOT, "build")
DATA = os.environ.get("VB_DATA_DIR") or os.path.join(ROOT, "..", "shared", "data")
VERBATIM = os.path.join(BUILD, "verbatim")
SYNTH = os.path.join(BUILD, "verbatim-synth")
DEMO = os.path.join(ROOT, "models", "verbatim-demo", "verbatim-demo-q8_0.gguf")
DEMO_Q4 = os.path.join(ROOT, "models", "verbatim-demo", "verbatim-demo-q4_k_m.gguf")
STORIES = os.path.join(DATA, "models", "stories260K", "stories260K.gguf")
TIMEOUT_S = 300


def skip(reason):
    print(reason)
    sys.exit(77)


class Home:
    """A folder for everything the programs write; removed at the end."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="verbatim-e2e-")
        self.env = dict(os.environ, XDG_DATA_HOME=os.path.join(self.path, "data"),
                        XDG_CACHE_HOME=os.path.join(self.path, "cache"),
                        HOME=self.path, OMP_WAIT_POLICY="passive")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def file(self, name):
        return os.path.join(self.path, name)

    @property
    def key_file(self):
        return os.path.join(self.path, "data", "verbatim", "server-key.pem")

    def verbatim(self, *args, **options):
        """Runs the program; .returncode, .stdout and .stderr (bytes) of the result."""
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        if "input" not in options:
            options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("env", self.env)
        return subprocess.run([VERBATIM, *map(str, args)], timeout=TIMEOUT_S, **options)

    def synth(self, name, *args):
        path = self.file(name)
        made = subprocess.run([SYNTH, "--quiet", *map(str, args), path], env=self.env,
                              stderr=subprocess.PIPE, timeout=TIMEOUT_S)
        if made.returncode:
            raise RuntimeError(f"verbatim-synth {args}: {made.stderr.decode()}")
        return path


class Checks:
    """Counts what was checked; every failure is printed, and the exit status says whether any."""

    def __init__(self):
        self.n = 0
        self.failures = 0

    def that(self, condition, text, result=None):
        self.n += 1
        if not condition:
            self.failures += 1
            print(f"FAIL {text}")
            if result is not None:
                print(f"     exit {result.returncode}")
                print("     stdout " + repr((result.stdout or b"")[-600:]))
                print("     stderr " + repr((result.stderr or b"")[-600:]))
        return condition

    def equal(self, found, expected, text, result=None):
        return self.that(found == expected, f"{text}: expected {expected!r}, found {found!r}",
                         result)

    def finish(self):
        print(f"{self.n} checks, {self.failures} failed")
        return 1 if self.failures or self.n == 0 else 0


def tiers(home):
    report = json.loads(home.verbatim("version", "--json").stdout)
    return [t["name"] for t in report["tiers"]]


def sha256_of_file(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


# RFC 8785 for what receipts hold: ASCII names, integers, binary64 numbers, UTF-8 strings.

def _number(x):
    if isinstance(x, int):
        return str(x)
    if x == int(x) and abs(x) < 1e21:
        return str(int(x))
    digits, _, exponent = repr(x).partition("e")
    if not exponent:
        return digits
    e = int(exponent)
    if -7 < e < 0:  # ECMAScript writes these without an exponent, Python from 1e-5 on with one
        sign = "-" if digits.startswith("-") else ""
        return sign + "0." + "0" * (-e - 1) + digits.lstrip("-").replace(".", "")
    return digits + "e" + ("+" if e > 0 else "-") + str(abs(e))


def jcs(value):
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ",".join(map(jcs, value)) + "]"
    return "{" + ",".join(f"{json.dumps(k)}:{jcs(v)}" for k, v in sorted(value.items())) + "}"


def digest(domain, data):
    return hashlib.sha256(domain.encode() + b"\n" + data).digest()


def tokens_digest(ids):
    return digest("verbatim.tokens.v1", struct.pack(f"<{len(ids)}I", *ids)).hex()


class Forger:
    def __init__(self, home, key_file=None):
        self.home, self.key_file = home, key_file or home.key_file

    def _sign(self, message):
        path = self.home.file("to-sign")
        with open(path, "wb") as f:
            f.write(message)
        return subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey",
                               self.key_file, "-in", path], check=True,
                              stdout=subprocess.PIPE).stdout.hex()

    @staticmethod
    def commitment(r):
        return digest("verbatim.request.v1", jcs(r["request"]).encode())

    def commit(self, r):
        """C, its signature, and the id that is made from it."""
        c = self.commitment(r)
        r["commitment"] = {"value": c.hex(), "signature": self._sign(b"verbatim.commitment.v1\n" + c)}
        r["id"] = "vr-" + c.hex()[:24]

    @staticmethod
    def seed(r):
        q = r["request"]
        for i, out in enumerate(r["outputs"]):
            if q["seed"] is not None:
                s = digest("verbatim.seed.fixed.v1", struct.pack(">QI", int(q["seed"]), i))
            else:
                b = r["beacon"]
                s = digest("verbatim.seed.v1", q["beacon"]["id"].encode() + b"\0" +
                           struct.pack(">Q", int(b["round"])) + bytes.fromhex(b["randomness"]) +
                           bytes.fromhex(r["commitment"]["value"]) + struct.pack(">I", i))
            out["seed"] = s.hex()

    @staticmethod
    def digests(r):
        """Of the texts, the prompt's tokens, and the counts."""
        for out in r["outputs"]:
            out["text_sha256"] = digest("verbatim.text.v1", out["text"].encode()).hex()
        if r["prompt"]["tokens"] is not None:
            r["request"]["prompt_sha256"] = tokens_digest(r["prompt"]["tokens"])
            r["request"]["prompt_tokens"] = len(r["prompt"]["tokens"])
        r["usage"] = {"prompt_tokens": r["request"]["prompt_tokens"],
                      "completion_tokens": sum(len(o["tokens"]) for o in r["outputs"])}

    @staticmethod
    def verification_hash(r):
        unsigned = {k: v for k, v in r.items() if k != "signature"}
        return digest("verbatim.receipt.v1", jcs(unsigned).encode())

    def sign(self, r):
        r["signature"] = self._sign(self.verification_hash(r))

    def forge(self, receipt, edit, steps="digests commit seed sign"):
        """A copy of the receipt, edited, then made as consistent as `steps` say; its bytes."""
        r = copy.deepcopy(receipt)
        edit(r)
        for step in steps.split():
            getattr(self, step)(r)
        return jcs(r).encode()

    # The records around a receipt (spec/receipt.md, section 5).

    @staticmethod
    def commitment_record(r):
        return jcs({"format": "verbatim.commitment/1", "request": r["request"],
                    "commitment": r["commitment"]}).encode()

    def abort_record(self, r, reason="failed", aborted_at_ms=None):
        record = {"format": "verbatim.abort/1", "request": r["request"], "commitment": r["commitment"],
                  "aborted_at_ms": aborted_at_ms or r["request"]["issued_at_ms"], "reason": reason}
        record["signature"] = self._sign(digest("verbatim.abort.v1", jcs(record).encode()))
        return jcs(record).encode()


def has_terminals():
    """Whether this machine has pseudo-terminals (a bare container may have none)."""
    try:
        ends = os.openpty()
    except OSError:
        return False
    for fd in ends:
        os.close(fd)
    return True
