"""The tools that `tests/hangs.py` plays its scenarios with: gilonce's surfaces and its peers."""

from __future__ import annotations

import functools
import importlib.util
import threading
from collections.abc import Awaitable, Callable, Sized
from importlib import import_module
from typing import Any, NamedTuple

from support import SURFACES, With

Touch = Callable[[], Any]
Initializer = Callable[[], Any]
AsyncInitializer = Callable[[], Awaitable[Any]]
AsyncTouch = Callable[[], Awaitable[Any]]
AsyncDiscard = Callable[[Any], Awaitable[None]]


def lacks(*arguments: object) -> Any:
    """Stand for the form of a tool that it does not have."""
    raise NotImplementedError


class Tool(NamedTuple):
    """A way to lazy values, in up to four forms.

    Parameters:
        make: given an initializer, returns what gets the one value.
        make_each: given an initializer, returns a function that makes one more instance of
            the same class and returns what gets that instance's value.
        make_async: given an async initializer, returns a function whose results, each
            awaited once, give the one value.
        make_discarding: the same, given also an async function that values are given to which
            are nobody's.
        package: what must be there to be imported.
        distribution: what it is called where it is installed from.
        tells: the names of the errors that it promises instead of a wait which would never end.
        under_way: what it keeps of who is at work with it: nothing may be left of that when nobody is.
    """

    name: str
    make: Callable[[Initializer], Touch] = lacks
    make_each: Callable[[Initializer], Callable[[], Touch]] = lacks
    make_async: Callable[[AsyncInitializer], AsyncTouch] = lacks
    make_discarding: Callable[[AsyncInitializer, AsyncDiscard], AsyncTouch] = lacks
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


#: For how many seconds those wait that can be told it, where they cannot see that it is for ever; `play` sets it.
timeout: float | None = None

#: Every tool, by its name.
TOOLS: dict[str, Tool] = {}


def add(tool: Tool) -> str:
    TOOLS[tool.name] = tool
    return tool.name


# gilonce: a tool for each surface of the tests, and the asynchronous and per-instance forms of those that have them.


def _made_by(name: str) -> Callable[[Initializer], Touch]:
    def make(initializer: Initializer) -> Touch:
        import gilonce

        return SURFACES[name](gilonce, initializer, None)

    return make


def _property_of_subclass(initializer: Initializer) -> Touch:
    import gilonce

    class Owner:
        @gilonce.once_property
        @classmethod
        def attribute(cls) -> Any:
            return initializer()

    # Where a class keeps its values is made with the class whose body has the decorator; for a subclass, by the touch.
    class Derived(Owner):
        pass

    return lambda: Derived.attribute


def _classmethod_of_subclass(initializer: Initializer) -> Touch:
    import gilonce

    class Owner:
        @gilonce.once
        @classmethod
        def method(cls) -> Any:
            return initializer()

    class Derived(Owner):
        pass

    return lambda: Derived.method()


def _each_cell(initializer: Initializer) -> Callable[[], Touch]:
    import gilonce

    return lambda: functools.partial(gilonce.GILOnceCell[Any]().get_or_init, initializer)


def _each_method(initializer: Initializer) -> Callable[[], Touch]:
    import gilonce

    class Owner:
        @gilonce.once
        def method(self) -> Any:
            return initializer()

    return lambda: Owner().method


def _each_property(initializer: Initializer) -> Callable[[], Touch]:
    import gilonce

    class Owner:
        @gilonce.once_property
        def attribute(self) -> Any:
            return initializer()

    return lambda: functools.partial(getattr, Owner(), "attribute")


def _each_slot(initializer: Initializer) -> Callable[[], Touch]:
    import gilonce

    class Owner:
        __slots__ = ("_attribute",)

        @gilonce.once_property(slot="_attribute")
        def attribute(self) -> Any:
            return initializer()

    return lambda: functools.partial(getattr, Owner(), "attribute")


def _async_cell(initializer: AsyncInitializer, discard: AsyncDiscard | None = None) -> AsyncTouch:
    import gilonce

    cell = gilonce.GILOnceCell[Any](discard=discard)
    return lambda: cell.aget_or_init(initializer)


def _async_function(initializer: AsyncInitializer, discard: AsyncDiscard | None = None) -> AsyncTouch:
    import gilonce

    @gilonce.once(discard=discard)
    async def function() -> Any:
        return await initializer()

    touch: AsyncTouch = function
    return touch


def _async_method(initializer: AsyncInitializer, discard: AsyncDiscard | None = None) -> AsyncTouch:
    import gilonce

    class Owner:
        @gilonce.once(discard=discard)
        async def method(self) -> Any:
            return await initializer()

    touch: AsyncTouch = Owner().method
    return touch


def _async_property(initializer: AsyncInitializer, discard: AsyncDiscard | None = None) -> AsyncTouch:
    import gilonce

    class Owner:
        @gilonce.once_property(discard=discard)
        async def attribute(self) -> Any:
            return await initializer()

    return functools.partial(getattr, Owner(), "attribute")


def _async_slot(initializer: AsyncInitializer, discard: AsyncDiscard | None = None) -> AsyncTouch:
    import gilonce

    class Owner:
        __slots__ = ("_attribute",)

        @gilonce.once_property(slot="_attribute", discard=discard)
        async def attribute(self) -> Any:
            return await initializer()

    return functools.partial(getattr, Owner(), "attribute")


_MAKE: dict[str, Callable[[Initializer], Touch]] = {
    **{name: _made_by(name) for name in SURFACES},
    "property_of_subclass": _property_of_subclass,
    "classmethod_of_subclass": _classmethod_of_subclass,
}
_EACH = {
    "cell": _each_cell,
    "once_method": _each_method,
    "property_in_dict": _each_property,
    "property_in_slot": _each_slot,
}
_ASYNC = {
    "async_cell": _async_cell,
    "once_async_function": _async_function,
    "once_async_method": _async_method,
    "async_property": _async_property,
    "async_property_in_slot": _async_slot,
}

#: gilonce's own; which implementation serves is the process's affair.
GILONCE = [
    add(Tool(name, _MAKE.get(name, lacks), _EACH.get(name, lacks), _ASYNC.get(name, lacks), _ASYNC.get(name, lacks)))
    for name in dict.fromkeys([*_MAKE, *_ASYNC])
]


# The other cells. Those of a thread or a process wait for nobody, and stand with these; `OnceLock` waits, and tells.


def _with(name: str, make_cell: Callable[[Any], Any]) -> Callable[[Initializer], Touch]:
    """Return what makes the surface of that name with the cells that `make_cell`, given the package, makes."""

    def make(initializer: Initializer) -> Touch:
        import gilonce

        return SURFACES[name](With(gilonce, functools.partial(make_cell, gilonce)), initializer, None)

    return make


class _PerThread:
    """Gets a value per thread, and sees that it is one: for the scenarios, one value stands for all threads."""

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
        is_made = not isinstance(value, (bytes, type(None)))  # of those there is one in all
        if is_made and self._threads.setdefault(id(value), id(token)) != id(token):
            raise RuntimeError("two threads were given one object")
        # Each is kept, so that its `id` stays its own; and who is interrupted here has lost nothing.
        self._values.append((value, token))
        return self._values[0][0]


def _lock(gilonce: Any) -> Any:
    return gilonce.OnceLock(timeout=timeout)


def _per_thread(name: str) -> Callable[[Initializer], Touch]:
    make = _with(name, lambda gilonce: gilonce.ThreadOnceCell())
    return lambda initializer: _PerThread(make(initializer))


GILONCE += [
    *(add(Tool(f"thread_{name}", _per_thread(name))) for name in ("once_function", "once_method", "proxy")),
    *(
        add(Tool(f"process_{name}", _with(name, lambda gilonce: gilonce.ProcessOnceCell())))
        for name in ("once_function", "once_method", "proxy")
    ),
]


def _each_locked_method(initializer: Initializer) -> Callable[[], Touch]:
    import gilonce

    class Owner:
        @gilonce.once(cell=functools.partial(_lock, gilonce))
        def method(self) -> Any:
            return initializer()

    return lambda: Owner().method


def _each_locked_property(initializer: Initializer) -> Callable[[], Touch]:
    import gilonce

    class Owner:
        @gilonce.once_property(cell=functools.partial(_lock, gilonce))
        def attribute(self) -> Any:
            return initializer()

    return lambda: functools.partial(getattr, Owner(), "attribute")


def _async_lock(initializer: AsyncInitializer) -> AsyncTouch:
    import gilonce

    return functools.partial(_lock(gilonce).aget_or_init, initializer)


def _async_locked_function(initializer: AsyncInitializer) -> AsyncTouch:
    import gilonce

    @gilonce.once(cell=functools.partial(_lock, gilonce))
    async def function() -> Any:
        return await initializer()

    touch: AsyncTouch = function
    return touch


def _locks_under_way() -> list[object]:
    waits = import_module("gilonce._waits")
    return [*waits._running, *waits._waits]


_LOCK_EACH = {"once_method": _each_locked_method, "property_in_dict": _each_locked_property}

#: `OnceLock`, by the name of the surface that has it.
LOCKS = [
    add(
        Tool(
            f"lock_{name}",
            _with(name, _lock) if name in SURFACES and "async" not in name else lacks,
            _LOCK_EACH.get(name, lacks),
            {"async_cell": _async_lock, "once_async_function": _async_locked_function}.get(name, lacks),
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
    )
]


# The peers, each as its documentation says that it is used.


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
    add(Tool("functools.cache", _functools_cache)),
    add(Tool("functools.cached_property", lambda initializer: _each_functools(initializer)(), _each_functools)),
]
