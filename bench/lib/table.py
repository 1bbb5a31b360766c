"""A record as a table for people: GitHub's Markdown, aligned."""
HEAD = ("what", "shape", "format", "threads", "figure", "of", "ratio", "target", "met")


def scaled(value, unit):
    """1.5e9, "B/s": "1.50 GB/s"."""
    if unit in ("B/s", "MAC/s", "B"):
        scale, letter = (1e9, "G") if value >= 1e8 else (1e6, "M")
        return f"{value / scale:.{1 if value >= 1e10 else 2}f} {letter}{unit}"
    if unit == "s":
        for scale, name in ((1, "s"), (1e-3, "ms")):
            if value >= scale:
                return f"{value / scale:.{2 if value < 100 * scale else 0}f} {name}"
        return f"{value / 1e-6:.0f} us"
    return f"{value:.1f} {unit}"


def is_share(row):
    """Shown in percent; else as a factor."""
    if row["target"]:
        return next(iter(row["target"].values())) < 1
    return row["ceiling"]["before"] is not None


def number(value, share):
    if not share:
        return f"{value:.2f} x"
    return f"{100 * value:.{2 if value < 0.1 else 0}f} %"


def target_text(row):
    if row["target"] is None:
        return "-"
    (kind, bound), = row["target"].items()
    return ("≥ " if kind == "at_least" else "≤ ") + (f"{100 * bound:.3g} %" if is_share(row) else f"{bound:g} x")


def shape_text(row):
    fewer = row["layers"] != row["layers_of"]
    return row["shape"] + (f", {row['layers']} of {row['layers_of']} layers" if fewer else "")


def ceiling_words(row):
    name = row["ceiling"]["name"]
    return {"read": "reading memory", "int8": "the int8 peak", "f32": "the f32 peak"}.get(name, name)


def cells(row):
    met = {None: "-", True: "yes", False: "no"}[row["met"]] + (", noisy" if row["noisy"] else "")
    tier = ", avx2" if row["group"] == "avx2" else ""
    return (row["what"] + tier, shape_text(row), row["format"], str(row["threads"]),
            scaled(row["figure"], row["unit"]), f"{scaled(row['ceiling']['value'], row['unit'])}, {ceiling_words(row)}",
            number(row["ratio"], is_share(row)), target_text(row), met)


def machine_text(record):
    m = record["machine"]
    return (f"{m['cpu']}, {m['cores']} cores, {m['memory_bytes'] / 2**30:.0f} GiB, {m['kernel']}; tier {m['tier']}, "
            f"{m['compiler']}, {m['build']}, commit {m['commit']}")


def notes(record):
    rows = record["rows"]
    judged = [r for r in rows if r["met"] is not None]
    yield machine_text(record)
    noisy = sum(r["noisy"] for r in rows)
    yield (f"{sum(r['met'] for r in judged)} of {len(judged)} targets met, {noisy} row{'s' * (noisy != 1)} noisy "
           "(a ceiling before and after differs by more than 15 %)")
    if any(r["layers"] != r["layers_of"] for r in rows):
        yield ("Models with fewer layers than the shape has: shares of a ceiling hardly depend on depth; times of a "
               "whole token are reckoned to all layers.")
    for one in record["missing"]:
        yield f"Missing: {one['what']}: {one['why']}"
    if not record["complete"]:
        yield "Stopped before the end: what is above was measured, the rest was not."


def ceilings(record):
    """The machine's own, the highest that any row saw."""
    seen = {}
    for row in record["rows"]:
        c = row["ceiling"]
        if c["before"] is not None:
            key = (row["tier"], row["threads"], c["name"])
            seen[key] = max(seen.get(key, 0), c["value"])
    for (tier, threads, name), value in sorted(seen.items()):
        unit = "B/s" if name == "read" else "MAC/s"
        yield f"{name}: {scaled(value, unit)} ({threads} thread{'s' * (threads > 1)}, {tier})"


def text(record):
    lines = [HEAD, tuple("-" for _ in HEAD)] + [cells(r) for r in record["rows"]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    out = []
    for n, line in enumerate(lines):
        fill = "-" if n == 1 else " "
        out.append("| " + " | ".join(c.ljust(w, fill) for c, w in zip(line, widths)) + " |")
    out += ["", *notes(record)]
    found = list(ceilings(record))
    if found:
        out += ["Ceilings: " + "; ".join(found)]
    return "\n".join(out) + "\n"
