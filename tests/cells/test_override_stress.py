"""Threads that call while others enter and leave overrides."""

from __future__ import annotations

import sys
from functools import partial
from types import ModuleType

import pytest
from support import FACTOR, run_threads
from support.overridable import CELLS

#: How often overrides are entered and left, in all rounds together. Without a GIL, threads that contend for one place
#: take ten times as long: the 16 tests take 90 seconds of processor time, and a quarter of an hour with 100,000.
#: `GILONCE_SEARCH=10` asks for that.
TIMES = round((100_000 if getattr(sys, "_is_gil_enabled", lambda: True)() else 10_000) * FACTOR)
ROUNDS = 20

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_override_is_left")]


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("own", "full"),
        ("own", "empty"),
        ("method", "full"),
        ("method", "empty"),
        ("in_slot", "full"),
        ("of_class", "full"),
        ("lock", "full"),
        ("key", "full"),
    ],
)
def test_overrides_that_come_and_go_lose_nothing(gilonce: ModuleType, name: str, begins: str) -> None:
    """Two threads override, by a block and by one shared decorated function. Four threads call.

    No thread gets an error, or an object that is neither an override nor a value. A call that begins after
    the last override has been left gets no override. A cell that was full has its value then.
    """
    discarded: list[object] = []
    cell = CELLS[name](gilonce, discarded.append)
    fakes = [object(), object()]
    made: list[object] = []

    def make() -> object:
        mine = object()
        made.append(mine)
        return mine

    @cell.override(fakes[0])
    def decorated() -> None:
        assert cell.get() in fakes

    def override(done: list[bool], thread: int) -> None:
        try:
            for _ in range(TIMES // ROUNDS // 4):
                decorated()
                with cell.override(fakes[1]):
                    assert cell.get() in fakes
        finally:
            done[thread] = True

    def call(done: list[bool]) -> None:
        is_quiet = False
        while not is_quiet:
            is_quiet = all(done)
            got = cell.get_or_init(make)
            assert got in made or (got in fakes and not is_quiet)

    if begins == "full":
        cell.set(make())
    for _ in range(ROUNDS):
        done = [False, False]
        overriding = [partial(override, done, thread) for thread in range(2)]
        assert run_threads(*overriding, *[partial(call, done)] * 4) == [None] * 6
        if begins == "full":
            assert cell.get() is made[0]
        else:
            cell.take()
    assert not {*map(id, discarded)} & {*map(id, fakes)}
    if begins == "full":
        assert len(made) == 1
