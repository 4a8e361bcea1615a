"""`lazy_global`: a global that comes into being when something first touches it.

Here is what happens around the proxy: the checks when it is made, and reification. The
proxy itself, and with it wrapt, is imported by the first call and not before.
"""

from __future__ import annotations

import sys

from ._callables import CO_OPTIMIZED, is_coroutine_function, name_of
from ._cell import GILOnceCell, check_discard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._cell import Discard


#: `_proxy.make_proxy`, imported by the first call.
_make_proxy = GILOnceCell()


def lazy_global(
    factory: Callable[[], Any],
    /,
    *,
    interface: type | None = None,
    reify: bool = True,
    discard: Discard = None,
    cell: Callable[[], Any] | None = None,
) -> Any:
    """Return a proxy for the object that `factory` makes, which runs on the first touch.

    `CONFIG = lazy_global(load_config)` at the top of a module: nothing runs until
    something uses `CONFIG`; then one value per process is made and the use goes through.
    Threads that touch it first at the same time may each run the factory; the first to
    finish publishes its object, and all of them get that one.

    Where the call stands at module level, the first touch also puts the real object in
    the place of the name, so that the module's own code, and `module.CONFIG`, run at the
    speed of a plain global. Who imported the name earlier holds the proxy, and it works.

    Parameters:
        factory: called without arguments on the first touch.
        interface: a class that says which of the special methods by which objects are
            told apart (is it callable? iterable?) the proxy has before it is touched.
            By default, `factory` itself if it is a class, or its return annotation where
            that is a class (and says something: `object` does not); else it has all.
        reify: whether to put the real object in the place of the name.
        discard: called with an object that lost the race; see `GILOnceCell`.
        cell: makes the cell that keeps the object, where it is to be another than
            `GILOnceCell`: `OnceLock`, `functools.partial(OnceLock, timeout=30)`,
            `ThreadOnceCell`, `ProcessOnceCell`, or your own (see `Cell`). If it is not
            `final`, nothing is put in the place of the name, and each use of the proxy asks the cell.

    Returns:
        A proxy, built on wrapt's. `proxy.__wrapped__` is the real object,
        `proxy._self_cell` the cell. The proxy keeps the object once it was touched.

    Raises:
        TypeError: `factory` is not callable, or is a coroutine function; `interface` is
            not a class; `cell` makes none, or is given together with `discard`.
        RuntimeError: at a touch, from an AttributeError of the factory, which must not be
            taken for a missing attribute.
        BaseException: at a touch, what else the factory raised; the next touch tries again.

    The proxy is wrapt's, reification PEP 810's, the cell pyo3's `GILOnceCell`.

    >>> PRIMES = lazy_global(lambda: print("computing") or [2, 3, 5, 7])
    >>> len(PRIMES)
    computing
    4
    >>> PRIMES
    [2, 3, 5, 7]
    """
    if not callable(factory):
        raise TypeError(f"lazy_global() takes a callable factory, not {factory!r} ({type(factory).__name__})")
    if is_coroutine_function(factory):
        raise TypeError(
            f"lazy_global() cannot use the coroutine function {name_of(factory)}(): touching an object "
            "cannot await. Decorate the function with @once and await its calls"
        )
    # By `type()`, for in Python 3.10 `isinstance(list[int], type)` is true.
    if interface is not None and not issubclass(type(interface), type):
        raise TypeError(f"lazy_global(interface=...) takes a class, not {interface!r}")
    if cell is not None:
        from ._chosen import choose

        its_cell = choose(cell, discard, "lazy_global")
    elif discard is None:
        its_cell = GILOnceCell()
    else:
        check_discard(discard, "lazy_global")
        its_cell = GILOnceCell(discard=discard)
    namespace = None
    if reify:
        # A function's frame is told by its code, for to ask for its locals would copy
        # them; of the rest, classes and modules, only a module has its globals for locals.
        frame = sys._getframe(1)
        if not frame.f_code.co_flags & CO_OPTIMIZED and frame.f_locals is frame.f_globals:
            namespace = frame.f_globals
    # `get` alone is the faster way, once it is there.
    make_proxy = _make_proxy.get() or _make_proxy.import_attr(f"{__package__}._proxy", "make_proxy")
    if not its_cell.final:
        from ._asking import make_asking_proxy

        return make_asking_proxy(factory, interface, its_cell)
    return make_proxy(factory, interface, its_cell, namespace)
