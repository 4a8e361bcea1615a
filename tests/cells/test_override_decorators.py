"""`cell.override(value)` as a decorator."""

from __future__ import annotations

import asyncio
import functools
import unittest
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("no_override_is_left")


def test_an_override_decorates_a_function(cell: Any) -> None:
    """Its name, its document and its signature are kept, and each call has an override of its own."""

    @cell.override("fake")
    def function(depth: int) -> Any:
        """Say what is in the cell."""
        return cell.get() if depth == 0 else (function(depth - 1), cell.get())

    assert function(1) == ("fake", "fake")
    assert (function.__name__, function.__doc__) == ("function", "Say what is in the cell.")
    assert not cell.is_set()


def test_an_override_decorates_coroutine_functions(cell: Any) -> None:
    @cell.override("fake")
    async def function() -> Any:
        before = cell.get()
        await asyncio.sleep(0)
        return before, cell.get()

    async def main() -> Any:
        return await asyncio.gather(*[function() for _ in range(3)])

    assert asyncio.run(main()) == [("fake", "fake")] * 3
    assert not cell.is_set()


def test_an_override_decorates_generator_functions(cell: Any) -> None:
    """What is sent, thrown and returned passes through."""

    @cell.override("fake")
    def function() -> Any:
        try:
            sent = yield cell.get()
            yield sent
        except ZeroDivisionError:
            return "returned"

    generator = function()
    assert not cell.is_set()
    assert (next(generator), generator.send("sent"), cell.get()) == ("fake", "sent", "fake")
    with pytest.raises(StopIteration, match="returned"):
        generator.throw(ZeroDivisionError())
    assert not cell.is_set()


def test_an_override_decorates_asynchronous_generator_functions(cell: Any) -> None:
    """What is sent and thrown passes through; a generator that is closed leaves the override."""
    closed: list[str] = []

    @cell.override("fake")
    async def function() -> Any:
        try:
            sent = yield cell.get()
            try:
                yield sent
            except ZeroDivisionError:
                yield "caught"
        finally:
            closed.append(cell.get())

    async def main() -> None:
        generator = function()
        assert await generator.asend(None) == "fake"
        assert await generator.asend("sent") == "sent"
        assert await generator.athrow(ZeroDivisionError()) == "caught"
        with pytest.raises(StopAsyncIteration):
            await generator.asend(None)
        assert not cell.is_set()
        generator = function()
        assert await generator.asend(None) == "fake"
        await generator.aclose()
        assert closed == ["fake", "fake"]

    asyncio.run(main())
    assert not cell.is_set()


def test_an_override_decorates_test_cases(gilonce: ModuleType) -> None:
    """It is in force for the whole run of each test, `setUp` and `tearDown` included."""
    cell = gilonce.GILOnceCell()
    seen: list[Any] = []

    @cell.override("outer")
    class Base(unittest.TestCase):
        def setUp(self) -> None:
            seen.append(cell.get())

        def tearDown(self) -> None:
            seen.append(cell.get())

    @cell.override("inner")
    class TestIt(Base):
        def test_it(self) -> None:
            self.addCleanup(lambda: seen.append(cell.get()))
            seen.append(cell.get())

    result = unittest.TestResult()
    TestIt("test_it").run(result)
    TestIt("test_it").debug()
    assert result.wasSuccessful()
    # That of the base is entered first.
    assert seen == ["inner"] * 8
    assert not cell.is_set()


def test_on_a_subclass_of_a_test_case_the_nearer_override_is_in_force(gilonce: ModuleType) -> None:
    """The order is that of blocks: those of the base, then those of the subclass, each from above to below."""
    cells = [gilonce.GILOnceCell() for _ in range(3)]
    first, second, third = cells
    seen: list[Any] = []

    @first.override("base")
    class Base(unittest.TestCase):
        def test_it(self) -> None:
            seen.append([cell.get() for cell in cells])

    @first.override("upper")
    @first.override("middle")
    @second.override("lower")
    class Sub(Base): ...

    @third.override("below all")
    class SubSub(Sub): ...

    class Copied(Base):
        @functools.wraps(Base.run)
        def run(self, result: Any = None) -> Any:
            seen.append("own run")
            return super().run(result)

    third.override("own")(Copied)
    for cls in Base, Sub, SubSub, Copied:
        cls("test_it").run()
    assert seen == [
        ["base", None, None],
        ["middle", "lower", None],
        ["middle", "lower", "below all"],
        "own run",
        ["base", None, "own"],
    ]
    assert not any(cell.is_set() for cell in cells)


def test_other_classes_and_other_things_are_not_decorated(gilonce: ModuleType) -> None:
    cell = gilonce.GILOnceCell()
    with pytest.raises(TypeError, match=r"'Plain' is another class: decorate its methods"):

        @cell.override("fake")
        class Plain: ...

    with pytest.raises(TypeError, match=r"Override decorates functions and unittest.TestCase classes, not 7 \(int\)"):
        cell.override("fake")(7)
    with pytest.raises(TypeError, match=r"put it below @pytest.fixture"):

        @cell.override("fake")
        @pytest.fixture
        def fixture() -> None: ...

    for decorator in property, classmethod, staticmethod:
        with pytest.raises(TypeError, match=rf"put it below @{decorator.__name__}$"):
            cell.override("fake")(decorator(list))
