"""`slot=`: find the slot that stores a value, and explain why a slot cannot be used.

`once` and `once_property` take this option. What they return, a once method or a property, is called a *user* of the
slot here. A user has these attributes:

* `_slot`, the name of the slot, or None; `_function` and `_definition`.
* `_home_in(cls)` returns the first class in the MRO of `cls` that has the user as an attribute, or None.
* `_is_attribute_of(home, name)` returns whether it is the attribute `name` of that class.
"""

from __future__ import annotations

from types import MemberDescriptorType

from .._cells.arguments import check_discard
from .._cells.callables import name_of
from .._storage.bound import advice_for, owner_of_slots
from .._storage.class_values import class_values, own_values, prepare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._cells.racing import Discard


#: For each surface, a function that returns whether instances of a class may be users. No surface imports another.
_tests: dict[str, Callable[[type], bool]] = {}


def add_users(surface: str, has_users: Callable[[type], bool]) -> None:
    """Register how to recognize the users of `surface`, so that two users of one slot are found."""
    _tests[surface] = has_users


def check_options(
    taker: str, slot: object = None, discard: Discard = None, cell: Callable[[], Any] | None = None
) -> bool:
    """Raise TypeError for options that are wrong. Return whether the cells that `cell` makes are final.

    Parameters:
        taker: the name of the surface, for messages.
        slot, discard, cell: the options.
    """
    is_final = True
    if cell is not None:
        from .._storage.cell_option import make_checked_cell

        made = make_checked_cell(cell, discard, taker)
        is_final = bool(made.final)
        if slot is not None and not is_final:
            raise TypeError(
                f"{taker}(slot=..., cell=...) cannot keep the values of a {type(made).__name__} in a slot, because "
                "they are not the same for everyone: leave slot out. The cell is stored in the instance's __dict__, "
                "so a class with __slots__ needs '__dict__' among them"
            )
    elif discard is not None:
        check_discard(discard, taker)
    if slot is not None and not issubclass(type(slot), str):
        raise TypeError(f"{taker}(slot=...) takes the name of a slot, not {slot!r}")
    return is_final


def entry_of(cls: type, name: str) -> Any:
    """Return what stands under `name` in the first class of the MRO that has it, or None."""
    # A loop, not a generator expression: closing an unfinished generator runs code, and Ctrl-C in that code is lost.
    for base in cls.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return None


def prepare_class(user: Any, cls: type) -> None:
    """Prepare a class that is being created with `user` in it. Raise TypeError if a default would fill the slot."""
    # A decorator such as `dataclass(slots=True)` creates the class a second time. In the first call the slot does not
    # exist yet, and the class does not say yet which fields it will have.
    member = find_member(user, cls)
    if member is not None:
        _check_no_default(user, (cls,), member)
    prepare(cls)


def member_for(user: Any, instance: object) -> Any:
    """Return the descriptor of the slot; raise TypeError if the slot is missing or cannot be used."""
    cls = type(instance)
    key, what = user._definition.key, user._definition.what
    # The result is remembered in the class. If the user remembered it, it would keep subclasses alive.
    values = own_values(cls)
    member = None if values is None else values.get(key)
    if member is None:
        member = find_member(user, cls)
        if member is None:
            raise TypeError(
                f"No slot {user._slot!r} on {cls.__name__!r} instance to cache {what}. {_advice(user._slot, cls)}"
            )
        _check_not_shared(user, cls, member)
        # `prepare_class` cannot find every default: a subclass may add one, or the field may be a base's.
        _check_no_default(user, cls.__mro__, member)
        class_values(cls, what)[key] = member
    return member


def _advice(slot: str, cls: type) -> str:
    """Return what to write if `cls` has no such slot."""
    if instead := advice_for(cls):
        return f"{instead}, and leave slot out"
    owner = owner_of_slots(cls) or repr(cls.__name__)
    if any(slot in base.__dict__ for base in cls.__mro__):
        return f"A slot needs a name of its own: write slot='_{slot}', and add that to the __slots__ of {owner}"
    return f"Add {slot!r} to the __slots__ of {owner}"


def find_member(user: Any, cls: type) -> Any:
    """Return the descriptor of the slot for instances of `cls`, or None.

    A subclass may declare a slot of the same name again. The user has the slot of the class in which it is defined, or
    of the nearest base of that class. Only if none of them declares it, as with a mixin, the user has the slot of
    a subclass.
    """
    slot = user._slot or ""
    is_private = slot.startswith("__") and not slot.endswith("__")
    home = user._home_in(cls)
    in_subclass = None
    is_defined_here = False
    for base in cls.__mro__:
        is_defined_here = is_defined_here or base is home
        member = base.__dict__.get(f"_{base.__name__.lstrip('_')}{slot}" if is_private else slot)
        if isinstance(member, MemberDescriptorType):
            if is_defined_here:
                return member
            in_subclass = in_subclass or member
    return in_subclass


def _is_user(it: object) -> bool:
    """Return whether `it` may be the user of a slot."""
    # `type(it)`, not `isinstance`: asking a lazy proxy for its `__class__` would compute its object.
    return any(has_users(type(it)) for has_users in _tests.values())


def _check_not_shared(user: Any, cls: type, member: Any) -> None:
    """Raise TypeError if `cls` has another user of the slot.

    An override may have the slot of what it overrides, unless it reads that by `super()`.
    """
    home = user._home_in(cls)
    is_overridden = True
    for base in cls.__mro__:
        # A copy, because another thread may set an attribute of the class during the loop.
        for name, other in base.__dict__.copy().items():
            if other is user or not _is_user(other) or find_member(other, cls) is not member:
                continue
            if is_overridden or not user._is_attribute_of(home, name):
                raise TypeError(
                    f"{name_of(user._function)}() and {name_of(other._function)}() both name the slot "
                    f"{user._slot!r} of {member.__objclass__.__name__!r}: each needs a slot of its own"
                )
        is_overridden = is_overridden and base is not home


def _check_no_default(user: Any, classes: tuple[type, ...], member: Any) -> None:
    """Raise TypeError if the slot belongs to a dataclass or attrs field with a default.

    Such a default is in the slot before a value can be computed. Only the first of `classes` that has fields is
    checked, because its fields include those of its bases.
    """
    name = member.__name__
    if entry_of(classes[0], name) is not member:
        # An attribute of the same name hides the slot, so the default does not go into the slot.
        return
    for cls in classes:
        entries = cls.__dict__
        if type(entries.get("__dataclass_fields__")) is dict:
            from dataclasses import MISSING, fields

            has_default = any(
                field.name == name and not (field.default is MISSING and field.default_factory is MISSING)
                for field in fields(cls)
            )
            instead = "dataclasses.field(init=False, repr=False, compare=False)"
        elif issubclass(type(entries.get("__attrs_attrs__")), tuple):
            from attr import NOTHING

            has_default = any(
                field.name == name and field.default is not NOTHING for field in entries["__attrs_attrs__"]
            )
            instead = "attrs.field(init=False, repr=False, eq=False)"
        else:
            continue
        if has_default:
            raise TypeError(
                f"The field {name!r} of {cls.__name__!r} has a default, which fills the slot of "
                f"{user._definition.what} before it is computed. Declare the field without a default, "
                f"{name}: Any = {instead}, or declare {name!r} in the __slots__ of a base class instead"
            )
        return
