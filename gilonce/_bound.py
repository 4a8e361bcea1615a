"""Cells whose place is an instance or a class: the views behind methods and attributes.

A value per instance lives in that instance, and a value per class in that class, under a
key of its own: copies of an instance carry it, the garbage collector sees it, and nothing
else keeps the instance or the class alive. A cell made here is only a view of such a
place, made when it is needed and dropped afterwards.
"""

from __future__ import annotations

import os

from ._callables import name_of
from ._cell import EMPTY, GILOnceCell
from ._implementation import in_c

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any, TypeGuard

    from ._cell import Discard

#: The keys given out, so that no two definitions share one.
_keys: dict[str, object] = {}


class Definition:
    """One decorated function: what all the cells of its instances and classes have in common.

    Parameters:
        function: the function that computes the values.
        discard: as for `GILOnceCell`.
        advice: what to do about an instance that has no `__dict__`.
    """

    __slots__ = ("advice", "claims", "discard", "key", "what")

    #: Whether its cells are `GILOnceCell`s; what others do on an empty cell is not in C.
    races = True

    def __init__(self, function: object, discard: Discard, advice: str) -> None:
        self.discard = discard
        self.advice = advice
        name = f"{name_of(function)}()"
        #: What is kept, for messages.
        self.what = f"the value of {name}"
        module = getattr(function, "__module__", None)
        # In a process that multiprocessing spawned, the main module has another name.
        module = "__main__" if module == "__mp_main__" else module
        self.key = _unique_key(f"{module}.{name}")
        #: The claims on slots; see `SlotCell`.
        self.claims: dict[int, Claim] = {}

    def make_cell(self) -> Any:
        """Return a new cell, of the kind that the cells of this definition are."""
        return GILOnceCell(discard=self.discard)

    def cell_of(self, owner: object) -> Any:
        """Return the cell of an instance or, if `owner` is a class, of that class."""
        if is_class(owner):
            return self._dict_cell(owner, self.values_of(owner), self.key)
        return self.cell_in_dict(owner, self.key)

    def find(self, owner: object) -> Any:
        """Return the value that `cell_of(owner)` holds, or `EMPTY`, without making a cell."""
        if is_class(owner):
            return self.values_of(owner).get(self.key, EMPTY)
        return self.namespace_of(owner).get(self.key, EMPTY)

    def values_of(self, cls: type) -> ClassValues:
        """Return the dict in which `cls` keeps its own values."""
        return class_values(cls, self.what)

    def cell_in_dict(self, instance: object, key: str) -> BoundCell:
        """Return the cell that `instance` has in its `__dict__` under `key`."""
        return self._dict_cell(instance, self.namespace_of(instance), key)

    def cell_in_slot(self, instance: object, member: Any) -> BoundCell:
        """Return the cell that `instance` has in the slot whose descriptor is `member`."""
        return SlotCell(self, instance, member)

    def _dict_cell(self, owner: object, namespace: Any, key: str) -> BoundCell:  # noqa: ARG002 - its overrides use it
        return DictCell(self, namespace, key)

    def namespace_of(self, instance: object) -> Any:
        """Return the `__dict__` of `instance`; raise TypeError if it has none that can be written."""
        try:
            namespace: Any = instance.__dict__
        except AttributeError:
            raise TypeError(
                f"No '__dict__' attribute on {type(instance).__name__!r} instance to cache {self.what}. {self.advice}"
            ) from None
        if not hasattr(namespace, "setdefault"):
            raise TypeError(
                f"The '__dict__' attribute on {type(instance).__name__!r} instance "
                f"does not support item assignment for caching {self.what}. "
                "For one value per class, put a classmethod under the decorator"
            )
        return namespace


def is_class(owner: object) -> TypeGuard[type]:
    """Return whether `owner` is a class.

    By `type()`: a proxy passes for the class behind it, whose values those of the proxy
    would take the place of.
    """
    return issubclass(type(owner), type)


def _unique_key(key: str) -> str:
    """Return a key that no other definition has.

    The first definition of a name gets a key that is the same in every process, so that a
    pickled instance takes its values along. A later definition of the same name, a local
    one and a lambda get one that is the same nowhere else, so that no instance can bring
    them a value that another definition computed.
    """
    mine = object()
    if "<" not in key and _keys.setdefault(key, mine) is mine:
        return key
    return f"{key} {os.urandom(8).hex()}"


class BoundCell(GILOnceCell):
    """A view of a value that is kept in its owner. A copy of it is a cell of its own."""

    __slots__ = ("_definition",)

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._discard = definition.discard

    def _name(self) -> str:
        return f"the cell of {self._definition.what}"

    def is_same_place(self, other: BoundCell) -> bool:
        """Return whether `other` is a view of the same value."""
        raise NotImplementedError

    def _standalone(self) -> Any:
        cell = self._definition.make_cell()
        value = self._load()
        if value is not EMPTY:
            cell.set(value)
        return cell

    def __repr__(self) -> str:
        return repr(self._standalone())

    def __reduce_ex__(self, protocol: Any) -> Any:
        # Not what the standalone cell is reduced to: pickle wants that to be of our own class.
        # `getitem` is how copy and pickle are told to give just an object.
        from operator import getitem

        return getitem, ((self._standalone(),), 0)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        from copy import deepcopy

        return deepcopy(self._standalone(), memo)

    def assign(self, value: Any) -> None:
        """Write `value` whether or not there is one already: an assignment by the user."""
        raise NotImplementedError


@in_c
class DictCell(BoundCell):
    """A cell in a dict under `key`: the `__dict__` of an instance, or the values of a class."""

    __slots__ = ("_key", "_namespace")

    def __init__(self, definition: Definition, namespace: MutableMapping[str, Any], key: str) -> None:
        super().__init__(definition)
        self._namespace = namespace
        self._key = key

    def is_same_place(self, other: BoundCell) -> bool:
        return isinstance(other, DictCell) and self._namespace is other._namespace and self._key == other._key

    # As in GILOnceCell, each is decided by one dict operation with a `str` key. The value
    # is not boxed here, so two threads that `set()` one and the same object at the same
    # moment may both be told that they wrote it; the cell holds that object either way.

    def _load(self) -> Any:
        return self._namespace.get(self._key, EMPTY)

    def _publish(self, value: Any) -> tuple[Any, bool]:
        before = self._namespace.get(self._key, EMPTY)
        published = self._namespace.setdefault(self._key, value)
        return published, published is value and before is not value

    def _clear(self) -> Any:
        return self._namespace.pop(self._key, EMPTY)

    def assign(self, value: Any) -> None:
        self._namespace[self._key] = value


class Claim:
    """A value on its way into a slot or, with the value `EMPTY`, somebody who means to take it out.

    It refers to the slot's owner, so that the `id` under which it is entered is not reused.
    """

    __slots__ = ("is_written", "owner", "value")

    def __init__(self, owner: object, value: Any) -> None:
        self.owner = owner
        self.value = value
        self.is_written = False


@in_c
class SlotCell(BoundCell):
    """A cell in a slot, which has no `setdefault`.

    Whoever wants to publish enters a claim first, by the one atomic `setdefault` of the
    definition's `claims`, then looks whether the slot is empty, writes, and only then
    drops the claim. Why this is enough:

    * A claim is dropped when the slot is full, and written only while it is entered. So
      when one is found entered, and the slot empty after that, it is the first, and no
      other is written before it is dropped.
    * Nobody waits for the write. Who meets a claim finishes it: all write the same object.
    * `take()` finishes what it meets, then enters a claim of its own, and deletes only
      while that is entered; a publisher or an assignment that meets it removes it, and
      `take()` begins again. An assignment removes any claim, and writes while there is none.

    "Only while it is entered" is a check and an act. CPython with a GIL switches threads
    after calls and at jumps backwards, and there is neither from the subscript of the
    check to the call that acts, so the two are one. Elsewhere, an assignment or a `take()`
    that falls exactly between them can be undone; values that are only ever published
    are as safe there, because the act then writes the same object, or none.

    The slot's descriptor reads and writes in C, each atomically; the dict operations
    order them.
    """

    __slots__ = ("_claims", "_member", "_owner")

    def __init__(self, definition: Definition, owner: object, member: Any) -> None:
        super().__init__(definition)
        self._claims = definition.claims
        self._owner = owner
        self._member = member

    def is_same_place(self, other: BoundCell) -> bool:
        return isinstance(other, SlotCell) and self._owner is other._owner and self._member is other._member

    def _read(self) -> Any:
        try:
            return self._member.__get__(self._owner)
        except AttributeError:
            return EMPTY

    def _load(self) -> Any:
        claim = self._claims.get(id(self._owner))
        if claim is None or claim.value is EMPTY:
            return self._read()
        return self._finish(claim)

    def _publish(self, value: Any) -> tuple[Any, bool]:
        while True:
            mine = claim = Claim(self._owner, value)
            try:
                claim = self._claims.setdefault(id(self._owner), mine)
            finally:
                # Also when Ctrl-C hits just here: a claim left behind keeps its owner
                # alive until something reads the attribute again.
                published = self._finish(claim)
            if claim.is_written and claim.value is not EMPTY:
                return claim.value, claim is mine
            if published is not EMPTY:
                return published, False
            # Somebody has taken the value since: what was claimed goes for the next try.

    def _finish(self, claim: Claim) -> Any:
        """Write what is claimed if the slot is empty, drop the claim, and return what the slot holds."""
        claims, key, owner, value = self._claims, id(self._owner), self._owner, claim.value
        write = self._member.__set__
        if value is not EMPTY and self._read() is EMPTY:
            try:
                if claims[key] is claim:
                    claim.is_written = True
                    write(owner, value)
            except KeyError:
                pass
        if claims.get(key) is claim:
            claims.pop(key, None)
        return self._read()

    def _clear(self) -> Any:
        claims, key, owner = self._claims, id(self._owner), self._owner
        delete = self._member.__delete__
        while True:
            mine = Claim(owner, EMPTY)
            claim = claims.setdefault(key, mine)
            value = self._read() if claim is mine else self._finish(claim)
            if claim is not mine:
                continue
            try:
                if value is not EMPTY and claims[key] is mine:
                    delete(owner)
                    mine.is_written = True
            except (KeyError, AttributeError):
                pass
            if claims.get(key) is mine:
                claims.pop(key, None)
            if value is EMPTY or mine.is_written:
                return value

    def assign(self, value: Any) -> None:
        claims, key, owner = self._claims, id(self._owner), self._owner
        write = self._member.__set__
        while True:
            # Check and act, again, with no point between them at which threads switch.
            if key not in claims:
                write(owner, value)
                return
            claims.pop(key, None)


class ClassValues(dict[str, object]):
    """The values of one class, kept in that class.

    A decorator that makes a class anew, such as `dataclass(slots=True)`, copies this with
    the rest of the namespace. The reference to the class, weak so as not to outlive it,
    tells the new class that these values are not its own.
    """

    __slots__ = ("owner",)

    def __init__(self, owner: type) -> None:
        from weakref import ref

        self.owner = ref(owner)

    def __reduce__(self) -> tuple[Any, ...]:
        # Who pickles a class by value is to leave its values behind.
        return dict, ()


#: The attribute that holds them. pydoc skips names with an underscore in front, and
#: runtime protocols, up to Python 3.11, those with this prefix.
_ATTRIBUTE = "_abc_gilonce"

#: The values on their way into a class, each beside the class, whose `id` is the key.
_new_values: dict[int, tuple[type, ClassValues]] = {}


def class_values(cls: type, what: str) -> ClassValues:
    """Return the values of `cls` itself, in which `what` is to be kept; make them if need be.

    Threads that make them at once agree by the same kind of claim as in `SlotCell`. These
    are never taken out again, so it does not matter when one of them writes what all write.
    """
    values = _own_values(cls)
    if values is not None:
        # Ctrl-C may have left the claim that made them.
        if _new_values:
            _new_values.pop(id(cls), None)
        return values
    key = id(cls)
    claim = cls, ClassValues(cls)
    try:
        claim = _new_values.setdefault(key, claim)
    finally:
        values = _own_values(cls)
        if values is None:
            values = claim[1]
            _set_class_attribute(cls, values, what)
        if _new_values.get(key) is claim:
            _new_values.pop(key, None)
    return values


def prepare(cls: type) -> None:
    """Make the values of a class that is being created, so that no reading of it changes its namespace."""
    try:  # noqa: SIM105 - contextlib would have to be imported
        class_values(cls, "")
    except TypeError:
        # It takes no attributes. To read the value will say so.
        pass


def _own_values(cls: type) -> ClassValues | None:
    values = cls.__dict__.get(_ATTRIBUTE)
    return values if type(values) is ClassValues and values.owner() is cls else None


def _set_class_attribute(cls: type, values: ClassValues, what: str) -> None:
    try:
        try:
            # Not `setattr`: a metaclass that guards its attributes guards them from the
            # program's assignments, and this is none.
            type.__setattr__(cls, _ATTRIBUTE, values)
        except TypeError:
            # A metaclass written in C may insist on its own way.
            setattr(cls, _ATTRIBUTE, values)
    except Exception as error:
        _new_values.pop(id(cls), None)
        raise TypeError(f"{cls.__name__!r} takes no attributes, so it cannot keep {what}") from error
