"""The option `cell=`: how the values of instances and classes are stored if a user asks for another cell.

A once function and a lazy global ask the given cell itself. A value that belongs to an instance or a class is stored in
that owner. There are three cases:

* `cell=GILOnceCell` changes nothing but `discard`; see `bound.py`.
* `cell=OnceLock`: the value is stored as it is without `cell=`. Only the way to fill an empty place differs. The
  attempts that run are registered in the definition.
* Any other cell is made once for each owner, and stored in the owner. If the cell is not final, it is asked at every
  call of the method, and at every read of the attribute. If it is final, it *guards* the value: it decides who may
  compute the value, and the value itself is stored as it is without `cell=`. So a copy of an instance has the value and
  shares no cell with the original.

An example of a guard: `Lock` is a final cell that a user has written. It lets one thread at a time run an initializer.
`obj.x` is declared by `@once_property(cell=Lock)`. Threads A and B read it for the first time:

1. A finds no `x` in `obj.__dict__`. A stores a `Lock` there, under another key, and calls its `get_or_init`.
2. B finds no `x` either. B finds A's `Lock`, calls its `get_or_init`, and waits in there.
3. The `Lock` runs the initializer that A gave it. This looks for `x` again, runs the user's function, stores the result
   as `x`, and returns `StoredElsewhere`. So the `Lock` holds `StoredElsewhere`.
4. B gets `StoredElsewhere` from the `Lock`. So B reads `x` and returns it.

Later the program deletes `obj.x`. The next thread finds no `x`, and a `Lock` that is full. It empties the `Lock`, and
begins at step 1. If another thread has stored `x` just before, the `Lock` is emptied without need. This does no harm:
in step 3 the initializer looks for `x` again and finds it, so the user's function does not run.
"""

from __future__ import annotations

from .._cells.arguments import check_initializer
from .._cells.callables import name_of
from .._cells.exclusive import ExclusiveInit, OnceLock, WaitingInit
from .._cells.racing import EMPTY, GILOnceCell, name_cell
from .bound import Definition, DictCell, NotesInClass, SlotCell, is_class
from .class_values import CELL_SUFFIX
from .entries import elect_entry, identity_of, is_reference_to, reference_to

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable
    from typing import Any

    from .._cells.racing import Discard
    from .._cells.wait_graph import Attempt
    from .bound import BoundCell, FindSlot
    from .class_values import ClassValues
    from .entries import Candidates

    Make = Callable[[], Any]

#: The names that the protocol `Cell` requires.
_NAMES = ("get", "is_set", "get_or_init", "aget_or_init", "set", "take", "final")


def make_checked_cell(make: Any, discard: object, taker: str) -> Any:
    """Return a cell that `make` has made. Raise TypeError if it cannot make one.

    Parameters:
        make: the argument of `cell=`.
        discard: the argument of `discard=`, which cannot be combined with `cell=`.
        taker: the name of the surface, for messages.
    """
    if not callable(make):
        hint = f": write cell={_maker_of(make)}" if hasattr(make, "get_or_init") else ""
        raise TypeError(f"{taker}(cell=...) takes a callable that makes a cell, not {make!r}{hint}")
    if discard is not None:
        raise TypeError(
            f"{taker}(cell=..., discard=...) takes one of the two, because the cell discards values that lost a race. "
            "Give discard to the cell: cell=functools.partial(GILOnceCell, discard=...)"
        )
    made = make()
    missing = [name for name in _NAMES if not hasattr(made, name)]
    if missing:
        raise TypeError(
            f"{taker}(cell=...) takes a callable that makes a cell, and {make!r} makes a "
            f"{type(made).__name__!r} object, which has no {', '.join(missing)}"
        )
    return made


def _maker_of(cell: Any) -> str:
    """Return the code of a callable that makes cells like `cell`, for a message."""
    name = type(cell).__name__
    options = []
    timeout = getattr(cell, "timeout", None) if isinstance(cell, OnceLock) else None
    if timeout is not None:
        options.append(f"timeout={timeout!r}")
    # Public cells only: a program does not know the class of a view.
    discard = getattr(cell, "_discard", None) if type(cell).__module__ == "gilonce" else None
    if discard is not None:
        shown = name_of(discard)
        options.append(f"discard={shown if shown.replace('.', '').isidentifier() else '...'}")
    return f"functools.partial({name}, {', '.join(options)})" if options else name


def definition_of(function: object, make: Make, made: Any, advice: str) -> Definition:
    """Return the definition for the values of `function`, for a surface with the option `cell=`.

    Parameters:
        function: the decorated function.
        make: the argument of `cell=`.
        made: a cell that `make` has made.
        advice: as for `Definition`.
    """
    if type(made) is GILOnceCell:
        return Definition(function, made._discard, advice)
    if type(made) is OnceLock:
        return LockedDefinition(function, made.timeout, advice)
    # A cell that derives from `GILOnceCell` may let threads race, and `_Guarded` discards the values that lose.
    discard = getattr(made, "_discard", None) if isinstance(made, GILOnceCell) else None
    return CellPerOwnerDefinition(function, lambda: name_cell(make(), function), made.final, advice, discard)


# cell=OnceLock


class LockedDefinition(Definition):
    """A definition whose cells let one thread or task at a time fill them, as `OnceLock` does."""

    __slots__ = ("attempts", "timeout")

    races = False

    def __init__(self, function: object, timeout: float | None, advice: str) -> None:
        super().__init__(function, None, advice)
        self.timeout = timeout
        #: The running attempts, by the `id` of the owner.
        self.attempts: dict[Any, Attempt] = {}

    def make_cell(self) -> OnceLock:
        return OnceLock(timeout=self.timeout)

    def cell_in_slot(self, instance: object, find_slot: FindSlot) -> BoundCell:
        return LockedSlotCell(self, instance, find_slot)

    def _dict_cell(self, owner: object, key: str) -> BoundCell:
        return LockedDictCell(self, owner, key)

    def _class_cell(self, owner: type, values: ClassValues) -> BoundCell:
        return LockedClassCell(self, owner, self.key, values)


class _LockedPerOwner(WaitingInit):
    """A mixin that registers the running attempt in the definition, because a view is made again at each use."""

    __slots__ = ()

    def _register(self: Any) -> tuple[dict[Any, Attempt], Hashable, object]:
        identity = self._identity()
        return self._definition.attempts, id(identity), identity

    def _identity(self: Any) -> object:
        return self._owner

    def _timeout(self: Any) -> float | None:
        timeout: float | None = self._definition.timeout
        return timeout


class LockedDictCell(_LockedPerOwner, DictCell):
    __slots__ = ()

    def _identity(self: Any) -> object:
        if is_class(self._owner):
            return self._owner
        return identity_of(self._owner, self._definition.namespace_of(self._owner))


class LockedClassCell(NotesInClass, LockedDictCell):
    __slots__ = ()


class LockedSlotCell(_LockedPerOwner, SlotCell):
    __slots__ = ()


# Any other cell


class CellEntry:
    """The entry in an instance's `__dict__` that holds the instance's cell.

    It is stored with a reference to its owner: a copied instance carries this entry too and must detect that it is not
    its own. (The copy keeps the original's cell alive until it gets its own.)
    """

    __slots__ = ("_owner", "cell")

    def __init__(self, cell: Any, owner: object) -> None:
        self.cell = cell
        self._owner = reference_to(owner)

    def is_of(self, owner: object, namespace: object) -> bool:
        """Return whether this is the entry of `owner`, whose `__dict__` is `namespace`."""
        return is_reference_to(self._owner, owner, namespace)

    def __reduce__(self) -> tuple[Any, ...]:
        # In a deep copy or a pickle of the instance, the entry becomes None.
        return type(None), ()


class CellPerOwnerDefinition(Definition):
    """A definition for which each owner stores a cell that `make` has made."""

    __slots__ = ("candidates", "cell_key", "final", "make")

    races = False

    def __init__(self, function: object, make: Make, final: bool, advice: str, discard: Discard) -> None:
        super().__init__(function, discard, advice)
        self.make = make
        self.final = final
        self.cell_key = self.key + CELL_SUFFIX
        self.candidates: Candidates = {}

    def make_cell(self) -> Any:
        return self.make()

    def cell_of(self, owner: object) -> Any:
        if is_class(owner):
            values = self.values_of(owner)
            cell = values.get(self.cell_key, EMPTY)
            return values.setdefault(self.cell_key, self.make()) if cell is EMPTY else cell
        return self.cell_in_dict(owner, self.key) if self.final else self.cell_stored_in(owner)

    def keys(self) -> tuple[str, ...]:
        return self.key, self.cell_key

    def find(self, owner: object) -> Any:
        return super().find(owner) if self.final else EMPTY

    def cell_in_slot(self, instance: object, find_slot: FindSlot) -> BoundCell:
        return GuardedSlotCell(self, instance, find_slot)

    def _dict_cell(self, owner: object, key: str) -> BoundCell:
        return GuardedDictCell(self, owner, key)

    def cell_stored_in(self, instance: object) -> Any:
        """Return the cell that is stored in `instance`. Make it if there is none.

        Threads that make one at the same time elect a candidate, as in `class_values`.
        """
        namespace = self.namespace_of(instance)
        entry = namespace.get(self.cell_key)
        if type(entry) is CellEntry and entry.is_of(instance, namespace):
            return entry.cell
        entry = elect_entry(self.candidates, instance, namespace, self.cell_key, CellEntry(self.make(), instance))
        return entry.cell


class StoredElsewhere:
    """What a guarding cell holds: this class, not an instance of it. The value is stored in the owner."""


class _Guarded(ExclusiveInit):
    """A mixin for a place that another cell guards. The module's docstring has an example.

    The value is published from inside the guarding cell's initializer, which returns `StoredElsewhere`. The place, and
    not the guarding cell, decides whether a value lost the race and is discarded.
    """

    __slots__ = ()

    def _empty_guard(self: Any) -> Any:
        """Return the guarding cell, emptied: the place has no value, so the cell's `StoredElsewhere` is out of date."""
        cell = self._definition.cell_stored_in(self._owner)
        if cell.is_set():
            cell.take()
        return cell

    def _run_exclusively(self: Any, _: object, compute: Callable[[], Any]) -> Any:
        computed: list[Any] = []

        def guarded() -> Any:
            computed.append(compute())
            return StoredElsewhere

        while True:
            given = self._empty_guard().get_or_init(guarded)
            value = self._value(given, computed)
            if value is not EMPTY:
                return value

    def _value(self: Any, given: Any, computed: list[Any]) -> Any:
        """Return the value after the guarding cell has returned `given`.

        This is what the caller has computed, or what another caller has stored, or `given` itself, if the cell has a
        value from somewhere else. It is `EMPTY` if the stored value was taken since.
        """
        if computed:
            return computed[0]
        return self._load() if given is StoredElsewhere else given

    async def aget_or_init(self: Any, initializer: Callable[[], Awaitable[Any]], /) -> Any:
        check_initializer(initializer)
        value = self._load()
        computed: list[Any] = []

        async def guarded() -> Any:
            computed.append(await GILOnceCell.aget_or_init(self, initializer))
            return StoredElsewhere

        while value is EMPTY:
            value = self._value(await self._empty_guard().aget_or_init(guarded), computed)
        return value


class GuardedDictCell(_Guarded, DictCell):
    __slots__ = ()


class GuardedSlotCell(_Guarded, SlotCell):
    __slots__ = ()
