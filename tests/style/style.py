"""Rules that a script can check: layers, banned calls, sizes, words. One function a rule; each
returns a list of 'file:line: what' findings. Run: style.py SOURCE_DIR"""
import os
import re
import subprocess
import sys

# A layer may include only itself and what stands above it (ARCHITECTURE.md).
LAYERS = ["base", "json", "arith", "kernels", "gguf", "tokenizer", "template", "model", "sample",
          "crypto", "grammar", "beacon", "receipt", "tlog", "verify", "fetch", "chain", "witness", "engine", "store", "api", "server",
          "cli"]

# Folders (or files) that read no clock, network, file, thread or environment.
PURE = ["src/arith/", "src/kernels/scalar/", "src/sample/", "src/json/", "src/grammar/", "src/receipt/", "src/api/", "src/verify/check.c", "src/chain/abi.c", "src/chain/tx.c", "src/chain/verdict.c",
        "src/tlog/tree.c", "src/tlog/entry.c", "src/tlog/note.c", "src/tlog/proof.c", "src/tlog/record.c", "src/tlog/evidence.c",
        "src/tlog/evidence_check.c", "src/tlog/order.c", "src/tlog/path.c",
        "src/verify/report.c", "src/verify/generation.c", "src/witness/statement.c"]
IMPURE = r"\b(fopen|open|read|write|getenv|time|clock|clock_gettime|gettimeofday|socket|connect|" \
         r"pthread_\w+|getrandom|system|fork|printf|fprintf|puts|exit|abort)\s*\("

BANNED = r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atof|rand|srand|alloca|" \
         r"tmpnam|mktemp)\s*\("
LIBM = r"\b(expf?|exp2f?|logf?|log2f?|log10f?|powf?|sinf?|cosf?|tanf?|tanhf?|erff?|fmaf?)\s*\("
FUSED = r"_mm\d*_(mask_|maskz_)?f(n?m(add|sub))\w*|\bv(fma|fms|mla|mls)q?_(lane_|laneq_|n_)?f(16|32|64)"

FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 100  # the aim is 70; a table or a switch may be longer, up to this

# Reads the system on purpose, with the reason.
TIME_ALLOWED = {"src/base/system.c": "the system layer"}


def files(root, *suffixes):
    out = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"],
                         check=True, capture_output=True, text=True).stdout.split("\n")
    return [f for f in out if f.endswith(suffixes) and not f.startswith("models/") and os.path.exists(os.path.join(root, f))]


def text(root, f):
    with open(os.path.join(root, f), encoding="utf-8") as h:
        return h.read()


def code(source):
    """The source with comments and strings blanked, line by line as before."""
    def blank(m):
        return re.sub(r"[^\n]", " ", m.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, source, flags=re.S)


def grep(f, source, pattern, what):
    return [f"{f}:{n}: {what}: {m.group(0).strip()}" for n, line in enumerate(source.split("\n"), 1)
            for m in re.finditer(pattern, line)]


def layers(root):
    bad = []
    for f in files(root, ".c", ".h"):
        if not f.startswith("src/"):
            continue
        mine = LAYERS.index(f.split("/")[1]) if f.split("/")[1] in LAYERS else None
        if mine is None:
            bad.append(f"{f}:1: a folder that ARCHITECTURE.md does not name")
            continue
        for n, line in enumerate(text(root, f).split("\n"), 1):
            m = re.match(r'#include "([a-z]+)/', line)
            if m and m.group(1) in LAYERS and LAYERS.index(m.group(1)) > mine:
                bad.append(f"{f}:{n}: layer {LAYERS[mine]} includes {m.group(1)}, which stands below it")
    return bad


def banned(root):
    bad = []
    for f in files(root, ".c", ".h"):
        source = code(text(root, f))
        bad += grep(f, source, BANNED, "banned")
        bad += grep(f, source, r"reduction\s*\(", "an OpenMP reduction has no order")
        if f.startswith("src/"):
            bad += grep(f, source, LIBM, "libm is not exact")
            bad += grep(f, source, FUSED, "fused multiply-add")
            if f not in TIME_ALLOWED:
                bad += grep(f, source, r"(?<![\w.>])(time|clock_gettime|gettimeofday)\s*\(", "a clock")
        if f.startswith(tuple(PURE)):
            bad += grep(f, source, IMPURE, "a pure layer reaches outside")
    return bad


def flags(root):
    bad = []
    for f in files(root, "CMakeLists.txt", ".cmake"):
        bad += grep(f, text(root, f), r"(?<!no-)fast-math|-Ofast|(?<!never )-march=native|ffp-contract=(fast|on)",
                    "a float flag that changes bits")
    return bad


def sizes(root):
    bad = []
    for f in files(root, ".c", ".h"):
        lines = text(root, f).split("\n")
        if len(lines) > FILE_LINES_MAX and f.startswith(("src/", "bench/")):
            bad.append(f"{f}:1: {len(lines)} lines, at most {FILE_LINES_MAX}")
        start = None
        for n, line in enumerate(lines, 1):
            if f.startswith("src/"):
                if re.match(r"^[a-z].*\)\s*\{$", line) or (line.startswith("    ") and start == 0):
                    start = n
                if line == "}" and start:
                    if n - start > FUNCTION_LINES_MAX:
                        bad.append(f"{f}:{start}: a function of {n - start} lines")
                    start = None
    return bad


def words(root):
    bad = []
    for f in files(root, ".c", ".h", ".py", ".md", ".sh", ".cmake", ".test"):
        if f.startswith("tests/style/") or "/training/" in f:
            continue
        bad += grep(f, text(root, f), r"\b(TODO|FIXME|XXX)\b", "unfinished")
    return bad


def headers(root):
    bad = []
    for f in files(root, ".h"):
        if f.startswith(("src/", "include/")):
            if not text(root, f).startswith("/*"):
                bad.append(f"{f}:1: a header opens with what it is for")
    return bad


def main():
    root = sys.argv[1]
    findings = [x for rule in (layers, banned, flags, sizes, words, headers) for x in rule(root)]
    print("\n".join(findings) or "no findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
