"""`OnceLock` and tasks of trio, with a stand-in for trio. `tests/ecosystem/test_event_loops.py` has the real one."""

from __future__ import annotations

import gc
import sys
from types import ModuleType
from typing import Any

import pytest
from support import run_python
from support.trio_stand_in import Event, Task, TooLong, Trio

pytestmark = pytest.mark.usefixtures("nothing_is_left")


@pytest.fixture
def trio(monkeypatch: pytest.MonkeyPatch) -> Trio:
    made = Trio()
    for name in ("trio", "trio.lowlevel"):
        monkeypatch.setitem(sys.modules, name, made)  # type: ignore[arg-type]
    return made


class Tasks:
    """Tasks of trio that the test runs by hand."""

    def __init__(self, trio: Trio) -> None:
        self._trio = trio
        self._tasks: dict[str, tuple[Task, Any]] = {}

    def start(self, name: str, coroutine: Any) -> None:
        self._tasks[name] = Task(name), coroutine
        self.go_on(name)

    def go_on(self, name: str, error: BaseException | None = None) -> Any:
        """Run a task until it waits or ends. Return its result, if it ends."""
        self._trio.task, coroutine = self._tasks[name]
        try:
            return coroutine.send(None) if error is None else coroutine.throw(error)
        except StopIteration as stop:
            return stop.value


@pytest.fixture
def tasks(trio: Trio) -> Tasks:
    return Tasks(trio)


def test_a_task_waits_until_another_has_initialized(gilonce: ModuleType, tasks: Tasks, trio: Trio) -> None:
    """Without a limit of time, and without running the initializer."""
    cell, may_finish = gilonce.OnceLock(), Event()
    runs: list[str] = []

    async def initialize() -> str:
        runs.append("a run")
        await may_finish.wait()
        return "value"

    tasks.start("leader", cell.aget_or_init(initialize))
    tasks.start("waiting", cell.aget_or_init(initialize))
    assert tasks.go_on("waiting") is None
    may_finish.set()
    assert tasks.go_on("leader") == "value"
    assert tasks.go_on("waiting") == "value"
    assert runs == ["a run"]
    assert trio.limits == [float("inf")]


def test_a_leader_that_fails_or_is_cancelled_passes_the_work_on(gilonce: ModuleType, tasks: Tasks) -> None:
    """trio cancels a task by an exception, as here."""
    cell, never = gilonce.OnceLock(), Event()

    async def wait() -> None:
        await never.wait()

    async def initialize() -> str:
        return "value"

    tasks.start("leader", cell.aget_or_init(wait))
    tasks.start("waiting", cell.aget_or_init(initialize))
    with pytest.raises(KeyboardInterrupt):
        tasks.go_on("leader", KeyboardInterrupt())
    assert tasks.go_on("waiting") == "value"


def test_a_task_that_has_waited_too_long_is_told(gilonce: ModuleType, tasks: Tasks, trio: Trio) -> None:
    """With what is left of the time."""
    cell, may_finish = gilonce.OnceLock(timeout=1000), Event()

    async def initialize() -> str:
        await may_finish.wait()
        return "value"

    tasks.start("leader", cell.aget_or_init(initialize))
    tasks.start("waiting", cell.aget_or_init(initialize))
    assert 900 < trio.limits[0] <= 1000
    with pytest.raises(TimeoutError, match=r"waited 1000 s for .*initialize"):
        tasks.go_on("waiting", TooLong())
    may_finish.set()
    assert tasks.go_on("leader") == "value"


def test_a_run_that_is_over_while_a_task_of_it_waits_harms_nobody(
    gilonce: ModuleType, tasks: Tasks, trio: Trio
) -> None:
    """No task is left to wake, as after a run that trio itself has ended by an error."""
    cell, may_finish = gilonce.OnceLock(), Event()

    async def initialize() -> str:
        await may_finish.wait()
        return "value"

    tasks.start("leader", cell.aget_or_init(initialize))
    tasks.start("waiting", cell.aget_or_init(initialize))
    trio.token.is_over = True
    may_finish.set()
    assert tasks.go_on("leader") == "value"
    assert not sys.modules["gilonce._cells.wait_graph"]._waits
    with pytest.raises(GeneratorExit):
        tasks.go_on("waiting", GeneratorExit())


def test_a_cycle_of_tasks_is_found_and_names_them(gilonce: ModuleType, tasks: Tasks) -> None:
    """The one that would close it gets the error. The other goes on, and waits for nothing any more."""
    first, second, may_go_on = gilonce.OnceLock(), gilonce.OnceLock(), Event()

    async def needs_second() -> Any:
        await may_go_on.wait()
        return await second.aget_or_init(needs_first)

    async def needs_first() -> Any:
        return await first.aget_or_init(needs_second)

    tasks.start("one", first.aget_or_init(needs_second))
    tasks.start("another", second.aget_or_init(needs_first))
    may_go_on.set()
    message = r"task 'one' of .* waits for .*needs_first\(\), task 'another' of .* waits for .*needs_second\(\)"
    with pytest.raises(gilonce.DeadlockError, match=message):
        tasks.go_on("one")
    with pytest.raises(gilonce.DeadlockError):
        # It now initializes the first cell itself, which needs the second, which it is initializing.
        tasks.go_on("another")


def test_a_thread_that_would_block_for_a_task_of_its_own_run_is_told(gilonce: ModuleType, tasks: Tasks) -> None:
    """The task could never go on. Another thread may wait for it."""
    cell, may_finish = gilonce.OnceLock(), Event()

    async def initialize() -> str:
        await may_finish.wait()
        return "value"

    tasks.start("leader", cell.aget_or_init(initialize))

    async def block() -> Any:
        return cell.get_or_init(lambda: "never")

    with pytest.raises(gilonce.DeadlockError):
        tasks.start("blocks", block())
    may_finish.set()
    assert tasks.go_on("leader") == "value"


def test_a_task_that_is_gone_is_not_waited_for(gilonce: ModuleType, trio: Trio) -> None:
    """As a task of asyncio whose loop is gone."""
    assert gilonce.OnceLock
    waits: Any = sys.modules["gilonce._cells.wait_graph"]
    attempt = waits.Attempt({}, None, object(), trio.task, None)
    assert not attempt.is_abandoned()
    trio.task = Task("another")
    for _ in range(10):
        gc.collect()
    assert attempt.is_abandoned()


def test_tasks_of_another_library_cannot_wait(gilonce: ModuleType, tasks: Tasks, trio: Trio) -> None:
    """Also if trio is imported, and runs somewhere else."""
    cell, may_finish = gilonce.OnceLock(), Event()

    async def initialize() -> str:
        await may_finish.wait()
        return "value"

    tasks.start("leader", cell.aget_or_init(initialize))
    trio.task = None
    with pytest.raises(RuntimeError, match="only tasks of asyncio and trio can wait for that"):
        cell.aget_or_init(initialize).send(None)
    may_finish.set()
    assert tasks.go_on("leader") == "value"


def test_nothing_is_imported(gilonce: ModuleType) -> None:
    """A program without trio does not get it, and one that uses threads alone does not get asyncio either."""
    source = """
import sys
from gilonce import OnceLock
OnceLock().get_or_init(int)
print({"trio", "asyncio"} & sys.modules.keys())
"""
    assert run_python(gilonce, "-c", source) == "set()\n"
