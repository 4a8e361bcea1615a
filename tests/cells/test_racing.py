"""GILOnceCell, method by method: what the laws do not cover."""

from __future__ import annotations

import asyncio
import copy
import functools
import gc
import importlib
import inspect
import pickle
import sys
import textwrap
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support import WATCHDOG, drive, race, run_threads


def test_an_empty_cell_gives_the_default_and_runs_nothing(gilonce: ModuleType) -> None:
    """`get` never runs anything."""
    cell = gilonce.GILOnceCell()
    assert cell.get() is None
    assert cell.get("default") == cell.get(default="default") == "default"
    assert not cell.is_set()


def test_a_value_that_is_none_is_not_taken_for_empty(gilonce: ModuleType) -> None:
    """`None` is a value like any other, for every method."""
    cell = gilonce.GILOnceCell()
    cell.set(None)
    assert cell.is_set()
    assert cell.get("default") is None
    assert cell.get_or_init(list) is None
    assert drive(cell.aget_or_init(list)) is None
    with pytest.raises(gilonce.AlreadySetError):
        cell.set(1)
    assert cell.take("default") is None
    assert cell.take("default") == "default"


def test_a_rejected_object_comes_back_in_the_error(gilonce: ModuleType) -> None:
    """`set` on a full cell hands the object back, and `discard` is not called."""
    discarded: list[object] = []
    cell = gilonce.GILOnceCell(discard=discarded.append)
    cell.set("first")
    rejected = object()
    with pytest.raises(gilonce.AlreadySetError, match=r"already holds a 'str' object.*take\(\)") as caught:
        cell.set(rejected)
    assert caught.value.value is rejected
    assert isinstance(caught.value, RuntimeError)
    assert cell.get() == "first"
    assert discarded == []


CELLS = ["GILOnceCell", "OnceLock", "ThreadOnceCell", "ProcessOnceCell"]


@pytest.mark.parametrize("kind", CELLS)
def test_a_value_given_to_a_new_cell_is_answered_with_set(gilonce: ModuleType, kind: str) -> None:
    """A cell starts empty: the error says what to write instead, and shows no object whose `repr` may be long."""
    make = getattr(gilonce, kind)
    for values, write in (
        ((3,), "cell.set(3)"),
        (("value",), "cell.set('value')"),
        (("long" * 20,), "cell.set(value)"),
        (([1],), "cell.set(value)"),
        ((None, 2), "cell.set(value)"),
        ((list,), "cell.get_or_init(initializer)"),
    ):
        with pytest.raises(TypeError) as caught:
            make(*values)
        message = str(caught.value)
        assert message.startswith(f"{kind}() takes no positional argument, because a cell starts empty")
        assert f"cell = {kind}() and then {write}" in message
        assert ("OnceLock(timeout=3)" in message) == (kind == "OnceLock" and values == (3,))


@pytest.mark.parametrize("kind", CELLS)
def test_an_option_that_only_another_cell_has_is_answered_with_that_cell(gilonce: ModuleType, kind: str) -> None:
    """`OnceLock` has nothing to discard, and the others never wait. Any other name is refused as Python does."""
    make = getattr(gilonce, kind)
    if kind == "OnceLock":
        with pytest.raises(
            TypeError, match=r"^OnceLock\(\) takes no discard, .* runs once .*GILOnceCell\(discard=\.\.\.\)"
        ):
            make(discard=print)
    else:
        with pytest.raises(TypeError, match=rf"^{kind}\(\) takes no timeout, .* never waits: .*OnceLock\(timeout=3\)"):
            make(timeout=3)
    with pytest.raises(TypeError, match="got an unexpected keyword argument 'colour'"):
        make(colour=3)


def test_a_cell_of_a_users_class_names_that_class(gilonce: ModuleType) -> None:
    """The message is about what the user has written."""

    class Mine(gilonce.GILOnceCell):  # type: ignore[misc,name-defined]
        pass

    with pytest.raises(TypeError, match=r"^Mine\(\) takes no positional argument.*cell = Mine\(\) and then cell\.set"):
        Mine(3)
    assert Mine(discard=print).get() is None


async def connect() -> str:
    return "connected"


class Client:
    async def connect(self) -> str:
        return "connected"

    async def __call__(self) -> str:
        return "connected"


ASYNCHRONOUS: dict[str, tuple[Callable[[], Any], str]] = {
    "function": (connect, "connect"),
    "method": (Client().connect, r"Client\.connect"),
    "partial": (functools.partial(connect), "<partial of connect>"),
    "object": (Client(), "<Client object>"),
}
VIEWS = ["method", "class method", "slot", "named"]


def cell_of_kind(gilonce: Any, kind: str, chosen: str | None = None) -> Any:
    """Return an empty cell: a standalone one, or what stands behind a surface, by itself or with a chosen cell."""
    if kind in CELLS:
        return getattr(gilonce, kind)()
    options = {} if chosen is None else {"cell": getattr(gilonce, chosen)}
    if kind == "named":
        return gilonce.once(list, **options).cell

    class Owner:
        __slots__ = ("__dict__", "_x")

        @gilonce.once(**options)
        def method(self) -> None: ...

        @gilonce.once(**options)
        @classmethod
        def of_class(cls) -> None: ...

        @gilonce.once_property(slot="_x", **({} if chosen in ("ThreadOnceCell", "ProcessOnceCell") else options))
        def attribute(self) -> None: ...

    if kind == "slot":
        return vars(Owner)["attribute"]._cell_of(Owner())
    return Owner().method.cell if kind == "method" else Owner.of_class.cell


@pytest.mark.parametrize("initializer", ASYNCHRONOUS)
@pytest.mark.parametrize(
    ("kind", "chosen"),
    [*((kind, None) for kind in [*CELLS, *VIEWS]), *((view, cell) for view in VIEWS for cell in CELLS)],
)
def test_a_coroutine_function_is_not_an_initializer_of_get_or_init(
    gilonce: ModuleType, kind: str, chosen: str | None, initializer: str
) -> None:
    """Its coroutine could be awaited only once. A cell that has a value returns that, and looks at nothing."""
    cell = cell_of_kind(gilonce, kind, chosen)
    function, name = ASYNCHRONOUS[initializer]
    for _ in range(2):
        with pytest.raises(TypeError, match=rf"^{name}\(\) is a coroutine function.*await cell\.aget_or_init\("):
            cell.get_or_init(function)
    assert not cell.is_set()
    assert drive(cell.aget_or_init(function)) == "connected"
    assert cell.get_or_init(function) == "connected"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="inspect.markcoroutinefunction is new in 3.12")
@pytest.mark.parametrize("kind", CELLS)
def test_a_function_marked_as_a_coroutine_function_is_refused_as_one(gilonce: ModuleType, kind: str) -> None:
    """The mark of `inspect.markcoroutinefunction` counts, and any other attribute does not."""
    cell = getattr(gilonce, kind)()

    def marked() -> Any:
        return connect()

    inspect.markcoroutinefunction(marked)  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="is a coroutine function"):
        cell.get_or_init(marked)

    def with_attribute() -> str:
        return "value"

    with_attribute.mark = 1  # type: ignore[attr-defined]
    assert cell.get_or_init(with_attribute) == "value"


def test_a_value_that_comes_while_the_initializer_is_looked_at_is_the_value(gilonce: ModuleType) -> None:
    """To look at it may run code, in which another caller publishes: the initializer then does not run."""
    cell = gilonce.GILOnceCell()

    class Initializer:
        @property
        def _is_coroutine_marker(self) -> None:
            cell.get_or_init(lambda: "first")

        def __call__(self) -> str:
            return pytest.fail("must not run")

    assert cell.get_or_init(Initializer()) == "first"


def test_setting_the_same_object_twice_is_an_error_too(gilonce: ModuleType) -> None:
    """A cell is written once, whatever is written."""
    cell = gilonce.GILOnceCell()
    cell.set("same")
    with pytest.raises(gilonce.AlreadySetError):
        cell.set("same")


def test_the_error_survives_pickling(gilonce: ModuleType) -> None:
    """An error raised in a process pool arrives whole."""
    error = pickle.loads(pickle.dumps(gilonce.AlreadySetError("message", [1])))
    assert (str(error), error.value) == ("message", [1])


@pytest.mark.parametrize("value", [None, "shared", 7])
def test_of_threads_that_set_one_object_exactly_one_succeeds(gilonce: ModuleType, value: object) -> None:
    """The writer is known even if all threads write the same object."""
    for _ in range(200):
        cell = gilonce.GILOnceCell()
        outcomes = race(lambda cell=cell: cell.set(value), 4)
        assert sum(outcome is None for outcome in outcomes) == 1


def test_set_against_an_initializer_in_progress_wins(gilonce: ModuleType) -> None:
    """The first write wins, whoever makes it; the initializer's value is discarded."""
    entered, leave = threading.Event(), threading.Event()
    discarded: list[object] = []
    cell = gilonce.GILOnceCell(discard=discarded.append)

    def initializer() -> str:
        entered.set()
        assert leave.wait(WATCHDOG)
        return "initialized"

    def setter() -> str:
        assert entered.wait(WATCHDOG)
        cell.set("set")
        leave.set()
        return "set"

    assert run_threads(lambda: cell.get_or_init(initializer), setter) == ["set", "set"]
    assert discarded == ["initialized"]


def test_of_threads_that_take_exactly_one_has_the_value(gilonce: ModuleType) -> None:
    """`take` gives a value away once."""
    for _ in range(200):
        cell = gilonce.GILOnceCell()
        cell.set("value")
        assert sorted(race(lambda cell=cell: cell.take("nothing"), 4)) == ["nothing"] * 3 + ["value"]


def test_a_reader_that_races_with_take_sees_the_old_value_or_an_empty_cell(gilonce: ModuleType) -> None:
    """A racing `take` breaks nothing: no half-freed object, no foreign one."""
    cell = gilonce.GILOnceCell()
    rounds = 3000
    seen: set[type] = set()

    class Value:
        def __init__(self) -> None:
            self.whole = True

    def reader() -> None:
        for _ in range(rounds):
            value = cell.get()
            seen.add(type(value))
            assert value is None or value.whole
            assert cell.get_or_init(Value).whole

    def taker() -> None:
        for _ in range(rounds):
            value = cell.take()
            assert value is None or value.whole

    assert run_threads(reader, reader, taker) == [None] * 3
    assert seen <= {Value, type(None)}


@pytest.mark.parametrize("initializer", [None, 3, "name"])
def test_what_cannot_be_called_is_refused_even_by_a_full_cell(gilonce: ModuleType, initializer: object) -> None:
    """A wrong initializer is a TypeError on every call, not only on the first."""
    cell = gilonce.GILOnceCell()
    for _ in range(2):
        with pytest.raises(TypeError, match=r"initializer must be callable.*use set\(\)"):
            cell.get_or_init(initializer)
        with pytest.raises(TypeError, match="initializer must be callable"):
            drive(cell.aget_or_init(initializer))
        cell.get_or_init(list)


def _coroutine_function(run: Callable[[], object]) -> Any:
    async def initializer() -> None:
        run()

    return initializer


#: Initializers of every kind that do `run`.
INITIALIZERS: dict[str, Callable[[Callable[[], object]], Any]] = {
    "function": lambda run: lambda: run(),
    "coroutine function": _coroutine_function,
    "class": lambda run: type("Class", (), {"__init__": lambda self: run()}),
    "method": lambda run: type("Class", (), {"method": lambda self: run()})().method,
    "object": lambda run: type("Class", (), {"__call__": lambda self: run()})(),
    "partial": functools.partial,
    "method in C": lambda run: iter(run, "the end").__next__,
}


@pytest.mark.parametrize("value", [None, 1])
@pytest.mark.parametrize("kind", INITIALIZERS)
def test_a_full_cell_runs_no_initializer_of_any_kind(gilonce: ModuleType, kind: str, value: object) -> None:
    """It has what that would make; and to run it may cost, or do, anything."""
    initializer = INITIALIZERS[kind](lambda: pytest.fail("must not run"))
    cell = gilonce.GILOnceCell()
    cell.set(value)
    assert cell.get_or_init(initializer) is drive(cell.aget_or_init(initializer)) is value


def test_discard_must_be_callable(gilonce: ModuleType) -> None:
    """`discard=3` is refused at once, by the class's name."""
    with pytest.raises(TypeError, match=r"GILOnceCell\(discard=\.\.\.\) takes a callable.*not 3 \(int\)"):
        gilonce.GILOnceCell(discard=3)


def test_the_report_on_a_failed_discard_is_the_interpreters_own(
    gilonce: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the default hook, a failed discard is printed as a failed finalizer is."""
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)

    def discard_badly(value: object) -> None:
        raise ValueError("stuck")

    cell = gilonce.GILOnceCell(discard=discard_badly)
    assert cell.get_or_init(lambda: cell.set("first") or "second") == "first"
    printed = capsys.readouterr().err
    assert "Exception ignored in discard" in printed
    assert "discard_badly" in printed
    assert "ValueError: stuck" in printed


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_a_hook_that_fails_is_reported_by_the_default_hook(
    gilonce: ModuleType,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
) -> None:
    """As in the interpreter; and the caller still gets the value."""

    def failing_hook(report: Any) -> None:
        raise error("the hook is broken")

    monkeypatch.setattr(sys, "unraisablehook", failing_hook)
    cell = gilonce.GILOnceCell(discard=lambda value: 1 / 0)
    assert cell.get_or_init(lambda: cell.set("first") or "second") == "first"
    printed = capsys.readouterr().err
    assert "Exception ignored in sys.unraisablehook" in printed
    assert "the hook is broken" in printed


def test_the_report_reaches_a_hook_where_the_interpreter_has_no_type_for_it(
    gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without CPython's own report type, the hook gets an object with the same attributes."""
    cell_module = sys.modules["gilonce._cells.discarding"]
    reports: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", reports.append)
    monkeypatch.setattr(cell_module, "tuple", type("tuple", (), {"__subclasses__": list}), raising=False)
    error = ValueError("stuck")
    cell_module.report_unraisable(error, "source")
    (report,) = reports
    assert (report.exc_type, report.exc_value, report.exc_traceback) == (ValueError, error, None)
    assert (report.err_msg, report.object) == ("Exception ignored in discard", "source")


# import_attr


def test_an_attribute_is_imported_once(gilonce: ModuleType) -> None:
    """`import_attr` gives what the import statement gives, and keeps it."""
    cell = gilonce.GILOnceCell()
    assert cell.import_attr("collections", "OrderedDict") is cell.import_attr("nowhere", "nothing")


def test_a_submodule_can_be_imported_as_an_attribute(gilonce: ModuleType) -> None:
    """`from package import submodule` works, so `import_attr` does."""
    sys.modules.pop("xml.dom", None)
    assert gilonce.GILOnceCell().import_attr("xml", "dom").__name__ == "xml.dom"


def test_a_submodule_is_found_by_the_name_that_its_package_goes_by(
    gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by the import statement, where the package was asked for by another name."""
    submodule = ModuleType("known_as.submodule")
    monkeypatch.setitem(sys.modules, "asked_for_as", ModuleType("known_as"))
    monkeypatch.setitem(sys.modules, "known_as.submodule", submodule)
    by_statement: dict[str, Any] = {}
    exec("from asked_for_as import submodule", by_statement)
    assert gilonce.GILOnceCell().import_attr("asked_for_as", "submodule") is by_statement["submodule"] is submodule


def test_what_is_not_there_raises_what_import_raises(gilonce: ModuleType) -> None:
    """The errors are those of the import statement, and leave the cell empty."""
    cell = gilonce.GILOnceCell()
    with pytest.raises(ModuleNotFoundError, match="No module named 'nowhere_at_all'"):
        cell.import_attr("nowhere_at_all", "x")
    with pytest.raises(ImportError, match="cannot import name 'no_such_name' from 'textwrap'") as ours:
        cell.import_attr("textwrap", "no_such_name")
    with pytest.raises(ImportError) as pythons:
        exec("from textwrap import no_such_name", {})
    assert str(ours.value) == str(pythons.value)
    assert (ours.value.name, ours.value.path) == (pythons.value.name, pythons.value.path)
    with pytest.raises(ImportError, match=r"cannot import name 'x' from 'sys' \(unknown location\)"):
        cell.import_attr("sys", "x")
    assert not cell.is_set()


def test_a_submodule_is_found_during_a_circular_import(
    gilonce: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where `from package import submodule` works, or fails, for its own reasons."""
    package = tmp_path / "circular_package"
    package.mkdir()
    (package / "__init__.py").write_text("from circular_package import sub\nlate = 1\n")
    source = """
        from builtins import new_cell
        from circular_package import sub as by_statement
        by_cell = new_cell().import_attr("circular_package", "sub")
        errors = []
        for action in (
            lambda: new_cell().import_attr("circular_package", "late"),
            lambda: exec("from circular_package import late", {}),
        ):
            try:
                action()
            except ImportError as error:
                errors.append(str(error))
    """
    (package / "sub.py").write_text(textwrap.dedent(source))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("builtins.new_cell", gilonce.GILOnceCell, raising=False)
    try:
        sub = importlib.import_module("circular_package.sub")
        assert sub.by_cell is sub.by_statement is sub
        assert sub.errors[0] == sub.errors[1]
        assert "partially initialized module" in sub.errors[0]
    finally:
        for name in ("circular_package", "circular_package.sub"):
            sys.modules.pop(name, None)


def test_an_attribute_of_a_module_that_lacks_it_lazily_is_imported_by_its_getattr(
    gilonce: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module's own `__getattr__` is asked, as by the import statement."""
    (tmp_path / "with_getattr.py").write_text("def __getattr__(name): return name.upper()\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert gilonce.GILOnceCell().import_attr("with_getattr", "word") == "WORD"


# aget_or_init


def test_tasks_of_one_loop_share_a_value_and_never_wait_for_each_other(gilonce: ModuleType) -> None:
    """Eight tasks all start connecting; the first to finish serves them all, in any order."""
    discarded: list[object] = []
    cell = gilonce.GILOnceCell(discard=discarded.append)

    async def main() -> list[object]:
        inside = 0
        everyone = asyncio.Event()

        async def connect() -> object:
            nonlocal inside
            inside += 1
            if inside == 8:
                everyone.set()
            await asyncio.wait_for(everyone.wait(), WATCHDOG)
            return object()

        return await asyncio.gather(*(cell.aget_or_init(connect) for _ in range(8)))

    got = asyncio.run(main())
    assert len(set(map(id, got))) == 1
    assert len(discarded) == 7


def test_cancelling_one_task_leaves_the_others_alone(gilonce: ModuleType) -> None:
    """Cancelling a task does not lose another task's value."""
    cell = gilonce.GILOnceCell()

    async def main() -> object:
        started, go = asyncio.Event(), asyncio.Event()

        async def slow() -> str:
            started.set()
            await go.wait()
            return "slow"

        async def fast() -> str:
            return "fast"

        task = asyncio.create_task(cell.aget_or_init(slow))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not cell.is_set()
        return await cell.aget_or_init(fast)

    assert asyncio.run(main()) == "fast"


def test_loops_in_several_threads_share_a_value(gilonce: ModuleType) -> None:
    """A cell belongs to no loop."""
    cell = gilonce.GILOnceCell()

    async def make() -> object:
        await asyncio.sleep(0)
        return object()

    got = race(lambda: asyncio.run(cell.aget_or_init(make)), 4)
    assert len(set(map(id, got))) == 1


def test_an_awaitable_from_discard_is_awaited(gilonce: ModuleType) -> None:
    """`discard=client.aclose`, as it were: what must be awaited to close is awaited."""
    closed: list[object] = []

    async def aclose(value: object) -> None:
        await asyncio.sleep(0)
        closed.append(value)

    cell = gilonce.GILOnceCell(discard=aclose)

    async def outrun() -> str:
        cell.set("first")
        return "second"

    assert asyncio.run(cell.aget_or_init(outrun)) == "first"
    assert closed == ["second"]


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, OSError, Exception])
def test_a_failing_asynchronous_discard_is_unraisable(
    gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    """Law 4 holds for what `discard` raises when awaited."""
    reports: list[BaseException] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: reports.append(report.exc_value))
    error = kind("stuck")

    async def aclose(value: object) -> None:
        raise error

    cell = gilonce.GILOnceCell(discard=aclose)

    async def outrun() -> str:
        cell.set("first")
        return "second"

    assert asyncio.run(cell.aget_or_init(outrun)) == "first"
    assert reports == [error]


def test_a_result_of_discard_that_cannot_be_looked_at_is_unraisable(
    gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law 4 covers all that comes from `discard`."""
    reports: list[BaseException] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: reports.append(report.exc_value))

    class Hostile:
        @property
        def __await__(self) -> Any:
            raise ValueError("hostile")

    cell = gilonce.GILOnceCell(discard=lambda value: Hostile())

    async def outrun() -> str:
        cell.set("first")
        return "second"

    assert drive(cell.aget_or_init(outrun)) == "first"
    assert [str(report) for report in reports] == ["hostile"]


def test_a_cancellation_while_discarding_is_the_tasks_own(gilonce: ModuleType) -> None:
    """To swallow a cancellation would make the task immortal."""

    async def main() -> None:
        closing = asyncio.Event()

        async def aclose(value: object) -> None:
            closing.set()
            await asyncio.Event().wait()

        cell = gilonce.GILOnceCell(discard=aclose)

        async def outrun() -> str:
            cell.set("first")
            return "second"

        task = asyncio.create_task(cell.aget_or_init(outrun))
        await closing.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert cell.get() == "first"

    asyncio.run(main())


# repr, copies, and what else an object can do


def test_repr_shows_the_value_or_that_there_is_none(gilonce: ModuleType) -> None:
    """`<GILOnceCell: empty>` or the value, also of a cell that holds itself."""
    cell = gilonce.GILOnceCell()
    assert repr(cell) == "<GILOnceCell: empty>"
    cell.set("value")
    assert repr(cell) == "<GILOnceCell: 'value'>"
    cell.take()
    cell.set([cell])
    assert repr(cell) == "<GILOnceCell: [<GILOnceCell: ...>]>"


def test_copies_are_cells_of_their_own(gilonce: ModuleType) -> None:
    """`copy` has the same object, `deepcopy` a copy of it, and neither is tied to the original."""
    cell = gilonce.GILOnceCell(discard=print)
    for make in (copy.copy, copy.deepcopy):
        empty = make(cell)
        assert not empty.is_set()
        empty.set("mine")
        assert not cell.is_set()
        assert empty._discard is print
    cell.set(["value"])
    assert copy.copy(cell).get() is cell.get()
    deep = copy.deepcopy(cell).get()
    assert deep == ["value"]
    assert deep is not cell.get()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_keeps_the_value_or_that_there_is_none(gilonce: ModuleType, protocol: int) -> None:
    """A pickled cell comes back full or empty, as it was, under every protocol."""
    cell = gilonce.GILOnceCell()
    assert not pickle.loads(pickle.dumps(cell, protocol)).is_set()
    cell.set(None)
    assert pickle.loads(pickle.dumps(cell, protocol)).get("default") is None


def test_a_value_may_refer_to_the_cell_that_is_copied(gilonce: ModuleType) -> None:
    """Cycles through a cell survive `deepcopy` and pickle."""
    cell = gilonce.GILOnceCell()
    cell.set([cell])
    for copied in (copy.deepcopy(cell), pickle.loads(pickle.dumps(cell))):
        assert copied is not cell
        assert copied.get() == [copied]


def test_deepcopy_does_not_copy_what_discard_belongs_to(gilonce: ModuleType) -> None:
    """`discard=pool.close` goes on closing into the one pool."""
    discarded: list[object] = []
    copied = copy.deepcopy(gilonce.GILOnceCell(discard=discarded.append))
    copied.get_or_init(lambda: copied.set("first") or "second")
    assert discarded == ["second"]


def test_a_cell_is_weakly_referenced_and_collected(gilonce: ModuleType) -> None:
    """A cell whose value refers back to it is garbage like any cycle."""
    cell = gilonce.GILOnceCell()
    cell.set([cell])
    gone = weakref.ref(cell)
    del cell
    gc.collect()
    assert gone() is None


def test_a_cycle_of_nothing_but_cells_is_collected(gilonce: ModuleType) -> None:
    """The cell itself lets go of its value, not only what is on the way back to it."""

    class Chained(gilonce.GILOnceCell):  # type: ignore[name-defined, misc]
        __slots__ = ()

    one, two = Chained(), Chained()
    one.set(two)
    two.set(one)
    del one, two
    gc.collect()
    assert not any(type(it) is Chained for it in gc.get_objects())


def test_a_cell_that_its_discard_refers_to_is_collected(gilonce: ModuleType) -> None:
    """The pool that the losers go back to may hold the cell."""

    class Pool:
        def close(self, value: object) -> None:
            raise AssertionError("nothing is lost")

    pool = Pool()
    pool.cell = gilonce.GILOnceCell(discard=pool.close)  # type: ignore[attr-defined]
    gone = weakref.ref(pool)
    del pool
    gc.collect()
    assert gone() is None


def test_a_cell_that_is_initialized_again_is_empty(gilonce: ModuleType) -> None:
    """As every object of Python's that is initialized again, it begins anew."""
    discarded: list[object] = []
    cell = gilonce.GILOnceCell()
    cell.set("value")
    cell.__init__(discard=discarded.append)
    assert not cell.is_set()
    cell.get_or_init(lambda: cell.set("first") or "second")
    assert discarded == ["second"]


def test_a_cell_that_is_initialized_again_without_a_discard_has_none(gilonce: ModuleType) -> None:
    """The former `discard` is no longer called."""
    cell = gilonce.GILOnceCell(discard=lambda value: pytest.fail("must not be asked"))
    cell.__init__()
    assert cell.get_or_init(lambda: cell.set("first") or "second") == "first"


def test_a_cell_has_a_type_parameter_at_runtime(gilonce: ModuleType) -> None:
    """`GILOnceCell[int]` is written in annotations and may be called."""
    alias = gilonce.GILOnceCell[int]
    assert (alias.__origin__, alias.__args__) == (gilonce.GILOnceCell, (int,))
    assert type(alias()) is gilonce.GILOnceCell


def test_a_subclass_is_named_and_copied_as_itself(gilonce: ModuleType) -> None:
    """`type(self)` is kept by `copy` and shown by `repr`."""

    class Named(gilonce.GILOnceCell):  # type: ignore[name-defined, misc]
        def __init__(self, name: list[str]) -> None:
            super().__init__()
            self.name = name

    cell = Named(["name"])
    assert repr(cell) == "<Named: empty>"
    for make in (copy.copy, copy.deepcopy):
        copied = make(cell)
        assert type(copied) is Named
        assert copied.name == ["name"]
        assert (copied.name is cell.name) == (make is copy.copy)


def test_a_cell_is_final(gilonce: ModuleType) -> None:
    """A value, once set, is the value for everyone: a surface may keep it elsewhere."""
    assert gilonce.GILOnceCell().final is True


def test_an_interrupt_in_an_initializer_leaves_everything_usable(gilonce: ModuleType) -> None:
    """Ctrl-C while loading: the program may go on, or try again."""
    import _thread
    import signal

    cell = gilonce.GILOnceCell()

    def interrupted() -> None:
        _thread.interrupt_main()
        while True:
            pass

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            cell.get_or_init(interrupted)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert not cell.is_set()
    assert cell.get_or_init(lambda: "again") == "again"


def test_importing_runs_outside_of_any_lock_of_ours(
    gilonce: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that, while imported, starts a thread which needs the same cell is no deadlock."""
    source = f"""
        import threading
        from builtins import the_cell
        def other():
            global got
            got = the_cell.get_or_init(lambda: "from the thread")
        thread = threading.Thread(target=other, daemon=True)
        thread.start()
        thread.join({WATCHDOG})
        value = "from the import"
    """
    (tmp_path / "starts_a_thread.py").write_text(textwrap.dedent(source))
    monkeypatch.syspath_prepend(tmp_path)
    cell = gilonce.GILOnceCell()
    monkeypatch.setattr("builtins.the_cell", cell, raising=False)
    try:
        assert cell.import_attr("starts_a_thread", "value") == "from the thread"
    finally:
        sys.modules.pop("starts_a_thread", None)
