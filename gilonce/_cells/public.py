"""How public classes and functions present themselves."""

from __future__ import annotations

from types import FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    Public = TypeVar("Public")


def public(thing: Public) -> Public:
    """Let a public class or function name `gilonce` as its module, and hide the annotations of its signatures.

    Tracebacks, pickles and `help()` then show `gilonce.GILOnceCell`, and no module that may be renamed.
    """
    shown: Any = thing
    shown.__module__ = "gilonce"
    return hide_annotations(thing)


def hide_annotations(thing: Public) -> Public:
    """Take the annotations off a function, or off a class and its methods.

    They are strings, which `help()` would show in quotes. Type checkers read the files.
    """
    if not isinstance(thing, type):
        _hide_annotations_of(thing)
        return thing
    # The methods of our own base classes are shown too.
    for cls in thing.__mro__:
        # The `__module__` of a class that looks like a function is not a string.
        if cls is thing or str(cls.__module__).partition(".")[0] == "gilonce":
            for entry in cls.__dict__.values():
                _hide_annotations_of(entry)
            if "__annotations__" in cls.__dict__:
                del cls.__annotations__
    return thing


def _hide_annotations_of(entry: Any) -> None:
    # `help()` shows the signature of the function behind `__wrapped__`.
    for function in (entry, getattr(entry, "__wrapped__", None)):
        if type(function) is FunctionType:
            function.__annotations__ = {}
