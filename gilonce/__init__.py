"""Values that are computed once, when they are first needed, without locks.

Threads that need a value at the same time may each compute it. The first to finish publishes its value, and every
caller, in every thread, gets that one object. No thread waits for another, so nothing can deadlock. If a computation
raises, its caller gets the exception, and the next caller tries again.

    from gilonce import lazy_global, once, once_per_args, once_property

    @once                                   # one value per process
    def get_settings():
        return load_settings()

    @once_per_args(discard=Client.close)    # one value per arguments; discard closes what lost a race
    def get_client(region):
        return Client(region)

    class Circle:
        @once_property                      # one value per instance, then an ordinary attribute
        def area(self):
            return 3 * self.radius ** 2

        @once                               # on a method: one value per instance, for calls
        def outline(self):
            return compute_outline(self)

    CONFIG = lazy_global(load_config)       # a global that is computed when something first uses it

Each of these keeps its value in a cell. `get_settings.cell.take()` empties the cell, `get_settings.cell.set(value)`
fills it in advance, and a `GILOnceCell` also works on its own:

    cell = GILOnceCell()
    value = cell.get_or_init(compute)       # in a coroutine: await cell.aget_or_init(compute)

Another cell changes how the value is shared. Pass it as `cell=`, for example `@once(cell=OnceLock)`:

    GILOnceCell      one value per process; threads race to compute it (the default)
    OnceLock         one value per process; the function runs exactly once, and other callers wait
    ThreadOnceCell   one value per thread
    LoopOnceCell     one value per event loop, of asyncio or trio
    ProcessOnceCell  one value per process; a forked child computes its own

A test replaces a value for a while, and afterwards everything is as before. `cell_of` finds the cell of an attribute
that has no `.cell`, and `gilonce.testing` empties all cells at once:

    with get_settings.cell.override({"debug": True}), cell_of(circle, "area").override(12):
        ...

The function may run more than once, so a function with side effects that must not be repeated needs `cell=OnceLock`.
The value itself is shared as it is: gilonce does not make it thread-safe.

`help(gilonce.once)` and the other names say more. `python -m gilonce` compares gilonce with `functools`.
"""

from ._cells.racing import AlreadySetError, GILOnceCell
from ._native import implementation as __implementation__

__all__ = [
    "AlreadySetError",
    "Cell",
    "DeadlockError",
    "GILOnceCell",
    "LoopOnceCell",
    "OnceLock",
    "ProcessOnceCell",
    "ThreadOnceCell",
    "__implementation__",
    "__version__",
    "cell_of",
    "lazy_global",
    "once",
    "once_per_args",
    "once_property",
]

__version__ = "0.1.0"

#: The modules of the names that not every program needs. A module is imported when its name is first read.
_LAZY = {
    "Cell": "_cells.protocol",
    "DeadlockError": "_cells.wait_graph",
    "LoopOnceCell": "_cells.per_loop",
    "OnceLock": "_cells.exclusive",
    "ProcessOnceCell": "_cells.per_process",
    "ThreadOnceCell": "_cells.per_thread",
    "cell_of": "_surfaces.cell_of",
    "lazy_global": "_surfaces.lazy_global",
    "once": "_surfaces.once",
    "once_per_args": "_surfaces.once_per_args",
    "once_property": "_surfaces.once_property",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(globals().keys() | _LAZY.keys())
