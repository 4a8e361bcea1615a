"""`once_per_args` in a class: values per instance and per class."""

from __future__ import annotations

import copy
import functools
import sys
import weakref
from types import FunctionType, ModuleType
from typing import Any, ClassVar

import pytest
from support import run_python
from support.keys import Argument, Same, settle, without_collector

CPYTHON = sys.implementation.name == "cpython"


def test_a_method_has_values_per_instance(gilonce: ModuleType) -> None:
    """Also where the instance cannot be hashed, or compares equal to another."""

    class Owner:
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

        @gilonce.once_per_args
        def method(self, x: int, y: int = 0) -> Any:
            return [self, x, y]

    one, other = Owner(), Owner()
    assert one.method(1) is one.method(x=1) is one.method(1, 0) is Owner.method(one, 1)
    assert one.method(1)[0] is one
    assert other.method(1)[0] is other
    assert Owner.method.cell(one, 1).get() is one.method(1)
    assert one.method == one.method != other.method
    assert hash(one.method) == hash(one.method)
    assert one.method.__self__ is one
    assert len(one.method.take_all()) == 1
    assert len(other.method.take_all()) == 1
    with pytest.raises(TypeError, match=r"Owner\.method\(\) keeps its values in each instance.*obj\.method\.take_all"):
        Owner.method.take_all()
    with pytest.raises(TypeError, match=r"keeps its values in each instance"):
        Owner.method.cache_clear()
    with pytest.raises(TypeError, match=r"Owner\.method\(\) is a method"):
        Owner.method()
    with pytest.raises(TypeError, match=r"Owner\.method\(\) is a method"):
        Owner.method.cell()
    with pytest.raises(TypeError, match=r"method\(\) missing 1 required positional argument: 'x'"):
        one.method()


def test_an_instance_needs_a_dict(gilonce: ModuleType) -> None:
    """And the error says what to do."""

    class Slotted:
        __slots__ = ()

        @gilonce.once_per_args
        def method(self, x: int) -> int:
            return x

    with pytest.raises(TypeError, match=r"No '__dict__' attribute on 'Slotted' instance.*Add '__dict__'"):
        Slotted().method(1)


def test_a_class_method_has_values_per_class(gilonce: ModuleType) -> None:
    """In both orders of the decorators. A subclass has its own."""

    class Base:
        @gilonce.once_per_args
        @classmethod
        def above(cls, x: int) -> Any:
            return [cls, x]

        @classmethod
        @gilonce.once_per_args
        def below(cls, x: int) -> Any:
            return [cls, x]

    class Derived(Base):
        pass

    for name in ("above", "below"):
        of_base, of_derived = getattr(Base, name), getattr(Derived, name)
        assert of_base(1) is of_base(x=1) is getattr(Base(), name)(1)
        assert of_base(1)[0] is Base
        assert of_derived(1)[0] is Derived
    assert len(Base.above.take_all()) == 1
    assert Base.above.take_all() == []
    assert Derived.above.cell(1).is_set()
    assert Derived.above.cache_clear() is None
    assert not Derived.above.cell(1).is_set()
    with pytest.raises(TypeError, match=r"keeps its values in each class: use Cls\.above\.take_all"):
        vars(Base)["above"].take_all()


@pytest.mark.skipif(sys.version_info < (3, 13), reason="before 3.13 classmethod binds what it wraps")
def test_values_below_a_classmethod_are_not_silently_kept(gilonce: ModuleType) -> None:
    """`Cls.m` is a bound method, so `take_all` cannot know the class. It used to return nothing."""

    class Owner:
        @classmethod
        @gilonce.once_per_args
        def below(cls, x: int) -> Any:
            return [cls, x]

    assert Owner.below(1) == [Owner, 1]
    for empty in Owner.below.take_all, Owner.below.cache_clear:
        with pytest.raises(TypeError, match=r"below\(\) keeps its values in each class.* above @classmethod$"):
            empty()


def test_a_static_method_has_one_value_per_arguments(gilonce: ModuleType) -> None:
    """In both orders. Instances and classes are arguments like others."""

    class Base:
        @gilonce.once_per_args
        @staticmethod
        def above(x: Any) -> Any:
            return [x]

        @staticmethod
        @gilonce.once_per_args
        def below(x: Any) -> Any:
            return [x]

    class Derived(Base):
        pass

    for name in ("above", "below"):
        function = getattr(Base, name)
        owner = Base()
        for argument in (1, Base, owner):
            assert function(argument) is getattr(Derived, name)(argument) is getattr(owner, name)(x=argument)
        assert len(function.take_all()) == 3


def test_a_method_under_another_decorator_is_a_method(gilonce: ModuleType) -> None:
    """And so is a function that is put into a class later."""

    def passing_on(function: Any) -> Any:
        @functools.wraps(function)
        def passed(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return passed

    @gilonce.once_per_args
    def late(self: Any, x: int) -> Any:
        return [self, x]

    class Owner:
        __hash__ = None  # type: ignore[assignment]

        @passing_on
        @gilonce.once_per_args
        def method(self, x: int) -> Any:
            return [self, x]

    Owner.late = late  # type: ignore[attr-defined]
    for name in ("method", "late"):
        one, other = Owner(), Owner()
        values = getattr(one, name)(1), getattr(other, name)(1)
        assert values[0] is getattr(one, name)(1) is not values[1]
        assert (values[0][0], values[1][0]) == (one, other)
        reference = weakref.ref(one)
        del one, values
        settle()
        assert reference() is None


@pytest.mark.parametrize("key", [None, lambda x: x], ids=["arguments", "key"])
def test_a_function_is_a_method_under_any_name(gilonce: ModuleType, key: Any) -> None:
    """It used to keep the instance alive. Where a plain function cannot know the instance, it says so."""

    @gilonce.once_per_args(key=key)
    def late(self: Any, x: int) -> Any:
        return [self, x]

    class Owner:
        other = late

    class Derived(Owner):
        pass

    one, other = Derived(), Derived()
    value = one.other(1)
    assert value[0] is one
    assert value is one.other(1) is not other.other(1)
    if key is None:
        assert value is Owner.other(one, 1) is Owner.other.cell(one, 1).get()
    if type(late) is FunctionType and gilonce.__implementation__ == "python":
        for use in one.other.take_all, one.other.cache_clear, functools.partial(one.other.cell, 1):
            with pytest.raises(TypeError, match=r"late\(\) keeps its values .* in the body of the class$"):
                use()
        del use
    else:
        assert one.other.cell(1).get() is value
        assert one.other.take_all() == [value]
    assert late.__wrapped__(None, 2) == [None, 2]
    reference = weakref.ref(one)
    del one, value
    settle()
    assert reference() is None


def test_a_function_with_a_key_is_a_method_without_being_bound(gilonce: ModuleType) -> None:
    """`key=` gets the arguments without the instance."""

    @gilonce.once_per_args(key=lambda x: x)
    def late(self: Any, x: int) -> Any:
        return [self, x]

    class Owner:
        other = late

    owner = Owner()
    assert Owner.other(owner, 1) is owner.other(1)


def test_a_method_under_a_property_has_values_per_instance(gilonce: ModuleType) -> None:
    """They go with their instance, which need not be hashable. So it is with a function that is put there later."""

    @gilonce.once_per_args
    def late(self: Any) -> Any:
        return [self]

    class Owner:
        __hash__ = None  # type: ignore[assignment]

        @property
        @gilonce.once_per_args
        def attribute(self) -> Any:
            return [self]

        @functools.cached_property
        @gilonce.once_per_args
        def cached(self) -> Any:
            return [self]

    Owner.late = property(late)  # type: ignore[attr-defined]
    for name in ("attribute", "cached", "late"):
        one, other = Owner(), Owner()
        value = getattr(one, name)
        assert value is getattr(one, name)
        assert value[0] is one
        assert getattr(other, name)[0] is other
        reference = weakref.ref(one)
        del one, value
        settle()
        assert reference() is None


def test_a_lazy_global_with_the_name_of_a_function_is_not_touched(gilonce: ModuleType) -> None:
    """The class of an argument may have one."""
    touched: list[str] = []

    @gilonce.once_per_args
    def find(owner: Any) -> Any:
        return [owner]

    class Owner:
        __hash__ = object.__hash__

    Owner.find = gilonce.lazy_global(lambda: touched.append("the factory"), reify=False)  # type: ignore[attr-defined]
    owner = Owner()
    assert find(owner) is find(owner)
    assert touched == []


@pytest.mark.skipif(not CPYTHON, reason="only CPython frees what nothing holds at once")
def test_values_go_with_their_instance_at_once(gilonce: ModuleType) -> None:
    """Nothing keeps an instance alive, not even until the collector comes."""

    class Owner:
        @gilonce.once_per_args
        def method(self, x: Any) -> Any:
            return Argument()

    with without_collector():
        owner = Owner()
        references = [weakref.ref(owner), weakref.ref(owner.method(1)), weakref.ref(owner.method(Same(1)))]
        del owner
        assert [reference() for reference in references] == [None] * 3


def test_nothing_keeps_a_class_alive(gilonce: ModuleType) -> None:
    """A class method's values are kept in the class.

    In a process of its own: free-threaded 3.13 makes classes immortal once a thread was started.
    """
    source = """
import gc, weakref
from gilonce import once_per_args
class Base:
    @once_per_args
    @classmethod
    def method(cls, x): return [cls]
def use():
    derived = type("Derived", (Base,), {})
    derived.method(1)
    return weakref.ref(derived)
reference = use()
gc.collect()
assert reference() is None
"""
    run_python(gilonce, "-c", source)


def test_an_instance_that_takes_no_weak_reference_has_values_too(gilonce: ModuleType) -> None:
    """Its copies are distinguished from it all the same."""

    class Owner:
        __slots__ = ("__dict__",)

        @gilonce.once_per_args
        def method(self, x: Any) -> Any:
            return [x]

    one = Owner()
    value = one.method(1)
    copied = copy.copy(one)
    assert one.method(1) is value is copied.method(1)
    assert one.method(2) is not copied.method(2)
    made = weakref.ref(one.method.cell(1))
    del one
    settle()
    assert made() is None


def test_a_method_has_values_in_an_instance_whose_dict_is_not_a_dict(gilonce: ModuleType) -> None:
    """It may be a new mapping at every access, so it does not tell whose a table is."""

    class Namespace(dict[str, Any]):
        pass

    class Owner:
        __slots__ = ("__weakref__", "namespace")

        def __init__(self) -> None:
            self.namespace = Namespace()

        @property
        def __dict__(self) -> Any:
            return self.namespace

        @gilonce.once_per_args
        def method(self, x: Any) -> Any:
            return [x]

        @gilonce.once(cell=gilonce.ThreadOnceCell)
        def without_arguments(self) -> Any:
            return [self]

    one, other = Owner(), Owner()
    cell, value = one.method.cell(1), one.without_arguments()
    other.namespace = one.namespace.copy()
    assert other.method(1) is not one.method(1)
    assert other.without_arguments() is not value
    assert one.method.cell(1) is cell
    assert one.without_arguments() is value


def test_instances_that_share_their_dict_share_the_values(gilonce: ModuleType) -> None:
    """What is one place is one table."""

    class Borg:
        state: ClassVar[dict[str, Any]] = {}

        def __init__(self) -> None:
            self.__dict__ = self.state

        @gilonce.once_per_args
        def method(self, x: Any) -> Any:
            return [x]

    one, other = Borg(), Borg()
    value = one.method(1)
    assert other.method(1) is value is one.method(1)
    del one
    settle()
    assert other.method(1) is value


def test_two_methods_of_one_name_have_tables_of_their_own(gilonce: ModuleType) -> None:
    """An override that calls `super()` above all."""

    class Base:
        @gilonce.once_per_args
        def method(self, x: int) -> Any:
            return ["base", x]

    class Derived(Base):
        @gilonce.once_per_args
        def method(self, x: int) -> Any:
            return ["derived", super().method(x)]

    owner = Derived()
    assert owner.method(1) is owner.method(1)
    assert owner.method(1) == ["derived", ["base", 1]]


def test_decorators_that_lead_in_a_circle_end(gilonce: ModuleType) -> None:
    """What is wrapped may be said to wrap itself; then it is not found, and the instance is an argument."""

    class Owner:
        @gilonce.once_per_args
        def method(self, x: int) -> Any:
            return [self, x]

    inner = vars(Owner)["method"]
    under = gilonce.once_per_args(inner.__wrapped__)

    def circle(*args: Any) -> Any:
        return under(*args)

    circle.__wrapped__ = circle  # type: ignore[attr-defined]
    Owner.method = circle  # type: ignore[method-assign,assignment]
    owner = Owner()
    assert owner.method(1) is owner.method(1)
    assert owner.method(1)[0] is owner
