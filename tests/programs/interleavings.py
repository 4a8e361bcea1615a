"""Run every interleaving, and print a table: interleavings and outcomes of each scenario, and the time.

    python tests/programs/interleavings.py [--all] [--only BEGINNING]

The scenarios are those of `laws/test_interleavings.py` and `laws/test_interleavings_waiting.py`. The exit status is 1
if the outcomes of a scenario are not those of its model.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "laws")]


def main() -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--all", action="store_true", help="also what takes minutes")
    parser.add_argument("--only", default="", help="what the name of a scenario begins with")
    options = parser.parse_args()

    import test_interleavings as racing
    import test_interleavings_waiting as waiting
    from support import activate
    from support.interleaving.scenario import model_outcomes

    columns = "{:<50}{:>14}{:>10}{:>10}"
    print(columns.format("scenario", "interleavings", "outcomes", "seconds"))
    total, wrong = 0, 0
    with activate("python") as gilonce:
        chosen = [
            (scenario, explore)
            for module, explore in ((racing, racing.run), (waiting, waiting.explore_waiting))
            for scenario in [*module.SCENARIOS, *(module.LONG if options.all else [])]
        ]
        for scenario, explore in chosen:
            if not scenario.name.startswith(options.only):
                continue
            try:
                found = explore(scenario, gilonce, limit=1_000_000)
                outcomes = set(found.outcomes)
                is_wrong = outcomes != model_outcomes(scenario)
            except AssertionError as error:
                print(f"{scenario.name}: {error}")
                wrong += 1
                continue
            wrong += is_wrong
            total += found.interleavings
            mark = "  WRONG" if is_wrong else ""
            row = columns.format(scenario.name, found.interleavings, len(outcomes), f"{found.seconds:.1f}")
            print(row + mark, flush=True)
    print(f"{total} interleavings in all, {wrong} scenarios wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
