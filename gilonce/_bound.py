"""Cells whose place is an instance or a class: the views behind methods and attributes.

A value per instance lives in that instance, and a value per class in that class, as a
plain value under a key of its own: copies carry it, the garbage collector sees it, and
nothing else keeps the instance or the class alive. A cell made here is only a view of
such a place, made when it is needed and dropped afterwards.
"""

from __future__ import annotations

import os

from ._cell import EMPTY, GILOnceCell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from ._cell import Discard


#: The first definition of every name, so that no two definitions share a key.
_keys: dict[str, Definition] = {}


class Definition:
    """One decorated function: what all the cells of its instances and classes have in common.

    Parameters:
        function: the function that computes the values.
        discard: as for `GILOnceCell`.
    """

    __slots__ = ("claims", "discard", "key", "label", "what")

    def __init__(self, function: object, discard: Discard) -> None:
        self.discard = discard
        self.claims: dict[int, tuple[object, Any]] = {}
        self.label: str = getattr(function, "__qualname__", None) or repr(function)
        #: What is kept, for messages.
        self.what = f"the value of {self.label}()"
        self.key = self._unique_key(function)

    def _unique_key(self, function: object) -> str:
        """Return a key that no other definition has.

        The first definition of a name gets a key that is the same in every process, so
        that a pickled instance takes its values along. A later definition of the same
        name, a local one or a lambda gets one that is the same nowhere else, so that
        no instance can bring it a value that another definition computed.
        """
        key = f"{getattr(function, '__module__', None)}.{self.label}()"
        if "<" not in key and _keys.setdefault(key, self) is self:
            return key
        return f"{key} {os.urandom(8).hex()}"

    def cell_of(self, owner: object) -> BoundCell:
        """Return the cell of an instance or, if `owner` is a class, of that class."""
        if isinstance(owner, type):
            return ClassCell(self, owner)
        return InstanceCell(self, owner, self.key)


class BoundCell(GILOnceCell):
    """A view of a value that is kept in its owner."""

    __slots__ = ()

    def _standalone(self) -> type[GILOnceCell]:
        return GILOnceCell

    def assign(self, value: Any) -> None:
        """Write `value` whether or not there is one already: an assignment by the user."""
        raise NotImplementedError


class InstanceCell(BoundCell):
    """The cell of one instance, kept in its `__dict__` under `key`."""

    __slots__ = ("_key", "_namespace")

    _namespace: MutableMapping[str, Any]

    def __init__(self, definition: Definition, instance: object, key: str) -> None:
        self._discard = definition.discard
        self._key = key
        try:
            self._namespace = instance.__dict__
        except AttributeError:
            raise TypeError(
                f"No '__dict__' attribute on {type(instance).__name__!r} instance to cache {definition.what}. "
                f"Add '__dict__' to the __slots__ of {type(instance).__name__!r}, "
                "or declare a slot for it and name that: once_property(slot='_name')"
            ) from None
        if not hasattr(self._namespace, "setdefault"):
            raise TypeError(
                f"The '__dict__' attribute on {type(instance).__name__!r} instance "
                f"does not support item assignment for caching {definition.what}. "
                "For one value per class, put a classmethod under the decorator"
            )

    # As in GILOnceCell: each is one dict operation with a `str` key. The value is not
    # boxed here, so two threads that `set()` one and the same object at the same
    # moment may both be told that they wrote it; the cell holds that object either way.

    def _load(self) -> Any:
        return self._namespace.get(self._key, EMPTY)

    def _publish(self, value: Any) -> tuple[Any, bool]:
        was_empty = self._key not in self._namespace
        published = self._namespace.setdefault(self._key, value)
        return published, was_empty and published is value

    def _clear(self) -> Any:
        return self._namespace.pop(self._key, EMPTY)

    def assign(self, value: Any) -> None:
        self._namespace[self._key] = value


class ClaimedCell(BoundCell):
    """A cell in a place that has no `setdefault`: a slot, or a class attribute.

    Whoever wants to write first enters a claim, by the one atomic `setdefault` of the
    definition's `claims`, then looks whether the place is empty, writes, and only then
    drops the claim. Why this is enough, as long as nobody assigns or deletes:

    * A claim is dropped only when the place is full. So if the place is empty *after* a
      claim was read, no claim was ever dropped: that claim is the first, it decides, and
      the others, entered after its drop, will find the place full.
    * Nobody waits for the write. Who finds the place empty and a claim entered knows
      from the claim what the value will be, and returns that.
    * If an asynchronous exception (Ctrl-C) hits between claim and write, the claim
      stays, and it is the value.
    * A claim refers to its owner, so the `id` it is entered under cannot be reused.

    Places are read and written by C code of the interpreter, with the GIL held or, in a
    build without one, under the object's lock; the dict operations order them.
    """

    __slots__ = ("_claims", "_owner")

    def __init__(self, definition: Definition, owner: object) -> None:
        self._discard = definition.discard
        self._claims = definition.claims
        self._owner = owner

    def _read(self) -> Any:
        """Return what the place holds, or `EMPTY`."""
        raise NotImplementedError

    def _write(self, value: Any) -> None:
        raise NotImplementedError

    def _erase(self) -> None:
        """Empty the place, which is full."""
        raise NotImplementedError

    def _load(self) -> Any:
        value = self._read()
        if value is EMPTY:
            claim = self._claims.get(id(self._owner))
            if claim is not None:
                # Only this look, after the claim was read, says whether the claim decides.
                value = self._read()
                if value is EMPTY:
                    return claim[1]
        return value

    def _publish(self, value: Any) -> tuple[Any, bool]:
        mine = (self._owner, value)
        claim = self._claims.setdefault(id(self._owner), mine)
        published = self._read()
        written = published is EMPTY and claim is mine
        if written:
            self._write(value)
        if claim is mine:
            self._claims.pop(id(self._owner), None)
        return (claim[1] if published is EMPTY else published), written

    def _clear(self) -> Any:
        claim = self._claims.pop(id(self._owner), None)
        value = self._read()
        if value is EMPTY:
            return EMPTY if claim is None else claim[1]
        try:
            self._erase()
        except AttributeError:
            # Of two that take at once, the one whose erasing succeeds has the value.
            return EMPTY
        return value

    def assign(self, value: Any) -> None:
        self._claims.pop(id(self._owner), None)
        self._write(value)


class SlotCell(ClaimedCell):
    """The cell of one instance, kept in a slot declared by its class."""

    __slots__ = ("_member",)

    def __init__(self, definition: Definition, owner: object, member: Any) -> None:
        super().__init__(definition, owner)
        self._member = member

    def _read(self) -> Any:
        try:
            return self._member.__get__(self._owner)
        except AttributeError:
            return EMPTY

    def _write(self, value: Any) -> None:
        self._member.__set__(self._owner, value)

    def _erase(self) -> None:
        self._member.__delete__(self._owner)


class ClassCell(ClaimedCell):
    """The cell of one class: an entry of its own `__dict__`, which subclasses do not share.

    `type.__setattr__`, not `setattr`: a metaclass that guards its attributes guards them
    from the program's assignments, and this is none.
    """

    __slots__ = ("_key",)

    def __init__(self, definition: Definition, owner: type) -> None:
        super().__init__(definition, owner)
        self._key = definition.key

    def _read(self) -> Any:
        return self._owner.__dict__.get(self._key, EMPTY)

    def _write(self, value: Any) -> None:
        type.__setattr__(self._owner, self._key, value)

    def _erase(self) -> None:
        type.__delattr__(self._owner, self._key)
