"""Values that need each other, and threads, log handlers and imports that need a value during its initializer."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from .scenario import First, Value, WrongError, expect_one, outcome_of, scenario, settle, start, together
from .tools import Tool, Touch


@scenario()
def reentry(tool: Tool) -> None:
    """An initializer that touches its own value."""
    seen: list[Any] = []
    touch = tool.make(First(lambda: seen.append(touch())))
    seen += [touch(), touch()]
    expect_one(seen, 3)


def _cycle(tool: Tool, length: int) -> None:
    all_inside = threading.Barrier(length)
    seen: list[list[Any]] = [[] for _ in range(length)]
    touches: list[Touch] = []

    def needing(index: int) -> Callable[[], None]:
        def inside() -> None:
            all_inside.wait()
            seen[index].append(touches[index]())

        return inside

    touches += [tool.make(First(needing((index + 1) % length))) for index in range(length)]
    for mine, outcome, touch in zip(seen, together(*touches), touches, strict=True):
        expect_one([*mine, outcome, touch()], 3)


@scenario()
def two_in_a_cycle(tool: Tool) -> None:
    """Two values that need each other, each first touched by a thread of its own."""
    _cycle(tool, 2)


@scenario()
def three_in_a_cycle(tool: Tool) -> None:
    """Three values in a cycle, each first touched by a thread of its own."""
    _cycle(tool, 3)


@scenario(form="make_each")
def another_instance(tool: Tool) -> None:
    """An initializer that waits for a thread which needs the value of another instance.

    Wrong, too: one value for two instances.
    """
    entered, done = threading.Event(), threading.Event()

    def inside() -> None:
        entered.set()
        done.wait()

    new = tool.make_each(First(inside))
    first, second = new(), new()

    def touch_second() -> Any:
        entered.wait()
        try:
            return second()
        finally:
            done.set()

    one, other = together(first, touch_second)
    expect_one([one, first()])
    expect_one([other, second()])
    if one is other:
        raise WrongError("two instances were given one object")


class _Hostile:
    """A key whose comparison does something first."""

    def __init__(self, compare: Callable[[], object]) -> None:
        self._compare = compare

    def __hash__(self) -> int:
        return 7

    def __eq__(self, other: object) -> bool:
        self._compare()
        return isinstance(other, _Hostile)


@scenario(form="make_keyed")
def key_that_asks(tool: Tool) -> None:
    """A key whose `__eq__` waits for another thread, which calls the same function with the same key."""
    seen: list[Any] = []
    me = threading.get_ident()

    def compare() -> None:
        if threading.get_ident() == me:
            seen.append(start(lambda: get(_Hostile(bool)))())

    get = tool.make_keyed(lambda _: Value())
    seen.append(get(_Hostile(compare)))
    seen += [get(_Hostile(bool)), get(_Hostile(bool))]
    expect_one(seen, 5)


@scenario(is_unseen=True)
def starts_threads(tool: Tool) -> None:
    """An initializer that starts threads which need the same value."""
    seen: list[Any] = []
    touch = tool.make(First(lambda: seen.extend(together(touch, touch))))
    seen += [touch(), touch()]
    expect_one(seen, 4)


@scenario(is_unseen=True)
def uses_a_pool(tool: Tool) -> None:
    """An initializer that waits for a job in a pool of one worker, and the job needs the same value."""
    # Imported here, as logging is below, because the import takes longer than most scenarios.
    from concurrent.futures import ThreadPoolExecutor

    seen: list[Any] = []
    with ThreadPoolExecutor(1) as pool:
        touch = tool.make(First(lambda: seen.append(pool.submit(touch).result())))
        seen += [touch(), touch()]
    expect_one(seen, 3)


@scenario(is_unseen=True)
def logging_handler(tool: Tool) -> None:
    """An initializer that logs, while a log handler that another thread is in needs the value."""
    import logging

    in_handler, in_initializer = threading.Event(), threading.Event()
    seen: list[Any] = []

    class Needing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not in_handler.is_set():
                in_handler.set()
                in_initializer.wait()
                seen.append(outcome_of(touch))

    logger = logging.Logger("hangs")
    logger.addHandler(Needing())

    def inside() -> None:
        in_initializer.set()
        in_handler.wait()
        logger.warning("initializing")

    touch = tool.make(First(inside))
    outcome, nothing = together(touch, lambda: logger.warning("something else"))
    if nothing is not None:
        raise WrongError(f"logging raised {nothing!r}")
    expect_one([*seen, outcome, touch()], 3)


@scenario()
def thread_dies(tool: Tool) -> None:
    """A thread that dies in the initializer (`SystemExit`) while three others need the value.

    Wrong, too: the `SystemExit` does not reach that thread, or reaches another.
    """
    entered, leave = threading.Event(), threading.Event()

    def inside() -> None:
        entered.set()
        leave.wait()
        raise SystemExit("dies")

    touch = tool.make(First(inside))
    deaths: list[BaseException] = []

    def die() -> None:
        try:
            touch()
        except BaseException as error:
            deaths.append(error)
            raise

    dying = threading.Thread(target=die, daemon=True)
    dying.start()
    entered.wait()
    waiting = [start(touch) for _ in range(3)]
    settle([wait.thread for wait in waiting])
    leave.set()
    dying.join()
    seen = [wait() for wait in waiting]
    if not deaths or repr(deaths[0]) != repr(SystemExit("dies")):
        raise WrongError(f"the thread whose initializer raised SystemExit got {deaths}")
    expect_one([*seen, *together(touch), touch()], 5)


# These scenarios import with `__import__`, as the statement does. `import_module` raises an error of its own when two
# modules import each other from two threads.


class Rooms:
    """A finder and loader for modules whose top level is a function."""

    def __init__(self, bodies: dict[str, Callable[[], object]]) -> None:
        self._bodies = bodies

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name in self._bodies else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        self._bodies[module.__name__]()

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        sys.meta_path.insert(0, self)
        try:
            yield
        finally:
            sys.meta_path.remove(self)
            for name in self._bodies:
                sys.modules.pop(name, None)


@scenario(is_unseen=True)
def import_against_a_value(tool: Tool) -> None:
    """An initializer that imports a module, whose top level, in another thread, touches the value."""
    importing, initializing = threading.Event(), threading.Event()
    seen: list[Any] = []

    def top_level() -> None:
        importing.set()
        initializing.wait()
        seen.append(touch())

    def initializer() -> Value:
        initializing.set()
        __import__("hangs_room")
        return Value()

    def touch_when_importing() -> Any:
        importing.wait()
        return touch()

    touch = tool.make(initializer)
    with Rooms({"hangs_room": top_level}).open():
        imported, outcome = together(lambda: __import__("hangs_room"), touch_when_importing)
        # In this thread, because a value per thread does not exist here yet.
        seen.append(touch())
    if isinstance(imported, BaseException):
        raise WrongError(f"the import raised {imported!r}")
    expect_one([*seen, outcome], 3)


@scenario(is_unseen=True)
def imports_against_each_other(tool: Tool) -> None:
    """Two modules whose top levels touch two values, whose initializers import the other module."""
    both_inside = threading.Barrier(2)
    seen: list[list[Any]] = [[], []]

    def importing(name: str) -> Callable[[], object]:
        def inside() -> None:
            both_inside.wait()
            __import__(name)

        return inside

    touches = [tool.make(First(importing("hangs_right"))), tool.make(First(importing("hangs_left")))]

    def top_level(*indices: int) -> Callable[[], None]:
        def body() -> None:
            for index in indices:
                seen[index].append(touches[index]())

        return body

    with Rooms({"hangs_left": top_level(0, 1), "hangs_right": top_level(1, 0)}).open():
        for imported in together(lambda: __import__("hangs_left"), lambda: __import__("hangs_right")):
            if isinstance(imported, BaseException):
                raise WrongError(f"an import raised {imported!r}")
    for mine, touch in zip(seen, touches, strict=True):
        expect_one([*mine, touch()], 3)
