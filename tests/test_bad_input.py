"""Bad input: every public name is fed with objects of every odd kind, in every position.

What comes out is a value, an exception that is documented, or what the odd object itself has
raised. It is the same on both implementations, and a cell that was fed is what it was before. A
crash of the interpreter would be the end of the run.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import pickle
import sys
from collections.abc import Callable
from typing import Any

import odd
import pytest
from hypothesis import given
from odd import DESCRIPTIONS, Description, Odd
from searching import packages, searching, take_time
from support import drive

#: Everywhere: a wrong kind of thing, and a recursion that the odd object itself has begun. The
#: others are Python's own, which some odd callables are made to raise.
DOCUMENTED = (TypeError, RecursionError, StopIteration, GeneratorExit, MemoryError)


class Watched:
    """Cells that must be what they were when something has failed."""

    def __init__(self) -> None:
        self.before: list[tuple[Any, Any]] = []

    def watch(self, cell: Any) -> Any:
        self.before.append((cell, cell.get(self)))
        return cell

    def check(self) -> None:
        for cell, value in self.before:
            assert cell.get(self) is value
            if value is self:
                assert cell.get_or_init(lambda: "usable") == "usable"


#: A way to use gilonce with an odd object: given the package, the object and who watches cells,
#: it does so, and returns what came out.
Use = Callable[[Any, Any, Watched], Any]
USES: dict[str, tuple[Use, tuple[type[BaseException], ...]]] = {}


def use(*documented: type[BaseException]) -> Callable[[Use], Use]:
    """Enter a way to use gilonce, and what it may raise beyond `DOCUMENTED`."""

    def enter(function: Use) -> Use:
        USES[function.__name__.replace("_", " ")] = function, documented
        return function

    return enter


def cells(gilonce: Any, watched: Watched) -> tuple[Any, Any]:
    """Return an empty cell and a full one, which are then watched."""
    full = gilonce.GILOnceCell()
    full.set(None)
    return watched.watch(gilonce.GILOnceCell()), watched.watch(full)


def touch(made: Any) -> Any:
    """Call it if it is a once function."""
    return drive(made()) if inspect.iscoroutinefunction(made) else made()


# The cell.


@use()
def discard_of_a_cell(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return type(gilonce.GILOnceCell(discard=thing))


@use()
def discard_that_is_called(gilonce: Any, thing: Any, watched: Watched) -> Any:
    cell = gilonce.GILOnceCell(discard=thing)
    return cell.get_or_init(lambda: cell.set("early") or "late")


@use()
def default_of_get(gilonce: Any, thing: Any, watched: Watched) -> Any:
    empty, full = cells(gilonce, watched)
    assert empty.get(thing) is empty.get(default=thing) is empty.take(thing) is thing
    return full.get(thing)


@use()
def initializer(gilonce: Any, thing: Any, watched: Watched) -> Any:
    empty, full = cells(gilonce, watched)
    with contextlib.suppress(TypeError):
        assert full.get_or_init(thing) is None
    return empty.get_or_init(thing)


@use(AttributeError, RuntimeError)
def asynchronous_initializer(gilonce: Any, thing: Any, watched: Watched) -> Any:
    # RuntimeError and AttributeError are Python's own, about what was awaited.
    empty, _ = cells(gilonce, watched)
    return drive(empty.aget_or_init(thing))


@use()
def value(gilonce: Any, thing: Any, watched: Watched) -> Any:
    cell = gilonce.GILOnceCell()
    assert cell.set(thing) is None
    with pytest.raises(gilonce.AlreadySetError) as caught:
        cell.set(thing)
    assert caught.value.value is thing
    assert cell.is_set()
    assert cell.get() is cell.get_or_init(list) is drive(cell.aget_or_init(list)) is thing
    assert copy.copy(cell).get() is thing
    return cell.take() is thing


@use()
def repr_of_a_value(gilonce: Any, thing: Any, watched: Watched) -> Any:
    cell = gilonce.GILOnceCell()
    cell.set(thing)
    watched.watch(cell)
    return type(repr(cell))


@use(ImportError, ValueError, AttributeError, RuntimeError)
def module_to_import(gilonce: Any, thing: Any, watched: Watched) -> Any:
    # As the import statement: ValueError for an empty or impossible name.
    return cells(gilonce, watched)[0].import_attr(thing, "name")


@use(ImportError, AttributeError)
def attribute_to_import(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return cells(gilonce, watched)[0].import_attr("operator", thing)


@use()
def too_many_arguments(gilonce: Any, thing: Any, watched: Watched) -> Any:
    empty, full = cells(gilonce, watched)
    for method in ("get_or_init", "aget_or_init", "set", "get", "take", "is_set", "import_attr"):
        for cell in (empty, full):
            with pytest.raises(TypeError):
                getattr(cell, method)(thing, thing, thing)
            with pytest.raises(TypeError):
                getattr(cell, method)(**{"no such name": thing})
    for name in ("GILOnceCell", "once", "once_property", "lazy_global"):
        with pytest.raises(TypeError):
            getattr(gilonce, name)(thing, thing)
    return None


@use()
def state_of_a_cell(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return copy.deepcopy(cells(gilonce, watched)[0], thing if isinstance(thing, dict) else None)


@use()
def type_parameter(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return type(gilonce.GILOnceCell[thing]), type(gilonce.once_property[thing])


@use()
def the_error(gilonce: Any, thing: Any, watched: Watched) -> Any:
    error = gilonce.AlreadySetError(thing, thing)
    assert error.value is thing
    return type(str(error))


# once.


@use()
def once(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return type(gilonce.once(thing)).__name__


@use()
def once_with_a_discard(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return type(gilonce.once(list, discard=thing)).__name__


@use(AttributeError, RuntimeError)
def call_of_a_once_function(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return touch(gilonce.once(thing))


@use()
def once_function_in_use(gilonce: Any, thing: Any, watched: Watched) -> Any:
    made = gilonce.once(thing)
    hash(made)
    return type(repr(made)), type(made == made)


@use(AttributeError)
def cell_of_a_once_function(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return type(watched.watch(gilonce.once(thing).cell)).__name__


@use(AttributeError, pickle.PicklingError, ImportError)
def pickle_of_a_once_function(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return type(pickle.dumps(gilonce.once(thing)))


@use(AttributeError)
def attributes_of_a_once_function(gilonce: Any, thing: Any, watched: Watched) -> Any:
    made = gilonce.once(thing)
    return [type(getattr(made, name, None)).__name__ for name in ("__name__", "__doc__", "__module__", "__class__")]


@use()
def argument_of_a_once_function(gilonce: Any, thing: Any, watched: Watched) -> Any:
    made = gilonce.once(lambda: "a value")
    watched.watch(made.cell)
    with pytest.raises(TypeError, match="functools"):
        made(thing)
    with pytest.raises(TypeError, match="functools"):
        made(argument=thing)
    return made.cell.is_set()


class WithMethods:
    """What is decorated for odd owners."""

    def __init__(self, gilonce: Any) -> None:
        self.method = gilonce.once(lambda _owner: "a value")
        self.of_class = gilonce.once(classmethod(lambda _cls: "a value"))
        self.property = gilonce.once_property(lambda _owner: "a value")
        self.slotted = gilonce.once_property(lambda _owner: "a value", slot="_x")
        self.class_property = gilonce.once_property(classmethod(lambda _cls: "a value"))
        for name in ("property", "slotted", "class_property"):
            getattr(self, name).__set_name__(object, name)


@use()
def owner_of_a_method(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return WithMethods(gilonce).method(thing)


@use(AttributeError)
def owner_of_a_bound_method(gilonce: Any, thing: Any, watched: Watched) -> Any:
    bound = WithMethods(gilonce).method.__get__(thing if thing is not None else 0)
    hash(bound)
    assert bound == bound
    bound.cell.is_set()
    return bound(), bound.cell.get(), bound.cell.take()


@use()
def owner_of_a_class_method(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return WithMethods(gilonce).of_class.__get__(None, thing)()


@use(AttributeError)
def owner_of_a_property(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return type(WithMethods(gilonce).property.__get__(thing, type(thing))).__name__


@use(AttributeError)
def owner_of_a_slot(gilonce: Any, thing: Any, watched: Watched) -> Any:
    slotted = WithMethods(gilonce).slotted
    return type(slotted.__get__(thing, type(thing))).__name__


@use(AttributeError)
def assignment_to_a_slot_of(gilonce: Any, thing: Any, watched: Watched) -> Any:
    slotted = WithMethods(gilonce).slotted
    slotted.__set__(thing, "assigned")
    slotted.__delete__(thing)


@use()
def owner_of_a_class_property(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return WithMethods(gilonce).class_property.__get__(None, thing)


# once_property.


@use()
def once_property(gilonce: Any, thing: Any, watched: Watched) -> Any:
    made = gilonce.once_property(thing)
    return type(made).__name__, type(repr(made))


@use()
def once_property_with_a_discard(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return type(gilonce.once_property(list, discard=thing)).__name__


def owner_with(made: Any, *slots: str) -> Any:
    """Return an instance of a new class that has `made` as its attribute `thing`."""
    try:
        return type("Owner", (), {"thing": made, **({"__slots__": slots} if slots else {})})()
    except RuntimeError as error:
        # Before Python 3.12, this is what comes of an exception from `__set_name__`.
        raise (error.__cause__ or error) from None


@use(RuntimeError, AttributeError)
def access_of_a_property(gilonce: Any, thing: Any, watched: Watched) -> Any:
    owner = owner_with(gilonce.once_property(thing))
    got = owner.thing
    return drive(got) if type(got).__name__ == "Awaiting" else got


@use()
def name_of_a_slot(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return owner_with(gilonce.once_property(lambda _: "a value", slot=thing), "_x").thing


@use()
def name_of_a_property(gilonce: Any, thing: Any, watched: Watched) -> Any:
    made = gilonce.once_property(lambda _: "a value")
    made.__set_name__(WithMethods, thing)
    owner = type("Owner", (), {})()
    return made.__get__(owner, type(owner))


@use()
def value_of_a_property(gilonce: Any, thing: Any, watched: Watched) -> Any:
    for made, slots in (
        (gilonce.once_property(lambda _: thing), ()),
        (gilonce.once_property(lambda _: thing, slot="_x"), ("_x",)),
    ):
        owner = owner_with(made, *slots)
        assert owner.thing is owner.thing is thing
        owner.thing = None
        assert owner.thing is None
    return None


# lazy_global.


@use()
def factory(gilonce: Any, thing: Any, watched: Watched) -> Any:
    made = gilonce.lazy_global(thing)
    return type(made).__name__, type(repr(made))


@use(RuntimeError)
def touch_of_a_lazy_global(gilonce: Any, thing: Any, watched: Watched) -> Any:
    made = gilonce.lazy_global(thing)
    watched.watch(made._self_cell)
    return made.__wrapped__


@use()
def interface(gilonce: Any, thing: Any, watched: Watched) -> Any:
    made = gilonce.lazy_global(list, interface=thing)
    return made == []


@use(DeprecationWarning)  # of NotImplemented as a condition
def whether_to_reify(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return gilonce.lazy_global(list, reify=thing) == []


@use()
def lazy_global_with_a_discard(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return gilonce.lazy_global(list, discard=thing) == []


@use()
def real_object(gilonce: Any, thing: Any, watched: Watched) -> Any:
    made = gilonce.lazy_global(lambda: thing)
    assert made.__wrapped__ is thing
    return type(repr(made))


def outcome(gilonce: Any, name: str, thing: Any) -> object:
    """Return how a use ends, without what tells one run from another."""
    function, documented = USES[name]
    watched = Watched()
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        result = function(gilonce, thing, watched)
    except BaseException as error:
        if not isinstance(error, (Odd, *DOCUMENTED, *documented)):
            raise
        watched.check()
        return "raises", type(error).__name__
    finally:
        sys.unraisablehook = hook
    return "returns", plain(result)


def plain(result: Any) -> object:
    # No comparison but by `is`, for a metaclass may have its own idea of it.
    kind = type(result)
    if kind is tuple or kind is list:
        return [plain(each) for each in result]
    if any(kind is simple for simple in (str, bool, int, type(None))):
        return result
    return type.__dict__["__name__"].__get__(kind)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # Python 3.13's, of a partial in a class
@pytest.mark.parametrize("name", USES)
def test_odd_objects_are_taken_or_refused(name: str) -> None:
    """Documented exceptions or the object's own, the same ones everywhere, and no cell that was changed."""
    take_time()

    @searching(80)
    @given(DESCRIPTIONS)
    def feed(description: Description) -> None:
        outcomes = []
        for package in packages().values():
            try:
                thing = odd.build(description)
            except LookupError:
                return
            outcomes.append(outcome(package, name, thing))
        assert outcomes[1:] == outcomes[:-1]

    feed()
