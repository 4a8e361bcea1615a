"""How a value that lost the race is given to `discard`, and what becomes of an error there."""

from __future__ import annotations

import sys
from types import SimpleNamespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def dispose(discard: Callable[[Any], object], value: object) -> None:
    """Call `discard` with a value that lost the race."""
    try:
        discard(value)
    except BaseException as error:
        report_unraisable(error, discard)


def report_unraisable(error: BaseException, source: object) -> None:
    """Pass `error`, which `source` raised, to `sys.unraisablehook`, as the interpreter does."""
    try:
        sys.unraisablehook(_report(error, "Exception ignored in discard", source))
    except BaseException as failure:
        sys.__unraisablehook__(_report(failure, "Exception ignored in sys.unraisablehook", sys.unraisablehook))


def _report(error: BaseException, message: str, source: object) -> Any:
    values: Any = (type(error), error, error.__traceback__, message, source)
    # CPython's default hook accepts only a type that `sys` does not export. That type is a subclass of tuple.
    # Other hooks, and PyPy's, look only at the attributes.
    for subclass in tuple.__subclasses__():
        if (subclass.__module__, subclass.__name__) == ("builtins", "UnraisableHookArgs"):
            return subclass(values)
    fields = ("exc_type", "exc_value", "exc_traceback", "err_msg", "object")
    return SimpleNamespace(**dict(zip(fields, values, strict=True)), extra_line="")
