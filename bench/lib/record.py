"""A run's record: JSON of the form that bench/report's head describes, read strictly."""
import json
import os

FORMAT = "verbatim.bench/1"
GROUPS = ("decode", "prefill", "avx2", "verify", "batch", "context", "load", "answer")
BYTES_MAX = 16 << 20

TEXT, COUNT, NUMBER, BOOL = "a text", "a whole number", "a finite number", "true or false"
MACHINE = {"cpu": TEXT, "cores": COUNT, "memory_bytes": COUNT, "kernel": TEXT, "tier": TEXT,
           "compiler": TEXT, "build": TEXT, "commit": TEXT}
ROW = {"group": TEXT, "what": TEXT, "shape": TEXT, "layers": COUNT, "layers_of": COUNT, "format": TEXT,
       "tier": TEXT, "threads": COUNT, "figure": NUMBER, "unit": TEXT, "ceiling": dict, "ratio": NUMBER,
       "target": dict, "met": BOOL, "noisy": BOOL}
CEILING = {"name": TEXT, "value": NUMBER, "before": NUMBER, "after": NUMBER}
MISSING = {"group": TEXT, "what": TEXT, "why": TEXT}
TOP = {"format": TEXT, "date": TEXT, "mode": TEXT, "repeats": COUNT, "complete": BOOL, "machine": dict,
       "rows": list, "missing": list}
NULLABLE = {("ceiling", "before"), ("ceiling", "after"), ("row", "target"), ("row", "met")}


class RecordError(Exception):
    """The record is not of the form; the message names the member."""


def fits(value, kind):
    if kind is TEXT:
        return isinstance(value, str) and value.isprintable() and len(value) <= 200
    if kind is BOOL:
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return isinstance(kind, type) and isinstance(value, kind)
    if kind is COUNT:
        return isinstance(value, int) and 0 <= value < 1 << 53
    return kind is NUMBER and 0 <= value < 1e300


def shown(value):
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "an array"
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


def check(value, members, path, nullable_in=""):
    """An object with these members and no other."""
    if not isinstance(value, dict):
        raise RecordError(f"{path or 'the record'}: an object expected, found {shown(value)}")
    for name in value:
        if name not in members:
            raise RecordError(f"{path}.{name}: a member that is not known".lstrip("."))
    for name, kind in members.items():
        where = f"{path}.{name}".lstrip(".")
        if name not in value:
            raise RecordError(f"{where}: missing")
        if value[name] is None and (nullable_in, name) in NULLABLE:
            continue
        if not fits(value[name], kind):
            words = {dict: "an object", list: "an array"}.get(kind, kind)
            raise RecordError(f"{where}: {words} expected, found {shown(value[name])}")


def check_row(row, path):
    check(row, ROW, path, "row")
    check(row["ceiling"], CEILING, f"{path}.ceiling", "ceiling")
    if row["group"] not in GROUPS:
        raise RecordError(f"{path}.group: one of {', '.join(GROUPS)} expected, found {shown(row['group'])}")
    if (row["target"] is None) != (row["met"] is None):
        raise RecordError(f"{path}.met: it goes with a target")
    if row["target"] is not None:
        if set(row["target"]) not in ({"at_least"}, {"at_most"}):
            raise RecordError(f"{path}.target: one member expected, at_least or at_most")
        (kind, bound), = row["target"].items()
        check(row["target"], {kind: NUMBER}, f"{path}.target")
        if bound == 0:
            raise RecordError(f"{path}.target.{kind}: a number above 0 expected, found 0")
        if row["met"] != met(row["ratio"], row["target"]):
            raise RecordError(f"{path}.met: {shown(row['met'])} does not follow from ratio and target")


def met(ratio, target):
    """None without a target."""
    if target is None:
        return None
    return ratio >= target["at_least"] if "at_least" in target else ratio <= target["at_most"]


def check_record(record):
    check(record, TOP, "")
    if record["format"] != FORMAT:
        raise RecordError(f"format: {FORMAT} expected, found {shown(record['format'])}")
    if record["mode"] not in ("quick", "full"):
        raise RecordError(f"mode: quick or full expected, found {shown(record['mode'])}")
    check(record["machine"], MACHINE, "machine")
    for i, row in enumerate(record["rows"]):
        check_row(row, f"rows[{i}]")
    for i, one in enumerate(record["missing"]):
        check(one, MISSING, f"missing[{i}]")


def read(path):
    def no_constant(name):
        raise ValueError(f"{name} is no number of JSON")

    def no_twice(pairs):
        if len({k for k, _ in pairs}) != len(pairs):
            raise ValueError("an object has a member twice")
        return dict(pairs)

    try:
        with open(path, "rb") as f:
            data = f.read(BYTES_MAX + 1)
        if len(data) > BYTES_MAX:
            raise RecordError(f"{path}: more than {BYTES_MAX} bytes")
        record = json.loads(data.decode("utf-8"), parse_constant=no_constant, object_pairs_hook=no_twice)
        check_record(record)
    except OSError as e:
        raise RecordError(f"{path}: {e.strerror}")
    except RecursionError:
        raise RecordError(f"{path}: not JSON of a record (nested too deeply)")
    except ValueError as e:  # UnicodeDecodeError is one too
        raise RecordError(f"{path}: not JSON of a record ({e})")
    except RecordError as e:
        raise RecordError(str(e) if str(e).startswith(path) else f"{path}: {e}")
    return record


def same_row(a, b):
    return all(a[k] == b[k] for k in ("group", "what", "shape", "layers", "format", "tier", "threads"))


def merge(records):
    """One record of several of one machine; of a row that more than one has, the last counts. The
    commits are all named."""
    out = {**records[-1], "rows": [], "missing": []}
    for r in records:
        for name in ("mode", "repeats"):
            if r[name] != out[name]:
                raise RecordError(f"{name}: {shown(r[name])} in one record and {shown(out[name])} in another")
        for name in MACHINE:
            if name != "commit" and r["machine"][name] != out["machine"][name]:
                raise RecordError(f"machine.{name}: {shown(r['machine'][name])} in one record and "
                                  f"{shown(out['machine'][name])} in another")
        out["rows"] = [old for old in out["rows"] if not any(same_row(old, new) for new in r["rows"])] + r["rows"]
        out["missing"] = [m for m in out["missing"] if m not in r["missing"]] + r["missing"]
    commits = list(dict.fromkeys(r["machine"]["commit"] for r in records))
    out["machine"] = {**out["machine"], "commit": ", ".join(commits)}
    out["complete"] = all(r["complete"] for r in records)
    out["rows"] = in_order(out["rows"])
    check_record(out)
    return out


def in_order(rows):
    """Rows of one kind together."""
    kinds = list(dict.fromkeys((r["group"], r["what"]) for r in rows))
    kinds.sort(key=lambda kind: GROUPS.index(kind[0]))
    return sorted(rows, key=lambda r: kinds.index((r["group"], r["what"])))


def write(record, path):
    """Whole or not at all."""
    check_record(record)
    part = f"{path}.part"
    with open(part, "w", encoding="utf-8") as f:
        json.dump(record, f, indent=1, ensure_ascii=False)
        f.write("\n")
    os.replace(part, path)
