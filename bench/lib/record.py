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


def write(record, path):
    """Whole or not at all."""
    check_record(record)
    part = f"{path}.part"
    with open(part, "w", encoding="utf-8") as f:
        json.dump(record, f, indent=1, ensure_ascii=False)
        f.write("\n")
    os.replace(part, path)
