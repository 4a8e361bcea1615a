"""The proxy of a lazy global whose cell is not `final`. It keeps no object, and reads the cell at every use.

wrapt's proxy in C keeps the object once it has it. So this one is built on wrapt's proxy in Python, which looks up
`__wrapped__` at each use. Here, that reads the cell.
"""

from __future__ import annotations

from wrapt.wrappers import ObjectProxy  # type: ignore[import-untyped]

from .interfaces import implied_interface
from .proxy import ask, class_for, class_for_anything
from .proxy_methods import shared_methods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._cells.protocol import Cell
    from .proxy import Classes


class AskingProxy(ObjectProxy):  # type: ignore[misc]
    locals().update(shared_methods())
    _self_delattr = ObjectProxy.__delattr__

    def __init__(self, factory: Callable[[], Any], cell: Cell[Any], interface: type | None) -> None:
        ObjectProxy.__init__(self, None)
        self._self_origin = factory, cell, None, interface

    @property
    def _self_cell(self) -> Cell[Any]:
        return self._self_origin[1]

    # `__getattribute__` calls this hook for `__wrapped__`. The property is for code that looks in the class, and has no
    # setter, because there is nothing to assign to.
    __wrapped_get__ = ask
    __wrapped__ = property(ask)


#: The classes of proxies; see `proxy._by_interface`.
_by_interface: Classes = {}
_with_all = class_for_anything(AskingProxy, is_native=False)


def make_asking_proxy(factory: Callable[[], Any], interface: type | None, cell: Cell[Any]) -> Any:
    """Return a proxy for the value of `cell`, which `factory` computes where the cell is empty."""
    declared = implied_interface(factory) if interface is None else interface
    proxy_class: Any = (
        _with_all if declared is None else class_for(declared, AskingProxy, is_native=False, known=_by_interface)
    )
    proxy = AskingProxy.__new__(proxy_class)
    AskingProxy.__init__(proxy, factory, cell, interface)
    return proxy
