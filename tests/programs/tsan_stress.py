"""Use every entry of the native core from several threads at once; `tests/programs/tsan.py` runs this.

`python tests/programs/tsan_stress.py [--seconds N] [--threads N]` runs on any interpreter. In each round the threads
do all operations of `entry_points.py` on a new `Shared`, each thread in its own order, while another runs the
garbage collector. An operation that raises, or finds an incomplete value, ends the run.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import random
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for `support`

#: How often each thread does every operation on one `Shared`. The first time differs from the others.
PASSES = 3


def stress(seconds: float, threads: int) -> tuple[int, int]:
    """Return how many rounds there were, and how many operations the threads did."""
    from support.entry_points import OPERATIONS, Shared, burst

    operations = list(OPERATIONS)
    shared = Shared()
    rounds = 0
    end = time.monotonic() + seconds
    is_over = threading.Event()
    failures: list[BaseException] = []

    def renew() -> None:
        nonlocal shared, rounds
        if rounds and time.monotonic() > end:
            is_over.set()
        elif rounds:
            shared = Shared()
        rounds += 1

    together = threading.Barrier(threads, renew)

    def work(index: int) -> None:
        order = random.Random(index)
        try:
            while together.wait() >= 0 and not is_over.is_set():
                burst(shared)
                for _ in range(PASSES):
                    for operation in order.sample(operations, len(operations)):
                        operation(shared)
        except threading.BrokenBarrierError:
            pass  # another thread failed, and its error says why
        except BaseException as error:
            failures.append(error)
            together.abort()

    def collect() -> None:
        # Rarely, because a collection stops all threads, and so orders their accesses before and after it.
        while not is_over.wait(0.5):
            gc.collect()

    workers = [threading.Thread(target=work, args=(index,)) for index in range(threads)]
    collector = threading.Thread(target=collect)
    for thread in [*workers, collector]:
        thread.start()
    for thread in workers:
        thread.join()
    is_over.set()
    collector.join()
    if failures:
        raise failures[0]
    return rounds - 1, (rounds - 1) * threads * PASSES * len(operations)


def import_at_once(threads: int) -> None:
    """Make the threads import the package, and with it the core, at the same time."""
    together = threading.Barrier(threads)

    def work() -> None:
        together.wait()
        import gilonce._surfaces.proxy  # noqa: F401

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--threads", type=int, default=4)
    options = parser.parse_args()
    faulthandler.dump_traceback_later(options.seconds + 300, exit=True)
    sys.setswitchinterval(1e-6)
    import_at_once(options.threads)
    import gilonce

    assert gilonce.__implementation__ == "native", "the native core was not built"
    rounds, operations = stress(options.seconds, options.threads)
    print(f"{rounds:,} rounds, {operations:,} operations by {options.threads} threads")
    return 0


if __name__ == "__main__":
    sys.exit(main())
