"""Nothing is kept longer than needed, on every build, also on builds that do not count all references.

The tests never watch a function or a class, because 3.13 without a GIL makes those immortal once a thread has run.
"""

from __future__ import annotations

import functools
import gc
import sys
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from support import drive


class Thing:
    """A value, a function, a discard, an instance."""

    def __call__(self, *_owner: object) -> list[object]:
        return []


class Hooked(Thing):
    """An instance whose `__dict__` is not for C to find."""

    def __getattribute__(self, name: str) -> Any:
        return object.__getattribute__(self, name)


class Elsewhere:
    """An instance whose `__dict__` is what it was given."""

    __slots__ = ("namespace",)

    def __init__(self, namespace: object) -> None:
        self.namespace = namespace

    __dict__ = property(lambda self: self.namespace)


class Slotted:
    """An instance with a slot, and its property in that, which a test puts there."""

    __slots__ = ("_x",)


class Refusing(dict[str, object]):
    """A namespace that takes nothing."""

    def setdefault(self, key: str, default: object = None) -> object:
        raise ValueError("it takes nothing")


class Namespace(dict[str, object]):
    """A namespace whose methods are called by their names."""


def method_of(gilonce: Any, discard: Any = None) -> Any:
    return gilonce.once(lambda self: None, discard=discard)


Use = Callable[[Any, Thing], None]

#: What can be done with a thing, none of which is to keep it alive.
USES: dict[str, Use] = {}


def use(function: Use) -> Use:
    USES[function.__name__] = function
    return function


@use
def set_(gilonce: Any, thing: Thing) -> None:
    gilonce.GILOnceCell().set(thing)


@use
def is_set(gilonce: Any, thing: Thing) -> None:
    cell = gilonce.GILOnceCell()
    cell.set(thing)
    assert cell.is_set()
    assert cell.is_set()


@use
def aget_or_init(gilonce: Any, thing: Thing) -> None:
    async def initialize() -> Thing:
        return thing

    assert drive(gilonce.GILOnceCell().aget_or_init(initialize)) is thing


@use
def initialize_again(gilonce: Any, thing: Thing) -> None:
    cell = gilonce.GILOnceCell(discard=thing)
    cell.set(thing)
    cell.__init__()
    assert not cell.is_set()


@use
def be_refused(gilonce: Any, thing: Thing) -> None:
    """What cannot be kept is dropped with the error."""
    method = gilonce.once(lambda self: thing)
    with pytest.raises(ValueError, match="takes nothing"):
        method.__get__(Elsewhere(Refusing()))()


@use
def discard_of_a_cell(gilonce: Any, thing: Thing) -> None:
    gilonce.GILOnceCell(discard=thing).get_or_init(list)


@use
def discard_of_a_function(gilonce: Any, thing: Thing) -> None:
    gilonce.once(list, discard=thing)()


@use
def discard_of_a_method(gilonce: Any, thing: Thing) -> None:
    method_of(gilonce, thing).__get__(Thing())()


@use
def key_and_value_of_arguments(gilonce: Any, thing: Thing) -> None:
    """Also of a cell that is asked for and dropped, of a failure, and of what key= makes."""
    get = gilonce.once_per_args(lambda x, y=0: x)
    assert get(thing) is get(x=thing, y=0) is thing
    assert get.take_all() == [thing]
    get.cell(thing).set(thing)
    get.cell(thing, 1)
    assert get.cell(thing).take() is thing
    fail = gilonce.once_per_args(lambda x: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fail(thing)
    gilonce.once_per_args(lambda x: x, key=lambda x: (thing, x))(1)
    gilonce.once_per_args(lambda *args, **kwargs: args)(thing, x=thing)


@use
def arguments_of_a_method(gilonce: Any, thing: Thing) -> None:
    method = gilonce.once_per_args(lambda self, x: [self, x], discard=thing)
    owner = Thing()
    method.__get__(owner)(thing)
    method.__get__(thing)(1)
    method.__get__(thing).take_all()
    gilonce.once_per_args(thing)(Thing())


@use
def arguments_that_run_code(gilonce: Any, thing: Thing) -> None:
    class Key:
        def __eq__(self, other: object) -> bool:
            return [thing] == [thing]

        def __hash__(self) -> int:
            return 7

    get = gilonce.once_per_args(lambda key: thing)
    assert get(Key()) is get(Key()) is thing
    with pytest.raises(TypeError, match="hash"):
        get([thing])


@use
def discard_of_a_view(gilonce: Any, thing: Thing) -> None:
    method_of(gilonce, thing).__get__(Thing()).cell.get()


@use
def discard_of_a_property(gilonce: Any, thing: Thing) -> None:
    prop = gilonce.once_property(Thing(), discard=thing)
    prop.__init__(Thing(), discard=thing)
    gilonce.once_property(Thing(), discard=thing).__init__(Thing())


@use
def what_makes_cells(gilonce: Any, thing: Thing) -> None:
    def make(_thing: Thing) -> Any:
        return gilonce.GILOnceCell()

    gilonce.once(list, cell=functools.partial(make, thing))()
    gilonce.once(lambda self: None, cell=functools.partial(make, thing)).__get__(Thing())()


@use
def function_of_a_property(gilonce: Any, thing: Thing) -> None:
    # Read by the interpreter, because `prop.__get__()` is a call of the method in Python.
    owner = type("Owner", (), {"x": gilonce.once_property(thing)})()
    assert owner.x == []


def _assign(prop: Any, thing: Thing) -> None:
    prop.__set_name__(Slotted, "x")
    owner = Slotted()
    for value in thing, None:
        prop.__set__(owner, value)
    assert owner._x is None  # type: ignore[attr-defined]


@use
def assign_to_a_slot(gilonce: Any, thing: Thing) -> None:
    _assign(gilonce.once_property(Thing(), slot="_x"), thing)


@use
def assign_to_a_slot_by_its_view(gilonce: Any, thing: Thing) -> None:
    """As an assignment to an async property does."""

    async def later(_self: object) -> None:
        return None

    _assign(gilonce.once_property(later, slot="_x"), thing)


@use
def attribute_of_a_function(gilonce: Any, thing: Thing) -> None:
    def function() -> None: ...

    function.mark = thing  # type: ignore[attr-defined]
    gilonce.once(function)


@use
def function_of_a_named_cell(gilonce: Any, thing: Thing) -> None:
    gilonce.once(thing).cell.get()


@use
def look_a_method_up(gilonce: Any, thing: Thing) -> None:
    method = method_of(gilonce)
    method.mark = thing
    method.__get__(Thing())()


@use
def keep_in_a_namespace(gilonce: Any, thing: Thing) -> None:
    owner: Any = Hooked()
    owner.thing = thing
    method_of(gilonce).__get__(owner)()


@use
def reach_through_a_proxy(gilonce: Any, thing: Thing) -> None:
    proxy = gilonce.lazy_global(lambda: thing, reify=False)
    proxy.mark = 1
    assert proxy.mark == 1


@pytest.mark.slow
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_what_was_given_ends(gilonce: ModuleType, use: Use) -> None:
    """Once its users are gone, nothing else refers to it."""
    thing = Thing()
    gone = weakref.ref(thing)
    use(gilonce, thing)
    del thing
    gc.collect()
    assert gone() is None


Counted = tuple[list[object], Callable[[], object]]

#: What has no weak references, or is not to end: makes it, and returns it with what can be done over and over.
COUNTED: dict[str, Callable[[Any], Counted]] = {}


def counted(function: Callable[[Any], Counted]) -> Callable[[Any], Counted]:
    COUNTED[function.__name__] = function
    return function


@counted
def make_a_view(gilonce: Any) -> Counted:
    method, owner = method_of(gilonce), Thing()
    definition = method._definition
    return [definition, definition.key], lambda: method.__get__(owner).cell.get()


@counted
def take_from_an_empty_namespace(gilonce: Any) -> Counted:
    method, owner = method_of(gilonce), Elsewhere(Namespace())
    return [method._definition.key], lambda: method.__get__(owner).cell.take()


@counted
def ask_a_class(gilonce: Any) -> Counted:
    class Owner:
        @gilonce.once
        @classmethod
        def of_class(cls) -> None:
            return None

    return [vars(Owner)["_abc_gilonce"]], lambda: Owner.of_class()


@counted
def read_a_slot(gilonce: Any) -> Counted:
    class Owner(Slotted):
        __slots__ = ()
        # By the interpreter, because `prop.__get__()` is a call of the method in Python.
        x = gilonce.once_property(Thing(), slot="_x")

    prop, owner = vars(Owner)["x"], Owner()

    def read() -> None:
        assert owner.x == []
        del owner.x

    return [prop._definition, prop._definition.key, prop.func], read


@counted
def name_a_slot(gilonce: Any) -> Counted:
    # (Made anew, for a name that stands in the code is immortal without a GIL.)
    slot, name = ("".join(parts) for parts in ("_x", "xx"))

    def make() -> None:
        gilonce.once_property(Thing(), slot=slot).__set_name__(Slotted, name)

    return [slot, name], make


@counted
def read_the_slot_of_a_method(gilonce: Any) -> Counted:
    def function(_self: object) -> list[object]:
        return []

    class Owner(Slotted):
        __slots__ = ()
        x = gilonce.once(function, slot="_x")

    method, owner = vars(Owner)["x"], Owner()

    def read() -> None:
        assert owner.x() is owner.x() is owner.x.cell.take()

    return [method, method._definition, function, Slotted._x], read  # type: ignore[attr-defined]


@counted
def name_a_slot_of_a_method(gilonce: Any) -> Counted:
    slot = "".join(["_x", "xx"])
    return [slot], lambda: gilonce.once(lambda _self: None, slot=slot)


@counted
def make_a_proxy(gilonce: Any) -> Counted:
    class Interface:
        pass

    def make() -> None:
        gilonce.lazy_global(Interface, reify=False)
        gilonce.lazy_global(dict, reify=False)

    make()
    known = sys.modules["gilonce._surfaces.proxy"]._by_interface
    return [known[id(Interface)], known[id(dict)]], make


@pytest.mark.skipif(not hasattr(sys, "getrefcount"), reason="objects are not counted here")
@pytest.mark.parametrize("make", COUNTED.values(), ids=COUNTED)
def test_no_use_leaves_a_reference_behind(gilonce: ModuleType, make: Callable[[Any], Counted]) -> None:
    """However often, what is used has as many references as after the first few times."""
    objects, act = make(gilonce)
    for _ in range(3):
        act()
    before = [sys.getrefcount(it) for it in objects]
    for _ in range(100):
        act()
    assert [sys.getrefcount(it) for it in objects] == before


@pytest.mark.skipif(not hasattr(sys, "getrefcount"), reason="objects are not counted here")
def test_the_key_of_a_method_ends_with_it(gilonce: ModuleType) -> None:
    """Each definition has its own, so that nothing is the same from one use to the next."""
    method = method_of(gilonce)
    key = method._definition.key
    del method
    gc.collect()
    alone = "".join(["nobody", "else's"])
    assert sys.getrefcount(key) == sys.getrefcount(alone)
