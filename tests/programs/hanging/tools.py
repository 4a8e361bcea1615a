"""The tools that `tests/programs/hangs.py` plays its scenarios with: gilonce's surfaces and its peers."""

from __future__ import annotations

import functools
import importlib.util
import threading
from collections.abc import Awaitable, Callable, Sized
from importlib import import_module
from typing import Any, NamedTuple

from support.surfaces import SURFACES, With

Touch = Callable[[], Any]
Initializer = Callable[[], Any]
AsyncInitializer = Callable[[], Awaitable[Any]]
AsyncTouch = Callable[[], Awaitable[Any]]
AsyncDiscard = Callable[[Any], Awaitable[None]]
#: A function of one argument.
Keyed = Callable[[Any], Any]


def lacks(*arguments: object) -> Any:
    """Stands for a form that a tool does not have."""
    raise NotImplementedError


class Tool(NamedTuple):
    """A library's way to make a lazy value, in up to five forms.

    Parameters:
        make: given an initializer, returns a function that gets the one value.
        make_each: given an initializer, returns a function that makes another instance of the same class and returns a
            function that gets its value.
        make_async: given an async initializer, returns a function whose results, each
            awaited once, give the one value.
        make_discarding: the same, and also given an async function that is called with every loser.
        make_keyed: given a function of one argument, returns one that computes its value once for each argument.
        package: the name of the package to import.
        distribution: its name on the package index.
        tells: the names of the errors that it promises instead of an endless wait.
        under_way: returns its records of running initializers and waits, which must be empty when there are none.
    """

    name: str
    make: Callable[[Initializer], Touch] = lacks
    make_each: Callable[[Initializer], Callable[[], Touch]] = lacks
    make_async: Callable[[AsyncInitializer], AsyncTouch] = lacks
    make_discarding: Callable[[AsyncInitializer, AsyncDiscard], AsyncTouch] = lacks
    make_keyed: Callable[[Keyed], Keyed] = lacks
    package: str = ""
    distribution: str = ""
    tells: tuple[str, ...] = ()
    under_way: Callable[[], Sized] = tuple

    def has(self, form: str) -> bool:
        """Return whether the tool has the form of that name."""
        return getattr(self, form) is not lacks

    @property
    def is_installed(self) -> bool:
        return not self.package or importlib.util.find_spec(self.package) is not None


#: The `timeout=` for tools that have one, in scenarios whose deadlock no tool can see; `play` sets it.
timeout: float | None = None

#: Every tool, by its name.
TOOLS: dict[str, Tool] = {}


def add(tool: Tool) -> str:
    TOOLS[tool.name] = tool
    return tool.name


# gilonce: a tool for each surface, with the asynchronous and per-instance forms that the surface has.


def _forms(name: str, make_cell: Callable[[Any], Any] | None = None) -> dict[str, Any]:
    """Return the forms of the surface of that name, by the name of the form.

    Parameters:
        make_cell: given the package, makes the cells for `cell=`. None is for the surface's own cells.
    """

    def package() -> Any:
        import gilonce

        return gilonce if make_cell is None else With(gilonce, functools.partial(make_cell, gilonce))

    def access(initializer: Callable[[], Any], discard: Any = None) -> Any:
        return SURFACES[name](package(), initializer, discard)

    def make(initializer: Initializer) -> Touch:
        touch: Touch = access(initializer).touch
        return touch

    def make_each(initializer: Initializer) -> Callable[[], Touch]:
        another = access(initializer).another
        return lambda: another().touch

    def make_async(initializer: AsyncInitializer, discard: AsyncDiscard | None = None) -> AsyncTouch:
        start: AsyncTouch = access(initializer, discard).start
        return start

    def make_keyed(function: Keyed) -> Keyed:
        made: Keyed = package().once_per_args(discard=None)(function)
        return made

    if name == "args_key_with_eq":
        return {"make": make, "make_keyed": make_keyed}
    if "async" in name:
        return {"make": make, "make_async": make_async, "make_discarding": make_async}
    return {"make": make, "make_each": make_each} if name in _EACH else {"make": make}


#: The surfaces with one value per instance.
_EACH = ["cell", "once_method", "property_in_dict", "property_in_slot"]

#: gilonce's own; the environment of the process selects the implementation.
GILONCE = [add(Tool(name, **_forms(name))) for name in SURFACES]


# Other cells. `ThreadOnceCell` and `ProcessOnceCell` never wait, so they count as gilonce's. `OnceLock` waits, and
# raises errors.


class _PerThread:
    """Checks that each thread gets a value of its own, but returns one value to all, as the scenarios expect."""

    def __init__(self, touch: Touch) -> None:
        self._touch = touch
        self._mine = threading.local()
        self._threads: dict[int, int] = {}
        self._values: list[Any] = []

    def __call__(self) -> Any:
        value = self._touch()
        token = self._mine.__dict__.setdefault("token", object())
        if vars(self._mine).setdefault("value", value) is not value:
            raise RuntimeError("this thread was given two objects")
        is_made = not isinstance(value, (bytes, type(None)))  # these are shared by all threads
        if is_made and self._threads.setdefault(id(value), id(token)) != id(token):
            raise RuntimeError("two threads were given one object")
        # Keeps each value alive, so that its `id` is not used again. An interruption here loses nothing.
        self._values.append((value, token))
        return self._values[0][0]


def _lock(gilonce: Any) -> Any:
    return gilonce.OnceLock(timeout=timeout)


def _per_thread(name: str) -> Callable[[Initializer], Touch]:
    make = _forms(name, lambda gilonce: gilonce.ThreadOnceCell())["make"]
    return lambda initializer: _PerThread(make(initializer))


GILONCE += [
    *(add(Tool(f"thread_{name}", _per_thread(name))) for name in ("once_function", "once_method", "proxy")),
    *(
        add(Tool(f"process_{name}", _forms(name, lambda gilonce: gilonce.ProcessOnceCell())["make"]))
        for name in ("once_function", "once_method", "proxy")
    ),
]


def _locks_under_way() -> list[object]:
    waits = import_module("gilonce._cells.wait_graph")
    return [*waits._running, *waits._waits]


def _lock_forms(name: str) -> dict[str, Any]:
    """Return the forms of a surface with `OnceLock`: an async surface in its asynchronous form only."""
    forms = _forms(name, _lock)
    forms.pop("make_discarding", None)
    if "async" in name:
        del forms["make"]
    return forms


#: `OnceLock` on some of the surfaces.
LOCKS = [
    add(
        Tool(
            f"lock_{name}",
            **_lock_forms(name),
            tells=("DeadlockError", "TimeoutError"),
            under_way=_locks_under_way,
        )
    )
    for name in (
        "cell",
        "once_function",
        "once_method",
        "once_above_classmethod",
        "property_in_dict",
        "property_in_slot",
        "property_of_class",
        "proxy",
        "async_cell",
        "once_async_function",
        "args_key_with_eq",
    )
]


# The peers, each used as its documentation says.


def _once_py(initializer: Initializer) -> Touch:
    def function() -> Any:
        return initializer()

    touch: Touch = import_module("once").once(function)
    return touch


def _once_py_each(initializer: Initializer) -> Callable[[], Touch]:
    def method(self: object) -> Any:
        return initializer()

    owner = type("Owner", (), {"method": import_module("once").once_per_instance(method)})
    return lambda: getattr(owner(), "method")  # noqa: B009 - mypy knows of no method


def _once_py_async(initializer: AsyncInitializer) -> AsyncTouch:
    async def function() -> Any:
        return await initializer()

    touch: AsyncTouch = import_module("once").once(function)
    return touch


def _wrapt(initializer: Initializer) -> Touch:
    import wrapt

    proxy = wrapt.LazyObjectProxy(initializer)
    return lambda: proxy.__wrapped__


def _each_attribute(decorator: Callable[[Any], Any]) -> Callable[[Initializer], Callable[[], Touch]]:
    def make_each(initializer: Initializer) -> Callable[[], Touch]:
        class Owner:
            @decorator
            def attribute(self) -> Any:
                return initializer()

        return lambda: functools.partial(getattr, Owner(), "attribute")

    return make_each


def _threaded_cached_property(function: Callable[[Any], Any]) -> Any:
    return import_module("cached_property").threaded_cached_property(function)


def _functools_cache(initializer: Initializer) -> Touch:
    @functools.cache
    def function() -> Any:
        return initializer()

    return function


_each_threaded = _each_attribute(_threaded_cached_property)
_each_functools = _each_attribute(functools.cached_property)

PEERS = [
    add(Tool("once.once", _once_py, _once_py_each, _once_py_async, package="once", distribution="once-py")),
    add(Tool("wrapt.LazyObjectProxy", _wrapt, package="wrapt", distribution="wrapt")),
    add(
        Tool(
            "threaded_cached_property",
            lambda initializer: _each_threaded(initializer)(),
            _each_threaded,
            package="cached_property",
            distribution="cached-property",
        )
    ),
    add(Tool("functools.cache", _functools_cache, make_keyed=functools.cache)),
    add(Tool("functools.cached_property", lambda initializer: _each_functools(initializer)(), _each_functools)),
]
