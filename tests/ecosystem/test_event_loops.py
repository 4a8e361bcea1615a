"""Values that belong to an event loop, and tasks that wait: httpx, anyio and trio.

`functools.cache` is tried in the same places. It shares a value between event loops, and nothing waits for it.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import importlib
import warnings
import weakref
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from types import ModuleType
from typing import Any

import pytest
from support import WATCHDOG, run_threads
from support.comparison import Tool

HTTPX = Tool("httpx")
ANYIO = Tool("anyio")
TRIO = Tool("trio")
COROUTINE = "the one coroutine is kept, which can be awaited once"


def needs(package: str) -> Any:
    return pytest.importorskip(package, reason=f"{package} is not installed: pip install '.[ecosystem]'")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    """Yield the address of a server that keeps connections open."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@HTTPX.row(
    "A client with `cell=LoopOnceCell` works in every event loop",
    "the client works in the first event loop only",
)
def test_a_client_of_httpx_works_in_every_event_loop(gilonce: ModuleType, url: str) -> None:
    """The one that `functools.cache` keeps works in the first alone."""
    httpx = needs("httpx")

    async def fetch(get_client: Any) -> str:
        text: str = (await get_client().get(url)).text
        return text

    async def main(get_client: Any) -> list[str]:
        return await asyncio.gather(fetch(get_client), fetch(get_client))

    async def main_and_close(get_client: Any) -> list[str]:
        try:
            return await main(get_client)
        finally:
            await get_client.cell.take().aclose()

    cached = functools.cache(lambda: httpx.AsyncClient(trust_env=False))
    assert asyncio.run(main(cached)) == ["hello", "hello"]
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        asyncio.run(main(cached))
    # Its connections belong to a closed event loop, and warn when they are freed.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        del cached
        gc.collect()

    get_client = gilonce.once(lambda: httpx.AsyncClient(trust_env=False), cell=gilonce.LoopOnceCell)
    for _ in range(3):
        assert asyncio.run(main_and_close(get_client)) == ["hello", "hello"]


BACKENDS = ["asyncio", "trio"]


def run_with(backend: str) -> Callable[[Any], Any]:
    """Return the function that runs a coroutine function in an event loop of its own, by anyio."""
    anyio = needs("anyio")
    needs(backend)
    return functools.partial(anyio.run, backend=backend)


@ANYIO.row("With `cell=LoopOnceCell`, each run has a value that its tasks share", "all runs share a value")
@pytest.mark.parametrize("backend", BACKENDS)
def test_each_run_of_anyio_has_a_value_of_its_own(gilonce: ModuleType, backend: str) -> None:
    """Its tasks share one. `functools.cache` hands the first to all runs."""
    run, anyio = run_with(backend), needs("anyio")
    discarded: list[object] = []
    made: list[object] = []

    @gilonce.once(cell=functools.partial(gilonce.LoopOnceCell, discard=discarded.append))
    async def get() -> object:
        await anyio.sleep(0)
        made.append(anyio.Lock())
        return made[-1]

    @functools.cache
    def cached() -> object:
        return anyio.Lock()

    async def main() -> tuple[Any, Any]:
        got: list[object] = []

        async def task() -> None:
            got.append(await get())

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(task)
        assert len(set(map(id, got))) == 1
        assert await get() is got[0]
        return got[0], cached()

    first, second = run(main), run(main)
    assert first[0] is not second[0]
    assert first[1] is second[1]
    assert len(made) - len(discarded) == 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_runs_in_several_threads_share_nothing(gilonce: ModuleType, backend: str) -> None:
    """At the same time, each has its own value."""
    run = run_with(backend)
    get = gilonce.once(object, cell=gilonce.LoopOnceCell)

    async def main() -> Any:
        assert get() is get()
        return get()

    assert len(set(run_threads(*[lambda: run(main)] * 4))) == 4


@TRIO.row("A value with `cell=LoopOnceCell` is freed at the end of a run", "the value lives as long as the function")
def test_a_value_is_freed_at_the_end_of_a_run_of_trio(gilonce: ModuleType) -> None:
    """Also if it refers to the run, by a task and by the token; and the cell need not be used again."""
    trio = needs("trio")

    class Value:
        def __init__(self) -> None:
            self.refers_to = trio.lowlevel.current_task(), trio.lowlevel.current_trio_token()

    cell = gilonce.LoopOnceCell()

    async def main() -> Any:
        value = cell.get_or_init(Value)
        await trio.lowlevel.checkpoint()
        assert cell.get() is value
        return weakref.ref(value)

    reference = trio.run(main)
    for _ in range(10):
        gc.collect()
    assert reference() is None
    with pytest.raises(RuntimeError, match="no event loop of asyncio or trio runs in this thread"):
        cell.get()


@TRIO.row("As a guest of asyncio, trio has a value of its own", "both share a value")
def test_trio_as_a_guest_of_asyncio_has_a_value_beside_that_of_asyncio(gilonce: ModuleType) -> None:
    """Both run in one thread. The running task decides."""
    trio = needs("trio")
    cell = gilonce.LoopOnceCell()

    async def guest() -> Any:
        cell.set("trio's")
        await trio.sleep(0)
        return cell.get()

    async def main() -> tuple[Any, Any]:
        loop = asyncio.get_running_loop()
        is_done = loop.create_future()
        cell.set("asyncio's")
        trio.lowlevel.start_guest_run(
            guest, run_sync_soon_threadsafe=loop.call_soon_threadsafe, done_callback=is_done.set_result
        )
        outcome = await is_done
        return outcome.unwrap(), cell.get()

    assert asyncio.run(main()) == ("trio's", "asyncio's")


def test_an_override_holds_in_asyncio_and_in_trio(gilonce: ModuleType) -> None:
    """A test enters it before it runs anything."""
    trio = needs("trio")
    cell = gilonce.LoopOnceCell()

    async def main() -> Any:
        return cell.get("empty")

    with cell.override("fake"):
        assert (asyncio.run(main()), trio.run(main)) == ("fake", "fake")
    assert (asyncio.run(main()), trio.run(main)) == ("empty", "empty")


# Tasks that wait for an `OnceLock`.


@ANYIO.row("With `cell=OnceLock`, one task initializes and the others wait, in asyncio and trio", COROUTINE)
@pytest.mark.parametrize("backend", BACKENDS)
def test_one_task_initializes_and_the_others_wait_without_blocking(gilonce: ModuleType, backend: str) -> None:
    """The initializer needs another task of the same event loop to go on. `functools.cache` keeps a coroutine."""
    run, anyio = run_with(backend), needs("anyio")
    runs: list[object] = []

    async def main() -> list[object]:
        may_finish = anyio.Event()

        @gilonce.once(cell=gilonce.OnceLock)
        async def get() -> object:
            runs.append(object())
            await may_finish.wait()
            return runs[-1]

        got: list[object] = []

        async def task() -> None:
            got.append(await get())

        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(task)
            await anyio.wait_all_tasks_blocked()
            may_finish.set()
        return got

    assert run(main) == runs * 8
    assert len(runs) == 1


@ANYIO.row("With `cell=OnceLock`, a cancelled task passes the work on", COROUTINE)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("is_leader", [False, True])
def test_a_task_that_is_cancelled_passes_the_work_on(gilonce: ModuleType, backend: str, is_leader: bool) -> None:
    """Another task that waits runs its initializer. Cancelling a task that waits disturbs no other task."""
    run, anyio = run_with(backend), needs("anyio")
    runs: list[object] = []

    async def main() -> list[object]:
        may_finish = anyio.Event()

        @gilonce.once(cell=gilonce.OnceLock)
        async def get() -> object:
            runs.append(object())
            await may_finish.wait()
            return runs[-1]

        got: list[object] = []
        cancelled = anyio.CancelScope()

        async def task(scope: Any) -> None:
            with scope:
                got.append(await get())

        async with anyio.create_task_group() as group:
            scopes = [cancelled, anyio.CancelScope()] if is_leader else [anyio.CancelScope(), cancelled]
            for scope in [*scopes, anyio.CancelScope()]:
                group.start_soon(task, scope)
                await anyio.wait_all_tasks_blocked()
            cancelled.cancel()
            await anyio.wait_all_tasks_blocked()
            may_finish.set()
        return got

    got = run(main)
    assert len(runs) == (2 if is_leader else 1)
    assert got == [runs[-1]] * 2


@ANYIO.row("With `cell=OnceLock`, two tasks that wait for each other get an error", COROUTINE)
@pytest.mark.parametrize("backend", BACKENDS)
def test_two_tasks_in_a_cycle_are_told(gilonce: ModuleType, backend: str) -> None:
    """One of them gets the error before it waits, and so the other gets its value."""
    run, anyio = run_with(backend), needs("anyio")

    async def main() -> list[object]:
        both = [anyio.Event(), anyio.Event()]
        outcomes: list[object] = []

        @gilonce.once_per_args(cell=gilonce.OnceLock)
        async def get(number: int) -> str:
            both[number].set()
            await both[1 - number].wait()
            try:
                return f"{number} with {await get(1 - number)}"
            except gilonce.DeadlockError as error:
                outcomes.append(str(error))
                return f"{number}"

        async def task(number: int) -> None:
            outcomes.append(await get(number))

        async with anyio.create_task_group() as group:
            for number in range(2):
                group.start_soon(task, number)
        return outcomes

    message, *values = run(main)
    assert message.startswith("waiting would never end: task ")
    assert "get(0)" in message
    assert "get(1)" in message
    assert sorted(values) in (["0", "1 with 0"], ["0 with 1", "1"])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_thread_that_would_block_for_a_task_of_its_event_loop_is_told(gilonce: ModuleType, backend: str) -> None:
    """The synchronous call can never end, because the task can never go on. Another thread may wait for the task."""
    run, anyio = run_with(backend), needs("anyio")

    async def main() -> tuple[object, object]:
        may_finish = anyio.Event()
        cell = gilonce.OnceLock()

        async def initialize() -> str:
            await may_finish.wait()
            return "value"

        async with anyio.create_task_group() as group:
            group.start_soon(cell.aget_or_init, initialize)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(gilonce.DeadlockError):
                cell.get_or_init(lambda: "never")

            async def wait_in_thread() -> None:
                assert await anyio.to_thread.run_sync(cell.get_or_init, lambda: "never") == "value"

            group.start_soon(wait_in_thread)
            while not importlib.import_module("gilonce._cells.wait_graph")._waits:
                await anyio.sleep(0)
            may_finish.set()
        return cell.get(), cell.is_set()

    assert run(main) == ("value", True)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_task_that_has_waited_too_long_is_told(gilonce: ModuleType, backend: str) -> None:
    run, anyio = run_with(backend), needs("anyio")

    async def main() -> object:
        may_finish = anyio.Event()
        cell = gilonce.OnceLock(timeout=0.01)

        async def initialize() -> str:
            await may_finish.wait()
            return "value"

        async with anyio.create_task_group() as group:
            group.start_soon(cell.aget_or_init, initialize)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(TimeoutError, match=r"waited 0\.01 s for .*initialize"):
                await cell.aget_or_init(initialize)
            may_finish.set()
        return cell.get()

    assert run(main) == "value"


@pytest.mark.parametrize("leader", BACKENDS)
@pytest.mark.parametrize("waiting", BACKENDS)
def test_event_loops_in_two_threads_wait_for_each_other(gilonce: ModuleType, leader: str, waiting: str) -> None:
    """Also a task of trio for one of asyncio, and the other way round."""
    lead, follow, anyio = run_with(leader), run_with(waiting), needs("anyio")
    has_begun, runs = Event(), []
    waits = importlib.import_module("gilonce._cells.wait_graph")
    cell = gilonce.OnceLock()

    async def initialize() -> object:
        runs.append(object())
        has_begun.set()
        while not waits._waits:
            await anyio.sleep(0)
        return runs[0]

    async def main() -> object:
        return await cell.aget_or_init(initialize)

    def wait() -> object:
        assert has_begun.wait(WATCHDOG)
        return follow(main)

    assert run_threads(lambda: lead(main), wait) == runs * 2
    assert len(runs) == 1
