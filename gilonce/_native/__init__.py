"""Load the native core, and choose the implementation: native if the core was built, else Python.

Every class and function is written in Python. `@replace_with_native` decorates those that also exist in C. If the core
was built, the decorator returns the C type or function of the same name. A C type defines only the operations that
programs use most. It takes everything else from the Python class: the other methods, the documentation, the errors.
So this is written once, in Python, and users get the C type itself, not a subclass of it.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    Original = TypeVar("Original")


def _find() -> Any:
    """Return the core's `replace` function, or None if the Python implementation is used."""
    if os.environ.get("GILONCE_PURE_PYTHON"):
        return None
    try:
        from .core import replace  # type: ignore[import-not-found]
    except ModuleNotFoundError:
        # The core was not built, because there was no compiler or this is not CPython. A core that was built and
        # cannot be loaded raises another ImportError, which is not caught.
        return None
    except SystemError as error:
        # The core has checked what it relies on, and cannot do without one of these things; see `assumptions.c`.
        import warnings

        warnings.warn(f"gilonce runs in Python, because {error}", RuntimeWarning, stacklevel=2)
        return None
    return replace


_replace = _find()

implementation = "python" if _replace is None else "native"


def replace_with_native(original: Original) -> Original:
    """Return the C type or function that replaces a Python one, or the original if the core is not used."""
    return original if _replace is None else _replace(original)
