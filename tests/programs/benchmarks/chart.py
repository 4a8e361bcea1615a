"""Draw what `speed.py` measured as a chart: `python tests/programs/benchmarks/chart.py FILE ... [--output SVG]`.

`speed.py --output FILE` writes the files, one for each interpreter. A row of the chart is a row of `speed.py`. A dot is
the ratio of the minima, because noise makes a time longer, never shorter. The README shows the chart,
`.github/speed.svg`, on light and on dark pages: the background is transparent, and every color has about the same
contrast with white and with black.

It needs the extra `chart`: `pip install -e '.[test,chart]'`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pyperf
from check import Comparison, comparisons
from matplotlib import pyplot
from matplotlib.axes import Axes

DEFAULT = Path(__file__).resolve().parents[3] / ".github" / "speed.svg"
TEXT = "#797979"
COLORS = ["#c2610c", "#2f81f7", "#2da44e"]
MARKERS = ["o", "D", "s"]
#: What the ratios mean, on the axis.
TICKS = {0.01: "100x\nfaster", 0.1: "10x\nfaster", 0.5: "2x\nfaster", 1: "equal", 2: "2x\nslower"}
#: Rows that compare gilonce with gilonce or with a sum, that take as long as someone sleeps, or that differ little from
#: another row.
LEFT_OUT = (
    *(
        "with cell=OnceLock",
        "+ 50 ns",
        "64 threads",
        "f(function)",
        'f("a", 1)',
        'f(x="a"',
        'f("a") of',
        "1 + number_p",
    ),
    *(
        "-number_p",
        "number_p < 1",
        "1 in items_p",
        "hash(number_p)",
        "del entered_p",
        "async for",
        ", lambda",
        ", class",
    ),
)

STYLE: dict[str, Any] = {
    **dict.fromkeys(["text.color", "axes.edgecolor", "xtick.color", "ytick.color"], TEXT),
    "font.family": "sans-serif",
    "font.size": 12,
    # Text stays text, and the same measurements give the same file.
    "svg.fonttype": "none",
    "svg.hashsalt": "gilonce",
}


def measured(files: list[str]) -> dict[str, list[Comparison]]:
    """Return the rows to draw, by the interpreter on which they were measured."""
    found = {}
    for file in files:
        rows = [row for row in comparisons(pyperf.BenchmarkSuite.load(file)) if not is_left_out(row)]
        # "cpython 3.13.0 (64-bit), native, GIL enabled"
        found[rows[0].where.partition(" (")[0].replace("cpython", "CPython")] = rows
    return found


def is_left_out(row: Comparison) -> bool:
    """Return whether the chart does without a row."""
    return any(part in row.row for part in LEFT_OUT)


def draw(axes: Axes, by_interpreter: dict[str, list[Comparison]]) -> None:
    """Draw a line for each row, from "equal" to the ratio, and a dot for each interpreter."""
    names = list(dict.fromkeys(row.row for rows in by_interpreter.values() for row in rows))
    places = {name: place for place, name in enumerate(reversed(names))}
    axes.axvline(1, color=TEXT, linewidth=1)
    for (interpreter, rows), color, marker in zip(by_interpreter.items(), COLORS, MARKERS, strict=False):
        offset = 0.17 if color == COLORS[0] else -0.17
        for row in rows:
            ratio, place = row.ratio(min), places[row.row] + offset
            axes.plot([1, ratio], [place, place], color=color, linewidth=1.5)
        points = [(row.ratio(min), places[row.row] + offset) for row in rows]
        axes.plot(*zip(*points, strict=True), marker, color=color, label=interpreter, markersize=6)
    axes.set_xscale("log")
    axes.set_xlim(right=2.6)
    axes.set_xticks(list(TICKS), list(TICKS.values()))
    axes.minorticks_off()
    axes.set_yticks(list(places.values()), list(places))
    axes.set_ylim(-0.7, len(places) - 0.3)
    axes.tick_params(length=0)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.grid(axis="x", color=TEXT, linewidth=0.4, alpha=0.5)
    axes.set_title("time of gilonce / time of the other", loc="left", fontsize=STYLE["font.size"])
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(by_interpreter), frameon=False, borderpad=0.2)


def main() -> None:
    """Draw the chart."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--output", type=Path, default=DEFAULT, metavar="SVG", help="default: .github/speed.svg")
    options = parser.parse_args()
    with mpl.rc_context(STYLE):
        by_interpreter = measured(options.files)
        rows = max(map(len, by_interpreter.values()))
        figure, axes = pyplot.subplots(figsize=(9, 0.5 + 0.36 * rows))
        draw(axes, by_interpreter)
        figure.savefig(options.output, transparent=True, bbox_inches="tight", metadata={"Date": None})


if __name__ == "__main__":
    main()
