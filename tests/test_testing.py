"""`gilonce.testing`: `isolated()` and `reset()`."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import functools
import gc
import inspect
import sys
import threading
import unittest
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from support import WATCHDOG, clean_testing, drive, run_python, run_threads, survives_interrupts
from support.bytecodes import AtBytecode, files_of, positions


class App:
    """A program with a value of each kind, and what was discarded of them."""

    def __init__(self, gilonce: Any) -> None:
        self.discarded: list[str] = []
        names = vars(ModuleType("app"))

        def value(name: str) -> Any:
            return SimpleNamespace(name=name)

        def discard(made: Any) -> None:
            self.discarded.append(made.name)

        @gilonce.once(discard=discard)
        def settings() -> Any:
            return value("settings")

        @gilonce.once(discard=discard)
        def connection() -> Any:
            settings()
            return value("connection")

        class Model:
            @gilonce.once(discard=discard)
            @classmethod
            def table(cls) -> Any:
                connection()
                return value(f"table of {cls.__name__}")

            @gilonce.once_property(discard=discard)
            @classmethod
            def columns(cls) -> Any:
                return value("columns")

            @gilonce.once_property(discard=discard)
            @staticmethod
            def shared() -> Any:
                return value("shared")

            @gilonce.once
            def per_instance(self) -> Any:
                return value("of an instance")

        class SubModel(Model): ...

        @gilonce.once(cell=functools.partial(gilonce.ThreadOnceCell, discard=discard))
        def session() -> Any:
            return value("session")

        @gilonce.once(cell=gilonce.OnceLock)
        def migration() -> Any:
            return value("migration")

        names.update(lazy_global=gilonce.lazy_global, make=lambda: value("global"), discard=discard)
        self.module = sys.modules["app_of_tests"] = ModuleType("app_of_tests")
        vars(self.module).update(names, __name__="app_of_tests")
        exec("GLOBAL = lazy_global(make, discard=discard)\nKEPT = [GLOBAL]", vars(self.module))
        self.instance = Model()
        self.touches = {
            "settings": settings,
            "connection": connection,
            "table of Model": Model.table,
            "table of SubModel": SubModel.table,
            "columns": lambda: Model.columns,
            "shared": lambda: Model.shared,
            "session": session,
            "migration": migration,
            "global": lambda: self.module.KEPT[0].__wrapped__,
        }

    def touch_all(self) -> list[Any]:
        return [touch() for touch in self.touches.values()]


class OwnCell:
    """A user's own cell, with the methods that gilonce asks for and no others."""

    final = True

    def __init__(self) -> None:
        self.values: list[Any] = []

    def get(self, default: Any = None) -> Any:
        return self.values[0] if self.values else default

    def is_set(self) -> bool:
        return bool(self.values)

    def get_or_init(self, initializer: Any) -> Any:
        self.values = self.values or [initializer()]
        return self.values[0]

    aget_or_init = get_or_init

    def set(self, value: Any) -> None:
        self.values = [value]

    def take(self, default: Any = None) -> Any:
        return self.values.pop() if self.values else default


@pytest.fixture
def app(gilonce: ModuleType) -> Any:
    # What earlier tests have left is not this program's.
    sys.modules["gilonce._cells.registry"]._registered.clear()  # type: ignore[attr-defined]
    yield App(gilonce)
    del sys.modules["app_of_tests"]


@pytest.fixture
def testing(gilonce: ModuleType) -> Any:
    return clean_testing(gilonce)


def test_everything_starts_empty_and_is_as_before_afterwards(app: App, testing: Any) -> None:
    """Values that there were come back; those that were made inside are discarded, the last made first."""
    before = app.touch_all()
    instance_value = app.instance.per_instance()
    with testing.isolated():
        inside = app.touch_all()
        assert {id(value) for value in before}.isdisjoint(id(value) for value in inside)
        assert app.touch_all() == inside
        assert app.module.GLOBAL is app.module.KEPT[0].__wrapped__ is inside[-1]
        assert app.instance.per_instance() is instance_value
    after = app.touch_all()
    assert all(one is other for one, other in zip(before, after, strict=True))
    assert app.module.GLOBAL is before[-1]
    order = ["global", "session", "shared", "columns", "table of SubModel", "table of Model", "connection", "settings"]
    assert app.discarded == order


def test_what_was_empty_is_empty_again(app: App, testing: Any) -> None:
    """Values of functions that had never been called are discarded, too."""
    with testing.isolated():
        app.touches["connection"]()
        app.touches["table of SubModel"]()
        app.touches["global"]()
    assert app.discarded == ["global", "table of SubModel", "connection", "settings"]
    assert not app.touches["settings"].cell.is_set()  # type: ignore[attr-defined]
    assert "not yet called" in repr(app.module.KEPT[0])
    assert app.module.GLOBAL is app.module.KEPT[0]


@pytest.mark.parametrize("name", ["settings", "table of Model", "columns", "shared", "session", "migration", "global"])
def test_an_override_does_not_hold_inside_even_if_it_was_the_first_value(
    gilonce: ModuleType, app: App, testing: Any, name: str
) -> None:
    """A cell that has never had a value is covered from its first override on."""
    touch = app.touches[name]
    if name in ("columns", "shared"):
        cell = gilonce.cell_of(type(app.instance), name)
    elif name == "global":
        cell = gilonce.cell_of(app.module, "GLOBAL")
    else:
        cell = touch.cell  # type: ignore[attr-defined]
    fake = SimpleNamespace(name="fake")
    with cell.override(fake):
        with testing.isolated():
            assert touch().name != "fake"
        assert touch() is fake
    assert not cell.is_set()
    assert "fake" not in app.discarded


def test_reset_discards_everything_the_last_made_first(app: App, testing: Any) -> None:
    """A value under an override stays, and so does the override."""
    app.touches["connection"]()
    app.touches["session"]()
    app.touches["global"]()
    with app.touches["settings"].cell.override("fake"):  # type: ignore[attr-defined]
        testing.reset()
        assert app.touches["settings"]() == "fake"
    assert app.discarded == ["global", "session", "connection"]
    testing.reset()
    assert app.discarded == ["global", "session", "connection", "settings"]
    testing.reset()
    assert len(app.discarded) == 4


def test_a_restored_value_keeps_its_place_in_the_order(app: App, testing: Any) -> None:
    app.touches["settings"]()
    app.touches["columns"]()
    with testing.isolated():
        app.touches["columns"]()
        app.touches["settings"]()
    app.discarded.clear()
    testing.reset()
    assert app.discarded == ["columns", "settings"]


def test_a_value_of_a_class_that_is_where_an_earlier_one_was_is_a_later_one(gilonce: ModuleType, testing: Any) -> None:
    """The earlier one was taken and freed, and the later one may have its `id`."""
    discarded: list[str] = []

    class Value:
        __slots__ = ("name",)

        def __init__(self, name: str) -> None:
            self.name = name

    class Owner:
        @gilonce.once(discard=lambda value: discarded.append(value.name))
        @classmethod
        def early(cls) -> Value:
            return Value("early")

        @gilonce.once(discard=lambda value: discarded.append(value.name))
        @classmethod
        def late(cls) -> Value:
            return Value("late")

    for ask_again in (Owner.early, lambda: Owner.early.cell.get_or_init(lambda: Value("early"))):
        Owner.early()
        Owner.late()
        Owner.early.cell.take()
        ask_again()
        testing.reset()
        assert discarded == ["early", "late"]
        discarded.clear()


def test_cells_per_thread_are_isolated_in_every_thread(gilonce: ModuleType, testing: Any) -> None:
    import threading

    session = gilonce.once(cell=gilonce.ThreadOnceCell)(object)
    go_on, went_on = threading.Barrier(2), threading.Barrier(2)
    got: list[Any] = []

    def in_a_thread() -> None:
        for _ in range(3):
            got.append(session())
            got.append(session())
            went_on.wait()
            go_on.wait()

    def in_another() -> None:
        went_on.wait()
        with testing.isolated():
            go_on.wait()
            went_on.wait()
        go_on.wait()
        went_on.wait()
        go_on.wait()

    assert run_threads(in_a_thread, in_another) == [None, None]
    assert got[0] is got[1] is got[4] is got[5]
    assert got[2] is got[3] is not got[0]


@pytest.mark.parametrize("cell", ["ThreadOnceCell", "LoopOnceCell"])
@pytest.mark.parametrize("method", ["get_or_init", "aget_or_init"])
def test_a_value_that_a_thread_publishes_after_the_end_is_its_value(
    gilonce: ModuleType, testing: Any, cell: str, method: str
) -> None:
    """The initializer began inside. Its value is neither lost nor dropped without a discard."""
    discarded: list[Any] = []
    it = gilonce.once(cell=functools.partial(getattr(gilonce, cell), discard=discarded.append))(object).cell
    is_inside, is_left = threading.Event(), threading.Event()
    got: list[Any] = []

    def initialize() -> object:
        is_inside.set()
        assert is_left.wait(WATCHDOG)
        return object()

    async def initialize_in_task() -> object:
        return initialize()

    async def use() -> None:
        if method == "get_or_init":
            got.append(it.get_or_init(initialize))
        else:
            got.append(await it.aget_or_init(initialize_in_task))
        got.append(it.get_or_init(object))

    async def register() -> None:
        it.get_or_init(object)

    asyncio.run(register())
    thread = threading.Thread(target=lambda: asyncio.run(use()))
    with testing.isolated():
        thread.start()
        assert is_inside.wait(WATCHDOG)
    is_left.set()
    thread.join(WATCHDOG)
    assert got[0] is got[1]
    assert discarded == []


def test_a_global_that_was_set_before_it_was_touched_is_as_before(gilonce: ModuleType, testing: Any) -> None:
    discarded: list[Any] = []
    module = ModuleType("settings_of_a_test")
    module.CONFIG = gilonce.lazy_global(lambda: "made", reify=False, discard=discarded.append)  # type: ignore[attr-defined]
    gilonce.cell_of(module, "CONFIG").set("set")
    with testing.isolated():
        assert module.CONFIG.upper() == "MADE"
    assert module.CONFIG.upper() == "SET"
    assert discarded == ["made"]


@pytest.mark.parametrize("reify", [True, False])
def test_a_global_with_a_users_own_cell_is_as_before(gilonce: ModuleType, testing: Any, reify: bool) -> None:
    """`isolated`, `reset` and `cell_of` reach the proxy and the replaced names. There is no override."""

    class Mine(OwnCell):
        more = "more"

        def get(self, default: Any = None) -> Any:
            """Return another object each time, as a cell in a file would."""
            value = super().get(default)
            return value[:] if isinstance(value, list) else value

    module: Any = ModuleType("own_cell_of_a_test")
    vars(module).update(gilonce=gilonce, Mine=Mine, reify=reify)
    sys.modules[module.__name__] = module
    try:
        exec("runs = []\ndef make():\n    runs.append(len(runs) + 1)\n    return runs[:]", vars(module))
        exec("X = gilonce.lazy_global(make, cell=Mine, reify=reify)\nKEPT = [X]", vars(module))
        assert (module.X[-1], type(module.X) is list) == (1, reify)
        with testing.isolated():
            assert module.X[-1] == module.KEPT[0][-1] == 2
        assert module.X[-1] == module.KEPT[0][-1] == 1
        testing.reset()
        assert module.X[-1] == module.KEPT[0][-1] == 3
        cell = gilonce.cell_of(module, "X")
        assert ".Mine object at" in repr(cell)
        assert (cell.take(), cell.is_set(), cell.more) == ([1, 2, 3], False, "more")
        cell.set(["set"])
        assert module.X == module.KEPT[0] == ["set"]
        assert copy.copy(cell).get() == ["set"]
        with pytest.raises(TypeError, match="a Mine has no override: let its class derive from one of gilonce's cells"):
            cell.override("fake")
    finally:
        del sys.modules[module.__name__]


def test_a_global_in_a_module_of_another_class_can_be_reset(gilonce: ModuleType, testing: Any) -> None:
    """No code of that class runs when the name is replaced, in the defining module and in an importer."""

    class Strange(ModuleType):
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(f"asked for {name}")

    names = []
    for name in ("strange_of_a_test", "strange_importer_of_a_test"):
        names.append(vars(module := ModuleType(name)))
        sys.modules[name] = module
        module.__class__ = Strange
    try:
        names[0]["gilonce"] = gilonce
        exec("X = gilonce.lazy_global(list)", names[0])
        names[1]["X"] = names[0]["X"]
        names[0]["X"].append("before")
        gc.collect()
        assert [type(each["X"]) for each in names] == [list, list]
        with testing.isolated():
            assert [len(each["X"]) for each in names] == [0, 0]
        assert [len(each["X"]) for each in names] == [1, 1]
        testing.reset()
        assert [len(each["X"]) for each in names] == [0, 0]
    finally:
        for each in names:
            del sys.modules[each["__name__"]]


def test_isolated_decorates(app: App, testing: Any) -> None:
    settings = app.touches["settings"]
    before = settings()

    @testing.isolated()
    def function() -> Any:
        return settings()

    @testing.isolated()
    async def coroutine_function() -> Any:
        return settings()

    @testing.isolated()
    class TestIt(unittest.TestCase):
        def test_it(self) -> None:
            assert settings() is not before

    assert function() is not before
    assert asyncio.run(coroutine_function()) is not before
    result = unittest.TestResult()
    TestIt("test_it").run(result)
    assert result.wasSuccessful()
    assert settings() is before
    assert app.discarded == ["settings"] * 3


def test_isolated_within_isolated(app: App, testing: Any) -> None:
    """One inside another, and one object only once at a time."""
    settings = app.touches["settings"]
    outer = settings()
    isolated = testing.isolated()
    with isolated:
        inner = settings()
        with pytest.raises(RuntimeError, match=r"in force already"), isolated:
            pass
        with testing.isolated():
            assert settings() is not outer
            assert settings() is not inner
        assert settings() is inner
    assert settings() is outer


def test_an_isolation_that_is_dropped_is_left(app: App, testing: Any) -> None:
    settings = app.touches["settings"]
    before = settings()
    isolated = testing.isolated()
    isolated.__exit__(None, None, None)
    isolated.__enter__()
    assert settings() is not before
    del isolated
    for _ in range(3):
        gc.collect()
    assert settings() is before
    assert app.discarded == ["settings"]


def test_async_with_awaits_what_discard_returns(gilonce: ModuleType, testing: Any) -> None:
    closed: list[Any] = []

    class Client:
        async def aclose(self) -> None:
            await asyncio.sleep(0)
            closed.append(self)

    @gilonce.once(discard=Client.aclose)
    async def get_client() -> Client:
        return Client()

    async def main() -> Any:
        async with testing.isolated():
            return await get_client()

    client = asyncio.run(main())
    assert closed == [client]


def test_a_cell_of_a_users_own_is_emptied_and_set_again(gilonce: ModuleType, testing: Any) -> None:
    function = gilonce.once(cell=OwnCell)(object)
    before = function()
    with testing.isolated():
        assert function() is not before
    with testing.isolated():
        pass
    assert function() is before
    testing.reset()
    assert function() is not before


def test_an_isolation_does_not_hold_up_an_override_by_a_cell_that_locks(gilonce: ModuleType, testing: Any) -> None:
    """A thread that is in such a cell may enter an override, while another empties the cell to isolate it."""
    is_initializing, is_taking = threading.Event(), threading.Event()
    other = gilonce.GILOnceCell()

    class Locking(OwnCell):
        def __init__(self) -> None:
            super().__init__()
            self.lock = threading.RLock()

        def get_or_init(self, initializer: Any) -> Any:
            with self.lock:
                return super().get_or_init(initializer)

        def take(self, default: Any = None) -> Any:
            is_taking.set()
            with self.lock:
                return super().take(default)

    @gilonce.once(cell=Locking)
    def function() -> str:
        is_initializing.set()
        assert is_taking.wait(WATCHDOG)
        with other.override("fake"):
            return "value"

    def isolate() -> None:
        assert is_initializing.wait(WATCHDOG)
        with testing.isolated():
            pass

    assert run_threads(function, isolate) == ["value", None]


@pytest.mark.parametrize("is_async", [False, True], ids=["with", "async with"])
def test_what_raises_when_an_isolation_is_left_hinders_nothing_else(
    gilonce: ModuleType, testing: Any, is_async: bool
) -> None:
    """A key's `__eq__`, or a user's own cell. The error reaches the caller, and all other values are restored."""
    discarded: list[Any] = []
    is_broken = False

    class Key:
        def __init__(self, hashed: int) -> None:
            self.hashed = hashed

        def __hash__(self) -> int:
            return self.hashed

        def __eq__(self, other: object) -> bool:
            if is_broken:
                raise ZeroDivisionError
            return self is other

    class Broken(OwnCell):
        def set(self, value: Any) -> None:
            super().set(value)
            if is_broken:
                raise ZeroDivisionError

    keyed = gilonce.once_per_args(lambda key: object(), discard=discarded.append)
    own = gilonce.once(lambda: object(), cell=Broken)
    others = [gilonce.once(lambda: object(), discard=discarded.append) for _ in range(3)]
    keys = [Key(7), Key(7)]
    first = others[0]()
    before = [own(), *[function() for function in others]]
    made = []

    def use() -> None:
        nonlocal is_broken
        made.extend([function() for function in [own, *others]])
        for key in keys:
            keyed(key)
        is_broken = True

    async def in_a_task() -> None:
        async with testing.isolated():
            use()

    def in_a_block() -> None:
        with testing.isolated():
            use()

    with pytest.raises(ZeroDivisionError):
        drive(in_a_task()) if is_async else in_a_block()
    is_broken = False
    assert [own(), *[function() for function in others]] == before
    assert others[0]() is first
    assert all(value in discarded for value in made[1:])


def test_what_raises_in_a_reset_loses_no_value_that_was_taken_before(gilonce: ModuleType, testing: Any) -> None:
    """It is discarded. The error reaches the caller, and later values stay in their cells."""
    discarded: list[Any] = []
    is_broken = True

    class Broken(OwnCell):
        def take(self, default: Any = None) -> Any:
            if is_broken:
                raise ZeroDivisionError
            return super().take(default)

    first = gilonce.once(object, discard=discarded.append)
    value = first()
    broken = gilonce.once(object, cell=Broken)
    broken()
    last = gilonce.once(object, discard=discarded.append)
    kept = last()
    with pytest.raises(ZeroDivisionError):
        testing.reset()
    is_broken = False  # for the resets of other tests
    assert discarded == [value]
    assert not first.cell.is_set()
    assert last() is kept


def test_a_class_that_lost_its_values_has_none_to_forget(gilonce: ModuleType, testing: Any) -> None:
    """Such as by a tool that deletes what it does not know in a class. The next read computes anew."""
    runs: list[str] = []

    class Owner:
        @gilonce.once_property
        @classmethod
        def value(cls) -> object:
            runs.append(cls.__name__)
            return object()

    first = Owner.value
    for name in [name for name, value in vars(Owner).items() if type(value).__name__ == "ClassValues"]:
        delattr(Owner, name)
    testing.reset()
    assert Owner.value is not first
    assert runs == ["Owner"] * 2


def test_nothing_is_kept_alive(gilonce: ModuleType) -> None:
    """Neither a function nor a class nor a proxy, nor its value; and the dead are forgotten.

    In a process of its own: free-threaded 3.13 makes functions and classes immortal once a thread was started.
    """
    program = """
import gc, weakref
import gilonce
from gilonce import testing
from gilonce._cells.registry import _registered

class Value: ...

def use():
    function = gilonce.once(Value)

    class Owner:
        @gilonce.once
        @classmethod
        def method(cls):
            return Value()

    proxy = gilonce.lazy_global(Value)
    values = [function(), Owner.method(), proxy.__wrapped__]
    with testing.isolated():
        pass
    return [weakref.ref(value) for value in values]

references = use()
for _ in range(3): gc.collect()
assert [reference() for reference in references] == [None] * 3
for _ in range(5000):
    gilonce.once(list)()
assert len(_registered) < 4000
print("done")
"""
    assert run_python(gilonce, "-c", program) == "done\n"


def test_a_global_that_was_replaced_can_be_reset_as_long_as_its_module_lives(gilonce: ModuleType) -> None:
    program = """
import sys, types, gc, weakref
import gilonce
from gilonce.testing import reset
runs = []
settings = types.ModuleType("settings")
sys.modules["settings"] = settings
exec("from gilonce import lazy_global\\nclass Value: ...\\nCONFIG = lazy_global(Value)", vars(settings))
first = settings.CONFIG
bool(first)
del first
assert type(settings.CONFIG) is settings.Value
kept = weakref.ref(settings.CONFIG)
for _ in range(3): gc.collect()
reset()
for _ in range(3): gc.collect()
assert kept() is None
assert isinstance(settings.CONFIG, settings.Value)
print("done")
"""
    assert run_python(gilonce, "-c", program) == "done\n"


class Key:
    """A key that runs Python code to compare."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self.number == other.number

    def __hash__(self) -> int:
        return self.number


#: The cells of keys that `isolated()` covers: given the package and a discard, the arguments of `once_per_args`.
CELLS_OF_KEYS: dict[str, Any] = {
    "none": lambda gilonce, discard: {"discard": discard},
    "GILOnceCell": lambda gilonce, discard: {"cell": functools.partial(gilonce.GILOnceCell, discard=discard)},
    "OnceLock": lambda gilonce, discard: {"cell": gilonce.OnceLock},
    "ThreadOnceCell": lambda gilonce, discard: {"cell": functools.partial(gilonce.ThreadOnceCell, discard=discard)},
    "ProcessOnceCell": lambda gilonce, discard: {"cell": functools.partial(gilonce.ProcessOnceCell, discard=discard)},
    "a user's own": lambda gilonce, discard: {"cell": OwnCell},
}


class Keyed:
    """Functions with one value per arguments, of every kind, and what was discarded of them."""

    def __init__(self, gilonce: Any, cell: str) -> None:
        self.discarded: list[str] = []

        def discard(value: Any) -> None:
            self.discarded.append(value.name)

        once_per_args = gilonce.once_per_args(**CELLS_OF_KEYS[cell](gilonce, discard))

        def value(name: str, key: Any) -> Any:
            return SimpleNamespace(name=f"{name} {getattr(key, 'number', key)}")

        @once_per_args
        def function(key: object) -> Any:
            return value("function", key)

        class Owner:
            @once_per_args
            @classmethod
            def of_class(cls, key: object) -> Any:
                return value(f"class {cls.__name__}", key)

            @once_per_args
            @staticmethod
            def static(key: object) -> Any:
                return value("static", key)

            @once_per_args
            def method(self, key: object) -> Any:
                return value("method", key)

        class Sub(Owner): ...

        self.functions = [function, Owner.of_class, Sub.of_class, Owner.static]
        self.method = Owner().method

    def touch(self, *keys: object) -> list[Any]:
        return [function(key) for key in keys for function in self.functions]


@pytest.fixture(params=CELLS_OF_KEYS)
def keyed(gilonce: ModuleType, request: pytest.FixtureRequest) -> Keyed:
    sys.modules["gilonce._cells.registry"]._registered.clear()  # type: ignore[attr-defined]
    return Keyed(gilonce, request.param)


def test_every_key_starts_empty_and_is_as_before_afterwards(keyed: Keyed, testing: Any) -> None:
    """Keys that had a value, and keys that had none; with the same key again, and with an equal one."""
    before = keyed.touch("a", Key(1))
    of_instance = keyed.method("a")
    with testing.isolated():
        inside = keyed.touch("a", Key(1), "b", Key(2))
        assert {id(value) for value in before}.isdisjoint(id(value) for value in inside)
        assert keyed.touch("a", Key(1), "b", Key(2)) == inside
        assert keyed.method("a") is of_instance
    assert all(one is other for one, other in zip(before, keyed.touch("a", Key(1)), strict=True))
    for function in keyed.functions:
        assert not function.cell("b").is_set()
        assert not function.cell(Key(2)).is_set()
        assert len(function.take_all()) == 2


def test_what_was_made_for_keys_is_discarded_the_last_made_first(gilonce: ModuleType, testing: Any) -> None:
    """Among the values of all functions, and by `reset()` in the same order."""
    keyed = Keyed(gilonce, "none")
    other = gilonce.once(discard=lambda value: keyed.discarded.append(value.name))(
        lambda: SimpleNamespace(name="other")
    )
    function, of_class, *_ = keyed.functions
    expected = ["function b", "other", "class Owner b", "class Owner a", "function a"]

    def touch_all() -> list[Any]:
        return [function("a"), of_class("a"), of_class("b"), other(), function("b")]

    with testing.isolated():
        touch_all()
    assert keyed.discarded == expected
    keyed.discarded.clear()
    before = touch_all()
    with testing.isolated():
        touch_all()
        assert keyed.discarded == []
    assert keyed.discarded == expected
    assert all(one is other for one, other in zip(before, touch_all(), strict=True))
    keyed.discarded.clear()
    testing.reset()
    assert keyed.discarded == expected
    assert not function.cell("a").is_set()


def test_a_key_per_thread_is_isolated_in_every_thread(gilonce: ModuleType, testing: Any) -> None:
    keyed = Keyed(gilonce, "ThreadOnceCell")
    before: list[Any] = []
    inside: list[Any] = []
    again: list[Any] = []
    made, isolated, is_left = threading.Event(), threading.Event(), threading.Event()

    def in_a_thread() -> None:
        before.extend(keyed.touch("a"))
        made.set()
        assert isolated.wait(WATCHDOG)
        inside.extend(keyed.touch("a"))
        made.set()
        assert is_left.wait(WATCHDOG)
        again.extend(keyed.touch("a"))

    def in_another() -> None:
        assert made.wait(WATCHDOG)
        made.clear()
        with testing.isolated():
            isolated.set()
            assert made.wait(WATCHDOG)
        is_left.set()

    assert run_threads(in_a_thread, in_another) == [None, None]
    assert all(one is other for one, other in zip(before, again, strict=True))
    assert {id(value) for value in before}.isdisjoint(id(value) for value in inside)
    assert keyed.discarded == ["static a", "class Sub a", "class Owner a", "function a"]


def test_an_overridden_key_is_empty_inside_and_stays_in_a_reset(keyed: Keyed, testing: Any) -> None:
    function = keyed.functions[0]
    if isinstance(function.cell("a"), OwnCell):
        return  # it has no override
    with function.cell("a").override("fake"):
        with testing.isolated():
            assert function("a") != "fake"
        testing.reset()
        assert function("a") == "fake"
    assert not function.cell("a").is_set()


def test_a_key_that_is_emptied_inside_is_as_before_afterwards(keyed: Keyed, testing: Any) -> None:
    before = keyed.touch("a")
    with testing.isolated():
        for function in keyed.functions:
            function("a")
            function.take_all()
    assert all(one is other for one, other in zip(before, keyed.touch("a"), strict=True))


def test_a_key_that_is_held_is_the_key_of_every_call_inside(keyed: Keyed, testing: Any) -> None:
    """Its cell is the same one before, inside and afterwards."""
    function = keyed.functions[0]
    cell = function.cell("a")
    before = function("a")
    with testing.isolated():
        assert not cell.is_set()
        assert function("a") is cell.get()
        assert function.cell("a") is cell
    assert cell.get() is before


def test_no_table_is_kept_alive_and_no_empty_key(gilonce: ModuleType) -> None:
    program = """
import gc, weakref
import gilonce
from gilonce import testing
from gilonce._cells.registry import registered

class Value: ...

def use():
    @gilonce.once_per_args
    def function(key):
        return Value()

    values = [function(1), function(2)]
    with testing.isolated():
        values += [function(1), function(3)]
    testing.reset()
    return function, [weakref.ref(value) for value in values]

function, references = use()
for _ in range(3): gc.collect()
assert [reference() for reference in references] == [None] * 4
assert function.take_all() == []
assert len(registered()) == 1
del function
for _ in range(3): gc.collect()
assert registered() == []
print("done")
"""
    assert run_python(gilonce, "-c", program) == "done\n"


def test_a_discard_that_nothing_awaits_is_reported(gilonce: ModuleType, testing: Any) -> None:
    """It says what to write instead. A task is not reported, because it runs by itself."""

    async def close(value: object) -> None: ...

    class Task:
        def __await__(self) -> Any: ...

    function = gilonce.once(discard=close)(object)
    in_a_task = gilonce.once(discard=lambda value: Task())(object)
    reports: list[str] = []
    before, sys.unraisablehook = sys.unraisablehook, lambda report: reports.append(str(report.exc_value))
    try:
        with testing.isolated():
            function(), in_a_task()
        function()
        testing.reset()
        with function.cell.override("fake"):
            function.cell.take()
            function.cell.set("made inside")
    finally:
        sys.unraisablehook = before
    name = close.__qualname__
    assert reports == [
        f"{name}() returned a coroutine, which is not awaited here: {instead}"
        for instead in [
            "write 'async with isolated()'",
            "take() the value from its cell, and close it",
            "write 'async with cell.override(...)'",
        ]
    ]


def test_isolated_without_parentheses_says_so(testing: Any) -> None:
    with pytest.raises(TypeError, match=r"write @isolated\(\) with the parentheses"):
        testing.isolated(lambda: None)
    assert not inspect.signature(testing.isolated).parameters


def raise_interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "name",
    [
        "function",
        pytest.param("class method", marks=pytest.mark.slow),
        pytest.param("per thread", marks=pytest.mark.slow),
        pytest.param("key", marks=pytest.mark.slow),
        pytest.param("key of a class", marks=pytest.mark.slow),
        pytest.param("key per thread", marks=pytest.mark.slow),
    ],
)
def test_an_interrupt_leaves_everything_as_before(
    gilonce: ModuleType, testing: Any, request: pytest.FixtureRequest, name: str
) -> None:
    """At every bytecode of entering and leaving. In Python as in `cells/test_override_interrupts.py`."""
    if not survives_interrupts(gilonce):
        pytest.skip("CPython 3.10 does not survive an exception between any two bytecodes")
    sys.modules["gilonce._cells.registry"]._registered.clear()  # type: ignore[attr-defined]

    class Owner:
        @gilonce.once
        @classmethod
        def of_class(cls) -> Any:
            return object()

        @gilonce.once_per_args
        @classmethod
        def key_of_class(cls, key: object) -> Any:
            return object()

    touch: Any = {
        "function": gilonce.once(object),
        "class method": Owner.of_class,
        "per thread": gilonce.once(object, cell=gilonce.ThreadOnceCell),
        "key": functools.partial(gilonce.once_per_args(lambda key: object()), "a"),
        "key of a class": functools.partial(Owner.key_of_class, "a"),
        "key per thread": functools.partial(
            gilonce.once_per_args(lambda key: object(), cell=gilonce.ThreadOnceCell), "a"
        ),
    }[name]
    before = touch()

    def use() -> None:
        with isolated:
            touch()

    isolated = testing.isolated()
    use()
    gc.collect()
    request.addfinalizer(gc.enable)
    gc.disable()  # because the interrupt could come while the garbage of other tests is collected
    for position in positions():
        isolated = testing.isolated()
        at_bytecode = AtBytecode(position, raise_interrupt, (files_of(gilonce),))
        with contextlib.suppress(KeyboardInterrupt):
            at_bytecode.run(use)
        if not at_bytecode.has_acted:
            break
        if touch() is not before and gilonce.__implementation__ == "python":
            del isolated
            gc.collect()
        assert touch() is before, position
    assert position > 100
