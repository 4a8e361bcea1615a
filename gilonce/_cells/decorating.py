"""Context managers that are decorators too: each call of the decorated function enters a new context."""

from __future__ import annotations

import sys
from functools import wraps

from .callables import is_async_generator_function, is_coroutine_function, is_generator_function

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from typing import Any

    MakeContext = Callable[[], Any]


#: By the name of their type: objects that look for a plain function in what they decorate, and their decorators.
_ONLY_ABOVE = {
    "FixtureFunctionDefinition": "@pytest.fixture",
    "classmethod": "@classmethod",
    "property": "@property",
    "staticmethod": "@staticmethod",
}


class Decorating:
    """A mixin for context managers. `_anew()` returns a new context manager that does the same."""

    __slots__ = ()

    def __call__(self: Any, function: Any) -> Any:
        name = type(self).__name__
        if isinstance(function, type):
            return _decorate_class(self._anew, function, name)
        decorator = _ONLY_ABOVE.get(type(function).__name__)
        if decorator is not None or not callable(function):
            hint = "" if decorator is None else f": put it below {decorator}"
            raise TypeError(
                f"{name} decorates functions and unittest.TestCase classes, not {function!r} "
                f"({type(function).__name__}){hint}"
            )
        if is_async_generator_function(function):
            around = _around_async_generator
        elif is_generator_function(function):
            around = _around_generator
        elif is_coroutine_function(function):
            around = _around_coroutine
        else:
            around = _around_call
        return around(self._anew, function)


def _decorate_class(anew: MakeContext, cls: type, name: str) -> type:
    # As long as unittest is not imported, no class is a TestCase.
    unittest = sys.modules.get("unittest")
    if unittest is None or not issubclass(cls, unittest.TestCase):
        raise TypeError(
            f"{name} decorates functions and unittest.TestCase classes, and {cls.__name__!r} is another class: "
            "decorate its methods, or use a fixture whose scope is the class"
        )
    for method in ("run", "debug"):
        setattr(cls, method, _around_test(anew, getattr(cls, method), is_inherited=method not in vars(cls)))
    return cls


def _around_test(anew: MakeContext, function: Any, is_inherited: bool) -> Any:
    """Return `function` with one more context around it. The contexts of a base class stay outside of it."""
    # Attributes are copied by `wraps`, so this checks that they belong to this very function.
    known: Any = getattr(function, "_contexts", (None,))
    decorated, outer, inner = known[1:] if known[0] is function else (function, (), ())
    if is_inherited:
        outer, inner = outer + inner, ()
    inner = anew, *inner
    call = decorated
    for context in reversed(outer + inner):
        call = _around_call(context, call)
    call._contexts = call, decorated, outer, inner
    return call


def _around_call(anew: MakeContext, function: Any) -> Any:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with anew():
            return function(*args, **kwargs)

    return call


def _around_coroutine(anew: MakeContext, function: Any) -> Any:
    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        async with anew():
            return await function(*args, **kwargs)

    return call


def _around_generator(anew: MakeContext, function: Any) -> Any:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with anew():
            return (yield from function(*args, **kwargs))

    return call


def _around_async_generator(anew: MakeContext, function: Any) -> Any:
    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        async with anew():
            inner = function(*args, **kwargs)
            # This does what `yield from` does, which an asynchronous generator cannot contain.
            try:
                step = inner.asend(None)
                while True:
                    try:
                        value = await step
                    except StopAsyncIteration:
                        return
                    try:
                        sent = yield value
                    except GeneratorExit:
                        raise
                    except BaseException as error:
                        step = inner.athrow(error)
                    else:
                        step = inner.asend(sent)
            finally:
                await inner.aclose()

    return call
