"""The laws that hold on every surface alike: one test a law, run over all surfaces."""

from __future__ import annotations

import gc
import os
import sys
import threading
import warnings
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from support import RECURSION_ERRORS, WATCHDOG, race, run_python, run_threads
from support.surfaces import SURFACES, Surface

THREADS = 8


@pytest.fixture(params=SURFACES)
def surface(request: pytest.FixtureRequest) -> Surface:
    return SURFACES[request.param]


def meet(make: Callable[[], Any], threads: int = THREADS) -> Callable[[], Any]:
    """Return an initializer in which that many threads meet before the first may finish."""
    inside = threading.Barrier(threads)

    def initializer() -> Any:
        inside.wait(WATCHDOG)
        return make()

    return initializer


def test_threads_that_are_all_inside_the_initializer_get_one_object(gilonce: ModuleType, surface: Surface) -> None:
    """Law 1: every call that returns a value returns the same object."""
    made = []

    def make() -> object:
        mine = object()
        made.append(mine)
        return mine

    got = race(surface(gilonce, meet(make), None))
    assert len(made) == THREADS
    assert len(set(map(id, got))) == 1
    assert got[0] in made


def test_none_is_a_value(gilonce: ModuleType, surface: Surface) -> None:
    """Law 1: `None` is computed once, like any other value."""
    calls: list[None] = []
    touch = surface(gilonce, lambda: calls.append(None), None)
    assert touch() is None
    assert touch() is None
    assert len(calls) == 1


def test_a_value_is_compared_with_nothing(gilonce: ModuleType, surface: Surface) -> None:
    """Law 1: which object it is counts, and an array, say, has no answer to whether it equals another."""

    class Hostile:
        def refuse(self, *_: object) -> Any:
            raise ValueError("the truth value of an array is ambiguous")

        __eq__ = __ne__ = __lt__ = __bool__ = __len__ = refuse
        __hash__ = None  # type: ignore[assignment]

    made: list[Hostile] = []
    discarded: list[Hostile] = []

    def initializer() -> Hostile:
        mine = Hostile()
        made.append(mine)
        if len(made) == 1:
            touch()  # which publishes before this one
        return mine

    touch = surface(gilonce, initializer, discarded.append)
    loser, winner = 0, 1
    assert touch() is touch() is made[winner]
    assert [id(value) for value in discarded] == [id(made[loser])]


def test_a_thread_in_the_initializer_keeps_nobody_waiting(gilonce: ModuleType, surface: Surface) -> None:
    """Law 2: another thread's call comes back while the first is still inside."""
    entered, leave = threading.Event(), threading.Event()
    first = threading.local()

    def initializer() -> object:
        if getattr(first, "me", False):
            entered.set()
            assert leave.wait(WATCHDOG)
        return object()

    touch = surface(gilonce, initializer, None)

    def slow() -> object:
        first.me = True
        return touch()

    def fast() -> object:
        assert entered.wait(WATCHDOG)
        value = touch()
        leave.set()
        return value

    late, early = run_threads(slow, fast)
    assert late is early


def test_two_values_that_need_each_other_do_not_deadlock(gilonce: ModuleType, surface: Surface) -> None:
    """Law 2: first touched from two threads, a cycle between two values comes to an end."""
    both_inside = threading.Barrier(2)
    depth = threading.local()

    def needing(other: Callable[[], Callable[[], Any]]) -> Callable[[], Any]:
        def initializer() -> object:
            depth.now = getattr(depth, "now", 0) + 1
            try:
                if depth.now == 1:
                    both_inside.wait(WATCHDOG)
                if depth.now <= 2:
                    other()()
                return object()
            finally:
                depth.now -= 1

        return initializer

    touches: list[Callable[[], Any]] = []
    touches.append(surface(gilonce, needing(lambda: touches[1]), None))
    touches.append(surface(gilonce, needing(lambda: touches[0]), None))
    left, right = run_threads(*touches)
    assert left is touches[0]()
    assert right is touches[1]()


def fail_then_succeed(error: BaseException) -> Callable[[], str]:
    """Return an initializer that raises the error in its first run, and returns "value" in its second and last."""
    outcomes: list[Any] = [error, "value"]

    def initializer() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return str(outcome)

    return initializer


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit, RecursionError])
def test_a_failure_reaches_its_caller_unchanged_and_the_next_call_tries_again(
    gilonce: ModuleType, surface: Surface, error: type[BaseException]
) -> None:
    """Law 3: an exception is not cached, not wrapped, and leaves the cell empty."""
    raised = error("once")
    touch = surface(gilonce, fail_then_succeed(raised), None)
    with pytest.raises(error) as caught:
        touch()
    assert caught.value is raised
    assert caught.value.__cause__ is None
    assert touch() == "value"
    assert touch() == "value"


def test_an_attribute_error_of_the_initializer_is_not_taken_for_a_missing_attribute(
    gilonce: ModuleType, surface: Surface
) -> None:
    """Law 3: nor is it swallowed; a proxy, of which it would say something else, raises a RuntimeError from it."""
    raised = AttributeError("the initializer's own")
    touch = surface(gilonce, fail_then_succeed(raised), None)
    with pytest.raises((AttributeError, RuntimeError)) as caught:
        touch()
    assert raised is (caught.value.__cause__ if isinstance(caught.value, RuntimeError) else caught.value)
    assert touch() == "value"


def test_an_exception_reaches_only_the_thread_whose_initializer_raised(gilonce: ModuleType, surface: Surface) -> None:
    """Law 3: of threads inside together, one fails and the others share a value."""
    turns = iter(range(THREADS))
    lock = threading.Lock()

    def make() -> object:
        with lock:
            turn = next(turns)
        if turn == 0:
            raise ValueError("the first one out")
        return object()

    got = race(surface(gilonce, meet(make), None))
    failed = [outcome for outcome in got if isinstance(outcome, ValueError)]
    assert len(failed) == 1
    assert len({id(outcome) for outcome in got if outcome not in failed}) == 1


def test_every_loser_is_discarded_once_and_the_winner_never(gilonce: ModuleType, surface: Surface) -> None:
    """Law 4: values made but not published go to `discard`, all of them and only they."""
    made: list[object] = []
    discarded: list[object] = []

    def make() -> object:
        value = object()
        made.append(value)
        return value

    got = race(surface(gilonce, meet(make), discarded.append))
    assert len(discarded) == THREADS - 1
    assert got[0] not in discarded
    assert {id(value) for value in made} == {id(value) for value in [*discarded, got[0]]}


def test_a_loser_that_is_the_winner_is_not_discarded(gilonce: ModuleType, surface: Surface) -> None:
    """Law 4: initializers that return one shared object lose nothing."""
    shared = object()
    discarded: list[object] = []
    assert race(surface(gilonce, meet(lambda: shared), discarded.append)) == [shared] * THREADS
    assert discarded == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_from_discard_is_unraisable_and_the_caller_gets_the_value(
    gilonce: ModuleType, surface: Surface, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law 4: who lost the race and could not discard still has its value."""
    reports: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: reports.append((report.exc_value, report.object)))
    raised = error("cannot discard")

    def discard(value: object) -> None:
        raise raised

    got = race(surface(gilonce, meet(object, 2), discard), 2)
    assert got[0] is got[1]
    assert reports == [(raised, discard)]


def test_an_initializer_may_reach_its_own_cell_and_the_first_write_wins(gilonce: ModuleType, surface: Surface) -> None:
    """Re-entry is allowed: the inner call writes first, so the outer one loses."""
    made: list[object] = []
    discarded: list[object] = []

    def initializer() -> object:
        depth = len(made)
        made.append(object())
        if depth == 0:
            touch()
        return made[depth]

    touch = surface(gilonce, initializer, discarded.append)
    assert touch() is made[1]
    assert discarded == [made[0]]


def test_nothing_keeps_a_loser_alive(gilonce: ModuleType, surface: Surface) -> None:
    """Law 4: without a `discard`, a loser is dropped, and nothing else refers to it."""

    class Value:
        pass

    made: list[weakref.ref[Value]] = []

    def initializer() -> Value:
        value = Value()
        made.append(weakref.ref(value))
        if len(made) == 1:
            touch()
        return value

    touch = surface(gilonce, initializer, None)
    winner = touch()
    gc.collect()
    assert [ref() for ref in made] == [None, winner]


def test_unbounded_reentry_is_a_recursion_error_and_leaves_the_cell_usable(
    gilonce: ModuleType, surface: Surface
) -> None:
    """Re-entry without end is Python's own error, and afterwards the cell is empty."""
    forever = [True]

    def initializer() -> object:
        return touch() if forever else "value"

    touch = surface(gilonce, initializer, None)
    with warnings.catch_warnings():
        # Near the recursion limit, a coroutine can be made but not started.
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        with pytest.raises(RECURSION_ERRORS, match="recursion"):
            touch()
        gc.collect()  # PyPy would show the warning in a later test
    forever.clear()
    assert touch() == "value"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_threads_that_take_hinder_neither_a_fork_nor_the_end(gilonce: ModuleType) -> None:
    """A thread that disappears in the middle of an initializer blocks no other, in a forked child or at exit."""
    if gilonce.__implementation__ == "python" and not getattr(sys, "_is_gil_enabled", lambda: True)():
        pytest.skip("without a GIL, a dict that threads contend for may hang after a fork: CPython's own")
    source = """
import faulthandler, gc, gilonce, os, signal, threading, warnings
warnings.simplefilter("ignore")  # of threads, that a fork leaves behind
faulthandler.dump_traceback_later(50, exit=True)
shared = gilonce.GILOnceCell()
def work():
    while True:
        shared.get_or_init(list)
        shared.take()
for _ in range(2):
    threading.Thread(target=work, daemon=True).start()
for _ in range(20):
    child = os.fork()
    if not child:
        signal.alarm(20)  # faulthandler's thread is not in the child
        shared.take()
        gc.collect()
        assert shared.get_or_init(dict) == {} and shared.take() == {}
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
print("fine")
"""
    assert run_python(gilonce, "-c", source) == "fine\n"
