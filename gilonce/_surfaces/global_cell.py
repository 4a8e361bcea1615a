"""The cell of a lazy global, as `cell_of` returns it.

A touched proxy keeps the object, and so do the modules in which the first touch has replaced the name. Changing the
cell alone would change neither. `GlobalCell` changes the cell and then updates the proxy and the names.

After the name in a module is replaced, the module does not lead to the proxy any more. `_kept` keeps the proxy, and
with it the cell, as long as the module lives. It keeps nothing if the module is not in `sys.modules` under its
`__name__`, and nothing for a namespace without a module, such as one given to `exec`.
"""

from __future__ import annotations

import sys
from functools import partial
from types import ModuleType
from typing import Any
from weakref import ref

from .._cells.override import in_one_step
from .._cells.racing import EMPTY, CopiedAsItsCell, GILOnceCell, NamedCell
from .._cells.registry import register
from .interfaces import module_entries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .._cells.override import Override

# The callbacks of the weak references below are in C, because Ctrl-C in one that runs bytecode would be lost.

#: By the `id` of a module: the module, and the proxies by the names that were replaced there.
_kept: dict[int, tuple[ref[ModuleType], dict[str, Any]]] = {}


def _keep(proxy: Any, namespace: dict[str, Any], name: str) -> None:
    module: Any = sys.modules.get(namespace.get("__name__", ""))
    # `type()` and the descriptor, because a module may have another class, which can run any code.
    if issubclass(type(module), ModuleType) and module_entries(module) is namespace:
        key = id(module)
        if key not in _kept:
            _kept.setdefault(key, (ref(module, partial(_kept.pop, key)), {}))
        _kept[key][1][name] = proxy


def is_lazy(it: object) -> bool:
    """Return whether `it` is a proxy that `lazy_global` has made, without touching it."""
    # Only classes of such proxies have this entry. No attribute of `it` is looked up.
    return any(["_self_update" in vars(cls) for cls in type.__dict__["__mro__"].__get__(type(it))])  # noqa: C419


def cell_of_proxy(proxy: Any) -> Any:
    """Return the cell behind a proxy."""
    cell = proxy._self_cell
    if not cell.final:
        # The proxy keeps nothing, so its cell is enough.
        return cell
    if hasattr(type(cell), "_replace"):
        return GlobalCell(proxy, cell)
    from .._cells.foreign import ForeignCell

    return _ForeignGlobalCell(proxy, ForeignCell(cell))


def cell_of_name(module: ModuleType, name: str) -> Any:
    """Return the cell of a lazy global whose name in a module has been replaced by the object, or None."""
    _, proxies = _kept.get(id(module), (None, {}))
    proxy = proxies.get(name)
    if proxy is None:
        return None
    entry = _names_of(proxy).get((id(vars(module)), name))
    return cell_of_proxy(proxy) if entry is not None and in_one_step(_is_ours, entry) else None


def place_of(name: str, value: object) -> tuple[str, str] | None:
    """Return the module and the name of a reified global that has this name or this value, or None."""
    for _, proxies in list(_kept.values()):
        for its_name, proxy in proxies.copy().items():
            namespace = proxy._self_origin[2]
            if its_name in namespace and (its_name == name or proxy._self_cell.get(EMPTY) is value):
                return str(namespace.get("__name__")), its_name
    return None


def register_proxy(proxy: Any) -> None:
    """Register a proxy that is about to get a value, unless that was done before."""
    if not proxy._self_is_registered:
        register(proxy)
        proxy._self_is_registered = True


class _Names(dict[tuple[int, str], "list[Any]"]):
    """The names in modules under which a touch has found the proxy, by the `id` of the namespace and the name.

    Each entry is a list of the namespace, the name, and twice what gilonce has put there: the proxy or an object. It is
    made before the name is replaced. So a thread that finds the object under the name also finds the entry.
    """

    __slots__ = ("__weakref__",)


#: The `_Names` by the `id` of the proxy. The proxy refers to them too, and keeps them alive.
_all_names: dict[int, ref[_Names]] = {}


def _names_of(proxy: Any) -> _Names:
    """Return the names of a proxy. Threads that ask at the same time get the same object."""
    names: _Names | None = proxy._self_names
    if names is None:
        key, mine = id(proxy), _Names()
        while names is None:
            names = _all_names.setdefault(key, ref(mine, partial(_all_names.pop, key)))()
        proxy._self_names = names
    return names


# The next two are steps for `in_one_step`. They hold the object that they replace, so none is freed in them.


def _is_ours(entry: list[Any]) -> bool:
    namespace, name, bound, coming = entry
    return name in namespace and (namespace[name] is bound or namespace[name] is coming)


def _rebind(entry: list[Any], proxy: object, target: object) -> None:
    namespace, name, bound, coming = entry
    # A name that the user has rebound is left alone, unless to the proxy, as monkeypatch does when it undoes.
    if name in namespace:
        found = namespace[name]
        if found is bound or found is coming or found is proxy:
            # An interrupt may come between any two writes. At each point the entry has what the namespace holds.
            entry[2] = found
            entry[3] = target
            namespace[name] = target
            entry[2] = target


def note_names(proxy: Any, found: list[tuple[dict[str, Any], str]]) -> None:
    """Remember the names that `find_names` has found, before they are replaced."""
    names = _names_of(proxy)
    for namespace, name in found:
        names.setdefault((id(namespace), name), [namespace, name, proxy, proxy])
        _keep(proxy, namespace, name)


def replace_names(proxy: Any, target: object) -> None:
    """Put `target` where the modules hold the proxy or its object."""
    for entry in _names_of(proxy).copy().values():
        in_one_step(_rebind, entry, proxy, target)


def holds(proxy: Any, value: object) -> bool:
    """Return whether the cell of a proxy holds `value`.

    A user's own cell is not asked. So a touch that runs while another thread empties such a cell may undo that.
    """
    cell = proxy._self_cell
    return not hasattr(type(cell), "_replace") or cell.get(EMPTY) is value


def follow_if_changed(proxy: Any, value: object) -> None:
    """Update a proxy that has been touched, if its cell has changed since it gave `value`."""
    if not holds(proxy, value):
        follow_cell(proxy, proxy._self_cell)


def follow_cell(proxy: Any, cell: Any) -> None:
    """Update a proxy, and the names in which it was replaced, to what the cell holds."""
    while True:
        value = cell._load()
        if proxy._self_is_made is not False:
            proxy._self_update(value)
        replace_names(proxy, proxy if value is EMPTY else value)
        # A user's own cell is asked once, because each answer may be another object.
        if cell._calls_user or cell._load() is value:  # pragma: no branch - otherwise another thread has changed it
            return


class GlobalCell(CopiedAsItsCell):
    """The cell of a lazy global. It has the methods of `GILOnceCell`. A copy of it is a standalone cell."""

    final = True

    def __init__(self, proxy: Any, cell: Any) -> None:
        self._proxy = proxy
        self._cell = cell

    def get(self, default: Any = None) -> Any:
        return self._cell.get(default)

    def is_set(self) -> bool:
        return bool(self._cell.is_set())

    def get_or_init(self, initializer: Callable[[], Any], /) -> Any:
        register_proxy(self._proxy)
        return self._cell.get_or_init(initializer)

    async def aget_or_init(self, initializer: Callable[[], Awaitable[Any]], /) -> Any:
        register_proxy(self._proxy)
        return await self._cell.aget_or_init(initializer)

    def set(self, value: Any, /) -> None:
        register_proxy(self._proxy)
        cell = self._cell
        if type(cell) is GILOnceCell:
            # `lazy_global` makes a cell without a name, because a cell with a name takes longer to make.
            published, written = cell._publish(value)
            if not written:
                raise NamedCell(self._proxy._self_origin[0], None)._rejection(published, value)
        else:
            cell.set(value)
        follow_cell(self._proxy, self._cell)

    def take(self, default: Any = None) -> Any:
        taken = self._cell.take(default)
        follow_cell(self._proxy, self._cell)
        return taken

    def import_attr(self, module: str, attr: str) -> Any:
        register_proxy(self._proxy)
        return self._cell.import_attr(module, attr)

    def override(self, value: Any, /) -> Override:
        from .._cells.override import Override

        return Override(self, value)

    def __repr__(self) -> str:
        return repr(self._cell)

    # What `override` and `gilonce.testing` need; see `GILOnceCell`.

    @property
    def _calls_user(self) -> bool:
        return bool(self._cell._calls_user)

    @property
    def _discard(self) -> Any:
        return self._cell._discard

    @property
    def _made(self) -> int:
        return int(self._cell._made)

    @_made.setter
    def _made(self, number: int) -> None:
        self._cell._made = number

    def _place(self) -> tuple[Any, ...]:
        place: tuple[Any, ...] = self._cell._place()
        return place

    def _load(self) -> Any:
        return self._cell._load()

    def _replace(self, *arguments: Any) -> Any:
        return self._cell._replace(*arguments)

    def _cover(self) -> None:
        register_proxy(self._proxy)

    def _to_override(self) -> GlobalCell:
        return self

    _to_isolate = _to_override

    def _take_all(self) -> list[tuple[int, object]]:
        taken: list[tuple[int, object]] = self._cell._take_all()
        follow_cell(self._proxy, self._cell)
        return taken

    def _values_in(self, made: int, value: object) -> list[tuple[int, object]]:
        values: list[tuple[int, object]] = self._cell._values_in(made, value)
        return values

    def _wake(self) -> None:
        self._cell._wake()
        follow_cell(self._proxy, self._cell)


class _ForeignGlobalCell(GlobalCell):
    """The same with a user's own cell. Other methods of that cell can be used as well."""

    def override(self, _: Any, /) -> Override:
        from .._cells.foreign import no_override

        raise no_override(self._cell._cell)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cell, name)
