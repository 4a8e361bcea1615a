"""Classes whose slots a library makes: msgspec's structs and NamedTuple. `test_attrs.py` has those of attrs."""

from __future__ import annotations

import copy
import pickle
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from support import race
from support.comparison import Case, Given, Tool, importable

MSGSPEC = Tool("msgspec")
NAMED_TUPLE = Tool("typing")
NO_DICT = "its instances have no `__dict__`"


def make_struct(given: Given, **options: Any) -> Any:
    import msgspec

    class Struct(msgspec.Struct, **options):  # type: ignore[call-arg, misc]
        size: int = 1

        @given.once_property
        def value(self) -> list[int]:
            return [self.size]

    return Struct


@MSGSPEC.case()
def struct_with_dict(given: Given) -> None:
    """An attribute of a struct with `dict=True`: copies have it, and the encoded struct has its fields only."""
    import msgspec

    cls = make_struct(given, dict=True)
    importable(cls)
    struct = cls(3)
    assert struct.value is struct.value
    assert struct == cls(3)
    assert msgspec.json.encode(struct) == b'{"size":3}'
    assert msgspec.json.decode(msgspec.json.encode(struct), type=cls).value == [3]
    assert msgspec.structs.asdict(struct) == {"size": 3}
    for copied in copy.copy(struct), pickle.loads(pickle.dumps(struct)):
        assert copied.value == [3]


@MSGSPEC.case(functools=NO_DICT, gilonce=NO_DICT + ", and the error says what to write")
def struct_without_dict(given: Given) -> None:
    """An attribute of a struct without `dict=True`."""
    assert make_struct(given)(3).value == [3]


def make_named_tuple(given: Given) -> Any:
    class Point(NamedTuple):
        size: int

        @given.once_property
        def value(self) -> list[int]:
            return [self.size]

    return Point


@NAMED_TUPLE.case(functools=NO_DICT, gilonce=NO_DICT + ", and the error says what to write")
def named_tuple(given: Given) -> None:
    """An attribute of a NamedTuple."""
    assert make_named_tuple(given)(3).value == [3]


@NAMED_TUPLE.case()
def subclass_of_named_tuple(given: Given) -> None:
    """An attribute of a subclass of a NamedTuple."""

    class Pair(NamedTuple):
        size: int

    class Point(Pair):
        @given.once_property
        def value(self) -> list[int]:
            return [self.size]

    point = Point(3)
    assert point.value is point.value
    assert point == (3,)
    assert point._asdict() == {"size": 3}


@pytest.mark.parametrize("case", [*MSGSPEC.cases, *NAMED_TUPLE.cases], ids=lambda case: f"{case.tool.package}-{case}")
def test_a_class_with_slots_does_what_it_does_with_functools(gilonce: ModuleType, case: Case) -> None:
    case.check(gilonce)


def methods(gilonce: ModuleType) -> dict[str, Any]:
    """Return decorated functions, and `__module__`, for the body of a class."""
    return {
        "__module__": __name__,
        "method": gilonce.once(lambda self: [self]),
        "attribute": gilonce.once_property(lambda self: [self]),
        "locked": gilonce.once_property(cell=gilonce.OnceLock)(lambda self: [self]),
    }


def uses(it: Any) -> list[Any]:
    return [it.method, lambda: it.attribute, lambda: it.locked]


def with_slots(gilonce: ModuleType) -> dict[str, Any]:
    """Return functions that are decorated with `slot=`, and `__module__`, for the body of a class."""
    return {
        "__module__": __name__,
        "method": gilonce.once(slot="_method")(lambda self: [self]),
        "attribute": gilonce.once_property(slot="_attribute")(lambda self: [self]),
    }


def uses_of_slots(it: Any) -> list[Any]:
    return [it.method, lambda: it.attribute]


def test_a_struct_is_known_by_its_configuration(gilonce: ModuleType) -> None:
    """This needs no msgspec."""
    struct = type("Point", (), {**methods(gilonce), "__slots__": (), "__struct_config__": None})
    for use in uses(struct()):
        with pytest.raises(TypeError, match=r"Write class Point\(msgspec.Struct, dict=True\)$"):
            use()


def test_the_error_in_a_struct_says_what_to_write(gilonce: ModuleType) -> None:
    msgspec = MSGSPEC.require()
    struct = type(msgspec.Struct)("Point", (msgspec.Struct,), methods(gilonce))
    for use in uses(struct()):
        with pytest.raises(TypeError, match=r"Write class Point\(msgspec.Struct, dict=True\)$"):
            use()

    class Other(msgspec.Struct):  # type: ignore[misc, name-defined]
        @gilonce.once_per_args
        def per_args(self, one: int) -> list[int]:
            return [one]

    with pytest.raises(TypeError, match=r"Write class Other\(msgspec.Struct, dict=True\)$"):
        Other().per_args(1)
    with_dict = type(msgspec.Struct)("Point", (msgspec.Struct,), methods(gilonce), dict=True)
    for use in uses(with_dict()):
        found = race(use)
        assert len({id(value) for value in found}) == 1


def test_the_error_in_a_named_tuple_says_what_to_write(gilonce: ModuleType) -> None:
    class Pair(NamedTuple):
        size: int

    slotted = type("Point", (Pair,), {**methods(gilonce), "__slots__": ()})
    for use in uses(slotted(3)):
        with pytest.raises(TypeError, match=r"to a subclass: class \.\.\.\(Point\), without __slots__$"):
            use()
    for use in uses(type("Point", (Pair,), methods(gilonce))(3)):
        assert use() is use()


def test_a_struct_has_slots_of_a_base_class_only(gilonce: ModuleType) -> None:
    """Where the struct cannot have the slot, the error says what to write."""
    msgspec = MSGSPEC.require()
    make = type(msgspec.Struct)
    for use in uses_of_slots(make("Point", (msgspec.Struct,), with_slots(gilonce))()):
        with pytest.raises(TypeError, match=r"Write class Point\(msgspec.Struct, dict=True\), and leave slot out$"):
            use()
    lazy = type("Lazy", (), {"__slots__": ("_method", "_attribute")})
    for use in uses_of_slots(make("Point", (msgspec.Struct, lazy), with_slots(gilonce))()):
        assert len({id(value) for value in race(use)}) == 1


def test_a_named_tuple_has_no_slots(gilonce: ModuleType) -> None:
    class Pair(NamedTuple):
        size: int

    for use in uses_of_slots(type("Point", (Pair,), {**with_slots(gilonce), "__slots__": ()})(3)):
        with pytest.raises(TypeError, match=r"to a subclass: class \.\.\.\(Point\), .*, and leave slot out$"):
            use()
