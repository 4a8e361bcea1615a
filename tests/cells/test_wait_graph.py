"""The graph of waits, tested at moments that threads reach only by luck.

Most waits are registered by hand, for threads, tasks and event loops that do not exist.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from support import run_threads


class Loop:
    """An event loop that is only said to be one."""

    def __init__(self, is_running: bool = True, is_closed: bool = False) -> None:
        self.is_running = lambda: is_running
        self.is_closed = lambda: is_closed


class Task:
    def __init__(self, loop: Loop | None = None) -> None:
        self.get_loop = lambda: loop


class Graph:
    """Attempts and waits of threads and tasks that are only said to be."""

    def __init__(self) -> None:
        self.waits = sys.modules["gilonce._cells.wait_graph"]
        self.attempts: dict[str, Any] = {}
        self._tasks: list[object] = []

    def attempt(self, name: str, thread: int, number: int, task: object = None) -> None:
        self._tasks.append(task)  # which an attempt does not keep alive
        attempt = self.waits.Attempt({}, None, object(), task, None)
        attempt.thread, attempt.number = thread, number
        self.attempts[name] = attempt

    def wait(self, name: str, thread: int, number: int, task: object = None) -> Any:
        wait = self.waits.Wait(self.attempts[name], task, lambda: None)
        wait.thread, wait.number = thread, number
        self.waits._waits[wait] = wait.attempt
        return wait

    def cycle(self, wait: Any) -> Any:
        return wait._find_cycle(self.waits._waits)


@pytest.fixture
def graph(gilonce: ModuleType) -> Iterator[Graph]:
    assert gilonce.OnceLock
    graph = Graph()
    yield graph
    graph.waits._waits.clear()


@pytest.mark.parametrize("claimed", [0, 1])
def test_who_leaves_a_cycle_to_another_still_looks_for_the_next(gilonce: ModuleType, claimed: int) -> None:
    """Two tasks of a loop that an initializer runs wait for one thread: if one gives up, the other still waits."""
    assert gilonce.OnceLock
    waits = sys.modules["gilonce._cells.wait_graph"]
    register: dict[str, Any] = {}

    def attempt(name: str, thread: int) -> Any:
        begun = waits.Attempt(register, name, name.upper, None, None)
        begun.thread = thread
        return begun.enter()

    def wait(running: Any, thread: int, task: object) -> Any:
        begun = waits.Wait(running, task, lambda: None)
        begun.thread = thread
        return begun

    first, second = attempt("first", -1), attempt("second", -2)
    tasks = [wait(first, -2, object()), wait(first, -2, object())]
    last = wait(second, -1, None)
    try:
        assert all(task.enter() for task in tasks)
        # One of the tasks sees the cycle at the same time as the thread that closes it, and is the first to say so.
        cycle = [tasks[claimed], last]
        min(cycle, key=id).raising[frozenset(map(id, cycle))] = tasks[claimed]
        with pytest.raises(gilonce.DeadlockError):
            last.enter()
    finally:
        for entered in (*tasks, last):
            entered.leave()
        first.end()
        second.end()


def test_who_has_left_one_cycle_to_another_is_told_of_the_next(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which wait raises is decided for each cycle, also for two that have one wait in common and use its dict."""
    graph.attempt("mine", thread=1, number=1)
    graph.attempt("theirs", thread=2, number=1)
    common = graph.wait("theirs", thread=1, number=2)
    one, other = (graph.wait("mine", thread=2, number=number) for number in (2, 3))
    monkeypatch.setattr(graph.waits, "id", lambda wait: 0 if wait is common else id(wait), raising=False)
    for waiting in (one, common):
        with pytest.raises(graph.waits.DeadlockError):
            waiting._raise_in_cycle(graph.waits._waits.copy())
    assert list(map(len, common.raising)) == [2, 2]
    assert list(common.raising.values()) == [one, common]
    assert not other.raising


def test_where_many_wait_for_one_nobody_looks_at_all_of_them(
    gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task without an initializer closes no cycle, so thousands of tasks need not search for one."""
    lock = gilonce.OnceLock()
    waits = sys.modules["gilonce._cells.wait_graph"]
    asked = []
    is_held_up_by = waits.Attempt.is_held_up_by

    def counted(attempt: Any, wait: Any) -> Any:
        asked.append(wait)
        return is_held_up_by(attempt, wait)

    monkeypatch.setattr(waits.Attempt, "is_held_up_by", counted)

    async def main() -> None:
        async def initializer() -> int:
            await asyncio.sleep(0)
            return 1

        assert await asyncio.gather(*[lock.aget_or_init(initializer) for _ in range(100)]) == [1] * 100

    asyncio.run(main())
    assert len(asked) <= 100


def test_what_a_thread_began_before_it_waits_is_held_up_and_what_it_began_since_is_not(graph: Graph) -> None:
    """The numbers that a thread gives tell what lies on top of what."""
    graph.attempt("mine", thread=1, number=1)
    graph.attempt("theirs", thread=2, number=1)
    graph.wait("mine", thread=2, number=2)
    assert len(graph.cycle(graph.wait("theirs", thread=1, number=2))) == 2
    graph.waits._waits.clear()
    # Begun by a signal handler, while its thread waits below it.
    graph.attempt("on top", thread=2, number=3)
    graph.wait("mine", thread=2, number=2)
    assert graph.cycle(graph.wait("on top", thread=1, number=2)) == []


def test_a_task_is_held_up_by_its_own_waits_and_by_what_blocks_its_thread(graph: Graph) -> None:
    """Not by what other tasks of its loop wait for."""
    one, two = Task(), Task()
    graph.attempt("task's", thread=1, number=1, task=one)
    graph.attempt("thread's", thread=2, number=1)
    # Another task of the same loop waits: nothing is held up.
    graph.wait("thread's", thread=1, number=2, task=two)
    assert graph.cycle(graph.wait("task's", thread=2, number=2)) == []
    graph.waits._waits.clear()
    # The task itself waits; or its whole thread does.
    for task in (one, None):
        graph.wait("thread's", thread=1, number=3, task=task)
        assert len(graph.cycle(graph.wait("task's", thread=2, number=2))) == 2
        graph.waits._waits.clear()
    # A loop that an initializer runs is on top of it, whichever task waits.
    graph.attempt("below", thread=1, number=1)
    graph.wait("thread's", thread=1, number=2, task=two)
    assert len(graph.cycle(graph.wait("below", thread=2, number=2))) == 2


def test_a_loop_that_runs_is_held_up_by_what_blocks_it_in_whichever_thread(graph: Graph) -> None:
    """A loop may go on in another thread than that in which its task began; one that runs nowhere, in that one."""
    loop = Loop()
    graph.attempt("task's", thread=1, number=1, task=Task(loop))
    graph.attempt("thread's", thread=2, number=1)
    graph.wait("thread's", thread=1, number=2)
    assert graph.cycle(graph.wait("task's", thread=2, number=2)) == []
    graph.wait("thread's", thread=3, number=2).loop = loop
    assert len(graph.cycle(graph.wait("task's", thread=2, number=2))) == 2
    graph.waits._waits.clear()
    graph.attempt("paused", thread=1, number=1, task=Task(Loop(is_running=False)))
    graph.wait("thread's", thread=3, number=2)
    assert graph.cycle(graph.wait("paused", thread=2, number=2)) == []
    graph.wait("thread's", thread=1, number=2)
    assert len(graph.cycle(graph.wait("paused", thread=2, number=2))) == 2


def test_a_task_whose_loop_is_closed_is_not_waited_for(graph: Graph) -> None:
    """It can never go on, though somebody keeps it: the next one's turn has come."""
    task = Task(Loop(is_running=False, is_closed=True))
    graph.attempt("abandoned", thread=1, number=1, task=task)
    wait = graph.waits.Wait(graph.attempts["abandoned"], None, lambda: None)
    assert wait.enter() is False
    wait.leave()
    assert graph.attempts["abandoned"].is_over


def test_ways_that_meet_again_are_followed_once_and_what_is_over_not_at_all(graph: Graph) -> None:
    """Two waits may hold up one attempt, and one attempt two waits."""
    for number, name in enumerate("abc"):
        graph.attempt(name, thread=number, number=1)
    for _ in range(2):
        graph.wait("b", thread=0, number=2)
        graph.wait("c", thread=1, number=2)
    mine = graph.wait("a", thread=2, number=2)
    assert len(graph.cycle(mine)) == 3
    assert graph.cycle(graph.wait("a", thread=9, number=2)) == []
    graph.attempts["b"].is_over = True
    assert graph.cycle(mine) == []


def test_who_comes_to_wait_for_what_is_over_does_not(graph: Graph) -> None:
    """It was not among those who were woken, so it looks for itself."""
    graph.attempt("over", thread=1, number=1)
    graph.attempts["over"].end()
    late = graph.waits.Wait(graph.attempts["over"], None, lambda: None)
    assert late.enter() is False
    late.leave()


def test_what_a_child_forgets_is_what_other_threads_and_tasks_were_at(gilonce: ModuleType, graph: Graph) -> None:
    """As the hook does it in a child, whose only thread is here another one."""
    cell, survivors = gilonce.OnceLock(), gilonce.OnceLock()
    graph.attempt("dead", thread=-1, number=1)
    dead = graph.wait("dead", thread=-1, number=2)
    mine: list[Any] = []

    def survive() -> None:
        graph.attempt("other", thread=-1, number=3)
        mine.append(graph.wait("other", thread=threading.get_ident(), number=3))
        graph.waits._forget_the_dead()

    def initializer() -> str:
        assert run_threads(lambda: survivors.get_or_init(survive)) == [None]
        assert dead not in graph.waits._waits
        assert mine[0] in graph.waits._waits
        assert run_threads(lambda: cell.get_or_init(lambda: "the next one's")) == ["the next one's"]
        return "forgotten"

    assert cell.get_or_init(initializer) == "the next one's"
    assert survivors.is_set()


def test_without_asyncio_nothing_is_a_task(gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not imported to find out."""
    assert gilonce.OnceLock
    monkeypatch.delitem(sys.modules, "asyncio", raising=False)
    waits: Any = sys.modules["gilonce._cells.wait_graph"]
    assert waits.current_task() is waits.UnknownTask
    # Nor while another thread is importing it.
    monkeypatch.setitem(sys.modules, "asyncio", ModuleType("asyncio"))
    assert waits.current_task() is waits.UnknownTask


@pytest.mark.parametrize("earlier", [0, 1])
def test_of_two_that_see_a_cycle_at_once_the_earlier_raises(gilonce: ModuleType, earlier: int) -> None:
    """It does not matter which one it is. The other may wait, because the first one's error ends the wait."""
    assert gilonce.OnceLock
    waits = sys.modules["gilonce._cells.wait_graph"]

    def of_thread(thread: int, it: Any) -> Any:
        it.thread = thread
        return it

    register: dict[int, Any] = {}
    attempts = [of_thread(thread, waits.Attempt(register, thread, int, None, None)) for thread in (-1, -2)]
    # Each thread waits for what the other one runs; and looks, before the other has raised.
    both = [of_thread(thread, waits.Wait(attempts[thread + 2], None, lambda: None)) for thread in (-1, -2)]
    entered = {wait: wait.attempt for wait in both}
    with pytest.raises(gilonce.DeadlockError):
        both[earlier]._raise_in_cycle(entered.copy())
    both[1 - earlier]._raise_in_cycle(entered.copy())
