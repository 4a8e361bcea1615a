"""Every way into the native core, as operations that any number of threads may do at once on what they share.

`World` is what is shared, made anew for each round, so that whatever happens on a first use happens again.
Each operation names the entries of the core's tables that it goes through, and `core_tables.py` reads those tables
out of the C files: an entry that no operation names is a failed test (`test_tsan.py`).
"""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from support import drive

import gilonce
from gilonce._bound import Definition
from gilonce._callables import is_coroutine_function
from gilonce._per_process import keep_for_ever


class Value:
    """What the initializers make. It refers to itself, so that the collector has to end it."""

    def __init__(self, *_owner: object) -> None:
        self.me = self


def seen(value: Any) -> None:
    """See that a value which somebody else may have made is whole."""
    if value is not None:
        assert value.me is value


def discarded(value: Value) -> None:
    """The `discard` of everything that has one."""
    seen(value)


def make_annotated() -> Value:
    """Say what it makes: a proxy of that has the special methods of the class."""
    return Value()


@gilonce.once(discard=discarded)
def at_the_top() -> Value:
    """Be shared by threads without a count of references, for it stands at the top level."""
    return Value()


cell_at_the_top = gilonce.GILOnceCell(discard=discarded)

#: What a module may have at its top level. Run by one thread while others use what it makes.
MODULE = compile(
    """
function = once(Value)
cell = GILOnceCell()
proxy = lazy_global(Value)
class Owner:
    method = once(lambda self: Value())
    attribute = once_property(lambda self: Value())
""",
    "<a module>",
    "exec",
)


class Subclassed(gilonce.GILOnceCell):  # type: ignore[type-arg]
    """Its instances have a `__dict__`."""


class World:
    """What the threads share in one round. Nothing of it has been used yet."""

    def __init__(self) -> None:
        class Owner:
            @gilonce.once(discard=discarded)
            def method(self) -> Value:
                return Value()

            @gilonce.once(discard=discarded)
            @classmethod
            def of_class(cls) -> Value:
                return Value()

            @gilonce.once
            @staticmethod
            def static() -> Value:
                return Value()

            @gilonce.once
            async def later(self) -> Value:
                return Value()

            attribute = gilonce.once_property(Value, discard=discarded)
            changed = gilonce.once_property(Value)
            class_attribute = gilonce.once_property(classmethod(Value), discard=discarded)  # type: ignore[arg-type]
            static_attribute = gilonce.once_property(staticmethod(Value))  # type: ignore[arg-type]

            @gilonce.once_property
            async def awaited(self) -> Value:
                return Value()

        class Derived(Owner):
            @gilonce.once
            def method(self) -> Value:
                seen(super().method())
                return Value()

            @gilonce.once_property
            def attribute(self) -> Value:
                seen(super().attribute)
                return Value()

        class Hooked(Owner):
            def __getattr__(self, name: str) -> Any:
                raise AttributeError(name)

        class Redirected(Owner):
            def __getattribute__(self, name: str) -> Any:
                return object.__getattribute__(self, name)

        class Slotted:
            __slots__ = ("_attribute", "_changed", "_spare")
            attribute = gilonce.once_property(Value, slot="_attribute", discard=discarded)
            changed = gilonce.once_property(Value, slot="_changed")

        def plain() -> Value:
            return Value()

        def function() -> Value:
            return Value()

        class Chosen:
            __slots__ = ("__dict__", "_slotted")
            method = gilonce.once(Value, cell=gilonce.OnceLock)
            bound = gilonce.once(lambda self: Value(self), cell=gilonce.OnceLock)
            of_class = gilonce.once(classmethod(Value), cell=gilonce.OnceLock)  # type: ignore[call-overload]
            per_thread = gilonce.once(lambda self: Value(self), cell=gilonce.ThreadOnceCell)
            attribute = gilonce.once_property(Value, cell=gilonce.OnceLock)
            slotted = gilonce.once_property(Value, cell=gilonce.OnceLock, slot="_slotted")

        self.chosen: Any = Chosen()
        self.locked = gilonce.once(Value, cell=gilonce.OnceLock)
        self.per_thread = gilonce.once(Value, cell=gilonce.ThreadOnceCell)
        self.owner_class: Any = Owner
        self.slotted_class: Any = Slotted
        self.owners: list[Any] = [Owner(), Derived(), Hooked(), Redirected()]
        self.slotted: Any = Slotted()
        self.function = gilonce.once(function, discard=discarded)
        self.plain: Any = plain
        self.cell: Any = gilonce.GILOnceCell(discard=discarded)
        self.subclassed: Any = Subclassed()
        self.views: list[Any] = [
            self.owners[0].method.cell,
            Owner.of_class.cell,
            vars(Slotted)["attribute"]._cell_of(self.slotted),
        ]
        self.cells: list[Any] = [self.cell, self.subclassed, cell_at_the_top, self.function.cell, *self.views]
        self.bound: Any = self.owners[0].method
        self.proxy: Any = gilonce.lazy_global(Value, discard=discarded, reify=False)
        self.namespace: dict[str, Any] = {
            "__name__": "a module",
            "Value": Value,
            **{name: getattr(gilonce, name) for name in ("once", "GILOnceCell", "lazy_global", "once_property")},
        }
        self.modules = [MODULE]
        #: Each takes one to look at referents: that stops all threads, and so orders what they did before and after.
        self.looks = [None, None]


Operation = Callable[[World], object]

#: The operations and, for each, the entries that it is there for.
OPERATIONS: dict[Operation, tuple[str, ...]] = {}


def through(*entries: str) -> Callable[[Operation], Operation]:
    def note(operation: Operation) -> Operation:
        OPERATIONS[operation] = entries
        return operation

    return note


# Cells, and the views of places elsewhere.


@through("cell_methods.get")
def get(world: World) -> None:
    for cell in world.cells:
        seen(cell.get())
        seen(cell.get(None))
        seen(cell.get(default=None))


@through("cell_methods.is_set")
def is_set(world: World) -> None:
    for cell in world.cells:
        assert cell.is_set() in (True, False)


@through("cell_methods.get_or_init")
def get_or_init(world: World) -> None:
    for cell in world.cells:
        seen(cell.get_or_init(Value))
        with suppress(TypeError):
            cell.get_or_init(None)


@through("cell_methods.get_or_init")
def lose(world: World) -> None:
    """Re-entry: the initializer finds its cell filled when it is done, and its value is discarded."""
    for cell in world.cells:
        seen(cell.get_or_init(lambda cell=cell: (cell.get_or_init(Value), Value())[1]))


@through("cell_methods.set")
def set_(world: World) -> None:
    for cell in world.cells:
        value = Value()
        rejected: Any = value
        try:
            cell.set(value)
        except gilonce.AlreadySetError as error:
            rejected = error.value
        assert rejected is value


@through("cell_methods.take")
def take(world: World) -> None:
    for cell in world.cells:
        seen(cell.take())
        seen(cell.take(default=None))


@through("cell_methods._fill")
def fill(world: World) -> None:
    for cell in world.cells:
        seen(cell._fill(Value))


@through("cell_methods._load", "cell_methods._publish", "cell_methods._clear")
def the_three_operations(world: World) -> None:
    for cell in world.cells:
        seen(cell._publish(Value())[0])
        for value in cell._load(), cell._clear():
            if type(value) is Value:
                seen(value)


@through("cell_methods._make_empty", "cell_slots.Py_tp_init")
def initialize_again(world: World) -> None:
    world.cell._make_empty()
    world.cell.__init__(discard=discarded)
    world.subclassed.__init__()
    for view in world.views:
        with suppress(TypeError):
            view.__init__(view._definition, {}, "key")


@through("cell_slots.Py_tp_init", "cell_slots.Py_tp_dealloc")
def make_and_drop_cells(_world: World) -> None:
    gilonce.GILOnceCell()
    gilonce.GILOnceCell(discard=discarded).set(Value())
    with suppress(TypeError):
        gilonce.GILOnceCell(discard=3)  # type: ignore[arg-type]


@through(
    "dict_cell_slots.Py_tp_init",
    "slot_cell_slots.Py_tp_init",
    "dict_cell_slots.Py_tp_dealloc",
    "slot_cell_slots.Py_tp_dealloc",
)
def make_and_drop_views(world: World) -> None:
    for owner in world.owners:
        seen(owner.method.cell.get())
        seen(type(owner).of_class.cell.get())
    seen(vars(world.slotted_class)["attribute"]._cell_of(world.slotted).get())


@through("cell_getset._discard")
def another_discard(world: World) -> None:
    for cell in world.cells:
        assert cell._discard in (None, discarded)
        cell._discard = None
        cell._discard = discarded


@through("cell_methods._load", "cell_getset._discard")
def copies(world: World) -> None:
    for cell in world.cells:
        seen(copy.copy(cell).get())
        seen(copy.deepcopy(cell).get())
        seen(pickle.loads(pickle.dumps(cell)).get())
        repr(cell)


@through("cell_slots.Py_tp_dealloc")
def weak_references(world: World) -> None:
    for shared in [*world.cells, world.function, world.bound, vars(world.owner_class)["attribute"]]:
        assert weakref.ref(shared)() is shared
        weakref.ref(shared, discarded)


@through("cell_methods._load")
def cold_methods(world: World) -> None:
    async def later() -> Value:
        return Value()

    for cell in world.cells:
        seen(drive(cell.aget_or_init(later)))
    gilonce.GILOnceCell().import_attr("gilonce", "once")


@through("view_methods.is_same_place", "view_methods.assign")
def views_in_dicts(world: World) -> None:
    views = world.views[:2]
    assert not views[0].is_same_place(views[1])
    assert views[0].is_same_place(world.owners[0].method.cell)
    for view in views:
        view.assign(Value())


@through("view_methods.is_same_place", "view_methods.assign")
def views_of_slots(world: World) -> None:
    view = world.views[2]
    assert view.is_same_place(vars(world.slotted_class)["attribute"]._cell_of(world.slotted))
    view.assign(Value())
    member = world.slotted_class._spare
    definition = Definition(Value, None, "")
    spare = type(view)(definition, world.slotted, member)
    spare.assign(Value())
    seen(spare.get())


# Once functions.


@through("once_slots.Py_tp_call", "once_getset.cell", "once_getset._cell")
def call(world: World) -> None:
    for function in world.function, at_the_top, world.owner_class.static:
        seen(function())
        seen(function.cell.take())
        assert function._cell is function.cell
    with suppress(TypeError):
        world.function(1)
    with suppress(TypeError):
        world.function(x=1)


@through("once_method_slots.Py_tp_call")
def call_methods(world: World) -> None:
    for owner in world.owners:
        seen(owner.method())
        seen(type(owner).method(owner))
        seen(drive(owner.later()))
        with suppress(TypeError):
            owner.method(1)


@through("once_slots.Py_tp_descr_get", "once_slots.Py_tp_call")
def call_class_methods(world: World) -> None:
    for owner in world.owners:
        seen(owner.of_class())
        seen(type(owner).of_class())
        seen(type(owner).of_class.cell.take())


@through(
    "once_method_slots.Py_tp_descr_get",
    "bound_slots.Py_tp_call",
    "bound_slots.Py_tp_new",
    "bound_slots.Py_tp_dealloc",
    "bound_members.__func__",
    "bound_members.__self__",
)
def bind(world: World) -> None:
    owner = world.owners[0]
    bound = owner.method
    assert bound == world.bound
    assert hash(bound) == hash(world.bound)
    assert bound.__self__ is owner
    assert bound.__func__ is vars(world.owner_class)["method"]
    seen(bound())
    seen(world.bound())
    seen(world.bound.cell.take())
    repr(bound)
    made = type(bound)(bound.__func__, owner)
    assert made == bound
    seen(drive(owner.later.__func__.__get__(owner)()))
    with suppress(TypeError):
        bound(1)


@through(
    "once_getset.__dict__",
    "once_getset._function",
    "once_getset._binds_to",
    "once_getset._definition",
    "once_getset._is_async",
    "once_getset._needs_owner",
    "once_getset._may_take_owner",
)
def look_at_once(world: World) -> None:
    for function in world.function, at_the_top, vars(world.owner_class)["method"], vars(world.owner_class)["later"]:
        function.mark = world
        assert function.mark is world
        assert function.__dict__["mark"] is world
        assert callable(function._function)
        assert function._binds_to in ("nothing", "instance")
        assert function._definition is function._definition
        assert function._is_async in (True, False)
        assert function._needs_owner == function._may_take_owner
        assert function.__name__
        repr(function)
        with suppress(AttributeError):
            function.cell.is_set()
    at_the_top.__dict__.clear()
    assert pickle.loads(pickle.dumps(at_the_top)) is at_the_top


@through("once_slots.Py_tp_new", "once_slots.Py_tp_dealloc", "once_method_slots.Py_tp_dealloc")
def make_and_drop_once(world: World) -> None:
    gilonce.once(world.plain)
    gilonce.once(Value, discard=discarded)
    gilonce.once(lambda self: Value())  # type: ignore[call-overload]
    with suppress(TypeError):
        gilonce.once(lambda a, b: Value())  # type: ignore[call-overload]


# Properties.


@through("property_slots.Py_tp_descr_get")
def read_attributes(world: World) -> None:
    for owner in world.owners:
        seen(owner.attribute)
        seen(owner.class_attribute)
        seen(type(owner).class_attribute)
        seen(owner.static_attribute)
        seen(vars(world.owner_class)["attribute"].__get__(owner))
        seen(drive(owner.awaited.__await__()) if hasattr(owner.awaited, "send") else None)


@through("property_slots.Py_tp_descr_get")
def set_and_delete_attributes(world: World) -> None:
    for owner in world.owners:
        owner.attribute = Value()
        with suppress(AttributeError):
            del owner.attribute


@through("keep_get")
def subclass_properties(world: World) -> None:
    class Sub(gilonce.once_property[Any]):
        """Has the C function that its base has."""

    assert type("Owner", (), {"attribute": Sub(lambda _: world)})().attribute is world


@through("slot_property_slots.Py_tp_descr_get")
def read_slots(world: World) -> None:
    seen(world.slotted.attribute)
    seen(vars(world.slotted_class)["attribute"].__get__(world.slotted))
    seen(world.slotted.attribute)
    with suppress(AttributeError):
        seen(world.slotted._attribute)


@through("slot_property_slots.Py_tp_descr_set")
def set_and_delete_slots(world: World) -> None:
    world.slotted.attribute = Value()
    for owner, name in [(world.slotted, "attribute"), (world.owners[0], "awaited")]:
        with suppress(AttributeError):
            delattr(owner, name)


@through(
    "property_getset.__dict__",
    "property_getset.func",
    "property_getset.attrname",
    "property_getset._slot",
    "property_getset._is_async",
    "property_getset._definition",
)
def change_properties(world: World) -> None:
    """Assign the fields of properties that other threads read; for a moment one has no function."""
    for owner, cls in (world.owners[0], world.owner_class), (world.slotted, world.slotted_class):
        prop = vars(cls)["changed"]
        slot = prop._slot
        prop.func = None
        prop.func = Value
        prop.attrname = "changed"
        prop._slot = slot
        prop._is_async = False
        prop._definition = Definition(Value, discarded, "")
        prop.__dict__["mark"] = prop.mark = world
        assert (prop.attrname, prop._is_async, prop._slot) == ("changed", False, slot)
        assert prop._definition.discard is discarded
        with suppress(TypeError):  # another thread has just taken the function out
            seen(owner.changed)
        with suppress(AttributeError):
            del owner.changed


@through("property_slots.Py_tp_dealloc", "slot_property_slots.Py_tp_dealloc")
def make_and_drop_properties(world: World) -> None:
    gilonce.once_property(world.plain, discard=discarded)  # type: ignore[arg-type]
    gilonce.once_property(Value, slot="_attribute")
    copy.copy(vars(world.owner_class)["changed"])


# Lazy globals, and the functions that making one calls.


@through("proxy_slots.Py_tp_init", "make_proxy")
def make_proxies(world: World) -> None:
    for factory in world.plain, make_annotated, Value, at_the_top:
        proxy: Any = gilonce.lazy_global(factory, reify=False)
        repr(proxy)
        seen(proxy.__wrapped__)
    gilonce.lazy_global(world.plain, interface=Value, reify=False)


@through("proxy_slots.Py_tp_getattro")
def touch_a_proxy(world: World) -> None:
    value = world.proxy.me
    assert value is world.proxy.__wrapped__ is world.proxy.me
    world.proxy.mark = world
    assert world.proxy.mark is world
    world.proxy._self_cell.get()
    with suppress(AttributeError):
        world.proxy.nothing


@through("coroutine_function")
def ask_of_functions(world: World) -> None:
    async def later() -> None:
        return None

    for function, answer in (world.plain, False), (later, True), (Value, False), (print, False):
        assert is_coroutine_function(function) is answer
    world.plain.mark = world


@through("make_proxy", "once_slots.Py_tp_new", "cell_slots.Py_tp_init")
def a_module(world: World) -> None:
    """Use what a module makes at its top level, which one thread runs meanwhile."""
    with suppress(IndexError):
        exec(world.modules.pop(), world.namespace)
    found = world.namespace
    if "function" in found:
        seen(found["function"]())
    if "cell" in found:
        seen(found["cell"].get_or_init(Value))
    if "proxy" in found:
        seen(found["proxy"].me)
    if "Owner" in found:
        owner = found["Owner"]()
        seen(owner.method())
        seen(owner.attribute)


# Other cells, whose ways are in Python: where C ends, and asks for them.


@through("cell_methods.get_or_init", "once_slots.Py_tp_new", "slot_property_slots.Py_tp_descr_get")
def chosen_cells(world: World) -> None:
    chosen = world.chosen
    for ask in (world.locked, world.per_thread, chosen.method, chosen.bound, chosen.of_class, chosen.per_thread):
        seen(ask())
        seen(ask.cell.take())
    for name in ("attribute", "slotted"):
        seen(getattr(chosen, name))
        with suppress(AttributeError):
            delattr(chosen, name)
    seen(gilonce.once(Value, cell=gilonce.OnceLock)())


@through("keep_for_ever")
def what_a_child_inherits(_world: World) -> None:
    keep_for_ever(Value())


# The collector: what it looks at, and what it ends.


@through(
    "cell_slots.Py_tp_traverse",
    "dict_cell_slots.Py_tp_traverse",
    "slot_cell_slots.Py_tp_traverse",
    "once_slots.Py_tp_traverse",
    "once_method_slots.Py_tp_traverse",
    "bound_slots.Py_tp_traverse",
    "property_slots.Py_tp_traverse",
    "slot_property_slots.Py_tp_traverse",
    "native_module.m_traverse",
)
def referents(world: World) -> None:
    try:
        world.looks.pop()
    except IndexError:
        return
    gc.get_referents(
        *world.cells,
        world.function,
        world.bound,
        *vars(world.owner_class).values(),
        *vars(world.slotted_class).values(),
        sys.modules["gilonce._native"],
    )


@through(
    "cell_slots.Py_tp_clear",
    "dict_cell_slots.Py_tp_clear",
    "slot_cell_slots.Py_tp_clear",
    "once_slots.Py_tp_clear",
    "once_method_slots.Py_tp_clear",
    "property_slots.Py_tp_clear",
    "slot_property_slots.Py_tp_clear",
)
def make_cycles(world: World) -> None:
    """Leave what only the collector can end: in each cycle, all that the garbage has goes through one object."""
    cell: Any = gilonce.GILOnceCell()
    cell.set(cell)
    for shared in gilonce.once(Value), gilonce.once(lambda self: Value()):  # type: ignore[call-overload]
        shared.me = shared
    for prop in gilonce.once_property(Value), gilonce.once_property(Value, slot="_attribute"):
        vars(prop)["me"] = prop
    for view in world.owners[0].method.cell, vars(world.slotted_class)["attribute"]._cell_of(world.slotted):
        view._discard = view.get


def burst(world: World) -> None:
    """Fill and empty a few places again and again. Two accesses with a lock passed on between are not seen."""
    for _ in range(150):
        seen(world.cell.get_or_init(Value))
        seen(world.cell.take())
        seen(world.function())
        seen(world.function.cell.take())
        set_and_delete_slots(world)
        seen(world.slotted.attribute)
        with suppress(TypeError):
            seen(world.slotted.changed)
        vars(world.slotted_class)["changed"].attrname = "changed"


#: What threads cannot do at once, or do at a point where no operation is, with the reason.
ELSEWHERE = {
    "native_methods.take_over": "called as the package is imported, which the threads do at once when they begin",
    "native_slots.Py_mod_exec": "the same",
    "native_module.m_clear": "called when the interpreter ends, by its last thread",
    "native_module.m_free": "the same",
}
