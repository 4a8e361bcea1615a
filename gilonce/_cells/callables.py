"""What gilonce must know about a callable before it wraps it.

`inspect` could tell most of it, but is not imported here: importing it takes longer than importing all of gilonce.
"""

from __future__ import annotations

import sys
from types import CodeType, FunctionType, MethodType

from .._native import replace_with_native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CO_OPTIMIZED = 0x01
_CO_VARARGS = 0x04
_CO_GENERATOR = 0x20
_CO_COROUTINE = 0x80
_CO_ASYNC_GENERATOR = 0x200


def name_of(function: Any) -> str:
    """Return the qualified name of a callable. If it has none, describe it without calling its `repr`."""
    name = getattr(function, "__qualname__", None)
    # type(), not isinstance(): an object whose `__class__` says str may lack what a str has.
    if issubclass(type(name), str):
        return str(name)
    if _is_partial(function):
        return f"<partial of {name_of(function.func)}>"
    return f"<{type(function).__qualname__} object>"


# Below, isinstance() and not type() decides whether an object is a function, a method or a partial, because a proxy
# for one counts as what it wraps. Mocks say the same of themselves. So every attribute is looked up with a default.


def _is_partial(function: Any) -> bool:
    # A program that has a partial has imported functools. A finalizer at the interpreter's exit cannot import it.
    functools = sys.modules.get("functools")
    return (
        functools is not None
        and isinstance(function, functools.partial)
        and hasattr(function, "func")
        and isinstance(getattr(function, "args", None), tuple)
        and isinstance(getattr(function, "keywords", None), dict)
    )


def _is_function(it: object) -> bool:
    """Return whether `it` is a function, or a compiled function that has the attributes of one.

    Functions that Cython compiles have a `__code__` with the flags and parameters of the source. Those of mypyc have
    one if they are asynchronous; see `has_opaque_code`. Only an attribute of the type counts, because a decorator's
    object may pass every attribute on to what it wraps.
    """
    return isinstance(it, FunctionType) or (
        getattr(type(it), "__code__", None) is not None and type(getattr(it, "__code__", None)) is CodeType
    )


def has_opaque_code(function: Any) -> bool:
    """Return whether mypyc has compiled `function`, so that its `__code__` lacks `CO_OPTIMIZED` and the parameters."""
    return _is_function(function) and not _code_flags(function) & CO_OPTIMIZED


def _code_of(function: object) -> Any:
    code = getattr(function, "__code__", None)
    # A builtin function of PyPy has a `__code__` of another type.
    return code if hasattr(type(code), "co_flags") else None


def attributes_of(function: Any) -> dict[str, Any] | None:
    """Return a copy of the attributes that users and decorators have set on `function`, or None if there are none.

    These are the attributes that `functools.update_wrapper` copies. `__wrapped__` is left out: it leads to what is
    behind `function`, not to `function`. A class has no such attributes, because its `__dict__` is its definition.
    """
    attributes: Any = getattr(function, "__dict__", None)
    if not issubclass(type(attributes), dict):
        return None
    copied = dict(attributes)
    copied.pop("__wrapped__", None)
    if method_type_of(function) is not None:
        # `classmethod` and `staticmethod` have copied the function's dunder names only. The rest was set on them.
        marks = {name: mark for name, mark in copied.items() if not name.startswith("__")}
        copied = {**(attributes_of(function.__func__) or {}), **marks}
    return copied or None


def is_outside_classes(function: object) -> bool:
    """Return whether `function` was defined outside every class body, according to its `__qualname__`."""
    name = getattr(function, "__qualname__", None)
    if not issubclass(type(name), str):
        return False
    outer = str(name).rpartition(".")[0]
    return not outer or outer.endswith("<locals>")


def method_type_of(function: object) -> type | None:
    """Return `classmethod` or `staticmethod` if `function` is one, or a proxy for one; else None."""
    for decorator in (classmethod, staticmethod):
        if isinstance(function, decorator) and hasattr(function, "__func__"):
            return decorator
    return None


def binds(function: object) -> bool:
    """Return whether `function` becomes a method of the instances of a class that has it as an attribute."""
    return hasattr(type(function), "__get__") and not (isinstance(function, MethodType) or _is_partial(function))


def _code_flags(function: Any) -> int:
    """Return the flags of the code that a call of `function` runs, or 0 if no code is found."""
    # The number of steps is limited, because an object may say that it wraps itself.
    for _ in range(sys.getrecursionlimit()):
        # First, because isinstance() would look up `__class__` on the class.
        if issubclass(type(function), type):
            return 0
        if _is_function(function):
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
            if not _is_function(function):
                return 0
    return 0


@replace_with_native
def is_coroutine_function(function: object) -> bool:
    """Return whether a call of `function` returns a coroutine."""
    if _code_flags(function) & _CO_COROUTINE:
        return True
    # inspect.markcoroutinefunction() sets this attribute on plain functions. A mock has every attribute that is
    # looked up, so `inspect` decides.
    if getattr(function, "_is_coroutine_marker", None) is None:
        return False
    from inspect import iscoroutinefunction

    return iscoroutinefunction(function)


def is_generator_function(function: object) -> bool:
    """Return whether a call of `function` returns a generator or an asynchronous generator."""
    return bool(_code_flags(function) & (_CO_GENERATOR | _CO_ASYNC_GENERATOR))


def is_async_generator_function(function: object) -> bool:
    """Return whether a call of `function` returns an asynchronous generator."""
    return bool(_code_flags(function) & _CO_ASYNC_GENERATOR)


def hides_parameters(function: object) -> bool:
    """Return whether a call of `function` may bring arguments that `required_parameters` does not know.

    It has a parameter such as `*args`, as the wrappers of many decorators do, or it is compiled, and nothing is known
    of its parameters.
    """
    flags = _code_flags(function)
    is_known = bool(flags & CO_OPTIMIZED) or hasattr(function, "__wrapped__")
    return bool(flags & _CO_VARARGS) or not is_known


def required_parameters(function: Any) -> tuple[list[str], list[str]]:
    """Return the names of the positional and of the keyword-only parameters that have no default.

    Like `inspect.signature`, this follows `__wrapped__` to what a decorator wraps. The parameters of a callable
    that is written in C are not known, so the result for it is two empty lists.
    """
    seen: dict[int, Any] = {}
    # The chain of `__wrapped__` may be a circle. A mock has a new `__wrapped__` behind each.
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
    if _is_function(function):
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
    if not _is_function(maker):
        return [], []
    positional, keyword_only = required_parameters(maker)
    return positional[1:], keyword_only
