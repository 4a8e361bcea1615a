"""Cells whose value is stored in an instance or a class: the cells behind methods and attributes.

A value per instance is stored in that instance, and a value per class in that class, under a key that belongs to the
decorated function alone. So copies of an instance carry the value, the garbage collector sees it, and nothing else
keeps the instance or the class alive. A cell made here is only a view of such a place. It is made when it is needed,
and dropped afterwards.

In a dict, one atomic `setdefault` publishes a value. A slot has no such operation: to read it and to write it are two
steps, and another thread may write in between. So a publisher first registers a *claim*.

A `Claim` has the value that is to be written. `setdefault` registers it in the definition's `claims`, under the `id` of
the slot's owner, so each slot has at most one claim. Then the publisher *finishes* the claim: it reads the slot, writes
the value if the slot is empty and the claim is still registered, and removes the claim. A thread that finds the claim
of another thread does not wait. It finishes that claim by the same steps.

For example, threads A and B publish into one empty slot, and thread C reads it:

    1. A registers a claim with "a" and reads the slot, which is empty.   claim: "a"   slot: empty
    2. B tries to register a claim with "b" and gets A's claim.           claim: "a"   slot: empty
    3. C finds A's claim and finishes it: C reads the slot, writes "a",
       removes the claim and returns "a".                                 no claim     slot: "a"
    4. B finishes A's claim: the slot is full, so B writes nothing. B
       returns "a", and "b" goes to `discard`.                            no claim     slot: "a"
    5. A finds its claim removed, so it writes nothing. The claim is
       marked as written, so A knows that it published "a".               no claim     slot: "a"

Why this is enough:

* A publisher removes the claim on a value only when the slot is full, and writes the value only while the claim is
  registered. So if a thread finds a registered claim and then an empty slot, this claim is the first, and no other
  value is written before the claim is removed.
* All threads that finish a claim write the same object, so it does not matter which of them writes.
* `take()` finishes the claim that it finds. Then it registers a claim of its own, with `EMPTY` as the value, and
  deletes only while this claim is registered. A publisher or an assignment that finds this claim removes it, and
  `take()` begins again.
* An assignment removes every claim that it finds, and writes while there is none.

"Only while it is registered" is a check and an act. CPython with a GIL switches threads only after calls and at
backward jumps. There is neither between the subscript of the check and the call that acts, so the two are one step.
On other interpreters, an assignment or a `take()` that comes exactly between the two can be undone. Values that are
only published are safe there too, because the act then writes the same object, or nothing.

The slot's descriptor reads and writes in C, each time atomically. The dict operations order these reads and writes.
"""

from __future__ import annotations

import os

from .._cells.callables import name_of
from .._cells.racing import EMPTY, GILOnceCell, replace_entry
from .._native import replace_with_native
from .class_values import class_values, own_values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from typing import Any, TypeGuard

    from .._cells.override import Layers, Stack
    from .._cells.racing import Discard
    from .class_values import ClassValues

    #: Returns the descriptor of the slot that an instance has, given the instance.
    FindSlot = Callable[[object], Any]

#: The keys that definitions have, so that no two definitions share one.
_keys: dict[str, object] = {}


class Definition:
    """What all cells of one decorated function have in common, whichever instance or class they belong to.

    Parameters:
        function: the function that computes the values.
        discard: as for `GILOnceCell`.
        advice: the end of the error for an instance that has no `__dict__`. It says what to do, with
            `{owner_of_slots}` for the class whose `__slots__` the user can write.
    """

    __slots__ = ("advice", "claims", "discard", "func", "key", "options", "what")

    #: Whether its cells race, as `GILOnceCell` does. False makes the C code call Python to fill an empty cell.
    races = True

    def __init__(self, function: object, discard: Discard, advice: str) -> None:
        self.discard = discard
        self.advice = advice
        name = f"{name_of(function)}()"
        #: What is stored, for messages.
        self.what = f"the value of {name}"
        module = getattr(function, "__module__", None)
        # The main module has this other name in a process that multiprocessing has spawned.
        module = "__main__" if module == "__mp_main__" else module
        self.key = _unique_key(f"{module}.{name}")
        #: The claims on slots, by the `id` of the slot's owner. The module's docstring explains them.
        self.claims: dict[int, Claim] = {}
        #: The arguments `discard` and `cell` of the decorator, to pickle it by value.
        self.options: tuple[Any, Any] = discard, None
        #: The `FunctionUnder` of the decorator, once it was asked for.
        self.func: Any = None

    def make_cell(self) -> Any:
        """Return a new standalone cell that is filled as the cells of this definition are."""
        return GILOnceCell(discard=self.discard)

    def cell_of(self, owner: object) -> Any:
        """Return the cell of `owner`, which is an instance or a class."""
        if is_class(owner):
            return self._class_cell(owner, self.values_of(owner))
        return self.cell_in_dict(owner, self.key)

    def find(self, owner: object) -> Any:
        """Return the value that `cell_of(owner)` holds, or `EMPTY`. This makes no cell."""
        if is_class(owner):
            return self.values_of(owner).get(self.key, EMPTY)
        return self.namespace_of(owner).get(self.key, EMPTY)

    def is_known_to(self, owner: object) -> bool:
        """Return whether `owner` stores a value or a cell of this definition. This makes neither."""
        stored: Any = own_values(owner) if is_class(owner) else getattr(owner, "__dict__", None)
        return hasattr(stored, "setdefault") and any(key in stored for key in self.keys())

    def keys(self) -> tuple[str, ...]:
        """Return the keys under which an owner may store a value or a cell."""
        return (self.key,)

    def values_of(self, cls: type) -> ClassValues:
        """Return the dict that holds the values of `cls` itself."""
        return class_values(cls, self.what)

    def cell_in_dict(self, instance: object, key: str) -> BoundCell:
        """Return the cell that `instance` has in its `__dict__` under `key`."""
        self.namespace_of(instance)  # raises TypeError before the initializer runs
        return self._dict_cell(instance, key)

    def cell_in_slot(self, instance: object, find_slot: FindSlot) -> BoundCell:
        """Return the cell that `instance` has in the slot whose descriptor `find_slot` returns."""
        return SlotCell(self, instance, find_slot)

    def _dict_cell(self, owner: object, key: str) -> BoundCell:
        return DictCell(self, owner, key)

    def _class_cell(self, owner: type, values: ClassValues) -> BoundCell:
        return ClassCell(self, owner, self.key, values)

    def namespace_of(self, instance: object) -> Any:
        """Return the `__dict__` of `instance`. Raise TypeError if it has none, or one that cannot be written."""
        try:
            namespace: Any = instance.__dict__
        except AttributeError:
            cls = type(instance)
            advice = advice_for(cls) or self.advice.format(owner_of_slots=owner_of_slots(cls) or "its class")
            raise TypeError(
                f"No '__dict__' attribute on {type(instance).__name__!r} instance to cache {self.what}. {advice}"
            ) from None
        if not hasattr(namespace, "setdefault"):
            raise TypeError(
                f"The '__dict__' attribute on {type(instance).__name__!r} instance "
                f"does not support item assignment for caching {self.what}. "
                "For one value per class, put a classmethod under the decorator"
            )
        return namespace


def owner_of_slots(cls: type) -> str:
    """Return the class whose `__slots__` a user of `cls` can write, in words, or "" if it is `cls` itself.

    attrs and dataclasses make the `__slots__` of a class from its fields.
    """
    if "__attrs_attrs__" in cls.__dict__ or "__dataclass_fields__" in cls.__dict__:
        # Do not advise a field without a default: `asdict()` fails as long as it has no value.
        return f"a base class, because those of {cls.__name__!r} are made from its fields"
    return ""


def advice_for(cls: type) -> str:
    """Return what to write if a library decides whether instances of `cls` have a `__dict__`, or ""."""
    if hasattr(cls, "__struct_config__"):
        return f"Write class {cls.__name__}(msgspec.Struct, dict=True)"
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return f"Move it from the NamedTuple to a subclass: class ...({cls.__name__}), without __slots__"
    return ""


def is_class(owner: object) -> TypeGuard[type]:
    """Return whether `owner` is a class.

    This asks `type()` and not `isinstance()`: a proxy to a class must not overwrite that class's values.
    """
    return issubclass(type(owner), type)


def _unique_key(key: str) -> str:
    """Return a key that no other definition has.

    The first definition of a name gets a key that is the same in every process, so a pickled instance keeps its
    values. A later definition of the same name, a local function and a lambda get a random key. So no instance can
    bring them a value that another definition computed in another process.
    """
    mine = object()
    if "<" not in key and _keys.setdefault(key, mine) is mine:
        return key
    return f"{key} {os.urandom(8).hex()}"


class BoundCell(GILOnceCell):
    """A view of a value that is stored in its owner. A copy of the view is a standalone cell."""

    __slots__ = ("_definition",)

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._discard = definition.discard
        self._made = 0

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
        # pickle insists on type(self); `getitem((cell,), 0)` is a way to return any object.
        from operator import getitem

        return getitem, ((self._standalone(),), 0)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        from copy import deepcopy

        return deepcopy(self._standalone(), memo)

    def assign(self, value: Any) -> None:
        """Write `value`, even over another value: the user assigns to the attribute."""
        raise NotImplementedError


@replace_with_native
class DictCell(BoundCell):
    """A cell in a dict: in the `__dict__` of an instance, or in the dict of a class's values.

    Parameters:
        definition: the definition of the decorated function.
        owner: the instance or class.
        key: the key of the value in the dict.
        values: the dict of a class's values. None means the `__dict__` of `owner`. That is looked up at every use,
            because an initializer, or any other code, may replace it.
    """

    __slots__ = ("_key", "_owner", "_values_of_class")

    def __init__(self, definition: Definition, owner: object, key: str, values: Any = None) -> None:
        super().__init__(definition)
        self._owner = owner
        self._key = key
        self._values_of_class = values

    def _namespace(self) -> MutableMapping[str, Any]:
        values: Any = self._values_of_class
        namespace: MutableMapping[str, Any] = self._definition.namespace_of(self._owner) if values is None else values
        return namespace

    def is_same_place(self, other: BoundCell) -> bool:
        if not isinstance(other, DictCell) or self._key != other._key:
            return False
        # Two instances may share one `__dict__`.
        return self._owner is other._owner or self._namespace() is other._namespace()

    # As in `GILOnceCell`, one dict operation with a `str` key decides each of these. The value is not in a tuple here.
    # So if two threads `set()` the same object at the same moment, both may conclude that they wrote it. The cell
    # holds that object in any case.

    def _load(self) -> Any:
        return self._namespace().get(self._key, EMPTY)

    def _publish(self, value: Any) -> tuple[Any, bool]:
        namespace = self._namespace()
        before = namespace.get(self._key, EMPTY)
        published = namespace.setdefault(self._key, value)
        return published, published is value and before is not value

    def _clear(self) -> Any:
        return self._namespace().pop(self._key, EMPTY)

    def _place(self) -> tuple[Any, ...]:
        namespace = self._namespace()
        # Two instances may share one `__dict__`. A `__dict__` that is not a dict may be a new mapping at every access.
        is_lasting = self._values_of_class is not None or type(namespace) is dict
        return namespace if is_lasting else self._owner, self._key

    def _replace(self, old: Any, new: Any, stack: Stack, before: Layers, after: Layers) -> bool:
        return replace_entry(self._namespace(), self._key, old, new, stack, before, after)

    def assign(self, value: Any) -> None:
        self._namespace()[self._key] = value


class NotesInClass:
    """A mixin for the cell of a class. It notes in the class each value's definition, and when the value was made."""

    __slots__ = ()

    # The definition is noted before the value is published, so that an isolation covers every value that another thread
    # may have seen.

    def get_or_init(self: Any, initializer: Callable[[], Any], /) -> Any:
        self._cover()
        value = super().get_or_init(initializer)  # type: ignore[misc]
        self._note(value)
        return value

    async def aget_or_init(self: Any, initializer: Callable[[], Awaitable[Any]], /) -> Any:
        self._cover()
        value = await super().aget_or_init(initializer)  # type: ignore[misc]
        self._note(value)
        return value

    def set(self: Any, value: Any, /) -> None:
        self._cover()
        super().set(value)  # type: ignore[misc]
        self._note(value)

    def _cover(self: Any) -> None:
        self._place()[0].cover(self._definition)

    def _note(self: Any, value: object) -> None:
        self._place()[0].note(self._definition, value)

    @property
    def _made(self: Any) -> int:
        values, key, *_ = self._place()
        return int(values.made.get(key, (0,))[0])

    @_made.setter
    def _made(self: Any, number: int) -> None:
        # An override that puts back a value puts back its number too.
        if number:
            values, key, *_ = self._place()
            values.made[key] = number, id(values.get(key)), self._definition


class ClassCell(NotesInClass, DictCell):
    __slots__ = ()


class Claim:
    """A value that a thread is writing into a slot. With `EMPTY` as the value, a `take()` that is emptying the slot.

    It refers to the slot's owner. So the `id` under which it is registered is not used again.
    """

    __slots__ = ("is_written", "owner", "value")

    def __init__(self, owner: object, value: Any) -> None:
        self.owner = owner
        self.value = value
        self.is_written = False


@replace_with_native
class SlotCell(BoundCell):
    """A cell in a slot. The module's docstring explains the claims by which threads agree on one value."""

    __slots__ = ("_claims", "_class", "_find_slot", "_found", "_owner")

    def __init__(self, definition: Definition, owner: object, find_slot: FindSlot) -> None:
        super().__init__(definition)
        self._claims = definition.claims
        self._owner = owner
        self._find_slot = find_slot
        self._found = find_slot(owner)
        self._class = type(owner)

    @property
    def _member(self) -> Any:
        """The descriptor of the slot. It changes when an initializer changes the class of its instance."""
        if type(self._owner) is not self._class:
            self._found = self._find_slot(self._owner)
            self._class = type(self._owner)
        return self._found

    def is_same_place(self, other: BoundCell) -> bool:
        return isinstance(other, SlotCell) and self._owner is other._owner and self._member is other._member

    def _read(self) -> Any:
        member = self._member
        try:
            return member.__get__(self._owner)
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
                # Even if Ctrl-C interrupts `setdefault`: a claim that stays registered would keep its owner alive
                # until something reads the attribute again.
                published = self._finish(claim)
            if claim.is_written and claim.value is not EMPTY:
                return claim.value, claim is mine
            if published is not EMPTY:
                return published, False
            # The claim of a `take()` was in the way, or the value was taken since. Try again.

    def _finish(self, claim: Claim) -> Any:
        """Write the claim's value if the slot is empty, remove the claim, and return what the slot holds."""
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

    def _place(self) -> tuple[Any, ...]:
        return self._owner, self._member

    def _replace(self, old: Any, new: Any, stack: Stack, before: Layers, after: Layers) -> bool:
        claims, key, owner, empty = self._claims, id(self._owner), self._owner, EMPTY
        write, delete = self._member.__set__, self._member.__delete__
        # As in `_clear`: as long as this claim is registered, no other thread has written.
        mine = Claim(owner, EMPTY)
        claim = claims.setdefault(key, mine)
        if claim is not mine:
            self._finish(claim)
            return False
        is_done = False
        held = self._read()
        try:
            # No jump is taken between a check and a write; see `replace_entry`.
            if new is empty and held is not empty:
                if held is old and stack.layers is before and claims[key] is mine:
                    is_done = True
                    stack.layers = after
                    delete(owner)
            elif held is old and stack.layers is before and claims[key] is mine:
                is_done = True
                stack.layers = after
                if new is not empty:
                    write(owner, new)
        except (KeyError, AttributeError):  # pragma: no cover - another thread came in between
            pass
        if claims.get(key) is mine:
            claims.pop(key, None)
        return is_done

    def assign(self, value: Any) -> None:
        claims, key, owner = self._claims, id(self._owner), self._owner
        write = self._member.__set__
        while True:
            # A check and an act, between which CPython with a GIL does not switch threads.
            if key not in claims:
                write(owner, value)
                return
            claims.pop(key, None)
