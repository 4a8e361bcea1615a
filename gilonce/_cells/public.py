"""How public classes and functions present themselves."""

from __future__ import annotations

from types import FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    Public = TypeVar("Public")


def public(thing: Public) -> Public:
    """Let a public class or function name `gilonce` as its module, and take the annotations off its signatures.

    Tracebacks, pickles and `help()` then show `gilonce.GILOnceCell`, and no module that may be renamed. The
    annotations are strings here, which `help()` would show in quotes. Type checkers read them in `__init__.pyi`.
    """
    shown: Any = thing
    shown.__module__ = "gilonce"
    if not isinstance(shown, type):
        shown.__annotations__ = {}
        return thing
    # The methods of our own base classes are shown too.
    for cls in shown.__mro__:
        if str(cls.__module__).partition(".")[0] == "gilonce":
            for entry in cls.__dict__.values():
                # What `explain_misuse` has made shows the signature of the function that it wraps.
                for function in (entry, getattr(entry, "__wrapped__", None)):
                    if type(function) is FunctionType:
                        function.__annotations__ = {}
            if "__annotations__" in cls.__dict__:
                del cls.__annotations__
    return thing
