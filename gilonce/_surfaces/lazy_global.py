"""`lazy_global`: a global that is computed when something first uses it.

This module has the checks when a lazy global is made, and finds out whether it is made at module level. The proxy
itself is in `proxy.py`, which imports wrapt; the first `lazy_global()` call imports it.

The proxy is built on wrapt's. Replacing the name in a module follows PEP 810. The cell is pyo3's `GILOnceCell`.
"""

from __future__ import annotations

import sys

from .._cells.arguments import check_discard
from .._cells.callables import CO_OPTIMIZED, is_coroutine_function, name_of
from .._cells.public import public
from .._cells.racing import GILOnceCell, name_cell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._cells.racing import Discard


#: `proxy.make_proxy`, or None before the first call.
_make_proxy: Any = None


@public
def lazy_global(
    factory: Callable[[], Any],
    /,
    *,
    interface: type | None = None,
    reify: bool = True,
    discard: Discard = None,
    cell: Callable[[], Any] | None = None,
) -> Any:
    """Return a proxy for the object that `factory` makes when something first uses it.

    `CONFIG = lazy_global(load_config)` at the top of a module runs nothing. The first use of `CONFIG` runs
    `load_config` and goes through to its result. Threads that use it first at the same time may each run the factory;
    the first one to finish publishes its object, and all threads get that one: there is one value per process.

    If the call is at module level, the first use also replaces the name by the object, in this module and in every
    module that imported the name (`from settings import CONFIG`). From then on the name is as fast as any other
    global. Code that still holds the proxy, such as a class or a closure, can use it for every operation.

    A proxy can do what its object can do, and no more. It is callable, for example, only if the object is. Before the
    first use, its interface decides what it can do.

    `P.__wrapped__` is the real object. Assigning another object to it has no effect: `cell_of(module, "P")` has
    `override`, `set` and `take`, which reach everyone.

    A module that imports the name later gets the object itself, which `override`, `set` and `take` cannot replace.
    They do not reach the name in a namespace without a module in `sys.modules` either, after `exec` for example, unless
    their cell was asked for before the first use.

    Tools that look at everything in a module do not use its lazy globals: doctest, pydoc, unittest's loader, Sphinx's
    autodoc, and pytest with gilonce's plugin.

    Parameters:
        factory: called without arguments on the first use.
        interface: the class of the object, as specific as you know it. Before the first use, the proxy has the special
            methods of this class, and `isinstance` and `P.__class__` go by it. So do `P.__doc__`, `P.__module__`,
            `P.__dict__` and special names that the class lacks, except if it is `type`, `FunctionType`, `ModuleType` or
            a class with a `__getattr__`: then reading these uses the proxy. The default is `factory` itself if it is a
            class, else its return annotation if that names one class, which is not one of `collections.abc`. Without
            an interface, the proxy can be anything until it is used.
        reify: whether the first use replaces the name by the object.
        discard: called with each object that lost the race; see `GILOnceCell`.
        cell: a callable that makes the cell. The default is `GILOnceCell`. Use `OnceLock`,
            `functools.partial(OnceLock, timeout=30)`, `ThreadOnceCell`, `LoopOnceCell`, `ProcessOnceCell`, or your own
            (see `Cell`). If the cell is not `final`, the name keeps the proxy, which reads the cell at every use.

    Returns:
        A proxy, built on wrapt's. `proxy.__wrapped__` is the object, `proxy._self_cell` the cell.

    Raises:
        TypeError: if `factory` is not callable, or is a coroutine function; if `interface` is not a class; if `cell`
            does not make cells, or is given together with `discard`.
        RuntimeError: at a use, if the factory raises an AttributeError, which must not look like a missing attribute.
        BaseException: at a use, whatever else the factory raises. The next use tries again.

    >>> PRIMES = lazy_global(lambda: print("computing") or [2, 3, 5, 7])
    >>> len(PRIMES)
    computing
    4
    >>> PRIMES
    [2, 3, 5, 7]
    """
    global _make_proxy
    if not callable(factory):
        raise TypeError(f"lazy_global() takes a callable factory, not {factory!r} ({type(factory).__name__})")
    if is_coroutine_function(factory):
        raise TypeError(
            f"lazy_global() cannot use the coroutine function {name_of(factory)}(): touching an object "
            "cannot await. Decorate the function with @once and await its calls"
        )
    # By `type()`: in Python 3.10, `isinstance(list[int], type)` is true.
    if interface is not None and not issubclass(type(interface), type):
        raise TypeError(f"lazy_global(interface=...) takes a class, not {interface!r}")
    if cell is not None:
        from .._storage.cell_option import make_checked_cell

        its_cell = name_cell(make_checked_cell(cell, discard, "lazy_global"), factory)
        if not its_cell.final:
            from .._cells.registry import register_later
            from .asking_proxy import make_asking_proxy

            register_later(its_cell)
            return make_asking_proxy(factory, interface, its_cell)
    elif discard is None:
        its_cell = GILOnceCell()
    else:
        check_discard(discard, "lazy_global")
        its_cell = GILOnceCell(discard=discard)
    namespace = None
    if reify:
        # The flags exclude the frame of a function, because reading its `f_locals` would copy the locals. In a module,
        # unlike in a class body, the locals are the globals.
        frame = sys._getframe(1)
        caller_globals = frame.f_globals
        if not frame.f_code.co_flags & CO_OPTIMIZED and frame.f_locals is caller_globals:
            namespace = caller_globals
    if _make_proxy is None:
        from .proxy import make_proxy

        _make_proxy = make_proxy
    return _make_proxy(factory, interface, its_cell, namespace)
