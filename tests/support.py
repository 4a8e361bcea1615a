"""Tools of the tests: loading an implementation, racing threads, and the list of surfaces."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

#: Every test runs on each of these: the value of `gilonce.__implementation__`.
IMPLEMENTATIONS = ["python", "native"] if importlib.util.find_spec("gilonce._native") else ["python"]

#: How many seconds pass before a thread counts as hanging.
WATCHDOG = 30.0

_loaded: dict[str, dict[str, ModuleType]] = {}


def environment(implementation: str) -> dict[str, str]:
    """Return the environment in which a subprocess uses `implementation`."""
    return {**os.environ, "GILONCE_PURE_PYTHON": "1" if implementation == "python" else ""}


def run_python(gilonce: ModuleType, *arguments: str) -> str:
    """Run Python in a process of its own, on the same implementation; return what it prints.

    All warnings are shown, and nothing may appear on stderr. (Not `-X dev`, for asyncio's
    debug mode complains of a machine that is slow.)
    """
    done = subprocess.run(
        [sys.executable, "-W", "default", *arguments],
        env=environment(gilonce.__implementation__),
        capture_output=True,
        text=True,
        timeout=2 * WATCHDOG,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def _ours() -> dict[str, ModuleType]:
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "gilonce"}


@contextlib.contextmanager
def activate(implementation: str) -> Iterator[ModuleType]:
    """Make `import gilonce` give `implementation`, each being loaded once."""
    outside = _ours()
    for name in outside:
        del sys.modules[name]
    sys.modules.update(_loaded.get(implementation, {}))
    variable = os.environ.get("GILONCE_PURE_PYTHON")
    os.environ["GILONCE_PURE_PYTHON"] = environment(implementation)["GILONCE_PURE_PYTHON"]
    try:
        package = importlib.import_module("gilonce")
        assert package.__implementation__ == implementation
        yield package
    finally:
        _loaded[implementation] = _ours()
        for name in _ours():
            del sys.modules[name]
        sys.modules.update(outside)
        os.environ.pop("GILONCE_PURE_PYTHON")
        if variable is not None:
            os.environ["GILONCE_PURE_PYTHON"] = variable


def run_threads(*actions: Callable[[], Any]) -> list[Any]:
    """Run the actions, a thread each, released together; return what each returned or raised.

    A thread that hangs ends the test, with the stacks of all threads on stderr.
    """
    outcomes: list[Any] = [None] * len(actions)
    start = threading.Barrier(len(actions))

    def run(index: int, action: Callable[[], Any]) -> None:
        start.wait(WATCHDOG)
        try:
            outcomes[index] = action()
        except BaseException as error:
            outcomes[index] = error

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WATCHDOG)
        if thread.is_alive():
            faulthandler.dump_traceback()
            raise AssertionError(f"{thread.name} hangs")
    return outcomes


def race(action: Callable[[], Any], threads: int = 8) -> list[Any]:
    """Run one action in many threads at once; see `run_threads`."""
    return run_threads(*[action] * threads)


def drive(coroutine: Any) -> Any:
    """Return the result of a coroutine that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    finally:
        # One that was too deep in a recursion to begin is not to complain of that.
        coroutine.close()
    raise AssertionError("the coroutine waits for something")


Touch = Callable[[], Any]
Surface = Callable[[Any, Callable[[], Any], Any], Touch]

#: Every way to one value: a function that, given the package, an initializer and a
#: discard, makes it anew and returns what a user would do to get the value.
SURFACES: dict[str, Surface] = {}


def surface(build: Surface) -> Surface:
    SURFACES[build.__name__] = build
    return build


def instance_of(cls: type[Any]) -> Any:
    """Return an instance whose `__dict__`, if it is to have one, is there.

    CPython 3.10 makes it when it is first asked for, and may give two threads that ask at
    once one each, if the collector comes in between: what the one puts there is lost.
    """
    made = cls()
    getattr(made, "__dict__", None)
    return made


@surface
def cell(gilonce: Any, initializer: Callable[[], Any], discard: Any) -> Touch:
    it = gilonce.GILOnceCell(discard=discard)
    return lambda: it.get_or_init(initializer)


@surface
def async_cell(gilonce: Any, initializer: Callable[[], Any], discard: Any) -> Touch:
    async def initialize() -> Any:
        return initializer()

    it = gilonce.GILOnceCell(discard=discard)
    return lambda: drive(it.aget_or_init(initialize))


@surface
def once_function(gilonce: Any, initializer: Callable[[], Any], discard: Any) -> Touch:
    @gilonce.once(discard=discard)
    def function() -> Any:
        return initializer()

    touch: Touch = function
    return touch


@surface
def once_async_function(gilonce: Any, initializer: Callable[[], Any], discard: Any) -> Touch:
    @gilonce.once(discard=discard)
    async def function() -> Any:
        return initializer()

    return lambda: drive(function())


@surface
def once_method(gilonce: Any, initializer: Callable[[], Any], discard: Any) -> Touch:
    class Owner:
        @gilonce.once(discard=discard)
        def method(self) -> Any:
            return initializer()

    owner = instance_of(Owner)
    return lambda: owner.method()


@surface
def once_above_classmethod(gilonce: Any, initializer: Callable[[], Any], discard: Any) -> Touch:
    class Owner:
        @gilonce.once(discard=discard)
        @classmethod
        def method(cls) -> Any:
            return initializer()

    return lambda: Owner.method()


@surface
def once_below_classmethod(gilonce: Any, initializer: Callable[[], Any], discard: Any) -> Touch:
    class Owner:
        @classmethod
        @gilonce.once(discard=discard)
        def method(cls) -> Any:
            return initializer()

    return lambda: Owner.method()


@surface
def once_staticmethod(gilonce: Any, initializer: Callable[[], Any], discard: Any) -> Touch:
    class Owner:
        @gilonce.once(discard=discard)
        @staticmethod
        def method() -> Any:
            return initializer()

    return lambda: Owner.method()


@surface
def property_in_dict(gilonce: Any, initializer: Callable[[], Any], discard: Any) -> Touch:
    class Owner:
        @gilonce.once_property(discard=discard)
        def attribute(self) -> Any:
            return initializer()

    owner = instance_of(Owner)
    return lambda: owner.attribute


@surface
def property_in_slot(gilonce: Any, initializer: Callable[[], Any], discard: Any) -> Touch:
    class Owner:
        __slots__ = ("_attribute",)

        @gilonce.once_property(slot="_attribute", discard=discard)
        def attribute(self) -> Any:
            return initializer()

    owner = instance_of(Owner)
    return lambda: owner.attribute


@surface
def property_of_class(gilonce: Any, initializer: Callable[[], Any], discard: Any) -> Touch:
    class Owner:
        @gilonce.once_property(discard=discard)
        @classmethod
        def attribute(cls) -> Any:
            return initializer()

    return lambda: Owner.attribute


@surface
def static_property(gilonce: Any, initializer: Callable[[], Any], discard: Any) -> Touch:
    class Owner:
        @gilonce.once_property(discard=discard)
        @staticmethod
        def attribute() -> Any:
            return initializer()

    return lambda: Owner.attribute


@surface
def async_property(gilonce: Any, initializer: Callable[[], Any], discard: Any) -> Touch:
    class Owner:
        @gilonce.once_property(discard=discard)
        async def attribute(self) -> Any:
            return initializer()

    owner = instance_of(Owner)
    return lambda: drive(owner.attribute)


@surface
def property_through_super(gilonce: Any, initializer: Callable[[], Any], discard: Any) -> Touch:
    class Base:
        @gilonce.once_property(discard=discard)
        def attribute(self) -> Any:
            return initializer()

    class Derived(Base):
        @property
        def attribute(self) -> Any:
            return super().attribute

    owner = instance_of(Derived)
    return lambda: owner.attribute


@surface
def proxy(gilonce: Any, initializer: Callable[[], Any], discard: Any) -> Touch:
    it = gilonce.lazy_global(initializer, discard=discard)
    return lambda: it.__wrapped__


@surface
def reified_global(gilonce: Any, initializer: Callable[[], Any], discard: Any) -> Touch:
    namespace: dict[str, Any] = {"lazy_global": gilonce.lazy_global, "make": initializer, "discard": discard}
    exec("IT = lazy_global(make, discard=discard)", namespace)

    def touch() -> Any:
        it = namespace["IT"]
        return getattr(it, "__wrapped__", it)

    return touch


class With:
    """The package, with the cells that `make` makes in the place of its own: for the surfaces above."""

    def __init__(self, gilonce: Any, make: Callable[[], Any]) -> None:
        self._gilonce = gilonce
        self._make = make

    def GILOnceCell(self, *, discard: None) -> Any:  # noqa: N802 - stands for the class
        return self._make()

    def once(self, *, discard: None) -> Any:
        return self._gilonce.once(cell=self._make)

    def once_property(self, *, discard: None, slot: str | None = None) -> Any:
        return self._gilonce.once_property(cell=self._make, slot=slot)

    def lazy_global(self, factory: Callable[[], Any], *, discard: None) -> Any:
        return self._gilonce.lazy_global(factory, cell=self._make)
