"""The cell behind a once function, and the one behind a bound method."""

from __future__ import annotations

import copy
import functools
import pickle
import re
import sys
from types import ModuleType
from typing import Any

import pytest
from support import run_threads


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickled_view_is_a_cell_of_its_own(gilonce: ModuleType, protocol: int) -> None:
    """Like a copy: full or empty as the view was, and tied to no instance or class."""

    class Service:
        @gilonce.once
        def m(self) -> list[int]:
            return [1]

        @gilonce.once
        @classmethod
        def c(cls) -> list[int]:
            return [1]

    service = Service()
    for view in service.m.cell, Service.c.cell:
        assert not pickle.loads(pickle.dumps(view, protocol)).is_set()
        view.get_or_init(lambda: [1])
        copied = pickle.loads(pickle.dumps(view, protocol))
        assert type(copied) is type(copy.copy(view)) is gilonce.GILOnceCell
        assert (copied.take(), view.get()) == ([1], [1])
        view.get().append(view)
        assert pickle.loads(pickle.dumps(view, protocol)).get()[0] == 1


def test_a_deep_copy_of_a_view_is_not_mistaken_for_another(gilonce: ModuleType) -> None:
    """`deepcopy` remembers originals by their `id`, and a view's is gone at once."""

    class Service:
        @gilonce.once
        def m(self) -> str:
            return "of the service"

    class Odd:
        def __reduce__(self) -> Any:
            cell = gilonce.GILOnceCell()
            cell.set("odd")
            return (lambda copied: copied), (cell,)

    service = Service()
    service.m()
    for _ in range(50):
        of_service, odd = copy.deepcopy([service.m.cell, Odd()])
        assert (of_service.get(), odd.get()) == ("of the service", "odd")


def test_the_cell_of_a_function_is_set_at_start_up_and_taken_in_tests(gilonce: ModuleType) -> None:
    """`f.cell` is the cell that calls ask."""

    @gilonce.once
    def settings() -> str:
        return "loaded"

    settings.cell.set("configured")
    assert settings() == "configured"
    assert settings.cell.take() == "configured"
    assert settings() == "loaded"


@pytest.mark.parametrize("kind", [None, "OnceLock", "ThreadOnceCell", "ProcessOnceCell"])
def test_the_cell_of_a_function_is_named_in_its_errors(gilonce: ModuleType, kind: str | None) -> None:
    """`get_url.cell.set(...)` on a full cell says whose cell that is, with every cell."""

    @gilonce.once(**({} if kind is None else {"cell": getattr(gilonce, kind)}))
    def get_url() -> str:
        return "computed"

    get_url()
    with pytest.raises(
        gilonce.AlreadySetError, match=r"^the cell of .*get_url\(\) already holds a 'str' object"
    ) as caught:
        get_url.cell.set("x")
    assert caught.value.value == "x"
    # A copy belongs to no function.
    for copied in copy.copy(get_url.cell), copy.deepcopy(get_url.cell):
        with pytest.raises(gilonce.AlreadySetError, match=r"^this cell already holds"):
            copied.set("x")


def test_a_shared_cell_keeps_the_name_of_its_first_function(gilonce: ModuleType) -> None:
    """One cell may be given to several functions."""
    lock = gilonce.OnceLock()

    def first() -> str:
        return "value"

    functions = [gilonce.once(function, cell=lambda: lock) for function in (first, list)]
    assert [function() for function in functions] == ["value", "value"]
    with pytest.raises(gilonce.AlreadySetError, match=r"^the cell of .*first\(\) already"):
        functions[1].cell.set("x")


def test_who_waits_for_a_function_is_told_which(gilonce: ModuleType) -> None:
    """A `TimeoutError` names the function whose cell is awaited, also where another initializer fills it."""
    told: list[Exception] = []

    @gilonce.once(cell=functools.partial(gilonce.OnceLock, timeout=0))
    def get_url() -> str:
        return "computed"

    def initializer() -> str:
        told.extend(run_threads(get_url))
        return "given"

    assert get_url.cell.get_or_init(initializer) == "given"
    assert [type(error) for error in told] == [TimeoutError]
    assert re.search(r"to initialize the cell of .*get_url\(\)", str(told[0]))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_cell_of_a_function_is_copied_and_pickled_as_a_plain_cell(gilonce: ModuleType, protocol: int) -> None:
    """With its value and its discard, also where the value leads back to the cell."""
    cell = gilonce.once(list, discard=print).cell
    assert repr(cell) == "<GILOnceCell: empty>"
    assert not pickle.loads(pickle.dumps(cell, protocol)).is_set()
    cell.set([cell])
    assert repr(cell) == "<GILOnceCell: [<GILOnceCell: ...>]>"
    for copied in pickle.loads(pickle.dumps(cell, protocol)), copy.deepcopy(cell):
        assert type(copied) is gilonce.GILOnceCell
        assert copied.get()[0] is copied is not cell
        assert copied._discard is print
    assert copy.copy(cell).get() is cell.get()
    assert type(copy.copy(cell)) is gilonce.GILOnceCell
    assert copy.copy(cell)._discard is print


def test_the_cell_of_a_function_discards_as_the_function_does(gilonce: ModuleType) -> None:
    """A loser that was set through `f.cell` is discarded as well."""
    discarded: list[object] = []
    connect = gilonce.once(discard=discarded.append)(lambda: "connected")
    assert connect.cell.get_or_init(lambda: connect() and "too late") == "connected"
    assert discarded == ["too late"]


@pytest.mark.parametrize("kind", ["instance", "class"])
def test_the_cell_of_a_bound_method_is_a_view_of_its_owner(gilonce: ModuleType, kind: str) -> None:
    """Every operation of a cell works on the one behind a bound method, and on it alone."""

    class Service:
        @gilonce.once
        def of_instance(self) -> object:
            return object()

        @gilonce.once
        @classmethod
        def of_class(cls) -> object:
            return object()

    class Other(Service):
        pass

    method, elsewhere = (
        (Service().of_instance, Service().of_instance) if kind == "instance" else (Service.of_class, Other.of_class)
    )
    assert repr(method.cell) == "<GILOnceCell: empty>"
    assert not method.cell.is_set()
    assert method.cell.take("nothing") == "nothing"
    method.cell.set(None)
    assert method() is None
    assert method.cell.get("default") is None
    for value in (None, "other"):
        with pytest.raises(gilonce.AlreadySetError) as caught:
            method.cell.set(value)
        assert caught.value.value is value
    assert not elsewhere.cell.is_set()
    for make in (copy.copy, copy.deepcopy):
        standalone = make(method.cell)
        assert type(standalone) is gilonce.GILOnceCell
    assert method.cell.take("nothing") is None
    assert not method.cell.is_set()
    assert standalone.is_set()
    assert method() is method() is method.cell.get() is method.cell.get_or_init(list)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="from 3.13 on classmethod does not bind what it wraps")
def test_the_cell_of_a_class_method_below_is_a_view_of_the_class(gilonce: ModuleType) -> None:
    """`Cls.m.cell` works with @once below @classmethod where classmethod binds by `__get__`."""

    class Service:
        @classmethod
        @gilonce.once
        def m(cls) -> object:
            return object()

    assert Service.m() is Service.m.cell.get()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_cell_of_a_bound_method_is_pickled_as_a_cell_of_its_own(gilonce: ModuleType, protocol: int) -> None:
    """A pickle of a view, as a copy of it, has the value or none, and nothing to do with the owner."""

    class Service:
        @gilonce.once
        def m(self) -> list[str]:
            return ["computed"]

    method = Service().m
    assert not pickle.loads(pickle.dumps(method.cell, protocol)).is_set()
    method()
    pickled = pickle.loads(pickle.dumps(method.cell, protocol))
    assert type(pickled) is gilonce.GILOnceCell
    assert pickled.take() == ["computed"]
    assert method.cell.is_set()


def test_an_unbound_method_says_where_its_cells_are(gilonce: ModuleType) -> None:
    """Without an instance there is no cell, and the error says what to write."""

    class Service:
        @gilonce.once
        def m(self) -> object:
            return object()

    with pytest.raises(AttributeError, match=r"Service\.m\(\) has one cell per instance.*obj\.m\.cell"):
        Service.m.cell
    assert not hasattr(Service.m, "cell")
