"""`cell=`: the cells that a user chose, where a method or an attribute keeps its values.

A function asks the chosen cell itself. What belongs to an instance or class is kept in
that, and here is how, by the kind of cell:

* A `GILOnceCell` is what there is without `cell=`; see `_bound`.
* `OnceLock` keeps its values where that does, and differs only in how an empty cell is
  filled. Whoever runs an initializer is entered in the definition for as long as it runs.
* Any other cell is made for each owner, and kept in it. One that is not final serves a
  method itself. One that is final says who may compute a value, which then is a plain one
  beside it: copies of an instance carry that along, and share no cell with it.
"""

from __future__ import annotations

from weakref import ref

from ._bound import Definition, DictCell, SlotCell, is_class
from ._cell import EMPTY, GILOnceCell, check_initializer
from ._lock import Exclusive, OnceLock, Turns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable
    from typing import Any

    from ._bound import BoundCell
    from ._cell import Discard
    from ._waits import Attempt

    Make = Callable[[], Any]

#: What a cell has; see `Cell`.
_NAMES = ("get", "is_set", "get_or_init", "aget_or_init", "set", "take", "final")


def choose(make: Any, discard: object, taker: str) -> Any:
    """Return a cell that `make`, given as `cell=`, makes; raise TypeError if it makes none."""
    if not callable(make):
        hint = f": pass what makes one, such as {type(make).__name__}" if hasattr(make, "get_or_init") else ""
        raise TypeError(f"{taker}(cell=...) takes a callable that makes a cell, not {make!r}{hint}")
    if discard is not None:
        raise TypeError(
            f"{taker}(cell=..., discard=...): what to do with a value that lost is the cell's business. "
            "Give it discard, as in cell=functools.partial(GILOnceCell, discard=...)"
        )
    made = make()
    missing = [name for name in _NAMES if not hasattr(made, name)]
    if missing:
        raise TypeError(
            f"{taker}(cell=...) takes a callable that makes a cell, and {make!r} makes a "
            f"{type(made).__name__!r} object, which has no {', '.join(missing)}"
        )
    return made


def check_final(made: Any, taker: str) -> None:
    """Raise TypeError if the values of a cell cannot be plain attributes."""
    if not made.final:
        raise TypeError(
            f"{taker}(cell=...) keeps its value as a plain attribute, which is the same for everyone, and the value "
            f"of a {type(made).__name__} is not. Use @once on a method, which asks the cell at every call"
        )


def definition_of(function: object, make: Make, made: Any, advice: str) -> Definition:
    """Return what the cells have in common that `make` makes for the owners of `function`'s values."""
    if type(made) is GILOnceCell:
        return Definition(function, made._discard, advice)
    if type(made) is OnceLock:
        return LockedDefinition(function, made.timeout, advice)
    # What derives from ours may lose a value as ours does: see `_Guarded`.
    discard = getattr(made, "_discard", None) if isinstance(made, GILOnceCell) else None
    return KeptDefinition(function, make, made.final, advice, discard)


class OwnedDictCell(DictCell):
    """A view that knows whose it is."""

    __slots__ = ("_of",)

    def __init__(self, definition: Definition, owner: object, namespace: Any, key: str) -> None:
        super().__init__(definition, namespace, key)
        self._of = owner


class OwnedSlotCell(SlotCell):
    """A view that knows whose it is, in C too, where the place is no attribute."""

    __slots__ = ("_of",)

    def __init__(self, definition: Definition, owner: object, member: Any) -> None:
        super().__init__(definition, owner, member)
        self._of = owner


# OnceLock.


class LockedDefinition(Definition):
    """A definition whose cells are filled as `OnceLock` is."""

    __slots__ = ("attempts", "timeout")

    races = False

    def __init__(self, function: object, timeout: float | None, advice: str) -> None:
        super().__init__(function, None, advice)
        self.timeout = timeout
        #: Who initializes, by the `id` of the owner.
        self.attempts: dict[Any, Attempt] = {}

    def make_cell(self) -> OnceLock:
        return OnceLock(timeout=self.timeout)

    def cell_in_slot(self, instance: object, member: Any) -> BoundCell:
        return LockedSlotCell(self, instance, member)

    def _dict_cell(self, owner: object, namespace: Any, key: str) -> BoundCell:
        return LockedDictCell(self, owner, namespace, key)


class _TurnsOfOwner(Turns):
    __slots__ = ()

    def _register(self: Any) -> tuple[dict[Any, Attempt], Hashable, object]:
        return self._definition.attempts, id(self._of), self._of

    def _timeout(self: Any) -> float | None:
        timeout: float | None = self._definition.timeout
        return timeout


class LockedDictCell(_TurnsOfOwner, OwnedDictCell):
    __slots__ = ()

    def __init__(self, definition: Definition, owner: object, namespace: Any, key: str) -> None:
        super().__init__(definition, identity_of(owner, namespace), namespace, key)


class LockedSlotCell(_TurnsOfOwner, OwnedSlotCell):
    __slots__ = ()


# Any other cell.


class Kept:
    """A cell in the `__dict__` of its owner, beside which it notes whose it is: a copy has this, too, and is not it.

    (Until it is asked for a cell of its own, the copy keeps this one alive.)
    """

    __slots__ = ("_id", "_owner", "cell")

    def __init__(self, cell: Any, owner: object, identity: object) -> None:
        self.cell = cell
        self._id = id(identity)
        # An `id` alone may be that of a later copy's copy.
        self._owner = reference_to(owner)

    def is_of(self, identity: object) -> bool:
        """Return whether it is that of what `identity_of` gave for an instance."""
        return self._id == id(identity) and (self._owner is None or self._owner() is not None)

    def __reduce__(self) -> tuple[Any, ...]:
        # A deep copy, or what was pickled, has None in its place.
        return type(None), ()


def reference_to(owner: object) -> Any:
    """Return a weak reference, or None if there can be none."""
    try:
        return ref(owner)
    except TypeError:
        return None


def identity_of(owner: object, namespace: object) -> object:
    """Return what tells whether two places are one.

    Instances that share a `__dict__`, and a proxy and what is behind it, share what is in it.
    What is no dict may be made anew at each look.
    """
    return namespace if type(namespace) is dict else owner


class KeptDefinition(Definition):
    """A definition whose owners have each a cell made by `make`."""

    __slots__ = ("final", "kept_key", "make", "new")

    races = False

    def __init__(self, function: object, make: Make, final: bool, advice: str, discard: Discard) -> None:
        super().__init__(function, discard, advice)
        self.make = make
        self.final = final
        self.kept_key = f"{self.key} cell"
        #: The cells on their way into an instance, by the `id` of its place.
        self.new: dict[int, tuple[object, Kept]] = {}

    def make_cell(self) -> Any:
        return self.make()

    def cell_of(self, owner: object) -> Any:
        if is_class(owner):
            values = self.values_of(owner)
            kept = values.get(self.kept_key, EMPTY)
            return values.setdefault(self.kept_key, self.make()) if kept is EMPTY else kept
        return self.cell_in_dict(owner, self.key) if self.final else self.kept_in(owner)

    def find(self, owner: object) -> Any:
        return super().find(owner) if self.final else EMPTY

    def cell_in_slot(self, instance: object, member: Any) -> BoundCell:
        return GuardedSlotCell(self, instance, member)

    def _dict_cell(self, owner: object, namespace: Any, key: str) -> BoundCell:
        return GuardedDictCell(self, owner, namespace, key)

    def kept_in(self, instance: object) -> Any:
        """Return the cell kept in `instance`; make it if need be.

        Threads that make it at once agree by the same kind of claim as in `class_values`.
        """
        namespace = self.namespace_of(instance)
        identity = identity_of(instance, namespace)
        key = id(identity)
        kept = namespace.get(self.kept_key)
        if type(kept) is Kept and kept.is_of(identity):
            return kept.cell
        claim = instance, Kept(self.make(), instance, identity)
        try:
            claim = self.new.setdefault(key, claim)
            kept = self._settle(namespace, identity, claim)
        finally:
            # Again, for Ctrl-C may have come before the first was done, and a claim keeps the instance alive.
            self._settle(namespace, identity, claim)
        return kept.cell

    def _settle(self, namespace: Any, identity: object, claim: tuple[object, Kept]) -> Kept:
        """Put the cell of a claim where there is none, and drop the claim; return the cell that is there."""
        kept = namespace.get(self.kept_key)
        if type(kept) is not Kept or not kept.is_of(identity):
            kept = namespace[self.kept_key] = claim[1]
        if self.new.get(id(identity)) is claim:
            self.new.pop(id(identity), None)
        return kept


class Done:
    """What a cell holds, itself and not an instance, whose value is elsewhere."""


class _Guarded(Exclusive):
    """How to fill a place with what another cell allows to be computed.

    What is computed is published from inside that cell's initializer. The cell itself is
    given `Done`: the value, and whether it lost a race and is to be discarded, is a matter
    of the place. So a cell that holds it, while the place has no value, is of a value that
    was taken out since; and who comes to a cell that does not, after another has published,
    finds the value before computing it.
    """

    __slots__ = ()

    def _guard(self: Any) -> Any:
        cell = self._definition.kept_in(self._of)
        if cell.is_set():
            cell.take()
        return cell

    def _in_turn(self: Any, _: object, compute: Callable[[], Any]) -> Any:
        computed: list[Any] = []

        def guarded() -> Any:
            computed.append(compute())
            return Done

        while True:
            given = self._guard().get_or_init(guarded)
            value = self._value(given, computed)
            if value is not EMPTY:
                return value

    def _value(self: Any, given: Any, computed: list[Any]) -> Any:
        """Return what a cell has come to: what was computed in it, or is in its place, or comes from somewhere else."""
        if computed:
            return computed[0]
        return self._load() if given is Done else given

    async def aget_or_init(self: Any, initializer: Callable[[], Awaitable[Any]], /) -> Any:
        check_initializer(initializer)
        value = self._load()
        computed: list[Any] = []

        async def guarded() -> Any:
            computed.append(await GILOnceCell.aget_or_init(self, initializer))
            return Done

        while value is EMPTY:
            value = self._value(await self._guard().aget_or_init(guarded), computed)
        return value


class GuardedDictCell(_Guarded, OwnedDictCell):
    __slots__ = ()


class GuardedSlotCell(_Guarded, OwnedSlotCell):
    __slots__ = ()
