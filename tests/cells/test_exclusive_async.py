"""`OnceLock` and tasks: they wait without blocking their event loop, in one loop and thread or several."""

from __future__ import annotations

import asyncio
import functools
import gc
import itertools
import operator
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest
from support import RECURSION_ERRORS, WATCHDOG, drive, run_threads
from support.surfaces import SURFACES, With

TASKS = 8


pytestmark = pytest.mark.usefixtures("nothing_is_left")


def run(main: Any) -> Any:
    """Run a coroutine in an event loop; one that hangs ends the test."""

    async def limited() -> Any:
        return await asyncio.wait_for(main, WATCHDOG)

    return asyncio.run(limited())


Ask = Callable[[], Any]


@pytest.fixture(params=[name for name in SURFACES if "async" in name and "args" not in name])
def ask_with(request: pytest.FixtureRequest, gilonce: ModuleType) -> Callable[[Any], Ask]:
    """A way to one value in an `OnceLock`: given a coroutine function, it returns a function that starts to ask."""

    def ask_with(initialize: Any) -> Ask:
        access = SURFACES[request.param](With(gilonce, gilonce.OnceLock), initialize, None)

        async def ask() -> Any:
            return await access.start()

        return ask

    return ask_with


def test_one_task_initializes_and_the_others_wait_without_blocking(ask_with: Any) -> None:
    """The loop goes on: what the initializer waits for comes from another task of it."""

    async def main() -> None:
        may_finish = asyncio.Event()
        runs: list[object] = []

        async def initialize() -> object:
            runs.append(object())
            await may_finish.wait()
            return runs[-1]

        ask = ask_with(initialize)
        tasks = [asyncio.create_task(ask()) for _ in range(TASKS)]
        while not runs:
            await asyncio.sleep(0)
        may_finish.set()
        assert await asyncio.gather(*tasks) == runs * TASKS
        assert [await ask(), await ask()] == runs * 2
        assert len(runs) == 1

    run(main())


def test_a_leader_that_is_cancelled_or_fails_passes_the_work_on(ask_with: Any) -> None:
    """One of the waiting tasks takes over, and the others wait for that one."""

    async def main() -> None:
        runs: list[object] = []
        begun: list[asyncio.Event] = [asyncio.Event() for _ in range(3)]

        async def initialize() -> object:
            runs.append(object())
            begun[len(runs) - 1].set()
            if len(runs) == 1:
                await asyncio.Event().wait()  # to be cancelled
            if len(runs) == 2:
                raise ValueError("the second")
            return runs[-1]

        ask = ask_with(initialize)
        first, *others = [asyncio.create_task(ask()) for _ in range(TASKS)]
        await begun[0].wait()
        first.cancel()
        got = await asyncio.gather(first, *others, return_exceptions=True)
        assert len(runs) == 3
        assert isinstance(got[0], asyncio.CancelledError)
        assert [type(outcome) for outcome in got].count(ValueError) == 1
        assert got.count(runs[2]) == TASKS - 2

    run(main())


def test_a_task_that_enters_after_another_has_published_does_not_initialize(
    gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its look at the cell and its entry another may have come and gone."""
    cell = gilonce.OnceLock()

    def another_publishes() -> None:
        if not cell.is_set():
            cell.set("another's")

    monkeypatch.setattr(sys.modules["gilonce._cells.exclusive"], "current_task", another_publishes)

    async def initialize() -> str:
        raise AssertionError("there is a value")

    assert drive(cell.aget_or_init(initialize)) == "another's"


def test_a_waiting_task_that_is_cancelled_harms_nobody(ask_with: Any) -> None:
    """It leaves, and the rest get the value."""

    async def main() -> None:
        may_finish = asyncio.Event()

        async def initialize() -> str:
            await may_finish.wait()
            return "value"

        ask = ask_with(initialize)
        tasks = [asyncio.create_task(ask()) for _ in range(TASKS)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        tasks[3].cancel()
        await asyncio.sleep(0)
        may_finish.set()
        got = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(got.pop(3), asyncio.CancelledError)
        assert got == ["value"] * (TASKS - 1)

    run(main())


def test_loops_in_several_threads_wait_for_each_other(ask_with: Any) -> None:
    """One runs the initializer, and tasks of all the loops get its object."""
    runs: list[object] = []

    async def initialize() -> object:
        runs.append(object())
        for _ in range(20):
            await asyncio.sleep(0)
        return runs[-1]

    ask = ask_with(initialize)

    async def main() -> list[object]:
        return await asyncio.gather(*[ask() for _ in range(TASKS)])

    got = run_threads(*[lambda: run(main())] * 4)
    assert len(runs) == 1
    assert got == [runs * TASKS] * 4


def test_a_task_that_reaches_its_own_cell_is_told_at_once(gilonce: ModuleType, ask_with: Any) -> None:
    """The message names the task."""

    async def initialize() -> Any:
        return await ask()

    ask = ask_with(initialize)

    async def main() -> None:
        task = asyncio.create_task(ask(), name="the only one")
        with pytest.raises(
            gilonce.DeadlockError, match=r"task 'the only one' of thread '.*' runs .* and in it waits for"
        ):
            await task

    run(main())


def test_two_tasks_in_a_cycle_are_told_apart_from_two_that_are_not(gilonce: ModuleType) -> None:
    """One of the two gets the error, and the other goes on. A third that only waits gets no error."""

    async def main() -> None:
        first, second = gilonce.OnceLock(), gilonce.OnceLock()
        inside = [asyncio.Event(), asyncio.Event()]

        async def leaf() -> str:
            return "leaf"

        def needing(me: int, other: Any) -> Callable[[], Any]:
            async def initialize() -> str:
                inside[me].set()
                await inside[1 - me].wait()
                return f"needs {await other.aget_or_init(leaf)}"

            return initialize

        got = await asyncio.gather(
            first.aget_or_init(needing(0, second)),
            second.aget_or_init(needing(1, first)),
            first.aget_or_init(leaf),
            return_exceptions=True,
        )
        told = [outcome for outcome in got if isinstance(outcome, BaseException)]
        assert [type(error) for error in told] == [gilonce.DeadlockError]

    run(main())


def test_a_thread_that_would_block_for_a_task_of_its_own_loop_is_told(gilonce: ModuleType) -> None:
    """The task could not go on while the thread is blocked."""

    async def main() -> None:
        cell = gilonce.OnceLock()
        may_finish, is_inside = asyncio.Event(), asyncio.Event()

        async def initialize() -> str:
            is_inside.set()
            await may_finish.wait()
            return "value"

        task = asyncio.create_task(cell.aget_or_init(initialize))
        await is_inside.wait()
        with pytest.raises(gilonce.DeadlockError):
            cell.get_or_init(int)
        with pytest.raises(gilonce.DeadlockError):
            cell.set(1)
        may_finish.set()
        assert await task == "value"
        assert cell.get_or_init(int) == "value"

    run(main())


def test_a_cycle_through_a_thread_that_blocks_its_loop_is_found(gilonce: ModuleType) -> None:
    """A task waits for a thread, which waits for another task of the same loop, whose thread is not to block."""
    cells = [gilonce.OnceLock(), gilonce.OnceLock()]
    thread_is_inside, loop_is_inside = threading.Event(), threading.Event()

    def in_thread() -> str:
        thread_is_inside.set()
        assert loop_is_inside.wait(WATCHDOG)
        return f"thread with {cells[1].get_or_init(lambda: 'alone')}"

    async def in_loop() -> str:
        loop_is_inside.set()
        await asyncio.sleep(0)
        # Blocks the loop: a cycle of thread and thread.
        return f"loop with {cells[0].get_or_init(lambda: 'alone')}"

    def loop() -> str:
        assert thread_is_inside.wait(WATCHDOG)
        return str(run(cells[1].aget_or_init(in_loop)))

    got = run_threads(lambda: cells[0].get_or_init(in_thread), loop)
    assert sorted(type(outcome).__name__ for outcome in got) == ["DeadlockError", "str"]


def test_a_thread_waits_for_a_task_and_a_task_for_a_thread(gilonce: ModuleType) -> None:
    """Whoever initializes, the others of either kind get its object."""
    for leader_is_task in (True, False):
        cell = gilonce.OnceLock()
        is_inside, both_wait = threading.Event(), threading.Event()
        value = object()
        waits = sys.modules["gilonce._cells.wait_graph"]._waits

        async def ainitialize(is_inside: Any = is_inside, value: Any = value, waits: Any = waits) -> object:
            is_inside.set()
            while len(waits) < 2:
                await asyncio.sleep(0)
            return value

        def initialize(is_inside: Any = is_inside, value: Any = value, waits: Any = waits) -> object:
            is_inside.set()
            while len(waits) < 2:
                both_wait.wait(0.001)  # noqa: B023 - never set: the next look comes soon
            return value

        def lead(cell: Any = cell, a: Any = ainitialize, b: Any = initialize, task: bool = leader_is_task) -> Any:
            return run(cell.aget_or_init(a)) if task else cell.get_or_init(b)

        def thread(cell: Any = cell, is_inside: Any = is_inside) -> Any:
            assert is_inside.wait(WATCHDOG)
            return cell.get_or_init(object)

        def task(cell: Any = cell, is_inside: Any = is_inside) -> Any:
            async def other() -> object:
                return object()

            assert is_inside.wait(WATCHDOG)
            return run(cell.aget_or_init(other))

        assert run_threads(lead, thread, task) == [value] * 3


def test_who_has_waited_too_long_is_told(gilonce: ModuleType) -> None:
    """`timeout` holds for tasks, with the built-in TimeoutError on every Python."""

    async def main() -> None:
        cell = gilonce.OnceLock(timeout=0.01)
        may_finish = asyncio.Event()

        async def initialize() -> str:
            await may_finish.wait()
            return "value"

        task = asyncio.create_task(cell.aget_or_init(initialize))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError, match=r"waited 0\.01 s for .*initialize"):
            await cell.aget_or_init(initialize)
        may_finish.set()
        assert await task == "value"

    run(main())


def test_on_another_event_loop_there_is_a_clear_error_only_where_it_would_wait(gilonce: ModuleType) -> None:
    """A call that need not wait works without asyncio. A call that would wait gets an error that says what to do."""
    cell = gilonce.OnceLock()

    async def initialize() -> str:
        with pytest.raises(RuntimeError, match=r"only tasks of asyncio .* use GILOnceCell"):
            (error,) = run_threads(lambda: drive(cell.aget_or_init(initialize)))
            raise error
        return "value"

    assert drive(cell.aget_or_init(initialize)) == "value"
    assert drive(cell.aget_or_init(initialize)) == "value"


def test_an_abandoned_initializer_passes_the_work_on(gilonce: ModuleType) -> None:
    """A coroutine that is no longer run is closed, and this ends its attempt."""
    cell = gilonce.OnceLock()

    class Never:
        def __await__(self) -> Iterator[None]:
            yield

    async def initialize() -> None:
        await Never()

    coroutine = cell.aget_or_init(initialize)
    coroutine.send(None)
    coroutine.close()
    assert cell.get_or_init(lambda: "value") == "value"


def test_a_loop_that_is_closed_while_a_task_of_it_waits_harms_nobody(gilonce: ModuleType) -> None:
    """No task is left to wake."""
    cell = gilonce.OnceLock()

    async def other() -> str:
        return "the other's"

    def initializer() -> str:
        def abandon() -> None:
            loop = asyncio.new_event_loop()
            waiting = loop.create_task(cell.aget_or_init(other))
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()
            # Not told of the task that was never done.
            waiting._log_destroy_pending = False  # type: ignore[attr-defined]
            kept.append(waiting)

        assert run_threads(abandon) == [None]
        return "value"

    kept: list[Any] = []
    assert cell.get_or_init(initializer) == "value"
    kept.pop().get_coro().close()


def test_a_task_of_a_loop_that_is_gone_keeps_nobody_waiting(gilonce: ModuleType, ask_with: Any) -> None:
    """Neither who initialized there nor who waited is kept alive, and the next one's turn has come."""
    runs = itertools.count()
    is_asked = threading.Event()

    async def initialize() -> str:
        if next(runs) == 0:
            is_asked.set()
            await asyncio.get_running_loop().create_future()
        return "second"

    ask = ask_with(initialize)

    async def begin() -> None:
        tasks = [asyncio.ensure_future(task(ask)) for _ in range(3)]
        while not is_asked.is_set() or len(sys.modules["gilonce._cells.wait_graph"]._waits) < 2:
            await asyncio.sleep(0)
        del tasks

    async def task(ask: Ask) -> Any:
        return await ask()

    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # it complains of tasks that it is not to finish
    loop.run_until_complete(asyncio.wait_for(begin(), WATCHDOG))
    loop.close()
    del loop
    for _ in range(3):
        gc.collect()
    assert run(task(ask)) == "second"
    assert sys.modules["gilonce._cells.wait_graph"]._waits == {}


@pytest.mark.skipif(sys.implementation.name == "pypy", reason="PyPy drops it, and complains of it, in its own time")
def test_a_task_of_a_loop_that_was_dropped_keeps_nobody_waiting(gilonce: ModuleType) -> None:
    """As it would not if nothing knew of it."""
    cell = gilonce.OnceLock()

    async def forever() -> None:
        await asyncio.get_running_loop().create_future()

    async def begin() -> None:
        asyncio.get_running_loop().task = asyncio.ensure_future(cell.aget_or_init(forever))  # type: ignore[attr-defined]
        await asyncio.sleep(0)

    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # it complains of a task that it is not to finish
    loop.run_until_complete(begin())
    assert sys.modules["gilonce._cells.wait_graph"]._running
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # and that it was not closed
        del loop
        for _ in range(3):
            gc.collect()
    assert cell.get_or_init(lambda: "second") == "second"


def test_a_task_whose_loop_goes_on_in_another_thread_is_waited_for(gilonce: ModuleType) -> None:
    """It began in the thread that waits for it, and is not held up by that."""
    cell, go_on = gilonce.OnceLock(), threading.Event()

    async def connect() -> str:
        while not go_on.is_set():
            await asyncio.sleep(0.001)
        return "connection"

    async def begin() -> None:
        loop.connecting = asyncio.ensure_future(cell.aget_or_init(connect))  # type: ignore[attr-defined]
        await asyncio.sleep(0)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    is_running = threading.Event()
    loop.call_soon(is_running.set)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    assert is_running.wait(WATCHDOG)
    waits: Any = sys.modules["gilonce._cells.wait_graph"]

    def let_it_go_on() -> None:
        deadline = time.monotonic() + WATCHDOG
        while not waits._waits and time.monotonic() < deadline:
            time.sleep(0.001)
        go_on.set()

    waiter = threading.Thread(target=let_it_go_on)
    waiter.start()
    assert cell.get_or_init(lambda: "not this one") == "connection"
    waiter.join()
    loop.call_soon_threadsafe(loop.stop)
    thread.join(WATCHDOG)
    loop.close()


def test_what_blocks_a_loop_that_has_come_to_another_thread_is_found(gilonce: ModuleType) -> None:
    """The task began elsewhere, and is held up by the thread in which its loop runs now."""
    cell = gilonce.OnceLock(timeout=WATCHDOG)

    async def forever() -> None:
        await asyncio.get_running_loop().create_future()

    async def begin() -> asyncio.Task[Any]:
        task = asyncio.ensure_future(cell.aget_or_init(forever))
        await asyncio.sleep(0)
        return task

    async def block(task: asyncio.Task[Any]) -> None:
        with pytest.raises(gilonce.DeadlockError, match="forever"):
            cell.get_or_init(lambda: "not this one")
        task.cancel()

    loop = asyncio.new_event_loop()
    (task,) = run_threads(lambda: loop.run_until_complete(begin()))
    loop.run_until_complete(block(task))
    loop.run_until_complete(asyncio.wait([task]))
    loop.close()


def test_the_surfaces_with_async_in_their_name_are_served(gilonce: ModuleType) -> None:
    """Those of the laws, which wait for nothing."""
    for name in SURFACES:
        if "async" in name:
            touch = SURFACES[name](With(gilonce, gilonce.OnceLock), lambda: ["value"], None)
            assert touch() is touch()


def test_who_initializes_deep_in_its_stack_wakes_the_tasks_that_wait(
    gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To call the loop of another thread takes more of the stack than to run an initializer in C."""
    assert gilonce.OnceLock
    wait_class: Any = sys.modules["gilonce._cells.wait_graph"].Wait
    enter = wait_class.enter

    def initialize_with_room_for(calls: int) -> Any:
        lock = gilonce.OnceLock(timeout=WATCHDOG)
        waiting, begun, gate = threading.Semaphore(0), threading.Lock(), threading.Lock()
        failed: list[None] = []
        monkeypatch.setattr(wait_class, "enter", lambda wait: (enter(wait), waiting.release())[0])
        for locked in (begun, gate):
            assert locked.acquire(timeout=WATCHDOG)
        # In C, all of it.
        steps = map(operator.methodcaller("__call__"), [begun.release, functools.partial(gate.acquire, True, WATCHDOG)])
        initializer = functools.partial(list, steps)

        def leader() -> Any:
            frame: Any = sys._getframe()
            depth = 0
            while frame is not None:
                depth, frame = depth + 1, frame.f_back

            def descend(further: int) -> Any:
                return descend(further - 1) if further > 0 else lock.get_or_init(initializer)

            try:
                return descend(sys.getrecursionlimit() - depth - calls)
            except RECURSION_ERRORS:
                failed.append(None)
                begun.release()
                return None

        async def wait() -> Any:
            async def too_late() -> list[object]:
                return [None, True]

            return await lock.aget_or_init(too_late)

        with ThreadPoolExecutor(2) as pool:
            leading = pool.submit(leader)
            assert begun.acquire(timeout=WATCHDOG)
            awaited = pool.submit(lambda: asyncio.run(wait()))
            if not failed:
                assert waiting.acquire(timeout=WATCHDOG)
            gate.release()
            return leading.result(WATCHDOG), awaited.result(WATCHDOG)

    results = [initialize_with_room_for(calls) for calls in range(2, 16)]
    assert all(value == [None, True] for _, value in results)
    assert results[-1][0] == [None, True]
