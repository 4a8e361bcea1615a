"""Bad input: every public name gets odd objects in every position.

Each use must give a value, a documented exception, or an exception that the odd object itself has raised. Both
implementations must give the same, and a watched cell must keep its state. A crash of the interpreter would end the
run.
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
from typing import Any, NamedTuple, NoReturn

import pytest
from hypothesis import given
from support import activate, drive, odd_objects
from support.odd_objects import DESCRIPTIONS, ODD, Description, Odd
from support.searching import packages, searching, take_time
from support.surfaces import SURFACES, With

#: Documented everywhere: a TypeError for a wrong object, and a recursion that the odd object itself has begun. The
#: others are Python's own, which some odd callables raise.
DOCUMENTED = (TypeError, RecursionError, StopIteration, GeneratorExit, MemoryError)


class Says(NamedTuple):
    """A documented exception with its type and a pattern of its message."""

    kind: type[BaseException]
    pattern: str


Documented = type[BaseException] | Says

#: Python's own error of a coroutine.
STOPPED = Says(RuntimeError, "^coroutine raised StopIteration$")
#: Errors for objects that cannot be reduced: wrapt's for its proxies, and PyPy's for mocks and odd `__dict__`s.
IRREDUCIBLE = (
    Says(NotImplementedError, "^object proxy must define "),
    Says(AttributeError, r"^'\w+' object has no attribute '(copy|__dict__)'$"),
)
#: Python's own warning about NotImplemented as a condition.
CONDITION = Says(DeprecationWarning, "^NotImplemented should not be used in a boolean context")
#: Python's own errors for objects that `pickle` does not find by name, or that have none.
PICKLING = pickle.PicklingError, Says(AttributeError, "__(qual)?name__|^Can't (get|pickle) local object")


def is_documented(error: BaseException, documented: tuple[Documented, ...]) -> bool:
    return any(
        isinstance(error, it.kind) and re.search(it.pattern, str(error))
        if isinstance(it, Says)
        else isinstance(error, it)
        for it in documented
    )


class Watched:
    """Cells that must keep their state, unless a use says what it has put there."""

    def __init__(self) -> None:
        self.expected: list[tuple[Any, Any]] = []

    def watch(self, cell: Any) -> Any:
        self.expected.append((cell, cell.get(self)))
        return cell

    def is_put(self, cell: Any, value: Any) -> Any:
        """Note that the watched `cell` now has that value."""
        self.expected = [(it, value if it is cell else before) for it, before in self.expected]
        return value

    def check(self) -> None:
        for cell, value in self.expected:
            assert cell.get(self) is value
            if value is self:
                assert cell.get_or_init(lambda: "usable") == "usable"


#: A way to use gilonce with an odd object. It gets the package, the object and what watches cells, and returns the
#: result.
Use = Callable[[Any, Any, Watched], Any]
USES: dict[str, tuple[Use, tuple[Documented, ...]]] = {}


def use(*documented: Documented) -> Callable[[Use], Use]:
    """Register a way to use gilonce, and the exceptions that it may raise beyond `DOCUMENTED`."""

    def enter(function: Use) -> Use:
        USES[function.__name__.strip("_").replace("_", " ")] = function, documented
        return function

    return enter


CELLS = ["GILOnceCell", "OnceLock", "ThreadOnceCell", "ProcessOnceCell"]


def use_of(kinds: Any, *documented: Documented) -> Callable[[Any], Any]:
    """Register a use once for each name of a cell or surface, which is its last argument."""

    def enter(function: Any) -> Any:
        for kind in kinds:
            name = f"{function.__name__.strip('_').replace('_', ' ')} {kind}"
            USES[name] = functools.partial(function, kind=kind), documented
        return function

    return enter


def cells(gilonce: Any, watched: Watched, kind: str = "GILOnceCell") -> tuple[Any, Any]:
    """Return an empty cell and a full one, both watched."""
    make = getattr(gilonce, kind)
    full = make()
    full.set(None)
    return watched.watch(make()), watched.watch(full)


def result_of(made: Any) -> Any:
    """Return the result of a call; drive a coroutine to its end."""
    return drive(made) if type(made) is types.CoroutineType or name_of_type(type(made)) == "AwaitableValue" else made


#: Does not ask a metaclass.
name_of_type: Callable[[type], str] = type.__dict__["__name__"].__get__


#: Files whose code does not belong to an initializer.
OURS = (
    __file__,
    *(
        os.path.dirname(importlib.util.find_spec(name).origin) + os.sep
        for name in ("support", "gilonce", "wrapt", "hypothesis")  # the last has a hook in PyPy's collector
    ),
)


def expect_no_run(thing: Any, ask: Callable[[], Any]) -> None:
    """Ask a cell with the value None: it must return None and not call the odd object.

    This counts all code that runs meanwhile, except that of gilonce and its proxies.
    """
    runs: list[object] = []

    def count(frame: types.FrameType, event: str, argument: object) -> None:
        file = frame.f_code.co_filename
        if event == "call" and (file == odd_objects.__file__ or not file.startswith(OURS)):
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
    # Only timeouts that end this at once.
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
        with pytest.raises((TypeError, *odd_objects.ERRORS)):
            full.get_or_init(thing)
    return result_of(watched.is_put(empty, empty.get_or_init(thing)))


@use_of(CELLS, STOPPED)
def asynchronous_initializer_of(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    empty, full = cells(gilonce, watched, kind)
    if callable(thing):
        expect_no_run(thing, lambda: drive(full.aget_or_init(thing)))
    else:
        with pytest.raises((TypeError, *odd_objects.ERRORS)):
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
    for name in ("once", "once_per_args", "once_property", "lazy_global"):
        with pytest.raises(TypeError):
            getattr(gilonce, name)(thing, thing)
        with pytest.raises((TypeError, *odd_objects.ERRORS)):
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

    named = odd_objects.a_class(__getattribute__=give, __call__=lambda self: lock.get_or_init(self))()
    with pytest.raises((gilonce.DeadlockError, *odd_objects.ERRORS)):
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
    with pytest.raises(TypeError, match="@once_per_args"):
        made(thing)
    with pytest.raises(TypeError, match="@once_per_args"):
        made(argument=thing)
    return made.cell.is_set()


class WithMethods:
    """What is decorated for odd owners."""

    def __init__(self, gilonce: Any, kind: str) -> None:
        cell = chosen(gilonce, kind)

        def method(_owner: object) -> str:
            return "a value"

        # As of one that stands in a class: its first argument is an instance, whatever it is.
        method.__qualname__ = "WithMethods.method"
        self.method = gilonce.once(method, **cell)
        self.of_class = gilonce.once(classmethod(lambda _cls: "a value"), **cell)
        if "cell" in cell and not cell["cell"].final:
            return
        self.property = gilonce.once_property(lambda _owner: "a value", **cell)
        self.slotted_method = gilonce.once(method, slot="_x", **cell)
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
def argument_of_a_function_that_is_not_a_method_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    made = gilonce.once(lambda _owner: "a value", **chosen(gilonce, kind))
    with pytest.raises((TypeError, *odd_objects.ERRORS)):
        made(thing)
    return None


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
def owner_of_a_method_in_a_slot_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    return WithMethods(gilonce, kind).slotted_method(thing)


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


# once_per_args.


@use()
def once_per_args(gilonce: Any, thing: Any, watched: Watched) -> Any:
    made = gilonce.once_per_args(thing)
    # Of the rest, Python makes a plain function.
    return thing is None or (made.__class__.__name__, hash(made) == hash(made), made == made)


@use()
def once_per_args_with_a_discard(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return gilonce.once_per_args(lambda key: [key], discard=thing)("key")


@use(CONDITION)
def once_per_args_with_a_type(gilonce: Any, thing: Any, watched: Watched) -> Any:
    get = gilonce.once_per_args(lambda key: [key], typed=thing)
    return get(1) is get(True)


@use_of(CHOICES, STOPPED)
def call_of_a_function_per_arguments_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    get = gilonce.once_per_args(thing, **chosen(gilonce, kind))
    if thing is None:
        return None
    cell = watched.watch(get.cell())
    call = get()
    result = result_of(call)
    watched.is_put(cell, cell.get(watched))
    again = get()
    # The value may itself be a coroutine. No other call is awaited twice.
    assert again is call or result_of(again) is result
    return result


@use()
def attributes_of_a_function_per_arguments(gilonce: Any, thing: Any, watched: Watched) -> Any:
    made = gilonce.once_per_args(thing)
    return [type(getattr(made, name, None)).__name__ for name in ("__name__", "__doc__", "__module__", "__class__")]


@use(*PICKLING, ImportError)
def pickle_of_a_function_per_arguments(gilonce: Any, thing: Any, watched: Watched) -> Any:
    return type(pickle.dumps(gilonce.once_per_args(thing)))


class Collides:
    """A key with the hash of another, which is asked whether it is equal."""

    def __init__(self, other: object) -> None:
        self.hashed = hash(other)

    def __hash__(self) -> int:
        return self.hashed


#: The functions that take an odd argument.
PER_ARGS: dict[str, Callable[[Any, Any], Any]] = {
    "one parameter": lambda gilonce, cell: gilonce.once_per_args(lambda key: [key], **cell),
    "two parameters": lambda gilonce, cell: gilonce.once_per_args(lambda key, other=0: [key], **cell),
    "any parameters": lambda gilonce, cell: gilonce.once_per_args(lambda *keys, **more: [keys], **cell),
    "types": lambda gilonce, cell: gilonce.once_per_args(lambda key: [key], typed=True, **cell),
    "a key": lambda gilonce, cell: gilonce.once_per_args(lambda key: [key], key=lambda key: key, **cell),
    "an instance": lambda gilonce, cell: (
        owner_with(gilonce.once_per_args(of_class(lambda self, key: [key]), **cell)).thing
    ),
}


def of_class(function: Any) -> Any:
    """Let `function` look like one that stands in a class."""
    function.__qualname__ = "Made.thing"
    return function


@use_of(PER_ARGS)
def argument_of_a_function_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    for cell in CHOICES:
        get = PER_ARGS[kind](gilonce, chosen(gilonce, cell))
        plain_value = get("another key")
        other = Collides(thing)
        other_value = get(other)
        try:
            value = get(thing)
            assert value is get(thing)
            assert get.cell(thing).get() is value
            assert get.cell(thing).take() is value
        finally:
            assert get("another key") is plain_value
            # By identity: the first comparison with an odd object may come here.
            assert get(other) is other_value
        assert len(get.take_all()) == 2
    return None


@use()
def keyword_argument_of_a_function(gilonce: Any, thing: Any, watched: Watched) -> Any:
    for get in (
        gilonce.once_per_args(lambda **more: [more]),
        gilonce.once_per_args(lambda key, other=0: [key]),
        gilonce.once_per_args(lambda *, key: [key]),
    ):
        assert get(key=thing) is get(key=thing) is get.cell(key=thing).get()
        with pytest.raises((TypeError, *odd_objects.ERRORS)):
            get(*[thing] * 3)
    return None


@use_of(CHOICES, STOPPED)
def what_computes_the_key_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    return gilonce.once_per_args(lambda argument: "a value", key=thing, **chosen(gilonce, kind))("argument")


@use()
def value_of_a_function_per_arguments(gilonce: Any, thing: Any, watched: Watched) -> Any:
    for cell in CHOICES:
        get = gilonce.once_per_args(lambda key: thing, **chosen(gilonce, cell))
        assert get("key") is get("key") is get.cell("key").get() is thing
        taken = get.take_all()
        assert len(taken) == 1
        assert taken[0] is thing
    return None


@use_of(CHOICES)
def owner_of_a_method_per_arguments_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    method = gilonce.once_per_args(of_class(lambda _owner, key: [key]), **chosen(gilonce, kind))
    bound = method.__get__(thing if thing is not None else 0)
    hash(bound)
    assert bound == bound
    assert not bound.cell("key").is_set()
    value = bound("key")
    # An odd `__dict__` may keep nothing.
    return bound("key") is value, method(bound.__self__, "key") is value, bound.take_all() == [value]


@use_of(CHOICES)
def owner_of_a_class_method_per_arguments_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    method = gilonce.once_per_args(classmethod(lambda _cls, key: [key]), **chosen(gilonce, kind))
    bound = method.__get__(None, thing)
    return bound("key") is bound("key"), len(bound.take_all())


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
        raise_cause(error)


def raise_cause(error: RuntimeError) -> NoReturn:
    """Raise what `__set_name__` raised: before Python 3.12, a class statement wraps that in a RuntimeError."""
    raise (error.__cause__ or error) from None


@use_of(FINAL, STOPPED)
def access_of_a_property_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    return result_of(owner_with(gilonce.once_property(thing, **chosen(gilonce, kind))).thing)


@use_of(FINAL)
def name_of_a_slot_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    cell = chosen(gilonce, kind)
    return owner_with(gilonce.once_property(lambda _: "a value", slot=thing, **cell), "_x").thing


@use_of(FINAL)
def name_of_the_slot_of_a_method_with(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    cell = chosen(gilonce, kind)
    return owner_with(gilonce.once(lambda _: "a value", slot=thing, **cell), "_x").thing()


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
    except odd_objects.ERRORS:
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

#: The surfaces that are given `cell=`, one for each way in which they keep the cell.
WITH_CELL = [
    "once_function",
    "once_async_function",
    "once_method",
    "once_above_classmethod",
    "args_function",
    "args_async_function",
    "args_method",
    "property_in_dict",
    "once_method_in_slot_beside_dict",
    "property_in_slot_beside_dict",
    "property_of_class",
    "proxy",
]


def touch_with_cell(gilonce: Any, make: Any, surface: str) -> Any:
    """Give `cell=make` to a surface, and return two values of it and the type of its cell."""
    try:
        access = SURFACES[surface](With(gilonce, make), lambda: "a value", None)
    except RuntimeError as error:
        raise_cause(error)
    touch = access.start or access.touch
    values = result_of(touch()), result_of(touch())
    if access.cell is None:
        return values
    held = [type(access.cell().get())] if surface == "once_method" else []
    return *values, type(access.cell()).__name__, *held


@use_of(WITH_CELL)
def what_makes_the_cells_of(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    return touch_with_cell(gilonce, thing, kind)


@use_of(WITH_CELL)
def a_cell_for(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    return touch_with_cell(gilonce, lambda: thing, kind)


@use_of(WITH_CELL, CONDITION)
def whether_it_is_final_the_cell_for(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    make = new_class((gilonce.GILOnceCell,), {"final": thing})
    if make().final or "slot" not in kind:
        return touch_with_cell(gilonce, make, kind)
    with pytest.raises(TypeError):
        touch_with_cell(gilonce, make, kind)
    return None


@use_of(WITH_CELL)
def what_is_given_by_the_cell_for(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    given = {"get_or_init": lambda _self, _: thing, "get": lambda _self, *_: thing}
    return touch_with_cell(gilonce, new_class((gilonce.GILOnceCell,), given), kind)


@use_of(["once", "once_per_args", "once_property", "lazy_global"])
def discard_beside_the_cell_of(gilonce: Any, thing: Any, watched: Watched, kind: str) -> Any:
    if thing is None:
        return type(getattr(gilonce, kind)(list, discard=thing, cell=gilonce.GILOnceCell)).__name__
    with pytest.raises((TypeError, *odd_objects.ERRORS)):
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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")  # Python 3.13's, of a partial in a class
@pytest.mark.parametrize("name", USES)
def test_odd_objects_are_taken_or_refused(name: str) -> None:
    """Exceptions are documented or the object's own, the same everywhere, and no cell changes."""
    take_time()
    # Each of them once; what is around them is a matter of chance.
    feed(name, list(ODD))

    @searching(80)
    @given(DESCRIPTIONS)
    def search(description: Description) -> None:
        feed(name, [description])

    search()


def feed(name: str, descriptions: list[Description]) -> None:
    """Give each implementation its own objects of those descriptions, and compare the outcomes."""
    # Hides warnings about coroutines that are never awaited, and exceptions of an odd `discard`.
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
                    thing = odd_objects.build(description)
                except LookupError:
                    continue
                try:
                    outcomes[-1].append((description, outcome(package, name, thing)))
                except BaseException as error:
                    raise AssertionError(f"{description}, on {package.__implementation__}: {error!r}") from error
    return outcomes
