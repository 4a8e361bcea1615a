"""The native core: what it relies on when it looks for values, while others change it."""

from __future__ import annotations

import gc
import importlib
import sys
import threading
from types import ModuleType
from typing import Any

import pytest
import wrapt
from support import IMPLEMENTATIONS, WATCHDOG, run_threads

pytestmark = pytest.mark.skipif("native" not in IMPLEMENTATIONS, reason="the native core was not built here")


@pytest.mark.parametrize("comparison", range(1, 6))
def test_a_key_that_is_no_string_confuses_no_reader(native: ModuleType, comparison: int) -> None:
    """Its `__eq__` runs while an attribute is looked for, and here another thread reads in the midst of that."""
    stopped, read = threading.Event(), threading.Event()
    comparisons: list[int] = []

    class Key(str):
        __slots__ = ()

        def __hash__(self) -> int:
            return hash("x")

        def __eq__(self, other: object) -> bool:
            if threading.get_ident() == comparisons[0]:
                comparisons.append(comparison)
                if len(comparisons) == 1 + comparison:
                    stopped.set()
                    assert read.wait(WATCHDOG)
            return str.__eq__(self, other)

    class Owner:
        @native.once_property
        def x(self) -> str:
            return "value"

    owner: Any = Owner()
    vars(owner)[Key("y")] = 1

    def stop() -> object:
        comparisons.append(threading.get_ident())
        try:
            return owner.x
        finally:
            stopped.set()  # it has not compared so often

    def go_on() -> object:
        try:
            assert stopped.wait(WATCHDOG)
            return owner.x
        finally:
            read.set()

    assert run_threads(stop, go_on) == ["value"] * 2


def test_a_view_leads_where_it_led_when_it_was_made(native: ModuleType) -> None:
    """Readers follow it without a lock."""

    class Owner:
        method = native.once(lambda _self: "value")

    owner, other = Owner(), Owner()
    view = owner.method.cell
    with pytest.raises(TypeError, match="already has its place"):
        view.__init__(view._definition, other, "key")
    view.set("set")
    assert (owner.method(), vars(other)) == ("set", {})


def test_a_slot_that_is_not_the_owners_is_no_place(native: ModuleType) -> None:
    """To write there is to write into whatever else the owner has at that offset."""
    bound = importlib.import_module("gilonce._storage.bound")

    class Owner:
        __slots__ = ("_x",)

    class Other:
        __slots__ = ("_y",)

    definition = bound.Definition(list, None, "")
    with pytest.raises(TypeError, match=r"does not belong to a <class '.*Other'> object"):
        bound.SlotCell(definition, Other(), lambda _owner: vars(Owner)["_x"])
    bound.SlotCell(definition, Owner(), lambda _owner: vars(Owner)["_x"]).set(1)


def test_a_slot_that_can_only_be_read_is_no_place(native: ModuleType) -> None:
    """What has one takes for granted what is in there: ours, a once method's, is one."""
    bound = importlib.import_module("gilonce._storage.bound")
    method = native.once(lambda _self: None).__get__(1)
    with pytest.raises(TypeError, match="is not a writable slot"):
        bound.SlotCell(bound.Definition(list, None, ""), method, lambda _owner: type(method).__func__)


def test_what_a_lookup_may_rely_on_cannot_be_assigned(native: ModuleType) -> None:
    """The interpreter calls a once method without binding it, and so takes its type for one that stays as it is."""
    for once in native.once(list), native.once(lambda _self: None):
        with pytest.raises(TypeError, match="immutable type"):
            type(once).__get__ = lambda *_: "something else"


def test_no_field_can_be_deleted(native: ModuleType) -> None:
    prop = native.once_property(list)
    for name in "_function", "attrname", "_definition", "_slot":
        with pytest.raises(AttributeError, match="cannot be deleted"):
            delattr(prop, name)


def test_names_of_wrapt_begin_as_the_proxy_expects(native: ModuleType) -> None:
    """The short cut to the real object is taken by a name's first letters."""
    if "__wrapped__" not in vars(wrapt.BaseObjectProxy):
        pytest.skip("wrapt runs in Python here, and so does the proxy")
    proxy = native.lazy_global(object)
    assert all(name.startswith(("__", "_self_")) for name in dir(type(proxy)))


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="from 3.11 on, a number is never given again")
def test_a_type_is_not_taken_for_another_with_its_old_number(native: ModuleType) -> None:
    """`sys._clear_type_cache()` makes the numbers of types begin anew."""

    class Base:
        __slots__ = ()
        x = native.once_property(lambda self: "read", slot="_x")
        m = native.once(lambda self: "called", slot="_m")

    class Owner(Base):
        __slots__ = ("_m", "_x")

    class Other(Base):
        __slots__ = ("_a", "_b", "_m", "_x")

    def read_first(owner: Base) -> tuple[str, str]:
        sys._clear_type_cache()
        value = owner.x
        sys._clear_type_cache()
        return value, owner.m()

    other = Other()
    other._a = other._b = "something else"
    assert [read_first(owner) for owner in (Owner(), other, Owner(), other)] == [("read", "called")] * 4


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="from 3.11 on, a number is never given again")
def test_what_is_known_of_a_type_ends_with_it(native: ModuleType) -> None:
    """A new one may lie where it lay, and have its number. Its slots are elsewhere, and what is there is not theirs."""
    x = native.once_property(lambda self: "value", slot="_x")
    x.__set_name__(object, "x")

    def read_first(slots: tuple[str, str]) -> tuple[int, object]:
        sys._clear_type_cache()
        cls: Any = type("Owner", (), {"__slots__": slots, "x": x})
        owner = cls()
        for other in {*slots} - {"_x"}:
            setattr(owner, other, "not the value")
        return id(cls), owner.x

    seen = []
    for _ in range(10):
        # The slots lie in the order of their names, and both types are of one size.
        for slots in ("_a", "_x"), ("_x", "_z"):
            seen.append(read_first(slots))
            gc.collect()
    assert len({where for where, _ in seen}) < len(seen)
    assert {value for _, value in seen} == {"value"}
