"""How once functions are pickled: by name, or by value.

pickle stores the name of a function, and the process that reads the pickle imports it. cloudpickle, which joblib, loky,
Dask, Ray and Spark use, and dill do the same for a function that can be imported. A function of `__main__`, or one that
was made in a function, they store *by value*: its code, defaults, closure and globals. A once function is then stored
as the decorated function and the options of its decorator. The copy is empty.

`__reduce__` does not know which pickler has called it, so this module looks at the calling frames:

* cloudpickle asks `isinstance(obj, FunctionType)` in a method `reducer_override`, a hook of `pickle.Pickler`, and makes
  a plain function of every object that says yes. So there, a once function says no. Then pickle calls `__reduce__`, as
  always.
* `__reduce__` looks for the first caller outside `pickle`. In a module of cloudpickle, or a vendored copy of it, the
  global `_should_pickle_by_reference` decides. dill has no such function; its rule is written down here.
"""

from __future__ import annotations

import sys
from types import FunctionType

from .._cells.callables import binds, name_of
from .disguise import AttributeOfFunctools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any


def class_for_callers(once: Any) -> type:
    """Return the `__class__` of a once function. Only `__class__` itself may call this."""
    function = once._function
    if once._binds_to == "class":
        return classmethod
    if is_static_method(once):
        return staticmethod
    if not isinstance(function, FunctionType):
        return AttributeOfFunctools
    caller = sys._getframe(1).f_back
    is_pickled = caller is not None and caller.f_code.co_name == "reducer_override"
    return AttributeOfFunctools if is_pickled else FunctionType


def is_static_method(once: Any) -> bool:
    """Return whether a `staticmethod` was decorated."""
    return once._binds_to == "nothing" and binds(once._function)


def is_pickled_by_value(once: Any) -> bool:
    """Return whether the running `once.__reduce__()` was called by a pickler that stores this object by value."""
    names = _globals_of_pickler(sys._getframe(1).f_back)
    by_reference: Callable[[object], bool] | None = names.get("_should_pickle_by_reference")
    # cloudpickle's function is for functions only.
    if by_reference is not None and isinstance(once, FunctionType):
        return not by_reference(once)
    return (by_reference is not None or names.get("__name__") == "dill._dill") and not _is_importable(once)


def slot_for_pickler(slot: str | None) -> str | None:
    """Return the option `slot` for what the running `__reduce__()` stores.

    A class that cloudpickle stores by value has lost its slots, and its instances have a `__dict__`. So the copy of a
    method or property keeps its values there.
    """
    names = _globals_of_pickler(sys._getframe(1).f_back)
    return None if "_should_pickle_by_reference" in names else slot


def _globals_of_pickler(caller: FrameType | None) -> dict[str, Any]:
    """Return the globals of the first caller outside the module `pickle`."""
    while caller is not None and caller.f_globals.get("__name__") == "pickle":
        caller = caller.f_back
    return {} if caller is None else caller.f_globals


def _is_importable(once: Any) -> bool:
    """Return whether another process finds `once` under its name."""
    module = sys.modules.get(getattr(once, "__module__", None) or "__main__")
    if module is None or module is sys.modules.get("__main__"):
        return False
    found: Any = module
    for name in getattr(once, "__qualname__", "").split("."):
        found = getattr(found, name, None)
    return found is once


def decorated(once: Any) -> Any:
    """Return what was decorated: the function, or a `classmethod` or `staticmethod` of it."""
    function = once._function
    if once._binds_to == "class":
        return classmethod(function)
    return staticmethod(function) if is_static_method(once) else function


def refuse(once: Any) -> None:
    """Raise PicklingError: a function that Python generates for `once_per_args` cannot be stored by value."""
    from pickle import PicklingError

    raise PicklingError(
        f"{name_of(once._function)}() cannot be pickled by value, because its code was generated. "
        "Define it at the top level of a module that can be imported, where it is pickled by name"
    )
