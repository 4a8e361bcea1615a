"""Which event loop and which task run in this thread, and how a task waits: with asyncio, or with trio.

Nothing is imported here. An event loop cannot run while its library is not imported completely, so `sys.modules` has
every library that matters.

trio has no object that is the event loop. Here, the token of a run of trio stands for it. A run ends when all its tasks
have ended.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _ask(library: str, name: str) -> Any:
    """Return what the function `name` of a library returns, or None if nothing of that library runs in this thread."""
    # A library that is being imported may lack the function.
    function = getattr(sys.modules.get(library), name, None)
    if function is None:
        return None
    try:
        return function()
    except RuntimeError:
        # No event loop of this library runs in this thread.
        return None


def is_in_trio() -> bool:
    """Return whether the running task is one of trio's.

    Both libraries may run in one thread. If trio is a guest of asyncio, a task of trio runs in no task of asyncio. With
    trio-asyncio, tasks of asyncio run in one of trio's.
    """
    return _ask("trio.lowlevel", "current_task") is not None and _ask("asyncio", "current_task") is None


def running_task() -> Any:
    """Return the task of asyncio or trio that runs in this thread, or None."""
    return _ask("trio.lowlevel" if is_in_trio() else "asyncio", "current_task")


def running_loop_of_asyncio() -> Any:
    """Return the event loop of asyncio that runs in this thread, or None."""
    return _ask("asyncio", "get_running_loop")


def running_loop() -> Any:
    """Return asyncio's event loop, or the token that stands for the run of trio. Return None if there is neither."""
    return _ask("trio.lowlevel", "current_trio_token") if is_in_trio() else running_loop_of_asyncio()


def is_closed(loop: Any) -> bool:
    """Return whether an event loop of asyncio will never run again. trio does not tell."""
    return hasattr(loop, "is_closed") and bool(loop.is_closed())


class AsyncioGate:
    """A gate at which a task of asyncio waits."""

    def __init__(self, asyncio: Any) -> None:
        self._asyncio = asyncio
        self._loop = asyncio.get_running_loop()
        self._is_open = self._loop.create_future()

    def open(self) -> None:
        """Let the task pass, from any thread. Raise RuntimeError if its event loop is over."""
        self._loop.call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        if not self._is_open.done():  # pragma: no branch - only where Ctrl-C came while opening
            self._is_open.set_result(None)

    async def wait(self, timeout: float | None) -> bool:
        """Wait until the gate is open, at most `timeout` seconds. Return whether it is."""
        # Not `wait_for`, whose TimeoutError is another class before Python 3.11.
        await self._asyncio.wait([self._is_open], timeout=timeout)
        return bool(self._is_open.done())


class TrioGate:
    """A gate at which a task of trio waits. It has the methods of `AsyncioGate`."""

    def __init__(self, trio: Any) -> None:
        self._trio = trio
        self._token = trio.lowlevel.current_trio_token()
        self._event = trio.Event()

    def open(self) -> None:
        self._token.run_sync_soon(self._event.set)

    async def wait(self, timeout: float | None) -> bool:
        with self._trio.move_on_after(float("inf") if timeout is None else timeout):
            await self._event.wait()
        return bool(self._event.is_set())


def gate_for_task() -> AsyncioGate | TrioGate | None:
    """Return a gate for the running task, or None if it is a task of another library."""
    if is_in_trio():
        return TrioGate(sys.modules["trio"])
    return None if _ask("asyncio", "current_task") is None else AsyncioGate(sys.modules["asyncio"])
