"""Every way into the native core, as operations that any number of threads may do at once on shared objects.

Each round has a new `Shared`, so that whatever happens at a first use happens again.
Each operation names the entries of the core's tables that it uses. `core_tables.py` reads those tables from the C
files, and `native/test_tsan.py` fails if there is an entry that no operation names.
"""

from __future__ import annotations

import copy
import gc
import operator
import pickle
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import gilonce
from gilonce._cells.callables import is_coroutine_function
from gilonce._cells.per_process import keep_for_ever
from gilonce._storage.bound import Definition
from support import drive


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


@gilonce.once_per_args(discard=discarded)
def key_at_the_top(key: object) -> Value:
    """As above, with one value per key."""
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


class Shared:
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

            @gilonce.once_per_args(discard=discarded)
            def keyed(self, key: object) -> Value:
                return Value()

            @gilonce.once_per_args
            @classmethod
            def keyed_of_class(cls, key: object) -> Value:
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
            __slots__ = ("_attribute", "_changed", "_later", "_locked", "_method", "_spare")
            method = gilonce.once(lambda self: Value(self), slot="_method", discard=discarded)
            locked = gilonce.once(lambda self: Value(self), slot="_locked", cell=gilonce.OnceLock)
            attribute = gilonce.once_property(Value, slot="_attribute", discard=discarded)
            changed = gilonce.once_property(Value, slot="_changed")

            @gilonce.once(slot="_later")
            async def later(self) -> Value:
                return Value()

        def plain() -> Value:
            return Value()

        def function() -> Value:
            return Value()

        def keyed(key: object, *, other: object = None) -> Value:
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
        self.keyed: Any = gilonce.once_per_args(keyed, discard=discarded)
        self.keyed_cell: Any = self.keyed.cell("held")
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


Operation = Callable[[Shared], object]

#: The operations and, for each, the entries that it is there for.
OPERATIONS: dict[Operation, tuple[str, ...]] = {}


def through(*entries: str) -> Callable[[Operation], Operation]:
    def note(operation: Operation) -> Operation:
        OPERATIONS[operation] = entries
        return operation

    return note


# Cells, and the views of places elsewhere.


@through("cell_methods.get")
def get(shared: Shared) -> None:
    for cell in shared.cells:
        seen(cell.get())
        seen(cell.get(None))
        seen(cell.get(default=None))


@through("cell_methods.is_set")
def is_set(shared: Shared) -> None:
    for cell in shared.cells:
        assert cell.is_set() in (True, False)


@through("cell_methods.get_or_init")
def get_or_init(shared: Shared) -> None:
    for cell in shared.cells:
        seen(cell.get_or_init(Value))
        with suppress(TypeError):
            cell.get_or_init(None)


@through("cell_methods.get_or_init")
def lose(shared: Shared) -> None:
    """Re-entry: the initializer finds its cell filled when it is done, and its value is discarded."""
    for cell in shared.cells:
        seen(cell.get_or_init(lambda cell=cell: (cell.get_or_init(Value), Value())[1]))


@through("cell_methods.set")
def set_(shared: Shared) -> None:
    for cell in shared.cells:
        value = Value()
        rejected: Any = value
        try:
            cell.set(value)
        except gilonce.AlreadySetError as error:
            rejected = error.value
        assert rejected is value


@through(
    "cell_methods._place",
    "cell_methods._replace",
    "cell_getset._made",
    "keyed_cell_getset._made",
    "context_methods.__enter__",
    "context_methods.__exit__",
    "function_replacements.next_number",
    "register_definition",
)
def override(shared: Shared) -> None:
    for cell in [*shared.cells, shared.keyed_cell]:
        with cell.override(Value()):
            seen(cell.get_or_init(Value))
            cell.take()
            seen(cell.get_or_init(Value))
    # A cell per thread registers from Python.
    seen(gilonce.once(Value, cell=gilonce.ThreadOnceCell)())


@through("cell_methods.take")
def take(shared: Shared) -> None:
    for cell in shared.cells:
        seen(cell.take())
        seen(cell.take(default=None))


@through("cell_methods._fill")
def fill(shared: Shared) -> None:
    for cell in shared.cells:
        seen(cell._fill(Value))


@through("cell_methods._load", "cell_methods._publish", "cell_methods._clear")
def the_three_operations(shared: Shared) -> None:
    for cell in shared.cells:
        seen(cell._publish(Value())[0])
        for value in cell._load(), cell._clear():
            if type(value) is Value:
                seen(value)


@through("cell_methods._make_empty", "cell_slots.Py_tp_init")
def initialize_again(shared: Shared) -> None:
    shared.cell._make_empty()
    shared.cell.__init__(discard=discarded)
    shared.subclassed.__init__()
    for view in shared.views:
        with suppress(TypeError):
            view.__init__(view._definition, {}, "key")


@through("cell_slots.Py_tp_init", "cell_slots.Py_tp_dealloc")
def make_and_drop_cells(_: Shared) -> None:
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
def make_and_drop_views(shared: Shared) -> None:
    for owner in shared.owners:
        seen(owner.method.cell.get())
        seen(type(owner).of_class.cell.get())
    seen(vars(shared.slotted_class)["attribute"]._cell_of(shared.slotted).get())


@through("cell_getset._discard")
def another_discard(shared: Shared) -> None:
    for cell in shared.cells:
        assert cell._discard in (None, discarded)
        cell._discard = None
        cell._discard = discarded


@through("cell_methods._load", "cell_getset._discard")
def copies(shared: Shared) -> None:
    for cell in shared.cells:
        seen(copy.copy(cell).get())
        seen(copy.deepcopy(cell).get())
        seen(pickle.loads(pickle.dumps(cell)).get())
        repr(cell)


@through("cell_slots.Py_tp_dealloc")
def weak_references(shared: Shared) -> None:
    for target in [*shared.cells, shared.function, shared.bound, vars(shared.owner_class)["attribute"]]:
        assert weakref.ref(target)() is target
        weakref.ref(target, discarded)


@through("cell_methods._load")
def cold_methods(shared: Shared) -> None:
    async def later() -> Value:
        return Value()

    for cell in shared.cells:
        seen(drive(cell.aget_or_init(later)))
    gilonce.GILOnceCell().import_attr("gilonce", "once")


@through("view_methods.is_same_place", "view_methods.assign")
def views_in_dicts(shared: Shared) -> None:
    views = shared.views[:2]
    assert not views[0].is_same_place(views[1])
    assert views[0].is_same_place(shared.owners[0].method.cell)
    for view in views:
        view.assign(Value())


@through("view_methods.is_same_place", "view_methods.assign")
def views_of_slots(shared: Shared) -> None:
    view = shared.views[2]
    assert view.is_same_place(vars(shared.slotted_class)["attribute"]._cell_of(shared.slotted))
    view.assign(Value())
    member = shared.slotted_class._spare
    definition = Definition(Value, None, "")
    spare = type(view)(definition, shared.slotted, lambda _: member)
    spare.assign(Value())
    seen(spare.get())


# Once functions.


@through("once_slots.Py_tp_call", "once_getset._cell", "once_getset._is_outside_classes")
def call(shared: Shared) -> None:
    for function in shared.function, at_the_top, shared.owner_class.static:
        seen(function())
        seen(function.cell.take())
        assert function._cell is function.cell
        assert function._is_outside_classes in (True, False)
    with suppress(TypeError):
        shared.function(1)
    with suppress(TypeError):
        shared.function(x=1)


@through("once_method_slots.Py_tp_call")
def call_methods(shared: Shared) -> None:
    for owner in shared.owners:
        seen(owner.method())
        seen(type(owner).method(owner))
        seen(type(owner).method(type(owner)()))
        seen(drive(owner.later()))
        with suppress(TypeError):
            owner.method(1)


@through("once_method_slots.Py_tp_call", "bound_slots.Py_tp_call", "once_getset._slot")
def call_methods_in_slots(shared: Shared) -> None:
    slotted, cls = shared.slotted, shared.slotted_class
    for owner in slotted, cls():
        for name in "method", "locked":
            seen(getattr(owner, name)())
            seen(getattr(cls, name)(owner))
            assert vars(cls)[name]._slot == f"_{name}"
        seen(drive(owner.later()))
    bound = slotted.method
    seen(bound())
    seen(bound.cell.take())
    seen(slotted.locked.cell.take())
    with suppress(TypeError):
        cls.method(cls)


@through("once_slots.Py_tp_descr_get", "once_slots.Py_tp_call")
def call_class_methods(shared: Shared) -> None:
    for owner in shared.owners:
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
def bind(shared: Shared) -> None:
    owner = shared.owners[0]
    bound = owner.method
    assert bound == shared.bound
    assert hash(bound) == hash(shared.bound)
    assert bound.__self__ is owner
    assert bound.__func__ is vars(shared.owner_class)["method"]
    seen(bound())
    seen(shared.bound())
    seen(shared.bound.cell.take())
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
def look_at_once(shared: Shared) -> None:
    for function in shared.function, at_the_top, vars(shared.owner_class)["method"], vars(shared.owner_class)["later"]:
        function.mark = Shared  # never removed, because other threads do the same
        assert function.mark is Shared
        assert function.__dict__["mark"] is Shared
        assert callable(function._function)
        assert function._binds_to in ("nothing", "instance")
        assert function._definition is function._definition
        assert function._is_async in (True, False)
        assert function._needs_owner == function._may_take_owner
        assert function.__name__
        repr(function)
        with suppress(AttributeError):
            function.cell.is_set()
    assert pickle.loads(pickle.dumps(at_the_top)) is at_the_top


@through("once_slots.Py_tp_new", "once_slots.Py_tp_dealloc", "once_method_slots.Py_tp_dealloc")
def make_and_drop_once(shared: Shared) -> None:
    gilonce.once(shared.plain)
    gilonce.once(Value, discard=discarded)
    outside_classes: Any = gilonce.once(lambda self: Value())  # type: ignore[call-overload]
    with suppress(TypeError):
        outside_classes(Value())
    with suppress(TypeError):
        gilonce.once(lambda a, b: Value())  # type: ignore[call-overload]


# One value per arguments.


class Key:
    """A key whose comparison runs Python code, in which threads can switch."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key)

    def __hash__(self) -> int:
        return 1


class AddingKey(Key):
    """A key that adds another key when it is compared, so that the search starts again."""

    def __init__(self, keyed: Any) -> None:
        self.keyed = keyed

    def __eq__(self, other: object) -> bool:
        self.keyed(object())
        return False

    __hash__ = Key.__hash__


@through("per_args_slots.Py_tp_call")
def call_with_keys(shared: Shared) -> None:
    for key in "key", 1, (1, "key"), Key(), None:
        seen(shared.keyed(key))
        seen(shared.keyed(key=key))
        seen(shared.keyed(key, other=Key()))
        seen(key_at_the_top(key))
    keyed: Any = gilonce.once_per_args(lambda key: Value())
    for key in Key(), AddingKey(keyed), AddingKey(keyed):
        seen(keyed(key))
    for arguments in (), ([],), (1, 2):
        with suppress(TypeError):
            shared.keyed(*arguments)


@through(
    "per_args_method_slots.Py_tp_call",
    "per_args_method_slots.Py_tp_descr_get",
    "per_args_slots.Py_tp_descr_get",
    "bound_args_slots.Py_tp_call",
    "bound_args_slots.Py_tp_new",
    "bound_args_slots.Py_tp_dealloc",
)
def call_methods_with_keys(shared: Shared) -> None:
    for owner in shared.owners:
        for key in "key", Key():
            seen(owner.keyed(key))
            seen(owner.keyed(key=key))
            seen(type(owner).keyed(owner, key))
            seen(type(owner).keyed_of_class(key))
            seen(owner.keyed_of_class(key=key))
        bound = owner.keyed
        assert bound == owner.keyed
        seen(type(bound)(vars(shared.owner_class)["keyed"], owner)("key"))
        with suppress(TypeError):
            bound()


@through(
    "table_methods.cell_of",
    "keyed_cell_slots.Py_tp_init",
    "keyed_cell_slots.Py_tp_dealloc",
    "keyed_cell_methods.is_same_place",
    "keyed_cell_methods.assign",
    "keyed_cell_methods._current",
    "view_members._owner",
)
def cells_of_keys(shared: Shared) -> None:
    for cell in shared.keyed.cell("key"), shared.keyed.cell(Key()), shared.owners[0].keyed.cell("key"):
        seen(cell.get_or_init(Value))
        seen(cell.get())
        seen(cell.take())
        with suppress(gilonce.AlreadySetError):
            cell.set(Value())
    assert shared.keyed.cell("held") is shared.keyed_cell is shared.keyed_cell._current()
    assert shared.keyed_cell.is_same_place(shared.keyed_cell)
    with suppress(TypeError):
        shared.keyed_cell.assign(Value())  # it has no place outside its table
    for view in shared.views:
        assert view._owner is not None


@through("table_methods.take_all", "table_methods.items", "table_members.owner")
def tables(shared: Shared) -> None:
    for keyed in shared.keyed, shared.owners[0].keyed, shared.owner_class.keyed_of_class:
        for value in keyed.take_all():
            seen(value)
    seen(copy.copy(shared.owners[0]).keyed("key"))
    for _, value in shared.keyed._table.items():
        seen(value)
    assert shared.keyed._table.owner is not None


@through(
    "per_args_getset.__dict__",
    "per_args_getset._is_async",
    "per_args_getset._binds_to",
    "per_args_getset._may_have_other_name",
    "per_args_getset._takes_owner",
    "per_args_members._function",
    "per_args_members._table",
    "per_args_members._definition",
    "per_args_members._key_function",
    "per_args_members._keys",
    "per_args_members._owned_keys",
)
def look_at_per_args(shared: Shared) -> None:
    for function in shared.keyed, key_at_the_top, vars(shared.owner_class)["keyed"]:
        function.mark = Shared  # never removed, because other threads do the same
        assert function.mark is Shared
        assert function.__dict__["mark"] is Shared
        assert function._is_async is False
        assert function._binds_to in ("nothing", "instance")
        assert function._takes_owner in (True, False, None)
        assert function._may_have_other_name in (True, False)
        function._may_have_other_name = function._may_have_other_name
        assert callable(function._function)
        assert function._table is function._table
        assert function._definition is function._definition
        assert function._key_function is None
        assert (function._keys, function._owned_keys) != (None, None)
        assert function.__name__
        repr(function)
    assert pickle.loads(pickle.dumps(key_at_the_top)) is key_at_the_top


@through(
    "per_args_slots.Py_tp_alloc",
    "per_args_slots.Py_tp_dealloc",
    "per_args_method_slots.Py_tp_alloc",
    "per_args_method_slots.Py_tp_dealloc",
    "per_args_methods._finish",
    "table_slots.Py_tp_init",
    "table_slots.Py_tp_dealloc",
)
def make_and_drop_per_args(_: Shared) -> None:
    seen(gilonce.once_per_args(lambda key: Value())("key"))
    gilonce.once_per_args(lambda self, key: Value(), discard=discarded)
    gilonce.once_per_args(Value, cell=gilonce.OnceLock)
    with suppress(TypeError):
        gilonce.once_per_args(3)  # type: ignore[call-overload]


# Properties.


@through("property_slots.Py_tp_descr_get")
def read_attributes(shared: Shared) -> None:
    for owner in shared.owners:
        seen(owner.attribute)
        seen(owner.class_attribute)
        seen(type(owner).class_attribute)
        seen(owner.static_attribute)
        seen(vars(shared.owner_class)["attribute"].__get__(owner))
        seen(drive(owner.awaited.__await__()) if hasattr(owner.awaited, "send") else None)


@through("property_slots.Py_tp_descr_get")
def set_and_delete_attributes(shared: Shared) -> None:
    for owner in shared.owners:
        owner.attribute = Value()
        with suppress(AttributeError):
            del owner.attribute


@through("function_replacements.keep_get")
def subclass_properties(shared: Shared) -> None:
    class Sub(gilonce.once_property[Any]):
        """Has the C function that its base has."""

    assert type("Owner", (), {"attribute": Sub(lambda _: shared)})().attribute is shared


@through("slot_property_slots.Py_tp_descr_get")
def read_slots(shared: Shared) -> None:
    seen(shared.slotted.attribute)
    seen(vars(shared.slotted_class)["attribute"].__get__(shared.slotted))
    seen(shared.slotted.attribute)
    with suppress(AttributeError):
        seen(shared.slotted._attribute)


@through("slot_property_slots.Py_tp_descr_set")
def set_and_delete_slots(shared: Shared) -> None:
    shared.slotted.attribute = Value()
    for owner, name in [(shared.slotted, "attribute"), (shared.owners[0], "awaited")]:
        with suppress(AttributeError):
            delattr(owner, name)


@through(
    "property_getset.__dict__",
    "property_getset._function",
    "property_getset.attrname",
    "property_getset._slot",
    "property_getset._is_async",
    "property_getset._definition",
)
def change_properties(shared: Shared) -> None:
    """Assign the fields of properties that other threads read; for a moment one has no function."""
    for owner, cls in (shared.owners[0], shared.owner_class), (shared.slotted, shared.slotted_class):
        prop = vars(cls)["changed"]
        slot = prop._slot
        prop.func = None
        prop.func = Value
        prop.attrname = "changed"
        prop._slot = slot
        prop._is_async = False
        prop._definition = Definition(Value, discarded, "")
        prop.__dict__["mark"] = prop.mark = shared
        assert (prop.attrname, prop._is_async, prop._slot) == ("changed", False, slot)
        assert prop._definition.discard is discarded
        with suppress(TypeError):  # another thread has just taken the function out
            seen(owner.changed)
        with suppress(AttributeError):
            del owner.changed


@through("property_slots.Py_tp_dealloc", "slot_property_slots.Py_tp_dealloc")
def make_and_drop_properties(shared: Shared) -> None:
    gilonce.once_property(shared.plain, discard=discarded)  # type: ignore[arg-type]
    gilonce.once_property(Value, slot="_attribute")
    copy.copy(vars(shared.owner_class)["changed"])


# Lazy globals, and the functions that making one calls.


@through("proxy_slots.Py_tp_init", "function_replacements.make_proxy")
def make_proxies(shared: Shared) -> None:
    for factory in shared.plain, make_annotated, Value, at_the_top:
        proxy: Any = gilonce.lazy_global(factory, reify=False)
        repr(proxy)
        seen(proxy.__wrapped__)
    gilonce.lazy_global(shared.plain, interface=Value, reify=False)


@through("proxy_slots.Py_tp_getattro")
def touch_a_proxy(shared: Shared) -> None:
    value = shared.proxy.me
    assert value is shared.proxy.__wrapped__ is shared.proxy.me
    shared.proxy.mark = shared
    assert shared.proxy.mark is shared
    shared.proxy._self_cell.get()
    with suppress(AttributeError):
        shared.proxy.nothing


class Able:
    """Has the special methods by which the standard library distinguishes objects."""

    def __call__(self, *args: Any) -> Any:
        return args

    def __iter__(self) -> Any:
        return iter([1])

    def __next__(self) -> int:
        return 1

    def __enter__(self) -> Able:
        return self

    def __exit__(self, *error: object) -> None: ...

    async def __aenter__(self) -> Able:
        return self

    async def __aexit__(self, *error: object) -> None: ...

    def __await__(self) -> Any:
        return iter(())

    def __aiter__(self) -> Able:
        return self

    async def __anext__(self) -> int:
        raise StopAsyncIteration

    def __get__(self, instance: object, owner: object) -> int:
        return 1

    def __contains__(self, item: object) -> bool:
        return True


class Indexed:
    """Is iterated by its items."""

    def __getitem__(self, index: int) -> int:
        return [1][index]


async def use_async(able: Any) -> None:
    async with able:
        await able
    assert [item async for item in able] == []
    with suppress(StopAsyncIteration):
        await anext(able)


NUMBERS = "subtract multiply matrix_multiply remainder divmod power lshift rshift and xor or floor_divide true_divide"


@through(
    "proxy_slots.Py_tp_setattro",
    "proxy_methods.__getattr__",
    "proxy_getset.__wrapped__",
    "proxy_getset.__dict__",
    "function_replacements.new_class",
)
def use_a_proxy_as_an_object(shared: Shared) -> None:
    able = gilonce.lazy_global(type("Able", (Able,), {}), reify=False)
    for _ in range(2):
        able.mark = 1
        assert type(able).__getattr__(able, "mark") == 1
        assert object.__getattribute__(able, "__dict__") == {"mark": 1}
        assert able(1) == type(able).__call__(able, 1) == (1,)
        assert next(able) in able
        assert [*able] == [*gilonce.lazy_global(Indexed, reify=False)] == [1]
        assert type("Owner", (), {"attribute": able}).attribute == 1


@through(
    *("proxy_methods.__enter__", "proxy_methods.__exit__", "proxy_methods.__aenter__", "proxy_methods.__aexit__"),
)
def enter_a_proxy(shared: Shared) -> None:
    able: Any = gilonce.lazy_global(Able, reify=False)
    with able:
        drive(use_async(able))


@through(
    *(f"proxy_slots.Py_nb_{name}" for name in NUMBERS.split()),
    *(f"proxy_slots.Py_nb_{name}" for name in ("add", "negative", "positive", "absolute", "invert")),
    *("proxy_slots.Py_nb_bool", "proxy_slots.Py_tp_hash", "proxy_slots.Py_tp_richcompare"),
)
def use_a_proxy_as_a_number(shared: Shared) -> None:
    number: Any = gilonce.lazy_global(lambda: 7, reify=False)
    for name in ["add", "sub", "mul", "mod", "pow", "lshift", "rshift", "and_", "xor", "or_", "floordiv", "truediv"]:
        expected = getattr(operator, name)(7, 2)
        assert getattr(operator, name)(number, 2) == getattr(operator, f"i{name.rstrip('_')}")(number, 2) == expected
    for operate in operator.matmul, operator.imatmul:
        with suppress(TypeError):
            operate(number, 2)
    assert divmod(number, 2) == (3, 1)
    assert (-number, +number, abs(number), ~number, int(number), float(number), [*range(9)][number]) == (
        *(-7, 7, 7, -8, 7, 7.0, 7),
    )
    assert number
    assert {number: 1}[7] == 1
    assert hash(gilonce.lazy_global(lambda: (7,), reify=False)) == hash((7,))


@through()
def use_a_proxy_as_a_container(shared: Shared) -> None:
    items: Any = gilonce.lazy_global(lambda: bytearray(b"ab"), reify=False)
    for _ in range(2):
        items[0] = items[1]
        assert len(items) == 2
        assert memoryview(items)[0] in items


@through("function_replacements.is_coroutine_function")
def ask_of_functions(shared: Shared) -> None:
    async def later() -> None:
        return None

    for function, answer in (shared.plain, False), (later, True), (Value, False), (print, False):
        assert is_coroutine_function(function) is answer
    shared.plain.mark = shared


@through("function_replacements.make_proxy", "once_slots.Py_tp_new", "cell_slots.Py_tp_init")
def a_module(shared: Shared) -> None:
    """Use what a module makes at its top level, which one thread runs meanwhile."""
    with suppress(IndexError):
        exec(shared.modules.pop(), shared.namespace)
    found = shared.namespace
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
def chosen_cells(shared: Shared) -> None:
    chosen = shared.chosen
    for ask in (shared.locked, shared.per_thread, chosen.method, chosen.bound, chosen.of_class, chosen.per_thread):
        seen(ask())
        seen(ask.cell.take())
    for name in ("attribute", "slotted"):
        seen(getattr(chosen, name))
        with suppress(AttributeError):
            delattr(chosen, name)
    seen(gilonce.once(Value, cell=gilonce.OnceLock)())


@through("function_replacements.keep_for_ever")
def what_a_child_inherits(_: Shared) -> None:
    keep_for_ever(Value())


# The collector: what it looks at, and what it ends.


@through(
    "cell_slots.Py_tp_traverse",
    "dict_cell_slots.Py_tp_traverse",
    "slot_cell_slots.Py_tp_traverse",
    "once_slots.Py_tp_traverse",
    "once_method_slots.Py_tp_traverse",
    "bound_slots.Py_tp_traverse",
    "per_args_slots.Py_tp_traverse",
    "per_args_method_slots.Py_tp_traverse",
    "bound_args_slots.Py_tp_traverse",
    "keyed_cell_slots.Py_tp_traverse",
    "table_slots.Py_tp_traverse",
    "property_slots.Py_tp_traverse",
    "slot_property_slots.Py_tp_traverse",
    "native_module.m_traverse",
)
def referents(shared: Shared) -> None:
    try:
        shared.looks.pop()
    except IndexError:
        return
    gc.get_referents(
        *shared.cells,
        shared.function,
        shared.bound,
        shared.keyed,
        shared.keyed._table,
        shared.keyed_cell,
        shared.owners[0].keyed,
        *vars(shared.owner_class).values(),
        *vars(shared.slotted_class).values(),
        sys.modules["gilonce._native.core"],
    )


@through(
    "cell_slots.Py_tp_clear",
    "dict_cell_slots.Py_tp_clear",
    "slot_cell_slots.Py_tp_clear",
    "once_slots.Py_tp_clear",
    "once_method_slots.Py_tp_clear",
    "per_args_slots.Py_tp_clear",
    "per_args_method_slots.Py_tp_clear",
    "keyed_cell_slots.Py_tp_clear",
    "table_slots.Py_tp_clear",
    "property_slots.Py_tp_clear",
    "slot_property_slots.Py_tp_clear",
)
def make_cycles(shared: Shared) -> None:
    """Leave what only the collector can end: in each cycle, all that the garbage has goes through one object."""
    cell: Any = gilonce.GILOnceCell()
    cell.set(cell)
    for function in gilonce.once(Value), gilonce.once(lambda self: Value()):  # type: ignore[call-overload]
        function.me = function
    for keyed in gilonce.once_per_args(lambda key: Value()), gilonce.once_per_args(lambda self, key: Value()):
        keyed.me = keyed
    keyed_cell = gilonce.once_per_args(lambda key: Value()).cell("key")
    keyed_cell.set(keyed_cell)
    for prop in gilonce.once_property(Value), gilonce.once_property(Value, slot="_attribute"):
        vars(prop)["me"] = prop
    for view in shared.owners[0].method.cell, vars(shared.slotted_class)["attribute"]._cell_of(shared.slotted):
        view._discard = view.get


def burst(shared: Shared) -> None:
    """Fill and empty a few places again and again. Two accesses with a lock passed on between are not seen."""
    for _ in range(150):
        seen(shared.cell.get_or_init(Value))
        seen(shared.cell.take())
        seen(shared.function())
        seen(shared.function.cell.take())
        seen(shared.keyed("key"))
        for value in shared.keyed.take_all():
            seen(value)
        seen(shared.slotted.method())
        seen(shared.slotted.method.cell.take())
        set_and_delete_slots(shared)
        seen(shared.slotted.attribute)
        with suppress(TypeError):
            seen(shared.slotted.changed)
        vars(shared.slotted_class)["changed"].attrname = "changed"


#: What threads cannot do at once, or do at a point where no operation is, with the reason.
ELSEWHERE = {
    "native_methods.replace": "called as the package is imported, which the threads do at once when they begin",
    "native_slots.Py_mod_exec": "the same",
    "native_methods.assumptions": "for tests only",
    "native_methods.distrust": "for tests only, before the package is imported",
    "native_module.m_clear": "called when the interpreter ends, by its last thread",
    "native_module.m_free": "called when the interpreter ends, by its last thread",
}
