"""Check the ratios that `speed.py --json` wrote: `python tests/benchmarks/check.py FILE ...`.

The exit status is 1 if one is over its limit.
"""

from __future__ import annotations

import json
import sys


def main() -> int:
    """Print every ratio above its limit, and return whether there is one."""
    over = 0
    for name in sys.argv[1:]:
        with open(name) as file:
            measured = json.load(file)
        for row in measured["rows"]:
            if row["ratio"] > row["limit"]:
                over += 1
                print(f"{measured['python']}: {row['name']}: {row['ratio']:.3f} > {row['limit']}")
    return over > 0


if __name__ == "__main__":
    sys.exit(main())
