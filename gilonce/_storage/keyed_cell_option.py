"""The option `cell=` of `once_per_args`: each key has a cell of the class that the user asks for.

There are three cases:

* `cell=GILOnceCell` changes nothing but `discard`; see `keyed.py`.
* `cell=OnceLock`: the cell of a key lets one thread or task at a time fill it.
* Any other cell is made once for each key. The key's node holds the cell, looks like it, and forwards every call to it.
  After each call the node looks whether the cell has a value, because the table keeps only nodes with a value alive.
"""

from __future__ import annotations

from weakref import ref

from .._cells.exclusive import OnceLock, WaitingInit
from .._cells.racing import EMPTY, CopiedAsItsCell, GILOnceCell, name_cell
from .keyed import KeyedCell, KeyedDefinition, Nodes, OwnedTable, Table, current_node, nodes_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterable
    from typing import Any

    from .._cells.override import Override
    from .._cells.wait_graph import Attempt
    from .keyed import Chain


def definition_of(function: object, make: Callable[[], Any], made: Any, advice: str) -> KeyedDefinition:
    """Return the definition for the values of `function`, for `cell=make`.

    Parameters:
        function: the decorated function.
        make: the argument of `cell=`.
        made: a cell that `make` has made.
        advice: as for `Definition`.
    """
    if type(made) is GILOnceCell:
        return KeyedDefinition(function, made._discard, advice)
    if type(made) is OnceLock:
        return LockedDefinition(function, made.timeout, advice)
    return CellPerKeyDefinition(function, lambda: name_cell(make(), function), advice)


# cell=OnceLock


class LockedDefinition(KeyedDefinition):
    """A definition whose cells let one thread or task at a time fill them, as `OnceLock` does."""

    __slots__ = ("timeout",)

    races = False

    def __init__(self, function: object, timeout: float | None, advice: str) -> None:
        super().__init__(function, None, advice)
        self.timeout = timeout

    def make_cell(self) -> OnceLock:
        return OnceLock(timeout=self.timeout)

    def make_table(self, owner: object = None, items: Iterable[Any] = ()) -> Any:
        return Table(self, KeyedLock, owner, items)


class KeyedLock(WaitingInit, KeyedCell):
    """The cell of one key, which one thread or task at a time fills."""

    __slots__ = ("_attempts",)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._attempts: dict[Any, Attempt] = {}

    def _register(self) -> tuple[dict[Any, Attempt], Hashable, object]:
        # The cell that calls find, if a finalizer has brought this one back: the two must not initialize at once.
        node = self._current()
        return node._attempts, "attempt", node

    def _timeout(self: Any) -> float | None:
        timeout: float | None = self._definition.timeout
        return timeout


# Any other cell


class CellPerKeyDefinition(KeyedDefinition):
    """A definition for which each key has a cell that `make` has made."""

    __slots__ = ("make",)

    #: False, because a value may be for one thread or one process only.
    carries = False

    races = False

    def __init__(self, function: object, make: Callable[[], Any], advice: str) -> None:
        super().__init__(function, None, advice)
        self.make = make

    def make_table(self, owner: object = None, _: Iterable[Any] = ()) -> Any:
        return CellPerKeyTable(self, owner)


class CellPerKeyTable(OwnedTable):
    """One node per key, which holds a cell that the user asked for.

    It is built like `keyed.Table`, but is not in C in either implementation.
    """

    __slots__ = ("__weakref__", "definition", "nodes", "owner", "pins", "weakly")

    def __init__(self, definition: CellPerKeyDefinition, owner: object) -> None:
        self.definition = definition
        self.nodes = Nodes()
        self.pins: dict[int, ForwardingNode] = {}
        self.weakly = ref(self)
        self._set_owner(owner)

    def cell_of(self, key: Hashable) -> ForwardingNode:
        """Return the one node of `key`."""
        node: ForwardingNode = self.nodes.node_of(key, self._make)
        return node

    def _make(self, key: Hashable, chain: Chain) -> ForwardingNode:
        return ForwardingNode(self.definition.make(), self.weakly, key, chain)

    def items(self) -> list[tuple[Any, Any]]:
        """Return an empty list, because a value may be for one thread or one process only."""
        return []

    def cells(self) -> list[ForwardingNode]:
        """Return all cells: one whose value is overridden may have no pin."""
        return self.nodes.alive()

    def take_all(self) -> list[Any]:
        """Empty all cells and return the values that they held: of `ThreadOnceCell`, those of the calling thread."""
        values = [node.take(EMPTY) for node in nodes_of(self)]
        return [value for value in values if value is not EMPTY]

    def note(self, node: ForwardingNode) -> None:
        """Pin `node` if its cell may have a value. Remove its pin if not. See `keyed.Table.note`."""
        is_full = node._is_full()
        while True:
            if is_full:
                self.pins[id(node)] = node
            else:
                self.pins.pop(id(node), None)
            was_full, is_full = is_full, node._is_full()
            if is_full == was_full:  # pragma: no branch - different only if another thread comes in between
                return


class ForwardingNode(CopiedAsItsCell):
    # The node of one key: it looks like the cell that it holds, and forwards every call to that cell. This is not a
    # docstring, which the user would find as `f.cell(...).__doc__`.

    __slots__ = ("__weakref__", "_chain", "_had_value", "_key", "_own_cell", "_reference", "_table")

    def __init__(self, cell: Any, table: Callable[[], CellPerKeyTable | None], key: Hashable, chain: Chain) -> None:
        self._own_cell = cell
        self._table = table
        self._key = key
        self._chain = chain
        self._had_value = False

    @property
    def _cell(self) -> Any:
        return current_node(self)._own_cell

    def _is_full(self) -> bool:
        cell = self._cell
        if cell.final or isinstance(cell, GILOnceCell):
            return bool(cell.is_set())
        # A cell that is not final may hold values for other threads, which `is_set` does not report.
        return bool(cell._is_set_anywhere()) if hasattr(type(cell), "_is_set_anywhere") else self._had_value

    def _note(self) -> None:
        table = self._table()
        if table is not None:
            node = current_node(self)
            node._had_value |= self._had_value
            table.note(node)

    def _fill_by(self, fill: Callable[..., Any], *arguments: object) -> Any:
        """Call a method of the cell that may fill it. Keep this node if it has."""
        try:
            value = fill(*arguments)
            self._had_value = True
        finally:
            self._note()
        return value

    def get_or_init(self, initializer: Callable[[], Any], /) -> Any:
        """Call the cell's `get_or_init`."""
        return self._fill_by(self._cell.get_or_init, initializer)

    async def aget_or_init(self, initializer: Callable[[], Awaitable[Any]], /) -> Any:
        """Call the cell's `aget_or_init`."""
        try:
            value = await self._cell.aget_or_init(initializer)
            self._had_value = True
        finally:
            self._note()
        return value

    def set(self, value: Any, /) -> None:
        """Call the cell's `set`."""
        self._fill_by(self._cell.set, value)

    def import_attr(self, module: str, attr: str) -> Any:
        """Call the cell's `import_attr`."""
        return self._fill_by(self._cell.import_attr, module, attr)

    def take(self, default: Any = None) -> Any:
        """Call the cell's `take`."""
        try:
            return self._cell.take(default)
        finally:
            self._note()

    def override(self, value: Any, /) -> Override:
        """Override the cell's value. See `GILOnceCell.override`."""
        if not hasattr(self._cell, "_to_override"):
            from .._cells.foreign import no_override

            raise no_override(self._cell)
        from .._cells.override import Override

        return Override(self, value)

    def _to_override(self) -> OverridablePlace:
        node = current_node(self)
        return OverridablePlace(node, node._own_cell._to_override())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cell, name)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._cell)

    def __repr__(self) -> str:
        return repr(self._cell)


class OverridablePlace:
    """What an override of a key's cell replaces. It keeps the node alive, so every call with the key finds it."""

    __slots__ = ("_cell", "_node")

    def __init__(self, node: ForwardingNode, cell: Any) -> None:
        self._node = node
        self._cell = cell

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cell, name)

    @property
    def _made(self) -> int:
        return int(self._cell._made)

    @_made.setter
    def _made(self, number: int) -> None:
        self._cell._made = number

    def _wake(self) -> None:
        self._cell._wake()
        self._node._note()

    def _take_all(self) -> list[tuple[int, object]]:
        try:
            taken: list[tuple[int, object]] = self._cell._take_all()
        finally:
            self._node._note()
        return taken
