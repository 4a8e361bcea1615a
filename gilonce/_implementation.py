"""Which implementation serves: the native core where it was built, else Python.

The Python classes are the reference, and the native core is told of them by decoration:
`@in_c` puts the C type of that name in the place of the class. The C type has the hot
operations; everything else it has from the class, documentation and errors included, so
each is written once, and the type that users get is the C type itself.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    Taken = TypeVar("Taken")


def _find() -> Any:
    """Return the function of the native core that puts C in the place of Python, or None where Python serves."""
    if os.environ.get("GILONCE_PURE_PYTHON"):
        return None
    try:
        from ._native import take_over  # type: ignore[import-not-found]
    except ModuleNotFoundError:
        # It was not built: there was no compiler, or this is not CPython. One that was
        # built and cannot be loaded is an error like any other.
        return None
    return take_over


_take_over = _find()

implementation = "python" if _take_over is None else "native"


def in_c(reference: Taken) -> Taken:
    """Return what takes the place of a class or function in C, or the reference itself where Python serves."""
    return reference if _take_over is None else _take_over(reference)
