"""`once_per_args`: errors that keys raise while they are compared, and cells that a finalizer brings back."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from support import WATCHDOG, run_threads


class Same:
    """A key with the hash of the plain key 7. It asks `compare` whether it is equal."""

    def __init__(self, compare: Callable[[object], bool] = lambda other: False) -> None:
        self.compare = compare

    def __hash__(self) -> int:
        return hash(7)

    def __eq__(self, other: object) -> bool:
        return self.compare(other)


def function_of_one(gilonce: ModuleType, **options: Any) -> Any:
    return gilonce.once_per_args(lambda key: [key], **options)


def function_of_two(gilonce: ModuleType, **options: Any) -> Any:
    return gilonce.once_per_args(lambda key, other=1: [key], **options)


def function_of_any_number(gilonce: ModuleType, **options: Any) -> Any:
    return gilonce.once_per_args(lambda *keys, **more: [keys], **options)


def method(gilonce: ModuleType, **options: Any) -> Any:
    class Owner:
        @gilonce.once_per_args(**options)
        def method(self, key: Any) -> list[Any]:
            return [key]

    return Owner().method


SHAPES = [function_of_one, function_of_two, function_of_any_number, method]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("error", [KeyError, TypeError, LookupError, ValueError, KeyboardInterrupt])
def test_an_error_of_comparing_with_a_plain_key_arrives_at_once(
    gilonce: ModuleType, shape: Callable[..., Any], error: type[BaseException]
) -> None:
    """It is the very exception, the keys are compared once, and nothing is stored."""
    get = shape(gilonce)
    value = get(7)
    raised = error("from __eq__")
    compared: list[object] = []

    def fail(other: object) -> bool:
        compared.append(other)
        if len(compared) == 1:
            raise raised
        return False

    with pytest.raises(error) as caught:
        get(Same(fail))
    assert caught.value is raised
    assert compared == [7]
    assert get(7) is value
    assert get.take_all() == [value]


@pytest.mark.parametrize("error", [KeyError, TypeError, ValueError])
@pytest.mark.parametrize("shape", SHAPES)
def test_an_error_of_a_hash_arrives(gilonce: ModuleType, shape: Callable[..., Any], error: type[Exception]) -> None:
    """A TypeError says which parameter cannot be hashed, and has the original error as its cause."""

    class Key:
        def __hash__(self) -> int:
            raise raised

    raised = error("from __hash__")
    get = shape(gilonce)
    get(7)
    with pytest.raises(error) as caught:
        get(Key())
    if error is TypeError:
        assert "they must be hashable" in str(caught.value)
        assert caught.value.__cause__ is raised
    else:
        assert caught.value is raised


def test_an_error_of_the_function_has_no_other_error_behind_it(gilonce: ModuleType) -> None:
    """A lookup that finds nothing leaves no trace."""

    def fail(key: object) -> None:
        raise KeyError("from the function")

    def context_of(function: Any) -> object:
        with pytest.raises(KeyError) as caught:
            function(7)
        assert caught.value.__cause__ is None
        return caught.value.__context__

    # After a test that has interrupted an `except` block, CPython gives any other error its error as context.
    assert context_of(gilonce.once_per_args(fail)) is context_of(fail)


# A cell that comes back.


class Keeper:
    """An object in a reference cycle. Its finalizer brings back what it has."""

    def __init__(self, it: object, back: list[Any]) -> None:
        self.it = it
        self.back = back
        self.cycle = self

    def __del__(self) -> None:
        self.back.append(self.it)


def bring_back(make_cell: Callable[[], Any]) -> Any:
    """Return an empty cell that the collector has found unreachable, and a finalizer has brought back."""
    back: list[Any] = []
    Keeper(make_cell(), back)
    for _ in range(5):
        gc.collect()
        if back:
            break
    return back.pop()


def own_cell(gilonce: ModuleType) -> Any:
    return type("Own", (gilonce.GILOnceCell,), {})


@pytest.fixture(params=["GILOnceCell", "OnceLock", "ThreadOnceCell", "own cell"])
def options(gilonce: ModuleType, request: Any) -> dict[str, Any]:
    if request.param == "GILOnceCell":
        return {}
    return {"cell": own_cell(gilonce) if request.param == "own cell" else getattr(gilonce, request.param)}


KEYS = {"plain key": 7, "key with __eq__": Same()}


@pytest.fixture(params=KEYS)
def key(request: Any) -> Any:
    return KEYS[request.param]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_cell_that_comes_back_has_the_value_of_its_key(
    gilonce: ModuleType, shape: Callable[..., Any], options: dict[str, Any], key: Any
) -> None:
    """A call in between has made a value: the cell has that, and never another."""
    get = shape(gilonce, **options)
    cell = bring_back(lambda: get.cell(key))
    value = get(key)
    assert cell.get() is value
    assert cell.get_or_init(object) is value
    with pytest.raises(gilonce.AlreadySetError):
        cell.set("another")
    assert get.cell(key).get() is get(key) is value
    assert cell.take() is value
    assert not get.cell(key).is_set()
    second = get(key)
    assert cell.get() is second
    assert get.take_all() == [second]
    assert not cell.is_set()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_cell_that_comes_back_can_be_filled_for_its_key(
    gilonce: ModuleType, shape: Callable[..., Any], options: dict[str, Any], key: Any
) -> None:
    """It is empty, and so is its key. Its value is that of every call."""
    get = shape(gilonce, **options)
    cell = bring_back(lambda: get.cell(key))
    assert not cell.is_set()
    value = cell.get_or_init(lambda: ["value"])
    assert get(key) is get.cell(key).get() is value
    del cell
    gc.collect()
    assert get(key) is value
    assert get.take_all() == [value]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_cell_that_comes_back_can_be_overridden(
    gilonce: ModuleType, shape: Callable[..., Any], options: dict[str, Any], key: Any
) -> None:
    """Calls with the key get the override's value, and afterwards their own."""
    get = shape(gilonce, **options)
    cell = bring_back(lambda: get.cell(key))
    value = get(key)
    with cell.override("fake"):
        assert get(key) == "fake"
        assert get.cell(key).get() == "fake"
    assert get(key) is value
    cell = bring_back(lambda: get.cell("empty"))
    with cell.override("fake"):
        assert get("empty") == "fake"
    assert not get.cell("empty").is_set()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("is_first", [True, False], ids=["it is first", "it is second"])
def test_a_lock_that_comes_back_lets_one_thread_initialize(
    gilonce: ModuleType, shape: Callable[..., Any], key: Any, is_first: bool
) -> None:
    """It and the cell that a call has made meanwhile are one lock."""
    get = shape(gilonce, cell=gilonce.OnceLock)
    returned = bring_back(lambda: get.cell(key))
    first, second = (returned, get.cell(key)) if is_first else (get.cell(key), returned)
    started, may_end = threading.Event(), threading.Event()
    ran: list[str] = []

    def initialize_slowly() -> list[str]:
        ran.append("first")
        started.set()
        assert may_end.wait(WATCHDOG)
        return ["value"]

    def use_second() -> Any:
        assert started.wait(WATCHDOG)
        # Without a lock, the initializer below ends this wait.
        threading.Timer(0.1, may_end.set).start()
        return second.get_or_init(lambda: ran.append("second") or may_end.set())

    got = run_threads(lambda: first.get_or_init(initialize_slowly), use_second)
    assert ran == ["first"]
    assert got[0] is got[1] is get(key)


def test_a_cell_may_come_back_after_its_function_is_gone(gilonce: ModuleType, options: dict[str, Any]) -> None:
    """It is a cell like any other then."""
    cell = bring_back(lambda: function_of_one(gilonce, **options).cell(7))
    assert cell.get_or_init(lambda: "value") == "value"
    assert cell.take() == "value"
