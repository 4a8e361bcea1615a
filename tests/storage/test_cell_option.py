"""`cell=`: what it refuses, what has one cell, and the protocol that a user's own cell follows."""

from __future__ import annotations

import copy
import functools
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from support import WATCHDOG, race, run_threads
from support.cells import CELLS, Make, OwnCell
from support.surfaces import SURFACES, With

# What is refused.


@pytest.mark.parametrize("surface", ["once", "once_property", "lazy_global"])
def test_what_makes_no_cell_is_refused(gilonce: ModuleType, surface: str) -> None:
    """The error names the surface, what was given, and what to do."""

    def use(**options: Any) -> Any:
        return (
            gilonce.lazy_global(list, **options) if surface == "lazy_global" else getattr(gilonce, surface)(**options)
        )

    with pytest.raises(TypeError, match=rf"{surface}\(cell=...\) takes a callable that makes a cell, not 3"):
        use(cell=3)
    with pytest.raises(TypeError, match=r"not <OnceLock: empty>: write cell=OnceLock$"):
        use(cell=gilonce.OnceLock())
    with pytest.raises(TypeError, match=r"makes a 'list' object, which has no get, is_set, .*, set, take, final"):
        use(cell=list)
    with pytest.raises(
        TypeError, match=r"the cell discards .*\. Give discard to the cell: cell=functools.partial\(GILOnce"
    ):
        use(cell=gilonce.OnceLock, discard=print)
    with pytest.raises(ZeroDivisionError):
        use(cell=lambda: 1 / 0)


def close(value: object) -> None: ...


@pytest.mark.parametrize("surface", ["once", "once_property", "lazy_global"])
def test_a_cell_in_place_of_its_maker_is_answered_with_code_that_makes_such_cells(
    gilonce: ModuleType, surface: str
) -> None:
    """No setting of the cell is lost: what the advice says makes cells that are like the one that was given."""

    class Mine(gilonce.GILOnceCell):  # type: ignore[misc,name-defined]
        pass

    def local(value: object) -> None: ...

    cells = {
        gilonce.OnceLock(timeout=3): "functools.partial(OnceLock, timeout=3)",
        gilonce.OnceLock(timeout=0.25): "functools.partial(OnceLock, timeout=0.25)",
        gilonce.OnceLock(): "OnceLock",
        gilonce.GILOnceCell(): "GILOnceCell",
        gilonce.GILOnceCell(discard=close): "functools.partial(GILOnceCell, discard=close)",
        gilonce.GILOnceCell(discard=local): "functools.partial(GILOnceCell, discard=...)",
        gilonce.ThreadOnceCell(discard=close): "functools.partial(ThreadOnceCell, discard=close)",
        gilonce.ProcessOnceCell(discard=close): "functools.partial(ProcessOnceCell, discard=close)",
        Mine(): "Mine",
    }
    for cell, advice in cells.items():
        with pytest.raises(TypeError) as caught:
            getattr(gilonce, surface)(*[list] * (surface == "lazy_global"), cell=cell)
        assert str(caught.value).endswith(f": write cell={advice}")
    for cell, advice in cells.items():
        if "..." not in advice and advice != "Mine":
            names = {
                **{name: getattr(gilonce, name) for name in gilonce.__all__},
                "functools": functools,
                "close": close,
            }
            made = eval(advice, names)()
            assert type(made) is type(cell)
            assert getattr(made, "timeout", None) == getattr(cell, "timeout", None)


# The rules: per what.


def test_a_function_has_one_cell_of_the_kind_that_was_chosen(gilonce: ModuleType, make: Make) -> None:
    """`f.cell` is it."""
    runs: list[object] = []

    @gilonce.once(cell=make)
    def function() -> object:
        runs.append(object())
        return runs[-1]

    assert type(function.cell) is type(make())
    assert [function(), function()] == [function.cell.get()] * 2 == runs * 2
    assert function.cell.take() is runs[0]
    function.cell.set("given")
    assert function() == "given"


def test_methods_keep_the_rules_per_instance_class_and_process(gilonce: ModuleType, make: Make) -> None:
    """One value per instance, per class (a subclass has its own), and one for a static method."""

    class Base:
        @gilonce.once(cell=make)
        def method(self) -> list[Any]:
            return [self]

        @gilonce.once(cell=make)
        @classmethod
        def of_class(cls) -> list[Any]:
            return [cls]

        @classmethod
        @gilonce.once(cell=make)
        def below(cls) -> list[Any]:
            return [cls]

        @gilonce.once(cell=make)
        @staticmethod
        def static() -> list[Any]:
            return []

    class Derived(Base):
        pass

    one, two = Base(), Derived()
    for first, second in [(one.method, two.method), (Base.of_class, Derived.of_class), (Base.below, Derived.below)]:
        assert first() is first()
        assert first() == [first.__self__]
        assert second() == [second.__self__]
    assert one.of_class() is Base.of_class()
    assert Base.method(one) is one.method()
    assert one.static() is Derived.static()


def test_the_cell_of_a_bound_method_reads_sets_and_takes(gilonce: ModuleType, make: Make) -> None:
    """It is the cell of that instance, or of that class, and behaves as the kind that was chosen."""

    class Owner:
        @gilonce.once(cell=make)
        def method(self) -> str:
            return "computed"

        @gilonce.once(cell=make)
        @classmethod
        def of_class(cls) -> str:
            return "computed"

    for bound in (Owner().method, Owner.of_class):
        cell = bound.cell
        assert (cell.get("nothing"), cell.is_set()) == ("nothing", False)
        cell.set("given")
        with pytest.raises((gilonce.AlreadySetError, LookupError)):
            cell.set("again")
        assert bound() == bound.cell.get() == "given"
        assert (cell.take(), cell.take("empty")) == ("given", "empty")
        assert bound() == "computed"
        assert bound.cell.get_or_init(lambda: "another") == "computed"


def test_what_a_bound_cell_looks_like_and_is_copied_to_is_the_cell_that_was_chosen(gilonce: ModuleType) -> None:
    """Also where the value is in the instance's `__dict__`, and the cell only decides who fills it."""

    class Named(OwnCell):
        def __repr__(self) -> str:
            return f"<Named: {self.get('empty')}>"

    class Owner:
        @gilonce.once(cell=Named)
        def method(self) -> str:
            return "value"

    owner = Owner()
    cell = owner.method.cell
    assert repr(cell) == "<Named: empty>"
    owner.method()
    assert repr(cell) == "<Named: value>"
    copied = copy.copy(cell)
    assert type(copied) is Named
    assert copied.take() == "value"
    assert cell.get() == "value"


def test_methods_keep_a_value_per_thread(gilonce: ModuleType) -> None:
    """Of an instance and of a class: what is not final is in no place that all threads read."""

    class Owner:
        @gilonce.once(cell=gilonce.ThreadOnceCell)
        def method(self) -> int:
            return threading.get_ident()

        @gilonce.once(cell=gilonce.ThreadOnceCell)
        @classmethod
        def of_class(cls) -> int:
            return threading.get_ident()

    owner = Owner()
    for touch in (owner.method, Owner.of_class):
        assert touch() == threading.get_ident()
        assert run_threads(lambda touch=touch: touch() == threading.get_ident()) == [True]
        assert touch() == threading.get_ident()


def test_a_cell_with_its_own_way_to_give_a_value_is_asked_each_time(gilonce: ModuleType) -> None:
    """Also one that derives from ours, and has its value where ours have it."""
    asked: list[None] = []

    class Counting(gilonce.GILOnceCell):  # type: ignore[name-defined, misc]
        def get_or_init(self, initializer: Callable[[], Any], /) -> Any:
            asked.append(None)
            return super().get_or_init(initializer)

    function = gilonce.once(list, cell=Counting)
    assert function() is function()
    assert len(asked) == 2


def test_an_override_may_call_super(gilonce: ModuleType, make: Make) -> None:
    """The base's value is computed once, apart from the override's."""
    runs: list[str] = []

    class Base:
        @gilonce.once(cell=make)
        def method(self) -> str:
            runs.append("base")
            return "base"

    class Derived(Base):
        @gilonce.once(cell=make)
        def method(self) -> str:
            runs.append("derived")
            return f"derived from {super().method()}"

    owner = Derived()
    assert [owner.method(), owner.method()] == ["derived from base"] * 2
    assert runs == ["derived", "base"]
    assert Base.method(owner) == "base"
    assert len(runs) == 2


def test_an_async_function_gives_one_value(gilonce: ModuleType, make: Make) -> None:
    """Every call gives a coroutine, and every coroutine the value, per instance too."""
    from support import drive

    class Owner:
        @gilonce.once(cell=make)
        async def method(self) -> object:
            return object()

    @gilonce.once(cell=make)
    async def function() -> object:
        return object()

    owner = Owner()
    for ask in (function, owner.method):
        assert drive(ask()) is drive(ask())
        assert ask.cell.get() is drive(ask())
    assert drive(Owner().method()) is not drive(owner.method())


@pytest.mark.parametrize("name", [name for name in SURFACES if "async" not in name])
def test_no_surface_hands_out_two_objects(gilonce: ModuleType, make_final: Make, name: str) -> None:
    """Law 1, whoever keeps the value."""
    if make_final is OwnCell and name.endswith("_in_slot"):
        pytest.skip("its owner has no place for the cell: a test of its own says what comes of that")
    got = race(SURFACES[name](With(gilonce, make_final), object, None))
    assert len(set(map(id, got))) == 1


# The protocol.


def test_what_has_the_names_is_a_cell(gilonce: ModuleType) -> None:
    """Users' cells derive from nothing."""
    assert isinstance(OwnCell(), gilonce.Cell)
    for kind in CELLS:
        assert isinstance(CELLS[kind](gilonce)(), gilonce.Cell)
    assert not isinstance(threading.Lock(), gilonce.Cell)


def test_a_discard_is_given_to_the_cell(gilonce: ModuleType) -> None:
    """`cell=partial(GILOnceCell, discard=...)` does what `discard=` does."""
    discarded: list[Any] = []
    make = functools.partial(gilonce.GILOnceCell, discard=discarded.append)
    inside = threading.Barrier(4)

    def compute(*_: object) -> object:
        inside.wait(30)
        return object()

    class Owner:
        attribute = gilonce.once_property(compute, cell=make)
        method = gilonce.once(lambda self: compute(), cell=make)

    owner = Owner()
    for touch in (gilonce.once(compute, cell=make), owner.method, lambda: owner.attribute):
        discarded.clear()
        got = race(touch, 4)
        assert len(set(map(id, got))) == 1
        assert len(discarded) == 3
        assert got[0] not in discarded


@pytest.mark.parametrize("name", ["once_method", "property_in_dict", "async_property"])
def test_what_loses_in_a_cell_derived_from_ours_is_discarded(gilonce: ModuleType, name: str) -> None:
    """In a method or an attribute too, where the race is for a place beside the cell."""

    class Derived(gilonce.GILOnceCell):
        pass

    discarded: list[Any] = []
    make = functools.partial(Derived, discard=discarded.append)
    made: list[Any] = []
    both_run = threading.Barrier(2)

    def initializer() -> object:
        value = object()
        made.append(value)
        both_run.wait(WATCHDOG)
        return value

    touch = SURFACES[name](With(gilonce, make), initializer, None)
    values = run_threads(touch, touch)
    assert values[0] is values[1]
    assert [value for value in made if value is not values[0]] == discarded
    assert len(discarded) == 1


def test_what_a_view_of_a_derived_cell_refuses_to_set_is_not_discarded(gilonce: ModuleType) -> None:
    """The caller has it back; what an initializer made, and lost, is."""

    class Derived(gilonce.GILOnceCell):
        pass

    class Owner:
        @gilonce.once(cell=functools.partial(Derived, discard=lambda value: discarded.append(value)))
        def method(self) -> str:
            owner.method.cell.set("another's")
            return "mine"

    discarded: list[Any] = []
    owner = Owner()
    assert owner.method() == "another's"
    assert discarded == ["mine"]
    assert owner.method.cell.take() == "another's"

    def publish(value: str) -> None:
        both.wait(WATCHDOG)
        owner.method.cell.set(value)

    for _ in range(20):
        both = threading.Barrier(2)
        refused = [it for it in run_threads(lambda: publish("a"), lambda: publish("b")) if it is not None]
        assert [type(error) for error in refused] == [gilonce.AlreadySetError]
        assert {refused[0].value, owner.method.cell.take()} == {"a", "b"}
    assert discarded == ["mine"]


def test_a_cell_that_counts_as_false_is_made_once(gilonce: ModuleType) -> None:
    """A cell may have a length, or a truth of its own."""

    class Falsy(gilonce.GILOnceCell):
        made = 0

        def __init__(self) -> None:
            super().__init__()
            Falsy.made += 1

        def __len__(self) -> int:
            return 0

    class Owner:
        @classmethod
        @gilonce.once(cell=Falsy)
        def of_class(cls) -> object:
            return object()

        @gilonce.once(cell=Falsy)
        def of_instance(self) -> object:
            return object()

    it = Owner()
    values = Owner.of_class(), it.of_instance()
    made = Falsy.made
    assert (Owner.of_class(), it.of_instance()) == values
    assert Falsy.made == made
