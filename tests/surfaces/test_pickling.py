"""Pickling once functions by value. `ecosystem/test_pickling.py` does it with cloudpickle, dill and joblib."""

from __future__ import annotations

import copy
import functools
import pickle
from types import FunctionType, ModuleType
from typing import Any

import pytest
from support import race
from support.comparison import importable, meeting

#: What cloudpickle and dill do that an object can see: who asks for its class, and who calls `__reduce__`.
PICKLER = """
def reducer_override(obj, function_type):
    return isinstance(obj, function_type)

def dump(obj):
    return obj.__reduce_ex__(5)
"""


def make_pickler(name: str, by_reference: Any = None) -> dict[str, Any]:
    names = {"__name__": name}
    if by_reference is not None:
        names["_should_pickle_by_reference"] = by_reference
    exec(PICKLER, names)
    return names


def by_value(it: object) -> bool:
    if not isinstance(it, FunctionType):
        raise TypeError("cannot check importability")  # as cloudpickle does
    return False


CLOUDPICKLE = make_pickler("ray.cloudpickle.cloudpickle", by_value)
DILL = make_pickler("dill._dill")


def load(stored: Any) -> Any:
    """Return what a pickle of these parts comes to."""
    make, arguments, state = stored
    assert pickle.loads(pickle.dumps(make)) is make
    made = make(*arguments)
    entries, fields = state if type(state) is tuple else (state, {})
    made.__dict__.update(entries or {})
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize("pickler", [CLOUDPICKLE, DILL], ids=["cloudpickle", "dill"])
def test_a_copy_by_value_has_the_options(gilonce: ModuleType, pickler: dict[str, Any]) -> None:
    losers: list[object] = []
    meet = meeting()

    @gilonce.once(discard=losers.append)
    def racing() -> object:
        meet()
        return object()

    @gilonce.once(cell=gilonce.OnceLock)
    def locked() -> object:
        return object()

    racing.mark = "marked"
    copied = load(pickler["dump"](racing))
    assert copied.mark == "marked"
    assert copied.__wrapped__ is racing.__wrapped__
    found = race(copied)
    assert set(map(id, found)) == {id(copied.cell.get())}
    assert len(losers) == 7
    assert not racing.cell.is_set()
    assert type(load(pickler["dump"](locked)).cell) is gilonce.OnceLock


def with_slots(gilonce: ModuleType) -> dict[str, Any]:
    return {
        "method": gilonce.once(slot="_method", discard=print)(lambda self: [self]),
        "locked": gilonce.once(slot="_locked", cell=gilonce.OnceLock)(lambda self: [self]),
        "attribute": gilonce.once_property(slot="_attribute")(lambda self: [self]),
    }


def test_what_is_in_a_slot_is_pickled_by_value(gilonce: ModuleType) -> None:
    """As the decorator's options are. dill keeps the slots of a class."""
    copied = {name: load(DILL["dump"](entry)) for name, entry in with_slots(gilonce).items()}
    owner: Any = type("Owner", (), {"__slots__": ("_locked", "_method", "_attribute"), **copied})()
    assert owner.method() is owner._method
    assert owner.locked() is owner._locked
    assert owner.attribute is owner._attribute
    assert type(copy.copy(owner.locked.cell)) is gilonce.OnceLock
    assert owner.method.cell._definition.discard is print


def test_cloudpickle_drops_the_slots_of_a_class(gilonce: ModuleType) -> None:
    """So the copy keeps its values in the `__dict__`, and one value per instance."""
    meet = meeting()

    def compute(self: object) -> object:
        meet()
        return [self]

    racing = gilonce.once_property(slot="_racing")(compute)
    copied = {
        name: load(CLOUDPICKLE["dump"](entry)) for name, entry in {**with_slots(gilonce), "racing": racing}.items()
    }
    cls: Any = type("Owner", (), copied)
    cls.__slots__ = "_locked", "_method", "_attribute", "_racing"
    owner = cls()
    assert owner.method() is owner.method()
    assert owner.locked() is owner.locked()
    assert owner.attribute is owner.attribute is vars(owner)["attribute"]
    assert type(copy.copy(owner.locked.cell)) is gilonce.OnceLock
    assert owner.method.cell._definition.discard is print
    assert len({id(value) for value in race(lambda: owner.racing)}) == 1
    assert copy.copy(copied["attribute"])._slot is None
    # A copy that is made in any other way keeps the option.
    assert copy.copy(racing)._slot == "_racing"


@pytest.mark.parametrize("pickler", [CLOUDPICKLE, DILL], ids=["cloudpickle", "dill"])
def test_a_copy_by_value_has_the_options_of_its_keys(gilonce: ModuleType, pickler: dict[str, Any]) -> None:
    class Owner:
        @gilonce.once_per_args(key=len, typed=True, discard=print)
        def method(self, text: str) -> object:
            return object()

        @gilonce.once_per_args(cell=functools.partial(gilonce.OnceLock, timeout=3))
        def locked(self, text: str) -> object:
            return object()

    Owner.method = method = load(pickler["dump"](vars(Owner)["method"]))  # type: ignore[method-assign]
    Owner.locked = locked = load(pickler["dump"](vars(Owner)["locked"]))  # type: ignore[method-assign]
    owner = Owner()
    assert owner.method("ab") is owner.method("cd") is not owner.method("abc")
    assert owner.locked("ab") is owner.locked(text="ab") is not owner.locked("cd")
    assert locked._definition.timeout == 3
    assert method._definition.discard is print
    assert method._keys.binding.typed
    assert not locked._keys.binding.typed


def test_a_generated_function_cannot_be_stored_by_value(gilonce: ModuleType) -> None:
    """In Python, a plain function stands for it. Its attribute `_gilonce` is stored with it, and refuses."""

    @gilonce.once_per_args
    def local(one: int) -> object:
        return object()

    if gilonce.__implementation__ == "python":
        with pytest.raises(pickle.PicklingError, match=r"local\(\) cannot be pickled by value.* Define it at the top"):
            CLOUDPICKLE["dump"](local._gilonce)
    else:
        copied = load(CLOUDPICKLE["dump"](local))
        assert copied(1) is copied(one=1)


@pytest.mark.parametrize("decorate", ["classmethod", "staticmethod", "builtin", "class"])
def test_a_copy_by_value_binds_as_the_original(gilonce: ModuleType, decorate: str) -> None:
    def function(*owner: object) -> object:
        return [owner]

    made = {
        "classmethod": lambda: gilonce.once(classmethod(function)),
        "staticmethod": lambda: gilonce.once(staticmethod(function)),
        "builtin": lambda: gilonce.once(dict),
        "class": lambda: gilonce.once(type("Made", (), {})),
    }[decorate]()
    copied = load(CLOUDPICKLE["dump"](made))
    assert copied._binds_to == made._binds_to
    owner: Any = type("Owner", (), {"value": copied})
    assert owner.value() is owner().value()
    if decorate == "classmethod":
        assert owner.value() == [(owner,)]


def test_what_is_importable_is_stored_by_name(gilonce: ModuleType) -> None:
    """Unless cloudpickle says that its module is to be stored by value."""

    def made_here() -> object:
        return object()

    made_here.__qualname__ = "made_here"
    made = globals()["made_here"] = gilonce.once(made_here)
    builtin = globals()["builtin"] = gilonce.once(dict)
    assert DILL["dump"](made) == "made_here"
    assert make_pickler("cloudpickle.cloudpickle", lambda _: True)["dump"](made) == "made_here"
    assert load(CLOUDPICKLE["dump"](made)) is not made
    assert load(DILL["dump"](builtin))() == {}
    made_here.__module__ = "__main__"
    assert load(DILL["dump"](made)) is not made
    made_here.__module__ = "no.such.module"
    assert load(DILL["dump"](made)) is not made


def test_only_these_picklers_store_by_value(gilonce: ModuleType) -> None:
    @gilonce.once
    def local() -> object:
        return object()

    assert local.__reduce__() == local.__qualname__
    for name in "pickle", "some.other":
        assert make_pickler(name)["dump"](local) == local.__qualname__


def test_a_once_function_is_a_function_except_for_a_pickler(gilonce: ModuleType) -> None:
    """cloudpickle makes a plain function of what says that it is one."""
    for surface in gilonce.once, gilonce.once_per_args:

        class Owner:
            @surface
            def method(self) -> object:
                return object()

        made = vars(Owner)["method"]
        assert isinstance(made, FunctionType)
        assert not CLOUDPICKLE["reducer_override"](made, FunctionType)
        assert isinstance(made, FunctionType)


def test_copies_and_pickles_by_name_are_the_function(gilonce: ModuleType) -> None:
    class Stored:
        @gilonce.once
        def method(self) -> object:
            return object()

    importable(Stored)
    vars(Stored)["method"].__wrapped__.__qualname__ = "Stored.method"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        if protocol >= 4:  # earlier ones do not know qualified names
            assert pickle.loads(pickle.dumps(vars(Stored)["method"], protocol)) is vars(Stored)["method"]
