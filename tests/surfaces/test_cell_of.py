"""`cell_of(owner, name)`: the cell behind every kind of attribute."""

from __future__ import annotations

import copy
import decimal
import importlib
import sys
from pickle import dumps, loads
from types import ModuleType
from typing import Any

import pytest
from support import drive


class Names:
    """A class with every kind of attribute, an instance of it, and a module."""

    def __init__(self, gilonce: Any) -> None:
        class Owner:
            __slots__ = ("__dict__", "_kept")
            plain = 7

            @gilonce.once_property
            def attribute(self) -> Any:
                return ["attribute"]

            @gilonce.once_property(slot="_kept")
            def in_slot(self) -> Any:
                return ["slot"]

            @gilonce.once_property
            async def awaited(self) -> Any:
                return ["awaited"]

            @gilonce.once_property
            @classmethod
            def of_class(cls) -> Any:
                return [cls]

            @gilonce.once_property
            @staticmethod
            def static(*_: object) -> Any:
                return ["static"]

            @gilonce.once
            def method(self) -> Any:
                return ["method"]

            @property
            @gilonce.once
            def read_only(self) -> Any:
                return ["property"]

            @gilonce.once
            @classmethod
            def class_method(cls) -> Any:
                return [cls]

            @classmethod
            @gilonce.once
            def class_method_below(cls) -> Any:
                return [cls]

            @gilonce.once
            @staticmethod
            def static_method() -> Any:
                return ["static method"]

            @staticmethod
            @gilonce.once
            def static_method_below() -> Any:
                return ["static method"]

            per_owner = gilonce.lazy_global(lambda: ["global in a class"])

        self.Owner = Owner
        self.instance = Owner()
        self.instance.function = gilonce.once(list)
        self.module = ModuleType("names_of_tests")
        sys.modules["names_of_tests"] = self.module
        vars(self.module).update(gilonce=gilonce, Owner=Owner, number=7)
        code = (
            "FRESH = gilonce.lazy_global(lambda: {}, reify=False)\nUSED = gilonce.lazy_global(lambda: {})\nbool(USED)\n"
        )
        exec(code + "function = gilonce.once(list)\nbound = Owner.class_method", vars(self.module))


@pytest.fixture
def names(gilonce: ModuleType) -> Any:
    yield Names(gilonce)
    del sys.modules["names_of_tests"]


TOUCH = {
    "attribute": lambda it: it.attribute,
    "in_slot": lambda it: it.in_slot,
    "awaited": lambda it: drive(it.awaited.__await__()),
    "of_class": lambda it: it.of_class,
    "static": lambda it: it.static,
    "method": lambda it: it.method(),
    "read_only": lambda it: it.read_only,
    "class_method": lambda it: it.class_method(),
    "static_method": lambda it: it.static_method(),
    "static_method_below": lambda it: it.static_method_below(),
    "function": lambda it: it.function(),
}
OF_CLASS = ["of_class", "static", "class_method", "static_method", "static_method_below"]


@pytest.mark.parametrize("name", TOUCH)
def test_an_instances_attribute_has_a_cell(gilonce: ModuleType, names: Names, name: str) -> None:
    """It reads, empties and overrides what the attribute gives."""
    cell = gilonce.cell_of(names.instance, name)
    assert not cell.is_set()
    value = TOUCH[name](names.instance)
    assert cell.get() is value
    with gilonce.cell_of(names.instance, name).override("fake"):
        assert TOUCH[name](names.instance) == "fake"
    assert TOUCH[name](names.instance) is cell.take() is value
    assert TOUCH[name](names.instance) is not value


@pytest.mark.parametrize("name", OF_CLASS)
def test_a_classs_attribute_has_a_cell(gilonce: ModuleType, names: Names, name: str) -> None:
    cell = gilonce.cell_of(names.Owner, name)
    with cell.override("fake"):
        assert TOUCH[name](names.Owner) == TOUCH[name](names.instance) == "fake"
    assert TOUCH[name](names.Owner) is cell.get()


def test_a_class_method_below_has_a_cell(gilonce: ModuleType, names: Names) -> None:
    for owner in [names.Owner, names.instance]:
        with gilonce.cell_of(owner, "class_method_below").override("fake"):
            assert names.Owner.class_method_below() == "fake"


@pytest.mark.parametrize("name", ["FRESH", "USED", "function", "bound"])
def test_a_modules_attribute_has_a_cell(gilonce: ModuleType, names: Names, name: str) -> None:
    cell = gilonce.cell_of(names.module, name)
    with cell.override("fake"):
        it = getattr(names.module, name)
        assert (it == "fake") if name in ("FRESH", "USED") else (it() == "fake")


def test_a_global_in_a_class_and_an_object_behind_a_proxy(gilonce: ModuleType, names: Names) -> None:
    """The attribute of a lazy global is that of its object."""
    assert gilonce.cell_of(names.Owner, "per_owner").get_or_init(list) == []
    proxy = gilonce.lazy_global(lambda: names.instance)
    assert gilonce.cell_of(proxy, "attribute").get("empty") == "empty"
    assert names.instance.attribute is gilonce.cell_of(proxy, "attribute").get()


def test_the_cell_of_a_global_has_the_methods_of_a_cell(gilonce: ModuleType, names: Names) -> None:
    """`set` and `take` reach the proxies and the name in the module."""
    cell = gilonce.cell_of(names.module, "USED")
    used = names.module.USED
    assert (cell.is_set(), cell.get() is used, cell.get_or_init(list) is used, cell.final) == (True, True, True, True)
    assert drive(cell.aget_or_init(list)) is used
    assert repr(cell) == "<GILOnceCell: {}>"
    assert cell.take() is used
    proxy = names.module.USED
    assert "not yet called" in repr(proxy)
    cell.set([1])
    assert names.module.USED == proxy == [1]
    with pytest.raises(gilonce.AlreadySetError):
        cell.set([2])
    assert cell.take() == [1]
    assert proxy == {}
    assert names.module.USED is proxy.__wrapped__
    assert isinstance(proxy, dict)


def test_the_cell_of_a_global_takes_what_other_cells_take(gilonce: ModuleType) -> None:
    """The default by keyword, and `import_attr`, whose value the proxy then has."""
    module = ModuleType("importing")
    module.DECIMAL = gilonce.lazy_global(lambda: [1])  # type: ignore[attr-defined]
    cell = gilonce.cell_of(module, "DECIMAL")
    assert (cell.get(default=3), cell.take(default=4)) == (3, 4)
    with importlib.import_module("gilonce.testing").isolated():
        assert cell.import_attr("decimal", "Decimal") is decimal.Decimal
        assert module.DECIMAL("1.5") == decimal.Decimal("1.5")
    assert not cell.is_set()


@pytest.mark.parametrize("cell", ["GILOnceCell", "OnceLock"])
@pytest.mark.parametrize("is_set", [True, False])
@pytest.mark.parametrize("how", ["copy", "deepcopy", "pickle"])
def test_a_copy_of_the_cell_of_a_global_stands_alone(
    gilonce: ModuleType, names: Names, how: str, is_set: bool, cell: str
) -> None:
    """It has the value at that time. Copying touches nothing, and the copy changes nothing."""
    names.module.NUMBERS = gilonce.lazy_global(lambda: [1], cell=getattr(gilonce, cell))  # type: ignore[attr-defined]
    original = gilonce.cell_of(names.module, "NUMBERS")
    if is_set:
        assert len(names.module.NUMBERS) == 1
    copied = COPYING[how](original)
    assert type(copied) is type(COPYING[how](getattr(gilonce, cell)()))
    assert copied.is_set() == original.is_set() == is_set
    assert (copied.get() is original.get()) == (how == "copy" or not is_set)
    assert copied.take() == ([1] if is_set else None)
    assert original.is_set() == is_set
    copied.set("another")
    assert names.module.NUMBERS == [1]


COPYING: dict[str, Any] = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": lambda it: loads(dumps(it))}


def test_a_global_that_asks_its_cell_has_that(gilonce: ModuleType) -> None:
    module = ModuleType("asking")
    module.SESSION = gilonce.lazy_global(list, cell=gilonce.ThreadOnceCell)  # type: ignore[attr-defined]
    with gilonce.cell_of(module, "SESSION").override("fake"):
        assert module.SESSION == "fake"
    assert module.SESSION == []


def test_a_name_that_was_rebound_has_no_cell_and_stays_as_it_is(gilonce: ModuleType, names: Names) -> None:
    cell = gilonce.cell_of(names.module, "USED")
    names.module.USED = "rebound"
    with cell.override("fake"):
        assert names.module.USED == "rebound"
    with pytest.raises(TypeError, match=r"names_of_tests\.USED has no cell, because it is of type 'str'"):
        gilonce.cell_of(names.module, "USED")


@pytest.mark.parametrize("name", ["attribute", "in_slot", "awaited", "method"])
def test_of_a_class_the_cell_of_an_instance_is_refused(gilonce: ModuleType, names: Names, name: str) -> None:
    with pytest.raises(TypeError, match=rf"Owner\.{name} has one value per instance: use cell_of\(instance"):
        gilonce.cell_of(names.Owner, name)


def test_what_has_no_cell_is_named(gilonce: ModuleType, names: Names) -> None:
    with pytest.raises(TypeError, match=r"Owner\.plain has no cell, because it is of type 'int'"):
        gilonce.cell_of(names.Owner, "plain")
    with pytest.raises(TypeError, match=r"Owner\(\)\.plain has no cell"):
        gilonce.cell_of(names.instance, "plain")
    with pytest.raises(TypeError, match=r"there is no names_of_tests\.missing"):
        gilonce.cell_of(names.module, "missing")
    with pytest.raises(TypeError, match=r"takes the name of an attribute as a str, not 7"):
        gilonce.cell_of(names.module, 7)
    with pytest.raises(TypeError, match=r"write cell_of\(sys\.modules\['names_of_tests'\], 'GLOBAL'\)"):
        gilonce.cell_of("names_of_tests", "GLOBAL")


def test_a_function_with_arguments_has_no_single_cell(gilonce: ModuleType) -> None:
    class Owner:
        @gilonce.once_per_args
        def method(self, key: object) -> Any: ...

        @gilonce.once_per_args
        @staticmethod
        def static(key: object) -> Any: ...

    module = ModuleType("module")
    module.function = gilonce.once_per_args(lambda key: key)  # type: ignore[attr-defined]
    for owner, name in [(Owner(), "method"), (Owner, "static"), (module, "function")]:
        with pytest.raises(
            TypeError, match=rf"{name} has a cell for each set of arguments: use .*{name}\.cell\(\.\.\.\)"
        ):
            gilonce.cell_of(owner, name)


def test_cache_clear_forgets_without_discarding(gilonce: ModuleType) -> None:
    """As `functools.cache` does, for a function and for a bound method."""
    discarded: list[Any] = []
    function = gilonce.once(list, discard=discarded.append)
    before = function()
    assert function.cache_clear() is None
    assert function() is not before

    class Owner:
        @gilonce.once(discard=discarded.append)
        def method(self) -> Any:
            return []

    owner = Owner()
    before = owner.method()
    assert owner.method.cache_clear() is None
    assert owner.method() is not before
    assert discarded == []


def test_an_attribute_of_a_metaclass_belongs_to_the_class(gilonce: ModuleType) -> None:
    """Each class has a value of its own. What a class has itself comes first."""

    class Meta(type):
        @gilonce.once
        def table(cls) -> Any:
            return [cls]

        @gilonce.once
        @classmethod
        def shared(cls) -> Any:
            return [cls]

        @gilonce.once_property
        def name(cls) -> Any: ...

        @gilonce.once_property
        @staticmethod
        def static() -> Any:
            return ["static"]

    class Base(metaclass=Meta): ...

    class Sub(Base): ...

    class Own(Base):
        @gilonce.once
        @classmethod
        def table(cls) -> Any:
            return ["own"]

    for cls in Base, Sub:
        assert gilonce.cell_of(cls, "table").get() is None
        assert gilonce.cell_of(cls, "table").get_or_init(list) is cls.table()
    assert Own.table() is gilonce.cell_of(Own, "table").get()
    assert Base.shared() is gilonce.cell_of(Sub, "shared").get()
    assert Base.static is gilonce.cell_of(Sub, "static").get()
    with pytest.raises(TypeError, match="does not support item assignment"):
        gilonce.cell_of(Base, "name").set("no")
    with pytest.raises(TypeError, match=r"Meta\.table has one value per instance"):
        gilonce.cell_of(Meta, "table")
    with pytest.raises(TypeError, match=r"there is no .*Base\.missing"):
        gilonce.cell_of(Base, "missing")


def test_a_name_that_was_imported_after_the_first_use_is_told_from_which_module(
    gilonce: ModuleType, names: Names
) -> None:
    exec("LATE = gilonce.lazy_global(lambda: {})\nbool(LATE)", vars(names.module))
    late: Any = ModuleType("late")
    late.LATE = late.ALIAS = names.module.LATE  # type: ignore[attr-defined]
    late.NUMBER = 7
    message = r"first use there, write cell_of\(sys\.modules\['names_of_tests'\], 'LATE'\)$"
    with pytest.raises(TypeError, match=message):
        gilonce.cell_of(late, "ALIAS")
    late.LATE = "an override's, which is gone"
    with pytest.raises(TypeError, match=message):
        gilonce.cell_of(late, "LATE")
    with pytest.raises(TypeError, match=r"@once decorates$"):
        gilonce.cell_of(late, "NUMBER")
    with pytest.raises(TypeError, match=r"so it has no cell$"):
        gilonce.cell_of(list, "LATE")


def test_the_name_cell_is_answered_with_the_cell(gilonce: ModuleType) -> None:
    @gilonce.once
    def get_connection() -> Any: ...

    with pytest.raises(TypeError, match=r"The cell of this object is .*get_connection\.cell$"):
        gilonce.cell_of(get_connection, "cell")
