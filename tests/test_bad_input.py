"""Bad input: every public name is fed with objects of every odd kind, in every position.

What comes out is a value, an exception that is documented, or what the odd object itself has
raised. It is the same on both implementations, and a cell that was fed is what it was before. A
crash of the interpreter would be the end of the run.
"""

from __future__ import annotations

import copy
import functools
import gc
import importlib.util
import os
import pickle
import re
import sys
import threading
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import odd
import pytest
from hypothesis import given
from odd import DESCRIPTIONS, ODD, Description, Odd
from searching import packages, searching, take_time
from support import IMPLEMENTATIONS, activate, drive

#: Everywhere: a wrong kind of thing, and a recursion that the odd object itself has begun. The
#: others are Python's own, which some odd callables are made to raise.
DOCUMENTED = (TypeError, RecursionError, StopIteration, GeneratorExit, MemoryError)


class Says(NamedTuple):
    """An exception of which more is documented than its type: its message, as a pattern."""

    kind: type[BaseException]
    pattern: str


Documented = type[BaseException] | Says

#: Python's own, of a coroutine.
STOPPED = Says(RuntimeError, "^coroutine raised StopIteration$")
#: Of what cannot be reduced: wrapt's, of its proxies, and PyPy's, of what has an odd `__dict__` or is a mock.
IRREDUCIBLE = (
    Says(NotImplementedError, "^object proxy must define "),
    Says(AttributeError, r"^'\w+' object has no attribute '(copy|__dict__)'$"),
)
#: Python's own, of NotImplemented as a condition.
CONDITION = Says(DeprecationWarning, "^NotImplemented should not be used in a boolean context")
#: Python's own, of what `pickle` does not find by its name, or of what has none.
PICKLING = pickle.PicklingError, Says(AttributeError, "__(qual)?name__|^Can't (get|pickle) local object")


def is_documented(error: BaseException, documented: tuple[Documented, ...]) -> bool:
    return any(
        isinstance(error, it.kind) and re.search(it.pattern, str(error))
        if isinstance(it, Says)
        else isinstance(error, it)
        for it in documented
    )


class Watched:
    """Cells that must be what they were, unless a use says what it has put there."""

    def __init__(self) -> None:
        self.expected: list[tuple[Any, Any]] = []

    def watch(self, cell: Any) -> Any:
        self.expected.append((cell, cell.get(self)))
        return cell

    def is_put(self, cell: Any, value: Any) -> Any:
        """Take note that `cell`, which is watched, now has that value."""
        self.expected = [(it, value if it is cell else before) for it, before in self.expected]
        return value

    def check(self) -> None:
        for cell, value in self.expected:
            assert cell.get(self) is value
            if value is self:
                assert cell.get_or_init(lambda: "usable") == "usable"


#: A way to use gilonce with an odd object: given the package, the object and who watches cells,
#: it does so, and returns what came out.
Use = Callable[[Any, Any, Watched], Any]
USES: dict[str, tuple[Use, tuple[Documented, ...]]] = {}


def use(*documented: Documented) -> Callable[[Use], Use]:
    """Enter a way to use gilonce, and what it may raise beyond `DOCUMENTED`."""

    def enter(function: Use) -> Use:
        USES[function.__name__.strip("_").replace("_", " ")] = function, documented
        return function

    return enter


CELLS = ["GILOnceCell", "OnceLock", "ThreadOnceCell", "ProcessOnceCell"]


def use_of(kinds: Any, *documented: Documented) -> Callable[[Any], Any]:
    """Enter a way to use gilonce with each of several kinds, such as cells: their name is its last argument."""

    def enter(function: Any) -> Any:
        for kind in kinds:
            name = f"{function.__name__.strip('_').replace('_', ' ')} {kind}"
            USES[name] = functools.partial(function, kind=kind), documented
        return function

    return enter


def cells(gilonce: Any, watched: Watched, kind: str = "GILOnceCell") -> tuple[Any, Any]:
    """Return an empty cell and a full one, which are then watched."""
    make = getattr(gilonce, kind)
    full = make()
    full.set(None)
    return watched.watch(make()), watched.watch(full)


def result_of(made: Any) -> Any:
    """Return what came of a call: a coroutine is driven to its end."""
    return drive(made) if type(made) is types.CoroutineType or name_of_type(type(made)) == "Awaiting" else made


#: Asks no metaclass.
name_of_type: Callable[[type], str] = type.__dict__["__name__"].__get__


#: Whose code is no initializer's.
OURS = tuple(
    os.path.dirname(importlib.util.find_spec(name).origin) + os.sep
    for name in ("support", "gilonce", "wrapt", "hypothesis")  # the last has a hook in PyPy's collector
)


def expect_no_run(thing: Any, ask: Callable[[], Any]) -> None:
    """Ask a cell that has the value None: one that can be called is not called, and whatever it is, None is returned.

    Counted is all code that runs meanwhile and is not gilonce's or its proxy's, whatever the odd object is.
    """
    runs: list[object] = []

    def count(frame: types.FrameType, event: str, argument: object) -> None:
        file = frame.f_code.co_filename
        if event == "call" and (file == odd.__file__ or not file.startswith(OURS)):
            runs.append(frame.f_code)
        elif event == "c_call" and argument is thing:
            runs.append(argument)

    # No finalizers meanwhile.
    gc.disable()
    sys.setprofile(count)
    try:
        got = ask()
    finally:
        sys.setprofile(None)
        gc.enable()
    assert got is None
    assert not runs, f"on a full cell there ran {runs}"


# The cells.


@use_of([kind for kind in CELLS if kind != "OnceLock"])
def discard_of_a(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    return type(getattr(gilonce, kind)(discard=thing))


@use_of([kind for kind in CELLS if kind != "OnceLock"])
def discard_that_is_called_by_a(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    cell = watched.watch(getattr(gilonce, kind)(discard=thing))
    watched.is_put(cell, "early")
    for loses in (lambda: "late", lambda: "later"):
        cell.take()
        assert cell.get_or_init(lambda loses=loses: cell.set("early") or loses()) == "early"
    return None


@use(ValueError)
def timeout_of_a_lock(gilonce: Any, thing: Any, watched: Watched) -> Any:
    lock = watched.watch(gilonce.OnceLock(timeout=thing))
    assert lock.timeout is None or lock.timeout >= 0
    # Where it would be read if that were to wait, and where it is not.
    with pytest.raises(gilonce.DeadlockError):
        lock.get_or_init(lambda: lock.get_or_init(list))
    watched.is_put(lock, lock.get_or_init(lambda: "a value"))
    return type(lock.timeout), type(copy.copy(lock).timeout)


@use(ValueError)
def timeout_that_is_over(gilonce: Any, thing: Any, watched: Watched) -> Any:
    lock = watched.watch(gilonce.OnceLock(timeout=thing))
    # Only what ends this at once.
    if thing is None or thing > 0:
        return None
    entered, done = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: lock.get_or_init(lambda: [entered.set(), done.wait()]))
    thread.start()
    entered.wait()
    try:
        with pytest.raises(TimeoutError):
            lock.get_or_init(list)
    finally:
        done.set()
        thread.join()
        watched.is_put(lock, lock.get())
    return None


@use_of(CELLS)
def default_of(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    empty, full = cells(gilonce, watched, kind)
    for ask in (empty.get, empty.take):
        assert ask(thing) is ask(default=thing) is thing
        assert not empty.is_set()
    return full.get(thing)


@use_of(CELLS)
def initializer_of(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    empty, full = cells(gilonce, watched, kind)
    if callable(thing):
        expect_no_run(thing, lambda: full.get_or_init(thing))
    else:
        with pytest.raises((TypeError, *odd.ERRORS)):
            full.get_or_init(thing)
    return result_of(watched.is_put(empty, empty.get_or_init(thing)))


@use_of(CELLS, STOPPED)
def asynchronous_initializer_of(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    empty, full = cells(gilonce, watched, kind)
    if callable(thing):
        expect_no_run(thing, lambda: drive(full.aget_or_init(thing)))
    else:
        with pytest.raises((TypeError, *odd.ERRORS)):
            drive(full.aget_or_init(thing))
    return watched.is_put(empty, drive(empty.aget_or_init(thing)))


@use_of(CELLS)
def value_of(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    cell = getattr(gilonce, kind)()
    for fill in (cell.set, lambda value: cell.get_or_init(lambda: value)):
        fill(thing)
        with pytest.raises(gilonce.AlreadySetError) as caught:
            cell.set(thing)
        assert caught.value.value is thing
        assert cell.is_set()
        assert cell.get() is cell.get_or_init(list) is drive(cell.aget_or_init(list)) is thing
        assert copy.copy(cell).get() is thing
        assert cell.take() is thing
        assert not cell.is_set()
    return None


@use_of(CELLS)
def repr_of_a_value_of(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    cell = getattr(gilonce, kind)()
    cell.set(thing)
    watched.watch(cell)
    return type(repr(cell))


@use_of(CELLS, copy.Error, *IRREDUCIBLE)
def deep_copy_of_a_value_of(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    cell = getattr(gilonce, kind)()
    cell.set(thing)
    return copy.deepcopy(watched.watch(cell)).is_set()


@use_of(CELLS, *PICKLING, *IRREDUCIBLE, ImportError)
def pickle_of_a_value_of(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    cell = getattr(gilonce, kind)()
    cell.set(thing)
    watched.watch(cell)
    pickled = pickle.dumps(cell)
    if not cell.final:
        assert not pickle.loads(pickled).is_set()
    return None


@use_of(CELLS)
def state_of(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    return copy.deepcopy(cells(gilonce, watched, kind)[0], thing if isinstance(thing, dict) else None)


@use(ImportError, ValueError)
def module_to_import(gilonce: Any, thing: Any, watched: Watched) -> Any:
    # As the import statement: ValueError for an empty or impossible name.
    empty, full = cells(gilonce, watched)
    expect_no_run(thing, lambda: full.import_attr(thing, "name"))
    return watched.is_put(empty, empty.import_attr(thing, "name"))


@use(ImportError)
def attribute_to_import(gilonce: Any, thing: Any, watched: Watched) -> Any:
    empty, full = cells(gilonce, watched)
    expect_no_run(thing, lambda: full.import_attr("operator", thing))
    return watched.is_put(empty, empty.import_attr("operator", thing))


@use_of(CELLS)
def too_many_arguments_of(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    empty, full = cells(gilonce, watched, kind)
    for method in ("get_or_init", "aget_or_init", "set", "get", "take", "is_set", "import_attr"):
        # What does not wait has this one only where it may, for what it imports.
        if method == "import_attr" and not hasattr(empty, method):
            continue
        for cell in (empty, full):
            with pytest.raises(TypeError):
                getattr(cell, method)(thing, thing, thing)
            with pytest.raises(TypeError):
                getattr(cell, method)(**{"no such name": thing})
    with pytest.raises(TypeError):
        getattr(gilonce, kind)(thing)
    with pytest.raises(TypeError):
        getattr(gilonce, kind)(**{"no such name": thing})
    return None


@use()
def too_many_arguments(gilonce: Any, thing: Any, watched: Watched) -> Any:
    for name in ("once", "once_property", "lazy_global"):
        with pytest.raises(TypeError):
            getattr(gilonce, name)(thing, thing)
        with pytest.raises((TypeError, *odd.ERRORS)):
            getattr(gilonce, name)(thing, **{"no such name": thing})
    return None


@use_of([*CELLS, "once_property"])
def type_parameter_of(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    return type(getattr(gilonce, kind)[thing])


@use()
def the_error_of_set(gilonce: Any, thing: Any, watched: Watched) -> Any:
    error = gilonce.AlreadySetError(thing, thing)
    assert error.value is thing
    return type(str(error))


@use()
def the_error_of_a_deadlock(gilonce: Any, thing: Any, watched: Watched) -> Any:
    error = gilonce.DeadlockError(thing)
    assert error.args[0] is thing
    return type(str(error)), type(repr(error))


@use()
def name_in_a_deadlock(gilonce: Any, thing: Any, watched: Watched) -> Any:
    lock = watched.watch(gilonce.OnceLock())

    def give(self: Any, asked: str) -> Any:
        return thing if asked == "__qualname__" else object.__getattribute__(self, asked)

    named = odd.a_class(__getattribute__=give, __call__=lambda self: lock.get_or_init(self))()
    with pytest.raises((gilonce.DeadlockError, *odd.ERRORS)):
        named()
    return None


@use()
def what_may_be_a_cell(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return isinstance(thing, gilonce.Cell)


@use()
def what_may_be_a_class_of_cells(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return issubclass(thing, gilonce.Cell)


# once.

#: What `once(None)` returns is a decorator; and a method has no cell of its own.
NO_CELL = Says(AttributeError, "^'function' object has no attribute 'cell'|has one cell per instance or class")


@use()
def once(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return type(gilonce.once(thing)).__name__


@use()
def once_with_a_discard(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return type(gilonce.once(list, discard=thing)).__name__


#: What makes the cell of a function without parameters; "no cell": nothing was said of that.
CHOICES = ["no cell", *CELLS]


def chosen(gilonce: Any, kind: str) -> dict[str, Any]:
    """Return how to say `cell=`."""
    return {} if kind == "no cell" else {"cell": getattr(gilonce, kind)}


@use_of(CHOICES, STOPPED)
def call_of_a_once_function_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    made = gilonce.once(thing, **chosen(gilonce, kind))
    has_cell = thing is not None and hasattr(made, "cell")
    cell = watched.watch(made.cell if has_cell else gilonce.GILOnceCell())
    call = made()
    result = result_of(call)
    if has_cell:
        # The value is what was awaited, or it is itself a coroutine.
        value = watched.is_put(cell, cell.get(watched))
        assert value is call or value is result
    return result


@use_of(CHOICES, NO_CELL)
def call_of_a_full_once_function_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    made = gilonce.once(thing, **chosen(gilonce, kind))
    made.cell.set(None)
    watched.watch(made.cell)
    call = made()
    # A coroutine has the name of the function, which it is asked for.
    if type(call) is types.CoroutineType:
        expect_no_run(thing, lambda: drive(call))
    else:
        expect_no_run(thing, made)
    return None


@use()
def once_function_in_use(gilonce: Any, thing: Any, watched: Watched) -> Any:
    made = gilonce.once(thing)
    hash(made)
    return type(repr(made)), type(made == made)


@use(NO_CELL)
def cell_of_a_once_function(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return type(watched.watch(gilonce.once(thing).cell)).__name__


@use(*PICKLING, ImportError)
def pickle_of_a_once_function(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return type(pickle.dumps(gilonce.once(thing)))


@use()
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

    def __init__(self, gilonce: Any, kind: str) -> None:
        cell = chosen(gilonce, kind)
        self.method = gilonce.once(lambda _owner: "a value", **cell)
        self.of_class = gilonce.once(classmethod(lambda _cls: "a value"), **cell)
        if "cell" in cell and not cell["cell"].final:
            return
        self.property = gilonce.once_property(lambda _owner: "a value", **cell)
        self.slotted = gilonce.once_property(lambda _owner: "a value", slot="_x", **cell)
        self.class_property = gilonce.once_property(classmethod(lambda _cls: "a value"), **cell)
        for name in ("property", "slotted", "class_property"):
            getattr(self, name).__set_name__(object, name)


#: The cells that a property takes.
FINAL = ["no cell", "GILOnceCell", "OnceLock"]


@use_of(CHOICES)
def owner_of_a_method_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    return WithMethods(gilonce, kind).method(thing)


@use_of(CHOICES)
def owner_of_a_bound_method_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    bound = WithMethods(gilonce, kind).method.__get__(thing if thing is not None else 0)
    hash(bound)
    assert bound == bound
    bound.cell.is_set()
    return bound(), bound.cell.get(), bound.cell.take()


@use_of(CHOICES)
def owner_of_a_class_method_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    return WithMethods(gilonce, kind).of_class.__get__(None, thing)()


@use_of(FINAL)
def owner_of_a_property_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    return type(WithMethods(gilonce, kind).property.__get__(thing, type(thing))).__name__


@use_of(FINAL)
def owner_of_a_slot_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    slotted = WithMethods(gilonce, kind).slotted
    return type(slotted.__get__(thing, type(thing))).__name__


@use_of(FINAL)
def assignment_to_a_slot_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    slotted = WithMethods(gilonce, kind).slotted
    slotted.__set__(thing, "assigned")
    slotted.__delete__(thing)


@use_of(FINAL)
def owner_of_a_class_property_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    return WithMethods(gilonce, kind).class_property.__get__(None, thing)


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
    return new_class((), {"thing": made, **({"__slots__": slots} if slots else {})})()


def new_class(bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
    try:
        return type("Made", bases, namespace)
    except RuntimeError as error:
        # Before Python 3.12, this is what comes of an exception from `__set_name__`.
        raise (error.__cause__ or error) from None


@use_of(FINAL, STOPPED)
def access_of_a_property_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    return result_of(owner_with(gilonce.once_property(thing, **chosen(gilonce, kind))).thing)


@use_of(FINAL)
def name_of_a_slot_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    cell = chosen(gilonce, kind)
    return owner_with(gilonce.once_property(lambda _: "a value", slot=thing, **cell), "_x").thing


@use()
def name_of_a_property(gilonce: Any, thing: Any, watched: Watched) -> Any:
    made = gilonce.once_property(lambda _: "a value")
    made.__set_name__(WithMethods, thing)
    owner = type("Owner", (), {})()
    return made.__get__(owner, type(owner))


@use_of(FINAL)
def value_of_a_property_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    cell = chosen(gilonce, kind)
    for made, slots in (
        (gilonce.once_property(lambda _: thing, **cell), ()),
        (gilonce.once_property(lambda _: thing, slot="_x", **cell), ("_x", "__dict__")),
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


@use_of(CHOICES, Says(RuntimeError, "^the factory .* raised AttributeError: odd$"))
def touch_of_a_lazy_global_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    made = gilonce.lazy_global(thing, **chosen(gilonce, kind))
    cell = watched.watch(made._self_cell)
    try:
        value = made.__wrapped__
    except odd.ERRORS:
        # wrapt asks the object for attributes, so it may be there and refuse.
        watched.is_put(cell, cell.get(watched))
        raise
    return watched.is_put(cell, value)


@use_of(CHOICES)
def touch_of_a_full_lazy_global_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    made = gilonce.lazy_global(thing, **chosen(gilonce, kind))
    made._self_cell.set(None)
    watched.watch(made._self_cell)
    expect_no_run(thing, lambda: made.__wrapped__)
    return None


@use()
def interface(gilonce: Any, thing: Any, watched: Watched) -> Any:
    made = gilonce.lazy_global(list, interface=thing)
    return made == []


@use(CONDITION)
def whether_to_reify(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return gilonce.lazy_global(list, reify=thing) == []


@use()
def lazy_global_with_a_discard(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return gilonce.lazy_global(list, discard=thing) == []


@use_of(CHOICES)
def real_object_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    made = gilonce.lazy_global(lambda: thing, **chosen(gilonce, kind))
    assert made.__wrapped__ is thing
    return type(repr(made))


# `cell=`.

#: What a user would do with a surface that was given `cell=`, each of them a value that it gives.
SURFACES: dict[str, Callable[[Any, Any], Any]] = {}


def surface(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    SURFACES[function.__name__.replace("_", " ")] = function
    return function


@surface
def a_function(gilonce: Any, make: Any) -> Any:
    made = gilonce.once(lambda: "a value", cell=make)
    return made(), made(), type(made.cell).__name__


@surface
def a_coroutine_function(gilonce: Any, make: Any) -> Any:
    async def function() -> str:
        return "a value"

    made = gilonce.once(function, cell=make)
    return result_of(made()), result_of(made())


@surface
def a_method(gilonce: Any, make: Any) -> Any:
    owner = type("Owner", (), {"method": gilonce.once(cell=make)(lambda _: "a value")})()
    return owner.method(), owner.method(), type(owner.method.cell).__name__, type(owner.method.cell.get())


@surface
def a_class_method(gilonce: Any, make: Any) -> Any:
    owner = type("Owner", (), {"method": gilonce.once(cell=make)(classmethod(lambda _: "a value"))})
    return owner.method(), owner.method(), type(owner.method.cell).__name__


@surface
def a_property(gilonce: Any, make: Any) -> Any:
    owner = owner_with(gilonce.once_property(lambda _: "a value", cell=make))
    return owner.thing, owner.thing


@surface
def a_slot(gilonce: Any, make: Any) -> Any:
    owner = owner_with(gilonce.once_property(lambda _: "a value", slot="_x", cell=make), "_x", "__dict__")
    return owner.thing, owner.thing


@surface
def a_class_property(gilonce: Any, make: Any) -> Any:
    owner = owner_with(gilonce.once_property(classmethod(lambda _: "a value"), cell=make))
    return type(owner).thing, owner.thing


@surface
def a_global(gilonce: Any, make: Any) -> Any:
    made = gilonce.lazy_global(lambda: "a value", cell=make)
    return made.__wrapped__, made.__wrapped__, type(made._self_cell).__name__


@use_of(SURFACES)
def what_makes_the_cells_of(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    return SURFACES[kind](gilonce, thing)


@use_of(SURFACES)
def a_cell_for(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    return SURFACES[kind](gilonce, lambda: thing)


@use_of(SURFACES, CONDITION)
def whether_it_is_final_the_cell_for(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    make = new_class((gilonce.GILOnceCell,), {"final": thing})
    if make().final or kind not in ("a property", "a slot", "a class property"):
        return SURFACES[kind](gilonce, make)
    with pytest.raises(TypeError):
        SURFACES[kind](gilonce, make)
    return None


@use_of(SURFACES)
def what_is_given_by_the_cell_for(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    given = {"get_or_init": lambda _self, _: thing, "get": lambda _self, *_: thing}
    return SURFACES[kind](gilonce, new_class((gilonce.GILOnceCell,), given))


@use_of(["once", "once_property", "lazy_global"])
def discard_beside_the_cell_of(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    if thing is None:
        return type(getattr(gilonce, kind)(list, discard=thing, cell=gilonce.GILOnceCell)).__name__
    with pytest.raises((TypeError, *odd.ERRORS)):
        getattr(gilonce, kind)(list, discard=thing, cell=gilonce.GILOnceCell)
    return None


def outcome(gilonce: Any, name: str, thing: Any) -> object:
    """Return how a use ends, without what tells one run from another."""
    function, documented = USES[name]
    watched = Watched()
    try:
        result = function(gilonce, thing, watched)
        ended: tuple[object, ...] = "returns", plain(result)
    except BaseException as error:
        if not is_documented(error, (Odd, *DOCUMENTED, *documented)):
            raise
        ended = "raises", type(error).__name__
    watched.check()
    return ended


def plain(result: Any) -> object:
    # No comparison but by `is`, for a metaclass may have its own idea of it.
    kind = type(result)
    if kind is tuple or kind is list:
        return [plain(each) for each in result]
    if any(kind is simple for simple in (str, bool, int, type(None))):
        return result
    return name_of_type(kind)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # Python 3.13's, of a partial in a class
@pytest.mark.parametrize("name", USES)
def test_odd_objects_are_taken_or_refused(name: str) -> None:
    """Documented exceptions or the object's own, the same ones everywhere, and no cell that was changed."""
    take_time()
    # Each of them once; what is around them is a matter of chance.
    feed(name, [description for description in ODD if not is_known(name, description)])

    @searching(80)
    @given(DESCRIPTIONS)
    def search(description: Description) -> None:
        if not is_known(name, description):
            feed(name, [description])

    search()


def feed(name: str, descriptions: list[Description]) -> None:
    """Feed each implementation with its own things of those kinds, and compare what comes out."""
    # A coroutine that nobody awaits, and what an odd `discard` raises, are to complain to nobody.
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        outcomes = outcomes_of(name, descriptions)
        if sys.implementation.name == "pypy":
            gc.collect()  # complains only then
    finally:
        sys.unraisablehook = hook
    assert outcomes[1:] == outcomes[:-1]


def outcomes_of(name: str, descriptions: list[Description]) -> list[list[object]]:
    outcomes: list[list[object]] = []
    for package in packages().values():
        # What is imported late must be the implementation's own, and so must what `pickle` finds.
        with activate(package.__implementation__):
            outcomes.append([])
            for description in descriptions:
                try:
                    thing = odd.build(description)
                except LookupError:
                    continue
                try:
                    outcomes[-1].append((description, outcome(package, name, thing)))
                except BaseException as error:
                    raise AssertionError(f"{description}, on {package.__implementation__}: {error!r}") from error
    return outcomes


#: What is known to go wrong and waits to be mended: a use, and what it is fed with.
KNOWN: list[tuple[str, Any]] = []
if "native" in IMPLEMENTATIONS and getattr(sys, "_is_gil_enabled", lambda: True)():
    # Only Python asks such a dict by the methods of its own.
    KNOWN += [
        (f"owner of a {owned}", "a dict that refuses")
        for owned in (
            "method with no cell",
            "class method with no cell",
            "property with no cell",
            "property with GILOnceCell",
        )
    ]


def is_known(name: str, description: Description) -> bool:
    while not isinstance(description, str):
        description = description[1]
    return (name, description) in KNOWN


@pytest.mark.parametrize(("name", "description"), KNOWN)
def test_what_is_known_does_go_wrong(name: str, description: str) -> None:
    """Who mends it takes it out of the list."""
    with pytest.raises(AssertionError):
        feed(name, [description])
