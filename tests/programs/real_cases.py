"""Race lazily made objects of other packages, as released and with gilonce.

    pip install kombu==5.7.0 langchain-core==1.8.3 prefect==3.9.1
    python tests/programs/real_cases.py [--races N] [--threads N] [CASE ...]

Each case is a function of a released package. It makes an object at its first call, and should return this object from
then on. Before each race the object is forgotten. Then all threads meet at a barrier and call the function at once.
The interpreter switches between threads as often as it can, so threads get two objects more often than in production.

The function is raced as it was released. Then the program replaces it in the imported package, whose files stay as they
are, and runs as many races again. In all cases but `queues` it puts gilonce's decorator on the released function, which
still makes a second object when two threads meet in it. The columns of the table:

* "as released": the races in which threads got more than one object.
* "with gilonce": the same after the replacement. It must be 0.
* "losers": the objects that gilonce discarded because another thread was first. Without gilonce, threads would have got
  them. They show that the second half of the races was provoked, too.

What a second object does:

* `queues`: kombu's in-memory transport loses the messages in a queue that another thread has replaced.
* `node_id`: kombu's `oid_from` computes identifiers of objects from the node's id. A thread that got a second id first
  has two identifiers for one object: that of its first call, and that of all later calls.
* `tracer_executor`: langchain-core's evaluators share a thread pool. With two, up to twice as many run at once.
* `callback_executor`: the same with asynchronous callbacks. The second pool also lives until the process exits.
* `sys_path_lock`: two threads of prefect can each hold a lock, and change `sys.path` at the same time.

GILONCE_PURE_PYTHON=1 in the environment selects the Python implementation.
The exit status is 1 if threads got more than one object from gilonce.
"""

from __future__ import annotations

import argparse
import atexit
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from queue import Queue
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for `support`

from support import run_threads

import gilonce
from gilonce import once, once_per_args

#: The versions that are raced. The docstring names them too.
VERSIONS = {"kombu": "5.7.0", "langchain-core": "1.8.3", "prefect": "3.9.1"}

COLUMNS = ["case", "package", "function", "as released", "with", "with gilonce", "losers"]


class Case:
    """A function of a package. An instance imports the package, and the function is as released until `replace`."""

    package: str
    #: The name of the function, in the package.
    function: str
    #: The decorator that replaces what the package does.
    decorator = "`@once`"

    def __init__(self, threads: int) -> None:
        raise NotImplementedError

    def call(self, thread: int) -> object:
        """Call the function where its users find it, as the thread with this number."""
        raise NotImplementedError

    def forget(self) -> None:
        """Bring the package back to the time before the first call."""
        raise NotImplementedError

    def replace(self, discard: Callable[[Any], object]) -> Callable[[], object]:
        """Put a function of gilonce in its place; return what forgets gilonce's object."""
        raise NotImplementedError


class Queues(Case):
    """A dictionary of queues, filled at the first use of each name. All channels share it, and each thread has one."""

    package = "kombu"
    function = "transport.memory.Channel._queue_for"
    decorator = "`@once_per_args`"

    def __init__(self, threads: int) -> None:
        from kombu import Connection

        self._connections = [Connection("memory://") for _ in range(threads)]
        self._channels = [connection.channel() for connection in self._connections]

    def call(self, thread: int) -> object:
        return self._channels[thread]._queue_for("tasks")

    def forget(self) -> None:
        type(self._channels[0]).queues.clear()

    def replace(self, discard: Callable[[Any], object]) -> Callable[[], object]:
        @once_per_args(discard=discard)
        def queue_named(name: str) -> Queue[object]:
            return Queue()

        # These four use the dictionary, and other methods call them. Only `close` uses it, too: it makes the channel
        # forget the dictionary, which the other channels keep.
        channel = type(self._channels[0])
        channel._queue_for = lambda self, queue: queue_named(queue)
        channel._new_queue = lambda self, queue, **options: queue_named(queue)
        channel._has_queue = lambda self, queue, **options: queue_named.cell(queue).is_set()
        channel._delete = lambda self, queue, *arguments, **options: queue_named.cell(queue).take()
        return queue_named.take_all


class NodeId(Case):
    """A global variable, filled at the first call."""

    package = "kombu"
    function = "common.get_node_id"

    def __init__(self, threads: int) -> None:
        from kombu import common

        self._module = common

    def call(self, thread: int) -> object:
        return self._module.get_node_id()

    def forget(self) -> None:
        self._module._node_id = None

    def replace(self, discard: Callable[[Any], object]) -> Callable[[], object]:
        self._module.get_node_id = once(discard=discard)(self._module.get_node_id)
        return self._module.get_node_id.cell.take


class TracerExecutor(Case):
    """A global variable, filled at the first call."""

    package = "langchain-core"
    function = "tracers.langchain._get_executor"

    def __init__(self, threads: int) -> None:
        from langchain_core.tracers import evaluation, langchain

        self._module = langchain
        self._importer = evaluation

    def call(self, thread: int) -> object:
        return self._importer._get_executor()

    def forget(self) -> None:
        self._module._EXECUTOR = None

    def replace(self, discard: Callable[[Any], object]) -> Callable[[], object]:
        function = once(discard=discard)(self._module._get_executor)
        self._module._get_executor = self._importer._get_executor = function
        return function.cell.take


class CallbackExecutor(Case):
    """A function under `functools.lru_cache`."""

    package = "langchain-core"
    function = "callbacks.manager._executor"

    def __init__(self, threads: int) -> None:
        from langchain_core.callbacks import manager

        self._module = manager
        self._cache = manager._executor

    def call(self, thread: int) -> object:
        return self._module._executor()

    def forget(self) -> None:
        self._cache.cache_clear()

    def replace(self, discard: Callable[[Any], object]) -> Callable[[], object]:
        self._module._executor = once(discard=discard)(self._cache.__wrapped__)
        return self._module._executor.cell.take


class SysPathLock(Case):
    """A global variable, filled at the first call."""

    package = "prefect"
    function = "utilities.importtools._get_sys_path_lock"

    def __init__(self, threads: int) -> None:
        os.environ["DO_NOT_TRACK"] = "1"  # in a terminal, the import reports itself to prefect's makers
        home = tempfile.TemporaryDirectory()
        atexit.register(home.cleanup)
        os.environ["PREFECT_HOME"] = home.name  # the import would make a folder in the user's home
        from prefect.utilities import importtools

        self._module = importtools

    def call(self, thread: int) -> object:
        return self._module._get_sys_path_lock()

    def forget(self) -> None:
        self._module._sys_path_lock = None

    def replace(self, discard: Callable[[Any], object]) -> Callable[[], object]:
        self._module._get_sys_path_lock = once(discard=discard)(self._module._get_sys_path_lock)
        return self._module._get_sys_path_lock.cell.take


CASES: dict[str, type[Case]] = {
    "queues": Queues,
    "node_id": NodeId,
    "tracer_executor": TracerExecutor,
    "callback_executor": CallbackExecutor,
    "sys_path_lock": SysPathLock,
}


def count_lost_races(case: Case, forget: Callable[[], object], races: int, threads: int) -> int:
    """Run the races of a case; return in how many of them the threads got more than one object."""
    lost = 0
    for _ in range(races):
        forget()
        outcomes = run_threads(*[partial(case.call, thread) for thread in range(threads)])
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        lost += len({id(outcome) for outcome in outcomes}) > 1
    return lost


def play(name: str, races: int, threads: int) -> bool:
    """Race a case as released and with gilonce, and print its row; return whether gilonce lost no race."""
    case = CASES[name](threads)
    released = count_lost_races(case, case.forget, races, threads)
    losers: list[object] = []
    forget = case.replace(losers.append)

    def forget_both() -> None:
        case.forget()
        forget()

    replaced = count_lost_races(case, forget_both, races, threads)
    package = f"{case.package} {VERSIONS[case.package]}"
    numbers = [share(released, races), case.decorator, share(replaced, races), str(len(losers))]
    print_row(f"`{name}`", package, f"`{case.function}`", *numbers)
    return replaced == 0


def share(lost: int, races: int) -> str:
    """Return a number of races, and what part of all it is."""
    return f"{lost} ({lost / races:.1%})" if lost else "0"


def print_row(*cells: str) -> None:
    """Print a row of the table."""
    print("|", " | ".join(cells), "|", flush=True)


def check_versions(names: list[str]) -> str:
    """Return an error message if a package of the named cases is not there in the version that is raced."""
    for package in sorted({CASES[name].package for name in names}):
        wanted = f"{package}=={VERSIONS[package]}"
        try:
            found = version(package)
        except PackageNotFoundError:
            return f"{package} is not installed; write: pip install {wanted}"
        if found != VERSIONS[package]:
            return f"{package} {found} is installed; write: pip install {wanted}"
    return ""


def main() -> int:
    """Race the cases named, or all; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all, if none is named")
    parser.add_argument("--races", type=int, default=5_000, help="per case, before and after (default: 5000)")
    parser.add_argument("--threads", type=int, default=8, help="in each race (default: 8)")
    options = parser.parse_args()
    names = options.cases or list(CASES)
    if unknown := set(names) - set(CASES):
        parser.error(f"not in the list: {', '.join(sorted(unknown))}")
    if options.threads < 2:
        parser.error("a race takes two threads")
    if message := check_versions(names):
        parser.error(message)

    gil = "enabled" if getattr(sys, "_is_gil_enabled", lambda: True)() else "disabled"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{python}, GIL {gil}, {gilonce.__implementation__}, {time.strftime('%Y-%m-%d')}")
    print(f"{options.races} races of {options.threads} threads for each number\n")
    print_row(*COLUMNS)
    print_row(*["---"] * len(COLUMNS))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        wrong = [name for name in names if not play(name, options.races, options.threads)]
    finally:
        # On 32-bit x86 a microsecond, as tests have set it, is read back as 0, which cannot be set.
        sys.setswitchinterval(max(interval, 1e-6))
    print(f"\nSECOND objects from gilonce: {', '.join(wrong)}" if wrong else "\nno second object from gilonce")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
