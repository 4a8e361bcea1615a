"""once_property: its errors, and the names that they use."""

from __future__ import annotations

import copy
import dataclasses
import functools
from types import ModuleType
from typing import Any

import attrs
import pytest
from support.class_creation import class_creation_error, message_of


@pytest.mark.parametrize("cell", [None, "OnceLock", "a subclass"])
@pytest.mark.parametrize("slot", [True, False])
@pytest.mark.parametrize("is_async", [True, False])
def test_to_delete_what_is_not_there_is_an_error_like_any(
    gilonce: ModuleType, cell: str | None, slot: bool, is_async: bool
) -> None:
    """In the words that the newest interpreters use."""

    class Own(gilonce.GILOnceCell):  # type: ignore[name-defined, misc]
        pass

    async def later(self: object) -> int:
        return 1

    class Base:
        __slots__ = ("__dict__", "_x")
        x = gilonce.once_property(
            later if is_async else lambda self: 1,
            slot="_x" if slot else None,
            cell={None: None, "OnceLock": gilonce.OnceLock, "a subclass": Own}[cell],
        )

    class A(Base):
        pass

    a = A()
    a.x = 3
    del a.x
    with pytest.raises(AttributeError) as caught:
        del a.x
    # A plain value is an attribute of the instance, which the interpreter itself deletes, in words of its own.
    if slot or is_async:
        assert str(caught.value) == "'A' object has no attribute 'x'"
        assert (caught.value.name, caught.value.obj) == ("x", a)


def test_a_property_has_the_name_of_its_function(gilonce: ModuleType) -> None:
    """Frameworks look for `__name__`. A callable that has none goes by the attribute's."""

    class Named(gilonce.once_property):  # type: ignore[name-defined, misc]
        @property
        def __name__(self) -> str:
            return f"own {super().__name__}"

    def function(self: object) -> int:
        return 1

    async def later(self: object) -> int:
        return 1

    class Callable:
        __name__ = 3

        def __call__(self, it: object) -> int:
            return 1

    class Owner:
        __slots__ = ("__dict__", "_x")
        plain = gilonce.once_property(function)
        slotted = gilonce.once_property(function, slot="_x")
        awaited = gilonce.once_property(later)
        of_class = gilonce.once_property(classmethod(function))
        of_all = gilonce.once_property(staticmethod(function))
        partial = gilonce.once_property(functools.partial(function))
        strange = gilonce.once_property(Callable())
        own = Named(function)

    names = {name: entry.__name__ for name, entry in vars(Owner).items() if isinstance(entry, gilonce.once_property)}
    assert names == {
        "plain": "function",
        "slotted": "function",
        "awaited": "later",
        "of_class": "function",
        "of_all": "function",
        "partial": "partial",
        "strange": "strange",
        "own": "own function",
    }
    assert Owner.plain.__name__ == copy.copy(Owner.plain).__name__ == "function"
    assert Owner.partial.__name__ == copy.copy(Owner.partial).__name__ == "partial"
    nameless = gilonce.once_property(functools.partial(function))
    assert getattr(nameless, "__name__", None) is None
    with pytest.raises(AttributeError, match="'once_property' object has no attribute '__name__'"):
        nameless.__name__
    assert functools.update_wrapper(nameless, later).__name__ == "later"
    assert gilonce.once_property.__name__ == "once_property"
    assert type(Owner.slotted).__name__ == "once_property"


@pytest.mark.parametrize("thing", [3, "name"])
def test_what_is_not_callable_is_refused(gilonce: ModuleType, thing: object) -> None:
    """At decoration, by name."""
    with pytest.raises(TypeError, match=r"once_property takes a callable, not .* \((int|str)\)"):
        gilonce.once_property(thing)


def test_wrong_arguments_to_the_decorator_are_refused(gilonce: ModuleType) -> None:
    """`slot` is a name, `discard` a callable, and both are checked before any function comes."""
    with pytest.raises(TypeError, match=r"once_property\(slot=\.\.\.\) takes the name of a slot, not 3"):
        gilonce.once_property(slot=3)
    with pytest.raises(TypeError, match=r"once_property\(discard=\.\.\.\) takes a callable"):
        gilonce.once_property(discard=3)


@pytest.mark.parametrize("kind", [classmethod, staticmethod])
def test_a_slot_is_for_values_of_instances(gilonce: ModuleType, kind: Any) -> None:
    """A value per class or process does not fit into an instance's slot."""
    with pytest.raises(TypeError, match=rf"slot='_x'\) cannot wrap a {kind.__name__}"):
        gilonce.once_property(slot="_x")(kind(lambda *args: 1))


def test_a_class_without_a_dict_is_told_to_name_a_slot(gilonce: ModuleType) -> None:
    """The error says what to add, and the function has not run."""

    class Slotted:
        __slots__ = ()

        @gilonce.once_property
        def x(self) -> int:
            raise AssertionError("must not run")

    with pytest.raises(TypeError, match=r"No '__dict__' attribute on 'Slotted' instance to cache 'x' property.*slot='"):
        Slotted().x


def test_a_dict_that_cannot_be_written_is_a_type_error(gilonce: ModuleType) -> None:
    """A metaclass's instances have one; the message points to classmethod."""

    class Meta(type):
        @gilonce.once_property
        def x(cls) -> int:
            raise AssertionError("must not run")

    class Owner(metaclass=Meta):
        pass

    with pytest.raises(TypeError, match=r"__dict__' attribute on 'Meta' instance does not support item assignment"):
        Owner.x


@pytest.mark.parametrize("module", [dataclasses, attrs])
@pytest.mark.parametrize("inherits", [False, True])
def test_a_class_that_is_made_from_its_fields_is_told_to_inherit_its_slots(
    gilonce: ModuleType, module: Any, inherits: bool
) -> None:
    """attrs and dataclass write the `__slots__` of the class itself, and a field without a value breaks `asdict()`.

    attrs makes a slot for a plain property, as it does for a `functools.cached_property`.
    """
    make = attrs.define if module is attrs else dataclasses.dataclass(slots=True)

    class Base:
        __slots__ = ("__dict__", "_in_slot") if inherits else ()

    @make
    class Point(Base):
        x: int

        @gilonce.once_property
        def in_dict(self) -> int:
            return 1

        @gilonce.once_property(slot="_in_slot")
        def in_slot(self) -> int:
            return 1

        @gilonce.once_property(cell=gilonce.OnceLock)
        def in_turn(self) -> int:
            return 1

        @gilonce.once
        def method(self) -> int:
            return 1

        @gilonce.once_per_args
        def per_args(self, number: int) -> int:
            return number

    point = Point(3)
    acts = [lambda: point.in_dict, lambda: point.in_slot, lambda: point.in_turn]
    for act in (*acts, lambda: point.method(), lambda: point.per_args(1)):
        if inherits or (module is attrs and act in (acts[0], acts[2])):
            assert act() == 1
        else:
            with pytest.raises(
                TypeError,
                match=r"No .* of a base class, because those of 'Point' are made from its fields",
            ):
                act()
    assert module.asdict(point) == {"x": 3}


@pytest.mark.parametrize("declared", ["nothing", "a plain attribute"])
def test_a_slot_that_is_not_there_is_a_type_error(gilonce: ModuleType, declared: str) -> None:
    """The error names slot, class and attribute."""

    class Owner:
        if declared == "a plain attribute":
            _x = 1

        @gilonce.once_property(slot="_x")
        def x(self) -> int:
            raise AssertionError("must not run")

    with pytest.raises(TypeError, match=r"No slot '_x' on 'Owner' instance to cache 'x' property.*__slots__"):
        Owner().x


def test_two_names_are_a_type_error(gilonce: ModuleType) -> None:
    """As with `functools.cached_property`; the same name in two classes is fine."""
    shared = gilonce.once_property(lambda self: 1)
    with class_creation_error() as caught:
        type("Owner", (), {"a": shared, "b": shared})
    assert message_of(caught) == "Cannot assign the same once_property to two different names ('a' and 'b')."
    one, two = type("One", (), {"a": shared}), type("Two", (), {"a": shared})
    assert one().a == two().a == 1


@pytest.mark.parametrize("how", ["one class", "two mixins", "base and derived", "private name"])
def test_two_properties_on_one_slot_are_a_type_error(gilonce: ModuleType, how: str) -> None:
    """Each would read the other's value."""

    def lazy(slot: str = "_v") -> Any:
        return gilonce.once_property(slot=slot)(lambda self: 1)

    if how == "one class":
        cls = type("C", (), {"__slots__": ("_v",), "a": lazy(), "b": lazy()})
    elif how == "two mixins":
        first, second = (type("M", (), {"__slots__": (), name: lazy()}) for name in "ab")
        cls = type("C", (first, second), {"__slots__": ("_v",)})
    elif how == "base and derived":
        cls = type("D", (type("B", (), {"__slots__": ("_v",), "a": lazy()}),), {"__slots__": (), "b": lazy()})
    else:
        cls = type("C", (), {"__slots__": ("_C__v",), "a": lazy("__v"), "b": lazy("_C__v")})
    for name in "ab":
        with pytest.raises(TypeError, match=r"both name the slot '_(C_)?_?v' of '\w': each needs a slot of its own"):
            getattr(cls(), name)


@pytest.mark.parametrize("slot", [None, "_x"])
def test_no_name_is_a_type_error_that_says_what_to_call(gilonce: ModuleType, slot: str | None) -> None:
    """Assigned to a class after the fact, the property does not know its name."""

    class Owner:
        __slots__ = ("__dict__", "_x")

    Owner.x = gilonce.once_property(functools.partial(lambda self: 1), slot=slot)  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="Cannot use once_property instance without calling __set_name__ on it") as hit:
        Owner().x  # type: ignore[attr-defined]
    assert "__set_name__(cls, name)" in str(hit.value)
    Owner.x.__set_name__(Owner, "x")  # type: ignore[attr-defined]
    assert Owner().x == 1  # type: ignore[attr-defined]
