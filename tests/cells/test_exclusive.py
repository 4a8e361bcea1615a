"""`OnceLock`: the initializer runs exactly once while all others wait, and deadlocks are detected."""

from __future__ import annotations

import copy
import functools
import gc
import itertools
import os
import pickle
import re
import signal
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support import WATCHDOG, drive, race, run_python, run_threads
from support.surfaces import SURFACES, Touch, With

pytestmark = pytest.mark.usefixtures("nothing_is_left")

#: The surfaces on which a thread may wait.
BLOCKING = [name for name in SURFACES if "async" not in name]

needs_kill = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signal can be sent to a thread here")


class Waiting:
    """Counts the threads that begin to wait for another's initializer, so that no test needs to sleep."""

    def __init__(self) -> None:
        self._semaphore = threading.Semaphore(0)

    def begun(self) -> None:
        self._semaphore.release()

    def until(self, number: int) -> None:
        """Wait until that many more have begun to wait."""
        for _ in range(number):
            assert self._semaphore.acquire(timeout=WATCHDOG)


@pytest.fixture
def waiting(gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Waiting:
    counter = Waiting()
    assert gilonce.OnceLock
    wait_class: Any = sys.modules["gilonce._cells.wait_graph"].Wait
    enter = wait_class.enter

    def counted(wait: Any) -> Any:
        entered = enter(wait)
        counter.begun()
        return entered

    monkeypatch.setattr(wait_class, "enter", counted)
    return counter


@pytest.fixture(params=BLOCKING)
def surface(request: pytest.FixtureRequest, gilonce: ModuleType) -> Callable[..., Touch]:
    """A way to one value, kept by an `OnceLock`: given an initializer, it returns what gets the value."""

    def build(initializer: Callable[[], Any], **options: Any) -> Touch:
        make = functools.partial(gilonce.OnceLock, **options) if options else gilonce.OnceLock
        return SURFACES[request.param](With(gilonce, make), initializer, None)

    return build


# On every surface.


def test_the_initializer_runs_once_and_all_get_its_object(surface: Any, waiting: Waiting) -> None:
    """All who come while it runs wait for it, however many they are."""
    runs: list[object] = []

    def initializer() -> object:
        waiting.until(15)
        runs.append(object())
        return runs[-1]

    got = race(surface(initializer), 16)
    assert len(runs) == 1
    assert got == runs * 16


def test_of_those_who_wait_exactly_one_takes_over_from_one_that_fails(surface: Any, waiting: Waiting) -> None:
    """Law 3, with waiting: the exception goes to its own caller, and the next initializer runs once."""
    runs: list[object] = []

    def initializer() -> object:
        runs.append(object())
        if len(runs) == 1:
            waiting.until(7)
            raise ValueError("the first")
        # The others wait anew, for this one.
        waiting.until(6)
        return runs[-1]

    got = race(surface(initializer), 8)
    assert len(runs) == 2
    assert [type(outcome) for outcome in got].count(ValueError) == 1
    assert {id(outcome) for outcome in got if not isinstance(outcome, ValueError)} == {id(runs[1])}


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_a_thread_that_dies_in_the_initializer_passes_the_work_on(
    surface: Any, waiting: Waiting, error: type[BaseException]
) -> None:
    """However an initializer ends, whoever waits goes on."""
    deaths = [error()]

    def initializer() -> str:
        if deaths:
            waiting.until(1)
            raise deaths.pop()
        return "value"

    assert sorted(map(str, race(surface(initializer), 2))) == ["", "value"]


def test_an_initializer_that_reaches_its_own_cell_is_told_at_once(gilonce: ModuleType, surface: Any) -> None:
    """Re-entry would wait for itself; the error names the thread and the function, and the cell stays usable."""
    reenter = [True]

    def initializer() -> str:
        return touch() if reenter.pop() else "value"

    touch = surface(initializer)
    with pytest.raises(
        gilonce.DeadlockError, match=r"thread 'MainThread' runs .* and in it waits for .*, or use GILOnceCell"
    ):
        touch()
    reenter.append(False)
    assert touch() == "value"


def test_of_two_values_that_need_each_other_one_is_told_and_the_other_goes_on(
    gilonce: ModuleType, surface: Any
) -> None:
    """A cycle is broken at one place."""
    both_inside = threading.Barrier(2)
    touches: list[Touch] = []
    inside: list[threading.Thread] = []

    def needing(other: int) -> Callable[[], Any]:
        def initializer() -> str:
            if threading.current_thread() in inside:
                return "nothing"
            inside.append(threading.current_thread())
            both_inside.wait(WATCHDOG)
            return f"needs {touches[other]()}"

        return initializer

    touches += [surface(needing(1)), surface(needing(0))]
    got = run_threads(*touches)
    told = [outcome for outcome in got if isinstance(outcome, BaseException)]
    assert [type(error) for error in told] == [gilonce.DeadlockError]
    assert len([outcome for outcome in got if isinstance(outcome, str)]) == 1


def test_who_has_waited_too_long_is_told_and_the_cell_is_untouched(surface: Any) -> None:
    """`timeout` is for what cannot be seen, as here a thread that the initializer itself waits for."""
    outcomes: list[Any] = []

    def impatient() -> None:
        with pytest.raises(TimeoutError, match=r"waited 0\.05 s for .*still running") as caught:
            touch()
        outcomes.append(caught.value)

    def initializer() -> str:
        thread = threading.Thread(target=impatient)
        thread.start()
        thread.join(WATCHDOG)
        return "value"

    touch = surface(initializer, timeout=0.05)
    assert touch() == "value"
    assert len(outcomes) == 1
    assert touch() == "value"


def test_a_warm_value_is_given_while_nobody_runs(surface: Any) -> None:
    """Once there is a value, there is nothing to wait for, and nothing left of who made it."""
    runs: list[None] = []
    touch = surface(lambda: runs.append(None))
    assert [touch(), touch(), touch()] == [None] * 3
    assert len(runs) == 1


# Deadlocks.


def test_a_cycle_of_three_names_every_function_and_thread(gilonce: ModuleType) -> None:
    """The message says what to change."""
    cells = [gilonce.OnceLock() for _ in range(3)]
    all_inside = threading.Barrier(3)

    def needing(name: str, other: Any) -> Callable[[], Any]:
        def get() -> str:
            all_inside.wait(WATCHDOG)
            return f"{name} with {other.get_or_init(lambda: 'alone')}"

        get.__qualname__ = f"get_{name}"
        return get

    def run(name: str, cell: Any, other: Any) -> Callable[[], Any]:
        def action() -> Any:
            threading.current_thread().name = f"maker of {name}"
            return cell.get_or_init(needing(name, other))

        return action

    got = run_threads(*[run("abc"[i], cells[i], cells[(i + 1) % 3]) for i in range(3)])
    (told,) = [outcome for outcome in got if isinstance(outcome, BaseException)]
    assert type(told) is gilonce.DeadlockError
    assert isinstance(told, RuntimeError)
    for name in "abc":
        assert re.search(rf"thread 'maker of {name}' runs get_{name}\(\) and in it waits for get_[abc]\(\)", str(told))
    assert len([outcome for outcome in got if isinstance(outcome, str)]) == 2


def test_many_threads_in_a_cycle_see_it_and_one_raises(gilonce: ModuleType) -> None:
    """However they come together, one of them breaks the cycle, and only one."""
    for _ in range(20):
        cells = [gilonce.OnceLock() for _ in range(5)]
        all_inside = threading.Barrier(5)

        def action(index: int, cells: Any = cells, all_inside: Any = all_inside) -> Callable[[], Any]:
            def initializer() -> int:
                all_inside.wait(WATCHDOG)
                cells[(index + 1) % 5].get_or_init(lambda: -1)
                return index

            return lambda: cells[index].get_or_init(initializer)

        got = run_threads(*[action(index) for index in range(5)])
        assert [type(outcome) for outcome in got].count(gilonce.DeadlockError) == 1
        assert [type(outcome) for outcome in got].count(int) == 4


def test_waiting_in_a_long_line_is_no_cycle(gilonce: ModuleType, waiting: Waiting) -> None:
    """A thread that waits for one that waits for another, and so on, gets the value in the end."""
    cells = [gilonce.OnceLock() for _ in range(6)]
    inside = [threading.Event() for _ in cells]

    def make(index: int) -> Callable[[], int]:
        def initializer() -> int:
            inside[index].set()
            if index == 0:
                waiting.until(5)
                return 0
            assert inside[index - 1].wait(WATCHDOG)
            return 1 + cells[index - 1].get_or_init(lambda: -100)

        return initializer

    assert run_threads(*[functools.partial(cell.get_or_init, make(index)) for index, cell in enumerate(cells)]) == [
        *range(6)
    ]


def test_a_signal_handler_that_reaches_what_it_interrupted_is_told_at_once(gilonce: ModuleType) -> None:
    """The handler runs on top of the initializer, which cannot go on before the handler returns."""
    cell = gilonce.OnceLock()
    told: list[BaseException] = []

    def handler(*_: object) -> None:
        try:
            cell.get_or_init(int)
        except gilonce.DeadlockError as error:
            told.append(error)

    before = signal.signal(signal.SIGINT, handler)
    try:
        assert cell.get_or_init(lambda: signal.raise_signal(signal.SIGINT) or "value") == "value"
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(told) == 1


def test_a_finalizer_that_reaches_what_it_interrupted_is_told_at_once(gilonce: ModuleType) -> None:
    """The collector may run anybody's finalizer inside an initializer."""
    cell = gilonce.OnceLock()
    told: list[BaseException] = []

    class Cyclic:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            try:
                cell.get_or_init(int)
            except gilonce.DeadlockError as error:
                told.append(error)

    def initializer() -> str:
        Cyclic()
        for _ in range(3):  # for PyPy, which takes its time
            gc.collect()
        return "value"

    assert cell.get_or_init(initializer) == "value"
    assert len(told) == 1


@pytest.mark.parametrize("role", ["leader", "waiting"])
def test_ctrl_c_at_any_call_leaves_nothing_behind(gilonce: ModuleType, role: str) -> None:
    """Not even where what takes an entry back is itself interrupted: it is done once more."""
    assert gilonce.OnceLock
    package = Path(gilonce.__file__).parent
    waits = sys.modules["gilonce._cells.wait_graph"]

    def is_interrupted_at(number: int) -> bool:
        lock = gilonce.OnceLock()
        begun, finish = threading.Event(), threading.Event()
        calls = itertools.count(1)

        def initializer() -> int:
            begun.set()
            assert finish.wait(WATCHDOG)
            return 1

        def trace(frame: Any, event: str, _: Any) -> None:
            if package in Path(frame.f_code.co_filename).parents and next(calls) == number:
                raise KeyboardInterrupt
            if frame.f_code.co_name == "_remaining":
                finish.set()

        thread = threading.Thread(target=lock.get_or_init, args=(initializer,))
        if role == "waiting":
            thread.start()
            assert begun.wait(WATCHDOG)
        tracer = sys.gettrace()
        sys.settrace(trace)
        try:
            lock.get_or_init(int)
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(tracer)
            finish.set()
            if thread.ident is not None:
                thread.join(WATCHDOG)
            assert waits._running == waits._waits == {}, f"interrupted at call {number}"
            assert lock.get_or_init(int) in (0, 1)
        return False

    numbers = itertools.takewhile(is_interrupted_at, itertools.count(1))
    assert len(list(numbers)) > 5


@needs_kill
def test_what_a_signal_handler_initializes_is_no_matter_of_what_its_thread_waits_for(
    gilonce: ModuleType, waiting: Waiting
) -> None:
    """An initializer that runs on top of a wait goes on although the thread waits: no other thread gets an error."""
    outer, inner = gilonce.OnceLock(), gilonce.OnceLock()
    is_inside, in_handler, handled = threading.Event(), threading.Event(), threading.Event()

    def initializer() -> Any:
        is_inside.set()
        # The main thread waits for this one, and in its handler makes `inner`, which this one needs.
        waiting.until(1)
        # Again and again, for a signal that comes just before a thread blocks does not wake it.
        while not in_handler.wait(0.05):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        return inner.get_or_init(lambda: "not this one")

    def handler(*_: object) -> None:
        if in_handler.is_set():
            return

        def slowly() -> str:
            in_handler.set()
            waiting.until(1)
            return "inner"

        inner.get_or_init(slowly)
        handled.set()

    before = signal.signal(signal.SIGINT, handler)
    other = threading.Thread(target=outer.get_or_init, args=(initializer,), daemon=True)
    try:
        other.start()
        assert is_inside.wait(WATCHDOG)
        assert outer.get_or_init(lambda: "not this one") == "inner"
    finally:
        signal.signal(signal.SIGINT, before)
    assert handled.wait(WATCHDOG)
    other.join(WATCHDOG)


def test_who_enters_after_another_has_finished_finds_its_value(
    gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The value is looked for again by who has entered: this is what makes it once."""
    cell = gilonce.OnceLock()
    attempt_class: Any = sys.modules["gilonce._cells.wait_graph"].Attempt
    enter = attempt_class.enter

    def late(attempt: Any) -> Any:
        cell._publish("another's")
        return enter(attempt)

    monkeypatch.setattr(attempt_class, "enter", late)
    assert cell.get_or_init(lambda: pytest.fail("ran again")) == "another's"
    cell.take()

    async def again() -> None:
        pytest.fail("ran again")

    assert drive(cell.aget_or_init(again)) == "another's"


# What never waits, and what does.


def test_get_is_set_and_take_never_wait(gilonce: ModuleType) -> None:
    """They answer at once, also from within the initializer."""
    cell = gilonce.OnceLock()

    def initializer() -> str:
        assert run_threads(lambda: (cell.get("nothing"), cell.is_set(), cell.take("nothing"), repr(cell))) == [
            ("nothing", False, "nothing", "<OnceLock: empty>")
        ]
        return "value"

    assert cell.get_or_init(initializer) == "value"
    assert (cell.get(), cell.is_set(), repr(cell), cell.take(), cell.get()) == (
        "value",
        True,
        "<OnceLock: 'value'>",
        "value",
        None,
    )


@pytest.mark.parametrize("fails", [False, True])
def test_set_waits_for_the_outcome(gilonce: ModuleType, waiting: Waiting, fails: bool) -> None:
    """As Rust's does: it is refused if the initializer succeeds, and succeeds if that fails."""
    cell = gilonce.OnceLock()
    is_inside = threading.Event()

    def initializer() -> str:
        is_inside.set()
        waiting.until(1)
        if fails:
            raise ValueError("fails")
        return "made"

    def set_it() -> None:
        assert is_inside.wait(WATCHDOG)
        cell.set("given")

    made, given = run_threads(lambda: cell.get_or_init(initializer), set_it)
    if fails:
        assert isinstance(made, ValueError)
        assert given is None
        assert cell.get() == "given"
    else:
        assert made == cell.get() == "made"
        assert type(given) is gilonce.AlreadySetError
        assert given.value == "given"
        assert "this cell already holds a 'str' object" in str(given)


def test_set_within_the_initializer_is_told_at_once(gilonce: ModuleType) -> None:
    """It would wait for the outcome of what it is a part of."""
    cell = gilonce.OnceLock()
    with pytest.raises(gilonce.DeadlockError, match=r"waits for .*set\(\)|waits for .*<lambda>"):
        cell.get_or_init(lambda: cell.set(1))
    cell.set(2)
    with pytest.raises(gilonce.AlreadySetError):
        cell.set(2)


@needs_kill
def test_a_main_thread_that_waits_can_be_interrupted(gilonce: ModuleType) -> None:
    """Ctrl-C reaches a waiting thread, and no other."""
    source = """
import signal, sys, threading
from gilonce import OnceLock
waits = sys.modules["gilonce._cells.wait_graph"] if OnceLock else None
cell, is_inside, interrupted, seen = OnceLock(), threading.Event(), threading.Event(), threading.Event()
def interrupt(*_):
    if not interrupted.is_set():
        interrupted.set()
        raise KeyboardInterrupt
signal.signal(signal.SIGINT, interrupt)
def initializer():
    is_inside.set()
    while not waits._waits:
        is_inside.wait(0.001)
    while not interrupted.wait(0.05):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    seen.wait()
    return "value"
thread = threading.Thread(target=cell.get_or_init, args=(initializer,))
thread.start()
is_inside.wait()
try:
    cell.get_or_init(int)
except KeyboardInterrupt:
    print("interrupted", waits._waits, cell)
seen.set()
thread.join()
print(cell.get_or_init(int), cell)
"""
    assert run_python(gilonce, "-c", source) == "interrupted {} <OnceLock: empty>\nvalue <OnceLock: 'value'>\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_forgets_an_initializer_of_another_thread(gilonce: ModuleType, surface: Any) -> None:
    """The thread is not in the child; whoever asks there next runs its own initializer."""
    is_inside, leave = threading.Event(), threading.Event()

    def initializer() -> str:
        if threading.current_thread() is not threading.main_thread():
            is_inside.set()
            assert leave.wait(WATCHDOG)
        return "value"

    touch = surface(initializer)
    thread = threading.Thread(target=touch)
    thread.start()
    assert is_inside.wait(WATCHDOG)
    child = fork()
    if not child:
        signal.alarm(int(WATCHDOG))
        os._exit(0 if touch() == "value" else 1)
    leave.set()
    thread.join(WATCHDOG)
    assert os.waitpid(child, 0)[1] == 0
    assert touch() == "value"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_fork_inside_the_initializer_lets_both_processes_finish_it(gilonce: ModuleType) -> None:
    """The thread that forks is in both."""
    cell = gilonce.OnceLock()
    child = cell.get_or_init(fork)
    if not child:
        os._exit(0 if cell.get_or_init(lambda: 1) == 0 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert cell.get() == child


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_in_a_forked_child_the_initializer_that_forked_still_runs(gilonce: ModuleType) -> None:
    """The initializer goes on in the child. Reaching its own cell from within it is an error there too."""
    cell = gilonce.OnceLock()

    def initializer() -> int:
        child = fork()
        if not child:
            try:
                cell.get_or_init(int)
            except gilonce.DeadlockError:
                os._exit(0)
            os._exit(1)
        return os.waitpid(child, 0)[1]

    assert cell.get_or_init(initializer) == 0


def fork() -> int:
    """Fork, without being told of the threads that are not in the child."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


# The cell itself.


def test_it_has_what_a_cell_has(gilonce: ModuleType) -> None:
    """It is a cell like any other, weak references, `OnceLock[int]` and all."""
    cell = gilonce.OnceLock(timeout=3)
    assert cell.timeout == 3
    assert cell.final is True
    assert weakref.ref(cell)() is cell
    assert isinstance(cell, gilonce.Cell)
    assert gilonce.OnceLock[int].__origin__ is gilonce.OnceLock
    assert cell.import_attr("decimal", "Decimal").__name__ == "Decimal"
    with pytest.raises(TypeError, match="the initializer must be callable, not 3"):
        cell.get_or_init(3)


def test_copies_are_locks_of_their_own(gilonce: ModuleType) -> None:
    """With the same value, or a copy of it, and the same timeout; an empty one stays empty."""
    cell = gilonce.OnceLock(timeout=3)
    assert not copy.copy(cell).is_set()
    cell.set([1])
    for copied in (copy.copy(cell), copy.deepcopy(cell), pickle.loads(pickle.dumps(cell))):
        assert type(copied) is gilonce.OnceLock
        assert copied.timeout == 3
        assert copied.take() == [1]
        assert copied.get_or_init(lambda: "new") == "new"
    assert cell.get() == [1]
    assert copy.copy(cell).get() is cell.get()


def test_copies_are_initialized_apart(gilonce: ModuleType) -> None:
    """Initializing one copy blocks neither another copy nor the original."""
    cell = gilonce.OnceLock()
    one, other = copy.copy(cell), copy.copy(cell)
    got = one.get_or_init(lambda: other.get_or_init(lambda: cell.get_or_init(lambda: "original")))
    assert got == one.get() == other.get() == cell.get() == "original"


def test_initializers_of_two_instances_do_not_wait_for_each_other(gilonce: ModuleType) -> None:
    """An attempt is made for one owner, not for the definition."""

    class Owner:
        def __init__(self, *others: Any) -> None:
            self.others = others

        @gilonce.once(cell=gilonce.OnceLock)
        def method(self) -> list[Any]:
            return [other.method() for other in self.others]

        @gilonce.once_property(cell=gilonce.OnceLock)
        def attribute(self) -> list[Any]:
            return [other.attribute for other in self.others]

    owner = Owner(Owner(), Owner(Owner()))
    assert owner.method() == owner.attribute == [[], [[]]]


def test_setting_the_same_object_twice_is_an_error_too(gilonce: ModuleType, waiting: Waiting) -> None:
    """Of those who set, one writes, whatever they set; also where the first is still at it."""
    cell = gilonce.OnceLock()
    value = object()
    is_inside = threading.Event()

    def initializer() -> object:
        is_inside.set()
        waiting.until(1)
        return value

    def set_it() -> None:
        assert is_inside.wait(WATCHDOG)
        cell.set(value)

    made, given = run_threads(lambda: cell.get_or_init(initializer), set_it)
    assert made is value
    assert type(given) is gilonce.AlreadySetError
    assert given.value is value
    with pytest.raises(gilonce.AlreadySetError):
        cell.set(value)


@pytest.mark.parametrize(
    ("timeout", "error", "text"),
    [
        ("soon", TypeError, r"OnceLock\(timeout=...\) takes a number of seconds or None, not 'soon'"),
        (True, TypeError, "not True"),
        (-1, ValueError, "not negative, not -1"),
        (float("nan"), ValueError, "not negative, not nan"),
    ],
)
def test_a_timeout_is_a_number_of_seconds(gilonce: ModuleType, timeout: Any, error: Any, text: str) -> None:
    """Anything else is refused when the cell is made."""
    with pytest.raises(error, match=text):
        gilonce.OnceLock(timeout=timeout)


def test_a_timeout_may_be_longer_than_a_lock_can_take(gilonce: ModuleType) -> None:
    """For ever is for ever."""
    cell = gilonce.OnceLock(timeout=float("inf"))
    assert cell.timeout == threading.TIMEOUT_MAX
    assert race(lambda: cell.get_or_init(lambda: "value")) == ["value"] * 8


def test_a_timeout_counts_from_the_call_through_all_turns(gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has used it up before this turn, waiting for others, waits no longer."""
    cell = gilonce.OnceLock(timeout=2 * WATCHDOG)
    readings = iter([0.0])
    monkeypatch.setattr(sys.modules["gilonce._cells.exclusive"], "monotonic", lambda: next(readings, 3 * WATCHDOG))

    def initializer() -> str:
        nonlocal readings
        readings = iter([0.0])
        (told,) = run_threads(lambda: cell.get_or_init(int))
        assert type(told) is TimeoutError
        return "value"

    assert cell.get_or_init(initializer) == "value"


def test_a_timeout_of_nothing_does_not_wait(gilonce: ModuleType) -> None:
    """A caller that finds an initializer running gets the error at once."""
    cell = gilonce.OnceLock(timeout=0)

    def initializer() -> str:
        (told,) = run_threads(lambda: cell.get_or_init(int))
        assert type(told) is TimeoutError
        return "value"

    assert cell.get_or_init(initializer) == "value"


def test_who_is_done_or_gave_up_is_entered_nowhere(gilonce: ModuleType) -> None:
    """No attempt stays registered as running or as waiting. The search for a cycle follows only live attempts."""
    cell = gilonce.OnceLock(timeout=0)
    waits: Any = sys.modules["gilonce._cells.wait_graph"]

    def initializer() -> str:
        assert len(waits._running) == 1
        (told,) = run_threads(lambda: cell.get_or_init(int))
        assert type(told) is TimeoutError
        assert waits._waits == {}
        (attempt,) = waits._running
        assert attempt.waiting == {}
        return "value"

    assert cell.get_or_init(initializer) == "value"
    assert waits._running == {}


def test_take_lets_the_next_initializer_run(gilonce: ModuleType) -> None:
    """Between two `take()`s, once."""
    cell = gilonce.OnceLock()
    assert [cell.get_or_init(lambda n=n: n) for n in (1, 2)] == [1, 1]
    assert cell.take() == 1
    assert [cell.get_or_init(lambda n=n: n) for n in (3, 4)] == [3, 3]


def test_nothing_is_kept_alive(gilonce: ModuleType) -> None:
    """Neither the definition nor what ran keeps an instance, also after a failure."""

    class Owner:
        @gilonce.once(cell=gilonce.OnceLock)
        def method(self) -> Any:
            return 1 / 0

        @gilonce.once_property(cell=gilonce.OnceLock)
        def attribute(self) -> Any:
            return self

    owner = Owner()
    with pytest.raises(ZeroDivisionError):
        owner.method()
    assert owner.attribute is owner
    reference = weakref.ref(owner)
    del owner
    gc.collect()
    assert reference() is None
