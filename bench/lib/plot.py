"""A record as an SVG: a panel for each kind of row, a bar for each ratio, a mark at each target.

Written from the record alone, in a fixed format of numbers: the same record gives the same bytes.
Colours follow the reader's light or dark setting.
"""
from xml.sax.saxutils import escape

from . import table

WIDTH, MARGIN, LABELS, BARS = 900, 20, 330, 400  # pixels: the page, its border, columns of labels and bars
LINE, HEADING = 20, 34
LABEL_LETTERS, TITLE_LETTERS = 46, 110

KEY = "Green: met; orange: missed; blue: no target; the vertical mark is the target; pale: noisy."
FEWER = " Some models have fewer layers than their shape."
STYLE = """
  text { font: 13px sans-serif; fill: #24292f; }
  .heading { font-weight: bold; }
  .small { font-size: 11px; fill: #57606a; }
  .page { fill: #ffffff; }
  .rail { fill: #eaeef2; }
  .met { fill: #2f8f5b; }
  .missed { fill: #c9622f; }
  .free { fill: #4a7ab5; }
  .noisy { fill-opacity: 0.5; }
  .target { stroke: #24292f; stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .small { fill: #9aa4ae; }
    .page { fill: #0d1117; }
    .rail { fill: #21262d; }
    .met { fill: #3fa66d; }
    .missed { fill: #db7a46; }
    .free { fill: #6c9bd6; }
    .target { stroke: #e6edf3; }
  }
"""


def cut(text, letters):
    return text if len(text) <= letters else text[:letters - 1] + "…"


def label(x, y, text, kind="", anchor="start"):
    kind = f' class="{kind}"' if kind else ""
    where = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x}" y="{y}"{kind}{where}>{escape(text)}</text>'


def bound(row):
    return next(iter(row["target"].values())) if row["target"] else 0


def panels(rows):
    """Rows of one kind together, in the order of their first."""
    found = {}
    for row in rows:
        found.setdefault((row["group"], row["what"]), []).append(row)
    return found.items()


def bar(row, y, full):
    """One row; full: the ratio at the right end."""
    threads = f"{row['threads']} thread{'s' * (row['threads'] != 1)}"
    x = MARGIN + LABELS
    width = min(row["ratio"] / full, 1) * BARS
    kind = {None: "free", True: "met", False: "missed"}[row["met"]] + (" noisy" if row["noisy"] else "")
    out = [label(MARGIN, y + 14, cut(f"{row['shape']}, {row['format']}, {threads}", LABEL_LETTERS)),
           f'<rect class="rail" x="{x}" y="{y + 3}" width="{BARS}" height="14"/>',
           f'<rect class="{kind}" x="{x}" y="{y + 3}" width="{width:.1f}" height="14"/>']
    if row["target"]:
        at = x + bound(row) / full * BARS
        out.append(f'<line class="target" x1="{at:.1f}" y1="{y + 1}" x2="{at:.1f}" y2="{y + 19}"/>')
    value = table.number(row["ratio"], table.is_share(row)) + (", noisy" if row["noisy"] else "")
    return out + [label(x + BARS + 10, y + 14, value)]


def panel(what, rows, y):
    goals = sorted({table.target_text(r) for r in rows if r["target"]})
    of = list(dict.fromkeys(table.ceiling_words(r) for r in rows))
    heading = f"{what}, of {' or '.join(of)}" + (f" (target {', '.join(goals)})" if goals else "")
    most = max(max(r["ratio"], bound(r)) for r in rows)
    # Of the machine's own ceilings the whole shows, of other figures what there is.
    full = max(most, 1) if rows[0]["ceiling"]["before"] is not None else 1.1 * most or 1
    out = [label(MARGIN, y + 24, cut(heading, TITLE_LETTERS), "heading")]
    for n, row in enumerate(rows):
        out += bar(row, y + HEADING + n * LINE, full)
    return out, y + HEADING + len(rows) * LINE


def svg(record):
    title = "Measured ratios against their targets"
    fewer = any(r["layers"] != r["layers_of"] for r in record["rows"])
    out = [label(MARGIN, 30, title, "heading"), label(MARGIN, 48, cut(table.machine_text(record), 150), "small"),
           label(MARGIN, 63, KEY + (FEWER if fewer else ""), "small")]
    y = 70
    for (group, what), rows in panels(record["rows"]):
        lines, y = panel(what + (", avx2" if group == "avx2" else ""), rows, y)
        out += lines
    y += MARGIN
    size = f'width="{WIDTH}" height="{y}"'
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {WIDTH} {y}" role="img">\n'
            f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n"
            f'<rect class="page" {size}/>\n')
    return head + "\n".join(out) + "\n</svg>\n"
