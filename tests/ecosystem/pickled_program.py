"""What test_pickling.py runs as a program: it stores objects of `__main__` by value, and another process loads them.

    python pickled_program.py PICKLER DECORATORS store FILE
    python pickled_program.py PICKLER DECORATORS load FILE
    python pickled_program.py joblib DECORATORS run

The process that loads prints, for each object, "ok" or an error. PICKLER is cloudpickle or dill; DECORATORS, which says
what decorates the objects, is functools or gilonce.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import json
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

pickler_name, decorators, action = sys.argv[1:4]
if decorators == "functools":
    once = functools.cache
    once_per_args: Any = functools.cache
    once_property: Any = functools.cached_property
    options: Any = lambda **_: functools.cache  # noqa: E731
    per_args_options: Any = lambda **_: functools.cache  # noqa: E731
else:
    import gilonce
    from gilonce import once, once_per_args, once_property  # type: ignore[assignment]

    assert gilonce.__implementation__ == os.environ["IMPLEMENTATION"]
    options = once
    per_args_options = once_per_args
GLOBAL = ["a global of the main module"]


def discard(value: object) -> None:
    pass


@once
def function() -> list[str]:
    """The docstring."""
    return [*GLOBAL]


function.mark = "marked"  # type: ignore[attr-defined]


@options(discard=discard)
def discards() -> object:
    return object()


@options(cell=functools.partial(gilonce.OnceLock, timeout=30) if decorators == "gilonce" else None)
def locked() -> object:
    return object()


@once
async def later() -> object:
    return object()


@once
def recursive() -> Any:
    return [recursive]


@once_per_args
def per_args(one: str, *, two: str = "two") -> list[str]:
    return [one, two]


@per_args_options(typed=True)
def per_typed_args(*args: object) -> list[object]:
    return [*args]


@per_args_options(key=len)
def per_key(text: str) -> list[str]:
    return [text]


@once_per_args
async def per_args_later(one: str) -> object:
    return object()


class Owner:
    @once
    def method(self) -> object:
        return object()

    @once_per_args
    def per_args(self, one: str) -> list[str]:
        return [one]

    @classmethod
    @once
    def of_class(cls) -> object:
        return object()

    @staticmethod
    @once
    def of_all() -> object:
        return object()

    @once_property
    def attribute(self) -> object:
        return object()


if decorators == "gilonce":

    class Inside(Owner):
        @once
        @classmethod
        def below(cls) -> object:
            return object()

        @once
        @staticmethod
        def static() -> object:
            return object()

        @once_property
        @classmethod
        def lazy(cls) -> object:
            return object()

    class Slotted:
        __slots__ = ("_attribute", "_method")

        @options(slot="_method")
        def method(self) -> object:
            return object()

        @gilonce.once_property(slot="_attribute")
        def attribute(self) -> object:
            return object()


def make() -> Any:
    secret = ["in a closure"]

    @once
    def local() -> list[str]:
        return secret

    return local


def same(call: Callable[[], object]) -> None:
    assert call() is call()


def once_only(loaded: Any) -> None:
    """Raise AssertionError unless `loaded` computes one value, in a new cell."""
    if decorators == "gilonce":
        assert not loaded.cell.is_set()
    same(loaded)
    if decorators == "gilonce":
        assert loaded.cell.get() is loaded()


def check_function(loaded: Any) -> None:
    once_only(loaded)
    assert loaded() == GLOBAL
    assert (loaded.__name__, loaded.__doc__, loaded.mark) == ("function", "The docstring.", "marked")
    assert isinstance(loaded, types.FunctionType) is (decorators == "gilonce")


def check_discards(loaded: Any) -> None:
    assert loaded._definition.discard.__name__ == "discard"
    once_only(loaded)


def check_locked(loaded: Any) -> None:
    import gilonce

    assert type(loaded.cell) is gilonce.OnceLock
    assert loaded.cell.timeout == 30
    once_only(loaded)


def check_later(loaded: Any) -> None:
    async def twice() -> bool:
        return await loaded() is await loaded()

    assert inspect.iscoroutinefunction(loaded) or decorators == "functools"
    assert asyncio.run(twice())


def check_recursive(loaded: Any) -> None:
    same(loaded)
    assert loaded()[0] is loaded


def check_per_args(loaded: Any) -> None:
    assert loaded("a") is loaded("a", two="two") is not loaded("b")
    assert loaded("a") == ["a", "two"]


def check_per_typed_args(loaded: Any) -> None:
    assert loaded(1) is loaded(1) is not loaded(1.0)


def check_per_key(loaded: Any) -> None:
    assert loaded("ab") is loaded("cd")


def check_per_args_later(loaded: Any) -> None:
    async def twice() -> bool:
        return await loaded("a") is await loaded(one="a")

    assert asyncio.run(twice())


def check_class(loaded: Any) -> None:
    first, second = loaded(), loaded()
    for owner in first, second:
        same(owner.method)
        same(lambda owner=owner: owner.per_args("a"))
        same(lambda owner=owner: owner.attribute)
    assert first.method() is not second.method()
    same(loaded.of_class)
    same(loaded.of_all)
    assert loaded.of_class() is first.of_class() is not type("Sub", (loaded,), {}).of_class()  # type: ignore[attr-defined]


def check_inside(loaded: Any) -> None:
    check_class(loaded)
    same(loaded.below)
    same(loaded.static)
    assert loaded.lazy is loaded().lazy
    assert loaded.below() is not type("Sub", (loaded,), {}).below()  # type: ignore[attr-defined]


def check_slotted(loaded: Any) -> None:
    first, second = loaded(), loaded()
    same(first.method)
    same(lambda: first.attribute)
    assert first.method() is not second.method()


def check_bound(loaded: Any) -> None:
    same(loaded)
    assert loaded() is loaded.__self__.method()


def check_local(loaded: Any) -> None:
    once_only(loaded)
    assert loaded() == ["in a closure"]


def check_builtin(loaded: Any) -> None:
    once_only(loaded)
    assert isinstance(loaded(), dict)


CHECKS: dict[str, Callable[[Any], None]] = {
    name.removeprefix("check_"): check for name, check in vars().copy().items() if name.startswith("check_")
}


def objects() -> dict[str, Any]:
    made = {name: globals().get(name) for name in CHECKS}
    made["class"] = Owner
    made["bound"] = Owner().method
    made["local"] = make()
    made["builtin"] = once(dict)
    made["inside"] = globals().get("Inside")
    made["slotted"] = globals().get("Slotted")
    return {name: value for name, value in made.items() if value is not None}


def store(path: Path) -> None:
    pickler = importlib.import_module(pickler_name)
    stored = {}
    for name, value in objects().items():
        try:
            stored[name] = pickler.dumps(value).hex()
        except Exception as error:
            stored[name] = f"{type(error).__name__}: {error}"
    path.write_text(json.dumps(stored), encoding="utf-8")


def load(path: Path) -> None:
    pickler = importlib.import_module(pickler_name)
    stored = json.loads(path.read_text(encoding="utf-8"))
    # In this process, nothing of `__main__` has the names of the other one.
    for name in (*objects(), "Owner", "Inside", "Slotted"):
        globals().pop(name, None)
    outcomes = {}
    for name, text in stored.items():
        try:
            CHECKS[name](pickler.loads(bytes.fromhex(text)))
            outcomes[name] = "ok"
        except ValueError:
            outcomes[name] = text  # the error of the process that stored it
        except BaseException as error:
            outcomes[name] = f"{type(error).__name__}: {error}"
    print(json.dumps(outcomes))


def task(number: int) -> list[Any]:
    """Run in a worker of joblib: call a function of `__main__` twice."""
    return [os.getpid(), function() is function(), function()]


def run() -> None:
    from joblib import Parallel, delayed

    print(json.dumps([os.getpid(), *Parallel(n_jobs=2)([delayed(task)(number) for number in range(4)])]))


if __name__ == "__main__":
    {"store": lambda: store(Path(sys.argv[4])), "load": lambda: load(Path(sys.argv[4])), "run": run}[action]()
