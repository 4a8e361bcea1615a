"""Check the measurements of `speed.py`: `python tests/programs/benchmarks/check.py FILE ...`.

`speed.py --output FILE` writes the files. The program names every ratio over its limit, and then exits with status 1.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyperf

#: The sides of a row, timed in turns: gilonce, its peer, and the empty code that both contain.
SIDES = ("ours", "theirs", "nothing")

#: Chooses one time out of many.
Statistic = Callable[[Iterable[float]], float]


@dataclass
class Comparison:
    """A measured row."""

    row: str
    limit: float | None
    where: str
    times: dict[str, tuple[float, ...]]

    def net(self, side: str, of: Statistic) -> float:
        """Return the time of a side, without the time of the empty code."""
        return of(self.times[side]) - of(self.times["nothing"])

    def ratio(self, of: Statistic) -> float:
        """Return how many times slower ours is."""
        return self.net("ours", of) / self.net("theirs", of)

    @property
    def is_over(self) -> bool:
        """Whether ours is slower than the limit allows.

        Both ratios must be over the limit. Noise makes a time longer, never shorter, so the better ratio counts.
        """
        return self.limit is not None and min(self.ratio(statistics.median), self.ratio(min)) > self.limit


def comparisons(suite: Any) -> Iterator[Comparison]:
    """Yield the rows of a `pyperf.BenchmarkSuite`, where each side of a row is a benchmark."""
    for benchmark in suite:
        row, _, side = benchmark.get_name().rpartition(": ")
        if side == "ours":
            metadata = benchmark.get_metadata()
            where = f"{metadata['python_implementation']} {metadata['python_version']}, {metadata['gilonce']}"
            times = {side: suite.get_benchmark(f"{row}: {side}").get_values() for side in SIDES}
            yield Comparison(row, metadata.get("limit"), where, times)


def main() -> int:
    """Name every ratio that is over its limit, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="+", metavar="FILE")
    measured = [row for name in parser.parse_args().files for row in comparisons(pyperf.BenchmarkSuite.load(name))]
    over = [row for row in measured if row.is_over]
    for row in over:
        ratios = f"{row.ratio(statistics.median):.3f} (medians), {row.ratio(min):.3f} (minima)"
        print(f"{row.where}: {row.row}: {ratios}, limit {row.limit}")
    print(f"{len(over)} of {sum(row.limit is not None for row in measured)} ratios are over their limits")
    return int(bool(over))


if __name__ == "__main__":
    sys.exit(main())
