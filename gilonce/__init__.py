"""Write-once values for Python: lazy, raced for freely, and one object for everyone."""

from ._cell import AlreadySetError, GILOnceCell
from ._global import lazy_global
from ._implementation import implementation as __implementation__
from ._once import once
from ._property import once_property

__all__ = [
    "AlreadySetError",
    "Cell",
    "DeadlockError",
    "GILOnceCell",
    "OnceLock",
    "ProcessOnceCell",
    "ThreadOnceCell",
    "__implementation__",
    "__version__",
    "lazy_global",
    "once",
    "once_property",
]

__version__ = "0.1.0"

#: Which room has the names that not everybody needs: it is imported when one is first asked for.
_ROOMS = {
    "Cell": "_protocol",
    "DeadlockError": "_waits",
    "OnceLock": "_lock",
    "ProcessOnceCell": "_per_process",
    "ThreadOnceCell": "_per_thread",
}


def __getattr__(name: str) -> object:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(globals().keys() | _ROOMS.keys())
