"""What gilonce must know about a callable before it wraps it.

The questions are those of `inspect`, which is not imported for them: it would make up
most of the time that `import gilonce` takes.
"""

from __future__ import annotations

import sys
from types import CodeType, FunctionType, MethodType

from ._implementation import in_c

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CO_OPTIMIZED = 0x01
_CO_VARARGS = 0x04
_CO_GENERATOR = 0x20
_CO_COROUTINE = 0x80
_CO_ASYNC_GENERATOR = 0x200


def name_of(function: Any) -> str:
    """Return the qualified name, or for what has none a description that asks no `repr`."""
    name = getattr(function, "__qualname__", None)
    # Not by `isinstance`, for what only passes for a str would be asked for what it does not have.
    if issubclass(type(name), str):
        return str(name)
    if _is_partial(function):
        return f"<partial of {name_of(function.func)}>"
    return f"<{type(function).__qualname__} object>"


# An object that says by its `__class__` that it is a function, a method or a partial may be a
# proxy for one, and then what it wraps is what counts. It may also be a mock, or lie: nothing
# that belongs to such a thing is taken for granted.


def _is_partial(function: Any) -> bool:
    # Who has one has the module; and at the interpreter's end, when a finalizer asks, none can be imported.
    functools = sys.modules.get("functools")
    return (
        functools is not None
        and isinstance(function, functools.partial)
        and hasattr(function, "func")
        and isinstance(getattr(function, "args", None), tuple)
        and isinstance(getattr(function, "keywords", None), dict)
    )


def _code_of(function: object) -> Any:
    code = getattr(function, "__code__", None)
    # PyPy's builtin functions have code of another type.
    return code if hasattr(type(code), "co_flags") else None


def kind_of_method(function: object) -> type | None:
    """Return `classmethod` or `staticmethod` if `function` is one, or passes for one and has what that has."""
    for kind in (classmethod, staticmethod):
        if isinstance(function, kind) and hasattr(function, "__func__"):
            return kind
    return None


def binds(function: object) -> bool:
    """Return whether `function`, found in a class, becomes a method of its instances."""
    return hasattr(type(function), "__get__") and not (isinstance(function, MethodType) or _is_partial(function))


def _code_flags(function: Any) -> int:
    """Return the flags of the code that a call of `function` runs, 0 if there is none to see."""
    # Bounded, because what says that it wraps may say so for ever.
    for _ in range(sys.getrecursionlimit()):
        if isinstance(function, FunctionType):
            code = _code_of(function)
            return 0 if code is None else code.co_flags
        if isinstance(function, type):
            return 0
        if isinstance(function, MethodType):
            function = getattr(function, "__func__", None)
        elif _is_partial(function):
            function = function.func
        else:
            function = getattr(type(function), "__call__", None)
            if not isinstance(function, FunctionType):
                return 0
    return 0


@in_c
def is_coroutine_function(function: object) -> bool:
    """Return whether a call of `function` returns a coroutine."""
    if _code_flags(function) & _CO_COROUTINE:
        return True
    # What inspect.markcoroutinefunction() leaves on a plain function. Some objects, mocks
    # above all, have every attribute that they are asked for, so it is inspect's word that counts.
    if getattr(function, "_is_coroutine_marker", None) is None:
        return False
    from inspect import iscoroutinefunction

    return iscoroutinefunction(function)


def is_generator_function(function: object) -> bool:
    """Return whether a call of `function` returns a generator or an asynchronous one."""
    return bool(_code_flags(function) & (_CO_GENERATOR | _CO_ASYNC_GENERATOR))


def hides_parameters(function: object) -> bool:
    """Return whether `function` takes whatever it is given, as wrappers made by decorators do."""
    return bool(_code_flags(function) & _CO_VARARGS)


def required_parameters(function: Any) -> tuple[list[str], list[str]]:
    """Return the names of the positional and of the keyword-only parameters without a default.

    As `inspect.signature` does, this follows `__wrapped__` to what a decorator wraps. Of a
    callable written in C nothing is known, and nothing returned.
    """
    seen: dict[int, Any] = {}
    # It may end in a circle, or, where attributes are made up when they are asked for, never.
    while hasattr(function, "__wrapped__") and id(function) not in seen and len(seen) < sys.getrecursionlimit():
        seen[id(function)] = function
        function = function.__wrapped__
    if _is_partial(function):
        positional, keyword_only = required_parameters(function.func)
        given = function.keywords
        return (
            [name for name in positional[len(function.args) :] if name not in given],
            [name for name in keyword_only if name not in given],
        )
    if isinstance(function, FunctionType):
        code: Any = _code_of(function)
        if not isinstance(code, CodeType):
            return [], []
        names = code.co_varnames
        defaults = len(getattr(function, "__defaults__", None) or ())
        keyword_defaults = getattr(function, "__kwdefaults__", None) or {}
        keywords = names[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        return (
            list(names[: code.co_argcount - defaults]),
            [name for name in keywords if name not in keyword_defaults],
        )
    maker: Any
    if isinstance(function, type):
        maker = getattr(function, "__init__", None)
        if maker is object.__init__:
            maker = function.__new__
    elif isinstance(function, MethodType):
        maker = getattr(function, "__func__", None)
    else:
        maker = getattr(type(function), "__call__", None)
    if not isinstance(maker, FunctionType):
        return [], []
    positional, keyword_only = required_parameters(maker)
    return positional[1:], keyword_only
