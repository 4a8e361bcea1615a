"""The proxy of a lazy global whose cell is not `final`: it keeps nothing, and asks the cell at every use.

wrapt's compiled proxy keeps the object once it has it. So this one is built on wrapt's
proxy in Python, which looks up its `__wrapped__` each time, and here that asks the cell.
"""

from __future__ import annotations

from types import FunctionType

from wrapt.wrappers import ObjectProxy  # type: ignore[import-untyped]

from ._proxy import ALWAYS, LazyProxy, ask, entries_of, implied_interface, methods_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._protocol import Cell


class AskingProxy(ObjectProxy):  # type: ignore[misc]
    # wrapt's two proxies have no base in common to which `LazyProxy`'s methods could be moved.
    locals().update(
        {
            name: entry
            for name, entry in vars(LazyProxy).items()
            if isinstance(entry, FunctionType) and name not in ("__init__", "__wrapped_get__")
        }
    )

    __wrapped_factory__ = True
    _self_is_made = False

    def __init__(self, factory: Callable[[], Any], cell: Cell[Any]) -> None:
        ObjectProxy.__init__(self, None)
        self._self_origin = factory, cell

    @property
    def _self_cell(self) -> Cell[Any]:
        return self._self_origin[1]

    __wrapped__ = property(ask)


#: The proxy classes by the special methods they have.
_classes: dict[tuple[str, ...], type[AskingProxy]] = {}


def make_asking_proxy(factory: Callable[[], Any], interface: type | None, cell: Cell[Any]) -> AskingProxy:
    """Return a proxy for what `cell` gives when it is asked with `factory`."""
    if interface is None:
        interface = implied_interface(factory)
    names = tuple(ALWAYS) if interface is None else methods_of(interface)
    if names not in _classes:
        metaclass: Any = type(AskingProxy)
        _classes.setdefault(names, metaclass("LazyProxy", (AskingProxy,), entries_of(names, AskingProxy)))
    return _classes[names](factory, cell)
